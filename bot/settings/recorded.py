"""Settings as a recorded session holds them, and back."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from bot.settings import FIELDS, Settings, assembled
from bot.settings.fault import shown
from bot.settings.rules import RULES
from bot.settings.value import Field, allowed, convert, plain

SHARED = frozenset({"environment", "http", "stream", "orders", "limits", "strategy", "exchange"})
"""What decides how a session goes. The other sections say who somebody is, which files and programs there are on the
machine, and how it logs; where the venue is stands in the header. What is new is kept back until it is named here."""


def shareable(settings: Settings) -> dict[str, Any]:
    """What a session needs to be run again, by section."""
    return {name: value for name, value in plain(settings).items() if name in SHARED}


def of_recording(recorded: Mapping[str, Any]) -> Settings:
    """The settings of a recorded session, of any version of the bot.

    What it does not hold has its default, what nobody knows any more is left, and so is what is not `SHARED`.

    Raises:
        ValueError: a value that is not allowed.
    """
    values: dict[str, Any] = {}
    for key, field in FIELDS.items():
        section, _, name = key.rpartition(".")
        values[key] = field.default
        if (section or name) in SHARED:
            table = recorded.get(section, {}) if section else recorded
            if not isinstance(table, Mapping):
                raise ValueError(f"{section} = {shown(table)}: a table is allowed")
            if name in table:
                values[key] = _value(key, field, table[name])
    return assembled(values)


def _value(key: str, field: Field, raw: object) -> Any:
    try:
        value = convert(field, Decimal(str(raw)) if isinstance(raw, float) else raw)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{key} = {shown(raw)}: {allowed(field)} is allowed") from error
    if key in RULES and (problem := RULES[key](value)):
        raise ValueError(f"{key} = {shown(raw)}: {problem}")
    return value
