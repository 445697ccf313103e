"""One life of the bot, from its start to its end or its death. The next one finds what it left, as after a crash."""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import attrs
import trio

from bot import app
from bot.core.errors import FatalError, leaves
from bot.core.order import Order
from bot.journal.account import Holder
from bot.journal.claim import LocalClaim
from bot.journal.journal import END_DEADLINE
from bot.journal.names import SUFFIX
from bot.journal.parts import Parts
from bot.journal.tape import Journal
from bot.recording import open_recording
from bot.session.capabilities import AuthedRest
from bot.simulation.campaign.disk import MachineDisk
from bot.simulation.campaign.strategy import Restless
from bot.simulation.endpoint import Phase
from bot.simulation.evidence import Evidence, watching
from bot.simulation.network import Link
from bot.simulation.pipe import Kind, Packet
from bot.simulation.rehearsal import HASHING_KEY, Rehearsal
from bot.simulation.world import replaced
from bot.summary import Summary

T = TypeVar("T")
Args = TypeVarTuple("Args")


class Claim(LocalClaim):
    """A `LocalClaim` of a process that can die."""

    def let_go(self) -> None:
        """As the system lets go of the lock of a process that is gone."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None


@attrs.define(eq=False, kw_only=True)
class Life:
    """One run of the bot. Times in seconds of trio's clock."""

    number: int
    rehearsal: Rehearsal
    """Of this life alone, but for exchange and network. Its tape is not open yet."""

    folder: Path
    """The state directory, which outlives it."""

    disk: MachineDisk
    new_strategy: Callable[[], Restless]
    """Makes the strategy of this life; each is like the other."""

    began_at: float
    strategy: Restless = attrs.field(init=False)
    claim: Claim = attrs.field(init=False)
    journal: Path = attrs.field(init=False)
    evidence: Evidence | None = None
    """What it left, up to its death. None if it did not come to trade."""

    summary: Summary | None = None
    """None if it did not end by itself."""

    gave_up: str = ""
    """Why, if a `FatalError` came through all of it. `bot.run` makes it exit code 3."""

    raised: list[BaseException] = attrs.field(factory=list)
    """What nobody caught, of everything else."""

    killed_at: float | None = None
    ended_at: float = float("nan")
    _tape: Journal | None = None
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    _known: tuple[int, int, int] = (0, 0, 0)
    """How many lines, events and openings there were when it died."""

    def __attrs_post_init__(self) -> None:
        self.strategy = self.new_strategy()
        around, settings = self.rehearsal.surroundings, self.rehearsal.settings
        self.journal = self.folder / f"{settings.environment}-{around.run_id}{SUFFIX}"
        self.claim = Claim(
            folder=self.folder,
            key=HASHING_KEY,
            environment=settings.environment,
            rest_url=around.venue.rest_url,
            holder=Holder(os.getpid(), around.run_id, around.clock.wall_ns()),
            journal=self.journal,
        )

    @property
    def is_over(self) -> bool:
        return self.ended_at == self.ended_at

    @property
    def has_lost_its_journal(self) -> bool:
        """The disk failed it, and it said so: what it holds may not be all."""
        return self._tape is not None and self._tape.has_given_up

    async def run(self) -> None:
        """Live, as `bot.run` has it."""
        is_clean = False
        try:
            with self._scope:
                self.summary = await self._trade()
                is_clean = self.summary.exit_code == 0
        except Exception as error:  # noqa: BLE001 - whatever it is, the judge wants to see it
            if self.killed_at is None:
                self._broke(list(leaves(error)))
        finally:
            with trio.move_on_after(END_DEADLINE, shield=True):
                await self.claim.release(is_clean=is_clean)
        if self.killed_at is not None:
            self._forget_what_followed()
        self.ended_at = trio.current_time()

    def _broke(self, errors: list[BaseException]) -> None:
        fatal = [str(error) for error in errors if isinstance(error, FatalError)]
        if fatal:
            self.gave_up = "; ".join(fatal)
        else:
            self.raised += errors

    async def _trade(self) -> Summary:
        rehearsal = self.rehearsal
        around, settings = rehearsal.surroundings, rehearsal.settings
        parts = Parts(self.disk, self.journal)
        try:
            async with open_recording(parts, settings, around, rehearsal.stop, key=HASHING_KEY) as self._tape:
                rehearsal.messages.tape = self._tape
                rehearsal.surroundings = attrs.evolve(around, tape=rehearsal.messages, claim=self.claim)
                with self._played(), watching(rehearsal, self.journal) as self.evidence:
                    summary = await app.trade(settings, rehearsal.surroundings, rehearsal.stop)
        finally:
            parts.file.close()  # as the system does for a process that is gone
        return attrs.evolve(summary, is_fatal=rehearsal.stop.is_fatal)

    @contextmanager
    def _played(self) -> Generator[None]:
        cancel_leftovers = app.cancel_leftovers  # type: ignore[attr-defined] # where its work looks it up

        async def unless_dead(authed: AuthedRest, left: list[Order]) -> None:
            if self.killed_at is None:
                await cancel_leftovers(authed, left)

        with (
            replaced(app, "Probe", lambda *_: self.strategy),
            replaced(app, "cancel_leftovers", unless_dead),
        ):
            yield

    # Its death.

    def kill(self, *, in_flight_arrives: bool) -> None:
        """As SIGKILL does: nothing that it still tries leaves it, for the network, the disk or the lock.

        ``in_flight_arrives``: what was handed to the system reaches the venue. Otherwise it is lost.
        """
        if self.killed_at is not None or self.is_over:
            return
        self.killed_at = trio.current_time()
        if self.evidence is not None:
            evidence = self.evidence
            self._known = len(evidence.lines), len(evidence.events), len(evidence.openings)
        hang_up(self.rehearsal.link, in_flight_arrives=in_flight_arrives)
        self.rehearsal.link.up.refusing = True
        self.disk.die()
        self.claim.let_go()
        self._scope.cancel()

    def _forget_what_followed(self) -> None:
        self.summary = None
        self.rehearsal.link.up.refusing = False
        self.disk.heal()
        if self.evidence is not None:
            lines, events, openings = self._known
            del self.evidence.lines[lines:], self.evidence.events[events:], self.evidence.openings[openings:]


def hang_up(link: Link, *, in_flight_arrives: bool) -> None:
    """End each connection as the system does for a process that is gone; the client's side notices at once."""
    for connection in link.connections:
        if not in_flight_arrives:
            connection.cut()
            continue
        if connection.client.phase is Phase.ESTABLISHED:
            connection.up.send(Packet(Kind.FIN))
        connection.client.receive(Packet(Kind.RST))


@contextmanager
def threads_at_once() -> Iterator[None]:
    """Do in virtual time at once what the bot leaves to threads: looking at the disk, before and after it trades."""

    async def run_sync(work: Callable[[*Args], T], *args: *Args, **_: object) -> T:
        await trio.lowlevel.checkpoint()
        return work(*args)

    with replaced(trio.to_thread, "run_sync", run_sync):
        yield
