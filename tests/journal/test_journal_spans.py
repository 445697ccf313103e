"""The moments of an order's way, from the records of a session: of real ones, and of ones that were made by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from bot.core.tape import Kind
from bot.journal import spans as module
from bot.journal.reader import find
from bot.journal.record import Record
from bot.journal.spans import Span, Spans
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
        until_it_left = (span.begun_ns, span.hashed_ns, span.signed_ns, span.leaving_ns, span.written_ns)
        assert set(until_it_left) == {span.decided_ns}
        assert span.first_ns - span.written_ns == pytest.approx(AWAY_NS, abs=10)
        assert span.parsed_ns == span.first_ns
        assert span.confirmed_ns == pytest.approx(span.first_ns, abs=10)
        assert (span.reused, span.rtt_us) == (True, None)


# By hand.

WIRE = {
    "x": 7,
    "reused": False,
    "idle_ns": 3,
    "written_ns": 160,
    "first_ns": 170,
    "parsed_ns": 180,
    "rtt_us": 40,
}
DECIDED = (100, Kind.EFFECT, {"do": "place", "client_id": "a"})
INTENT = (140, Kind.INTENT, {"what": "place", "client_id": "a", "sent_ns": 140, "sign_ns": 30, "hash_ns": 10})
REQUEST = (150, Kind.REQUEST, {"x": 7, "method": "POST", "path": "/orders", "body": '{"client_id":"a"}'})
ANSWERED = (181, Kind.WIRE, WIRE)


def heard(ns: int, status: str, client_id: str = "a") -> tuple[int, Kind, str]:
    data = {"id": "1", "market": "BTC-USD-PERP", "status": status, "client_id": client_id}
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
    written_ns=160,
    first_ns=170,
    parsed_ns=180,
    confirmed_ns=175,
    reused=False,
    idle_ns=3,
    rtt_us=40,
)


def test_the_confirmation_may_come_before_the_answer_or_after_it() -> None:
    """NEW is none, nor is what comes later; without any the span comes at the end."""
    way = (DECIDED, INTENT, REQUEST)
    assert of(*way, heard(165, "NEW"), heard(175, "OPEN"), ANSWERED, heard(190, "CLOSED")) == [WHOLE]
    late = attrs.evolve(WHOLE, confirmed_ns=190)
    assert of(*way, ANSWERED, heard(185, "OPEN", "b"), heard(190, "CLOSED")) == [late]
    assert of(*way, ANSWERED) == [attrs.evolve(WHOLE, confirmed_ns=None)]


def test_an_older_program_told_less() -> None:
    """Where it did not tell the hash apart all is the signature's; without a wire there is no span."""
    intent = (140, Kind.INTENT, {name: value for name, value in INTENT[2].items() if name != "hash_ns"})
    [span] = of(DECIDED, intent, REQUEST, heard(175, "OPEN"), ANSWERED)
    assert span == attrs.evolve(WHOLE, hashed_ns=110)
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
