"""Requests for data, and what gateways answer to the hub (mapping 3, 12 and 14; R13, R26)."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeVar

from documents import identifiers
from documents.codes import AGR_ROLES, BRP_ROLES, DSO_ROLES, DocumentType, ReasonCode
from documents.errors import IdentifierError
from documents.model import AcknowledgementMarketDocument, StatusRequestMarketDocument
from documents.values import Identifier, Interval
from hub import commands
from hub.commands import Command, Origin
from hub.intake.findings import Refused, expect, sender_role

T = TypeVar("T")

REQUEST_ATTRIBUTES: Final = frozenset({"DocumentType", "ProcessType", "TimeInterval", "RegisteredResource"})
SUBJECTS: Final = frozenset({DocumentType.CONFIGURATION, DocumentType.SCHEDULE, DocumentType.OUTAGE})
"""What a StatusRequest can ask for: assets, schedules, limits (R13)."""


def request(document: StatusRequestMarketDocument, origin: Origin, national: str) -> Command:
    """Read a request for data. Raises Refused."""
    sender_role(document, DSO_ROLES | AGR_ROLES | BRP_ROLES)
    types = {DocumentType.INFORMATION_REQUEST, DocumentType.STATUS_REQUEST}
    expect(document.type, types, ReasonCode.NOT_COMPLIANT, "type")
    for attribute in document.attributes:
        expect(attribute.name, REQUEST_ATTRIBUTES, ReasonCode.NOT_COMPLIANT, "attribute")
    subject = _attribute(document, "DocumentType", str)
    expect(subject, SUBJECTS, ReasonCode.NOT_COMPLIANT, "DocumentType asked for")
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
        raise Refused(ReasonCode.NOT_COMPLIANT, f"The attribute {name} is given {len(values)} times. Give it once")
    return read_value(values[0]) if values else None


def _interval(text: str) -> Interval:
    start, _, end = text.partition("/")
    try:
        interval = Interval(_minute(start), _minute(end))
    except ValueError:
        interval = None
    if interval is None or interval.end <= interval.start:
        raise Refused(
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
        raise Refused(ReasonCode.RESOURCE_INVALID, str(error)) from error


def acknowledgement(document: AcknowledgementMarketDocument, origin: Origin) -> Command:
    """Read the answer to something the hub pushed."""
    verdicts = {ReasonCode.FULLY_ACCEPTED, ReasonCode.FULLY_REJECTED, ReasonCode.PARTLY_REJECTED}
    found = [reason.code for reason in document.reasons if reason.code in verdicts]
    return commands.NoteAcknowledgement(
        origin=origin,
        answered=document.received.mrid or document.received.title or "",
        revision=document.received.revision,
        verdict=found[0] if found else ReasonCode.FULLY_REJECTED.value,
        reasons=document.reasons,
    )
