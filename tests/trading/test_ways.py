"""Orders by either way: what befalls a request over REST, and a call over the WebSocket, comes to the same."""

import json
from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from executor_stage import Stage, answering, open_stage, session
from trading_stage import PRICE, SIZE, make_order
from ways_stage import Reply, answered, entry_to, error, refusal, session_over, told, unused

from bot.core.errors import NotSentError, RefusedError, RequestError, UnknownOutcomeError
from bot.core.order import Modification, State
from bot.core.tape import HIDDEN, Kind
from bot.paradex.answers import OrderReport
from bot.session.capabilities import Session
from bot.session.inbox import Item
from bot.trading import effects as fx
from bot.trading.requests import REST, WS

THREE = tuple(make_order(f"run-{number}") for number in (1, 2, 3))
OPEN = tuple(make_order(f"run-{number}", state=State.OPEN, venue_id=f"{number}000") for number in (1, 2, 3))
WANTED = attrs.evolve(OPEN[0], modifying=Modification(2 * SIZE, PRICE - 10**8, number=7))


def effects(permit: Session) -> dict[str, fx.Effect]:
    return {
        "place": fx.PlaceOrder(THREE[0], permit),
        "place batch": fx.PlaceBatch(THREE, permit),
        "modify": fx.ModifyOrder(WANTED, permit),
        "cancel": fx.CancelOrder(OPEN[0], permit),
        "cancel batch": fx.CancelBatch(OPEN, permit),
    }


EFFECTS = tuple(effects(session()))


def ends(items: list[Item]) -> dict[str, str]:
    """How it ended, in a few words, by client id; what began before that is left out."""

    def words(result: object) -> str:
        match result:
            case None:
                return "queued"
            case OrderReport(id=venue_id, status=status):
                return f"{venue_id} is {status}"
            case RefusedError(code=code):
                return f"refused {code}".rstrip()
            case RequestError(kind=kind):
                return kind
        raise AssertionError(result)

    ended: dict[str, str] = {}
    for item in items:
        match item:
            case (
                fx.SendEnded(client_id=client_id, result=result)
                | fx.ModifyEnded(client_id=client_id, result=result)
            ):
                ended[client_id] = words(result)
            case fx.CancelEnded(client_id, failure):
                ended[client_id] = words(failure)
            case _:
                assert isinstance(item, fx.SendStarted)
    return ended


async def over_rest(what: str, venue: Any) -> tuple[dict[str, str], Stage]:
    async with open_stage(venue, via=REST) as stage:
        # A session over whose WebSocket nothing goes.
        effect = effects(session())[what]
        if isinstance(effect, fx.CancelOrder | fx.CancelBatch):
            effect = attrs.evolve(effect, session=None)
        return ends(await stage.result(effect)), stage


async def over_ws(what: str, *replies: Reply) -> tuple[dict[str, str], Stage]:
    entry = entry_to(*replies)
    async with open_stage(unused, via=WS) as stage:
        ended = ends(await stage.result(effects(session_over(entry))[what]))
    assert len(entry.calls) == len(replies)
    return ended, stage


