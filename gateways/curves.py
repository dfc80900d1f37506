"""Curves between JSON and documents (floor 3, pure): checked, and kept compact.

Instants are UTC in whole minutes, as documents carry them; only the points where the value changes are kept.
"""

import itertools
from datetime import UTC, datetime

from documents.codes import CurveType
from documents.curves import MAX_SLOTS, compress, slot_count
from documents.values import Interval, Period, Point
from gateways.bodies import PeriodBody, PointBody
from gateways.problems import invalid


def periods(bodies: tuple[PeriodBody, ...], curve: str, at: str, *, signed: bool = False) -> tuple[Period, ...]:
    """The Periods of a series, in order of time. Raises ProblemError (422) naming the place."""
    read = [_period(body, curve, f"{at}.periods[{number}]", signed=signed) for number, body in enumerate(bodies)]
    read.sort(key=lambda period: period.interval)
    for one, other in itertools.pairwise(read):
        if one.interval.overlaps(other.interval):
            raise invalid(
                f"{at}.periods", f"Two periods overlap at {other.interval.start:%Y-%m-%dT%H:%MZ}; expected none to."
            )
    return tuple(read)


def shown(given: tuple[Period, ...]) -> tuple[PeriodBody, ...]:
    """Periods as the client reads them: curve A03, a point where the value changes."""
    return tuple(
        PeriodBody(
            start=period.interval.start,
            end=period.interval.end,
            resolution=period.resolution,
            points=tuple(PointBody(position=point.position, quantity=point.quantity) for point in period.points),
        )
        for period in given
    )


def minute(given: datetime, at: str) -> datetime:
    """An instant in UTC; documents carry whole minutes. Raises ProblemError (422)."""
    try:
        instant = given.astimezone(UTC)
    except OverflowError:
        raise invalid(at, f"{given.isoformat()} is beyond the calendar; expected an instant of our time.") from None
    if instant.second or instant.microsecond:
        raise invalid(at, f"{instant.isoformat()} is no whole minute; expected seconds 00.")
    return instant


def _period(body: PeriodBody, curve: str, at: str, *, signed: bool) -> Period:
    interval = Interval(minute(body.start, f"{at}.start"), minute(body.end, f"{at}.end"))
    try:
        count = slot_count(interval, body.resolution)
    except ValueError as error:
        raise invalid(at, str(error)) from error
    if count > MAX_SLOTS:
        raise invalid(at, f"The period has {count} steps; expected at most {MAX_SLOTS}.")
    positions = [point.position for point in body.points]
    if curve == CurveType.FIXED_BLOCKS and positions != list(range(1, count + 1)):
        raise invalid(f"{at}.points", f"Curve A01 needs every position from 1 to {count} once, in order.")
    if positions[0] != 1 or positions[-1] > count or any(a >= b for a, b in itertools.pairwise(positions)):
        raise invalid(f"{at}.points", f"Positions must rise, start at 1 and not pass {count}.")
    if not signed and (negative := [point for point in body.points if point.quantity < 0]):
        raise invalid(
            f"{at}.points", f"{negative[0].quantity} W at position {negative[0].position}; expected 0 or more."
        )
    points = tuple(Point(point.position, point.quantity) for point in body.points)
    if curve == CurveType.FIXED_BLOCKS:
        points = compress(point.quantity for point in points)
    return Period(interval, body.resolution, points)
