"""The parts of a campaign: what strikes when, the fewest strikes that fail, crashing processes, the command line."""

import os
import re
import time
from collections import Counter
from pathlib import Path

import attrs
import msgspec
import pytest

from bot.core.tape import Kind
from bot.simulation.campaign import invariants
from bot.simulation.campaign.jobs import played
from bot.simulation.campaign.play import Played
from bot.simulation.campaign.schedule import HAND, Card, Schedule, draw
from bot.simulation.campaign.shrink import Numbers, shrunk
from bot.simulation.campaign.task import Task
from bot.simulation.campaign.verb import Options, simulate
from bot.simulation.notes import Line

PACK = [Card(f"kind {number}", by=number / 20) for number in range(20)]


def a_run(numbers: Numbers, *violations: str, hits: Numbers | None = None) -> Played:
    drawn = draw(7, 60.0, PACK, turn=3)
    return Played(
        schedule=drawn.only(frozenset(numbers)),
        violations=violations,
        seconds=126.0,
        lives=1,
        orders=0,
        repairs=0,
        struck={},
        hits=numbers if hits is None else hits,
        digest="",
    )


EVERYTHING = tuple(range(1, HAND + 1))


def test_each_kind_is_dealt_as_often_as_any_other() -> None:
    """Over many seeds; a kind that is in the pack twice comes twice as often."""
    pack = [*PACK[1:], Card("twice", copies=2)]
    dealt = Counter(
        strike.kind for turn in range(300) for strike in draw(turn, 60.0, pack, turn=turn).strikes
    )
    expected = 300 * HAND / 21
    assert dealt.pop("twice") == pytest.approx(2 * expected, abs=2)
    assert set(dealt.values()) <= set(range(int(expected) - 1, int(expected) + 3))


def test_a_schedule() -> None:
    """Follows from the seed, in order of time; what has to be there at the beginning is, and the rest in its part."""
    drawn = draw(7, 60.0, PACK, turn=3)
    assert drawn == draw(7, 60.0, PACK, turn=3) != draw(8, 60.0, PACK, turn=3)
    assert [strike.number for strike in drawn.strikes] == list(EVERYTHING)
    assert [strike.at for strike in drawn.strikes] == sorted(strike.at for strike in drawn.strikes)
    by = {card.kind: card.by for card in PACK}
    for strike in drawn.strikes:
        assert (
            strike.at == 0.0 if by[strike.kind] == 0 else 0.5 <= strike.at <= max(60 * by[strike.kind], 0.5)
        )


def test_a_strike_alone_is_what_it_was_among_others() -> None:
    drawn = draw(7, 60.0, PACK, turn=3)
    [alone] = drawn.only(frozenset({4})).strikes
    assert alone == drawn.strikes[3]
    assert alone.chance().random() == drawn.strikes[3].chance().random() != drawn.strikes[4].chance().random()


@pytest.mark.parametrize("guilty", [{5}, {1, 14}, {2, 7, 8}, {3, 4, 5, 6}])
def test_the_fewest_strikes(guilty: set[int]) -> None:
    """Exactly those that it takes, and none is played twice with the same strikes."""
    tried: list[Numbers] = []

    def again(numbers: Numbers) -> Played:
        tried.append(numbers)
        return a_run(numbers, *(["I3: lost"] if guilty <= set(numbers) else ["I6: another one"]))

    least = shrunk(a_run(EVERYTHING, "I3: lost"), again)
    assert {strike.number for strike in least.schedule.strikes} == guilty
    assert least.violations == ("I3: lost",)
    assert len(tried) == len(set(tried)) < 70


def test_what_did_not_strike_is_left_out_first() -> None:
    tried: list[Numbers] = []

    def again(numbers: Numbers) -> Played:
        tried.append(numbers)
        return a_run(numbers, *(["I3: lost"] if {2, 3} <= set(numbers) else []))

    shrunk(a_run(EVERYTHING, "I3: lost", hits=(2, 3, 9)), again)
    assert tried[0] == (2, 3, 9)
    assert all(set(numbers) <= {2, 3, 9} for numbers in tried)


def test_a_bug_that_needs_no_strike() -> None:
    """Fails with none at all."""
    least = shrunk(a_run(EVERYTHING, "I3: lost"), lambda numbers: a_run(numbers, "I3: lost"))
    assert least.schedule.strikes == ()


@attrs.frozen(kw_only=True)
class Trouble(Task):
    """Something else than a run; in a process of its own, so it can be anything."""

    kind: str = ""

    def run(self) -> Played:
        if self.kind == "crash":
            os._exit(9)
        if self.kind == "hang":
            time.sleep(60)
        if self.kind == "break":
            raise ValueError(self.kind)
        return a_run(())


