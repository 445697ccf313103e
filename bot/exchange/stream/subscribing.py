"""The methods `subscribe`, `unsubscribe` and `modify_subscription` (protocol reference 4.2)."""

from functools import partial

import attrs

from bot.exchange.stream.channels import BY_MARKET, Channel, Channels, refused
from bot.exchange.stream.feeds import Feeds
from bot.exchange.stream.rpc import (
    INVALID_REQUEST,
    PERMISSION_DENIED,
    Call,
    RpcError,
    invalid_params,
    read_names,
    read_optional_text,
    read_text_param,
)
from bot.exchange.stream.session import Done, Method, Session, Subscription
from bot.exchange.stream.topics import Topic

SCOPED = "markets_summary"
"""The one channel whose markets may be chosen, and changed without a new subscription."""


@attrs.frozen
class Subscribing:
    """Subscribes sockets to the feeds of an exchange."""

    channels: Channels
    feeds: Feeds

    def methods(self) -> dict[str, Method]:
        return {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "modify_subscription": self._modify,
        }

    def _subscribe(self, session: Session, call: Call) -> Done:
        name = read_text_param(call, "channel")
        markets = read_names(call, "markets")
        base = read_optional_text(call, "base_asset")
        if markets is not None:
            subscription = self._scoped(name, markets)
        elif base is not None:
            subscription = self._options(name, base)
        else:
            subscription = _whole(self.channels.read(name), session)
        if name in session.subscriptions:
            raise refused(f"already subscribed to {name}")
        session.hold(subscription)
        for topic in subscription.topics:
            self.feeds.join(topic, name, session)
        return Done({"channel": name}, partial(self.feeds.greet, list(subscription.topics), name, session))

    def _unsubscribe(self, session: Session, call: Call) -> Done:
        name = read_text_param(call, "channel")
        subscription = session.subscriptions.get(name)
        if subscription is None:
            raise RpcError(INVALID_REQUEST, "invalid unsubscribe request", f"not subscribed to {name[:80]}")
        for topic in subscription.topics:
            self.feeds.leave(topic, name, session)
        session.drop(name)
        return Done({"channel": name})

    def _modify(self, session: Session, call: Call) -> Done:
        name = read_text_param(call, "channel")
        add, remove = read_names(call, "add") or [], read_names(call, "remove") or []
        subscription = session.subscriptions.get(name)
        if subscription is None or not subscription.scoped:
            raise RpcError(
                INVALID_REQUEST,
                "invalid modify_subscription request",
                f"not subscribed to {name[:80]} with a list of markets",
            )
        self.channels.check_markets([*add, *remove])
        if not set(add).isdisjoint(remove):
            raise invalid_params("a market is both added and removed")
        added = _unseen(add, {topic.market for topic in subscription.topics})
        removed = [topic for topic in subscription.topics if topic.market in remove]
        for topic in removed:
            del subscription.topics[topic]
            self.feeds.leave(topic, name, session)
        topics = [Topic(SCOPED, market) for market in added]
        for topic in topics:
            subscription.topics[topic] = None
            self.feeds.join(topic, name, session)
        result = {"channel": name, "add": added, "remove": [topic.market for topic in removed]}
        return Done(result, partial(self.feeds.greet, topics, name, session))

    def _scoped(self, name: str, markets: list[str]) -> Subscription:
        """Some markets of `SCOPED`, perhaps none; `modify_subscription` changes them."""
        if name != SCOPED:
            raise invalid_params(f"markets goes with {SCOPED} only")
        self.channels.check_markets(markets)
        topics = {Topic(SCOPED, market): None for market in markets}
        return Subscription(name, topics, scoped=True)

    def _options(self, name: str, base: str) -> Subscription:
        """All options on an asset, of which there are none here: the subscription holds, and stays silent."""
        if name not in BY_MARKET:
            raise invalid_params(f"base_asset goes with {' and '.join(sorted(BY_MARKET))} only")
        self.channels.check_base(base)
        return Subscription(name, {})


def _whole(channel: Channel, session: Session) -> Subscription:
    """A channel by its name alone."""
    if not channel.private:
        return Subscription(channel.name, {channel.topic: None})
    if session.speaker is None:
        raise RpcError(PERMISSION_DENIED, "permission denied", "authentication required")
    account = session.speaker.account.address
    return Subscription(channel.name, {channel.topic._replace(account=account): None})


def _unseen(names: list[str], seen: set[str]) -> list[str]:
    """The names that are not seen yet, each once, in order."""
    return [name for name in dict.fromkeys(names) if name not in seen]
