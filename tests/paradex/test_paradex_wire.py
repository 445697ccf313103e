"""Requests and answers against an exchange: what the bot asks is understood, and what comes back is read."""

import json
from typing import Any, TypeVar

import attrs
import pytest
import trio
import trio.testing
from exchange_stage import HttpClient, SocketClient, Stage, StageClock, Trader
from openapi_check import OPENAPI, check_answer, check_request, route_of

from bot.core.errors import RefusedError, UnknownOutcomeError
from bot.core.fixed import parse, render
from bot.core.order import Instruction, Order, OrderType, Side
from bot.exchange.identity.config import CHAIN_ID
from bot.exchange.matching.modes import MODES
from bot.exchange.transport.http import split_target
from bot.link.signer import Signature, Signer, open_signer
from bot.paradex import account, batch, orders, rest, rpc
from bot.paradex.answers import FillReport, OrderReport
from bot.paradex.request import Request
from bot.paradex.snip12 import OrderTerms

T = TypeVar("T")

BTC, ETH = "BTC-USD-PERP", "ETH-USD-PERP"
FAR, NEAR, CROSSING = parse("80000"), parse("80750"), parse("85100")


def new_order(client_id: str, **changes: Any) -> Order:
    """A far bid for BTC, or what the changes make of it."""
    order = Order(
        client_id=client_id,
        market=BTC,
        side=Side.BUY,
        type=OrderType.LIMIT,
        instruction=Instruction.GTC,
        size=parse("0.001"),
        price=FAR,
    )
    return attrs.evolve(order, **changes)


def terms(order: Order, timestamp_ms: int) -> OrderTerms:
    return OrderTerms(
        timestamp_ms=timestamp_ms,
        market=order.market,
        side=order.side,
        order_type=order.type,
        size=order.size,
        price=order.price,
    )


@attrs.frozen
class Client:
    """The bot's own requests and signer on a connection to the exchange; each exchange keeps to the specification."""

    room: Stage
    connection: HttpClient
    trader: Trader
    signer: Signer

    async def ask(self, request: Request[T]) -> T:
        """What the exchange answers. Raises what `Request.read` does."""
        target = f"/v1{request.path}"
        reply = await self.connection.request(request.method, target, request.body, self.trader.bearer)
        if OPENAPI.exists():
            path = route_of(self.room.rest.routes, request.method, target).path.removeprefix("/v1")
            _, query = split_target(request.path)
            check_request(request.method, path, query, dict(request.headers), request.body or b"")
            check_answer(request.method, path, reply.status, reply.body)
        await trio.testing.wait_all_tasks_blocked()
        return request.read(reply.status, reply.body)

    async def refused(self, request: Request[Any]) -> tuple[int, str]:
        """Status and code of what must be a refusal."""
        with pytest.raises(RefusedError) as caught:
            await self.ask(request)
        return caught.value.status, caught.value.code

    def sign(self, order: Order) -> orders.SignedOrder:
        now_ms = StageClock().wall_ns() // 10**6
        signature = self.signer.sign_order(terms(order, now_ms))
        return orders.SignedOrder(
            order=order, signature=signature.wire(), signature_timestamp=now_ms, recv_window=5000
        )

    def creation(self, order: Order) -> Request[OrderReport]:
        return orders.create(self.sign(order))

    async def place(self, client_id: str, **changes: Any) -> Order:
        """An order that was taken, with the venue's id."""
        order = new_order(client_id, **changes)
        return attrs.evolve(order, venue_id=(await self.ask(self.creation(order))).id)

    def modification(
        self, order: Order, signature: Signature | None = None, **wanted: Any
    ) -> Request[OrderReport]:
        now_ms = StageClock().wall_ns() // 10**6
        after = attrs.evolve(order, **wanted)
        signature = signature or self.signer.sign_modify(terms(after, now_ms), order_id=order.venue_id)
        return orders.modify(
            order,
            size=after.size,
            price=after.price,
            signature=signature.wire(),
            signature_timestamp=now_ms,
        )

    async def open_orders(self, market: str | None = None) -> dict[str | None, OrderReport]:
        return {each.client_id: each for each in (await self.ask(orders.list_open(market))).results}

    async def listen(self, *channels: str) -> SocketClient:
        socket = await self.room.websocket(message_queue_size=1000)
        assert "result" in await socket.call("auth", {"bearer": self.trader.token})
        for channel in channels:
            assert "result" in await socket.call("subscribe", {"channel": channel})
        return socket


