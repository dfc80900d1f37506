"""Every fact the hub's log can hold: frozen structs with a tag `Name.v1`. The glossary of what can happen, in code.

A fact is never edited. A new shape is `Name.v2` plus a lift from v1 in `LIFTS` and a stored sample. Nothing outward
reads this module.
"""

from typing import Any, Final

from msgspec import Raw, Struct, field

from documents.model import RejectedSeries
from documents.packing import Curved
from documents.values import Identifier, Instant, Interval, Mrid, Period, Reason
from hub.commands import Origin
from hub.restored import StoreRestored
from hub.values import AssetOrder, AssetShare, Capability, Direction, LimitKind, Role


class ParticipantAdded(Struct, frozen=True, kw_only=True, tag="ParticipantAdded.v2"):
    """A MarketParticipant was admitted (R1)."""

    participant: Identifier
    role: Role
    name: str
    brp: Identifier | None
    why: str
    by: str


class ParticipantSuspended(Struct, frozen=True, kw_only=True, tag="ParticipantSuspended.v1"):
    """Its sends are refused from now on (R1)."""

    participant: Identifier
    why: str
    by: str


class ParticipantResumed(Struct, frozen=True, kw_only=True, tag="ParticipantResumed.v1"):
    """Its sends are taken again (R1)."""

    participant: Identifier
    why: str
    by: str


class PointRegistered(Struct, frozen=True, kw_only=True, tag="PointRegistered.v1"):
    """A DSO claimed a connection point, or changed what it says of it (R4)."""

    point: Identifier
    dso: Identifier
    psr_type: str
    voltage: str
    created: Instant


class PointRemoved(Struct, frozen=True, kw_only=True, tag="PointRemoved.v1"):
    """A DSO gave up a connection point; its assets stay registered (R8)."""

    point: Identifier
    dso: Identifier
    created: Instant


class PointReassigned(Struct, frozen=True, kw_only=True, tag="PointReassigned.v1"):
    """The operator of the platform handed a point to another DSO (R6)."""

    point: Identifier
    dso: Identifier
    previous: Identifier
    why: str
    by: str


class ResourceRegistered(Struct, frozen=True, kw_only=True, tag="ResourceRegistered.v1"):
    """An AGR registered an asset, or changed its point or capability (R4, R7, R9)."""

    resource: Identifier
    operator: Identifier
    point: Identifier
    capability: Capability
    psr_type: str
    voltage: str
    created: Instant


class ResourceRemoved(Struct, frozen=True, kw_only=True, tag="ResourceRemoved.v1"):
    """An AGR took an asset out; its shares lapse until somebody registers it (R17)."""

    resource: Identifier
    operator: Identifier
    created: Instant


class ResourceReassigned(Struct, frozen=True, kw_only=True, tag="ResourceReassigned.v1"):
    """The operator of the platform handed an asset to another AGR, without a gap (R6)."""

    resource: Identifier
    operator: Identifier
    previous: Identifier
    why: str
    by: str


class LimitedSeries(Struct, frozen=True, kw_only=True):
    """What the DSO said in one series: the assets and their shared total in watts over time."""

    series: Mrid
    assets: tuple[Identifier, ...]
    periods: tuple[Period, ...]


class LimitAnnounced(Struct, frozen=True, kw_only=True, tag="LimitAnnounced.v1"):
    """A revision of a foreseen limit, with inputs, policy and shares, fixed for this revision (R16, R17)."""

    dso: Identifier
    mrid: Mrid
    revision: int
    direction: Direction
    interval: Interval
    series: tuple[LimitedSeries, ...]
    policy: str
    shares: tuple[AssetShare, ...]
    operators: tuple[Identifier, ...]
    reasons: tuple[Reason, ...]
    """`operators[i]` operates the asset of `shares[i]` at this instant, part of the division's inputs."""


class LimitOrdered(Struct, frozen=True, kw_only=True, tag="LimitOrdered.v1"):
    """A revision of an unforeseen limit; `interval.end` is the expected end (R15)."""

    dso: Identifier
    mrid: Mrid
    revision: int
    direction: Direction
    interval: Interval
    orders: tuple[AssetOrder, ...]
    reasons: tuple[Reason, ...]


class LimitCancelled(Struct, frozen=True, kw_only=True, tag="LimitCancelled.v1"):
    """A limit was withdrawn, or, when it was unknown, may never come (R19)."""

    dso: Identifier
    mrid: Mrid
    revision: int
    kind: LimitKind | None


