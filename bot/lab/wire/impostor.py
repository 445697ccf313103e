"""Somebody who answers in the exchange's place, and cannot prove to be it."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import trio
import trustme

from bot.lab.child import Address
from bot.lab.proxy.relay import LOOPBACK
from bot.lab.wire.errors import RowFailedError

Issue = Callable[[trustme.CA], trustme.LeafCert]

_PAST = datetime(2019, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)

IMPOSTORS: dict[str, tuple[Issue, str]] = {
    "unknown CA": (lambda _: trustme.CA().issue_cert(LOOPBACK), "unable to get local issuer certificate"),
    "wrong host": (lambda authority: authority.issue_cert("other.test"), "mismatch"),
    "expired certificate": (
        lambda authority: authority.issue_cert(LOOPBACK, not_before=_PAST[0], not_after=_PAST[1]),
        "certificate has expired",
    ),
}
"""By name: its certificate, made with an authority that the client trusts; and how the client names what is wrong."""


@asynccontextmanager
async def open_impostor(what: str, authority: trustme.CA) -> AsyncIterator[Address]:
    """Where one of `IMPOSTORS` listens.

    Raises:
        RowFailedError: somebody took it for the exchange.
    """
    issue, _ = IMPOSTORS[what]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issue(authority).configure_cert(context)

    async def greet(raw: trio.SocketStream) -> None:
        stream = trio.SSLStream(raw, context, server_side=True)
        try:
            # In TLS 1.3 a server learns only by the first bytes that its certificate was believed.
            is_believed = bool(await stream.receive_some(1))
        except trio.BrokenResourceError:
            is_believed = False
        finally:
            await trio.aclose_forcefully(stream)
        if is_believed:
            raise RowFailedError("it spoke to somebody who cannot prove to be the exchange")

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host=LOOPBACK)
        await nursery.start(trio.serve_listeners, greet, listeners)
        yield listeners[0].socket.getsockname()
        nursery.cancel_scope.cancel()
