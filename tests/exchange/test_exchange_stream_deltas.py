"""The delta feed against the book: whoever applies what it says has the book, number by number."""

from typing import Any

import trio
import trio.testing
from exchange_stage import SocketClient, Stage
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_stage import BTC, heard, listening, logged_in, order, still
from trio.testing import MockClock

from bot.core.fixed import render

Levels = dict[tuple[str, str], str]

ACTIONS = st.one_of(
    st.tuples(st.just("place"), st.sampled_from(["BUY", "SELL"]), st.integers(-3, 3), st.integers(1, 3)),
    st.tuples(st.just("take"), st.sampled_from(["BUY", "SELL"]), st.integers(0, 0), st.integers(1, 3)),
    st.tuples(st.just("cancel"), st.just(""), st.integers(0, 5), st.just(0)),
)


class Mirror:
    """A listener's copy of the book."""

    def __init__(self, room: Stage, socket: SocketClient) -> None:
        self.room, self.socket = room, socket
        self.levels: Levels = {}
        self.number = 0

    async def follow(self) -> None:
        """Apply all that came, as a client does, and compare with the book."""
        for frame in await heard(self.socket):
            if frame.get("method") == "subscription":
                self.apply(frame["params"]["data"])
        book = self.room.exchange.engine.books[BTC]
        assert self.number == book.seq_no
        assert self.levels == {
            (side, render(level.price)): render(level.size)
            for side in ("BUY", "SELL")
            for level in book.levels(side)
        }

    def apply(self, data: dict[str, Any]) -> None:
        """The first is whole, the others follow it; a level is inserted where none is, changed where one is."""
        assert (data["update_type"] == "s") == (self.number == 0)
        assert self.number in {0, data["seq_no"] - 1}
        self.number = data["seq_no"]
        for row in data["inserts"]:
            assert (row["side"], row["price"]) not in self.levels
            self.levels[row["side"], row["price"]] = row["size"]
        for row in data["updates"]:
            assert self.levels[row["side"], row["price"]] != row["size"]
            self.levels[row["side"], row["price"]] = row["size"]
        for row in data["deletes"]:
            assert row["size"] == "0"
            del self.levels[row["side"], row["price"]]


async def mirror(room: Stage) -> Mirror:
    """A new listener, which has the book from the start."""
    it = Mirror(room, await room.websocket(message_queue_size=1000))
    await it.socket.send("subscribe", {"channel": f"order_book.{BTC}.deltas"})
    await it.follow()
    return it


@settings(max_examples=15, deadline=None)
@given(actions=st.lists(ACTIONS, min_size=1, max_size=12), late=st.integers(0, 11))
def test_deltas_add_up_to_the_book(actions: list[tuple[str, str, int, int]], late: int) -> None:
    """Numbers rise by one, whether levels change or not, and both an early and a late listener have the book."""

    async def story() -> None:
        async with still() as room:
            maker, taker = await logged_in(room), await logged_in(room, 77)
            makers, takers = [await listening(room, who, "transfers") for who in (maker, taker)]
            mirrors = [await mirror(room)]
            for step, (action, side, offset, lots) in enumerate(actions):
                if step == late:
                    mirrors.append(await mirror(room))
                size = f"0.00{lots}"
                if action == "place":
                    price = str((84990 if side == "BUY" else 85010) + offset)
                    await makers.call("order.create", order(side=side, price=price, size=size))
                elif action == "take":
                    changes = {"price": "85013" if side == "BUY" else "84987", "instruction": "IOC"}
                    await takers.call("order.create", order(side=side, size=size, **changes))
                else:
                    live = [each.id for each in room.exchange.resting(maker.address)]
                    await makers.call("order.cancel_batch", {"order_ids": live[offset : offset + 1] or ["1"]})
                await trio.testing.wait_all_tasks_blocked()
                for each in mirrors:
                    await each.follow()

    trio.run(story, clock=MockClock(autojump_threshold=0))
