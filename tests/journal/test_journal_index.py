"""The index of orders is a cache: it says what the sessions say, or is made again."""

import os
import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

import attrs
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st
from orders_stage import HEAD, intent, order, place, written

from bot.core.recovered import Recovered, RecoveredOrder, told
from bot.core.tape import Kind
from bot.journal import index, names
from bot.journal.compression import compress
from bot.journal.index import Change, Index, IndexedOrder, ask
from bot.journal.reader import Place, RecordedSession, find, read
from bot.journal.record import Record
from bot.journal.recovery import SessionOrders
from bot.journal.sessions import newest_first

SESSION = Path(__file__).parents[1] / "replay/sessions/strange.journal"

Answer = list[tuple[IndexedOrder, list[Change]]]


def everything(index: Index) -> Answer:
    return [(each, index.history(each.recovered.order.client_id)) for each in index.orders(every=True)]


def sessions_in(folder: Path) -> list[RecordedSession]:
    return newest_first(folder, pytest.fail)


def asked(folder: Path) -> Answer:
    return ask(folder, sessions_in(folder), everything)


def fresh(folder: Path) -> Answer:
    """Without anything that was known before."""
    return ask(None, sessions_in(folder), everything)


def open_in(folder: Path) -> list[str]:
    found = ask(folder, sessions_in(folder), lambda index: index.orders(every=False))
    return [f"{each.recovered.order.client_id} {each.recovered.order.state}" for each in found]


@cache
def lines() -> list[bytes]:
    return SESSION.read_bytes().splitlines(keepends=True)


def counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the records that are read from now on."""
    numbers: list[int] = []
    since = RecordedSession.since

    def counted(self: RecordedSession, place: Place) -> Iterator[Record]:
        for record in since(self, place):
            numbers.append(record.number)
            yield record

    monkeypatch.setattr(RecordedSession, "since", counted)
    return numbers


def test_it_says_what_the_sessions_say(tmp_path: Path) -> None:
    """Every order with its last state, the newest first, and each of its changes with the time of its record."""
    shutil.copy(SESSION, tmp_path)
    recording = read(SESSION)
    orders, last = SessionOrders(recording.header), dict[str, RecoveredOrder]()
    changes: dict[str, list[tuple[int, str]]] = {}
    for record in recording.records:
        for each in orders.meet(record):
            last[each.order.client_id] = each
            if record.kind is Kind.ORDER:
                changes.setdefault(each.order.client_id, []).append((record.number, str(each.order.state)))
    answer = asked(tmp_path)
    assert {indexed.recovered.order.client_id: indexed.recovered for indexed, _ in answer} == last
    times = [indexed.placed_ns for indexed, _ in answer]
    assert times == sorted(times, reverse=True)
    for indexed, history in answer:
        told = {(change.record, change.state) for change in history}
        assert {pair for pair in changes[indexed.recovered.order.client_id] if pair[1] != "SENT"} <= told
        assert [change.state for change in history[:2]] == ["INTENT", "SENT"]
        assert history[0].ns == indexed.placed_ns
        assert {change.session for change in history} == {tmp_path / SESSION.name}


@settings(max_examples=12)
@example(ends=[len(b"".join(lines()[:8])) - 1])  # all of a line but its end
@given(ends=st.lists(st.integers(1, 10**6), max_size=5))
def test_it_grows_with_its_sessions(tmp_path_factory: pytest.TempPathFactory, ends: list[int]) -> None:
    """In whatever steps, cut in the middle of a record or not: it says what one says that is made at once."""
    folder = tmp_path_factory.mktemp("sessions")
    content = b"".join(lines())
    path = folder / "s.journal"
    for end in sorted({max(len(lines()[0]), end % len(content)) for end in ends} | {len(content)}):
        path.write_bytes(content[:end])
        assert asked(folder) == fresh(folder)


def test_only_what_is_new_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the part that was read so far is compressed, and the session goes on in another."""
    numbers = counting(monkeypatch)
    path = tmp_path / "s.journal"
    path.write_bytes(b"".join(lines()[:101]))
    before = asked(tmp_path)
    assert numbers == list(range(1, 101))
    numbers.clear()
    assert asked(tmp_path) == before
    assert numbers == []
    with path.open("ab") as file:
        file.write(b"".join(lines()[101:111]))
    asked(tmp_path)
    assert numbers == list(range(101, 111))
    numbers.clear()
    compress(path, threading.Event())
    asked(tmp_path)
    assert numbers == []
    assert names.compressed(path).read_bytes().startswith(zstandard.FRAME_HEADER)


def test_what_is_open(tmp_path: Path) -> None:
    """Orders that are not known to be over, as the newest session tells that took them over."""
    written(tmp_path / "1.journal", place(), intent(), place("b"), intent("b"), order("OPEN", "b"))
    assert open_in(tmp_path) == ["b OPEN", "a SENT"]
    left = recovered_from(tmp_path / "1.journal")
    later = attrs.evolve(HEAD, run_id="later", started_ns=HEAD.started_ns + 10**12)
    written(tmp_path / "2.journal", (Kind.RECOVERED, told(left)), order("CLOSED"), head=later)
    assert open_in(tmp_path) == ["b OPEN"]
    (a,) = (each for each in asked(tmp_path) if each[0].recovered.order.client_id == "a")
    assert [(change.session.name, change.state) for change in a[1]] == [
        ("1.journal", "INTENT"),
        ("1.journal", "SENT"),
        ("2.journal", "UNKNOWN"),
        ("2.journal", "CLOSED"),
    ]
    assert a[0].placed_ns == HEAD.started_ns + 10**9
    first = ask(
        tmp_path,
        sessions_in(tmp_path),
        lambda index: index.orders(every=True, session=tmp_path / "2.journal"),
    )
    assert len(first) == 2


