"""Compares what the bot believes with what the venue has. Nothing moves backwards; what was missed is repaired, and
counted: losses leave no gap to see.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from loguru import logger

from bot.core.fill import Fill
from bot.core.fixed import render
from bot.core.order import Order, State
from bot.paradex.answers import FillReport, OrderReport, PositionReport
from bot.session.inbox import Snapshot
from bot.trading.effects import Repaired, TakeSnapshot
from bot.trading.step.decisions import Decisions
from bot.trading.step.holdings import Holdings
from bot.trading.step.ledger import Ledger
from bot.trading.step.pursuit import Pursuit
from bot.trading.step.reported import read_fill

SNAPSHOT = "snapshot"
"""What a timer is set for here."""

PART = "part of a snapshot"
"""The same, where more is to be merged than one step has time for."""

PART_SIZE = 50
"""Orders and fills that are merged in one step: of the 2 ms that a step may take, each takes some hundredths."""

LOOK_AGAIN_S = 1.0
"""After positions that differ: a fill may have been between one answer and the next."""


class Stocktaking:
    """Merges snapshots. ``filled`` is told of each fill that counts, with its order if that is ours."""

    def __init__(
        self,
        ledger: Ledger,
        holdings: Holdings,
        pursuit: Pursuit,
        decisions: Decisions,
        filled: Callable[[Fill, Order | None], None],
    ) -> None:
        self.repairs: Counter[str] = Counter()
        """How often what was missed."""

        self._ledger = ledger
        self._holdings = holdings
        self._pursuit = pursuit
        self._decisions = decisions
        self._filled = filled
        self._knows_positions = False
        self._merging: deque[Iterator[None]] = deque()
        """Snapshots that are not wholly merged yet, the older first."""

        self._missing: dict[str, int] = {}
        """Orders that a snapshot should have shown and did not, and since when that is known."""

        self._doubted: dict[str, int] = {}
        """Positions that were others in the snapshot before, as that told them."""

    def merge(self, snapshot: Snapshot) -> None:
        """Take a snapshot over: at once, if it is short, and else part by part."""
        self._merging.append(self._merged(snapshot))
        if len(self._merging) == 1:
            self.go_on()

    def go_on(self) -> None:
        """Merge the next part of what is left."""
        room = PART_SIZE
        while self._merging and room:
            done = sum(1 for _ in islice(self._merging[0], room))
            if done < room:
                self._merging.popleft()
            room -= done
        if self._merging:
            self._decisions.wait(PART, "", 0.0)

    def _merged(self, snapshot: Snapshot) -> Iterator[None]:
        """Merge it, with a stop after each order and each fill."""
        for report in (*reversed(snapshot.history), *snapshot.open_orders):
            self._take_order(report)
            yield
        for told in reversed(snapshot.fills):
            if self.take_fill(told, is_held_already=not self._knows_positions) and self._knows_positions:
                words = f"{told.side} {told.size} {told.market} at {told.price}, order {told.client_id}"
                self._repaired("fill", told.id, words)
            yield
        self._take_positions(snapshot.positions)
        self._look_for_missing(snapshot)

    def take_fill(self, told: FillReport, *, is_held_already: bool = False) -> bool:
        """Count a fill, whoever told of it; False if it was counted before, or cannot be read."""
        try:
            fill = read_fill(told)
        except ValueError as unreadable:
            self._decisions.alarm(f"fill {told.id} in {told.market} cannot be read: {unreadable}")
            return False
        order = self._ledger.named(fill.client_id)
        if not self._holdings.count(fill, order, is_held_already=is_held_already):
            return False
        if order is not None:
            come_to = self._holdings.filled(order.client_id)
            if come_to > order.size:
                self._decisions.alarm(
                    f"order {order.client_id}: its fills come to {render(come_to)} of {render(order.size)}"
                )
            self._ledger.filled(order, min(come_to, order.size))
        self._filled(fill, order)
        return True

    def _take_order(self, report: OrderReport) -> None:
        order = self._ledger.find(report)
        if order is None:
            return
        self._ledger.update(order, report)
        after = self._ledger.get(order.client_id)
        was_in_flight = order.state in {State.SENT, State.UNKNOWN}
        if (after.state, after.filled) != (order.state, order.filled) and not was_in_flight:
            self._repaired(
                "order",
                order.client_id,
                f"{order.state} and {render(order.filled)} filled, is {after.state} "
                f"and {render(after.filled)}",
            )

    def _take_positions(self, told: Iterable[PositionReport]) -> None:
        try:
            reported = {each.market: each.signed_size for each in told}
        except ValueError as unreadable:
            self._decisions.alarm(f"a position cannot be read: {unreadable}")
            return
        others = self._holdings.others_than(reported)
        if not self._knows_positions:
            self._knows_positions = True
            self._holdings.positions.update(others)
            return
        for market, size in others.items():
            # Between the answer that listed fills and this one there may have been another fill: asked once more.
            if self._doubted.get(market) != size:
                self._decisions.wait(SNAPSHOT, "", LOOK_AGAIN_S)
                continue
            held = self._holdings.position(market)
            self._holdings.positions[market] = size
            self._repaired("position", market, f"{render(held)} held, is {render(size)}")
        self._doubted = others

    def elapsed(self) -> None:
        """The time has come to look again."""
        self._decisions.add(TakeSnapshot())

    def _look_for_missing(self, snapshot: Snapshot) -> None:
        present = {report.client_id for report in snapshot.open_orders}
        for order in self._ledger.live():
            if order.sent_ns is None:  # of an earlier run, or not sent at all
                sent_before = self._ledger.is_of_earlier_run(order.client_id)
            else:
                sent_before = order.sent_ns < snapshot.requested_ns
            if sent_before and order.state is not State.SENT and order.client_id not in present:
                self._missing[order.client_id] = self._decisions.now_ns
                self._pursuit.look_up(order)

    @property
    def is_done(self) -> bool:
        """Snapshots are merged, and what was missing in them asked for: nothing that they could tell is unknown."""
        return not self._merging and not self._missing

    def sought(self, client_id: str, asked_ns: int) -> None:
        """The venue has told what there is to tell of an order, asked at that time."""
        if self._missing.get(client_id, asked_ns + 1) <= asked_ns:
            del self._missing[client_id]

    def _repaired(self, what: str, subject: str, text: str) -> None:
        self.repairs[what] += 1
        logger.warning("[ORDER] Paradex {} repaired: {}, {}", what, subject, text)
        self._decisions.add(Repaired(what, subject, text))
