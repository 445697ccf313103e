"""JSON-RPC frames: what they mean, and that none of them breaks the reader."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from bot.paradex import rpc
from bot.paradex.answers import AccountSummary, FillReport, OrderReport, PositionReport, RequestInfo
from bot.paradex.rpc import (
    AccountUpdate,
    FillUpdate,
    OrderUpdate,
    OtherUpdate,
    PositionUpdate,
    Reply,
    UnreadableFrameError,
)

DEEP = "[" * 100_000 + "]" * 100_000


def channel_frame(channel: str, data: object) -> str:
    """A frame of a channel, as the venue sends it."""
    params = {"channel": channel, "data": data}
    return json.dumps({"jsonrpc": "2.0", "method": "subscription", "params": params}) + "\n"


def order_frame(**changes: object) -> str:
    """One of the channel ``orders.M``; ``changes`` in its data."""
    data = {
        "id": "1",
        "market": "M",
        "status": "OPEN",
        "client_id": "a-1",
        "remaining_size": "0.01",
    } | changes
    return channel_frame("orders.M", data)


def test_request() -> None:
    """One JSON-RPC 2.0 object as text, and the channel's name as the venue has it."""
    frame = rpc.request(7, "subscribe", {"channel": rpc.orders_channel("BTC-USD-PERP")})
    assert json.loads(frame) == {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "subscribe",
        "params": {"channel": "orders.BTC-USD-PERP"},
    }
    assert rpc.fills_channel("BTC-USD-PERP") == "fills.BTC-USD-PERP"
    assert (rpc.POSITIONS_CHANNEL, rpc.ACCOUNT_CHANNEL) == ("positions", "account")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            '{"jsonrpc":"2.0","id":1,"result":{"node_id":"n"},"usIn":1,"usDiff":1,"usOut":2}\n',
            Reply(1, None, Raw(b'{"node_id":"n"}')),
        ),
        ('{"id":9007199254740993,"result":null}', Reply(9007199254740993, None, Raw(b"null"))),
        ('{"id":"one","result":[],"error":null,"params":null,"method":null}', Reply("one", None, Raw(b"[]"))),
        ('{"id":0}', Reply(0, None)),
        (b'{"id":1,"result":{}}', Reply(1, None, Raw(b"{}"))),
        ('{"id":1,"usIn":' + "1" * 10_000 + "}", Reply(1, None)),
        ('{"id":1,"result":1e400}', Reply(1, None, Raw(b"1e400"))),
        ('{"params":{"channel":"bbo.M","data":{"bid":null}}}', OtherUpdate("bbo.M")),
        ('{"params":{"channel":"","data":1}}', OtherUpdate("")),
        ('{"params":{"channel":"ordersish","data":1}}', OtherUpdate("ordersish")),
        (
            order_frame(),
            OrderUpdate(
                OrderReport(id="1", market="M", status="OPEN", client_id="a-1", remaining_size="0.01")
            ),
        ),
        (
            order_frame(status="FROZEN", new_field={"a": [None]}, flags=["LATER"], side="SIDEWAYS"),
            OrderUpdate(
                OrderReport(
                    id="1",
                    market="M",
                    status="FROZEN",
                    side="SIDEWAYS",
                    flags=("LATER",),
                    client_id="a-1",
                    remaining_size="0.01",
                )
            ),
        ),
        (
            order_frame(
                client_id=None, remaining_size=None, cancel_reason=None, seq_no=None, side=None, size=None
            ),
            OrderUpdate(OrderReport(id="1", market="M", status="OPEN")),
        ),
        (
            order_frame(
                request_info={"request_type": "MODIFY_ORDER", "status": "SUCCESS", "new": 1}, price="7"
            ),
            OrderUpdate(
                OrderReport(
                    id="1",
                    market="M",
                    status="OPEN",
                    client_id="a-1",
                    price="7",
                    remaining_size="0.01",
                    request_info=RequestInfo(request_type="MODIFY_ORDER", status="SUCCESS"),
                )
            ),
        ),
        (
            channel_frame("orders.ALL", {"id": "1", "market": "M", "status": "NEW"}),
            OrderUpdate(OrderReport(id="1", market="M", status="NEW")),
        ),
        (
            channel_frame(
                "fills.M",
                {"id": "9", "market": "M", "fill_type": "SWAP", "size": "1", "flags": None, "new": {}},
            ),
            FillUpdate(FillReport(id="9", market="M", fill_type="SWAP", size="1")),
        ),
        (
            channel_frame("positions", {"market": "M", "side": "FLAT", "size": "0", "leverage": 1.5}),
            PositionUpdate(PositionReport(market="M", side="FLAT", size="0")),
        ),
        (
            channel_frame("account", {"status": "ASLEEP", "account_value": "1", "seq_no": 1}),
            AccountUpdate(AccountSummary(status="ASLEEP", account_value="1", seq_no=1)),
        ),
        (channel_frame("positionsish", {"market": "M"}), OtherUpdate("positionsish")),
        (channel_frame("balance_events", {"market": "M"}), OtherUpdate("balance_events")),
    ],
)
def test_frames(frame: str | bytes, message: object) -> None:
    """Unknown fields are ignored, nulls are nothing, and a new status is text, not an unreadable frame."""
    assert rpc.read(frame) == message


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ('{"code":100}', "100: "),
        ('{"code":100,"message":null,"data":null}', "100: "),
        ('{"code":100,"message":null,"data":{"why":["a"]}}', "100: ({'why': ['a']})"),
        ('{"code":100,"message":"m","data":false}', "100: m (False)"),
    ],
)
def test_words_of_an_error(error: str, words: str) -> None:
    """Message and data where there are any; a null is none."""
    message = rpc.read('{"id":1,"error":' + error + "}")
    assert isinstance(message, Reply)
    assert str(message.error) == words


