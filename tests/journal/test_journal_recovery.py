"""What sessions tell of orders that are not known to be over: the same however often, and wherever they end."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import pytest
from orders_stage import HEAD, intent, not_sent, order, place, written

from bot.core.fixed import parse, render
from bot.core.order import TERMINAL, State
from bot.core.recovered import Recovered, RecoveredOrder, retold, told
from bot.core.tape import Kind
from bot.journal.header import Header
from bot.journal.reader import NotAJournalError, Recording, find, read
from bot.journal.record import Record
from bot.journal.recovery import SessionOrders, UnknownRecordError, recover

SESSIONS = sorted(Path(__file__).parents[1].glob("replay/sessions/*.journal"))
NOTHING = Recovered()


def left_by(*told: tuple[str, Any], before: Recovered = NOTHING) -> Recovered:
    return folded(
        HEAD, [Record(number, number * 10**9, 0, *each) for number, each in enumerate(told, 1)], before
    )


def folded(header: Header, records: Sequence[Record], before: Recovered = NOTHING) -> Recovered:
    orders = SessionOrders(header, left_before=before)
    for record in records:
        orders.meet(record)
    return orders.left()


def only(left: Recovered) -> RecoveredOrder:
    (each,) = left.orders
    return each


def test_an_intent_without_outcome_is_unknown() -> None:
    """The order may have arrived. Until the end of its recv_window the venue may accept it still."""
    each = only(left_by(place(), intent()))
    assert each.order.state is State.UNKNOWN
    assert each.last_acceptable_ms == 1_005_000
    assert (each.order.client_id, each.order.market, each.order.side) == ("a", "BTC-USD-PERP", "BUY")
    assert (each.order.size, each.order.price) == (parse("0.01"), parse("83299.6"))
    assert only(left_by(place(), intent(), order("SENT", venue_id=""))).order.state is State.UNKNOWN


def test_what_has_no_intent_never_left() -> None:
    """The intent is in the file before the first byte goes."""
    assert left_by(place()).orders == ()


def test_what_was_not_sent_is_over() -> None:
    """Were it only the outcome that reached the file, and not what the step made of it."""
    assert left_by(place(), intent(), not_sent()).orders == ()
    assert left_by(place(), intent(), not_sent(), order("NEVER_ACCEPTED")).orders == ()


@pytest.mark.parametrize("failure", ["unknown", "refused"])
def test_an_outcome_that_proves_nothing_here(failure: str) -> None:
    """Whether a refusal means that the venue holds nothing, the order manager judges: its record tells, or nobody."""
    outcome = (Kind.OUTCOME, {"what": "place", "client_id": "a", "failure": failure, "text": "?"})
    assert only(left_by(place(), intent(), outcome)).order.state is State.UNKNOWN
    assert left_by(place(), intent(), outcome, order("REJECTED")).orders == ()


@pytest.mark.parametrize("state", State)
def test_each_state(state: State) -> None:
    """The newest record tells; what is over, is over."""
    left = left_by(place(), intent(), order(state))
    if state in TERMINAL or state is State.INTENT:
        assert left.orders == ()
    else:
        assert only(left).order.state is (State.UNKNOWN if state is State.SENT else state)


def test_what_an_order_record_tells() -> None:
    """The venue's id, how much is filled, and the terms where they changed."""
    each = only(left_by(place(), intent(), order("OPEN", filled="0.004", size="0.02", price="83000"))).order
    assert (each.venue_id, render(each.filled)) == ("v", "0.004")
    assert (render(each.size), render(each.price)) == ("0.02", "83000")


@pytest.mark.parametrize(
    "wish",
    [
        (Kind.EFFECT, {"do": "cancel", "client_id": "a", "venue_id": "v"}),
        (Kind.STOP, {"reason": "SIGINT"}),
        (Kind.COMMAND, {"command": "kill switch", "reason": "SIGUSR1"}),
    ],
)
def test_a_cancel_that_was_wanted(wish: tuple[str, Any]) -> None:
    """Is remembered: nobody knows how it ended. A stop wants every order gone."""
    opened = (place(), intent(), order("OPEN"))
    assert not only(left_by(*opened)).order.cancelling
    assert only(left_by(*opened, wish)).order.cancelling


