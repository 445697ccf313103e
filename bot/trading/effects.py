"""What comes out of a step of the order manager, and what it hears of it later.

Effects are decisions: requests to send and timers to set, which the executor carries out and reports as items of
the ordered stream; and what others are to be told.
"""

import enum
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from bot.core.errors import RequestError
from bot.core.order import Modification, Order
from bot.core.recovered import Recovered
from bot.paradex.answers import Bbo, OrderReport
from bot.paradex.orders import LARGEST_BATCH
from bot.session.capabilities import Session
from bot.session.inbox import Item


@attrs.frozen
class Effect:
    """Something that has been decided."""


@attrs.frozen
class PlaceOrder(Effect):
    """Send the order once, if ``session`` still lives when its turn comes."""

    order: Order
    session: Session
    is_prepared: bool = False
    """With the signature that was made ahead. Without it the order is not sent."""

    @property
    def orders(self) -> tuple[Order, ...]:
        return (self.order,)


def batches(orders: Sequence[Order]) -> Iterator[tuple[Order, ...]]:
    """``orders``, in as few parts as a request each can hold."""
    for first in range(0, len(orders), LARGEST_BATCH):
        yield tuple(orders[first : first + LARGEST_BATCH])


@attrs.frozen
class PlaceBatch(Effect):
    """Send these orders in one request, once, if ``session`` still lives when its turn comes."""

    orders: tuple[Order, ...]
    session: Session


@attrs.frozen
class PrepareOrder(Effect):
    """Sign the order when nothing else is to be done, and keep that. Nothing of it leaves."""

    order: Order


@attrs.frozen
class ForgetPrepared(Effect):
    """Nobody wants these orders any more, by client id, that are signed ahead or wait for it."""

    client_ids: tuple[str, ...]


@attrs.frozen
class ModifyOrder(Effect):
    """Ask once for the terms that ``order`` is wanted to have, if ``session`` still lives when its turn comes."""

    order: Order
    session: Session

    @property
    def wanted(self) -> Modification:
        assert self.order.modifying is not None
        return self.order.modifying


@attrs.frozen
class CancelOrder(Effect):
    """Ask the venue to cancel: by its id, or where that is not known by ours.

    Over the WebSocket of ``session``, if that still lives when its turn comes; else over REST.
    """

    order: Order
    session: Session | None = None

    @property
    def orders(self) -> tuple[Order, ...]:
        return (self.order,)


@attrs.frozen
class CancelBatch(Effect):
    """Ask the venue to cancel these orders, in one request; ``session`` as in `CancelOrder`."""

    orders: tuple[Order, ...]
    session: Session | None = None


@attrs.frozen
class LookUpOrder(Effect):
    """Ask the venue what became of the order: among the open ones, then in the history."""

    order: Order


@attrs.frozen
class LookUpOrders(Effect):
    """The same of several orders at once, of which none was signed before ``since_ms``, venue time in unix ms."""

    orders: tuple[Order, ...]
    since_ms: int


@attrs.frozen
class FetchBbo(Effect):
    market: str


@attrs.frozen
class Timer:
    """Why to wake. Whoever sets it names the ``purpose``; ``subject`` is a number or a client id."""

    purpose: str
    subject: str


@attrs.frozen
class SetTimer(Effect):
    timer: Timer
    seconds: float


@attrs.frozen
class OrderMoved(Effect):
    """An order of ours is now like this: for the tape."""

    order: Order


@attrs.frozen
class RaiseAlarm(Effect):
    """Something needs a person."""

    text: str


@attrs.frozen
class TakeSnapshot(Effect):
    """Have a snapshot of the account taken soon, without waiting for the next one's turn."""


@attrs.frozen
class Repaired(Effect):
    """A snapshot told of something that nobody had told before: for the tape."""

    what: str
    """``order``, ``fill`` or ``position``."""

    subject: str
    """A client id, a fill's id, or a market."""

    text: str


@attrs.frozen
class PullKillSwitch(Effect):
    """Nothing new may leave from now on, whatever was decided before."""

    reason: str


@attrs.frozen
class GiveUp(Effect):
    """Going on cannot help: stop the bot, in order."""

    reason: str


