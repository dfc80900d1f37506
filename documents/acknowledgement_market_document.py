"""Acknowledgement_MarketDocument (451-1): accepted, refused, refused in part, or nothing found.

InError_Period stands after the reasons in the header but before them in a refused series (trap 1).
"""

from collections.abc import Iterable

from lxml.etree import _Element as Element

from documents.elements import Fields
from documents.header import read_party, read_reasons, write_party, write_reasons
from documents.lines import Lines, second
from documents.model import AcknowledgementMarketDocument, InErrorPeriod, ReceivedDocument, RejectedSeries
from documents.versions import Version

_RECEIVED = "received_MarketDocument"


def parse(root: Element, version: Version) -> AcknowledgementMarketDocument:
    """Read the document; versions differ in lengths and in one optional element.

    Raises:
        SchemaInvalid: it lacks what every document of this kind has.
    """
    header = Fields(root)
    return AcknowledgementMarketDocument(
        mrid=header.text("mRID"),
        created=header.instant("createdDateTime"),
        sender=read_party(header, "sender"),
        receiver=read_party(header, "receiver"),
        received=_read_received(header),
        rejected=tuple(_read_rejected(series) for series in header.all("Rejected_TimeSeries")),
        reasons=read_reasons(header),
        in_error=_read_in_error(header),
    )


def render(document: AcknowledgementMarketDocument, version: Version) -> bytes:
    """Write the document.

    Raises:
        ValueError: something in it cannot be written, e.g. an instant inside a minute.
    """
    lines = Lines(version)
    lines.text("mRID", document.mrid)
    lines.text("createdDateTime", second(document.created))
    write_party(lines, "sender", document.sender)
    write_party(lines, "receiver", document.receiver)
    _write_received(lines, document.received)
    for series in document.rejected:
        with lines.element("Rejected_TimeSeries"):
            lines.text("mRID", series.mrid)
            lines.text("version", series.version)
            _write_in_error(lines, series.in_error)
            write_reasons(lines, series.reasons)
    write_reasons(lines, document.reasons)
    _write_in_error(lines, document.in_error)
    return lines.finish()


def _read_received(header: Fields) -> ReceivedDocument:
    revision, created = f"{_RECEIVED}.revisionNumber", f"{_RECEIVED}.createdDateTime"
    return ReceivedDocument(
        mrid=header.text_or_none(f"{_RECEIVED}.mRID"),
        revision=header.number(revision) if revision in header else None,
        type=header.text_or_none(f"{_RECEIVED}.type"),
        process=header.text_or_none(f"{_RECEIVED}.process.processType"),
        title=header.text_or_none(f"{_RECEIVED}.title"),
        created=header.instant(created) if created in header else None,
    )


def _write_received(lines: Lines, received: ReceivedDocument) -> None:
    lines.text(f"{_RECEIVED}.mRID", received.mrid)
    lines.text(f"{_RECEIVED}.revisionNumber", None if received.revision is None else str(received.revision))
    lines.text(f"{_RECEIVED}.type", received.type)
    lines.text(f"{_RECEIVED}.process.processType", received.process)
    lines.text(f"{_RECEIVED}.title", received.title)
    lines.text(f"{_RECEIVED}.createdDateTime", second(received.created) if received.created else None)


def _read_rejected(fields: Fields) -> RejectedSeries:
    return RejectedSeries(
        mrid=fields.text("mRID"),
        version=fields.text_or_none("version"),
        in_error=_read_in_error(fields),
        reasons=read_reasons(fields),
    )


def _read_in_error(parent: Fields) -> tuple[InErrorPeriod, ...]:
    return tuple(
        InErrorPeriod(period.interval("timeInterval"), read_reasons(period)) for period in parent.all("InError_Period")
    )


def _write_in_error(lines: Lines, periods: Iterable[InErrorPeriod]) -> None:
    for period in periods:
        with lines.element("InError_Period"):
            lines.interval("timeInterval", period.interval)
            write_reasons(lines, period.reasons)
