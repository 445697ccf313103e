"""The stage of one seed: an exchange, the machine of the bot, and what lies between them; lives come and go."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random

import attrs
import trio

from bot import app
from bot.core.tape import NoTape
from bot.exchange.exchange import Exchange
from bot.exchange.faults.faults import Fault
from bot.exchange.server import Listen, serve
from bot.link.clock import TrioClock
from bot.link.signer import native_curve
from bot.session.stop import Stop
from bot.simulation.campaign.conditions import Conditions
from bot.simulation.campaign.disk import MachineDisk
from bot.simulation.campaign.life import Life
from bot.simulation.campaign.schedule import Strike
from bot.simulation.campaign.strategy import Restless
from bot.simulation.network import Link, Network, open_network
from bot.simulation.rehearsal import (
    ADDRESS,
    CONTROL_PORT,
    EPOCH_NS,
    NAME,
    REST_PORT,
    WS_PORT,
    Rehearsal,
    new_key,
    new_surroundings,
)
from bot.simulation.trace import Trace

BOT_ADDRESS = "10.0.0.1"


class MachineClock(TrioClock):
    """The clocks of the bot's machine, of which somebody sets the one on the wall."""

    def __init__(self) -> None:
        super().__init__(EPOCH_NS)
        self.ahead_ns = 0
        """Of the exchange's."""

    def wall_ns(self) -> int:
        return super().wall_ns() + self.ahead_ns


@attrs.frozen
class Happening:
    """What is told of a seed: something struck, or a life began or ended. ``at`` in seconds of trio's clock."""

    at: float
    text: str


@attrs.define(eq=False, kw_only=True)
class Stage:
    """Made by `open_stage`. Strikes act on it."""

    seed: int
    seconds: float
    """How long things go wrong."""

    conditions: Conditions
    folder: Path
    network: Network
    link: Link
    exchange: Exchange
    private_key: str
    clock: MachineClock = attrs.field(factory=MachineClock)
    lives: list[Life] = attrs.field(factory=list)
    story: list[Happening] = attrs.field(factory=list)
    struck: Counter[int] = attrs.field(factory=Counter)
    """How often each strike struck, by its number."""

    foreign: list[str] = attrs.field(factory=list)
    """Ids of orders that somebody else placed on the account."""

    scarce: list[tuple[float, float]] = attrs.field(factory=list)
    """From when to when next to nothing of a limit was left for us."""

    _armed: dict[int, Strike] = attrs.field(factory=dict)
    """Rules of the exchange, by their numbers."""

    @property
    def life(self) -> Life | None:
        """The one that lives, if any does."""
        return self.lives[-1] if self.lives and not self.lives[-1].is_over else None

    @property
    def account(self) -> int | None:
        """Its address, once the exchange knows it."""
        found = self.exchange.accounts.find_key(native_curve().public_key(int(self.private_key, 16)))
        return None if found is None else found.address

    def tell(self, text: str) -> None:
        self.story.append(Happening(trio.current_time(), text))

    def hit(self, strike: Strike, text: str) -> None:
        """It struck."""
        self.struck[strike.number] += 1
        self.tell(f"strike {strike.number}, {strike.kind}: {text}")

    def arm(self, strike: Strike, fault: Fault) -> None:
        """Put a rule of the exchange into force. Whether it strikes depends on what the bot does."""
        self._armed[self.exchange.faults.add(fault)] = strike
        self.tell(f"strike {strike.number}, {strike.kind}: {fault!r}")

    def heal(self) -> None:
        """End everything that goes wrong."""
        for rule in self.exchange.faults.view()["results"]:
            if rule["struck"]:
                self.struck[self._armed[rule["id"]].number] += rule["struck"]
        self.exchange.faults.clear()
        self.exchange.set_mode("ok")
        self.exchange.refuse_auth(0)
        self.link.heal()
        self.link.shape(
            delay=self.conditions.delay, jitter=self.conditions.jitter, bandwidth=float("inf"), segment=1448
        )
        for connection in self.link.connections:
            connection.heal()
        self.network.names.heal()
        self.clock.ahead_ns = 0
        if self.life is not None:
            self.life.disk.heal()
        self.tell("everything is well again")

    def begin_life(self) -> Life:
        """The next one, which has not begun to run."""
        number = len(self.lives) + 1
        chance = Random(f"{self.seed} life {number}")  # noqa: S311 - to be repeated
        settings, messages = self.conditions.settings, Trace(NoTape(self.clock))
        seed, run_id = chance.getrandbits(64), app.new_run_id(self.clock, chance)
        surroundings = new_surroundings(self.private_key, self.clock, seed, run_id, tls=False)
        rehearsal = Rehearsal(
            settings=settings,
            network=self.network,
            link=self.link,
            exchange=self.exchange,
            surroundings=attrs.evolve(surroundings, tape=messages),
            stop=Stop(),
            messages=messages,
        )
        seconds = max(3.0, self.seconds - trio.current_time())

        def new_strategy() -> Restless:
            chance = Random(f"{self.seed} strategy {number}")  # noqa: S311 - to be repeated
            ahead = Random(f"{self.seed} ahead {number}") if self.conditions.prepares else None  # noqa: S311 - as above
            return Restless(settings.orders.markets, chance, seconds, ahead)

        life = Life(
            number=number,
            rehearsal=rehearsal,
            folder=self.folder,
            disk=MachineDisk(),
            new_strategy=new_strategy,
            began_at=trio.current_time(),
        )
        self.lives.append(life)
        self.tell(f"life {number} begins: {surroundings.run_id}")
        return life


@asynccontextmanager
async def open_stage(seed: int, seconds: float, conditions: Conditions, folder: Path) -> AsyncIterator[Stage]:
    """Set the stage of a seed, with all that outlives the bot in ``folder``."""
    chance = Random(f"stage {seed}")  # noqa: S311 - to be repeated
    async with open_network(chance.getrandbits(64)) as network, trio.open_nursery() as nursery:
        here, there = network.host("bot.test", BOT_ADDRESS), network.host(NAME, ADDRESS)
        link = network.link(here, there)
        link.shape(delay=conditions.delay, jitter=conditions.jitter)
        with network.on(there):
            serving = await nursery.start(
                partial(
                    serve,
                    conditions.settings.exchange,
                    TrioClock(EPOCH_NS),
                    Listen(ADDRESS, REST_PORT, WS_PORT, CONTROL_PORT),
                    tls=None,
                    verify=conditions.verify,
                )
            )
        serving.exchange.witness.watch()
        with network.on(here):
            yield Stage(
                seed=seed,
                seconds=seconds,
                conditions=conditions,
                folder=folder,
                network=network,
                link=link,
                exchange=serving.exchange,
                private_key=new_key(chance),
            )
        nursery.cancel_scope.cancel()
