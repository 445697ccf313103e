"""What accounts, positions and money look like to clients (protocol reference 3.6, 4.3).

``seq_no`` is the transport's everywhere: REST and WebSocket number independently.
"""

from collections.abc import Iterable
from typing import Any

from bot.core.fixed import render
from bot.exchange.clearing.events import BalanceChanged, Busted, FundingPaid, Liquidated
from bot.exchange.clearing.reports import Fees, PositionReport, Summary, Transfer
from bot.exchange.identity.accounts import Account
from bot.exchange.identity.config import USDC_ADDRESS

USDC = "USDC"


def summary_view(summary: Summary, *, seq_no: int) -> dict[str, Any]:
    """An AccountSummary."""
    return {
        "account": hex(summary.account),
        "status": summary.status,
        "seq_no": seq_no,
        "account_value": render(summary.value),
        "total_collateral": render(summary.collateral),
        "free_collateral": render(summary.free_collateral),
        "initial_margin_requirement": render(summary.initial_margin),
        "maintenance_margin_requirement": render(summary.maintenance_margin),
        "margin_cushion": render(summary.cushion),
        "settlement_asset": USDC,
        "last_seen_notification": 0,
        "updated_at": summary.updated_at_ms,
    }


def account_info_view(account: Account, fees: Fees) -> dict[str, Any]:
    """An AccountInfoResponse of a main account. Spot and options are not traded here, and have no rates."""
    return {
        "account": hex(account.address),
        "created_at": account.onboarded_at_ms,
        "derivation_path": "",
        "fees": {
            "maker_rate": render(fees.maker_rate),
            "taker_rate": render(fees.taker_rate),
            "commission_rate": "0",
            "discount_rate": "0",
            "dated_option_maker_rate": "0",
            "dated_option_taker_rate": "0",
            "perp_option_maker_rate": "0",
            "perp_option_taker_rate": "0",
            "spot_maker_rate": "0",
            "spot_taker_rate": "0",
        },
        "has_ecosystem_nft": False,
        "isolated_market": "",
        "kind": "main",
        "parent_account": "",
        "public_key": hex(account.public_key),
        "username": "",
        "volume_tiers": {"pro": {"tier": fees.tier, "volume": render(fees.volume)}},
    }


def position_view(position: PositionReport, *, seq_no: int) -> dict[str, Any]:
    """A PositionResp. A closed position is LONG with size 0; where nothing would liquidate it the price is empty."""
    liquidation = position.liquidation_price
    entry = render(position.average_entry_price)
    cost = render(position.cost)
    return {
        "id": f"{position.account:#x}-{position.market}",
        "account": hex(position.account),
        "market": position.market,
        "status": "OPEN" if position.size else "CLOSED",
        "side": "SHORT" if position.size < 0 else "LONG",
        "size": render(position.size),
        "average_entry_price": entry,
        "average_entry_price_usd": entry,
        "average_exit_price": render(position.average_exit_price),
        "cost": cost,
        "cost_usd": cost,
        "leverage": str(position.leverage),
        "liquidation_price": "" if liquidation is None else render(liquidation),
        "unrealized_pnl": render(position.unrealized_pnl),
        "unrealized_funding_pnl": render(position.unrealized_funding),
        "realized_positional_pnl": render(position.realized_pnl),
        "realized_positional_funding_pnl": render(position.realized_funding),
        "cached_funding_index": render(position.funding_index),
        "last_fill_id": position.last_fill_id,
        "created_at": position.opened_at_ms,
        "last_updated_at": position.updated_at_ms,
        "closed_at": position.closed_at_ms,
        "seq_no": seq_no,
    }


def balance_view(summary: Summary) -> dict[str, Any]:
    """The BalanceResp of the settlement asset, which is worth 1 USD here."""
    size = render(summary.collateral)
    return {
        "token": USDC,
        "size": size,
        "cost": size,
        "cost_usd": size,
        "average_entry_price": "1",
        "average_entry_price_usd": "1",
        "last_updated_at": summary.updated_at_ms,
    }


def balance_event_view(event: BalanceChanged) -> dict[str, Any]:
    """A balance event of a fill or a liquidation."""
    return {
        "type": event.kind,
        "status": "ON_BLOCKCHAIN",
        "fill_id": event.fill_id,
        "market": event.market,
        "fees": render(event.fees),
        "realized_pnl": render(event.realized_pnl),
        "realized_funding": render(event.realized_funding),
        "funding_index": render(event.funding_index),
        "settlement_asset_name": USDC,
        "settlement_asset_address": USDC_ADDRESS,
        "settlement_asset_price": "1",
        "settlement_asset_balance_before": render(event.before),
        "settlement_asset_balance_after": render(event.after),
        "created_at": event.created_at_ms,
    }


def funding_payment_view(payment: FundingPaid) -> dict[str, Any]:
    """A FundingPayment. The venue does not say which sign is whose: positive is what the account received."""
    return {
        "id": payment.id,
        "account": hex(payment.account),
        "market": payment.market,
        "payment": render(payment.payment),
        "index": render(payment.index),
        "fill_id": payment.fill_id,
        "created_at": payment.created_at_ms,
    }


def tradebust_view(bust: Busted) -> dict[str, Any]:
    """A TradebustResult."""
    return {"account": hex(bust.account), "busted_fill_id": bust.fill_id, "created_at": bust.created_at_ms}


def liquidation_view(liquidated: Liquidated) -> dict[str, Any]:
    """A LiquidationResp. There is no chain and no transaction: the id is the fill's."""
    return {"id": liquidated.leg.fill_id, "created_at": liquidated.created_at_ms}


def transfer_view(transfer: Transfer) -> dict[str, Any]:
    """A TransferResult: deposits, complete as soon as they exist. There are no other chains, hence no hashes."""
    return {
        "id": transfer.id,
        "account": hex(transfer.account),
        "kind": "DEPOSIT",
        "direction": "IN",
        "status": "COMPLETED",
        "amount": render(transfer.amount),
        "token": USDC,
        "created_at": transfer.created_at_ms,
        "last_updated_at": transfer.created_at_ms,
        "counterparty": "",
        "txn_hash": "",
        "bridge": "",
        "external_account": "",
        "external_chain": "",
        "external_txn_hash": "",
        "failure_reason": "",
        "auto_withdrawal_fee": "0",
        "socialized_loss_factor": "0",
        "vault_address": "",
        "vault_unwind_completion_percentage": "",
    }


def margin_configs_view(account: int, leverages: Iterable[tuple[str, int]]) -> dict[str, Any]:
    """A GetAccountMarginConfigsResp, of markets and their leverages."""
    return {
        "account": hex(account),
        "margin_methodology": "cross_margin",
        "configs": [
            {"market": market, "leverage": leverage, "margin_type": "CROSS", "isolated_margin_leverage": 0}
            for market, leverage in leverages
        ],
    }


def margin_set_view(account: int, market: str, leverage: int) -> dict[str, Any]:
    """An UpdateAccountMarginConfigResp."""
    return {"account": hex(account), "market": market, "leverage": leverage, "margin_type": "CROSS"}
