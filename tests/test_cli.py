"""The command line: what it takes, what it refuses, and what it does not even import."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import trio

from bot import __main__ as program
from bot import cli, run, usage
from bot.cli import BAD_ARGUMENTS, build, run_verb
from bot.signals import EarlySignals

Streams = pytest.CaptureFixture[str]


@pytest.fixture
def early() -> Iterator[EarlySignals]:
    """Signals as the program finds them; afterwards they are the test runner's again."""
    before = {number: signal.getsignal(number) for number in program.early.numbers}
    yield EarlySignals()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def nothing_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, and a program that may not begin anything."""

    def refuse(*_args: object, **_kwargs: object) -> NoReturn:
        pytest.fail("something was started")

    monkeypatch.chdir(tmp_path)
    for module, name in ((trio, "run"), (run, "set_up"), (run, "find_key"), (run, "new_key")):
        monkeypatch.setattr(module, name, refuse)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rum"], "rum"),
        (["run", "--fro", "5"], "--fro"),
        (["run", "extra"], "extra"),
        (["run", "--for"], "--for"),
        (["run", "--for", "soon"], "soon"),
        (["exchange", "--verify", "sometimes"], "sometimes"),
        (["exchange", "--rest-port", "https"], "https"),
        (["exchange", "--ws-port", "65536"], "65536"),
        (["exchange", "--control-port=-1"], "-1"),
        (["config", "shwo"], "shwo"),
        (["config", "check", "--jsno"], "--jsno"),
        (["-5"], "-5"),
    ],
)
def test_arguments_that_make_no_sense(
    early: EarlySignals, capsys: Streams, arguments: list[str], words: str
) -> None:
    """Exit code 2, and on stderr or stdout a message that names what was not understood."""
    assert run_verb(arguments, early) == BAD_ARGUMENTS == 2
    printed = capsys.readouterr()
    assert words in printed.out + printed.err
    assert "Traceback" not in printed.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--for", "-1"], "--for -1: seconds above 0 are allowed"),
        (["--for", "0"], "--for 0: seconds above 0 are allowed"),
        (["--for=inf"], "--for inf: seconds above 0 are allowed"),
        (["--for=nan"], "--for nan: seconds above 0 are allowed"),
        (
            ["--summary", "no/folder/summary.json"],
            "--summary no/folder/summary.json: there is no such folder",
        ),
        (["--settings", "none.toml"], "none.toml: there is no such file"),
        (["--settings", "broken.toml"], "broken.toml:1: http.connections = 1: must be a whole number"),
        (["--settings", "prod.toml"], "environment = prod: trades real money and needs --live"),
    ],
)
def test_a_run_that_is_refused(
    early: EarlySignals, capsys: Streams, tmp_path: Path, arguments: list[str], words: str
) -> None:
    """Exit code 2 and one message on stderr; no key was read, nothing was started."""
    (tmp_path / "broken.toml").write_text("http.connections = 1\n")
    (tmp_path / "prod.toml").write_text('environment = "prod"\n')
    assert run_verb(["run", *arguments], early) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert printed.out == ""


def test_prod_by_a_variable_needs_live_too(
    early: EarlySignals, capsys: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the environment is named."""
    monkeypatch.setenv("BOT__ENVIRONMENT", "prod")
    assert run_verb(["run"], early) == 2
    assert "trades real money and needs --live" in capsys.readouterr().err


def test_verbs_and_usage_agree(early: EarlySignals, capsys: Streams) -> None:
    """What `bot --help` lists exists and nothing else does; each verb explains itself in the same words."""
    verbs = {name for name in build(early) if not name.startswith("-")}
    assert verbs == set(usage.VERBS)
    for verb, words in usage.VERBS.items():
        assert f"  {verb:<12}{words}\n" in usage.TEXT
        assert run_verb([verb, "--help"], early) == 0
        assert words in " ".join(capsys.readouterr().out.split())


def test_exit_codes_are_told() -> None:
    """All five stand in the usage text."""
    assert all(f"{code} " in usage.TEXT.partition("exit codes:")[2] for code in range(5))


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["--help"], 0), (["-h"], 0), (["help"], 0)])
def test_help_is_answered_at_once(
    capsys: Streams, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int
) -> None:
    """The usage on stdout; asked for, that is a success."""
    monkeypatch.setattr(sys, "argv", ["bot", *arguments])
    assert program.main() == code
    assert capsys.readouterr().out == usage.TEXT


def test_other_arguments_reach_their_verb(early: EarlySignals, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the signals that came before, and its exit code is the program's, whatever signal comes after that."""
    asked: list[tuple[list[str], EarlySignals]] = []

    def fake(arguments: list[str], early: EarlySignals) -> int:
        asked.append((arguments, early))
        return 4

    monkeypatch.setattr(cli, "run_verb", fake)
    monkeypatch.setattr(sys, "argv", ["bot", "run", "--for", "5"])
    assert program.main() == 4
    assert asked == [(["run", "--for", "5"], program.early)]
    assert {signal.getsignal(number) for number in early.numbers} == {signal.SIG_IGN}


def test_windows_is_refused(capsys: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    """In words, before anything else."""
    monkeypatch.setattr(sys, "platform", "win32")
    assert program.main() == 2
    assert capsys.readouterr().err == "bot runs on Linux and macOS\n"


def test_the_version(early: EarlySignals, capsys: Streams) -> None:
    """It is the project's."""
    assert run_verb(["--version"], early) == 0
    assert capsys.readouterr().out.strip() == "0.1.0"


def modules_after(statement: str, *arguments: str) -> set[str]:
    """The top-level modules in a new interpreter after ``statement``.

    A process of its own: in this one the test runner and other tests have imported everything long ago.
    """
    script = f"""
import json, sys
sys.argv = {["bot", *arguments]!r}
{statement}
sys.stderr.write(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr))


def test_help_waits_for_no_library() -> None:
    """None of the heavy imports, nor any that the standard library does not have."""
    modules = modules_after("from bot.__main__ import main; assert main() == 0", "--help")
    assert "bot" in modules
    assert modules.isdisjoint({"cyclopts", "trio", "httpx", "starknet_py", "attrs", "msgspec", "loguru"})


def test_a_run_does_not_wait_for_starknet_py() -> None:
    """It takes seconds to import: only where it is the signer of last resort, or asked for a second opinion."""
    modules = modules_after(
        "import bot.run, bot.link.signer\n"
        "bot.link.signer.open_signer(private_key='0x1', chain_id='PRIVATE_SN_POTC_SEPOLIA', account='0x1')"
    )
    assert {"trio", "httpx", "fast_stark_crypto"} <= modules
    assert "starknet_py" not in modules
