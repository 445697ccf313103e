"""`bot orders`: our orders, and what became of them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from orders_stage import HEAD, intent, order, place, written

from bot.journal.account import account_files, write_journals
from bot.journal.orders import WIDTH, orders

SESSION = Path(__file__).parents[1] / "replay/sessions/strange.journal"
REASON = "POST /orders: ConnectionResetError: [Errno 104] Connection reset by peer"
AT_VENUE = attrs.evolve(HEAD, environment="testnet", run_id="1a205bcba8e-40a5f22a")
"""The embedded exchange of a session that is not being written has ended, and its orders with it."""

Print = Callable[..., list[str]]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """The lines on stdout since the last look."""
    return lambda: capsys.readouterr().out.splitlines()  # noqa: PLW0108 - what is printed later


def session(folder: Path) -> Path:
    """An order whose end is not known, one that rests, and one that is over."""
    return written(
        folder / "s.journal",
        place("run-1"),
        intent("run-1"),
        order("UNKNOWN", "run-1", venue_id="", reason=REASON),
        place("run-2"),
        intent("run-2"),
        order("OPEN", "run-2", venue_id="1795392584388747144854000007", filled="0.004"),
        place("run-3"),
        intent("run-3"),
        order("CLOSED", "run-3", venue_id="1795392584388747144854000008", reason="USER_CANCELED"),
        ("stop", {"reason": "SIGINT"}),
        head=AT_VENUE,
    )


def objects(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def test_what_is_open(tmp_path: Path, printed: Print) -> None:
    """In columns, the newest first; the venue's id and the reason are cut before anything else is."""
    session(tmp_path)
    assert orders(None, lambda: tmp_path) == 0
    headings, newest, oldest = printed()
    assert headings == (
        "UTC            client id venue id  market       side type  size filled   price state   reason"
    )
    assert newest == (
        "01-15 08:00:04 run-2     …54000007 BTC-USD-PERP BUY  LIMIT 0.01  0.004 83299.6 OPEN    cancel asked"
    )
    assert oldest.startswith(
        "01-15 08:00:01 run-1               BTC-USD-PERP BUY  LIMIT 0.01      0 83299.6 "
    )
    assert oldest.endswith(" UNKNOWN cancel asked, POST /orders: Conn…")
    assert len(oldest) == WIDTH


def test_all_of_them(tmp_path: Path, printed: Print) -> None:
    """Those that are over, too. No line is longer than a terminal is wide, and every client id is whole."""
    shutil.copy(SESSION, tmp_path)
    session(tmp_path)
    assert orders(None, lambda: tmp_path, every=True) == 0
    lines = printed()
    assert max(map(len, lines)) <= WIDTH
    told = [line.split()[2] for line in lines[1:]]
    assert {"run-1", "run-2", "run-3", "1a3185c5000-d8f16adf-10"} <= set(told)
    assert orders(None, lambda: tmp_path) == 0
    assert len(printed()) == 3


def test_where_there_is_room(tmp_path: Path, printed: Print) -> None:
    """The venue's id is told whole."""
    written(tmp_path / "s.journal", place(), intent(), order("OPEN", venue_id="1" * 28), head=AT_VENUE)
    orders(None, lambda: tmp_path)
    assert " " + "1" * 28 + " " in printed()[1]


@pytest.mark.parametrize("name", ["run-2", "1795392584388747144854000007"])
def test_one_order(tmp_path: Path, printed: Print, name: str) -> None:
    """By either id: what it was, and each change with time and record."""
    path = session(tmp_path)
    assert orders(name, lambda: tmp_path) == 0
    assert printed() == [
        "run-2: BUY 0.01 BTC-USD-PERP, LIMIT at 83299.6, POST_ONLY; id=1795392584388747144854000007",
        f"in {path}:",
        "  2027-01-15 08:00:04.000000        4  INTENT          filled 0",
        "  2027-01-15 08:00:05.000000        5  SENT            filled 0",
        "  2027-01-15 08:00:06.000000        6  OPEN            filled 0.004",
        "  2027-01-15 08:00:10.000000       10  OPEN            filled 0.004       cancel asked",
    ]


