"""What the exchange does to requests and calls, and to updates of private channels."""

from functools import partial
from random import Random
from typing import Any, get_args

import msgspec

from bot.exchange.faults.ask import Way
from bot.exchange.faults.disconnects import Disconnect
from bot.exchange.faults.faults import Fault
from bot.exchange.faults.garbling import FRAMES_ONLY, How, UpdateHow
from bot.exchange.faults.requests import (
    Cut,
    FalseAnswer,
    Garble,
    Late,
    Refuse,
    Silence,
    Stale,
    Swallow,
    Twice,
)
from bot.exchange.faults.updates import (
    CutUpdate,
    DelayUpdate,
    GarbleUpdate,
    LoseUpdate,
    RepeatUpdate,
    SwapUpdate,
)
from bot.simulation.campaign.schedule import Strike
from bot.simulation.campaign.stage import Stage
from bot.simulation.campaign.strikes.kind import Excuse, Kind, Make, rules

WRITES = {"create": 1, "create-batch": 1, "modify": 2, "cancel": 2, "cancel-batch": 2}
"""With the weights of their kinds: the last ones take orders that rest, and happen less often."""

QUOTES = ("bbo",)
LISTS = ("open-orders", "history", "fills")
RARE = ("positions", "state", "time")
"""With the lists, the reads that come every half minute or so."""

LOGIN = ("auth", "config", "markets")
"""What is asked once in a life."""

ONCE = ("onboarding",)
"""What is asked in the first one, until it succeeds."""

EARLY = 0.4
"""The part of the time in which a rule has to be there that is to meet one of the rare reads."""

GATEWAY = ((500, None), (502, None), (503, None), (504, None))
VENUE = ((500, "INTERNAL_ERROR"), (503, "SERVICE_UNAVAILABLE"), (503, "SYSTEM_STATUS_CANCEL_ONLY"))
NO = ((400, "VALIDATION_ERROR"), (404, "NOT_FOUND"), (401, "INVALID_TOKEN"), (403, None), (418, None))


def _times(chance: Random) -> int:
    return chance.choice((1, 2, 2, 3))


def _cut_after(chance: Random) -> float | None:
    return chance.choice((None, 0.0, 0.3, 2.0))


def _swallow(chance: Random, on: str, over: Way) -> Fault:
    return Swallow(on=on, over=over, cut_after=_cut_after(chance), times=_times(chance))


def _refuse(chance: Random, on: str, over: Way) -> Fault:
    status, code = chance.choice(GATEWAY + VENUE + NO)
    return Refuse(on=on, over=over, status=status, code=code, times=_times(chance))


def _throttle(chance: Random, on: str, over: Way) -> Fault:
    seconds = chance.choice((0, 1, 3, None))
    return Refuse(
        on=on, over=over, status=429, code="RATE_LIMIT_EXCEEDED", retry_after=seconds, times=_times(chance)
    )


def _late(chance: Random, on: str, over: Way) -> Fault:
    request, answer = chance.choice((0.0, 1.5, 6.0)), chance.choice((0.2, 1.0, 11.0))
    return Late(on=on, over=over, request=request, answer=answer, times=_times(chance))


def _cut(chance: Random, on: str, over: Way) -> Fault:
    return Cut(on=on, over=over, part=chance.choice((0.0, 0.3, 0.9)), times=_times(chance))


def _twice(chance: Random, on: str, over: Way) -> Fault:
    return Twice(on=on, over=over, times=_times(chance))


def _hows(what: str) -> list[Any]:
    """Ways to garble it. A fill that is said to be somebody else's is believed: nobody can see through that."""
    return [how for how in get_args(How) if not (what == "fills" and how == "another-order")]


def _garble(chance: Random, on: str, over: Way) -> Fault:
    hows = [how for how in _hows(on) if over == "ws" or how not in FRAMES_ONLY]
    return Garble(on=on, over=over, how=chance.choice(hows), times=_times(chance))


def _silence(chance: Random, on: str, over: Way) -> Fault:
    late = chance.choice((0.0, 0.0, 1.5, 4.0))
    return Silence(on=on, over=over, late=late, cut_after=_cut_after(chance), times=_times(chance))


def _answer(chance: Random, on: str, over: Way) -> Fault:
    status, code = chance.choice(GATEWAY + VENUE[:2])
    late, after = chance.choice((0.0, 0.0, 1.0, 4.0)), chance.choice((0.0, 0.5))
    return FalseAnswer(
        on=on, over=over, status=status, code=code, after=after, late=late, times=_times(chance)
    )


ANY_REQUEST = {
    "swallow": _swallow,
    "refuse": _refuse,
    "throttle": _throttle,
    "late": _late,
    "cut": _cut,
    "twice": _twice,
    "garble": _garble,
}
"""By the name of the kind."""

