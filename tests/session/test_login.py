"""Login against the embedded exchange: what it asks when, how it keeps token and connections, when it gives up."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import wraps
from itertools import pairwise
from typing import Any, Protocol

import attrs
import pytest
import trio
from session_stage import NoJitter

from bot.core.errors import FatalError, NotSentError, RefusedError, UnknownOutcomeError
from bot.link.answer import Answer
from bot.link.clock import LOOK_EVERY, TrioClock, VenueClock
from bot.link.http import Http, HttpSettings, open_http
from bot.link.pool import Lane
from bot.paradex import orders, rest
from bot.paradex.answers import MarketInfo, MarketsAnswer, SystemTime
from bot.session.login import MEASURE_EVERY, LoggedIn, Login, measure, read_markets
from bot.settings import Settings
from bot.simulation.rehearsal import EPOCH_NS, Rehearsal, rehearse

DELAY = 0.25
RTT = 2 * DELAY
READY = 9 * RTT
"""Connections, time, configuration, markets, a refused login, onboarding, login."""

LIFETIME = 300
BTC = "BTC-USD-PERP"


class Play(Protocol):
    async def __call__(self, r: Rehearsal) -> None: ...


def rehearsed(play: Play) -> Any:
    """Run a test on the stage of a whole rehearsal, in virtual time, half a second of round trip away."""

    @wraps(play)
    def in_virtual_time() -> None:
        rehearse(play, delay=DELAY)

    del in_virtual_time.__wrapped__  # pytest would take its parameters for fixtures
    return in_virtual_time


@attrs.frozen
class Stage:
    """A login under way: what it handed over, and what is behind that."""

    logged_in: LoggedIn
    http: Http
    clock: VenueClock


def http_of(r: Rehearsal, settings: HttpSettings | None = None) -> Any:
    around = r.surroundings
    return open_http(
        settings or r.settings.http, around.venue.rest_url, around.tls, around.clock, around.tape
    )


def login_of(r: Rehearsal, http: Http, **changes: Any) -> Login:
    around = r.surroundings
    given = {
        "http": http,
        "identity": around.identity,
        "markets": (BTC,),
        "clock": VenueClock(around.clock),
        "rng": NoJitter(),
        "redactor": around.redactor,
        "alarm": pytest.fail,
    }
    return Login(**{**given, **changes})


@asynccontextmanager
async def logged_in(
    r: Rehearsal, settings: HttpSettings | None = None, **changes: Any
) -> AsyncGenerator[Stage]:
    async with http_of(r, settings) as http, trio.open_nursery() as nursery:
        login = login_of(r, http, **changes)
        yield Stage(await nursery.start(login.run), http, login.clock)
        nursery.cancel_scope.cancel()


async def attempt(r: Rehearsal, **changes: Any) -> None:
    """Log in and expect to fail."""
    async with http_of(r) as http:
        await login_of(r, http, **changes).run(trio.TASK_STATUS_IGNORED)


def calls(r: Rehearsal, kind: str = "http>") -> list[tuple[float, str]]:
    """What was asked so far (or with ``http<`` answered), when; without parameters and bodies."""
    found = []
    for at, way, message in r.trace:
        if way == kind:
            verb, *_, path = message.split(" ", 1) if kind == "http>" else (message[:3], message)
            found.append((at, f"{verb} {path.split('/')[1].split(' ')[0].split('?')[0]}"))
    return found


def asked(r: Rehearsal, what: str) -> list[float]:
    return [at for at, call in calls(r) if call == what]


# The way in.


@rehearsed
async def test_a_first_login_asks_for_everything_once_and_in_order(r: Rehearsal) -> None:
    """All connections at once, then time, configuration, markets, login, and onboarding because that was refused."""
    async with logged_in(r) as stage:
        assert trio.current_time() == READY
        assert calls(r) == [
            *[(0, "GET system")] * 4,
            (3 * RTT, "GET system"),
            (4 * RTT, "GET system"),
            (5 * RTT, "GET markets"),
            (6 * RTT, "POST auth"),
            (7 * RTT, "POST onboarding"),
            (8 * RTT, "POST auth"),
        ]
        counters = stage.http.counters
        assert (counters.connections_opened, counters.requests, counters.reused) == (4, 10, 6)
        token = stage.logged_in.authed.token
        assert (token.lifetime, token.expires_at) == (LIFETIME, READY + LIFETIME)
        assert (await stage.logged_in.authed.call(orders.list_open())).value.results == []
        assert stage.logged_in.markets[BTC].symbol == BTC


@rehearsed
async def test_an_account_that_the_venue_knows_is_not_onboarded_again(r: Rehearsal) -> None:
    """Then it needs no Ethereum address either."""
    async with logged_in(r):
        pass
    start = trio.current_time()
    known = attrs.evolve(r.surroundings.identity, ethereum_address="")
    async with logged_in(r, identity=known):
        assert trio.current_time() == start + 7 * RTT
    assert len(asked(r, "POST onboarding")) == 1


@rehearsed
async def test_an_account_that_the_venue_does_not_know_needs_an_ethereum_address(r: Rehearsal) -> None:
    """Without one the login ends for good, saying which account, and which setting."""
    unknown = attrs.evolve(r.surroundings.identity, ethereum_address="")
    with pytest.raises(FatalError, match=r"account 0x[0-9a-f]+: .*\[account\] ethereum_address"):
        await attempt(r, identity=unknown)
    assert asked(r, "POST onboarding") == []


@rehearsed
async def test_refused_credentials_are_fatal(r: Rehearsal) -> None:
    """A key that is not the account's, known or not: trying again cannot help."""
    async with logged_in(r) as stage:
        account = stage.logged_in.signer.account
    other = attrs.evolve(r.surroundings.identity, private_key="0x5")
    with pytest.raises(FatalError, match="the venue refuses the credentials: INVALID_SUBKEY"):
        await attempt(r, identity=attrs.evolve(other, address=account))
    with pytest.raises(FatalError, match="the venue refuses the credentials: INVALID_STARKNET_ADDRESS"):
        await attempt(r, identity=attrs.evolve(other, address="0x123"))


