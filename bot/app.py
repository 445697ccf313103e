"""The composition root: opens the capabilities, builds the task tree, and takes both down in order."""

import random
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import attrs
import trio
from loguru import logger

from bot.alarm import Alarms
from bot.core.clock import Clock, WorkClock
from bot.core.errors import FatalError, JournalError, RefusedError, leaves
from bot.core.market import Market
from bot.core.order import Order
from bot.core.recovered import AccountClaim, NoClaim, Recovered
from bot.core.tape import Kind, Tape
from bot.link.clock import VenueClock
from bot.link.http import Http, open_http
from bot.link.secrets import Redactor
from bot.paradex.environment import Venue
from bot.paradex.jwt import is_interactive
from bot.session.capabilities import open_rest
from bot.session.entry import OrderEntry
from bot.session.generation import Generations
from bot.session.inbox import Inbox, KillSwitchPulled
from bot.session.login import Identity, LoggedIn, Login
from bot.session.mode import ModeWatch
from bot.session.snapshot import Snapshots
from bot.session.stop import Stop
from bot.session.stream import Stream
from bot.session.supervise import supervise
from bot.settings import Settings
from bot.summary import Summary, describe
from bot.trading.effects import AccountRecovered, StopAsked, clock_margin_ns
from bot.trading.executor import Executor
from bot.trading.leftovers import cancel_leftovers
from bot.trading.reconcile import reconcile
from bot.trading.requests import WS
from bot.trading.sending import Sender
from bot.trading.signing import OrderSigner
from bot.trading.step.manager import OrderManager
from bot.trading.strategies.probe import Probe
from bot.trading.stream import OrderedStream

STOP_DEADLINE = 8.0
"""Seconds from the wish to stop to the end of the work, under any fault (`faults.md` section 2)."""

HURRY_DEADLINE = 2.0
"""Seconds left when somebody asks a second time, and for the orders of work that broke."""


@attrs.frozen(kw_only=True)
class Surroundings:
    """Where and as whom the bot runs: what differs between a user's machine and a simulation."""

    venue: Venue
    tls: ssl.SSLContext
    identity: Identity
    clock: WorkClock
    seed: int
    """The one source of chance: of every jitter."""

    run_id: str
    """In the client id of every order of this run, and of no other."""

    tape: Tape
    redactor: Redactor
    """Of everything that this run writes for people or files."""

    claim: AccountClaim = attrs.field(factory=NoClaim)

    def chance(self, who: str) -> random.Random:
        """Random numbers of one's own: what one draws does not change the luck of another."""
        return random.Random(f"{self.seed} {who}")  # noqa: S311 - a session must be repeatable


def new_run_id(clock: Clock, rng: random.Random) -> str:
    """Unlike that of any other run: the time in ms, and chance for two that begin together."""
    return f"{clock.wall_ns() // 1_000_000:x}-{rng.getrandbits(32):08x}"


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
    async with open_http(http_settings, around.venue.rest_url, around.tls, around.clock, around.tape) as http:
        return await trade_over(http, settings, around, stop)


async def trade_over(http: Http, settings: Settings, around: Surroundings, stop: Stop) -> Summary:
    """The same with a client of the caller's."""
    venue_clock = VenueClock(around.clock)
    wanted_ns = around.clock.monotonic_ns()
    async with trio.open_nursery() as services:
        alarms = Alarms(settings.alarm, services, around.redactor.redact)
        login = Login(
            http=http,
            identity=around.identity,
            markets=settings.orders.markets,
            clock=venue_clock,
            rng=around.chance("login"),
            redactor=around.redactor,
            claim=around.claim,
            alarm=alarms,
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
                alarms=alarms.raised,
                http=http.counters,
            )
        else:
            work = Work(settings, around, stop, http, logged_in, venue_clock, alarms)
            summary = await work.run(wanted_ns)
        services.cancel_scope.cancel()
    around.tape.write(Kind.END, {"exit_code": summary.exit_code})
    return summary


async def _log_in(  # noqa: ASYNC128 - its child calls started()
    login: Login, stop: Stop, task_status: trio.TaskStatus[LoggedIn]
) -> None:
    with stopping_if_fatal(stop, login.alarm):
        await supervise("login", login.run, login.rng, task_status=task_status)
    await trio.sleep_forever()


@contextmanager
def stopping_if_fatal(stop: Stop, alarm: Callable[[str], None]) -> Iterator[None]:
    """What no other try can mend stops the bot, in order, instead of tearing it down."""
    try:
        yield
    except* FatalError as fatal:
        reason = "; ".join(map(str, leaves(fatal)))
        alarm(reason)
        stop.fail(reason)


