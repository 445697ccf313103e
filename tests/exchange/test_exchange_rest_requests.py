"""Each request that the bot sends is one that the venue's specification knows."""

import attrs
import pytest
import trio
from openapi_check import check_request, route_of, specification

from bot.exchange.rest.api import Rest
from bot.exchange.rest.routing import Route
from bot.exchange.transport.http import Answer, Request, split_target
from bot.paradex import orders
from bot.settings import Settings
from bot.simulation.rehearsal import Rehearsal, rehearse

SENT = {
    "DELETE /v1/orders/{order_id}",
    "GET /v1/bbo/{market}",
    "GET /v1/fills",
    "GET /v1/markets",
    "GET /v1/orders",
    "GET /v1/orders-history",
    "GET /v1/positions",
    "GET /v1/system/config",
    "GET /v1/system/state",
    "GET /v1/system/time",
    "POST /v1/auth/{public_key}",
    "POST /v1/onboarding",
    "POST /v1/orders",
}
"""What such a session comes to ask for. What else there is to ask is tried in `tests/paradex`."""


class Witness(Rest):
    """Remembers every request by its route, and leaves the bot in the dark about some orders it has placed."""

    seen: list[tuple[Route, Request]]
    dark = 0

    async def handle(self, request: Request) -> Answer:
        route = route_of(self.routes, request.method, "/" + "/".join(request.segments))
        self.seen.append((route, request))
        answer = await super().handle(request)
        if route.name == "POST /v1/orders":
            self.dark += 1
            if self.dark % 3 == 0:
                return Answer(503)
        return answer


def test_every_request_of_the_bot_is_as_specified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths, parameters, headers and bodies of a session in trouble validate, one and all; no kind is missing."""
    specification()
    Witness.seen = []
    monkeypatch.setattr("bot.exchange.server.Rest", Witness)

    async def play(rehearsal: Rehearsal) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(rehearsal.trade, 40.0)
            await trio.sleep(20)
            rehearsal.exchange.drop_websockets(1012)

    rehearse(play, attrs.evolve(Settings(), exchange=attrs.evolve(Settings().exchange, activity=0.0)))
    assert {route.name for route, _ in Witness.seen} == SENT
    for route, request in Witness.seen:
        path = route.path.removeprefix("/v1")
        check_request(route.method, path, request.query, request.headers, request.body)


def test_the_cancel_by_client_id_is_as_specified() -> None:
    """The one request that takes worse luck to be sent than a session in trouble has."""
    request = orders.cancel_by_client_id("a/b", market="BTC-USD-PERP")
    segments, query = split_target(request.path)
    assert segments == ("orders", "by_client_id", "a/b")
    check_request(request.method, "/orders/by_client_id/{client_id}", query, {}, request.body or b"")
