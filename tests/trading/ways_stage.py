"""One venue behind two ways: what it answers is bytes over REST, and a reply over the WebSocket."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import attrs
import trio
from trading_stage import SYMBOL

from bot.core.budget import Spent
from bot.core.errors import NotSentError, RequestError
from bot.link.answer import Answer, Permit, always
from bot.paradex import rpc
from bot.paradex.calls import Call
from bot.paradex.request import Request
from bot.session.capabilities import Session
from bot.session.entry import OrderEntry, Parcel

T = TypeVar("T")

Reply = dict[str, Any] | RequestError
"""The members of a reply beside its id; or how the call ended without one."""

Reaction = Callable[[Call[Any]], Awaitable[Reply]]


@attrs.define(eq=False)
class FakeEntry(OrderEntry):
    """Order entry to a venue that is a function."""

    reaction: Reaction
    calls: list[Call[Any]] = attrs.field(factory=list)
    waits: float = 0.0
    """Seconds that each call waits for room."""

    async def send(self, call: Call[T], permit: Permit = always) -> Answer[T]:
        return await self.leave(call, permit).answer()

    def leave(self, call: Call[T], permit: Permit) -> "FakeParcel[T]":
        parcel = FakeParcel(entry=self, call=call, permit=permit, spent=Spent(()))
        if not self.waits:
            parcel.go()
        return parcel


@attrs.define(eq=False, kw_only=True)
class FakeParcel(Parcel[T]):
    """One call to such a venue."""

    entry: FakeEntry
    refusal: NotSentError | None = None

    def go(self) -> None:
        try:
            self.permit()
        except NotSentError as refusal:
            self.refusal = refusal
        else:
            self.entry.calls.append(self.call)
            self.exchange = len(self.entry.calls)

    async def answer(self) -> Answer[T]:
        if self.entry.waits:
            await trio.sleep(self.entry.waits)
            self.go()
        if self.refusal is not None:
            raise self.refusal
        reply = await self.entry.reaction(self.call)
        if isinstance(reply, RequestError):
            raise reply
        message = rpc.read(json.dumps({"jsonrpc": "2.0", "id": self.exchange, **reply}))
        assert isinstance(message, rpc.Reply)
        return Answer(value=self.call.read(message), reused=True, elapsed_ns=50, exchange=self.exchange)


def entry_to(*replies: Reply) -> FakeEntry:
    """To a venue that gives these replies, one after the other, the last again and again."""
    left = list(replies)

    async def react(_call: Call[Any]) -> Reply:
        await trio.lowlevel.checkpoint()
        return left.pop(0) if len(left) > 1 else left[0]

    return new_entry(react)


def new_entry(reaction: Reaction) -> FakeEntry:
    entry: FakeEntry = object.__new__(FakeEntry)
    entry.reaction, entry.calls, entry.waits = reaction, [], 0.0
    return entry


def session_over(entry: FakeEntry) -> Session:
    """One that takes calls, and stays."""
    return Session._mint(1, entry)


def answered(status: int, body: object) -> Callable[[Request[Any]], Awaitable[object]]:
    """A venue over REST that answers like this."""

    async def venue(request: Request[Any]) -> object:
        await trio.lowlevel.checkpoint()
        return request.read(status, body if isinstance(body, bytes) else json.dumps(body).encode())

    return venue


async def unused(request: Request[Any]) -> object:
    """A venue over REST that nobody should ask."""
    await trio.lowlevel.checkpoint()
    raise AssertionError(f"over REST: {request.method} {request.path}")


def refusal(code: str) -> dict[str, Any]:
    """The body of a refusal over REST."""
    return {"error": code, "message": "words"}


def error(code: int, message: str = "words", data: str | None = None) -> Reply:
    return {"error": {"code": code, "message": message, "data": data}}


def told(client_id: str) -> dict[str, Any]:
    """An order, as either way tells of it; ``run-1`` has the id 1000."""
    venue_id = f"{client_id.removeprefix('run-')}000"
    return {"id": venue_id, "market": SYMBOL, "status": "NEW", "client_id": client_id}
