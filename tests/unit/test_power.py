"""Quantities become whole watts exactly, or are refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.errors import QuantityError
from documents.power import DIGITS_AFTER_POINT, MAX_POWER, kilowatts, watts


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("487.5", "KWT", 487_500),
        ("+487.5", "KWT", 487_500),
        ("-487.500", "KWT", -487_500),
        ("600.", "KWT", 600_000),
        (".5", "MAW", 500_000),
        ("-.5", "KWT", -500),
        ("7", "WTT", 7),
        ("-40", "KWT", -40_000),
        ("875.42", "MAW", 875_420_000),
        ("0012", "WTT", 12),
        ("1.000000000", "WTT", 1),
        ("-0", "KWT", 0),
        ("1.000000001", "A90", 1_000_000_001),
        ("1000", "A90", MAX_POWER),
    ],
)
def test_trap_8_decimals_of_every_legal_form_become_whole_watts(text: str, unit: str, expected: int) -> None:
    assert watts(text, unit) == expected


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0.0005", "KWT"),
        ("1.5", "WTT"),
        ("1e3", "KWT"),
        ("NaN", "KWT"),
        ("", "KWT"),
        (".", "KWT"),
        ("-", "KWT"),
        ("1,5", "KWT"),
        ("\u0661", "KWT"),
        ("1_000", "KWT"),
        ("1_000.5", "KWT"),
        ("1000.5_0", "KWT"),
        ("10\u0661.5", "KWT"),
        ("+-10.5", "KWT"),
        ("10-", "KWT"),
        ("-.", "KWT"),
        ("+", "KWT"),
        ("\x0b10", "KWT"),
        ("10.5.5", "KWT"),
        ("1000.000000001", "A90"),
        ("9" * 5000, "KWT"),
        ("0." + "0" * 5000, "KWT"),
    ],
)
def test_quantities_that_are_no_whole_watts_are_refused_never_rounded(text: str, unit: str) -> None:
    with pytest.raises(QuantityError):
        watts(text, unit)


@given(st.decimals(-(10**6), 10**6, places=3), st.sampled_from(sorted(DIGITS_AFTER_POINT)))
def test_trap_19_conversion_agrees_with_decimal_arithmetic(value: Decimal, unit: str) -> None:
    exact = value.scaleb(DIGITS_AFTER_POINT[unit])
    if exact == exact.to_integral_value() and abs(exact) <= MAX_POWER:
        assert watts(format(value, "f"), unit) == exact
    else:
        with pytest.raises(QuantityError):
            watts(format(value, "f"), unit)


@given(st.integers(-MAX_POWER, MAX_POWER))
def test_trap_8_kilowatts_are_written_exactly_in_plain_notation(power: int) -> None:
    text = kilowatts(power)

    assert watts(text, "KWT") == power
    assert text == format(Decimal(text).normalize(), "f")