@rehearsed
async def test_a_venue_that_refuses_for_now_may_be_asked_again(r: Rehearsal) -> None:
    """Overload, an unspecific 401, no connection: each is an error that the supervisor knows, and none is fatal."""
    r.exchange.refuse_auth(1, 503)
    with pytest.raises(UnknownOutcomeError, match="503"):
        await attempt(r)
    r.exchange.refuse_auth(1, 401)
    with pytest.raises(RefusedError, match="UNAUTHORIZED_ERROR"):
        await attempt(r)
    r.link.refuse()
    with pytest.RaisesGroup(*[NotSentError] * 4):
        await attempt(r)
    r.link.heal()
    async with logged_in(r):
        pass


@rehearsed
async def test_an_unknown_market_is_fatal(r: Rehearsal) -> None:
    """The message names the setting, the market, and the one that was probably meant; nothing is signed before."""
    with pytest.raises(
        FatalError, match=r"\[orders\] markets: .* 'BTC-USD', the nearest name is BTC-USD-PERP"
    ):
        await attempt(r, markets=(BTC, "BTC-USD"))
    assert asked(r, "POST auth") == []


def test_markets_are_read_by_symbol() -> None:
    """Those asked for and no others; nothing is guessed where no name is near."""
    rules = {
        "price_tick_size": "0.1",
        "order_size_increment": "1",
        "min_notional": "10",
        "max_order_size": "9",
    }
    answer = MarketsAnswer(results=[MarketInfo(symbol=symbol, **rules) for symbol in ("A-USD", "B-USD")])
    markets = read_markets(answer, ("B-USD",))
    assert [(symbol, market.price_tick) for symbol, market in markets.items()] == [("B-USD", 10_000_000)]
    with pytest.raises(FatalError, match=r"no market 'XYZ'$"):
        read_markets(answer, ("XYZ",))


# The venue's time.


