"""How the files of a session are named. Writer and reader look here, and nowhere else.

A session is named by its first part, ``NAME.journal``. The parts after it are ``NAME.2.journal``, ``NAME.3.journal``
and so on, and a part that is closed and compressed has ``.zst`` behind its name. A first part of any other name is
numbered at its end: ``session``, ``session.2``, ``session.2.zst``.

Of a part there may be both forms: compression was interrupted between making the one and removing the other. Both
are whole then, and the plain one counts.
"""

import re
from pathlib import Path

SUFFIX = ".journal"
COMPRESSED = ".zst"
UNFINISHED = ".unfinished"
"""Behind the name of a compressed part while it is being made. Nobody reads such a file."""

_NUMBER = r"(?:\.(?P<number>[2-9]|[1-9][0-9]{1,8}))?"
_FORM = rf"(?:{re.escape(COMPRESSED)})?"


def part(first: Path, number: int) -> Path:
    """Where part ``number`` (1, 2, …) of the session is written whose first part is ``first``."""
    if number == 1:
        return first
    stem, suffix = _split(first)
    return first.with_name(f"{stem}.{number}{suffix}")


def compressed(part: Path) -> Path:
    """The compressed form of ``part``."""
    return part.with_name(part.name + COMPRESSED)


def unfinished(part: Path) -> Path:
    """The compressed form of ``part`` while it is being made."""
    return part.with_name(part.name + COMPRESSED + UNFINISHED)


def plain(path: Path) -> Path:
    """The name that the part in ``path`` has, or had, before it was compressed."""
    return path.with_name(path.name.removesuffix(COMPRESSED))


def place(path: Path) -> tuple[Path, int]:
    """The first part of the session that a file of this name is part of, and the number of the part.

    A name alone proves nothing: a first part may be called as if it were a later one.
    """
    suffix = SUFFIX if plain(path).name.endswith(SUFFIX) else ""
    match = re.fullmatch(rf"(?P<stem>.+?){_NUMBER}{re.escape(suffix)}", plain(path).name)
    if match is None:
        return plain(path), 1
    return path.with_name(match["stem"] + suffix), int(match["number"] or 1)


def parts(first: Path) -> dict[int, Path]:
    """The files of the session whose first part is ``first``, by number, in order: those that are there.

    The header in each tells whether it belongs; a name alone proves nothing.

    Raises:
        OSError: the folder cannot be read.
    """
    stem, suffix = _split(first)
    pattern = re.compile(re.escape(stem) + _NUMBER + re.escape(suffix) + _FORM)
    found: dict[int, Path] = {}
    for path in first.parent.iterdir():
        match = pattern.fullmatch(path.name)
        if match and found.get(number := int(match["number"] or 1)) != plain(path):
            found[number] = path
    return dict(sorted(found.items()))


def sessions(folder: Path) -> list[Path]:
    """The sessions in ``folder``, each by its first part, whether that is still there or not.

    Raises:
        OSError: the folder cannot be read.
    """
    pattern = re.compile(rf"(?P<stem>.+?){_NUMBER}{re.escape(SUFFIX)}{_FORM}")
    stems = {match["stem"] for path in folder.iterdir() if (match := pattern.fullmatch(path.name))}
    return [folder / f"{stem}{SUFFIX}" for stem in sorted(stems)]


def _split(first: Path) -> tuple[str, str]:
    suffix = SUFFIX if first.name.endswith(SUFFIX) else ""
    return first.name.removesuffix(SUFFIX), suffix
