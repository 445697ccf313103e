"""What signals ask of a bot that runs, and a terminal that is closed."""

import os
import select
import signal
from collections.abc import Sequence

import trio

from bot.session.stop import Stop
from bot.signals import KILL_SWITCH, EarlySignals

PASSED_ON = 1.0
"""Seconds that a shell may take to pass a hangup on, and to end."""


async def watch_signals(
    stop: Stop, early: EarlySignals, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Pass on each signal, those first that came before; until it is cancelled."""
    with trio.open_signal_receiver(*early.numbers) as signals:
        for number in early.received:
            _pass_on(number, stop)
        task_status.started()
        async with trio.open_nursery() as nursery:
            if signal.SIGHUP in early.numbers:
                nursery.start_soon(_watch_terminal, stop)
            async for number in signals:
                _pass_on(number, stop)


def _pass_on(number: int, stop: Stop) -> None:
    name = signal.Signals(number).name
    if name == KILL_SWITCH:
        stop.kill_switch.pull(name)
    else:
        stop.signalled(name)


async def _watch_terminal(stop: Stop) -> None:
    """Ask for the stop when our terminal is gone, and who was told of it keeps that to himself.

    The system tells the leader of the session. A shell passes it on, to all that it has not disowned, and ends; then
    there is nothing to do here. But `just`, where it leads, waits for us, and says nothing.
    """
    terminals = [number for number in (0, 1, 2) if os.isatty(number)]
    if not terminals:
        return
    hung_up = await trio.to_thread.run_sync(_wait_for_hangup, terminals, abandon_on_cancel=True)
    await trio.sleep(PASSED_ON)
    if hung_up and _leader_lives():
        stop.ask("SIGHUP")


def _wait_for_hangup(terminals: Sequence[int]) -> bool:
    """False if this system does not tell."""
    poll = select.poll()
    for number in terminals:
        poll.register(number, 0)  # of input and output it shall say nothing; hangups are always told
    return any(what & select.POLLHUP for _, what in poll.poll())


def _leader_lives() -> bool:
    try:
        os.kill(os.getsid(0), 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True
