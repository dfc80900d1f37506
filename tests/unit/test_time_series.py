"""What no schema can state about a series is found when it is read, and each series is judged by itself (R3)."""

from datetime import UTC, datetime
from textwrap import dedent
from typing import Any

import pytest
from lxml import etree

from documents.curves import MAX_SLOTS
from documents.elements import Fields
from documents.model import Fault
from documents.time_series import Curve, Sign, read_periods
from documents.values import Interval, Period, Point

DAY = "2026-05-04"


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"{DAY}T{clock}:00Z")


def period(points: str, *, start: str = "06:00", end: str = "07:00", resolution: str = "PT15M") -> str:
    """Build a Period; `points` reads like "1:600 3:400"."""
    pairs = [pair.split(":") for pair in points.split()]
    written = "".join(f"<Point><position>{p}</position><quantity>{q}</quantity></Point>" for p, q in pairs)
    interval = f"<timeInterval><start>{DAY}T{start}Z</start><end>{DAY}T{end}Z</end></timeInterval>"
    return f"<Period>{interval}<resolution>{resolution}</resolution>{written}</Period>"


def read(
    *periods: str, unit: str = "KWT", curve: str = "A03", sign: Sign = Sign.POSITIVE
) -> tuple[tuple[Period, ...], tuple[Fault, ...]]:
    root: Any = etree.fromstring(f'<TimeSeries xmlns="urn:x">{"".join(periods)}</TimeSeries>')
    return read_periods(Fields(root).all("Period", before="Point"), Curve(unit, curve, sign))


def fault_codes(*periods: str, **curve: Any) -> list[str]:
    return [fault.code for fault in read(*periods, **curve)[1]]


def test_trap_16_a_point_of_curve_a03_lasts_until_the_next_one() -> None:
    periods, faults = read(period("1:600 3:400"))

    assert faults == ()
    assert periods == (Period(Interval(at("06:00"), at("07:00")), "PT15M", (Point(1, 600_000), Point(3, 400_000))),)


def test_trap_16_a_complete_curve_a01_is_stored_as_its_changes() -> None:
    periods, faults = read(period("1:600 2:600.0 3:+400 4:400."), curve="A01")

    assert faults == ()
    assert periods[0].points == (Point(1, 600_000), Point(3, 400_000))


@pytest.mark.parametrize(
    ("points", "curve"),
    [
        ("1:600 1:600", "A03"),
        ("1:600 3:400 2:500", "A03"),
        ("1:600 5:400", "A03"),
        ("0:600 1:400", "A03"),
        ("2:600", "A03"),
        ("", "A03"),
        ("1:600 -2:600", "A03"),
        ("1:600 1_0:600", "A03"),
        ("1:1 2:2 4:4", "A01"),
        ("1:1 2:2 3:3", "A01"),
        ("1:1 2:2 3:3 4:4 5:5", "A01"),
        ("2:1 3:2 4:3", "A01"),
    ],
)
def test_trap_15_positions_are_complete_ascending_and_inside_the_period(points: str, curve: str) -> None:
    periods, faults = read(period(points), curve=curve)

    assert periods == ()
    assert [fault.code for fault in faults] == ["A49"]
    assert faults[0].interval == Interval(at("06:00"), at("07:00"))
    assert "osition" in faults[0].text


@pytest.mark.parametrize("end", ["06:00", "05:00"])
def test_trap_15_a_period_ends_after_its_start(end: str) -> None:
    periods, faults = read(period("1:600", end=end))

    assert periods == ()
    assert [(fault.code, fault.interval) for fault in faults] == [("A04", None)]


@pytest.mark.parametrize("resolution", ["PT25M", "PT2H", "P1D", "P1M", "P1Y", "PT0S", "nonsense"])
def test_trap_15_a_period_is_a_multiple_of_a_fixed_resolution(resolution: str) -> None:
    _, faults = read(period("1:600", resolution=resolution))

    assert [fault.code for fault in faults] == ["A41"]
    assert resolution in faults[0].text


def test_trap_15_overlapping_periods_are_found_in_any_order() -> None:
    first, second = period("1:600"), period("1:600", start="06:45", end="07:15")

    for periods in ((first, second), (second, first)):
        kept, faults = read(*periods)
        assert [one.interval.start for one in kept] == [at("06:00"), at("06:45")]
        assert [(fault.code, fault.interval) for fault in faults] == [("A04", Interval(at("06:45"), at("07:15")))]


def test_trap_15_a_long_period_overlaps_more_than_its_neighbour() -> None:
    inside = period("1:1", start="06:00", end="06:15"), period("1:1", start="06:30", end="06:45")

    assert fault_codes(period("1:600", start="05:00", end="08:00"), *inside) == ["A04", "A04"]


def test_a_gap_between_periods_is_no_fault() -> None:
    periods, faults = read(period("1:600", start="08:00", end="09:00"), period("1:600"))

    assert faults == ()
    assert [one.interval.start for one in periods] == [at("06:00"), at("08:00")]


