"""Orders that are signed ahead, in the step: what they are before they are sent, and when they no longer can be."""

from collections.abc import Callable

import attrs
import pytest
from trading_stage import (
    NO_LIMITS,
    PRICE,
    RECV_WINDOW_MS,
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
    started,
)

from bot.core.errors import (
    InvalidOrderError,
    LimitExceededError,
    NotPreparedError,
    NotSentError,
    RevokedError,
    SessionGoneError,
    TradingHaltedError,
    UnknownOutcomeError,
)
from bot.core.fixed import Fixed, parse
from bot.core.order import OrderType, Side, State
from bot.session.inbox import KillSwitchPulled, PlatformMode
from bot.trading.effects import (
    CLOCK_MARGIN_NS,
    Effect,
    ForgetPrepared,
    LookUpOrder,
    OrderPrepared,
    PlaceOrder,
    PrepareFailed,
    PrepareOrder,
    PullKillSwitch,
    SetTimer,
    StopAsked,
    Timer,
    TimerFired,
)
from bot.trading.step.preparations import PREPARED_AT_MOST
from bot.trading.step.pursuit import LOOK_UP
from bot.trading.strategies import strategy as events
from bot.trading.strategies.trader import Trader

ID = f"{RUN}-1"
WINDOW_NS = RECV_WINDOW_MS * 1_000_000


def prepare(desk: Desk, *, size: int = SIZE, price: int = PRICE) -> str:
    return desk.manager.trader.prepare(SYMBOL, Side.BUY, size=size, price=price)


def signed(desk: Desk, client_id: str = ID) -> OrderPrepared:
    """It was signed just now."""
    return OrderPrepared(
        client_id=client_id,
        signature_timestamp=desk.clock.wall_ns() // 1_000_000,
        until_ns=desk.clock.now_ns + WINDOW_NS,
        sign_ns=700_000,
    )


def with_a_prepared(desk: Desk) -> str:
    client_id = prepare(desk)
    desk.step(signed(desk, client_id))
    return client_id


def place(desk: Desk, client_id: str = ID) -> list[Effect]:
    desk.manager.trader.place_prepared(client_id)
    return desk.effects_of_trader()


def test_to_prepare_an_order_is_to_have_it_signed() -> None:
    """It has the client id that it will be sent with. Nobody else knows of an order yet."""
    desk = open_desk()
    assert prepare(desk) == ID
    [effect] = desk.effects_of_trader()
    assert isinstance(effect, PrepareOrder)
    order = effect.order
    assert (order.client_id, order.size, order.price, order.state) == (ID, SIZE, PRICE, State.INTENT)
    desk.step(signed(desk))
    assert desk.manager.ledger.live() == []
    assert desk.moves == []
    with pytest.raises(KeyError):
        desk.manager.trader.cancel(ID)


def test_the_strategy_is_told_for_how_long() -> None:
    """In seconds from then on, for it has no clock."""
    strategy = Recorder()
    desk = open_desk(strategy)
    prepare(desk)
    item = signed(desk)
    desk.clock.pass_seconds(0.5)
    desk.step(item)
    assert strategy.events[-1] == events.OrderPrepared(ID, 4.5)


def test_one_that_cannot_be_signed() -> None:
    """The strategy is told why, and may prepare another."""
    strategy = Recorder()
    desk = open_desk(strategy)
    prepare(desk)
    desk.step(PrepareFailed(ID, NotSentError("the venue's clock has to be measured first")))
    assert strategy.events[-1] == events.PrepareFailed(ID, "the venue's clock has to be measured first")
    with pytest.raises(NotPreparedError, match="order run-1 could not be signed"):
        place(desk)
    assert prepare(desk) == f"{RUN}-2"


def test_it_is_an_order_once_it_is_sent() -> None:
    """The same that was signed; from there on it goes the way of any order."""
    desk = open_desk()
    prepare(desk)
    [prepared] = desk.effects_of_trader()
    desk.step(signed(desk))
    desk.clock.pass_seconds(3)
    [effect] = place(desk)
    assert isinstance(effect, PlaceOrder)
    assert isinstance(prepared, PrepareOrder)
    assert effect.is_prepared
    assert effect.order == prepared.order == desk.order()
    desk.step(started(desk.clock), ended(report("NEW")), on_channel("OPEN"))
    assert desk.state() is State.OPEN


