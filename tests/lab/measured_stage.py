"""Measurements that were never made: orders from their phases, and a document from orders."""

import math
import random
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from bot.core.histogram import Histogram
from bot.lab.latency.document import ClockReading, Conditions, Document, Sample, Series
from bot.latency.distributions import REST, WORDS
from bot.latency.phases import PHASES

CLIENT = {"turn": 0.05, "hash": 0.1, "sign": 0.4, "encode": 0.3, "write": 0.1, "parse": 0.2}
"""ms; together 1.15"""

CONDITIONS = Conditions(
    run_id="1a3185c5000-d8f16adf",
    begun_at="2026-11-23 21:00:00 UTC",
    environment="embedded",
    venue="https://localhost:8443/v1",
    program="0.1.0",
    machine={"system": "linux", "python": "3.11.9"},
    signing="fast-stark-crypto",
)


def order(way: str, ms: Mapping[str, float | None], *, warm: bool = True) -> Sample:
    """One order; what is not in ``ms`` is the client's usual, 0 for the connection, and else unknown."""
    parts: dict[str, float | None] = {**CLIENT, "connect": 0.0, "away": None, **ms}
    known = {name: took or 0.0 for name, took in parts.items()}
    if parts["away"] is None:
        parts["away"] = known["away"] = known.get("network", 0.0) + known.get("venue", 0.0)
    client = sum(known[name] for name in CLIENT)
    parts |= {
        "client": client,
        "overhead": client - known["hash"] - known["sign"],
        "answered": client + known["connect"] + known["away"],
    }
    return Sample(
        number=1,
        client_id=CONDITIONS.run_id,
        way=way,
        warm=warm,
        at_s=0.0,
        idle_ms=0.0,
        ms={name: parts.get(name) for name in PHASES},
    )


def document(orders: Iterable[Sample], *, clock: ClockReading | None = None, left_out: int = 0) -> Document:
    """Of these orders, numbered as they come."""
    orders = [attrs.evolve(each, number=number) for number, each in enumerate(orders, start=1)]
    return Document(
        conditions=CONDITIONS,
        clock=clock,
        orders=orders,
        left_out=left_out,
        series=[
            Series(way=way, warm=warm, phases=phases([each.ms for each in chosen]))
            for way, warm in WORDS
            if (chosen := [each for each in orders if (each.way, each.warm) == (way, warm)])
        ],
    )


def phases(took: list[dict[str, float | None]]) -> dict[str, dict[str, Any]]:
    """As a `Series` has them."""
    histograms = {
        name: Histogram.of(round(ms * 1e6) for each in took if (ms := each[name]) is not None)
        for name in PHASES
    }
    return {
        name: {"ms": histogram.summary_ms(), "histogram": histogram.to_dict()}
        for name, histogram in histograms.items()
    }


def far_away(rtt_ms: float, processing_ms: float, *, way: str = REST, orders: int = 20) -> Document:
    """The first order is cold, and pays two round trips more for TCP and TLS."""
    known = {"network": rtt_ms, "there": rtt_ms / 2, "kernel": rtt_ms}
    known |= {"venue": processing_ms, "before": processing_ms * 0.9, "after": processing_ms * 0.1}
    known["confirmed"] = rtt_ms + processing_ms
    cold = order(way, known | {"connect": 2 * rtt_ms, "confirmed": 3 * rtt_ms + processing_ms}, warm=False)
    return document([cold, *(order(way, known) for _ in range(orders - 1))])


def noisy(
    rng: random.Random,
    count: int,
    *,
    ways: Iterable[str] = (REST,),
    slower: float = 1.0,
    alike: float = 0.5,
    times: Mapping[str, float] | None = None,
) -> Document:
    """Orders whose neighbours resemble each other: by first-order autoregression, and now and then a long one.

    Args:
        rng: where the noise comes from.
        count: orders by each way, which take turns.
        ways: of these orders.
        slower: all that is not the client's takes so many times as long.
        alike: the correlation of an order with the next.
        times: of phases, in ms, in place of the usual ones.
    """
    usual = CLIENT | {"network": 20.0, "venue": 5.0} | dict(times or {})
    state = {name: rng.gauss(0, 1) for name in usual}
    made: list[Sample] = []
    for _ in range(count):
        for way in ways:
            state = {
                name: alike * last + math.sqrt(1 - alike**2) * rng.gauss(0, 1) for name, last in state.items()
            }
            took = {name: ms * math.exp(0.15 * state[name]) for name, ms in usual.items()}
            took["network"] *= slower
            took["venue"] *= slower * (2 if rng.random() < 0.02 else 1)
            took["before"] = took["venue"] * 0.8
            took["after"] = took["venue"] - took["before"]
            took["kernel"] = took["network"] * 0.9
            took["confirmed"] = took["network"] + took["venue"] * 1.02 + 0.9
            made.append(order(way, took))
    return document(made)
