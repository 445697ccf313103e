"""What orders and books look like to clients: the venue's JSON objects (protocol reference 3.3, 3.6)."""

from typing import Any

from bot.core.fixed import render
from bot.exchange.matching.book import Book
from bot.exchange.matching.orders import Fill, Order


def order_view(order: Order, *, seq_no: int, published_ms: int) -> dict[str, Any]:
    """An OrderResp. ``seq_no`` is the transport's: REST and WebSocket number independently."""
    return {
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
        "avg_fill_price": render(order.average_price) if order.filled else "",
        "status": order.status,
        "cancel_reason": order.cancel_reason,
        "client_id": order.client_id,
        "stp": order.stp,
        "trigger_price": "0",
        "timestamp": order.signed_at_ms,
        "created_at": order.created_at_ms,
        "last_updated_at": order.updated_at_ms,
        "received_at": order.received_at_ms,
        "published_at": published_ms,
        "seq_no": seq_no,
    }


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
        "fill_type": "FILL",
        "flags": [],
        "created_at": fill.created_at_ms,
        "orderbook_seq_no": fill.book_seq,
    }


def bbo_view(book: Book) -> dict[str, Any]:
    """A BBO; an empty side is two empty strings."""
    bid, ask = book.bids.best_level(), book.asks.best_level()
    return {
        "market": book.market,
        "seq_no": book.seq_no,
        "last_updated_at": book.updated_at_ms,
        "bid": render(bid[0]) if bid else "",
        "bid_size": render(bid[1]) if bid else "",
        "ask": render(ask[0]) if ask else "",
        "ask_size": render(ask[1]) if ask else "",
    }
