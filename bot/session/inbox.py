"""What the connection reports to the order manager: items of the one ordered stream."""

from collections.abc import Callable

import attrs

from bot.paradex.answers import OrderReport
from bot.session.capabilities import Session


@attrs.frozen
class Item:
    """Something that happened. The order manager handles each at once, in a step of its own."""


@attrs.frozen
class OrderReported(Item):
    """The orders channel of this generation says so."""

    generation: int
    report: OrderReport
    ns: int
    """When its frame came, since the start of the run."""


@attrs.frozen
class OpenOrdersListed(Item):
    """All open orders of the account, as they were some time after ``requested_ns`` (monotonic clock)."""

    requested_ns: int
    reports: tuple[OrderReport, ...]
    exchange: int
    """The number of the answer on the tape."""


@attrs.frozen
class SessionOpened(Item):
    """Subscribed, with a list of open orders asked for after that and already in the stream."""

    session: Session


@attrs.frozen
class SessionLost(Item):
    generation: int


Inbox = Callable[[Item], None]
"""Where everybody reports. When it returns, the item is on the tape and its step is done: nothing waits in between,
so no cancellation can lose what has happened, and the order of the tape is the order of the steps."""
