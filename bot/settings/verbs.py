"""The verbs of ``bot config``. Each returns the exit code: 0, or 2 if something is wrong with the settings."""

import os
import sys
from collections.abc import Callable, Mapping
from json import dumps
from pathlib import Path

import attrs

from bot.settings import DEFAULT_FILE, FIELDS, Loaded, Settings, load
from bot.settings.fault import SettingsError
from bot.settings.source import variable
from bot.settings.toml import written
from bot.settings.value import limits, plain

_HEADER = f"""\
# Settings of the bot. Every key may be left out; what is commented out here is its default.
# An environment variable overrides a key: {variable("http.connections")}=8 is connections of [http].
# `bot config check` tells what is wrong, `bot config show --origin` what holds and why.
# No private key and no token belongs here; [account] says where the key is found.
"""


def init(path: Path = DEFAULT_FILE, *, force: bool = False) -> int:
    """Write a settings file that holds the defaults and explains every key."""
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(example())
    except FileExistsError:
        sys.stderr.write(f"{path} exists already; --force overwrites it\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"{path} cannot be written: {error.strerror}\n")
        return 2
    sys.stdout.write(f"wrote {path}\n")
    return 0


def check(path: Path | None = None, environ: Mapping[str, str] = os.environ, *, json: bool = False) -> int:
    """Print ``ok``, or every fault of the settings; with ``json`` a list of the faults."""
    try:
        load(path, environ)
    except SettingsError as error:
        faults = error.faults
    else:
        faults = ()
    if json:
        sys.stdout.write(dumps([attrs.asdict(fault) for fault in faults], indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(map(str, faults or ["ok"])) + "\n")
    return 2 if faults else 0


def show(
    path: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    origin: bool = False,
    json: bool = False,
) -> int:
    """Print the settings that hold, as a file that loads to the same; with ``json`` their origins always."""
    try:
        loaded = load(path, environ)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if json:
        origins = {key: str(origin) for key, origin in loaded.origins.items()}
        sys.stdout.write(dumps({"settings": plain(loaded.settings), "origins": origins}, indent=2) + "\n")
    else:
        sys.stdout.write(as_toml(loaded, origin=origin))
    return 0


def example() -> str:
    """The text of ``settings.example.toml``, made from what the settings classes say of themselves."""

    def lines(key: str, assignment: str) -> str:
        field = FIELDS[key]
        words = ", ".join(limits(field))
        return f"# {field.metadata['help']}" + (f" ({words})" if words else "") + f"\n#{assignment}"

    return f"{_HEADER}\n{_document(Settings(), lines)}"


def as_toml(loaded: Loaded, *, origin: bool = False) -> str:
    """Settings as TOML that loads to the same; ``origin`` adds to each where it comes from, as a comment."""

    def lines(key: str, assignment: str) -> str:
        return f"{assignment}  # from {loaded.origins[key]}" if origin else assignment

    return _document(loaded.settings, lines)


def _document(settings: Settings, lines: Callable[[str, str], str]) -> str:
    """Every key, in the order of the classes, as ``lines`` writes its ``section.key`` and ``key = value``."""
    blocks = []
    for name, value in plain(settings).items():
        if isinstance(value, dict):
            body = [lines(f"{name}.{key}", f"{key} = {written(below)}") for key, below in value.items()]
            blocks.append("\n".join([f"[{name}]", *body]))
        else:
            blocks.append(lines(name, f"{name} = {written(value)}"))
    return "\n\n".join(blocks) + "\n"
