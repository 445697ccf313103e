"""Orders that are signed ahead, in a recorded session: run again they are the same, and what is wrong diverges."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
from replay_stage import Session, in_body, recorded

from bot.core.errors import NotPreparedError
from bot.core.tape import Kind
from bot.journal.checks import findings
from bot.journal.reader import find
from bot.replay.acting import MARKET, Acting, acted
from bot.replay.steps.hashes import Key
from bot.replay.steps.manners import decide_anew, repeat
from bot.replay.steps.report import Report
from bot.settings import Settings
from bot.simulation.campaign.stage import MachineClock
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.trading import effects
from bot.trading.executor import OrdersSettings
from bot.trading.requests import REST, WS
from bot.trading.step import desk, preparations
from bot.trading.strategies.strategy import Event, OrderPrepared
from bot.trading.strategies.trader import Trader

Patch = pytest.MonkeyPatch


FIFTH = 5.8
"""When the fifth act is played, about; in seconds."""


@attrs.define
class Ahead(Acting):
    """Prepares, sends, discards, and comes too late, in every way that there is."""

    def act(self, number: int, trader: Trader) -> None:
        match number:
            case 1:
                for below in range(4):
                    self.prepare(trader, below)
                trader.discard(self.placed[3])  # before it is signed
            case 2:
                trader.place_prepared(self.placed[0])
                self.place(trader, 5)
                with suppress(NotPreparedError):
                    trader.place_prepared(self.placed[3])
            case 3:
                trader.discard(self.placed[1])
                trader.cancel(self.placed[0])
            case 4:
                with suppress(NotPreparedError):
                    trader.place_prepared(self.placed[2])  # too late
                self.prepare(trader, 6)  # is sent as soon as it is signed
            case 5:
                self.prepare(trader, 7)  # our clock is too far from the venue's
            case 7:
                self.prepare(trader, 9)  # and the bot stops

    def prepare(self, trader: Trader, below: int) -> None:
        order = self._order(below, 10**6)
        self.placed.append(
            trader.prepare(
                MARKET, order.side, size=order.size, price=order.price, instruction=order.instruction
            )
        )

    def on_event(self, event: Event, trader: Trader) -> None:
        super().on_event(event, trader)
        match event:
            case OrderPrepared(client_id) if self.placed.index(client_id) == 5:
                trader.place_prepared(client_id)


def record(file: Path, via: str) -> str:
    """Make the session; returns the key that signed it."""

    async def play(rehearsal: Rehearsal) -> str:
        clock = MachineClock()
        rehearsal.surroundings = attrs.evolve(rehearsal.surroundings, clock=clock)

        def set_clock(ahead_ns: int) -> None:
            clock.ahead_ns = ahead_ns

        rehearsal.network.at(FIFTH - 0.5, set_clock, 1_500_000_000)
        rehearsal.network.at(FIFTH + 0.5, set_clock, 0)
        await rehearsal.trade(8.5)
        return rehearsal.surroundings.identity.private_key

    settings = attrs.evolve(Settings(), orders=OrdersSettings(via=via, recv_window=2000))
    with acted(Ahead):
        return rehearse(play, settings, delay=0.02, tls=False, journal=file)


@attrs.frozen
class Played:
    session: Session
    key: str


@pytest.fixture(scope="module", params=[REST, WS])
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Such a session, recorded."""
    file = tmp_path_factory.mktemp("ahead") / "session.journal"
    key = record(file, request.param)
    found = find(file)
    return Played(Session(found.header, list(found)), key)


def run_again(session: Session, key: Key | None = None) -> Report:
    with acted(Ahead):
        return repeat(session, key)


