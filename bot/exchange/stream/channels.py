"""Which channel names there are, and what each means (protocol reference 4.3, 4.4)."""

from collections.abc import Mapping

import attrs

from bot.core.fixed import parse
from bot.exchange.instruments.markets import Market
from bot.exchange.stream.rpc import INVALID_REQUEST, RpcError
from bot.exchange.stream.topics import ALL, DeltaFeed, SnapshotFeed, Topic

PRIVATE_BY_MARKET = frozenset({"orders", "fills", "funding_payments"})
"""Private families that take a market or ``ALL``."""

PRIVATE = frozenset(
    {
        "account",
        "positions",
        "balance_events",
        "transaction",
        "transfers",
        "tradebusts",
        "rfq",
        "block_trades",
        "mmp",
    }
)
"""Private channels without a parameter. What never happens here is never said: the last three stay silent, and
``transaction``, since there is no chain."""

BY_MARKET = frozenset({"bbo", "trades"})
"""Public families that take a market or ``ALL``."""

MARKET_OR_NOT = frozenset({"markets", "markets_summary", "funding_data"})
"""Public families that take a market, ``ALL``, or nothing, which means all (section 10, item 15)."""

COMPARISON = "funding_rate_comparison"
COMPARISONS = frozenset({f"{COMPARISON}.ALL@500ms", f"{COMPARISON}.ALL@1000ms"})
"""Funding rates of venues side by side, of which this one is the only one here. They tick once a second."""

BOOK = "order_book"
SNAPSHOT_RATES = {"snapshot": ("50ms", "100ms"), "interactive": ("100ms", "200ms", "400ms")}
"""Feeds of whole books, and how often they may tell; ``interactive`` as seen on the venue (4.4)."""

DELTA_FEEDS = frozenset({"deltas", "interactive_deltas"})
BOOK_DEPTH = 15
"""Levels of each side in a snapshot feed, which its name says."""

PRICE_TICKS = {
    name: parse(name.replace("_", "."))
    for name in (
        "0_0000001",
        "0_0000005",
        "0_000001",
        "0_00001",
        "0_0001",
        "0_001",
        "0_01",
        "0_1",
        "1",
        "10",
        "100",
    )
}
"""Price steps by which books can be grouped, in 10⁻⁸."""


@attrs.frozen
class Channel:
    """A channel by its name, and what it tells about; of whose account is left open in a private one."""

    name: str
    topic: Topic
    private: bool = False


@attrs.frozen
class Channels:
    """The channels of an exchange with these markets.

    ``deltas_with_parameters``: whether ``order_book.X.deltas@15@50ms`` is another name of
    ``order_book.X.deltas``, or refused as on the venue.
    """

    markets: Mapping[str, Market]
    deltas_with_parameters: bool

    def read(self, name: str) -> Channel:
        """The channel of a name.

        Raises:
            RpcError: -32600 for a name that means nothing here.
        """
        family, dot, rest = name.partition(".")
        if family in PRIVATE and not dot:
            return Channel(name, Topic(family), private=True)
        if family in PRIVATE_BY_MARKET and dot:
            return Channel(name, Topic(family, self._market(rest)), private=True)
        if family in MARKET_OR_NOT:
            return Channel(name, Topic(family, self._market(rest) if dot else ALL))
        if family in BY_MARKET and dot:
            symbol = rest.removesuffix(".interactive") if family == "bbo" else rest
            return Channel(name, Topic(family, self._market(symbol)))
        if name in COMPARISONS:
            return Channel(name, Topic(COMPARISON, ALL))
        if family == BOOK and dot:
            return self._book(name, rest)
        raise refused(f"unknown channel {name[:80]!r}")

    def check_markets(self, symbols: list[str]) -> None:
        """Raises:
        RpcError: -32600 when one of them is no market here.
        """
        for symbol in symbols:
            if symbol not in self.markets:
                raise _unknown_market(symbol)

    def check_base(self, asset: str) -> None:
        """Raises:
        RpcError: -32600 when no market has this base asset.
        """
        if all(market.base != asset for market in self.markets.values()):
            raise refused(f"unknown base asset {asset[:40]!r}")

    def _market(self, symbol: str) -> str:
        if symbol != ALL and symbol not in self.markets:
            raise _unknown_market(symbol)
        return symbol

    def _book(self, name: str, rest: str) -> Channel:
        """A book channel: ``{market}.deltas`` or ``{market}.snapshot@15@100ms@0_1``."""
        symbol, _, how = rest.partition(".")
        feed, *parameters = how.split("@")
        if symbol not in self.markets:
            raise _unknown_market(symbol)
        if feed in DELTA_FEEDS:
            if parameters and not self.deltas_with_parameters:
                raise refused("no parameters expected for deltas topic.")
            if parameters:
                _read_parameters(parameters, SNAPSHOT_RATES["snapshot"], self.markets[symbol])
            return Channel(name, Topic(BOOK, symbol, book=DeltaFeed()))
        if feed not in SNAPSHOT_RATES:
            raise refused(f"unknown feed type {feed[:40]!r}")
        book = _read_parameters(parameters, SNAPSHOT_RATES[feed], self.markets[symbol])
        return Channel(name, Topic(BOOK, symbol, book=book))


def _read_parameters(parameters: list[str], rates: tuple[str, ...], market: Market) -> SnapshotFeed:
    """Depth, rate, and perhaps a price tick."""
    if not 2 <= len(parameters) <= 3 or parameters[0] != str(BOOK_DEPTH):
        raise refused(f"parameters are @{BOOK_DEPTH}@rate or @{BOOK_DEPTH}@rate@price_tick")
    if parameters[1] not in rates:
        raise refused(f"refresh rate is not one of {', '.join(rates)}")
    interval = int(parameters[1].removesuffix("ms")) / 1000
    if len(parameters) == 2:
        return SnapshotFeed(interval, None)
    tick = PRICE_TICKS.get(parameters[2], 0)
    if not tick or tick % market.tick:
        raise refused("price tick is not one of this market")
    return SnapshotFeed(interval, tick)


def refused(reason: str) -> RpcError:
    """The refusal of a subscription."""
    return RpcError(INVALID_REQUEST, "invalid subscribe request", reason)


def _unknown_market(symbol: str) -> RpcError:
    return refused(f"unknown market {symbol[:40]!r}")