CLOCK_MARGIN_NS = 500_000_000
"""For how wrong our idea of the venue's clock may be, at least: what is added to the time in which the venue takes an
order, before one that is nowhere to be found counts as never accepted."""


def clock_margin_ns(uncertainty_ns: int | None) -> int:
    """That, or as much as the venue's clock may be off by its last measurement, if that is more."""
    return max(CLOCK_MARGIN_NS, uncertainty_ns or 0)


class Signed(enum.StrEnum):
    """What is asked of the venue with a signature."""

    PLACE = "place"
    MODIFY = "modify"


@attrs.frozen
class SendStarted(Item):
    """Signed, and about to leave: the intent that has to be in the journal before the first byte goes."""

    client_id: str
    signature_timestamp: int
    """Venue time, unix ms."""

    sent_ns: int
    sign_ns: int
    """How long hash and signature took. 0 for an order that was prepared: that time had passed before it was decided,
    and stands in its `OrderPrepared`."""

    what: Signed = Signed.PLACE
    margin_ns: int = CLOCK_MARGIN_NS
    """So much later than we reckon it may be at the venue, or sooner: more where the last measurement was slow."""

    signed_ns: int | None = attrs.field(default=None, kw_only=True)
    """Of an order that was prepared: when it was ``signature_timestamp`` there, by the last look at its clock.
    None: just now."""

    # For the tape; no step looks at these.
    hash_ns: int | None = attrs.field(default=None, kw_only=True, eq=False)
    """How long the hash alone took, where that is known."""

    struct_hash: int = attrs.field(default=0, kw_only=True, eq=False)
    message_hash: int = attrs.field(default=0, kw_only=True, eq=False)
    signature_digest: str = attrs.field(default="", kw_only=True, eq=False)
    """`bot.link.signer.Signature.digest`"""

    request: Mapping[str, Any] = attrs.field(factory=dict, kw_only=True, eq=False)
    """What leaves, as `bot.paradex.request.Request.shown`; of a batch only this order's part."""


@attrs.frozen(kw_only=True)
class OrderPrepared(Item):
    """Signed ahead. Times in ns since the start of the run."""

    client_id: str
    signature_timestamp: int
    """Venue time, unix ms."""

    until_ns: int
    """It may leave up to then, by what was known of the venue's clock."""

    sign_ns: int
    """How long hash and signature took."""

    hash_ns: int | None = attrs.field(default=None, eq=False)
    """As in `SendStarted`."""


@attrs.frozen
class PrepareFailed(Item):
    """It could not be signed."""

    client_id: str
    failure: RequestError


@attrs.frozen(kw_only=True)
class SendEnded(Item):
    """How a send ended. ``result`` is the venue's answer, or which of the three failures it was."""

    client_id: str
    result: OrderReport | RequestError
    reused: bool = False
    request_ns: int = 0
    exchange: int = 0
    """The number of the answer on the tape; 0 for none."""


@attrs.frozen(kw_only=True)
class ModifyEnded(Item):
    """How a request for other terms ended. ``result`` is the venue's answer, by which it is queued, or a failure."""

    client_id: str
    number: int
    """`Modification.number`"""

    result: OrderReport | RequestError
    exchange: int = 0
    """The number of the answer on the tape; 0 for none."""


@attrs.frozen
class CancelEnded(Item):
    """``failure`` is None for an answer that the cancel is queued; the order is not closed by that."""

    client_id: str
    failure: RequestError | None


@attrs.frozen
class LookedUp(Item):
    """What a look-up found: a report, nothing (None), or that it failed itself."""

    client_id: str
    result: OrderReport | RequestError | None
    exchanges: tuple[int, ...] = ()
    """The numbers of the answers on the tape, in the order of the questions."""


@attrs.frozen
class BboFetched(Item):
    market: str
    result: Bbo | RequestError
    exchange: int = 0


@attrs.frozen
class TimerFired(Item):
    timer: Timer


@attrs.frozen
class AccountRecovered(Item):
    """What earlier runs left on the account, if anything: the first item of a run."""

    recovered: Recovered
    acceptable_until_ns: tuple[int, ...]
    """When the venue can no longer accept each of its orders: by this run's clock, perhaps before it began."""


@attrs.frozen
class StopAsked(Item):
    """Cancel every order of ours."""

    reason: str = ""
