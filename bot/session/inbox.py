"""What the connection reports to the order manager: items of the one ordered stream."""

from collections.abc import Callable

import attrs

from bot.paradex.answers import FillReport, OrderReport, PositionReport
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
class FillReported(Item):
    """The fills channel of this generation says so."""

    generation: int
    report: FillReport
    ns: int
    """When its frame came, since the start of the run."""


@attrs.frozen(kw_only=True)
class Snapshot(Item):
    """What the venue has of the account, each part as it was some time after ``requested_ns`` (monotonic clock).

    They were asked for one after the other, as they stand here.
    """

    requested_ns: int
    open_orders: tuple[OrderReport, ...]
    """All of them."""

    history: tuple[OrderReport, ...]
    """Orders that changed since the snapshot before, or since the bot began; the newest first."""

    fills: tuple[FillReport, ...]
    """Since then, too."""

    positions: tuple[PositionReport, ...]
    """All of them."""

    exchanges: tuple[tuple[int, ...], ...]
    """The numbers of the answers on the tape, of each of the four."""


@attrs.frozen
class SessionOpened(Item):
    """Subscribed, with a snapshot asked for after that and already in the stream."""

    session: Session


@attrs.frozen
class SessionLost(Item):
    generation: int


@attrs.frozen
class PlatformMode(Item):
    """The venue's platform is in another mode than before (protocol reference 1); at first it is in ``ok``."""

    mode: str
    exchange: int
    """The number of the answer on the tape."""


@attrs.frozen
class KillSwitchPulled(Item):
    """From now on nothing new is accepted, and every order of ours has to go. There is no way back but a new run."""

    reason: str


Inbox = Callable[[Item], None]
"""Where everybody reports. When it returns, the item is on the tape and its step is done: nothing waits in between,
so no cancellation can lose what has happened, and the order of the tape is the order of the steps."""
