"""What accounts hear of their own: orders, fills, positions, money (protocol reference 4.3)."""

from collections.abc import Callable, Iterator
from typing import Any

from bot.exchange.clearing.clearing import Clearing
from bot.exchange.clearing.events import (
    AccountChanged,
    BalanceChanged,
    Busted,
    Deposited,
    FundingPaid,
    PositionChanged,
)
from bot.exchange.event import Event
from bot.exchange.faults.faults import Faults
from bot.exchange.faults.updates import Update
from bot.exchange.matching.events import Filled, OrderAccepted, OrderChanged
from bot.exchange.matching.ledger import OrderLedger
from bot.exchange.matching.orders import Order
from bot.exchange.settings import ExchangeSettings
from bot.exchange.stamps import Stamps
from bot.exchange.stream.frames import Payload
from bot.exchange.stream.index import Index
from bot.exchange.stream.parcel import ChannelParcel
from bot.exchange.stream.session import Session
from bot.exchange.stream.topics import ALL, Topic
from bot.exchange.views.account import (
    balance_event_view,
    funding_payment_view,
    position_view,
    summary_view,
    tradebust_view,
    transfer_view,
)
from bot.exchange.views.orders import UNFILLED, fill_view, order_view


class PrivateFeeds:
    """Tells accounts what happened to them: each update at once, none left out, all numbered in one sequence."""

    def __init__(
        self,
        index: Index,
        stamps: Stamps,
        ledger: OrderLedger,
        clearing: Clearing,
        settings: ExchangeSettings,
        faults: Faults,
    ) -> None:
        self._index = index
        self._faults = faults
        self._stamps = stamps
        self._ledger = ledger
        self._clearing = clearing
        self._greets = settings.snapshots == "sent"
        self._unfilled = UNFILLED[settings.unfilled_price]
        self.listeners: dict[type[Event], Callable[[Any], None]] = {
            OrderChanged: self._order,
            Filled: self._fill,
            PositionChanged: self._position,
            AccountChanged: self._account,
            BalanceChanged: self._balance,
            FundingPaid: self._payment,
            Busted: self._bust,
            Deposited: self._deposit,
        }
        if settings.new_orders == "published":
            self.listeners[OrderAccepted] = self._order

    def greet(self, topic: Topic, name: str, session: Session) -> None:
        """What there is already, to a new listener, if that is wished: live orders, open positions, the account."""
        if self._greets:
            for data in self._present(topic):
                session.publish(name, data)

    def order_data(self, order: Order) -> dict[str, Any]:
        """An order as channels and replies of a WebSocket show it now."""
        return order_view(
            order,
            seq_no=self._stamps.stream_seq.next(),
            published_ms=self._stamps.now_ms(),
            unfilled=self._unfilled,
        )

    def _present(self, topic: Topic) -> Iterator[dict[str, Any]]:
        match topic.family:
            case "orders":
                market = None if topic.market == ALL else topic.market
                for order in self._ledger.live(topic.account, market):
                    yield self.order_data(order)
            case "positions":
                for position in self._clearing.position_reports(topic.account):
                    if position.size:
                        yield position_view(position, seq_no=self._stamps.stream_seq.next())
            case "account":
                yield self._account_data(topic.account)

    def _order(self, event: OrderChanged | OrderAccepted) -> None:
        order = event.order
        self._tell(
            Update("orders", order.market, order.client_id, order.status),
            lambda: self.order_data(order),
            *_of_market("orders", order.market, order.account),
        )

    def _fill(self, event: Filled) -> None:
        fill = event.fill
        self._tell(
            Update("fills", fill.market, fill.client_id),
            lambda: fill_view(fill),
            *_of_market("fills", fill.market, fill.account),
        )

    def _payment(self, event: FundingPaid) -> None:
        self._tell(
            Update("funding_payments", event.market),
            lambda: funding_payment_view(event),
            *_of_market("funding_payments", event.market, event.account),
        )

    def _position(self, event: PositionChanged) -> None:
        self._tell(
            Update("positions", event.market),
            lambda: self._position_data(event.account, event.market),
            Topic("positions", account=event.account),
        )

    def _account(self, event: AccountChanged) -> None:
        topic = Topic("account", account=event.account)
        self._tell(Update("account"), lambda: self._account_data(event.account), topic)

    def _balance(self, event: BalanceChanged) -> None:
        topic = Topic("balance_events", account=event.account)
        self._tell(Update("balance_events", event.market), lambda: balance_event_view(event), topic)

    def _bust(self, event: Busted) -> None:
        topic = Topic("tradebusts", account=event.account)
        self._tell(Update("tradebusts"), lambda: tradebust_view(event), topic)

    def _deposit(self, event: Deposited) -> None:
        transfer = event.transfer
        topic = Topic("transfers", account=transfer.account)
        self._tell(Update("transfers"), lambda: transfer_view(transfer), topic)

    def _position_data(self, account: int, market: str) -> dict[str, Any]:
        report = self._clearing.position_report(account, market)
        return position_view(report, seq_no=self._stamps.stream_seq.next())

    def _account_data(self, account: int) -> dict[str, Any]:
        return summary_view(self._clearing.summary(account), seq_no=self._stamps.stream_seq.next())

    def _tell(self, update: Update, render: Callable[[], dict[str, Any]], *topics: Topic) -> None:
        """An update, rendered only if somebody hears of it, and told at once unless a fault is in the way."""
        if not self._index.hears(*topics):
            return
        payload = Payload(render())
        if self._faults.handle_updates:
            self._faults.post(update, ChannelParcel(self._index, payload, topics))
        else:
            self._index.publish(payload, *topics)


def _of_market(family: str, market: str, account: int) -> tuple[Topic, Topic]:
    """The topics of a family that has a channel for each market and one for all."""
    return Topic(family, market, account), Topic(family, ALL, account)
