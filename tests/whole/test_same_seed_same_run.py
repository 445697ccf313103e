"""One seed is one run, message by message."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from bot.settings import Settings
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.trading.strategies.probe import ProbeSettings

Trace = list[tuple[float, str, str]]


def trace_of(seed: int) -> Trace:
    """What passes between bot and exchange in 8 s with jitter and a lost WebSocket.

    Without TLS, whose ECDSA signatures vary in length, and with them what one read brings.
    """

    async def play(rehearsal: Rehearsal) -> Trace:
        rehearsal.link.shape(segment=1400)
        rehearsal.network.at(3.0, rehearsal.exchange.drop_websockets)
        summary = await rehearsal.trade(8)
        assert summary.generations == 2
        assert not summary.unresolved
        return rehearsal.trace

    settings = attrs.evolve(Settings(), strategy=ProbeSettings(pause=0.2))
    return rehearse(play, settings, seed=seed, delay=0.03, jitter=0.02, tls=False)


def digest_of(seed: int) -> str:
    trace = trace_of(seed)
    assert len(trace) > 100
    return hashlib.sha256(repr(trace).encode()).hexdigest()


@pytest.mark.parametrize("seed", range(20))
def test_a_seed_repeats(seed: int) -> None:
    """Every message at the same time with the same text."""
    assert digest_of(seed) == digest_of(seed)


def test_another_seed_is_another_run() -> None:
    """Chance is in what the comparison sees."""
    assert len({digest_of(seed) for seed in range(5)}) == 5


def test_a_seed_repeats_in_another_process() -> None:
    """Nothing hangs on the order of a set: another process hashes its texts differently, so it needs a real one."""
    program = "import sys; sys.path.insert(0, sys.argv[1]); from test_same_seed_same_run import digest_of; "
    program += "print(digest_of(7))"
    digests = {
        subprocess.run(
            [sys.executable, "-c", program, str(Path(__file__).parent)],
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "LOGURU_AUTOINIT": "0"},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1
