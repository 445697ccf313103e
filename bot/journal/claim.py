"""A run's claim on an account, on this machine: the lock, what earlier runs left, and the list of their journals."""

import os
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

import attrs
import trio
from loguru import logger

from bot.core.errors import FatalError
from bot.core.recovered import Recovered
from bot.journal.account import (
    AccountFiles,
    AccountLock,
    AccountTakenError,
    Holder,
    account_files,
    read_journals,
    write_journals,
)
from bot.journal.private import sync_folder
from bot.journal.reader import find
from bot.journal.recovery import recover
from bot.journal.telling import utc

LOOK_AGAIN_S = 0.05
"""Somebody who only looks at the lock has it for a moment, too."""

TRIES = 3


@attrs.define(eq=False, kw_only=True)
class LocalClaim:
    """A `bot.core.recovered.AccountClaim` that outlives the login: `release` it when the run is over."""

    folder: Path
    """The state directory."""

    key: bytes = attrs.field(repr=False)
    """Its `bot.journal.redact.hashing_key`."""

    environment: str
    rest_url: str
    holder: Holder
    """This run."""

    journal: Path | None
    """The first part of this run's; None if it is not recorded."""

    forget: Collection[Path] = ()
    """Journals that somebody can do without: of those that can be read, only what is open is forgotten."""

    _files: AccountFiles | None = attrs.field(default=None, init=False)
    _lock: AccountLock | None = attrs.field(default=None, init=False)
    _recovered: Recovered | None = attrs.field(default=None, init=False)
    _is_writing: bool = attrs.field(default=False, init=False)
    _is_taken_over: bool = attrs.field(default=False, init=False)

    async def take(self, account: str) -> Recovered:
        if self._files is None or self._lock is None:
            self._files = account_files(
                self.folder, self.key, environment=self.environment, rest_url=self.rest_url, account=account
            )
            self._lock = await self._take_lock(self._files.lock)
        if self._recovered is None:
            self._recovered = await trio.to_thread.run_sync(
                self._recover, self._files, abandon_on_cancel=True
            )
        return self._recovered

    async def taken_over(self) -> None:
        if self._files is None:
            raise RuntimeError("nothing was claimed")
        if self.journal is not None:
            try:
                await self._write(partial(_take_over, self._files, self.journal))
            except OSError as error:
                raise FatalError(f"{self.journal} cannot be noted as this run's journal: {error}") from error
        self._is_taken_over = True

    async def release(self, *, is_clean: bool) -> None:
        """Let go of the account. ``is_clean`` if nothing of this run or of earlier ones is left open there.

        What the disk did not do by then keeps the lock: a list that is still written must not meet another's.
        """
        if self._lock is None or self._files is None or self._is_writing:
            return
        if is_clean and self._is_taken_over:
            try:
                await self._write(partial(write_journals, self._files, []))
            except OSError as error:
                logger.warning("[STOP] Paradex the next start reads {} again: {}", self.journal, error)
        self._lock.release()

    async def _write(self, work: Callable[[], None]) -> None:
        """In a worker thread: a disk may be slow, and one that hangs has to be left behind."""
        self._is_writing = True
        try:
            await trio.to_thread.run_sync(work, abandon_on_cancel=True)
        except OSError:
            self._is_writing = False
            raise
        self._is_writing = False

    async def _take_lock(self, path: Path) -> AccountLock:
        for _ in range(TRIES):
            try:
                return AccountLock(path, self.holder)
            except AccountTakenError as taken:
                other = taken.holder
            except OSError as error:
                raise FatalError(
                    f"{path}: the account cannot be locked: {error.strerror} "
                    "(journal.directory names another folder)"
                ) from error
            await trio.sleep(LOOK_AGAIN_S)
        raise FatalError(f"another bot trades on this account: {_described(other)}")

    def _recover(self, files: AccountFiles) -> Recovered:
        """In a worker thread: a session may be large."""
        left = Recovered()
        for path in _listed(files):
            is_forgotten = path in map(Path.absolute, self.forget)
            try:
                session = find(path)
                left = recover(session, left)
            except (ValueError, OSError) as error:
                if not is_forgotten:
                    raise FatalError(
                        f"{path}, the journal of an earlier run, cannot be read: {error}. {_way_on(path)}"
                    ) from error
                logger.warning("[INIT] Paradex journal is forgotten: {}: {}", path, error)
                continue
            if is_forgotten:
                left = _without_orders(left, path)
            if session.damage is not None:
                logger.warning("[INIT] Paradex journal is damaged, and read up to there: {}", session.damage)
            logger.info(
                "[INIT] Paradex earlier run ended badly: {} orders are not known to be over, {}",
                len(left.orders),
                path,
            )
        return left


def _without_orders(left: Recovered, path: Path) -> Recovered:
    """Let go of what is open by the journal in ``path``. Whatever the venue still has of it stays ours."""
    for each in left.orders:
        order = each.order
        logger.warning("[INIT] Paradex order is forgotten: {}, {}, {}", order.client_id, order.state, path)
    return attrs.evolve(left, orders=())


def _listed(files: AccountFiles) -> list[Path]:
    try:
        return read_journals(files)
    except (ValueError, OSError) as error:
        raise FatalError(
            f"{files.journals}, the list of journals that tell what is open, cannot be read: {error}. "
            "See to it that no order is open, on the venue's page or with `bot cancel-all`, and remove the list"
        ) from error


def _way_on(path: Path) -> str:
    return (
        "Without it nobody knows which orders of that run are open: bring it back; or see to it that none is, on the "
        f"venue's page or with `bot cancel-all`, and start once with --forget {path}"
    )


def _take_over(files: AccountFiles, journal: Path) -> None:
    descriptor = os.open(journal, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(journal.parent)
    write_journals(files, [journal])


def _described(holder: Holder | None) -> str:
    if holder is None:
        return "it has only just begun"
    return f"pid {holder.pid}, run {holder.run_id}, since {utc(holder.since_ns)}"
