"""The verb `replay` on the command line."""

from pathlib import Path

import msgspec
import pytest
from loguru import logger
from replay_stage import SESSIONS, recorded

from bot.cli import run_verb
from bot.core.tape import Kind
from bot.journal.record import Lines, payload
from bot.replay import scenarios
from bot.signals import EarlySignals

PLAIN = next(path for path in SESSIONS if path.stem == "plain")


def replay(*arguments: object) -> int:
    """`bot replay`, in this process."""
    return run_verb(["replay", *map(str, arguments)], EarlySignals())


@pytest.fixture
def tampered(tmp_path: Path) -> Path:
    """A session in which an order was of another size: an undamaged file, for whoever edited it did it well."""
    session = recorded("plain")
    number = session.find(Kind.EFFECT, lambda data: data["do"] == "place").number
    records = session.edited(number, lambda data: data | {"size": "0.02"}).records
    lines = Lines()
    file = tmp_path / "tampered.journal"
    header = lines.line(payload(0, 0, 0, Kind.HEADER, msgspec.to_builtins(session.header)))
    rest = (lines.line(payload(r.number, r.ns, r.generation, r.kind, r.data)) for r in records)
    file.write_bytes(header + b"".join(rest))
    return file


def test_a_session_is_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    """Figures, and 0."""
    assert replay(PLAIN) == 0
    out = capsys.readouterr().out
    assert f"records      {len(recorded('plain').records)}\n" in out
    assert "divergences  0\n" in out
    assert "records/s" in out


def test_a_new_session_is_made_by_one_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What `just session` runs: the session replays, and without a name it says which there are."""
    file = tmp_path / "new.journal"
    assert scenarios.main("strange", file) == 0
    assert replay(file) == 0
    assert scenarios.main() == 0
    assert "strange     A venue from the future" in capsys.readouterr().out
    assert scenarios.main("no such thing") == 2


def test_a_divergence_is_shown(tampered: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its record, what was expected and what came, and 1."""
    assert replay(tampered) == 1
    out = capsys.readouterr().out
    placed = recorded("plain").find(Kind.EFFECT, lambda data: data["do"] == "place")
    where = f"record {placed.number}, at {placed.ns / 1e9:.6f} s"
    assert f"the first divergence: {where}, effect: other than recorded\n" in out
    assert '    size: expected "0.02", came "0.01"\n' in out


def test_it_tells_programs_too(tampered: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All of the divergences, as JSON."""
    assert replay(tampered, "--json") == 1
    told = msgspec.json.decode(capsys.readouterr().out)
    assert told["records"] == len(recorded("plain").records)
    assert told["divergences"][0]["expected"]["size"] == "0.02"
    assert told["divergences"][0]["came"]["size"] == "0.01"


def test_a_torn_session_is_replayed_as_far_as_it_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the damage is told."""
    file = tmp_path / "torn.journal"
    file.write_bytes(PLAIN.read_bytes()[:-300])
    assert replay(file) == 0
    assert "note         replayed up to the damage in " in capsys.readouterr().out


def test_a_session_without_a_record_is_nothing_to_replay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is no success: the bot was ended before it did anything, or that is all that can be read."""
    file = tmp_path / "short.journal"
    header = PLAIN.read_bytes().partition(b"\n")[0] + b"\n"
    for rest, words in (b"", "no record but its header\n"), (b"?", "up to the damage in "):
        file.write_bytes(header + rest)
        assert replay(file) == 2
        assert words in capsys.readouterr().err


def test_other_settings_are_read_as_the_bot_reads_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a settings file, faults included."""
    other = tmp_path / "other.toml"
    other.write_text('[strategy]\ndistance = "0.03"\npause = 0.7\n')
    assert replay(PLAIN, "--settings", other, "--diff") == 1
    out = capsys.readouterr().out
    assert 'now          [strategy] distance = "0.03", then "0.02"\n' in out
    assert "    now   place BUY 0.01 BTC-USD-PERP @ 82449.6" in out
    other.write_text('[strategy]\ndistance = "9"\n')
    assert replay(PLAIN, "--settings", other, "--diff") == 2
    assert "other.toml" in capsys.readouterr().err


def test_a_key_comes_from_a_file_of_ours_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the bot's own: never from the command line, and never from a file that others may read."""
    key = tmp_path / "key"
    key.write_text("0x1234567890abcdef1234567890abcdef\n")
    key.chmod(0o644)
    assert replay(PLAIN, "--key", key) == 2
    assert "0644" in capsys.readouterr().err
    key.chmod(0o600)
    assert replay(PLAIN, "--key", key) == 1  # another key than the one that signed
    assert "signature_digest: expected " in capsys.readouterr().out
    key.write_text("0x0\n")
    assert replay(PLAIN, "--key", key) == 2
    key.write_text("0x1\n")
    assert replay(PLAIN, "--key", key, "--account", "mine") == 2
    assert "1234567890abcdef" not in "".join(capsys.readouterr())


def test_a_fault_is_inserted(capsys: pytest.CaptureFixture[str]) -> None:
    """`--at` and `--fault` play the session on the virtual network."""
    report = recorded("plain").find(Kind.FRAME_IN, lambda text: '"status":"OPEN"' in text)
    assert replay(PLAIN, "--at", report.number, "--fault", "drop") in {0, 1}
    assert f"drop at record {report.number} (ws<)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["/nowhere"], "/nowhere"),
        ([__file__], "test_replay_verb.py"),
        ([PLAIN, "--diff"], "--settings and --diff need each other"),
        ([PLAIN, "--settings", "x.toml"], "--settings and --diff need each other"),
        ([PLAIN, "--at", "7"], "--at and --fault need each other"),
        ([PLAIN, "--account", "0x1"], "--account needs --key"),
        ([PLAIN, "--key", "/nowhere/key"], "/nowhere/key"),
        ([PLAIN, "--at", "7", "--fault", "drop", "--key", "k"], "three different replays"),
        ([PLAIN, "--at", "1000000", "--fault", "drop"], "1000000"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    arguments: list[object], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, with 2."""
    assert replay(*arguments) == 2
    err = capsys.readouterr().err
    assert words in err
    assert "Traceback" not in err


@pytest.fixture(autouse=True)
def _leave_the_log_as_it_was() -> None:
    """The verb takes away every sink, and tests have none."""
    logger.remove()
