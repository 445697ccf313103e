"""The verb `cancel-all`: for a person in a hurry, whether a bot runs or not."""

import os
import random
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import attrs
import msgspec
import trio
from loguru import logger

from bot.core.clock import Clock
from bot.core.errors import FatalError, RequestError, StreamClosedError, leaves
from bot.core.recovered import Recovered
from bot.core.tape import NoTape
from bot.journal.account import AccountFiles, account_files, holder_of
from bot.journal.output import printable
from bot.journal.redact import hashing_key
from bot.journal.store import where_sessions_are
from bot.journal.telling import utc
from bot.link.clock import SystemClock, VenueClock
from bot.link.http import open_http
from bot.link.outlet import open_outlet
from bot.link.secrets import KeyUnavailableError, Redactor, find_key
from bot.link.signer import parse_private_key
from bot.link.websocket import open_websocket
from bot.log import set_up
from bot.paradex import calls, orders
from bot.paradex.answers import OrderReport
from bot.place import Place, open_place
from bot.session.capabilities import AuthedRest, Token
from bot.session.login import Identity, LoggedIn, Login
from bot.session.stop import Stop
from bot.session.stream import hear_replies, open_stream
from bot.session.supervise import supervise
from bot.settings import Settings, load, require_live
from bot.settings.fault import SettingsError
from bot.signals import KILL_SWITCH
from bot.trading.clearance import Clearance, clear
from bot.trading.requests import WS

CLEAR, BAD_SETTINGS, FATAL, LEFT = 0, 2, 3, 4
"""Exit codes."""

LOGIN_DEADLINE = 30.0
"""Seconds, after which somebody in a hurry had better go to the venue's page."""

LOGIN_AGAIN = 2.0
"""Seconds at most between two tries."""

REQUEST_TIMEOUT = 4.0
"""Seconds at most: whatever is asked here may be asked again."""

CALL_DEADLINE = 2.5
"""Seconds for a WebSocket, and a call over it: with two tries there is time for a third over REST."""

NOTHING = Clearance(gone=(), left=(), is_clear=True)
NOTHING_HERE = """\
nothing to cancel: on the environment "embedded" each run has an account of its own, and the exchange ends with it
(environment = "testnet" or "prod" has one that stays, at the address of the venue's or of [venue])
"""


@attrs.frozen(kw_only=True)
class Options:
    """What the command line says."""

    settings: Path | None = None
    market: str | None = None
    live: bool = False
    json: bool = False


def cancel_all(options: Options) -> int:
    """Cancel every open order of the account, and tell what became of each; returns the exit code."""
    try:
        settings = load(options.settings, os.environ).settings
        require_live(settings, live=options.live)
        if settings.environment == "embedded":
            sys.stderr.write(NOTHING_HERE)
            sys.stdout.write(as_json(NOTHING) if options.json else "")
            return CLEAR
        key = find_key(settings.account, os.environ).secret
        parse_private_key(key.reveal())
    except (ValueError, SettingsError, KeyUnavailableError) as error:
        sys.stderr.write(f"{error}\n")
        return BAD_SETTINGS
    redactor = Redactor()
    redactor.register(key)
    with open_outlet(sys.stdout) as stdout, open_outlet(sys.stderr) as stderr:
        set_up(settings.log, redactor, stderr)
        aside = stderr if options.json else stdout
        hurry = Hurry(
            settings=settings,
            market=options.market,
            identity=Identity(private_key=key.reveal(), address=settings.account.address),
            clock=SystemClock(),
            rng=random.SystemRandom(),
            redactor=redactor,
            say=lambda line: aside.write(f"{printable(redactor.redact(line))}\n"),
        )
        clearance: Clearance | None = None
        try:
            clearance = trio.run(_somewhere, hurry)
        except* (FatalError, OSError) as errors:
            logger.error("[CANCEL] Paradex {}", "; ".join(map(str, leaves(errors))))
        if clearance is None:
            return FATAL
        if options.json:
            stdout.write(redactor.redact(as_json(clearance)))
        else:
            tell(clearance, hurry.say)
    return CLEAR if clearance.is_clear else LEFT


async def _somewhere(hurry: "Hurry") -> Clearance:
    async with open_place(hurry.settings, Stop()) as place:
        if place is None:
            raise FatalError("there is no venue")
        return await hurry.clear(place)


