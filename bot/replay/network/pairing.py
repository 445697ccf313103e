"""What was asked in a recorded session, and what came of it, by whichever way."""

from collections import defaultdict

from bot.core.tape import Kind, restored
from bot.journal.record import Record
from bot.replay.network.question import is_order_call, of_record
from bot.replay.network.score import Exchange, decoded


def pair(records: list[Record]) -> list[Exchange]:
    """Every request and call, in recorded order."""
    by_number = {each.data["x"]: each for each in records if each.kind in {Kind.ANSWER, Kind.FAILURE}}
    hung_up = {each.generation: each for each in records if each.kind is Kind.SOCKET_END}
    replies = _replies(records)
    found = []
    for each in records:
        if each.kind is Kind.REQUEST:
            found.append(Exchange(of_record(each), each, by_number.get(each.data["x"])))
        elif each.kind is Kind.FRAME_OUT:
            failure = by_number.get(each.data["x"]) if is_order_call(each) else None
            # After a deadline of the bot's the venue may still reply.
            came = replies.get(each.number, [])
            ended = came[0] if came else failure or hung_up.get(each.generation)
            found.append(Exchange(of_record(each), each, ended, came[1:]))
    return found


def _replies(records: list[Record]) -> dict[int, list[Record]]:
    """The replies to each call, mostly one, by the number of its record."""
    calls: dict[tuple[int, object], int] = {}
    found: defaultdict[int, list[Record]] = defaultdict(list)
    for each in records:
        if each.kind is Kind.FRAME_OUT:
            frame = each.data["frame"] if is_order_call(each) else each.data
            calls[each.generation, decoded(frame).get("id", 0)] = each.number
        elif each.kind is Kind.FRAME_IN:
            message = decoded(restored(each.data))
            identifier = message.get("id")
            is_reply = isinstance(identifier, int | str) and ("result" in message or "error" in message)
            if is_reply and (each.generation, identifier) in calls:
                found[calls[each.generation, identifier]].append(each)
    return found
