"""What the venue has of each order, as far as the recording tells."""

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs
import msgspec
import trio

from bot.core.fixed import parse
from bot.core.tape import restored
from bot.exchange.errors import VenueError
from bot.replay.network.agenda import Agenda
from bot.replay.network.fault import Course
from bot.replay.network.score import FINAL, Part, Score, Turn, decoded, rank, seconds

NOT_RECORDED = "NOT_RECORDED"
"""The code of a refusal that is ours and not the venue's: the recording does not know."""

UNREPEATED = ("signature", "signature_timestamp")
"""What differs between an order and the same order sent another time."""

Publish = Callable[[int, str, str | bytes], None]
"""Tells whoever listens: number of the record (0 for none), channel, frame."""


@attrs.define(eq=False)
class VenueOrder:
    """One order, from its arrival on. Its ``turns`` are to come, in recorded order."""

    part: Part
    is_wanted: bool
    """The recording says that the venue took it."""

    turns: deque[Turn] = attrs.field(init=False)
    report: dict[str, Any] | None = None
    """What the venue would say of it now."""

    posted_at: float | None = None
    cancelled_at: float | None = None
    """When its cancel was asked for first. Both in seconds of trio's clock."""

    contradicts_itself: bool = False
    """It was reported with more left to fill than before."""

    is_due: bool = False
    """Its next turn is on the agenda."""

    def __attrs_post_init__(self) -> None:
        self.turns = deque(self.part.turns)

    @property
    def is_here(self) -> bool:
        """The venue has taken it."""
        return self.is_wanted and (self.part.posted is None or self.posted_at is not None)

    @property
    def status(self) -> str:
        return "NEW" if self.report is None else str(self.report.get("status"))

    @property
    def is_closed(self) -> bool:
        return self.status == FINAL

    @property
    def filled(self) -> int | None:
        """In units of 10⁻⁸; None where the venue's words cannot be read."""
        if self.report is None:
            return 0
        try:
            return parse(self.report["size"]) - parse(self.report["remaining_size"])
        except (KeyError, TypeError, ValueError):
            return None

    def next_at(self, *, as_recorded: bool) -> float | None:
        """When the next turn comes: at the recorded time, or as long after its cause as in the recording.

        None: not before somebody does something.
        """
        if not self.turns or not self.is_here:
            return None
        turn = self.turns[0]
        if turn.needs_cancel and self.cancelled_at is None:
            return None
        here, recorded = (
            (self.cancelled_at, self.part.cancelled)
            if turn.needs_cancel
            else (self.posted_at, self.part.posted)
        )
        if as_recorded or here is None or recorded is None:
            return seconds(turn.record.ns)
        return here + seconds(turn.record.ns - recorded.ns)

    def take(self, report: dict[str, Any]) -> None:
        """Take over a report, unless it is older than what is known, or nobody here can tell what it means."""
        if rank(report) < max(0, rank(self.report or {})) or not isinstance(report.get("id"), str):
            return
        if self.report is not None:
            self.contradicts_itself |= _left(report) > _left(self.report)
        self.report = {**(self.report or {}), **report}

    def report_of_cancel(self) -> dict[str, Any]:
        """Its end, where somebody has it cancelled who did not when it was recorded."""
        known = self.report or (self.turns[0].report if self.turns else {})
        return {**known, "status": FINAL, "cancel_reason": "USER_CANCELED"}


@attrs.define(eq=False)
class Book:
    """All orders. Their turns come by themselves, once what caused them has."""

    score: Score
    agenda: Agenda
    course: Course
    publish: Publish
    orders: Mapping[str, VenueOrder] = attrs.field(init=False)
    """By client id; those that the recording does not bring by their venue id."""

    def __attrs_post_init__(self) -> None:
        self.orders = {
            name: VenueOrder(part, self.score.was_taken(part)) for name, part in self.score.parts.items()
        }
        for order in self.orders.values():
            self._arrange(order)

    def place(self, client_id: str, body: bytes, venue_ms: int) -> None:
        """An order arrives.

        Raises:
            VenueError: it was here before, came too late, or is not one that the recording knows.
        """
        order = self.orders.get(client_id)
        if order is None or order.part.posted is None:
            raise VenueError(NOT_RECORDED, "the recording knows no such order")
        terms = decoded(body)
        if order.posted_at is not None and order.is_wanted:
            raise VenueError("DUPLICATED_CLIENT_ID", f"client id {client_id!r} was used before")
        if _unsigned(terms) != _unsigned(decoded(order.part.posted.data["body"])):
            raise VenueError(NOT_RECORDED, "the recorded order has other terms")
        if not self.course.is_as_recorded and venue_ms > terms["signature_timestamp"] + terms["recv_window"]:
            raise VenueError("INVALID_TIMESTAMP", "received after signature_timestamp + recv_window")
        order.posted_at = trio.current_time()
        self._arrange(order)

    def cancel(self, segments: tuple[str, ...]) -> None:
        """A cancel arrives.

        Raises:
            VenueError: there is no such order, or not any more.
        """
        part = self.score.named(segments)
        order = None if part is None else self.orders[part.order]
        if order is None or not order.is_here:
            raise VenueError("ORDER_ID_NOT_FOUND", "Order id not found")
        if order.is_closed:
            raise VenueError("ORDER_IS_CLOSED", "Order is closed")
        if order.cancelled_at is not None:
            return
        order.cancelled_at = trio.current_time()
        if self.course.is_as_recorded or any(turn.needs_cancel for turn in order.turns):
            self._arrange(order)
        else:
            end = partial(self._end, order, order.report_of_cancel())
            order.turns.clear()
            self.agenda.after(seconds(self.score.usual_ns), 0, end)

    def open(self) -> list[dict[str, Any]]:
        """What a list of the open orders says."""
        return [
            each.report
            for each in self.orders.values()
            if each.is_here and each.report and not each.is_closed
        ]

    def closed(self, client_id: str) -> list[dict[str, Any]]:
        """What the history says of an order."""
        order = self.orders.get(client_id)
        return (
            [order.report] if order is not None and order.is_here and order.is_closed and order.report else []
        )

    def _arrange(self, order: VenueOrder) -> None:
        """Put the next turn of ``order`` on the agenda, if nothing has to happen before."""
        when = None if order.is_due else order.next_at(as_recorded=self.course.is_as_recorded)
        if when is not None:
            order.is_due = True
            turn = order.turns[0]
            self.agenda.at(when, turn.record.number, partial(self._turn, order, turn))

    def _turn(self, order: VenueOrder, turn: Turn) -> None:
        order.is_due = False
        if order.turns and order.turns[0] is turn:  # else a cancel came in between, and the order has ended
            order.turns.popleft()
            order.take(turn.report)
            if turn.is_frame:
                self.publish(turn.record.number, turn.channel, restored(turn.record.data))
        self._arrange(order)

    def _end(self, order: VenueOrder, report: dict[str, Any]) -> None:
        order.take(report)
        channel = f"orders.{report.get('market')}"
        frame = {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": report}}
        self.publish(0, channel, msgspec.json.encode(frame).decode())


def _unsigned(terms: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in terms.items() if name not in UNREPEATED}


def _left(report: dict[str, Any]) -> int:
    try:
        return parse(report["remaining_size"])
    except (KeyError, TypeError, ValueError):
        return 0
