"""The moments of an order's way, from the records of a session: of real ones, and of ones that were made by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from bot.core.tape import Kind
from bot.core.wire import Wire
from bot.journal.reader import find
from bot.journal.record import Record
from bot.latency import spans as module
from bot.latency.spans import Span, Spans
from bot.paradex.timing import VenueTimes
from bot.settings import Settings
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.trading.strategies.probe import ProbeSettings

DELAY, PROCESSING_MS = 0.05, 20.0
AWAY_NS = 2 * DELAY * 1e9 + PROCESSING_MS * 1e6


def spans(records: list[Record]) -> list[Span]:
    met = Spans()
    return [span for record in records for span in met.meet(record)] + list(met.rest())


@pytest.mark.parametrize("via", ["rest", "ws"])
def test_each_order_of_a_session(via: str, tmp_path: Path) -> None:
    """In virtual time nothing takes time but the way and the venue: so that is where all of it went."""
    defaults = Settings()
    settings = attrs.evolve(
        defaults,
        strategy=ProbeSettings(pause=0.5),
        orders=attrs.evolve(defaults.orders, via=via),
        exchange=attrs.evolve(defaults.exchange, processing_ms=PROCESSING_MS),
    )

    async def trade(rehearsal: Rehearsal) -> int:
        return (await rehearsal.trade(6)).orders.placed

    placed = rehearse(trade, settings, delay=DELAY, journal=tmp_path / "session.journal")
    records = list(find(tmp_path / "session.journal"))
    found = spans(records)
    assert len({span.client_id for span in found}) == len(found) == placed > 3
    decided = {
        record.data["client_id"]: record.ns
        for record in records
        if record.kind is Kind.EFFECT and record.data["do"] == "place"
    }
    for span in found:
        assert span.over_websocket == (via == "ws")
        assert span.decided_ns == decided[span.client_id]
        wire = span.wire
        until_it_left = (span.begun_ns, span.hashed_ns, span.signed_ns, span.leaving_ns, wire.written_ns)
        assert set(until_it_left) == {span.decided_ns}
        assert wire.first_ns - wire.written_ns == pytest.approx(AWAY_NS, abs=10)
        assert wire.parsed_ns == wire.first_ns
        assert span.confirmed_ns == pytest.approx(wire.first_ns, abs=10)
        assert (wire.reused, wire.rtt_us, wire.opened_ns) == (True, None, None)
        # What the venue says is in its own time, which begins elsewhere: ms over REST, µs and ns over the WebSocket.
        venue, exact_ns = span.venue, 2_000 if via == "ws" else 1_000_000
        assert venue.received_ns is not None
        assert venue.matched_ns is not None
        assert venue.published_ns is not None
        assert venue.matched_ns - venue.received_ns == pytest.approx(PROCESSING_MS * 1e6, abs=1_000_000)
        assert venue.published_ns == pytest.approx(venue.matched_ns, abs=1_000_000)
        assert (venue.answered_ns is not None) == (via == "ws")
        if venue.answered_ns is not None:
            assert venue.answered_ns - venue.received_ns == pytest.approx(PROCESSING_MS * 1e6, abs=exact_ns)
        assert span.clock is not None
        arrived_ns = venue.received_ns - span.clock.ahead_ns
        assert arrived_ns - wire.written_ns == pytest.approx(
            DELAY * 1e9, abs=span.clock.uncertainty_ns + exact_ns
        )
        assert (
            span.clock.uncertainty_ns < DELAY * 1e9 + 2_000_000
        )  # half of the network's round trip, and no more


# By hand.

WIRE = {
    "x": 7,
    "reused": False,
    "idle_ns": 3,
    "opened_ns": 155,
    "written_ns": 160,
    "first_ns": 170,
    "parsed_ns": 180,
    "rtt_us": 40,
}
DECIDED = (100, Kind.EFFECT, {"do": "place", "client_id": "a"})
INTENT = (140, Kind.INTENT, {"what": "place", "client_id": "a", "sent_ns": 140, "sign_ns": 30, "hash_ns": 10})
REQUEST = (150, Kind.REQUEST, {"x": 7, "method": "POST", "path": "/orders", "body": '{"client_id":"a"}'})
ANSWERED = (181, Kind.WIRE, WIRE)


def heard(ns: int, status: str, client_id: str = "a", **others: Any) -> tuple[int, Kind, str]:
    data = {"id": "1", "market": "BTC-USD-PERP", "status": status, "client_id": client_id} | others
    params = {"channel": "orders.BTC-USD-PERP", "data": data}
    return ns, Kind.FRAME_IN, json.dumps({"method": "subscription", "params": params})


def of(*told: tuple[int, Kind, Any]) -> list[Span]:
    return spans([Record(number, ns, 1, kind, data) for number, (ns, kind, data) in enumerate(told, 1)])


WHOLE = Span(
    client_id="a",
    over_websocket=False,
    decided_ns=100,
    begun_ns=110,
    hashed_ns=120,
    signed_ns=140,
    leaving_ns=150,
    wire=Wire(
        x=7, reused=False, idle_ns=3, opened_ns=155, written_ns=160, first_ns=170, parsed_ns=180, rtt_us=40
    ),
    confirmed_ns=175,
    venue=VenueTimes(),
    clock=None,
)


def test_the_confirmation_may_come_before_the_answer_or_after_it() -> None:
    """NEW is none, nor is what comes later; without any the span comes at the end."""
    way = (DECIDED, INTENT, REQUEST)
    assert of(*way, heard(165, "NEW"), heard(175, "OPEN"), ANSWERED, heard(190, "CLOSED")) == [WHOLE]
    late = attrs.evolve(WHOLE, confirmed_ns=190)
    assert of(*way, ANSWERED, heard(185, "OPEN", "b"), heard(190, "CLOSED")) == [late]
    assert of(*way, ANSWERED) == [attrs.evolve(WHOLE, confirmed_ns=None)]


def test_an_older_program_told_less() -> None:
    """Where it told neither hash nor opening apart they are the others'; without a wire there is no span."""
    intent = (140, Kind.INTENT, {name: value for name, value in INTENT[2].items() if name != "hash_ns"})
    wire = {name: value for name, value in WIRE.items() if name != "opened_ns"}
    [span] = of(DECIDED, intent, REQUEST, heard(175, "OPEN"), (181, Kind.WIRE, wire))
    assert span == attrs.evolve(WHOLE, hashed_ns=110, wire=attrs.evolve(WHOLE.wire, opened_ns=None))
    assert of(DECIDED, INTENT, REQUEST, heard(175, "OPEN")) == []


