"""A run before the one that is recorded: it is killed with orders at the venue, and on the way there."""

from typing import Any

import attrs
import trio

from bot import app
from bot.core.order import Instruction, Side
from bot.core.recovered import NoClaim, Recovered
from bot.core.tape import Kind, NoTape, Stamp, Tape
from bot.journal.header import new_header
from bot.journal.record import Record
from bot.journal.recovery import SessionOrders
from bot.session.stop import Stop
from bot.simulation.rehearsal import Rehearsal
from bot.simulation.world import replaced
from bot.trading.strategies.strategy import Event, Quote, TradingOpened
from bot.trading.strategies.trader import Trader

RUN_ID = "1a3185c3c78-0ddba11a"


@attrs.define(eq=False)
class Several:
    """A strategy that places so many orders at once, a tenth below the best bid, and leaves them there."""

    market: str
    size: int
    count: int

    def on_event(self, event: Event, trader: Trader) -> None:
        match event:
            case TradingOpened():
                trader.ask_quote(self.market)
            case Quote(bid=int(bid)):
                tick = trader.market(self.market).price_tick
                price = bid * 9 // 10 // tick * tick
                for _ in range(self.count):
                    trader.place(
                        self.market, Side.BUY, size=self.size, price=price, instruction=Instruction.POST_ONLY
                    )


@attrs.define(eq=False)
class Remembering:
    """A `Tape` that keeps what a journal would tell of orders."""

    tape: Tape
    orders: SessionOrders

    def write(self, kind: Kind, data: Any, *, generation: int = 0) -> Stamp:
        stamp = self.tape.write(kind, data, generation=generation)
        self.orders.meet(Record(stamp.number, stamp.ns, generation, kind, data))
        return stamp

    def commit(self) -> None:
        self.tape.commit()


async def killed(rehearsal: Rehearsal, strategy: Several, seconds: float) -> Recovered:
    """Run a bot that is killed after so many seconds, and tell what it left. What it sends from then on is lost."""
    around = rehearsal.surroundings
    header = new_header(
        environment=rehearsal.settings.environment,
        run_id=RUN_ID,
        seed=around.seed,
        started_ns=around.clock.wall_ns(),
        rest_url=around.venue.rest_url,
        ws_url=around.venue.ws_url,
        settings={},
    )
    tape = Remembering(NoTape(around.clock), SessionOrders(header))
    with replaced(app, "Probe", lambda *_: strategy), trio.move_on_after(seconds) as life:
        rehearsal.network.after(seconds, rehearsal.link.cut)
        rehearsal.network.after(seconds, rehearsal.link.refuse)
        await app.trade(
            rehearsal.settings, attrs.evolve(around, run_id=RUN_ID, tape=tape, claim=NoClaim()), Stop()
        )
    assert life.cancelled_caught
    rehearsal.link.heal()
    return tape.orders.left()
