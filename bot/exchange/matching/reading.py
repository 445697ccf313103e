"""From the texts of a request to numbers and words: what can be checked of an order by looking at it alone."""

from collections.abc import Iterable

from bot.core.fixed import parse
from bot.exchange.errors import VenueError
from bot.exchange.instruments.markets import Market
from bot.exchange.limits import LONGEST_CLIENT_ID
from bot.exchange.matching.orders import (
    ABOVE_TRIGGER,
    BELOW_TRIGGER,
    BUY,
    CONDITIONAL_TYPES,
    EXPIRE_TAKER,
    FLAGS,
    GTC,
    INSTRUCTIONS,
    INTERACTIVE,
    IOC,
    LIMIT,
    MARKET,
    MARKET_TYPES,
    MMP,
    PLAIN_TYPES,
    POSITIONAL_TYPES,
    POST_ONLY,
    REDUCE_ONLY,
    RPI,
    SIDES,
    STP_MODES,
    VWAP,
)
from bot.exchange.matching.requests import OrderRequest

_LARGEST = 2**63
"""Prices are 64-bit integers of 10⁻⁸ in the venue's binary frames (6.2)."""


def read_words(request: OrderRequest) -> tuple[str, str]:
    """Instruction and self-trade mode, with the defaults of the venue, once all words are known ones.

    Raises:
        VenueError: VALIDATION_ERROR, RPI_ACCOUNT_NOT_WHITELISTED, REQUEST_NOT_ALLOWED for what is not served.
    """
    if request.side not in SIDES:
        raise _invalid(f"side {request.side[:40]!r} is neither BUY nor SELL")
    if request.type not in PLAIN_TYPES and request.type not in CONDITIONAL_TYPES:
        raise _invalid(f"unknown order type {request.type[:40]!r}")
    instruction, stp = request.instruction or GTC, request.stp or EXPIRE_TAKER
    if instruction not in INSTRUCTIONS:
        raise _invalid(f"unknown instruction {instruction[:40]!r}")
    if instruction == RPI:
        raise VenueError("RPI_ACCOUNT_NOT_WHITELISTED", "this account may not place RPI orders")
    if instruction == POST_ONLY and request.type in MARKET_TYPES:
        raise _invalid(f"a {request.type} order cannot be POST_ONLY")
    # The official SDK sends IOC along with market orders, which are nothing else.
    if instruction == IOC and request.type != LIMIT and request.type not in MARKET_TYPES:
        raise _invalid(f"a {request.type} order cannot be IOC")
    if stp not in STP_MODES:
        raise _invalid(f"unknown stp {stp[:40]!r}")
    if request.dime_discount:
        raise VenueError("REQUEST_NOT_ALLOWED", "fees are not paid in DIME here")
    return instruction, stp


def read_flags(request: OrderRequest) -> tuple[str, ...]:
    """The flags, each once.

    Raises:
        VenueError: VALIDATION_ERROR for unknown flags and those that do not go with the type, MMP_NOT_ENABLED.
    """
    flags = tuple(dict.fromkeys(request.flags or ()))
    if not FLAGS.issuperset(flags):
        raise _invalid("unknown flag")
    if MMP in flags:
        raise VenueError("MMP_NOT_ENABLED", "market maker protection is not enabled for this account")
    if VWAP in flags and request.type != MARKET:
        raise _invalid(f"{VWAP} goes with MARKET orders only")
    if ABOVE_TRIGGER in flags or BELOW_TRIGGER in flags:
        if request.type not in CONDITIONAL_TYPES:
            raise _invalid("a trigger condition goes with conditional orders only")
        if ABOVE_TRIGGER in flags and BELOW_TRIGGER in flags:
            raise _invalid("a trigger is either above or below")
    return flags


