"""The executor, the reconciler and the last resort: what they send, and what they report of it."""

import json
import math
import random
from contextlib import ExitStack
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from executor_stage import FAILURES, SIGNER, Stage, agreeable, answering, open_rest, open_stage, session
from trading_stage import SYMBOL, make_order, report

from bot.core.errors import (
    NotSentError,
    RefusedError,
    RequestError,
    SessionGoneError,
    UnknownOutcomeError,
    failure_of,
    or_failure,
    retold,
)
from bot.core.order import Order, State
from bot.core.tape import HIDDEN, Kind
from bot.link.clock import TrioClock, VenueClock
from bot.link.signer import UnsignableError
from bot.paradex.answers import Bbo, CancelsAnswer, EmptyAnswer, OrderPage, OrderReport, OrdersAnswer
from bot.paradex.request import Request
from bot.paradex.snip12 import OrderTerms
from bot.session.capabilities import Session, open_session
from bot.session.inbox import Item, Snapshot
from bot.session.snapshot import Snapshots
from bot.trading import effects as fx
from bot.trading.effects import Effect
from bot.trading.executor import CANCEL_DEADLINE
from bot.trading.leftovers import TOGETHER_S, cancel_leftovers
from bot.trading.reconcile import AGAIN, INTERVAL, reconcile

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
        fx.SendEnded(client_id="run-1", result=report("NEW"), reused=True, request_ns=50, exchange=1),
    ]
    (request,) = stage.http.requests
    assert (request.method, request.path) == ("POST", "/orders")
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


async def test_the_intent_tells_what_leaves() -> None:
    """The request as it is sent, the hashes and the digest of its signature, which itself is not written down."""
    async with open_stage(answering(report("NEW"))) as stage:
        start, _ = await stage.result(fx.PlaceOrder(make_order(), session()))
    (request,) = stage.http.requests
    body = json.loads(request.body or b"")
    order = make_order()
    signature = SIGNER.sign_order(
        OrderTerms(
            timestamp_ms=body["signature_timestamp"],
            market=order.market,
            side=order.side,
            order_type=order.type,
            size=order.size,
            price=order.price,
        )
    )
    assert body["signature"] == signature.wire()
    assert isinstance(start, fx.SendStarted)
    assert (start.struct_hash, start.message_hash) == (signature.struct_hash, signature.message_hash)
    assert start.signature_digest == signature.digest()
    assert start.request == request.shown(HIDDEN)
    assert json.loads(start.request["body"]) == {**body, "signature": HIDDEN}
    for number in (signature.r, signature.s):
        assert str(number) not in str(stage.tape.records)


async def test_the_start_is_reported_before_a_byte_leaves() -> None:
    """Whatever the venue says of the order stands behind it in the stream; and by then it is in the file."""
    seen: list[Item] = []

    async def venue(_request: Request[Any]) -> object:
        seen.extend(stage.reported())
        [intent] = stage.tape.records
        assert intent.kind is Kind.INTENT
        assert stage.tape.committed == intent.number
        return await answering(report("NEW"))(_request)

    async with open_stage(venue) as stage:
        await stage.result(fx.PlaceOrder(make_order(), session()))
    assert [type(item) for item in seen] == [fx.SendStarted]
    assert len(stage.http.sent) == 1


async def test_an_order_that_cannot_be_written_down_is_not_sent() -> None:
    """It has begun, and no byte of it leaves; a person is called. When there is room again, orders go again."""
    async with open_stage(answering(report("NEW"))) as stage:
        stage.tape.is_disk_full = True
        start, end = await stage.result(fx.PlaceOrder(make_order(), session()))
        assert isinstance(start, fx.SendStarted)
        assert reason_of(end) == "no space left on device"
        assert stage.alarms == ["orders are not sent: no space left on device"]
        assert stage.http.sent == []
        stage.tape.is_disk_full = False
        await stage.result(fx.PlaceOrder(make_order("run-2"), session()))
        assert len(stage.http.sent) == len(stage.alarms) == 1


