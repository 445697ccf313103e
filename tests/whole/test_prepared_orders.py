"""The whole bot sends an order that it signed ahead, by either way: the venue has it once, or it never left."""

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from proof_stage import DELAY, MARKET, SIZE, OneOrder, Played, play

from bot.core.errors import NotPreparedError
from bot.core.order import Instruction, Side, State
from bot.core.recovered import Recovered
from bot.core.tape import Kind
from bot.exchange.faults.faults import Fault
from bot.exchange.faults.requests import Swallow
from bot.journal.checks import findings
from bot.journal.concern import about
from bot.journal.reader import find
from bot.journal.recovery import SessionOrders
from bot.journal.telling import words
from bot.settings import Settings
from bot.simulation.rehearsal import REST_PORT, Rehearsal
from bot.trading.effects import CLOCK_MARGIN_NS
from bot.trading.executor import OrdersSettings
from bot.trading.requests import REST, WS
from bot.trading.strategies.strategy import Event, OrderPrepared, TimerElapsed
from bot.trading.strategies.trader import Trader

WINDOW = 3.0
"""Seconds."""

MARGIN = CLOCK_MARGIN_NS / 1e9


@attrs.define
class Ahead(OneOrder):
    """Has one order signed, and sends it ``wait`` seconds later, right after ``before``."""

    wait: float = 1.0
    before: Callable[[], object] = lambda: None
    prepared: list[OrderPrepared] = attrs.field(factory=list)
    why_not: list[str] = attrs.field(factory=list)

    def on_event(self, event: Event, trader: Trader) -> None:
        super().on_event(event, trader)
        match event:
            case OrderPrepared():
                self.prepared.append(event)
                trader.set_timer(self.wait)
            case TimerElapsed():
                self.before()
                try:
                    trader.place_prepared(self.prepared[0].client_id)
                except NotPreparedError as error:
                    self.why_not.append(str(error))

    def place(self, price: int) -> None:
        assert self.trader is not None
        self.trader.prepare(MARKET, Side.BUY, size=SIZE, price=price, instruction=Instruction.POST_ONLY)


def settings(via: str) -> Settings:
    return attrs.evolve(Settings(), orders=OrdersSettings(via=via, recv_window=round(WINDOW * 1000)))


both_ways = pytest.mark.parametrize("via", [REST, WS])


def played(via: str, strategy: Ahead, *faults: Fault, **more: object) -> Played:
    return play(*faults, strategy=strategy, settings=settings(via), **more)  # type: ignore[arg-type]


@both_ways
def test_it_is_an_order_like_any_other(via: str, tmp_path: Path) -> None:
    """Sent once, confirmed, cancelled; with the signature of a second ago."""
    journal = tmp_path / "session.journal"
    strategy = Ahead()
    run = played(via, strategy, journal=journal)
    assert run.violations == []
    assert run.told.state is State.CLOSED
    assert run.summary.orders.placed == run.summary.orders.confirmed == 1
    [accepted] = run.seen.accepted
    assert accepted.received_at_ms - accepted.signed_at_ms == round((strategy.wait + DELAY) * 1000)
    assert strategy.prepared[0].seconds == pytest.approx(WINDOW - DELAY, abs=0.002)
    assert list(findings(find(journal))) == []


@both_ways
def test_a_crash_before_it_is_sent_leaves_nothing(via: str, tmp_path: Path) -> None:
    """Wherever the journal ends: it is an order when it is decided, and may have left from its intent on."""
    journal = tmp_path / "session.journal"
    strategy = Ahead()
    played(via, strategy, journal=journal)
    session = find(journal)
    orders = SessionOrders(session.header, left_before=Recovered())
    decided = intended = False
    for record in session:
        orders.meet(record)
        decided |= record.kind is Kind.EFFECT and record.data["do"] == "place"
        intended |= record.kind is Kind.INTENT
        if not intended:
            assert orders.left().orders == ()
            assert len(orders.open) == decided
        elif orders.left().orders:
            [left] = orders.left().orders
            assert left.last_acceptable_ms == signed_ms(session.first) + round(WINDOW * 1000)
    assert intended


def signed_ms(journal: Path) -> int:
    [intent] = [record.data for record in find(journal) if record.kind is Kind.INTENT]
    return int(intent["signature_timestamp"])


