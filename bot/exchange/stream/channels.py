"""Which channel names a text socket may subscribe to (protocol reference 4.3)."""

from collections.abc import Container

from bot.exchange.stream.rpc import INVALID_REQUEST, PERMISSION_DENIED, RpcError

PER_MARKET = frozenset({"orders", "fills", "funding_payments"})
"""Private channels that take a market or ``ALL``."""

BARE = frozenset(
    {
        "account",
        "positions",
        "balance_events",
        "transaction",
        "transfers",
        "tradebusts",
        "rfq",
        "block_trades",
        "mmp",
    }
)
"""Private channels without a parameter. Those that nothing publishes to yet are accepted and silent."""

PUBLIC_JSON = frozenset({"markets"})

BINARY_ONLY = frozenset(
    {
        "bbo",
        "trades",
        "order_book",
        "markets_summary",
        "funding_data",
        "funding_rate_comparison",
    }
)
"""Public channels that come as SBE only, since 2026-09-21."""


def check_channel(name: str, markets: Container[str], *, authenticated: bool) -> None:
    """Refuse a name that cannot be subscribed to on this socket.

    Raises:
        RpcError: -32600 for a name that means nothing here, 40300 for a private one without authentication.
    """
    family, dot, parameter = name.partition(".")
    if family in PUBLIC_JSON and (not dot or parameter in markets or parameter == "ALL"):
        return
    if family in BINARY_ONLY:
        raise _invalid(f"{family} is served in binary encoding only")
    if family in PER_MARKET and dot:
        if parameter != "ALL" and parameter not in markets:
            raise _invalid(f"unknown market {parameter[:40]!r}")
    elif family not in BARE or dot:
        raise _invalid(f"unknown channel {name[:80]!r}")
    if not authenticated:
        raise RpcError(PERMISSION_DENIED, "permission denied", "authentication required")


def _invalid(reason: str) -> RpcError:
    return RpcError(INVALID_REQUEST, "invalid subscribe request", reason)
