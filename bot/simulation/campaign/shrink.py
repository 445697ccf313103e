"""Finds the fewest strikes that a seed still fails with: delta debugging (Zeller and Hildebrandt 2002, ddmin)."""

from collections.abc import Callable, Sequence

from bot.simulation.campaign.play import Played

Numbers = tuple[int, ...]


def names(violations: Sequence[str]) -> frozenset[str]:
    """By what name violations go: that of the invariant, or the first words of others."""
    return frozenset(violation.partition(":")[0] for violation in violations)


def shrunk(failed: Played, again: Callable[[Numbers], Played]) -> Played:
    """The run with the fewest strikes that violates something of what ``failed`` does.

    None of them can be left out alone. ``again`` plays with the strikes of these numbers.
    """
    wanted = names(failed.violations)
    played: dict[Numbers, Played] = {}

    def fails(numbers: Numbers) -> bool:
        if numbers not in played:
            played[numbers] = again(numbers)
        return bool(names(played[numbers].violations) & wanted)

    everything = tuple(strike.number for strike in failed.schedule.strikes)
    struck = tuple(number for number in everything if number in failed.hits)
    played[everything] = failed
    return played[_minimal(struck if fails(struck) else everything, fails)]


def _minimal(numbers: Numbers, fails: Callable[[Numbers], bool]) -> Numbers:
    """Of ``numbers``, which fail, a part that does and of which no smaller part of `parts` does."""
    if fails(()):
        return ()
    parts = 2
    while len(numbers) > 1:
        size = -(-len(numbers) // parts)
        chunks = [numbers[start : start + size] for start in range(0, len(numbers), size)]
        rests = [tuple(n for n in numbers if n not in chunk) for chunk in chunks]
        for smaller in (*chunks, *(rests if parts > 2 else ())):
            if fails(smaller):
                numbers, parts = smaller, 2 if smaller in chunks else max(parts - 1, 2)
                break
        else:
            if parts >= len(numbers):
                break
            parts = min(2 * parts, len(numbers))
    return numbers
