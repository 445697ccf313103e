"""Snapshots, fills and positions: what was missed is repaired and counted, and nothing counts twice."""

import attrs
import pytest
from trading_stage import (
    PRICE,
    RUN,
    SIZE,
    SYMBOL,
    Desk,
    Recorder,
    ended,
    on_channel,
    open_desk,
    report,
    snapshot,
    started,
)

from bot.core.errors import InvalidOrderError, NotSentError, UnknownOutcomeError
from bot.core.fixed import parse
from bot.core.order import Ending, Side, State
from bot.paradex.answers import FillReport, PositionReport
from bot.session.inbox import FillReported, Snapshot
from bot.trading.effects import (
    Effect,
    LookUpOrder,
    PlaceOrder,
    Repaired,
    SetTimer,
    TakeSnapshot,
    Timer,
    TimerFired,
)
from bot.trading.step.stocktaking import LOOK_AGAIN_S, PART, PART_SIZE, SNAPSHOT
from bot.trading.strategies.strategy import Filled, TradingOpened


def fill(
    number: int = 1,
    *,
    size: str = "0.004",
    side: str = "BUY",
    client_id: str | None = f"{RUN}-1",
    kind: str = "FILL",
) -> FillReport:
    return FillReport(
        id=f"f{number}",
        fill_type=kind,
        market=SYMBOL,
        side=side,
        size=size,
        price="42000",
        fee="0.05",
        fee_currency="USDC",
        client_id=client_id,
        order_id="v1",
        created_at=1,
    )


def held(size: str, side: str = "LONG") -> tuple[PositionReport, ...]:
    return (PositionReport(market=SYMBOL, side=side, size=size),)


def resting() -> Desk:
    """An order of ours rests, and the first snapshot was taken: nothing is held."""
    desk = open_desk(Recorder())
    desk.step(snapshot(0))
    desk.place()
    desk.step(started(desk.clock), ended(report("NEW")), on_channel("OPEN"))
    desk.clock.pass_seconds(1)
    return desk


def told(desk: Desk) -> list[Filled]:
    strategy = desk.manager._strategy
    assert isinstance(strategy, Recorder)
    return [event for event in strategy.events if isinstance(event, Filled)]


def test_a_fill_counts_once() -> None:
    """By the channel, again by the channel, by a snapshot: one fill, told once, and no repair."""
    desk = resting()
    for _ in range(2):
        desk.step(FillReported(1, fill(), ns=-1))
    desk.step(
        snapshot(
            desk.clock.now_ns,
            open_orders=(report("OPEN", remaining="0.006"),),
            fills=(fill(),),
            positions=held("0.004"),
        )
    )
    assert (desk.state(), desk.order().filled) == (State.PARTLY_FILLED, parse("0.004"))
    assert desk.manager.holdings.position(SYMBOL) == parse("0.004")
    assert desk.manager.holdings.fees == {"USDC": parse("0.05")}
    assert [event.fill.id for event in told(desk)] == ["f1"]
    assert desk.repairs == []


def test_a_fill_of_another_kind_with_the_same_id_is_another() -> None:
    """Ids are unique among the fills of one kind only (protocol reference 8, item 17)."""
    desk = resting()
    desk.step(
        FillReported(1, fill(), ns=-1), FillReported(1, fill(kind="LIQUIDATION", client_id=None), ns=-1)
    )
    assert desk.manager.holdings.position(SYMBOL) == parse("0.008")
    assert desk.order().filled == parse("0.004")


def test_the_side_of_our_fill_is_our_orders() -> None:
    """The venue's document says that a fill's side is the taker's; of a foreign order nothing else is known."""
    desk = resting()
    desk.step(FillReported(1, fill(side="SELL"), ns=-1))
    assert desk.manager.holdings.position(SYMBOL) == parse("0.004")
    desk.step(FillReported(1, fill(2, side="SELL", client_id="somebody"), ns=-1))
    assert desk.manager.holdings.position(SYMBOL) == 0
    assert [event.fill.id for event in told(desk)] == ["f1"]


def test_a_missed_fill_is_found_and_counted_as_a_repair() -> None:
    """And so is what the order came to."""
    desk = resting()
    desk.step(
        snapshot(
            desk.clock.now_ns,
            history=(report("CLOSED", remaining="0.006", reason="USER_CANCELED"),),
            fills=(fill(),),
            positions=held("0.004"),
        )
    )
    assert desk.order().ending is Ending.CANCELLED
    assert desk.manager.holdings.position(SYMBOL) == desk.order().filled == parse("0.004")
    assert [(each.what, each.subject) for each in desk.repairs] == [("order", f"{RUN}-1"), ("fill", "f1")]
    assert desk.manager.stocktaking.repairs == {"order": 1, "fill": 1}


