"""What sockets are told against the venue's specifications: asyncapi-2.6.0.yaml and openrpc.json, ../shared/spec."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

SPEC = Path(__file__).parents[3] / "shared" / "spec"

MORE_IN_RESULTS = {"stp", "request_info"}
"""Members of an order that the results of methods have although openrpc lacks them: section 3.3 has one OrderResp."""

SOMETIMES = {
    "relative_spread": "a book update need not say it",
    "rolling_details": "rolling futures only",
    "request_info": "of a modification only (section 3.3)",
}
"""Members that are specified without being required, and that are left out here at least at times, and why."""

ALTERNATIVES = {
    "order.create_batch": ({"order", "created_at", "received_at"}, {"error"}),
    "order.cancel_batch": ({"id", "market", "status"}, {"id", "status"}),
}
"""The members of each item in ``results``: one of these sets (section 5.2)."""


def _there(name: str) -> Path:
    path = SPEC / name
    if not path.exists():
        pytest.skip("../shared/spec is not there")
    return path


@cache
def _asyncapi() -> Any:
    yaml = pytest.importorskip("yaml")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(_there("asyncapi-2.6.0.yaml").read_text(), loader)


@cache
def channel_schemas() -> dict[str, Any]:
    """By family of channels: what its updates look like. They allow no unknown members."""
    spec = _asyncapi()
    schemas = {}
    for path, channel in spec["channels"].items():
        if "publish" not in channel:
            reference = channel["subscribe"]["message"]["payload"]["$ref"]
            family = path.strip("/").partition(".")[0].partition("[")[0]
            schemas[family] = spec["components"]["schemas"][reference.rpartition("/")[2]]
    return schemas


@cache
def result_schemas() -> dict[str, Any]:
    """By method: what its result looks like, made strict: no unknown members but `MORE_IN_RESULTS`."""
    spec = json.loads(_there("openrpc.json").read_text())
    schemas = {method["name"]: method["result"]["schema"] for method in spec["methods"]}
    for schema in schemas.values():
        _close(schema)
    return schemas


def check_update(channel: str, data: Any) -> None:
    """An update is what the specification says its channel tells, with all members that are specified."""
    schema = channel_schemas()[channel.partition(".")[0]]
    _validate(schema, data)
    missing = set(schema["properties"]) - set(data) - set(SOMETIMES)
    assert not missing, (channel, missing)


def check_result(method: str, result: Any) -> None:
    """A result is what the specification says of its method, with all members that are specified."""
    schema = result_schemas()[method]
    _validate(schema, result)
    assert set(result) == set(schema["properties"]), method
    if method in ALTERNATIVES:
        assert all(set(item) in ALTERNATIVES[method] for item in result["results"])
    for order in _orders(result):
        check_update("orders", order)


def check_error(error: Any) -> None:
    """An error is one of the codes there are, with words, and with text in ``data`` or without (section 4.2)."""
    assert set(error) in ({"code", "message"}, {"code", "message", "data"})
    assert error["code"] in {-32700, -32600, -32601, -32602, 100, 40110, 40111, 40300, 42901}
    assert error["message"]
    assert isinstance(error["message"], str)
    assert isinstance(error.get("data", ""), str)


_VALIDATORS: dict[int, jsonschema.Draft7Validator] = {}


def _validate(schema: Any, value: Any) -> None:
    """`jsonschema.validate` judges the schema anew each time, which takes far longer than the value."""
    validator = _VALIDATORS.setdefault(id(schema), jsonschema.Draft7Validator(schema))
    validator.validate(value)


def _orders(result: Any) -> list[Any]:
    rows = [result, *result.get("results", [])]
    return [row["order"] for row in rows if "order" in row]


def _close(schema: Any) -> None:
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            schema["additionalProperties"] = False
            if "avg_fill_price" in schema["properties"]:
                schema["properties"] |= {name: {} for name in MORE_IN_RESULTS}
        for part in list(schema.values()):
            _close(part)
    elif isinstance(schema, list):
        for part in schema:
            _close(part)
