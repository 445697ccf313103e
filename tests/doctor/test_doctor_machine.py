"""What `bot doctor` finds on this machine: settings, key, signer, disk, files. Nothing here leaves it."""

import errno
import json
import os
import resource
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
import trio
from doctor_stage import BAD, KEY, OK, SKIPPED, WARNING, Result, examined, on_testnet

from bot.core.errors import FatalError
from bot.doctor.checks import CHECKS
from bot.journal.redact import hashing_key
from bot.link import crosscheck, signer
from bot.link.clock import SystemClock

NOWHERE = FatalError("no exchange in this test")


def look(environ: Mapping[str, str], upto: str = "open files", **more: Any) -> Result:
    return trio.run(partial(examined, NOWHERE, environ, upto=upto, **{"clock": SystemClock(), **more}))


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def test_a_machine_in_order(tmp_path: Path) -> None:
    """Every check of it is ok, before the first run and after it; nothing was made by looking."""
    result = look(on_testnet(tmp_path / "state"))
    assert set(result.verdicts.values()) == {OK}
    assert "not there yet" in result.found("state directory")
    assert "not there yet" in result.found("hashing key")
    assert not (tmp_path / "state").exists()
    folder = tmp_path / "state" / "paradex-bot"
    folder.mkdir(parents=True, mode=0o700)
    hashing_key(folder)
    result = look(on_testnet(tmp_path / "state"))
    assert set(result.verdicts.values()) == {OK}
    assert f"{folder}, mode 0700" in result.found("state directory")
    assert [path.name for path in folder.iterdir()] == ["account-hash.key"]


# Settings.


def test_bad_settings_are_told_all_at_once_and_nothing_else_is_tried(tmp_path: Path) -> None:
    """Exit code 2; what needs settings says so."""
    file = tmp_path / "settings.toml"
    file.write_text('environment = "testnett"\n[http]\nconnections = 1\n[htpp]\n')
    result = look(on_testnet(tmp_path), upto="websocket", file=file)
    assert result.verdict("settings") is BAD
    for words in (f"{file}:3: http.connections", "did you mean http?"):
        assert words in result.found("settings")
    assert len(result.figures("settings")["faults"]) >= 2
    assert result.report.exit_code == 2
    assert set(list(result.verdicts.values())[1:]) == {SKIPPED}
    assert result.found("key") == "because of settings"
    assert result.found("tls") == "because of settings"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """As for any verb; and the default file may be missing."""
    assert "there is no such file" in look(on_testnet(tmp_path), "settings", file=tmp_path / "none").found(
        "settings"
    )
    assert look(on_testnet(tmp_path), "settings").found("settings").startswith("no file, 1 values given")


# The key.


def test_a_key_file_is_named_with_its_mode_and_not_shown(tmp_path: Path) -> None:
    """Where it was found, in full; of itself nothing, in no form."""
    file = tmp_path / "key"
    file.write_text(KEY)
    file.chmod(0o600)
    told: list[str] = []
    environ = on_testnet(tmp_path, BOT__ACCOUNT__KEY_FILE=str(file), PARADEX_PRIVATE_KEY="")
    result = look(environ, tell=lambda one: told.append(str(one)))
    assert result.found("key") == f"{file}, mode 0600; in the range of the curve"
    assert result.figures("key")["mode"] == "0600"
    text = "".join(told) + json.dumps(result.report.to_dict())
    assert KEY[2:] not in text
    assert str(int(KEY, 16)) not in text


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        (KEY, 0o644, "has mode 0644, others may use it: chmod 600"),
        (KEY, 0o620, "has mode 0620"),
        ("", 0o600, "holds no private key"),
        ("my key", 0o600, "holds no private key"),
        ("0x0", 0o600, "is 0 or not below the order"),
        (hex(signer.CURVE_ORDER), 0o600, "is 0 or not below the order"),
    ],
)
def test_a_key_file_that_cannot_be_used(tmp_path: Path, text: str, mode: int, words: str) -> None:
    """Mode, form and range; the signer has nothing to sign with then."""
    file = tmp_path / "key"
    file.write_text(text)
    file.chmod(mode)
    result = look(on_testnet(tmp_path, BOT__ACCOUNT__KEY_FILE=str(file)))
    assert result.verdict("key") is BAD
    assert words in result.found("key")
    assert result.mend("key")
    assert (result.verdict("signer"), result.found("signer")) == (SKIPPED, "because of key")
    assert result.report.exit_code == 3
    assert len(text) < 10 or text not in json.dumps(result.report.to_dict())


