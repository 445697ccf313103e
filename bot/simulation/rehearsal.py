"""The unchanged bot and the unchanged exchange, together in one run on the virtual network."""

import random
import re
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import TypeVar

import attrs
import trio
import trustme

from bot import app
from bot.exchange.exchange import Exchange
from bot.exchange.server import Listen, serve
from bot.link.clock import TrioClock
from bot.paradex.environment import Venue
from bot.session.login import Identity
from bot.session.stop import Stop
from bot.settings import Settings
from bot.simulation.network import Link, Network, open_network
from bot.simulation.world import run
from bot.summary import Summary

T = TypeVar("T")

EPOCH_NS = 1_800_000_000_000_000_000
"""The wall time at which every rehearsal begins, 2027-01-15 08:00 UTC."""

NAME, ADDRESS = "venue.test", "10.0.0.2"
REST_PORT, WS_PORT, CONTROL_PORT = 443, 8443, 8080

_TOKEN = re.compile(r"eyJ[\w.-]+", re.ASCII)


@attrs.define(eq=False, kw_only=True)
class Rehearsal:
    """A bot that has not started yet, the exchange that waits for it, and what lies between them."""

    settings: Settings
    network: Network
    link: Link
    exchange: Exchange
    surroundings: app.Surroundings
    stop: Stop
    trace: list[tuple[float, str, str]]
    """Every message between the two: when, which way, and what; the texts of tokens left out, which TLS and
    ECDSA make another each time."""

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
) -> AsyncGenerator[Rehearsal]:
    """Set the stage: `delay` and `jitter` in seconds, for each way. Call it inside `bot.simulation.world.run`.

    The market stands still unless `activity` (orders a second, as in `ExchangeSettings`) says otherwise, whatever
    the settings do: hours of a market that moves take minutes to play.
    """
    clock = TrioClock(EPOCH_NS)
    rng = random.Random(seed)  # noqa: S311 - the one source of chance of a run that has to be repeatable
    async with open_network(rng.getrandbits(64)) as network, trio.open_nursery() as nursery:
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
        trace: list[tuple[float, str, str]] = []

        def tape(kind: str, message: str) -> None:
            trace.append((trio.current_time(), kind, _TOKEN.sub("eyJ…", message)))

        secure = "s" if tls else ""
        surroundings = app.Surroundings(
            venue=Venue(f"http{secure}://{NAME}:{REST_PORT}/v1", f"ws{secure}://{NAME}:{WS_PORT}/v1"),
            tls=client_tls,
            identity=Identity(private_key=hex(rng.getrandbits(250) + 1), ethereum_address="0x" + "00" * 20),
            clock=clock,
            rng=rng,
            tape=tape,
        )
        with network.on(here):
            yield Rehearsal(
                settings=settings,
                network=network,
                link=link,
                exchange=serving.exchange,
                surroundings=surroundings,
                stop=Stop(),
                trace=trace,
            )
        nursery.cancel_scope.cancel()


def rehearse(
    play: Callable[[Rehearsal], Awaitable[T]],
    settings: Settings | None = None,
    *,
    seed: int = 0,
    delay: float = 0.0,
    jitter: float = 0.0,
    tls: bool = True,
    activity: float = 0.0,
) -> T:
    """Run ``play`` in virtual time, with everything in it decided by ``seed``; see `open_rehearsal`."""

    async def staged() -> T:
        async with open_rehearsal(
            settings or Settings(), seed=seed, delay=delay, jitter=jitter, tls=tls, activity=activity
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
