"""Signals, terminals and pipes as the system has them, which virtual time cannot show: real processes, one a story.

Orders in `STUBBORN` rest until somebody cancels all: the venue does not hear of single cancels there.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from process_stage import AT_MOST, BOT, PATIENCE, REPOSITORY, Bot, Exchange, open_exchange

from bot.core.tape import Kind
from bot.journal.reader import read

RUN = (*BOT, "run")
MARKET, STUBBORN = "BTC-USD-PERP", "ETH-USD-PERP"


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    with open_exchange(tmp_path_factory.mktemp("exchange")) as exchange:
        exchange.ask(
            "POST", "/fault", {"fault": "swallow", "on": "cancel", "market": STUBBORN, "times": None}
        )
        yield exchange


def summary_of(folder: Path) -> Any:
    """What ``--summary s.json`` told."""
    return json.loads((folder / "s.json").read_text())


def exit_code_in(journal: Path) -> int:
    """What the last record says of how it ended: it is whole."""
    recording = read(journal)
    assert recording.damage is None
    end = recording.records[-1]
    assert end.kind is Kind.END
    code: int = end.data["exit_code"]
    return code


IN_A_TERMINAL = "import os, sys; os.login_tty(0); os.execvp(sys.argv[1], sys.argv[1:])"


def test_a_closed_terminal(tmp_path: Path) -> None:
    """Through `just`, as from a window: SIGHUP goes to all in it, and nothing can be written any more.

    The bot stops as on SIGTERM: orders are cancelled by the exchange of its own, journal and summary are complete.
    """
    just = Path(sys.executable).parent / "just"
    if not just.exists():
        pytest.skip("just is not in this environment; the README installs it there")
    files = ("--summary", str(tmp_path / "s.json"), "--record", str(tmp_path / "s.journal"))
    command = (str(just), "--justfile", str(REPOSITORY / "justfile"), "run", *AT_MOST, *files)
    leader, follower = os.openpty()
    terminal = {"stdin": follower, "stdout": follower, "stderr": follower, "start_new_session": False}
    bot = Bot(tmp_path, sys.executable, "-c", IN_A_TERMINAL, *command, **terminal)
    os.close(follower)
    log = b""
    while b"status=OPEN" not in log:
        log += os.read(leader, 4096)
    os.close(leader)
    bot.process.wait(PATIENCE)  # which waits for its child, too
    assert exit_code_in(tmp_path / "s.journal") == 0
    summary = summary_of(tmp_path)
    assert summary["exit_reason"] == "SIGHUP"
    assert summary["orders"]["placed"] == summary["orders"]["closed"] > 0


def test_a_later_signal_leaves_what_it_cannot_cancel(exchange: Exchange, tmp_path: Path) -> None:
    """It is another wish than the first if it comes more than a second later: exit code 4 within 2 s, and names.

    This second is the real clock's, for that of a process cannot be turned.
    """
    bot = Bot(tmp_path, *RUN, *AT_MOST, more=exchange.account(STUBBORN))
    bot.wait_for("status=OPEN")
    bot.process.send_signal(signal.SIGINT)
    bot.wait_for("[STOP] Paradex stopping: SIGINT")
    bot.process.send_signal(signal.SIGHUP)  # an echo, whichever it is
    with pytest.raises(subprocess.TimeoutExpired):
        bot.process.wait(1.1)
    bot.process.send_signal(signal.SIGTERM)
    bot.process.wait(4)
    printed = bot.end()
    assert bot.process.returncode == 4
    assert "stopped by SIGINT" in printed
    assert "UNRESOLVED  client_id=" in printed


def test_nohup_and_cancel_all(exchange: Exchange, tmp_path: Path) -> None:
    """A closed terminal is no reason to stop under `nohup`. SIGUSR1, which `cancel-all` sends to the bot that has the
    account, ends trading and not the bot; what that one could not cancel goes; SIGTERM ends it, with 0.
    """
    account = exchange.account(STUBBORN)
    bot = Bot(tmp_path, "nohup", *RUN, *AT_MOST, more=account)
    bot.wait_for("status=OPEN")
    bot.process.send_signal(signal.SIGHUP)
    verb = Bot(tmp_path, *BOT, "cancel-all", "--json", more=account)
    told = json.loads(verb.end())
    assert verb.process.returncode == 0
    assert f"The bot with pid {bot.process.pid}, " in verb.log
    assert [report["cancel_reason"] for report in told["gone"]] == ["USER_CANCELED"]
    bot.wait_for("status=CLOSED")
    bot.process.send_signal(signal.SIGTERM)
    printed = bot.end()
    assert bot.process.returncode == 0
    assert "stopped by SIGTERM" in printed
    assert "placed 1 " in printed
    assert "ALARM       the kill switch was pulled: SIGUSR1" in printed


def test_nobody_reads_and_nothing_is_open(exchange: Exchange, tmp_path: Path) -> None:
    """Stderr is a full pipe, stdin and stdout are closed: the bot trades and stops all the same."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    closing = ("sh", "-c", 'exec "$@" <&- >&-', "sh")
    journal = tmp_path / "s.journal"
    files = ("--summary", "s.json", "--record", str(journal))
    bot = Bot(tmp_path, *closing, *RUN, *AT_MOST, *files, stderr=writer, more=exchange.account(MARKET))
    while not journal.exists() or b'"CLOSED"' not in journal.read_bytes():
        with pytest.raises(subprocess.TimeoutExpired):  # there is nothing else that would tell
            bot.process.wait(0.1)
    bot.process.send_signal(signal.SIGTERM)
    assert bot.process.wait(PATIENCE) == 0
    os.close(reader)
    os.close(writer)
    bot.end()
    assert summary_of(tmp_path)["orders"]["closed"] > 0
    assert exit_code_in(journal) == 0


def test_closed_descriptors_are_no_files_of_ours(tmp_path: Path) -> None:
    """What is opened first would become stdin, stdout or stderr, and a message would be written into it."""
    program = (
        "import sys\n"
        "from bot.descriptors import fill_gaps\n"
        "fill_gaps()\n"
        "with open(sys.argv[1], 'w') as file:\n"
        "    print(file.fileno(), file=file)\n"
        "    print('out')\n"
        "    print('err', file=sys.stderr)\n"
        "    print(repr(sys.stdin.read()), file=file)\n"
    )
    told = tmp_path / "told"
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", program, str(told)]
    subprocess.run(command, check=True, cwd=REPOSITORY, timeout=PATIENCE)
    assert told.read_text().splitlines() == ["3", "''"]


NAMESPACE = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child")


def test_sigterm_as_process_1(exchange: Exchange, tmp_path: Path) -> None:
    """As in a container, where the kernel ignores it for a process without a handler; two of them are one wish."""
    if shutil.which(NAMESPACE[0]) is None or subprocess.run([*NAMESPACE, "true"], check=False).returncode:
        pytest.skip(
            "this machine lets nobody make a namespace for processes, where the bot would be process 1"
        )
    bot = Bot(tmp_path, *NAMESPACE, *RUN, *AT_MOST, more=exchange.account(MARKET))
    bot.wait_for("status=OPEN")
    parent = bot.process.pid
    [first] = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    assert Path(f"/proc/{first}/status").read_text().split("NSpid:\t")[1].split("\n")[0].split()[-1] == "1"
    os.kill(int(first), signal.SIGTERM)
    os.kill(int(first), signal.SIGTERM)
    printed = bot.end()
    assert bot.process.returncode == 0
    assert "stopped by SIGTERM" in printed
    assert "unresolved 0" in printed
