"""The HTTP side of a replay: each request is made again and compared, each answer is decoded again and kept."""

from bisect import bisect_right
from collections.abc import Callable
from contextlib import suppress
from operator import itemgetter
from typing import Any

import attrs

from bot.core.errors import RequestError, UnknownOutcomeError, retold
from bot.core.tape import HIDDEN, Kind, restored
from bot.core.wire import Wire
from bot.journal.record import Record
from bot.link import answer as link
from bot.link import http
from bot.link.clock import VenueClock
from bot.link.pool import Lane
from bot.paradex import rpc
from bot.paradex.answers import (
    FillPage,
    MarketsAnswer,
    OrderPage,
    OrdersAnswer,
    PositionsAnswer,
    SystemConfig,
    SystemState,
    SystemTime,
)
from bot.paradex.calls import Call
from bot.paradex.request import Request
from bot.replay.steps import shapes
from bot.replay.steps.comparison import ComparingTape
from bot.replay.steps.course import RecordedClock
from bot.replay.steps.errands import SECRET, Errand, Errands, Exchange
from bot.replay.steps.hashes import Hashing, Key, Signing
from bot.replay.steps.report import Divergence
from bot.replay.steps.shapes import shaped, unusable
from bot.replay.steps.unprompted import unprompted
from bot.session.login import measure
from bot.trading.step.ledger import Ledger

CLOCK_TOLERANCE_MS = 100
"""Between the venue's time as it is reckoned here and as it was: there the scheduler came in between."""


