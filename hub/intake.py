"""From a document to a command: the hub's door for everything that is sent to it (floor 4, pure; R2, R14, R15, R26,
R27).

`read` always returns exactly one command, because every document gets exactly one answer: what cannot be taken becomes
a `RefuseDocument` with its reason. A finding that concerns one series travels as its fault and refuses that series only
(R3). What needs the hub's state (who holds what, revisions, time) is decided later by the aggregates, never here.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar, assert_never

from msgspec import Struct

from documents import identifiers, registry
from documents.codes import (
    AGR_ROLES,
    ASSET_TYPES,
    BRP_ROLES,
    CANCELLING,
    DSO_ROLES,
    HUB_ROLES,
    POINT_TYPES,
    Aggregation,
    BusinessType,
    DocumentType,
    ProcessType,
    PsrType,
    ReasonCode,
    Role,
    Status,
    action_of,
)
from documents.curves import align
from documents.errors import DocumentError, IdentifierError
from documents.model import (
    AcknowledgementMarketDocument,
    Document,
    Fault,
    GlMarketDocument,
    GlSeries,
    ProblemStatementMarketDocument,
    RefMarketDocument,
    RefSeries,
    StatusRequestMarketDocument,
    UnavailabilityMarketDocument,
    UnavailabilitySeries,
)
from documents.values import Identifier, Interval, Reason
from hub import commands
from hub.commands import Command, Origin
from hub.mades.message import BusinessType as Carried
from hub.values import Action, Capability, Direction, LimitKind

T = TypeVar("T")

_MINUTE: Final = timedelta(minutes=1)
TEXT_MAX: Final = 512
"""Characters a Reason's text may have."""
REQUEST_ATTRIBUTES: Final = frozenset({"DocumentType", "ProcessType", "TimeInterval", "RegisteredResource"})
SUBJECTS: Final = frozenset({DocumentType.CONFIGURATION, DocumentType.SCHEDULE, DocumentType.OUTAGE})
"""What a StatusRequest can ask for: assets, schedules, limits (R13)."""

REGISTERING: Final = frozenset({ProcessType.CREATION, ProcessType.MODIFICATION, ProcessType.DEACTIVATION})
SCHEDULING: Final = frozenset(
    {
        ProcessType.DAY_AHEAD,
        ProcessType.FORECAST,
        ProcessType.SCHEDULE_DAY,
        ProcessType.INTRADAY_TOTAL,
        ProcessType.INTRADAY,
    }
)
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
SCHEDULE_SIGNS: Final = frozenset(
    {BusinessType.NET_PRODUCTION_CONSUMPTION, BusinessType.PRODUCTION, BusinessType.CONSUMPTION}
)


class Envelope(Struct, frozen=True, kw_only=True):
    """What the transport says of a message: who the broker knows sent it, as what, under which id."""

    sender: Identifier
    business_type: str
    message_id: str


class Judgement(Struct, frozen=True, kw_only=True):
    """Whether the hub would take a document by its own rules, as which command, and what it would say (R3)."""

    taken: bool
    as_: str
    reasons: tuple[Reason, ...] = ()


class _Refused(Exception):
    """This document is refused as a whole."""

    def __init__(self, code: ReasonCode, text: str) -> None:
        super().__init__(text)
        self.reason = Reason(code.value, _cut(text))


def read(content: bytes, *, envelope: Envelope, hub: Identifier, national: str = "NDK") -> Command:
    """Return the one command a message's content stands for; `national` is the coding scheme of bare ids in requests
    (R2).

    Never raises for what a sender wrote: an unreadable document is refused with A94 and the message id as its title
    (R26).
    """
    try:
        document = registry.read(content)
    except DocumentError as error:
        origin = unreadable_origin(content, envelope)
        return commands.RefuseDocument(origin=origin, reasons=(Reason(ReasonCode.UNREADABLE.value, _cut(str(error))),))
    origin = origin_of(document, envelope=envelope, digest=hashlib.sha256(content).hexdigest())
    try:
        _check_header(document, envelope, hub)
        return _command(document, origin, national)
    except _Refused as refused:
        if isinstance(document, AcknowledgementMarketDocument):
            # Acknowledgements are never acknowledged (R26), so not refused either: this one answers nothing.
            verdict = ReasonCode.FULLY_REJECTED.value
            return commands.NoteAcknowledgement(origin=origin, answered="", verdict=verdict, reasons=(refused.reason,))
        return commands.RefuseDocument(origin=origin, reasons=(refused.reason,))


