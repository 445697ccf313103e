"""The bot as a process: real signals, a real child, real sockets. Only what virtual time cannot show.

Nothing here sleeps: a line of the log tells that a phase has begun, and the end of a pipe that every process
which held it is gone, the exchange's included.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from process_stage import AT_MOST, REPOSITORY, Bot

from bot.core.tape import Kind
from bot.journal.reader import read

RUN = (sys.executable, "-X", "importtime", "-m", "bot", "run")
"""Each import is a line on stderr; see `PHASES`."""

PHASES = {
    "import": " bot.core.clock\n",
    "start of the exchange": " bot.run\n",
    "warm-up": "[INIT] Paradex HTTP pool",
    "auth": "[INIT] Paradex HTTP connection pool warmed up",
    "connect": "[INIT] Paradex authenticated",
    "order": "[INIT] Paradex session 1 ready",
    "cancel": "status=OPEN",
}


@pytest.mark.parametrize("phase", PHASES)
def test_sigint_in_each_phase(phase: str, tmp_path: Path) -> None:
    """Exit 0, a summary and no traceback; nothing runs afterwards. Virtual time judges the 3 s."""
    bot = Bot(tmp_path, *RUN, *AT_MOST)
    bot.wait_for(PHASES[phase])
    bot.process.send_signal(signal.SIGINT)
    summary = bot.end()
    assert bot.process.returncode == 0
    assert "stopped by SIGINT" in summary
    assert "unresolved 0" in summary


def test_signals_to_the_very_end(tmp_path: Path) -> None:
    """A launcher's echo may come while the interpreter ends, which takes longer than the stop: the exit code is 0."""
    bot = Bot(tmp_path, *RUN, *AT_MOST)
    bot.wait_for(PHASES["import"])
    while bot.process.poll() is None:
        bot.process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            bot.process.wait(0.005)
    assert "stopped by SIGINT" in bot.end()
    assert bot.process.returncode == 0


def test_a_run_of_some_seconds(tmp_path: Path) -> None:
    """`--for` ends it as SIGINT would; the lines of the log and the keys of the summary are as promised."""
    bot = Bot(tmp_path, *RUN, "--for", "5", "--summary", "s.json")
    printed = bot.end()
    assert bot.process.returncode == 0
    for line in (
        "[INIT] Paradex HTTP pool: max_idle=4 idle_timeout=60s tcp_keepalive=30s",
        " connect_timeout=10s request_timeout=10s\n",
        "[INIT] Paradex HTTP connection pool warmed up",
        "[INIT] Paradex authenticated: account=0x",
        "token expires in 300s",
        "[INIT] Paradex WebSocket subscribed: orders.BTC-USD-PERP",
        "[INIT] Paradex session 1 ready in ",
        "[ORDER] Paradex order sent: client_id=",
        "reused=true, request=",
        "[ORDER] Paradex order confirmed via WS: id=",
        "status=OPEN",
        "status=CLOSED",
    ):
        assert line in bot.log
    summary = json.loads((tmp_path / "s.json").read_text())
    orders, http = summary["orders"], summary["http"]
    assert orders["placed"] == orders["confirmed"] == orders["closed"] > 0
    assert orders["unresolved"] == http["order_requests_cold"] == 0
    assert http["order_requests"] == 2 * orders["placed"]
    assert summary["latency_ms"]["rest"]["warm"]["confirmed"]["count"] == orders["placed"]
    assert summary["garbage_ms"]["count"] > 0
    assert f"placed {orders['placed']}" in printed
    (journal,) = (tmp_path / "state/paradex-bot").glob("embedded-*.journal")
    assert f"[INIT] Paradex session is recorded in {journal}\n" in bot.log
    assert journal.stat().st_mode & 0o777 == 0o600


def test_what_a_killed_bot_leaves(tmp_path: Path) -> None:
    """The exchange ends with its stdin, so even after SIGKILL of the bot the last holder of the log goes away. And in
    its journal every order that left is found.
    """
    journal = tmp_path / "s.journal"
    bot = Bot(tmp_path, *RUN, *AT_MOST, "--record", str(journal))
    bot.wait_for("status=OPEN")
    bot.process.kill()
    bot.end()
    assert bot.process.returncode == -signal.SIGKILL
    recording = read(journal)
    intents = [record.data for record in recording.records if record.kind is Kind.INTENT]
    assert intents[0]["request"]["path"] == "/orders"
    assert {
        line.split("client_id=")[1].split(",")[0] for line in bot.log.splitlines() if "order sent" in line
    } <= {intent["client_id"] for intent in intents}


def test_ctrl_c_through_just(tmp_path: Path) -> None:
    """`just` reports 130 although the bot has ended well, and Ctrl-C goes to the whole group twice over."""
    just = Path(sys.executable).parent / "just"
    if not just.exists():
        pytest.skip("just is not in this environment; the README installs it there")
    bot = Bot(tmp_path, str(just), "--justfile", str(REPOSITORY / "justfile"), "run", *AT_MOST)
    bot.wait_for("status=OPEN")  # an order rests, which the exchange must live to cancel
    os.killpg(bot.process.pid, signal.SIGINT)
    os.killpg(bot.process.pid, signal.SIGINT)
    summary = bot.end()
    assert "stopped by SIGINT" in summary
    assert "unresolved 0" in summary
    assert bot.process.returncode == 130
