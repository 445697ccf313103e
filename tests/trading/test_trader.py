"""The capability to trade: handed over, passed on, taken back."""

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import pytest
from trading_stage import MARKET, PRICE, SIZE, SYMBOL, make_order

from bot.core.errors import RevokedError
from bot.core.market import Market
from bot.core.order import Instruction, Order, OrderType, Side
from bot.trading.strategies.trader import NewOrder, Trader, open_trader


@attrs.define
class FakeDesk:
    """Writes down what it is asked."""

    asked: list[tuple[object, ...]] = attrs.field(factory=list)

    def place(self, wanted: NewOrder) -> str:
        self.asked.append(("place", wanted))
        return "run-1"

    def place_batch(self, wanted: Sequence[NewOrder]) -> list[str]:
        self.asked.append(("place_batch", wanted))
        return ["run-1", "run-2"]

    def place_again(self, client_id: str) -> None:
        self.asked.append(("place_again", client_id))

    def prepare(self, wanted: NewOrder) -> str:
        self.asked.append(("prepare", wanted))
        return "run-1"

    def place_prepared(self, client_id: str) -> None:
        self.asked.append(("place_prepared", client_id))

    def discard(self, client_id: str) -> None:
        self.asked.append(("discard", client_id))

    def modify(self, client_id: str, *, size: int | None, price: int | None) -> None:
        self.asked.append(("modify", client_id, size, price))

    def cancel(self, client_id: str) -> None:
        self.asked.append(("cancel", client_id))

    def cancel_batch(self, client_ids: Sequence[str]) -> None:
        self.asked.append(("cancel_batch", client_ids))

    def cancel_all(self, market: str | None) -> None:
        self.asked.append(("cancel_all", market))

    def ask_quote(self, market: str) -> None:
        self.asked.append(("ask_quote", market))

    def set_timer(self, seconds: float) -> int:
        self.asked.append(("set_timer", seconds))
        return 7

    def market(self, symbol: str) -> Market:
        self.asked.append(("market", symbol))
        return MARKET

    def order(self, client_id: str) -> Order:
        self.asked.append(("order", client_id))
        return make_order(client_id)

    def position(self, market: str) -> int:
        self.asked.append(("position", market))
        return -5


SELL = NewOrder(
    market=SYMBOL,
    side=Side.SELL,
    size=SIZE,
    price=PRICE,
    order_type=OrderType.LIMIT,
    instruction=Instruction.GTC,
)


# Each method: how it is used, what the desk is asked, what comes back.
METHODS: dict[str, tuple[Callable[[Trader], Any], tuple[object, ...], object]] = {
    "place": (
        lambda trader: trader.place(SYMBOL, Side.SELL, size=SIZE, price=PRICE),
        ("place", SELL),
        "run-1",
    ),
    "place_batch": (
        lambda trader: trader.place_batch([SELL, SELL]),
        ("place_batch", [SELL, SELL]),
        ["run-1", "run-2"],
    ),
    "place_again": (lambda trader: trader.place_again("run-1"), ("place_again", "run-1"), None),
    "prepare": (
        lambda trader: trader.prepare(SYMBOL, Side.SELL, size=SIZE, price=PRICE),
        ("prepare", SELL),
        "run-1",
    ),
    "place_prepared": (lambda trader: trader.place_prepared("run-1"), ("place_prepared", "run-1"), None),
    "discard": (lambda trader: trader.discard("run-1"), ("discard", "run-1"), None),
    "modify": (lambda trader: trader.modify("run-1", size=SIZE), ("modify", "run-1", SIZE, None), None),
    "cancel": (lambda trader: trader.cancel("run-1"), ("cancel", "run-1"), None),
    "cancel_batch": (lambda trader: trader.cancel_batch(["run-1"]), ("cancel_batch", ["run-1"]), None),
    "cancel_all": (lambda trader: trader.cancel_all(), ("cancel_all", None), None),
    "ask_quote": (lambda trader: trader.ask_quote(SYMBOL), ("ask_quote", SYMBOL), None),
    "set_timer": (lambda trader: trader.set_timer(1.5), ("set_timer", 1.5), 7),
    "market": (lambda trader: trader.market(SYMBOL), ("market", SYMBOL), MARKET),
    "order": (lambda trader: trader.order("run-1"), ("order", "run-1"), make_order("run-1")),
    "position": (lambda trader: trader.position(SYMBOL), ("position", SYMBOL), -5),
}


def test_cannot_be_constructed() -> None:
    """Whoever has a desk has no trader yet."""
    with pytest.raises(TypeError, match="a Trader cannot be constructed: it has to be handed over"):
        Trader(FakeDesk())


def test_the_table_above_is_whole() -> None:
    """A new method has to stand in it: or revoking might forget it."""
    public = {name for name in vars(Trader) if not name.startswith("_")}
    assert public == METHODS.keys() | {"revoke"}


@pytest.mark.parametrize("method", METHODS)
def test_passes_on(method: str) -> None:
    """Arguments and results go through unchanged."""
    use, asked, result = METHODS[method]
    desk = FakeDesk()
    assert use(open_trader(desk)) == result
    assert desk.asked == [asked]


@pytest.mark.parametrize("method", METHODS)
def test_a_revoked_trader_does_nothing(method: str) -> None:
    """Every method raises and asks nothing, for good."""
    use, _, _ = METHODS[method]
    desk = FakeDesk()
    trader = open_trader(desk)
    trader.revoke()
    trader.revoke()
    for _ in range(2):
        with pytest.raises(RevokedError, match="this Trader was revoked: the bot is stopping"):
            use(trader)
    assert desk.asked == []
