"""A trader's day with the venue's own SDK, paradex-py: REST, WebSocket and orders over it, only URLs changed."""

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from eth_account import Account as EthereumAccount
from paradex_py import Paradex
from paradex_py.account.subkey_account import SubkeyAccount
from paradex_py.api.api_client import ParadexApiClient
from paradex_py.api.generated import responses as shapes
from paradex_py.api.ws_client import ParadexWebsocketChannel as Channel
from paradex_py.api.ws_client import ParadexWebsocketClient, WsRpcError
from paradex_py.api.ws_message_models import BalanceEventResponse, PriceBookUpdate
from paradex_py.common.order import Order, OrderSide, OrderType
from paradex_py.environment import TESTNET
from pydantic import BaseModel
from starknet_py.net.signer.key_pair import KeyPair

from harness import Missing, Steps, Venue, eventually, trust, venue

BTC = "BTC-USD-PERP"
ETH = "ETH-USD-PERP"
SIZE = Decimal("0.01")
TICK = Decimal("0.1")
NOBODY = "1700000000000000000000000000"


def paradex(where: Venue, l1_key: str, **more: Any) -> Paradex:
    """The SDK with its settings: three URLs. Without retries a failure shows at once."""
    return Paradex(
        env=TESTNET,
        l1_address=EthereumAccount.from_key(l1_key).address,
        l1_private_key=l1_key,
        api_base_url=where.rest_url,
        ws_url_override=where.ws_url,
        ws_direct_url_override=where.ws_url,
        retry_strategy=None,
        **more,
    )


def typed(model: type[BaseModel], raw: Any, *needed: str) -> Any:
    """The SDK's own model of an answer, its types taken strictly, and the fields that a trader cannot do without."""
    for name in needed:
        assert raw.get(name) is not None, f"no {name} in {raw}"
    return model.model_validate_json(json.dumps(raw), strict=True)


def new_order(
    side: str,
    kind: OrderType = OrderType.Limit,
    size: Decimal = SIZE,
    price: Decimal = Decimal(0),
    **more: Any,
) -> Order:
    return Order(
        market=BTC, order_type=kind, order_side=OrderSide(side), size=size, limit_price=price, **more
    )


def refused(call: Callable[[], Any], *codes: str) -> str:
    """The code of a refusal: the SDK raises ValueError for each, with the venue's code in its text."""
    try:
        got = call()
    except ValueError as error:
        told = next((code for code in codes if f"'{code}'" in str(error)), None)
        assert told, f"{' or '.join(codes)} expected: {error}"
        return told
    raise AssertionError(f"accepted: {got}")


