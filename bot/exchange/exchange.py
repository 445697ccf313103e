"""The exchange itself, without any transport: its parts, its hub of sockets, and its levers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from random import Random

import attrs
import trio

from bot.core.clock import Clock
from bot.exchange.clearing.clearing import Clearing
from bot.exchange.clearing.health import Health
from bot.exchange.counters import Counters, SocketClose
from bot.exchange.errors import VenueError
from bot.exchange.event import Bus
from bot.exchange.faults.chronicle import Chronicle
from bot.exchange.faults.faults import Faults
from bot.exchange.faults.witness import Witness
from bot.exchange.identity.accounts import Account, Accounts
from bot.exchange.identity.config import CHAIN_ID
from bot.exchange.identity.gate import Gate
from bot.exchange.identity.login import Login, read_public_key
from bot.exchange.identity.quota import Quotas
from bot.exchange.identity.readonly import ReadOnlyTokens
from bot.exchange.identity.registration import Registration
from bot.exchange.identity.snip12 import Messages
from bot.exchange.identity.subkeys import ACTIVE, Subkeys
from bot.exchange.identity.tokens import Grant, TokenRefused, Tokens
from bot.exchange.instruments.markets import MARKETS, Market
from bot.exchange.instruments.prices import Prices
from bot.exchange.market.driver import Driver
from bot.exchange.market.funding import Funding
from bot.exchange.market.klines import Klines
from bot.exchange.market.past import pasts_of
from bot.exchange.market.summary import Summaries
from bot.exchange.market.tape import Tape
from bot.exchange.matching.commands import Cancel
from bot.exchange.matching.desk import Desk
from bot.exchange.matching.engine import Engine
from bot.exchange.matching.entry import Entry
from bot.exchange.matching.fills import Fill
from bot.exchange.matching.ledger import OrderLedger
from bot.exchange.matching.liquidations import Liquidations
from bot.exchange.matching.modes import MODES, Mode
from bot.exchange.matching.orders import OPEN, UNTRIGGERED, Order
from bot.exchange.peer import LOOPBACK
from bot.exchange.release import Release
from bot.exchange.requestlog import RequestLog
from bot.exchange.settings import ExchangeSettings
from bot.exchange.stamps import Stamps
from bot.exchange.stream.authentication import Authentication
from bot.exchange.stream.channels import Channels
from bot.exchange.stream.disconnect import Disconnects
from bot.exchange.stream.feeds import Feeds
from bot.exchange.stream.orders import OrderMethods
from bot.exchange.stream.session import Method, Session
from bot.exchange.stream.sources import Sources
from bot.exchange.stream.subscribing import Subscribing


class Exchange:
    """Accounts, books, orders and sockets of one exchange.

    What the REST and WebSocket handlers need are methods here; `orders`, `fills`, `positions`, `counters`, the
    `witness`, the `faults` and the ``drop_…`` to ``refuse_…`` levers are for tests and the control port.
    """

    def __init__(
        self,
        settings: ExchangeSettings,
        clock: Clock,
        *,
        verify: bool = True,
        write_log: Callable[[bytes], object] | None = None,
    ) -> None:
        rng = Random(settings.seed)  # noqa: S311 - the exchange is a simulation; one seed is one exchange
        self.settings = settings
        self.markets: dict[str, Market] = MARKETS
        self.stamps = Stamps(clock, rng)
        self.clock = clock
        self.tokens = Tokens(rng.getrandbits(256), clock)
        self.accounts = Accounts(self._welcome)
        self.subkeys = Subkeys(self.accounts, self.stamps)
        self.readonly_tokens = ReadOnlyTokens(self.tokens, self.stamps)
        self.gate = Gate(self.accounts, self.subkeys, self.tokens, self.readonly_tokens)
        self.quotas = Quotas(
            clock,
            enforced=settings.rate_limits == "venue",
            sockets_by_address=settings.socket_orders == "by-address",
        )
        self.ledger = OrderLedger(settings.kept_orders)
        self.counters = Counters()
        self.request_log = RequestLog(clock, write_log)
        self.mode: Mode = "ok"
        self.bus = Bus()
        self.prices = Prices(self.markets.values())
        pasts = pasts_of(self.markets, settings.seed, self.stamps.now_ms(), settings.volatility)
        self.klines = Klines(pasts)
        self.tape = Tape(pasts, self.klines)
        self.bus.listen(
            self.tape.listen
        )  # first, so that whoever shows a trade shows figures that know of it
        self.funding = Funding(self.markets, pasts, self.stamps.now_ms())
        self.clearing = Clearing(self.markets, self.prices, self.stamps, self.bus.emit, self._open_orders)
        messages = Messages(CHAIN_ID)
        self.login = Login(self.accounts, self.subkeys, messages, self.tokens, self.stamps, verify)
        self.registration = Registration(
            self.accounts,
            self.subkeys,
            self.stamps,
            verify,
            signed=settings.subkey_registration == "signed",
        )
        self.cursor_secret = rng.randbytes(32)
        self._refusals: list[int] = []
        self._connections: set[trio.CancelScope] = set()
        self.engine = Engine(
            self.markets,
            self.ledger,
            self.clearing,
            self.prices,
            self.stamps,
            self.bus.emit,
            mode=lambda: self.mode,
            settings=settings,
        )
        self.summaries = Summaries(
            self.engine.books, self.prices, self.tape, self.funding, self.clearing.open_interest
        )
        entry = Entry(
            self.markets,
            self.prices,
            self.ledger,
            self.clearing,
            self.stamps,
            messages,
            settings,
            self._keys_of,
            verify,
        )
        self.desk = Desk(
            self.markets,
            self.ledger,
            entry,
            self.engine,
            self.bus.emit,
            lambda: self.mode,
            settings.batch_size,
        )
        sources = Sources(
            self.stamps, self.engine.books, self.ledger, self.clearing, self.summaries, self.funding
        )
        self.chronicle = Chronicle(self.ledger, self.stamps, self.bus.listen)
        self.faults = Faults(settings.seed, self.chronicle)
        self.witness = Witness(self.ledger, self.chronicle)
        self.feeds = Feeds(sources, settings, self.faults)
        self.bus.listen(self.feeds.publish)
        self.disconnects = Disconnects(settings, self.ledger, self.engine.submit, self.faults)
        self.bus.listen(self.disconnects.listen)
        self.bus.listen(Liquidations(self.engine.fills, self.prices, self.bus.emit).listen)
        self.health = Health(
            self.clearing,
            self.markets,
            self.ledger.live,
            self._open_orders,
            self._cancel_now,
            lambda: self.mode != "ok",
            self.bus.emit,
        )
        channels = Channels(self.markets, settings.deltas_with_parameters == "served")
        self._methods: dict[str, Method] = {
            **Authentication(self.gate).methods(),
            **Subscribing(channels, self.feeds).methods(),
            **OrderMethods(
                self.desk,
                self.quotas,
                self.disconnects,
                self.gate.may_trade,
                settings,
                self.feeds.private.order_data,
            ).methods(),
        }
        self.driver = Driver(
            self.markets,
            self.prices,
            self.engine,
            self.clearing,
            self.klines,
            self.funding,
            self.stamps,
            self.bus.emit,
            settings,
            lambda: self.mode,
        )
        self.driver.open()
        self.bus.listen(self.driver.listen)
        self.release = Release(settings, clock, self.set_mode, self.restart)

    def _welcome(self, account: int) -> None:
        if self.settings.deposit:
            self.clearing.deposit(account, self.settings.deposit)

    def _cancel_now(self, order: Order, reason: str) -> None:
        self.engine.step(Cancel(order, reason))

    def _open_orders(self, account: int, market: str) -> list[Order]:
        return [order for order in self.ledger.live_in(account, market) if order.status == OPEN]

    def _keys_of(self, account: Account) -> list[int]:
        subkeys = self.subkeys.of(account.address)
        return [account.public_key, *(subkey.public_key for subkey in subkeys if subkey.state == ACTIVE)]

    async def run(self) -> None:
        """Everything that the exchange does of itself, for as long as it lives."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.engine.run)
            nursery.start_soon(self.driver.run)
            nursery.start_soon(self.feeds.run)
            nursery.start_soon(self.health.run)
            nursery.start_soon(self.faults.run)
            nursery.start_soon(self.release.run)

    @property
    def is_watched(self) -> bool:
        """Whether requests have to be looked at: something may go wrong with them, or somebody keeps a record."""
        return self.faults.are_armed or self.witness.is_watching

    # -- what clients ask for ------------------------------------------------------------------------------

    def may_trade(self, grant: Grant, peer: str | None = None) -> bool:
        """Whether what was granted still permits orders; see `Gate.may_trade`."""
        return self.gate.may_trade(grant, peer)

    def account_of(self, authorization: str, peer: str = LOOPBACK) -> tuple[Account, Grant]:
        """The account that an ``Authorization`` header speaks for, sent from this IP address.

        Raises:
            VenueError: UNAUTHORIZED_ERROR without a bearer token, INVALID_TOKEN when it does not hold,
                IP_NOT_ALLOWED when it may not be used from there.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise VenueError("UNAUTHORIZED_ERROR", "Authorization: Bearer is missing")
        try:
            return self.gate.admit(token.strip(), peer)
        except TokenRefused as error:
            raise VenueError("INVALID_TOKEN", str(error)) from error

    def authenticate(
        self, headers: dict[str, str], key: str | None, *, interactive: bool = False, peer: str = LOOPBACK
    ) -> str:
        """A JWT, unless the next refusal is due. Raises what `Login.authenticate` raises."""
        if self._refusals:
            status = self._refusals.pop(0)
            self.faults.count(f"refuse-auth {status}")
            if status == 401:
                raise VenueError("UNAUTHORIZED_ERROR", "authentication is refused for now")
            raise VenueError("SERVICE_UNAVAILABLE", "authentication is unavailable for now", status=status)
        return self.login.authenticate(headers, key, peer, interactive=interactive)

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Around the serving of a connection over REST: `restart` ends it."""
        with trio.CancelScope() as scope:
            self._connections.add(scope)
            try:
                yield
            finally:
                self._connections.remove(scope)

    def open_session(self, peer: str = LOOPBACK) -> Session:
        """A new socket's conversation, from this IP address; `close_session` ends it."""
        session = Session(self.stamps.node_id(), peer, self._methods, self.stamps)
        self.feeds.open(session)
        self.counters.sockets_opened += 1
        return session

    def close_session(self, session: Session, code: int, by: str, reason: str) -> None:
        """Forget a socket, and remember how it ended."""
        self.disconnects.ended(session, code, by)
        self.feeds.close(session)
        self.counters.socket_closes.append(SocketClose(code, by, reason, self.stamps.now_ms()))

    # -- what oracles ask for ------------------------------------------------------------------------------

    @property
    def orders(self) -> dict[str, Order]:
        """Every order ever accepted, by id. The house's are not among them."""
        return self.ledger.by_id

    def resting(self, account: int) -> list[Order]:
        """An account's orders that are not CLOSED, oldest first."""
        return self.ledger.live(account)

    def fills(self, account: int) -> list[Fill]:
        """An account's fills, oldest first."""
        return list(self.engine.fills.of(account))

    def positions(self, account: int) -> dict[str, int]:
        """The signed sizes of an account's positions in 10⁻⁸, by market; closed ones are 0."""
        return {report.market: report.size for report in self.clearing.position_reports(account)}

    # -- levers --------------------------------------------------------------------------------------------

    def drop_websockets(self, code: int | None = None) -> int:
        """End every open socket, with this close code or, without one, with no close frame. How many there were."""
        for session in self.feeds.sessions:
            session.hang_up(code, "dropped")
        self.faults.count("drop" if code is None else f"close {code}", len(self.feeds.sessions))
        return len(self.feeds.sessions)

    def restart(self, forget: int = 0) -> list[Order]:
        """End every connection without a word, and lose the newest so many orders that rest or wait unfilled.

        These are in no list any more, and nobody is told; `Chronicle.forgotten` has them, as they were. Their client
        ids may be used again. No socket is armed any more to cancel orders when it ends; tokens stay valid.
        """
        resting = (
            order
            for order in reversed(self.ledger.by_id.values())
            if order.status in {OPEN, UNTRIGGERED} and not order.filled
        )
        lost = list(islice(resting, forget))
        for order in lost:
            self.chronicle.forgotten[order.id] = attrs.evolve(order)
            self.engine.erase(order)
        self.disconnects.forget()
        for session in self.feeds.sessions:
            session.hang_up(None, "restarted")
        for scope in self._connections:
            scope.cancel()
        self.faults.count("restart")
        self.faults.count("forget", len(lost))
        return lost

    def expire_tokens(self) -> None:
        """Every token issued so far has expired. Sockets that are authenticated stay so, as on the venue."""
        self.faults.count("expire-tokens")
        self.tokens.expire_all()

    def set_mode(self, mode: Mode) -> None:
        """Change the platform mode; restricted ones close resting orders outside their price band."""
        if mode not in MODES:
            raise ValueError(f"not a mode: {mode!r}")
        if mode != self.mode:
            self.faults.count(f"mode {mode}")
        self.mode = mode
        self.engine.mode_changed()
        self.driver.mode_changed()

    def register_subkey(self, account: int, public_key: int, name: str = "subkey") -> None:
        """Make a public key an active subkey of an account, with nobody's signature. Raises `VenueError`."""
        if self.accounts.find(account) is None:
            raise VenueError("ACCOUNT_NOT_FOUND", "there is no such account")
        self.subkeys.register(account, read_public_key(hex(public_key)), name)

    def revoke_subkey(self, account: int, public_key: int) -> None:
        """Revoke a subkey, on open sockets too. Raises `VenueError` NOT_FOUND."""
        self.subkeys.revoke(self.subkeys.find(account, public_key))

    def refuse_auth(self, times: int = 1, status: int = 503) -> None:
        """Refuse the next so many auth requests with this HTTP status."""
        self._refusals = [status] * times
