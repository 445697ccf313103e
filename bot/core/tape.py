"""Who writes down what passes between the bot and the venue."""

from typing import Protocol


class Tape(Protocol):
    """Takes each message as it passes. ``kind`` is ``http>``, ``http<``, ``ws>`` or ``ws<``."""

    def __call__(self, kind: str, message: str) -> None: ...


def no_tape(kind: str, message: str) -> None:
    """Write nothing down."""
