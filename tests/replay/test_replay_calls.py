"""Orders over the WebSocket in a session that is played: what is asked, by which words it is answered, and faults."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
from replay_stage import acted, read_session

from bot.core.errors import RequestError, UnknownOutcomeError
from bot.core.order import State
from bot.core.tape import Kind
from bot.exchange.errors import VenueError
from bot.journal.reader import Recording, read
from bot.journal.record import Record
from bot.link.clock import TrioClock
from bot.link.http import HttpSettings
from bot.paradex import outcome, rpc
from bot.replay.network.agenda import Agenda
from bot.replay.network.answers import Answers
from bot.replay.network.fault import Course, Fault, Strike, can_strike
from bot.replay.network.faulted import Report, play_with_fault
from bot.replay.network.orders import Book
from bot.replay.network.question import Does, Question, is_order_call, of_call, of_record, of_request
from bot.replay.network.reading import read_score
from bot.replay.network.score import decoded
from bot.replay.network.sockets import Caller
from bot.replay.network.stage import play
from bot.replay.network.story import differences
from bot.replay.network.websocket import SocketEnd
from bot.replay.network.wording import under_id, wording_of
from bot.session.entry import OrderEntry
from bot.settings import Settings
from bot.settings.recorded import of_recording
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.simulation.world import run
from bot.trading.executor import OrdersSettings
from bot.trading.requests import WS
from bot.trading.strategies.probe import ProbeSettings

BOTH = (True, False)
"""With cancel-on-disconnect, and without."""


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Recording]:
    """Two orders over the WebSocket, with cancel-on-disconnect and without."""

    async def whole(rehearsal: Rehearsal) -> None:
        await rehearsal.trade(3.0)

    found = {}
    for cancels in BOTH:
        file = tmp_path_factory.mktemp("calls") / "session.journal"
        settings = attrs.evolve(
            Settings(),
            orders=OrdersSettings(via=WS, cancel_on_disconnect=cancels),
            strategy=ProbeSettings(pause=0.3),
            http=HttpSettings(request_timeout=0.5),
        )
        rehearse(whole, settings, delay=0.05, tls=False, journal=file)
        found[cancels] = read(file)
    return found


def struck(recording: Recording, at: int, fault: Fault) -> Report:
    return play_with_fault(recording, of_recording(recording.header.settings), at, fault)


def first(recording: Recording, does: Does, *, is_answer: bool = False) -> int:
    """The number of the first call that does this, or of its reply."""
    calls = [each for several in read_score(recording).exchanges.values() for each in several]
    found = min(
        (each for each in calls if each.question.is_call and each.question.does is does),
        key=lambda each: each.asked.number,
    )
    at = found.ended if is_answer else found.asked
    assert at is not None
    return at.number


def opened(recording: Recording) -> Record:
    """The frame that tells of the first order that it is open."""
    return next(r for r in recording.records if r.kind is Kind.FRAME_IN and '"status":"OPEN"' in str(r.data))


# What is asked.


def call(method: str, params: str, request_id: int = 7) -> str:
    return f'{{"jsonrpc":"2.0","method":"{method}","params":{params},"id":{request_id}}}'


ORDER = '{"market":"M","side":"BUY","size":"1","price":"2","client_id":"a","signature":"s"}'
OTHER = ORDER.replace('"a"', '"b"').replace('"s"', '"t"')


@pytest.mark.parametrize(
    ("frame", "does", "client_ids", "names"),
    [
        (call("order.create", ORDER), Does.PLACE, ["a"], []),
        (call("order.create_batch", f'{{"orders":[{ORDER},{OTHER}]}}'), Does.PLACE, ["a", "b"], []),
        (call("order.create_batch", f"[{ORDER},{OTHER}]"), Does.PLACE, ["a", "b"], []),
        (call("order.modify", '{"id":"1","size":"2","price":"3"}'), Does.MODIFY, [], ["1"]),
        (call("order.cancel", '{"id":"1"}'), Does.CANCEL, [], ["1"]),
        (call("order.cancel", '{"client_id":"a","market":"M"}'), Does.CANCEL, [], ["a"]),
        (call("order.cancel_batch", '{"order_ids":["1","2"]}'), Does.CANCEL, [], ["1", "2"]),
        (call("order.cancel_all", '{"market":"M"}'), Does.CANCEL, [], []),
        (call("order.cancel_on_disconnect", '{"enabled":true}'), Does.NOTHING, [], []),
        (call("subscribe", '{"channel":"orders.M"}'), Does.NOTHING, [], []),
        (call("order.create", "7"), Does.PLACE, [], []),
        (call("order.cancel", "[]"), Does.CANCEL, [], []),
        ("no JSON", Does.NOTHING, [], []),
    ],
)
def test_what_a_call_asks(frame: str, does: Does, client_ids: list[str], names: list[str]) -> None:
    """The same as a request does: which orders it brings, and which it wants otherwise, or gone."""
    question = of_call(frame)
    assert (question.does, question.client_ids, list(question.names)) == (does, client_ids, names)


def test_a_call_is_the_same_question_under_another_id() -> None:
    """Nor do signatures matter; the form of a batch does, and other terms, and another channel."""
    keys = [
        of_call(frame).key
        for frame in (
            call("order.create_batch", f"[{ORDER}]"),
            call("order.create_batch", f'{{"orders":[{ORDER}]}}'),
            call("order.modify", '{"id":"1","size":"2","price":"3"}'),
            call("order.modify", '{"id":"1","size":"3","price":"3"}'),
            call("subscribe", '{"channel":"orders.M"}'),
            call("subscribe", '{"channel":"fills.M"}'),
            call("order.cancel_on_disconnect", '{"enabled":true}'),
            call("order.cancel_on_disconnect", '{"enabled":false}'),
        )
    ]
    assert len(set(keys)) == len(keys)
    same = call("order.create", ORDER, 7), call("order.create", ORDER.replace('"s"', '"t"'), 8)
    assert len({of_call(frame).key for frame in same}) == 1
    tokens = call("auth", '{"bearer":"one"}'), call("auth", '{"bearer":"<hidden>"}')
    assert len({of_call(frame).key for frame in tokens}) == 1


def test_a_request_and_a_call_are_two_questions_about_the_same() -> None:
    """They are answered in other words, so one is not taken for the other."""
    over_rest = of_request("POST", ("orders",), {}, ORDER)
    over_websocket = of_call(call("order.create", ORDER))
    assert over_rest.key != over_websocket.key
    assert over_rest.subject == over_websocket.subject == "a"


def test_what_is_composed_can_be_read_by_the_bot() -> None:
    """A refusal is one of the three, whichever way it is told; and the reply has the id of the call."""
    wording = wording_of(of_call(call("order.cancel", '{"id":"1"}')))
    for code, kind in (("ORDER_IS_CLOSED", "refused"), ("DUPLICATED_CLIENT_ID", "unknown")):
        frame = under_id(wording.refused(VenueError(code, "so it is")), 9)  # type: ignore[arg-type]
        reply = rpc.read(frame)
        assert isinstance(reply, rpc.Reply)
        assert reply.id == 9
        assert isinstance(reply.error, RequestError)
        assert reply.error.kind == kind
    recorded = '{"jsonrpc":"2.0","id":9,"result":{}}  '
    assert under_id(recorded, 9) == recorded


# A session that is played.


def test_calls_are_matched_whatever_their_ids() -> None:
    """Of two calls of one instant either may leave first: each has its own reply, under its own id."""
    recording = read_session("calls")
    with acted("calls"):
        came = play(recording, of_recording(recording.header.settings))
    ids = [
        [(of_record(r).key, rpc.id_of(r.data["frame"])) for r in records if is_order_call(r)]
        for records in (recording.records, came.records)
    ]
    assert sorted(key for key, _ in ids[0]) == sorted(key for key, _ in ids[1])
    assert ids[0] != ids[1]  # else the session does not show it
    assert differences(recording.records, came.records) == []


@pytest.mark.parametrize(("old", "new"), [('"status":"NEW"', '"status":"OLD"'), ('"id":5', '"id":555')])
def test_another_reply_is_a_difference(old: str, new: str) -> None:
    """What it says is compared, and that it is the reply to a call."""
    recording = read_session("calls")
    reply = recording.records[first(recording, Does.PLACE, is_answer=True) - 1]
    other = reply._replace(data=reply.data.replace(old, new, 1))
    edited = [other if record is reply else record for record in recording.records]
    assert len(differences(recording.records, edited)) == 2


@pytest.mark.parametrize("cancels", BOTH)
def test_any_fault_at_any_message_of_a_call(*, cancels: bool, sessions: dict[bool, Recording]) -> None:
    """From its quote to its end: the bot ends with what the venue has, or names what it does not know.

    One half of the cases is played with cancel-on-disconnect, the other without.
    """
    recording = sessions[cancels]
    quotes = [r.number for r in recording.records if r.kind is Kind.EFFECT and r.data["do"] == "quote"]
    messages = recording.records[quotes[0] : quotes[1]]
    cases = [(each.number, fault) for each in messages for fault in sorted(can_strike(each))]
    assert len(cases) > 20
    for at, fault in cases[cancels::2]:
        report = struck(recording, at, fault)
        assert report.holds, report.to_text()
        assert report.struck_at is not None
        assert report.bot_exit_code == (4 if report.unresolved else 0)


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (Kind.FRAME_OUT, Fault.DROP),
        (Kind.FRAME_OUT, Fault.CUT),
        (Kind.FRAME_IN, Fault.DELAY),
        (Kind.FRAME_IN, Fault.DUPLICATE),
    ],
)
def test_an_opening_that_is_struck_is_repeated(kind: Kind, fault: Fault) -> None:
    """The request to cancel on disconnect, or its reply: the recorded orders are placed all the same."""
    recording = read_session("calls")
    at = [r for r in recording.records if r.kind is kind][1]
    assert "enabled" in at.data
    with acted("calls"):
        report = struck(recording, at.number, fault)
    assert report.holds, report.to_text()
    assert len(report.orders) > 1
    assert report.composed.get("order.cancel_on_disconnect", 0) >= (fault is not Fault.DUPLICATE)


def test_what_can_come_twice() -> None:
    """Orders and cancels, as over REST: not a modification, nor what opens a WebSocket."""
    found: dict[str, set[bool]] = {}
    for each in read_session("calls").records:
        if each.kind is Kind.FRAME_OUT:
            found.setdefault(of_record(each).method, set()).add(Fault.DUPLICATE in can_strike(each))
    twice = {method for method, may in found.items() if may == {True}}
    assert twice == {"order.create", "order.create_batch", "order.cancel", "order.cancel_batch"}
    assert all(len(may) == 1 for may in found.values())


def test_the_report_tells_of_calls(sessions: dict[bool, Recording]) -> None:
    """An order never arrived: the call that cancelled it was made then, and is not now."""
    recording = sessions[False]
    cancel = of_record(recording.records[first(recording, Does.CANCEL) - 1])
    report = struck(recording, first(recording, Does.PLACE), Fault.DROP)
    [line] = [each for each in report.story if f"order.cancel {cancel.subject}" in each]
    assert line.startswith("-")


@pytest.mark.parametrize("cancels", BOTH)
def test_a_websocket_takes_its_orders_along_if_that_was_asked(
    *, cancels: bool, sessions: dict[bool, Recording]
) -> None:
    """It is cut while an order rests that the bot has not heard of: the venue cancels it, or the bot has to."""
    recording = sessions[cancels]
    report = struck(recording, opened(recording).number, Fault.CUT)
    assert report.holds, report.to_text()
    assert report.orders[0].state == State.CLOSED
    asked = [each for each in report.differences if not each.is_recorded and is_cancel(each.record)]
    assert bool(asked) == (not cancels)


def test_a_websocket_that_was_disarmed_takes_nothing_along() -> None:
    """Nor does one take along what it placed before it was armed."""
    socket = SocketEnd(1, *[None] * 5)  # type: ignore[arg-type] # who is connected does not matter
    caller = Caller(None, socket, 1)  # type: ignore[arg-type]
    told = []
    for frame in (
        call("order.create", ORDER),
        call("order.cancel_on_disconnect", '{"enabled":true}'),
        call("order.create_batch", f"[{OTHER}]"),
        call("order.cancel_on_disconnect", '{"enabled":false}'),
    ):
        caller.arrived(of_call(frame))
        told.append((socket.is_armed, list(socket.placed)))
    assert told == [(False, []), (True, []), (True, ["b"]), (False, ["b"])]


def is_cancel(record: Record) -> bool:
    return record.kind in {Kind.REQUEST, Kind.FRAME_OUT} and of_record(record).does is Does.CANCEL


def test_the_venue_of_a_struck_session_answers_calls_from_what_it_has(
    sessions: dict[bool, Recording],
) -> None:
    """A fault before an order: its reply and its cancel's are as recorded in words, and come as long after it."""
    recording = sessions[False]
    quote = next(r for r in recording.records if r.kind is Kind.REQUEST and "/bbo/" in r.data["path"])
    came = play(recording, of_recording(recording.header.settings), Strike(quote.number, Fault.DELAY, 0.75))
    took = [
        [
            (each.question.key, each.took_ns)
            for several in read_score(attrs.evolve(recording, records=records)).exchanges.values()
            for each in several
            if is_order_call(each.asked) and each.is_success
        ]
        for records in (recording.records, came.records)
    ]
    assert took[1]
    assert took[0][: len(took[1])] == took[1]
    assert came.venue.answers.composed["order.cancel"] >= 1


