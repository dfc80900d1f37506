"""GL_MarketDocument, generation and load (451-6): operational schedules, + feeds the grid, - draws from it (F8, F9)."""

from typing import Final

from lxml.etree import _Element as Element

from documents.codes import BusinessType, Indicator
from documents.elements import Fields
from documents.header import read_party, write_party
from documents.lines import Lines, second
from documents.model import GlMarketDocument, GlSeries
from documents.time_series import Curve, Sign, outside, read_periods, write_periods
from documents.values import Interval
from documents.versions import Version

_SIGNS: Final = {
    BusinessType.NET_PRODUCTION_CONSUMPTION.value: Sign.SIGNED,
    BusinessType.CONSUMPTION.value: Sign.NEGATED,
}
"""Only A07 carries signs; consumption is negated so that all schedules add up (trap 18)."""


def parse(root: Element, version: Version) -> GlMarketDocument:
    """Read the document; what is wrong in a series stands in its faults.

    Raises:
        SchemaInvalid: it lacks what every document of this kind has.
    """
    header = Fields(root)
    interval = header.interval("time_Period.timeInterval")
    return GlMarketDocument(
        mrid=header.text("mRID"),
        revision=header.number("revisionNumber"),
        type=header.text("type"),
        process=header.text("process.processType"),
        sender=read_party(header, "sender"),
        receiver=read_party(header, "receiver"),
        created=header.instant("createdDateTime"),
        interval=interval,
        series=tuple(_read_series(series, version, interval) for series in header.all("TimeSeries")),
    )


def render(document: GlMarketDocument, version: Version) -> bytes:
    """Write the document. Cancelled series carry no Period.

    Raises:
        ValueError: something in it cannot be written, e.g. an instant inside a minute.
    """
    lines = Lines(version)
    lines.text("mRID", document.mrid)
    lines.text("revisionNumber", str(document.revision))
    lines.text("type", document.type)
    lines.text("process.processType", document.process)
    write_party(lines, "sender", document.sender)
    write_party(lines, "receiver", document.receiver)
    lines.text("createdDateTime", second(document.created))
    lines.interval("time_Period.timeInterval", document.interval)
    for series in document.series:
        with lines.element("TimeSeries"):
            _write_series(lines, series)
    return lines.finish()


def _read_series(fields: Fields, version: Version, bounds: Interval) -> GlSeries:
    business_type, curve = fields.text("businessType"), fields.text("curveType")
    cancelled = fields.text_or_none("cancelledTS") == Indicator.YES
    sign = _SIGNS.get(business_type, Sign.POSITIVE)
    written = () if cancelled else fields.all("Period", before="Point")
    periods, faults = read_periods(written, Curve(fields.text(version.unit_element), curve, sign))
    return GlSeries(
        mrid=fields.text("mRID"),
        business_type=business_type,
        aggregation=fields.text("objectAggregation"),
        in_domain=fields.identifier_or_none("inBiddingZone_Domain.mRID"),
        out_domain=fields.identifier_or_none("outBiddingZone_Domain.mRID"),
        resource=fields.identifier_or_none("registeredResource.mRID"),
        name=fields.text_or_none("registeredResource.name"),
        curve=curve,
        cancelled=cancelled,
        periods=periods,
        faults=(*faults, *outside((period.interval for period in periods), bounds, "document")),
    )


def _write_series(lines: Lines, series: GlSeries) -> None:
    lines.text("mRID", series.mrid)
    lines.text("businessType", series.business_type)
    lines.text("objectAggregation", series.aggregation)
    lines.identifier("inBiddingZone_Domain.mRID", series.in_domain)
    lines.identifier("outBiddingZone_Domain.mRID", series.out_domain)
    lines.identifier("registeredResource.mRID", series.resource)
    lines.text("registeredResource.name", series.name)
    lines.text(lines.version.unit_element, "KWT")
    lines.text("curveType", series.curve)
    if series.cancelled:
        lines.text("cancelledTS", Indicator.YES)
        return
    sign = _SIGNS.get(series.business_type, Sign.POSITIVE)
    write_periods(lines, "Period", series.periods, curve=series.curve, sign=sign)
