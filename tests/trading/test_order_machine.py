"""One order after another, against a venue that is a few lines long, while what is said of them is doubled, reordered
and lost: Hypothesis looks for a sequence in which the bot's books and the venue's part.
"""

from operator import itemgetter

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from trading_stage import (
    EPOCH_MS,
    RECV_WINDOW_MS,
    SIZE,
    SYMBOL,
    ended,
    looked_up,
    open_desk,
    snapshot,
    started,
)

from bot.core.errors import NotSentError, UnknownOutcomeError
from bot.core.fixed import render
from bot.core.order import Order, State
from bot.paradex.answers import FillReport, OrderReport, PositionReport
from bot.session.inbox import FillReported, OrderReported, Snapshot
from bot.trading.effects import Effect, LookUpOrder, PlaceOrder, SetTimer, Timer, TimerFired

RANK = {state: rank for rank, state in enumerate(State)}
NOT_THERE = {State.INTENT, State.SENT, State.UNKNOWN}


@attrs.define
class Truth:
    """What the venue has of one order."""

    client_id: str
    venue_id: str
    updated_ms: int
    status: str = "NEW"
    filled: int = 0
    fills: list[FillReport] = attrs.field(factory=list)

    def report(self) -> OrderReport:
        return OrderReport(
            id=self.venue_id,
            market=SYMBOL,
            status=self.status,
            side="BUY",
            client_id=self.client_id,
            size=render(SIZE),
            remaining_size=render(SIZE - self.filled),
            cancel_reason="USER_CANCELED" if self.status == "CLOSED" and self.filled < SIZE else "",
            last_updated_at=self.updated_ms,
        )


