"""SIGINT in every phase: exit 0 within 3 s, and no order of ours left on the exchange."""

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import trio
from loguru import logger
from proof_stage import nothing, play

from bot import app
from bot.core.fixed import Fixed
from bot.core.order import State
from bot.core.tape import Kind
from bot.exchange.faults.requests import Silence, Swallow
from bot.exchange.faults.updates import LoseUpdate
from bot.journal.reader import find
from bot.settings import Settings
from bot.simulation.oracle import journal_tells_the_same
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.summary import Summary
from bot.trading.executor import OrdersSettings
from bot.trading.strategies.probe import Probe, ProbeSettings
from bot.trading.strategies.strategy import Event, OrderChanged
from bot.trading.strategies.trader import Trader

RTT = 0.1


def clean_stop(play: Callable[[Rehearsal], None]) -> tuple[Summary, Rehearsal]:
    """Run until ``play`` has somebody stop the bot, and see that it ends as it should."""

    async def whole(rehearsal: Rehearsal) -> tuple[Summary, Rehearsal]:
        asked: list[float] = []
        ask = rehearsal.stop.ask

        def noted(reason: str) -> None:
            asked.append(trio.current_time())
            ask(reason)

        rehearsal.stop.ask = noted  # type: ignore[method-assign]
        play(rehearsal)
        with trio.fail_after(60):
            summary = await rehearsal.trade()
        assert trio.current_time() - asked[0] < 3.0
        return summary, rehearsal

    settings = attrs.evolve(Settings(), strategy=ProbeSettings(pause=0.3))
    summary, rehearsal = rehearse(whole, settings, delay=RTT / 2)
    assert summary.exit_code == 0
    assert summary.exit_reason == "SIGINT"
    assert {order.status for order in rehearsal.exchange.orders.values()} <= {"CLOSED"}
    assert summary.orders.placed == len(rehearsal.exchange.orders)
    assert len(rehearsal.exchange.feeds.sessions) == 0
    return summary, rehearsal


def on_message(
    rehearsal: Rehearsal,
    way: str,
    start: str,
    act: Callable[[], object],
    *,
    count: int = 1,
    after: float = 0.0,
) -> None:
    """Call ``act``, ``after`` seconds from the ``count``-th message of this kind that begins like this."""
    seen = 0

    def listen(kind: str, message: str) -> None:
        nonlocal seen
        if kind == way and message.startswith(start):
            seen += 1
            if seen == count:
                rehearsal.network.after(after, act)

    rehearsal.messages.listeners.append(listen)


def at_message(way: str, start: str, *, count: int = 1, after: float = 0.0) -> Callable[[Rehearsal], None]:
    """SIGINT then; see `on_message`."""

    def play(rehearsal: Rehearsal) -> None:
        on_message(
            rehearsal, way, start, lambda: rehearsal.stop.signalled("SIGINT"), count=count, after=after
        )

    return play


PHASES = {
    "warm-up": at_message("http>", "GET /system/time"),
    "clock": at_message("http>", "GET /system/time", count=5),
    "onboarding": at_message("http>", "POST /onboarding"),
    "auth": at_message("http>", "POST /auth", count=2),
    "TCP and TLS of the WebSocket": at_message("http<", "200 [secret] /auth", after=RTT / 2),
    "WebSocket upgrade": at_message("http<", "200 [secret] /auth", after=2.5 * RTT),
    "auth over the WebSocket": at_message("ws>", '{"jsonrpc":"2.0","method":"auth"'),
    "subscribe": at_message("ws>", '{"jsonrpc":"2.0","method":"subscribe"'),
    "list of open orders": at_message("http>", "GET /orders"),
    "quote": at_message("http>", "GET /bbo"),
    "order on its way there": at_message("http>", "POST /orders", after=RTT / 4),
    "order on its way back": at_message("http>", "POST /orders", after=3 * RTT / 4),
    "second order": at_message("http>", "POST /orders", count=2),
    "order open": at_message("http<", "201"),
    "cancel on its way there": at_message("http>", "DELETE /orders", after=RTT / 4),
    "cancel on its way back": at_message("http>", "DELETE /orders", after=3 * RTT / 4),
    "pause": at_message("http<", "204", after=RTT),
}


@pytest.mark.parametrize("phase", PHASES)
def test_sigint_in_each_phase(phase: str) -> None:
    """Whatever is under way: a clean end, quickly."""
    summary, rehearsal = clean_stop(PHASES[phase])
    if summary.generations:
        assert rehearsal.exchange.counters.socket_closes[-1].code == 1000


