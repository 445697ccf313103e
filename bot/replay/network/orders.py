"""What the venue has of each order, as far as the recording tells."""

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from math import inf
from typing import Any, NamedTuple

import attrs
import msgspec
import trio

from bot.core.fixed import parse
from bot.core.tape import restored
from bot.exchange.errors import VenueError
from bot.replay.network.agenda import Agenda
from bot.replay.network.fault import Course
from bot.replay.network.question import Question
from bot.replay.network.score import (
    CANCEL,
    FINAL,
    Exchange,
    Part,
    Score,
    Turn,
    modification,
    rank,
    seconds,
)

NOT_RECORDED = "NOT_RECORDED"
"""The code of a refusal that is ours and not the venue's: the recording does not know."""

UNREPEATED = ("signature", "signature_timestamp")
"""What differs between an order and the same order sent another time."""

Publish = Callable[[int, str, str | bytes], None]
"""Tells whoever listens: number of the record (0 for none), channel, frame."""


class TakenFill(NamedTuple):
    """A fill that has happened in the play."""

    at: float
    """When, in seconds of trio's clock."""

    number: int
    """Of the record that tells of it."""

    side: str
    """The order's."""

    fill: dict[str, Any]


@attrs.define(eq=False)
class VenueOrder:
    """One order, from its arrival on. Its ``turns`` are to come, in recorded order."""

    part: Part

    turns: deque[Turn] = attrs.field(init=False)
    report: dict[str, Any] | None = None
    """What the venue would say of it now."""

    posted_at: float | None = None
    """When it was first sent here, in seconds of trio's clock."""

    asked_at: dict[str, float] = attrs.field(factory=dict)
    """When its cancel, or a modification, was asked for; by the names of `Part.asked`."""

    runs_back: bool = False
    """It was reported with less filled than before."""

    fills: dict[tuple[str, str], int] = attrs.field(factory=dict)
    """The sizes of its fills, by kind and id."""

    is_due: bool = False
    """Its next turn is on the agenda."""

    def __attrs_post_init__(self) -> None:
        self.turns = deque(self.part.turns)

    @property
    def is_here(self) -> bool:
        """The venue has taken it."""
        return self.part.was_taken and (self.part.posted is None or self.posted_at is not None)

    @property
    def status(self) -> str:
        return "NEW" if self.report is None else str(self.report.get("status"))

    @property
    def is_closed(self) -> bool:
        return self.status == FINAL

    @property
    def side(self) -> str:
        """Empty where nobody said."""
        return str(self.part.terms.get("side") or (self.report or {}).get("side") or "")

    @property
    def contradicts_itself(self) -> bool:
        """So the venue, which said several things of what was filled: nobody can tell."""
        return self.runs_back or sum(self.fills.values()) > (self.filled or 0)

    @property
    def filled(self) -> int | None:
        """In units of 10⁻⁸; None where the venue's words cannot be read."""
        return 0 if self.report is None else _filled(self.report)

    def next_at(self, *, as_recorded: bool) -> float | None:
        """When the next turn comes: at the recorded time, or as long after its cause as in the recording.

        None: not before somebody does something.
        """
        if not self.turns or not self.is_here:
            return None
        turn = self.turns[0]
        if turn.needs and turn.needs not in self.asked_at:
            return None
        posted = self.part.posted
        here, recorded = (
            (self.asked_at[turn.needs], self.part.asked[turn.needs])
            if turn.needs
            else (self.posted_at, None if posted is None else posted.asked)
        )
        if as_recorded or here is None or recorded is None:
            return seconds(turn.record.ns)
        return here + seconds(turn.record.ns - recorded.ns)

    def take(self, report: dict[str, Any]) -> None:
        """Take over a report, unless it is older than what is known, or nobody here can tell what it means."""
        if rank(report) < max(0, rank(self.report or {})) or not isinstance(report.get("id"), str):
            return
        known = {**(self.report or {}), **report}
        before, after = self.filled, _filled(known)
        self.runs_back |= self.report is not None and (before is None or (after or 0) < before)
        self.report = known

    def take_fill(self, fill: Mapping[str, Any]) -> None:
        """Take over a fill; one that cannot be read is none."""
        with suppress(KeyError, TypeError, ValueError):
            self.fills[str(fill.get("fill_type")), str(fill.get("id"))] = parse(fill["size"])

    def wanted_gone(self) -> bool:
        """Its cancel came, at this time; whether the recording tells what that leads to."""
        self.asked_at[CANCEL] = trio.current_time()
        return any(turn.needs == CANCEL for turn in self.turns)

    def modified(self) -> None:
        """Another request for other terms came."""
        number = sum(name != CANCEL for name in self.asked_at) + 1
        self.asked_at[modification(number)] = trio.current_time()

    def forget_what_nobody_asked(self) -> None:
        """Modifications that never came will not come to anything before the end."""
        self.turns = deque(turn for turn in self.turns if not turn.needs or turn.needs in self.asked_at)

    def report_of_cancel(self) -> dict[str, Any]:
        """Its end, where somebody has it cancelled who did not when it was recorded."""
        known = self.report or next((turn.report for turn in self.turns if turn.report), {})
        return {**known, "status": FINAL, "cancel_reason": "USER_CANCELED"}


