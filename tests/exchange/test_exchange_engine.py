"""What the engine makes of orders: the rules that have a name (protocol reference 3.5)."""

import pytest
import trio
from matching_room import Room, change, order_request, state, stop
from trio.testing import MockClock

from bot.core.fixed import SCALE
from bot.exchange.event import Event
from bot.exchange.matching.commands import Cancel, Command, Place
from bot.exchange.matching.events import BookChanged, Filled
from bot.exchange.matching.fills import FillUnknown
from bot.exchange.matching.inbox import Inbox

REDUCE = {"flags": ["REDUCE_ONLY"]}


# -- market orders -----------------------------------------------------------------------------------------


def test_a_market_order_is_held_to_an_average_price() -> None:
    """It takes worse levels while the average stays within the best price and the largest slippage, here 1 %."""
    room = Room()
    for price in ("100", "101", "103"):
        room.place(1002, side="SELL", price=price, size="2")
    order = room.place(1001, type="MARKET", price=None, size="6")
    assert state(order) == ("CLOSED", "EXCEEDS_MAX_SLIPPAGE", 1)
    assert order.filled_value == (2 * 100 + 2 * 101 + 103) * SCALE**2


def test_a_market_order_may_name_its_average_price() -> None:
    """vwap_price takes the place of the slippage; the price band stays."""
    room = Room()
    for price in ("100", "104", "106"):
        room.place(1002, side="SELL", price=price, size="2")
    order = room.place(
        1001, type="MARKET", price=None, size="6", flags=["TARGET_STRATEGY_VWAP"], vwap_price="104"
    )
    assert state(order) == ("CLOSED", "REMAINING_IOC_CANCEL", 2)


def test_triggered_market_orders_have_the_band_only() -> None:
    """A stop takes what the band around the mark lets it."""
    room = Room()
    for price in ("100", "104", "107"):
        room.place(1002, side="SELL", price=price, size="2")
    order = room.place(1001, **stop("STOP_MARKET", size="6", price=None, trigger_price="100"))
    assert state(order) == ("CLOSED", "REMAINING_IOC_CANCEL", 2)


def test_nobody_to_trade_with() -> None:
    """A market order that meets nobody is EMPTY_MARKET, an IOC order just has a remainder."""
    room = Room()
    assert state(room.place(1001, type="MARKET", price=None)) == ("CLOSED", "EMPTY_MARKET", 2)
    assert state(room.place(1001, instruction="IOC")) == ("CLOSED", "REMAINING_IOC_CANCEL", 2)


def test_only_aggressive_limits_know_the_band() -> None:
    """More than 5 % over the mark is refused to a bid, any distance below is not; asks the other way round."""
    room = Room()
    for side, aggressive, edge, passive in (("BUY", "106", "105", "1"), ("SELL", "94", "95", "999")):
        assert state(room.place(1001, side=side, price=aggressive))[1] == "EXCEEDS_MAX_SLIPPAGE"
        assert (
            room.place(1001, side=side, price=edge, instruction="IOC").cancel_reason == "REMAINING_IOC_CANCEL"
        )
        assert room.place(1002, side=side, price=passive).status == "OPEN"


def test_position_and_margin_have_limits() -> None:
    """Size, same-side open orders and position stay within the position limit; margin is asked of the clearing."""
    room = Room()
    room.hold(1001, 5)
    room.place(1001, price="99", size="4")
    assert state(room.place(1001, price="98", size="4"))[1] == "ORDER_EXCEEDS_POSITION_LIMIT"
    assert room.place(1001, price="98", size="3").status == "OPEN"
    assert room.place(1001, side="SELL", price="101", size="10").status == "OPEN"
    poor = Room(deposit=30)
    assert state(poor.place(1001, size="4"))[1] == "NOT_ENOUGH_MARGIN"
    assert poor.place(1001, size="2").status == "OPEN"


# -- reduce-only -------------------------------------------------------------------------------------------


def test_reduce_only_orders_that_no_longer_fit_are_closed() -> None:
    """Shrinking closes those larger than the position, growing leaves them, and turning around closes all."""
    room = Room()
    room.hold(1001, 6)
    small = room.place(1001, side="SELL", price="101", size="2", **REDUCE)
    large = room.place(1001, side="SELL", price="102", size="4", **REDUCE)
    room.hold(1001, 2)
    assert [small.status, large.status] == ["OPEN", "OPEN"]
    room.hold(1001, -4)
    assert [small.status, large.cancel_reason] == ["OPEN", "REDUCE_ONLY_WILL_INCREASE"]
    room.hold(1001, -6)
    assert room.held(1001) == -2
    assert small.cancel_reason == "REDUCE_ONLY_WILL_INCREASE"


