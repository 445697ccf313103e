"""Positions, fees and funding, in examples that can be followed by hand."""

import attrs
import pytest
from clearing_stage import ALICE, BOB, BTC, CAROL, ETH, ROBOT, Pit

from bot.core.fixed import parse, render
from bot.exchange.clearing.events import AccountChanged, BalanceChanged, FundingPaid, PositionChanged
from bot.exchange.clearing.reports import PositionReport
from bot.exchange.event import Event

DAY_NS = 86_400 * 10**9


@pytest.fixture
def pit() -> Pit:
    return Pit()


def shown(report: PositionReport, *fields: str) -> list[str]:
    return [render(getattr(report, field)) for field in fields]


def test_a_position_averages_its_entries_and_realises_on_what_closes(pit: Pit) -> None:
    """Adding moves the average entry; reducing leaves it and realises the difference on the closed part only."""
    pit.trade(ALICE, BOB, "1", "100")
    pit.trade(ALICE, BOB, "3", "120")
    assert shown(pit.clearing.position_report(ALICE, BTC), "size", "average_entry_price", "cost") == [
        "4",
        "115",
        "460",
    ]
    bought, sold = pit.trade(BOB, ALICE, "1", "130")
    assert render(sold.realized_pnl) == "15"
    assert render(bought.realized_pnl) == "-15"
    report = pit.clearing.position_report(ALICE, BTC)
    assert shown(report, "size", "average_entry_price", "average_exit_price", "realized_pnl") == [
        "3",
        "115",
        "130",
        "15",
    ]


def test_a_short_position_has_negative_cost_and_profits_from_a_fall(pit: Pit) -> None:
    """Size and cost of a short are negative, its entry positive; below the entry it is in profit."""
    pit.trade(ALICE, BOB, "2", "100")
    pit.mark("90")
    report = pit.clearing.position_report(BOB, BTC)
    assert shown(report, "size", "average_entry_price", "cost", "unrealized_pnl") == [
        "-2",
        "100",
        "-200",
        "20",
    ]


def test_a_flip_closes_one_position_and_opens_another_at_the_price_of_the_fill(pit: Pit) -> None:
    """Selling 5 out of a long of 2 realises the 2 and leaves a short of 3, new from its entry to its exits."""
    pit.trade(ALICE, BOB, "3", "100")
    pit.trade(BOB, ALICE, "1", "105")
    pit.clock.ns += 10**9
    _, sold = pit.trade(BOB, ALICE, "5", "110")
    assert render(sold.realized_pnl) == "20"
    report = pit.clearing.position_report(ALICE, BTC)
    assert shown(report, "size", "average_entry_price", "average_exit_price", "cost", "realized_pnl") == [
        "-3",
        "110",
        "0",
        "-330",
        "0",
    ]
    assert report.opened_at_ms == report.updated_at_ms == pit.clock.ns // 10**6
    assert report.closed_at_ms == 0


def test_a_closed_position_stays_listed_with_size_0(pit: Pit) -> None:
    """It costs nothing, keeps its last fill and average exit, and says when it closed; realised figures are reset."""
    pit.trade(ALICE, BOB, "1", "100")
    pit.clock.ns += 10**9
    pit.trade(BOB, ALICE, "0.4", "110")
    pit.trade(BOB, ALICE, "0.6", "120")
    (report,) = pit.clearing.position_reports(ALICE)
    assert shown(
        report, "size", "cost", "average_entry_price", "average_exit_price", "realized_pnl", "unrealized_pnl"
    ) == ["0", "0", "0", "116", "0", "0"]
    assert report.closed_at_ms == pit.clock.ns // 10**6
    assert report.last_fill_id == "3s"
    assert report.liquidation_price is None


