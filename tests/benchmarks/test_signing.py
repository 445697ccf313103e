"""The measurement of signing compares like with like, and says when the two do not agree."""

from collections.abc import Iterator

from benchmarks import signing
from benchmarks.signing import Round, conclude, play, random_orders
from bot.link.signer import Signature
from bot.paradex.snip12 import OrderTerms


class Stopwatch:
    """Time that passes only while a side works."""

    def __init__(self) -> None:
        self.now = 0
        self.trace: list[str] = []

    def side(self, name: str, *durations: int, r: int = 1) -> signing.Sign:
        left: Iterator[int] = iter(durations)

        def sign(terms: OrderTerms) -> Signature:
            self.trace.append(name)
            self.now += next(left)
            return Signature(terms.timestamp_ms, r, 1)

        return sign


def test_both_sides_take_turns_at_going_first() -> None:
    """Every order goes to both, one right after the other; each side is charged with its own time."""
    watch = Stopwatch()
    ours, theirs = watch.side("ours", 1, 2, 3), watch.side("theirs", 100, 200, 300)
    rounds = list(play(random_orders(3, seed=0), ours, theirs, lambda: watch.now))
    assert watch.trace == ["ours", "theirs", "theirs", "ours", "ours", "theirs"]
    assert rounds == [Round(1, 100, same=True), Round(2, 200, same=True), Round(3, 300, same=True)]


def test_disagreement_is_seen() -> None:
    """A side that signs something else is not counted as the same."""
    watch = Stopwatch()
    ours, theirs = watch.side("ours", 1), watch.side("theirs", 1, r=2)
    (played,) = play(random_orders(1, seed=0), ours, theirs, lambda: watch.now)
    assert not played.same


def test_medians_and_ratio() -> None:
    """Medians of each side, in ms, and theirs divided by ours; one slow order does not move them."""
    rounds = [
        Round(1_000_000, 90_000_000, same=True),
        Round(2_000_000, 100_000_000, same=False),
        Round(900_000_000, 110_000_000, same=True),
    ]
    result = conclude({"hash": rounds})
    ours, theirs = result.comparisons[0].rows
    assert (ours.median, theirs.median, ours.ratio, ours.count) == (2.0, 100.0, None, 3)
    assert theirs.ratio is not None
    assert theirs.ratio.value == 50.0
    assert result.wrong == ["an order's hash: 1 of 3 results differ"]


def test_orders_are_the_same_for_the_same_seed() -> None:
    """A seed names its orders, and no two of them share a time of signing."""
    orders = random_orders(20, seed=3)
    assert orders == random_orders(20, seed=3)
    assert orders != random_orders(20, seed=4)
    assert len({terms.timestamp_ms for terms in orders}) == 20


def test_the_whole_of_it() -> None:
    """The real two sides hash and sign alike; how fast they were is not a test's business."""
    result = signing.measure(1)
    assert [comparison.title for comparison in result.comparisons] == [
        "an order's hash",
        "an order's hash and signature",
    ]
    assert not result.wrong
