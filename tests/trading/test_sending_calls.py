"""Calls over the WebSocket on their way: what keeps them here, the other form of a batch, and cancels' way back."""

import json
from contextlib import ExitStack
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from executor_stage import SIGNER, Stage, agreeable, answering, open_stage
from trading_stage import PRICE, SIZE, make_order
from ways_stage import FakeEntry, Reply, entry_to, error, new_entry, session_over, told, unused

from bot.core.errors import NotSentError, RefusedError, RequestError, UnknownOutcomeError
from bot.core.order import Modification, State
from bot.core.tape import Kind
from bot.link.signer import Signature
from bot.paradex import calls
from bot.paradex.calls import Call
from bot.paradex.snip12 import OrderTerms
from bot.session.capabilities import Session, open_session
from bot.trading import effects as fx
from bot.trading.executor import CANCEL_DEADLINE
from bot.trading.requests import WS
from bot.trading.sending import PATIENCE_S

THREE = tuple(make_order(f"run-{number}") for number in (1, 2, 3))
RESTING = make_order(state=State.OPEN, venue_id="1000")
TAKEN: Reply = {"result": {"results": [{"order": told(f"run-{number}")} for number in (1, 2, 3)]}}
FORM_REFUSED = error(-32602, "orders are expected in an array")


def signed_effects(permit: Session) -> dict[str, fx.Effect]:
    return {
        "place": fx.PlaceOrder(THREE[0], permit),
        "place batch": fx.PlaceBatch(THREE, permit),
        "modify": fx.ModifyOrder(attrs.evolve(RESTING, modifying=Modification(2 * SIZE, PRICE)), permit),
    }


SIGNED = tuple(signed_effects(session_over(entry_to({}))))


def results(stage: Stage) -> list[Any]:
    """How each send ended that was reported so far."""
    return [item.result for item in stage.reported() if isinstance(item, fx.SendEnded | fx.ModifyEnded)]


async def ended(stage: Stage, effect: fx.Effect) -> list[Any]:
    stage.executor.carry_out(effect, 17)
    await trio.testing.wait_all_tasks_blocked()
    return results(stage)


# The form of a batch (protocol reference 5.2).


async def test_a_batch_whose_form_is_refused_goes_again_as_an_array() -> None:
    """Once: the same orders with the same signatures, which the venue has said that it does not have."""
    entry = entry_to(FORM_REFUSED, TAKEN)
    async with open_stage(unused, via=WS) as stage:
        reports = await ended(stage, fx.PlaceBatch(THREE, session_over(entry)))
        assert [report.id for report in reports] == ["1000", "2000", "3000"]
        assert len(stage.tape.told(Kind.INTENT)) == 3
    first, second = (json.loads(call.params) for call in entry.calls)
    assert first == {"orders": second}
    assert [order["client_id"] for order in second] == ["run-1", "run-2", "run-3"]
    assert {call.method for call in entry.calls} == {"order.create_batch"}
    assert {call.cause for call in entry.calls} == {17}


@pytest.mark.parametrize(
    ("second", "kind", "words"),
    [
        (FORM_REFUSED, RefusedError, "-32602: orders are expected"),
        (error(100, "too small", "INVALID_ORDER_SIZE"), RefusedError, "INVALID_ORDER_SIZE"),
        (error(-32603), UnknownOutcomeError, "-32603"),
        (UnknownOutcomeError("the WebSocket ended"), UnknownOutcomeError, "the WebSocket ended"),
        (NotSentError("no room"), NotSentError, "no room"),
        ({"result": {"results": []}}, UnknownOutcomeError, "its batch of 3 has 0 results"),
    ],
)
async def test_how_the_array_ends_is_how_the_batch_ends(
    second: Reply, kind: type[RequestError], words: str
) -> None:
    """There is no third try."""
    entry = entry_to(FORM_REFUSED, second)
    async with open_stage(unused, via=WS) as stage:
        failures = await ended(stage, fx.PlaceBatch(THREE, session_over(entry)))
    assert [type(failure) for failure in failures] == [kind] * 3
    assert all(words in str(failure) for failure in failures)
    assert len(entry.calls) == 2


@pytest.mark.parametrize(
    "first",
    [
        error(-32602, "no", "INVALID_ORDER_SIZE"),
        error(-32602, "INVALID_ORDER_SIZE"),
        error(-32602, "no", "DUPLICATED_CLIENT_ID"),
        error(-32602, "no", "SYSTEM_STATUS_CANCEL_ONLY"),
        error(-32600),
        error(-32601),
        error(-32603),
        error(100, "invalid params"),
        error(42901),
        {"result": None},
        {"result": {"results": [{"error": "INVALID_PARAMETER: no"}] * 3}},
        UnknownOutcomeError("deadline passed"),
        NotSentError("no room"),
    ],
    ids=range(13),
)
async def test_no_other_end_sends_a_batch_again(first: Reply) -> None:
    """Least of all one that is not known; and a code says that it is about the orders, not about their form."""
    entry = entry_to(first)
    async with open_stage(unused, via=WS) as stage:
        assert len(await ended(stage, fx.PlaceBatch(THREE, session_over(entry)))) == 3
    assert len(entry.calls) == 1


