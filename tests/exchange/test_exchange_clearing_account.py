"""An account's money, from onboarding to liquidation, as its owner sees it."""

import trio
from clearing_stage import BTC, ETH
from exchange_stage import Stage, Trader, stage
from openapi_check import check_schema
from trio.testing import MockClock

from bot.core.fixed import parse


def check_conserved(room: Stage) -> None:
    assert room.exchange.clearing.discrepancy() == 0
    assert all(room.exchange.clearing.net_size(market) == 0 for market in room.exchange.markets)


async def test_an_account_is_funded_when_it_is_onboarded_and_never_again(autojump_clock: MockClock) -> None:
    """The deposit of the settings is there with the first onboarding, as balance and as transfer."""
    async with stage(deposit=parse("2500.5")) as room:
        trader, client = Trader(), room.http()
        await trader.log_in(client)
        await trader.log_in(client)
        balance = (await trader.ask(client, "GET", "/v1/balance?")).json()["results"]
        assert [(row["token"], row["size"]) for row in balance] == [("USDC", "2500.5")]
        transfers = (await trader.ask(client, "GET", "/v1/transfers?")).json()["results"]
        assert [(row["kind"], row["amount"], row["status"]) for row in transfers] == [
            ("DEPOSIT", "2500.5", "COMPLETED")
        ]
        check_conserved(room)
        assert autojump_clock.current_time() < 1


async def test_an_account_without_deposit_cannot_trade(autojump_clock: MockClock) -> None:
    """With a deposit of 0 every order is closed for want of margin, and its reason says so."""
    async with stage(deposit=parse("0")) as room:
        trader, client = Trader(), room.http()
        await trader.log_in(client)
        placed = (await trader.place(client)).json()
        assert placed["status"] == "NEW"
        await trio.sleep(0.1)
        order = (await trader.ask(client, "GET", f"/v1/orders/{placed['id']}")).json()
        assert (order["status"], order["cancel_reason"]) == ("CLOSED", "NOT_ENOUGH_MARGIN")
        assert (await trader.ask(client, "GET", "/v1/transfers")).json()["results"] == []
        assert autojump_clock.current_time() < 1


async def test_a_liquidation_as_its_account_sees_it(autojump_clock: MockClock) -> None:
    """A bought coin falls: with the next check the resting order is closed, a part of the position is gone in a fill
    of type LIQUIDATION, it is listed, and the account is healthy."""
    async with stage(deposit=parse("2000")) as room:
        trader, client = Trader(), room.http()
        await trader.log_in(client)
        bought = await trader.place(client, type="MARKET", instruction="IOC", side="BUY", size="1", price="0")
        assert bought.status == 201, bought.body
        resting = (await trader.place(client, side="SELL", size="0.1", price="88000")).json()["id"]
        bid = (await trader.place(client, market=ETH, price="2000", size="0.1")).json()["id"]
        socket = await room.websocket(message_queue_size=100)
        await socket.call("auth", {"bearer": trader.token})
        await socket.call("subscribe", {"channel": f"fills.{BTC}"})

        room.exchange.prices[BTC].mark = parse("83900")
        before = (await trader.ask(client, "GET", "/v1/account")).json()
        assert before["status"] == "LIQUIDATION"
        await trio.sleep(5.1)
        with trio.fail_after(5):
            fill = (await socket.receive())["params"]["data"]
        assert (fill["fill_type"], fill["side"], fill["price"]) == ("LIQUIDATION", "SELL", "83900")
        check_schema("responses.FillResult", fill)

        account = (await trader.ask(client, "GET", "/v1/account")).json()
        assert account["status"] == "ACTIVE"
        assert 0 < float(account["account_value"]) < float(before["account_value"])
        (position,) = (await trader.ask(client, "GET", "/v1/positions")).json()["results"]
        assert parse(position["size"]) == parse("1") - parse(fill["size"]) > 0
        assert position["last_fill_id"] == fill["id"]
        listed = (await trader.ask(client, "GET", "/v1/liquidations")).json()["results"]
        assert [row["id"] for row in listed] == [fill["id"]]
        fills = (await trader.ask(client, "GET", "/v1/fills")).json()["results"]
        assert [row["fill_type"] for row in fills] == ["LIQUIDATION", "FILL"]
        for order_id in (resting, bid):
            order = (await trader.ask(client, "GET", f"/v1/orders/{order_id}")).json()
            assert (order["status"], order["cancel_reason"]) == ("CLOSED", "IN_LIQUIDATION")
        check_conserved(room)
        assert autojump_clock.current_time() < 15


async def test_a_bust_is_seen_in_the_account(autojump_clock: MockClock) -> None:
    """The position is closed, the fee is back, the bust is listed; and a second bust of the same trade is refused."""
    async with stage() as room:
        trader, client = Trader(), room.http()
        await trader.log_in(client)
        before = (await trader.ask(client, "GET", "/v1/balance")).json()["results"][0]["size"]
        await trader.place(client, type="MARKET", instruction="IOC", side="BUY", size="0.5", price="0")
        await trio.sleep(0.1)
        (fill,) = (await trader.ask(client, "GET", "/v1/fills")).json()["results"]
        room.exchange.engine.bust(fill["id"])
        (position,) = (await trader.ask(client, "GET", "/v1/positions")).json()["results"]
        assert (position["status"], position["size"]) == ("CLOSED", "0")
        assert (await trader.ask(client, "GET", "/v1/balance")).json()["results"][0]["size"] == before
        (bust,) = (await trader.ask(client, "GET", "/v1/tradebusts")).json()["results"]
        assert bust["busted_fill_id"] == fill["id"]
        check_conserved(room)
        assert autojump_clock.current_time() < 1


async def test_leverage_limits_what_can_be_bought(autojump_clock: MockClock) -> None:
    """At 50 times 1,000 USDC carry half a coin of 85,000; at 10 times they do not."""
    async with stage(deposit=parse("1000")) as room:
        trader, client = Trader(), room.http()
        await trader.log_in(client)
        outcomes = []
        for leverage in (10, 50):
            body = {"leverage": leverage, "margin_type": "CROSS"}
            answer = await trader.ask(client, "POST", f"/v1/account/margin/{BTC}", body)
            assert answer.json()["leverage"] == leverage
            placed = (await trader.place(client, size="0.5", price="84000")).json()["id"]
            await trio.sleep(0.1)
            order = (await trader.ask(client, "GET", f"/v1/orders/{placed}")).json()
            outcomes.append((order["status"], order["cancel_reason"]))
        assert outcomes == [("CLOSED", "NOT_ENOUGH_MARGIN"), ("OPEN", "")]
        configs = (await trader.ask(client, "GET", f"/v1/account/margin?market={BTC}")).json()["configs"]
        assert [(config["leverage"], config["margin_type"]) for config in configs] == [(50, "CROSS")]
        assert autojump_clock.current_time() < 1


async def test_a_lively_market_conserves_money(autojump_clock: MockClock) -> None:
    """After half a minute of synthetic trading and funding, with a client among them, not a unit is missing."""
    async with stage(activity=10.0) as room:
        trader, client = Trader(), room.http()
        await trader.log_in(client)
        for side in ("BUY", "SELL", "SELL", "BUY"):
            await trader.place(client, type="MARKET", instruction="IOC", side=side, size="0.1", price="0")
            await trio.sleep(8)
            check_conserved(room)
        assert room.exchange.clearing.open_interest(BTC) > 0
        payments = (await trader.ask(client, "GET", f"/v1/funding/payments?market={BTC}")).json()["results"]
        assert payments
        assert 30 < autojump_clock.current_time() < 40
