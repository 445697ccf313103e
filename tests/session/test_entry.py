"""Order entry over a WebSocket: each call once, its own reply or which of three failures, and what the tape gets."""

import json
import random
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from entry_stage import (
    MARKET,
    TIMEOUT,
    Hearing,
    Play,
    cancel,
    create,
    entering,
    order,
    placed,
    refusal,
    signed,
    take_all,
)
from scripted_venue import Conversation, cancelled_after
from virtual_stage import RTT, virtually

from bot.core.errors import (
    NotSentError,
    RefusedError,
    RequestError,
    StreamClosedError,
    UnknownOutcomeError,
    or_failure,
)
from bot.core.tape import HIDDEN, Kind
from bot.link.answer import Answer
from bot.paradex import calls, rpc

OPEN = 3 * RTT


async def ended(play: Play, client_id: str, into: dict[str, Any]) -> None:
    """How a call for an order ended, and when."""
    into[client_id] = (await or_failure(play.entry.send(create(client_id))), trio.current_time())


# Replies.


@virtually
async def test_a_call_takes_one_round_trip() -> None:
    """Its value, how long it took, and its number on the tape, where it stands as it left but for the signature."""
    async with entering(take_all) as play:
        answer = await play.entry.send(create("a", cause=17))
        assert trio.current_time() == OPEN + RTT
        assert (answer.value.id, answer.value.status) == ("va", "NEW")
        assert (answer.reused, answer.elapsed_ns, answer.exchange) == (True, RTT * 1e9, 1)
        await play.entry.send(create("b", cause=18))
        hidden = [
            call.show(call.frame(number), HIDDEN) for number, call in ((1, create("a")), (2, create("b")))
        ]
        assert play.left == [
            {"x": 1, "of": 17, "frame": hidden[0]},
            {"x": 2, "of": 18, "frame": hidden[1]},
        ]
        assert "11" not in str(play.left)
        assert HIDDEN in hidden[0]
        [first, second] = [data for _, data in play.tape.told(Kind.WIRE)]
        assert first == {
            "x": 1,
            "reused": True,
            "idle_ns": 0,
            "opened_ns": None,
            "written_ns": round(OPEN * 1e9),
            "first_ns": round((OPEN + RTT) * 1e9),
            "parsed_ns": round((OPEN + RTT) * 1e9),
            "rtt_us": None,
        }
        assert (second["x"], second["first_ns"]) == (2, round((OPEN + 2 * RTT) * 1e9))
        assert play.failures == []


@virtually
async def test_what_the_venue_hears_is_the_whole_of_it() -> None:
    """The signature, too; and ids that rise."""
    venue = Hearing()
    async with entering(venue) as play, trio.open_nursery() as nursery:
        for client_id in "abc":
            nursery.start_soon(or_failure, play.entry.send(create(client_id)))
        await trio.sleep(RTT)
        assert [each["id"] for each in venue.heard] == [1, 2, 3]
        for each in venue.heard:
            assert each["params"] == json.loads(create(each["params"]["client_id"]).params)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("seed", range(5))
@virtually
async def test_replies_find_their_calls_in_any_order(seed: int) -> None:
    """Whatever else comes in between: replies to nobody, updates of channels, frames that nobody understands."""
    chance = random.Random(seed)

    async def shuffle(venue: Conversation) -> None:
        requests = [await venue.hear() for _ in range(30)]
        chance.shuffle(requests)
        for request in requests:
            noise = chance.choice(
                [
                    {"id": 10_000, "result": {}},
                    {"id": str(request["id"]), "result": {}},
                    {"id": None, "error": {"code": -32700, "message": "parse error"}},
                    {"params": {"channel": f"orders.{MARKET}", "data": placed(request)["result"]["order"]}},
                    "garbage",
                ]
            )
            await venue.say(noise)
            await venue.say(placed(request))
        await trio.sleep_forever()

    results: dict[str, Any] = {}
    async with entering(shuffle) as play, trio.open_nursery() as nursery:
        for number in range(30):
            nursery.start_soon(ended, play, f"a{number}", results)
        await trio.sleep(TIMEOUT)
        assert len(results) == 30
        for client_id, (answer, _) in results.items():
            assert isinstance(answer, Answer)
            assert answer.value.client_id == client_id
        assert sorted(answer.exchange for answer, _ in results.values()) == list(range(1, 31))