def test_no_key_anywhere(tmp_path: Path) -> None:
    """All places that were looked at are named."""
    result = look(on_testnet(tmp_path, PARADEX_PRIVATE_KEY=""), "key")
    assert result.verdict("key") is BAD
    assert "looked in $CREDENTIALS_DIRECTORY/paradex-key" in result.found("key")


# Signing.


def test_the_native_signer_is_timed(tmp_path: Path) -> None:
    """An order's hash and signature."""
    result = look(on_testnet(tmp_path), "signer")
    assert result.figures("signer")["library"] == "fast-stark-crypto"
    assert 0 < result.figures("signer")["order_ms"] < 1000


def test_a_machine_that_signs_slowly(tmp_path: Path) -> None:
    """More than 10 ms an order is a warning: the bot trades, and its orders are late."""

    class SlowClock(SystemClock):
        now_ns = 0

        def monotonic_ns(self) -> int:
            self.now_ns += 11_000_000
            return self.now_ns

    result = look(on_testnet(tmp_path), "signer", clock=SlowClock())
    assert (result.verdict("signer"), result.figures("signer")["order_ms"]) == (WARNING, 11.0)


def test_without_the_native_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """starknet-py signs, which is told; and there is nothing to compare it with."""

    def missing() -> signer.Curve:
        raise ImportError("No module named 'fast_stark_crypto'")

    stand_in = attrs.evolve(signer.native_curve(), library="starknet-py")  # itself it takes seconds
    monkeypatch.setattr(signer, "reference_curve", lambda: stand_in)
    monkeypatch.setattr(signer, "native_curve", missing)
    monkeypatch.setattr(crosscheck, "native_curve", missing)
    result = look(on_testnet(tmp_path), checks=CHECKS[:4])
    assert result.verdict("signer") is WARNING
    assert "starknet-py" in result.found("signer")
    assert "install fast-stark-crypto" in result.mend("signer")
    assert result.verdict("signature") is SKIPPED


def test_both_libraries_agree(tmp_path: Path) -> None:
    """On the public key, and each on the other's signature."""
    assert look(on_testnet(tmp_path), checks=CHECKS[:4]).verdict("signature") is OK


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"public_key": lambda _: 1}, "they derive different public keys"),
        (
            {"sign": lambda _key, _message: (1, 1)},
            "starknet-py does not take a signature of fast-stark-crypto",
        ),
        ({"verify": lambda *_: False}, "fast-stark-crypto does not take a signature of starknet-py"),
    ],
)
def test_libraries_that_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], words: str
) -> None:
    """It is told in what."""
    curve = attrs.evolve(signer.native_curve(), **wrong)
    monkeypatch.setattr(crosscheck, "native_curve", lambda: curve)
    result = look(on_testnet(tmp_path), checks=CHECKS[:4])
    assert result.verdict("signature") is BAD
    assert words in result.found("signature")


# The state directory.


@pytest.mark.parametrize(
    ("mode", "verdict", "words"),
    [
        (0o700, OK, "mode 0700"),
        (0o750, WARNING, "others can look into it"),
        (0o770, BAD, "others can replace what is in it"),
        (0o702, BAD, "others can replace what is in it"),
    ],
)
def test_modes_of_the_state_directory(tmp_path: Path, mode: int, verdict: str, words: str) -> None:
    """Ours alone; others who read are a warning, others who write are more than that."""
    folder = tmp_path / "paradex-bot"
    folder.mkdir()
    folder.chmod(mode)
    result = look(on_testnet(tmp_path))
    assert result.verdict("state directory") == verdict
    assert words in result.found("state directory")
    assert verdict == OK or result.mend("state directory") == f"chmod 700 {folder}"


