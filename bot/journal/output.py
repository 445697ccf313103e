"""Lines on stdout: for people and their terminals, for programs, and for whoever stops reading."""

import sys
from collections.abc import Callable
from functools import wraps
from json import dumps
from typing import Any, ParamSpec, TextIO

import msgspec

P = ParamSpec("P")

GOOD, DAMAGED, REFUSED = 0, 1, 2
"""What verbs that read sessions end with."""

INTERRUPTED = 130
"""What a shell reports of a program that Ctrl-C ended."""

UNPRINTED = 2
"""No verdict on any session: 1 is one."""


def into_a_pipe(verb: Callable[P, int]) -> Callable[P, int]:
    """Let whoever reads what ``verb`` prints leave when he has seen enough. There is nothing to say of that.

    If it is kept, and the disk is full, that is said.
    """

    @wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            code = verb(*args, **kwargs)
            sys.stdout.flush()
        except BrokenPipeError:
            return 0
        except OSError as error:
            if error.filename is not None:  # no trouble of stdout
                raise
            complain(f"stdout: {error.strerror}")
            return UNPRINTED
        except KeyboardInterrupt:  # a pager's Ctrl-C is for everybody in front of the terminal
            return INTERRUPTED
        return code

    return run


def put(text: str) -> None:
    """Print a line. What would control a terminal is escaped: a recorded message must not write on one."""
    _write(sys.stdout, printable(text))


def put_json(data: Any) -> None:
    """Print ``data`` as JSON on a line, which no terminal obeys either."""
    text = msgspec.json.encode(data).decode()
    _write(sys.stdout, _escaped(text, lambda character: dumps(character)[1:-1]))


def complain(text: str) -> None:
    """Say on stderr what is wrong, in one line or several."""
    for line in text.split("\n"):
        _write(sys.stderr, printable(line))


def printable(text: str) -> str:
    """``text`` on one line, with escapes for what Unicode does not count as printable.

    That is what controls a terminal, and what turns the direction of writing round.
    """
    return _escaped(text, lambda character: character.encode("unicode_escape").decode())


def _escaped(text: str, escape: Callable[[str], str]) -> str:
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else escape(character) for character in text)


def _write(stream: TextIO, line: str) -> None:
    encoding = stream.encoding or "utf-8"  # not every terminal knows every character
    stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
