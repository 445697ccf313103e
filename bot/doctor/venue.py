"""Checks of the venue that need no account: how far it is, its clock, its mode, its markets."""

from statistics import median
from typing import Any

import attrs
import trio

from bot.core.errors import FatalError, NotSentError, RefusedError, RequestError
from bot.core.fixed import render
from bot.doctor.finding import Finding
from bot.doctor.patient import Patient
from bot.link.clock import VenueClock
from bot.link.http import open_http
from bot.paradex import mode, rest
from bot.session.capabilities import open_rest
from bot.session.login import measure, read_markets

CONNECTIONS = 2
"""The fewest that the pool allows. Each is opened by a cold request, one for every connection."""

WARM_REQUESTS = 10
LONG_ENOUGH = 10.0
"""Seconds, after which fewer warm requests have to do."""

FAR_MS = 500.0
"""A warm round trip that takes longer is more than anywhere on earth needs."""

MODES = {
    mode.OK: Finding.ok("ok: everything is allowed", status=mode.OK),
    "post_only": Finding.warning(
        "post_only: orders that could match at once are refused",
        "wait some minutes: each weekday about 04:30 UTC a release takes a quarter of an hour",
        status="post_only",
    ),
    "cancel_only": Finding.bad(
        "cancel_only: new orders are refused, cancels pass",
        "wait some minutes: each weekday about 04:30 UTC a release takes a quarter of an hour",
        status="cancel_only",
    ),
    "maintenance": Finding.bad(
        "maintenance: nothing is traded",
        "wait; the venue's status page tells for how long",
        status="maintenance",
    ),
}
"""Protocol reference 1, "Platform modes"."""


async def round_trip(patient: Patient) -> Finding:
    """The bot's own pool and requests; the first of each connection is cold, the others are warm."""
    way, tls, clock = patient.rest_way, patient.place.tls, patient.clock
    few = attrs.evolve(patient.settings.http, connections=CONNECTIONS)
    http = await patient.hold(open_http(few, patient.place.venue.rest_url, tls, clock, patient.tape))
    plain = open_rest(http)
    cold_ms: list[float] = []
    warm_ms: list[float] = []
    clocks: list[VenueClock] = []
    began = trio.current_time()
    try:
        for _ in range(CONNECTIONS + WARM_REQUESTS):
            if warm_ms and trio.current_time() > began + LONG_ENOUGH:
                break
            answer = await plain.call(rest.system_time())
            (warm_ms if answer.reused else cold_ms).append(answer.elapsed_ns / 1e6)
            measured = VenueClock(clock)
            measure(measured, answer)
            clocks.append(measured)
    except RequestError as error:
        return Finding.bad(
            f"{way}: {error}", "look whether rest_url in [venue] is an address of the venue's REST API"
        )
    patient.http, patient.rest = http, plain
    patient.venue_clock = min(clocks, key=_uncertainty_ns)
    figures: dict[str, Any] = {"cold_ms": round(median(cold_ms), 3), "warm_ms": None}
    if not warm_ms:
        return Finding.warning(
            f"each request took a new connection, {median(cold_ms):.1f} ms",
            "something closes connections after each answer: look for a proxy on the way",
            **figures,
        )
    spread = {"least": min(warm_ms), "median": median(warm_ms), "most": max(warm_ms)}
    figures["warm_ms"] = {name: round(ms, 3) for name, ms in spread.items()}
    found = (
        f"warm {median(warm_ms):.1f} ms (of {len(warm_ms)}: {min(warm_ms):.1f} to {max(warm_ms):.1f}), "
        f"cold {median(cold_ms):.1f} ms"
    )
    if median(warm_ms) > FAR_MS:
        mend = "run the bot nearer to the venue, which is in Tokyo, or over a better line"
        return Finding.warning(found, mend, **figures)
    return Finding.ok(found, **figures)


def _uncertainty_ns(clock: VenueClock) -> float:
    return float("inf") if clock.uncertainty_ns is None else clock.uncertainty_ns


def clock(patient: Patient) -> Finding:
    """By the answer that was on its way for the shortest time, judged as a run judges it."""
    venue_clock = patient.venue_clock
    if venue_clock.uncertainty_ns is None:
        return Finding.warning("not measured: only answers over open connections tell", "see round trip")
    offset_ms, uncertainty_ms = -venue_clock.offset_ns / 1e6, venue_clock.uncertainty_ns / 1e6
    way = "ahead of" if offset_ms > 0 else "behind"
    found = f"{abs(offset_ms):,.0f} ms {way} the venue's, known to {uncertainty_ms:.1f} ms"
    figures = {"offset_ms": round(offset_ms, 3), "uncertainty_ms": round(uncertainty_ms, 3)}
    mend = "have this machine's clock set by NTP: `timedatectl set-ntp true`, or chrony with time.aws.com"
    try:
        venue_clock.check(patient.settings.orders.recv_window)
    except NotSentError as refusal:
        return Finding.bad(f"{found}: {refusal}", mend, **figures)
    if venue_clock.is_wall_wrong:
        return Finding.warning(found, mend, **figures)
    return Finding.ok(found, **figures)


async def state(patient: Patient) -> Finding:
    try:
        status = (await patient.rest.call(rest.system_state())).value.status
    except RequestError as error:
        return unanswered(error)
    known = MODES.get(status)
    if known is None:
        return Finding.warning(
            f"{status!r}: a mode that the bot does not know", "ask the venue", status=status
        )
    return known


async def markets(patient: Patient) -> Finding:
    symbols = patient.settings.orders.markets
    try:
        rules = read_markets((await patient.rest.call(rest.markets())).value, symbols)
    except RequestError as error:
        return unanswered(error)
    except FatalError as error:
        return Finding.bad(str(error), "correct markets in [orders]")
    found = "; ".join(
        f"{symbol}: steps of {render(market.price_tick)} and {render(market.size_step)}, "
        f"at least {render(market.min_notional)} USD"
        for symbol, market in rules.items()
    )
    return Finding.ok(found, markets=list(rules))


def unanswered(error: RequestError) -> Finding:
    """A request that should have been answered."""
    if isinstance(error, RefusedError):
        return Finding.bad(f"refused: {error}", "look the code up in the venue's documents, and ask there")
    return Finding.bad(str(error), "try again; look whether rest_url in [venue] is an address of the venue's")
