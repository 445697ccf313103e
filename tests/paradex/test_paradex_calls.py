"""Calls over the WebSocket: what leaves, to the byte, what may be written down of it, and what the replies mean."""

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import RefusedError, UnknownOutcomeError
from bot.core.fixed import parse
from bot.core.order import Instruction, Order, OrderType, Side
from bot.paradex import calls, orders, rpc
from bot.paradex.answers import CancelQueued, CancelsAnswer, EmptyAnswer, OrderReport, PlacedBatch
from bot.paradex.calls import Call
from bot.paradex.orders import SignedOrder

SPEC = Path(__file__).resolve().parents[3] / "shared" / "spec" / "openrpc.json"

ORDER = Order(
    client_id="19a3-1",
    market="BTC-USD-PERP",
    side=Side.BUY,
    type=OrderType.LIMIT,
    instruction=Instruction.POST_ONLY,
    size=parse("0.01"),
    price=parse("42000.5"),
)
RESTING = attrs.evolve(ORDER, venue_id="1681462103821101699438490000")


def signed(signature: str = '["1","2"]', **changes: Any) -> SignedOrder:
    return SignedOrder(
        order=attrs.evolve(ORDER, **changes),
        signature=signature,
        signature_timestamp=1_700_000_000_123,
        recv_window=5000,
    )


def modification() -> Call[OrderReport]:
    return calls.modify(
        RESTING,
        size=parse("0.02"),
        price=parse("41000"),
        signature='["5","6"]',
        signature_timestamp=1_700_000_000_456,
    )


ONE = (
    r'{"market":"BTC-USD-PERP","side":"BUY","type":"LIMIT","size":"0.01","price":"42000.5",'
    r'"instruction":"POST_ONLY","client_id":"19a3-1","recv_window":5000,'
    r'"signature":"[\"1\",\"2\"]","signature_timestamp":1700000000123}'
)
OTHER = ONE.replace("19a3-1", "19a3-2").replace("POST_ONLY", "IOC").replace(r"\"1\",\"2\"", r"\"3\",\"4\"")

NEW_TERMS = (
    r'{"id":"1681462103821101699438490000","market":"BTC-USD-PERP","side":"BUY","type":"LIMIT",'
    r'"size":"0.02","price":"41000","signature":"[\"5\",\"6\"]","signature_timestamp":1700000000456}'
)

BATCH = (signed(), signed('["3","4"]', client_id="19a3-2", instruction=Instruction.IOC))

CALLS: dict[str, tuple[Call[Any], str, str]] = {
    "create": (calls.create(BATCH[0]), "order.create", ONE),
    "create_batch": (
        calls.create_batch(BATCH),
        "order.create_batch",
        '{"orders":[' + ONE + "," + OTHER + "]}",
    ),
    "create_batch, bare": (
        calls.create_batch(BATCH, bare=True),
        "order.create_batch",
        "[" + ONE + "," + OTHER + "]",
    ),
    "modify": (
        modification(),
        "order.modify",
        NEW_TERMS,
    ),
    "cancel": (calls.cancel(RESTING), "order.cancel", '{"id":"1681462103821101699438490000"}'),
    "cancel by client id": (
        calls.cancel(ORDER),
        "order.cancel",
        '{"client_id":"19a3-1","market":"BTC-USD-PERP"}',
    ),
    "cancel_batch": (
        calls.cancel_batch(["1", "2"]),
        "order.cancel_batch",
        '{"order_ids":["1","2"]}',
    ),
    "cancel_all": (calls.cancel_all(), "order.cancel_all", "{}"),
    "cancel_all of a market": (
        calls.cancel_all("BTC-USD-PERP"),
        "order.cancel_all",
        '{"market":"BTC-USD-PERP"}',
    ),
}
"""Each with its method and parameters, written down as the reference has them (5.2)."""


@cache
def specified() -> dict[str, Any]:
    if not SPEC.exists():
        pytest.skip("../shared/spec is not there")
    return {method["name"]: method for method in json.loads(SPEC.read_text())["methods"]}


# What leaves.


@pytest.mark.parametrize("name", CALLS)
def test_frames_of_calls(name: str) -> None:
    """One JSON-RPC 2.0 request as text, its parameters as they stand in the reference, and the id it is given."""
    call, method, params = CALLS[name]
    frame = f'{{"jsonrpc":"2.0","method":"{method}","params":{params},"id":9007199254740991}}'
    assert call.frame(9_007_199_254_740_991) == frame


