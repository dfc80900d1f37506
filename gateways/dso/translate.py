"""Between the JSON of a grid operator's clients and the values of documents (floor 3, pure).

Errors name the place in the JSON.
"""

from typing import Literal

from msgspec.structs import replace

from documents.codes import BusinessType, DocumentType, Status, action_of, action_reason
from documents.content_model import code_lists
from documents.errors import IdentifierError
from documents.model import AssetReference, UnavailabilityMarketDocument, UnavailabilitySeries
from documents.values import Identifier, Interval, Reason
from gateways import curves, xml_bodies
from gateways.commands import Resource, ResourceChange
from gateways.dso.bodies import (
    ConnectionPointPatch,
    ConnectionPointState,
    ForeseenLimit,
    ForeseenSeries,
    GridAsset,
    GridSchedule,
    LimitState,
    UnforeseenLimit,
    UnforeseenOrder,
)
from gateways.dso.commands import Content
from gateways.dso.rows import AssetOnGrid, PlanOnGrid, SentLimit
from gateways.dso.trade import is_unforeseen
from gateways.identity import Identity
from gateways.outbound import shown_reasons
from gateways.problems import invalid, one_line
from gateways.reading import EVER, Found
from gateways.rows import Registration

Direction = Literal["production", "consumption", "both"]

TYPES: dict[Direction, str] = {
    "production": DocumentType.GENERATION_UNAVAILABILITY.value,
    "consumption": DocumentType.LOAD_UNAVAILABILITY.value,
    "both": DocumentType.OUTAGE.value,
}
"""The type of a limit's document carries its direction (R14)."""
DIRECTIONS: dict[str, Direction] = {code: direction for direction, code in TYPES.items()}


def read_id(text: str, at: str, who: Identity) -> Identifier:
    """An id of the JSON. Raises ProblemError (422)."""
    try:
        return who.read(text)
    except IdentifierError as error:
        raise invalid(at, str(error)) from error


def point(id: str, voltage_kv: str, at: str, who: Identity) -> Resource:  # noqa: A002 - the field's own word
    """A connection point to register. Raises ProblemError (422)."""
    return Resource(resource=read_id(id, f"{at}.id", who), voltage=voltage_kv)


def point_change(body: ConnectionPointPatch, at: str, who: Identity) -> ResourceChange:
    """A change of one connection point. Raises ProblemError (422)."""
    if body.id is None:
        raise invalid(f"{at}.id", "The id is missing; expected the connection point to change.")
    return ResourceChange(resource=read_id(body.id, f"{at}.id", who), voltage=body.voltage_kv)


def point_state(row: Registration, who: Identity) -> ConnectionPointState:
    """A connection point and where it stands (R34)."""
    return ConnectionPointState(
        id=who.show(row.series.resource),
        voltage_kv=row.series.voltage,
        state=row.state,
        reasons=shown_reasons(row.reasons),
        document=row.document,
    )


def foreseen(body: ForeseenLimit, who: Identity) -> Content:
    """A foreseen limit: its interval spans all periods (F6, R14). Raises ProblemError (422)."""
    series = []
    for number, one in enumerate(body.series):
        at = f"$.series[{number}]"
        series.append(
            UnavailabilitySeries(
                mrid=str(number + 1),
                business_type=BusinessType.PLANNED_MAINTENANCE.value,
                interval=_LATER,
                curve=one.curve_type,
                assets=_references(one.assets, f"{at}.assets", who),
                periods=curves.periods(one.periods, one.curve_type, at),
            )
        )
    spans = [period.interval for one in series for period in one.periods]
    return Content(
        type=TYPES[body.direction],
        start=min(span.start for span in spans),
        end=max(span.end for span in spans),
        series=tuple(series),
        reasons=(_reason(body),),
    )


def unforeseen(body: UnforeseenLimit, who: Identity) -> Content:
    """An unforeseen limit, one series per asset (F7, R15). Raises ProblemError (422)."""
    start = curves.minute(body.start, "$.start") if body.start else None
    end = curves.minute(body.expected_end, "$.expectedEnd")
    if start and end <= start:
        raise invalid("$.expectedEnd", "It is not after start; expected a later instant.")
    references = _references(tuple(order.asset for order in body.orders), "$.orders", who)
    return Content(
        type=TYPES[body.direction],
        start=start,
        end=end,
        series=tuple(
            UnavailabilitySeries(
                mrid=str(number),
                business_type=BusinessType.UNPLANNED_OUTAGE.value,
                interval=_LATER,
                assets=(reference,),
                reasons=(action_reason(order.action),),
            )
            for number, (order, reference) in enumerate(zip(body.orders, references, strict=True), start=1)
        ),
        reasons=(_reason(body),),
    )


