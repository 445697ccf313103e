"""TLS over a stream, for one task that sends and one that receives.

`trio.SSLStream` takes a lock before the first byte of each message leaves, and lets everybody else run meanwhile: it
is made for any number of tasks. A connection here has one that sends. What is encrypted leaves in the same moment.
"""

import ssl

import trio

CHUNK = 64 * 1024
"""Bytes that are read at a time. A record of TLS is a quarter of it at most."""


class TlsStream(trio.abc.Stream):
    """A client's side of TLS. As elsewhere with HTTPS, whoever closes the connection need not close TLS first."""

    def __init__(self, stream: trio.abc.Stream, context: ssl.SSLContext, server_hostname: str) -> None:
        self._stream = stream
        self._received = ssl.MemoryBIO()
        self._to_send = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._to_send, server_hostname=server_hostname)
        self._is_sending = False

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

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Raises trio.BrokenResourceError: the connection is broken, and nobody knows what of it arrived."""
        view = memoryview(data)
        try:
            while view:
                view = view[self._tls.write(view) :]  # a record at a time
        except ssl.SSLError as error:
            raise trio.BrokenResourceError from error
        await self._send()

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """What has come; nothing at the end.

        Raises:
            trio.BrokenResourceError: the connection is broken, or what came is no TLS.
        """
        while True:
            try:
                data = self._tls.read(max_bytes or CHUNK)
            except ssl.SSLWantReadError:
                await self._receive()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""
            except ssl.SSLError as error:
                raise trio.BrokenResourceError from error
            else:
                if self._to_send.pending:  # new keys are answered
                    await self._send()
                return data

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def _send(self) -> None:
        """Send what is encrypted. Whoever finds somebody at it leaves it to him: he goes on until nothing is left."""
        if self._is_sending:
            return
        self._is_sending = True
        try:
            while data := self._to_send.read():
                await self._stream.send_all(data)
        finally:
            self._is_sending = False

    async def _receive(self) -> None:
        data = await self._stream.receive_some(CHUNK)
        if data:
            self._received.write(data)
        else:
            self._received.write_eof()
