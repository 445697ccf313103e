"""One bot per account, and which journals tell of what was left open there.

For each account there are two files in the state directory, beside the sessions; their name is a keyed hash, for an
account's address is nobody's business. The lock holds as long as the process that took it, however that ends. The
list names the journals without which nobody knows what may be open: not names in a folder count, but this.
"""

import fcntl
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from urllib.parse import urlsplit

import attrs
import msgspec

from bot.journal.private import FILE_MODE, new_file, sync_folder

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LIST = ".open"  # how a list's name ends
_LONGEST_LOCK = 4096  # bytes


@attrs.frozen
class Holder:
    """Who has an account."""

    pid: int
    run_id: str
    since_ns: int
    """Unix ns, as this machine believes."""


@attrs.frozen
class AccountFiles:
    """An account's two files."""

    lock: Path
    journals: Path


def account_files(folder: Path, key: bytes, *, environment: str, rest_url: str, account: str) -> AccountFiles:
    """Where an account has its files in ``folder``.

    Args:
        folder: the state directory.
        key: its `bot.journal.redact.hashing_key`.
        environment: with ``rest_url`` it tells the venue.
        rest_url: of which only host and port count.
        account: the main account's address, hexadecimal, however it is written: a subkey trades on the same one.
    """
    url = urlsplit(rest_url)
    host = f"{url.hostname}:{url.port or _DEFAULT_PORTS.get(url.scheme)}"
    identity = f"{environment} {host} {int(account, 16):x}".encode()
    digest = blake2b(identity, key=key, person=b"claim", digest_size=16).hexdigest()
    return AccountFiles(folder / f"{environment}-{digest}.lock", folder / f"{environment}-{digest}{_LIST}")


class AccountTakenError(Exception):
    """Another process has the account: ``holder``, if it has said so already."""

    def __init__(self, holder: Holder | None) -> None:
        self.holder = holder
        super().__init__(holder)


class AccountLock:
    """The lock of an account, held until `release`, or until the process ends."""

    def __init__(self, path: Path, holder: Holder) -> None:
        """Take it for ``holder``.

        Raises:
            AccountTakenError: somebody else has it.
            OSError: the file cannot be made, or its disk knows no locks.
        """
        self._descriptor = _open(path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fchmod(self._descriptor, FILE_MODE)  # whatever the umask is
            os.ftruncate(self._descriptor, 0)  # it may name an earlier one, who is dead
            os.pwrite(self._descriptor, msgspec.json.encode(attrs.asdict(holder)) + b"\n", 0)
        except BlockingIOError:
            taken_by = _read_holder(self._descriptor)
            os.close(self._descriptor)
            raise AccountTakenError(taken_by) from None
        except OSError:
            os.close(self._descriptor)
            raise

    def release(self) -> None:
        """Once. The file stays: to remove it would let two have the account, each by a file of its own."""
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)


def holder_of(files: AccountFiles) -> Holder | None:
    """Who has the account now; None if nobody has, or nobody can tell.

    Raises:
        OSError: the lock cannot be looked at.
    """
    try:
        descriptor = _open(files.lock, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_holder(descriptor)
    finally:
        os.close(descriptor)
    return None


def read_journals(files: AccountFiles) -> list[Path]:
    """The journals without which nobody knows what is open, the oldest first.

    Raises:
        ValueError: the list is damaged.
        OSError: it cannot be read.
    """
    try:
        return _read_list(files.journals)
    except FileNotFoundError:
        return []


def listed_journals(folder: Path) -> set[Path]:
    """The journals on any list in ``folder``, as far as the lists can be read."""
    listed: set[Path] = set()
    for path in folder.glob(f"*{_LIST}"):
        with suppress(ValueError, OSError):
            listed.update(_read_list(path))
    return listed


def write_journals(files: AccountFiles, journals: Sequence[Path]) -> None:
    """Replace the list at once: after a crash, even of the machine, it is the one before or this one.

    Raises:
        OSError: it is the one before.
    """
    draft = files.journals.with_name(f"{files.journals.name}.{secrets.token_hex(8)}")
    descriptor = new_file(draft)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode([str(path.absolute()) for path in journals]) + b"\n")
            file.flush()
            os.fsync(descriptor)
        draft.replace(files.journals)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(files.journals.parent)


def _read_list(path: Path) -> list[Path]:
    return list(map(Path, msgspec.json.decode(path.read_bytes(), type=list[str])))


def _open(path: Path, flags: int) -> int:
    """Nobody else may read it, and no child inherits it: a lock lives as long as the last who has it open."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)


def _read_holder(descriptor: int) -> Holder | None:
    with suppress(ValueError):
        return msgspec.json.decode(os.pread(descriptor, _LONGEST_LOCK, 0), type=Holder)
    return None
