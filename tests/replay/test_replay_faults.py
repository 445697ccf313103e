"""A fault at any record of a recorded session: nothing lost, nothing doubled, nothing guessed; and bugs are seen."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import cycle, pairwise
from typing import Any

import attrs
import pytest
from replay_stage import acted, read_session

from bot import app
from bot.core.errors import RequestError, UnknownOutcomeError
from bot.core.fill import Fill
from bot.core.order import Event, Order, State
from bot.core.tape import Kind
from bot.exchange.matching.commands import Cancel
from bot.journal.reader import Recording, read
from bot.journal.record import Record
from bot.link.http import Reservation
from bot.paradex import outcome
from bot.paradex.answers import OrderReport
from bot.replay.network.fault import CannotStrikeError, Fault, Strike, can_strike
from bot.replay.network.faulted import Report, play_with_fault
from bot.replay.network.score import decoded
from bot.replay.network.stage import play
from bot.replay.scenarios import at_each_order
from bot.session.inbox import Snapshot
from bot.settings import Settings
from bot.settings.recorded import of_recording
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.summary import Summary
from bot.trading import executor
from bot.trading.step.holdings import Holdings
from bot.trading.step.ledger import Ledger
from bot.trading.step.pursuit import Pursuit
from bot.trading.step.stocktaking import Stocktaking
from bot.trading.strategies.probe import Probe
from bot.trading.strategies.strategy import Event as Happening
from bot.trading.strategies.strategy import OrderChanged
from bot.trading.strategies.trader import Trader


@cache
def two_orders() -> Recording:
    """The plain session, up to the pause after its second order."""
    plain = read_session("plain")
    pauses = [r.number for r in plain.records if r.kind == Kind.EFFECT and r.data["do"] == "wait"]
    strategy = [number for number in pauses if plain.records[number - 1].data["purpose"] == "strategy"]
    return attrs.evolve(plain, records=plain.records[: strategy[1]])


def struck(recording: Recording, at: int, fault: Fault, seconds: float = 2.0) -> Report:
    return play_with_fault(recording, of_recording(recording.header.settings), at, fault, seconds=seconds)


def is_post(record: Record) -> bool:
    return record.kind == Kind.REQUEST and (record.data["method"], record.data["path"]) == ("POST", "/orders")


def is_delete(record: Record) -> bool:
    return record.kind == Kind.REQUEST and record.data["method"] == "DELETE"


def cases(recording: Recording) -> Iterator[tuple[int, Fault]]:
    """Every fault at every message of the second order, one at each of the first: they are the same in kind."""
    first, second = (
        i for i, r in enumerate(recording.records) if r.kind == Kind.EFFECT and r.data["do"] == "quote"
    )
    messages = [record for record in recording.records[first:second] if can_strike(record)]
    for record, fault in zip(messages, cycle(Fault), strict=False):
        yield record.number, fault if fault in can_strike(record) else Fault.CUT
    for record in recording.records[second:]:
        yield from ((record.number, fault) for fault in sorted(can_strike(record)))


@pytest.mark.parametrize("part", range(4))
def test_any_fault_at_any_message_of_an_order(part: int) -> None:
    """From its quote to its end: the bot ends with what the venue has, or names what it does not know."""
    for at, fault in list(cases(two_orders()))[part::4]:
        report = struck(two_orders(), at, fault)
        assert report.holds, report.to_text()
        assert report.struck_at is not None
        assert report.bot_exit_code == (4 if report.unresolved else 0)


@pytest.mark.parametrize("name", ["reconnects", "fills", "strange", "restart", "calls", "unheard"])
def test_a_few_faults_in_other_sessions(name: str) -> None:
    """Where sessions come and go, orders fill, and a venue says odd things: the same promise."""
    recording = read_session(name)
    messages = [record for record in recording.records if can_strike(record)]
    for record, fault in zip(messages[7::37], list(Fault) * 9, strict=False):
        if fault in can_strike(record):
            with acted(name):
                report = struck(recording, record.number, fault)
            assert report.holds, report.to_text()


@pytest.mark.parametrize("what", ["/system/time", "/system/config", "/markets", "/auth", "/onboarding"])
@pytest.mark.parametrize("kind", [Kind.REQUEST, Kind.ANSWER])
def test_a_login_that_is_struck_is_repeated(what: str, kind: Kind) -> None:
    """A message of the login is lost: the bot logs in again, and places the recorded orders all the same."""
    recording = two_orders()
    asked = next(r for r in recording.records if r.kind == Kind.REQUEST and r.data["path"].startswith(what))
    at = next(r for r in recording.records if r.kind == kind and r.data["x"] == asked.data["x"])
    report = struck(recording, at.number, Fault.CUT)
    assert report.holds, report.to_text()
    assert report.orders


def test_each_fault_does_to_a_frame_what_it_says() -> None:
    """Not there, two seconds late, twice, or not there and its connection neither."""
    recording = two_orders()
    settings = of_recording(recording.header.settings)
    frame = next(r for r in recording.records if r.kind == Kind.FRAME_IN and '"OPEN"' in r.data)
    came: dict[Fault, list[float]] = {}
    for fault in Fault:
        records = play(recording, settings, Strike(frame.number, fault)).records
        came[fault] = [(r.ns - frame.ns) / 1e9 for r in records if r.data == frame.data]
        ended = next(r for r in records if r.kind == Kind.SOCKET_END)
        assert (ended.data["code"], ended.ns == frame.ns) == (
            (1006, True) if fault is Fault.CUT else (1000, False)
        )
    assert came == {
        Fault.DROP: [],
        Fault.DELAY: [pytest.approx(2.0)],
        Fault.DUPLICATE: [0.0, 0.0],
        Fault.CUT: [],
    }


def test_the_venue_keeps_its_own_clock() -> None:
    """It was 2 s ahead of the recorded machine: so it is when it is asked more often than was recorded."""
    recording = two_orders()
    ahead = [
        r._replace(data=r.data | {"body": f'{{"server_time":"{int(found[1]) + 2000}"}}'})
        if r.kind == Kind.ANSWER and (found := re.fullmatch(r'{"server_time":"(\d+)"}', r.data["body"]))
        else r
        for r in recording.records
    ]
    lost = next(r for r in ahead if r.kind == Kind.FRAME_IN and '"OPEN"' in r.data)
    skewed = attrs.evolve(recording, records=ahead)
    came = play(skewed, of_recording(recording.header.settings), Strike(lost.number, Fault.DROP))
    asked = {r.data["x"] for r in came.records if r.kind == Kind.REQUEST and r.data["path"] == "/system/time"}
    told = [r for r in came.records if r.kind == Kind.ANSWER and r.data["x"] in asked and r.ns > lost.ns]
    for answer in told:
        wall_ms = (recording.header.started_ns + answer.ns) / 1e6
        assert int(decoded(answer.data["body"])["server_time"]) - wall_ms == pytest.approx(2000, abs=200)
    assert len(told) == came.venue.answers.composed["GET /system/time"] > 0


def test_the_same_fault_gives_the_same_report() -> None:
    """Same file, same record, same fault: the same words, and the same JSON."""
    answer = answer_before_its_frame(two_orders())
    first, second = (struck(two_orders(), answer, Fault.CUT) for _ in range(2))
    assert first.to_text() == second.to_text()
    assert first.to_json() == second.to_json()
    assert first.exit_code == 0


def test_the_report_tells_what_went_otherwise() -> None:
    """The answer to an order is lost with its connection: unknown, looked up, found; and the rest is as recorded."""
    answer = answer_before_its_frame(two_orders())
    text = struck(two_orders(), answer, Fault.CUT).to_text()
    for words in (
        f"cut at record {answer} (http<): struck at",
        "is UNKNOWN, filled 0",
        "look up",
        "CLOSED, filled 0; at the venue CLOSED",
        "nothing lost, nothing doubled, nothing guessed",
    ):
        assert words in text


def test_an_order_that_never_arrived_is_proved_absent() -> None:
    """Its request vanishes: it is looked for until the venue can no longer accept it, and the venue has none."""
    post = next(r for r in two_orders().records if is_post(r))
    report = struck(two_orders(), post.number, Fault.DROP)
    assert [(order.state, order.venue_status) for order in report.orders] == [("NEVER_ACCEPTED", "")]
    assert report.holds
    assert report.composed["GET /orders"] >= 2


@pytest.mark.parametrize(
    ("kind", "fault", "words"),
    [
        (Kind.EFFECT, Fault.DROP, "is no message between the bot and the venue"),
        (Kind.ANSWER, Fault.DUPLICATE, "only frames of the venue, orders and cancels can come twice"),
    ],
)
def test_what_cannot_be_struck_names_what_can(kind: Kind, fault: Fault, words: str) -> None:
    """A record that is no message, or a message that cannot come twice; the nearest that can be struck is named."""
    record = next(r for r in two_orders().records if r.kind == kind and r.number > 20)
    with pytest.raises(CannotStrikeError, match=words) as refused:
        struck(two_orders(), record.number, fault)
    nearest = int(str(refused.value).partition("the nearest that")[2].split(" is ")[1].split()[0])
    assert fault in can_strike(two_orders().records[nearest - 1])


def test_a_request_that_never_left_cannot_be_struck() -> None:
    """Its connection was refused when it was recorded, and is again: nothing of it is on the way."""
    recording = two_orders()
    answer = next(r for r in recording.records if r.kind == Kind.ANSWER and r.data["x"] == 12)
    unsent = answer._replace(kind=Kind.FAILURE, data={"x": 12, "failure": "not sent", "text": "refused"})
    records = [unsent if r is answer else r for r in recording.records]
    asked = next(r for r in records if r.kind == Kind.REQUEST and r.data["x"] == 12)
    with pytest.raises(
        CannotStrikeError, match=f"the request of record {asked.number} never left; the nearest"
    ):
        struck(attrs.evolve(recording, records=records), asked.number, Fault.DROP)


@pytest.mark.parametrize("at", [0, -3, 10**9])
def test_a_record_that_is_not_there(at: int) -> None:
    """No such number: said so, with one that is there."""
    with pytest.raises(CannotStrikeError, match=f"there is no record {at}; the nearest"):
        struck(two_orders(), at, Fault.DROP)


@pytest.mark.parametrize("seconds", [-1.0, float("inf"), float("nan")])
def test_a_delay_that_cannot_be(seconds: float) -> None:
    """Seconds are 0 or more, and finite."""
    with pytest.raises(CannotStrikeError, match="0 or more are allowed"):
        struck(two_orders(), 38, Fault.DELAY, seconds)


# Bugs that somebody might write, and the record and fault that show each.


def answer_before_its_frame(recording: Recording) -> int:
    """The answer to an order that came before any frame spoke of it."""
    seen: set[str] = set()
    posts = {r.data["x"]: decoded(r.data["body"])["client_id"] for r in recording.records if is_post(r)}
    for record in recording.records:
        if record.kind == Kind.ORDER and record.data["venue_id"]:
            seen.add(record.data["client_id"])
        if record.kind == Kind.ANSWER and posts.get(record.data["x"], "") not in {"", *seen}:
            return record.number
    raise LookupError


def its_request(recording: Recording) -> int:
    answer = recording.records[answer_before_its_frame(recording) - 1]
    return next(r.number for r in recording.records if is_post(r) and r.data["x"] == answer.data["x"])


def last_cancel(recording: Recording) -> int:
    return max(r.number for r in recording.records if is_delete(r))


def partial_fill(recording: Recording) -> int:
    """The frame that tells of a fill, of an order that is cancelled after it and not filled further."""
    states = [r for r in recording.records if r.kind == Kind.ORDER and r.data["filled"] != "0"]
    filled = next(
        first
        for first, last in pairwise(states)
        if last.data["reason"] and first.data["filled"] == last.data["filled"]
    )
    return filled.number - 1


def retries(patch: pytest.MonkeyPatch) -> None:
    """A transport that sends again what may have arrived."""
    send = Reservation.send

    async def twice(self: Reservation, *request: Any, **options: Any) -> Any:
        try:
            return await send(self, *request, **options)
        except UnknownOutcomeError:
            return await send(self, *request, **options)

    patch.setattr(Reservation, "send", twice)


def takes_unknown_for_no(patch: pytest.MonkeyPatch) -> None:
    move = Ledger.move

    def moved(self: Ledger, order: Order, event: Event, **known: Any) -> None:
        move(self, order, Event.REFUSED if event is Event.LOST else event, **known)

    patch.setattr(Ledger, "move", moved)


def takes_a_duplicate_for_no(patch: pytest.MonkeyPatch) -> None:
    """What was refused is a copy, so there is an original; this one forgets that."""
    of_answer = outcome.of_answer

    def forgetful(status: int, code: str, message: str) -> RequestError:
        return of_answer(status, code.replace(outcome.DUPLICATE_CODE, "SOMETHING"), message)

    patch.setattr(outcome, "of_answer", forgetful)


def looks_in_one_place(patch: pytest.MonkeyPatch) -> None:
    """Among the open orders only, be it for an order or for a comparison."""

    def found(client_id: str, open_orders: Sequence[OrderReport], _: object) -> OrderReport | None:
        return next((report for report in open_orders if report.client_id == client_id), None)

    merge = Stocktaking.merge

    def merged(self: Stocktaking, snapshot: Snapshot) -> None:
        merge(self, attrs.evolve(snapshot, history=(), fills=()))

    patch.setattr(executor, "find_report", found)
    patch.setattr(Stocktaking, "merge", merged)


def counts_fills_twice(patch: pytest.MonkeyPatch) -> None:
    """It forgets which fills it has counted."""
    count = Holdings.count

    def forgetful(self: Holdings, fill: Fill, order: Order | None, **how: bool) -> bool:
        self._counted.pop(fill.key, None)
        return count(self, fill, order, **how)

    patch.setattr(Holdings, "count", forgetful)


def places_another(patch: pytest.MonkeyPatch) -> None:
    """A strategy that does not wait: nobody knows what became of its order, and it places the same again."""
    on_event = Probe.on_event

    def impatient(self: Probe, event: Happening, trader: Trader) -> None:
        if isinstance(event, OrderChanged) and event.order.state is State.UNKNOWN:
            lost = event.order
            trader.place(
                lost.market, lost.side, size=lost.size, price=lost.price, instruction=lost.instruction
            )
        on_event(self, event, trader)

    patch.setattr(Probe, "on_event", impatient)


def breaks(patch: pytest.MonkeyPatch) -> None:
    """A step that raises what nobody expects."""

    def raising(*_: object) -> None:
        raise ArithmeticError("no such luck")

    patch.setattr(Pursuit, "doubt", raising)


def names_nobody(patch: pytest.MonkeyPatch) -> None:
    """The end does not say what is unresolved: an order whose cancel is waited for too long."""
    patch.setattr(executor, "CANCEL_DEADLINE", 60.0)
    summary = app.Work._summary

    def silent(self: app.Work, *args: Any) -> Summary:
        return attrs.evolve(summary(self, *args), unresolved=[])

    patch.setattr(app.Work, "_summary", silent)


BUGS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str, Callable[[Recording], int], Fault, str]] = {
    "retries": (retries, "two orders", answer_before_its_frame, Fault.CUT, "doubled: .* was sent 2 times"),
    "unknown is no": (
        takes_unknown_for_no,
        "two orders",
        answer_before_its_frame,
        Fault.CUT,
        "guessed: .*REJECTED",
    ),
    "duplicate is no": (
        takes_a_duplicate_for_no,
        "two orders",
        its_request,
        Fault.DUPLICATE,
        "guessed: .*REJECTED",
    ),
    "one place": (
        looks_in_one_place,
        "closed unseen",
        answer_before_its_frame,
        Fault.DROP,
        "guessed: .*NEVER_ACC",
    ),
    "counts twice": (counts_fills_twice, "fills", partial_fill, Fault.DUPLICATE, "guessed: .*CLOSED, filled"),
    "places another": (
        places_another,
        "two orders",
        answer_before_its_frame,
        Fault.CUT,
        "doubled: .*place .* nobody knows",
    ),
    "breaks": (
        breaks,
        "two orders",
        answer_before_its_frame,
        Fault.CUT,
        "the bot breaks: ArithmeticError: no such luck .test_replay_faults.py, line ",
    ),
    "names nobody": (names_nobody, "two orders", last_cancel, Fault.DROP, "lost: .*nobody was told"),
}


@pytest.fixture(scope="session")
def closed_unseen_session(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """An order that the venue ends while the WebSocket is away: only the history knows."""

    async def whole(rehearsal: Rehearsal) -> None:
        exchange, after = rehearsal.exchange, rehearsal.network.after

        def liquidate() -> None:
            exchange.engine.step(Cancel(list(exchange.orders.values())[-1], "LIQUIDATION"))

        def close_unseen(number: int) -> None:
            if number == 1:
                after(0.04, exchange.drop_websockets)
                after(0.06, liquidate)

        at_each_order(rehearsal, close_unseen)
        await rehearsal.trade(5)

    file = tmp_path_factory.mktemp("replay") / "session.journal"
    rehearse(whole, Settings(), seed=1, delay=0.05, tls=False, journal=file)
    return read(file)


@pytest.mark.parametrize("bug", BUGS)
def test_bugs_break_the_promise(
    bug: str, monkeypatch: pytest.MonkeyPatch, closed_unseen_session: Recording
) -> None:
    """Without the bug the fault does no harm, with it the verdict says what was broken."""
    put_in, name, find, fault, words = BUGS[bug]
    sessions = {"closed unseen": closed_unseen_session, "two orders": two_orders()}
    recording = sessions.get(name) or read_session(name)
    at = find(recording)
    healthy = struck(recording, at, fault)
    assert healthy.holds, healthy.to_text()
    put_in(monkeypatch)
    report = struck(recording, at, fault)
    assert report.exit_code == 1
    assert (report.bot_exit_code == 1) == (bug == "breaks")
    assert any(re.match(words, broken) for broken in report.broken), report.to_text()
