"""Documents seen: the first verdict on each, repeats, conflicts, refusals and quarantine (R3, R19, R26, R30).

A document's identity is (sender, mRID, revision); Ref documents and requests have no revision and count as revision 0,
an unreadable document is known by the transport's message id. The first content under an identity is judged, the same
content gets the same verdict again, other content is a conflict for ever. So a repeat never has a second effect.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from documents.codes import ReasonCode
from documents.model import Fault, InErrorPeriod, RejectedSeries
from documents.values import Mrid, Reason
from hub.commands import NoteAcknowledgement, Origin, Quarantine, RaiseAlarm, RefuseDocument
from hub.events import (
    AlarmRaised,
    DocumentAnswered,
    DocumentRepeated,
    Event,
    MessageQuarantined,
    PushAcknowledged,
    StatusRequested,
)
from hub.state import CopyState, DocumentKey, HubState

MAX_REASON_TEXT: Final = 512
"""ReasonText_String of the Acknowledgement."""
NAMED_AT_MOST: Final = 10


def reason(code: str, text: str | None) -> Reason:
    """A Reason whose text fits its element."""
    if text is not None and len(text) > MAX_REASON_TEXT:
        text = text[: MAX_REASON_TEXT - 3] + "..."
    return Reason(str(code), text)


def listed(ids: Sequence[str]) -> str:
    """Ids for a text: the first ten, then how many more."""
    more = len(ids) - NAMED_AT_MOST
    return ", ".join(ids[:NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")


def identity(origin: Origin) -> DocumentKey:
    """What a document is known by (R19, R26)."""
    return origin.sender, origin.mrid if origin.title is None else f"title {origin.title}", origin.revision


def remembered(state: HubState, origin: Origin) -> DocumentAnswered | StatusRequested | None:
    """The verdict on exactly this content under this identity, None when it is new."""
    return state.verdicts.get((identity(origin), origin.digest))


def decide_repeat(origin: Origin, state: HubState) -> Event | None:
    """Answer a repeat, or other content under a known identity, without judging it (R19). None: judge it."""
    if remembered(state, origin) is not None:
        return DocumentRepeated(origin=origin)
    if state.digests.has(identity(origin)):
        return refusal(
            origin,
            ReasonCode.VERSION_CONFLICT,
            f"Document {origin.mrid} revision {origin.revision} came before with other content, and that one counts. "
            "Send what you mean as a new revision or, where the document has none, under a new mRID.",
        )
    return None


def refusal(origin: Origin, code: str, text: str, rejected: Sequence[RejectedSeries] = ()) -> DocumentAnswered:
    """A02 for the whole document."""
    return DocumentAnswered(
        origin=origin,
        verdict=ReasonCode.FULLY_REJECTED.value,
        reasons=(reason(code, text),),
        rejected=tuple(rejected),
    )


def verdict(origin: Origin, *, accepted: int, rejected: Sequence[RejectedSeries]) -> DocumentAnswered:
    """Fold the judgements of the series: all accepted A01, none A02, else A03 (R3)."""
    if not rejected:
        code = ReasonCode.FULLY_ACCEPTED
    elif accepted == 0:
        code = ReasonCode.FULLY_REJECTED
    else:
        code = ReasonCode.PARTLY_REJECTED
    return DocumentAnswered(origin=origin, verdict=code.value, reasons=(), rejected=tuple(rejected))


def rejected_series(series: Mrid, faults: Sequence[Fault]) -> RejectedSeries:
    """A refused series with every finding; those about a span name it too. For Ref `series` is the resource's code."""
    return RejectedSeries(
        mrid=series,
        in_error=tuple(
            InErrorPeriod(fault.interval, (reason(fault.code, fault.text),)) for fault in faults if fault.interval
        ),
        reasons=tuple(dict.fromkeys(reason(fault.code, fault.text) for fault in faults)),
    )


def decide_refuse(command: RefuseDocument) -> tuple[Event, ...]:
    """Refuse a document that intake could not take (R2, R26)."""
    return (
        DocumentAnswered(
            origin=command.origin,
            verdict=ReasonCode.FULLY_REJECTED.value,
            reasons=tuple(reason(found.code, found.text) for found in command.reasons),
            rejected=(),
        ),
    )


def decide_quarantine(command: Quarantine, state: HubState) -> tuple[Event, ...]:
    """Set aside a document that made the code fail, and tell its sender without detail (R30)."""
    origin = command.origin
    aside = MessageQuarantined(origin=origin, message_id=command.message_id, error=command.error)
    if remembered(state, origin) is not None:
        return aside, DocumentRepeated(origin=origin)
    return aside, refusal(
        origin,
        ReasonCode.UNREADABLE,
        "The document could not be processed, and the operator of the platform has been told. "
        "Nothing of it took effect. Ask the operator before you send it again.",
    )


def decide_note_acknowledgement(command: NoteAcknowledgement, state: HubState) -> tuple[Event, ...]:
    """Note a gateway's answer to a push; what is already known says nothing new (R26, R29)."""
    sender = command.origin.sender
    limit = state.copied.get((sender, command.answered))
    copy = state.copies.get((limit, sender)) if limit else None
    if sender not in state.participants or (copy is not None and _is_no_news(command, copy)):
        return ()
    return (
        PushAcknowledged(
            participant=sender, document=command.answered, verdict=command.verdict, reasons=command.reasons
        ),
    )


def _is_no_news(command: NoteAcknowledgement, copy: CopyState) -> bool:
    """Whether the copy as it stands is collected already, or an earlier revision of it was only now (R29)."""
    is_overtaken = command.revision not in (None, copy.content.revision)
    return copy.collected or (is_overtaken and command.verdict != ReasonCode.FULLY_REJECTED)


def decide_raise_alarm(command: RaiseAlarm, state: HubState) -> tuple[Event, ...]:
    """Tell the operator once about a subject (R27)."""
    if command.subject in state.alarms:
        return ()
    return (AlarmRaised(subject=command.subject, text=command.text),)


def evolve_verdict(event: DocumentAnswered | StatusRequested, state: HubState) -> None:
    """Remember the verdict under its content."""
    key = identity(event.origin)
    state.digests.add(key, event.origin.digest)
    state.verdicts.put((key, event.origin.digest), event)


def evolve_acknowledged(event: PushAcknowledged, state: HubState) -> None:
    """Mark the AGR's copy of a limit as collected (R29)."""
    limit = state.copied.get((event.participant, event.document))
    if limit is None or event.verdict == ReasonCode.FULLY_REJECTED:
        return
    copy = state.copies[limit, event.participant]
    state.copies.put((limit, event.participant), msgspec.structs.replace(copy, collected=True))


def evolve_alarm(event: AlarmRaised, state: HubState) -> None:
    """Remember the subject."""
    state.alarms.put(event.subject, event.text)
