"""Quantities of power between the decimals of a document and whole watts: exact or refused, never rounded.

Units are powers of ten, so the decimal point only moves; neither floats nor Decimals are needed.
"""

import re
from typing import Final

from documents.errors import QuantityError
from documents.values import Power

DIGITS_AFTER_POINT: Final = {"KWT": 3, "MAW": 6, "WTT": 0, "A90": 9}
"""Units of power (UnitOfMeasureTypeList) and their power of ten in watts; A90 is GW."""

MAX_POWER: Final = 10**12
"""1 TW, more than all of Europe draws: beyond it a quantity is a mistake, not a plan."""

_DECIMAL: Final = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?")
_BEGINNINGS: Final = frozenset("+-0123456789")
_LONGEST = 64


def watts(text: str, unit: str) -> Power:
    """Turn the decimal `text` in `unit` (a key of DIGITS_AFTER_POINT) into whole watts.

    Raises:
        QuantityError: no decimal, a fraction of a watt, or beyond 1 TW.
    """
    places = DIGITS_AFTER_POINT[unit]
    whole, dot, fraction = text.partition(".")
    usual = whole[1:].isdigit() and whole[0] in _BEGINNINGS and (fraction.isdigit() or not dot) and text.isascii()
    if usual and len(fraction) <= places and len(text) <= _LONGEST:
        return _bounded(int(whole + fraction.ljust(places, "0")), text, unit)
    match = _DECIMAL.fullmatch(text) if len(text) <= _LONGEST else None
    if not match or not (match[2] or match[3]):
        raise QuantityError(f"{text[:_LONGEST]!r} is no decimal number. Give one such as 487.5")
    fraction = (match[3] or "").rstrip("0")
    if len(fraction) > places:
        raise QuantityError(f"{text} {unit} is no whole number of watts. Give at most {places} digits after the point")
    value = int((match[2] or "0") + fraction.ljust(places, "0"))
    return _bounded(-value if match[1] == "-" else value, text, unit)


def kilowatts(power: Power) -> str:
    """Write whole watts as an exact decimal number of kilowatts without trailing zeros: 487500 -> `487.5`."""
    whole, rest = divmod(abs(power), 1000)
    sign = "-" if power < 0 else ""
    return f"{sign}{whole}.{rest:03d}".rstrip("0") if rest else f"{sign}{whole}"


def _bounded(value: Power, text: str, unit: str) -> Power:
    if not -MAX_POWER <= value <= MAX_POWER:
        raise QuantityError(f"{text} {unit} is more than 1 TW. Check the unit")
    return value
