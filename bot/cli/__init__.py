"""The verbs. What each needs is imported when it runs, so that no verb waits for another's libraries."""

# ruff: noqa: PLC0415 - see above

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter
from cyclopts.validators import Number

from bot.cli.config import config_app
from bot.cli.journal import journal_app
from bot.cli.latency import latency_app
from bot.cli.sessions import where_recorded
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
    app.command(config_app(early))
    app.command(journal_app(early))
    app.command(latency_app(early))

    @app.command(help=VERBS["run"])
    def run(
        *,
        settings: Path | None = None,
        for_: Annotated[float | None, Parameter(name="--for")] = None,
        record: Path | None = None,
        no_record: Annotated[bool, Parameter(negative="")] = False,
        summary: Path | None = None,
        live: bool = False,
        forget: Annotated[list[Path] | None, Parameter(negative="")] = None,
    ) -> int:
        """Trade.

        Args:
            settings: settings file; without it settings.toml in this folder, if there is one.
            for_: stop after so many seconds, as SIGINT would.
            record: record the session in this new file, instead of one in the state directory.
            no_record: do not record the session.
            summary: write what the run came to into this file, as JSON.
            live: trade real money; the environment prod asks for it.
            forget: start without what this journal of an earlier run left open: it is lost, or the venue forgot.
        """
        from bot.run import Options, run_bot

        options = Options(
            settings=settings,
            seconds=for_,
            record=record,
            no_record=no_record,
            summary=summary,
            live=live,
            forget=tuple(forget or ()),
        )
        return run_bot(options, early)

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

    @app.command(help=VERBS["replay"])
    def replay(
        file: Path,
        *,
        key: Path | None = None,
        account: str = "",
        settings: Path | None = None,
        diff: Annotated[bool, Parameter(negative="")] = False,
        at: int | None = None,
        fault: Literal["drop", "delay", "duplicate", "cut"] | None = None,
        seconds: float = 2.0,
        json: Annotated[bool, Parameter(negative="")] = False,
    ) -> int:
        """Run a recorded session again, and compare what the bot does with what it did. Exit code 1: it differs.

        Args:
            file: the session, or any part of it.
            key: file of mode 0600 with the private key of the session: signatures are compared, too.
            account: with --key, the account's address, if the key is a subkey.
            settings: with --diff, a settings file: its [strategy], [orders] and [limits] decide.
            diff: print where the decisions part under other settings.
            at: with --fault, the number of a record: the whole bot plays the session on a virtual network, up to
                there as it was.
            fault: what happens to the message in that record.
            seconds: how late a message comes that --fault delay strikes.
            json: for programs.
        """
        early.restore()
        from bot.replay.verb import Options, replay_session

        options = Options(
            file=file,
            key=key,
            account=account,
            settings=settings,
            diff=diff,
            at=at,
            fault=fault,
            seconds=seconds,
            json=json,
        )
        return replay_session(options)

    @app.command(help=VERBS["simulate"])
    def simulate(
        *,
        seed: int | None = None,
        seeds: str = "",
        for_: Annotated[float, Parameter(name="--for")] = 60.0,
        jobs: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
        json: Path | None = None,
        only: str = "",
        strikes: str = "",
        bug: str = "",
    ) -> int:
        """Play bot and exchange on a virtual network, with everything going wrong that a seed decides, and judge.

        Exit code 1: something that must never happen did. Each seed repeats exactly.

        Args:
            seed: play this one, and tell its story.
            seeds: play these, as 1-2000.
            for_: how many simulated seconds things go wrong; then all is well, and the bot settles.
            jobs: so many processes; as many as there are processors, if it is not said.
            json: with --seeds, write what they came to into this file.
            only: only kinds of faults with this in their name.
            strikes: with --seed, only these strikes of it, by their numbers, as 2,5.
            bug: put this bug into the bot first, or each in turn with all. With --seeds: until one finds it; if none
                does, the exit code is 1.
        """
        early.restore()
        from bot.simulation.campaign import verb

        return verb.simulate(
            verb.Options(
                seed=seed,
                seeds=seeds,
                seconds=for_,
                jobs=jobs,
                json=json,
                only=only,
                strikes=strikes,
                bug=bug,
            )
        )

    @app.command(name="orders", help=VERBS["orders"])
    def show_orders(
        name: str | None = None,
        *,
        all_: Annotated[bool, Parameter(name="--all", negative="")] = False,
        json: Annotated[bool, Parameter(negative="")] = False,
    ) -> int:
        """Print our orders that are not known to be over, the newest first, as recorded sessions tell of them.

        Args:
            name: a session, by a file of it or its run id: its orders. Or an order, by our id or the venue's: its
                history.
            all_: those that are over, too.
            json: a JSON object for each, with its history.
        """
        early.restore()
        from bot.journal.orders import orders

        return orders(name, where_recorded, every=all_, json=json)

    @app.command(name="cancel-all", help=VERBS["cancel-all"])
    def cancel_everything(
        *,
        settings: Path | None = None,
        market: str | None = None,
        live: bool = False,
        json: Annotated[bool, Parameter(negative="")] = False,
    ) -> int:
        """Cancel every open order of the account, whoever placed it. Exit code 4: some order is left.

        A bot of this machine that has the account is told first: it places nothing more until it is started again.

        Args:
            settings: settings file; without it settings.toml in this folder, if there is one.
            market: only the orders in this market.
            live: with real money; the environment prod asks for it.
            json: print what became of them as JSON.
        """
        early.restore()
        from bot import cancelall

        return cancelall.cancel_all(cancelall.Options(settings=settings, market=market, live=live, json=json))

    @app.command(help=VERBS["doctor"])
    def doctor(*, settings: Path | None = None, json: Annotated[bool, Parameter(negative="")] = False) -> int:
        """Look at this machine, the way to the venue and the account. Nothing is changed, and no order is sent.

        Exit code 2: something is wrong with the settings; 3: with anything else that a run cannot do without.

        Args:
            settings: settings file; without it settings.toml in this folder, if there is one.
            json: print one JSON object.
        """
        from bot.doctor.verb import Options, examine_bot

        return examine_bot(Options(settings=settings, json=json), early)

    return app


def _version() -> str:
    from importlib.metadata import version

    return version("paradex-bot")
