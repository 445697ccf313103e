"""What the connection reports to the order manager: items of the one ordered stream."""

import attrs
import trio

from bot.paradex.answers import OrderReport
from bot.session.capabilities import Session


@attrs.frozen
class Item:
    """Something that happened. The order manager handles items one by one, in the order of their arrival."""


@attrs.frozen
class OrderReported(Item):
    """The orders channel of this generation says so."""

    generation: int
    report: OrderReport


@attrs.frozen
class OpenOrdersListed(Item):
    """All open orders of the account, as they were some time after ``requested_ns`` (monotonic clock)."""

    requested_ns: int
    reports: tuple[OrderReport, ...]


@attrs.frozen
class SessionOpened(Item):
    """Subscribed, with a list of open orders asked for after that and already in the stream."""

    session: Session


@attrs.frozen
class SessionLost(Item):
    generation: int


Inbox = trio.MemorySendChannel[Item]
"""The sending end of the ordered stream. Bounded: whoever reports waits rather than drops."""
