"""A bad network by hand: put between a client and its exchange, and told line by line how bad it is."""

import os
import sys
from contextlib import suppress
from functools import partial
from urllib.parse import urlsplit

import cyclopts
import msgspec
import trio

from bot.lab.child import address_of
from bot.lab.proxy.commands import HELP, CommandError, obey
from bot.lab.proxy.relay import LOOPBACK, Relay, open_relay

_STDIN = 0


def through(url: str, relay: Relay) -> str:
    """The same address by way of the relay."""
    host, port = relay.address
    return urlsplit(url)._replace(netloc=f"{f'[{host}]' if ':' in host else host}:{port}").geturl()


async def serve(rest_url: str, ws_url: str, host: str, rest_port: int, ws_port: int, seed: int) -> None:
    """Print where the proxy listens, a line of JSON, and do what each line of stdin says, until its end.

    Raises:
        OSError: it cannot listen there.
    """
    async with (
        open_relay(address_of(rest_url), host=host, port=rest_port, seed=seed) as rest,
        open_relay(address_of(ws_url), host=host, port=ws_port, seed=seed) as ws,
    ):
        listens = {"rest_url": through(rest_url, rest), "ws_url": through(ws_url, ws)}
        sys.stdout.write(msgspec.json.encode(listens).decode() + "\n")
        sys.stdout.flush()
        unread = b""
        # A copy: trio makes what it is given non-blocking and closes it.
        async with trio.lowlevel.FdStream(os.dup(_STDIN)) as stdin:
            while data := await stdin.receive_some():
                *lines, unread = (unread + data).split(b"\n")
                for line in lines:
                    _obey(line.decode(errors="replace"), {"rest": rest, "ws": ws})


def _obey(line: str, relays: dict[str, Relay]) -> None:
    if line.strip() == "help":
        sys.stderr.write(HELP)
        return
    try:
        obey(line, relays)
    except CommandError as error:
        sys.stderr.write(f"{error}; `help` lists what there is\n")


def main(
    rest_url: str,
    ws_url: str,
    *,
    host: str = LOOPBACK,
    rest_port: int = 0,
    ws_port: int = 0,
    seed: int = 0,
) -> int:
    """Listen on two ports, and lead each to an address of an exchange; lines on stdin change the way. Ctrl-D ends it.

    Args:
        rest_url: as `bot exchange` prints it.
        ws_url: likewise.
        host: IP address to listen on.
        rest_port: 0 is any free one.
        ws_port: likewise.
        seed: decides about jitter.
    """
    try:
        with suppress(KeyboardInterrupt):
            trio.run(partial(serve, rest_url, ws_url, host, rest_port, ws_port, seed))
    except (ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(cyclopts.run(main))
