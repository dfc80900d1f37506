"""How long a plan becomes in a document is known before it is written (R12, R13)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents import registry, xml
from documents.curves import compress
from documents.lengths import LONGEST_BYTES, SERIES_BYTES, longest, longest_changes
from documents.model import Party
from documents.packing import packed
from documents.parts import Part, Span, described
from documents.power import MAX_POWER
from documents.values import Identifier, Interval, Period
from hub import compose
from hub.compose import Cover, Letterhead
from hub.dispatch import BEATS, MOST_BYTES
from hub.ports import Item
from hub.rows import DSO_SCHEDULES, AgrLimit, DsoSchedule
from hub.store.codec import encode_payload
from hub.values import Action, AssetOrder, AssetShare, Direction, LimitKind

START = datetime(2026, 1, 1, tzinfo=UTC)
HEAD = Letterhead(
    hub=Identifier("A01:45X-TPS-HUB-DEM8"), domain=Identifier(f"A01:{'&' * 18}"), zone=ZoneInfo("Europe/Copenhagen")
)
COVER = Cover(mrid="m" * 32, receiver=Party(Identifier("A10:5790000000005"), "A50"), created=START)
RESOURCE = Identifier(f"NDK:{'&' * 60}")
QUANTITIES = st.one_of(st.integers(-MAX_POWER, MAX_POWER), st.sampled_from((0, 1, -1, 1 - MAX_POWER, MAX_POWER)))
CURVES = st.lists(st.lists(QUANTITIES, min_size=1, max_size=400), min_size=1, max_size=6)
HEADER = 2_000


def plan(curves: list[list[int]]) -> tuple[Period, ...]:
    """A Period for each list of quantities, a quarter of an hour each."""
    periods, start = [], START
    for quantities in curves:
        end = start + timedelta(minutes=15) * len(quantities)
        periods.append(Period(Interval(start, end), "PT15M", compress(quantities)))
        start = end + timedelta(days=1)
    return tuple(periods)


def row(periods: tuple[Period, ...]) -> DsoSchedule:
    return DsoSchedule(series="f" * 32, resource=RESOURCE, curve=packed(periods))


def written(periods: tuple[Period, ...]) -> bytes:
    """The document of one plan, as the last part of a list."""
    item = Item(
        view=DSO_SCHEDULES,
        audience=COVER.receiver.id,
        key="f" * 32,
        sequence=1,
        payload=encode_payload(row(periods)),
        group=RESOURCE,
        valid=None,
        issued=START,
        position=1,
    )
    return registry.render(compose.schedule_list([item], COVER, HEAD, Span("e" * 32, "f" * 32)))


@given(curves=CURVES)
def test_no_plan_is_longer_than_was_said(curves: list[list[int]]) -> None:
    periods = plan(curves)

    assert len(written(periods)) <= HEADER + longest(periods)


@given(curves=CURVES)
def test_r12_so_many_bytes_of_rows_stay_within_a_document(curves: list[list[int]]) -> None:
    """The bound in hub.dispatch: 108 kB for what is written out, 33 bytes for each byte of a row."""
    periods = plan(curves)
    payload = encode_payload(row(periods))
    assert payload is not None

    assert len(written(periods)) - HEADER <= 108_000 + 33 * len(payload)


def test_r12_the_fullest_document_of_a_beat_is_taken() -> None:
    (most,) = (most for view, _, _, most in BEATS if view == DSO_SCHEDULES)

    assert HEADER + most * 108_000 + 33 * MOST_BYTES < xml.MAX_BYTES


@pytest.mark.parametrize("days", [10, 11, 731])
def test_a_long_plan_with_another_value_in_each_step_fits_into_a_document(days: int) -> None:
    periods = plan([[-MAX_POWER + number for number in range(days * 96)]])

    body = written(periods)

    assert longest(periods) < LONGEST_BYTES
    assert len(body) <= HEADER + longest(periods)
    assert len(xml.parse(body)) > 0


def test_the_longest_plan_that_is_taken_fits_into_a_document_and_has_less_tags_than_are_taken() -> None:
    points = (LONGEST_BYTES - 2_000) // 110
    periods = plan([[number % 2 for number in range(points)]])

    body = written(periods)

    assert LONGEST_BYTES - 2_000 < longest(periods) <= LONGEST_BYTES
    assert HEADER + LONGEST_BYTES < xml.MAX_BYTES
    assert body.count(b"<") < xml.MAX_TAGS
    assert len(described(Part(Span("e" * 32, "f" * 32))) or "") < 120


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 96, 10_000])
def test_the_longest_copy_of_a_limit_that_is_taken_fits_into_a_message(steps: int) -> None:
    periods = plan([[MAX_POWER - step for step in range(steps)]])
    ids = [Identifier(f"NDK:{number:05}{'&' * 55}") for number in range(LONGEST_BYTES // longest_changes(periods))]

    row = limit_copy(shares=tuple(AssetShare(each, MAX_POWER, periods) for each in ids))

    assert len(rendered(row)) + HEADER <= xml.MAX_BYTES


@pytest.mark.slow
def test_the_longest_copy_of_an_order_that_is_taken_fits_into_a_message() -> None:
    ids = [Identifier(f"NDK:{number:05}{'&' * 55}") for number in range(LONGEST_BYTES // SERIES_BYTES)]

    row = limit_copy(kind=LimitKind.UNFORESEEN, orders=tuple(AssetOrder(each, Action.START) for each in ids))

    assert len(rendered(row)) + HEADER <= xml.MAX_BYTES


def limit_copy(**fields: Any) -> AgrLimit:  # Any: those of AgrLimit
    """A copy of a limit with the longest words there are."""
    interval = Interval(START, START + timedelta(days=1))
    words = {"kind": LimitKind.FORESEEN, "direction": Direction.CONSUMPTION, "interval": interval, **fields}
    return AgrLimit(mrid="c" * 32, revision=999, reason_codes=("B19", "B20"), **words)


def rendered(row: AgrLimit) -> bytes:
    """The document that tells an AGR its copy."""
    return registry.render(compose.limit(row, COVER, HEAD))
