"""The header of a session: who wrote it, and nothing about whom."""

import getpass
import platform
from pathlib import Path
from typing import Any

import attrs
import msgspec

from bot.journal.header import Header, new_header
from bot.settings import Settings
from bot.settings.recorded import shareable


def header(**changes: Any) -> Header:
    given: dict[str, Any] = {
        "environment": "embedded",
        "run_id": "1a3185c5000-d8f16adf",
        "seed": 2**64 - 1,
        "started_ns": 1_800_000_000_000_000_000,
        "rest_url": "https://venue.test:443/v1",
        "ws_url": "wss://venue.test/v1",
        "settings": shareable(Settings()),
    }
    return new_header(**(given | changes))


def test_a_header_comes_back_from_its_json() -> None:
    """A seed of 64 bits included."""
    written = header(account="kept")
    assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(attrs.asdict(written))), Header) == written
    assert written.versions["paradex-bot"]
    assert written.versions["python"] == platform.python_version()


def test_an_address_loses_user_password_and_query() -> None:
    written = header(
        rest_url="https://alice:s3cret@[::1]:8443/v1?token=s3cret#s3cret", ws_url="ws://alice@venue/v1"
    )
    assert (written.rest_url, written.ws_url) == ("https://[::1]:8443/v1", "ws://venue/v1")
    assert header().rest_url == "https://venue.test:443/v1"


def test_a_header_names_neither_machine_nor_user() -> None:
    text = msgspec.json.encode(attrs.asdict(header())).decode()
    for name in (platform.node(), getpass.getuser(), str(Path.home()), str(Path.cwd())):
        assert f'"{name}' not in text
        assert f"/{name}" not in text
