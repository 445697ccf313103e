"""A session under other settings: which decisions would be others, and how far that can be told."""

from contextlib import suppress
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from replay_stage import Session, recorded

from bot.core.fixed import parse
from bot.core.tape import Kind
from bot.replay.errors import UnusableRecordingError
from bot.replay.steps.hashes import Key
from bot.replay.steps.manners import decide_anew, recorded_settings, repeat
from bot.replay.steps.report import Report
from bot.settings import Settings
from bot.trading.executor import OrdersSettings
from bot.trading.requests import REST, WS
from bot.trading.strategies.probe import ProbeSettings


def under(name: str, *, orders: OrdersSettings | None = None, **strategy: Any) -> Settings:
    """The settings of a session, with changes."""
    recorded_ones = recorded_settings(recorded(name).header)
    return attrs.evolve(
        recorded_ones,
        strategy=attrs.evolve(recorded_ones.strategy, **strategy),
        orders=orders or recorded_ones.orders,
    )


def test_the_same_settings_decide_the_same() -> None:
    """Whatever else was recorded: the connection's settings are not compared."""
    report = decide_anew(recorded("strange"), attrs.evolve(under("strange"), environment="testnet"))
    assert report.settings == ["the same settings"]
    assert (report.divergences, report.stopped, report.exit_code) == ([], "", 0)


def test_another_price_is_told_of_each_order() -> None:
    """The recorded events go on making sense: the orders have the same client ids."""
    report = decide_anew(recorded("plain"), under("plain", distance=parse("0.03")))
    assert report.settings == ['[strategy] distance = "0.03", then "0.02"']
    assert report.stopped == ""
    assert report.exit_code == 1
    placed = [record for record in recorded("plain").records if record.kind is Kind.INTENT]
    assert len(report.divergences) == len(placed)
    first = recorded("plain").find(Kind.EFFECT, lambda data: data["do"] == "place")
    assert report.divergences[0].to_decision() == (
        f"{first.ns / 1e9:>12.6f} s  record {first.number}\n"
        f"    then  place BUY 0.01 BTC-USD-PERP @ 83299.6 POST_ONLY as {first.data['client_id']}\n"
        f"    now   place BUY 0.01 BTC-USD-PERP @ 82449.6 POST_ONLY as {first.data['client_id']}"
    )
    assert "    now   place BUY 0.01 BTC-USD-PERP @ 82449.6" in report.to_text()


def test_orders_go_the_recorded_way() -> None:
    """What came of a call is no answer to a request: by which way orders go is no decision about them."""
    for name in ("unheard", "plain"):
        other = OrdersSettings(
            via=REST if name == "unheard" else WS, cancel_on_disconnect=True, recv_window=2000
        )
        report = decide_anew(recorded(name), under(name, orders=other, distance=parse("0.03")))
        assert not any("via" in changed or "disconnect" in changed for changed in report.settings)
        assert report.stopped == ""
        placed = [each for each in report.divergences if each.kind is Kind.EFFECT]
        assert len(placed) == len([r for r in recorded(name).records if r.kind is Kind.INTENT])


def test_another_window_is_told_of_each_request() -> None:
    """The same decisions, sent in another way."""
    report = decide_anew(recorded("plain"), under("plain", orders=OrdersSettings(recv_window=4000)))
    assert {divergence.kind for divergence in report.divergences} == {Kind.INTENT}
    assert report.divergences[0].to_decision().endswith("with request.body.recv_window 4000")


def test_another_pause_is_told_of_each_wait() -> None:
    """Their timers elapse when they did."""
    report = decide_anew(recorded("plain"), under("plain", pause=2.0))
    assert report.divergences[0].to_decision().endswith("now   wake in 2.0 s: strategy 1")
    assert report.stopped == ""


def test_a_size_that_no_market_takes_ends_it_with_words() -> None:
    """The strategy gives up, so nothing that was recorded after it tells anything."""
    report = decide_anew(recorded("plain"), under("plain", size=parse("0.00001")))
    assert [divergence.came and divergence.came["do"] for divergence in report.divergences] == [
        "give up",
        None,
    ]
    intent = recorded("plain").find(Kind.INTENT)
    assert report.stopped.startswith(f"record {intent.number} (intent), at {intent.ns / 1e9:.6f} s: ")
    assert report.stopped in report.to_text()


@pytest.mark.parametrize("market", ["ETH-USD-PERP", "NONE-USD-PERP"])
def test_another_market_ends_it_with_words(market: str) -> None:
    """Its quotes were not asked for, or the venue does not have it."""
    report = decide_anew(recorded("plain"), under("plain", orders=OrdersSettings(markets=(market,))))
    assert report.stopped
    assert report.exit_code == 1


PLAIN = recorded("plain")
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def sessions(draw: st.DrawFn) -> Session:
    """The beginning of a recorded one, with some records edited, doubled, moved or left out."""
    records = PLAIN.records[:80]
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(records) - 1))
        record = records[place]
        match draw(st.sampled_from(["data", "field", "kind", "generation", "double", "leave out", "move"])):
            case "data":
                record = record._replace(data=draw(ANY_JSON))
            case "field" if isinstance(record.data, dict) and record.data:
                name = draw(st.sampled_from(sorted(record.data)))
                record = record._replace(data=record.data | {name: draw(ANY_JSON)})
            case "kind":
                record = record._replace(kind=draw(st.sampled_from(list(Kind))))
            case "generation":
                record = record._replace(generation=draw(st.integers(-1, 3)))
            case "double":
                records = [*records[:place], record, *records[place:]]
            case "leave out":
                records = [*records[:place], *records[place + 1 :]]
                continue
            case "move":
                records = [*records[:place], *records[place + 1 :], record]
                continue
        records = [*records[:place], record, *records[place + 1 :]]
    return attrs.evolve(PLAIN, records=records)


@given(sessions(), st.sampled_from(["0.02", "0.03"]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_session_breaks_a_replay(session: Session, distance: str) -> None:
    """Whatever somebody made of it: a report that can be printed, or one error that says what is wrong."""
    other = attrs.evolve(Settings(), strategy=ProbeSettings(distance=parse(distance), pause=0.7))
    with suppress(UnusableRecordingError):
        said(repeat(session))
    with suppress(UnusableRecordingError):
        said(repeat(session, Key("0x1234567890abcdef")))
    with suppress(UnusableRecordingError):
        said(decide_anew(session, other))


def said(report: Report) -> None:
    """It can be said, and no bug of the replay itself is among it."""
    assert report.to_text()
    assert report.to_json()
    assert "the bot breaks" not in report.stopped or "ledger" in report.stopped
