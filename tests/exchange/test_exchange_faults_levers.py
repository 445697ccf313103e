"""Faults by the control port, in the log, in the README; and the witness who saw what really was."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

import json
import re
from pathlib import Path
from typing import Any, get_args

import h11
import msgspec
import pytest
import trio
import trio.testing
from exchange_stage import EPOCH, HttpClient, Stage, Trader, refused
from stream_stage import ANY_SIGNATURE, logged_in, still
from trio.testing import MockClock

import bot.exchange
from bot.exchange.control import Control
from bot.exchange.faults.ask import ANY, CALLS, GROUPS
from bot.exchange.faults.disconnects import Disconnect
from bot.exchange.faults.faults import Fault
from bot.exchange.faults.garbling import FRAMES_ONLY, GARBLES
from bot.exchange.faults.requests import FalseAnswer, Late, Refuse, RequestFault, Silence, Swallow
from bot.exchange.faults.rule import Rule
from bot.exchange.faults.updates import UpdateFault, UpdateRule
from bot.exchange.requestlog import RequestLog
from bot.exchange.transport.http import HttpConnection


@pytest.fixture
async def control(room: Stage) -> HttpClient:
    near, far = trio.testing.memory_stream_pair()
    room.nursery.start_soon(HttpConnection(far, room.exchange.clock).serve, Control(room.exchange).handle)
    return HttpClient(near)


async def test_faults_come_and_go_by_the_control_port(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader, control: HttpClient
) -> None:
    """A rule is put into force, seen with what it did, and taken back with all others."""
    rule = {"fault": "refuse", "on": "create", "status": 429, "retry_after": 2, "times": 2}
    added = await control.request("POST", "/fault", rule)
    assert (added.status, added.json()) == (200, {"id": 1})
    assert (await trader.place(client)).headers["retry-after"] == "2"
    shown = (await control.request("GET", "/faults")).json()
    assert shown["struck"] == {"refuse": 1}
    [row] = shown["results"]
    assert rule.items() < row.items()
    assert (row["id"], row["fitted"], row["struck"], row["skip"], row["chance"]) == (1, 1, 1, 0, 1.0)
    assert (await control.request("POST", "/fault", {"fault": "lose-update"})).json() == {"id": 2}
    assert (await control.request("DELETE", "/faults")).status == 200
    assert (await trader.place(client)).status == 201
    assert (await control.request("GET", "/faults")).json() == {"results": [], "struck": {"refuse": 1}}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"fault": "earthquake"},
        {"fault": "swallow"},
        {"fault": "swallow", "on": "everything"},
        {"fault": "swallow", "on": "create", "when": "now"},
        {"fault": "swallow", "on": "create", "times": "2"},
        {"fault": "swallow", "on": "create", "late": 1},
        {"fault": "late", "on": "create", "request": -1},
        {"fault": "refuse", "on": "create"},
        {"fault": "stale", "on": "positions", "seconds": 1},
        {"fault": "garble", "on": "create", "how": "gently"},
        {"fault": "lose-update", "channel": "bbo"},
        {"fault": "lose-update", "on": "create"},
        {"fault": "swallow", "on": "create", "over": "tcp"},
        {"fault": "garble", "on": "create", "how": "no-result"},
        {"fault": "cut-update", "code": 1012, "torn": True},
        {"fault": "garble-update", "how": "another-id"},
        {"fault": "disconnect", "how": "late", "seconds": -1},
        {"fault": "disconnect"},
        [],
        b"{",
    ],
)
async def test_mistakes_are_refused(
    autojump_clock: MockClock, room: Stage, control: HttpClient, body: Any
) -> None:
    """What is no rule is refused in the venue's form, and changes nothing."""
    assert refused(await control.request("POST", "/fault", body)) == (400, "VALIDATION_ERROR")
    assert not room.exchange.faults.are_armed


async def test_every_kind_comes_by_the_control_port(
    autojump_clock: MockClock, room: Stage, control: HttpClient
) -> None:
    """A rule of each class, with what it cannot do without."""
    needed: dict[str, Any] = {"on": "history", "how": "late", "seconds": 1, "status": 500}
    for kind in get_args(Fault):
        required = {
            field.name: needed[field.name] for field in msgspec.structs.fields(kind) if field.required
        }
        if "garble" in kind.__struct_config__.tag:
            required["how"] = "half"
        body = {"fault": kind.__struct_config__.tag, **required}
        assert (await control.request("POST", "/fault", body)).status == 200, body
    rows = (await control.request("GET", "/faults")).json()["results"]
    assert len({row["fault"] for row in rows}) == len(rows) == len(get_args(Fault))


