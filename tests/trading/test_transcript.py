"""Items and effects on the tape: every kind has a line, and JSON can hold it."""

from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from scripted_venue import RecordingTape
from trading_stage import PRICE, SIZE, SYMBOL, HandClock, make_order, report, snapshot

from bot.core.errors import NotSentError, RefusedError, RequestError, UnknownOutcomeError
from bot.core.order import Modification, OrderType, State
from bot.core.recovered import Recovered
from bot.core.tape import Kind
from bot.paradex.answers import Bbo
from bot.session.capabilities import Session
from bot.session.inbox import (
    FillReported,
    Item,
    KillSwitchPulled,
    OrderReported,
    PlatformMode,
    SessionLost,
    SessionOpened,
)
from bot.trading import effects as fx
from bot.trading.effects import Effect
from bot.trading.transcript import Line, of_effect, of_item

ID = "run-1"
LOST = UnknownOutcomeError("ReadError")
SESSION = Session._mint(3)
TIMER = fx.Timer("look up", ID)
ORDER = make_order(venue_id="v1", state=State.OPEN)

TERMS = {
    "client_id": ID,
    "market": SYMBOL,
    "side": "BUY",
    "type": "LIMIT",
    "instruction": "POST_ONLY",
    "size": "0.01",
    "price": "42000.5",
}

ITEMS: list[tuple[Item, Kind, dict[str, Any]]] = [
    (
        fx.SendStarted(
            ID,
            1_800_000_000_007,
            5,
            4,
            struct_hash=26,
            message_hash=2**250,
            signature_digest="ab12",
            request={"method": "POST", "path": "/orders", "body": "{}"},
        ),
        Kind.INTENT,
        {
            "what": "place",
            "client_id": ID,
            "signature_timestamp": 1_800_000_000_007,
            "sent_ns": 5,
            "sign_ns": 4,
            "struct_hash": "0x1a",
            "message_hash": "0x4" + "0" * 62,
            "signature_digest": "ab12",
            "request": {"method": "POST", "path": "/orders", "body": "{}"},
        },
    ),
    (
        fx.SendStarted(ID, 1_800_000_000_007, 5, 0, signed_ns=-3, request={"body": "{}"}),
        Kind.INTENT,
        {
            "what": "place",
            "client_id": ID,
            "signature_timestamp": 1_800_000_000_007,
            "sent_ns": 5,
            "sign_ns": 0,
            "struct_hash": "0x0",
            "message_hash": "0x0",
            "signature_digest": "",
            "request": {"body": "{}"},
            "signed_ns": -3,
        },
    ),
    (
        fx.OrderPrepared(
            client_id=ID, signature_timestamp=1_800_000_000_007, until_ns=9, sign_ns=4, hash_ns=2
        ),
        Kind.OUTCOME,
        {
            "what": "prepare",
            "client_id": ID,
            "signature_timestamp": 1_800_000_000_007,
            "until_ns": 9,
            "sign_ns": 4,
            "hash_ns": 2,
        },
    ),
    (
        fx.PrepareFailed(ID, NotSentError("no hash")),
        Kind.OUTCOME,
        {"what": "prepare", "client_id": ID, "failure": "not sent", "text": "no hash"},
    ),
    (
        fx.SendEnded(client_id=ID, result=report("NEW"), reused=True, request_ns=9, exchange=7),
        Kind.OUTCOME,
        {"what": "place", "client_id": ID, "x": [7]},
    ),
    (
        fx.SendEnded(client_id=ID, result=LOST),
        Kind.OUTCOME,
        {"what": "place", "client_id": ID, "failure": "unknown", "text": "ReadError"},
    ),
    (
        fx.ModifyEnded(client_id=ID, number=3, result=report("OPEN"), exchange=7),
        Kind.OUTCOME,
        {"what": "modify", "client_id": ID, "x": [7]},
    ),
    (
        fx.ModifyEnded(client_id=ID, number=3, result=LOST),
        Kind.OUTCOME,
        {"what": "modify", "client_id": ID, "failure": "unknown", "text": "ReadError"},
    ),
    (fx.CancelEnded(ID, None), Kind.OUTCOME, {"what": "cancel", "client_id": ID}),
    (
        fx.CancelEnded(ID, RefusedError(404, "GONE", "no such order")),
        Kind.OUTCOME,
        {
            "what": "cancel",
            "client_id": ID,
            "failure": "refused",
            "status": 404,
            "code": "GONE",
            "text": "no such order",
        },
    ),
    (
        fx.LookedUp(ID, report("OPEN"), (7, 8)),
        Kind.OUTCOME,
        {"what": "look up", "client_id": ID, "x": [7, 8]},
    ),
    (fx.LookedUp(ID, None, (7, 8)), Kind.OUTCOME, {"what": "look up", "client_id": ID, "x": [7, 8]}),
    (
        fx.LookedUp(ID, NotSentError("no way")),
        Kind.OUTCOME,
        {"what": "look up", "client_id": ID, "failure": "not sent", "text": "no way"},
    ),
    (
        fx.BboFetched(SYMBOL, Bbo(market=SYMBOL), 7),
        Kind.OUTCOME,
        {"what": "quote", "market": SYMBOL, "x": [7]},
    ),
    (
        fx.BboFetched(SYMBOL, LOST),
        Kind.OUTCOME,
        {"what": "quote", "market": SYMBOL, "failure": "unknown", "text": "ReadError"},
    ),
    (
        snapshot(5, open_orders=(report("OPEN"),)),
        Kind.OUTCOME,
        {"what": "snapshot", "requested_ns": 5, "listed": [1, 0, 0, 0], "x": [[1], [2], [3], [4]]},
    ),
    (PlatformMode("cancel_only", 7), Kind.MODE, {"mode": "cancel_only", "x": 7}),
    (KillSwitchPulled("SIGUSR1"), Kind.COMMAND, {"command": "kill switch", "reason": "SIGUSR1"}),
    (
        fx.AccountRecovered(Recovered(run_ids=("before",), seen_ms=6), ()),
        Kind.RECOVERED,
        {"orders": [], "run_ids": ["before"], "seen_ms": 6, "acceptable_until_ns": []},
    ),
    (SessionOpened(SESSION), Kind.GENERATION, {"session": "ready"}),
    (SessionLost(3), Kind.GENERATION, {"session": "lost"}),
    (fx.TimerFired(TIMER), Kind.TIMER, {"purpose": "look up", "subject": ID}),
    (fx.StopAsked("SIGINT"), Kind.STOP, {"reason": "SIGINT"}),
]

