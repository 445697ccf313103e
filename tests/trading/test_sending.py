"""Batches and modifications on their way: signed, written down, sent once, and how each order's part ended."""

import json
import math
from contextlib import ExitStack
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from executor_stage import FAILURES, SIGNER, Stage, Venue, answering, open_stage, session
from trading_stage import PRICE, SIZE, SYMBOL, make_order, report

from bot.core.errors import NotSentError, RefusedError, RequestError, UnknownOutcomeError
from bot.core.order import Modification, Order, State
from bot.core.tape import HIDDEN, Kind
from bot.link.signer import Signature, UnsignableError
from bot.paradex.answers import BatchAnswer, CancelResult, CancelsAnswer, ItemError
from bot.paradex.request import Request
from bot.paradex.snip12 import OrderTerms
from bot.session.capabilities import open_session
from bot.session.inbox import Item
from bot.trading import effects as fx
from bot.trading.executor import CANCEL_DEADLINE
from bot.trading.requests import terms

THREE = tuple(make_order(f"run-{number}") for number in (1, 2, 3))
RESTING = make_order(state=State.OPEN, venue_id="18000000000000001")
WANTED = Modification(2 * SIZE, PRICE - 10**8, number=7)
MODIFY = fx.ModifyOrder(attrs.evolve(RESTING, modifying=WANTED), session())


def place_batch(*orders: Order) -> fx.PlaceBatch:
    return fx.PlaceBatch(orders or THREE, session())


def taken(*client_ids: str, errors: int = 0) -> BatchAnswer:
    return BatchAnswer(
        orders=[report("NEW", client_id, venue_id=f"v{client_id}") for client_id in client_ids],
        errors=[ItemError(error="REQUEST_NOT_ALLOWED", message="too many")] * errors,
    )


def split(items: list[Any]) -> tuple[list[fx.SendStarted], list[Any]]:
    """Those that began, and how they ended; the first stand before the others."""
    starts = [item for item in items if isinstance(item, fx.SendStarted)]
    assert items[: len(starts)] == starts
    return starts, items[len(starts) :]


# Batches of orders.


async def test_a_batch_is_one_request() -> None:
    """Each order signed for itself, in the order in which they were placed; and what the venue says of each."""
    async with open_stage(answering(taken("run-1", "run-2", "run-3"))) as stage:
        starts, ends = split(await stage.result(place_batch(), 17))
    (request,) = stage.http.requests
    assert (request.method, request.path, request.cause) == ("POST", "/orders/batch", 17)
    for order, body, start in zip(THREE, json.loads(request.body or b""), starts, strict=True):
        assert body["client_id"] == start.client_id == order.client_id
        assert body["recv_window"] == 5000
        signed = SIGNER.sign_order(terms(order, body["signature_timestamp"]))
        assert body["signature"] == signed.wire()
        assert start.signature_digest == signed.digest()
        assert start.what is fx.Signed.PLACE
    assert ends == [
        fx.SendEnded(
            client_id=order.client_id,
            result=report("NEW", order.client_id, venue_id=f"v{order.client_id}"),
            reused=True,
            request_ns=50,
            exchange=1,
        )
        for order in THREE
    ]


async def test_the_intents_of_a_batch_are_written_down_before_a_byte_leaves() -> None:
    """Each with its own part of the request, without signatures; one look at the disk is enough for all."""

    async def venue(request: Request[Any]) -> object:
        intents = [data for _, data in stage.tape.told(Kind.INTENT)]
        assert stage.tape.committed == len(stage.tape.records) == 3
        parts = [json.loads(data["request"]["body"]) for data in intents]
        assert [len(part) for part in parts] == [1, 1, 1]
        assert [part[0] for part in parts] == json.loads(request.shown(HIDDEN)["body"])
        assert {data["request"]["path"] for data in intents} == {request.path}
        return await answering(taken("run-1", "run-2", "run-3"))(request)

    async with open_stage(venue) as stage:
        await stage.result(place_batch())
    assert len(stage.http.sent) == 1
    assert '["' not in str(stage.tape.records)


