"""What must hold after crashes: judged by the journals of an account, and by the exchange's books."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import attrs
from crash_stage import Account, Stage

from bot.core.fixed import parse
from bot.core.order import State
from bot.core.recovered import Recovered
from bot.core.tape import Kind
from bot.journal.account import listed_journals
from bot.journal.reader import find
from bot.journal.recovery import SessionOrders, recover

IN_DOUBT = frozenset({State.SENT, State.UNKNOWN})
NEVER_THERE = frozenset({State.NEVER_ACCEPTED, State.REJECTED})


@attrs.frozen
class Books:
    """What the exchange knows of one account."""

    orders: list[dict[str, Any]]
    requests: list[dict[str, Any]]


def books_of(stage: Stage, accounts: Sequence[Account]) -> Iterator[Books]:
    address_of = {
        int(row["public_key"], 16): int(row["account"], 16)
        for row in stage.exchange.ask("GET", "/accounts")["results"]
    }
    orders = stage.exchange.ask("GET", "/orders")["results"]
    requests = [json.loads(line) for line in stage.requests.read_text().splitlines()]
    for account in accounts:
        address = address_of[account.public_key]
        yield Books(
            [order for order in orders if int(order["account"], 16) == address],
            [request for request in requests if int(request.get("account", "0"), 16) == address],
        )


class Known(NamedTuple):
    """What a journal tells last of an order. Sizes in units of 10⁻⁸."""

    state: State
    size: int
    filled: int


@attrs.define(eq=False)
class Told:
    """What the journals of an account tell."""

    intents: Counter[str] = attrs.field(factory=Counter)
    """How often each client id was about to leave."""

    orders: dict[str, Known] = attrs.field(factory=dict)
    faults: list[str] = attrs.field(factory=list)


def read_journals(account: Account) -> Told:
    """All of them, twice."""
    told, left = Told(), Recovered()
    for session in account.journals():
        run_id = session.header.run_id
        orders = SessionOrders(session.header, left_before=left)
        for record in session:
            match record.kind, record.data:
                case Kind.INTENT, {"what": "place", "client_id": str(client_id)}:
                    told.intents[client_id] += 1
                    told.faults += [
                        f"{client_id} was sent while {each.order.client_id} was in doubt"
                        for each in orders.open.values()
                        if each.order.state in IN_DOUBT and not each.order.client_id.startswith(run_id)
                    ]
                case Kind.ORDER, {"client_id": str(client_id)} as data:
                    told.orders[client_id] = Known(
                        State(data["state"]), parse(data["size"]), parse(data["filled"])
                    )
                case Kind.ALARM, {"text": str(text)}:
                    told.faults.append(f"alarm in {run_id}: {text}")
            orders.meet(record)
        before, left = left, orders.left()
        if not left == recover(session, before) == recover(find(session.first), before):
            told.faults.append(f"{session.first} tells another story each time")
    told.faults += [f"{each.order.client_id} is open, says the last journal" for each in left.orders]
    return told


def violations(account: Account, books: Books) -> Iterator[str]:
    """What was lost, doubled, sent too early or guessed: judged by the journals and the exchange's books."""
    told = read_journals(account)
    yield from told.faults
    yield from (f"{path} is listed" for path in listed_journals(account.state))
    yield from (f"{client_id} has {times} intents" for client_id, times in told.intents.items() if times > 1)
    accepted: dict[str, dict[str, Any]] = {}
    for order in books.orders:
        client_id = order["client_id"]
        if client_id in accepted:
            yield f"{client_id} is at the exchange twice"
        if client_id not in told.intents:
            yield f"{client_id} was sent without an intent"
        if order["status"] != "CLOSED":
            yield f"{client_id} rests"
        accepted[client_id] = order
    for client_id in told.intents:
        known, true = told.orders.get(client_id), accepted.get(client_id)
        never_there = known is not None and known.state in NEVER_THERE
        if not (never_there if true is None else known == ended(true)):
            yield f"{client_id} is known as {known}, and the exchange has {true}"
    for request in books.requests:
        if request.get("error") == "DUPLICATED_CLIENT_ID":
            yield f"an order was sent twice: {request}"


def ended(order: Mapping[str, Any]) -> Known:
    """What should be known of an order that the exchange closed."""
    size, remaining = parse(order["size"]), parse(order["remaining_size"])
    return Known(State.CLOSED, size, size - remaining)