class ScheduleSubmitted(Curved, Struct, frozen=True, kw_only=True, tag="ScheduleSubmitted.v1"):
    """One asset's plan in one document: replaces what that document said of the asset (R23, R24)."""

    operator: Identifier
    mrid: Mrid
    revision: int
    series: Mrid
    resource: Identifier
    curve: Raw = field(name="periods")


class ScheduleWithdrawn(Struct, frozen=True, kw_only=True, tag="ScheduleWithdrawn.v1"):
    """One asset's plan in one document was withdrawn (R24)."""

    operator: Identifier
    mrid: Mrid
    revision: int
    resource: Identifier


class StatusRequested(Struct, frozen=True, kw_only=True, tag="StatusRequested.v1"):
    """A participant asked for its data (R13); the answer is the data, or 999 when `empty`."""

    origin: Origin
    subject: str
    resources: tuple[Identifier, ...]
    interval: Interval | None
    empty: bool


class DocumentAnswered(Struct, frozen=True, kw_only=True, tag="DocumentAnswered.v1"):
    """The verdict on a document, once and for ever (R3, R26): A01, A02 or A03 with reasons and the refused series."""

    origin: Origin
    verdict: str
    reasons: tuple[Reason, ...]
    rejected: tuple[RejectedSeries, ...]


class DocumentRepeated(Struct, frozen=True, kw_only=True, tag="DocumentRepeated.v1"):
    """The same (sender, mRID, revision) with the same content came again; the first verdict is given again (R19)."""

    origin: Origin


class PushAcknowledged(Struct, frozen=True, kw_only=True, tag="PushAcknowledged.v1"):
    """A gateway answered a document of the hub (R26); for a limit this says that its client has collected it (R29)."""

    participant: Identifier
    document: Mrid
    verdict: str
    reasons: tuple[Reason, ...]


class HolderConflictNoted(Struct, frozen=True, kw_only=True, tag="HolderConflictNoted.v1"):
    """Somebody tried to register what another participant holds: a security event (R5)."""

    participant: Identifier
    subject: Identifier
    document: Mrid


class MessageQuarantined(Struct, frozen=True, kw_only=True, tag="MessageQuarantined.v1"):
    """A document made the code fail and was set aside (R30)."""

    origin: Origin
    message_id: str
    error: str


class AlarmRaised(Struct, frozen=True, kw_only=True, tag="AlarmRaised.v1"):
    """The operator was told about something that needs eyes."""

    subject: str
    text: str


class PayloadsErased(Struct, frozen=True, kw_only=True, tag="PayloadsErased.v1"):
    """Raw documents were let go; the log keeps their digests (SHA-256, hexadecimal).

    `before` and `participant` are what they were chosen by: taken in before an instant, sent by somebody, or both.
    """

    digests: tuple[str, ...]
    before: Instant | None
    participant: Identifier | None
    why: str
    by: str


class MessageRetried(Struct, frozen=True, kw_only=True, tag="MessageRetried.v1"):
    """The operator had a message sent again; of a failed one its document, as the message `again` (R29)."""

    message_id: str
    receiver: str
    document: str
    again: str | None
    why: str
    by: str


class ViewsRebuilt(Struct, frozen=True, kw_only=True, tag="ViewsRebuilt.v1"):
    """The operator had these projections made anew from the log, and something of them was not as it says (R32).

    `items` and `keys` were other than the log says; `appended` rows tell readers so. `renewed`: of another version.
    """

    projections: tuple[str, ...]
    items: int
    keys: int
    appended: int
    renewed: tuple[str, ...]
    why: str
    by: str


Event = (
    ParticipantAdded
    | ParticipantSuspended
    | ParticipantResumed
    | PointRegistered
    | PointRemoved
    | PointReassigned
    | ResourceRegistered
    | ResourceRemoved
    | ResourceReassigned
    | LimitAnnounced
    | LimitOrdered
    | LimitCancelled
    | ScheduleSubmitted
    | ScheduleWithdrawn
    | StatusRequested
    | DocumentAnswered
    | DocumentRepeated
    | PushAcknowledged
    | HolderConflictNoted
    | MessageQuarantined
    | AlarmRaised
    | PayloadsErased
    | MessageRetried
    | ViewsRebuilt
    | StoreRestored
)


def _with_why(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "type": "ParticipantAdded.v2", "why": ""}


LIFTS: Final[dict[str, Any]] = {"ParticipantAdded.v1": _with_why}
"""Old topic -> function from its decoded builtins to those of the next version."""
