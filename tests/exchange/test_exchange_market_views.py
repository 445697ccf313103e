"""What clients see of the markets is of the venue's form, and says what is."""

from itertools import islice

import pytest
import trio
from exchange_stage import StageClock
from openapi_check import check_schema
from stream_check import check_update

from bot.core.fixed import SCALE, parse, render
from bot.exchange.exchange import Exchange
from bot.exchange.instruments.markets import MARKETS, rate
from bot.exchange.market.bars import Bar
from bot.exchange.market.summary import Summary
from bot.exchange.matching.book import Book, Level
from bot.exchange.matching.orders import BUY, LIMIT, SELL, Order
from bot.exchange.settings import ExchangeSettings
from bot.exchange.views import market as views
from bot.simulation.world import run

BTC = "BTC-USD-PERP"
SYMBOLS = sorted(MARKETS)

SUMMARY = Summary(
    symbol=BTC,
    created_at_ms=1_790_000_000_000,
    mark=parse("85000.12345678"),
    underlying=parse("84990"),
    fair=parse("85001"),
    last=parse("84999.9"),
    bid=(parse("84999.8"), parse("0.5")),
    ask=None,
    volume_24h=parse("1234567.89"),
    total_volume=parse("99999999"),
    open_interest=parse("12.5"),
    price_24h_ago=parse("80000"),
    funding_rate=rate("0.00010001"),
)


def book(bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> Book:
    """A book with one order at each price."""
    made = Book(BTC, seq_no=7, updated_at_ms=5)
    for side, levels in ((BUY, bids), (SELL, asks)):
        for number, (price, size) in enumerate(levels):
            made.rest(
                Order(
                    id=f"{side}{number}",
                    account=1,
                    client_id="",
                    market=BTC,
                    side=side,
                    type=LIMIT,
                    instruction="GTC",
                    price=parse(price),
                    size=parse(size),
                    stp="EXPIRE_TAKER",
                    flags=(),
                    signed_at_ms=0,
                    received_at_ms=0,
                    created_at_ms=0,
                    updated_at_ms=0,
                    remaining=parse(size),
                )
            )
    return made


def test_every_object_is_of_its_schema() -> None:
    """Each view holds the members that openapi and asyncapi give it, of the right types, and no others."""

    async def look() -> None:
        await trio.lowlevel.checkpoint()
        exchange = Exchange(ExchangeSettings(), StageClock(), verify=False)
        for symbol, market in MARKETS.items():
            live = exchange.engine.books[symbol]
            check_schema("responses.MarketResp", views.listing_view(market))
            check_schema("responses.BBOResp", views.bbo_view(live))
            check_update(f"bbo.{symbol}", views.bbo_view(live))
            check_schema("responses.AskBidArray", views.book_view(live))
            check_schema("responses.AskBidArray", views.book_view(Book(symbol)))
            summary = views.summary_view(exchange.summaries(symbol, exchange.stamps.now_ms()))
            check_schema("responses.MarketSummaryResp", summary)
            check_update(f"markets_summary.{symbol}", summary)
            for _, trade in islice(exchange.tape.trades(symbol).backward(), 2):
                check_schema("responses.TradeResult", views.trade_view(trade))
                check_update(f"trades.{symbol}", views.trade_view(trade))
            for point in [exchange.funding.now(symbol), next(exchange.funding.history(symbol).backward())[1]]:
                check_schema("responses.FundingDataResult", views.funding_view(point))
                check_update(f"funding_data.{symbol}", views.funding_view(point))

    run(look, seed=0)


def test_a_summary_as_clients_read_it() -> None:
    """Plain decimals; the change is a part of the price 24 hours ago; an empty side is empty texts."""
    seen = views.summary_view(SUMMARY)
    assert {
        name: seen[name] for name in ("mark_price", "bid", "bid_size", "ask", "ask_size", "funding_rate")
    } == {
        "mark_price": "85000.12345678",
        "bid": "84999.8",
        "bid_size": "0.5",
        "ask": "",
        "ask_size": "",
        "funding_rate": "0.00010001",
    }
    assert seen["price_change_rate_24h"] == "0.062498"
    assert seen["external_fair_price"] == "85001"
    assert seen["greeks"]["delta"] == seen["delta"] == "1"


def test_a_book_as_clients_read_it() -> None:
    """The best levels, best first, as many as asked for, and the touch whatever the steps are."""
    made = book(
        [("100.1", "1"), ("99.9", "2"), ("99.4", "4")], [("100.3", "1"), ("100.9", "2"), ("101.2", "4")]
    )
    seen = views.book_view(made, depth=2)
    assert seen["bids"] == [["100.1", "1"], ["99.9", "2"]]
    assert seen["asks"] == [["100.3", "1"], ["100.9", "2"]]
    assert (seen["seq_no"], seen["last_updated_at"], seen["market"]) == (7, 5, BTC)
    for which in ("api", "interactive"):
        assert seen[f"best_bid_{which}"] == ["100.1", "1"]
        assert seen[f"best_ask_{which}"] == ["100.3", "1"]
    wide = views.book_view(made, price_tick=parse("1"))
    assert wide["bids"] == [["100", "1"], ["99", "6"]]
    assert wide["asks"] == [["101", "3"], ["102", "4"]]
    assert wide["best_ask_api"] == ["100.3", "1"]
    assert views.best_levels(made, BUY, 1, parse("1")) == [Level(parse("100"), parse("1"))]


def test_an_empty_side_is_shown_as_the_setting_says() -> None:
    """Empty texts or null in a BBO; empty lists in a book."""
    made = book([], [("100.3", "1")])
    assert views.bbo_view(made)["bid"] == views.bbo_view(made)["bid_size"] == ""
    assert views.bbo_view(made, empty=None)["bid_size"] is None
    assert views.bbo_view(made)["ask"] == "100.3"
    assert views.book_view(made)["best_bid_api"] == views.book_view(made)["bids"] == []


def test_a_kline_as_clients_read_it() -> None:
    """Six numbers that read back as exactly what they were."""
    bar = Bar(
        60_000, parse("85000.1"), parse("85000.30000001"), parse("0.1"), parse("85000.2"), parse("1.00001")
    )
    row = views.kline_view(bar)
    assert row == [60_000, 85000.1, 85000.30000001, 0.1, 85000.2, 1.00001]
    assert [round(number * SCALE) for number in row[1:]] == [
        bar.open,
        bar.high,
        bar.low,
        bar.close,
        bar.volume,
    ]


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_listing_says_what_the_market_does(symbol: str) -> None:
    """Tick, step and limits are those that orders are held to; nothing of an option is said of a perpetual."""
    market, seen = MARKETS[symbol], views.listing_view(MARKETS[symbol])
    assert (seen["price_tick_size"], seen["order_size_increment"]) == (
        render(market.tick),
        render(market.step),
    )
    assert seen["min_notional"] == "10"
    assert seen["max_slippage"] == "0.001"
    assert seen["price_bands_width"] == "0.05"
    assert seen["funding_period_hours"] == 8
    assert not {"option_type", "option_cross_margin_params"} & set(seen)
