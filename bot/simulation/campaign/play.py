"""Plays one seed: lives of the bot one after the other, until everything is well and the last one has settled."""

import hashlib
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import attrs
import msgspec
import trio
from loguru import logger

from bot.core.tape import Kind
from bot.journal.record import Record
from bot.journal.telling import words
from bot.simulation.campaign import judge
from bot.simulation.campaign.conditions import Conditions
from bot.simulation.campaign.life import Life, threads_at_once
from bot.simulation.campaign.schedule import Schedule
from bot.simulation.campaign.stage import Happening, Stage, open_stage
from bot.simulation.campaign.strikes.table import KINDS
from bot.simulation.notes import Line
from bot.simulation.sweep import audit
from bot.simulation.world import run

SETTLES = 65.0
"""Seconds that the bot has after the last fault and its last order: it compares everything every 30 to 60."""

PATIENCE = 300.0
"""Seconds after the last fault by which a life has to be at peace."""

LATE = 0.005
"""Seconds after the wish to stop at which the strategy tries to place an order all the same."""

MOST_LIVES = 20


@attrs.frozen(kw_only=True)
class Played:
    """A seed that was played."""

    schedule: Schedule
    violations: tuple[str, ...]
    seconds: float
    """Simulated."""

    lives: int
    orders: int
    """That the exchange accepted."""

    repairs: int
    struck: dict[str, int]
    """How often each kind struck."""

    hits: tuple[int, ...]
    """The numbers of the strikes that did."""

    digest: str
    """Of every record of every life."""

    story: tuple[Happening, ...] = ()
    """Strikes and lives; and what the bot did, if that is wished."""


TOLD = frozenset(
    {
        Kind.GENERATION,
        Kind.INTENT,
        Kind.OUTCOME,
        Kind.ORDER,
        Kind.REPAIR,
        Kind.ALARM,
        Kind.MODE,
        Kind.COMMAND,
        Kind.RECOVERED,
        Kind.STOP,
        Kind.END,
    }
)
"""Records that a story holds: what was decided and what came of it, without the messages."""


@attrs.define
class Log:
    """What the bot logged that it should not."""

    lines: list[str] = attrs.field(factory=list)
    stage: Stage | None = None

    def write(self, message: str) -> None:
        if self.stage is None or self.stage.life is None or self.stage.life.killed_at is None:
            self.lines.append(message)


def play(schedule: Schedule, conditions: Conditions, *, tells_all: bool = False) -> Played:
    """Play it from the beginning to the end. ``tells_all``: the story says what the bot did, too."""
    log, files = Log(), audit.open_files()
    sink = logger.add(log.write, level="INFO", format="{level} {message}", backtrace=False, diagnose=False)
    try:
        with (
            TemporaryDirectory(prefix="campaign-") as folder,
            threads_at_once(),
            warnings.catch_warnings(record=True) as warned,
        ):
            warnings.simplefilter("always")
            played = run(_play, schedule, conditions, Path(folder), log, tells_all, seed=schedule.seed)
    finally:
        logger.remove(sink)
    more = [f"warning: {warning.message}" for warning in warned]
    more += (f"file {number} was left open" for number in audit.open_files() - files)
    return attrs.evolve(played, violations=(*played.violations, *more))


