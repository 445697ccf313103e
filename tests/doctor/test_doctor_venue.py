"""What `bot doctor` finds at the venue: the unchanged exchange on the virtual network, and one that is scripted."""

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
import trio
from doctor_stage import BAD, KEY, OK, SKIPPED, WARNING, Result, examined, on_testnet
from scripted_venue import ScriptedRest, ScriptedSockets, answer, raw, serve_tls
from virtual_stage import stage, virtually

from bot.core.clock import Clock
from bot.doctor import account as account_checks
from bot.exchange.identity.accounts import Account
from bot.exchange.identity.login import derive
from bot.exchange.matching.modes import Mode
from bot.exchange.rest import account as rest_account
from bot.exchange.views import account as views
from bot.journal.account import AccountLock, Holder, account_files
from bot.journal.redact import hashing_key
from bot.link import crosscheck
from bot.link.clock import TrioClock
from bot.link.signer import native_curve
from bot.paradex.environment import Venue
from bot.paradex.rest import auth
from bot.place import Place
from bot.simulation.rehearsal import EPOCH_NS, Rehearsal, contexts, rehearse

DELAY = 0.125
RTT_MS = 250.0
PUBLIC_KEY = native_curve().public_key(int(KEY, 16))
ADDRESS = hex(derive(PUBLIC_KEY))
SUBKEY = "0x" + "2e" * 31
ALL = "websocket"

Play = Callable[[Rehearsal, Path], Awaitable[None]]


def rehearsed(play: Play) -> Any:
    """Run a test beside the exchange, in virtual time, a quarter of a second of round trip away."""

    @wraps(play)
    def in_virtual_time(tmp_path: Path) -> None:
        rehearse(lambda r: play(r, tmp_path), delay=DELAY)

    del in_virtual_time.__wrapped__  # pytest would take its parameters for fixtures
    return in_virtual_time


async def look(r: Rehearsal, environ: dict[str, str], upto: str = ALL, **more: Any) -> Result:
    around = r.surroundings
    more = {"clock": around.clock, "tape": around.tape, **more}
    return await examined(Place(around.venue, around.tls), environ, upto=upto, **more)


def known(r: Rehearsal, folder: Path, **more: str) -> dict[str, str]:
    """The environment of somebody whose account the exchange knows."""
    r.exchange.accounts.onboard(Account(int(ADDRESS, 16), PUBLIC_KEY, "0x" + "00" * 20, 0))
    return on_testnet(folder, **more)


def of_subkey(r: Rehearsal, folder: Path, **more: str) -> dict[str, str]:
    return known(r, folder, PARADEX_PRIVATE_KEY=SUBKEY, BOT__ACCOUNT__ADDRESS=ADDRESS, **more)


def requests(r: Rehearsal) -> set[str]:
    """Method and path of everything that was asked over HTTP, without parameters."""
    asked = (line.split() for _, way, line in r.trace if way == "http>")
    return {f"{method} {path.partition('?')[0]}" for method, path, *_ in asked}


# The whole, without fault.


@rehearsed
async def test_an_account_in_order(r: Rehearsal, folder: Path) -> None:
    """Every check is ok, in the order of the list, each once; the exit code is 0."""
    result = await look(r, known(r, folder))
    assert set(result.verdicts.values()) == {OK}
    assert (result.report.exit_code, result.report.verdict) == (0, OK)
    assert len(result.report.examined) == len(result.verdicts) == 21


@rehearsed
async def test_nothing_is_changed_at_the_venue(r: Rehearsal, folder: Path) -> None:
    """Questions, one login, and on the WebSocket a login and subscriptions: no order, nobody registered."""
    await look(r, known(r, folder))
    asked = requests(r)
    assert {one for one in asked if not one.startswith("GET ")} == {f"POST /auth/{PUBLIC_KEY:#x}"}
    assert "GET /account/info" in asked
    said = [line.split('"method":"')[1].split('"')[0] for _, way, line in r.trace if way == "ws>"]
    assert set(said) == {"auth", "subscribe"}
    assert list(r.exchange.ledger.by_id) == []
    assert len(list(r.exchange.accounts)) == 1


