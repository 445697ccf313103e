"""A journal is read up to its first damage, and no file breaks its reader."""

import os
import tempfile
import tracemalloc
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
import zstandard
from hypothesis import event, example, given
from hypothesis import strategies as st
from reading_stage import header, journal, payloads, read_bytes, records, session, write_parts

from bot.core.tape import Kind
from bot.journal import names, part
from bot.journal.reader import Damage, NotAJournalError, Recording, find, read
from bot.journal.record import Lines, payload


@cache
def whole() -> Recording:
    return read_bytes(session())


@cache
def lines(seed: int = 1) -> list[bytes]:
    return session(seed).splitlines(keepends=True)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """The header, and every record in order, with the data that JSON can hold; and there is no damage."""
    told = [
        (str(kind), {"text": "žluťoučký 馬\x00\x1b\u2028", "n": [None, True, -1.5, 2**70, ""]})
        for kind in Kind
    ]
    path = tmp_path / "s.journal"
    path.write_bytes(records(*told[1:]))
    recording = read(path)
    assert recording.header == header()
    assert recording.damage is None
    assert [(record.kind, record.data) for record in recording.records] == told[1:]
    assert all(isinstance(record.kind, Kind) for record in recording.records)
    assert [record.number for record in recording.records] == list(range(1, len(told)))


def test_a_session_of_the_bot_is_whole() -> None:
    assert whole().damage is None
    assert whole().records[-1].kind is Kind.END
    assert len(whole().records) == len(lines()) - 1


# Damage to the bytes of one file


def complete(content: bytes) -> int:
    """How many records are whole before ``content`` and the session differ."""
    rows = zip(content.splitlines(keepends=True), lines(), strict=False)
    return sum(1 for _ in takewhile(lambda row: row[0] == row[1], rows)) - 1


def flipped(content: bytes, at: int, bit: int) -> bytes:
    at %= len(content)
    return content[:at] + bytes([content[at] ^ (1 << bit)]) + content[at + 1 :]


def cut(content: bytes, at: int) -> bytes:
    return content[: at % len(content)]


def zeroed(content: bytes, at: int, size: int) -> bytes:
    at %= len(content)
    return content[:at] + bytes(size) + content[at + size :]


def inserted(content: bytes, at: int, what: bytes) -> bytes:
    at %= len(content)
    return content[:at] + what + content[at:]


def removed(content: bytes, at: int, size: int) -> bytes:
    at %= len(content)
    return content[:at] + content[at + size :]


def line_repeated(content: bytes, which: int, where: int) -> bytes:
    rows = content.splitlines(keepends=True) or [b""]
    rows.insert(where % len(rows), rows[which % len(rows)])
    return b"".join(rows)


def line_missing(content: bytes, which: int) -> bytes:
    rows = content.splitlines(keepends=True) or [b""]
    del rows[which % len(rows)]
    return b"".join(rows)


def lines_swapped(content: bytes, one: int, other: int) -> bytes:
    rows = content.splitlines(keepends=True) or [b""]
    one, other = one % len(rows), other % len(rows)
    rows[one], rows[other] = rows[other], rows[one]
    return b"".join(rows)


def spliced(content: bytes, at: int) -> bytes:
    """Another session goes on where this one breaks off after its header, and the numbers fit."""
    rows = content.splitlines(keepends=True)
    at = at % len(rows) + 1
    return b"".join(rows[:at] + lines(2)[at:])


place = st.integers(0, 10**6)
size = st.integers(1, 5000)
DAMAGES = st.one_of(
    st.tuples(st.just(flipped), place, st.integers(0, 7)),
    st.tuples(st.just(cut), place),
    st.tuples(st.just(zeroed), place, size),
    st.tuples(st.just(inserted), place, st.one_of(st.binary(min_size=1, max_size=40), st.just(b"\n"))),
    st.tuples(st.just(removed), place, size),
    st.tuples(st.just(line_repeated), place, place),
    st.tuples(st.just(line_missing), place),
    st.tuples(st.just(lines_swapped), place, place),
    st.tuples(st.just(spliced), place),
)


@given(st.lists(DAMAGES, min_size=1, max_size=3))
@example([(spliced, 100)])
@example([(line_repeated, 50, 51)])
@example([(lines_swapped, 50, 51)])
@example([(line_missing, 50)])
@example([(cut, len(b"12345678 [0"))])
def test_of_a_damaged_journal_the_beginning_is_read(damages: list[tuple[Any, ...]]) -> None:
    """Never a record that is not the session's, never one after a damage, and every one before it."""
    content = session()
    for damage, *arguments in damages:
        if content:
            content = damage(content, *arguments)
    try:
        recording = read_bytes(content)
    except NotAJournalError:
        event("no journal")
        assert complete(content) < 1
        return
    read_ = len(recording.records)
    assert recording.records == whole().records[:read_]
    assert read_ >= complete(content)
    found: Damage | None = recording.damage
    if found is None:
        event("nothing to see")
        assert content.removesuffix(b"\n") == b"".join(lines()[: read_ + 1]).removesuffix(b"\n")
    else:
        assert found.offset == len(b"".join(lines()[: read_ + 1]))
        assert found.offset + found.size == len(content)
        assert found.reason in str(found)


