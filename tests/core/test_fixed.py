"""Fixed-point numbers: text and integer are the same thing, and nothing is rounded unasked."""

from decimal import ROUND_DOWN, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.fixed import DECIMALS, SCALE, multiply, parse, parse_rounded, render

values = st.integers(-(10**27), 10**27)


@given(values)
def test_what_is_rendered_parses_to_the_same(value: int) -> None:
    """`parse` undoes `render`, for every value and sign."""
    assert parse(render(value)) == value


@given(values)
def test_render_writes_the_shortest_plain_decimal(value: int) -> None:
    """The exact number, without exponent, trailing zeros, bare point or negative zero."""
    text = render(value)
    assert Decimal(text).scaleb(DECIMALS) == value
    assert not text.endswith(".")
    assert text.count(".") * text.endswith("0") == 0
    assert text != "-0"
    assert set(text) <= set("-.0123456789")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42000.5", 42000_50000000),
        ("0.00000001", 1),
        ("-0.00000001", -1),
        ("007.10", 7_10000000),
        ("1.0000000000000000000000000000000000000000", SCALE),
        ("-0", 0),
        ("99999999999999999999", 99999999999999999999 * SCALE),
    ],
)
def test_parse_reads_plain_decimals(text: str, value: int) -> None:
    """Zeros that mean nothing are read, wherever they stand."""
    assert parse(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", "-", ".", "1.", ".5", "-.5", "+1", "--1", " 1", "1 ", "1\n", "1_000", "1,5", "0x10"),
        *("1e3", "1E3", "NaN", "nan", "Infinity", "inf", "-inf", "null", "1.2.3", "1\0"),
        *("\u0661", "1.\u0665", "\u00b2", "\uff11"),  # digits of other scripts, which int() would take
        *("100000000000000000000", "0." + "0" * 41),
    ],
)
def test_parse_refuses_everything_else(text: str) -> None:
    """No exponents, no signs but a minus, no digits but ASCII's, no lengths that nobody writes."""
    with pytest.raises(ValueError, match="not a plain decimal number"):
        parse(text)


def test_parse_refuses_what_is_too_fine() -> None:
    """A ninth decimal that is not 0 is an error, not rounded away."""
    with pytest.raises(ValueError, match=r"finer than 8 decimals: '0\.000000001'"):
        parse("0.000000001")


def test_parse_quotes_no_more_than_a_line() -> None:
    """Text of any length comes from outside: the message shows its beginning."""
    with pytest.raises(ValueError, match="not a plain decimal") as refused:
        parse("x" * 10_000)
    assert len(str(refused.value)) < 100


@given(values, values)
def test_multiply_truncates_toward_zero(left: int, right: int) -> None:
    """Size × price is money, and of either sign never more than it is."""
    with localcontext(prec=200, rounding=ROUND_DOWN):
        exact = Decimal(left) * Decimal(right) / SCALE
        assert multiply(left, right) == int(exact.to_integral_value())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.123456789", 12_345_678),
        ("-0.999999999", -99_999_999),
        ("1", 10**8),
        ("0.1", 10**7),
        ("-0.000000001", 0),
    ],
)
def test_what_is_only_counted_may_be_finer(text: str, value: int) -> None:
    """It is cut off toward zero: a fee of too many digits is no reason not to count a fill."""
    assert parse_rounded(text) == value


@pytest.mark.parametrize("text", ["", "1e-9", "0.12x456789", "1.2.3", ".5", "0.\uff11"])
def test_what_is_no_number_is_none(text: str) -> None:
    """Nothing else is forgiven."""
    with pytest.raises(ValueError, match="not a plain decimal number"):
        parse_rounded(text)
