"""Any weather: a manager, its executor and the venue as a game in which chance decides what happens next.

The venue here is a few lines of truth: which orders it has, and their states. Requests may get lost on either
way, answers come late, reports are dropped, repeated and reordered. Whatever chance does, no order is sent twice,
nothing is believed that is not so, and once the weather clears everything ends.
"""

from collections.abc import Callable, Iterator
from random import Random

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loguru import logger
from trading_stage import (
    RECV_WINDOW_MS,
    SIZE,
    SYMBOL,
    Desk,
    Recorder,
    cancel_ended,
    ended,
    listed,
    looked_up,
    open_desk,
    report,
    started,
)

from bot.core.errors import NotSentError, RefusedError, SessionGoneError, UnknownOutcomeError
from bot.core.fixed import render
from bot.core.order import TERMINAL, Order, Side, State
from bot.paradex.answers import Bbo, OrderReport
from bot.session.inbox import Item, OrderReported
from bot.trading.effects import (
    BboFetched,
    CancelEnded,
    CancelOrder,
    Effect,
    FetchBbo,
    LookUpOrder,
    PlaceOrder,
    SendStarted,
    SetTimer,
    StopAsked,
    TimerFired,
)
from bot.trading.reconcile import INTERVAL
from bot.trading.strategies.probe import Probe, ProbeSettings
from bot.trading.strategies.strategy import Strategy

Chance = Callable[[int], int]
"""A number below the one that is given."""

STATUSES = ["NEW", "OPEN", "CLOSED"]

TICK_S = 0.02
"""In clear weather everything moves one step on in this time."""

RECONCILE_S = INTERVAL[1]


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    logger.disable("bot")
    yield
    logger.enable("bot")


