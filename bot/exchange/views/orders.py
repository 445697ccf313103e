"""What orders and fills look like to clients (protocol reference 3.3, 3.6)."""

from typing import Any

from bot.core.fixed import render
from bot.exchange.matching.desk import CancelResult
from bot.exchange.matching.fills import Fill
from bot.exchange.matching.orders import Order

UNFILLED = {"empty": "", "zero": "0"}
"""The average price of an order without fills, by the setting ``unfilled_price``."""


def order_view(order: Order, *, seq_no: int, published_ms: int, unfilled: str = "") -> dict[str, Any]:
    """An OrderResp. ``seq_no`` is the transport's: REST and WebSocket number independently."""
    view: dict[str, Any] = {
        "id": order.id,
        "account": hex(order.account),
        "market": order.market,
        "side": order.side,
        "type": order.type,
        "instruction": order.instruction,
        "flags": list(order.flags),
        "price": render(order.price),
        "size": render(order.size),
        "remaining_size": render(order.remaining),
        "avg_fill_price": render(order.average_price) if order.filled else unfilled,
        "status": order.status,
        "cancel_reason": order.cancel_reason,
        "client_id": order.client_id,
        "stp": order.stp,
        "trigger_price": render(order.trigger_price),
        "timestamp": order.signed_at_ms,
        "created_at": order.created_at_ms,
        "last_updated_at": order.updated_at_ms,
        "received_at": order.received_at_ms,
        "published_at": published_ms,
        "seq_no": seq_no,
    }
    if order.request is not None:
        view["request_info"] = {
            "id": order.request.id,
            "status": order.request.status,
            "message": order.request.message,
            "request_type": order.request.request_type,
        }
    return view


def fill_view(fill: Fill) -> dict[str, Any]:
    """A FillResult."""
    return {
        "id": fill.id,
        "order_id": fill.order_id,
        "client_id": fill.client_id,
        "account": hex(fill.account),
        "market": fill.market,
        "side": fill.side,
        "liquidity": fill.liquidity,
        "price": render(fill.price),
        "size": render(fill.size),
        "remaining_size": render(fill.remaining),
        "fee": render(fill.fee),
        "fee_currency": "USDC",
        "realized_pnl": render(fill.realized_pnl),
        "realized_funding": render(fill.realized_funding),
        "underlying_price": render(fill.underlying_price),
        "fill_type": fill.fill_type,
        "flags": list(fill.flags),
        "created_at": fill.created_at_ms,
        "orderbook_seq_no": fill.book_seq,
    }


def cancel_result_view(result: CancelResult) -> dict[str, Any]:
    """A CancelOrderResult, without what is not known of the order."""
    known = {
        "id": result.order_id,
        "client_id": result.client_id,
        "account": None if result.account is None else hex(result.account),
        "market": result.market,
    }
    return {
        **{name: value for name, value in known.items() if value is not None},
        "status": result.status,
    }