@pytest.mark.parametrize("name", [name for name in CALLS if "bare" not in name])
def test_calls_are_those_of_the_specification(name: str) -> None:
    """The method is there, each parameter is one of its own and of the specified shape, and none is missing."""
    call, method, _ = CALLS[name]
    declared = {each["name"]: each for each in specified()[method]["params"]}
    params = json.loads(call.params)
    assert {each for each in declared if declared[each]["required"]} <= set(params) <= set(declared)
    for each, value in params.items():
        jsonschema.validate(value, declared[each]["schema"])


def test_arming_is_that_of_the_specification() -> None:
    """The one order method that a generation calls by itself."""
    (parameter,) = specified()[calls.CANCEL_ON_DISCONNECT]["params"]
    assert (parameter["name"], parameter["schema"]["type"]) == ("enabled", "boolean")


@pytest.mark.parametrize("name", CALLS)
def test_what_may_be_written_down_of_a_call(name: str) -> None:
    """Everything but signatures: in the frame, in the intent, and when it is printed."""
    call, method, params = CALLS[name]
    hidden = params
    for signature in (r"[\"1\",\"2\"]", r"[\"3\",\"4\"]", r"[\"5\",\"6\"]"):
        hidden = hidden.replace(signature, "***")
    assert (
        call.show(call.frame(7), "***") == f'{{"jsonrpc":"2.0","method":"{method}","params":{hidden},"id":7}}'
    )
    assert call.shown("***") == {"method": method, "body": hidden}
    assert len(call.secrets) == hidden.count("***") == params.count(r"[\"")
    assert not any(secret in text for secret in call.secrets for text in (hidden, str(call.shown("***"))))


def test_what_a_call_says_is_what_a_request_says() -> None:
    """Over either way the venue gets the same order, the same batch, the same terms."""
    one, batch = orders.create(BATCH[0]), orders.create_batch(BATCH)
    request = orders.modify(
        RESTING,
        size=parse("0.02"),
        price=parse("41000"),
        signature='["5","6"]',
        signature_timestamp=1_700_000_000_456,
    )
    assert calls.create(BATCH[0]).params == one.body
    assert calls.create_batch(BATCH, bare=True).params == batch.body
    assert modification().params == request.body
    assert [calls.create(BATCH[0]).secrets, modification().secrets] == [one.secrets, request.secrets]


def test_batches_over_the_websocket_have_bounds() -> None:
    """One to ten, as over REST; and new terms need the venue's id."""
    ten = [signed(client_id=f"a-{number}") for number in range(10)]
    assert len(json.loads(calls.create_batch(ten).params)["orders"]) == 10
    assert len(json.loads(calls.cancel_batch(["1"] * 10).params)["order_ids"]) == 10
    builds: list[Callable[[], Call[Any]]] = [
        lambda: calls.create_batch([]),
        lambda: calls.create_batch([*ten, ten[0]]),
        lambda: calls.create_batch([], bare=True),
        lambda: calls.cancel_batch([]),
        lambda: calls.cancel_batch(["1"] * 11),
    ]
    for build in builds:
        with pytest.raises(ValueError, match="a batch has 1 to 10 orders"):
            build()
    with pytest.raises(ValueError, match="the venue's id is not known"):
        calls.modify(ORDER, size=1, price=1, signature="[]", signature_timestamp=1)


CAUSED: list[Callable[[int], Call[Any]]] = [
    lambda cause: calls.create(BATCH[0], cause=cause),
    lambda cause: calls.create_batch(BATCH, cause=cause),
    lambda cause: calls.modify(RESTING, size=1, price=1, signature="[]", signature_timestamp=1, cause=cause),
    lambda cause: calls.cancel(RESTING, cause=cause),
    lambda cause: calls.cancel_batch(["1"], cause=cause),
    lambda cause: calls.cancel_all(cause=cause),
]


def test_a_call_knows_its_cause() -> None:
    """Each kind that a decision can be behind carries the number of its record."""
    assert [build(7).cause for build in CAUSED] == [7] * len(CAUSED)
    assert calls.cancel_all().cause == 0


# What comes back.


def replied(call: Call[Any], **members: Any) -> Any:
    """What ``call`` makes of a reply with these members."""
    reply = rpc.read(json.dumps({"jsonrpc": "2.0", "id": 7, "usIn": 1, "usOut": 2, "usDiff": 1, **members}))
    assert isinstance(reply, rpc.Reply)
    return call.read(reply)


def told(**changes: Any) -> dict[str, Any]:
    """An order in a result."""
    return {"id": "v1", "market": "M", "status": "NEW", "client_id": "19a3-1", **changes}


REPORT = OrderReport(id="v1", market="M", status="NEW", client_id="19a3-1")
TIMES = {"created_at": 1_700_000_000_130, "received_at": 1_700_000_000_128_000_000}
QUEUED = {"status": "QUEUED_FOR_CANCELLATION"}
MODIFIED = told(id=RESTING.venue_id)
RESTING_ID = RESTING.venue_id


