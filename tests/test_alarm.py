"""Alarms: an ERROR line, a place in the summary, and the command that somebody set."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from bot.alarm import AGAIN_AFTER, COMMAND_DEADLINE, Alarms, AlarmSettings


@pytest.fixture
def errors(logged_from: Callable[[str], list[str]]) -> list[str]:
    """What is logged as an ERROR."""
    return logged_from("ERROR")


async def test_without_a_command(errors: list[str]) -> None:
    """The line is written, the summary has it, and nothing is started."""
    async with trio.open_nursery() as nursery:
        alarms = Alarms(AlarmSettings(), nursery, str)
        alarms("first")
        alarms("second {with} braces")
        assert not nursery.child_tasks
    assert alarms.raised == ["first", "second {with} braces"]
    assert errors == ["[ALARM] Paradex first", "[ALARM] Paradex second {with} braces"]


async def test_the_same_again_calls_nobody(
    autojump_clock: trio.testing.MockClock, errors: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A strategy that tries again and again on a full disk starts no storm of commands; one a minute reminds."""
    del autojump_clock
    started: list[str] = []

    async def take_note(command: list[str], **_options: Any) -> None:
        await trio.lowlevel.checkpoint()
        started.append(command[-1])

    monkeypatch.setattr(trio, "run_process", take_note)
    async with trio.open_nursery() as nursery:
        alarms = Alarms(AlarmSettings(("page", "me")), nursery, str)
        for _ in range(2):
            alarms("full")
            alarms("other")
            await trio.sleep(AGAIN_AFTER - 1)
            alarms("full")
            await trio.sleep(1)
    assert alarms.raised == ["full", "other"] * 2
    assert sorted(started) == ["full", "full", "other", "other"]
    assert len(errors) == 4


async def test_the_command_gets_the_text_as_one_argument(tmp_path: Path, errors: list[str]) -> None:
    """A real process, because only that shows what arrives: the text as it is, through no shell, and no stdin."""
    file = tmp_path / "alarm"
    script = "import pathlib,sys; pathlib.Path(sys.argv[1]).write_text(sys.argv[2] + sys.stdin.read())"
    text = "order run-1: 'FROZEN'; $(exit 1) \u2013 \"quoted\""
    async with trio.open_nursery() as nursery:
        Alarms(AlarmSettings((sys.executable, "-c", script, str(file))), nursery, str)(text)
    assert file.read_text(encoding="utf-8") == text
    assert errors == [f"[ALARM] Paradex {text}"]


@pytest.mark.parametrize("command", [("/no/such/program",), (sys.executable, "-c", "raise SystemExit(3)")])
async def test_a_command_that_fails_is_a_line(command: tuple[str, ...], errors: list[str]) -> None:
    """Real processes again: a program that is not there, and one that ends with an error. Neither is our end."""
    async with trio.open_nursery() as nursery:
        alarms = Alarms(AlarmSettings(command), nursery, str)
        alarms("text")
    assert alarms.raised == ["text"]
    assert len(errors) == 2
    assert errors[1].startswith("[ALARM] the alarm command failed: ")


async def test_a_command_that_hangs_is_ended(
    autojump_clock: trio.testing.MockClock, errors: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its deadline, and meanwhile nobody waits for it."""
    del autojump_clock
    started: list[list[str]] = []

    async def hang(command: list[str], **_options: Any) -> None:
        started.append(command)
        await trio.sleep_forever()

    monkeypatch.setattr(trio, "run_process", hang)
    async with trio.open_nursery() as nursery:
        Alarms(AlarmSettings(("page", "me")), nursery, str)("text")
        assert trio.current_time() == 0
    assert trio.current_time() == COMMAND_DEADLINE == 30
    assert started == [["page", "me", "text"]]
    assert errors[1:] == ["[ALARM] the alarm command was ended after 30 s"]
