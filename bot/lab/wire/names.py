"""The bot with a name service of its own: a file, which may change at any time, says what a host's address is."""

import json
import socket
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bot.__main__ import main

_getaddrinfo = socket.getaddrinfo


def write(file: Path, addresses: Mapping[str, str]) -> None:
    """Let names stand for these addresses; any other name cannot be looked up."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(addresses))
    new.replace(file)


def look_up(file: Path, host: str | None, *others: Any, **more: Any) -> Any:
    """As `socket.getaddrinfo`. Raises `socket.gaierror` as with a resolver that nobody answers."""
    address = json.loads(file.read_text()).get(host)
    if address is None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    return _getaddrinfo(address, *others, **more)


if __name__ == "__main__":
    socket.getaddrinfo = partial(look_up, Path(sys.argv.pop(1)).absolute())
    sys.exit(main())
