"""Generations over whose WebSocket orders go: armed before the gate, disarmed before a clean end, outcasts end."""

from functools import partial
from math import inf
from typing import Any

import pytest
import trio
import trio.testing
from entry_stage import create, placed
from generation_stage import BTC, OPEN, READY, Play, death, establish, live, playing
from scripted_venue import Conversation, Script, open_connections
from session_stage import NoJitter, Readiness
from virtual_stage import RTT, virtually

from bot.core.errors import (
    FatalError,
    NotSentError,
    RefusedError,
    StreamClosedError,
    UnknownOutcomeError,
    or_failure,
)
from bot.core.tape import Kind
from bot.session.capabilities import Session, Token
from bot.session.generation import ESTABLISH_DEADLINE, GOOD_LIFE
from bot.session.inbox import SessionLost, SessionOpened
from bot.session.supervise import supervise
from bot.simulation.pipe import Ending

COD = "order.cancel_on_disconnect"


def asked(play: Play, generation: int = 1) -> list[Any]:
    """Method and parameters of each plain request that left."""
    return [
        each.data
        for each in play.tape.records
        if each.kind is Kind.FRAME_OUT and each.generation == generation and isinstance(each.data, str)
    ]


def armings(play: Play, generation: int = 1) -> list[bool]:
    return ['"enabled":true' in frame for frame in asked(play, generation) if COD in frame]


def hearing(heard: list[Any], then: Script) -> Script:
    """Agree to what opens an armed generation, then go on."""

    async def script(venue: Conversation) -> None:
        heard.extend([await venue.agree() for _ in range(4)])
        await then(venue)

    return script


async def wait(_: Conversation) -> None:
    await trio.sleep_forever()


# Arming.


@virtually
async def test_it_is_armed_after_auth_and_before_the_gate() -> None:
    """Before anything is subscribed to, and so long before an order; one round trip more."""
    heard: list[Any] = []
    async with (
        playing(hearing(heard, wait), cancel_on_disconnect=True) as play,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(play.run)
        await play.readiness.wait()
        assert trio.current_time() == READY + RTT
        assert [(each["method"], each["params"]) for each in heard] == [
            ("auth", {"bearer": "eyJtoken"}),
            (COD, {"enabled": True}),
            ("subscribe", {"channel": f"orders.{BTC}"}),
            ("subscribe", {"channel": f"fills.{BTC}"}),
        ]
        assert [SessionOpened in play.kinds, armings(play)] == [True, [True]]
        nursery.cancel_scope.cancel()


@virtually
async def test_nothing_is_armed_unless_it_is_wanted() -> None:
    """Nor disarmed at the end."""
    async with playing(live) as play, trio.open_nursery() as nursery:
        nursery.start_soon(play.run)
        await play.readiness.wait()
        play.generations.closing.set()
        await trio.sleep(60)
        assert armings(play) == []


@virtually
async def test_each_generation_is_armed_anew() -> None:
    """It does not survive a reconnect (protocol reference 5.3)."""

    async def once(venue: Conversation) -> None:
        for _ in range(4):
            await venue.agree()
        await trio.sleep(60)
        await venue.connection.aclose(1012, "restart")

    async with playing(once, cancel_on_disconnect=True) as play, trio.open_nursery() as nursery:
        await nursery.start(partial(supervise, "WebSocket", play.generations.run, NoJitter()))
        await trio.sleep(90)
        assert [armings(play, 1), armings(play, 2)] == [[True], [True]]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("code", "kind"), [(-32601, UnknownOutcomeError), (-32602, RefusedError), (42901, RefusedError)]
)
@virtually
async def test_without_arming_the_gate_stays_closed(code: int, kind: type[Exception]) -> None:
    """Whoever wants it does not trade without it: neither subscribed nor reconciled, and no session."""

    async def refuse(venue: Conversation) -> None:
        await venue.agree()
        await venue.refuse(code)
        await trio.sleep_forever()

    async with playing(refuse, cancel_on_disconnect=True) as play:
        await death(play, kind)  # type: ignore[type-var]
        assert (play.items, play.readiness.reported, play.rest.asked) == ([], [], [])
        assert not [frame for frame in asked(play) if "subscribe" in frame]
        assert open_connections(play.s) == 0


