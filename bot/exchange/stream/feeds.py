"""From events to channels: what each event becomes, and which sockets it goes to."""

from bot.exchange.event import Event
from bot.exchange.matching.events import OrderChanged
from bot.exchange.matching.orders import Order
from bot.exchange.stamps import Stamps
from bot.exchange.stream.session import Session
from bot.exchange.views import order_view


class Feeds:
    """The open sockets, and the channels they listen to."""

    def __init__(self, stamps: Stamps) -> None:
        self._stamps = stamps
        self.sessions: dict[Session, None] = {}

    def publish(self, event: Event) -> None:
        """Deliver what an event means to every socket that subscribed to it."""
        if isinstance(event, OrderChanged):
            self._order(event.order)

    def _order(self, order: Order) -> None:
        view = order_view(order, seq_no=self._stamps.stream_seq.next(), published_ms=self._stamps.now_ms())
        for session in self.sessions:
            for channel in (f"orders.{order.market}", "orders.ALL"):
                if session.is_subscribed(order.account, channel):
                    session.publish(channel, view)
