"""`bot cancel-all`: every open order of the account goes, whoever placed it, and what is left is named."""

import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio

from bot.cancelall import Hurry, Options, cancel_all, tell
from bot.core.errors import FatalError
from bot.core.order import Instruction, Order, OrderType, Side
from bot.exchange.faults.requests import Late, Refuse, Swallow
from bot.journal.account import AccountLock, Holder, account_files
from bot.journal.redact import hashing_key
from bot.journal.settings import JournalSettings
from bot.link.clock import VenueClock
from bot.link.http import open_http
from bot.paradex import orders
from bot.paradex.orders import SignedOrder
from bot.place import Place
from bot.session.login import LoggedIn, Login
from bot.settings import Settings
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.trading.clearance import DEADLINE, Clearance
from bot.trading.executor import OrdersSettings
from bot.trading.requests import terms

MARKETS = ("BTC-USD-PERP", "ETH-USD-PERP")
DELAY = 0.05


@attrs.frozen
class Somebody:
    """Who has the account's key, too, and places orders that no bot knows."""

    rehearsal: Rehearsal
    logged_in: LoggedIn

    async def place(self, client_id: str, market: str = MARKETS[0]) -> None:
        """An order that rests."""
        timestamp = self.rehearsal.surroundings.clock.wall_ns() // 1_000_000
        order = Order(
            client_id=client_id,
            market=market,
            side=Side.BUY,
            type=OrderType.LIMIT,
            instruction=Instruction.POST_ONLY,
            size=10**8,
            price=1_000 * 10**8,
        )
        signature = self.logged_in.signer.sign_order(terms(order, timestamp)).wire()
        signed = SignedOrder(
            order=order, signature=signature, signature_timestamp=timestamp, recv_window=60_000
        )
        await self.logged_in.authed.call(orders.create(signed))


@asynccontextmanager
async def somebody(rehearsal: Rehearsal) -> AsyncIterator[Somebody]:
    around = rehearsal.surroundings
    async with (
        open_http(
            rehearsal.settings.http, around.venue.rest_url, around.tls, around.clock, around.tape
        ) as http,
        trio.open_nursery() as nursery,
    ):
        login = Login(
            http=http,
            identity=around.identity,
            markets=MARKETS,
            clock=VenueClock(around.clock),
            rng=around.chance("somebody"),
            redactor=around.redactor,
            alarm=pytest.fail,
        )
        yield Somebody(rehearsal, await nursery.start(login.run))
        nursery.cancel_scope.cancel()


def in_a_hurry(
    rehearsal: Rehearsal, say: Callable[[str], None], market: str | None = None
) -> Awaitable[Clearance]:
    around = rehearsal.surroundings
    hurry = Hurry(
        settings=rehearsal.settings,
        market=market,
        identity=attrs.evolve(around.identity, ethereum_address=""),
        clock=around.clock,
        rng=around.chance("hurry"),
        redactor=around.redactor,
        say=say,
    )
    return hurry.clear(Place(around.venue, around.tls))


@attrs.frozen
class Played:
    """What came of it, on which exchange, and how long it took."""

    clearance: Clearance
    rehearsal: Rehearsal
    seconds: float

    def statuses(self) -> list[str]:
        return [order.status for order in self.rehearsal.exchange.orders.values()]


def nothing(_: object) -> None:
    """For what a test does not look at."""