EFFECTS: list[tuple[Effect, Kind, dict[str, Any]]] = [
    (
        fx.PlaceOrder(make_order(), SESSION),
        Kind.EFFECT,
        {"do": "place", **TERMS, "generation": 3},
    ),
    (
        fx.PlaceOrder(make_order(), SESSION, is_prepared=True),
        Kind.EFFECT,
        {"do": "place", **TERMS, "generation": 3, "prepared": True},
    ),
    (fx.PrepareOrder(make_order()), Kind.EFFECT, {"do": "prepare", **TERMS}),
    (fx.ForgetPrepared((ID, "run-2")), Kind.EFFECT, {"do": "forget", "orders": [ID, "run-2"]}),
    (
        fx.PlaceBatch((make_order(), make_order("run-2")), SESSION),
        Kind.EFFECT,
        {"do": "place batch", "orders": [TERMS, TERMS | {"client_id": "run-2"}], "generation": 3},
    ),
    (
        fx.ModifyOrder(attrs.evolve(ORDER, modifying=Modification(SIZE * 2, PRICE)), SESSION),
        Kind.EFFECT,
        {
            "do": "modify",
            "client_id": ID,
            "venue_id": "v1",
            "size": "0.02",
            "price": "42000.5",
            "generation": 3,
        },
    ),
    (fx.CancelOrder(ORDER), Kind.EFFECT, {"do": "cancel", "client_id": ID, "venue_id": "v1"}),
    (
        fx.CancelBatch((ORDER, make_order("run-2"))),
        Kind.EFFECT,
        {
            "do": "cancel batch",
            "orders": [{"client_id": ID, "venue_id": "v1"}, {"client_id": "run-2", "venue_id": ""}],
        },
    ),
    (fx.LookUpOrder(ORDER), Kind.EFFECT, {"do": "look up", "client_id": ID}),
    (
        fx.LookUpOrders((ORDER, make_order("run-2")), 1_700),
        Kind.EFFECT,
        {"do": "look up batch", "orders": [ID, "run-2"], "since_ms": 1_700},
    ),
    (fx.FetchBbo(SYMBOL), Kind.EFFECT, {"do": "quote", "market": SYMBOL}),
    (
        fx.SetTimer(TIMER, 0.5),
        Kind.EFFECT,
        {"do": "wait", "purpose": "look up", "subject": ID, "seconds": 0.5},
    ),
    (fx.TakeSnapshot(), Kind.EFFECT, {"do": "take a snapshot"}),
    (fx.PullKillSwitch("enough"), Kind.EFFECT, {"do": "pull the kill switch", "reason": "enough"}),
    (
        fx.Repaired("fill", "f1", "BUY 1"),
        Kind.REPAIR,
        {"what": "fill", "subject": "f1", "text": "BUY 1"},
    ),
    (fx.GiveUp("no size fits"), Kind.EFFECT, {"do": "give up", "reason": "no size fits"}),
    (fx.RaiseAlarm("help"), Kind.ALARM, {"text": "help"}),
    (
        fx.OrderMoved(attrs.evolve(ORDER, filled=600_000, reason="USER_CANCELED")),
        Kind.ORDER,
        {
            "client_id": ID,
            "venue_id": "v1",
            "state": "OPEN",
            "size": "0.01",
            "price": "42000.5",
            "filled": "0.006",
            "reason": "USER_CANCELED",
        },
    ),
]


