"""The participants of one market, together."""

from collections.abc import Callable
from random import Random

from bot.exchange.market.fair import PPB, FairPrice
from bot.exchange.market.floor import Floor
from bot.exchange.market.makers import Maker
from bot.exchange.market.takers import InformedTaker, NoiseTaker, Visitors

MAKERS = (1, 2, 3)
INFORMED, NOISE, VISITOR = 11, 12, 13
"""Account numbers of the participants."""

_MAKING, _INFORMED, _NOISE = 0.70, 0.82, 0.94
"""Which part of all that happens is whose, summed up; the rest is visitors'. Chosen."""


SHOCK = 2_000_000
"""A change of the fair price, in parts of a billion, after which no quote is worth keeping. Chosen."""


class Crowd:
    """Makers who quote around the fair price, and those who trade with them."""

    def __init__(self, floor: Floor, fair: FairPrice, rng: Random, position: Callable[[int], int]) -> None:
        self._rng = rng
        self._fair = fair
        self._belief = fair.fair
        self._makers = [
            Maker(account, floor, rng, lambda: self._belief, lambda account=account: position(account))  # type: ignore[misc]
            for account in MAKERS
        ]
        self._informed = InformedTaker(INFORMED, floor, rng, lambda: fair.coming)
        self._noise = NoiseTaker(NOISE, floor, rng)
        self._visitors = Visitors(VISITOR, floor, rng)

    def open(self) -> None:
        """Fill the book."""
        for maker in self._makers:
            maker.open()

    def see(self, *, may_quote: bool = True) -> None:
        """The makers learn what the fair price is; until then they quote around what it was.

        When it is far from what they believed, they take all their quotes back and begin anew.
        """
        before, self._belief = self._belief, self._fair.fair
        if may_quote and abs(self._belief - before) * PPB > SHOCK * before:
            for maker in self._makers:
                maker.withdraw()
            self.open()

    def act(self) -> None:
        """Something happens: a quote is put right, somebody takes, or somebody drops by."""
        whose = self._rng.random()
        if whose < _MAKING:
            self._rng.choice(self._makers).refresh()
        elif whose < _INFORMED:
            if not self._informed.act():
                self._rng.choice(self._makers).refresh()
        elif whose < _NOISE:
            self._noise.act()
        else:
            self._visitors.act()

    def restore(self) -> None:
        """The makers look whether much of their quotes was taken."""
        for maker in self._makers:
            maker.restore()
