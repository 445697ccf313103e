"""The verb ``config``."""

# ruff: noqa: PLC0415 - as in `bot.cli`

import os
from pathlib import Path

from cyclopts import App

from bot.signals import EarlySignals
from bot.usage import VERBS


def config_app(early: EarlySignals) -> App:
    config = App(name="config", help=VERBS["config"])

    @config.command
    def init(path: Path = Path("settings.toml"), *, force: bool = False) -> int:
        """Write a settings file that holds the defaults and explains every key.

        Args:
            path: the file.
            force: overwrite it.
        """
        early.restore()
        from bot.settings import verbs

        return verbs.init(path, force=force)

    @config.command
    def check(settings: Path | None = None, *, json: bool = False) -> int:
        """Print ok, or every fault of the settings at once.

        Args:
            settings: settings file; without it settings.toml in this folder, if there is one.
            json: print a list of the faults.
        """
        early.restore()
        from bot.settings import verbs

        return verbs.check(settings, os.environ, json=json)

    @config.command
    def show(settings: Path | None = None, *, origin: bool = False, json: bool = False) -> int:
        """Print the settings that hold.

        Args:
            settings: settings file; without it settings.toml in this folder, if there is one.
            origin: say where each value comes from.
            json: for programs; origins are always in it.
        """
        early.restore()
        from bot.settings import verbs

        return verbs.show(settings, os.environ, origin=origin, json=json)

    return config
