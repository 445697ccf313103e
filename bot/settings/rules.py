"""What a value must be besides its type and range: one rule a key, and those that bind several keys."""

import ipaddress
import re
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ADDRESS_BOUND = 2**251
"""Contract addresses are below it."""

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{1,64}", re.ASCII)
_ETHEREUM_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_MARKET = re.compile(r"[A-Za-z0-9]+-[A-Z0-9]+-PERP", re.ASCII)


def _address(value: str) -> str:
    if not value or (_ADDRESS.fullmatch(value) and 0 < int(value, 16) < ADDRESS_BOUND):
        return ""
    return "must be 0x and hex digits, above 0 and below 2^251, or empty"


def _ethereum_address(value: str) -> str:
    return "" if not value or _ETHEREUM_ADDRESS.fullmatch(value) else "must be 0x and 40 hex digits, or empty"


def _file_name(value: str) -> str:
    return "must be the name of a file, without a folder" if "/" in value or value in {".", ".."} else ""


def _markets(value: tuple[str, ...]) -> str:
    if not value:
        return "must name at least one market"
    if wrong := [market for market in value if not _MARKET.fullmatch(market)]:
        return f"{wrong[0]!r} is no perpetual market; they are named like BTC-USD-PERP"
    if twice := [market for market, count in Counter(value).items() if count > 1]:
        return f"names {twice[0]} more than once"
    return ""


def _url(encrypted: str, plain: str) -> Callable[[str], str]:
    def rule(value: str) -> str:
        try:
            url = urlsplit(value)
            host, _ = url.hostname, url.port  # both are parsed only now
        except ValueError as error:
            return f"is no address: {error}"
        if not value:
            problem = ""
        elif url.scheme not in {encrypted, plain} or not host:
            problem = f"must begin with {encrypted}:// and a host"
        elif url.scheme == plain and not _is_loopback(host):
            problem = f"must begin with {encrypted}://; {plain}:// is for this computer's own addresses only"
        elif "@" in url.netloc or "?" in value or "#" in value:
            problem = "must be without user, password, query and fragment"
        elif not url.path.endswith("/v1"):
            problem = "must end in /v1"
        else:
            problem = ""
        return problem

    return rule


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _readable_file(value: str) -> str:
    if not value:
        return ""
    try:
        with Path(value).open("rb") as file:
            file.read(1)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return ""


def _command(value: tuple[str, ...]) -> str:
    return "no such program" if value and shutil.which(value[0]) is None else ""


RULES: Mapping[str, Callable[[Any], str]] = {
    "account.address": _address,
    "account.ethereum_address": _ethereum_address,
    "account.key_name": _file_name,
    "orders.markets": _markets,
    "venue.rest_url": _url("https", "http"),
    "venue.ws_url": _url("wss", "ws"),
    "venue.ca_file": _readable_file,
    "alarm.command": _command,
}
"""By key: what is wrong with the value, in words; empty if nothing."""

BOTH_OR_NONE = (("venue.rest_url", "venue.ws_url"),)
"""Keys that are set together or not at all."""
