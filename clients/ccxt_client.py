"""A trader's day with ccxt: `ccxt.paradex` over REST and `ccxt.pro.paradex` over the WebSocket, only URLs changed."""

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

import ccxt
import ccxt.pro

from harness import Missing, Steps, Venue, eventually, venue

BTC = "BTC/USD:USDC"
ETH = "ETH/USD:USDC"
SIZE = 0.01
NOBODY = "1700000000000000000000000000"

# What a trader would look for, and ccxt does not have for this venue: `has` says so.
WANTED = (
    "cancelAllOrdersAfter",
    "closePosition",
    "fetchClosedOrders",
    "fetchCanceledOrders",
    "fetchLedger",
    "fetchLeverageTiers",
    "fetchOpenInterestHistory",
    "fetchOrderTrades",
    "createOrderWs",
    "cancelOrderWs",
    "watchOHLCV",
    "watchBidsAsks",
    "unWatchTicker",
)


def trader(exchange: type, where: Venue, key: str, **options: Any) -> Any:
    """A client with its settings: three URLs, the authority of the certificate, and a wallet."""
    settings: dict[str, Any] = {
        "urls": {
            "api": {
                "v1": where.rest_url,
                "v2": where.rest_url.removesuffix("/v1") + "/v2",
                "ws": where.ws_url,
            }
        },
        "privateKey": key,
        "walletAddress": ccxt.Exchange.eth_get_address_from_private_key(key),
        # The venue refuses versions of SBE that it does not speak; without SBE ccxt reads JSON.
        "options": {"sbe": False, **options},
    }
    if where.ca_file is not None and exchange is ccxt.paradex:
        # requests is given `verify and validateServerSsl`, so that it is the second that can name a file.
        settings["validateServerSsl"] = where.ca_file
    elif where.ca_file is not None:
        settings["cafile"] = where.ca_file
    return exchange(settings)


def new_key() -> str:
    return "0x" + secrets.token_hex(32)


def refused(call: Callable[[], Any], kind: type[Exception], *codes: str) -> str:
    """The code of the error that a call must end with, which ccxt must map to this kind."""
    try:
        got = call()
    except kind as error:
        code = str(json.loads(str(error).split(" ", 1)[1])["error"])
        assert code in codes, f"{' or '.join(codes)} expected: {error}"
        return f"{type(error).__name__} {code}"
    raise AssertionError(f"accepted: {got}")