async def test_others_have_their_turn_between_signatures() -> None:
    """Ten signatures take some milliseconds; as long as one takes nothing else happens, no cancel and no pong."""
    turns: list[str] = []
    begun = trio.Event()

    class Noting:
        def sign_order(self, order_terms: OrderTerms) -> Signature:
            turns.append("sign")
            begun.set()
            return SIGNER.sign_order(order_terms)

    async def other() -> None:
        await begun.wait()
        turns.append("other")

    async with open_stage(answering(taken("run-1")), signer=Noting()) as stage:  # type: ignore[arg-type]
        stage.executor.nursery.start_soon(other)
        await trio.testing.wait_all_tasks_blocked()
        await stage.result(place_batch())
    # In one tick trio runs tasks in any order, so its turn may come after the second signature.
    assert turns in (["sign", "other", "sign", "sign"], ["sign", "sign", "other", "sign"])


async def test_a_batch_that_is_cut_short_while_it_is_signed_has_not_begun() -> None:
    """None of its orders may have left, so none of them is said to have."""

    class Slow:
        def sign_order(self, order_terms: OrderTerms) -> Signature:
            stage.executor.nursery.cancel_scope.cancel()
            return SIGNER.sign_order(order_terms)

    async with open_stage(answering(taken()), signer=Slow()) as stage:  # type: ignore[arg-type]
        stage.executor.carry_out(place_batch(), 1)
        await trio.sleep(60)
    assert stage.items == []
    assert stage.http.sent == []


async def test_some_are_taken_and_others_are_not() -> None:
    """Those with a report, and as many refusals as are missing."""
    async with open_stage(answering(taken("run-2", errors=2))) as stage:
        _, ends = split(await stage.result(place_batch()))
    results = {end.client_id: end.result for end in ends}
    assert results["run-2"].client_id == "run-2"
    refusal = RefusedError(201, "REQUEST_NOT_ALLOWED", "too many").told()
    assert results["run-1"].told() == results["run-3"].told() == refusal


async def test_what_the_answer_to_a_batch_does_not_tell_is_unknown() -> None:
    """Two are missing, and there is one error: whose?"""
    async with open_stage(answering(taken("run-2", errors=1))) as stage:
        _, ends = split(await stage.result(place_batch()))
    assert [type(end.result).__name__ for end in ends] == [
        "UnknownOutcomeError",
        "OrderReport",
        "UnknownOutcomeError",
    ]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
async def test_what_befalls_a_batch_befalls_each_of_it(failure: RequestError) -> None:
    """One request, one outcome, and nothing is sent a second time."""
    async with open_stage(answering(failure)) as stage:
        starts, ends = split(await stage.result(place_batch()))
    assert len(starts) == 3
    assert ends == [fx.SendEnded(client_id=order.client_id, result=failure) for order in THREE]
    assert len(stage.http.sent) == 1


# What keeps something back keeps it all.


EFFECTS: dict[str, fx.PlaceBatch | fx.ModifyOrder] = {"batch": place_batch(), "modify": MODIFY}


def why_not_sent(items: list[Any]) -> set[str]:
    _, ends = split(items)
    assert ends
    assert all(type(end.result) is NotSentError for end in ends)
    return {str(end.result) for end in ends}


@pytest.mark.parametrize("what", EFFECTS)
async def test_a_stop_keeps_it_back(what: str) -> None:
    """Nothing is signed any more."""
    async with open_stage(answering(taken())) as stage:
        stage.stop.ask("SIGINT")
        items = await stage.result(EFFECTS[what])
    assert why_not_sent(items) == {"the bot is stopping: SIGINT"}
    assert split(items)[0] == []
    assert stage.http.sent == []


