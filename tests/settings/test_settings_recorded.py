"""Settings in the header of a recorded session: what is told, and what another version makes of it."""

import json
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alarm import AlarmSettings
from bot.core.fixed import Fixed
from bot.link.http import HttpSettings
from bot.link.secrets import AccountSettings
from bot.log import LogSettings
from bot.paradex.environment import VenueSettings
from bot.settings import FIELDS, SECTIONS, Settings
from bot.settings.recorded import SHARED, of_recording, shareable
from bot.trading.executor import OrdersSettings
from bot.trading.strategies.probe import ProbeSettings

KEPT_BACK = {"account", "venue", "alarm", "log", "journal"}


def recorded(settings: Settings) -> Any:
    return msgspec.json.decode(msgspec.json.encode(shareable(settings)))


def test_every_section_is_either_told_or_kept_back() -> None:
    """A new one is decided about by a person; what is told names no file, program, address or key."""
    assert {"environment", *SECTIONS} == SHARED | KEPT_BACK
    assert not SHARED & KEPT_BACK
    told = [key for key in FIELDS if key.partition(".")[0] in SHARED]
    assert not [
        key for key in told if any(word in key for word in ("file", "url", "address", "command", ".key"))
    ]


def test_nothing_about_who_and_where_is_told() -> None:
    settings = attrs.evolve(
        Settings(),
        account=AccountSettings(address="0xcafe", key_file="/home/alice/key", key_env="ALICES_KEY"),
        alarm=AlarmSettings(command=("/home/alice/page", "alice@example.org")),
        venue=VenueSettings("https://alice@venue/v1", "wss://alice@venue/v1", "/home/alice/ca.pem"),
        log=LogSettings(level="TRACE"),
    )
    told = json.dumps(recorded(settings)).lower()
    for word in ("alice", "cafe", "/home", "https", "trace"):
        assert word not in told
    assert of_recording(recorded(settings)) == Settings()


@given(
    connections=st.integers(2, 100),
    timeout=st.floats(0.1, 60),
    size=st.integers(1, 10**18),
    markets=st.lists(st.from_regex(r"[A-Z]{2,5}-USD-PERP", fullmatch=True), min_size=1, unique=True),
)
def test_what_is_told_comes_back(connections: int, timeout: float, size: int, markets: list[str]) -> None:
    """To the last digit."""
    settings = attrs.evolve(
        Settings(),
        environment="testnet",
        http=HttpSettings(connections=connections, request_timeout=timeout),
        orders=OrdersSettings(markets=tuple(markets)),
        strategy=ProbeSettings(size=Fixed(size)),
    )
    assert of_recording(recorded(settings)) == settings


def test_other_versions_know_more_and_less() -> None:
    """What nobody knows is left, what is not there has its default, and what is not shared is not read."""
    table = {
        "weather": {"rain": True},
        "http": {"connections": 7, "teeth": [1]},
        "mode": None,
        "account": {"address": "0xcafe"},
        "log": "loud",
    }
    assert of_recording(table) == attrs.evolve(Settings(), http=HttpSettings(connections=7))
    assert of_recording({}) == Settings()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"http": {"connections": 1}}, "http.connections = 1: a whole number, at least 2"),
        ({"http": {"connections": 4.0}}, "http.connections = 4.0: a whole number"),
        ({"http": {"connections": None}}, "http.connections = None"),
        ({"http": []}, "http = []: a table"),
        ({"environment": "moon"}, "environment = 'moon': one of embedded"),
        ({"strategy": {"size": "1e3"}}, "strategy.size"),
        ({"strategy": {"size": 10**400}}, "strategy.size = <hidden>: a decimal number"),
        ({"orders": {"markets": []}}, "orders.markets = []: must name at least one"),
        ({"orders": {"markets": ["BTC"]}}, "is no perpetual market"),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(table: Any, words: str) -> None:
    with pytest.raises(ValueError, match="=") as refused:
        of_recording(table)
    assert words in str(refused.value)
