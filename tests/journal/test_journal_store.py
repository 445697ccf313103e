"""Where sessions are recorded: what is made for them, what is refused, and what is left behind."""

import os
import stat
from pathlib import Path
from typing import NoReturn

import pytest
import trio

from bot import run
from bot.cli import run_verb
from bot.journal import names, store
from bot.journal.file import LocalDisk
from bot.journal.settings import JournalSettings
from bot.journal.store import CannotRecordError, begin, state_directory
from bot.signals import EarlySignals
from bot.summary import Summary

Streams = pytest.CaptureFixture[str]

MANY_UMASKS = (0, 0o022, 0o777)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting, else $XDG_STATE_HOME, else ~/.local/state; of a relative $XDG_STATE_HOME nobody knows to what."""
    monkeypatch.setenv("HOME", str(tmp_path))
    usual = tmp_path / ".local/state/paradex-bot"
    xdg = {"XDG_STATE_HOME": str(tmp_path / "xdg")}
    assert state_directory(JournalSettings(), {}) == usual
    assert state_directory(JournalSettings(), {"XDG_STATE_HOME": ""}) == usual
    assert state_directory(JournalSettings(), {"XDG_STATE_HOME": "some/where"}) == usual
    assert state_directory(JournalSettings(), xdg) == tmp_path / "xdg/paradex-bot"
    assert state_directory(JournalSettings(directory="~/mine"), xdg) == tmp_path / "mine"
    assert state_directory(JournalSettings(directory=str(tmp_path / "a")), xdg) == tmp_path / "a"
    assert all((tmp_path / name).is_dir() for name in (".local/state/paradex-bot", "xdg", "mine", "a"))


@pytest.mark.parametrize("mask", MANY_UMASKS, ids=oct)
def test_folders_are_ours_alone(tmp_path: Path, mask: int) -> None:
    """Those that are made, whatever the umask is; those that were there stay as they are."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there").chmod(0o755)
    before = os.umask(mask)
    try:
        folder = state_directory(JournalSettings(directory=str(tmp_path / "there/new/newer")), {})
        assert state_directory(JournalSettings(directory=str(folder)), {}) == folder
    finally:
        os.umask(before)
    assert [mode(place) for place in (folder, folder.parent, folder.parent.parent)] == [0o700, 0o700, 0o755]


def test_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something else has the name, or it is nobody's home: said in words, with what helps."""
    (tmp_path / "file").touch()
    for directory in (tmp_path / "file", tmp_path / "file/below", "~nobody-of-that-name/x"):
        with pytest.raises(CannotRecordError, match=r"no folder for journals: .*--no-record"):
            state_directory(JournalSettings(directory=str(directory)), {})
    monkeypatch.setattr(store, "make_folder", Path.rmdir)
    with pytest.raises(CannotRecordError, match="No such file or directory"):
        state_directory(JournalSettings(directory=str(tmp_path / "none")), {})


@pytest.mark.parametrize("form", ["s.journal", "s.journal.zst", "s.2.journal", "s.7.journal.zst"])
def test_a_name_that_is_taken(tmp_path: Path, form: str) -> None:
    """By any part of another session, in any form: the reader would take one for the other's."""
    (tmp_path / form).write_text("precious")
    with pytest.raises(CannotRecordError, match=f"{form} already, and nothing is ever overwritten"):
        begin(LocalDisk(), tmp_path / "s.journal")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["precious"]
    begin(LocalDisk(), tmp_path / "t.journal").give_back()


@pytest.mark.parametrize("name", ["s.journal", "s", "s.3", "s.log"])
def test_any_other_name_will_do(tmp_path: Path, name: str) -> None:
    """Also one that looks like a later part's; all parts of it are found again."""
    parts = begin(LocalDisk(), tmp_path / name)
    for part in (2, 3):
        parts.file.append(bytearray(b"x"))
        parts.begin_next().close()
        assert parts.number == part
    assert names.parts(tmp_path / name) == {
        1: tmp_path / name,
        2: names.part(tmp_path / name, 2),
        3: names.part(tmp_path / name, 3),
    }
    parts.give_back()


@pytest.fixture
def early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EarlySignals:
    """An empty folder, a home of one's own, and a program that may not begin anything."""

    def refuse(*_args: object, **_kwargs: object) -> NoReturn:
        pytest.fail("something was started")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(trio, "run", refuse)
    monkeypatch.setattr(run, "set_up", lambda *_: None)
    signals = EarlySignals()
    signals.restore()
    return signals


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--record", "taken"], "taken: no journal can begin there: there is taken already"),
        (["--record", "link"], "link: no journal can begin there: there is link already"),
        (["--record", "."], ".: no journal can begin there: it is a folder"),
        (["--record", "none/s"], "none/s: no journal can begin there: No such file or directory"),
        (["--record", "taken/s"], "taken/s: no journal can begin there: Not a directory"),
        (["--record", "s.journal.zst"], "s.journal.zst: so end the names of compressed parts"),
        (["--record", "s", "--no-record"], "--record s and --no-record: one of the two"),
        (["--record", "s", "--summary", "../x/s"], "--record s and --summary ../x/s: they are the same file"),
    ],
)
def test_a_place_that_is_refused(
    early: EarlySignals, capsys: Streams, tmp_path: Path, arguments: list[str], words: str
) -> None:
    """Exit code 2 and one message on stderr; nothing was started, and what was there is as it was."""
    place = tmp_path / "x"
    place.mkdir()
    os.chdir(place)
    Path("taken").write_text("precious")
    Path("link").symlink_to("elsewhere")
    assert run_verb(["run", *arguments], early) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    assert sorted(path.name for path in place.iterdir()) == ["link", "taken"]
    assert Path("taken").read_text() == "precious"


def test_a_state_directory_that_cannot_be_made(
    early: EarlySignals, capsys: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same. A file in its place refuses even root."""
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")
    assert run_verb(["run"], early) == 2
    assert (
        "/dev/null/paradex-bot: there can be no folder for journals: Not a directory"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("arguments", [[], ["--record", "s"], ["--no-record"]])
@pytest.mark.parametrize("breaks", [False, True])
def test_a_session_that_never_began(
    early: EarlySignals,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    *,
    breaks: bool,
) -> None:
    """Stopped or broken before there was anything to record: it leaves no file. Its place was taken all the while."""
    seen: list[str] = []

    def end_at_once(*_: object) -> Summary:
        seen.extend(path.name for path in tmp_path.rglob("*") if path.suffix != ".key" and path.is_file())
        if breaks:
            raise RuntimeError
        return Summary(environment="embedded", exit_reason="SIGINT")

    monkeypatch.setattr(trio, "run", end_at_once)
    assert run_verb(["run", *arguments], early) == (1 if breaks else 0)
    if arguments:
        assert seen == arguments[1:]
    else:
        assert [name[:9] for name in seen] == ["embedded-"]
    assert not any(path.is_file() and path.suffix != ".key" for path in tmp_path.rglob("*"))
