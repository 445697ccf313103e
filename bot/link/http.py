"""HTTP: the only importer of httpx."""

import attrs

from bot.core.setting import setting


@attrs.frozen
class HttpSettings:
    """The ``[http]`` table: one pool of warm connections to the venue's REST host."""

    connections: int = setting(
        4, "connections kept open; orders may use all but one", at_least=2, at_most=100
    )
    idle_timeout: float = setting(
        60.0,
        "the venue hangs up on a connection idle for this long",
        at_least=1,
        at_most=3600,
        unit="seconds",
    )
    tcp_keepalive: float = setting(
        30.0, "idle time before the kernel probes a connection", at_least=1, at_most=3600, unit="seconds"
    )
    connect_timeout: float = setting(
        10.0, "deadline for TCP and TLS together", at_least=0.1, at_most=60, unit="seconds"
    )
    request_timeout: float = setting(
        10.0, "deadline of a whole request", at_least=0.1, at_most=60, unit="seconds"
    )
