"""What the bot decided to do, and how far it got with it: which requests belong to it, and what they brought."""

from collections import defaultdict
from typing import Any

import attrs

from bot.core.errors import NotSentError, RefusedError, RequestError, UnknownOutcomeError
from bot.core.tape import HIDDEN, Kind
from bot.link.pool import Lane
from bot.paradex import orders, rest
from bot.paradex.answers import OrderPage
from bot.paradex.calls import Call
from bot.paradex.orders import SignedOrder
from bot.paradex.request import Request
from bot.paradex.snip12 import OrderTerms
from bot.replay.steps.shapes import Intent, Outcome
from bot.session.inbox import Item
from bot.session.snapshot import MOST_PAGES, orders_since
from bot.trading.effects import (
    BboFetched,
    CancelBatch,
    CancelEnded,
    CancelOrder,
    Effect,
    FetchBbo,
    LookedUp,
    LookUpOrder,
    LookUpOrders,
    ModifyEnded,
    ModifyOrder,
    PlaceBatch,
    PlaceOrder,
    PrepareFailed,
    PrepareOrder,
    SendEnded,
    SetTimer,
    Signed,
)
from bot.trading.requests import (
    WS,
    Sent,
    cancelling_call,
    cancelling_request,
    failures_of_cancels,
    find_report,
    history_request,
    modified_terms,
    modifying,
    placing,
    results_of,
    terms,
)
from bot.trading.sending import is_form_refused
from bot.trading.transcript import of_effect

SECRET = object()
"""The value of an answer that was not written down."""


@attrs.define(eq=False)
class Exchange:
    """A request, and what became of it."""

    x: int
    record: int
    ns: int
    request: Sent
    result: Any = None
    """The answer's value, a `RequestError`, or None while it is under way."""

    reused: bool = False
    elapsed_ns: int = 0
    is_answered: bool = False
    """An answer came: whoever asked was told at once."""

    is_of_orders: bool = False
    is_cut: bool = False
    """The bot itself ended it: by a deadline of its own, or with the run."""

    kind = Kind.REQUEST

    def told(self) -> dict[str, Any]:
        return self.request.shown(HIDDEN)

    @property
    def has_failed(self) -> bool:
        return isinstance(self.result, RequestError)


Key = tuple[str, str]
"""What an outcome, or a timer, names an errand by: what it does, and for which order, market or purpose."""


