"""The tape: what passes between the bot and the venue, and what the bot makes of it, in one order.

Each record has a number and a time. What is written here is enough to run the session again: everything that
enters comes before what was decided because of it.
"""

import enum
from typing import Any, Protocol

import msgspec

from bot.core.clock import Clock

HIDDEN = "<hidden>"
"""What stands in place of a secret: here, in logs and in messages."""


class Kind(enum.StrEnum):
    """What a record tells. Arrows show the way: ``>`` to the venue, ``<`` from it."""

    HEADER = "header"
    """Always record 0: who wrote the session, with which settings."""

    SOCKET_OPEN = "ws+"
    FRAME_OUT = "ws>"
    FRAME_IN = "ws<"
    SOCKET_END = "ws!"
    """It ended: ``code``, ``reason``, whether it was ``ours`` to close; ``code`` is None if it never opened."""

    REQUEST = "http>"
    """``x`` numbers the exchange of request and answer, ``of`` is the record that it is made because of."""

    ANSWER = "http<"
    FAILURE = "http!"
    """No answer came to exchange ``x``."""

    WIRE = "wire"
    """What the connection tells of exchange ``x``, which was about orders: `bot.core.wire.Wire`."""

    GENERATION = "generation"
    """A session became ready, or is gone."""

    INTENT = "intent"
    """An order is signed and about to leave: the whole request, its hashes, no signature."""

    OUTCOME = "outcome"
    """How a request ended, as the order manager is told it."""

    TIMER = "timer"
    """A timer elapsed."""

    COMMAND = "command"
    """Somebody outside the program wants something: a signal."""

    MODE = "mode"
    """The venue's platform is in another mode."""

    RECOVERED = "recovered"
    """What earlier runs left on the account, taken over from their sessions: `bot.core.recovered.told`."""

    STOP = "stop"
    EFFECT = "effect"
    """Decided in a step: something to be sent, or a timer to be set."""

    ORDER = "order"
    """An order of ours, as it is after a step changed it."""

    REPAIR = "repair"
    """A snapshot told of something that nobody had told before: ``what``, ``subject``, and ``text``."""

    ALARM = "alarm"
    END = "end"
    """The last record of a run that ended by itself; ``exit_code`` as in the summary."""


class Stamp(msgspec.Struct, frozen=True):
    """Number and time of a record; the time in ns since the start of the run."""

    number: int
    ns: int


class Tape(Protocol):
    """What everybody writes to. ``data`` is what JSON can hold; `portable` makes it so."""

    def write(self, kind: Kind, data: Any, *, generation: int = 0) -> Stamp:
        """Number ``data``, and keep it: in memory, so this neither waits nor fails."""
        ...

    def commit(self) -> None:
        """See that everything written so far is in the file.

        Raises:
            JournalError: it is not, and nothing may leave that has to be found there after a crash.
        """
        ...


class NoTape:
    """Numbers and times, and nothing kept. A `Tape`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._number = 0

    def write(self, kind: Kind, data: Any, *, generation: int = 0) -> Stamp:  # noqa: ARG002 - as the tape wants
        self._number += 1
        return Stamp(self._number, self._clock.monotonic_ns())

    def commit(self) -> None:
        pass


def portable(raw: str | bytes) -> str | dict[str, str]:
    """Text as it is; bytes as ``{"bytes": …}``, each as the character of its number.

    That is Latin-1 and not base64: what looks like a secret in there can still be seen, and removed.
    """
    return raw if isinstance(raw, str) else {"bytes": raw.decode("latin-1")}


def readable(raw: bytes) -> str | dict[str, str]:
    """As `portable`, of what should be text: UTF-8 becomes text, anything else stays bytes."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return portable(raw)


def restored(data: str | dict[str, str]) -> str | bytes:
    """What `portable` was given. Raises ValueError for what it never makes."""
    match data:
        case str():
            return data
        case {"bytes": str(raw)}:
            return raw.encode("latin-1")
    raise ValueError(f"neither text nor bytes: {data!r}")
