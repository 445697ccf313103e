"""What can happen to a request, a class for each: when, by the members of `Rule` and `RequestRule`, and what."""

from typing import Annotated

import msgspec

from bot.exchange.faults.ask import ANY, CALLS, GROUPS, Ask, Way
from bot.exchange.faults.garbling import FRAMES_ONLY, How
from bot.exchange.faults.handling import A, Handling, Words
from bot.exchange.faults.rule import Rule, Seconds

LOOKS_BACK = frozenset({"order", "open-orders", "history", "fills", "order-reads"})
"""Reads that can be told to say what was true before."""


_HeaderText = Annotated[str, msgspec.Meta(pattern="^[!-~]([ -~]{0,98}[!-~])?$")]


class RequestRule(Rule, frozen=True, kw_only=True):
    """``on`` is one kind of request (`CALLS`), one of `GROUPS`, or `ANY`; ``over`` is the way it comes, or either."""

    on: str
    over: Way | None = None

    def __post_init__(self) -> None:
        if self.on != ANY and self.on not in CALLS and self.on not in GROUPS:
            raise ValueError(f"on is none of {', '.join([*CALLS, *GROUPS, ANY])}")

    def fits(self, ask: Ask) -> bool:
        return (
            ask.is_about(self.on)
            and self.over in {None, ask.over}
            and (self.market is None or self.market in ask.markets)
            and (self.client_id is None or self.client_id in ask.client_ids)
        )


class Swallow(RequestRule, frozen=True, kw_only=True, tag="swallow"):
    """It never reaches the exchange, and nothing is answered. After ``cut_after`` its connection is cut, if ever."""

    cut_after: Seconds | None = None

    async def play(self, handling: Handling[A]) -> A:
        return await handling.say_nothing(self.cut_after)


class Silence(RequestRule, frozen=True, kw_only=True, tag="silence"):
    """It reaches the exchange, ``late`` seconds later, and nothing is answered. The connection as in `Swallow`."""

    late: Seconds = 0.0
    cut_after: Seconds | None = None

    async def play(self, handling: Handling[A]) -> A:
        handling.send_on(self.late)
        return await handling.say_nothing(self.cut_after)


class _Telling(RequestRule, frozen=True, kw_only=True):
    """Answers ``status`` ``after`` some seconds, in the venue's words if there is a ``code``, else in a gateway's.

    Over a WebSocket it is the error ``rpc``, or what the venue has there for such a status and code.
    """

    status: Annotated[int, msgspec.Meta(ge=400, le=599)]
    code: str | None = None
    message: str = "refused on purpose"
    retry_after: Annotated[int, msgspec.Meta(ge=0)] | _HeaderText | None = None
    """The header of that name: seconds, or a date in HTTP's words."""

    rpc: int | None = None
    after: Seconds = 0.0

    async def tell(self, handling: Handling[A]) -> A:
        await handling.wait(self.after)
        return handling.refuse(Words(self.status, self.code, self.message, self.retry_after, self.rpc))


class FalseAnswer(_Telling, frozen=True, kw_only=True, tag="answer"):
    """It reaches the exchange, and the answer is not the exchange's (see `_Telling`).

    Where it reaches the exchange ``late`` seconds later, the answer does not wait for it.
    """

    late: Seconds = 0.0

    async def play(self, handling: Handling[A]) -> A:
        if self.late:
            handling.send_on(self.late)
        else:
            await handling.pass_on()
        return await self.tell(handling)


class Refuse(_Telling, frozen=True, kw_only=True, tag="refuse"):
    """It never reaches the exchange, and is answered all the same (see `_Telling`)."""

    async def play(self, handling: Handling[A]) -> A:
        return await self.tell(handling)


class Late(RequestRule, frozen=True, kw_only=True, tag="late"):
    """It reaches the exchange ``request`` seconds later, and its answer leaves ``answer`` seconds later than that."""

    request: Seconds = 0.0
    answer: Seconds = 0.0

    async def play(self, handling: Handling[A]) -> A:
        await handling.wait(self.request)
        answer = await handling.pass_on()
        await handling.wait(self.answer)
        return answer


class Cut(RequestRule, frozen=True, kw_only=True, tag="cut"):
    """It reaches the exchange, and the connection is cut when a ``part`` of the answer's bytes has left."""

    part: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0

    async def play(self, handling: Handling[A]) -> A:
        return handling.tear(await handling.pass_on(), self.part)


class Twice(RequestRule, frozen=True, kw_only=True, tag="twice"):
    """It reaches the exchange once, and its answer leaves twice."""

    async def play(self, handling: Handling[A]) -> A:
        return handling.repeat(await handling.pass_on())


class Garble(RequestRule, frozen=True, kw_only=True, tag="garble"):
    """It reaches the exchange, and the answer becomes something else, as ``how`` says (`garbling`)."""

    how: How

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.how in FRAMES_ONLY and self.over != "ws":
            raise ValueError(f"{self.how} is for what comes over ws only")

    async def play(self, handling: Handling[A]) -> A:
        return handling.garble(await handling.pass_on(), self.how)


class Stale(RequestRule, frozen=True, kw_only=True, tag="stale"):
    """A read of orders or fills is answered as it would have been ``seconds`` ago. There are such over REST only."""

    seconds: Seconds

    def __post_init__(self) -> None:
        if self.on not in LOOKS_BACK or self.over == "ws":
            raise ValueError(f"on is none of {', '.join(sorted(LOOKS_BACK))}, or over is not rest")

    async def play(self, handling: Handling[A]) -> A:
        handling.look_back(self.seconds)
        return await handling.pass_on()


RequestFault = Swallow | Silence | FalseAnswer | Refuse | Late | Cut | Twice | Garble | Stale
