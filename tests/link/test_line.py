"""What is known of a request's way: it leaves in one piece, and when it left and its answer came is on the tape."""

import h11
import pytest
import trio
from scripted_venue import (
    EPOCH_NS,
    ORDER,
    TWO,
    Asked,
    RecordingTape,
    answer,
    housekeeping,
    open_pool,
    opened_venue,
    order,
)
from virtual_stage import RTT, stage, virtually

from bot.core.errors import NotSentError, RefusedError
from bot.core.tape import Kind
from bot.core.wire import Wire
from bot.link.clock import TrioClock
from bot.link.line import written
from bot.link.pool import Lane

REFUSED = answer(b'{"error":"VALIDATION_ERROR","message":"no"}', 400)


def ns(seconds: float) -> int:
    return round(seconds * 1e9)


@virtually
async def test_a_request_leaves_in_one_piece() -> None:
    """Headers and body in one packet, and so in one TLS record; whether it may is asked right before that, once."""
    async with stage() as s, open_pool(s, TWO) as http:
        venue = await opened_venue(s)
        await order(http)
        pipe = s.network.connections[-1].up
        asked: list[tuple[int, float]] = []

        def permit() -> None:
            asked.append((pipe.packets, trio.current_time()))

        before = pipe.packets
        async with http.reserve(Lane.ORDERS) as reservation:
            await reservation.send(ORDER, permit)
        assert (pipe.packets - before, asked) == (1, [(before, 3 * RTT)])
        assert (venue.asked[-1].body, venue.asked[-1].headers["content-length"]) == (b'{"size":"1"}', "12")


@virtually
async def test_the_tape_has_the_way_of_each_order() -> None:
    """Cold and warm, taken and refused: right after the answer. Housekeeping has none, nor has what got no answer."""
    tape = RecordingTape(TrioClock(EPOCH_NS))
    async with stage() as s, open_pool(s, TWO, tape=tape) as http:
        venue = await opened_venue(s)
        await order(http)
        await trio.sleep(5)
        venue.by_path["/orders"] = answer(after=0.25)
        await order(http)
        venue.by_path["/orders"] = REFUSED
        with pytest.raises(RefusedError):
            await order(http)
        await housekeeping(http)
    cold, slow, refused = (data for kind, data in tape.told(Kind.WIRE))
    assert cold == {
        "x": 1,
        "reused": False,
        "idle_ns": 0,
        "opened_ns": ns(2 * RTT),
        "written_ns": ns(2 * RTT),
        "first_ns": ns(3 * RTT),
        "parsed_ns": ns(3 * RTT),
        "rtt_us": None,
    }
    sent = 3 * RTT + 5
    assert (slow["x"], slow["reused"], slow["idle_ns"], slow["written_ns"]) == (2, True, ns(5), ns(sent))
    assert slow["first_ns"] == pytest.approx(ns(sent + RTT + 0.25), abs=1)
    assert (refused["x"], refused["idle_ns"]) == (3, 0)
    kinds = [record.kind for record in tape.records]
    assert [kinds[at - 1] for at, kind in enumerate(kinds) if kind is Kind.WIRE] == [Kind.ANSWER] * 3


@virtually
async def test_the_first_byte_is_not_the_last() -> None:
    """An answer that comes in pieces began with its first one."""

    async def in_pieces(stream: trio.abc.Stream, _: Asked) -> None:
        for piece in (b"HTTP/1.1 200 OK\r\n", b"content-length: 2\r\n\r\n", b"{}"):
            await stream.send_all(piece)
            await trio.sleep(1)

    tape = RecordingTape(TrioClock(EPOCH_NS))
    async with stage() as s, open_pool(s, TWO, tape=tape) as http:
        (await opened_venue(s)).reaction = in_pieces
        await order(http)
    [(_, wire)] = tape.told(Kind.WIRE)
    assert (wire["first_ns"], wire["parsed_ns"]) == (ns(3 * RTT), ns(3 * RTT + 2))


def test_what_the_tape_gets() -> None:
    """All of it, by the number of the exchange."""
    wire = Wire(x=9, reused=False, idle_ns=1, opened_ns=6, written_ns=2, first_ns=3, parsed_ns=4, rtt_us=5)
    assert wire.told() == {
        "x": 9,
        "reused": False,
        "idle_ns": 1,
        "opened_ns": 6,
        "written_ns": 2,
        "first_ns": 3,
        "parsed_ns": 4,
        "rtt_us": 5,
    }


HEADERS = [(b"Host", b"venue.test"), (b"Authorization", b"Bearer a.b-c"), (b"Content-Length", b"2")]


@pytest.mark.parametrize(("method", "headers", "body"), [("POST", HEADERS, b"{}"), ("GET", HEADERS[:2], b"")])
def test_a_request_stands_on_the_wire_as_h11_would_write_it(
    method: str, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    """To the byte: h11 is told afterwards what has left, and reads the answer to that."""
    http = h11.Connection(h11.CLIENT)
    events = [
        h11.Request(method=method, target=b"/v1/orders?x=1", headers=headers),
        *([h11.Data(data=body)] if body else []),
        h11.EndOfMessage(),
    ]
    expected = b"".join(http.send(event) or b"" for event in events)
    assert written(method, b"/v1/orders?x=1", headers, body) == expected


@pytest.mark.parametrize("bad", [b"a\r\nX-Other: 1", b"a\nb", b"a\0b", b"a\rb", b"a\x7f"])
def test_nothing_can_be_smuggled_into_a_head(bad: bytes) -> None:
    """A token or a path that holds the end of a line is refused before a byte leaves."""
    with pytest.raises(h11.LocalProtocolError):
        written("GET", b"/v1/orders", [(b"Authorization", bad)], b"")
    with pytest.raises(h11.LocalProtocolError):
        written("GET", b"/v1/" + bad, [], b"")


@virtually
async def test_a_head_that_is_refused_has_not_left() -> None:
    """The order is proved not to have been sent, and the next one goes."""
    async with stage() as s, open_pool(s, TWO) as http:
        venue = await opened_venue(s)
        async with http.reserve(Lane.ORDERS) as reservation:
            with pytest.raises(NotSentError, match="control character"):
                await reservation.send(ORDER, bearer="a\r\nX: 1")
        assert venue.asked == []
        await order(http)
        assert len(venue.asked) == 1


@virtually
async def test_who_is_cancelled_already_sends_nothing() -> None:
    """Nor is the permit asked."""
    async with stage() as s, open_pool(s, TWO) as http:
        venue = await opened_venue(s)
        await order(http)
        asked = list[str]()
        async with http.reserve(Lane.ORDERS) as reservation:
            with trio.CancelScope() as scope:
                scope.cancel()
                await reservation.send(ORDER, lambda: asked.append("asked"))
        await trio.sleep(RTT)
        assert (len(venue.asked), asked) == (1, [])
