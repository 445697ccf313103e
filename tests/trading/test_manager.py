"""The order manager's step: what is decided for each item, and what never is."""

from collections.abc import Callable

import pytest
from trading_stage import (
    MARKET,
    PRICE,
    RECV_WINDOW_MS,
    SIZE,
    SYMBOL,
    Desk,
    Recorder,
    cancel_ended,
    ended,
    listed,
    looked_up,
    on_channel,
    open_desk,
    report,
    started,
)

from bot.core.errors import (
    FatalError,
    InvalidOrderError,
    NotSentError,
    RefusedError,
    RequestError,
    RevokedError,
    SessionGoneError,
    UnknownOutcomeError,
)
from bot.core.fixed import parse
from bot.core.order import OrderType, Side, State
from bot.paradex.answers import Bbo
from bot.session.capabilities import open_session
from bot.session.inbox import Item, SessionOpened
from bot.trading.effects import (
    CLOCK_MARGIN_NS,
    BboFetched,
    CancelOrder,
    Effect,
    FetchBbo,
    GiveUp,
    LookUpOrder,
    OrderMoved,
    PlaceOrder,
    SetTimer,
    StopAsked,
    Timer,
    TimerFired,
)
from bot.trading.step.ledger import OrderCounts
from bot.trading.step.pursuit import CANCEL_AGAIN_S, LOOK_AGAIN_S
from bot.trading.strategies.strategy import (
    Event,
    OrderChanged,
    Quote,
    QuoteFailed,
    TimerElapsed,
    TradingOpened,
    TradingPaused,
)
from bot.trading.strategies.trader import Trader

ID = "run-1"
WINDOW_NS = RECV_WINDOW_MS * 1_000_000 + CLOCK_MARGIN_NS
"""From the first byte of an order to the last moment at which the venue can accept it."""

LOST = UnknownOutcomeError("ReadError")
GONE = RefusedError(404, "CLIENT_ORDER_ID_NOT_FOUND", "no such order")
LOOK_TIMER = Timer("look up", ID)
CANCEL_TIMER = Timer("cancel", ID)
LOOK_AGAIN: list[Effect] = [SetTimer(LOOK_TIMER, LOOK_AGAIN_S)]
CANCEL_AGAIN: list[Effect] = [SetTimer(CANCEL_TIMER, CANCEL_AGAIN_S)]


def kinds(effects: list[Effect]) -> list[type[Effect]]:
    return [type(effect) for effect in effects]


def placed_desk() -> Desk:
    """An order has been decided."""
    desk = open_desk()
    desk.place()
    return desk


def sent_desk() -> Desk:
    """An order is on its way."""
    desk = placed_desk()
    assert desk.step(started(desk.clock)) == []
    return desk


def new_desk() -> Desk:
    """The venue has taken an order."""
    desk = sent_desk()
    assert desk.step(ended(report("NEW"))) == []
    return desk


def open_order_desk() -> Desk:
    """An order rests."""
    desk = new_desk()
    assert desk.step(on_channel("OPEN")) == []
    return desk


def unknown_desk() -> Desk:
    """Nobody knows what became of an order, and the question is on its way."""
    desk = sent_desk()
    assert desk.step(ended(LOST)) == [LookUpOrder(desk.order())]
    return desk


def stopped(desk: Desk) -> list[Effect]:
    return desk.step(StopAsked())


# Placing.


def test_an_order_becomes_one_effect() -> None:
    """With the session of now as its permit; the client id is the run's, and numbered."""
    desk = open_desk()
    first, second = desk.place(), desk.place()
    assert (first.client_id, second.client_id) == ("run-1", "run-2")
    assert (first.state, first.size, first.price, first.side) == (State.INTENT, SIZE, PRICE, Side.BUY)
    assert desk.manager.ledger.live() == [first, second]
    assert desk.manager.ledger.counts.placed == 0


