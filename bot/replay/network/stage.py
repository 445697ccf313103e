"""The whole bot against the venue of a recorded session, on the virtual network."""

import ssl
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs
import msgspec
import trio

from bot import app
from bot.core.clock import Clock
from bot.core.errors import leaves
from bot.core.order import State
from bot.core.recovered import NoClaim
from bot.core.tape import Kind, Stamp
from bot.journal.reader import Recording
from bot.journal.record import Record
from bot.link.clock import TrioClock
from bot.link.secrets import Redactor
from bot.paradex.environment import Venue as Place
from bot.replay.errors import breaks
from bot.replay.network.fault import Course, Strike
from bot.replay.network.reading import read_score
from bot.replay.network.score import Score, new_orders, seconds
from bot.replay.network.venue import Venue
from bot.replay.network.verdict import standings
from bot.session.login import Identity
from bot.session.stop import Stop
from bot.settings import Settings
from bot.simulation.network import open_network
from bot.simulation.world import run
from bot.summary import Summary

NAME, ADDRESS = "venue.test", "10.0.0.2"
REST_PORT, WS_PORT = 80, 8080
SEED = 0
"""Of trio's scheduler: one is as good as another, and the same one gives the same play."""

PLAYER = Identity(private_key="0x1", address="0x1", ethereum_address="0x" + "00" * 20)
"""The recorded key is not known, and nothing that is compared depends on it."""

PATIENCE_S = 90.0
"""How much later than a fault the bot is stopped at the latest, while it does not know what the venue has: by then
its own comparison, every 30 to 60 s, has come and its answers, too."""

LOOK_EVERY_S = 0.25


class Transcript:
    """The tape of the play, kept in memory as a reader would get it: a `bot.core.tape.Tape`."""

    def __init__(self, clock: Clock, notice: Callable[[Kind, Any, int], None]) -> None:
        self.records: list[Record] = []
        self.orders: dict[str, Mapping[str, Any]] = {}
        """The last that was written of each order."""

        self._clock = clock
        self._notice = notice

    def write(self, kind: Kind, data: Any, *, generation: int = 0) -> Stamp:
        stamp = Stamp(len(self.records) + 1, self._clock.monotonic_ns())
        written = Record(stamp.number, stamp.ns, generation, kind, msgspec.to_builtins(data))
        self.records.append(written)
        if kind is Kind.ORDER:
            self.orders[data["client_id"]] = written.data
        elif kind is Kind.EFFECT:
            for order in new_orders(data):
                self.orders.setdefault(order["client_id"], {"state": State.INTENT})
        elif kind is Kind.RECOVERED:
            self.orders |= {order["client_id"]: order for order in written.data["orders"]}
        self._notice(kind, written.data, generation)
        return stamp

    def commit(self) -> None:
        pass


@attrs.frozen(kw_only=True)
class Play:
    """What came of it."""

    records: list[Record]
    """What the bot wrote this time."""

    orders: Mapping[str, Mapping[str, Any]]
    """The last that it wrote of each order."""

    summary: Summary
    """Of nothing, where the bot broke."""

    broke: str
    """What broke the bot, in words; empty where nothing did."""

    venue: Venue
    struck_at: float | None
    """When the fault struck, in seconds since the recorded start; None if it did not."""


def play(recording: Recording, settings: Settings, strike: Strike | None = None) -> Play:
    """Play a recorded session: the same bot, the same seed and times, and the venue as it was recorded.

    Runs by itself, in virtual time. The same arguments give the same play.

    Raises:
        UnusableRecordingError: the recording lacks what this needs.
    """
    return run(_play, recording, read_score(recording), settings, strike, seed=SEED)


def is_whole(recording: Recording) -> bool:
    """Whether the recorded run ended by itself."""
    return recording.damage is None and bool(recording.records) and recording.records[-1].kind is Kind.END


async def _play(recording: Recording, score: Score, settings: Settings, strike: Strike | None) -> Play:
    header = recording.header
    clock = TrioClock(header.started_ns)
    course = Course(strike)
    stop = Stop()
    async with open_network(SEED) as network, trio.open_nursery() as nursery:
        here, there = network.host("bot.test", "10.0.0.1"), network.host(NAME, ADDRESS)
        venue = Venue(score, course, clock, network.link(here, there))
        with network.on(there):
            await nursery.start(partial(trio.serve_tcp, venue.on_rest, REST_PORT))
            await nursery.start(partial(trio.serve_tcp, venue.on_websocket, WS_PORT))
        tape = Transcript(clock, venue.notice)
        stopping = Stopping(score, course, venue, tape, stop)
        stopping.arrange()
        nursery.start_soon(venue.agenda.run)
        await trio.sleep_until(seconds(score.started_ns))
        around = app.Surroundings(
            venue=Place(f"http://{NAME}:{REST_PORT}/v1", f"ws://{NAME}:{WS_PORT}/v1"),
            tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            identity=PLAYER,
            clock=clock,
            seed=header.seed,
            run_id=header.run_id,
            tape=tape,
            redactor=Redactor(),
            claim=NoClaim(score.recovered),
        )
        broke = ""
        with network.on(here):
            try:
                summary = await app.trade(settings, around, stop)
            except Exception as error:  # noqa: BLE001 - whatever broke the bot is what somebody looks for
                broke = "; ".join(map(breaks, leaves(error)))
                summary = Summary(environment=settings.environment, exit_reason="a bug")
        nursery.cancel_scope.cancel()
    return Play(
        records=tape.records,
        orders=tape.orders,
        summary=summary,
        broke=broke,
        venue=venue,
        struck_at=course.struck_at,
    )


@attrs.frozen
class Stopping:
    """Stops the bot when it was stopped; after a fault not before it knows what the venue has, if it ever does.

    Pulls its kill switch when somebody did.
    """

    score: Score
    course: Course
    venue: Venue
    tape: Transcript
    stop: Stop

    def arrange(self) -> None:
        self.venue.agenda.at(seconds(self.score.stop.ns), self.score.stop.number, self._stop)
        if self.score.hurry is not None:
            hurry = partial(self.stop.signalled, self._reason)
            self.venue.agenda.at(seconds(self.score.hurry.ns), self.score.hurry.number, hurry)
        if self.score.kill_switch is not None:
            pulled = self.score.kill_switch
            pull = partial(self.stop.kill_switch.pull, str(pulled.data["reason"]))
            self.venue.agenda.at(seconds(pulled.ns), pulled.number, pull)

    @property
    def _reason(self) -> str:
        stop = self.score.stop
        return str(stop.data["reason"]) if stop.kind is Kind.STOP else "the recording ends here"

    def _stop(self) -> None:
        struck_at = self.course.struck_at
        if struck_at is not None and trio.current_time() < struck_at + PATIENCE_S and not self._is_settled():
            self.venue.agenda.after(LOOK_EVERY_S, self.score.stop.number, self._stop)
        else:
            self.stop.ask(self._reason)

    def _is_settled(self) -> bool:
        return all(order.agrees or order.is_over for order in standings(self.tape.orders, self.venue.book))