@attrs.define(eq=False)
class Book:
    """All orders and their fills. Their turns come by themselves, once what caused them has."""

    score: Score
    agenda: Agenda
    course: Course
    publish: Publish
    orders: Mapping[str, VenueOrder] = attrs.field(init=False)
    """By client id; those that the recording does not bring by their venue id."""

    fills: list[TakenFill] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.orders = {name: VenueOrder(part) for name, part in self.score.parts.items()}
        for order in self.orders.values():
            self._arrange(order)

    def place(self, question: Question, exchange: Exchange | None, venue_ms: int) -> None:
        """Orders arrive, and are taken all or not at all. What the recorded ``exchange`` did not bring is not taken.

        Raises:
            VenueError: one was here before, came too late, or is not one that the recording knows.
        """
        for order in [self._checked(terms, venue_ms) for terms in question.orders]:
            if exchange is None or exchange is order.part.posted:
                order.posted_at = trio.current_time()
                self._arrange(order)

    def _checked(self, terms: Mapping[str, Any], venue_ms: int) -> VenueOrder:
        client_id = str(terms.get("client_id"))
        order = self.orders.get(client_id)
        if order is None or order.part.posted is None:
            raise VenueError(NOT_RECORDED, "the recording knows no such order")
        if order.is_here:
            raise VenueError("DUPLICATED_CLIENT_ID", f"client id {client_id!r} was used before")
        if _unsigned(terms) != _unsigned(order.part.terms):
            raise VenueError(NOT_RECORDED, "the recorded order has other terms")
        if not self.course.is_as_recorded and venue_ms > terms["signature_timestamp"] + terms["recv_window"]:
            raise VenueError("INVALID_TIMESTAMP", "received after signature_timestamp + recv_window")
        return order

    def cancel(self, name: str) -> VenueOrder:
        """A cancel arrives, of the order that has this id, the venue's or ours.

        Raises:
            VenueError: there is no such order, or not any more.
        """
        order = self._live(name)
        if CANCEL in order.asked_at:
            return order
        if order.wanted_gone() or self.course.is_as_recorded:
            if not self.course.is_as_recorded:
                order.forget_what_nobody_asked()
            self._arrange(order)
        else:
            end = partial(self._end, order, order.report_of_cancel())
            order.turns.clear()
            self.agenda.after(seconds(self.score.usual_ns), 0, end)
        return order

    def modify(self, name: str) -> None:
        """A modification arrives that the recording knows. Raises as `cancel`."""
        order = self._live(name)
        order.modified()
        self._arrange(order)

    def _live(self, name: str) -> VenueOrder:
        part = self.score.named(name)
        order = None if part is None else self.orders[part.order]
        if order is None or not order.is_here:
            raise VenueError("ORDER_ID_NOT_FOUND", "Order id not found")
        if order.is_closed:
            raise VenueError("ORDER_IS_CLOSED", "Order is closed")
        return order

    def open(self) -> list[dict[str, Any]]:
        """What a list of the open orders says."""
        return [
            each.report
            for each in self.orders.values()
            if each.is_here and each.report and not each.is_closed
        ]

    def history(self, *, since: float, client_id: str = "") -> list[dict[str, Any]]:
        """What the history says, newest first: of one order, or of those that came ``since``, in trio's time.

        Nobody knows when an order came that the recording does not bring: it is always among them.
        """
        there = [
            (inf if order.posted_at is None else order.posted_at, order.report)
            for order in self.orders.values()
            if order.is_here and order.report and client_id in {"", order.report.get("client_id")}
        ]
        came = [each for each in there if each[0] >= since]
        return [report for _, report in sorted(came, key=lambda each: each[0], reverse=True)]

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
            if turn.fill is None:
                order.take(turn.report)
            else:
                order.take_fill(turn.fill)
                side = order.side or str(turn.fill.get("side"))
                self.fills.append(TakenFill(trio.current_time(), turn.record.number, side, turn.fill))
            if turn.is_frame:
                self.publish(turn.record.number, turn.channel, restored(turn.record.data))
        self._arrange(order)

    def _end(self, order: VenueOrder, report: dict[str, Any]) -> None:
        order.take(report)
        channel = f"orders.{report.get('market')}"
        frame = {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": report}}
        self.publish(0, channel, msgspec.json.encode(frame).decode())


def _unsigned(terms: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in terms.items() if name not in UNREPEATED}


def _filled(report: Mapping[str, Any]) -> int | None:
    try:
        return parse(report["size"]) - parse(report["remaining_size"])
    except (KeyError, TypeError, ValueError):
        return None
