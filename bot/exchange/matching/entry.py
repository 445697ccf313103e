"""Order entry: what is checked before an order is answered with 201 and NEW (protocol reference 3.2, 3.7)."""

import attrs
import msgspec

from bot.core.fixed import parse
from bot.exchange.errors import VenueError
from bot.exchange.identity.accounts import Account
from bot.exchange.identity.snip12 import Messages
from bot.exchange.identity.stark import is_valid, parse_signature
from bot.exchange.limits import DEFAULT_RECV_WINDOW_MS, LONGEST_CLIENT_ID, SHORTEST_RECV_WINDOW_MS
from bot.exchange.market.listings import Market
from bot.exchange.market.prices import Prices
from bot.exchange.matching.crossing import EXPIRE_BOTH, EXPIRE_MAKER, EXPIRE_TAKER
from bot.exchange.matching.modes import Mode, check_mode
from bot.exchange.matching.orders import Order, OrderLedger
from bot.exchange.stamps import Stamps

SIDES = frozenset({"BUY", "SELL"})
PLAIN_TYPES = frozenset({"LIMIT", "MARKET"})
CONDITIONAL_TYPES = frozenset(
    {
        "STOP_LIMIT",
        "STOP_MARKET",
        "TAKE_PROFIT_LIMIT",
        "TAKE_PROFIT_MARKET",
        "STOP_LOSS_LIMIT",
        "STOP_LOSS_MARKET",
    }
)
INSTRUCTIONS = frozenset({"GTC", "POST_ONLY", "IOC", "RPI"})
STP_MODES = frozenset({EXPIRE_MAKER, EXPIRE_TAKER, EXPIRE_BOTH})
FLAGS = frozenset(
    {
        "REDUCE_ONLY",
        "STOP_CONDITION_BELOW_TRIGGER",
        "STOP_CONDITION_ABOVE_TRIGGER",
        "INTERACTIVE",
        "TARGET_STRATEGY_VWAP",
        "MMP",
    }
)


class OrderRequest(msgspec.Struct):
    """The body of an order as clients send it; what the official SDK leaves out or sends as null is optional."""

    market: str
    side: str
    type: str
    size: str
    signature: str
    signature_timestamp: int
    price: str | None = None
    instruction: str | None = None
    client_id: str | None = None
    flags: list[str] | None = None
    stp: str | None = None
    recv_window: int | None = None


_REQUEST = msgspec.json.Decoder(OrderRequest)


def decode_order(body: bytes) -> OrderRequest:
    """Read an order's body.

    Raises:
        VenueError: BINDING_ERROR when it is no JSON, VALIDATION_ERROR when fields are missing or of wrong types.
    """
    try:
        return _REQUEST.decode(body)
    except msgspec.ValidationError as error:
        raise VenueError("VALIDATION_ERROR", str(error)) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise VenueError("BINDING_ERROR", f"malformed JSON: {error}") from error


@attrs.frozen
class Entry:
    """Turns requests into NEW orders of an account, or refuses them. Records what it accepts."""

    markets: dict[str, Market]
    prices: Prices
    ledger: OrderLedger
    stamps: Stamps
    messages: Messages
    verify: bool

    def accept(
        self, request: OrderRequest, account: Account, *, mode: Mode, received_ms: int, interactive: bool
    ) -> Order:
        """Check everything that is checked in the first phase and record the order.

        Raises:
            VenueError: the order was not accepted; nothing was recorded and its client id is free.
        """
        order = self._read(request, account, received_ms, interactive=interactive)
        market = self.markets[order.market]
        check_mode(mode, order, self.prices[market.symbol].fair)
        _check_window(request, received_ms)
        self._check_signature(request, account, order)
        if order.client_id and self.ledger.find_client_id(account.address, order.client_id):
            raise VenueError("DUPLICATED_CLIENT_ID", f"client id {order.client_id!r} was used before")
        if len(self.ledger.live(account.address, market.symbol)) >= market.max_open_orders:
            raise VenueError("REQUEST_NOT_ALLOWED", f"more than {market.max_open_orders} open orders")
        self.ledger.add(order)
        return order

    def _read(self, request: OrderRequest, account: Account, received_ms: int, *, interactive: bool) -> Order:
        market = self.markets.get(request.market)
        if market is None:
            raise VenueError("MARKET_NOT_FOUND", f"market {request.market[:40]!r} does not exist")
        instruction = request.instruction or "GTC"
        stp = request.stp or EXPIRE_TAKER
        flags = tuple(request.flags or ())
        _check_words(request, instruction, stp, flags)
        size = _read_size(request.size, market, self.prices[market.symbol].mark)
        price = _read_price(request, market)
        client_id = request.client_id or ""
        if len(client_id) > LONGEST_CLIENT_ID:
            raise VenueError("VALIDATION_ERROR", f"client_id is longer than {LONGEST_CLIENT_ID}")
        if interactive and "INTERACTIVE" not in flags:
            flags = (*flags, "INTERACTIVE")
        now_ms = self.stamps.now_ms()
        return Order(
            id=self.stamps.new_id(),
            account=account.address,
            client_id=client_id,
            market=market.symbol,
            side=request.side,
            type=request.type,
            instruction=instruction,
            price=price,
            size=size,
            stp=stp,
            flags=flags,
            signed_at_ms=request.signature_timestamp,
            received_at_ms=received_ms,
            created_at_ms=now_ms,
            updated_at_ms=now_ms,
            remaining=size,
            seq_no=self.stamps.rest_seq.next(),
        )

    def _check_signature(self, request: OrderRequest, account: Account, order: Order) -> None:
        try:
            signature = parse_signature(request.signature)
        except ValueError as error:
            raise VenueError("INVALID_ORDER_SIGNATURE", str(error)) from error
        if not self.verify:
            return
        message = self.messages.order(
            account.address,
            timestamp=request.signature_timestamp,
            market=order.market,
            side=order.side,
            order_type=order.type,
            size=order.size,
            price=order.price,
        )
        if not is_valid(account.public_key, message, signature):
            raise VenueError("INVALID_ORDER_SIGNATURE", "the signature is not the account's over this order")