def test_what_a_snapshot_says_that_was_known_is_no_repair() -> None:
    """Nor is it one if the answer to a request of ours was lost: for that nobody was to blame but the connection."""
    desk = resting()
    desk.step(snapshot(desk.clock.now_ns, open_orders=(report("OPEN"),), history=(report("OPEN"),)))
    assert desk.repairs == []
    desk.place()
    desk.step(started(desk.clock, f"{RUN}-2"), ended(UnknownOutcomeError("cut"), f"{RUN}-2"))
    desk.step(
        snapshot(desk.clock.now_ns, open_orders=(report("OPEN"), report("OPEN", f"{RUN}-2", venue_id="v2")))
    )
    assert desk.state(f"{RUN}-2") is State.OPEN
    assert desk.repairs == []


def test_positions_that_stay_others_are_taken_over() -> None:
    """Once may be a fill between two answers, so it is asked again soon; twice the same is the truth."""
    desk = resting()
    first = desk.step(
        snapshot(desk.clock.now_ns, open_orders=(report("OPEN"),), positions=held("0.5", "SHORT"))
    )
    assert first == [SetTimer(Timer(SNAPSHOT, ""), LOOK_AGAIN_S)]
    assert desk.step(TimerFired(Timer(SNAPSHOT, ""))) == [TakeSnapshot()]
    assert desk.manager.holdings.position(SYMBOL) == 0
    desk.step(snapshot(desk.clock.now_ns, open_orders=(report("OPEN"),), positions=held("0.5", "SHORT")))
    assert desk.manager.holdings.position(SYMBOL) == -parse("0.5")
    assert desk.repairs == [Repaired("position", SYMBOL, "0 held, is -0.5")]


def test_positions_of_a_moment_are_not_taken_over() -> None:
    """The fill was between the answers: it comes by the channel, and the next snapshot agrees."""
    desk = resting()
    desk.step(snapshot(desk.clock.now_ns, open_orders=(report("OPEN"),), positions=held("0.004")))
    desk.step(FillReported(1, fill(), ns=-1))
    assert (
        desk.step(
            snapshot(
                desk.clock.now_ns, open_orders=(report("OPEN"),), fills=(fill(),), positions=held("0.004")
            )
        )
        == []
    )
    assert (desk.manager.holdings.position(SYMBOL), desk.repairs) == (parse("0.004"), [])


def test_what_was_held_before_is_held() -> None:
    """The first snapshot's position contains the fills that it lists; later ones change it."""
    desk = open_desk()
    desk.step(snapshot(0, fills=(fill(client_id=None),), positions=held("3")))
    assert desk.manager.trader.position(SYMBOL) == parse("3")
    desk.step(
        FillReported(1, fill(client_id=None), ns=-1),
        FillReported(1, fill(2, client_id=None, side="SELL"), ns=-1),
    )
    assert desk.manager.trader.position(SYMBOL) == parse("2.996")


def test_fills_of_more_than_the_order() -> None:
    """An alarm, and the order is not filled by more than it is."""
    desk = resting()
    desk.step(*(FillReported(1, fill(number), ns=-1) for number in (1, 2, 3)))
    assert desk.order().filled == SIZE
    assert desk.alarms == [f"order {RUN}-1: its fills come to 0.012 of 0.01"]


@pytest.mark.parametrize("change", [{"size": "1e3"}, {"side": "LONG"}, {"price": None}])
def test_a_fill_that_cannot_be_read(change: dict[str, str | None]) -> None:
    """An alarm, and it is counted when it can be."""
    desk = resting()
    whole = fill()
    broken = attrs.evolve(whole, **change)  # type: ignore[arg-type]
    desk.step(FillReported(1, broken, ns=-1))
    assert (desk.manager.holdings.position(SYMBOL), len(desk.alarms)) == (0, 1)
    desk.step(FillReported(1, whole, ns=-1))
    assert desk.manager.holdings.position(SYMBOL) == parse("0.004")


def test_a_position_that_cannot_be_read() -> None:
    """An alarm; what was believed stays."""
    desk = resting()
    desk.step(snapshot(desk.clock.now_ns, open_orders=(report("OPEN"),), positions=held("much")))
    assert desk.alarms == ["a position cannot be read: not a plain decimal number: 'much'"]
    assert desk.manager.holdings.position(SYMBOL) == 0


