"""Checks of the way to the venue, step by step: where it is, its names, TCP, TLS."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import attrs
import trio

from bot.core.errors import FatalError
from bot.doctor.finding import Finding, together
from bot.doctor.patient import Patient
from bot.link.probe import (
    Endpoint,
    Handshake,
    ProbeError,
    Resolved,
    Trouble,
    connect,
    day,
    resolve,
    shake_hands,
)
from bot.paradex.environment import PUBLIC_VENUES, Venue

K = TypeVar("K")
T = TypeVar("T")

NAME_DEADLINE = 5.0
"""Seconds to look a name up."""

SLOW_NAMES_S = 1.0
"""Seconds. A reconnect looks the name up again, and orders wait for it."""

ADDRESSES = 4
"""So many addresses of a host are tried."""

SOON = timedelta(days=7)
"""A certificate that lives longer is renewed without anybody's doing."""

MENDS = {
    Trouble.NO_SUCH_NAME: "look for a misspelt host in [venue]; if it is right, at this network's name servers",
    Trouble.NO_NAME_SERVER: "look whether this machine is online, and at the name servers in /etc/resolv.conf",
    Trouble.REFUSED: "nobody listens there: look at host and port in [venue], and whether the venue is up",
    Trouble.UNREACHABLE: "look whether this machine is online, at its routes, and at firewalls on the way",
    Trouble.SILENT: "a firewall swallows it, or the venue is down; the bot uses no proxy",
    Trouble.NOT_TLS: "look at port and scheme in [venue]: https:// and wss:// want TLS",
    Trouble.UNKNOWN_AUTHORITY: "if that is an authority of yours, name its PEM file in [venue] ca_file; if not, "
    "somebody reads along on the way: do not trade here. There is no switch to trust it all the same",
    Trouble.WRONG_NAME: "look for a wrong host in [venue]; if it is right, somebody else answers in its place",
    Trouble.EXPIRED: "look at this machine's date; if it is right, only the venue can mend it",
    Trouble.NOT_YET_VALID: "look at this machine's date; if it is right, only the venue can mend it",
    Trouble.BROKEN: "try again; a firewall on the way may object to TLS, or to its version",
}


async def venue(patient: Patient) -> Finding:
    """Start the embedded exchange, where that is the venue."""
    began = trio.current_time()
    try:
        place = await patient.hold(patient.open_place(patient.settings, patient.stop))
    except FatalError as error:
        return Finding.bad(str(error), "`bot exchange` shows on stderr what is wrong with it")
    except OSError as error:
        return Finding.bad(f"the authorities to trust: {error}", "look at [venue] ca_file")
    if place is None:
        return Finding.skipped(f"because of {patient.stop.reason}")
    patient.place = place
    environment, urls = patient.settings.environment, place.venue
    where = f"{environment} at {urls.rest_url} and {urls.ws_url}"
    figures: dict[str, Any] = {"environment": environment, **attrs.asdict(urls)}
    if patient.is_made_for_this:
        took = trio.current_time() - began
        return Finding.ok(f"{where}, started in {took:.1f} s", **figures, start_seconds=round(took, 3))
    other = next((name for name in _environments(urls) if name != environment), None)
    if other is not None:
        mend = f'write environment = "{other}", or correct rest_url and ws_url in [venue]'
        return Finding.warning(
            f"environment {environment}, but an address of {other}'s: {where}", mend, **figures
        )
    real = "; real money: `bot run` asks for --live" if environment == "prod" else ""
    return Finding.ok(where + real, **figures)


def _environments(urls: Venue) -> list[str]:
    """Whose addresses these are, of the public environments."""
    hosts = {Endpoint.of(urls.rest_url).host, Endpoint.of(urls.ws_url).host}
    return [name for name in PUBLIC_VENUES if any(f".{name}.paradex." in host for host in hosts)]


def ends(patient: Patient) -> dict[str, Endpoint]:
    """The two hosts, by what they are called."""
    urls = patient.place.venue
    return {"REST": Endpoint.of(urls.rest_url), "WebSocket": Endpoint.of(urls.ws_url)}


async def dns(patient: Patient) -> Finding:
    found = await _all(set(ends(patient).values()), resolve, NAME_DEADLINE)
    if good := _good(found):
        patient.resolved = good
    return together({name: _named(end, found[end]) for name, end in ends(patient).items()})