def test_an_order_is_cancelled_by_either_id_over_either_way(sessions: dict[bool, Recording]) -> None:
    """One book answers requests and calls: what the one cancelled the other finds cancelled, then closed."""
    score = read_score(sessions[False])
    part = next(each for each in score.parts.values() if each.posted is not None)
    assert part.posted is not None
    posted, venue_id = part.posted, str(part.last_report["id"])
    by_call = (
        of_call(call("order.cancel", f'{{"client_id":"{part.order}","market":"BTC-USD-PERP"}}')),
        of_call(call("order.cancel_batch", f'{{"order_ids":["{venue_id}"]}}')),
    )
    by_request = of_request("DELETE", ("orders", venue_id), {}, b"")

    async def main() -> list[Any]:
        course = Course(struck_at=0.0)
        agenda = Agenda(course, {})
        book = Book(score, agenda, course, lambda *_: None)
        venue = Answers(score, course, TrioClock(sessions[False].header.started_ns), book)
        told: list[Any] = []

        def ask(question: Question) -> None:
            answer = venue.own(question, None)
            told.append(decoded(answer).get("result") if isinstance(answer, str) else answer)

        await trio.sleep_until(posted.asked.ns / 1e9)
        assert venue.own(posted.question, posted) is None  # taken, and the recording has the words
        async with trio.open_nursery() as nursery:
            nursery.start_soon(agenda.run)
            await trio.sleep(0.01)
            ask(by_call[0])
            ask(by_request)
            await trio.sleep(1)
            ask(by_call[1])
            ask(by_request)
            nursery.cancel_scope.cancel()
        return told

    queued, again, closed, refused = run(main, seed=0)
    assert queued == {"order_id": venue_id, "status": "QUEUED_FOR_CANCELLATION"}
    assert again.status == 204
    assert closed == {"results": [{"id": venue_id, "status": "ALREADY_CLOSED"}]}
    assert decoded(refused.body)["error"] == "ORDER_IS_CLOSED"