@attrs.define(eq=False)
class Errand:
    """An effect that is being carried out."""

    effect: Effect
    record: int
    ns: int
    via: str
    """By which way orders go."""

    keys: list[Key] = attrs.field(init=False)
    """One for each outcome that is not told yet: a batch has several."""

    signed: list[SignedOrder] = attrs.field(factory=list)
    """Its orders, as far as they are signed."""

    modification: Sent | None = None
    """Once it is signed."""

    exchanges: list[Exchange] = attrs.field(factory=list)

    kind = Kind.EFFECT

    def __attrs_post_init__(self) -> None:
        self.keys = _keys_of(self.effect)

    def told(self) -> dict[str, Any]:
        data: dict[str, Any] = of_effect(self.effect).data
        return data

    @property
    def lane(self) -> Lane:
        is_order = isinstance(self.effect, (PlaceOrder, PlaceBatch, ModifyOrder, CancelOrder, CancelBatch))
        return Lane.ORDERS if is_order else Lane.HOUSEKEEPING

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
        asked = len(self.exchanges)
        if asked == self._questions:
            return False
        if asked:
            last = self.exchanges[-1]
            return last.result is not None and (self._was_refused_for_its_form or not last.has_failed)
        match self.effect:
            case (PlaceOrder() | PlaceBatch()) as effect:
                return len(self.signed) == len(effect.orders)
            case ModifyOrder():
                return self.modification is not None
        return True

    @property
    def _questions(self) -> int:
        """How many requests it takes."""
        match self.effect:
            case LookUpOrder():
                return 2  # open orders, and then the history
            case LookUpOrders():
                return max(2, len(self.exchanges) + bool(self._next_page))
            case SetTimer() | PrepareOrder():
                return 0
        return 2 if self._was_refused_for_its_form else 1

    @property
    def _next_page(self) -> str | None:
        """Of the history, after those that there are."""
        page = self.exchanges[-1].result if 0 < len(self.exchanges) <= MOST_PAGES else None
        return page.next if isinstance(page, OrderPage) else None

    @property
    def _was_refused_for_its_form(self) -> bool:
        result = self.exchanges[0].result if self.exchanges and self.via == WS else None
        return (
            isinstance(self.effect, PlaceBatch)
            and isinstance(result, RefusedError)
            and is_form_refused(self.effect, result)
        )

    @property
    def answers(self) -> list[int]:
        """The numbers of the exchanges that brought what is told: not that of a batch in a form that was refused."""
        return [exchange.x for exchange in self.exchanges[self._was_refused_for_its_form :]]

    @property
    def _has_deadline(self) -> bool:
        """Of its own, which may pass before there is a request, too."""
        return isinstance(self.effect, (CancelOrder, CancelBatch))

    def is_to_sign(self, client_id: str) -> bool:
        """Whether this order is one of those that it sends, and not signed yet."""
        match self.effect:
            case (PlaceOrder() | PlaceBatch()) as effect:
                next_one = effect.orders[len(self.signed) :][:1]
                return any(order.client_id == client_id for order in next_one)
            case ModifyOrder(order):
                return self.modification is None and order.client_id == client_id
        return False

    def terms(self, intent: Intent) -> tuple[OrderTerms, str]:
        """What is signed next for it, and the venue's id of an order that is modified; empty for a new one."""
        match self.effect:
            case (PlaceOrder() | PlaceBatch()) as effect:
                return terms(effect.orders[len(self.signed)], intent.signature_timestamp), ""
            case ModifyOrder(order) as modify:
                return modified_terms(modify, intent.signature_timestamp), order.venue_id
        raise TypeError(f"nothing is signed for {self.effect!r}")

    def sign(self, intent: Intent, recv_window: int) -> Sent:
        """Note that the next of its orders is signed; returns what is about to leave of it."""
        match self.effect:
            case (PlaceOrder() | PlaceBatch()) as effect:
                signed = SignedOrder(
                    order=effect.orders[len(self.signed)],
                    signature=HIDDEN,
                    signature_timestamp=intent.signature_timestamp,
                    recv_window=recv_window,
                )
                self.signed.append(signed)
                return placing(effect, [signed], self.record, self.via)
            case ModifyOrder() as modify:
                self.modification = modifying(
                    modify, HIDDEN, intent.signature_timestamp, self.record, self.via
                )
                return self.modification
        raise TypeError(f"nothing is signed for {self.effect!r}")

    def next_request(self) -> Request[Any] | None:  # noqa: PLR0911 - one for each kind of effect
        """What is asked of the venue next over REST; None if that was everything, or it is too soon."""
        if not self.is_asking:
            return None
        match self.effect:
            case (CancelOrder() | CancelBatch()) as effect:
                return cancelling_request(effect, self.record)
            case LookUpOrder(order) if self.exchanges:
                return history_request(order, self.record)
            case LookUpOrders(_, since_ms) if self.exchanges:
                return orders_since(since_ms, self._next_page, cause=self.record)
            case LookUpOrder() | LookUpOrders():
                return orders.list_open(cause=self.record)
            case FetchBbo(market):
                return rest.bbo(market, cause=self.record)
        sent = self._next_sent()
        return sent if isinstance(sent, Request) else None

    def next_call(self) -> Call[Any] | None:
        """The same, over the WebSocket. A cancel that was to go there goes over REST if that is gone by then."""
        if not self.is_asking:
            return None
        match self.effect:
            case (CancelOrder() | CancelBatch()) as effect if effect.session is not None:
                return cancelling_call(effect, self.record)
        sent = self._next_sent()
        return sent if isinstance(sent, Call) else None

    def _next_sent(self) -> Sent | None:
        match self.effect:
            case (PlaceOrder() | PlaceBatch()) as effect:
                return placing(effect, self.signed, self.record, self.via, bare=bool(self.exchanges))
        return self.modification

    def ended(self, subject: str, failure: RequestError | None) -> Item | None:
        """What the order manager is told of an order or a market; None if it cannot be told anything yet.

        ``failure`` is the recorded one, which is believed where no request tells: the bot itself held it back.
        """
        last = self.exchanges[-1] if self.exchanges else None
        if last is None or last.is_cut or self.is_asking:
            gave_up = self._has_deadline or (last is not None and last.is_cut)
            believed = (NotSentError, UnknownOutcomeError) if gave_up else NotSentError
            result: Any = failure if isinstance(failure, believed) else None
        else:
            result = last.result
        return None if result is None else self._item(subject, result, last)

    def _item(self, subject: str, result: Any, last: Exchange | None) -> Item:
        failure = result if isinstance(result, RequestError) else None
        exchange = 0 if last is None else last.x
        match self.effect:
            case (PlaceOrder() | PlaceBatch()) as effect:
                return SendEnded(
                    client_id=subject,
                    result=failure or results_of(effect.orders, result)[subject],
                    reused=last is not None and last.reused,
                    request_ns=0 if last is None else last.elapsed_ns,
                    exchange=exchange,
                )
            case PrepareOrder():
                return PrepareFailed(subject, result)
            case ModifyOrder() as modify:
                return ModifyEnded(
                    client_id=subject, number=modify.wanted.number, result=result, exchange=exchange
                )
            case (CancelOrder() | CancelBatch()) as effect:
                return CancelEnded(subject, failures_of_cancels(effect, result)[subject])
            case LookUpOrder() | LookUpOrders():
                if failure is None:
                    open_orders, *pages = (exchange.result for exchange in self.exchanges)
                    history = [report for page in pages for report in page.results]
                    result = find_report(subject, open_orders.results, history)
                return LookedUp(subject, result, tuple(exchange.x for exchange in self.exchanges))
            case FetchBbo():
                return BboFetched(subject, result, exchange)
        raise TypeError(f"nothing is told of {self.effect!r}")


