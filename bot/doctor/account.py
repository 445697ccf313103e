"""Checks in the account's name: whose it is, whether the venue knows it, and lets it in by both doors."""

from datetime import UTC, datetime
from typing import Any

import trio

from bot.core.errors import FatalError, NotSentError, RefusedError, RequestError, StreamClosedError, leaves
from bot.doctor.finding import Finding
from bot.doctor.patient import Patient
from bot.doctor.venue import unanswered
from bot.journal.account import account_files, holder_of
from bot.link import crosscheck
from bot.link.signer import open_signer
from bot.link.websocket import open_websocket
from bot.paradex import account as accounts
from bot.paradex import rest
from bot.paradex.address import from_hex, to_hex
from bot.paradex.answers import AccountInfo
from bot.paradex.jwt import is_interactive
from bot.session.capabilities import TokenKeeper, open_authed_rest
from bot.session.generation import opening
from bot.session.login import Identity, Login
from bot.session.stream import hear_replies, open_stream

ACCOUNT_PAGE = "open the account once on the venue's page"

MENDS = {
    "INVALID_SUBKEY": "make a subkey at the venue, and name the main account's address in [account] address",
    "INVALID_TIMESTAMP": "see clock: the venue does not take our time",
    "INVALID_BLOCK_EXPIRATION": "see clock: the venue does not take our time",
    "IP_NOT_ALLOWED": "add this machine's address to the subkey's allow-list at the venue",
    "GEO_IP_BLOCK": "the venue does not serve this country",
}
"""By code of the venue's (protocol reference 3.7)."""


async def address(patient: Patient) -> Finding:
    """Derived from the key here and by starknet-py, from what the venue says accounts are made of."""
    plain, named = patient.rest, patient.settings.account.address
    try:
        config = (await plain.call(rest.system_config())).value
    except RequestError as error:
        return unanswered(error)
    key, chain_id = patient.key.reveal(), config.starknet_chain_id
    try:
        classes = config.account_classes
        own = open_signer(private_key=key, chain_id=chain_id, account=classes)
        signer = open_signer(private_key=key, chain_id=chain_id, account=named or classes)
    except ValueError as error:
        return Finding.bad(str(error), "look whether rest_url in [venue] is an address of the venue's")
    theirs = to_hex(crosscheck.address(patient.key, classes))
    figures = {"account": signer.account, "own": own.account, "starknet_py": theirs, "chain_id": chain_id}
    if theirs != own.account:
        return Finding.bad(
            f"derived here {own.account}, by starknet-py {theirs}",
            "trade with neither: install both libraries again, and run `just test`",
            **figures,
        )
    patient.signer, patient.is_subkey = signer, signer.account != own.account
    if patient.is_subkey:
        found = f"{_short(signer.account)}, by [account] address; the key is a subkey"
        return Finding.ok(found, **figures)
    return Finding.ok(f"{_short(signer.account)}, here and by starknet-py", **figures)


def _short(element: str) -> str:
    """Enough to know it again."""
    return f"{element[:10]}…{element[-6:]}"


def lock(patient: Patient) -> Finding:
    hashing_key = patient.hashing_key
    if hashing_key is None:
        return Finding.ok("free: no bot ever ran here", holder=None)
    files = account_files(
        patient.state_directory,
        hashing_key,
        environment=patient.settings.environment,
        rest_url=patient.place.venue.rest_url,
        account=patient.signer.account,
    )
    try:
        holder = holder_of(files)
    except OSError as error:
        return Finding.bad(f"{files.lock}: {error.strerror}", f"chown and chmod 600 {files.lock}")
    if holder is None:
        return Finding.ok("free", holder=None)
    since = datetime.fromtimestamp(holder.since_ns / 1e9, UTC)
    return Finding.warning(
        f"held by process {holder.pid}, run {holder.run_id}, since {since:%Y-%m-%d %H:%M:%S} UTC",
        f"a second bot would end at once; to stop the first: kill {holder.pid}",
        holder={"pid": holder.pid, "run_id": holder.run_id, "since": since.isoformat()},
    )


async def account(patient: Patient) -> Finding:
    """Asked without logging in; nothing is registered by asking."""
    signer = patient.signer
    if patient.is_subkey:
        patient.account = signer.account
        return Finding.ok("whether the subkey is one of the account's, auth tells", known=None)
    try:
        told = (await patient.rest.call(rest.derivation(signer.public_key))).value
        theirs = to_hex(from_hex(told.address))
    except (RequestError, ValueError) as error:
        patient.account = signer.account
        return Finding.warning(f"the venue does not tell: {error}", "see auth, which asks again", known=None)
    figures = {"known": told.exists, "address": theirs}
    if theirs != signer.account:
        found = f"to the venue this key is that of {theirs}, and not of {signer.account}"
        return Finding.bad(found, "name the right one in [account] address", **figures)
    if told.exists or patient.is_made_for_this:
        patient.account = signer.account
        return Finding.ok("known" if told.exists else "made for each run, which registers it", **figures)
    return _unknown(patient, figures)


