"""Every setting of the bot, and where its values come from: default < file < environment variable."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from bot.alarm import AlarmSettings
from bot.core.setting import setting
from bot.exchange.settings import ExchangeSettings
from bot.journal.settings import JournalSettings
from bot.link.http import HttpSettings
from bot.link.secrets import AccountSettings
from bot.link.websocket import StreamSettings
from bot.log import LogSettings
from bot.paradex.environment import ENVIRONMENTS, VenueSettings
from bot.settings.fault import DEFAULT, Fault, Origin, SettingsError, shown
from bot.settings.judgement import judge
from bot.settings.rules import BOTH_OR_NONE
from bot.settings.source import Given, from_environment, from_file
from bot.settings.value import Field
from bot.trading.executor import OrdersSettings
from bot.trading.step.guard import LimitsSettings
from bot.trading.strategies.probe import ProbeSettings

__all__ = [
    "DEFAULT_FILE",
    "FIELDS",
    "SECTIONS",
    "Loaded",
    "Settings",
    "SettingsError",
    "assembled",
    "load",
    "require_live",
]

DEFAULT_FILE = Path("settings.toml")
"""Read if it exists and no other file is named."""


@attrs.frozen
class Settings:
    """What a settings file says: a section for each room, and where to trade."""

    environment: str = setting("embedded", "where to trade; prod also needs --live", choices=ENVIRONMENTS)
    account: AccountSettings = attrs.field(factory=AccountSettings)
    http: HttpSettings = attrs.field(factory=HttpSettings)
    stream: StreamSettings = attrs.field(factory=StreamSettings)
    orders: OrdersSettings = attrs.field(factory=OrdersSettings)
    limits: LimitsSettings = attrs.field(factory=LimitsSettings)
    strategy: ProbeSettings = attrs.field(factory=ProbeSettings)
    exchange: ExchangeSettings = attrs.field(factory=ExchangeSettings)
    venue: VenueSettings = attrs.field(factory=VenueSettings)
    journal: JournalSettings = attrs.field(factory=JournalSettings)
    alarm: AlarmSettings = attrs.field(factory=AlarmSettings)
    log: LogSettings = attrs.field(factory=LogSettings)


SECTIONS: Mapping[str, type[attrs.AttrsInstance]] = {
    field.name: field.type for field in attrs.fields(Settings) if field.type and attrs.has(field.type)
}
"""The class of each section."""

FIELDS: Mapping[str, Field] = {
    field.name: field for field in attrs.fields(Settings) if field.name not in SECTIONS
} | {f"{section}.{field.name}": field for section, cls in SECTIONS.items() for field in attrs.fields(cls)}
"""By ``section.key``, or ``key`` for one above the sections: every field there is."""


@attrs.frozen
class Loaded:
    """Settings, and for each ``section.key`` where its value comes from."""

    settings: Settings
    origins: Mapping[str, Origin]


def load(path: Path | None, environ: Mapping[str, str]) -> Loaded:
    """The settings of a file (None: of `DEFAULT_FILE`, if there is one) and of the variables ``BOT__SECTION__KEY``.

    Every value that is given must be right, one that another overrides included.

    Raises:
        SettingsError: with everything that is wrong, in the file and in the variables.
    """
    values: dict[str, Any] = {key: field.default for key, field in FIELDS.items()}
    origins = dict.fromkeys(FIELDS, DEFAULT)
    faults: list[Fault] = []
    givens: list[Given] = []
    try:
        givens += _of_file(path)
    except SettingsError as error:
        faults += error.faults
    givens += from_environment(environ, FIELDS)
    for given in givens:
        if given.key in SECTIONS and given.value == {}:
            continue
        try:
            values[given.key] = judge(given, FIELDS, SECTIONS)
            origins[given.key] = given.origin
        except SettingsError as error:
            faults += error.faults
    faults += _unpaired(values, origins, {fault.key for fault in faults})
    if faults:
        raise SettingsError(faults)
    return Loaded(assembled(values), origins)


def require_live(settings: Settings, *, live: bool) -> None:
    """Refuse to trade real money unless the command line says so too.

    Raises:
        SettingsError: the environment is ``prod``, without ``--live``.
    """
    if settings.environment == "prod" and not live:
        raise SettingsError(
            [Fault(Origin("command line"), "trades real money and needs --live", "environment", "prod")]
        )


def _of_file(path: Path | None) -> list[Given]:
    try:
        return from_file(path or DEFAULT_FILE, FIELDS)
    except FileNotFoundError as error:
        if path is None:
            return []
        raise SettingsError([Fault(Origin(str(path)), "there is no such file")]) from error


def _unpaired(values: Mapping[str, Any], origins: Mapping[str, Origin], faulty: set[str]) -> Iterator[Fault]:
    for one, other in BOTH_OR_NONE:
        for given, missing in ((one, other), (other, one)):
            if values[given] and not values[missing] and faulty.isdisjoint({one, other}):
                yield Fault(origins[given], f"needs {missing} too", given, shown(values[given]))


def assembled(values: Mapping[str, Any]) -> Settings:
    """Settings from a value for each key of `FIELDS`."""
    sections: dict[str, Any] = {
        name: cls(**{field.name: values[f"{name}.{field.name}"] for field in attrs.fields(cls)})
        for name, cls in SECTIONS.items()
    }
    return Settings(values["environment"], **sections)