@both_ways
def test_what_the_journal_shows_of_it(via: str, tmp_path: Path) -> None:
    """From its preparation on, in words."""
    journal = tmp_path / "session.journal"
    strategy = Ahead()
    played(via, strategy, journal=journal)
    client_id = strategy.prepared[0].client_id
    told = [
        words(record)
        for record in about({client_id}, find(journal))
        if record.kind in {Kind.EFFECT, Kind.OUTCOME, Kind.INTENT}
    ]
    terms = f"BUY 0.01 {MARKET} @ 42499 POST_ONLY as {client_id}"
    assert told[:3] == [
        f"prepare {terms}",
        f"prepare {client_id}: done in 0.00 ms",
        f"place prepared {terms}",
    ]
    assert told[3].startswith(f"{client_id}: signed ahead, struct hash 0x")


@both_ways
def test_one_that_is_lost_is_proved_absent_by_its_signature(via: str) -> None:
    """Not by when it left, which was two seconds later."""
    run = played(via, Ahead(wait=2.0), Swallow(on="create", cut_after=0))
    assert run.violations == []
    assert run.told.state is State.NEVER_ACCEPTED
    changes = {line.data["state"]: line.at for line in run.evidence.lines if line.kind is Kind.ORDER}
    signed_at = changes[State.SENT] - 2.0
    took = changes[State.NEVER_ACCEPTED] - signed_at
    assert WINDOW + MARGIN + 1.0 < took < WINDOW + MARGIN + 2.0 + 10 * DELAY


def test_it_becomes_too_old_while_a_connection_opens() -> None:
    """No byte of it leaves. It was about to, so there is an intent; and that it did not is known at once."""
    strategy = Ahead(wait=WINDOW - 0.1)

    def arrange(rehearsal: Rehearsal) -> None:
        def slow_and_cold() -> None:
            rehearsal.link.shape(delay=0.1)
            for connection in rehearsal.link.connections:
                if connection.server.local.port == REST_PORT:
                    connection.cut()

        strategy.before = slow_and_cold

    run = played(REST, strategy, arrange=arrange)
    assert run.violations == []
    assert [order.state for order in strategy.told] == [State.SENT, State.NEVER_ACCEPTED]
    assert "too late" in run.told.reason
    assert run.evidence.seen() == {}
    assert run.summary.orders.placed == 0
    assert run.summary.exit_code == 0


@both_ways
def test_one_that_is_too_old_is_none(via: str) -> None:
    """The strategy hears of it at once. There is no order, and none is counted."""
    strategy = Ahead(wait=WINDOW)
    run = played(via, strategy)
    assert strategy.why_not == [f"order {strategy.prepared[0].client_id} is too old"]
    assert strategy.told == []
    assert run.violations == []
    assert run.evidence.seen() == {}
    assert run.summary.orders.placed == 0


@both_ways
def test_it_outlives_the_websocket(via: str) -> None:
    """Signed in one generation, it is sent in the next."""
    strategy = Ahead(wait=2.5)

    def arrange(rehearsal: Rehearsal) -> None:
        rehearsal.network.at(1.0, rehearsal.exchange.drop_websockets)

    run = played(via, strategy, arrange=arrange)
    assert run.violations == []
    assert run.told.state is State.CLOSED
    [decided] = [
        line.data for line in run.evidence.lines if line.kind is Kind.EFFECT and line.data["do"] == "place"
    ]
    assert (decided["generation"], decided["prepared"]) == (2, True)


@both_ways
def test_a_stop_waits_for_no_order_that_is_prepared(via: str) -> None:
    """It is forgotten, nothing of it leaves, and there is nothing to cancel."""
    strategy = Ahead(wait=60)
    run = played(via, strategy, seconds=2.0)
    assert len(strategy.prepared) == 1
    assert run.violations == []
    assert run.evidence.seen() == {}
    assert (run.summary.exit_code, run.summary.orders.placed) == (0, 0)
    asked = [line.data["path"] for line in run.evidence.lines if line.kind is Kind.REQUEST and line.at > 2]
    assert asked == []
    assert run.evidence.lines[-1].at < 2 + 10 * DELAY
