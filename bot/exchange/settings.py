"""What the embedded exchange can be told."""

import attrs

from bot.core.setting import setting


@attrs.frozen
class ExchangeSettings:
    """The ``[exchange]`` table: how the embedded exchange behaves."""

    seed: int = setting(1, "the same seed gives the same exchange", at_least=0)
    rtt_ms: float = setting(
        0.0, "simulated round trip of its network", at_least=0, at_most=10_000, unit="milliseconds"
    )
    processing_ms: float = setting(
        0.0, "time it takes over each request", at_least=0, at_most=10_000, unit="milliseconds"
    )
