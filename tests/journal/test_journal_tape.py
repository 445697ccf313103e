"""What is written, when, and what happens where it is not: a journal on a disk in memory, in virtual time."""

import errno
from collections.abc import Callable
from math import inf
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing
from writing_stage import FIRST, header, numbers, staged, virtual

from bot.core.errors import JournalError
from bot.core.tape import Kind
from bot.journal import journal as upkeep
from bot.journal import tape
from bot.journal.journal import END_DEADLINE, FLUSH_AFTER, open_journal
from bot.journal.parts import Parts
from bot.journal.reader import read
from bot.journal.settings import JournalSettings
from bot.link.clock import TrioClock
from bot.simulation.disk import MemoryDisk

LATEST = 0.2
"""Seconds after which a record is in the file."""

NO_SPACE = "the journal cannot be written: No space left on device"


@pytest.fixture
def logged(logged_from: Callable[[str], list[str]]) -> list[str]:
    """What the journal tells a person."""
    return logged_from("WARNING")


@virtual
async def test_a_commit_is_one_write() -> None:
    """Of everything that waits, in order; and when the timer comes, there is nothing left to do."""
    async with staged() as stage:
        before = len(stage.disk.writes)
        for text in "abc":
            stage.write(text)
        assert stage.texts() == []
        stage.journal.commit()
        assert stage.texts() == ["a", "b", "c"]
        await trio.sleep(1)
        assert len(stage.disk.writes) == before + 1


@virtual
async def test_a_record_that_no_reader_takes_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It would hide everything after it; that it came, and how large, is kept in its place."""
    monkeypatch.setattr(tape, "LONGEST_RECORD", 1000)
    async with staged() as stage:
        stage.write("x" * 1000)
        stage.write("y")
        stage.journal.commit()
        assert stage.texts() == ["bytes_left_out", "y"]
    assert numbers(stage.disk, tmp_path) == [1, 2]


@virtual
async def test_what_nobody_commits_is_written_soon() -> None:
    """Each record at most 200 ms after it was written down, however they come; and an idle journal writes nothing."""
    async with staged() as stage:
        for pause in (0.0, 0.001, FLUSH_AFTER, FLUSH_AFTER + 0.001, 0.07, 1.0) * 20:
            await trio.sleep(pause)
            stage.write(f"{trio.current_time()}")
        await trio.sleep(60)
        assert len(stage.texts()) == 120
        for write in stage.disk.writes[1:]:
            for line in write.data.splitlines():
                assert 0 <= write.at - float(line.split(b'"')[-2]) <= LATEST
        assert len(stage.disk.writes) < 1 + 120


@virtual
async def test_the_header_is_there_at_once() -> None:
    """Whoever kills the bot in its first moment leaves a journal that says so."""
    async with staged() as stage:
        assert stage.file().content.count(b"\n") == 1


@virtual
async def test_times_and_numbers() -> None:
    """Numbers follow each other from 1; times are the clock's."""
    async with staged() as stage:
        await trio.sleep(1.5)
        stamp = stage.journal.write(Kind.TIMER, {})
        assert (stamp.number, stamp.ns) == (1, 1_500_000_000)
        assert stage.write() == 2


@virtual
async def test_short_writes(tmp_path: Path) -> None:
    """However little each write takes, the file comes out the same."""
    whole = None
    for piece in (inf, *range(1, 60)):
        async with staged(MemoryDisk(piece=piece)) as stage:
            for text in ("a", "b" * 30):
                stage.write(text)
                stage.journal.commit()
        whole = whole or stage.file().content
        assert stage.file().content == whole
    assert numbers(stage.disk, tmp_path) == [1, 2]


@virtual
async def test_a_write_that_fails_at_any_byte(tmp_path: Path) -> None:
    """`commit` refuses; when there is room again the file goes on at that byte, with nothing missing or twice."""
    async with staged() as stage:
        size = len(stage.file().content)
        stage.write("a")
        stage.write("b")
    whole = stage.file().content
    for room in range(size, len(whole)):
        async with staged(MemoryDisk(room=room)) as stage:
            stage.write("a")
            stage.write("b")
            with pytest.raises(JournalError, match=NO_SPACE):
                stage.journal.commit()
            assert stage.file().content == whole[:room]
            stage.disk.room = inf
            stage.journal.commit()
            assert stage.file().content == whole
        assert stage.stops == []
    assert numbers(stage.disk, tmp_path) == [1, 2]


