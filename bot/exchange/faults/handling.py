"""A request at the exchange's door, whichever way it came: what a fault can do with it."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import attrs

from bot.exchange.faults.garbling import How

A = TypeVar("A")


@attrs.frozen
class Words:
    """What an answer says that is not the exchange's: a refusal in HTTP's terms, and its JSON-RPC code.

    Without a ``code`` a gateway speaks, and not the venue. ``retry_after`` is HTTP's header: seconds, or a date.
    Without ``rpc`` the code follows from the others.
    """

    status: int
    code: str | None
    message: str
    retry_after: int | str | None
    rpc: int | None


class Handling(ABC, Generic[A]):
    """One request. An answer ``A`` is whatever its transport sends, mishaps of the sending included."""

    @abstractmethod
    async def wait(self, seconds: float) -> None:
        """Let time pass. Other messages of a socket do not wait for that."""

    @abstractmethod
    async def pass_on(self) -> A:
        """Let it reach the exchange, and wait for the answer."""

    @abstractmethod
    def send_on(self, late: float) -> None:
        """Let it reach the exchange so many seconds from now, whatever its connection comes to. No answer."""

    @abstractmethod
    def look_back(self, seconds: float) -> None:
        """Have it answered as it would have been so many seconds ago, as far as it reads orders and fills."""

    @abstractmethod
    async def say_nothing(self, cut_after: float | None) -> A:
        """No answer; and after so many seconds the end of the connection, or no end that is ours."""

    @abstractmethod
    def refuse(self, words: Words) -> A:
        """An answer that is not the exchange's."""

    @abstractmethod
    def tear(self, answer: A, part: float) -> A:
        """This part of the answer's bytes, and then the end of the connection."""

    @abstractmethod
    def repeat(self, answer: A) -> A:
        """The answer twice."""

    @abstractmethod
    def garble(self, answer: A, how: How) -> A:
        """Something else instead of the answer, by a word of `garbling`."""
