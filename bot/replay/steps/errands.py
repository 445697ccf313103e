"""What the bot decided to do, and how far it got with it: which requests belong to it, and what they brought."""

from collections import defaultdict
from typing import Any

import attrs

from bot.core.errors import NotSentError, RequestError, UnknownOutcomeError
from bot.core.order import Order
from bot.core.tape import HIDDEN, Kind
from bot.link.pool import Lane
from bot.paradex import rest
from bot.replay.steps.shapes import Intent, Outcome
from bot.session.inbox import Item
from bot.trading.effects import (
    BboFetched,
    CancelEnded,
    CancelOrder,
    Effect,
    FetchBbo,
    LookedUp,
    LookUpOrder,
    PlaceOrder,
    SendEnded,
    SetTimer,
)
from bot.trading.executor import cancel_request, find_report, history_request
from bot.trading.transcript import of_effect

SECRET = object()
"""The value of an answer that was not written down."""


@attrs.define(eq=False)
class Exchange:
    """A request, and what became of it."""

    x: int
    record: int
    ns: int
    request: rest.Request[Any]
    result: Any = None
    """The answer's value, a `RequestError`, or None while it is under way."""

    reused: bool = False
    elapsed_ns: int = 0
    is_answered: bool = False
    """An answer came: whoever asked was told at once."""

    is_cut: bool = False
    """The bot itself ended it: by a deadline of its own, or with the run."""

    kind = Kind.REQUEST

    def told(self) -> dict[str, Any]:
        return self.request.shown(HIDDEN)

    @property
    def has_failed(self) -> bool:
        return isinstance(self.result, RequestError)


@attrs.define(eq=False)
class Errand:
    """An effect that is being carried out."""

    effect: Effect
    record: int
    ns: int
    key: tuple[str, str] = attrs.field(init=False)
    """What its outcome, or its timer, names it by."""

    order_request: rest.Request[Any] | None = None
    """Of an order, once it is signed."""

    exchanges: list[Exchange] = attrs.field(factory=list)

    kind = Kind.EFFECT

    def __attrs_post_init__(self) -> None:
        self.key = _key_of(self.effect)

    def told(self) -> dict[str, Any]:
        data: dict[str, Any] = of_effect(self.effect).data
        return data

    @property
    def lane(self) -> Lane:
        return Lane.ORDERS if isinstance(self.effect, (PlaceOrder, CancelOrder)) else Lane.HOUSEKEEPING

    def due_ns(self, wait: SetTimer) -> int:
        """When a timer that this sets elapses."""
        return self.ns + round(wait.seconds * 1e9)

    @property
    def is_answered(self) -> bool:
        """Whether the last answer that it needs is there, so that nothing keeps it from being reported."""
        return bool(self.exchanges) and self.exchanges[-1].is_answered and not self.is_asking

    @property
    def is_asking(self) -> bool:
        """Whether the venue has to be asked something (more) for it, and nothing keeps it from that."""
        match self.effect, self.exchanges:
            case PlaceOrder(), []:
                return self.order_request is not None
            case ((CancelOrder() | LookUpOrder() | FetchBbo()), []):
                return True
            case LookUpOrder(), [first]:
                return first.result is not None and not first.has_failed
        return False

    @property
    def _has_deadline(self) -> bool:
        """Of its own, which may pass before there is a request, too."""
        return isinstance(self.effect, CancelOrder)

    def sign(self, order: Order, intent: Intent, recv_window: int) -> rest.Request[Any]:
        """Note that the order is signed; returns what is about to leave."""
        self.order_request = rest.create_order(
            order,
            signature=HIDDEN,
            signature_timestamp=intent.signature_timestamp,
            recv_window=recv_window,
            cause=self.record,
        )
        return self.order_request

    def next_request(self) -> rest.Request[Any] | None:
        """What is asked of the venue next; None if that was everything, or it is too soon."""
        if not self.is_asking:
            return None
        match self.effect:
            case CancelOrder(order):
                return cancel_request(order, self.record)
            case LookUpOrder(order) if self.exchanges:
                return history_request(order, self.record)
            case LookUpOrder():
                return rest.open_orders(cause=self.record)
            case FetchBbo(market):
                return rest.bbo(market, cause=self.record)
            case _:
                return self.order_request

    def ended(self, failure: RequestError | None) -> Item | None:
        """What the order manager is told; None if it cannot be told anything yet.

        ``failure`` is the recorded one, which is believed where no request tells: the bot itself held it back.
        """
        last = self.exchanges[-1] if self.exchanges else None
        if last is None or last.is_cut or self.is_asking:
            believed = (NotSentError, UnknownOutcomeError) if self._has_deadline else NotSentError
            result: Any = failure if isinstance(failure, believed) else None
        else:
            result = last.result
        return None if result is None else self._item(result, last)

    def _item(self, result: Any, last: Exchange | None) -> Item:
        match self.effect:
            case PlaceOrder(order) if last is not None:
                return SendEnded(
                    client_id=order.client_id,
                    result=result,
                    reused=last.reused,
                    request_ns=last.elapsed_ns,
                    exchange=last.x,
                )
            case PlaceOrder(order):
                return SendEnded(client_id=order.client_id, result=result)
            case CancelOrder(order):
                return CancelEnded(order.client_id, result if isinstance(result, RequestError) else None)
            case LookUpOrder(order):
                if not isinstance(result, RequestError):
                    open_orders, history = (exchange.result for exchange in self.exchanges)
                    result = find_report(order.client_id, open_orders.results, history.results)
                return LookedUp(order.client_id, result, tuple(exchange.x for exchange in self.exchanges))
            case FetchBbo(market):
                return BboFetched(market, result, 0 if last is None else last.x)
        raise TypeError(f"nothing is told of {self.effect!r}")


