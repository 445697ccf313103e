"""A session's journal, as a run has it: what its header says of the run, and what is kept out of it."""

from contextlib import AbstractAsyncContextManager

from bot.app import Surroundings
from bot.journal.header import new_header
from bot.journal.journal import open_journal
from bot.journal.parts import Parts
from bot.journal.redact import Cleaner
from bot.journal.tape import Journal
from bot.session.stop import Stop
from bot.settings import Settings
from bot.settings.recorded import shareable


def open_recording(
    parts: Parts, settings: Settings, around: Surroundings, stop: Stop, *, key: bytes
) -> AbstractAsyncContextManager[Journal]:
    """Record in ``parts`` what a bot does in these surroundings, which have no tape yet.

    Accounts are hashed under ``key``, unless the settings keep them. ``stop`` is asked for when nothing can be kept.
    """
    clock = around.clock
    header = new_header(
        environment=settings.environment,
        run_id=around.run_id,
        seed=around.seed,
        started_ns=clock.wall_ns() - clock.monotonic_ns(),
        rest_url=around.venue.rest_url,
        ws_url=around.venue.ws_url,
        settings=shareable(settings),
        account=settings.journal.account,
    )
    cleaner = Cleaner(key, around.redactor, keeps_account=settings.journal.account == "kept")
    return open_journal(
        parts, header, clock, settings=settings.journal, ask_to_stop=stop.fail, clean=cleaner.clean
    )
