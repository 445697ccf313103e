"""One value of the settings: from TOML's types and back to them, and what is allowed in words."""

import math
import operator
import unicodedata
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import attrs
import cattrs

from bot.core.fixed import DECIMALS, Fixed, parse, render

if TYPE_CHECKING:
    Field = attrs.Attribute[Any]
else:  # attrs' own class takes no parameter
    Field = attrs.Attribute
"""A field made by `bot.core.setting.setting`."""

_FIXED_DIGITS = 20  # before the point; behind it there are fewer

_CONVERTER = cattrs.Converter()

_TYPES = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Fixed: f'a decimal number such as "0.01", of at most {DECIMALS} decimals',
    tuple[str, ...]: 'an array of strings such as ["one", "two"]',
}


def convert(field: Field, raw: object) -> Any:
    """The value of a field from what stands in TOML; decimals there are `decimal.Decimal`.

    Raises:
        TypeError: not of the field's type.
        ValueError: out of range. For both, `allowed` has the words.
    """
    value: Any = _CONVERTER.structure(raw, _type(field))
    if field.validator:
        field.validator(None, field, value)
    return value


def is_text(field: Field) -> bool:
    """Whether the field's values are strings."""
    return field.type is str


def plain(settings: attrs.AttrsInstance) -> dict[str, Any]:
    """Settings as TOML and JSON have them: classes as tables, Fixed as decimal text."""
    return _CONVERTER.unstructure(settings)  # type: ignore[no-any-return] # cattrs promises less


def allowed(field: Field) -> str:
    """What may stand there, in words: ``a whole number, at least 1024 and at most 1000000, in messages``."""
    kind = [] if field.metadata["choices"] else [_TYPES[_type(field)]]
    return ", ".join([*kind, *limits(field)])


def limits(field: Field) -> list[str]:
    """Range, choices and unit in words, as far as the field has them."""
    bound = render if field.type is Fixed else str
    least, most, choices, unit = (field.metadata[key] for key in ("at_least", "at_most", "choices", "unit"))
    ends = [f"at least {bound(least)}"] if least is not None else []
    ends += [f"at most {bound(most)}"] if most is not None else []
    words = [" and ".join(ends), f"one of {', '.join(choices)}" if choices else "", unit and f"in {unit}"]
    return list(filter(None, words))


_CONVERTER.register_unstructure_hook(Fixed, render)


def _type(field: Field) -> type:
    return cast("type", field.type)  # every setting is annotated


@_CONVERTER.register_structure_hook
def _string(raw: object, _: object) -> str:
    """Text without control characters and lone surrogates: no path, name or address has them."""
    if not isinstance(raw, str) or any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in raw):
        raise ValueError("not a string of characters")
    return raw


def _strings(raw: object, _: object) -> tuple[str, ...]:
    if not isinstance(raw, list):
        raise TypeError("not an array")
    return tuple(_string(item, str) for item in raw)


# What is no class is registered by a predicate.
_CONVERTER.register_structure_hook_func(partial(operator.eq, tuple[str, ...]), _strings)


@_CONVERTER.register_structure_hook
def _int(raw: object, _: object) -> int:
    if not isinstance(raw, int) or isinstance(raw, bool):  # Python calls a bool an int
        raise TypeError("not a whole number")
    return raw


@_CONVERTER.register_structure_hook
def _bool(raw: object, _: object) -> bool:
    if not isinstance(raw, bool):
        raise TypeError("neither true nor false")
    return raw


@_CONVERTER.register_structure_hook
def _float(raw: object, _: object) -> float:
    if not isinstance(raw, int | Decimal) or isinstance(raw, bool):
        raise TypeError("not a number")
    value = float(raw)
    if not math.isfinite(value):
        raise ValueError("not a finite number")
    return value


@_CONVERTER.register_structure_hook
def _fixed(raw: object, _: object) -> Fixed:
    """Exact or refused. A decimal's exponent is looked at first: writing it out might take gigabytes."""
    match raw:
        case str():
            return parse(raw)
        case Decimal() if raw.is_finite() and abs(raw.adjusted()) < _FIXED_DIGITS:
            return parse(f"{raw:f}")
        case int() if not isinstance(raw, bool) and abs(raw) < 10**_FIXED_DIGITS:
            return parse(str(raw))
        case _:
            raise ValueError("not a decimal number")
