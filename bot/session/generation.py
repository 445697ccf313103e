"""Generations of the WebSocket: each lives in a nursery that dies whole, and nothing of it survives into the next."""

import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from math import inf
from typing import Any

import attrs
import trio
from loguru import logger

from bot.core.clock import Clock
from bot.core.errors import FatalError, RefusedError, RequestError, StreamClosedError, leaves
from bot.core.tape import Tape
from bot.link.clock import WallWatch
from bot.link.websocket import StreamSettings, WebSocket, open_websocket
from bot.paradex import rpc
from bot.paradex.calls import CANCEL_ON_DISCONNECT
from bot.session.capabilities import AuthedRest, Session, Token, open_session
from bot.session.entry import NOT_PERMITTED, OrderEntry
from bot.session.inbox import FillReported, Inbox, OrderReported, SessionLost, SessionOpened
from bot.session.snapshot import Snapshots
from bot.session.stream import Stream, open_stream
from bot.session.supervise import TaskStatus

ESTABLISH_DEADLINE = 10.0
"""Seconds from the open connection to the last subscription's reply."""

UNREADABLE_PER_MINUTE = 10
"""Frames that make no sense; with this many in a minute the connection is given up (`faults.md` section 2)."""

GOOD_LIFE = 60.0
"""Seconds. A session that lived so long was welcome: if it ends because of who we are, that is a new matter."""

BEARER_REFUSALS = frozenset({40110, 40111})
"""Codes that ask for another token (protocol reference 4.2)."""

ABNORMAL, POLICY_VIOLATION, NO_SUBSCRIPTION = 1006, 1008, 4031
"""Close codes. The venue's own, from 4000 on, are taken for the former; of the last no token is to blame."""