def test_an_order_that_is_sent_again() -> None:
    """Under the same client id, after it was proved that nothing of the first is there: it is in doubt again."""
    again = (place(), intent(), order("NEVER_ACCEPTED"), order("INTENT"), place())
    assert left_by(*again).orders == ()
    assert only(left_by(*again, intent())).order.state is State.UNKNOWN


def test_a_modification_is_no_order() -> None:
    """Its intent leaves the order in the state that it has."""
    opened = (place(), intent(), order("OPEN"), intent(method="PUT"))
    assert only(left_by(*opened)).order.state is State.OPEN


def test_an_order_of_a_batch() -> None:
    """Each has its own window in the body that they share; one that does not say has the venue's own."""
    body = '[{"client_id":"a","recv_window":2000},{"client_id":"b"}]'
    both = [place("a")[1], place("b")[1]]
    batch = (Kind.EFFECT, {"do": "place batch", "orders": both, "generation": 1})
    intents = (intent("a", body=body), intent("b", body=body))
    left = left_by(batch, *intents)
    assert left == left_by(place("a"), place("b"), *intents)
    assert [each.last_acceptable_ms for each in left.orders] == [1_002_000, 1_300_000]
    gone = [{"client_id": "b", "venue_id": ""}, {"client_id": "long over", "venue_id": ""}]
    left = left_by(batch, *intents, (Kind.EFFECT, {"do": "cancel batch", "orders": gone}))
    assert [each.order.cancelling for each in left.orders] == [False, True]


def test_what_a_later_session_took_over() -> None:
    """Its records tell of the earlier one's orders; the record of what was left makes that one needless."""
    first = left_by(place(), intent())
    taken = (Kind.RECOVERED, told(first) | {"acceptable_until_ns": [5]})
    assert left_by(taken, before=first) == attrs.evolve(first, run_ids=first.run_ids * 2)
    assert left_by(taken) == left_by(taken, before=first)
    assert only(left_by(taken, order("OPEN"))).order.state is State.OPEN
    assert only(left_by(taken, order("OPEN"))).last_acceptable_ms == 1_005_000
    assert left_by(taken, order("CLOSED")).orders == ()


def test_a_session_that_took_nothing_over() -> None:
    """It crashed before, or was not there: then what was left before it is left still."""
    first = left_by(place(), intent())
    assert left_by(place("b"), intent("b"), before=first).orders == (
        *first.orders,
        only(left_by(place("b"), intent("b"))),
    )


def test_up_to_when_everything_is_known() -> None:
    """Since the last snapshot, in the venue's time; without one since the session began, or what it took over."""
    began_ms = HEAD.started_ns // 1_000_000
    snapshot = (Kind.OUTCOME, {"what": "snapshot", "requested_ns": 7_000_000_000, "x": [[1]]})
    # An answer after one second, half of which it was on its way: the venue's clock is 250 ms ahead.
    body = f'{{"server_time":"{began_ms + 750}"}}'
    ahead = (Kind.ANSWER, {"x": 1, "status": 200, "elapsed_ns": 1_000_000_000, "body": body})
    assert left_by().seen_ms == began_ms
    assert left_by(ahead).seen_ms == began_ms + 250
    assert left_by(ahead, snapshot).seen_ms == began_ms + 7_250
    taken = (Kind.RECOVERED, told(Recovered(seen_ms=5)))
    assert left_by(ahead, taken).seen_ms == 5
    assert left_by(ahead, taken, snapshot).seen_ms == began_ms + 7_250
    nonsense = (Kind.ANSWER, {"x": 1, "status": 200, "elapsed_ns": 0, "body": '{"server_time":"noon"}'})
    assert left_by(nonsense).seen_ms == began_ms


