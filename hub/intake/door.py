"""Reading a message's content: header rules, then the rules of its kind of document (R2, R26, R27)."""

import hashlib
from typing import assert_never

from msgspec import Struct

from documents import registry
from documents.codes import DSO_ROLES, HUB_ROLES, DocumentType, ReasonCode
from documents.errors import DocumentError
from documents.model import (
    AcknowledgementMarketDocument,
    Document,
    GlMarketDocument,
    ProblemStatementMarketDocument,
    RefMarketDocument,
    StatusRequestMarketDocument,
    UnavailabilityMarketDocument,
)
from documents.values import Identifier, Reason
from hub import commands
from hub.commands import Command, Origin
from hub.intake.findings import Refused, cut
from hub.intake.limits import carried_limit, limit
from hub.intake.registrations import registration
from hub.intake.requests import acknowledgement, request
from hub.intake.schedules import schedules
from hub.mades.message import BusinessType as Carried


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
        return commands.RefuseDocument(origin=origin, reasons=(Reason(ReasonCode.UNREADABLE.value, cut(str(error))),))
    origin = origin_of(document, envelope=envelope, digest=hashlib.sha256(content).hexdigest())
    try:
        _check_header(document, envelope, hub)
        return _command(document, origin, national)
    except Refused as refused:
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
    except Refused as refused:
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
        raise Refused(
            ReasonCode.SENDER_INVALID,
            f"The document names {document.sender.id} as its sender, the message came from {envelope.sender}. "
            "Send documents of your own only",
        )
    if document.receiver.id != hub:
        raise Refused(
            ReasonCode.RECEIVER_INCORRECT,
            f"The document is addressed to {document.receiver.id}. Address it to the hub, {hub}",
        )
    if document.receiver.role is not None and document.receiver.role not in HUB_ROLES:
        raise Refused(
            ReasonCode.RECEIVER_INCORRECT, f"The receiver's role is {document.receiver.role}. Give A32 for the hub"
        )
    expected = _carried_as(document)
    if envelope.business_type not in expected:
        raise Refused(
            ReasonCode.BUSINESS_TYPE_INVALID,
            f"The message is of type {envelope.business_type}. Send this document as {' or '.join(expected)}",
        )


def _carried_as(document: Document) -> tuple[str, ...]:
    """The business types a document may travel under (R27)."""
    match document:
        case RefMarketDocument():
            return (Carried.POINTS if document.sender.role in DSO_ROLES else Carried.ASSETS,)
        case UnavailabilityMarketDocument():
            return carried_limit(document)
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
            return registration(document, origin)
        case UnavailabilityMarketDocument():
            return limit(document, origin)
        case GlMarketDocument():
            return schedules(document, origin)
        case StatusRequestMarketDocument():
            return request(document, origin, national)
        case AcknowledgementMarketDocument():
            return acknowledgement(document, origin)
        case ProblemStatementMarketDocument():
            raise Refused(ReasonCode.NOT_COMPLIANT, "The hub takes no problem statements. Send what it should act on")
        case _:
            assert_never(document)
