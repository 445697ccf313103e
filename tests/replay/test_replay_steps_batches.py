"""Batches and modifications in a recorded session: run again they are the same, and a bug makes them diverge."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from batches_stage import SETTINGS, played, record

from bot.core.errors import RefusedError, RequestError
from bot.core.fixed import SCALE, render
from bot.core.order import Order
from bot.core.tape import Kind
from bot.exchange.faults.requests import Swallow
from bot.journal.reader import find
from bot.paradex import orders, snip12
from bot.paradex.request import Request
from bot.replay.acting import SIZE
from bot.replay.steps import errands
from bot.replay.steps.ahead import hash_recorded
from bot.replay.steps.manners import repeat
from bot.replay.steps.report import Report
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.trading import effects, requests, transcript
from bot.trading.step import desk, ledger, modification
from bot.trading.step.verdict import Verdict, verdict

Patch = pytest.MonkeyPatch


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such a session, recorded."""
    file = tmp_path_factory.mktemp("batches") / "session.journal"
    record(file)
    return file


def run_again(session: Path) -> Report:
    with played():
        return repeat(find(session))


def test_it_is_the_same_again(session: Path) -> None:
    """Every intent, request, outcome and state of it."""
    report = run_again(session)
    assert (report.divergences, report.stopped) == ([], "")
    records = list(find(session))
    assert report.records == len(records)
    intents = [record.data["what"] for record in records if record.kind is Kind.INTENT]
    assert (intents.count("place"), intents.count("modify")) == (16, 5)
    done = {record.data["do"] for record in records if record.kind is Kind.EFFECT}
    assert done >= {"place batch", "modify", "cancel batch", "cancel", "look up"}
    failed = {
        record.data["what"]
        for record in records
        if record.kind is Kind.OUTCOME and record.data.get("failure") == "unknown"
    }
    assert failed == {"place", "modify", "cancel"}


def test_what_is_cancelled_in_the_end_is_the_same_again(tmp_path: Path) -> None:
    """Somebody cancels the bot itself: no decision is behind its last cancels, and they are compared all the same."""

    async def cancelled(rehearsal: Rehearsal) -> None:
        rehearsal.exchange.faults.add(Swallow(on="cancel-batch", skip=1, cut_after=0))
        with trio.move_on_after(3):
            await rehearsal.trade()

    file = tmp_path / "session.journal"
    with played():
        rehearse(cancelled, SETTINGS, delay=0.02, tls=False, journal=file)
    unprompted = {
        (record.data["method"], record.data["path"])
        for record in find(file)
        if record.kind is Kind.REQUEST and not record.data["of"]
    }
    assert ("DELETE", "/orders/batch") in unprompted
    assert any(path.startswith("/orders/1800") for _, path in unprompted)
    report = run_again(file)
    assert (report.divergences, report.stopped) == ([], "")


def test_orders_of_batches_are_hashed_ahead(session: Path) -> None:
    """By the second process, as they were; modifications are left to the replay."""

    @attrs.define
    class FarBehind:
        value: int = -100

    records = [record for record in find(session) if record.kind is Kind.INTENT]
    hashed = {each.client_id: hex(each.struct) for each in hash_recorded(records, FarBehind())}
    placed = [record.data for record in records if record.data["what"] == "place"]
    assert hashed == {intent["client_id"]: intent["struct_hash"] for intent in placed}


def splits_by_five(patch: Patch) -> None:
    def fives(placed: Sequence[Order]) -> Iterator[tuple[Order, ...]]:
        for first in range(0, len(placed), 5):
            yield tuple(placed[first : first + 5])

    patch.setattr(desk, "batches", fives)


def turns_a_batch_around(patch: Patch) -> None:
    create = orders.create_batch
    patch.setattr(orders, "create_batch", lambda signed, **more: create(signed[::-1], **more))


def sends_a_batch_one_by_one(patch: Patch) -> None:
    patch.setattr(desk, "PlaceBatch", lambda batch, session: effects.PlaceOrder(batch[0], session))


