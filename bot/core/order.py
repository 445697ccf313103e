"""The states of an order, as a table. What the table does not list is an error and changes nothing."""

import enum

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

    OPEN = "OPEN"
    """Resting, or waiting for its trigger."""

    CLOSED = "CLOSED"
    """Filled or cancelled, says the venue."""

    REJECTED = "REJECTED"
    """Refused: the venue holds nothing of it."""

    NEVER_ACCEPTED = "NEVER_ACCEPTED"
    """It never reached the venue, and no longer can."""


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

    ACCEPTED = "ACCEPTED"
    """Reported as NEW."""

    RESTING = "RESTING"
    """Reported as OPEN or UNTRIGGERED."""

    ENDED = "ENDED"
    """Reported as CLOSED."""


TERMINAL = frozenset({State.CLOSED, State.REJECTED, State.NEVER_ACCEPTED})

# Reports may come before, after or without the answer to the send, twice, and late: a later state never goes
# back to an earlier one, and a terminal state wins.
TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.INTENT, Event.SEND): State.SENT,
    (State.INTENT, Event.UNSENT): State.NEVER_ACCEPTED,
    (State.SENT, Event.UNSENT): State.NEVER_ACCEPTED,
    (State.SENT, Event.REFUSED): State.REJECTED,
    (State.SENT, Event.LOST): State.UNKNOWN,
    (State.SENT, Event.ACCEPTED): State.NEW,
    (State.SENT, Event.RESTING): State.OPEN,
    (State.SENT, Event.ENDED): State.CLOSED,
    (State.UNKNOWN, Event.EXPIRED): State.NEVER_ACCEPTED,
    (State.UNKNOWN, Event.ACCEPTED): State.NEW,
    (State.UNKNOWN, Event.RESTING): State.OPEN,
    (State.UNKNOWN, Event.ENDED): State.CLOSED,
    (State.NEW, Event.LOST): State.NEW,
    (State.NEW, Event.ACCEPTED): State.NEW,
    (State.NEW, Event.RESTING): State.OPEN,
    (State.NEW, Event.ENDED): State.CLOSED,
    (State.OPEN, Event.LOST): State.OPEN,
    (State.OPEN, Event.ACCEPTED): State.OPEN,
    (State.OPEN, Event.RESTING): State.OPEN,
    (State.OPEN, Event.ENDED): State.CLOSED,
    (State.CLOSED, Event.LOST): State.CLOSED,
    (State.CLOSED, Event.ACCEPTED): State.CLOSED,
    (State.CLOSED, Event.RESTING): State.CLOSED,
    (State.CLOSED, Event.ENDED): State.CLOSED,
}


class ImpossibleEventError(BotError):
    """An event that no order in this state can meet. The order stays as it is."""


@attrs.frozen(kw_only=True)
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

    remaining: int = attrs.field(default=attrs.Factory(lambda order: order.size, takes_self=True))
    reason: str = ""
    """Why it ended, in the venue's words or ours."""

    seen_on_channel: bool = False
    """OPEN or CLOSED came over the orders channel: the order is confirmed."""

    cancelling: bool = False
    """Somebody wants it gone. Only the venue's word ends it."""

    sent_ns: int | None = None
    """When its first byte was about to leave."""

    last_acceptable_ns: int | None = None
    """After this the venue can no longer accept it (protocol reference 2.3)."""

    @property
    def is_over(self) -> bool:
        return self.state in TERMINAL

    @property
    def filled(self) -> int:
        return self.size - self.remaining

    def after(self, event: Event) -> State:
        """The state that ``event`` leads to.

        Raises:
            ImpossibleEventError: the table does not list it.
        """
        try:
            return TRANSITIONS[self.state, event]
        except KeyError:
            raise ImpossibleEventError(f"order {self.client_id} is {self.state}, and met {event}") from None
