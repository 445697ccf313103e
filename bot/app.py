"""The composition root: opens the capabilities, builds the task tree, and takes both down in order."""

import random
import ssl
from functools import partial

import attrs
import trio
from loguru import logger

from bot.alarm import Alarms
from bot.core.clock import Clock
from bot.core.errors import FatalError, leaves
from bot.core.tape import Tape, no_tape
from bot.link.clock import VenueClock
from bot.link.http import Http, open_http
from bot.paradex.environment import Venue
from bot.session.generation import Generations
from bot.session.inbox import Inbox, Item
from bot.session.login import Identity, LoggedIn, Login
from bot.session.stop import Stop
from bot.session.supervise import supervise
from bot.settings import Settings
from bot.summary import Summary, describe
from bot.trading.effects import Effect, StopAsked
from bot.trading.executor import Executor
from bot.trading.leftovers import cancel_leftovers
from bot.trading.manager import OrderManager
from bot.trading.probe import Probe
from bot.trading.reconcile import reconcile

STOP_DEADLINE = 8.0
"""Seconds from the wish to stop to the end of the work, under any fault (`faults.md` section 2)."""

HURRY_DEADLINE = 2.0
"""Seconds left when somebody asks a second time, and for the orders of work that broke."""

ITEMS = 100_000
"""Of the ordered stream that may wait for a step. More means that a step hangs, and then nothing is right."""

EFFECTS = 10_000


@attrs.frozen(kw_only=True)
class Surroundings:
    """Where and as whom the bot runs: what differs between a user's machine and a simulation."""

    venue: Venue
    tls: ssl.SSLContext
    identity: Identity
    clock: Clock
    rng: random.Random
    """The one source of chance: jitter, and the run's id in every client id."""

    tape: Tape = no_tape


async def trade(settings: Settings, around: Surroundings, stop: Stop) -> Summary:
    """Trade until ``stop`` is asked for, then cancel our orders, say goodbye, and tell what happened.

    A `FatalError` (the venue refuses the account, or has no such market) asks for the stop like a signal does.
    """
    logger.info("[INIT] Paradex environment: {} at {}", settings.environment, around.venue.rest_url)
    http_settings = settings.http
    logger.info(
        "[INIT] Paradex HTTP pool: max_idle={} idle_timeout={:g}s tcp_keepalive={:g}s "
        "connect_timeout={:g}s request_timeout={:g}s",
        http_settings.connections,
        http_settings.idle_timeout,
        http_settings.tcp_keepalive,
        http_settings.connect_timeout,
        http_settings.request_timeout,
    )
    venue_clock = VenueClock(around.clock)
    wanted_ns = around.clock.monotonic_ns()
    async with (
        open_http(http_settings, around.venue.rest_url, around.tls, around.clock, around.tape) as http,
        trio.open_nursery() as services,
    ):
        alarms = Alarms(settings.alarm, services)
        login = Login(
            http=http,
            identity=around.identity,
            markets=settings.orders.markets,
            clock=venue_clock,
            rng=around.rng,
        )
        logged_in: LoggedIn | None = None
        with trio.CancelScope() as starting:
            services.start_soon(stop.cancel, starting)  # noqa: ASYNC111 - cancelling it later does no harm
            logged_in = await services.start(partial(_log_in, login, stop))
        if logged_in is None:
            summary = Summary(
                environment=settings.environment,
                exit_reason=stop.reason,
                is_fatal=stop.is_fatal,
                http=http.counters,
            )
        else:
            work = Work(settings, around, stop, http, logged_in, venue_clock, alarms)
            summary = await work.run(wanted_ns)
        services.cancel_scope.cancel()
    return summary


async def _log_in(  # noqa: ASYNC128 - its child calls started()
    login: Login, stop: Stop, task_status: trio.TaskStatus[LoggedIn]
) -> None:
    """Supervise the login; what no other try can mend stops the bot, in order, instead of tearing it down."""
    try:
        await supervise("login", login.run, login.rng, task_status=task_status)
    except* FatalError as fatal:
        stop.fail("; ".join(map(str, leaves(fatal))))
    await trio.sleep_forever()


