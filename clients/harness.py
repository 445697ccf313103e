"""What both scripts share: an exchange to talk to, steps that are reported, and no way out of this machine."""

import argparse
import faulthandler
import ipaddress
import json
import os
import subprocess
import sys
import time
import traceback
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LONGEST_DAY = 600  # seconds; a script that hangs tells where, and fails


@dataclass(frozen=True)
class Venue:
    """The line of JSON that `bot exchange` prints when it is ready."""

    rest_url: str
    ws_url: str
    ca_file: str | None
    control_url: str
    pid: int

    def pull(self, lever: str, **body: Any) -> Any:
        """Pull a lever of the control port (`GET` of its root lists them)."""
        request = urllib.request.Request(
            f"{self.control_url}/{lever}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


@contextmanager
def venue(about: str) -> Iterator[Venue]:
    """The exchange to use: a child of this process, or the one that `--ready` describes."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--plain", action="store_true", help="http and ws instead of https and wss")
    parser.add_argument("--ready", help="use the running exchange that printed this line of JSON")
    parser.add_argument(
        "--bot", default=HERE.parent / ".venv/bin/bot", help="the bot's executable [%(default)s]"
    )
    parser.add_argument("--log-level", default="WARNING", help="how much the exchange tells on stderr")
    options = parser.parse_args()
    faulthandler.dump_traceback_later(LONGEST_DAY, exit=True)
    _stay_on_loopback()
    if options.ready:
        yield _read(options.ready)
        return
    command = [str(options.bot), "exchange", "--until-stdin-closes", "--log-level", options.log_level]
    with subprocess.Popen(
        command + ["--plain"] * options.plain, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        line = child.stdout.readline()
        if not line:
            sys.exit(f"the exchange did not start: {' '.join(command)}")
        try:
            yield _read(line)
        finally:
            child.stdin.close()
            child.wait(timeout=10)


def _read(line: str) -> Venue:
    told = json.loads(line)
    return Venue(**{name: told[name] for name in Venue.__dataclass_fields__})


def _stay_on_loopback() -> None:
    """Refuse every connection that would leave this machine: a forgotten URL must not reach the real venue."""

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and isinstance(arguments[1], tuple):
            host = arguments[1][0]
        elif event == "socket.getaddrinfo":
            host = arguments[0]
        else:
            return
        if isinstance(host, bytes):
            host = host.decode()
        if host != "localhost" and not _is_loopback(host):
            raise PermissionError(f"this script talks to loopback only, not to {host}")

    sys.addaudithook(watch)


def _is_loopback(host: str | None) -> bool:
    try:
        return host is None or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Missing(Exception):
    """Not a failure: the client has no such call, or the venue no such thing."""


@dataclass
class Steps:
    """The steps of one script: each prints a line, and any failure is remembered."""

    ok: int = 0
    failed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[object], None]]:
        """One step. What it yields adds to its line; whatever is raised inside ends the step, not the day."""
        notes: list[str] = []
        try:
            yield lambda note: notes.append(str(note))
        except Missing as reason:
            self.missing.append(name)
            self._print("MISSING", name, str(reason))
        except Exception as error:
            self.failed.append(name)
            self._print("FAIL", name, _told(error))
        else:
            self.ok += 1
            self._print("ok", name, "; ".join(notes))

    def lacks(self, name: str, reason: str) -> None:
        """Say that something is not there to be tried."""
        self.missing.append(name)
        self._print("MISSING", name, reason)

    def finish(self) -> None:
        """Print the sum, and leave with 1 if a step failed."""
        seconds = time.monotonic() - self.started
        print(
            f"\n{self.ok} ok, {len(self.failed)} failed, {len(self.missing)} missing in {seconds:.0f} s",
            flush=True,
        )
        if self.failed:
            print("failed: " + ", ".join(self.failed), flush=True)
        sys.exit(1 if self.failed else 0)

    @staticmethod
    def _print(word: str, name: str, note: str) -> None:
        print(f"{word:<8}{name}{' – ' * bool(note)}{note}", flush=True)


def _told(error: Exception) -> str:
    """The error and where in the script it came from, on one line."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).parent == HERE and frame.filename != __file__]
    where = ours[-1]
    text = " ".join(str(error).split()) or where.line
    return f"line {where.lineno}: {type(error).__name__}: {text[:400]}"


def eventually(look: Callable[[], Any], wanted: Callable[[Any], bool], within: float = 5.0) -> Any:
    """What `look()` returns, once it is as wanted; the venue accepts first and decides later."""
    end = time.monotonic() + within
    while True:
        seen = look()
        if wanted(seen):
            return seen
        assert time.monotonic() < end, f"not within {within} s, last seen: {seen}"
        time.sleep(0.1)


def trust(ca_file: str | None) -> None:
    """For this process the exchange's authority is as good as any: what `SSL_CERT_FILE=… python …` does."""
    if ca_file is not None:
        os.environ["SSL_CERT_FILE"] = ca_file
        os.environ.pop("SSL_CERT_DIR", None)