@given(st.one_of(st.binary(), st.text().map(str.encode)))
def test_garbage_is_no_journal(content: bytes) -> None:
    with pytest.raises(NotAJournalError, match="cannot be read as a journal"):
        read_bytes(content)


@given(st.one_of(st.binary(min_size=1), st.text(min_size=1).map(str.encode)))
def test_garbage_after_good_records_is_set_aside(content: bytes) -> None:
    recording = read_bytes(session() + content)
    assert recording.records == whole().records
    assert recording.damage is not None
    assert recording.damage.size == len(content)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.lists(json, max_size=5))
def test_right_checksums_do_not_make_records(values: list[Any]) -> None:
    """A line whose checksum is right is damage all the same if it is no record, or not the next one."""
    recording = read_bytes(journal(map(msgspec.json.encode, values)))
    assert len(recording.records) <= len(values)
    assert (recording.damage is None) == (len(recording.records) == len(values))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[1,2,3]", "no record: Expected `array` of length 5"),
        (b'[1,-1,0,"end",{}]', "no record: Expected `int` >= 0 - at `$[1]`"),
        (b'[1,%d,0,"end",{}]' % 2**63, "no record: Expected `int` <= 9223372036854775807 - at `$[1]`"),
        (b'[1%s,1,0,"end",{}]' % (b"0" * 400), "no record: "),
        (b'[1,1,0,"end",1e400]', "no record: Number out of range"),
        (
            b'[1,1,0,"end",' + b"[" * 10**5 + b"]" * 10**5 + b"]",
            "no record: maximum recursion depth exceeded",
        ),
        (b'[1,1,0,"end","\xff"]', "no record: 'utf-8' codec can't decode"),
        (b'[1,1,0,"end","\0"]', "no record: "),
        (b'[1,1,0,"end","\\ud800"]', "no record: "),
        (b'[2,1,0,"end",{}]', "record 2 follows record 0"),
        (b'[0,1,0,"end",{}]', "record 0 follows record 0"),
        (b"", "no record: Input data was truncated"),
    ],
    ids=lambda value: value.decode("latin-1")[:20] if isinstance(value, bytes) else "",
)
def test_what_is_no_record_is_damage(line: bytes, reason: str) -> None:
    """Whoever put a right checksum before it."""
    recording = read_bytes(journal([line]))
    assert recording.records == []
    assert recording.damage is not None
    assert recording.damage.reason.startswith(reason)


def test_big_numbers_in_data_are_read() -> None:
    """The venue may send any; what happens to them is the decoder's business."""
    assert read_bytes(journal([b'[1,1,0,"order",%d]' % 10**400])).records[0].data == 10**400


def test_a_kind_of_a_newer_program_is_read_as_text() -> None:
    """The format is the same, so nothing that is known changed its meaning: it can be passed over."""
    recording = read_bytes(records(("fill", {"id": 1}), ("end", {"exit_code": 0})))
    assert [record.kind for record in recording.records] == ["fill", Kind.END]
    assert recording.damage is None


def test_a_newer_format_is_refused() -> None:
    """It may mean anything, even by lines that look like ours. The message names both."""
    head = attrs.asdict(header()) | {"format": 2, "settings": None}
    content = Lines().line(payload(0, 0, 0, Kind.HEADER, head))
    with pytest.raises(
        NotAJournalError, match=r"session\.journal .*: its format is 2, and this program reads 1"
    ):
        read_bytes(content)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ({"format": 1}, "its header cannot be read: Object missing required field"),
        ([], "its header cannot be read: "),
        ("header", "its header cannot be read: "),
    ],
)
def test_a_header_that_is_none(head: Any, reason: str) -> None:
    with pytest.raises(NotAJournalError, match=reason):
        read_bytes(Lines().line(payload(0, 0, 0, Kind.HEADER, head)))


def test_a_header_may_say_more_than_is_known() -> None:
    """As kinds, in the same format."""
    head = attrs.asdict(header()) | {"weather": "fair"}
    assert read_bytes(Lines().line(payload(0, 0, 0, Kind.HEADER, head))).header == header()


