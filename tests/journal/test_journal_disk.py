"""The journal on this machine's own disk: real files, for what only those can show, and real threads."""

import errno
import fcntl
import os
import resource
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zstandard
from writing_stage import header

from bot.core.errors import JournalError
from bot.core.tape import Kind
from bot.journal import names
from bot.journal.compression import compress, compress_all
from bot.journal.file import LocalDisk, LocalFile
from bot.journal.journal import open_journal
from bot.journal.parts import Parts
from bot.journal.reader import read
from bot.journal.settings import JournalSettings
from bot.link.clock import SystemClock

UMASKS = (0, 0o022, 0o077, 0o277, 0o777)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may grow beyond ``size``: a write takes what fits, and the next is refused, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def stay() -> threading.Event:
    """Nobody abandoned it."""
    return threading.Event()


@pytest.mark.parametrize("mask", UMASKS, ids=oct)
def test_nobody_else_reads_it(tmp_path: Path, mask: int) -> None:
    """Whatever the umask is: of a part, and of its compressed form."""
    path = tmp_path / "s.journal"
    with umask(mask):
        file = LocalFile(path)
        file.append(bytearray(b"x"))
        file.close()
        assert mode(path) == 0o600
        compress(path, stay())
    assert mode(names.compressed(path)) == 0o600


@pytest.mark.parametrize(
    "occupy",
    [
        lambda path: path.write_text("precious"),
        lambda path: path.mkdir(),
        os.mkfifo,
        lambda path: path.symlink_to(path.with_name("elsewhere")),
        lambda path: path.symlink_to(path.parent),
    ],
    ids=["file", "folder", "fifo", "dangling link", "link"],
)
def test_what_is_there_stays(tmp_path: Path, occupy: Callable[[Path], None]) -> None:
    """Nothing is overwritten, appended to, or followed."""
    path = tmp_path / "s.journal"
    occupy(path)
    before = path.lstat()
    with pytest.raises(FileExistsError):
        LocalDisk().create(path)
    assert path.lstat() == before
    assert [*tmp_path.iterdir()] == [path]


def test_an_empty_one_disappears(tmp_path: Path) -> None:
    """It says nothing of any session."""
    path = tmp_path / "s.journal"
    parts = Parts(LocalDisk(), path)
    parts.give_back()
    parts.give_back()
    assert not path.exists()
    parts = Parts(LocalDisk(), path)
    parts.file.append(bytearray(b"x"))
    parts.give_back()
    parts.file.append(bytearray(b"y"))
    assert path.read_bytes() == b"xy"
    parts.file.close()


def test_it_is_known_when_it_is_lost(tmp_path: Path) -> None:
    """Removed, and not only called something else: then it can be found."""
    file = LocalFile(tmp_path / "s.journal")
    assert not file.is_lost()
    (tmp_path / "s.journal").rename(tmp_path / "other")
    assert not file.is_lost()
    (tmp_path / "other").unlink()
    assert file.is_lost()


async def test_a_session(tmp_path: Path) -> None:
    """Written, synced by a thread that nobody waits for, read back."""
    synced: list[int] = []
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        assert threading.current_thread() is not threading.main_thread()
        synced.append(descriptor)
        real_fsync(descriptor)

    path = tmp_path / "s.journal"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        async with open_journal(
            Parts(LocalDisk(), path),
            header(),
            SystemClock(),
            settings=JournalSettings(),
            ask_to_stop=pytest.fail,
        ) as journal:
            for number in range(1, 11):
                assert journal.write(Kind.TIMER, {"n": number}).number == number
                journal.commit()
    assert len(synced) == 2  # the file, and the folder that it is in
    recording = read(path)
    assert recording.header == header()
    assert [record.data for record in recording.records] == [{"n": number} for number in range(1, 11)]


async def test_a_disk_without_room(tmp_path: Path) -> None:
    """The system cuts a write short in the middle of a record; afterwards that record is whole."""
    path = tmp_path / "s.journal"
    async with open_journal(
        Parts(LocalDisk(), path),
        header(),
        SystemClock(),
        settings=JournalSettings(fsync_interval=0),
        ask_to_stop=pytest.fail,
    ) as journal:
        room = path.stat().st_size + 100
        with largest_file(room):
            journal.write(Kind.TIMER, {"long": "x" * 1000})
            with pytest.raises(JournalError, match="File too large"):
                journal.commit()
            assert path.stat().st_size == room
        journal.commit()
    assert [record.data for record in read(path).records] == [{"long": "x" * 1000}]


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """One that is closed: 3 MB."""
    path = tmp_path / "s.journal"
    path.write_bytes(b'00000000 [0,12,0,"header",{}]\n' + bytes(range(256)) * 12_000)
    return path


