"""``bot latency`` from end to end: in virtual time, where its story is exact, and as a process."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from bot.journal.reader import find
from bot.lab.countdown import THROUGH
from bot.lab.latency.document import Document, document_of, read_document
from bot.lab.latency.trial import Plan, trade
from bot.lab.latency.verdict import judge
from bot.settings import Settings
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.summary import Summary

ORDERS = 8


def measured(way: str, path: Path, *, rtt_ms: float, processing_ms: float) -> Document:
    """So many orders by that way, in virtual time: of a client that takes no time for anything."""
    base = Settings()
    settings = Plan(
        settings=attrs.evolve(base, exchange=attrs.evolve(base.exchange, processing_ms=processing_ms))
    ).settings_of(way)

    async def play(rehearsal: Rehearsal) -> Summary:
        return await trade(ORDERS, rehearsal.settings, rehearsal.surroundings, rehearsal.stop)

    summary = rehearse(play, settings, delay=rtt_ms / 2000, journal=path)
    assert summary.exit_reason == THROUGH
    assert summary.exit_code == 0
    assert summary.orders.placed == summary.orders.closed == ORDERS
    return document_of([find(path)], signing="fast-stark-crypto")


@pytest.mark.parametrize("way", ["rest", "ws"])
def test_far_away_and_slow(way: str, tmp_path: Path) -> None:
    """A cold order pays three round trips and the venue, a warm one pays one; network and venue are the floor."""
    document = measured(way, tmp_path / "a.journal", rtt_ms=200, processing_ms=240)
    answered = [(sample.warm, sample.ms["answered"]) for sample in document.orders]
    if way == "rest":
        is_warm, cold_ms = answered[0]
        assert not is_warm
        assert cold_ms == pytest.approx(840, abs=0.01)
        assert document.orders[0].ms["connect"] == pytest.approx(400, abs=0.01)
    warm = [ms for is_warm, ms in answered if is_warm]
    assert len(warm) == ORDERS - (way == "rest")
    assert warm == pytest.approx([440] * len(warm), abs=0.01)
    for sample in document.orders:
        assert sample.ms["network"] == pytest.approx(200, abs=1)
        assert sample.ms["venue"] == pytest.approx(240, abs=1)
        assert sample.ms["before"] == pytest.approx(240, abs=1)
    verdict = judge(document, 200)
    [ruling] = verdict.rulings
    assert ruling.met is False
    assert ruling.is_out_of_reach
    assert [part.name for part in ruling.floor][:2] == ["venue", "network"]
    text = verdict.to_text()
    assert "no client meets it from here" in text
    assert "AWS Tokyo" in text


@pytest.mark.parametrize("way", ["rest", "ws"])
def test_near_and_fast(way: str, tmp_path: Path) -> None:
    """The target is met, and nothing has to move."""
    document = measured(way, tmp_path / "a.journal", rtt_ms=5, processing_ms=20)
    [ruling] = judge(document, 200).rulings
    assert ruling.met
    assert not ruling.is_out_of_reach
    assert "200 ms is met" in judge(document, 200).to_text()


# With a real exchange in a process of its own, for signals, files and the exit code are the program's.


def run(*arguments: str, folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "bot", "latency", *arguments],
        cwd=folder,
        env=os.environ | {"XDG_STATE_HOME": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_whole_program(tmp_path: Path) -> None:
    """Both ways in turn, as text, data and page; the sessions are kept, and replay."""
    told = run(
        "--orders", "3", "--json", "a.json", "--html", "a.html", "--target-ms", "9000", folder=tmp_path
    )
    out, err = told.communicate(timeout=60)
    assert told.returncode == 0, err
    assert "REST: 9000 ms is met" in out
    assert "WebSocket: 9000 ms is met" in out
    document = read_document(tmp_path / "a.json")
    assert [(sample.way, sample.warm) for sample in document.orders] == [
        *(("rest", False), ("ws", True)),
        *(("rest", False), ("rest", True), ("ws", True), ("ws", True)),
    ]
    assert all(sample.ms["confirmed"] is not None for sample in document.orders)
    assert document.clock is not None
    assert "<svg" in (tmp_path / "a.html").read_text()
    journals = sorted((tmp_path / "paradex-bot").glob("embedded-*.journal*"))
    assert len(journals) == 4
    replayed = subprocess.run(
        [sys.executable, "-m", "bot", "replay", str(journals[0])], capture_output=True, check=False
    )
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr


def test_a_signal_ends_it_and_what_there_is_counts(tmp_path: Path) -> None:
    """Nothing rests, and the measurement is told."""
    told = run("--orders", "5000", "--via", "ws", "--json", "a.json", folder=tmp_path)
    assert told.stderr is not None
    for line in told.stderr:
        if "status=CLOSED" in line:
            break
    told.send_signal(signal.SIGINT)
    out, err = told.communicate(timeout=30)
    assert told.returncode == 0, err
    assert "stopped by SIGINT" in err
    assert "WebSocket, over an open connection" in out
    assert json.loads((tmp_path / "a.json").read_text())["orders"]