async def heard(socket: SocketClient) -> list[rpc.Message]:
    """What came over a socket, as the bot reads it."""
    messages: list[rpc.Message] = []
    while True:
        with trio.move_on_after(0.001) as waiting:
            messages.append(rpc.read(json.dumps(await socket.receive())))
        if waiting.cancelled_caught:
            return messages


@pytest.fixture
async def bot(room: Stage, client: HttpClient, trader: Trader) -> Client:
    signer = open_signer(private_key=hex(trader.key), chain_id=CHAIN_ID, account=hex(trader.address))
    return Client(room, client, trader, signer)


async def test_a_modification(bot: Client) -> None:
    """Signed as the venue wants it, it is queued; the channel tells of the new terms, under the same id."""
    socket = await bot.listen(rpc.orders_channel(BTC))
    order = await bot.place("a")
    await heard(socket)
    answer = await bot.ask(bot.modification(order, size=parse("0.002"), price=NEAR))
    assert answer.request_info is not None
    assert (answer.id, answer.size, answer.price) == (order.venue_id, "0.001", "80000")
    assert (answer.request_info.request_type, answer.request_info.status) == ("MODIFY_ORDER", "PENDING")
    (update,) = await heard(socket)
    assert isinstance(update, rpc.OrderUpdate)
    report = update.report
    assert report.request_info is not None
    assert (report.request_info.status, report.request_info.id) == ("SUCCESS", answer.request_info.id)
    assert (report.id, report.client_id, report.status) == (order.venue_id, "a", "OPEN")
    assert (report.size, report.remaining_size, report.price) == ("0.002", "0.002", "80750")
    assert (report.side, report.type, report.instruction) == ("BUY", "LIMIT", "GTC")
    assert (report.created_at or 0) <= (report.last_updated_at or 0) <= (report.published_at or 0)
    listed = (await bot.open_orders(BTC))["a"]
    assert (listed.size, listed.price) == ("0.002", "80750")