def _unknown(patient: Patient, figures: dict[str, Any]) -> Finding:
    if patient.settings.environment == "embedded":
        return Finding.skipped(
            "because each run makes another, and registers it: nothing is changed there for this"
        )
    if patient.settings.account.ethereum_address:
        mend = "the first `bot run` registers it, with [account] ethereum_address"
        return Finding.warning("not known yet", mend, **figures)
    mend = f"{ACCOUNT_PAGE}; or name its Ethereum address in [account] ethereum_address, and `bot run` registers it"
    return Finding.bad(f"{patient.signer.account} is not known", mend, **figures)


async def auth(patient: Patient) -> Finding:
    """The bot's own login. It registers nobody but the account that was made for this examination."""
    ethereum_address = f"0x{patient.rng.getrandbits(160):040x}" if patient.is_made_for_this else ""
    login = Login(
        http=patient.http,
        identity=Identity(
            private_key=patient.key.reveal(), address=patient.account, ethereum_address=ethereum_address
        ),
        markets=patient.settings.orders.markets,
        clock=patient.venue_clock,
        rng=patient.rng,
        redactor=patient.redactor,
        alarm=lambda _: None,  # that the clock is wrong is another check's finding
    )
    try:
        token = await login.first_token(patient.rest, patient.signer)
    except FatalError as fatal:
        refused = fatal.__cause__
        code = refused.code if isinstance(refused, RefusedError) else ""
        return Finding.bad(
            str(fatal), MENDS.get(code, "look whether key and [account] address belong together"), code=code
        )
    except RefusedError as refused:
        return Finding.bad(
            f"refused: {refused}", MENDS.get(refused.code, "try again in a minute"), code=refused.code
        )
    except RequestError as error:
        return unanswered(error)
    patient.token = token
    return Finding.ok(f"a token for {token.lifetime:.0f} s", lifetime=token.lifetime)


async def token(patient: Patient) -> Finding:
    """Of a token that can be read its claims tell; of any other what its account pays."""
    interactive = is_interactive(patient.token.text)
    authed = open_authed_rest(patient.http, TokenKeeper(patient.token))
    try:
        infos = (await authed.call(accounts.infos())).value.results
    except RequestError as error:
        return unanswered(error)
    info = next((one for one in infos if _is(one, patient.account)), None)
    if info is None:
        found = f"it is not of the account {patient.account}"
        return Finding.bad(found, "look whether key and [account] address belong together")
    rates = (info.fees.maker_rate, info.fees.taker_rate) if info.fees else (None, None)
    figures = {"interactive": interactive, "kind": info.kind, "maker_rate": rates[0], "taker_rate": rates[1]}
    if interactive or (interactive is None and rates[1] == "0"):
        found = (
            "interactive: its orders are Retail ones, which wait 300 ms, each cancel too, 3 a second at most"
        )
        return Finding.warning(
            found, "use a key that no page of the venue's logged in with; ask the venue", **figures
        )
    return Finding.ok(f"Pro orders, without a speed bump; maker {rates[0]}, taker {rates[1]}", **figures)


def _is(info: AccountInfo, address: str) -> bool:
    try:
        return to_hex(from_hex(info.account or "")) == address
    except ValueError:
        return False


async def websocket(patient: Patient) -> Finding:
    """Opened, authenticated and subscribed as a session of the bot's, and closed again."""
    way, place, settings = patient.socket_way, patient.place, patient.settings
    token = patient.token
    began = trio.current_time()
    found = Finding.skipped("")
    try:
        async with open_websocket(
            place.venue.ws_url, place.tls, settings.stream, patient.tape, 1, patient.clock
        ) as connection:
            async with trio.open_nursery() as nursery:
                stream = open_stream(connection)
                nursery.start_soon(hear_replies, connection, stream)
                for method, params in opening(
                    token.text,
                    settings.orders.markets,
                    cancel_on_disconnect=settings.orders.cancel_on_disconnect,
                ):
                    await stream.call(method, params, secret=token.text)
                ready = trio.current_time()
                await connection.ping()
                found = Finding.ok(
                    f"{way} took token and subscriptions in {(ready - began) * 1e3:.0f} ms, "
                    f"a ping {(trio.current_time() - ready) * 1e3:.1f} ms",
                    ready_ms=round((ready - began) * 1e3, 3),
                    ping_ms=round((trio.current_time() - ready) * 1e3, 3),
                )
                nursery.cancel_scope.cancel()
            await connection.close()
    except* (RequestError, StreamClosedError) as errors:
        found = _unheard(next(leaves(errors)))
    return found


def _unheard(error: BaseException) -> Finding:
    mend = "look whether ws_url in [venue] is an address of the venue's WebSocket, and whether a proxy is on the way"
    if isinstance(error, RefusedError):
        return Finding.bad(f"refused: {error}", "try again in a minute: a token is good for some only")
    if isinstance(error, NotSentError):
        return Finding.bad(f"not opened: {error}", mend)
    return Finding.bad(str(error), mend)
