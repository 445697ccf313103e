"""A venue that swallows, stays silent, lies and lags, for each request that is about orders, many orders at a time.

Each order of a session meets one lever once, with one of its requests; a seed decides which meet beside each other.
One lever and one order at a time, and what the bot makes of it, are in test_faulty_venue, test_changing_terms and
test_many_orders.
"""

import random
from collections.abc import Callable, Iterator

import attrs
import pytest
from proof_stage import DEADLINE, DELAY, MARKET, RECV_WINDOW, SIZE

from bot import app
from bot.core.fixed import SCALE
from bot.core.order import Instruction, Order, Side, State
from bot.exchange.faults.faults import Fault
from bot.exchange.faults.requests import FalseAnswer, Late, Silence, Swallow
from bot.exchange.settings import ExchangeSettings
from bot.link.http import HttpSettings
from bot.settings import Settings
from bot.simulation.evidence import Evidence, watching
from bot.simulation.oracle import violations
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.simulation.world import replaced
from bot.trading.executor import OrdersSettings
from bot.trading.requests import REST, WS
from bot.trading.strategies.strategy import (
    Event,
    ModifyFailed,
    OrderChanged,
    Quote,
    TimerElapsed,
    TradingOpened,
    TradingPaused,
)
from bot.trading.strategies.trader import NewOrder, Trader

LEVERS: dict[str, Callable[[str, str], Fault]] = {
    "swallow": lambda on, client_id: Swallow(on=on, client_id=client_id, cut_after=1),
    "swallow, without an end": lambda on, client_id: Swallow(on=on, client_id=client_id),
    "accept, silent": lambda on, client_id: Silence(on=on, client_id=client_id, cut_after=1),
    "accept, silent without an end": lambda on, client_id: Silence(on=on, client_id=client_id),
    "accept, 503 of a gateway": lambda on, client_id: FalseAnswer(on=on, client_id=client_id, status=503),
    "accept, 503 of the venue": lambda on, client_id: FalseAnswer(
        on=on, client_id=client_id, status=503, code="SERVICE_UNAVAILABLE"
    ),
    "late, inside": lambda on, client_id: Late(on=on, client_id=client_id, request=RECV_WINDOW - 1),
    "late, inside, unheard": lambda on, client_id: Silence(
        on=on, client_id=client_id, late=RECV_WINDOW - 1, cut_after=1
    ),
    "late, outside": lambda on, client_id: Late(on=on, client_id=client_id, request=RECV_WINDOW + 0.5),
    "late, outside, unheard": lambda on, client_id: Silence(
        on=on, client_id=client_id, late=RECV_WINDOW + 0.5, cut_after=1
    ),
    "late, after our deadline": lambda on, client_id: Late(on=on, client_id=client_id, answer=DEADLINE + 1),
}

REQUESTS = ("create", "cancel", "modify", "create-batch", "cancel-batch")

UNHEARD = {name: State.NEVER_ACCEPTED for name in LEVERS if name.startswith(("swallow", "late, outside, "))}
NEVER_THERE = UNHEARD | {"late, outside": State.REJECTED}
"""What becomes of an order whose creation meets these."""

AT_A_TIME = 2
"""Of a batch."""

PAUSE_S, PATIENCE_S = 1.0, 15.0
SECONDS = 180.0


@attrs.frozen
class Part:
    """Orders that are placed in one request, or one; a lever is set for one request about the first."""

    lever: str
    on: str

    @property
    def count(self) -> int:
        return AT_A_TIME if "batch" in self.on else 1


