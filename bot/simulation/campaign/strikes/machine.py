"""What happens to the machine of the bot: clock, disk, signals, and the end of its process."""

import errno
from collections.abc import Callable
from functools import partial
from random import Random

from bot.core.tape import Kind as Record
from bot.simulation.campaign.disk import MachineDisk
from bot.simulation.campaign.life import Life
from bot.simulation.campaign.schedule import Strike
from bot.simulation.campaign.stage import Stage
from bot.simulation.campaign.strikes.kind import Excuse, Kind


def _set_clock(steps: tuple[float, ...], stage: Stage, strike: Strike, chance: Random) -> None:
    """Somebody does; and some time later somebody sets it right."""
    seconds, until = chance.choice(steps), chance.choice((3.0, 8.0, 20.0))
    stage.clock.ahead_ns += round(seconds * 1e9)

    def set_right() -> None:
        stage.clock.ahead_ns = 0

    stage.network.after(until, set_right)
    stage.hit(strike, f"{seconds:+g} s for {until:g} s")


def _on_disk(
    spoil: Callable[[MachineDisk], None], text: str, stage: Stage, strike: Strike, chance: Random
) -> None:
    life, seconds = stage.life, chance.choice((1.0, 4.0, 12.0))
    if life is None:
        return
    spoil(life.disk)

    def mend() -> None:
        if life.killed_at is None:
            life.disk.heal()

    stage.network.after(seconds, mend)
    stage.hit(strike, f"{text} for {seconds:g} s")


def _full(disk: MachineDisk) -> None:
    disk.room = 700


def _broken(disk: MachineDisk) -> None:
    disk.write_error = errno.EIO


def _short(disk: MachineDisk) -> None:
    disk.piece = 100


def _slow_sync(disk: MachineDisk) -> None:
    disk.sync_seconds = 3.0


def _failing_sync(disk: MachineDisk) -> None:
    disk.sync_error = errno.EIO


def _signal(name: str, echo: float | None, stage: Stage, strike: Strike, _: Random) -> None:
    life = stage.life
    if life is None or life.rehearsal.stop.is_asked:
        return
    stop = life.rehearsal.stop
    stop.signalled(name)
    if echo is not None:
        stage.network.after(echo, stop.signalled, name)
    stage.hit(strike, "" if echo is None else f"and again after {echo:g} s")


def _pull(stage: Stage, strike: Strike, chance: Random) -> None:
    """The kill switch holds for the rest of the run, so that is not long."""
    life = stage.life
    if life is None or life.rehearsal.stop.is_asked:
        return
    stop, seconds = life.rehearsal.stop, chance.choice((1.0, 4.0, 10.0))
    stop.kill_switch.pull("SIGUSR1")
    stage.network.after(seconds, stop.signalled, "SIGTERM")
    stage.hit(strike, f"and SIGTERM after {seconds:g} s")


def _kill(stage: Stage, strike: Strike, chance: Random) -> None:
    _die(stage, strike, stage.life, arrives=chance.random() < 0.5)


def _die(stage: Stage, strike: Strike, life: Life | None, *, arrives: bool) -> None:
    if life is not None and life.killed_at is None and not life.is_over:
        stage.hit(strike, f"what is on its way {'arrives' if arrives else 'is lost'}")
        life.kill(in_flight_arrives=arrives)


def _kill_at(kind: Record, stage: Stage, strike: Strike, chance: Random) -> None:
    """Right when the next message of this kind was written down."""
    life, arrives = stage.life, chance.random() < 0.5
    if life is None:
        return
    begin = chance.choice(("POST", "DELETE", "")) if kind is Record.REQUEST else ""

    def listen(way: str, text: str) -> None:
        if way == kind and text.startswith(begin):
            _die(stage, strike, life, arrives=arrives)

    life.rehearsal.messages.listeners.append(listen)


def _kill_in_a_write(stage: Stage, strike: Strike, chance: Random) -> None:
    life, arrives = stage.life, chance.random() < 0.5
    if life is not None and life.killed_at is None:
        life.disk.dies_in_a_write = lambda: _die(stage, strike, life, arrives=arrives)


def _kill_again(stage: Stage, strike: Strike, chance: Random) -> None:
    """And the next life, too, before it has come far."""
    _kill(stage, strike, chance)
    stage.network.after(chance.choice((0.3, 0.6, 1.0, 1.5)), _kill, stage, strike, chance)


def kinds() -> list[Kind]:
    may_give_up = frozenset({Excuse.FATAL})
    return [
        Kind(name="clock set a little", act=partial(_set_clock, (-2.0, -0.4, 0.4, 2.0))),
        Kind(name="clock set forward", act=partial(_set_clock, (6.0, 600.0))),
        Kind(name="clock set back", act=partial(_set_clock, (-6.0, -600.0))),
        Kind(name="disk full", act=partial(_on_disk, _full, "no room"), excuses=may_give_up),
        Kind(name="disk broken", act=partial(_on_disk, _broken, "no write"), excuses=may_give_up),
        Kind(name="short writes", act=partial(_on_disk, _short, "100 bytes at a time")),
        Kind(name="slow sync", act=partial(_on_disk, _slow_sync, "3 s a sync"), excuses=may_give_up),
        Kind(name="failing sync", act=partial(_on_disk, _failing_sync, "no sync"), excuses=may_give_up),
        Kind(name="SIGINT", act=partial(_signal, "SIGINT", None)),
        Kind(name="SIGINT twice", act=partial(_signal, "SIGINT", 0.3)),
        Kind(name="SIGTERM, SIGTERM", act=partial(_signal, "SIGTERM", 1.5)),
        Kind(name="SIGUSR1", act=_pull),
        Kind(name="kill", act=_kill),
        Kind(name="kill twice", act=_kill_again),
        Kind(name="kill in a write", act=_kill_in_a_write),
        Kind(name="kill at a request", act=partial(_kill_at, Record.REQUEST), weight=2),
        Kind(name="kill at an answer", act=partial(_kill_at, Record.ANSWER)),
        Kind(name="kill at an update", act=partial(_kill_at, Record.FRAME_IN)),
    ]
