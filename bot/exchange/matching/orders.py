"""An order as the exchange sees it, the words it is described with, and its states as a table."""

import attrs

from bot.exchange.limits import SYNTHETIC_ACCOUNTS

BUY = "BUY"
SELL = "SELL"
SIDES = frozenset({BUY, SELL})

NEW = "NEW"
UNTRIGGERED = "UNTRIGGERED"
OPEN = "OPEN"
CLOSED = "CLOSED"

TRANSITIONS = {
    NEW: {UNTRIGGERED, OPEN, CLOSED},
    UNTRIGGERED: {UNTRIGGERED, OPEN, CLOSED},
    OPEN: {OPEN, CLOSED},
    CLOSED: set[str](),
}
"""From each status, what an update may lead to (protocol reference 3.5). Anything else is a fault of ours."""

LIMIT = "LIMIT"
MARKET = "MARKET"
PLAIN_TYPES = frozenset({LIMIT, MARKET})
CONDITIONAL_TYPES = frozenset(
    {
        "STOP_LIMIT",
        "STOP_MARKET",
        "TAKE_PROFIT_LIMIT",
        "TAKE_PROFIT_MARKET",
        "STOP_LOSS_LIMIT",
        "STOP_LOSS_MARKET",
    }
)
POSITIONAL_TYPES = CONDITIONAL_TYPES - {"STOP_LIMIT", "STOP_MARKET"}
"""Take-profit and stop-loss: these may have size 0, which is the whole position (section 10, item 11)."""
MARKET_TYPES = frozenset({MARKET} | {kind for kind in CONDITIONAL_TYPES if kind.endswith("_MARKET")})

GTC = "GTC"
IOC = "IOC"
POST_ONLY = "POST_ONLY"
RPI = "RPI"
INSTRUCTIONS = frozenset({GTC, IOC, POST_ONLY, RPI})

EXPIRE_MAKER = "EXPIRE_MAKER"
EXPIRE_TAKER = "EXPIRE_TAKER"
EXPIRE_BOTH = "EXPIRE_BOTH"
STP_MODES = frozenset({EXPIRE_MAKER, EXPIRE_TAKER, EXPIRE_BOTH})

REDUCE_ONLY = "REDUCE_ONLY"
ABOVE_TRIGGER = "STOP_CONDITION_ABOVE_TRIGGER"
BELOW_TRIGGER = "STOP_CONDITION_BELOW_TRIGGER"
INTERACTIVE = "INTERACTIVE"
VWAP = "TARGET_STRATEGY_VWAP"
MMP = "MMP"
FLAGS = frozenset({REDUCE_ONLY, ABOVE_TRIGGER, BELOW_TRIGGER, INTERACTIVE, VWAP, MMP})

HOUSE = 0
"""The account of the house quote. No contract has address 0."""


def is_synthetic(account: int) -> bool:
    """Whether the account is one of the exchange's own participants.

    They have no record in the ledger and publish no events, but are cleared like everybody.
    """
    return account < SYNTHETIC_ACCOUNTS


class IllegalTransition(Exception):  # noqa: N818 - named for what happened
    """An update that the table does not list. The order is unchanged."""


@attrs.frozen
class RequestInfo:
    """What became of a request about an order; ``message`` says why one was REJECTED (3.3, 3.4)."""

    id: str
    status: str
    message: str = ""
    request_type: str = "MODIFY_ORDER"


@attrs.define(eq=False)
class Order:
    """One order. Prices and sizes in 10⁻⁸, ``*_ms`` in ms since the epoch, ``account`` a felt.

    ``price`` is 0 for MARKET types, ``size`` 0 for a take-profit or stop-loss of the whole position until it
    triggers. ``trigger_price`` is 0 for types without a condition; ``triggers_above`` is whether the condition
    is a mark at or above it, rather than at or below. ``average_limit`` bounds the average price of a MARKET
    order's fills and is 0 when its request left that to the market's own slippage. ``filled_value`` is the sum of
    price x size of its fills, in 10⁻¹⁶. ``line`` numbers resting orders by when they took their place in the book.
    ``request`` is what the order's event says about a modification, if anything.
    """

    id: str
    account: int
    client_id: str
    market: str
    side: str
    type: str
    instruction: str
    price: int
    size: int
    stp: str
    flags: tuple[str, ...]
    signed_at_ms: int
    received_at_ms: int
    created_at_ms: int
    updated_at_ms: int
    remaining: int
    seq_no: int = 0
    status: str = NEW
    cancel_reason: str = ""
    filled_value: int = 0
    trigger_price: int = 0
    triggers_above: bool = False
    is_triggered: bool = False
    average_limit: int = 0
    line: int = 0
    request: RequestInfo | None = None

    @property
    def is_buy(self) -> bool:
        return self.side == BUY

    @property
    def filled(self) -> int:
        return self.size - self.remaining

    @property
    def average_price(self) -> int:
        """Of its fills, in 10⁻⁸, rounded down; 0 when unfilled."""
        return self.filled_value // self.filled if self.filled else 0

    @property
    def is_live(self) -> bool:
        return self.status != CLOSED

    @property
    def is_market(self) -> bool:
        """Whether it has no price of its own."""
        return self.type in MARKET_TYPES

    @property
    def is_conditional(self) -> bool:
        return self.type in CONDITIONAL_TYPES

    @property
    def is_reduce_only(self) -> bool:
        return REDUCE_ONLY in self.flags

    @property
    def is_retail(self) -> bool:
        """Whether it came with an interactive token, which decides fees and priority."""
        return INTERACTIVE in self.flags

    def move(self, status: str, reason: str = "") -> None:
        """Enter a status.

        Raises:
            IllegalTransition: the table does not list it.
        """
        if status not in TRANSITIONS[self.status]:
            raise IllegalTransition(f"{self.id}: {self.status} to {status}")
        self.status = status
        self.cancel_reason = reason

    def fill(self, price: int, size: int) -> None:
        """Take a part of the remaining size at a price. Status is not this method's business."""
        if not 0 < size <= self.remaining:
            raise ValueError(f"{self.id}: cannot fill {size} of {self.remaining}")
        self.remaining -= size
        self.filled_value += price * size

    def resize(self, size: int) -> None:
        """Change the total size; what was filled stays filled.

        Raises:
            ValueError: nothing would remain.
        """
        remaining = self.remaining + size - self.size
        if remaining <= 0:
            raise ValueError(f"{self.id}: {self.filled} of a size {size} is filled already")
        self.size, self.remaining = size, remaining
