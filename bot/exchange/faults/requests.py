"""What can happen to a request over REST, a class for each: when, by the members of `Rule` and ``on``, and what."""

from typing import Annotated

import msgspec
import trio

from bot.exchange.errors import VenueError
from bot.exchange.faults.ask import ANY, CALLS, GROUPS, Ask
from bot.exchange.faults.garbling import GARBLES, GATEWAY_PAGE, How
from bot.exchange.faults.handling import Handling
from bot.exchange.faults.rule import Rule, Seconds
from bot.exchange.transport.http import HTML, Answer, Mishap, Then, refusal

LOOKS_BACK = frozenset({"order", "open-orders", "history", "fills", "order-reads"})
"""Reads that can be told to say what was true before."""


_HeaderText = Annotated[str, msgspec.Meta(pattern="^[!-~]([ -~]{0,98}[!-~])?$")]


class RequestRule(Rule, frozen=True, kw_only=True):
    """``on`` is one kind of request (`CALLS`), one of `GROUPS`, or `ANY`."""

    on: str

    def __post_init__(self) -> None:
        if self.on != ANY and self.on not in CALLS and self.on not in GROUPS:
            raise ValueError(f"on is none of {', '.join([*CALLS, *GROUPS, ANY])}")

    def fits(self, ask: Ask) -> bool:
        return (
            ask.is_about(self.on)
            and (self.market is None or self.market in ask.markets)
            and (self.client_id is None or self.client_id in ask.client_ids)
        )


class Swallow(RequestRule, frozen=True, kw_only=True, tag="swallow"):
    """It never reaches the exchange, and nothing is answered. After ``cut_after`` its connection is cut, if ever."""

    cut_after: Seconds | None = None

    async def play(self, _handling: Handling) -> Answer:
        return await _nothing(self.cut_after)


class Silence(RequestRule, frozen=True, kw_only=True, tag="silence"):
    """It reaches the exchange, ``late`` seconds later, and nothing is answered. The connection as in `Swallow`."""

    late: Seconds = 0.0
    cut_after: Seconds | None = None

    async def play(self, handling: Handling) -> Answer:
        handling.send_on(self.late)
        return await _nothing(self.cut_after)


class _Telling(RequestRule, frozen=True, kw_only=True):
    """Answers ``status`` ``after`` some seconds, in the venue's words if there is a ``code``, else in a gateway's."""

    status: Annotated[int, msgspec.Meta(ge=400, le=599)]
    code: str | None = None
    message: str = "refused on purpose"
    retry_after: Annotated[int, msgspec.Meta(ge=0)] | _HeaderText | None = None
    """The header of that name: seconds, or a date in HTTP's words."""

    after: Seconds = 0.0

    async def tell(self) -> Answer:
        await trio.sleep(self.after)
        headers = () if self.retry_after is None else (("retry-after", str(self.retry_after)),)
        if self.code is None:
            return Answer(self.status, GATEWAY_PAGE, headers, HTML)
        answer = refusal(VenueError(self.code, self.message, status=self.status))
        return Answer(answer.status, answer.body, (*answer.headers, *headers))


class FalseAnswer(_Telling, frozen=True, kw_only=True, tag="answer"):
    """It reaches the exchange, and the answer is not the exchange's (see `_Telling`).

    Where it reaches the exchange ``late`` seconds later, the answer does not wait for it.
    """

    late: Seconds = 0.0

    async def play(self, handling: Handling) -> Answer:
        if self.late:
            handling.send_on(self.late)
        else:
            await handling.pass_on()
        return await self.tell()


class Refuse(_Telling, frozen=True, kw_only=True, tag="refuse"):
    """It never reaches the exchange, and is answered all the same (see `_Telling`)."""

    async def play(self, _handling: Handling) -> Answer:
        return await self.tell()


class Late(RequestRule, frozen=True, kw_only=True, tag="late"):
    """It reaches the exchange ``request`` seconds later, and its answer leaves ``answer`` seconds later than that."""

    request: Seconds = 0.0
    answer: Seconds = 0.0

    async def play(self, handling: Handling) -> Answer:
        await trio.sleep(self.request)
        answer = await handling.pass_on()
        await trio.sleep(self.answer)
        return answer


class Cut(RequestRule, frozen=True, kw_only=True, tag="cut"):
    """It reaches the exchange, and the connection is cut when a ``part`` of the answer's bytes has left."""

    part: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0

    async def play(self, handling: Handling) -> Answer:
        answer = await handling.pass_on()
        return Mishap.of(answer, part=self.part, then=Then.CUT)


class Twice(RequestRule, frozen=True, kw_only=True, tag="twice"):
    """It reaches the exchange once, and its answer leaves twice."""

    async def play(self, handling: Handling) -> Answer:
        return Mishap.of(await handling.pass_on(), copies=2)


class Garble(RequestRule, frozen=True, kw_only=True, tag="garble"):
    """It reaches the exchange, and the body of the answer, if it has one, becomes something else (`GARBLES`)."""

    how: How

    async def play(self, handling: Handling) -> Answer:
        answer = await handling.pass_on()
        if not answer.body:
            return answer
        return Answer(answer.status, GARBLES[self.how](answer.body), answer.headers, answer.content_type)


class Stale(RequestRule, frozen=True, kw_only=True, tag="stale"):
    """A read of orders or fills is answered as it would have been ``seconds`` ago."""

    seconds: Seconds

    def __post_init__(self) -> None:
        if self.on not in LOOKS_BACK:
            raise ValueError(f"on is none of {', '.join(sorted(LOOKS_BACK))}")

    async def play(self, handling: Handling) -> Answer:
        handling.look_back(self.seconds)
        return await handling.pass_on()


RequestFault = Swallow | Silence | FalseAnswer | Refuse | Late | Cut | Twice | Garble | Stale


async def _nothing(cut_after: float | None) -> Mishap:
    """No answer; and the end of the connection, some time, or as soon as the client wants it."""
    if cut_after is None:
        return Mishap(0, part=0.0, then=Then.SILENCE)
    await trio.sleep(cut_after)
    return Mishap(0, part=0.0, then=Then.CUT)
