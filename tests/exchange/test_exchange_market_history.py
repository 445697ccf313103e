"""What the market remembers: bars, the past before time 0, funding."""

from collections.abc import Callable
from copy import deepcopy
from itertools import pairwise

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.fixed import SCALE, parse
from bot.exchange.instruments.markets import MARKETS, RATE_SCALE, rate, render_rate
from bot.exchange.instruments.prices import Price
from bot.exchange.market.bars import KEPT_MINUTES, MINUTE_MS, Series, longer
from bot.exchange.market.funding import LONGEST_GAP_MS, Funding, raw_rate
from bot.exchange.market.klines import PRICE_KINDS, RESOLUTIONS, Klines
from bot.exchange.market.past import PAST_MINUTES, Past, pasts_of
from bot.exchange.market.tape import Tape
from bot.exchange.matching.events import Trade

BTC = MARKETS["BTC-USD-PERP"]
OPENED_MS = 1_790_000_012_345
THIS_MINUTE = OPENED_MS - OPENED_MS % MINUTE_MS


def past(seed: str = "1 BTC-USD-PERP") -> Past:
    return Past(BTC, seed, OPENED_MS, 0.6)


def trade(at_ms: int, price: int, size: int = SCALE) -> Trade:
    return Trade("1", BTC.symbol, "BUY", price, size, at_ms, 1)


# -- bars ----------------------------------------------------------------------------------------------------

prices = st.lists(st.tuples(st.integers(0, 400_000), st.integers(1, 50)), min_size=1, max_size=40)


@given(prices, st.sampled_from(RESOLUTIONS), st.integers(0, 8 * MINUTE_MS), st.integers(0, 12 * MINUTE_MS))
def test_bars_of_any_length_hold_what_was_traded_in_them(
    gaps: list[tuple[int, int]], resolution: int, start: int, end: int
) -> None:
    """Each bar is open, high, low, close and volume of its time; without trades the last price stands."""
    series, trades, now = Series(), [], 0
    for gap, price in gaps:
        now += gap
        series.take(now, price, volume=2, value=price)
        trades.append((now, price))
    length = resolution * MINUTE_MS
    bars = list(longer(series.bars(), length, start, end))
    first = trades[0][0] - trades[0][0] % length
    assert [bar.start_ms for bar in bars] == [
        at for at in range(0, end + 1, length) if at >= max(start, first)
    ]
    for bar in bars:
        inside = [price for at, price in trades if bar.start_ms <= at < bar.start_ms + length]
        before = [price for at, price in trades if at < bar.start_ms]
        taken = inside or before[-1:]
        assert (bar.open, bar.high, bar.low, bar.close) == (taken[0], max(taken), min(taken), taken[-1])
        assert (bar.volume, bar.value) == (2 * len(inside), sum(inside))


def test_a_series_is_bounded() -> None:
    """However long the exchange runs, it remembers so many minutes and says that it forgot the others."""
    series = Series()
    for minute in range(3 * KEPT_MINUTES):
        series.take(minute * MINUTE_MS, 1)
    assert KEPT_MINUTES <= len(series.bars()) < 2 * KEPT_MINUTES
    assert series.forgot
    assert series.bars()[-1].start_ms == (3 * KEPT_MINUTES - 1) * MINUTE_MS


# -- the past ------------------------------------------------------------------------------------------------


def test_the_past_is_a_function_of_the_seed() -> None:
    """Whatever is asked for first, one seed has one past, and another seed another."""
    one, other = past(), past()
    funding, minutes, trades = one.funding(), deepcopy(one.minutes()), one.trades()
    assert (other.trades(), other.funding(), other.minutes()) == (trades, funding, minutes)
    assert past("2 BTC-USD-PERP").minutes() != minutes
    assert past("2 BTC-USD-PERP").trades() != trades


