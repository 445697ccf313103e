"""What updates are about."""

from typing import NamedTuple

import attrs

ALL = "ALL"
"""The market of those who listen to every market."""


@attrs.frozen
class SnapshotFeed:
    """A book told whole, at most once every ``interval`` seconds, grouped by ``price_tick`` (10⁻⁸) if given."""

    interval: float
    price_tick: int | None


@attrs.frozen
class DeltaFeed:
    """A book told whole once, and then every change of it."""


class Topic(NamedTuple):
    """A family of channels and a market: a symbol, `ALL`, or nothing where the family takes none.

    ``account`` is 0 in public; ``book`` is how a book is told.
    """

    family: str
    market: str = ""
    account: int = 0
    book: SnapshotFeed | DeltaFeed | None = None
