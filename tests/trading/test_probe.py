"""The probe: one order at a time, far from the market, gone as soon as it is confirmed."""

from collections.abc import Callable
from typing import cast

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trading_stage import MARKET, SIZE, SYMBOL, make_order

from bot.core.errors import BotError, LimitExceededError, NotPreparedError, SessionGoneError
from bot.core.fixed import SCALE, Fixed, parse
from bot.core.market import Market
from bot.core.order import Instruction, Side, State
from bot.trading.strategies.probe import Probe, ProbeSettings
from bot.trading.strategies.strategy import (
    Event,
    OrderChanged,
    OrderPrepared,
    PrepareFailed,
    Quote,
    QuoteFailed,
    TimerElapsed,
    TradingOpened,
    TradingPaused,
)
from bot.trading.strategies.trader import Trader

SETTINGS = ProbeSettings(pause=1.5)


@attrs.define
class FakeTrader:
    """Writes down what it is asked, and refuses new orders while there is a reason to."""

    rules: Market = MARKET
    refusal: BotError | None = None
    asked: list[tuple[object, ...]] = attrs.field(factory=list)
    orders: int = 0

    def place(
        self, market: str, side: Side, *, size: int, price: int, instruction: Instruction = Instruction.GTC
    ) -> str:
        return self._enter("place", market, side, size, price, instruction)

    def prepare(
        self, market: str, side: Side, *, size: int, price: int, instruction: Instruction = Instruction.GTC
    ) -> str:
        return self._enter("prepare", market, side, size, price, instruction)

    def _enter(self, *asked: object) -> str:
        if self.refusal is not None:
            raise self.refusal
        self.orders += 1
        self.asked.append(asked)
        return f"run-{self.orders}"

    def place_prepared(self, client_id: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.asked.append(("place_prepared", client_id))

    def cancel(self, client_id: str) -> None:
        self.asked.append(("cancel", client_id))

    def ask_quote(self, market: str) -> None:
        self.asked.append(("quote", market))

    def set_timer(self, seconds: float) -> int:
        self.asked.append(("timer", seconds))
        return len(self.asked)

    def market(self, symbol: str) -> Market:
        assert symbol == SYMBOL
        return self.rules


@attrs.define
class Stand:
    """A probe with a fake trader."""

    trader: FakeTrader = attrs.field(factory=FakeTrader)
    probe: Probe = attrs.field(factory=lambda: Probe(SETTINGS, SYMBOL))

    def tell(self, *events: Event) -> list[tuple[object, ...]]:
        """What is asked of the trader because of ``events``."""
        before = len(self.trader.asked)
        for event in events:
            self.probe.on_event(event, cast("Trader", self.trader))
        return self.trader.asked[before:]


def quote(bid: str | None) -> Quote:
    return Quote(SYMBOL, None if bid is None else parse(bid), None)


def changed(state: State, client_id: str = "run-1", *, remaining: int = SIZE) -> OrderChanged:
    return OrderChanged(attrs.evolve(make_order(client_id, state=state), filled=SIZE - remaining))


def preparing() -> Stand:
    """One whose orders are prepared."""
    return Stand(probe=Probe(attrs.evolve(SETTINGS, prepare=True), SYMBOL))


QUOTE, PAUSE = ("quote", SYMBOL), ("timer", 1.5)
PLACE = ("place", SYMBOL, Side.BUY, parse("0.01"), parse("41159.9"), Instruction.POST_ONLY)
CANCEL = ("cancel", "run-1")


def test_a_round() -> None:
    """Quote, place, wait for OPEN, cancel, wait for CLOSED, pause, and again."""
    stand = Stand()
    assert stand.tell(TradingOpened(1)) == [QUOTE]
    assert stand.tell(quote("41999.98")) == [PLACE]  # 2 % below is 41159.9804; the tick is 0.1
    assert stand.tell(changed(State.SENT), changed(State.NEW)) == []
    assert stand.tell(changed(State.OPEN)) == [CANCEL]
    assert stand.tell(changed(State.CLOSED)) == [PAUSE]
    assert stand.tell(TimerElapsed(1)) == [QUOTE]


@given(
    bid=st.integers(3 * 10**8, 10**15),
    distance=st.integers(0, SCALE // 2),
    tick=st.integers(1, 10**8),
)
def test_the_price(bid: int, distance: int, tick: int) -> None:
    """A multiple of the tick, never nearer to the market than the distance, and less than a tick farther."""
    trader = FakeTrader(attrs.evolve(MARKET, price_tick=tick))
    (asked,) = Stand(trader, Probe(ProbeSettings(distance=Fixed(distance)), SYMBOL)).tell(
        Quote(SYMBOL, bid, None)
    )
    price = cast("int", asked[4])
    assert price % tick == 0
    assert 0 <= bid * (SCALE - distance) - price * SCALE < (tick + 1) * SCALE


@pytest.mark.parametrize(
    "event",
    [quote(None), quote("0"), quote("0.1"), quote("-1"), QuoteFailed(SYMBOL, "deadline passed")],
    ids=str,
)
def test_no_price_means_a_pause(event: Event) -> None:
    """An empty book, one in which nothing can be asked 2 % lower, and no answer at all: next time."""
    stand = Stand()
    stand.tell(TradingOpened(1))
    assert stand.tell(event) == [PAUSE]
    assert stand.tell(TimerElapsed(1)) == [QUOTE]


def test_no_session_means_a_pause() -> None:
    """A quote that comes while the session is gone is not used later."""
    stand = Stand()
    stand.tell(TradingOpened(1), TradingPaused())
    stand.trader.refusal = SessionGoneError("there is no session")
    assert stand.tell(quote("42000")) == [PAUSE]
    stand.trader.refusal = None
    assert stand.tell(TradingOpened(2)) == []
    assert stand.tell(TimerElapsed(1)) == [QUOTE]


@pytest.fixture
def warnings(logged_from: Callable[[str], list[str]]) -> list[str]:
    """What is logged as one."""
    return logged_from("WARNING")


def test_why_nothing_is_placed_is_said_once(warnings: list[str]) -> None:
    """Not at each round; and again when orders were taken in between. That the session is gone others say."""
    stand = Stand()
    stand.tell(TradingOpened(1))
    for refusal in ("too large", "too large", None, "too many"):
        stand.trader.refusal = LimitExceededError(refusal) if refusal else None
        (asked,) = stand.tell(quote("42000"))
        assert (asked == PAUSE) == bool(refusal)
    stand.trader.refusal = SessionGoneError("there is no session")
    assert stand.tell(quote("42000")) == [PAUSE]
    assert warnings == [
        "[ORDER] Paradex no new orders for now: too large",
        "[ORDER] Paradex no new orders for now: too many",
    ]


@pytest.mark.parametrize("end", [State.CLOSED, State.REJECTED, State.NEVER_ACCEPTED])
def test_every_end_means_a_pause(end: State) -> None:
    """Whatever became of the order, the next round comes after a rest, and once."""
    stand = Stand()
    stand.tell(TradingOpened(1), quote("42000"))
    assert stand.tell(changed(end)) == [PAUSE]
    assert stand.tell(changed(end, remaining=1), changed(end, remaining=0)) == []


def test_changes_of_earlier_orders_begin_nothing() -> None:
    """Late news of an order that was over before belong to no round."""
    stand = Stand()
    stand.tell(TradingOpened(1), quote("42000"), changed(State.CLOSED), TimerElapsed(1), quote("42000"))
    assert stand.tell(changed(State.CLOSED, "run-1", remaining=0)) == []
    assert stand.tell(changed(State.CLOSED, "run-2")) == [PAUSE]


PREPARE = ("prepare", *PLACE[1:])
PREPARED = OrderPrepared("run-1", 5.0)


def place_prepared(number: int) -> list[tuple[object, ...]]:
    return [("place_prepared", f"run-{number}")]


def test_a_round_with_orders_that_are_prepared() -> None:
    """There is a pause before each but the first, as without that; and the quote is asked for before it."""
    stand = preparing()
    assert stand.tell(TradingOpened(1)) == [QUOTE]
    assert stand.tell(quote("41999.98")) == [PREPARE]
    assert stand.tell(PREPARED) == place_prepared(1), "there is nothing to pause after"
    assert stand.tell(changed(State.SENT), changed(State.OPEN)) == [CANCEL]
    assert stand.tell(changed(State.CLOSED)) == [QUOTE]
    assert stand.tell(quote("41999.98")) == [PREPARE]
    assert stand.tell(OrderPrepared("run-2", 5.0)) == [PAUSE]
    assert stand.tell(TimerElapsed(1)) == place_prepared(2)


def rested_with_a_prepared() -> Stand:
    """The pause before the second order is over."""
    stand = preparing()
    stand.tell(TradingOpened(1), quote("42000"), PREPARED, changed(State.CLOSED), quote("42000"))
    assert stand.tell(OrderPrepared("run-2", 5.0)) == [PAUSE]
    return stand


def test_what_became_too_old_is_prepared_again() -> None:
    """And sent as soon as it is signed: so a pause that is longer than the window keeps no order here for ever."""
    stand = rested_with_a_prepared()
    stand.trader.refusal = NotPreparedError("order run-2 is too old")
    assert stand.tell(TimerElapsed(1)) == [QUOTE]
    stand.trader.refusal = None
    assert [asked[0] for asked in stand.tell(quote("42000"))] == ["prepare"]
    assert stand.tell(OrderPrepared("run-3", 5.0)) == place_prepared(3)


def test_a_prepared_order_that_is_not_taken_is_tried_again() -> None:
    """After a pause: it may still be good."""
    stand = rested_with_a_prepared()
    stand.trader.refusal = SessionGoneError("there is no session")
    assert stand.tell(TimerElapsed(1)) == [PAUSE]
    stand.trader.refusal = None
    assert stand.tell(TimerElapsed(2)) == place_prepared(2)


def test_one_that_cannot_be_signed_means_a_pause() -> None:
    stand = preparing()
    stand.tell(TradingOpened(1), quote("42000"))
    assert stand.tell(PrepareFailed("run-1", "the venue's clock has to be measured first")) == [PAUSE]
    assert stand.tell(TimerElapsed(1)) == [QUOTE]


def test_why_no_prepared_order_is_taken_is_said_once(warnings: list[str]) -> None:
    """That another could be signed meanwhile is no sign of better times."""
    stand = rested_with_a_prepared()
    for refusal in (LimitExceededError("too many"), NotPreparedError("too old"), None):
        stand.trader.refusal = refusal
        stand.tell(TimerElapsed(1))
    assert [asked[0] for asked in stand.tell(quote("42000"))] == ["prepare"]
    stand.trader.refusal = LimitExceededError("too many")
    assert stand.tell(OrderPrepared("run-3", 5.0)) == [PAUSE]
    assert warnings == ["[ORDER] Paradex no new orders for now: too many"]


PHASES: dict[str, tuple[list[Event], list[Event]]] = {
    "quote": ([TradingOpened(1)], [quote("42000")]),
    "sent": ([TradingOpened(1), quote("42000")], [changed(State.CLOSED)]),
    "open": ([TradingOpened(1), quote("42000"), changed(State.OPEN)], [changed(State.CLOSED)]),
    "unknown": ([TradingOpened(1), quote("42000"), changed(State.UNKNOWN)], [changed(State.NEVER_ACCEPTED)]),
    "pause": ([TradingOpened(1), quote(None)], [TimerElapsed(1)]),
}


@pytest.mark.parametrize("phase", PHASES)
def test_sessions_come_and_go_in_every_phase(phase: str) -> None:
    """A new session begins no second round beside the one that is under way, and that one goes on."""
    before, after = PHASES[phase]
    stand = Stand()
    stand.tell(*before)
    for generation in range(2, 5):
        assert stand.tell(TradingPaused(), TradingOpened(generation)) == []
    assert len(stand.tell(*after)) == 1


WAY = [State.INTENT, State.SENT, State.UNKNOWN, State.NEW, State.OPEN, State.CLOSED]


@settings(deadline=None)
@given(st.lists(st.integers(0, len(WAY) - 1), max_size=60))
def test_never_stuck_and_never_two(choices: list[int]) -> None:
    """Whatever the world answers, in whatever order: exactly one thing is under way, a quote, an order or a pause."""
    stand = Stand()
    pending: list[tuple[object, ...]] = stand.tell(TradingOpened(1))
    state = State.INTENT
    for choice in choices:
        (awaited,) = (each for each in pending if each[0] != "cancel")
        client_id = f"run-{stand.trader.orders}"
        events: list[Event]
        if choice == 0:
            is_gone = stand.trader.refusal is None
            stand.trader.refusal = SessionGoneError("there is no session") if is_gone else None
            events = [TradingPaused() if is_gone else TradingOpened(2)]
        elif awaited[0] == "quote":
            answers: list[Event] = [quote("42000"), quote(None), QuoteFailed(SYMBOL, "")]
            events = [answers[choice % 3]]
            state = State.INTENT
        elif awaited[0] == "timer":
            late = [changed(State.CLOSED, client_id)] if stand.trader.orders else []
            events = [*late, TimerElapsed(1)]
        else:
            state = max(state, WAY[choice], key=WAY.index)
            events = [changed(state, client_id)]
        begun = [each for each in stand.tell(*events) if each[0] != "cancel"]
        assert len(begun) <= 1
        pending = begun or [awaited]
        if state is State.OPEN and awaited[0] == "place":
            assert ("cancel", client_id) in stand.trader.asked
