"""Bugs that would break the promise, to be put in on purpose: the campaign has to find each."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

BUGS: Mapping[str, Callable[[], AbstractContextManager[None]]] = {}
"""By name."""
