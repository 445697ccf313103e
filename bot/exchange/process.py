"""The exchange as a process of its own: certificate, one line of JSON when ready, and a clean end."""

import os
import signal
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

import attrs
import msgspec
import trio
import trustme
from loguru import logger

from bot.core.clock import Clock
from bot.exchange.server import Listen, Serving, serve
from bot.exchange.settings import ExchangeSettings

_STDIN = 0


@attrs.frozen
class Certificate:
    """A server context, and the file that holds the authority that signed its certificate."""

    context: ssl.SSLContext
    ca_file: Path


@contextmanager
def own_certificate(host: str) -> Iterator[Certificate]:
    """A fresh authority and a certificate of it; the file is private and goes away in the end."""
    authority = trustme.CA()
    names = dict.fromkeys(["127.0.0.1", "localhost", "::1", host or "localhost"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    context.set_alpn_protocols(["http/1.1"])
    with tempfile.TemporaryDirectory(prefix="paradex-exchange-") as folder:
        ca_file = Path(folder) / "ca.pem"
        authority.cert_pem.write_to_path(str(ca_file))
        yield Certificate(context, ca_file)


@attrs.frozen(kw_only=True)
class Manner:
    """How a process of its own serves: ``plain`` without TLS, ``verify`` false without checking signatures."""

    plain: bool = False
    verify: bool = True
    requests: Path | None = None
    """The file that every request is appended to, a line of JSON each."""
    until_stdin_closes: bool = False


async def run(settings: ExchangeSettings, clock: Clock, listen: Listen, manner: Manner) -> None:
    """Serve until SIGINT, SIGTERM, or (if asked) the end of stdin.

    Prints exactly one line of JSON when ready: ``rest_url``, ``ws_url``, ``ca_file`` (null with ``plain``),
    ``control_url``, ``pid``.

    Raises:
        OSError: a port cannot be bound, or the log of requests cannot be opened.
    """
    with (
        trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals,
        nullcontext() if manner.plain else own_certificate(listen.host) as certificate,
        nullcontext() if manner.requests is None else manner.requests.open("ab", buffering=0) as log,
    ):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch_signals, signals, nursery.cancel_scope)
            if manner.until_stdin_closes:
                nursery.start_soon(_watch_stdin, nursery.cancel_scope)
            context = None if certificate is None else certificate.context
            serving = await nursery.start(
                partial(serve, verify=manner.verify, write_log=None if log is None else log.write),
                settings,
                clock,
                listen,
                context,
            )
            sys.stdout.write(_ready_line(serving, certificate))
            sys.stdout.flush()


async def _watch_signals(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    async for number in signals:
        logger.info("{}: stopping", signal.Signals(number).name)
        scope.cancel()


async def _watch_stdin(scope: trio.CancelScope) -> None:
    # A copy: trio makes what it is given non-blocking and closes it.
    async with trio.lowlevel.FdStream(os.dup(_STDIN)) as stream:
        while await stream.receive_some():
            pass
    logger.info("stdin closed: stopping")
    scope.cancel()


def _ready_line(serving: Serving, certificate: Certificate | None) -> str:
    line = {
        "rest_url": serving.rest_url,
        "ws_url": serving.ws_url,
        "ca_file": None if certificate is None else str(certificate.ca_file),
        "control_url": serving.control_url,
        "pid": os.getpid(),
    }
    return msgspec.json.encode(line).decode() + "\n"
