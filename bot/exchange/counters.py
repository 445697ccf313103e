"""What the exchange counts, for the control port and for tests."""

from collections import Counter, deque
from typing import Any

import attrs

KEPT_CLOSES = 10_000


@attrs.frozen
class SocketClose:
    """How one WebSocket ended: the code, who sent it (``client`` or ``server``), why, and when in ms.

    A connection that ended without a close frame has code 1006.
    """

    code: int
    by: str
    reason: str
    at_ms: int


@attrs.define
class Counters:
    """Connections by port (``rest``, ``ws``, ``control``), requests by route, and closes of WebSockets."""

    tcp: Counter[str] = attrs.field(factory=Counter)
    tls: Counter[str] = attrs.field(factory=Counter)
    requests: Counter[str] = attrs.field(factory=Counter)
    answers: Counter[str] = attrs.field(factory=Counter)
    sockets_opened: int = 0
    socket_closes: deque[SocketClose] = attrs.field(factory=lambda: deque(maxlen=KEPT_CLOSES))

    def view(self) -> dict[str, Any]:
        """All of it as JSON-ready values."""
        return {
            "tcp_accepted": dict(self.tcp),
            "tls_handshakes": dict(self.tls),
            "requests": dict(self.requests),
            "answers": dict(self.answers),
            "websockets_opened": self.sockets_opened,
            "websocket_closes": [attrs.asdict(close) for close in self.socket_closes],
        }
