"""Periods of power in schedules and outages: read with their faults, written in kilowatts (traps 15 to 18).

Reading costs by the points a document holds, never by the steps they stand for. A Period with a fault is left out of
the series and the fault names its interval; Periods that overlap or leave their bounds are kept beside the fault.
"""

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Final

from lxml.etree import _Element as Element
from msgspec import Struct

from documents.codes import CurveType, ReasonCode
from documents.curves import runs, slot_count
from documents.elements import Fields, text_of
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
    points = _changes(_read_points(fields.element), count, curve)
    return Period(interval, resolution, points)


def _changes(points: Iterable[tuple[int, str]], count: int, curve: Curve) -> tuple[Point, ...]:
    """Check positions and quantities, and keep the points where the value changes."""
    changes: list[Point] = []
    last, text_before = 0, None
    complete = curve.curve == CurveType.FIXED_BLOCKS
    for position, text in points:
        if position <= last or position > count or (position != last + 1 and (complete or last == 0)):
            raise _Faulty(ReasonCode.POSITION_INCONSISTENT, _position_fault(position, last, count))
        last = position
        if text != text_before:
            quantity = _quantity(text, position, curve)
            if not changes or changes[-1].quantity != quantity:
                changes.append(Point(position, quantity))
            text_before = text
    if not changes or (complete and last != count):
        raise _Faulty(
            ReasonCode.POSITION_INCONSISTENT,
            f"The Period ends after position {last}, {count} were expected. Give every position",
        )
    return tuple(changes)


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


def _read_points(period: Element) -> Iterator[tuple[int, str]]:
    """Position and quantity text of each Point. Millions pass here, so the usual layout is read without detours."""
    for point in period.iterchildren(f"{str(period.tag).rpartition('}')[0]}}}Point"):
        if len(point) == 2:
            position, quantity = point
            yield _position(text_of(position)), text_of(quantity)
        else:
            fields = Fields(point)
            yield _position(fields.text("position")), fields.text("quantity")


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
