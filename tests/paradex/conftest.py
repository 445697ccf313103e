"""What the venue's hashes are compared with. starknet-py takes seconds to import: only here, only when asked for."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "signing.json"


@pytest.fixture(scope="session")
def vectors() -> Any:
    if not VECTORS.exists():
        pytest.skip(
            "the vectors beside the repository are not here; those of the protocol reference still stand"
        )
    return json.loads(VECTORS.read_text())


@pytest.fixture(scope="session")
def starknet_hash() -> Any:
    """starknet-py's hash functions: Pedersen and Keccak of another library than ours."""
    return importlib.import_module("starknet_py.hash.utils")