NASTY: list[str | bytes] = [
    *(
        "",
        " ",
        "\n",
        "\0",
        "null",
        "true",
        "1",
        "[]",
        '"text"',
        "{",
        "}",
        "{}",
        "[{}]",
        "NaN",
        "{'id':1}",
        "\ufeff{}",
    ),
    *(b"", b"\x00", b"\xff\xfe\xfd", b"\x80{}", b'{"id":1,"result":"\xc3"', bytes(range(256))),
    '{"id":1,"result":{}} {"id":2,"result":{}}',
    '{"id":1,"result":"\0"}',
    '{"id":"\ud800"}',
    '{"id":"\\ud800"}',
    *(f'{{"id":{value}}}' for value in ("null", "1.5", "1e400", "true", "[]", "{}", "9" * 10_000)),
    '{"id":null,"error":{"code":-32700,"message":"parse error"}}',
    '{"method":"subscription"}',
    *(
        f'{{"params":{value}}}'
        for value in ("1", "[]", "{}", '{"channel":"orders.M"}', '{"channel":null,"data":{}}')
    ),
    *(f'{{"id":1,"error":{value}}}' for value in ("1", '"no"', "{}", '{"code":null}', '{"code":"100"}')),
    '{"id":1,"error":{"code":' + "9" * 10_000 + "}}",
    '{"id":1,"error":{"code":1e400}}',
    *(order_frame(**{name: None}) for name in ("id", "market", "status")),
    order_frame(id=1),
    order_frame(id=[]),
    order_frame(id={"a": 1}),
    order_frame(remaining_size=0.01),
    channel_frame("fills.M", {"id": None, "market": "M"}),
    channel_frame("fills.M", {"id": "9", "market": "M", "size": 1e-5}),
    channel_frame("fills.M", [{"id": "9", "market": "M"}]),
    channel_frame("positions", {"size": "1"}),
    channel_frame("account", None),
    order_frame(seq_no=1).replace('"seq_no": 1', '"seq_no": 1e400'),
    order_frame(seq_no=1).replace('"seq_no": 1', '"seq_no": ' + "1" * 10_000),
    '{"params":{"channel":"orders.M","data":{}}}',
    '{"params":{"channel":"orders.M","data":null}}',
    DEEP,
    "[" * 100_000,
    '{"a":' * 100_000,
    '{"id":1,"new":' + DEEP + "}",
    '{"id":1,"error":{"code":100,"data":' + DEEP + "}}",
    '{"params":{"channel":"orders.M","data":' + DEEP + "}}",
    order_frame().replace('"id"', '"new": ' + DEEP + ', "id"'),
]


