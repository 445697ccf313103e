"""The verb ``latency``."""

# ruff: noqa: PLC0415 - as in `bot.cli`

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number

from bot.cli.sessions import where_recorded
from bot.signals import EarlySignals
from bot.usage import VERBS


def latency_app(early: EarlySignals) -> App:
    latency = App(name="latency", help=VERBS["latency"])

    @latency.default
    def measure(
        *,
        settings: Path | None = None,
        orders: Annotated[int, Parameter(validator=Number(gte=1, lte=100_000))] = 100,
        via: Literal["rest", "ws", "both"] = "both",
        target_ms: float = 200.0,
        json: Path | None = None,
        html: Path | None = None,
        from_: Annotated[list[str] | None, Parameter(name="--from", negative="")] = None,
        live: bool = False,
        yes: Annotated[bool, Parameter(negative="")] = False,
    ) -> int:
        """Measure what orders wait for, phase by phase, and say whether they are as quick as they should be.

        Places POST_ONLY orders far below the market, one at a time, each confirmed and cancelled; the first over a
        new connection, the others over open ones.

        Args:
            settings: settings file; without it settings.toml in this folder, if there is one.
            orders: how many, by each way.
            via: the way that they go; both in turn, if it is not said.
            target_ms: how quick they should be.
            json: write the measurement into this file; `bot latency compare` reads it.
            html: write it into this file as a page with plots.
            from_: measure nothing, and read it from this recorded session, a file of it or its run id; from several,
                if this is said again.
            live: with real money; the environment prod asks for it.
            yes: do not ask before real money is used.
        """
        from bot.lab.latency import verb

        output = verb.Output(target_ms=target_ms, json=json, html=html)
        if from_:
            early.restore()
            return verb.read_latency(from_, where_recorded, output)
        options = verb.Options(settings=settings, orders=orders, via=via, live=live, is_agreed=yes)
        return verb.measure_latency(options, output, early)

    @latency.command
    def compare(before: Path, after: Path, *, json: Annotated[bool, Parameter(negative="")] = False) -> int:
        """Tell what changed between two measurements, and what is only noise.

        Args:
            before: a file of --json.
            after: another.
            json: print one JSON object.
        """
        early.restore()
        from bot.lab.latency import verb

        return verb.compare_latency(before, after, json=json)

    return latency
