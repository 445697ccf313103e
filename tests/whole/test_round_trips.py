"""How many round trips an order takes, counted in virtual time on a real stack: TLS, httpx, trio-websocket."""

from collections.abc import Callable

import attrs
import pytest
import trio

from bot import app
from bot.core.fixed import SCALE
from bot.core.histogram import Histogram
from bot.core.order import Instruction, Order, OrderType, Side, State
from bot.latency.watch import LatencyWatch
from bot.link.clock import VenueClock
from bot.link.http import open_http
from bot.paradex import orders
from bot.paradex.orders import SignedOrder
from bot.paradex.snip12 import OrderTerms
from bot.session import login, mode
from bot.session.capabilities import open_authed_rest
from bot.session.login import LoggedIn, Login
from bot.settings import Settings
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.trading import reconcile
from bot.trading.strategies.probe import ProbeSettings
from bot.trading.strategies.strategy import Event, OrderChanged, Quote, TimerElapsed, TradingOpened
from bot.trading.strategies.trader import Trader

DELAY = 0.125  # s, one way
RTT_MS = 2000 * DELAY
PROCESSING_MS = 31.25


@attrs.define
class Metronome:
    """Places an order, and again after each interval, with no other request between: it asks for one quote only."""

    interval: float
    first: float = 0.0
    price: int = 0

    def on_event(self, event: Event, trader: Trader) -> None:
        match event:
            case TradingOpened():
                trader.ask_quote("BTC-USD-PERP")
            case Quote(bid=bid):
                assert bid is not None
                self.price = bid // 2 // SCALE * SCALE
                trader.set_timer(self.first)
            case TimerElapsed():
                trader.place(
                    "BTC-USD-PERP", Side.BUY, size=10**6, price=self.price, instruction=Instruction.POST_ONLY
                )
                trader.set_timer(self.interval)
            case OrderChanged(order) if order.state is State.OPEN:
                trader.cancel(order.client_id)
            case _:
                pass


def settings(*, pause: float = 1.0) -> Settings:
    defaults = Settings()
    return attrs.evolve(
        defaults,
        strategy=ProbeSettings(pause=pause),
        exchange=attrs.evolve(defaults.exchange, processing_ms=PROCESSING_MS),
    )


def order_round_trips(
    seconds: float, *, pause: float = 1.0, play: Callable[[Rehearsal], None] = lambda _: None
) -> tuple[list[float], Rehearsal]:
    """Trade for so long; the fewest and the most round trips of an order, beyond the exchange's own time."""

    async def trade(rehearsal: Rehearsal) -> tuple[list[float], Rehearsal]:
        play(rehearsal)
        watch = LatencyWatch(rehearsal.surroundings.tape)
        rehearsal.surroundings = attrs.evolve(rehearsal.surroundings, tape=watch)
        summary = await rehearsal.trade(seconds)
        assert summary.orders.confirmed == summary.orders.placed > 0
        assert not summary.unresolved
        answered = Histogram()
        for series in watch.finish():
            answered.merge(series.histograms["answered"])
        assert answered.count == summary.orders.placed
        assert answered.min_ns is not None
        assert answered.max_ns is not None
        extremes = (answered.min_ns, answered.max_ns)
        return [round((ns / 1e6 - PROCESSING_MS) / RTT_MS, 6) for ns in extremes], rehearsal

    return rehearse(trade, settings(pause=pause), delay=DELAY)


