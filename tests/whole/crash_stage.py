"""A stage for crashes: bots that are killed on an exchange that is not, started again, and judged by its books."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from signal import SIGKILL, SIGTERM

import attrs
import crash_runner
import msgspec
import trio
import trustme
from crash_points import Manner, Point
from crash_runner import Errand
from process_stage import PATIENCE, Exchange, environment, open_exchange

from bot.journal.reader import RecordedSession
from bot.journal.sessions import newest_first
from bot.link.signer import native_curve
from bot.trading.step.recovery import CANCEL

STARTING = 6
"""So many bots may be starting at a time: more would wait for each other, and meet deadlines."""

AT_MOST = 45.0  # s; ends a bot that nobody stops
READY, PLACED = "[INIT] Paradex session 1 ready", "[ORDER] Paradex order sent"


@attrs.frozen(kw_only=True)
class Story:
    """Runs on one account, of which each but the last dies."""

    points: Sequence[Point]
    """Where."""

    leftovers: str = CANCEL
    bugs: Mapping[int, str] = attrs.field(factory=dict)
    """Which run has which, counted from 0."""

    @property
    def name(self) -> str:
        return ", then ".join([*(point.name for point in self.points), self.leftovers])


@attrs.define(eq=False)
class Process:
    """A bot that runs, and its log so far."""

    pid: int
    log: str = ""
    code: int | None = None
    """How it ended; below 0 by which signal."""

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)


@attrs.frozen
class Account:
    """One trader's: a key, and a folder with all that outlives a run."""

    folder: Path
    environ: dict[str, str]

    @property
    def state(self) -> Path:
        return self.folder / "state/paradex-bot"

    @property
    def public_key(self) -> int:
        return native_curve().public_key(int(self.environ["PARADEX_PRIVATE_KEY"], 16))

    def journals(self) -> list[RecordedSession]:
        """The oldest first. What has not even a header is none."""
        return newest_first(self.state, lambda _: None)[::-1]


@attrs.define(eq=False)
class Stage:
    """An exchange, and the accounts on it."""

    exchange: Exchange
    folder: Path
    requests: Path
    """The log of the exchange."""

    authority: Path
    """A certificate."""

    port: int
    """Where bots are begun."""

    accounts: int = 0
    _starting: trio.Semaphore = attrs.field(factory=lambda: trio.Semaphore(STARTING))

    def account(self, **settings: str) -> Account:
        self.accounts += 1
        folder = self.folder / f"{self.accounts}"
        folder.mkdir()
        more = self.exchange.account("BTC-USD-PERP") | {
            "BOT__ORDERS__RECV_WINDOW": "2000",  # the least there is: so long an order may be in doubt
            "BOT__HTTP__CONNECTIONS": "2",
            "BOT__VENUE__CA_FILE": str(self.authority),  # reading the system's takes a third of a start
        }
        return Account(folder, environment(folder, more | settings))

    async def run(
        self,
        account: Account,
        *,
        point: str = "",
        manner: Manner = Manner.PROBE,
        bug: str = "",
        seconds: float = AT_MOST,
        heard: Callable[[Process, str], None] = lambda _process, _line: None,
    ) -> Process:
        """A bot from its start to its end; ``heard`` is told each line of its log."""
        errand = Errand(
            environ=account.environ,
            summary=str(account.folder / "summary.json"),
            seconds=seconds,
            point=point,
            manner=manner,
            bug=bug,
        )
        async with AsyncExitStack() as starting, await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
            await starting.enter_async_context(self._starting)
            await stream.send_all(msgspec.json.encode(errand) + b"\n")
            lines = read_lines(stream)
            process = Process(int(await anext(lines)))
            with trio.move_on_after(PATIENCE) as deadline:
                async for line in lines:
                    process.log += f"{line}\n"
                    heard(process, line)
                    if READY in line:
                        await starting.aclose()
            if deadline.cancelled_caught:
                process.signal(SIGKILL)
            else:
                process.code = int(process.log.split()[-1])
        return process


async def read_lines(stream: trio.abc.ReceiveStream) -> AsyncIterator[str]:
    rest = b""
    async for chunk in stream:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode()


# What happens.


async def play(stage: Stage, story: Story, account: Account) -> list[str]:
    """Play the story; returns what went otherwise than it has it."""
    faults = []
    for number, point in enumerate(story.points):
        process = await stage.run(
            account, point=point.name, manner=point.manner, bug=story.bugs.get(number, "")
        )
        if process.code != -SIGKILL:
            faults.append(
                f"run {number + 1} ended with {process.code}, and did not die at {point.name}:\n{process.log}"
            )
    last = len(story.points)
    process = await stage.run(account, bug=story.bugs.get(last, ""), heard=stop_when_trading)
    if process.code != 0 or PLACED not in process.log:
        faults.append(f"the last run ended with {process.code}, after\n{process.log}")
    return faults


def stop_when_trading(process: Process, line: str) -> None:
    if PLACED in line:
        process.signal(SIGTERM)


@contextmanager
def open_stage(folder: Path) -> Iterator[Stage]:
    """An exchange where nobody trades but the bots."""
    requests, authority = folder / "requests", folder / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(authority))
    arguments = ("--plain", "--rate-limits", "none", "--requests", str(requests))
    more = {"BOT__EXCHANGE__ACTIVITY": "0", "BOT__EXCHANGE__RTT_MS": "4"}
    with open_exchange(folder, *arguments, more=more) as exchange, open_runner(folder) as port:
        yield Stage(exchange, folder, requests, authority, port)


@contextmanager
def open_runner(folder: Path) -> Iterator[int]:
    """What begins bots, on the port that it listens on."""
    with subprocess.Popen(
        [sys.executable, crash_runner.__file__],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.stdin.close()
