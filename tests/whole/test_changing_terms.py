"""The whole bot changes an order that rests: granted or not, whatever happens on the way, it hears what is true."""

from collections.abc import Callable

import attrs
import pytest
import trio

from bot import app
from bot.core.fixed import SCALE, Fixed
from bot.core.order import Instruction, Order, Side, State
from bot.exchange.faults.faults import Fault
from bot.exchange.faults.requests import Cut, FalseAnswer, Garble, Late, Refuse, Silence, Swallow
from bot.exchange.faults.updates import DelayUpdate, LoseUpdate, RepeatUpdate
from bot.exchange.matching.orders import Order as ExchangeOrder
from bot.exchange.settings import ExchangeSettings
from bot.replay.scenarios import take
from bot.settings import Settings
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.summary import Summary
from bot.trading.strategies.strategy import Event, ModifyFailed, OrderChanged, Quote, TradingOpened
from bot.trading.strategies.trader import Trader

MARKET = "BTC-USD-PERP"
SIZE = SCALE // 100
DELAY = 0.025
PROVED_AFTER = 305.0
"""Seconds after which the venue cannot accept a modification any more, and was asked twice."""


@attrs.define
class Changing:
    """Places one order far from the market; when it rests, wants twice the size and a lower price."""

    then: Callable[[Trader, str], object] = lambda _trader, _client_id: None
    """What else it does at that moment."""

    factor: tuple[int, int] = (2, 1)
    """By which it changes the size."""

    told: list[Order] = attrs.field(factory=list)
    failed: list[str] = attrs.field(factory=list)
    wanted: tuple[int, int] = (0, 0)
    """Size and price."""

    def on_event(self, event: Event, trader: Trader) -> None:
        match event:
            case TradingOpened(generation=1):
                trader.ask_quote(MARKET)
            case Quote(bid=bid) if bid is not None:
                price = bid // 2 // SCALE * SCALE
                trader.place(MARKET, Side.BUY, size=SIZE, price=price, instruction=Instruction.POST_ONLY)
            case OrderChanged(order):
                self.told.append(order)
                if order.state is State.OPEN and not self.wanted[0]:
                    size = SIZE * self.factor[0] // self.factor[1]
                    self.wanted = size, order.price - SCALE
                    trader.modify(order.client_id, size=size, price=order.price - SCALE)
                    self.then(trader, order.client_id)
            case ModifyFailed(_, reason):
                self.failed.append(reason)


@attrs.frozen
class Played:
    strategy: Changing
    before_the_end: Order
    """What the bot knew of the order before it stopped."""

    there: ExchangeOrder
    """The exchange's order, as it was then."""

    puts: int
    summary: Summary
    struck: set[str]

    @property
    def agrees(self) -> bool:
        """Whether the bot knew what the exchange had."""
        here, there = self.before_the_end, self.there
        return (here.size, here.price, here.filled, here.is_over) == (
            there.size,
            there.price,
            there.filled,
            not there.is_live,
        )


Play = Callable[..., Played]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    def played(
        *faults: Fault,
        strategy: Changing | None = None,
        seconds: float = 20.0,
        exchange: ExchangeSettings | None = None,
        act: Callable[[Rehearsal], object] = lambda _: None,
    ) -> Played:
        changing = strategy or Changing()
        monkeypatch.setattr(app, "Probe", lambda *_: changing)

        async def stage(rehearsal: Rehearsal) -> Played:
            for fault in faults:
                rehearsal.exchange.faults.add(fault)
            act(rehearsal)
            seen: list[tuple[Order, ExchangeOrder]] = []

            async def look() -> None:
                await trio.sleep(seconds)
                [order] = rehearsal.exchange.orders.values()
                seen.append((changing.told[-1], attrs.evolve(order)))
                rehearsal.stop.ask("the end of the play")

            async with trio.open_nursery() as nursery:
                nursery.start_soon(look)
                summary = await rehearsal.trade()
            puts = sum(text.startswith("PUT") for _, _, text in rehearsal.trace)
            return Played(changing, *seen[0], puts, summary, set(rehearsal.exchange.faults.struck))

        settings = attrs.evolve(Settings(), exchange=exchange or ExchangeSettings())
        return rehearse(stage, settings, delay=DELAY, tls=False)

    return played


