"""The whole bot with its orders over the WebSocket: lost under way, refused in every form, cancelled by the venue."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from proof_stage import DEADLINE, DELAY, MARKET, SIZE, OneOrder, Played, at_message, play

from bot import app
from bot.app import STOP_DEADLINE
from bot.core.fixed import SCALE
from bot.core.order import Instruction, Order, Side, State
from bot.core.tape import Kind
from bot.exchange.faults.faults import Fault
from bot.exchange.faults.garbling import FRAMES_ONLY, GARBLES
from bot.exchange.faults.requests import FalseAnswer, Garble, Late, Refuse, Silence, Twice
from bot.journal.checks import findings
from bot.journal.reader import find
from bot.replay.scenarios import take
from bot.replay.steps.manners import repeat
from bot.settings import Settings
from bot.simulation import rehearsal as stage
from bot.simulation.pipe import Ending
from bot.simulation.rehearsal import Rehearsal
from bot.simulation.world import replaced
from bot.trading.executor import OrdersSettings
from bot.trading.requests import WS
from bot.trading.strategies.strategy import (
    Event,
    ModifyFailed,
    OrderChanged,
    Quote,
    Strategy,
    TimerElapsed,
    TradingOpened,
)
from bot.trading.strategies.trader import NewOrder, Trader


def over_ws(*, cancel_on_disconnect: bool = False, **exchange: Any) -> Settings:
    """Orders over the WebSocket; ``exchange``: how it decides what the documents leave open."""
    defaults = Settings()
    return attrs.evolve(
        defaults,
        orders=OrdersSettings(via=WS, cancel_on_disconnect=cancel_on_disconnect),
        exchange=attrs.evolve(defaults.exchange, **exchange),
    )


def of_socket(rehearsal: Rehearsal, act: Callable[..., object], *given: object) -> Callable[[], object]:
    """Does something to the connection of the newest WebSocket."""

    def do() -> None:
        sockets = [each for each in rehearsal.link.connections if each.server.local.port == stage.WS_PORT]
        act(sockets[-1], *given)

    return do


def calls_of(played: Played, method: str) -> int:
    """How many calls of this method left."""
    return sum(
        f'"method":"{method}"' in line.data["frame"]
        for line in played.evidence.lines
        if line.kind is Kind.FRAME_OUT and isinstance(line.data, dict)
    )


def requests_of(played: Played, method: str) -> int:
    """How many requests about orders left over REST."""
    return sum(
        line.kind is Kind.REQUEST
        and line.data["method"] == method
        and line.data["path"].startswith("/orders")
        for line in played.evidence.lines
    )


def assert_the_journal_holds_it(journal: Path, strategy: Callable[[], Strategy]) -> None:
    """Nothing in it is impossible or secret, and it can be run again to the same decisions."""
    assert list(findings(find(journal))) == []
    with replaced(app, "Probe", lambda *_: strategy()):
        repeated = repeat(find(journal))
    assert repeated.divergences == []
    assert repeated.orders


@attrs.define
class Batch:
    """Places three orders together, and cancels them together when all rest."""

    told: list[Order] = attrs.field(factory=list)
    trader: Trader | None = None

    def on_event(self, event: Event, trader: Trader) -> None:
        self.trader = trader
        match event:
            case TradingOpened(generation=1):
                trader.ask_quote(MARKET)
            case Quote(bid=bid) if bid is not None:
                price = bid // 2 // SCALE * SCALE
                order = NewOrder(
                    market=MARKET, side=Side.BUY, size=SIZE, price=price, instruction=Instruction.POST_ONLY
                )
                trader.place_batch([order] * 3)
            case OrderChanged(order):
                self.told.append(order)
                known = {each.client_id: each.state for each in self.told}
                if order.state is State.OPEN and [*known.values()].count(State.OPEN) == 3:
                    trader.cancel_batch(list(known))

    place = OneOrder.place


class Changing(OneOrder):
    """Wants twice as much of an order that rests; and wants it gone when it knows how that went, or after a while."""

    def on_event(self, event: Event, trader: Trader) -> None:
        match event:
            case ModifyFailed(order):
                trader.cancel(order.client_id)
            case TimerElapsed() if self.told[-1].state is State.OPEN:
                trader.cancel(self.told[-1].client_id)
            case OrderChanged(order) if order.state is State.OPEN and order.size == 2 * SIZE:
                trader.cancel(order.client_id)
        super().on_event(event, trader)


def change(trader: Trader, client_id: str) -> None:
    trader.modify(client_id, size=2 * SIZE)
    trader.set_timer(10)


WHAT: dict[str, Callable[[], OneOrder]] = {
    "order.create": OneOrder,
    "order.cancel": OneOrder,
    "order.modify": lambda: Changing(change),
    "order.create_batch": Batch,  # type: ignore[dict-item]
    "order.cancel_batch": Batch,  # type: ignore[dict-item]
}


@pytest.mark.parametrize("ways", [0.0, 0.5, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("method", WHAT)
def test_a_websocket_lost_with_a_call_in_flight(method: str, ways: float, tmp_path: Path) -> None:
    """Nothing lost, doubled or guessed, wherever it is: leaving, on its way, there, on its way back, answered."""
    journal = tmp_path / "a.journal"

    def cut(rehearsal: Rehearsal) -> None:
        act = of_socket(rehearsal, lambda each: each.cut(Ending.RST))
        start = f'{{"jsonrpc":"2.0","method":"{method}",'
        at_message(rehearsal, "ws>", start, act, after=ways * DELAY + 0.0001)

    played = play(strategy=WHAT[method](), arrange=cut, settings=over_ws(), journal=journal)
    assert played.violations == []
    assert played.summary.generations == 2
    assert not played.summary.unresolved
    assert not played.summary.alarms
    for seen in played.evidence.seen().values():
        assert len(seen.sends) <= 1
    assert calls_of(played, "order.create") + calls_of(played, "order.create_batch") == 1
    assert requests_of(played, "POST") == 0
    has_arrived = ways >= 1
    if method in {"order.create", "order.create_batch"}:
        assert any(seen.accepted for seen in played.evidence.seen().values()) == has_arrived
        assert (played.told.state is State.CLOSED) == has_arrived
    else:
        assert played.told.state is State.CLOSED
    assert_the_journal_holds_it(journal, WHAT[method])


@pytest.mark.parametrize(("size", "ending"), [(1, Ending.FIN), (60, Ending.RST), (300, Ending.FIN)])
@pytest.mark.parametrize("method", ["order.create", "order.create_batch"])
def test_a_websocket_that_ends_in_the_middle_of_a_call(method: str, size: int, ending: Ending) -> None:
    """Half an order is none; but nobody says so, and it is looked for until it can no longer be there."""

    def arrange(rehearsal: Rehearsal) -> None:
        act = of_socket(rehearsal, lambda each: each.up.cut_after(size, ending))
        at_message(rehearsal, "ws>", f'{{"jsonrpc":"2.0","method":"{method}",', act)

    played = play(strategy=WHAT[method](), arrange=arrange, settings=over_ws())
    assert played.violations == []
    assert not any(seen.accepted for seen in played.evidence.seen().values())
    assert played.told.state is State.NEVER_ACCEPTED
    states = [order.state for order in played.strategy.told if order.client_id == played.told.client_id]
    assert states == [State.SENT, State.UNKNOWN, State.NEVER_ACCEPTED]


@pytest.mark.parametrize("method", WHAT)
def test_a_half_open_connection_under_a_call(method: str) -> None:
    """Our pings notice; what was in flight is looked for over REST, which goes on."""

    def arrange(rehearsal: Rehearsal) -> None:
        act = of_socket(rehearsal, lambda each: (each.up.black_hole(), each.down.black_hole()))
        at_message(rehearsal, "ws>", f'{{"jsonrpc":"2.0","method":"{method}",', act)

    played = play(strategy=WHAT[method](), arrange=arrange, settings=over_ws(), seconds=30.0)
    assert played.violations == []
    assert played.summary.generations == 2
    assert played.told.is_over
    assert not played.summary.unresolved


STRANGE: dict[str, Callable[[str], Fault]] = {
    "twice": lambda on: Twice(on=on),
    "after our deadline": lambda on: Late(on=on, answer=DEADLINE + 1),
    "never": lambda on: Silence(on=on),
    "-32603": lambda on: FalseAnswer(on=on, status=500),
}
GARBLED: dict[str, Callable[[str], Fault]] = {
    how: lambda on, how=how: Garble(on=on, how=how, over="ws")  # type: ignore[misc]
    for how in (*GARBLES, *FRAMES_ONLY)
}
CASES = [
    *((method, strange) for method in WHAT for strange in STRANGE),
    *(("order.create", how) for how in GARBLED),
    *((method, "another-order") for method in WHAT if method != "order.create"),
]


@pytest.mark.parametrize(("method", "strange"), CASES)
def test_strange_replies(method: str, strange: str, tmp_path: Path) -> None:
    """The exchange has done it; whatever the reply says, that is found out, told, and can be run again."""
    journal = tmp_path / "a.journal"
    fault = (STRANGE | GARBLED)[strange](method.removeprefix("order.").replace("_", "-"))
    played = play(fault, strategy=WHAT[method](), settings=over_ws(), journal=journal, seconds=25.0)
    assert sum(played.struck.values()) == 1
    assert played.violations == []
    assert played.told.state is State.CLOSED
    assert len([each for seen in played.evidence.seen().values() for each in seen.accepted]) == len(
        {order.client_id for order in played.strategy.told}
    )
    assert_the_journal_holds_it(journal, WHAT[method])


def test_no_cancel_goes_twice_over_a_websocket_that_does_not_answer_it() -> None:
    """The next goes over REST; the order is gone either way."""
    played = play(Refuse(on="cancel", status=500, times=1), settings=over_ws())
    assert played.violations == []
    assert calls_of(played, "order.cancel") == 1
    assert requests_of(played, "DELETE") == 1
    assert played.told.state is State.CLOSED


@pytest.mark.parametrize("on", ["create", "create-batch", "modify", "cancel"])
def test_a_stop_with_a_call_in_flight_that_nobody_answers(on: str) -> None:
    """A second is waited for it; then its order is looked for and cancelled, over REST where that is quicker."""
    method = f"order.{on.replace('-', '_')}"

    def stop(rehearsal: Rehearsal) -> None:
        start = f'{{"jsonrpc":"2.0","method":"{method}",'
        at_message(rehearsal, "ws>", start, lambda: rehearsal.stop.ask("SIGINT"), after=DELAY / 2)

    played = play(Silence(on=on), strategy=WHAT[method](), arrange=stop, settings=over_ws(), seconds=60.0)
    assert played.violations == []
    assert (played.summary.exit_code, played.summary.unresolved) == (0, [])
    asked = next(line.at for line in played.evidence.lines if line.kind is Kind.STOP)
    assert played.evidence.lines[-1].at - asked < STOP_DEADLINE


# What the documents leave open.


@pytest.mark.parametrize("refusals", ["data", "message", "invalid-params"])
def test_a_restricted_platform_in_each_form_of_refusal(refusals: str) -> None:
    """One order is refused at most; the code is found wherever it stands, and has the mode asked for."""
    played = play(
        arrange=lambda rehearsal: at_message(
            rehearsal, "http>", "GET /bbo", lambda: rehearsal.exchange.set_mode("cancel_only")
        ),
        settings=over_ws(socket_refusals=refusals),
    )
    assert played.violations == []
    assert played.told.state is State.REJECTED
    assert played.told.reason.startswith("SYSTEM_STATUS_CANCEL_ONLY: ")
    modes = [line.data["mode"] for line in played.evidence.lines if line.kind is Kind.MODE]
    assert modes == ["cancel_only"]
    assert calls_of(played, "order.create") == 1


@pytest.mark.parametrize(("form", "calls"), [("object", 1), ("both", 1), ("array", 2)])
def test_a_batch_in_each_form(form: str, calls: int, tmp_path: Path) -> None:
    """What is refused for its form goes in the other one: no order twice, and the journal tells it."""
    journal = tmp_path / "a.journal"
    played = play(strategy=Batch(), settings=over_ws(batch_form=form), journal=journal)  # type: ignore[arg-type]
    assert played.violations == []
    assert calls_of(played, "order.create_batch") == calls
    assert len(played.evidence.seen()) == 3
    assert {order.state for order in played.strategy.told[-3:]} == {State.CLOSED}
    assert_the_journal_holds_it(journal, Batch)


@pytest.mark.parametrize("refusals", ["data", "message", "invalid-params"])
def test_a_cancel_that_comes_too_late_in_each_form_of_refusal(refusals: str) -> None:
    """Somebody has taken it meanwhile: it is filled, and nothing is asked for twice over the WebSocket."""

    def take_it(rehearsal: Rehearsal) -> None:
        cancel = '{"jsonrpc":"2.0","method":"order.cancel"'
        at_message(rehearsal, "ws>", cancel, lambda: take(rehearsal.exchange, SIZE))

    played = play(arrange=take_it, settings=over_ws(socket_refusals=refusals))
    assert played.violations == []
    assert (played.told.state, played.told.filled) == (State.CLOSED, SIZE)
    assert calls_of(played, "order.cancel") == 1


# Cancel-on-disconnect (protocol reference 5.3).


def leave_it(*_: object) -> None:
    """The order rests."""


@pytest.mark.parametrize("armed", [True, False])
def test_orders_of_a_lost_websocket(armed: bool) -> None:  # noqa: FBT001 - from the parameters
    """Armed, the venue cancels what was placed over it, and the next generation learns of it; else it rests on."""
    played = play(
        then=leave_it,
        arrange=lambda rehearsal: rehearsal.network.at(
            10.0, of_socket(rehearsal, lambda each: each.cut(Ending.RST))
        ),
        settings=over_ws(cancel_on_disconnect=armed),
    )
    assert played.violations == []
    assert played.summary.generations == 2
    closed_at = next(
        line.at
        for line in played.evidence.lines
        if line.kind is Kind.ORDER and line.data["state"] == State.CLOSED
    )
    assert (closed_at < 12) == armed
    assert played.summary.orders.closed == 1


def test_a_clean_end_disarms() -> None:
    """The last thing that is asked over the WebSocket, before 1000."""
    played = play(settings=over_ws(cancel_on_disconnect=True))
    assert played.violations == []
    frames = [
        line.data
        for line in played.evidence.lines
        if line.kind is Kind.FRAME_OUT and "cancel_on_disconnect" in str(line.data)
    ]
    assert ['"enabled":true' in str(frame) for frame in frames] == [True, False]
    [last] = [line for line in played.evidence.lines if line.kind is Kind.FRAME_OUT][-1:]
    assert last.data == frames[-1]
    [end] = [line.data for line in played.evidence.lines if line.kind is Kind.SOCKET_END]
    assert end == {"code": 1000, "reason": "", "ours": True}


# Whom the venue does not want.


def test_a_venue_that_permits_no_orders_is_fatal() -> None:
    """With another token neither: exit code 3, soon, and not a reconnect for ever."""
    played = play(
        FalseAnswer(on="create", status=403, rpc=40300, times=None),
        strategy=Again(),
        settings=over_ws(),
        seconds=60.0,
    )
    assert played.summary.exit_code == 3
    assert played.summary.generations == 2
    assert any("40300" in alarm for alarm in played.summary.alarms)


class Again(OneOrder):
    """Tries again in every session."""

    def on_event(self, event: Event, trader: Trader) -> None:
        if isinstance(event, TradingOpened):
            trader.ask_quote(MARKET)
        super().on_event(event, trader)
