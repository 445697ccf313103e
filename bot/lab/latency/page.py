"""A measurement as a page for browsers: one file, which needs no script, no network and no font of its own."""

from collections.abc import Iterator

from bot.core.histogram import PERCENTILES
from bot.lab.latency.document import Document, Series
from bot.lab.latency.looks import STYLE
from bot.lab.latency.names import count, digits, figure, in_ms, in_order, title
from bot.lab.latency.pictures import spreads, waterfalls
from bot.lab.latency.plots.markup import Markup, element
from bot.lab.latency.verdict import Ruling, Verdict
from bot.latency.phases import PHASES

_HEAD = Markup(
    '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
)

_HATCH = Markup(
    '<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>'
    '<pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<line x1="0" y1="0" x2="0" y2="7" class="hatch"></line></pattern></defs></svg>'
)


def page(document: Document, verdict: Verdict) -> str:
    """The same document and verdict make the same page."""
    heading = f"Latency of orders: {document.conditions.run_id}"
    body = element(
        "body",
        _HATCH,
        element("h1", heading),
        element("p", "Where the time of each order goes, from its decision until its answer.", class_="note"),
        *_judged(verdict),
        *_conditions(document, verdict),
        *waterfalls(document, verdict.target_ms),
        *spreads(document, verdict.target_ms),
        *_tables(document),
        *_glossary(),
    )
    head = element("head", _HEAD, element("title", heading), element("style", Markup(STYLE)))
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _judged(verdict: Verdict) -> Iterator[Markup]:
    cards = [_card(ruling) for ruling in verdict.rulings]
    yield element("div", *cards, class_="cards")
    yield from (element("p", note, class_="note") for note in verdict.notes())


def _card(ruling: Ruling) -> Markup:
    kind = {True: "met", False: "missed", None: "open"}[ruling.met]
    advice = [element("li", each.text) for each in ruling.advice]
    return element(
        "section",
        element("h2", ruling.headline()),
        *(element("p", sentence) for sentence in ruling.sentences()),
        *((element("h3", ruling.advice_heading()), element("ul", *advice)) if advice else ()),
        class_=f"card {kind}",
    )


def _conditions(document: Document, verdict: Verdict) -> Iterator[Markup]:
    conditions, clock = document.conditions, document.clock
    told = {
        "Target": f"{verdict.target_ms:g} ms",
        "Orders": "; ".join(
            f"{title(series.way, warm=series.warm)}: {count(series)}" for series in in_order(document)
        ),
        "Begun": conditions.begun_at,
        "Environment": conditions.environment,
        "Venue": conditions.venue,
        "Program": conditions.program,
        "Machine": ", ".join(f"{name} {value}" for name, value in conditions.machine.items()),
        "Signed by": conditions.signing,
        "Simulated": ", ".join(f"{name} {ms:g}" for name, ms in (conditions.simulated or {}).items()),
        "Venue's clock": ""
        if clock is None
        else f"{in_ms(clock.ahead_ms)} ahead of ours, and no more than {in_ms(clock.uncertainty_ms)} from that",
    }
    yield element("h2", "Conditions")
    rows = [
        (element("dt", name), element("dd", words or "unknown"))
        for name, words in told.items()
        if words or name != "Simulated"
    ]
    yield element("dl", *(cell for row in rows for cell in row))


def _tables(document: Document) -> Iterator[Markup]:
    yield element("h2", "Percentiles of each phase, ms")
    yield element(
        "p",
        "Phases that took no time are left out. In brackets: of how many orders it is known, if not of all. "
        "With fewer than 100 orders p99 is the largest value, with fewer than 1000 p99.9 is.",
        class_="note",
    )
    for series in in_order(document):
        yield element("div", _table(series), class_="scrolled")


def _table(series: Series) -> Markup:
    columns = (*PERCENTILES, "max")
    rows: list[Markup] = []
    for name, phase in PHASES.items():
        figures = [figure(series, name, column) for column in columns]
        if figures[-1] == 0:
            continue
        some = f" ({count(series, name)})" if 0 < count(series, name) < count(series) else ""
        cells = [digits(ms) for ms in figures if ms is not None]
        unknown = element("td", "unknown", colspan=str(len(columns)))
        rows.append(
            element(
                "tr",
                element("th", name + some, scope="row"),
                *([element("td", cell) for cell in cells] if cells else [unknown]),
                class_="total" if phase.is_total else None,
            )
        )
    heads = [element("th", column, scope="col") for column in ("phase", *columns)]
    return element(
        "table",
        element("caption", f"{title(series.way, warm=series.warm)}: {count(series)} answered"),
        element("thead", element("tr", *heads)),
        element("tbody", *rows),
    )


def _glossary() -> Iterator[Markup]:
    yield element("h2", "The phases")
    yield element(
        "p",
        "In the order in which they happen; those marked with * are made of others. "
        "Cold orders had to open their connection, warm ones found it open.",
        class_="note",
    )
    rows = [
        (element("dt", name + (" *" if phase.is_total else "")), element("dd", phase.words))
        for name, phase in PHASES.items()
    ]
    yield element("dl", *(cell for row in rows for cell in row))
