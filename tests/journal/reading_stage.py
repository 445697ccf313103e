"""Recorded sessions for tests of their readers."""

import tempfile
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import msgspec
import zstandard

from bot.core.tape import Kind
from bot.journal import names
from bot.journal.header import Header
from bot.journal.reader import Recording, read
from bot.journal.record import Lines, payload
from bot.settings import Settings
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.trading.strategies.probe import ProbeSettings


@cache
def session(seed: int = 1) -> bytes:
    """A journal as the bot writes it, with a reconnect, orders, and the end."""

    async def play(rehearsal: Rehearsal) -> None:
        rehearsal.network.at(2.0, rehearsal.exchange.drop_websockets)
        await rehearsal.trade(4)

    settings = attrs.evolve(Settings(), strategy=ProbeSettings(pause=0.3))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "session.journal")
        rehearse(play, settings, seed=seed, delay=0.02, tls=False, journal=path)
        return path.read_bytes()


@cache
def header() -> Header:
    return read_bytes(session()).header


def read_bytes(content: bytes) -> Recording:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "session.journal")
        path.write_bytes(content)
        return read(path)


def journal(payloads: Iterable[bytes], *, head: Header | None = None) -> bytes:
    """A journal whose checksums are right, whatever ``payloads`` are; its header is ``head`` or the session's."""
    lines = Lines()
    first = lines.line(payload(0, 0, 0, Kind.HEADER, attrs.asdict(head or header())))
    return b"".join([first, *map(lines.line, payloads)])


def records(*told: tuple[str, Any]) -> bytes:
    """A journal of records of these kinds and data, a second apart."""
    return journal(
        msgspec.json.encode((number, number * 10**9, 0, kind, data))
        for number, (kind, data) in enumerate(told, 1)
    )


def payloads(content: bytes) -> list[bytes]:
    """What `journal` would make ``content`` of again."""
    return [line[9:-1] for line in content.splitlines(keepends=True)[1:]]


def write_parts(first: Path, ends: Sequence[int], *, compressed: int = 0) -> dict[int, Path]:
    """The session in parts that end after so many records, and one more; the first few of them compressed."""
    everything = payloads(session())
    paths = {}
    for number, (begin, end) in enumerate(zip([0, *ends], [*ends, len(everything)], strict=True), 1):
        path = names.part(first, number)
        content = journal(everything[begin:end], head=attrs.evolve(header(), part=number))
        if number <= compressed:
            path = names.compressed(path)
            content = zstandard.ZstdCompressor(write_checksum=True).compress(content)
        path.write_bytes(content)
        paths[number] = path
    return paths
