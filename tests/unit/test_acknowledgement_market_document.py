"""Answers in XML (R3, R26)."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from documents.errors import SchemaInvalid
from documents.model import AcknowledgementMarketDocument, InErrorPeriod, Party, ReceivedDocument, RejectedSeries
from documents.values import Identifier, Interval, Reason
from tests.documents_by_family import parse, render

CREATED = datetime(2026, 5, 4, 8, tzinfo=UTC)
SPAN = Interval(CREATED, CREATED + timedelta(hours=1))
DOCUMENT = AcknowledgementMarketDocument(
    mrid="c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2",
    created=CREATED,
    sender=Party(Identifier("A01:45X-TPS-HUB-DEM8"), "A32"),
    receiver=Party(Identifier("A01:45X-AGR-ONE-DEMO"), "A27"),
    received=ReceivedDocument(mrid="b1", revision=2, type="A67", process="A01", title="m-1", created=CREATED),
    rejected=(
        RejectedSeries(
            mrid="x" * 60,
            version="1",
            in_error=(InErrorPeriod(SPAN, (Reason("A42", "above 4500 kW"),)),),
            reasons=(Reason("A20"),),
        ),
    ),
    reasons=(Reason("A03"),),
    in_error=(InErrorPeriod(SPAN, (Reason("A04"),)),),
)
GOLDEN = (
    b"""\
<?xml version="1.0" encoding="UTF-8"?>
<Acknowledgement_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:8:1">
  <mRID>c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2</mRID>
  <createdDateTime>2026-05-04T08:00:00Z</createdDateTime>
  <sender_MarketParticipant.mRID codingScheme="A01">45X-TPS-HUB-DEM8</sender_MarketParticipant.mRID>
  <sender_MarketParticipant.marketRole.type>A32</sender_MarketParticipant.marketRole.type>
  <receiver_MarketParticipant.mRID codingScheme="A01">45X-AGR-ONE-DEMO</receiver_MarketParticipant.mRID>
  <receiver_MarketParticipant.marketRole.type>A27</receiver_MarketParticipant.marketRole.type>
  <received_MarketDocument.mRID>b1</received_MarketDocument.mRID>
  <received_MarketDocument.revisionNumber>2</received_MarketDocument.revisionNumber>
  <received_MarketDocument.type>A67</received_MarketDocument.type>
  <received_MarketDocument.process.processType>A01</received_MarketDocument.process.processType>
  <received_MarketDocument.title>m-1</received_MarketDocument.title>
  <received_MarketDocument.createdDateTime>2026-05-04T08:00:00Z</received_MarketDocument.createdDateTime>
  <Rejected_TimeSeries>
    <mRID>"""
    + b"x" * 60
    + b"""</mRID>
    <version>1</version>
    <InError_Period>
      <timeInterval>
        <start>2026-05-04T08:00Z</start>
        <end>2026-05-04T09:00Z</end>
      </timeInterval>
      <Reason>
        <code>A42</code>
        <text>above 4500 kW</text>
      </Reason>
    </InError_Period>
    <Reason>
      <code>A20</code>
    </Reason>
  </Rejected_TimeSeries>
  <Reason>
    <code>A03</code>
  </Reason>
  <InError_Period>
    <timeInterval>
      <start>2026-05-04T08:00Z</start>
      <end>2026-05-04T09:00Z</end>
    </timeInterval>
    <Reason>
      <code>A04</code>
    </Reason>
  </InError_Period>
</Acknowledgement_MarketDocument>
"""
)


def test_trap_01_errors_stand_before_the_reasons_of_a_series_and_after_those_of_the_document() -> None:
    assert render(DOCUMENT) == GOLDEN
    assert parse(GOLDEN) == DOCUMENT


def test_trap_26_a_refused_resource_is_named_by_its_whole_code_of_60_characters() -> None:
    assert parse(GOLDEN).rejected[0].mrid == "x" * 60


def test_trap_27_the_answer_to_an_unreadable_document_names_the_transport_message_only() -> None:
    unreadable = msgspec.structs.replace(
        DOCUMENT,
        received=ReceivedDocument(title="m-1"),
        rejected=(),
        in_error=(),
        reasons=(Reason("A02"), Reason("A94")),
    )
    written = render(unreadable)

    assert [line for line in written.splitlines() if b"received_" in line] == [
        b"  <received_MarketDocument.title>m-1</received_MarketDocument.title>"
    ]
    assert parse(written) == unreadable


@pytest.mark.parametrize("number", ["7:0", "8:0", "8:1"])
def test_every_version_is_read_alike(number: str) -> None:
    assert parse(render(DOCUMENT, number)) == DOCUMENT


def test_a_receiver_without_role_is_read() -> None:
    role = b"  <receiver_MarketParticipant.marketRole.type>A27</receiver_MarketParticipant.marketRole.type>\n"

    assert parse(GOLDEN.replace(role, b"")).receiver == Party(Identifier("A01:45X-AGR-ONE-DEMO"), None)


@pytest.mark.parametrize("element", [b"code", b"start", b"timeInterval"])
def test_an_incomplete_answer_is_refused(element: bytes) -> None:
    with pytest.raises(SchemaInvalid, match=f"{element.decode()} is missing"):
        parse(GOLDEN.replace(b"<" + element + b">", b"<other>").replace(b"</" + element + b">", b"</other>"))