@pytest.mark.parametrize("seed", range(5))
def test_the_past_leads_to_the_opening_price(seed: int) -> None:
    """Prices of all kinds go on where the past ends, bars are whole, and the last minutes are made of trades."""
    before = past(f"{seed} BTC-USD-PERP")
    minutes = before.minutes()
    assert [minute.last.start_ms for minute in minutes] == [
        THIS_MINUTE - back * MINUTE_MS for back in range(PAST_MINUTES, 0, -1)
    ]
    for kind in PRICE_KINDS:
        bars = [getattr(minute, kind) for minute in minutes]
        assert all(
            bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in bars
        )
        assert bars[-1].close == BTC.opening_price
        assert len({bar.close for bar in bars}) > PAST_MINUTES // 2
    assert all(minute.last.close % BTC.tick == 0 < minute.last.volume for minute in minutes)
    series = Series()
    for made in before.trades():
        assert made.price % BTC.tick == 0 == made.size % BTC.step < made.size
        series.take(made.created_at_ms, made.price, made.size, made.price * made.size // SCALE)
    traded = series.bars()
    assert list(traded) == [minute.last for minute in minutes[-len(traded) :]]
    assert len({made.id for made in before.trades()}) == len(before.trades())
    assert all(len(made.id) == 28 and made.id.isdigit() for made in before.trades())


# -- tape and klines -----------------------------------------------------------------------------------------


def recorder() -> tuple[Tape, Klines]:
    pasts = pasts_of(MARKETS, 1, OPENED_MS, 0.6)
    klines = Klines(pasts)
    return Tape(pasts, klines), klines


def test_the_tape_goes_on_where_the_past_ends() -> None:
    """Trades, last price, volumes and 24-hour figures count the past and what was traded since."""
    tape, klines = recorder()
    symbol, now = BTC.symbol, OPENED_MS + 5 * MINUTE_MS
    assert tape.last(symbol) == BTC.opening_price
    day, total, past_trades = (
        tape.volume_24h(symbol, now),
        tape.total_volume(symbol),
        len(tape.trades(symbol)),
    )
    assert 0 < day < total
    made = trade(now, parse("86000"), parse("0.5"))
    tape.listen(made)
    assert tape.last(symbol) == parse("86000")
    assert tape.volume_24h(symbol, now) == day + parse("43000")
    assert tape.total_volume(symbol) == total + parse("43000")
    assert next(tape.trades(symbol).backward()) == (past_trades, made)
    [bar] = klines.query(symbol, 1, now - MINUTE_MS + 1, now, now)
    assert (bar.open, bar.high, bar.low, bar.close) == (parse("86000"),) * 4
    assert bar.volume == parse("0.5")
    tomorrow = now + 24 * 60 * MINUTE_MS
    assert tape.volume_24h(symbol, tomorrow + MINUTE_MS) == 0
    assert tape.price_24h_ago(symbol, tomorrow) == parse("86000")


@pytest.mark.parametrize("kind", PRICE_KINDS)
@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_klines_have_no_gap_from_the_past_to_now(resolution: int, kind: str) -> None:
    """Every length of the time asked for has its bar, on both sides of time 0, and none begins after now."""
    tape, klines = recorder()
    length = resolution * MINUTE_MS
    live = THIS_MINUTE + 7 * MINUTE_MS
    tape.listen(trade(live, parse("85001")))
    klines.price(BTC.symbol, Price(parse("85001"), parse("85001"), parse("85001")), live)
    now = live + 200 * MINUTE_MS
    bars = klines.query(BTC.symbol, resolution, THIS_MINUTE - 180 * MINUTE_MS, now + 10 * length, now, kind)
    starts = [bar.start_ms for bar in bars]
    assert starts == list(range(starts[0], starts[-1] + 1, length))
    assert starts[0] - length < THIS_MINUTE - 180 * MINUTE_MS <= starts[0]
    assert now - length < starts[-1] <= now
    assert bars[-1].close == parse("85001")
    assert klines.query(BTC.symbol, resolution, now + 1, now + 10 * length, now, kind) == []


def test_a_narrow_question_gets_the_price_that_stood() -> None:
    """Where nothing was traded in the time asked for, the bar is the last price before it."""
    tape, klines = recorder()
    tape.listen(trade(THIS_MINUTE + 2 * MINUTE_MS, parse("85001")))
    start = THIS_MINUTE + 50 * MINUTE_MS
    [bar] = klines.query(BTC.symbol, 1, start, start, start + MINUTE_MS)
    assert (bar.start_ms, bar.open, bar.close, bar.volume) == (start, parse("85001"), parse("85001"), 0)


def test_klines_of_an_unknown_kind_are_refused() -> None:
    """A resolution or price kind that the venue does not have is an error, not an empty list."""
    _, klines = recorder()
    with pytest.raises(ValueError, match="klines"):
        klines.query(BTC.symbol, 2, 0, 1, 1)
    with pytest.raises(ValueError, match="klines"):
        klines.query(BTC.symbol, 1, 0, 1, 1, "index")


# -- funding -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("basis", "expected"),
    [("0.0008", "0.0003"), ("0.0001", "0.0001"), ("0", "0.0001"), ("-0.0003", "0.0001"), ("-0.0008", "-0.0003"),
     ("0.9", "0.02"), ("-0.9", "-0.02")],
)  # fmt: skip
def test_the_rate_that_a_basis_makes(basis: str, expected: str) -> None:
    """Pulled towards the interest rate by at most the clamp rate, and capped (the venue's example first)."""
    assert raw_rate(BTC, rate(basis)) == rate(expected)


