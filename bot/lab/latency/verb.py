"""The verb ``bot latency``: where the time of the orders of a recorded session went."""

from collections.abc import Callable
from pathlib import Path

from bot.journal.output import complain, into_a_pipe, put, put_json
from bot.journal.sessions import in_words, session_chosen
from bot.lab.latency.phases import Latency

GOOD, DAMAGED, REFUSED = 0, 1, 2


@into_a_pipe
def latency(name: str, folder: Callable[[], Path], *, json: bool = False) -> int:
    """Print the distributions of each phase, as far as the session is good; returns the exit code.

    Args:
        name: a file of the session, or its run id.
        folder: where sessions are that are not named by a file.
        json: one JSON object, with the histograms.
    """
    try:
        session = session_chosen(name, folder)
        found = Latency.of(session)
    except (OSError, ValueError) as error:
        complain(in_words(error))
        return REFUSED
    if not found.tables():
        complain(f"{session.first} holds no order of which it is known when it left and was answered")
        return REFUSED
    if json:
        put_json({"run_id": session.header.run_id, "latency": found.to_dict()})
    else:
        for line in found.to_text().splitlines():
            put(line)
    if session.damage is not None:
        complain(str(session.damage))
        return DAMAGED
    return GOOD
