"""How the orders spread: which share of them was answered within so many ms, and each of them in its turn."""

from collections.abc import Iterable, Iterator

from bot.lab.latency.document import Document, Sample, Series
from bot.lab.latency.names import figure, in_order, listed, title, values
from bot.lab.latency.plots.axis import LOG_FROM, Axis, around, below, beside, path
from bot.lab.latency.plots.markup import Layout, Markup, element, in_both, line, plain, plot, text

_NS_PER_MS = 1e6
_LEFT, _RIGHT, _TOP, _BOTTOM, _HEIGHT = 56, 20, 46, 330, 374


def look(series: Series) -> str:
    """The class that gives a series its colour; its lines and symbols differ, too."""
    return f"{series.way}-{'warm' if series.warm else 'cold'}"


def symbol(look_of: str, x: float, y: float, size: float = 4.5) -> str:
    """The data of a path: warm ones are round or square, cold ones stand on a corner."""
    twice, corner = plain(2 * size), plain(size + 1)
    match look_of:
        case "rest-warm":
            half = f"a{plain(size)},{plain(size)} 0 1 0"
            return f"M{plain(x - size)},{plain(y)}{half} {twice},0{half} -{twice},0z"
        case "ws-warm":
            return f"M{plain(x - size)},{plain(y - size)}h{twice}v{twice}h-{twice}z"
        case "rest-cold":
            return (
                f"M{plain(x)},{plain(y - size - 1)}l{corner},{corner}l-{corner},{corner}l-{corner},-{corner}z"
            )
    return f"M{plain(x)},{plain(y - size - 1)}l{corner},{plain(2 * size + 1)}h-{plain(2 * size + 2)}z"


def spread(document: Document, target_ms: float) -> Markup:
    """The empirical distribution functions of ``answered``, a line for each series."""
    all_series = in_order(document)
    names = ", ".join(title(series.way, warm=series.warm) for series in all_series)
    return in_both(
        lambda layout: plot(
            layout,
            _HEIGHT,
            f"The share of orders that were answered within so many ms: {names}",
            *_spread(layout, all_series, target_ms),
        )
    )


def _spread(layout: Layout, all_series: list[Series], target_ms: float) -> Iterator[Markup]:
    steps = [
        [(mean_ns / _NS_PER_MS, reached) for mean_ns, reached in series.histogram("answered").cumulated()]
        for series in all_series
    ]
    durations = [ms for each in steps for ms, _ in each]
    across = around(durations, target_ms, _LEFT, layout.width - _RIGHT, is_log=True)
    share = Axis(0, 100, _BOTTOM, _TOP)
    yield from beside(share, _LEFT, across.end, "orders that were answered by then, %")
    yield from below(across, _TOP, _BOTTOM, "ms from the decision until the answer (log)", layout)
    for series, each in zip(all_series, steps, strict=True):
        yield path(_stairs(each, across, share), f"stairs {look(series)}")
        for name, per_cent in (("p50", 50), ("p99", 99)):
            if (ms := figure(series, "answered", name)) is not None:
                yield element(
                    "path",
                    element("title", f"{title(series.way, warm=series.warm)}, {name}: {ms:.3f} ms"),
                    d=symbol(look(series), across.at(ms), share.at(per_cent)),
                    class_=f"dot {look(series)}",
                )

    if across.low <= target_ms <= across.high:
        x = across.at(target_ms)
        side, away = ("start", 4) if x < layout.width / 2 else ("end", -4)
        yield line(x, _TOP - 4, x, _BOTTOM, "target")
        yield text(x + away, _TOP + 12, f"target {target_ms:g}", side)


def _stairs(steps: list[tuple[float, int]], across: Axis, share: Axis) -> Iterator[tuple[float, float]]:
    """Corners; of those that fall on one pixel the last one is enough."""
    count, height = steps[-1][1], share.at(0)
    drawn_at = across.start
    yield across.start, height
    for number, (ms, reached) in enumerate(steps):
        x = across.at(ms)
        if x - drawn_at >= 0.5 or number in {0, len(steps) - 1}:
            yield x, height
            height = share.at(100 * reached / count)
            yield x, height
            drawn_at = x
    yield across.end, height


def in_turn(document: Document, target_ms: float) -> Markup:
    """Order by order: until the answer, and lighter until the orders channel confirmed it."""
    return in_both(
        lambda layout: plot(
            layout,
            _HEIGHT,
            f"What each of {len(document.orders)} orders took, in the order in which they were decided",
            *_in_turn(layout, document, target_ms),
        )
    )


def _in_turn(layout: Layout, document: Document, target_ms: float) -> Iterator[Markup]:
    orders = document.orders
    durations = [*values(orders, "answered"), *values(orders, "confirmed")]
    is_log = max(durations) > LOG_FROM * max(min(durations), 0.0)
    upwards = around(durations, target_ms, _BOTTOM, _TOP, is_log=is_log)
    across = Axis(0, orders[-1].number + 1, _LEFT, layout.width - _RIGHT, is_of_numbers=True)
    yield from beside(upwards, _LEFT, across.end, f"ms since the decision{' (log)' if is_log else ''}")
    yield from below(across, _BOTTOM, _BOTTOM, "number of the order", layout)
    of_series = [(series, listed(document, series.way, warm=series.warm)) for series in in_order(document)]
    large = 3.5 if len(orders) <= 300 else 2.5
    for phase, size in (("confirmed", large - 1), ("answered", large)):
        for series, chosen in of_series:
            data = _symbols(chosen, phase, look(series), across, upwards, size)
            if data:
                told = element("title", f"{title(series.way, warm=series.warm)}: {phase}")
                yield element("path", told, d=data, class_=f"{phase} {look(series)}")
    if upwards.low <= target_ms <= upwards.high:
        y = upwards.at(target_ms)
        yield line(_LEFT, y, across.end, y, "target")
        yield text(across.end, y - 5, f"target {target_ms:g}", "end")


def _symbols(
    orders: Iterable[Sample], phase: str, look_of: str, across: Axis, upwards: Axis, size: float
) -> str:
    """Of those that fall on the same pixel one is drawn."""
    places = dict.fromkeys(
        (round(across.at(order.number)), round(upwards.at(ms)))
        for order in orders
        if (ms := order.ms.get(phase)) is not None
    )
    return "".join(symbol(look_of, x, y, size) for x, y in places)
