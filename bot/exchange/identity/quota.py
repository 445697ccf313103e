"""Rate limits by the venue's table (protocol reference 3.8): token buckets that refill continuously."""

from collections.abc import Hashable, Iterable

import attrs

from bot.core.clock import Clock
from bot.exchange.errors import VenueError

_SECOND = 1_000_000_000
_MINUTE = 60
_HOUR = 3600
_FEWEST_SWEPT = 1024


@attrs.frozen
class Rate:
    """So many requests in so many seconds."""

    limit: int
    seconds: int


PUBLIC = (Rate(1500, _MINUTE),)
LOGIN = (Rate(600, _MINUTE),)
ORDER_WRITES = (Rate(800, 1), Rate(17_250, _MINUTE))
PRIVATE_READS = (Rate(120, 1), Rate(600, _MINUTE))
PRIVATE = (Rate(1500, _MINUTE),)
CONNECTS = (Rate(20, 1), Rate(600, _MINUTE))
RETAIL_ORDERS = (Rate(3, 1), Rate(30, _MINUTE), Rate(300, _HOUR), Rate(1000, 24 * _HOUR))


@attrs.frozen
class Standing:
    """How a caller stands with the rate that binds it next.

    ``reset_s`` is when the whole limit will be there again, in unix seconds (section 10, item 9);
    ``retry_after_s`` how long until the next request is allowed, rounded up, 0 when it is allowed now.
    """

    limit: int
    remaining: int
    reset_s: int
    window_s: int
    retry_after_s: int

    def headers(self) -> tuple[tuple[str, str], ...]:
        """What every counted answer carries; the venue sends all five with every answer, served or refused."""
        return (
            ("x-ratelimit-limit", str(self.limit)),
            ("x-ratelimit-remaining", str(self.remaining)),
            ("x-ratelimit-reset", str(self.reset_s)),
            ("x-ratelimit-window", str(self.window_s)),
            ("retry-after", str(self.retry_after_s)),
        )


class QuotaExceeded(VenueError):  # noqa: N818 - named for what happened
    """429: a request beyond a limit. It took nothing, so there is no cool-down.

    The venue's code for it is in no list (3.7); clients are to key on the status.
    """

    def __init__(self, standing: Standing) -> None:
        super().__init__(
            "RATE_LIMIT_EXCEEDED",
            f"rate limit of {standing.limit} in {standing.window_s} s exceeded,"
            f" retry in {standing.retry_after_s} s",
            status=429,
        )
        self.standing = standing
        self.headers = standing.headers()


