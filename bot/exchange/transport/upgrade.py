"""The HTTP request that asks for a WebSocket."""

import base64
import binascii

import h11

from bot.exchange.errors import VenueError
from bot.exchange.transport.http import split_target

_KEY_BYTES = 16


def read_upgrade(head: h11.Request) -> bytes:
    """Check an upgrade request, and write the plain one that the WebSocket library is given instead.

    Extensions and subprotocols are offers, and none is taken up. The library sees nothing a client wrote but the
    key: it would die of a host that is no host name.

    Raises:
        VenueError: another path, not an upgrade, or an encoding that is not served.
    """
    segments, query = split_target(head.target.decode("latin-1"))
    headers: dict[bytes, bytes] = {}
    for name, value in head.headers:
        headers[name] = headers[name] + b"," + value if name in headers else value
    if segments not in {("v1",), ("v1", "")}:
        raise VenueError("NOT_FOUND", "no such path")
    tokens = {token.strip() for token in headers.get(b"connection", b"").lower().split(b",")}
    if (
        head.method != b"GET"
        or b"upgrade" not in tokens
        or headers.get(b"upgrade", b"").lower() != b"websocket"
    ):
        raise VenueError("BINDING_ERROR", "this port serves WebSockets only", status=426)
    if headers.get(b"sec-websocket-version") != b"13":
        raise VenueError("BINDING_ERROR", "Sec-WebSocket-Version is not 13", status=426)
    if "sbeSchemaId" in query or "sbeSchemaVersion" in query:
        raise VenueError("INVALID_REQUEST_PARAMETER", "unsupported sbeSchemaId or sbeSchemaVersion")
    key = headers.get(b"sec-websocket-key", b"")
    try:
        nonce = base64.b64decode(key, validate=True)
    except binascii.Error as error:
        raise VenueError("BINDING_ERROR", "Sec-WebSocket-Key is not base64") from error
    if len(nonce) != _KEY_BYTES:
        raise VenueError("BINDING_ERROR", "Sec-WebSocket-Key is not 16 bytes")
    return (
        b"GET /v1 HTTP/1.1\r\nHost: exchange\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
    )
