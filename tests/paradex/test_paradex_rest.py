"""REST: what is asked, and what every kind of answer means."""

import functools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import attrs
import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.errors import RefusedError, UnknownOutcomeError
from bot.core.fixed import parse
from bot.core.market import Market
from bot.core.order import Instruction, Order, OrderType, Side
from bot.paradex import rest
from bot.paradex.answers import (
    Bbo,
    EmptyAnswer,
    Jwt,
    MarketInfo,
    OrderPage,
    OrderReport,
    OrdersAnswer,
    SystemTime,
)
from bot.paradex.rest import Request

SPEC = Path(__file__).resolve().parents[3] / "shared" / "spec" / "openapi.json"

NESTED = b'{"error":"CODE","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
"""Deeper than any reader descends, in a field that nobody reads."""


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
) -> Order:
    return Order(
        client_id="19a3-0badcafe-1",
        market="BTC-USD-PERP",
        side=side,
        type=order_type,
        instruction=instruction,
        size=size,
        price=price,
    )


def creation(what: Order) -> Request[OrderReport]:
    return rest.create_order(
        what, signature='["1","2"]', signature_timestamp=1_700_000_000_123, recv_window=5000
    )


REQUESTS: dict[str, Request[Any]] = {
    "GET /system/time": rest.system_time(),
    "GET /system/config": rest.system_config(),
    "POST /onboarding": rest.onboarding(
        account="0x1", ethereum_account="0x2", public_key="0x3", signature='["1","2"]'
    ),
    "GET /markets": rest.markets(),
    "GET /bbo/{market}": rest.bbo("BTC-USD-PERP"),
    "POST /orders": creation(order()),
    "GET /orders": rest.open_orders(),
    "DELETE /orders/{order_id}": rest.cancel_order("1681462103821101699438490000"),
    "DELETE /orders/by_client_id/{client_id}": rest.cancel_by_client_id("a-1", market="BTC-USD-PERP"),
    "GET /orders-history": rest.order_history("a-1", market="BTC-USD-PERP"),
}


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
    if request.body is not None:
        declared = operation["requestBody"]
        if "$ref" in declared:
            declared = openapi["components"]["requestBodies"][declared["$ref"].rpartition("/")[2]]
        schema = declared["content"]["application/json"]["schema"]
        jsonschema.validate(json.loads(request.body), {**schema, "components": openapi["components"]})


