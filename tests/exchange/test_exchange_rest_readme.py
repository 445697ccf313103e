"""The README of the exchange against what is true: routes, channels, levers, switches."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

import re
from pathlib import Path

import attrs
import pytest
from exchange_stage import stage
from openapi_check import OPENAPI, SAME_AS, specification
from trio.testing import MockClock

import bot.exchange
from bot.exchange.control import ABOUT
from bot.exchange.market.listings import MARKETS
from bot.exchange.settings import ExchangeSettings
from bot.exchange.stream.channels import Channels

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


def test_every_channel_is_listed() -> None:
    """Each channel of the venue's specification stands in one row; those served can be subscribed to."""
    yaml = pytest.importorskip("yaml")
    specification()  # skips where there is none
    spec = yaml.safe_load(OPENAPI.with_name("asyncapi-2.6.0.yaml").read_text())
    methods = {"auth", "subscribe", "unsubscribe", "modify_subscription"}
    venues = {name.removeprefix("/") for name in spec["channels"]}
    venues = {name for name in venues if name not in methods and not name.startswith("order.")}
    served = set(re.findall(r"`([^`]+)`", section("Channels").partition("\n\n")[0]))
    unserved = set(re.findall(r"`([^`]+)`", section("Channels not served")))
    assert served | unserved == venues
    assert not served & unserved
    channels = Channels(MARKETS, deltas_with_parameters=False)
    values = {
        "market_symbol": "BTC-USD-PERP",
        "feed_type": "snapshot",
        "refresh_rate": "50ms",
        "price_tick": "1",
    }
    for template in served:
        for name in {re.sub(r"\[.*\]", "", template), template.replace("[", "").replace("]", "")}:
            channels.read(name.format(**values))


def test_every_lever_and_every_choice_is_listed() -> None:
    """The README has each lever of the control port, and each switch with its default."""
    assert calls("Control port") == set(ABOUT)
    keys = [field.name for field in attrs.fields(ExchangeSettings)]
    rows = re.findall(r"\| `(\w+)`: (.*?) \|$", section("Choices"), re.MULTILINE)
    assert [name for name, _ in rows] == keys[keys.index("client_ids") :]
    for name, values in rows:
        default = getattr(ExchangeSettings(), name)
        first = values.partition(",")[0].strip("`")
        assert first == (default if isinstance(default, str) else f"{default:g}"), name
