"""Whether orders are as quick as they should be; and if not, what is in the way, and what would move it."""

from collections.abc import Iterator
from typing import Any

import attrs

from bot.lab.latency.advice import Advice, advise
from bot.lab.latency.document import Document, Series
from bot.lab.latency.names import WAYS, count, counted, figure, in_ms, one_of, ways

_NS_PER_MS = 1_000_000


@attrs.frozen(kw_only=True)
class Figures:
    """What the orders of one series took, from the decision until the answer was understood."""

    orders: int
    median_ms: float
    p99_ms: float
    within: float
    """The share of them that met the target, 0 to 1."""


@attrs.frozen(kw_only=True)
class Part:
    """A part of an order's time, by median."""

    name: str
    ms: float | None
    """None where it is not known."""

    orders: int
    """Of how many orders it is known."""


@attrs.frozen(kw_only=True)
class Ruling:
    """On the orders that went one way."""

    way: str
    target_ms: float
    warm: Figures | None
    """Of those that are judged; None if there are none."""

    cold: Figures | None
    floor_ms: float
    """Between the last byte of an order and the first one of its answer: from here no client changes it."""

    floor: list[Part]
    """What this is made of: the larger first, what is not known last."""

    venue: list[Part]
    """The venue's part, before and after matching, in the same order."""

    client_ms: float | None
    advice: list[Advice]

    @property
    def met(self) -> bool | None:
        """None where no order is there to judge by."""
        return None if self.warm is None else self.warm.median_ms <= self.target_ms

    @property
    def is_out_of_reach(self) -> bool:
        """No client meets the target from here: the floor alone is above it."""
        return self.floor_ms > self.target_ms

    def headline(self) -> str:
        name, target = WAYS.get(self.way, self.way), f"{self.target_ms:g} ms"
        if self.warm is None:
            return f"{name}: {target} is not judged, for no order went over an open connection"
        return f"{name}: {target} is {'met' if self.met else 'missed'}, with a median of {in_ms(self.warm.median_ms)}"

    def sentences(self) -> Iterator[str]:
        """What there is to say, the advice left out."""
        if self.warm is not None:
            yield (
                f"Of {counted(self.warm.orders, 'order')} over an open connection {self.warm.within:.1%} met the "
                f"target; p99 is {in_ms(self.warm.p99_ms)}."
            )
        if self.cold is not None:
            yield (
                f"An order that had to open its connection took {in_ms(self.cold.median_ms)} "
                f"(median of {counted(self.cold.orders, 'order')})."
            )
        yield f"The floor, which no client changes from here, is {in_ms(self.floor_ms)}: {_sum(self.floor)}."
        if any(part.ms is not None for part in self.venue):
            yield f"At the venue: {_sum(self.venue)}."
        yield from (
            f"The {part.name}'s part is known of {counted(part.orders, 'order')} only."
            for part in self.floor
            if part.ms is not None and part.orders < self._orders
        )
        if self.is_out_of_reach:
            bumped = " with this token" if any(advice.name == "token" for advice in self.advice) else ""
            yield f"The floor alone is above the target: no client meets it from here by this way{bumped}."
        yield f"The client's own part is {in_ms(self.client_ms)}."

    def advice_heading(self) -> str:
        return "What would make it quicker still" if self.met else "What would move it"

    @property
    def _orders(self) -> int:
        figures = self.warm or self.cold
        return figures.orders if figures else 0

    def to_dict(self) -> dict[str, Any]:
        return {"met": self.met, "is_out_of_reach": self.is_out_of_reach} | attrs.asdict(self)


@attrs.frozen(kw_only=True)
class Verdict:
    """On a measurement."""

    target_ms: float
    rulings: list[Ruling]
    simulated: dict[str, float] | None
    """What the embedded exchange was told to be like; None at a real venue."""

    def to_dict(self) -> dict[str, Any]:
        return {"target_ms": self.target_ms, "ways": [ruling.to_dict() for ruling in self.rulings]}

    def notes(self) -> Iterator[str]:
        """What to know of all of it."""
        if self.simulated is not None:
            set_to = ", ".join(f"{name} {value:g}" for name, value in self.simulated.items())
            yield f"Measured at the embedded exchange, which was set to {set_to}: that is its network and its venue."

    def to_text(self) -> str:
        lines: list[str] = []
        for ruling in self.rulings:
            lines += [ruling.headline(), *(f"  {sentence}" for sentence in ruling.sentences())]
            if ruling.advice:
                lines.append(f"  {ruling.advice_heading()}:")
            lines += [f"  - {advice.text}" for advice in ruling.advice]
            lines.append("")
        lines += self.notes()
        return "\n".join(lines).rstrip() + "\n"


def judge(document: Document, target_ms: float) -> Verdict:
    """Each way by the median time until the answer of its warm orders."""
    return Verdict(
        target_ms=target_ms,
        rulings=[ruling for way in ways(document) if (ruling := _ruling(document, way, target_ms))],
        simulated=document.conditions.simulated,
    )


def _ruling(document: Document, way: str, target_ms: float) -> Ruling | None:
    warm, cold = one_of(document, way, warm=True), one_of(document, way, warm=False)
    chief = warm or cold
    if chief is None:
        return None
    return Ruling(
        way=way,
        target_ms=target_ms,
        warm=None if warm is None else _figures(warm, target_ms),
        cold=None if cold is None else _figures(cold, target_ms),
        floor_ms=figure(chief, "away") or 0.0,
        floor=_parts(chief, {"network": "network", "venue": "venue"}),
        venue=_parts(chief, {"before": "before matching", "after": "after matching"}),
        client_ms=figure(chief, "client"),
        advice=list(advise(document, way, target_ms)),
    )


def _parts(series: Series, names: dict[str, str]) -> list[Part]:
    parts = [
        Part(name=words, ms=figure(series, name), orders=count(series, name)) for name, words in names.items()
    ]
    return sorted(parts, key=lambda part: (part.ms is None, -(part.ms or 0.0)))


def _sum(parts: list[Part]) -> str:
    """In words: ``venue 240.0 ms + network unknown``."""
    words = " + ".join(f"{part.name} {in_ms(part.ms)}" for part in parts)
    return words if all(part.ms is None for part in parts) else f"{words}, by median"


def _figures(series: Series, target_ms: float) -> Figures:
    answered = series.histogram("answered")
    within = [reached for mean_ns, reached in answered.cumulated() if mean_ns <= target_ms * _NS_PER_MS]
    return Figures(
        orders=answered.count,
        median_ms=figure(series, "answered") or 0.0,
        p99_ms=figure(series, "answered", "p99") or 0.0,
        within=max(within, default=0) / answered.count,
    )
