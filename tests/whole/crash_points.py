"""Where a bot can be killed: each point has a name, and a seam of the product where it sits.

Nothing of it is in the product. In a process that is to die at a point the function at its seam is replaced by one
that kills the process, before or after it does its work, or halfway through it.
"""

import enum
import os
import re
import signal
from typing import Any, NoReturn

import attrs
from crash_seams import Matches, Seam, When, any_call, meet

from bot.core.tape import Kind
from bot.link.pool import Lane
from bot.session.inbox import Item, OrderReported, SessionLost, SessionOpened, Snapshot
from bot.trading.effects import (
    CancelEnded,
    CancelOrder,
    Effect,
    LookedUp,
    LookUpOrder,
    ModifyEnded,
    PlaceOrder,
    SendEnded,
    StopAsked,
)


class Manner(enum.Enum):
    """What the bot does that meets the point."""

    PROBE = enum.auto()
    """One order after another, each cancelled as soon as it rests."""

    MODIFY = enum.auto()
    """Two orders; when they have rested for a while one is modified."""

    RECONNECT = enum.auto()
    """The same, and the WebSocket is lost."""

    STOP = enum.auto()
    """The same, and the bot is stopped."""

    STOP_MANY = enum.auto()
    """The same with five orders, which go in a batch."""

    TAKE = enum.auto()
    """Two orders that are filled at once."""


class Leaves(enum.Enum):
    """What the next run finds in the journal."""

    NOTHING = enum.auto()
    DOUBT = enum.auto()
    """An intent whose outcome is not in it."""

    RESTING = enum.auto()
    """An order that arrived, and whose end is not in it."""


@attrs.frozen
class Wire:
    """A moment in the life of a request."""

    method: str
    path: str
    """A pattern of it, without ``/v1`` and the question."""

    event: str
    """`LEAVING`, `SENT`, `ANSWERED` or `READ`"""

    nth: int = 1


@attrs.frozen
class Point:
    """Where a process dies."""

    name: str
    seam: Seam | Wire
    leaves: Leaves = Leaves.NOTHING
    manner: Manner = Manner.PROBE


def recorded(kind: Kind, matches: Matches = any_call) -> Matches:
    """A record of this kind is written; ``matches`` is asked of its data."""

    def is_meant(_: object, written: Kind, data: Any) -> bool:
        return written is kind and matches(data)

    return is_meant


def stepped(items: type[Item], status: str = "") -> Matches:
    """An item of this type comes into the ordered stream; of reports one with this status."""

    def is_meant(_: object, item: Item, *_now: object) -> bool:
        is_reported = not isinstance(item, OrderReported) or item.report.status == status
        return isinstance(item, items) and is_reported

    return is_meant


def begun(effects: type[Effect]) -> Matches:
    """An effect of this type is written, and is to be carried out."""

    def is_meant(_: object, effect: Effect, _number: int) -> bool:
        return isinstance(effect, effects)

    return is_meant


def holds(word: bytes) -> Matches:
    """These bytes are among what is appended to a file."""
    return lambda _, data: word in data


def goes_to(suffix: str) -> Matches:
    """A file is written whose name ends so, or gets such a name."""
    return lambda *arguments: any(str(each).endswith(suffix) for each in arguments[:2])


def is_for_orders(_: object, _http: object, _connection: object, lane: Lane) -> bool:
    return lane is Lane.ORDERS


def is_of_creation(answer: Any) -> bool:
    return answer["status"] == 201 and '"client_id"' in answer["body"]


def is_of_resting(frame: Any) -> bool:
    return '"status":"OPEN"' in frame


def is_of_fill(frame: Any) -> bool:
    return '"channel":"fills.' in frame and '"data":' in frame