FATES: dict[str, tuple[Any, Reply, str]] = {
    "refused": (
        answered(400, refusal("INVALID_ORDER_SIZE")),
        error(100, data="INVALID_ORDER_SIZE"),
        "refused INVALID_ORDER_SIZE",
    ),
    "refused in the message": (
        answered(404, refusal("ORDER_ID_NOT_FOUND")),
        error(100, "ORDER_ID_NOT_FOUND"),
        "refused ORDER_ID_NOT_FOUND",
    ),
    "refused as a bad parameter": (
        answered(400, refusal("VALIDATION_ERROR")),
        error(-32602, data="VALIDATION_ERROR"),
        "refused VALIDATION_ERROR",
    ),
    "restricted": (
        answered(503, refusal("SYSTEM_STATUS_CANCEL_ONLY")),
        error(100, data="SYSTEM_STATUS_CANCEL_ONLY"),
        "refused SYSTEM_STATUS_CANCEL_ONLY",
    ),
    "it is there already": (
        answered(400, refusal("DUPLICATED_CLIENT_ID")),
        error(100, data="DUPLICATED_CLIENT_ID"),
        "unknown",
    ),
    "the venue failed": (answered(500, refusal("INTERNAL_ERROR")), error(-32603), "unknown"),
    "the venue failed, with a code": (
        answered(503, refusal("SERVICE_UNAVAILABLE")),
        error(100, data="SERVICE_UNAVAILABLE"),
        "unknown",
    ),
    "no, and nobody says why": (answered(400, b""), error(100), "unknown"),
    "a success that makes no sense": (answered(200, b"[]"), {"result": []}, "unknown"),
    "a success that is empty": (answered(200, b"null"), {"result": None}, "unknown"),
    "lost": (answering(UnknownOutcomeError("gone")), UnknownOutcomeError("gone"), "unknown"),
    "not sent": (answering(NotSentError("no")), NotSentError("no"), "not sent"),
}


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("what", EFFECTS)
async def test_the_same_fate_is_the_same_outcome(what: str, fate: str) -> None:
    """Of each order, whatever was asked for it; and it is asked for once, by one way."""
    venue, reply, outcome = FATES[fate]
    by_rest, stage = await over_rest(what, venue)
    assert len(stage.http.sent) == 1
    by_ws, stage = await over_ws(what, reply)
    assert stage.http.sent == []
    ids = ["run-1", "run-2", "run-3"] if "batch" in what else ["run-1"]
    assert by_rest == by_ws == dict.fromkeys(ids, outcome)


NUMBERS: dict[str, tuple[tuple[int, str], int]] = {
    "the bearer": ((401, "INVALID_TOKEN"), 40111),
    "the right": ((403, "IP_NOT_ALLOWED"), 40300),
    "the place": ((403, "GEO_IP_BLOCK"), 40112),
    "the rate": ((429, "RATE_LIMIT_EXCEEDED"), 42901),
    "the request": ((400, "BINDING_ERROR"), -32600),
}


@pytest.mark.parametrize("why", NUMBERS)
@pytest.mark.parametrize("what", EFFECTS)
async def test_refusals_that_have_a_number_over_the_websocket(what: str, why: str) -> None:
    """And a code over REST."""
    (status, code), number = NUMBERS[why]
    by_rest, _ = await over_rest(what, answered(status, refusal(code)))
    by_ws, _ = await over_ws(what, error(number))
    assert set(by_rest.values()) == {f"refused {code}"}
    assert set(by_ws.values()) == {"refused"}
    assert by_rest.keys() == by_ws.keys()


GONE = {"id": "2000", "status": "ALREADY_CLOSED"}
QUEUED = "QUEUED_FOR_CANCELLATION"
CANCELS = {
    "results": [{"id": "1000", "status": QUEUED, "market": "M"}, GONE, {"id": "3000", "status": "ODD"}]
}
BATCHES: dict[str, tuple[str, tuple[int, Any], Any, Mapping[str, str]]] = {
    "one order": (
        "place",
        (201, told("run-1")),
        {"order": told("run-1"), "created_at": 1},
        {"run-1": "1000 is NEW"},
    ),
    "another order": ("place", (201, told("run-9")), {"order": told("run-9")}, {"run-1": "unknown"}),
    "all": (
        "place batch",
        (201, {"orders": [told(f"run-{each}") for each in (1, 2, 3)], "errors": None}),
        {"results": [{"order": told(f"run-{each}")} for each in (1, 2, 3)]},
        {f"run-{each}": f"{each}000 is NEW" for each in (1, 2, 3)},
    ),
    "some": (
        "place batch",
        (
            201,
            {
                "orders": [told("run-1"), told("run-3")],
                "errors": [{"error": "MARKET_NOT_OPEN", "message": "closed"}],
            },
        ),
        {
            "results": [
                {"order": told("run-1")},
                {"error": "MARKET_NOT_OPEN: closed"},
                {"order": told("run-3")},
            ]
        },
        {"run-1": "1000 is NEW", "run-2": "refused MARKET_NOT_OPEN", "run-3": "3000 is NEW"},
    ),
    "one that nobody knows": (
        "place batch",
        (201, {"orders": [told("run-1"), told("run-3")], "errors": [{"error": "", "message": "oops"}]}),
        {"results": [{"order": told("run-1")}, {"error": "oops"}, {"order": told("run-3")}]},
        {"run-1": "1000 is NEW", "run-2": "unknown", "run-3": "3000 is NEW"},
    ),
    "too few": (
        "place batch",
        (201, {"orders": [], "errors": []}),
        {"results": [{"order": told("run-1")}]},
        dict.fromkeys(("run-1", "run-2", "run-3"), "unknown"),
    ),
    "new terms": (
        "modify",
        (200, told("run-1")),
        {"order": told("run-1")},
        {"run-1": "1000 is NEW"},
    ),
    "a cancel": ("cancel", (204, b""), {"order_id": "1000", "status": QUEUED}, {"run-1": "queued"}),
    "cancels": (
        "cancel batch",
        (200, CANCELS),
        CANCELS,
        {"run-1": "queued", "run-2": "refused ALREADY_CLOSED", "run-3": "unknown"},
    ),
}


