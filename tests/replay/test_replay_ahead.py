"""Hashing in a second process: it may be quicker, and never another."""

import contextlib
from multiprocessing import get_context
from typing import Any

import attrs
import pytest
from replay_stage import FOLDER, recorded

from bot.core.tape import Kind
from bot.replay.steps import ahead
from bot.replay.steps.ahead import LEAD, Hashed, HashingAhead, hash_recorded, open_hashing
from bot.replay.steps.hashes import StructHashing
from bot.replay.steps.manners import repeat
from bot.replay.steps.shapes import Intent, shaped

PLAIN = recorded("plain")
INTENTS = [record for record in PLAIN.records if record.kind is Kind.INTENT]


@attrs.define
class Place:
    """A `bot.replay.steps.ahead.Progress`."""

    value: int = -LEAD


def intent(hashed: Hashed) -> Intent:
    return next(shaped(record, Intent) for record in INTENTS if record.data["client_id"] == hashed.client_id)


def test_every_recorded_order_is_hashed_as_it_was() -> None:
    found = {each.client_id: f"{each.struct:#x}" for each in hash_recorded(PLAIN.records, Place())}
    assert found == {record.data["client_id"]: record.data["struct_hash"] for record in INTENTS}
    assert len(found) > 5


def test_what_the_replay_has_come_to_is_left_to_it() -> None:
    ids = [record.data["client_id"] for record in INTENTS]
    found = [each.client_id for each in hash_recorded(PLAIN.records, Place(3 - LEAD))]
    assert found == ids[3:]


@pytest.mark.parametrize(
    "request_told",
    [{"body": "{", "path": "/orders"}, {"path": "/orders"}, {"body": "[" * 5000, "path": "/orders"}],
)
def test_an_order_that_cannot_be_read_is_left_to_the_replay(request_told: dict[str, str]) -> None:
    odd = INTENTS[0]._replace(data=INTENTS[0].data | {"request": request_told})
    found = [each.client_id for each in hash_recorded([odd, *INTENTS[1:]], Place())]
    assert found == [record.data["client_id"] for record in INTENTS[1:]]


def test_a_hash_is_used_for_the_very_same_terms_only() -> None:
    hashed = next(hash_recorded(PLAIN.records, Place()))
    recorded_intent = intent(hashed)
    wrong = attrs.evolve(hashed, struct=7)
    itself = StructHashing()

    def hashing() -> HashingAhead:
        return HashingAhead(lambda: [wrong], Place())

    assert hashing().hashes(hashed.terms, recorded_intent).struct == 7
    for change in (
        {"price": hashed.terms.price + 1},
        {"size": hashed.terms.size + 1},
        {"timestamp_ms": hashed.terms.timestamp_ms + 1},
        {"market": f"{hashed.terms.market}-X"},
        {"order_type": "MARKET"},
        {"side": "SELL" if hashed.terms.side == "BUY" else "BUY"},
    ):
        other = attrs.evolve(hashed.terms, **change)
        assert hashing().hashes(other, recorded_intent) == itself.hashes(other, recorded_intent)


def test_nobody_waits_for_a_hash() -> None:
    hashed = next(hash_recorded(PLAIN.records, Place()))
    place = Place(0)
    hashing = HashingAhead(list, place)
    assert hashing.hashes(hashed.terms, intent(hashed)).struct == hashed.struct
    assert place.value == 1


@pytest.mark.parametrize("context", [get_context("spawn"), get_context("fork")], ids=["spawn", "fork"])
def test_the_second_process_hashes_what_is_ahead(context: Any) -> None:
    """A process, for it is what would go wrong: what it imports, what goes through the pipe, how it ends."""
    receiver, sender = context.Pipe(duplex=False)
    arguments = (FOLDER / "plain.journal", context.RawValue("q", -LEAD), receiver, sender)
    process = context.Process(target=ahead._hash_ahead, args=arguments, daemon=True)
    process.start()
    sender.close()
    found = []
    with contextlib.suppress(EOFError):
        while True:
            found += receiver.recv()
    process.join()
    assert found == list(hash_recorded(PLAIN.records, Place()))
    assert len(found) == len(INTENTS)
    assert process.exitcode == 0


def test_a_replay_with_a_second_process_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where that one ends, or is ended, before the other."""
    monkeypatch.setattr(ahead, "WORTH_IT", 0)
    with open_hashing(FOLDER / "plain.journal") as hashing:
        assert isinstance(hashing, HashingAhead)
        report = repeat(PLAIN, hashing=hashing)
    assert attrs.evolve(report, seconds=0) == attrs.evolve(repeat(PLAIN), seconds=0)


def test_a_small_session_starts_no_process() -> None:
    with open_hashing(FOLDER / "plain.journal") as hashing:
        assert isinstance(hashing, StructHashing)