class Meter:
    """One rate, measured for each key (an IP address, an account).

    A bucket is kept as the one moment when it will be full again (the generic cell rate algorithm), in units of
    ns/limit, in which a request costs exactly ``window`` and nothing is ever rounded. A full bucket is one that
    was never used, so full ones are forgotten.
    """

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._window = rate.seconds * _SECOND
        self._depth = self._window * rate.limit
        self._full_at: dict[Hashable, int] = {}
        self._sweep_at = _FEWEST_SWEPT

    def __len__(self) -> int:
        return len(self._full_at)

    def missing(self, key: Hashable, now_ns: int) -> int:
        """How far the bucket is from full, in ns/limit."""
        return max(0, self._full_at.get(key, 0) - now_ns * self.rate.limit)

    def wait_ns(self, key: Hashable, now_ns: int) -> int:
        """How long until a request is allowed; 0 when it is now."""
        lacking = self.missing(key, now_ns) + self._window - self._depth
        return max(0, -(-lacking // self.rate.limit))

    def allows(self, key: Hashable, now_ns: int, requests: int = 1) -> bool:
        """Whether so many requests are allowed now."""
        return self.missing(key, now_ns) + requests * self._window <= self._depth

    def take(self, key: Hashable, now_ns: int, requests: int = 1) -> int:
        """Count requests that it `allows`; how many more it would allow."""
        missing = self.missing(key, now_ns) + requests * self._window
        self._full_at[key] = now_ns * self.rate.limit + missing
        if len(self._full_at) >= self._sweep_at:
            now = now_ns * self.rate.limit
            self._full_at = {key: full_at for key, full_at in self._full_at.items() if full_at > now}
            self._sweep_at = max(_FEWEST_SWEPT, 2 * len(self._full_at))
        return (self._depth - missing) // self._window

    def standing(self, key: Hashable, now_ns: int, wall_ns: int) -> Standing:
        """How the key stands now."""
        missing = self.missing(key, now_ns)
        full_at_ns = wall_ns + missing // self.rate.limit
        return Standing(
            limit=self.rate.limit,
            remaining=(self._depth - missing) // self._window,
            reset_s=-(-full_at_ns // _SECOND),
            window_s=self.rate.seconds,
            retry_after_s=-(-self.wait_ns(key, now_ns) // _SECOND),
        )


_Takings = Iterable[tuple[tuple[Meter, ...], Hashable]]


def _meters(rates: tuple[Rate, ...]) -> tuple[Meter, ...]:
    return tuple(Meter(rate) for rate in rates)


class Quotas:
    """Who has asked how often. REST and WebSocket count in the same meters.

    Each ``take_…`` counts one request in all meters that apply, or in none, and says how the caller stands
    with the tightest; None when nothing is enforced. ``ip`` is `Request.peer`, ``account`` an address.

    Raises (all of them):
        QuotaExceeded: the request is beyond a limit.
    """

    def __init__(self, clock: Clock, *, enforced: bool, sockets_by_address: bool = True) -> None:
        self._clock = clock
        self._enforced = enforced
        self._sockets_by_address = sockets_by_address
        self._public = _meters(PUBLIC)
        self._auth = _meters(LOGIN)
        self._onboarding = _meters(LOGIN)
        self._private = _meters(PRIVATE)
        self._private_reads = _meters(PRIVATE_READS)
        self._order_writes = _meters(ORDER_WRITES)
        self._connects = _meters(CONNECTS)
        self._retail = _meters(RETAIL_ORDERS)
        self._pro: set[int] = set()

    def take_public(self, ip: str) -> Standing | None:
        """A public request, or one for nothing that is served."""
        return self._take([(self._public, ip)])

    def take_auth(self, ip: str) -> Standing | None:
        """POST /auth."""
        return self._take([(self._auth, ip)])

    def take_onboarding(self, ip: str) -> Standing | None:
        """POST /onboarding."""
        return self._take([(self._onboarding, ip)])

    def take_private(self, ip: str) -> Standing | None:
        """A private request that is neither a read nor about orders, or whose token did not hold."""
        return self._take([(self._private, ip)])

    def take_private_read(self, account: int, ip: str) -> Standing | None:
        """A private GET."""
        return self._take([(self._private_reads, account), (self._private, ip)])

    def take_order_write(self, account: int, ip: str) -> Standing | None:
        """Anything that writes orders over REST; a batch is one."""
        return self._take([(self._order_writes, account), (self._private, ip)])

    def take_socket_order_write(self, account: int, ip: str) -> Standing | None:
        """The same over a WebSocket. Whether it counts for the address is unstated, and a setting."""
        by_address = [(self._private, ip)] if self._sockets_by_address else []
        return self._take([(self._order_writes, account), *by_address])

    def take_connect(self, ip: str) -> Standing | None:
        """A WebSocket upgrade."""
        return self._take([(self._connects, ip)])

    def take_retail(self, account: int, orders: int = 1) -> bool:
        """Count orders placed with an interactive token: whether they are Retail orders, all of them or none.

        Beyond the limits nothing is refused and nothing is counted: the orders silently are Pro ones (2.2), with
        neither speed bump nor INTERACTIVE flag.
        """
        if not self._enforced:
            return True
        if not self._allows_retail(account, orders):
            self._pro.add(account)
            return False
        self._pro.discard(account)
        now = self._clock.monotonic_ns()
        for meter in self._retail:
            meter.take(account, now, orders)
        return True

    def is_retail(self, account: int) -> bool:
        """Whether what an interactive token does now is Retail: cancels and modifies ask, and are not counted.

        It is until an order was one too many, and again as soon as the next would not be.
        """
        if account in self._pro and self._allows_retail(account, 1):
            self._pro.remove(account)
        return account not in self._pro

    def _allows_retail(self, account: int, orders: int) -> bool:
        now = self._clock.monotonic_ns()
        return all(meter.allows(account, now, orders) for meter in self._retail)

    def _take(self, takings: _Takings) -> Standing | None:
        if not self._enforced:
            return None
        now = self._clock.monotonic_ns()
        applying = [(meter, key) for meters, key in takings for meter in meters]
        if not all(meter.allows(key, now) for meter, key in applying):
            meter, key = max(applying, key=lambda applied: applied[0].wait_ns(applied[1], now))
            raise QuotaExceeded(meter.standing(key, now, self._clock.wall_ns()))
        least, tightest = None, applying[0]
        for applied in applying:
            remaining = applied[0].take(applied[1], now)
            if least is None or remaining < least:
                least, tightest = remaining, applied
        meter, key = tightest
        return meter.standing(key, now, self._clock.wall_ns())
