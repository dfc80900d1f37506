"""Unavailability_MarketDocument, outage publication (451-6): foreseen and unforeseen capacity limits (F6, F7).

The quantity is the power that stays available, not what is lost (trap 19); several assets in one series share it.
"""

from lxml.etree import _Element as Element

from documents.codes import ReasonCode
from documents.elements import Fields
from documents.header import read_party, read_reasons, write_party, write_reasons
from documents.lines import Lines, second
from documents.model import AssetReference, Fault, UnavailabilityMarketDocument, UnavailabilitySeries
from documents.time_series import Curve, Sign, outside, read_periods, write_periods
from documents.values import Instant, Interval
from documents.versions import Version


def parse(root: Element, version: Version) -> UnavailabilityMarketDocument:
    """Read the document; what is wrong in a series stands in its faults.

    Raises:
        SchemaInvalid: it lacks what every document of this kind has.
    """
    header = Fields(root)
    interval = header.interval("unavailability_Time_Period.timeInterval")
    return UnavailabilityMarketDocument(
        mrid=header.text("mRID"),
        revision=header.number("revisionNumber"),
        type=header.text("type"),
        process=header.text("process.processType"),
        created=header.instant("createdDateTime"),
        sender=read_party(header, "sender"),
        receiver=read_party(header, "receiver"),
        interval=interval,
        status=header.one("docStatus").text("value") if "docStatus" in header else None,
        series=tuple(_read_series(series, version, interval) for series in header.all("TimeSeries")),
        reasons=read_reasons(header),
    )


def render(document: UnavailabilityMarketDocument, version: Version) -> bytes:
    """Write the document.

    Raises:
        ValueError: something in it cannot be written, e.g. a negative capacity or an instant inside a minute.
    """
    lines = Lines(version)
    lines.text("mRID", document.mrid)
    lines.text("revisionNumber", str(document.revision))
    lines.text("type", document.type)
    lines.text("process.processType", document.process)
    lines.text("createdDateTime", second(document.created))
    write_party(lines, "sender", document.sender)
    write_party(lines, "receiver", document.receiver)
    lines.interval("unavailability_Time_Period.timeInterval", document.interval)
    if document.status is not None:
        with lines.element("docStatus"):
            lines.text("value", document.status)
    for series in document.series:
        with lines.element("TimeSeries"):
            _write_series(lines, series)
    write_reasons(lines, document.reasons)
    return lines.finish()


def _read_series(fields: Fields, version: Version, bounds: Interval) -> UnavailabilitySeries:
    curve = fields.text("curveType")
    interval = Interval(fields.date_and_time("start"), fields.date_and_time("end"))
    periods, faults = read_periods(
        fields.all("Available_Period", before="Point"), Curve(fields.text(version.unit_element), curve, Sign.POSITIVE)
    )
    return UnavailabilitySeries(
        mrid=fields.text("mRID"),
        business_type=fields.text("businessType"),
        interval=interval,
        curve=curve,
        assets=tuple(_read_asset(asset) for asset in fields.all("Asset_RegisteredResource")),
        periods=periods,
        reasons=read_reasons(fields),
        faults=(
            *_interval_faults(interval, bounds),
            *faults,
            *outside((period.interval for period in periods), interval, "series"),
        ),
    )


def _interval_faults(interval: Interval, bounds: Interval) -> tuple[Fault, ...]:
    if interval.end <= interval.start:
        return (
            Fault(ReasonCode.TIME_INTERVAL_INCORRECT.value, "The series ends before or at its start. Let it end later"),
        )
    return tuple(outside((interval,), bounds, "document"))


def _read_asset(fields: Fields) -> AssetReference:
    return AssetReference(
        fields.identifier("mRID"), fields.text_or_none("asset_PSRType.psrType"), fields.text_or_none("name")
    )


def _write_series(lines: Lines, series: UnavailabilitySeries) -> None:
    lines.text("mRID", series.mrid)
    lines.text("businessType", series.business_type)
    _write_date_and_time(lines, "start", series.interval.start)
    _write_date_and_time(lines, "end", series.interval.end)
    lines.text(lines.version.unit_element, "KWT")
    lines.text("curveType", series.curve)
    for asset in series.assets:
        with lines.element("Asset_RegisteredResource"):
            lines.identifier("mRID", asset.resource)
            lines.text("name", asset.name)
            lines.text("asset_PSRType.psrType", asset.psr_type)
    write_periods(lines, "Available_Period", series.periods, curve=series.curve, sign=Sign.POSITIVE)
    write_reasons(lines, series.reasons)


def _write_date_and_time(lines: Lines, name: str, instant: Instant) -> None:
    day, clock = second(instant).split("T")
    lines.text(f"{name}_DateAndOrTime.date", day)
    lines.text(f"{name}_DateAndOrTime.time", clock)