def test_what_is_damaged_is_told(tmp_path: Path) -> None:
    """Where, how many bytes, and what it looks like."""
    content = session()
    path = tmp_path / "s.journal"
    last = len(lines()[-1])
    for damaged, told in (
        (content[:-3], f"byte {len(content) - last}: the record is cut short; {last - 3} bytes"),
        (content + bytes(4096), f"byte {len(content)}: zeros instead of a record; 4096 bytes"),
        (content + lines()[-1], f"byte {len(content)}: the checksum does not match; {last} bytes"),
    ):
        path.write_bytes(damaged)
        assert str(read(path).damage) == f"{path}, {told} set aside"


# Memory and time


def test_one_record_at_a_time_is_in_memory(tmp_path: Path) -> None:
    """A session of 20 MB is read in less than 2."""
    path = tmp_path / "s.journal"
    text = "x" * 10_000
    path.write_bytes(records(*[("ws<", text)] * 2000))
    tracemalloc.start()
    try:
        count = sum(1 for _ in find(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 2000
    assert peak < 2_000_000


def test_a_line_without_end_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor are all the bytes after it counted."""
    monkeypatch.setattr(part, "LONGEST_LINE", 10_000)
    monkeypatch.setattr(part, "COUNTED", 200_000)
    path = tmp_path / "s.journal"
    path.write_bytes(session() + b"x" * 1_000_000)
    damage = read(path).damage
    assert damage is not None
    assert damage.reason == "a line without end"
    assert 200_000 <= damage.size < 300_000


def test_a_bomb_does_not_go_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes that are many megabytes when decompressed: never all of it in memory."""
    monkeypatch.setattr(part, "LONGEST_LINE", 2**20)
    path = tmp_path / "s.journal.zst"
    compressor = zstandard.ZstdCompressor().compressobj()
    with path.open("wb") as file:
        file.write(compressor.compress(session()))
        for _ in range(40):
            file.write(compressor.compress(bytes(2**20)))
        file.write(compressor.flush())
    tracemalloc.start()
    try:
        recording = read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert recording.records == whole().records
    assert recording.damage is not None
    assert recording.damage.size == 40 * 2**20
    assert peak < 8 * 2**20


def test_a_window_of_gigabytes_is_refused(tmp_path: Path) -> None:
    """It would be memory."""
    path = tmp_path / "s.journal.zst"
    parameters = zstandard.ZstdCompressionParameters(window_log=28, write_content_size=False)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    path.write_bytes(compressor.compress(session()) + compressor.flush())
    with pytest.raises(NotAJournalError, match="too much memory"):
        read(path)


# Sessions of several files


def test_any_file_names_the_session(tmp_path: Path) -> None:
    """Compressed or not, whole as if it were one; and so does the name that the first part had."""
    first = tmp_path / "s.journal"
    paths = write_parts(first, [30, 31, 90], compressed=2)
    for path in (first, *paths.values()):
        recording = read(path)
        assert recording == Recording(header(), whole().records, None)
        assert list(find(path).parts.values()) == list(paths.values())


def test_of_a_part_in_both_forms_the_plain_one_counts(tmp_path: Path) -> None:
    """Whoever compressed it was interrupted."""
    first = tmp_path / "s.journal"
    for path in write_parts(first, [30, 60], compressed=3).values():
        path.write_bytes(b"")
    plain = write_parts(first, [30, 60])
    assert find(first).parts == plain
    assert read(first).records == whole().records


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_a_missing_part_ends_what_can_be_read(tmp_path: Path, missing: int) -> None:
    """The last one as if the session had broken off: nobody can know."""
    paths = write_parts(tmp_path / "s.journal", [30, 90], compressed=1)
    paths.pop(missing).unlink()
    recording = read(tmp_path / "s.journal")
    assert recording.header.run_id == header().run_id
    assert recording.records == whole().records[: {1: 0, 2: 30, 3: 90}[missing]]
    if missing == 3:
        assert recording.damage is None
    else:
        expected = Damage(
            names.part(tmp_path / "s.journal", missing), 0, 0, "the part is missing", 3 - missing
        )
        assert recording.damage == expected


def test_parts_of_other_sessions_are_not_taken_for_ours(tmp_path: Path) -> None:
    """A session that is only named as if it were a part has nothing to do with this one; anything else is damage."""
    first, second = tmp_path / "s.journal", tmp_path / "s.2.journal"
    everything = payloads(session())
    first.write_bytes(journal(everything[:10]))
    second.write_bytes(session(2))
    assert read(first) == Recording(header(), whole().records[:10], None)
    assert read(second).header.run_id != header().run_id
    ours, third = attrs.evolve(header(), part=2), attrs.evolve(header(), part=3)
    of_others = attrs.evolve(ours, run_id="other")
    for content, reason in (
        (journal(everything[10:], head=of_others), "it is part 2 of session other"),
        (journal(everything[10:], head=third), f"it is part 3 of session {header().run_id}"),
        (journal(everything[11:], head=ours), "record 12 follows record 10"),
        (journal(everything[9:], head=ours), "record 10 follows record 10"),
        (b"", "it is empty"),
        (b"garbage", "the record is cut short"),
    ):
        second.write_bytes(content)
        for path in (first, second):
            recording = read(path)
            assert recording.records == whole().records[:10]
            assert recording.damage is not None
            assert recording.damage.reason == reason
            assert recording.damage.part == second


def test_a_first_part_without_a_header_hides_the_rest(tmp_path: Path) -> None:
    """What the session is can be said, from a later part; none of its records can be read."""
    paths = write_parts(tmp_path / "s.journal", [30])
    paths[1].write_bytes(b"\0" * 100)
    recording = read(paths[1])
    assert recording.header.run_id == header().run_id
    assert recording.records == []
    assert str(recording.damage) == (
        f"{paths[1]}, byte 0: zeros instead of a record; 100 bytes and 1 later part set aside"
    )


@given(
    damages=st.lists(DAMAGES, min_size=1, max_size=2), which=st.integers(1, 3), compressed=st.integers(0, 3)
)
def test_of_damaged_parts_the_beginning_is_read(
    damages: list[tuple[Any, ...]], which: int, compressed: int
) -> None:
    """As of one file; where a compressed part breaks, as far as it can be decompressed."""
    with tempfile.TemporaryDirectory() as folder:
        paths = write_parts(Path(folder, "s.journal"), [30, 90], compressed=compressed)
        content = original = paths[which].read_bytes()
        for damage, *arguments in damages:
            if content:
                content = damage(content, *arguments)
        paths[which].write_bytes(content)
        recording = read(paths[1])
    read_ = len(recording.records)
    assert recording.records == whole().records[:read_]
    begin, end = [(0, 30), (30, 90), (90, len(whole().records))][which - 1]
    assert read_ >= begin
    if read_ < end and which < 3:
        assert recording.damage is not None
    if content == original:
        assert read_ == len(whole().records)


@pytest.mark.parametrize("left", [0.5, 0.9, 0.99])
def test_of_a_compressed_part_that_is_cut_short_the_beginning_is_read(tmp_path: Path, left: float) -> None:
    path = tmp_path / "s.journal.zst"
    texts = [str(number) * 40 for number in range(6000)]
    everything = records(*(("ws<", text) for text in texts))
    content = zstandard.ZstdCompressor(write_checksum=True).compress(everything)
    path.write_bytes(content[: int(len(content) * left)])
    recording = read(path)
    read_ = len(recording.records)
    assert read_ > len(texts) * left / 2
    assert [record.data for record in recording.records] == texts[:read_]
    assert recording.damage is not None
    assert recording.damage.part == path


def test_a_compressed_part_says_how_long_it_has_to_be(tmp_path: Path) -> None:
    """So it is damaged even if it is cut short right behind a line, where a plain one would seem whole."""
    path = tmp_path / "s.journal.zst"
    compressor = zstandard.ZstdCompressor().compressobj(size=len(session()))
    begin = b"".join(lines()[:51])
    path.write_bytes(compressor.compress(begin) + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
    recording = read(path)
    assert recording.records == whole().records[:50]
    assert recording.damage == Damage(path, len(begin), 0, "the compressed file is cut short")


# What is no file


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.journal"):
        read(tmp_path / "nothing.journal")
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nowhere" / "nothing.journal")


@pytest.mark.parametrize(
    "path", [Path(), Path("/"), Path("/dev/null"), Path("/dev/zero"), Path("..")], ids=str
)
def test_what_is_no_file(path: Path) -> None:
    with pytest.raises((NotAJournalError, IsADirectoryError)):
        read(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "s.journal")
    with pytest.raises(NotAJournalError, match="no regular file"):
        read(tmp_path / "s.journal")


def test_a_session_can_be_read_again_while_it_grows(tmp_path: Path) -> None:
    """What is in the middle of being written is damage, and gone when it is looked at once more."""
    path = tmp_path / "s.journal"
    path.write_bytes(session()[:-5])
    found = find(path)
    assert len(list(found)) == len(whole().records) - 1
    assert found.damage is not None
    path.write_bytes(session())
    assert list(found) == whole().records
    assert found.damage is None


def test_a_part_may_be_compressed_meanwhile(tmp_path: Path) -> None:
    """The bot does that beside everything else: whoever looks at the session reads on."""
    first = tmp_path / "s.journal"
    plain = write_parts(first, [30])
    found = find(first)
    write_parts(first, [30], compressed=2)
    for path in plain.values():
        path.unlink()
    assert list(found) == whole().records
    assert found.damage is None
