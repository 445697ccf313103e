"""Capabilities: made by nobody but their ``open_*``, and dead with their scope."""

import json
from contextlib import suppress
from math import inf

import pytest
import trio
from virtual_stage import virtually

from bot.core.errors import RefusedError, SessionGoneError, UnknownOutcomeError
from bot.core.tape import HIDDEN
from bot.link.http import Http
from bot.link.websocket import WebSocket
from bot.paradex import rpc
from bot.session.capabilities import (
    AuthedRest,
    Rest,
    Session,
    Token,
    TokenKeeper,
    open_authed_rest,
    open_session,
)
from bot.session.stream import Stream, open_stream


@pytest.mark.parametrize("capability", [Rest, AuthedRest, Stream, Session])
def test_capabilities_cannot_be_constructed(capability: type) -> None:
    """Neither with arguments nor without: they have to be handed over."""
    for arguments in ((), (1,), (1, 2)):
        with pytest.raises(TypeError, match=f"a {capability.__name__} cannot be constructed"):
            capability(*arguments)


def test_a_session_is_void_when_its_block_ends() -> None:
    """However it ends; until then it permits orders."""
    with suppress(ZeroDivisionError), open_session(3) as session:
        session.check()
        assert (session.generation, session.is_alive) == (3, True)
        raise ZeroDivisionError
    assert not session.is_alive
    with pytest.raises(SessionGoneError, match="session 3 is gone"):
        session.check()


def test_a_token_does_not_show_itself() -> None:
    """Its text is in no repr, and so in no log."""
    token = Token("eyJsecret", expires_at=300.0, lifetime=300.0)
    assert "eyJ" not in repr(token)
    assert "300" in repr(token)


@virtually
async def test_a_refused_token_wakes_its_renewal_once() -> None:
    """A refusal of an older token says nothing of the current one; each renewal waits for a new refusal."""
    old, new = Token("old", inf, 300), Token("new", inf, 300)
    keeper = TokenKeeper(old)
    keeper.refused(old)
    await keeper.wait_refused()
    keeper.renewed(new)
    assert keeper.token is new
    keeper.refused(old)
    with trio.move_on_after(1) as nothing:
        await keeper.wait_refused()
    assert nothing.cancelled_caught
    keeper.refused(new)
    await keeper.wait_refused()


@virtually
async def test_others_may_report_that_the_token_is_refused() -> None:
    """The WebSocket hears it first, sometimes: whoever holds an `AuthedRest` may have its token renewed."""
    keeper = TokenKeeper(Token("current", inf, 300))
    authed = open_authed_rest(Http.__new__(Http), keeper)
    assert authed.token is keeper.token
    authed.token_refused(authed.token)
    await keeper.wait_refused()


class Wire(WebSocket):
    """A WebSocket that only remembers what was sent, and what is shown of it."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.shown: list[str | None] = []
        self.arrived_ns = 0

    def send(self, frame: str, *, shown: str | None = None) -> None:
        self.sent.append(frame)
        self.shown.append(shown)


@virtually
async def test_replies_find_their_requests_in_any_order() -> None:
    """By id; a success returns, an error is raised where it was asked for, and what nobody asked for is said so."""
    wire = Wire()
    stream = open_stream(wire)
    ended: list[str] = []

    async def call(method: str) -> None:
        try:
            await stream.call(method, {"a": 1})
            ended.append(method)
        except (RefusedError, UnknownOutcomeError) as error:
            ended.append(f"{method}: {error}")

    async with trio.open_nursery() as nursery:
        for method in ("one", "two", "three"):
            nursery.start_soon(call, method)
            await trio.testing.wait_all_tasks_blocked()
        assert [json.loads(frame) for frame in wire.sent] == [
            {"jsonrpc": "2.0", "method": method, "params": {"a": 1}, "id": number}
            for number, method in enumerate(("one", "two", "three"), 1)
        ]
        for reply in (
            rpc.Reply(3, RefusedError(40300, "", "no")),
            rpc.Reply(1, UnknownOutcomeError("perhaps")),
            rpc.Reply(2, None),
        ):
            assert stream.replied(reply, 5)
            await trio.testing.wait_all_tasks_blocked()
    assert ended == ["three: 40300: no", "one: perhaps", "two"]
    for unknown in (2, 4, "1", 0):
        assert not stream.replied(rpc.Reply(unknown, None), 5)


@virtually
async def test_a_secret_among_the_parameters_is_sent_and_not_shown() -> None:
    """Everything else of the frame is; a call without a secret is shown as it is sent."""
    wire = Wire()
    stream = open_stream(wire)
    with trio.move_on_after(1):
        await stream.call("auth", {"bearer": "eyJsecret"}, secret="eyJsecret")
    with trio.move_on_after(1):
        await stream.call("subscribe", {"channel": "orders"})
    assert json.loads(wire.sent[0])["params"] == {"bearer": "eyJsecret"}
    assert wire.shown == [wire.sent[0].replace("eyJsecret", HIDDEN), None]


@virtually
async def test_a_cancelled_call_waits_for_no_reply() -> None:
    """What comes later is a reply that nobody asked for."""
    stream = open_stream(Wire())
    with trio.move_on_after(5):
        await stream.call("auth", {})
    assert not stream.replied(rpc.Reply(1, None), 5)
