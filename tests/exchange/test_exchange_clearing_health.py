"""What the periodic check does to accounts in trouble."""

import pytest
import trio
from clearing_stage import ALICE, BOB, BTC, ETH, ROBOT, Pit, Resting
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from bot.core.fixed import SCALE, parse, render
from bot.exchange.clearing.events import AccountChanged, BalanceChanged, Liquidated
from bot.exchange.clearing.health import Health
from bot.exchange.clearing.liquidation import BUFFER, FEE, SHARE_INCREMENT, penalty, portion, share
from bot.exchange.identity.config import system_config
from bot.exchange.instruments.markets import MARKETS
from bot.exchange.limits import INSURANCE_FUND


class Ward:
    """A pit whose accounts are looked after."""

    def __init__(self) -> None:
        self.pit = Pit()
        self.paused = False
        self.cancelled: list[tuple[str, str, str]] = []
        self.health = Health[Resting](
            self.pit.clearing,
            MARKETS,
            lambda account: self.pit.orders.get(account, []),
            self.pit.open_orders,
            self.cancel,
            lambda: self.paused,
            self.pit.events.append,
        )

    def cancel(self, order: Resting, reason: str) -> None:
        for orders in self.pit.orders.values():
            if order in orders:
                orders.remove(order)
        side = "BUY" if order.is_buy else "SELL"
        self.cancelled.append((side, render(order.price), reason))


@pytest.fixture
def ward() -> Ward:
    return Ward()


def test_below_initial_margin_orders_that_add_risk_are_cancelled(ward: Ward) -> None:
    """The venue's example (deleveraging): long 10, the buy goes, and of the sells the most passive beyond the 10."""
    pit = ward.pit
    pit.mark("2000", ETH)
    pit.clearing.deposit(ALICE, parse("700"))
    pit.trade(ALICE, ROBOT, "10", "2000", ETH)
    for size, price in (("2", "1900"), ("-5", "2150"), ("-3", "2100"), ("-3", "2200")):
        pit.rest(ALICE, ETH, size, price)
    pit.rest(ALICE, BTC, "0.001", "80000")
    ward.health.check()
    assert not ward.cancelled
    pit.mark("1960", ETH)
    ward.health.check()
    assert sorted(ward.cancelled) == [
        ("BUY", "1900", "DELEVERAGE"),
        ("BUY", "80000", "DELEVERAGE"),
        ("SELL", "2200", "DELEVERAGE"),
    ]
    assert pit.clearing.position(ALICE, ETH).size == parse("10")


def test_a_short_position_keeps_its_most_aggressive_buys(ward: Ward) -> None:
    """Of orders that offset a short, the lowest prices are the most passive ones and go first."""
    pit = ward.pit
    pit.mark("2000", ETH)
    pit.clearing.deposit(ALICE, parse("60"))
    pit.trade(ROBOT, ALICE, "1", "2000", ETH)
    for size, price in (("0.6", "1900"), ("0.6", "1950"), ("0.4", "1990"), ("-0.1", "2100")):
        pit.rest(ALICE, ETH, size, price)
    pit.mark("2020", ETH)
    ward.health.check()
    assert sorted(ward.cancelled) == [("BUY", "1900", "DELEVERAGE"), ("SELL", "2100", "DELEVERAGE")]


def liquidated(ward: Ward) -> Ward:
    """Alice, long 1 BTC and short 10 ETH with little money, has lost most of it; Bob holds the other sides."""
    pit = ward.pit
    pit.mark("100000")
    pit.mark("2000", ETH)
    pit.clearing.deposit(ALICE, parse("4000"))
    pit.clearing.deposit(BOB, parse("1000000"))
    pit.trade(ALICE, BOB, "1", "100000")
    pit.trade(BOB, ALICE, "10", "2000", ETH)
    pit.rest(ALICE, BTC, "-1", "110000")
    pit.mark("97000")
    pit.events.clear()
    ward.health.check()
    return ward


