"""HTTP/1.1 over any trio stream, with h11: requests in, answers out, and nothing a client sends ends the server."""

from collections.abc import Awaitable, Callable
from email.utils import formatdate
from enum import Enum
from functools import lru_cache
from http.client import responses
from typing import Self
from urllib.parse import parse_qsl, unquote

import attrs
import h11
import msgspec
import trio

from bot.core.clock import Clock
from bot.exchange.errors import UNREADABLE, VenueError
from bot.exchange.limits import HTTP_CLOSE, HTTP_IDLE, HTTP_LARGEST_BODY, HTTP_LARGEST_HEAD
from bot.exchange.peer import LOOPBACK

_CHUNK = 64 * 1024

JSON = "application/json; charset=utf-8"
HTML = "text/html"


@attrs.define
class Visit:
    """What is found out about a request on its way: whose it is, and headers that its answer gets, refused or not.

    ``as_of_ms`` is the time whose orders and fills it shall see, where that is not now: a fault (`faults/`).
    """

    account: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    as_of_ms: int | None = None


@attrs.frozen
class Request:
    """A complete request. ``segments`` are the decoded parts of the path; header names are lower case.

    ``peer`` is the IP address it came from. ``params`` and ``received_ms`` are added on the way to the handler.
    """

    method: str
    segments: tuple[str, ...]
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    peer: str = LOOPBACK
    params: dict[str, str] = attrs.field(factory=dict)
    received_ms: int = 0
    visit: Visit = attrs.field(factory=Visit, eq=False)

    def routed(self, params: dict[str, str], received_ms: int) -> "Request":
        """The same request on its way to a handler. Written out: each request passes here, and evolve is slow."""
        return Request(
            method=self.method,
            segments=self.segments,
            query=self.query,
            headers=self.headers,
            body=self.body,
            peer=self.peer,
            params=params,
            received_ms=received_ms,
            visit=self.visit,
        )


@attrs.frozen
class Answer:
    """A complete answer; an empty body is sent without a content type."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = JSON

    @property
    def told(self) -> int | None:
        """The status, if all of it leaves."""
        return self.status


class Then(Enum):
    """What becomes of the connection."""

    NEXT = "the next request is served"
    CUT = "it is cut"
    SILENCE = "it stays open, and nothing more is said"


@attrs.frozen
class Mishap(Answer):
    """An answer that leaves in part, not at all, or more than once."""

    part: float = 1.0
    copies: int = 1
    then: Then = Then.NEXT

    @property
    def told(self) -> int | None:
        return self.status if self.part == 1 else None

    @classmethod
    def of(cls, answer: Answer, *, part: float = 1.0, copies: int = 1, then: Then = Then.NEXT) -> Self:
        """What happens to this answer."""
        return cls(answer.status, answer.body, answer.headers, answer.content_type, part, copies, then)


def json_answer(value: object, status: int = 200) -> Answer:
    """An answer whose body is JSON."""
    return Answer(status, msgspec.json.encode(value))


def refusal(error: VenueError) -> Answer:
    """An error in the venue's form."""
    headers = (("allow", ", ".join(error.data["allow"])),) if error.status == 405 and error.data else ()
    return Answer(error.status, msgspec.json.encode(error.body()), (*headers, *error.headers))


class _Refusal(msgspec.Struct):
    error: str


_REFUSAL = msgspec.json.Decoder(_Refusal)


def code_of(answer: Answer) -> str | None:
    """The code of a refusal in the venue's form; None of every other answer."""
    if answer.status < 400:
        return None
    try:
        return _REFUSAL.decode(answer.body).error
    except UNREADABLE:
        return None


Handler = Callable[[Request], Awaitable[Answer]]


@lru_cache(maxsize=1)
def _date(seconds: int) -> str:
    """The time of an answer in HTTP's words; those of the same second share it."""
    return formatdate(seconds, usegmt=True)


