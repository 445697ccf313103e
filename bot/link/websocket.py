"""The WebSocket: the only importer of trio_websocket on the bot's side."""

import attrs

from bot.core.setting import setting


@attrs.frozen
class StreamSettings:
    """The ``[stream]`` table: the WebSocket."""

    connect_timeout: float = setting(
        5.0, "deadline for TCP, TLS and the upgrade together", at_least=0.1, at_most=60, unit="seconds"
    )
    close_timeout: float = setting(
        1.0, "wait for the venue's answer to our close frame", at_least=0.1, at_most=5, unit="seconds"
    )
    ping_interval: float = setting(
        5.0, "time between our own pings", at_least=0.5, at_most=60, unit="seconds"
    )
    ping_deadline: float = setting(
        3.0,
        "a pong later than this means that the connection is dead",
        at_least=0.1,
        at_most=60,
        unit="seconds",
    )
    queue: int = setting(
        4096, "messages held while the reader is busy", at_least=1024, at_most=1_000_000, unit="messages"
    )
