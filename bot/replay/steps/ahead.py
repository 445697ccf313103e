"""Hashes of a long session, made by a second process that reads it ahead of the replay.

A third of a replay's time goes into Pedersen hashes. What is to be hashed stands in the recorded intents, before the
bot of today has decided anything; and a hash is used only where the order that it then decides has those very terms.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal, Protocol

import attrs
import msgspec

from bot.core.fixed import parse
from bot.core.tape import Kind
from bot.journal.reader import find
from bot.journal.record import Record
from bot.paradex.address import from_hex
from bot.paradex.snip12 import OrderTerms
from bot.replay.steps.hashes import Hashes, Hashing, StructHashing
from bot.replay.steps.shapes import Intent

WORTH_IT = 2**21
"""Bytes of a session, from which on the second process has paid for its start: some hundred orders."""

BATCH = 32
"""Orders in one message of the second process's."""

LEAD = 16
"""How many orders ahead of the replay the second process works: what is nearer the replay hashes sooner itself."""


class _Body(msgspec.Struct):
    """The body of an order's request, as far as it is signed."""

    market: str
    side: str
    type: str
    size: str
    price: str
    signature_timestamp: int


class _Batch(msgspec.Struct):
    """The parameters of a call that places several orders."""

    orders: tuple[_Body]


class _Request(msgspec.Struct):
    body: str


class _SentOrder(msgspec.Struct):
    """The intent of a new order. Its body is an array of one where it left in a batch."""

    client_id: str
    what: Literal["place"]
    request: _Request


@attrs.frozen
class Hashed:
    """One order of the recording."""

    client_id: str
    terms: OrderTerms
    struct: int


class Progress(Protocol):
    """How many orders the replay has come to; between processes, a shared number."""

    value: int


@attrs.define(eq=False)
class HashingAhead:
    """As `StructHashing`, by way of what another process has hashed by now: it never waits for that one."""

    _received: Callable[[], Iterable[Hashed]]
    """What came since it was asked last."""

    _progress: Progress
    _hashed: dict[str, Hashed] = attrs.field(factory=dict)
    _itself: StructHashing = attrs.field(factory=StructHashing)

    def hashes(self, terms: OrderTerms, recorded: Intent, modified_id: str = "") -> Hashes:
        self._progress.value += 1
        if modified_id:
            return self._itself.hashes(terms, recorded, modified_id)
        if recorded.client_id not in self._hashed:
            self._hashed |= {each.client_id: each for each in self._received()}
        ahead = self._hashed.pop(recorded.client_id, None)
        if ahead is None or ahead.terms != terms:
            return self._itself.hashes(terms, recorded)
        return Hashes(ahead.struct, from_hex(recorded.message_hash), recorded.signature_digest)


@contextmanager
def open_hashing(file: Path) -> Iterator[Hashing]:
    """Hashing for the replay of the session in ``file``: in two processes where that is quicker."""
    size = sum(part.stat().st_size for part in find(file).parts.values())
    if size < WORTH_IT or (os.cpu_count() or 1) < 2:
        yield StructHashing()
        return
    # A fork hashes at once, where a new process would first import for half a second; and no thread runs here.
    context = get_context("fork") if sys.platform == "linux" else get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    progress = context.RawValue("q", 0)
    process = context.Process(target=_hash_ahead, args=(file, progress, receiver, sender), daemon=True)
    process.start()
    sender.close()
    try:
        yield HashingAhead(partial(_received, receiver), progress)
    finally:
        receiver.close()
        process.kill()
        process.join()


def hash_recorded(records: Iterable[Record], progress: Progress) -> Iterator[Hashed]:
    """Hash the orders of a recording, from `LEAD` ahead of the replay on.

    Those that cannot be read or hashed are left to the replay, too.
    """
    hashing = StructHashing()
    intents = (record for record in records if record.kind is Kind.INTENT)
    for place, record in enumerate(intents):
        if place < progress.value + LEAD:
            continue
        try:
            order = msgspec.convert(record.data, _SentOrder)
            body = _read(order.request.body)
            terms = OrderTerms(
                timestamp_ms=body.signature_timestamp,
                market=body.market,
                side=body.side,
                order_type=body.type,
                size=parse(body.size),
                price=parse(body.price),
            )
            yield Hashed(order.client_id, terms, hashing.struct(terms))
        except (ValueError, RecursionError):
            continue


def _read(text: str) -> _Body:
    """The one order in a body or in parameters. Raises ValueError for any other text."""
    if text.startswith('{"orders":'):
        return msgspec.json.decode(text, type=_Batch).orders[0]
    decoded = msgspec.json.decode(text, type=_Body | tuple[_Body])
    return decoded[0] if isinstance(decoded, tuple) else decoded


def _hash_ahead(file: Path, progress: Progress, receiver: Connection, sender: Connection) -> None:
    """The second process's work. Ctrl-C at the terminal reaches it, too, and is the first one's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    receiver.close()  # so that the pipe breaks when the first one is gone
    hashed = hash_recorded(find(file), progress)
    with suppress(BrokenPipeError):
        while batch := list(islice(hashed, BATCH)):
            sender.send(batch)


def _received(receiver: Connection) -> Iterator[Hashed]:
    try:
        while receiver.poll():
            yield from receiver.recv()
    except (EOFError, OSError):  # it came to its end, or to harm: the replay hashes the rest itself
        return