def test_below_maintenance_a_share_of_all_positions_goes_to_the_insurance_fund(ward: Ward) -> None:
    """Orders first; then the smallest share that helps, at the mark, for a penalty. The account is healthy after it,
    nobody else is touched, and money is conserved."""
    pit = liquidated(ward).pit
    assert ward.cancelled == [("SELL", "110000", "IN_LIQUIDATION")]
    pit.check()
    size = pit.clearing.position(ALICE, BTC).size
    assert 0 < size < parse("1")
    assert pit.clearing.position(ALICE, ETH).size == -10 * size
    assert pit.clearing.position(INSURANCE_FUND, BTC).size == parse("1") - size
    assert pit.clearing.position(BOB, BTC).size == -parse("1")
    summary = pit.clearing.summary(ALICE)
    assert summary.status == "ACTIVE"
    assert summary.value * SCALE >= summary.maintenance_margin * (SCALE + BUFFER)
    btc, eth = pit.told(Liquidated)
    assert (btc.leg.account, btc.leg.market, btc.leg.price) == (ALICE, BTC, parse("97000"))
    assert btc.leg.size == size - parse("1")
    assert eth.leg.size > 0
    assert btc.settled.fee > 0
    assert list(pit.clearing.holdings(ALICE).liquidations) == [btc, eth]
    assert {event.kind for event in pit.told(BalanceChanged)} == {"TRANSACTION_LIQUIDATE"}
    ward.health.check()
    assert len(pit.told(Liquidated)) == 2


def test_nothing_is_liquidated_while_paused(ward: Ward) -> None:
    """Restricted platform modes hold liquidations off (protocol reference 1); afterwards they come."""
    ward.paused = True
    liquidated(ward)
    assert not ward.pit.told(Liquidated)
    assert ward.pit.clearing.summary(ALICE).status == "LIQUIDATION"
    ward.paused = False
    ward.health.check()
    assert ward.pit.told(Liquidated)


def test_an_account_that_lost_more_than_it_had_owes_nothing(ward: Ward) -> None:
    """All its positions go, the venue bears the rest, and the account's balance events lead to nothing owed."""
    pit = ward.pit
    pit.mark("100000")
    pit.clearing.deposit(ALICE, parse("3000"))
    pit.trade(ALICE, BOB, "1", "100000")
    before = pit.clearing.venue
    pit.mark("90000")
    ward.health.check()
    pit.check()
    assert pit.clearing.position(ALICE, BTC).size == 0
    assert pit.clearing.holdings(ALICE).cash == 0
    assert pit.clearing.venue < before
    *_, loss, relief = (event for event in pit.told(BalanceChanged) if event.account == ALICE)
    assert (loss.after, relief.after) == (relief.before, 0)
    assert (relief.fill_id, relief.realized_pnl) == ("", -loss.after)


def test_an_account_that_closed_its_positions_at_a_loss_owes_nothing(ward: Ward) -> None:
    """It has nothing left to liquidate, and the venue bears what it owes all the same."""
    pit = ward.pit
    pit.clearing.deposit(ALICE, parse("3000"))
    pit.trade(ALICE, BOB, "1", "100000")
    pit.trade(BOB, ALICE, "1", "90000")
    assert pit.clearing.summary(ALICE).status == "LIQUIDATION"
    ward.health.check()
    pit.check()
    assert (pit.clearing.summary(ALICE).status, pit.clearing.holdings(ALICE).cash) == ("ACTIVE", 0)


def test_the_venue_bears_nothing_while_profit_covers_the_debt(ward: Ward) -> None:
    """A share of the positions is liquidated, the balance stays negative, and the account is worth no more for it."""
    pit = ward.pit
    pit.mark("50000")
    pit.clearing.deposit(ALICE, parse("1100"))
    pit.trade(ALICE, ROBOT, "0.1", "50000")
    pit.trade(ALICE, ROBOT, "1", "3100", ETH)
    pit.trade(ROBOT, ALICE, "1", "1200", ETH)
    pit.mark("58200")
    before = pit.clearing.summary(ALICE)
    ward.health.check()
    pit.check()
    summary = pit.clearing.summary(ALICE)
    assert pit.clearing.position(ALICE, BTC).size > 0
    assert summary.collateral < 0 < summary.value < before.value


def test_the_figures_are_those_of_the_configuration() -> None:
    """What clients read at /system/config is what happens."""
    config = system_config()
    figures = (FEE, BUFFER, SHARE_INCREMENT)
    names = ("liquidation_fee", "partial_liquidation_buffer", "partial_liquidation_share_increment")
    assert figures == tuple(parse(config[name]) for name in names)


