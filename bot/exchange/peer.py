"""Who is at the other end of a connection."""

from ipaddress import IPv6Address, ip_address

import trio

LOOPBACK = "127.0.0.1"


def peer_of(stream: trio.abc.Stream) -> str:
    """The IP address of a connection's far end; a stream that never left this process has loopback's.

    Ask the stream that was accepted: wrappers (delay, TLS) do not pass it on.

    Raises:
        trio.BrokenResourceError: the client is gone already.
    """
    if not isinstance(stream, trio.SocketStream):
        return LOOPBACK
    try:
        host: str = stream.socket.getpeername()[0]
    except OSError as error:
        raise trio.BrokenResourceError from error
    address = ip_address(host.partition("%")[0])
    # A dual-stack listener sees IPv4 clients in IPv6 clothes; allow-lists and limits mean one client by both.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
