"""What the records look like that a play reads or tells of. Whoever edits a session by hand hears what is wrong."""

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec

from bot.core.tape import Kind, restored
from bot.journal.record import Record
from bot.replay.network.question import is_order_call
from bot.replay.steps import shapes
from bot.replay.steps.shapes import shaped, unusable


class Answer(shapes.Answer):
    status: Annotated[int, msgspec.Meta(ge=200, le=999)]


class SocketEnd(shapes.SocketEnd):
    code: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)] | None


class Effect(msgspec.Struct):
    do: str


class Named(msgspec.Struct):
    client_id: str


class Placed(Named):
    market: str
    side: str
    type: str
    instruction: str
    size: str
    price: str


class PlacedBatch(msgspec.Struct):
    orders: list[Placed]


class Batch(msgspec.Struct):
    orders: list[Named]


class LookedUp(msgspec.Struct):
    orders: list[str]


class Modified(Named):
    size: str
    price: str


class Wait(msgspec.Struct):
    purpose: str
    subject: str
    seconds: float


EFFECTS: dict[str, type[msgspec.Struct]] = {
    "place": Placed,
    "place batch": PlacedBatch,
    "modify": Modified,
    "cancel": Named,
    "cancel batch": Batch,
    "look up": Named,
    "look up batch": LookedUp,
    "wait": Wait,
}


class Order(Named):
    venue_id: str
    state: str
    filled: str
    reason: str


class Alarm(msgspec.Struct):
    text: str


class Repair(msgspec.Struct):
    what: str
    subject: str
    text: str


class Mode(msgspec.Struct):
    mode: str


SHAPES: dict[Kind | str, type[msgspec.Struct]] = {
    Kind.REQUEST: shapes.Request,
    Kind.ANSWER: Answer,
    Kind.FAILURE: shapes.Failure,
    Kind.OUTCOME: shapes.Outcome,
    Kind.SOCKET_END: SocketEnd,
    Kind.TIMER: shapes.Timer,
    Kind.STOP: shapes.Stop,
    Kind.COMMAND: shapes.Command,
    Kind.EFFECT: Effect,
    Kind.ORDER: Order,
    Kind.ALARM: Alarm,
    Kind.REPAIR: Repair,
    Kind.MODE: Mode,
}


def check_shapes(records: Iterable[Record]) -> None:
    """Raises `UnusableRecordingError` for the first record that is not what this program writes."""
    for record in records:
        shape = SHAPES.get(record.kind)
        if shape is not None:
            shaped(record, shape)
        if record.kind is Kind.EFFECT:
            shaped(record, EFFECTS.get(record.data["do"], Effect))
        elif is_order_call(record):
            shaped(record, shapes.Call)
        elif record.kind in {Kind.FRAME_IN, Kind.FRAME_OUT}:
            _check_text(record, record.data)
        elif record.kind is Kind.ANSWER:
            _check_text(record, record.data["body"])


def _check_text(record: Record, data: Any) -> None:
    try:
        restored(data)
    except ValueError as error:
        raise unusable(record, error) from error
