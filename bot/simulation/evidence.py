"""What a run of the bot left behind for a judge: its records, what it knew and told, and the exchange's books."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from bot import app
from bot.core.order import State
from bot.core.tape import Kind
from bot.exchange.exchange import Exchange
from bot.exchange.faults.witness import OrderSeen
from bot.link.signer import native_curve
from bot.simulation.notes import Line, Notes
from bot.simulation.rehearsal import EPOCH_NS, Rehearsal
from bot.simulation.world import replaced
from bot.summary import Summary
from bot.trading.step.manager import OrderManager
from bot.trading.strategies.strategy import Event, Strategy, TradingOpened
from bot.trading.strategies.trader import Trader


@attrs.frozen
class Opening:
    """Trading was opened. Times in seconds of trio's clock."""

    at: float
    generation: int
    subscribed_at: float
    """When the last subscription was asked for: from then on the channels tell of everything."""

    known: dict[str, tuple[State, int]]
    """What the bot believed of its orders that were not over: state, and what was filled, in units of 10⁻⁸."""


@attrs.define(eq=False)
class Evidence:
    """One run. Made by `watching`; whoever plays the run adds the ``summary`` that it returns."""

    exchange: Exchange
    notes: Notes
    run_id: str
    public_key: int
    """The account's."""

    one_way: float
    """The longest that a message is on its way, in seconds."""

    journal: Path | None
    """The file that the run was recorded in, if any."""

    well_since: float = 0.0
    """When the last fault ended, in seconds of trio's clock: nobody can know sooner what it hid."""

    summary: Summary | None = None
    """None as long as the run has not ended by itself."""

    events: list[Event] = attrs.field(factory=list)
    """What the strategy was told."""

    openings: list[Opening] = attrs.field(factory=list)
    managers: list[OrderManager] = attrs.field(factory=list)
    """One, or none if the bot never came to trade."""

    @property
    def lines(self) -> list[Line]:
        return self.notes.lines

    @property
    def account(self) -> int | None:
        """Its address; None if the exchange does not know it."""
        account = self.exchange.accounts.find_key(self.public_key)
        return None if account is None else account.address

    def is_ours(self, client_id: str) -> bool:
        return client_id.startswith(f"{self.run_id}-")

    def seen(self) -> dict[str, OrderSeen]:
        """All that the exchange saw of this run's orders, by client id."""
        return {
            client_id: seen
            for client_id, seen in self.exchange.witness.orders(self.account).items()
            if self.is_ours(client_id)
        }

    def seconds(self, ms: int) -> float:
        """A stamp of the exchange in seconds of trio's clock, unless somebody has set the machine's."""
        return (ms - EPOCH_NS // 1_000_000) / 1000


@attrs.frozen
class _Witnessed:
    """A strategy that is listened to."""

    strategy: Strategy
    evidence: Evidence

    def on_event(self, event: Event, trader: Trader) -> None:
        self.evidence.events.append(event)
        if isinstance(event, TradingOpened):
            self.evidence.openings.append(_opening(self.evidence, event.generation))
        self.strategy.on_event(event, trader)


def _opening(evidence: Evidence, generation: int) -> Opening:
    subscriptions = (
        line.at
        for line in reversed(evidence.lines)
        if line.kind is Kind.FRAME_OUT and line.generation == generation and '"subscribe"' in str(line.data)
    )
    [manager] = evidence.managers
    known = {order.client_id: (order.state, order.filled) for order in manager.ledger.live()}
    return Opening(trio.current_time(), generation, next(subscriptions), known)


@contextmanager
def watching(rehearsal: Rehearsal, journal: Path | None = None) -> Generator[Evidence]:
    """Keep everything that a judge may ask for, of what ``rehearsal`` plays in this block."""
    around = rehearsal.surroundings
    path = rehearsal.link
    evidence = Evidence(
        exchange=rehearsal.exchange,
        notes=Notes(around.tape),
        run_id=around.run_id,
        public_key=native_curve().public_key(int(around.identity.private_key, 16)),
        one_way=path.up.delay + path.up.jitter,
        journal=journal,
    )
    rehearsal.exchange.witness.watch()
    rehearsal.surroundings = attrs.evolve(around, tape=evidence.notes)
    new_manager, strategy = app.new_manager, app.Probe  # type: ignore[attr-defined] # where its strategy comes from

    def manager(*given: Any) -> OrderManager:
        evidence.managers.append(new_manager(*given))
        return evidence.managers[-1]

    def witnessed(*given: Any) -> _Witnessed:
        return _Witnessed(strategy(*given), evidence)

    try:
        with replaced(app, "new_manager", manager), replaced(app, "Probe", witnessed):
            yield evidence
    finally:
        rehearsal.surroundings = around