def _keys_of(effect: Effect) -> list[Key]:  # noqa: PLR0911 - one for each kind of effect
    match effect:
        case PlaceOrder() | PlaceBatch():
            return [("place", order.client_id) for order in effect.orders]
        case PrepareOrder(order):
            return [("prepare", order.client_id)]
        case ModifyOrder(order):
            return [("modify", order.client_id)]
        case CancelOrder(order):
            return [("cancel", order.client_id)]
        case CancelBatch(unwanted):
            return [("cancel", order.client_id) for order in unwanted]
        case LookUpOrder(order):
            return [("look up", order.client_id)]
        case LookUpOrders(orders):
            return [("look up", order.client_id) for order in orders]
        case FetchBbo(market):
            return [("quote", market)]
        case SetTimer(timer):
            return [(f"wait {timer.purpose}", timer.subject)]
    raise TypeError(f"no errand: {effect!r}")


class Errands:
    """Those that are under way."""

    def __init__(self) -> None:
        self.by_record: dict[int, Errand] = {}
        self._by_key: defaultdict[Key, list[Errand]] = defaultdict(list)

    def add(self, errand: Errand) -> None:
        if errand.record:
            self.by_record[errand.record] = errand
        for key in errand.keys:
            self._by_key[key].append(errand)

    def oldest(self, key: Key) -> Errand | None:
        """Of those of one kind about one order, market or timer."""
        return next(iter(self._by_key.get(key, ())), None)

    def to_sign(self, what: Signed, client_id: str) -> Errand | None:
        """The one that an order was placed or modified by, which is not signed yet."""
        errands = self._by_key.get((what, client_id), ())
        return next((errand for errand in errands if errand.is_to_sign(client_id)), None)

    def all(self) -> list[Errand]:
        return list(dict.fromkeys(errand for errands in self._by_key.values() for errand in errands))

    def find(self, key: Key, outcome: Outcome, failure: RequestError | None) -> Errand | None:
        """The errand that ``outcome`` ends: by the numbers of its answers, or else the first that ended so."""
        errands = self._by_key.get(key, [])
        if outcome.x:
            named = (e for e in errands if e.answers == outcome.x)
            return next(named, None)
        if len(errands) == 1:
            return errands[0]

        def likeness(errand: Errand) -> int:
            result = errand.exchanges[-1].result if errand.exchanges else None
            if isinstance(result, RequestError) and failure is not None:
                return 0 if result.told() == failure.told() else 1
            return 2 if errand.ended(key[1], failure) is not None else 3

        return min(errands, key=likeness, default=None)

    def drop(self, key: Key) -> None:
        """Nobody will be told what came of it."""
        errand = self.oldest(key)
        if errand is not None:
            self.remove(errand, key)

    def remove(self, errand: Errand, key: Key) -> None:
        """What ``key`` names is told."""
        errand.keys.remove(key)
        if not errand.keys:
            self.by_record.pop(errand.record, None)
        under_way = self._by_key[key]
        under_way.remove(errand)
        if not under_way:
            del self._by_key[key]