@pytest.mark.parametrize("ahead_s", [3, -3, -120])
def test_the_venues_time_is_measured(ahead_s: int) -> None:
    """By a request that needs no handshake, exactly; the login is signed in it: 120 s ahead would be refused.

    A person is told that our own clock is wrong, once, however often it is measured again.
    """

    async def play(r: Rehearsal) -> None:
        ours = TrioClock(EPOCH_NS - ahead_s * 10**9)
        r.surroundings = attrs.evolve(r.surroundings, clock=ours)
        alarms: list[str] = []
        async with logged_in(r, clock=VenueClock(ours), alarm=alarms.append) as stage:
            assert stage.clock.now_ms() == TrioClock(EPOCH_NS).wall_ns() // 10**6
            await trio.sleep(100)
            assert alarms == [f"our clock is wrong: the venue's is {ahead_s:+.3f} s from it"]

    rehearse(play, delay=DELAY)


@pytest.mark.parametrize("ahead_s", [2, -2])
def test_orders_are_stamped_in_the_venues_time(ahead_s: int) -> None:
    """Wrong as our own clock is: the stamp is half a round trip older than the order's arrival."""

    async def play(r: Rehearsal) -> None:
        r.surroundings = attrs.evolve(r.surroundings, clock=TrioClock(EPOCH_NS - ahead_s * 10**9))
        await r.trade(20)
        orders = list(r.exchange.orders.values())
        assert orders
        assert {order.received_at_ms - order.signed_at_ms for order in orders} == {DELAY * 1000}

    rehearse(play, delay=DELAY)


@pytest.mark.parametrize("ahead_s", [3, -3])
def test_no_order_leaves_by_a_clock_that_is_too_wrong(ahead_s: int) -> None:
    """By more than half of the recv_window: the strategy is told so, and the alarm says why."""

    async def play(r: Rehearsal) -> None:
        r.surroundings = attrs.evolve(r.surroundings, clock=TrioClock(EPOCH_NS - ahead_s * 10**9))
        summary = await r.trade(20)
        assert not r.exchange.orders
        assert summary.orders.placed == 0
        assert summary.alarms == [f"our clock is wrong: the venue's is {ahead_s:+.3f} s from it"]

    rehearse(play, delay=DELAY)


@pytest.mark.parametrize(
    ("server_time", "reused", "offset_ms"),
    [("1800000000700", True, 500), (1800000000700, True, 500), ("1800000000700", False, 0)],
)
def test_a_handshake_measures_nothing(server_time: str | int, offset_ms: int, *, reused: bool) -> None:
    """The venue's time comes as text or as a number, and counts where only the request took time."""

    async def play(_: Rehearsal) -> None:
        await trio.sleep(0.4)
        clock = VenueClock(TrioClock(EPOCH_NS))
        answer = Answer(value=SystemTime(server_time=server_time), reused=reused, elapsed_ns=400_000_000)
        measure(clock, answer)
        assert clock.now_ms() == EPOCH_NS // 10**6 + 400 + offset_ms

    rehearse(play)


@rehearsed
async def test_after_a_nap_connections_and_the_venues_clock_are_new(r: Rehearsal) -> None:
    """Both are doubted at the next look, and no order leaves until the clock is measured again."""
    ours = r.surroundings.clock
    assert isinstance(ours, TrioClock)
    async with logged_in(r) as stage:
        await trio.sleep_until(100)
        stage.clock.check(5000)
        opened = stage.http.counters.connections_opened
        before_ms = stage.clock.now_ms()
        ours._epoch_ns += 3600 * 10**9  # of the venue, too: its clock is the same
        assert stage.clock.now_ms() == before_ms
        with pytest.raises(NotSentError, match="differ by -3600"):
            stage.clock.check(5000)
        await trio.sleep(LOOK_EVERY)
        with pytest.raises(NotSentError, match="has to be measured first"):
            stage.clock.check(5000)
        assert stage.http.counters.connections_opened == opened
        # Four connections are opened one after the other, and the first of them then measures.
        await trio.sleep(4 * 3 * RTT + RTT)
        await trio.testing.wait_all_tasks_blocked()
        assert stage.http.counters.connections_opened == opened + 4
        assert stage.clock.now_ms() == ours.wall_ns() // 10**6
        stage.clock.check(5000)