@virtually
async def test_the_first_reply_counts() -> None:
    """One that comes again, and says something else, is nobody's: the order is not lost by it.

    Not even if nobody has looked at the first one by then.
    """
    results: dict[str, Any] = {}
    async with entering(Hearing()) as play, trio.open_nursery() as nursery:
        nursery.start_soon(ended, play, "a", results)
        await trio.testing.wait_all_tasks_blocked()
        first, second = (rpc.read(json.dumps(reply)) for reply in (placed(REQUEST), refusal(REQUEST, 40111)))
        assert isinstance(first, rpc.Reply)
        assert isinstance(second, rpc.Reply)
        assert [play.stream.replied(reply, 5) for reply in (first, second)] == [True, False]
        await trio.testing.wait_all_tasks_blocked()
        answer, _ = results["a"]
        assert isinstance(answer, Answer)
        assert answer.value.id == "va"
        assert play.refusals == []


REQUEST = {"id": 1, "params": {"client_id": "a"}}


@virtually
async def test_no_id_is_used_twice() -> None:
    """Neither those of calls that failed, nor of other requests: a reply that comes late finds nobody."""
    venue = Hearing()
    async with entering(venue, seconds=1) as play:
        for client_id in "ab":
            with pytest.raises(UnknownOutcomeError):
                await play.entry.send(create(client_id))
        with trio.move_on_after(1):
            await play.stream.call("subscribe", {"channel": "x"})
        with trio.move_on_after(0.5):
            await play.entry.send(create("c"))
        await trio.sleep(RTT)
    assert [each["id"] for each in venue.heard] == [1, 2, 3, 4]


@virtually
async def test_a_late_reply_is_nobodys() -> None:
    """The call has ended; the next one is not answered by it."""

    async def late(venue: Conversation) -> None:
        first = await venue.hear()
        second = await venue.hear()
        await venue.say(refusal(first, -32602))
        await trio.sleep(1)
        await venue.say(placed(second))
        await trio.sleep_forever()

    async with entering(late, seconds=4) as play:
        with pytest.raises(UnknownOutcomeError):
            await play.entry.send(create("a"))
        assert (await play.entry.send(create("b"))).value.client_id == "b"
        assert [failure["x"] for failure in play.failures] == [1]


# Failures.


@virtually
async def test_a_lost_reply_is_an_unknown_outcome_at_the_deadline() -> None:
    """To the moment; and the tape knows that the exchange ended without an answer."""
    async with entering(Hearing()) as play:
        with pytest.raises(UnknownOutcomeError, match=r"^order\.create: deadline passed$"):
            await play.entry.send(create())
        assert trio.current_time() == OPEN + TIMEOUT
        assert play.failures == [{"x": 1, "failure": "unknown", "text": "order.create: deadline passed"}]


@virtually
async def test_a_socket_that_dies_leaves_unknown_what_had_left() -> None:
    """At once: nobody waits for a reply that cannot come."""

    async def die(venue: Conversation) -> None:
        await venue.hear()
        await trio.sleep(1)
        await venue.connection.aclose(1012, "restart")

    async with entering(die) as play:
        with pytest.raises(UnknownOutcomeError, match=r"^order\.create: the WebSocket ended$"):
            await play.entry.send(create())
        assert trio.current_time() == OPEN + RTT / 2 + 1 + RTT / 2
        assert play.failures == [{"x": 1, "failure": "unknown", "text": "order.create: the WebSocket ended"}]


@virtually
async def test_what_had_not_left_when_the_socket_died_was_not_sent() -> None:
    """Behind a message that did not get away: no byte, no record, no failure of an exchange that never began."""
    async with entering(Hearing(), window=4096) as play, trio.open_nursery() as nursery:
        results: dict[str, Any] = {}
        play.s.link.black_hole()
        play.websocket.send("x" * 100_000)
        nursery.start_soon(ended, play, "a", results)
        await trio.sleep(1)
        play.stream.lose()
        await trio.testing.wait_all_tasks_blocked()
        failure, at = results["a"]
        assert type(failure) is NotSentError
        assert str(failure) == "order.create: the WebSocket ended, before it could leave"
        assert at == OPEN + 1
        assert (len(play.left), play.failures) == (1, [])


