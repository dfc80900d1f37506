"""Compose: rows become documents that are valid and hold nothing but rows (R11, R12, R18, R25, R26)."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from documents import registry, xml
from documents.model import (
    AcknowledgementMarketDocument,
    GlMarketDocument,
    InErrorPeriod,
    Party,
    ReceivedDocument,
    RefMarketDocument,
    RejectedSeries,
    UnavailabilityMarketDocument,
)
from documents.packing import packed
from documents.values import Identifier, Interval, Period, Point, Reason
from hub import compose
from hub.compose import Cover, Letterhead
from hub.ports import Item
from hub.rows import DSO_ASSETS, DSO_SCHEDULES, AgrLimit, Answer, DsoAsset, DsoSchedule, Response
from hub.values import Action, AssetOrder, AssetShare, Capability, Direction, LimitKind

HUB = Identifier("A01:45X-TPS-HUB-DEM8")
NORTH, ALPHA = Identifier("A10:5790000000005"), Identifier("A01:45X-AGR-ALPHA--N")
HEAD = Letterhead(hub=HUB, domain=Identifier("A01:10YDK-2--------M"), zone=ZoneInfo("Europe/Copenhagen"))
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = Interval(NOON, NOON + timedelta(hours=24))
HEAT_PUMP, CHP = Identifier("A10:571313100000000010"), Identifier("A10:571313100000000027")
POINT = Identifier("A10:571313199000000014")
TO_NORTH = Cover(mrid="a" * 32, receiver=Party(NORTH, "A50"), created=NOON)
TO_ALPHA = Cover(mrid="b" * 32, receiver=Party(ALPHA, "A27"), created=NOON)


def item(view: str, key: str, row: object, sequence: int = 1, valid: Interval | None = None) -> Item:
    return Item(
        view=view,
        audience=NORTH,
        key=key,
        sequence=sequence,
        payload=None if row is None else msgspec.msgpack.encode(row),
        valid=valid,
        issued=NOON,
        position=sequence,
    )


def asset(resource: Identifier, sequence: int = 1, produces: int = 500_000, consumes: int = 0) -> Item:
    row = DsoAsset(
        resource=resource, point=POINT, capability=Capability(produces, consumes), psr_type="A04", voltage="0.4"
    )
    return item(DSO_ASSETS, resource, row, sequence)


def gone(resource: Identifier, sequence: int) -> Item:
    return item(DSO_ASSETS, resource, None, sequence)


def flat(watts: int, interval: Interval = DAY, resolution: str = "PT60M") -> tuple[Period, ...]:
    return (Period(interval, resolution, (Point(1, watts),)),)


def plan(
    series: str, resource: Identifier, periods: tuple[Period, ...], sequence: int = 1, *, withdrawn: bool = False
) -> Item:
    row = DsoSchedule(series=series, resource=resource, curve=packed(periods), withdrawn=withdrawn)
    return item(DSO_SCHEDULES, series, row, sequence)


def limit(**fields: object) -> AgrLimit:
    row = AgrLimit(
        mrid="c" * 32,
        revision=2,
        kind=LimitKind.FORESEEN,
        direction=Direction.PRODUCTION,
        interval=DAY,
        shares=(AssetShare(CHP, 900_000, flat(450_001)), AssetShare(HEAT_PUMP, 100_000, flat(50_000))),
        reason_codes=("B19",),
    )
    return replace(row, **fields)


def test_r11_a_list_and_a_delta_differ_by_their_process_only() -> None:
    items = [asset(HEAT_PUMP, 1), asset(CHP, 2)]

    full, delta = compose.asset_list(items, TO_NORTH, HEAD), compose.asset_changes(items, TO_NORTH, HEAD)

    assert (full.process, delta.process) == ("A39", "A37")
    assert replace(full, process="A37") == delta
    assert registry.read(registry.render(full)) == full


def test_r11_the_owner_is_the_hub_and_nothing_names_an_operator() -> None:
    (series,) = compose.asset_list([asset(HEAT_PUMP)], TO_NORTH, HEAD).series

    assert series.owner == HUB
    assert series.coordination == (NORTH,)
    assert series.name == "571313100000000010"
    assert (series.description, series.location) == (None, None)
    assert (series.specific, series.max_production, series.max_consumption) == ((POINT,), 500_000, None)
    assert series.start_lifetime == date(2026, 6, 1)


def test_r11_a_withdrawn_asset_is_cancelled_in_a_delta() -> None:
    document = compose.asset_changes([gone(CHP, 1)], TO_NORTH, HEAD)

    (series,) = document.series
    assert (series.resource, series.cancelled) == (CHP, True)
    assert isinstance(registry.read(registry.render(document)), RefMarketDocument)


def test_r12_a_delta_says_the_last_word_on_each_asset_in_the_order_of_their_ids() -> None:
    items = [asset(CHP, 1, produces=1), gone(HEAT_PUMP, 4), asset(HEAT_PUMP, 2), asset(CHP, 3, produces=2)]

    document = compose.asset_changes(items, TO_NORTH, HEAD)

    assert [(series.resource, series.cancelled, series.max_production) for series in document.series] == [
        (HEAT_PUMP, True, None),
        (CHP, False, 2),
    ]


@given(st.permutations(range(6)))
def test_r36_the_order_in_which_changes_came_from_agrs_does_not_show(order: list[int]) -> None:
    ids = [Identifier(f"NDK:asset{number}") for number in range(6)]

    documents = {
        registry.render(
            compose.asset_changes([asset(ids[n], sequence) for sequence, n in enumerate(order, 1)], TO_NORTH, HEAD)
        )
    }
    documents.add(registry.render(compose.asset_changes([asset(one, 1) for one in ids], TO_NORTH, HEAD)))

    assert len(documents) == 1


def test_r18_a_copy_has_one_series_per_asset_with_its_share_and_no_text() -> None:
    document = compose.limit(limit(), TO_ALPHA, HEAD)

    assert (document.mrid, document.revision, document.type, document.status) == ("c" * 32, 2, "A80", None)
    assert document.reasons == (Reason("B19"),)
    assert [(series.mrid, series.business_type, [a.resource for a in series.assets]) for series in document.series] == [
        ("1", "A53", [HEAT_PUMP]),
        ("2", "A53", [CHP]),
    ]
    assert [series.periods[0].points[0].quantity for series in document.series] == [50_000, 450_001]
    assert registry.read(registry.render(document)) == document


def test_r15_an_order_carries_its_action_and_no_power() -> None:
    row = limit(kind=LimitKind.UNFORESEEN, shares=(), orders=(AssetOrder(CHP, Action.STOP),), reason_codes=("B18",))

    document = compose.limit(row, TO_ALPHA, HEAD)

    (series,) = document.series
    assert (series.business_type, series.periods) == ("A54", ())
    assert series.reasons == (Reason("A95", "ACTION=STOP"),)
    assert registry.read(registry.render(document)) == document


def test_r19_a_cancel_repeats_the_last_series_with_status_a09() -> None:
    document = compose.limit(limit(cancelled=True, revision=3), TO_ALPHA, HEAD)

    assert (document.status, document.revision, len(document.series)) == ("A09", 3, 2)
    assert isinstance(registry.read(registry.render(document)), UnavailabilityMarketDocument)


@pytest.mark.parametrize(
    ("direction", "code"), [(Direction.BOTH, "A53"), (Direction.PRODUCTION, "A80"), (Direction.CONSUMPTION, "A76")]
)
def test_the_direction_of_a_limit_is_its_document_type(direction: Direction, code: str) -> None:
    assert compose.limit(limit(direction=direction), TO_ALPHA, HEAD).type == code


def test_r25_schedules_keep_their_signs_and_are_ordered_by_asset() -> None:
    items = [plan("2" * 32, CHP, flat(4_500_000), 1), plan("1" * 32, HEAT_PUMP, flat(-487_500), 2)]

    document = compose.schedules(items, TO_NORTH, HEAD)

    assert [(series.resource, series.mrid) for series in document.series] == [(HEAT_PUMP, "1" * 32), (CHP, "2" * 32)]
    assert document.interval == DAY
    read = registry.read(registry.render(document))
    assert isinstance(read, GlMarketDocument)
    assert [series.periods[0].points for series in read.series] == [(Point(1, -487_500),), (Point(1, 4_500_000),)]
    assert b"registeredResource.name" not in registry.render(document)


def test_a_withdrawn_plan_is_a_cancelled_series_without_periods() -> None:
    withdrawn = plan("1" * 32, HEAT_PUMP, (), 2, withdrawn=True)

    document = compose.schedules([plan("1" * 32, HEAT_PUMP, flat(5), 1), withdrawn], TO_NORTH, HEAD)
    alone = compose.schedules([replace(withdrawn, valid=DAY)], TO_NORTH, HEAD)

    (series,) = document.series
    assert (series.cancelled, series.periods) == (True, ())
    assert alone.interval == DAY
    for one in (document, alone):
        assert isinstance(registry.read(registry.render(one)), GlMarketDocument)


def test_the_interval_of_a_document_covers_its_series() -> None:
    later = Interval(DAY.end, DAY.end + timedelta(hours=2))
    items = [plan("1" * 32, HEAT_PUMP, flat(5), 1), plan("2" * 32, CHP, flat(5, later), 2)]

    assert compose.schedules(items, TO_NORTH, HEAD).interval == Interval(DAY.start, later.end)


def test_a_plan_of_very_many_steps_is_written_by_its_changes() -> None:
    document = compose.schedules([plan("1" * 32, HEAT_PUMP, flat(5, resolution="PT1S"))], TO_NORTH, HEAD)

    assert document.series[0].curve == "A03"
    assert len(registry.render(document)) < 10_000


def test_r26_an_acknowledgement_copies_what_it_answers() -> None:
    received = ReceivedDocument(mrid="d" * 32, revision=1, type="A67", process="A01", created=NOON)
    answer = Answer(
        mrid="e" * 32,
        role="A08",
        received=received,
        reasons=(Reason("A03"),),
        rejected=(RejectedSeries(mrid="2", reasons=(Reason("A42", "too much"),)),),
    )

    document = compose.acknowledgement(answer, TO_ALPHA, HEAD)

    assert document.received == received
    assert document.receiver == Party(ALPHA, "A08")
    assert registry.read(registry.render(document)) == document


@pytest.mark.slow
def test_r26_the_answer_to_the_fullest_wrong_document_is_short_enough_and_names_every_series() -> None:
    """57,000 withdrawals of 290 bytes fit into 16 MiB; a plan may have ten findings, each with its span."""
    why = Reason("A42", f"487500 W is planned; the asset is registered for 0 W to 1000 W {'&' * 100}")
    hour = InErrorPeriod(Interval(NOON, NOON + timedelta(hours=1)), (why,))
    rejected = tuple(RejectedSeries(mrid=f"{n:035}", in_error=(hour,) * 10, reasons=(why,)) for n in range(57_000))
    answer = Answer(
        mrid="e" * 32, role="A27", received=ReceivedDocument(mrid="d"), reasons=(Reason("A02"),), rejected=rejected
    )

    document = compose.acknowledgement(answer, TO_ALPHA, HEAD)
    body = registry.render(document)

    assert len(body) < xml.MAX_BYTES
    assert body.count(b"<") < xml.MAX_TAGS
    assert [series.mrid for series in document.rejected] == [series.mrid for series in rejected]
    assert document.rejected[:300] == rejected[:300]
    assert document.rejected[-1] == RejectedSeries(mrid=rejected[-1].mrid, reasons=(Reason("A42"),))


def test_r26_an_empty_result_is_answered_with_999() -> None:
    document = compose.nothing_found(
        Response(mrid="e" * 32, request="d" * 32, subject="A95", role="A50"), TO_NORTH, HEAD
    )

    assert document.received == ReceivedDocument(mrid="d" * 32)
    assert [reason.code for reason in document.reasons] == ["999"]
    assert isinstance(registry.read(registry.render(document)), AcknowledgementMarketDocument)


@pytest.mark.parametrize("number", ["05", "07", "12"])
def test_what_is_composed_is_shaped_like_the_mapping_examples(shared: Path, number: str) -> None:
    (path,) = (shared / "standards" / "mapping-examples").glob(f"{number}_*.xml")
    example = registry.read(path.read_bytes())
    ours = {
        "05": compose.asset_list([asset(HEAT_PUMP), asset(CHP, 2)], TO_NORTH, HEAD),
        "07": compose.limit(limit(), TO_ALPHA, HEAD),
        "12": compose.schedules([plan("1" * 32, HEAT_PUMP, flat(5)), plan("2" * 32, CHP, flat(6), 2)], TO_NORTH, HEAD),
    }[number]

    assert type(ours) is type(example)
    assert ours.sender == example.sender == Party(HUB, "A32")
    assert (ours.process, len(ours.series)) == (example.process, len(example.series))  # type: ignore[union-attr]
