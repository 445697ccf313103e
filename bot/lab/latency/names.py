"""What reports call things, and how they write figures."""

from collections.abc import Iterable

from bot.lab.latency.document import Document, Sample, Series
from bot.latency.distributions import REST, WS

WAYS = {REST: "REST", WS: "WebSocket"}


def title(way: str, *, warm: bool) -> str:
    """Of a series: ``REST, warm``."""
    return f"{WAYS.get(way, way)}, {'warm' if warm else 'cold'}"


def in_ms(ms: float | None) -> str:
    """A duration to about four digits, with its unit; ``unknown`` if it is."""
    return "unknown" if ms is None else f"{digits(ms)} ms"


def digits(ms: float) -> str:
    """The same without the unit."""
    return f"{ms:.{0 if abs(ms) >= 1000 else 1 if abs(ms) >= 100 else 2 if abs(ms) >= 10 else 3}f}"


def counted(count: int, what: str) -> str:
    """``1 order``, ``2 orders``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def figure(series: Series, phase: str, name: str = "p50") -> float | None:
    """A figure of a phase in ms, by its name; None where nothing was measured."""
    found: float | None = series.phases.get(phase, {}).get("ms", {}).get(name)
    return found


def count(series: Series, phase: str = "answered") -> int:
    """Of how many orders the phase is known."""
    return int(series.phases.get(phase, {}).get("ms", {}).get("count") or 0)


def ways(document: Document) -> list[str]:
    """Those that were measured, REST first."""
    measured = dict.fromkeys(series.way for series in document.series)
    return [*(way for way in WAYS if way in measured), *(way for way in measured if way not in WAYS)]


def one_of(document: Document, way: str, *, warm: bool) -> Series | None:
    """The series of this way, if any of its orders was answered."""
    return next(
        (series for series in document.series if (series.way, series.warm) == (way, warm) and count(series)),
        None,
    )


def in_order(document: Document) -> list[Series]:
    """The series that have orders: way by way, those over open connections first."""
    found = (one_of(document, way, warm=warm) for way in ways(document) for warm in (True, False))
    return [series for series in found if series is not None]


def listed(document: Document, way: str, *, warm: bool) -> list[Sample]:
    """The orders of a series, as far as they are listed one by one."""
    return [order for order in document.orders if (order.way, order.warm) == (way, warm)]


def values(orders: Iterable[Sample], phase: str) -> list[float]:
    """What is known of a phase, in ms."""
    return [ms for order in orders if (ms := order.ms.get(phase)) is not None]
