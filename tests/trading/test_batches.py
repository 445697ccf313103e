"""Several orders at once: placed all or none, cancelled in as few requests as may be."""

import attrs
import pytest
from trading_stage import (
    NO_LIMITS,
    PRICE,
    RUN,
    SIZE,
    SYMBOL,
    Desk,
    cancel_ended,
    ended,
    on_channel,
    open_desk,
    report,
    started,
)

from bot.core.errors import (
    BotError,
    InvalidOrderError,
    LimitExceededError,
    RefusedError,
    SessionGoneError,
    TradingHaltedError,
    UnknownOutcomeError,
)
from bot.core.fixed import Fixed, parse
from bot.core.order import Side, State
from bot.session.inbox import KillSwitchPulled, OrderReported, PlatformMode
from bot.trading.effects import (
    CancelBatch,
    CancelOrder,
    Effect,
    LookUpOrder,
    PlaceBatch,
    PullKillSwitch,
    SetTimer,
    StopAsked,
    TimerFired,
)
from bot.trading.step.guard import LimitsSettings
from bot.trading.step.pursuit import FEW
from bot.trading.strategies.trader import NewOrder

LOST = UnknownOutcomeError("ReadError")


def wanted(price: int = PRICE, size: int = SIZE) -> NewOrder:
    return NewOrder(market=SYMBOL, side=Side.BUY, size=size, price=price)


def ids(first: int, last: int) -> list[str]:
    return [f"{RUN}-{number}" for number in range(first, last + 1)]


def resting(count: int, *, limits: LimitsSettings = NO_LIMITS) -> Desk:
    """A desk with so many orders that rest."""
    desk = open_desk(limits=limits)
    for client_id in desk.manager.trader.place_batch([wanted()] * count):
        desk.step(
            started(desk.clock, client_id),
            ended(report("NEW", client_id, venue_id=f"v{client_id}"), client_id),
            OrderReported(1, report("OPEN", client_id, venue_id=f"v{client_id}"), -1),
        )
    return desk


def closed(desk: Desk, client_id: str) -> list[Effect]:
    return desk.step(OrderReported(1, report("CLOSED", client_id, venue_id=f"v{client_id}"), -1))


def named(effects: list[Effect]) -> list[list[str]]:
    """The client ids of each batch of cancels; nothing else is among the effects."""
    batches = [effect for effect in effects if isinstance(effect, CancelBatch)]
    assert batches == effects
    return [[order.client_id for order in batch.orders] for batch in batches]


# Placing.


def test_a_batch_becomes_as_few_effects_as_may_be() -> None:
    """Ten orders in each, in order; every one is known at once, and was decided in the session that there is."""
    desk = open_desk()
    placed = desk.manager.trader.place_batch([wanted(PRICE - 10**8 * each) for each in range(23)])
    assert placed == ids(1, 23)
    batches = desk.effects_of_trader()
    assert [len(batch.orders) for batch in batches if isinstance(batch, PlaceBatch)] == [10, 10, 3]
    orders = [order for batch in batches if isinstance(batch, PlaceBatch) for order in batch.orders]
    assert orders == [desk.order(client_id) for client_id in placed]
    assert [order.price for order in orders] == [PRICE - 10**8 * each for each in range(23)]
    assert {order.state for order in orders} == {State.INTENT}
    assert {batch.session.generation for batch in batches if isinstance(batch, PlaceBatch)} == {1}


def test_nothing_of_nothing() -> None:
    """No orders, no request."""
    desk = open_desk()
    assert desk.manager.trader.place_batch([]) == []
    desk.manager.trader.cancel_batch([])
    desk.manager.trader.cancel_all()
    assert desk.effects_of_trader() == []


