"""What a report tells of new terms that were asked for. The answer to the request only means that it is queued."""

import enum

from bot.core.order import Order
from bot.paradex.answers import OrderReport, RequestInfo

MODIFY, SUCCESS, REJECTED = "MODIFY_ORDER", "SUCCESS", "REJECTED"
"""Words of the venue's `RequestInfo`."""


class Verdict(enum.Enum):
    GRANTED = enum.auto()
    REFUSED = enum.auto()


def modification(report: OrderReport) -> RequestInfo | None:
    """What ``report`` says of a modification, whoever asked for it."""
    request = report.request_info
    return request if request is not None and request.request_type == MODIFY else None


def decided(report: OrderReport) -> RequestInfo | None:
    """The same, once the venue has decided about it."""
    request = modification(report)
    return request if request is not None and request.status in {SUCCESS, REJECTED} else None


def verdict(order: Order, report: OrderReport, *, size: int, price: int) -> Verdict | None:
    """What became of the modification that ``order`` waits for; None if ``report`` does not tell.

    ``size`` and ``price`` are the order's terms by now, this report's unless it is old. They are evidence by
    themselves: no report need say that it comes of a modification. A request is ours if it is the one that the answer
    named, or, before there is an answer, one that was not known when ours was asked for: reports may go on naming an
    earlier one (protocol reference 3.5).
    """
    wanted = order.modifying
    if wanted is None:
        return None
    if (size, price) == (wanted.size, wanted.price):
        return Verdict.GRANTED
    request = decided(report)
    if request is None or (wanted.request_id and request.id != wanted.request_id):
        return None
    if request.id and request.id == order.last_request:
        return None
    return Verdict.GRANTED if request.status == SUCCESS else Verdict.REFUSED