@pytest.mark.parametrize(
    "broken",
    [
        lambda told: [each for each in told if each[1] is not Kind.EFFECT],
        lambda told: [
            *told[:3],
            (181, Kind.FAILURE, {"x": 7, "failure": "unknown"}),
            *told[3:],
        ],
        lambda told: [*told[:3], (181, Kind.WIRE, {"x": 7, "written_ns": "soon"})],
        lambda told: [*told[:3], (181, Kind.WIRE, WIRE | {"x": 8})],
        lambda told: [
            DECIDED,
            (140, Kind.INTENT, {"what": "place"}),
            (150, Kind.REQUEST, {"x": 7}),
            *told[3:],
        ],
    ],
    ids=["nobody decided it", "it failed", "an odd wire", "another's wire", "odd records"],
)
def test_what_is_no_span(broken: Callable[[list[Any]], list[Any]]) -> None:
    """Orders that failed, batches and records that make no sense are passed over."""
    assert of(*broken([DECIDED, INTENT, REQUEST, ANSWERED])) == []


def test_only_so_many_wait_for_their_confirmation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is handed out without."""
    monkeypatch.setattr(module, "REMEMBERED", 2)
    told = [
        (ns, kind, json.loads(json.dumps(data).replace('"a', f'"a{number}')))
        for number in range(3)
        for ns, kind, data in (DECIDED, INTENT, REQUEST, ANSWERED)
    ]
    met = Spans()
    early = [
        span.client_id
        for number, (ns, kind, data) in enumerate(told, 1)
        for span in met.meet(Record(number, ns, 1, kind, data))
    ]
    assert (early, [span.client_id for span in met.rest()]) == (["a0"], ["a1", "a2"])


# What the venue says.

CALL = {"x": 7, "of": 1, "frame": '{"id":5,"method":"order.create","params":{"client_id":"a"}}'}
CALLED = (150, Kind.FRAME_OUT, CALL)
T_MS = 1_700_000_000_000
REPLY = {
    "id": 5,
    "result": {"order": {}, "created_at": T_MS + 3, "received_at": T_MS * 1_000_000 + 7},
    "usIn": T_MS * 1000 + 1,
    "usOut": T_MS * 1000 + 9,
    "usDiff": 8,
}


def replied(**changes: Any) -> tuple[int, Kind, str]:
    told = {name: value for name, value in (REPLY | changes).items() if value is not None}
    return 170, Kind.FRAME_IN, json.dumps(told)


@pytest.mark.parametrize(
    ("changes", "times"),
    [
        ({}, (7, 3_500_000, 9_500)),
        ({"result": {"order": {}}}, (1_500, None, 9_500)),
        ({"usOut": None}, (7, 3_500_000, 9_500)),
        ({"usIn": T_MS * 10**6 + 11, "usOut": T_MS * 10**6 + 19}, (7, 3_500_000, 19)),
        ({"usIn": T_MS * 10**6 + 11, "usOut": None, "usDiff": 4}, (7, 3_500_000, 15)),
        ({"usIn": None, "usOut": None}, (7, 3_500_000, None)),
        (
            {"usIn": "soon", "usOut": True, "result": {"created_at": 10**30, "received_at": -1}},
            (None, None, None),
        ),
        ({"id": 6}, (None, None, None)),
    ],
    ids=[
        "all",
        "no more than the reply's",
        "no usOut",
        "in ns",
        "in ns, without usOut",
        "the result's only",
        "odd",
        "another's",
    ],
)
def test_a_reply_says_how_long_the_venue_had_the_call(
    changes: dict[str, Any], times: tuple[int | None, ...]
) -> None:
    """In whichever unit; a stamp stands for the middle of it."""
    [span] = of(DECIDED, INTENT, CALLED, replied(**changes), ANSWERED, heard(190, "OPEN"))
    since = [
        None if ns is None else ns - T_MS * 1_000_000
        for ns in (span.venue.received_ns, span.venue.matched_ns, span.venue.answered_ns)
    ]
    assert since == list(times)
    assert span.over_websocket


def test_the_orders_channel_says_what_the_reply_does_not() -> None:
    """The reply's word counts where both say it, for it is finer."""
    data: dict[str, Any] = {"received_at": T_MS + 1, "created_at": T_MS + 2, "published_at": T_MS + 4}
    update = heard(190, "OPEN", **data)
    [over_http] = of(DECIDED, INTENT, REQUEST, ANSWERED, update)
    middle_ns = T_MS * 1_000_000 + 500_000
    assert over_http.venue == VenueTimes(
        received_ns=middle_ns + 1_000_000,
        matched_ns=middle_ns + 2_000_000,
        published_ns=middle_ns + 4_000_000,
    )
    [over_socket] = of(DECIDED, INTENT, CALLED, replied(), ANSWERED, update)
    assert over_socket.venue == VenueTimes(
        received_ns=T_MS * 1_000_000 + 7,
        matched_ns=middle_ns + 3_000_000,
        published_ns=middle_ns + 4_000_000,
        answered_ns=T_MS * 1_000_000 + 9_500,
    )


