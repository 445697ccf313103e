"""The verb ``journal``."""

# ruff: noqa: PLC0415 - as in `bot.cli`

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from bot.cli.sessions import where_recorded
from bot.signals import EarlySignals
from bot.usage import VERBS


def journal_app(early: EarlySignals) -> App:
    journal = App(name="journal", help=VERBS["journal"])

    @journal.command
    def ls(directory: Path | None = None, *, json: bool = False) -> int:
        """List recorded sessions, the newest first: when, where, how long, and how they ended.

        Args:
            directory: where they are; without it the directory of [journal].
            json: a JSON object for each.
        """
        early.restore()
        from bot.journal import verbs

        return verbs.ls(where_recorded if directory is None else lambda: directory, json=json)

    @journal.command(name="show")
    def show_journal(
        session: str | None = None,
        *,
        order: str | None = None,
        kind: Annotated[list[str] | None, Parameter(negative="")] = None,
        from_: Annotated[str, Parameter(name="--from")] = "0",
        to: str | None = None,
        json: bool = False,
    ) -> int:
        """Print the records of a session.

        Args:
            session: a file of it, or its run id; without it the newest session.
            order: only what concerns this order, by our id or the venue's.
            kind: only records of this kind; more than one can be named. ws means all of ws+ ws> ws< ws!.
            from_: from here on: a record's number, or a time like 12.5s.
            to: up to here, as --from.
            json: a JSON object for each record.
        """
        early.restore()
        from bot.journal import verbs

        return verbs.show(
            session, where_recorded, order=order, kinds=kind or (), begin=from_, end=to, json=json
        )

    @journal.command
    def verify(*session: Annotated[str, Parameter(required=True)], json: bool = False) -> int:
        """Say of sessions whether they are undamaged, possible, and free of secrets; exit code 1 if one is not.

        Args:
            session: a file of it, or its run id.
            json: a JSON object for each.
        """
        early.restore()
        from bot.journal import verbs

        return verbs.verify(session, where_recorded, json=json)

    return journal