def play(
    settings: Settings,
    arrange: Callable[[Somebody], None] = nothing,
    *,
    say: Callable[[str], None] = nothing,
    market: str | None = None,
    late: bool = False,
) -> Played:
    """Three orders rest, or one is ``late``, before somebody is in a hurry; after ``arrange``."""

    async def whole(rehearsal: Rehearsal) -> Played:
        async with somebody(rehearsal) as other, trio.open_nursery() as nursery:
            if late:
                nursery.start_soon(other.place, "late")
            else:
                for number, each in enumerate((*MARKETS, MARKETS[0])):
                    await other.place(f"{number}", each)
            arrange(other)
            began = trio.current_time()
            clearance = await in_a_hurry(rehearsal, say, market)
            seconds = trio.current_time() - began
        return Played(clearance, rehearsal, seconds)

    return rehearse(whole, settings, delay=DELAY, tls=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """With a state directory of the test's own."""
    return attrs.evolve(Settings(), journal=JournalSettings(directory=str(tmp_path)))


def test_every_order_goes(settings: Settings) -> None:
    """In every market, though no bot placed them. It says so before, and how each ended afterwards; quickly."""
    said: list[str] = []
    played = play(settings, say=said.append)
    clearance = played.clearance
    assert (clearance.is_clear, clearance.left) == (True, ())
    assert played.statuses() == ["CLOSED"] * 3
    ends = {report.client_id: (report.status, report.cancel_reason) for report in clearance.gone}
    assert ends == dict.fromkeys("012", ("CLOSED", "USER_CANCELED"))
    assert played.seconds < 4
    assert "in every market, whoever placed it" in said[0]
    assert "No bot of this machine" in said[1]
    tell(clearance, said.append)
    assert [line[:26] for line in said[2:]] == [
        "gone  BTC-USD-PERP BUY 1 a",
        "gone  ETH-USD-PERP BUY 1 a",
        "gone  BTC-USD-PERP BUY 1 a",
        "3 orders are gone, none is",
    ]


@pytest.fixture
def by_call(settings: Settings) -> Settings:
    """Orders go over the WebSocket."""
    return attrs.evolve(settings, orders=OrdersSettings(via="ws"))


@pytest.mark.parametrize(
    ("market", "statuses"), [(None, ["CLOSED"] * 3), ("ETH-USD-PERP", ["OPEN", "CLOSED", "OPEN"])]
)
def test_over_the_websocket(by_call: Settings, market: str | None, statuses: list[str]) -> None:
    """If that is the way of orders: the cancels take it, too, and REST is not asked for any."""
    said: list[str] = []
    played = play(by_call, say=said.append, market=market)
    requests = played.rehearsal.exchange.counters.requests
    assert requests["WS order.cancel_all"]
    assert not requests["DELETE /v1/orders"]
    assert played.clearance.is_clear
    assert played.statuses() == statuses
    assert not any("REST" in line for line in said)


def _refuse_the_call(other: Somebody) -> None:
    other.rehearsal.exchange.faults.add(Refuse(on="cancel-all", over="ws", status=503, times=None))


def _swallow_the_call(other: Somebody) -> None:
    other.rehearsal.exchange.faults.add(Swallow(on="cancel-all", over="ws", times=None))


def _lose_the_websocket(other: Somebody) -> None:
    def drop(_way: str, _text: str) -> None:
        other.rehearsal.exchange.drop_websockets()

    other.rehearsal.messages.listeners.append(drop)


@pytest.mark.parametrize("arrange", [_refuse_the_call, _swallow_the_call, _lose_the_websocket])
def test_over_rest_when_the_websocket_does_not_do_it(
    by_call: Settings, arrange: Callable[[Somebody], None]
) -> None:
    """Whatever is wrong with it, it is said, and the cancels go all the same, in time."""
    said: list[str] = []
    played = play(by_call, arrange, say=said.append)
    assert played.clearance.is_clear
    assert played.statuses() == ["CLOSED"] * 3
    if arrange is not _lose_the_websocket:
        assert any("The cancels go over REST" in line for line in said)
    assert played.seconds < DEADLINE


def test_only_one_market(settings: Settings) -> None:
    """The others' orders stay, and are none of its business."""
    played = play(settings, market="ETH-USD-PERP")
    assert played.clearance.is_clear
    assert [report.client_id for report in played.clearance.gone] == ["1"]
    assert played.statuses() == ["OPEN", "CLOSED", "OPEN"]


def test_a_market_that_does_not_exist(settings: Settings) -> None:
    """It has no orders, which would be no answer to somebody who has misspelt it."""
    misspelt = pytest.RaisesExc(FatalError, match="the nearest name is ETH-USD-PERP")
    with pytest.RaisesGroup(misspelt, flatten_subgroups=True):
        play(settings, market="ETH-USD-PREP")


def test_an_order_that_was_on_its_way(settings: Settings) -> None:
    """It arrives after the first list, which had none, and after the first cancel: so it looks twice."""

    def arrange(other: Somebody) -> None:
        other.rehearsal.exchange.faults.add(Late(on="create", request=1.6))

    played = play(settings, arrange, late=True)
    assert played.statuses() == ["CLOSED"]
    assert played.clearance.is_clear
    assert [report.client_id for report in played.clearance.gone] == ["late"]


def test_what_is_left_is_named(settings: Settings) -> None:
    """The venue does not do it: the time is up after 10 s, and each order is named that is still open."""

    def arrange(other: Somebody) -> None:
        other.rehearsal.exchange.faults.add(Refuse(on="cancel-all", status=502, times=None))

    played = play(settings, arrange)
    assert not played.clearance.is_clear
    assert DEADLINE <= played.seconds < DEADLINE + 2
    said: list[str] = []
    tell(played.clearance, said.append)
    assert [line[:5] for line in said] == ["LEFT "] * 3 + ["0 ord"]
    assert all(f"client_id={number}, OPEN" in said[number] for number in range(3))


def test_when_nobody_can_tell(settings: Settings) -> None:
    """The list is not answered: orders are cancelled all the same, but that none is open is not claimed."""

    def arrange(other: Somebody) -> None:
        other.rehearsal.exchange.faults.add(Refuse(on="open-orders", status=502, times=None))

    played = play(settings, arrange)
    assert played.statuses() == ["CLOSED"] * 3
    assert played.clearance == Clearance(gone=(), left=(), is_clear=False)


def test_how_orders_ended_is_not_told(settings: Settings) -> None:
    """They are gone even if the history is silent, and are shown as they were seen last."""

    def arrange(other: Somebody) -> None:
        other.rehearsal.exchange.faults.add(Swallow(on="history"))

    played = play(settings, arrange)
    assert played.clearance.is_clear
    assert [report.status for report in played.clearance.gone] == ["OPEN"] * 3


def test_an_account_that_the_venue_does_not_know(settings: Settings) -> None:
    """It has no orders, and is not registered by looking."""

    async def whole(rehearsal: Rehearsal) -> None:
        unknown = pytest.RaisesExc(FatalError, match="does not know the account")
        with pytest.RaisesGroup(unknown, flatten_subgroups=True):
            await in_a_hurry(rehearsal, nothing)
        assert "POST /v1/onboarding" not in rehearsal.exchange.counters.requests

    rehearse(whole, settings, delay=DELAY, tls=False)


def test_a_venue_that_is_back_soon(settings: Settings) -> None:
    """It is asked again every two seconds, and no less often for having failed before."""

    def arrange(other: Somebody) -> None:
        other.rehearsal.exchange.faults.add(Refuse(on="config", status=503, times=12))

    played = play(settings, arrange)
    assert played.clearance.is_clear
    assert played.seconds < 25


def test_a_venue_that_stays_away(settings: Settings) -> None:
    """Which account it is nobody knows then, so no bot could be told: how to is said."""
    said: list[str] = []

    def arrange(other: Somebody) -> None:
        other.rehearsal.exchange.faults.add(Refuse(on="config", status=503, times=None))

    away = pytest.RaisesExc(FatalError, match="^no login within 30 s; the venue's page cancels orders, too$")
    with pytest.RaisesGroup(away, flatten_subgroups=True):
        play(settings, arrange, say=said.append)
    assert said == ["No bot was told; one that runs goes on: kill -USR1 PID pulls its kill switch."]


# The bot that has the account.


@pytest.fixture
def switch() -> Iterator[list[int]]:
    """The signals that this process got, as the bot's would."""
    pulled: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: pulled.append(number))
    yield pulled
    signal.signal(signal.SIGUSR1, before)