def test_who_is_nowhere_is_looked_for() -> None:
    """An order that is neither in the list nor in the history; unless it was sent after they were asked for."""
    desk = resting()
    requested_ns = desk.clock.now_ns
    desk.clock.pass_seconds(1)
    desk.place()
    desk.step(started(desk.clock, f"{RUN}-2"), ended(report("NEW", f"{RUN}-2", venue_id="v2"), f"{RUN}-2"))
    assert desk.step(snapshot(requested_ns)) == [LookUpOrder(desk.order())]


# Sent again.


def test_only_what_is_proved_absent_may_be_sent_again() -> None:
    """Under the same client id; every other state is refused, and nothing leaves."""
    desk = open_desk()
    order = desk.place()
    again = desk.manager.trader.place_again
    for item in (
        started(desk.clock),
        ended(UnknownOutcomeError("cut")),
        on_channel("OPEN"),
        on_channel("CLOSED"),
    ):
        with pytest.raises(InvalidOrderError, match="it may be at the venue, or have been"):
            again(order.client_id)
        desk.step(item)
    with pytest.raises(InvalidOrderError, match="is CLOSED"):
        again(order.client_id)
    with pytest.raises(KeyError):
        again("nobody's")
    unsent = desk.place()
    desk.step(started(desk.clock, unsent.client_id), ended(NotSentError("no route"), unsent.client_id))
    assert desk.manager.ledger.counts.placed == 1
    again(unsent.client_id)
    (effect,) = [each for each in desk.effects_of_trader() if isinstance(each, PlaceOrder)]
    assert (effect.order.client_id, effect.order.state) == (unsent.client_id, State.INTENT)
    desk.step(started(desk.clock, unsent.client_id), on_channel("OPEN", unsent.client_id))
    assert desk.manager.ledger.counts.placed == 2
    assert desk.state(unsent.client_id) is State.OPEN
    assert Side.BUY is effect.order.side
    assert effect.order.price == PRICE


# Snapshots that are too long for one step.


def long_snapshot(desk: Desk, fills: int) -> Snapshot:
    """So many fills of others, and then one of our order, which is over by that."""
    others = tuple(fill(number, client_id=None, size="0.001") for number in range(2, fills + 1))
    return snapshot(
        desk.clock.now_ns,
        history=(report("CLOSED", remaining="0.006", reason="USER_CANCELED"),),
        fills=(fill(1), *others),  # the newest first
        positions=held(f"{0.003 + fills * 0.001:.3f}"),
    )


def parts_until_merged(desk: Desk, decided: list[Effect]) -> int:
    """Go on as long as that is asked for."""
    for parts in range(1, 100):
        waits = [effect for effect in decided if effect == SetTimer(Timer(PART, ""), 0.0)]
        if not waits:
            return parts
        assert len(waits) == 1
        assert not desk.manager.stocktaking.is_done
        decided = desk.step(TimerFired(Timer(PART, "")))
    pytest.fail("it has no end")


@pytest.mark.parametrize(
    ("fills", "parts"),
    [(PART_SIZE - 2, 1), (PART_SIZE - 1, 2), (PART_SIZE, 2), (3 * PART_SIZE, 4)],
)
def test_a_long_snapshot_is_merged_part_by_part(fills: int, parts: int) -> None:
    """Each no longer than a step may be; in the end it is as if it had been short."""
    desk = resting()
    assert parts_until_merged(desk, desk.step(long_snapshot(desk, fills))) == parts
    assert desk.manager.stocktaking.is_done
    assert desk.order().state is State.CLOSED
    assert [event.order is None for event in told(desk)] == [False]
    assert desk.manager.stocktaking.repairs == {"order": 1, "fill": fills}


def test_trading_opens_when_all_of_it_is_merged() -> None:
    """What the rest may tell is not known before."""
    desk = open_desk(Recorder(), session=False)
    decided = desk.step(long_snapshot(desk, 2 * PART_SIZE))
    desk.open_session()
    strategy = desk.manager._strategy
    assert isinstance(strategy, Recorder)
    assert TradingOpened(1) not in strategy.events
    assert parts_until_merged(desk, decided) == 3
    assert strategy.events[-1] == TradingOpened(1)


def test_the_next_snapshot_waits_for_the_one_before() -> None:
    """They are merged in their order, and nobody asks twice to go on."""
    desk = resting()
    decided = desk.step(long_snapshot(desk, 2 * PART_SIZE))
    decided += desk.step(snapshot(desk.clock.now_ns, positions=held(f"{0.003 + PART_SIZE * 0.002:.3f}")))
    assert desk.manager.stocktaking.repairs["order"] == 1
    assert parts_until_merged(desk, decided) == 3
    assert desk.manager.stocktaking.repairs == {"order": 1, "fill": 2 * PART_SIZE}