@virtually
async def test_an_arming_without_reply_has_the_deadline_of_the_opening() -> None:
    """It may be armed, and it may not: nobody trades on that."""

    async def forget(venue: Conversation) -> None:
        await venue.agree()
        await trio.sleep_forever()

    async with playing(forget, cancel_on_disconnect=True) as play:
        closed = await death(play, StreamClosedError)
        assert "not subscribed within 10 s" in str(closed)
        assert trio.current_time() == OPEN + ESTABLISH_DEADLINE
        assert play.items == []


@pytest.mark.parametrize("code", [40110, 40111])
@virtually
async def test_an_arming_refused_for_its_bearer_has_another_token_made(code: int) -> None:
    """As auth would have; the gate stays closed."""

    async def refuse(venue: Conversation) -> None:
        await venue.agree()
        await venue.refuse(code)
        await trio.sleep_forever()

    async with playing(refuse, cancel_on_disconnect=True) as play:
        await death(play, StreamClosedError)
        await play.keeper.wait_refused()
        assert play.items == []


@pytest.mark.parametrize("code", [40112, 40300])
@virtually
async def test_an_arming_that_is_not_permitted_is_tried_with_another_token_once(code: int) -> None:
    """A key that may only read will never trade: there is no use in trying for ever."""

    async def refuse(venue: Conversation) -> None:
        await venue.agree()
        await venue.refuse(code)
        await trio.sleep_forever()

    async with playing(refuse, cancel_on_disconnect=True) as play:
        assert (await death(play, StreamClosedError)).code == 1008
        await play.keeper.wait_refused()
        play.keeper.renewed(Token("eyJnext", inf, 300))
        await death(play, FatalError)
        assert play.items == []


# Disarming.


@virtually
async def test_it_is_disarmed_before_a_clean_end() -> None:
    """What rests then is somebody else's, and stays. The session is valid until the venue has agreed."""
    heard: list[Any] = []
    gone: list[float] = []

    async def goodbye(venue: Conversation) -> None:
        heard.append(await venue.agree())
        gone.append(trio.current_time())
        await trio.sleep_forever()

    async with playing(hearing(heard, goodbye), cancel_on_disconnect=True) as play:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(play.run)
            await play.readiness.wait()
            started = trio.current_time()
            play.generations.closing.set()
        await trio.sleep(RTT)
        assert (heard[-1]["method"], heard[-1]["params"]) == (COD, {"enabled": False})
        assert armings(play) == [True, False]
        assert play.items[-1] == (started, SessionLost(1))
        assert play.sockets.closes == [(1000, None)]


@pytest.mark.parametrize("reaction", ["silence", "refusal", "internal error", "hangs up"])
@virtually
async def test_a_disarming_that_fails_holds_up_no_end(reaction: str) -> None:
    """Half of the time that there is for a goodbye, and then the goodbye all the same."""

    async def goodbye(venue: Conversation) -> None:
        match reaction:
            case "refusal":
                await venue.refuse(-32602)
            case "internal error":
                await venue.refuse(-32603)
            case "hangs up":
                await venue.hear()
                return
        await trio.sleep_forever()

    async with playing(hearing([], goodbye), cancel_on_disconnect=True) as play:
        started = 0.0
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(play.run)
                await play.readiness.wait()
                started = trio.current_time()
                play.generations.closing.set()
        except* StreamClosedError:
            assert reaction == "hangs up"
        assert trio.current_time() <= started + 1.5 * play.generations.settings.close_timeout
        await trio.sleep(RTT)
        if reaction != "hangs up":
            assert play.sockets.closes == [(1000, None)]


@pytest.mark.parametrize("end", ["cut", "closed", "cancelled"])
@virtually
async def test_nothing_is_disarmed_at_any_other_end(end: str) -> None:
    """What it was armed for is that the bot goes without a word."""

    async def close(venue: Conversation) -> None:
        await trio.sleep(20)
        if end == "closed":
            await venue.connection.aclose(1001, "")
        await trio.sleep_forever()

    async with playing(hearing([], close), cancel_on_disconnect=True) as play:
        if end == "cut":
            play.s.network.at(20, lambda: play.s.network.connections[0].cut(Ending.RST))
        with trio.move_on_after(60):
            await or_closed(play)
        assert armings(play) == [True]


async def or_closed(play: Play) -> None:
    try:
        await play.run()
    except* StreamClosedError:
        pass


# Orders over it.


async def take_orders(venue: Conversation) -> None:
    await establish(venue)
    while True:
        await venue.say(placed(await venue.hear()))


