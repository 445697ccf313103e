"""Other clients of the venue, each in a process and an environment of its own, where they run `clients/turns.py`."""

import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

import attrs
import msgspec
import trio

from benchmarks.orders.side import Side, Taken, Turn, UnavailableError, Way
from bot.lab.child import Reached

PROJECT = Path(__file__).resolve().parents[2]

CLIENTS = {"sdk": "paradex-py", "ccxt": "ccxt"}
"""Their names in ``clients/``, and as packages."""

WAYS: dict[str, tuple[Way, ...]] = {"sdk": ("REST", "WebSocket"), "ccxt": ("REST",)}
"""By which they can send orders."""

PATIENCE = 120.0
"""Seconds for an environment to be made, for a client to start, and for a turn of it."""


def others() -> list[Side]:
    """All of them, with the versions that are pinned."""
    return [
        Side(f"{package} {_pinned(name, package)}", way, partial(open_client, name, way))
        for name, package in CLIENTS.items()
        for way in WAYS[name]
    ]


def _pinned(name: str, package: str) -> str:
    lines = (PROJECT / f"clients/requirements-{name}.txt").read_text().splitlines()
    return next(line.split()[0].partition("==")[2] for line in lines if line.startswith(f"{package}=="))


@asynccontextmanager
async def open_client(name: str, way: Way, reached: Reached) -> AsyncIterator[Turn]:
    """Start the client ``name``; it ends with the block.

    Raises:
        UnavailableError: its environment cannot be made, or it does not start; the turn, too, if it ends.
    """
    with tempfile.TemporaryFile() as complaints:
        await _install(name, complaints)
        process = await trio.lowlevel.open_process(
            [
                *(PROJECT / f"clients/.venv-{name}/bin/python", PROJECT / f"clients/{name}_orders.py"),
                *("--ready", msgspec.json.encode(reached).decode()),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            start_new_session=True,  # Ctrl-C goes to the whole group, and this one ends with its stdin
        )
        client = _Client(process, complaints)
        try:
            await client.hear()
            yield partial(client.turn, way)
        finally:
            process.kill()
            with trio.CancelScope(shield=True):  # a process that was killed ends at once
                await process.wait()


async def _install(name: str, complaints: IO[bytes]) -> None:
    with trio.move_on_after(PATIENCE) as deadline:
        done = await trio.run_process(
            ["sh", "clients/install.sh", name],  # the system's shell, and a script of ours
            cwd=PROJECT,
            check=False,
            stderr=complaints,
        )
        if done.returncode:
            raise UnavailableError(_last_line(complaints))
    if deadline.cancelled_caught:
        raise UnavailableError(f"its environment was not made within {PATIENCE:g} s")


@attrs.define(eq=False)
class _Client:
    process: trio.Process
    complaints: IO[bytes]
    _heard: bytearray = attrs.field(factory=bytearray)

    async def turn(self, way: Way, count: int) -> Taken:
        with suppress(trio.BrokenResourceError):  # it has ended, and why is heard next
            await self.process.stdin.send_all(f"{way} {count}\n".encode())  # type: ignore[union-attr] # a pipe
        return Taken(msgspec.json.decode(await self.hear(), type=list[float]))

    async def hear(self) -> bytes:
        """The next line. Raises UnavailableError."""
        with trio.move_on_after(PATIENCE) as deadline:
            while b"\n" not in self._heard:
                more = await self.process.stdout.receive_some()  # type: ignore[union-attr] # a pipe
                if not more:
                    raise UnavailableError(f"it has ended: {_last_line(self.complaints)}")
                self._heard += more
        if deadline.cancelled_caught:
            raise UnavailableError(f"it said nothing for {PATIENCE:g} s")
        line, _, self._heard = self._heard.partition(b"\n")
        return bytes(line)


def _last_line(complaints: IO[bytes]) -> str:
    complaints.seek(0)
    lines = complaints.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it did not say why")
