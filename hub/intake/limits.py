"""Foreseen and unforeseen limits, their updates and cancels (mapping 5, 7, 8 and 9; R14, R15)."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from documents.codes import (
    CANCELLING,
    DSO_ROLES,
    BusinessType,
    DocumentType,
    ProcessType,
    ReasonCode,
    Status,
    action_of,
)
from documents.curves import align
from documents.model import Fault, UnavailabilityMarketDocument, UnavailabilitySeries
from documents.values import Interval
from hub import commands
from hub.commands import Command, Origin
from hub.intake.findings import Refused, expect, fault, sender_role
from hub.mades.message import BusinessType as Carried
from hub.values import Action, Direction, LimitKind

DIRECTIONS: Final = {
    DocumentType.OUTAGE.value: Direction.BOTH,
    DocumentType.GENERATION_UNAVAILABILITY.value: Direction.PRODUCTION,
    DocumentType.LOAD_UNAVAILABILITY.value: Direction.CONSUMPTION,
}
KINDS: Final = {
    BusinessType.PLANNED_MAINTENANCE.value: LimitKind.FORESEEN,
    BusinessType.UNPLANNED_OUTAGE.value: LimitKind.UNFORESEEN,
}
CARRIED_LIMITS: Final = {LimitKind.FORESEEN: Carried.FORESEEN, LimitKind.UNFORESEEN: Carried.UNFORESEEN}
_MINUTE: Final = timedelta(minutes=1)


def carried_limit(document: UnavailabilityMarketDocument) -> tuple[str, ...]:
    """The business types a limit may travel under: that of its series, either one when there is none to tell (R27)."""
    kinds = {KINDS[series.business_type] for series in document.series if series.business_type in KINDS}
    return tuple(CARRIED_LIMITS[kind] for kind in kinds or KINDS.values())


def limit(document: UnavailabilityMarketDocument, origin: Origin) -> Command:
    """Read a limit, its update or cancel. Raises Refused."""
    sender_role(document, DSO_ROLES)
    expect(document.process, {ProcessType.OUTAGE_INFORMATION}, ReasonCode.PROCESS_TYPE_INVALID, "process")
    expect(document.type, frozenset(DIRECTIONS), ReasonCode.NOT_COMPLIANT, "type")
    kind = _limit_kind(document)
    if document.status in CANCELLING:
        return commands.CancelLimit(origin=origin, kind=kind)
    expect(document.status, {None, Status.ACTIVE}, ReasonCode.NOT_COMPLIANT, "docStatus")
    direction = DIRECTIONS[document.type]
    if kind is LimitKind.FORESEEN:
        foreseen = tuple(_foreseen(series) for series in document.series)
        return commands.AnnounceLimit(
            origin=origin,
            direction=direction,
            interval=document.interval,
            series=foreseen,
            reasons=document.reasons,
        )
    if kind is LimitKind.UNFORESEEN:
        unforeseen = tuple(_unforeseen(series, document.interval) for series in document.series)
        return commands.OrderLimit(
            origin=origin,
            direction=direction,
            interval=document.interval,
            series=unforeseen,
            reasons=document.reasons,
        )
    raise Refused(ReasonCode.MANDATORY_MISSING, "The document has no TimeSeries. Give the assets it concerns")


def _limit_kind(document: UnavailabilityMarketDocument) -> LimitKind | None:
    """Foreseen or unforeseen by the series, None without any; a mix is refused (trap 21)."""
    found = {series.business_type for series in document.series}
    if len(found) > 1 or not found <= KINDS.keys():
        raise Refused(
            ReasonCode.BUSINESS_TYPE_INVALID,
            f"The series are of {', '.join(sorted(found))}. Give A53 (foreseen) or A54 (unforeseen) in all of them",
        )
    return KINDS[found.pop()] if found else None


def _foreseen(series: UnavailabilitySeries) -> commands.ForeseenSeries:
    faults = [*series.faults, *_asset_faults(series)]
    if not series.periods and not series.faults:
        faults.append(fault(ReasonCode.MANDATORY_MISSING, "The series has no Available_Period. Give one or more"))
    return commands.ForeseenSeries(
        series=series.mrid,
        assets=tuple(asset.resource for asset in series.assets),
        periods=series.periods,
        faults=tuple(faults),
    )


def _unforeseen(series: UnavailabilitySeries, whole: Interval) -> commands.UnforeseenSeries:
    action, faults = action_of(series), [*series.faults, *_asset_faults(series)]
    if action is None:
        text = "The series asks for no action. Give one Reason A95 with the text ACTION=START, =STOP or =HOLD"
        faults.append(fault(ReasonCode.NOT_COMPLIANT, text))
    if not series.faults and align(series.interval, _MINUTE).end != whole.end:
        text = "The series ends at another time than the document. Give the expected end of both the same"
        faults.append(fault(ReasonCode.TIME_INTERVAL_INCORRECT, text))
    return commands.UnforeseenSeries(
        series=series.mrid,
        assets=tuple(asset.resource for asset in series.assets),
        action=Action(action) if action else None,
        faults=tuple(faults),
    )


def _asset_faults(series: UnavailabilitySeries) -> Iterable[Fault]:
    if not series.assets:
        yield fault(ReasonCode.MANDATORY_MISSING, "The series names no asset. Give each as Asset_RegisteredResource")
