"""The order's states: the table, and what no sequence of reports may do."""

from functools import reduce
from itertools import permutations

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.order import (
    TERMINAL,
    TRANSITIONS,
    Ending,
    Event,
    ImpossibleEventError,
    Instruction,
    Order,
    OrderType,
    Side,
    State,
)

ORDER = Order(
    client_id="run-1",
    market="BTC-USD-PERP",
    side=Side.BUY,
    type=OrderType.LIMIT,
    instruction=Instruction.POST_ONLY,
    size=1_000_000,
    price=4_200_000_000_000,
)

# Written down a second time, from `faults.md` section 1, for the eye to check. A point is an impossible event;
# states are called by their first three letters.
EXPECTED = """
                SEND     UNSENT   REFUSED  LOST     EXPIRED  AGAIN    ACCEPTED WAITING  RESTING  FILL     ENDED
INTENT          SEN      NEV      .        .        .        .        .        .        .        .        .
SENT            .        NEV      REJ      UNK      .        .        NEW      UNT      OPE      PAR      CLO
UNKNOWN         .        .        .        .        NEV      .        NEW      UNT      OPE      PAR      CLO
NEW             .        .        .        NEW      .        .        NEW      UNT      OPE      PAR      CLO
UNTRIGGERED     .        .        .        UNT      .        .        UNT      UNT      OPE      PAR      CLO
OPEN            .        .        .        OPE      .        .        OPE      OPE      OPE      PAR      CLO
PARTLY_FILLED   .        .        .        PAR      .        .        PAR      PAR      PAR      PAR      CLO
CLOSED          .        .        .        CLO      .        .        CLO      CLO      CLO      CLO      CLO
REJECTED        .        .        .        .        .        .        .        .        .        .        .
NEVER_ACCEPTED  .        .        .        .        .        INT      .        .        .        .        .
"""
EVENTS, *ROWS = (line.split() for line in EXPECTED.strip().splitlines())
NAMES = {state[:3]: str(state) for state in State}
PAIRS = [
    (State(state), Event(event), NAMES.get(cell, cell))
    for state, *cells in ROWS
    for event, cell in zip(EVENTS, cells, strict=True)
]


def in_state(state: State) -> Order:
    return attrs.evolve(ORDER, state=state)


@pytest.mark.parametrize(("state", "event", "expected"), PAIRS)
def test_every_pair(state: State, event: Event, expected: str) -> None:
    """A listed event leads where the table says; an unlisted one raises, naming order, state and event."""
    order = in_state(state)
    if expected == ".":
        with pytest.raises(ImpossibleEventError, match=f"^order run-1 is {state}, and met {event}$"):
            order.after(event)
    else:
        assert order.after(event) is State(expected)
    assert order == in_state(state)


def test_the_table_above_is_whole() -> None:
    """Each state and each event stands in it: a new one has to be thought about here too."""
    assert {(state, event) for state, event, _ in PAIRS} == {(s, e) for s in State for e in Event}
    assert len(TRANSITIONS) == sum(cell != "." for *_, cell in PAIRS)


def test_terminal_states_are_final() -> None:
    """No event leads out of them, but for an order that was proved absent; each other state has a way to an end."""
    assert {State.CLOSED, State.REJECTED, State.NEVER_ACCEPTED} == TERMINAL
    for (before, event), after in TRANSITIONS.items():
        assert before not in TERMINAL or after is before or event is Event.AGAIN
    assert [before for before, event in TRANSITIONS if event is Event.AGAIN] == [State.NEVER_ACCEPTED]
    assert {before for (before, _), after in TRANSITIONS.items() if after in TERMINAL} >= set(
        State
    ) - TERMINAL - {State.INTENT}


def walk(events: tuple[Event, ...] | list[Event]) -> list[State]:
    """The states that an order passes, from when it was sent."""
    return reduce(lambda states, event: [*states, in_state(states[-1]).after(event)], events, [State.SENT])


STATES = "SENT UNKNOWN NEW UNTRIGGERED OPEN PARTLY_FILLED CLOSED"
RANK = {State(name): rank for rank, name in enumerate(STATES.split())}
REPORTS = {
    Event.ACCEPTED: State.NEW,
    Event.WAITING: State.UNTRIGGERED,
    Event.RESTING: State.OPEN,
    Event.FILL: State.PARTLY_FILLED,
    Event.ENDED: State.CLOSED,
}


def furthest(events: tuple[Event, ...] | list[Event]) -> State:
    """What has to be believed, whatever the order of the reports was."""
    states = [REPORTS[event] for event in events if event in REPORTS]
    states += [State.UNKNOWN] if Event.LOST in events else []
    return max(states, key=RANK.__getitem__, default=State.SENT)


def test_all_orders_of_all_reports() -> None:
    """Reports of channel and REST and the loss of the answer, in every order: the furthest wins, none goes back."""
    reports = [*REPORTS, Event.FILL, Event.LOST]
    for length in range(len(reports) + 1):
        for events in set(permutations(reports, length)):
            states = walk(events)
            assert states[-1] is furthest(events)
            assert states == sorted(states, key=RANK.__getitem__)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(list(REPORTS)), max_size=30),
    st.lists(st.sampled_from(list(REPORTS)), max_size=5),
)
def test_storms_of_reports(before: list[Event], after: list[Event]) -> None:
    """Duplicated, reordered and late as they like, and the answer lost in between: the same holds."""
    events = [*before, Event.LOST, *after]
    states = walk(events)
    assert states[-1] is furthest(events)
    assert states == sorted(states, key=RANK.__getitem__)


def test_a_new_order_is_whole() -> None:
    """It is an intent, nothing of it is filled, and nobody has said anything about it."""
    assert (ORDER.state, ORDER.remaining, ORDER.filled, ORDER.venue_id) == (State.INTENT, ORDER.size, 0, "")
    assert not ORDER.is_over
    assert attrs.evolve(ORDER, filled=600_000).remaining == 400_000
    assert {state for state in State if in_state(state).is_over} == TERMINAL
    with_the_venue = {State.NEW, State.UNTRIGGERED, State.OPEN, State.PARTLY_FILLED}
    assert {state for state in State if in_state(state).is_with_the_venue} == with_the_venue


def test_how_a_closed_order_ended() -> None:
    """Filled, or cancelled with whatever was filled before; one that is not closed has no ending."""
    closed = in_state(State.CLOSED)
    assert attrs.evolve(closed, filled=closed.size).ending is Ending.FILLED
    assert closed.ending is attrs.evolve(closed, filled=closed.size - 1).ending is Ending.CANCELLED
    assert {in_state(state).ending for state in State if state is not State.CLOSED} == {None}
