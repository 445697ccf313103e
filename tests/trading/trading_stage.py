"""A stage for tests of trading: orders, reports, a clock that is moved by hand, and a manager to step."""

from collections.abc import Callable
from contextlib import ExitStack

import attrs

from bot.core.errors import RequestError
from bot.core.fixed import Fixed, parse
from bot.core.market import Market
from bot.core.order import Instruction, Order, OrderType, Side, State
from bot.paradex.answers import FillReport, OrderReport, PositionReport
from bot.session.capabilities import open_session
from bot.session.inbox import Item, OrderReported, SessionLost, SessionOpened, Snapshot
from bot.trading.effects import (
    CancelEnded,
    Effect,
    GiveUp,
    LookedUp,
    OrderMoved,
    PlaceOrder,
    RaiseAlarm,
    Repaired,
    SendEnded,
    SendStarted,
    SetTimer,
    Timer,
)
from bot.trading.requests import REST
from bot.trading.step.guard import LimitsSettings
from bot.trading.step.manager import OrderManager
from bot.trading.step.pursuit import BOUND
from bot.trading.step.recovery import CANCEL
from bot.trading.strategies.strategy import Event, Strategy
from bot.trading.strategies.trader import Trader

RUN = "run"
SYMBOL = "BTC-USD-PERP"
SIZE = parse("0.01")
PRICE = parse("42000.5")
EPOCH_MS = 1_800_000_000_000
RECV_WINDOW_MS = 5000
NO_LIMITS = LimitsSettings(
    orders_per_second=0,
    reconnects_per_hour=0,
    open_orders=0,
    order_notional=Fixed(0),
    position_notional=Fixed(0),
)

MARKET = Market(
    symbol=SYMBOL,
    price_tick=parse("0.1"),
    size_step=parse("0.00001"),
    min_notional=parse("10"),
    max_order_size=parse("100"),
)


@attrs.define
class HandClock:
    """Wall and monotonic clock in one; it stands still until somebody moves it."""

    now_ns: int = 0

    def wall_ns(self) -> int:
        return EPOCH_MS * 1_000_000 + self.now_ns

    def monotonic_ns(self) -> int:
        return self.now_ns

    def pass_seconds(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)


def make_order(client_id: str = f"{RUN}-1", *, state: State = State.INTENT, venue_id: str = "") -> Order:
    return Order(
        client_id=client_id,
        market=SYMBOL,
        side=Side.BUY,
        type=OrderType.LIMIT,
        instruction=Instruction.POST_ONLY,
        size=SIZE,
        price=PRICE,
        state=state,
        venue_id=venue_id,
    )


def report(
    status: str,
    client_id: str | None = f"{RUN}-1",
    *,
    remaining: str | None = None,
    venue_id: str = "v1",
    reason: str | None = None,
) -> OrderReport:
    return OrderReport(
        id=venue_id,
        market=SYMBOL,
        status=status,
        client_id=client_id,
        remaining_size=remaining,
        cancel_reason=reason,
    )


@attrs.define
class Recorder:
    """A strategy that writes down what it is told, and does nothing but what ``reaction`` does."""

    events: list[Event] = attrs.field(factory=list)
    reaction: Callable[[Event, Trader], None] = lambda _event, _trader: None

    def on_event(self, event: Event, trader: Trader) -> None:
        self.events.append(event)
        self.reaction(event, trader)


