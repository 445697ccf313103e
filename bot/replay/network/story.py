"""What a session says that may be compared with another: what came in, what was decided, what went out.

Thread by thread: the updates of one generation, the states of one order, its requests, … For what happened to two
orders at the same instant, or to an order and a quote, says nothing about which came first, nor does either matter
to the other.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from difflib import SequenceMatcher
from typing import Any, NamedTuple

import attrs
import msgspec

from bot.core.tape import Kind, restored
from bot.journal import sent
from bot.journal.record import Record
from bot.replay.network.question import is_order_call, of_record
from bot.replay.network.score import decoded, new_orders

MASKED = frozenset({"signature", "signature_timestamp", "since_ms"})
"""What bodies and decisions hold that depends on the key and on how fast a machine is."""

MOST_LINES = 2000
"""Beyond this what differs is not aligned any more: it takes time that grows with the square."""

DECISIONS = frozenset(
    {Kind.EFFECT, Kind.ORDER, Kind.REQUEST, Kind.OUTCOME, Kind.ALARM, Kind.REPAIR, Kind.MODE}
)

Thread = tuple[str, str]
"""Which kind of thing, and about what."""


@attrs.frozen
class Difference:
    """A record that only one of two sessions has."""

    is_recorded: bool
    """The recorded one has it; else the played one."""

    record: Record

    def __str__(self) -> str:
        sign = "-" if self.is_recorded else "+"
        return f"{sign} {self.record.ns / 1e9:10.3f} s  {words(self.record)}"


class Line(NamedTuple):
    """A record, and what of it is compared."""

    record: Record
    text: str


def threads(records: Iterable[Record]) -> Mapping[Thread, list[Line]]:
    """The records that can be compared, each thread in its order."""
    found: defaultdict[Thread, list[Line]] = defaultdict(list)
    asked: set[tuple[int, object]] = set()
    for record in records:
        if is_order_call(record):
            asked.add((record.generation, decoded(record.data["frame"]).get("id")))
        name = _name(record)
        if name is not None:
            found[record.kind, name].append(Line(record, _text(record, asked)))
    return found


def decisions(records: Iterable[Record]) -> list[Record]:
    """What the bot decided and did about its orders, and the answers that were no quotes and no lists."""
    return [
        each._replace(data={name: value for name, value in each.data.items() if name != "generation"})
        for each in records
        if is_order_call(each)
        or (each.kind in DECISIONS and (each.kind is not Kind.OUTCOME or "client_id" in each.data))
    ]


def differences(recorded: list[Record], played: list[Record], *, is_whole: bool = True) -> list[Difference]:
    """What only one of two sessions has, by time. ``is_whole`` false: the recorded one may have gone on like this."""
    here, there = threads(recorded), threads(played)
    found: list[Difference] = []
    for thread in {**here, **there}:
        found += _compared(here.get(thread, []), there.get(thread, []), is_whole=is_whole)
    return sorted(found, key=lambda each: (each.record.ns, not each.is_recorded, each.record.number))


def told(found: list[Difference], recorded: list[Record], played: list[Record]) -> list[str]:
    """The differences as lines. An order that only one of the two sessions has is one line, and not its life."""
    here, there = _placed(recorded), _placed(played)
    lonely = {
        name: re.compile("|".join(rf"{re.escape(each)}(?!\d)" for each in ids if each))
        for name, ids in (here | there).items()
        if (name in here) != (name in there)
    }
    lines = []
    for each in found:
        text = msgspec.json.encode(each.record.data).decode()
        name = next((name for name, ids in lonely.items() if ids.search(text)), "")
        if not name:
            lines.append(str(each))
        elif each.record.kind is Kind.EFFECT and new_orders(each.record.data):
            lines.append(f"{each}, and what became of it")
    return lines


def _placed(records: list[Record]) -> dict[str, set[str]]:
    """Client id and venue id of each order, by client id."""
    found: dict[str, set[str]] = {}
    for record in records:
        if record.kind is Kind.EFFECT and new_orders(record.data):
            found |= {each["client_id"]: {each["client_id"]} for each in new_orders(record.data)}
        elif record.kind is Kind.ORDER and record.data["client_id"] in found:
            found[record.data["client_id"]].add(record.data["venue_id"])
    return found


def _compared(recorded: list[Line], played: list[Line], *, is_whole: bool) -> Iterator[Difference]:
    here, there = [each.text for each in recorded], [each.text for each in played]
    start = 0
    while start < min(len(here), len(there)) and here[start] == there[start]:
        start += 1
    if not is_whole and start == len(here):
        return
    here, there = here[start:], there[start:]
    if len(here) + len(there) > MOST_LINES:
        blocks = [("replace", 0, len(here), 0, len(there))]
    else:
        blocks = SequenceMatcher(None, here, there, autojunk=False).get_opcodes()  # type: ignore[assignment]
    for what, i, j, k, m in blocks:
        if what != "equal":
            yield from (Difference(True, each.record) for each in recorded[start + i : start + j])
            yield from (Difference(False, each.record) for each in played[start + k : start + m])


def _name(record: Record) -> str | None:
    """What a record is about, among those of its kind; None for one that is not compared."""
    data = record.data
    match record.kind:
        case Kind.REQUEST | Kind.FRAME_OUT if (question := of_record(record)).does:
            return question.subject or str(question)
        case Kind.FRAME_IN | Kind.FRAME_OUT:
            return str(record.generation)
        case Kind.ORDER | Kind.REPAIR:
            return str(data.get("client_id") or data.get("subject"))
        case Kind.EFFECT:
            return str(data.get("client_id") or (data["subject"] if is_ours(data) else ""))
        case Kind.OUTCOME:
            return f"{data['what']} {data.get('client_id', '')}"
    return "" if record.kind in {Kind.ALARM, Kind.MODE} else None


def is_ours(effect: Mapping[str, Any]) -> bool:
    """A timer that the order manager set for an order; strategies count theirs."""
    return bool(effect["do"] == "wait" and effect["purpose"] != "strategy")


def _text(record: Record, asked: AbstractSet[tuple[int, object]]) -> str:
    """What has to be the same: the data, without what depends on the machine and on the key.

    Nor does it matter which of two calls of one instant left first: their ids, of which ``asked`` tells, are no part
    of it.
    """
    data = record.data
    match record.kind:
        case Kind.OUTCOME:
            data = [data["what"], *(data.get(name) for name in ("failure", "status", "code"))]
        case Kind.REQUEST:
            data = [data["method"], data["path"], _masked(sent.decoded(data.get("body")))]
        case Kind.FRAME_OUT if is_order_call(record):
            method, params = sent.call_of(data["frame"])
            data = [method, _masked(params)]
        case Kind.FRAME_IN:
            message = decoded(restored(data))
            if (record.generation, message.get("id")) in asked:
                data = message | {"id": None}
        case Kind.EFFECT:
            data = _masked(data)
        case Kind.MODE:
            data = data["mode"]
    return msgspec.json.encode(data).decode()


def _masked(said: Any) -> Any:
    match said:
        case dict():
            return {name: _masked(value) for name, value in said.items() if name not in MASKED}
        case list():
            return [_masked(each) for each in said]
    return said


def words(record: Record) -> str:  # noqa: PLR0911 - one case for each kind of record
    """A record as a sentence, or nearly."""
    data = record.data
    match record.kind:
        case Kind.FRAME_OUT if is_order_call(record):
            question = of_record(record)
            return f"{question.method} {question.subject}".rstrip()
        case Kind.FRAME_IN | Kind.FRAME_OUT:
            return f"{record.kind} {str(data)[:100]}"
        case Kind.ORDER:
            reason = f" ({data['reason']})" if data["reason"] else ""
            return f"order {data['client_id']} is {data['state']}, filled {data['filled']}{reason}"
        case Kind.REQUEST:
            about = decoded(data.get("body")).get("client_id", "")
            return f"{data['method']} {data['path']} {about}".rstrip()
        case Kind.OUTCOME:
            how = f"{data['failure']}, {data.get('text', '')}" if "failure" in data else "answered"
            return f"{data['what']} {data.get('client_id', '')}".rstrip() + f": {how}"
        case Kind.ALARM:
            return f"alarm: {data['text']}"
        case Kind.MODE:
            return f"the venue is in mode {data['mode']}"
        case Kind.REPAIR:
            return f"{data['what']} {data['subject']} repaired: {data['text']}"
        case Kind.EFFECT:
            return _decision(data)
        case _:
            return str(record.kind)


def _decision(data: Mapping[str, Any]) -> str:
    match data["do"]:
        case "place":
            return (
                f"place {data['client_id']}: {data['side']} {data['size']} {data['market']} at {data['price']}, "
                f"{data['type']} {data['instruction']}"
            )
        case "place batch" | "cancel batch" as what:
            return f"{what}: {', '.join(order['client_id'] for order in data['orders'])}"
        case "look up batch" as what:
            return f"{what}: {', '.join(data['orders'])}"
        case "modify":
            return f"modify {data['client_id']} to {data['size']} at {data['price']}"
        case "wait":
            return f"wait {data['seconds']:g} s, then {data['purpose']} {data['subject']}"
    return " ".join(str(data[name]) for name in ("do", "client_id", "market", "reason") if data.get(name))