DONE: dict[str, list[Fault]] = {
    "no fault": [],
    "taken and silent": [Silence(on="modify")],
    "taken, and the connection is cut": [Silence(on="modify", cut_after=0)],
    "taken late, and nobody is told": [Silence(on="modify", late=60, cut_after=0)],
    "taken, and cut in the answer": [Cut(on="modify", part=0.5)],
    "taken and answered 503": [FalseAnswer(on="modify", status=503)],
    "taken and answered 500": [FalseAnswer(on="modify", status=500)],
    "answered late": [Late(on="modify", answer=4)],
    "answered by half of the answer": [Garble(on="modify", how="half")],
    "the update is lost": [LoseUpdate(status="OPEN", skip=1)],
    "taken and silent, and the update is lost": [
        Silence(on="modify", cut_after=0),
        LoseUpdate(status="OPEN", skip=1),
    ],
    "the update comes late": [DelayUpdate(status="OPEN", skip=1, seconds=7)],
    "the update comes thrice": [RepeatUpdate(status="OPEN", skip=1, copies=2, seconds=0.5)],
}


@pytest.mark.parametrize("row", DONE)
def test_granted(play: Play, row: str) -> None:
    """Sent once, and the order has the new terms, here and there; nothing failed."""
    played = play(*DONE[row], seconds=90 if "late=60" in str(DONE[row]) else 20)
    assert played.struck == {fault.__struct_config__.tag for fault in DONE[row]}
    assert played.puts == 1
    assert (played.there.size, played.there.price) == played.strategy.wanted
    assert played.agrees
    assert played.strategy.failed == []
    assert played.before_the_end.modifying is None
    assert not played.summary.unresolved


KEPT: dict[str, tuple[list[Fault], float, str]] = {
    "refused": ([Refuse(on="modify", status=400, code="ORDER_IS_NOT_OPEN")], 20, "ORDER_IS_NOT_OPEN"),
    "refused for the mode": (
        [Refuse(on="modify", status=503, code="SYSTEM_STATUS_CANCEL_ONLY")],
        20,
        "SYSTEM_STATUS_CANCEL_ONLY",
    ),
    "swallowed": ([Swallow(on="modify", cut_after=0)], PROVED_AFTER, "after the venue could last accept it"),
    "answered 503 by a gateway, and unheard": (
        [Refuse(on="modify", status=503)],
        PROVED_AFTER,
        "after the venue could last accept it",
    ),
}


@pytest.mark.parametrize("row", KEPT)
def test_kept(play: Play, row: str) -> None:
    """Sent once; the strategy hears that it failed when that was said or is proved, and not before."""
    faults, seconds, reason = KEPT[row]
    played = play(*faults, seconds=seconds)
    assert played.puts == 1
    [failed] = played.strategy.failed
    assert reason in failed
    assert (played.there.size, played.before_the_end.size) == (SIZE, SIZE)
    assert played.agrees
    assert not played.summary.unresolved


def test_nothing_is_said_before_it_is_proved(play: Play) -> None:
    """The request may be under way for minutes: until then the wish stays."""
    played = play(Swallow(on="modify", cut_after=0), seconds=290)
    assert played.strategy.failed == []
    assert played.agrees


def test_the_venue_decides_otherwise_later(play: Play) -> None:
    """It has queued what it then finds no money for, and says so on the channel."""
    played = play(strategy=Changing(factor=(200, 1)), exchange=ExchangeSettings(deposit=Fixed(1000 * SCALE)))
    assert played.strategy.failed == ["NOT_ENOUGH_MARGIN"]
    assert played.there.size == SIZE
    assert played.agrees


