"""Requests: what is asked of the venue, and what may be written down of it."""

import functools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.fixed import parse
from bot.core.order import Instruction, Order, OrderType, Side
from bot.paradex import account, orders, rest
from bot.paradex.answers import Jwt, OrderReport
from bot.paradex.request import Request

SPEC = Path(__file__).resolve().parents[3] / "shared" / "spec" / "openapi.json"


@pytest.fixture(scope="session")
def openapi() -> Any:
    if not SPEC.exists():
        pytest.skip("the venue's specification beside the repository is not here")
    return json.loads(SPEC.read_text())


def order(
    *,
    size: int = parse("0.01"),
    price: int = parse("42000.5"),
    side: Side = Side.BUY,
    order_type: OrderType = OrderType.LIMIT,
    instruction: Instruction = Instruction.POST_ONLY,
    client_id: str = "19a3-0badcafe-1",
    venue_id: str = "1681462103821101699438490000",
) -> Order:
    return Order(
        client_id=client_id,
        venue_id=venue_id,
        market="BTC-USD-PERP",
        side=side,
        type=order_type,
        instruction=instruction,
        size=size,
        price=price,
    )


def creation(what: Order) -> Request[OrderReport]:
    return orders.create(
        orders.SignedOrder(
            order=what, signature='["1","2"]', signature_timestamp=1_700_000_000_123, recv_window=5000
        )
    )


def signed(client_id: str, signature: str) -> orders.SignedOrder:
    return orders.SignedOrder(
        order=order(client_id=client_id), signature=signature, signature_timestamp=1, recv_window=5000
    )


def modification(what: Order, size: int = parse("0.02"), price: int = parse("41000")) -> Request[OrderReport]:
    return orders.modify(
        what, size=size, price=price, signature='["5","6"]', signature_timestamp=1_700_000_000_456
    )


REQUESTS: dict[str, Request[Any]] = {
    "GET /system/time": rest.system_time(),
    "GET /system/state": rest.system_state(),
    "GET /system/config": rest.system_config(),
    "POST /onboarding": rest.onboarding(
        account="0x1", ethereum_account="0x2", public_key="0x3", signature='["1","2"]'
    ),
    "GET /markets": rest.markets(),
    "GET /bbo/{market}": rest.bbo("BTC-USD-PERP"),
    "POST /orders": creation(order()),
    "POST /orders/batch": orders.create_batch([signed("a-1", '["1","2"]'), signed("a-2", '["3","4"]')]),
    "PUT /orders/{order_id}": modification(order()),
    "GET /orders": orders.list_open("BTC-USD-PERP"),
    "DELETE /orders": orders.cancel_all("BTC-USD-PERP"),
    "DELETE /orders/batch": orders.cancel_batch(["1", "2"], ["a-3"]),
    "DELETE /orders/{order_id}": orders.cancel("1681462103821101699438490000"),
    "DELETE /orders/by_client_id/{client_id}": orders.cancel_by_client_id("a-1", market="BTC-USD-PERP"),
    "GET /orders-history": orders.history(
        "a-1", market="BTC-USD-PERP", start_at=1, end_at=2, page_size=3, cursor="c"
    ),
    "GET /fills": account.fills(market="BTC-USD-PERP", start_at=1, end_at=2, page_size=3, cursor="c"),
    "GET /positions": account.positions(),
    "GET /account": account.summary(),
}
"""All that the bot can ask for, with everything that can be said; but for a token (see below)."""

SIGNED = {"POST /onboarding": 1, "POST /orders": 1, "POST /orders/batch": 2, "PUT /orders/{order_id}": 1}
"""Those of them with signatures, and how many."""


@pytest.mark.parametrize("documented", REQUESTS)
def test_requests_are_those_of_the_specification(openapi: Any, documented: str) -> None:
    """Method, path, query and headers are documented, and a body has the documented shape."""
    method, template = documented.split()
    request = REQUESTS[documented]
    operation = openapi["paths"][template][method.lower()]
    path, _, query = request.path.partition("?")
    assert request.method == method
    assert re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
    parameters = {(each["in"], each["name"]) for each in operation.get("parameters", [])}
    assert {("query", name) for name in parse_qs(query, strict_parsing=bool(query))} <= parameters
    assert {("header", name) for name in request.headers} <= parameters
    assert (request.body is None) == ("requestBody" not in operation)
    if request.body is not None:
        declared = operation["requestBody"]
        if "$ref" in declared:
            declared = openapi["components"]["requestBodies"][declared["$ref"].rpartition("/")[2]]
        schema = declared["content"]["application/json"]["schema"]
        jsonschema.validate(json.loads(request.body), {**schema, "components": openapi["components"]})