@attrs.define
class Desk:
    """A manager, what surrounds it, and everything it decided since one last looked."""

    manager: OrderManager
    clock: HandClock = attrs.field(factory=HandClock)
    alarms: list[str] = attrs.field(factory=list)
    """What a person was called for, and why the bot is to give up."""

    moves: list[Order] = attrs.field(factory=list)
    """Orders, as they were after each change."""

    repairs: list[Repaired] = attrs.field(factory=list)
    generations: int = 0
    _session: ExitStack = attrs.field(factory=ExitStack)

    def step(self, *items: Item) -> list[Effect]:
        """Step through ``items``, all now; what was decided to be done in all of them."""
        decided: list[Effect] = []
        for item in items:
            for effect in self.manager.step(item, self.clock.now_ns):
                match effect:
                    case RaiseAlarm(text) | GiveUp(text):
                        self.alarms.append(text)
                    case OrderMoved(order):
                        self.moves.append(order)
                    case SetTimer(Timer(purpose)) if purpose == BOUND:
                        pass
                    case Repaired():
                        self.repairs.append(effect)
                    case _:
                        decided.append(effect)
        return decided

    def open_session(self) -> list[Effect]:
        self.generations += 1
        self._session = ExitStack()
        return self.step(SessionOpened(self._session.enter_context(open_session(self.generations))))

    def kill_session(self) -> None:
        """The generation dies; nobody has told the manager yet."""
        self._session.close()

    def lose_session(self) -> list[Effect]:
        self.kill_session()
        return self.step(SessionLost(self.generations))

    def place(self) -> Order:
        """Have the manager place one order, and take its effect away."""
        client_id = self.manager.trader.place(SYMBOL, Side.BUY, size=SIZE, price=PRICE)
        (effect,) = self.effects_of_trader()
        assert isinstance(effect, PlaceOrder)
        assert effect.order.client_id == client_id
        return effect.order

    def effects_of_trader(self) -> list[Effect]:
        """What was asked through the trader outside a step, which comes out of the next."""
        return self.step(OrderReported(0, report("OPEN", None, venue_id="foreign"), self.clock.now_ns))

    def cancel(self, client_id: str) -> list[Effect]:
        self.manager.trader.cancel(client_id)
        return self.effects_of_trader()

    def order(self, client_id: str = f"{RUN}-1") -> Order:
        return self.manager.ledger.get(client_id)

    def state(self, client_id: str = f"{RUN}-1") -> State:
        return self.order(client_id).state


def open_desk(
    strategy: Strategy | None = None,
    *,
    session: bool = True,
    limits: LimitsSettings = NO_LIMITS,
    leftovers: str = CANCEL,
    via: str = REST,
) -> Desk:
    desk = Desk(
        OrderManager(
            markets={SYMBOL: MARKET},
            strategy=strategy or Recorder(),
            run_id=RUN,
            recv_window_ms=RECV_WINDOW_MS,
            limits=limits,
            leftovers=leftovers,
            via=via,
        )
    )
    if session:
        desk.open_session()
    return desk


def started(clock: HandClock, client_id: str = f"{RUN}-1", *, sign_ns: int = 400_000) -> SendStarted:
    return SendStarted(client_id, clock.wall_ns() // 1_000_000, clock.now_ns, sign_ns)


def ended(result: OrderReport | RequestError, client_id: str = f"{RUN}-1") -> SendEnded:
    return SendEnded(client_id=client_id, result=result, reused=True, request_ns=50_000_000)


def on_channel(
    status: str, client_id: str | None = f"{RUN}-1", *, remaining: str | None = None
) -> OrderReported:
    """When it came is what the step is told, not what stands in here."""
    return OrderReported(1, report(status, client_id, remaining=remaining), ns=-1)


def listed(requested_ns: int, *reports: OrderReport) -> Snapshot:
    """A snapshot with these open orders, and nothing else."""
    return snapshot(requested_ns, open_orders=reports)


def snapshot(
    requested_ns: int,
    *,
    open_orders: tuple[OrderReport, ...] = (),
    history: tuple[OrderReport, ...] = (),
    fills: tuple[FillReport, ...] = (),
    positions: tuple[PositionReport, ...] = (),
) -> Snapshot:
    return Snapshot(
        requested_ns=requested_ns,
        open_orders=open_orders,
        history=history,
        fills=fills,
        positions=positions,
        exchanges=((1,), (2,), (3,), (4,)),
    )


def cancel_ended(failure: RequestError | None = None, client_id: str = f"{RUN}-1") -> CancelEnded:
    return CancelEnded(client_id, failure)


def looked_up(result: OrderReport | RequestError | None, client_id: str = f"{RUN}-1") -> LookedUp:
    return LookedUp(client_id, result)
