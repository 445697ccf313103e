"""What a run came to: the table that is printed at its end, and the JSON for ``--summary``."""

from collections.abc import Mapping
from typing import Any

import attrs
import msgspec

from bot.core.histogram import Histogram
from bot.core.order import Order
from bot.latency.distributions import Distributions
from bot.link.http import HttpCounters
from bot.trading.step.ledger import OrderCounts


@attrs.frozen(kw_only=True)
class Summary:
    """A run, counted. Latencies in ms, as `bot.core.histogram.Histogram.summary_ms` gives them."""

    environment: str
    exit_reason: str
    is_fatal: bool = False
    generations: int = 0
    is_interactive: bool | None = None
    """Whether the token says that its orders are Retail ones, which the venue delays; None if it does not say."""

    alarms: list[str] = attrs.field(factory=list)
    ready_ms: float | None = None
    orders: OrderCounts = attrs.field(factory=OrderCounts)
    unresolved: list[Order] = attrs.field(factory=list)
    http: HttpCounters = attrs.field(factory=HttpCounters)
    latency: Distributions = attrs.field(factory=Distributions)
    longest_step_ns: int = 0
    """Of the processor's time: during a step nothing else happens."""

    garbage: Histogram = attrs.field(factory=Histogram)
    """How long collections of garbage stopped everything."""

    @property
    def exit_code(self) -> int:
        """4 if orders are left whose end nobody knows, 3 after a fatal error, 0 for a clean end."""
        return 4 if self.unresolved else 3 if self.is_fatal else 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "environment": self.environment,
            "exit_reason": self.exit_reason,
            "generations": self.generations,
            "interactive_token": self.is_interactive,
            "alarms": self.alarms,
            "ready_ms": None if self.ready_ms is None else round(self.ready_ms, 3),
            "orders": attrs.asdict(self.orders) | {"unresolved": len(self.unresolved)},
            "http": attrs.asdict(self.http),
            "latency_ms": self.latency.to_dict(),
            "longest_step_ms": round(self.longest_step_ns / 1e6, 3),
            "garbage_ms": self.garbage.summary_ms(),
        }

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self.to_dict()), indent=2) + b"\n"

    def to_table(self) -> str:
        """The same for people, in a fixed width."""
        report = self.to_dict()
        lines = [
            f"Paradex {self.environment}: stopped by {self.exit_reason}",
            "",
            "orders      " + "  ".join(f"{name} {count}" for name, count in report["orders"].items()),
            (
                f"http        handshakes {self.http.connections_opened}  requests {self.http.requests}  "
                f"reused {self.http.reused}  orders on a cold connection {self.http.order_requests_cold}"
            ),
            f"sessions    {self.generations}"
            + (f"  first ready after {self.ready_ms:.0f} ms" if self.ready_ms else ""),
            f"steps       longest {report['longest_step_ms']:.3f} ms",
            f"garbage     {_pauses(report['garbage_ms'])}",
            "",
            *self.latency.to_text().splitlines(),
            "",
            *(f"ALARM       {alarm}" for alarm in self.alarms),
        ]
        lines += [f"UNRESOLVED  {describe(order)}" for order in self.unresolved]
        return "\n".join(lines).rstrip() + "\n"


def _pauses(figures: Mapping[str, float | int | None]) -> str:
    if not figures["count"]:
        return "no pauses"
    return f"pauses {figures['count']}  p50 {figures['p50']:.3f} ms  max {figures['max']:.3f} ms"


def describe(order: Order) -> str:
    """One order, named so that a person finds it at the venue."""
    return f"client_id={order.client_id}, id={order.venue_id or 'unknown'}, {order.market}, {order.state}"
