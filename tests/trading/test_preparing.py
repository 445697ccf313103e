"""Signatures made ahead, by either way: when they are made, what leaves with them, and that none leaves too late."""

import math
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from executor_stage import SIGNER, answering, open_stage
from executor_stage import Stage as ExecutorStage
from trading_stage import RECV_WINDOW_MS, make_order, report
from ways_stage import FakeEntry, entry_to, session_over, told, unused

from bot.core.errors import NotSentError, UnknownOutcomeError
from bot.core.tape import HIDDEN, Kind
from bot.link.signer import Signature, UnsignableError
from bot.paradex import calls, orders
from bot.paradex.orders import SignedOrder
from bot.paradex.snip12 import OrderTerms
from bot.session.capabilities import Session, open_session
from bot.trading import effects as fx
from bot.trading import preparing
from bot.trading.requests import REST, WS, Sent, terms

ORDER, OTHER = make_order("run-1"), make_order("run-2")
BEHIND_MS = 7
"""So much our clock is behind the venue's in `open_stage`."""

WINDOW_NS = RECV_WINDOW_MS * 1_000_000
NO_WAY = UnknownOutcomeError("ReadError")


@attrs.define
class Hand:
    """Signs, and notes when."""

    stage: "list[Stage]" = attrs.field(factory=list)
    signed: list[OrderTerms] = attrs.field(factory=list)
    happened: list[str] = attrs.field(factory=list)
    failure: Exception | None = None
    takes: float = 0.0
    """Seconds."""

    def sign_order(self, order_terms: OrderTerms) -> Signature:
        self.signed.append(order_terms)
        self.happened.append("sign")
        self.stage[0].clock.pass_seconds(self.takes)
        if self.failure is not None:
            raise self.failure
        return SIGNER.sign_order(order_terms)


@attrs.define
class Stage:
    """An executor whose orders go one way."""

    via: str
    inner: ExecutorStage
    entry: FakeEntry
    hand: Hand
    session: Session

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @property
    def sent(self) -> list[Sent]:
        return [*self.inner.http.requests, *self.entry.calls]

    def waits(self, seconds: float) -> None:
        """What is sent waits for so long, for a connection or for the writer."""
        self.inner.http.opening = self.entry.waits = seconds

    async def prepare(self, *prepared: Any) -> list[Any]:
        """What is reported of having these orders signed ahead."""
        for order in prepared or (ORDER,):
            self.inner.executor.carry_out(fx.PrepareOrder(order), 16)
        await settled()
        return self.inner.reported()

    async def place(self, order: Any = ORDER) -> list[Any]:
        return await self.inner.result(fx.PlaceOrder(order, self.session, is_prepared=True))


async def settled() -> None:
    """A signature waits until nothing else is ready to run, and so does this."""
    for _ in range(10):
        await trio.testing.wait_all_tasks_blocked()


@asynccontextmanager
async def stage_of(via: str, venue: Any = None, session: Session | None = None) -> AsyncIterator[Stage]:
    hand = Hand()
    failed = isinstance(venue, Exception)
    entry = entry_to(venue if failed else {"result": {"order": told("run-1")}})
    rest = unused if via == WS else answering(venue if failed else report("NEW"))
    async with open_stage(rest, signer=hand, via=via) as inner:  # type: ignore[arg-type]
        stage = Stage(via, inner, entry, hand, session or session_over(entry))
        hand.stage.append(stage)
        yield stage


both_ways = pytest.mark.parametrize("via", [REST, WS])


def not_sent(items: list[Any]) -> str:
    """Why it was not; it was, if this fails."""
    [result] = [item.result for item in items if isinstance(item, fx.SendEnded)]
    assert isinstance(result, NotSentError)
    return str(result)


# When it is signed.