@rehearsed
async def test_on_the_embedded_exchange_the_account_is_made(r: Rehearsal, folder: Path) -> None:
    """It is registered there, for it begins and ends with the exchange."""
    result = await look(r, {"XDG_STATE_HOME": str(folder)})
    assert set(result.verdicts.values()) == {OK}
    assert "POST /onboarding" in requests(r)
    assert result.found("account") == "made for each run, which registers it"


@rehearsed
async def test_an_exchange_of_ones_own_is_not_told_of_a_new_account(r: Rehearsal, folder: Path) -> None:
    """It lasts longer than the examination, so nobody registers there."""
    urls = r.surroundings.venue
    result = await look(
        r,
        {
            "XDG_STATE_HOME": str(folder),
            "BOT__VENUE__REST_URL": urls.rest_url,
            "BOT__VENUE__WS_URL": urls.ws_url,
        },
    )
    assert "POST /onboarding" not in requests(r)
    assert [result.verdict(check) for check in ("account", "auth", "websocket")] == [SKIPPED] * 3
    assert result.report.exit_code == 0


@rehearsed
async def test_no_secret_is_told(r: Rehearsal, folder: Path) -> None:
    """Neither the key in any form, nor the token; and whatever told of them would be cleaned of them."""
    told: list[str] = []
    result = await look(r, known(r, folder), tell=lambda one: told.append(repr(one)))
    text = "".join(told) + repr(result.report.to_dict())
    token = result.patient.token.text
    assert token.startswith("eyJ")
    assert not [secret for secret in (KEY[2:], str(int(KEY, 16)), token) if secret in text]
    assert result.patient.redactor.redact(f"{KEY} {token}") == "<hidden> <hidden>"


# Far and near.


@rehearsed
async def test_round_trips_are_counted_cold_and_warm(r: Rehearsal, folder: Path) -> None:
    """A cold one is TCP, TLS and the request; warm ones are one round trip each, here without spread."""
    result = await look(r, known(r, folder), "round trip")
    assert result.figures("round trip") == {
        "cold_ms": 3 * RTT_MS,
        "warm_ms": {"least": RTT_MS, "median": RTT_MS, "most": RTT_MS},
    }
    assert result.found("round trip") == "warm 250.0 ms (of 10: 250.0 to 250.0), cold 750.0 ms"


@rehearsed
async def test_a_venue_that_is_far(r: Rehearsal, folder: Path) -> None:
    """Over half a second; and where nobody can say what the venue's clock is, no order would be sent."""
    r.link.shape(delay=0.3)
    result = await look(r, known(r, folder), "clock")
    assert (result.verdict("round trip"), result.verdict("clock")) == (WARNING, OK)
    r.link.shape(delay=1.25)  # and back: known to 1.25 s, which is more than half of 2 s
    result = await look(r, known(r, folder, BOT__ORDERS__RECV_WINDOW="2000"), "clock")
    assert result.verdict("clock") is BAD
    assert result.figures("clock")["uncertainty_ms"] == 1250.0


@virtually
async def test_a_proxy_that_closes_connections(tmp_path: Path) -> None:
    """No request finds a warm one; the clock cannot be measured then."""
    async with stage() as s:
        body = b'{"server_time": "1800000000000"}'
        await serve_tls(s, ScriptedRest(answer(body, 200, "connection: close")).serve)
        result = await look_at_scripted(s, tmp_path, "clock")
        assert (result.verdict("round trip"), result.verdict("clock")) == (WARNING, WARNING)
        assert "each request took a new connection, 1500.0 ms" in result.found("round trip")
        assert result.figures("round trip")["warm_ms"] is None


