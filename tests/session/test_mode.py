"""The watch on the platform's mode: when it asks, what it tells the ordered stream, and what it makes of failures."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import attrs
import trio
import trio.lowlevel
from scripted_venue import Reaction, ScriptedRest, answer, hang_up, open_pool, serve_tls
from session_stage import Longest
from virtual_stage import RTT, stage, virtually

from bot.core.errors import RequestError
from bot.link.http import Http, HttpSettings
from bot.link.pool import Lane
from bot.paradex import orders, rest
from bot.session.capabilities import open_rest
from bot.session.inbox import Item, PlatformMode
from bot.session.mode import ModeWatch

STATE = "/system/state"


def state(status: str) -> Reaction:
    return answer(b'{"status": "%b"}' % status.encode())


@attrs.define(eq=False)
class Play:
    http: Http
    venue: ScriptedRest
    watch: ModeWatch
    told: list[tuple[float, Item]]

    @property
    def modes(self) -> list[str]:
        return [item.mode for _, item in self.told if isinstance(item, PlatformMode)]

    @property
    def asked(self) -> list[float]:
        """When it was asked for, since the first time."""
        times = [each.at for each in self.venue.asked if each.path == STATE]
        return [round(at - times[0], 6) for at in times]

    async def cancel(self, status: int, body: bytes = b"") -> None:
        """Have the venue answer a cancel so."""
        self.venue.by_path["/orders/1"] = answer(body, status)
        with suppress(RequestError):
            async with self.http.reserve(Lane.ORDERS) as lane:
                await lane.send(orders.cancel("1"))


@asynccontextmanager
async def watching(first: Reaction) -> AsyncGenerator[Play]:
    """A watch that has its first answer."""
    async with (
        stage() as s,
        open_pool(s, HttpSettings(idle_timeout=3600)) as http,
        trio.open_nursery() as nursery,
    ):
        venue = ScriptedRest(by_path={STATE: first})
        await serve_tls(s, venue.serve)
        await http.warm_up(rest.system_time())
        told: list[tuple[float, Item]] = []
        watch = ModeWatch(
            plain=open_rest(http),
            inbox=lambda item: told.append((trio.current_time(), item)),
            rng=Longest(),
        )
        nursery.start_soon(watch.run)  # noqa: ASYNC113 - what it asks is waited for
        await watch.asked.wait()
        yield Play(http, venue, watch, told)
        nursery.cancel_scope.cancel()


@virtually
async def test_while_all_is_well_it_asks_once_a_minute_at_most_and_tells_nothing() -> None:
    """The stream takes it for granted that all is well."""
    async with watching(state("ok")) as play:
        await trio.sleep(200)
        assert play.told == []
        assert play.asked == [0, 60, 120, 180]


@virtually
async def test_a_mode_is_told_once_and_asked_for_every_five_seconds() -> None:
    """Until all is well again, which is told, too; with the number of the answer."""
    async with watching(state("cancel_only")) as play:
        [(at, item)] = play.told
        assert item == PlatformMode("cancel_only", exchange=5)
        assert at == trio.current_time()
        await trio.sleep(11)
        play.venue.by_path[STATE] = state("post_only")
        await trio.sleep(5)
        play.venue.by_path[STATE] = state("ok")
        await trio.sleep(70)
        assert play.modes == ["cancel_only", "post_only", "ok"]
        assert play.asked == [0, 5, 10, 15, 20, 80]


@virtually
async def test_a_mode_that_nobody_knows_is_told_as_it_is() -> None:
    """Whatever it may mean, all is not well: it is asked for again soon."""
    async with watching(state("reduce_only")) as play:
        await trio.sleep(6)
        assert play.modes == ["reduce_only"]
        assert play.asked == [0, 5]


@virtually
async def test_an_answer_that_tells_of_a_restriction_has_it_asked_at_once() -> None:
    """A code or a 503 to whatever was asked; anything else is no reason."""
    async with watching(state("ok")) as play:
        await trio.sleep(10)
        await play.cancel(500)
        await play.cancel(404, b'{"error": "ORDER_ID_NOT_FOUND", "message": ""}')
        await trio.sleep(5)
        assert play.asked == [0]
        for status, body in ((503, b""), (400, b'{"error": "SYSTEM_STATUS_CANCEL_ONLY", "message": ""}')):
            play.venue.by_path[STATE] = state(f"heard of {status}")
            heard_at = trio.current_time() + RTT
            await play.cancel(status, body)
            await trio.sleep(RTT)
            await trio.testing.wait_all_tasks_blocked()
            assert play.told[-1][0] == heard_at + RTT
            await trio.sleep(2)
        assert play.modes == ["heard of 503", "heard of 400"]


@virtually
async def test_many_such_answers_are_no_reason_to_ask_more_than_once_a_second() -> None:
    """Not even when each order is refused so."""
    async with watching(state("ok")) as play:
        start = trio.current_time()
        while trio.current_time() < start + 10:
            await play.cancel(503)
        await trio.lowlevel.checkpoint()
        assert len(play.asked) <= 11
        assert all(later - earlier >= 1 for earlier, later in zip(play.asked, play.asked[1:], strict=False))


@virtually
async def test_what_is_refused_while_it_is_asked_has_it_asked_again() -> None:
    """That answer may be older than the refusal."""
    async with watching(answer(b'{"status": "ok"}', after=2)) as play:
        await trio.sleep_until(play.venue.asked[-1].at + 60)
        await play.cancel(400, b'{"error": "SYSTEM_STATUS_CANCEL_ONLY", "message": ""}')
        await trio.sleep(10)
        assert play.asked == [0, 60, 62 + RTT]


@virtually
async def test_when_it_cannot_be_known_the_last_one_stands() -> None:
    """Tried again every five seconds, its own 503 being no reason to do so sooner; nobody waits for it for ever."""
    async with watching(answer(b"", 503)) as play:
        assert (play.told, len(play.asked)) == ([], 1)
        await trio.sleep(1)
        play.venue.by_path[STATE] = answer(b'{"status": 7}')
        await trio.sleep(5)
        play.venue.by_path[STATE] = hang_up()
        await trio.sleep(5)
        play.venue.by_path[STATE] = state("maintenance")
        await trio.sleep(5)
        play.venue.by_path[STATE] = answer(b"", 503)
        await trio.sleep(10)
        assert play.modes == ["maintenance"]
        # The one after the hang-up went over a connection that had to be opened.
        assert play.asked == [0, 5, 10, 15 + 2 * RTT, 20, 25]
