"""What the embedded exchange can be told."""

import attrs

from bot.core.fixed import Fixed, parse
from bot.core.setting import setting


@attrs.frozen
class ExchangeSettings:
    """The ``[exchange]`` table: how the embedded exchange behaves.

    From ``client_ids`` on these are the choices that the venue's documents leave open. The defaults are the
    stricter ones for clients.
    """

    seed: int = setting(1, "the same seed gives the same exchange", at_least=0)
    rtt_ms: float = setting(
        0.0, "simulated round trip of its network", at_least=0, at_most=10_000, unit="milliseconds"
    )
    processing_ms: float = setting(
        0.0, "time it takes over each request", at_least=0, at_most=10_000, unit="milliseconds"
    )
    deposit: Fixed = setting(
        Fixed(parse("100000")), "USDC that an account has when it is onboarded", at_least=0
    )
    activity: float = setting(
        4.0,
        "synthetic orders in each market; 0 stops the market",
        at_least=0,
        at_most=1000,
        unit="orders a second",
    )
    volatility: float = setting(0.6, "of the fair price, as a part of it in a year", at_least=0, at_most=100)
    rate_limits: str = setting("venue", "whether requests are counted and refused", choices=("venue", "none"))
    kept_orders: int = setting(
        100_000, "closed orders it remembers, with their fills and client ids", at_least=1000, unit="orders"
    )
    release: str = setting(
        "never",
        "when it takes cancels only, then passive orders only, and drops all connections",
        choices=("never", "weekdays"),
    )
    release_minute: int = setting(
        270,
        "when that begins, Monday to Friday, after midnight UTC",
        at_least=0,
        at_most=1439,
        unit="minutes",
    )
    release_cancel_only: float = setting(
        120.0, "how long it takes cancels only", at_least=0, at_most=86_400, unit="seconds"
    )
    release_post_only: float = setting(
        120.0, "how long it takes passive orders only after that", at_least=0, at_most=86_400, unit="seconds"
    )
    client_ids: str = setting(
        "once",
        "a client id may be used once, or again when its order is closed",
        choices=("once", "while-open"),
    )
    timestamp_ahead_ms: int = setting(
        60_000,
        "how far in the future a signature timestamp may lie",
        at_least=0,
        unit="milliseconds",
    )
    order_signer: str = setting(
        "token",
        "whose signature an order needs: the key of the token, or any key of the account",
        choices=("token", "account"),
    )
    subkey_registration: str = setting(
        "unsigned",
        "whether registering a subkey needs the main key's signature; the official SDK sends none",
        choices=("unsigned", "signed"),
    )
    exits: str = setting(
        "any",
        "take-profit and stop-loss orders: as their flags say, or only with REDUCE_ONLY",
        choices=("any", "reduce-only"),
    )
    closed_by_id: str = setting(
        "served", "GET /orders/{id} of a closed order", choices=("served", "not-found")
    )
    server_time: str = setting("text", "how /system/time writes its number", choices=("text", "number"))
    unfilled_price: str = setting("empty", "avg_fill_price of an unfilled order", choices=("empty", "zero"))
    empty_side: str = setting("empty", "how a BBO shows a side without orders", choices=("empty", "null"))
    batch_size: int = setting(10, "most orders in one batch", at_least=1, at_most=50, unit="orders")
    modify_size: str = setting(
        "total", "what the size of a modified order counts", choices=("total", "remaining")
    )
    modify_priority: str = setting(
        "lost",
        "the place in line after a modification; kept: where only the size shrinks",
        choices=("lost", "kept"),
    )
    request_info: str = setting(
        "once", "on the event of the modification only, or on later ones too", choices=("once", "stays")
    )
    socket_orders: str = setting(
        "by-address",
        "limits of order methods: those of the account and of the IP address, or of the account only",
        choices=("by-address", "by-account"),
    )
    snapshots: str = setting(
        "none",
        "whether a subscription begins with what there is, as books always do",
        choices=("none", "sent"),
    )
    new_orders: str = setting(
        "silent", "whether NEW is published on channels", choices=("silent", "published")
    )
    socket_types: str = setting(
        "specified",
        "order types over WebSocket: the four that its specification names, or all that REST takes",
        choices=("specified", "all"),
    )
    batch_form: str = setting(
        "both",
        "how order.create_batch takes orders: in an object as specified, as the SDK's bare array, or either",
        choices=("both", "object", "array"),
    )
    socket_refusals: str = setting(
        "data",
        "an order refused over WebSocket: 100 with its code in data or as the message, or -32602 with it in data",
        choices=("data", "message", "invalid-params"),
    )
    disconnect_scope: str = setting(
        "socket",
        "orders that cancel-on-disconnect cancels: placed on the socket while armed, or all",
        choices=("socket", "account"),
    )
    disconnect_on: str = setting(
        "any-close",
        "what triggers it: a close in form too, or only a lost connection",
        choices=("any-close", "loss"),
    )
    disconnect_delay_ms: float = setting(
        0.0, "time until it cancels", at_least=0, at_most=60_000, unit="milliseconds"
    )
    deltas_with_parameters: str = setting(
        "refused", "order_book.{market}.deltas@15@50ms", choices=("refused", "served")
    )
    unsubscribed_seconds: float = setting(
        10.0,
        "a socket without subscription is closed after this; 0: never",
        at_least=0,
        at_most=86_400,
        unit="seconds",
    )