def test_a_strategy_may_send_it_as_soon_as_it_hears_of_it() -> None:
    def react(event: events.Event, trader: Trader) -> None:
        match event:
            case events.OrderPrepared(client_id):
                trader.place_prepared(client_id)

    desk = open_desk(Recorder(reaction=react))
    prepare(desk)
    decided = [type(effect) for effect in desk.step(signed(desk))]
    assert decided == [PrepareOrder, PlaceOrder]


# When it cannot be sent.


def never(_desk: Desk) -> None:
    pass


def unsigned(desk: Desk) -> None:
    prepare(desk)


def sent(desk: Desk) -> None:
    with_a_prepared(desk)
    place(desk)


def over(desk: Desk) -> None:
    sent(desk)
    desk.step(started(desk.clock), ended(report("CLOSED")))


def discarded(desk: Desk) -> None:
    with_a_prepared(desk)
    desk.manager.trader.discard(ID)


def discarded_unsigned(desk: Desk) -> None:
    prepare(desk)
    desk.manager.trader.discard(ID)


def too_old(desk: Desk) -> None:
    with_a_prepared(desk)
    desk.clock.pass_seconds(5.000000001)
    desk.effects_of_trader()


REASONS: dict[Callable[[Desk], None], str] = {
    never: "order run-1 was not prepared",
    unsigned: "order run-1 is not signed yet",
    sent: "order run-1 was sent already",
    over: "order run-1 was sent already",
    discarded: "order run-1 was discarded",
    discarded_unsigned: "order run-1 was discarded",
    too_old: "order run-1 is too old",
}


@pytest.mark.parametrize("happened", REASONS)
def test_why_it_cannot_be_sent(happened: Callable[[Desk], None]) -> None:
    """Each has its words, and nothing is decided; however often it is tried."""
    desk = open_desk()
    happened(desk)
    desk.effects_of_trader()
    live = desk.manager.ledger.live()
    for _ in range(2):
        with pytest.raises(NotPreparedError, match=REASONS[happened]):
            desk.manager.trader.place_prepared(ID)
    assert [effect for effect in desk.effects_of_trader() if not isinstance(effect, ForgetPrepared)] == []
    assert desk.manager.ledger.live() == live


@pytest.mark.parametrize("happened", [never, sent, discarded])
def test_what_cannot_be_discarded(happened: Callable[[Desk], None]) -> None:
    """Least of all one that was sent: whoever does that has to hear that there is an order."""
    desk = open_desk()
    happened(desk)
    with pytest.raises(NotPreparedError, match=REASONS[happened]):
        desk.manager.trader.discard(ID)


def test_the_last_moment() -> None:
    """It may leave up to then, by the time of the step."""
    desk = open_desk()
    with_a_prepared(desk)
    desk.clock.pass_seconds(5)
    desk.effects_of_trader()
    assert len(place(desk)) == 1


def test_what_nobody_wants_is_forgotten_where_it_is_kept() -> None:
    """Discarded, signed or not, or found to be too old."""
    desk = open_desk()
    ids = [with_a_prepared(desk), with_a_prepared(desk), prepare(desk)]
    desk.effects_of_trader()
    for client_id in (ids[0], ids[2]):
        desk.manager.trader.discard(client_id)
    assert desk.effects_of_trader() == [ForgetPrepared((ids[0],)), ForgetPrepared((ids[2],))]
    desk.clock.pass_seconds(6)
    desk.effects_of_trader()
    fourth = prepare(desk)
    effects = desk.effects_of_trader()
    assert [type(effect) for effect in effects] == [ForgetPrepared, PrepareOrder]
    assert effects[0] == ForgetPrepared((ids[1],))
    assert fourth == f"{RUN}-4"


