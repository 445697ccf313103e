"""What must hold after a cancelled session: judged by the exchange's books, the network's, trio's and the tape's."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator

import trio

from bot.core.errors import leaves
from bot.core.tape import Kind
from bot.exchange.exchange import Exchange
from bot.journal.sent import placed
from bot.link.http import Http
from bot.link.pool import Lane
from bot.paradex import rest
from bot.simulation.connection import State
from bot.simulation.network import Network
from bot.simulation.notes import Notes
from bot.simulation.rehearsal import EPOCH_NS
from bot.summary import Summary

POOL_DEADLINE = 5.0
"""Virtual seconds that a request over every connection of the pool may take."""

LINGER = 12.0
"""Virtual seconds after which the exchange has hung up on everybody who has left."""

_UNDER_WAY = frozenset({State.OPENING, State.OPEN})


def sent(notes: Notes) -> Iterator[tuple[float, str]]:
    """When an order was sent, and its client id."""
    for line in notes.lines:
        for order in placed(line.kind, line.data) or ():
            yield line.at, order["client_id"]


def sent_twice(notes: Notes, exchange: Exchange) -> Iterator[str]:
    """Every order left once at most, and the exchange accepted every request that it got."""
    for client_id, times in Counter(client_id for _, client_id in sent(notes)).items():
        if times > 1:
            yield f"order {client_id} was sent {times} times"
    requests = sum(exchange.counters.requests[name] for name in ("POST /v1/orders", "WS order.create"))
    accepted = len(exchange.orders)
    if requests != accepted:
        yield f"the exchange accepted {accepted} of {requests} orders"


def placed_too_early(notes: Notes) -> Iterator[str]:
    """Every intent was written while a session was ready, and of each that was ready it was told when it was lost."""
    is_ready = False
    for line in notes.lines:
        match line.kind, line.data:
            case Kind.GENERATION, {"session": session}:
                if is_ready == (session == "ready"):
                    yield f"at {line.at:.3f} s a session is {session}, and so was the one before"
                is_ready = session == "ready"
            case Kind.INTENT, {"client_id": client_id} if not is_ready:
                yield f"the intent of order {client_id} was written without a session"
    if is_ready:
        yield "the last session was never told to be lost"


def placed_too_late(
    notes: Notes, exchange: Exchange, since: float, event: str, one_way: float
) -> Iterator[str]:
    """No order left after ``since``, and none arrived so late that it must have.

    ``since`` in seconds of trio's clock; ``one_way`` in seconds is the longest that a message takes.
    """
    for at, client_id in sent(notes):
        if at > since:
            yield f"order {client_id} was sent {at - since:.3f} s after {event}"
    for order in exchange.orders.values():
        after = (order.received_at_ms - EPOCH_NS // 1_000_000) / 1000 - one_way - since
        if after > 0.001:  # its stamp is in ms
            yield f"order {order.client_id} left at least {after:.3f} s after {event}"


def left_resting(exchange: Exchange, summary: Summary | None, errors: Iterable[str]) -> Iterator[str]:
    """No order rests, as the network is well; and one that does is named in the summary, or else in an ERROR line."""
    told = [order.client_id for order in summary.unresolved] if summary is not None else [*errors]
    for order in exchange.orders.values():
        if order.status != "CLOSED":
            named = "and is named" if any(order.client_id in text for text in told) else "and nobody says so"
            yield f"order {order.client_id} rests ({order.status}), {named}"


def left_unknown(exchange: Exchange, summary: Summary | None) -> Iterator[str]:
    """No order that the exchange has is unresolved, for it would have told. One that never arrived may well be."""
    accepted = {order.client_id for order in exchange.orders.values()}
    for order in summary.unresolved if summary is not None else ():
        if order.client_id in accepted:
            yield f"the exchange knows what became of order {order.client_id}, and the summary does not"


async def unusable(http: Http, connections: int) -> list[str]:
    """Whether every connection of the pool carries a request, all at the same time."""
    reserved = 0
    all_reserved = trio.Event()

    async def ask(lane: Lane) -> None:
        nonlocal reserved
        async with http.reserve(lane) as reservation:
            reserved += 1
            if reserved == connections:
                all_reserved.set()
            await all_reserved.wait()
            await reservation.send(rest.system_time())

    found: list[str] = []
    try:
        with trio.fail_after(POOL_DEADLINE):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask, Lane.HOUSEKEEPING)
                for _ in range(connections - 1):
                    nursery.start_soon(ask, Lane.ORDERS)
    except* Exception as errors:  # noqa: BLE001 - whatever it is, it is what was looked for
        found += (
            f"the pool broke, {reserved} of {connections} reserved: {leaf!r}" for leaf in leaves(errors)
        )
    return found


async def leaked(network: Network, others: set[trio.lowlevel.Task]) -> list[str]:
    """What is left of the bot once the exchange had time to hang up; ``others`` are the tasks from before it."""
    with trio.move_on_after(LINGER):
        while everybody() - others or any(c.state in _UNDER_WAY for c in network.connections):  # noqa: ASYNC110 - nobody tells when the last has gone
            await trio.sleep(LINGER / 10)
    return [
        *(f"task {task.name} was left behind" for task in everybody() - others),
        *(f"{connection!r} was left" for connection in network.connections if connection.state in _UNDER_WAY),
    ]


def everybody() -> set[trio.lowlevel.Task]:
    """All tasks of this run."""
    found: set[trio.lowlevel.Task] = set()
    unseen = [trio.lowlevel.current_root_task()]
    while unseen:
        task = unseen.pop()
        assert task is not None
        found.add(task)
        unseen += (child for nursery in task.child_nurseries for child in nursery.child_tasks)
    return found


def open_files() -> set[str]:
    """The numbers of this process's open files."""
    return set(os.listdir("/dev/fd"))  # noqa: PTH208 - names are all that is wanted
