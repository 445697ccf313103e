"""What is sent over a WebSocket: asked when its turn comes, it leaves whole and in order, or stays."""

from collections.abc import Callable
from functools import partial

import attrs
import pytest
import trio
import trio.testing
from scripted_venue import Conversation, RecordingTape, cancelled_after, open_connections
from virtual_stage import RTT, stage, virtually
from websocket_stage import opened, scripted

from bot.core.errors import NotSentError, StreamClosedError
from bot.core.tape import Kind
from bot.link.websocket import WebSocket


@attrs.define(eq=False)
class Parcel:
    """A message that remembers when it was asked, and when it left."""

    text: str
    refuses: Callable[[], bool] = lambda: False
    shown: object = None
    asked_at: float | None = None
    left_ns: int | None = None
    written_ns: int | None = None

    def leave(self) -> tuple[str, object]:
        self.asked_at = trio.current_time()
        if self.refuses():
            raise NotSentError("it may not")
        return self.text, self.shown or {"frame": self.text}

    def left(self, ns: int) -> None:
        self.left_ns = ns

    def written(self, ns: int) -> None:
        self.written_ns = ns


@attrs.define(eq=False)
class Listener:
    """A venue that hears, and says nothing."""

    heard: list[str] = attrs.field(factory=list)

    async def __call__(self, venue: Conversation) -> None:
        while True:
            self.heard.append(str(await venue.connection.get_message())[:8])


@virtually
async def test_it_leaves_at_once_and_the_tape_has_what_it_shows() -> None:
    """Written down before its first byte leaves, at the time that it is told; the venue gets the text itself.

    The system has it when the call is over.
    """
    venue, tape = Listener(), RecordingTape()
    async with stage() as s:
        await scripted(s, venue)
        async with opened(s, tape=tape) as websocket:
            parcel = Parcel("hello", shown={"x": 1, "frame": "h***"})
            sent = s.network.connections[-1].up.sent
            websocket.post(parcel)
            assert s.network.connections[-1].up.sent > sent
            assert parcel.written_ns == parcel.left_ns
            await trio.sleep(RTT)
            assert venue.heard == ["hello"]
            [written] = [each for each in tape.records if each.kind is Kind.FRAME_OUT]
            assert (written.data, written.generation) == ({"x": 1, "frame": "h***"}, 7)
            assert (parcel.asked_at, parcel.left_ns) == (3 * RTT, written.ns)
            assert written.ns == 3 * RTT * 1e9


@virtually
async def test_what_may_not_leave_stays_and_the_others_go() -> None:
    """Nothing of it is on the wire or on the tape; the writer goes on, and the order of the others is kept."""
    venue, tape = Listener(), RecordingTape()
    async with stage() as s:
        await scripted(s, venue)
        async with opened(s, tape=tape) as websocket:
            parcels = [Parcel(str(number), refuses=partial(bool, number % 3 == 0)) for number in range(9)]
            for parcel in parcels:
                websocket.post(parcel)
            websocket.send("plain")
            await trio.sleep(RTT)
            assert venue.heard == ["1", "2", "4", "5", "7", "8", "plain"]
            assert [parcel.text for parcel in parcels if parcel.left_ns is None] == ["0", "3", "6"]
            assert [str(data) for _, data in tape.told(Kind.FRAME_OUT)] == [
                *(str({"frame": text}) for text in ("1", "2", "4", "5", "7", "8")),
                "plain",
            ]


@virtually
async def test_it_is_asked_when_its_turn_comes() -> None:
    """It waits behind a message that does not get away; what is true then decides, and not what was before."""
    venue, allowed = Listener(), [True]
    async with stage(window=4096) as s:
        await scripted(s, venue)
        async with opened(s) as websocket:
            s.link.black_hole()
            websocket.send("x" * 20_000)
            parcels = [Parcel("early", refuses=lambda: not allowed[0]), Parcel("late")]
            for parcel in parcels:
                websocket.post(parcel)
            await trio.sleep(60)
            assert [parcel.asked_at for parcel in parcels] == [None, None]
            allowed[0] = False
            healed_at = trio.current_time()
            s.link.heal()
            await trio.sleep(600)
            assert [parcel.left_ns is None for parcel in parcels] == [True, False]
            assert all(parcel.asked_at is not None and parcel.asked_at > healed_at for parcel in parcels)
    assert venue.heard == ["xxxxxxxx", "late"]


@virtually
async def test_when_it_is_written() -> None:
    """As soon as the system had room for all of it: that may be long after its first byte left."""
    venue = Listener()
    async with stage(window=4096) as s:
        await scripted(s, venue)
        async with opened(s) as websocket:
            s.link.black_hole()
            parcel = Parcel("x" * 20_000)
            began_ns = round(trio.current_time() * 1e9)
            websocket.post(parcel)
            s.network.after(5, s.link.heal)
            await trio.sleep(600)
            assert (parcel.asked_at, parcel.left_ns) == (3 * RTT, began_ns)
            assert parcel.written_ns is not None
            assert parcel.written_ns > began_ns + 5e9