def taking(size: int, when: float) -> Callable[[Rehearsal], None]:
    """Somebody sells to our order, so many seconds after the modification left."""

    def act(rehearsal: Rehearsal) -> None:
        def watch(_way: str, text: str) -> None:
            if text.startswith("PUT"):
                rehearsal.network.after(when, lambda: take(rehearsal.exchange, size))

        rehearsal.messages.listeners.append(watch)

    return act


def test_a_fill_is_quicker_and_leaves_too_little(play: Play) -> None:
    """A half is wanted, and three quarters are filled when that arrives: it fails, and the rest goes on resting."""
    played = play(strategy=Changing(factor=(1, 2)), act=taking(SIZE * 3 // 4, DELAY / 2))
    assert played.strategy.failed == ["INVALID_ORDER_SIZE: size is not above what is filled already"]
    assert (played.before_the_end.state, played.before_the_end.filled) == (State.PARTLY_FILLED, SIZE * 3 // 4)
    assert played.agrees


@pytest.mark.parametrize("when", [DELAY / 2, DELAY * 3 / 2])
@pytest.mark.parametrize("size", [SIZE // 4, SIZE, 2 * SIZE])
def test_a_fill_races_it(play: Play, size: int, when: float) -> None:
    """In part, the whole old order, more than that; before it arrives, or before its outcome does."""
    played = play(act=taking(size, when))
    assert played.agrees
    is_too_late = when < DELAY and size >= SIZE
    if not is_too_late:
        assert (played.there.size, played.there.price) == played.strategy.wanted
    assert played.strategy.failed == []
    assert played.before_the_end.filled == played.there.filled == (SIZE if is_too_late else size)


@pytest.mark.parametrize("faults", [[], [Late(on="modify", request=0.2)], [Late(on="cancel", request=0.2)]])
def test_a_cancel_wins(play: Play, faults: list[Fault]) -> None:
    """Asked for in the same breath, whichever arrives first: the order goes, once, and that is the last word."""
    played = play(*faults, strategy=Changing(then=lambda trader, client_id: trader.cancel(client_id)))
    assert (played.there.status, played.there.cancel_reason) == ("CLOSED", "USER_CANCELED")
    assert played.strategy.told[-1].state is State.CLOSED
    assert played.strategy.told[-1].modifying is None
    assert played.agrees
    assert played.puts <= 1
    assert not played.summary.unresolved


def test_the_connection_is_lost_with_it_under_way(play: Play) -> None:
    """The next generation's snapshot tells of the new terms."""

    def act(rehearsal: Rehearsal) -> None:
        def watch(_way: str, text: str) -> None:
            if text.startswith("PUT"):
                rehearsal.network.after(DELAY * 3 / 2, rehearsal.link.cut)

        rehearsal.messages.listeners.append(watch)

    played = play(act=act)
    assert played.puts == 1
    assert (played.there.size, played.there.price) == played.strategy.wanted
    assert played.agrees
    assert played.summary.generations == 2


@pytest.mark.parametrize(
    "choices",
    [
        ExchangeSettings(modify_size="remaining"),
        ExchangeSettings(modify_priority="kept"),
        ExchangeSettings(request_info="stays"),
    ],
    ids=["remaining", "kept", "stays"],
)
def test_what_the_documents_leave_open(play: Play, choices: ExchangeSettings) -> None:
    """However the venue does it, the bot knows what came of it (protocol reference 3.5)."""
    played = play(exchange=choices, act=taking(SIZE // 4, DELAY / 2))
    assert played.agrees
    assert played.strategy.failed == []
    assert played.before_the_end.modifying is None
    more = SIZE // 4 if choices.modify_size == "remaining" else 0
    assert played.there.size == 2 * SIZE + more
