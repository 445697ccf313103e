"""What the recorded venue answers where nobody recorded the question: history, fills, positions, the mode; and
batches, whose orders it knows one by one.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from batches_stage import played, record
from replay_stage import read_session

from bot.core.fixed import parse
from bot.core.order import State
from bot.core.tape import Kind
from bot.exchange.transport.http import Answer
from bot.journal.reader import Recording, read
from bot.journal.record import Record
from bot.link.clock import TrioClock
from bot.replay.network.agenda import Agenda
from bot.replay.network.answers import Answers
from bot.replay.network.fault import Course, Fault, Strike
from bot.replay.network.faulted import play_with_fault
from bot.replay.network.orders import Book
from bot.replay.network.question import Does, of_request
from bot.replay.network.reading import read_score
from bot.replay.network.stage import Play, play
from bot.replay.network.story import differences
from bot.settings.recorded import of_recording
from bot.simulation.world import run
from bot.trading.requests import REST, WS


def struck(recording: Recording, at: Record, fault: Fault) -> Play:
    return play(recording, of_recording(recording.header.settings), Strike(at.number, fault))


def found(recording: Recording, kind: Kind, wanted: Callable[[Any], bool]) -> Record:
    return next(each for each in recording.records if each.kind == kind and wanted(each.data))


def answers(came: Play, path: str, since: float) -> list[tuple[str, list[dict[str, Any]]]]:
    """What was asked there since then, and what was listed, each time."""
    asked = {each.data["x"]: each.data["path"] for each in came.records if each.kind == Kind.REQUEST}
    told = [each.data for each in came.records if each.kind == Kind.ANSWER and each.ns > since * 1e9]
    return [
        (asked[each["x"]], json.loads(each["body"])["results"])
        for each in told
        if asked[each["x"]].partition("?")[0] == path
    ]


def fill_frame(text: Any) -> bool:
    return '"channel":"fills.BTC-USD-PERP","data"' in text


def test_a_list_is_the_same_question_whenever_it_is_asked() -> None:
    """From when on it lists depends on how fast the machine is; which page it is does not."""
    first, later, other = (
        of_request("GET", ("fills",), query, "").key
        for query in (
            {"start_at": "1", "page_size": "9"},
            {"start_at": "2", "page_size": "9"},
            {"start_at": "1", "page_size": "9", "cursor": "x"},
        )
    )
    assert first == later != other


def test_a_fill_that_was_not_heard_is_in_the_lists() -> None:
    """Its frame is lost: a list tells of it and of the others, and the positions are what they all come to."""
    recording = read_session("fills")
    lost = found(recording, Kind.FRAME_IN, fill_frame)
    fill = json.loads(lost.data)["params"]["data"]
    came = struck(recording, lost, Fault.DROP)
    assert came.struck_at == lost.ns / 1e9
    repairs = [each.data for each in came.records if each.kind == Kind.REPAIR]
    assert ("fill", fill["id"]) in {(repair["what"], repair["subject"]) for repair in repairs}
    assert "position" not in {repair["what"] for repair in repairs}
    composed = came.venue.answers.composed
    assert {"GET /orders-history", "GET /fills", "GET /positions"} < set(composed)
    _, fills = answers(came, "/fills", came.struck_at)[-1]
    assert fill in fills
    held = sum(parse(each["size"]) for each in fills)
    ((_, [position]), *_) = reversed(answers(came, "/positions", came.struck_at))
    assert (position["market"], position["side"], parse(position["size"])) == ("BTC-USD-PERP", "LONG", held)


def test_positions_are_what_was_told_last() -> None:
    """Somebody traded in another market, too: no fill of ours tells of that."""
    recording = read_session("fills")
    asked = {
        each.data["x"]
        for each in recording.records
        if each.kind == Kind.REQUEST and each.data["path"] == "/positions"
    }
    listed = [each for each in recording.records if each.kind == Kind.ANSWER and each.data["x"] in asked][-1]
    body = json.loads(listed.data["body"])
    [position] = body["results"]
    body["results"].append(position | {"market": "ETH-USD-PERP", "side": "SHORT", "size": "-0.5"})
    records = [
        each._replace(data=each.data | {"body": json.dumps(body)}) if each is listed else each
        for each in recording.records
    ]
    edited = attrs.evolve(recording, records=records)
    later = next(each for each in records[listed.number :] if each.kind == Kind.FRAME_IN)
    came = struck(edited, later, Fault.CUT)
    _, [ours, other] = answers(came, "/positions", later.ns / 1e9)[-1]
    assert (other["market"], other["size"]) == ("ETH-USD-PERP", "-0.5")
    assert (ours["market"], ours["size"]) == (position["market"], position["size"])


def test_the_history_is_of_the_time_that_was_asked_for() -> None:
    """The newest order comes first, and one that was sent before that time is not among them."""
    recording = read_session("reconnects")
    lost = found(recording, Kind.FRAME_IN, lambda text: '"status":"CLOSED"' in text)
    came = struck(recording, lost, Fault.DROP)
    sent_ms = {
        each.data["client_id"]: each.data["signature_timestamp"]
        for each in came.records
        if each.kind == Kind.INTENT
    }
    listed = [
        [each["client_id"] for each in reports]
        for path, reports in answers(came, "/orders-history", lost.ns / 1e9)
        if "start_at" in path
    ]
    assert len(listed) > 2
    for ids in listed:
        assert ids == sorted(ids, key=lambda each: -sent_ms[each])
    book = came.venue.book
    there = {name: order.posted_at for name, order in book.orders.items() if order.is_here}
    every = [each["client_id"] for each in book.history(since=0.0)]
    since = there[every[2]]
    assert since is not None
    assert [each["client_id"] for each in book.history(since=since)] == every[:3]
    assert set(every) == set(there)
    assert len(every) > 3


def test_the_mode_is_what_it_was_then() -> None:
    """It does not depend on what became of an order: the venue is in the same modes as when it was recorded."""
    recording = read_session("strange")
    lost = found(recording, Kind.FRAME_IN, lambda text: '"status":"OPEN"' in text)
    came = struck(recording, lost, Fault.DROP)
    assert [each.data["mode"] for each in came.records if each.kind == Kind.MODE] == ["cancel_only", "ok"]
    assert came.venue.answers.composed["GET /system/state"] > 0


def test_the_mode_is_told_to_who_asks_at_another_time() -> None:
    """As it was then; and what was told a moment later to the same question: perhaps it was so already."""
    recording = read_session("strange")
    score = read_score(recording)
    _, restricted, _ = score.states
    asked = of_request("GET", ("system", "state"), {}, b"")

    async def main() -> list[str]:
        course = Course(struck_at=0.0)
        book = Book(score, Agenda(course, {}), course, lambda *_: None)
        venue = Answers(score, course, TrioClock(recording.header.started_ns), book)
        told = []
        for at, exchange in (
            (0.0, None),
            (restricted.asked.ns / 1e9 - 10, restricted),
            (restricted.asked.ns / 1e9 - 1, None),
            (restricted.asked.ns / 1e9 - 1, restricted),
            (restricted.asked.ns / 1e9 + 1, None),
        ):
            await trio.sleep_until(at)
            answer = venue.own(asked, exchange)
            assert isinstance(answer, Answer)
            told.append(json.loads(answer.body)["status"])
        return told

    assert run(main, seed=0) == ["ok", "ok", "ok", "cancel_only", "cancel_only"]


def test_what_earlier_runs_left_is_known_from_the_beginning() -> None:
    """The first question of the login is lost: what was left is all the same looked up, found, and cancelled."""
    recording = read_session("restart")
    first = found(recording, Kind.REQUEST, lambda data: data["path"] == "/markets")
    came = struck(recording, first, Fault.CUT)
    left = found(recording, Kind.RECOVERED, lambda _: True).data["orders"]
    states = {order["client_id"]: came.orders[order["client_id"]]["state"] for order in left}
    assert [*states.values()].count(State.CLOSED) == 4
    assert [*states.values()].count(State.NEVER_ACCEPTED) == 1
    then = {
        each.data["client_id"]: each.data["state"] for each in recording.records if each.kind == Kind.ORDER
    }
    assert states == {name: state for name, state in then.items() if name in states}
    parts = read_score(recording).parts
    began = [parts[name].turns[0].record.kind for name in states if parts[name].turns]
    assert began.count(Kind.RECOVERED) == 3  # those that rest: nobody need have asked yet


@pytest.fixture(scope="module", params=[REST, WS])
def batches(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A session with batches and modifications, by either way."""
    file: Path = tmp_path_factory.mktemp("batches") / "session.journal"
    record(file, request.param)
    return read(file)


