"""Generations of the WebSocket: in what order they become ready, what they report, and everything they die of."""

from functools import partial
from math import inf
from typing import Any

import pytest
import trio
from generation_stage import (
    BTC,
    COLD_SNAPSHOT,
    ESTABLISHED,
    ETH,
    OPEN,
    READY,
    Play,
    death,
    establish,
    live,
    playing,
    report,
    reported,
    taken,
    update,
)
from scripted_venue import (
    EPOCH_NS,
    Conversation,
    Script,
    answer,
    open_connections,
    silence,
)
from session_stage import NoJitter
from virtual_stage import DELAY, RTT, virtually

from bot.core.errors import (
    BotError,
    FatalError,
    NotSentError,
    RefusedError,
    SessionGoneError,
    StreamClosedError,
    UnknownOutcomeError,
    leaves,
)
from bot.core.tape import HIDDEN, Kind
from bot.link.clock import LOOK_EVERY, TrioClock
from bot.link.websocket import StreamSettings
from bot.session.capabilities import Token
from bot.session.generation import ESTABLISH_DEADLINE, GOOD_LIFE
from bot.session.inbox import Item, OrderReported, SessionLost, SessionOpened, Snapshot
from bot.session.supervise import supervise
from bot.simulation.pipe import Ending

# Becoming ready.


@virtually
async def test_it_authenticates_subscribes_takes_stock_and_then_opens_the_session() -> None:
    """In that order, each step after the reply to the one before; readiness comes last. No token on the tape."""
    bearers: list[str] = []

    async def agree(venue: Conversation) -> None:
        bearers.append((await venue.agree())["params"]["bearer"])
        await venue.agree_for_ever()

    async with playing(agree, markets=(BTC, ETH)) as play, trio.open_nursery() as nursery:
        play.rest.by_path["/orders"] = answer(
            b'{"results": [{"id": "7", "market": "BTC-USD-PERP", "status": "OPEN"}]}'
        )
        nursery.start_soon(play.run)
        session = await play.readiness.wait()
        await trio.testing.wait_all_tasks_blocked()
        established = OPEN + 5 * RTT
        ready = established + COLD_SNAPSHOT
        asked = [
            (each.ns / 1e9, each.generation, each.data)
            for each in play.tape.records
            if each.kind is Kind.FRAME_OUT
        ]
        channels = [f"orders.{BTC}", f"fills.{BTC}", f"orders.{ETH}", f"fills.{ETH}"]
        assert asked == [
            (OPEN, 1, f'{{"jsonrpc":"2.0","method":"auth","params":{{"bearer":"{HIDDEN}"}},"id":1}}'),
            *(
                (
                    OPEN + number * RTT,
                    1,
                    f'{{"jsonrpc":"2.0","method":"subscribe","params":{{"channel":"{channel}"}},"id":{number + 1}}}',
                )
                for number, channel in enumerate(channels, 1)
            ),
        ]
        requests = [each for each in play.tape.records if each.kind is Kind.REQUEST]
        assert [each.data["path"].partition("?")[0] for each in requests] == [
            "/orders",
            "/orders-history",
            "/fills",
            "/positions",
        ]
        assert requests[0].ns == established * 1e9
        assert bearers == ["eyJtoken"]
        assert "eyJ" not in str(play.tape.records)
        assert play.items == [
            (ready, taken(established, open_orders=(report(7),))),
            (ready, SessionOpened(session)),
        ]
        assert play.readiness.reported == [(ready, session)]
        assert (session.generation, session.is_alive) == (1, True)
        assert (play.generations.count, play.generations.ready_ms) == (1, ready * 1000)
        assert play.rest.asked[0].headers["authorization"] == "Bearer eyJtoken"
        nursery.cancel_scope.cancel()


