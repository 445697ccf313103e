"""What a settings file and the environment say, before anybody judged it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from bot.settings.fault import Fault, Origin, SettingsError
from bot.settings.toml import Document, Names, TomlError, dotted, parse, parse_value
from bot.settings.value import Field, is_text

PREFIX = "BOT__"
_LARGEST_FILE = 2**18  # bytes


@attrs.frozen
class Given:
    """A value for a key, as TOML has it, and where it stands."""

    key: str
    value: Any
    origin: Origin


def variable(key: str) -> str:
    """The environment variable of ``section.key``: ``BOT__SECTION__KEY``."""
    return PREFIX + key.replace(".", "__").upper()


def from_file(path: Path, fields: Mapping[str, Field]) -> list[Given]:
    """Every value in a TOML file. The tables in it are taken apart, but for one that stands where a value should.

    Raises:
        FileNotFoundError: there is none.
        SettingsError: it cannot be read, or is not TOML.
    """
    name = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SettingsError([Fault(Origin(name), f"cannot be read: {error.strerror}")]) from error
    if len(content) > _LARGEST_FILE:
        raise SettingsError([Fault(Origin(name), "is too large for a settings file")])
    try:
        document = parse(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError([Fault(Origin(name, line), "not valid TOML: not UTF-8")]) from error
    except TomlError as error:
        raise SettingsError([Fault(Origin(name, error.line), str(error))]) from error
    return [
        given
        for top, value in document.tables.items()
        for given in _leaves(document, name, (top,), value, fields)
    ]


def _leaves(
    document: Document, file: str, names: Names, value: Any, fields: Mapping[str, Field]
) -> Iterator[Given]:
    key = dotted(names)
    if isinstance(value, dict) and value and key not in fields:
        for name, below in value.items():
            yield from _leaves(document, file, (*names, name), below, fields)
    else:
        yield Given(key, value, Origin(file, document.line(names)))


def from_environment(environ: Mapping[str, str], fields: Mapping[str, Field]) -> Iterator[Given]:
    """The value of every variable that begins with ``BOT__``."""
    for name, text in environ.items():
        if name.startswith(PREFIX):
            key = name.removeprefix(PREFIX).lower().replace("__", ".")
            if variable(key) != name:  # small letters: no key's variable
                key = name
            yield Given(key, _value(text, fields.get(key)), Origin(name))


def _value(text: str, field: Field | None) -> Any:
    """TOML where it is TOML, else the text itself; so is a number where text is wanted."""
    try:
        value = parse_value(text)
    except TomlError:
        return text
    if field is not None and is_text(field) and not isinstance(value, str):
        return text
    return value
