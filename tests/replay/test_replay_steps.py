"""Every recorded session comes out of the bot again; what does not is found, and where."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from replay_stage import SESSIONS, Session, acted, in_body, in_json, recorded

from bot import app
from bot.core.errors import RefusedError, UnknownOutcomeError
from bot.core.order import State
from bot.core.tape import HIDDEN, Kind
from bot.journal.reader import read
from bot.journal.sent import call_of
from bot.journal.settings import JournalSettings
from bot.paradex import calls, rest, rpc
from bot.replay.errors import UnusableRecordingError
from bot.replay.steps import replay
from bot.replay.steps.comparison import DECIDED
from bot.replay.steps.conversations import Conversation
from bot.replay.steps.errands import Errand, Errands, Exchange
from bot.replay.steps.hashes import Key
from bot.replay.steps.manners import repeat
from bot.replay.steps.shapes import Outcome
from bot.session.inbox import Item
from bot.settings import Settings
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.trading.effects import Effect, FetchBbo
from bot.trading.requests import REST
from bot.trading.step.manager import OrderManager
from bot.trading.strategies.probe import ProbeSettings

BELIEVED = "account, message hashes and signatures were believed: it takes --key to compare them"
CUT_SHORT = "the recording has no end: the bot was ended while it ran"


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.stem)
def test_a_session_replays(path: Path) -> None:
    """Without divergence, to its last record, whatever session somebody put there."""
    session = recorded(path.stem)
    with acted(path.stem):
        report = repeat(session)
    assert report.divergences == []
    assert report.stopped == ""
    assert report.notes == [BELIEVED]
    assert report.exit_code == 0
    assert report.records == len(session.records) == session.records[-1].number


def told(name: str, kind: Kind) -> list[Any]:
    return [record.data for record in recorded(name).records if record.kind is kind]


def test_the_sessions_hold_what_they_are_for() -> None:
    """Orders of every fate, a connection that was lost in three ways, and a venue that says strange things."""
    states = {path.stem: {order["state"] for order in told(path.stem, Kind.ORDER)} for path in SESSIONS}
    assert states["plain"] == {State.SENT, State.NEW, State.OPEN, State.CLOSED}
    assert {State.UNKNOWN, State.REJECTED, State.PARTLY_FILLED} < states["reconnects"]
    assert State.REJECTED in states["strange"]
    assert State.PARTLY_FILLED in states["fills"]
    closed = [order for order in told("fills", Kind.ORDER) if order["state"] == State.CLOSED]
    ends = [(order["filled"], order["reason"]) for order in closed]
    assert ("0.05", "") in ends
    assert any(reason == "USER_CANCELED" and float(filled) > 0 for filled, reason in ends)
    assert [end["code"] for end in told("reconnects", Kind.SOCKET_END)] == [1006, 1012, 1000]
    assert {repair["what"] for repair in told("reconnects", Kind.REPAIR)} == {"order", "fill"}
    assert {"do": "take a snapshot"} in told("reconnects", Kind.EFFECT)
    assert [mode["mode"] for mode in told("strange", Kind.MODE)] == ["cancel_only", "ok"]
    assert len(told("strange", Kind.ALARM)) >= 3
    asked = {call_of(call["frame"])[0] for call in told("calls", Kind.FRAME_OUT) if isinstance(call, dict)}
    assert asked == {calls.CREATE, calls.CREATE_BATCH, calls.MODIFY, calls.CANCEL, calls.CANCEL_BATCH}
    assert [calls.CANCEL_ON_DISCONNECT in str(frame) for frame in told("calls", Kind.FRAME_OUT)].count(
        True
    ) == 3
    assert {State.UNKNOWN, State.NEVER_ACCEPTED} < states["calls"]
    assert {State.UNKNOWN, State.REJECTED, State.NEVER_ACCEPTED} < states["unheard"]
    failed = {failure["text"].partition(": ")[2] for failure in told("unheard", Kind.FAILURE)}
    assert failed == {"deadline passed", "the WebSocket ended"}


def test_every_kind_of_record_is_looked_at() -> None:
    """Somebody who adds one has to say what a replay makes of it."""
    known = {record.kind for path in SESSIONS for record in recorded(path.stem).records}
    assert known == set(Kind) - {Kind.HEADER, Kind.COMMAND}
    for kind in set(Kind) - DECIDED - {Kind.HEADER}:
        session = cut_at_rest()
        last = session.records[-1]
        session.records.append(last._replace(number=last.number + 1, kind=kind, data={"no": "such data"}))
        assert kind is Kind.SOCKET_OPEN or found_at(session) == last.number + 1, kind


def cut_at_rest() -> Session:
    """A session that ends between two orders, with nothing under way but a timer."""
    session = recorded("plain")
    timer = session.find(Kind.TIMER, lambda data: data == {"purpose": "strategy", "subject": "4"})
    return session.until(timer.number - 1)


def found_at(session: Session) -> int | None:
    """The first record of which a replay says that it differs, or that it cannot be; None for none."""
    try:
        report = repeat(session)
    except UnusableRecordingError as error:
        return int(str(error).split()[1])
    return report.divergences[0].record if report.divergences else None


def test_a_kind_that_nobody_knows_is_a_divergence() -> None:
    """A session of a newer program holds what this one cannot have done."""
    session = cut_at_rest()
    number = session.records[-1].number + 1
    session.records.append(session.records[-1]._replace(number=number, kind="mood", data={}))
    assert [divergence.record for divergence in repeat(session).divergences] == [number]


@pytest.mark.parametrize("name", ["reconnects", "strange", "calls", "unheard"])
def test_a_session_that_ends_anywhere_replays(name: str) -> None:
    """What a killed bot leaves is replayed as far as it goes: no place to end is a divergence."""
    session = recorded(name)
    for number in range(1, len(session.records), 11):
        with acted(name):
            report = repeat(session.until(number))
        assert (number, report.divergences, report.stopped) == (number, [], "")
        assert CUT_SHORT in report.notes


def test_20_replays_are_the_same() -> None:
    """Nothing but the session decides: no clock, no chance, nothing left over from the replay before."""
    session = recorded("strange")
    tampered = session.edited(
        session.find(Kind.EFFECT).number, lambda data: data | {"market": "ETH-USD-PERP"}
    )
    for each in (session, tampered):
        reports = [attrs.evolve(repeat(each), seconds=0.0) for _ in range(20)]
        assert all(report == reports[0] for report in reports)


def test_a_replay_costs_as_much_as_the_session_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """One step for each item, one hash for each order; and twice the records cost twice the work, not more."""
    session = recorded("plain")
    steps = []

    class Counting(OrderManager):
        def step(self, item: Item, now_ns: int) -> list[Effect]:
            steps.append(item)
            return super().step(item, now_ns)

    monkeypatch.setattr(app, "OrderManager", Counting)
    repeat(session)
    items = {Kind.RECOVERED, Kind.OUTCOME, Kind.INTENT, Kind.GENERATION, Kind.TIMER, Kind.STOP}
    told = sum(
        record.kind in items or (record.kind is Kind.FRAME_IN and '"method":"subscription"' in record.data)
        for record in session.records
    )
    assert len(steps) == told

    def work(until: int) -> int:
        calls = 0

        def count(_frame: object, event: str, _argument: object) -> None:
            nonlocal calls
            calls += event == "call"

        part = session.until(until)
        sys.setprofile(count)
        try:
            repeat(part)
        finally:
            sys.setprofile(None)
        return calls

    login = work(33)
    half, whole = work(120) - login, work(207) - login
    assert 1.5 < whole / half < 2.5


Edit = Callable[[Any], Any]


def order_frame(text: Any) -> bool:
    return '"status":"OPEN"' in text


def fill_frame(text: Any) -> bool:
    return '"fill_type":"FILL"' in text


def lists_since(request: Any) -> bool:
    return "start_at=" in request["path"]


def begins_later(ms: int) -> Edit:
    """A list of what happened since another time."""

    def edit(request: Any) -> None:
        before, since, rest = re.split(r"(?<=start_at=)(\d+)", request["path"])
        request.update(path=f"{before}{int(since) + ms}{rest}")

    return edit


def of_snapshot(outcome: Any) -> bool:
    return bool(outcome["what"] == "snapshot")


@pytest.mark.parametrize(
    ("name", "kind", "wanted", "edit"),
    [
        ("plain", Kind.EFFECT, lambda data: data["do"] == "place", lambda data: data.update(size="0.02")),
        ("plain", Kind.EFFECT, lambda data: data["do"] == "place", lambda data: data.update(generation=2)),
        ("plain", Kind.EFFECT, lambda data: data["do"] == "wait", lambda data: data.update(seconds=0.70001)),
        ("plain", Kind.EFFECT, lambda data: data["do"] == "wait", lambda data: data.update(seconds=1)),
        ("plain", Kind.EFFECT, lambda data: data["do"] == "cancel", lambda data: data.update(venue_id="1")),
        ("plain", Kind.EFFECT, lambda data: data["do"] == "quote", lambda data: data.update(x=None)),
        ("plain", Kind.ORDER, lambda _: True, lambda data: data.update(state="NEW")),
        ("fills", Kind.ORDER, lambda data: data["filled"] != "0", lambda data: data.update(filled="0.01")),
        ("strange", Kind.ALARM, lambda _: True, lambda data: data.update(text="all is well")),
        ("plain", Kind.INTENT, lambda _: True, lambda data: data.update(struct_hash="0x1")),
        ("plain", Kind.INTENT, lambda _: True, lambda data: data.update(signature_timestamp=1)),
        ("plain", Kind.INTENT, lambda _: True, lambda data: data.update(client_id="another-1")),
        ("plain", Kind.INTENT, lambda _: True, in_body(price="83299.5")),
        ("plain", Kind.REQUEST, lambda data: data["method"] == "POST" and data["of"], in_body(size="0.010")),
        ("plain", Kind.REQUEST, lambda data: data["method"] == "POST" and data["of"], in_body(signature="0")),
        ("plain", Kind.REQUEST, lambda data: data["of"] > 0, lambda data: data.update(lane="orders")),
        ("plain", Kind.REQUEST, lambda data: data["of"] > 0, lambda data: data.update(of=1)),
        ("plain", Kind.REQUEST, lambda _: True, lambda data: data.update(path="/system/mood")),
        ("plain", Kind.REQUEST, lists_since, begins_later(1_000)),
        ("reconnects", Kind.REQUEST, lists_since, begins_later(-1_000)),
        ("plain", Kind.REQUEST, lambda _: True, lambda data: data.update(headers={"Accept": "*/*"})),
        ("plain", Kind.REQUEST, lambda _: True, lambda data: data.update(x=2)),
        (
            "plain",
            Kind.REQUEST,
            lambda data: "/auth/" in data["path"],
            lambda data: data["headers"].update({"PARADEX-TIMESTAMP": "soon"}),
        ),
        (
            "plain",
            Kind.REQUEST,
            lambda data: data["method"] == "DELETE",
            lambda data: data.update(method="PUT"),
        ),
        ("plain", Kind.ANSWER, lambda _: True, lambda data: data.update(x=99)),
        ("plain", Kind.FRAME_OUT, lambda _: True, in_json(params={"bearer": "eyJ"})),
        ("plain", Kind.FRAME_OUT, lambda text: "subscribe" in text, in_json(id=3)),
        ("plain", Kind.OUTCOME, lambda data: data["what"] == "quote", lambda data: data.update(x=[1])),
        ("plain", Kind.OUTCOME, of_snapshot, lambda data: data.update(x=[])),
        ("plain", Kind.OUTCOME, of_snapshot, lambda data: data.update(x=data["x"][::-1])),
        ("plain", Kind.OUTCOME, of_snapshot, lambda data: data.update(listed=[0, 0, 0, 1])),
        ("plain", Kind.OUTCOME, of_snapshot, lambda data: data.update(requested_ns=10**12)),
        ("strange", Kind.MODE, lambda _: True, lambda data: data.update(mode="maintenance")),
        ("strange", Kind.MODE, lambda _: True, lambda data: data.update(x=1)),
        ("reconnects", Kind.REPAIR, lambda _: True, lambda data: data.update(text="nothing")),
        ("reconnects", Kind.OUTCOME, lambda data: "failure" in data, lambda data: data.update(text="other")),
        ("reconnects", Kind.OUTCOME, lambda data: "code" in data, lambda data: data.update(status=404)),
        ("plain", Kind.TIMER, lambda _: True, lambda data: data.update(purpose="cancel")),
        ("plain", Kind.TIMER, lambda _: True, lambda data: data.update(subject="77")),
        ("plain", Kind.END, lambda _: True, lambda data: data.update(exit_code=4)),
    ],
)
def test_what_is_tampered_with_is_found_where_it_was(
    name: str, kind: Kind, wanted: Callable[[Any], bool], edit: Edit
) -> None:
    """The first divergence is at the record that somebody changed."""
    session = recorded(name)
    number = session.find(kind, wanted).number
    report = repeat(session.edited(number, edit))
    assert report.divergences
    assert report.divergences[0].record == number
    assert report.exit_code == 1
    assert f"record {number}, " in report.to_text()


@pytest.mark.parametrize(
    ("name", "kind", "wanted", "edit", "after"),
    [
        ("plain", Kind.ANSWER, lambda data: '"bid":"84999.6"' in data["body"], in_body(bid="84000"), 2),
        ("plain", Kind.FRAME_IN, order_frame, in_json(params={"data": {"status": "CLOSED"}}), 1),
        ("plain", Kind.FRAME_IN, order_frame, in_json(params={"data": {"remaining_size": "0.004"}}), 1),
        ("plain", Kind.FRAME_IN, order_frame, in_json(params={"data": {"id": "7"}}), 1),
        ("plain", Kind.FRAME_IN, order_frame, in_json(params={"data": {"client_id": "else"}}), 1),
        ("plain", Kind.FRAME_IN, order_frame, in_json(params={"channel": "trades.BTC-USD-PERP"}), 1),
        ("plain", Kind.FRAME_IN, order_frame, lambda text: text[1:], 1),
        ("fills", Kind.FRAME_IN, fill_frame, in_json(params={"data": {"size": "0.001"}}), 1),
        ("fills", Kind.FRAME_IN, fill_frame, in_json(params={"data": {"client_id": "else"}}), 1),
        ("reconnects", Kind.ANSWER, lambda data: "fill_type" in data["body"], in_body(results=[]), 3),
        ("plain", Kind.FRAME_IN, lambda text: '"id":1,' in text, in_json(id=5), 1),
        ("plain", Kind.ANSWER, lambda data: data["status"] == 201, lambda data: data.update(status=500), 2),
        ("plain", Kind.ANSWER, lambda data: '"ask"' in data["body"], lambda data: data.update(body="{"), 1),
    ],
)
def test_what_the_venue_said_is_found_by_what_follows_from_it(
    name: str, kind: Kind, wanted: Callable[[Any], bool], edit: Edit, after: int
) -> None:
    """It cannot be compared with anything itself: the first record that follows from it differs."""
    session = recorded(name)
    number = session.find(kind, wanted).number
    report = repeat(session.edited(number, edit))
    assert report.divergences[0].record in {number, number + after}


def test_a_record_that_is_gone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever it is, and though the others were numbered anew."""
    monkeypatch.setattr(replay, "TIMER_LATE_NS", 100_000_000)  # the session is short
    session = recorded("plain")
    quiet = session.find(Kind.TIMER, lambda data: data == {"purpose": "strategy", "subject": "2"})
    closing = [
        record
        for record in session.records[-5:]
        if record.kind in {Kind.GENERATION, Kind.SOCKET_END, Kind.END}
    ]
    session = session.until(quiet.number - 1)
    session.records.extend(
        each._replace(number=n, ns=quiet.ns) for n, each in enumerate(closing, quiet.number)
    )
    assert found_at(session) is None
    unnoticed = [
        record for record in session.records[:-1] if found_at(session.without(record.number)) is None
    ]
    assert unnoticed == []