@virtually
async def test_reports_count_from_the_first_on_and_keep_their_order() -> None:
    """Whether they come before a reply, between two, or while the orders are listed; all are of this generation."""

    async def script(venue: Conversation) -> None:
        await venue.say(update(1))
        await venue.agree()
        await venue.say(update(2))
        await venue.agree()
        await venue.agree()
        await venue.say(update(3))
        await trio.sleep(2 * RTT)
        await venue.say(update(4))
        await trio.sleep(60)
        await venue.say(update(5))
        await trio.sleep_forever()

    async with playing(script) as play, trio.open_nursery() as nursery:
        nursery.start_soon(play.run)
        session = await play.readiness.wait()
        await trio.sleep(90)
        times = [OPEN, OPEN + RTT, OPEN + 3 * RTT, OPEN + 5 * RTT]
        later = OPEN + 5 * RTT + 60
        assert play.items == [
            *((at, reported(number, at)) for number, at in enumerate(times, 1)),
            (READY, taken(ESTABLISHED)),
            (READY, SessionOpened(session)),
            (later, reported(5, later)),
        ]
        nursery.cancel_scope.cancel()


@virtually
async def test_a_supervised_stream_goes_on_with_the_next_generation() -> None:
    """Everything anew: socket, auth with the current token, subscriptions, list; the next number on each report."""
    bearers: list[str] = []

    async def once(venue: Conversation) -> None:
        bearers.append((await venue.agree())["params"]["bearer"])
        await venue.agree()
        await venue.agree()
        await venue.say(update(1))
        await trio.sleep(60)
        await venue.say(update(2))
        await venue.connection.aclose(1012, "restart")

    async with playing(once) as play, trio.open_nursery() as nursery:
        first = await nursery.start(partial(supervise, "WebSocket", play.generations.run, NoJitter()))
        play.keeper.renewed(Token("eyJnext", inf, 300))
        await trio.sleep(100)
        lost_at, _ = next((at, item) for at, item in play.items if item == SessionLost(1))
        opened_at, opened = next((at, item) for at, item in play.items[4:] if isinstance(item, SessionOpened))
        assert opened_at == lost_at + 0.5 + READY
        assert (opened.session.generation, opened.session is first, first.is_alive) == (2, False, False)
        tags = [item.generation for _, item in play.items if isinstance(item, OrderReported)]
        assert tags == [1, 1, 2]
        assert bearers == ["eyJtoken", "eyJnext"]
        assert {each.generation for each in play.tape.records if each.kind.startswith("ws")} == {1, 2}
        assert play.generations.ready_ms == READY * 1000
        assert len(play.sockets.closes) == 1
        nursery.cancel_scope.cancel()


@virtually
async def test_every_attempt_has_a_number_and_those_that_became_ready_are_counted() -> None:
    """An attempt that comes to nothing uses up its number: permits, reports and the tape never share one."""

    async def talk(venue: Conversation) -> None:
        await establish(venue)
        await venue.say(update(1))
        await trio.sleep_forever()

    async with playing(talk) as play, trio.open_nursery() as nursery:
        play.s.link.refuse()
        await death(play, NotSentError)
        assert (play.generations.attempts, play.generations.count) == (1, 0)
        play.s.link.heal()
        play.rest.reaction = answer(b"", 500)
        await death(play, UnknownOutcomeError)
        assert (play.generations.attempts, play.generations.count) == (2, 0)
        play.rest.reaction = answer(b'{"results": []}')
        nursery.start_soon(play.run)
        session = await play.readiness.wait()
        assert (play.generations.attempts, play.generations.count, session.generation) == (3, 1, 3)
        await trio.sleep(60)
        assert [item.generation for _, item in play.items if isinstance(item, OrderReported)] == [2, 3]
        ends = (Kind.SOCKET_OPEN, Kind.SOCKET_END)
        assert [
            (each.generation, str(each.kind), each.data.get("code"))
            for each in play.tape.records
            if each.kind in ends
        ] == [(1, "ws!", None), (2, "ws+", None), (2, "ws!", 1006), (3, "ws+", None)]
        nursery.cancel_scope.cancel()


# Not becoming ready.