def test_reopening_starts_a_position_anew(pit: Pit) -> None:
    """What follows a close has its own opening time and no exits."""
    pit.trade(ALICE, BOB, "1", "100")
    pit.trade(BOB, ALICE, "1", "110")
    pit.clock.ns += 5 * 10**9
    pit.trade(ALICE, BOB, "1", "50")
    report = pit.clearing.position_report(ALICE, BTC)
    assert shown(report, "average_entry_price", "average_exit_price") == ["50", "0"]
    assert (report.opened_at_ms, report.closed_at_ms) == (pit.clock.ns // 10**6, 0)


def test_who_never_traded_has_an_empty_position_and_none_listed(pit: Pit) -> None:
    """Asking for a position does not make one."""
    assert pit.clearing.position(ALICE, BTC).size == 0
    assert pit.clearing.position_report(ALICE, BTC).size == 0
    assert pit.clearing.position_reports(ALICE) == []


def test_the_fees_of_the_table(pit: Pit) -> None:
    """Pro: 0.003 % as maker, 0.045 % as taker of size times price; Retail and synthetic participants pay nothing."""
    taker, maker = pit.trade(ALICE, BOB, "0.5", "80000")
    assert (render(taker.fee), render(maker.fee)) == ("18", "1.2")
    bought, sold = pit.legs(ALICE, ROBOT, parse("0.5"), parse("80000"))
    assert pit.clearing.settle(attrs.evolve(bought, retail=True)).fee == 0
    assert pit.clearing.settle(sold).fee == 0
    assert render(pit.clearing.holdings(ALICE).cash) == "-18"
    assert pit.clearing.venue == parse("19.2") * 10**8


def test_a_fee_is_rounded_up(pit: Pit) -> None:
    """The smallest taker fill still costs a unit."""
    bought, sold = pit.legs(ALICE, BOB, 1, 1)
    assert pit.clearing.settle(bought).fee == 1
    assert pit.clearing.settle(sold).fee == 1


def test_a_fast_fill_costs_30_percent_less_but_never_below_the_floor(pit: Pit) -> None:
    """A Pro order that takes from a passive Retail one pays 0.0315 %; makers get no such discount."""
    bought, sold = pit.legs(ALICE, BOB, parse("1"), parse("1000"))
    assert render(pit.clearing.settle(attrs.evolve(bought, fast=True)).fee) == "0.315"
    assert render(pit.clearing.settle(attrs.evolve(sold, fast=True)).fee) == "0.03"


@pytest.mark.parametrize(
    ("traded", "rate", "tier"),
    [
        ("0", "0.00045", "Pro 0"),
        ("999999", "0.00045", "Pro 0"),
        ("1000000", "0.00042", "Pro 1"),
        ("5000000", "0.00039", "Pro 2"),
        ("10000000", "0.00037", "Pro 3"),
        ("25000000", "0.00035", "Pro 4"),
    ],
)
def test_the_taker_fee_falls_with_the_volume(pit: Pit, traded: str, rate: str, tier: str) -> None:
    """The volume of 14 days before a fill, maker and taker, decides its rate."""
    if traded != "0":
        pit.trade(BOB, ALICE, "1", traded)
    fees = pit.clearing.fees(ALICE)
    assert (render(fees.taker_rate), fees.tier, render(fees.volume)) == (rate, tier, traded)
    assert pit.trade(ALICE, CAROL, "1", "100000")[0].fee == parse(rate) * 100_000


def test_volume_is_forgotten_after_14_days(pit: Pit) -> None:
    """What was traded on a day counts on that day and the 13 after it."""
    pit.trade(ALICE, BOB, "1", "2000000")
    pit.clock.ns += 13 * DAY_NS
    pit.trade(ALICE, BOB, "1", "3")
    assert render(pit.clearing.fees(ALICE).volume) == "2000003"
    pit.clock.ns += DAY_NS
    assert render(pit.clearing.fees(ALICE).volume) == "3"
    pit.clock.ns += 100 * DAY_NS
    assert pit.clearing.fees(ALICE).volume == 0


def test_funding_is_paid_when_a_fill_changes_the_position(pit: Pit) -> None:
    """Longs pay a rise of the index and shorts receive it: first unrealised, with the next fill as a payment."""
    pit.trade(ALICE, BOB, "2", "100")
    pit.clearing.accrue(BTC, parse("1.5"))
    pit.mark("100")
    running = pit.clearing.position_report(ALICE, BTC)
    assert shown(running, "unrealized_funding", "unrealized_pnl", "funding_index") == ["-3", "-3", "0"]
    assert not pit.told(FundingPaid)

    bought, sold = pit.trade(ALICE, BOB, "1", "100")
    assert (render(bought.realized_funding), render(sold.realized_funding)) == ("-3", "3")
    assert bought.realized_pnl == 0
    paid, received = pit.told(FundingPaid)
    assert (paid.account, render(paid.payment), render(paid.index), paid.fill_id) == (
        ALICE,
        "-3",
        "1.5",
        "2b",
    )
    assert (received.account, render(received.payment)) == (BOB, "3")
    after = pit.clearing.position_report(ALICE, BTC)
    assert shown(after, "unrealized_funding", "funding_index", "realized_funding", "realized_pnl") == [
        "0",
        "1.5",
        "-3",
        "-3",
    ]


def test_funding_of_one_market_is_not_anothers(pit: Pit) -> None:
    """An index moves the positions of its own market only."""
    pit.trade(ALICE, BOB, "2", "100", BTC)
    pit.trade(ALICE, BOB, "2", "100", ETH)
    pit.clearing.accrue(ETH, parse("1"))
    assert pit.trade(ALICE, BOB, "1", "100", BTC)[0].realized_funding == 0
    assert render(pit.trade(ALICE, BOB, "1", "100", ETH)[0].realized_funding) == "-2"


def test_what_a_fill_tells(pit: Pit) -> None:
    """Each side that is not synthetic hears of its balance, its position and its account."""
    pit.clearing.deposit(ALICE, parse("1000"))
    assert pit.told(AccountChanged) == [AccountChanged(ALICE)]
    pit.events.clear()
    pit.trade(ALICE, ROBOT, "1", "100")
    assert pit.events == [
        BalanceChanged(
            kind="TRANSACTION_FILL",
            account=ALICE,
            market=BTC,
            fill_id="1b",
            fees=parse("0.045"),
            realized_pnl=0,
            realized_funding=0,
            funding_index=0,
            before=parse("1000"),
            after=parse("999.955"),
            created_at_ms=pit.clock.ns // 10**6,
        ),
        PositionChanged(ALICE, BTC),
        AccountChanged(ALICE),
    ]


def test_the_books_are_complete_when_a_fill_is_told(pit: Pit) -> None:
    """Who asks for the position while it is being told of a fill finds the fill in it, and in the balance."""
    seen: list[tuple[str, str, str]] = []

    def look(event: Event) -> None:
        if isinstance(event, (PositionChanged, BalanceChanged)):
            report = pit.clearing.position_report(event.account, BTC)
            cash = pit.clearing.summary(event.account).collateral
            seen.append((report.last_fill_id, render(report.size), render(cash)))

    pit.listeners.append(look)
    pit.trade(ALICE, ROBOT, "1", "100")
    pit.clearing.liquidate(ALICE, BTC, parse("0.5"), parse("2"))
    liquidation_id = pit.clearing.position(ALICE, BTC).last_fill_id
    pnl = (pit.prices[BTC].mark - parse("100")) // 2
    after = render(pnl - parse("2.045"))
    assert seen == [("1b", "1", "-0.045")] * 2 + [(liquidation_id, "0.5", after)] * 2


def test_a_deposit_is_a_transfer(pit: Pit) -> None:
    """It is credited at once, remembered, and must be positive."""
    transfer = pit.clearing.deposit(ALICE, parse("12.5"))
    assert render(pit.clearing.summary(ALICE).collateral) == "12.5"
    assert list(pit.clearing.holdings(ALICE).transfers) == [transfer]
    for amount in (0, -1):
        with pytest.raises(ValueError, match="deposit"):
            pit.clearing.deposit(ALICE, amount)
    assert list(pit.clearing.holdings(ALICE).transfers) == [transfer]


def test_a_bust_gives_back_the_fee_and_the_position(pit: Pit) -> None:
    """With both sides of a fill reverted, cash, positions and the venue's money are as before it."""
    legs = pit.legs(ALICE, BOB, parse("2"), parse("100"))
    fees = [pit.clearing.settle(leg).fee for leg in legs]
    for leg, fee in zip(legs, fees, strict=True):
        pit.clearing.revert(leg, fee)
    pit.check()
    assert pit.clearing.venue == 0
    for account, fill_id in ((ALICE, "1b"), (BOB, "1s")):
        held = pit.clearing.holdings(account)
        assert (held.cash, pit.clearing.position(account, BTC).size) == (0, 0)
        assert [bust.fill_id for bust in held.busts] == [fill_id]
