"""The executor, the reconciler and the last resort: what they send, and what they report of it."""

import json
import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import Any, TypeVar

import attrs
import pytest
import trio
import trio.testing
from trading_stage import RECV_WINDOW_MS, SYMBOL, HandClock, make_order, report

from bot.core.errors import NotSentError, RefusedError, RequestError, SessionGoneError, UnknownOutcomeError
from bot.core.order import Order, State
from bot.link.clock import TrioClock, VenueClock
from bot.link.http import Answer, Http, HttpConnection, Reservation
from bot.link.pool import Lane
from bot.link.signer import Signer, UnsignableError, open_signer
from bot.paradex.answers import Bbo, EmptyAnswer, OrderPage, OrderReport, OrdersAnswer
from bot.paradex.rest import Request
from bot.paradex.snip12 import OrderTerms
from bot.session.capabilities import AuthedRest, Session, Token, TokenKeeper, open_authed_rest, open_session
from bot.session.inbox import Item, OpenOrdersListed
from bot.session.stop import Stop
from bot.trading import effects as fx
from bot.trading.effects import Effect
from bot.trading.executor import Executor, OrdersSettings, failure_of, or_failure
from bot.trading.leftovers import cancel_leftovers
from bot.trading.reconcile import INTERVAL, reconcile

T = TypeVar("T")

FAILURES: list[RequestError] = [
    NotSentError("no connection"),
    RefusedError(400, "CODE", "no"),
    UnknownOutcomeError("ReadError"),
]

Venue = Callable[[Request[Any]], Awaitable[object]]


@attrs.define
class FakeHttp(Http):
    """A pool with one turn for orders, whose venue is a function."""

    venue: Venue
    sent: list[tuple[float, str, str]] = attrs.field(factory=list)
    requests: list[Request[Any]] = attrs.field(factory=list)
    turn: trio.Semaphore = attrs.field(factory=lambda: trio.Semaphore(1))

    @asynccontextmanager
    async def reserve(self, lane: Lane) -> AsyncIterator[Reservation]:
        held = Reservation(self, None, lane)  # type: ignore[arg-type]
        if lane is Lane.HOUSEKEEPING:
            yield held
            return
        async with self.turn:
            yield held

    async def send(self, connection: HttpConnection, lane: Lane, request: Request[T]) -> Answer[T]:
        del connection, lane
        self.sent.append((trio.current_time(), request.method, request.path))
        self.requests.append(request)
        value = await self.venue(request)
        assert isinstance(value, request.answer)
        return Answer(value=value, reused=True, elapsed_ns=50)


def answering(value: object) -> Venue:
    async def venue(_request: Request[Any]) -> object:
        await trio.lowlevel.checkpoint()
        if isinstance(value, Exception):
            raise value
        return value

    return venue


def open_rest(venue: Venue, *, expires_at: float = math.inf) -> tuple[AuthedRest, FakeHttp]:
    http = FakeHttp(venue)
    return open_authed_rest(http, TokenKeeper(Token("token", expires_at, 300))), http


SIGNER = open_signer(
    private_key="0x1234567890abcdef1234567890abcdef", chain_id="PRIVATE_SN_POTC_SEPOLIA", account="0xabc"
)


@attrs.define
class Stage:
    """An executor that runs, and what it reports."""

    effects: trio.MemorySendChannel[Effect]
    items: trio.MemoryReceiveChannel[Item]
    http: FakeHttp
    stop: Stop
    clock: HandClock

    async def result(self, effect: Effect) -> list[Item]:
        """Everything that is reported of ``effect``, once nothing more moves."""
        await self.effects.send(effect)
        await trio.testing.wait_all_tasks_blocked()
        return self.reported()

    def reported(self) -> list[Item]:
        items = []
        while True:
            try:
                items.append(self.items.receive_nowait())
            except trio.WouldBlock:
                return items


