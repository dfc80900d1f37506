"""Assets and connection points: Ref documents of AGRs, BRPs and DSOs (mapping 1 and 2; R4, R9)."""

from collections.abc import Iterable
from typing import Final

from documents.codes import (
    AGR_ROLES,
    ASSET_TYPES,
    BRP_ROLES,
    DSO_ROLES,
    POINT_TYPES,
    DocumentType,
    ProcessType,
    PsrType,
    ReasonCode,
)
from documents.model import Fault, RefMarketDocument, RefSeries
from hub import commands
from hub.commands import Command, Origin
from hub.intake.findings import expect, fault, sender_role
from hub.values import Capability

REGISTERING: Final = frozenset({ProcessType.CREATION, ProcessType.MODIFICATION, ProcessType.DEACTIVATION})


def registration(document: RefMarketDocument, origin: Origin) -> Command:
    """Read a registration. Raises Refused."""
    expect(document.type, {DocumentType.CONFIGURATION}, ReasonCode.NOT_COMPLIANT, "type")
    expect(document.process, REGISTERING, ReasonCode.PROCESS_TYPE_INVALID, "process")
    role = sender_role(document, DSO_ROLES | AGR_ROLES | BRP_ROLES)
    removes = document.process == ProcessType.DEACTIVATION
    if role in DSO_ROLES:
        points = tuple(_point(series, remove=removes or series.cancelled) for series in document.series)
        return commands.RegisterPoints(origin=origin, items=points)
    assets = tuple(_asset(series, remove=removes or series.cancelled) for series in document.series)
    return commands.RegisterResources(origin=origin, items=assets)


def _point(series: RefSeries, *, remove: bool) -> commands.PointItem:
    return commands.PointItem(
        point=series.resource,
        owner=series.owner,
        psr_type=series.psr_type,
        voltage=series.voltage,
        remove=remove,
        faults=(*series.faults, *_psr_faults(series, POINT_TYPES, "A11 for a connection point")),
    )


def _asset(series: RefSeries, *, remove: bool) -> commands.ResourceItem:
    faults = [*series.faults, *_psr_faults(series, ASSET_TYPES, "A03, A04 or A05 for an asset")]
    if not remove and len(series.specific) != 1:
        found = f"The asset names {len(series.specific)} connection points"
        faults.append(fault(ReasonCode.MANDATORY_MISSING, f"{found}. Name exactly one as Specific_RegisteredResource"))
    if not remove:
        faults.extend(_capability_faults(series))
    return commands.ResourceItem(
        resource=series.resource,
        point=series.specific[0] if len(series.specific) == 1 else None,
        owner=series.owner,
        capability=Capability(series.max_production or 0, series.max_consumption or 0),
        psr_type=series.psr_type,
        voltage=series.voltage,
        remove=remove,
        faults=tuple(faults),
    )


def _psr_faults(series: RefSeries, expected: frozenset[PsrType], mend: str) -> Iterable[Fault]:
    if series.psr_type not in expected:
        yield fault(ReasonCode.NOT_COMPLIANT, f"The resource type is {series.psr_type}. Give {mend}")


def _capability_faults(series: RefSeries) -> Iterable[Fault]:
    """The type of an asset says which way it can go; its installed quantities must agree (R9)."""
    if series.psr_type == PsrType.PRODUCES and series.max_consumption:
        yield fault(ReasonCode.NOT_COMPLIANT, "A04 only produces, but has consumption. Give A03 for both ways")
    if series.psr_type == PsrType.CONSUMES and series.max_production:
        yield fault(ReasonCode.NOT_COMPLIANT, "A05 only consumes, but has generation. Give A03 for both ways")
