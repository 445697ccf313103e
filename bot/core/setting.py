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
    secret: bool = False,
) -> Any:
    """An attrs field with a validator, and metadata ``help``, ``unit``, ``allowed`` (words) and ``secret``."""
    validators: list[Any] = []
    allowed: list[str] = []
    if at_least is not None:
        validators.append(attrs.validators.ge(at_least))
        allowed.append(f"at least {at_least:g}")
    if at_most is not None:
        validators.append(attrs.validators.le(at_most))
        allowed.append(f"at most {at_most:g}")
    if choices:
        validators.append(attrs.validators.in_(tuple(choices)))
        allowed.append("one of " + ", ".join(choices))
    return attrs.field(
        default=default,
        validator=validators,
        metadata={"help": help, "unit": unit, "allowed": " and ".join(allowed), "secret": secret},
    )
