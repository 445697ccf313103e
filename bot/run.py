"""The verb `run`: this machine's clock, key, signals and network, put around `bot.app.trade`."""

import os
import random
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

import attrs
import trio
from loguru import logger

from bot import app
from bot.core.errors import FatalError, leaves
from bot.core.recovered import NoClaim
from bot.core.tape import NoTape, Tape
from bot.garbage import collect_now_and_then, garbage_kept_away
from bot.journal.account import Holder
from bot.journal.claim import LocalClaim
from bot.journal.file import LocalDisk
from bot.journal.journal import END_DEADLINE
from bot.journal.names import SUFFIX
from bot.journal.parts import Parts
from bot.journal.redact import hashing_key
from bot.journal.store import begin, state_directory
from bot.latency.watch import LatencyWatch
from bot.link.clock import SystemClock
from bot.link.outlet import open_outlet
from bot.link.secrets import KeyUnavailableError, Redactor, Secret, find_key, new_key
from bot.link.signer import parse_private_key
from bot.listen import watch_signals
from bot.log import set_up
from bot.paradex.environment import Venue
from bot.place import Place, open_place
from bot.recording import open_recording
from bot.session.login import Identity
from bot.session.stop import Stop
from bot.settings import Settings, load, require_live
from bot.settings.fault import SettingsError
from bot.signals import EarlySignals
from bot.summary import Summary

UNEXPECTED, BAD_SETTINGS, FATAL = 1, 2, 3


@attrs.frozen(kw_only=True)
class Options:
    """What the command line says of one run."""

    settings: Path | None = None
    seconds: float | None = None
    summary: Path | None = None
    live: bool = False
    record: Path | None = None
    no_record: bool = False
    forget: tuple[Path, ...] = ()

    def check(self) -> None:
        """Raise ValueError for what cannot be meant."""
        if self.seconds is not None and not 0 < self.seconds < float("inf"):
            raise ValueError(f"--for {self.seconds:g}: seconds above 0 are allowed")
        if self.summary is not None and not self.summary.parent.is_dir():
            raise ValueError(f"--summary {self.summary}: there is no such folder")
        if self.record is not None:
            if self.no_record:
                raise ValueError(f"--record {self.record} and --no-record: one of the two")
            if self.summary is not None and self.summary.resolve() == self.record.resolve():
                raise ValueError(
                    f"--record {self.record} and --summary {self.summary}: they are the same file"
                )


Trade = Callable[[Settings, app.Surroundings, Stop], Awaitable[Summary]]
"""What is done in a run: `bot.app.trade`, or something around it."""

FindPlace = Callable[[Settings, Stop], AbstractAsyncContextManager[Place | None]]
"""Where it is done: `bot.place.open_place`, or somewhere else."""

REFUSALS = (ValueError, SettingsError, KeyUnavailableError)
"""Why nothing is started. The text is for people."""


def run_bot(options: Options, early: EarlySignals) -> int:
    """Run the bot; returns the exit code. Nothing has been started where it is 2."""
    try:
        options.check()
        settings = load(options.settings, os.environ).settings
        require_live(settings, live=options.live)
        session = new_session(options, settings)
    except REFUSALS as error:
        sys.stderr.write(f"{error}\n")
        return BAD_SETTINGS
    ended = run_session(settings, options, session, early)
    if isinstance(ended, int):
        return ended
    with open_outlet(sys.stdout) as stdout:
        stdout.write(session.redactor.redact(ended.to_table()))
    return ended.exit_code


def new_session(options: Options, settings: Settings) -> "RunSession":
    """Everything that a run needs and that can be missing. Raises one of `REFUSALS`."""
    clock, rng = SystemClock(), random.SystemRandom()
    run_id = app.new_run_id(clock, rng)
    key = new_key() if settings.environment == "embedded" else find_key(settings.account, os.environ).secret
    parse_private_key(key.reveal())
    redactor = Redactor()
    redactor.register(key)
    state = _open_state(options, settings)
    return RunSession(clock, rng, run_id, key, redactor, state, _place_for_journal(options, settings, run_id))


def run_session(
    settings: Settings,
    options: Options,
    session: "RunSession",
    early: EarlySignals,
    trade: Trade = app.trade,
    find_place: FindPlace = open_place,
) -> Summary | int:
    """Run it from its start to its end. An exit code where it did not come to a summary: the log says why."""
    with open_outlet(sys.stderr) as stderr:
        set_up(settings.log, session.redactor, stderr)
        try:
            summary = trio.run(_run, settings, options, session, early, trade, find_place)
            if options.summary is not None:
                options.summary.write_bytes(session.redactor.redact(summary.to_json().decode()).encode())
        except Exception as error:  # noqa: BLE001 - the last place that can still say something
            return _report(error)
        finally:
            if session.parts is not None:
                session.parts.give_back()
    return summary


@attrs.frozen
class _State:
    """The folder of what outlives a run."""

    folder: Path
    key: bytes = attrs.field(repr=False)
    """Under which accounts are hashed there."""


