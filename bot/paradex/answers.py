"""What the venue answers, as far as the bot reads it (protocol reference 3.3, 3.6).

Unknown fields are ignored, and texts that may get new values stay texts: a reader that dies of a new enum
value would take the connection with it.
"""

import attrs
import msgspec

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
class OrderReport:
    """What the venue says of an order, in a REST body as in the orders channel."""

    id: str
    market: str
    status: str
    side: str | None = None
    client_id: str | None = None
    size: str | None = None
    remaining_size: str | None = None
    cancel_reason: str | None = None
    seq_no: int | None = None


@attrs.frozen(kw_only=True)
class OrdersAnswer:
    results: list[OrderReport]


@attrs.frozen(kw_only=True)
class OrderPage:
    results: list[OrderReport]
    next: str | None = None