@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM"])
def test_the_steps_of_a_stop(signal: str, tmp_path: Path) -> None:
    """The gate; our order is cancelled by its id, and that confirmed; goodbye; and all of it is in the file."""

    def arrange(rehearsal: Rehearsal) -> None:
        rehearsal.network.at(5, rehearsal.stop.signalled, signal)

    journal = tmp_path / "stop.journal"
    played = play(arrange=arrange, then=nothing, journal=journal)
    assert played.violated() <= {"I9"}  # the file was not closed yet
    assert list(journal_tells_the_same(played.evidence)) == []
    assert (played.summary.exit_code, played.summary.exit_reason) == (0, signal)
    session = list(find(journal))
    stop = next(number for number, record in enumerate(session) if record.kind is Kind.STOP)
    [cancel, *_] = [record for record in session[stop:] if record.kind is Kind.REQUEST]
    assert (cancel.data["method"], cancel.data["path"]) == ("DELETE", f"/orders/{played.seen.accepted[0].id}")
    [closed] = [
        record for record in session[stop:] if record.kind is Kind.ORDER and record.data["state"] == "CLOSED"
    ]
    [goodbye] = [record for record in session[stop:] if record.kind is Kind.SOCKET_END]
    assert goodbye.data == {"code": 1000, "reason": "", "ours": True}
    assert session[stop].number < cancel.number < closed.number < goodbye.number < session[-1].number
    assert (session[-1].kind, session[-1].data) == (Kind.END, {"exit_code": 0})


@pytest.mark.parametrize("quarter", range(0, 92, 3))
def test_sigint_at_any_time(quarter: int) -> None:
    """A sweep over the first seconds, in steps that fall on no boundary of a phase."""
    clean_stop(
        lambda rehearsal: rehearsal.network.at(quarter * RTT / 3.7, rehearsal.stop.signalled, "SIGINT")
    )


@pytest.mark.parametrize("later", [0.0, 0.02, 0.07, 0.12, 0.5, 0.9])
def test_sigint_while_the_websocket_is_lost(later: float) -> None:
    """Cancels go by REST, and their end is looked up there."""

    def play(rehearsal: Rehearsal) -> None:
        at_message("http>", "POST /orders", count=2, after=later)(rehearsal)
        on_message(
            rehearsal, "http>", "POST /orders", rehearsal.exchange.drop_websockets, count=2, after=0.03
        )

    clean_stop(play)


@pytest.mark.parametrize("again", [0.001, 0.05, 0.1, 0.15, 0.3, 0.99])
def test_a_second_sigint_within_a_second_changes_nothing(again: float) -> None:
    """Launchers deliver Ctrl-C twice: the echo must not cut the end short."""

    def play(rehearsal: Rehearsal) -> None:
        at_message("http>", "POST /orders", count=2)(rehearsal)
        ask = rehearsal.stop.signalled

        def twice(name: str) -> None:
            ask(name)
            rehearsal.network.after(again, ask, name)

        rehearsal.stop.signalled = twice  # type: ignore[method-assign]

    clean_stop(play)


def test_later_sigint_leaves_and_names_what_is_unresolved() -> None:
    """The venue has gone silent: a second SIGINT ends the wait after 2 s, with exit code 4 and the order's name."""

    async def play(rehearsal: Rehearsal) -> Summary:
        at_message("http>", "POST /orders", count=2, after=RTT / 4)(rehearsal)
        on_message(rehearsal, "http>", "POST /orders", rehearsal.link.black_hole, count=2, after=0.03)

        async def impatient() -> None:
            await rehearsal.stop.wait_asked()
            await trio.sleep(1.5)
            rehearsal.stop.signalled("SIGINT")
            with trio.fail_after(2.1):
                await ended.wait()

        ended = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(impatient)
            summary = await rehearsal.trade()
            ended.set()
        return summary

    summary = rehearse(play, attrs.evolve(Settings(), strategy=ProbeSettings(pause=0.3)), delay=RTT / 2)
    assert summary.exit_code == 4
    [order] = summary.unresolved
    assert order.client_id in summary.to_table()


def test_a_stop_outlives_the_answer_to_a_cancel() -> None:
    """It is lost just when the bot is to stop: the cancel is repeated, and the end is clean and below 8 s."""

    async def play(rehearsal: Rehearsal) -> tuple[Summary, float]:
        at_message("http>", "DELETE /orders", count=2, after=RTT / 4)(rehearsal)
        on_message(rehearsal, "http>", "DELETE /orders", rehearsal.link.black_hole, count=2, after=RTT / 5)
        on_message(rehearsal, "http>", "DELETE /orders", rehearsal.link.heal, count=2, after=0.5)
        summary = await rehearsal.trade()
        assert {order.status for order in rehearsal.exchange.orders.values()} == {"CLOSED"}
        return summary, trio.current_time() - rehearsal.stop._asked_at

    summary, seconds = rehearse(
        play, attrs.evolve(Settings(), strategy=ProbeSettings(pause=0.3)), delay=RTT / 2
    )
    assert summary.exit_code == 0
    assert seconds < app.STOP_DEADLINE