def test_a_number_that_is_left_out_is_found() -> None:
    """Sessions have no holes."""
    session = recorded("plain")
    holed = attrs.evolve(session, records=session.records[:50] + session.records[60:])
    assert found_at(holed) == 61


def test_time_does_not_run_backwards() -> None:
    """And no timer elapses before it is due."""
    session = recorded("plain")
    timer = session.find(Kind.TIMER)
    early = session.with_record(timer._replace(ns=timer.ns - 2_000_000))
    assert (repeat(early).divergences[0].record, repeat(early).divergences[0].kind) == (timer.number, "timer")
    before = session.with_record(timer._replace(ns=0))
    assert "backwards" in repeat(before).divergences[0].what


def test_a_websocket_ends_before_another_opens_and_before_the_bot_ends() -> None:
    """The bot has one at a time, and says of each how it ended."""
    session = recorded("reconnects")
    ends = [record for record in session.records if record.kind is Kind.SOCKET_END]
    assert len(ends) > 2
    told = [repeat(session.without(end.number)).divergences[0] for end in ends]
    assert ["is open" in divergence.what for divergence in told] == [True] * len(ends)
    assert [str(divergence.kind) for divergence in told] == ["ws+"] * (len(ends) - 1) + ["end"]


def test_a_timer_that_never_elapses_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even though nothing that was recorded follows from it: a look-up of an order that is over."""
    monkeypatch.setattr(replay, "TIMER_LATE_NS", 1_000_000_000)  # the session is short
    session = recorded("plain")
    timer = session.find(Kind.TIMER, lambda data: data["purpose"] == "look up")
    report = repeat(session.without(timer.number))
    assert [divergence.what[:11] for divergence in report.divergences] == ["a timer tha"]


@pytest.mark.parametrize("kind", [Kind.EFFECT, Kind.OUTCOME, Kind.INTENT, Kind.FRAME_OUT, Kind.FRAME_IN])
def test_every_record_belongs_to_its_generation(kind: Kind) -> None:
    """Only what is of the WebSocket has one, and it is compared, too."""
    record = recorded("plain").find(kind)
    assert found_at(recorded("plain").with_record(record._replace(generation=7))) == record.number


def test_a_session_that_was_not_ready_is_not_lost() -> None:
    """Of three generations each becomes ready and is lost, in this order."""
    lost = recorded("reconnects").find(Kind.GENERATION, lambda data: data["session"] == "lost")
    assert found_at(recorded("reconnects").with_record(lost._replace(generation=2))) == lost.number


def test_decisions_come_in_their_order() -> None:
    """Two that changed places are found, although both are there."""
    session = recorded("plain")
    effect = session.find(Kind.EFFECT, lambda data: data["do"] == "cancel")
    order = next(record for record in session.records if record.number == effect.number - 1)
    swapped = session.with_record(order._replace(kind=effect.kind, data=effect.data))
    swapped = swapped.with_record(effect._replace(kind=order.kind, data=order.data))
    report = repeat(swapped)
    assert report.divergences[0].what == "decided now after what came later then"


def test_nothing_comes_after_the_end() -> None:
    """Whatever it is."""
    session = recorded("plain")
    last = session.records[-1]
    more = last._replace(number=last.number + 1, kind=Kind.COMMAND, data={"command": "hurry"})
    assert found_at(attrs.evolve(session, records=[*session.records, more])) == more.number


def test_an_answer_that_ought_to_be_hidden_is_found() -> None:
    """A bot that writes tokens down is not this one."""
    session = recorded("plain")
    number = session.find(Kind.ANSWER, lambda data: data["body"] == HIDDEN).number
    assert found_at(session.edited(number, lambda data: data.update(body="{}"))) == number


def test_of_two_errands_that_failed_the_right_one_ends() -> None:
    """Failures do not name their request: what was told of them does."""
    errands = Errands()
    for number in (1, 2, 3):
        errand = Errand(FetchBbo("BTC-USD-PERP"), number, 0, REST)
        exchange = Exchange(number, number, 0, rest.bbo("BTC-USD-PERP"))
        exchange.result = UnknownOutcomeError(f"reason {number}") if number > 1 else None
        errand.exchanges.append(exchange)
        errands.add(errand)
    key = "quote", "BTC-USD-PERP"
    outcome = Outcome("quote", market="BTC-USD-PERP", failure="unknown")
    found = errands.find(key, outcome, UnknownOutcomeError("reason 3"))
    assert found is not None
    assert found.record == 3
    other = errands.find(key, outcome, UnknownOutcomeError("no such reason"))
    assert other is not None
    assert other.record == 2


def test_a_refused_opening_goes_no_further() -> None:
    """What the venue refused is not followed by the next request, nor is such a session ever ready."""
    conversation = Conversation.begin(["BTC-USD-PERP"], cancel_on_disconnect=False)
    first = conversation.due
    assert first == rpc.request(1, "auth", {"bearer": HIDDEN})
    conversation.sent()
    assert not conversation.replied(rpc.Reply(7, None))
    assert conversation.replied(rpc.Reply(1, RefusedError(40111, "", "expired")))
    assert conversation.due is None
    assert not conversation.is_complete


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (Kind.REQUEST, []),
        (Kind.REQUEST, {"x": "one"}),
        (Kind.ANSWER, {"x": 1, "status": 200, "reused": True, "elapsed_ns": 1, "body": {"bytes": 7}}),
        (Kind.ANSWER, {"x": 1, "status": 200, "reused": True, "elapsed_ns": 1, "body": {"bytes": "☃"}}),
        (Kind.OUTCOME, {"what": "dance"}),
        (Kind.OUTCOME, {"what": "place", "client_id": "1", "failure": "vague"}),
        (Kind.INTENT, None),
        (Kind.TIMER, {"purpose": 1}),
        (Kind.GENERATION, {"session": "maybe"}),
        (Kind.FRAME_IN, 7),
        (Kind.END, {}),
    ],
)
def test_a_record_of_a_wrong_shape_is_named(kind: Kind, data: Any) -> None:
    """Somebody edited the file: the record and what is wrong with it are told, and no more."""
    session = recorded("plain")
    record = session.find(kind)
    with pytest.raises(UnusableRecordingError, match=f"record {record.number} "):
        repeat(session.with_record(record._replace(data=data)))


@pytest.fixture(scope="module", params=["hashed", "kept"])
def signed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Session, Key]:
    """A short session, which shows its account or not, and the key that signed it."""
    path = tmp_path_factory.mktemp("signed") / "session.journal"

    async def play(rehearsal: Rehearsal) -> Key:
        await rehearsal.trade(1)
        return Key(rehearsal.surroundings.identity.private_key)

    settings = attrs.evolve(
        Settings(), strategy=ProbeSettings(pause=0.1), journal=JournalSettings(account=request.param)
    )
    key = rehearse(play, settings, seed=5, delay=0.02, tls=False, journal=path)
    recording = read(path)
    return Session(recording.header, recording.records), key


def test_with_the_key_signatures_are_compared(signed: tuple[Session, Key]) -> None:
    """They repeat, so their digests do; what else is compared depends on whether the account was kept."""
    session, key = signed
    report = repeat(session, key)
    assert report.orders > 1
    assert report.divergences == []
    assert bool(report.notes) == (session.header.account == "hashed")


@pytest.mark.parametrize(
    ("field", "value", "found_by"),
    [
        ("signature_digest", "0" * 32, {"hashed with key", "kept with key"}),
        ("message_hash", "0x1", {"kept with key"}),
        ("struct_hash", "0x1", {"hashed", "kept", "hashed with key", "kept with key"}),
    ],
)
def test_with_the_key_signatures_are_found_out(
    signed: tuple[Session, Key], field: str, value: str, found_by: set[str]
) -> None:
    """Those of another message. Without the key, or without the account, what depends on them is believed."""
    session, key = signed
    number = session.find(Kind.INTENT).number
    tampered = session.edited(number, lambda data: data | {field: value})
    for given, manner in ((None, session.header.account), (key, f"{session.header.account} with key")):
        found = [divergence.record for divergence in repeat(tampered, given).divergences]
        assert found == [number] * (manner in found_by)


def test_another_key_is_found_out(signed: tuple[Session, Key]) -> None:
    """Every order was signed with another; and with its account in sight every login differs, too."""
    session, _ = signed
    report = repeat(session, Key("0x1234567890abcdef"))
    intents = sum(divergence.kind == Kind.INTENT for divergence in report.divergences)
    assert intents == report.orders
    assert (intents < len(report.divergences)) == (session.header.account == "kept")
