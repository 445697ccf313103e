"""Under which settings, on what way and with which exchange a seed is played.

Without TLS: that is never quite the same twice (see `bot.simulation.world`), and the cancellation sweep has it.
"""

from random import Random
from typing import TypeVar

import attrs

from bot.core.fixed import SCALE, Fixed
from bot.exchange.settings import ExchangeSettings
from bot.journal.settings import JournalSettings
from bot.link.http import HttpSettings
from bot.settings import Settings
from bot.trading.executor import OrdersSettings
from bot.trading.step.guard import LimitsSettings
from bot.trading.step.recovery import ADOPT, CANCEL

T = TypeVar("T")

MARKETS = ("BTC-USD-PERP", "ETH-USD-PERP", "SOL-USD-PERP")

VERIFIED_EVERY = 4
"""In one seed of so many the exchange verifies every signature."""


PREPARING = (0, 4)
"""In these two seeds of five orders are prepared, and not by chance: the others are what they were before that."""


@attrs.frozen
class Conditions:
    """Times in seconds; ``delay`` and ``jitter`` for each way."""

    settings: Settings
    delay: float
    jitter: float
    verify: bool
    prepares: bool
    """The strategy has some of its orders signed ahead."""


def draw(seed: int, via: str) -> Conditions:
    """Those of a seed whose orders go this way."""
    chance = Random(f"conditions {seed}")  # noqa: S311 - to be repeated

    def some(*values: T) -> T:
        return chance.choice(values)

    settings = attrs.evolve(
        Settings(),
        http=HttpSettings(connections=some(2, 3, 4, 4, 6, 12), request_timeout=some(3.0, 10.0)),
        orders=OrdersSettings(
            markets=MARKETS[: some(2, 2, 3)],
            recv_window=some(2000, 3000, 5000),
            leftovers=some(CANCEL, ADOPT),
            via=via,
            cancel_on_disconnect=some(True, False),
        ),
        limits=LimitsSettings(
            open_orders=some(100, 100, 6), position_notional=Fixed(some(500_000, 500_000, 500) * SCALE)
        ),
        journal=JournalSettings(account=some("hashed", "kept"), fsync_interval=some(0.0, 1.0)),
        exchange=ExchangeSettings(
            seed=seed,
            activity=some(0.0, 1.0, 2.0),
            processing_ms=some(0.0, 0.0, 5.0, 50.0),
            client_ids=some("once", "while-open"),
            closed_by_id=some("served", "not-found"),
            server_time=some("text", "number"),
            unfilled_price=some("empty", "zero"),
            empty_side=some("empty", "null"),
            modify_priority=some("lost", "kept"),
            request_info=some("once", "stays"),
            snapshots=some("none", "sent"),
            new_orders=some("silent", "published"),
            batch_form=some("both", "object"),
            socket_refusals=some("data", "data", "message", "invalid-params"),
            socket_orders=some("by-address", "by-account"),
            disconnect_scope=some("socket", "account"),
            disconnect_on=some("any-close", "loss"),
            disconnect_delay_ms=some(0.0, 0.0, 2000.0),
            rate_limits=some("venue", "venue", "none"),
        ),
    )
    return Conditions(
        settings=settings,
        delay=some(0.001, 0.01, 0.05, 0.15),
        jitter=some(0.0, 0.01, 0.1),
        verify=chance.randrange(VERIFIED_EVERY) == 0,
        prepares=seed % 5 in PREPARING,
    )