@attrs.define(eq=False, kw_only=True)
class Generations:
    """Makes generation 1, 2, 3 … of the WebSocket, one `run` each."""

    url: str
    tls: ssl.SSLContext
    settings: StreamSettings
    markets: tuple[str, ...]
    authed: AuthedRest
    snapshots: Snapshots
    inbox: Inbox
    clock: Clock
    tape: Tape
    cancel_on_disconnect: bool
    """Whether the venue is to cancel the orders of a WebSocket that ends."""

    enter: Callable[[Stream, Callable[[RefusedError], None]], OrderEntry | None]
    """Order entry over a WebSocket, and whom it tells that the venue wants none; None for none."""

    known: Callable[[], Awaitable[None]]
    """Awaited before a session opens: what has to be in the stream by then."""

    wanted_ns: int
    """Since when a session is wanted, by the monotonic clock: the start, later the loss of the one before."""

    closing: trio.Event = attrs.field(factory=trio.Event)
    """Set it to end the generation that lives with a close code of 1000, and all of this with it."""

    attempts: int = 0
    """The number of the generation that lives, or was tried last."""

    count: int = 0
    """How many became ready."""

    ready_ms: float | None = None
    """How long the first one took from `wanted_ns`."""

    _ready_at: float = attrs.field(default=inf, init=False)
    """Since when the last session was ready, in trio time."""

    _is_armed: bool = attrs.field(default=False, init=False)
    """The venue cancels the orders of the WebSocket when it ends."""

    _blamed: Token | None = attrs.field(default=None, init=False)
    """With which the venue last closed a connection because of who we are."""

    async def run(self, task_status: TaskStatus[Session]) -> None:  # noqa: ASYNC128 - _serve calls it
        """Open, authenticate, subscribe, take stock, and then serve until the connection dies or `closing`.

        Raises, perhaps in groups:
            NotSentError, StreamClosedError, RefusedError, UnknownOutcomeError: another generation may do better.
            FatalError: none will, says the venue.
        """
        self.attempts += 1
        generation = self.attempts
        self._ready_at, self._is_armed = inf, False
        async with open_websocket(
            self.url, self.tls, self.settings, self.tape, generation, self.clock
        ) as websocket:
            token, stream = self.authed.token, open_stream(websocket)
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._read, generation, websocket, stream)
                    nursery.start_soon(self._heartbeat, websocket)
                    nursery.start_soon(self._watch_wall)
                    outcast = _Outcast(self.authed, token)
                    nursery.start_soon(outcast.end)
                    with trio.CancelScope() as serving:
                        nursery.start_soon(self._end_when_closing, serving)  # noqa: ASYNC111 - later it does no harm
                        await self._establish(stream, token)
                        entry = self.enter(stream, outcast.refused)
                        await self._serve(generation, entry, task_status.started)
                    await self._disarm(stream)
                    nursery.cancel_scope.cancel()
            except* StreamClosedError as ends:
                self._look_at_code(ends, token)
                raise
            finally:
                stream.lose()
            await websocket.close()
            logger.info("[STOP] Paradex WebSocket closed: 1000")

    def _look_at_code(self, ends: BaseExceptionGroup[StreamClosedError], token: Token) -> None:
        """Have another token made if the venue closed the connection because of who we are.

        Raises:
            FatalError: it did so before, and ``token`` is another one.
        """
        for end in leaves(ends):
            if not (isinstance(end, StreamClosedError) and blames_us(end.code)):
                continue
            is_new_matter = self._blamed in {None, token} or trio.current_time() > self._ready_at + GOOD_LIFE
            if not is_new_matter and trio.current_time() < token.expires_at:
                raise FatalError(f"the venue ends the session with a new token, too: {end}") from end
            self._blamed = token
            self.authed.token_refused(token)

    async def _establish(self, stream: Stream, token: Token) -> None:
        with trio.move_on_after(ESTABLISH_DEADLINE) as deadline:
            try:
                for method, params in opening(
                    token.text, self.markets, cancel_on_disconnect=self.cancel_on_disconnect
                ):
                    await stream.call(method, params, secret=token.text)
                    self._is_armed |= method == CANCEL_ON_DISCONNECT
            except RefusedError as refused:
                if method != "subscribe" and refused.status in BEARER_REFUSALS:
                    self.authed.token_refused(token)
                if method == CANCEL_ON_DISCONNECT and refused.status in NOT_PERMITTED:
                    raise no_orders(refused) from refused
                raise
            channels = ", ".join(map(rpc.orders_channel, self.markets))
            logger.info("[INIT] Paradex WebSocket subscribed: {}", channels)
        if deadline.cancelled_caught:
            raise StreamClosedError(ABNORMAL, f"not subscribed within {ESTABLISH_DEADLINE:g} s")

    async def _end_when_closing(self, serving: trio.CancelScope) -> None:
        await self.closing.wait()
        serving.cancel()

    async def _disarm(self, stream: Stream) -> None:
        """Whatever rests at a clean end is somebody else's, and stays: this WebSocket's end must not cancel it."""
        if not self._is_armed:
            return
        why = "no reply"
        with trio.move_on_after(self.settings.close_timeout / 2):
            try:
                await stream.call(*arming(enabled=False))
            except (RequestError, StreamClosedError) as error:
                why = str(error)
            else:
                return
        logger.warning("[STOP] Paradex cancel-on-disconnect still armed: {}", why)

    async def _serve(
        self, generation: int, entry: OrderEntry | None, ready: Callable[[Session], None]
    ) -> None:
        await self.known()
        # Subscribed before the snapshot is asked for: what changes in between is in both, and in neither never.
        self.inbox(await self.snapshots.take())
        with open_session(generation, entry) as session:
            try:
                self.inbox(SessionOpened(session))
                elapsed_ms = (self.clock.monotonic_ns() - self.wanted_ns) / 1e6
                self.count += 1
                self._ready_at = trio.current_time()
                if self.ready_ms is None:
                    self.ready_ms = elapsed_ms
                logger.info("[INIT] Paradex session {} ready in {:.0f} ms", generation, elapsed_ms)
                ready(session)
                await trio.sleep_forever()
            finally:
                self.wanted_ns = self.clock.monotonic_ns()
                self.inbox(SessionLost(generation))

    async def _read(self, generation: int, websocket: WebSocket, stream: Stream) -> None:
        unreadable: deque[float] = deque(maxlen=UNREADABLE_PER_MINUTE)
        while True:
            frame = await websocket.receive()
            try:
                message = rpc.read(frame.data)
            except rpc.UnreadableFrameError as error:
                logger.warning("[WS] Paradex frame set aside: {}", error)
                unreadable.append(trio.current_time())
                if len(unreadable) == UNREADABLE_PER_MINUTE and unreadable[-1] - unreadable[0] < 60:
                    raise StreamClosedError(
                        ABNORMAL, f"{UNREADABLE_PER_MINUTE} unreadable frames in a minute"
                    ) from error
            else:
                hear(message, frame.ns, generation, stream.replied, self.inbox)

    async def _heartbeat(self, websocket: WebSocket) -> None:
        while True:
            await trio.sleep(self.settings.ping_interval)
            with trio.move_on_after(self.settings.ping_deadline) as deadline:
                await websocket.ping()
            if deadline.cancelled_caught:
                raise StreamClosedError(ABNORMAL, f"no pong within {self.settings.ping_deadline:g} s")

    async def _watch_wall(self) -> None:
        jump = await WallWatch(self.clock).jumped()
        # A machine that slept missed everything, and an open socket does not show it.
        raise StreamClosedError(ABNORMAL, f"our clock jumped by {jump:+.1f} s")