def _key_of(effect: Effect) -> tuple[str, str]:
    match effect:
        case PlaceOrder(order):
            return "place", order.client_id
        case CancelOrder(order):
            return "cancel", order.client_id
        case LookUpOrder(order):
            return "look up", order.client_id
        case FetchBbo(market):
            return "quote", market
        case SetTimer(timer):
            return f"wait {timer.purpose}", timer.subject
    raise TypeError(f"no errand: {effect!r}")


class Errands:
    """Those that are under way."""

    def __init__(self) -> None:
        self.by_record: dict[int, Errand] = {}
        self._by_key: defaultdict[tuple[str, str], list[Errand]] = defaultdict(list)

    def add(self, errand: Errand) -> None:
        if errand.record:
            self.by_record[errand.record] = errand
        self._by_key[errand.key].append(errand)

    def oldest(self, what: str, subject: str) -> Errand | None:
        """Of those of one kind about one order, market or timer."""
        return next(iter(self._by_key.get((what, subject), ())), None)

    def to_sign(self, client_id: str) -> Errand | None:
        """The order that was placed, and is not signed yet."""
        errand = self.oldest("place", client_id)
        return errand if errand is not None and errand.order_request is None else None

    def all(self) -> list[Errand]:
        return [errand for errands in self._by_key.values() for errand in errands]

    def find(self, outcome: Outcome, failure: RequestError | None) -> Errand | None:
        """The errand that ``outcome`` ends: by the numbers of its answers, or else the first that ended so."""
        errands = self._by_key.get((outcome.what, outcome.client_id or outcome.market), [])
        if outcome.x:
            named = (e for e in errands if [exchange.x for exchange in e.exchanges] == outcome.x)
            return next(named, None)
        if len(errands) == 1:
            return errands[0]

        def likeness(errand: Errand) -> int:
            result = errand.exchanges[-1].result if errand.exchanges else None
            if isinstance(result, RequestError) and failure is not None:
                return 0 if result.told() == failure.told() else 1
            return 2 if errand.ended(failure) is not None else 3

        return min(errands, key=likeness, default=None)

    def remove(self, errand: Errand) -> None:
        self.by_record.pop(errand.record, None)
        under_way = self._by_key[errand.key]
        under_way.remove(errand)
        if not under_way:
            del self._by_key[errand.key]