BAD: dict[str, tuple[LimitsSettings, list[NewOrder], type[BotError], str]] = {
    "rules of the market": (
        NO_LIMITS,
        [wanted(), wanted(PRICE + 1), wanted()],
        InvalidOrderError,
        "order 2 of 3: BTC-USD-PERP: price 42000.50000001 is no multiple of the tick",
    ),
    "one too many": (
        attrs.evolve(NO_LIMITS, open_orders=2),
        [wanted()] * 3,
        LimitExceededError,
        r"order 3 of 3: \[limits\] open_orders: 2 are open",
    ),
    "too much together": (
        attrs.evolve(NO_LIMITS, position_notional=Fixed(parse("1000"))),
        [wanted()] * 3,
        LimitExceededError,
        r"order 3 of 3: \[limits\] position_notional",
    ),
}


@pytest.mark.parametrize("why", BAD)
def test_all_or_none(why: str) -> None:
    """Each is looked at beside those before it; the error names the one that cannot be, and none was taken."""
    limits, orders, kind, words = BAD[why]
    desk = open_desk(limits=limits)
    with pytest.raises(kind, match=words):
        desk.manager.trader.place_batch(orders)
    assert desk.effects_of_trader() == []
    assert desk.manager.ledger.live() == []


def test_no_batch_while_no_order_is_taken() -> None:
    """As with a single one."""
    desk = open_desk(session=False)
    with pytest.raises(SessionGoneError, match="order 1 of 2: there is no session"):
        desk.manager.trader.place_batch([wanted()] * 2)
    desk.open_session()
    desk.step(PlatformMode("maintenance", 1))
    with pytest.raises(TradingHaltedError, match="order 1 of 2: the venue is in mode maintenance"):
        desk.manager.trader.place_batch([wanted()] * 2)


def test_every_order_of_a_batch_counts_for_the_circuit_breaker() -> None:
    """A storm in batches is a storm."""
    desk = open_desk(limits=attrs.evolve(NO_LIMITS, orders_per_second=5))
    desk.manager.trader.place_batch([wanted()] * 6)
    batch, switch = desk.effects_of_trader()
    assert isinstance(batch, PlaceBatch)
    assert switch == PullKillSwitch("[limits] orders_per_second: 6")


def test_orders_of_a_batch_end_each_for_itself() -> None:
    """Taken, refused, unknown: the unknown one is looked up, and the others are left alone."""
    desk = open_desk()
    first, second, third = desk.manager.trader.place_batch([wanted()] * 3)
    desk.effects_of_trader()
    desk.step(*(started(desk.clock, client_id) for client_id in (first, second, third)))
    decided = desk.step(
        ended(report("NEW", first), first), ended(RefusedError(201, "CODE", "no"), second), ended(LOST, third)
    )
    assert [desk.state(each) for each in (first, second, third)] == [State.NEW, State.REJECTED, State.UNKNOWN]
    assert decided == [LookUpOrder(desk.order(third))]


# Cancelling.


def test_a_batch_of_cancels() -> None:
    """Each order once, however often it is asked for; those that are over are left out."""
    desk = resting(13)
    closed(desk, f"{RUN}-2")
    desk.manager.trader.cancel_batch(ids(1, 13))
    desk.manager.trader.cancel_batch(ids(1, 13))
    assert named(desk.effects_of_trader()) == [[f"{RUN}-1", *ids(3, 11)], ids(12, 13)]
    assert all(desk.order(each).cancelling for each in ids(3, 13))


def test_nothing_is_cancelled_twice_at_a_time() -> None:
    """Whatever else is heard of an order while its cancel is on its way."""
    desk = resting(2)
    desk.manager.trader.cancel_batch(ids(1, 2))
    desk.effects_of_trader()
    filled = report("OPEN", f"{RUN}-1", venue_id=f"v{RUN}-1", remaining="0.005")
    assert desk.step(OrderReported(1, filled, -1)) == []
    assert desk.state() is State.PARTLY_FILLED