@pytest.mark.parametrize("unit", ["MWH", "KWH", "MAR", ""])
def test_trap_15_energy_is_no_unit_of_power(unit: str) -> None:
    periods, faults = read(period("1:600"), period("1:600"), unit=unit)

    assert periods == ()
    assert [(fault.code, fault.interval) for fault in faults] == [("A59", None)]
    assert "unit" in faults[0].text.lower()


@pytest.mark.parametrize("curve", ["A02", "A04", "A05"])
def test_other_curve_types_are_refused(curve: str) -> None:
    assert fault_codes(period("1:600"), curve=curve) == ["A59"]


@pytest.mark.parametrize("quantity", ["0.0005", "", "1e3", "NaN", "99999999999999"])
def test_a_quantity_that_is_no_whole_number_of_watts_is_a_fault_never_rounded(quantity: str) -> None:
    periods, faults = read(period(f"1:600 2:{quantity}"), period("1:1", start="08:00", end="09:00"))

    assert len(periods) == 1
    assert [(fault.code, fault.interval) for fault in faults] == [("A42", Interval(at("06:00"), at("07:00")))]
    assert "Position 2" in faults[0].text


@pytest.mark.parametrize(
    ("sign", "quantity", "expected"),
    [
        (Sign.SIGNED, "-5", -5000),
        (Sign.SIGNED, "5", 5000),
        (Sign.POSITIVE, "5", 5000),
        (Sign.NEGATED, "5", -5000),
        (Sign.POSITIVE, "-5", None),
        (Sign.NEGATED, "-5", None),
    ],
)
def test_trap_18_only_signed_series_carry_signs(sign: Sign, quantity: str, expected: int | None) -> None:
    periods, faults = read(period(f"1:{quantity}"), sign=sign)

    assert [point.quantity for one in periods for point in one.points] == ([] if expected is None else [expected])
    assert [fault.code for fault in faults] == (["A42"] if expected is None else [])


def test_a_long_fine_curve_of_two_points_stays_two_points() -> None:
    text = period("1:600 63001:400", resolution="PT1M").replace(f"<end>{DAY}", "<end>2027-12-04")

    periods, faults = read(text)

    assert faults == ()
    assert periods[0].points == (Point(1, 600_000), Point(63_001, 400_000))
    assert fault_codes(text, curve="A01") == ["A49"]


def test_a_period_may_last_longer_than_positions_can_count() -> None:
    text = period("1:600", resolution="PT1S").replace(f"<end>{DAY}", "<end>2027-12-04")

    periods, faults = read(text)

    assert faults == ()
    assert (periods[0].interval.end - periods[0].interval.start).total_seconds() > MAX_SLOTS


def test_trap_10_points_with_comments_and_white_space_are_read() -> None:
    commented = dedent("""
        <Point><!-- one --><position> 1 </position>
          <quantity>6<!-- half -->00 </quantity></Point>
        <Point><position>3<!-- x --></position><quantity>400</quantity><!-- y --></Point>
        <Point><position>4</position><quantity>5</quantity><secondaryQuantity>9</secondaryQuantity></Point>""")

    periods, faults = read(period("").replace("</Period>", f"{commented}</Period>"))

    assert faults == ()
    assert periods[0].points == (Point(1, 600_000), Point(3, 400_000), Point(4, 5_000))


@pytest.mark.parametrize("between", ["", " ", "\n\t"])
@pytest.mark.parametrize("extra", ["", "<secondaryQuantity>2</secondaryQuantity>"])
@pytest.mark.parametrize("merged", [0, 1, 2, 3])
def test_white_space_between_elements_and_more_of_them_change_nothing(between: str, extra: str, merged: int) -> None:
    """Quantities that look like the next position would fit one place too late."""
    points = [f"<Point><position>{n}</position><quantity>{n + 1}</quantity></Point>" for n in range(1, 5)]
    points[merged] = points[merged].replace("</Point>", f"{extra}</Point>")
    written = period("").replace("</Period>", "".join(points) + "</Period>").replace("><", f">{between}<")
    written = written.replace(f"<position>3</position>{between}", "<position>3</position>")

    periods, faults = read(written, curve="A01")

    assert faults == ()
    assert periods[0].points == tuple(Point(n, (n + 1) * 1000) for n in range(1, 5))


def test_each_faulty_period_is_named_and_the_others_are_kept() -> None:
    periods, faults = read(
        period("1:1"), period("2:2", start="07:00", end="08:00"), period("1:0.0001", start="08:00", end="09:00")
    )

    assert [one.interval.start for one in periods] == [at("06:00")]
    assert [fault.code for fault in faults] == ["A49", "A42"]
    assert all(fault.interval and fault.interval.start.tzinfo is UTC for fault in faults)