@both_ways
async def test_it_is_signed_and_nothing_leaves(via: str) -> None:
    """With the venue's time of then. It may leave for as long as the venue is sure to take it."""
    async with stage_of(via) as stage:
        stage.inner.executor.sender.signer.venue_clock.measured(
            server_time_ms=stage.clock.wall_ns() // 1_000_000 + BEHIND_MS, elapsed_ns=80_000_000
        )
        stage.hand.takes = 0.0007
        timestamp = stage.inner.executor.sender.signer.venue_clock.now_ms()
        assert await stage.prepare() == [
            fx.OrderPrepared(
                client_id="run-1",
                signature_timestamp=timestamp,
                until_ns=WINDOW_NS - 40_000_000,
                sign_ns=700_000,
            )
        ]
        assert stage.hand.signed == [terms(ORDER, timestamp)]
        assert stage.sent == []
        assert stage.tape.committed == 0
        assert stage.tape.told(Kind.INTENT) == []


@both_ways
async def test_signed_ahead_it_is_sent_without_a_signature(via: str) -> None:
    """The request is the one that a signature of that time makes; the intent tells of it as of any other."""
    async with stage_of(via) as stage:
        await stage.prepare()
        stage.clock.pass_seconds(3)
        started, ended = await stage.place()
        [sent] = stage.sent
        assert len(stage.hand.signed) == 1
        timestamp = stage.hand.signed[0].timestamp_ms
        signature = SIGNER.sign_order(stage.hand.signed[0])
        body = SignedOrder(
            order=ORDER, signature=signature.wire(), signature_timestamp=timestamp, recv_window=5000
        )
        fresh: Sent = calls.create(body, cause=17) if via == WS else orders.create(body, cause=17)
        assert sent.shown("") == fresh.shown("")
        assert (sent.cause, sent.secrets, sent.method) == (17, fresh.secrets, fresh.method)
        assert isinstance(started, fx.SendStarted)
        assert (started.signature_timestamp, started.sent_ns, started.sign_ns) == (timestamp, 3 * 10**9, 0)
        assert (started.signed_ns, started.hash_ns) == (0, None)
        assert (started.struct_hash, started.message_hash) == (signature.struct_hash, signature.message_hash)
        assert started.signature_digest == signature.digest()
        assert started.request == fresh.shown(HIDDEN)
        assert ended.result.status == "NEW"
        assert stage.tape.committed == len(stage.tape.records) - 1, "all but how it ended was in the file"


@both_ways
async def test_a_signature_is_used_once(via: str) -> None:
    """Sent again, an order is not sent with the signature that was made ahead."""
    async with stage_of(via, NO_WAY) as stage:
        await stage.prepare()
        [_, ended] = await stage.place()
        assert ended.result is NO_WAY
        [ended] = await stage.place()
        assert isinstance(ended.result, NotSentError)
        assert len(stage.sent) == 1
        await stage.inner.result(fx.PlaceOrder(ORDER, stage.session))
        assert len(stage.hand.signed) == len(stage.sent) == 2


@both_ways
async def test_what_is_ready_to_leave_goes_first(via: str) -> None:
    """A signature is begun when nothing else is ready to run, were it asked for before that."""
    async with stage_of(via) as stage:

        async def busy(turns: int) -> None:
            for _ in range(turns):
                stage.hand.happened.append("other")
                await trio.lowlevel.checkpoint()

        stage.inner.executor.carry_out(fx.PrepareOrder(ORDER), 1)
        stage.inner.executor.carry_out(fx.PrepareOrder(OTHER), 2)
        stage.inner.executor.nursery.start_soon(busy, 20)
        await settled()
        assert stage.hand.happened == ["other"] * 20 + ["sign"] * 2


def test_quiet_is_what_trio_s_tests_call_so() -> None:
    """It is documented there; the bot has it from where it is made."""
    assert preparing.wait_all_tasks_blocked is trio.testing.wait_all_tasks_blocked  # type: ignore[attr-defined]


async def test_between_two_signatures_others_have_their_turn() -> None:
    """Whoever became ready during one does not wait for the next."""
    async with stage_of(REST) as stage:
        awaited = trio.Event()

        class Waking(Hand):
            def sign_order(self, order_terms: OrderTerms) -> Signature:
                awaited.set()
                return super().sign_order(order_terms)

        waking = Waking(stage.hand.stage)
        object.__setattr__(stage.inner.executor.sender.signer, "signer", waking)

        async def other() -> None:
            await awaited.wait()
            for _ in range(5):
                waking.happened.append("other")
                await trio.lowlevel.checkpoint()

        stage.inner.executor.nursery.start_soon(other)
        await stage.prepare(ORDER, OTHER)
        assert waking.happened == ["sign"] + ["other"] * 5 + ["sign"]


