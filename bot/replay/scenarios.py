"""Makes recorded sessions: the whole bot on the embedded exchange, in virtual time, so that each can be made again.

`just session NAME` writes ``tests/replay/sessions/NAME.journal``, where the tests of the replay pick it up.
"""

import inspect
import itertools
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import cyclopts
from loguru import logger

from bot.core.fixed import Fixed, parse
from bot.core.recovered import NoClaim
from bot.core.tape import Kind
from bot.exchange.exchange import Exchange
from bot.exchange.faults.requests import Silence, Stale, Swallow
from bot.exchange.faults.updates import LoseUpdate
from bot.exchange.market.floor import Floor
from bot.exchange.matching.commands import Cancel
from bot.exchange.matching.orders import BUY, Order
from bot.exchange.stream.frames import ChannelData, Payload, Reply
from bot.replay.acting import acted
from bot.replay.calls import CALLS_SETTINGS, UNHEARD_SETTINGS, Calls, calls, unheard
from bot.replay.predecessor import RUN_ID, Several, killed
from bot.settings import Settings
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.trading.executor import OrdersSettings
from bot.trading.requests import WS
from bot.trading.strategies.probe import ProbeSettings
from bot.trading.strategies.strategy import Strategy

SESSIONS = Path("tests/replay/sessions")
SUFFIX = ".journal"

MARKET = "BTC-USD-PERP"
ORDERS_CHANNEL, FILLS_CHANNEL = f"orders.{MARKET}", f"fills.{MARKET}"

SELLER = 1
"""The account of a synthetic participant."""


@attrs.frozen(kw_only=True)
class Scenario:
    """What happens in a session, and under which settings. ``delay`` is each way's, in seconds."""

    play: Callable[[Rehearsal], Awaitable[object]]
    settings: Settings = attrs.field(factory=Settings)
    seed: int = 1
    delay: float = 0.05
    activity: float = 0.0
    strategy: Callable[[], Strategy] | None = None
    """Who trades; None for the strategy that the settings name."""

    def record(self, file: Path) -> None:
        """Play it, and write the session into ``file``, which must not exist. Without TLS, whose lengths vary."""
        with self.acted():
            rehearse(
                self.play,
                self.settings,
                seed=self.seed,
                delay=self.delay,
                tls=False,
                activity=self.activity,
                journal=file,
            )

    def acted(self) -> AbstractContextManager[None]:
        """Bots that run meanwhile trade as in this session."""
        return nullcontext() if self.strategy is None else acted(self.strategy)


async def plain(rehearsal: Rehearsal) -> None:
    """Nothing happens but orders."""
    await rehearsal.trade(10)


async def reconnects(rehearsal: Rehearsal) -> None:
    """All connections are cut, with an order on its way; the tokens expire; the venue says goodbye, and while it is
    away somebody takes a part of an order, which its list of fills is late to show.
    """
    exchange, network = rehearsal.exchange, rehearsal.network

    def away() -> None:
        exchange.drop_websockets(1012)
        exchange.faults.add(Stale(on="fills", seconds=10.0))
        network.after(0.6, take, exchange, 400_000)

    happenings: dict[int, tuple[float, Callable[[], object]]] = {
        2: (0.07, rehearsal.link.cut),
        3: (0.5, exchange.expire_tokens),
        6: (0.02, away),
    }

    def watch(number: int) -> None:
        if number in happenings:
            network.after(*happenings[number])

    at_each_order(rehearsal, watch)
    await rehearsal.trade(16)


def at_each_order(rehearsal: Rehearsal, act: Callable[[int], object]) -> None:
    """Call ``act`` with 1, 2, 3 … whenever an order leaves."""
    numbers = itertools.count(1)

    def watch(way: str, text: str) -> None:
        if way == Kind.REQUEST and text.startswith("POST /orders"):
            act(next(numbers))

    rehearsal.messages.listeners.append(watch)


def newest(exchange: Exchange) -> Order:
    return list(exchange.orders.values())[-1]


