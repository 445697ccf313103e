"""What happens between the bot and the venue."""

from collections.abc import Callable
from functools import partial
from random import Random

from bot.simulation.campaign.schedule import Strike
from bot.simulation.campaign.stage import Stage
from bot.simulation.campaign.strikes.kind import Kind
from bot.simulation.connection import Connection, State
from bot.simulation.path import Passage
from bot.simulation.pipe import Ending
from bot.simulation.rehearsal import NAME

SPELLS = (0.5, 2.0, 5.0, 12.0)
"""Seconds that something lasts."""

PACKETS = 5_000
"""No way carries more a second, however small they are."""


def _shape(stage: Stage, strike: Strike, chance: Random, **shape: float) -> None:
    """Another way for a while."""
    seconds, usual = chance.choice(SPELLS), stage.conditions
    stage.link.shape(**shape)  # type: ignore[arg-type] # a segment is an int, and so is what is given for it
    normal = {"delay": usual.delay, "jitter": usual.jitter, "bandwidth": float("inf"), "segment": 1448}
    stage.network.after(
        seconds,
        lambda: stage.link.shape(**{name: normal[name] for name in shape}),  # type: ignore[arg-type]
    )
    stage.hit(strike, f"{shape} for {seconds:g} s")


def _slow(stage: Stage, strike: Strike, chance: Random) -> None:
    _shape(stage, strike, chance, delay=chance.choice((0.4, 1.0, 2.0)))


def _uneven(stage: Stage, strike: Strike, chance: Random) -> None:
    _shape(stage, strike, chance, jitter=chance.choice((0.5, 1.0, 3.0)))


def _narrow(stage: Stage, strike: Strike, chance: Random) -> None:
    _shape(stage, strike, chance, bandwidth=chance.choice((1000.0, 5000.0, 20_000.0)))


def _sliced(stage: Stage, strike: Strike, chance: Random) -> None:
    segment = chance.choice((1, 3, 50))
    _shape(stage, strike, chance, segment=segment, bandwidth=float(segment * PACKETS))


def _lopsided(stage: Stage, strike: Strike, chance: Random) -> None:
    """One direction is slow, which no measurement of a round trip shows."""
    path, seconds = chance.choice((stage.link.up, stage.link.down)), chance.choice(SPELLS)
    delay = chance.choice((0.3, 0.8, 1.8))
    path.shape(delay=delay)
    stage.network.after(seconds, lambda: path.shape(delay=stage.conditions.delay))
    which = "up" if path is stage.link.up else "down"
    stage.hit(strike, f"{delay:g} s {which} for {seconds:g} s")


def _black_hole(which: str, stage: Stage, strike: Strike, chance: Random) -> None:
    passages = _passages(which, stage.link.up, stage.link.down)
    seconds = chance.choice((*SPELLS, 20.0))
    for passage in passages:
        passage.black_hole()
        stage.network.after(seconds, passage.heal)
    stage.hit(strike, f"for {seconds:g} s")


def _passages(which: str, up: Passage, down: Passage) -> list[Passage]:
    return {"up": [up], "down": [down], "both": [up, down]}[which]


def _stall(stage: Stage, strike: Strike, chance: Random) -> None:
    seconds = chance.choice((0.5, 2.0, 4.0, 9.0))
    stage.link.stall(seconds)
    stage.hit(strike, f"for {seconds:g} s")


def _open(stage: Stage) -> list[Connection]:
    return [each for each in stage.link.connections if each.state is State.OPEN]


def _cut(ending: Ending, stage: Stage, strike: Strike, _: Random) -> None:
    if there := _open(stage):
        stage.link.cut(ending)
        stage.hit(strike, f"{len(there)} connections")


def _cut_later(stage: Stage, strike: Strike, chance: Random) -> None:
    """In the middle of a frame, or of an answer."""
    if there := _open(stage):
        connection, count = chance.choice(there), chance.randint(1, 2000)
        pipe = chance.choice((connection.up, connection.down))
        pipe.cut_after(count, chance.choice(tuple(Ending)))
        stage.hit(
            strike, f"{connection!r} after {count} more bytes {'up' if pipe is connection.up else 'down'}"
        )


def _lose_one(stage: Stage, strike: Strike, chance: Random) -> None:
    """One connection falls silent, the others live."""
    if there := _open(stage):
        connection, which = chance.choice(there), chance.choice(("up", "down", "both"))
        for passage in _passages(which, connection.up, connection.down):
            passage.black_hole()
        stage.hit(strike, f"{connection!r}, {which}")


def _refuse(stage: Stage, strike: Strike, chance: Random) -> None:
    """Whoever connects is refused; to make somebody connect, one connection is cut."""
    seconds = chance.choice(SPELLS)
    stage.link.refuse(chance.choice((0.0, 1.0)))
    stage.network.after(seconds, stage.link.up.heal)
    for connection in _open(stage)[-1:]:
        connection.cut()
    stage.hit(strike, f"for {seconds:g} s")


def _no_names(stage: Stage, strike: Strike, chance: Random) -> None:
    seconds = chance.choice(SPELLS)
    stage.network.names.fail(NAME)
    stage.network.after(seconds, stage.network.names.heal)
    for connection in _open(stage)[-1:]:
        connection.cut()
    stage.hit(strike, f"for {seconds:g} s")


def kinds() -> list[Kind]:
    acts: dict[str, Callable[[Stage, Strike, Random], None]] = {
        "slow network": _slow,
        "uneven network": _uneven,
        "lopsided network": _lopsided,
        "narrow network": _narrow,
        "sliced network": _sliced,
        "stalled network": _stall,
        "connections reset": partial(_cut, Ending.RST),
        "connections ended": partial(_cut, Ending.FIN),
        "connection cut in the middle": _cut_later,
        "connection silent": _lose_one,
        "connections refused": _refuse,
        "names gone": _no_names,
    }
    for which in ("up", "down", "both"):
        acts[f"black hole {which}"] = partial(_black_hole, which)
    return [Kind(name=name, act=act) for name, act in acts.items()]
