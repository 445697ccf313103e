"""An examination for people: a line or two for each check, and more where something is wrong."""

import textwrap
from collections.abc import Iterator

import attrs

from bot.doctor.finding import Examined, Report, Verdict
from bot.journal.output import printable

NAME_WIDTH = 17
VERDICT_WIDTH = 9
WIDEST = 120

_COLOURS = {Verdict.OK: "32", Verdict.SKIPPED: "2", Verdict.WARNING: "33", Verdict.BAD: "1;31"}
"""Of ECMA-48: green, faint, yellow, bold red."""


@attrs.frozen
class Page:
    """What is written on: so many columns, with or without colours."""

    columns: int
    is_coloured: bool

    def lines(self, examined: Examined) -> Iterator[str]:
        """A check: what was found, and where something is wrong why it matters and how to mend it."""
        finding = examined.finding
        is_wrong = finding.verdict in {Verdict.WARNING, Verdict.BAD}
        word = finding.verdict.upper() if is_wrong else finding.verdict
        head = self._painted(f"{word:<{VERDICT_WIDTH}}", finding.verdict)
        for text in self._wrapped(finding.found, ""):
            yield f"{head}{examined.check:<{NAME_WIDTH}}{text}" if head else self._indented(text)
            head = ""
        if is_wrong:
            yield from map(self._indented, self._wrapped(examined.why, "why:  "))
            yield from map(self._indented, self._wrapped(finding.mend, "mend: "))

    def end(self, report: Report) -> Iterator[str]:
        """What it came to."""
        counts = ", ".join(
            f"{report.count(verdict)} {verdict}" for verdict in Verdict if report.count(verdict)
        )
        words = {
            Verdict.BAD: "the bot does not trade like this",
            Verdict.WARNING: "the bot can trade, but look at the warnings",
        }.get(report.verdict, "the bot can trade")
        yield ""
        yield self._painted(f"{words}: {counts}, in {report.seconds:.1f} s", report.verdict)

    def _wrapped(self, text: str, label: str) -> Iterator[str]:
        width = max(20, min(self.columns, WIDEST) - VERDICT_WIDTH - NAME_WIDTH)
        for line in text.split("\n"):
            yield from textwrap.wrap(
                printable(line),
                width,
                initial_indent=label,
                subsequent_indent=" " * len(label),
                break_on_hyphens=False,
            )
            label = " " * len(label)

    def _indented(self, text: str) -> str:
        return " " * (VERDICT_WIDTH + NAME_WIDTH) + text

    def _painted(self, text: str, verdict: Verdict) -> str:
        return f"\x1b[{_COLOURS[verdict]}m{text}\x1b[0m" if self.is_coloured else text