@pytest.mark.parametrize(
    ("size", "price", "words"),
    [
        ("0", "42000", "BTC-USD-PERP: size 0 is not above 0"),
        ("0.000015", "42000", "no multiple of the step 0.00001; nearest are 0.00001 and 0.00002"),
        ("0.01", "42000.05", "no multiple of the tick 0.1; nearest are 42000 and 42000.1"),
        ("0.0001", "42000", "worth 4.2 USD, below the smallest order, 10 USD"),
        ("101", "42000", "size 101 is above the largest order, 100"),
        ("0.01", "0", "BTC-USD-PERP: a LIMIT order needs a price above 0"),
    ],
)
@pytest.mark.parametrize("session", [True, False])
def test_the_market_is_asked_first(session: bool, size: str, price: str, words: str) -> None:  # noqa: FBT001
    """An order that no venue would take is told so, session or not; nothing is decided, no number used up."""
    desk = open_desk(session=session)
    with pytest.raises(InvalidOrderError) as refused:
        desk.manager.trader.place(SYMBOL, Side.BUY, size=parse(size), price=parse(price))
    assert words in str(refused.value)
    assert desk.effects_of_trader() == []
    assert desk.manager.ledger.live() == []
    if session:
        assert desk.place().client_id == ID


def test_a_market_order_has_no_price() -> None:
    """0 stands for it."""
    desk = open_desk()
    desk.manager.trader.place(SYMBOL, Side.SELL, size=SIZE, price=0, order_type=OrderType.MARKET)
    (effect,) = desk.effects_of_trader()
    assert isinstance(effect, PlaceOrder)
    assert (effect.order.type, effect.order.price) == (OrderType.MARKET, 0)


def never_opened(desk: Desk) -> None:
    """No session has come."""


def died_unnoticed(desk: Desk) -> None:
    """The generation is dead, and the news of it still in the stream."""
    desk.open_session()
    desk.kill_session()


def lost(desk: Desk) -> None:
    """The manager knows."""
    desk.open_session()
    desk.lose_session()


@pytest.mark.parametrize("how", [never_opened, died_unnoticed, lost])
def test_no_session_no_order(how: Callable[[Desk], None]) -> None:
    """SessionGoneError, and nothing is decided; with the next session orders go, and the first is number 1."""
    desk = open_desk(session=False)
    how(desk)
    with pytest.raises(SessionGoneError):
        desk.manager.trader.place(SYMBOL, Side.BUY, size=SIZE, price=PRICE)
    assert desk.effects_of_trader() == []
    assert desk.manager.ledger.live() == []
    desk.open_session()
    assert desk.place().client_id == ID


def test_what_a_trader_may_ask() -> None:
    """Markets and orders by name, and KeyError for those that are not known."""
    desk = placed_desk()
    trader = desk.manager.trader
    assert trader.market(SYMBOL) is MARKET
    assert trader.order(ID) == desk.order()
    for ask in (
        lambda: trader.market("DOGE-USD-PERP"),
        lambda: trader.order("run-2"),
        lambda: trader.cancel("run-2"),
        lambda: trader.ask_quote("DOGE-USD-PERP"),
    ):
        with pytest.raises(KeyError):
            ask()
    assert desk.effects_of_trader() == []


# How a send ends.


def test_the_bound_of_acceptance() -> None:
    """From the first byte recv_window and margin: after that the venue cannot take the order any more."""
    desk = placed_desk()
    desk.clock.pass_seconds(7)
    start = started(desk.clock)
    desk.clock.pass_seconds(2)  # when the step is taken does not matter
    desk.step(start)
    assert desk.order().last_acceptable_ns == 7 * 10**9 + WINDOW_NS
    assert desk.manager.ledger.counts == OrderCounts(placed=1)


@pytest.mark.parametrize("desk", [placed_desk, sent_desk])
def test_not_sent(desk: Callable[[], Desk]) -> None:
    """Never accepted and never placed, before the first byte or after; nobody looks for it."""
    stage = desk()
    assert stage.step(ended(NotSentError("connection refused"))) == []
    assert (stage.state(), stage.order().reason) == (State.NEVER_ACCEPTED, "connection refused")
    assert stage.manager.ledger.counts == OrderCounts()


