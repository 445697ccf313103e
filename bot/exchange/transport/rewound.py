"""The stream under a server's WebSocket: what its library loses, or leaves out, or would never do."""

from collections.abc import Callable
from contextlib import suppress

import trio

CLOSE_FRAME = b"\x88\x02"
_TEXT_FRAME = b"\x81"
"""How frames begin: of two bytes, a close code, and the first and last of a text."""

_CANNOT_SEND = (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError)


class Rewound(trio.abc.Stream):
    """A stream that first gives back what was read already: the upgrade, and once that is accepted the rest.

    The library loses what it reads between the upgrade and its acceptance. And it closes the stream of a client that
    it cannot read without the close frame that says so (RFC 6455, 7.1.7): ``last_words`` is what is sent then.
    Of a text frame no more than a ``part`` leaves where one is set, and nothing after it: a fault.
    """

    def __init__(self, stream: trio.abc.Stream, upgrade: bytes, rest: bytes) -> None:
        self._stream = stream
        self._read = [upgrade, rest]
        self.accepted = trio.Event()
        self.closed = trio.Event()
        self.last_words: Callable[[], bytes] = bytes
        self.part = 1.0
        self._is_torn = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if len(self._read) < 2:
            await self.accepted.wait()
        while self._read:
            data = self._read.pop(0)
            if data:
                await trio.lowlevel.checkpoint()
                return data
        return await self._stream.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if data[:1] == CLOSE_FRAME[:1]:
            self.last_words = bytes
        if self.part < 1:
            data = self._tear(data)
        await self._stream.send_all(data)

    def _tear(self, data: bytes | bytearray | memoryview) -> bytes | bytearray | memoryview:
        if self._is_torn:
            return b""
        if data[:1] == _TEXT_FRAME:
            self._is_torn = True
            return data[: int(self.part * len(data))]
        return data

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        if words := self.last_words():
            with suppress(*_CANNOT_SEND):
                await self._stream.send_all(words)
        await self._stream.aclose()
        self.closed.set()
