"""Items and effects as the tape holds them.

What a step is told comes back from the tape by way of the same decoder that heard it: an item that an answer of the
venue brought holds the number of that answer and not what it says. So a recorded session tests the decoder too.
"""

from typing import Any

import msgspec

from bot.core import recovered
from bot.core.errors import RequestError
from bot.core.fixed import render
from bot.core.order import Order
from bot.core.tape import Kind
from bot.paradex.address import to_hex
from bot.session.capabilities import Session
from bot.session.inbox import (
    Item,
    KillSwitchPulled,
    PlatformMode,
    SessionLost,
    SessionOpened,
    Snapshot,
)
from bot.trading.effects import (
    CLOCK_MARGIN_NS,
    AccountRecovered,
    BboFetched,
    CancelBatch,
    CancelEnded,
    CancelOrder,
    Effect,
    FetchBbo,
    ForgetPrepared,
    GiveUp,
    LookedUp,
    LookUpOrder,
    LookUpOrders,
    ModifyEnded,
    ModifyOrder,
    OrderMoved,
    OrderPrepared,
    PlaceBatch,
    PlaceOrder,
    PrepareFailed,
    PrepareOrder,
    PullKillSwitch,
    RaiseAlarm,
    Repaired,
    SendEnded,
    SendStarted,
    SetTimer,
    StopAsked,
    TakeSnapshot,
    TimerFired,
)


class Line(msgspec.Struct, frozen=True):
    """What is written of an item or an effect."""

    kind: Kind
    data: dict[str, Any]
    generation: int = 0


def of_item(item: Item) -> Line:  # noqa: C901, PLR0911, PLR0912 - one case for each kind of item
    """The line of an item; reports of a channel have none, for their frames are on the tape already."""
    match item:
        case SendStarted():
            return Line(
                Kind.INTENT,
                {
                    "what": item.what,
                    "client_id": item.client_id,
                    "signature_timestamp": item.signature_timestamp,
                    "sent_ns": item.sent_ns,
                    "sign_ns": item.sign_ns,
                    "struct_hash": to_hex(item.struct_hash),
                    "message_hash": to_hex(item.message_hash),
                    "signature_digest": item.signature_digest,
                    "request": item.request,
                }
                | _known(hash_ns=item.hash_ns, signed_ns=item.signed_ns)
                | ({} if item.margin_ns == CLOCK_MARGIN_NS else {"margin_ns": item.margin_ns}),
            )
        case OrderPrepared():
            return _outcome(
                "prepare",
                None,
                client_id=item.client_id,
                signature_timestamp=item.signature_timestamp,
                until_ns=item.until_ns,
                sign_ns=item.sign_ns,
                **_known(hash_ns=item.hash_ns),
            )
        case PrepareFailed():
            return _outcome("prepare", item.failure, client_id=item.client_id)
        case AccountRecovered():
            until = {"acceptable_until_ns": list(item.acceptable_until_ns)}
            return Line(Kind.RECOVERED, recovered.told(item.recovered) | until)
        case PlatformMode():
            return Line(Kind.MODE, {"mode": item.mode, "x": item.exchange})
        case KillSwitchPulled():
            return Line(Kind.COMMAND, {"command": "kill switch", "reason": item.reason})
        case SendEnded():
            return _outcome("place", item.result, client_id=item.client_id, x=[item.exchange])
        case ModifyEnded():
            return _outcome("modify", item.result, client_id=item.client_id, x=[item.exchange])
        case CancelEnded():
            return _outcome("cancel", item.failure, client_id=item.client_id)
        case LookedUp():
            return _outcome("look up", item.result, client_id=item.client_id, x=item.exchanges)
        case BboFetched():
            return _outcome("quote", item.result, market=item.market, x=[item.exchange])
        case Snapshot():
            parts = (item.open_orders, item.history, item.fills, item.positions)
            listed = [len(part) for part in parts]
            return _outcome("snapshot", None, requested_ns=item.requested_ns, listed=listed, x=item.exchanges)
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


def _known(**times: int | None) -> dict[str, int]:
    return {name: ns for name, ns in times.items() if ns is not None}


def _outcome(what: str, result: object, **others: Any) -> Line:
    """A failure is told in full, for not every one comes from an answer; ``x`` numbers the answers of a success."""
    if isinstance(result, RequestError):
        others = {name: value for name, value in others.items() if name != "x"} | result.told()
    return Line(Kind.OUTCOME, {"what": what, **others})


def of_effect(effect: Effect) -> Line:  # noqa: C901, PLR0912 - one case for each kind of effect
    """The line of an effect."""
    match effect:
        case OrderMoved(order):
            return Line(
                Kind.ORDER,
                {
                    **_named(order),
                    "state": order.state,
                    "size": render(order.size),
                    "price": render(order.price),
                    "filled": render(order.filled),
                    "reason": order.reason,
                },
            )
        case PlaceOrder(order, session):
            told = {"do": "place", **recovered.told_terms(order), "generation": session.generation}
            if effect.is_prepared:
                told["prepared"] = True
        case PrepareOrder(order):
            told = {"do": "prepare", **recovered.told_terms(order)}
        case ForgetPrepared(client_ids):
            told = {"do": "forget", "orders": list(client_ids)}
        case CancelOrder(order, session):
            told = {"do": "cancel", **_named(order), **_over(session)}
        case SetTimer(timer, seconds):
            told = {"do": "wait", "purpose": timer.purpose, "subject": timer.subject, "seconds": seconds}
        case FetchBbo(market):
            told = {"do": "quote", "market": market}
        case PlaceBatch(orders, session):
            told_orders = [recovered.told_terms(order) for order in orders]
            told = {"do": "place batch", "orders": told_orders, "generation": session.generation}
        case ModifyOrder(order, session):
            told = {
                "do": "modify",
                **_named(order),
                "size": render(effect.wanted.size),
                "price": render(effect.wanted.price),
                "generation": session.generation,
            }
        case CancelBatch(orders, session):
            told = {"do": "cancel batch", "orders": [_named(order) for order in orders], **_over(session)}
        case LookUpOrder(order):
            told = {"do": "look up", "client_id": order.client_id}
        case LookUpOrders(orders, since_ms):
            told = {
                "do": "look up batch",
                "orders": [order.client_id for order in orders],
                "since_ms": since_ms,
            }
        case TakeSnapshot():
            told = {"do": "take a snapshot"}
        case PullKillSwitch(reason):
            told = {"do": "pull the kill switch", "reason": reason}
        case Repaired(what, subject, text):
            return Line(Kind.REPAIR, {"what": what, "subject": subject, "text": text})
        case GiveUp(reason):
            told = {"do": "give up", "reason": reason}
        case RaiseAlarm(text):
            return Line(Kind.ALARM, {"text": text})
        case _:
            raise TypeError(f"no such effect: {effect!r}")
    return Line(Kind.EFFECT, told)


def _over(session: Session | None) -> dict[str, int]:
    """Which generation's WebSocket is wanted for it, if any."""
    return {} if session is None else {"generation": session.generation}


def _named(order: Order) -> dict[str, str]:
    return {"client_id": order.client_id, "venue_id": order.venue_id}