def split_target(target: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """The decoded path segments and the query of a request target. The last of a repeated parameter counts.

    The absolute form, which proxies are sent, is served too (RFC 9112, 3.2.2); whose host it names does not matter.
    """
    path, _, query = target.partition("?")
    if not path.startswith("/"):
        path = "/" + path.partition("://")[2].partition("/")[2]
    segments = tuple(unquote(part) for part in path.split("/")[1:])
    return segments, dict(parse_qsl(query, keep_blank_values=True))


class HttpConnection:
    """One connection: keep-alive, a limit on heads and bodies, and closed when idle for `HTTP_IDLE`."""

    def __init__(self, stream: trio.abc.Stream, clock: Clock, peer: str = LOOPBACK) -> None:
        self._stream = stream
        self._clock = clock
        self._peer = peer
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=HTTP_LARGEST_HEAD)
        self._is_head = False

    async def serve(self, handler: Handler) -> None:
        """Answer requests until the client leaves, idles, or stops speaking HTTP.

        Raises:
            trio.BrokenResourceError: the connection died.
        """
        while True:
            try:
                request = await self._next_request()
            except h11.RemoteProtocolError as error:
                await self._give_up(error.error_status_hint, str(error))
                return
            except VenueError as error:
                await self._give_up(error.status, error.message)
                return
            if request is None:
                return
            answer = await handler(request)
            if isinstance(answer, Mishap):
                await self._send_badly(answer)
                if answer.then is not Then.NEXT:
                    return
            else:
                await self._send(answer)
            if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
                return
            self._h11.start_next_cycle()

    async def read_head(self) -> h11.Request | None:
        """The head of the first request, for a protocol that upgrades; None when the client left or idled.

        Raises:
            h11.RemoteProtocolError: not HTTP.
        """
        event = await self._next_event()
        return event if isinstance(event, h11.Request) else None

    def unread(self) -> bytes:
        """Bytes that came after the head."""
        return self._h11.trailing_data[0]

    async def answer_last(self, answer: Answer) -> None:
        """Answer, and promise to close."""
        await self._send(attrs.evolve(answer, headers=(*answer.headers, ("connection", "close"))))

    async def _give_up(self, status: int, message: str) -> None:
        """Say what was wrong and read on for a moment: closing over unread bytes would reset the answer away."""
        if self._h11.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            with trio.move_on_after(HTTP_CLOSE):
                await self.answer_last(refusal(VenueError("BINDING_ERROR", message, status=status)))
                while await self._stream.receive_some(_CHUNK):
                    pass

    async def _next_request(self) -> Request | None:
        head = await self._next_event()
        if not isinstance(head, h11.Request):
            return None
        self._is_head = head.method == b"HEAD"
        body = bytearray()
        while True:
            event = await self._next_event()
            if isinstance(event, h11.Data):
                body += event.data
                if len(body) > HTTP_LARGEST_BODY:
                    raise VenueError("BINDING_ERROR", "body too large", status=413)
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return None
        segments, query = split_target(head.target.decode("latin-1"))
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        return Request(head.method.decode("latin-1"), segments, query, headers, bytes(body), self._peer)

    async def _next_event(self) -> h11.Event | None:
        """The next event of the client; None when it closed, or sent nothing for too long."""
        while True:
            event = self._h11.next_event()
            if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return None
            if event is not h11.NEED_DATA:
                return event  # type: ignore[return-value]  # h11's sentinels are events to its stubs
            if self._h11.they_are_waiting_for_100_continue:
                await self._write(h11.InformationalResponse(status_code=100, headers=[]))
            data = await self._receive()
            if data is None:
                return None
            self._h11.receive_data(data)

    async def _receive(self) -> bytes | None:
        """Bytes of the client, none at its end; None when it sends nothing for too long."""
        with trio.move_on_after(HTTP_IDLE):
            return bytes(await self._stream.receive_some(_CHUNK))
        return None

    async def _send(self, answer: Answer) -> None:
        await self._stream.send_all(self._written(answer))

    async def _send_badly(self, mishap: Mishap) -> None:
        if mishap.part:
            data = self._written(mishap)
            await self._stream.send_all(data[: int(mishap.part * len(data))] * mishap.copies)
        if mishap.then is Then.SILENCE:
            while await self._receive():
                pass

    def _written(self, answer: Answer) -> bytes:
        """An answer as it leaves."""
        headers = [("date", _date(self._clock.wall_ns() // 1_000_000_000)), *answer.headers]
        if answer.body:
            headers.append(("content-type", answer.content_type))
        if answer.status != 204:
            headers.append(("content-length", str(len(answer.body))))
        reason = responses.get(answer.status, "")
        parts = [
            self._h11.send(h11.Response(status_code=answer.status, headers=headers, reason=reason)) or b""
        ]
        if answer.body and not self._is_head:
            parts.append(self._h11.send(h11.Data(data=answer.body)) or b"")
        parts.append(self._h11.send(h11.EndOfMessage()) or b"")
        return b"".join(parts)

    async def _write(self, event: h11.InformationalResponse) -> None:
        await self._stream.send_all(self._h11.send(event) or b"")