@virtually
async def test_nothing_leaves_over_a_socket_that_has_died() -> None:
    """Known or not known yet by the reader: it is not sent, and at once."""
    async with entering(Hearing()) as play:
        play.stream.lose()
        with pytest.raises(NotSentError, match="WebSocket closed: 1006, before it could leave"):
            await play.entry.send(create())
        with pytest.raises(StreamClosedError):
            await play.stream.call("subscribe", {})
        assert trio.current_time() == OPEN
        assert (play.left, play.failures) == ([], [])


@virtually
async def test_a_deadline_that_passes_before_it_leaves_keeps_it_here_for_good() -> None:
    """The writer comes to it later, when its order is known not to have been sent; and the others go."""
    venue = Hearing()
    async with entering(venue, window=4096) as play:
        play.s.link.black_hole()
        play.websocket.send('"' + "x" * 100_000 + '"')
        with pytest.raises(NotSentError, match="deadline passed, before it could leave"):
            await play.entry.send(create("stale"))
        assert trio.current_time() == OPEN + TIMEOUT
        play.s.link.heal()
        await trio.sleep(600)
        with pytest.raises(UnknownOutcomeError):
            await play.entry.send(create("fresh"))
        assert [each["params"]["client_id"] for each in venue.heard[1:]] == ["fresh"]
        assert [failure["x"] for failure in play.failures] == [1]
        assert "stale" not in str(play.tape.records)


@virtually
async def test_the_permit_is_asked_when_its_turn_comes() -> None:
    """What it raises is how the call ends, and the writer goes on."""
    refusals = [NotSentError("the bot is stopping"), None]

    def permit() -> None:
        asked_at.append(trio.current_time())
        refusal = refusals.pop(0)
        if refusal is not None:
            raise refusal

    asked_at: list[float] = []
    async with entering(take_all) as play:
        with pytest.raises(NotSentError, match=r"^the bot is stopping$"):
            await play.entry.send(create("a"), permit)
        assert (play.left, play.failures) == ([], [])
        assert (await play.entry.send(create("b"), permit)).exchange == 1
        assert asked_at == [OPEN, OPEN]


@virtually
async def test_what_is_true_when_its_turn_comes_decides() -> None:
    """It was allowed when it was posted, and is no longer; nobody waits longer than that for it."""
    venue, allowed = Hearing(), [True]

    def permit() -> None:
        if not allowed[0]:
            raise NotSentError("not any more")

    async with entering(venue, seconds=600, window=4096) as play:
        play.s.link.black_hole()
        play.websocket.send('"' + "x" * 100_000 + '"')
        play.s.network.after(1, lambda: allowed.__setitem__(0, False))
        play.s.network.after(5, play.s.link.heal)
        with pytest.raises(NotSentError, match=r"^not any more$"):
            await play.entry.send(create(), permit)
        assert (len(play.left), play.failures) == (1, [])


@virtually
async def test_a_cancelled_call_is_one_that_nobody_knows_the_end_of() -> None:
    """The tape says whose doing it was; what had left is on its way, whole, and its reply is nobody's."""
    venue = Hearing()
    async with entering(venue) as play:
        with trio.move_on_after(1):
            await play.entry.send(create())
        assert play.failures == [{"x": 1, "failure": "cancelled"}]
        await trio.sleep(RTT)
        assert len(venue.heard) == 1


@virtually
async def test_who_is_cancelled_already_sends_nothing() -> None:
    """Though the system has room: no byte, and no record."""
    async with entering(Hearing()) as play:
        with trio.CancelScope() as scope:
            scope.cancel()
            await play.entry.send(create())
        assert (play.left, play.failures) == ([], [])


