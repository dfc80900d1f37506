"""Quarter-hours, and curves on them: watts by quarter-hour, whatever the resolution of the curve (F3)."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

from documents.curves import duration
from documents.values import Interval, Period, Power
from hub.values import Direction

QUARTER: Final = timedelta(minutes=15)
QUARTER_S: Final = 900
SECOND: Final = timedelta(seconds=1)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Slots = list[Power]
"""Watts by quarter-hour; NONE where nothing is said."""
NONE: Final = -1


class Grid(Struct, frozen=True):
    """The quarter-hours of a span: `count` of them, from `start`."""

    start: datetime
    count: int

    @classmethod
    def over(cls, span: Interval) -> "Grid":
        """Every quarter-hour that the span touches."""
        first = (span.start - EPOCH) // QUARTER
        return cls(EPOCH + first * QUARTER, -((EPOCH - span.end) // QUARTER) - first)

    def touched(self, start: datetime, end: datetime) -> range:
        """Numbers of the quarter-hours on this grid that [start, end) touches."""
        first = (start - self.start) // QUARTER
        last = -((self.start - end) // QUARTER)
        return range(max(first, 0), max(min(last, self.count), 0))

    def interval(self, first: int, last: int) -> Interval:
        """From the beginning of one quarter-hour to the beginning of another."""
        return Interval(self.start + first * QUARTER, self.start + last * QUARTER)


class Plan(Struct, frozen=True):
    """One asset's plans on a grid, without sign by direction; NONE where it has none."""

    production: Slots
    consumption: Slots

    def towards(self, side: Direction) -> Slots:
        """What is planned in one direction."""
        return self.production if side is Direction.PRODUCTION else self.consumption


def plan_on(grid: Grid, periods: Iterable[Period]) -> Plan:
    """An asset's plan by quarter-hour: where it changes within one, the strongest value of each direction."""
    low, high = _extremes(grid, periods)
    return Plan(
        [NONE if watts is None else max(watts, 0) for watts in high],
        [NONE if watts is None else max(-watts, 0) for watts in low],
    )


def least(grid: Grid, periods: Iterable[Period]) -> Slots:
    """A bound by quarter-hour: where it changes within one, the smallest."""
    return [NONE if watts is None else watts for watts in _extremes(grid, periods)[0]]


def level(grid: Grid, span: Interval, watts: Power) -> Slots:
    """The same bound wherever a span touches."""
    slots, touched = [NONE] * grid.count, grid.touched(span.start, span.end)
    slots[touched.start : touched.stop] = [watts] * len(touched)
    return slots


def smaller(one: Slots, other: Slots) -> Slots:
    """The smaller of two bounds, or the one that holds."""
    return [a if b == NONE else b if a == NONE else min(a, b) for a, b in zip(one, other, strict=True)]


def within(slots: Slots, bound: Slots) -> Slots:
    """A level no higher than a bound, where the level holds."""
    return [NONE if level == NONE else least for level, least in zip(slots, smaller(slots, bound), strict=True)]


def _extremes(grid: Grid, periods: Iterable[Period]) -> tuple[list[Power | None], list[Power | None]]:
    """The smallest and the largest value in each quarter-hour, None where there is none."""
    low: list[Power | None] = [None] * grid.count
    high = low.copy()
    for first, last, watts in _stretches(periods, grid):
        for slot in range(first, last):
            least_yet, most_yet = low[slot], high[slot]
            low[slot] = watts if least_yet is None else min(least_yet, watts)
            high[slot] = watts if most_yet is None else max(most_yet, watts)
    return low, high


def _stretches(periods: Iterable[Period], grid: Grid) -> Iterator[tuple[int, int, Power]]:
    """First quarter-hour, the one after the last, and value of each stretch; in seconds, which are fast to count."""
    for period in periods:
        start, step = (period.interval.start - grid.start) // SECOND, duration(period.resolution) // SECOND
        ends = [start + step * (point.position - 1) for point in period.points[1:]]
        begin = start
        for point, end in zip(period.points, [*ends, (period.interval.end - grid.start) // SECOND], strict=True):
            first, last = begin // QUARTER_S, -(-end // QUARTER_S)
            yield max(first, 0), min(last, grid.count), point.quantity
            begin = end