@pytest.mark.parametrize("there", [True, False])
def test_a_stop_does_not_wait_for_an_answer_that_never_comes(*, there: bool) -> None:
    """Nor for news of the order: it is looked for, and cancelled, or proved absent, before the time is up."""
    fault = Silence(on="create") if there else Swallow(on="create")

    def arrange(rehearsal: Rehearsal) -> None:
        on_message(rehearsal, "http>", "POST /orders", lambda: rehearsal.stop.signalled("SIGINT"), after=0.1)

    played = play(fault, LoseUpdate(times=None), arrange=arrange)
    assert (played.violations, played.summary.exit_code) == ([], 0)
    assert [order.status for order in played.seen.accepted] == ["CLOSED"] * there
    stop = next(line.at for line in played.evidence.lines if line.kind is Kind.STOP)
    assert played.evidence.lines[-1].at - stop < (3.0 if there else 8.0)


def test_a_stop_takes_8_seconds_at_most() -> None:
    """The venue has gone silent and nobody is impatient: exit code 4, and the order is named."""

    async def play(rehearsal: Rehearsal) -> tuple[Summary, float]:
        at_message("http>", "POST /orders", count=2, after=RTT / 4)(rehearsal)
        on_message(rehearsal, "http>", "POST /orders", rehearsal.link.black_hole, count=2, after=0.03)
        summary = await rehearsal.trade()
        return summary, trio.current_time() - rehearsal.stop._asked_at

    summary, seconds = rehearse(
        play, attrs.evolve(Settings(), strategy=ProbeSettings(pause=0.3)), delay=RTT / 2
    )
    assert seconds == pytest.approx(8.0, abs=0.01)
    assert summary.exit_code == 4
    assert summary.unresolved[0].client_id in summary.to_table()


def test_broken_work_leaves_no_order_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A strategy that breaks while its order rests ends the program with its error, after the order's cancel."""

    class Broken(Probe):
        def on_event(self, event: Event, trader: Trader) -> None:
            if isinstance(event, OrderChanged) and event.order.state is State.OPEN:
                raise ZeroDivisionError("a strategy's bug")
            super().on_event(event, trader)

    monkeypatch.setattr(app, "Probe", Broken)

    async def play(rehearsal: Rehearsal) -> list[str]:
        bug = pytest.RaisesExc(ZeroDivisionError, match="a strategy's bug")
        with pytest.RaisesGroup(bug, flatten_subgroups=True):
            await rehearsal.trade()
        return [order.status for order in rehearsal.exchange.orders.values()]

    assert rehearse(play, delay=RTT / 2) == ["CLOSED"]


def test_broken_work_names_what_it_could_not_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no summary then: an ERROR line says so, within the deadline of the last resort."""

    async def play(rehearsal: Rehearsal) -> tuple[str, float]:
        class Broken(Probe):
            def on_event(self, event: Event, trader: Trader) -> None:
                if isinstance(event, OrderChanged) and event.order.state is State.OPEN:
                    rehearsal.link.black_hole()
                    broke_at.append(trio.current_time())
                    raise ZeroDivisionError("a strategy's bug")
                super().on_event(event, trader)

        monkeypatch.setattr(app, "Probe", Broken)
        broke_at: list[float] = []
        with pytest.RaisesGroup(ZeroDivisionError, flatten_subgroups=True):
            await rehearsal.trade()
        [order] = rehearsal.exchange.orders.values()
        return order.client_id, trio.current_time() - broke_at[0]

    errors: list[str] = []
    sink = logger.add(errors.append, level="ERROR", format="{message}")
    try:
        client_id, seconds = rehearse(play, delay=RTT / 2, tls=False)
    finally:
        logger.remove(sink)
    [error] = errors
    assert f"order unresolved: client_id={client_id}" in error
    assert seconds < app.HURRY_DEADLINE + 2


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            attrs.evolve(Settings(), strategy=ProbeSettings(size=Fixed(1100))),
            "no multiple of the step 0.00001",
        ),
        (
            attrs.evolve(Settings(), orders=OrdersSettings(markets=("BTC-USD-PERQ",))),
            "the nearest name is BTC-USD-PERP",
        ),
    ],
    ids=["size", "market"],
)
def test_what_no_retry_can_mend_stops_in_order(settings: Settings, words: str) -> None:
    """Exit code 3 and the reason in words, after an orderly end and not a traceback."""

    async def play(rehearsal: Rehearsal) -> Summary:
        with trio.fail_after(30):
            return await rehearsal.trade()

    summary = rehearse(play, settings, delay=RTT / 2)
    assert summary.exit_code == 3
    assert words in summary.exit_reason
    assert words in summary.to_table()
