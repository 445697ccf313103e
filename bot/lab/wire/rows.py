"""The network's rows of the table of faults (`faults.md` section 2), each as something that strikes a bot.

A row strikes, makes sure by journal and books that it struck where it should, and ends: then the network is good
again, and what the bot owes is for the judge to say. Rows wait for what happens, never for a time to pass, but where
the time is the fault.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from math import inf

import attrs
import trio

from bot.lab.proxy.relay import LOOPBACK, Relay, open_relay
from bot.lab.wire import names
from bot.lab.wire.errors import RowFailedError
from bot.lab.wire.impostor import IMPOSTORS, open_impostor
from bot.lab.wire.judge import LATE, Judge, cut_off, mended
from bot.lab.wire.stage import NAMES, Stage, is_failure, is_socket_end
from bot.lab.wire.story import unanswered
from bot.link.websocket import StreamSettings
from bot.simulation.path import ETHERNET_SEGMENT, Path
from bot.simulation.pipe import Ending

IN_FLIGHT = 1.0
"""Seconds on the way, each: enough to see that an order has left, and to strike before it is there."""

TRIES = 10
"""On a busy machine an order may be there before anybody can strike."""

SLOW_FOR = 12.0
REFUSED_FOR = 5.0
"""Seconds."""

NAMED = "localhost"
"""In the certificate of every exchange of ours."""

PARTS = (1, 30, 100, 300)
"""Bytes of something larger."""

OTHER_ADDRESSES = ("127.0.0.2", "::1")
"""Not every machine has both."""

Strike = Callable[[Stage], Awaitable[None]]


async def on_its_way(stage: Stage) -> None:
    """The connection of an order ends while the order is on its way."""
    for ending in Ending:
        await _lose(stage, lambda relay: relay.up, partial(Relay.cut, ending=ending))


async def reply_lost(stage: Stage) -> None:
    """The order is there, and its connection ends before that is heard."""
    for ending in Ending:
        await _lose(stage, lambda relay: relay.down, partial(Relay.cut, ending=ending))


async def half_an_order(stage: Stage) -> None:
    """The connection of an order ends when a part of the order has arrived."""

    def cut_up(count: int, relay: Relay) -> None:
        for connection in relay.connections:
            connection.up.cut_after(count)

    for count in PARTS:
        await _lose(stage, lambda relay: relay.up, partial(cut_up, count))


async def _lose(stage: Stage, way: Callable[[Relay], Path], strike: Callable[[Relay], None]) -> None:
    """Strike when an order is on this way, or its reply."""
    for _ in range(TRIES):
        way(stage.orders).shape(delay=IN_FLIGHT)
        client_id = await stage.next_order()
        if way(stage.orders) is stage.orders.down:
            await stage.books.until_accepted(client_id)
        strike(stage.orders)
        stage.orders.shape(delay=0)
        await stage.trade_again()
        if client_id in unanswered(stage.bot.records):
            return
    raise RowFailedError(f"{TRIES} orders were answered before anything could strike")


async def update_lost(stage: Stage) -> None:
    """The WebSocket ends between an order's acceptance and the update that tells of it."""
    for ending in Ending:
        stage.ws.down.shape(delay=IN_FLIGHT)
        await stage.books.until_accepted(await stage.next_order())
        await _reconnect(stage, ending)


async def half_a_frame(stage: Stage) -> None:
    """The WebSocket ends when a part of what it tells has arrived."""
    for count in PARTS:
        since = stage.bot.next_number
        for connection in stage.ws.connections:
            connection.down.cut_after(count, Ending.FIN)
        await stage.next_session(since)
        await stage.trade_again()


def half_open(direction: str, *which: str) -> Strike:
    """Nothing comes any more, in one direction or both; nobody says so, and the deadline of the ping passes."""

    async def strike(stage: Stage) -> None:
        await stage.next_order()
        since, began = stage.bot.next_number, trio.current_time()
        for name in which:
            relay: Relay = getattr(stage, name)
            (relay if direction == "both" else getattr(relay, direction)).black_hole()
        if "ws" in which:
            await stage.bot.until(is_socket_end, since)
            took, settings = trio.current_time() - began, StreamSettings()
            if took > settings.ping_interval + settings.ping_deadline + LATE:
                raise RowFailedError(f"the generation died after {took:.1f} s")
        else:
            await stage.bot.until(is_failure, since)
        for relay in stage.both:
            relay.heal()

    return strike


