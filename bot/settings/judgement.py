"""Whether a given value is right, and if not, what was probably meant."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from bot.core.tape import HIDDEN
from bot.settings.fault import Fault, SettingsError, holds_key, shown
from bot.settings.rules import RULES
from bot.settings.source import Given
from bot.settings.value import Field, allowed, convert

_SECRET_WORDS = ("key", "secret", "token", "jwt", "password", "passphrase", "mnemonic", "private")
_WHERE_KEYS_BELONG = (
    "a private key belongs in a file of mode 0600 that account.key_file names, in $CREDENTIALS_DIRECTORY or "
    "/run/secrets, or in the environment variable that account.key_env names"
)


def judge(given: Given, fields: Mapping[str, Field], sections: Iterable[str]) -> Any:
    """The value of the setting.

    Raises:
        SettingsError: the key is unknown, the value is not allowed, or it might be a secret.
    """
    field = fields.get(given.key)
    if field is None:
        raise SettingsError([_unknown(given, fields, sections)])
    if holds_key(given.value) and given.key != "account.address":
        raise SettingsError([_fault(given, "looks like a private key", _WHERE_KEYS_BELONG)])
    try:
        value = convert(field, given.value)
    except (TypeError, ValueError):
        hint = _did_you_mean(_nearest(shown(given.value), field.metadata["choices"]))
        raise SettingsError([_fault(given, f"must be {allowed(field)}", hint)]) from None
    rule = RULES.get(given.key)
    if rule is not None and (problem := rule(value)):
        raise SettingsError([_fault(given, problem)])
    return value


def _fault(given: Given, problem: str, hint: str = "", value: str | None = None) -> Fault:
    return Fault(given.origin, problem, given.key, shown(given.value) if value is None else value, hint)


def _unknown(given: Given, fields: Mapping[str, Field], sections: Iterable[str]) -> Fault:
    """A fault for a key that no field has: it may be misspelt, or be where somebody wrote a secret."""
    if given.key in sections:
        return _fault(given, "must be a table")
    name = given.key.rpartition(".")[2]
    namesakes = [key for key in fields if key.rpartition(".")[2] == name]
    meant = _nearest(given.key, namesakes, cutoff=0) or _nearest(given.key, [*fields, *sections])
    hint = _did_you_mean(meant)
    if holds_key(given.value) or any(word in given.key.lower() for word in _SECRET_WORDS):
        hint = "; ".join(filter(None, [hint, _WHERE_KEYS_BELONG]))
        return _fault(given, "there is no such setting", hint, HIDDEN)
    return _fault(given, "there is no such setting", hint)


def _did_you_mean(name: str) -> str:
    return f"did you mean {name}?" if name else ""


def _nearest(word: object, names: Iterable[str], cutoff: float = 0.6) -> str:
    """The name most like the word, whatever the case of either; empty if none is."""
    by_folded = {name.casefold(): name for name in names}
    found = difflib.get_close_matches(str(word).casefold()[:100], by_folded, n=1, cutoff=cutoff)
    return by_folded[found[0]] if found else ""
