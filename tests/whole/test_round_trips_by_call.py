"""How many round trips orders over the WebSocket take, from the decision on, in virtual time on a real stack."""

import json
from collections.abc import Callable

import attrs
import pytest
import trio

from bot import app
from bot.core.fixed import SCALE
from bot.core.order import Instruction, Side, State
from bot.core.tape import Kind
from bot.session import login, mode
from bot.settings import Settings
from bot.simulation.evidence import Evidence, watching
from bot.simulation.notes import Line
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.trading import reconcile
from bot.trading.requests import WS
from bot.trading.strategies.strategy import Event, OrderChanged, Quote, TimerElapsed, TradingOpened
from bot.trading.strategies.trader import NewOrder, Trader

DELAY = 0.125  # s, one way
RTT = 2 * DELAY
PROCESSING = 0.03125
MARKET = "BTC-USD-PERP"
CREATE, MODIFY, CANCEL = "order.create", "order.modify", "order.cancel"
CREATE_BATCH, CANCEL_BATCH = "order.create_batch", "order.cancel_batch"


@attrs.define
class Metronome:
    """At each of these times after trading opened first: so many orders, each modified and then cancelled."""

    times: tuple[float, ...]
    count: int = 1
    together: bool = False
    """In a batch, and cancelled in one."""

    price: int = 0
    resting: list[str] = attrs.field(factory=list)

    def on_event(self, event: Event, trader: Trader) -> None:
        match event:
            case TradingOpened(generation=1):
                trader.ask_quote(MARKET)
                for seconds in self.times:
                    trader.set_timer(seconds)
            case Quote(bid=bid):
                assert bid is not None
                self.price = bid // 2 // SCALE * SCALE
            case TimerElapsed():
                self.place(trader)
            case OrderChanged(order) if order.state is State.OPEN and order.modifying is None:
                if self.together:
                    self.resting.append(order.client_id)
                    if len(self.resting) == self.count:
                        trader.cancel_batch(self.resting)
                        self.resting = []
                elif order.size == 10**6:
                    trader.modify(order.client_id, size=2 * order.size, price=order.price)
                else:
                    trader.cancel(order.client_id)
            case _:
                pass

    def place(self, trader: Trader) -> None:
        order = NewOrder(
            market=MARKET, side=Side.BUY, size=10**6, price=self.price, instruction=Instruction.POST_ONLY
        )
        if self.together:
            trader.place_batch([order] * self.count)
            return
        for _ in range(self.count):
            trader.place(
                order.market, order.side, size=order.size, price=order.price, instruction=order.instruction
            )


@attrs.frozen
class Trip:
    """One call: when it was decided, when it left, when its reply came, and when a channel told of it. Seconds."""

    method: str
    decided: float
    left: float
    replied: float
    confirmed: float

    @property
    def round_trips(self) -> float:
        """From the decision to the reply, beyond the exchange's own time."""
        return round((self.replied - self.decided - PROCESSING) / RTT, 6)


def trips_of(evidence: Evidence) -> list[Trip]:
    records = [line for line in evidence.lines if isinstance(line.kind, Kind)]

    def trip(number: int, line: Line) -> Trip:
        decision = records[line.data["of"] - 1]
        assert decision.kind is Kind.EFFECT
        call = json.loads(line.data["frame"])
        later = [
            (each.at, json.loads(each.data))
            for each in records[number + 1 :]
            if each.kind is Kind.FRAME_IN and each.generation == line.generation
        ]
        names = {str(name) for name in _names(call["params"])}
        return Trip(
            method=call["method"],
            decided=decision.at,
            left=line.at,
            replied=next(at for at, frame in later if frame.get("id") == call["id"]),
            confirmed=next(
                at
                for at, frame in later
                if "params" in frame
                and frame["params"]["channel"].startswith("orders.")
                and names & {frame["params"]["data"]["id"], frame["params"]["data"]["client_id"]}
            ),
        )

    return [
        trip(number, line)
        for number, line in enumerate(records)
        if line.kind is Kind.FRAME_OUT and isinstance(line.data, dict)
    ]


def _names(params: dict[str, object]) -> list[object]:
    """By which a call names its orders."""
    orders = params.get("orders", [params])
    ids = params.get("order_ids", [])
    assert isinstance(orders, list)
    assert isinstance(ids, list)
    return [*ids, *(order.get("id", order.get("client_id")) for order in orders)]


