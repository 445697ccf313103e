"""What strikes when, in the run of one seed: all of it follows from the seed."""

from collections.abc import Sequence
from random import Random

import attrs

HAND = 22
"""Strikes of one seed."""

LEAST_AT = 0.5
"""Seconds from the start to the first strike, but for those that meet a login."""


@attrs.frozen
class Strike:
    """One thing that goes wrong. How exactly follows from the seed and the ``number``, whatever else strikes."""

    number: int
    at: float
    """Seconds of trio's clock."""

    kind: str
    seed: int

    def chance(self) -> Random:
        return Random(f"{self.seed} {self.number} {self.kind}")  # noqa: S311 - to be repeated

    def __str__(self) -> str:
        return f"{self.number}: {self.kind} at {self.at:.2f} s"


@attrs.frozen
class Schedule:
    """The run of one seed: so many seconds of these strikes."""

    seed: int
    seconds: float
    strikes: tuple[Strike, ...]

    def only(self, numbers: frozenset[int]) -> "Schedule":
        """The same with these strikes alone: each is what it was among the others."""
        return attrs.evolve(self, strikes=tuple(each for each in self.strikes if each.number in numbers))


@attrs.frozen
class Card:
    """A kind of strike in the pack from which schedules are dealt."""

    kind: str
    by: float = 0.95
    """In this part of the time it strikes; 0: at the very beginning."""

    copies: int = 1


def draw(seed: int, seconds: float, pack: Sequence[Card], turn: int) -> Schedule:
    """The schedule of a seed, which is the ``turn``-th to be dealt from ``pack``.

    Kinds are dealt as from a shuffled pack, so that each comes as often as any other, in company that always changes.
    """
    chance = Random(f"schedule {seed}")  # noqa: S311 - to be repeated
    drawn = sorted((_at(chance, seconds, card.by), card.kind) for card in _hand(turn, pack))
    strikes = (Strike(number, at, kind, seed) for number, (at, kind) in enumerate(drawn, 1))
    return Schedule(seed, seconds, tuple(strikes))


def _at(chance: Random, seconds: float, by: float) -> float:
    at = round(chance.uniform(LEAST_AT, max(by * seconds, LEAST_AT)), 3)
    return at if by else 0.0


def _hand(turn: int, pack: Sequence[Card]) -> list[Card]:
    """The next `HAND` cards of packs that are shuffled one after the other."""
    cards = [card for card in pack for _ in range(card.copies)]
    hand: list[Card] = []
    for number in range(turn * HAND, (turn + 1) * HAND):
        shuffle, place = divmod(number, len(cards))
        order = list(range(len(cards)))
        Random(f"pack {shuffle}").shuffle(order)  # noqa: S311 - to be repeated
        hand.append(cards[order[place]])
    return hand
