"""Margin: the venue's own examples, the order risk check, and what an account is told."""

import pytest
from clearing_stage import ALICE, BOB, BTC, ETH, ROBOT, Pit
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.core.fixed import SCALE, parse, render
from bot.exchange.clearing.events import PositionChanged
from bot.exchange.clearing.margin import Exposure, coarse, liquidation_price, maintenance_rate
from bot.exchange.errors import VenueError

IMF = parse("0.02")
TAKER = parse("0.00045")


@pytest.fixture
def pit() -> Pit:
    return Pit()


def test_open_size_is_the_largest_position_that_orders_can_make() -> None:
    """The venue's example (cross margin requirement): short 1, buy orders of 3, sell orders of 2 at a mark of 90,000
    need 2 % of 3 x 90,000; without fees, which the example leaves out."""
    exposure = Exposure(position=-parse("1"), mark=parse("90000"))
    exposure.add(parse("90000"), parse("3"), is_buy=True)
    exposure.add(parse("90000"), parse("2"), is_buy=False)
    assert render(coarse(exposure.initial(IMF, 0))) == "5400"


def test_an_order_is_refused_when_a_loss_leaves_too_little(pit: Pit) -> None:
    """The venue's example (risk checks): after a fall an account does not cover its margin, and may only reduce."""
    pit.clearing.deposit(ALICE, parse("2100"))
    pit.mark("100000")
    assert pit.carries(ALICE, "1", "100000")
    pit.trade(ALICE, ROBOT, "1", "100000")
    pit.mark("99500")
    summary = pit.clearing.summary(ALICE)
    assert summary.value < summary.initial_margin
    assert not pit.carries(ALICE, "0.00001", "99500")
    assert pit.carries(ALICE, "-0.5", "99500")
    assert pit.carries(ALICE, "-1", "95000"), "a reducing order needs no margin however aggressive it is"
    assert pit.carries(ALICE, "-2", "99500"), "a flip to as much on the other side adds none"
    assert not pit.carries(ALICE, "-2.1", "99500")


def test_open_orders_take_margin_until_they_are_gone(pit: Pit) -> None:
    """Orders of one side add up, orders of the other are free up to the same size, and other markets count too."""
    pit.clearing.deposit(ALICE, parse("2100"))
    pit.mark("100000")
    pit.mark("1000", ETH)
    pit.rest(ALICE, BTC, "0.9", "99000")
    assert pit.carries(ALICE, "0.1", "99000")
    assert not pit.carries(ALICE, "0.2", "99000")
    assert pit.carries(ALICE, "-0.9", "101000")
    assert pit.carries(ALICE, "5", "1000", ETH)
    assert not pit.carries(ALICE, "20", "1000", ETH)
    pit.orders.clear()
    assert pit.carries(ALICE, "20", "1000", ETH)


def test_an_aggressive_order_needs_cover_for_its_loss(pit: Pit) -> None:
    """An order at the mark and one 1 % beyond it differ by that 1 %: for sells as for buys, not for passive ones."""
    pit.mark("100000")
    needs = []
    for side, prices in (("1", (100_000, 101_000, 90_000)), ("-1", (100_000, 99_000, 110_000))):
        for price in prices:
            pit.orders.clear()
            pit.rest(ALICE, BTC, side, str(price))
            needs.append(render(pit.clearing.summary(ALICE).initial_margin))
    assert needs == ["2090", "3090", "2090"] * 2


