"""Bugs that would break the promise, to be put in on purpose: the campaign has to find each."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import trio

from bot.core.errors import NotSentError, RequestError, UnknownOutcomeError
from bot.core.fill import Fill
from bot.core.order import TRANSITIONS, Event, Order, State
from bot.link.answer import Answer, Permit, always
from bot.paradex import limits, rpc
from bot.paradex.calls import CREATE, CREATE_BATCH, Call
from bot.paradex.limits import Turn
from bot.paradex.request import Request
from bot.session import entry
from bot.session.capabilities import AuthedReservation, Session, open_session
from bot.session.entry import OrderEntry
from bot.session.generation import Generations
from bot.session.inbox import Inbox, SessionLost, SessionOpened
from bot.session.stream import Stream
from bot.session.supervise import TaskStatus
from bot.simulation.world import replaced
from bot.trading.sending import Sender
from bot.trading.signing import OrderSigner
from bot.trading.step.holdings import Holdings
from bot.trading.step.preparations import Preparations
from bot.trading.step.pursuit import Pursuit
from bot.trading.strategies.trader import Trader

Bug = Callable[[], AbstractContextManager[None]]

AGAIN_AFTER_S = 2.0
LATE_S = 3.0


@contextmanager
def sent_again() -> Iterator[None]:
    """As an SDK does whose transport retries: meanwhile the first was cancelled, and now there is a second."""
    request, call = AuthedReservation.send, Session.send

    async def again(self: AuthedReservation, what: Request[Any], permit: Permit = always) -> Answer[Any]:
        try:
            return await request(self, what, permit)
        except UnknownOutcomeError:
            if what.method != "POST":
                raise
            await trio.sleep(AGAIN_AFTER_S)
            return await request(self, what, permit)

    async def called_again(self: Session, what: Call[Any], permit: Permit = always) -> Answer[Any]:
        try:
            return await call(self, what, permit)
        except UnknownOutcomeError:
            if what.method not in {CREATE, CREATE_BATCH}:
                raise
            await trio.sleep(AGAIN_AFTER_S)
            return await call(self, what, permit)

    with replaced(AuthedReservation, "send", again), replaced(Session, "send", called_again):
        yield


@contextmanager
def called_rejected() -> Iterator[None]:
    """As other software does after some look-ups: the order arrives all the same, and rests for ever."""
    looked_up = Pursuit.looked_up

    def impatient(self: Pursuit, client_id: str, result: Any) -> int:
        asked_ns = looked_up(self, client_id, result)
        order = self._ledger.get(client_id)
        if result is None and order.state is State.UNKNOWN:
            self._ledger.move(order, Event.REFUSED, reason="timeout")
        return asked_ns

    TRANSITIONS[State.UNKNOWN, Event.REFUSED] = State.REJECTED
    try:
        with replaced(Pursuit, "looked_up", impatient):
            yield
    finally:
        del TRANSITIONS[State.UNKNOWN, Event.REFUSED]


@contextmanager
def gate_open_early() -> Iterator[None]:
    """What became of orders while nobody listened is not known yet, and the strategy trades on."""

    async def serve(
        self: Generations, generation: int, order_entry: OrderEntry | None, ready: Callable[[Session], None]
    ) -> None:
        await self.known()
        with open_session(generation, order_entry) as session:
            try:
                self.inbox(SessionOpened(session))
                self.inbox(await self.snapshots.take())
                self.count += 1
                ready(session)
                await trio.sleep_forever()
            finally:
                self.inbox(SessionLost(generation))

    with replaced(Generations, "_serve", serve):
        yield


@contextmanager
def fill_applied_twice() -> Iterator[None]:
    """The venue tells of it twice, as it may, and the position is wrong."""
    count = Holdings.count

    def forgetful(self: Holdings, fill: Fill, order: Order | None, **how: bool) -> bool:
        self._counted.clear()
        return count(self, fill, order, **how)

    with replaced(Holdings, "count", forgetful):
        yield


@contextmanager
def trader_not_revoked() -> Iterator[None]:
    """Whoever kept it places an order while the bot shuts down."""
    with replaced(Trader, "revoke", lambda _self: None):
        yield


@contextmanager
def intent_after_the_send() -> Iterator[None]:
    """All goes well as long as nobody dies in between, and is wrong all the same."""
    start, commit, send = Sender._start, Sender._commit, Sender._send  # noqa: SLF001 - there it has to be
    waiting: list[tuple[Any, ...]] = []

    def put_off(_self: Sender, *intent: Any) -> None:
        waiting.append(intent)

    async def send_first(self: Sender, *what: Any) -> Answer[Any]:
        intents = tuple(waiting)
        waiting.clear()
        try:
            return await send(self, *what)
        finally:
            for intent in intents:
                start(self, *intent)
            commit(self)

    with (
        replaced(Sender, "_start", put_off),
        replaced(Sender, "_commit", lambda _self: None),
        replaced(Sender, "_send", send_first),
    ):
        yield


@contextmanager
def not_armed_again() -> Iterator[None]:
    """Cancel-on-disconnect is asked for once, and the next WebSocket knows nothing of it."""
    run = Generations.run

    async def once(self: Generations, ready: TaskStatus[Session]) -> None:  # noqa: ASYNC128 - as it does
        if self.attempts:
            self.cancel_on_disconnect = False
        await run(self, ready)

    with replaced(Generations, "run", once):
        yield


@contextmanager
def reply_to_another() -> Iterator[None]:
    """Replies are taken for those to the calls in the order of calling."""

    def first_come(self: Stream, reply: rpc.Reply, ns: int) -> bool:
        pending = next((each for each in self._waiting if each.id and each.reply is None), None)
        if pending is None:
            return False
        pending.reply, pending.ns = reply, ns
        pending.arrived.set()
        return True

    with replaced(Stream, "replied", first_come):
        yield


@contextmanager
def cancelled_write_not_sent() -> Iterator[None]:
    """A call that got no reply is taken for one that never left, although its frame was given to the socket."""

    def nothing_left(self: Any) -> RequestError:
        return NotSentError(f"{self.call.method}: the write was cancelled")

    with replaced(entry.Parcel, "_failure", nothing_left):
        yield


@contextmanager
def reserve_spent() -> Iterator[None]:
    """New orders take what is kept for cancels."""
    turn_of = limits.turn_of

    def greedy(method: str, path: str) -> Turn:
        turn = turn_of(method, path)
        return Turn.FIRST if turn is Turn.NOW_OR_NEVER else turn

    with replaced(limits, "turn_of", greedy):
        yield


@contextmanager
def old_generation() -> Iterator[None]:
    """That a session is lost is told late, when the next one is open; and that one is taken for lost."""
    run = Generations.run

    async def outlived(self: Generations, ready: TaskStatus[Session]) -> None:  # noqa: ASYNC128 - as it does
        inbox = self.inbox
        self.inbox = _late(inbox)
        try:
            await run(self, ready)
        finally:
            self.inbox = inbox

    with replaced(Generations, "run", outlived):
        yield


@contextmanager
def sent_too_late() -> Iterator[None]:
    """Nobody looks how old it is what was signed ahead."""
    with (
        replaced(Preparations, "_is_too_old", lambda *_: False),
        replaced(OrderSigner, "check_age", lambda *_: None),
    ):
        yield


def _late(inbox: Inbox) -> Inbox:
    def tell(item: Any) -> None:
        if isinstance(item, SessionLost):
            trio.lowlevel.spawn_system_task(_tell_later, inbox, item)
        else:
            inbox(item)

    return tell


async def _tell_later(inbox: Inbox, item: SessionLost) -> None:
    await trio.sleep(LATE_S)
    inbox(item)


BUGS: Mapping[str, Bug] = {
    "sent again": sent_again,
    "unknown called rejected": called_rejected,
    "gate open early": gate_open_early,
    "fill applied twice": fill_applied_twice,
    "trader not revoked": trader_not_revoked,
    "intent after the send": intent_after_the_send,
    "not armed again": not_armed_again,
    "reply to another": reply_to_another,
    "cancelled write not sent": cancelled_write_not_sent,
    "reserve spent": reserve_spent,
    "old generation": old_generation,
    "sent too late": sent_too_late,
}
"""By name."""
