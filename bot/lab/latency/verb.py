"""The verb ``bot latency``: measure what orders wait for, or read it from recorded sessions, and tell."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from bot.journal.output import DAMAGED, GOOD, REFUSED, complain, into_a_pipe, put, put_json
from bot.journal.reader import RecordedSession
from bot.journal.sessions import in_words, session_chosen
from bot.lab.latency.compare import compare
from bot.lab.latency.document import Document, document_of, read_document
from bot.lab.latency.page import page
from bot.lab.latency.trial import Plan, measure
from bot.lab.latency.verdict import Verdict, judge
from bot.latency.distributions import REST, WS
from bot.run import REFUSALS
from bot.settings import load, require_live
from bot.signals import EarlySignals

WAYS = {REST: (REST,), WS: (WS,), "both": (REST, WS)}


@attrs.frozen(kw_only=True)
class Output:
    """How it is told."""

    target_ms: float
    json: Path | None = None
    html: Path | None = None

    def check(self) -> None:
        """Raise ValueError for what cannot be meant, before anything is measured."""
        if not 0 < self.target_ms < float("inf"):
            raise ValueError(f"--target-ms {self.target_ms:g}: milliseconds above 0 are allowed")
        for name, path in (("--json", self.json), ("--html", self.html)):
            if path is not None and not path.parent.is_dir():
                raise ValueError(f"{name} {path}: there is no such folder")
        if self.json is not None and self.html is not None and self.json.resolve() == self.html.resolve():
            raise ValueError(f"--json {self.json} and --html {self.html}: they are the same file")


@attrs.frozen(kw_only=True)
class Options:
    """What the command line says of a measurement."""

    settings: Path | None = None
    orders: int = 100
    via: str = "both"
    live: bool = False
    is_agreed: bool = False
    """Nobody has to be asked."""


def measure_latency(options: Options, output: Output, early: EarlySignals) -> int:
    """Place orders, and tell how long they waited for what; returns the exit code."""
    try:
        output.check()
        settings = load(options.settings, os.environ).settings
        require_live(settings, live=options.live)
        plan = Plan(orders=options.orders, ways=WAYS[options.via], settings=settings)
        if settings.environment == "prod" and not options.is_agreed and not _agrees(plan):
            complain("nothing was sent")
            return REFUSED
        measured = measure(plan, early, live=options.live)
    except REFUSALS as error:
        complain(str(error))
        return REFUSED
    early.restore()
    code = _tell(measured.sessions, output, measured.known)
    return measured.exit_code or code


@into_a_pipe
def read_latency(names: Sequence[str], folder: Callable[[], Path], output: Output) -> int:
    """Tell how long the orders of recorded sessions waited for what, as far as these are good; returns the exit code.

    Args:
        names: a file or the run id of each.
        folder: where sessions are that are not named by a file.
        output: how it is told.
    """
    try:
        output.check()
        sessions = [session_chosen(name, folder) for name in names]
        return _tell(sessions, output, {})
    except (OSError, ValueError) as error:
        complain(in_words(error))
        return REFUSED


@into_a_pipe
def compare_latency(before: Path, after: Path, *, json: bool) -> int:
    """Tell what changed between two measurements, each in a file of ``--json``; returns the exit code."""
    try:
        comparison = compare(read_document(before), read_document(after))
    except (OSError, ValueError) as error:
        complain(in_words(error))
        return REFUSED
    if json:
        put_json(comparison.to_dict())
    else:
        for line in comparison.to_text().splitlines():
            put(line)
    return GOOD


def _agrees(plan: Plan) -> bool:
    """Ask a person. Where there is none, nobody agrees."""
    sys.stderr.write(f"Real money: {plan.in_words()}.\n")
    if not sys.stdin.isatty():
        sys.stderr.write("There is nobody to ask; --yes answers for them.\n")
        return False
    sys.stderr.write("Type yes to go on: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() == "yes"


def _tell(sessions: Sequence[RecordedSession], output: Output, known: Mapping[str, Any]) -> int:
    """Raises OSError."""
    document = document_of(sessions, **known)
    if not document.series:
        names = ", ".join(str(session.first) for session in sessions)
        complain(f"{names}: no order in there of which it is known when it left and was answered")
        return REFUSED
    verdict = judge(document, output.target_ms)
    if output.json is not None:
        output.json.write_bytes(document.to_json())
    if output.html is not None:
        output.html.write_text(page(document, verdict))
    for line in _text(document, verdict).splitlines():
        put(line)
    damaged = [str(session.damage) for session in sessions if session.damage is not None]
    for words in damaged:
        complain(words)
    return DAMAGED if damaged else GOOD


def _text(document: Document, verdict: Verdict) -> str:
    return "\n".join([*(series.to_text() for series in document.series), verdict.to_text()])
