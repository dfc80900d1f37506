"""Registrations and asset lists in XML (F4, F5)."""

from datetime import UTC, date, datetime

import msgspec
import pytest

from documents.errors import QuantityError, SchemaInvalid
from documents.model import Party, RefMarketDocument, RefSeries
from documents.values import Identifier
from tests.documents_by_family import parse, render

SERIES = RefSeries(
    resource=Identifier("A10:571313100000000027"),
    name="CHP <2>",
    location="Shed",
    psr_type="A03",
    voltage="10",
    cancelled=True,
    description="Gas & heat",
    owner=Identifier("A01:45X-AGR-ONE-DEMO"),
    start_lifetime=date(2026, 5, 4),
    end_lifetime=date(2036, 5, 4),
    max_production=4_500_000,
    max_consumption=120_500,
    domains=(Identifier("A01:10YDK-2--------M"), Identifier("NDK:042")),
    coordination=(Identifier("A10:5790000000005"),),
    specific=(Identifier("A10:571313199000000021"),),
)
DOCUMENT = RefMarketDocument(
    mrid="a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
    process="A36",
    sender=Party(Identifier("A01:45X-AGR-ONE-DEMO"), "A27"),
    receiver=Party(Identifier("A01:45X-TPS-HUB-DEM8"), "A32"),
    created=datetime(2026, 5, 4, 8, tzinfo=UTC),
    series=(SERIES,),
)
GOLDEN = b"""\
<?xml version="1.0" encoding="UTF-8"?>
<Ref_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-n:mltopconfigurationdocument:1:2">
  <mRID>a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1</mRID>
  <type>A95</type>
  <process.processType>A36</process.processType>
  <sender_MarketParticipant.mRID codingScheme="A01">45X-AGR-ONE-DEMO</sender_MarketParticipant.mRID>
  <sender_MarketParticipant.marketRole.type>A27</sender_MarketParticipant.marketRole.type>
  <receiver_MarketParticipant.mRID codingScheme="A01">45X-TPS-HUB-DEM8</receiver_MarketParticipant.mRID>
  <receiver_MarketParticipant.marketRole.type>A32</receiver_MarketParticipant.marketRole.type>
  <createdDateTime>2026-05-04T08:00:00Z</createdDateTime>
  <TimeSeries>
    <RegisteredResource>
      <mRID codingScheme="A10">571313100000000027</mRID>
      <name>CHP &lt;2&gt;</name>
      <location.name>Shed</location.name>
      <pSRType.psrType>A03</pSRType.psrType>
      <pSRType.powerSystemResources.highVoltageLimit unit="KVT">10</pSRType.powerSystemResources.highVoltageLimit>
    </RegisteredResource>
    <cancelledTS>A01</cancelledTS>
    <description>Gas &amp; heat</description>
    <owner_MarketParticipant.mRID codingScheme="A01">45X-AGR-ONE-DEMO</owner_MarketParticipant.mRID>
    <startLifetime_DateAndOrTime.date>2026-05-04</startLifetime_DateAndOrTime.date>
    <endLifetime_DateAndOrTime.date>2036-05-04</endLifetime_DateAndOrTime.date>
    <active_Measurement_Unit.name>KWT</active_Measurement_Unit.name>
    <installedGeneration_Quantity.quantity>4500</installedGeneration_Quantity.quantity>
    <installedConsumption_Quantity.quantity>120.5</installedConsumption_Quantity.quantity>
    <Domain>
      <mRID codingScheme="A01">10YDK-2--------M</mRID>
    </Domain>
    <Domain>
      <mRID codingScheme="NDK">042</mRID>
    </Domain>
    <Coordination_MarketParticipant>
      <mRID codingScheme="A10">5790000000005</mRID>
    </Coordination_MarketParticipant>
    <Specific_RegisteredResource>
      <mRID codingScheme="A10">571313199000000021</mRID>
    </Specific_RegisteredResource>
  </TimeSeries>
</Ref_MarketDocument>
"""


