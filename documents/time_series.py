"""Periods of power in schedules and outages: read with their faults, written in kilowatts (traps 15 to 18).

Reading costs by the points a document holds, never by the steps they stand for. A Period with a fault is left out of
the series and the fault names its interval; Periods that overlap or leave their bounds are kept beside the fault.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Final

from lxml import etree
from lxml.etree import _Element as Element
from msgspec import Struct

from documents.codes import CurveType, ReasonCode
from documents.curves import runs, slot_count
from documents.elements import Fields
from documents.errors import QuantityError
from documents.lines import Lines
from documents.model import Fault
from documents.power import DIGITS_AFTER_POINT, kilowatts, watts
from documents.values import Interval, Period, Point, Power

_POINT: Final = """\
      <Point>
        <position>%d</position>
        <quantity>%s</quantity>
      </Point>
"""
_ELEMENTS_BEFORE: Final = 2
"""What a Period has before its Points: timeInterval, of two elements, and resolution."""
_ENDS: Final = 2
_WORDS_BEFORE: Final = 3
_grandchildren: Final = etree.XPath("count(*/*)")
_OFTEN: Final = 1_000
"""Positions up to which the usual ones are kept written out: a day of steps of two minutes."""


class Sign(IntEnum):
    """What a quantity on the wire means: unsigned, unsigned and negated when read, or signed (trap 18)."""

    POSITIVE = 1
    NEGATED = -1
    SIGNED = 0


class _Faulty(Exception):
    """A Period that cannot be read."""

    def __init__(self, code: ReasonCode, text: str) -> None:
        super().__init__(text)
        self.code = code


class Curve(Struct, frozen=True):
    """How the quantities of one series are written."""

    unit: str
    curve: str
    sign: Sign


def read_periods(elements: Iterable[Fields], curve: Curve) -> tuple[tuple[Period, ...], tuple[Fault, ...]]:
    """Read the Periods of one series in order of time, and what is wrong with the others."""
    periods: list[Period] = []
    faults: list[Fault] = []
    for fields in elements:
        if fault := _series_fault(curve):
            return (), (fault,)
        interval = fields.interval("timeInterval")
        try:
            periods.append(_read_period(fields, interval, curve))
        except _Faulty as faulty:
            faults.append(Fault(faulty.code.value, str(faulty), _span(interval)))
    periods.sort(key=lambda period: period.interval)
    return tuple(periods), (*faults, *_overlaps(periods))


def outside(intervals: Iterable[Interval], bounds: Interval, name: str) -> Iterator[Fault]:
    """Yield a fault for each interval that leaves `bounds`, the interval of the `name`d whole."""
    for interval in intervals:
        if not bounds.contains(interval):
            text = f"The interval leaves that of its {name}. Let it lie inside"
            yield Fault(ReasonCode.TIME_INTERVAL_INCORRECT.value, text, _span(interval))


def write_periods(lines: Lines, name: str, periods: Iterable[Period], *, curve: str, sign: Sign) -> None:
    """Write Periods: curve A01 step by step, A03 only where the value changes.

    Raises:
        QuantityError: a quantity has a sign that the series cannot carry.
        ValueError: an A01 curve of more steps than positions exist.
    """
    for period in periods:
        with lines.element(name):
            lines.interval("timeInterval", period.interval)
            lines.text("resolution", period.resolution)
            lines.block("".join(_points(period, curve, sign)))


def _span(interval: Interval) -> Interval | None:
    """Return the interval if an answer can repeat it: forward in time and in whole minutes."""
    whole = not any(instant.second or instant.microsecond for instant in (interval.start, interval.end))
    return interval if whole and interval.start < interval.end else None


def _series_fault(curve: Curve) -> Fault | None:
    if curve.unit not in DIGITS_AFTER_POINT:
        return Fault(
            ReasonCode.NOT_COMPLIANT.value, f"Unit {curve.unit} is no unit of power. Give KWT, MAW, WTT or A90"
        )
    if curve.curve not in tuple(CurveType):
        text = f"Curve type {curve.curve} is not read here. Give A01 (fixed blocks) or A03 (variable blocks)"
        return Fault(ReasonCode.NOT_COMPLIANT.value, text)
    return None


def _read_period(fields: Fields, interval: Interval, curve: Curve) -> Period:
    if interval.end <= interval.start:
        raise _Faulty(
            ReasonCode.TIME_INTERVAL_INCORRECT,
            f"The Period ends at {interval.end:%Y-%m-%dT%H:%MZ}, not after its start {interval.start:%Y-%m-%dT%H:%MZ}",
        )
    resolution = fields.text("resolution")
    try:
        count = slot_count(interval, resolution)
    except ValueError as error:
        raise _Faulty(ReasonCode.RESOLUTION_INCONSISTENT, str(error)) from error
    positions, quantities = _read_points(fields.element)
    return Period(interval, resolution, _changes(positions, quantities, count, curve))


def _changes(positions: Sequence[str], quantities: Sequence[str], count: int, curve: Curve) -> tuple[Point, ...]:
    """Check positions and quantities, and keep the points where the value changes."""
    changes: list[Point] = []
    quantity: Power | None = None
    text_before = None
    for position, text in zip(_checked(positions, count, curve), quantities, strict=True):
        if text != text_before:
            quantity_before, quantity = quantity, _quantity(text, position, curve)
            if quantity != quantity_before:
                changes.append(Point(position, quantity))
            text_before = text
    return tuple(changes)


def _checked(positions: Sequence[str], count: int, curve: Curve) -> Iterable[int]:
    """The positions as numbers; the first that is wrong ends them. One after the other from 1 to `count` is usual."""
    if len(positions) == count <= _OFTEN and positions == _counted(count):
        return range(1, count + 1)
    return _judged(positions, count, curve)


@lru_cache(maxsize=8)
def _counted(count: int) -> list[str]:
    return [str(position) for position in range(1, count + 1)]


def _judged(positions: Iterable[str], count: int, curve: Curve) -> Iterator[int]:
    complete, last = curve.curve == CurveType.FIXED_BLOCKS, 0
    for position in map(_position, positions):
        if position <= last or position > count or (position != last + 1 and (complete or last == 0)):
            raise _Faulty(ReasonCode.POSITION_INCONSISTENT, _position_fault(position, last, count))
        last = position
        yield position
    if not last or (complete and last != count):
        raise _Faulty(
            ReasonCode.POSITION_INCONSISTENT,
            f"The Period ends after position {last}, {count} were expected. Give every position",
        )


def _position_fault(position: int, last: int, count: int) -> str:
    if position < 1 or position > count:
        return f"Position {position} does not exist, the Period has 1 to {count}"
    if last == 0:
        return f"Position {position} came first. Begin with position 1"
    if position <= last:
        return f"Position {position} came after {last}. Give each position once, in ascending order"
    return f"Position {position} came after {last}. Give every position, or use curve A03"


def _quantity(text: str, position: int, curve: Curve) -> Power:
    try:
        quantity = watts(text, curve.unit)
    except QuantityError as error:
        raise _Faulty(ReasonCode.QUANTITY_INCONSISTENT, f"Position {position}: {error}") from error
    if curve.sign is Sign.SIGNED:
        return quantity
    if quantity < 0:
        raise _Faulty(
            ReasonCode.QUANTITY_INCONSISTENT, f"Position {position}: {text} is negative, this series carries no signs"
        )
    return quantity * curve.sign


def _read_points(period: Element) -> tuple[Sequence[str], Sequence[str]]:
    """Positions and quantities of the Points of a Period that obeys its content model, as text.

    Millions pass here. Where each Point has these two alone and white space stands between all elements, which is
    usual, the words of the Period's text are what its elements say, one each, and none has to be made for a Point.
    """
    points = len(period) - _ELEMENTS_BEFORE
    words = etree.tostring(period, method="text", encoding="unicode", with_tail=False).split()
    if len(words) == _WORDS_BEFORE + 2 * points and _grandchildren(period) == _ENDS + 2 * points:
        return words[_WORDS_BEFORE::2], words[_WORDS_BEFORE + 1 :: 2]
    fields = [Fields(point) for point in period.iterchildren(f"{str(period.tag).rpartition('}')[0]}}}Point")]
    return [each.text("position") for each in fields], [each.text("quantity") for each in fields]


def _position(text: str) -> int:
    digits = text.removeprefix("+")
    # Zero is no position, so whatever is no small number ends as "does not exist".
    return int(digits) if digits.isdigit() and digits.isascii() and len(digits) <= 32 else 0


def _overlaps(periods: list[Period]) -> Iterator[Fault]:
    covered_until = None
    for period in periods:
        if covered_until is not None and period.interval.start < covered_until:
            text = "The Period overlaps another of its series. Give each instant once"
            yield Fault(ReasonCode.TIME_INTERVAL_INCORRECT.value, text, period.interval)
        covered_until = period.interval.end if covered_until is None else max(covered_until, period.interval.end)


def _points(period: Period, curve: str, sign: Sign) -> Iterator[str]:
    """Text of each Point, at the depth where both documents have it."""
    if curve == CurveType.FIXED_BLOCKS:
        for first, last, quantity in runs(period):
            text = kilowatts(_unsigned(quantity, sign))
            for position in range(first, last + 1):
                yield _POINT % (position, text)
    else:
        for point in period.points:
            yield _POINT % (point.position, kilowatts(_unsigned(point.quantity, sign)))


def _unsigned(quantity: Power, sign: Sign) -> Power:
    if sign is Sign.SIGNED:
        return quantity
    if quantity * sign < 0:
        raise QuantityError(f"{quantity} W has a sign that its series cannot carry")
    return quantity * sign