def test_cold_order_takes_three_round_trips() -> None:
    """TCP, TLS 1.3 and the request: one round trip each, plus the exchange's time."""

    async def play(rehearsal: Rehearsal) -> float:
        around = rehearsal.surroundings
        async with (
            open_http(
                rehearsal.settings.http, around.venue.rest_url, around.tls, around.clock, around.tape
            ) as warm,
            open_http(
                rehearsal.settings.http, around.venue.rest_url, around.tls, around.clock, around.tape
            ) as cold,
            trio.open_nursery() as nursery,
        ):
            logged_in: LoggedIn = await nursery.start(
                lambda task_status: Login(
                    http=warm,
                    identity=around.identity,
                    markets=("BTC-USD-PERP",),
                    clock=VenueClock(around.clock),
                    rng=around.chance("login"),
                    redactor=around.redactor,
                    alarm=pytest.fail,
                ).run(task_status)
            )
            order = Order(
                client_id="cold",
                market="BTC-USD-PERP",
                side=Side.BUY,
                type=OrderType.LIMIT,
                instruction=Instruction.POST_ONLY,
                size=10**6,
                price=10_000 * 10**8,
            )
            timestamp = around.clock.wall_ns() // 1_000_000
            terms = OrderTerms(
                timestamp_ms=timestamp,
                market=order.market,
                side=order.side,
                order_type=order.type,
                size=order.size,
                price=order.price,
            )
            signed = SignedOrder(
                order=order,
                signature=logged_in.signer.sign_order(terms).wire(),
                signature_timestamp=timestamp,
                recv_window=5000,
            )
            request = orders.create(signed)
            authed = open_authed_rest(cold, logged_in.authed._keeper)
            started = trio.current_time()
            async with authed.reserve_order_lane() as lane:
                answer = await lane.send(request)
            elapsed_ms = 1000 * (trio.current_time() - started)
            assert not answer.reused
            assert cold.counters.order_requests_cold == 1
            nursery.cancel_scope.cancel()
        return elapsed_ms

    elapsed_ms = rehearse(play, settings(), delay=DELAY)
    assert (elapsed_ms - PROCESSING_MS) / RTT_MS == pytest.approx(3.0, abs=1e-6)


def test_every_order_of_a_session_takes_one_round_trip() -> None:
    """The first order of a session, and every one after it, finds a warm connection."""
    trips, rehearsal = order_round_trips(20)
    assert set(trips) == {1.0}
    assert rehearsal.exchange.counters.socket_closes[-1].code == 1000


def test_first_order_after_a_lost_websocket_takes_one_round_trip() -> None:
    """A generation's death costs the HTTP connections nothing."""

    def lose_it(rehearsal: Rehearsal) -> None:
        rehearsal.network.at(10.0, rehearsal.exchange.drop_websockets)

    trips, rehearsal = order_round_trips(25, play=lose_it)
    subscriptions = [when for when, kind, text in rehearsal.trace if kind == "ws>" and "orders.BTC" in text]
    later_orders = [when for when, kind, text in rehearsal.trace if "POST /orders " in text and when > 10]
    assert len(subscriptions) == 2
    assert later_orders
    assert set(trips) == {1.0}


@pytest.mark.parametrize(("warmer", "expected"), [("kept warm", 1.0), ("patched out", 3.0)])
def test_first_order_after_an_hour_of_silence(
    warmer: str, expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep-warm is what makes it one round trip: without it the same order takes three."""
    for module in (reconcile, mode):  # nothing else is to touch a connection
        monkeypatch.setattr(module, "INTERVAL", (7200.0, 7200.0))
    if warmer == "patched out":
        monkeypatch.setattr(login, "keep_warm", sleep_for_ever)
    # Not 3600 s: the token is renewed every 180 s, and would warm the connection of its request.
    monkeypatch.setattr(app, "Probe", lambda *_: Metronome(interval=3700))
    trips, _ = order_round_trips(3715)
    assert trips == [1.0, expected]


async def sleep_for_ever(*_: object) -> None:
    await trio.sleep_forever()


def test_orders_during_housekeeping_take_one_round_trip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Token refresh, keep-warm and reconciliation never make an order wait."""
    monkeypatch.setattr(app, "Probe", lambda *_: Metronome(interval=0.35, first=165))
    trips, rehearsal = order_round_trips(240)
    started = {
        kind: [
            when
            for when, way, text in rehearsal.trace
            if way == "http>" and text.startswith(kind) and when > 5
        ]
        for kind in ("POST /orders", "POST /auth", "GET /system/time", "GET /orders ")
    }
    orders = started.pop("POST /orders")
    for kind, times in started.items():
        overlapping = [
            (order, other) for other in times for order in orders if abs(order - other) < RTT_MS / 1000
        ]
        assert overlapping, f"no order was in flight together with {kind}"
    assert set(trips) == {1.0}
