"""Schedules in XML: signed kilowatts outside, watts inside (F8, F9)."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from documents.errors import QuantityError, SchemaInvalid
from documents.model import GlMarketDocument, GlSeries, Party
from documents.values import Identifier, Interval, Period, Point
from tests.documents_by_family import parse, render

START = datetime(2026, 5, 4, 22, tzinfo=UTC)
SPAN = Interval(START, START + timedelta(minutes=45))
SERIES = GlSeries(
    mrid="1",
    in_domain=Identifier("A01:10YDK-2--------M"),
    out_domain=Identifier("A01:10YDK-2--------M"),
    resource=Identifier("A10:571313100000000010"),
    periods=(Period(SPAN, "PT15M", (Point(1, -487_500), Point(3, 4_500_000))),),
)
DOCUMENT = GlMarketDocument(
    mrid="b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1",
    revision=1,
    sender=Party(Identifier("A01:45X-AGR-ONE-DEMO"), "A27"),
    receiver=Party(Identifier("A01:45X-TPS-HUB-DEM8"), "A32"),
    created=datetime(2026, 5, 4, 8, 0, 5, tzinfo=UTC),
    interval=SPAN,
    series=(SERIES,),
)
GOLDEN = b"""\
<?xml version="1.0" encoding="UTF-8"?>
<GL_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-6:generationloaddocument:3:1">
  <mRID>b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1</mRID>
  <revisionNumber>1</revisionNumber>
  <type>A67</type>
  <process.processType>A01</process.processType>
  <sender_MarketParticipant.mRID codingScheme="A01">45X-AGR-ONE-DEMO</sender_MarketParticipant.mRID>
  <sender_MarketParticipant.marketRole.type>A27</sender_MarketParticipant.marketRole.type>
  <receiver_MarketParticipant.mRID codingScheme="A01">45X-TPS-HUB-DEM8</receiver_MarketParticipant.mRID>
  <receiver_MarketParticipant.marketRole.type>A32</receiver_MarketParticipant.marketRole.type>
  <createdDateTime>2026-05-04T08:00:05Z</createdDateTime>
  <time_Period.timeInterval>
    <start>2026-05-04T22:00Z</start>
    <end>2026-05-04T22:45Z</end>
  </time_Period.timeInterval>
  <TimeSeries>
    <mRID>1</mRID>
    <businessType>A07</businessType>
    <objectAggregation>A06</objectAggregation>
    <inBiddingZone_Domain.mRID codingScheme="A01">10YDK-2--------M</inBiddingZone_Domain.mRID>
    <outBiddingZone_Domain.mRID codingScheme="A01">10YDK-2--------M</outBiddingZone_Domain.mRID>
    <registeredResource.mRID codingScheme="A10">571313100000000010</registeredResource.mRID>
    <quantity_Measure_Unit.name>KWT</quantity_Measure_Unit.name>
    <curveType>A01</curveType>
    <Period>
      <timeInterval>
        <start>2026-05-04T22:00Z</start>
        <end>2026-05-04T22:45Z</end>
      </timeInterval>
      <resolution>PT15M</resolution>
      <Point>
        <position>1</position>
        <quantity>-487.5</quantity>
      </Point>
      <Point>
        <position>2</position>
        <quantity>-487.5</quantity>
      </Point>
      <Point>
        <position>3</position>
        <quantity>4500</quantity>
      </Point>
    </Period>
  </TimeSeries>
