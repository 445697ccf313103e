"""The ordered stream: written down, handled, written down, carried out, and nothing in between."""

from collections.abc import Callable

import attrs
import pytest
from scripted_venue import RecordingTape
from trading_stage import SYMBOL, HandClock, make_order, report

from bot.core.errors import NotSentError, RefusedError, StreamClosedError, UnknownOutcomeError
from bot.core.tape import Kind
from bot.session.inbox import Item, OrderReported, SessionLost
from bot.trading.effects import (
    BboFetched,
    CancelOrder,
    Effect,
    FetchBbo,
    GiveUp,
    LookUpOrder,
    OrderMoved,
    PullKillSwitch,
    RaiseAlarm,
    StopAsked,
)
from bot.trading.step.manager import OrderManager
from bot.trading.stream import OrderedStream

ORDER = make_order()
REPORTED = OrderReported(1, report("OPEN"), ns=3)


@attrs.define(eq=False)
class FakeManager(OrderManager):
    """Decides what it is told to, and notes each step."""

    clock: HandClock
    tape: RecordingTape
    decides: Callable[[], list[Effect]] = list
    steps: list[tuple[Item, int, int]] = attrs.field(factory=list)
    """The item, when it came, and how many records there were by then."""

    def step(self, item: Item, now_ns: int) -> list[Effect]:
        self.steps.append((item, now_ns, len(self.tape.records)))
        self.clock.now_ns += 100  # it takes its time
        return self.decides()


@attrs.define(eq=False)
class Stage:
    """A stream and everything around it."""

    stream: OrderedStream
    manager: FakeManager
    tape: RecordingTape
    done: list[tuple[object, ...]]
    """What was carried out, each with how many records there were by then."""


def open_stage(decides: Callable[[], list[Effect]] = list) -> Stage:
    clock = HandClock(7)
    tape = RecordingTape(clock)
    manager = FakeManager(clock, tape, decides)
    done: list[tuple[object, ...]] = []
    stream = OrderedStream(
        manager,
        tape,
        alarm=lambda text: done.append(("alarm", text, len(tape.records))),
        pull_kill_switch=lambda reason: done.append(("kill switch", reason, len(tape.records))),
        give_up=lambda reason: done.append(("give up", reason, len(tape.records))),
    )
    stream.carry_out = lambda effect, number: done.append((effect, number, len(tape.records)))
    return Stage(stream, manager, tape, done)


def test_an_item_is_written_down_before_its_step() -> None:
    """With its generation, and the time of its record is the time at which it is handled."""
    stage = open_stage()
    lost, stop = SessionLost(3), StopAsked("SIGINT")
    stage.stream(lost)
    stage.stream(stop)
    assert [(str(each.kind), each.ns, each.generation) for each in stage.tape.records] == [
        ("generation", 7, 3),
        ("stop", 107, 0),
    ]
    assert stage.manager.steps == [(lost, 7, 1), (stop, 107, 2)]
    assert stage.done == []


def test_a_report_is_not_written_twice() -> None:
    """Its frame is on the tape already, and the time of that is when it came."""
    stage = open_stage()
    stage.stream(REPORTED)
    assert stage.tape.records == []
    assert stage.manager.steps == [(REPORTED, 3, 0)]


def test_effects_are_written_down_and_then_begun_with() -> None:
    """In the order of their decision. All are on the tape before the first is begun with; each is told its number."""
    effects = [
        OrderMoved(ORDER),
        CancelOrder(ORDER),
        RaiseAlarm("help"),
        LookUpOrder(ORDER),
        FetchBbo(SYMBOL),
    ]
    stage = open_stage(lambda: effects)
    stage.stream(StopAsked("SIGINT"))
    assert [str(each.kind) for each in stage.tape.records] == [
        "stop",
        "order",
        "effect",
        "alarm",
        "effect",
        "effect",
    ]
    assert stage.done == [
        (CancelOrder(ORDER), 3, 6),
        ("alarm", "help", 6),
        (LookUpOrder(ORDER), 5, 6),
        (FetchBbo(SYMBOL), 6, 6),
    ]