class OrderMachine(RuleBasedStateMachine):
    """Rules are what the venue does, what reaches the bot of it, and when."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = open_desk()
        self.venue: dict[str, Truth] = {}
        self.said: list[OrderReported | FillReported] = []
        """Everything that the channels ever said: any of it may come, or come again, at any time."""

        self.pending: str = ""
        """The order whose request has left and is not answered."""

        self.timers: list[tuple[int, Timer]] = []
        """When each elapses that is set."""

        self.under_way: dict[str, int] = {}
        """Requests that have left and not arrived, and until when the venue would take each."""

        self.history: dict[str, list[Order]] = {}
        self.take_effects(self.desk.step(snapshot(0)))

    def take_effects(self, effects: list[Effect]) -> None:
        """Questions are answered at once, by the venue as it is now, cancels done."""
        for effect in effects:
            match effect:
                case LookUpOrder(order):
                    truth = self.venue.get(order.client_id)
                    found = looked_up(None if truth is None else truth.report(), order.client_id)
                    self.take_effects(self.desk.step(found))
                case SetTimer(timer, seconds):
                    self.timers.append((self.desk.clock.now_ns + round(seconds * 1e9), timer))

    def live(self) -> list[Truth]:
        return [truth for truth in self.venue.values() if truth.status != "CLOSED"]

    def say(self, truth: Truth) -> None:
        self.desk.clock.pass_seconds(0.001)
        truth.updated_ms += 1
        self.said.append(OrderReported(1, truth.report(), ns=-1))

    # The bot's side.

    @precondition(lambda self: not self.pending)
    @rule()
    def send(self) -> None:
        order = self.desk.place()
        self.leave(order.client_id)

    def leave(self, client_id: str) -> None:
        self.pending = client_id
        self.under_way[client_id] = self.desk.clock.now_ns + RECV_WINDOW_MS * 1_000_000
        self.take_effects(self.desk.step(started(self.desk.clock, client_id)))

    @precondition(lambda self: self.pending in self.under_way)
    @rule()
    def never_left(self) -> None:
        del self.under_way[self.pending]
        self.take_effects(self.desk.step(ended(NotSentError("no route"), self.pending)))
        self.pending = ""

    @precondition(lambda self: self.pending)
    @rule()
    def lose_answer(self) -> None:
        self.take_effects(self.desk.step(ended(UnknownOutcomeError("cut"), self.pending)))
        self.pending = ""

    @precondition(lambda self: self.pending in self.venue)
    @rule()
    def answer(self) -> None:
        self.take_effects(self.desk.step(ended(self.venue[self.pending].report(), self.pending)))
        self.pending = ""

    @precondition(
        lambda self: any(o.state is State.NEVER_ACCEPTED for o in self.orders()) and not self.pending
    )
    @rule()
    def send_again(self) -> None:
        order = next(order for order in self.orders() if order.state is State.NEVER_ACCEPTED)
        assert order.client_id not in self.venue
        self.desk.manager.trader.place_again(order.client_id)
        (effect,) = self.desk.effects_of_trader()
        assert isinstance(effect, PlaceOrder)
        self.history[order.client_id] = []
        self.leave(order.client_id)

    # The venue's side.

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 3))
    def arrive(self, which: int) -> None:
        """A request comes to the venue, perhaps long after the connection was lost, and is taken unless late."""
        client_id, until_ns = list(self.under_way.items())[which % len(self.under_way)]
        del self.under_way[client_id]
        if self.desk.clock.now_ns <= until_ns:
            self.venue[client_id] = truth = Truth(client_id, f"v{len(self.venue)}", EPOCH_MS)
            self.say(truth)

    @precondition(lambda self: any(truth.status == "NEW" for truth in self.live()))
    @rule()
    def rest(self) -> None:
        truth = next(truth for truth in self.live() if truth.status == "NEW")
        truth.status = "OPEN"
        self.say(truth)

    @precondition(lambda self: self.live())
    @rule(part=st.sampled_from([2, 4]), which=st.integers(0, 5))
    def fill(self, part: int, which: int) -> None:
        truth = self.live()[which % len(self.live())]
        size = min(SIZE // part, SIZE - truth.filled)
        truth.filled += size
        report = FillReport(
            id=f"{truth.venue_id}-{len(truth.fills)}",
            fill_type="FILL",
            market=SYMBOL,
            order_id=truth.venue_id,
            client_id=truth.client_id,
            side="BUY",
            size=render(size),
            price="42000",
            fee="0.01",
            fee_currency="USDC",
            created_at=EPOCH_MS,
        )
        truth.fills.append(report)
        truth.status = "CLOSED" if truth.filled == SIZE else "OPEN"
        self.said.append(FillReported(1, report, ns=-1))
        self.say(truth)

    @precondition(lambda self: self.live())
    @rule(which=st.integers(0, 5))
    def cancel(self, which: int) -> None:
        truth = self.live()[which % len(self.live())]
        truth.status = "CLOSED"
        self.say(truth)

    # What reaches the bot.

    @precondition(lambda self: self.said)
    @rule(which=st.integers(0, 100))
    def hear(self, which: int) -> None:
        """Something that was said, or was said long ago, or before."""
        self.take_effects(self.desk.step(self.said[-1 - which % len(self.said)]))

    @rule(seconds=st.sampled_from([0.5, RECV_WINDOW_MS / 1000 - 1]))
    def wait(self, seconds: float) -> None:
        """Time passes, and what was to happen meanwhile does."""
        until_ns = self.desk.clock.now_ns + round(seconds * 1e9)
        while self.timers and min(self.timers, key=itemgetter(0))[0] <= until_ns:
            due = min(self.timers, key=itemgetter(0))
            self.timers.remove(due)
            self.desk.clock.now_ns = max(due[0], self.desk.clock.now_ns)
            self.take_effects(self.desk.step(TimerFired(due[1])))
        self.desk.clock.now_ns = until_ns

    @rule()
    def compare(self) -> None:
        self.take_effects(self.desk.step(self.snapshot()))

    def snapshot(self) -> Snapshot:
        position = sum(truth.filled for truth in self.venue.values())
        return snapshot(
            self.desk.clock.now_ns,
            open_orders=tuple(truth.report() for truth in self.live()),
            history=tuple(truth.report() for truth in self.venue.values()),
            fills=tuple(fill for truth in self.venue.values() for fill in truth.fills),
            positions=(PositionReport(market=SYMBOL, side="LONG", size=render(position)),),
        )

    # What must hold.

    def orders(self) -> list[Order]:
        ledger = self.desk.manager.ledger
        return [*ledger.live(), *ledger._over.values()]

    @invariant()
    def nothing_moves_backwards(self) -> None:
        for order in self.orders():
            before = self.history.setdefault(order.client_id, [])
            assert not before or RANK[order.state] >= RANK[before[-1].state], order
            assert not before or order.filled >= before[-1].filled, order
            before.append(order)

    @invariant()
    def nothing_is_guessed(self) -> None:
        """What the bot claims to know is so."""
        for order in self.orders():
            truth = self.venue.get(order.client_id)
            if truth is None:
                assert order.state in NOT_THERE | {State.NEVER_ACCEPTED}, order
                continue
            assert order.state is not State.REJECTED
            assert order.state is not State.NEVER_ACCEPTED
            assert order.filled <= truth.filled <= SIZE
            if order.state is State.CLOSED:
                assert truth.status == "CLOSED"

    @invariant()
    def each_fill_counts_once(self) -> None:
        filled = sum(truth.filled for truth in self.venue.values())
        assert 0 <= self.desk.manager.holdings.position(SYMBOL) <= filled
        assert not [alarm for alarm in self.desk.alarms if "fills come to" in alarm]

    def teardown(self) -> None:
        """Once everything was told, the two agree."""
        if self.pending:
            self.lose_answer()
        for _ in range(3):
            self.desk.clock.pass_seconds(1.1)
            self.take_effects(self.desk.step(self.snapshot()))
        for order in self.orders():
            truth = self.venue.get(order.client_id)
            if truth is not None:
                assert order.filled == truth.filled
                assert (order.state is State.CLOSED) == (truth.status == "CLOSED")
        assert self.desk.manager.holdings.position(SYMBOL) == sum(t.filled for t in self.venue.values())


OrderMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestOrders = OrderMachine.TestCase
