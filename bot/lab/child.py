"""An exchange in a process of its own, for measurements and trials that need one."""

import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import attrs
import msgspec
import trio

Address = tuple[str, int]
"""Host and port."""


def address_of(url: str) -> Address:
    """Where a URL leads. Raises ValueError."""
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError(f"{url} is no address")
    return parts.hostname, parts.port or (443 if parts.scheme in {"https", "wss"} else 80)


class Reached(msgspec.Struct, frozen=True):
    """Where a running exchange is, as the line that it prints tells."""

    rest_url: str
    ws_url: str
    ca_file: str | None
    control_url: str
    pid: int


@attrs.frozen
class Child:
    """A running exchange."""

    process: trio.Process
    reached: Reached


@asynccontextmanager
async def open_exchange(*options: str, env: Mapping[str, str] | None = None) -> AsyncIterator[Child]:
    """Start ``bot exchange`` with these options, and end it with the block.

    Raises:
        RuntimeError: it did not start.
    """
    process = await trio.lowlevel.open_process(
        [
            *(sys.executable, "-m", "bot", "exchange", "--until-stdin-closes", "--log-level", "WARNING"),
            *options,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=env,
        start_new_session=True,  # Ctrl-C goes to the whole group, and this one ends when it is no longer needed
    )
    async with process.stdin, process.stdout:  # type: ignore[union-attr] # both are pipes
        line = b""
        while not line.endswith(b"\n"):
            more = await process.stdout.receive_some()  # type: ignore[union-attr] # as above
            if not more:
                raise RuntimeError("the exchange did not start")
            line += more
        yield Child(process, msgspec.json.decode(line, type=Reached))
        await process.stdin.aclose()  # type: ignore[union-attr] # as above
        await process.wait()
