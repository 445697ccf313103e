"""The promise, as functions: nothing lost, nothing doubled, nothing guessed (`faults.md` section 1).

Each invariant compares what a run left behind with the exchange's own books, and with itself; none knows what should
have been called when. They hold at rest: a stop in order with time before it for the bot to hear of what was lost.
I8, that no secret is written anywhere, is not here: that takes an exchange that repeats secrets.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

from bot.core.errors import NotSentError, RefusedError
from bot.core.fixed import Fixed, parse, render
from bot.core.order import State
from bot.core.recovered import Recovered
from bot.core.tape import Kind
from bot.exchange.faults.witness import OrderSeen
from bot.exchange.matching.orders import CLOSED, OPEN, Order
from bot.journal.reader import find
from bot.journal.recovery import SessionOrders, recover
from bot.journal.sent import BatchForms, client_id_of, orders_in, placed
from bot.simulation.evidence import Evidence
from bot.simulation.notes import COMMITTED, Line
from bot.trading.effects import CLOCK_MARGIN_NS
from bot.trading.step.guard import TAKES_ALL, TAKES_POST_ONLY
from bot.trading.step.pursuit import BOUND_S
from bot.trading.strategies.strategy import Filled

NOTHING_THERE = frozenset({State.REJECTED, State.NEVER_ACCEPTED})
IN_DOUBT = frozenset({State.SENT, State.UNKNOWN})

_MS = 0.001
"""Stamps of the exchange are whole ms."""

_ORDER = {state: number for number, state in enumerate(State)}
"""How far an order is by its state."""


def violations(evidence: Evidence) -> list[str]:
    """What is wrong, each with the name of the invariant that it violates."""
    return [f"{name}: {found}" for name, look in INVARIANTS.items() for found in look(evidence)]


def sent_with_an_intent(evidence: Evidence) -> Iterator[str]:
    """Every order that the exchange saw has an intent, in the file before its request left."""
    sends = Counter[str]()
    written, kept = set[str](), set[str]()
    intended_at: dict[str, float] = {}
    forms = BatchForms()
    for line in evidence.lines:
        kept.update(_to_leave_again(forms, line))
        if line.kind is Kind.INTENT and line.data["what"] == "place":
            written.add(line.data["client_id"])
            intended_at.setdefault(line.data["client_id"], line.at)
        elif line.kind == COMMITTED:
            kept |= written
        for client_id in _sent(line):
            sends[client_id] += 1
            if client_id not in kept:
                yield f"{client_id} was sent before its intent was in the file"
            written.discard(client_id)
            kept.discard(client_id)
    for client_id, seen in evidence.seen().items():
        if len(seen.sends) > sends[client_id]:
            yield f"{client_id} came {len(seen.sends)} times, and the bot knows of {sends[client_id]}"
        if client_id not in intended_at:
            yield f"{client_id} came, and has no intent"
        elif _arrived(evidence, seen) + _MS < intended_at[client_id]:
            yield f"{client_id} came before its intent was written"


def accepted_once(evidence: Evidence) -> Iterator[str]:
    """The exchange accepted one order at most per client id, and none was sent again unless that was proved safe."""
    may_leave: dict[str, bool] = {}
    decided: set[str] = set()
    forms = BatchForms()
    for line in evidence.lines:
        may_leave |= dict.fromkeys(_to_leave_again(forms, line), True)
        match line.kind, line.data:
            case Kind.EFFECT, {"do": "place", "client_id": str(client_id)}:
                decided.add(client_id)
            case Kind.EFFECT, {"do": "place batch", "orders": orders}:
                decided |= {order["client_id"] for order in orders}
            case Kind.ORDER, {"client_id": client_id, "state": State.NEVER_ACCEPTED}:
                may_leave[client_id] = True
        for client_id in _sent(line):
            if not may_leave.get(client_id, True):
                yield f"{client_id} was sent again, and nothing proved that it could not be there"
            may_leave[client_id] = False
    for client_id, seen in evidence.seen().items():
        if len(seen.accepted) > 1:
            yield f"{client_id} was accepted {len(seen.accepted)} times"
        if client_id not in decided:
            yield f"{client_id} was never decided"
        yield from (
            f"{client_id} was there already" for each in seen.sends if each.code == "DUPLICATED_CLIENT_ID"
        )


def books_agree(evidence: Evidence) -> Iterator[str]:
    """State, filled size, terms, positions and fees are the exchange's, and none was given up that was there."""
    ends, seen = _last_told(evidence), evidence.seen()
    unresolved = {order.client_id for order in evidence.summary.unresolved} if evidence.summary else set()
    for client_id in dict.fromkeys((*ends, *seen)):
        accepted = seen[client_id].accepted if client_id in seen else ()
        end = ends.get(client_id)
        if end is None:
            yield from (f"{client_id} is {order.status} there, and unheard of here" for order in accepted)
            continue
        if not accepted:
            is_forgotten = client_id in seen and bool(seen[client_id].forgotten)
            if end["state"] not in NOTHING_THERE and client_id not in unresolved and not is_forgotten:
                yield f"{client_id} is {end['state']} here, and was never accepted there"
            continue
        order = accepted[-1]
        here = (State(end["state"]), parse(end["filled"]), parse(end["size"]), parse(end["price"]))
        there = (
            _state(order),
            Fixed(order.filled),
            Fixed(order.size),
            Fixed(0 if order.is_market else order.price),
        )
        if here != there and client_id not in unresolved:
            yield f"{client_id} is {_words(here)} here, and {_words(there)} there"
    for line in evidence.lines:
        if line.kind is Kind.ORDER and line.data["state"] in NOTHING_THERE:
            client_id = line.data["client_id"]
            if client_id in seen and any(
                evidence.seconds(order.received_at_ms) <= line.at for order in seen[client_id].accepted
            ):
                yield f"{client_id} was {line.data['state']} here, and accepted there"
    yield from _holdings_agree(evidence)


