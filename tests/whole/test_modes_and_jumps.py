"""The whole bot while the venue's platform is restricted, and on a machine whose clock jumps."""

from bot.link.clock import TrioClock
from bot.session.mode import RESTRICTED_INTERVAL
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.summary import Summary

DELAY = 0.05


def orders_sent(r: Rehearsal) -> list[float]:
    return [at for at, way, text in r.trace if way == "http>" and text.startswith("POST /orders ")]


def test_a_restricted_platform_is_known_before_the_first_order() -> None:
    """Nothing is placed until all is well again, which is noticed within five seconds; a cancel would go."""

    async def play(r: Rehearsal) -> tuple[Summary, list[float]]:
        r.exchange.set_mode("cancel_only")
        r.network.at(20, lambda: r.exchange.set_mode("ok"))
        return await r.trade(40), orders_sent(r)

    summary, [first, *_] = rehearse(play, delay=DELAY, tls=False)
    assert 20 < first < 20 + RESTRICTED_INTERVAL + 2
    assert summary.orders.confirmed == summary.orders.placed > 0


def test_a_platform_that_becomes_restricted_costs_one_refused_order_at_most() -> None:
    """The refusal has the mode asked for at once; what rests is cancelled all the same at the stop."""

    async def play(r: Rehearsal) -> tuple[Summary, list[float]]:
        r.network.at(10, lambda: r.exchange.set_mode("cancel_only"))
        summary = await r.trade(40)
        return summary, [at for at in orders_sent(r) if at > 10]

    summary, later = rehearse(play, delay=DELAY, tls=False)
    assert len(later) == 1
    assert not summary.unresolved


def test_after_a_nap_the_bot_reconnects_takes_stock_and_trades_on() -> None:
    """The venue's time went on for an hour, and ours stood still: no order is signed in the old time."""

    async def play(r: Rehearsal) -> tuple[Summary, list[int]]:
        clock = r.surroundings.clock
        assert isinstance(clock, TrioClock)

        def nap() -> None:
            clock._epoch_ns += 3600 * 10**9  # it is the exchange's, too

        r.network.at(10.2, nap)
        summary = await r.trade(40)
        late = [order.received_at_ms - order.signed_at_ms for order in r.exchange.orders.values()]
        return summary, late

    summary, late = rehearse(play, delay=DELAY, tls=False)
    assert summary.generations == 2
    assert summary.orders.placed == summary.orders.confirmed > 25
    assert max(late) < 1000
    assert not summary.unresolved
