"""The first record of every journal: who wrote it, where, and with which settings."""

import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import attrs

FORMAT = 1
"""Of the whole journal. Readers refuse others."""

LIBRARIES = ("attrs", "fast-stark-crypto", "httpx", "msgspec", "starknet-py", "trio", "trio-websocket")


@attrs.frozen(kw_only=True)
class Header:
    """What a session cannot be understood or run again without."""

    format: int
    versions: Mapping[str, str]
    """Of the bot, of Python, and of the libraries that a session depends on."""

    platform: str
    environment: str
    run_id: str
    seed: int
    """Of every jitter, so that a replay waits as long as the bot did. It is no secret: keys, run ids and whatever
    nobody may guess come from the system's randomness. Who reads it can only compute how long this run slept."""

    started_ns: int
    """The wall time of 0 ns, as this machine believed: Unix ns."""

    rest_url: str
    ws_url: str
    settings: Mapping[str, Any]
    """By section, as `bot.settings.value.plain` gives them, without secrets."""

    account: str = "hashed"
    """How our account stands in the records: ``hashed`` (`bot.journal.redact`) or ``kept``."""

    part: int = 1
    """Long sessions go on in further files; each begins with the header."""


def new_header(
    *,
    environment: str,
    run_id: str,
    seed: int,
    started_ns: int,
    rest_url: str,
    ws_url: str,
    settings: Mapping[str, Any],
    account: str = "hashed",
) -> Header:
    """The header of a session that this program begins on this machine: no name of it, of a user or of a file."""
    return Header(
        format=FORMAT,
        versions=_versions(),
        platform=f"{platform.system()} {platform.machine()}",
        environment=environment,
        run_id=run_id,
        seed=seed,
        started_ns=started_ns,
        rest_url=_without_credentials(rest_url),
        ws_url=_without_credentials(ws_url),
        settings=settings,
        account=account,
    )


@cache
def _versions() -> Mapping[str, str]:
    return {"python": platform.python_version()} | {
        name: version(name) for name in ("paradex-bot", *LIBRARIES)
    }


def _without_credentials(url: str) -> str:
    """Settings allow none in an address; this is the net."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