def _state(order: Order) -> State:
    """What the bot calls it."""
    return State.PARTLY_FILLED if order.status == OPEN and order.filled else State(order.status)


def _words(order: tuple[State, Fixed, Fixed, Fixed]) -> str:
    state, filled, size, price = order
    return f"{state} with {render(filled)} of {render(size)} at {render(price)}"


def _holdings_agree(evidence: Evidence) -> Iterator[str]:
    account = evidence.account
    for manager in evidence.managers if account is not None else ():
        assert account is not None
        positions = evidence.exchange.positions(account)
        for market, held in manager.holdings.others_than(positions).items():
            yield f"{market}: {render(manager.holdings.position(market))} held here, and {render(held)} there"
        paid = sum(fill.fee for fill in evidence.exchange.fills(account))
        counted = sum(manager.holdings.fees.values())
        if counted != paid:
            yield f"fees are {render(counted)} here, and {render(paid)} there"


def fills_counted_once(evidence: Evidence) -> Iterator[str]:
    """The strategy was told once of each fill, and of none that was not."""
    account = evidence.account
    there = {} if account is None else {fill.id: fill for fill in evidence.exchange.fills(account)}
    told = Counter[str]()
    for event in evidence.events:
        if isinstance(event, Filled):
            told[event.fill.id] += 1
            fill = there.get(event.fill.id)
            if fill is None or (fill.client_id, fill.size) != (event.fill.client_id, event.fill.size):
                yield f"fill {event.fill.id} of {event.order.client_id} is another there, or none"
    yield from (f"fill {name} was told {times} times" for name, times in told.items() if times > 1)
    for client_id, seen in evidence.seen().items():
        known = sum(fill.size for fill in there.values() if fill.client_id == client_id)
        for manager in evidence.managers:
            counted = manager.holdings.filled(client_id)
            if counted != known and seen.accepted:
                yield f"{client_id}: fills of {render(counted)} were counted, and there are {render(known)}"