def test_refused() -> None:
    """Rejected, in the venue's words, and counted; nobody looks for it."""
    desk = sent_desk()
    assert desk.step(ended(RefusedError(400, "INVALID_ORDER_SIZE", "no"))) == []
    assert (desk.state(), desk.order().reason) == (State.REJECTED, "INVALID_ORDER_SIZE: no")
    assert desk.manager.ledger.counts == OrderCounts(placed=1, rejected=1)


def test_unknown() -> None:
    """A look-up and nothing else."""
    desk = sent_desk()
    assert desk.step(ended(LOST)) == [LookUpOrder(desk.order())]
    assert desk.state() is State.UNKNOWN
    assert desk.manager.ledger.counts == OrderCounts(placed=1)


def test_an_answer_of_a_new_status() -> None:
    """It is an alarm, and the order is looked up like any whose answer does not tell."""
    desk = sent_desk()
    assert desk.step(ended(report("FROZEN"))) == [LookUpOrder(desk.order())]
    assert desk.state() is State.UNKNOWN
    assert len(desk.alarms) == 1


@pytest.mark.parametrize("status", ["NEW", "OPEN", "CLOSED"])
def test_the_channel_knows_before_the_send_has_ended(status: str) -> None:
    """A lost answer takes nothing back, and nobody asks what is known."""
    desk = sent_desk()
    desk.step(on_channel(status))
    assert desk.step(ended(LOST)) == []
    assert desk.state() is State(status)
    assert desk.alarms == []


def test_a_refusal_against_the_channel() -> None:
    """The venue reported the order as open and then refuses it: an alarm, and the order still lives."""
    desk = sent_desk()
    desk.step(on_channel("OPEN"))
    assert desk.step(ended(RefusedError(400, "CODE", "no"))) == []
    assert (desk.state(), desk.alarms) == (State.OPEN, ["order run-1 is OPEN, and met REFUSED"])


# Orders whose end is not known.


def test_absent_twice_after_the_bound() -> None:
    """NEVER_ACCEPTED is a fact: not found by two look-ups asked at least 1 s apart after the last moment at
    which the venue could accept the order, and never earlier."""
    desk = unknown_desk()
    second = 10**9
    for asked_ns in (second, WINDOW_NS - second, WINDOW_NS, WINDOW_NS + 1, WINDOW_NS + second):
        assert desk.step(looked_up(None)) == LOOK_AGAIN
        desk.clock.now_ns = asked_ns
        assert desk.step(TimerFired(LOOK_TIMER)) == [LookUpOrder(desk.order())]
        desk.clock.pass_seconds(3)  # however long the answer is under way
        assert desk.state() is State.UNKNOWN
    assert desk.step(looked_up(None)) == LOOK_AGAIN
    desk.clock.now_ns = WINDOW_NS + 1 + second
    assert desk.step(TimerFired(LOOK_TIMER)) == [LookUpOrder(desk.order())]
    assert desk.step(looked_up(None)) == []
    assert desk.state() is State.NEVER_ACCEPTED
    assert desk.order().reason == "not there after the venue could last accept it"


@pytest.mark.parametrize("failure", [LOST, NotSentError("no token"), RefusedError(429, "RATE", "slow down")])
def test_a_look_up_that_fails_proves_nothing(failure: RequestError) -> None:
    """It is asked again in a second, for as long as it takes."""
    desk = unknown_desk()
    for _ in range(20):
        assert desk.step(looked_up(failure)) == LOOK_AGAIN
        desk.clock.pass_seconds(1)
        assert desk.step(TimerFired(LOOK_TIMER)) == [LookUpOrder(desk.order())]
    assert desk.state() is State.UNKNOWN


@pytest.mark.parametrize("status", ["NEW", "OPEN", "CLOSED"])
def test_found(status: str) -> None:
    """The venue's word resolves it, and only the channel confirms it."""
    desk = unknown_desk()
    assert desk.step(looked_up(report(status))) == []
    assert desk.state() is State(status)
    assert desk.manager.ledger.counts.confirmed == 0
    desk.step(on_channel("CLOSED"))
    assert desk.manager.ledger.counts == OrderCounts(placed=1, confirmed=1, closed=1)