@pytest.mark.parametrize(
    ("off_ms", "why"),
    [
        (
            2501,
            "our clock and the venue's differ by 2.501 s, known to 0.000 s: more than half of the recv_window",
        ),
        (None, "the venue's clock has to be measured first"),
    ],
)
@pytest.mark.parametrize("what", EFFECTS)
async def test_nothing_is_signed_by_a_clock_that_nobody_can_trust(
    what: str, off_ms: int | None, why: str
) -> None:
    """What the venue takes an order for, and until when, would be a guess (`faults.md` section 2)."""
    async with open_stage(answering(taken())) as stage:
        clock = stage.executor.sender.signer.venue_clock
        if off_ms is None:
            clock.doubt()
        else:
            clock.measured(server_time_ms=clock.ours.wall_ns() // 1_000_000 + off_ms, elapsed_ns=0)
        items = await stage.result(EFFECTS[what])
    assert why_not_sent(items) == {why}
    assert split(items)[0] == []
    assert stage.http.sent == []


@pytest.mark.parametrize("ending", ["session", "kill switch"])
@pytest.mark.parametrize("what", EFFECTS)
async def test_the_permit_is_looked_at_once_the_connection_is_open(
    what: str, ending: str, autojump_clock: trio.testing.MockClock
) -> None:
    """The session dies, or the kill switch is pulled, while the connection is opened: not a byte leaves."""
    del autojump_clock
    async with open_stage(answering(taken())) as stage:
        stage.http.opening = 3.0
        with ExitStack() as life:
            permit = life.enter_context(open_session(1))
            stage.executor.carry_out(attrs.evolve(EFFECTS[what], session=permit), 0)
            await trio.sleep(1)
            if ending == "session":
                life.close()
            else:
                stage.stop.kill_switch.pull("enough")
            await trio.sleep(3)
        items = stage.reported()
    assert why_not_sent(items) <= {"session 1 is gone", "the kill switch is pulled: enough"}
    assert stage.http.sent == []


@pytest.mark.parametrize("what", EFFECTS)
async def test_what_cannot_be_written_down_is_not_sent(what: str) -> None:
    """And a person is called, once."""
    async with open_stage(answering(taken())) as stage:
        stage.tape.is_disk_full = True
        items = await stage.result(EFFECTS[what])
    assert why_not_sent(items) == {"no space left on device"}
    assert stage.alarms == ["orders are not sent: no space left on device"]
    assert stage.http.sent == []


@pytest.mark.parametrize("what", EFFECTS)
async def test_what_cannot_be_signed_is_not_sent(what: str) -> None:
    """Of a batch nothing is."""

    class Unsigning:
        def sign_order(self, order_terms: OrderTerms) -> Signature:
            if order_terms.size == SIZE:
                return SIGNER.sign_order(order_terms)
            raise UnsignableError("take another timestamp")

        def sign_modify(self, _terms: OrderTerms, *, order_id: str) -> Signature:
            raise UnsignableError(f"take another timestamp{order_id[:0]}")

    effect = EFFECTS[what]
    if isinstance(effect, fx.PlaceBatch):
        effect = place_batch(*effect.orders[:2], attrs.evolve(effect.orders[2], size=2 * SIZE))
    async with open_stage(answering(taken()), signer=Unsigning()) as stage:  # type: ignore[arg-type]
        items = await stage.result(effect)
    assert why_not_sent(items) == {"take another timestamp"}
    assert stage.http.sent == []


@pytest.mark.parametrize("what", EFFECTS)
async def test_an_expired_token_is_not_tried(what: str) -> None:
    """It had begun, and no byte of it left."""
    async with open_stage(answering(taken()), expires_at=-math.inf) as stage:
        items = await stage.result(EFFECTS[what])
    assert all(why.startswith("the token has expired") for why in why_not_sent(items))


# Modifications.


async def test_a_modification_is_signed_written_down_and_sent_once() -> None:
    """By the venue's id of the order, with all of the terms; the answer is handed on as it is."""
    seen: list[Item] = []

    async def venue(request: Request[Any]) -> object:
        seen.extend(stage.reported())
        [intent] = stage.tape.records
        assert stage.tape.committed == intent.number
        return await answering(report("OPEN"))(request)

    async with open_stage(venue) as stage:
        items = await stage.result(MODIFY, 17)
    (request,) = stage.http.requests
    assert (request.method, request.path, request.cause) == ("PUT", "/orders/18000000000000001", 17)
    body = json.loads(request.body or b"")
    assert body == {
        "id": "18000000000000001",
        "market": SYMBOL,
        "side": "BUY",
        "type": "LIMIT",
        "size": "0.02",
        "price": "41999.5",
        "signature": body["signature"],
        "signature_timestamp": body["signature_timestamp"],
    }
    wanted = attrs.evolve(RESTING, size=WANTED.size, price=WANTED.price)
    signed = SIGNER.sign_modify(terms(wanted, body["signature_timestamp"]), order_id=RESTING.venue_id)
    assert body["signature"] == signed.wire()
    [start] = seen
    assert isinstance(start, fx.SendStarted)
    assert (start.what, start.client_id) == (fx.Signed.MODIFY, "run-1")
    assert (start.struct_hash, start.signature_digest) == (signed.struct_hash, signed.digest())
    assert start.request == request.shown(HIDDEN)
    assert items == [fx.ModifyEnded(client_id="run-1", number=7, result=report("OPEN"), exchange=1)]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
async def test_a_modification_fails_as_it_does(failure: RequestError) -> None:
    """And is not sent a second time."""
    async with open_stage(answering(failure)) as stage:
        _, ends = split(await stage.result(MODIFY))
    assert ends == [fx.ModifyEnded(client_id="run-1", number=7, result=failure)]
    assert len(stage.http.sent) == 1


# Batches of cancels.


UNWANTED = (
    make_order("run-1", state=State.OPEN, venue_id="v1"),
    make_order("run-2", state=State.UNKNOWN),
    make_order("run-3", state=State.OPEN, venue_id="v3"),
)


def cancel_answer(*results: CancelResult) -> Venue:
    return answering(CancelsAnswer(results=list(results)))


async def cancelled(stage: Stage) -> dict[str, RequestError | None]:
    """Why each cancel failed, if it did."""
    items = await stage.result(fx.CancelBatch(UNWANTED), 17)
    assert all(isinstance(item, fx.CancelEnded) for item in items)
    return {item.client_id: item.failure for item in items if isinstance(item, fx.CancelEnded)}


async def test_cancels_of_a_batch() -> None:
    """By the venue's ids, or ours where those are not known; each has its own outcome. No session and no journal."""
    answer = cancel_answer(
        CancelResult(status="QUEUED_FOR_CANCELLATION", id="v1"),
        CancelResult(status="ALREADY_CLOSED", id="v3"),
        CancelResult(status="NOT_FOUND", client_id="run-2"),
    )
    async with open_stage(answer) as stage:
        stage.stop.ask("SIGINT")
        stage.tape.is_disk_full = True
        ended = await cancelled(stage)
    (request,) = stage.http.requests
    assert (request.method, request.path, request.cause) == ("DELETE", "/orders/batch", 17)
    assert json.loads(request.body or b"") == {"order_ids": ["v1", "v3"], "client_order_ids": ["run-2"]}
    assert ended.pop("run-1") is None
    assert {client_id: str(failure) for client_id, failure in ended.items()} == {
        "run-2": "NOT_FOUND: there is nothing to cancel",
        "run-3": "ALREADY_CLOSED: there is nothing to cancel",
    }


async def test_a_cancel_of_which_nothing_is_told_is_unknown() -> None:
    """Not in the answer, or in words that nobody here knows."""
    answer = cancel_answer(
        CancelResult(status="QUEUED_FOR_CANCELLATION", id="v1"), CancelResult(status="PONDERED", id="v3")
    )
    async with open_stage(answer) as stage:
        ended = await cancelled(stage)
    assert ended["run-1"] is None
    assert [type(ended[name]) for name in ("run-2", "run-3")] == [UnknownOutcomeError] * 2


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
async def test_what_befalls_a_batch_of_cancels_befalls_each(failure: RequestError) -> None:
    """And is not repeated here."""
    async with open_stage(answering(failure)) as stage:
        assert await cancelled(stage) == dict.fromkeys(("run-1", "run-2", "run-3"), failure)
    assert len(stage.http.sent) == 1


async def test_a_batch_of_cancels_does_not_wait_for_ever(autojump_clock: trio.testing.MockClock) -> None:
    """Soon nobody knows, and each may be repeated."""
    del autojump_clock

    async def silence(_request: Request[Any]) -> object:
        await trio.sleep_forever()

    async with open_stage(silence) as stage:
        stage.executor.carry_out(fx.CancelBatch(UNWANTED), 1)
        await trio.sleep(60)
    assert [at for at, _ in stage.items] == [CANCEL_DEADLINE] * 3
    for _, item in stage.items:
        assert isinstance(item, fx.CancelEnded)
        assert isinstance(item.failure, UnknownOutcomeError)