def test_every_order_has_the_documented_shape(openapi: Any) -> None:
    """Whatever is traded: the body validates as an OrderRequest, and its numbers are exact decimal text."""
    validator = jsonschema.Draft7Validator(
        {
            "$ref": "#/components/schemas/requests.OrderRequest",
            "components": openapi["components"],
        }
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
        body = json.loads(creation(what).body or b"")
        validator.validate(body)
        assert (parse(body["size"]), parse(body["price"])) == (what.size, what.price)

    check()


def test_the_body_of_an_order() -> None:
    """Every field that the venue needs to check the signature, and no other than these."""
    assert json.loads(creation(order()).body or b"") == {
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


@pytest.mark.parametrize("documented", REQUESTS)
def test_what_is_shown_of_a_request(documented: str) -> None:
    """Everything but the bearer and the signature, in whose place stands what the caller wants to stand there."""
    request = attrs.evolve(
        REQUESTS[documented], headers={**REQUESTS[documented].headers, "Authorization": "Bearer eyJsecret"}
    )
    shown = request.shown("[hidden]")
    assert "eyJ" not in json.dumps(shown)
    assert (shown["method"], shown["path"]) == (request.method, request.path)
    headers = {name: value for name, value in request.headers.items() if name != "Authorization"}
    signed_headers = {name: "[hidden]" for name in headers if name == "PARADEX-STARKNET-SIGNATURE"}
    assert shown.get("headers", {}) == headers | signed_headers
    body = None if request.body is None else json.loads(request.body)
    if body and "signature" in body:
        body["signature"] = "[hidden]"
    assert (json.loads(shown["body"]) if "body" in shown else None) == body
    assert ("headers" in shown, "body" in shown) == (bool(headers), request.body is not None)


def test_what_is_signed_is_hidden() -> None:
    """The two requests of `REQUESTS` that carry a signature."""
    signed = {"POST /onboarding", "POST /orders"}
    assert {name for name, each in REQUESTS.items() if each.secrets} == signed
    assert {name for name, each in REQUESTS.items() if "[hidden]" in str(each.shown("[hidden]"))} == signed


NAMES: list[Callable[[str], Request[Any]]] = [
    rest.bbo,
    rest.cancel_order,
    functools.partial(rest.cancel_by_client_id, market="M"),
    functools.partial(rest.order_history, market="M"),
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


# What the answer's status and body mean: refused with this code, or None for "nobody knows".
OUTCOMES: list[tuple[int, bytes, str | None]] = [
    (400, b'{"error":"INVALID_ORDER_SIZE","message":"too big"}', "INVALID_ORDER_SIZE"),
    (400, b'{"error":"DUPLICATED_CLIENT_ID","message":"","data":null}', "DUPLICATED_CLIENT_ID"),
    (400, b'{"error":"A_CODE_OF_NEXT_YEAR","message":null}', "A_CODE_OF_NEXT_YEAR"),
    (400, b'{"error":"NO_MESSAGE"}', "NO_MESSAGE"),
    (400, b'{"error":"CODE","message":"m","data":{"a":[1,{"b":null}]},"new":1e308}', "CODE"),
    (401, b'{"error":"INVALID_TOKEN","message":"expired"}', "INVALID_TOKEN"),
    (403, b'{"error":"IP_NOT_ALLOWED","message":"no"}', "IP_NOT_ALLOWED"),
    (404, b'{"error":"ORDER_ID_NOT_FOUND","message":"gone"}', "ORDER_ID_NOT_FOUND"),
    (429, b'{"error":"RATE_LIMITED","message":"slow down"}', "RATE_LIMITED"),
    (499, b'{"error":"CODE"}', "CODE"),
    *(
        (status, b'{"error":"SYSTEM_STATUS_CANCEL_ONLY"}', "SYSTEM_STATUS_CANCEL_ONLY")
        for status in (400, 500, 503)
    ),
    *(
        (status, b'{"error":"SYSTEM_STATUS_POST_ONLY"}', "SYSTEM_STATUS_POST_ONLY")
        for status in (400, 500, 503)
    ),
    *(
        (status, b'{"error":"INTERNAL_ERROR","message":"m"}', None)
        for status in (500, 501, 502, 503, 504, 599)
    ),
    (503, b'{"error":"SERVICE_UNAVAILABLE","message":"timeout"}', None),
    *((status, b"", None) for status in (400, 401, 403, 404, 408, 429, 500, 502, 503, 504)),
    *((status, b"<html>502 Bad Gateway</html>", None) for status in (400, 502, 503, 504)),
    *((status, b'{"error":"CODE"}', None) for status in (100, 199, 300, 302, 304, 399, 600, 0, -1)),
    *(
        (400, body, None)
        for body in (
            b'{"error":""}',
            b'{"error":null,"message":"m"}',
            b'{"error":400}',
            b'{"error":{"code":"CODE"}}',
            b'{"message":"no code"}',
            b'{"error":"CODE"',
            b'{"error":"CODE"} trailing',
            b'{"error":"\xff\xfe"}',
            b'{"error":"\\ud800"}',
            b'{"error":"CO\x00DE"}',
            b'{"error":"CODE","message":' + b"1" * 10_000 + b"}",
            b'["error","CODE"]',
            b'"CODE"',
            b"null",
            b"1e400",
            b"9" * 10_000,
            b"\xff\x00\xfe",
            NESTED,
            b"[" * 100_000,
        )
    ),
]


@pytest.mark.parametrize(("status", "body", "code"), OUTCOMES)
def test_outcomes(status: int, body: bytes, code: str | None) -> None:
    """Refused only where the venue says so with a code of its own at 4xx, or is in a mode that takes no such
    order; everything else is unknown, because the venue may have it."""
    outcome = rest.failure(status, body)
    if code is None:
        assert type(outcome) is UnknownOutcomeError
        assert str(outcome).startswith(f"HTTP {status} ")
    else:
        assert type(outcome) is RefusedError
        assert (outcome.status, outcome.code) == (status, code)
    with pytest.raises(type(outcome), match=re.escape(str(outcome))):
        rest.open_orders().read(status, body)


def test_the_venues_words_are_kept() -> None:
    """In a refusal and in an outcome that is not known."""
    body = b'{"error":"CODE","message":"so and so"}'
    assert str(rest.failure(400, body)) == "CODE: so and so"
    assert str(rest.failure(500, body)) == "HTTP 500 CODE: so and so"


@settings(deadline=None)
@given(status=st.integers(), body=st.binary() | st.text().map(str.encode))
def test_no_answer_breaks_the_reader(status: int, body: bytes) -> None:
    """Whatever comes back is a value, a refusal or unknown."""
    for request in REQUESTS.values():
        try:
            value = request.read(status, body)
        except (RefusedError, UnknownOutcomeError):
            continue
        assert 200 <= status < 300
        assert isinstance(value, request.answer)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"<html>",
        b'{"id":"1","market":"M"}',
        b'{"id":null,"market":"M","status":"NEW"}',
        b'{"id":"1","market":"M","status":"NEW"',
        b'{"id":"1","market":"M","status":"N\xffW"}',
        b'{"id":"1","market":"M","status":"NEW","seq_no":1e400}',
        b'{"id":"1","market":"M","status":"NEW","seq_no":' + b"9" * 10_000 + b"}",
        b'{"id":"1","market":"M","status":"NEW","new":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_a_success_that_cannot_be_read_is_unknown(body: bytes) -> None:
    """The venue took the order, or did not: a broken answer to it never counts as refusal or as success."""
    with pytest.raises(UnknownOutcomeError, match=r"^POST /orders: 201 with a body that does not parse: "):
        creation(order()).read(201, body)


@pytest.mark.parametrize(
    ("request_", "body", "value"),
    [
        (rest.system_time(), b'{"server_time":"1681493415023"}', SystemTime(server_time="1681493415023")),
        (rest.system_time(), b'{"server_time":1681493415023}', SystemTime(server_time=1681493415023)),
        (rest.cancel_order("1"), b"", EmptyAnswer()),
        (rest.cancel_order("1"), b'{"anything":[1]}', EmptyAnswer()),
        (rest.bbo("M"), b'{"market":"M","bid":"","ask":null,"seq_no":1}', Bbo(market="M", bid="", ask=None)),
        (rest.open_orders(), b'{"results":[]}', OrdersAnswer(results=[])),
        (
            rest.order_history("a", market="M"),
            b'{"next":null,"prev":null,"results":[{"id":"1","market":"M","status":"FROZEN"}]}',
            OrderPage(results=[OrderReport(id="1", market="M", status="FROZEN")]),
        ),
        (
            creation(order()),
            json.dumps(
                {"id": "1", "market": "M", "status": "NEW", "flags": ["LATER"]}
                | dict.fromkeys(("side", "size", "client_id", "remaining_size", "cancel_reason", "seq_no"))
            ).encode(),
            OrderReport(id="1", market="M", status="NEW"),
        ),
    ],
)
def test_successes(request_: Request[Any], body: bytes, value: object) -> None:
    """Unknown fields are ignored, nulls are nothing, and a new status is only text."""
    assert request_.read(200, body) == value
    assert request_.read(299, body) == value


INFO = MarketInfo(
    symbol="BTC-USD-PERP",
    price_tick_size="0.1",
    order_size_increment="0.00001",
    min_notional="10",
    max_order_size="100",
)


def test_the_rules_of_a_market_are_read() -> None:
    """Decimal text becomes units of 10⁻⁸."""
    assert rest.read_market(INFO) == Market(
        symbol="BTC-USD-PERP",
        price_tick=10_000_000,
        size_step=1_000,
        min_notional=1_000_000_000,
        max_order_size=10_000_000_000,
    )


@pytest.mark.parametrize(
    "field", ["price_tick_size", "order_size_increment", "min_notional", "max_order_size"]
)
@pytest.mark.parametrize("text", ["", "1e-5", "NaN", "0.000000001"])
def test_rules_that_cannot_be_read(field: str, text: str) -> None:
    """A market whose rules are not understood is not traded by guess."""
    with pytest.raises(ValueError, match=r"not a plain decimal|finer than"):
        rest.read_market(attrs.evolve(INFO, **{field: text}))