def judge(data: bytes, *, national: str = "NDK") -> Judgement:
    """Judge a file as the hub would, as far as the document alone tells: without envelope, participants or time."""
    try:
        document = registry.read(data)
    except DocumentError as error:
        return Judgement(taken=False, as_="", reasons=(Reason(error.reason_code, str(error)),))
    envelope = Envelope(sender=document.sender.id, business_type="", message_id="")
    try:
        command = _command(document, origin_of(document, envelope=envelope, digest=""), national)
    except _Refused as refused:
        return Judgement(taken=False, as_="", reasons=(refused.reason,))
    series = getattr(command, "items", getattr(command, "series", ()))
    faults = tuple(Reason(fault.code, fault.text) for one in series for fault in one.faults)
    sound = not series or any(not one.faults for one in series)
    return Judgement(taken=sound, as_=type(command).__name__, reasons=faults)


def origin_of(document: Document, *, envelope: Envelope, digest: str) -> Origin:
    """Where a command comes from; the sender is the one the transport knows, whatever the document says (R2)."""
    return Origin(
        sender=envelope.sender,
        role=document.sender.role,
        mrid=document.mrid,
        revision=getattr(document, "revision", 0),
        type=getattr(document, "type", DocumentType.ACKNOWLEDGEMENT.value),
        process=getattr(document, "process", None),
        created=document.created,
        digest=digest,
        business_type=envelope.business_type,
    )


def unreadable_origin(content: bytes, envelope: Envelope) -> Origin:
    """Where a document comes from of which nothing can be read: its title is the transport's message id (R26)."""
    return Origin(
        sender=envelope.sender,
        role=None,
        mrid="",
        digest=hashlib.sha256(content).hexdigest(),
        title=envelope.message_id,
        business_type=envelope.business_type,
    )


def _check_header(document: Document, envelope: Envelope, hub: Identifier) -> None:
    """Sender, receiver and type must be those of the message that carried it (R2, R27)."""
    if document.sender.id != envelope.sender:
        raise _Refused(
            ReasonCode.SENDER_INVALID,
            f"The document names {document.sender.id} as its sender, the message came from {envelope.sender}. "
            "Send documents of your own only",
        )
    if document.receiver.id != hub:
        raise _Refused(
            ReasonCode.RECEIVER_INCORRECT,
            f"The document is addressed to {document.receiver.id}. Address it to the hub, {hub}",
        )
    if document.receiver.role is not None and document.receiver.role not in HUB_ROLES:
        raise _Refused(
            ReasonCode.RECEIVER_INCORRECT, f"The receiver's role is {document.receiver.role}. Give A32 for the hub"
        )
    expected = _carried_as(document)
    if envelope.business_type not in expected:
        raise _Refused(
            ReasonCode.BUSINESS_TYPE_INVALID,
            f"The message is of type {envelope.business_type}. Send this document as {' or '.join(expected)}",
        )


def _carried_as(document: Document) -> tuple[str, ...]:
    """The business types a document may travel under (R27)."""
    match document:
        case RefMarketDocument():
            return (Carried.POINTS if document.sender.role in DSO_ROLES else Carried.ASSETS,)
        case UnavailabilityMarketDocument():
            kinds = {KINDS[series.business_type] for series in document.series if series.business_type in KINDS}
            return tuple(CARRIED_LIMITS[kind] for kind in kinds or KINDS.values())
        case GlMarketDocument():
            return (Carried.SCHEDULES,)
        case StatusRequestMarketDocument():
            return (Carried.REQUEST,)
        case AcknowledgementMarketDocument():
            return (Carried.ACK,)
        case ProblemStatementMarketDocument():
            return tuple(Carried)
        case _:
            assert_never(document)


def _command(document: Document, origin: Origin, national: str) -> Command:
    match document:
        case RefMarketDocument():
            return _registration(document, origin)
        case UnavailabilityMarketDocument():
            return _limit(document, origin)
        case GlMarketDocument():
            return _schedules(document, origin)
        case StatusRequestMarketDocument():
            return _request(document, origin, national)
        case AcknowledgementMarketDocument():
            return _acknowledgement(document, origin)
        case ProblemStatementMarketDocument():
            raise _Refused(ReasonCode.NOT_COMPLIANT, "The hub takes no problem statements. Send what it should act on")
        case _:
            assert_never(document)


