"""From which addresses a subkey or token may be used (protocol reference 2.2; openapi, ``allowed-cidrs``)."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import attrs

from bot.exchange.errors import VenueError
from bot.exchange.limits import MOST_CIDRS


@attrs.frozen
class AllowList:
    """Networks from which calls are let in; none means all."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    def permits(self, ip: str) -> bool:
        """Whether a call from this address is let in."""
        if not self.networks:
            return True
        address = ip_address(ip)
        return any(address in network for network in self.networks)

    def check(self, ip: str) -> None:
        """Let a call in.

        Raises:
            VenueError: IP_NOT_ALLOWED.
        """
        if not self.permits(ip):
            raise VenueError("IP_NOT_ALLOWED", f"calls from {ip} are not allowed")

    def view(self) -> list[str]:
        """As the venue writes it."""
        return [str(network) for network in self.networks]


ANYWHERE = AllowList()


def read_cidrs(texts: Sequence[str]) -> AllowList:
    """Read networks like ``203.0.113.0/24``. Bits beyond the prefix, and addresses without one, are refused.

    Raises:
        VenueError: INVALID_REQUEST_PARAMETER.
    """
    if len(texts) > MOST_CIDRS:
        raise VenueError("INVALID_REQUEST_PARAMETER", f"allowed_cidrs has more than {MOST_CIDRS} entries")
    return AllowList(tuple(map(_read_cidr, texts)))


def _read_cidr(text: str) -> IPv4Network | IPv6Network:
    if "/" not in text:
        raise VenueError("INVALID_REQUEST_PARAMETER", f"{text[:50]!r} has no prefix length")
    try:
        return ip_network(text)
    except ValueError as error:
        raise VenueError("INVALID_REQUEST_PARAMETER", f"{text[:50]!r} is not a network") from error
