"""What else has to hold of a life, beside the oracle's invariants: found in its records."""

from collections.abc import Callable, Iterator, Sequence

from bot.core.tape import Kind
from bot.journal.sent import call_of, client_id_of, orders_in, placed
from bot.paradex.calls import CANCEL_ON_DISCONNECT
from bot.paradex.limits import PRIVATE_A_MINUTE, limits_of
from bot.simulation.notes import Line
from bot.trading.effects import CLOCK_MARGIN_NS

FRESH_S = 3.0
"""What a venue said of a limit is not made up for by what became free since, for at least so long: that is a tenth of
what is used up here for a minute and kept for cancels, less what the venue left."""


def armed(lines: Sequence[Line]) -> Iterator[str]:
    """Where the settings want it, each session that became ready had asked for cancel-on-disconnect before."""
    asked: set[int] = set()
    for line in lines:
        if line.kind is Kind.FRAME_OUT and isinstance(line.data, str):
            method, params = call_of(line.data)
            if method == CANCEL_ON_DISCONNECT and params.get("enabled") is True:
                asked.add(line.generation)
        is_ready = line.kind is Kind.GENERATION and line.data["session"] == "ready"
        if is_ready and line.generation not in asked:
            yield f"session {line.generation} became ready, and nobody had armed cancel-on-disconnect"


def reserve_kept(lines: Sequence[Line], scarce: Sequence[tuple[float, float]]) -> Iterator[str]:
    """No new order left after an answer had told that next to nothing was left but what cancels need.

    ``scarce``: from when to when that is what every answer tells. Seconds of trio's clock.
    """
    for begin, end in scarce:
        asked: set[int] = set()
        told_at: float | None = None
        for line in lines:
            match line.kind, line.data:
                case Kind.REQUEST, {"method": str(method), "path": str(path), "x": int(x)}:
                    if PRIVATE_A_MINUTE in limits_of(method, path) and line.at > begin:
                        asked.add(x)
                    is_fresh = told_at is not None and line.at < min(told_at + FRESH_S, end)
                    if is_fresh and placed(line.kind, line.data):
                        yield f"a new order left at {line.at:.3f} s, of what is kept for cancels"
                case Kind.ANSWER, {"x": int(x), "status": int(status)} if x in asked and status < 300:
                    told_at = line.at


def left_in_time(lines: Sequence[Line], seconds: Callable[[int], float]) -> Iterator[str]:
    """What was signed ahead left while the venue took it, as far as the bot could know the venue's clock.

    ``seconds`` tells when it was what by that clock, as `bot.simulation.evidence.Evidence.seconds`.
    """
    taken: dict[str, tuple[float, float]] = {}
    for line in lines:
        match line.kind, line.data:
            case Kind.INTENT, {"what": "place", "client_id": str(client_id), "request": {"body": body}}:
                taken.pop(client_id, None)
                if "signed_ns" in line.data:
                    [order] = orders_in(body)
                    signed_at = seconds(order["signature_timestamp"])
                    margin = line.data.get("margin_ns", CLOCK_MARGIN_NS) / 1e9
                    taken[client_id] = signed_at - margin, signed_at + order["recv_window"] / 1000 + margin
        for client_id in map(client_id_of, placed(line.kind, line.data) or ()):
            begin, end = taken.get(client_id, (line.at, line.at))
            if not begin <= line.at <= end:
                yield f"{client_id} left at {line.at:.3f} s, and was taken from {begin:.3f} s to {end:.3f} s"
