"""The network's rows on real sockets and in real processes, which virtual time cannot show: one of them here.

All of them are in `just campaign`.
"""

import json

import pytest

from bot.core.tape import Kind
from bot.journal.record import Record
from bot.lab.wire.__main__ import main
from bot.lab.wire.story import exchanges, unanswered


def test_one_row(capsys: pytest.CaptureFixture[str]) -> None:
    """A bot says nothing to an impostor, names what is wrong with him, and trades on when he is gone."""
    assert main(row=["expired certificate"], via="ws", json=True) == 0
    said = json.loads(capsys.readouterr().out)
    [played] = said["rows"]
    assert (played["row"], played["via"], played["faults"]) == ("expired certificate", "ws", [])
    assert played["orders"] > 1
    assert played["sessions"] == 2


def test_a_row_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    """It is refused, with those that there are."""
    assert main(row=["rain"]) == 2
    assert "half-open down" in capsys.readouterr().err


def test_what_a_session_says_of_its_requests() -> None:
    """Requests and calls, which order each places, when each ended, and which had no answer."""
    records = [
        Record(1, 10, 0, Kind.REQUEST, {"x": 1, "of": 0, "method": "GET", "path": "/bbo/X"}),
        Record(2, 11, 0, Kind.REQUEST, {"x": 2, "method": "POST", "path": "/orders", "body": ORDER % "a"}),
        Record(3, 12, 4, Kind.FRAME_OUT, '{"id": 1, "method": "auth", "params": {}}'),
        Record(4, 13, 4, Kind.FRAME_OUT, {"x": 3, "of": 0, "frame": CALL % (7, ORDER % "b")}),
        Record(5, 14, 4, Kind.FRAME_OUT, {"x": 4, "of": 0, "frame": CALL % (8, ORDER % "c")}),
        Record(6, 15, 5, Kind.FRAME_IN, '{"id": 8, "result": {}}'),  # of another generation
        Record(7, 16, 4, Kind.FRAME_IN, '{"id": 7, "result": {}}'),
        Record(8, 17, 0, Kind.FAILURE, {"x": 2, "failure": "unknown", "text": "…"}),
        Record(9, 18, 0, Kind.ANSWER, {"x": 1, "status": 200}),
    ]
    assert [(each.name, each.client_id, each.ended_ns) for each in exchanges(records)] == [
        ("GET /bbo/X", "", 18),
        ("POST /orders", "a", 17),
        ("order.create", "b", 16),
        ("order.create", "c", None),
    ]
    assert unanswered(records) == {"a"}


ORDER = '{"client_id": "%s", "size": "1"}'
CALL = '{"id": %d, "method": "order.create", "params": %s}'
