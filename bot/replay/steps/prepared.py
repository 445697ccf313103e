"""Orders that were signed ahead, in a replay: when each was signed is believed where it can have been so."""

from collections.abc import Callable

import attrs

from bot.journal.record import Record
from bot.replay.steps.errands import Errand
from bot.replay.steps.report import Divergence
from bot.replay.steps.shapes import Intent, Prepared
from bot.replay.steps.traffic import CLOCK_TOLERANCE_MS, Traffic
from bot.trading.effects import OrderPrepared, PlaceOrder


@attrs.define(eq=False)
class Timestamps:
    """The venue's time in what was signed, of each intent and of what was signed ahead of one."""

    _traffic: Traffic
    _recv_window_ms: int
    _differ: Callable[[Divergence], None]
    _ahead: dict[str, int] = attrs.field(factory=dict)
    """By client id: of orders that are signed and not sent yet."""

    def prepared(self, record: Record, told: Prepared) -> OrderPrepared:
        """What the order manager was told of a signature."""
        began_ns = record.ns - told.sign_ns
        self._compare(record, "the venue's time in an order", told.signature_timestamp, began_ns)
        last_ms = told.signature_timestamp + self._recv_window_ms
        latest_ms = self._traffic.venue_ms(began_ns) + (told.until_ns - began_ns) // 1_000_000
        if latest_ms > last_ms + CLOCK_TOLERANCE_MS:
            self._diverge(record, "it may leave later than the venue takes it; ms", latest_ms, last_ms)
        self._ahead[told.client_id] = told.signature_timestamp
        return OrderPrepared(
            client_id=told.client_id,
            signature_timestamp=told.signature_timestamp,
            until_ns=told.until_ns,
            sign_ns=told.sign_ns,
            hash_ns=told.hash_ns,
        )

    def check(self, record: Record, intent: Intent, errand: Errand) -> None:
        """An intent holds the venue's time when the signing began, as the answers to ``GET /system/time`` tell it.

        Of an order that was signed ahead it is the one of then, and where that was on our clock is told anew.
        """
        timestamp = intent.signature_timestamp
        if not isinstance(errand.effect, PlaceOrder) or not errand.effect.is_prepared:
            began_ns = intent.sent_ns - intent.sign_ns
            self._compare(record, "the venue's time in an order", timestamp, began_ns)
            if intent.signed_ns is not None:
                self._diverge(record, "signed ahead; ns", intent.signed_ns, None)
            return
        then = self._ahead.pop(intent.client_id, None)
        if then != timestamp:
            self._diverge(record, "the venue's time in an order that was signed ahead", timestamp, then)
        now_ms, now_ns = self._traffic.venue_ms(), record.ns
        signed_ns = now_ns - (now_ms - timestamp) * 1_000_000
        if intent.signed_ns is None or abs(intent.signed_ns - signed_ns) > CLOCK_TOLERANCE_MS * 1_000_000:
            self._diverge(record, "signed ahead; ns", intent.signed_ns, signed_ns)

    def _compare(self, record: Record, what: str, timestamp: int, ns: int) -> None:
        reckoned = self._traffic.venue_ms(ns)
        if abs(timestamp - reckoned) > CLOCK_TOLERANCE_MS:
            self._diverge(record, f"{what}, to {CLOCK_TOLERANCE_MS} ms", timestamp, reckoned)

    def _diverge(self, record: Record, what: str, expected: int | None, came: int | None) -> None:
        self._differ(Divergence(record.number, record.ns, record.kind, what, expected, came))
