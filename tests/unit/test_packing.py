"""Packing: of a curve nothing is lost, and what is written is the same as if it had not been packed."""

import msgspec
from hypothesis import given
from msgspec import Raw, Struct, field

from documents.packing import NOTHING, Curved, packed
from documents.values import Period
from tests.strategies_documents import curves


class Plan(Curved, Struct, frozen=True, kw_only=True):
    name: str
    curve: Raw = field(name="periods")


class Plain(Struct, frozen=True, kw_only=True):
    name: str
    periods: tuple[Period, ...]


@given(curves())
def test_what_is_packed_is_all_there(periods: tuple[Period, ...]) -> None:
    plan = Plan(name="heat", curve=packed(periods))

    assert plan.periods == periods
    assert plan.intervals == [period.interval for period in periods]


@given(curves())
def test_packed_and_plain_are_written_alike_and_read_each_other(periods: tuple[Period, ...]) -> None:
    plan, plain = Plan(name="heat", curve=packed(periods)), Plain(name="heat", periods=periods)
    written = msgspec.msgpack.encode(plan)

    assert written == msgspec.msgpack.encode(plain)
    assert msgspec.msgpack.decode(written, type=Plan) == plan
    assert msgspec.msgpack.decode(written, type=Plain) == plain


@given(curves(), curves())
def test_packed_curves_are_equal_when_they_say_the_same(one: tuple[Period, ...], other: tuple[Period, ...]) -> None:
    assert (packed(one) == packed(other)) == (one == other)


def test_nothing_has_no_period() -> None:
    assert Plan(name="heat", curve=NOTHING).periods == ()