WRITE = {**ANY_REQUEST, "silence": _silence, "answer": _answer}
"""With those that do it, and tell the client nothing or something else."""


EXCUSES = {_refuse: frozenset({Excuse.FATAL})}
"""Over a WebSocket: two that take no orders from us, whatever the token, are a reason to give up."""

LIES = {_garble: frozenset({Excuse.LIED})}
"""Of a list."""


def _stale(chance: Random, on: str) -> Fault:
    return Stale(on=on, seconds=chance.choice((0.5, 2.0, 8.0)), times=chance.choice((1, 3, 6)))


def _cut_update(chance: Random, channel: str) -> Fault:
    torn = chance.random() < 0.5
    code = None if torn else chance.choice((None, 1001, 1012))
    return CutUpdate(channel=channel, torn=torn, code=code, times=_times(chance))  # type: ignore[arg-type]


UPDATE: dict[str, Make] = {
    "lose-update": lambda chance, on: LoseUpdate(channel=on, times=_times(chance)),  # type: ignore[arg-type]
    "delay-update": lambda chance, on: DelayUpdate(
        channel=on,  # type: ignore[arg-type]
        seconds=chance.choice((0.1, 1.0, 5.0, 20.0)),
        times=_times(chance),
    ),
    "repeat-update": lambda chance, on: RepeatUpdate(
        channel=on,  # type: ignore[arg-type]
        copies=chance.choice((1, 3)),
        seconds=chance.choice((0.0, 1.0, 8.0)),
        times=_times(chance),
    ),
    "swap-update": lambda chance, on: SwapUpdate(channel=on, times=_times(chance)),  # type: ignore[arg-type]
    "cut-update": _cut_update,
    "garble-update": lambda chance, on: GarbleUpdate(
        channel=on,  # type: ignore[arg-type]
        how=chance.choice([how for how in _hows(on) if how in get_args(UpdateHow)]),
        times=_times(chance),
    ),
}
CHANNELS = ("orders", "fills")

OPENING = {"auth": 1, "subscribe": 1, "cancel-on-disconnect": 2}
"""What a WebSocket begins with, the last only if the settings want it; and the weights of these kinds."""


def _once(make: Make, chance: Random, on: str) -> Fault:
    """It strikes once: a login that takes for ever would leave nothing for others to strike."""
    return msgspec.structs.replace(make(chance, on), times=1)


def _at_an_opening(on: str, stage: Stage, strike: Strike, chance: Random) -> None:
    """Something goes wrong with what a new WebSocket asks, and the one that there is ends."""
    make = chance.choice(tuple(ANY_REQUEST.values()))
    stage.arm(strike, make(chance, on, "ws"))
    stage.exchange.drop_websockets(1012)


def _at_a_disconnect(how: str, stage: Stage, strike: Strike, chance: Random) -> None:
    """Cancel-on-disconnect does not do what it should, and then there is a disconnect."""
    half = chance.choice(("newest", "oldest"))
    stage.arm(strike, Disconnect(how=how, half=half, seconds=chance.choice((1.0, 5.0, 15.0))))  # type: ignore[arg-type]
    stage.network.after(chance.choice((0.0, 1.0, 3.0)), stage.exchange.drop_websockets)


def kinds() -> list[Kind]:
    found: list[Kind] = []
    for name, make in ANY_REQUEST.items():
        read = partial(make, over="rest")
        found += rules(read, name, QUOTES)
        found += rules(read, name, LISTS, by=EARLY, excuses=LIES.get(make, frozenset()))
        found += rules(read, name, RARE, by=EARLY)
        found += rules(partial(_once, read), name, LOGIN, by=0.0)
        found += rules(partial(_once, read), name, ONCE, by=0.0, weight=2)
    for name, make in WRITE.items():
        asked, called = partial(make, over="rest"), partial(make, over="ws")
        excuses = EXCUSES.get(make, frozenset())
        for on, weight in WRITES.items():
            found += rules(asked, name, [on], over="rest", weight=weight)
            found += rules(called, f"ws {name}", [on], over="ws", weight=weight, excuses=excuses)
    found += rules(_stale, "stale", LISTS, by=EARLY, excuses=frozenset({Excuse.LIED}))
    for name, make_update in UPDATE.items():
        found += rules(make_update, name, CHANNELS)
    found += [
        Kind(name=f"opening {on}", act=partial(_at_an_opening, on), weight=weight)
        for on, weight in OPENING.items()
    ]
    found += [
        Kind(name=f"cancel-on-disconnect {how}", act=partial(_at_a_disconnect, how), over="ws", weight=5)
        for how in ("late", "narrow", "absent")
    ]
    return found
