"""Runs that last: tokens expire, WebSockets are lost, logins are refused, and no order is."""

import attrs
import pytest

from bot.settings import Settings
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.summary import Summary
from bot.trading.strategies.probe import ProbeSettings


def with_pause(seconds: float) -> Settings:
    return attrs.evolve(Settings(), strategy=ProbeSettings(pause=seconds))


def assert_nothing_lost(summary: Summary, rehearsal: Rehearsal) -> None:
    """Bot and exchange agree on every order, and none is left."""
    accepted = rehearsal.exchange.orders.values()
    assert summary.orders.placed == summary.orders.confirmed == summary.orders.closed == len(accepted)
    assert summary.orders.rejected == 0
    assert not summary.unresolved
    assert {order.status for order in accepted} == {"CLOSED"}
    assert len({order.client_id for order in accepted}) == len(accepted)


def test_an_hour_of_expiring_tokens_lost_websockets_and_a_refused_refresh() -> None:
    """Generations 1 to 4, every order confirmed; each token lives 300 s and is renewed before that."""

    async def play(rehearsal: Rehearsal) -> tuple[Summary, Rehearsal]:
        for time in (700.0, 1801.3, 3000.7):
            rehearsal.network.at(time, rehearsal.exchange.drop_websockets)
        rehearsal.network.at(1000.0, rehearsal.exchange.refuse_auth, 1)
        return await rehearsal.trade(3600), rehearsal

    summary, rehearsal = rehearse(play, with_pause(10), seed=1, delay=0.05, jitter=0.01)
    assert summary.generations == 4
    assert summary.orders.placed > 300
    assert_nothing_lost(summary, rehearsal)
    assert summary.http.order_requests_cold == 0
    logins = [text for _, kind, text in rehearsal.trace if kind == "http<" and "/auth/" in text]
    refused = [text for text in logins if not text.startswith("200")]
    assert len(refused) == 2  # the first login of an account that was not onboarded, and the one refused
    assert len(logins) - len(refused) >= 3600 / 180


@pytest.mark.parametrize("when", [4.02, 4.07, 4.12, 4.17, 4.22, 4.27, 4.32])
def test_a_websocket_lost_at_any_point_of_an_order(when: float) -> None:
    """Whatever the channel did not say, the next generation's list and the history do."""

    async def play(rehearsal: Rehearsal) -> tuple[Summary, Rehearsal]:
        rehearsal.network.at(when, rehearsal.exchange.drop_websockets)
        return await rehearsal.trade(20), rehearsal

    summary, rehearsal = rehearse(play, with_pause(0.5), delay=0.05)
    assert summary.generations == 2
    assert summary.orders.placed == summary.orders.closed == len(rehearsal.exchange.orders) > 5
    assert not summary.unresolved
    assert {order.status for order in rehearsal.exchange.orders.values()} == {"CLOSED"}
