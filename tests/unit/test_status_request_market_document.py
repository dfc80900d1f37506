"""Questions in XML (F5, F9)."""

from datetime import UTC, datetime

import pytest

from documents.errors import SchemaInvalid
from documents.model import Attribute, Party, StatusRequestMarketDocument
from documents.values import Identifier
from tests.documents_by_family import parse, render

DOCUMENT = StatusRequestMarketDocument(
    mrid="a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4",
    sender=Party(Identifier("A10:5790000000005"), "A50"),
    receiver=Party(Identifier("A01:45X-TPS-HUB-DEM8"), "A32"),
    created=datetime(2026, 5, 4, 8, tzinfo=UTC),
    attributes=(Attribute("DocumentType", "A95"), Attribute("RegisteredResource", "571313199000000021", "A10")),
)
GOLDEN = b"""\
<?xml version="1.0" encoding="UTF-8"?>
<StatusRequest_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-5:statusrequestdocument:4:0">
  <mRID>a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4</mRID>
  <type>A59</type>
  <sender_MarketParticipant.mRID codingScheme="A10">5790000000005</sender_MarketParticipant.mRID>
  <sender_MarketParticipant.marketRole.type>A50</sender_MarketParticipant.marketRole.type>
  <receiver_MarketParticipant.mRID codingScheme="A01">45X-TPS-HUB-DEM8</receiver_MarketParticipant.mRID>
  <receiver_MarketParticipant.marketRole.type>A32</receiver_MarketParticipant.marketRole.type>
  <createdDateTime>2026-05-04T08:00:00Z</createdDateTime>
  <AttributeInstanceComponent>
    <attribute>DocumentType</attribute>
    <attributeValue>A95</attributeValue>
  </AttributeInstanceComponent>
  <AttributeInstanceComponent>
    <attribute>RegisteredResource</attribute>
    <attributeValue codingScheme="A10">571313199000000021</attributeValue>
  </AttributeInstanceComponent>
</StatusRequest_MarketDocument>
"""


def test_trap_01_a_question_is_written_in_the_order_of_its_profile() -> None:
    assert render(DOCUMENT) == GOLDEN
    assert parse(GOLDEN) == DOCUMENT


def test_both_versions_are_read_alike() -> None:
    assert parse(render(DOCUMENT, "4:1")) == DOCUMENT


def test_an_attribute_without_value_is_refused() -> None:
    with pytest.raises(SchemaInvalid, match="attributeValue is missing"):
        parse(GOLDEN.replace(b"    <attributeValue>A95</attributeValue>\n", b""))
