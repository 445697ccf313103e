"""Items and effects as the tape holds them.

What a step is told comes back from the tape by way of the same decoder that heard it: an item that an answer of the
venue brought holds the number of that answer and not what it says. So a recorded session tests the decoder too.
"""

from typing import Any, NamedTuple

from bot.core.errors import RequestError
from bot.core.fixed import render
from bot.core.order import Order
from bot.core.tape import Kind
from bot.paradex.address import to_hex
from bot.session.inbox import Item, OpenOrdersListed, SessionLost, SessionOpened
from bot.trading.effects import (
    BboFetched,
    CancelEnded,
    CancelOrder,
    Effect,
    FetchBbo,
    GiveUp,
    LookedUp,
    LookUpOrder,
    OrderMoved,
    PlaceOrder,
    RaiseAlarm,
    SendEnded,
    SendStarted,
    SetTimer,
    StopAsked,
    TimerFired,
)


class Line(NamedTuple):
    """What is written of an item or an effect."""

    kind: Kind
    data: dict[str, Any]
    generation: int = 0


def of_item(item: Item) -> Line:  # noqa: PLR0911 - one case for each kind of item
    """The line of an item; an `OrderReported` has none, for its frame is on the tape already."""
    match item:
        case SendStarted():
            return Line(
                Kind.INTENT,
                {
                    "client_id": item.client_id,
                    "signature_timestamp": item.signature_timestamp,
                    "sent_ns": item.sent_ns,
                    "sign_ns": item.sign_ns,
                    "struct_hash": to_hex(item.struct_hash),
                    "message_hash": to_hex(item.message_hash),
                    "signature_digest": item.signature_digest,
                    "request": item.request,
                },
            )
        case SendEnded():
            return _outcome("place", item.result, client_id=item.client_id, x=[item.exchange])
        case CancelEnded():
            return _outcome("cancel", item.failure, client_id=item.client_id)
        case LookedUp():
            return _outcome("look up", item.result, client_id=item.client_id, x=item.exchanges)
        case BboFetched():
            return _outcome("quote", item.result, market=item.market, x=[item.exchange])
        case OpenOrdersListed():
            return _outcome("list", None, requested_ns=item.requested_ns, x=[item.exchange])
        case SessionOpened(session):
            return Line(Kind.GENERATION, {"session": "ready"}, session.generation)
        case SessionLost(generation):
            return Line(Kind.GENERATION, {"session": "lost"}, generation)
        case TimerFired(timer):
            return Line(Kind.TIMER, {"purpose": timer.purpose, "subject": timer.subject})
        case StopAsked():
            return Line(Kind.STOP, {"reason": item.reason})
        case _:
            raise TypeError(f"no such item: {item!r}")


def _outcome(what: str, result: object, **others: Any) -> Line:
    """A failure is told in full, for not every one comes from an answer; ``x`` numbers the answers of a success."""
    if isinstance(result, RequestError):
        others = {name: value for name, value in others.items() if name != "x"} | result.told()
    return Line(Kind.OUTCOME, {"what": what, **others})


def of_effect(effect: Effect) -> Line:
    """The line of an effect."""
    match effect:
        case PlaceOrder(order, session):
            told = {"do": "place", **_terms(order), "generation": session.generation}
        case CancelOrder(order):
            told = {"do": "cancel", "client_id": order.client_id, "venue_id": order.venue_id}
        case LookUpOrder(order):
            told = {"do": "look up", "client_id": order.client_id}
        case FetchBbo(market):
            told = {"do": "quote", "market": market}
        case SetTimer(timer, seconds):
            told = {"do": "wait", "purpose": timer.purpose, "subject": timer.subject, "seconds": seconds}
        case GiveUp(reason):
            told = {"do": "give up", "reason": reason}
        case RaiseAlarm(text):
            return Line(Kind.ALARM, {"text": text})
        case OrderMoved(order):
            return Line(
                Kind.ORDER,
                {
                    "client_id": order.client_id,
                    "venue_id": order.venue_id,
                    "state": order.state,
                    "filled": render(order.filled),
                    "reason": order.reason,
                },
            )
        case _:
            raise TypeError(f"no such effect: {effect!r}")
    return Line(Kind.EFFECT, told)


def _terms(order: Order) -> dict[str, Any]:
    return {
        "client_id": order.client_id,
        "market": order.market,
        "side": order.side,
        "type": order.type,
        "instruction": order.instruction,
        "size": render(order.size),
        "price": render(order.price),
    }
