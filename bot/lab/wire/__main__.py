"""Plays the network's rows of the table of faults on real sockets, several at a time, and judges each bot."""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, get_args

import attrs
import cyclopts
import msgspec
import trio
from cyclopts.validators import Number

from bot.core.errors import leaves
from bot.lab.child import Child, open_exchange
from bot.lab.wire.errors import RowFailedError
from bot.lab.wire.judge import LATE, STOP_WITHIN
from bot.lab.wire.rows import ROWS
from bot.lab.wire.stage import Via, environment, open_stage

AT_A_TIME = 8

PATIENCE = 60.0
"""Seconds for each part of a row, on however busy a machine."""

EXCHANGE = ("--rate-limits", "none")
"""All bots come from one address."""


@attrs.frozen
class Played:
    """A row, orders by one of the ways, and what became of it; without ``faults`` it passed."""

    row: str
    via: Via
    seconds: float
    orders: int = 0
    sessions: int = 0
    faults: list[str] = attrs.field(factory=list)

    def __str__(self) -> str:
        verdict = "FAILED" if self.faults else "ok"
        told = "".join(f"\n        {fault}" for fault in self.faults)
        return (
            f"{verdict:<8}{self.row:<25}{self.via:<6}{self.seconds:5.1f} s"
            f"{self.orders:5} orders{self.sessions:3} sessions{told}"
        )


@attrs.define
class _Progress:
    """How far a row has come, and until when it has to come further."""

    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    doing: str = ""
    log: Callable[[], str] = str

    def begin(self, doing: str, within: float = PATIENCE) -> None:
        self.doing = f"{doing} within {within:g} s"
        self.scope.deadline = trio.current_time() + within

    def hangs(self) -> str:
        return f"it did not {self.doing}; its log ends with: {self.log().rstrip().rpartition(chr(10))[2]}"


async def play(exchange: Child, row: str, via: Via, folder: Path) -> Played:
    """Let ``row`` strike a bot of its own, whose orders go ``via``, and judge it."""
    began = trio.current_time()
    progress = _Progress()
    orders = sessions = 0
    found: list[str] = []
    try:
        with progress.scope:
            progress.begin("start and trade")
            async with open_stage(exchange, folder, via, ROWS[row].host) as stage:
                progress.log = lambda: stage.bot.log
                progress.begin("do what the row waits for")
                await ROWS[row].strike(stage)
                if ROWS[row].ends:
                    progress.begin("trade again")
                    await stage.trade_again()
                progress.begin("stop", STOP_WITHIN + LATE)
                code = await stage.bot.stop()
                progress.begin("have books")
                books = await stage.books.orders()
                orders, sessions = len(books), stage.sessions
                found += ROWS[row].judge(stage, books, code)
    except* RowFailedError as failures:
        found += (str(each) for each in leaves(failures))
    if progress.scope.cancelled_caught:
        found.append(progress.hangs())
    return Played(row, via, trio.current_time() - began, orders, sessions, found)


async def play_all(
    rows: Sequence[str], ways: Sequence[Via], at_a_time: int, tell: Callable[[Played], object]
) -> float:
    """Every row, orders by every way, so many at a time; ``tell`` is told of each. Returns the seconds it took."""
    began = trio.current_time()
    limit = trio.CapacityLimiter(at_a_time)

    async def one(exchange: Child, row: str, via: Via, folder: Path) -> None:
        async with limit:
            tell(await play(exchange, row, via, folder))

    with tempfile.TemporaryDirectory(prefix="paradex-wire-") as name:
        env = {**environment(Path(name)), "BOT__EXCHANGE__ACTIVITY": "0"}
        async with open_exchange(*EXCHANGE, env=env) as exchange, trio.open_nursery() as nursery:
            for number, (row, via) in enumerate((row, via) for row in rows for via in ways):
                nursery.start_soon(one, exchange, row, via, Path(name) / str(number))
    return trio.current_time() - began


def main(
    *,
    row: Annotated[list[str] | None, cyclopts.Parameter(negative="")] = None,
    via: Via | None = None,
    at_a_time: Annotated[int, cyclopts.Parameter(validator=Number(gte=1))] = AT_A_TIME,
    json: Annotated[bool, cyclopts.Parameter(negative="")] = False,
) -> int:
    """Play the network's rows of the table of faults on real sockets. Exit code 1: one of them failed.

    Args:
        row: only this one; more than one can be named.
        via: only with orders by this way.
        at_a_time: how many are played at a time.
        json: print one JSON object instead of lines.
    """
    rows = row or list(ROWS)
    if unknown := [name for name in rows if name not in ROWS]:
        sys.stderr.write(f"no row {unknown[0]!r}; there are: {', '.join(ROWS)}\n")
        return 2
    ways: Sequence[Via] = get_args(Via) if via is None else (via,)
    played: list[Played] = []

    def tell(one: Played) -> None:
        played.append(one)
        if not json:
            print(one, flush=True)  # noqa: T201 - data goes to stdout

    seconds = trio.run(play_all, rows, ways, at_a_time, tell)
    failed = sum(bool(each.faults) for each in played)
    if json:
        told = {"rows": [attrs.asdict(each) for each in played], "failed": failed, "seconds": seconds}
        print(msgspec.json.encode(told).decode())  # noqa: T201 - data goes to stdout
    else:
        print(f"{len(played)} rows in {seconds:.0f} s, {failed} failed")  # noqa: T201 - as above
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(cyclopts.run(main))