def doubts_end(evidence: Evidence) -> Iterator[str]:
    """No order is UNKNOWN for longer than its bound, and what ends the doubt is an answer, a report or the time."""
    last_ns: dict[str, int] = {}
    doubted_at: dict[str, float] = {}
    answered: dict[str, str] = {}
    for line in evidence.lines:
        match line.kind, line.data:
            case Kind.INTENT, {"what": "place", "client_id": client_id}:
                signed_ns = line.data.get("signed_ns", line.data["sent_ns"])
                last_ns[client_id] = signed_ns + _recv_window_ns(line, client_id) + _margin_ns(line)
                answered.pop(client_id, None)
            case Kind.OUTCOME, {"what": "place", "client_id": client_id}:
                answered[client_id] = line.data.get("failure", "")
            case Kind.ORDER, {"client_id": client_id, "state": state}:
                began = doubted_at.pop(client_id, None)
                if began is not None and line.at > _bound(evidence, last_ns, client_id, began):
                    yield f"{client_id} was UNKNOWN for {line.at - began:.1f} s"
                if state == State.UNKNOWN:
                    doubted_at[client_id] = line.at if began is None else began
                if state == State.REJECTED and answered.get(client_id) != RefusedError.kind:
                    yield f"{client_id} became REJECTED, and nobody had said no"
                is_proved = answered.get(client_id) == NotSentError.kind or line.at * 1e9 > last_ns.get(
                    client_id, 0
                )
                if state == State.NEVER_ACCEPTED and not is_proved:
                    yield f"{client_id} became NEVER_ACCEPTED while the venue could still accept it"
    if evidence.lines:
        ended_at = evidence.lines[-1].at
        for client_id, began in doubted_at.items():
            if ended_at > _bound(evidence, last_ns, client_id, began):
                yield f"{client_id} is UNKNOWN since {ended_at - began:.1f} s"


def _bound(evidence: Evidence, last_ns: dict[str, int], client_id: str, began: float) -> float:
    """Until when its outcome may be unknown, in seconds of trio's clock."""
    return max(last_ns.get(client_id, 0) / 1e9, began, evidence.well_since) + BOUND_S


def nothing_rests(evidence: Evidence) -> Iterator[str]:
    """After a stop no order of ours rests, or the exit code is 4 and each is named."""
    if evidence.summary is None:
        return
    named = {order.client_id for order in evidence.summary.unresolved}
    for client_id, seen in evidence.seen().items():
        for order in seen.accepted:
            if order.is_live and not (evidence.summary.exit_code == 4 and client_id in named):
                yield f"{client_id} is {order.status}, and nobody says so"


def nothing_new_after_the_end(evidence: Evidence) -> Iterator[str]:
    """Nothing is decided, sent or accepted after the stop, the kill switch or a restricted mode was observed."""
    ended: Line | None = None
    restricted: Line | None = None
    restrictions: list[tuple[float, float]] = []
    for line in evidence.lines:
        match line.kind, line.data:
            case (Kind.STOP, _) | (Kind.COMMAND, {"command": "kill switch"}):
                ended = ended or line
            case Kind.MODE, {"mode": mode}:
                if restricted is not None:
                    restrictions.append((restricted.at, line.at))
                restricted = line if mode not in {TAKES_ALL, TAKES_POST_ONLY} else None
            case Kind.EFFECT, {"do": "place" | "place batch" | "modify" as what} if ended or restricted:
                yield f"{what} was decided at {line.at:.3f} s, after {(ended or restricted)}"
    if restricted is not None:
        restrictions.append((restricted.at, evidence.lines[-1].at))
    for client_id, seen in evidence.seen().items():
        for send in seen.sends:
            left_at = evidence.seconds(send.arrived_ms) - evidence.one_way - _MS
            if ended is not None and left_at > ended.at:
                yield f"{client_id} was sent {left_at - ended.at:.3f} s after the end"
            for begin, end in restrictions:
                if begin < left_at < end and send.status is not None and send.status < 300:
                    yield f"{client_id} was sent and accepted {left_at - begin:.3f} s after the mode was known"


def journal_tells_the_same(evidence: Evidence) -> Iterator[str]:
    """Whoever reads the journal knows of each order what the bot knew; and who reads it twice knows the same."""
    if evidence.journal is None or not evidence.managers:
        return
    session = find(evidence.journal)
    if recover(session, Recovered()) != recover(find(evidence.journal), Recovered()):
        yield "read twice it tells two stories"
    orders, told = SessionOrders(session.header), dict[str, tuple[State, int]]()
    for record in session:
        for each in orders.meet(record):
            told[each.order.client_id] = each.order.state, each.order.filled
    if session.damage is not None:
        yield f"it is damaged: {session.damage}"
    ledger = evidence.managers[0].ledger
    for client_id, here in told.items():
        order = ledger.named(client_id)
        if order is None or here != (order.state, order.filled):
            yield f"{client_id} is {here} in the journal, and was {order}"
    yield from (
        f"{order.client_id} is not in the journal" for order in ledger.live() if order.client_id not in told
    )