def test_one_question_at_a_time() -> None:
    """Lists, timers and failed cancels that want to know while a look-up is under way ask once more when it
    comes back, whatever it says: it may be older than the doubt."""
    desk = unknown_desk()
    nothing = listed(desk.clock.now_ns + 1)
    assert desk.step(nothing, TimerFired(LOOK_TIMER), nothing) == []
    assert desk.cancel(ID) == [CancelOrder(desk.order())]
    assert desk.step(cancel_ended(GONE)) == []
    for answer, effects in (
        (looked_up(LOST), [LookUpOrder]),
        (looked_up(LOST), [SetTimer]),
    ):
        assert kinds(desk.step(answer)) == effects
    assert kinds(desk.step(nothing, nothing)) == [LookUpOrder]
    assert kinds(desk.step(looked_up(report("NEW")))) == [CancelOrder, SetTimer, LookUpOrder]
    desk.step(nothing, on_channel("CLOSED"))
    assert desk.step(looked_up(report("NEW"))) == []


def test_the_answer_to_a_look_up_comes_too_late() -> None:
    """The channel was faster: nothing follows."""
    desk = unknown_desk()
    desk.step(on_channel("CLOSED"))
    assert desk.step(looked_up(None), TimerFired(LOOK_TIMER), TimerFired(CANCEL_TIMER)) == []
    assert desk.state() is State.CLOSED


def test_the_list_of_open_orders() -> None:
    """It reports what is in it; what it lacks is looked up if it was sent before the list was asked for."""
    desk = open_order_desk()
    resting = desk.order()
    asked_at_the_same_time = listed(desk.clock.now_ns)
    assert desk.step(asked_at_the_same_time) == []
    asked_later = listed(desk.clock.now_ns + 1)
    assert desk.step(asked_later) == [LookUpOrder(resting)]
    desk.step(looked_up(report("OPEN")))
    with_less = listed(desk.clock.now_ns + 1, report("OPEN", remaining="0.004"))
    assert desk.step(with_less) == []
    assert desk.order().remaining == parse("0.004")
    desk.step(on_channel("CLOSED"))
    assert desk.step(asked_later, with_less) == []
    assert desk.state() is State.CLOSED


@pytest.mark.parametrize("desk", [placed_desk, sent_desk])
def test_the_list_says_nothing_of_what_is_on_its_way(desk: Callable[[], Desk]) -> None:
    """An order that has not arrived yet is not missing."""
    assert desk().step(listed(10**18)) == []


# Cancelling.


@pytest.mark.parametrize("desk", [new_desk, open_order_desk])
def test_a_cancel_by_the_venues_id(desk: Callable[[], Desk]) -> None:
    """At once, and once, however often it is asked."""
    stage = desk()
    (effect,) = stage.cancel(ID)
    assert isinstance(effect, CancelOrder)
    assert effect.order.venue_id == "v1"
    assert stage.cancel(ID) == []
    stage.step(on_channel("OPEN", remaining="0.005"))
    assert stage.order().cancelling


def test_a_cancel_of_an_order_on_its_way() -> None:
    """It cannot be named yet: it goes out as soon as the venue's id is known, from whoever tells first."""
    for news in (on_channel("NEW"), on_channel("OPEN"), ended(report("NEW"))):
        desk = placed_desk()
        assert desk.cancel(ID) == []
        assert desk.step(started(desk.clock)) == []
        assert kinds(desk.step(news)) == [CancelOrder]
        assert desk.order().venue_id == "v1"


def test_a_cancel_of_an_unknown_order() -> None:
    """It goes by our own id: the venue may have the order."""
    desk = sent_desk()
    assert desk.cancel(ID) == []
    cancel, look_up = desk.step(ended(LOST))
    assert isinstance(cancel, CancelOrder)
    assert (cancel.order.venue_id, cancel.order.state) == ("", State.UNKNOWN)
    assert isinstance(look_up, LookUpOrder)


