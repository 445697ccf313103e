"""A recorded session played on the virtual network with a fault at one of its records, and what became of it."""

from collections.abc import Mapping
from typing import Any

import attrs
import msgspec

from bot.journal.reader import Recording
from bot.journal.record import Record
from bot.replay.network.fault import DELAY_S, Fault, Strike, check
from bot.replay.network.shapes import check_shapes
from bot.replay.network.stage import is_whole, play
from bot.replay.network.story import Difference, decisions, differences, told
from bot.replay.network.verdict import Standing, broken_promises, standings
from bot.settings import Settings

SHOWN = 60
"""Lines of the story that are printed; all of them are in the JSON."""

UNEXPECTED = 1
"""The exit code of a bot that breaks."""


@attrs.frozen(kw_only=True)
class Report:
    """What a fault came to. `exit_code` is the verb's: 0 if the bot kept its promise, 1 if not."""

    strike: Strike
    record: Record
    """The recorded one that was struck."""

    struck_at: float | None
    """Seconds since the recorded start; None if the session never came to it."""

    exit_reason: str
    bot_exit_code: int
    differences: list[Difference]
    """What the bot decided and did otherwise than in the recorded session."""

    story: list[str]
    """The same for people: ``-`` as recorded, ``+`` as it went now."""

    orders: list[Standing]
    unresolved: frozenset[str]
    """Orders that the bot named at its end, with exit code 4."""

    broken: list[str]
    """Promises that the bot broke, in words; empty: it holds."""

    composed: Mapping[str, int]
    refused: Mapping[str, int]
    """Questions that the recording does not hold: answered with what is known of the orders; not answered."""

    @property
    def holds(self) -> bool:
        return not self.broken

    @property
    def exit_code(self) -> int:
        return 0 if self.holds else 1

    def to_text(self) -> str:
        """For people."""
        when = "never came" if self.struck_at is None else f"struck at {self.struck_at:.3f} s"
        lines = [
            f"{self.strike.fault} at record {self.strike.at} ({self.record.kind}): {when}",
            "",
            "what differs from the recorded session (- recorded, + now):",
            *(f"  {each}" for each in self.story[:SHOWN]),
        ]
        if len(self.story) > SHOWN:
            lines.append(f"  … and {len(self.story) - SHOWN} more")
        if not self.story:
            lines.append("  nothing, but perhaps its times")
        lines += ["", "orders:", *(f"  {each}{self._named(each)}" for each in self.orders)]
        unrecorded = {"answered from what is known": self.composed, "not recorded, refused": self.refused}
        for title, counts in unrecorded.items():
            if counts:
                lines += ["", f"{title}: " + ", ".join(f"{what} ({n})" for what, n in counts.items())]
        lines += ["", f"stopped by {self.exit_reason}, exit code {self.bot_exit_code}"]
        if self.holds:
            lines.append("nothing lost, nothing doubled, nothing guessed")
        return "\n".join([*lines, *self.broken]) + "\n"

    def _named(self, order: Standing) -> str:
        return " (named as unresolved)" if order.client_id in self.unresolved else ""

    def to_json(self) -> bytes:
        """For programs."""
        told: dict[str, Any] = {
            "at": self.strike.at,
            "kind": self.record.kind,
            "fault": self.strike.fault,
            "struck_at": self.struck_at,
            "holds": self.holds,
            "broken": self.broken,
            "exit_reason": self.exit_reason,
            "bot_exit_code": self.bot_exit_code,
            "orders": [attrs.asdict(each) | {"agrees": each.agrees} for each in self.orders],
            "unresolved": sorted(self.unresolved),
            "story": self.story,
            "differences": [
                {"recorded": each.is_recorded, **each.record._asdict()} for each in self.differences
            ],
            "composed": self.composed,
            "refused": self.refused,
        }
        return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"


def play_with_fault(
    recording: Recording, settings: Settings, at: int, fault: Fault, *, seconds: float = DELAY_S
) -> Report:
    """Play a session with a fault at record ``at``; ``seconds`` is how late a delayed message comes.

    Runs by itself, in virtual time. The same arguments give the same report.

    Raises:
        CannotStrikeError: this fault cannot strike that record; a bad argument.
        UnusableRecordingError: the recording lacks what playing it needs. Both are ValueErrors.
    """
    strike = Strike(at, fault, seconds)
    check_shapes(recording.records)
    record = check(recording.records, strike)
    came = play(recording, settings, strike)
    found = differences(decisions(recording.records), decisions(came.records), is_whole=is_whole(recording))
    orders = standings(came.orders, came.venue.book)
    unresolved = frozenset(order.client_id for order in came.summary.unresolved)
    broken = list(broken_promises(orders, unresolved, came.venue.sent, came.records))
    if came.broke:
        broken.insert(0, came.broke)
    if came.struck_at is None:
        broken.insert(0, f"record {at} never came: the session parted from the recorded one before")
    return Report(
        strike=strike,
        record=record,
        struck_at=came.struck_at,
        exit_reason=came.summary.exit_reason,
        bot_exit_code=UNEXPECTED if came.broke else came.summary.exit_code,
        differences=found,
        story=told(found, recording.records, came.records),
        orders=orders,
        unresolved=unresolved,
        broken=broken,
        composed=came.venue.answers.composed,
        refused=came.venue.answers.refused,
    )
