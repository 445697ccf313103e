"""Seams: calls of functions of the product, where something else can be made to happen."""

import enum
import inspect
from collections.abc import Callable
from functools import reduce, wraps
from importlib import import_module
from itertools import count
from typing import Any

import attrs

Matches = Callable[..., bool]
"""Whether a call, told by its positional arguments, is the one that is meant."""


class When(enum.Enum):
    BEFORE = enum.auto()
    HALFWAY = enum.auto()
    """The last argument, bytes, is cut in half for it."""

    AFTER = enum.auto()


def any_call(*_: object) -> bool:
    return True


@attrs.frozen
class Seam:
    """A call of a function of the product."""

    place: str
    """``module:name`` or ``module:Class.name``, where whoever calls it looks it up."""

    when: When
    matches: Matches = any_call
    nth: int = 1


class SeamGoneError(Exception):
    """There is no such function any more: the points have to move with it."""


def find(place: str) -> Any:
    """What is there; see `Seam.place`. Raises `SeamGoneError`."""
    owner, name = _owner(place)
    return inspect.getattr_static(owner, name)


def put(place: str, other: Any) -> None:
    """Replace what is there. Raises `SeamGoneError`."""
    owner, name = _owner(place)
    setattr(owner, name, other)


def meet(seam: Seam, act: Callable[..., None]) -> None:
    """Call ``act`` with the arguments of the call at ``seam``, when it comes. Raises `SeamGoneError`."""
    function = find(seam.place)
    reached = count(1)

    def is_now(*arguments: Any) -> bool:
        return seam.matches(*arguments) and next(reached) == seam.nth

    @wraps(function)
    def met(*arguments: Any, **options: Any) -> Any:
        now = is_now(*arguments)
        if now and seam.when is When.HALFWAY:
            *others, data = arguments
            arguments = (*others, data[: len(data) // 2])
        if now and seam.when is When.BEFORE:
            act(*arguments)
        result = function(*arguments, **options)
        if now and seam.when is not When.BEFORE:
            act(*arguments)
        return result

    @wraps(function)
    async def met_in_time(*arguments: Any, **options: Any) -> Any:
        now = is_now(*arguments)
        if now and seam.when is When.BEFORE:
            act(*arguments)
        result = await function(*arguments, **options)
        if now and seam.when is When.AFTER:
            act(*arguments)
        return result

    put(seam.place, met_in_time if inspect.iscoroutinefunction(function) else met)


def _owner(place: str) -> tuple[Any, str]:
    module, _, path = place.partition(":")
    *outer, name = path.split(".")
    try:
        owner = reduce(getattr, outer, import_module(module))
    except (ImportError, AttributeError) as gone:
        raise SeamGoneError(place) from gone
    if not hasattr(owner, name):
        raise SeamGoneError(place)
    return owner, name
