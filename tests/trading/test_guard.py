"""The guard: limits, modes, markets in doubt, and the switch that ends it all."""

import attrs
import pytest
from trading_stage import (
    NO_LIMITS,
    PRICE,
    RUN,
    SIZE,
    SYMBOL,
    Desk,
    Recorder,
    ended,
    looked_up,
    on_channel,
    open_desk,
    report,
    snapshot,
    started,
)

from bot.core.errors import LimitExceededError, TradingHaltedError, UnknownOutcomeError
from bot.core.fixed import Fixed, multiply, parse
from bot.core.order import Instruction, OrderType, Side, State
from bot.paradex.answers import FillReport, PositionReport
from bot.session.inbox import FillReported, KillSwitchPulled, PlatformMode
from bot.trading.effects import CancelOrder, PlaceOrder, PullKillSwitch, Timer, TimerFired
from bot.trading.step.guard import LimitsSettings
from bot.trading.step.pursuit import BOUND, BOUND_S, LOOK_AGAIN_S, LOOK_UP

WORTH = multiply(SIZE, PRICE)


def limited(**limits: int) -> LimitsSettings:
    return attrs.evolve(NO_LIMITS, **{name: Fixed(value) for name, value in limits.items()})


def buy(desk: Desk, *, size: int = SIZE, price: int = PRICE, side: Side = Side.BUY) -> str:
    return desk.manager.trader.place(SYMBOL, side, size=size, price=price)


def filled(number: int, *, size: str = "0.01", side: str = "BUY", client_id: str = "") -> FillReported:
    fill = FillReport(
        id=f"f{number}",
        fill_type="FILL",
        market=SYMBOL,
        side=side,
        size=size,
        price="42000",
        fee="0.1",
        fee_currency="USDC",
        client_id=client_id,
        order_id="v1",
        created_at=1,
    )
    return FillReported(1, fill, ns=-1)


# What the venue's platform takes.


@pytest.mark.parametrize("mode", ["maintenance", "cancel_only", "a mode of next year", ""])
def test_a_mode_that_takes_nothing(mode: str) -> None:
    """Nor does one that is unknown here. Cancels go on, and `ok` opens trading again."""
    desk = open_desk()
    order = desk.place()
    desk.step(started(desk.clock), on_channel("OPEN"))
    desk.step(PlatformMode(mode, 1))
    with pytest.raises(TradingHaltedError, match=f"^the venue is in mode {mode}$"):
        buy(desk)
    assert [type(effect) for effect in desk.cancel(order.client_id)] == [CancelOrder]
    desk.step(PlatformMode("ok", 2))
    buy(desk)


def test_post_only_takes_what_can_only_rest() -> None:
    """An order that could trade is refused here, before the venue refuses it."""
    desk = open_desk()
    desk.step(PlatformMode("post_only", 1))
    with pytest.raises(TradingHaltedError, match="mode post_only"):
        buy(desk)
    desk.manager.trader.place(SYMBOL, Side.BUY, size=SIZE, price=PRICE, instruction=Instruction.POST_ONLY)


# Limits that refuse an order.


def test_no_more_open_orders_than_allowed() -> None:
    """Orders that are over do not count."""
    desk = open_desk(limits=limited(open_orders=2))
    first = desk.place()
    desk.place()
    with pytest.raises(LimitExceededError, match=r"^\[limits\] open_orders: 2 are open$"):
        buy(desk)
    desk.step(started(desk.clock, first.client_id), on_channel("CLOSED", first.client_id))
    buy(desk)


def test_no_order_worth_more_than_allowed() -> None:
    """To the last unit; what it is worth is told."""
    buy(open_desk(limits=limited(order_notional=WORTH)))
    with pytest.raises(LimitExceededError, match=r"order_notional: BTC-USD-PERP, worth 420\.005 USD$"):
        buy(open_desk(limits=limited(order_notional=WORTH - 1)))


def test_no_order_that_could_take_the_position_too_far() -> None:
    """Position, open orders of the same side and the new one, all filled; the other side makes it smaller."""
    desk = open_desk(limits=limited(position_notional=3 * WORTH - 1))
    desk.step(snapshot(0, positions=(PositionReport(market=SYMBOL, side="LONG", size="0.01"),)))
    desk.place()
    with pytest.raises(LimitExceededError, match="position_notional: BTC-USD-PERP, could come to 1260"):
        buy(desk)
    buy(desk, side=Side.SELL)


def test_a_short_position_counts_the_other_way() -> None:
    """Selling makes it larger."""
    desk = open_desk(limits=limited(position_notional=2 * WORTH - 1))
    desk.step(snapshot(0, positions=(PositionReport(market=SYMBOL, side="SHORT", size="-0.01"),)))
    buy(desk)
    with pytest.raises(LimitExceededError):
        buy(desk, side=Side.SELL)


def test_a_market_order_is_worth_what_was_paid_last() -> None:
    """As long as no price was seen, a limit in money cannot be held, so the order is refused; without one it goes."""
    desk = open_desk(limits=limited(order_notional=WORTH))

    def sell_at_market(desk: Desk) -> None:
        desk.manager.trader.place(SYMBOL, Side.SELL, size=SIZE, price=0, order_type=OrderType.MARKET)

    with pytest.raises(TradingHaltedError, match="no price was seen yet"):
        sell_at_market(desk)
    desk.step(filled(1))
    sell_at_market(desk)
    sell_at_market(open_desk())


# What pulls the switch.


