"""Public market data (protocol reference 3.1, 3.6)."""

from collections.abc import Callable

import attrs

from bot.core.fixed import render
from bot.exchange.errors import VenueError
from bot.exchange.exchange import Exchange
from bot.exchange.instruments.markets import Market, check_market
from bot.exchange.limits import DEEPEST_BOOK, LARGEST_TRADES_PAGE
from bot.exchange.market.funding import FundingPoint
from bot.exchange.market.klines import PRICE_KINDS, RESOLUTIONS
from bot.exchange.matching.book import Book
from bot.exchange.matching.events import Trade
from bot.exchange.matching.orders import BUY, SELL
from bot.exchange.rest.pages import Listed, Listing, Pager, Rows
from bot.exchange.rest.parameters import (
    LATEST_MS,
    any_market,
    invalid,
    one_of,
    positive_decimal,
    required_market,
    whole_number,
)
from bot.exchange.rest.routing import Route
from bot.exchange.transport.http import Answer, Request, json_answer
from bot.exchange.views import market as views

PERP = "PERP"
ASSET_KINDS = frozenset({PERP, "PERP_OPTION", "OPTION", "FUTURE", "SPOT"})
ALL = "ALL"

KLINES_OF = {**{kind: kind for kind in PRICE_KINDS}, "index": "underlying"}
"""What each ``price_kind`` means. The last is ccxt's name, which the specification does not have."""