def test_for_programs(tmp_path: Path, printed: Print) -> None:
    """An object for each order, with its history."""
    path = session(tmp_path)
    assert orders(None, lambda: tmp_path, json=True) == 0
    newest, oldest = objects(printed())
    assert newest["client_id"] == "run-2"
    assert newest["venue_id"] == "1795392584388747144854000007"
    assert (newest["state"], newest["filled"], newest["size"]) == ("OPEN", "0.004", "0.01")
    assert (newest["session"], newest["placed_ns"]) == (str(path), AT_VENUE.started_ns + 4 * 10**9)
    assert [change["state"] for change in oldest["history"]] == ["INTENT", "SENT", "UNKNOWN", "UNKNOWN"]
    assert oldest["history"][2] == {
        "session": str(path),
        "record": 3,
        "ns": AT_VENUE.started_ns + 3 * 10**9,
        "state": "UNKNOWN",
        "filled": "0",
        "reason": REASON,
        "cancelling": False,
    }
    assert orders("run-2", lambda: tmp_path, json=True) == 0
    assert objects(printed()) == [newest]


@pytest.mark.parametrize("name", ["1a205bcba8e-40a5f22a", "{folder}/s.journal"])
def test_of_one_session(tmp_path: Path, printed: Print, name: str) -> None:
    """By its run id, or a file of it."""
    session(tmp_path)
    other = attrs.evolve(AT_VENUE, run_id="other", started_ns=1)
    written(tmp_path / "t.journal", place("other-1"), intent("other-1"), head=other)
    assert orders(name.format(folder=tmp_path), lambda: tmp_path, json=True) == 0
    assert [each["client_id"] for each in objects(printed())] == ["run-2", "run-1"]
    assert orders("other", lambda: tmp_path, json=True) == 0
    assert [each["client_id"] for each in objects(printed())] == ["other-1"]


def test_a_session_from_elsewhere(tmp_path: Path, printed: Print) -> None:
    """Is looked at by itself, and forgotten."""
    (tmp_path / "state").mkdir()
    path = session(tmp_path)
    assert orders(str(path), lambda: tmp_path / "state", json=True) == 0
    assert len(objects(printed())) == 2
    assert orders(None, lambda: tmp_path / "state", every=True) == 0
    assert printed() == []


def test_a_journal_elsewhere_that_somebody_needs(tmp_path: Path, printed: Print) -> None:
    """``--record FILE``: what may be open in there is told without being asked for by name."""
    folder = tmp_path / "state"
    folder.mkdir()
    files = account_files(folder, b"", environment="testnet", rest_url="https://x/v1", account="0x1")
    write_journals(files, [session(tmp_path)])
    assert orders(None, lambda: folder, json=True) == 0
    assert len(objects(printed())) == 2


def test_a_copy_tells_nothing_new(tmp_path: Path, printed: Print) -> None:
    path = session(tmp_path)
    shutil.copy(path, tmp_path / "copy.journal")
    orders(None, lambda: tmp_path, json=True)
    assert [len(each["history"]) for each in objects(printed())] == [4, 4]


def test_an_exchange_that_ended_holds_nothing(tmp_path: Path, printed: Print) -> None:
    """It ended with its bot; what is not known to be over on a venue of its own stays open."""
    written(tmp_path / "s.journal", place(), intent(), order("OPEN"))
    assert orders(None, lambda: tmp_path) == 0
    assert printed() == []
    own = attrs.evolve(HEAD, run_id="own", settings={"venue": {"rest_url": "https://127.0.0.1:1/v1"}})
    written(tmp_path / "t.journal", place("b"), intent("b"), head=own)
    assert orders(None, lambda: tmp_path) == 0
    assert len(printed()) == 2


def test_what_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Said in words, with nothing on stdout."""
    assert orders(None, lambda: tmp_path / "nowhere") == 2
    assert orders(None, lambda: tmp_path) == 0
    session(tmp_path)
    assert orders("run-9", lambda: tmp_path) == 2
    (tmp_path / "x").touch()
    assert orders(str(tmp_path / "x"), lambda: tmp_path) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.rpartition(": ")[2] for line in err.splitlines()] == [
        "No such file or directory",
        "every order is over, as far as is known",
        "no order and no session is called run-9",
        "it is empty",
    ]
