"""Rows in the order in which they came, whose numbers stay when the oldest are forgotten."""

from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class History(Generic[T]):
    """The newest ``kept`` rows of all that were ever added; without ``kept`` all of them.

    The first row has number 0, the next one number 1, whatever was forgotten since: a cursor that holds a number
    stays good. Adding costs the same however many there are.
    """

    def __init__(self, kept: int | None = None) -> None:
        self._kept = kept
        self._rows: list[T] = []
        self._dropped = 0

    def add(self, row: T) -> int:
        """Add the newest row; its number."""
        self._rows.append(row)
        if self._kept is not None and len(self._rows) >= 2 * self._kept:
            # Half of the list at a time: one row at a time would move all others with each.
            surplus = len(self._rows) - self._kept
            del self._rows[:surplus]
            self._dropped += surplus
        return self._dropped + len(self._rows) - 1

    @property
    def first(self) -> int:
        """The number of the oldest row still kept, or the next number when there is none."""
        return self.end - len(self)

    @property
    def end(self) -> int:
        """The number of the next row, which is how many were ever added."""
        return self._dropped + len(self._rows)

    def __len__(self) -> int:
        return len(self._rows) if self._kept is None else min(self._kept, len(self._rows))

    def __iter__(self) -> Iterator[T]:
        """The kept rows, oldest first."""
        return (row for _, row in self.forward(0))

    def forward(self, start: int) -> Iterator[tuple[int, T]]:
        """Rows with their numbers from ``start`` on, oldest first."""
        for number in range(max(start, self.first), self.end):
            yield number, self._rows[number - self._dropped]

    def backward(self, start: int | None = None) -> Iterator[tuple[int, T]]:
        """Rows with their numbers from ``start`` (or the newest) down, newest first."""
        newest = self.end - 1
        for number in range(newest if start is None else min(start, newest), self.first - 1, -1):
            yield number, self._rows[number - self._dropped]
