"""Calls over a socket that are in flight together, and what comes of them."""

import json
from collections.abc import Iterable
from typing import Any

import attrs
import trio
from exchange_stage import SocketClient, Stage
from stream_stage import order
from trio_websocket import ConnectionClosed, wrap_client_stream

from bot.exchange.faults.faults import Fault

A_WHILE = 30.0
"""Seconds after which what has not come is not waited for."""


@attrs.frozen
class Told:
    """What a socket was told: frames as they came, and when, in seconds since the first call."""

    frames: tuple[tuple[float, Any], ...]
    ended_at: float | None
    code: int | None
    """How the socket ended, if it did; 1006 is without a close frame."""

    def replies(self) -> list[tuple[float, object, Any]]:
        """When, to which call, and the code of the error or "ok"."""
        return [
            (at, frame.get("id"), "ok" if "result" in frame else frame["error"]["code"])
            for at, frame in self.frames
            if isinstance(frame, dict) and "method" not in frame
        ]


async def call_all(socket: SocketClient, calls: Iterable[tuple[str, Any]], wait: float = A_WHILE) -> Told:
    """Make calls at once, numbered from 1, and hear what comes within a while, or until the socket ends."""
    began = trio.current_time()
    for number, (method, params) in enumerate(calls, 1):
        await socket.send(method, params, number)
    frames: list[tuple[float, Any]] = []
    with trio.move_on_after(wait):
        try:
            while True:
                message = await socket.socket.get_message()
                frames.append((round(trio.current_time() - began, 3), _read(message)))
        except ConnectionClosed as closed:
            code = None if closed.reason is None else closed.reason.code
            return Told(tuple(frames), round(trio.current_time() - began, 3), code)
    return Told(tuple(frames), None, None)


def _read(message: str | bytes) -> Any:
    """JSON, or what came if it is none."""
    try:
        return json.loads(message) if isinstance(message, str) else message
    except (ValueError, RecursionError):
        return message


def creates(*client_ids: str, **changes: Any) -> list[tuple[str, Any]]:
    """A call for an order of each client id."""
    return [("order.create", order(client_id=client_id, **changes)) for client_id in client_ids]


def arm(room: Stage, *faults: Fault) -> None:
    for fault in faults:
        room.exchange.faults.add(fault)


def accepted(room: Stage) -> list[str]:
    """The client ids of all orders, in the order of their acceptance."""
    return [each.client_id for each in room.exchange.orders.values()]


class Recorded(trio.abc.Stream):
    """A client's stream that keeps all bytes that came."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.came = bytearray()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self._stream.receive_some(max_bytes)
        self.came += data
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


async def recorded_socket(room: Stage) -> tuple[SocketClient, Recorded]:
    """A socket, and the bytes that come over it."""
    stream = Recorded(room.raw_websocket())
    socket = await wrap_client_stream(room.nursery, stream, "exchange", "/v1", message_queue_size=1000)  # type: ignore[arg-type]
    return SocketClient(socket), stream
