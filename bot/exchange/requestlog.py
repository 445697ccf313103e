"""A log of requests: one JSON line for each, for whoever wants to see what a client does."""

from collections.abc import Callable
from typing import Any

import msgspec

from bot.core.clock import Clock
from bot.exchange.transport.http import Answer, Request, code_of

_MS = 1_000_000


class RequestLog:
    """Writes what was asked and how it went, when it was answered. Without ``write`` it does nothing.

    A line of HTTP has ``time`` (ms since the epoch), ``port`` (``rest`` or ``control``), ``method``, ``path``,
    ``query`` when there is one, ``status`` (null: no whole answer left), ``error`` when it was refused, ``fault``
    when it met one, ``account`` when one was found out, and ``ms`` from the request to its answer. A line of a
    WebSocket has port ``ws``, ``method``, ``code`` (null: it went well, or never came), ``fault``, ``account`` and
    ``ms``. Tokens, signatures and bodies are never written.
    """

    def __init__(self, clock: Clock, write: Callable[[bytes], object] | None = None) -> None:
        self._clock = clock
        self._write = write

    def start(self) -> int:
        """The moment from which ``ms`` counts; it is for `http` and `call`."""
        return self._clock.monotonic_ns() if self._write is not None else 0

    def http(
        self, port: str, request: Request, answer: Answer, started: int, fault: str | None = None
    ) -> None:
        """Note a request and its answer, and the fault that it met, if any (`faults/`)."""
        if self._write is None:
            return
        line: dict[str, Any] = {
            "time": self._clock.wall_ns() // _MS,
            "port": port,
            "method": request.method,
            "path": "/".join(("", *request.segments)),
        }
        if request.query:
            line["query"] = request.query
        line["status"] = answer.told
        code = code_of(answer)
        if code is not None:
            line["error"] = code
        if fault is not None:
            line["fault"] = fault
        self._end(line, request.visit.account, started)

    def call(
        self, method: str, code: int | None, account: int | None, started: int, fault: str | None = None
    ) -> None:
        """Note a call over a WebSocket; ``code`` is that of the error that it came to."""
        if self._write is None:
            return
        line = {"time": self._clock.wall_ns() // _MS, "port": "ws", "method": method, "code": code}
        if fault is not None:
            line["fault"] = fault
        self._end(line, account, started)

    def _end(self, line: dict[str, Any], account: int | None, started: int) -> None:
        assert self._write is not None
        if account is not None:
            line["account"] = hex(account)
        line["ms"] = round((self._clock.monotonic_ns() - started) / _MS, 3)
        self._write(msgspec.json.encode(line) + b"\n")
