"""Parts that are closed, made smaller: in a worker thread, beside a bot that trades."""

import errno
import fcntl
import os
import re
import threading
from pathlib import Path
from typing import BinaryIO

import zstandard
from loguru import logger

from bot.journal import names
from bot.journal.private import new_file, sync_folder

PIECE = 1 << 20
"""Bytes that are compressed between two looks at whether anybody still wants it."""

_BEGINNING = re.compile(rb'[0-9a-f]{8} \[0,[0-9]+,0,"header",')
"""Checksum and number, time, generation and kind of the first record of a part."""


def compress(path: Path, abandoned: threading.Event) -> None:
    """Replace the plain part in ``path`` by its compressed form, or leave everything as it is.

    At every moment one of the two is there, whole: the new file is on the disk before it gets its name, and has it
    before the old one goes. What an earlier try left half done is removed.

    Raises:
        BlockingIOError: somebody holds its lock: it is being written, or compressed.
        InterruptedError: ``abandoned`` was set.
        OSError: the disk is full, or does not do it for another reason.
    """
    with path.open("rb") as plain:
        fcntl.flock(plain, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(plain.fileno()), path.stat()):
            raise FileNotFoundError(errno.ENOENT, "somebody else compressed it", str(path))
        unfinished = names.unfinished(path)
        unfinished.unlink(missing_ok=True)
        try:
            with os.fdopen(new_file(unfinished), "wb") as new:
                _copy(plain, new, abandoned)
            unfinished.rename(names.compressed(path))
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
        path.unlink()


def compress_all(folder: Path, abandoned: threading.Event) -> None:
    """Compress what earlier sessions left in ``folder``. What is being written is left alone, and so is what only has
    such a name: other programs have journals, too.
    """
    for path in sorted(folder.glob(f"*{names.SUFFIX}")):
        try:
            if _is_ours(path):
                compress(path, abandoned)
        except BlockingIOError:
            continue
        except InterruptedError:
            return
        except OSError as error:
            logger.warning("[JOURNAL] Paradex {} stays as large as it is: {}", path, error.strerror)


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        return _BEGINNING.match(file.read(64)) is not None


def _copy(plain: BinaryIO, new: BinaryIO, abandoned: threading.Event) -> None:
    size = os.fstat(plain.fileno()).st_size  # in the file, it tells a reader when the end is missing
    try:
        with zstandard.ZstdCompressor(write_checksum=True).stream_writer(new, size, closefd=False) as writer:
            while piece := plain.read(PIECE):
                if abandoned.is_set():
                    raise InterruptedError(errno.EINTR, "nobody waits for it any more")
                writer.write(piece)
    except zstandard.ZstdError as error:
        raise OSError(errno.EBUSY, f"somebody writes to it: {error}") from error
    new.flush()
    os.fsync(new.fileno())
