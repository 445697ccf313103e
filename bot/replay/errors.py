"""What keeps a session from being run again, and how it is told that one breaks the bot."""

import traceback
from pathlib import Path


class UnusableRecordingError(ValueError):
    """A record is of a wrong shape, or one that is needed is missing. It says which, and what is wrong."""


def breaks(error: BaseException) -> str:
    """What broke the bot, and where, in words."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(where.filename).name}, line {where.lineno}, in {where.name}"
    return f"the bot breaks: {type(error).__name__}: {error} ({place})"
