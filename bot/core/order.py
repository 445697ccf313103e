"""The states of an order, as a table. What the table does not list is an error and changes nothing.

Beside its state an order may be wanted gone, or otherwise (`Order.cancelling`, `Order.modifying`): wishes, which only
the venue's word fulfils.
"""

import enum
from typing import Any

import attrs

from bot.core.errors import BotError


class Side(enum.StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class OrderType(enum.StrEnum):
    LIMIT = "LIMIT"
    MARKET = "MARKET"


class Instruction(enum.StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    POST_ONLY = "POST_ONLY"


class State(enum.StrEnum):
    INTENT = "INTENT"
    """Decided; no byte has left."""

    SENT = "SENT"
    """On its way. From here on the venue may have it."""

    UNKNOWN = "UNKNOWN"
    """The send ended without telling. A state, not an error to retry: channel or look-up will tell."""

    NEW = "NEW"
    """Queued at the venue for its risk check."""

    UNTRIGGERED = "UNTRIGGERED"
    """Waiting for its trigger."""

    OPEN = "OPEN"
    """Resting, nothing of it filled."""

    PARTLY_FILLED = "PARTLY_FILLED"
    """Resting or about to end, something of it filled."""

    CLOSED = "CLOSED"
    """Over, says the venue: `Order.ending` tells whether filled or cancelled, `Order.reason` why."""

    REJECTED = "REJECTED"
    """Refused: the venue holds nothing of it."""

    NEVER_ACCEPTED = "NEVER_ACCEPTED"
    """It never reached the venue, and no longer can."""


class Ending(enum.StrEnum):
    """How a CLOSED order ended."""

    FILLED = "filled"
    CANCELLED = "cancelled"
    """With a part filled, perhaps."""


class Event(enum.StrEnum):
    SEND = "SEND"
    """The first byte is about to leave."""

    UNSENT = "UNSENT"
    """No byte left."""

    REFUSED = "REFUSED"
    """The venue's answer was no."""

    LOST = "LOST"
    """No answer, or none that tells."""

    EXPIRED = "EXPIRED"
    """Looked for after the venue could last accept it, and not there."""

    AGAIN = "AGAIN"
    """To be sent once more, under the same client id."""

    ACCEPTED = "ACCEPTED"
    """Reported as NEW."""

    WAITING = "WAITING"
    """Reported as UNTRIGGERED."""

    RESTING = "RESTING"
    """Reported as OPEN."""

    FILL = "FILL"
    """A fill, or a report that tells of one."""

    ENDED = "ENDED"
    """Reported as CLOSED."""


TERMINAL = frozenset({State.CLOSED, State.REJECTED, State.NEVER_ACCEPTED})

_INTENT, _SENT, _UNKNOWN, _NEW, _UNTRIGGERED, _OPEN, _PARTLY, _CLOSED, _REJECTED, _NEVER = State

TRANSITIONS: dict[tuple[State, Event], State] = {
    (_INTENT, Event.SEND): _SENT,
    (_INTENT, Event.UNSENT): _NEVER,
    (_SENT, Event.UNSENT): _NEVER,
    (_SENT, Event.REFUSED): _REJECTED,
    (_SENT, Event.LOST): _UNKNOWN,
    (_UNKNOWN, Event.EXPIRED): _NEVER,
    # Nothing of it is at the venue, and nothing can get there any more: only so may it leave again.
    (_NEVER, Event.AGAIN): _INTENT,
    # The venue has it. Reports come before, after or without the answer to the send, twice, and late: a later state
    # never goes back to an earlier one, and CLOSED wins.
    **{
        (before, event): max(before, after, key=list(State).index)
        for before in (_SENT, _UNKNOWN, _NEW, _UNTRIGGERED, _OPEN, _PARTLY, _CLOSED)
        for event, after in (
            (Event.ACCEPTED, _NEW),
            (Event.WAITING, _UNTRIGGERED),
            (Event.RESTING, _OPEN),
            (Event.FILL, _PARTLY),
            (Event.ENDED, _CLOSED),
        )
    },
    # That the answer got lost is no news of an order that was reported.
    **{(state, Event.LOST): state for state in (_NEW, _UNTRIGGERED, _OPEN, _PARTLY, _CLOSED)},
}


class ImpossibleEventError(BotError):
    """An event that no order in this state can meet. The order stays as it is."""


@attrs.frozen
class Modification:
    """New terms that were asked for, in units of 10⁻⁸."""

    size: int
    """Of the whole order, what is filled included."""

    price: int
    number: int = 0
    """Tells it from others that this run asked for."""

    request_id: str = ""
    """What the venue calls the request; empty until it says."""

    last_acceptable_ns: int | None = None
    """As `Order.last_acceptable_ns`; None before its first byte was about to leave."""

    kept_since_ns: int | None = None
    """When the venue was first asked, after that time, and still had the order as it was."""


@attrs.frozen(kw_only=True, slots=False)
class Order:
    """One order of ours. Prices and sizes in units of 10⁻⁸, times in ns of the monotonic clock."""

    client_id: str
    market: str
    side: Side
    type: OrderType
    instruction: Instruction
    size: int
    price: int
    """0 for a market order."""

    state: State = State.INTENT
    venue_id: str = ""
    """What the venue calls it; empty until it says."""

    filled: int = 0
    reason: str = ""
    """Why it ended, in the venue's words or ours."""

    seen_on_channel: bool = False
    """OPEN or CLOSED came over the orders channel: the order is confirmed."""

    cancelling: bool = False
    """Somebody wants it gone. Only the venue's word ends it."""

    modifying: Modification | None = None
    """Somebody wants it otherwise. Only the venue's word says whether it is."""

    signed_ms: int | None = None
    """The venue's time in its signature, unix ms; of an order of an earlier run nobody knows."""

    sent_ns: int | None = None
    """When its first byte was about to leave."""

    last_acceptable_ns: int | None = None
    """After this the venue can no longer accept it (protocol reference 2.3)."""

    last_request: str = ""
    """What the venue calls the newest request to modify it of which it said what became of it."""

    updated_ms: int = 0
    """The venue's time of its newest report that names terms."""

    @property
    def is_over(self) -> bool:
        return self.state in TERMINAL

    @property
    def is_with_the_venue(self) -> bool:
        """It was reported, and not as ended: it can fill, be modified, be cancelled."""
        return self.state in _LIVE_THERE

    @property
    def remaining(self) -> int:
        """What is not filled; 0 or more of a CLOSED order was cancelled."""
        return self.size - self.filled

    @property
    def exposure(self) -> int:
        """The most of it that can still be filled, whatever becomes of the terms that were asked for."""
        wanted = self.size if self.modifying is None else self.modifying.size
        return max(self.size, wanted) - self.filled

    @property
    def ending(self) -> Ending | None:
        """None for an order that is not CLOSED."""
        if self.state is not State.CLOSED:
            return None
        return Ending.CANCELLED if self.remaining else Ending.FILLED

    def changed(self, **changes: Any) -> "Order":
        """As `attrs.evolve`, in a tenth of its time: every report of every order comes by here."""
        order = object.__new__(Order)
        order.__dict__.update(self.__dict__, **changes)
        return order

    def after(self, event: Event) -> State:
        """The state that ``event`` leads to.

        Raises:
            ImpossibleEventError: the table does not list it.
        """
        try:
            return TRANSITIONS[self.state, event]
        except KeyError:
            raise ImpossibleEventError(f"order {self.client_id} is {self.state}, and met {event}") from None


_LIVE_THERE = frozenset({State.NEW, State.UNTRIGGERED, State.OPEN, State.PARTLY_FILLED})