def test_a_signature_that_comes_when_nobody_wants_it() -> None:
    """Nobody is told of it, and it cannot be sent."""
    strategy = Recorder()
    desk = open_desk(strategy)
    discarded_unsigned(desk)
    told = len(strategy.events)
    desk.step(signed(desk), PrepareFailed(ID, NotSentError("no")))
    assert len(strategy.events) == told
    with pytest.raises(NotPreparedError, match="was discarded"):
        place(desk)


def test_the_market_s_rules_are_checked_at_once() -> None:
    """An order that no venue would take is none to be signed."""
    desk = open_desk()
    for size, price in ((SIZE + 1, PRICE), (SIZE, PRICE + 1), (SIZE, 0)):
        with pytest.raises(InvalidOrderError):
            prepare(desk, size=size, price=price)
    with pytest.raises(KeyError):
        desk.manager.trader.prepare("NO-MARKET", Side.BUY, size=SIZE, price=PRICE)
    assert desk.effects_of_trader() == []
    assert prepare(desk) == ID, "none of these has a number"


def test_a_market_order_may_be_prepared() -> None:
    desk = open_desk()
    client_id = desk.manager.trader.prepare(
        SYMBOL, Side.SELL, size=SIZE, price=0, order_type=OrderType.MARKET
    )
    desk.step(signed(desk, client_id))
    [effect] = place(desk)
    assert isinstance(effect, PlaceOrder)
    assert (effect.order.type, effect.order.price) == (OrderType.MARKET, 0)


# Limits, sessions, and what ends them all.


def test_there_is_room_for_so_many() -> None:
    """Sent, discarded or too old, they make room for others."""
    desk = open_desk()
    ids = [with_a_prepared(desk) for _ in range(PREPARED_AT_MOST)]
    with pytest.raises(LimitExceededError, match="100 orders are prepared: send or discard some of them"):
        prepare(desk)
    desk.manager.trader.discard(ids[0])
    prepare(desk)
    place(desk, ids[1])
    prepare(desk)
    with pytest.raises(LimitExceededError):
        prepare(desk)
    desk.clock.pass_seconds(6)
    desk.effects_of_trader()
    for _ in range(PREPARED_AT_MOST - 2):  # two are not signed yet, and so cannot be too old
        prepare(desk)
    with pytest.raises(LimitExceededError):
        prepare(desk)


def test_limits_are_looked_at_when_it_is_sent() -> None:
    """A prepared order takes up none; one that finds no room stays prepared."""
    desk = open_desk(limits=attrs.evolve(NO_LIMITS, open_orders=1))
    first, second = with_a_prepared(desk), with_a_prepared(desk)
    place(desk, first)
    with pytest.raises(LimitExceededError, match="open_orders: 1 are open"):
        desk.manager.trader.place_prepared(second)
    desk.step(started(desk.clock), ended(report("CLOSED")))
    [effect] = place(desk, second)
    assert isinstance(effect, PlaceOrder)


