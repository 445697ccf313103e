"""The kill switch: from the moment it is pulled nothing new leaves, what rests is cancelled, and the bot stays up."""

from collections.abc import Callable

import attrs
import pytest
import trio
from test_stop import RTT, on_message

from bot import app
from bot.core.order import State
from bot.exchange.matching.orders import Order as ExchangeOrder
from bot.link.clock import TrioClock
from bot.settings import Settings
from bot.simulation.rehearsal import EPOCH_NS, Rehearsal, rehearse
from bot.summary import Summary
from bot.trading.strategies.probe import Probe, ProbeSettings
from bot.trading.strategies.strategy import Event, OrderChanged
from bot.trading.strategies.trader import Trader

QUICK = attrs.evolve(Settings(), strategy=ProbeSettings(pause=0.3))
LATER = 6.0
"""Seconds for which the bot has to stay up with its switch pulled."""


@attrs.frozen
class Played:
    """A run whose switch was pulled at ``pulled_at``."""

    rehearsal: Rehearsal
    summary: Summary
    pulled_at: float

    def sent(self, start: str) -> list[float]:
        """When requests left that begin like this."""
        return [when for when, way, text in self.rehearsal.trace if way == "http>" and text.startswith(start)]


def pull(arrange: Callable[[Rehearsal, Callable[[], None]], None]) -> Played:
    """Have ``arrange`` pull the switch some time, and ask for the stop much later."""

    async def whole(rehearsal: Rehearsal) -> Played:
        pulled: list[float] = []

        def now() -> None:
            pulled.append(trio.current_time())
            rehearsal.stop.kill_switch.pull("SIGUSR1")
            rehearsal.network.after(LATER, rehearsal.stop.signalled, "SIGTERM")

        arrange(rehearsal, now)
        with trio.fail_after(120):
            summary = await rehearsal.trade()
        assert trio.current_time() >= pulled[0] + LATER
        return Played(rehearsal, summary, pulled[0])

    return rehearse(whole, QUICK, delay=RTT / 2, tls=False)


def closed_at(order: ExchangeOrder) -> float:
    """In seconds of trio's clock."""
    return order.updated_at_ms / 1000 - EPOCH_NS / 1e9


PHASES: dict[str, tuple[str, str, int, float, int]] = {
    "login": ("http>", "POST /auth", 1, 0.0, 0),
    "subscription": ("ws>", '{"jsonrpc":"2.0","method":"subscribe"', 1, 0.0, 0),
    "quote": ("http>", "GET /bbo", 2, RTT / 4, 1),
    "order leaves": ("http>", "POST /orders", 2, 0.0, 2),
    "order on its way there": ("http>", "POST /orders", 2, RTT / 4, 2),
    "order on its way back": ("http>", "POST /orders", 2, 3 * RTT / 4, 2),
    "order open": ("http<", "201", 2, 0.0, 2),
    "cancel on its way": ("http>", "DELETE /orders", 2, RTT / 4, 2),
    "pause": ("http<", "204", 2, RTT, 2),
}
"""At which message it is pulled, how long after it, and how many orders the exchange sees in all."""


@pytest.mark.parametrize("phase", PHASES)
def test_pulled_in_each_phase(phase: str) -> None:
    """Nothing leaves from then on but what ends orders; none is left long before the stop; exit 0, and an alarm."""
    way, start, count, after, accepted = PHASES[phase]
    played = pull(lambda rehearsal, now: on_message(rehearsal, way, start, now, count=count, after=after))
    summary, exchange = played.summary, played.rehearsal.exchange
    assert all(when <= played.pulled_at for when in played.sent("POST /orders "))
    assert {order.status for order in exchange.orders.values()} <= {"CLOSED"}
    assert all(closed_at(order) < played.pulled_at + 3 for order in exchange.orders.values())
    assert len(exchange.orders) == accepted
    assert (summary.exit_code, summary.exit_reason) == (0, "SIGTERM")
    assert summary.alarms == ["the kill switch was pulled: SIGUSR1"]


def test_it_goes_on_cancelling_until_nothing_is_left() -> None:
    """The venue is out of reach when it is pulled: the order goes once it can be reached, long before the stop."""

    def arrange(rehearsal: Rehearsal, now: Callable[[], None]) -> None:
        def cut_off() -> None:
            rehearsal.link.refuse()
            rehearsal.link.cut()
            now()
            rehearsal.network.after(3.0, rehearsal.link.heal)

        on_message(rehearsal, "http<", "201", cut_off, count=2)

    played = pull(arrange)
    last = [*played.rehearsal.exchange.orders.values()][-1]
    assert last.status == "CLOSED"
    assert played.pulled_at + 3 < closed_at(last) < played.pulled_at + LATER
    assert played.summary.exit_code == 0


def test_a_step_of_more_than_a_second_pulls_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watchdog's finding is an item of its own, which comes after the step that it is about."""
    used_ns = [0]

    class Slow(Probe):
        def on_event(self, event: Event, trader: Trader) -> None:
            if isinstance(event, OrderChanged) and event.order.state is State.OPEN:
                used_ns[0] += 1_500_000_000
            super().on_event(event, trader)

    monkeypatch.setattr(app, "Probe", Slow)
    monkeypatch.setattr(TrioClock, "thread_ns", lambda _: used_ns[0])

    async def play(rehearsal: Rehearsal) -> tuple[Summary, Rehearsal]:
        return await rehearsal.trade(5), rehearsal

    summary, rehearsal = rehearse(play, QUICK, delay=RTT / 2, tls=False)
    assert summary.alarms == ["the kill switch was pulled: a step took 1500.0 ms: OrderReported"]
    assert (summary.exit_code, summary.exit_reason, summary.orders.placed) == (0, "--for 5", 1)
    assert [order.status for order in rehearsal.exchange.orders.values()] == ["CLOSED"]
