"""What is to be played: everything that a process has to be told of it."""

from contextlib import nullcontext

import attrs

from bot.simulation.campaign import conditions, schedule
from bot.simulation.campaign.bugs import BUGS
from bot.simulation.campaign.play import Played, play
from bot.simulation.campaign.shrink import Numbers, shrunk
from bot.simulation.campaign.strikes.table import KINDS
from bot.trading.requests import REST, WS

SECONDS = 60.0
"""That things go wrong, if nothing else is said."""

WAYS = (REST, WS)
"""Of orders, in turn."""


@attrs.frozen(kw_only=True)
class Task:
    """One seed, played for so many seconds, with all its strikes or only some, by the bot as it is or with a bug."""

    seed: int
    seconds: float = SECONDS
    only: str = ""
    """Of kinds that have this in their name."""

    strikes: Numbers | None = None
    bug: str = ""
    shrinks: bool = False
    """Whether a run that fails is played again with ever fewer strikes."""

    tells_all: bool = False

    def run(self) -> Played:
        with BUGS[self.bug]() if self.bug else nullcontext():
            played = self._play(self.strikes)
            return shrunk(played, self._play) if self.shrinks and played.violations else played

    def _play(self, strikes: Numbers | None) -> Played:
        turn, way = divmod(self.seed, len(WAYS))
        drawn = schedule.draw(self.seed, self.seconds, self._pack(WAYS[way]), turn)
        if strikes is not None:
            drawn = drawn.only(frozenset(strikes))
        return play(drawn, conditions.draw(self.seed, WAYS[way]), tells_all=self.tells_all)

    def _pack(self, via: str) -> list[schedule.Card]:
        """What can strike where orders go this way; what takes it to strike is in there twice."""
        return [
            schedule.Card(kind.name, kind.by, copies=kind.weight * (1 if kind.over is None else len(WAYS)))
            for kind in KINDS.values()
            if kind.over in {None, via} and self.only in kind.name
        ]

    def command(self, strikes: Numbers | None = None) -> str:
        """What repeats it."""
        words = [f"bot simulate --seed {self.seed}"]
        if self.seconds != SECONDS:
            words.append(f"--for {self.seconds:g}")
        if self.only:
            words.append(f"--only '{self.only}'")
        if strikes is not None:
            words.append(f"--strikes {','.join(map(str, strikes)) or 'none'}")
        if self.bug:
            words.append(f"--bug '{self.bug}'")
        return " ".join(words)