def test_it_is_the_same_again(played: Played) -> None:
    """Every decision, intent, request and state; and with the key every signature."""
    for key in (None, Key(played.key)):
        report = run_again(played.session, key)
        assert (report.divergences, report.stopped) == ([], "")
        assert report.records == len(played.session.records)
    assert list(findings(played.session.records)) == []
    done = [each.data for each in played.session.records if each.kind is Kind.EFFECT]
    assert [data["do"] for data in done].count("prepare") == 7
    [failed] = [
        each.data["text"]
        for each in played.session.records
        if each.kind is Kind.OUTCOME and each.data["what"] == "prepare" and "failure" in each.data
    ]
    assert "differ by" in failed
    assert [data.get("prepared") for data in done if data["do"] == "place"] == [True, None, True]
    assert len([data for data in done if data["do"] == "forget"]) >= 4


def intent(data: Any) -> bool:
    return "signed_ns" in data


def prepared(data: Any) -> bool:
    return bool(data["what"] == "prepare")


def later(data: Any) -> None:
    data["until_ns"] += 200_000_000


def another_time(data: Any) -> None:
    data["signature_timestamp"] += 5
    in_body(signature_timestamp=data["signature_timestamp"])(data)


EDITS: dict[str, tuple[Kind, Callable[[Any], bool], Callable[[Any], Any]]] = {
    "signed at another time than it was ahead": (Kind.INTENT, intent, another_time),
    "signed when it is sent": (Kind.INTENT, intent, lambda data: data.pop("signed_ns") and None),
    "where that was on our clock": (
        Kind.INTENT,
        intent,
        lambda data: data | {"signed_ns": data["signed_ns"] + 10**9},
    ),
    "signed ahead and not prepared": (
        Kind.INTENT,
        lambda data: not intent(data),
        lambda data: data | {"signed_ns": 5},
    ),
    "it may leave for longer": (Kind.OUTCOME, prepared, later),
    "signed in the future": (
        Kind.OUTCOME,
        prepared,
        lambda data: data | {"signature_timestamp": data["signature_timestamp"] + 1000},
    ),
    "another is signed": (Kind.OUTCOME, prepared, lambda data: data | {"client_id": "another"}),
    "it could not be signed": (
        Kind.OUTCOME,
        prepared,
        lambda data: {"what": "prepare", "client_id": data["client_id"], "failure": "not sent", "text": "no"},
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_does_not_fit_diverges(played: Played, edit: str) -> None:
    """Times that cannot have been so, signatures of nothing, and what follows from a signature that failed."""
    kind, wanted, change = EDITS[edit]
    number = played.session.find(kind, wanted).number
    report = run_again(played.session.edited(number, change))
    assert report.divergences or report.stopped
    if not report.stopped:
        assert report.divergences[0].record >= number


def keeps_what_is_discarded(patch: Patch) -> None:
    patch.setattr(preparations, "ForgetPrepared", lambda _ids: effects.FetchBbo(MARKET))


def never_too_old(patch: Patch) -> None:
    patch.setattr(preparations.Preparations, "_is_too_old", lambda *_: False)


def signs_again(patch: Patch) -> None:
    patch.setattr(desk, "PlaceOrder", lambda order, session, _prepared: effects.PlaceOrder(order, session))


def outlives_the_stop(patch: Patch) -> None:
    patch.setattr(preparations.Preparations, "void", lambda *_: None)


def stays_prepared_when_it_is_sent(patch: Patch) -> None:
    patch.setattr(preparations.Preparations, "sent", lambda *_: None)


@pytest.mark.parametrize(
    "bug",
    [
        keeps_what_is_discarded,
        never_too_old,
        signs_again,
        outlives_the_stop,
        stays_prepared_when_it_is_sent,
    ],
)
def test_a_bug_diverges(played: Played, bug: Callable[[Patch], None], monkeypatch: Patch) -> None:
    bug(monkeypatch)
    report = run_again(played.session)
    assert report.divergences or report.stopped


def test_other_settings_decide_otherwise() -> None:
    """A probe that prepares, told not to: it places its first order as soon as it has a price."""
    report = decide_anew(recorded("ahead"), Settings())
    assert "[strategy] prepare = false, then true" in report.settings
    assert [each.came["do"] for each in report.divergences if each.came is not None] == ["place"]
    assert "an order is signed that is not prepared" in report.stopped