@pytest.mark.parametrize("name", ["Order", "ModifyOrder"])
def test_every_order_has_the_documented_shape(openapi: Any, name: str) -> None:
    """Whatever is traded: the body validates, and its numbers are exact decimal text."""
    validator = jsonschema.Draft7Validator(
        {"$ref": f"#/components/schemas/requests.{name}Request", "components": openapi["components"]}
    )

    @settings(deadline=None)
    @given(
        st.builds(
            order,
            size=st.integers(1, 10**18),
            price=st.integers(0, 10**18),
            side=st.sampled_from(Side),
            order_type=st.sampled_from(OrderType),
            instruction=st.sampled_from(Instruction),
        )
    )
    def check(what: Order) -> None:
        request = creation(what) if name == "Order" else modification(order(), what.size, what.price)
        body = json.loads(request.body or b"")
        validator.validate(body)
        assert (parse(body["size"]), parse(body["price"])) == (what.size, what.price)

    check()


ORDER_BODY = {
    "market": "BTC-USD-PERP",
    "side": "BUY",
    "type": "LIMIT",
    "size": "0.01",
    "price": "42000.5",
    "instruction": "POST_ONLY",
    "client_id": "19a3-0badcafe-1",
    "recv_window": 5000,
    "signature": '["1","2"]',
    "signature_timestamp": 1_700_000_000_123,
}


def test_the_body_of_an_order() -> None:
    """Every field that the venue needs to check the signature, and no other than these."""
    assert json.loads(creation(order()).body or b"") == ORDER_BODY


def test_the_body_of_a_batch() -> None:
    """A bare array of what single orders would be, in the order given, each with its own signature."""
    first, second = json.loads(REQUESTS["POST /orders/batch"].body or b"")
    common = ORDER_BODY | {"signature_timestamp": 1}
    assert first == common | {"client_id": "a-1", "signature": '["1","2"]'}
    assert second == common | {"client_id": "a-2", "signature": '["3","4"]'}


def test_the_body_of_a_modification() -> None:
    """New size and price, the venue's id, and the rest as it was; nothing else, for nothing else may change."""
    assert json.loads(modification(order()).body or b"") == {
        "id": "1681462103821101699438490000",
        "market": "BTC-USD-PERP",
        "side": "BUY",
        "type": "LIMIT",
        "size": "0.02",
        "price": "41000",
        "signature": '["5","6"]',
        "signature_timestamp": 1_700_000_000_456,
    }


def test_an_order_without_the_venues_id_is_not_modified() -> None:
    """The id is a part of what is signed: there is nothing to send."""
    with pytest.raises(ValueError, match="19a3-0badcafe-1 cannot be modified: the venue's id is not known"):
        modification(order(venue_id=""))


def test_the_body_of_a_batch_of_cancels() -> None:
    """Each kind of id under its own name, and a kind that there is none of is left out."""
    bodies = [
        orders.cancel_batch(["1", "2"], ["a"]),
        orders.cancel_batch(["1"]),
        orders.cancel_batch(client_ids=["a"]),
    ]
    assert [json.loads(request.body or b"") for request in bodies] == [
        {"order_ids": ["1", "2"], "client_order_ids": ["a"]},
        {"order_ids": ["1"]},
        {"client_order_ids": ["a"]},
    ]


def test_batches_have_bounds() -> None:
    """One to ten orders, the smallest number that any document of the venue's names; other batches are not made."""
    ten = [signed(f"a-{number}", "[]") for number in range(10)]
    assert len(json.loads(orders.create_batch(ten).body or b"")) == 10
    assert orders.cancel_batch(["1"] * 5, ["a"] * 5).body
    builds: list[Callable[[], Request[Any]]] = [
        lambda: orders.create_batch([]),
        lambda: orders.create_batch([*ten, ten[0]]),
        orders.cancel_batch,
        lambda: orders.cancel_batch(["1"] * 6, ["a"] * 5),
    ]
    for build in builds:
        with pytest.raises(ValueError, match="a batch has 1 to 10 orders"):
            build()


def test_what_is_left_unsaid_is_not_sent() -> None:
    """No market means all of them, and a page without bounds is the newest one."""
    assert [
        request.path
        for request in (
            orders.list_open(),
            orders.cancel_all(),
            orders.history(),
            account.fills(),
            orders.history("a-1", market="M"),
            account.fills(start_at=0),
        )
    ] == [
        "/orders",
        "/orders",
        "/orders-history",
        "/fills",
        "/orders-history?client_id=a-1&market=M",
        "/fills?start_at=0",
    ]