def test_the_clock_is_known_by_what_the_venue_says_of_the_time() -> None:
    """And by replies; not by what cannot be read, nor by an answer that never came."""
    asked = (10, Kind.REQUEST, {"x": 3, "method": "GET", "path": "/system/time"})
    told = (30, Kind.ANSWER, {"x": 3, "body": json.dumps({"server_time": str(T_MS)})})
    way = (DECIDED, INTENT, REQUEST, ANSWERED, heard(190, "OPEN"))
    [span] = of(asked, told, *way)
    assert span.clock is not None
    assert abs(span.clock.ahead_ns - (T_MS * 1_000_000 + 500_000 - 20)) <= 1
    assert span.clock.uncertainty_ns == pytest.approx(500_010, abs=2)
    odd = (30, Kind.ANSWER, {"x": 3, "body": "<html>"})
    lost = (30, Kind.FAILURE, {"x": 3, "failure": "unknown"})
    assert [
        span.clock for span in (*of(asked, odd, *way), *of(asked, lost, told, *way), *of(told, *way))
    ] == [None] * 3
    [span] = of(DECIDED, INTENT, CALLED, replied(), ANSWERED, heard(190, "OPEN"))
    assert span.clock is not None
    assert span.clock.ahead_ns == pytest.approx(T_MS * 1_000_000, abs=10_000)