def new_funding() -> tuple[Funding, Callable[[int, Price], None]]:
    pasts = pasts_of(MARKETS, 1, OPENED_MS, 0.6)
    funding = Funding(MARKETS, pasts, OPENED_MS)
    return funding, lambda at_ms, price: funding.tick(BTC.symbol, price, at_ms)


def test_the_index_moves_by_the_premium_and_the_time() -> None:
    """60 s at 0.01 % of 85,000 in 8 h are 85,000 x 0.0001 x 60 / 28,800 for a unit, whatever the ticks."""
    for ticks in (2, 60):
        funding, tick = new_funding()
        before, still = (
            funding.index[BTC.symbol],
            Price(BTC.opening_price, BTC.opening_price, BTC.opening_price),
        )
        for number in range(1, ticks + 1):
            tick(OPENED_MS + number * 60_000 // ticks, still)
        assert abs(funding.index[BTC.symbol] - before - 8_5000_0000 * 60 // 28_800) <= 1
        assert funding.now(BTC.symbol).premium == parse("8.5")


def test_a_long_gap_costs_nothing() -> None:
    """After more than 30 s without prices the index does not jump; after 30 s it does."""
    for gap_ms, moves in ((LONGEST_GAP_MS, True), (LONGEST_GAP_MS + 1, False)):
        funding, tick = new_funding()
        before = funding.index[BTC.symbol]
        tick(OPENED_MS + gap_ms, Price(BTC.opening_price, BTC.opening_price, BTC.opening_price))
        assert (funding.index[BTC.symbol] != before) is moves


def test_the_rate_follows_the_basis_in_half_an_hour() -> None:
    """A step of the raw rate is half absorbed after 30 minutes of ticks."""
    funding, tick = new_funding()
    rich = Price(BTC.opening_price, BTC.opening_price * 1008 // 1000, BTC.opening_price)
    for second in range(1, 1801):
        tick(OPENED_MS + second * 1000, rich)
    expected = (rate("0.0001") + rate("0.0075")) // 2
    assert abs(funding.now(BTC.symbol).rate - expected) < expected // 1000
    assert funding.now(BTC.symbol).impact_premium_rate == rate("0.008")


def test_funding_data_go_on_where_the_past_ends() -> None:
    """A row a minute, the index never jumping, whether the past was asked for before or after they were noted."""
    histories = []
    for ask_first in (True, False):
        funding, tick = new_funding()
        if ask_first:
            funding.history(BTC.symbol)
        for second in range(1, 601):
            tick(OPENED_MS + second * 1000, Price(BTC.opening_price, BTC.opening_price, BTC.opening_price))
        histories.append(list(funding.history(BTC.symbol)))
    rows, other = histories
    assert rows == other
    assert len(rows) == PAST_MINUTES + 10
    for earlier, later in pairwise(rows):
        assert 0 < later.created_at_ms - earlier.created_at_ms <= 2 * MINUTE_MS
        per_minute = max(abs(earlier.premium), abs(later.premium)) / 480
        assert abs(later.index - earlier.index) <= 2.5 * per_minute + 1


def test_rates_are_written_plainly() -> None:
    """No exponent, no trailing zero, twelve decimals."""
    for text in ("0", "0.0001", "-0.000000000001", "1", "12.5"):
        assert render_rate(rate_of(text)) == text


def rate_of(text: str) -> int:
    whole, _, fraction = text.removeprefix("-").partition(".")
    value = int(whole) * RATE_SCALE + int(fraction.ljust(12, "0"))
    return -value if text.startswith("-") else value


def test_listed_figures_are_those_that_count() -> None:
    """What /markets says of funding is what funding is made with."""
    listing = attrs.evolve(BTC, clamp_rate=rate("0.0007")).listing()
    assert listing["clamp_rate"] == "0.0007"
    assert (listing["interest_rate"], listing["max_funding_rate"]) == ("0.0001", "0.02")