@pytest.mark.parametrize(
    ("reaction", "words"),
    [
        (answer(b"<html>", 404), "HTTP 404"),
        (answer(b"[]"), "does not parse"),
        (raw(b"SSH-2.0-OpenSSH_9.7\r\n"), "deadline passed"),
        (answer(b'{"error": "GEO_IP_BLOCK", "message": "not here"}', 403), "GEO_IP_BLOCK"),
        (answer(b'{"server_time": "soon"}'), ""),
    ],
)
def test_a_host_that_is_no_venue(tmp_path: Path, reaction: Any, words: str) -> None:
    """What it answered instead, and nothing further is asked of it."""

    @virtually
    async def play() -> None:
        async with stage() as s:
            await serve_tls(s, ScriptedRest(reaction).serve)
            result = await look_at_scripted(s, tmp_path, "clock")
            assert (result.verdict("round trip"), result.verdict("clock")) == (BAD, SKIPPED)
            assert words in result.found("round trip")
            assert "rest_url" in result.mend("round trip")

    play()


async def look_at_scripted(s: Any, folder: Path, upto: str) -> Result:
    """At an HTTP server with no WebSocket beside it."""
    venue = Venue("https://venue.test/v1", "wss://venue.test/v1")
    with s.network.on(s.bot):
        return await examined(Place(venue, contexts()[1]), on_testnet(folder), upto=upto)


# The clock.


@pytest.mark.parametrize(
    ("ahead_s", "verdict", "words"),
    [
        (0.0, OK, "0 ms"),
        (0.3, OK, "300 ms ahead of the venue's, known to 125.0 ms"),  # it may be less than 250 ms
        (0.4, WARNING, "400 ms ahead of"),
        (-0.4, WARNING, "400 ms behind"),
        (2.3, WARNING, "2,300 ms ahead of"),
        (2.4, BAD, "more than half of the recv_window"),
        (-3600.0, BAD, "3,600,000 ms behind"),
    ],
)
def test_a_clock_that_is_wrong(tmp_path: Path, ahead_s: float, verdict: str, words: str) -> None:
    """Against the exchange's; by the rules that a run has: 250 ms for certain, and half of 5 s at worst."""

    async def play(r: Rehearsal) -> None:
        clock: Clock = TrioClock(EPOCH_NS + round(ahead_s * 1e9))
        result = await look(r, known(r, tmp_path), "clock", clock=clock)
        assert result.verdict("clock") == verdict
        assert words in result.found("clock")
        assert result.figures("clock")["offset_ms"] == pytest.approx(ahead_s * 1e3, abs=1)
        assert verdict == OK or "NTP" in result.mend("clock")

    rehearse(play, delay=DELAY)


@rehearsed
async def test_the_login_of_a_wrong_clock_is_in_the_venues_time(r: Rehearsal, folder: Path) -> None:
    """An hour off is bad, and for orders only: the token is had all the same, as in a run."""
    result = await look(r, known(r, folder), "auth", clock=TrioClock(EPOCH_NS + 3600 * 10**9))
    assert (result.verdict("clock"), result.verdict("auth")) == (BAD, OK)


# Modes and markets.


@pytest.mark.parametrize(
    ("mode", "verdict"), [("ok", OK), ("post_only", WARNING), ("cancel_only", BAD), ("maintenance", BAD)]
)
def test_the_platforms_mode(tmp_path: Path, mode: Mode, verdict: str) -> None:
    """What each means for orders; where there will be none it is bad."""

    async def play(r: Rehearsal) -> None:
        r.exchange.set_mode(mode)
        result = await look(r, known(r, tmp_path), "state")
        assert (result.verdict("state"), result.figures("state")) == (verdict, {"status": mode})
        assert result.found("state").startswith(mode)

    rehearse(play, delay=DELAY)


@virtually
async def test_a_mode_that_nobody_knows(tmp_path: Path) -> None:
    """Is told, and a warning: what it allows is not certain. A request that is refused is bad."""
    async with stage() as s:
        venue = ScriptedRest()
        venue.by_path["/system/state"] = answer(b'{"status": "half_open"}')
        await serve_tls(s, venue.serve)
        result = await look_at_scripted(s, tmp_path, "state")
        assert result.verdict("state") is WARNING
        assert "'half_open'" in result.found("state")
        venue.by_path["/system/state"] = answer(b'{"error": "INTERNAL_ERROR"}', 500)
        result = await look_at_scripted(s, tmp_path, "state")
        assert result.verdict("state") is BAD


