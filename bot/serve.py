"""The verb `exchange`: settings and arguments of this machine, put around `bot.exchange.process`."""

import os
import sys
from pathlib import Path
from typing import Any

import attrs
import trio

from bot.core.errors import leaves
from bot.exchange.process import Manner
from bot.exchange.process import run as serve
from bot.exchange.server import Listen
from bot.exchange.settings import ExchangeSettings
from bot.link.clock import SystemClock
from bot.link.outlet import open_outlet
from bot.link.secrets import Redactor
from bot.log import LogSettings, set_up
from bot.settings import Loaded, load
from bot.settings.fault import DEFAULT, SettingsError

BAD_SETTINGS = 2


@attrs.frozen(kw_only=True)
class Options:
    """What the command line says of one exchange. ``behaviour`` overrides what the settings say, key by key."""

    settings: Path | None
    behaviour: dict[str, Any]
    listen: Listen
    manner: Manner
    log_level: str


def serve_exchange(options: Options) -> int:
    """Serve until told to stop; returns the exit code. Nothing has been started where it is 2."""
    try:
        settings = _behaviour(load(options.settings, os.environ), options)
    except (ValueError, SettingsError) as error:
        sys.stderr.write(f"bot exchange: {error.args[0] if isinstance(error, ValueError) else error}\n")
        return BAD_SETTINGS
    code = 0
    with open_outlet(sys.stderr) as stderr:
        set_up(LogSettings(level=options.log_level), Redactor(), stderr)
        try:
            trio.run(serve, settings, SystemClock(), options.listen, options.manner)
        except* OSError as errors:
            stderr.write("".join(f"bot exchange: {error}\n" for error in leaves(errors)))
            code = BAD_SETTINGS
    return code


def _behaviour(loaded: Loaded, options: Options) -> ExchangeSettings:
    changes = {key: value for key, value in options.behaviour.items() if value is not None}
    # Who turns the signatures off wants load, and load ends at the venue's limits after seconds.
    if not options.manner.verify and loaded.origins["exchange.rate_limits"] == DEFAULT:
        changes.setdefault("rate_limits", "none")
    return attrs.evolve(loaded.settings.exchange, **changes)
