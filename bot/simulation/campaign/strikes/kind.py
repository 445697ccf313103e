"""What a kind of strike is."""

import enum
from collections.abc import Callable, Iterable
from functools import partial
from random import Random

import attrs

from bot.exchange.faults.ask import Way
from bot.exchange.faults.faults import Fault
from bot.simulation.campaign.schedule import Strike
from bot.simulation.campaign.stage import Stage

Make = Callable[[Random, str], Fault]
"""A rule of the exchange about something."""

Act = Callable[[Stage, Strike, Random], None]
"""Strike: it tells the stage (`Stage.hit`) if it did; with the chance that belongs to the strike."""


class Excuse(enum.Enum):
    """What a strike permits that no run should come to."""

    FATAL = "the bot may give up, with exit code 3"
    LIED = "the exchange's lists are late, or in words unheard of: a session may open with what they told"
    LOST = "the exchange has forgotten orders: they may be left unresolved, with exit code 4"


@attrs.frozen(kw_only=True)
class Kind:
    """A kind of strike."""

    name: str
    act: Act
    by: float = 0.95
    """It strikes in this part of the time; 0: right at the beginning, to meet the first login."""

    over: Way | None = None
    """The way of orders that it takes to strike; None for either."""

    weight: int = 1
    """It is dealt so many times as often as others, for it strikes so much less often when it is."""

    excuses: frozenset[Excuse] = frozenset()


def rules(
    make: Make,
    name: str,
    ons: Iterable[str],
    *,
    by: float = 0.95,
    over: Way | None = None,
    excuses: frozenset[Excuse] = frozenset(),
    weight: int = 1,
) -> list[Kind]:
    """A kind for each thing that a rule of the exchange can be about."""

    def arm(on: str, stage: Stage, strike: Strike, chance: Random) -> None:
        stage.arm(strike, make(chance, on))

    return [
        Kind(
            name=f"{name} {on}",
            act=partial(arm, on),
            by=by,
            over=over,
            excuses=excuses,
            weight=weight,
        )
        for on in ons
    ]
