"""The verb `replay`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from loguru import logger

from bot.journal.reader import NotAJournalError, find, read
from bot.link.secrets import AccountSettings, KeyUnavailableError, find_key
from bot.link.signer import PrivateKeyRefusedError, parse_private_key
from bot.paradex.address import from_hex
from bot.replay.errors import UnusableRecordingError
from bot.replay.network.fault import DELAY_S, CannotStrikeError, Fault
from bot.replay.steps import report as steps
from bot.replay.steps.ahead import open_hashing
from bot.replay.steps.hashes import Key
from bot.replay.steps.manners import decide_anew, recorded_settings, repeat
from bot.settings import load
from bot.settings.fault import SettingsError

if TYPE_CHECKING:
    from bot.replay.network import faulted

UNUSABLE = 2


@attrs.frozen(kw_only=True)
class Options:
    """What the command line says of one replay."""

    file: Path
    key: Path | None = None
    account: str = ""
    settings: Path | None = None
    diff: bool = False
    at: int | None = None
    fault: str | None = None
    seconds: float = DELAY_S
    json: bool = False

    def check(self) -> None:
        """Raise ValueError for what cannot be meant."""
        if self.diff != (self.settings is not None):
            raise ValueError("--settings and --diff need each other")
        if (self.at is None) != (self.fault is None):
            raise ValueError("--at and --fault need each other")
        if self.account and self.key is None:
            raise ValueError("--account needs --key")
        if sum((self.key is not None, self.diff, self.fault is not None)) > 1:
            raise ValueError("--key, --diff and --fault are three different replays")


def replay_session(options: Options) -> int:
    """Replay; returns the exit code: 0 without divergence, 1 with one, 2 if there was nothing to replay."""
    logger.remove()  # what the bot of today logs over it is not what happened
    try:
        options.check()
        report = _replay(options)
    except (
        ValueError,
        NotAJournalError,
        UnusableRecordingError,
        CannotStrikeError,
        KeyUnavailableError,
        SettingsError,
    ) as error:
        sys.stderr.write(f"{error}\n")
        return UNUSABLE
    except OSError as error:
        sys.stderr.write(f"{options.file}: {error.strerror}\n")
        return UNUSABLE
    sys.stdout.write(report.to_json().decode() if options.json else report.to_text())
    return report.exit_code


def _replay(options: Options) -> "steps.Report | faulted.Report":
    if options.at is not None and options.fault is not None:
        from bot.replay.network import faulted  # noqa: PLC0415 - half a second that the other replays need not wait

        recording = read(options.file)
        settings = recorded_settings(recording.header)
        fault = Fault(options.fault)
        return faulted.play_with_fault(recording, settings, options.at, fault, seconds=options.seconds)
    session = find(options.file)
    if options.diff:
        return decide_anew(session, load(options.settings, os.environ).settings)
    if options.key is not None:
        return repeat(session, _read_key(options.key, options.account))
    with open_hashing(options.file) as hashing:
        return repeat(session, hashing=hashing)


def _read_key(file: Path, account: str) -> Key:
    """From a file that is ours alone, as the bot itself reads one."""
    places = AccountSettings(key_name="", key_file=str(file), key_env="")
    key = find_key(places, {}).secret.reveal()
    try:
        parse_private_key(key)
    except PrivateKeyRefusedError as error:
        raise KeyUnavailableError(f"{file}: {error}") from error
    if account:
        from_hex(account)
    return Key(key, account)
