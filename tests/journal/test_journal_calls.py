"""Calls over the WebSocket in a journal: what leaves is found in them, and what cannot have happened is told."""

import json
from typing import Any

import pytest

from bot.core.tape import HIDDEN, Kind
from bot.journal.checks import findings
from bot.journal.record import Record
from bot.journal.sent import modified, placed

ONE = {"market": "M", "client_id": "a", "size": "1", "signature": HIDDEN}
OTHER = ONE | {"client_id": "b"}
TERMS = {"id": "7", "market": "M", "size": "2", "signature": HIDDEN}


def call(x: int, method: str, params: Any, request_id: int = 4, of: int = 1) -> tuple[Kind, Any]:
    frame = {"jsonrpc": "2.0", "method": method, "params": params, "id": request_id}
    return Kind.FRAME_OUT, {"x": x, "of": of, "frame": json.dumps(frame)}


def reply(request_id: int = 4, **members: Any) -> tuple[Kind, Any]:
    return Kind.FRAME_IN, json.dumps({"id": request_id, **(members or {"result": {}})})


def intent(order: dict[str, Any], what: str = "place") -> tuple[Kind, Any]:
    client_id = order.get("client_id", "a")
    body = {"method": "order.create", "body": json.dumps(order)}
    return Kind.INTENT, {"what": what, "client_id": client_id, "request": body}


def outcome(*exchanges: int) -> tuple[Kind, Any]:
    return Kind.OUTCOME, {"what": "place", "client_id": "a", "x": list(exchanges)}


def found(*records: tuple[Kind, Any], generation: int = 1) -> list[str]:
    session = [
        Record(number=number, ns=number, generation=generation, kind=kind, data=data)
        for number, (kind, data) in enumerate(records, 1)
    ]
    return [each.text for each in findings(session)]


@pytest.mark.parametrize(
    ("method", "params", "orders", "terms"),
    [
        ("order.create", ONE, [ONE], None),
        ("order.create_batch", {"orders": [ONE, OTHER]}, [ONE, OTHER], None),
        ("order.create_batch", [ONE, OTHER], [ONE, OTHER], None),
        ("order.create_batch", {"orders": None}, [{"orders": None}], None),
        ("order.create_batch", [1, None], [], None),
        ("order.create", "nonsense", [], None),
        ("order.modify", TERMS, None, TERMS),
        ("order.modify", [], None, {}),
        ("order.cancel", {"id": "7"}, None, None),
        ("order.cancel_batch", {"order_ids": ["7"]}, None, None),
        ("subscribe", {"channel": "x"}, None, None),
    ],
)
def test_the_orders_in_a_call(method: str, params: Any, orders: Any, terms: Any) -> None:
    """As in the body of a request, in either form of a batch; None for a call that is about none."""
    kind, data = call(1, method, params)
    assert placed(kind, data) == orders
    assert modified(kind, data) == terms


@pytest.mark.parametrize("frame", ["", "[]", "null", "{", '{"method":"order.create"}', None, 7])
def test_a_frame_that_is_none_of_ours(frame: Any) -> None:
    """Places nothing; and a plain frame of the opening is not even looked at."""
    assert placed(Kind.FRAME_OUT, {"x": 1, "of": 1, "frame": frame}) is None
    assert modified(Kind.FRAME_OUT, {"x": 1, "of": 1, "frame": frame}) is None
    assert placed(Kind.FRAME_OUT, frame) is None


CREATE = call(1, "order.create", ONE)
BATCH = call(1, "order.create_batch", {"orders": [ONE, OTHER]})
ARRAY = call(2, "order.create_batch", [ONE, OTHER], 5)
WRONG_FORM: dict[str, Any] = {"error": {"code": -32602, "message": "no"}}
LOST = (Kind.FAILURE, {"x": 1, "failure": "unknown", "text": "lost"})


@pytest.mark.parametrize(
    "records",
    [
        (intent(ONE), CREATE, reply(), outcome(1)),
        (intent(ONE), CREATE, (Kind.FRAME_IN, {"bytes": reply()[1]}), outcome(1)),
        (intent(ONE), CREATE, reply(result=None, error={"code": 100}), outcome(1)),
        (intent(ONE), CREATE, LOST),
        (intent(ONE), CREATE, LOST, reply()),
        (intent(ONE), CREATE, reply(), reply()),
        (intent(ONE), CREATE),
        (intent(TERMS, "modify"), call(1, "order.modify", TERMS), reply(), outcome(1)),
        (call(1, "order.cancel", {"id": "7"}), reply()),
        (intent(ONE), intent(OTHER), BATCH, reply(), outcome(1)),
        (intent(ONE), intent(OTHER), BATCH, reply(**WRONG_FORM), ARRAY, reply(5), outcome(2)),
        ((Kind.FRAME_OUT, '{"method":"auth","params":{},"id":1}'), reply(1)),
    ],
    ids=range(12),
)
def test_what_can_have_happened(records: tuple[tuple[Kind, Any], ...]) -> None:
    """Replies that are lost, come late, or twice; and a batch in its other form."""
    assert found(*records) == []


@pytest.mark.parametrize(
    ("records", "texts"),
    [
        ((CREATE,), ["order a is sent, and no intent before this is of it"]),
        ((intent(OTHER), CREATE), ["order a is sent, and no intent before this is of it"]),
        ((intent(ONE | {"size": "2"}), CREATE), ["order a is sent otherwise than its intent says"]),
        (
            (intent(ONE), CREATE, reply(**WRONG_FORM), call(2, "order.create", ONE, 5)),
            ["order a is sent, and no intent before this is of it"],
        ),
        (
            (intent(ONE), intent(OTHER), BATCH, reply(error={"code": -32603}), ARRAY),
            [f"order {each} is sent, and no intent before this is of it" for each in "ab"],
        ),
        (
            (intent(ONE), intent(OTHER), BATCH, ARRAY),
            [f"order {each} is sent, and no intent before this is of it" for each in "ab"],
        ),
        (
            (call(1, "order.modify", TERMS),),
            ["new terms of 7 are sent, and no intent before this is of it"],
        ),
        ((intent(ONE), CREATE, outcome(1)), ["exchange 1 has no answer"]),
        ((intent(ONE), CREATE, reply(5), outcome(1)), ["exchange 1 has no answer"]),
        ((intent(ONE), CREATE, reply(), LOST), ["it ends exchange 1, which is not open"]),
        ((LOST,), ["it ends exchange 1, which is not open"]),
        (((Kind.FRAME_OUT, {"frame": "x"}),), ["it has not the form of its kind, ws>"]),
    ],
    ids=range(12),
)
def test_what_cannot_have_happened(records: tuple[tuple[Kind, Any], ...], texts: list[str]) -> None:
    """An order without an intent, an outcome without a reply, a call that ends twice."""
    assert found(*records) == texts


def test_a_signature_in_a_call_is_found() -> None:
    """Where the text of JSON is in the text of a record."""
    shown = call(1, "order.cancel", {"signature": '["11","22"]'})
    assert found(shown) == ["it looks as if a signature stood in it"]
    assert found(call(1, "order.cancel", {"signature": HIDDEN})) == []