WRITE, APPEND = "bot.journal.tape:Journal.write", "bot.journal.file:LocalFile.append"
CLAIM, TAKEN_OVER = "bot.journal.claim:LocalClaim.take", "bot.journal.claim:LocalClaim.taken_over"
BEGIN, HEARD = "bot.trading.stream:OrderedStream._begin", "bot.trading.stream:OrderedStream.__call__"
STEP = "bot.trading.step.manager:OrderManager.step"
SNAPSHOT = "bot.session.snapshot:Snapshots.take"
ORDER, BATCH, ONE = "/orders", "/orders/batch", r"/orders/\d+"
LEAVING, SENT, ANSWERED, READ = "leaving", "sent", "answered", "read"
INTENT = holds(b'"intent"')
BEFORE, HALFWAY, AFTER = When
EVENTS = {
    SENT: ("bot.link.line:_receive", BEFORE),
    ANSWERED: ("bot.link.line:_more", AFTER),
    READ: ("bot.link.line:_receive", AFTER),
}
NOTHING, DOUBT, RESTING = Leaves
MODIFY, RECONNECT, STOP, STOP_MANY, TAKE = tuple(Manner)[1:]

POINTS = (
    # The account.
    Point("journal begun", Seam("bot.recording:open_journal", BEFORE)),
    Point("claim not taken", Seam(CLAIM, BEFORE)),
    Point("lock taken", Seam("bot.journal.account:AccountLock.__init__", AFTER)),
    Point("claim taken", Seam(CLAIM, AFTER)),
    Point("logged in", Seam("bot.app:Work._take_over", BEFORE)),
    Point("recovered written", Seam(WRITE, AFTER, recorded(Kind.RECOVERED))),
    Point("recovered committed", Seam(TAKEN_OVER, BEFORE)),
    Point("list drafted", Seam("pathlib:Path.replace", BEFORE, goes_to(".open"))),
    Point("list replaced", Seam("bot.journal.account:sync_folder", BEFORE)),
    Point("journal listed", Seam(TAKEN_OVER, AFTER)),
    Point("gate open", Seam(STEP, AFTER, stepped(SessionOpened))),
    # An order, from its decision to its end.
    Point("order decided", Seam(BEGIN, BEFORE, begun(PlaceOrder))),
    Point("connection reserved", Seam("bot.link.http:Reservation.__init__", AFTER, is_for_orders)),
    Point("order signed", Seam("bot.link.signer:Signer.sign_order", AFTER)),
    Point("intent in memory", Seam(WRITE, AFTER, recorded(Kind.INTENT))),
    Point("intent torn", Seam(APPEND, HALFWAY, INTENT)),
    Point("intent in the file", Seam(APPEND, AFTER, INTENT), DOUBT),
    Point("order about to leave", Wire("POST", ORDER, LEAVING), DOUBT),
    Point("order sent", Wire("POST", ORDER, SENT), DOUBT),
    Point("order answered", Wire("POST", ORDER, ANSWERED), DOUBT),
    Point("order's answer read", Wire("POST", ORDER, READ), DOUBT),
    Point("order's answer written", Seam(WRITE, AFTER, recorded(Kind.ANSWER, is_of_creation)), DOUBT),
    Point("order's outcome written", Seam(STEP, BEFORE, stepped(SendEnded)), DOUBT),
    Point("order's outcome handled", Seam(HEARD, AFTER, stepped(SendEnded)), DOUBT),
    Point("update read", Seam(WRITE, AFTER, recorded(Kind.FRAME_IN, is_of_resting)), DOUBT),
    Point("update handled", Seam(STEP, AFTER, stepped(OrderReported, "OPEN")), DOUBT),
    Point("cancel decided", Seam(BEGIN, BEFORE, begun(CancelOrder)), DOUBT),
    Point("cancel sent", Wire("DELETE", ONE, SENT), DOUBT),
    Point("cancel answered", Seam(HEARD, AFTER, stepped(CancelEnded)), DOUBT),
    Point("order over", Seam(STEP, AFTER, stepped(OrderReported, "CLOSED")), DOUBT),
    # An order that is filled.
    Point("order sent that is filled", Wire("POST", ORDER, SENT), DOUBT, TAKE),
    Point("fill read", Seam(WRITE, AFTER, recorded(Kind.FRAME_IN, is_of_fill)), DOUBT, TAKE),
    # A batch, and other terms.
    Point("third intent of a batch", Seam(WRITE, AFTER, recorded(Kind.INTENT), nth=3), NOTHING, STOP_MANY),
    Point("intents of a batch torn", Seam(APPEND, HALFWAY, INTENT), DOUBT, STOP_MANY),
    Point("intents of a batch in the file", Seam(APPEND, AFTER, INTENT), DOUBT, STOP_MANY),
    Point("batch sent", Wire("POST", BATCH, SENT), DOUBT, STOP_MANY),
    Point("second outcome of a batch", Seam(HEARD, AFTER, stepped(SendEnded), nth=2), DOUBT, STOP_MANY),
    Point("modification in the file", Seam(APPEND, AFTER, holds(b'"what":"modify"')), RESTING, MODIFY),
    Point("modification sent", Wire("PUT", ONE, SENT), RESTING, MODIFY),
    Point("modification answered", Seam(HEARD, AFTER, stepped(ModifyEnded)), RESTING, MODIFY),
    # A reconnect, while orders rest, and its snapshot.
    Point("session lost", Seam(HEARD, AFTER, stepped(SessionLost)), RESTING, RECONNECT),
    Point("subscribed again", Seam(SNAPSHOT, BEFORE, nth=2), RESTING, RECONNECT),
    Point("snapshot begun", Wire("GET", "/orders-history", LEAVING, nth=2), RESTING, RECONNECT),
    Point("snapshot taken", Seam(STEP, BEFORE, stepped(Snapshot), nth=2), RESTING, RECONNECT),
    Point("gate about to open", Seam(STEP, BEFORE, stepped(SessionOpened), nth=2), RESTING, RECONNECT),
    # The end.
    Point("stop decided", Seam(HEARD, AFTER, stepped(StopAsked)), RESTING, STOP),
    Point("first cancel sent", Wire("DELETE", ONE, SENT), RESTING, STOP),
    Point("between cancels", Seam(STEP, AFTER, stepped(OrderReported, "CLOSED")), RESTING, STOP),
    Point("batch of cancels sent", Wire("DELETE", BATCH, SENT), RESTING, STOP_MANY),
    Point("WebSocket closed", Seam("bot.link.websocket:WebSocket.close", AFTER), RESTING, STOP),
    Point("end written", Seam(WRITE, AFTER, recorded(Kind.END)), RESTING, STOP),
    Point("journal closed", Seam("bot.journal.journal:Upkeep.end", AFTER), NOTHING, STOP),
    Point("account released", Seam("bot.journal.claim:LocalClaim.release", AFTER), NOTHING, STOP),
    Point("half a summary", Seam("pathlib:Path.write_bytes", HALFWAY, goes_to(".json")), NOTHING, STOP),
)

