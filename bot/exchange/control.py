"""The control port: levers and books over plain HTTP, for people and for tests in other processes."""

import sys
from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Annotated, TypeVar

import msgspec

from bot.core.fixed import SCALE, render
from bot.exchange.counters import Counters
from bot.exchange.errors import UNREADABLE, VenueError
from bot.exchange.exchange import Exchange
from bot.exchange.faults.faults import FaultInvalid, read_fault
from bot.exchange.identity.login import read_public_key
from bot.exchange.identity.stark import parse_address
from bot.exchange.instruments.markets import check_market
from bot.exchange.market.driver import PriceError
from bot.exchange.matching.fills import Fill, FillUnknown
from bot.exchange.matching.modes import Mode
from bot.exchange.matching.orders import Order
from bot.exchange.rest.parameters import any_market, invalid, positive_decimal, whole_number
from bot.exchange.rest.routing import Route, Router
from bot.exchange.transport.http import Answer, Request, json_answer
from bot.exchange.views.account import summary_view, transfer_view
from bot.exchange.views.orders import fill_view, order_view

T = TypeVar("T")


class _Drop(msgspec.Struct):
    code: int | None = None


class _SetMode(msgspec.Struct):
    status: Mode


class _RefuseAuth(msgspec.Struct):
    times: int = 1
    status: int = 503


class _MovePrice(msgspec.Struct):
    market: str
    price: str


class _Bust(msgspec.Struct):
    fill_id: str


class _Restart(msgspec.Struct):
    forget: Annotated[int, msgspec.Meta(ge=0)] = 0


class _Deposit(msgspec.Struct):
    account: str
    amount: str


class _RegisterSubkey(msgspec.Struct):
    account: str
    public_key: str
    name: str = "subkey"


class _RevokeSubkey(msgspec.Struct):
    account: str
    public_key: str


ABOUT: dict[str, str] = {
    "GET /": "this list",
    "DELETE /faults": "no more faults; what they have begun goes on",
    "GET /accounts": "every account and its money",
    "GET /connections": "connections, handshakes, requests and WebSocket closes so far",
    "GET /faults": "the faults that were asked for, how often each fitted and struck, and all strikes by kind",
    "GET /fills": "fills of all accounts, or of ?account=0x…, oldest first: all that are kept, or ?newest=… of them",
    "GET /money": "the venue's own money, and by how much the books miss conserving money: 0, or a fault",
    "GET /orders": "orders as the books have them, also of ?account=0x… and ?market=…; as many as fills",
    "POST /bust": '{"fill_id": "…"}: revert a trade by one of its fills',
    "POST /deposit": '{"account": "0x…", "amount": "1000"}: credit an account',
    "POST /drop-websockets": 'end all WebSockets; {"code": 1012} sends a close frame, no code cuts the connection',
    "POST /expire-tokens": "every token issued so far expires now",
    "POST /fault": '{"fault": "silence", "on": "create", "times": 1, …}: let something go wrong; its id',
    "POST /freeze": "stop the market: prices stand still, and nobody but clients trades",
    "POST /mode": '{"status": "ok" | "cancel_only" | "post_only" | "maintenance"}',
    "POST /move-price": '{"market": "BTC-USD-PERP", "price": "80000"}: the fair price; mark and spot follow at once',
    "POST /refuse-auth": '{"times": 1, "status": 503 | 401}: refuse the next auth requests',
    "POST /register-subkey": '{"account": "0x…", "public_key": "0x…", "name": "subkey"}: without a signature',
    "POST /release": "begin a release: cancels only, connections dropped, passive orders only, and all is well again",
    "POST /restart": '{"forget": 1}: end all connections but this, and lose so many of the newest resting orders',
    "POST /revoke-subkey": '{"account": "0x…", "public_key": "0x…"}: at once, on open sockets too',
    "POST /thaw": "let a frozen market go on",
}


