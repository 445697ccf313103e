"""Why the bot is stopping: said once, heard by everyone."""

import pytest
import trio
from virtual_stage import virtually

from bot.core.errors import NotSentError
from bot.session.stop import Stop


@virtually
async def test_the_first_reason_stays() -> None:
    """Whoever asks again changes nothing, and does not hurry either."""
    stop = Stop()
    assert (stop.is_asked, stop.reason) == (False, "")
    stop.ask("SIGINT")
    stop.ask("SIGTERM")
    assert (stop.is_asked, stop.reason) == (True, "SIGINT")
    with trio.move_on_after(1) as hurry:
        await stop.wait_hurry()
    assert hurry.cancelled_caught


@virtually
async def test_everyone_who_waits_hears_of_it() -> None:
    """Tasks that wait go on, and a scope that holds nothing yet is cancelled, at that very moment."""
    stop = Stop()
    heard: list[tuple[str, float]] = []

    async def wait(name: str) -> None:
        await stop.wait_asked()
        heard.append((name, trio.current_time()))

    async def starting(nursery: trio.Nursery) -> None:
        with trio.CancelScope() as scope:
            nursery.start_soon(stop.cancel, scope)
            await trio.sleep_forever()
        heard.append(("starting", trio.current_time()))

    async with trio.open_nursery() as nursery:
        for name in ("one", "two"):
            nursery.start_soon(wait, name)
        nursery.start_soon(starting, nursery)
        await trio.sleep(3)
        stop.ask("enough")
    assert sorted(heard) == [("one", 3), ("starting", 3), ("two", 3)]
    await stop.wait_asked()


@virtually
async def test_a_second_signal_hurries_unless_it_is_an_echo_of_the_first() -> None:
    """Launchers deliver a Ctrl-C twice: up to a second later it is the same wish. The first reason stays."""
    stop = Stop()
    await trio.sleep(10)
    stop.signalled("SIGINT")
    assert stop.is_asked
    stop.signalled("SIGINT")
    await trio.sleep(1)
    stop.signalled("SIGINT")
    with trio.move_on_after(0.5) as patience:
        await stop.wait_hurry()
    assert patience.cancelled_caught
    stop.signalled("SIGTERM")
    await stop.wait_hurry()
    assert (trio.current_time(), stop.reason) == (11.5, "SIGINT")


@virtually
async def test_a_signal_long_after_another_wish_to_stop_hurries() -> None:
    """Whatever asked first: the clock runs from there."""
    stop = Stop()
    stop.ask("--for 60")
    await trio.sleep(1.5)
    stop.signalled("SIGINT")
    await stop.wait_hurry()
    assert (trio.current_time(), stop.reason) == (1.5, "--for 60")


@virtually
async def test_no_new_order_leaves_once_the_bot_is_stopping() -> None:
    """`NotSentError` with the reason; before that nothing is refused."""
    stop = Stop()
    stop.refuse_new_orders()
    stop.ask("SIGTERM")
    await stop.wait_asked()
    with pytest.raises(NotSentError, match="stopping: SIGTERM"):
        stop.refuse_new_orders()


@virtually
async def test_no_new_order_leaves_once_the_kill_switch_is_pulled() -> None:
    """Though the bot does not stop. The first reason stays, and the stop's comes before it."""
    stop = Stop()
    stop.kill_switch.pull("SIGUSR1")
    stop.kill_switch.pull("a limit")
    await stop.kill_switch.wait_pulled()
    assert not stop.is_asked
    with pytest.raises(NotSentError, match=r"the kill switch is pulled: SIGUSR1$"):
        stop.refuse_new_orders()
    stop.ask("SIGTERM")
    with pytest.raises(NotSentError, match="stopping: SIGTERM"):
        stop.refuse_new_orders()


@virtually
async def test_a_stop_has_no_time_for_long_waits() -> None:
    """A block is left so many seconds after the stop was asked for, whenever it was entered; before, it may last."""
    stop = Stop()
    left: list[tuple[str, float]] = []

    async def wait(name: str, begin: float, end: float) -> None:
        await trio.sleep(begin)
        with stop.no_longer_than(2):
            await trio.sleep_until(end)
        left.append((name, trio.current_time()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, "done before", 0, 9)
        nursery.start_soon(wait, "waits for too long", 0, 100)
        nursery.start_soon(wait, "quick enough", 0, 11)
        nursery.start_soon(wait, "begun later", 11, 100)
        nursery.start_soon(wait, "begun too late", 50, 100)
        await trio.sleep(10)
        stop.ask("enough")
    assert sorted(left, key=lambda each: each[1]) == [
        ("done before", 9),
        ("quick enough", 11),
        *sorted([("waits for too long", 12), ("begun later", 12)], key=left.index),
        ("begun too late", 50),
    ]
