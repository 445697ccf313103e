"""The exchange itself, without any transport: its parts, its hub of sockets, and its levers."""

from random import Random

from bot.core.clock import Clock
from bot.exchange.clearing.clearing import Clearing
from bot.exchange.counters import Counters, SocketClose
from bot.exchange.errors import VenueError
from bot.exchange.event import Bus
from bot.exchange.identity.accounts import Account, Accounts
from bot.exchange.identity.config import CHAIN_ID
from bot.exchange.identity.login import Login
from bot.exchange.identity.snip12 import Messages
from bot.exchange.identity.tokens import Grant, TokenRefused, Tokens
from bot.exchange.market.house import House
from bot.exchange.market.listings import MARKETS, Market
from bot.exchange.market.prices import Prices
from bot.exchange.matching.book import Book
from bot.exchange.matching.desk import Desk
from bot.exchange.matching.engine import Engine
from bot.exchange.matching.entry import Entry
from bot.exchange.matching.modes import MODES, Mode
from bot.exchange.matching.orders import Fill, Order, OrderLedger
from bot.exchange.rest.pages import Page, Pager
from bot.exchange.settings import ExchangeSettings
from bot.exchange.stamps import Stamps
from bot.exchange.stream.feeds import Feeds
from bot.exchange.stream.session import Session


class Exchange:
    """Accounts, books, orders and sockets of one exchange.

    What the REST and WebSocket handlers need are methods here; `orders`, `fills`, `counters` and the ``drop_…``
    to ``refuse_…`` levers are for tests and the control port.
    """

    def __init__(self, settings: ExchangeSettings, clock: Clock, *, verify: bool = True) -> None:
        rng = Random(settings.seed)  # noqa: S311 - the exchange is a simulation; one seed is one exchange
        self.settings = settings
        self.markets: dict[str, Market] = MARKETS
        self.stamps = Stamps(clock, rng)
        self.clock = clock
        self.tokens = Tokens(rng.getrandbits(256), clock)
        self.accounts = Accounts()
        self.ledger = OrderLedger()
        self.counters = Counters()
        self.mode: Mode = "ok"
        self.feeds = Feeds(self.stamps)
        self.bus = Bus()
        self.bus.listen(self.feeds.publish)
        self.prices = Prices(self.markets.values())
        self.clearing = Clearing()
        messages = Messages(CHAIN_ID)
        self.login = Login(self.accounts, messages, self.tokens, self.stamps, verify)
        self._pager = Pager(rng.randbytes(32))
        self._refusals: list[int] = []
        house_rng = Random(rng.getrandbits(64))  # noqa: S311 - as above; its own, so that quotes leave ids alone

        def new_house(market: Market, book: Book) -> House:
            return House(market, book, house_rng, self.stamps.new_id)

        self.engine = Engine(
            self.markets, self.ledger, self.clearing, self.prices, self.stamps, new_house, self.bus.emit
        )
        entry = Entry(self.markets, self.prices, self.ledger, self.stamps, messages, verify)
        self.desk = Desk(self.markets, self.ledger, entry, self.engine, lambda: self.mode)

    # -- what clients ask for ------------------------------------------------------------------------------

    def account_of(self, authorization: str) -> tuple[Account, Grant]:
        """The account that an ``Authorization`` header speaks for.

        Raises:
            VenueError: UNAUTHORIZED_ERROR without a bearer token, INVALID_TOKEN when it does not hold.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise VenueError("UNAUTHORIZED_ERROR", "Authorization: Bearer is missing")
        try:
            grant = self.tokens.check(token.strip())
        except TokenRefused as error:
            raise VenueError("INVALID_TOKEN", str(error)) from error
        account = self.accounts.find(grant.account)
        if account is None:
            raise VenueError("NOT_ONBOARDED", "User has never called /onboarding endpoint")
        return account, grant

    def authenticate(self, headers: dict[str, str], key: str | None, token_usage: str | None) -> str:
        """A JWT, unless the next refusal is due. Raises what `Login.authenticate` raises."""
        if self._refusals:
            status = self._refusals.pop(0)
            if status == 401:
                raise VenueError("UNAUTHORIZED_ERROR", "authentication is refused for now")
            raise VenueError("SERVICE_UNAVAILABLE", "authentication is unavailable for now", status=status)
        return self.login.authenticate(headers, key, token_usage)

    def history(self, account: Account, query: dict[str, str]) -> Page:
        """A page of an account's orders, newest first. Raises what `Pager.page` raises."""
        return self._pager.page(account.address, self.ledger.history(account.address), query)

    def open_session(self) -> Session:
        """A new socket's conversation; `close_session` ends it."""
        session = Session(
            self.stamps.node_id(),
            self.tokens,
            self.markets,
            self.stamps,
            lambda address: self.accounts.find(address) is not None,
        )
        self.feeds.sessions[session] = None
        self.counters.sockets_opened += 1
        return session

    def close_session(self, session: Session, code: int, by: str, reason: str) -> None:
        """Forget a socket, and remember how it ended."""
        del self.feeds.sessions[session]
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
        return self.engine.fills[account]

    # -- levers --------------------------------------------------------------------------------------------

    def drop_websockets(self, code: int | None = None) -> int:
        """End every open socket, with this close code or, without one, with no close frame. How many there were."""
        for session in self.feeds.sessions:
            session.hang_up(code, "dropped")
        return len(self.feeds.sessions)

    def expire_tokens(self) -> None:
        """Every token issued so far has expired. Sockets that are authenticated stay so, as on the venue."""
        self.tokens.expire_all()

    def set_mode(self, mode: Mode) -> None:
        """Change the platform mode; restricted ones close resting orders outside their price band."""
        if mode not in MODES:
            raise ValueError(f"not a mode: {mode!r}")
        self.mode = mode
        if mode in {"cancel_only", "post_only"}:
            self.engine.restrict()

    def refuse_auth(self, times: int = 1, status: int = 503) -> None:
        """Refuse the next so many auth requests with this HTTP status."""
        self._refusals = [status] * times
