"""From a request to its handler, and from a refusal to its answer."""

from collections import defaultdict
from collections.abc import Callable

import attrs
from loguru import logger

from bot.exchange.counters import Counters
from bot.exchange.errors import VenueError
from bot.exchange.transport.http import Answer, Request, refusal

Handler = Callable[[Request], Answer]


@attrs.frozen
class Route:
    """A method and a path whose ``{name}`` parts become parameters."""

    method: str
    path: str
    handler: Handler

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


@attrs.frozen
class _Place:
    """One path, its parameters by position, and its routes by method."""

    literals: tuple[str | None, ...]
    """Its parts; None where a parameter stands."""
    names: tuple[str, ...]
    routes: dict[str, Route] = attrs.field(factory=dict)

    def match(self, segments: tuple[str, ...]) -> dict[str, str] | None:
        """The parameters when the path is this place's. No parameter is empty."""
        values = []
        for literal, segment in zip(self.literals, segments, strict=True):
            if literal is None:
                if not segment:
                    return None
                values.append(segment)
            elif literal != segment:
                return None
        return dict(zip(self.names, values, strict=True))


class Router:
    """Finds the route of a request: fixed paths before those with parameters. HEAD is GET without its body.

    Requests are counted by route, so that unknown paths count as one. ``unknown`` sees requests that no route
    serves before they are refused, and may refuse them with a `VenueError` of its own.
    """

    def __init__(
        self,
        routes: list[Route],
        counters: Counters,
        unknown: Callable[[Request], None] = lambda _request: None,
    ) -> None:
        self._counters = counters
        self._unknown = unknown
        self._fixed: dict[tuple[str, ...], _Place] = {}
        self._open: defaultdict[int, list[_Place]] = defaultdict(list)
        for route in routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        parts = route.path.split("/")[1:]
        names = tuple(part[1:-1] for part in parts if part.startswith("{"))
        literals = tuple(None if part.startswith("{") else part for part in parts)
        if names:
            places = self._open[len(parts)]
            place = next((place for place in places if place.literals == literals), None)
            if place is None:
                place = _Place(literals, names)
                places.append(place)
        else:
            place = self._fixed.setdefault(tuple(parts), _Place(literals, ()))
        if route.method in place.routes:
            raise ValueError(f"{route.name} is served twice")
        place.routes[route.method] = route

    def find(self, request: Request) -> tuple[str, dict[str, str]]:
        """The name under which a request is counted, and the parameters in its path."""
        place, params = self._find(request.segments)
        return _name(place, _route(place, request)), params

    def answer(self, request: Request, received_ms: int = 0) -> Answer:
        """Serve a request that came at this time; a refusal is an answer too."""
        name, answer = self._serve(request, received_ms)
        if request.visit.headers:
            answer = Answer(answer.status, answer.body, (*answer.headers, *request.visit.headers))
        self._counters.requests[name] += 1
        self._counters.answers[str(answer.status)] += 1
        logger.debug("{} {} {}", request.method, "/".join(("", *request.segments)), answer.status)
        return answer

    def _serve(self, request: Request, received_ms: int) -> tuple[str, Answer]:
        place, params = self._find(request.segments)
        route = _route(place, request)
        name = _name(place, route)
        try:
            if route is not None:
                return name, route.handler(request.routed(params, received_ms))
            self._unknown(request)
        except VenueError as error:
            return name, refusal(error)
        except Exception as error:  # noqa: BLE001 - one faulty handler must not end everybody's exchange
            logger.opt(exception=error).error("{} {} failed", request.method, name)
            return name, refusal(VenueError("INTERNAL_ERROR", "internal error"))
        if place is None:
            return name, refusal(VenueError("NOT_FOUND", "no such path"))
        allowed = [*place.routes, *(["HEAD"] if "GET" in place.routes else [])]
        refused = VenueError("REQUEST_NOT_ALLOWED", "method not allowed", data={"allow": allowed}, status=405)
        return name, refusal(refused)

    def _find(self, segments: tuple[str, ...]) -> tuple[_Place | None, dict[str, str]]:
        fixed = self._fixed.get(segments)
        if fixed is not None:
            return fixed, {}
        for place in self._open.get(len(segments), ()):
            params = place.match(segments)
            if params is not None:
                return place, params
        return None, {}


def _route(place: _Place | None, request: Request) -> Route | None:
    method = "GET" if request.method == "HEAD" else request.method
    return None if place is None else place.routes.get(method)


def _name(place: _Place | None, route: Route | None) -> str:
    """What the counters call a request that was for this place, and this route of it."""
    return "not found" if place is None else "method not allowed" if route is None else route.name
