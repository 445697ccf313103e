"""``bot latency``: distributions of what orders waited for, from a recorded session."""

import json
from pathlib import Path

import attrs
import pytest

from bot.core.histogram import Histogram
from bot.journal.record import payload
from bot.journal.spans import Span
from bot.lab.latency.phases import PHASES, Latency
from bot.lab.latency.verb import latency

SESSIONS = Path(__file__).parents[1] / "replay" / "sessions"
MS = 1_000_000

SPAN = Span(
    client_id="a",
    over_websocket=False,
    decided_ns=0,
    begun_ns=1 * MS,
    hashed_ns=3 * MS,
    signed_ns=6 * MS,
    leaving_ns=10 * MS,
    written_ns=15 * MS,
    first_ns=215 * MS,
    parsed_ns=222 * MS,
    confirmed_ns=230 * MS,
    reused=True,
    idle_ns=0,
    rtt_us=190_000,
)

IN_MS = {
    "turn": 1,
    "hash": 2,
    "sign": 3,
    "encode": 4,
    "write": 5,
    "away": 200,
    "parse": 7,
    "client": 17,
    "answered": 222,
    "confirmed": 230,
    "kernel": 190,
}


def nowhere() -> Path:
    pytest.fail("nobody needs the folder")


def test_the_phases_of_an_order() -> None:
    """From the decision to the answer nothing is left out, and nothing counts twice."""
    assert {name: took(SPAN) for name, (_, took) in PHASES.items()} == {
        name: ms * MS for name, ms in IN_MS.items()
    }
    parts = ("turn", "hash", "sign", "encode", "write", "away", "parse")
    assert sum(IN_MS[part] for part in parts) == IN_MS["answered"]
    assert IN_MS["client"] == sum(IN_MS[part] for part in ("turn", "encode", "write", "parse"))


def test_ways_and_new_connections_count_apart() -> None:
    """A phase of which nothing is known has no figures."""
    found = Latency()
    for span in (
        SPAN,
        attrs.evolve(SPAN, reused=False, rtt_us=None),
        attrs.evolve(SPAN, over_websocket=True, confirmed_ns=None),
        attrs.evolve(SPAN, over_websocket=True, first_ns=216 * MS),
    ):
        found.add(span)
    counts = {
        title: (
            histograms["answered"].count,
            histograms["confirmed"].count,
            histograms["kernel"].count,
            histograms["away"].max_ns,
        )
        for title, histograms in found.tables()
    }
    assert counts == {
        "REST, over an open connection": (1, 1, 1, 200 * MS),
        "REST, over a new connection": (1, 1, 0, 200 * MS),
        "WebSocket, over an open connection": (2, 1, 2, 201 * MS),
    }
    cold = found.to_text().split("\n\n")[1].splitlines()
    assert cold[0].split()[:6] == ["REST,", "over", "a", "new", "connection:", "1"]
    assert cold[-1].split()[-5:] == ["–"] * 5
    assert cold[-2].split()[-5:] == ["230.000"] * 5


@pytest.mark.parametrize(
    ("name", "titles"),
    [("plain", ["REST, over an open connection"]), ("calls", ["WebSocket, over an open connection"])],
)
def test_a_recorded_session(name: str, titles: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """As a table, and as JSON, whose histograms can be read and merged again."""
    file = str(SESSIONS / f"{name}.journal")
    assert latency(file, nowhere) == 0
    table = capsys.readouterr().out
    assert [title for title in titles if title in table] == titles
    assert latency(file, nowhere, json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told["latency"]) == titles
    phases = told["latency"][titles[0]]
    away = Histogram.from_dict(phases["away"]["histogram"])
    assert away.summary_ms() == phases["away"]["ms"]
    assert away.min_ns == pytest.approx(100 * MS, abs=10)
    assert phases["hash"]["ms"]["max"] == 0


def test_what_it_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No session of that name, no session at all, and one without an order that was answered."""
    assert latency("nothere", lambda: tmp_path) == 2
    assert "holds no session nothere" in capsys.readouterr().err
    (tmp_path / "odd.journal").write_bytes(payload(0, 0, 0, "header", {}))
    assert latency(str(tmp_path / "odd.journal"), nowhere) == 2
    lines = (SESSIONS / "plain.journal").read_bytes().splitlines(keepends=True)
    (tmp_path / "begun.journal").write_bytes(b"".join(lines[:20]))
    assert latency(str(tmp_path / "begun.journal"), nowhere) == 2
    assert "no order of which it is known" in capsys.readouterr().err


def test_a_damaged_session_is_read_as_far_as_it_is_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And that is said."""
    whole = (SESSIONS / "plain.journal").read_bytes()
    (tmp_path / "torn.journal").write_bytes(whole[:-50])
    assert latency(str(tmp_path / "torn.journal"), nowhere) == 1
    said = capsys.readouterr()
    assert "REST, over an open connection" in said.out
    assert "set aside" in said.err