@attrs.frozen
class Work:
    """Everything that trades: dies before the services that its end still needs."""

    settings: Settings
    around: Surroundings
    stop: Stop
    http: Http
    logged_in: LoggedIn
    venue_clock: VenueClock
    alarms: Alarms

    async def run(self, wanted_ns: int) -> Summary:
        settings, around, authed = self.settings, self.around, self.logged_in.authed
        inbox, items = trio.open_memory_channel[Item](ITEMS)
        decided, effects = trio.open_memory_channel[Effect](EFFECTS)
        manager = OrderManager(
            markets=self.logged_in.markets,
            strategy=Probe(settings.strategy, settings.orders.markets[0]),
            run_id=f"{around.clock.wall_ns() // 1_000_000:x}-{around.rng.getrandbits(32):08x}",
            recv_window_ms=settings.orders.recv_window,
            clock=around.clock,
            venue_clock=self.venue_clock,
            alarm=self.alarms,
            give_up=self.stop.fail,
        )
        executor = Executor(
            effects=effects,
            inbox=inbox,
            authed=authed,
            signer=self.logged_in.signer,
            settings=settings.orders,
            clock=around.clock,
            venue_clock=self.venue_clock,
            stop=self.stop,
        )
        generations = Generations(
            url=around.venue.ws_url,
            tls=around.tls,
            settings=settings.stream,
            markets=settings.orders.markets,
            authed=authed,
            inbox=inbox,
            clock=around.clock,
            tape=around.tape,
            wanted_ns=wanted_ns,
        )
        broke = True
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(manager.run, items, decided)
                nursery.start_soon(executor.run)
                nursery.start_soon(reconcile, authed, inbox, around.clock, around.rng)
                stream_ended = trio.Event()
                nursery.start_soon(self._stream, generations, stream_ended)
                await self.stop.wait_asked()
                await self._wind_down(nursery, manager, inbox, generations, stream_ended)
                nursery.cancel_scope.cancel()
            broke = False
        finally:
            if broke:  # and with it whoever would have cancelled what rests
                with trio.move_on_after(HURRY_DEADLINE, shield=True):
                    await cancel_leftovers(authed, manager.ledger.live())
        return self._summary(manager, generations)

    async def _stream(self, generations: Generations, ended: trio.Event) -> None:
        await supervise("WebSocket", generations.run, self.around.rng, task_status=trio.TASK_STATUS_IGNORED)
        ended.set()

    async def _wind_down(
        self,
        work: trio.Nursery,
        manager: OrderManager,
        inbox: Inbox,
        generations: Generations,
        stream_ended: trio.Event,
    ) -> None:
        work.cancel_scope.deadline = trio.current_time() + STOP_DEADLINE
        work.start_soon(self._hurry, work.cancel_scope)
        logger.info("[STOP] Paradex stopping: {}", self.stop.reason)
        await inbox.send(StopAsked())
        await manager.settled.wait()
        generations.closing.set()
        with trio.move_on_after(self.settings.stream.close_timeout):
            await stream_ended.wait()

    async def _hurry(self, work: trio.CancelScope) -> None:
        await self.stop.wait_hurry()
        work.deadline = min(work.deadline, trio.current_time() + HURRY_DEADLINE)

    def _summary(self, manager: OrderManager, generations: Generations) -> Summary:
        unresolved = manager.ledger.live()
        for order in unresolved:
            logger.error("[STOP] Paradex order unresolved: {}", describe(order))
        return Summary(
            environment=self.settings.environment,
            exit_reason=self.stop.reason,
            is_fatal=self.stop.is_fatal,
            generations=generations.count,
            alarms=self.alarms.raised,
            ready_ms=generations.ready_ms,
            orders=manager.ledger.counts,
            unresolved=unresolved,
            http=self.http.counters,
            latencies=manager.ledger.latencies,
        )