class Day:
    """The REST part, one chapter after the other."""

    def __init__(self, where: Venue, steps: Steps) -> None:
        self.where = where
        self.steps = steps
        self.key = "0x" + secrets.token_hex(32)
        self.me = paradex(where, self.key)
        self.api = self.me.api_client
        self.sent: list[str] = []

    # -- helpers

    def spread(self) -> tuple[Decimal, Decimal]:
        bbo = self.api.fetch_bbo(BTC)
        return Decimal(bbo["bid"]), Decimal(bbo["ask"])

    def near(self, price: Decimal, factor: str = "1") -> Decimal:
        return (price * Decimal(factor)).quantize(TICK)

    def far_bid(self) -> Decimal:
        return self.near(self.spread()[0], "0.97")

    def mark(self) -> Decimal:
        return Decimal(self.api.fetch_markets_summary({"market": BTC})["results"][0]["mark_price"])

    def send(self, order: Order) -> dict[str, Any]:
        answer: dict[str, Any] = self.api.submit_order(order)
        self.sent.append(answer["id"])
        return answer

    def rests(self, order_id: str, status: str = "OPEN") -> dict[str, Any]:
        return self.seen(order_id, lambda order: order["status"] == status)

    def ends(self, order_id: str) -> dict[str, Any]:
        return self.rests(order_id, "CLOSED")

    def seen(self, order_id: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        order: dict[str, Any] = eventually(lambda: self.api.fetch_order(order_id), wanted)
        return order

    def held(self) -> Decimal:
        return sum(
            (Decimal(p["size"]) for p in self.api.fetch_positions()["results"] if p["market"] == BTC),
            Decimal(0),
        )

    # -- chapters

    def login(self) -> None:
        step = self.steps.step
        with step("onboarding with an L1-derived key") as say:
            account = self.me.account
            assert account is not None
            assert account.jwt_token.count(".") == 2
            known = self.api.fetch_onboarding(
                {"account_signer_type": "starknet", "public_key": hex(account.l2_public_key)}
            )
            typed(shapes.GetOnboardingResp, known, "address", "exists", "derivation_info")
            assert known["exists"] is True
            assert int(known["address"], 16) == account.l2_address
            say(hex(account.l2_address))
        with step("login with an address derived by the venue"):
            again = paradex(self.where, self.key, server_derive_address=True)
            assert again.is_onboarded is True
            assert again.account is not None
            assert again.account.l2_address == account.l2_address
        with step("login for an interactive token"):
            retail = paradex(self.where, self.key, auth_params={"token_usage": "interactive"})
            assert Decimal(retail.api_client.fetch_account_summary().account_value) > 0

    def system(self) -> None:
        api, step = self.api, self.steps.step
        with step("fetch_system_config") as say:
            config = api.fetch_system_config()
            assert config.paraclear_decimals == 8
            assert config.bridged_tokens[0].symbol == "USDC"
            say(config.starknet_chain_id)
        with step("fetch_system_state"):
            assert api.fetch_system_state()["status"] == "ok"
        with step("fetch_system_time"):
            now = typed(shapes.SystemTimeResponse, api.fetch_system_time(), "server_time").server_time
            assert abs(int(now) - time.time() * 1000) < 5000
        with step("last_rate_limit") as say:
            api.fetch_system_time()
            limit = api.last_rate_limit
            assert limit is not None
            assert None not in {limit.limit, limit.remaining, limit.reset, limit.window}, limit
            assert 0 < limit.remaining < limit.limit
            assert limit.reset >= time.time() - 1
            say(f"{limit.remaining} of {limit.limit} in {limit.window} s")
        with step("fetch_insurance_fund"):
            typed(shapes.InsuranceAccountResp, api.fetch_insurance_fund(), "account", "account_value")
        with step("fetch_portfolio_margin_config"):
            assert isinstance(api.fetch_portfolio_margin_config()["results"], list)

    def market_data(self) -> None:
        api, step = self.api, self.steps.step
        with step("fetch_markets") as say:
            markets = {m["symbol"]: m for m in api.fetch_markets()["results"]}
            assert {BTC, ETH} <= set(markets)
            for market in markets.values():
                typed(
                    shapes.MarketResp,
                    {**market, "option_type": market.get("option_type") or None},
                    "price_tick_size",
                    "order_size_increment",
                    "min_notional",
                    "position_limit",
                    "price_bands_width",
                    "fee_config",
                    "delta1_cross_margin_params",
                    "funding_period_hours",
                )
            assert [m["symbol"] for m in api.fetch_markets({"market": ETH})["results"]] == [ETH]
            say(", ".join(markets))
        with step("fetch_markets_summary"):
            everything = api.fetch_markets_summary({"market": "ALL"})["results"]
            assert {m["symbol"] for m in everything} == set(markets)
            (summary,) = api.fetch_markets_summary({"market": BTC})["results"]
            needed = "mark_price underlying_price external_fair_price last_traded_price bid ask volume_24h"
            needed += " total_volume open_interest funding_rate price_change_rate_24h created_at"
            typed(shapes.MarketSummaryResp, summary, *needed.split())
            assert Decimal(summary["bid"]) < Decimal(summary["ask"])
        with step("fetch_klines") as say:
            now = int(time.time() * 1000)
            candles = api.fetch_klines(BTC, "1", now - 600_000, now)["results"]
            assert candles
            for at, opened, high, low, closed, volume in candles:
                assert isinstance(at, int)
                assert low <= min(opened, closed) <= max(opened, closed) <= high
                assert volume >= 0
            assert api.fetch_klines(BTC, "5", now - 600_000, now, price_kind="underlying")["results"]
            say(len(candles))
        with step("fetch_orderbook") as say:
            book = api.fetch_orderbook(BTC, {"depth": 5})
            typed(shapes.AskBidArray, book, "seq_no", "last_updated_at", "best_bid_api", "best_ask_api")
            assert 1 <= len(book["bids"]) <= 5
            assert Decimal(book["bids"][0][0]) < Decimal(book["asks"][0][0])
            say(f"{len(book['bids'])} × {len(book['asks'])} levels")
        with step("fetch_bbo") as say:
            bbo = api.fetch_bbo(BTC)
            typed(shapes.BBOResp, bbo, "seq_no", "last_updated_at", "bid_size", "ask_size")
            assert Decimal(bbo["bid"]) < Decimal(bbo["ask"])
            say(f"{bbo['bid']} / {bbo['ask']}")
        with step("fetch_funding_data") as say:
            rows = eventually(
                lambda: api.fetch_funding_data({"market": BTC, "page_size": 5})["results"], bool, 10
            )
            assert len(rows) <= 5
            for row in rows:
                typed(shapes.FundingDataResult, row, "market", "funding_rate", "funding_index", "created_at")
            say(rows[0]["funding_rate"])
        with step("an unknown market") as say:
            codes = ("MARKET_NOT_FOUND", "INVALID_SYMBOL", "INVALID_REQUEST_PARAMETER")
            say(refused(lambda: api.fetch_bbo("NOPE-USD-PERP"), *codes))

    def account(self) -> None:
        api, step = self.api, self.steps.step
        with step("fetch_account_summary") as say:
            summary = api.fetch_account_summary()
            assert self.me.account is not None
            assert int(summary.account, 16) == self.me.account.l2_address
            assert summary.status == "ACTIVE"
            assert Decimal(summary.account_value) >= Decimal(summary.free_collateral) > 1000
            say(f"{summary.account_value} {summary.settlement_asset}")
        with step("fetch_balances"):
            (balance,) = api.fetch_balances()["results"]
            typed(shapes.BalanceResp, balance, "token", "size", "last_updated_at")
            assert (balance["token"], Decimal(balance["size"])) == ("USDC", Decimal(summary.account_value))
        with step("fetch_positions, none"):
            assert self.held() == 0
        with step("fetch_account_info") as say:
            info = api.fetch_account_info()["results"][0]
            typed(shapes.AccountInfoResponse, info, "account", "kind", "public_key", "fees", "created_at")
            say(info["kind"])
        with step("fetch_subaccounts"):
            assert isinstance(api.fetch_subaccounts()["results"], list)
        for name, call in {
            "fetch_transfers": api.fetch_transfers,
            "fetch_transactions": api.fetch_transactions,
            "fetch_tradebusts": api.fetch_tradebusts,
            "fetch_liquidations": api.fetch_liquidations,
            "fetch_funding_payments": lambda: api.fetch_funding_payments({"market": BTC}),
        }.items():
            with step(name) as say:
                rows = call()["results"]
                assert isinstance(rows, list)
                say(len(rows))

    def orders(self) -> None:
        api, step = self.api, self.steps.step
        answer: dict[str, Any] = {}
        name = f"sdk-{secrets.token_hex(4)}"
        with step("submit_order") as say:
            price = self.far_bid()
            answer = self.send(new_order("BUY", price=price, client_id=name, instruction="POST_ONLY"))
            typed(
                shapes.OrderResp, answer, "id", "account", "seq_no", "received_at", "created_at", "timestamp"
            )
            assert (answer["status"], answer["client_id"], answer["instruction"]) == (
                "NEW",
                name,
                "POST_ONLY",
            )
            assert (Decimal(answer["price"]), Decimal(answer["size"])) == (price, SIZE)
            say(answer["id"])
        with step("fetch_order"):
            order = self.rests(answer["id"])
            assert Decimal(order["remaining_size"]) == SIZE
            assert order["stp"] == "EXPIRE_TAKER"
            assert not order["cancel_reason"]
        with step("fetch_order_by_client_id"):
            assert api.fetch_order_by_client_id(name)["id"] == answer["id"]
        with step("fetch_orders"):
            assert [o["id"] for o in api.fetch_orders({"market": BTC})["results"]] == [answer["id"]]
            assert api.fetch_orders({"market": ETH})["results"] == []
        with step("submit_order, the same client id"):
            again = new_order("BUY", price=self.far_bid(), client_id=name)
            refused(lambda: api.submit_order(again), "DUPLICATED_CLIENT_ID")
        with step("modify_order") as say:
            price = self.near(Decimal(answer["price"]), "0.99")
            change = new_order(
                "BUY", size=SIZE * 2, price=price, order_id=answer["id"], instruction="POST_ONLY"
            )
            changed = api.modify_order(answer["id"], change)
            assert changed["id"] == answer["id"]
            order = self.seen(answer["id"], lambda o: Decimal(o["price"]) == price)
            assert (Decimal(order["size"]), Decimal(order["remaining_size"])) == (SIZE * 2, SIZE * 2)
            assert (order["status"], order["client_id"]) == ("OPEN", name)
            say(order["price"])
        with step("cancel_order"):
            api.cancel_order(answer["id"])
            assert self.ends(answer["id"])["cancel_reason"] == "USER_CANCELED"
            refused(lambda: api.cancel_order(answer["id"]), "ORDER_IS_CLOSED")
        with step("fetch_orders_history by client id"):
            (order,) = eventually(lambda: api.fetch_orders_history({"client_id": name})["results"], bool)
            assert (order["id"], order["status"]) == (answer["id"], "CLOSED")
        with step("cancel_order_by_client_id"):
            name = f"sdk-{secrets.token_hex(4)}"
            answer = self.send(new_order("BUY", price=self.far_bid(), client_id=name))
            self.rests(answer["id"])
            api.cancel_order_by_client_id(name)
            self.ends(answer["id"])
        with step("cancel_order, unknown"):
            refused(lambda: api.cancel_order(NOBODY), "ORDER_ID_NOT_FOUND")
            refused(lambda: api.cancel_order_by_client_id("nobody"), "CLIENT_ORDER_ID_NOT_FOUND")
        with step("a wrong signature"):
            order = new_order("BUY", price=self.far_bid())
            order.signature = self.me.account.sign_order(order)
            body = {**order.dump_to_dict(), "size": "0.02"}
            refused(lambda: api._post_authorized(path="orders", payload=body), "INVALID_ORDER_SIGNATURE")
        with step("a receive window that has passed") as say:
            old = int(time.time() * 1000) - 60_000
            order = new_order("BUY", price=self.far_bid(), signature_timestamp=old, recv_window=1000)
            codes = ("INVALID_TIMESTAMP", "INVALID_REQUEST_PARAMETER", "VALIDATION_ERROR")
            say(refused(lambda: api.submit_order(order), *codes))

    def batches(self) -> None:
        api, step = self.api, self.steps.step
        orders: list[dict[str, Any]] = []
        with step("submit_orders_batch") as say:
            price = self.far_bid()
            wanted = [
                new_order("BUY", price=price - n, client_id=f"b{n}-{secrets.token_hex(4)}") for n in range(4)
            ]
            answer = api.submit_orders_batch(wanted)
            typed(
                shapes.BatchResponse, {**answer, "errors": [e for e in answer["errors"] or [] if e]}, "orders"
            )
            orders = answer["orders"]
            assert [Decimal(o["price"]) for o in orders] == [price - n for n in range(4)]
            assert not any(answer["errors"] or [])
            self.sent += [o["id"] for o in orders]
            for order in orders:
                self.rests(order["id"])
            say(len(orders))
        with step("submit_orders_batch, too many"):
            price = self.far_bid()
            many = [new_order("BUY", price=price) for _ in range(51)]
            refused(lambda: api.submit_orders_batch(many), "BATCH_SIZE_OUT_OF_RANGE")
        with step("cancel_orders_batch") as say:
            results = api.cancel_orders_batch(
                order_ids=[orders[0]["id"], NOBODY], client_order_ids=[orders[1]["client_id"]]
            )["results"]
            for result in results:
                typed(shapes.CancelOrderResult, result, "status")
            statuses = [result["status"] for result in results]
            assert sorted(statuses) == ["NOT_FOUND", "QUEUED_FOR_CANCELLATION", "QUEUED_FOR_CANCELLATION"], (
                statuses
            )
            self.ends(orders[0]["id"])
            self.ends(orders[1]["id"])
            (late,) = api.cancel_orders_batch(order_ids=[orders[0]["id"]])["results"]
            assert late["status"] == "ALREADY_CLOSED", late
            say(", ".join(statuses))
        with step("cancel_all_orders, one market"):
            api.cancel_all_orders({"market": ETH})
            time.sleep(0.3)
            assert len(api.fetch_orders()["results"]) == 2
            api.cancel_all_orders({"market": BTC})
            eventually(lambda: api.fetch_orders()["results"], lambda left: left == [])
        with step("cancel_all_orders"):
            self.rests(self.send(new_order("BUY", price=self.far_bid()))["id"])
            api.cancel_all_orders()
            eventually(lambda: api.fetch_orders()["results"], lambda left: left == [])

    def trading(self) -> None:
        api, step = self.api, self.steps.step
        answer: dict[str, Any] = {}
        with step("a market order") as say:
            before = self.held()
            answer = self.send(new_order("BUY", OrderType.Market))
            assert Decimal(answer["price"]) == 0
            order = self.ends(answer["id"])
            assert Decimal(order["remaining_size"]) == 0, order
            assert not order["cancel_reason"]
            eventually(self.held, lambda held: held == before + SIZE)
            say(f"{order['size']} at {order['avg_fill_price']}")
        with step("fetch_fills") as say:
            fills = [f for f in api.fetch_fills({"market": BTC})["results"] if f["order_id"] == answer["id"]]
            for fill in fills:
                needed = (
                    "id account price fee fee_currency liquidity created_at realized_pnl realized_funding"
                )
                typed(shapes.FillResult, fill, *needed.split(), "orderbook_seq_no", "underlying_price")
                assert (fill["side"], fill["liquidity"], fill["fill_type"]) == ("BUY", "TAKER", "FILL")
                assert Decimal(fill["fee"]) > 0
            assert sum(Decimal(f["size"]) for f in fills) == SIZE
            say(f"fee {fills[0]['fee']} {fills[0]['fee_currency']}")
        with step("fetch_positions") as say:
            (position,) = [p for p in api.fetch_positions()["results"] if p["market"] == BTC]
            needed = "id account average_entry_price cost leverage unrealized_pnl unrealized_funding_pnl last_fill_id"
            typed(shapes.PositionResp, position, *needed.split(), "created_at", "last_updated_at", "seq_no")
            assert (position["side"], position["status"]) == ("LONG", "OPEN")
            assert Decimal(position["size"]) == SIZE
            assert position["last_fill_id"] in {fill["id"] for fill in fills}
            say(f"{position['size']} at {position['average_entry_price']}")
        with step("fetch_trades"):
            trades = api.fetch_trades({"market": BTC, "page_size": 100})["results"]
            for trade in trades:
                typed(shapes.TradeResult, trade, "id", "price", "size", "side", "created_at", "trade_type")
            assert any(t["price"] == fills[0]["price"] and t["side"] == "BUY" for t in trades), trades[:3]
        with step("fetch_account_summary with a position"):
            summary = api.fetch_account_summary()
            assert (
                Decimal(summary.initial_margin_requirement)
                > Decimal(summary.maintenance_margin_requirement)
                > 0
            )
            assert Decimal(summary.free_collateral) < Decimal(summary.account_value)
        for kind, price, trigger in (
            (OrderType.StopMarket, None, "0.9"),
            (OrderType.StopLimit, "0.89", "0.9"),
            (OrderType.StopLossMarket, None, "0.9"),
            (OrderType.StopLossLimit, "0.89", "0.9"),
            (OrderType.TakeProfitMarket, None, "1.1"),
            (OrderType.TakeProfitLimit, "1.09", "1.1"),
        ):
            with step(f"submit_order {kind.value}"):
                mark = self.mark()
                limit = Decimal(0) if price is None else self.near(mark, price)
                order = new_order(
                    "SELL",
                    kind,
                    price=limit,
                    trigger_price=self.near(mark, trigger),
                    reduce_only=kind not in {OrderType.StopMarket, OrderType.StopLimit},
                )
                answer = self.send(order)
                seen = self.rests(answer["id"], "UNTRIGGERED")
                typed(shapes.OrderResp, seen)
                assert Decimal(seen["trigger_price"]) == order.trigger_price
                assert (seen["type"], "REDUCE_ONLY" in seen["flags"]) == (kind.value, order.reduce_only)
                api.cancel_order(answer["id"])
                self.ends(answer["id"])
        with step("self-trade prevention") as say:
            for _ in range(10):  # others may be in front of my order, and then I do not meet myself
                bid, ask = self.spread()
                price = min(bid + TICK, ask - TICK)
                mine = self.send(new_order("BUY", price=price, instruction="POST_ONLY"))
                self.rests(mine["id"])
                late = self.send(new_order("SELL", price=price, instruction="IOC"))
                seen = self.ends(late["id"])
                mine = api.fetch_order(mine["id"])
                if mine["status"] == "OPEN":
                    api.cancel_order(mine["id"])
                    self.ends(mine["id"])
                if seen["cancel_reason"]:
                    break
            say(seen["cancel_reason"])
            assert (seen["cancel_reason"], mine["status"]) == ("SELF_TRADE", "OPEN"), (seen, mine)
        with step("a reduce-only order closes the position") as say:
            held = self.held()
            side = "SELL" if held > 0 else "BUY"
            answer = self.send(new_order(side, OrderType.Market, abs(held), reduce_only=True))
            order = self.ends(answer["id"])
            assert Decimal(order["remaining_size"]) == 0, order
            eventually(self.held, lambda held: held == 0)
            fill = next(f for f in api.fetch_fills()["results"] if f["order_id"] == answer["id"])
            say(f"realized {fill['realized_pnl']}")
            assert Decimal(fill["realized_pnl"]) != 0
        with step("fetch_orders_history, page by page") as say:
            ids: list[str] = []
            query: dict[str, Any] = {"page_size": 5, "market": BTC}
            pages = 0
            while True:
                page = api.fetch_orders_history(query)
                ids += [o["id"] for o in page["results"]]
                pages += 1
                if not page["next"]:
                    break
                query["cursor"] = page["next"]
                assert pages < 100
            assert len(ids) == len(set(ids))
            assert set(ids) == set(self.sent), (len(ids), len(self.sent))
            say(f"{len(ids)} orders on {pages} pages")
        with step("fetch_orders_history, filtered"):
            sells = api.fetch_orders_history({"side": "SELL", "type": "MARKET", "status": "CLOSED"})[
                "results"
            ]
            assert [o["id"] for o in sells] == [answer["id"]]
        with step("a cursor of my own making") as say:
            codes = ("INVALID_REQUEST_PARAMETER", "VALIDATION_ERROR", "BINDING_ERROR")
            say(refused(lambda: api.fetch_orders_history({"cursor": "eyJtYXJrZXIiOjF9"}), *codes))

    def subkeys(self) -> None:
        api, step = self.api, self.steps.step
        key = KeyPair.from_private_key(int.from_bytes(secrets.token_bytes(31), "big") or 1)
        public = hex(key.public_key)
        with step("create_subkey"):
            api.create_subkey({"name": "day", "public_key": public, "state": "active"})
            (subkey,) = [
                k for k in api.fetch_subkeys()["results"] if int(k["public_key"], 16) == key.public_key
            ]
            typed(shapes.Subkey, subkey, "name", "state", "created_at")
            assert (subkey["name"], subkey["state"]) == ("day", "active")
            assert api.fetch_subkey(public)["name"] == "day"
        with step("login and trade with the subkey") as say:
            # ParadexSubkey takes no URL; these are the parts it is made of.
            assert self.me.account is not None
            sub = ParadexApiClient(env=TESTNET, api_base_url=self.where.rest_url)
            sub.init_account(
                SubkeyAccount(self.me.config, hex(key.private_key), hex(self.me.account.l2_address))
            )
            assert sub.fetch_account_summary().account == api.fetch_account_summary().account
            answer = sub.submit_order(new_order("BUY", price=self.far_bid()))
            self.sent.append(answer["id"])
            self.rests(answer["id"])
            sub.cancel_order(answer["id"])
            self.ends(answer["id"])
            say(public)
        with step("a subkey manages no keys") as say:
            codes = ("INVALID_TOKEN_SCOPE", "UNAUTHORIZED_ERROR", "REQUEST_NOT_ALLOWED", "INVALID_SUBKEY")
            say(refused(lambda: sub.revoke_subkey(public), *codes))
        with step("update_subkey"):
            api.update_subkey(public, {"name": "evening"})
            assert api.fetch_subkey(public)["name"] == "evening"
        with step("revoke_subkey") as say:
            api.revoke_subkey(public)
            say(refused(sub.auth, "INVALID_SUBKEY"))
            assert public not in {hex(int(k["public_key"], 16)) for k in api.fetch_subkeys()["results"]}
        with step("create_token, for reading only") as say:
            made = api.create_token({"name": "reader", "token_type": "jwt", "expiry_duration": 3600})
            typed(shapes.CreateTokenResponse, made, "token", "api_token")
            reader = ParadexApiClient(env=TESTNET, api_base_url=self.where.rest_url, auto_auth=False)
            reader.set_token(made["token"])
            assert reader.fetch_balances()["results"]
            reader.account = self.me.account
            order = new_order("BUY", price=self.far_bid())
            say(refused(lambda: reader.submit_order(order), "INVALID_TOKEN_SCOPE"))
            lookup = made["api_token"]["lookup_id"]
            assert lookup in {token["lookup_id"] for token in api.fetch_tokens()["results"]}
            api.revoke_token(lookup)
            refused(reader.fetch_balances, "INVALID_TOKEN", "UNAUTHORIZED_ERROR")

    def others(self) -> None:
        """What a trader can do without, and an exchange for trading may not serve."""
        api, step = self.api, self.steps.step
        for name, call in {
            "fetch_account_profile": lambda: typed(
                shapes.AccountProfileResp, api.fetch_account_profile(), "username"
            ),
            "fetch_algo_orders": lambda: api.fetch_algo_orders()["results"],
            "fetch_mmp_configs": lambda: api.fetch_mmp_configs().results,
        }.items():
            with step(name):
                try:
                    call()
                except ValueError as error:
                    if "'NOT_FOUND'" in str(error):
                        raise Missing("the exchange does not serve it") from error
                    raise


class Streams:
    """The WebSocket part."""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.steps = day.steps
        self.where = day.where
        self.heard: dict[str, list[Any]] = {}
        self.complaints: list[str] = []
        self.client: ParadexWebsocketClient = day.me.ws_client

    async def hear(self, _channel: Channel, message: dict[str, Any]) -> None:
        self.heard.setdefault(message["params"]["channel"], []).append(message["params"]["data"])

    async def until(self, look: Callable[[], Any], within: float = 5.0) -> Any:
        """What `look` returns, once it is true."""
        end = time.monotonic() + within
        while True:
            seen = look()
            if seen:
                return seen
            assert time.monotonic() < end, f"not within {within} s{self.said()}"
            await asyncio.sleep(0.02)

    def said(self) -> str:
        return f"; the SDK logged: {self.complaints[-1]}" if self.complaints else ""

    async def subscribe(self, channel: Channel, **params: str) -> str:
        """Subscribe, and return the name that was acknowledged."""
        self.complaints.clear()
        known = set(self.client.callbacks)
        await self.client.subscribe(channel, self.hear, params)
        (name,) = set(self.client.callbacks) - known
        await self.acknowledged(name)
        return name

    async def acknowledged(self, name: str) -> None:
        await self.until(lambda: self.client.get_subscriptions().get(name) or self.complaints)
        assert self.client.get_subscriptions().get(name), self.said()

    async def order(self, order_id: str, status: str, name: str = "orders.ALL") -> dict[str, Any]:
        """The update of an order that says this status, from the channel."""
        return await self.until(
            lambda: next(
                (o for o in self.heard.get(name, []) if o["id"] == order_id and o["status"] == status), None
            )
        )

    async def first(self, name: str, model: type[BaseModel], *needed: str) -> Any:
        got = await self.until(lambda: self.heard.get(name))
        for message in got:
            typed(model, message, *needed)
        return got[0]

    async def quote(self) -> Decimal:
        return self.day.near(self.day.spread()[0], "0.97")

    async def end(self, client: ParadexWebsocketClient) -> None:
        """Close a client; ask again, where its `close()` would wait for ever.

        On Python 3.10 its reader can lose a cancellation to a message that comes at the same time.
        """
        closing = asyncio.ensure_future(client.close())
        while not (await asyncio.wait({closing}, timeout=2))[0]:
            assert client._reader_task is not None
            client._reader_task.cancel()
        await closing

    async def connect(self) -> None:
        with self.steps.step("connect, and auth"):
            assert await self.client.connect() is True, self.said()
            assert await self.subscribe(Channel.ACCOUNT) == "account"

    async def channels(self) -> None:
        step = self.steps.step
        talking: list[tuple[str, type[BaseModel], tuple[str, ...]]] = []
        wanted: list[tuple[Channel, dict[str, str], type[BaseModel] | None, str]] = [
            (Channel.ORDERS, {"market": "ALL"}, shapes.OrderResp, "id status seq_no published_at"),
            (Channel.FILLS, {"market": BTC}, shapes.FillResult, "id order_id price size fee liquidity"),
            (Channel.POSITIONS, {}, shapes.PositionResp, "market size side average_entry_price seq_no"),
            (Channel.BALANCE_EVENTS, {}, BalanceEventResponse, "fill_id"),
            (Channel.BBO, {"market": BTC}, shapes.BBOResp, "bid ask seq_no last_updated_at"),
            (Channel.TRADES, {"market": BTC}, shapes.TradeResult, "id price size side created_at trade_type"),
            (
                Channel.TRADES,
                {"market": "ALL"},
                shapes.TradeResult,
                "id price size side created_at trade_type",
            ),
            (Channel.MARKETS_SUMMARY, {}, shapes.MarketSummaryResp, "symbol mark_price bid ask funding_rate"),
            (Channel.MARKETS_SUMMARY, {"market": BTC}, shapes.MarketSummaryResp, "symbol mark_price bid ask"),
            (
                Channel.FUNDING_DATA,
                {"market": BTC},
                shapes.FundingDataResult,
                "market funding_rate created_at",
            ),
            (Channel.ORDER_BOOK, {"market": BTC}, PriceBookUpdate, "seq_no update_type inserts"),
            (
                Channel.ORDER_BOOK,
                {"market": BTC, "feed_type": "interactive", "refresh_rate": "100ms"},
                PriceBookUpdate,
                "seq_no inserts",
            ),
            (Channel.TRANSACTIONS, {}, None, ""),
            (Channel.TRANSFERS, {}, None, ""),
            (Channel.TRADEBUSTS, {}, None, ""),
            (Channel.FUNDING_PAYMENTS, {"market": BTC}, None, ""),
            (Channel.FUNDING_RATE_COMPARISON, {}, None, ""),
            (Channel.BLOCK_TRADES, {}, None, ""),
            (Channel.MMP, {}, None, ""),
        ]
        for channel, params, model, needed in wanted:
            with step(f"subscribe {' '.join([channel.name, *params.values()])}") as say:
                name = await self.subscribe(channel, **params)
                say(name)
                if model is not None:
                    talking.append((name, model, tuple(needed.split())))
        for name in ("markets", f"order_book.{ETH}.deltas"):
            with step(f"subscribe_by_name {name}"):
                self.complaints.clear()
                await self.client.subscribe_by_name(name, self.hear)
                await self.acknowledged(name)
        with step("subscribe ORDER_BOOK deltas, as the SDK names it") as say:
            # Production refuses parameters of deltas (protocol reference 4.4), and the SDK knows no other name.
            with suppress(AssertionError):
                await self.subscribe(Channel.ORDER_BOOK, market="SOL-USD-PERP", feed_type="deltas")
            say(f"refused{self.said()}" if self.complaints else "served")
        with step("trade, so that every channel has something to tell"):
            for side in ("BUY", "SELL"):
                answer = await self.client.submit_order(new_order(side, OrderType.Market))
                order = await self.order(answer["order"]["id"], "CLOSED")
                assert Decimal(order["remaining_size"]) == 0, order
            await asyncio.sleep(1.5)
        for name, model, names in talking:
            with step(f"data of {name}") as say:
                say(f"{len(self.heard.get(name, []))} messages")
                await self.first(name, model, *names)
        with step("data of account"):
            await self.first(
                "account", shapes.AccountSummaryResponse, "account_value", "free_collateral", "seq_no"
            )
        with step("the order book holds together") as say:
            books = self.heard["order_book.BTC-USD-PERP.snapshot@15@100ms"]
            assert {book["update_type"] for book in books} == {"s"}
            for book in books:
                bids = [Decimal(level["price"]) for level in book["inserts"] if level["side"] == "BUY"]
                asks = [Decimal(level["price"]) for level in book["inserts"] if level["side"] == "SELL"]
                assert max(bids) < min(asks)
                assert len(bids) <= 15
            numbers = [book["seq_no"] for book in books]
            assert numbers == sorted(set(numbers))
            say(f"{len(books)} snapshots")
        with step("the deltas hold together") as say:
            books = self.heard[f"order_book.{ETH}.deltas"]
            assert [book["update_type"] for book in books] == ["s"] + ["d"] * (len(books) - 1)
            numbers = [book["seq_no"] for book in books]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), numbers
            say(f"{len(books)} messages")

    async def orders(self) -> None:
        step, ws = self.steps.step, self.client
        result: dict[str, Any] = {}
        with step("ws submit_order") as say:
            name = f"ws-{secrets.token_hex(4)}"
            order = new_order("BUY", price=await self.quote(), client_id=name, instruction="POST_ONLY")
            result = await ws.submit_order(order)
            typed(shapes.OrderResp, result["order"], "id", "status", "created_at")
            assert result["order"]["status"] in {"NEW", "OPEN"}
            assert result["order"]["client_id"] == name
            assert result["received_at"] > 10**18, "nanoseconds"
            assert 10**12 < result["created_at"] < 10**14, "milliseconds"
            await self.order(result["order"]["id"], "OPEN")
            say(result["order"]["id"])
        with step("ws modify_order") as say:
            price = self.day.near(order.limit_price, "0.99")
            change = new_order("BUY", price=price, order_id=result["order"]["id"], instruction="POST_ONLY")
            answer = await ws.modify_order(result["order"]["id"], change)
            assert answer["order"]["id"] == result["order"]["id"]
            update = await self.until(
                lambda: next(
                    (
                        o
                        for o in self.heard["orders.ALL"]
                        if (o.get("request_info") or {}).get("request_type")
                    ),
                    None,
                )
            )
            info = update["request_info"]
            assert (info["request_type"], info["status"]) == ("MODIFY_ORDER", "SUCCESS"), info
            assert (update["status"], Decimal(update["price"])) == ("OPEN", price)
            say(info["status"])
        with step("ws cancel_order"):
            answer = await ws.cancel_order(result["order"]["id"])
            assert answer == {"order_id": result["order"]["id"], "status": "QUEUED_FOR_CANCELLATION"}, answer
            assert (await self.order(result["order"]["id"], "CLOSED"))["cancel_reason"] == "USER_CANCELED"
        with step("ws cancel_order, unknown") as say:
            say(await self.refusal(ws.cancel_order(NOBODY), "ORDER_ID_NOT_FOUND"))
        with step("ws cancel_order_by_client_id"):
            name = f"ws-{secrets.token_hex(4)}"
            result = await ws.submit_order(new_order("BUY", price=await self.quote(), client_id=name))
            await self.order(result["order"]["id"], "OPEN")
            answer = await ws.cancel_order_by_client_id(name, BTC)
            assert answer["order_id"] == result["order"]["id"]
            await self.order(result["order"]["id"], "CLOSED")
        with step("ws submit_orders_batch") as say:
            price = await self.quote()
            answer = await ws.submit_orders_batch([new_order("BUY", price=price - n) for n in range(3)])
            orders = [item["order"] for item in answer["results"]]
            assert [Decimal(o["price"]) for o in orders] == [price - n for n in range(3)]
            for order in orders:
                await self.order(order["id"], "OPEN")
            say(len(orders))
        with step("ws cancel_orders_batch") as say:
            answer = await ws.cancel_orders_batch([orders[0]["id"], NOBODY])
            assert [r["id"] for r in answer["results"]] == [orders[0]["id"], NOBODY]
            statuses = [r["status"] for r in answer["results"]]
            assert statuses == ["QUEUED_FOR_CANCELLATION", "NOT_FOUND"]
            await self.order(orders[0]["id"], "CLOSED")
            say(", ".join(statuses))
        with step("ws cancel_all_orders"):
            assert await ws.cancel_all_orders(BTC) == {"status": "ok"}
            for order in orders[1:]:
                await self.order(order["id"], "CLOSED")
            assert await ws.cancel_all_orders() == {"status": "ok"}
        with step("ws submit_order, a stop"):
            stop = new_order(
                "SELL", OrderType.StopMarket, trigger_price=self.day.near(self.day.mark(), "0.9")
            )
            result = await ws.submit_order(stop)
            await self.order(result["order"]["id"], "UNTRIGGERED")
            await ws.cancel_order(result["order"]["id"])
            await self.order(result["order"]["id"], "CLOSED")
        with step("ws submit_order, a wrong signature") as say:
            order = new_order("BUY", price=await self.quote())
            order.signature = self.day.me.account.sign_order(order)
            params = {**order.dump_to_dict(), "size": "0.02"}
            say(await self.refusal(ws._send_request("order.create", params), "INVALID_ORDER_SIGNATURE"))

    async def refusal(self, call: Awaitable[Any], code: str) -> str:
        """A refusal over the socket; which number says it is not documented, so the REST code has to."""
        try:
            answer = await call
        except WsRpcError as error:
            told = f"{error.code} {error.message}: {error.data}"
            assert code in told, f"{code} expected: {told}"
            return told
        raise AssertionError(f"accepted: {answer}")

    async def endings(self) -> None:
        step = self.steps.step
        with step("unsubscribe"):
            name = "bbo.BTC-USD-PERP"
            await self.client.unsubscribe_by_name(name)
            await asyncio.sleep(0.3)
            # The SDK takes the acknowledgement of an unsubscribe for one of a subscribe; so ask again, which the
            # venue refuses to whoever is still subscribed.
            self.complaints.clear()
            self.client.subscribed_channels.clear()
            await self.client.subscribe_by_name(name, self.hear)
            await self.acknowledged(name)
        with step("subscribing twice is refused") as say:
            self.complaints.clear()
            await self.client.subscribe_by_name("account", self.hear)
            say(await self.until(lambda: self.complaints and self.complaints[-1]))
        with step("reconnect after the connection was cut") as say:
            self.heard.clear()
            self.client.subscribed_channels.clear()
            before = self.client.ws
            self.where.pull("drop-websockets")
            await self.until(lambda: self.client.ws is not before and self.client._is_connection_open(), 10)
            await self.until(lambda: self.client.get_subscriptions().get("orders.ALL"), 10)
            answer = await self.client.submit_order(new_order("BUY", price=await self.quote()))
            await self.order(answer["order"]["id"], "OPEN")
            await self.client.cancel_order(answer["order"]["id"])
            await self.order(answer["order"]["id"], "CLOSED")
            say(f"{len(self.client.get_subscriptions())} channels again")
        with step("cancel_on_disconnect") as say:
            owner = paradex(self.where, self.day.key)  # its end would be the end of its reader
            second = owner.ws_client
            assert await second.connect() is True
            assert await second.cancel_on_disconnect(True) == {"enabled": True}
            answer = await second.submit_order(new_order("BUY", price=await self.quote()))
            await self.order(answer["order"]["id"], "OPEN")
            began = time.monotonic()
            await self.end(second)
            order = await self.until(
                lambda: next(
                    (
                        o
                        for o in self.heard["orders.ALL"]
                        if o["id"] == answer["order"]["id"] and o["status"] == "CLOSED"
                    ),
                    None,
                ),
                30,
            )
            say(f"{order['cancel_reason']} after {time.monotonic() - began:.1f} s")
        with step("cancel_on_disconnect, disarmed"):
            owner = paradex(self.where, self.day.key)
            third = owner.ws_client
            assert await third.connect() is True
            await third.cancel_on_disconnect(True)
            assert await third.cancel_on_disconnect(False) == {"enabled": False}
            answer = await third.submit_order(new_order("BUY", price=await self.quote()))
            await self.order(answer["order"]["id"], "OPEN")
            await self.end(third)
            await asyncio.sleep(2)
            assert self.day.api.fetch_order(answer["order"]["id"])["status"] == "OPEN"
            self.day.api.cancel_order(answer["order"]["id"])
            self.day.ends(answer["order"]["id"])
        with step("with SBE") as say:
            owner = paradex(self.where, self.day.key, ws_sbe_enabled=True)
            binary = owner.ws_client
            self.complaints.clear()
            if await binary.connect():
                say("served")
                await self.end(binary)
            else:
                assert "400" in self.said(), self.said()
                say("refused with 400, an SBE version that is not spoken")
        with step("close"):
            await self.end(self.client)

    async def run(self) -> None:
        await self.connect()
        await self.channels()
        await self.orders()
        await self.endings()


class Complaints(logging.Handler):
    """What the SDK logs as errors instead of raising."""

    def __init__(self, into: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._into = into

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1]:
            text = f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        self._into.append(text)


def main() -> None:
    with venue(__doc__ or "") as where:
        trust(where.ca_file)
        steps = Steps()
        print(f"paradex-py {version('paradex-py')} against {where.rest_url} and {where.ws_url}\n", flush=True)
        # It logs what it does not raise; a step tells the last of it.
        logging.getLogger("paradex_py").propagate = False
        logging.getLogger("paradex_py").addHandler(logging.NullHandler())
        day = Day(where, steps)
        day.login()
        day.system()
        day.market_data()
        day.account()
        day.orders()
        day.batches()
        day.trading()
        day.subkeys()
        day.others()
        streams = Streams(day)
        logging.getLogger("paradex_py").addHandler(Complaints(streams.complaints))
        asyncio.run(streams.run())
    steps.finish()


if __name__ == "__main__":
    main()
