"""The verb, and a smoke of each benchmark with next to nothing to do. Those of orders are next door."""

import json
from pathlib import Path

import pytest
import trio

from benchmarks import campaign, reading
from benchmarks.__main__ import BENCHMARKS, Benchmark, main
from benchmarks.figures import Result, Table


def test_each_that_is_wished_prints_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """In full or quickly; all of it goes to the file, too, and nothing is wrong."""

    def measure(effort: int) -> Result:
        return Result(tables=(Table(f"effort {effort}", {}),))

    monkeypatch.setitem(BENCHMARKS, "hour", Benchmark(measure, full=100, quick=1))
    monkeypatch.setitem(BENCHMARKS, "signing", Benchmark(measure, full=200, quick=2))
    file = tmp_path / "all.json"
    assert main(only=("signing", "hour"), quick=True, json=file) == 0
    assert main(only=("hour",)) == 0
    out = capsys.readouterr().out
    assert out.index("# signing\n\neffort 2") < out.index("# hour\n\neffort 1\n") < out.index("effort 100")
    assert list(json.loads(file.read_bytes())["benchmarks"]) == ["signing", "hour"]


def test_what_must_not_be_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """How fast something was decides nothing; that two sides disagree does."""
    monkeypatch.setitem(
        BENCHMARKS, "hour", Benchmark(lambda _: Result(wrong=("two differ",)), full=1, quick=1)
    )
    assert main(only=("hour",)) == 1


def test_reading() -> None:
    """Every side reads every frame of every burst, and those are frames of orders."""
    frames = reading.rehearsed_frames()
    assert any('"orders.' in frame for frame in frames)
    result = trio.run(reading.read_bursts, frames, 2)
    (comparison,) = result.comparisons
    assert [(row.name, row.count) for row in comparison.rows] == [
        (reading.BARE, 2),
        (reading.UNDERSTOOD, 2),
        (reading.BOT, 2),
    ]
    assert not result.wrong


def test_the_campaign() -> None:
    """One seed, and as much time without a fault."""
    result = campaign.measure(1, seconds=10)
    assert [row.count for row in result.comparisons[0].rows] == [1, 1]
    assert not result.wrong
