"""A machine on the virtual network: its addresses and its ports."""

import errno
from collections import defaultdict
from ipaddress import ip_address
from itertools import chain, count

from bot.simulation.address import Address, error
from bot.simulation.endpoint import Backlog

FIRST_EPHEMERAL = 49152
"""The ports that are given out to whoever asks for any: from here to 65535 (RFC 6335, section 6)."""

FIRST_DESCRIPTOR = 1 << 30
"""No process has so many files open: the kernel answers EBADF to whoever takes one of these for its own."""


class Host:
    """A machine with a name and addresses. Programs run on it inside `Network.on`."""

    def __init__(self, name: str, addresses: tuple[str, ...]) -> None:
        self.name = name
        self.addresses = tuple(ip_address(address).compressed for address in addresses)
        self._bound: defaultdict[int, set[str]] = defaultdict(set)  # port → addresses
        self._backlogs: dict[Address, Backlog] = {}
        self._next_port = FIRST_EPHEMERAL
        self._descriptors = count(FIRST_DESCRIPTOR)

    def __repr__(self) -> str:
        return f"<Host {self.name}>"

    def descriptor(self) -> int:
        """A number for a new socket."""
        return next(self._descriptors)

    def owns(self, ip: str) -> bool:
        """Whether packets to ``ip`` sent here stay here."""
        return ip in self.addresses or ip_address(ip).is_loopback

    def source(self, remote: str) -> str:
        """The address that packets to ``remote`` are sent from.

        Raises:
            OSError: ENETUNREACH: this host has no address of that family.
        """
        if self.owns(remote):
            return remote
        for address in self.addresses:
            if ip_address(address).version == ip_address(remote).version:
                return address
        raise error(errno.ENETUNREACH)

    def bind(self, ip: str, port: int) -> Address:
        """Take a port; 0 stands for any that is free.

        Raises:
            OSError: EADDRNOTAVAIL, EADDRINUSE.
        """
        if not (self.owns(ip) or ip_address(ip).is_unspecified):
            raise error(errno.EADDRNOTAVAIL)
        # Ports are given out in a circle, so that one that was just given back is not soon seen again.
        here = self._next_port
        candidates = [port] if port else chain(range(here, 65536), range(FIRST_EPHEMERAL, here))
        for candidate in candidates:
            if not any(_collide(ip, other) for other in self._bound[candidate]):
                self._bound[candidate].add(ip)
                self._next_port = self._next_port if port else candidate + 1
                return Address(ip, candidate)
        raise error(errno.EADDRINUSE)

    def unbind(self, address: Address) -> None:
        """Give a port back."""
        self._bound[address.port].remove(address.ip)
        self._backlogs.pop(address, None)

    def listen(self, address: Address, backlog: Backlog) -> None:
        """Let connections to a bound address wait in ``backlog``."""
        self._backlogs[address] = backlog

    def listener(self, address: Address) -> Backlog | None:
        """Where connections to ``address`` wait, if anybody listens."""
        wildcard = Address(_wildcard(address.ip), address.port)
        return self._backlogs.get(address) or self._backlogs.get(wildcard)


def _wildcard(ip: str) -> str:
    return "0.0.0.0" if ip_address(ip).version == 4 else "::"  # noqa: S104 - a name, nothing is opened


def _collide(ip: str, other: str) -> bool:
    return ip == other or _wildcard(ip) == _wildcard(other) in {ip, other}