@attrs.define(eq=False, kw_only=True)
class Traffic:
    """Requests and answers, and what login and keep-warm learn from them."""

    tape: ComparingTape
    differ: Callable[[Divergence], None]
    misfit: Callable[[Record, str], None]
    errands: Errands
    clock: RecordedClock
    venue_clock: VenueClock
    key: Key | None
    shows_account: bool
    """The session holds our account, and no hash of it."""

    hashing: Hashing
    markets: MarketsAnswer | None = None
    under_way: dict[int, Exchange] = attrs.field(factory=dict)
    untold: dict[int, Exchange] = attrs.field(factory=dict)
    """Answers of which the order manager has not been told what they brought: parts of snapshots, modes."""

    _reckoned: list[tuple[int, int]] = attrs.field(factory=list, init=False)
    """Since when the venue's clock was so many ms ahead of the session's."""

    asked: int = 0
    """How many requests there were."""

    _awaits_wire: bool = attrs.field(default=False, init=False)
    """An answer about orders was the last record, and what the connection tells of it has to be the next."""

    _has_wires: bool | None = attrs.field(default=None, init=False)
    """Sessions of older programs have none; None as long as nothing tells."""

    def venue_ms(self, ns: int | None = None) -> int:
        """The venue's time now, or at another moment of the session as it was reckoned then."""
        if ns is None:
            return self.venue_clock.now_ms()
        place = bisect_right(self._reckoned, ns, key=itemgetter(0))
        ahead_ms = self._reckoned[place - 1][1] if place else self._ahead_ms()
        return ahead_ms + ns // 1_000_000

    def _ahead_ms(self) -> int:
        """How much the venue's clock is ahead of the session's, by what is known now."""
        return self.venue_clock.now_ms() - self.clock.ns // 1_000_000

    def request(self, record: Record, ledger: Ledger | None) -> None:
        asked = shaped(record, shapes.Request)
        self._count(record, asked.x)
        errand = self.errands.by_record.get(asked.of) if asked.of else None
        request, lane = self._made_again(asked, errand, ledger)
        if request is None:
            self.misfit(record, "a request that the bot has no cause for")
            return
        self.tape.compare(Kind.REQUEST, http.told(asked.x, lane, request))
        exchange = Exchange(asked.x, record.number, record.ns, request, is_of_orders=lane is Lane.ORDERS)
        self.under_way[asked.x] = exchange
        if errand is not None:
            errand.exchanges.append(exchange)

    def call(self, record: Record) -> tuple[int, Exchange] | None:
        """A call over the WebSocket; its id there, and what becomes of it. None if it is none of the bot's."""
        asked = shaped(record, shapes.Call)
        self._count(record, asked.x)
        errand = self.errands.by_record.get(asked.of)
        call = None if errand is None else errand.next_call()
        if errand is None or call is None:
            self.misfit(record, "a call that the bot has no cause for")
            return None
        request_id = rpc.id_of(asked.frame)
        again = {"x": asked.x, "of": asked.of, "frame": call.frame(request_id)}
        self.tape.compare(Kind.FRAME_OUT, again, generation=record.generation)
        exchange = self.under_way[asked.x] = Exchange(asked.x, record.number, record.ns, call, reused=True)
        errand.exchanges.append(exchange)
        return request_id, exchange

    def reply(self, exchange: Exchange, reply: rpc.Reply, ns: int) -> bool:
        """Take the reply to a call; False if nobody waits for it any more."""
        if self.under_way.pop(exchange.x, None) is None:
            return False
        assert isinstance(exchange.request, Call)
        exchange.is_answered, exchange.elapsed_ns = True, ns - exchange.ns
        try:
            exchange.result = exchange.request.read(reply)
        except RequestError as failure:
            exchange.result = failure
        return True

    def _count(self, record: Record, x: int) -> None:
        self.asked += 1
        if x != self.asked:
            what = "requests are missing before it, or it is out of place; its x"
            self.differ(Divergence(record.number, record.ns, record.kind, what, self.asked, x))

    def _made_again(
        self, asked: shapes.Request, errand: Errand | None, ledger: Ledger | None
    ) -> tuple[Request[Any] | None, Lane]:
        if errand is not None:
            return errand.next_request(), errand.lane
        if asked.of:
            return None, Lane.HOUSEKEEPING
        signer = self.hashing.signer if isinstance(self.hashing, Signing) and self.shows_account else None
        lane = Lane.ORDERS if asked.method == "DELETE" else Lane.HOUSEKEEPING
        return unprompted(asked, [] if ledger is None else ledger.live(), signer), lane

    def answer(self, record: Record) -> None:
        answer = shaped(record, shapes.Answer)
        exchange = self.under_way.pop(answer.x, None)
        if exchange is None:
            self.misfit(record, "the answer to no request")
            return
        assert isinstance(exchange.request, Request)
        exchange.reused, exchange.elapsed_ns, exchange.is_answered = answer.reused, answer.elapsed_ns, True
        self._awaits_wire = exchange.is_of_orders
        if exchange.request.secret_answer:
            if answer.body != HIDDEN:
                self.misfit(record, "an answer that the bot does not write down")
            exchange.result = SECRET
            return
        try:
            body = restored(answer.body)
        except ValueError as error:
            raise unusable(record, error) from error
        try:
            exchange.result = exchange.request.read(
                answer.status, body if isinstance(body, bytes) else body.encode()
            )
        except RequestError as failure:
            exchange.result = failure
        if not exchange.request.cause:
            self._learn(record, exchange)

    def _learn(self, record: Record, exchange: Exchange) -> None:
        match exchange.result:
            case SystemTime() as time:
                answer = link.Answer(value=time, reused=exchange.reused, elapsed_ns=exchange.elapsed_ns)
                with suppress(UnknownOutcomeError):  # no time in it: the clock stays as it is
                    measure(self.venue_clock, answer)
                    self._reckoned.append((self.clock.ns, self._ahead_ms()))
            case SystemConfig() as config if self.key is not None:
                try:
                    self.hashing = self.key.open(config, shows_account=self.shows_account)
                except ValueError as error:
                    raise unusable(record, f"no signer for this key and this venue: {error}") from error
            case MarketsAnswer() as markets:
                self.markets = markets
            case OrdersAnswer() | OrderPage() | FillPage() | PositionsAnswer() | SystemState():
                self.untold[exchange.x] = exchange

    def take_snapshot(self, numbers: list[Any]) -> list[list[Exchange]] | None:
        """The answers of a snapshot, of each of its parts; None if they do not make one."""
        try:
            parts = [[self.untold.pop(number) for number in part] for part in numbers]
            kinds = [{type(each.result) for each in part} for part in parts]
        except (KeyError, TypeError):
            return None
        return parts if kinds == [{OrdersAnswer}, {OrderPage}, {FillPage}, {PositionsAnswer}] else None

    def failure(self, record: Record) -> None:
        failed = shaped(record, shapes.Failure)
        exchange = self.under_way.pop(failed.x, None)
        if exchange is None:
            self.misfit(record, "the failure of no request")
        elif failed.failure == "cancelled":
            exchange.is_cut = True
        else:
            exchange.result = failure_of(record)

    def wire(self, record: Record) -> None:
        """What a connection tells decides nothing."""
        x = shaped(record, Wire).x
        if self._has_wires is False or not 0 < x <= self.asked or x in self.under_way:
            self.misfit(record, "what a connection tells of no request that ended, or others are missing")
        self._has_wires = True

    def turn_to(self, record: Record) -> None:
        """``record`` is the next one, whatever it is about."""
        if self._awaits_wire and record.kind is not Kind.WIRE:
            if self._has_wires:
                self.misfit(record, "what the connection tells of the answer before it is missing")
            self._has_wires = False
        self._awaits_wire = False


def failure_of(record: Record) -> RequestError:
    """The failure that an outcome, or a request without an answer, tells."""
    try:
        return retold(record.data)
    except (KeyError, ValueError) as error:
        raise unusable(record, f"no failure that is known here: {error}") from error