def _check_words(request: OrderRequest, instruction: str, stp: str, flags: tuple[str, ...]) -> None:
    if request.side not in SIDES:
        raise VenueError("VALIDATION_ERROR", f"side {request.side[:40]!r} is neither BUY nor SELL")
    if request.type in CONDITIONAL_TYPES:
        raise VenueError("REQUEST_NOT_ALLOWED", f"{request.type} orders are not served here yet")
    if request.type not in PLAIN_TYPES:
        raise VenueError("VALIDATION_ERROR", f"unknown order type {request.type[:40]!r}")
    if instruction not in INSTRUCTIONS:
        raise VenueError("VALIDATION_ERROR", f"unknown instruction {instruction[:40]!r}")
    if instruction == "RPI":
        raise VenueError("RPI_ACCOUNT_NOT_WHITELISTED", "this account may not place RPI orders")
    if request.type == "MARKET" and instruction == "POST_ONLY":
        raise VenueError("VALIDATION_ERROR", "a MARKET order cannot be POST_ONLY")
    if stp not in STP_MODES:
        raise VenueError("VALIDATION_ERROR", f"unknown stp {stp[:40]!r}")
    if not FLAGS.issuperset(flags):
        raise VenueError("VALIDATION_ERROR", "unknown flag")


def _read_size(text: str, market: Market, mark: int) -> int:
    try:
        size = parse(text)
    except ValueError as error:
        raise VenueError("INVALID_ORDER_SIZE", f"size is {error}") from error
    if size <= 0 or size % market.step:
        raise VenueError("INVALID_ORDER_SIZE", "size is not a positive multiple of order_size_increment")
    if size > market.max_order_size:
        raise VenueError("INVALID_ORDER_SIZE", "size is above max_order_size")
    # Untruncated: a product one unit of 10⁻¹⁶ short is short.
    if size * mark < market.min_notional * 10**8:
        raise VenueError("INVALID_ORDER_SIZE", "size x mark price is below min_notional")
    return size


def _read_price(request: OrderRequest, market: Market) -> int:
    if request.type == "MARKET":
        return 0
    try:
        price = parse(request.price or "")
    except ValueError as error:
        raise VenueError("VALIDATION_ERROR", f"price is {error}") from error
    if price <= 0 or price % market.tick:
        raise VenueError("VALIDATION_ERROR", "price is not a positive multiple of price_tick_size")
    return price


def _check_window(request: OrderRequest, received_ms: int) -> None:
    """An order received later than ``signature_timestamp + recv_window`` is refused (2.3).

    A timestamp in the future is undocumented, and let through.
    """
    if request.signature_timestamp <= 0 or request.signature_timestamp >= 2**63:
        raise VenueError("INVALID_TIMESTAMP", "signature_timestamp is not a time in milliseconds")
    window = DEFAULT_RECV_WINDOW_MS if request.recv_window is None else request.recv_window
    if window < SHORTEST_RECV_WINDOW_MS:
        raise VenueError("VALIDATION_ERROR", f"recv_window is below {SHORTEST_RECV_WINDOW_MS} ms")
    if received_ms > request.signature_timestamp + window:
        raise VenueError("INVALID_TIMESTAMP", "received after signature_timestamp + recv_window")
