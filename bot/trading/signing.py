"""Signs what is asked of the venue: with its time, and with a note of what that took."""

from collections.abc import Callable

import attrs

from bot.core.clock import Clock
from bot.core.errors import NotSentError
from bot.core.order import Order
from bot.link.clock import VenueClock
from bot.link.signer import Signature, Signer, UnsignableError
from bot.paradex.orders import SignedOrder
from bot.trading.effects import ModifyOrder
from bot.trading.requests import modified_terms, terms


@attrs.frozen
class Signing:
    """A signature, the venue time (unix ms) that is in it, when it was begun, and how long it took."""

    signature: Signature
    timestamp: int
    began_ns: int
    ns: int

    @property
    def hash_ns(self) -> int | None:
        hashed_ns = self.signature.hashed_ns
        return None if hashed_ns is None else hashed_ns - self.began_ns


@attrs.frozen(kw_only=True)
class OrderSigner:
    """Its methods raise `NotSentError` for what has no signature at this time."""

    signer: Signer
    recv_window: int
    """Milliseconds in which the venue takes an order, from its signature on."""

    clock: Clock
    venue_clock: VenueClock

    def order(self, order: Order) -> Signing:
        return self._sign(lambda timestamp: self.signer.sign_order(terms(order, timestamp)))

    def modification(self, effect: ModifyOrder) -> Signing:
        return self._sign(
            lambda timestamp: self.signer.sign_modify(
                modified_terms(effect, timestamp), order_id=effect.order.venue_id
            )
        )

    def signed(self, order: Order, signing: Signing) -> SignedOrder:
        """What is sent of an order with its signature."""
        return SignedOrder(
            order=order,
            signature=signing.signature.wire(),
            signature_timestamp=signing.timestamp,
            recv_window=self.recv_window,
        )

    def check_clock(self) -> None:
        """Raise as `VenueClock.check`."""
        self.venue_clock.check(self.recv_window)

    def since_ns(self, signing: Signing) -> int:
        """When the venue's clock showed what was signed, by its newest measurement: ns since the start of the run."""
        return self.venue_clock.ns_at(signing.timestamp)

    def until_ns(self, signing: Signing) -> int:
        """The same of when the venue may have it at the latest, were its clock as much ahead as it can be.

        The clock has to be measured.
        """
        return self.since_ns(signing) + self.recv_window * 1_000_000 - (self.venue_clock.uncertainty_ns or 0)

    def check_age(self, signing: Signing) -> None:
        """Raise `NotSentError` for a signature that was made too long ago, or in what is the venue's future.

        The venue's clock may have been measured anew since it was made. An order from the future the venue may take
        for longer than ``recv_window``, or not at all (protocol reference 2.3).
        """
        now_ns = self.clock.monotonic_ns()
        if now_ns > self.until_ns(signing):
            raise NotSentError(f"it was signed {(now_ns - self.since_ns(signing)) / 1e9:.3f} s ago: too late")
        if now_ns < self.since_ns(signing):
            raise NotSentError(
                "it was signed in what is the future, now that the venue's clock was measured anew"
            )

    def _sign(self, sign: Callable[[int], Signature]) -> Signing:
        started_ns = self.clock.monotonic_ns()
        timestamp = self.venue_clock.now_ms()
        try:
            signature = sign(timestamp)
        except UnsignableError as error:
            raise NotSentError(str(error)) from error
        return Signing(signature, timestamp, started_ns, self.clock.monotonic_ns() - started_ns)