@asynccontextmanager
async def open_stage(
    venue: Venue, *, signer: Signer = SIGNER, expires_at: float = math.inf
) -> AsyncIterator[Stage]:
    authed, http = open_rest(venue, expires_at=expires_at)
    decided, effects = trio.open_memory_channel[Effect](10)
    inbox, items = trio.open_memory_channel[Item](10)
    clock, stop = HandClock(), Stop()
    executor = Executor(
        effects=effects,
        inbox=inbox,
        authed=authed,
        signer=signer,
        settings=OrdersSettings(recv_window=RECV_WINDOW_MS),
        clock=clock,
        venue_clock=VenueClock(clock, offset_ns=7_000_000),
        stop=stop,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(executor.run)  # noqa: ASYNC113 - effects that come before wait for it
        yield Stage(decided, items, http, stop, clock)
        nursery.cancel_scope.cancel()


def session() -> Session:
    """A session that stays."""
    return Session._mint(1)


# Orders.


async def test_an_order_is_signed_and_sent_once() -> None:
    """SendStarted with the stamps that were signed, one POST with exactly these, and the venue's answer."""
    order = make_order()
    async with open_stage(answering(report("NEW"))) as stage:
        stage.clock.pass_seconds(2)
        items = await stage.result(fx.PlaceOrder(order, session()))
    timestamp = stage.clock.wall_ns() // 1_000_000 + 7
    assert items == [
        fx.SendStarted("run-1", timestamp, 2_000_000_000, 0),
        fx.SendEnded(client_id="run-1", result=report("NEW"), reused=True, request_ns=50),
    ]
    (request,) = stage.http.requests
    assert (request.method, request.path) == ("POST", "/orders")
    assert request.headers == {"Authorization": "Bearer token"}
    body = json.loads(request.body or b"")
    assert (body["client_id"], body["recv_window"], body["signature_timestamp"]) == ("run-1", 5000, timestamp)
    terms = OrderTerms(
        timestamp_ms=timestamp,
        market=order.market,
        side=order.side,
        order_type=order.type,
        size=order.size,
        price=order.price,
    )
    assert body["signature"] == SIGNER.sign_order(terms).wire()


async def test_the_start_is_reported_before_a_byte_leaves() -> None:
    """Whatever the venue says of the order stands behind it in the stream."""
    seen: list[Item] = []

    async def venue(_request: Request[Any]) -> object:
        seen.extend(stage.reported())
        return await answering(report("NEW"))(_request)

    async with open_stage(venue) as stage:
        await stage.result(fx.PlaceOrder(make_order(), session()))
    assert [type(item) for item in seen] == [fx.SendStarted]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
async def test_failures_are_reported_as_they_are(failure: RequestError) -> None:
    """Of an order, a cancel, a look-up and a quote; and nothing is sent a second time."""
    order = make_order(venue_id="v1")
    async with open_stage(answering(failure)) as stage:
        start, end = await stage.result(fx.PlaceOrder(order, session()))
        assert isinstance(start, fx.SendStarted)
        assert end == fx.SendEnded(client_id="run-1", result=failure)
        assert await stage.result(fx.CancelOrder(order)) == [fx.CancelEnded("run-1", failure)]
        assert await stage.result(fx.LookUpOrder(order)) == [fx.LookedUp("run-1", failure)]
        assert await stage.result(fx.FetchBbo(SYMBOL)) == [fx.BboFetched(SYMBOL, failure)]
    assert len(stage.http.sent) == 4


async def test_what_is_no_failure_of_a_request_ends_the_program() -> None:
    """A mistake of ours is not taken for an outcome."""
    with pytest.RaisesGroup(pytest.RaisesExc(ZeroDivisionError, match="ours"), flatten_subgroups=True):
        async with open_stage(answering(ZeroDivisionError("ours"))) as stage:
            await stage.result(fx.PlaceOrder(make_order(), session()))


async def not_sent(stage: Stage, permit: Session) -> str:
    """Why an order was not even begun."""
    (item,) = await stage.result(fx.PlaceOrder(make_order(), permit))
    return reason_of(item)


def reason_of(item: Item) -> str:
    assert isinstance(item, fx.SendEnded)
    assert type(item.result) is NotSentError
    return str(item.result)


async def test_a_dead_session_permits_nothing() -> None:
    """Not sent, and nothing leaves."""
    with open_session(3) as permit:
        pass
    async with open_stage(answering(report("NEW"))) as stage:
        assert await not_sent(stage, permit) == "session 3 is gone"
    assert stage.http.sent == []


async def test_a_stop_lets_no_order_out() -> None:
    """Cancels still go."""
    async with open_stage(answering(EmptyAnswer())) as stage:
        stage.stop.ask("SIGINT")
        assert await not_sent(stage, session()) == "the bot is stopping: SIGINT"
        assert await stage.result(fx.CancelOrder(make_order())) == [fx.CancelEnded("run-1", None)]
    assert [method for _, method, _ in stage.http.sent] == ["DELETE"]


@pytest.mark.parametrize("ending", ["session", "stop"])
async def test_the_permit_is_looked_at_last(ending: str) -> None:
    """An order that waits for its turn while the session dies or the stop is asked for is not sent."""
    async with open_stage(answering(report("NEW"))) as stage:
        with ExitStack() as life:
            permit = life.enter_context(open_session(1))
            await stage.http.turn.acquire()
            assert await stage.result(fx.PlaceOrder(make_order(), permit)) == []
            if ending == "session":
                life.close()
            else:
                stage.stop.ask("SIGTERM")
            stage.http.turn.release()
            await trio.testing.wait_all_tasks_blocked()
        (item,) = stage.reported()
        assert reason_of(item) in {"session 1 is gone", "the bot is stopping: SIGTERM"}
    assert stage.http.sent == []


async def test_an_order_that_cannot_be_signed_is_not_sent() -> None:
    """One hash in 2⁵⁵ has no signature: the strategy may place it again."""

    class Unsigning:
        def sign_order(self, _terms: OrderTerms) -> None:
            raise UnsignableError("take another timestamp")

    async with open_stage(answering(report("NEW")), signer=Unsigning()) as stage:  # type: ignore[arg-type]
        assert await not_sent(stage, session()) == "take another timestamp"
    assert stage.http.sent == []


async def test_an_expired_token_is_not_tried() -> None:
    """The order had begun, and no byte of it left."""
    async with open_stage(answering(report("NEW")), expires_at=-math.inf) as stage:
        start, end = await stage.result(fx.PlaceOrder(make_order(), session()))
    assert isinstance(start, fx.SendStarted)
    assert reason_of(end).startswith("the token has expired")
    assert stage.http.sent == []


# Cancels, look-ups, quotes, timers.


@pytest.mark.parametrize(
    ("venue_id", "path"), [("v1", "/orders/v1"), ("", "/orders/by_client_id/run-1?market=BTC-USD-PERP")]
)
async def test_cancels(venue_id: str, path: str) -> None:
    """By the venue's id where it is known, otherwise by ours."""
    async with open_stage(answering(EmptyAnswer())) as stage:
        items = await stage.result(fx.CancelOrder(make_order(venue_id=venue_id)))
    assert items == [fx.CancelEnded("run-1", None)]
    assert [(method, where) for _, method, where in stage.http.sent] == [("DELETE", path)]


OPEN, CLOSED = report("OPEN"), report("CLOSED")
FOREIGN = [report("OPEN", "theirs"), report("CLOSED", None), report("OPEN", "run-11")]


@pytest.mark.parametrize(
    ("listed", "history", "found"),
    [
        ([], [], None),
        ([OPEN], [], OPEN),
        ([], [CLOSED], CLOSED),
        ([OPEN], [CLOSED], CLOSED),  # closed between the two questions
        (FOREIGN, FOREIGN, None),
        ([*FOREIGN, OPEN], FOREIGN, OPEN),
    ],
)
async def test_look_ups(
    listed: list[OrderReport], history: list[OrderReport], found: OrderReport | None
) -> None:
    """Open orders first, then the history, whose word is the later one; only our own client id counts."""

    async def venue(request: Request[Any]) -> object:
        await trio.lowlevel.checkpoint()
        return OrdersAnswer(results=listed) if request.path == "/orders" else OrderPage(results=history)

    async with open_stage(venue) as stage:
        assert await stage.result(fx.LookUpOrder(make_order())) == [fx.LookedUp("run-1", found)]
    assert [path for _, _, path in stage.http.sent] == [
        "/orders",
        "/orders-history?client_id=run-1&market=BTC-USD-PERP",
    ]


async def test_quotes() -> None:
    """The venue's own words; the manager reads them."""
    bbo = Bbo(market=SYMBOL, bid="1", ask="2")
    async with open_stage(answering(bbo)) as stage:
        assert await stage.result(fx.FetchBbo(SYMBOL)) == [fx.BboFetched(SYMBOL, bbo)]


async def test_timers(autojump_clock: trio.testing.MockClock) -> None:
    """Each fires at its time, and none holds up another."""
    del autojump_clock
    fired: list[tuple[float, Item]] = []
    async with open_stage(answering(None)) as stage:
        for seconds in (2.5, 1, 0):
            await stage.effects.send(fx.SetTimer(fx.Timer("strategy", str(seconds)), seconds))
        for _ in range(3):
            item = await stage.items.receive()
            fired.append((trio.current_time(), item))
    assert fired == [(seconds, fx.TimerFired(fx.Timer("strategy", str(seconds)))) for seconds in (0, 1, 2.5)]


async def test_a_slow_answer_holds_up_nothing_else() -> None:
    """A look-up that never comes back, and orders and quotes go on."""

    async def venue(request: Request[Any]) -> object:
        if request.path.startswith("/orders-history"):
            await trio.sleep_forever()
        return {"/orders": OrdersAnswer(results=[])}.get(request.path, Bbo(market=SYMBOL))

    async with open_stage(venue) as stage:
        assert await stage.result(fx.LookUpOrder(make_order())) == []
        assert len(await stage.result(fx.FetchBbo(SYMBOL))) == 1


async def test_an_effect_that_is_none() -> None:
    """It is our own mistake, and says so."""
    with pytest.RaisesGroup(pytest.RaisesExc(TypeError, match="no such effect"), flatten_subgroups=True):
        async with open_stage(answering(None)) as stage:
            await stage.result(Effect())


async def test_three_failures_and_no_fourth() -> None:
    """Values and the three outcomes come back; everything else goes through."""
    for failure in FAILURES:
        assert await or_failure(_raise(failure)) is failure
        assert await failure_of(_raise(failure)) is failure
    assert await failure_of(_value("anything")) is None
    assert await or_failure(_value("anything")) == "anything"
    for other in (SessionGoneError("gone"), ValueError("ours")):
        with pytest.raises(type(other)):
            await or_failure(_raise(other))


async def _raise(error: Exception) -> object:
    await trio.lowlevel.checkpoint()
    raise error


async def _value(value: object) -> object:
    await trio.lowlevel.checkpoint()
    return value


# The reconciler.


async def test_the_reconciler_asks_from_time_to_time(autojump_clock: trio.testing.MockClock) -> None:
    """Every 30 to 60 s, drawn anew; a failure of any of the three kinds only costs that one turn."""
    del autojump_clock
    answers: list[object] = [OrdersAnswer(results=[OPEN]), *FAILURES, OrdersAnswer(results=[])]

    async def venue(_request: Request[Any]) -> object:
        return await answering(answers[len(http.sent) - 1])(_request)

    authed, http = open_rest(venue)
    inbox, items = trio.open_memory_channel[Item](10)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reconcile, authed, inbox, TrioClock(0), random.Random(5))
        listed = [await items.receive() for _ in range(2)]
        nursery.cancel_scope.cancel()
    rng, at, times = random.Random(5), 0.0, []
    for _ in answers:
        at += rng.uniform(*INTERVAL)
        times.append(at)
    assert [at for at, _, _ in http.sent] == pytest.approx(times)
    assert {path for _, _, path in http.sent} == {"/orders"}
    assert listed == [
        OpenOrdersListed(round(http.sent[0][0] * 1e9), (OPEN,)),
        OpenOrdersListed(round(http.sent[-1][0] * 1e9), ()),
    ]
    assert INTERVAL == (30, 60)