def stamps_in_order(evidence: Evidence) -> Iterator[str]:
    """No stamp of an order is before the one that it follows from, here, there, and between the two."""
    known: dict[str, list[Line]] = {}
    margins_ns: dict[str, int] = {}
    for line in evidence.lines:
        if line.kind is Kind.INTENT:
            client_id = line.data["client_id"]
            margins_ns[client_id] = max(_margin_ns(line), margins_ns.get(client_id, 0))
        if line.kind is Kind.ORDER:
            known.setdefault(line.data["client_id"], []).append(line)
    for client_id, changes in known.items():
        for before, after in pairwise(changes):
            is_new_try = after.data["state"] == State.INTENT
            goes_back = _ORDER[State(after.data["state"])] < _ORDER[State(before.data["state"])]
            loses = parse(after.data["filled"]) < parse(before.data["filled"])
            if after.at < before.at or loses or (goes_back and not is_new_try):
                yield f"{client_id} went back: {before.data} at {before.at:.3f} s, {after.data} at {after.at:.3f} s"
    for client_id, seen in evidence.seen().items():
        for order in seen.accepted:
            # The signature of new terms takes the place of the first one; and it is of another clock.
            begun = next((each for _, each in seen.states if each.id == order.id), order)
            signed_ms = begun.signed_at_ms - margins_ns.get(client_id, CLOCK_MARGIN_NS) // 1_000_000
            stamps = (signed_ms, begun.received_at_ms, begun.created_at_ms, order.updated_at_ms)
            if list(stamps) != sorted(stamps):
                yield f"{client_id} has stamps {stamps} there"
            for line in known.get(client_id, ()):
                is_there = line.data["venue_id"] == order.id
                if is_there and line.at + _MS < evidence.seconds(order.created_at_ms):
                    yield f"{client_id} was {line.data['state']} here before it was there"


def opened_with_the_truth(evidence: Evidence) -> Iterator[str]:
    """When trading opens, all is known that had become of our orders before the channels were subscribed to."""
    for opening in evidence.openings:
        for client_id, seen in evidence.seen().items():
            then = [order for ms, order in seen.states if evidence.seconds(ms) < opening.subscribed_at]
            if not then or client_id not in opening.known:
                continue
            state, filled = opening.known[client_id]
            if then[-1].status == CLOSED or then[-1].filled > filled:
                here, there = (
                    f"{state}, {render(filled)} filled",
                    f"{then[-1].status}, {render(then[-1].filled)}",
                )
                yield f"session {opening.generation} opened with {client_id} {here}, which was {there} there"


INVARIANTS: dict[str, Callable[[Evidence], Iterator[str]]] = {
    "I1": sent_with_an_intent,
    "I2": accepted_once,
    "I3": books_agree,
    "I4": fills_counted_once,
    "I5": doubts_end,
    "I6": nothing_rests,
    "I7": nothing_new_after_the_end,
    "I9": journal_tells_the_same,
    "I10": stamps_in_order,
    "gate": opened_with_the_truth,
}
"""By the names of `faults.md`; the gate is the first row of the faults there."""


def _sent(line: Line) -> Iterator[str]:
    """The client ids of the orders that a request places, if the line is one."""
    yield from map(client_id_of, placed(line.kind, line.data) or ())


def _to_leave_again(forms: BatchForms, line: Line) -> Iterator[str]:
    """The client ids of the orders of a batch whose form was refused, if the line says so."""
    yield from map(client_id_of, forms.refused(line.kind, line.generation, line.data))


def _arrived(evidence: Evidence, seen: OrderSeen) -> float:
    return min((evidence.seconds(send.arrived_ms) for send in seen.sends), default=float("inf"))


def _last_told(evidence: Evidence) -> dict[str, dict[str, str]]:
    """The newest record of each order of this run that was sent or changed."""
    told: dict[str, dict[str, str]] = {}
    for line in evidence.lines:
        if line.kind is Kind.ORDER and evidence.is_ours(line.data["client_id"]):
            told[line.data["client_id"]] = line.data
    return told


def _recv_window_ns(line: Line, client_id: str) -> int:
    orders = orders_in(line.data["request"]["body"])
    return next(int(order["recv_window"]) for order in orders if order["client_id"] == client_id) * 1_000_000


def _margin_ns(intent: Line) -> int:
    """For how wrong the bot's idea of the venue's clock was, at most, when it signed."""
    return int(intent.data.get("margin_ns", CLOCK_MARGIN_NS))
