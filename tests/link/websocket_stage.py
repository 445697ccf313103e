"""The WebSocket under test, and a venue at the other end of it."""

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from scripted_venue import EPOCH_NS, WS_URL, RecordingTape, Script, ScriptedSockets, serve_tls
from virtual_stage import Stage

from bot.core.tape import Kind, NoTape, Tape
from bot.link.clock import TrioClock
from bot.link.websocket import StreamSettings, WebSocket, open_websocket
from bot.simulation.rehearsal import contexts

PORT = 8443


@asynccontextmanager
async def opened(
    s: Stage,
    *,
    url: str = WS_URL,
    tls: ssl.SSLContext | None = None,
    settings: StreamSettings | None = None,
    tape: Tape | None = None,
) -> AsyncGenerator[WebSocket]:
    """The WebSocket under test, on the bot's host; it is that of generation 7."""
    with s.network.on(s.bot):
        async with open_websocket(
            url,
            tls or contexts()[1],
            settings or StreamSettings(),
            tape or NoTape(TrioClock(EPOCH_NS)),
            generation=7,
            clock=TrioClock(EPOCH_NS),
        ) as websocket:
            yield websocket


def ended(tape: RecordingTape) -> dict[str, object]:
    """The one record of the end, which is the last."""
    [(_, end)] = tape.told(Kind.SOCKET_END)
    assert tape.records[-1].kind is Kind.SOCKET_END
    assert isinstance(end, dict)
    return end


async def scripted(s: Stage, script: Script) -> ScriptedSockets:
    sockets = ScriptedSockets(script)
    await serve_tls(s, sockets.serve, PORT)
    return sockets
