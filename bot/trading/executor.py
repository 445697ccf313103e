"""Sends what was decided."""

import attrs

from bot.core.setting import setting


@attrs.frozen
class OrdersSettings:
    """The ``[orders]`` table: what is traded, and how long an order may take to arrive."""

    markets: tuple[str, ...] = setting(("BTC-USD-PERP",), "markets to trade and to subscribe to")
    recv_window: int = setting(
        5000,
        "the venue refuses an order that arrives later than this after its signature",
        at_least=2000,
        at_most=60_000,
        unit="milliseconds",
    )