def test_what_is_told_comes_back() -> None:
    """As JSON, whatever was left."""
    left = left_by(place(), intent(), place("b"), intent("b"), order("OPEN", "b", filled="0.005"))
    assert len(left.orders) == 2
    assert retold(told(left)) == left


@pytest.mark.parametrize(
    "strange",
    [
        (Kind.ORDER, {"client_id": "a", "state": "SOMEWHERE"}),
        (Kind.ORDER, {}),
        (Kind.EFFECT, {"do": "place", "client_id": "a"}),
        intent("nobody"),
        (Kind.RECOVERED, {"orders": [{}], "run_ids": []}),
    ],
)
def test_a_record_that_nobody_understands(strange: tuple[str, Any]) -> None:
    """Is not passed over: an order might be lost with it."""
    with pytest.raises(UnknownRecordError, match="has not the form of its kind"):
        left_by(place(), intent(), strange)


def test_a_damaged_tail_is_usual(tmp_path: Path) -> None:
    """What is before it counts. Where nothing is, the session tells nothing."""
    path = written(tmp_path / "s.journal", place(), intent(), order("OPEN"), order("CLOSED"))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:-5])
    assert only(recover(find(path), NOTHING)).order.state is State.OPEN
    path.write_bytes(lines[0] + lines[1][:-5])
    with pytest.raises(NotAJournalError):
        recover(find(path), NOTHING)
    assert recover(find(written(path)), NOTHING).orders == ()


@cache
def whole(path: Path) -> Recording:
    return read(path)


@attrs.define
class Naive:
    """The same in other words: state, venue id and filled size of each order that may be open, by its last record."""

    last: dict[str, tuple[str, str, str]] = attrs.field(factory=dict)

    def meet(self, record: Record) -> None:
        match record.kind, record.data:
            case Kind.RECOVERED, {"orders": [*orders]}:
                self.last |= {
                    each["client_id"]: (each["state"], each["venue_id"], each["filled"]) for each in orders
                }
            case Kind.INTENT, {"what": "place", "client_id": client_id}:
                self.last[client_id] = ("UNKNOWN", "", "0")
            case Kind.OUTCOME, {"what": "place", "failure": "not sent", "client_id": client_id}:
                self.last[client_id] = ("NEVER_ACCEPTED", "", "0")
            case Kind.ORDER, {"client_id": client_id, "state": state, "venue_id": venue_id, "filled": filled}:
                self.last[client_id] = ("UNKNOWN" if state == "SENT" else state, venue_id, filled)

    def left(self) -> dict[str, tuple[str, str, str]]:
        gone = {*TERMINAL, State.INTENT}  # what is to be sent again has not left yet
        return {client_id: order for client_id, order in self.last.items() if order[0] not in gone}


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.stem)
def test_wherever_a_session_ends(path: Path) -> None:
    """What is recovered is what its order records tell up to there: all ends are tried, and some are read again."""
    recording = whole(path)
    orders, naive = SessionOrders(recording.header), Naive()
    for number, record in enumerate(recording.records, 1):
        orders.meet(record)
        naive.meet(record)
        left = orders.left()
        assert {
            each.order.client_id: (str(each.order.state), each.order.venue_id, render(each.order.filled))
            for each in left.orders
        } == naive.left()
        began_ms = recording.header.started_ns // 1_000_000
        ours = [each for each in left.orders if each.order.client_id.startswith(recording.header.run_id)]
        assert all(each.last_acceptable_ms > began_ms for each in ours)
        if number % 25 == 0:
            assert folded(recording.header, recording.records[:number]) == left


def test_there_are_sessions() -> None:
    """In which orders are in each of these states when they end somewhere."""
    states = set()
    for path in SESSIONS:
        orders = SessionOrders(whole(path).header)
        for record in whole(path).records:
            orders.meet(record)
            states |= {str(each.order.state) for each in orders.left().orders}
    assert {"UNKNOWN", "NEW", "OPEN"} <= states