def with_series(**changes: object) -> RefMarketDocument:
    return msgspec.structs.replace(DOCUMENT, series=(msgspec.structs.replace(SERIES, **changes),))


def test_trap_01_a_configuration_is_written_in_the_order_of_its_profile() -> None:
    assert render(DOCUMENT) == GOLDEN
    assert parse(GOLDEN) == DOCUMENT


@pytest.mark.parametrize("number", ["1:1", "1:2", "1:3"])
def test_every_nested_version_and_the_successor_are_read_alike(number: str) -> None:
    assert parse(render(DOCUMENT, number)) == DOCUMENT


def test_the_flat_layout_of_version_1_0_is_read_alike() -> None:
    head, nested = GOLDEN.replace(b":1:2", b":1:0").split(b"    <RegisteredResource>\n")
    resource, tail = nested.split(b"    </RegisteredResource>\n")
    flat = resource.replace(b"</", b"</registeredResource.").replace(b"      <", b"    <registeredResource.")

    assert b"    <registeredResource.name>CHP &lt;2&gt;</registeredResource.name>\n" in flat
    assert parse(head + flat + tail) == DOCUMENT


def test_trap_06_voltages_have_their_unit_as_attribute_and_power_has_it_as_element() -> None:
    written = render(DOCUMENT)

    assert written.count(b'unit="KVT"') == 1
    assert written.count(b"KWT") == 1


def test_an_unknown_voltage_is_written_and_read_as_0() -> None:
    assert b'unit="KVT">0<' in render(with_series(voltage="0"))
    assert parse(render(with_series(voltage="0"))).series[0].voltage == "0"


def test_a_point_has_no_capability_and_thus_no_unit() -> None:
    point = with_series(psr_type="A11", max_production=None, max_consumption=None)

    assert b"active_Measurement_Unit" not in render(point)
    assert parse(render(point)) == point


@pytest.mark.parametrize(
    ("found", "wrong", "codes"),
    [
        (b">120.5<", b">120.0005<", ["A42"]),
        (b">120.5<", b">-1<", ["A42"]),
        (b">KWT<", b">KWH<", ["A59", "A59"]),
        (b"    <active_Measurement_Unit.name>KWT</active_Measurement_Unit.name>\n", b"", ["A59", "A59"]),
    ],
)
def test_r3_a_rating_that_cannot_be_read_is_a_fault_of_its_series(found: bytes, wrong: bytes, codes: list[str]) -> None:
    (series,) = parse(GOLDEN.replace(found, wrong)).series

    assert [fault.code for fault in series.faults] == codes
    assert series.resource == SERIES.resource
    assert series.max_consumption is None


def test_ratings_are_unsigned_when_written() -> None:
    with pytest.raises(QuantityError):
        render(with_series(max_production=-1))


def test_trap_14_a_wrong_check_character_is_tolerated_when_read() -> None:
    read = parse(GOLDEN.replace(b"571313100000000027", b"571313100000000028"))

    assert read.series[0].resource == "A10:571313100000000028"


def test_trap_04_a_lifetime_date_with_a_zone_is_that_date() -> None:
    assert parse(GOLDEN.replace(b">2026-05-04<", b">2026-05-04+02:00<")) == DOCUMENT


@pytest.mark.parametrize("wrong", [b">2026-05-4<", b">2026-02-30<", b"><"])
def test_a_lifetime_date_that_is_none_is_refused(wrong: bytes) -> None:
    with pytest.raises(SchemaInvalid, match=r"startLifetime_DateAndOrTime\.date"):
        parse(GOLDEN.replace(b">2026-05-04</start", wrong + b"/start"))


@pytest.mark.parametrize(("value", "cancelled"), [(b"A01", True), (b"A02", False)])
def test_only_a_yes_cancels(value: bytes, cancelled: bool) -> None:
    written = GOLDEN.replace(b"<cancelledTS>A01", b"<cancelledTS>" + value)

    assert parse(written).series[0].cancelled is cancelled
