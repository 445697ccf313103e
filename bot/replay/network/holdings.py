"""What the venue has of the account beside its orders: fills, and the positions that they come to."""

from collections import Counter
from typing import Any

import attrs

from bot.core.fixed import parse, render
from bot.core.order import Side
from bot.replay.network.orders import Book, TakenFill
from bot.replay.network.score import Exchange, Score, objects


@attrs.define(eq=False)
class Holdings:
    """Lists of both, as they are now."""

    _score: Score
    _book: Book
    _told: Exchange | None = None
    """The last answer that told positions as they were recorded."""

    def told(self, exchange: Exchange) -> None:
        """Positions are answered as recorded."""
        self._told = exchange

    def fills(self, *, since: float) -> list[dict[str, Any]]:
        """Newest first, from this time of trio's clock on."""
        return [taken.fill for taken in reversed(self._book.fills) if taken.at >= since]

    def positions(self) -> list[dict[str, Any]]:
        """Those that were told last, or first in the recording, and what was filled since."""
        told = self._told or next(iter(self._score.positions), None)
        until = 0 if told is None or told.ended is None else told.ended.number
        listed = [] if told is None else objects(told.result.get("results"))
        known = {str(each.get("market")): each for each in listed}
        moved: Counter[str] = Counter()
        for taken in self._book.fills:
            if taken.number > until:
                moved[str(taken.fill.get("market"))] += _signed(taken)
        return list(
            {**known, **{name: _moved(name, known.get(name, {}), by) for name, by in moved.items()}}.values()
        )


def _signed(taken: TakenFill) -> int:
    try:
        size = parse(taken.fill["size"])
    except (KeyError, TypeError, ValueError):
        return 0
    return size if taken.side == Side.BUY else -size


def _moved(market: str, position: dict[str, Any], by: int) -> dict[str, Any]:
    """A position after fills that come to ``by``. One that cannot be read stays as it is."""
    try:
        size = abs(parse(position.get("size", "0")))
    except (TypeError, ValueError):
        return position
    signed = by + (-size if position.get("side") == "SHORT" else size)
    changed = {
        "market": market,
        "status": "OPEN" if signed else "CLOSED",
        "side": "SHORT" if signed < 0 else "LONG",
        "size": render(signed),
    }
    return {**position, **changed}
