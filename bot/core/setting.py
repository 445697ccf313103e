"""How a room declares one of its settings: default, what is allowed, and the words that explain it.

`bot config init` writes its file, and a refused value its message, from what stands here: nothing is said twice.
"""

from collections.abc import Sequence
from typing import Any

import attrs


def setting(
    default: Any,
    help: str,  # noqa: A002 - the word every command line uses
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    choices: Sequence[str] = (),
    unit: str = "",
) -> Any:
    """An attrs field with a validator, and its arguments as metadata.

    Bounds are in the unit of the value itself (for ``Fixed`` 10⁻⁸): who shows them knows the type.
    """
    validators: list[Any] = []
    if at_least is not None:
        validators.append(attrs.validators.ge(at_least))
    if at_most is not None:
        validators.append(attrs.validators.le(at_most))
    if choices:
        validators.append(attrs.validators.in_(tuple(choices)))
    return attrs.field(
        default=default,
        validator=validators,
        metadata={
            "help": help,
            "at_least": at_least,
            "at_most": at_most,
            "choices": tuple(choices),
            "unit": unit,
        },
    )