def test_maintenance_is_half_the_net_margin_of_the_position_and_the_exit_fee(pit: Pit) -> None:
    """Long 2 at a mark of 100: 1 % and 0.045 % of 200; the initial margin is 2 % and the same fee. Orders add to the
    initial margin only."""
    pit.clearing.deposit(ALICE, parse("100"))
    pit.trade(ALICE, ROBOT, "2", "100")
    pit.mark("100")
    pit.rest(ALICE, BTC, "-1", "100")
    summary = pit.clearing.summary(ALICE)
    assert (render(summary.maintenance_margin), render(summary.initial_margin)) == ("2.09", "4.09")
    assert render(summary.value) == render(summary.collateral) == "99.91"
    assert render(summary.free_collateral) == "95.82"
    assert render(summary.cushion) == "97.82"
    pit.rest(ALICE, BTC, "1", "100")
    assert pit.clearing.summary(ALICE).maintenance_margin == summary.maintenance_margin
    # 3 held or to be held, of which 1 is still to be bought: 2 % of 300, three exits and one entry.
    assert render(pit.clearing.summary(ALICE).initial_margin) == "6.18"


def test_unrealised_profit_is_free_collateral(pit: Pit) -> None:
    """What is free is the value in excess of initial margin (openapi): profit that could open positions."""
    pit.clearing.deposit(ALICE, parse("100"))
    pit.trade(ALICE, ROBOT, "1", "100")
    pit.mark("1000")
    summary = pit.clearing.summary(ALICE)
    assert render(summary.value) == "999.955"
    assert render(summary.initial_margin) == "20.45"
    assert render(summary.free_collateral) == "979.505"


def test_running_funding_counts_in_the_value(pit: Pit) -> None:
    """What a position owes since its last fill is lost already (margin term reference, unrealized PnL)."""
    pit.clearing.deposit(ALICE, parse("100"))
    pit.mark("100")
    pit.trade(ALICE, ROBOT, "1", "100")
    pit.clearing.accrue(BTC, parse("40"))
    assert render(pit.clearing.summary(ALICE).value) == "59.955"
    assert render(pit.clearing.summary(ALICE).collateral) == "99.955"


def test_an_account_without_anything_is_active(pit: Pit) -> None:
    """A margin ratio of exactly 1 is not above it."""
    assert pit.clearing.summary(ALICE).status == "ACTIVE"


def test_an_account_below_maintenance_is_in_liquidation(pit: Pit) -> None:
    """The status says so from the first mark at which the value no longer covers it, and the reported price is it."""
    pit.clearing.deposit(ALICE, parse("3000"))
    pit.mark("100000")
    pit.trade(ALICE, ROBOT, "1", "100000")
    price = pit.clearing.position_report(ALICE, BTC).liquidation_price
    assert price is not None
    pit.prices[BTC].mark = price + 1
    assert pit.clearing.summary(ALICE).status == "ACTIVE"
    pit.prices[BTC].mark = price - 1
    assert pit.clearing.summary(ALICE).status == "LIQUIDATION"


def test_lower_leverage_needs_more_margin(pit: Pit) -> None:
    """The fraction is 1 / leverage, 2 % (50 times) unless the account chose less; positions show and tell it."""
    pit.clearing.deposit(ALICE, parse("1000"))
    pit.mark("100")
    pit.trade(ALICE, ROBOT, "10", "100")
    assert pit.clearing.leverage(ALICE, BTC) == 50
    before = pit.clearing.summary(ALICE)
    pit.events.clear()
    pit.clearing.set_leverage(ALICE, BTC, 10, "CROSS")
    pit.clearing.set_leverage(ALICE, ETH, 10, "CROSS")
    assert pit.told(PositionChanged) == [PositionChanged(ALICE, BTC)]
    after = pit.clearing.summary(ALICE)
    assert render(after.initial_margin - before.initial_margin) == "80"
    assert render(after.maintenance_margin - before.maintenance_margin) == "40"
    assert pit.clearing.position_report(ALICE, BTC).leverage == 10
    assert pit.clearing.leverage(BOB, BTC) == 50
    pit.clearing.set_leverage(ALICE, BTC, 50, "CROSS")
    assert pit.clearing.summary(ALICE) == before


