"""`bot doctor` as a process: a real child, a real exchange, a real signal. Only what virtual time cannot show."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
from doctor_stage import SCHEMA

from bot.doctor.checks import CHECKS

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE = 60  # s; only a hang lasts that long


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        (sys.executable, "-m", "bot", "doctor", *arguments),
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_STATE_HOME": str(folder / "state"),
            "PYTHONPATH": str(REPOSITORY),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_the_whole_on_the_embedded_exchange(tmp_path: Path) -> None:
    """One JSON object, every check made and none bad, exit code 0, nothing on stderr, nothing left behind."""
    process = start(tmp_path, "--json")
    stdout, stderr = process.communicate(timeout=PATIENCE)  # until no process holds the pipes
    told = json.loads(stdout)
    jsonschema.validate(told, SCHEMA)
    assert [one["check"] for one in told["checks"]] == [check.name for check in CHECKS]
    assert {
        one["check"]: one["found"] for one in told["checks"] if one["verdict"] in {"bad", "skipped"}
    } == {}
    assert (process.returncode, stderr) == (told["exit_code"], "") == (0, "")
    assert not (tmp_path / "state").exists()


def test_ctrl_c(tmp_path: Path) -> None:
    """It ends at once, with what was found by then, and takes its exchange along."""
    process = start(tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("ok       settings         no file")
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stderr) == (130, "")
    assert "because of SIGINT" in stdout
    assert "skipped  websocket        because the examination ended before" in stdout