@pytest.mark.parametrize("name", BATCHES)
async def test_the_same_answer_is_the_same_outcome(name: str) -> None:
    """Though the answers to a batch have other forms."""
    what, answer, result, outcomes = BATCHES[name]
    by_rest, _ = await over_rest(what, answered(*answer))
    by_ws, _ = await over_ws(what, {"result": result})
    assert by_rest == by_ws == outcomes


@pytest.mark.parametrize("what", ["place", "place batch", "modify"])
async def test_the_intents_are_written_down_before_a_call_leaves(what: str) -> None:
    """As they leave, but for the signature; each order of a batch for itself; all before the first byte."""
    async with open_stage(unused, via=WS) as stage:
        entry = entry_to({"result": {}})
        react = entry.reaction

        async def looking(call: Any) -> Reply:
            assert stage.tape.committed == len(stage.tape.records) == (3 if "batch" in what else 1)
            return await react(call)

        entry.reaction = looking
        await stage.result(effects(session_over(entry))[what])
        [call] = entry.calls
        intents = [data for _, data in stage.tape.told(Kind.INTENT)]
    shown = call.shown(HIDDEN)
    assert {data["request"]["method"] for data in intents} == {call.method}
    bodies = [json.loads(data["request"]["body"]) for data in intents]
    if "batch" in what:
        bodies = [{"orders": [order for body in bodies for order in body["orders"]]}]
    assert bodies == [json.loads(shown["body"])]
    assert '["' not in str(intents)


@pytest.mark.parametrize("via", [REST, WS])
@pytest.mark.parametrize("what", EFFECTS)
async def test_a_journal_that_cannot_be_written(what: str, via: str) -> None:
    """Nothing that is signed leaves, by either way; cancels do."""
    result = {"results": [{"id": f"{each}000", "status": QUEUED} for each in (1, 2, 3)]}
    entry = entry_to({"result": result if "batch" in what else {}})
    async with open_stage(answered(200, result), via=via) as stage:
        stage.tape.is_disk_full = True
        effect = effects(session_over(entry) if via == WS else session())[what]
        if via == REST and isinstance(effect, fx.CancelOrder | fx.CancelBatch):
            effect = attrs.evolve(effect, session=None)
        ended = ends(await stage.result(effect))
        left = len(entry.calls) + len(stage.http.sent)
    if "cancel" in what:
        assert (set(ended.values()), left, stage.alarms) == ({"queued"}, 1, [])
    else:
        assert (set(ended.values()), left) == ({"not sent"}, 0)
        assert stage.alarms == ["orders are not sent: no space left on device"]


@pytest.mark.parametrize("via", [REST, WS])
@pytest.mark.parametrize("what", EFFECTS)
async def test_causes_are_named_by_either_way(what: str, via: str) -> None:
    """The number of the decision is in what leaves."""
    entry = entry_to({"result": {}})
    async with open_stage(answered(200, b""), via=via) as stage:
        effect = effects(session_over(entry) if via == WS else session())[what]
        if via == REST and isinstance(effect, fx.CancelOrder | fx.CancelBatch):
            effect = attrs.evolve(effect, session=None)
        await stage.result(effect, 23)
        asked: list[Any] = [*entry.calls, *stage.http.requests]
    assert [each.cause for each in asked] == [23]
