"""The benchmark of an order's round trip, on a real exchange in a process of its own: that is what it measures."""

import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import copy

import pytest
import trio

from benchmarks.account import Account
from benchmarks.orders import bare, others
from benchmarks.orders.bare import BareHttp, BareWebSocket
from benchmarks.orders.others import open_client
from benchmarks.orders.recorder import open_recorder
from benchmarks.orders.relay import Traffic, Watched
from benchmarks.orders.round_trip import BOT, FLOOR, HERE, UNSIGNED, compete
from benchmarks.orders.side import Side, Taken, Turn, UnavailableError
from benchmarks.signing import ACCOUNT, CHAIN_ID, KEY
from bot.lab.child import Reached
from bot.link.clock import SystemClock
from bot.link.signer import open_signer

NOWHERE = Reached("https://127.0.0.1:1/v1", "wss://127.0.0.1:1/v1", None, "http://127.0.0.1:1", 0)


@asynccontextmanager
async def missing(reached: Reached) -> AsyncIterator[Turn]:
    if reached.pid:
        raise UnavailableError("not installed")
    async with mortal(reached) as turn:
        yield turn


@asynccontextmanager
async def mortal(_reached: Reached) -> AsyncIterator[Turn]:
    """Lives for three turns."""
    lives = iter(range(3))

    async def turn(count: int) -> Taken:
        await trio.lowlevel.checkpoint()
        if next(lives, None) is None:
            raise UnavailableError("it has ended: of old age")
        return Taken([1.0] * count)

    yield turn


def test_the_whole_of_it() -> None:
    """The bot and the floor beneath it, by both ways; who cannot be had, or is lost, is named and does not count.

    What goes over the wire for an order is a fact and no measurement: one round trip, one TLS record, and of the bot
    by REST the very bytes of the floor.
    """
    sides = (*HERE, Side("ccxt", "REST", missing), Side("sdk", "REST", mortal))
    result = trio.run(compete, sides, 3, 2)
    rest, calls = result.comparisons
    for comparison in (rest, calls):
        assert [(row.name, row.count) for row in comparison.rows] == [(FLOOR, 6), (BOT, 6), (UNSIGNED, 6)]
    assert result.skipped == {"ccxt, REST": "not installed", "sdk, REST": "it has ended: of old age"}
    (table,) = result.tables
    assert len(table.rows) == 4
    for name, row in table.rows.items():
        assert (row["round trips"], row["records"]) == (1, 1), name
    for way in ("REST", "WebSocket"):
        bot, floor = table.rows[f"{BOT}, {way}"], table.rows[f"{FLOOR}, {way}"]
        assert bot["bytes sent"] == pytest.approx(floor["bytes sent"], abs=4), "signatures vary in length"


async def test_the_floor_sends_what_the_bot_sends() -> None:
    """Recorded from the bot's own client: each order as one request, to the host that it is for."""
    clock = SystemClock()
    async with open_recorder(clock) as recorder:
        signer = open_signer(private_key=KEY, chain_id=CHAIN_ID, account=ACCOUNT)
        account = Account(signer, "", 0.0, clock)
        signed = [account.sign(account.new_order(), signature='["1","2"]') for _ in range(2)]
        recorded = await recorder.record(signed, "a.token", b"venue.test:443")
    for request, order in zip(recorded, signed, strict=True):
        head, _, body = request.partition(b"\r\n\r\n")
        assert head.startswith(b"POST /v1/orders HTTP/1.1\r\n")
        assert b"\r\nHost: venue.test:443\r\n" in head
        assert b"\r\nAuthorization: Bearer a.token" in head
        assert f'"client_id":"{order.order.client_id}"'.encode() in body
        assert f"\r\nContent-Length: {len(body)}\r\n".encode() in head + b"\r\n"


@pytest.mark.parametrize(
    ("ask", "answer", "wanted"),
    [
        (
            lambda near: BareHttp(near).ask(b"?"),
            b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello",
            b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello",
        ),
        (lambda near: BareWebSocket(near).ask(b"?"), b"\x81\x05hello", b"hello"),
        (
            lambda near: BareWebSocket(near).ask(b"?"),
            b"\x81\x7e" + (300).to_bytes(2) + b"h" * 300,
            b"h" * 300,
        ),
    ],
)
def test_the_floor_reads_an_answer_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
    ask: Callable[[socket.socket], bytes],
    answer: bytes,
    wanted: bytes,
) -> None:
    """Wherever it is cut into pieces. Real sockets: they are what it is made of."""
    for piece in (1, 3, 20, 1000):
        monkeypatch.setattr(bare, "CHUNK", piece)
        near, far = socket.socketpair()
        with near, far:
            near.settimeout(5)
            far.sendall(answer)
            assert ask(near) == wanted


