"""The whole bot through the venue's weekday release."""

from itertools import pairwise

import attrs
import pytest

from bot.exchange.settings import ExchangeSettings
from bot.session.mode import RESTRICTED_INTERVAL
from bot.settings import Settings
from bot.simulation.evidence import Evidence, watching
from bot.simulation.oracle import violations
from bot.simulation.rehearsal import EPOCH_NS, Rehearsal, rehearse
from bot.trading.strategies.probe import ProbeSettings

DELAY = 0.05
PAUSE = 1.2
MINUTE = EPOCH_NS // (60 * 10**9) % 1440
"""At which the play begins, on a Friday."""

BEGINS, CANCEL_ONLY, POST_ONLY = 60.0, 20.0, 30.0
ENDS = 130.0


@pytest.mark.parametrize(("via", "is_armed"), [("rest", False), ("ws", False), ("ws", True)])
def test_minutes_with_a_release_in_them(via: str, *, is_armed: bool) -> None:
    """Nothing is placed while only cancels are taken, but for the order that meets it; passive orders go as soon as
    they may, over connections that are new; and there is never a question what became of an order.
    """
    settings = attrs.evolve(
        Settings(),
        strategy=ProbeSettings(pause=PAUSE),
        orders=attrs.evolve(Settings().orders, via=via, cancel_on_disconnect=is_armed),
        exchange=ExchangeSettings(
            release="weekdays",
            release_minute=MINUTE + round(BEGINS / 60),
            release_cancel_only=CANCEL_ONLY,
            release_post_only=POST_ONLY,
        ),
    )

    async def play(rehearsal: Rehearsal) -> tuple[Evidence, list[str]]:
        with watching(rehearsal) as evidence:
            evidence.summary = await rehearsal.trade(ENDS)
        return evidence, violations(evidence)

    evidence, found = rehearse(play, settings, delay=DELAY, tls=False)
    assert found == []
    assert evidence.summary is not None
    assert (evidence.summary.exit_code, evidence.summary.alarms) == (0, [])
    assert evidence.summary.generations == 2
    accepted = sorted(
        (order.received_at_ms - EPOCH_NS // 10**6) / 1000 for order in evidence.exchange.orders.values()
    )
    gap = max(pairwise(accepted), key=lambda each: each[1] - each[0])
    opens = BEGINS + CANCEL_ONLY
    assert BEGINS - 3 < gap[0] < BEGINS
    assert opens < gap[1] < opens + RESTRICTED_INTERVAL + 2
    assert len([at for at in accepted if gap[1] < at < opens + POST_ONLY]) > 10
    assert len(accepted) > 50
    assert evidence.summary.orders.rejected <= 1
