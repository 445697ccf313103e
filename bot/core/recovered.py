"""What earlier runs left open on an account, and the claim that one run has on it."""

from collections.abc import Mapping
from typing import Any, Protocol

import attrs

from bot.core.fixed import parse, render
from bot.core.order import Instruction, Order, OrderType, Side, State


@attrs.frozen(kw_only=True)
class RecoveredOrder:
    """An order of an earlier run that is not known to be over."""

    order: Order
    """As its last session knew it, but UNKNOWN where its request had left and nothing told what became of it.
    Times of that session's clock mean nothing in another: there are none in it."""

    last_acceptable_ms: int
    """Venue time, Unix ms: after it the venue can no longer accept the order (protocol reference 2.3)."""


@attrs.frozen(kw_only=True)
class Recovered:
    """All that journals tell of what was left open."""

    orders: tuple[RecoveredOrder, ...] = ()
    run_ids: tuple[str, ...] = ()
    """Of the runs that left it. An order whose client id begins with one of them is ours, were it in no journal: a
    power cut takes the last moments of one."""

    seen_ms: int | None = None
    """Up to here all that happened at the venue was known: venue time, Unix ms. None: there was no earlier run."""


def told(recovered: Recovered) -> dict[str, Any]:
    """It as JSON can hold it: the record that makes the earlier journals needless. `retold` is the way back."""
    return {
        "orders": [told_order(each) for each in recovered.orders],
        "run_ids": list(recovered.run_ids),
        "seen_ms": recovered.seen_ms,
    }


def retold(data: Mapping[str, Any]) -> Recovered:
    """What ``data`` was made of. Raises KeyError, TypeError or ValueError for what never was one."""
    return Recovered(
        orders=tuple(map(retold_order, data["orders"])),
        run_ids=tuple(data["run_ids"]),
        seen_ms=data["seen_ms"],
    )


def told_terms(order: Order) -> dict[str, str]:
    """What was asked of the venue, as JSON can hold it. `retold_terms` is the way back."""
    return {
        "client_id": order.client_id,
        "market": order.market,
        "side": order.side,
        "type": order.type,
        "instruction": order.instruction,
        "size": render(order.size),
        "price": render(order.price),
    }


def retold_terms(data: Mapping[str, Any]) -> Order:
    """An order of which nothing but its terms is known. Raises as `retold`."""
    return Order(
        client_id=data["client_id"],
        market=data["market"],
        side=Side(data["side"]),
        type=OrderType(data["type"]),
        instruction=Instruction(data["instruction"]),
        size=parse(data["size"]),
        price=parse(data["price"]),
    )


def told_order(recovered: RecoveredOrder) -> dict[str, Any]:
    """It as JSON can hold it. `retold_order` is the way back."""
    order = recovered.order
    return {
        **told_terms(order),
        "venue_id": order.venue_id,
        "state": order.state,
        "filled": render(order.filled),
        "reason": order.reason,
        "cancelling": order.cancelling,
        "last_acceptable_ms": recovered.last_acceptable_ms,
    }


def retold_order(data: Mapping[str, Any]) -> RecoveredOrder:
    """What ``data`` was made of. Raises as `retold`."""
    order = attrs.evolve(
        retold_terms(data),
        venue_id=data["venue_id"],
        state=State(data["state"]),
        filled=parse(data["filled"]),
        reason=data["reason"],
        cancelling=data["cancelling"],
    )
    return RecoveredOrder(order=order, last_acceptable_ms=data["last_acceptable_ms"])


class AccountClaim(Protocol):
    """One run's claim on an account: no other bot of this machine trades there meanwhile."""

    async def take(self, account: str) -> Recovered:
        """Claim the account, whose address is hexadecimal text, before anything is asked in its name.

        Asked again, it tells the same. Returns what earlier runs left there.

        Raises:
            FatalError: another bot has it, which the message names; or nobody can tell what was left.
        """
        ...

    async def taken_over(self) -> None:
        """What was left is in this run's journal by now. From now on only that one is read after a crash.

        Before this returns no order may leave: a crash would lose it.

        Raises:
            FatalError: it cannot be seen to.
        """
        ...


class NoClaim:
    """An `AccountClaim` where nobody else can be: on an exchange of the run's own, or in a simulation."""

    def __init__(self, recovered: Recovered | None = None) -> None:
        self._recovered = recovered or Recovered()

    async def take(self, account: str) -> Recovered:  # noqa: ARG002 - as the claim wants
        return self._recovered

    async def taken_over(self) -> None:
        pass
