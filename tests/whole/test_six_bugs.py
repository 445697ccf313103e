"""Six bugs that would break the promise, put in on purpose: the oracle finds each, and nothing where it is not.

Each scenario is harmless to the bot as it is, which is shown before the bug is put in.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from proof_stage import DELAY, SIZE, OneOrder, Played, at_message, nothing, play

from bot.core.errors import RevokedError, UnknownOutcomeError
from bot.core.fill import Fill
from bot.core.order import TRANSITIONS, Event, Order, State
from bot.exchange.faults.requests import Silence
from bot.exchange.faults.updates import RepeatUpdate
from bot.exchange.settings import ExchangeSettings
from bot.link.answer import Answer, Permit, always
from bot.paradex import orders
from bot.paradex.answers import OrderReport
from bot.paradex.orders import SignedOrder
from bot.paradex.request import Request
from bot.replay.scenarios import take
from bot.session.capabilities import AuthedReservation, Session, open_session
from bot.session.entry import OrderEntry
from bot.session.generation import Generations
from bot.session.inbox import SessionLost, SessionOpened
from bot.settings import Settings
from bot.simulation.rehearsal import Rehearsal
from bot.trading.effects import PlaceBatch, PlaceOrder, Signed
from bot.trading.requests import REST, placing
from bot.trading.sending import Sender
from bot.trading.step.holdings import Holdings
from bot.trading.step.pursuit import Pursuit
from bot.trading.strategies.trader import Trader

Patch = pytest.MonkeyPatch


def found_with(bug: Callable[[Patch], None], scenario: Callable[[], Played], patch: Patch) -> Played:
    """See that the scenario is harmless, put the bug in, and play it again."""
    assert scenario().violations == []
    bug(patch)
    return scenario()


def test_an_order_sent_again_after_an_unknown_outcome(monkeypatch: Patch) -> None:
    """As an SDK does whose transport retries: meanwhile the first was cancelled, and now there is a second."""

    def bug(patch: Patch) -> None:
        send = AuthedReservation.send

        async def stubborn(
            self: AuthedReservation, request: Request[Any], permit: Permit = always
        ) -> Answer[Any]:
            try:
                return await send(self, request, permit)
            except UnknownOutcomeError:
                if request.method != "POST":
                    raise
                await trio.sleep(2)
                return await send(self, request, permit)

        patch.setattr(AuthedReservation, "send", stubborn)

    settings = attrs.evolve(Settings(), exchange=ExchangeSettings(client_ids="while-open"))
    scenario = partial(play, Silence(on="create", cut_after=0), settings=settings)
    played = found_with(bug, scenario, monkeypatch)
    assert len(played.seen.accepted) == 2
    assert {"I2", "I6"} <= played.violated()


def test_an_unknown_order_called_rejected_after_a_while(monkeypatch: Patch) -> None:
    """As other software does after some look-ups: it arrives all the same, and rests for ever."""

    def bug(patch: Patch) -> None:
        looked_up = Pursuit.looked_up

        def impatient(self: Pursuit, client_id: str, result: Any) -> int:
            asked_ns = looked_up(self, client_id, result)
            order = self._ledger.get(client_id)
            if result is None and order.state is State.UNKNOWN:
                self._ledger.move(order, Event.REFUSED, reason="timeout")
            return asked_ns

        patch.setitem(TRANSITIONS, (State.UNKNOWN, Event.REFUSED), State.REJECTED)
        patch.setattr(Pursuit, "looked_up", impatient)

    played = found_with(bug, partial(play, Silence(on="create", late=3, cut_after=0)), monkeypatch)
    assert played.told.state is State.REJECTED
    assert {"I3", "I5", "I6"} <= played.violated()


def test_the_gate_open_before_reconciliation(monkeypatch: Patch) -> None:
    """The order was filled while nobody listened, and the strategy trades on as if it rested."""

    def bug(patch: Patch) -> None:
        async def serve(
            self: Generations, generation: int, entry: OrderEntry | None, ready: Callable[[Session], None]
        ) -> None:
            await self.known()
            with open_session(generation, entry) as session:
                try:
                    self.inbox(SessionOpened(session))
                    self.inbox(await self.snapshots.take())
                    self.count += 1
                    ready(session)
                    await trio.sleep_forever()
                finally:
                    self.inbox(SessionLost(generation))

        patch.setattr(Generations, "_serve", serve)

    def away(rehearsal: Rehearsal) -> None:
        def leave() -> None:
            rehearsal.exchange.drop_websockets()
            rehearsal.network.after(DELAY, take, rehearsal.exchange, SIZE)

        at_message(rehearsal, "http<", "201", leave, after=1.0)

    played = found_with(bug, partial(play, then=nothing, arrange=away), monkeypatch)
    assert played.summary.generations == 2
    assert "gate" in played.violated()


def test_a_fill_applied_twice(monkeypatch: Patch) -> None:
    """The venue tells of it twice, as it may, and the position is wrong."""

    def bug(patch: Patch) -> None:
        count = Holdings.count

        def forgetful(self: Holdings, fill: Fill, order: Order | None, **how: bool) -> bool:
            self._counted.clear()
            return count(self, fill, order, **how)

        patch.setattr(Holdings, "count", forgetful)

    def filled(rehearsal: Rehearsal) -> None:
        at_message(rehearsal, "http<", "201", lambda: take(rehearsal.exchange, SIZE // 2), after=1.0)

    repeated = RepeatUpdate(channel="fills", copies=1, seconds=0.5)
    played = found_with(bug, partial(play, repeated, then=nothing, arrange=filled), monkeypatch)
    assert {"I3", "I4"} <= played.violated()


def test_a_trader_not_revoked_at_the_stop(monkeypatch: Patch) -> None:
    """Whoever kept it places an order while the bot shuts down."""

    def bug(patch: Patch) -> None:
        patch.setattr(Trader, "revoke", lambda _self: None)

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
    bug(monkeypatch)
    assert "I7" in scenario().violated()


def test_an_intent_written_after_the_send(monkeypatch: Patch, tmp_path: Path) -> None:
    """All goes well as long as nobody dies in between, and is wrong all the same."""

    def bug(patch: Patch) -> None:
        async def place(self: Sender, effect: PlaceOrder | PlaceBatch, cause: int) -> Answer[OrderReport]:
            permit = self._permit(effect.session)
            async with self.authed.reserve_order_lane() as lane:
                [order] = effect.orders
                signing = self._sign_order(order)
                signed = SignedOrder(
                    order=order,
                    signature=signing.signature.wire(),
                    signature_timestamp=signing.timestamp,
                    recv_window=self.recv_window,
                )
                answer = await lane.send(orders.create(signed, cause=cause), permit)
                self._start(order, Signed.PLACE, signing, placing(effect, [signed], cause, REST))
                self._commit()
                return answer

        patch.setattr(Sender, "_place", place)

    numbers = iter("12")

    def scenario() -> Played:
        return play(journal=tmp_path / f"{next(numbers)}.journal")

    assert "I1" in found_with(bug, scenario, monkeypatch).violated()
