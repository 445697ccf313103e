"""What would make orders quicker, and by how much: each only where the measurement itself supports it."""

from collections.abc import Iterator

import attrs

from bot.lab.latency.document import Conditions, Document, Series
from bot.lab.latency.names import WAYS, count, counted, figure, in_ms, listed, one_of, values, ways
from bot.lab.latency.resampling import Interval, difference, estimates
from bot.latency.distributions import REST, WS
from bot.paradex.jwt import INTERACTIVE

FAR_MS = 10.0
"""A round trip that is longer leaves the region: within one it takes a ms or two."""

SPEED_BUMP_MS = 300.0
"""What orders of an interactive token wait (protocol reference 2.2)."""

_BUMPED_MS = 290.0
"""What waits so long before it is matched may have met the speed bump."""

NATIVE = "fast-stark-crypto"
_NATIVE_MS = 1.0
"""Hash and signature with it, on a machine of no great speed."""

_SLOW_SIGNATURE_MS = 5.0

_REGION = "the venue is in AWS Tokyo, ap-northeast-1"

_RISK = 0.05
_FEWEST = 20
"""Orders by each way that a comparison of the two takes."""


@attrs.frozen(kw_only=True)
class Advice:
    """One thing to change."""

    name: str
    """``connections``, ``region``, ``token``, ``way`` or ``signing``"""

    saves_ms: float | None
    """By median, of each order that it concerns; None where that has not been measured."""

    text: str


def advise(document: Document, way: str, target_ms: float) -> Iterator[Advice]:
    """What concerns the orders that went this way, in the order in which one would try it."""
    warm, cold = one_of(document, way, warm=True), one_of(document, way, warm=False)
    chief = warm or cold
    if cold is not None:
        yield from _connections(cold, warm, target_ms)
    if chief is not None:
        yield from _region(chief, target_ms)
        yield from _token(chief, document.conditions, target_ms)
        yield from _signing(chief, document.conditions.signing, target_ms)
    yield from _other_way(document, way)


def _connections(cold: Series, warm: Series | None, target_ms: float) -> Iterator[Advice]:
    median_ms, connect_ms = figure(cold, "answered") or 0.0, figure(cold, "connect")
    if median_ms <= target_ms:
        return
    saves_ms = connect_ms if warm is None else median_ms - (figure(warm, "answered") or 0.0)
    if saves_ms is not None and saves_ms > 0:
        orders = count(cold) + (count(warm) if warm else 0)
        yield Advice(
            name="connections",
            saves_ms=saves_ms,
            text=f"Cold connections: {count(cold)} of {counted(orders, 'order')} had to open one, and each took "
            f"{in_ms(saves_ms)} longer for it. Connections that are kept open save that.",
        )


def _region(series: Series, target_ms: float) -> Iterator[Advice]:
    network_ms, source = figure(series, "network"), "The network takes"
    if (
        network_ms is None
    ):  # what TCP goes to may be nearer than the venue, so this is the least that it can be
        network_ms, source = figure(series, "kernel"), "The network, by the kernel's estimate, takes"
    if network_ms is not None and network_ms >= FAR_MS:
        yield Advice(
            name="region",
            saves_ms=network_ms,
            text=f"Another region: {_REGION}. {source} {in_ms(network_ms)} there and back, of which a client "
            f"beside it saves nearly all{_leaves(series, network_ms, target_ms)}.",
        )


def _token(series: Series, conditions: Conditions, target_ms: float) -> Iterator[Advice]:
    """Where orders waited long enough, and nothing speaks against the speed bump."""
    before_ms = figure(series, "before")
    at_most_ms = figure(series, "venue") or figure(series, "away") or 0.0
    waited_ms = at_most_ms if before_ms is None else before_ms
    waited_ms -= (conditions.simulated or {}).get("processing_ms", 0.0)
    is_known = conditions.token_usage == INTERACTIVE
    is_likely = before_ms is not None and not conditions.token_usage
    if waited_ms < _BUMPED_MS or not (is_known or is_likely):
        return
    why = (
        "the token is interactive, and its orders wait 300 ms before they are matched"
        if is_known
        else f"orders waited {in_ms(before_ms)} before they were matched; an interactive token's wait 300 ms"
    )
    saves_ms = min(waited_ms, SPEED_BUMP_MS)
    yield Advice(
        name="token",
        saves_ms=saves_ms,
        text=f"The speed bump: {why}. A token that is not interactive saves {in_ms(saves_ms)}"
        f"{_leaves(series, saves_ms, target_ms)}.",
    )


def _signing(series: Series, library: str, target_ms: float) -> Iterator[Advice]:
    hash_ms, sign_ms = figure(series, "hash") or 0.0, figure(series, "sign") or 0.0
    saves_ms = hash_ms + sign_ms - _NATIVE_MS
    is_other = library not in {"", NATIVE}
    if saves_ms <= 0 or (not is_other and sign_ms <= _SLOW_SIGNATURE_MS):
        return
    took = f"hash and signature took {in_ms(hash_ms + sign_ms)}"
    text = (
        f"Signing: {took}, though {NATIVE} made them: the machine is busy, or slow. One that is not saves about"
        if library == NATIVE
        else f"Signing: {took}, by {library or 'a library that is not known'}. {NATIVE} needs about 1 ms and saves"
    )
    yield Advice(
        name="signing",
        saves_ms=saves_ms,
        text=f"{text} {in_ms(saves_ms)}{_leaves(series, saves_ms, target_ms)}.",
    )


def _other_way(document: Document, way: str) -> Iterator[Advice]:
    """The one that is quicker; or the WebSocket, if it has not been tried."""
    if WS not in ways(document):
        yield Advice(
            name="way",
            saves_ms=None,
            text="The WebSocket in place of REST was not measured: it takes one round trip on a connection that "
            "is open anyway, and less work of the client.",
        )
        return
    other = REST if way == WS else WS
    saved = _between(document, way, other)
    if saved is not None and saved.low > 0:
        yield Advice(
            name="way",
            saves_ms=saved.difference,
            text=f"{WAYS[other]} in place of {WAYS[way]} saves {in_ms(saved.difference)} "
            f"(with 95 % between {in_ms(saved.low)} and {in_ms(saved.high)}).",
        )


def _between(document: Document, way: str, other: str) -> Interval | None:
    """By how much warm orders took longer by this way than by the other one; None if there are too few."""
    here, there = (values(listed(document, each, warm=True), "answered") for each in (way, other))
    if min(len(here), len(there)) < _FEWEST:
        return None
    return difference(estimates(there, [50])[0], estimates(here, [50])[0], _RISK)


def _leaves(series: Series, saves_ms: float, target_ms: float) -> str:
    """Whether that is enough, if the target was missed."""
    median_ms = figure(series, "answered") or 0.0
    if not series.warm or median_ms <= target_ms:
        return ""
    left_ms = median_ms - saves_ms
    return f": {in_ms(left_ms)} would be left, which {'meets' if left_ms <= target_ms else 'still misses'} the target"