@pytest.mark.parametrize(("code", "renews"), [(40110, True), (40111, True), (40112, False), (-32600, False)])
@virtually
async def test_a_refused_authentication_ends_it(code: int, *, renews: bool) -> None:
    """Where the token is at fault another is made, and the next generation uses it; no session was opened."""

    async def refuse(venue: Conversation) -> None:
        await venue.refuse(code)
        await trio.sleep_forever()

    async with playing(refuse) as play:
        refused = await death(play, RefusedError)
        assert refused.status == code
        with trio.move_on_after(1) as waiting:
            await play.keeper.wait_refused()
        assert waiting.cancelled_caught != renews
        assert (play.items, play.rest.asked, open_connections(play.s)) == ([], [], 0)


@virtually
async def test_a_refused_subscription_ends_it() -> None:
    """A session that hears nothing of one market is none; the token is not to blame."""

    async def refuse_the_second(venue: Conversation) -> None:
        await establish(venue)
        await venue.refuse(40110)
        await trio.sleep_forever()

    async with playing(refuse_the_second, markets=(BTC, ETH)) as play:
        await death(play, RefusedError)
        with trio.move_on_after(1) as waiting:
            await play.keeper.wait_refused()
        assert waiting.cancelled_caught
        assert (play.items, play.readiness.reported) == ([], [])


@virtually
async def test_an_internal_error_is_no_refusal() -> None:
    """Whether the venue subscribed us nobody knows; another generation finds out."""

    async def break_down(venue: Conversation) -> None:
        await venue.refuse(-32603)
        await trio.sleep_forever()

    async with playing(break_down) as play:
        await death(play, UnknownOutcomeError)


@virtually
async def test_a_venue_that_does_not_reply_has_ten_seconds() -> None:
    """For all replies together, though it answers pings."""

    async def hesitate(venue: Conversation) -> None:
        await trio.sleep(6)
        await venue.agree()
        await trio.sleep_forever()

    async with playing(hesitate) as play:
        closed = await death(play, StreamClosedError)
        assert "not subscribed within 10 s" in str(closed)
        assert trio.current_time() == OPEN + ESTABLISH_DEADLINE
        assert (play.items, open_connections(play.s)) == ([], 0)


@pytest.mark.parametrize(
    ("reaction", "kind", "after"),
    [
        (answer(b"", 500), UnknownOutcomeError, 3 * RTT),
        (answer(b'{"error": "INVALID_TOKEN"}', 401), RefusedError, 3 * RTT),
        (answer(b'{"results": 7}'), UnknownOutcomeError, 3 * RTT),
        (silence, UnknownOutcomeError, 10),
    ],
)
@virtually
async def test_without_a_list_of_orders_there_is_no_session(
    reaction: Any, kind: type[BotError], after: float
) -> None:
    """The generation ends with what became of the request."""
    async with playing(live) as play:
        play.rest.reaction = reaction
        await death(play, kind)
        assert trio.current_time() == ESTABLISHED + after
        assert (play.items, play.readiness.reported, play.generations.count) == ([], [], 0)


@virtually
async def test_a_venue_that_cannot_be_reached_is_not_sent() -> None:
    """Nothing is asked of anybody else before there is a connection."""
    async with playing(live) as play:
        play.s.link.refuse()
        await death(play, NotSentError)
        assert (play.items, play.rest.asked, trio.current_time()) == ([], [], RTT)


# Death.


def assert_lost(play: Play) -> None:
    """At this moment: the permit is void, the order manager heard it, and nothing of the generation is left."""
    [(_, session)] = play.readiness.reported
    with pytest.raises(SessionGoneError):
        session.check()
    assert play.kinds == [Snapshot, SessionOpened, SessionLost]
    assert play.items[-1] == (trio.current_time(), SessionLost(1))
    assert play.generations.wanted_ns == round(trio.current_time() * 1e9)
    assert open_connections(play.s) == 2  # those of HTTP outlive it