@pytest.mark.parametrize("frame", NASTY, ids=range(len(NASTY)))
def test_unreadable_frames(frame: str | bytes) -> None:
    """Each is one error that says what is wrong: never a crash, never a message."""
    with pytest.raises(UnreadableFrameError, match=r"\w"):
        rpc.read(frame)


def test_no_depth_slips_through() -> None:
    """Nested error data is read or unreadable, at each depth around the interpreter's own limit too.

    It is decoded, and then told in words: in those of an error that has no id, too.
    """
    readable = []
    for depth in range(1, 1100, 3):
        error = '"error":{"code":100,"data":' + "[" * depth + "]" * depth + "}}"
        with pytest.raises(UnreadableFrameError):
            rpc.read("{" + error)
        try:
            rpc.read('{"id":1,' + error)
        except UnreadableFrameError:
            continue
        readable.append(depth)
    assert readable == list(range(1, max(readable) + 1, 3))
    assert max(readable) > 100


@pytest.mark.parametrize(
    ("frame", "number"),
    [
        (rpc.request(7, "subscribe", {"channel": "x"}), 7),
        (rpc.request(8, "order.create", Raw(b'{"id":"9"}')), 8),
        ('{"id":"7"}', 0),
        ('{"id":null}', 0),
        ("[7]", 0),
        ("", 0),
        (DEEP, 0),
    ],
    ids=range(7),
)
def test_the_id_of_a_request(frame: str, number: int) -> None:
    """It is in what leaves, whatever else is; and what is no request of ours has none."""
    assert rpc.id_of(frame) == number


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["id", "params", "channel", "data", "error", "code", "message", "result", "status"]
            )
            | st.text(max_size=3),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


any_channel = st.builds(
    channel_frame, st.sampled_from(["orders.M", "fills.M", "positions", "account", "other"]), any_json
)


@settings(deadline=None)
@given(
    st.text()
    | st.binary()
    | any_json.map(json.dumps)
    | any_channel
    | any_json.map(lambda data: order_frame(data=data))
)
def test_read_raises_nothing_else(frame: str | bytes) -> None:
    """Whatever arrives: a message, or `UnreadableFrameError`."""
    try:
        message = rpc.read(frame)
    except UnreadableFrameError:
        return
    assert isinstance(message, rpc.Message)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {"id": st.text(), "market": st.text(), "status": st.text()},
        optional={
            "client_id": st.none() | st.text(),
            "remaining_size": st.none() | st.text(),
            "cancel_reason": st.none() | st.text(),
            "seq_no": st.none() | st.integers(0, 2**63),
            "something_new": any_json.filter(lambda value: not re.search("NaN|Infinity", json.dumps(value))),
        },
    )
)
def test_every_text_of_a_report_passes_through(data: dict[str, object]) -> None:
    """Statuses, reasons and sizes are judged where they are used; here they are text."""
    known = {name: value for name, value in data.items() if name != "something_new"}
    frame = json.dumps({"params": {"channel": "orders.M", "data": data}}, ensure_ascii=False)
    assert rpc.read(frame) == OrderUpdate(OrderReport(**known))  # type: ignore[arg-type]
