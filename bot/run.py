"""The verb `run`: this machine's clock, key, signals and network, put around `bot.app.trade`."""

import os
import random
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import certifi
import trio
from loguru import logger

from bot import app
from bot.core.errors import FatalError, leaves
from bot.embedded import open_embedded
from bot.link.clock import SystemClock
from bot.link.secrets import KeyUnavailableError, Redactor, Secret, find_key, new_key
from bot.link.signer import parse_private_key
from bot.log import set_up
from bot.paradex.environment import PUBLIC_VENUES, Venue
from bot.session.login import Identity
from bot.session.stop import Stop
from bot.settings import Settings, load, require_live
from bot.settings.fault import SettingsError
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

    def check(self) -> None:
        """Raise ValueError for what cannot be meant."""
        if self.seconds is not None and not 0 < self.seconds < float("inf"):
            raise ValueError(f"--for {self.seconds:g}: seconds above 0 are allowed")
        if self.summary is not None and not self.summary.parent.is_dir():
            raise ValueError(f"--summary {self.summary}: there is no such folder")


def run_bot(options: Options, early: EarlySignals) -> int:
    """Run the bot; returns the exit code. Nothing has been started where it is 2."""
    try:
        options.check()
        settings = load(options.settings, os.environ).settings
        require_live(settings, live=options.live)
        key = (
            new_key() if settings.environment == "embedded" else find_key(settings.account, os.environ).secret
        )
        parse_private_key(key.reveal())
    except (ValueError, SettingsError, KeyUnavailableError) as error:
        sys.stderr.write(f"{error}\n")
        return BAD_SETTINGS
    redactor = Redactor()
    redactor.register(key)
    set_up(settings.log, redactor)
    try:
        summary = trio.run(_run, settings, options, key, early)
        if options.summary is not None:
            options.summary.write_bytes(summary.to_json())
    except Exception as error:  # noqa: BLE001 - the last place that can still say something
        return _report(error)
    sys.stdout.write(summary.to_table())
    return summary.exit_code


def _report(error: Exception) -> int:
    fatal = [str(leaf) for leaf in leaves(error) if isinstance(leaf, FatalError)]
    if fatal:
        logger.error("[STOP] Paradex {}", "; ".join(fatal))
        return FATAL
    logger.opt(exception=error).critical("[STOP] Paradex bot broke")
    return UNEXPECTED


async def _run(settings: Settings, options: Options, key: Secret, early: EarlySignals) -> Summary:
    stop = Stop()
    async with trio.open_nursery() as nursery:
        await nursery.start(_watch_signals, stop, early)
        if options.seconds is not None:
            nursery.start_soon(stop.ask_after, options.seconds)
        async with _open_place(settings, stop) as place:
            if place is None:
                summary = Summary(environment=settings.environment, exit_reason=stop.reason)
            else:
                summary = await app.trade(settings, _surroundings(settings, key, place), stop)
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


def _surroundings(settings: Settings, key: Secret, place: _Place) -> app.Surroundings:
    rng = random.SystemRandom()
    ethereum_address = settings.account.ethereum_address
    if settings.environment == "embedded":
        ethereum_address = f"0x{rng.getrandbits(160):040x}"
    return app.Surroundings(
        venue=place.venue,
        tls=place.tls,
        identity=Identity(
            private_key=key.reveal(), address=settings.account.address, ethereum_address=ethereum_address
        ),
        clock=SystemClock(),
        rng=rng,
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
