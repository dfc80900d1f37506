"""Limits in XML: available power over time, or an action and an expected end (F6, F7)."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from documents.codes import action_of, action_reason
from documents.errors import QuantityError, SchemaInvalid
from documents.model import AssetReference, Party, UnavailabilityMarketDocument, UnavailabilitySeries
from documents.values import Identifier, Interval, Period, Point, Reason
from tests.documents_by_family import parse, render

START = datetime(2026, 5, 10, 6, tzinfo=UTC)
SPAN = Interval(START, START + timedelta(hours=8))
SERIES = UnavailabilitySeries(
    mrid="1",
    business_type="A53",
    interval=SPAN,
    assets=(
        AssetReference(Identifier("A10:571313100000000010"), "A05"),
        AssetReference(Identifier("A10:571313100000000027"), None, "CHP & 2"),
    ),
    periods=(Period(SPAN, "PT15M", (Point(1, 1_000_000), Point(9, 600_500))),),
    reasons=(action_reason("STOP"),),
)
DOCUMENT = UnavailabilityMarketDocument(
    mrid="a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6",
    revision=3,
    type="A53",
    created=datetime(2026, 5, 4, 8, 0, 1, tzinfo=UTC),
    sender=Party(Identifier("A10:5790000000005"), "A50"),
    receiver=Party(Identifier("A01:45X-TPS-HUB-DEM8"), "A32"),
    interval=SPAN,
    status="A09",
    series=(SERIES,),
    reasons=(Reason("B19"), Reason("A95", "Feeder 12")),
)
GOLDEN = b"""\
<?xml version="1.0" encoding="UTF-8"?>
<Unavailability_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-6:outagedocument:4:0">
  <mRID>a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6</mRID>
  <revisionNumber>3</revisionNumber>
  <type>A53</type>
  <process.processType>A26</process.processType>
  <createdDateTime>2026-05-04T08:00:01Z</createdDateTime>
  <sender_MarketParticipant.mRID codingScheme="A10">5790000000005</sender_MarketParticipant.mRID>
  <sender_MarketParticipant.marketRole.type>A50</sender_MarketParticipant.marketRole.type>
  <receiver_MarketParticipant.mRID codingScheme="A01">45X-TPS-HUB-DEM8</receiver_MarketParticipant.mRID>
  <receiver_MarketParticipant.marketRole.type>A32</receiver_MarketParticipant.marketRole.type>
  <unavailability_Time_Period.timeInterval>
    <start>2026-05-10T06:00Z</start>
    <end>2026-05-10T14:00Z</end>
  </unavailability_Time_Period.timeInterval>
  <docStatus>
    <value>A09</value>
  </docStatus>
  <TimeSeries>
    <mRID>1</mRID>
    <businessType>A53</businessType>
    <start_DateAndOrTime.date>2026-05-10</start_DateAndOrTime.date>
    <start_DateAndOrTime.time>06:00:00Z</start_DateAndOrTime.time>
    <end_DateAndOrTime.date>2026-05-10</end_DateAndOrTime.date>
    <end_DateAndOrTime.time>14:00:00Z</end_DateAndOrTime.time>
    <quantity_Measure_Unit.name>KWT</quantity_Measure_Unit.name>
    <curveType>A03</curveType>
    <Asset_RegisteredResource>
      <mRID codingScheme="A10">571313100000000010</mRID>
      <asset_PSRType.psrType>A05</asset_PSRType.psrType>
    </Asset_RegisteredResource>
    <Asset_RegisteredResource>
      <mRID codingScheme="A10">571313100000000027</mRID>
      <name>CHP &amp; 2</name>
    </Asset_RegisteredResource>
    <Available_Period>
      <timeInterval>
        <start>2026-05-10T06:00Z</start>
        <end>2026-05-10T14:00Z</end>
      </timeInterval>
      <resolution>PT15M</resolution>
      <Point>
        <position>1</position>
        <quantity>1000</quantity>
      </Point>
      <Point>
        <position>9</position>
        <quantity>600.5</quantity>
      </Point>
    </Available_Period>
    <Reason>
      <code>A95</code>
      <text>ACTION=STOP</text>
    </Reason>
  </TimeSeries>
  <Reason>
    <code>B19</code>
  </Reason>
  <Reason>
    <code>A95</code>
    <text>Feeder 12</text>
  </Reason>