def _open_state(options: Options, settings: Settings) -> _State | None:
    """None where nothing outlives the run: not even the account does that is made for the embedded exchange.

    The key is in the state directory wherever the session is recorded.

    Raises:
        UnusableKeyError: there is none that can be used.
        CannotRecordError: there is no such folder, and none can be made.
    """
    if options.no_record and settings.environment == "embedded":
        return None
    folder = state_directory(settings.journal, os.environ)
    return _State(folder, hashing_key(folder))


def _place_for_journal(options: Options, settings: Settings, run_id: str) -> Parts | None:
    """Taken before anything starts. Raises `CannotRecordError`."""
    if options.no_record:
        return None
    path = options.record
    if path is None:
        folder = state_directory(settings.journal, os.environ)
        path = folder / f"{settings.environment}-{run_id}{SUFFIX}"
    return begin(LocalDisk(), path)


def _report(error: Exception) -> int:
    fatal = [str(leaf) for leaf in leaves(error) if isinstance(leaf, FatalError)]
    if fatal:
        logger.error("[STOP] Paradex {}", "; ".join(fatal))
        return FATAL
    logger.opt(exception=error).critical("[STOP] Paradex bot broke")
    return UNEXPECTED


@attrs.frozen
class RunSession:
    """What is decided of a run before anything of it starts."""

    clock: SystemClock
    rng: random.SystemRandom
    run_id: str
    key: Secret
    redactor: Redactor
    state: _State | None
    parts: Parts | None
    """Where it is recorded; None if it is not."""


async def _run(
    settings: Settings,
    options: Options,
    session: RunSession,
    early: EarlySignals,
    trade: Trade,
    find_place: FindPlace,
) -> Summary:
    stop = Stop()
    async with trio.open_nursery() as nursery:
        await nursery.start(watch_signals, stop, early)
        if options.seconds is not None:
            nursery.start_soon(stop.ask_after, options.seconds)
        if session.parts is not None and options.record is None:
            nursery.start_soon(LocalDisk().compress_all, session.parts.file.path.parent)
        async with find_place(settings, stop) as place:
            if place is None:
                summary = Summary(environment=settings.environment, exit_reason=stop.reason)
            else:
                summary = await _trade(settings, options, session, place, stop, trade)
        nursery.cancel_scope.cancel()
    return summary


async def _trade(
    settings: Settings, options: Options, session: RunSession, place: Place, stop: Stop, trade: Trade
) -> Summary:
    ethereum_address = settings.account.ethereum_address
    if settings.environment == "embedded":
        ethereum_address = f"0x{session.rng.getrandbits(160):040x}"
    identity = Identity(
        private_key=session.key.reveal(),
        address=settings.account.address,
        ethereum_address=ethereum_address,
    )
    claim = _new_claim(settings, options, session, place.venue)
    around = app.Surroundings(
        venue=place.venue,
        tls=place.tls,
        identity=identity,
        clock=session.clock,
        seed=session.rng.getrandbits(64),
        run_id=session.run_id,
        tape=NoTape(session.clock),
        redactor=session.redactor,
        claim=claim or NoClaim(),
    )
    is_clean = False
    try:
        async with _open_tape(settings, session, around, stop) as tape, trio.open_nursery() as nursery:
            watch = LatencyWatch(tape)
            nursery.start_soon(watch.run)
            nursery.start_soon(collect_now_and_then)
            with garbage_kept_away(session.clock) as garbage:
                summary = await trade(settings, attrs.evolve(around, tape=watch), stop)
            nursery.cancel_scope.cancel()
        summary = attrs.evolve(
            summary,
            latency=watch.finish(),
            garbage=garbage.pauses,
            is_fatal=stop.is_fatal,  # the journal may have failed at its very end
        )
        is_clean = summary.exit_code == 0
    finally:
        if claim is not None:
            with trio.move_on_after(END_DEADLINE, shield=True):
                await claim.release(is_clean=is_clean)
    return summary


def _new_claim(settings: Settings, options: Options, session: RunSession, venue: Venue) -> LocalClaim | None:
    """None for an account that was made for this run: nobody else has it, and it ends with the run."""
    if settings.environment == "embedded" or session.state is None:
        return None
    return LocalClaim(
        folder=session.state.folder,
        key=session.state.key,
        environment=settings.environment,
        rest_url=venue.rest_url,
        holder=Holder(os.getpid(), session.run_id, session.clock.wall_ns()),
        journal=None if session.parts is None else session.parts.file.path.absolute(),
        forget=options.forget,
    )


def _open_tape(
    settings: Settings, session: RunSession, around: app.Surroundings, stop: Stop
) -> AbstractAsyncContextManager[Tape]:
    if session.parts is None or session.state is None:
        logger.info("[INIT] Paradex session is not recorded")
        return nullcontext(around.tape)
    logger.info("[INIT] Paradex session is recorded in {}", session.parts.file.path)
    return open_recording(session.parts, settings, around, stop, key=session.state.key)
