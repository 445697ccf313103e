"""Recorded sessions played over the virtual network: through the real HTTP and WebSocket clients into the bot."""

import json
import re
from collections import deque
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from replay_stage import SESSIONS, acted, read_session

from bot.core.fixed import Fixed
from bot.core.tape import Kind
from bot.journal.reader import Recording, read
from bot.journal.record import Record
from bot.replay.errors import UnusableRecordingError
from bot.replay.network.agenda import Agenda
from bot.replay.network.fault import Course, Fault
from bot.replay.network.faulted import play_with_fault
from bot.replay.network.stage import Play, is_whole, play
from bot.replay.network.story import differences, threads, words
from bot.replay.scenarios import SCENARIOS
from bot.settings import Settings
from bot.settings.recorded import of_recording
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.simulation.world import run
from bot.trading.step.guard import LimitsSettings
from bot.trading.strategies.probe import ProbeSettings


def told(records: list[Record], kind: Kind) -> list[Any]:
    return [record.data for record in records if record.kind == kind]


def played(recording: Recording) -> Play:
    """Play it, and see that all of it happens again and nothing else."""
    came = play(recording, of_recording(recording.header.settings))
    assert differences(recording.records, came.records, is_whole=is_whole(recording)) == []
    if is_whole(recording):
        assert not came.venue.sockets.unheard
        assert not came.venue.answers.refused
        assert not came.venue.answers.composed
    return came


@cache
def played_file(file: Path) -> tuple[Recording, Play]:
    recording = read(file)
    with acted(file.stem):
        return recording, played(recording)


@pytest.mark.parametrize("file", SESSIONS, ids=lambda file: file.stem)
def test_a_session_happens_again(file: Path) -> None:
    """Every frame in, state of an order, decision and request is as recorded, and every question was recorded."""
    recording, came = played_file(file)
    then, now = ([anonymous(each) for each in told(p.records, Kind.FRAME_IN)] for p in (recording, came))
    assert then == now
    if is_whole(recording):
        assert told(came.records, Kind.END) == told(recording.records, Kind.END)


def anonymous(frame: Any) -> Any:
    """Without an id: of two calls of one instant either may leave first."""
    return re.sub(r'^{"jsonrpc":"2.0","id":\d+,', "{", frame) if isinstance(frame, str) else frame


@pytest.mark.parametrize(
    "file", [file for file in SESSIONS if file.stem in SCENARIOS], ids=lambda file: file.stem
)
def test_what_is_signed_is_the_same(file: Path) -> None:
    """A session of virtual time is exact: even its timestamps come again, and with them the hash of each order."""
    recording, came = played_file(file)
    then, now = (told(records, Kind.INTENT) for records in (recording.records, came.records))
    assert sorted(intent["struct_hash"] for intent in now) == sorted(intent["struct_hash"] for intent in then)
    assert len(then) > 5


def calm(_: Rehearsal) -> None:
    pass


def cut(rehearsal: Rehearsal) -> None:
    """Every connection is reset, a request is on its way."""
    rehearsal.network.at(2.42, rehearsal.link.cut)


def unreachable(rehearsal: Rehearsal) -> None:
    """Connections are reset while nothing is on its way, and new ones refused for a while."""
    rehearsal.network.at(1.75, rehearsal.link.cut)
    rehearsal.network.at(1.75, rehearsal.link.refuse)
    rehearsal.network.at(4.0, rehearsal.link.heal)


def silent(rehearsal: Rehearsal) -> None:
    """Nothing comes through until deadlines pass."""
    rehearsal.network.at(2.42, rehearsal.link.black_hole)
    rehearsal.network.at(14.0, rehearsal.link.heal)


def impatient(rehearsal: Rehearsal) -> None:
    """Nothing comes through any more, and somebody asks twice for the end."""
    rehearsal.network.at(2.52, rehearsal.link.black_hole)
    for at in (3.0, 5.2):
        rehearsal.network.at(at, rehearsal.stop.signalled, "SIGINT")


def refused(rehearsal: Rehearsal) -> None:
    """The first login of an account that is not onboarded is refused, and for another reason."""
    rehearsal.exchange.refuse_auth(1, 401)


def killed(rehearsal: Rehearsal) -> None:
    """Somebody pulls the kill switch while an order rests, and stops the bot later."""
    rehearsal.network.at(2.43, rehearsal.stop.kill_switch.pull, "SIGUSR1")


TROUBLES: dict[str, tuple[Callable[[Rehearsal], None], float, float]] = {
    "none, and no time between": (calm, 0.0, 3),
    "cut": (cut, 0.05, 5),
    "unreachable": (unreachable, 0.05, 7),
    "silent": (silent, 0.05, 16),
    "impatient": (impatient, 0.05, 9),
    "refused": (refused, 0.05, 5),
    "killed": (killed, 0.05, 5),
}