def test_a_limit_in_money_counts_what_is_open_then() -> None:
    worth = Fixed(3 * SIZE * PRICE // parse("1"))
    desk = open_desk(limits=attrs.evolve(NO_LIMITS, position_notional=worth))
    ids = [with_a_prepared(desk) for _ in range(4)]
    for client_id in ids[:3]:
        place(desk, client_id)
    with pytest.raises(LimitExceededError, match="position_notional"):
        desk.manager.trader.place_prepared(ids[3])


def test_many_that_are_sent_at_once_trip_the_breaker() -> None:
    desk = open_desk(limits=attrs.evolve(NO_LIMITS, orders_per_second=2))
    ids = [with_a_prepared(desk) for _ in range(3)]
    for client_id in ids:
        desk.manager.trader.place_prepared(client_id)
    assert any(isinstance(effect, PullKillSwitch) for effect in desk.effects_of_trader())


def test_it_takes_no_session_to_prepare_and_outlives_one() -> None:
    """What is signed says nothing of sessions: it is sent in the one that there is then."""
    desk = open_desk(session=False)
    with_a_prepared(desk)
    with pytest.raises(SessionGoneError):
        desk.manager.trader.place_prepared(ID)
    desk.open_session()
    desk.lose_session()
    with pytest.raises(SessionGoneError):
        desk.manager.trader.place_prepared(ID)
    desk.open_session()
    [effect] = place(desk)
    assert isinstance(effect, PlaceOrder)
    assert effect.session.generation == 2


def test_a_mode_that_takes_no_orders_takes_none_that_is_prepared() -> None:
    desk = open_desk()
    with_a_prepared(desk)
    desk.step(PlatformMode("cancel_only", 0))
    with pytest.raises(TradingHaltedError, match="cancel_only"):
        desk.manager.trader.place_prepared(ID)
    desk.step(PlatformMode("ok", 0))
    assert len(place(desk)) == 1


def test_a_stop_voids_what_is_prepared() -> None:
    """Nothing is left to wait for: no order is open. What is signed by then comes to nothing."""
    strategy = Recorder()
    desk = open_desk(strategy)
    ready, waiting = with_a_prepared(desk), prepare(desk)
    desk.effects_of_trader()
    told = len(strategy.events)
    assert desk.step(StopAsked("SIGINT")) == [ForgetPrepared((ready, waiting))]
    assert desk.manager.settled.is_set()
    for use in (desk.manager.trader.place_prepared, desk.manager.trader.discard):
        with pytest.raises(RevokedError):
            use(ready)
    with pytest.raises(RevokedError):
        prepare(desk)
    assert desk.step(signed(desk, waiting)) == []
    assert len(strategy.events) == told


def test_the_kill_switch_voids_what_is_prepared() -> None:
    """Once, and nothing is prepared any more."""
    desk = open_desk()
    with_a_prepared(desk)
    effects = desk.step(KillSwitchPulled("SIGUSR1"))
    assert ForgetPrepared((ID,)) in effects
    assert desk.effects_of_trader() == []
    with pytest.raises(NotPreparedError, match="the kill switch was pulled"):
        desk.manager.trader.place_prepared(ID)
    with pytest.raises(TradingHaltedError, match="the kill switch was pulled: SIGUSR1"):
        prepare(desk)


# What became of it.


def test_the_proof_of_absence_goes_by_the_signature() -> None:
    """The venue takes it for ``recv_window`` after what was signed, however much later it left."""
    desk = open_desk()
    with_a_prepared(desk)
    signed_ns = desk.clock.now_ns
    desk.clock.pass_seconds(4)
    place(desk)
    desk.step(attrs.evolve(started(desk.clock, sign_ns=0), signed_ns=signed_ns))
    assert desk.order().last_acceptable_ns == signed_ns + WINDOW_NS + CLOCK_MARGIN_NS
    assert desk.order().sent_ns == signed_ns + 4 * 10**9
    desk.clock.pass_seconds(1.6)
    desk.step(ended(UnknownOutcomeError("ReadError")))
    desk.step(looked_up(None))
    desk.clock.pass_seconds(1)
    assert desk.step(TimerFired(Timer(LOOK_UP, ID))) == [LookUpOrder(desk.order())]
    desk.step(looked_up(None))
    assert desk.state() is State.NEVER_ACCEPTED


def test_one_that_was_too_late_to_leave_may_be_sent_anew() -> None:
    """Under its client id, with a signature of its own."""
    desk = open_desk()
    with_a_prepared(desk)
    place(desk)
    desk.step(ended(NotSentError("it was signed 5.100 s ago: too late")))
    assert desk.state() is State.NEVER_ACCEPTED
    assert desk.manager.ledger.counts.placed == 0
    desk.manager.trader.place_again(ID)
    [effect] = desk.effects_of_trader()
    assert isinstance(effect, PlaceOrder)
    assert not effect.is_prepared


def test_no_timer_waits_for_it() -> None:
    """A hundred of them cost no more than their signatures."""
    desk = open_desk()
    prepare(desk)
    effects = [*desk.effects_of_trader(), *desk.step(signed(desk))]
    assert not any(isinstance(effect, SetTimer) for effect in effects)
