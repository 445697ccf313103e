"""What the venue answers, as far as the bot reads it (protocol reference 3.3, 3.6).

Unknown fields are ignored, and texts that may get new values stay texts: a reader that dies of a new enum
value would take the connection with it.
"""

import attrs
import msgspec

from bot.core.fixed import parse
from bot.paradex.address import AccountClasses, from_hex

UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)
"""What decoding JSON raises: malformed or of another shape, numbers and text that cannot be, nested too deep."""


@attrs.frozen(kw_only=True)
class EmptyAnswer:
    """Nothing, and whatever else a success without a body may carry."""


@attrs.frozen(kw_only=True)
class SystemTime:
    server_time: str | int
    """Unix ms. The specification says text; a bare integer has been seen."""


@attrs.frozen(kw_only=True)
class SystemState:
    status: str
    """``ok``, ``maintenance``, ``cancel_only`` or ``post_only``; and whatever else it may become."""


@attrs.frozen(kw_only=True)
class SystemConfig:
    starknet_chain_id: str
    paraclear_account_hash: str
    paraclear_account_proxy_hash: str

    @property
    def account_classes(self) -> AccountClasses:
        """What accounts are made of here. Raises ValueError where a hash cannot be read."""
        return AccountClasses(
            proxy=from_hex(self.paraclear_account_proxy_hash), account=from_hex(self.paraclear_account_hash)
        )


@attrs.frozen(kw_only=True)
class Jwt:
    jwt_token: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class MarketInfo:
    """Whatever an odd market lacks must not hide the others."""

    symbol: str | None = None
    price_tick_size: str | None = None
    order_size_increment: str | None = None
    min_notional: str | None = None
    max_order_size: str | None = None


@attrs.frozen(kw_only=True)
class MarketsAnswer:
    results: list[MarketInfo]


@attrs.frozen(kw_only=True)
class Bbo:
    """Best bid and offer, as decimal text; an empty side is empty text or null."""

    market: str
    bid: str | None = None
    ask: str | None = None


@attrs.frozen(kw_only=True)
class RequestInfo:
    """What became of the last request to modify an order; its status is PENDING, PROCESSED, REJECTED or SUCCESS."""

    id: str | None = None
    request_type: str | None = None
    status: str | None = None
    message: str | None = None


@attrs.frozen(kw_only=True)
class OrderReport:
    """What the venue says of an order, in a REST body as in the orders channel. Times are unix ms.

    ``seq_no`` rises with each update, within one transport only (protocol reference 3.3).
    """

    id: str
    market: str
    status: str
    client_id: str | None = None
    side: str | None = None
    type: str | None = None
    instruction: str | None = None
    flags: tuple[str, ...] | None = None
    price: str | None = None
    size: str | None = None
    remaining_size: str | None = None
    avg_fill_price: str | None = None
    """Empty or 0 while nothing is filled."""

    cancel_reason: str | None = None
    request_info: RequestInfo | None = None
    timestamp: int | None = None
    """When it was signed, by our own clock's word."""

    created_at: int | None = None
    last_updated_at: int | None = None
    """Stands still once the order is closed."""

    received_at: int | None = None
    published_at: int | None = None
    seq_no: int | None = None


@attrs.frozen(kw_only=True)
class OrdersAnswer:
    results: list[OrderReport]


@attrs.frozen(kw_only=True)
class OrderPage:
    results: list[OrderReport]
    next: str | None = None
    """Asks for the page after this one; nothing on the last."""


@attrs.frozen(kw_only=True)
class ItemError:
    """One order of a batch that was not taken."""

    error: str | None = None
    message: str | None = None


@attrs.frozen(kw_only=True)
class BatchAnswer:
    """Those orders of a batch that were taken, and why others were not: which, see `bot.paradex.batch`."""

    orders: list[OrderReport] | None = None
    errors: list[ItemError] | None = None


@attrs.frozen(kw_only=True)
class CancelResult:
    """What became of one cancel of a batch: QUEUED_FOR_CANCELLATION, ALREADY_CLOSED or NOT_FOUND.

    Of what was not found there is only the id that it was asked for by.
    """

    status: str
    id: str | None = None
    client_id: str | None = None
    market: str | None = None


