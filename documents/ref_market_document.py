"""Ref_MarketDocument and its successor OutageConfiguration, configuration of resources and points (451-N; F4, F5).

Version 1:0 has the resource flat (`registeredResource.name`), later ones nest it; both are read, nested is written.
"""

from collections.abc import Iterable

from lxml.etree import _Element as Element

from documents.codes import Indicator, ReasonCode
from documents.elements import Fields
from documents.errors import QuantityError
from documents.header import read_party, read_wrapped_ids, write_party, write_wrapped_ids
from documents.lines import Lines, second
from documents.model import Fault, RefMarketDocument, RefSeries
from documents.power import DIGITS_AFTER_POINT, kilowatts, watts
from documents.values import Power
from documents.versions import Version

_GENERATION = "installedGeneration_Quantity.quantity"
_CONSUMPTION = "installedConsumption_Quantity.quantity"
_UNIT = "active_Measurement_Unit.name"


def parse(root: Element, version: Version) -> RefMarketDocument:
    """Read the document; what is wrong in a series stands in its faults. The layout shows itself, whatever the version.

    Raises:
        SchemaInvalid: it lacks what every document of this kind has.
    """
    header = Fields(root)
    return RefMarketDocument(
        mrid=header.text("mRID"),
        type=header.text("type"),
        process=header.text("process.processType"),
        sender=read_party(header, "sender"),
        receiver=read_party(header, "receiver"),
        created=header.instant("createdDateTime"),
        series=tuple(_read_series(series) for series in header.all("TimeSeries")),
    )


def render(document: RefMarketDocument, version: Version) -> bytes:
    """Write the document in a version with nested resources (1:1 and later).

    Raises:
        ValueError: something in it cannot be written.
    """
    lines = Lines(version)
    lines.text("mRID", document.mrid)
    lines.text("type", document.type)
    lines.text("process.processType", document.process)
    write_party(lines, "sender", document.sender)
    write_party(lines, "receiver", document.receiver)
    lines.text("createdDateTime", second(document.created))
    for series in document.series:
        with lines.element("TimeSeries"):
            _write_series(lines, series)
    return lines.finish()


def _read_series(fields: Fields) -> RefSeries:
    nested = "RegisteredResource" in fields
    resource, prefix = (fields.one("RegisteredResource"), "") if nested else (fields, "registeredResource.")
    (max_production, max_consumption), faults = _read_capability(fields)
    return RefSeries(
        resource=resource.identifier(f"{prefix}mRID"),
        name=resource.text(f"{prefix}name"),
        location=resource.text_or_none(f"{prefix}location.name"),
        psr_type=resource.text(f"{prefix}pSRType.psrType"),
        voltage=resource.text(f"{prefix}pSRType.powerSystemResources.highVoltageLimit"),
        cancelled=fields.text_or_none("cancelledTS") == Indicator.YES,
        description=fields.text_or_none("description"),
        owner=fields.identifier("owner_MarketParticipant.mRID"),
        start_lifetime=fields.day("startLifetime_DateAndOrTime.date"),
        end_lifetime=fields.day("endLifetime_DateAndOrTime.date")
        if "endLifetime_DateAndOrTime.date" in fields
        else None,
        max_production=max_production,
        max_consumption=max_consumption,
        domains=read_wrapped_ids(fields, "Domain"),
        coordination=read_wrapped_ids(fields, "Coordination_MarketParticipant"),
        specific=read_wrapped_ids(fields, "Specific_RegisteredResource"),
        faults=tuple(faults),
    )


def _read_capability(fields: Fields) -> tuple[list[Power | None], list[Fault]]:
    """Installed generation and consumption in watts, unsigned, and what is wrong with them."""
    unit, faults = fields.text_or_none(_UNIT), list[Fault]()
    installed: list[Power | None] = []
    for name in (_GENERATION, _CONSUMPTION):
        text, power = fields.text_or_none(name), None
        if text is not None and unit in DIGITS_AFTER_POINT:
            try:
                power = _unsigned(watts(text, unit))
            except QuantityError as error:
                faults.append(Fault(ReasonCode.QUANTITY_INCONSISTENT.value, f"{name.partition('_')[0]}: {error}"))
        elif text is not None:
            found = f"Unit {unit} is no unit of power" if unit else f"{_UNIT} is missing"
            faults.append(Fault(ReasonCode.NOT_COMPLIANT.value, f"{found}. Give KWT, MAW, WTT or A90"))
        installed.append(power)
    return installed, faults


def _unsigned(power: Power) -> Power:
    if power < 0:
        raise QuantityError(f"{power} W is negative. Give the size of the power")
    return power


def _write_series(lines: Lines, series: RefSeries) -> None:
    with lines.element("RegisteredResource"):
        lines.identifier("mRID", series.resource)
        lines.text("name", series.name)
        lines.text("location.name", series.location)
        lines.text("pSRType.psrType", series.psr_type)
        lines.text("pSRType.powerSystemResources.highVoltageLimit", series.voltage, attribute=' unit="KVT"')
    lines.text("cancelledTS", Indicator.YES if series.cancelled else None)
    lines.text("description", series.description)
    lines.identifier("owner_MarketParticipant.mRID", series.owner)
    lines.text("startLifetime_DateAndOrTime.date", series.start_lifetime.isoformat())
    lines.text("endLifetime_DateAndOrTime.date", series.end_lifetime.isoformat() if series.end_lifetime else None)
    _write_capability(lines, ((_GENERATION, series.max_production), (_CONSUMPTION, series.max_consumption)))
    write_wrapped_ids(lines, "Domain", series.domains)
    write_wrapped_ids(lines, "Coordination_MarketParticipant", series.coordination)
    write_wrapped_ids(lines, "Specific_RegisteredResource", series.specific)


def _write_capability(lines: Lines, installed: Iterable[tuple[str, Power | None]]) -> None:
    known = [(name, power) for name, power in installed if power is not None]
    if known:
        lines.text(_UNIT, "KWT")
    for name, power in known:
        lines.text(name, kilowatts(_unsigned(power)))
