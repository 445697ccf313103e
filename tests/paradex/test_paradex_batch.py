"""Batches: what became of each order, where the answer tells, and where it does not."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import RefusedError, RequestError, UnknownOutcomeError
from bot.core.order import Instruction, Order, OrderType, Side
from bot.paradex import batch
from bot.paradex.answers import (
    BatchAnswer,
    CancelResult,
    CancelsAnswer,
    ItemError,
    OrderReport,
    PlacedBatch,
    PlacedItem,
)


def order(client_id: str, venue_id: str = "") -> Order:
    return Order(
        client_id=client_id,
        market="M",
        side=Side.BUY,
        type=OrderType.LIMIT,
        instruction=Instruction.GTC,
        size=1,
        price=1,
        venue_id=venue_id,
    )


def report(client_id: str | None) -> OrderReport:
    return OrderReport(id=f"id of {client_id}", market="M", status="NEW", client_id=client_id)


A, B, C = order("a"), order("b"), order("c")
SIZE = ItemError(error="INVALID_ORDER_SIZE", message="too small")
SYMBOL = ItemError(error="MARKET_NOT_OPEN", message="closed")
TAKEN = ItemError(error="DUPLICATED_CLIENT_ID", message="there is one")
BROKEN = ItemError(error="INTERNAL_ERROR", message="oops")
UNKNOWN = "unknown"


def told(orders: list[Order], answer: BatchAnswer | PlacedBatch) -> list[str]:
    """What became of each: the venue's id of it, the code of its refusal, or that nobody knows."""
    became = (
        batch.creations(orders, answer)
        if isinstance(answer, BatchAnswer)
        else batch.placements(orders, answer)
    )
    assert list(became) == [each.client_id for each in orders]

    def tell(each: OrderReport | RequestError) -> str:
        match each:
            case OrderReport():
                return each.id
            case RefusedError():
                assert each.status == 201
                return each.code
            case _:
                assert type(each) is UnknownOutcomeError
                return UNKNOWN

    return [tell(each) for each in became.values()]


@pytest.mark.parametrize(
    ("reports", "errors", "expected"),
    [
        (["a", "b", "c"], [], ["id of a", "id of b", "id of c"]),
        (["c", "a", "b"], [], ["id of a", "id of b", "id of c"]),
        (["a", "c"], [SIZE], ["id of a", "INVALID_ORDER_SIZE", "id of c"]),
        (["b"], [SIZE, SYMBOL], ["INVALID_ORDER_SIZE", "id of b", "MARKET_NOT_OPEN"]),
        ([], [SIZE, SIZE, SIZE], ["INVALID_ORDER_SIZE"] * 3),
        # One is missing, and one error there is that says nothing certain of it.
        (["a", "c"], [TAKEN], ["id of a", UNKNOWN, "id of c"]),
        (["a", "c"], [BROKEN], ["id of a", UNKNOWN, "id of c"]),
        (["a", "c"], [ItemError()], ["id of a", UNKNOWN, "id of c"]),
        # Which of the two was refused, and which may be there?
        (["b"], [SIZE, TAKEN], [UNKNOWN, "id of b", UNKNOWN]),
        # More are missing than errors tell of, or fewer, or somebody else is in the answer.
        (["a", "c"], [], ["id of a", UNKNOWN, "id of c"]),
        (["a"], [SIZE], ["id of a", UNKNOWN, UNKNOWN]),
        (["a", "c"], [SIZE, SIZE], ["id of a", UNKNOWN, "id of c"]),
        (["a", "c", "z"], [SIZE], ["id of a", UNKNOWN, "id of c"]),
        (["a", "c", None], [SIZE], ["id of a", UNKNOWN, "id of c"]),
        (["a", "a"], [SIZE, SIZE], ["id of a", UNKNOWN, UNKNOWN]),
        ([], [], [UNKNOWN] * 3),
        # Something to spare does not make doubtful what was found.
        (["a", "b", "c", "z"], [SIZE], ["id of a", "id of b", "id of c"]),
    ],
)
def test_creations(reports: list[str | None], errors: list[ItemError], expected: list[str]) -> None:
    """Found by client id; refused if it is certain that one of the errors is its own; unknown otherwise."""
    answer = BatchAnswer(orders=[report(each) for each in reports], errors=errors)
    assert told([A, B, C], answer) == expected


def test_an_answer_without_lists() -> None:
    """Null for an empty list, as some write it: all taken, none, or nobody knows."""
    assert told([A], BatchAnswer(orders=[report("a")])) == ["id of a"]
    assert told([A], BatchAnswer(errors=[SIZE])) == ["INVALID_ORDER_SIZE"]
    assert told([A], BatchAnswer()) == [UNKNOWN]


def test_the_words_of_an_unknown_outcome() -> None:
    """Whoever reads the log sees what the venue said."""
    became = batch.creations([A, B, C], BatchAnswer(orders=[report("b")], errors=[SIZE, TAKEN]))
    assert str(became["a"]) == (
        "not in the answer to its batch, which has INVALID_ORDER_SIZE: too small; DUPLICATED_CLIENT_ID: there is one"
    )
    assert (
        str(batch.creations([A], BatchAnswer())["a"]) == "not in the answer to its batch, which has no error"
    )


@given(
    reports=st.lists(st.sampled_from(["a", "b", "c", "z", None]), max_size=5),
    errors=st.lists(st.sampled_from([SIZE, SYMBOL, TAKEN, BROKEN, ItemError()]), max_size=5),
)
def test_nothing_is_guessed(reports: list[str | None], errors: list[ItemError]) -> None:
    """Whatever is answered: refused only if each that is missing has an error, and nobody else is named."""
    became = told([A, B, C], BatchAnswer(orders=[report(each) for each in reports], errors=errors))
    for each, client_id in zip(became, "abc", strict=True):
        assert (each == f"id of {client_id}") == (client_id in reports)
    missing = [each for each in became if not each.startswith("id of")]
    if any(each != UNKNOWN for each in missing):
        assert len(missing) == len(errors)
        assert len(reports) + len(errors) == 3
        assert UNKNOWN not in missing


