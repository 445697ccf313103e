"""Where the verbs look for recorded sessions."""

# ruff: noqa: PLC0415 - as in `bot.cli`

import os
from pathlib import Path


def where_recorded() -> Path:
    """Where sessions are recorded. Raises ValueError: the settings do not tell."""
    from bot.journal.store import where_sessions_are
    from bot.settings import load
    from bot.settings.fault import SettingsError

    try:
        return where_sessions_are(load(None, os.environ).settings.journal, os.environ)
    except (SettingsError, RuntimeError) as error:
        raise ValueError(str(error)) from error