async def test_everything_but_an_order_goes_without_being_written_down() -> None:
    """Above all a cancel: what rests must go, journal or not."""
    order = make_order(venue_id="v1")
    async with open_stage(agreeable) as stage:
        stage.tape.is_disk_full = True
        assert await stage.result(fx.CancelOrder(order)) == [fx.CancelEnded("run-1", None)]
        assert await stage.result(fx.LookUpOrder(order)) == [fx.LookedUp("run-1", None, (2, 3))]
        assert await stage.result(fx.FetchBbo(SYMBOL)) == [fx.BboFetched(SYMBOL, Bbo(market=SYMBOL), 4)]
        assert stage.alarms == []


async def test_requests_name_their_cause() -> None:
    """The number of the effect on the tape, on every request that is made because of it."""
    order = make_order(venue_id="v1")
    effects = (
        fx.PlaceOrder(order, session()),
        fx.CancelOrder(order),
        fx.LookUpOrder(order),
        fx.FetchBbo(SYMBOL),
    )
    async with open_stage(agreeable) as stage:
        for cause, effect in enumerate(effects, 101):
            await stage.result(effect, cause)
    assert [(request.method, request.cause) for request in stage.http.requests] == [
        ("POST", 101),
        ("DELETE", 102),
        ("GET", 103),
        ("GET", 103),
        ("GET", 104),
    ]


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
        told = stage.tape.told(Kind.OUTCOME)
    assert [type(retold(data)) for _, data in told] == [type(failure)] * 4
    assert stage.alarms == []
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


@pytest.mark.parametrize("ending", ["session", "stop"])
async def test_the_permit_is_looked_at_again_once_the_connection_is_open(
    ending: str, autojump_clock: trio.testing.MockClock
) -> None:
    """That may take seconds, in which the session dies or the stop is asked for: then not a byte leaves."""
    del autojump_clock
    async with open_stage(answering(report("NEW"))) as stage:
        stage.http.opening = 3.0
        with ExitStack() as life:
            permit = life.enter_context(open_session(1))
            stage.executor.carry_out(fx.PlaceOrder(make_order(), permit), 0)
            await trio.sleep(1)
            if ending == "session":
                life.close()
            else:
                stage.stop.ask("SIGTERM")
            await trio.sleep(3)
        start, end = stage.reported()
        assert isinstance(start, fx.SendStarted)
        assert reason_of(end) in {"session 1 is gone", "the bot is stopping: SIGTERM"}
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


async def test_a_cancel_does_not_wait_for_ever(autojump_clock: trio.testing.MockClock) -> None:
    """Its answer is lost: soon nobody knows, and it may be repeated. A turn that never comes counts, too."""
    del autojump_clock

    async def silence(_request: Request[Any]) -> object:
        await trio.sleep_forever()

    async with open_stage(silence) as stage:
        stage.executor.carry_out(fx.CancelOrder(make_order(venue_id="v1")), 1)
        await trio.sleep(60)
    (at, ended), *others = stage.items
    assert others == []
    assert at == CANCEL_DEADLINE
    assert isinstance(ended, fx.CancelEnded)
    assert isinstance(ended.failure, UnknownOutcomeError)
    assert "no answer within 2.5 s" in str(ended.failure)


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
        assert await stage.result(fx.LookUpOrder(make_order())) == [fx.LookedUp("run-1", found, (1, 2))]
    assert [path for _, _, path in stage.http.sent] == [
        "/orders",
        "/orders-history?client_id=run-1&market=BTC-USD-PERP",
    ]


async def test_quotes() -> None:
    """The venue's own words; the manager reads them."""
    bbo = Bbo(market=SYMBOL, bid="1", ask="2")
    async with open_stage(answering(bbo)) as stage:
        assert await stage.result(fx.FetchBbo(SYMBOL)) == [fx.BboFetched(SYMBOL, bbo, 1)]


