"""The table of outcomes: each way in which a request can end, and what it means."""

import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.errors import NotSentError, RefusedError, RequestError, UnknownOutcomeError
from bot.paradex import orders, outcome, rpc
from bot.paradex.outcome import End
from bot.paradex.request import failure

NESTED = b'{"error":"CODE","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
"""Deeper than any reader descends, in a field that nobody reads."""


def answered(status: int, body: bytes) -> Callable[[], RequestError]:
    return lambda: failure(status, body)


def coded(status: int, *codes: str) -> list[Callable[[], RequestError]]:
    return [answered(status, json.dumps({"error": code, "message": "m"}).encode()) for code in codes]


def item(code: str) -> Callable[[], RequestError]:
    return lambda: outcome.of_item(201, code, "m")


def words(text: str) -> Callable[[], RequestError]:
    return lambda: outcome.of_words(201, text)


def replied(code: int, message: object = "no", data: object = "why") -> Callable[[], RequestError]:
    def read() -> RequestError:
        reply = rpc.read(json.dumps({"id": 4, "error": {"code": code, "message": message, "data": data}}))
        assert isinstance(reply, rpc.Reply)
        assert reply.error is not None
        return reply.error

    return read


def named(code: int, name: str) -> list[Callable[[], RequestError]]:
    """A JSON-RPC error with a code of REST's: beside its words, or as these."""
    return [
        replied(code, "words", name),
        replied(code, None, name),
        replied(code, name, "words"),
        replied(code, name, None),
        replied(code, name, {"any": ["thing"]}),
    ]


def unreadable() -> RequestError:
    with pytest.raises(RequestError) as caught:
        orders.list_open().read(200, b"<html>")
    return caught.value


