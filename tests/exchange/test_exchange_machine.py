"""Matching and accounts under everything that can be done to them, in any order."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from matching_room import EPOCH_MS, SYMBOL, Room

from bot.core.fixed import SCALE
from bot.exchange.errors import VenueError
from bot.exchange.matching.fills import FillUnknown
from bot.exchange.matching.orders import (
    CONDITIONAL_TYPES,
    EXPIRE_TAKER,
    MARKET_TYPES,
    POSITIONAL_TYPES,
    Order,
)
from bot.exchange.matching.requests import ModifyRequest, OrderRequest

SIGNATURE = '["1","2"]'

sides = st.sampled_from(["BUY", "SELL"])
prices = st.integers(97, 103) | st.integers(93, 107)
near = st.integers(97, 103)
sizes = st.integers(2, 6)
accounts = st.integers(0, 2)
nth = st.integers(0, 40)

REFUSALS = {
    "INVALID_ORDER_SIZE",
    "REQUEST_NOT_ALLOWED",
    "VALIDATION_ERROR",
    "SYSTEM_STATUS_CANCEL_ONLY",
    "SYSTEM_STATUS_POST_ONLY",
    "ORDER_IS_NOT_OPEN",
    "ORDER_IS_CLOSED",
    "ORDER_ID_NOT_FOUND",
    "SERVICE_UNAVAILABLE",
    "INVALID_REQUEST_PARAMETER",
}


PLAIN = {
    "kind": "MARKET",
    "price": 100,
    "size": 2,
    "instruction": "GTC",
    "stp": "EXPIRE_TAKER",
    "reduce_only": False,
    "reduces": False,
    "trigger": 100,
    "average": False,
    "interactive": False,
}


def wanted(kinds: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """What a client may want, sense or not."""
    return st.fixed_dictionaries(
        {
            "account": accounts,
            "side": sides,
            "kind": st.sampled_from(kinds),
            "price": prices,
            "size": sizes,
            "instruction": st.sampled_from(["GTC", "GTC", "GTC", "POST_ONLY", "IOC"]),
            "stp": st.sampled_from(["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"]),
            "reduce_only": st.sampled_from([False, False, True]),
            "reduces": st.booleans(),
            "trigger": prices,
            "average": st.booleans(),
            "interactive": st.booleans(),
        }
    )


class Machine(RuleBasedStateMachine):
    """Three accounts that can run out of money and a participant that cannot, in a market of a few coins.

    What must hold is checked by the room, after every step of the engine.
    """

    @initialize(
        priority=st.sampled_from(["lost", "kept"]),
        size=st.sampled_from(["total", "remaining"]),
        info=st.sampled_from(["once", "stays"]),
        kept=st.sampled_from([2, 1000]),
        deposit=st.sampled_from([100, 400, 5000]),
        holding=st.tuples(sides, sides, sides),
    )
    def open(
        self, priority: str, size: str, info: str, kept: int, deposit: int, holding: tuple[str, str, str]
    ) -> None:
        self.room = Room(
            deposit=deposit, kept=kept, modify_priority=priority, modify_size=size, request_info=info
        )
        self.placed: list[Order] = []
        self.participants: list[Order] = []
        for away in (1, 2, 3):
            self.participate("BUY", 100 - away, 3, "POST_ONLY")
            self.participate("SELL", 100 + away, 3, "POST_ONLY")
        for account, side in zip(self.room.accounts, holding, strict=True):
            self._place({**PLAIN, "account": self.room.accounts.index(account), "side": side}, at_once=True)

    @rule(orders=st.lists(wanted(["LIMIT", "LIMIT", "LIMIT", "MARKET"]), min_size=1, max_size=6))
    def place(self, orders: list[dict[str, Any]]) -> None:
        """Orders of clients, through the desk; the engine executes each before the next comes."""
        for order in orders:
            self._place(order, at_once=True)

    @rule(order=wanted(["LIMIT", "MARKET", *sorted(CONDITIONAL_TYPES)]), at_once=st.booleans())
    def place_any(self, order: dict[str, Any], at_once: bool) -> None:  # noqa: FBT001
        """An order of any type, which the engine may be long in coming to."""
        self._place(order, at_once=at_once)

    def _place(self, order: dict[str, Any], *, at_once: bool) -> None:
        kind, size = order["kind"], order["size"]
        flags = ["REDUCE_ONLY"] if order["reduce_only"] or kind in POSITIONAL_TYPES else []
        account = self.room.accounts[order["account"]]
        side = order["side"]
        if order["reduces"]:
            side = "SELL" if self.room.held(account) > 0 else "BUY"
        average = kind == "MARKET" and order["average"]
        if average:
            flags.append("TARGET_STRATEGY_VWAP")
        request = OrderRequest(
            market=SYMBOL,
            side=side,
            type=kind,
            size="0" if kind in POSITIONAL_TYPES and size == 2 else str(size),
            price=None if kind in MARKET_TYPES else str(order["price"]),
            instruction=order["instruction"] if kind == "LIMIT" else "GTC",
            stp=order["stp"],
            flags=flags,
            vwap_price=str(order["price"]) if average else None,
            trigger_price=str(order["trigger"]) if kind in CONDITIONAL_TYPES else None,
            signature=SIGNATURE,
            signature_timestamp=EPOCH_MS,
        )
        caller = self.room.caller(account, interactive=order["interactive"])
        self._ask(lambda: self.placed.append(self.room.desk.create(request, caller)), at_once=at_once)

    @rule(side=sides, price=prices, size=sizes, instruction=st.sampled_from(["POST_ONLY", "IOC", "GTC"]))
    def participate(self, side: str, price: int, size: int, instruction: str) -> None:
        """An order of a synthetic participant, past entry."""
        order = Order(
            id=self.room.stamps.new_id(),
            account=7,
            client_id="",
            market=SYMBOL,
            side=side,
            type="LIMIT",
            instruction=instruction,
            price=price * SCALE,
            size=size * SCALE,
            stp=EXPIRE_TAKER,
            flags=(),
            signed_at_ms=EPOCH_MS,
            received_at_ms=EPOCH_MS,
            created_at_ms=EPOCH_MS,
            updated_at_ms=EPOCH_MS,
            remaining=size * SCALE,
        )
        self.room.engine.place_now(order)
        self.participants.append(order)

    @precondition(lambda self: any(order.is_live for order in self.placed))
    @rule(
        changes=st.lists(
            st.tuples(nth, prices, st.integers(1, 8), st.none() | prices, st.booleans()),
            min_size=1,
            max_size=4,
        )
    )
    def modify(self, changes: list[tuple[int, int, int, int | None, bool]]) -> None:
        for which, price, size, trigger, at_once in changes:
            if any(order.is_live for order in self.placed):
                self._modify(which, price, size, trigger, at_once=at_once)

    def _modify(self, which: int, price: int, size: int, trigger: int | None, *, at_once: bool) -> None:
        order = self._one(which)
        request = ModifyRequest(
            id=order.id,
            market=order.market,
            side=order.side,
            type=order.type,
            price=str(price if size % 2 else order.price // SCALE),
            size=str(size),
            trigger_price=None if trigger is None or not order.is_conditional else str(trigger),
            signature=SIGNATURE,
            signature_timestamp=EPOCH_MS,
        )
        caller = self.room.caller(order.account)
        self._ask(lambda: self.room.desk.modify(order.id, request, caller), at_once=at_once)

    @precondition(lambda self: any(order.is_live for order in self.placed))
    @rule(which=nth, at_once=st.booleans())
    def cancel(self, which: int, at_once: bool) -> None:  # noqa: FBT001
        order = self._one(which)
        self._ask(lambda: self.room.desk.cancel(order, self.room.caller(order.account)), at_once=at_once)

    @rule(which=nth)
    def withdraw(self, which: int) -> None:
        """A participant takes an order back."""
        order = self.participants[which % len(self.participants)]
        self.room.engine.cancel_now(order)
        assert not order.is_live

    @rule(account=accounts)
    def cancel_all(self, account: int) -> None:
        caller = self.room.caller(self.room.accounts[account])
        self._ask(lambda: self.room.desk.cancel_all(None, caller), at_once=True)
        assert self.room.mode == "maintenance" or not self.room.ledger.live(caller.account.address)

    @rule(mark=near, fair=near)
    def move(self, mark: int, fair: int) -> None:
        """The market moved, and with it everybody's margin."""
        self.room.move(mark, fair)

    @rule(
        mode=st.sampled_from(["cancel_only", "post_only", "maintenance"]),
        orders=st.lists(wanted(["LIMIT", "STOP_LIMIT"]), max_size=4),
        fair=near,
        stays=st.sampled_from([False, False, False, True]),
    )
    def restrict(self, mode: Any, orders: list[dict[str, Any]], fair: int, stays: bool) -> None:  # noqa: FBT001
        """Another mode of the platform, for a while."""
        self.room.set_mode(mode)
        for order in orders:
            self._place({**order, "instruction": "POST_ONLY"}, at_once=True)
        self.room.move(fair)
        self.room.watch.check_waiting()
        if not stays:
            self.room.set_mode("ok")

    @precondition(lambda self: self.room.mode != "ok")
    @rule()
    def resume(self) -> None:
        self.room.set_mode("ok")

    @precondition(lambda self: self.room.seen.fills)
    @rule(which=nth)
    def bust(self, which: int) -> None:
        fills = list(self.room.seen.fills)
        try:
            self.room.engine.bust(fills[which % len(fills)])
        except FillUnknown:
            return

    @rule(most=st.integers(1, 3))
    def work(self, most: int) -> None:
        """The engine comes to some of what waits for it."""
        self.room.work(most)

    @invariant()
    def nobody_waits_in_vain(self) -> None:
        if hasattr(self, "room"):
            self.room.watch.check_waiting()

    def teardown(self) -> None:
        if hasattr(self, "room"):
            self.room.work()
            self.room.watch.check_waiting()

    def _one(self, which: int) -> Order:
        """One of the clients' orders that live."""
        live = [order for order in self.placed if order.is_live]
        return live[which % len(live)]

    def _ask(self, ask: Any, *, at_once: bool) -> None:
        try:
            ask()
        except VenueError as refused:
            assert refused.code in REFUSALS  # noqa: PT017 - some are right to be refused
        if at_once:
            self.room.work()


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=50,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
