"""The embedded exchange, as the bot starts it: a child that cannot outlive it."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import msgspec
import trio

from bot.core.errors import FatalError
from bot.exchange.settings import ExchangeSettings
from bot.paradex.environment import Venue
from bot.session.stop import Stop
from bot.settings.source import PREFIX, variable
from bot.settings.value import plain

START_DEADLINE = 20.0
"""Seconds until it has to say where it listens: a slow machine imports slowly."""

END_DEADLINE = 2.0
"""Seconds that it has to go once its stdin is closed, before it is killed."""


@attrs.frozen
class Embedded:
    """Where the running child is reached."""

    venue: Venue
    ca_file: Path


class _Ready(msgspec.Struct):
    rest_url: str
    ws_url: str
    ca_file: str


@asynccontextmanager
async def open_embedded(
    settings: ExchangeSettings, stop: Stop, *, hidden: str
) -> AsyncIterator[Embedded | None]:
    """Start the exchange, and end it with the block. None if the bot is to stop before it is up.

    It runs in a session of its own, for a Ctrl-C goes to the whole group and would end it before our orders
    are cancelled; and it ends when its stdin does, so that even a killed bot leaves nothing behind. Of the
    environment it gets everything but the variable ``hidden``, which may hold a key of another account.

    Raises:
        FatalError: it did not come up.
    """
    process = await trio.lowlevel.open_process(
        [
            *(sys.executable, "-m", "bot", "exchange", "--until-stdin-closes", "--log-level", "WARNING"),
            *("--settings", os.devnull),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env=_environment(settings, hidden),
    )
    try:
        line = b""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop.cancel, nursery.cancel_scope)
            line = await _read_line(process)
            nursery.cancel_scope.cancel()
        if stop.is_asked:
            process.kill()  # it holds nothing yet, and would notice its stdin only after its imports
            yield None
        else:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_watch, process, stop)
                yield _embedded(line)
                nursery.cancel_scope.cancel()
    finally:
        with trio.move_on_after(END_DEADLINE, shield=True) as deadline:
            if process.stdin is not None:
                await process.stdin.aclose()
            await process.wait()
        if deadline.cancelled_caught:
            process.kill()
        if process.stdout is not None:
            await trio.aclose_forcefully(process.stdout)


def _environment(settings: ExchangeSettings, hidden: str) -> dict[str, str]:
    """The exchange is told its settings as everybody may tell them: in variables, which beat every file."""
    told = {variable(f"exchange.{key}"): str(value) for key, value in plain(settings).items()}
    others = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {name: value for name, value in others.items() if name != hidden} | told


async def _read_line(process: trio.Process) -> bytes:
    line = b""
    with trio.move_on_after(START_DEADLINE):
        while process.stdout is not None and not line.endswith(b"\n"):
            more = await process.stdout.receive_some()
            if not more:
                break
            line += more
    return line


def _embedded(line: bytes) -> Embedded:
    try:
        ready = msgspec.json.decode(line, type=_Ready)
    except msgspec.DecodeError:
        raise FatalError("the embedded exchange did not start; `bot exchange` shows why") from None
    return Embedded(Venue(ready.rest_url, ready.ws_url), Path(ready.ca_file))


async def _watch(process: trio.Process, stop: Stop) -> None:
    """Without its exchange the bot has nowhere to trade, and nothing to reconnect to."""
    code = await process.wait()
    stop.fail(f"the embedded exchange ended (exit code {code})")
