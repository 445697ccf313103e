"""What a market allows, and the words in which it says no."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import InvalidOrderError
from bot.core.fixed import parse
from bot.core.market import Market

MARKET = Market(
    symbol="BTC-USD-PERP",
    price_tick=parse("0.1"),
    size_step=parse("0.00001"),
    min_notional=parse("10"),
    max_order_size=parse("100"),
)


@pytest.mark.parametrize(
    ("size", "price"),
    [
        ("0.01", "42000.5"),
        ("100", "42000"),  # the largest
        ("0.001", "10000"),  # worth exactly the smallest notional
        ("0.00001", "0"),  # a market order has no price, so its worth is not known here
    ],
)
def test_orders_within_the_rules_pass(size: str, price: str) -> None:
    """Bounds themselves are allowed."""
    MARKET.check(size=parse(size), price=parse(price))


@pytest.mark.parametrize(
    ("size", "price", "words"),
    [
        ("0", "42000", "size 0 is not above 0"),
        ("-0.01", "42000", "size -0.01 is not above 0"),
        ("0.01", "-0.1", "price -0.1 is below 0"),
        (
            "0.010004",
            "42000",
            "size 0.010004 is no multiple of the step 0.00001; nearest are 0.01 and 0.01001",
        ),
        ("0.000004", "42000", "size 0.000004 is no multiple of the step 0.00001; the smallest is 0.00001"),
        (
            "0.01",
            "42000.55",
            "price 42000.55 is no multiple of the tick 0.1; nearest are 42000.5 and 42000.6",
        ),
        ("0.01", "0.05", "price 0.05 is no multiple of the tick 0.1; the smallest is 0.1"),
        ("100.00001", "42000", "size 100.00001 is above the largest order, 100"),
        (
            "0.00099",
            "10000",
            "size 0.00099 at 10000 is worth 9.9 USD, below the smallest order, 10 USD",
        ),
    ],
)
def test_refusals_name_rule_value_and_what_is_allowed(size: str, price: str, words: str) -> None:
    """The message is all that is needed to choose a value that passes."""
    with pytest.raises(InvalidOrderError) as refused:
        MARKET.check(size=parse(size), price=parse(price))
    assert str(refused.value) == f"BTC-USD-PERP: {words}"


@given(size=st.integers(-(10**12), 10**12), price=st.integers(-(10**14), 10**14))
def test_check_refuses_or_passes(size: int, price: int) -> None:
    """Nothing but an `InvalidOrderError` comes out, and what passes keeps every rule."""
    try:
        MARKET.check(size=size, price=price)
    except InvalidOrderError:
        return
    assert 0 < size <= MARKET.max_order_size
    assert price >= 0
    assert size % MARKET.size_step == price % MARKET.price_tick == 0
    assert price == 0 or size * price >= MARKET.min_notional * 10**8


@pytest.mark.parametrize(("rule", "tick", "step"), [("price_tick", 0, 1), ("size_step", 1, 0)])
def test_steps_of_nothing_are_refused(rule: str, tick: int, step: int) -> None:
    """A venue that says 0 is not understood: better at the login than as a division in a step."""
    with pytest.raises(ValueError, match=f"'{rule}' must be > 0"):
        attrs.evolve(MARKET, price_tick=tick, size_step=step)