@pytest.mark.parametrize(
    "outcome", [NotSentError("no connection"), RefusedError(400, "CODE", "no")], ids=["not sent", "refused"]
)
def test_a_cancel_of_what_never_came(outcome: RequestError) -> None:
    """There is nothing to cancel."""
    desk = sent_desk()
    desk.cancel(ID)
    assert desk.step(ended(outcome)) == []
    assert desk.cancel(ID) == []


def test_one_cancel_in_flight() -> None:
    """Reports that come while it is under way send no second one; after its end another may go."""
    desk = open_order_desk()
    assert kinds(desk.cancel(ID)) == [CancelOrder]
    assert desk.step(on_channel("OPEN", remaining="0.008"), on_channel("OPEN", remaining="0.006")) == []
    assert desk.step(TimerFired(CANCEL_TIMER)) == []
    assert desk.step(cancel_ended(NotSentError("no connection"))) == CANCEL_AGAIN
    assert kinds(desk.step(TimerFired(CANCEL_TIMER))) == [CancelOrder]
    assert desk.step(TimerFired(CANCEL_TIMER)) == []


def test_a_cancel_of_which_nobody_tells() -> None:
    """It may have been done: the order is looked for at once, and what is still there is cancelled again."""
    desk = open_order_desk()
    desk.cancel(ID)
    for _ in range(2):
        assert desk.step(cancel_ended(LOST)) == [*CANCEL_AGAIN, LookUpOrder(desk.order())]
        assert desk.step(looked_up(report("OPEN"))) == []
        assert desk.step(TimerFired(CANCEL_TIMER)) == [CancelOrder(desk.order())]
    assert desk.step(cancel_ended(LOST)) == [*CANCEL_AGAIN, LookUpOrder(desk.order())]
    desk.step(looked_up(report("CLOSED")))
    assert desk.state() is State.CLOSED
    assert desk.step(TimerFired(CANCEL_TIMER)) == []


@pytest.mark.parametrize(
    "failure",
    [
        NotSentError("no connection"),
        RefusedError(429, "RATE", "slow down"),
        RefusedError(401, "INVALID_TOKEN", "expired"),
        RefusedError(503, "SYSTEM_STATUS_CANCEL_ONLY", "odd"),
    ],
)
def test_a_failed_cancel_is_repeated(failure: RequestError) -> None:
    """After half a second, each time, until the order is over."""
    desk = open_order_desk()
    desk.cancel(ID)
    for _ in range(3):
        assert desk.step(cancel_ended(failure)) == CANCEL_AGAIN
        assert desk.step(TimerFired(CANCEL_TIMER)) == [CancelOrder(desk.order())]
    desk.step(on_channel("CLOSED"))
    assert desk.step(cancel_ended(failure), TimerFired(CANCEL_TIMER)) == []


@pytest.mark.parametrize("status", [400, 404])
def test_nothing_to_cancel(status: int) -> None:
    """The venue no longer has it among the open ones: the history is asked why, and its word ends the order."""
    desk = open_order_desk()
    desk.cancel(ID)
    assert desk.step(cancel_ended(RefusedError(status, "ORDER_IS_CLOSED", ""))) == [LookUpOrder(desk.order())]
    assert desk.step(looked_up(report("CLOSED", remaining="0"))) == []
    assert (desk.state(), desk.order().filled) == (State.CLOSED, SIZE)


def test_queued_is_not_done() -> None:
    """The answer to a cancel never ends an order: it is asked after, and cancelled again if it still rests."""
    desk = open_order_desk()
    desk.cancel(ID)
    assert desk.step(cancel_ended()) == LOOK_AGAIN
    assert desk.state() is State.OPEN
    assert desk.step(TimerFired(LOOK_TIMER)) == [LookUpOrder(desk.order())]
    assert desk.step(looked_up(report("OPEN"))) == CANCEL_AGAIN
    assert desk.step(TimerFired(CANCEL_TIMER)) == [CancelOrder(desk.order())]
    assert desk.step(cancel_ended()) == LOOK_AGAIN
    assert desk.step(on_channel("CLOSED")) == []
    assert desk.state() is State.CLOSED


# Stopping.


def test_a_stop_with_nothing_alive() -> None:
    """It is settled at once, and not before."""
    desk = open_desk()
    assert not desk.manager.settled.is_set()
    assert stopped(desk) == []
    assert desk.manager.settled.is_set()


