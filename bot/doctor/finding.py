"""What a check finds, and what an examination comes to."""

import enum
from collections.abc import Mapping, Sequence
from typing import Any, Self

import attrs

GOOD, BAD_SETTINGS, BAD = 0, 2, 3
"""Exit codes."""

SETTINGS = "settings"
"""The check whose verdict has an exit code of its own: without settings no run begins."""


class Verdict(enum.StrEnum):
    """From the best to the worst."""

    OK = "ok"
    SKIPPED = "skipped"
    """It could not be looked at, for want of something else."""

    WARNING = "warning"
    """The bot trades with it, but not as well as it could, or not for long."""

    BAD = "bad"
    """The bot does not trade with it."""

    @property
    def gravity(self) -> int:
        return list(Verdict).index(self)


@attrs.frozen
class Finding:
    """What one look brought."""

    verdict: Verdict
    found: str
    mend: str = ""
    """How to mend it; empty where there is nothing to mend."""

    figures: Mapping[str, Any] = attrs.field(factory=dict)
    """The same for programs: what JSON can hold."""

    @classmethod
    def ok(cls, found: str, **figures: Any) -> Self:
        return cls(Verdict.OK, found, "", figures)

    @classmethod
    def warning(cls, found: str, mend: str, **figures: Any) -> Self:
        return cls(Verdict.WARNING, found, mend, figures)

    @classmethod
    def bad(cls, found: str, mend: str, **figures: Any) -> Self:
        return cls(Verdict.BAD, found, mend, figures)

    @classmethod
    def skipped(cls, found: str) -> Self:
        return cls(Verdict.SKIPPED, found)


def together(parts: Mapping[str, Finding]) -> Finding:
    """One finding of several, each under its name: as bad as the worst of them, with a line of words for each."""
    said: dict[str, list[str]] = {}
    for name, part in parts.items():
        said.setdefault(part.found, []).append(name)
    mends = dict.fromkeys(part.mend for part in parts.values() if part.mend)
    return Finding(
        max((part.verdict for part in parts.values()), key=lambda verdict: verdict.gravity),
        "\n".join(f"{' and '.join(names)}: {found}" for found, names in said.items()),
        "\n".join(mends),
        {name: dict(part.figures) for name, part in parts.items()},
    )


@attrs.frozen
class Examined:
    """A check that was made, or skipped."""

    check: str
    why: str
    """Why it matters."""

    finding: Finding
    seconds: float = 0.0


@attrs.frozen
class Report:
    """A whole examination."""

    examined: Sequence[Examined]
    seconds: float

    def count(self, verdict: Verdict) -> int:
        return sum(one.finding.verdict is verdict for one in self.examined)

    @property
    def verdict(self) -> Verdict:
        """The worst there is. What was skipped was so because of something that counts itself."""
        return next((worst for worst in (Verdict.BAD, Verdict.WARNING) if self.count(worst)), Verdict.OK)

    @property
    def exit_code(self) -> int:
        """2 if the settings are bad, 3 if anything else is, 0 if the bot can trade."""
        bad = {one.check for one in self.examined if one.finding.verdict is Verdict.BAD}
        return BAD_SETTINGS if SETTINGS in bad else BAD if bad else GOOD

    def to_dict(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "seconds": round(self.seconds, 3),
            "checks": [
                {
                    "check": one.check,
                    "verdict": one.finding.verdict,
                    "found": one.finding.found,
                    "why": one.why,
                    "mend": one.finding.mend,
                    "figures": dict(one.finding.figures),
                    "seconds": round(one.seconds, 3),
                }
                for one in self.examined
            ],
        }
