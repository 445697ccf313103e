"""Rows in the order in which they came, of which any may be forgotten."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

_SMALLEST_SWEEP = 64


class Rows(Generic[T]):
    """Numbered rows. The first has number 0, the next number 1, whatever was forgotten in between.

    A cursor that holds a number stays good. Adding and forgetting cost, on average, the same however many there
    are. Unlike a history that only loses its oldest, this one keeps an old row for as long as somebody needs it.
    """

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._rows: list[T | None] = []
        self._next = 0
        self._gaps = 0

    def add(self, row: T) -> int:
        """Add the newest row; its number."""
        self._numbers.append(self._next)
        self._rows.append(row)
        self._next += 1
        return self._next - 1

    def forget(self, number: int) -> None:
        """Forget a row. A number that is not kept is nobody's loss."""
        index = bisect_left(self._numbers, number)
        if index == len(self._numbers) or self._numbers[index] != number or self._rows[index] is None:
            return
        self._rows[index] = None
        self._gaps += 1
        # Swept when half of the list is gaps: to close each gap at once would move all later rows with it.
        if self._gaps >= _SMALLEST_SWEEP and 2 * self._gaps >= len(self._rows):
            kept = list(self.forward(0))
            self._numbers = [number for number, _ in kept]
            self._rows = [row for _, row in kept]
            self._gaps = 0

    def forward(self, start: int) -> Iterator[tuple[int, T]]:
        """Rows with their numbers from ``start`` on, oldest first."""
        for index in range(bisect_left(self._numbers, start), len(self._numbers)):
            row = self._rows[index]
            if row is not None:
                yield self._numbers[index], row

    def backward(self, start: int | None = None) -> Iterator[tuple[int, T]]:
        """Rows with their numbers from ``start`` (or the newest) down, newest first."""
        end = len(self._numbers) if start is None else bisect_right(self._numbers, start)
        for index in range(end - 1, -1, -1):
            row = self._rows[index]
            if row is not None:
                yield self._numbers[index], row

    def __iter__(self) -> Iterator[T]:
        """The kept rows, oldest first."""
        return (row for _, row in self.forward(0))

    def __len__(self) -> int:
        return len(self._rows) - self._gaps