def test_more_aggressive_orders_displace_reduce_only_ones() -> None:
    """An order of the same side in front of a reduce-only one takes its cover; behind it, or beside it later, not."""
    room = Room()
    room.hold(1001, 4)
    reducing = room.place(1001, side="SELL", price="102", size="3", **REDUCE)
    room.place(1001, side="SELL", price="103", size="4")
    room.place(1001, side="SELL", price="102", size="4")
    assert reducing.status == "OPEN"
    room.place(1001, side="SELL", price="101", size="2")
    assert state(reducing) == ("CLOSED", "REDUCE_ONLY_WILL_INCREASE", 3)
    assert (
        state(room.place(1001, side="SELL", price="102", size="2", **REDUCE))[1]
        == "REDUCE_ONLY_WILL_INCREASE"
    )


def test_the_place_in_line_decides_which_order_is_covered() -> None:
    """At one price it is not who was accepted first that is ahead, but who came to that price first."""
    room = Room()
    room.hold(1001, 4)
    other = room.place(1001, side="SELL", price="103", size="2")
    reducing = room.place(1001, side="SELL", price="102", size="3", **REDUCE)
    assert room.modify(other, price="102").status == "SUCCESS"
    assert [order.id for order in room.book.asks] == [reducing.id, other.id]
    assert reducing.status == "OPEN"


def test_a_better_reduce_only_order_displaces_a_worse_one() -> None:
    """Between reduce-only orders the position is there for the more aggressive one."""
    room = Room()
    room.hold(1001, -2)
    worse = room.place(1001, price="98", **REDUCE)
    assert room.place(1001, price="97", **REDUCE).cancel_reason == "REDUCE_ONLY_WILL_INCREASE"
    assert room.place(1001, price="99", **REDUCE).status == "OPEN"
    assert worse.cancel_reason == "REDUCE_ONLY_WILL_INCREASE"


def test_reduce_only_refuses_what_would_increase() -> None:
    """Without a position, on its own side, or larger than it."""
    room = Room()
    assert state(room.place(1001, **REDUCE))[1] == "REDUCE_ONLY_WILL_INCREASE"
    room.hold(1001, 2)
    assert state(room.place(1001, **REDUCE))[1] == "REDUCE_ONLY_WILL_INCREASE"
    over = room.place(1001, side="SELL", price="101", size="3", **REDUCE)
    assert state(over)[1] == "REDUCE_ONLY_WILL_INCREASE"


# -- priority, fees, busts, modes --------------------------------------------------------------------------