def placed(*items: str | None) -> PlacedBatch:
    """An answer over the WebSocket: each a client id, words of an error after a ``!``, or nothing at all."""

    def item(each: str | None) -> PlacedItem:
        if each is None:
            return PlacedItem()
        return PlacedItem(error=each[1:]) if each.startswith("!") else PlacedItem(order=report(each))

    return PlacedBatch(results=[item(each) for each in items])


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (["a", "b", "c"], ["id of a", "id of b", "id of c"]),
        # An error stands in its order's place, so it is known whose it is.
        (["a", "!INVALID_ORDER_SIZE: too small", "c"], ["id of a", "INVALID_ORDER_SIZE", "id of c"]),
        (
            ["!MARKET_NOT_OPEN", "b", "!INVALID_ORDER_SIZE: m"],
            ["MARKET_NOT_OPEN", "id of b", "INVALID_ORDER_SIZE"],
        ),
        # Some tell nothing that is certain, of one order and of no other.
        (["a", "!DUPLICATED_CLIENT_ID: there is one", "c"], ["id of a", UNKNOWN, "id of c"]),
        (["a", "!INTERNAL_ERROR: oops", "c"], ["id of a", UNKNOWN, "id of c"]),
        (["a", "!too small", "c"], ["id of a", UNKNOWN, "id of c"]),
        (["a", "!", "c"], ["id of a", UNKNOWN, "id of c"]),
        (["a", None, "c"], ["id of a", UNKNOWN, "id of c"]),
        # Somebody else is in its place.
        (["a", "z", "c"], ["id of a", UNKNOWN, "id of c"]),
        (["b", "a", "c"], [UNKNOWN, UNKNOWN, "id of c"]),
        (["a", "a", "a"], ["id of a", UNKNOWN, UNKNOWN]),
        # Too few or too many: nobody can tell which is whose.
        ([], [UNKNOWN] * 3),
        (["a", "b"], [UNKNOWN] * 3),
        (["a", "b", "c", "c"], [UNKNOWN] * 3),
        (["!INVALID_ORDER_SIZE: m"] * 2, [UNKNOWN] * 3),
    ],
)
def test_placements(items: list[str | None], expected: list[str]) -> None:
    """Each is in its place; what is not as it was sent tells nothing."""
    assert told([A, B, C], placed(*items)) == expected


def test_a_placement_without_a_client_id_is_that_in_its_place() -> None:
    """The place is what tells; the venue may leave the name out."""
    for name in (None, ""):
        answer = PlacedBatch(results=[PlacedItem(order=attrs.evolve(report("x"), client_id=name))])
        assert told([A], answer) == ["id of x"]


def test_the_words_of_a_placement_that_nobody_knows() -> None:
    """Whoever reads the log sees what was wrong with the answer."""
    assert str(batch.placements([A, B], placed("a"))["a"]) == "its batch of 2 has 1 results"
    assert str(batch.placements([A], placed("z"))["a"]) == "in its place in the batch is order z"
    assert str(batch.placements([A], placed("!too small"))["a"]) == "an error without a code: too small"


@given(
    st.lists(
        st.sampled_from(
            ["a", "b", "c", "z", None, "!", "!oops", "!INVALID_ORDER_SIZE: m", "!INTERNAL_ERROR"]
        ),
        max_size=5,
    )
)
def test_no_placement_is_guessed(items: list[str | None]) -> None:
    """Taken only in its own place; refused only by an error in its own place, with a code."""
    became = told([A, B, C], placed(*items))
    for number, (each, client_id) in enumerate(zip(became, "abc", strict=True)):
        item = items[number] if len(items) == 3 else None
        assert (each == f"id of {client_id}") == (item == client_id)
        assert (each == "INVALID_ORDER_SIZE") == (item == "!INVALID_ORDER_SIZE: m")


def test_failures_of_cancels() -> None:
    """Queued is none; gone is a refusal; what nobody understands, or was not told, is unknown."""

    def failure(status: str | None) -> RequestError | None:
        return batch.failure_of_cancel(None if status is None else CancelResult(id="1", status=status))

    assert failure("QUEUED_FOR_CANCELLATION") is None
    for status in ("ALREADY_CLOSED", "NOT_FOUND"):
        refused = failure(status)
        assert isinstance(refused, RefusedError)
        assert (refused.status, refused.code) == (200, status)
    for unknown in (None, "", "queued_for_cancellation", "CLOSED"):
        assert type(failure(unknown)) is UnknownOutcomeError


def test_cancels() -> None:
    """By the venue's id or by ours, whichever was asked for, in whatever order; not named is not known."""
    queued = CancelResult(id="1", client_id="a", market="M", status="QUEUED_FOR_CANCELLATION")
    closed = CancelResult(id="2", client_id="b", market="M", status="ALREADY_CLOSED")
    no_id, no_client_id = (
        CancelResult(id="3", status="NOT_FOUND"),
        CancelResult(client_id="d", status="NOT_FOUND"),
    )
    orders = [order("a", "1"), order("b"), order("c", "3"), order("d"), order("e"), order("f", "6")]
    answer = CancelsAnswer(
        results=[no_client_id, closed, no_id, CancelResult(status="ODD", id="", client_id=""), queued]
    )
    assert batch.cancels(orders, answer) == {
        "a": queued,
        "b": closed,
        "c": no_id,
        "d": no_client_id,
        "e": None,
        "f": None,
    }
