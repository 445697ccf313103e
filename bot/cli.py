"""The verbs. What each needs is imported when it runs, so that no verb waits for another's libraries."""

# ruff: noqa: PLC0415 - see above

import os
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter
from cyclopts.validators import Number

from bot.signals import EarlySignals
from bot.usage import VERBS

BAD_ARGUMENTS = 2

LogLevel = Literal["TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL"]
# The system would take a larger one modulo 65536.
PortNumber = Annotated[int, Parameter(validator=Number(gte=0, lte=65_535))]


def run_verb(arguments: list[str], early: EarlySignals) -> int:
    """Run the verb in ``arguments``. Returns the exit code."""
    try:
        code: int = build(early)(
            arguments, exit_on_error=False, print_error=True, result_action="return_value"
        )
    except CycloptsError:
        return BAD_ARGUMENTS
    return code or 0


def build(early: EarlySignals) -> App:
    """The command line. ``early`` are the signals that came before somebody listened."""
    app = App(name="bot", version=_version, help_format="plaintext")
    config = App(name="config", help=VERBS["config"])
    app.command(config)

    @app.command(help=VERBS["run"])
    def run(
        *,
        settings: Path | None = None,
        for_: Annotated[float | None, Parameter(name="--for")] = None,
        summary: Path | None = None,
        live: bool = False,
    ) -> int:
        """Trade.

        Args:
            settings: settings file; without it settings.toml in this folder, if there is one.
            for_: stop after so many seconds, as SIGINT would.
            summary: write what the run came to into this file, as JSON.
            live: trade real money; the environment prod asks for it.
        """
        from bot.run import Options, run_bot

        return run_bot(Options(settings=settings, seconds=for_, summary=summary, live=live), early)

    @app.command(help=VERBS["exchange"])
    def exchange(
        *,
        settings: Path | None = None,
        host: str = "127.0.0.1",
        rest_port: PortNumber = 0,
        ws_port: PortNumber = 0,
        control_port: PortNumber = 0,
        plain: bool = False,
        seed: int | None = None,
        rtt_ms: float | None = None,
        processing_ms: float | None = None,
        rate_limits: Literal["venue", "none"] | None = None,
        verify: Literal["always", "never"] = "always",
        requests: Path | None = None,
        log_level: LogLevel = "INFO",
        until_stdin_closes: bool = False,
    ) -> int:
        """Serve the exchange until SIGINT or SIGTERM. One line of JSON on stdout says where, when it is ready.

        Args:
            settings: settings file; without it settings.toml in this folder, if there is one. Its [exchange] counts.
            host: address to listen on.
            rest_port: port of the REST interface; 0 is any free one.
            ws_port: port of the WebSocket; 0 is any free one.
            control_port: port of the levers, on plain HTTP; 0 is any free one.
            plain: http and ws instead of https and wss.
            seed: the same seed gives the same exchange.
            rtt_ms: simulated round trip of its network.
            processing_ms: time it takes over each request.
            rate_limits: whether requests are counted and refused as on the venue.
            verify: whether signatures are verified. never is for load: without --rate-limits it lifts these, too.
            requests: log every request into this file, a line of JSON each.
            log_level: how much it tells on stderr; DEBUG shows each request.
            until_stdin_closes: end when stdin does, as a child of somebody who may be killed.
        """
        early.restore()
        from bot.exchange.process import Manner
        from bot.exchange.server import Listen
        from bot.serve import Options, serve_exchange

        options = Options(
            settings=settings,
            behaviour={
                "seed": seed,
                "rtt_ms": rtt_ms,
                "processing_ms": processing_ms,
                "rate_limits": rate_limits,
            },
            listen=Listen(host, rest_port, ws_port, control_port),
            manner=Manner(
                plain=plain,
                verify=verify == "always",
                requests=requests,
                until_stdin_closes=until_stdin_closes,
            ),
            log_level=log_level,
        )
        return serve_exchange(options)

    @config.command
    def init(path: Path = Path("settings.toml"), *, force: bool = False) -> int:
        """Write a settings file that holds the defaults and explains every key.

        Args:
            path: the file.
            force: overwrite it.
        """
        early.restore()
        from bot.settings import verbs

        return verbs.init(path, force=force)

    @config.command
    def check(settings: Path | None = None, *, json: bool = False) -> int:
        """Print ok, or every fault of the settings at once.

        Args:
            settings: settings file; without it settings.toml in this folder, if there is one.
            json: print a list of the faults.
        """
        early.restore()
        from bot.settings import verbs

        return verbs.check(settings, os.environ, json=json)

    @config.command
    def show(settings: Path | None = None, *, origin: bool = False, json: bool = False) -> int:
        """Print the settings that hold.

        Args:
            settings: settings file; without it settings.toml in this folder, if there is one.
            origin: say where each value comes from.
            json: for programs; origins are always in it.
        """
        early.restore()
        from bot.settings import verbs

        return verbs.show(settings, os.environ, origin=origin, json=json)

    return app


def _version() -> str:
    from importlib.metadata import version

    return version("paradex-bot")