def test_retail_orders_come_first_at_a_price() -> None:
    """At one price retail orders are met before others, and who takes from them has the flag of a FastFill."""
    room = Room()
    plain = room.place(1002, side="SELL", price="100")
    retail = room.place(1003, side="SELL", price="100", interactive=True)
    better = room.place(1002, side="SELL", price="99")
    room.place(1001, price="100", size="6")
    taken = [fill for fill in room.seen.fills.values() if fill.account == 1001]
    assert [(fill.price // SCALE, fill.flags) for fill in taken] == [
        (99, ()),
        (100, ("fastfill",)),
        (100, ()),
    ]
    made = [fill for fill in room.seen.fills.values() if fill.liquidity == "MAKER"]
    assert [fill.order_id for fill in made] == [better.id, retail.id, plain.id]
    assert [fill.flags for fill in made] == [(), ("interactive",), ()]
    room.place(1002, side="SELL", price="100", interactive=True)
    room.place(1003, price="100", interactive=True)
    assert [fill.flags for fill in room.seen.fills.values()][-2:] == [("interactive",), ("interactive",)]


def test_a_busted_trade_is_as_if_it_had_not_been() -> None:
    """Both sides get position and money back, and their orders stay as they are; twice is once too often."""
    room = Room()
    before = [room.clearing.holdings(account).cash for account in (1001, 1003)]
    room.hold(1001, 4)
    reducing = room.place(1001, side="SELL", price="105", size="4", **REDUCE)
    bought, sold = (room.engine.fills.of(account) for account in (1001, 1003))
    room.engine.bust(next(iter(bought)).id)
    assert [room.clearing.holdings(account).cash for account in (1001, 1003)] == before
    assert (room.held(1001), room.held(1003)) == (0, 0)
    assert reducing.cancel_reason == "REDUCE_ONLY_WILL_INCREASE"
    for fill_id in (next(iter(bought)).id, next(iter(sold)).id, "7"):
        with pytest.raises(FillUnknown):
            room.engine.bust(fill_id)


def test_restricted_modes_close_what_rests_too_far() -> None:
    """Resting orders more than 5 bps past the fair price are closed, at once and when the fair price moves."""
    room = Room()
    room.move(100)
    near, far = room.place(1001, price="100"), room.place(1001, price="101")
    offer = room.place(1002, side="SELL", price="102")
    room.set_mode("cancel_only")
    assert (near.status, state(far)[:2]) == ("OPEN", ("CLOSED", "EXPIRED"))
    room.move(100, fair=99)
    assert (near.cancel_reason, offer.status) == ("EXPIRED", "OPEN")


def test_an_order_that_was_accepted_before_the_mode_changed_does_not_slip_in() -> None:
    """What waits for its speed bump when the platform is restricted is closed when it comes out of it."""
    room = Room()
    order = room.desk.create(order_request(), room.caller(1001, interactive=True))
    room.set_mode("post_only")
    room.work()
    assert state(order) == ("CLOSED", "EXPIRED", 2)


# -- how it goes about it ----------------------------------------------------------------------------------


def test_what_a_listener_asks_for_comes_after_the_step() -> None:
    """Orders that an event brings about are placed when the step is over: no listener sees a step inside another."""
    room = Room()
    seen: list[Event] = room.seen.events
    answer = order_request(side="SELL", price="101")
    later = room.desk.entry.check(answer, room.caller(1002), "ok")
    room.desk.entry.admit(later)
    nested: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Filled) and not nested:
            nested.append(later.status)
            room.engine.step(Place(later))
            assert later.status == "NEW"

    room.bus.listen(listen)
    room.hold(1001, 2)
    assert (nested, later.status) == (["NEW"], "OPEN")
    kinds = [type(event) for event in seen if isinstance(event, BookChanged | Filled)]
    assert kinds[-4:] == [Filled, Filled, BookChanged, BookChanged]


async def test_speed_bumps_are_waited_out_in_order(autojump_clock: MockClock) -> None:
    """Commands are executed when they are due, not when they came; those due at once in the order they came."""
    order = Room().place(1001)
    done = list[tuple[float, str]]()
    start = autojump_clock.current_time()

    def execute(command: Command) -> None:
        assert isinstance(command, Cancel)
        done.append((trio.current_time() - start, command.reason))

    inbox = Inbox(execute)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(inbox.run)
        for name, delay in (("slow", 0.3), ("first", 0.0), ("second", 0.0)):
            inbox.put(Cancel(order, name), delay)
        await trio.sleep(0.1)
        inbox.put(Cancel(order, "between"), 0.05)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert [name for _, name in done] == ["first", "second", "between", "slow"]
    assert [when for when, _ in done] == pytest.approx([0, 0, 0.15, 0.3])


@pytest.mark.parametrize(("interactive", "bump"), [(False, 0.0), (True, 0.3)])
def test_retail_pays_its_speed_bump_for_everything(*, interactive: bool, bump: float) -> None:
    """Orders, modifications and cancels of an interactive caller are delayed by 300 ms, those of others are not."""
    room = Room()
    order = room.place(1001, interactive=interactive)
    assert ("INTERACTIVE" in order.flags) == interactive
    caller = room.caller(1001, interactive=interactive)
    room.desk.create(order_request(), caller)
    room.desk.modify(order.id, change(order, price="98"), caller)
    room.desk.cancel(order, caller)
    assert [delay for delay, _ in room.queue] == [bump] * 3


def test_over_its_quota_a_retail_order_is_a_pro_order() -> None:
    """Without the flag and without the bump, whatever its request says."""
    room = Room()
    retail = room.caller(1001, interactive=True)
    over = type(retail)(retail.account, retail.grant, retail.received_ms, interactive=False)
    order = room.desk.create(order_request(flags=["INTERACTIVE"]), over)
    assert order.flags == ()
    assert room.queue[0][0] == 0