def _named(end: Endpoint, resolved: Resolved | ProbeError) -> Finding:
    if isinstance(resolved, ProbeError):
        return Finding.bad(str(resolved), MENDS[resolved.trouble], host=end.host)
    addresses = resolved.addresses
    if addresses == (end.host,):
        return Finding.ok(f"{end.host} needs none", host=end.host, addresses=[end.host], ms=0.0)
    more = f" and {len(addresses) - ADDRESSES} more" if len(addresses) > ADDRESSES else ""
    found = f"{end.host} is {', '.join(addresses[:ADDRESSES])}{more}, {_ms(resolved.seconds)}"
    figures = {"host": end.host, "addresses": list(addresses), "ms": _rounded(resolved.seconds)}
    if resolved.seconds > SLOW_NAMES_S:
        mend = "look at the name servers in /etc/resolv.conf: perhaps the first of them does not answer"
        return Finding.warning(found, mend, **figures)
    return Finding.ok(found, **figures)


async def tcp(patient: Patient) -> Finding:
    """To every address: the bot takes the one that answers first, so one that does not is not the end."""
    doors = [
        (end, address)
        for end, resolved in patient.resolved.items()
        for address in resolved.addresses[:ADDRESSES]
    ]
    found = await _all(doors, lambda door: connect(*door), patient.settings.http.connect_timeout)
    quickest = sorted(_good(found).items(), key=lambda item: item[1], reverse=True)
    if quickest:
        patient.connected = {end: address for (end, address), _ in quickest}
    return together(
        {
            name: _connected(end, {address: took for (other, address), took in found.items() if other == end})
            for name, end in ends(patient).items()
            if end in patient.resolved
        }
    )


def _connected(end: Endpoint, times: Mapping[str, float | ProbeError]) -> Finding:
    good, faults = _good(times), [took for took in times.values() if isinstance(took, ProbeError)]
    words = "; ".join(map(str, faults))
    figures = {"port": end.port, "ms": {address: _rounded(took) for address, took in good.items()}}
    if not good:
        return Finding.bad(words, MENDS[faults[0].trouble], **figures)
    found = f"port {end.port} open, {_ms(min(good.values()))}"
    if faults:
        found = f"{found}; but of {len(times)} addresses only {len(good)} let us in: {words}"
        return Finding.warning(found, MENDS[faults[0].trouble], **figures)
    return Finding.ok(found, **figures)


async def tls(patient: Patient) -> Finding:
    """Of the address of each host that let us in first."""

    async def shaken(end: Endpoint) -> Handshake | None:
        """None on a loopback address that does without; no other may."""
        if not end.is_secure:
            return None
        return await shake_hands(end, patient.connected[end], patient.place.tls)

    named = ends(patient)
    found = await _all(patient.connected, shaken, patient.settings.http.connect_timeout)
    good = _good(found)
    if named["REST"] in good:
        patient.rest_way = named["REST"]
    if named["WebSocket"] in good:
        patient.socket_way = named["WebSocket"]
    now = datetime.fromtimestamp(patient.clock.wall_ns() / 1e9, UTC)
    return together(
        {name: _encrypted(end, found[end], now) for name, end in named.items() if end in patient.connected}
    )


def _encrypted(end: Endpoint, shaken: Handshake | ProbeError | None, now: datetime) -> Finding:
    if isinstance(shaken, ProbeError):
        return Finding.bad(str(shaken), MENDS[shaken.trouble])
    if shaken is None:
        return Finding.ok(f"none, as {end} is an address of this computer", version=None)
    certificate = shaken.certificate
    found = (
        f"{shaken.version}, {_ms(shaken.seconds)}; certificate for {end.host}, "
        f"issued by {certificate.issuer}, valid until {day(certificate.not_after)}"
    )
    figures = {
        "version": shaken.version,
        "cipher": shaken.cipher,
        "names": list(certificate.names),
        "issuer": certificate.issuer,
        "not_after": certificate.not_after.isoformat(),
        "ms": _rounded(shaken.seconds),
    }
    if certificate.not_after - now < SOON:
        return Finding.warning(
            found, "after that no connection comes about: only the venue can renew it", **figures
        )
    return Finding.ok(found, **figures)


async def _all(
    keys: Iterable[K], step: Callable[[K], Awaitable[T]], seconds: float
) -> dict[K, T | ProbeError]:
    """What ``step`` brings for each of ``keys``, all at once, each within so many seconds."""
    brought: dict[K, T | ProbeError] = {}

    async def one(key: K) -> None:
        try:
            with trio.fail_after(seconds):
                brought[key] = await step(key)
        except ProbeError as error:
            brought[key] = error
        except trio.TooSlowError:
            brought[key] = ProbeError(Trouble.SILENT, f"no answer within {seconds:g} s")

    async with trio.open_nursery() as nursery:
        for key in keys:
            nursery.start_soon(one, key)
    return brought


def _good(brought: Mapping[K, T | ProbeError]) -> dict[K, T]:
    return {key: value for key, value in brought.items() if not isinstance(value, ProbeError)}


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


def _rounded(seconds: float) -> float:
    """In ms."""
    return round(seconds * 1e3, 3)
