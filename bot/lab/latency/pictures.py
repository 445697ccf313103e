"""The plots of the page, with what is to be read beside them."""

from collections.abc import Iterator

import attrs

from bot.lab.latency.document import ClockReading, Document, Series
from bot.lab.latency.names import count, counted, figure, in_ms, in_order, listed, title
from bot.lab.latency.plots.axis import FAR
from bot.lab.latency.plots.markup import Markup, element
from bot.lab.latency.plots.spread import in_turn, look, spread, symbol
from bot.lab.latency.plots.typical import Typical, typical
from bot.lab.latency.plots.waterfall import KINDS, steps, waterfall

_APART = 25.0
"""Where one series takes so many times as long as another, each has an axis of its own."""


@attrs.frozen
class _Drawn:
    name: str
    orders: int
    """In the series."""

    typical: Typical

    @property
    def end_ms(self) -> float:
        return max(self.typical.ms["answered"], self.typical.ms.get("confirmed", 0.0))

    @property
    def own_ms(self) -> float:
        return sum(part.ms for part in self.typical.steps())


def waterfalls(document: Document, target_ms: float) -> Iterator[Markup]:
    """A typical order of each series: its parts end to end, and the client's own as steps."""
    drawn, missing = list[_Drawn](), list[str]()
    for series in in_order(document):
        name = title(series.way, warm=series.warm)
        found = typical(listed(document, series.way, warm=series.warm))
        if found is None:
            missing.append(name)
        else:
            drawn.append(_Drawn(name, count(series), found))
    yield element("h2", "Where a typical order's time goes")
    yield element(
        "p",
        "Each bar is the mean of the middle tenth of a series, by the time until the answer: so its parts add up. "
        "The triangle is when the orders channel confirmed the order, which may be before the answer.",
        class_="note",
    )
    ends = [each.end_ms for each in drawn]
    for each in drawn:
        until_ms = max(ends) if max(ends) <= _APART * min(ends) else each.end_ms
        if until_ms < target_ms <= FAR * until_ms:
            until_ms = 1.05 * target_ms
        middle = f"mean of {each.typical.orders} of {counted(each.orders, 'order')}"
        yield element("h3", f"{each.name}: {in_ms(each.typical.ms['answered'])}, {middle}")
        yield element(
            "figure",
            waterfall(each.name, each.typical, until_ms, target_ms, document.clock),
            _parts(each.typical),
            element("figcaption", " ".join(_remarks(each.typical, document.clock, until_ms, target_ms))),
        )
    if drawn:
        yield element("h3", "The client's own part")
        yield element("div", *_own(drawn), class_="grid-of-steps")
    if missing:
        yield element("p", f"No order is listed one by one: {'; '.join(missing)}.", class_="note")


def _own(drawn: list[_Drawn]) -> Iterator[Markup]:
    longest = max(each.own_ms for each in drawn)
    shared = longest <= _APART * min(each.own_ms for each in drawn)
    for each in drawn:
        caption = element("figcaption", f"{each.name}: {in_ms(each.own_ms)}")
        yield element("figure", caption, steps(each.name, each.typical, longest if shared else each.own_ms))


def _parts(found: Typical) -> Markup:
    """The numbers of each kind, as some bars are too short for theirs."""
    sums = dict[str, float]()
    for part in found.parts():
        sums[part.kind] = sums.get(part.kind, 0.0) + part.ms
    keys = [
        element("li", _swatch(kind), f"{words} {in_ms(sums[kind])}")
        for kind, words in KINDS.items()
        if kind in sums
    ]
    if "confirmed" in found.ms:
        keys.append(element("li", f"▲ confirmed after {in_ms(found.ms['confirmed'])}"))
    return element("ul", *keys, class_="keys")


def _swatch(kind: str) -> Markup:
    box = element("rect", x=1, y=2, width=28, height=12, class_=f"part {kind}")
    return element("svg", box, viewBox="0 0 30 16", aria_hidden="true")


def _remarks(found: Typical, clock: ClockReading | None, until_ms: float, target_ms: float) -> Iterator[str]:
    if target_ms > until_ms:
        yield f"The target, {target_ms:g} ms, is beyond the axis."
    if "network" not in found.ms:
        yield "How much of it was the network's and how much the venue's is not known."
    elif found.arrived_ms is None:
        yield "Half of the network's time is drawn on each side of the venue's: how it splits is not known."
    elif clock is not None:
        yield (
            f"The order arrived at the venue {in_ms(found.arrived_ms)} after its decision, by both clocks: "
            f"± {in_ms(clock.uncertainty_ms)}, which is the whisker below the bar."
        )
    if "confirmed" not in found.ms:
        yield "When the orders channel confirmed them is not known of all of these."


def spreads(document: Document, target_ms: float) -> Iterator[Markup]:
    """How the orders of each series spread, and what each order took."""
    found = in_order(document)
    yield element("h2", "How the orders spread")
    if not found:
        yield element("p", "No order was answered.", class_="note")
        return
    legend = element("ul", *map(_legend, found), class_="keys")
    yield legend
    caption = "The symbols mark p50 and p99."
    yield element("figure", spread(document, target_ms), element("figcaption", caption))
    yield element("h2", "Order by order")
    if not document.orders:
        yield element("p", "No order is listed one by one.", class_="note")
        return
    yield legend
    told = "Large: until the answer. Small and lighter: until the orders channel confirmed it, where it did."
    if document.left_out:
        told += f" {counted(document.left_out, 'later order')} counted above, and not listed here."
    yield element("figure", in_turn(document, target_ms), element("figcaption", told))


def _legend(series: Series) -> Markup:
    own = look(series)
    stroke = element("path", d="M0,8h30", class_=f"stairs {own}")
    mark = element("path", d=symbol(own, 15, 8), class_=f"dot {own}")
    medians = f"p50 {in_ms(figure(series, 'answered'))}, p99 {in_ms(figure(series, 'answered', 'p99'))}"
    words = f"{title(series.way, warm=series.warm)}: {counted(count(series), 'order')}, {medians}"
    return element("li", element("svg", stroke, mark, viewBox="0 0 30 16", aria_hidden="true"), words)
