"""The unchanged bot and the unchanged exchange, together in one run on the virtual network."""

import random
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

import attrs
import trio
import trustme

from bot import app
from bot.core.clock import Clock
from bot.core.tape import NoTape, Tape
from bot.exchange.exchange import Exchange
from bot.exchange.server import Listen, serve
from bot.journal.file import Disk
from bot.journal.header import Header, new_header
from bot.journal.journal import open_journal
from bot.journal.parts import Parts
from bot.journal.redact import Clean, Cleaner
from bot.journal.settings import JournalSettings
from bot.link.clock import TrioClock
from bot.link.secrets import Redactor, Secret
from bot.paradex.environment import Venue
from bot.session.login import Identity
from bot.session.stop import Stop
from bot.settings import Settings
from bot.settings.recorded import shareable
from bot.simulation.disk import ThreadlessDisk
from bot.simulation.network import Link, Network, open_network
from bot.simulation.trace import Trace
from bot.simulation.world import run
from bot.summary import Summary

T = TypeVar("T")

EPOCH_NS = 1_800_000_000_000_000_000
"""The wall time at which every rehearsal begins, 2027-01-15 08:00 UTC."""

HASHING_KEY = bytes(32)
"""For the accounts in recordings: one seed is one recording, and nobody has to be hidden."""

NAME, ADDRESS = "venue.test", "10.0.0.2"
REST_PORT, WS_PORT, CONTROL_PORT = 443, 8443, 8080


@attrs.define(eq=False, kw_only=True)
class Rehearsal:
    """A bot that has not started yet, the exchange that waits for it, and what lies between them."""

    settings: Settings
    network: Network
    link: Link
    exchange: Exchange
    surroundings: app.Surroundings
    stop: Stop
    messages: Trace
    """The tape, and what passes between the two."""

    @property
    def trace(self) -> list[tuple[float, str, str]]:
        """Every message between the two: when, which way, and what, without secrets."""
        return self.messages.lines

    async def trade(self, seconds: float | None = None) -> Summary:
        """Run the bot until somebody asks `stop`, or that long."""
        async with trio.open_nursery() as nursery:
            if seconds is not None:
                nursery.start_soon(self.stop.ask_after, seconds)
            summary = await app.trade(self.settings, self.surroundings, self.stop)
            nursery.cancel_scope.cancel()
        return summary


@asynccontextmanager
async def open_rehearsal(
    settings: Settings,
    *,
    seed: int = 0,
    delay: float = 0.0,
    jitter: float = 0.0,
    tls: bool = True,
    activity: float = 0.0,
    journal: Path | None = None,
    disk: Disk | None = None,
) -> AsyncGenerator[Rehearsal]:
    """Set the stage: `delay` and `jitter` in seconds, for each way. Call it inside `bot.simulation.world.run`.

    The session is recorded in the new file ``journal``, if one is named: on this machine, or on ``disk``.

    The market stands still unless `activity` (orders a second, as in `ExchangeSettings`) says otherwise, whatever
    the settings do: hours of a market that moves take minutes to play.
    """
    clock = TrioClock(EPOCH_NS)
    rng = random.Random(seed)  # noqa: S311 - the one source of chance of a run that has to be repeatable
    run_seed, run_id = rng.getrandbits(64), app.new_run_id(clock, rng)
    stop = Stop()
    secure = "s" if tls else ""
    venue = Venue(f"http{secure}://{NAME}:{REST_PORT}/v1", f"ws{secure}://{NAME}:{WS_PORT}/v1")
    header = new_header(
        environment=settings.environment,
        run_id=run_id,
        seed=run_seed,
        started_ns=EPOCH_NS,
        rest_url=venue.rest_url,
        ws_url=venue.ws_url,
        settings=shareable(settings),
        account=settings.journal.account,
    )
    redactor = Redactor()
    clean = Cleaner(HASHING_KEY, redactor, keeps_account=settings.journal.account == "kept").clean
    async with (
        open_network(rng.getrandbits(64)) as network,
        _open_tape(journal, disk or ThreadlessDisk(), header, clock, settings.journal, stop, clean) as tape,
        trio.open_nursery() as nursery,
    ):
        here, there = network.host("bot.test", "10.0.0.1"), network.host(NAME, ADDRESS)
        link = network.link(here, there)
        link.shape(delay=delay, jitter=jitter)
        server_tls, client_tls = contexts()
        with network.on(there):
            serving = await nursery.start(
                partial(
                    serve,
                    attrs.evolve(settings.exchange, seed=settings.exchange.seed + seed, activity=activity),
                    clock,
                    Listen(ADDRESS, REST_PORT, WS_PORT, CONTROL_PORT),
                    server_tls if tls else None,
                )
            )
        messages = Trace(tape)
        private_key = hex(rng.getrandbits(250) + 1)
        redactor.register(Secret(private_key))
        surroundings = app.Surroundings(
            venue=venue,
            tls=client_tls,
            identity=Identity(private_key=private_key, ethereum_address="0x" + "00" * 20),
            clock=clock,
            seed=run_seed,
            run_id=run_id,
            tape=messages,
            redactor=redactor,
        )
        with network.on(here):
            yield Rehearsal(
                settings=settings,
                network=network,
                link=link,
                exchange=serving.exchange,
                surroundings=surroundings,
                stop=stop,
                messages=messages,
            )
        nursery.cancel_scope.cancel()


def _open_tape(
    journal: Path | None,
    disk: Disk,
    header: Header,
    clock: Clock,
    settings: JournalSettings,
    stop: Stop,
    clean: Clean,
) -> AbstractAsyncContextManager[Tape]:
    if journal is None:
        return nullcontext(NoTape(clock))
    parts = Parts(disk, journal)
    return open_journal(parts, header, clock, settings=settings, ask_to_stop=stop.fail, clean=clean)


def rehearse(
    play: Callable[[Rehearsal], Awaitable[T]],
    settings: Settings | None = None,
    *,
    seed: int = 0,
    delay: float = 0.0,
    jitter: float = 0.0,
    tls: bool = True,
    activity: float = 0.0,
    journal: Path | None = None,
    disk: Disk | None = None,
) -> T:
    """Run ``play`` in virtual time, with everything in it decided by ``seed``; see `open_rehearsal`."""

    async def staged() -> T:
        async with open_rehearsal(
            settings or Settings(),
            seed=seed,
            delay=delay,
            jitter=jitter,
            tls=tls,
            activity=activity,
            journal=journal,
            disk=disk,
        ) as rehearsal:
            return await play(rehearsal)

    return run(staged, seed=seed)


@cache
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Server and client context of an authority that lives as long as the process."""
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(NAME, ADDRESS, key_type=trustme.KeyType.ECDSA).configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client
