"""What clients see of accounts and money is of the venue's form."""

import pytest
from clearing_stage import ALICE, BOB, BTC, ETH, Pit
from openapi_check import check_schema

from bot.core.fixed import parse
from bot.exchange.clearing.events import BalanceChanged, FundingPaid
from bot.exchange.identity.accounts import Account
from bot.exchange.views import account as views


@pytest.fixture
def pit() -> Pit:
    """Two accounts with a history: a long and a short position, a closed one, funding paid, a bust."""
    pit = Pit()
    for account in (ALICE, BOB):
        pit.clearing.deposit(account, parse("100000"))
    for leg in pit.legs(ALICE, BOB, parse("1"), parse("3000"), ETH):
        pit.clearing.revert(leg, pit.clearing.settle(leg).fee)
    pit.trade(ALICE, BOB, "0.3", "83000")
    pit.clearing.accrue(BTC, parse("1.25"))
    pit.trade(ALICE, BOB, "0.2", "84000.1")
    pit.trade(ALICE, BOB, "2", "3000", ETH)
    pit.trade(BOB, ALICE, "2", "3010", ETH)
    pit.check()
    return pit


def test_every_object_is_of_its_schema(pit: Pit) -> None:
    """Each view holds the members that openapi gives it, of the right types, and no others."""
    for account in (ALICE, BOB):
        summary = pit.clearing.summary(account)
        check_schema("responses.AccountSummaryResponse", views.summary_view(summary, seq_no=7))
        check_schema("responses.BalanceResp", views.balance_view(summary))
        reports = pit.clearing.position_reports(account)
        assert len(reports) == 2
        for report in reports:
            check_schema("responses.PositionResp", views.position_view(report, seq_no=7))
        held = pit.clearing.holdings(account)
        assert len(held.payments) == len(held.transfers) == len(held.busts) == 1
        for payment in held.payments:
            check_schema("responses.FundingPayment", views.funding_payment_view(payment))
        for transfer in held.transfers:
            check_schema("responses.TransferResult", views.transfer_view(transfer))
        for bust in held.busts:
            check_schema("responses.TradebustResult", views.tradebust_view(bust))
        leverages = [(BTC, pit.clearing.leverage(account, BTC))]
        check_schema("responses.GetAccountMarginConfigsResp", views.margin_configs_view(account, leverages))
        check_schema("responses.UpdateAccountMarginConfigResp", views.margin_set_view(account, BTC, 10))
        info = views.account_info_view(Account(account, 1, "0x0", 5), pit.clearing.fees(account))
        check_schema("responses.AccountInfoResponse", info)


def test_a_position_as_clients_read_it(pit: Pit) -> None:
    """Sizes and costs are signed, a closed position is LONG with size 0 and no liquidation price."""
    pit.mark("84000")
    short = views.position_view(pit.clearing.position_report(BOB, BTC), seq_no=7)
    assert short == {
        "id": "0xb0b-BTC-USD-PERP",
        "account": "0xb0b",
        "market": BTC,
        "status": "OPEN",
        "side": "SHORT",
        "size": "-0.5",
        "average_entry_price": "83400.04",
        "average_entry_price_usd": "83400.04",
        "average_exit_price": "0",
        "cost": "-41700.02",
        "cost_usd": "-41700.02",
        "leverage": "50",
        "liquidation_price": short["liquidation_price"],
        "unrealized_pnl": "-299.98",
        "unrealized_funding_pnl": "0",
        "realized_positional_pnl": "0.375",
        "realized_positional_funding_pnl": "0.375",
        "cached_funding_index": "1.25",
        "last_fill_id": "3s",
        "created_at": 1_790_000_000_000,
        "last_updated_at": 1_790_000_000_000,
        "closed_at": 0,
        "seq_no": 7,
    }
    assert 84_000 < float(short["liquidation_price"]) < 300_000
    closed = views.position_view(pit.clearing.position_report(ALICE, ETH), seq_no=8)
    assert (closed["status"], closed["side"], closed["size"]) == ("CLOSED", "LONG", "0")
    assert closed["liquidation_price"] == ""


def test_a_balance_event_shows_what_a_fill_did(pit: Pit) -> None:
    """Balance before and after differ by what was realised and the fees."""
    event = pit.told(BalanceChanged)[-1]
    shown = views.balance_event_view(event)
    numbers = {name: parse(value) for name, value in shown.items() if name.startswith(("fees", "realized"))}
    before, after = shown["settlement_asset_balance_before"], shown["settlement_asset_balance_after"]
    assert parse(after) - parse(before) == (
        numbers["realized_pnl"] + numbers["realized_funding"] - numbers["fees"]
    )
    assert shown["fill_id"] == event.fill_id


def test_a_funding_payment_of_a_long_is_negative(pit: Pit) -> None:
    """After a rise of the index the long paid and the short received the same amount."""
    paid, received = (views.funding_payment_view(payment) for payment in pit.told(FundingPaid))
    assert (paid["account"], paid["payment"]) == (hex(ALICE), "-0.375")
    assert (received["account"], received["payment"]) == (hex(BOB), "0.375")