def takes_a_lost_batch_for_refused(patch: Patch) -> None:
    results = errands.Errand.ended

    def ended(self: errands.Errand, subject: str, failure: RequestError | None) -> Any:
        item = results(self, subject, failure)
        if isinstance(item, effects.SendEnded) and isinstance(item.result, RequestError):
            return attrs.evolve(item, result=RefusedError(400, "CODE", "no"))
        return item

    patch.setattr(errands.Errand, "ended", ended)


def modifies_to_the_old_price(patch: Patch) -> None:
    modify = orders.modify
    patch.setattr(
        orders, "modify", lambda order, **more: modify(order, **(more | {"price": order.price + SCALE}))
    )


def signs_the_old_terms(patch: Patch) -> None:
    patch.setattr(
        errands, "modified_terms", lambda effect, timestamp: requests.terms(effect.order, timestamp)
    )


def hashes_a_modification_as_an_order(patch: Patch) -> None:
    patch.setattr(snip12, "MODIFY_ORDER", snip12.ORDER)


def believes_the_answer(patch: Patch) -> None:
    def ended(self: modification.Modifications, item: effects.ModifyEnded) -> None:
        if not isinstance(item.result, RequestError):
            self._ledger.refuse_modification(item.client_id, "the answer is all")

    patch.setattr(modification.Modifications, "ended", ended)


def gives_up_what_nobody_told(patch: Patch) -> None:
    patch.setattr(modification.Modifications, "ended", lambda *_: None)


def misses_a_rejection(patch: Patch) -> None:
    def lenient(*args: Any, **more: Any) -> Verdict | None:
        judged = verdict(*args, **more)
        return None if judged is Verdict.REFUSED else judged

    patch.setattr(ledger, "verdict", lenient)


def modifies_again(patch: Patch) -> None:
    ended = modification.Modifications.ended

    def again(self: modification.Modifications, item: effects.ModifyEnded) -> None:
        ended(self, item)
        order = self._ledger.get(item.client_id)
        if order.modifying is not None and isinstance(item.result, RequestError):
            self._decisions.add(effects.LookUpOrder(order))

    patch.setattr(modification.Modifications, "ended", again)


def names_all_by_our_ids(patch: Patch) -> None:
    def by_our_ids(_order_ids: Sequence[str], _client_ids: Sequence[str], *, cause: int) -> Request[Any]:
        return cancel((), ["run-1"], cause=cause)

    cancel = orders.cancel_batch
    patch.setattr(orders, "cancel_batch", by_our_ids)


def tells_of_another_size(patch: Patch) -> None:
    patch.setattr(transcript, "render", lambda value: render(SIZE if value == 2 * SIZE else value))


BUGS: list[tuple[Callable[[Patch], None], Kind | None]] = [
    (splits_by_five, Kind.EFFECT),
    (turns_a_batch_around, Kind.REQUEST),
    (sends_a_batch_one_by_one, Kind.EFFECT),
    (takes_a_lost_batch_for_refused, Kind.OUTCOME),
    (modifies_to_the_old_price, Kind.INTENT),
    (signs_the_old_terms, Kind.INTENT),
    (hashes_a_modification_as_an_order, Kind.INTENT),
    (believes_the_answer, Kind.EFFECT),
    (gives_up_what_nobody_told, Kind.EFFECT),
    (modifies_again, Kind.EFFECT),
    (names_all_by_our_ids, Kind.REQUEST),
    (tells_of_another_size, Kind.EFFECT),
    (misses_a_rejection, Kind.EFFECT),
]


@pytest.mark.parametrize(("bug", "kind"), BUGS, ids=[bug.__name__ for bug, _ in BUGS])
def test_a_bug_makes_it_diverge(
    bug: Callable[[Patch], None], kind: Kind, session: Path, monkeypatch: Patch
) -> None:
    """And the first divergence is of the kind that the bug is about."""
    bug(monkeypatch)
    report = run_again(session)
    assert report.exit_code == 1
    assert report.divergences[0].kind == kind