@attrs.frozen(kw_only=True)
class Hurry:
    """A login that takes no account, has no session and writes no journal; and nothing to do but to cancel."""

    settings: Settings
    market: str | None
    identity: Identity
    clock: Clock
    rng: random.Random
    redactor: Redactor
    say: Callable[[str], None]
    """Tells a person a line."""

    async def clear(self, place: Place) -> Clearance:
        """Log in, have the bot that holds the account place nothing more, and cancel.

        Raises:
            FatalError: the venue refuses the account, or cannot be reached. Perhaps in a group.
        """
        http_settings = attrs.evolve(
            self.settings.http, request_timeout=min(REQUEST_TIMEOUT, self.settings.http.request_timeout)
        )
        async with (
            open_http(http_settings, place.venue.rest_url, place.tls, self.clock, NoTape(self.clock)) as http,
            trio.open_nursery() as services,
        ):
            announcement = _Announcement(self, place.venue.rest_url)
            login = Login(
                http=http,
                identity=self.identity,
                markets=(self.market,) if self.market else (),
                clock=VenueClock(self.clock),
                rng=self.rng,
                redactor=self.redactor,
                alarm=self.say,
                claim=announcement,
            )
            logged_in: LoggedIn | None = None
            with trio.move_on_after(LOGIN_DEADLINE):
                logged_in = await services.start(
                    partial(supervise, "login", login.run, login.rng, longest_delay=LOGIN_AGAIN)
                )
            if logged_in is None:
                if not announcement.is_made:
                    self.say("No bot was told; one that runs goes on: kill -USR1 PID pulls its kill switch.")
                raise FatalError(
                    f"no login within {LOGIN_DEADLINE:g} s; the venue's page cancels orders, too"
                )
            clearance = await clear(
                logged_in.authed, self.market, partial(self._cancel, place, logged_in.authed)
            )
            services.cancel_scope.cancel()
        return clearance

    async def _cancel(self, place: Place, authed: AuthedRest) -> None:
        """By the way that orders go; over REST whenever the WebSocket is not there. Raises what a request does."""
        if self.settings.orders.via == WS and await self._cancel_by_call(place, authed.token):
            return
        async with authed.reserve_order_lane() as lane:
            await lane.send(orders.cancel_all(self.market))

    async def _cancel_by_call(self, place: Place, token: Token) -> bool:
        """Over a WebSocket of its own; whether the venue said that the cancels are queued."""
        why = f"no reply within {CALL_DEADLINE:g} s"
        try:
            with trio.move_on_after(CALL_DEADLINE):
                async with (
                    open_websocket(
                        place.venue.ws_url, place.tls, self.settings.stream, NoTape(self.clock), 1, self.clock
                    ) as websocket,
                    trio.open_nursery() as nursery,
                ):
                    stream = open_stream(websocket)
                    nursery.start_soon(hear_replies, websocket, stream)
                    await stream.call("auth", {"bearer": token.text}, secret=token.text)
                    call = calls.cancel_all(self.market)
                    await stream.call(call.method, msgspec.Raw(call.params))
                    nursery.cancel_scope.cancel()
                return True
        except* (RequestError, StreamClosedError) as errors:
            why = "; ".join(map(str, leaves(errors)))
        self.say(f"Over the WebSocket: {why}. The cancels go over REST.")
        return False

    def announce(self, account: str, rest_url: str) -> None:
        """Say what comes, and pull the kill switch of the bot that has the account."""
        where = f"in {self.market}" if self.market else "in every market"
        self.say(
            f"Every open order of account {account} on {self.settings.environment} is cancelled now, {where}, "
            "whoever placed it."
        )
        try:
            files = _files(self.settings, rest_url, account)
            holder = None if files is None else holder_of(files)
        except (ValueError, RuntimeError, OSError) as error:
            self.say(f"Whether a bot of this machine trades on it cannot be told: {error}")
            return
        if files is None or holder is None:
            self.say("No bot of this machine has the account; one elsewhere would go on placing orders.")
            return
        who = f"The bot with pid {holder.pid}, run {holder.run_id}, since {utc(holder.since_ns)}, has the account"
        try:
            if not _has_open(holder.pid, files.lock):
                self.say(f"{who}, but not on this machine: stop it there, or it goes on placing orders.")
                return
            os.kill(holder.pid, signal.Signals[KILL_SWITCH])
        except OSError as error:
            self.say(f"{who}, but it cannot be told: {error.strerror}. It may go on placing orders.")
        else:
            self.say(f"{who}: its kill switch is pulled, and it places nothing more.")


@attrs.define(eq=False)
class _Announcement:
    """A `bot.core.recovered.AccountClaim` that claims nothing: it is when the account is known, and made once."""

    _hurry: Hurry
    _rest_url: str
    is_made: bool = attrs.field(default=False, init=False)

    async def take(self, account: str) -> Recovered:
        if not self.is_made:
            self.is_made = True
            self._hurry.announce(account, self._rest_url)
        return Recovered()

    async def taken_over(self) -> None:
        pass


def _files(settings: Settings, rest_url: str, account: str) -> AccountFiles | None:
    """None if no bot was ever here. Raises ValueError, RuntimeError or OSError: nobody can tell."""
    folder = where_sessions_are(settings.journal, os.environ)
    if not folder.is_dir():
        return None
    return account_files(
        folder, hashing_key(folder), environment=settings.environment, rest_url=rest_url, account=account
    )


def _has_open(pid: int, file: Path) -> bool:
    """Whether the process has ``file`` open: from another machine or container the lock reaches, but no number does.

    Without /proc nobody can tell. Raises OSError: it is somebody else's, or gone.
    """
    if not Path("/proc/self/fd").is_dir():
        return True
    return any(link.exists() and link.samefile(file) for link in Path(f"/proc/{pid}/fd").iterdir())


def as_json(clearance: Clearance) -> str:
    """For programs."""
    return msgspec.json.encode(attrs.asdict(clearance)).decode() + "\n"


def tell(clearance: Clearance, say: Callable[[str], None]) -> None:
    """The same for people."""
    for report in clearance.gone:
        say(f"gone  {_described(report)}")
    for report in clearance.left:
        say(f"LEFT  {_described(report)}")
    if clearance.left:
        say(f"{len(clearance.gone)} orders are gone, {len(clearance.left)} are left.")
    elif clearance.is_clear:
        say(f"{len(clearance.gone)} orders are gone, none is open.")
    else:
        say(f"{len(clearance.gone)} orders are gone; whether one is open now could not be told.")


def _described(report: OrderReport) -> str:
    return (
        f"{report.market} {report.side} {report.size} at {report.price}, {report.remaining_size} unfilled, "
        f"id={report.id}, client_id={report.client_id}, {report.status} {report.cancel_reason or ''}".rstrip()
    )