@attrs.frozen
class MarketRoutes:
    """Markets, and what goes on in them."""

    exchange: Exchange
    pager: Pager

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/v1/markets", self._markets),
            Route("GET", "/v1/markets/summary", self._summary),
            Route("GET", "/v1/markets/klines", self._klines),
            Route("GET", "/v1/markets/history", self._history),
            Route("GET", "/v1/markets/settlement-price", self._settlement),
            Route("GET", "/v1/bbo/{market}", self._bbo),
            Route("GET", "/v1/bbo/{market}/interactive", self._bbo),
            Route("GET", "/v1/orderbook/{market}", self._book),
            Route("GET", "/v1/orderbook/{market}/interactive", self._book),
            Route("GET", "/v1/orderbook/{market}/impact-price", self._impact),
            Route("GET", "/v1/trades", self._trades),
            Route("GET", "/v1/funding/data", self._funding),
        ]

    def _markets(self, request: Request) -> Answer:
        wanted = any_market(request, self.exchange.markets)
        markets = self._filtered(request, lambda market: wanted in {None, market.symbol})
        return json_answer({"results": [views.listing_view(market) for market in markets]})

    def _summary(self, request: Request) -> Answer:
        wanted = request.query.get("market", "")
        if wanted != ALL:
            required_market(request, self.exchange.markets)
        for name in ("start", "end"):
            # Summaries of the past are undocumented; the times are checked, and the answer is of now.
            whole_number(request.query, name, 0, 0, LATEST_MS)
        markets = self._filtered(request, lambda market: wanted in {ALL, market.symbol})
        now_ms = self.exchange.stamps.now_ms()
        summaries = [self.exchange.summaries(market.symbol, now_ms) for market in markets]
        return json_answer({"results": [views.summary_view(summary) for summary in summaries]})

    def _klines(self, request: Request) -> Answer:
        query = request.query
        symbol = required_market(request, self.exchange.markets, "symbol")
        resolution = one_of(query, "resolution", [str(minutes) for minutes in RESOLUTIONS])
        if not resolution:
            raise invalid("resolution", "is required")
        kind = KLINES_OF[one_of(query, "price_kind", KLINES_OF) or "last"]
        start_ms = whole_number(query, "start_at", None, 0, LATEST_MS)
        end_ms = whole_number(query, "end_at", None, 0, LATEST_MS)
        if end_ms < start_ms:
            raise invalid("end_at", "is before start_at")
        now_ms = self.exchange.stamps.now_ms()
        bars = self.exchange.klines.query(symbol, int(resolution), start_ms, end_ms, now_ms, kind)
        return json_answer({"results": [views.kline_view(bar) for bar in bars]})

    def _history(self, request: Request) -> Answer:
        # No market changes here, and the venue tells of the last 7 days only.
        if request.query.get("market", "") != ALL:
            any_market(request, self.exchange.markets)
        return json_answer({"results": []})

    def _settlement(self, request: Request) -> Answer:
        symbol = required_market(request, self.exchange.markets)
        raise VenueError("MARKET_NOT_SETTLED", f"{symbol} does not expire", status=404)

    def _bbo(self, request: Request) -> Answer:
        empty = None if self.exchange.settings.empty_side == "null" else ""
        return json_answer(views.bbo_view(self._book_of(request), empty=empty))

    def _book(self, request: Request) -> Answer:
        book = self._book_of(request)
        depth = whole_number(request.query, "depth", views.DEPTH, 1, DEEPEST_BOOK)
        tick = None
        if request.query.get("price_tick"):
            tick = positive_decimal(request.query, "price_tick")
            if tick % self.exchange.markets[book.market].tick:
                raise invalid("price_tick", "is no multiple of price_tick_size")
        return json_answer(views.book_view(book, depth, tick))

    def _impact(self, request: Request) -> Answer:
        book, size = self._book_of(request), positive_decimal(request.query, "size")
        # The answer has a side, and the specification no parameter for it.
        side = one_of(request.query, "side", {BUY, SELL}) or BUY
        return json_answer(
            {
                "market": book.market,
                "side": side,
                "size": render(size),
                "impact_price": render(_impact_price(book, side, size)),
            }
        )

    def _trades(self, request: Request) -> Answer:
        query = request.query
        if query.get("baseAsset") and query.get("market"):
            raise invalid("baseAsset", "and market exclude each other")
        if query.get("baseAsset"):
            # Trades of all options of an asset: none is traded here.
            self._check_base(query["baseAsset"])
            name, rows = query["baseAsset"], Listed[Trade](())
            return self._trades_page(name, rows, query)
        symbol = required_market(request, self.exchange.markets)
        return self._trades_page(symbol, self.exchange.tape.trades(symbol), query)

    def _trades_page(self, name: str, rows: Rows[Trade], query: dict[str, str]) -> Answer:
        listing = Listing[Trade](
            f"trades {name}", lambda trade: trade.created_at_ms, largest_page=LARGEST_TRADES_PAGE
        )
        return json_answer(self.pager.page(listing, 0, rows, query).view(views.trade_view))

    def _funding(self, request: Request) -> Answer:
        symbol = required_market(request, self.exchange.markets)
        listing = Listing[FundingPoint](f"funding-data {symbol}", lambda point: point.created_at_ms)
        page = self.pager.page(listing, 0, self.exchange.funding.history(symbol), request.query)
        return json_answer(page.view(views.funding_view))

    def _book_of(self, request: Request) -> Book:
        return self.exchange.engine.books[check_market(request.params["market"], self.exchange.markets)]

    def _filtered(self, request: Request, admits: Callable[[Market], bool]) -> list[Market]:
        """The markets that ``asset_kind`` and ``base_asset`` leave (release of 2026-10-19)."""
        kind = one_of(request.query, "asset_kind", ASSET_KINDS)
        base = request.query.get("base_asset", "")
        return [
            market
            for market in self.exchange.markets.values()
            if admits(market) and base in {"", market.base} and kind in {"", PERP}
        ]

    def _check_base(self, asset: str) -> None:
        if asset not in {market.base for market in self.exchange.markets.values()}:
            raise invalid("baseAsset", "is the base of no market")


def _impact_price(book: Book, side: str, size: int) -> int:
    """The average price in 10⁻⁸ at which the book would take an order of this side and size, to its disadvantage.

    Raises:
        VenueError: INVALID_REQUEST_PARAMETER: there is not that much in the book.
    """
    missing, value = size, 0
    for price, there in book.levels(SELL if side == BUY else BUY):
        taken = min(missing, there)
        missing -= taken
        value += taken * price
        if not missing:
            return -(-value // size) if side == BUY else value // size
    raise invalid("size", "is more than the book holds")
