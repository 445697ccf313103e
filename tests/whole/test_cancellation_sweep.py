"""The whole bot, cancelled at its checkpoints: a sixteenth of what `just sweep` does, and which one changes."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import Any

import pytest
import trio

from bot import app
from bot.core.order import Order
from bot.link.answer import Permit
from bot.link.pool import Connection, Lane, Pool
from bot.link.websocket import WebSocket
from bot.paradex.request import Request
from bot.session.capabilities import AuthedReservation, AuthedRest
from bot.session.generation import Generations
from bot.simulation.sweep.cases import Case, cases, violations
from bot.simulation.sweep.checkpoints import Scope
from bot.simulation.sweep.session import play
from bot.simulation.world import replaced
from bot.trading.requests import REST, WS

SEED = 1
EVERY = 16
PARTS = 10

every_case = cache(partial(cases, SEED))


def chosen() -> list[Case]:
    """Those of this run of the tests: its header shows SWEEP_SEED, and the same seed chooses the same again."""
    return every_case()[int(os.environ["SWEEP_SEED"]) % EVERY :: EVERY]


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_is_cancelled_nothing_is_lost_doubled_or_left(part: int) -> None:
    """Each violation comes with the command that shows its session."""
    found = [violation for case in chosen()[part::PARTS] for violation in violations(case)]
    assert not found, "\n".join(found)


def test_the_session_repeats() -> None:
    """A point is a number: the session has to come to the same checkpoints again, with the same messages."""
    first, second = play(seed=SEED), play(seed=SEED)
    assert first.notes.lines == second.notes.lines
    assert first.checkpoints.points == second.checkpoints.points


def test_every_scope_is_met() -> None:
    """With TLS and without, by either way of orders."""
    met = {(case.point.scope, case.tls, case.via) for case in every_case()}
    assert met == {
        (scope, tls, via) for scope in Scope for tls, via in ((False, REST), (False, WS), (True, REST))
    }


async def do_not_cancel(authed: AuthedRest, left: list[Order]) -> None:
    """In place of `cancel_leftovers`."""
    del authed, left
    await trio.lowlevel.checkpoint()


@asynccontextmanager
async def keep_what_is_cancelled(pool: Pool[Any], lane: Lane, **_: bool) -> AsyncIterator[Connection[Any]]:
    """In place of `Pool.reserve`."""
    async with pool._lanes[lane]:
        connection = pool._idle.pop()
        yield connection
        pool._idle.append(connection)


def send_again(send: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """In place of `AuthedReservation.send`."""

    async def sent(reservation: AuthedReservation, request: Request[Any], *permit: Permit) -> Any:
        try:
            return await send(reservation, request, *permit)
        except trio.Cancelled:
            with trio.move_on_after(1, shield=True):
                await send(reservation, request)
            raise

    return sent


async def forget_a_task(generations: Generations, websocket: WebSocket) -> None:
    """In place of `Generations._heartbeat`."""
    del generations, websocket
    trio.lowlevel.spawn_system_task(trio.sleep_forever)
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("place", "name", "fault", "scope", "words", "via"),
    [
        (app, "cancel_leftovers", do_not_cancel, Scope.WORK, "rests (OPEN), and is named", REST),
        (
            Pool,
            "reserve",
            keep_what_is_cancelled,
            Scope.CALLER,
            "the pool broke, 1 of 2 reserved: IndexError",
            REST,
        ),
        (AuthedReservation, "send", send_again(AuthedReservation.send), Scope.WORK, "was sent 2 times", REST),
        (Generations, "_heartbeat", forget_a_task, Scope.GENERATION, "was left behind", WS),
    ],
    ids=["resting", "pool", "twice", "task"],
)
def test_it_would_find(place: object, name: str, fault: object, scope: Scope, words: str, via: str) -> None:
    """What the sweep looks for it also finds: here are faults for it."""
    suspects = [
        case for case in every_case() if (case.point.scope, case.tls, case.via) == (scope, False, via)
    ]
    with replaced(place, name, fault):
        assert any(words in violation for case in suspects[::7] for violation in violations(case))