ENDS = {Kind.FAILURE, Kind.SOCKET_OPEN, Kind.SOCKET_END, Kind.COMMAND, Kind.END}


def session(
    file: Path, trouble: Callable[[Rehearsal], None], delay: float, seconds: float, pause: float = 0.3
) -> Recording:
    async def whole(rehearsal: Rehearsal) -> None:
        trouble(rehearsal)
        await rehearsal.trade(seconds)

    settings = attrs.evolve(Settings(), strategy=ProbeSettings(pause=pause))
    # Under some seeds keep-warm and a look-up, which want the lane at the same instant, get it in another order.
    rehearse(whole, settings, seed=1, delay=delay, tls=False, journal=file)
    return read(file)


@pytest.mark.parametrize("trouble", TROUBLES)
def test_troubles_of_the_network_happen_again(trouble: str, tmp_path: Path) -> None:
    """Requests that failed fail again, in the same one of three ways and at the same time; so do connections."""
    recording = session(tmp_path / "session.journal", *TROUBLES[trouble])
    came = played(recording)
    assert came.summary.exit_code == recording.records[-1].data["exit_code"]
    then, now = (
        [(record.kind, round(record.ns, -2)) for record in records if record.kind in ENDS]
        for records in (recording.records, came.records)
    )
    assert then == now


def limited(orders_per_second: int) -> Settings:
    limits = LimitsSettings(orders_per_second=orders_per_second)
    return attrs.evolve(Settings(), strategy=ProbeSettings(pause=0.1), limits=limits)


def test_a_switch_that_the_bot_pulled_is_not_pulled_by_somebody_else(tmp_path: Path) -> None:
    """It does so again by its own limit; under another limit, nobody does."""

    async def whole(rehearsal: Rehearsal) -> None:
        await rehearsal.trade(2.5)

    file = tmp_path / "session.journal"
    rehearse(whole, limited(2), delay=0.01, tls=False, journal=file)
    recording = read(file)
    [command] = told(recording.records, Kind.COMMAND)
    assert command["reason"].startswith("[limits] orders_per_second")
    assert told(played(recording).records, Kind.COMMAND) == [command]
    assert told(play(recording, limited(100)).records, Kind.COMMAND) == []


def test_tokens_are_renewed_when_they_were(tmp_path: Path) -> None:
    """Nobody recorded how long a token lives, and still the bot asks for the next one at the same ns."""
    recording = session(tmp_path / "session.journal", calm, 0.05, 190, pause=30.0)
    came = played(recording)
    then, now = (
        [r.ns for r in records if r.kind == Kind.REQUEST and r.data["path"].startswith("/auth/")]
        for records in (recording.records, came.records)
    )
    assert now == then
    assert len(then) > 2


def test_a_session_without_its_end_is_played_as_far_as_it_goes() -> None:
    """A recording that stops in the middle of an order is played up to there, and the bot is stopped in order."""
    recording = read_session("plain")
    for number in (3, 22, 40, 58):
        torn = attrs.evolve(recording, records=recording.records[:number])
        played(torn)


def test_what_cannot_be_played_says_so() -> None:
    """An empty recording, and one with a record of another shape, are refused and not guessed at."""
    recording = read(SESSIONS[0])
    settings = of_recording(recording.header.settings)
    with pytest.raises(UnusableRecordingError, match="no record but its header"):
        play(attrs.evolve(recording, records=[]), settings)
    odd = recording.records[0]._replace(data=["http>"])
    with pytest.raises(UnusableRecordingError, match="cannot be replayed"):
        play(attrs.evolve(recording, records=[odd, *recording.records[1:]]), settings)


def test_a_bot_that_decides_otherwise_is_noticed() -> None:
    """Other settings, other orders: the recorded venue takes none that it does not know, and all of it is told."""
    recording = read_session("plain")
    settings = attrs.evolve(
        of_recording(recording.header.settings), strategy=ProbeSettings(size=Fixed(2_000_000))
    )
    came = play(recording, settings)
    assert came.summary.orders.rejected == came.summary.orders.placed > 0
    assert came.venue.answers.refused["POST /orders"] == came.summary.orders.placed
    found = differences(recording.records, came.records)
    assert {str(each.record.kind) for each in found if each.is_recorded} >= {Kind.FRAME_IN, Kind.ORDER}


