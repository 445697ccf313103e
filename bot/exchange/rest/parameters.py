"""Query parameters: read, checked, refused in the venue's words (protocol reference 3.7)."""

from collections.abc import Collection, Mapping

from bot.core.fixed import SCALE, parse
from bot.exchange.errors import VenueError
from bot.exchange.instruments.markets import check_market
from bot.exchange.transport.http import Request

Query = Mapping[str, str]

LATEST_MS = 2**63 - 1
"""No time lies behind it."""

LARGEST = 10**12 * SCALE
"""No price, size or amount is larger. Chosen."""


def invalid(name: str, why: str = "is not valid") -> VenueError:
    """The refusal of a parameter."""
    return VenueError("INVALID_REQUEST_PARAMETER", f"{name} {why}")


def one_of(query: Query, name: str, allowed: Collection[str]) -> str:
    """The parameter, or an empty text when it is absent or empty.

    Raises:
        VenueError: INVALID_REQUEST_PARAMETER: it is none of the allowed.
    """
    text = query.get(name, "")
    if text and text not in allowed:
        raise invalid(name, f"is none of {', '.join(sorted(allowed))}")
    return text


def boolean(query: Query, name: str) -> bool:
    """The parameter as Go, and so the venue, reads it; absent or empty it is false.

    Raises:
        VenueError: INVALID_REQUEST_PARAMETER.
    """
    text = query.get(name, "")
    if text in {"1", "t", "T", "TRUE", "true", "True"}:
        return True
    if text in {"", "0", "f", "F", "FALSE", "false", "False"}:
        return False
    raise invalid(name, "is not a boolean")


def whole_number(query: Query, name: str, default: int | None, least: int, most: int) -> int:
    """The parameter as an int; absent or empty it is the default, and without one it is required.

    Raises:
        VenueError: INVALID_REQUEST_PARAMETER.
    """
    text = query.get(name, "")
    if not text:
        if default is None:
            raise invalid(name, "is required")
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20) or not least <= int(text) <= most:
        raise invalid(name, f"is not a whole number from {least} to {most}")
    return int(text)


def positive_decimal(query: Query, name: str) -> int:
    """A required parameter that is a decimal above zero and at most `LARGEST`, in 10⁻⁸.

    Raises:
        VenueError: INVALID_REQUEST_PARAMETER.
    """
    try:
        value = parse(query.get(name, ""))
    except ValueError as error:
        raise invalid(name, f"is {error}") from error
    if not 0 < value <= LARGEST:
        raise invalid(name, "is not above zero, or absurdly large")
    return value


def any_market(request: Request, markets: Collection[str]) -> str | None:
    """The market that ``market`` narrows to, or None.

    Raises:
        VenueError: MARKET_NOT_FOUND.
    """
    symbol = request.query.get("market", "")
    return check_market(symbol, markets) if symbol else None


def required_market(request: Request, markets: Collection[str], name: str = "market") -> str:
    """The market that a required parameter names.

    Raises:
        VenueError: INVALID_REQUEST_PARAMETER when it is absent, MARKET_NOT_FOUND.
    """
    symbol = request.query.get(name, "")
    if not symbol:
        raise invalid(name, "is required")
    return check_market(symbol, markets)