def test_an_order_that_is_not_ours_spoils_the_batch() -> None:
    """Nothing is cancelled then."""
    desk = resting(2)
    with pytest.raises(KeyError):
        desk.manager.trader.cancel_batch([f"{RUN}-1", "somebody-else"])
    assert desk.effects_of_trader() == []
    assert not desk.order(f"{RUN}-1").cancelling


def test_a_batch_of_one_is_none() -> None:
    """It goes by itself."""
    desk = resting(1)
    desk.manager.trader.cancel_batch([f"{RUN}-1"])
    assert desk.effects_of_trader() == [CancelOrder(desk.order())]


def test_an_order_on_its_way_is_cancelled_when_it_has_arrived() -> None:
    """Before that nobody can name it."""
    desk = resting(3)
    desk.place()
    desk.step(started(desk.clock, f"{RUN}-4"))
    desk.manager.trader.cancel_batch(ids(1, 4))
    assert named(desk.effects_of_trader()) == [ids(1, 3)]
    (late,) = desk.step(on_channel("OPEN", f"{RUN}-4"))
    assert isinstance(late, CancelOrder)


def test_all_of_a_market() -> None:
    """Ours: what others have on the account is not even named."""
    desk = resting(4)
    desk.step(OrderReported(1, report("OPEN", "theirs", venue_id="v9"), -1))
    with pytest.raises(KeyError):
        desk.manager.trader.cancel_all("ETH-USD-PERP")
    desk.manager.trader.cancel_all(SYMBOL)
    assert named(desk.effects_of_trader()) == [ids(1, 4)]


@pytest.mark.parametrize("how", [StopAsked("SIGINT"), KillSwitchPulled("enough")])
@pytest.mark.parametrize("count", [FEW, FEW + 1, 25])
def test_the_end_cancels_many_in_batches_and_few_by_themselves(
    how: StopAsked | KillSwitchPulled, count: int
) -> None:
    """And asks for none twice, whatever happens next."""
    desk = resting(count)
    decided = [effect for effect in desk.step(how) if not isinstance(effect, PullKillSwitch)]
    if count == FEW:
        assert decided == [CancelOrder(desk.order(each)) for each in ids(1, count)]
    else:
        assert [each for batch in named(decided) for each in batch] == ids(1, count)
    assert closed(desk, f"{RUN}-1") == []


def test_what_a_batch_fails_to_cancel_is_cancelled_singly() -> None:
    """Soon, and each until it is gone; one that is queued is asked after, and one that may be gone looked up."""
    desk = resting(5)
    desk.step(StopAsked("SIGINT"))
    gone = RefusedError(200, "ALREADY_CLOSED", "there is nothing to cancel")
    decided = desk.step(
        cancel_ended(None, f"{RUN}-1"),
        cancel_ended(gone, f"{RUN}-2"),
        cancel_ended(LOST, f"{RUN}-3"),
        cancel_ended(RefusedError(503, "SERVICE_UNAVAILABLE", "busy"), f"{RUN}-4"),
        cancel_ended(None, f"{RUN}-5"),
    )
    waits = {each.timer.subject: each for each in decided if isinstance(each, SetTimer)}
    assert {name: (each.timer.purpose, each.seconds) for name, each in waits.items()} == {
        f"{RUN}-1": ("look up", 1),
        f"{RUN}-3": ("cancel", 0.5),
        f"{RUN}-4": ("cancel", 0.5),
        f"{RUN}-5": ("look up", 1),
    }
    assert [each for each in decided if isinstance(each, LookUpOrder)] == [
        LookUpOrder(desk.order(f"{RUN}-2")),
        LookUpOrder(desk.order(f"{RUN}-3")),
    ]
    closed(desk, f"{RUN}-5")
    later = [desk.step(TimerFired(each.timer)) for each in waits.values()]
    assert later == [
        [LookUpOrder(desk.order(f"{RUN}-1"))],
        [CancelOrder(desk.order(f"{RUN}-3"))],
        [CancelOrder(desk.order(f"{RUN}-4"))],
        [],
    ]