async def test_timers(autojump_clock: trio.testing.MockClock) -> None:
    """Each fires at its time, and none holds up another."""
    del autojump_clock
    async with open_stage(answering(None)) as stage:
        for seconds in (2.5, 1, 0):
            stage.executor.carry_out(fx.SetTimer(fx.Timer("strategy", str(seconds)), seconds), 1)
        await trio.sleep(60)
    assert stage.items == [
        (seconds, fx.TimerFired(fx.Timer("strategy", str(seconds)))) for seconds in (0, 1, 2.5)
    ]


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
    """Every 30 to 60 s, drawn anew; after a failure of any of the three kinds again in a few seconds."""
    del autojump_clock
    turns: list[Exception | None] = [None, *FAILURES, None]
    asked: list[float] = []

    async def venue(request: Request[Any]) -> object:
        if request.path == "/orders":
            asked.append(trio.current_time())
            failure = turns[len(asked) - 1]
            if failure is not None:
                raise failure
        return await agreeable(request)

    authed, _ = open_rest(venue)
    rng, at, times = random.Random(5), 0.0, []
    for before in (None, *turns[:-1]):
        at += rng.uniform(*(INTERVAL if before is None else AGAIN))
        times.append(at)
    items: list[Item] = []
    snapshots = Snapshots(authed, TrioClock(0), VenueClock(TrioClock(0)), 0)
    with trio.move_on_after(times[-1] + 1):
        await reconcile(snapshots, items.append, random.Random(5))
    assert asked == pytest.approx(times)
    taken = [item.requested_ns for item in items if isinstance(item, Snapshot)]
    assert taken == [round(times[0] * 1e9), round(times[-1] * 1e9)]
    assert (INTERVAL, AGAIN) == ((30, 60), (2, 5))


