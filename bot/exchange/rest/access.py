"""Who may call what, and how often: tokens and rate limits before the handlers (protocol reference 2.2, 3.8)."""

from collections.abc import Callable, Iterable

import attrs

from bot.exchange.errors import VenueError
from bot.exchange.exchange import Exchange
from bot.exchange.identity.quota import Standing
from bot.exchange.identity.tokens import READ
from bot.exchange.matching.caller import Caller
from bot.exchange.rest.routing import Route
from bot.exchange.transport.http import Answer, Request

Private = Callable[[Request, Caller], Answer]
Take = Callable[[], Standing | None]


def count(request: Request, take: Take) -> None:
    """Count a request; its answer, a refusal too, will say how the caller stands.

    Raises:
        QuotaExceeded: it is beyond a limit.
    """
    standing = take()
    if standing is not None:
        request.visit.headers = standing.headers()


@attrs.frozen
class Access:
    """Makes routes that count a request where it belongs, and refuse who has no right to ask."""

    exchange: Exchange

    def public(self, routes: Iterable[Route]) -> list[Route]:
        """The routes, for anybody."""
        quotas = self.exchange.quotas
        return [self._by_address(route, quotas.take_public) for route in routes]

    def auth(self, route: Route) -> Route:
        """The route, as one that hands out tokens."""
        return self._by_address(route, self.exchange.quotas.take_auth)

    def onboarding(self, route: Route) -> Route:
        """The route, as one that onboards."""
        return self._by_address(route, self.exchange.quotas.take_onboarding)

    def unknown(self, request: Request) -> None:
        """Count what no route serves, as public. Raises what `count` raises."""
        count(request, lambda: self.exchange.quotas.take_public(request.peer))

    def route(self, method: str, path: str, handler: Private) -> Route:
        """A route for those who are logged in. A token that only reads opens GET routes only."""

        def authorized(request: Request) -> Answer:
            caller = self._caller(request)
            self._count_private(request, caller.account.address)
            if caller.grant.scope == READ and method != "GET":
                raise VenueError("INVALID_TOKEN_SCOPE", "this token may only read")
            return handler(request, caller)

        return Route(method, path, authorized)

    def _by_address(self, route: Route, take: Callable[[str], Standing | None]) -> Route:
        def counted(request: Request) -> Answer:
            count(request, lambda: take(request.peer))
            return route.handler(request)

        return attrs.evolve(route, handler=counted)

    def _caller(self, request: Request) -> Caller:
        authorization = request.headers.get("authorization", "")
        try:
            account, grant = self.exchange.account_of(authorization, request.peer)
        except VenueError:
            # Whose token does not hold is counted too, by address: there is no account to count.
            count(request, lambda: self.exchange.quotas.take_private(request.peer))
            raise
        request.visit.account = account.address
        return Caller.of(account, grant, request.received_ms, self.exchange.quotas)

    def _count_private(self, request: Request, account: int) -> None:
        quotas = self.exchange.quotas
        if request.method in {"GET", "HEAD"}:
            count(request, lambda: quotas.take_private_read(account, request.peer))
        elif request.segments[1].startswith("orders"):
            count(request, lambda: quotas.take_order_write(account, request.peer))
        else:
            count(request, lambda: quotas.take_private(request.peer))