@pytest.mark.parametrize(
    ("name", "result", "value"),
    [
        ("create", {"order": told(), **TIMES}, REPORT),
        ("create", {"order": told(stp="", flags=[], new=None), "new": {}}, attrs.evolve(REPORT, flags=())),
        ("create", {"order": told(client_id=None), "created_at": None}, attrs.evolve(REPORT, client_id=None)),
        ("modify", {"order": MODIFIED}, attrs.evolve(REPORT, id=RESTING_ID)),
        ("cancel", {"order_id": RESTING_ID, **QUEUED}, CancelQueued(order_id=RESTING_ID, **QUEUED)),
        ("cancel", {}, CancelQueued()),
        ("cancel by client id", {"order_id": "v1", **QUEUED}, CancelQueued(order_id="v1", **QUEUED)),
        ("cancel_all", {"status": "ok"}, EmptyAnswer()),
    ],
)
def test_results(name: str, result: Any, value: Any) -> None:
    """What the venue says of the order that was asked about; unknown members and nulls change nothing."""
    assert replied(CALLS[name][0], result=result) == value


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("create", {"order": told(), **TIMES}),
        ("create_batch", {"results": [{"order": told(), **TIMES}, {"error": "oops"}]}),
        ("modify", {"order": MODIFIED}),
        ("cancel", {"order_id": RESTING_ID, **QUEUED}),
        ("cancel_batch", {"results": [{"id": "1", "market": "M", **QUEUED}]}),
        ("cancel_all", {"status": "ok"}),
    ],
)
def test_results_that_are_specified_are_read(name: str, result: Any) -> None:
    """What is read here has the shape that the specification gives it."""
    call, method, _ = CALLS[name]
    jsonschema.validate(result, specified()[method]["result"]["schema"])
    assert replied(call, result=result) is not None


WRONG: dict[str, Sequence[Any]] = {
    "create": [
        None,
        [],
        "ok",
        {},
        {"order": None},
        {"order": [told()]},
        {"order": told(id=None)},
        {"order": told(id=1)},
        {"order": {"id": "v1"}},
        {"order": told(), "created_at": "soon"},
        {"results": [{"order": told()}]},
    ],
    "create_batch": [
        None,
        [],
        {},
        {"results": None},
        {"results": {}},
        {"results": [None]},
        {"results": ["ok"]},
        {"results": [{"order": told()}, {"error": {"code": 1}}]},
        {"results": [{"order": {}}]},
        {"order": told()},
    ],
    "modify": [
        None,
        {},
        {"order": told()},
        {"order": told(id="")},
        {"order": told(id=RESTING_ID + "0")},
    ],
    "cancel": [None, [], "ok", {"order_id": 7}, {"order_id": "another", **QUEUED}],
    "cancel_batch": [None, {}, {"results": None}, {"results": [None]}, {"results": [{"id": "1"}]}],
    "cancel_all": [None, "ok", []],
}


@pytest.mark.parametrize("name", WRONG)
def test_a_result_that_makes_no_sense_is_an_unknown_outcome(name: str) -> None:
    """It is no error, so the venue may have done it: whatever its shape, and of whatever order it speaks."""
    call, method, _ = CALLS[name]
    for result in WRONG[name]:
        with pytest.raises(UnknownOutcomeError, match=f"^{method}: a result that makes no sense: "):
            replied(call, result=result)
    with pytest.raises(UnknownOutcomeError):
        replied(call)
    with pytest.raises(UnknownOutcomeError):
        replied(call, error=None)


@pytest.mark.parametrize("name", CALLS)
def test_an_error_is_raised_whatever_else_is_in_the_reply(name: str) -> None:
    """What it means is the table's to say: see `test_paradex_outcome`."""
    with pytest.raises(RefusedError) as refused:
        replied(CALLS[name][0], error={"code": 40300, "message": "no"}, result={"order": told()})
    assert refused.value.status == 40300
    with pytest.raises(UnknownOutcomeError, match=r"^-32603: oops$"):
        replied(CALLS[name][0], error={"code": -32603, "message": "oops"})


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["order", "results", "id", "order_id", "status", "market", "error"])
            | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(name=st.sampled_from(sorted(CALLS)), result=any_json)
def test_nothing_but_an_error_is_a_refusal(name: str, result: Any) -> None:
    """Whatever the result is: a value of the type that is wanted, or an outcome that is not known."""
    try:
        value = replied(CALLS[name][0], result=result)
    except UnknownOutcomeError:
        return
    assert isinstance(value, OrderReport | PlacedBatch | CancelQueued | CancelsAnswer | EmptyAnswer)