# Registration (mapping 1, 2)


def _registration(document: RefMarketDocument, origin: Origin) -> Command:
    _expect(document.type, {DocumentType.CONFIGURATION}, ReasonCode.NOT_COMPLIANT, "type")
    _expect(document.process, REGISTERING, ReasonCode.PROCESS_TYPE_INVALID, "process")
    role = _role(document, DSO_ROLES | AGR_ROLES | BRP_ROLES)
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
        faults.append(_fault(ReasonCode.MANDATORY_MISSING, f"{found}. Name exactly one as Specific_RegisteredResource"))
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
        yield _fault(ReasonCode.NOT_COMPLIANT, f"The resource type is {series.psr_type}. Give {mend}")


def _capability_faults(series: RefSeries) -> Iterable[Fault]:
    """The type of an asset says which way it can go; its installed quantities must agree (R9)."""
    if series.psr_type == PsrType.PRODUCES and series.max_consumption:
        yield _fault(ReasonCode.NOT_COMPLIANT, "A04 only produces, but has consumption. Give A03 for both ways")
    if series.psr_type == PsrType.CONSUMES and series.max_production:
        yield _fault(ReasonCode.NOT_COMPLIANT, "A05 only consumes, but has generation. Give A03 for both ways")


# Limits (mapping 5, 7, 8, 9)


def _limit(document: UnavailabilityMarketDocument, origin: Origin) -> Command:
    _role(document, DSO_ROLES)
    _expect(document.process, {ProcessType.OUTAGE_INFORMATION}, ReasonCode.PROCESS_TYPE_INVALID, "process")
    _expect(document.type, frozenset(DIRECTIONS), ReasonCode.NOT_COMPLIANT, "type")
    kind = _limit_kind(document)
    if document.status in CANCELLING:
        return commands.CancelLimit(origin=origin, kind=kind)
    _expect(document.status, {None, Status.ACTIVE}, ReasonCode.NOT_COMPLIANT, "docStatus")
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
    raise _Refused(ReasonCode.MANDATORY_MISSING, "The document has no TimeSeries. Give the assets it concerns")


def _limit_kind(document: UnavailabilityMarketDocument) -> LimitKind | None:
    """Foreseen or unforeseen by the series, None without any; a mix is refused (trap 21)."""
    found = {series.business_type for series in document.series}
    if len(found) > 1 or not found <= KINDS.keys():
        raise _Refused(
            ReasonCode.BUSINESS_TYPE_INVALID,
            f"The series are of {', '.join(sorted(found))}. Give A53 (foreseen) or A54 (unforeseen) in all of them",
        )
    return KINDS[found.pop()] if found else None


def _foreseen(series: UnavailabilitySeries) -> commands.ForeseenSeries:
    faults = [*series.faults, *_asset_faults(series)]
    if not series.periods and not series.faults:
        faults.append(_fault(ReasonCode.MANDATORY_MISSING, "The series has no Available_Period. Give one or more"))
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
        faults.append(_fault(ReasonCode.NOT_COMPLIANT, text))
    if not series.faults and align(series.interval, _MINUTE).end != whole.end:
        text = "The series ends at another time than the document. Give the expected end of both the same"
        faults.append(_fault(ReasonCode.TIME_INTERVAL_INCORRECT, text))
    return commands.UnforeseenSeries(
        series=series.mrid,
        assets=tuple(asset.resource for asset in series.assets),
        action=Action(action) if action else None,
        faults=tuple(faults),
    )


def _asset_faults(series: UnavailabilitySeries) -> Iterable[Fault]:
    if not series.assets:
        yield _fault(ReasonCode.MANDATORY_MISSING, "The series names no asset. Give each as Asset_RegisteredResource")


# Schedules (mapping 10, 11)


