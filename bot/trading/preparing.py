"""Signs orders ahead of the decision to send them, when nothing else is to be done, and keeps the signatures.

They are not encoded ahead: that takes 3 µs, as long as it would to look for what still has to be put in.
"""

from collections.abc import Iterable

import attrs
import trio

# The one of `trio.testing`, which cannot be had from there without pytest.
from trio._core import wait_all_tasks_blocked  # type: ignore[attr-defined]

from bot.core.errors import NotSentError
from bot.core.order import Order
from bot.session.inbox import Inbox
from bot.session.stop import Stop
from bot.trading.effects import OrderPrepared, PrepareFailed
from bot.trading.signing import OrderSigner, Signing

PATIENCE_S = 0.05
"""Where something else is always to be done, a signature has its turn after so long."""


@attrs.define(eq=False, kw_only=True)
class Preparer:
    """Orders by client id: those that wait for a signature, and those that have one."""

    inbox: Inbox
    signer: OrderSigner
    stop: Stop
    _wanted: dict[str, Order] = attrs.field(factory=dict, init=False)
    _signed: dict[str, Signing] = attrs.field(factory=dict, init=False)
    _turn: trio.Lock = attrs.field(factory=trio.Lock, init=False)

    def want(self, order: Order) -> None:
        """Have it signed by the next `sign_one` whose turn it is."""
        self._wanted[order.client_id] = order

    def forget(self, client_ids: Iterable[str]) -> None:
        for client_id in client_ids:
            self._wanted.pop(client_id, None)
            self._signed.pop(client_id, None)

    def take(self, client_id: str) -> Signing:
        """The order is sent now, and never again with this signature. Raises `NotSentError` if there is none."""
        try:
            return self._signed.pop(client_id)
        except KeyError:
            raise NotSentError("it is not signed") from None

    async def sign_one(self) -> None:
        """Sign the order that has been waiting for the longest, if there still is one, and report.

        As long as a signature takes nothing else happens. So one is begun when no task is ready to run, and the next
        one when those are through that became so meanwhile.
        """
        async with self._turn:
            with trio.move_on_after(PATIENCE_S):
                await wait_all_tasks_blocked()
            if self._wanted:
                client_id = next(iter(self._wanted))
                self._sign(self._wanted.pop(client_id))

    def _sign(self, order: Order) -> None:
        client_id = order.client_id
        try:
            self.stop.refuse_new_orders()
            self.signer.check_clock()
            signing = self.signer.order(order)
        except NotSentError as failure:
            self.inbox(PrepareFailed(client_id, failure))
            return
        self._signed[client_id] = signing
        self.inbox(
            OrderPrepared(
                client_id=client_id,
                signature_timestamp=signing.timestamp,
                until_ns=self.signer.until_ns(signing),
                sign_ns=signing.ns,
                hash_ns=signing.hash_ns,
            )
        )
