"""The README of the exchange against what is true: routes, channels, levers, switches."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

import json
import re
from pathlib import Path

import attrs
import pytest
from exchange_stage import stage
from openapi_check import OPENAPI, SAME_AS, specification
from trio.testing import MockClock

import bot.exchange
from bot.exchange.control import ABOUT
from bot.exchange.instruments.markets import MARKETS
from bot.exchange.settings import ExchangeSettings
from bot.exchange.stream.channels import Channels
from bot.exchange.stream.rpc import RpcError

BTC = "BTC-USD-PERP"
README = Path(bot.exchange.__file__).with_name("README.md")


def section(heading: str) -> str:
    """A section of the README, without its subsections."""
    [text] = re.findall(rf"^#+ {heading}\n(.*?)(?=^#|\Z)", README.read_text(), re.MULTILINE | re.DOTALL)
    return str(text)


def calls(heading: str) -> set[str]:
    """Methods and paths in a section of the README."""
    return set(re.findall(r"`((?:GET|POST|PUT|DELETE) /\S*)`", section(heading)))


async def test_what_is_not_served_is_listed(autojump_clock: MockClock) -> None:
    """The README names every route, and every path of the specification that is no route, and nothing else."""
    async with stage() as room:
        routes = {route.name.replace(" /v1", " ") for route in room.rest.routes}
    venues = {
        f"{method.upper()} {path}"
        for path, operations in specification()["paths"].items()
        for method in operations
    }
    assert calls("REST") == routes
    assert calls("Not served") == venues - routes
    assert routes - venues == {f"POST {path}" for path in SAME_AS}


def row(subject: str) -> str:
    """A row of the table of what the WebSocket serves."""
    [text] = re.findall(rf"^\| {subject} \| (.*) \|$", section("WebSocket"), re.MULTILINE)
    return str(text)


def test_every_method_is_listed() -> None:
    """The README names the methods of the venue's specification of its WebSocket: all of them are served."""
    specification()  # skips where there is none
    spec = json.loads(OPENAPI.with_name("openrpc.json").read_text())
    named = re.findall(r"`([a-z_.]+)`", row("methods"))
    assert sorted(named) == sorted(method["name"] for method in spec["methods"])


def test_every_channel_is_listed() -> None:
    """Each family of channels of the venue's specification stands in one row; only the refused are refused."""
    specification()  # skips where there is none
    spec = OPENAPI.with_name("asyncapi-2.6.0.yaml").read_text()
    names = re.findall(r"^    [\"']?/(\w+)([^:\"']*)", spec.partition("\nchannels:")[2], re.MULTILINE)
    methods = {"auth", "subscribe", "unsubscribe", "modify_subscription", "order"}
    venues = {family for family, _ in names} - methods
    assert len(venues) > 10
    rows = [row(subject) for subject in ("private channels", "public channels", "silent")]
    families = [set(re.findall(r"`([a-z_]{3,})", text)) - {"base_asset"} for text in rows]
    families[2] -= {"bbo", "trades"}  # which are silent in one form only
    assert sum(map(len, families)) == len(set().union(*families))
    assert set().union(*families) >= venues
    channels = Channels(MARKETS, deltas_with_parameters=False)
    templates = {
        "order_book": f"order_book.{BTC}.deltas",
        "funding_rate_comparison": "funding_rate_comparison.ALL@500ms",
        **{family: f"{family}.{BTC}" for family in ("bbo", "trades", "orders", "fills", "funding_payments")},
    }
    for family in set().union(*families):
        channels.read(templates.get(family, family))
    assert row("refused") == "`rfq.{id}`"
    with pytest.raises(RpcError):
        channels.read("rfq.1")


def test_every_lever_and_every_choice_is_listed() -> None:
    """The README has each lever of the control port, and each switch with its default."""
    assert calls("Control port") == set(ABOUT)
    keys = [field.name for field in attrs.fields(ExchangeSettings)]
    rows = re.findall(r"\| `(\w+)`: (.*?) \|$", section("Choices"), re.MULTILINE)
    assert [name for name, _ in rows] == keys[keys.index("client_ids") :]
    for name, values in rows:
        default = getattr(ExchangeSettings(), name)
        first = re.split("[,;]", values)[0].strip("`")
        assert first == (default if isinstance(default, str) else f"{default:g}"), name
