"""Where the time of a typical order goes: its parts end to end, and the client's own as steps."""

from collections.abc import Callable, Iterator

from bot.lab.latency.document import ClockReading
from bot.lab.latency.names import digits, in_ms
from bot.lab.latency.plots.axis import below, from_zero
from bot.lab.latency.plots.markup import Layout, Markup, element, in_both, line, plot, text
from bot.lab.latency.plots.typical import Part, Typical
from bot.latency.phases import PHASES

KINDS = {
    "client": "the client",
    "connection": "a connection is opened",
    "network": "the network",
    "venue": "the venue",
    "before": "the venue, before matching",
    "after": "the venue, after matching",
    "unknown": "network and venue, unknown which",
}

_SHORT = {
    "client": "client",
    "connection": "connect",
    "network": "network",
    "venue": "venue",
    "before": "before",
    "after": "after",
    "unknown": "unknown",
}

_LEFT, _RIGHT = 10, 70
_BAR, _BAR_HEIGHT = 24, 36
_CHARACTER = 7.5
"""Pixels, about."""

_STEP, _STEPS_LEFT, _STEPS_RIGHT = 24, 64, 64
_STEPS_WIDE = Layout("steps", 360)


def waterfall(
    name: str, typical: Typical, until_ms: float, target_ms: float, clock: ClockReading | None
) -> Markup:
    """One series, on an axis until ``until_ms``."""
    return in_both(
        lambda layout: plot(
            layout,
            _BAR + _BAR_HEIGHT + 84,
            f"{name}: the parts of a typical order, {in_ms(typical.ms['answered'])} in all",
            *_bars(layout, typical, until_ms, target_ms, clock),
        )
    )


def _bars(
    layout: Layout, typical: Typical, until_ms: float, target_ms: float, clock: ClockReading | None
) -> Iterator[Markup]:
    axis = from_zero(until_ms, _LEFT, layout.width - _RIGHT)
    end = _BAR + _BAR_HEIGHT
    bottom = end + 42
    yield from below(axis, _BAR - 6, bottom, "ms since the decision", layout)
    if target_ms <= until_ms:
        x = axis.at(target_ms)
        yield line(x, _BAR - 6, x, bottom, "target")
        yield text(x, 13, f"target {target_ms:g}", _anchor(x, layout))
    for part in typical.parts():
        x, right = axis.at(part.start_ms), axis.at(part.start_ms + part.ms)
        told = element("title", f"{part.name}: {in_ms(part.ms)}")
        yield element(
            "rect",
            told,
            x=x,
            y=_BAR,
            width=max(right - x, 0.5),
            height=_BAR_HEIGHT,
            class_=f"part {part.kind}",
        )
        words = f"{_SHORT[part.kind]} {digits(part.ms)}"
        words = words if len(words) * _CHARACTER < right - x else _SHORT[part.kind]
        if len(words) * _CHARACTER < right - x:
            yield text((x + right) / 2, _BAR + 23, words, "middle", f"on-{part.kind}")
    whole_ms = typical.ms["answered"]
    yield text(axis.at(whole_ms) + 6, _BAR + 23, digits(whole_ms), class_="strong")
    if (confirmed_ms := typical.ms.get("confirmed")) is not None:
        x = axis.at(confirmed_ms)
        yield element("path", d=f"M{x:.1f},{end + 2}l-5,9h10z", class_="marker")
        yield text(x, end + 24, f"confirmed {digits(confirmed_ms)}", _anchor(x, layout))
    if (arrived_ms := typical.arrived_ms) is not None and clock is not None:
        early, late = arrived_ms - clock.uncertainty_ms, arrived_ms + clock.uncertainty_ms
        yield from _whisker(axis.at(early), axis.at(late), end + 34)


def _whisker(left: float, right: float, y: float) -> Iterator[Markup]:
    """The bounds between which the order arrived at the venue."""
    yield line(left, y, right, y, "whisker")
    yield line(left, y - 4, left, y + 4, "whisker")
    yield line(right, y - 4, right, y + 4, "whisker")


def _anchor(x: float, layout: Layout) -> str:
    return "start" if x < 60 else "end" if x > layout.width - 60 else "middle"


def steps(name: str, typical: Typical, until_ms: float) -> Markup:
    """The client's own part of one series, phase by phase."""
    own = list(typical.steps())
    axis = from_zero(until_ms, _STEPS_LEFT, _STEPS_WIDE.width - _STEPS_RIGHT)
    bottom = _STEP * len(own) + 6
    return plot(
        _STEPS_WIDE,
        bottom + 40,
        f"{name}: what the client itself took, {in_ms(sum(part.ms for part in own))} in all",
        *below(axis, 0, bottom, "ms, without connection, network and venue", _STEPS_WIDE),
        *(drawn for row, part in enumerate(own) for drawn in _step(axis.at, row, part)),
    )


def _step(at: Callable[[float], float], row: int, part: Part) -> Iterator[Markup]:
    top, x, right = _STEP * row + 4, at(part.start_ms), at(part.start_ms + part.ms)
    yield text(_STEPS_LEFT - 8, top + 13, part.name, "end")
    yield element(
        "rect",
        element("title", f"{part.name}: {PHASES[part.name].words}: {in_ms(part.ms)}"),
        x=x,
        y=top,
        width=max(right - x, 1),
        height=_STEP - 8,
        class_="part client",
    )
    yield text(right + 5, top + 13, digits(part.ms), class_="strong")
