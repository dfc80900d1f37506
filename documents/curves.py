"""Curves of power over time: fixed steps of a resolution, stored as the points where the value changes (IEC 62325-451).

Pure functions on Periods. All spans are half-open and UTC. A gap between two Periods means "nothing said".
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from math import gcd
from typing import Final
from zoneinfo import ZoneInfo

import isodate  # type: ignore[import-untyped] # has no type hints

from documents.values import Instant, Interval, Period, Point, Power

MAX_SLOTS: Final = 999_999
"""Largest position a document can carry; a curve with more steps is never written out step by step."""

Step = tuple[Instant, Instant, Power]
"""Start, end and value of a stretch of a curve."""

_SECOND: Final = timedelta(seconds=1)
_FIXED: Final = re.compile(r"PT(\d+H)?(\d+M)?(\d+(\.\d+)?S)?", re.ASCII)
"""As xs:duration has it: only seconds may have decimals."""


@lru_cache(maxsize=256)
def duration(resolution: str) -> timedelta:
    """Length of one step: hours, minutes and whole seconds such as `PT15M`; `PT60M` and `PT1H` are the same.

    Calendar durations (`P1D`, `P1M`, `P1Y`) have no fixed length on a UTC axis: a local day may have 23 or 25 hours.

    Raises:
        ValueError: anything else, saying what is accepted.
    """
    found = f"Resolution {resolution[:32]!r} is no fixed number of hours, minutes or whole seconds"
    accepted = f"{found}. Give one such as PT15M or PT60M"
    if not _FIXED.fullmatch(resolution) or len(resolution) > 32:
        raise ValueError(accepted)
    try:
        step = isodate.parse_duration(resolution)
    except (ValueError, OverflowError) as error:
        raise ValueError(accepted) from error
    if not isinstance(step, timedelta) or step < _SECOND or step % _SECOND:
        raise ValueError(accepted)
    return step


def slot_count(interval: Interval, resolution: str) -> int:
    """How many steps of `resolution` fill `interval`.

    Raises:
        ValueError: they do not fill it exactly, or the resolution is not fixed.
    """
    length, step = interval.end - interval.start, duration(resolution)
    if length <= timedelta(0) or length % step:
        raise ValueError(f"The interval lasts {length}, which is no multiple of {resolution}. Let it end on a step")
    return length // step


def compress(quantities: Iterable[Power]) -> tuple[Point, ...]:
    """Keep the points where the value changes, counting positions from 1."""
    points: list[Point] = []
    for position, quantity in enumerate(quantities, start=1):
        if not points or points[-1].quantity != quantity:
            points.append(Point(position, quantity))
    return tuple(points)


def expand(period: Period) -> list[Power]:
    """One value per step, each point carried forward to the next.

    Raises:
        ValueError: the period has more than 999 999 steps.
    """
    values: list[Power] = []
    for first, last, quantity in runs(period):
        values.extend([quantity] * (last - first + 1))
    return values


def runs(period: Period) -> Iterator[tuple[int, int, Power]]:
    """Yield first position, last position and quantity of each run of equal steps.

    Raises:
        ValueError: the period has more than 999 999 steps.
    """
    count = slot_count(period.interval, period.resolution)
    if count > MAX_SLOTS:
        raise ValueError(f"The curve has {count} steps, more than a document can carry one by one. Use curve A03")
    for index, point in enumerate(period.points, start=1):
        last = period.points[index].position - 1 if index < len(period.points) else count
        yield point.position, last, point.quantity


def steps(period: Period) -> Iterator[Step]:
    """Yield the stretches of constant value between the points, half-open, in order."""
    step = duration(period.resolution)
    start, points = period.interval.start, period.points
    for index, point in enumerate(points):
        is_last = index + 1 == len(points)
        end = period.interval.end if is_last else start + step * (points[index + 1].position - 1)
        yield start + step * (point.position - 1), end, point.quantity


def step_function(periods: Iterable[Period]) -> tuple[Step, ...]:
    """Return the curve free of resolution and of how it was cut into Periods: equal neighbours are one stretch."""
    merged: list[Step] = []
    for start, end, quantity in sorted(step for period in periods for step in steps(period)):
        if merged and merged[-1][1] == start and merged[-1][2] == quantity:
            merged[-1] = (merged[-1][0], end, quantity)
        else:
            merged.append((start, end, quantity))
    return tuple(merged)


def same_curve(one: Iterable[Period], other: Iterable[Period]) -> bool:
    """Whether two lists of Periods say the same at every instant, whatever their resolution."""
    return step_function(one) == step_function(other)


def extremes(periods: Iterable[Period]) -> tuple[Power, Power]:
    """Smallest and largest value.

    Raises:
        ValueError: there is no point at all.
    """
    quantities = [point.quantity for period in periods for point in period.points]
    if not quantities:
        raise ValueError("A curve without points has no extremes.")
    return min(quantities), max(quantities)


def clip(periods: Iterable[Period], interval: Interval) -> tuple[Period, ...]:
    """Cut Periods to `interval`. A cut that falls inside a step makes that Period's resolution as fine as needed."""
    clipped = []
    for period in periods:
        if interval.contains(period.interval):
            clipped.append(period)
        elif interval.overlaps(period.interval):
            clipped.append(_cut(period, interval))
    return tuple(clipped)


def align(interval: Interval, step: timedelta) -> Interval:
    """Widen `interval` outwards to whole steps counted from midnight UTC, e.g. to the minutes a document can carry."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    start = interval.start - (interval.start - epoch) % step
    end = interval.end + (epoch - interval.end) % step
    return Interval(start, end)


def local_day(day: date, zone: ZoneInfo) -> Interval:
    """Return the local calendar day as a UTC span: 23, 24 or 25 hours long.

    Both ends are taken to UTC first; the difference of two local times of one zone would ignore the change of clocks.
    """
    midnights = (datetime.combine(day + timedelta(days=days), time(), zone).astimezone(UTC) for days in (0, 1))
    return Interval(*midnights)


def _cut(period: Period, interval: Interval) -> Period:
    span = Interval(max(period.interval.start, interval.start), min(period.interval.end, interval.end))
    step = duration(period.resolution)
    resolution = period.resolution
    if (span.start - period.interval.start) % step or (span.end - period.interval.start) % step:
        step, resolution = _finer(step, span.start - period.interval.start, span.end - span.start)
    inside = [
        (max(start, span.start), quantity)
        for start, end, quantity in steps(period)
        if end > span.start and start < span.end
    ]
    return Period(
        span, resolution, tuple(Point((start - span.start) // step + 1, quantity) for start, quantity in inside)
    )


def _finer(*lengths: timedelta) -> tuple[timedelta, str]:
    """Return the longest step that fits all `lengths`, and its name.

    Raises:
        ValueError: a length is no whole number of seconds.
    """
    if any(length % _SECOND for length in lengths):
        raise ValueError("A curve is cut at whole seconds only. Give instants without fractions")
    seconds = gcd(*(length // _SECOND for length in lengths))
    return timedelta(seconds=seconds), f"PT{seconds // 60}M" if seconds % 60 == 0 else f"PT{seconds}S"