def test_a_form_that_was_refused_is_no_second_order() -> None:
    """The venue refused a batch in one form and took it in the other: nothing is doubled."""
    recording = read_session("calls")
    with acted("calls"):
        last = max(r.number for r in recording.records if r.kind is Kind.FRAME_IN)
        report = struck(recording, last, Fault.DELAY)
        assert report.holds, report.to_text()
        refusal = next(
            r.number for r in recording.records if r.kind is Kind.FRAME_IN and "-32602" in str(r.data)
        )
        report = struck(recording, refusal, Fault.DROP)
    assert report.holds, report.to_text()
    batch = of_record(recording.records[refusal - 2]).client_ids
    states = [each.record.data for each in report.differences if each.record.kind is Kind.ORDER]
    absent = {each["client_id"] for each in states if each["state"] == State.NEVER_ACCEPTED}
    assert absent >= set(batch)  # the form that was refused brought none of them


def test_an_order_that_was_sent_again_comes_by_its_second_call() -> None:
    """Its first never arrived. A fault between the two does not bring it by itself."""
    recording = read_session("calls")
    again = next(
        r for r in recording.records if r.kind is Kind.ORDER and r.data["state"] == State.NEVER_ACCEPTED
    )
    part = read_score(recording).parts[again.data["client_id"]]
    assert part.posted is not None
    assert part.posted.asked.number > again.number
    asked = next(r for r in reversed(recording.records[: again.number]) if r.kind is Kind.ANSWER)
    with acted("calls"):
        report = struck(recording, asked.number, Fault.CUT)
    assert report.holds, report.to_text()


