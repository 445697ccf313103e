"""The sessions in a folder, and how a person names one."""

from collections.abc import Callable, Iterable
from pathlib import Path

from bot.journal import names
from bot.journal.reader import NotAJournalError, RecordedSession, find


def newest_first(folder: Path, fault: Callable[[str], None]) -> list[RecordedSession]:
    """All of them. ``fault`` is told of what is named like one, and cannot be read.

    Raises:
        OSError: the folder cannot be read.
    """
    sessions = []
    for path in names.sessions(folder):
        try:
            sessions.append(find(path))
        except (NotAJournalError, OSError) as error:
            fault(in_words(error))
    return sorted(sessions, key=lambda session: session.header.started_ns, reverse=True)


def session_named(name: str, sessions: Callable[[], Iterable[RecordedSession]]) -> RecordedSession | None:
    """By a file of it, or its run id: ``sessions`` are asked for if no file has this name. None if there is none.

    Raises:
        NotAJournalError: the file is none.
        OSError: it cannot be read, or there is none in the folder that the name tells.
    """
    try:
        return find(Path(name))
    except FileNotFoundError:
        if Path(name).name != name:
            raise
    return next((session for session in sessions() if session.header.run_id == name), None)


def session_chosen(name: str | None, folder: Callable[[], Path]) -> RecordedSession:
    """By a file of it, or its run id; without a name the newest in ``folder``. Raises what `session_named` does."""

    def in_folder() -> list[RecordedSession]:
        return newest_first(folder(), lambda _: None)

    session = next(iter(in_folder()), None) if name is None else session_named(name, in_folder)
    if session is None:
        raise NotAJournalError(
            f"{folder()} holds no session{f' {name}' if name else ''}, and there is no such file"
        )
    return session


def in_words(error: Exception) -> str:
    """What is wrong, with the file that it is wrong with."""
    return f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