def recovered_from(path: Path) -> Recovered:
    orders = SessionOrders(HEAD)
    for record in find(path):
        orders.meet(record)
    return orders.left()


def test_a_late_report_of_an_order_that_is_over(tmp_path: Path) -> None:
    """Still tells that more of it was filled: also if what was known is in the index by then."""
    content = written(
        tmp_path / "s.journal",
        place(),
        intent(),
        order("CLOSED", filled="0.004"),
        order("CLOSED", filled="0.005"),
    ).read_bytes()
    (tmp_path / "s.journal").write_bytes(b"".join(content.splitlines(keepends=True)[:-1]))
    asked(tmp_path)
    (tmp_path / "s.journal").write_bytes(content)
    ((each, history),) = asked(tmp_path)
    assert each.recovered.order.filled == 500_000
    assert [change.filled for change in history] == ["0", "0", "0.004", "0.005"]


def test_by_the_venues_name(tmp_path: Path) -> None:
    """An order is found by either name; that none is known yet is no name."""
    written(tmp_path / "s.journal", place(), intent(), order("OPEN", venue_id="179"), place("b"), intent("b"))

    def named(name: str) -> str | None:
        found = ask(tmp_path, sessions_in(tmp_path), lambda index: index.order(name))
        return None if found is None else found.recovered.order.client_id

    assert (named("a"), named("179"), named("b"), named("c"), named("")) == ("a", "a", "b", None, None)


def test_a_record_of_a_newer_program(tmp_path: Path) -> None:
    """Ends what is known of its session, like a damage."""
    written(tmp_path / "s.journal", place(), intent(), order("SOMEWHERE"), order("CLOSED"))
    assert open_in(tmp_path) == open_in(tmp_path) == ["a SENT"]


def remove(path: Path) -> None:
    path.unlink()


def overwrite(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


def garble(path: Path) -> None:
    """Past the first page, which tells what the others are."""
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)


def age(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("DELETE FROM changes")
        database.commit()
        database.execute("PRAGMA user_version = 999")


def misspell(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE orders SET told = '{'")
        database.commit()


@pytest.mark.parametrize("harm", [remove, overwrite, garble, halve, age, misspell])
def test_it_is_made_again(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    """When it is missing, damaged or of another version; it costs time, never the truth."""
    shutil.copy(SESSION, tmp_path)
    answer = asked(tmp_path)
    harm(tmp_path / index.NAME)
    assert asked(tmp_path) == answer
    assert stat.S_IMODE((tmp_path / index.NAME).stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == [index.NAME, SESSION.name]


def shrink(path: Path) -> None:
    path.write_bytes(b"".join(lines()[:60]))


def replace(path: Path) -> None:
    written(path, place("z"), intent("z"), *(order("OPEN", "z", filled=f"0.00{n}") for n in range(9)))


def move_in(path: Path) -> None:
    written(path.with_name("0.journal"), place("z"), head=attrs.evolve(HEAD, run_id="old", started_ns=1))


@pytest.mark.parametrize("change", [shrink, remove, replace, move_in])
def test_sessions_that_are_not_what_they_were(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """Removed, replaced, cut, or older ones moved in: what is told is what is there now."""
    path = tmp_path / "s.journal"
    path.write_bytes(b"".join(lines()))
    written(tmp_path / "t.journal", place("y"), intent("y"))
    asked(tmp_path)
    change(path)
    assert asked(tmp_path) == fresh(tmp_path)


def test_a_session_elsewhere_stays_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as it is there: it may be named today, and not tomorrow."""
    folder = tmp_path / "state"
    folder.mkdir()
    written(folder / "s.journal", place(), intent())
    elsewhere = find(written(tmp_path / "e.journal", place("e"), head=attrs.evolve(HEAD, run_id="e")))
    ask(folder, [*sessions_in(folder), elsewhere], everything)
    numbers = counting(monkeypatch)
    assert {each.recovered.order.client_id for each, _ in asked(folder)} == {"a", "e"}
    assert numbers == []
    elsewhere.first.unlink()
    assert {each.recovered.order.client_id for each, _ in asked(folder)} == {"a"}


def test_where_none_can_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is the same. One that another holds for long is left alone."""
    shutil.copy(SESSION, tmp_path)
    answer = asked(tmp_path)
    monkeypatch.setattr(index, "BUSY_S", 0.01)
    with closing(sqlite3.connect(tmp_path / index.NAME)) as other:
        other.execute("BEGIN IMMEDIATE")
        kept = (tmp_path / index.NAME).read_bytes()
        assert asked(tmp_path) == answer
        assert (tmp_path / index.NAME).read_bytes() == kept
    (tmp_path / index.NAME).unlink()
    (tmp_path / index.NAME).mkdir()
    assert asked(tmp_path) == answer