@rehearsed
async def test_markets_that_the_venue_does_not_have(r: Rehearsal, folder: Path) -> None:
    """The nearest name is told."""
    environ = known(r, folder, BOT__ORDERS__MARKETS='["BTC-USD-PERP", "ETC-USD-PERP"]')
    result = await look(r, environ, "markets")
    assert result.verdict("markets") is BAD
    assert "'ETC-USD-PERP', the nearest name is" in result.found("markets")


# The account.


@rehearsed
async def test_addresses_that_differ(r: Rehearsal, folder: Path) -> None:
    """Nothing is done in the name of an address that two libraries derive differently."""
    environ = known(r, folder)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(crosscheck, "address", lambda *_: 0x4711)
        result = await look(r, environ)
    assert result.verdict("address") is BAD
    assert ADDRESS in result.found("address")
    assert "0x4711" in result.found("address")
    assert (result.verdict("auth"), result.found("account")) == (SKIPPED, "because of address")
    assert not [one for one in requests(r) if one.startswith("POST")]


@rehearsed
async def test_an_account_that_is_not_known(r: Rehearsal, folder: Path) -> None:
    """It is not registered, even where a run would; who has it registered by the first run is only warned."""
    result = await look(r, on_testnet(folder))
    assert (result.verdict("account"), result.verdict("auth")) == (BAD, SKIPPED)
    assert "open the account once" in result.mend("account")
    assert result.report.exit_code == 3
    result = await look(r, on_testnet(folder, BOT__ACCOUNT__ETHEREUM_ADDRESS="0x" + "11" * 20))
    assert (result.verdict("account"), result.verdict("auth")) == (WARNING, SKIPPED)
    assert "the first `bot run` registers it" in result.mend("account")
    assert "POST /onboarding" not in requests(r)


@rehearsed
async def test_a_subkey(r: Rehearsal, folder: Path) -> None:
    """Good, once it is one of the account's: the login tells. A revoked one is told with what to do."""
    environ = of_subkey(r, folder)
    result = await look(r, environ)
    assert (result.verdict("account"), result.verdict("auth")) == (OK, BAD)
    assert "INVALID_SUBKEY" in result.found("auth")
    assert "make a subkey" in result.mend("auth")
    subkey = native_curve().public_key(int(SUBKEY, 16))
    r.exchange.register_subkey(int(ADDRESS, 16), subkey)
    result = await look(r, environ)
    assert set(result.verdicts.values()) == {OK}
    assert result.found("address").endswith("by [account] address; the key is a subkey")


@rehearsed
async def test_somebody_elses_account(r: Rehearsal, folder: Path) -> None:
    """[account] address names an account that the venue does not know."""
    result = await look(r, on_testnet(folder, BOT__ACCOUNT__ADDRESS="0x4711"))
    assert result.verdict("auth") is BAD
    assert "does not know the account 0x4711" in result.found("auth")


@rehearsed
async def test_a_login_that_is_refused(r: Rehearsal, folder: Path) -> None:
    """For a moment, or for good; private checks are skipped then."""
    environ = known(r, folder)
    r.exchange.refuse_auth(status=503)
    result = await look(r, environ)
    assert result.verdict("auth") is BAD
    assert "503" in result.found("auth")
    assert [result.verdict(check) for check in ("token", "websocket")] == [SKIPPED, SKIPPED]
    r.exchange.refuse_auth(status=401)
    result = await look(r, environ)
    assert result.verdict("auth") is BAD