def test_a_seed_that_crashes_or_hangs_is_a_violation_of_that_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the others are played. Real processes: nothing else can crash, or hang outside of virtual time."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    kinds = ["well", "crash", "hang", "break", "well"]
    tasks = [Trouble(seed=seed, kind=kind) for seed, kind in enumerate(kinds)]
    found = {done.task.seed: done.violations for done in played(tasks, jobs=1, hangs_s=5.0)}
    assert found == {
        0: (),
        1: ("crash: its process ended with 9",),
        2: ("hang: it was not over after 5 s",),
        3: ("broke: ValueError('break')",),
        4: (),
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(), "one of --seed and --seeds"),
        (Options(seed=1, seeds="1-2"), "one of --seed and --seeds"),
        (Options(seeds="2-1"), "the first is after the last"),
        (Options(seeds="some"), "it looks like 1-2000"),
        (Options(seeds="1-2", strikes="1"), "--strikes needs --seed"),
        (Options(seed=1, strikes="1;2"), "it looks like 2,5 or none"),
        (Options(seed=1, bug="none such"), "sent again"),
        (Options(seed=1, bug="all"), "--bug all needs --seeds"),
        (Options(seed=1, seconds=0.1), "1 to 86400 seconds"),
        (Options(seed=1, only="none such"), "no kind"),
    ],
)
def test_what_cannot_be_meant(options: Options, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(options) == 2
    assert words in capsys.readouterr().err


def test_a_story(capsys: pytest.CaptureFixture[str]) -> None:
    """Tells what struck when, what the bot did, and the verdict; and can be told without some of the strikes."""
    assert simulate(Options(seed=9, seconds=10.0)) == 0
    told = capsys.readouterr().out
    assert re.search(r"strike \d+, ", told)
    for words in ("life 1 begins", "session ready", "SENT", "everything is well again", "ended with 0"):
        assert words in told
    assert told.endswith("nothing is wrong\n")
    assert simulate(Options(seed=9, seconds=10.0, strikes="none")) == 0
    assert "strike " not in capsys.readouterr().out


def test_a_small_campaign(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints what it came to, and writes the same as JSON; progress goes elsewhere."""
    file = tmp_path / "campaign.json"
    assert simulate(Options(seeds="11-12", seconds=5.0, jobs=1, json=file)) == 0
    told = capsys.readouterr()
    written = msgspec.json.decode(file.read_bytes())
    assert written["seeds"] == 2
    assert written["violations"] == written["shrunk"] == []
    assert f"orders       {written['orders']}\n" in told.out
    assert f"faults       {sum(written['struck'].values())}, each kind 0 times at least" in told.out
    assert "violations   0 in 0 seeds" in told.out
    assert "1 of 2 seeds" in told.err


def test_a_bug_is_looked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Until a seed finds it, which is told; or none does, and that is the failure."""
    options = Options(seeds="1-20", seconds=10.0, jobs=1, bug="intent after the send")
    assert simulate(options) == 0
    told = r"intent after the send +bot simulate --seed \d+ --for 10 --bug 'intent after the send': "
    assert re.match(told, capsys.readouterr().out)
    assert simulate(attrs.evolve(options, seeds="1", bug="old generation")) == 1
    assert "not found" in capsys.readouterr().out


# Invariants of the campaign's own.


def frame(at: float, generation: int, text: str) -> Line:
    return Line(at, Kind.FRAME_OUT, text, generation)


def ready(at: float, generation: int) -> Line:
    return Line(at, Kind.GENERATION, {"session": "ready"}, generation)


ARM = '{"jsonrpc":"2.0","method":"order.cancel_on_disconnect","params":{"enabled":true},"id":2}'


def test_armed() -> None:
    """Each session for itself, before it is ready."""
    lines = [frame(0.1, 1, ARM), ready(0.3, 1), ready(0.9, 2), frame(1.0, 2, ARM)]
    assert [found.split()[1] for found in invariants.armed(lines)] == ["2"]
    disarmed = frame(0.1, 1, ARM.replace("true", "false"))
    assert len(list(invariants.armed([disarmed, ready(0.3, 1)]))) == 1


@pytest.mark.parametrize(
    ("asked", "answered", "left", "found"),
    [
        (5.1, 5.2, 5.3, 1),
        (4.9, 5.2, 5.3, 0),  # what it was answered may be from before
        (5.1, 5.2, 8.3, 0),  # meanwhile some became free
        (5.1, 5.2, 11.1, 0),  # it is over
        (5.1, 5.4, 5.3, 0),  # it had not come yet
    ],
)
def test_the_reserve(asked: float, answered: float, left: float, found: int) -> None:
    """A new order after an answer that told that next to nothing is left; others may go."""
    read = {"method": "GET", "path": "/orders", "x": 1}
    order = {"method": "POST", "path": "/orders", "x": 2, "body": '{"client_id":"a-1"}'}
    cancel = {"method": "DELETE", "path": "/orders/7", "x": 3}
    lines = [
        Line(asked, Kind.REQUEST, read),
        Line(answered, Kind.ANSWER, {"x": 1, "status": 200}),
        Line(left, Kind.REQUEST, cancel),
        Line(left, Kind.REQUEST, order),
    ]
    lines.sort(key=lambda line: line.at)
    assert len(list(invariants.reserve_kept(lines, [(5.0, 11.0)]))) == found
    assert len(list(invariants.reserve_kept(lines, [(1.0, 2.0), (5.0, 11.0)]))) == found
    assert not list(invariants.reserve_kept(lines, [(1.0, 2.0), (12.0, 13.0)]))


def test_a_schedule_without_strikes() -> None:
    assert Schedule(1, 60.0, ()).only(frozenset({1})).strikes == ()