def read_back(line: Line) -> tuple[Kind, int, Any]:
    """Kind, generation and data as a reader gets them."""
    tape = RecordingTape(HandClock())
    tape.write(line.kind, line.data, generation=line.generation)
    [record] = tape.records
    return record.kind, record.generation, record.data


@pytest.mark.parametrize(("item", "kind", "data"), ITEMS)
def test_what_is_written_of_an_item(item: Item, kind: Kind, data: Mapping[str, Any]) -> None:
    """Of a success only the numbers of the answers, which are on the tape; of a failure everything."""
    generation = 3 if kind is Kind.GENERATION else 0
    assert read_back(of_item(item)) == (kind, generation, data)


@pytest.mark.parametrize(("effect", "kind", "data"), EFFECTS)
def test_what_is_written_of_an_effect(effect: Effect, kind: Kind, data: Mapping[str, Any]) -> None:
    """Whatever is needed to see that another run decides the same."""
    assert read_back(of_effect(effect)) == (kind, 0, data)


def test_the_tables_above_are_whole() -> None:
    """A new kind of item or effect has to stand in them; a report needs no line, for its frame is one."""
    assert {type(item) for item, _, _ in ITEMS} | {OrderReported, FillReported} == set(Item.__subclasses__())
    assert {type(effect) for effect, _, _ in EFFECTS} == set(Effect.__subclasses__())


@pytest.mark.parametrize("order_type", OrderType)
def test_a_market_order_has_a_price_too(order_type: OrderType) -> None:
    """0, as everywhere here."""
    order = attrs.evolve(make_order(), type=order_type, price=0)
    told = of_effect(fx.PlaceOrder(order, SESSION)).data
    assert (told["type"], told["price"]) == (order_type, "0")


@pytest.mark.parametrize("failure", [NotSentError("no"), RefusedError(400, "CODE", "no"), LOST])
def test_no_failure_points_to_an_answer(failure: RequestError) -> None:
    """It is told in full where it is met, for there may be no answer, or one that says something else."""
    for item in (
        fx.SendEnded(client_id=ID, result=failure, exchange=7),
        fx.ModifyEnded(client_id=ID, number=1, result=failure, exchange=7),
        fx.CancelEnded(ID, failure),
        fx.LookedUp(ID, failure, (7,)),
        fx.BboFetched(SYMBOL, failure, 7),
    ):
        data = of_item(item).data
        assert "x" not in data
        assert failure.told().items() <= data.items()


def test_what_has_no_line() -> None:
    """It is our own mistake, and says so."""
    for item in (Item(), OrderReported(1, report("OPEN"), 5)):
        with pytest.raises(TypeError, match="no such item"):
            of_item(item)
    with pytest.raises(TypeError, match="no such effect"):
        of_effect(Effect())