@rehearsed
async def test_the_venues_clock_is_measured_every_minute_however_busy_the_connections_are(
    r: Rehearsal,
) -> None:
    """None of them needs to be touched, but clocks drift apart."""
    async with logged_in(r) as stage:
        ages = []
        for _ in range(300):
            await stage.logged_in.authed.call(orders.list_open())
            await trio.sleep(1 - RTT)
            ages.append(stage.clock.age())
    assert MEASURE_EVERY - 2 < max(ages) <= MEASURE_EVERY + 2 * RTT
    assert len(asked(r, "GET system")) <= 6 + 300 // MEASURE_EVERY


def test_a_time_that_is_none_is_an_answer_that_tells_nothing() -> None:
    """Garbage from the venue is never a bug of ours: whoever asked tries again."""
    answer = Answer(value=SystemTime(server_time="half past nine"), reused=True, elapsed_ns=0)

    async def play(_: Rehearsal) -> None:
        await trio.lowlevel.checkpoint()
        with pytest.raises(UnknownOutcomeError, match=r"GET /system/time: .*half past nine"):
            measure(VenueClock(TrioClock(EPOCH_NS)), answer)

    rehearse(play)


# The token.


@rehearsed
async def test_the_token_is_renewed_at_sixty_per_cent_of_its_life(r: Rehearsal) -> None:
    """Each one 180 s after it came; whoever holds the `AuthedRest` uses the new one from then on."""
    async with logged_in(r) as stage:
        authed = stage.logged_in.authed
        first = authed.token
        await trio.sleep_until(READY + 180 + RTT)
        await trio.testing.wait_all_tasks_blocked()
        assert authed.token.text != first.text
        assert authed.token.expires_at == READY + 180 + RTT + LIFETIME
        await trio.sleep(181)
    assert asked(r, "POST auth")[2:] == [READY + 180, READY + 2 * 180 + RTT]


@rehearsed
async def test_a_refused_renewal_is_tried_again_while_the_old_token_lives(r: Rehearsal) -> None:
    """With backoff; requests go on with the old one meanwhile."""
    async with logged_in(r, HttpSettings(idle_timeout=3600)) as stage:  # touches would wait in the same lane
        r.exchange.refuse_auth(3)
        await trio.sleep_until(READY + 182)
        async with stage.logged_in.authed.reserve_order_lane() as lane:
            await lane.send(orders.list_open())
        await trio.sleep_until(READY + 200)
        assert stage.logged_in.authed.token.expires_at > READY + LIFETIME
    renewals = asked(r, "POST auth")[2:]
    assert [at - READY for at in renewals] == [180, 180.5 + RTT, 181.5 + 2 * RTT, 183.5 + 3 * RTT]


@rehearsed
async def test_an_expired_token_sends_nothing_until_it_is_renewed(r: Rehearsal) -> None:
    """Neither an order nor anything else: `NotSentError` at once, from the very second of its end."""
    async with logged_in(r) as stage:
        authed = stage.logged_in.authed
        r.exchange.refuse_auth(1_000_000)
        await trio.sleep_until(READY + LIFETIME - 2 * RTT)
        await authed.call(orders.list_open())
        await trio.sleep_until(READY + LIFETIME)
        before = stage.http.counters.requests
        with pytest.raises(NotSentError, match="token has expired"):
            await authed.call(orders.list_open())
        async with authed.reserve_order_lane() as lane:
            with pytest.raises(NotSentError, match="token has expired"):
                await lane.send(orders.cancel("1"))
        assert (stage.http.counters.requests, trio.current_time()) == (before, READY + LIFETIME)
        r.exchange.refuse_auth(0)
        await trio.sleep(31)
        await authed.call(orders.list_open())


@rehearsed
async def test_a_refused_token_is_renewed_at_once(r: Rehearsal) -> None:
    """The request with the old one fails, and is not repeated; the next one has the new token."""
    async with logged_in(r) as stage:
        authed = stage.logged_in.authed
        await trio.sleep(10)
        r.exchange.expire_tokens()
        with pytest.raises(RefusedError) as caught:
            await authed.call(orders.list_open())
        assert caught.value.status == 401
        refused = trio.current_time()
        await trio.sleep(RTT)
        await trio.testing.wait_all_tasks_blocked()
        await authed.call(orders.list_open())
        await trio.sleep(60)
    assert asked(r, "POST auth")[2:] == [refused]
    assert len(asked(r, "GET orders")) == 2


