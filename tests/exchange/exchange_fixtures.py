"""What most tests of the exchange begin with: a room, a client's connection to it, and a trader who is logged in."""

from collections.abc import AsyncIterator

import pytest
from exchange_stage import HttpClient, Stage, Trader, stage
from trio.testing import MockClock


@pytest.fixture
async def room(autojump_clock: MockClock) -> AsyncIterator[Stage]:  # noqa: ARG001 - the clock is the test's
    async with stage() as it:
        yield it


@pytest.fixture
async def client(room: Stage) -> HttpClient:
    return room.http()


@pytest.fixture
async def trader(client: HttpClient) -> Trader:
    somebody = Trader()
    await somebody.log_in(client)
    return somebody
