"""Notices of missing documents in XML."""

from datetime import UTC, datetime, timedelta

import pytest

from documents.model import Party, ProblemStatementMarketDocument
from documents.values import Identifier, Interval, Reason
from tests.documents_by_family import parse, render

CREATED = datetime(2026, 5, 4, 8, tzinfo=UTC)
DOCUMENT = ProblemStatementMarketDocument(
    mrid="d1",
    revision=1,
    type="A53",
    sender=Party(Identifier("A10:5790000000005"), "A50"),
    receiver=Party(Identifier("A01:45X-TPS-HUB-DEM8"), "A32"),
    created=CREATED,
    interval=Interval(CREATED, CREATED + timedelta(days=1)),
    expected_type="A67",
    expected_created=CREATED - timedelta(hours=1),
    reasons=(Reason("A52", "No schedules yet"),),
)


@pytest.mark.parametrize("number", ["3:0", "3:1", "3:2"])
def test_every_version_is_read_alike(number: str) -> None:
    assert parse(render(DOCUMENT, number)) == DOCUMENT


def test_optional_elements_between_are_passed_over() -> None:
    after = b"</expected_MarketDocument.createdDateTime>\n"
    extra = b"<expected_MarketDocument.process.processType>A01</expected_MarketDocument.process.processType>\n"

    written = render(DOCUMENT, "3:2")

    assert parse(written.replace(after, after + extra)) == DOCUMENT