@rehearsed
async def test_a_lock_that_somebody_holds(r: Rehearsal, folder: Path) -> None:
    """He is named: process, run, since when. Free again, it is free."""
    environ = known(r, folder)
    state = folder / "paradex-bot"
    state.mkdir(mode=0o700)
    files = account_files(
        state,
        hashing_key(state),
        environment="testnet",
        rest_url=r.surroundings.venue.rest_url,
        account=ADDRESS,
    )
    lock = AccountLock(files.lock, Holder(4711, "run-1", EPOCH_NS))
    result = await look(r, environ, "lock")
    assert result.verdict("lock") is WARNING
    assert result.found("lock") == "held by process 4711, run run-1, since 2027-01-15 08:00:00 UTC"
    lock.release()
    assert (await look(r, environ, "lock")).found("lock") == "free"


@rehearsed
async def test_an_interactive_token(r: Rehearsal, folder: Path) -> None:
    """Its claims tell, and that its orders are slow; here one is asked for as the venue's pages do."""
    environ = known(r, folder)

    def interactive(**given: Any) -> Any:
        request = auth(**given)
        return attrs.evolve(request, path=f"{request.path}?token_usage=interactive")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("bot.paradex.rest.auth", interactive)
        result = await look(r, environ)
    assert result.verdict("token") is WARNING
    assert "300 ms" in result.found("token")
    assert result.figures("token")["interactive"] is True


@pytest.mark.parametrize(
    ("claims", "taker", "verdict"),
    [
        ("unreadable", "0", WARNING),
        ("unreadable", "0.00045", OK),
        ("trade", "0", OK),
        ("interactive", "0.00045", WARNING),
    ],
)
def test_a_token_that_may_be_an_interactive_one(
    tmp_path: Path, claims: str, taker: str, verdict: str
) -> None:
    """Claims that can be read settle it; else what the account pays does, for Retail orders are free."""

    async def play(r: Rehearsal) -> None:
        def read(_token: str) -> bool | None:
            return None if claims == "unreadable" else claims == "interactive"

        def fees(account: Account, fees: Any) -> dict[str, Any]:
            told = views.account_info_view(account, fees)
            return told | {"fees": told["fees"] | {"taker_rate": taker}}

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(account_checks, "is_interactive", read)
            patched.setattr(rest_account, "views", SimpleNamespace(account_info_view=fees))
            result = await look(r, known(r, tmp_path), "token")
        assert result.verdict("token") == verdict

    rehearse(play)


# The WebSocket.


@rehearsed
async def test_a_token_that_the_websocket_refuses(r: Rehearsal, folder: Path) -> None:
    """The venue's code is told."""
    environ = known(r, folder)

    def expire(way: str, text: str) -> None:
        if way == "http<" and text.endswith("/account/info"):
            r.exchange.expire_tokens()

    r.messages.listeners.append(expire)
    result = await look(r, environ)
    assert (result.verdict("token"), result.verdict("websocket")) == (OK, BAD)
    assert "refused: " in result.found("websocket")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("mute", "no answer within 20 s"),
        ("hang up", "WebSocket closed: 1006"),
        ("http", "HTTP 404"),
    ],
)
def test_a_websocket_that_is_none(tmp_path: Path, script: str, words: str) -> None:
    """Or one that says nothing, or ends at once."""

    async def play(r: Rehearsal) -> None:
        environ = known(r, tmp_path)
        there = r.network.host("other.test", "10.0.0.3")
        r.network.names.set("other.test", "10.0.0.3")
        rest = ScriptedRest(answer(b"", 404))

        async def silent(_: object) -> None:
            if script == "mute":
                await trio.sleep_forever()

        handler = rest.serve if script == "http" else ScriptedSockets(silent).serve
        async with trio.open_nursery() as nursery:
            with r.network.on(there):
                await nursery.start(partial(trio.serve_tcp, handler, 80))
            plain = attrs.evolve(r.surroundings.venue, ws_url="ws://other.test/v1")
            place = Place(plain, r.surroundings.tls)
            result = await examined(place, environ, upto=ALL, clock=r.surroundings.clock)
            nursery.cancel_scope.cancel()
        assert result.verdict("websocket") is BAD
        assert words in result.found("websocket")
        assert result.mend("websocket")

    rehearse(play)