async def test_it_does_not_wait_for_ever_for_a_quiet_moment(mock_clock: trio.testing.MockClock) -> None:
    """In a bot that is never idle it is signed all the same."""
    async with stage_of(REST) as stage:

        async def never_idle() -> None:
            while not stage.hand.signed:
                mock_clock.jump(0.001)
                await trio.lowlevel.checkpoint()
            assert 0.05 <= trio.current_time() < 0.06

        stage.inner.executor.carry_out(fx.PrepareOrder(ORDER), 1)
        await never_idle()


async def test_nobody_signs_what_is_not_wanted_any_more() -> None:
    """Discarded before its turn came, it costs nothing; after that it cannot be sent."""
    async with stage_of(REST) as stage:
        stage.inner.executor.carry_out(fx.PrepareOrder(ORDER), 1)
        stage.inner.executor.carry_out(fx.PrepareOrder(OTHER), 2)
        stage.inner.executor.carry_out(fx.ForgetPrepared(("run-1", "run-9")), 3)
        await settled()
        [prepared] = stage.reported()
        assert prepared.client_id == "run-2"
        stage.inner.executor.carry_out(fx.ForgetPrepared(("run-2",)), 4)
        assert not_sent(await stage.place(OTHER)) == "it is not signed"
        assert len(stage.hand.signed) == 1
        assert stage.sent == []


@pytest.mark.parametrize("why", ["stop", "kill switch", "clock", "hash"])
async def test_what_cannot_be_signed(why: str) -> None:
    """It is said why; a bot that is stopping signs nothing more."""
    async with stage_of(REST) as stage:
        match why:
            case "stop":
                stage.stop.ask("SIGINT")
            case "kill switch":
                stage.stop.kill_switch.pull("SIGUSR1")
            case "clock":
                stage.inner.executor.sender.signer.venue_clock.doubt()
            case "hash":
                stage.hand.failure = UnsignableError("not below 2^251")
        [failed] = await stage.prepare()
        assert isinstance(failed, fx.PrepareFailed)
        assert isinstance(failed.failure, NotSentError)
        words = {"stop": "stopping: SIGINT", "kill switch": "SIGUSR1", "clock": "measured", "hash": "2^251"}
        assert words[why] in str(failed.failure)
        assert len(stage.hand.signed) == (why == "hash")
        assert not_sent(await stage.place())


# When it leaves.


@both_ways
@pytest.mark.parametrize("age", [5.0, 5.000000001])
async def test_it_leaves_as_long_as_the_venue_takes_it(via: str, age: float) -> None:
    """After that there is not even an intent, for nothing is about to leave."""
    async with stage_of(via) as stage:
        await stage.prepare()
        stage.clock.pass_seconds(age)
        items = await stage.place()
        if age == 5:
            assert len(stage.sent) == 1
            assert len(items) == 2
            return
        [ended] = items
        assert isinstance(ended.result, NotSentError)
        assert str(ended.result) == "it was signed 5.000 s ago: too late"
        assert stage.sent == []


@both_ways
async def test_how_well_the_venue_s_clock_is_known_counts(via: str) -> None:
    """It may be ahead by so much: then its window ends that much sooner."""
    async with stage_of(via) as stage:
        await stage.prepare()
        stage.clock.pass_seconds(4.7)
        stage.inner.executor.sender.signer.venue_clock.measured(
            server_time_ms=stage.clock.wall_ns() // 1_000_000 + BEHIND_MS - 400, elapsed_ns=800_000_000
        )
        assert not_sent(await stage.place()) == "it was signed 4.700 s ago: too late"
        assert stage.sent == []


