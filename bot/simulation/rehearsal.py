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
from bot.core.clock import WorkClock
from bot.core.tape import NoTape, Tape
from bot.exchange.exchange import Exchange
from bot.exchange.server import Listen, serve
from bot.journal.file import Disk
from bot.journal.parts import Parts
from bot.link.clock import TrioClock
from bot.link.secrets import Redactor, Secret
from bot.paradex.environment import Venue
from bot.recording import open_recording
from bot.session.login import Identity
from bot.session.stop import Stop
from bot.settings import Settings
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
    clock, stop = TrioClock(EPOCH_NS), Stop()
    rng = random.Random(seed)  # noqa: S311 - the one source of chance of a run that has to be repeatable
    run_seed, run_id, ways = rng.getrandbits(64), app.new_run_id(clock, rng), rng.getrandbits(64)
    surroundings = new_surroundings(new_key(rng), clock, run_seed, run_id, tls=tls)
    async with (
        open_network(ways) as network,
        _open_tape(journal, disk or ThreadlessDisk(), settings, surroundings, stop) as tape,
        trio.open_nursery() as nursery,
    ):
        here, there = network.host("bot.test", "10.0.0.1"), network.host(NAME, ADDRESS)
        link = network.link(here, there)
        link.shape(delay=delay, jitter=jitter)
        with network.on(there):
            serving = await nursery.start(
                partial(
                    serve,
                    attrs.evolve(settings.exchange, seed=settings.exchange.seed + seed, activity=activity),
                    clock,
                    Listen(ADDRESS, REST_PORT, WS_PORT, CONTROL_PORT),
                    contexts()[0] if tls else None,
                )
            )
        messages = Trace(tape)
        with network.on(here):
            yield Rehearsal(
                settings=settings,
                network=network,
                link=link,
                exchange=serving.exchange,
                surroundings=attrs.evolve(surroundings, tape=messages),
                stop=stop,
                messages=messages,
            )
        nursery.cancel_scope.cancel()


def _open_tape(
    journal: Path | None,
    disk: Disk,
    settings: Settings,
    around: app.Surroundings,
    stop: Stop,
) -> AbstractAsyncContextManager[Tape]:
    if journal is None:
        return nullcontext(around.tape)
    return open_recording(Parts(disk, journal), settings, around, stop, key=HASHING_KEY)


def new_key(rng: random.Random) -> str:
    """A private key, in hex."""
    return hex(rng.getrandbits(250) + 1)


def new_surroundings(
    private_key: str, clock: WorkClock, seed: int, run_id: str, *, tls: bool
) -> app.Surroundings:
    """Those of a bot with that key and the exchange of a rehearsal. Nothing is written down yet."""
    secure = "s" if tls else ""
    redactor = Redactor()
    redactor.register(Secret(private_key))
    return app.Surroundings(
        venue=Venue(f"http{secure}://{NAME}:{REST_PORT}/v1", f"ws{secure}://{NAME}:{WS_PORT}/v1"),
        tls=contexts()[1],
        identity=Identity(private_key=private_key, ethereum_address="0x" + "00" * 20),
        clock=clock,
        seed=seed,
        run_id=run_id,
        tape=NoTape(clock),
        redactor=redactor,
    )


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