def _schedules(document: GlMarketDocument, origin: Origin) -> Command:
    _role(document, AGR_ROLES | BRP_ROLES)
    _expect(document.type, {DocumentType.SCHEDULE}, ReasonCode.NOT_COMPLIANT, "type")
    _expect(document.process, SCHEDULING, ReasonCode.PROCESS_TYPE_INVALID, "process")
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
        yield _fault(ReasonCode.BUSINESS_TYPE_INVALID, f"The series is of {series.business_type}. Give A07 (signed)")
    if series.aggregation != Aggregation.RESOURCE:
        yield _fault(ReasonCode.NOT_COMPLIANT, f"The aggregation is {series.aggregation}. Give A06, one resource")
    if series.resource is None:
        yield _fault(ReasonCode.MANDATORY_MISSING, "The series names no registeredResource. Give the asset")
    if not series.cancelled and not series.periods and not series.faults:
        yield _fault(ReasonCode.MANDATORY_MISSING, "The series has no Period. Give the plan, or cancelledTS A01")


# Requests and acknowledgements (mapping 3, 12, 14)


def _request(document: StatusRequestMarketDocument, origin: Origin, national: str) -> Command:
    _role(document, DSO_ROLES | AGR_ROLES | BRP_ROLES)
    types = {DocumentType.INFORMATION_REQUEST, DocumentType.STATUS_REQUEST}
    _expect(document.type, types, ReasonCode.NOT_COMPLIANT, "type")
    for attribute in document.attributes:
        _expect(attribute.name, REQUEST_ATTRIBUTES, ReasonCode.NOT_COMPLIANT, "attribute")
    subject = _attribute(document, "DocumentType", str)
    _expect(subject, SUBJECTS, ReasonCode.NOT_COMPLIANT, "DocumentType asked for")
    resources = (
        _resource(attribute.value, attribute.scheme, national)
        for attribute in document.attributes
        if attribute.name == "RegisteredResource"
    )
    return commands.AskStatus(
        origin=origin,
        subject=str(subject),
        resources=tuple(resources),
        interval=_attribute(document, "TimeInterval", _interval),
    )


def _attribute(document: StatusRequestMarketDocument, name: str, read_value: Callable[[str], T]) -> T | None:
    values = [attribute.value for attribute in document.attributes if attribute.name == name]
    if len(values) > 1:
        raise _Refused(ReasonCode.NOT_COMPLIANT, f"The attribute {name} is given {len(values)} times. Give it once")
    return read_value(values[0]) if values else None


def _interval(text: str) -> Interval:
    start, _, end = text.partition("/")
    try:
        interval = Interval(_minute(start), _minute(end))
    except ValueError:
        interval = None
    if interval is None or interval.end <= interval.start:
        raise _Refused(
            ReasonCode.TIME_INTERVAL_INCORRECT,
            f"The TimeInterval is {text[:60]!r}. Give start/end such as 2020-05-04T22:00Z/2020-05-05T22:00Z",
        )
    return interval


def _minute(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)


def _resource(code: str, scheme: str | None, national: str) -> Identifier:
    try:
        return identifiers.identifier(scheme, code) if scheme else identifiers.parse_identifier(code, national=national)
    except IdentifierError as error:
        raise _Refused(ReasonCode.RESOURCE_INVALID, str(error)) from error


def _acknowledgement(document: AcknowledgementMarketDocument, origin: Origin) -> Command:
    verdicts = {ReasonCode.FULLY_ACCEPTED, ReasonCode.FULLY_REJECTED, ReasonCode.PARTLY_REJECTED}
    found = [reason.code for reason in document.reasons if reason.code in verdicts]
    return commands.NoteAcknowledgement(
        origin=origin,
        answered=document.received.mrid or document.received.title or "",
        verdict=found[0] if found else ReasonCode.FULLY_REJECTED.value,
        reasons=document.reasons,
    )


# Means


def _role(document: Document, allowed: frozenset[Role]) -> str | None:
    """The sender's role, if it may send this kind of document (R2)."""
    role = document.sender.role
    if role not in allowed:
        raise _Refused(
            ReasonCode.SENDER_INVALID,
            f"The sender's role {role} may not send this document. Expected: {', '.join(sorted(allowed))}",
        )
    return role


def _expect(found: str | None, allowed: Collection[str | None], code: ReasonCode, name: str) -> None:
    if found not in allowed:
        expected = ", ".join(sorted(str(one) for one in allowed if one is not None))
        raise _Refused(code, f"Found {name} {found and found[:60]!r}, expected one of {expected}")


def _fault(code: ReasonCode, text: str) -> Fault:
    return Fault(code.value, text)


def _cut(text: str) -> str:
    """As much as a Reason carries."""
    return text[:TEXT_MAX]
