"""Which reduce-only orders still only reduce (protocol reference 3.5)."""

from collections.abc import Iterable

from bot.exchange.matching.orders import NEW, OPEN, UNTRIGGERED, Order


def reduces(order: Order, position: int) -> bool:
    """Whether a fill of the order makes the position (negative when short) smaller."""
    return position < 0 if order.is_buy else position > 0


def unfit(orders: Iterable[Order], position: int) -> list[Order]:
    """The reduce-only ones among an account's orders in a market that may make its position larger.

    A resting one fits when it is covered by what the position is after everything of the same side that is
    ahead of it in the book: so whatever is filled, and in whatever portions, none of them increases the position.
    One that waits for its trigger fits when the position as it is covers it.
    """
    orders = list(orders)
    if not position:
        return [order for order in orders if order.is_reduce_only and order.status != NEW]
    covered = abs(position)
    gone: list[Order] = []
    for order in orders:
        if not order.is_reduce_only or order.status == NEW:
            continue
        if not reduces(order, position) or (order.status == UNTRIGGERED and order.size > covered):
            gone.append(order)
    for order in in_line(orders, is_buy=position < 0):
        if order.is_reduce_only and order.remaining > covered:
            gone.append(order)
        else:
            covered -= order.remaining
    return gone


def in_line(orders: Iterable[Order], *, is_buy: bool) -> list[Order]:
    """The resting ones of a side in the order in which the book fills them."""
    resting = [order for order in orders if order.status == OPEN and order.is_buy == is_buy]
    resting.sort(key=lambda order: (-order.price if is_buy else order.price, not order.is_retail, order.line))
    return resting
