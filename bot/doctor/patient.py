"""Who is examined: where to look, and what the checks have found out so far."""

import random
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Generic, TypeVar

import attrs
import trio

from bot.core.clock import Clock
from bot.core.errors import leaves
from bot.core.tape import Tape
from bot.link.clock import VenueClock
from bot.link.http import Http
from bot.link.probe import Endpoint, Resolved
from bot.link.secrets import Redactor, Secret
from bot.link.signer import Signer
from bot.place import Place
from bot.session.capabilities import Rest, Token
from bot.session.stop import Stop
from bot.settings import Settings

T = TypeVar("T")

OpenPlace = Callable[[Settings, Stop], AbstractAsyncContextManager[Place | None]]


class NotLearnedError(Exception):
    """A check asks for what another one did not find out."""

    def __init__(self, check: str) -> None:
        self.check = check
        super().__init__(check)


class Learned(Generic[T]):
    """Something that one check finds out, and that others cannot do without."""

    def __init__(self, check: str) -> None:
        self.check = check

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, patient: "Patient", owner: type) -> T:
        """Raises `NotLearnedError`: that check was bad, or skipped."""
        try:
            found: T = patient.learned[self._name]
        except KeyError:
            raise NotLearnedError(self.check) from None
        return found

    def __set__(self, patient: "Patient", value: T) -> None:
        patient.learned[self._name] = value


@attrs.define(eq=False, kw_only=True)
class Patient:
    """One bot before its run."""

    file: Path | None
    """Its settings file; None for the usual one."""

    environ: Mapping[str, str]
    clock: Clock
    tape: Tape
    rng: random.Random
    redactor: Redactor
    stop: Stop
    open_place: OpenPlace
    nursery: trio.Nursery
    """What a check opens for others stays open in there."""

    learned: dict[str, Any] = attrs.field(factory=dict)

    settings = Learned[Settings]("settings")
    key = Learned[Secret]("key")
    state_directory = Learned[Path]("state directory")
    hashing_key = Learned[bytes | None]("hashing key")
    """None: there is none yet."""

    place = Learned[Place]("venue")
    resolved = Learned[Mapping[Endpoint, Resolved]]("dns")
    connected = Learned[Mapping[Endpoint, str]]("tcp")
    """The quickest address of each host that let us in."""

    rest_way = Learned[Endpoint]("tls")
    socket_way = Learned[Endpoint]("tls")
    http = Learned[Http]("round trip")
    rest = Learned[Rest]("round trip")
    venue_clock = Learned[VenueClock]("round trip")
    signer = Learned[Signer]("address")
    is_subkey = Learned[bool]("address")
    account = Learned[str]("account")
    token = Learned[Token]("auth")

    @property
    def is_made_for_this(self) -> bool:
        """Key, account and exchange begin and end with the examination: nothing that is done there lasts."""
        return self.settings.environment == "embedded" and not self.settings.venue.rest_url

    async def hold(self, context: AbstractAsyncContextManager[T]) -> T:
        """Open ``context``, and keep it open until the examination ends.

        Raises:
            What opening it raises, alone.
        """
        try:
            opened: T = await self.nursery.start(_hold, context)
        except ExceptionGroup as group:
            raise next(leaves(group)) from None
        return opened


async def _hold(context: AbstractAsyncContextManager[T], task_status: trio.TaskStatus[T]) -> None:
    async with context as opened:
        task_status.started(opened)
        await trio.sleep_forever()