@virtually
async def test_a_cancelled_call_that_had_not_left_never_leaves() -> None:
    """No byte of it, and no record."""
    venue = Hearing()
    async with entering(venue, window=4096) as play:
        play.s.link.black_hole()
        play.websocket.send('"' + "x" * 100_000 + '"')
        with trio.move_on_after(1):
            await play.entry.send(create())
        play.s.link.heal()
        await trio.sleep(600)
        assert len(venue.heard) == 1
        assert (len(play.left), play.failures) == (1, [])


@virtually
async def test_cancelled_after_any_step_each_call_is_told_once() -> None:
    """What the venue hears was written down before; and what was written down has a reply or a failure, not both."""

    async def call(play: Play, client_id: str) -> None:
        await play.entry.send(create(client_id))

    async with entering(take_all) as play:
        steps, cancelled = 0, True
        while cancelled:
            steps += 1
            cancelled = await cancelled_after(steps, partial(call, play, str(steps)))
        await trio.sleep(RTT)
        answered = {
            json.loads(data)["id"] for _, data in play.tape.told(Kind.FRAME_IN)
        }  # late ones among them
        sent = {json.loads(each["frame"])["id"] for each in play.left}
        assert answered == sent
        assert steps > 5
        assert [failure["failure"] for failure in play.failures] == ["cancelled"] * len(play.failures)
        assert len({failure["x"] for failure in play.failures}) == len(play.failures) == len(sent) - 1


@pytest.mark.parametrize(
    ("code", "message", "data", "kind"),
    [
        (-32600, "invalid request", None, RefusedError),
        (-32602, "invalid params", None, RefusedError),
        (100, "too small", "INVALID_ORDER_SIZE", RefusedError),
        (100, "INVALID_ORDER_SIZE", None, RefusedError),
        (100, "too small", None, UnknownOutcomeError),
        (100, "there is one", "DUPLICATED_CLIENT_ID", UnknownOutcomeError),
        (100, "oops", "INTERNAL_ERROR", UnknownOutcomeError),
        (-32603, "internal error", None, UnknownOutcomeError),
        (-32601, "method not found", None, UnknownOutcomeError),
    ],
)
@virtually
async def test_errors(code: int, message: str, data: str | None, kind: type[RequestError]) -> None:
    """As the table of outcomes has them; a reply came, so the tape has no failure; the connection stays."""

    async def refuse(venue: Conversation) -> None:
        await venue.say(refusal(await venue.hear(), code, message, data))
        await take_all(venue)

    async with entering(refuse) as play:
        failure = await or_failure(play.entry.send(create("a")))
        assert type(failure) is kind
        assert play.failures == []
        assert (play.restrictions, play.refusals) == ([], [])
        assert (await play.entry.send(create("b"))).value.client_id == "b"


# Whom it tells.


@pytest.mark.parametrize("code", [40110, 40111, 40112, 40300])
@virtually
async def test_a_venue_that_does_not_permit_is_told_of(code: int) -> None:
    """With its refusal, to whoever ends the generation; the call itself is refused."""

    async def refuse(venue: Conversation) -> None:
        await venue.say(refusal(await venue.hear(), code))
        await trio.sleep_forever()

    async with entering(refuse) as play:
        with pytest.raises(RefusedError):
            await play.entry.send(create())
        assert [each.status for each in play.refusals] == [code]
        assert play.restrictions == []


@pytest.mark.parametrize(
    ("code", "message", "data"),
    [
        (100, "cancels only", "SYSTEM_STATUS_CANCEL_ONLY"),
        (100, "SYSTEM_STATUS_POST_ONLY", None),
        (-32602, "no", "SYSTEM_STATUS_CANCEL_ONLY"),
        (40300, "no", "SYSTEM_STATUS_CANCEL_ONLY"),
    ],
)
@virtually
async def test_a_restricted_platform_is_told_of(code: int, message: str, data: str | None) -> None:
    """By the code, whatever the number; and it is no refusal of who we are."""

    async def refuse(venue: Conversation) -> None:
        await venue.say(refusal(await venue.hear(), code, message, data))
        await trio.sleep_forever()

    async with entering(refuse) as play:
        with pytest.raises(RefusedError):
            await play.entry.send(create())
        assert play.restrictions == [OPEN + RTT]
        assert play.refusals == []