def test_the_share_by_hand() -> None:
    """Value 80 against 88.8: at 30 % 62.16 remain to be covered by 80 - 5.328, which is 20.1 % more; at 25 % it is
    not enough."""
    maintenance = parse("88.8")
    assert render(share(parse("80"), maintenance)) == "0.3"
    assert render(penalty(maintenance, parse("0.3"))) == "5.328"
    assert share(-1, maintenance) == SCALE


@pytest.mark.parametrize(
    ("size", "part", "step", "expected"),
    [(100, "0.05", 10, 10), (-100, "0.11", 10, -20), (7, "0.05", 10, 7), (100, "1", 10, 100)],
)
def test_a_portion_is_of_whole_steps_and_within_the_position(
    size: int, part: str, step: int, expected: int
) -> None:
    """Rounded away from zero, but never beyond what is held."""
    assert portion(size, parse(part), step) == expected


def test_an_account_hears_of_it_when_prices_change_what_it_is_worth(ward: Ward) -> None:
    """Each check tells those accounts whose figures moved since the last, and no others."""
    pit = ward.pit
    for account in (ALICE, BOB):
        pit.clearing.deposit(account, parse("100000"))
    pit.trade(ALICE, ROBOT, "0.1", "85000")
    ward.health.check()
    pit.events.clear()
    ward.health.check()
    assert not pit.told(AccountChanged)
    pit.mark("85001")
    ward.health.check()
    assert pit.told(AccountChanged) == [AccountChanged(ALICE)]
    pit.rest(BOB, BTC, "1", "80000")
    ward.health.check()
    assert pit.told(AccountChanged) == [AccountChanged(ALICE), AccountChanged(BOB)]


def test_an_account_hears_that_its_last_order_needs_no_margin_any_more(ward: Ward) -> None:
    """Without positions and orders it is told once more, with what the last check did not know."""
    pit = ward.pit
    pit.clearing.deposit(ALICE, parse("100000"))
    pit.rest(ALICE, BTC, "1", "80000")
    ward.health.check()
    pit.orders.clear()
    pit.events.clear()
    ward.health.check()
    ward.health.check()
    assert pit.told(AccountChanged) == [AccountChanged(ALICE)]


async def test_the_check_is_made_every_5_seconds(autojump_clock: MockClock, ward: Ward) -> None:
    """Not before, and again after."""
    pit, began = ward.pit, autojump_clock.current_time()
    pit.clearing.deposit(ALICE, parse("100000"))
    pit.trade(ALICE, ROBOT, "0.1", "85000")
    pit.events.clear()
    heard: list[float] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ward.health.run)
        await trio.sleep(0.5)
        for mark in range(20):
            pit.mark(str(85_000 + mark))
            await trio.sleep(1)
            if pit.events:
                heard.append(autojump_clock.current_time() - began)
                pit.events.clear()
        nursery.cancel_scope.cancel()
    assert heard == [pytest.approx(seconds) for seconds in (5.5, 10.5, 15.5, 20.5)]


amounts = st.integers(1, 10**12)


@given(
    st.lists(st.tuples(st.sampled_from([BTC, ETH]), st.booleans(), amounts), min_size=1, max_size=4),
    amounts,
    st.tuples(st.integers(50, 150), st.integers(50, 150)),
)
def test_every_account_is_healthy_after_a_check(
    trades: list[tuple[str, bool, int]], deposit: int, moves: tuple[int, int]
) -> None:
    """Whatever it held and wherever prices went: covered with the buffer, or without positions and without debt."""
    ward = Ward()
    pit = ward.pit
    pit.mark("100")
    pit.mark("100", ETH)
    pit.clearing.deposit(ALICE, deposit)
    for market, buys, size in trades:
        pair = (ALICE, ROBOT) if buys else (ROBOT, ALICE)
        for leg in pit.legs(*pair, size, parse("100"), market):
            pit.clearing.settle(leg)
    pit.mark(str(moves[0]))
    pit.mark(str(moves[1]), ETH)
    in_trouble = pit.clearing.summary(ALICE).status == "LIQUIDATION"
    holds = any(report.size for report in pit.clearing.position_reports(ALICE))
    ward.health.check()
    pit.check()
    summary = pit.clearing.summary(ALICE)
    assert summary.status == "ACTIVE"
    assert bool(pit.told(Liquidated)) == (in_trouble and holds)
    if in_trouble and summary.maintenance_margin:
        assert summary.value * SCALE >= summary.maintenance_margin * (SCALE + BUFFER) - 10 * SCALE
    assert summary.maintenance_margin or summary.collateral >= 0