# The last resort.


@attrs.define
class LastVenue:
    """A venue of orders that rest, some of which resist."""

    resting: set[str]
    deaf: dict[str, list[RequestError]] = attrs.field(factory=dict)
    """By client id: the failures with which the next cancels of it end."""

    failing_lists: int = 0

    async def __call__(self, request: Request[Any]) -> object:
        await trio.lowlevel.checkpoint()
        if request.method == "GET":
            if self.failing_lists:
                self.failing_lists -= 1
                raise UnknownOutcomeError("no list")
            return OrdersAnswer(results=[report("OPEN", each) for each in sorted(self.resting)])
        client_id = request.path.split("/")[-1].partition("?")[0]
        if self.deaf.get(client_id):
            raise self.deaf[client_id].pop(0)
        self.resting.discard(client_id)
        return EmptyAnswer()


def leftovers(*client_ids: str) -> list[Order]:
    return [make_order(client_id, state=State.OPEN) for client_id in client_ids]


async def test_nothing_left_nothing_asked() -> None:
    """The usual end."""
    authed, http = open_rest(LastVenue(set()))
    assert await cancel_leftovers(authed, []) == []
    assert http.sent == []


async def test_leftovers_are_cancelled(autojump_clock: trio.testing.MockClock) -> None:
    """Ours and only ours, by client id, until the list has none of them; failures of the list are survived."""
    del autojump_clock
    venue = LastVenue({"run-1", "run-2", "theirs"}, {"run-2": list(FAILURES)}, failing_lists=2)
    authed, http = open_rest(venue)
    assert await cancel_leftovers(authed, leftovers("run-1", "run-2")) == []
    assert venue.resting == {"theirs"}
    assert not any("theirs" in path for _, _, path in http.sent)


async def test_one_that_resists_shields_no_other(autojump_clock: trio.testing.MockClock) -> None:
    """A cancel that fails for ever keeps none of the others from being cancelled."""
    del autojump_clock
    venue = LastVenue({"run-1", "run-2"}, {"run-1": FAILURES * 100})
    authed, _ = open_rest(venue)
    with trio.move_on_after(2):
        await cancel_leftovers(authed, leftovers("run-1", "run-2"))
    assert venue.resting == {"run-1"}