@pytest.mark.parametrize("what", ["place", "modify"])
async def test_what_has_one_form_is_never_sent_again(what: str) -> None:
    """-32602 is a refusal, then."""
    entry = entry_to(FORM_REFUSED)
    async with open_stage(unused, via=WS) as stage:
        [failure] = await ended(stage, signed_effects(session_over(entry))[what])
    assert isinstance(failure, RefusedError)
    assert len(entry.calls) == 1


@pytest.mark.parametrize("ending", ["stop", "kill switch", "session", "clock"])
async def test_the_array_needs_its_own_permit(ending: str) -> None:
    """What has happened since the first form left keeps the second here; nothing breaks of it."""
    with ExitStack() as life:

        async def react(_call: Call[Any]) -> Reply:
            await trio.lowlevel.checkpoint()
            match ending:
                case "stop":
                    stage.stop.ask("SIGINT")
                case "kill switch":
                    stage.stop.kill_switch.pull("enough")
                case "session":
                    life.close()
                case "clock":
                    stage.executor.sender.signer.venue_clock.doubt()
            return FORM_REFUSED

        entry = new_entry(react)
        permit = life.enter_context(open_session(1, entry))
        async with open_stage(unused, via=WS) as stage:
            failures = await ended(stage, fx.PlaceBatch(THREE, permit))
    assert [type(failure) for failure in failures] == [NotSentError] * 3
    assert len(entry.calls) == 1


# What keeps it here.


@pytest.mark.parametrize("what", SIGNED)
@pytest.mark.parametrize("ending", ["stop", "kill switch", "session", "clock"])
async def test_the_permit_is_asked_when_the_writer_comes_to_it(
    what: str, ending: str, autojump_clock: trio.testing.MockClock
) -> None:
    """What was decided, signed and written down stays here, if in the meantime it may no longer leave."""
    del autojump_clock
    entry = entry_to(TAKEN)
    entry.waits = 0.5
    with ExitStack() as life:
        permit = life.enter_context(open_session(1, entry))
        async with open_stage(unused, via=WS) as stage:
            stage.executor.carry_out(signed_effects(permit)[what], 1)
            await trio.sleep(0.25)
            assert any(isinstance(item, fx.SendStarted) for item in stage.reported())
            match ending:
                case "stop":
                    stage.stop.ask("SIGINT")
                case "kill switch":
                    stage.stop.kill_switch.pull("enough")
                case "session":
                    life.close()
                case "clock":
                    stage.executor.sender.signer.venue_clock.doubt()
            await trio.sleep(1)
            failures = results(stage)
    assert {type(failure) for failure in failures} == {NotSentError}
    assert entry.calls == []


@pytest.mark.parametrize("what", SIGNED)
async def test_over_a_session_that_is_gone_nothing_is_signed(what: str) -> None:
    """It was decided in that one, and belongs to no other."""
    entry = entry_to(TAKEN)
    with open_session(1, entry) as permit:
        pass
    async with open_stage(unused, via=WS) as stage:
        stage.executor.carry_out(signed_effects(permit)[what], 1)
        await trio.testing.wait_all_tasks_blocked()
        items = stage.reported()
    assert not any(isinstance(item, fx.SendStarted) for item in items)
    assert items
    assert entry.calls == []


async def test_a_session_that_is_gone_sends_nothing() -> None:
    """Nor one that never took calls; and it is no error that a supervisor would have to know."""
    entry = entry_to({"result": {"order_id": "1000"}})
    with open_session(1, entry) as permit:
        await permit.send(calls.cancel(RESTING))
    with open_session(2) as without:
        for session in (permit, without):
            with pytest.raises(NotSentError):
                await session.send(calls.cancel(RESTING))
    assert len(entry.calls) == 1


async def test_a_session_that_dies_between_two_signatures_of_a_batch() -> None:
    """None of them leaves, and the bot lives on."""
    entry = entry_to(TAKEN)
    with ExitStack() as life:
        permit = life.enter_context(open_session(1, entry))

        class Slow:
            def sign_order(self, terms: OrderTerms) -> Signature:
                life.close()
                return SIGNER.sign_order(terms)

        async with open_stage(unused, signer=Slow(), via=WS) as stage:  # type: ignore[arg-type]
            failures = await ended(stage, fx.PlaceBatch(THREE, permit))
    assert [type(failure) for failure in failures] == [NotSentError] * 3
    assert entry.calls == []


# The patience of a stop.