def test_the_floor_says_when_it_was_hung_up_on() -> None:
    """And does not wait, or take the half of an answer for one."""
    near, far = socket.socketpair()
    with near:
        far.sendall(b"HTTP/1.1 201")
        far.shutdown(socket.SHUT_WR)
        with pytest.raises(RuntimeError, match="closed"):
            BareHttp(near).ask(b"?")
    far.close()


def record(kind: int, size: int) -> bytes:
    """A TLS record."""
    return bytes([kind, 3, 3]) + size.to_bytes(2) + b"x" * size


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_what_a_relay_counts(piece: int) -> None:
    """Records that hold data, however they come; and a round trip whenever a client speaks after it was answered."""
    traffic = Traffic()
    connection = Watched(traffic)

    def send(data: bytes) -> None:
        for start in range(0, len(data), piece):
            connection.sent(data[start : start + piece])

    send(record(22, 50))
    connection.received(b"x" * 90)
    send(record(20, 1) + record(23, 30))
    send(record(23, 300))
    connection.received(b"x" * 10)
    assert traffic == Traffic(round_trips=2, records=2, bytes_sent=4 * 5 + 381, bytes_received=100)
    before = Traffic(1, 1, 1, 1)
    assert traffic - before == Traffic(1, 1, 400, 99)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one client of this test's own, for whom nothing has to be installed."""
    clients = tmp_path / "clients"
    (clients / ".venv-fake" / "bin").mkdir(parents=True)
    (clients / ".venv-fake" / "bin" / "python").symlink_to(sys.executable)
    (clients / "install.sh").write_text('test "$1" = fake || { echo "no such client" >&2; exit 1; }\n')
    copy(others.PROJECT / "clients" / "turns.py", clients)
    monkeypatch.setattr(others, "PROJECT", tmp_path)
    return tmp_path


CLIENT = """
import asyncio, json, sys
from turns import take_turns

asked = []

async def rest():
    assert json.loads(sys.argv[sys.argv.index("--ready") + 1])["rest_url"].startswith("https:")
    return lambda: asked.append("rest")

async def calls():
    async def call():
        if len(asked) == 5:
            sys.exit("not a sixth one")
        asked.append("call")
    return call

asyncio.run(take_turns({"REST": rest, "WebSocket": calls}))
"""


async def test_a_client_of_its_own_environment(project: Path) -> None:
    """A real process: it sends as many orders as it is told to. If it ends, what it said last is why."""
    (project / "clients" / "fake_orders.py").write_text(CLIENT)
    async with open_client("fake", "REST", NOWHERE) as turn:
        taken = await turn(3)
        assert len(taken.whole) == 3
        assert not taken.unsigned
    async with open_client("fake", "WebSocket", NOWHERE) as turn:
        assert len((await turn(2)).whole) == 2
        assert len((await turn(3)).whole) == 3
        for _ in range(2):
            with pytest.raises(UnavailableError, match="it has ended: not a sixth one"):
                await turn(1)


async def test_a_client_that_hangs(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for for ever. A real process, and so a moment of real time."""
    script = 'import time\nprint("ready", flush=True)\ntime.sleep(60)\n'
    (project / "clients" / "fake_orders.py").write_text(script)
    async with open_client("fake", "REST", NOWHERE) as turn:
        monkeypatch.setattr(others, "PATIENCE", 0.05)
        with pytest.raises(UnavailableError, match=r"it said nothing for 0.05 s"):
            await turn(1)


@pytest.mark.usefixtures("project")
async def test_a_client_that_cannot_be_installed() -> None:
    """It is no failure of the benchmark: the reason is what the script said last."""
    with pytest.raises(UnavailableError, match="no such client"):
        async with open_client("other", "REST", NOWHERE):
            pass


def test_the_clients_that_there_are() -> None:
    """By the ways that they know, with the versions that are pinned."""
    names = [(side.name.split()[0], side.way) for side in others.others()]
    assert names == [("paradex-py", "REST"), ("paradex-py", "WebSocket"), ("ccxt", "REST")]
    assert all(side.name.split()[1][0].isdigit() for side in others.others())