async def test_the_log_names_the_fault(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """A line for each request, with the fault that it met, and no status where no whole answer left."""
    lines: list[bytes] = []
    room.exchange.request_log = RequestLog(room.exchange.clock, lines.append)
    faults = room.exchange.faults
    faults.add(Silence(on="create", cut_after=1))
    faults.add(Refuse(on="create", status=503, code="SYSTEM_STATUS_CANCEL_ONLY"))
    faults.add(FalseAnswer(on="create", status=502, times=None))
    with pytest.raises(h11.RemoteProtocolError):
        await trader.place(client)
    client = room.http()
    for _ in range(2):
        await trader.place(client)
    told = [json.loads(line) for line in lines]
    assert [(line["status"], line["fault"], line.get("error"), line["ms"]) for line in told] == [
        (None, "silence", None, 1000),
        (503, "refuse", "SYSTEM_STATUS_CANCEL_ONLY", 0),
        (502, "answer", None, 0),
    ]
    assert told[0]["account"] == hex(trader.address)


async def test_the_witness_saw_everything(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """Each request with its times and what came of it, and by client id all that there is; swallowed ones too."""
    witness, faults = room.exchange.witness, room.exchange.faults
    witness.watch()
    faults.add(Swallow(on="create", client_id="gone", cut_after=1))
    faults.add(Silence(on="create", client_id="quiet", late=0.5, cut_after=2))
    faults.add(Late(on="create", client_id="slow", answer=3))
    for client_id in ("gone", "quiet"):
        with pytest.raises(h11.RemoteProtocolError):
            await trader.place(room.http(), client_id=client_id)
    await trader.place(client, client_id="slow")
    await trader.place(client, client_id="slow")
    await trader.place(client, client_id="plain", price="nonsense", signature='["1","2"]')
    [quiet] = [order for order in room.exchange.orders.values() if order.client_id == "quiet"]
    await trader.ask(client, "DELETE", f"/v1/orders/{quiet.id}")
    await trio.testing.wait_all_tasks_blocked()

    def seconds(ms: int | None) -> float | None:
        return None if ms is None else ms / 1000 - EPOCH

    assert [
        (
            *seen.ask.client_ids,
            seen.fault,
            *map(seconds, (seen.arrived_ms, seen.received_ms)),
            (seen.status, seen.code),
            (seen.answered, seconds(seen.answered_ms)),
        )
        for seen in witness.requests
    ] == [
        ("gone", "swallow", 0, None, (None, None), (None, None)),
        ("quiet", "silence", 1, 1.5, (201, None), (None, None)),
        ("slow", "late", 3, 3, (201, None), (201, 6)),
        ("slow", None, 6, 6, (400, "DUPLICATED_CLIENT_ID"), (400, 6)),
        ("plain", None, 6, 6, (400, "VALIDATION_ERROR"), (400, 6)),
        ("quiet", None, 6, 6, (204, None), (204, 6)),
    ]
    orders = witness.orders(trader.address)
    assert [(seen.client_id, len(seen.requests), len(seen.accepted)) for seen in orders.values()] == [
        ("gone", 1, 0),
        ("quiet", 2, 1),
        ("slow", 2, 1),
        ("plain", 1, 0),
    ]
    states = [(seconds(at), order.status) for at, order in orders["quiet"].states]
    assert states == [(1.5, "NEW"), (1.5, "OPEN"), (6, "CLOSED")]
    assert orders["quiet"].accepted == (quiet,)
    assert list(witness.orders(1)) == ["gone"]  # nobody looked at its token


async def test_a_witness_forgets_what_the_books_forget(autojump_clock: MockClock) -> None:
    """Requests beyond the wished number go, the oldest first, and states of orders that nobody knows any more."""
    async with still() as room:
        trader, client = await logged_in(room), room.http()
        room.exchange.witness.watch(kept=3)
        room.exchange.ledger.kept = 10
        for _ in range(100):
            placed = await trader.place(client, signature=ANY_SIGNATURE)
            await trader.ask(client, "DELETE", f"/v1/orders/{placed.json()['id']}")
        await trio.testing.wait_all_tasks_blocked()
        assert len(room.exchange.witness.requests) == 3
        noted = room.exchange.chronicle._states
        assert noted is not None
        assert set(room.exchange.orders) <= set(noted)
        assert len(room.exchange.orders) == 10
        assert len(noted) < 70


def test_the_readme_has_every_fault() -> None:
    """Each kind with all of its members and their defaults, each word that `on` may be, each way to garble."""
    readme = Path(bot.exchange.__file__).with_name("README.md").read_text()
    [text] = re.findall(r"^## Faults\n(.*?)(?=^## )", readme, re.MULTILINE | re.DOTALL)
    requests, updates, garbles, disconnects = (
        dict(re.findall(r"^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \| (.*) \|$", table, re.MULTILINE))
        for table in re.split(r"(?=^\| kind \|)|(?=^\| `how` \|)", text, flags=re.MULTILINE)[1:]
    )
    for rows, kinds in (
        (requests, get_args(RequestFault)),
        (updates, get_args(UpdateFault)),
        (disconnects, (Disconnect,)),
    ):
        assert list(rows) == [f"`{kind.__struct_config__.tag}`" for kind in kinds]
    assert set(re.findall("[a-z-]+", " ".join(garbles))) - {"how"} == {*GARBLES, *FRAMES_ONLY}
    general = {*Rule.__struct_fields__, *UpdateRule.__struct_fields__, "on", "over"}
    assert all(f"`{member}`" in text for member in general)
    for kind in get_args(Fault):
        row = (requests | updates | disconnects)[f"`{kind.__struct_config__.tag}`"]
        if kind is Refuse:
            continue  # as the row before it
        for field in msgspec.structs.fields(kind):
            if field.name not in general:
                assert f"`{field.name}`" in row, (kind, field.name)
                if isinstance(field.default, bool):
                    assert f"`{field.name}` ({str(field.default).lower()})" in row, (kind, field.name)
                elif isinstance(field.default, int | float):
                    assert f"`{field.name}` ({field.default:g})" in row, (kind, field.name)
    for word in (*CALLS, *GROUPS, ANY):
        assert f"`{word}`" in text, word
