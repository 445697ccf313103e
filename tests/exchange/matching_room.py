"""A small market with its desk, in which every step of the engine is watched."""

from random import Random
from typing import Any

import attrs
from matching_watch import Seen, Watch
from naive_matching import NaiveMarket

from bot.core.fixed import SCALE
from bot.exchange.clearing.clearing import Clearing
from bot.exchange.event import Bus
from bot.exchange.identity.accounts import Account
from bot.exchange.identity.config import CHAIN_ID
from bot.exchange.identity.snip12 import Messages
from bot.exchange.identity.tokens import Grant
from bot.exchange.instruments.markets import MARKETS
from bot.exchange.instruments.prices import Prices
from bot.exchange.matching.caller import Caller
from bot.exchange.matching.commands import Command
from bot.exchange.matching.desk import Desk
from bot.exchange.matching.engine import Engine
from bot.exchange.matching.entry import Entry
from bot.exchange.matching.ledger import OrderLedger
from bot.exchange.matching.modes import Mode
from bot.exchange.matching.orders import Order, RequestInfo
from bot.exchange.matching.requests import ModifyRequest, OrderRequest, convert_modify, convert_order
from bot.exchange.settings import ExchangeSettings
from bot.exchange.stamps import Stamps

SYMBOL = "BTC-USD-PERP"
SMALL = attrs.evolve(
    MARKETS[SYMBOL],
    tick=SCALE,
    step=SCALE,
    max_order_size=10 * SCALE,
    position_limit=12 * SCALE,
    max_open_orders=8,
    imf_base="0.1",
    opening_price=100 * SCALE,
    min_notional=150 * SCALE,
    band_bps=500,
    slippage_bps=100,
)
"""A market of whole dollars and whole coins, so small that limits are met all the time."""

EPOCH_MS = 1_790_000_000_000


class StandingClock:
    def wall_ns(self) -> int:
        return EPOCH_MS * 10**6

    def monotonic_ns(self) -> int:
        return 0


class Watched(Engine):
    """Executes what is submitted when it is told to, and asks the watch before and after each step."""

    watch: Watch
    queue: list[tuple[float, Command]]

    def submit(self, command: Command, delay: float = 0.0) -> None:
        self.queue.append((delay, command))

    def _execute(self, command: Command) -> None:
        expected = self.watch.before(command)
        super()._execute(command)
        self.watch.after(command, expected)


class Room:
    """Three accounts with so many dollars each, and everything of an exchange that has to do with their orders."""

    def __init__(
        self, *, deposit: int = 5000, kept: int = 1000, verify: bool = False, **settings: Any
    ) -> None:
        self.settings = ExchangeSettings(**settings)
        self.mode: Mode = "ok"
        self.seen = Seen()
        self.stamps = Stamps(StandingClock(), Random(1))
        self.prices = Prices([SMALL])
        self.ledger = OrderLedger(kept)
        self.accounts = (1001, 1002, 1003)
        self.bus = bus = Bus()
        markets = {SYMBOL: SMALL}
        self.clearing = Clearing(markets, self.prices, self.stamps, bus.emit)
        for account in self.accounts:
            self.clearing.deposit(account, deposit * SCALE)
        self.engine = Watched(
            markets,
            self.ledger,
            self.clearing,
            self.prices,
            self.stamps,
            bus.emit,
            mode=lambda: self.mode,
            settings=self.settings,
        )
        self.book = self.engine.books[SYMBOL]
        self.watch = self.engine.watch = Watch(
            NaiveMarket(
                SMALL, self.prices[SYMBOL], lambda: self.mode, lambda account: self.seen.held[account]
            ),
            self.seen,
            self.book,
            self.ledger,
            self.engine.fills,
            self.clearing,
            self.accounts,
            self.settings.modify_priority == "kept",
        )
        bus.listen(self.watch.listen)
        self.queue = self.engine.queue = []
        entry = Entry(
            markets,
            self.prices,
            self.ledger,
            self.clearing,
            self.stamps,
            Messages(CHAIN_ID),
            self.settings,
            lambda account: [account.public_key],
            verify=verify,
        )
        self.desk = Desk(
            markets, self.ledger, entry, self.engine, bus.emit, lambda: self.mode, self.settings.batch_size
        )

    def caller(self, account: int, *, interactive: bool = False) -> Caller:
        grant = Grant(account, interactive=interactive, key=account)
        return Caller(Account(account, account, "", 0), grant, EPOCH_MS)

    def work(self, most: int | None = None) -> None:
        """Execute what was submitted, in order; or only so much of it."""
        while self.queue and most != 0:
            most = None if most is None else most - 1
            self.engine.step(self.queue.pop(0)[1])

    def move(self, mark: int, fair: int | None = None) -> None:
        """The mark is this many dollars now, and the fair price too unless it is given."""
        price = self.prices[SYMBOL]
        price.mark, price.fair = mark * SCALE, (mark if fair is None else fair) * SCALE
        self.engine.prices_moved(SYMBOL)

    def set_mode(self, mode: Mode) -> None:
        self.mode = mode
        self.engine.mode_changed()

    def place(self, account: int, **changes: Any) -> Order:
        """Place `order_request` with these changes for an account, and let the engine execute it."""
        interactive = changes.pop("interactive", False)
        order = self.desk.create(order_request(**changes), self.caller(account, interactive=interactive))
        self.work()
        return order

    def modify(self, order: Order, **changes: Any) -> RequestInfo:
        """Modify an order, and let the engine execute it; what it says about the request."""
        shown = self.desk.modify(order.id, change(order, **changes), self.caller(order.account))
        assert shown.request is not None
        self.work()
        return self.seen.requests[shown.request.id]

    def hold(self, account: int, coins: int) -> None:
        """Let an account have so many coins more, traded with the third one at the mark."""
        side, other = ("BUY", "SELL") if coins > 0 else ("SELL", "BUY")
        price = str(self.prices[SYMBOL].mark // SCALE)
        for who, what in ((self.accounts[2], other), (account, side)):
            self.place(who, side=what, size=str(abs(coins)), price=price)

    def held(self, account: int) -> int:
        """The coins an account holds, by its fills; negative when short."""
        return self.seen.held[account] // SCALE


def order_request(**changes: Any) -> OrderRequest:
    """A bid for two coins at a dollar under the mark, or what the changes make of it."""
    order = {
        "market": SYMBOL,
        "side": "BUY",
        "type": "LIMIT",
        "size": "2",
        "price": "99",
        "signature": '["1","2"]',
        "signature_timestamp": EPOCH_MS,
    }
    return convert_order(order | changes)


def stop(kind: str = "STOP_LIMIT", **changes: Any) -> dict[str, Any]:
    """What makes a conditional order of it."""
    return {"type": kind, "trigger_price": "101", **changes}


def change(order: Order, **changes: Any) -> ModifyRequest:
    """A request to modify an order, by default to what it is."""
    values = {
        "id": order.id,
        "market": order.market,
        "side": order.side,
        "type": order.type,
        "size": str(order.size // SCALE),
        "price": str(order.price // SCALE),
        "signature": '["1","2"]',
        "signature_timestamp": EPOCH_MS,
    }
    return convert_modify(values | changes)


def state(order: Order) -> tuple[str, str, int]:
    """Status, reason, and the coins that remain."""
    return order.status, order.cancel_reason, order.remaining // SCALE
