"""Orders that are placed to be measured: far from the market, POST_ONLY, one at a time, each confirmed and cancelled.

They are the bot's own: the whole program trades, with its usual strategy and settings, until there are enough.
"""

import itertools
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import attrs
import trio

from bot import app
from bot.core.fixed import SCALE, render
from bot.journal.reader import RecordedSession, find
from bot.lab.countdown import THROUGH, Countdown
from bot.latency.distributions import REST, WS
from bot.link.http import open_http
from bot.link.signer import find_curve
from bot.run import Options, new_session, run_session
from bot.session.stop import Stop
from bot.settings import Settings
from bot.signals import EarlySignals
from bot.summary import Summary

NEAREST = SCALE // 100
"""How far below the best bid they are at least, as a part of it: 1 %."""

PAUSE = 0.05
"""Seconds between two orders."""

PATIENCE = 60.0
"""Seconds without the end of an order, after which there will be none."""

ROUNDS = 2
"""How often the ways take turns where both are measured, so that a change of the weather hits both."""


@attrs.frozen(kw_only=True)
class Plan:
    """What is to be measured. Raises ValueError for what cannot be."""

    orders: int = attrs.field(default=100, validator=attrs.validators.ge(1))
    """By each way."""

    ways: tuple[str, ...] = (REST, WS)
    settings: Settings

    def __attrs_post_init__(self) -> None:
        distance = self.settings.strategy.distance
        if distance < NEAREST:
            raise ValueError(
                f"strategy.distance = {render(distance)}: orders that are to be measured stay"
                f" {render(NEAREST)} of the price or more away from it"
            )

    def in_words(self) -> str:
        """What somebody agrees to who has real money there."""
        settings = self.settings
        count = self.orders * len(self.ways)
        return (
            f"{count} POST_ONLY orders to buy {render(settings.strategy.size)} each in {settings.orders.markets[0]},"
            f" one at a time, {render(settings.strategy.distance)} of the price below the best bid,"
            f" each cancelled when it is confirmed, within [limits], on {settings.environment}"
        )

    def sessions(self) -> Iterator[tuple[str, int]]:
        """The way and the number of orders of each session."""
        rounds = min(ROUNDS if len(self.ways) > 1 else 1, self.orders)
        for number in range(rounds):
            for way in self.ways:
                yield way, self.orders * (number + 1) // rounds - self.orders * number // rounds

    def settings_of(self, way: str) -> Settings:
        return attrs.evolve(
            self.settings,
            orders=attrs.evolve(self.settings.orders, via=way),
            strategy=attrs.evolve(self.settings.strategy, name="probe", pause=PAUSE),
        )


@attrs.frozen
class Measured:
    """The sessions that were recorded, and the exit code of the first that did not end well."""

    sessions: list[RecordedSession]
    exit_code: int
    known: dict[str, Any]
    """What no session tells: of `bot.lab.latency.document.Conditions`."""


def measure(plan: Plan, early: EarlySignals, *, live: bool) -> Measured:
    """Trade as the plan says; a signal ends it early, and what there is by then counts.

    Raises one of `bot.run.REFUSALS`.
    """
    sessions: list[RecordedSession] = []
    known: dict[str, Any] = {"signing": find_curve().library}
    if plan.settings.environment == "embedded" and not plan.settings.venue.rest_url:
        exchange = plan.settings.exchange
        known["simulated"] = {"rtt_ms": exchange.rtt_ms, "processing_ms": exchange.processing_ms}
    for way, count in plan.sessions():
        settings = plan.settings_of(way)
        options = Options(live=live)
        session = new_session(options, settings)
        assert session.parts is not None  # options ask for a journal
        path = session.parts.file.path
        ended = run_session(settings, options, session, early, partial(trade, count))
        sessions.append(find(path))
        if isinstance(ended, int):
            return Measured(sessions, ended, known)
        known["token_usage"] = _USAGE[ended.is_interactive]
        if ended.exit_code or ended.exit_reason != THROUGH:
            sys.stderr.write(ended.to_table())
            return Measured(sessions, ended.exit_code, known)
    return Measured(sessions, 0, known)


_USAGE = {None: "", True: "interactive", False: "other"}


async def trade(count: int, settings: Settings, around: app.Surroundings, stop: Stop) -> Summary:
    """As `bot.app.trade`, until so many orders are over; the first of them goes over a new connection."""
    async with (
        open_http(settings.http, around.venue.rest_url, around.tls, around.clock, around.tape) as http,
        trio.open_nursery() as nursery,
    ):
        decided = itertools.count()

        def distrust_at_first() -> None:
            if next(decided) == 0:
                http.distrust_connections()

        countdown = Countdown(around.tape, stop, count, distrust_at_first)
        nursery.start_soon(countdown.no_longer_than, PATIENCE)
        summary = await app.trade_over(http, settings, attrs.evolve(around, tape=countdown), stop)
        nursery.cancel_scope.cancel()
    return summary
