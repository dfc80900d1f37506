"""Packing: of a curve that is kept nothing is lost, and as little is made anew as is asked for."""

import msgspec
from hypothesis import given

from documents.packing import intervals, packed, unpacked
from documents.values import Period
from tests.strategies_documents import curves


@given(curves())
def test_what_is_packed_is_all_there(periods: tuple[Period, ...]) -> None:
    kept = packed(periods)

    assert unpacked(kept) == periods
    assert intervals(kept) == [period.interval for period in periods]


@given(curves(), curves())
def test_packed_curves_are_equal_when_they_say_the_same(one: tuple[Period, ...], other: tuple[Period, ...]) -> None:
    assert (packed(one) == packed(other)) == (one == other)


@given(curves())
def test_a_curve_that_lies_in_a_row_is_read_where_it_lies(periods: tuple[Period, ...]) -> None:
    row = msgspec.msgpack.decode(msgspec.msgpack.encode({"periods": periods}), type=dict[str, msgspec.Raw])

    assert unpacked(row["periods"]) == periods
    assert intervals(row["periods"]) == [period.interval for period in periods]
