"""What ``bot journal`` says of sessions: to people, to programs, and to a terminal that must not be written on."""

import errno
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading_stage import header, journal, payloads, read_bytes, records, session, write_parts

from bot.cli import run_verb
from bot.core.tape import Kind
from bot.journal import sessions, verbs
from bot.journal.checks import findings
from bot.journal.compression import compress
from bot.journal.concern import about, ids_of
from bot.journal.file import LocalFile
from bot.journal.output import into_a_pipe, printable
from bot.journal.reader import RecordedSession, find
from bot.journal.record import Record
from bot.journal.telling import as_json, told
from bot.signals import EarlySignals

Print = Callable[[], str]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Print:
    """What was printed since the last time, on stdout; nothing may be on stderr."""

    def out() -> str:
        captured = capsys.readouterr()
        assert captured.err == ""
        return captured.out

    return out


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "session.journal"
    path.write_bytes(session())
    return str(path)


def nowhere() -> Path:
    raise AssertionError("a file was named: nobody asks where the others are")


@cache
def recorded() -> list[Record]:
    found: list[Record] = read_bytes(session()).records
    return found


def objects(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


# show


def test_a_story_can_be_read(file: str, printed: Print) -> None:
    """Every record is a line: number, seconds, generation, kind, and what happened, in a trader's words."""
    assert verbs.show(file, nowhere) == 0
    text = printed()
    rows = text.splitlines()
    assert len(rows) == len(recorded()) + 1
    assert rows[0].split()[:4] == ["0", "0.000000", "header", "embedded"]
    (first,) = (
        record
        for record in recorded()
        if record.kind is Kind.INTENT and record.data["client_id"].endswith("-1")
    )
    client_id, price = first.data["client_id"], json.loads(first.data["request"]["body"])["price"]
    terms = f"BUY 0.01 BTC-USD-PERP @ {price} POST_ONLY"
    for words in (
        "ws+        opened",
        'ws>        auth 1 {"bearer":"<hidden>"}',
        "ws<        reply 1: {",
        "recovered  nothing was left",
        "outcome    snapshot: open 0, history 0, fills 0, positions 0; answered in #",
        "generation session ready",
        f"effect     place {terms} as {client_id}",
        f"intent     {client_id}: signed in 0.00 ms, struct hash 0x",
        f"POST /orders for record {first.number - 1} {terms}: {client_id}",
        f"orders.BTC-USD-PERP: OPEN {terms}, 0.01 left: {client_id} id=",
        f"order      {client_id} OPEN: filled 0 of 0.01 @ {price} id=",
        f"effect     cancel {client_id} id=",
        f"outcome    cancel {client_id}: done",
        "USER_CANCELED",
        "generation session lost",
        "ws!        closed by the venue: 1006",
        "ws!        closed by us: 1000",
        "stop       --for 4",
        "end        exit code 0",
    ):
        assert words in text


def test_an_orders_story_is_whole(file: str, printed: Print) -> None:
    """By our id or the venue's the same: all that names the order, and the exchanges that do not; no other order."""
    moved = [record.data for record in recorded() if record.kind is Kind.ORDER]
    client_id, venue_id = moved[-1]["client_id"], moved[-1]["venue_id"]
    others = {name for data in moved for name in (data["client_id"], data["venue_id"])} - {
        client_id,
        venue_id,
        "",
    }
    assert others
    assert verbs.show(file, nowhere, order=client_id, json=True) == 0
    by_ours = printed()
    assert verbs.show(file, nowhere, order=venue_id, json=True) == 0
    assert printed() == by_ours
    story = objects(by_ours)
    numbers = {record["number"] for record in story}
    for record in recorded():
        text = json.dumps(record.data)
        if client_id in text or venue_id in text:
            assert record.number in numbers
    exchanges = {record["data"]["x"] for record in story if record["kind"] == "http>"}
    assert exchanges == {record["data"]["x"] for record in story if record["kind"] == "http<"}
    assert {record["kind"] for record in story} >= {
        "effect",
        "intent",
        "order",
        "http>",
        "http<",
        "outcome",
        "ws<",
    }
    assert not any(other in by_ours for other in others)


def test_what_a_request_brought_belongs_to_its_order(tmp_path: Path, printed: Print) -> None:
    """Though it does not say so: what failed, an empty answer, the list that was read for it."""
    path = tmp_path / "s.journal"
    path.write_bytes(
        records(
            ("effect", {"do": "look up", "client_id": "run-1"}),
            ("http>", {"x": 1, "of": 1, "method": "GET", "path": "/orders"}),
            ("http>", {"x": 2, "of": 0, "method": "GET", "path": "/system/time"}),
            ("http!", {"x": 1, "failure": "not sent", "text": "refused"}),
            ("http<", {"x": 2, "status": 200, "body": "{}"}),
            ("http>", {"x": 3, "of": 0, "method": "GET", "path": "/orders"}),
            ("http<", {"x": 3, "status": 200, "body": '{"results":[{"client_id":"run-1"}]}'}),
            ("outcome", {"what": "list", "x": [3]}),
            ("order", {"client_id": "run-11", "venue_id": "18"}),
            ("order", {"client_id": "a-run-1", "venue_id": "18"}),
        )
    )
    assert verbs.show(str(path), nowhere, order="run-1", json=True) == 0
    assert [record["number"] for record in objects(printed())] == [1, 2, 4, 7, 8]


def test_fills_and_repairs_belong_to_their_order(tmp_path: Path, printed: Print) -> None:
    """A frame, a list with its snapshot, and what that repaired; a batch, too, in which others are named."""
    path = tmp_path / "s.journal"
    fill = {"id": "9", "fill_type": "FILL", "order_id": "18", "client_id": "run-1", "size": "1"}
    path.write_bytes(
        records(
            ("effect", {"do": "place batch", "orders": [{"client_id": "run-1"}, {"client_id": "run-2"}]}),
            ("http>", {"x": 1, "of": 1, "method": "POST", "path": "/orders/batch"}),
            ("order", {"client_id": "run-1", "venue_id": "18"}),
            ("ws<", json.dumps({"params": {"channel": "fills.X", "data": fill}})),
            ("ws<", json.dumps({"params": {"channel": "fills.X", "data": fill | {"client_id": "run-2"}}})),
            ("ws<", json.dumps({"params": {"channel": "fills.X", "data": {"client_id": "run-2"}}})),
            ("http>", {"x": 2, "of": 0, "method": "GET", "path": "/fills?start_at=1"}),
            ("http<", {"x": 2, "status": 200, "body": json.dumps({"results": [fill]})}),
            ("http<", {"x": 3, "status": 200, "body": json.dumps({"results": []})}),
            ("outcome", {"what": "snapshot", "x": [[3], [3], [2], [3]]}),
            ("repair", {"what": "fill", "subject": "9", "text": "1 at 2, order run-1"}),
            ("repair", {"what": "order", "subject": "run-2", "text": "OPEN, is CLOSED"}),
        )
    )
    assert verbs.show(str(path), nowhere, order="run-1", json=True) == 0
    assert [record["number"] for record in objects(printed())] == [1, 2, 3, 4, 5, 8, 10, 11]


def test_an_order_that_is_not_there(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert verbs.show(file, nowhere, order="nobody") == 2
    assert capsys.readouterr() == ("", f"{file} holds nothing of an order nobody\n")


def test_kinds_and_places_narrow_what_is_shown(file: str, printed: Print) -> None:
    """One kind or several; a word for all directions; by number and by time, ends included."""

    def shown(**choice: Any) -> list[Any]:
        assert verbs.show(file, nowhere, json=True, **choice) == 0
        return objects(printed())

    everything = shown()
    assert [(record["number"], record["kind"], record["data"]) for record in everything[1:]] == [
        (record.number, record.kind, record.data) for record in recorded()
    ]
    assert {record["kind"] for record in shown(kinds=["ws", "end"])} == {"ws+", "ws>", "ws<", "ws!", "end"}
    assert {record["kind"] for record in shown(kinds=["ws>", "http"])} == {"ws>", "http>", "http<"}
    assert [record["number"] for record in shown(begin="10", end="12")] == [10, 11, 12]
    assert shown(begin="0.5s", end="0.75s") == [
        record for record in everything if 500_000_000 <= record["ns"] <= 750_000_000
    ]
    assert shown(kinds=["alarm"]) == []


@pytest.mark.parametrize(
    "choice", [{"kinds": ["wss"]}, {"begin": "-1"}, {"begin": "1.5"}, {"end": "x"}, {"end": "1e3s"}], ids=str
)
def test_a_choice_that_means_nothing_is_refused(
    file: str, choice: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert verbs.show(file, nowhere, **choice) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert (
        "there is no kind wss: the kinds are header ws+" in captured.err
        or "a time like 12.5s" in captured.err
    )


def test_a_damaged_session_is_shown_up_to_the_damage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the damage told apart from the data."""
    path = tmp_path / "s.journal"
    path.write_bytes(session()[:-1] + b"x")
    assert verbs.show(str(path), nowhere) == 1
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == len(recorded())
    assert captured.err.startswith(f"{path}, byte ")


HOSTILE = "a\x1b]0;owned\x07\x9b2J\u202eb\u2028c\nd\x7fé馬"


@pytest.mark.parametrize("kind", [*Kind, "new\x1b[2J"], ids=printable)
def test_what_was_recorded_cannot_write_on_the_terminal(tmp_path: Path, printed: Print, kind: str) -> None:
    """Control characters are escaped wherever they stand, and as JSON they are the same text all the same."""
    path = tmp_path / "s.journal"
    data = dict.fromkeys(("text", "reason", "body", "client_id", "do", "what", "path", "purpose"), HOSTILE)
    path.write_bytes(records((kind, HOSTILE), (kind, data | {"code": 1}), (kind, {HOSTILE: [HOSTILE]})))
    assert verbs.show(str(path), nowhere, begin="1") == 0
    rows = printed().splitlines()
    assert len(rows) == 3
    assert all(row.isprintable() for row in rows)
    assert "\\x1b]0;owned\\x07\\x9b2J\\u202eb" in rows[0]
    assert "é馬" in rows[0]
    assert verbs.show(str(path), nowhere, begin="1", json=True) == 0
    text = printed()
    assert all(row.isprintable() for row in text.splitlines())
    assert [record["data"] for record in objects(text)] == [HOSTILE, data | {"code": 1}, {HOSTILE: [HOSTILE]}]


def test_a_long_message_is_cut(tmp_path: Path, printed: Print) -> None:
    """A line is for the eye; as JSON there is all of it."""
    path = tmp_path / "s.journal"
    path.write_bytes(records(("ws<", "x" * 100_000)))
    assert verbs.show(str(path), nowhere, begin="1") == 0
    assert printed().endswith("xx… (100000 characters)\n")


NAMES = [
    *(
        "x",
        "of",
        "method",
        "path",
        "body",
        "status",
        "elapsed_ns",
        "reused",
        "client_id",
        "venue_id",
        "do",
        "what",
    ),
    *(
        "type",
        "side",
        "size",
        "market",
        "price",
        "code",
        "ours",
        "request",
        "exit_code",
        "seconds",
        "failure",
    ),
    *("orders", "run_ids", "listed", "mode", "subject", "text", "requested_ns", "results", "fill_type"),
]
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.sampled_from(
        [
            *("place", "wait", "place batch", "cancel batch", "modify", "snapshot"),
            *("prepare", "forget", "look up batch"),
            *("GET", "POST", "PUT", "/orders", "/orders/batch", "/orders/1", "MARKET"),
            *('{"client_id":1}', '[{"side":1}]', "[[", 10**400, HOSTILE),
        ]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=8),
    max_leaves=8,
)


@settings(max_examples=50)
@given(
    st.lists(
        st.builds(
            Record,
            number=st.integers(0, 2**63 - 1),
            ns=st.integers(0, 2**63 - 1),
            generation=st.integers(0, 3),
            kind=st.sampled_from([*Kind, "new"]),
            data=st.dictionaries(st.sampled_from(NAMES), anything) | anything,
        ),
        max_size=4,
    )
)
def test_nothing_that_can_be_read_is_too_odd_to_be_told(found: list[Record]) -> None:
    """In words, for an order, and to be checked: whatever a foreign program put into a record."""
    for record in found:
        assert told(record)
    ids = ids_of("run-1", found)
    assert len(list(about(ids, found))) <= len(found)
    list(findings(found))


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("http<", {"x": 1, "elapsed_ns": 10**400}, "#1 over a new connection"),
        ("http<", {"x": 1, "reused": True, "body": "[" * 100}, f"#1 {'[' * 100}"),
        ("ws<", "[" * 100_000, f"{'[' * 240}… (100000 characters)"),
        ("ws<", {"bytes": "\xff"}, '{"bytes":"ÿ"}'),
        ("ws!", {"code": None, "reason": "", "ours": True}, "never opened"),
        (
            "http!",
            {"x": 1, "failure": "refused", "status": 401, "code": "X", "text": "no"},
            "#1 refused 401 X no",
        ),
        (
            "outcome",
            {"what": "place", "client_id": "a", "failure": "unknown", "text": "gone"},
            "place a: unknown gone",
        ),
        ("effect", {"do": "place", "type": "MARKET", "side": "BUY", "size": "1"}, "place BUY 1 at market as"),
        ("effect", {"do": "give up", "reason": "enough"}, "give up enough"),
        ("header", {"started_ns": 10**400, "run_id": "r"}, f"r, begun at 1{'0' * 400} ns on"[:240]),
        ("command", {"command": "hurry"}, "hurry"),
        ("command", {"command": "kill switch", "reason": "SIGUSR1"}, "kill switch SIGUSR1"),
        ("mode", {"mode": "cancel_only", "x": 54}, "cancel_only, says #54"),
        ("repair", {"what": "position", "subject": "X", "text": "0 held, is 1"}, "position X: 0 held, is 1"),
        ("recovered", {"orders": [], "run_ids": []}, "nothing was left"),
        ("recovered", {"orders": [], "run_ids": ["r"]}, "nothing; left by r"),
        (
            "recovered",
            {"orders": [{"client_id": "r-1", "state": "OPEN"}, 7], "run_ids": ["q", "r"]},
            "2: r-1 OPEN; 7; left by q r",
        ),
        ("outcome", {"what": "snapshot", "x": [[1], [2, 3]]}, "snapshot: answered in #1, #2, #3"),
        (
            "outcome",
            {"what": "snapshot", "listed": [1, 2, 3, 4], "x": [[1]]},
            "snapshot: open 1, history 2, fills 3, positions 4; answered in #1",
        ),
        (
            "effect",
            {"do": "place batch", "orders": [{"client_id": "a", "side": "BUY", "size": "1", "price": "2"}]},
            "place 1: BUY 1 @ 2 as a",
        ),
        (
            "effect",
            {"do": "place", "client_id": "a", "side": "BUY", "size": "1", "price": "2", "prepared": True},
            "place prepared BUY 1 @ 2 as a",
        ),
        ("effect", {"do": "prepare", "client_id": "a", "side": "BUY", "size": "1"}, "prepare BUY 1 @ as a"),
        ("effect", {"do": "forget", "orders": ["a", "b"]}, "forget a b"),
        ("effect", {"do": "look up batch", "orders": ["a", "b"]}, "look up a b"),
        ("effect", {"do": "look up batch", "orders": 7}, "look up"),
        ("outcome", {"what": "prepare", "client_id": "a", "sign_ns": 710_000}, "prepare a: done in 0.71 ms"),
        (
            "intent",
            {"client_id": "a", "what": "place", "sign_ns": 0, "signed_ns": 5, "struct_hash": "0x1"},
            "a: signed ahead, struct hash 0x1",
        ),
        (
            "effect",
            {"do": "cancel batch", "orders": [{"client_id": "a"}, {"client_id": "b"}]},
            "cancel 2: a; b",
        ),
        (
            "effect",
            {"do": "modify", "client_id": "a", "venue_id": "9", "size": "1", "price": "2"},
            "modify a to 1 @ 2 id=9",
        ),
        (
            "wire",
            {"x": 3, "reused": True, "idle_ns": 5 * 10**6, "rtt_us": 40},
            "#3: a connection that was open, idle for 5.00 ms, the kernel's round trip is 40 µs",
        ),
        (
            "wire",
            {"x": 3, "reused": False, "idle_ns": 0, "rtt_us": None},
            "#3: a new connection, idle for 0.00 ms",
        ),
        (
            "intent",
            {"what": "modify", "client_id": "a", "sign_ns": 10**6},
            "a: modification signed in 1.00 ms, struct hash",
        ),
        (
            "ws<",
            (
                '{"method":"subscription","params":{"channel":"fills.X","data":{"fill_type":"FILL","liquidity":"MAKER",'
                '"side":"BUY","size":"1","market":"X","price":"2","fee":"-0.1","fee_currency":"USDC","client_id":"a",'
                '"id":"7","order_id":"8","remaining_size":"3"}}}'
            ),
            "fills.X: FILL MAKER BUY 1 X @ 2, 3 left, fee -0.1 USDC: a id=7 id=8",
        ),
        (
            "http<",
            {
                "x": 1,
                "status": 200,
                "reused": True,
                "body": '{"results":[{"side":"LONG","size":"1","market":"X",'
                '"average_entry_price":"2"},{"side":"SHORT","size":"3","market":"Y"}]}',
            },
            "#1 200 2: LONG 1 X @ 2: ; SHORT 3 Y @: ",
        ),
        (
            "ws>",
            {
                "x": 7,
                "of": 3,
                "frame": '{"method":"order.create_batch","params":[{"side":"BUY","size":"1","market":"X",'
                '"price":"2","client_id":"a"}],"id":9}',
            },
            "#7 for record 3 order.create_batch 9 1: BUY 1 X @ 2: a",
        ),
        (
            "ws<",
            (
                '{"id":9,"result":{"results":[{"order":{"side":"BUY","size":"1","market":"X","price":"2","id":"8"}},'
                '{"error":"NO_MONEY: none"}]}}'
            ),
            "reply 9: 2: BUY 1 X @ 2: id=8; error NO_MONEY: none",
        ),
        (
            "ws<",
            '{"id":9,"result":{"order_id":"8","status":"QUEUED_FOR_CANCELLATION"}}',
            'reply 9: {"order_id":"8","status":"QUEUED_FOR_CANCELLATION"}',
        ),
        (
            "ws<",
            '{"id":9,"error":{"code":100,"message":"no","data":"NO_MONEY"}}',
            "reply 9: error 100 no: NO_MONEY",
        ),
        ("new", [1, {"a": None}], '[1,{"a":null}]'),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_records_that_are_rare(kind: str, data: Any, words: str) -> None:
    """Are told, too."""
    (record,) = read_bytes(records((kind, data))).records
    assert told(record).partition(f" {kind:<10} ")[2].startswith(words)


def test_data_that_is_nested_too_deeply_is_left_out() -> None:
    """Who reads it and who tells of it may stand at different depths themselves."""
    data: list[Any] = []
    for _ in range(100_000):
        data = [data]
    assert as_json(data) == '"<nested too deeply>"'


# verify


def test_a_good_session_is_good(file: str, printed: Print) -> None:
    """In one file, in several, compressed; words or JSON."""
    assert verbs.verify([file], nowhere) == 0
    orders = sum(record.kind is Kind.INTENT for record in recorded())
    assert printed() == f"{file}: good; {len(recorded())} records, {orders} orders\n"
    parts = write_parts(Path(file), [50, 100], compressed=2)
    Path(file).unlink()
    assert verbs.verify([str(parts[3])], nowhere, json=True) == 0
    assert objects(printed()) == [
        {
            "session": file,
            "good": True,
            "records": len(recorded()),
            "orders": orders,
            "seconds": recorded()[-1].ns / 1e9,
            "parts": 3,
            "damage": None,
            "findings": [],
            "more_findings": 0,
        }
    ]


def test_each_file_is_judged_and_the_worst_is_the_exit_code(
    tmp_path: Path, file: str, printed: Print
) -> None:
    """1 for damage, 2 for what is no journal."""
    torn, none = tmp_path / "torn.journal", tmp_path / "none.journal"
    torn.write_bytes(session()[:-10])
    none.write_bytes(b"hello")
    assert verbs.verify([file, str(torn)], nowhere) == 1
    rows = printed().splitlines()
    assert rows[1].startswith(f"{torn}: damaged; {len(recorded()) - 1} records, ")
    assert rows[2].startswith(f"  {torn}, byte ")
    assert verbs.verify([str(none), str(torn), file], nowhere, json=True) == 2
    answers = objects(printed())
    assert [answer["good"] for answer in answers] == [False, False, True]
    assert answers[0]["error"] == f"{none} cannot be read as a journal: the record is cut short"
    assert answers[1]["damage"]["reason"] == "the record is cut short"


def body(client_id: str, **others: str) -> str:
    return json.dumps({"client_id": client_id, "signature": "<hidden>"} | others)


def intent(client_id: str) -> tuple[str, Any]:
    return "intent", {
        "client_id": client_id,
        "request": {"method": "POST", "path": "/orders", "body": body(client_id)},
    }


def sent(x: int, text: str, path: str = "/orders") -> tuple[str, Any]:
    return "http>", {"x": x, "of": 0, "method": "POST", "path": path, "body": text}


def call(x: int, request_id: int, method: str, params: str) -> tuple[str, Any]:
    frame = f'{{"jsonrpc":"2.0","method":"{method}","params":{params},"id":{request_id}}}'
    return "ws>", {"x": x, "of": 0, "frame": frame}


def reply(request_id: int, **others: str) -> tuple[str, Any]:
    return "ws<", "".join(f'{{"id":{request_id},"{name}":{text}}}' for name, text in others.items())


def asked(first: int, *paths: str) -> list[tuple[str, Any]]:
    """Questions, each with an answer that says little."""
    told = []
    for x, path in enumerate(paths, first):
        told += [("http>", {"x": x, "method": "GET", "path": path}), ("http<", {"x": x, "body": "{}"})]
    return told


NOTHING_LEFT: tuple[str, Any] = "recovered", {"orders": [], "run_ids": [], "seen_ms": None}


JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl"

IMPOSSIBLE: list[tuple[str, list[tuple[str, Any]], list[str]]] = [
    ("a wire of nothing", [("wire", {"x": 7})], ["1: it is about exchange 7, which has not ended"]),
    (
        "a wire before its answer",
        [("http>", {"x": 1, "method": "GET", "path": "/"}), ("wire", {"x": 1}), ("http<", {"x": 1})],
        ["2: it is about exchange 1, which has not ended"],
    ),
    ("an answer to nothing", [("http<", {"x": 7})], ["1: it ends exchange 7, which is not open"]),
    (
        "two answers",
        [("http>", {"x": 1, "method": "GET", "path": "/"}), ("http<", {"x": 1}), ("http!", {"x": 1})],
        ["3: it ends exchange 1, which is not open"],
    ),
    ("no intent", [sent(1, body("a"))], ["1: order a is sent, and no intent before this is of it"]),
    (
        "a late intent",
        [sent(1, body("a")), intent("a")],
        ["1: order a is sent, and no intent before this is of it"],
    ),
    (
        "another's intent",
        [intent("b"), sent(1, body("a"))],
        ["2: order a is sent, and no intent before this is of it"],
    ),
    (
        "sent twice",
        [intent("a"), sent(1, body("a")), sent(2, body("a"))],
        ["3: order a is sent, and no intent before this is of it"],
    ),
    (
        "something else",
        [intent("a"), sent(1, body("a", size="2"))],
        ["2: order a is sent otherwise than its intent says"],
    ),
    (
        "a batch without intent",
        [intent("a"), sent(1, f"[{body('a')},{body('b')}]", "/orders/batch")],
        ["2: order b is sent, and no intent before this is of it"],
    ),
    ("no batch", [sent(1, "?", "/orders/batch")], ["1: order ? is sent, and no intent before this is of it"]),
    (
        "a modification without intent",
        [("http>", {"x": 1, "method": "PUT", "path": "/orders/9", "body": '{"id":"9"}'})],
        ["1: new terms of 9 are sent, and no intent before this is of it"],
    ),
    (
        "new terms that nobody can read",
        [("http>", {"x": 1, "method": "PUT", "path": "/orders/9", "body": "?"})],
        ["1: new terms of ? are sent, and no intent before this is of it"],
    ),
    (
        "a call without intent",
        [call(1, 4, "order.create", body("a"))],
        ["1: order a is sent, and no intent before this is of it"],
    ),
    (
        "a batch of calls without intent",
        [intent("a"), call(1, 4, "order.create_batch", f'{{"orders":[{body("a")},{body("b")}]}}')],
        ["2: order b is sent, and no intent before this is of it"],
    ),
    (
        "new terms in a call without intent",
        [call(1, 4, "order.modify", '{"id":"9"}')],
        ["1: new terms of 9 are sent, and no intent before this is of it"],
    ),
    (
        "a call that goes twice",
        [
            intent("a"),
            call(1, 4, "order.create", body("a")),
            reply(4, result="{}"),
            call(2, 5, "order.create", body("a")),
        ],
        ["4: order a is sent, and no intent before this is of it"],
    ),
    (
        "the reply to another call",
        [
            intent("a"),
            call(1, 4, "order.create", body("a")),
            reply(5, result="{}"),
            ("outcome", {"what": "place", "client_id": "a", "x": [1]}),
        ],
        ["4: exchange 1 has no answer"],
    ),
    ("an outcome of nothing", [("outcome", {"what": "quote", "x": [4]})], ["1: exchange 4 has no answer"]),
    (
        "a snapshot of something else",
        [
            *asked(1, "/orders", "/orders-history?start_at=1", "/positions", "/fills"),
            ("outcome", {"what": "snapshot", "requested_ns": 0, "x": [[1], [2], [3], [4]]}),
        ],
        ["9: exchange 3 is no answer to GET /fills", "9: exchange 4 is no answer to GET /positions"],
    ),
    (
        "a snapshot of before",
        [
            *asked(1, "/orders", "/orders-history", "/fills", "/positions"),
            ("outcome", {"what": "snapshot", "requested_ns": 2 * 10**9, "x": [[1], [2], [3], [4]]}),
        ],
        ["9: exchange 1 began before its snapshot"],
    ),
    (
        "a part of a snapshot",
        [("outcome", {"what": "snapshot", "requested_ns": 0, "x": [[1], [2], []]})],
        ["1: it is no snapshot of orders, history, fills and positions"],
    ),
    (
        "another mode",
        [*asked(1, "/system/state"), ("mode", {"mode": "ok", "x": 1}), ("mode", {"mode": "ok", "x": 2})],
        [
            "3: exchange 1 does not tell that the mode is ok",
            "4: exchange 2 does not tell that the mode is ok",
        ],
    ),
    (
        "a repair of nothing",
        [
            *asked(1, "/orders", "/orders-history", "/fills", "/positions"),
            ("outcome", {"what": "snapshot", "requested_ns": 0, "x": [[1], [2], [3], [4]]}),
            ("order", {}),
            ("repair", {}),
            ("timer", {"purpose": "part of a snapshot", "subject": ""}),
            ("repair", {}),
            ("timer", {"purpose": "snapshot", "subject": ""}),
            ("repair", {}),
        ],
        ["15: something is repaired, and not because of a snapshot"],
    ),
    (
        "taken over late",
        [NOTHING_LEFT, ("timer", {}), NOTHING_LEFT],
        ["3: what earlier runs left is taken over when trading has begun"],
    ),
    (
        "nothing to take over",
        [("recovered", {"orders": [{}], "run_ids": []}), ("recovered", 7)],
        ["1: it has not the form of its kind, recovered", "2: it has not the form of its kind, recovered"],
    ),
    ("no order", [sent(1, "?")], ["1: order ? is sent, and no intent before this is of it"]),
    ("formless", [("http>", {"x": "1"})], ["1: it has not the form of its kind, http>"]),
    ("a token", [("ws<", json.dumps({"error": f"bad {JWT}"}))], ["1: it looks as if a token stood in it"]),
    (
        "a token of another form",
        [("ws>", json.dumps({"method": "auth", "params": {"bearer": "s3cr3t"}}))],
        ["1: it looks as if a token stood in it"],
    ),
    (
        "an authorization",
        [("alarm", {"text": "{'Authorization': 'Bearer abcdefghijklmnopqrstuvwxyz'}"})],
        ["1: it looks as if an authorization stood in it"],
    ),
    (
        "a signature",
        [
            intent("a"),
            (
                "http>",
                {"x": 1, "method": "POST", "path": "/x", "body": '{"signature":"[\\"123\\",\\"45\\"]"}'},
            ),
        ],
        ["2: it looks as if a signature stood in it"],
    ),
    (
        "a signature in a header",
        [
            (
                "http>",
                {
                    "x": 1,
                    "method": "POST",
                    "path": "/x",
                    "headers": {"PARADEX-STARKNET-SIGNATURE": '["0x1","2"]'},
                },
            )
        ],
        ["1: it looks as if a signature stood in it"],
    ),
]


@pytest.mark.parametrize(
    ("told_", "expected"), [case[1:] for case in IMPOSSIBLE], ids=[case[0] for case in IMPOSSIBLE]
)
def test_what_no_checksum_sees_is_found(
    tmp_path: Path, printed: Print, told_: list[tuple[str, Any]], expected: list[str]
) -> None:
    path = tmp_path / "s.journal"
    path.write_bytes(records(*told_))
    assert verbs.verify([str(path)], nowhere, json=True) == 1
    (answer,) = objects(printed())
    assert [f"{finding['record']}: {finding['text']}" for finding in answer["findings"]] == expected
    assert not answer["good"]


def test_a_batch_that_is_refused_for_its_form_goes_again(tmp_path: Path, printed: Print) -> None:
    """Once: the venue has said that it has none of it."""
    path = tmp_path / "s.journal"
    refused = reply(4, error='{"code":-32602}')
    path.write_bytes(
        records(
            intent("a"),
            call(1, 4, "order.create_batch", f'{{"orders":[{body("a")}]}}'),
            refused,
            call(2, 5, "order.create_batch", f"[{body('a')}]"),
            reply(5, result="{}"),
            ("outcome", {"what": "place", "client_id": "a", "x": [2]}),
        )
    )
    assert verbs.verify([str(path)], nowhere) == 0, printed()


def test_time_does_not_run_backwards(tmp_path: Path, printed: Print) -> None:
    """It may stand still."""
    path = tmp_path / "s.journal"
    path.write_bytes(journal(b'[%d,%d,0,"alarm",{}]' % place for place in ((1, 5), (2, 5), (3, 2))))
    assert verbs.verify([str(path)], nowhere) == 1
    assert printed().splitlines() == [
        f"{path}: 1 finding; 3 records, 0 orders",
        "  record 3: its time is 3 ns before that of the record before it",
    ]


def test_not_every_finding_is_told(tmp_path: Path, printed: Print) -> None:
    path = tmp_path / "s.journal"
    path.write_bytes(records(*[("http<", {"x": 1})] * 250))
    assert verbs.verify([str(path)], nowhere) == 1
    rows = printed().splitlines()
    assert rows[0] == f"{path}: 250 findings; 250 records, 0 orders"
    assert rows[-1] == "  and 150 more"
    assert len(rows) == 102


def test_batches_and_modifications_are_as_their_intents_say(tmp_path: Path, printed: Print) -> None:
    """Each order of a batch has an intent of its own, in which it stands alone."""
    path = tmp_path / "s.journal"
    compact = [body(name).replace(" ", "") for name in "ab"]
    intents = [
        (
            "intent",
            {
                "client_id": name,
                "request": {"method": "POST", "path": "/orders/batch", "body": f"[{text}]"},
            },
        )
        for name, text in zip("ab", compact, strict=True)
    ]
    change = {"method": "PUT", "path": "/orders/9", "body": '{"id":"9","size":"1"}'}
    modification = {"what": "modify", "client_id": "a", "request": change}
    path.write_bytes(
        records(
            *intents,
            sent(1, f"[{','.join(compact)}]", "/orders/batch"),
            ("intent", modification),
            ("http>", {"x": 2, **change}),
        )
    )
    assert verbs.verify([str(path)], nowhere) == 0
    assert printed().endswith("good; 5 records, 2 orders\n")


def test_hidden_secrets_are_none(tmp_path: Path, printed: Print) -> None:
    """Nor are their names, times that only sound like them, or the hashes of a signature that came back."""
    path = tmp_path / "s.journal"
    path.write_bytes(
        records(
            ("ws>", '{"params":{"bearer":"<hidden>"}}'),
            ("ws<", '{"error":"Authorization header is missing","signature":"[\\"123\\",\\"45\\"]"}'),
            (
                "http>",
                {"x": 1, "method": "GET", "path": "/", "headers": {"PARADEX-SIGNATURE-EXPIRATION": "18"}},
            ),
            ("http<", {"x": 1, "body": '{"jwt_token":"<hidden>","signature_timestamp":18}'}),
        )
    )
    assert verbs.verify([str(path)], nowhere) == 0
    assert printed()


# ls


def test_sessions_are_listed_the_newest_first(tmp_path: Path, printed: Print) -> None:
    """With how long each took, what is in it, how it ended, and in how many files it lies."""
    older = attrs.evolve(
        header(), started_ns=header().started_ns - 10**9, run_id="older", environment="testnet"
    )
    everything = payloads(session())
    write_parts(tmp_path / "embedded.journal", [50], compressed=1)
    (tmp_path / "testnet.journal").write_bytes(journal(everything[:-1], head=older))
    assert verbs.ls(lambda: tmp_path, json=True) == 0
    first, second = objects(printed())
    orders = sum(record.kind is Kind.INTENT for record in recorded())
    files = [tmp_path / "embedded.journal.zst", tmp_path / "embedded.2.journal"]
    assert first == {
        "session": str(tmp_path / "embedded.journal"),
        "run_id": header().run_id,
        "environment": "embedded",
        "started_ns": header().started_ns,
        "seconds": recorded()[-1].ns / 1e9,
        "records": len(recorded()),
        "orders": orders,
        "end": "exit 0",
        "exit_code": 0,
        "damage": None,
        "parts": 2,
        "bytes": sum(path.stat().st_size for path in files),
    }
    assert (second["run_id"], second["end"], second["exit_code"]) == ("older", "broke off", None)
    assert verbs.ls(lambda: tmp_path) == 0
    rows = printed().splitlines()
    assert rows[0].startswith(f"2027-01-15 08:00:00 UTC  embedded  {header().run_id}  ")
    assert rows[0].endswith(" KiB in 2 parts")
    assert f"{len(recorded())} records" in rows[0]
    assert "testnet" in rows[1]


def test_how_a_session_ended(tmp_path: Path, printed: Print) -> None:
    """One that is being written is running, even if its last record is only half there, until its end is told."""
    path = tmp_path / "s.journal"
    writer = LocalFile(path)
    writer.append(bytearray(session()[:-10]))

    def end() -> Any:
        assert verbs.ls(lambda: tmp_path, json=True) == 0
        (entry,) = objects(printed())
        return entry["end"]

    assert end() == "running"
    writer.close()
    assert end() == "damaged"
    path.unlink()
    writer = LocalFile(path)
    writer.append(bytearray(session()))
    assert end() == "exit 0"
    writer.append(bytearray(1))
    writer.close()
    assert end() == "damaged"


def test_a_session_that_is_compressed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: Print
) -> None:
    """Is listed as what it has become: the bot that has just begun tidies up, while somebody looks."""
    (tmp_path / "s.journal").write_bytes(journal(payloads(session())[:-1]))

    def find_and_compress(path: Path) -> RecordedSession:
        found = find(path)
        compress(path, threading.Event())
        return found

    monkeypatch.setattr(sessions, "find", find_and_compress)
    assert verbs.ls(lambda: tmp_path, json=True) == 0
    (entry,) = objects(printed())
    assert (entry["end"], entry["bytes"]) == ("broke off", (tmp_path / "s.journal.zst").stat().st_size)


def test_what_is_no_session_is_named_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.journal").write_bytes(session())
    (tmp_path / "x.journal").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no journal")
    assert verbs.ls(lambda: tmp_path) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 1
    assert captured.err == f"{tmp_path / 'x.journal'} cannot be read as a journal: it is empty\n"
    assert verbs.ls(lambda: tmp_path / "nowhere") == 2
    assert "No such file" in capsys.readouterr().err


# How a session is named


def test_a_session_is_named_by_its_run_too(tmp_path: Path, printed: Print) -> None:
    """The newest needs no name."""
    (tmp_path / "s.journal").write_bytes(session())
    (tmp_path / "t.journal").write_bytes(
        journal([], head=attrs.evolve(header(), run_id="new", started_ns=header().started_ns + 1))
    )
    for name, run_id in ((header().run_id, header().run_id), ("new", "new"), (None, "new")):
        assert verbs.show(name, lambda: tmp_path, kinds=["header"], json=True) == 0
        assert objects(printed())[0]["data"]["run_id"] == run_id
    assert verbs.verify(["new", header().run_id], lambda: tmp_path) == 0
    assert printed()


@pytest.mark.parametrize("name", ["nobody", "no/where", None])
def test_a_name_of_nothing(tmp_path: Path, name: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    assert verbs.show(name, lambda: tmp_path) == 2
    assert capsys.readouterr().out == ""


# The command line


def test_the_verbs_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: Print) -> None:
    """And look where the settings say that sessions are."""
    (tmp_path / "s.journal").write_bytes(session())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BOT__JOURNAL__DIRECTORY", str(tmp_path))
    for arguments, rows in (
        (["ls"], 1),
        (["ls", ".", "--json"], 1),
        (["show", "--from", "1", "--to", "3"], 3),
        (["show", "s.journal", "--kind", "end", "--kind", "stop", "--json"], 2),
        (["verify", "s.journal", header().run_id], 2),
    ):
        assert run_verb(["journal", *arguments], EarlySignals()) == 0
        assert len(printed().splitlines()) == rows


def test_bad_settings_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """But only to whom they matter."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BOT__JOURNAL__DIRECTORY_", "x")
    assert run_verb(["journal", "ls"], EarlySignals()) == 2
    assert "BOT__JOURNAL__DIRECTORY_" in capsys.readouterr().err
    (tmp_path / "s.journal").write_bytes(session())
    assert run_verb(["journal", "verify", "s.journal"], EarlySignals()) == 0


def test_who_has_seen_enough_may_leave(file: str) -> None:
    """A closed pipe is no error: nothing is said of it, here on a real one."""
    Path(file).write_bytes(journal([b'[%d,0,0,"ws<","%s"]' % (n, b"x" * 200) for n in range(1, 2000)]))
    with subprocess.Popen(
        [sys.executable, "-m", "bot", "journal", "show", file], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_disk_that_is_full_is_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    """Where stdout is a file. Exit code 1 would say that a session is damaged."""

    @into_a_pipe
    def verb() -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    assert verb() == 2
    assert capsys.readouterr().err == "stdout: No space left on device\n"


def test_ctrl_c_needs_no_words(printed: Print) -> None:
    """A pager shares the terminal with us, and its Ctrl-C."""

    @into_a_pipe
    def verb() -> int:
        raise KeyboardInterrupt

    assert verb() == 130
    assert printed() == ""


def test_a_terminal_that_knows_few_characters(tmp_path: Path) -> None:
    """Gets the others as escapes."""
    path = tmp_path / "s.journal"
    path.write_bytes(records(("alarm", {"text": "馬"})))
    done = subprocess.run(
        [sys.executable, "-m", "bot", "journal", "show", str(path), "--from", "1"],
        env={"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert done.stdout.endswith(b"alarm      \\u99ac\n")
