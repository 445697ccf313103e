"""What a run came to, for programs and for people."""

import json

import attrs
import pytest
from span_stage import IN_MS, WHOLE

from bot.core.histogram import Histogram
from bot.core.order import Instruction, Order, OrderType, Side, State
from bot.latency.distributions import Distributions
from bot.link.http import HttpCounters
from bot.summary import Summary, describe
from bot.trading.step.ledger import OrderCounts

ORDER = Order(
    client_id="run-1",
    market="BTC-USD-PERP",
    side=Side.BUY,
    type=OrderType.LIMIT,
    instruction=Instruction.GTC,
    size=1,
    price=1,
    state=State.UNKNOWN,
)

DISTRIBUTIONS = Distributions()
DISTRIBUTIONS.add(WHOLE)

FULL = Summary(
    environment="testnet",
    exit_reason="SIGINT",
    generations=2,
    is_interactive=False,
    alarms=["order run-1: odd"],
    ready_ms=412.34567,
    orders=OrderCounts(placed=5, confirmed=4, closed=3, rejected=1),
    unresolved=[ORDER],
    http=HttpCounters(connections_opened=4, requests=30, reused=26, order_requests=8, order_requests_cold=1),
    latency=DISTRIBUTIONS,
    longest_step_ns=1_234_567,
    garbage=Histogram.of([50_000, 600_000]),
)


def test_json_has_exactly_these_keys() -> None:
    """Programs read them: none is missing, renamed or added unnoticed."""
    assert json.loads(FULL.to_json()) == {
        "environment": "testnet",
        "exit_reason": "SIGINT",
        "generations": 2,
        "interactive_token": False,
        "alarms": ["order run-1: odd"],
        "ready_ms": 412.346,
        "orders": {"placed": 5, "confirmed": 4, "closed": 3, "rejected": 1, "unresolved": 1},
        "http": {
            "connections_opened": 4,
            "requests": 30,
            "reused": 26,
            "order_requests": 8,
            "order_requests_cold": 1,
        },
        "latency_ms": {
            "rest": {
                "warm": {name: figures(ms) for name, ms in IN_MS.items()},
                "cold": dict.fromkeys(IN_MS, figures(None)),
            },
            "ws": dict.fromkeys(("warm", "cold"), dict.fromkeys(IN_MS, figures(None))),
        },
        "longest_step_ms": 1.235,
        "garbage_ms": {"count": 2, "p50": 0.05, "p90": 0.6, "p99": 0.6, "p99.9": 0.6, "max": 0.6},
    }


def figures(ms: float | None) -> dict[str, float | None]:
    return {"count": int(ms is not None)} | dict.fromkeys(("p50", "p90", "p99", "p99.9", "max"), ms)


def test_a_run_that_never_began_has_the_same_keys() -> None:
    """Stopped before there was anything to count."""
    empty, full = Summary(environment="embedded", exit_reason="SIGTERM").to_dict(), FULL.to_dict()
    assert empty["ready_ms"] is None
    for name, value in full.items():
        if isinstance(value, dict):
            assert empty[name].keys() == value.keys()
    assert empty.keys() == full.keys()


def test_json_is_a_text_file() -> None:
    """Readable, and ended by a line end."""
    assert FULL.to_json().startswith(b'{\n  "environment": "testnet",\n')
    assert FULL.to_json().endswith(b"\n}\n")


@pytest.mark.parametrize(("unresolved", "code"), [([], 0), ([ORDER], 4)])
def test_the_exit_code(unresolved: list[Order], code: int) -> None:
    """4 as long as the end of any order is not known; alarms alone do not change it."""
    assert attrs.evolve(FULL, unresolved=unresolved).exit_code == code


def test_the_table() -> None:
    """Every figure of the JSON that people ask for, alarms, and each unresolved order by name."""
    assert FULL.to_table() == (
        "Paradex testnet: stopped by SIGINT\n"
        "\n"
        "orders      placed 5  confirmed 4  closed 3  rejected 1  unresolved 1\n"
        "http        handshakes 4  requests 30  reused 26  orders on a cold connection 1\n"
        "sessions    2  first ready after 412 ms\n"
        "steps       longest 1.235 ms\n"
        "garbage     pauses 2  p50 0.050 ms  max 0.600 ms\n"
        "\n" + DISTRIBUTIONS.to_text() + "\n"
        "ALARM       order run-1: odd\n"
        "UNRESOLVED  client_id=run-1, id=unknown, BTC-USD-PERP, UNKNOWN\n"
    )


def test_the_table_of_a_clean_run_ends_with_its_figures() -> None:
    """No empty lines where there is nothing to say."""
    table = Summary(environment="embedded", exit_reason="--for 5").to_table()
    assert table.endswith("sessions    0\nsteps       longest 0.000 ms\ngarbage     no pauses\n")


def test_an_order_by_name() -> None:
    """Both ids, for looking it up at the venue."""
    known = attrs.evolve(ORDER, venue_id="1681462103821101699438490000", state=State.OPEN)
    assert describe(known) == "client_id=run-1, id=1681462103821101699438490000, BTC-USD-PERP, OPEN"