async def test_the_reconciler_asks_at_once_if_somebody_wants_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The executor does, when a step decided so; the next turn comes as long after that as after any other."""
    del autojump_clock
    async with open_stage(agreeable) as stage:
        snapshots = stage.executor.snapshots
        stage.executor.nursery.start_soon(reconcile, snapshots, stage.executor.inbox, random.Random(5))
        await trio.sleep(3)
        stage.executor.carry_out(fx.TakeSnapshot(), 1)
        await trio.sleep(29)
    assert [(at, type(item)) for at, item in stage.items] == [(3.0, Snapshot)]


# The last resort.


@attrs.define
class LastVenue:
    """A venue of orders that rest, some of which resist, and some of which are still on their way to it."""

    resting: set[str]
    deaf: dict[str, list[RequestError]] = attrs.field(factory=dict)
    """By client id: the failures with which the next cancels of it end."""

    is_deaf_to_batches: bool = False
    failing_looks: int = 0
    arriving: dict[str, float] = attrs.field(factory=dict)
    """By client id: when it begins to rest, in trio time."""

    closed: set[str] = attrs.field(factory=set)

    async def __call__(self, request: Request[Any]) -> object:
        await trio.lowlevel.checkpoint()
        for client_id, time in [*self.arriving.items()]:
            if time <= trio.current_time():
                del self.arriving[client_id]
                self.resting.add(client_id)
        client_id = request.path.split("client_id")[-1].strip("=/").partition("?")[0].partition("&")[0]
        if request.path == "/orders/batch":
            if self.is_deaf_to_batches:
                raise UnknownOutcomeError("ReadError")
            named = json.loads(request.body or b"")["client_order_ids"]
            self.closed |= self.resting.intersection(named)
            self.resting -= self.closed
            return CancelsAnswer(results=[])
        if request.method == "GET":
            if self.failing_looks:
                self.failing_looks -= 1
                raise UnknownOutcomeError("no history")
            if request.path == "/orders-history?page_size=1000":
                return OrderPage(results=[report("CLOSED", each) for each in sorted(self.closed)])
            return OrderPage(results=[report("CLOSED", client_id)] if client_id in self.closed else [])
        if self.deaf.get(client_id):
            raise self.deaf[client_id].pop(0)
        if client_id not in self.resting:
            raise RefusedError(404, "ORDER_ID_NOT_FOUND", "no such order")
        self.resting.discard(client_id)
        self.closed.add(client_id)
        return EmptyAnswer()


def leftovers(*client_ids: str) -> list[Order]:
    return [make_order(client_id, state=State.OPEN) for client_id in client_ids]


async def test_nothing_left_nothing_asked() -> None:
    """The usual end."""
    authed, http = open_rest(LastVenue(set()))
    await cancel_leftovers(authed, [])
    assert http.sent == []


async def test_leftovers_are_cancelled(autojump_clock: trio.testing.MockClock) -> None:
    """Ours and only ours, until the history tells of their end; failures of the history are survived."""
    del autojump_clock
    venue = LastVenue({"run-1", "run-2", "theirs"}, {"run-2": list(FAILURES)}, failing_looks=2)
    authed, http = open_rest(venue)
    left = leftovers("run-1", "run-2")
    await cancel_leftovers(authed, left)
    assert left == []
    assert venue.resting == {"theirs"}
    assert not any("theirs" in path for _, _, path in http.sent)


async def test_a_leftover_that_arrives_after_its_cancel(autojump_clock: trio.testing.MockClock) -> None:
    """A request that was cut short may still be under way: that the venue does not know the order is no end of it."""
    del autojump_clock
    venue = LastVenue(set(), arriving={"run-1": 0.9})
    authed, _ = open_rest(venue)
    left = leftovers("run-1")
    await cancel_leftovers(authed, left)
    assert left == []
    assert venue.closed == {"run-1"}


async def test_leftovers_that_nobody_knows_stay(autojump_clock: trio.testing.MockClock) -> None:
    """Whoever gives up waiting finds in the list what is not known to be over."""
    del autojump_clock
    venue = LastVenue({"run-2"}, arriving={"run-1": math.inf})
    authed, _ = open_rest(venue)
    left = leftovers("run-1", "run-2")
    with trio.move_on_after(2):
        await cancel_leftovers(authed, left)
    assert left == leftovers("run-1")


@pytest.mark.parametrize(
    ("venue", "requests"),
    [
        (LastVenue({f"run-{n}" for n in range(12)}), 3),
        (LastVenue({f"run-{n}" for n in range(12)}, is_deaf_to_batches=True), 2 + 1 + 24),
        (LastVenue({f"run-{n}" for n in range(12)}, failing_looks=1), 2 + 1 + 24),
        (LastVenue({f"run-{n}" for n in range(11)}, arriving={"run-11": 0.5}), 2 + 1 + 8),
    ],
    ids=["well", "deaf to batches", "no history at first", "one arrives later"],
)
async def test_many_leftovers_are_cancelled_together(
    venue: LastVenue, requests: int, autojump_clock: trio.testing.MockClock
) -> None:
    """Two requests for twelve, and a look; what that leaves is seen to order by order."""
    del autojump_clock
    authed, http = open_rest(venue)
    left = leftovers(*(f"run-{n}" for n in range(12)))
    await cancel_leftovers(authed, left)
    assert (left, venue.resting, len(venue.closed)) == ([], set(), 12)
    assert len(http.sent) == requests


async def test_many_leftovers_do_not_wait_for_one_answer(autojump_clock: trio.testing.MockClock) -> None:
    """A batch that is never answered costs a part of the time, not all of it."""
    del autojump_clock
    resting = LastVenue({f"run-{n}" for n in range(12)})

    async def venue(request: Request[Any]) -> object:
        if request.path == "/orders/batch":
            await trio.sleep_forever()
        return await resting(request)

    authed, _ = open_rest(venue)
    left = leftovers(*(f"run-{n}" for n in range(12)))
    await cancel_leftovers(authed, left)
    assert (left, resting.resting) == ([], set())
    assert trio.current_time() == TOGETHER_S


async def test_one_that_resists_shields_no_other(autojump_clock: trio.testing.MockClock) -> None:
    """A cancel that fails for ever keeps none of the others from being cancelled."""
    del autojump_clock
    venue = LastVenue({"run-1", "run-2"}, {"run-1": FAILURES * 100})
    authed, _ = open_rest(venue)
    with trio.move_on_after(2):
        await cancel_leftovers(authed, leftovers("run-1", "run-2"))
    assert venue.resting == {"run-1"}
