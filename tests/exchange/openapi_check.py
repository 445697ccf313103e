"""Answers and requests of the REST API against the venue's specification, ../shared/spec/openapi.json."""

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bot.exchange.rest.routing import Route

OPENAPI = Path(__file__).parents[3] / "shared" / "spec" / "openapi.json"

NULL_ALLOWED = {
    ("responses.PaginatedAPIResults", "next"): "section 10, item 3",
    ("responses.PaginatedAPIResults", "prev"): "section 10, item 3",
    ("responses.ApiError", "data"): "section 3.7",
}
"""Members that may be null although the specification does not say so, with the section that does."""

MAY_BE_ABSENT = {
    "responses.MarketResp": {"option_type", "option_cross_margin_params"},  # of options
    "responses.MarketSummaryResp": {"rolling_details"},  # of rolling futures
    "responses.OrderResp": {"request_info"},  # section 3.3
    "responses.CancelOrderResult": {"id", "client_id", "account", "market"},  # section 3.6
}
"""Members that need not be there, by schema. All others have to be, although the specification requires none."""

CODES_BEYOND = {"RATE_LIMIT_EXCEEDED": "section 3.7: the code of a 429 is in no list"}
"""Error codes that the specification's list lacks, with the reason."""

SAME_AS = {"/auth/{public_key}": "/auth"}
"""Paths that only section 3.1 knows, and the specified path that they answer like."""

_NUMBER, _WHOLE = {"type": "number"}, {"type": "integer"}
UNSPECIFIED_ANSWERS: dict[tuple[str, str, str], Any] = {
    # The specification leaves the shape out; as ccxt reads it (its fetchOHLCV).
    ("GET", "/markets/klines", "200"): {
        "type": "object",
        "required": ["results"],
        "additionalProperties": False,
        "properties": {
            "results": {
                "type": "array",
                "items": {
                    "type": "array",
                    "items": [_WHOLE, _NUMBER, _NUMBER, _NUMBER, _NUMBER, _NUMBER],
                    "minItems": 6,
                    "maxItems": 6,
                },
            }
        },
    },
}


def route_of(routes: list[Route], method: str, target: str) -> Route:
    """The route that serves a target: the one with the fewest parameters that fits."""
    segments = target.partition("?")[0].split("/")
    fitting = [
        route
        for route in routes
        if route.method == method
        and len(parts := route.path.split("/")) == len(segments)
        and all(
            part == segment or part.startswith("{") for part, segment in zip(parts, segments, strict=True)
        )
    ]
    return min(fitting, key=lambda route: route.path.count("{"))


@cache
def specification() -> Any:
    """The specification, made strict: no member unknown, none missing, none null without a reason above."""
    if not OPENAPI.exists():
        pytest.skip("../shared/spec is not there")
    spec = json.loads(OPENAPI.read_text())
    schemas = spec["components"]["schemas"]
    schemas["responses.ErrorCode"]["enum"].extend(CODES_BEYOND)
    for name, member in NULL_ALLOWED:
        schema = schemas[name]["properties"][member]
        schema["type"] = [schema["type"], "null"]
    for name, schema in schemas.items():
        _close(schema)
        if name.startswith("responses.") and "properties" in schema:
            schema["required"] = sorted(set(schema["properties"]) - MAY_BE_ABSENT.get(name, set()))
    return spec


def _close(schema: Any) -> None:
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for part in schema.values():
            _close(part)
    elif isinstance(schema, list):
        for part in schema:
            _close(part)


def check_schema(name: str, value: Any) -> None:
    """The value is what the specification's component of this name says."""
    _validate({"$ref": f"#/components/schemas/{name}"}, value)


def check_answer(method: str, path: str, status: int, body: bytes) -> None:
    """The answer of a path (as a template, without /v1) is the specified one.

    Statuses of refusals are mostly undocumented (section 3.7): a refusal must have the form of one.
    """
    schema = answer_schema(method, path, status)
    if schema is None:
        assert body == b"", body
    else:
        _validate(schema, json.loads(body))


def answer_schema(method: str, path: str, status: int) -> Any:
    """The schema of an answer, or None when it has no body."""
    if status >= 400:
        return {"$ref": "#/components/schemas/responses.ApiError"}
    own = UNSPECIFIED_ANSWERS.get((method, path, str(status)))
    if own is not None:
        return own
    responses = specification()["paths"][SAME_AS.get(path, path)][method.lower()]["responses"]
    content = responses[str(status)].get("content")
    return None if content is None else _merge(content["application/json"]["schema"])


def _merge(schema: Any) -> Any:
    """One object instead of an envelope and its rows, which would each refuse the other's members."""
    if "allOf" not in schema:
        return schema
    merged: Any = {"type": "object", "properties": {}, "additionalProperties": False}
    for part in schema["allOf"]:
        if "$ref" in part:
            name = part["$ref"].rpartition("/")[2]
            envelope = specification()["components"]["schemas"][name]
            merged["required"] = list(envelope["properties"])
            merged["properties"] |= envelope["properties"]
        else:
            merged["properties"] |= part["properties"]
    return merged


def check_request(
    method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
) -> None:
    """A client's request for a path (as a template, without /v1) is one that the specification knows.

    Every query parameter is a specified one and of its type, what is required is there, and the body is the
    specified one. The venue's own headers are all specified ones.
    """
    operation = specification()["paths"][SAME_AS.get(path, path)][method.lower()]
    given = {"query": query, "header": {name.lower(): value for name, value in headers.items()}}
    known: dict[str, set[str]] = {"query": set(), "header": set()}
    for parameter in operation.get("parameters", []):
        where = parameter["in"]
        if where not in known:
            continue
        name = parameter["name"].lower() if where == "header" else parameter["name"]
        known[where].add(name)
        if name in given[where]:
            _check_text(parameter["schema"], given[where][name])
        else:
            assert not parameter.get("required"), f"{where} {name} is missing"
    assert not set(query) - known["query"], set(query) - known["query"]
    venues = {name for name in given["header"] if name.startswith("paradex-")}
    assert not venues - known["header"], venues - known["header"]
    wanted = operation.get("requestBody")
    if wanted is not None:
        shared = wanted.get("$ref", "").rpartition("/")[2]
        wanted = specification()["components"]["requestBodies"][shared] if shared else wanted
        _validate(wanted["content"]["application/json"]["schema"], json.loads(body))
    else:
        assert body == b""


def _check_text(schema: Any, text: str) -> None:
    """A parameter's text is of its schema: numbers and booleans are written as JSON writes them."""
    value = text if schema["type"] == "string" else json.loads(text)
    _validate(schema, value)


def _validate(schema: Any, value: Any) -> None:
    whole = {**copy.copy(schema), "components": specification()["components"]}
    if "$ref" in whole:
        whole = {"allOf": [{"$ref": whole.pop("$ref")}], **whole}
    jsonschema.Draft4Validator(whole).validate(value)
