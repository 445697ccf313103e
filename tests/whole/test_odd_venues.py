"""The whole bot and a venue that is odd in other ways than by losing things; judged by the oracle.

It refuses tokens, limits, speaks of the past, says what nobody understands, holds what others did, and hangs up all
the time: rows of the table of faults.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import attrs
import pytest
from loguru import logger
from proof_stage import DELAY, MARKET, SIZE, at_message, nothing, play
from test_cancel_all import somebody

from bot.core.errors import TradingHaltedError
from bot.core.order import Instruction, Side, State
from bot.core.tape import Kind
from bot.exchange.faults.garbling import How
from bot.exchange.faults.requests import Garble, Refuse, Stale
from bot.exchange.faults.updates import DelayUpdate, LoseUpdate
from bot.replay.scenarios import take
from bot.settings import Settings
from bot.simulation.evidence import Evidence, watching
from bot.simulation.oracle import violations
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.summary import Summary
from bot.trading.step.guard import LimitsSettings
from bot.trading.strategies.probe import ProbeSettings
from bot.trading.strategies.trader import Trader


@attrs.frozen
class Traded:
    """A run of the probe, which trades for as long as it may."""

    evidence: Evidence
    violations: list[str]

    @property
    def summary(self) -> Summary:
        assert self.evidence.summary is not None
        return self.evidence.summary

    def sent(self, start: str) -> list[float]:
        """When requests left that begin like this."""
        return [
            line.at
            for line in self.evidence.lines
            if line.kind is Kind.REQUEST and f"{line.data['method']} {line.data['path']} ".startswith(start)
        ]


def traded(
    arrange: Callable[[Rehearsal], object], seconds: float, *, pause: float = 1.0, **settings: Any
) -> Traded:
    async def act(rehearsal: Rehearsal) -> Traded:
        with watching(rehearsal) as evidence:
            arrange(rehearsal)
            evidence.summary = await rehearsal.trade(seconds)
        return Traded(evidence, violations(evidence))

    given = attrs.evolve(Settings(), strategy=ProbeSettings(pause=pause), **settings)
    return rehearse(act, given, delay=DELAY, tls=False)


def test_a_token_that_cannot_be_renewed() -> None:
    """Orders go as long as the old one lives, none leaves without one, and all goes on when the venue relents."""

    def arrange(rehearsal: Rehearsal) -> None:
        rehearsal.network.at(100, rehearsal.exchange.refuse_auth, 1_000_000)
        rehearsal.network.at(400, rehearsal.exchange.refuse_auth, 0)

    played = traded(arrange, 450, pause=15.0)
    assert played.violations == []
    orders = played.sent("POST /orders ")
    assert [at for at in orders if 180 < at < 300]
    assert not [at for at in orders if 301 < at < 400]
    assert [at for at in orders if at > 435]
    tries = [at for at in played.sent("POST /auth") if 100 < at < 400]
    assert 180 <= tries[0] < 182
    assert max(later - earlier for earlier, later in pairwise(tries)) < 31


def test_a_token_that_ends_while_an_order_leaves() -> None:
    """The 401 proves that the order is not there. Another token is asked for at once, and the next order has it."""

    def arrange(rehearsal: Rehearsal) -> None:
        at_message(rehearsal, "http>", "POST /orders ", rehearsal.exchange.expire_tokens)

    played = traded(arrange, 10)
    assert played.violations == []
    assert (played.summary.orders.rejected, played.summary.alarms) == (1, [])
    assert played.summary.orders.confirmed == played.summary.orders.placed - 1 > 3
    first, second, *_ = played.sent("POST /orders ")
    [renewed] = [at for at in played.sent("POST /auth") if at > first]
    assert renewed < second


def test_an_account_over_its_limit() -> None:
    """429 with Retry-After: no order leaves before that, and afterwards all is as it was."""

    def arrange(rehearsal: Rehearsal) -> None:
        rehearsal.network.at(
            5,
            lambda: rehearsal.exchange.faults.add(
                Refuse(on="create", status=429, code="RATE_LIMITED", retry_after=7)
            ),
        )

    played = traded(arrange, 20)
    assert played.violations == []
    refused = next(
        line.at for line in played.evidence.lines if line.kind is Kind.ANSWER and line.data["status"] == 429
    )
    later = [at for at in played.sent("POST /orders ") if at > refused]
    assert refused + 7 <= later[0] < refused + 7 + 2
    assert len(later) > 3


@pytest.mark.parametrize("what", ["open-orders", "order-reads"])
def test_a_snapshot_older_than_the_stream(what: str) -> None:
    """It does not know the order that rests, or is filled: nothing is taken back, and the order is asked after."""

    def arrange(rehearsal: Rehearsal) -> None:
        def leave() -> None:
            rehearsal.exchange.faults.add(Stale(on=what, seconds=5, times=None))
            rehearsal.exchange.drop_websockets()
            rehearsal.network.after(2.0, take, rehearsal.exchange, SIZE // 2)
            rehearsal.network.after(10.0, rehearsal.exchange.faults.clear)

        at_message(rehearsal, "http<", "201", leave, after=1.0)

    played = play(arrange=arrange, then=nothing, seconds=30)
    assert [each for each in played.violations if not each.startswith("gate")] == []
    states = [order.state for order in played.strategy.told]
    assert states == sorted(states, key=list(State).index)
    assert State.PARTLY_FILLED in states
    assert played.summary.generations == 2


@pytest.mark.parametrize("how", ["empty", "nulls", "number", "deep", "another-order", "new-words"])
def test_answers_that_nobody_understands(how: How) -> None:
    """To the order, and to those who ask what became of it: it is unknown until somebody says something that is."""

    def arrange(rehearsal: Rehearsal) -> None:
        def garble() -> None:
            for fault in (
                Garble(on="create", how=how),
                Garble(on="order-reads", how=how, times=3),
                LoseUpdate(status="NEW"),
                DelayUpdate(status="OPEN", seconds=8),
            ):
                rehearsal.exchange.faults.add(fault)

        at_message(rehearsal, "http>", "POST /orders ", garble)

    played = play(arrange=arrange)
    assert played.violations == []
    assert played.struck["garble"] == 4
    assert State.UNKNOWN in [order.state for order in played.strategy.told]
    assert (played.told.state, len(played.seen.sends), played.summary.exit_code) == (State.CLOSED, 1, 0)


def test_what_others_do_on_the_account() -> None:
    """Their order is listed once and left alone, to the end; their position is known, and left alone, too."""
    lines: list[str] = []

    async def act(rehearsal: Rehearsal) -> tuple[Evidence, list[str]]:
        async with somebody(rehearsal) as other:
            await other.place("theirs-filled")
            take(rehearsal.exchange, SIZE)
            await other.place("theirs")
            with watching(rehearsal) as evidence:
                rehearsal.network.after(5, rehearsal.exchange.drop_websockets)
                evidence.summary = await rehearsal.trade(10)
            return evidence, violations(evidence)

    sink = logger.add(lines.append, level="INFO", format="{message}")
    try:
        evidence, found = rehearse(act, delay=DELAY, tls=False)
    finally:
        logger.remove(sink)
    assert [each for each in found if not each.startswith("I3: fees")] == []  # they paid some before
    theirs = next(order for order in evidence.exchange.orders.values() if order.client_id == "theirs")
    assert (theirs.status, theirs.remaining) == ("OPEN", theirs.size)
    assert (
        len([line for line in lines if "external order, left alone" in line and "client_id=theirs," in line])
        == 1
    )
    assert evidence.summary is not None
    assert evidence.summary.orders.confirmed == evidence.summary.orders.closed > 3
    [manager] = evidence.managers
    assert manager.holdings.position(MARKET) == SIZE


def test_a_venue_that_hangs_up_all_the_time() -> None:
    """A storm of sessions pulls the kill switch: nothing more is placed, and what rests goes."""

    def arrange(rehearsal: Rehearsal) -> None:
        for number in range(8):
            rehearsal.network.at(5 + 2 * number, rehearsal.exchange.drop_websockets)

    played = traded(arrange, 25, limits=LimitsSettings(reconnects_per_hour=5))
    assert played.violations == []
    assert played.summary.alarms == ["the kill switch was pulled: [limits] reconnects_per_hour: 6"]
    assert max(played.sent("POST /orders ")) < 5 + 2 * 5
    assert (played.summary.exit_code, played.summary.exit_reason) == (0, "--for 25")


def test_a_strategy_that_places_without_end() -> None:
    """A storm of orders pulls the kill switch: it places no more, and all that it placed goes."""

    def storm(trader: Trader, client_id: str) -> None:
        price = trader.order(client_id).price

        def place() -> None:
            trader.place(MARKET, Side.BUY, size=SIZE, price=price, instruction=Instruction.POST_ONLY)

        for _ in range(5):
            place()
        with pytest.raises(TradingHaltedError, match="orders_per_second"):
            place()

    settings = attrs.evolve(Settings(), limits=LimitsSettings(orders_per_second=5))
    played = play(then=storm, settings=settings, seconds=10)
    assert played.violations == []
    assert played.summary.alarms == ["the kill switch was pulled: [limits] orders_per_second: 6"]
    placed = played.evidence.seen().values()
    assert len(placed) <= 6
    assert {order.status for seen in placed for order in seen.accepted} == {"CLOSED"}
