"""The whole bot, its journal on a disk that fails: nothing leaves that is not written down, and nothing is lost."""

import errno
from collections.abc import Awaitable, Callable
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
import trio
from writing_stage import FIRST, numbers

from bot.core.tape import Kind
from bot.journal import journal as upkeep
from bot.journal import tape
from bot.journal.journal import FLUSH_AFTER
from bot.journal.reader import read
from bot.journal.settings import JournalSettings
from bot.settings import Settings
from bot.simulation.disk import MemoryDisk, Write
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.summary import Summary
from bot.trading.strategies.probe import ProbeSettings

DELAY = 0.02

Play = Callable[[Rehearsal], Awaitable[Summary]]


def play_on(disk: MemoryDisk, play: Play, **journal: Any) -> Summary:
    """Orders, one after the other, each cancelled as soon as it rests."""
    settings = attrs.evolve(Settings(), strategy=ProbeSettings(pause=0.3), journal=JournalSettings(**journal))
    return rehearse(play, settings, delay=DELAY, tls=False, journal=FIRST, disk=disk)


def told(line: bytes) -> Any:
    """Number, ns, generation, kind and data."""
    return msgspec.json.decode(line.partition(b" ")[2])


def posted(rehearsal: Rehearsal, since: float = 0.0) -> list[float]:
    """When new orders left."""
    return [
        at
        for at, way, text in rehearsal.trace
        if way == Kind.REQUEST and text.startswith("POST /orders") and at > since
    ]


def test_an_order_is_written_down_before_it_leaves() -> None:
    """At every POST its intent is in the file, in one write. No other writes are there but those of the timer, which
    come at most 200 ms after the oldest record in them.
    """
    disk = MemoryDisk()
    committed: list[Write] = []

    async def play(rehearsal: Rehearsal) -> Summary:
        def on_message(way: str, text: str) -> None:
            if way == Kind.REQUEST and text.startswith("POST /orders "):
                committed.append(disk.writes[-1])
                intent, order = map(told, bytes(disk.files[FIRST].content).splitlines()[-2:])
                assert (intent[3], order[3]) == (Kind.INTENT, Kind.ORDER)
                assert f'"client_id":"{intent[4]["client_id"]}"' in text
                assert intent[1] == round(trio.current_time() * 1e9)

        rehearsal.messages.listeners.append(on_message)
        return await rehearsal.trade(4)

    summary = play_on(disk, play)
    assert len(committed) == summary.orders.placed > 5
    assert all(write.data.count(b',"intent",') == (write in committed) for write in disk.writes)
    for write in disk.writes[1:]:
        oldest = told(write.data.partition(b"\n")[0])[1] / 1e9
        assert write.at - oldest <= 0.2
    at_once = [write for write in disk.writes if b',"recovered",' in write.data]
    assert len(at_once) == 1
    timed = [write.at for write in disk.writes[1:-1] if write not in (*committed, *at_once)]
    assert all(later - earlier >= FLUSH_AFTER for earlier, later in pairwise(timed))


def test_a_disk_that_is_full_for_a_while(tmp_path: Path) -> None:
    """Orders are refused while it is, cancels go, then orders go again. In the file is everything, once, in order."""
    disk = MemoryDisk()
    happened: list[str] = []

    async def play(rehearsal: Rehearsal) -> Summary:
        def on_message(way: str, text: str) -> None:
            """With an order on its way, and in the middle of a record."""
            if (
                way == Kind.REQUEST
                and text.startswith("POST /orders ")
                and trio.current_time() > 2
                and not happened
            ):
                happened.append("full")
                disk.room = 100
            if way == Kind.REQUEST and text.startswith("DELETE /orders/") and happened == ["full"]:
                happened.append("cancelled")

        rehearsal.messages.listeners.append(on_message)
        rehearsal.network.at(7.0, lambda: setattr(disk, "room", inf))
        summary = await rehearsal.trade(10)
        times = posted(rehearsal)
        assert len([at for at in times if at < 7]) > 1 < len([at for at in times if at > 7])
        assert not [at for at in times if 3 < at < 7]
        assert {order.status for order in rehearsal.exchange.orders.values()} == {"CLOSED"}
        return summary

    summary = play_on(disk, play)
    assert summary.exit_code == 0
    assert happened == ["full", "cancelled"]
    assert summary.alarms == ["orders are not sent: the journal cannot be written: No space left on device"]
    found = numbers(disk, tmp_path)
    assert found == list(range(1, len(found) + 1))
    records = read(tmp_path / FIRST).records
    assert records[-1].kind is Kind.END
    refused = sum(record.kind is Kind.OUTCOME and "No space left" in str(record.data) for record in records)
    assert refused > 3
    assert sum(record.kind is Kind.INTENT for record in records) == refused + summary.orders.confirmed


@pytest.mark.parametrize("fault", ["write_error", "sync_error"])
def test_a_disk_that_broke(fault: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The bot stops in order: no order leaves any more, what rests is cancelled, and the exit code is 3."""
    monkeypatch.setattr(tape, "HELD_AT_MOST", 10_000)
    disk = MemoryDisk()

    async def play(rehearsal: Rehearsal) -> Summary:
        rehearsal.network.at(3.0, lambda: setattr(disk, fault, errno.EIO))
        summary = await rehearsal.trade(60)
        assert trio.current_time() < 20
        assert not posted(rehearsal, since=4.0 if fault == "sync_error" else 3.0)
        assert not summary.unresolved
        assert {order.status for order in rehearsal.exchange.orders.values()} == {"CLOSED"}
        return summary

    summary = play_on(disk, play)
    assert summary.exit_reason.startswith("the journal failed: ")
    assert summary.is_fatal
    assert summary.exit_code == 3
    assert numbers(disk, tmp_path)


def test_parts_change_while_orders_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The numbers go on over all parts; every part but the last is compressed; nothing of it shows in the trading."""
    monkeypatch.setattr(upkeep, "MEBIBYTE", 10_000)
    disk = MemoryDisk()

    async def play(rehearsal: Rehearsal) -> Summary:
        return await rehearsal.trade(5)

    summary = play_on(disk, play, part_size=1)
    assert summary.exit_code == 0
    assert len(disk.files) > 3
    assert all(file.is_closed or path.suffix == ".zst" for path, file in disk.files.items())
    found = numbers(disk, tmp_path)
    assert found == list(range(1, len(found) + 1))
    assert play_on(MemoryDisk(), play).orders == summary.orders
