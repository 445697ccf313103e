"""The REST API: which request is served by what (protocol reference 3.1)."""

import trio

from bot.exchange.exchange import Exchange
from bot.exchange.rest.access import Access
from bot.exchange.rest.account import AccountRoutes
from bot.exchange.rest.keys import KeyRoutes
from bot.exchange.rest.login import LoginRoutes
from bot.exchange.rest.markets import MarketRoutes
from bot.exchange.rest.orders import OrderRoutes
from bot.exchange.rest.pages import Pager
from bot.exchange.rest.routing import Route, Router
from bot.exchange.rest.system import SystemRoutes
from bot.exchange.rest.tokens import TokenRoutes
from bot.exchange.transport.http import Answer, Request


class Rest:
    """Serves requests of one exchange. Handlers are synchronous: they decide, and the engine acts later."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._processing = exchange.settings.processing_ms / 1000
        access, pager = Access(exchange), Pager(exchange.cursor_secret)
        self.routes: list[Route] = [
            *access.public(SystemRoutes(exchange, pager).routes()),
            *LoginRoutes(exchange, access).routes(),
            *KeyRoutes(exchange, access).routes(),
            *TokenRoutes(exchange, access).routes(),
            *access.public(MarketRoutes(exchange, pager).routes()),
            *OrderRoutes(exchange, access, pager).routes(),
            *AccountRoutes(exchange, access, pager).routes(),
        ]
        self._router = Router(self.routes, exchange.counters, access.unknown)

    async def handle(self, request: Request) -> Answer:
        """Answer one request, after the time the exchange takes over each."""
        received_ms, started = self._exchange.stamps.now_ms(), self._exchange.request_log.start()
        if self._processing:
            await trio.sleep(self._processing)
        answer = self._router.answer(request, received_ms)
        self._exchange.request_log.http("rest", request, answer, started)
        return answer