def test_a_stop_cancels_everything() -> None:
    """What can be named at once, the rest when it can; settled exactly when the last one is over."""
    desk = open_order_desk()
    desk.place()
    desk.place()
    desk.step(started(desk.clock, "run-2"))
    assert kinds(stopped(desk)) == [CancelOrder]
    assert stopped(desk) == []
    for item, effects in (
        (on_channel("CLOSED"), []),
        (ended(NotSentError("stopping"), "run-3"), []),
        (ended(LOST, "run-2"), [CancelOrder, LookUpOrder]),
        (cancel_ended(GONE, "run-2"), []),
        (looked_up(report("OPEN", "run-2"), "run-2"), [CancelOrder, SetTimer, LookUpOrder]),
        (cancel_ended(None, "run-2"), [SetTimer]),
    ):
        assert not desk.manager.settled.is_set()
        assert kinds(desk.step(item)) == effects
    assert not desk.manager.settled.is_set()
    desk.step(on_channel("CLOSED", "run-2"))
    assert desk.manager.settled.is_set()
    assert desk.manager.ledger.live() == []
    assert desk.alarms == []


def test_a_stop_revokes_the_trader() -> None:
    """And the strategy hears nothing more."""
    strategy = Recorder()
    desk = open_desk(strategy)
    desk.place()
    heard = len(strategy.events)
    stopped(desk)
    desk.step(started(desk.clock), ended(report("OPEN")), BboFetched(SYMBOL, LOST))
    desk.open_session()
    desk.lose_session()
    assert len(strategy.events) == heard
    with pytest.raises(RevokedError):
        desk.manager.trader.place(SYMBOL, Side.BUY, size=SIZE, price=PRICE)


# What a strategy hears.


def test_what_a_strategy_hears() -> None:
    """Sessions, changes, timers and quotes, in the order of the stream; a change that is none is not told."""
    strategy = Recorder()
    desk = open_desk(strategy)
    desk.place()
    desk.step(started(desk.clock), on_channel("NEW"), on_channel("NEW"), ended(report("NEW")))
    desk.step(on_channel("OPEN", remaining="0.01"), on_channel("OPEN", remaining="0.004"))
    desk.lose_session()
    assert desk.manager.trader.set_timer(2.5) == 1
    assert desk.effects_of_trader() == [SetTimer(Timer("strategy", "1"), 2.5)]
    desk.step(TimerFired(Timer("strategy", "1")))
    changes = [event.order for event in strategy.events if isinstance(event, OrderChanged)]
    assert [(order.state, order.remaining) for order in changes] == [
        (State.SENT, SIZE),
        (State.NEW, SIZE),
        (State.OPEN, SIZE),
        (State.PARTLY_FILLED, parse("0.004")),
    ]
    assert desk.moves == changes
    assert [event for event in strategy.events if not isinstance(event, OrderChanged)] == [
        TradingOpened(1),
        TradingPaused(),
        TimerElapsed(1),
    ]


@pytest.mark.parametrize(
    ("bbo", "event"),
    [
        (Bbo(market=SYMBOL, bid="42000.1", ask="42000.2"), Quote(SYMBOL, parse("42000.1"), parse("42000.2"))),
        (Bbo(market=SYMBOL, bid="", ask=None), Quote(SYMBOL, None, None)),
        (Bbo(market=SYMBOL, bid="1e5"), QuoteFailed(SYMBOL, "not a plain decimal number: '1e5'")),
        (LOST, QuoteFailed(SYMBOL, "ReadError")),
        (GONE, QuoteFailed(SYMBOL, str(GONE))),
        (NotSentError("no token"), QuoteFailed(SYMBOL, "no token")),
    ],
)
def test_quotes(bbo: Bbo | RequestError, event: Event) -> None:
    """An empty side is None; what cannot be read, and what did not come, is a failure in words."""
    strategy = Recorder()
    desk = open_desk(strategy)
    desk.manager.trader.ask_quote(SYMBOL)
    assert desk.effects_of_trader() == [FetchBbo(SYMBOL)]
    desk.step(BboFetched(SYMBOL, bbo))
    assert strategy.events[-1] == event