async def test_over_the_websocket_it_leaves_in_the_step_that_decided_it() -> None:
    """Nobody else has a turn before that; written down it is by then. The answer is waited for in a task."""
    async with stage_of(WS) as stage:
        await stage.prepare()
        stage.inner.executor.carry_out(fx.PlaceOrder(ORDER, stage.session, is_prepared=True), 17)
        assert len(stage.sent) == 1
        [started] = stage.reported()
        assert isinstance(started, fx.SendStarted)


@both_ways
async def test_it_expires_while_it_waits_to_leave(via: str, autojump_clock: trio.testing.MockClock) -> None:
    """For a connection, or for the writer: it was about to leave, and is proved not to have."""
    del autojump_clock
    async with stage_of(via) as stage:
        await stage.prepare()
        stage.waits(0.5)
        stage.clock.pass_seconds(4.8)
        stage.inner.executor.carry_out(fx.PlaceOrder(ORDER, stage.session, is_prepared=True), 17)
        await trio.sleep(0.1)
        stage.clock.pass_seconds(0.3)
        await trio.sleep(1)
        [started, ended] = stage.reported()
        assert isinstance(started, fx.SendStarted)
        assert isinstance(ended.result, NotSentError)
        assert "5.100 s ago" in str(ended.result)
        assert stage.sent == []


@both_ways
@pytest.mark.parametrize(
    ("age", "moved_ms", "why"),
    [
        (0.1, -101, "in what is the future"),
        (3.5, 1501, "it was signed 5.001 s ago: too late"),
        (0.1, -100, ""),
        (3.5, 1500, ""),
    ],
)
async def test_the_clock_is_measured_anew(via: str, age: float, moved_ms: int, why: str) -> None:
    """The newest measurement tells how old a signature is: too old, or from the future."""
    async with stage_of(via) as stage:
        await stage.prepare()
        stage.clock.pass_seconds(age)
        clock = stage.inner.executor.sender.signer.venue_clock
        clock.measured(server_time_ms=clock.now_ms() + moved_ms, elapsed_ns=0)
        items = await stage.place()
        if why:
            assert why in not_sent(items)
            assert stage.sent == []
        else:
            assert len(stage.sent) == 1
            assert items[0].signed_ns == -moved_ms * 1_000_000


@both_ways
async def test_the_clock_is_in_doubt(via: str) -> None:
    """Nobody can say how old a signature is; once the clock is measured, it is as good as before."""
    async with stage_of(via) as stage:
        await stage.prepare(ORDER, OTHER)
        clock = stage.inner.executor.sender.signer.venue_clock
        now_ms = clock.now_ms()
        clock.doubt()
        assert "has to be measured" in not_sent(await stage.place())
        assert stage.sent == []
        clock.measured(server_time_ms=now_ms, elapsed_ns=0)
        await stage.place(OTHER)
        assert len(stage.sent) == 1


@both_ways
async def test_it_is_sent_in_a_session_that_lives(via: str) -> None:
    """The one that it was decided in, whichever there was when it was signed."""
    with ExitStack() as life:
        session = life.enter_context(open_session(1))
        async with stage_of(via, session=session) as stage:
            await stage.prepare()
            life.close()
            assert "session 1 is gone" in not_sent(await stage.place())
            assert stage.sent == []


@both_ways
async def test_a_stop_keeps_it_here(via: str) -> None:
    async with stage_of(via) as stage:
        await stage.prepare()
        stage.stop.ask("SIGINT")
        assert "stopping" in not_sent(await stage.place())
        assert stage.sent == []


@both_ways
async def test_what_cannot_be_written_down_does_not_leave(via: str) -> None:
    async with stage_of(via) as stage:
        await stage.prepare()
        stage.inner.tape.is_disk_full = True
        assert "no space" in not_sent(await stage.place())
        assert stage.sent == []


async def test_an_expired_token_is_not_tried_with_it() -> None:
    """Tokens are no part of what is signed: with the next one another order goes."""
    async with open_stage(answering(report("NEW")), expires_at=-math.inf) as stage:
        stage.executor.carry_out(fx.PrepareOrder(ORDER), 1)
        await settled()
        items = await stage.result(fx.PlaceOrder(ORDER, Session._mint(1), is_prepared=True))
        assert "token" in not_sent(items)
        assert stage.http.sent == []