@virtually
async def test_nobody_overtakes_what_waits() -> None:
    """Not even who comes when there is room again, and those before him have not had their turn yet."""
    venue = Listener()

    class Prompt(Parcel):
        """Posts another message at the moment at which it is written."""

        def written(self, ns: int) -> None:
            super().written(ns)
            websocket.post(Parcel("late"))

    async with stage(window=4096) as s:
        await scripted(s, venue)
        async with opened(s) as websocket:
            s.link.black_hole()
            for parcel in (Prompt("x" * 20_000), Parcel("early")):
                websocket.post(parcel)
            s.link.heal()
            await trio.sleep(600)
    assert venue.heard == ["xxxxxxxx", "early", "late"]


@virtually
async def test_who_comes_when_it_is_broken_is_told_so() -> None:
    """The first to find out cannot know how much of his arrived; whoever comes after him has sent nothing."""
    async with stage() as s:
        await scripted(s, Listener())
        async with opened(s) as websocket:
            s.network.connections[-1].cut()  # nobody has read that yet
            first, second = Parcel("first"), Parcel("second")
            websocket.post(first)
            with pytest.raises(StreamClosedError, match="1006"):
                websocket.post(second)
            assert (first.left_ns is None, first.written_ns, second.asked_at) == (False, None, None)


@virtually
async def test_nothing_is_said_after_goodbye() -> None:
    """Not even while the venue's own goodbye is waited for."""
    async with stage() as s:
        await scripted(s, Listener())
        async with opened(s) as websocket, trio.open_nursery() as nursery:
            nursery.start_soon(websocket.close)
            await trio.testing.wait_all_tasks_blocked()
            parcel = Parcel("late")
            with pytest.raises(StreamClosedError):
                websocket.post(parcel)
            assert parcel.asked_at is None


@virtually
async def test_a_dead_link_takes_what_fits_and_tells_nobody() -> None:
    """That it left is no evidence that it arrived: this is what heartbeats are for."""
    venue = Listener()
    async with stage() as s:
        await scripted(s, venue)
        async with opened(s) as websocket:
            s.link.black_hole()
            parcels = [Parcel(str(number)) for number in range(20)]
            for parcel in parcels:
                websocket.post(parcel)
            await trio.sleep(60)
            assert all(parcel.left_ns is not None for parcel in parcels)
    assert venue.heard == []


@virtually
async def test_who_comes_after_the_end_is_told_how_it_ended() -> None:
    """By the close code; and is never asked."""

    async def leave(venue: Conversation) -> None:
        await venue.connection.aclose(1012, "restart")

    async with stage() as s:
        await scripted(s, leave)
        async with opened(s) as websocket:
            with pytest.raises(StreamClosedError, match="1012 restart"):
                await websocket.receive()
            parcel = Parcel("late")
            with pytest.raises(StreamClosedError, match="1012 restart"):
                websocket.post(parcel)
            await trio.sleep(60)
            assert (parcel.asked_at, parcel.left_ns) == (None, None)
        assert open_connections(s) == 0


@virtually
async def test_what_waits_when_the_connection_is_given_up_is_never_asked() -> None:
    """The writer dies with its connection, in the middle of a frame."""
    venue, parcels = Listener(), [Parcel(str(number)) for number in range(9)]
    async with stage(window=4096) as s:
        await scripted(s, venue)
        async with opened(s) as websocket:
            s.link.black_hole()
            websocket.send("x" * 20_000)
            for parcel in parcels:
                websocket.post(parcel)
            await trio.sleep(60)
        s.link.heal()
        await trio.sleep(600)
        assert open_connections(s) == 0
    assert {parcel.asked_at for parcel in parcels} == {None}
    assert venue.heard == []


@virtually
async def test_whoever_is_cancelled_tears_no_frame() -> None:
    """Callers are cancelled after each number of steps that there is: what the venue hears is always whole."""
    venue = Listener()

    async def post(websocket: WebSocket, text: str) -> None:
        websocket.post(Parcel(text))
        await trio.sleep(RTT)

    steps, posted = 0, list[str]()
    async with stage() as s:
        await scripted(s, venue)
        async with opened(s) as websocket:
            cancelled = True
            while cancelled:
                steps += 1
                text = f"{steps:08}"
                posted.append(text)
                cancelled = await cancelled_after(steps, partial(post, websocket, text + "x" * 30_000))
            await trio.sleep(600)
            assert steps > 10
            assert venue.heard == [text for text in posted if text in venue.heard]
            assert len(venue.heard) >= steps - 2
            websocket.post(Parcel("the last"))
            await trio.sleep(RTT)
    assert venue.heard[-1] == "the last"


@virtually
async def test_no_message_comes_between_the_bytes_of_another() -> None:
    """Many callers at once, and pings between: each message whole, and none left out."""
    venue = Listener()
    async with stage(window=2048) as s:
        await scripted(s, venue)
        async with opened(s) as websocket, trio.open_nursery() as nursery:
            for number in range(40):
                websocket.post(Parcel(f"{number:08}" + "x" * 1000))
                nursery.start_soon(websocket.ping)
            await trio.sleep(600)
    assert sorted(venue.heard) == [f"{number:08}" for number in range(40)]