def test_batches_and_modifications_happen_again(batches: Recording) -> None:
    """Each order of a batch, each cancel, and what became of other terms."""
    with played():
        came = play(batches, of_recording(batches.header.settings))
    assert differences(batches.records, came.records) == []
    assert not came.venue.answers.composed
    assert not came.venue.answers.refused


BATCH = Does.PLACE, True
SINGLE = Does.PLACE, False
CHANGE = Does.MODIFY, False
CANCELS = Does.CANCEL, True


@pytest.mark.parametrize(
    ("asked", "is_answer", "fault"),
    [
        (BATCH, False, Fault.DROP),
        (BATCH, False, Fault.DUPLICATE),
        (BATCH, True, Fault.CUT),
        (BATCH, False, Fault.DELAY),
        (SINGLE, False, Fault.CUT),  # and others are placed while nobody knows what became of it
        (CHANGE, False, Fault.DROP),
        (CHANGE, True, Fault.CUT),
        (CANCELS, False, Fault.DROP),
        (CANCELS, False, Fault.DUPLICATE),
        (CANCELS, True, Fault.DROP),
    ],
    ids=str,
)
def test_a_fault_at_a_batch(
    *, asked: tuple[Does, bool], is_answer: bool, fault: Fault, batches: Recording
) -> None:
    """The promise holds for each of its orders."""
    exchange = min(
        (
            each
            for several in read_score(batches).exchanges.values()
            for each in several
            if (each.question.does, each.question.is_batch) == asked
        ),
        key=lambda each: each.asked.number,
    )
    at = exchange.ended if is_answer else exchange.asked
    assert at is not None
    with played():
        report = play_with_fault(batches, of_recording(batches.header.settings), at.number, fault)
    assert report.holds, report.to_text()
    assert report.struck_at is not None
    lost = exchange.question.client_ids if asked == BATCH else []
    states = {order.state for order in report.orders if order.client_id in lost}
    if lost:
        assert states == ({State.NEVER_ACCEPTED} if fault is Fault.DROP else {State.CLOSED})
