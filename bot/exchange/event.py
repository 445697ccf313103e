"""How rooms tell each other what happened, without knowing who listens."""

from collections.abc import Callable

import attrs


@attrs.frozen
class Event:
    """Something that happened. Each room defines its own kinds.

    An event may hold a live object, and says so: who wants to keep anything of it takes it at once.
    """


Emit = Callable[[Event], None]


class Bus:
    """Hands each event to every listener, in the order in which they began to listen. Synchronous."""

    def __init__(self) -> None:
        self._listeners: list[Emit] = []

    def listen(self, listener: Emit) -> None:
        self._listeners.append(listener)

    def emit(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)
