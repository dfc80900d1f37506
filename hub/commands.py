"""Every intent the hub can be asked to act on.

One command per document; intake makes them, the aggregates decide them.

A command says what the sender wants in the platform's words; nothing of XML is left. Findings about the form of a
single series travel in its `faults` and refuse that series only (R3).
"""

from msgspec import Struct

from documents.model import Fault
from documents.values import Identifier, Instant, Interval, Mrid, Period, Reason
from hub.values import Action, Capability, Direction, LimitKind, Role


class Origin(Struct, frozen=True, kw_only=True):
    """The document a command came with.

    `revision` is 0 where the document has none; `digest` is SHA-256 of its content, hexadecimal.

    `title` is set instead of `mrid` for an unreadable document: the transport's message id (R26).
    """

    sender: Identifier
    role: str | None
    mrid: Mrid
    revision: int = 0
    type: str | None = None
    process: str | None = None
    created: Instant | None = None
    digest: str
    title: str | None = None
    business_type: str = ""


class ResourceItem(Struct, frozen=True, kw_only=True):
    """One asset of a registration: wanted state, or its removal."""

    resource: Identifier
    point: Identifier | None = None
    owner: Identifier
    capability: Capability | None = None
    psr_type: str = "A03"
    voltage: str = "0"
    remove: bool = False
    faults: tuple[Fault, ...] = ()


class RegisterResources(Struct, frozen=True, kw_only=True, tag=True):
    """Set (A36), change (A37) or remove (A38) assets (F4, R3-R10)."""

    origin: Origin
    items: tuple[ResourceItem, ...]


class PointItem(Struct, frozen=True, kw_only=True):
    """One connection point of a registration: wanted state, or its removal."""

    point: Identifier
    owner: Identifier
    psr_type: str = "A11"
    voltage: str = "0"
    remove: bool = False
    faults: tuple[Fault, ...] = ()


class RegisterPoints(Struct, frozen=True, kw_only=True, tag=True):
    """Set, change or remove connection points (F4, R4, R8)."""

    origin: Origin
    items: tuple[PointItem, ...]


class ForeseenSeries(Struct, frozen=True, kw_only=True):
    """Assets and the power they may use together over time, unsigned watts (R14)."""

    series: Mrid
    assets: tuple[Identifier, ...]
    periods: tuple[Period, ...]
    faults: tuple[Fault, ...] = ()


class UnforeseenSeries(Struct, frozen=True, kw_only=True):
    """Assets and what they must do until the expected end (R15)."""

    series: Mrid
    assets: tuple[Identifier, ...]
    action: Action | None
    faults: tuple[Fault, ...] = ()


class AnnounceLimit(Struct, frozen=True, kw_only=True, tag=True):
    """A foreseen limit or its update (F6, R14, R16-R20)."""

    origin: Origin
    direction: Direction
    interval: Interval
    series: tuple[ForeseenSeries, ...]
    reasons: tuple[Reason, ...] = ()


class OrderLimit(Struct, frozen=True, kw_only=True, tag=True):
    """An unforeseen limit or its update (F7, R15, R19, R20). `interval.end` is the expected end."""

    origin: Origin
    direction: Direction
    interval: Interval
    series: tuple[UnforeseenSeries, ...]
    reasons: tuple[Reason, ...] = ()


class CancelLimit(Struct, frozen=True, kw_only=True, tag=True):
    """Withdraw a limit (docStatus A09 or A13; R19). `kind` is None when the document has no series left to tell."""

    origin: Origin
    kind: LimitKind | None = None


class ScheduleItem(Struct, frozen=True, kw_only=True):
    """One asset's plan in a schedule document: signed watts over time, or its withdrawal."""

    series: Mrid
    resource: Identifier | None
    periods: tuple[Period, ...] = ()
    withdraw: bool = False
    faults: tuple[Fault, ...] = ()


class SubmitSchedules(Struct, frozen=True, kw_only=True, tag=True):
    """Operational schedules, their update or withdrawal (F8, R23, R24)."""

    origin: Origin
    interval: Interval
    items: tuple[ScheduleItem, ...]


class AskStatus(Struct, frozen=True, kw_only=True, tag=True):
    """A request for data (F5, F9, R13).

    `subject` is the DocumentType asked for: A95 assets, A67 schedules, A53 limits.
    """

    origin: Origin
    subject: str
    resources: tuple[Identifier, ...] = ()
    interval: Interval | None = None


class NoteAcknowledgement(Struct, frozen=True, kw_only=True, tag=True):
    """A gateway's answer to something the hub pushed; it ends here (R26). `verdict` is A01, A02 or A03.

    `revision` is None where the answer names none.
    """

    origin: Origin
    answered: Mrid
    revision: int | None = None
    verdict: str
    reasons: tuple[Reason, ...] = ()


class RefuseDocument(Struct, frozen=True, kw_only=True, tag=True):
    """A document that intake could read only enough to refuse: wrong form, role, receiver or type (R2, R26)."""

    origin: Origin
    reasons: tuple[Reason, ...]


class Quarantine(Struct, frozen=True, kw_only=True, tag=True):
    """A document that made the code fail (R30). `error` names the exception class, never its text."""

    origin: Origin
    message_id: str
    error: str


class AddParticipant(Struct, frozen=True, kw_only=True, tag=True):
    """Admit a participant (R1). `brp` is an AGR's balance responsible party."""

    participant: Identifier
    role: Role
    name: str = ""
    brp: Identifier | None = None
    why: str = ""
    by: str


class SuspendParticipant(Struct, frozen=True, kw_only=True, tag=True):
    """Refuse what a participant sends until it is resumed; it still receives limits (R1)."""

    participant: Identifier
    why: str
    by: str


class ResumeParticipant(Struct, frozen=True, kw_only=True, tag=True):
    """End a suspension (R1)."""

    participant: Identifier
    why: str
    by: str


class ReassignResource(Struct, frozen=True, kw_only=True, tag=True):
    """Hand an asset over to another AGR without the old one's help (R6)."""

    resource: Identifier
    to: Identifier
    why: str
    by: str


class ReassignPoint(Struct, frozen=True, kw_only=True, tag=True):
    """Hand a connection point over to another DSO (R6)."""

    point: Identifier
    to: Identifier
    why: str
    by: str


class RaiseAlarm(Struct, frozen=True, kw_only=True, tag=True):
    """Tell the operator once about something that needs eyes (R27: an unforeseen limit not delivered within 60 s)."""

    subject: str
    text: str


class ErasePayloads(Struct, frozen=True, kw_only=True, tag=True):
    """Let raw documents go: those with these digests, found by age (taken in `before`), by who sent them, or both."""

    digests: tuple[str, ...]
    before: Instant | None
    participant: Identifier | None
    why: str
    by: str


class RetryMessage(Struct, frozen=True, kw_only=True, tag=True):
    """Send a message again that waits, or (`again`: its new message id) what a failed one carried (R29)."""

    message_id: str
    receiver: str
    document: str
    again: str | None = None
    why: str
    by: str


Command = (
    RegisterResources
    | RegisterPoints
    | AnnounceLimit
    | OrderLimit
    | CancelLimit
    | SubmitSchedules
    | AskStatus
    | NoteAcknowledgement
    | RefuseDocument
    | Quarantine
    | AddParticipant
    | SuspendParticipant
    | ResumeParticipant
    | ReassignResource
    | ReassignPoint
    | RaiseAlarm
    | ErasePayloads
    | RetryMessage
)