@pytest.mark.parametrize(
    ("code", "reason"),
    [(1000, ""), (1001, "going away"), (1012, "restart"), (4031, "no active subscription")],
)
@virtually
async def test_the_session_dies_when_the_venue_closes_it(code: int, reason: str) -> None:
    """With the venue's code and reason, when its goodbye arrives."""

    async def close(venue: Conversation) -> None:
        await establish(venue)
        await trio.sleep(20)
        await venue.connection.aclose(code, reason)

    async with playing(close) as play:
        closed = await death(play, StreamClosedError)
        assert (closed.code, closed.reason) == (code, reason)
        await trio.testing.wait_all_tasks_blocked()
        assert_lost(play)
        assert trio.current_time() == ESTABLISHED - RTT / 2 + 20 + DELAY


@pytest.mark.parametrize(
    ("code", "blames"),
    [(1000, False), (1011, False), (1013, False), (4031, False), (1008, True), (4000, True), (4999, True)],
)
@virtually
async def test_a_code_that_blames_us_has_another_token_made(code: int, *, blames: bool) -> None:
    """Once: closed like that with another token, it gives up. A token that has ended is no proof."""

    async def close(venue: Conversation) -> None:
        await establish(venue)
        await trio.sleep(20)
        await venue.connection.aclose(code, "go away")

    async with playing(close) as play:
        for _ in range(2):
            await death(play, StreamClosedError)
            with trio.move_on_after(1) as waiting:
                await play.keeper.wait_refused()
            assert waiting.cancelled_caught != blames
        play.keeper.renewed(Token("eyJnext", trio.current_time() + 10, 10))
        await death(play, StreamClosedError)
        play.keeper.renewed(Token("eyJlast", inf, 300))
        if blames:
            fatal = await death(play, FatalError)
            assert (
                str(fatal)
                == f"the venue ends the session with a new token, too: WebSocket closed: {code} go away"
            )
        else:
            await death(play, StreamClosedError)


@virtually
async def test_who_was_welcome_for_a_minute_is_blamed_anew() -> None:
    """Days lie between two closes of the venue's, perhaps: the second is no proof that new tokens are no good."""

    async def close(venue: Conversation) -> None:
        await establish(venue)
        await trio.sleep(READY + GOOD_LIFE)
        await venue.connection.aclose(1008, "go away")

    async with playing(close) as play:
        for number in range(3):
            await death(play, StreamClosedError)
            await play.keeper.wait_refused()
            play.keeper.renewed(Token(f"eyJ{number}", inf, 300))


@pytest.mark.parametrize("ending", Ending)
@virtually
async def test_the_session_dies_when_the_connection_is_cut(ending: Ending) -> None:
    """With 1006, at once."""
    async with playing(live) as play:
        play.s.network.at(20, lambda: play.s.network.connections[0].cut(ending))
        assert (await death(play, StreamClosedError)).code == 1006
        await trio.testing.wait_all_tasks_blocked()
        assert_lost(play)
        assert trio.current_time() == 20


@pytest.mark.parametrize("direction", ["both", "up", "down"])
@virtually
async def test_a_dead_link_is_noticed_by_the_pong_that_does_not_come(direction: str) -> None:
    """Exactly the interval and the deadline after the connection opened, whichever way it is dead."""
    async with playing(live, settings=StreamSettings(ping_interval=7, ping_deadline=2)) as play:

        async def die() -> None:
            await play.readiness.wait()
            if direction != "down":
                play.s.link.up.black_hole()
            if direction != "up":
                play.s.link.down.black_hole()

        play.s.nursery.start_soon(die)
        closed = await death(play, StreamClosedError)
        assert "no pong within 2 s" in str(closed)
        assert trio.current_time() == OPEN + 7 + 2
        await trio.testing.wait_all_tasks_blocked()
        assert_lost(play)


class SetWall(TrioClock):
    """A machine whose wall clock jumps: it slept, or somebody set it."""

    jumped_ns = 0

    def wall_ns(self) -> int:
        return super().wall_ns() + self.jumped_ns


