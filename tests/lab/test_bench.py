"""The bench: every measurement after the other."""

import json

import pytest

from bot.lab import bench, hour, journal, signing


def test_each_measurement_prints_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON object a line, so that what is added later disturbs nobody who reads the first."""
    assert bench.main(orders=1, seconds=20, json=True) == 0
    signed, journalled, simulated = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert list(signed) == ["hash", "hash_and_signature"]
    assert list(journalled) == ["journal"]
    assert list(simulated) == ["hour"]


def test_one_that_fails_fails_the_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is that of the worst, and the others are measured all the same."""
    codes = iter((1, 0, 0))
    for measurement in (signing, journal, hour):
        monkeypatch.setattr(measurement, "main", lambda **_: next(codes))
    assert bench.main() == 1
    assert not list(codes)
