"""Six bugs that would break the promise, put in on purpose: the oracle finds each, and nothing where it is not.

The bugs are among those that the campaign looks for; here is the shortest story of each. It is harmless to the bot as
it is, which is shown before the bug is put in.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import attrs
from proof_stage import DELAY, SIZE, OneOrder, Played, at_message, nothing, play

from bot.core.errors import RevokedError
from bot.core.order import State
from bot.exchange.faults.requests import Silence
from bot.exchange.faults.updates import RepeatUpdate
from bot.exchange.settings import ExchangeSettings
from bot.replay.scenarios import take
from bot.settings import Settings
from bot.simulation.campaign import bugs
from bot.simulation.campaign.bugs import Bug
from bot.simulation.rehearsal import Rehearsal


def found_with(bug: Bug, scenario: Callable[[], Played]) -> Played:
    """See that the scenario is harmless, put the bug in, and play it again."""
    assert scenario().violations == []
    with bug():
        return scenario()


def test_an_order_sent_again_after_an_unknown_outcome() -> None:
    """As an SDK does whose transport retries: meanwhile the first was cancelled, and now there is a second."""
    settings = attrs.evolve(Settings(), exchange=ExchangeSettings(client_ids="while-open"))
    scenario = partial(play, Silence(on="create", cut_after=0), settings=settings)
    played = found_with(bugs.sent_again, scenario)
    assert len(played.seen.accepted) == 2
    assert {"I2", "I6"} <= played.violated()


def test_an_unknown_order_called_rejected_after_a_while() -> None:
    """As other software does after some look-ups: it arrives all the same, and rests for ever."""
    played = found_with(bugs.called_rejected, partial(play, Silence(on="create", late=3, cut_after=0)))
    assert played.told.state is State.REJECTED
    assert {"I3", "I5", "I6"} <= played.violated()


def test_the_gate_open_before_reconciliation() -> None:
    """The order was filled while nobody listened, and the strategy trades on as if it rested."""

    def away(rehearsal: Rehearsal) -> None:
        def leave() -> None:
            rehearsal.exchange.drop_websockets()
            rehearsal.network.after(DELAY, take, rehearsal.exchange, SIZE)

        at_message(rehearsal, "http<", "201", leave, after=1.0)

    played = found_with(bugs.gate_open_early, partial(play, then=nothing, arrange=away))
    assert played.summary.generations == 2
    assert "gate" in played.violated()


def test_a_fill_applied_twice() -> None:
    """The venue tells of it twice, as it may, and the position is wrong."""

    def filled(rehearsal: Rehearsal) -> None:
        at_message(rehearsal, "http<", "201", lambda: take(rehearsal.exchange, SIZE // 2), after=1.0)

    repeated = RepeatUpdate(channel="fills", copies=1, seconds=0.5)
    played = found_with(bugs.fill_applied_twice, partial(play, repeated, then=nothing, arrange=filled))
    assert {"I3", "I4"} <= played.violated()


def test_a_trader_not_revoked_at_the_stop() -> None:
    """Whoever kept it places an order while the bot shuts down."""

    def scenario() -> Played:
        strategy, refused = OneOrder(), list[str]()

        def late(rehearsal: Rehearsal) -> None:
            def place() -> None:
                try:
                    strategy.place(10**12)
                except RevokedError as error:
                    refused.append(str(error))

            def stop() -> None:
                rehearsal.stop.ask("the end of the play")
                rehearsal.network.after(DELAY / 2, place)

            at_message(rehearsal, "http<", "201", stop)

        played = play(strategy=strategy, arrange=late)
        assert bool(refused) is not is_broken
        return played

    is_broken = False
    assert scenario().violations == []
    is_broken = True
    with bugs.trader_not_revoked():
        assert "I7" in scenario().violated()


def test_an_intent_written_after_the_send(tmp_path: Path) -> None:
    """All goes well as long as nobody dies in between, and is wrong all the same."""

    numbers = iter("12")

    def scenario() -> Played:
        return play(journal=tmp_path / f"{next(numbers)}.journal")

    assert "I1" in found_with(bugs.intent_after_the_send, scenario).violated()