class Day:
    """The REST part, one chapter after the other."""

    def __init__(self, where: Venue, steps: Steps) -> None:
        self.where = where
        self.steps = steps
        self.key = new_key()
        self.me = trader(ccxt.paradex, where, self.key)
        self.other = trader(ccxt.paradex, where, new_key())
        self.sent: list[str] = []
        self.began = self.me.milliseconds()

    # -- helpers

    def spread(self, symbol: str = BTC) -> tuple[float, float]:
        book = self.me.fetch_order_book(symbol)
        return book["bids"][0][0], book["asks"][0][0]

    def price(self, price: float, symbol: str = BTC) -> float:
        return float(self.me.price_to_precision(symbol, price))

    def far_bid(self) -> float:
        return self.price(self.spread()[0] * 0.97)

    def place(
        self, kind: str, side: str, amount: float, price: float | None = None, **params: Any
    ) -> dict[str, Any]:
        order: dict[str, Any] = self.me.create_order(BTC, kind, side, amount, price, params)
        self.sent.append(order["id"])
        return order

    def rests(self, order_id: str, raw: str = "OPEN") -> dict[str, Any]:
        return self.seen(order_id, lambda order: order["info"]["status"] == raw)

    def ends(self, order_id: str) -> dict[str, Any]:
        return self.seen(order_id, lambda order: order["info"]["status"] == "CLOSED")

    def seen(self, order_id: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        order: dict[str, Any] = eventually(lambda: self.me.fetch_order(order_id, BTC), wanted)
        return order

    def held(self) -> float:
        """The position, negative when short."""
        for position in self.me.fetch_positions([BTC]):
            if position["contracts"]:
                return float(position["contracts"]) * (1 if position["side"] == "long" else -1)
        return 0.0

    # -- chapters

    def market_data(self) -> None:
        me, step = self.me, self.steps.step
        with step("load_markets") as say:
            markets = me.load_markets()
            market = markets[BTC]
            assert market["id"] == "BTC-USD-PERP"
            assert market["swap"] is True
            assert market["linear"] is True
            assert market["precision"] == {**market["precision"], "amount": 0.00001, "price": 0.1}, market[
                "precision"
            ]
            assert market["limits"]["cost"]["min"] == 10
            assert market["limits"]["amount"]["max"] == 100
            say(", ".join(sorted(m["id"] for m in markets.values())))
        with step("fetch_time") as say:
            now = me.fetch_time()
            assert abs(now - time.time() * 1000) < 5000, now
            say(now)
        with step("fetch_status"):
            assert me.fetch_status()["status"] == "ok"
        with step("fetch_ticker") as say:
            ticker = me.fetch_ticker(BTC)
            assert ticker["symbol"] == BTC
            assert 0 < ticker["bid"] < ticker["ask"], ticker
            assert abs(ticker["markPrice"] / ticker["bid"] - 1) < 0.05, ticker
            assert ticker["last"] > 0, ticker
            assert abs(ticker["timestamp"] - me.milliseconds()) < 60_000
            assert ticker["quoteVolume"] is not None
            assert ticker["percentage"] is not None, ticker["info"]
            say(f"{ticker['bid']} / {ticker['ask']}")
        with step("fetch_tickers") as say:
            tickers = me.fetch_tickers([BTC, ETH])
            assert set(tickers) == {BTC, ETH}, list(tickers)
            everything = me.fetch_tickers()
            assert {market["symbol"] for market in me.markets.values()} == set(everything)
            say(len(everything))
        with step("fetch_order_book") as say:
            book = me.fetch_order_book(BTC)
            bids, asks = [p for p, _ in book["bids"]], [p for p, _ in book["asks"]]
            assert bids == sorted(bids, reverse=True)
            assert asks == sorted(asks)
            assert bids[0] < asks[0]
            assert all(size > 0 for _, size in book["bids"] + book["asks"])
            assert isinstance(book["nonce"], int)
            assert abs(book["timestamp"] - me.milliseconds()) < 600_000
            say(f"{len(bids)} × {len(asks)} levels")
        with step("public_get_orderbook depth=1"):
            book = me.publicGetOrderbookMarket({"market": "BTC-USD-PERP", "depth": 1})
            assert len(book["bids"]) == len(book["asks"]) == 1, book
        with step("public_get_bbo") as say:
            bbo = me.publicGetBboMarket({"market": "BTC-USD-PERP"})
            assert float(bbo["bid"]) < float(bbo["ask"]), bbo
            assert float(bbo["bid_size"]) > 0
            say(f"{bbo['bid']} / {bbo['ask']}")
        with step("fetch_trading_fee") as say:
            fee = me.fetch_trading_fee(BTC)
            assert 0 <= fee["maker"] < fee["taker"] < 0.01, fee
            say(f"maker {fee['maker']}, taker {fee['taker']}")
        with step("fetch_trading_fees"):
            assert set(me.fetch_trading_fees()) >= {BTC, ETH}
        with step("fetch_open_interest"):
            assert me.fetch_open_interest(BTC)["openInterestAmount"] >= 0
        with step("fetch_funding_rate") as say:
            rate = me.fetch_funding_rate(BTC)
            assert -0.02 <= rate["fundingRate"] <= 0.02
            assert rate["interval"] == "8h", rate["interval"]
            assert rate["markPrice"] > 0
            assert rate["indexPrice"] > 0
            say(rate["fundingRate"])
        with step("fetch_funding_rates"):
            assert set(me.fetch_funding_rates([BTC, ETH])) == {BTC, ETH}
        with step("fetch_funding_rate_history") as say:
            rates = eventually(lambda: me.fetch_funding_rate_history(BTC, limit=10), bool, 10)
            assert len(rates) <= 10
            assert all(r["fundingRate"] is not None and r["timestamp"] for r in rates)
            say(len(rates))
        for name, params in {
            "fetch_ohlcv": {},
            "fetch_ohlcv price=mark": {"price": "mark"},
            "fetch_ohlcv price_kind=underlying": {"price_kind": "underlying"},
        }.items():
            with step(name) as say:
                candles = me.fetch_ohlcv(BTC, "1m", limit=10, params=params)
                assert candles
                for at, opened, high, low, closed, volume in candles:
                    assert at % 60_000 == 0
                    assert low <= min(opened, closed) <= max(opened, closed) <= high
                    assert volume >= 0
                stamps = [candle[0] for candle in candles]
                assert stamps == sorted(set(stamps))
                say(f"{len(candles)}, the last closed at {candles[-1][4]}")
        with step("fetch_index_ohlcv"):
            assert me.fetch_index_ohlcv(BTC, "1m", limit=10)

    def login(self) -> None:
        me, step = self.me, self.steps.step
        with step("authenticate before onboarding"):
            refused(me.authenticate_rest, ccxt.BadRequest, "NOT_ONBOARDED")
        with step("onboarding") as say:
            me.onboarding()
            self.other.onboarding()
            say(me.retrieve_account()["address"])
        with step("authenticate"):
            assert me.authenticate_rest().count(".") == 2
        with step("fetch_balance") as say:
            usdc = me.fetch_balance()["USDC"]
            assert usdc["total"] > 1000, usdc
            say(usdc["total"])
        with step("private_get_account"):
            account = me.privateGetAccount()
            assert int(account["account"], 16) == int(me.retrieve_account()["address"], 16)
            assert float(account["account_value"]) == me.fetch_balance()["USDC"]["total"], account
            assert account["status"] == "ACTIVE"
        with step("private_get_account_info"):
            results = me.privateGetAccountInfo()["results"]
            assert int(results[0]["account"], 16) == int(me.retrieve_account()["address"], 16)
        with step("fetch_positions, none"):
            assert self.held() == 0
            assert me.fetch_open_orders() == []

    def resting_orders(self) -> None:
        me, step = self.me, self.steps.step
        order: dict[str, Any] = {}
        name = f"day-{secrets.token_hex(4)}"
        with step("create_order limit") as say:
            price = self.far_bid()
            order = self.place("limit", "buy", SIZE, price, clientOrderId=name)
            assert order["status"] == "open"
            assert order["clientOrderId"] == name
            assert (order["symbol"], order["side"], order["type"]) == (BTC, "buy", "limit")
            assert (order["amount"], order["price"], order["timeInForce"]) == (SIZE, price, "GTC"), order
            assert order["info"]["status"] == "NEW"
            say(order["id"])
        with step("fetch_order"):
            seen = self.rests(order["id"])
            assert seen["remaining"] == SIZE
            assert seen["filled"] == 0
            assert seen["status"] == "open"
        with step("fetch_order by client id"):
            assert me.fetch_order("", BTC, {"clientOrderId": name})["id"] == order["id"]
        with step("fetch_open_orders"):
            assert [o["id"] for o in me.fetch_open_orders(BTC)] == [order["id"]]
            assert me.fetch_open_orders(ETH) == []
        with step("create_order, the same client id"):
            price = self.far_bid()
            refused(
                lambda: self.place("limit", "buy", SIZE, price, clientOrderId=name),
                ccxt.InvalidOrder,
                "DUPLICATED_CLIENT_ID",
            )
        with step("edit_order"):
            price = self.price(order["price"] * 0.99)
            edited = me.edit_order(order["id"], BTC, "limit", "buy", SIZE * 2, price)
            assert edited["id"] == order["id"]
            seen = self.seen(order["id"], lambda o: o["price"] == price)
            assert (seen["amount"], seen["remaining"]) == (SIZE * 2, SIZE * 2), seen
            assert seen["status"] == "open"
            assert seen["clientOrderId"] == name
        with step("cancel_order"):
            me.cancel_order(order["id"], BTC)
            seen = self.ends(order["id"])
            assert seen["status"] == "canceled"
            assert seen["info"]["cancel_reason"] == "USER_CANCELED", seen["info"]["cancel_reason"]
            assert seen["filled"] == 0
        with step("cancel_order, again"):
            refused(lambda: me.cancel_order(order["id"], BTC), ccxt.InvalidOrder, "ORDER_IS_CLOSED")
        with step("cancel_order by client id"):
            name = f"day-{secrets.token_hex(4)}"
            order = self.place("limit", "buy", SIZE, self.far_bid(), clientOrderId=name)
            self.rests(order["id"])
            me.cancel_order("", BTC, {"clientOrderId": name})
            assert self.ends(order["id"])["status"] == "canceled"
        with step("cancel_order, unknown"):
            refused(lambda: me.cancel_order(NOBODY, BTC), ccxt.InvalidOrder, "ORDER_ID_NOT_FOUND")
            unknown = {"clientOrderId": "nobody"}
            refused(lambda: me.cancel_order("", BTC, unknown), ccxt.InvalidOrder, "CLIENT_ORDER_ID_NOT_FOUND")
        with step("fetch_order, unknown"):
            refused(lambda: me.fetch_order(NOBODY, BTC), ccxt.InvalidOrder, "ORDER_ID_NOT_FOUND")

    def instructions(self) -> None:
        step = self.steps.step
        with step("create_order POST_ONLY"):
            order = self.place("limit", "buy", SIZE, self.far_bid(), postOnly=True)
            assert order["timeInForce"] == "PO"
            assert self.rests(order["id"])["status"] == "open"
            self.me.cancel_order(order["id"])
        with step("create_order POST_ONLY that crosses") as say:
            order = self.place("limit", "buy", SIZE, self.price(self.spread()[1] * 1.001), postOnly=True)
            seen = self.ends(order["id"])
            assert seen["status"] == "canceled"
            assert seen["filled"] == 0
            say(seen["info"]["cancel_reason"])
            assert seen["info"]["cancel_reason"] == "POST_ONLY_WOULD_CROSS"
        with step("create_order IOC that misses") as say:
            order = self.place("limit", "buy", SIZE, self.far_bid(), timeInForce="IOC")
            assert order["timeInForce"] == "IOC"
            seen = self.ends(order["id"])
            assert (seen["status"], seen["filled"]) == ("canceled", 0)
            say(seen["info"]["cancel_reason"])
        with step("create_order IOC that hits"):
            before = self.held()
            order = self.place("limit", "buy", SIZE, self.price(self.spread()[1] * 1.001), timeInForce="IOC")
            seen = self.ends(order["id"])
            assert (seen["status"], seen["filled"]) == ("closed", SIZE), seen
            eventually(self.held, lambda held: abs(held - before - SIZE) < 1e-9)

    def trading(self) -> None:
        me, step = self.me, self.steps.step
        order: dict[str, Any] = {}
        with step("create_order market buy") as say:
            before, money = self.held(), me.fetch_balance()["USDC"]["total"]
            order = self.place("market", "buy", SIZE)
            seen = self.ends(order["id"])
            assert (seen["status"], seen["filled"], seen["remaining"]) == ("closed", SIZE, 0), seen
            assert abs(seen["average"] / self.spread()[1] - 1) < 0.01, seen
            assert not seen["info"]["cancel_reason"], seen["info"]
            eventually(self.held, lambda held: abs(held - before - SIZE) < 1e-9)
            eventually(lambda: me.fetch_balance()["USDC"]["total"], lambda total: total < money)
            say(f"{seen['filled']} at {seen['average']}")
        with step("fetch_position") as say:
            position = me.fetch_position(BTC)
            assert position["side"] == "long"
            assert position["contracts"] == self.held()
            assert abs(position["entryPrice"] / self.spread()[0] - 1) < 0.01
            assert position["notional"] > 0
            assert position["unrealizedPnl"] is not None
            assert position["info"]["status"] == "OPEN"
            say(f"{position['contracts']} at {position['entryPrice']}, leverage {position['leverage']}")
        with step("fetch_my_trades") as say:
            taker = me.fetch_trading_fee(BTC)["taker"]
            fills = [t for t in me.fetch_my_trades(BTC) if t["order"] == order["id"]]
            assert abs(sum(t["amount"] for t in fills) - SIZE) < 1e-9, fills
            for fill in fills:
                assert (fill["side"], fill["takerOrMaker"]) == ("buy", "taker")
                assert fill["fee"]["currency"] == "USDC"
                fast = 0.7 if "fastfill" in fill["info"]["flags"] else 1  # 30 % off, protocol reference 3.5
                assert abs(fill["fee"]["cost"] - taker * fast * fill["cost"]) < 1e-6, fill["fee"]
            say(f"fee {fills[0]['fee']['cost']}")
        with step("fetch_trades") as say:
            trades = me.fetch_trades(BTC, limit=100)
            fill = next(t for t in me.fetch_my_trades(BTC) if t["order"] == order["id"])
            same = [t for t in trades if (t["price"], t["amount"]) == (fill["price"], fill["amount"])]
            assert any(abs(t["timestamp"] - fill["timestamp"]) < 1000 and t["side"] == "buy" for t in same), (
                trades[:3]
            )
            say(len(trades))
        with step("a maker's fill") as say:
            maker = me.fetch_trading_fee(BTC)["maker"]
            bid, ask = self.spread()
            price = self.price(min(bid + 0.1, ask - 0.1))
            order = self.place("limit", "buy", SIZE, price, postOnly=True)
            self.rests(order["id"])
            # Others may be in front of it, and meet the other account first.
            for _ in range(20):
                self.other.create_order(BTC, "limit", "sell", SIZE, price, {"timeInForce": "IOC"})
                if me.fetch_order(order["id"])["info"]["status"] == "CLOSED":
                    break
            seen = self.ends(order["id"])
            assert (seen["status"], seen["filled"]) == ("closed", SIZE), seen
            fills = [t for t in me.fetch_my_trades(BTC) if t["order"] == order["id"]]
            assert {t["takerOrMaker"] for t in fills} == {"maker"}, fills
            assert {t["side"] for t in fills} == {"buy"}, fills
            assert all(abs(t["fee"]["cost"] - maker * t["cost"]) < 1e-6 for t in fills), fills
            say(f"fee {fills[0]['fee']['cost']}")
        with step("create_order reduce-only") as say:
            before = self.held()
            assert before > SIZE
            order = self.place("market", "sell", SIZE, reduceOnly=True)
            assert order["reduceOnly"] is True
            assert self.ends(order["id"])["filled"] == SIZE
            eventually(self.held, lambda held: abs(held - before + SIZE) < 1e-9)
            order = self.place("limit", "buy", SIZE, self.price(self.spread()[1]), reduceOnly=True)
            seen = self.ends(order["id"])
            assert (seen["status"], seen["filled"]) == ("canceled", 0), seen
            say(seen["info"]["cancel_reason"])

    def triggers(self) -> None:
        me, step = self.me, self.steps.step
        orders: list[str] = []
        for name, kind, scale, params in (
            ("stop market", "market", None, {"triggerPrice": 0.9}),
            ("stop limit", "limit", 0.89, {"triggerPrice": 0.9}),
            ("stop loss", "market", None, {"stopLossPrice": 0.9}),
            ("stop loss limit", "limit", 0.89, {"stopLossPrice": 0.9}),
            ("take profit", "market", None, {"takeProfitPrice": 1.1}),
            ("take profit limit", "limit", 1.09, {"takeProfitPrice": 1.1}),
        ):
            with step(f"create_order {name}") as say:
                mark = me.fetch_ticker(BTC)["markPrice"]
                prices = {key: self.price(mark * factor) for key, factor in params.items()}
                price = None if scale is None else self.price(mark * scale)
                order = self.place(kind, "sell", SIZE, price, **prices)
                orders.append(order["id"])
                seen = self.rests(order["id"], "UNTRIGGERED")
                assert seen["status"] == "open"
                assert seen["triggerPrice"] in prices.values(), seen
                assert seen["reduceOnly"] is ("triggerPrice" not in params), seen["info"]["flags"]
                say(seen["info"]["type"])
        with step("fetch_open_orders with triggers"):
            assert {o["id"] for o in me.fetch_open_orders(BTC)} >= set(orders)
        with step("edit_order, a trigger"):
            mark = me.fetch_ticker(BTC)["markPrice"]
            trigger, limit = self.price(mark * 0.88), self.price(mark * 0.87)
            me.edit_order(orders[1], BTC, "limit", "sell", SIZE, limit, {"triggerPrice": trigger})
            seen = self.seen(orders[1], lambda o: o["triggerPrice"] == trigger)
            assert seen["price"] == limit
            assert seen["info"]["status"] == "UNTRIGGERED"
        with step("cancel_order, triggers"):
            for order_id in orders:
                me.cancel_order(order_id, BTC)
            assert {self.ends(order_id)["status"] for order_id in orders} == {"canceled"}

        with step("a stop fires") as say:
            mark = me.fetch_ticker(BTC)["markPrice"]
            stops = [
                self.place("market", "buy", SIZE, triggerPrice=self.price(mark + 0.5)),
                self.place("market", "sell", SIZE, triggerPrice=self.price(mark - 0.5)),
            ]
            fired = eventually(
                lambda: [o for o in (me.fetch_order(stop["id"]) for stop in stops) if o["filled"]], bool, 30
            )
            assert (fired[0]["status"], fired[0]["filled"]) == ("closed", SIZE), fired
            me.cancel_all_orders(BTC)
            eventually(lambda: me.fetch_open_orders(BTC), lambda left: left == [])
            say(f"{fired[0]['side']} at {fired[0]['average']}, mark was {mark}")

    def batches(self) -> None:
        me, step = self.me, self.steps.step
        orders: list[dict[str, Any]] = []
        with step("create_orders") as say:
            price = self.far_bid()
            orders = me.create_orders(
                [
                    {
                        "symbol": BTC,
                        "type": "limit",
                        "side": "buy",
                        "amount": SIZE,
                        "price": self.price(price - n),
                    }
                    for n in range(3)
                ]
            )
            self.sent += [order["id"] for order in orders]
            assert [order["price"] for order in orders] == [self.price(price - n) for n in range(3)], orders
            assert {order["status"] for order in orders} == {"open"}
            for order in orders:
                self.rests(order["id"])
            say(len(orders))
        with step("cancel_orders") as say:
            ids = [orders[0]["id"], orders[1]["id"], NOBODY]
            results = {o["id"]: o["status"] for o in me.cancel_orders(ids, BTC)}
            assert results[ids[0]] == results[ids[1]] == "canceled", results
            self.ends(ids[0])
            raw = [o["info"]["status"] for o in me.cancel_orders([ids[0], NOBODY], BTC)]
            assert raw == ["ALREADY_CLOSED", "NOT_FOUND"], raw
            say(", ".join(raw))
        with step("cancel_all_orders"):
            more = self.place("limit", "buy", SIZE, self.far_bid())
            self.rests(more["id"])
            me.cancel_all_orders(BTC)
            eventually(lambda: me.fetch_open_orders(BTC), lambda left: left == [])
            assert self.ends(more["id"])["status"] == "canceled"

    def refusals(self) -> None:
        me, step = self.me, self.steps.step
        with step("insufficient funds") as say:
            money = me.fetch_balance()["USDC"]["total"]
            price = self.spread()[0] * 0.99
            amount = min(money / 0.02 * 1.5 / price, me.market(BTC)["limits"]["amount"]["max"])
            if amount * price * 0.02 < money:
                raise Missing(f"the account is too rich: {money}")
            order = self.place("limit", "buy", amount, self.price(price))
            seen = self.ends(order["id"])
            say(seen["info"]["cancel_reason"])
            assert seen["status"] == "rejected", seen["info"]
        with step("an order too small") as say:
            # Refused at once or closed later; the venue does not say which.
            try:
                order = self.place("limit", "buy", 0.00001, self.far_bid())
            except ccxt.ExchangeError as error:
                assert "SIZE" in str(error) or "VALIDATION_ERROR" in str(error), error
                say(str(error)[:120])
            else:
                seen = self.ends(order["id"])
                assert seen["info"]["cancel_reason"] == "ORDER_SIZE_BELOW_MIN", seen["info"]
                say(seen["info"]["cancel_reason"])
        with step("an order off the tick") as say:
            request = me.create_order_request(BTC, "limit", "buy", SIZE, self.far_bid())
            request["price"] = request["price"].split(".")[0] + ".05"
            signed = me.sign_order_request(request)
            codes = ("VALIDATION_ERROR", "INVALID_REQUEST_PARAMETER")
            say(refused(lambda: me.privatePostOrders(signed), ccxt.ExchangeError, *codes))
        with step("a wrong signature") as say:
            request = me.create_order_request(BTC, "limit", "buy", SIZE, self.far_bid())
            signed = me.sign_order_request(request)
            signed["size"] = "0.02"
            code = "INVALID_ORDER_SIGNATURE"
            say(refused(lambda: me.privatePostOrders(signed), ccxt.AuthenticationError, code))
        with step("an unknown market") as say:
            unknown = {"market": "NOPE-USD-PERP"}
            codes = ("MARKET_NOT_FOUND", "INVALID_SYMBOL", "INVALID_REQUEST_PARAMETER")
            say(refused(lambda: me.publicGetOrderbookMarket(unknown), ccxt.ExchangeError, *codes))
            refused(lambda: me.publicGetMarketsSummary(unknown), ccxt.ExchangeError, *codes)
        with step("an expired token") as say:
            self.where.pull("expire-tokens")
            say(refused(me.fetch_balance, ccxt.ExchangeError, "INVALID_TOKEN", "UNAUTHORIZED_ERROR"))
            for client in (me, self.other):
                client.options["authToken"] = None
            assert me.fetch_balance()["USDC"]["total"] > 0

    def account(self) -> None:
        me, step = self.me, self.steps.step
        with step("set_leverage"):
            me.set_leverage(10, BTC)
            assert me.fetch_leverage(BTC)["longLeverage"] == 10
        with step("fetch_leverage") as say:
            leverage = me.fetch_leverage(ETH)
            assert leverage["symbol"] == ETH
            assert leverage["longLeverage"] >= 1
            assert leverage["marginMode"] == "cross"
            say(leverage["longLeverage"])
        with step("set_margin_mode"):
            me.set_margin_mode("cross", BTC, {"leverage": 20})
            assert me.fetch_margin_mode(BTC)["marginMode"] == "cross"
            assert me.fetch_leverage(BTC)["longLeverage"] == 20
        with step("fetch_funding_history") as say:
            payments = me.fetch_funding_history(BTC)
            assert all(p["symbol"] == BTC and p["amount"] is not None for p in payments)
            say(len(payments))
        with step("fetch_deposits") as say:
            deposits = me.fetch_deposits()
            assert all(
                d["type"] == "deposit" and d["amount"] > 0 and d["currency"] == "USDC" for d in deposits
            )
            say(len(deposits))
        with step("fetch_withdrawals"):
            assert me.fetch_withdrawals() == []
        with step("fetch_transfers") as say:
            say(len(me.fetch_transfers()))
        with step("fetch_my_liquidations"):
            assert me.fetch_my_liquidations() == []
        with step("private_get_tradebusts"):
            assert me.privateGetTradebusts()["results"] == []

    def history(self) -> None:
        me, step = self.me, self.steps.step
        with step("fetch_orders") as say:
            orders = eventually(
                lambda: me.fetch_orders(BTC, limit=100), lambda seen: len(seen) >= len(self.sent)
            )
            assert {o["id"] for o in orders} == set(self.sent)
            stamps = [o["timestamp"] for o in orders]
            assert stamps == sorted(stamps)
            say(len(orders))
        with step("fetch_orders, page by page") as say:
            ids: list[str] = []
            cursor, pages = None, 0
            while True:
                page = me.privateGetOrdersHistory({"page_size": 4, **({"cursor": cursor} if cursor else {})})
                assert len(page["results"]) <= 4
                ids += [order["id"] for order in page["results"]]
                cursor, pages = page["next"], pages + 1
                if not cursor:
                    break
                assert pages < 100
            assert len(ids) == len(set(ids))
            assert set(ids) == set(self.sent)
            say(f"{pages} pages of 4")
        with step("fetch_orders paginate") as say:
            # ccxt makes at most ten calls on its own, a few orders each.
            paging = {"paginate": True, "paginationCalls": 40, "maxEntriesPerRequest": 4}
            orders = me.fetch_orders(BTC, self.began - 1000, None, paging)
            assert {o["id"] for o in orders} == set(self.sent), (len(orders), len(self.sent))
            say(len(orders))
        with step("fetch_orders since, until"):
            all_orders = me.fetch_orders(BTC, limit=100)
            middle = all_orders[len(all_orders) // 2]["timestamp"]
            later = {o["id"] for o in me.fetch_orders(BTC, middle)}
            assert later == {o["id"] for o in all_orders if o["timestamp"] >= middle}
            earlier = {o["id"] for o in me.fetch_orders(BTC, params={"until": middle - 1})}
            assert earlier == {o["id"] for o in all_orders if o["timestamp"] < middle}
        with step("fetch_my_trades paginate") as say:
            everything = me.fetch_my_trades(BTC, limit=100)
            paging = {"paginate": True, "paginationCalls": 40, "maxEntriesPerRequest": 2}
            fills = me.fetch_my_trades(BTC, self.began - 1000, None, paging)
            assert {t["id"] for t in fills} == {t["id"] for t in everything}
            say(len(fills))
        with step("flat again"):
            size = self.held()
            if size:
                order = self.place("market", "sell" if size > 0 else "buy", abs(size), reduceOnly=True)
                self.ends(order["id"])
            eventually(self.held, lambda held: held == 0)


class Watching:
    """The WebSocket part: all watches of one client share one connection."""

    def __init__(self, where: Venue, steps: Steps, key: str) -> None:
        self.where = where
        self.steps = steps
        self.key = key
        self.client: Any = None
        self.failures = 0
        self.reader_error: asyncio.Future[Any] | None = None

    async def fresh(self) -> Any:
        """The client; a new one after a failure, because ccxt's reader does not survive an error reply."""
        if self.client is not None and len(self.steps.failed) > self.failures:
            await self.client.close()
            self.client = None
        self.failures = len(self.steps.failed)
        if self.client is None:
            self.client = trader(ccxt.pro.paradex, self.where, self.key)
        return self.client

    async def until(
        self,
        watch: Callable[[], Awaitable[Any]],
        wanted: Callable[[Any], bool],
        provoke: Callable[[], Awaitable[Any]] | None = None,
    ) -> Any:
        """What a watch brings, once it is as wanted; `provoke` gives it a reason."""

        async def look() -> Any:
            while True:
                got = await watch()
                if wanted(got):
                    return got

        # An error reply is raised inside ccxt's reader, which ends there: whoever watches would wait for ever.
        self.reader_error = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(look())
        try:
            await asyncio.sleep(0.5)
            if provoke is not None:
                await provoke()
            await asyncio.wait({task, self.reader_error}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
            assert task.done() or self.reader_error.done(), "nothing came within 10 s"
            return (task if task.done() else self.reader_error).result()
        finally:
            task.cancel()
            self.reader_error.cancel()

    def _blame(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception") or RuntimeError(context["message"])
        if self.reader_error is not None and not self.reader_error.done():
            self.reader_error.set_exception(error)

    async def trade(self, side: str = "buy") -> dict[str, Any]:
        order: dict[str, Any] = await self.client.create_order(BTC, "market", side, SIZE)
        return order

    async def place_and_cancel(self) -> str:
        bid = (await self.client.fetch_order_book(BTC))["bids"][0][0]
        price = float(self.client.price_to_precision(BTC, bid * 0.999))
        order = await self.client.create_order(BTC, "limit", "buy", SIZE, price, {"postOnly": True})
        await asyncio.sleep(0.5)
        await self.client.cancel_order(order["id"], BTC)
        return str(order["id"])

    async def public(self) -> None:
        step = self.steps.step
        client = await self.fresh()
        with step("watch_ticker") as say:
            ticker = await self.until(lambda: client.watch_ticker(BTC), bool, self.trade)
            assert ticker["symbol"] == BTC
            assert 0 < ticker["bid"] < ticker["ask"], ticker
            say(f"{ticker['bid']} / {ticker['ask']}")
        client = await self.fresh()
        with step("watch_tickers") as say:
            tickers = await self.until(client.watch_tickers, bool, self.trade)
            assert all(t["symbol"] == symbol and t["bid"] < t["ask"] for symbol, t in tickers.items())
            say(", ".join(tickers))
        client = await self.fresh()
        with step("watch_order_book") as say:
            first = await self.until(lambda: client.watch_order_book(BTC), bool, self.place_and_cancel)
            bids, asks, nonce = list(first["bids"]), list(first["asks"]), first["nonce"]
            assert bids[0][0] < asks[0][0]
            assert len(bids) <= 15
            later = await self.until(
                lambda: client.watch_order_book(BTC),
                lambda book: book["nonce"] > nonce,
                self.place_and_cancel,
            )
            assert later["bids"][0][0] < later["asks"][0][0]
            say(f"{len(bids)} × {len(asks)} levels")
        client = await self.fresh()
        with step("watch_trades") as say:
            since = client.milliseconds() - 1000
            trades = await self.until(
                lambda: client.watch_trades(BTC),
                lambda got: any(t["amount"] == SIZE and t["timestamp"] >= since for t in got),
                self.trade,
            )
            assert {t["symbol"] for t in trades} == {BTC}
            say(f"{trades[-1]['amount']} at {trades[-1]['price']}")
        client = await self.fresh()
        with step("watch_funding_rate") as say:
            rate = await self.until(lambda: client.watch_funding_rate(BTC), bool)
            assert rate["symbol"] == BTC
            assert rate["fundingRate"] is not None
            say(rate["fundingRate"])

    async def private(self) -> None:
        step = self.steps.step
        client = await self.fresh()
        with step("watch_orders") as say:
            sent: list[str] = []

            async def provoke() -> None:
                sent.append(await self.place_and_cancel())

            orders = await self.until(
                lambda: client.watch_orders(BTC),
                lambda got: any(o["id"] in sent and o["status"] == "canceled" for o in got),
                provoke,
            )
            say(f"{len(orders)} updates in the last message")
        client = await self.fresh()
        with step("watch_my_trades") as say:
            sent = []

            async def buy() -> None:
                sent.append((await self.trade())["id"])

            fills = await self.until(
                lambda: client.watch_my_trades(BTC), lambda got: any(t["order"] in sent for t in got), buy
            )
            fill = next(t for t in fills if t["order"] in sent)
            assert (fill["side"], fill["takerOrMaker"]) == ("buy", "taker"), fill
            assert fill["fee"]["cost"] > 0
            say(f"{fill['amount']} at {fill['price']}, fee {fill['fee']['cost']}")
        client = await self.fresh()
        with step("watch_positions") as say:
            positions = await self.until(client.watch_positions, bool, self.trade)
            assert positions[-1]["symbol"] == BTC
            assert positions[-1]["side"] == "long"
            assert positions[-1]["contracts"] > 0
            say(positions[-1]["contracts"])
        client = await self.fresh()
        with step("watch_balance") as say:
            balance = await self.until(client.watch_balance, bool, self.trade)
            assert balance["USDC"]["total"] > balance["USDC"]["free"] > 0, balance["USDC"]
            assert balance["USDC"]["used"] > 0
            say(balance["USDC"])

    async def forever(self, watch: Callable[[], Awaitable[Any]]) -> None:
        """Watch until it fails; what still comes of earlier steps is let pass."""
        while True:
            await watch()

    async def endings(self) -> None:
        step = self.steps.step
        client = await self.fresh()
        with step("reconnect after the connection was cut") as say:
            watch = asyncio.ensure_future(self.forever(lambda: client.watch_orders(BTC)))
            await asyncio.sleep(1)
            self.where.pull("drop-websockets")
            try:
                await asyncio.wait_for(watch, 10)
            except ccxt.NetworkError as error:
                say(type(error).__name__)
            else:
                raise AssertionError("the watch did not notice")
            await asyncio.sleep(1)
            sent: list[str] = []

            async def provoke() -> None:
                sent.append(await self.place_and_cancel())

            await self.until(
                lambda: client.watch_orders(BTC), lambda got: any(o["id"] in sent for o in got), provoke
            )
        with step("with SBE, as ccxt asks by default") as say:
            binary = trader(ccxt.pro.paradex, self.where, self.key, sbe=True)
            try:
                ticker = await asyncio.wait_for(binary.watch_ticker(BTC), 10)
                assert ticker["bid"] < ticker["ask"]
                say("served")
            except ccxt.NetworkError as error:
                assert "400" in str(error), error
                say(f"refused as an SBE version that is not spoken: {str(error)[:80]}")
            finally:
                await binary.close()
        with step("flat again"):
            client = await self.fresh()
            for position in await client.fetch_positions([BTC]):
                if position["contracts"]:
                    side = "sell" if position["side"] == "long" else "buy"
                    await client.create_order(
                        BTC, "market", side, position["contracts"], None, {"reduceOnly": True}
                    )

    async def run(self) -> None:
        asyncio.get_running_loop().set_exception_handler(self._blame)
        try:
            await self.public()
            await self.private()
            await self.endings()
        finally:
            if self.client is not None:
                await self.client.close()


def main() -> None:
    with venue(__doc__ or "") as where:
        steps = Steps()
        print(f"ccxt {ccxt.__version__} against {where.rest_url} and {where.ws_url}\n", flush=True)
        day = Day(where, steps)
        day.market_data()
        day.login()
        day.resting_orders()
        day.instructions()
        day.trading()
        day.triggers()
        day.batches()
        day.refusals()
        day.account()
        day.history()
        asyncio.run(Watching(where, steps, day.key).run())
        offered = ccxt.pro.paradex().has
        for call in WANTED:
            if not offered.get(call):
                steps.lacks(call, "ccxt has no such call for this venue")
    steps.finish()


if __name__ == "__main__":
    main()
