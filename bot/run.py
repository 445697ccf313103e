"""The verb `run`: this machine's clock, key, signals and network, put around `bot.app.trade`."""

import os
import random
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path

import attrs
import certifi
import trio
from loguru import logger

from bot import app
from bot.core.errors import FatalError, leaves
from bot.core.tape import NoTape, Tape
from bot.embedded import open_embedded
from bot.journal.file import LocalDisk
from bot.journal.header import new_header
from bot.journal.journal import open_journal
from bot.journal.names import SUFFIX
from bot.journal.parts import Parts
from bot.journal.redact import Clean, Cleaner, hashing_key
from bot.journal.store import begin, state_directory
from bot.link.clock import SystemClock
from bot.link.secrets import KeyUnavailableError, Redactor, Secret, find_key, new_key
from bot.link.signer import parse_private_key
from bot.log import set_up
from bot.paradex.environment import PUBLIC_VENUES, Venue
from bot.session.login import Identity
from bot.session.stop import Stop
from bot.settings import Settings, load, require_live
from bot.settings.fault import SettingsError
from bot.settings.recorded import shareable
from bot.signals import STOPPING, EarlySignals
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


def run_bot(options: Options, early: EarlySignals) -> int:
    """Run the bot; returns the exit code. Nothing has been started where it is 2."""
    clock, rng = SystemClock(), random.SystemRandom()
    run_id = app.new_run_id(clock, rng)
    try:
        options.check()
        settings = load(options.settings, os.environ).settings
        require_live(settings, live=options.live)
        key = (
            new_key() if settings.environment == "embedded" else find_key(settings.account, os.environ).secret
        )
        parse_private_key(key.reveal())
        redactor = Redactor()
        redactor.register(key)
        clean = None if options.no_record else _cleaner(settings, redactor)
        parts = _place_for_journal(options, settings, run_id)
    except (ValueError, SettingsError, KeyUnavailableError) as error:
        sys.stderr.write(f"{error}\n")
        return BAD_SETTINGS
    set_up(settings.log, redactor)
    session = _Session(clock, rng, run_id, key, redactor, clean, parts)
    try:
        summary = trio.run(_run, settings, options, session, early)
        if options.summary is not None:
            options.summary.write_bytes(redactor.redact(summary.to_json().decode()).encode())
    except Exception as error:  # noqa: BLE001 - the last place that can still say something
        return _report(error)
    finally:
        if parts is not None:
            parts.give_back()
    sys.stdout.write(redactor.redact(summary.to_table()))
    return summary.exit_code


def _cleaner(settings: Settings, redactor: Redactor) -> Clean:
    """Its key is in the state directory wherever the session is. Raises `UnusableKeyError`, `CannotRecordError`."""
    key = hashing_key(state_directory(settings.journal, os.environ))
    return Cleaner(key, redactor, keeps_account=settings.journal.account == "kept").clean


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
class _Session:
    """What is decided of a run before anything of it starts."""

    clock: SystemClock
    rng: random.SystemRandom
    run_id: str
    key: Secret
    redactor: Redactor
    clean: Clean | None
    parts: Parts | None
    """Where it is recorded, after `clean` saw it; both None if it is not."""


async def _run(settings: Settings, options: Options, session: _Session, early: EarlySignals) -> Summary:
    stop = Stop()
    async with trio.open_nursery() as nursery:
        await nursery.start(_watch_signals, stop, early)
        if options.seconds is not None:
            nursery.start_soon(stop.ask_after, options.seconds)
        if session.parts is not None and options.record is None:
            nursery.start_soon(LocalDisk().compress_all, session.parts.file.path.parent)
        async with _open_place(settings, stop) as place:
            if place is None:
                summary = Summary(environment=settings.environment, exit_reason=stop.reason)
            else:
                summary = await _trade(settings, session, place, stop)
        nursery.cancel_scope.cancel()
    return summary


@attrs.frozen
class _Place:
    venue: Venue
    tls: ssl.SSLContext


@asynccontextmanager
async def _open_place(settings: Settings, stop: Stop) -> AsyncIterator[_Place | None]:
    """Where to trade; None if the bot was stopped before the embedded exchange was up."""
    if stop.is_asked:
        yield None
    elif settings.venue.rest_url:
        venue = Venue(settings.venue.rest_url, settings.venue.ws_url)
        yield _Place(venue, _tls(settings.venue.ca_file))
    elif settings.environment == "embedded":
        async with open_embedded(settings.exchange, stop, hidden=settings.account.key_env) as embedded:
            yield None if embedded is None else _Place(embedded.venue, _tls(str(embedded.ca_file)))
    else:
        yield _Place(PUBLIC_VENUES[settings.environment], _tls(settings.venue.ca_file))


def _tls(ca_file: str) -> ssl.SSLContext:
    """Made once a run: reading the authorities takes longer than an order may."""
    if ca_file:
        return ssl.create_default_context(cafile=ca_file)
    context = ssl.create_default_context()
    # A Python of python.org finds none of its system's on macOS
    context.load_verify_locations(certifi.where())
    return context


async def _trade(settings: Settings, session: _Session, place: _Place, stop: Stop) -> Summary:
    ethereum_address = settings.account.ethereum_address
    if settings.environment == "embedded":
        ethereum_address = f"0x{session.rng.getrandbits(160):040x}"
    identity = Identity(
        private_key=session.key.reveal(),
        address=settings.account.address,
        ethereum_address=ethereum_address,
    )
    seed = session.rng.getrandbits(64)
    async with _open_tape(settings, session, seed, place.venue, stop) as tape:
        around = app.Surroundings(
            venue=place.venue,
            tls=place.tls,
            identity=identity,
            clock=session.clock,
            seed=seed,
            run_id=session.run_id,
            tape=tape,
            redactor=session.redactor,
        )
        summary = await app.trade(settings, around, stop)
    return attrs.evolve(summary, is_fatal=stop.is_fatal)  # the journal may have failed at its very end


def _open_tape(
    settings: Settings, session: _Session, seed: int, venue: Venue, stop: Stop
) -> AbstractAsyncContextManager[Tape]:
    clock = session.clock
    if session.parts is None or session.clean is None:
        logger.info("[INIT] Paradex session is not recorded")
        return nullcontext(NoTape(clock))
    logger.info("[INIT] Paradex session is recorded in {}", session.parts.file.path)
    header = new_header(
        environment=settings.environment,
        run_id=session.run_id,
        seed=seed,
        started_ns=clock.wall_ns() - clock.monotonic_ns(),
        rest_url=venue.rest_url,
        ws_url=venue.ws_url,
        settings=shareable(settings),
        account=settings.journal.account,
    )
    return open_journal(
        session.parts,
        header,
        clock,
        settings=settings.journal,
        ask_to_stop=stop.fail,
        clean=session.clean,
    )


async def _watch_signals(
    stop: Stop, early: EarlySignals, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(*STOPPING) as signals:
        for number in early.received:
            stop.signalled(signal.Signals(number).name)
        task_status.started()
        async for number in signals:
            stop.signalled(signal.Signals(number).name)
