"""What the venue reports, read with care: it may be old, odd, or of an order whose size changed."""

from collections.abc import Callable
from typing import Any

import attrs

from bot.core.fill import Fill
from bot.core.fixed import parse, parse_rounded
from bot.core.order import Instruction, Order, OrderType, Side, State
from bot.paradex.answers import FillReport, OrderReport


@attrs.frozen
class ReportedTerms:
    """Reads size, price and what is filled. What cannot be, or cannot be read, is an alarm, and changes nothing."""

    _alarm: Callable[[str], None]

    def read(self, order: Order, report: OrderReport) -> dict[str, Any]:
        """What changes of ``order``, by the names of its fields.

        Size and price are those of the newest report, by the venue's time. What is filled never becomes less.
        """
        size = self._decimal(order, "size", report.size, order.size)
        price = self._decimal(order, "price", report.price, order.price)
        remaining = self._decimal(order, "remaining size", report.remaining_size, None)
        filled = order.filled
        if remaining is not None:
            if not 0 <= remaining <= size:
                self._alarm(f"order {order.client_id}: its remaining size cannot be, {report.remaining_size}")
            filled = max(filled, size - min(max(remaining, 0), size))
        updated_ms = report.last_updated_at or 0
        if updated_ms < order.updated_ms:
            size, price = order.size, order.price
        if not order.price:  # the venue shows the worst price that it allows a market order
            price = order.price
        return {
            "size": size,
            "price": price,
            "filled": min(filled, size),
            "updated_ms": max(updated_ms, order.updated_ms),
        }

    def _decimal(self, order: Order, name: str, text: str | None, otherwise: Any) -> Any:
        if not text:
            return otherwise
        try:
            return parse(text)
        except ValueError as unreadable:
            self._alarm(f"order {order.client_id}: its {name} cannot be read, {unreadable}")
            return otherwise


def read_fill(report: FillReport) -> Fill:
    """Raises ValueError for what is no fill."""
    return Fill(
        kind=report.fill_type or "",
        id=report.id,
        venue_id=report.order_id or "",
        client_id=report.client_id or "",
        market=report.market,
        side=Side(report.side or ""),
        size=parse(report.size or ""),
        price=parse(report.price or ""),
        fee=parse_rounded(report.fee or "0"),
        fee_currency=report.fee_currency or "",
        created_ms=report.created_at or 0,
    )


def read_order(report: OrderReport) -> Order:
    """An order as it was sent, which the venue has. Raises ValueError for what is none."""
    return Order(
        client_id=report.client_id or "",
        market=report.market,
        side=Side(report.side or ""),
        type=OrderType(report.type or ""),
        instruction=Instruction(report.instruction or ""),
        size=parse(report.size or ""),
        price=parse(report.price or "0"),
        state=State.UNKNOWN,
    )
