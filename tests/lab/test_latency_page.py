"""The page of ``bot latency``: whole, self-contained, and with all that was measured on it."""

import random
import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise

import attrs
import pytest
from measured_stage import document, far_away, noisy, order

from bot.lab.latency.document import ClockReading, Document
from bot.lab.latency.page import page
from bot.lab.latency.plots.axis import Axis, around
from bot.lab.latency.plots.typical import typical
from bot.lab.latency.verdict import judge
from bot.latency.distributions import REST, WS
from bot.latency.phases import PHASES

VOID = {"meta"}
CLOCK = ClockReading(ahead_ms=12.3, uncertainty_ms=3.4)


class Read(HTMLParser):
    """What is in a page, and whether every element is closed where it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, words: str) -> None:
        self.words.append(words)

    def having(self, class_: str) -> list[dict[str, str | None]]:
        return [told for _, told in self.tags if class_ in (told.get("class") or "").split()]


def read(measured: Document, target_ms: float = 200) -> Read:
    return Read(page(measured, judge(measured, target_ms)))


def both() -> Document:
    """Both ways, cold and warm."""
    rng = random.Random(1)
    cold = [order(way, {"network": 100.0, "venue": 20.0, "connect": 200.0}, warm=False) for way in (REST, WS)]
    warm = noisy(rng, 30, ways=(REST, WS), times={"network": 100.0}).orders
    return document([*cold, *warm], clock=CLOCK)


def kinds() -> dict[str, Document]:
    rng = random.Random(2)
    return {
        "story": far_away(200, 240),
        "both": both(),
        "nothing known": document([order(REST, {"away": 30.0})]),
        "cold only": document([order(WS, {"away": 30.0, "connect": 60.0}, warm=False)]),
        "no time at all": document([order(REST, dict.fromkeys(("away", *(name for name in PHASES)), 0.0))]),
        "wide": document(order(WS, {"away": 10 ** rng.uniform(-3, 3.5)}) for _ in range(100)),
        "none listed": attrs.evolve(far_away(5, 20), orders=[], left_out=20),
        "some listed": attrs.evolve(both(), orders=both().orders[:1], left_out=61),
        "empty": document([]),
    }


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_of_measurement_makes_a_page(kind: str) -> None:
    """Each element is closed, each picture has a name, nothing is drawn nowhere, and it comes out the same again."""
    text, again = (page(measured, judge(measured, 200)) for measured in (kinds()[kind], kinds()[kind]))
    found = Read(text)
    pictures = [told for tag, told in found.tags if tag == "svg" and told.get("aria-hidden") is None]
    assert all(told["role"] == "img" and "viewbox" in told for told in pictures)
    assert not re.search(r"\b(nan|inf)\b", text)
    assert text == again


def test_it_needs_nothing_but_itself() -> None:
    """No address, no script, and a policy that would keep a browser from loading anything."""
    measured = attrs.evolve(both(), conditions=attrs.evolve(both().conditions, venue=""))
    text = page(measured, judge(measured, 200))
    assert not re.search(r"https?:|//|@import|<script|<link|<img|src=|href=|\bon[a-z]+=", text)
    assert re.findall(r"url\([^)]*\)", text) == ["url(#hatch)"]
    assert "default-src 'none'; style-src 'unsafe-inline'" in text


def test_what_comes_from_data_is_escaped() -> None:
    """Wherever it is told."""
    evil = '</title></style></svg><script>alert("1")</script>&amp;'
    conditions = attrs.evolve(
        both().conditions,
        **dict.fromkeys(
            ("run_id", "begun_at", "environment", "venue", "program", "signing", "token_usage"), evil
        ),
        machine={evil: evil},
        simulated={evil: 1.0},
    )
    orders = [attrs.evolve(each, client_id=evil, way=f'"{evil}') for each in both().orders]
    series = [attrs.evolve(each, way=f'"{evil}') for each in both().series]
    measured = attrs.evolve(both(), conditions=conditions, orders=orders, series=series)
    text = page(measured, judge(measured, 200))
    assert "<script" not in text
    assert "".join(Read(text).words).count(evil) >= 7


def test_every_series_and_phase_is_there() -> None:
    """A bar, steps, a line, symbols and a table for each series; a row and an explanation for each phase."""
    found = read(both())
    titles = ["REST, warm", "REST, cold", "WebSocket, warm", "WebSocket, cold"]
    words = "\n".join(found.words)
    for name in titles:
        assert f"{name}: the parts of a typical order" in words
        assert f"{name}: what the client itself took" in words
        assert f"\n{name}: answered\n" in words
    captions = [each for each in found.words if re.search(r": \d+ answered$", each)]
    assert captions == [
        f"{name}: {count} answered" for name, count in zip(titles, (30, 1, 30, 1), strict=True)
    ]
    for look in ("rest-warm", "rest-cold", "ws-warm", "ws-cold"):
        drawn = [told["class"] for told in found.having(look)]
        kinds_drawn = Counter(str(name).split()[0] for name in drawn)
        assert kinds_drawn["stairs"] == kinds_drawn["answered"] + 2 == 4
        assert kinds_drawn["dot"] == 2 + 2 * 2
    for name, phase in PHASES.items():
        assert found.words.count(name) + found.words.count(f"{name} (30)") >= 1
        assert phase.words in found.words


def test_percentiles_are_those_of_the_histograms() -> None:
    """And what is not known is called so."""
    measured = both()
    found = read(measured)
    warm = next(series for series in measured.series if series.warm and series.way == REST)
    row = found.words[found.words.index("answered") :][1:6]
    assert row == [
        f"{warm.phases['answered']['ms'][name]:.1f}" for name in ("p50", "p90", "p99", "p99.9", "max")
    ]
    there = found.words.index("there")
    assert found.words[there + 1] == "unknown"


def test_bars_lie_end_to_end_and_add_up() -> None:
    """Until the answer; connection, network and venue in their order."""
    found = typical([each for each in far_away(200, 240).orders if not each.warm])
    assert found is not None
    parts = found.parts()
    assert [part.kind for part in parts] == [
        "client", "connection", "client", "network", "before", "after", "network", "client",
    ]  # fmt: skip
    for part, following in pairwise(parts):
        assert following.start_ms == pytest.approx(part.start_ms + part.ms)
    assert parts[-1].start_ms + parts[-1].ms == pytest.approx(found.ms["answered"])
    assert found.arrived_ms == pytest.approx(parts[4].start_ms)
    steps = list(found.steps())
    assert steps[-1].start_ms + steps[-1].ms == pytest.approx(found.ms["client"])


@pytest.mark.parametrize(
    ("known", "parts"),
    [
        ({"away": 9.0}, ["client", "client", "unknown", "client"]),
        ({"away": 9.0, "before": 4.0}, ["client", "client", "before", "unknown", "client"]),
        ({"network": 4.0, "venue": 5.0}, ["client", "client", "network", "venue", "network", "client"]),
    ],
)
def test_what_is_unknown_is_drawn_as_that(known: dict[str, float | None], parts: list[str]) -> None:
    """Hatched, and as long as it took."""
    measured = document([order(REST, known)])
    found = typical(measured.orders)
    assert found is not None
    assert [part.kind for part in found.parts()] == parts
    assert found.parts()[-1].start_ms + 0.2 == pytest.approx(found.ms["answered"])
    assert bool(read(measured).having("unknown")) == ("unknown" in parts)


def test_a_typical_order_is_of_the_middle() -> None:
    """A tenth of them; one that took long does not count, nor do a few of which less is known."""
    orders = [order(REST, {"network": float(ms), "venue": 1.0}) for ms in range(1, 100)]
    orders[49] = order(REST, {"away": 51.0})
    found = typical([*orders, order(REST, {"network": 5000.0, "venue": 1.0})])
    assert found is not None
    assert found.orders == 9
    assert found.ms["network"] == pytest.approx((46 + 47 + 48 + 49 + 51 + 52 + 53 + 54 + 55) / 9)
    assert typical([]) is None


def test_the_clocks_uncertainty_is_a_whisker() -> None:
    """Where a moment at the venue is placed on our time; not where the way there is unknown."""
    measured = attrs.evolve(far_away(200, 240), clock=CLOCK)
    found = read(measured)
    assert len(found.having("whisker")) == 3 * 2 * 2
    told = "The order arrived at the venue 101.0 ms after its decision, by both clocks: ± 3.400 ms"
    assert any(told in words for words in found.words)
    assert read(attrs.evolve(measured, clock=None)).having("whisker") == []
    assert read(document([order(REST, {"network": 5.0, "venue": 5.0})], clock=CLOCK)).having("whisker") == []


def test_a_target_that_is_far_off_is_told_and_not_drawn() -> None:
    """Else the plots would be empty."""
    near, far = read(document([order(REST, {"away": 60.0})])), read(document([order(REST, {"away": 30.0})]))
    assert near.having("target")
    assert far.having("target") == []
    assert any("The target, 200 ms, is beyond the axis." in words for words in far.words)


@pytest.mark.parametrize(
    ("axis", "written"),
    [
        (Axis(0, 450, 0, 1), [0, 100, 200, 300, 400]),
        (Axis(0.05, 3000, 0, 1, is_log=True), [0.1, 1, 10, 100, 1000]),
        (Axis(100, 900, 0, 1, is_log=True), [100, 200, 300, 500, 700]),
        (Axis(440, 445, 0, 1, is_log=True), [440, 441, 442, 443, 444, 445]),
        (Axis(0, 2, 0, 1, is_of_numbers=True), [0, 1, 2]),
    ],
)
def test_ticks_are_round(axis: Axis, written: list[float]) -> None:
    """And not too many."""
    assert axis.ticks(6) == pytest.approx(written)


def test_an_axis_has_room_for_what_is_drawn() -> None:
    """Also for a single value, and for values of no length."""
    for values in ([0.0], [5.0], [0.05, 3000.0]):
        for is_log in (False, True):
            axis = around(values, 200, 0, 100, is_log=is_log)
            places = [axis.at(value) for value in values]
            assert places == sorted(places)
            assert all(0 <= place <= 100 for place in places)
