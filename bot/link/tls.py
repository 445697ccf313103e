"""TLS over a connection, for any number of tasks that send and one that receives.

`trio.SSLStream` takes a lock before the first byte of each message leaves, and lets everybody else run meanwhile.
Here what is encrypted is handed over in the same moment, so that records leave in the order in which they were made.
"""

import ssl

import trio

from bot.link.wire import SeenStream

CHUNK = 64 * 1024
"""Bytes that are read at a time. A record of TLS is a quarter of it at most."""


class TlsStream(trio.abc.Stream):
    """A client's side of TLS. As elsewhere with HTTPS, whoever closes the connection need not close TLS first."""

    def __init__(self, stream: SeenStream, context: ssl.SSLContext, server_hostname: str) -> None:
        self._stream = stream
        self._received = ssl.MemoryBIO()
        self._to_send = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._to_send, server_hostname=server_hostname)

    async def do_handshake(self) -> None:
        """Before anything else.

        Raises:
            trio.BrokenResourceError: the connection ended, or the other end is not who it should be.
        """
        is_done, refusal = False, None
        while not is_done:
            try:
                self._tls.do_handshake()
                is_done = True
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:
                refusal = error
            await self._send()  # the other end is told why, too
            if refusal is not None:
                raise trio.BrokenResourceError from refusal
            if not is_done:
                await self._receive()

    def push(self, data: bytes | bytearray | memoryview) -> bool:
        """Encrypt ``data``, and hand it over; as `SeenStream.push`."""
        return self._stream.push(self._encrypted(data))

    async def flush(self) -> None:
        """See `SeenStream.flush`."""
        await self._stream.flush()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Raises trio.BrokenResourceError: the connection is broken, and nobody knows what of it arrived."""
        await self._stream.send_all(self._encrypted(data))

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """What has come; nothing at the end.

        Raises:
            trio.BrokenResourceError: the connection is broken, or what came is no TLS.
        """
        while True:
            if not (self._tls.pending() or self._received.pending or self._received.eof):
                await self._receive()
            try:
                data = self._tls.read(max_bytes or CHUNK)
            except ssl.SSLWantReadError:  # not the whole record yet, or something between two ends of TLS
                await self._receive()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""
            except ssl.SSLError as error:
                raise trio.BrokenResourceError from error
            else:
                await self._send()  # new keys are answered
                return data

    async def aclose(self) -> None:
        await self._stream.aclose()

    def _encrypted(self, data: bytes | bytearray | memoryview) -> bytes:
        view = memoryview(data)
        try:
            while view:
                view = view[self._tls.write(view) :]  # a record at a time
        except ssl.SSLError as error:
            raise trio.BrokenResourceError from error
        return self._to_send.read()

    async def _send(self) -> None:
        if self._to_send.pending:
            await self._stream.send_all(self._to_send.read())

    async def _receive(self) -> None:
        data = await self._stream.receive_some(CHUNK)
        if data:
            self._received.write(data)
        else:
            self._received.write_eof()