</GL_MarketDocument>
"""


def with_series(**changes: object) -> GlMarketDocument:
    return msgspec.structs.replace(DOCUMENT, series=(msgspec.structs.replace(SERIES, **changes),))


def test_trap_01_a_schedule_is_written_in_the_order_of_its_profile_created_after_the_parties() -> None:
    assert render(DOCUMENT) == GOLDEN
    assert parse(GOLDEN) == DOCUMENT


def test_trap_16_curve_a03_is_written_as_its_changes() -> None:
    written = render(with_series(curve="A03"))

    assert written.count(b"<Point>") == 2
    assert b"<position>2</position>" not in written


def test_r24_a_cancelled_series_has_no_period() -> None:
    written = render(with_series(cancelled=True))

    assert b"<cancelledTS>A01</cancelledTS>" in written
    assert b"<Period>" not in written
    assert parse(written) == with_series(cancelled=True, periods=())


def test_r24_periods_of_a_cancelled_series_are_not_read() -> None:
    written = GOLDEN.replace(b"<curveType>A01</curveType>", b"<curveType>A01</curveType><cancelledTS>A01</cancelledTS>")

    assert parse(written) == with_series(cancelled=True, periods=())


@pytest.mark.parametrize("number", ["3:0", "3:1", "3:2"])
def test_every_version_is_read_alike(number: str) -> None:
    written = render(DOCUMENT, number)

    assert (b"quantity_Measurement_Unit.name" in written) == (number == "3:2")
    assert parse(written) == DOCUMENT


def test_trap_18_consumption_is_negated_and_production_is_not() -> None:
    unsigned = GOLDEN.replace(b"-487.5", b"487.5")
    consumption = parse(unsigned.replace(b"<businessType>A07", b"<businessType>A04"))
    production = parse(unsigned.replace(b"<businessType>A07", b"<businessType>A01"))

    assert consumption.series[0].periods[0].points == (Point(1, -487_500), Point(3, -4_500_000))
    assert production.series[0].periods[0].points == (Point(1, 487_500), Point(3, 4_500_000))
    assert render(consumption).count(b"<quantity>487.5</quantity>") == 2


def test_trap_18_a_sign_where_none_is_allowed_is_a_fault_when_read_and_an_error_when_written() -> None:
    read = parse(GOLDEN.replace(b"<businessType>A07", b"<businessType>A01"))

    assert [fault.code for fault in read.series[0].faults] == ["A42"]
    with pytest.raises(QuantityError, match="sign"):
        render(with_series(business_type="A01"))


def test_trap_15_a_period_outside_its_document_is_a_fault() -> None:
    late = Interval(SPAN.start, SPAN.end - timedelta(minutes=15))

    read = parse(render(msgspec.structs.replace(DOCUMENT, interval=late)))

    assert [(fault.code, fault.interval) for fault in read.series[0].faults] == [("A04", SPAN)]


def test_trap_19_megawatts_become_the_same_watts() -> None:
    written = GOLDEN.replace(b">KWT<", b">MAW<").replace(b"-487.5", b"-0.4875").replace(b">4500<", b">4.5<")

    assert parse(written) == DOCUMENT


def test_trap_09_codes_and_ids_are_trimmed() -> None:
    written = GOLDEN.replace(b">A67<", b"> A67\n<").replace(b">b1b1", b"> b1b1").replace(b">KWT<", b"> KWT <")

    assert parse(written) == DOCUMENT


def test_trap_10_prefixes_byte_order_marks_and_comments_make_no_difference() -> None:
    prefixed = (
        GOLDEN.replace(b"<", b"<p:").replace(b"<p:/", b"</p:").replace(b"<p:?", b"<?").replace(b"xmlns=", b"xmlns:p=")
    )

    assert parse(b"\xef\xbb\xbf" + prefixed) == DOCUMENT
    assert parse(GOLDEN.replace(b"<type>A67", b"<!-- a --><type>A<!-- b -->67")) == DOCUMENT


@pytest.mark.parametrize(
    "line",
    [
        b"mRID",
        b"revisionNumber",
        b"type",
        b"createdDateTime",
        b"time_Period.timeInterval",
        b"curveType",
        b"businessType",
    ],
)
def test_a_missing_element_is_named(line: bytes) -> None:
    with pytest.raises(SchemaInvalid, match=line.decode()):
        parse(GOLDEN.replace(b"<" + line + b">", b"<other>").replace(b"</" + line + b">", b"</other>"))


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (b"2026-05-04T08:00:05Z", b"2026-05-04T08:00:05+02:00"),
        (b"2026-05-04T08:00:05Z", b"2026-02-30T08:00:05Z"),
        (b"<start>2026", b"<start>0000"),
        (b"<revisionNumber>1", b"<revisionNumber>one"),
        (b'codingScheme="A10"', b""),
        (b">45X-AGR-ONE-DEMO<", b"><"),
    ],
)
def test_unusable_content_is_refused_with_its_place(found: bytes, wrong: bytes) -> None:
    with pytest.raises(SchemaInvalid, match="line"):
        parse(GOLDEN.replace(found, wrong))


def test_trap_03_an_interval_inside_a_minute_cannot_be_written_and_a_fraction_of_creation_is_dropped() -> None:
    exact = msgspec.structs.replace(DOCUMENT, created=DOCUMENT.created + timedelta(microseconds=999_999))
    inside = msgspec.structs.replace(DOCUMENT, interval=Interval(SPAN.start + timedelta(seconds=1), SPAN.end))

    assert render(exact) == GOLDEN
    with pytest.raises(ValueError, match="inside a minute"):
        render(inside)


def test_trap_03_instants_of_any_zone_are_written_in_utc_and_naive_ones_refused() -> None:
    local = START.astimezone().replace(tzinfo=None)
    summer = msgspec.structs.replace(DOCUMENT, created=datetime.fromisoformat("2026-05-04T10:00:05+02:00"))

    assert render(summer) == GOLDEN
    with pytest.raises(ValueError, match="zone"):
        render(msgspec.structs.replace(DOCUMENT, created=local))


def test_trap_05_only_parties_areas_and_resources_have_a_coding_scheme() -> None:
    named = [line.split(b"<")[1].split(b" ")[0] for line in render(DOCUMENT).splitlines() if b"codingScheme" in line]

    assert named == [
        b"sender_MarketParticipant.mRID",
        b"receiver_MarketParticipant.mRID",
        b"inBiddingZone_Domain.mRID",
        b"outBiddingZone_Domain.mRID",
        b"registeredResource.mRID",
    ]


def test_text_is_escaped_and_characters_that_xml_lacks_are_refused() -> None:
    assert parse(render(with_series(mrid='a<b>&"c"'))).series[0].mrid == 'a<b>&"c"'
    with pytest.raises(ValueError, match=r"U\+0000"):
        render(with_series(mrid="a\0"))


def test_a_curve_a01_of_more_steps_than_positions_is_never_written_out() -> None:
    long = Interval(START, START + timedelta(days=800))
    series = (msgspec.structs.replace(SERIES, periods=(Period(long, "PT1M", (Point(1, 5),)),)),)

    with pytest.raises(ValueError, match="1152000 steps"):
        render(msgspec.structs.replace(DOCUMENT, interval=long, series=series))
