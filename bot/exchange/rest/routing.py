"""From a request to its handler, and from a refusal to its answer."""

from collections.abc import Callable

import attrs
from loguru import logger

from bot.exchange.counters import Counters
from bot.exchange.errors import VenueError
from bot.exchange.transport.http import Answer, Request, refusal


@attrs.frozen
class Route:
    """A method and a path whose ``{name}`` parts become parameters."""

    method: str
    path: str
    handler: Callable[[Request], Answer]

    def match(self, segments: tuple[str, ...]) -> dict[str, str] | None:
        """The parameters when the path is this route's."""
        parts = self.path.split("/")[1:]
        if len(parts) != len(segments):
            return None
        params: dict[str, str] = {}
        for part, segment in zip(parts, segments, strict=True):
            if part.startswith("{"):
                if not segment:
                    return None
                params[part[1:-1]] = segment
            elif part != segment:
                return None
        return params


class Router:
    """Routes in order: the first whose path fits wins. Counts requests by route, so unknown paths count as one."""

    def __init__(self, routes: list[Route], counters: Counters) -> None:
        self._routes = routes
        self._counters = counters

    def answer(self, request: Request) -> Answer:
        """Serve a request; a refusal is an answer too."""
        name, answer = self._serve(request)
        self._counters.requests[name] += 1
        self._counters.answers[str(answer.status)] += 1
        logger.debug("{} {} {}", request.method, "/".join(("", *request.segments)), answer.status)
        return answer

    def _serve(self, request: Request) -> tuple[str, Answer]:
        allowed = []
        for route in self._routes:
            params = route.match(request.segments)
            if params is None:
                continue
            if route.method != request.method:
                allowed.append(route.method)
                continue
            name = f"{route.method} {route.path}"
            try:
                return name, route.handler(attrs.evolve(request, params=params))
            except VenueError as error:
                return name, refusal(error)
        if allowed:
            refused = VenueError(
                "REQUEST_NOT_ALLOWED", "method not allowed", data={"allow": allowed}, status=405
            )
            return "method not allowed", refusal(refused)
        return "not found", refusal(VenueError("NOT_FOUND", "no such path"))
