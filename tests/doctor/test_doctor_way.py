"""What `bot doctor` finds on the way to a venue: names, TCP, TLS. On the virtual network, against scripted ends."""

import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import trio
import trustme
from doctor_stage import BAD, OK, SKIPPED, WARNING, Result, examined, on_testnet
from virtual_stage import DELAY, RTT, Stage, stage, virtually

from bot.paradex.environment import PUBLIC_VENUES, Venue
from bot.place import Place
from bot.simulation.rehearsal import contexts

VENUE = Venue("https://venue.test/v1", "wss://venue.test:8443/v1")
AUTHORITY = trustme.CA(organization_name="Our Authority", key_type=trustme.KeyType.ECDSA)


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def shows(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


async def keep(stream: trio.abc.Stream) -> None:
    """Take what comes, and say nothing but what TLS says."""
    try:
        async with stream:
            while await stream.receive_some():
                pass
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


async def serve(s: Stage, certificate: trustme.LeafCert | None = None) -> None:
    tls = shows(certificate or AUTHORITY.issue_cert("venue.test"))
    with s.network.on(s.venue):
        for port in (443, 8443):
            await s.nursery.start(partial(trio.serve_ssl_over_tcp, keep, port, tls))


async def look(
    s: Stage, folder: Path, upto: str = "tls", venue: Venue = VENUE, tls: ssl.SSLContext | None = None
) -> Result:
    with s.network.on(s.bot):
        return await examined(Place(venue, tls or trusting(AUTHORITY)), on_testnet(folder), upto=upto)


@virtually
async def test_a_way_without_fault(tmp_path: Path) -> None:
    """Each step of both hosts is told, and takes the round trips that it takes."""
    async with stage() as s:
        s.network.names.delay = DELAY
        await serve(s)
        result = await look(s, tmp_path)
    assert (result.verdict("dns"), result.verdict("tcp"), result.verdict("tls")) == (OK, OK, OK)
    assert result.found("dns") == "REST and WebSocket: venue.test is 10.0.0.2, 250.0 ms"
    assert result.figures("tcp")["REST"] == {"port": 443, "ms": {"10.0.0.2": RTT * 1e3}}
    shaken = result.figures("tls")["WebSocket"]
    assert (shaken["version"], shaken["issuer"], shaken["names"]) == (
        "TLSv1.3",
        "Our Authority",
        ["venue.test"],
    )
    assert shaken["ms"] == RTT * 1e3
    assert "issued by Our Authority, valid until" in result.found("tls")


# Names.


@virtually
async def test_no_name_server_answers(tmp_path: Path) -> None:
    """That is other than a name that nobody knows; either way nothing further is tried."""
    async with stage() as s:
        s.network.names.fail("venue.test")
        result = await look(s, tmp_path)
        assert (result.verdict("dns"), result.verdict("tcp"), result.verdict("tls")) == (
            BAD,
            SKIPPED,
            SKIPPED,
        )
        assert "Temporary failure in name resolution" in result.found("dns")
        assert "online" in result.mend("dns")
        assert result.found("tcp") == "because of dns"
        s.network.names.heal()
        s.network.names.set("venue.test")
        result = await look(s, tmp_path, "dns")
        assert "Name or service not known" in result.found("dns")
        assert "misspelt" in result.mend("dns")


@virtually
async def test_one_host_of_two_has_no_name(tmp_path: Path) -> None:
    """The other is looked at all the same."""
    async with stage() as s:
        await serve(s)
        venue = Venue(VENUE.rest_url, "wss://nowhere.test:8443/v1")
        result = await look(s, tmp_path, venue=venue)
        assert (result.verdict("dns"), result.verdict("tcp"), result.verdict("tls")) == (BAD, OK, OK)
        assert result.found("tcp").startswith("REST: port 443 open")


@virtually
async def test_names_that_take_their_time(tmp_path: Path) -> None:
    """Over a second is a warning, over the deadline bad."""
    async with stage() as s:
        await serve(s)
        s.network.names.delay = 1.5
        result = await look(s, tmp_path)
        assert (result.verdict("dns"), result.verdict("tls")) == (WARNING, OK)
        s.network.names.delay = 60
        result = await look(s, tmp_path)
        assert (result.verdict("dns"), result.found("dns")) == (
            BAD,
            "REST and WebSocket: no answer within 5 s",
        )


# TCP.


@virtually
async def test_a_port_that_refuses(tmp_path: Path) -> None:
    """Nobody listens."""
    async with stage() as s:
        result = await look(s, tmp_path)
        assert (result.verdict("tcp"), result.verdict("tls")) == (BAD, SKIPPED)
        assert "REST: 10.0.0.2 port 443: Connection refused" in result.found("tcp")
        assert "nobody listens there" in result.mend("tcp")


@virtually
async def test_a_firewall_that_swallows(tmp_path: Path) -> None:
    """No answer at all; the deadline is that of a run's connections."""
    async with stage() as s:
        await serve(s)
        s.link.black_hole()
        result = await look(s, tmp_path)
        assert (result.verdict("tcp"), result.found("tcp")) == (
            BAD,
            "REST and WebSocket: no answer within 10 s",
        )
        assert "firewall" in result.mend("tcp")


@virtually
async def test_one_address_of_two_is_dead(tmp_path: Path) -> None:
    """The bot takes the other one, so that is a warning."""
    async with stage() as s:
        await serve(s)
        s.network.names.set("venue.test", "10.0.0.9", "10.0.0.2")
        result = await look(s, tmp_path)
        assert (result.verdict("tcp"), result.verdict("tls")) == (WARNING, OK)
        assert "of 2 addresses only 1 let us in" in result.found("tcp")


# TLS.

LONG_AGO, EARLIER, LATER = (datetime(year, 1, 1, tzinfo=UTC) for year in (2019, 2020, 2090))
STRANGER = trustme.CA(organization_name="Inspecting Proxy", key_type=trustme.KeyType.ECDSA)


@pytest.mark.parametrize(
    ("certificate", "words", "mend"),
    [
        (
            STRANGER.issue_cert("venue.test"),
            "issued by Inspecting Proxy, which is not trusted",
            "[venue] ca_file",
        ),
        (
            AUTHORITY.issue_cert("other.test", "10.9.9.9"),
            "is for other.test, 10.9.9.9, not for venue.test",
            "wrong host",
        ),
        (
            AUTHORITY.issue_cert("venue.test", not_before=LONG_AGO, not_after=EARLIER),
            "expired on 2020-01-01 00:00 UTC (issued by Our Authority)",
            "this machine's date",
        ),
        (
            AUTHORITY.issue_cert("venue.test", not_before=LATER),
            "is valid from 2090-01-01 00:00 UTC on",
            "this machine's date",
        ),
    ],
    ids=["wrong authority", "wrong host", "expired", "not yet valid"],
)
def test_a_certificate_that_is_not_trusted(
    tmp_path: Path, certificate: trustme.LeafCert, words: str, mend: str
) -> None:
    """What is wrong with it, in words; and nothing that needs the venue is tried."""

    @virtually
    async def play() -> None:
        async with stage() as s:
            await serve(s, certificate)
            result = await look(s, tmp_path, "round trip")
            assert result.verdict("tls") is BAD
            assert words in result.found("tls")
            assert mend in result.mend("tls")
            assert (result.verdict("round trip"), result.found("round trip")) == (
                SKIPPED,
                "because of tls",
            )

    play()


@virtually
async def test_a_certificate_that_ends_soon(tmp_path: Path) -> None:
    """Within a week, by our clock, which is of 2027 here: a warning."""
    async with stage() as s:
        await serve(s, AUTHORITY.issue_cert("venue.test", not_after=datetime(2027, 1, 20, tzinfo=UTC)))
        result = await look(s, tmp_path)
        assert result.verdict("tls") is WARNING
        assert "valid until 2027-01-20 00:00 UTC" in result.found("tls")


async def hang_up(stream: trio.abc.Stream) -> None:
    await stream.receive_some()
    await stream.aclose()


async def speak_http(stream: trio.abc.Stream) -> None:
    await stream.receive_some()
    await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await stream.receive_some()


@pytest.mark.parametrize(
    ("handler", "words"), [(hang_up, "hung up during the handshake"), (speak_http, "answers, and not in TLS")]
)
def test_a_port_that_does_not_speak_tls(
    tmp_path: Path, handler: Callable[[trio.abc.Stream], Awaitable[object]], words: str
) -> None:
    """Or that ends the conversation in the middle of it."""

    @virtually
    async def play() -> None:
        async with stage() as s:
            with s.network.on(s.venue):
                for port in (443, 8443):
                    await s.nursery.start(partial(trio.serve_tcp, handler, port))
            result = await look(s, tmp_path)
            assert result.verdict("tls") is BAD
            assert words in result.found("tls")

    play()


@virtually
async def test_a_loopback_address_does_without(tmp_path: Path) -> None:
    """Plain HTTP is for this computer's own addresses only, and told as what it is."""
    async with stage() as s, trio.open_nursery() as nursery:
        with s.network.on(s.bot):
            await nursery.start(partial(trio.serve_tcp, keep, 8080, host="127.0.0.1"))
        result = await look(
            s, tmp_path, venue=Venue("http://127.0.0.1:8080/v1", "ws://127.0.0.1:8080/v1"), tls=contexts()[1]
        )
        nursery.cancel_scope.cancel()
    assert result.found("dns") == "REST and WebSocket: 127.0.0.1 needs none"
    assert result.found("tls") == "REST and WebSocket: none, as 127.0.0.1:8080 is an address of this computer"
    assert result.verdict("tls") is OK


# Where it is.


@virtually
async def test_whose_addresses_these_are(tmp_path: Path) -> None:
    """Of an environment other than the one named: a warning. Real money is called so."""
    place = Place(PUBLIC_VENUES["prod"], contexts()[1])
    result = await examined(place, on_testnet(tmp_path), upto="venue")
    assert result.verdict("venue") is WARNING
    assert "environment testnet, but an address of prod's" in result.found("venue")
    result = await examined(place, on_testnet(tmp_path, BOT__ENVIRONMENT="prod"), upto="venue")
    assert result.verdict("venue") is OK
    assert "real money" in result.found("venue")
