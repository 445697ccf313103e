"""The measurement of signing compares like with like, and says when the two do not agree."""

import json
from collections.abc import Iterator

import attrs
import pytest

from bot.lab import signing
from bot.lab.signing import Result, Round, as_json, as_table, conclude, play, random_orders
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
    assert conclude(rounds) == Result(ours_ms=2.0, starknet_py_ms=100.0, ratio=50.0, same=2, orders=3)


def test_orders_are_the_same_for_the_same_seed() -> None:
    """A seed names its orders, and no two of them share a time of signing."""
    orders = random_orders(20, seed=3)
    assert orders == random_orders(20, seed=3)
    assert orders != random_orders(20, seed=4)
    assert len({terms.timestamp_ms for terms in orders}) == 20


def test_what_is_printed() -> None:
    """A table with a line for each work, or one JSON object with the same numbers."""
    result = Result(ours_ms=1.25, starknet_py_ms=180.0, ratio=144.0, same=30, orders=30)
    heading, row = as_table({"hash": result}).splitlines()
    assert heading.split() == ["median", "this", "bot", "starknet-py", "ratio", "same", "result"]
    assert row.split() == ["hash", "1.250", "ms", "180.000", "ms", "144.0", "x", "30", "of", "30"]
    assert json.loads(as_json({"hash": result})) == {"hash": attrs.asdict(result)}


def test_the_whole_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The real two sides hash and sign alike; how fast they were is not a test's business."""
    assert signing.main(orders=2, json=True) == 0
    results = json.loads(capsys.readouterr().out)
    assert list(results) == ["hash", "hash_and_signature"]
    for result in results.values():
        assert (result["same"], result["orders"]) == (2, 2)


def test_disagreement_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 1 when not every result was the same."""
    watch = Stopwatch()
    hashes, signs = (lambda _terms: 0), watch.side("theirs", 1, 1)
    monkeypatch.setattr(signing, "starknet_py_work", lambda: (hashes, signs))
    assert signing.main(orders=1) == 1
    assert "0 of 1" in capsys.readouterr().out