def new_manager(settings: Settings, markets: Mapping[str, Market], run_id: str) -> OrderManager:
    """Who decides, with the strategy that the settings name."""
    return OrderManager(
        markets=markets,
        strategy=Probe(settings.strategy, settings.orders.markets[0]),
        run_id=run_id,
        recv_window_ms=settings.orders.recv_window,
        limits=settings.limits,
        leftovers=settings.orders.leftovers,
        via=settings.orders.via,
    )


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
        manager = new_manager(settings, self.logged_in.markets, around.run_id)
        recovered = self.logged_in.recovered
        snapshots = Snapshots(
            authed,
            around.clock,
            self.venue_clock,
            self.venue_clock.now_ms() if recovered.seen_ms is None else recovered.seen_ms,
        )
        try:
            async with trio.open_nursery() as nursery:
                inbox = self._ordered_stream(manager, nursery, snapshots)
                await self._take_over(recovered, inbox)
                modes = ModeWatch(plain=open_rest(self.http), inbox=inbox, rng=around.chance("platform mode"))
                generations = Generations(
                    url=around.venue.ws_url,
                    tls=around.tls,
                    settings=settings.stream,
                    markets=settings.orders.markets,
                    authed=authed,
                    snapshots=snapshots,
                    inbox=inbox,
                    clock=around.clock,
                    tape=around.tape,
                    cancel_on_disconnect=settings.orders.cancel_on_disconnect,
                    enter=self._enter,
                    known=modes.asked.wait,
                    wanted_ns=wanted_ns,
                )
                nursery.start_soon(modes.run)
                nursery.start_soon(reconcile, snapshots, inbox, around.chance("reconcile"))
                nursery.start_soon(self._obey_kill_switch, inbox)
                stream_ended = trio.Event()
                nursery.start_soon(self._stream, generations, stream_ended)
                await self.stop.wait_asked()
                await self._wind_down(nursery, manager, inbox, generations, stream_ended)
                nursery.cancel_scope.cancel()
        finally:
            # Whether it settled, broke, was cancelled or ran out of time: what is under way or rests is cancelled.
            left = [order for order in manager.ledger.live() if order.sent_ns is not None]
            in_time = min(nursery.cancel_scope.deadline, trio.current_time() + HURRY_DEADLINE)
            with trio.move_on_at(in_time, shield=True):
                await cancel_leftovers(authed, left)
            for order in left:
                logger.error("[STOP] Paradex order unresolved: {}", describe(order))
        return self._summary(manager, generations, left, inbox.watchdog.longest_ns)

    async def _take_over(self, recovered: Recovered, inbox: Inbox) -> None:
        """Put what earlier runs left into the ordered stream, and on the disk, before anything else leaves."""
        now_ns, now_ms = self.around.clock.monotonic_ns(), self.venue_clock.now_ms()
        margin_ns = clock_margin_ns(self.venue_clock.uncertainty_ns)
        until_ns = [
            now_ns + (each.last_acceptable_ms - now_ms) * 1_000_000 + margin_ns for each in recovered.orders
        ]
        inbox(AccountRecovered(recovered, tuple(until_ns)))
        try:
            self.around.tape.commit()
        except JournalError as error:
            raise FatalError(f"what earlier runs left cannot be taken over: {error}") from error
        await self.around.claim.taken_over()

    async def _obey_kill_switch(self, inbox: Inbox) -> None:
        switch = self.stop.kill_switch
        await switch.wait_pulled()
        inbox(KillSwitchPulled(switch.reason))

    def _ordered_stream(
        self, manager: OrderManager, nursery: trio.Nursery, snapshots: Snapshots
    ) -> OrderedStream:
        """What is reported goes onto the tape and into a step; what that decides is carried out in ``nursery``."""
        around = self.around
        stream = OrderedStream(
            manager,
            around.tape,
            alarm=self.alarms,
            pull_kill_switch=self.stop.kill_switch.pull,
            give_up=self.stop.fail,
            thread_ns=around.clock.thread_ns,
        )
        executor = Executor(
            nursery=nursery,
            inbox=stream,
            authed=self.logged_in.authed,
            sender=Sender(
                inbox=stream,
                tape=around.tape,
                alarm=self.alarms,
                authed=self.logged_in.authed,
                signer=OrderSigner(
                    signer=self.logged_in.signer,
                    recv_window=self.settings.orders.recv_window,
                    clock=around.clock,
                    venue_clock=self.venue_clock,
                ),
                stop=self.stop,
                via=self.settings.orders.via,
            ),
            snapshots=snapshots,
        )
        stream.carry_out = executor.carry_out
        return stream

    def _enter(self, stream: Stream, not_permitted: Callable[[RefusedError], None]) -> OrderEntry | None:
        """Order entry over a WebSocket, where orders go that way."""
        if self.settings.orders.via != WS:
            return None
        return OrderEntry(
            stream=stream,
            budgets=self.http.budgets,
            exchanges=self.http.exchanges,
            tape=self.around.tape,
            clock=self.around.clock,
            timeout=self.settings.http.request_timeout,
            restricted=self.http.restricted,
            not_permitted=not_permitted,
        )

    async def _stream(self, generations: Generations, ended: trio.Event) -> None:
        chance = self.around.chance("WebSocket")
        with stopping_if_fatal(self.stop, self.alarms):
            await supervise("WebSocket", generations.run, chance, task_status=trio.TASK_STATUS_IGNORED)
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
        inbox(StopAsked(self.stop.reason))
        await manager.settled.wait()
        generations.closing.set()
        with trio.move_on_after(self.settings.stream.close_timeout):
            await stream_ended.wait()

    async def _hurry(self, work: trio.CancelScope) -> None:
        await self.stop.wait_hurry()
        self.around.tape.write(Kind.COMMAND, {"command": "hurry"})
        work.deadline = min(work.deadline, trio.current_time() + HURRY_DEADLINE)

    def _summary(
        self, manager: OrderManager, generations: Generations, unresolved: list[Order], longest_step_ns: int
    ) -> Summary:
        return Summary(
            environment=self.settings.environment,
            exit_reason=self.stop.reason,
            is_fatal=self.stop.is_fatal,
            generations=generations.count,
            is_interactive=is_interactive(self.logged_in.authed.token.text),
            alarms=self.alarms.raised,
            ready_ms=generations.ready_ms,
            orders=manager.ledger.counts,
            unresolved=unresolved,
            http=self.http.counters,
            longest_step_ns=longest_step_ns,
        )