def test_what_is_carried_out_at_once_reports_in_a_step_of_its_own() -> None:
    """That of the decision is over by then: the tape has it whole, and then the report."""
    stage = open_stage(lambda: [LookUpOrder(ORDER), CancelOrder(ORDER)])

    def at_once(effect: Effect, _number: int) -> None:
        stage.manager.decides = list
        if isinstance(effect, LookUpOrder):
            stage.stream(SessionLost(1))

    stage.stream.carry_out = at_once
    stage.stream(StopAsked("SIGINT"))
    assert [str(each.kind) for each in stage.tape.records] == ["stop", "effect", "effect", "generation"]
    assert [step[0] for step in stage.manager.steps] == [StopAsked("SIGINT"), SessionLost(1)]
    assert not stage.stream.broken


def test_a_report_has_effects_like_anything_else() -> None:
    """Written down and carried out."""
    stage = open_stage(lambda: [CancelOrder(ORDER)])
    stage.stream(REPORTED)
    assert stage.tape.told() == [("effect", {"do": "cancel", "client_id": "run-1", "venue_id": ""})]
    assert stage.done == [(CancelOrder(ORDER), 1, 1)]


def test_who_gives_up_is_heard() -> None:
    """With the reason; what was decided besides is carried out all the same."""
    stage = open_stage(lambda: [GiveUp("no size fits"), CancelOrder(ORDER)])
    stage.stream(StopAsked("SIGINT"))
    assert stage.tape.told(Kind.EFFECT)[0] == ("effect", {"do": "give up", "reason": "no size fits"})
    assert stage.done == [("give up", "no size fits", 3), (CancelOrder(ORDER), 3, 3)]


def test_the_kill_switch_is_pulled_before_anything_else_is_begun() -> None:
    """What was decided after it is carried out: cancels, of what else would have to be stopped."""
    stage = open_stage(lambda: [PullKillSwitch("too many orders"), CancelOrder(ORDER)])
    stage.stream(StopAsked("SIGINT"))
    assert stage.done == [("kill switch", "too many orders", 3), (CancelOrder(ORDER), 3, 3)]


def test_after_a_step_that_raises_there_is_no_other() -> None:
    """What happens then is still written down, for whoever looks for the bug, and nobody is bothered with it."""

    def bug() -> list[Effect]:
        raise ZeroDivisionError("a strategy's bug")

    stage = open_stage(bug)
    with pytest.raises(ZeroDivisionError, match="a strategy's bug"):
        stage.stream(StopAsked("SIGINT"))
    stage.manager.decides = lambda: [CancelOrder(ORDER)]
    for item in (SessionLost(1), REPORTED, BboFetched(SYMBOL, NotSentError("no way"))):
        stage.stream(item)
    assert [str(each.kind) for each in stage.tape.records] == ["stop", "generation", "outcome"]
    assert (len(stage.manager.steps), stage.done) == (1, [])


def test_after_an_effect_that_raises_there_is_no_other_step() -> None:
    """What was decided beside it is not begun, and nobody knows what of it was."""
    stage = open_stage(lambda: [CancelOrder(ORDER), LookUpOrder(ORDER)])

    def bug(_effect: Effect, _number: int) -> None:
        raise ZeroDivisionError("the executor's bug")

    stage.stream.carry_out = bug
    with pytest.raises(ZeroDivisionError):
        stage.stream(StopAsked("SIGINT"))
    stage.stream(SessionLost(1))
    assert (len(stage.manager.steps), stage.stream.broken) == (1, True)


@pytest.mark.parametrize(
    "error",
    [
        NotSentError("no"),
        RefusedError(400, "CODE", "no"),
        UnknownOutcomeError("no"),
        StreamClosedError(1006, ""),
    ],
)
def test_no_step_is_mistaken_for_the_venue(error: Exception) -> None:
    """A failure of the venue's is tried again by whoever supervises; one out of a step is a bug, and is not."""

    def bug() -> list[Effect]:
        raise error

    stage = open_stage(bug)
    with pytest.raises(RuntimeError, match="a step raised") as caught:
        stage.stream(StopAsked("SIGINT"))
    assert caught.value.__cause__ is error
    stage.stream(SessionLost(1))
    assert len(stage.manager.steps) == 1
