"""ProblemStatement_MarketDocument (451-5): somebody misses a document they expected. Read, never acted upon."""

from lxml.etree import _Element as Element

from documents.elements import Fields
from documents.header import read_party, read_reasons, write_party, write_reasons
from documents.lines import Lines, second
from documents.model import ProblemStatementMarketDocument
from documents.versions import Version


def parse(root: Element, version: Version) -> ProblemStatementMarketDocument:
    """Read the document; versions differ in lengths and in optional elements that are not read.

    Raises:
        SchemaInvalid: it lacks what every document of this kind has.
    """
    header = Fields(root)
    return ProblemStatementMarketDocument(
        mrid=header.text("mRID"),
        revision=header.number("revisionNumber"),
        type=header.text("type"),
        sender=read_party(header, "sender"),
        receiver=read_party(header, "receiver"),
        created=header.instant("createdDateTime"),
        interval=header.interval("period.timeInterval"),
        expected_type=header.text("expected_MarketDocument.type"),
        expected_created=header.instant("expected_MarketDocument.createdDateTime"),
        reasons=read_reasons(header),
    )


def render(document: ProblemStatementMarketDocument, version: Version) -> bytes:
    """Write the document.

    Raises:
        ValueError: something in it cannot be written, e.g. an instant inside a minute.
    """
    lines = Lines(version)
    lines.text("mRID", document.mrid)
    lines.text("revisionNumber", str(document.revision))
    lines.text("type", document.type)
    write_party(lines, "sender", document.sender)
    write_party(lines, "receiver", document.receiver)
    lines.text("createdDateTime", second(document.created))
    lines.interval("period.timeInterval", document.interval)
    lines.text("expected_MarketDocument.type", document.expected_type)
    lines.text("expected_MarketDocument.createdDateTime", second(document.expected_created))
    write_reasons(lines, document.reasons)
    return lines.finish()
