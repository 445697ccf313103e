"""What the connection's life hands over: who holds one of these may act with it, and nobody else can.

All are made by ``open_*`` functions, here and in `bot.session.stream`, and die with their scope.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

import attrs
import trio

from bot.core.capability import Capability
from bot.core.errors import NotSentError, RefusedError, SessionGoneError
from bot.link.answer import Answer, Permit, always
from bot.link.http import Http, HttpCounters, Reservation
from bot.link.pool import Lane
from bot.paradex.answers import SystemTime
from bot.paradex.calls import Call
from bot.paradex.request import Request
from bot.session.entry import OrderEntry, Parcel

T = TypeVar("T")


class Rest(metaclass=Capability):
    """Requests that need no account. Login holds it."""

    def __init__(self, http: Http) -> None:
        self._http = http

    @property
    def counters(self) -> HttpCounters:
        return self._http.counters

    async def call(self, request: Request[T], *, gives_way: bool = False) -> Answer[T]:
        """Send ``request`` in the housekeeping lane, or with ``gives_way`` when nobody else wants to.

        Raises what `Reservation.send` does.
        """
        async with self._http.reserve(Lane.HOUSEKEEPING, gives_way=gives_way) as reservation:
            return await reservation.send(request)

    async def warm_up(self, request: Request[SystemTime]) -> list[Answer[SystemTime]]:
        """Open every connection that is closed, by sending ``request`` over it."""
        return await self._http.warm_up(request)

    async def connection_needs_warming(self) -> None:
        await self._http.connection_needs_warming()

    def distrust_connections(self) -> None:
        """See `Http.distrust_connections`."""
        self._http.distrust_connections()

    def next_restriction(self) -> trio.Event:
        """See `Http.next_restriction`."""
        return self._http.next_restriction()


def open_rest(http: Http) -> Rest:
    return Rest._mint(http)  # noqa: SLF001 - the minting module


@attrs.frozen
class Token:
    """What the venue gave for a signature. ``expires_at`` in trio time."""

    text: str = attrs.field(repr=False)
    expires_at: float
    lifetime: float
    """Seconds from when it was given."""


class AuthedRest(metaclass=Capability):
    """Requests in the account's name. It outlives every generation of the WebSocket.

    Executor and reconciler hold it; login, which renews its token, holds the `TokenKeeper` beside it.
    """

    def __init__(self, http: Http, keeper: "TokenKeeper") -> None:
        self._http = http
        self._keeper = keeper

    @property
    def token(self) -> Token:
        return self._keeper.token

    def token_refused(self, token: Token) -> None:
        """Somebody else, such as the WebSocket, heard that ``token`` is no good: have another made."""
        self._keeper.refused(token)

    async def call(self, request: Request[T]) -> Answer[T]:
        """Send ``request`` in the housekeeping lane. Raises what `AuthedReservation.send` does."""
        async with self._http.reserve(Lane.HOUSEKEEPING) as reservation:
            return await AuthedReservation(reservation, self._keeper).send(request)

    @asynccontextmanager
    async def reserve_order_lane(self) -> AsyncIterator["AuthedReservation"]:
        """Wait for a turn among the orders, and hold the freshest connection."""
        async with self._http.reserve(Lane.ORDERS) as reservation:
            yield AuthedReservation(reservation, self._keeper)


@attrs.frozen
class AuthedReservation:
    """A turn in a lane, in the account's name."""

    _reservation: Reservation
    _keeper: "TokenKeeper"

    async def send(self, request: Request[T], permit: Permit = always) -> Answer[T]:
        """Send ``request`` once, with the current token.

        Raises:
            NotSentError, RefusedError, UnknownOutcomeError: as `Reservation.send`; an expired token is not
                tried, and a 401 has the token renewed at once.
        """
        token = self._keeper.token
        if trio.current_time() >= token.expires_at:
            raise NotSentError("the token has expired, and its renewal has not succeeded yet")
        try:
            return await self._reservation.send(request, permit, bearer=token.text)
        except RefusedError as refused:
            if refused.status == 401:
                self._keeper.refused(token)
            raise


class TokenKeeper:
    """Holds the current token for every `AuthedRest`, and wakes whoever renews it. Login owns it."""

    def __init__(self, token: Token) -> None:
        self.token = token
        self._refused = trio.Event()

    def renewed(self, token: Token) -> None:
        self.token = token
        self._refused = trio.Event()

    def refused(self, token: Token) -> None:
        """The venue no longer takes ``token``: have another made, unless that happened already."""
        if token is self.token:
            self._refused.set()

    async def wait_refused(self) -> None:
        await self._refused.wait()


def open_authed_rest(http: Http, keeper: TokenKeeper) -> AuthedRest:
    return AuthedRest._mint(http, keeper)  # noqa: SLF001 - the minting module


class Session(metaclass=Capability):
    """The permit for new orders: a generation of the WebSocket that is subscribed and reconciled."""

    def __init__(self, generation: int, entry: OrderEntry | None = None) -> None:
        self.generation = generation
        self._entry = entry
        self._alive = True

    def check(self) -> None:
        """Raise `SessionGoneError` once the generation has died."""
        if not self._alive:
            raise SessionGoneError(f"session {self.generation} is gone")

    @property
    def is_alive(self) -> bool:
        return self._alive

    async def send(self, call: Call[T], permit: Permit = always) -> Answer[T]:
        """Send ``call`` once, over the WebSocket of this generation; as `bot.session.entry.OrderEntry.send`.

        Raises:
            NotSentError: there is no such WebSocket (any more), too.
        """
        return await self._way().send(call, permit)

    def leave(self, call: Call[T], permit: Permit) -> Parcel[T]:
        """Send ``call`` at this moment, if the system has room for it; as `bot.session.entry.OrderEntry.leave`.

        Raises:
            NotSentError: there is no such WebSocket (any more), too.
        """
        return self._way().leave(call, permit)

    def _way(self) -> OrderEntry:
        if self._entry is None or not self._alive:
            raise NotSentError(f"session {self.generation} has no WebSocket that takes orders")
        return self._entry

    def _die(self) -> None:
        self._alive = False


@contextmanager
def open_session(generation: int, entry: OrderEntry | None = None) -> Iterator[Session]:
    """Make the permit; it is void when the block ends, however it ends. ``entry``: to send over its WebSocket."""
    session = Session._mint(generation, entry)  # noqa: SLF001 - the minting module
    try:
        yield session
    finally:
        session._die()  # noqa: SLF001 - the minting module
