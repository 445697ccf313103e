"""Sends what has to be signed: new orders, and other terms for those that the venue has. Each once.

Its intent is in the journal before the first byte leaves, and whether it still may leave is asked when that is about
to happen.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Protocol

import attrs
import trio
from loguru import logger

from bot.core.errors import (
    JournalError,
    NotSentError,
    RefusedError,
    RequestError,
    SessionGoneError,
    or_failure,
)
from bot.core.order import Order
from bot.core.tape import HIDDEN, Tape
from bot.link.answer import Answer, Permit
from bot.paradex import outcome
from bot.session.capabilities import AuthedRest, Session
from bot.session.inbox import Inbox
from bot.session.stop import Stop
from bot.trading.effects import (
    ModifyEnded,
    ModifyOrder,
    PlaceBatch,
    PlaceOrder,
    SendEnded,
    SendStarted,
    Signed,
    clock_margin_ns,
)
from bot.trading.preparing import Preparer
from bot.trading.requests import WS, Sent, modifying, placing, results_of
from bot.trading.signing import OrderSigner, Signing

PATIENCE_S = 1.0
"""How long a stop waits for the answer to what has left. Then it is looked for, while there is time to do so."""


class Way(Protocol):
    """A turn in a lane, or a session."""

    async def send(self, request: Any, permit: Permit) -> Answer[Any]: ...


@attrs.frozen(kw_only=True)
class Sender:
    """Tells ``inbox`` before each request, and how it ended."""

    inbox: Inbox
    tape: Tape
    alarm: Callable[[str], None]
    authed: AuthedRest
    signer: OrderSigner
    stop: Stop
    via: str
    """`bot.trading.requests.REST` or ``WS``"""

    preparer: Preparer = attrs.field(init=False)
    """Who signs ahead what is to be sent here."""

    @preparer.default
    def _new_preparer(self) -> Preparer:
        return Preparer(inbox=self.inbox, signer=self.signer, stop=self.stop)

    @property
    def is_instant(self) -> bool:
        """Over the WebSocket a prepared order leaves in the step that decided it: there is no turn to wait for."""
        return self.via == WS

    def leave(self, effect: PlaceOrder, cause: int) -> Awaitable[Answer[Any]]:
        """Send a prepared order at this moment. `finish` has to be awaited with what is returned."""
        try:
            signing, permit = self._take(effect)
            permit()
            call = self._begin(effect, signing, cause)
            parcel = effect.session.leave(call, permit)
        except NotSentError as failure:
            return _raised(failure)
        return self._patiently(parcel.answer, lambda: parcel.has_left)

    async def place(self, effect: PlaceOrder | PlaceBatch, cause: int) -> None:
        match effect:
            case PlaceOrder(is_prepared=True):
                await self.finish(effect, self._place_prepared(effect, cause))
            case _:
                await self.finish(effect, self._place(effect, cause))

    async def finish(self, effect: PlaceOrder | PlaceBatch, sent: Awaitable[Answer[Any]]) -> None:
        """Wait for the answer to what was ``sent`` of ``effect``, and report it."""
        answer = await or_failure(sent)
        if isinstance(answer, RequestError):
            for order in effect.orders:
                self.inbox(SendEnded(client_id=order.client_id, result=answer))
            return
        for client_id, result in results_of(effect.orders, answer.value).items():
            self.inbox(
                SendEnded(
                    client_id=client_id,
                    result=result,
                    reused=answer.reused,
                    request_ns=answer.elapsed_ns,
                    exchange=answer.exchange,
                )
            )

    async def modify(self, effect: ModifyOrder, cause: int) -> None:
        answer = await or_failure(self._modify(effect, cause))
        client_id, number = effect.order.client_id, effect.wanted.number
        if isinstance(answer, RequestError):
            self.inbox(ModifyEnded(client_id=client_id, number=number, result=answer))
        else:
            self.inbox(
                ModifyEnded(client_id=client_id, number=number, result=answer.value, exchange=answer.exchange)
            )

    async def _place(self, effect: PlaceOrder | PlaceBatch, cause: int) -> Answer[Any]:
        """Raises what `AuthedReservation.send` does."""
        permit = self._permit(effect.session)
        async with self._turn(effect.session) as way:
            permit()
            signings: list[Signing] = []
            for order in effect.orders:
                if signings:  # nothing else happens during a signature, so something may before the next
                    await trio.lowlevel.checkpoint()
                signings.append(self.signer.order(order))
            signed = [self.signer.signed(*each) for each in zip(effect.orders, signings, strict=True)]
            alone = [placing(effect, [each], cause, self.via) for each in signed]
            for order, signing, request in zip(effect.orders, signings, alone, strict=True):
                self._start(order, Signed.PLACE, signing, request)
            self._commit()
            try:
                together = alone[0] if len(alone) == 1 else placing(effect, signed, cause, self.via)
                return await self._send(way, together, permit)
            except RefusedError as refused:
                if not (self.via == WS and is_form_refused(effect, refused)):
                    raise
                # The venue takes batches as the SDK sends them, or never. It has said that it has none of these.
                logger.warning("[ORDER] Paradex batch refused as specified, sent as an array: {}", refused)
                return await self._send(way, placing(effect, signed, cause, self.via, bare=True), permit)

    async def _place_prepared(self, effect: PlaceOrder, cause: int) -> Answer[Any]:
        """Nothing is hashed or signed here. Raises what `AuthedReservation.send` does."""
        signing, permit = self._take(effect)
        async with self._turn(effect.session) as way:
            permit()
            return await self._send(way, self._begin(effect, signing, cause), permit)

    def _take(self, effect: PlaceOrder) -> tuple[Signing, Permit]:
        """The signature of a prepared order, and whether it may leave with that."""
        may_leave = self._permit(effect.session)
        signing = self.preparer.take(effect.order.client_id)

        def permit() -> None:
            may_leave()
            self.signer.check_age(signing)

        return signing, permit

    def _begin(self, effect: PlaceOrder, signing: Signing, cause: int) -> Any:
        """What is sent of a prepared order; its intent is written down."""
        request = placing(effect, [self.signer.signed(effect.order, signing)], cause, self.via)
        self._start(effect.order, Signed.PLACE, signing, request, self.signer.since_ns(signing))
        self._commit()
        return request

    async def _modify(self, effect: ModifyOrder, cause: int) -> Answer[Any]:
        """Raises what `AuthedReservation.send` does."""
        permit = self._permit(effect.session)
        async with self._turn(effect.session) as way:
            permit()
            signing = self.signer.modification(effect)
            request = modifying(effect, signing.signature.wire(), signing.timestamp, cause, self.via)
            self._start(effect.order, Signed.MODIFY, signing, request)
            self._commit()
            return await self._send(way, request, permit)

    def _turn(self, session: Session) -> AbstractAsyncContextManager[Way]:
        """Over the WebSocket there is no need to wait for one."""
        return nullcontext(session) if self.via == WS else self.authed.reserve_order_lane()

    async def _send(self, way: Way, request: Any, permit: Permit) -> Answer[Any]:
        """Raises what `AuthedReservation.send` does."""
        has_begun = False

        def leave() -> None:
            nonlocal has_begun
            permit()
            has_begun = True

        return await self._patiently(lambda: way.send(request, leave), lambda: has_begun)

    async def _patiently(
        self, answer: Callable[[], Awaitable[Answer[Any]]], has_begun: Callable[[], bool]
    ) -> Answer[Any]:
        """Wait for ``answer``, but in a stop no longer than `PATIENCE_S`."""
        with self.stop.no_longer_than(PATIENCE_S):
            return await answer()
        raise outcome.of_exception(f"the bot is stopping: {self.stop.reason}", has_begun=has_begun())

    def _permit(self, session: Session) -> Permit:
        """Whether something may leave because of a decision that was made in ``session``."""

        def permit() -> None:
            self.stop.refuse_new_orders()
            self.signer.check_clock()
            try:
                session.check()
            except SessionGoneError as gone:
                raise NotSentError(str(gone)) from gone

        return permit

    def _start(
        self, order: Order, what: Signed, signing: Signing, request: Sent, signed_ns: int | None = None
    ) -> None:
        """Write the intent; ``signed_ns`` as in `SendStarted`."""
        signature, is_prepared = signing.signature, signed_ns is not None
        self.inbox(
            SendStarted(
                order.client_id,
                signing.timestamp,
                self.signer.clock.monotonic_ns(),
                0 if is_prepared else signing.ns,
                what,
                clock_margin_ns(self.signer.venue_clock.uncertainty_ns),
                signed_ns=signed_ns,
                hash_ns=None if is_prepared else signing.hash_ns,
                struct_hash=signature.struct_hash or 0,
                message_hash=signature.message_hash,
                signature_digest=signature.digest(),
                request=request.shown(HIDDEN),
            )
        )

    def _commit(self) -> None:
        try:
            self.tape.commit()
        except JournalError as error:
            self.alarm(f"orders are not sent: {error}")
            raise NotSentError(str(error)) from error


def is_form_refused(effect: PlaceOrder | PlaceBatch, refused: RefusedError) -> bool:
    """Whether the venue may have refused the form of a batch: its documents and its SDK disagree (reference 5.2)."""
    return isinstance(effect, PlaceBatch) and outcome.is_about_form(refused)


async def _raised(failure: NotSentError) -> Answer[Any]:  # noqa: ASYNC124 - it stands for what is awaited
    raise failure