@pytest.mark.parametrize("what", SIGNED)
async def test_a_stop_waits_a_second_for_a_reply(what: str, autojump_clock: trio.testing.MockClock) -> None:
    """Then what left is unknown; one that comes within it counts."""
    del autojump_clock
    seconds = {"late": PATIENCE_S + 0.5, "in time": PATIENCE_S - 0.5}
    for name, delay in seconds.items():

        async def react(_call: Call[Any], delay: float = delay) -> Reply:
            await trio.sleep(1 + delay)
            return TAKEN if what == "place batch" else {"result": {"order": told("run-1")}}

        async with open_stage(unused, via=WS) as stage:
            started = trio.current_time()
            stage.executor.carry_out(signed_effects(session_over(new_entry(react)))[what], 1)
            await trio.sleep(1)
            stage.stop.ask("SIGINT")
            await trio.sleep(5)
            ends = [(at - started, item) for at, item in stage.items if not isinstance(item, fx.SendStarted)]
            assert {at for at, _ in ends} == {1 + min(delay, PATIENCE_S)}
            kinds = {type(result).__name__ for result in results(stage)}
            assert kinds == {"UnknownOutcomeError" if name == "late" else "OrderReport"}


@pytest.mark.parametrize("what", SIGNED)
async def test_a_stop_that_finds_it_waiting_for_the_writer(
    what: str, autojump_clock: trio.testing.MockClock
) -> None:
    """It has not left, and nobody has to look for it."""
    del autojump_clock
    entry = entry_to(TAKEN)
    entry.waits = 60
    async with open_stage(unused, via=WS) as stage:
        stage.executor.carry_out(signed_effects(session_over(entry))[what], 1)
        await trio.sleep(1)
        stage.stop.ask("SIGINT")
        await trio.sleep(5)
        assert {type(failure) for failure in results(stage)} == {NotSentError}
    assert entry.calls == []


# Cancels.


CANCELS: dict[str, fx.CancelOrder | fx.CancelBatch] = {
    "one": fx.CancelOrder(RESTING),
    "batch": fx.CancelBatch(
        tuple(make_order(f"run-{number}", state=State.OPEN, venue_id=f"{number}000") for number in (1, 2))
    ),
}


def cancel_over(entry: FakeEntry, what: str) -> fx.Effect:
    return attrs.evolve(CANCELS[what], session=session_over(entry))


def failures(stage: Stage) -> list[RequestError | None]:
    return [item.failure for item in stage.reported() if isinstance(item, fx.CancelEnded)]


@pytest.mark.parametrize("what", CANCELS)
async def test_a_cancel_goes_over_a_session_that_lives(what: str) -> None:
    """By the venue's ids; when the bot stops, and when its switch is pulled, all the more."""
    queued = [{"id": f"{number}000", "status": "QUEUED_FOR_CANCELLATION"} for number in (1, 2)]
    entry = entry_to({"result": {"results": queued} if what == "batch" else {"order_id": "1000"}})
    async with open_stage(unused, via=WS) as stage:
        stage.stop.ask("SIGINT")
        stage.stop.kill_switch.pull("enough")
        stage.executor.carry_out(cancel_over(entry, what), 17)
        await trio.testing.wait_all_tasks_blocked()
        assert set(failures(stage)) == {None}
    [call] = entry.calls
    assert json.loads(call.params) == ({"order_ids": ["1000", "2000"]} if what == "batch" else {"id": "1000"})


@pytest.mark.parametrize("what", CANCELS)
async def test_a_cancel_goes_over_rest_when_its_session_is_gone(what: str) -> None:
    """Or when it was decided without one."""
    entry = entry_to({"result": {}})
    with open_session(1, entry) as gone:
        pass
    for effect in (CANCELS[what], attrs.evolve(CANCELS[what], session=gone)):
        venue = agreeable if what == "one" else answering(UnknownOutcomeError("busy"))
        async with open_stage(venue, via=WS) as stage:
            stage.executor.carry_out(effect, 17)
            await trio.testing.wait_all_tasks_blocked()
            assert len(stage.http.sent) == 1
            assert stage.http.sent[0][1] == "DELETE"
    assert entry.calls == []


@pytest.mark.parametrize("what", CANCELS)
async def test_a_cancel_over_the_websocket_does_not_wait_for_ever(
    what: str, autojump_clock: trio.testing.MockClock
) -> None:
    """As short as over REST: it may be repeated, and a stop has only a few seconds."""
    del autojump_clock

    async def silence(_call: Call[Any]) -> Reply:
        await trio.sleep_forever()

    async with open_stage(unused, via=WS) as stage:
        started = trio.current_time()
        stage.executor.carry_out(cancel_over(new_entry(silence), what), 1)
        await trio.sleep(60)
        assert {at - started for at, _ in stage.items} == {CANCEL_DEADLINE}
        assert {type(failure) for failure in failures(stage)} == {UnknownOutcomeError}
