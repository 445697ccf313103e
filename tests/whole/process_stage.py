"""A bot as a process, and an exchange as another that outlives it."""

import json
import os
import secrets
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE = 60  # s; only a hang lasts that long
BOT = (sys.executable, "-m", "bot")
AT_MOST = ("--for", "60")
"""Ends a bot that missed what it should have stopped at."""


def environment(folder: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """For a bot that finds nothing but what is in ``folder``."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_STATE_HOME": str(folder / "state"),
        "PYTHONPATH": str(REPOSITORY),
        "BOT__EXCHANGE__RTT_MS": "60",
        **(more or {}),
    }


class Bot:
    """A bot process, and its log so far."""

    def __init__(self, folder: Path, *command: str, **others: Any) -> None:
        """``others`` go to `subprocess.Popen`; ``more`` are variables of its environment."""
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(folder, others.pop("more", None)),
            **{
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "start_new_session": True,
            }
            | others,
            text=True,
        )
        self.log = ""

    def wait_for(self, text: str) -> None:
        """Read the log up to a line that contains this."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log += line
            if text in line:
                return
        pytest.fail(f"the log ended without {text!r}")

    def end(self) -> str:
        """The rest of stdout, when no process is left that holds either pipe."""
        stdout, log = self.process.communicate(timeout=PATIENCE)
        self.log += log or ""
        assert "Traceback" not in self.log
        return stdout


@attrs.frozen
class Exchange:
    """A running exchange, told by its line of JSON."""

    ready: Mapping[str, Any]

    def account(self, market: str) -> dict[str, str]:
        """Variables that make a bot trade in ``market`` there, in a new account."""
        return {
            "BOT__ENVIRONMENT": "testnet",
            "BOT__VENUE__REST_URL": self.ready["rest_url"],
            "BOT__VENUE__WS_URL": self.ready["ws_url"],
            "BOT__VENUE__CA_FILE": self.ready["ca_file"] or "",
            "BOT__ACCOUNT__ETHEREUM_ADDRESS": "0x" + "00" * 20,
            "BOT__ORDERS__MARKETS": json.dumps([market]),
            "PARADEX_PRIVATE_KEY": hex(secrets.randbits(250) + 1),
        }

    def ask(self, method: str, lever: str, body: Mapping[str, Any] | None = None) -> Any:
        """Pull a lever of the control port."""
        request = urllib.request.Request(  # noqa: S310 - plain HTTP, on loopback
            self.ready["control_url"] + lever,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - as above
            return json.load(answer)


@contextmanager
def open_exchange(folder: Path, *arguments: str, more: Mapping[str, str] | None = None) -> Iterator[Exchange]:
    """An exchange that nothing but the block ends."""
    process = subprocess.Popen(
        [*BOT, "exchange", "--until-stdin-closes", "--log-level", "WARNING", *arguments],
        cwd=folder,
        env=environment(folder, more),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Exchange(json.loads(process.stdout.readline()))
        process.stdin.close()
        assert process.wait(PATIENCE) == 0