@attrs.define
class Cast:
    """Places the orders of a part after the other; each that rests is changed, or not, and wanted gone."""

    parts: Iterator[Part]
    set_lever: Callable[[Part, str], object]
    price: int = 0
    placed: dict[str, Part] = attrs.field(factory=dict)
    """By client id."""

    together: list[list[str]] = attrs.field(factory=list)
    """Client ids of those that are to be cancelled together."""

    changing: dict[int, str] = attrs.field(factory=dict)
    """By timer: orders that wait for other terms."""

    to_change: list[Order] = attrs.field(factory=list)
    """Orders that wait for a session, to get other terms."""

    told: dict[str, Order] = attrs.field(factory=dict)
    is_open: bool = False

    def on_event(self, event: Event, trader: Trader) -> None:
        match event:
            case TradingOpened(generation=1):
                self.is_open = True
                trader.ask_quote(MARKET)
            case TradingOpened():
                self.is_open = True
                for order in self.to_change:
                    self._end(trader.order(order.client_id), trader)
                self.to_change.clear()
                self._place_next(trader)
            case TradingPaused():
                self.is_open = False
            case Quote(bid=bid) if bid is not None:
                self.price = bid // 2 // SCALE * SCALE
                self._place_next(trader)
            case TimerElapsed(timer) if timer in self.changing:
                trader.cancel(self.changing.pop(timer))
            case TimerElapsed():
                self._place_next(trader)
            case OrderChanged(order):
                is_news = self.told.get(order.client_id) != order
                self.told[order.client_id] = order
                if order.state is State.OPEN and is_news:
                    self._end(order, trader)
            case ModifyFailed(order):
                trader.cancel(order.client_id)

    def _place_next(self, trader: Trader) -> None:
        if not self.is_open:
            return  # the next session goes on from here
        part = next(self.parts, None)
        if part is None:
            return
        # What a client id will be is known to the test, so that its lever can be set before.
        self.set_lever(part, f"{len(self.placed) + 1}")
        wanted = [self._order(each) for each in range(part.count)]
        placed = (
            trader.place_batch(wanted)
            if part.on == "create-batch"
            else [_place(trader, each) for each in wanted]
        )
        self.placed |= dict.fromkeys(placed, part)
        if part.on == "cancel-batch":
            self.together.append(placed)
        trader.set_timer(PAUSE_S)

    def _end(self, order: Order, trader: Trader) -> None:
        on = self.placed[order.client_id].on
        if on == "modify" and order.size == SIZE and not self.is_open:
            self.to_change.append(order)
        elif on == "modify" and order.size == SIZE:
            trader.modify(order.client_id, size=2 * SIZE)
            self.changing[trader.set_timer(PATIENCE_S)] = order.client_id
        elif on == "cancel-batch":
            [together] = [each for each in self.together if order.client_id in each]
            if all(each in self.told and self.told[each].state is State.OPEN for each in together):
                trader.cancel_batch(together)
        else:
            trader.cancel(order.client_id)

    def _order(self, number: int) -> NewOrder:
        return NewOrder(
            market=MARKET,
            side=Side.BUY,
            size=SIZE,
            price=self.price - number * SCALE,
            instruction=Instruction.POST_ONLY,
        )


def _place(trader: Trader, wanted: NewOrder) -> str:
    return trader.place(
        wanted.market, wanted.side, size=wanted.size, price=wanted.price, instruction=wanted.instruction
    )


def play(seed: int, via: str) -> tuple[Cast, Evidence, list[str], int]:
    """One session with every lever for every request; returns what the oracle found, and how often levers struck."""
    parts = [Part(lever, on) for lever in LEVERS for on in REQUESTS]
    random.Random(seed).shuffle(parts)

    async def act(rehearsal: Rehearsal) -> tuple[Cast, Evidence, list[str], int]:
        faults, run_id = rehearsal.exchange.faults, rehearsal.surroundings.run_id
        cast = Cast(
            iter(parts), lambda part, number: faults.add(LEVERS[part.lever](part.on, f"{run_id}-{number}"))
        )
        with replaced(app, "Probe", lambda *_: cast), watching(rehearsal) as evidence:
            evidence.summary = await rehearsal.trade(SECONDS)
        return cast, evidence, violations(evidence), sum(faults.struck.values())

    # Connections enough that no request waits behind those that nobody answers.
    settings = attrs.evolve(
        Settings(),
        http=HttpSettings(connections=20),
        exchange=ExchangeSettings(rate_limits="none"),
        orders=OrdersSettings(via=via),
    )
    return rehearse(act, settings, seed=seed, delay=DELAY, jitter=0.1, tls=False)


@pytest.mark.parametrize("seed", range(4))
def test_every_lever_for_every_request(seed: int) -> None:
    """Exactly one order or none, every time, and the strategy is told which; no doubt outlives its bound."""
    cast, evidence, found, struck = play(seed, REST)
    assert found == []
    assert struck == len(LEVERS) * len(REQUESTS)
    assert evidence.summary is not None
    assert evidence.summary.exit_code == 0
    seen = evidence.seen()
    for client_id, part in cast.placed.items():
        is_there = not (part.on.startswith("create") and part.lever in NEVER_THERE)
        ended = State.CLOSED if is_there else NEVER_THERE[part.lever]
        assert (cast.told[client_id].state, len(seen[client_id].accepted)) == (ended, is_there), part
    assert evidence.summary.alarms == []


@pytest.mark.parametrize("seed", range(3))
def test_every_lever_for_every_call(seed: int) -> None:
    """The same over the WebSocket, where a lever that cuts the connection takes what is beside it along.

    So what some orders come to is another than their lever alone would make of it, and some levers find nobody.
    """
    cast, evidence, found, struck = play(seed, WS)
    assert found == []
    assert struck > 0.8 * len(LEVERS) * len(REQUESTS)
    assert evidence.summary is not None
    assert evidence.summary.exit_code == 0
    assert set(evidence.seen()) <= set(cast.told)
    assert not evidence.summary.unresolved
    assert evidence.summary.alarms == []