@attrs.frozen(kw_only=True)
class CancelsAnswer:
    results: list[CancelResult]


@attrs.frozen(kw_only=True)
class PlacedOrder:
    """The result of a call that places or modifies an order, and one of those in the result of a batch."""

    order: OrderReport
    created_at: int | None = None
    """When the matching engine took it, unix ms."""

    received_at: int | None = None
    """When it came, unix ns."""


@attrs.frozen(kw_only=True)
class PlacedItem:
    """One order of a batch: ``order``, or in words without a code why there is none."""

    order: OrderReport | None = None
    error: str | None = None


@attrs.frozen(kw_only=True)
class PlacedBatch:
    """In the order in which they were sent."""

    results: list[PlacedItem]


@attrs.frozen(kw_only=True)
class CancelQueued:
    """``status`` is QUEUED_FOR_CANCELLATION."""

    order_id: str | None = None
    status: str | None = None


@attrs.frozen(kw_only=True)
class FillReport:
    """One fill of the account's, in a REST body as in the fills channel. ``created_at`` is in unix ms.

    ``side`` is documented as the taker's, and read as the account's own by everybody: believe the order.
    """

    id: str
    """Unique among those of its ``fill_type`` only."""

    market: str
    fill_type: str | None = None
    order_id: str | None = None
    client_id: str | None = None
    side: str | None = None
    liquidity: str | None = None
    size: str | None = None
    price: str | None = None
    remaining_size: str | None = None
    """What was left of the order after it."""

    fee: str | None = None
    fee_currency: str | None = None
    realized_pnl: str | None = None
    realized_funding: str | None = None
    underlying_price: str | None = None
    flags: tuple[str, ...] | None = None
    orderbook_seq_no: int | None = None
    created_at: int | None = None


@attrs.frozen(kw_only=True)
class FillPage:
    results: list[FillReport]
    next: str | None = None
    """Asks for the page after this one; nothing on the last."""


@attrs.frozen(kw_only=True)
class PositionReport:
    """A position, in a REST body as in the positions channel; one that is closed has size 0, and is LONG.

    ``seq_no`` rises with each update, within one transport only. Times are unix ms.
    """

    market: str
    id: str | None = None
    status: str | None = None
    side: str | None = None
    size: str | None = None
    average_entry_price: str | None = None
    realized_positional_pnl: str | None = None
    unrealized_pnl: str | None = None
    liquidation_price: str | None = None
    last_fill_id: str | None = None
    last_updated_at: int | None = None
    seq_no: int | None = None

    @property
    def signed_size(self) -> int:
        """In units of 10⁻⁸, below 0 for a short one. Raises ValueError where the size cannot be read.

        The size is documented with a sign in JSON and is without one in binary frames: ``side`` settles it.
        """
        size = parse(self.size or "")
        return -abs(size) if self.side == "SHORT" else size


@attrs.frozen(kw_only=True)
class PositionsAnswer:
    results: list[PositionReport]


@attrs.frozen(kw_only=True)
class AccountSummary:
    """The account's money, as decimal text in the settlement asset. ``status`` is ACTIVE or LIQUIDATION."""

    account: str | None = None
    status: str | None = None
    account_value: str | None = None
    total_collateral: str | None = None
    free_collateral: str | None = None
    initial_margin_requirement: str | None = None
    maintenance_margin_requirement: str | None = None
    margin_cushion: str | None = None
    settlement_asset: str | None = None
    updated_at: int | None = None
    seq_no: int | None = None


@attrs.frozen(kw_only=True)
class Derivation:
    """The account that a public key has by the venue's own reckoning, and whether it is onboarded."""

    address: str
    exists: bool


@attrs.frozen(kw_only=True)
class Fees:
    """As parts of what is traded, decimal text. A Retail order pays none (protocol reference 3.9)."""

    maker_rate: str | None = None
    taker_rate: str | None = None


@attrs.frozen(kw_only=True)
class AccountInfo:
    account: str | None = None
    kind: str | None = None
    """``main``, ``subaccount``, ``vault_operator`` or ``vault_sub_operator``."""

    fees: Fees | None = None


@attrs.frozen(kw_only=True)
class AccountInfosAnswer:
    results: list[AccountInfo]