@virtually
async def test_a_session_takes_calls_until_it_dies() -> None:
    """In one round trip; afterwards nothing leaves, and it says so."""
    async with playing(take_orders, takes_orders=True) as play, trio.open_nursery() as nursery:
        nursery.start_soon(play.run)
        session = await play.readiness.wait()
        answer = await session.send(create())
        assert (answer.value.id, answer.elapsed_ns) == ("va", RTT * 1e9)
        assert answer.exchange == 5  # after the four requests of the snapshot, as if it were one
        nursery.cancel_scope.cancel()
    assert not session.is_alive
    with pytest.raises(NotSentError):
        await session.send(create("b"))


@virtually
async def test_a_session_without_order_entry_sends_nothing() -> None:
    """Orders go over REST then."""
    async with playing(live) as play, trio.open_nursery() as nursery:
        nursery.start_soon(play.run)
        session = await play.readiness.wait()
        with pytest.raises(NotSentError):
            await session.send(create())
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("ending", Ending)
@virtually
async def test_a_call_in_flight_when_the_connection_is_cut(ending: Ending) -> None:
    """Its outcome is unknown, at the moment when the session is lost."""

    async def hear(venue: Conversation) -> None:
        await establish(venue)
        await trio.sleep_forever()

    async with playing(hear, takes_orders=True) as play, trio.open_nursery() as nursery:
        nursery.start_soon(or_closed, play)
        session = await play.readiness.wait()
        now = trio.current_time()
        play.s.network.at(now + 2, lambda: play.s.network.connections[0].cut(ending))
        failure = await or_failure(session.send(create()))
        assert type(failure) is UnknownOutcomeError
        assert str(failure) == "order.create: the WebSocket ended"
        assert trio.current_time() == now + 2
        assert play.items[-1] == (now + 2, SessionLost(1))
        assert [data for _, data in play.tape.told(Kind.FAILURE)] == [{"x": 5} | failure.told()]


async def refused_call(play: Play) -> None:
    """Run a generation until it dies of a refused call."""
    readiness: Readiness[Session] = Readiness()

    async def call() -> None:
        session = await readiness.wait()
        with pytest.raises(RefusedError):
            await session.send(create())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        await play.generations.run(readiness)


def refusing(code: int, *, after: float = 0.0) -> Script:
    async def script(venue: Conversation) -> None:
        await establish(venue)
        await trio.sleep(after)
        await venue.refuse(code)
        await trio.sleep_forever()

    return script


@pytest.mark.parametrize("code", [40110, 40111])
@virtually
async def test_a_call_refused_for_its_bearer_has_another_token_made(code: int) -> None:
    """The generation ends, and the next one may do better, however often that happens."""
    async with playing(refusing(code), takes_orders=True) as play:
        for number in range(3):
            with pytest.RaisesGroup(StreamClosedError, flatten_subgroups=True):
                await refused_call(play)
            assert play.items[-1][1] == SessionLost(number + 1)
            await play.keeper.wait_refused()
            play.keeper.renewed(Token(f"eyJ{number}", inf, 300))


@pytest.mark.parametrize("code", [40112, 40300])
@virtually
async def test_a_call_that_is_not_permitted_has_another_token_made_once(code: int) -> None:
    """No longer permitted with that either, at once, it never will be."""
    async with playing(refusing(code), takes_orders=True) as play:
        with pytest.RaisesGroup(
            pytest.RaisesExc(StreamClosedError, match=f"no orders are taken: {code}"), flatten_subgroups=True
        ):
            await refused_call(play)
        assert play.items[-1][1] == SessionLost(1)
        await play.keeper.wait_refused()
        play.keeper.renewed(Token("eyJnext", inf, 300))
        with pytest.RaisesGroup(FatalError, flatten_subgroups=True):
            await refused_call(play)


@pytest.mark.parametrize("code", [-32600, -32602, -32603, 100, 42901])
@virtually
async def test_no_other_refusal_of_a_call_ends_it(code: int) -> None:
    """It is about the order, or about now."""
    async with playing(refusing(code), takes_orders=True) as play, trio.open_nursery() as nursery:
        nursery.start_soon(play.run)
        session = await play.readiness.wait()
        await or_failure(session.send(create()))
        await trio.sleep(GOOD_LIFE)
        assert session.is_alive
        nursery.cancel_scope.cancel()
