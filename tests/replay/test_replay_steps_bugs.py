"""A bug in the bot makes recorded sessions diverge: in the strategy, in all that is behind it, in every encoder."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from replay_stage import recorded as session_of

from bot.core import recovered
from bot.core.errors import UnknownOutcomeError
from bot.core.fixed import parse
from bot.core.order import TRANSITIONS, Event, Order, Side, State
from bot.core.tape import Kind
from bot.link.clock import VenueClock
from bot.paradex import orders, outcome, rest, rpc, snip12
from bot.paradex.answers import OrderReport
from bot.paradex.request import Request, encode
from bot.replay.steps import errands
from bot.replay.steps.manners import repeat
from bot.trading import requests
from bot.trading.step import desk, guard, holdings, ledger, manager, pursuit, reported, stocktaking
from bot.trading.strategies.trader import Trader

Patch = pytest.MonkeyPatch


def one_tick_off(patch: Patch) -> None:
    place = Trader.place
    patch.setattr(
        Trader,
        "place",
        lambda self, *args, price, **more: place(self, *args, price=price + 10_000_000, **more),
    )


def sells(patch: Patch) -> None:
    place = Trader.place
    patch.setattr(Trader, "place", lambda self, market, _side, **more: place(self, market, Side.SELL, **more))


def pauses_longer(patch: Patch) -> None:
    wait = Trader.set_timer
    patch.setattr(Trader, "set_timer", lambda self, seconds: wait(self, seconds * 1.5))


def forgets_to_cancel(patch: Patch) -> None:
    patch.setattr(Trader, "cancel", lambda _self, _client_id: None)


def counts_from_zero(patch: Patch) -> None:
    patch.setattr(desk, "count", lambda _start: iter(range(10**6)))


def cancels_twice(patch: Patch) -> None:
    cancel = pursuit.Pursuit.cancel

    def again(self: pursuit.Pursuit, order: Order) -> None:
        self._cancels_in_flight.discard(order.client_id)
        cancel(self, order)

    patch.setattr(pursuit.Pursuit, "cancel", again)


def looks_up_later(patch: Patch) -> None:
    patch.setattr(pursuit, "LOOK_AGAIN_S", 1.1)


def takes_a_refusal_for_a_loss(patch: Patch) -> None:
    patch.setitem(outcome.MEANING, outcome.End.REFUSAL, UnknownOutcomeError)


def rests_too_early(patch: Patch) -> None:
    patch.setitem(TRANSITIONS, (State.SENT, Event.ACCEPTED), State.OPEN)


def lets_the_dead_rise(patch: Patch) -> None:
    patch.setitem(TRANSITIONS, (State.CLOSED, Event.ACCEPTED), State.NEW)


def believes_an_unknown_status(patch: Patch) -> None:
    patch.setitem(ledger.EVENT_OF_STATUS, "SUSPENDED_BY_AUCTION", Event.ENDED)


def forgets_fills(patch: Patch) -> None:
    patch.setattr(stocktaking.Stocktaking, "take_fill", lambda _self, _told, **_how: False)


def counts_fills_twice(patch: Patch) -> None:
    """A list tells of fills that a frame told of before."""
    patch.setattr(holdings, "REMEMBERED", 0)


def believes_no_list(patch: Patch) -> None:
    patch.setattr(stocktaking.Stocktaking, "merge", lambda _self, _snapshot: None)


def looks_at_no_mode(patch: Patch) -> None:
    patch.setattr(guard.Guard, "mode_changed", lambda _self, _mode: None)


def reads_another_field(patch: Patch) -> None:
    known = rpc._order_reports

    class Wrong:
        def decode(self, data: bytes) -> OrderReport:
            report = known.decode(data)
            return attrs.evolve(report, client_id=report.id)

    patch.setattr(rpc, "_order_reports", Wrong())


def dies_of_an_unreadable_number(patch: Patch) -> None:
    def fragile(text: str) -> int:
        if not text[-1].isdecimal():
            raise ArithmeticError(text)
        return parse(text)

    patch.setattr(reported, "parse", fragile)


def writes_trailing_zeros(patch: Patch) -> None:
    patch.setattr(orders, "render", lambda value: f"{value / 10**8:.8f}")


def takes_another_window(patch: Patch) -> None:
    create = orders.create
    patch.setattr(
        orders, "create", lambda signed, *, cause: create(attrs.evolve(signed, recv_window=6000), cause=cause)
    )


def reorders_a_body(patch: Patch) -> None:
    patch.setattr(orders, "encode", lambda value: encode(dict(sorted(value.items()))))


def cancels_by_our_id(patch: Patch) -> None:
    patch.setattr(
        requests,
        "cancel_request",
        lambda order, cause: orders.cancel_by_client_id(order.client_id, market=order.market, cause=cause),
    )


def forgets_the_market(patch: Patch) -> None:
    patch.setattr(
        errands,
        "history_request",
        lambda order, cause: attrs.evolve(
            requests.history_request(order, cause), path=f"/orders-history?client_id={order.client_id}"
        ),
    )


def names_a_header_otherwise(patch: Patch) -> None:
    auth = rest.auth

    def renamed(**fields: Any) -> Request[Any]:
        request = auth(**fields)
        return attrs.evolve(request, headers={name.title(): value for name, value in request.headers.items()})

    patch.setattr(rest, "auth", renamed)


def subscribes_elsewhere(patch: Patch) -> None:
    patch.setattr(rpc, "orders_channel", lambda market: f"order.{market}")


def writes_another_version(patch: Patch) -> None:
    request = rpc.request
    patch.setattr(rpc, "request", lambda *args: request(*args).replace('"2.0"', '"1.0"'))


def hashes_price_before_size(patch: Patch) -> None:
    fields = snip12._order_fields

    def swapped(terms: snip12.OrderTerms) -> dict[str, int]:
        found = fields(terms)
        return {name: found[name] for name in ("timestamp", "market", "side", "orderType", "price", "size")}

    patch.setattr(snip12, "_order_fields", swapped)


def hashes_another_side(patch: Patch) -> None:
    patch.setattr(snip12, "SIDES", {"BUY": 2, "SELL": 1})


def hashes_another_type(patch: Patch) -> None:
    patch.setattr(snip12, "ORDER", snip12.MODIFY_ORDER)


def shifts_the_venues_clock(patch: Patch) -> None:
    def measured(self: VenueClock, *, server_time_ms: int, elapsed_ns: int) -> None:
        self._ahead_ns = server_time_ms * 1_000_000 - elapsed_ns * 3 - self.ours.monotonic_ns()

    patch.setattr(VenueClock, "measured", measured)


def tells_less_of_an_order(patch: Patch) -> None:
    told = recovered.told_terms
    patch.setattr(recovered, "told_terms", lambda order: told(order) | {"instruction": "GTC"})


def misses_who_ended_it(patch: Patch) -> None:
    update = ledger.Ledger.update
    patch.setattr(
        ledger.Ledger,
        "update",
        lambda self, order, report, **more: update(
            self, order, attrs.evolve(report, cancel_reason=None), **more
        ),
    )


def does_not_stop(patch: Patch) -> None:
    patch.setattr(manager.OrderManager, "_stop", lambda _self, _item: None)


@pytest.mark.parametrize(
    ("bug", "name", "kind"),
    [
        (one_tick_off, "plain", Kind.EFFECT),
        (sells, "plain", Kind.EFFECT),
        (pauses_longer, "plain", Kind.EFFECT),
        (forgets_to_cancel, "plain", Kind.EFFECT),
        (counts_from_zero, "plain", Kind.EFFECT),
        (cancels_twice, "strange", Kind.EFFECT),
        (looks_up_later, "plain", Kind.EFFECT),
        (takes_a_refusal_for_a_loss, "reconnects", Kind.OUTCOME),
        (rests_too_early, "plain", Kind.ORDER),
        (believes_an_unknown_status, "strange", Kind.ORDER),
        (forgets_fills, "fills", Kind.ORDER),
        (counts_fills_twice, "fills", Kind.ORDER),
        (believes_no_list, "reconnects", Kind.ORDER),
        (looks_at_no_mode, "strange", Kind.EFFECT),
        (reads_another_field, "plain", Kind.ORDER),
        (dies_of_an_unreadable_number, "strange", None),
        (writes_trailing_zeros, "plain", Kind.INTENT),
        (takes_another_window, "plain", Kind.INTENT),
        (reorders_a_body, "plain", Kind.INTENT),
        (cancels_by_our_id, "plain", Kind.REQUEST),
        (forgets_the_market, "reconnects", Kind.REQUEST),
        (names_a_header_otherwise, "plain", Kind.REQUEST),
        (subscribes_elsewhere, "plain", Kind.FRAME_OUT),
        (writes_another_version, "plain", Kind.FRAME_OUT),
        (hashes_price_before_size, "plain", Kind.INTENT),
        (hashes_another_side, "plain", Kind.INTENT),
        (hashes_another_type, "plain", Kind.INTENT),
        (shifts_the_venues_clock, "fills", Kind.REQUEST),
        (tells_less_of_an_order, "plain", Kind.EFFECT),
        (misses_who_ended_it, "plain", Kind.ORDER),
        (does_not_stop, "strange", Kind.EFFECT),
    ],
)
def test_a_bug_makes_a_session_diverge(
    bug: Callable[[Patch], None], name: str, kind: Kind | None, monkeypatch: Patch
) -> None:
    """And the first divergence is of the kind that the bug is about."""
    bug(monkeypatch)
    report = repeat(session_of(name))
    assert report.exit_code == 1
    if kind is None:
        assert "the bot breaks: ArithmeticError: some (test_replay_steps_bugs.py, line " in report.stopped
    else:
        assert report.divergences[0].kind == kind
