"""What the venue says of when it did something, in one unit: Unix ns (protocol reference 4.1, 5.2)."""

from typing import Any

import attrs
import msgspec

from bot.paradex.answers import UNREADABLE, OrderReport

_UNITS = ((10**17, 1), (10**14, 1000), (10**11, 1_000_000))
"""From which number on a stamp of this century can only be in ns, µs or ms, and how many ns one is."""


@attrs.frozen(kw_only=True)
class VenueTimes:
    """Of one order, each None where the venue does not say. A stamp stands for the middle of its unit.

    So each may be wrong by half of that: the fields of orders count ms, those of replies µs or ns.
    """

    received_ns: int | None = None
    """It was there, before any speed bump."""

    matched_ns: int | None = None
    """The matching engine took it."""

    published_ns: int | None = None
    """What the orders channel says of it was made."""

    answered_ns: int | None = None
    """The reply to the call was made; an answer over HTTP does not tell."""

    def completed_by(self, others: "VenueTimes") -> "VenueTimes":
        """What these do not tell, ``others`` may."""
        told = attrs.asdict(others)
        return VenueTimes(
            **{name: told[name] if ns is None else ns for name, ns in attrs.asdict(self).items()}
        )


class _Result(msgspec.Struct):
    created_at: Any = None
    received_at: Any = None


class _Reply(msgspec.Struct, rename={"us_in": "usIn", "us_out": "usOut", "us_diff": "usDiff"}):
    result: _Result | None = None
    us_in: Any = None
    us_out: Any = None
    us_diff: Any = None


_replies = msgspec.json.Decoder(_Reply)


def unix_ns(stamp: Any) -> int | None:
    """A stamp in ms, µs or ns, by its size: the middle of its unit. None for what is no stamp of this century."""
    if isinstance(stamp, int) and not isinstance(stamp, bool) and stamp < 10**20:
        for least, unit_ns in _UNITS:
            if stamp >= least:
                return stamp * unit_ns + unit_ns // 2
    return None


def of_update(report: OrderReport) -> VenueTimes:
    """What the orders channel says. Of an order that is read over REST the times may be those of the reading."""
    return VenueTimes(
        received_ns=unix_ns(report.received_at),
        matched_ns=unix_ns(report.created_at),
        published_ns=unix_ns(report.published_at),
    )


def of_reply(frame: str) -> VenueTimes:
    """What the reply to a call that places an order says; nothing where it cannot be read."""
    try:
        reply = _replies.decode(frame)
    except UNREADABLE:
        return VenueTimes()
    result = reply.result or _Result()
    came_ns, in_ns, out_ns = map(unix_ns, (result.received_at, reply.us_in, reply.us_out))
    if out_ns is None and in_ns is not None and isinstance(reply.us_diff, int):
        out_ns = unix_ns(reply.us_in + reply.us_diff)  # in the same unit, whichever that is
    return VenueTimes(
        received_ns=in_ns if came_ns is None else came_ns,
        matched_ns=unix_ns(result.created_at),
        answered_ns=out_ns,
    )