@rehearsed
async def test_other_refusals_leave_the_token_alone(r: Rehearsal) -> None:
    """Only 401 says something of it."""
    async with logged_in(r) as stage:
        async with stage.logged_in.authed.reserve_order_lane() as lane:
            with pytest.raises(RefusedError, match="ORDER_ID_NOT_FOUND"):
                await lane.send(orders.cancel("1"))
        await trio.sleep(60)
    assert len(asked(r, "POST auth")) == 2


@rehearsed
async def test_credentials_that_are_refused_later_are_believed_when_the_token_has_ended(r: Rehearsal) -> None:
    """While it lives it contradicts them; then the login ends for good."""
    ended: list[float] = []

    async def until_it_ends() -> None:
        async with http_of(r) as http:
            with pytest.RaisesGroup(FatalError):
                await login_of(r, http).run(trio.TASK_STATUS_IGNORED)
            ended.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(until_it_ends)
        await trio.sleep(READY + 1)
        [address] = r.exchange.accounts._by_address
        account = r.exchange.accounts._by_address[address]
        r.exchange.accounts._by_address[address] = attrs.evolve(account, public_key=1)
    # Tries after 0.5, 1, 2 … 30, 30 s from second 180 on: the first that is answered after second 300.
    last = asked(r, "POST auth")[-1]
    assert last + RTT >= READY + LIFETIME
    assert ended == [last + RTT]
    assert last < READY + LIFETIME + 30 + RTT


# Warm connections.


def test_an_hour_of_silence_leaves_every_connection_warm() -> None:
    """Each is touched every half minute and no more often; none is opened again; the next order finds one open."""

    async def play(r: Rehearsal) -> None:
        async with logged_in(r) as stage:
            await trio.sleep(3600)
            counters = stage.http.counters
            assert counters.connections_opened == 4
            per_connection = 3600 / (r.settings.http.idle_timeout / 2)
            assert counters.requests - 10 <= 4 * per_connection
            assert counters.requests - 10 > 4 * (
                per_connection - 4
            )  # a touch takes a round trip, and those add up
            async with stage.logged_in.authed.reserve_order_lane() as lane:
                assert (await lane.send(orders.list_open())).reused
        kinds = Counter(call for _, call in calls(r)[10:])
        assert kinds["POST auth"] == 19

    rehearse(play, delay=DELAY, tls=False)


@rehearsed
async def test_connections_that_the_network_cuts_are_opened_again(r: Rehearsal) -> None:
    """By the touch that finds them closed, one at a time and without an error."""
    async with logged_in(r) as stage:
        await trio.sleep(5)
        r.link.cut()
        await trio.sleep(40)
        counters = stage.http.counters
        assert (counters.connections_opened, counters.requests) == (8, 10 + 4)
        assert (await stage.logged_in.authed.call(orders.list_open())).reused


@rehearsed
async def test_a_venue_that_is_away_is_tried_with_backoff_until_it_is_back(r: Rehearsal) -> None:
    """No storm while it is away, and all connections warm soon after it is back."""
    async with logged_in(r) as stage:
        r.link.cut()
        r.link.refuse()
        await trio.sleep(150)
        tries = [at - READY for at, _ in calls(r)[10:]]
        waits = [later - earlier - RTT for earlier, later in pairwise(tries)]
        assert waits[:6] == pytest.approx([0.5, 1, 2, 4, 8, 16], abs=0.002)
        assert waits[6:] == pytest.approx([30] * len(waits[6:]), abs=0.002)
        r.link.heal()
        await trio.sleep(60)
        async with stage.http.reserve(Lane.ORDERS) as reservation:
            assert (await reservation.send(rest.system_time())).reused
        assert stage.http.counters.connections_opened == 8


def test_settings_reach_the_pool() -> None:
    """As many connections as the settings say are warmed."""

    async def play(r: Rehearsal) -> None:
        async with logged_in(r) as stage:
            assert stage.http.counters.connections_opened == 7

    rehearse(play, Settings(http=HttpSettings(connections=7)), tls=False)