@attrs.define
class Truth:
    """An order as the venue has it."""

    venue_id: str
    status: str = "NEW"
    remaining: int = SIZE

    def advance(self, chance: Chance) -> None:
        if self.status == "NEW":
            self.status = STATUSES[1 + chance(2)]
        elif self.remaining > 0 and chance(2):
            self.remaining -= min(SIZE // 4, self.remaining)
        else:
            self.status = "CLOSED"


@attrs.define
class Storm:
    """The game. ``chance`` decides until it clears; from then on everything goes well, and at once."""

    desk: Desk
    chance: Chance
    clear: bool = False
    venue: dict[str, Truth] = attrs.field(factory=dict)
    under_way: list[Iterator[Item | None]] = attrs.field(factory=list)
    """Requests and timers, each a series of things that happen; the item that it ends with goes into the stream."""

    reports: list[OrderReport] = attrs.field(factory=list)
    """Said on the channel and not delivered yet."""

    placed: list[str] = attrs.field(factory=list)
    cancels: dict[str, int] = attrs.field(factory=dict)
    seen: dict[str, Order] = attrs.field(factory=dict)

    # The world.

    def fails(self) -> bool:
        return not self.clear and self.chance(3) == 0

    def report_of(self, client_id: str) -> OrderReport:
        truth = self.venue[client_id]
        return report(truth.status, client_id, venue_id=truth.venue_id, remaining=render(truth.remaining))

    def linger(self) -> Iterator[None]:
        """On its way, while other things happen."""
        yield None
        while not self.clear and self.chance(5):
            yield None

    def say(self, client_id: str) -> None:
        self.reports.append(self.report_of(client_id))

    def carry_out(self, effect: Effect) -> Iterator[Item | None]:
        match effect:
            case PlaceOrder(order, session):
                yield from self.place(order, session.is_alive)
            case CancelOrder(order):
                yield from self.cancel(order.client_id)
            case LookUpOrder(order):
                yield from self.linger()
                truth = self.report_of(order.client_id) if order.client_id in self.venue else None
                yield from self.linger()
                yield looked_up(UnknownOutcomeError("lost") if self.fails() else truth, order.client_id)
            case FetchBbo(market):
                yield None
                yield BboFetched(
                    market, NotSentError("no way") if self.fails() else Bbo(market=SYMBOL, bid="42000")
                )
            case SetTimer(timer, seconds):
                due_ns = self.desk.clock.now_ns + round(seconds * 1e9)
                while self.desk.clock.now_ns < due_ns:
                    yield None
                yield TimerFired(timer)

    def place(self, order: Order, alive: bool) -> Iterator[Item | None]:  # noqa: FBT001
        client_id = order.client_id
        if not alive or self.fails():
            yield ended(NotSentError("no session"), client_id)
            return
        start = started(self.desk.clock, client_id)
        yield start
        weather = 0 if self.clear else self.chance(6)
        if weather == 1:
            yield ended(NotSentError("no connection"), client_id)
            return
        if weather == 2:
            yield ended(RefusedError(400, "INVALID_ORDER_SIZE", "no"), client_id)
            return
        if weather == 3:  # lost before it arrives
            yield ended(UnknownOutcomeError("lost"), client_id)
            return
        if weather == 4:  # our deadline passes, and it arrives later
            yield ended(UnknownOutcomeError("deadline passed"), client_id)
            yield from self.linger()
        yield None
        answer = self.arrive(start)
        yield None
        if weather == 5:
            yield ended(UnknownOutcomeError("answer lost"), client_id)
        elif weather == 0:
            yield ended(answer, client_id)

    def arrive(self, start: SendStarted) -> OrderReport | RefusedError:
        if self.desk.clock.wall_ns() // 1_000_000 > start.signature_timestamp + RECV_WINDOW_MS:
            return RefusedError(400, "INVALID_TIMESTAMP", "too late")
        self.venue[start.client_id] = Truth(f"v{len(self.venue) + 1}")
        self.say(start.client_id)
        return self.report_of(start.client_id)

    def cancel(self, client_id: str) -> Iterator[Item | None]:
        yield None
        if self.fails():
            yield cancel_ended(UnknownOutcomeError("lost"), client_id)
            return
        truth = self.venue.get(client_id)
        if truth is None or truth.status == "CLOSED":
            yield cancel_ended(RefusedError(404, "ORDER_ID_NOT_FOUND", "gone"), client_id)
            return
        if not self.fails():  # otherwise it is queued, and forgotten
            truth.status = "CLOSED"
            self.say(client_id)
        yield None
        yield cancel_ended(UnknownOutcomeError("answer lost") if self.fails() else None, client_id)

    # What happens next.

    def step(self, item: Item) -> None:
        for effect in self.desk.step(item):
            if isinstance(effect, PlaceOrder):
                self.placed.append(effect.order.client_id)
            if isinstance(effect, CancelOrder):
                self.cancels[effect.order.client_id] = self.cancels.get(effect.order.client_id, 0) + 1
            self.under_way.append(self.carry_out(effect))
        self.check()

    def go_on(self, index: int) -> None:
        """One thing more happens to what is under way."""
        happening = self.under_way[index]
        try:
            item = next(happening)
        except StopIteration:
            self.under_way.remove(happening)
            return
        if isinstance(item, CancelEnded):
            self.cancels[item.client_id] -= 1
        if item is not None:
            self.step(item)

    def happen(self) -> None:
        """One of the things that can happen, by chance."""
        match self.chance(10):
            case 0 | 1 | 2 | 3 if self.under_way:
                self.go_on(self.chance(len(self.under_way)))
            case 4 if self.reports:
                index = self.chance(len(self.reports))
                lost, twice = self.fails(), self.fails()
                delivered = self.reports[index] if twice else self.reports.pop(index)
                if not lost:
                    self.step(OrderReported(1, delivered, self.desk.clock.now_ns))
            case 5 if self.venue:
                client_id = list(self.venue)[self.chance(len(self.venue))]
                if self.venue[client_id].status != "CLOSED":
                    self.venue[client_id].advance(self.chance)
                    self.say(client_id)
            case 6:
                self.desk.clock.pass_seconds([0.01, 0.2, 0.5, 1.0][self.chance(4)])
            case 7:
                self.change_session()
            case 8:
                self.act()
            case 9:
                self.list_open_orders()
            case _:
                pass

    def change_session(self) -> None:
        manager = self.desk.manager
        if manager._session is None:
            for effect in self.desk.open_session():
                self.under_way.append(self.carry_out(effect))
        else:
            self.desk.lose_session()

    def act(self) -> None:
        """As a strategy would that knows no shame."""
        if not isinstance(self.desk.manager._strategy, Recorder):
            return
        known = self.placed
        try:
            if known and self.chance(2):
                self.desk.manager.trader.cancel(known[self.chance(len(known))])
            elif len(known) < 4:
                self.desk.manager.trader.place(SYMBOL, Side.BUY, size=SIZE, price=4_200_000_000_000)
        except SessionGoneError:
            return
        self.list_open_orders()

    def list_open_orders(self) -> None:
        resting = [
            self.report_of(client_id) for client_id, truth in self.venue.items() if truth.status != "CLOSED"
        ]
        self.step(listed(self.desk.clock.now_ns, *resting))

    # What must hold.

    def check(self) -> None:
        assert len(self.placed) == len(set(self.placed)), "an order was decided twice"
        assert all(count <= 1 for count in self.cancels.values()), "two cancels of one order are in flight"
        assert self.desk.alarms == []
        if isinstance(self.desk.manager._strategy, Probe):
            assert len(self.desk.manager.ledger.live()) <= 1, "the probe has two orders at once"
        ledger = self.desk.manager.ledger
        assert ledger.counts.confirmed <= len(self.placed)
        for client_id in self.placed:
            order, before = ledger.get(client_id), self.seen.get(client_id)
            self.seen[client_id] = order
            if before is not None:
                assert order.remaining <= before.remaining
                assert before.state not in TERMINAL or order.state is before.state
            truth = self.venue.get(client_id)
            if order.state in {State.REJECTED, State.NEVER_ACCEPTED}:
                assert truth is None, "the venue has an order that is believed not to exist"
            if order.state is State.CLOSED:
                assert truth is not None
                assert truth.status == "CLOSED"

    def settle(self, ended_when: Callable[[], bool], *, within: float) -> None:
        """The weather clears. Everything goes on in turn until ``ended_when``, which has so many seconds."""
        self.clear = True
        self.reports.clear()  # lost with the last connection; the next generation begins with a list
        for tick in range(round(within / TICK_S)):
            if ended_when():
                return
            if tick % round(RECONCILE_S / TICK_S) == 0:
                self.list_open_orders()
            self.desk.clock.pass_seconds(TICK_S)
            for index in reversed(range(len(self.under_way))):
                self.go_on(index)
            for said in self.reports[:]:
                self.reports.remove(said)
                self.step(OrderReported(1, said, self.desk.clock.now_ns))
            for client_id, truth in self.venue.items():
                if truth.status == "NEW":
                    truth.status = "OPEN"
                    self.say(client_id)
        raise AssertionError("stuck")


def storm(strategy: Strategy, chance: Chance, length: int) -> Storm:
    """A game that has been played for so long."""
    game = Storm(open_desk(strategy, session=False), chance)
    for effect in game.desk.open_session():
        game.under_way.append(game.carry_out(effect))
    for _ in range(length):
        game.happen()
    return game


weather = given(st.integers(0, 2**32).map(lambda seed: Random(seed).randrange), st.integers(0, 300))


@settings(deadline=None, max_examples=150)
@weather
def test_a_stop_in_any_weather(chance: Chance, length: int) -> None:
    """Once it clears, a stop ends every order in time, and what is believed of each is what the venue has."""
    game = storm(Recorder(), chance, length)
    game.step(StopAsked())
    game.settle(game.desk.manager.settled.is_set, within=8)
    assert game.desk.manager.ledger.live() == []
    for client_id in game.placed:
        order = game.desk.order(client_id)
        truth = game.venue.get(client_id)
        assert (order.state is State.CLOSED) == (truth is not None)
        if truth is not None:
            assert (truth.status, truth.remaining) == ("CLOSED", order.remaining)


@settings(deadline=None, max_examples=150)
@weather
def test_the_probe_in_any_weather(chance: Chance, length: int) -> None:
    """It never has two orders at once, and once it clears it places another: it is never stuck."""
    game = storm(Probe(ProbeSettings(), SYMBOL), chance, length)
    if game.desk.manager._session is None:
        game.change_session()
    placed = len(game.placed)
    game.settle(lambda: len(game.placed) > placed + 1, within=2 * RECONCILE_S)
    assert len(game.desk.manager.ledger.live()) == 1