def take(exchange: Exchange, size: int, order: Order | None = None) -> None:
    """Somebody sells so much to this order, or the client's newest one, and to all who bid more."""
    order = order or newest(exchange)
    book = exchange.engine.books[order.market]
    better = sum(level.size for level in book.levels(BUY) if level.price > order.price)
    floor = Floor(exchange.markets[order.market], book, exchange.engine, exchange.stamps)
    floor.take(SELLER, order.price, better + size, is_buy=False)


async def ahead(rehearsal: Rehearsal) -> None:
    """Orders over the WebSocket that are signed ahead. While one waits to be sent the WebSocket ends, and the next
    one takes it; then the venue is away, for so long that another becomes too old, and is signed once more.
    """
    network, numbers = rehearsal.network, itertools.count(1)

    def away() -> None:
        rehearsal.link.refuse()
        rehearsal.link.cut()
        network.after(2.0, rehearsal.link.heal)

    happenings: dict[int, tuple[float, Callable[[], object]]] = {
        2: (0.7, rehearsal.exchange.drop_websockets),
        4: (0.7, away),
    }

    def watch(way: str, text: str) -> None:
        if way == Kind.FRAME_OUT and "order.create" in text and (number := next(numbers)) in happenings:
            network.after(*happenings[number])

    rehearsal.messages.listeners.append(watch)
    await rehearsal.trade(14)


async def fills(rehearsal: Rehearsal) -> None:
    """Orders at the best bid, which the market's takers fill: in part, wholly, or not in time. After a reconnect the
    lists tell of it again.
    """

    def watch(number: int) -> None:
        if number == 7:
            rehearsal.network.after(0.6, rehearsal.exchange.drop_websockets, 1012)

    at_each_order(rehearsal, watch)
    await rehearsal.trade(14)


async def strange(rehearsal: Rehearsal) -> None:
    """A venue from the future, or one that is not well: it says something odd about each order, while that rests."""
    exchange = rehearsal.exchange

    def report(channel: str = ORDERS_CHANNEL, **fields: Any) -> None:
        last = newest(exchange)
        known = {"id": last.id, "client_id": last.client_id, "market": last.market, "status": last.status}
        for session in exchange.feeds.sessions:
            session.publish(channel, known | fields)

    def fill(**fields: Any) -> None:
        last = newest(exchange)
        names = {"id": "8", "fill_type": "FILL", "order_id": last.id, "client_id": last.client_id}
        known = {**names, "market": last.market, "side": "BUY", "size": "0.001", "price": "83299.6"}
        report(FILLS_CHANNEL, **(known | fields))

    def restrict() -> None:
        exchange.set_mode("cancel_only")
        rehearsal.network.after(3.0, exchange.set_mode, "ok")

    def answer(identifier: int | str | None) -> None:
        for session in exchange.feeds.sessions:
            session.deliver(Reply(identifier, 0, 0, {"node_id": "0"}))

    def tell(frame: str | bytes) -> None:
        for session in exchange.feeds.sessions:
            update = ChannelData(ORDERS_CHANNEL, Payload({}))
            update.text = frame  # type: ignore[assignment] # what is encoded already goes out as it is, bytes too
            session.deliver(update)

    oddities: Iterator[Callable[[], object]] = iter(
        [
            partial(report, status="SUSPENDED_BY_AUCTION"),
            partial(
                report, regulator={"id": 7, "tags": ["a", None]}, side="BUY_TO_COVER", cancel_reason=None
            ),
            partial(report, status="UNTRIGGERED", remaining_size="0.004"),
            partial(report, remaining_size="-1"),
            partial(report, remaining_size="some"),
            partial(report, id="77", client_id="somebody-else"),
            partial(report, id="78", client_id=None, status="ADOPTED"),
            partial(report, channel="weather.ZURICH", status="SUNNY"),
            partial(report, id=79),
            fill,
            fill,
            partial(fill, size="some"),
            partial(fill, id="9", client_id=None, order_id="78", price="1"),
            partial(answer, 4711),
            partial(answer, "two"),
            partial(answer, None),
            partial(tell, "no JSON at all"),
            partial(tell, b"\x00\x01\xfe\xff binary"),
            partial(tell, '{"jsonrpc":"2.0","id":1e400}'),
            partial(tell, '{"jsonrpc":"2.0","error":{"code":-32099,"message":"the moon","data":[1]}}'),
            partial(tell, "[" * 2000),
            partial(tell, ""),
            lambda: None,
            restrict,
        ]
    )

    def watch(number: int) -> None:
        for after in (0.15, 0.25):
            rehearsal.network.after(after, next(oddities, lambda: None))
        if number == 15:
            rehearsal.network.after(0.15, rehearsal.stop.ask, "enough")

    at_each_order(rehearsal, watch)
    await rehearsal.trade()