def read_client_id(request: OrderRequest) -> str:
    """The client id, or nothing.

    Raises:
        VenueError: VALIDATION_ERROR.
    """
    client_id = request.client_id or ""
    if len(client_id) > LONGEST_CLIENT_ID:
        raise _invalid(f"client_id is longer than {LONGEST_CLIENT_ID}")
    return client_id


def read_size(text: str, kind: str, flags: Iterable[str], market: Market) -> int:
    """The size in 10⁻⁸; 0 is the whole position, for the types that may have it.

    Raises:
        VenueError: INVALID_ORDER_SIZE.
    """
    try:
        size = parse(text)
    except ValueError as error:
        raise VenueError("INVALID_ORDER_SIZE", f"size is {error}") from error
    if size == 0 and kind in POSITIONAL_TYPES and REDUCE_ONLY in flags:
        return 0
    if size <= 0 or size % market.step:
        raise VenueError("INVALID_ORDER_SIZE", "size is not a positive multiple of order_size_increment")
    if size > market.max_order_size:
        raise VenueError("INVALID_ORDER_SIZE", "size is above max_order_size")
    return size


def read_prices(text: str | None, kind: str, market: Market) -> tuple[int, tuple[int, ...]]:
    """An order's price in 10⁻⁸, 0 for market types, and the prices that its signature may be over.

    Market types are signed over 0. For conditional ones the official SDK signs whatever limit price it was given
    (2.3), so that a price which comes along is allowed to be the signed one.

    Raises:
        VenueError: VALIDATION_ERROR.
    """
    if kind not in MARKET_TYPES:
        price = _on_tick(text or "", "price", market)
        return price, (price,)
    if not text or kind == MARKET:
        return 0, (0,)
    try:
        return 0, (0, abs(parse(text)))
    except ValueError as error:
        raise _invalid(f"price is {error}") from error


def read_trigger(text: str | None, kind: str, market: Market) -> int:
    """The trigger price in 10⁻⁸, 0 for types that have none.

    Raises:
        VenueError: VALIDATION_ERROR.
    """
    if kind in CONDITIONAL_TYPES:
        return _on_tick(text or "", "trigger_price", market)
    if text and text != "0":
        raise _invalid(f"a {kind} order has no trigger_price")
    return 0


def read_average_limit(request: OrderRequest, flags: Iterable[str], market: Market) -> int:
    """The worst average price that a market order asks for in 10⁻⁸, or 0.

    Raises:
        VenueError: VALIDATION_ERROR.
    """
    if not request.vwap_price or request.vwap_price == "0":
        return 0
    if VWAP not in flags:
        raise _invalid(f"vwap_price goes with the flag {VWAP} only")
    return _on_tick(request.vwap_price, "vwap_price", market)


def triggers_above(kind: str, side: str, flags: Iterable[str]) -> bool:
    """Whether a conditional order waits for a mark at or above its trigger, rather than at or below.

    A flag says so. Without one a stop waits for the price to run away in the order's direction, and a take-profit
    for it to come back.
    """
    if ABOVE_TRIGGER in flags:
        return True
    if BELOW_TRIGGER in flags:
        return False
    return (side == BUY) != kind.startswith("TAKE_PROFIT")


def with_retail_flag(flags: tuple[str, ...], *, interactive: bool) -> tuple[str, ...]:
    """The flags with INTERACTIVE where, and only where, the order is a Retail one."""
    if interactive == (INTERACTIVE in flags):
        return flags
    others = tuple(flag for flag in flags if flag != INTERACTIVE)
    return (*others, INTERACTIVE) if interactive else others


def _on_tick(text: str, name: str, market: Market) -> int:
    try:
        price = parse(text)
    except ValueError as error:
        raise _invalid(f"{name} is {error}") from error
    if not 0 < price < _LARGEST or price % market.tick:
        raise _invalid(f"{name} is not a positive multiple of price_tick_size")
    return price


def _invalid(message: str) -> VenueError:
    return VenueError("VALIDATION_ERROR", message)
