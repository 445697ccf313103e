"""One bot per account, and nothing forgotten of what earlier ones left there."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from orders_stage import intent, order, place, written

from bot.core.errors import FatalError
from bot.core.order import State
from bot.core.recovered import Recovered
from bot.core.tape import Kind
from bot.journal.account import (
    AccountFiles,
    AccountLock,
    AccountTakenError,
    Holder,
    account_files,
    holder_of,
    listed_journals,
    read_journals,
    write_journals,
)
from bot.journal.claim import LocalClaim
from bot.journal.reader import read
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.summary import Summary

KEY = bytes(range(32))
ADDRESS = "0x28a2b"
URL = "https://api.test/v1"
ME, YOU = Holder(os.getpid(), "run-1", 1_800_000_000_000_000_000), Holder(4711, "run-2", 0)
REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE = 60  # s; only a hang lasts that long


def files_in(folder: Path, **others: str) -> AccountFiles:
    return account_files(
        folder, KEY, **({"environment": "testnet", "rest_url": URL, "account": ADDRESS} | others)
    )


def claim_in(folder: Path, journal: Path | None = None, **others: Any) -> LocalClaim:
    return LocalClaim(
        folder=folder, key=KEY, environment="testnet", rest_url=URL, holder=ME, journal=journal, **others
    )


# The lock.


def test_the_second_learns_who_is_the_first(tmp_path: Path) -> None:
    """And as soon as the first lets go it is free."""
    files = files_in(tmp_path)
    assert holder_of(files) is None
    first = AccountLock(files.lock, ME)
    assert holder_of(files) == ME
    with pytest.raises(AccountTakenError) as taken:
        AccountLock(files.lock, YOU)
    assert taken.value.holder == ME
    first.release()
    assert holder_of(files) is None
    second = AccountLock(files.lock, YOU)
    assert holder_of(files) == YOU
    second.release()


def test_a_lock_that_nobody_holds_is_free(tmp_path: Path) -> None:
    """Whatever is written there: its holder died, and may have been a program of any kind."""
    files = files_in(tmp_path)
    files.lock.write_text('{"pid":1,"run_id":"long ago","since_ns":0}' + " " * 500)
    assert holder_of(files) is None
    lock = AccountLock(files.lock, ME)
    assert holder_of(files) == ME
    lock.release()


@pytest.mark.parametrize(
    "other",
    [
        {"environment": "prod"},
        {"account": "0x28a2c"},
        {"rest_url": "https://api.other/v1"},
        {"rest_url": "https://api.test:8443/v1"},
    ],
)
def test_another_account_is_another(tmp_path: Path, other: dict[str, str]) -> None:
    """So is one of the same address elsewhere."""
    files, others = files_in(tmp_path), files_in(tmp_path, **other)
    assert not {files.lock, files.journals} & {others.lock, others.journals}
    assert files != account_files(tmp_path, bytes(32), environment="testnet", rest_url=URL, account=ADDRESS)


@pytest.mark.parametrize(
    "same",
    [{"account": "0x0028A2B"}, {"rest_url": "https://API.test:443/v1"}, {"rest_url": "https://api.test/v1/"}],
)
def test_one_account_written_otherwise(tmp_path: Path, same: dict[str, str]) -> None:
    """Is the same. So is that of a subkey, which signs for the main account's address."""
    assert files_in(tmp_path, **same) == files_in(tmp_path)


def test_files_are_for_nobody_else(tmp_path: Path) -> None:
    """Neither to be read, nor to be known by: their names and contents do not tell the account."""
    files = files_in(tmp_path)
    old = os.umask(0o277)
    try:
        lock = AccountLock(files.lock, ME)
        write_journals(files, [tmp_path / "s.journal"])
    finally:
        os.umask(old)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "28a2b" not in path.name + path.read_text()
    lock.release()


def test_no_link_is_followed(tmp_path: Path) -> None:
    """A lock somewhere else would be no lock."""
    files = files_in(tmp_path)
    files.lock.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        AccountLock(files.lock, ME)


# The list.