def lock(other: Somebody, folder: Path, pid: int) -> AccountLock:
    """That of a bot which has the account of ``other``."""
    files = account_files(
        folder,
        hashing_key(folder),
        environment="embedded",
        rest_url=other.rehearsal.surroundings.venue.rest_url,
        account=other.logged_in.signer.account,
    )
    return AccountLock(files.lock, Holder(pid, "1a2b-3c", 1_800_000_000_000_000_000))


def test_the_bot_is_told_first(settings: Settings, tmp_path: Path, switch: list[int]) -> None:
    """Before the first cancel, or it would place the next order; and it is named."""
    said: list[str] = []
    others: list[Somebody] = []
    locks: list[AccountLock] = []

    def arrange(other: Somebody) -> None:
        others.append(other)
        locks.append(lock(other, tmp_path, os.getpid()))

    def say(line: str) -> None:
        said.append(line)
        assert others[0].rehearsal.exchange.counters.requests["DELETE /v1/orders"] == 0

    assert play(settings, arrange, say=say).clearance.is_clear
    locks[0].release()
    assert switch == [signal.SIGUSR1]
    assert said[1].startswith(f"The bot with pid {os.getpid()}, run 1a2b-3c, since 2027-01-15 08:00:00 UTC")
    assert "kill switch is pulled" in said[1]


def test_a_number_that_is_somebody_elses_here(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock reaches into containers and other machines, a process number does not: no stranger is signalled."""
    if not Path("/proc/self/fd").exists():
        pytest.skip("this system does not tell which files a process has open")

    def arrange(other: Somebody) -> None:
        locks.append(lock(other, tmp_path, os.getppid()))

    locks: list[AccountLock] = []
    said: list[str] = []
    monkeypatch.setattr(os, "kill", pytest.fail)
    play(settings, arrange, say=said.append)
    locks[0].release()
    assert "not on this machine" in said[1]


# What the command line answers when there is nothing to do.


@pytest.fixture
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trio, "run", pytest.fail)


@pytest.mark.usefixtures("_alone")
def test_the_embedded_exchange(capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with its bot, and so do the orders there: exit code 0, and words that tell where orders stay."""
    assert cancel_all(Options()) == 0
    assert "nothing to cancel" in capsys.readouterr().err
    assert cancel_all(Options(json=True)) == 0
    assert json.loads(capsys.readouterr().out) == {"gone": [], "left": [], "is_clear": True}


@pytest.mark.usefixtures("_alone")
@pytest.mark.parametrize(("environment", "words"), [("prod", "--live"), ("testnet", "no private key")])
def test_settings_that_will_not_do(
    environment: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and the reason; real money takes one word more, here too."""
    monkeypatch.setenv("BOT__ENVIRONMENT", environment)
    assert cancel_all(Options()) == 2
    assert words in capsys.readouterr().err