async def _play(
    schedule: Schedule,
    conditions: Conditions,
    folder: Path,
    log: Log,
    tells_all: bool,  # noqa: FBT001 - `run` takes no names
) -> Played:
    found: list[str] = []
    gaps = Random(f"{schedule.seed} gaps")  # noqa: S311 - to be repeated
    async with open_stage(schedule.seed, schedule.seconds, conditions, folder) as stage:
        log.stage = stage
        others = audit.everybody()
        for strike in schedule.strikes:
            act = KINDS[strike.kind].act
            if strike.at:
                stage.network.at(strike.at, act, stage, strike, strike.chance())
            else:
                act(stage, strike, strike.chance())
        stage.network.at(schedule.seconds, stage.heal)
        while True:
            life = stage.begin_life()
            found += await _live(stage, life)
            stage.tell(_ending(life))
            found += judge.at_its_end(life)
            if life.rehearsal.stop.reason == judge.STOPS or life.raised or len(stage.lives) == MOST_LIVES:
                break
            await trio.sleep(gaps.choice((0.01, 0.3, 2.0)))
        seconds = trio.current_time()
        found += await audit.leaked(stage.network, others)
        found += judge.at_the_end(stage, schedule)
        found += _log_violations(log, stage)
        return Played(
            schedule=schedule,
            violations=tuple(dict.fromkeys(found)),
            seconds=seconds,
            lives=len(stage.lives),
            orders=stage.exchange.ledger.accepted,
            repairs=sum(_repairs(life) for life in stage.lives),
            struck=_struck(stage, schedule),
            hits=tuple(number for number, times in stage.struck.items() if times),
            digest=_digest(stage.lives),
            story=_story(stage) if tells_all else tuple(stage.story),
        )


async def _live(stage: Stage, life: Life) -> list[str]:
    """From its beginning to its end. What was wrong with that."""
    found: list[str] = []

    async def stop_when_settled() -> None:
        await trio.sleep_until(stage.seconds)
        with trio.move_on_after(PATIENCE) as late:
            while not life.strategy.is_quiet:  # noqa: ASYNC110 - what a strategy tells nobody can await
                await trio.sleep(1.0)
        if late.cancelled_caught:
            found.append(f"life {life.number}: it is not at peace {PATIENCE:g} s after the last fault")
        await trio.sleep(SETTLES)
        if not life.strategy.is_open:
            found.append(f"life {life.number}: all is well, and it has no session")
        life.rehearsal.stop.ask(judge.STOPS)

    async def place_late() -> None:
        await life.rehearsal.stop.wait_asked()
        await trio.sleep(LATE)
        life.strategy.place_late()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stop_when_settled)
        nursery.start_soon(place_late)
        await life.run()
        nursery.cancel_scope.cancel()
    return found


def _ending(life: Life) -> str:
    if life.killed_at is not None:
        return f"life {life.number} was killed"
    if life.summary is None:
        return f"life {life.number} broke: {life.gave_up or life.raised}"
    return f"life {life.number} ended with {life.summary.exit_code}: {life.summary.exit_reason}"


def _log_violations(log: Log, stage: Stage) -> list[str]:
    found = [
        f"log: {line.strip()}" for line in log.lines if "Traceback" in line or line.startswith("CRITICAL")
    ]
    written = stage.lives[-1].rehearsal.surroundings.redactor.redact("".join(log.lines)).encode()
    return found + ["I8: a secret is in the log" for secret in judge.secrets_of(stage) if secret in written]


def _repairs(life: Life) -> int:
    if life.evidence is None:
        return 0
    return sum(manager.stocktaking.repairs.total() for manager in life.evidence.managers)


def _story(stage: Stage) -> tuple[Happening, ...]:
    did = [
        Happening(line.at, f"    {line.kind:<10} {words(_record(line))}")
        for life in stage.lives
        if life.evidence is not None
        for line in life.evidence.lines
        if line.kind in TOLD
    ]
    return tuple(sorted((*stage.story, *did), key=lambda each: each.at))


def _record(line: Line) -> Record:
    """As a journal has it: `bot.journal.telling` reads JSON."""
    data = msgspec.json.decode(msgspec.json.encode(line.data))
    return Record(0, round(line.at * 1e9), line.generation, line.kind, data)


def _struck(stage: Stage, schedule: Schedule) -> dict[str, int]:
    struck = Counter[str]()
    for strike in schedule.strikes:
        struck[strike.kind] += stage.struck[strike.number]
    return dict(struck)


def _digest(lives: list[Life]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for life in lives:
        for line in life.evidence.lines if life.evidence is not None else ():
            digest.update(msgspec.json.encode((line.at, str(line.kind), line.generation, line.data)))
    return digest.hexdigest()
