"""Whatever programs and faults do to a connection, in whatever order."""

import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress

import attrs
import trio
from hypothesis import given
from hypothesis import strategies as st
from virtual_stage import stage

from bot.simulation.connection import Connection, State
from bot.simulation.pipe import Ending, Pipe
from bot.simulation.world import run


@attrs.define
class Program:
    """One end of a connection, and what it wrote and read there."""

    connection: Connection
    outgoing: Pipe
    socket: trio.socket.SocketType
    written: bytes = b""
    read: bytes = b""

    async def send(self) -> None:
        data = bytes(range(len(self.written) % 200, len(self.written) % 200 + 9))
        self.written += data[: await self.socket.send(data)]

    async def receive(self) -> None:
        self.read += await self.socket.recv(5)

    async def end(self) -> None:
        await trio.lowlevel.checkpoint()
        self.socket.shutdown(socket.SHUT_WR)

    async def close(self) -> None:
        await trio.lowlevel.checkpoint()
        self.socket.close()

    async def abort(self) -> None:
        await trio.lowlevel.checkpoint()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    async def fault(self, what: Callable[[], None]) -> None:
        await trio.sleep(0.01)
        what()


ACTIONS: dict[str, Callable[[Program], Awaitable[None]]] = {
    "send": Program.send,
    "receive": Program.receive,
    "end": Program.end,
    "close": Program.close,
    "abort": Program.abort,
    "reset": lambda program: program.fault(program.connection.cut),
    "hang up": lambda program: program.fault(lambda: program.connection.cut(Ending.FIN)),
    "cut soon": lambda program: program.fault(lambda: program.outgoing.cut_after(4)),
    "stall": lambda program: program.fault(lambda: program.outgoing.stall(0.3)),
    "black hole": lambda program: program.fault(program.outgoing.black_hole),
    "heal": lambda program: program.fault(program.connection.heal),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(ACTIONS)), st.sampled_from([0, 1]))), st.integers(0, 2**32))
def test_what_is_read_is_the_beginning_of_what_was_written(actions: list[tuple[str, int]], seed: int) -> None:
    """Errors are those of sockets, nothing is lost or doubled on the way, and in the end the connection has ended."""

    async def play() -> None:
        async with stage(delay=0.01, seed=seed, window=50) as s:
            s.link.shape(jitter=0.02, segment=7)
            client, server, connection = await s.connect()
            programs = [
                Program(connection, connection.up, client.socket),
                Program(connection, connection.down, server.socket),
            ]
            for action, who in actions:
                with trio.move_on_after(0.1), suppress(OSError):
                    await ACTIONS[action](programs[who])
            for one, other in (programs, programs[::-1]):
                assert one.written.startswith(other.read)
                await one.close()
            connection.heal()
            await trio.sleep(1)
            assert connection.state in {State.CLOSED, State.RESET}
            assert {end.is_readable() for end in (connection.client, connection.server)} == {True}

    run(play, seed=seed)