ROWS: dict[End, tuple[type[RequestError], list[Callable[[], RequestError]]]] = {
    End.NOT_OPENED: (NotSentError, [lambda: outcome.of_exception("no route to host", has_begun=False)]),
    End.CUT_SHORT: (UnknownOutcomeError, [lambda: outcome.of_exception("ReadError", has_begun=True)]),
    End.UNREADABLE: (UnknownOutcomeError, [unreadable]),
    End.DUPLICATE: (
        UnknownOutcomeError,
        [
            *coded(400, "DUPLICATED_CLIENT_ID"),
            *coded(409, "DUPLICATED_CLIENT_ID"),
            item("DUPLICATED_CLIENT_ID"),
            words("DUPLICATED_CLIENT_ID: there is one"),
            words("DUPLICATED_CLIENT_ID"),
            *(each for code in (100, -32600, -32602, -32603) for each in named(code, "DUPLICATED_CLIENT_ID")),
        ],
    ),
    End.MODE: (
        RefusedError,
        [
            *(
                refusal
                for status in (400, 500, 503)
                for refusal in coded(status, "SYSTEM_STATUS_CANCEL_ONLY", "SYSTEM_STATUS_POST_ONLY")
            ),
            *(
                each
                for code in (100, -32602, -32603, 40300)
                for name in ("SYSTEM_STATUS_CANCEL_ONLY", "SYSTEM_STATUS_POST_ONLY")
                for each in named(code, name)
            ),
        ],
    ),
    End.REFUSAL: (
        RefusedError,
        [
            *coded(400, "INVALID_ORDER_SIZE", "VALIDATION_ERROR", "A_CODE_OF_NEXT_YEAR"),
            *coded(401, "INVALID_TOKEN"),
            *coded(403, "IP_NOT_ALLOWED"),
            *coded(404, "ORDER_ID_NOT_FOUND"),
            *coded(429, "RATE_LIMITED"),
            *coded(499, "CODE"),
            answered(400, b'{"error":"NULL","message":null}'),
            answered(400, b'{"error":"NO_MESSAGE"}'),
            answered(400, b'{"error":"CODE","message":"m","data":{"a":[1,{"b":null}]},"new":1e308}'),
        ],
    ),
    End.OTHER_ANSWER: (
        UnknownOutcomeError,
        [
            *(each for status in (500, 501, 502, 503, 504, 599) for each in coded(status, "INTERNAL_ERROR")),
            *coded(503, "SERVICE_UNAVAILABLE"),
            *(answered(status, b"") for status in (400, 401, 403, 404, 408, 429, 500, 502, 503, 504)),
            *(answered(status, b"<html>502 Bad Gateway</html>") for status in (400, 502, 503, 504)),
            *(
                each
                for status in (100, 199, 300, 302, 304, 399, 600, 0, -1)
                for each in coded(status, "CODE")
            ),
            *(
                answered(400, body)
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
        ],
    ),
    End.ITEM_REFUSAL: (
        RefusedError,
        [
            item("INVALID_ORDER_SIZE"),
            item("SYSTEM_STATUS_CANCEL_ONLY"),
            item("NEW"),
            words("INVALID_ORDER_SIZE: too small: 1"),
            words("SYSTEM_STATUS_CANCEL_ONLY: no"),
            words("MARKET_NOT_OPEN"),
            words("A_CODE_OF_NEXT_YEAR: "),
        ],
    ),
    End.ITEM_FAILURE: (
        UnknownOutcomeError,
        [
            item(""),
            item("INTERNAL_ERROR"),
            item("SERVICE_UNAVAILABLE"),
            *(
                words(text)
                for text in (
                    "",
                    "oops",
                    "INTERNAL_ERROR: oops",
                    "SERVICE_UNAVAILABLE",
                    "invalid_order_size: m",
                    "INVALID_ORDER_SIZE, m",
                    "it is INVALID_ORDER_SIZE: m",
                    "ERROR: m",
                    ": INVALID_ORDER_SIZE",
                )
            ),
        ],
    ),
    End.RPC_REFUSAL: (
        RefusedError,
        [
            *(replied(code) for code in (-32600, -32602, 40110, 40111, 40112, 40300, 42901)),
            *(replied(code, None, None) for code in (-32600, -32602, 40300, 42901)),
            *(
                each
                for name in ("INVALID_ORDER_SIZE", "ORDER_IS_CLOSED", "A_CODE_OF_NEXT_YEAR", "V2_MARKET")
                for each in named(100, name)
            ),
        ],
    ),
    End.OTHER_RPC_ERROR: (
        UnknownOutcomeError,
        [
            *(replied(code) for code in (-32603, -32700, -32601, 100, 0, -1, 12345, 40113, 42900)),
            *(each for name in ("INTERNAL_ERROR", "SERVICE_UNAVAILABLE") for each in named(100, name)),
            *(each for code in (-32603, -32601, 0, 101) for each in named(code, "INVALID_ORDER_SIZE")),
            *(
                replied(100, message, data)
                for message in (None, "", "method error", "ERROR", "order size is INVALID_ORDER_SIZE")
                for data in (
                    None,
                    "",
                    1,
                    True,
                    "why",
                    "Invalid_Order_Size",
                    ["INVALID_ORDER_SIZE"],
                    "_A",
                    "A_",
                )
            ),
            replied(100, "oops", {"code": "INVALID_ORDER_SIZE"}),
            replied(100, "oops", "INVALID_ORDER_SIZE: too small"),
            replied(100, "oops", "INVALID_ORDER_SIZE\n"),
        ],
    ),
}
"""What `faults.md` has each row mean, written down once more; and ends that belong to it."""


def test_no_row_is_missing() -> None:
    """Every way to end has a meaning, and is tried here."""
    assert set(ROWS) == set(outcome.MEANING) == set(End)


@pytest.mark.parametrize("end", End)
def test_rows(end: End, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each end is what the table says, and it is this row of the table that says so."""
    means, ends = ROWS[end]
    for happened in ends:
        assert type(happened()) is means
    another = NotSentError if means is not NotSentError else UnknownOutcomeError
    monkeypatch.setitem(outcome.MEANING, end, another)
    for happened in ends:
        assert type(happened()) is another


def test_the_venues_words_are_kept() -> None:
    """In a refusal, with its parts; and in an outcome that is not known."""
    body = b'{"error":"CODE","message":"so and so"}'
    refused = failure(400, body)
    assert isinstance(refused, RefusedError)
    assert (refused.status, refused.code, refused.message) == (400, "CODE", "so and so")
    assert str(refused) == "CODE: so and so"
    assert str(failure(500, body)) == "HTTP 500 CODE: so and so"
    assert str(failure(502, b"<html>")) == "HTTP 502 without a code of the venue"
    assert str(item("")()) == "an error without a code: m"
    assert str(item("INTERNAL_ERROR")()) == "INTERNAL_ERROR: m"
    refused = replied(40300)()
    assert isinstance(refused, RefusedError)
    assert (refused.status, refused.code, str(refused)) == (40300, "", "40300: no (why)")
    assert str(replied(100)()) == "100: no (why)"
    for error in named(100, "INVALID_ORDER_SIZE"):
        refused = error()
        assert isinstance(refused, RefusedError)
        assert (refused.status, refused.code) == (100, "INVALID_ORDER_SIZE")
    refused = words("INVALID_ORDER_SIZE: 1: too small")()
    assert isinstance(refused, RefusedError)
    assert (refused.status, refused.code, refused.message) == (201, "INVALID_ORDER_SIZE", "1: too small")
    assert (
        str(words("the matching engine: asleep")()) == "an error without a code: the matching engine: asleep"
    )


@pytest.mark.parametrize(("status", "body"), [(400, b'{"error":"CODE"}'), (500, b"")])
def test_an_answer_that_is_no_success_is_raised(status: int, body: bytes) -> None:
    """To read an answer is to meet what it means."""
    expected = failure(status, body)
    with pytest.raises(type(expected), match=f"^{re.escape(str(expected))}$"):
        orders.list_open().read(status, body)


@settings(deadline=None)
@given(
    status=st.integers(),
    body=st.binary()
    | st.text().map(str.encode)
    | st.builds(
        lambda code, more: json.dumps({"error": code, **more}).encode(),
        st.text() | st.sampled_from(["DUPLICATED_CLIENT_ID", "SYSTEM_STATUS_POST_ONLY", "INTERNAL_ERROR"]),
        st.dictionaries(st.text(), st.none() | st.text() | st.integers()),
    ),
)
def test_nothing_is_refused_that_the_venue_did_not_refuse(status: int, body: bytes) -> None:
    """Whatever an answer holds: a refusal has a code and a 4xx, or a mode; and what was answered was sent."""
    means = failure(status, body)
    if isinstance(means, RefusedError):
        assert means.code == json.loads(body)["error"] != ""
        assert 400 <= means.status < 500 or means.code.startswith("SYSTEM_STATUS_")
        assert means.code != "DUPLICATED_CLIENT_ID"
    else:
        assert type(means) is UnknownOutcomeError


CODES = st.sampled_from(
    ["DUPLICATED_CLIENT_ID", "SYSTEM_STATUS_POST_ONLY", "INTERNAL_ERROR", "INVALID_ORDER_SIZE"]
)


@given(
    code=st.sampled_from([-32700, -32600, -32601, -32602, -32603, 100, 40110, 40111, 40112, 40300, 42901])
    | st.integers(-(2**63), 2**63 - 1),
    message=st.none() | st.text() | CODES,
    data=st.none() | st.text() | CODES | st.integers() | st.lists(CODES) | st.dictionaries(CODES, CODES),
)
def test_nothing_is_refused_that_no_reply_refused(code: int, message: str | None, data: object) -> None:
    """Whatever an error holds: it was sent, and a refusal is one by its number, or 100 with a code, or a mode."""
    means = replied(code, message, data)()
    assert not isinstance(means, NotSentError)
    if isinstance(means, RefusedError):
        assert means.status == code
        assert means.code in ["", message, data]
        assert means.code != "DUPLICATED_CLIENT_ID" != data
        assert (
            code in outcome.RPC_REFUSALS
            or means.code.startswith("SYSTEM_STATUS_")
            or (code == 100 and means.code not in {"", "INTERNAL_ERROR"})
        )
    else:
        assert type(means) is UnknownOutcomeError
