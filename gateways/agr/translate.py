"""Between the JSON of an aggregator's clients and the values of documents (floor 3, pure).

Errors name the place in the JSON.
"""

from datetime import datetime
from typing import Literal

from documents.codes import CANCELLING, BusinessType, DocumentType, action_of
from documents.errors import IdentifierError
from documents.model import GlMarketDocument, UnavailabilityMarketDocument
from documents.values import Identifier
from gateways import curves, xml_bodies
from gateways.agr.bodies import (
    Asset,
    AssetContent,
    AssetPatch,
    AssetState,
    Limit,
    LimitOrder,
    LimitShare,
    ScheduleSeries,
    ScheduleSeriesState,
    ScheduleState,
)
from gateways.agr.commands import Plan
from gateways.agr.rows import PlannedSchedule, ReceivedLimit
from gateways.commands import Resource, ResourceChange
from gateways.identity import Identity
from gateways.outbound import shown_reasons
from gateways.problems import invalid, one_line
from gateways.reading import Found
from gateways.registrations import POWERLESS
from gateways.rows import Registration

Direction = Literal["production", "consumption", "both"]
Status = Literal["active", "cancelled", "ended"]


def read_id(text: str, at: str, who: Identity) -> Identifier:
    """An id of the JSON. Raises ProblemError (422)."""
    try:
        return who.read(text)
    except IdentifierError as error:
        raise invalid(at, str(error)) from error


def asset(id: str, body: Asset | AssetContent, at: str, who: Identity) -> Resource:  # noqa: A002 - the field's own word
    """An asset to register. Raises ProblemError (422)."""
    if not body.max_production and not body.max_consumption:
        raise invalid(at, POWERLESS.text or "")
    return Resource(
        resource=read_id(id, f"{at}.id", who),
        name=one_line(body.name, f"{at}.name"),
        voltage=body.voltage_kv,
        point=read_id(body.connection_point, f"{at}.connectionPoint", who),
        max_production=body.max_production,
        max_consumption=body.max_consumption,
    )


def asset_change(body: AssetPatch, at: str, who: Identity) -> ResourceChange:
    """A change of one asset. Raises ProblemError (422)."""
    if body.id is None:
        raise invalid(f"{at}.id", "The id is missing; expected the asset to change.")
    point = body.connection_point
    return ResourceChange(
        resource=read_id(body.id, f"{at}.id", who),
        name=None if body.name is None else one_line(body.name, f"{at}.name"),
        voltage=body.voltage_kv,
        point=None if point is None else read_id(point, f"{at}.connectionPoint", who),
        max_production=body.max_production,
        max_consumption=body.max_consumption,
    )


def asset_state(row: Registration, who: Identity) -> AssetState:
    """An asset and where it stands (R34)."""
    series = row.series
    return AssetState(
        id=who.show(series.resource),
        connection_point=who.show(series.specific[0]) if series.specific else "",
        max_production=series.max_production or 0,
        max_consumption=series.max_consumption or 0,
        name=series.name,
        voltage_kv=series.voltage,
        state=row.state,
        reasons=shown_reasons(row.reasons),
        document=row.document,
    )


def plans(series: tuple[ScheduleSeries, ...], who: Identity) -> tuple[Plan, ...]:
    """The plans of a schedule, one per asset. Raises ProblemError (422)."""
    read = []
    seen: set[Identifier] = set()
    for number, one in enumerate(series):
        at = f"$.series[{number}]"
        named = read_id(one.asset, f"{at}.asset", who)
        if named in seen:
            raise invalid(f"{at}.asset", f"{one.asset} is named twice; expected one series per asset.")
        seen.add(named)
        periods = curves.periods(one.periods, one.curve_type, at, signed=True)
        read.append(Plan(asset=named, curve=one.curve_type, periods=periods))
    return tuple(read)


def plans_of(document: GlMarketDocument) -> tuple[Plan, ...]:
    """The plans of a schedule document. Raises ProblemError (422)."""
    read: dict[Identifier, Plan] = {}
    for series in document.series:
        at = f"series {series.mrid}"
        if series.business_type != BusinessType.NET_PRODUCTION_CONSUMPTION:
            raise xml_bodies.unusable(at, f"The series is {series.business_type}; expected A07, signed values.", "A62")
        if series.cancelled:
            raise xml_bodies.unusable(
                at, "The series is cancelled; withdraw plans with DELETE, or leave it out.", "A59"
            )
        if series.resource is None or series.resource in read:
            raise xml_bodies.unusable(at, "Expected one registeredResource.mRID per series, each once.", "A64")
        read[series.resource] = Plan(asset=series.resource, curve=series.curve, periods=series.periods)
    return tuple(read.values())


def schedule_state(row: PlannedSchedule, who: Identity) -> ScheduleState:
    """A schedule as sent, and where each asset's plan stands."""
    return ScheduleState(
        mrid=row.mrid,
        revision=row.revision,
        series=tuple(
            ScheduleSeriesState(
                asset=who.show(planned.series.resource) if planned.series.resource else "",
                periods=curves.shown(planned.series.periods),
                state=planned.state,
                reasons=shown_reasons(planned.reasons),
            )
            for planned in row.series
        ),
    )


def limit(found: Found[ReceivedLimit], now: datetime, who: Identity) -> Limit:
    """My copy of a limit as it stands at `now` (R18, R32)."""
    document = found.row.document
    unforeseen = is_unforeseen(document)
    return Limit(
        mrid=document.mrid,
        revision=document.revision,
        kind="unforeseen" if unforeseen else "foreseen",
        direction=_DIRECTIONS.get(document.type, "both"),
        start=document.interval.start,
        end=document.interval.end,
        status=_status(document, now),
        issued=document.created,
        sequence=found.item.sequence,
        shares=() if unforeseen else _shares(document, who),
        orders=_orders(document, who) if unforeseen else (),
        reasons=tuple(reason.code for reason in document.reasons),
    )


def is_unforeseen(document: UnavailabilityMarketDocument) -> bool:
    """Whether a limit is an order for now (series A54; F7)."""
    return any(series.business_type == BusinessType.UNPLANNED_OUTAGE for series in document.series)


def is_active(document: UnavailabilityMarketDocument, now: datetime) -> bool:
    """Not cancelled, and not over; a future one is active too (R22)."""
    return document.status not in CANCELLING and document.interval.end > now


_DIRECTIONS: dict[str, Direction] = {
    DocumentType.GENERATION_UNAVAILABILITY.value: "production",
    DocumentType.LOAD_UNAVAILABILITY.value: "consumption",
}


def _status(document: UnavailabilityMarketDocument, now: datetime) -> Status:
    if document.status in CANCELLING:
        return "cancelled"
    return "active" if document.interval.end > now else "ended"


def _shares(document: UnavailabilityMarketDocument, who: Identity) -> tuple[LimitShare, ...]:
    return tuple(
        LimitShare(asset=who.show(asset.resource), periods=curves.shown(series.periods))
        for series in document.series
        for asset in series.assets
    )


def _orders(document: UnavailabilityMarketDocument, who: Identity) -> tuple[LimitOrder, ...]:
    return tuple(
        LimitOrder(asset=who.show(asset.resource), action=action)
        for series in document.series
        if (action := action_of(series))
        for asset in series.assets
    )