</Unavailability_MarketDocument>
"""


def test_trap_01_an_outage_is_written_in_the_order_of_its_profile_created_before_the_parties() -> None:
    assert render(DOCUMENT) == GOLDEN
    assert parse(GOLDEN) == DOCUMENT


@pytest.mark.parametrize("number", ["3:0", "3:1", "4:0", "4:1"])
def test_every_version_is_read_alike(number: str) -> None:
    written = render(DOCUMENT, number)

    assert (b"quantity_Measurement_Unit.name" in written) == (number == "4:1")
    assert parse(written) == DOCUMENT


def test_r15_the_action_of_a_series_is_read_from_its_own_reasons_not_from_the_header() -> None:
    read = parse(GOLDEN.replace(b"Feeder 12", b"ACTION=START"))

    assert action_of(read.series[0]) == "STOP"


@pytest.mark.parametrize(
    ("day", "clock"),
    [
        (b"2026-05-10", b"06:00:00"),
        (b"2026-05-10", b"08:00:00+02:00"),
        (b"2026-05-10+02:00", b"08:00:00"),
        (b"2026-05-11", b"01:30:00+19:30"),
        (b"2026-05-09", b"23:30:00-06:30"),
        (b"2026-05-10Z", b"06:00:00.000Z"),
    ],
)
def test_trap_04_date_and_time_with_or_without_zone_are_one_utc_instant(day: bytes, clock: bytes) -> None:
    written = GOLDEN.replace(b"date>2026-05-10</start", b"date>" + day + b"</start").replace(b"06:00:00Z", clock)

    assert parse(written) == DOCUMENT


def test_trap_04_midnight_at_the_end_of_a_day_is_the_next_day() -> None:
    span = Interval(START, datetime(2026, 5, 11, tzinfo=UTC))
    ends_at_midnight = msgspec.structs.replace(
        DOCUMENT, interval=span, series=(msgspec.structs.replace(SERIES, interval=span),)
    )

    written = (
        render(ends_at_midnight).replace(b"2026-05-11</end_D", b"2026-05-10</end_D").replace(b"00:00:00Z", b"24:00:00Z")
    )

    assert b"24:00:00Z" in written
    assert parse(written) == ends_at_midnight


@pytest.mark.parametrize("clock", [b"06:00Z", b"25:00:00Z", b"noon", b""])
def test_trap_04_what_makes_no_instant_is_refused(clock: bytes) -> None:
    with pytest.raises(SchemaInvalid, match=r"start_DateAndOrTime\.time"):
        parse(GOLDEN.replace(b"06:00:00Z", clock))


def test_trap_15_negative_available_capacity_is_a_fault_when_read_and_an_error_when_written() -> None:
    negative = msgspec.structs.replace(SERIES, periods=(Period(SPAN, "PT15M", (Point(1, -1),)),))

    assert [fault.code for fault in parse(GOLDEN.replace(b">600.5<", b">-1<")).series[0].faults] == ["A42"]
    with pytest.raises(QuantityError):
        render(msgspec.structs.replace(DOCUMENT, series=(negative,)))


@pytest.mark.parametrize(
    ("found", "wrong", "codes"),
    [
        (b"14:00:00Z", b"06:00:00Z", ["A04", "A04"]),
        (b"14:00:00Z", b"15:00:00Z", ["A04"]),
        (b"14:00:00Z", b"13:00:00Z", ["A04"]),
    ],
)
def test_trap_15_series_end_after_their_start_inside_their_document_and_around_their_periods(
    found: bytes, wrong: bytes, codes: list[str]
) -> None:
    series = parse(GOLDEN.replace(found, wrong)).series[0]

    assert [fault.code for fault in series.faults] == codes


def test_trap_20_assets_of_one_series_stay_together_with_one_shared_curve() -> None:
    (series,) = parse(GOLDEN).series

    assert [asset.resource for asset in series.assets] == ["A10:571313100000000010", "A10:571313100000000027"]
    assert len(series.periods) == 1


def test_a_cancellation_without_series_is_read_and_written() -> None:
    bare = msgspec.structs.replace(DOCUMENT, status="A13", series=(), reasons=())

    assert parse(render(bare)) == bare


def test_a_series_that_starts_inside_a_minute_has_faults_that_can_be_answered() -> None:
    series = parse(GOLDEN.replace(b"14:00:00Z", b"14:00:30Z")).series[0]

    assert [(fault.code, fault.interval) for fault in series.faults] == [("A04", None)]


def test_energy_as_unit_is_a_fault_only_where_quantities_are_given() -> None:
    written = GOLDEN.replace(b">KWT<", b">KWH<")
    without = written.split(b"    <Available_Period>")[0] + written.split(b"</Available_Period>\n")[1]

    assert [fault.code for fault in parse(written).series[0].faults] == ["A59"]
    assert parse(without).series[0].faults == ()
