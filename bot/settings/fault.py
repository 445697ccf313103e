"""What is wrong with the settings, in words that a person can act on and that show no secret."""

import re
from collections.abc import Iterable

import attrs

from bot.core.tape import HIDDEN
from bot.link.secrets import Redactor

_LONGEST_SHOWN = 80  # characters

# The longest number that is no key; a key has 63 or 64 hex digits, or 75 or 76 decimal ones.
_LONGEST_NUMBER = 50  # digits
_KEY_LIKE = re.compile(rf"(?:0x)?[0-9a-f]{{{_LONGEST_NUMBER + 1},}}", re.ASCII | re.IGNORECASE)
_LEAST_KEY: int = 10**_LONGEST_NUMBER
_CREDENTIALS_IN_URL = re.compile(r"(?<=://)[^/\s@]*@")


def holds_key(value: object) -> bool:
    """Whether a value read from TOML, its parts included, looks like a private key."""
    match value:
        case str():
            return bool(_KEY_LIKE.search(value))
        case int():
            return not -_LEAST_KEY < value < _LEAST_KEY
        case list():
            return any(map(holds_key, value))
        case dict():
            return any(holds_key(key) or holds_key(part) for key, part in value.items())
        case _:
            return False


def printable(text: str) -> str:
    """The text with escapes for what a terminal would obey or cannot write."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def without_secrets(text: str) -> str:
    """The text without anything that looks like a key, a token or a password."""
    text = _KEY_LIKE.sub(HIDDEN, text)
    return Redactor().redact(_CREDENTIALS_IN_URL.sub(HIDDEN + "@", text))


def shown(value: object) -> str:
    """A refused value in a few words: cut where it is long, hidden where it might be a secret."""
    match value:
        case dict():
            return "a table"
        case bool():
            return str(value).lower()
        case _ if holds_key(value):
            return HIDDEN
        case list() if not all(isinstance(item, str) for item in value):
            return "an array"
        case str() | list():
            text = without_secrets(repr(value))  # repr escapes what a terminal would obey
        case _:
            text = str(value)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + " …"


@attrs.frozen
class Origin:
    """Where a value comes from: a file and its line, an environment variable, or the default."""

    name: str = attrs.field(converter=printable)
    line: int | None = None

    def __str__(self) -> str:
        return self.name if self.line is None else f"{self.name}:{self.line}"


DEFAULT = Origin("default")


def _name(text: str) -> str:
    return printable(without_secrets(text))


@attrs.frozen
class Fault:
    """One thing that is wrong. No field of it shows a secret; `key` and `value` are empty where there is none."""

    origin: Origin
    problem: str = attrs.field(converter=without_secrets)
    """What is wrong, and what is allowed."""
    key: str = attrs.field(default="", converter=_name)
    """``section.key``."""
    value: str = attrs.field(default="", converter=without_secrets)
    """The refused value, as `shown`."""
    hint: str = attrs.field(default="", converter=without_secrets)
    """What was probably meant."""

    def __str__(self) -> str:
        """One line; a hint adds a second."""
        subject = f"{self.key} = {self.value}" if self.value else self.key
        line = ": ".join(filter(None, (str(self.origin), subject, self.problem)))
        return f"{line}\n    {self.hint}" if self.hint else line


class SettingsError(Exception):
    """The settings cannot be used: all their faults at once."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        return "\n".join(map(str, self.faults))
