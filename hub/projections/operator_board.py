"""What the operator of the platform sees: participants, limits with their copies, alarms (F3, R5, R27, R29, R30)."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from documents.codes import ReasonCode
from documents.identifiers import code_of
from documents.values import Identifier, Instant
from hub.aggregates.capacity_limit import limit_after
from hub.aggregates.limit_copies import CopyChange, copy_changes
from hub.events import (
    AlarmRaised,
    Event,
    HolderConflictNoted,
    LimitAnnounced,
    LimitCancelled,
    LimitOrdered,
    MessageQuarantined,
    ParticipantAdded,
    ParticipantResumed,
    ParticipantSuspended,
    PushAcknowledged,
)
from hub.ports import OPERATOR, Recorded, Row
from hub.rows import ALARMS, OPERATOR_LIMITS, PARTICIPANTS, Alarm, LimitCopy, OperatorLimit, Participant
from hub.state import CopyState, HubState, LimitKey, LimitState

VERSION: Final = 1


def rows(recorded: Recorded[Event], state: HubState) -> Sequence[Row]:
    """Rows for the operator alone."""
    event = recorded.event
    match event:
        case ParticipantAdded() | ParticipantSuspended() | ParticipantResumed():
            return [_participant(event, state)]
        case PushAcknowledged():
            return [*_collected(event, state), *_refused(event)]
        case HolderConflictNoted() | MessageQuarantined() | AlarmRaised():
            return [_alarm(event)]
        case _:
            return _limits(event, state, recorded.at)


def _participant(event: ParticipantAdded | ParticipantSuspended | ParticipantResumed, state: HubState) -> Row:
    known = state.participants.get(event.participant)
    if isinstance(event, ParticipantAdded):
        suspended = known.suspended if known else False
        role, name, brp = event.role, event.name, event.brp
    else:
        assert known is not None, "only known participants are suspended or resumed"
        role, name, brp, suspended = known.role, known.name, known.brp, isinstance(event, ParticipantSuspended)
    payload = Participant(participant=event.participant, role=role, name=name, brp=brp, suspended=suspended)
    return Row(view=PARTICIPANTS, audience=OPERATOR, key=event.participant, payload=payload)


def _limits(event: Event, state: HubState, at: Instant) -> Sequence[Row]:
    """The limit of the event, or those under which its assets moved."""
    changes = copy_changes(event, state, at)
    if isinstance(event, LimitAnnounced | LimitOrdered | LimitCancelled):
        key = (event.dso, event.mrid)
        return _limit(key, limit_after(event, state.limits.get(key)), changes, state)
    touched = sorted({change.limit for change in changes})
    return [row for key in touched for row in _limit(key, state.limits[key], changes, state)]


def _limit(key: LimitKey, limit: LimitState, changes: Iterable[CopyChange], state: HubState) -> Sequence[Row]:
    if limit.interval is None or limit.kind is None:
        return []  # a cancel of what never came: nothing to show but its document's trail
    copies = {audience: state.copies[key, audience] for audience in state.copies_of.unordered(key)}
    copies.update((change.audience, change.copy) for change in changes if change.limit == key)
    payload = OperatorLimit(
        dso=key[0],
        mrid=key[1],
        revision=limit.revision,
        kind=limit.kind,
        direction=limit.direction,
        interval=limit.interval,
        cancelled=limit.cancelled,
        resources=limit.assets,
        copies=tuple(_copy(audience, copies[audience]) for audience in sorted(copies)),
    )
    return [
        Row(
            view=OPERATOR_LIMITS,
            audience=OPERATOR,
            key=f"{key[0]}/{key[1]}",
            payload=payload,
            group=key[0],
            valid=limit.interval,
        )
    ]


def _copy(audience: Identifier, copy: CopyState) -> LimitCopy:
    return LimitCopy(
        audience=audience, mrid=copy.content.mrid, revision=copy.content.revision, collected=copy.collected
    )


def _collected(event: PushAcknowledged, state: HubState) -> Sequence[Row]:
    key = state.copied.get((event.participant, event.document))
    if key is None or event.verdict == ReasonCode.FULLY_REJECTED:
        return []
    copy = msgspec.structs.replace(state.copies[key, event.participant], collected=True)
    return _limit(key, state.limits[key], [CopyChange(key, event.participant, copy)], state)


def _refused(event: PushAcknowledged) -> Sequence[Row]:
    if event.verdict != ReasonCode.FULLY_REJECTED:
        return []
    why = "; ".join(f"{reason.code} {reason.text or ''}".strip() for reason in event.reasons)
    text = f"The gateway of {code_of(event.participant)} refused document {event.document}: {why}. Look at its log."
    subject = f"refused/{event.participant}/{event.document}"
    return [Row(view=ALARMS, audience=OPERATOR, key=subject, payload=Alarm(subject=subject, text=text))]


def _alarm(event: HolderConflictNoted | MessageQuarantined | AlarmRaised) -> Row:
    match event:
        case HolderConflictNoted():
            subject = f"holder/{event.participant}/{event.subject}"
            text = f"{code_of(event.participant)} tried to register {code_of(event.subject)}, which another one holds."
        case MessageQuarantined():
            subject = f"quarantine/{event.origin.sender}/{event.message_id}"
            text = f"Message {event.message_id} of {code_of(event.origin.sender)} failed with {event.error}."
        case AlarmRaised():
            subject, text = event.subject, event.text
    return Row(view=ALARMS, audience=OPERATOR, key=subject, payload=Alarm(subject=subject, text=text))