def content_of(document: UnavailabilityMarketDocument, *, kind: BusinessType) -> Content:
    """A limit as its document says it; `kind` A53 announces, A54 orders. Raises ProblemError (422)."""
    if document.status not in (None, Status.ACTIVE):
        raise xml_bodies.unusable("docStatus", f"It is {document.status}; cancel limits with DELETE.", "A59")
    if document.type not in DIRECTIONS:
        raise xml_bodies.unusable("type", f"It is {document.type}; expected A53, A76 or A80.", "A59")
    if not document.series:
        raise xml_bodies.unusable("TimeSeries", "There is none; expected one or more.", "A69")
    series = tuple(_of_kind(series, kind) for series in document.series)
    return Content(
        type=document.type,
        start=document.interval.start,
        end=document.interval.end,
        series=series if kind == BusinessType.PLANNED_MAINTENANCE else _one_each(series),
        reasons=document.reasons,
    )


def limit_state(row: SentLimit, who: Identity) -> LimitState:
    """A limit I sent and where it stands."""
    document = row.document
    reason = document.reasons[0] if document.reasons else None
    ordered = is_unforeseen(document)
    return LimitState(
        mrid=document.mrid,
        revision=document.revision,
        kind="unforeseen" if ordered else "foreseen",
        direction=DIRECTIONS.get(document.type, "both"),
        start=document.interval.start,
        end=document.interval.end,
        series=() if ordered else tuple(_series_shown(series, who) for series in document.series),
        orders=_orders_shown(document, who) if ordered else (),
        reason=reason.code if reason else None,
        text=reason.text if reason else None,
        state=row.state,
        reminder=row.reminded,
        reasons=shown_reasons(row.reasons),
    )


def grid_asset(found: Found[AssetOnGrid], who: Identity) -> GridAsset:
    """An asset on my grid (F5)."""
    row = found.row
    return GridAsset(
        id=who.show(row.resource),
        connection_point=who.show(row.point),
        max_production=row.max_production,
        max_consumption=row.max_consumption,
        voltage_kv=row.voltage,
        withdrawn=row.withdrawn,
        sequence=found.item.sequence,
    )


def grid_schedule(found: Found[PlanOnGrid], who: Identity) -> GridSchedule:
    """One asset's plan on my grid (F9)."""
    row = found.row
    return GridSchedule(
        series=row.series,
        asset=who.show(row.resource),
        periods=curves.shown(row.periods),
        withdrawn=row.withdrawn,
        sequence=found.item.sequence,
    )


_LATER = Interval(EVER, EVER)
"""Stands for a series' interval until the document is made."""


def _reason(body: ForeseenLimit | UnforeseenLimit) -> Reason:
    if body.reason not in code_lists()["ReasonCode"]:
        raise invalid("$.reason", f"{body.reason} is not in the Reason code list; expected a code such as B19 or B18.")
    return Reason(body.reason, None if body.text is None else one_line(body.text, "$.text"))


def _references(assets: tuple[str, ...], at: str, who: Identity) -> tuple[AssetReference, ...]:
    read: dict[Identifier, None] = {}
    for number, text in enumerate(assets):
        one = read_id(text, f"{at}[{number}]", who)
        if one in read:
            raise invalid(f"{at}[{number}]", f"{text} is named twice; expected each asset once.")
        read[one] = None
    return tuple(AssetReference(one) for one in read)


def _of_kind(series: UnavailabilitySeries, kind: BusinessType) -> UnavailabilitySeries:
    """The series when it is of this kind and says what that needs (R14, R15)."""
    at = f"series {series.mrid}"
    if series.business_type != kind:
        raise xml_bodies.unusable(at, f"The series is {series.business_type}; expected {kind.value} here.", "A62")
    if not series.assets:
        raise xml_bodies.unusable(at, "No Asset_RegisteredResource is given; expected one or more.", "A69")
    if kind == BusinessType.PLANNED_MAINTENANCE and not series.periods:
        raise xml_bodies.unusable(at, "No Available_Period is given; expected the power over time.", "A69")
    if kind == BusinessType.UNPLANNED_OUTAGE and not action_of(series):
        raise xml_bodies.unusable(at, "Expected a Reason A95 with ACTION=START, ACTION=STOP or ACTION=HOLD.", "A59")
    return series


def _one_each(series: tuple[UnavailabilitySeries, ...]) -> tuple[UnavailabilitySeries, ...]:
    """One series per asset, as this gateway sends orders (R15)."""
    each = [replace(one, assets=(asset,), periods=()) for one in series for asset in one.assets]
    return tuple(replace(one, mrid=str(number)) for number, one in enumerate(each, start=1))


def _series_shown(series: UnavailabilitySeries, who: Identity) -> ForeseenSeries:
    return ForeseenSeries(
        assets=tuple(who.show(asset.resource) for asset in series.assets), periods=curves.shown(series.periods)
    )


def _orders_shown(document: UnavailabilityMarketDocument, who: Identity) -> tuple[UnforeseenOrder, ...]:
    return tuple(
        UnforeseenOrder(asset=who.show(asset.resource), action=action)
        for series in document.series
        if (action := action_of(series))
        for asset in series.assets
    )
