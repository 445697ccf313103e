"""The REST API: which request is served by what (protocol reference 3.1)."""

from collections.abc import Callable

import attrs
import trio

from bot.exchange.errors import VenueError
from bot.exchange.exchange import Exchange
from bot.exchange.identity.config import system_config
from bot.exchange.identity.login import derive, read_public_key
from bot.exchange.matching.desk import Caller
from bot.exchange.matching.entry import decode_order
from bot.exchange.matching.orders import OPEN, Order
from bot.exchange.rest.routing import Route, Router
from bot.exchange.transport.http import Answer, Request, json_answer
from bot.exchange.views import bbo_view, order_view


class Rest:
    """Serves requests of one exchange. Handlers are synchronous: they decide, and the engine acts later."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._processing = exchange.settings.processing_ms / 1000
        self._router = Router(
            [
                Route("GET", "/v1/system/time", self._time),
                Route("GET", "/v1/system/state", self._state),
                Route("GET", "/v1/system/config", lambda _request: json_answer(system_config())),
                Route("GET", "/v1/jwks.json", lambda _request: json_answer(exchange.tokens.jwks)),
                Route("GET", "/v1/onboarding", self._derivation),
                Route("POST", "/v1/onboarding", self._onboard),
                Route("POST", "/v1/auth", self._authenticate),
                Route("POST", "/v1/auth/{public_key}", self._authenticate),
                Route("GET", "/v1/markets", self._markets),
                Route("GET", "/v1/bbo/{market}", self._bbo),
                Route("GET", "/v1/bbo/{market}/interactive", self._bbo),
                Route("GET", "/v1/orders", self._private(self._open_orders)),
                Route("POST", "/v1/orders", self._private(self._place)),
                Route("DELETE", "/v1/orders", self._private(self._cancel_all)),
                Route("GET", "/v1/orders-history", self._private(self._history)),
                Route("GET", "/v1/orders/by_client_id/{client_id}", self._private(self._order_by_client_id)),
                Route(
                    "DELETE", "/v1/orders/by_client_id/{client_id}", self._private(self._cancel_by_client_id)
                ),
                Route("GET", "/v1/orders/{order_id}", self._private(self._order)),
                Route("DELETE", "/v1/orders/{order_id}", self._private(self._cancel)),
            ],
            exchange.counters,
        )

    async def handle(self, request: Request) -> Answer:
        """Answer one request, after the time the exchange takes over each."""
        received_ms = self._exchange.stamps.now_ms()
        if self._processing:
            await trio.sleep(self._processing)
        return self._router.answer(attrs.evolve(request, received_ms=received_ms))

    def _private(self, handler: Callable[[Request, Caller], Answer]) -> Callable[[Request], Answer]:
        def authorized(request: Request) -> Answer:
            account, grant = self._exchange.account_of(request.headers.get("authorization", ""))
            return handler(request, Caller(account, grant, request.received_ms))

        return authorized

    def _time(self, _request: Request) -> Answer:
        return json_answer({"server_time": str(self._exchange.stamps.now_ms())})

    def _state(self, _request: Request) -> Answer:
        return json_answer({"status": self._exchange.mode})

    def _derivation(self, request: Request) -> Answer:
        signer_type = request.query.get("account_signer_type", "")
        if signer_type != "starknet":
            raise VenueError("INVALID_REQUEST_PARAMETER", "account_signer_type is served for starknet only")
        address = derive(read_public_key(request.query.get("public_key", "")))
        config = system_config()
        return json_answer(
            {
                "address": hex(address),
                "exists": self._exchange.accounts.find(address) is not None,
                "account_signer_type": signer_type,
                "derivation_info": {
                    "class_hash": config["paraclear_account_hash"],
                    "proxy_class_hash": config["paraclear_account_proxy_hash"],
                },
            }
        )

    def _onboard(self, request: Request) -> Answer:
        self._exchange.login.onboard(request.headers, request.body)
        return Answer(200)

    def _authenticate(self, request: Request) -> Answer:
        token = self._exchange.authenticate(
            request.headers, request.params.get("public_key"), request.query.get("token_usage")
        )
        return json_answer({"jwt_token": token})

    def _markets(self, request: Request) -> Answer:
        wanted = request.query.get("market", "")
        if wanted:
            self._check_market(wanted)
        markets = self._exchange.markets.values()
        base = request.query.get("base_asset", "")
        kind = request.query.get("asset_kind", "")
        return json_answer(
            {
                "results": [
                    market.listing()
                    for market in markets
                    if wanted in {"", market.symbol} and base in {"", market.base} and kind in {"", "PERP"}
                ]
            }
        )

    def _bbo(self, request: Request) -> Answer:
        symbol = request.params["market"]
        self._check_market(symbol)
        return json_answer(bbo_view(self._exchange.engine.books[symbol]))

    def _open_orders(self, request: Request, caller: Caller) -> Answer:
        market = self._market_filter(request)
        live = self._exchange.ledger.live(caller.account.address, market)
        return json_answer({"results": [self._view(order) for order in live]})

    def _place(self, request: Request, caller: Caller) -> Answer:
        order = self._exchange.desk.create(decode_order(request.body), caller)
        return json_answer(self._view(order), 201)

    def _cancel_all(self, request: Request, caller: Caller) -> Answer:
        market = self._market_filter(request)
        self._exchange.desk.cancel_all(market, caller)
        return Answer(200)

    def _order(self, request: Request, caller: Caller) -> Answer:
        return json_answer(self._view(self._find(request, caller)))

    def _cancel(self, request: Request, caller: Caller) -> Answer:
        self._exchange.desk.cancel(self._find(request, caller), caller)
        return Answer(204)

    def _order_by_client_id(self, request: Request, caller: Caller) -> Answer:
        order = self._exchange.desk.find_client_id(request.params["client_id"], caller)
        if order.status != OPEN:
            raise VenueError("CLIENT_ORDER_ID_NOT_FOUND", "Client order id not found")
        return json_answer(self._view(order))

    def _cancel_by_client_id(self, request: Request, caller: Caller) -> Answer:
        market = self._market_filter(request)
        order = self._exchange.desk.find_client_id(request.params["client_id"], caller, market)
        self._exchange.desk.cancel(order, caller)
        return Answer(204)

    def _history(self, request: Request, caller: Caller) -> Answer:
        page = self._exchange.history(caller.account, request.query)
        return json_answer(
            {
                "next": page.next,
                "prev": page.prev,
                "results": [self._view(order) for order in page.orders],
            }
        )

    def _view(self, order: Order) -> dict[str, object]:
        return order_view(order, seq_no=order.seq_no, published_ms=self._exchange.stamps.now_ms())

    def _find(self, request: Request, caller: Caller) -> Order:
        return self._exchange.desk.find(request.params["order_id"], caller)

    def _check_market(self, symbol: str) -> None:
        if symbol not in self._exchange.markets:
            raise VenueError("MARKET_NOT_FOUND", f"market {symbol[:40]!r} does not exist")

    def _market_filter(self, request: Request) -> str | None:
        symbol = request.query.get("market", "")
        if not symbol:
            return None
        self._check_market(symbol)
        return symbol
