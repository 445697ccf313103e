"""A recorded session, fed through the bot's own decoder, order manager, strategy, encoder and hasher again.

No task runs and no clock is read: the times are the records', and what happened in between does so again at once.
Whatever the bot wrote itself has to come out once more, to the byte.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from bot.app import new_manager
from bot.core.errors import FatalError
from bot.core.recovered import retold
from bot.core.tape import HIDDEN, Kind
from bot.journal.header import Header
from bot.journal.record import Record
from bot.link.clock import VenueClock
from bot.paradex.address import from_hex
from bot.paradex.answers import SystemState
from bot.replay.errors import breaks
from bot.replay.steps import shapes
from bot.replay.steps.comparison import ComparingTape
from bot.replay.steps.connection import Connection
from bot.replay.steps.course import PartedError, RecordedClock, part, steps
from bot.replay.steps.errands import Errand, Errands, Exchange
from bot.replay.steps.hashes import Hashing, Key
from bot.replay.steps.prepared import Timestamps
from bot.replay.steps.report import Divergence, Report
from bot.replay.steps.shapes import shaped, unusable
from bot.replay.steps.snapshots import Snapshots
from bot.replay.steps.traffic import Traffic, failure_of
from bot.session.inbox import Item, KillSwitchPulled, PlatformMode
from bot.session.login import read_markets
from bot.settings import Settings
from bot.trading.effects import (
    AccountRecovered,
    CancelBatch,
    Effect,
    ForgetPrepared,
    LookUpOrders,
    PlaceBatch,
    SendStarted,
    SetTimer,
    StopAsked,
    TakeSnapshot,
    TimerFired,
)
from bot.trading.stream import OrderedStream

TIMER_EARLY_NS = 1_000_000
"""A timer may seem to elapse this much too soon: trio counts in floating point."""

TIMER_LATE_NS = 5_000_000_000
"""A timer that did not elapse although the session went on for so long after it was due was lost."""


@attrs.define(eq=False)
class Replay:
    """One replay; `run` it once.

    ``differ`` hears of each divergence. ``misfit`` decides what to do about a recorded event that makes no sense to
    the bot of today, as for an order that it did not place.
    """

    header: Header
    records: Iterable[Record]
    """All after the header, in order."""

    settings: Settings
    key: Key | None
    hashing: Hashing
    report: Report
    differ: Callable[[Divergence], None]
    misfit: Callable[[Record, str], None]

    _tape: ComparingTape = attrs.field(init=False)
    _clock: RecordedClock = attrs.field(init=False)
    _traffic: Traffic = attrs.field(init=False)
    _handlers: Mapping[str, Callable[[Record], None]] = attrs.field(init=False)
    _last: Record = Record(0, 0, 0, Kind.HEADER, None)
    """The one that was looked at last."""

    _stream: OrderedStream | None = None
    _timestamps: Timestamps = attrs.field(init=False)
    _connection: Connection = attrs.field(init=False)
    _snapshots: Snapshots = attrs.field(init=False)
    _errands: Errands = attrs.field(factory=Errands)
    has_ended: bool = attrs.field(default=False, init=False)
    """The record of the end came."""

    def __attrs_post_init__(self) -> None:
        self._tape = ComparingTape(self.differ)
        self._clock = RecordedClock(self.header.started_ns)
        self._traffic = Traffic(
            tape=self._tape,
            differ=self.differ,
            misfit=self.misfit,
            errands=self._errands,
            clock=self._clock,
            venue_clock=VenueClock(self._clock),
            key=self.key,
            hashing=self.hashing,
            shows_account=self.header.account == "kept",
        )
        self._timestamps = Timestamps(self._traffic, self.settings.orders.recv_window, self.differ)
        self._connection = Connection(
            settings=self.settings.orders,
            tape=self._tape,
            traffic=self._traffic,
            misfit=self.misfit,
            tell=self._tell,
        )
        self._snapshots = Snapshots(self._traffic, self.differ)
        self._handlers = {
            Kind.SOCKET_OPEN: self._connection.socket_open,
            Kind.FRAME_OUT: self._connection.frame_out,
            Kind.FRAME_IN: self._connection.frame_in,
            Kind.SOCKET_END: self._connection.socket_end,
            Kind.REQUEST: self._request,
            Kind.ANSWER: self._traffic.answer,
            Kind.FAILURE: self._traffic.failure,
            Kind.WIRE: self._traffic.wire,
            Kind.GENERATION: self._connection.generation,
            Kind.INTENT: self._intent,
            Kind.OUTCOME: self._outcome,
            Kind.TIMER: self._timer,
            Kind.MODE: self._mode,
            Kind.RECOVERED: self._recovered,
            Kind.COMMAND: self._command,
            Kind.STOP: self._stop,
            Kind.END: self._end,
        }

    def run(self) -> None:
        """Replay as far as the records make sense.

        Raises:
            UnusableRecordingError: a record is of a wrong shape.
        """
        with self._connection:
            try:
                for record, decided, is_last in steps(self.records):
                    last = self._last
                    for each in (record, *decided):
                        if each.number != last.number + 1 or each.ns < last.ns:
                            self._misnumbered(each, last)
                        last = each
                    self._last = last
                    self._replay(record, decided, is_last=is_last)
                    self.report.records += 1 + len(decided)
                self._finish()
            except PartedError as parted:
                self.report.stopped = str(parted)
        self.report.requests, self.report.frames = self._traffic.asked, self._connection.frames

    def _misnumbered(self, record: Record, last: Record) -> None:
        def differ(what: str, expected: int, came: int) -> None:
            self.differ(Divergence(record.number, record.ns, record.kind, what, expected, came))

        if record.number != last.number + 1:
            what = "records are missing before it, or it is out of place; its number"
            differ(what, last.number + 1, record.number)
        if record.ns < last.ns:
            differ("time runs backwards; its ns", last.ns, record.ns)

    def _replay(self, record: Record, decided: Sequence[Record], *, is_last: bool) -> None:
        self._clock.ns = record.ns
        self._tape.turn_to(record, decided, may_be_torn=is_last and record.kind is not Kind.END)
        handler = self._handlers.get(record.kind)
        if handler is None:  # a decision without a cause, or a kind of a newer program
            self.misfit(record, f"nothing here writes this {record.kind} now")
        elif self.has_ended:
            self.misfit(record, "nothing comes after the end")
        else:
            self._traffic.turn_to(record)
            handler(record)
        self._tape.turn_away()

    def _tell(self, item: Item) -> None:
        """Have the order manager take its step. What it raises ends the replay: it ended the session, too."""
        record = self._tape.record
        if self._stream is None:
            self._stream = self._new_stream(record)
            if not isinstance(item, AccountRecovered):
                self.misfit(record, "something before what earlier runs left is taken over")
        try:
            self._stream(item)
        except Exception as error:  # noqa: BLE001 - whatever broke the bot is what somebody looks for
            part(record, breaks(error))

    def _new_stream(self, record: Record) -> OrderedStream:
        if self._traffic.markets is None:
            raise unusable(record, "no answer to GET /markets comes before it")
        try:
            markets = read_markets(self._traffic.markets, self.settings.orders.markets)
        except FatalError as fatal:
            part(record, str(fatal))
        manager = new_manager(self.settings, markets, self.header.run_id)

        def ignored(_text: str) -> None:
            pass

        stream = OrderedStream(manager, self._tape, alarm=ignored, pull_kill_switch=ignored, give_up=ignored)
        stream.carry_out = self._carry_out
        return stream

    def _carry_out(self, effect: Effect, number: int) -> None:
        match effect:
            case TakeSnapshot():
                pass  # nobody reports that it was done
            case ForgetPrepared(client_ids):
                for client_id in client_ids:
                    self._errands.drop(("prepare", client_id))
            case _:
                self._errands.add(Errand(effect, number, self._clock.ns, self.settings.orders.via))

    def _request(self, record: Record) -> None:
        self._traffic.request(record, None if self._stream is None else self._stream.manager.ledger)
        self._snapshots.asked(record)

    # What the order manager was told.

    def _outcome(self, record: Record) -> None:
        outcome = shaped(record, shapes.Outcome)
        if outcome.what == "snapshot":
            self._snapshot(record, outcome)
            return
        if outcome.what == "prepare" and not outcome.failure:
            self._prepared(record)
            return
        failure = failure_of(record) if outcome.failure else None
        subject = outcome.client_id or outcome.market
        errand = self._errands.find((outcome.what, subject), outcome, failure)
        item = None if errand is None else errand.ended(subject, failure)
        if errand is None or item is None:
            self.misfit(record, "the outcome of something that was not done, or has not ended")
            return
        self._errands.remove(errand, (outcome.what, subject))
        self._tell(item)

    def _prepared(self, record: Record) -> None:
        prepared = shaped(record, shapes.Prepared)
        key = ("prepare", prepared.client_id)
        errand = self._errands.oldest(key)
        if errand is None:
            self.misfit(record, "an order is signed that is not prepared")
            return
        self._errands.remove(errand, key)
        self._tell(self._timestamps.prepared(record, prepared))

    def _snapshot(self, record: Record, outcome: shapes.Outcome) -> None:
        snapshot = self._snapshots.read(outcome)
        if snapshot is None:
            self.misfit(record, "a snapshot that was not asked for")
            return
        self._connection.has_snapshot = True
        self._tell(snapshot)

    def _intent(self, record: Record) -> None:
        intent = shaped(record, shapes.Intent)
        try:
            from_hex(intent.message_hash)
        except ValueError as error:
            raise unusable(record, error) from error
        self.report.orders += 1
        errand = self._errands.to_sign(intent.what, intent.client_id)
        if errand is None:
            self.misfit(record, "an order that is not placed, or not modified")
            return
        self._timestamps.check(record, intent, errand)
        terms, modified_id = errand.terms(intent)
        try:
            hashes = self._traffic.hashing.hashes(terms, intent, modified_id)
        except ValueError as error:
            self.misfit(record, f"an order that cannot be signed: {error}")
            return
        request = errand.sign(intent, self.settings.orders.recv_window)
        self._tell(
            SendStarted(
                intent.client_id,
                intent.signature_timestamp,
                intent.sent_ns,
                intent.sign_ns,
                intent.what,
                intent.margin_ns,
                signed_ns=intent.signed_ns,
                hash_ns=intent.hash_ns,
                struct_hash=hashes.struct,
                message_hash=hashes.message,
                signature_digest=hashes.digest,
                request=request.shown(HIDDEN),
            )
        )

    def _timer(self, record: Record) -> None:
        timer = shaped(record, shapes.Timer)
        key = (f"wait {timer.purpose}", timer.subject)
        errand = self._errands.oldest(key)
        if errand is None or not isinstance(errand.effect, SetTimer):
            self.misfit(record, "a timer elapses that nobody set")
            return
        due_ns = errand.due_ns(errand.effect)
        if record.ns < due_ns - TIMER_EARLY_NS:
            what = "elapses too soon; ns"
            self.differ(Divergence(record.number, record.ns, record.kind, what, due_ns, record.ns))
        self._errands.remove(errand, key)
        self._tell(TimerFired(errand.effect.timer))

    def _mode(self, record: Record) -> None:
        exchange = self._traffic.untold.pop(shaped(record, shapes.Mode).x, None)
        if exchange is None or not isinstance(exchange.result, SystemState):
            self.misfit(record, "a mode that nobody asked for")
            return
        self._tell(PlatformMode(exchange.result.status, exchange.x))

    def _recovered(self, record: Record) -> None:
        try:
            recovered, until_ns = retold(record.data), tuple(record.data["acceptable_until_ns"])
        except (KeyError, TypeError, ValueError) as error:
            raise unusable(record, f"nothing that is left by runs: {error}") from error
        self._snapshots.begin(recovered.seen_ms)
        self._tell(AccountRecovered(recovered, until_ns))

    def _stop(self, record: Record) -> None:
        self._tell(StopAsked(shaped(record, shapes.Stop).reason))

    def _command(self, record: Record) -> None:
        command = shaped(record, shapes.Command)
        if command.command == "kill switch":
            self._tell(KillSwitchPulled(command.reason))  # the others only shorten the wait for the end

    # The end.

    def _end(self, record: Record) -> None:
        code = shaped(record, shapes.End).exit_code
        live = [] if self._stream is None else self._stream.manager.ledger.live()
        left = any(order.sent_ns is not None for order in live)
        # The reasons for a 3 are no matter of steps.
        self._tape.compare(Kind.END, {"exit_code": 4 if left else 3 if code == 3 else 0})
        if self._connection.is_up:
            self.misfit(record, "the bot ends while a WebSocket is open, or a session ready")
        self.has_ended = True

    def _finish(self) -> None:
        """What began and never came to anything, although the session went on."""
        for errand in self._errands.all():
            if isinstance(errand.effect, SetTimer):
                due_ns = errand.due_ns(errand.effect)
                if self._last.ns > due_ns + TIMER_LATE_NS:
                    self._unfinished(errand, f"a timer that was due at {due_ns} ns, and never elapsed")
            elif errand.is_answered and (self.has_ended or not self._is_being_told(errand)):
                self._unfinished(errand, "something of which nobody was told how it ended")
        if self.has_ended:
            for exchange in self._traffic.under_way.values():
                self._unfinished(exchange, "a request that has neither answer nor failure")

    def _is_being_told(self, errand: Errand) -> bool:
        """Whether the session was cut before the order manager could be told, or be told of a whole batch."""
        match self._tape.record, errand.effect:
            case Record(kind=Kind.ANSWER | Kind.FRAME_IN | Kind.WIRE), _:
                return True
            case (
                Record(kind=Kind.OUTCOME, data={"client_id": told}),
                PlaceBatch(orders=orders) | CancelBatch(orders=orders) | LookUpOrders(orders=orders),
            ):
                return any(order.client_id == told for order in orders)
        return False

    def _unfinished(self, began: Errand | Exchange, what: str) -> None:
        self.differ(Divergence(began.record, began.ns, began.kind, what, began.told(), None))