@virtual
async def test_a_full_disk_is_told_of_twice(logged: list[str]) -> None:
    """Once when it begins, once when it ends; in between the timer and every commit try again."""
    async with staged() as stage:
        stage.disk.room = 0
        for _ in range(20):
            stage.write()
            with pytest.raises(JournalError, match=NO_SPACE):
                stage.journal.commit()
            await trio.sleep(1)
        assert len(logged) == 1
        assert NO_SPACE in logged[0]
        assert 100 < stage.disk.refusals < 300
        stage.disk.room = inf
        await trio.sleep(LATEST)
        assert len(logged) == 2
        assert len(stage.texts()) == 20
        stage.journal.commit()
        await trio.sleep(60)
        stage.disk.write_error = errno.EIO
        stage.write()
        with pytest.raises(JournalError, match="the journal cannot be written: Input/output error"):
            stage.journal.commit()
        stage.disk.write_error = 0
    assert len(logged) == 4
    assert stage.stops == []


@virtual
async def test_memory_is_bounded(tmp_path: Path, logged: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound nothing more is kept: after a gap no record would count. What was kept stays, and is written
    if the disk comes back; but trust does not.
    """
    monkeypatch.setattr(tape, "HELD_AT_MOST", 1 << 20)
    async with staged() as stage:
        stage.disk.write_error = errno.EIO
        for _ in range(40):
            stage.write("x" * (1 << 15))
        assert stage.stops == ["the journal failed: 1 MiB wait for a file that cannot be written"]
        held = len(stage.journal._unwritten)
        assert 1 << 20 < held < (1 << 20) + (1 << 16)
        for number in range(41, 1000):
            assert stage.write("y") == number
        assert len(stage.journal._unwritten) == held
        stage.disk.write_error = 0
        await trio.sleep(1)
        with pytest.raises(JournalError, match="the journal failed"):
            stage.journal.commit()
    assert len(stage.stops) == 1
    for line, words in zip(logged, ("orders are refused", "the bot stops", "is written again"), strict=True):
        assert words in line
    assert numbers(stage.disk, tmp_path) == list(range(1, 33))


@virtual
async def test_fsync_follows_what_was_written() -> None:
    """At most once an interval, and not at all while nothing happens."""
    async with staged(fsync_interval=2) as stage:
        await trio.sleep(5)
        assert stage.file().synced == len(stage.file().content)
        stage.write()
        stage.journal.commit()
        committed = len(stage.file().content)
        assert stage.file().synced < committed
        await trio.sleep(FLUSH_AFTER + 2)
        await trio.testing.wait_all_tasks_blocked()
        assert stage.file().synced == committed
        assert stage.disk.syncs == 2
        await trio.sleep(600)
        assert stage.disk.syncs == 2
        for _ in range(200):
            stage.write()
            await trio.sleep(0.05)
        assert stage.disk.syncs == 2 + 4


@virtual
async def test_fsync_at_will(tmp_path: Path) -> None:
    """0 never syncs, not even at the end."""
    async with staged(fsync_interval=0) as stage:
        stage.write()
        await trio.sleep(5)
    assert stage.file().synced == 0
    assert stage.file().is_closed
    assert numbers(stage.disk, tmp_path) == [1]


@virtual
async def test_nobody_waits_for_an_fsync() -> None:
    """While one takes its time, records are written, commits succeed, and no second one begins."""
    async with staged(MemoryDisk(sync_seconds=30), fsync_interval=1) as stage:
        for second in range(20):
            number = stage.write(str(second))
            if second % 2:
                stage.journal.commit()
            await trio.sleep(1)
            assert len(stage.texts()) == number
        assert stage.file().synced == 0
        await trio.sleep(12)
        assert 0 < stage.file().synced < len(stage.file().content)
        await trio.sleep(32)
        assert stage.file().synced == len(stage.file().content)


@virtual
async def test_an_fsync_that_fails_ends_it(logged: list[str]) -> None:
    """A second one that succeeds would prove nothing, so none is tried. What can still be written is evidence."""
    async with staged() as stage:
        stage.disk.sync_error = errno.EIO
        await trio.sleep(3)
        assert stage.stops == [
            "the journal failed: the disk may have lost what was written: Input/output error"
        ]
        stage.disk.sync_error = 0
        stage.write("after")
        with pytest.raises(JournalError, match="the journal failed"):
            stage.journal.commit()
        assert stage.texts() == ["after"]
        await trio.sleep(10)
    assert stage.file().synced == 0
    assert stage.disk.refusals == len(stage.stops) == len(logged) == 1


@virtual
async def test_the_end(tmp_path: Path) -> None:
    """What waits is written, synced, and the file closed."""
    async with staged() as stage:
        stage.write()
    assert stage.file().synced == len(stage.file().content)
    assert stage.file().is_closed
    assert stage.stops == []
    assert numbers(stage.disk, tmp_path) == [1]


@virtual
async def test_an_end_that_is_cancelled(tmp_path: Path) -> None:
    """It is an end all the same."""
    with trio.CancelScope() as scope:
        async with staged() as stage:
            stage.write()
            scope.cancel()
            await trio.sleep_forever()
    assert stage.file().synced == len(stage.file().content)
    assert stage.file().is_closed
    assert numbers(stage.disk, tmp_path) == [1]


@virtual
async def test_a_disk_that_hangs_at_the_end(logged: list[str]) -> None:
    """It gets its time, and then the bot goes, and says what it does not know."""
    async with staged(MemoryDisk(sync_seconds=inf)) as stage:
        stage.write()
        await trio.sleep(10)
        ends_at = trio.current_time() + END_DEADLINE
    assert trio.current_time() == ends_at
    assert stage.texts() == ["x"]
    assert len(stage.stops) == 1
    assert "the disk did not answer for 1 s" in logged[0]


@pytest.mark.parametrize("fault", ["write_error", "sync_error"])
@virtual
async def test_an_end_that_cannot_be_kept(fault: str) -> None:
    """Whoever asks for the exit code hears of it."""
    async with staged() as stage:
        await trio.sleep(5)
        stage.write()
        setattr(stage.disk, fault, errno.EIO)
    assert len(stage.stops) == 1


@virtual
async def test_a_file_that_somebody_removes(logged: list[str]) -> None:
    """Commits would go where nobody finds them: no more orders."""
    async with staged() as stage:
        file = stage.file()
        del stage.disk.files[FIRST]
        stage.write()
        await trio.sleep(LATEST)
        with pytest.raises(JournalError, match="was removed"):
            stage.journal.commit()
        stage.write()
        await trio.sleep(LATEST)
        assert stage.stops == ["the journal failed: session.journal was removed"]
    assert file.is_closed
    assert len(logged) == 1


@virtual
async def test_records_are_cleaned_first(tmp_path: Path) -> None:
    """Before anything else: neither memory nor file ever holds what is taken out, and checksums are of the rest."""
    disk = MemoryDisk()

    def clean(record: bytes) -> bytes:
        return record.replace(b"secret", b"<hidden>")

    async with open_journal(
        Parts(disk, FIRST),
        attrs.evolve(header(), run_id="secret"),
        TrioClock(0),
        settings=JournalSettings(),
        ask_to_stop=pytest.fail,
        clean=clean,
    ) as journal:
        journal.write(Kind.ALARM, {"text": "a secret"})
        assert b"secret" not in journal._unwritten
    assert numbers(disk, tmp_path) == [1]
    assert b"secret" not in disk.files[FIRST].content


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part is full at 5 KB: two of the records below."""
    monkeypatch.setattr(upkeep, "MEBIBYTE", 5000)


LONG = "x" * 2000


@pytest.mark.usefixtures("small_parts")
@virtual
async def test_a_part_that_is_full(tmp_path: Path, logged: list[str]) -> None:
    """The next one begins with the header; numbers go on; the one before is synced, closed and compressed."""
    async with staged(part_size=1) as stage:
        for _ in range(8):
            stage.write(LONG)
            await trio.sleep(0.7)
        assert {path.name for path in stage.disk.files} == {
            "session.journal.zst",
            "session.2.journal.zst",
            "session.3.journal",
        }
        assert stage.texts(3) == [LONG] * 2
    assert numbers(stage.disk, tmp_path) == list(range(1, 9))
    assert read(tmp_path / FIRST).header == header()
    assert stage.stops == logged == []


@pytest.mark.usefixtures("small_parts")
@virtual
async def test_an_end_soon_after_a_part_was_full() -> None:
    """Both are synced and closed."""
    async with staged(part_size=1, fsync_interval=60) as stage:
        for _ in range(4):
            stage.write(LONG)
            await trio.sleep(0.3)
    for file in (stage.file(1), stage.file(2)):
        assert file.synced == len(file.content)
        assert file.is_closed


@pytest.mark.usefixtures("small_parts")
@virtual
async def test_no_next_part(tmp_path: Path, logged: list[str]) -> None:
    """The old one grows on, commits succeed, one line says so; and when there can be one again, there is."""
    async with staged(part_size=1) as stage:
        stage.disk.create_error = errno.EMFILE
        for _ in range(8):
            stage.write(LONG)
            await trio.sleep(0.3)
            stage.journal.commit()
        assert len(stage.texts()) == 8
        assert len(logged) == 1
        assert "there can be no next: [Errno 24] Too many open files" in logged[0]
        stage.disk.create_error = 0
        stage.write("last")
        await trio.sleep(0.3)
        stage.write("first")
    assert stage.texts(2) == ["first"]
    assert numbers(stage.disk, tmp_path) == list(range(1, 11))
    assert stage.stops == []


@pytest.mark.usefixtures("small_parts")
@virtual
async def test_a_part_that_cannot_be_compressed(tmp_path: Path, logged: list[str]) -> None:
    """It stays as it is, and that is said."""
    async with staged(MemoryDisk(compress_error=errno.ENOSPC), part_size=1) as stage:
        for _ in range(4):
            stage.write(LONG)
            await trio.sleep(0.7)
    assert {path.name for path in stage.disk.files} == {"session.journal", "session.2.journal"}
    assert logged == ["[JOURNAL] Paradex session.journal stays as large as it is: No space left on device"]
    assert numbers(stage.disk, tmp_path) == [1, 2, 3, 4]


@pytest.mark.usefixtures("small_parts")
@virtual
async def test_a_disk_that_fills_up_while_parts_change(tmp_path: Path) -> None:
    """Wherever it does: between two parts nothing is lost, and nothing is written to the wrong one."""
    for room in range(2000, 9000, 397):
        async with staged(MemoryDisk(room=room, compress_error=errno.ENOSPC), part_size=1) as stage:
            for _ in range(6):
                stage.write(LONG)
                await trio.sleep(0.4)
            stage.disk.room = inf
        assert numbers(stage.disk, tmp_path) == [1, 2, 3, 4, 5, 6]


@pytest.mark.usefixtures("small_parts")
@virtual
async def test_an_fsync_that_hangs_while_parts_change(tmp_path: Path) -> None:
    """Parts that wait for it are closed when it is over, and never while it lasts."""
    async with staged(MemoryDisk(sync_seconds=10), part_size=1) as stage:
        for _ in range(6):
            stage.write(LONG)
            await trio.sleep(0.3)
        files = [stage.file(number) for number in (1, 2, 3)]
        assert not any(file.is_closed for file in files)
        await trio.sleep(40)
        assert [file.is_closed for file in files] == [True, True, False]
        assert all(file.synced == len(file.content) for file in files[:2])
        stage.disk.sync_seconds = 0
    assert numbers(stage.disk, tmp_path) == [1, 2, 3, 4, 5, 6]
