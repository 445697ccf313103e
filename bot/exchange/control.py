"""The control port: levers and books over plain HTTP, for people and for tests in other processes."""

from typing import Any

import msgspec

from bot.exchange.counters import Counters
from bot.exchange.errors import VenueError
from bot.exchange.exchange import Exchange
from bot.exchange.matching.modes import Mode
from bot.exchange.rest.routing import Route, Router
from bot.exchange.transport.http import Answer, Request, json_answer
from bot.exchange.views import fill_view, order_view


class _Drop(msgspec.Struct):
    code: int | None = None


class _SetMode(msgspec.Struct):
    status: Mode


class _RefuseAuth(msgspec.Struct):
    times: int = 1
    status: int = 503


ABOUT: dict[str, str] = {
    "GET /": "this list",
    "GET /orders": "every order ever accepted, of all accounts, as the books have it",
    "GET /fills": "every fill of every account",
    "GET /connections": "connections, handshakes, requests and WebSocket closes so far",
    "POST /drop-websockets": 'end all WebSockets; {"code": 1012} sends a close frame, no code cuts the connection',
    "POST /expire-tokens": "every token issued so far expires now",
    "POST /mode": '{"status": "ok" | "cancel_only" | "post_only" | "maintenance"}',
    "POST /refuse-auth": '{"times": 1, "status": 503 | 401}: refuse the next auth requests',
}


class Control:
    """Serves the control port of one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._router = Router(
            [
                Route("GET", "/", lambda _request: json_answer(ABOUT)),
                Route("GET", "/orders", self._orders),
                Route("GET", "/fills", self._fills),
                Route("GET", "/connections", lambda _request: json_answer(exchange.counters.view())),
                Route("POST", "/drop-websockets", self._drop_websockets),
                Route("POST", "/expire-tokens", self._expire_tokens),
                Route("POST", "/mode", self._mode),
                Route("POST", "/refuse-auth", self._refuse_auth),
            ],
            Counters(),
        )

    async def handle(self, request: Request) -> Answer:
        return self._router.answer(request)

    def _orders(self, _request: Request) -> Answer:
        now_ms = self._exchange.stamps.now_ms()
        orders = self._exchange.orders.values()
        return json_answer(
            {"results": [order_view(order, seq_no=order.seq_no, published_ms=now_ms) for order in orders]}
        )

    def _fills(self, _request: Request) -> Answer:
        fills = self._exchange.engine.fills.values()
        return json_answer({"results": [fill_view(fill) for account in fills for fill in account]})

    def _drop_websockets(self, request: Request) -> Answer:
        code = _read(request, _Drop).code
        if code is not None and not 1000 <= code < 5000:
            raise VenueError("VALIDATION_ERROR", "not a close code")
        return json_answer({"dropped": self._exchange.drop_websockets(code)})

    def _expire_tokens(self, _request: Request) -> Answer:
        self._exchange.expire_tokens()
        return json_answer({})

    def _mode(self, request: Request) -> Answer:
        self._exchange.set_mode(_read(request, _SetMode).status)
        return json_answer({"status": self._exchange.mode})

    def _refuse_auth(self, request: Request) -> Answer:
        wanted = _read(request, _RefuseAuth)
        if not 0 <= wanted.times <= 1_000_000 or not 400 <= wanted.status < 600:
            raise VenueError("VALIDATION_ERROR", "times or status out of range")
        self._exchange.refuse_auth(wanted.times, wanted.status)
        return json_answer({})


def _read(request: Request, wanted: type[Any]) -> Any:
    """The body as a struct; an empty body means all defaults.

    Raises:
        VenueError: VALIDATION_ERROR.
    """
    try:
        return msgspec.json.decode(request.body or b"{}", type=wanted)
    except (msgspec.DecodeError, RecursionError) as error:
        raise VenueError("VALIDATION_ERROR", str(error)) from error