def test_the_list_is_replaced_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is on the disk before it has its name; where that fails, the one before stays, and nothing else."""
    files = files_in(tmp_path)
    assert read_journals(files) == []
    write_journals(files, [tmp_path / "1.journal"])
    synced: list[Any] = []

    def fsync(_: int) -> None:
        synced.extend(json.loads(path.read_bytes()) for path in tmp_path.iterdir() if path != files.journals)
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        with pytest.raises(OSError, match="Input/output"):
            write_journals(files, [tmp_path / "2.journal"])
    assert synced == [[str(tmp_path / "2.journal")]]
    assert read_journals(files) == [tmp_path / "1.journal"]
    assert list(tmp_path.iterdir()) == [files.journals]
    assert listed_journals(tmp_path) == {tmp_path / "1.journal"}


# A run's claim.


async def test_what_a_run_left_is_found_again(tmp_path: Path) -> None:
    """Until a later run has it in a journal of its own, which is then the one that counts."""
    first = written(tmp_path / "1.journal", place(), intent(), order("OPEN"))
    files = files_in(tmp_path)
    write_journals(files, [first])
    for _ in range(2):  # the first of these crashed before it took anything over
        claim = claim_in(tmp_path, tmp_path / "2.journal")
        left = await claim.take(ADDRESS)
        assert await claim.take(ADDRESS) is left
        assert [each.order.state for each in left.orders] == [State.OPEN]
        await claim.release(is_clean=True)
        assert read_journals(files) == [first]
    claim = claim_in(tmp_path, written(tmp_path / "2.journal"))
    await claim.take(ADDRESS)
    await claim.taken_over()
    assert read_journals(files) == [tmp_path / "2.journal"]
    await claim.release(is_clean=False)
    assert read_journals(files) == [tmp_path / "2.journal"]


async def test_a_clean_end_leaves_nothing(tmp_path: Path) -> None:
    claim = claim_in(tmp_path, written(tmp_path / "1.journal"))
    assert await claim.take(ADDRESS) == Recovered()
    await claim.taken_over()
    await claim.release(is_clean=True)
    assert read_journals(files_in(tmp_path)) == []
    assert holder_of(files_in(tmp_path)) is None


async def test_a_run_without_a_journal(tmp_path: Path) -> None:
    """Takes nothing away from the list but by a clean end: what was left is in no other journal."""
    first = written(tmp_path / "1.journal", place(), intent())
    write_journals(files_in(tmp_path), [first])
    for is_clean in (False, True):
        claim = claim_in(tmp_path)
        assert len((await claim.take(ADDRESS)).orders) == 1
        await claim.taken_over()
        assert read_journals(files_in(tmp_path)) == [first]
        await claim.release(is_clean=is_clean)
    assert read_journals(files_in(tmp_path)) == []


async def test_the_second_bot_is_refused(tmp_path: Path) -> None:
    """Whatever it was told to record. The message names the first."""
    first = claim_in(tmp_path)
    await first.take(ADDRESS)
    with pytest.raises(FatalError, match=rf"pid {ME.pid}, run run-1, since 2027-01-15 08:00:00 UTC"):
        await claim_in(tmp_path).take(ADDRESS)
    await first.release(is_clean=True)
    await claim_in(tmp_path).take(ADDRESS)


async def test_a_look_at_the_lock_refuses_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who only looks has it for a moment: a bot that begins at that moment tries again."""
    looks = 0

    def taken_once(path: Path, holder: Holder) -> AccountLock:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise AccountTakenError(None)
        return AccountLock(path, holder)

    monkeypatch.setattr("bot.journal.claim.AccountLock", taken_once)
    await claim_in(tmp_path).take(ADDRESS)
    assert looks == 2


def lose(path: Path) -> None:
    path.unlink()


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:10])


def leave_a_header(path: Path) -> None:
    """And the beginning of a record."""
    path.write_bytes(written(path).read_bytes() + b"0000")


def confuse(path: Path) -> None:
    written(path, place(), intent(), order("SOMEWHERE"))