@attrs.define(eq=False)
class _Outcast:
    """Ends a generation whose WebSocket the venue takes no orders from."""

    authed: AuthedRest
    token: Token
    _end: StreamClosedError | None = None
    _told: trio.Event = attrs.field(factory=trio.Event)

    def refused(self, refusal: RefusedError) -> None:
        """A token that does not hold is renewed; what is not permitted at all another one has to change."""
        if refusal.status in BEARER_REFUSALS:
            self.authed.token_refused(self.token)
        self._end = no_orders(refusal)
        self._told.set()

    async def end(self) -> None:
        await self._told.wait()
        assert self._end is not None
        raise self._end


def no_orders(refusal: RefusedError) -> StreamClosedError:
    """How a WebSocket ends over which the venue takes none: as if it had closed it."""
    code = ABNORMAL if refusal.status in BEARER_REFUSALS else POLICY_VIOLATION
    return StreamClosedError(code, f"no orders are taken: {refusal}")


Method = tuple[str, dict[str, Any]]
"""A method and its parameters."""


def opening(token: str, markets: Sequence[str], *, cancel_on_disconnect: bool) -> Iterator[Method]:
    """What a generation asks of the venue before it may trade, in this order."""
    yield "auth", {"bearer": token}
    if cancel_on_disconnect:
        yield arming(enabled=True)
    for market in markets:
        yield "subscribe", {"channel": rpc.orders_channel(market)}
        yield "subscribe", {"channel": rpc.fills_channel(market)}


def arming(*, enabled: bool) -> Method:
    """Have the venue cancel the orders of this WebSocket when it ends, or not (protocol reference 5.3)."""
    return CANCEL_ON_DISCONNECT, {"enabled": enabled}


def hear(
    message: rpc.Message, ns: int, generation: int, replied: Callable[[rpc.Reply, int], bool], inbox: Inbox
) -> None:
    """Pass on what a frame said that came at ``ns``. ``replied`` tells whether somebody waited for that reply."""
    match message:
        case rpc.Reply() as reply:
            if not replied(reply, ns):
                logger.warning("[WS] Paradex reply that nobody asked for: {}", reply)
        case rpc.OrderUpdate(report):
            inbox(OrderReported(generation, report, ns))
        case rpc.FillUpdate(report):
            inbox(FillReported(generation, report, ns))
        case other:
            logger.debug("[WS] Paradex data of a channel not subscribed: {}", type(other).__name__)


def blames_us(close_code: int) -> bool:
    """Whether who we are is why the venue closed the connection (`faults.md` section 2)."""
    return close_code == POLICY_VIOLATION or (4000 <= close_code < 5000 and close_code != NO_SUBSCRIPTION)
