"""Orders that wait for other terms. The venue's answer means that the wish is queued; only a report tells the rest.

What is not known is asked for, and never sent again: not even a second request for the same terms would be harmless,
for the order may have been filled in between.
"""

from typing import Any

import attrs
from loguru import logger

from bot.core.errors import NotSentError, RefusedError
from bot.core.order import Modification
from bot.paradex.answers import OrderReport
from bot.paradex.orders import DEFAULT_RECV_WINDOW
from bot.trading.effects import CLOCK_MARGIN_NS, LookedUp, ModifyEnded, SendStarted
from bot.trading.step.decisions import Decisions
from bot.trading.step.ledger import Ledger
from bot.trading.step.pursuit import LOOK_AGAIN_S, SAYS_WHY, Pursuit
from bot.trading.step.verdict import REJECTED, modification

MODIFY = "modify"
"""What timers are set for here; their subjects are client ids."""

LONGEST_WAIT_S = 30.0
"""Between two look-ups; snapshots of the account come about as often, and tell as well."""

WINDOW_NS = DEFAULT_RECV_WINDOW * 1_000_000
"""How long after its signature a modification may be accepted: it cannot name a window of its own (protocol reference
3.5)."""


@attrs.frozen
class Modifications:
    """Finds out what becomes of each."""

    _ledger: Ledger
    _pursuit: Pursuit
    _decisions: Decisions

    def started(self, item: SendStarted) -> None:
        """It is about to leave."""
        self._note(item.client_id, last_acceptable_ns=item.sent_ns + WINDOW_NS + item.margin_ns)

    def ended(self, item: ModifyEnded) -> None:
        """Its request ended."""
        wanted = self._wanted(item.client_id)
        if wanted is None or wanted.number != item.number:
            return  # a report was quicker than the answer
        match item.result:
            case OrderReport() as report:
                request = modification(report)
                if request is not None and request.status == REJECTED:
                    self._ledger.refuse_modification(
                        item.client_id, request.message or "the venue refused it"
                    )
                    return
                if request is not None and request.id:
                    self._note(item.client_id, request_id=request.id)
                self._decisions.wait(MODIFY, item.client_id, LOOK_AGAIN_S)
            case (NotSentError() | RefusedError()) as failure:
                logger.warning(
                    "[ORDER] Paradex order not modified: client_id={}, {}", item.client_id, failure
                )
                self._ledger.refuse_modification(item.client_id, str(failure))
                if isinstance(failure, RefusedError) and failure.status in SAYS_WHY:
                    self._pursuit.look_up(self._ledger.get(item.client_id))  # it may be over already
            case unknown:
                logger.warning(
                    "[ORDER] Paradex modification outcome unknown: client_id={}, {}", item.client_id, unknown
                )
                self._pursuit.look_up(self._ledger.get(item.client_id))

    def looked_up(self, item: LookedUp, asked_ns: int) -> None:
        """A look-up that was decided at ``asked_ns`` came back, and the ledger has taken over what it found.

        Where it found the order with other terms than those that are wanted, they may still come.
        """
        wanted = self._wanted(item.client_id)
        if wanted is None or wanted.last_acceptable_ns is None or not isinstance(item.result, OrderReport):
            return
        if asked_ns <= wanted.last_acceptable_ns:
            # The longer it took so far, the longer it may still take.
            now_ns, last_ns = self._decisions.now_ns, wanted.last_acceptable_ns
            waited_ns = now_ns - (last_ns - WINDOW_NS - CLOCK_MARGIN_NS)
            seconds = min(waited_ns, last_ns - now_ns, LONGEST_WAIT_S * 1e9) / 1e9
            self._decisions.wait(MODIFY, item.client_id, max(seconds, LOOK_AGAIN_S))
        elif wanted.kept_since_ns is None:
            self._note(item.client_id, kept_since_ns=asked_ns)
            self._decisions.wait(MODIFY, item.client_id, LOOK_AGAIN_S)
        elif asked_ns - wanted.kept_since_ns < LOOK_AGAIN_S * 1e9:
            self._decisions.wait(MODIFY, item.client_id, LOOK_AGAIN_S)
        else:
            reason = "the order was as before after the venue could last accept it"
            self._ledger.refuse_modification(item.client_id, reason)

    def elapsed(self, client_id: str) -> None:
        """The time has come to ask what became of it."""
        if self._wanted(client_id) is not None:
            self._pursuit.look_up(self._ledger.get(client_id))

    def _wanted(self, client_id: str) -> Modification | None:
        """What an order waits for; one that is over waits for nothing."""
        order = self._ledger.named(client_id)
        return None if order is None else order.modifying

    def _note(self, client_id: str, **known: Any) -> None:
        wanted = self._wanted(client_id)
        if wanted is not None:
            self._ledger.want_otherwise(client_id, attrs.evolve(wanted, **known))