def slow(**shape: float) -> Strike:
    """The way is bad for a while, in both directions."""

    async def strike(stage: Stage) -> None:
        with _shaped(stage, **shape):
            await trio.sleep(SLOW_FOR)

    return strike


async def trickle(stage: Stage) -> None:
    """Something keeps coming, and an order would take many times its deadline."""
    with _shaped(stage, bandwidth=50):
        await stage.bot.until(is_failure, stage.bot.next_number)


@contextmanager
def _shaped(stage: Stage, **shape: float) -> Iterator[None]:
    for relay in stage.both:
        relay.shape(**shape)  # type: ignore[arg-type] # bytes are whole here
    yield
    for relay in stage.both:
        relay.shape(delay=0, jitter=0, bandwidth=inf, segment=ETHERNET_SEGMENT)


async def reconnects(stage: Stage) -> None:
    """The WebSocket ends again and again, in form and without."""
    for _, ending in zip(range(6), cycle(Ending), strict=False):
        await _reconnect(stage, ending)


async def _reconnect(stage: Stage, ending: Ending) -> None:
    since = stage.bot.next_number
    stage.ws.cut(ending)
    stage.ws.shape(delay=0)
    await stage.next_session(since)
    await stage.trade_again()


async def refused(stage: Stage) -> None:
    """Everything is reset, and nobody listens for a while."""
    for relay in stage.both:
        relay.refuse()
        relay.cut()
    await trio.sleep(REFUSED_FOR)
    for relay in stage.both:
        relay.heal()


async def moves(stage: Stage) -> None:
    """The name of the exchange cannot be looked up, and then stands for another address."""
    file = stage.folder / NAMES
    names.write(file, {})
    for relay in stage.both:
        relay.refuse()
        relay.cut()
    await stage.bot.until_logged("Temporary failure in name resolution")
    names.write(file, {NAMED: await _elsewhere(stage)})


async def _elsewhere(stage: Stage) -> str:
    """Another address of this machine, where the exchange is found behind the same ports."""
    for address in OTHER_ADDRESSES:
        try:
            for relay in stage.both:
                moved = open_relay(relay.target, host=address, port=relay.address[1])
                await stage.stack.enter_async_context(moved)
        except OSError:
            continue
        return address
    raise RowFailedError(f"this machine has none of the addresses {', '.join(OTHER_ADDRESSES)}")


def impostor(what: str) -> Strike:
    """Somebody else answers, who cannot prove to be the exchange: nothing is said to him, and the cause is told."""

    async def strike(stage: Stage) -> None:
        _, words = IMPOSTORS[what]
        targets = [relay.target for relay in stage.both]
        async with open_impostor(what, stage.authority) as address:
            for relay in stage.both:
                relay.target = address
                relay.cut()
            await stage.bot.until_logged(words)
        for relay, target in zip(stage.both, targets, strict=True):
            relay.target = target

    return strike


async def dead(stage: Stage) -> None:
    """Nothing comes through any more from when an order was on its way, and that does not end."""
    await stage.next_order()
    for relay in stage.both:
        relay.black_hole()


@attrs.frozen
class Row:
    """What strikes, whether that ends, what the bot calls its exchange, and who judges it."""

    strike: Strike
    ends: bool = True
    host: str = LOOPBACK
    judge: Judge = mended


ROWS: Mapping[str, Row] = {
    "order on its way": Row(on_its_way),
    "reply lost": Row(reply_lost),
    "update lost": Row(update_lost),
    "half an order": Row(half_an_order),
    "half a frame": Row(half_a_frame),
    "half-open up": Row(half_open("up", "rest", "ws")),
    "half-open down": Row(half_open("down", "rest", "ws")),
    "half-open": Row(half_open("both", "rest", "ws")),
    "half-open REST": Row(half_open("both", "rest")),
    "half-open WebSocket": Row(half_open("both", "ws")),
    "2 s ± 1 s": Row(slow(delay=0.5, jitter=1.0)),
    "1 KB/s": Row(slow(bandwidth=1000)),
    "a trickle": Row(trickle),
    "byte by byte": Row(slow(segment=1, bandwidth=4000)),
    "reconnects": Row(reconnects),
    "refused": Row(refused),
    "another address": Row(moves, host=NAMED),
    "stopped while half-open": Row(dead, ends=False, judge=cut_off),
    **{what: Row(impostor(what)) for what in IMPOSTORS},
}
"""By name."""
