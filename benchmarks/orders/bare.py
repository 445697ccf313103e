"""The floor: a blocking socket that sends the very bytes of this bot, made beforehand, and reads what it must.

For each turn its connection is opened anew: between turns nobody would answer pings.
"""

import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import urlsplit

import attrs
import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import Request, TextMessage

from benchmarks.account import Account, open_account
from benchmarks.orders.ours import Asking
from benchmarks.orders.recorder import open_recorder
from benchmarks.orders.side import Taken, Turn
from bot.core.clock import Clock
from bot.core.tape import NoTape
from bot.lab.child import Reached, address_of
from bot.link.clock import SystemClock
from bot.link.http import HttpSettings, open_http
from bot.paradex import calls, rpc
from bot.place import trusting

CHUNK = 64 * 1024

TIMEOUT = 10.0
"""Seconds without a byte."""

Asked = Callable[[bytes], bytes]
"""Sends a message, and returns the answer when its last byte is there."""


@asynccontextmanager
async def open_rest(reached: Reached) -> AsyncIterator[Turn]:
    """The requests of this bot."""
    clock = SystemClock()
    async with _open_account(reached, clock) as (account, ask), open_recorder(clock) as recorder:
        host = urlsplit(reached.rest_url).netloc.encode()

        async def turn(count: int) -> Taken:
            await account.renew(ask)
            signed = [account.sign(account.new_order()) for _ in range(count)]
            made = await recorder.record(signed, account.token, host)
            return await trio.to_thread.run_sync(_by_request, reached, made, clock)

        yield turn


@asynccontextmanager
async def open_calls(reached: Reached) -> AsyncIterator[Turn]:
    """The calls of this bot."""
    clock = SystemClock()
    async with _open_account(reached, clock) as (account, ask):

        async def turn(count: int) -> Taken:
            await account.renew(ask)
            frames = [rpc.request(0, "auth", {"bearer": account.token})]
            frames += [
                calls.create(account.sign(account.new_order())).frame(number)
                for number in range(1, count + 1)
            ]
            return await trio.to_thread.run_sync(_by_call, reached, frames, clock)

        yield turn


@asynccontextmanager
async def _open_account(reached: Reached, clock: Clock) -> AsyncIterator[tuple[Account, Asking]]:
    tls = trusting(reached.ca_file or "")
    async with open_http(HttpSettings(), reached.rest_url, tls, clock, NoTape(clock)) as http:
        ask = Asking(http)
        yield await open_account(ask, clock), ask


def _by_request(reached: Reached, requests: Sequence[bytes], clock: Clock) -> Taken:
    with _connected(reached.rest_url, reached.ca_file) as connection:
        taken = _timed(BareHttp(connection).ask, requests, b"HTTP/1.1 201", clock)
    return Taken(taken)


def _by_call(reached: Reached, frames: Sequence[str], clock: Clock) -> Taken:
    parts = urlsplit(reached.ws_url)
    client = WSConnection(ConnectionType.CLIENT)
    with _connected(reached.ws_url, reached.ca_file) as connection:
        connection.sendall(client.send(Request(host=parts.netloc, target=parts.path)))
        received = b""
        while not received.endswith(b"\r\n\r\n"):
            received += connection.recv(CHUNK)
        client.receive_data(received)
        list(client.events())  # it is accepted, and may send
        messages = [client.send(TextMessage(frame)) for frame in frames]
        taken = _timed(BareWebSocket(connection).ask, messages, b'{"', clock)
    return Taken(taken[1:])  # the login


@contextmanager
def _connected(url: str, ca_file: str | None) -> Iterator[socket.socket]:
    host, port = address_of(url)
    with socket.create_connection((host, port), TIMEOUT) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        if ca_file is None:
            yield plain
        else:
            with trusting(ca_file).wrap_socket(plain, server_hostname=host) as encrypted:
                yield encrypted


def _timed(ask: Asked, messages: Sequence[bytes], expected: bytes, clock: Clock) -> list[float]:
    taken: list[float] = []
    for message in messages:
        began_ns = clock.monotonic_ns()
        answer = ask(message)
        taken.append(clock.monotonic_ns() - began_ns)
        if not answer.startswith(expected) or b'"error":{' in answer:
            raise RuntimeError(f"the exchange refused: {answer.decode(errors='replace')}")
    return taken


@attrs.frozen
class BareHttp:
    """Requests and answers with a length, and nothing else."""

    connection: socket.socket | ssl.SSLSocket

    def ask(self, message: bytes) -> bytes:
        self.connection.sendall(message)
        answer = self.connection.recv(CHUNK)
        while not _is_whole(answer):
            answer += _more(self.connection)
        return answer


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
    return bool(end) and len(body) >= int(length)


@attrs.frozen
class BareWebSocket:
    """Messages of one frame each, as a server sends them: unmasked, and shorter than 64 KiB."""

    connection: socket.socket | ssl.SSLSocket

    def ask(self, message: bytes) -> bytes:
        self.connection.sendall(message)
        frame = self.connection.recv(CHUNK)
        while (start := _start(frame)) is None:
            frame += _more(self.connection)
        return frame[start:]


def _start(frame: bytes) -> int | None:
    """Where the payload of a whole frame begins; None: there is more to come."""
    if len(frame) < 4:
        return None
    start, length = (2, frame[1]) if frame[1] < 126 else (4, int.from_bytes(frame[2:4]))
    return start if len(frame) >= start + length else None


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(CHUNK)
    if not data:
        raise RuntimeError("the exchange closed the connection")
    return data
