"""Curves: steps of a resolution, stored as changes."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from documents.curves import (
    align,
    clip,
    compress,
    duration,
    expand,
    extremes,
    local_day,
    same_curve,
    slot_count,
    step_function,
    steps,
)
from documents.values import Interval, Period, Point
from tests.strategies_documents import curves

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def hours(count: float, *, after: float = 0) -> Interval:
    start = NOON + timedelta(hours=after)
    return Interval(start, start + timedelta(hours=count))


@pytest.mark.parametrize(
    ("resolution", "minutes"), [("PT15M", 15), ("PT60M", 60), ("PT1H", 60), ("PT1H30M", 90), ("PT24H", 1440)]
)
def test_resolutions_are_fixed_steps(resolution: str, minutes: int) -> None:
    assert duration(resolution) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    "resolution",
    [
        "P1D",
        "P7D",
        "P1M",
        "P1Y",
        "PT0M",
        "PT",
        "-PT15M",
        "PT0.5S",
        "PT0.5H",
        "PT1,5H",
        "PT15",
        "15",
        "",
        "P1DT1H",
        "PT" + "9" * 20 + "H",
        "PTxM",
    ],
)
def test_trap_17_calendar_and_other_durations_are_no_steps(resolution: str) -> None:
    with pytest.raises(ValueError, match="PT15M"):
        duration(resolution)


@pytest.mark.parametrize(
    ("day", "quarters"),
    [(date(2020, 3, 29), 92), (date(2020, 10, 25), 100), (date(2020, 5, 4), 96), (date(2026, 3, 29), 92)],
)
def test_trap_17_danish_days_have_92_96_or_100_quarter_hours(day: date, quarters: int) -> None:
    assert slot_count(local_day(day, COPENHAGEN), "PT15M") == quarters


def test_trap_17_the_long_day_runs_from_summer_to_winter_midnight() -> None:
    assert local_day(date(2020, 10, 25), COPENHAGEN) == Interval(
        datetime(2020, 10, 24, 22, tzinfo=UTC), datetime(2020, 10, 25, 23, tzinfo=UTC)
    )


@given(st.dates(date(2000, 1, 1), date(2037, 12, 30)))
def test_trap_17_local_days_follow_each_other_without_gap_or_overlap(day: date) -> None:
    assert local_day(day, COPENHAGEN).end == local_day(day + timedelta(days=1), COPENHAGEN).start


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=50))
def test_trap_16_expanding_carries_each_point_forward(quantities: list[int]) -> None:
    period = Period(hours(len(quantities)), "PT60M", compress(quantities))

    assert expand(period) == quantities
    assert period.points[0].position == 1
    assert all(one.quantity != other.quantity for one, other in zip(period.points, period.points[1:], strict=False))


def test_steps_are_half_open_and_reach_the_end() -> None:
    period = Period(hours(3), "PT60M", (Point(1, 10), Point(3, 20)))

    assert list(steps(period)) == [
        (NOON, NOON + timedelta(hours=2), 10),
        (NOON + timedelta(hours=2), NOON + timedelta(hours=3), 20),
    ]


def test_a_curve_of_too_many_steps_is_never_expanded() -> None:
    period = Period(Interval(NOON, NOON + timedelta(days=800)), "PT1M", (Point(1, 10),))

    with pytest.raises(ValueError, match="1152000 steps"):
        expand(period)
    assert extremes([period]) == (10, 10)
    assert len(list(steps(period))) == 1


def test_curves_are_the_same_whatever_their_resolution_and_their_cuts() -> None:
    fine = Period(hours(2), "PT15M", (Point(1, 10), Point(5, 20)))
    cut = [Period(hours(1), "PT1H", (Point(1, 10),)), Period(hours(1, after=1), "PT60M", (Point(1, 20),))]

    assert same_curve([fine], cut)
    assert same_curve([fine], reversed(cut))
    assert not same_curve([fine], cut[:1])
    assert not same_curve([fine], [Period(hours(2), "PT15M", (Point(1, 10), Point(5, 21)))])


def test_a_gap_is_part_of_the_curve() -> None:
    with_gap = [Period(hours(1), "PT1H", (Point(1, 10),)), Period(hours(1, after=2), "PT1H", (Point(1, 10),))]

    assert len(step_function(with_gap)) == 2
    assert not same_curve(with_gap, [Period(hours(3), "PT1H", (Point(1, 10),))])


def test_extremes_are_the_smallest_and_the_largest_value() -> None:
    assert extremes([Period(hours(3), "PT1H", (Point(1, -5), Point(2, 7)))]) == (-5, 7)
    with pytest.raises(ValueError, match="no extremes"):
        extremes([])


@given(curves(), st.integers(0, 300), st.integers(1, 300))
def test_clipping_keeps_the_curve_inside_the_interval(periods: tuple[Period, ...], skipped: int, length: int) -> None:
    assume(periods)
    start = periods[0].interval.start + timedelta(minutes=skipped)
    interval = Interval(start, start + timedelta(minutes=length))

    clipped = clip(periods, interval)

    expected = [
        (max(begin, interval.start), min(end, interval.end), quantity)
        for begin, end, quantity in step_function(periods)
        if begin < interval.end and end > interval.start
    ]
    assert step_function(clipped) == tuple(expected)
    assert all(interval.contains(period.interval) and expand(period) for period in clipped)


def test_clipping_inside_a_step_makes_the_resolution_finer_only_where_needed() -> None:
    periods = [Period(hours(1), "PT1H", (Point(1, 10),)), Period(hours(2, after=1), "PT1H", (Point(1, 20),))]

    clipped = clip(periods, hours(2, after=0.75))

    assert clipped == (
        Period(hours(0.25, after=0.75), "PT15M", (Point(1, 10),)),
        Period(hours(1.75, after=1), "PT15M", (Point(1, 20),)),
    )
    assert clip(periods, hours(1, after=1))[0].resolution == "PT1H"


def test_clipping_inside_a_second_is_refused() -> None:
    interval = Interval(NOON + timedelta(microseconds=1), NOON + timedelta(hours=1))

    with pytest.raises(ValueError, match="whole seconds"):
        clip([Period(hours(1), "PT1H", (Point(1, 10),))], interval)


def test_aligning_widens_to_whole_steps() -> None:
    exact = hours(1)
    inside = Interval(NOON + timedelta(seconds=59), NOON + timedelta(minutes=59, microseconds=1))

    assert align(exact, timedelta(minutes=15)) == exact
    assert align(inside, timedelta(minutes=15)) == exact


@pytest.mark.parametrize(("length", "resolution"), [(1.1, "PT15M"), (0, "PT15M"), (-1, "PT15M")])
def test_an_interval_must_be_a_multiple_of_the_resolution(length: float, resolution: str) -> None:
    with pytest.raises(ValueError, match="multiple"):
        slot_count(hours(length), resolution)
