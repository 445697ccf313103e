"""A virtual TCP socket, with the face that trio gives to real ones."""

import errno
import socket
import struct
from collections.abc import Callable
from ipaddress import ip_address
from socket import AddressFamily, SocketKind
from types import TracebackType
from typing import Any, Self, TypeVar, overload

import trio
from typing_extensions import Buffer

from bot.simulation.address import Address, error
from bot.simulation.endpoint import Backlog, Endpoint, Phase
from bot.simulation.host import Host
from bot.simulation.readiness import Readiness

T = TypeVar("T")


class VirtualSocket(trio.socket.SocketType):
    """A TCP socket of a host. What it does not override raises NotImplementedError: datagrams, ancillary data."""

    def __init__(
        self,
        host: Host,
        family: AddressFamily,
        dial: Callable[[Address, Address], Endpoint],
        endpoint: Endpoint | None = None,
    ) -> None:
        super().__init__()
        self._host = host
        self._family = family
        self._dial = dial
        self._endpoint = endpoint
        self._fileno = host.descriptor()
        self._bound: Address | None = None
        self._backlog: Backlog | None = None
        self._options: dict[tuple[int, int], int | bytes] = {}
        self._did_shutdown_write = False

    def __repr__(self) -> str:
        peer = f" to {self._endpoint.peer}" if self._endpoint else ""
        return f"<VirtualSocket on {self._host.name}, {self._local()}{peer}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # What it is.

    @property
    def family(self) -> AddressFamily:
        return self._family

    @property
    def type(self) -> SocketKind:
        return SocketKind.SOCK_STREAM

    @property
    def proto(self) -> int:
        return socket.IPPROTO_TCP

    @property
    def did_shutdown_SHUT_WR(self) -> bool:  # noqa: N802 - trio's name
        return self._did_shutdown_write

    def fileno(self) -> int:
        return self._fileno

    def get_inheritable(self) -> bool:
        return False

    def getsockname(self) -> tuple[Any, ...]:
        self._check_open()
        return self._sockaddr(self._local())

    def getpeername(self) -> tuple[Any, ...]:
        endpoint = self._connection()
        if endpoint.phase is Phase.CLOSED:
            raise error(errno.ENOTCONN)
        return self._sockaddr(endpoint.peer)

    # Options change nothing here. They are kept, so that a test may ask what a program has set.

    @overload
    def getsockopt(self, level: int, optname: int) -> int: ...

    @overload
    def getsockopt(self, level: int, optname: int, buflen: int) -> bytes: ...

    def getsockopt(self, level: int, optname: int, buflen: int | None = None) -> int | bytes:
        self._check_open()
        value: int | bytes
        match level, optname:
            case socket.SOL_SOCKET, socket.SO_ACCEPTCONN:
                value = int(self._backlog is not None)
            case socket.SOL_SOCKET, socket.SO_ERROR:
                value = self._endpoint.take_error() if self._endpoint else 0
            case _:
                value = self._options.get((level, optname), 0)
        if buflen is None:
            return value if isinstance(value, int) else int.from_bytes(value[:4], "little")
        return (struct.pack("i", value) if isinstance(value, int) else value)[:buflen]

    @overload
    def setsockopt(self, level: int, optname: int, value: int | Buffer) -> None: ...

    @overload
    def setsockopt(self, level: int, optname: int, value: None, optlen: int) -> None: ...

    def setsockopt(
        self, level: int, optname: int, value: int | Buffer | None, optlen: int | None = None
    ) -> None:
        self._check_open()
        if value is None:
            value = bytes(optlen or 0)
        self._options[level, optname] = value if isinstance(value, int) else bytes(value)

    # Servers.

    async def bind(self, address: tuple[Any, ...]) -> None:
        await trio.lowlevel.checkpoint()
        ip, port = await self._resolve(address, socket.AI_PASSIVE)
        self._check_open()
        if self._bound or self._endpoint:
            raise error(errno.EINVAL)
        self._bound = self._host.bind(ip, port)

    def listen(self, backlog: int = socket.SOMAXCONN) -> None:  # noqa: ARG002 - see Backlog
        self._check_open()
        if self._endpoint:
            raise error(errno.EINVAL)
        if self._bound is None:
            self._bound = self._host.bind(self._any(), 0)
        if self._backlog is None:
            self._backlog = Backlog()
            self._host.listen(self._bound, self._backlog)

    async def accept(self) -> tuple[trio.socket.SocketType, tuple[Any, ...]]:
        endpoint = await self._when(lambda: self._listening().readable, lambda: self._listening().accept())
        return VirtualSocket(self._host, self._family, self._dial, endpoint), self._sockaddr(endpoint.peer)

    # Clients.

    async def connect(self, address: tuple[Any, ...]) -> None:
        # A cancelled attempt closes the socket, as trio's does: nobody could say what state it is in.
        try:
            await trio.lowlevel.checkpoint()
            ip, port = await self._resolve(address, 0)
            self._check_open()
            if self._endpoint or self._backlog:
                raise error(errno.EISCONN)
            source = self._host.source(ip)
            self._bound = self._bound or self._host.bind(source, 0)
            local = Address(source if self._bound.ip == self._any() else self._bound.ip, self._bound.port)
            self._endpoint = self._dial(local, Address(ip, port))
            await self._endpoint.writable.wait()
            self._endpoint.raise_error()
        except trio.Cancelled:
            self.close()
            raise

    # Both.

    async def recv(self, buflen: int, flags: int = 0, /) -> bytes:
        _no_flags(flags)
        return await self._when(lambda: self._connection().readable, lambda: self._connection().recv(buflen))

    async def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        with memoryview(buffer).cast("B") as view:
            data = await self.recv(nbytes or len(view), flags)
            view[: len(data)] = data
        return len(data)

    async def send(self, data: Buffer, flags: int = 0, /) -> int:
        _no_flags(flags)
        copy = bytes(data)
        return await self._when(lambda: self._connection().writable, lambda: self.send_now(copy))

    def send_now(self, data: Buffer) -> int:
        """See `bot.link.wire.send_now`."""
        return self._connection(errno.EPIPE).send(bytes(data))

    def is_readable(self) -> bool:
        self._check_open()
        source = self._backlog or self._endpoint
        return source is not None and source.is_readable()

    async def wait_writable(self) -> None:
        def look() -> None:
            if not self._connection().is_writable():
                raise BlockingIOError

        await self._when(lambda: self._connection().writable, look)

    def shutdown(self, flag: int) -> None:
        if flag != socket.SHUT_WR:
            raise NotImplementedError("nobody here shuts down reading")
        self._connection().end()
        self._did_shutdown_write = True

    def close(self) -> None:
        if self._fileno == -1:
            return
        self._fileno = -1
        if self._bound:
            self._host.unbind(self._bound)
        if self._backlog:
            self._backlog.close()
        if self._endpoint:
            if self._options.get((socket.SOL_SOCKET, socket.SO_LINGER)) == struct.pack("ii", 1, 0):
                self._endpoint.abort()
            else:
                self._endpoint.close()

    # How.

    async def _when(self, readiness: Callable[[], Readiness], attempt: Callable[[], T]) -> T:
        """Try; if that would block, wait and try again. One checkpoint if it does not block, as trio's sockets."""
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            result = attempt()
        except BlockingIOError:
            pass
        except OSError:
            await trio.lowlevel.cancel_shielded_checkpoint()
            raise
        else:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return result
        while True:
            await readiness().wait()
            try:
                return attempt()
            except BlockingIOError:
                pass

    def _check_open(self) -> None:
        if self._fileno == -1:
            raise error(errno.EBADF)

    def _connection(self, absent: int = errno.ENOTCONN) -> Endpoint:
        self._check_open()
        if self._endpoint is None:
            raise error(absent)
        return self._endpoint

    def _listening(self) -> Backlog:
        self._check_open()
        if self._backlog is None:
            raise error(errno.EINVAL)
        return self._backlog

    def _local(self) -> Address:
        if self._endpoint:
            return self._endpoint.local
        return self._bound or Address(self._any(), 0)

    def _any(self) -> str:
        return "::" if self._family is AddressFamily.AF_INET6 else "0.0.0.0"  # noqa: S104 - of a virtual host

    def _sockaddr(self, address: Address) -> tuple[Any, ...]:
        scope = (0, 0) if self._family is AddressFamily.AF_INET6 else ()
        return (address.ip, address.port, *scope)

    async def _resolve(self, address: tuple[Any, ...], flags: int) -> tuple[str, int]:
        host, port, *_ = address
        [(*_, (ip, number, *_)), *_] = await trio.socket.getaddrinfo(
            host or None, port, self._family, self.type, self.proto, flags
        )
        return ip_address(ip).compressed, int(number)


def _no_flags(flags: int) -> None:
    if flags:
        raise NotImplementedError(f"flags {flags}")
