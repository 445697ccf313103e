"""What every test may use. starknet-py takes seconds to import: only here, only when asked for."""

import importlib
import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from loguru import logger

pytest_plugins = ["exchange_fixtures"]

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_configure() -> None:
    """No log unless a test asks for one, for formatting it takes a third of a run; and no timing decides a test."""
    logger.remove()
    settings.register_profile(
        "untimed", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("untimed")
    # Before the workers start, who inherit it: all of them have to choose the same.
    os.environ.setdefault("SWEEP_SEED", str(random.randrange(1000)))


def pytest_report_header() -> str:
    return f"cancellation sweep: SWEEP_SEED={os.environ['SWEEP_SEED']}"


@pytest.fixture(scope="session")
def vectors() -> Any:
    file = SHARED / "vectors" / "signing.json"
    if not file.exists():
        pytest.skip(
            "the vectors beside the repository are not here; those of the protocol reference still stand"
        )
    return json.loads(file.read_text())


@pytest.fixture(scope="session")
def starknet_hash() -> Any:
    """starknet-py's hash functions: Pedersen, Keccak and signatures of another library than ours."""
    return importlib.import_module("starknet_py.hash.utils")


@pytest.fixture
def logged_from() -> Iterator[Callable[[str], list[str]]]:
    """Call it with a level: what is logged from then on at this level or above, without time and level."""
    sinks = []

    def listen(level: str) -> list[str]:
        lines: list[str] = []
        sinks.append(logger.add(lambda message: lines.append(message.record["message"]), level=level))
        return lines

    yield listen
    for sink in sinks:
        logger.remove(sink)