@pytest.mark.parametrize("harm", [lose, damage, leave_a_header, confuse])
async def test_a_journal_that_cannot_be_read(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    """Ends the bot with a way to go on; who takes that, forgets this journal, and no other."""
    first = written(tmp_path / "1.journal", place(), intent())
    second = written(tmp_path / "2.journal", place("b"), intent("b"))
    write_journals(files_in(tmp_path), [first, second])
    harm(first)
    claim = claim_in(tmp_path)
    with pytest.raises(
        FatalError, match=r"1\.journal, the journal of .*`bot cancel-all`.*--forget .*1\.journal"
    ):
        await claim.take(ADDRESS)
    await claim.release(is_clean=False)
    claim = claim_in(tmp_path, forget=[first])
    assert [each.order.client_id for each in (await claim.take(ADDRESS)).orders] == ["b"]
    await claim.release(is_clean=False)
    assert (await claim_in(tmp_path, forget=[first, second]).take(ADDRESS)).orders == ()


async def test_what_a_journal_left_open_can_be_forgotten(tmp_path: Path) -> None:
    """Because the venue began anew and knows nothing of it. If it does, the order is of a run of ours."""
    first = written(tmp_path / "1.journal", place(), intent())
    write_journals(files_in(tmp_path), [first])
    recovered = await claim_in(tmp_path, forget=[first]).take(ADDRESS)
    assert recovered.orders == ()
    assert recovered.run_ids == ("run",)


async def test_a_damaged_end_is_usual(tmp_path: Path) -> None:
    first = written(tmp_path / "1.journal", place(), intent())
    write_journals(files_in(tmp_path), [first])
    first.write_bytes(first.read_bytes() + b"0000")
    assert len((await claim_in(tmp_path).take(ADDRESS)).orders) == 1


async def test_a_list_that_cannot_be_read(tmp_path: Path) -> None:
    files_in(tmp_path).journals.write_text("[1")
    with pytest.raises(FatalError, match="See to it that no order is open"):
        await claim_in(tmp_path).take(ADDRESS)


async def test_a_folder_that_takes_no_lock(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="the account cannot be locked: No such file"):
        await claim_in(tmp_path / "nowhere").take(ADDRESS)


async def test_a_journal_that_was_removed_cannot_be_noted(tmp_path: Path) -> None:
    """No order leaves then: a crash would lose it."""
    claim = claim_in(tmp_path, tmp_path / "1.journal")
    await claim.take(ADDRESS)
    with pytest.raises(FatalError, match="cannot be noted"):
        await claim.taken_over()


# When it is asked for.


@attrs.define
class Watched:
    """A claim that tells what had been asked of the venue at either moment."""

    trace: list[tuple[float, str, str]] = attrs.field(factory=list)
    asked: list[list[str]] = attrs.field(factory=list)
    refusal: str = ""

    def _look(self) -> None:
        self.asked.append([text.split()[1] for _, way, text in self.trace if way == Kind.REQUEST])

    async def take(self, account: str) -> Recovered:  # noqa: ARG002 - as a claim is asked
        self._look()
        if self.refusal:
            raise FatalError(self.refusal)
        return Recovered()

    async def taken_over(self) -> None:
        self._look()


def traded(claim: Watched) -> Summary:
    async def play(rehearsal: Rehearsal) -> Summary:
        rehearsal.surroundings = attrs.evolve(rehearsal.surroundings, claim=claim)
        claim.trace = rehearsal.trace
        return await rehearsal.trade(3)

    return rehearse(play, delay=0.02, tls=False)


def test_the_account_is_taken_before_anything_is_asked_in_its_name() -> None:
    """Two tokens for one account may be one too many. And no order leaves before what was left is taken over."""
    claim = Watched()
    summary = traded(claim)
    assert summary.orders.placed > 0
    before_auth, before_orders = claim.asked
    assert set(before_auth) == {"/system/time", "/system/config"}
    assert not any(path.startswith("/orders") for path in before_orders)


def test_a_refused_claim_ends_the_bot() -> None:
    """With exit code 3, and an alarm that says why: the bot does not trade, and somebody has to know."""
    summary = traded(Watched(refusal="another bot trades on this account"))
    assert summary.exit_code == 3
    assert summary.alarms == ["another bot trades on this account"]


# Real processes: only the system lets go of a lock when its holder is killed.


@contextmanager
def exchange() -> Iterator[dict[str, str]]:
    """An exchange that outlives bots; what its line says."""
    command = [
        sys.executable,
        "-m",
        "bot",
        "exchange",
        "--plain",
        "--until-stdin-closes",
        "--log-level",
        "ERROR",
    ]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())


def bot(folder: Path, venue: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """A bot on that exchange, with the same key as any other in this folder."""
    settings, key = folder / "settings.toml", folder / "key"
    settings.write_text(
        f"""
        environment = "testnet"
        [account]
        key_file = "{key}"
        ethereum_address = "0x{"11" * 20}"
        [venue]
        rest_url = "{venue["rest_url"]}"
        ws_url = "{venue["ws_url"]}"
        [journal]
        directory = "{folder / "state"}"
        """
    )
    key.write_text("0x1234567")
    key.chmod(0o600)
    return subprocess.Popen(
        [sys.executable, "-m", "bot", "run", "--settings", str(settings), *arguments],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stderr is not None
    log = ""
    for line in process.stderr:
        log += line
        if text in line:
            return log
    pytest.fail(f"the log ended without {text!r}:\n{log}")


def test_bots_that_are_killed(tmp_path: Path) -> None:
    """The second on an account ends with 3 and names the first, also if it records nothing. When the first is killed
    its lock is free, and the next one takes over what it left, and leaves nothing.
    """
    state = tmp_path / "state"
    with exchange() as venue:
        first = bot(tmp_path, venue, "--record", str(tmp_path / "first.journal"))
        read_until(first, "status=OPEN")
        second = bot(tmp_path, venue, "--no-record")
        _, log = second.communicate(timeout=PATIENCE)
        assert second.returncode == 3
        assert f"another bot trades on this account: pid {first.pid}, run " in log
        assert "authenticated" not in log
        assert listed_journals(state) == {tmp_path / "first.journal"}

        first.send_signal(signal.SIGKILL)
        first.communicate(timeout=PATIENCE)
        third = bot(tmp_path, venue)
        read_until(third, "status=OPEN")
        third.send_signal(signal.SIGINT)
        third.communicate(timeout=PATIENCE)
        assert third.returncode == 0
    (own,) = state.glob("testnet-*.journal")
    (recovered,) = (record.data for record in read(own).records if record.kind is Kind.RECOVERED)
    assert recovered["run_ids"] == [read(tmp_path / "first.journal").header.run_id]
    assert listed_journals(state) == set()
    (lock,) = state.glob("*.lock")
    assert holder_of(AccountFiles(lock, lock)) is None