def content(path: Path) -> bytes:
    with path.open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read()


def test_compression(part: Path) -> None:
    """The compressed form has what was in it, knows how long that was, and is the only one that is left."""
    before = part.read_bytes()
    stale = names.unfinished(part)
    stale.write_text("of a try that a power cut ended")
    compress(part, stay())
    (after,) = part.parent.iterdir()
    assert after == names.compressed(part)
    assert content(after) == before
    assert zstandard.get_frame_parameters(after.read_bytes()).content_size == len(before)


def test_a_power_cut_finds_one_of_the_two(part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file is on the disk before it gets its name, and its name before the old one goes."""
    done: list[tuple[bool, set[str]]] = []
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        done.append((is_folder, {path.name for path in part.parent.iterdir()}))
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    compress(part, stay())
    assert done == [
        (False, {"s.journal", "s.journal.zst.unfinished"}),
        (True, {"s.journal", "s.journal.zst"}),
    ]


def test_compression_without_room(part: Path) -> None:
    """The part stays as it is, and no half file lies around."""
    before = part.read_bytes()
    with largest_file(50), pytest.raises(OSError, match="File too large"):
        compress(part, stay())
    assert [*part.parent.iterdir()] == [part]
    assert part.read_bytes() == before


def test_compression_that_nobody_waits_for(part: Path) -> None:
    """It ends soon, and leaves nothing behind."""
    abandoned = stay()
    abandoned.set()
    with pytest.raises(InterruptedError):
        compress(part, abandoned)
    assert [*part.parent.iterdir()] == [part]


def test_a_part_that_grows_meanwhile(part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody writes to it without its lock: it is left alone, for nobody knows what it will be."""
    real_fstat = os.fstat

    def outdated(descriptor: int) -> os.stat_result:
        told = real_fstat(descriptor)
        return os.stat_result((*told[:6], told.st_size - 1, *told[7:]))

    monkeypatch.setattr(os, "fstat", outdated)
    with pytest.raises(OSError, match="somebody writes to it") as refused:
        compress(part, stay())
    assert refused.value.errno == errno.EBUSY
    assert [*part.parent.iterdir()] == [part]


def test_a_part_that_is_written(tmp_path: Path) -> None:
    """Its writer's lock keeps everybody off, in this process and in others, until it is closed."""
    path = tmp_path / "s.journal"
    file = LocalFile(path)
    file.append(bytearray(b"x"))
    with pytest.raises(BlockingIOError):
        compress(path, stay())
    file.close()
    compress(path, stay())
    assert not path.exists()


def test_a_part_that_somebody_else_compressed(part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the moment it is opened and the one it is locked: what is there now is not touched."""
    real_flock = fcntl.flock

    def too_late(file: int, operation: int) -> None:
        real_flock(file, operation)
        part.unlink()
        part.write_text("another")

    monkeypatch.setattr(fcntl, "flock", too_late)
    with pytest.raises(FileNotFoundError, match="somebody else compressed it"):
        compress(part, stay())
    assert part.read_text() == "another"


def test_what_earlier_sessions_left(part: Path) -> None:
    """Parts that nobody writes are compressed. One that is written, and what is no journal of ours, are not."""
    folder = part.parent
    later = names.part(part, 2)
    later.write_bytes(part.read_bytes())
    (folder / "system.journal").write_bytes(b"LPKSHHRH" + bytes(100))
    (folder / "empty.journal").touch()
    (folder / "folder.journal").mkdir()
    (folder / "notes.txt").write_bytes(part.read_bytes())
    file = LocalFile(folder / "now.journal")
    file.append(bytearray(part.read_bytes()))
    compress_all(folder, stay())
    file.close()
    assert {path.name for path in folder.iterdir()} == {
        "s.journal.zst",
        "s.2.journal.zst",
        "system.journal",
        "empty.journal",
        "folder.journal",
        "notes.txt",
        "now.journal",
    }


def test_a_stop_ends_it(part: Path) -> None:
    """After the file it is at, at the latest."""
    abandoned = stay()
    abandoned.set()
    compress_all(part.parent, abandoned)
    assert [*part.parent.iterdir()] == [part]