def test_a_strategy_may_cancel_while_it_is_told() -> None:
    """One cancel comes out, though manager and strategy both see that it is wanted."""

    def cancel_when_open(event: Event, trader: Trader) -> None:
        if isinstance(event, OrderChanged) and event.order.state is State.OPEN:
            trader.cancel(event.order.client_id)

    desk = open_desk(Recorder(reaction=cancel_when_open))
    desk.place()
    assert desk.step(started(desk.clock), ended(report("NEW"))) == []
    assert kinds(desk.step(on_channel("OPEN"))) == [CancelOrder]


def test_every_change_of_an_order_is_told_before_what_it_leads_to() -> None:
    """To what the strategy does, and to what is done without it while the bot stops; no change is not told."""

    def cancel_when_open(event: Event, trader: Trader) -> None:
        if isinstance(event, OrderChanged) and event.order.state is State.OPEN:
            trader.cancel(event.order.client_id)

    for strategy, stops in ((Recorder(reaction=cancel_when_open), False), (Recorder(), True)):
        desk = open_desk(strategy)
        desk.place()
        desk.step(started(desk.clock))
        if stops:
            stopped(desk)
        moved, cancel = desk.manager.step(on_channel("OPEN"), desk.clock.now_ns)
        assert isinstance(moved, OrderMoved)
        assert (moved.order.state, moved.order.cancelling) == (State.OPEN, stops)
        assert cancel == CancelOrder(desk.order())
        assert desk.manager.step(on_channel("OPEN"), desk.clock.now_ns) == []


def test_a_strategy_that_cannot_go_on() -> None:
    """Its FatalError is a wish to stop, in order, and no end of the step: what was decided before is done."""

    def give_up(event: Event, trader: Trader) -> None:
        if isinstance(event, TradingOpened):
            trader.ask_quote(SYMBOL)
            raise FatalError("no size fits")

    desk = open_desk(Recorder(reaction=give_up), session=False)
    with open_session(1) as session:
        assert desk.manager.step(SessionOpened(session), 0) == [FetchBbo(SYMBOL), GiveUp("no size fits")]
        assert desk.place().client_id == ID


# What is not ours, not known, or not possible.


def test_orders_of_others_are_left_alone() -> None:
    """Not on the channel, not in a list, not at a stop, and not when their id looks like one of ours of long ago."""
    desk = open_desk()
    foreign = [
        report("OPEN", client_id, venue_id=f"v{client_id}") for client_id in ("theirs", None, "run-999")
    ]
    for each in foreign:
        assert desk.step(listed(1, *foreign), on_channel("OPEN", each.client_id)) == []
    assert stopped(desk) == []
    assert desk.manager.settled.is_set()
    assert (desk.alarms, desk.manager.ledger.counts) == ([], OrderCounts())


def test_late_reports_of_a_closed_order() -> None:
    """Of any status, from anywhere, they change nothing and alarm nobody."""
    desk = open_order_desk()
    desk.step(on_channel("CLOSED", remaining="0.01"))
    over = desk.order()
    for status in ("NEW", "OPEN", "UNTRIGGERED", "CLOSED"):
        assert desk.step(on_channel(status, remaining="0.01"), listed(1, report(status))) == []
    assert desk.order() == over
    assert desk.manager.ledger.counts == OrderCounts(placed=1, confirmed=1, closed=1)
    assert desk.alarms == []


def test_a_new_status_is_an_alarm() -> None:
    """The order stays as it was, and everything goes on."""
    desk = open_order_desk()
    assert desk.step(on_channel("FROZEN")) == []
    assert desk.state() is State.OPEN
    assert desk.alarms == ["order run-1: the venue reports a status unknown here, 'FROZEN'"]
    assert kinds(desk.cancel(ID)) == [CancelOrder]


def test_an_item_that_is_none() -> None:
    """It is our own mistake, and says so."""
    with pytest.raises(TypeError, match="no such item"):
        open_desk().step(Item())