class Control:
    """Serves the control port of one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.routes = [
            Route("GET", "/", lambda _request: json_answer(ABOUT)),
            Route("DELETE", "/faults", self._clear_faults),
            Route("GET", "/accounts", self._accounts),
            Route("GET", "/connections", lambda _request: json_answer(exchange.counters.view())),
            Route("GET", "/faults", lambda _request: json_answer(exchange.faults.view())),
            Route("GET", "/fills", self._fills),
            Route("GET", "/money", self._money),
            Route("GET", "/orders", self._orders),
            Route("POST", "/bust", self._bust),
            Route("POST", "/deposit", self._deposit),
            Route("POST", "/drop-websockets", self._drop_websockets),
            Route("POST", "/expire-tokens", self._expire_tokens),
            Route("POST", "/fault", self._add_fault),
            Route("POST", "/freeze", self._freeze),
            Route("POST", "/mode", self._mode),
            Route("POST", "/move-price", self._move_price),
            Route("POST", "/refuse-auth", self._refuse_auth),
            Route("POST", "/register-subkey", self._register_subkey),
            Route("POST", "/release", self._release),
            Route("POST", "/restart", self._restart),
            Route("POST", "/revoke-subkey", self._revoke_subkey),
            Route("POST", "/thaw", self._thaw),
        ]
        self._router = Router(self.routes, Counters())

    async def handle(self, request: Request) -> Answer:
        started = self._exchange.request_log.start()
        answer = self._router.answer(request)
        self._exchange.request_log.http("control", request, answer, started)
        return answer

    # -- reads ---------------------------------------------------------------------------------------------

    def _accounts(self, _request: Request) -> Answer:
        stamps, clearing = self._exchange.stamps, self._exchange.clearing
        return json_answer(
            {
                "results": [
                    {
                        "public_key": hex(account.public_key),
                        "onboarded_at": account.onboarded_at_ms,
                        **summary_view(clearing.summary(account.address), seq_no=stamps.rest_seq.next()),
                    }
                    for account in self._exchange.accounts
                ]
            }
        )

    def _money(self, _request: Request) -> Answer:
        clearing = self._exchange.clearing
        return json_answer(
            {"venue": render(clearing.venue // SCALE), "discrepancy": str(clearing.discrepancy())}
        )

    def _orders(self, request: Request) -> Answer:
        account, most = self._account_filter(request), _newest(request)
        market = any_market(request, self._exchange.markets)
        ledger, now_ms = self._exchange.ledger, self._exchange.stamps.now_ms()
        newest_first: Iterable[Order] = (
            reversed(ledger.by_id.values())
            if account is None
            else (order for _, order in ledger.history(account).backward())
        )
        wanted = (order for order in newest_first if market in {None, order.market})
        found = list(islice(wanted, most))
        return json_answer(
            {
                "results": [
                    order_view(order, seq_no=order.seq_no, published_ms=now_ms) for order in reversed(found)
                ]
            }
        )

    def _fills(self, request: Request) -> Answer:
        account, most = self._account_filter(request), _newest(request)
        fills = self._exchange.engine.fills
        wanted: Iterable[Fill] = fills if account is None else fills.of(account)
        return json_answer({"results": [fill_view(fill) for fill in deque(wanted, maxlen=most)]})

    def _account_filter(self, request: Request) -> int | None:
        text = request.query.get("account", "")
        return self._account(text) if text else None

    # -- levers --------------------------------------------------------------------------------------------

    def _bust(self, request: Request) -> Answer:
        fill_id = _read(request, _Bust).fill_id
        try:
            self._exchange.engine.bust(fill_id)
        except FillUnknown as error:
            raise VenueError("NOT_FOUND", f"no such fill, or busted before: {error}") from error
        return json_answer({})

    def _deposit(self, request: Request) -> Answer:
        wanted = _read(request, _Deposit)
        account, amount = self._account(wanted.account), positive_decimal({"amount": wanted.amount}, "amount")
        return json_answer(transfer_view(self._exchange.clearing.deposit(account, amount)))

    def _drop_websockets(self, request: Request) -> Answer:
        code = _read(request, _Drop).code
        if code is not None and not 1000 <= code < 5000:
            raise VenueError("VALIDATION_ERROR", "not a close code")
        return json_answer({"dropped": self._exchange.drop_websockets(code)})

    def _expire_tokens(self, _request: Request) -> Answer:
        self._exchange.expire_tokens()
        return json_answer({})

    def _add_fault(self, request: Request) -> Answer:
        try:
            return json_answer({"id": self._exchange.faults.add(read_fault(request.body))})
        except FaultInvalid as error:
            raise VenueError("VALIDATION_ERROR", str(error)) from error

    def _clear_faults(self, _request: Request) -> Answer:
        self._exchange.faults.clear()
        return json_answer({})

    def _freeze(self, _request: Request) -> Answer:
        self._exchange.driver.freeze()
        return json_answer({})

    def _thaw(self, _request: Request) -> Answer:
        self._exchange.driver.thaw()
        return json_answer({})

    def _mode(self, request: Request) -> Answer:
        self._exchange.set_mode(_read(request, _SetMode).status)
        return json_answer({"status": self._exchange.mode})

    def _move_price(self, request: Request) -> Answer:
        wanted = _read(request, _MovePrice)
        symbol = check_market(wanted.market, self._exchange.markets)
        moved = positive_decimal({"price": wanted.price}, "price")
        try:
            self._exchange.driver.move(symbol, moved)
        except PriceError as error:
            raise invalid("price", str(error)) from error
        price = self._exchange.prices[symbol]
        return json_answer(
            {
                "external_fair_price": render(price.fair),
                "mark_price": render(price.mark),
                "underlying_price": render(price.underlying),
            }
        )

    def _refuse_auth(self, request: Request) -> Answer:
        wanted = _read(request, _RefuseAuth)
        if not 0 <= wanted.times <= 1_000_000 or not 400 <= wanted.status < 600:
            raise VenueError("VALIDATION_ERROR", "times or status out of range")
        self._exchange.refuse_auth(wanted.times, wanted.status)
        return json_answer({})

    def _register_subkey(self, request: Request) -> Answer:
        wanted = _read(request, _RegisterSubkey)
        account = self._account(wanted.account)
        self._exchange.register_subkey(account, read_public_key(wanted.public_key), wanted.name)
        return json_answer({})

    def _release(self, _request: Request) -> Answer:
        self._exchange.release.begin()
        return json_answer({})

    def _restart(self, request: Request) -> Answer:
        lost = self._exchange.restart(_read(request, _Restart).forget)
        return json_answer({"forgotten": [order.id for order in lost]})

    def _revoke_subkey(self, request: Request) -> Answer:
        wanted = _read(request, _RevokeSubkey)
        self._exchange.revoke_subkey(self._account(wanted.account), read_public_key(wanted.public_key))
        return json_answer({})

    def _account(self, text: str) -> int:
        """The address of an onboarded account.

        Raises:
            VenueError: INVALID_STARKNET_ADDRESS, ACCOUNT_NOT_FOUND.
        """
        try:
            address = parse_address(text)
        except ValueError as error:
            raise VenueError("INVALID_STARKNET_ADDRESS", f"account {error}") from error
        if self._exchange.accounts.find(address) is None:
            raise VenueError("ACCOUNT_NOT_FOUND", "there is no such account")
        return address


def _newest(request: Request) -> int:
    """How many rows are wanted: an oracle that leaves some out misleads, so all of them unless somebody says."""
    return whole_number(request.query, "newest", sys.maxsize, 1, sys.maxsize)


def _read(request: Request, wanted: type[T]) -> T:
    """The body as a struct; an empty body means all defaults.

    Raises:
        VenueError: VALIDATION_ERROR.
    """
    try:
        return msgspec.json.decode(request.body or b"{}", type=wanted)
    except UNREADABLE as error:
        raise VenueError("VALIDATION_ERROR", str(error)) from error