def test_a_file_where_the_state_directory_should_be(tmp_path: Path) -> None:
    """Nothing below needs it then: it is skipped."""
    (tmp_path / "paradex-bot").write_text("")
    result = look(on_testnet(tmp_path))
    assert result.verdict("state directory") is BAD
    assert (result.verdict("disk"), result.verdict("hashing key")) == (SKIPPED, SKIPPED)
    assert result.verdict("open files") is OK


def test_a_state_directory_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told with whose it is; and one that we cannot write to."""
    (tmp_path / "paradex-bot").mkdir(mode=0o700)
    with monkeypatch.context() as patched:
        patched.setattr(os, "geteuid", lambda: 4711)
        assert "belongs to user" in look(on_testnet(tmp_path), "state directory").found("state directory")
    monkeypatch.setattr(os, "access", lambda *_: False)
    result = look(on_testnet(tmp_path), "state directory")
    assert "cannot be read and written by us" in result.found("state directory")
    assert result.verdict("state directory") is BAD


@pytest.mark.parametrize(
    ("free_mib", "verdict", "days"),
    [(100_000, OK, 998.7), (628, WARNING, 5.0), (128, BAD, 0.0), (0, BAD, 0.0)],
)
def test_room_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_mib: int, verdict: str, days: float
) -> None:
    """Days at 100 MiB a day, beside two parts of 64 MiB; under a week is a warning, none is bad."""
    room = SimpleNamespace(f_bavail=free_mib, f_frsize=2**20)
    monkeypatch.setattr(os, "statvfs", lambda _: room)
    result = look(on_testnet(tmp_path), "disk")
    assert (result.verdict("disk"), result.figures("disk")["days"]) == (verdict, days)


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [(b"k" * 32, 0o640, "is not ours alone"), (b"short", 0o600, "is no key of 32")],
)
def test_a_hashing_key_that_cannot_be_used(tmp_path: Path, content: bytes, mode: int, words: str) -> None:
    """No run would record anything, so it is bad."""
    folder = tmp_path / "paradex-bot"
    folder.mkdir(mode=0o700)
    (folder / "account-hash.key").write_bytes(content)
    (folder / "account-hash.key").chmod(mode)
    result = look(on_testnet(tmp_path))
    assert result.verdict("hashing key") is BAD
    assert words in result.found("hashing key")


@pytest.mark.parametrize(("limit", "verdict"), [(1024, OK), (-1, OK), (40, OK), (39, BAD)])
def test_the_limit_of_open_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, verdict: str
) -> None:
    """Twice the connections and 32 are needed."""
    assert resource.RLIM_INFINITY == -1
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, -1))
    assert look(on_testnet(tmp_path), "open files").verdict("open files") == verdict


# The venue, as far as it is this machine's.


def test_an_embedded_exchange_that_does_not_start(tmp_path: Path) -> None:
    """Bad, and everything on the way to it is skipped; the machine itself was looked at."""
    result = look({"XDG_STATE_HOME": str(tmp_path)}, "websocket")
    assert (result.verdict("venue"), result.found("venue")) == (BAD, "no exchange in this test")
    assert "bot exchange" in result.mend("venue")
    assert result.verdict("dns") is SKIPPED
    assert result.report.exit_code == 3


def test_authorities_that_cannot_be_read(tmp_path: Path) -> None:
    """The file was there when the settings were read, and holds none."""
    place = OSError(errno.EIO, "no certificate or crl found")
    result = trio.run(partial(examined, place, on_testnet(tmp_path), upto="venue", clock=SystemClock()))
    assert result.verdict("venue") is BAD
    assert "ca_file" in result.mend("venue")
