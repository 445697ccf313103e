"""Where sessions are recorded: in the state directory, or where the command line says."""

from collections.abc import Mapping
from pathlib import Path

from bot.journal import names
from bot.journal.file import Disk
from bot.journal.parts import Parts
from bot.journal.private import make_folder
from bot.journal.settings import JournalSettings

FOLDER = "paradex-bot"


class CannotRecordError(ValueError):
    """There can be no journal, or no key of one, at the place that was named. The message names it."""


def state_directory(settings: JournalSettings, environ: Mapping[str, str]) -> Path:
    """The folder of what outlives a run: made, if it is not there, for nobody's eyes but ours.

    Raises:
        CannotRecordError: it cannot be made.
    """
    folder = _named(settings, environ)
    try:
        folder = folder.expanduser()
        make_folder(folder)
    except (OSError, RuntimeError) as error:  # RuntimeError: nobody knows where ~ is
        raise CannotRecordError(
            f"{folder}: there can be no folder for journals: {_words(error)} "
            "(journal.directory names another, and on the embedded exchange --no-record does without)"
        ) from error
    return folder


def where_sessions_are(settings: JournalSettings, environ: Mapping[str, str]) -> Path:
    """That folder, whether it is there or not.

    Raises:
        RuntimeError: nobody knows where ~ is.
    """
    return _named(settings, environ).expanduser()


def _named(settings: JournalSettings, environ: Mapping[str, str]) -> Path:
    return Path(settings.directory) if settings.directory else _state_home(environ) / FOLDER


def _state_home(environ: Mapping[str, str]) -> Path:
    """As the XDG Base Directory Specification has it: a relative path does not count."""
    named = Path(environ.get("XDG_STATE_HOME", ""))
    return named if named.is_absolute() else Path("~/.local/state")


def begin(disk: Disk, first: Path) -> Parts:
    """Take a place for a session, whose first part is the new file ``first``.

    Raises:
        CannotRecordError: with what is wrong with it. What is there is left as it is.
    """
    if not first.name:
        raise CannotRecordError(f"{first}: no journal can begin there: it is a folder")
    if names.plain(first) != first:
        raise CannotRecordError(f"{first}: so end the names of compressed parts; choose another")
    try:
        others = names.parts(first)
        if others:
            taken = " and ".join(str(path) for path in others.values())
            raise FileExistsError(f"there is {taken} already, and nothing is ever overwritten")
        return Parts(disk, first)
    except OSError as error:
        raise CannotRecordError(f"{first}: no journal can begin there: {_words(error)}") from error


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
