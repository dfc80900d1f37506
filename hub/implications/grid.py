"""Quarter-hours, and curves on them: watts by quarter-hour, whatever the resolution of the curve (F3)."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final

from msgspec import Struct

from documents.curves import duration
from documents.values import Interval, Period, Power
from hub.values import Direction

QUARTER: Final = timedelta(minutes=15)
QUARTER_S: Final = 900
SECOND: Final = timedelta(seconds=1)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LONG_S: Final = 400 * 24 * 3600
"""A Period that is longer than this is never laid out as a whole: its start may be in the year 1."""

Slots = list[Power]
"""Watts by quarter-hour; NONE where nothing is said."""
NONE: Final = -1
Values = list[Power | None]
"""Watts by quarter-hour with their sign; None where nothing is said."""


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
    """One asset's plans on a grid, without sign by direction; NONE where it has none.

    `highest` is the largest value of each, production first; `is_whole`: there is no NONE.
    """

    production: Slots
    consumption: Slots
    highest: tuple[Power, Power]
    is_whole: bool

    @classmethod
    def nothing(cls, count: int) -> "Plan":
        """No plan at all."""
        return cls(flat(count, NONE), flat(count, NONE), (NONE, NONE), is_whole=False)

    def towards(self, side: Direction) -> Slots:
        """What is planned in one direction."""
        return self.production if side is Direction.PRODUCTION else self.consumption

    def highest_towards(self, side: Direction) -> Power:
        """The most that is planned in one direction."""
        return self.highest[side is not Direction.PRODUCTION]


@lru_cache(maxsize=64)
def flat(count: int, watts: Power) -> Slots:
    """The same in each of so many quarter-hours: one list for all, which nobody may change."""
    return [watts] * count


def plan_on(grid: Grid, periods: Sequence[Period]) -> Plan:
    """An asset's plan by quarter-hour: where it changes within one, the strongest value of each direction."""
    column = _column(grid, periods)
    if column is not None:
        return _plain(column)
    low, high = _extremes(grid, periods)
    up = [NONE if watts is None else max(watts, 0) for watts in high]
    down = [NONE if watts is None else max(-watts, 0) for watts in low]
    return Plan(up, down, (max(up), max(down)), is_whole=NONE not in up)


def least(grid: Grid, periods: Sequence[Period]) -> Slots:
    """A bound by quarter-hour: where it changes within one, the smallest."""
    column = _column(grid, periods)
    if column is not None:
        return column
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


def _plain(signed: Slots) -> Plan:
    """A plan with one value for every quarter-hour; most assets go one way all the time."""
    nothing, low, high = flat(len(signed), 0), min(signed), max(signed)
    if high <= 0:
        return Plan(nothing, [-watts for watts in signed], (0, -low), is_whole=True)
    if low >= 0:
        return Plan(signed, nothing, (high, 0), is_whole=True)
    up, down = [max(watts, 0) for watts in signed], [max(-watts, 0) for watts in signed]
    return Plan(up, down, (high, -low), is_whole=True)


def _column(grid: Grid, periods: Sequence[Period]) -> Slots | None:
    """The values of a curve of one Period that says something of every quarter-hour of the grid, and one thing of each.

    None for others. It is the shape of nearly all plans and shares, so it must be quick.
    """
    if len(periods) != 1 or (place := _place(periods[0], grid)) is None:
        return None
    first, last, each = place
    if first > 0 or last < grid.count:
        return None
    values = _spread(periods[0], each, last - first)
    return values if len(values) == grid.count else values[-first : grid.count - first]


def _extremes(grid: Grid, periods: Iterable[Period]) -> tuple[Values, Values]:
    """The smallest and the largest value in each quarter-hour, None where there is none."""
    low: Values = [None] * grid.count
    cut = [period for period in periods if not _painted(period, grid, low)]
    high = low.copy()
    for first, last, watts in _stretches(cut, grid):
        for slot in range(first, last):
            least_yet, most_yet = low[slot], high[slot]
            low[slot] = watts if least_yet is None else min(least_yet, watts)
            high[slot] = watts if most_yet is None else max(most_yet, watts)
    return low, high


def _painted(period: Period, grid: Grid, slots: Values) -> bool:
    """Put a Period whose steps are whole quarter-hours of the grid in its place; False: it has others."""
    place = _place(period, grid)
    if place is None:
        return False
    first, last, each = place
    begin, stop = max(first, 0), min(last, grid.count)
    if begin < stop:
        slots[begin:stop] = _spread(period, each, last - first)[begin - first : stop - first]
    return True


def _place(period: Period, grid: Grid) -> tuple[int, int, int] | None:
    """First quarter-hour, the one after the last, and how many a step has; None when its steps are not
    made of them, or far too many.
    """
    start, end = (period.interval.start - grid.start) // SECOND, (period.interval.end - grid.start) // SECOND
    step = duration(period.resolution) // SECOND if len(period.points) > 1 else QUARTER_S
    if start % QUARTER_S or end % QUARTER_S or step % QUARTER_S or end - start > LONG_S:
        return None
    return start // QUARTER_S, end // QUARTER_S, step // QUARTER_S


def _spread(period: Period, each: int, count: int) -> Slots:
    """The values of a Period for each of its quarter-hours, `each` of them a step."""
    points = period.points
    watts = [point.quantity for point in points]
    if points[-1].position > len(points):
        steps = [later.position - point.position for point, later in pairwise(points)]
        watts = [value for value, long in zip(watts, [*steps, 1], strict=True) for _ in range(long * each)]
    elif each > 1:
        dense, watts = watts, [0] * (len(watts) * each)
        for turn in range(each):
            watts[turn::each] = dense
    if len(watts) < count:
        watts += [watts[-1]] * (count - len(watts))
    return watts


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
