"""TOML text with the line of every name, which tomllib keeps to itself."""

import json
import re
import tomllib
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

import attrs

Names = tuple[str, ...]
"""The names from the top of a document down to a table or a value."""

_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def dotted(names: Names) -> str:
    """The names as TOML writes them: ``http.connections``, and ``http."a.b"`` where a name has odd characters."""
    return ".".join(name if _BARE.fullmatch(name) else json.dumps(name) for name in names)


class TomlError(ValueError):
    """The text is not TOML. ``line`` says where, if tomllib told."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.line = line


@attrs.frozen
class Document:
    """A parsed file: its tables, floats in them as exact decimals, and the line of each name."""

    tables: dict[str, Any]
    lines: dict[Names, int]

    def line(self, path: Names) -> int:
        """The line on which the statement of this name begins, or of the nearest table around it."""
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]


def parse(text: str) -> Document:
    """Read a TOML document.

    Raises:
        TomlError: not TOML, nested too deeply, or a whole number of thousands of digits.
    """
    return Document(_loads(text), _lines(text.replace("\r\n", "\n")))


def parse_value(text: str) -> Any:
    """Read one TOML value, as it may stand in an environment variable.

    Raises:
        TomlError: the text is no TOML value.
    """
    tables = _loads(f"value = {text}")
    if tables.keys() != {"value"}:
        raise TomlError("more than a value")
    return tables["value"]


def written(value: object) -> str:
    """A string, number, bool, or array of these as TOML: for them, without control characters, that is JSON."""
    return json.dumps(value, ensure_ascii=False)


_DEEPEST = 16  # levels; a few thousand would end whatever walks them by recursion


def _loads(text: str) -> dict[str, Any]:
    try:
        tables = tomllib.loads(text, parse_float=_decimal)
    except tomllib.TOMLDecodeError as error:
        problem, line = _located(str(error), text)
    except RecursionError:
        problem, line = "nested too deeply", None
    except ValueError:  # of int()
        problem, line = "a number has too many digits", None
    else:
        if _depth_is_bounded(tables):
            return tables
        problem, line = "nested too deeply", None
    raise TomlError(f"not valid TOML: {problem}", line)


def _depth_is_bounded(tables: dict[str, Any]) -> bool:
    level: list[Any] = [tables]
    for _ in range(_DEEPEST):
        inside = (node.values() if isinstance(node, dict) else node for node in level)
        level = [node for nodes in inside for node in nodes if isinstance(node, dict | list)]
    return not level


def _decimal(text: str) -> Decimal:
    """The exact number; none where the exponent is beyond any that Decimal can hold."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("nan")


_LOCATION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def _located(message: str, text: str) -> tuple[str, int | None]:
    """Take the line out of tomllib's message."""
    location = _LOCATION.search(message)
    if location is None:
        return message, None
    line = int(location[1]) if location[1] else text.rstrip("\n").count("\n") + 1
    return message[: location.start()], line


def _lines(text: str) -> dict[Names, int]:
    """The line of every name in valid TOML: read alone, each statement tells what it names."""
    lines: dict[Names, int] = {(): 1}
    table: Names = ()
    for line, statement in _statements(text):
        paths = list(_paths(_loads(statement)))
        if statement.startswith("["):
            table = paths[-1]
        else:
            paths = [table + path for path in paths]
        for path in paths:
            lines.setdefault(path, line)
    return lines


def _paths(node: object) -> Iterator[Names]:
    """Every name in a tree of tables, the outer ones first."""
    if isinstance(node, dict):
        for name, below in node.items():
            yield (name,)
            yield from ((name, *path) for path in _paths(below))


# In valid TOML these are all that may hold a newline, a bracket or a # that is not what it looks like.
_TOKEN = re.compile(
    r"""
    (?P<string> \"{3} (?: [^\\] | \\. )*? \"{3,5} | '{3} .*? '{3,5} | " (?: [^"\\] | \\. )* " | ' [^']* ' )
  | (?P<blank> [ \t]+ | \#[^\n]* )
  | (?P<newline> \n )
  | (?P<open> [\[{] )
  | (?P<close> [\]}] )
  | (?P<other> [^"'\s\#\[\]{}]+ )
    """,
    re.DOTALL | re.VERBOSE,
)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Cut valid TOML where a newline ends a statement; each comes with the line of its first character."""
    depth = 0
    line = 1
    start: tuple[int, int] | None = None  # line, offset
    for token in _TOKEN.finditer(text + "\n"):
        kind = token.lastgroup
        if kind == "newline" and depth == 0:
            if start is not None:
                yield start[0], text[start[1] : token.start()]
            start = None
        elif kind not in {"newline", "blank"} and start is None:
            start = line, token.start()
        depth += (kind == "open") - (kind == "close")
        line += token[0].count("\n")