async def test_modifications_that_are_refused(bot: Client) -> None:
    """By the venue's codes; and the order stays as it was."""
    order = await bot.place("a")
    assert await bot.refused(bot.modification(order)) == (400, "INVALID_REQUEST_PARAMETER")
    stolen = bot.signer.sign_order(terms(attrs.evolve(order, price=NEAR), StageClock().wall_ns() // 10**6))
    assert await bot.refused(bot.modification(order, stolen, price=NEAR)) == (400, "INVALID_ORDER_SIGNATURE")
    elsewhere = attrs.evolve(order, venue_id="1681462103821101699438490000")
    assert await bot.refused(bot.modification(elsewhere, price=NEAR)) == (404, "ORDER_ID_NOT_FOUND")
    other = attrs.evolve(order, market=ETH)
    assert await bot.refused(bot.modification(other, price=NEAR)) == (400, "INVALID_REQUEST_PARAMETER")
    assert (await bot.open_orders())["a"].price == "80000"
    await bot.ask(orders.cancel(order.venue_id))
    assert await bot.refused(bot.modification(order, price=NEAR)) == (400, "ORDER_IS_NOT_OPEN")


async def test_a_batch(bot: Client) -> None:
    """Each order is signed by itself, and each is taken."""
    wanted = [
        new_order("a"),
        new_order("b", market=ETH, price=parse("2000"), size=parse("0.1")),
        new_order("c"),
    ]
    answer = await bot.ask(orders.create_batch([bot.sign(each) for each in wanted]))
    became = batch.creations(wanted, answer)
    placed = await bot.open_orders()
    assert list(became) == list(placed) == ["a", "b", "c"]
    for client_id, report in became.items():
        assert isinstance(report, OrderReport)
        assert (report.id, report.status) == (placed[client_id].id, "NEW")


async def test_a_batch_with_a_bad_order(bot: Client) -> None:
    """One signature that is none refuses all of them: nothing of the batch is there."""
    good, bad = bot.sign(new_order("a")), bot.sign(new_order("b"))
    request = orders.create_batch([good, attrs.evolve(bad, signature=good.signature[:-3] + '7"]')])
    assert await bot.refused(request) == (400, "INVALID_ORDER_SIGNATURE")
    assert await bot.open_orders() == {}


async def test_a_batch_of_which_some_are_refused(bot: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is room for one more order, one is taken, and of the others it is certain that they are not."""
    markets = bot.room.exchange.markets
    monkeypatch.setitem(markets, BTC, attrs.evolve(markets[BTC], max_open_orders=1))
    wanted = [new_order("a"), new_order("b"), new_order("c")]
    became = batch.creations(wanted, await bot.ask(orders.create_batch([bot.sign(each) for each in wanted])))
    assert isinstance(became["a"], OrderReport)
    for client_id in ("b", "c"):
        refused = became[client_id]
        assert isinstance(refused, RefusedError)
        assert refused.code == "REQUEST_NOT_ALLOWED"
    assert list(await bot.open_orders()) == ["a"]


async def test_an_order_that_was_sent_before(bot: Client) -> None:
    """Alone or in a batch: what is refused is a copy, so the order itself may be there, and here it is."""
    order = await bot.place("a")
    with pytest.raises(UnknownOutcomeError, match="DUPLICATED_CLIENT_ID"):
        await bot.ask(bot.creation(order))
    wanted = [new_order("a"), new_order("b")]
    became = batch.creations(wanted, await bot.ask(orders.create_batch([bot.sign(each) for each in wanted])))
    assert type(became["a"]) is UnknownOutcomeError
    assert isinstance(became["b"], OrderReport)
    assert (await bot.open_orders())["a"].id == order.venue_id


async def test_a_batch_of_cancels(bot: Client) -> None:
    """By the venue's id and by ours, those that live and those that do not, and one that nobody ever had."""
    a, b, c = [await bot.place(client_id) for client_id in "abc"]
    await bot.ask(orders.cancel(c.venue_id))
    d = new_order("d")
    answer = await bot.ask(orders.cancel_batch([a.venue_id, c.venue_id], ["b", "d"]))
    told = batch.cancels([a, attrs.evolve(b, venue_id=""), c, d], answer)
    assert {client_id: result and result.status for client_id, result in told.items()} == {
        "a": "QUEUED_FOR_CANCELLATION",
        "b": "QUEUED_FOR_CANCELLATION",
        "c": "ALREADY_CLOSED",
        "d": "NOT_FOUND",
    }
    assert await bot.open_orders() == {}


async def test_cancel_all(bot: Client) -> None:
    """Of one market, then of all; and once more, when there is nothing left."""
    await bot.place("a")
    await bot.place("b", market=ETH, price=parse("2000"), size=parse("0.1"))
    assert set(await bot.open_orders(ETH)) == {"b"}
    await bot.ask(orders.cancel_all(BTC))
    assert set(await bot.open_orders()) == {"b"}
    for _ in range(2):
        await bot.ask(orders.cancel_all())
        assert await bot.open_orders() == {}
    assert await bot.refused(orders.cancel_all("NO-SUCH-MARKET")) == (404, "MARKET_NOT_FOUND")


async def test_history_by_pages(bot: Client) -> None:
    """The newest first, closed ones too, page by page from a time on; and no cursor but the venue's own."""
    times = []
    for client_id in "abcd":
        order = await bot.place(client_id)
        times.append((await bot.open_orders())[client_id].created_at)
        await bot.ask(orders.cancel(order.venue_id))
        await trio.sleep(0.01)
    found: list[str | None] = []
    cursor: str | None = None
    for _ in range(2):
        page = await bot.ask(orders.history(market=BTC, start_at=times[1], page_size=2, cursor=cursor))
        found += [each.client_id for each in page.results]
        assert {(each.status, each.cancel_reason) for each in page.results} == {("CLOSED", "USER_CANCELED")}
        cursor = page.next
    assert (found, cursor) == (["d", "c", "b"], None)
    assert [each.client_id for each in (await bot.ask(orders.history(end_at=times[0]))).results] == ["a"]
    assert [each.client_id for each in (await bot.ask(orders.history("c"))).results] == ["c"]
    assert await bot.refused(orders.history(cursor="forged")) == (400, "INVALID_REQUEST_PARAMETER")


async def test_fills_and_what_they_come_to(bot: Client) -> None:
    """A fill, the position and the money are read alike from the channels and from REST."""
    socket = await bot.listen(rpc.fills_channel(BTC), rpc.POSITIONS_CHANNEL, rpc.ACCOUNT_CHANNEL)
    assert (await bot.ask(account.positions())).results == []
    assert (await bot.ask(account.fills())).results == []
    before = await bot.ask(account.summary())
    order = await bot.place("a", side=Side.SELL, price=parse("84000"), size=parse("0.002"))
    messages = await heard(socket)
    (told,) = [each.report for each in messages if isinstance(each, rpc.FillUpdate)]
    (listed,) = (await bot.ask(account.fills(market=BTC, start_at=before.updated_at))).results
    assert listed == told
    assert (told.order_id, told.client_id, told.market) == (order.venue_id, "a", BTC)
    assert (told.fill_type, told.side, told.liquidity) == ("FILL", "SELL", "TAKER")
    assert (told.size, told.remaining_size, told.fee_currency) == ("0.002", "0", "USDC")
    assert parse(told.fee or "") > 0
    position = next(each.report for each in reversed(messages) if isinstance(each, rpc.PositionUpdate))
    (held,) = (await bot.ask(account.positions())).results
    assert held.signed_size == position.signed_size == -parse("0.002")
    assert (held.status, held.side, held.average_entry_price) == ("OPEN", "SHORT", told.price)
    summary = next(each.summary for each in reversed(messages) if isinstance(each, rpc.AccountUpdate))
    after = await bot.ask(account.summary())
    assert (
        (summary.account, summary.status)
        == (after.account, after.status)
        == (hex(bot.trader.address), "ACTIVE")
    )
    assert (await bot.ask(account.fills(market=ETH))).results == []


async def test_fills_by_pages(bot: Client) -> None:
    """The newest first, each once."""
    for number in range(5):
        await bot.place(f"x{number}", price=CROSSING)
    found: list[FillReport] = []
    request = account.fills(page_size=2)
    while True:
        page = await bot.ask(request)
        found += page.results
        if page.next is None:
            break
        request = account.fills(page_size=2, cursor=page.next)
    assert [each.client_id for each in found] == ["x4", "x3", "x2", "x1", "x0"]
    assert len({(each.fill_type, each.id) for each in found}) == 5
    (held,) = (await bot.ask(account.positions())).results
    assert render(held.signed_size) == "0.005"


async def test_platform_modes(bot: Client) -> None:
    """Each is told as text; what the mode does not take is refused, and in maintenance nobody knows."""
    order = await bot.place("a", price=parse("84990"))
    for mode in MODES:
        bot.room.exchange.set_mode(mode)
        assert (await bot.ask(rest.system_state())).status == mode
    bot.room.exchange.set_mode("cancel_only")
    assert await bot.refused(bot.creation(new_order("b"))) == (400, "SYSTEM_STATUS_CANCEL_ONLY")
    assert await bot.refused(bot.modification(order, price=NEAR)) == (400, "SYSTEM_STATUS_CANCEL_ONLY")
    bot.room.exchange.set_mode("maintenance")
    with pytest.raises(UnknownOutcomeError, match="HTTP 503 SERVICE_UNAVAILABLE"):
        await bot.ask(bot.creation(new_order("c")))