CAUSED: list[Callable[[int], Request[Any]]] = [
    lambda cause: rest.bbo("M", cause=cause),
    lambda cause: orders.create(signed("a", "[]"), cause=cause),
    lambda cause: orders.create_batch([signed("a", "[]")], cause=cause),
    lambda cause: orders.modify(order(), size=1, price=1, signature="[]", signature_timestamp=1, cause=cause),
    lambda cause: orders.cancel("1", cause=cause),
    lambda cause: orders.cancel_by_client_id("a", market="M", cause=cause),
    lambda cause: orders.cancel_batch(["1"], cause=cause),
    lambda cause: orders.cancel_all(cause=cause),
    lambda cause: orders.list_open(cause=cause),
    lambda cause: orders.history(cause=cause),
    lambda cause: account.fills(cause=cause),
    lambda cause: account.positions(cause=cause),
    lambda cause: account.summary(cause=cause),
]


def test_a_request_knows_its_cause() -> None:
    """Each kind that a decision can be behind carries the number of its record."""
    assert [build(7).cause for build in CAUSED] == [7] * len(CAUSED)


def test_a_login_is_kept_out_of_sight() -> None:
    """The token's request says that its answer is secret, and neither repr nor tape shows a signature."""
    request = rest.auth(
        account="0x1",
        public_key="0x3",
        signature='["77","88"]',
        timestamp_s=1_700_000_000,
        expiration_s=1_700_001_800,
    )
    assert (request.method, request.path, request.body) == ("POST", "/auth/0x3", None)
    assert request.headers == {
        "PARADEX-STARKNET-ACCOUNT": "0x1",
        "PARADEX-STARKNET-SIGNATURE": '["77","88"]',
        "PARADEX-TIMESTAMP": "1700000000",
        "PARADEX-SIGNATURE-EXPIRATION": "1700001800",
    }
    assert request.secret_answer
    assert "77" not in repr(request)
    assert request.shown("[hidden]") == {
        "method": "POST",
        "path": "/auth/0x3",
        "headers": {**request.headers, "PARADEX-STARKNET-SIGNATURE": "[hidden]"},
    }
    assert not any(other.secret_answer for other in REQUESTS.values())
    assert "eyJ" not in repr(Jwt(jwt_token="eyJ.abc.def"))


def hide(value: Any) -> Any:
    """Of a body, what may be written down."""
    if isinstance(value, list):
        return [hide(each) for each in value]
    return value | ({"signature": "[hidden]"} if "signature" in value else {})


@pytest.mark.parametrize("documented", REQUESTS)
def test_what_is_shown_of_a_request(documented: str) -> None:
    """Everything but the signatures, in whose place stands what the caller wants to stand there."""
    request = REQUESTS[documented]
    shown = request.shown("[hidden]")
    assert (shown["method"], shown["path"]) == (request.method, request.path)
    headers = dict(request.headers)
    signed_headers = {name: "[hidden]" for name in headers if name == "PARADEX-STARKNET-SIGNATURE"}
    assert shown.get("headers", {}) == headers | signed_headers
    body = None if request.body is None else hide(json.loads(request.body))
    assert (json.loads(shown["body"]) if "body" in shown else None) == body
    assert ("headers" in shown, "body" in shown) == (bool(headers), request.body is not None)


def test_what_is_signed_is_hidden() -> None:
    """Each signature is named as a secret, that of each order of a batch, too, and no repr shows it."""
    assert {name: len(each.secrets) for name, each in REQUESTS.items() if each.secrets} == SIGNED
    for name, request in REQUESTS.items():
        assert str(request.shown("[hidden]")).count("[hidden]") == SIGNED.get(name, 0)
    assert "77" not in repr(signed("a", '["77","88"]'))


NAMES: list[Callable[[str], Request[Any]]] = [
    rest.bbo,
    orders.cancel,
    orders.cancel_all,
    orders.list_open,
    functools.partial(orders.cancel_by_client_id, market="M"),
    functools.partial(orders.history, market="M"),
    lambda name: account.fills(cursor=name),
    lambda name: modification(order(venue_id=name)),
]


@pytest.mark.parametrize("build", NAMES)
@given(name=st.text(min_size=1))
def test_no_name_escapes_its_place(build: Callable[[str], Request[Any]], name: str) -> None:
    """Slashes, question marks, spaces and line ends stay inside the one path segment or parameter."""
    expected = build("x").path
    split = urlsplit(build(name).path)
    segments = [unquote(segment) for segment in split.path.split("/")]
    values = parse_qs(split.query, keep_blank_values=True)
    assert build(name).path.isascii()
    assert build(name).path.isprintable()
    assert [name if segment == "x" else segment for segment in urlsplit(expected).path.split("/")] == segments
    assert values == {
        key: [name] if value == ["x"] else value for key, value in parse_qs(urlsplit(expected).query).items()
    }