@pytest.mark.parametrize("jump_s", [5.1, -5.1, 8 * 3600])
@virtually
async def test_a_clock_that_jumps_ends_it(jump_s: float) -> None:
    """Forward or back: nobody knows for how long nothing was heard. The next generation lives with the new time."""
    async with playing(live) as play, trio.open_nursery() as nursery:
        clock = play.generations.clock = SetWall(EPOCH_NS)

        async def jump() -> None:
            await trio.sleep(READY + 30)
            clock.jumped_ns += round(jump_s * 1e9)

        nursery.start_soon(jump)
        closed = await death(play, StreamClosedError)
        assert f"our clock jumped by {jump_s:+.1f} s" in str(closed)
        assert READY + 30 <= trio.current_time() <= READY + 30 + LOOK_EVERY
        await trio.testing.wait_all_tasks_blocked()
        assert play.kinds == [Snapshot, SessionOpened, SessionLost]
        nursery.start_soon(play.run)
        await trio.sleep(60)
        assert play.kinds.count(SessionLost) == 1
        nursery.cancel_scope.cancel()


@virtually
async def test_a_clock_that_drifts_ends_nothing() -> None:
    """However far it comes with time: that is no jump."""
    async with playing(live) as play, trio.open_nursery() as nursery:
        clock = play.generations.clock = SetWall(EPOCH_NS)
        nursery.start_soon(play.run)
        for _ in range(12):
            await trio.sleep(LOOK_EVERY)
            clock.jumped_ns += 4 * 10**9
        assert play.kinds == [Snapshot, SessionOpened]
        nursery.cancel_scope.cancel()


@virtually
async def test_what_has_to_be_known_comes_before_the_session() -> None:
    """It may take its time; the snapshot is taken after that."""

    async def known() -> None:
        await trio.sleep_until(30)

    async with playing(live) as play, trio.open_nursery() as nursery:
        play.generations.known = known
        nursery.start_soon(play.run)
        await play.readiness.wait()
        assert play.items[0] == (30 + COLD_SNAPSHOT, taken(30))
        nursery.cancel_scope.cancel()


@virtually
async def test_a_live_link_is_pinged_for_ever() -> None:
    """Pongs in time keep the generation alive, however late in time they are, and however little else is said."""
    async with playing(live) as play, trio.open_nursery() as nursery:
        nursery.start_soon(play.run)
        await play.readiness.wait()
        play.s.link.shape(delay=1.4)  # a round trip of 2.8 s: pongs just make the deadline of 3 s
        await trio.sleep(3600)
        play.readiness.reported[0][1].check()
        nursery.cancel_scope.cancel()


UNREADABLE: list[object] = [
    "",
    "good morning",
    "[" * 100_000,
    '{"id": 1e400}',
    "[]",
    '{"jsonrpc": "2.0"}',
    {"error": {"code": -32700, "message": "parse error"}, "id": None},
    {"params": {"channel": f"orders.{BTC}", "data": {"id": 7}}},
    {"params": {"channel": f"orders.{BTC}"}},
    "\x00",
]


def babble(pause: float, count: int) -> Script:
    async def script(venue: Conversation) -> None:
        await establish(venue)
        await trio.sleep(10)
        for number in range(count):
            await venue.say(UNREADABLE[number % len(UNREADABLE)])
            await trio.sleep(pause)
        await venue.say(update(1))
        await trio.sleep_forever()

    return script


@pytest.mark.parametrize(("pause", "count"), [(0, 9), (6, 9), (7, 40)])
@virtually
async def test_a_few_unreadable_frames_are_set_aside(pause: float, count: int) -> None:
    """Nine in a row, or any number of which no ten fall into a minute; reading goes on behind them."""
    async with playing(babble(pause, count)) as play, trio.open_nursery() as nursery:
        nursery.start_soon(play.run)
        await trio.sleep(60 + pause * count)
        at, item = play.items[-1]
        assert item == reported(1, at)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("pause", [0, 0.25, 6.5])
@virtually
async def test_ten_unreadable_frames_in_a_minute_end_it(pause: float) -> None:
    """With the tenth."""
    async with playing(babble(pause, 40)) as play:
        closed = await death(play, StreamClosedError)
        assert "10 unreadable frames in a minute" in str(closed)
        babbling = ESTABLISHED - RTT / 2 + 10
        assert trio.current_time() == babbling + 9 * pause + DELAY
        assert play.generations.count == 1


