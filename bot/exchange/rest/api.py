"""The REST API: which request is served by what (protocol reference 3.1)."""

import trio

from bot.exchange.exchange import Exchange
from bot.exchange.faults.ask import objects_in, read_ask
from bot.exchange.faults.faults import kind_of
from bot.exchange.faults.witness import Seen
from bot.exchange.rest.access import Access
from bot.exchange.rest.account import AccountRoutes
from bot.exchange.rest.handling import RequestHandling
from bot.exchange.rest.keys import KeyRoutes
from bot.exchange.rest.login import LoginRoutes
from bot.exchange.rest.markets import MarketRoutes
from bot.exchange.rest.orders import OrderRoutes
from bot.exchange.rest.pages import Pager
from bot.exchange.rest.routing import Route, Router
from bot.exchange.rest.system import SystemRoutes
from bot.exchange.rest.tokens import TokenRoutes
from bot.exchange.transport.http import Answer, Request, code_of


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
        if self._exchange.is_watched:
            return await self._handle_watched(request)
        received_ms, started = self._exchange.stamps.now_ms(), self._exchange.request_log.start()
        if self._processing:
            await trio.sleep(self._processing)
        answer = self._router.answer(request, received_ms)
        self._exchange.request_log.http("rest", request, answer, started)
        return answer

    async def _handle_watched(self, request: Request) -> Answer:
        """The same, where something may be wrong with it on purpose, or somebody keeps a record of it."""
        exchange, started = self._exchange, self._exchange.request_log.start()
        name, params = self._router.find(request)
        ask = read_ask(name, [params, request.query, *objects_in(request.body)], exchange.ledger)
        fault = exchange.faults.strike_request(ask)
        seen = Seen(ask, exchange.stamps.now_ms(), None if fault is None else kind_of(fault))
        exchange.witness.note(seen)

        def serve(request: Request, received_ms: int) -> Answer:
            answer = self._router.answer(request, received_ms)
            seen.received_ms, seen.account = received_ms, request.visit.account
            seen.status, seen.code = answer.status, code_of(answer)
            return answer

        handling = RequestHandling(request, serve, self._processing, exchange.stamps, exchange.faults.agenda)
        answer = await (handling.pass_on() if fault is None else fault.play(handling))
        if answer.told is not None:
            seen.answered, seen.answered_ms = answer.told, exchange.stamps.now_ms()
        exchange.request_log.http("rest", request, answer, started, seen.fault)
        return answer
