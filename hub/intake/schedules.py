"""Operational schedules, their update and withdrawal (mapping 10 and 11; R23, R24)."""

from collections.abc import Iterable
from typing import Final

from documents.codes import AGR_ROLES, BRP_ROLES, Aggregation, BusinessType, DocumentType, ProcessType, ReasonCode
from documents.lengths import LONGEST_BYTES, longest
from documents.model import Fault, GlMarketDocument, GlSeries
from hub import commands
from hub.commands import Command, Origin
from hub.intake.findings import expect, fault, sender_role

SCHEDULING: Final = frozenset(
    {
        ProcessType.DAY_AHEAD,
        ProcessType.FORECAST,
        ProcessType.SCHEDULE_DAY,
        ProcessType.INTRADAY_TOTAL,
        ProcessType.INTRADAY,
    }
)
SCHEDULE_SIGNS: Final = frozenset(
    {BusinessType.NET_PRODUCTION_CONSUMPTION, BusinessType.PRODUCTION, BusinessType.CONSUMPTION}
)


def schedules(document: GlMarketDocument, origin: Origin) -> Command:
    """Read schedules. Raises Refused."""
    sender_role(document, AGR_ROLES | BRP_ROLES)
    expect(document.type, {DocumentType.SCHEDULE}, ReasonCode.NOT_COMPLIANT, "type")
    expect(document.process, SCHEDULING, ReasonCode.PROCESS_TYPE_INVALID, "process")
    items = tuple(_schedule(series) for series in document.series)
    return commands.SubmitSchedules(origin=origin, interval=document.interval, items=items)


def _schedule(series: GlSeries) -> commands.ScheduleItem:
    return commands.ScheduleItem(
        series=series.mrid,
        resource=series.resource,
        periods=series.periods,
        withdraw=series.cancelled,
        faults=(*series.faults, *_schedule_faults(series)),
    )


def _schedule_faults(series: GlSeries) -> Iterable[Fault]:
    if series.business_type not in SCHEDULE_SIGNS:
        yield fault(ReasonCode.BUSINESS_TYPE_INVALID, f"The series is of {series.business_type}. Give A07 (signed)")
    if series.aggregation != Aggregation.RESOURCE:
        yield fault(ReasonCode.NOT_COMPLIANT, f"The aggregation is {series.aggregation}. Give A06, one resource")
    if series.resource is None:
        yield fault(ReasonCode.MANDATORY_MISSING, "The series names no registeredResource. Give the asset")
    if not series.cancelled and not series.periods and not series.faults:
        yield fault(ReasonCode.MANDATORY_MISSING, "The series has no Period. Give the plan, or cancelledTS A01")
    if (size := longest(series.periods)) > LONGEST_BYTES:
        text = f"The plan would take up to {size} bytes on its way to the grid operator, at most {LONGEST_BYTES} do"
        yield fault(ReasonCode.NOT_COMPLIANT, f"{text}. Send it in several documents, each for a shorter time")