def played(
    strategy: Metronome, seconds: float, play: Callable[[Rehearsal], None] = lambda _: None
) -> tuple[list[Trip], Rehearsal]:
    """Every call of a run of so many seconds, by which each order was confirmed and none is left."""

    async def trade(rehearsal: Rehearsal) -> tuple[list[Trip], Rehearsal]:
        play(rehearsal)
        with watching(rehearsal) as evidence:
            summary = await rehearsal.trade(seconds)
        assert summary.orders.confirmed == summary.orders.placed == strategy.count * len(strategy.times)
        assert summary.orders.rejected == 0
        assert not summary.unresolved
        assert summary.http.order_requests == 0
        return trips_of(evidence), rehearsal

    defaults = Settings()
    settings = attrs.evolve(
        defaults,
        orders=attrs.evolve(defaults.orders, via=WS),
        exchange=attrs.evolve(defaults.exchange, processing_ms=1000 * PROCESSING),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "Probe", lambda *_: strategy)
        return rehearse(trade, settings, delay=DELAY)


def assert_one_round_trip(trips: list[Trip], *methods: str) -> None:
    """From the decision to the reply, and to the update that confirms it; and these were the calls."""
    assert [trip.method for trip in trips] == list(methods)
    assert {trip.round_trips for trip in trips} == {1.0}
    assert all(trip.left == trip.decided for trip in trips)
    assert all(trip.confirmed == trip.replied for trip in trips)


def test_every_call_of_a_session_takes_one_round_trip() -> None:
    """The first order, those that come later, a modification and a cancel."""
    trips, rehearsal = played(Metronome((1.0, 2.0, 20.0)), 40)
    assert_one_round_trip(trips, *[CREATE, MODIFY, CANCEL] * 3)
    assert rehearsal.exchange.counters.socket_closes[-1].code == 1000


def test_a_batch_takes_as_long_as_one_order() -> None:
    """Ten orders, and ten cancels; the exchange counts its own time once."""
    trips, _ = played(Metronome((1.0, 10.0), count=10, together=True), 30)
    assert_one_round_trip(trips, *[CREATE_BATCH, CANCEL_BATCH] * 2)


def test_of_ten_orders_at_once_none_waits_for_another() -> None:
    """They leave in the moment of the decision; the exchange works off what comes over one socket in its order."""
    trips, _ = played(Metronome((1.0,), count=10), 20)
    orders = [trip for trip in trips if trip.method == CREATE]
    assert len(orders) == 10
    assert {(trip.decided, trip.left) for trip in orders} == {(orders[0].decided, orders[0].decided)}
    for number, trip in enumerate(orders, 1):
        assert trip.replied - trip.decided == pytest.approx(RTT + number * PROCESSING, abs=1e-6)


def test_the_first_order_after_a_reconnect_takes_one_round_trip() -> None:
    """Nothing has to be warmed up: whoever subscribed has a warm socket."""

    def lose_it(rehearsal: Rehearsal) -> None:
        rehearsal.network.at(10.0, rehearsal.exchange.drop_websockets)

    trips, rehearsal = played(Metronome((1.0, 12.0)), 40, lose_it)
    assert_one_round_trip(trips, *[CREATE, MODIFY, CANCEL] * 2)
    assert [text for _, way, text in rehearsal.trace if way == "ws>" and "orders.BTC" in text][1:]


def test_the_first_order_after_an_hour_of_silence_takes_one_round_trip(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without keep-warm, too: what keeps a socket open is its heartbeat."""
    for module in (reconcile, mode):  # nothing else is to touch a connection
        monkeypatch.setattr(module, "INTERVAL", (7200.0, 7200.0))
    monkeypatch.setattr(login, "keep_warm", sleep_for_ever)
    trips, _ = played(Metronome((1.0, 3601.0)), 3620)
    assert_one_round_trip(trips, *[CREATE, MODIFY, CANCEL] * 2)


async def sleep_for_ever(*_: object) -> None:
    await trio.sleep_forever()


def test_orders_during_housekeeping_take_one_round_trip_over_the_websocket() -> None:
    """A token's renewal, keep-warm and reconciliation are none of its business."""
    trips, rehearsal = played(Metronome(tuple(145 + 0.9 * number for number in range(42))), 200)
    assert_one_round_trip(trips, *[CREATE, MODIFY, CANCEL] * 42)
    for kind in ("POST /auth", "GET /system/time", "GET /orders "):
        times = [at for at, way, text in rehearsal.trace if way == "http>" and text.startswith(kind)]
        overlapping = [at for at in times for trip in trips if abs(trip.decided - at) < RTT]
        assert overlapping, f"no call was in flight together with {kind}"
