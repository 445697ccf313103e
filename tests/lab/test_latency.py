"""``bot latency``: orders that are measured, sessions that are read, and how it is told."""

import io
import json
import sys
from pathlib import Path

import attrs
import pytest

from bot.core.fixed import SCALE, Fixed
from bot.core.histogram import Histogram
from bot.journal.reader import find
from bot.journal.record import payload
from bot.lab.latency import document as document_module
from bot.lab.latency import verb
from bot.lab.latency.document import document_of, read_document
from bot.lab.latency.trial import Plan
from bot.lab.latency.verb import Options, Output, compare_latency, measure_latency, read_latency
from bot.settings import Settings
from bot.signals import EarlySignals
from bot.trading.strategies.probe import ProbeSettings

SESSIONS = Path(__file__).parents[1] / "replay" / "sessions"
MS = 1_000_000
QUIET = Output(target_ms=200)


def nowhere() -> Path:
    pytest.fail("nobody needs the folder")


# Sessions that are read.


@pytest.mark.parametrize(
    ("name", "title"),
    [("plain", "REST, over an open connection"), ("calls", "WebSocket, over an open connection")],
)
def test_a_recorded_session(
    name: str, title: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As tables with the verdict, as data whose histograms can be read and merged again, and as a page."""
    file = str(SESSIONS / f"{name}.journal")
    output = Output(target_ms=90, json=tmp_path / "a.json", html=tmp_path / "a.html")
    assert read_latency([file], nowhere, output) == 0
    table = capsys.readouterr().out
    assert title in table
    assert "90 ms is missed" in table
    document = read_document(tmp_path / "a.json")
    [series] = document.series
    away = series.histogram("away")
    assert away.summary_ms() == series.phases["away"]["ms"]
    assert away.min_ns == pytest.approx(100 * MS, abs=10)
    assert [sample.number for sample in document.orders] == list(range(1, away.count + 1))
    assert {round(sample.ms["away"] or 0, 4) for sample in document.orders} == {100}
    assert (document.conditions.environment, document.conditions.signing) == ("embedded", "")
    page = (tmp_path / "a.html").read_text()
    assert "90 ms is missed" in page
    assert page.lower().startswith("<!doctype html>")


def test_sessions_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One measurement: their orders are numbered through, and their histograms merged."""
    files = [str(SESSIONS / f"{name}.journal") for name in ("plain", "calls", "plain")]
    assert read_latency(files, nowhere, attrs.evolve(QUIET, json=tmp_path / "a.json")) == 0
    rest, ws = read_document(tmp_path / "a.json").series
    alone = document_of([find(Path(files[0]))]).series[0].histogram("answered")
    both = Histogram()
    both.merge(alone)
    both.merge(alone)
    assert rest.histogram("answered") == both
    assert ws.way == "ws"
    assert "200 ms is met" in capsys.readouterr().out


def test_many_orders_are_counted_and_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many."""
    monkeypatch.setattr(document_module, "LISTED", 2)
    document = document_of([find(SESSIONS / "plain.journal")])
    assert len(document.orders) == 2
    assert document.left_out == document.series[0].histogram("answered").count - 2 > 0


def test_what_it_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No session of that name, no session at all, and one without an order that was answered."""
    assert read_latency(["nothere"], lambda: tmp_path, QUIET) == 2
    assert "holds no session nothere" in capsys.readouterr().err
    (tmp_path / "odd.journal").write_bytes(payload(0, 0, 0, "header", {}))
    assert read_latency([str(tmp_path / "odd.journal")], nowhere, QUIET) == 2
    lines = (SESSIONS / "plain.journal").read_bytes().splitlines(keepends=True)
    (tmp_path / "begun.journal").write_bytes(b"".join(lines[:20]))
    assert read_latency([str(tmp_path / "begun.journal")], nowhere, QUIET) == 2
    assert "no order in there" in capsys.readouterr().err


def test_a_damaged_session_is_read_as_far_as_it_is_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And that is said."""
    whole = (SESSIONS / "plain.journal").read_bytes()
    (tmp_path / "torn.journal").write_bytes(whole[:-50])
    assert read_latency([str(tmp_path / "torn.journal")], nowhere, QUIET) == 1
    said = capsys.readouterr()
    assert "REST, over an open connection" in said.out
    assert "set aside" in said.err


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (Output(target_ms=0), "above 0"),
        (Output(target_ms=float("nan")), "above 0"),
        (Output(target_ms=200, json=Path("/no/such/a.json")), "no such folder"),
        (Output(target_ms=200, html=Path("/no/such/a.html")), "no such folder"),
        (Output(target_ms=200, html=Path("a"), json=Path("./a")), "the same file"),
    ],
)
def test_how_it_cannot_be_told(
    output: Output, words: str, capsys: pytest.CaptureFixture[str], early: EarlySignals
) -> None:
    """It is said before anything is measured, or read."""
    assert read_latency(["nothere"], nowhere, output) == 2
    assert words in capsys.readouterr().err
    assert measure_latency(Options(), output, early) == 2
    assert words in capsys.readouterr().err


def test_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For people and for programs; a file that is none is refused."""
    for name in ("plain", "calls"):
        output = attrs.evolve(QUIET, json=tmp_path / f"{name}.json")
        read_latency([str(SESSIONS / f"{name}.journal")], nowhere, output)
    capsys.readouterr()
    before, after = tmp_path / "plain.json", tmp_path / "calls.json"
    assert compare_latency(before, after, json=False) == 0
    assert len(capsys.readouterr().out.splitlines()) > 3
    assert compare_latency(before, before, json=True) == 0
    assert isinstance(json.loads(capsys.readouterr().out), dict)
    (tmp_path / "odd.json").write_text('{"format": 1}')
    (tmp_path / "newer.json").write_bytes(before.read_bytes().replace(b'"format": 1,', b'"format": 2,'))
    for odd, words in (("odd", "no latency measurement"), ("newer", "format 2"), ("none", "No such file")):
        assert compare_latency(before, tmp_path / f"{odd}.json", json=False) == 2
        assert words in capsys.readouterr().err


# Orders that are measured.


@pytest.fixture
def early() -> EarlySignals:
    caught = EarlySignals()
    caught.restore()
    return caught


def test_the_ways_take_turns() -> None:
    """No order is one too many, and none is missing."""
    settings = Settings()
    assert list(Plan(orders=5, settings=settings).sessions()) == [
        ("rest", 2),
        ("ws", 2),
        ("rest", 3),
        ("ws", 3),
    ]
    assert list(Plan(orders=1, settings=settings).sessions()) == [("rest", 1), ("ws", 1)]
    assert list(Plan(orders=7, ways=("ws",), settings=settings).sessions()) == [("ws", 7)]


def test_orders_that_are_near_are_not_placed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], early: EarlySignals
) -> None:
    """They are to be measured, not filled."""
    near = attrs.evolve(Settings(), strategy=ProbeSettings(distance=Fixed(SCALE // 101)))
    with pytest.raises(ValueError, match=r"0\.01 of the price or more"):
        Plan(settings=near)
    file = tmp_path / "settings.toml"
    file.write_text('[strategy]\ndistance = "0.001"\n')
    assert measure_latency(Options(settings=file), QUIET, early) == 2
    assert "strategy.distance = 0.001" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "is_terminal", "goes_on"),
    [("yes\n", True, True), ("y\n", True, False), ("yes\n", False, False)],
)
def test_real_money_is_asked_for(
    answer: str,
    is_terminal: bool,  # noqa: FBT001 - a parameter of the test
    goes_on: bool,  # noqa: FBT001 - as above
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    early: EarlySignals,
) -> None:
    """By --live, and then a person, who is told how much; where there is none, nothing is sent."""

    class Typed(io.StringIO):
        def isatty(self) -> bool:
            return is_terminal

    asked: list[Plan] = []

    def measured(plan: Plan, early: EarlySignals, *, live: bool) -> None:  # noqa: ARG001 - as it is called
        assert live
        asked.append(plan)
        raise ValueError("far enough")

    monkeypatch.setattr(verb, "measure", measured)
    monkeypatch.setattr(sys, "stdin", Typed(answer))
    file = tmp_path / "settings.toml"
    file.write_text('environment = "prod"\n')
    assert measure_latency(Options(settings=file, orders=7), QUIET, early) == 2
    assert "needs --live" in capsys.readouterr().err
    assert measure_latency(Options(settings=file, orders=7, live=True), QUIET, early) == 2
    said = capsys.readouterr().err
    assert "14 POST_ONLY orders to buy 0.01 each in BTC-USD-PERP" in said
    assert ("nothing was sent" in said) != goes_on
    assert len(asked) == goes_on
    agreed = Options(settings=file, live=True, is_agreed=True)
    assert measure_latency(agreed, QUIET, early) == 2
    assert len(asked) == goes_on + 1