@virtually
async def test_what_nobody_asked_for_is_no_reason_to_die() -> None:
    """Replies to nothing, data of other channels, new fields and values: named or passed on, and read past."""

    async def wander(venue: Conversation) -> None:
        await establish(venue)
        for number in range(20):
            await venue.say({"id": 1000 + number, "result": {}})
            await venue.say({"id": "a text", "error": {"code": 100, "message": "no"}})
            await venue.say({"params": {"channel": "account", "data": {"anything": None}}})
        await venue.say({**update(1, "A_NEW_STATUS"), "a_new_field": 1})
        await trio.sleep_forever()

    async with playing(wander) as play, trio.open_nursery() as nursery:
        nursery.start_soon(play.run)
        await trio.sleep(60)
        [report] = [item.report for _, item in play.items if isinstance(item, OrderReported)]
        assert report.status == "A_NEW_STATUS"
        play.readiness.reported[0][1].check()
        nursery.cancel_scope.cancel()


# The end.


@virtually
async def test_closing_says_1000_and_ends_it_without_an_error() -> None:
    """The permit is void and the loss reported before the goodbye; a supervisor does not start another."""
    async with playing(live) as play:
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(supervise, "WebSocket", play.generations.run, NoJitter()))
            await trio.sleep(10)
            play.generations.closing.set()
        assert trio.current_time() == READY + 10 + RTT
        assert play.items[-1] == (READY + 10, SessionLost(1))
        await trio.sleep(RTT)
        assert play.sockets.closes == [(1000, None)]


@pytest.mark.parametrize("replies", [0, 1, 2, 3])
@virtually
async def test_closing_does_not_wait_for_readiness(replies: int) -> None:
    """A generation on its way, be it to its first reply or to the list of orders, leaves with nothing to report."""

    async def reply(venue: Conversation) -> None:
        for _ in range(replies):
            await venue.agree()
        await trio.sleep_forever()

    async with playing(reply) as play:
        play.rest.reaction = silence
        async with trio.open_nursery() as nursery:
            nursery.start_soon(play.run)
            await trio.sleep(ESTABLISHED + RTT)
            play.generations.closing.set()
            closing = trio.current_time()
        assert trio.current_time() == closing + RTT
        assert (play.items, play.readiness.reported) == ([], [])
        await trio.sleep(RTT)
        assert play.sockets.closes == [(1000, None)]


@virtually
async def test_a_cancelled_generation_leaves_nothing() -> None:
    """No goodbye, which would take time; but the permit is void and the loss reported."""
    async with playing(live) as play:
        with trio.move_on_after(READY + 10):
            await play.run()
        await trio.testing.wait_all_tasks_blocked()
        assert play.items[-1] == (READY + 10, SessionLost(1))
        assert not play.readiness.reported[0][1].is_alive
        assert open_connections(play.s) == 2


@pytest.mark.parametrize("kind", [Snapshot, SessionOpened, OrderReported, SessionLost])
@virtually
async def test_a_step_that_breaks_is_not_taken_for_a_failed_connection(kind: type[Item]) -> None:
    """What ends the program is not tried again, whatever it looks like and whichever step it was."""

    async def talk(venue: Conversation) -> None:
        await establish(venue)
        await trio.sleep(20)
        await venue.say(update(1))
        await trio.sleep(20)
        await venue.connection.aclose(1012, "restart")

    for error in (OSError("disk full"), trio.BrokenResourceError(), trio.TooSlowError(), ValueError()):
        async with playing(talk) as play:

            def inbox(item: Item, error: Exception = error) -> None:
                if isinstance(item, kind):
                    raise error

            play.generations.inbox = inbox
            with pytest.RaisesGroup(type(error), flatten_subgroups=True) as caught:
                await supervise(
                    "WebSocket", play.generations.run, NoJitter(), task_status=trio.TASK_STATUS_IGNORED
                )
            assert list(leaves(caught.value)) == [error]
            assert play.generations.attempts == 1
            assert play.generations.count == (kind in {OrderReported, SessionLost})