RECOVERY = (
    Point("earlier journal compressed", Seam("bot.journal.compression:sync_folder", BEFORE), DOUBT),
    Point("look-up decided", Seam(BEGIN, BEFORE, begun(LookUpOrder)), DOUBT),
    Point("look-up written", Seam(STEP, BEFORE, stepped(LookedUp)), DOUBT),
    Point("look-up handled", Seam(HEARD, AFTER, stepped(LookedUp)), DOUBT),
    Point("cancel of what was left sent", Wire("DELETE", ONE, SENT), RESTING),
)
"""Where a run can die that finds something left."""

BY_NAME = {point.name: point for point in (*POINTS, *RECOVERY)}


def install(point: Point) -> None:
    """From now on this process dies at ``point``. Raises `SeamGoneError`."""
    if isinstance(point.seam, Seam):
        meet(point.seam, _die)
        return
    wire = point.seam

    chosen: list[object] = []

    def is_meant(_: object, method: str, target: bytes, *_others: object) -> bool:
        path = target.decode().partition("?")[0].removeprefix("/v1")
        return method == wire.method and re.fullmatch(wire.path, path) is not None

    def choose(*arguments: object) -> None:
        chosen.append(arguments[-1])
        if wire.event == LEAVING:
            _die()

    def is_chosen(_: object, progress: object) -> bool:
        return progress in chosen

    meet(Seam("bot.link.line:Line.exchange", BEFORE, is_meant, wire.nth), choose)
    if wire.event != LEAVING:
        place, when = EVENTS[wire.event]
        meet(Seam(place, when, is_chosen), _die)


def _die(*_: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody survives that")