@virtually
async def test_one_order_of_a_batch_tells_of_a_restriction() -> None:
    """A batch that was taken, and of which one was not."""

    async def react(venue: Conversation) -> None:
        for words in ("INVALID_ORDER_SIZE: no", "SYSTEM_STATUS_POST_ONLY: no"):
            request = await venue.hear()
            taken = placed(request | {"params": request["params"]["orders"][0]})["result"]
            await venue.say({"id": request["id"], "result": {"results": [taken, {"error": words}]}})
        await trio.sleep_forever()

    async with entering(react) as play:
        for restrictions in (0, 1):
            answer = await play.entry.send(calls.create_batch([signed("a"), signed("b")]))
            assert len(answer.value.results) == 2
            assert len(play.restrictions) == restrictions


# Rate limits.


@virtually
async def test_an_order_without_room_is_not_sent_over_the_websocket() -> None:
    """At once, and nothing of it is on the tape. What went over REST counts, for it is the same limit."""
    async with entering(take_all) as play:
        for _ in range(400):
            await play.budgets.spend("POST", "/orders")
        for _ in range(320):
            await play.budgets.spend("order.create", "")
        placing: list[calls.Call[Any]] = [
            create(),
            calls.create_batch([signed("a"), signed("b")]),
            calls.modify(order("a", "v1"), size=1, price=1, signature="[]", signature_timestamp=1),
        ]
        for call in placing:
            with pytest.raises(NotSentError, match="800 orders a second has no room"):
                await play.entry.send(call)
        assert (play.left, play.failures, trio.current_time()) == ([], [], OPEN)
        await trio.sleep(0.01)
        await play.entry.send(create())


@virtually
async def test_what_goes_over_the_websocket_is_missed_over_rest() -> None:
    """One bucket, the other way round; a batch counts once."""
    async with entering(take_all) as play:
        for _ in range(720):
            await play.budgets.spend("order.create_batch", "")
        with pytest.raises(NotSentError, match="800 orders a second has no room"):
            await play.budgets.spend("POST", "/orders")
        for _ in range(1350):  # and of private requests there are as many as before
            await play.budgets.spend("GET", "/system/time")


@virtually
async def test_a_cancel_over_the_websocket_spends_the_reserve() -> None:
    """And waits, when even that is used up; its deadline is not of that time."""

    async def queue(venue: Conversation) -> None:
        while True:
            request = await venue.hear()
            await venue.say({"id": request["id"], "result": {"order_id": request["params"]["id"]}})

    async with entering(queue) as play:
        for _ in range(720):
            await play.budgets.spend("order.create", "")
        assert (await play.entry.send(cancel())).value.order_id == "v1"
        await trio.sleep(60)
        for _ in range(720):
            await play.budgets.spend("order.create", "")
        for _ in range(80):
            await play.budgets.spend("order.cancel", "")
        start = trio.current_time()
        answer = await play.entry.send(cancel("v2"))
        assert trio.current_time() - start == pytest.approx(1 / 800 + RTT)
        assert answer.elapsed_ns == pytest.approx(RTT * 1e9)


@virtually
async def test_42901_closes_the_limits_for_a_second() -> None:
    """For orders over either way, and for cancels, which would be refused, too; not for what counts elsewhere."""

    async def refuse(venue: Conversation) -> None:
        await venue.say(refusal(await venue.hear(), 42901, "rate limit exceeded"))
        await take_all(venue)

    async with entering(refuse) as play:
        with pytest.raises(RefusedError) as refused:
            await play.entry.send(create())
        assert refused.value.status == 42901
        start = trio.current_time()
        for method, path in (("order.create", ""), ("POST", "/orders")):
            with pytest.raises(NotSentError, match="has no room"):
                await play.budgets.spend(method, path)
        await play.budgets.spend("GET", "/orders")
        assert trio.current_time() == start
        await play.budgets.spend("order.cancel", "")
        assert trio.current_time() == start + 1
        await play.entry.send(create("b"))
        assert play.refusals == []
