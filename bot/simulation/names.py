"""The name service of a virtual network, behind trio's hook for one."""

import socket
from ipaddress import ip_address
from socket import AddressFamily, SocketKind
from typing import Any

import trio


class Names(trio.abc.HostnameResolver):
    """Which name stands for which addresses, and which names cannot be looked up at the moment.

    Numeric addresses never come here: trio itself takes them as they are.
    """

    def __init__(self) -> None:
        self.delay = 0.0
        """Seconds that a look-up takes."""
        self._addresses: dict[str, tuple[str, ...]] = {}
        self._failing: set[str] = set()

    def set(self, name: str, *addresses: str) -> None:
        """Let ``name`` stand for these addresses from now on, in this order; for none: the name is unknown."""
        self._addresses[name.lower()] = addresses

    def fail(self, *names: str) -> None:
        """Fail look-ups of these names, or of all if none is given, as when no name server answers."""
        self._failing.update(name.lower() for name in names or self._addresses)

    def heal(self) -> None:
        """Answer again."""
        self._failing.clear()

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,  # noqa: A002 - trio's name
        proto: int = 0,
        flags: int = 0,  # noqa: ARG002 - passive or not, the answer is the same
    ) -> list[Any]:
        """Look a name up, as `trio.socket.getaddrinfo` asks.

        Raises:
            socket.gaierror: EAI_NONAME for an unknown name, EAI_AGAIN while it fails.
        """
        await trio.sleep(self.delay)
        name = (host or b"").decode("ascii").lower()
        if name in self._failing:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        found = []
        for address in self._addresses.get(name, ()):
            of_family = AddressFamily.AF_INET if ip_address(address).version == 4 else AddressFamily.AF_INET6
            if family in {0, of_family}:
                kind = SocketKind(type or SocketKind.SOCK_STREAM)
                end = (0, 0) if of_family is AddressFamily.AF_INET6 else ()
                found.append(
                    (of_family, kind, proto or socket.IPPROTO_TCP, "", (address, int(port or 0), *end))
                )
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return found

    async def getnameinfo(self, sockaddr: tuple[Any, ...], flags: int) -> tuple[str, str]:  # noqa: ARG002 - always numeric
        """The numeric form: no address of this network has a name of its own."""
        await trio.lowlevel.checkpoint()
        return str(sockaddr[0]), str(sockaddr[1])
