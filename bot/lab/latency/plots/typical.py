"""A typical order of a series: its parts, end to end, add up to what it took."""

from collections.abc import Iterator
from statistics import fmean

import attrs

from bot.lab.latency.document import Sample

_TENTH = 10

BEFORE_IT_LEFT = ("turn", "hash", "sign", "encode")
CLIENT = (*BEFORE_IT_LEFT, "write", "parse")
_OTHERS = ("connect", "away", "answered")


@attrs.frozen
class Part:
    """A stretch of an order's time, in ms since its decision."""

    name: str
    kind: str
    """``client``, ``connection``, ``network``, ``before``, ``after``, ``venue`` or ``unknown``"""

    start_ms: float
    ms: float


@attrs.frozen
class Typical:
    """The mean of the middle tenth of the orders: a median of each phase would not add up to the whole."""

    orders: int
    ms: dict[str, float]
    """By phase; what is not known of all of them is missing."""

    def parts(self) -> list[Part]:
        """In the order in which they happen, those that took no time left out."""
        found: list[Part] = []
        at_ms = 0.0
        for name, kind, ms in self._stretches():
            if ms > 0:
                found.append(Part(name, kind, at_ms, ms))
            at_ms += ms
        return found

    @property
    def arrived_ms(self) -> float | None:
        """When it was at the venue; None where that is not known."""
        if not {"network", "there"} <= self.ms.keys():
            return None
        return sum(self.ms[name] for name in (*BEFORE_IT_LEFT, "connect", "write", "there"))

    def steps(self) -> Iterator[Part]:
        """The client's own, as if nothing lay between them."""
        at_ms = 0.0
        for name in CLIENT:
            yield Part(name, "client", at_ms, self.ms[name])
            at_ms += self.ms[name]

    def _stretches(self) -> Iterator[tuple[str, str, float]]:
        ms = self.ms
        yield "client, until it leaves", "client", sum(ms[name] for name in BEFORE_IT_LEFT)
        yield "connect", "connection", ms["connect"]
        yield "write", "client", ms["write"]
        if "network" in ms:
            there_ms = ms.get("there", ms["network"] / 2)  # half of it, where it is not known how it splits
            yield "network, there", "network", there_ms
            if "before" in ms:
                yield "venue, before matching", "before", ms["before"]
                yield "venue, after matching", "after", ms["venue"] - ms["before"]
            else:
                yield "venue", "venue", ms["venue"]
            yield "network, back", "network", ms["network"] - there_ms
        elif "before" in ms:
            yield "venue, before matching", "before", ms["before"]
            yield "network and venue, unknown which", "unknown", ms["away"] - ms["before"]
        else:
            yield "network and venue, unknown which", "unknown", ms["away"]
        yield "parse", "client", ms["parse"]


def typical(orders: list[Sample]) -> Typical | None:
    """Of one series; None if none of its orders is listed with all that a client knows by itself."""
    known = [order for order in orders if all(order.ms.get(name) is not None for name in (*CLIENT, *_OTHERS))]
    if not known:
        return None
    known.sort(key=lambda order: (order.ms["answered"] or 0.0, order.number))
    size = max(len(known) // _TENTH, 1)
    first = (len(known) - size) // 2
    middle = known[first : first + size]
    for wanted in (("network", "venue", "before"), ("network", "venue"), ("before",)):
        told = [order for order in middle if all(order.ms.get(name) is not None for name in wanted)]
        if 2 * len(told) >= len(middle):  # of the others, few, it is not known where their time went
            middle = told
            break
    means = {
        name: fmean(each)
        for name in middle[0].ms
        if len(each := [ms for order in middle if (ms := order.ms.get(name)) is not None]) == len(middle)
    }
    return Typical(len(middle), means)