def test_a_storm_of_orders_pulls_the_switch() -> None:
    """The order too many is placed, for it was allowed, and cancelled with all others."""
    desk = open_desk(limits=limited(orders_per_second=2))
    for seconds in (0.4, 0.6, 0):  # when the third is placed the first was a second ago
        desk.place()
        desk.clock.pass_seconds(seconds)
        desk.effects_of_trader()
    assert desk.alarms == []
    buy(desk)
    effects = desk.effects_of_trader()
    assert [type(effect) for effect in effects] == [PlaceOrder, PullKillSwitch]
    assert desk.alarms == ["the kill switch was pulled: [limits] orders_per_second: 3"]
    assert all(order.cancelling for order in desk.manager.ledger.live())
    with pytest.raises(TradingHaltedError, match=r"the kill switch was pulled: \[limits\] orders_per_second"):
        buy(desk)


def test_a_storm_of_sessions_pulls_the_switch() -> None:
    """Within an hour; slower is no storm."""
    desk = open_desk(limits=limited(reconnects_per_hour=2))
    for _ in range(3):
        desk.lose_session()
        desk.clock.pass_seconds(1800)
        desk.open_session()
    assert desk.alarms == []
    desk.lose_session()
    desk.open_session()
    assert desk.alarms == ["the kill switch was pulled: [limits] reconnects_per_hour: 3"]


def test_a_position_far_above_its_limit_pulls_the_switch() -> None:
    """However it came about: fills of orders that were not ours count."""
    desk = open_desk(limits=limited(position_notional=parse("840")))
    desk.step(filled(1), filled(2), filled(3))
    assert desk.alarms == []
    desk.step(filled(4, size="0.00001"))
    assert [alarm.partition(",")[0] for alarm in desk.alarms] == [
        "the kill switch was pulled: [limits] position_notional: the position in BTC-USD-PERP is worth 1260.42 USD"
    ]


def test_what_the_switch_does() -> None:
    """Nothing new, every order of ours cancelled, one alarm, whoever pulls again; cancels that fail are repeated."""
    desk = open_desk(strategy := Recorder())
    order = desk.place()
    desk.step(started(desk.clock), on_channel("OPEN"))
    effects = desk.step(KillSwitchPulled("SIGUSR1"))
    assert effects == [PullKillSwitch("SIGUSR1"), CancelOrder(desk.order())]
    assert desk.step(KillSwitchPulled("again")) == []
    assert desk.alarms == ["the kill switch was pulled: SIGUSR1"]
    for way in (lambda: buy(desk), lambda: desk.manager.trader.place_again(order.client_id)):
        with pytest.raises(TradingHaltedError, match=r"^the kill switch was pulled: SIGUSR1$"):
            way()
    desk.step(on_channel("CLOSED"))
    assert desk.state() is State.CLOSED
    assert strategy.events  # it goes on being told
    desk.lose_session()
    desk.open_session()
    with pytest.raises(TradingHaltedError):
        buy(desk)


# An order whose outcome stays unknown.


def test_an_order_in_doubt_for_too_long_halts_its_market() -> None:
    """An alarm, once; the order stays UNKNOWN, and is never turned into anything by time alone."""
    desk = open_desk()
    desk.place()
    desk.step(started(desk.clock), ended(UnknownOutcomeError("cut")))
    for _ in range(2):
        desk.clock.pass_seconds(BOUND_S + 6)
        desk.step(TimerFired(Timer(BOUND, f"{RUN}-1")))
    assert desk.state() is State.UNKNOWN
    assert desk.alarms == [f"order {RUN}-1: its outcome stays unknown; until then no new ones in {SYMBOL}"]
    with pytest.raises(
        TradingHaltedError, match=f"^{SYMBOL}: an order's outcome has been unknown for too long$"
    ):
        buy(desk)
    desk.step(looked_up(report("OPEN")))
    buy(desk)


def test_an_order_that_the_venue_forgot_halts_its_market() -> None:
    """It rested, and then is in neither list for longer than any lag: an alarm, once, and no guess. Once it is found
    again new ones are taken, though nothing of it has changed.
    """
    desk = open_desk()
    desk.place()
    desk.step(started(desk.clock), ended(report("NEW")), on_channel("OPEN"))
    desk.clock.pass_seconds(1)
    desk.step(snapshot(desk.clock.now_ns))
    for seconds in range(int(BOUND_S) + 3):
        assert bool(desk.alarms) == (seconds > BOUND_S)
        desk.step(looked_up(None))
        desk.clock.pass_seconds(LOOK_AGAIN_S)
        desk.step(TimerFired(Timer(LOOK_UP, f"{RUN}-1")))
    assert desk.state() is State.OPEN
    what = "OPEN, and the venue has forgotten it: its end"
    assert desk.alarms == [f"order {RUN}-1: {what} stays unknown; until then no new ones in {SYMBOL}"]
    with pytest.raises(TradingHaltedError):
        buy(desk)
    desk.step(looked_up(report("OPEN")))
    buy(desk)


def test_an_order_whose_outcome_is_known_in_time_halts_nothing() -> None:
    """The timer that was set for it elapses, and nothing happens."""
    desk = open_desk()
    desk.place()
    desk.step(started(desk.clock), ended(UnknownOutcomeError("cut")), looked_up(report("OPEN")))
    desk.clock.pass_seconds(BOUND_S + LOOK_AGAIN_S + 6)
    desk.step(TimerFired(Timer(BOUND, f"{RUN}-1")))
    assert desk.alarms == []
    buy(desk)