async def restart(rehearsal: Rehearsal) -> None:
    """A run before was killed. Of its orders one was taken in part since, one ended, and one rests; another never
    arrived, and the last rests, too, but nobody said so.
    """
    exchange = rehearsal.exchange
    lost, unheard = f"{RUN_ID}-4", f"{RUN_ID}-5"
    exchange.faults.add(Swallow(on="create", client_id=lost))
    exchange.faults.add(Silence(on="create", client_id=unheard))
    exchange.faults.add(LoseUpdate(client_id=unheard, times=None))
    left = await killed(rehearsal, Several(MARKET, parse("0.01"), 5), 4.0)
    exchange.faults.clear()
    first, second, *_ = exchange.orders.values()
    take(exchange, 400_000, first)
    exchange.engine.step(Cancel(second, "LIQUIDATION"))
    rehearsal.surroundings = attrs.evolve(rehearsal.surroundings, claim=NoClaim(left))
    await rehearsal.trade(14)


async def busy(rehearsal: Rehearsal) -> None:
    """One order after the other, until there are 10,000 frames: for the speed of a replay."""
    frames = itertools.count(1)

    def watch(way: str, _text: str) -> None:
        if way in {Kind.FRAME_IN, Kind.FRAME_OUT} and next(frames) == 10_000:
            rehearsal.stop.ask("10,000 frames")

    rehearsal.messages.listeners.append(watch)
    await rehearsal.trade()


def _probing(**changes: Any) -> Settings:
    return attrs.evolve(Settings(), strategy=ProbeSettings(**changes))


SCENARIOS = {
    "plain": Scenario(play=plain, settings=_probing(pause=0.7)),
    "reconnects": Scenario(play=reconnects, settings=_probing(pause=0.7)),
    "fills": Scenario(
        play=fills,
        settings=_probing(pause=0.3, size=Fixed(parse("0.05")), distance=Fixed(0)),
        seed=7,
        delay=0.1,
        activity=100.0,
    ),
    # As fast as the venue's limits let orders through.
    "busy": Scenario(play=busy, settings=_probing(pause=0.12), delay=0.005),
    "restart": Scenario(play=restart, settings=_probing(pause=0.7)),
    "calls": Scenario(play=calls, settings=CALLS_SETTINGS, strategy=Calls),
    "ahead": Scenario(
        play=ahead,
        settings=attrs.evolve(_probing(prepare=True), orders=OrdersSettings(via=WS, recv_window=3000)),
    ),
    "unheard": Scenario(play=unheard, settings=UNHEARD_SETTINGS),
    "strange": Scenario(play=strange, settings=_probing(pause=0.5), delay=0.1),
}


def main(name: str = "", file: Path | None = None) -> int:
    """Make a session from the embedded exchange.

    Args:
        name: which; without one they are listed.
        file: where to write it; tests/replay/sessions/NAME.journal if not said. It is overwritten.
    """
    scenario = SCENARIOS.get(name)
    if scenario is None:
        for known, each in SCENARIOS.items():
            sys.stdout.write(f"{known:<12}{inspect.getdoc(each.play)}\n")
        return 2 if name else 0
    logger.remove()
    file = file or SESSIONS / f"{name}{SUFFIX}"
    file.unlink(missing_ok=True)
    scenario.record(file)
    sys.stdout.write(f"{file}\n")
    return 0


if __name__ == "__main__":
    sys.exit(cyclopts.run(main))
