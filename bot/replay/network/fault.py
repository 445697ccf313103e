"""Which fault may strike which record of a session."""

import enum
from collections.abc import Mapping

import attrs
import trio

from bot.core.tape import Kind
from bot.journal.record import Record
from bot.replay.network.question import Does, of_record
from bot.replay.network.score import seconds

DELAY_S = 2.0
"""How much later a message comes that is delayed, unless somebody says otherwise (`faults.md` section 2)."""


class Fault(enum.StrEnum):
    """What happens to one message."""

    DROP = "drop"
    """It never arrives, and the connection lives on."""

    DELAY = "delay"
    """It arrives later than others that were sent after it."""

    DUPLICATE = "duplicate"
    """It arrives twice. The answer to a request or call that does is the answer to its second copy."""

    CUT = "cut"
    """The connection is reset in the middle of it."""


class CannotStrikeError(ValueError):
    """This record is no message, or none that this fault can strike. The message names the nearest one that is."""


@attrs.frozen
class Strike:
    """A fault, and where."""

    at: int
    fault: Fault
    seconds: float = DELAY_S


@attrs.define(eq=False)
class Course:
    """How the play goes: as recorded, until a fault strikes."""

    strike: Strike | None = None
    struck_at: float | None = None
    """When, in seconds of trio's clock."""

    @property
    def is_as_recorded(self) -> bool:
        return self.struck_at is None

    def struck_by(self, number: int) -> Fault | None:
        """The fault that strikes record ``number``, which is played now. It strikes once."""
        if self.strike is None or self.strike.at != number or self.struck_at is not None:
            return None
        self.struck_at = trio.current_time()
        return self.strike.fault

    @property
    def delay(self) -> float:
        return DELAY_S if self.strike is None else self.strike.seconds

    def when(self, effect: Record, cause: Record) -> float:
        """When ``effect`` comes, now that ``cause`` has: at the recorded time, or as long after it as there."""
        if self.is_as_recorded:
            return seconds(effect.ns)
        return trio.current_time() + seconds(effect.ns - cause.ns)


def can_strike(record: Record) -> frozenset[Fault]:
    """The faults that can strike a record; none, if it is no message between the bot and its venue."""
    match record.kind:
        case Kind.FRAME_IN:
            return frozenset(Fault)
        case Kind.REQUEST | Kind.FRAME_OUT if of_record(record).does in {Does.PLACE, Does.CANCEL}:
            return frozenset(Fault)
        case Kind.FRAME_OUT | Kind.REQUEST | Kind.ANSWER:
            return frozenset(Fault) - {Fault.DUPLICATE}
    return frozenset()


def check(records: list[Record], strike: Strike) -> Record:
    """The record that will be struck.

    Raises:
        CannotStrikeError: it cannot.
    """
    if not 0 <= strike.seconds < float("inf"):
        raise CannotStrikeError(f"--seconds {strike.seconds:g}: 0 or more are allowed")
    never_left = {each.data["x"] for each in records if each.kind is Kind.FAILURE and _is_unsent(each.data)}
    candidates = {
        each.number: each
        for each in records
        if strike.fault in can_strike(each)
        and not (each.kind is Kind.REQUEST and each.data["x"] in never_left)
    }
    if strike.at in candidates:
        return candidates[strike.at]
    record = next((each for each in records if each.number == strike.at), None)
    if record is None:
        words = f"there is no record {strike.at}"
    elif not can_strike(record):
        words = f"record {strike.at} is no message between the bot and the venue ({record.kind})"
    elif strike.fault in can_strike(record):
        words = f"the request of record {strike.at} never left"
    else:
        words = f"{strike.fault} cannot strike record {strike.at}: {_NO_SECOND}"
    if not candidates:
        raise CannotStrikeError(f"{words}; {strike.fault} can strike none of this session")
    nearest = min(candidates.values(), key=lambda each: (abs(each.number - strike.at), each.number))
    found = f"the nearest that {strike.fault} can strike is {nearest.number} ({nearest.kind})"
    raise CannotStrikeError(f"{words}; {found}")


def _is_unsent(failure: Mapping[str, object]) -> bool:
    return failure["failure"] == "not sent"


_NO_SECOND = "only frames of the venue, orders and cancels can come twice"