def test_timers_wait_for_what_was_recorded_before_them() -> None:
    """At the same instant, or late by as much as a busy machine was: the recorded order holds, not the clock's."""

    async def main() -> list[str]:
        told: list[str] = []
        agenda = Agenda(Course(), {("strategy", "1"): deque([7])})
        agenda.at(1.0, 6, partial(told.append, "frame before"))
        agenda.at(1.0, 8, partial(told.append, "frame after"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(agenda.run)
            agenda.notice(Kind.EFFECT, {"do": "wait", "purpose": "strategy", "subject": "1", "seconds": 0.99})
            await trio.sleep(0.99)
            told.append("timer")
            agenda.notice(Kind.TIMER, {"purpose": "strategy", "subject": "1"})
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        return told

    assert run(main, seed=0) == ["frame before", "timer", "frame after"]


def test_threads_of_a_session_do_not_depend_on_one_another() -> None:
    """Two orders at the same instant, in another order: the same session."""
    first, second = (Record(1, 1, 0, Kind.ORDER, {"client_id": name}) for name in "ab")
    assert differences([first, second], [second, first]) == []
    assert len(threads([first, second])) == 2


def test_batches_of_one_instant_do_not_depend_on_one_another() -> None:
    """Which of them a task sends first is no decision; what is in each is."""
    first, second, other = (
        Record(1, 1, 0, Kind.REQUEST, {"method": "DELETE", "path": "/orders/batch", "body": body})
        for body in ('{"order_ids":["1","2"]}', '{"order_ids":["3"]}', '{"order_ids":["2"]}')
    )
    assert differences([first, second], [second, first]) == []
    assert len(differences([first, second], [first, other])) == 2


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (Kind.REQUEST, {"x": 1, "method": "GET"}),
        (Kind.ANSWER, {"x": 1, "status": 200, "reused": True, "elapsed_ns": 1, "body": ["?"]}),
        (Kind.ANSWER, {"x": 1, "status": 200, "reused": True, "elapsed_ns": 1, "body": {"text": "?"}}),
        (Kind.ANSWER, {"x": 1, "status": -1, "reused": True, "elapsed_ns": 1, "body": ""}),
        (Kind.FRAME_IN, 7),
        (Kind.OUTCOME, {"what": "dance"}),
        (Kind.EFFECT, {"do": ["place"]}),
        (Kind.EFFECT, {"do": "place", "client_id": "1"}),
        (Kind.EFFECT, {"do": "place batch", "orders": [{"client_id": "1"}]}),
        (Kind.EFFECT, {"do": "wait", "purpose": "strategy", "subject": "1"}),
        (Kind.EFFECT, {"do": "look up batch", "orders": [7]}),
        (Kind.FRAME_OUT, {"x": 7, "of": 3}),
        (Kind.FRAME_OUT, {"x": 7, "frame": "{}"}),
        (Kind.ORDER, {"client_id": "1"}),
        (Kind.ALARM, "fire"),
        (Kind.REPAIR, {"what": "order"}),
        (Kind.MODE, {}),
        (Kind.TIMER, {"purpose": "strategy"}),
        (Kind.SOCKET_END, {"code": -1, "reason": "", "ours": True}),
        (Kind.STOP, {}),
    ],
)
def test_a_record_of_a_wrong_shape_is_named(kind: Kind, data: Any) -> None:
    """Somebody edited the file: no play of it, and no fault in it, but what is wrong."""
    recording = read_session("plain")
    at, odd = recording.records[40].number, recording.records[60]._replace(kind=kind, data=data)
    edited = attrs.evolve(recording, records=[*recording.records[:60], odd, *recording.records[61:]])
    settings = of_recording(recording.header.settings)
    with pytest.raises(UnusableRecordingError, match=f"record {odd.number} "):
        play(edited, settings)
    with pytest.raises(UnusableRecordingError, match=f"record {odd.number} "):
        play_with_fault(edited, settings, at, Fault.DROP)


def test_a_look_up_of_several_orders_is_the_same_at_another_millisecond() -> None:
    """From when on it lists follows from when they were signed; which orders it is about is a decision."""
    told = {"do": "look up batch", "orders": ["a", "b"], "since_ms": 7}
    first, later, other = (
        Record(1, 1, 0, Kind.EFFECT, told | changed) for changed in ({}, {"since_ms": 8}, {"orders": ["a"]})
    )
    assert differences([first], [later]) == []
    assert len(differences([first], [other])) == 2
    assert words(first) == "look up batch: a, b"


@pytest.mark.parametrize(
    ("name", "value", "count"), [("price", "9", 2), ("signature_timestamp", 9, 0), ("signature", "?", 0)]
)
def test_bodies_are_compared_but_for_what_the_key_and_the_machine_decide(
    name: str, value: object, count: int
) -> None:
    """Another price is another order; another signature, or another millisecond, is not."""
    body = {"client_id": "a", "price": "1", "signature_timestamp": 1, "signature": "<hidden>"}
    first, second = (
        Record(1, 1, 0, Kind.REQUEST, {"method": "POST", "path": "/orders", "body": json.dumps(each)})
        for each in (body, body | {name: value})
    )
    assert len(differences([first], [second])) == count
