"""A bot in a process of its own, which may be told where to die, and what to do wrong."""

import gc
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs
import msgspec
import trio
from crash_points import BY_NAME, Manner, install
from crash_seams import Seam, When, find, meet, put

from bot import run
from bot.core.errors import StreamClosedError
from bot.core.order import Side, State
from bot.link.websocket import WebSocket
from bot.session.generation import Generations
from bot.settings import load
from bot.settings.recorded import shareable
from bot.signals import EarlySignals
from bot.trading.strategies.probe import ProbeSettings
from bot.trading.strategies.strategy import Event, OrderChanged, Quote, TimerElapsed, TradingOpened
from bot.trading.strategies.trader import NewOrder, Trader

IMPORTED_LATE = ("anyio", "encodings.idna", "fast_stark_crypto")
"""By libraries, when they need them."""

REST_S = 0.4
"""Seconds that orders rest before something happens to them: by then the journal has it in the file."""

FEW, MANY = 2, 5


@attrs.frozen(kw_only=True)
class Errand:
    """What a process is to do."""

    environ: dict[str, str]
    """Its whole environment."""

    summary: str
    """The file for it."""

    seconds: float
    """After which it stops by itself."""

    point: str = ""
    """The name of the point where it dies, if it is to die."""

    manner: Manner = Manner.PROBE
    bug: str = ""
    """One of `BUGS`, if it is to have one."""


def main() -> int:
    """Begin a bot for everybody who connects, until stdin closes; prints the port.

    Everything is imported here, and each bot begins as a copy of this process. Who connects sends an errand, and gets
    lines: the process id, then what the bot prints, then its exit code.
    """
    for name in IMPORTED_LATE:
        import_module(name)
    shareable(load(None, {}).settings)  # the first time takes long
    gc.freeze()  # the copies share it as long as nobody looks through it
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if listener not in ready:
                return 0
            connection, _ = listener.accept()
            with connection:
                if os.fork() == 0:
                    return _keep(connection)


def _keep(connection: socket.socket) -> int:
    """In a process of its own: see to one bot, which is killed, and can say nothing of its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with connection.makefile("rb") as told:
        errand = msgspec.json.decode(told.readline(), type=Errand)
    pid = os.fork()
    if pid == 0:
        return _play(errand, connection)
    _, status = os.waitpid(pid, 0)
    connection.sendall(b"\n%d\n" % os.waitstatus_to_exitcode(status))
    return 0


def _play(errand: Errand, connection: socket.socket) -> int:
    """Run the bot; returns its exit code."""
    connection.sendall(b"%d\n" % os.getpid())
    os.environ.clear()
    os.environ.update(errand.environ)
    for descriptor in (1, 2):
        os.dup2(connection.fileno(), descriptor)
    if errand.manner is not Manner.PROBE:
        _hold(errand.manner)
    if errand.bug:
        BUGS[errand.bug]()
    if errand.point:
        install(BY_NAME[errand.point])
    options = run.Options(seconds=errand.seconds, summary=Path(errand.summary))
    return run.run_bot(options, EarlySignals())


# Orders that rest.


@attrs.define
class Holder:
    """A strategy: some orders, one by one or `MANY` in a batch, and when all have rested for a while an act."""

    _market: str
    _manner: Manner
    _act: Callable[[Trader, str], None]
    _orders: list[str] = attrs.field(factory=list)
    _resting: set[str] = attrs.field(factory=set)

    def on_event(self, event: Event, trader: Trader) -> None:
        match event:
            case TradingOpened() if not self._orders:
                trader.ask_quote(self._market)
            case Quote(bid=int(bid)):
                tick = trader.market(self._market).price_tick
                price = bid * 102 // 100 if self._manner is Manner.TAKE else bid // 2
                self._place(price // tick * tick, trader)
            case OrderChanged(order) if order.state is State.OPEN and order.client_id not in self._resting:
                self._resting.add(order.client_id)
                if len(self._resting) == len(self._orders):
                    trader.set_timer(REST_S)
            case TimerElapsed():
                self._act(trader, self._orders[0])

    def _place(self, price: int, trader: Trader) -> None:
        size = ProbeSettings().size
        if self._manner is Manner.STOP_MANY:
            wanted = NewOrder(market=self._market, side=Side.BUY, size=size, price=price)
            self._orders = trader.place_batch([wanted] * MANY)
        else:
            self._orders = [trader.place(self._market, Side.BUY, size=size, price=price) for _ in range(FEW)]


def _hold(manner: Manner) -> None:
    """In place of the probe."""
    lost = trio.Event()

    async def lose(generations: Generations, _: WebSocket) -> None:
        if generations.attempts > 1:
            await trio.sleep_forever()
        await lost.wait()
        raise StreamClosedError(1006, "lost on purpose")

    acts: dict[Manner, Callable[[Trader, str], None]] = {
        Manner.MODIFY: lambda trader, order: trader.modify(order, size=2 * ProbeSettings().size),
        Manner.RECONNECT: lambda _trader, _order: lost.set(),
        Manner.STOP: lambda _trader, _order: signal.raise_signal(signal.SIGTERM),
        Manner.STOP_MANY: lambda _trader, _order: signal.raise_signal(signal.SIGTERM),
        Manner.TAKE: lambda _trader, _order: None,  # nothing rests
    }
    put("bot.app:Probe", lambda _, market: Holder(market, manner, acts[manner]))
    if manner is Manner.RECONNECT:
        put("bot.session.generation:Generations._heartbeat", lose)


# Bugs, on purpose.


def _commit_late() -> None:
    """An intent is in the journal when its order was sent, and not before."""
    put("bot.journal.journal:FLUSH_AFTER", 60.0)
    commit = find("bot.trading.sending:Sender._commit")
    put("bot.trading.sending:Sender._commit", lambda _: None)
    meet(Seam("bot.trading.sending:Sender.place", When.AFTER), lambda sender, *_: commit(sender))


def _forget_unknown() -> None:
    """Of what earlier runs left only that counts whose state is known."""
    left = find("bot.journal.recovery:SessionOrders.left")

    def known(orders: Any) -> Any:
        recovered = left(orders)
        known = (each for each in recovered.orders if each.order.state is not State.UNKNOWN)
        return attrs.evolve(recovered, orders=tuple(known))

    put("bot.journal.recovery:SessionOrders.left", known)


def _drop_early() -> None:
    """The list names this run's journal only, before what was left is in it."""
    take_over = find("bot.journal.claim:_take_over")
    take = find("bot.journal.claim:LocalClaim.take")

    async def take_and_drop(claim: Any, account: str) -> Any:
        recovered = await take(claim, account)
        take_over(claim._files, claim.journal)
        return recovered

    put("bot.journal.claim:LocalClaim.take", take_and_drop)


def _open_early() -> None:
    """The gate opens while orders of earlier runs are in doubt."""
    put("bot.trading.step.recovery:Recovery.is_done", property(lambda _: True))


def _lock_nothing() -> None:
    """Everybody gets the account."""
    put("bot.journal.account:fcntl", Unlocked)


class Unlocked:
    """In place of the module fcntl."""

    LOCK_EX = LOCK_NB = LOCK_SH = 0

    @staticmethod
    def flock(_descriptor: int, _operation: int) -> None:
        pass


BUGS = {
    "intent after the send": _commit_late,
    "unknown forgotten": _forget_unknown,
    "journals dropped early": _drop_early,
    "gate open early": _open_early,
    "no lock": _lock_nothing,
}


if __name__ == "__main__":
    sys.exit(main())