# Bugs that somebody might write.


def retries(patch: pytest.MonkeyPatch) -> None:
    """A way that sends again what may have arrived."""
    send = OrderEntry.send

    async def twice(self: OrderEntry, *call: Any) -> Any:
        try:
            return await send(self, *call)
        except UnknownOutcomeError:
            return await send(self, *call)

    patch.setattr(OrderEntry, "send", twice)


def takes_a_duplicate_for_no(patch: pytest.MonkeyPatch) -> None:
    """What was refused is a copy, so there is an original; this one forgets that."""
    of_reply = outcome.of_reply

    def forgetful(code: int, message: str, data: object = None) -> RequestError:
        return of_reply(code, message, "SOME_THING" if data == outcome.DUPLICATE_CODE else data)

    patch.setattr(outcome, "of_reply", forgetful)


def takes_a_lost_reply_for_no(patch: pytest.MonkeyPatch) -> None:
    """A call without a reply was not sent, says this one."""
    of_exception = outcome.of_exception

    def hasty(words: str, *, has_begun: bool) -> RequestError:
        return of_exception(words, has_begun=has_begun and not words.startswith("order.create"))

    patch.setattr(outcome, "of_exception", hasty)


BUGS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], bool, Fault, str]] = {
    "retries": (retries, True, Fault.DROP, "was sent 2 times"),
    "duplicate is no": (takes_a_duplicate_for_no, False, Fault.DUPLICATE, "REJECTED"),
    "lost is no": (takes_a_lost_reply_for_no, True, Fault.CUT, "NEVER_ACCEPTED"),
}


@pytest.mark.parametrize("bug", BUGS)
def test_bugs_break_the_promise(
    bug: str, monkeypatch: pytest.MonkeyPatch, sessions: dict[bool, Recording]
) -> None:
    """Without the bug the fault does no harm, with it the verdict says what was broken."""
    put_in, is_answer, fault, words = BUGS[bug]
    recording = sessions[False]
    at = first(recording, Does.PLACE, is_answer=is_answer)
    healthy = struck(recording, at, fault)
    assert healthy.holds, healthy.to_text()
    put_in(monkeypatch)
    report = struck(recording, at, fault)
    assert report.exit_code == 1
    assert any(words in broken for broken in report.broken), report.to_text()