@pytest.mark.parametrize(
    ("leverage", "margin_type", "code"),
    [
        (0, "CROSS", "INVALID_REQUEST_PARAMETER"),
        (51, "CROSS", "INVALID_REQUEST_PARAMETER"),
        (-1, "CROSS", "INVALID_REQUEST_PARAMETER"),
        (10, "ISOLATED", "INVALID_REQUEST_PARAMETER"),
        (1, "CROSS", "REQUEST_NOT_ALLOWED"),
    ],
)
def test_leverage_that_is_refused_changes_nothing(
    pit: Pit, leverage: int, margin_type: str, code: str
) -> None:
    """None that the market lacks, no isolated margin, and none whose margin the account does not cover."""
    pit.clearing.deposit(ALICE, parse("1000"))
    pit.mark("100")
    pit.trade(ALICE, ROBOT, "10", "100")
    before = pit.clearing.summary(ALICE)
    with pytest.raises(VenueError) as refused:
        pit.clearing.set_leverage(ALICE, BTC, leverage, margin_type)
    assert refused.value.code == code
    assert pit.clearing.summary(ALICE) == before


def test_synthetic_participants_carry_everything(pit: Pit) -> None:
    """They have no money, and no order of theirs is refused."""
    assert pit.carries(ROBOT, "300", "100000")
    assert not pit.carries(BOB, "300", "100000")


amounts = st.integers(1, 10**13)
signed = st.integers(-(10**13), 10**13)
orders = st.lists(st.tuples(amounts, amounts, st.booleans()), max_size=5)


@given(signed, amounts, orders, st.tuples(amounts, amounts))
def test_an_order_that_only_reduces_never_adds_margin(
    position: int, mark: int, resting: list[tuple[int, int, bool]], order: tuple[int, int]
) -> None:
    """Whatever rests beside it: an order against the position that fits into it with its side's others is free."""
    assume(position)
    price, size = order
    is_buy = position < 0
    exposure = Exposure(position, mark)
    for other_price, other_size, other_buys in resting:
        exposure.add(other_price, other_size, is_buy=other_buys)
    same_side = exposure.buys if is_buy else exposure.sells
    assume(same_side < abs(position))
    size = min(size, abs(position) - same_side)
    before = exposure.initial(IMF, TAKER)
    exposure.add(price, size, is_buy=is_buy)
    assert exposure.initial(IMF, TAKER) == before


@given(signed, amounts, orders, st.tuples(amounts, amounts, st.booleans()))
def test_an_order_never_lowers_the_requirement(
    position: int, mark: int, resting: list[tuple[int, int, bool]], order: tuple[int, int, bool]
) -> None:
    """More orders are never less risk, and the requirement covers the maintenance of the position."""
    exposure = Exposure(position, mark)
    for other_price, other_size, other_buys in resting:
        exposure.add(other_price, other_size, is_buy=other_buys)
    before = exposure.initial(IMF, TAKER)
    assert before >= exposure.maintenance(IMF, TAKER)
    price, size, is_buy = order
    exposure.add(price, size, is_buy=is_buy)
    assert exposure.initial(IMF, TAKER) >= before


@given(
    st.integers(1, 10**12).flatmap(lambda size: st.sampled_from([size, -size])),
    st.integers(10**6, 10**14),
    st.integers(0, 10**16),
)
def test_the_liquidation_price_is_where_the_cushion_is_gone(size: int, mark: int, cushion: int) -> None:
    """At that price nothing is short yet, one unit beyond it more than the cushion is."""
    rate = maintenance_rate(IMF, TAKER)
    price = liquidation_price(size, mark, cushion, rate)
    toward_loss = -1 if size > 0 else 1

    def left(at: int) -> int:
        """The cushion at a price, in 10⁻²⁴."""
        worth = size * (at - mark) * SCALE - abs(size) * rate * (at - mark)
        return cushion * SCALE**2 + worth

    if price is None:
        assert size > 0
        assert left(1) >= 0
    else:
        assert left(price) >= 0
        assert left(price + toward_loss) < 0
