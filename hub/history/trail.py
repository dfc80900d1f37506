"""The whole story of a document: who sent it, when it came, how it was judged and divided, what left because of it, and
how far that came, with the digests (pure).

Nothing is decided here: what the log, the inbox and the traces say is put in order.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from documents.codes import ReasonCode
from documents.identifiers import code_of
from documents.values import Identifier, Instant
from hub.events import Event, PushAcknowledged
from hub.history.evidence import Received, Sent
from hub.history.happenings import happened
from hub.mades.message import BusinessType
from hub.ports import MessageState, Recorded, TraceStep

STEPS: Final = {
    "ACCEPTED": "queued",
    "TRANSPORTED": "handed to the broker",
    "DELIVERED": "delivered",
    "RECEIVED": "received by its business side",
    "FAILED": "FAILED",
    "RETRY": "to be tried again",
}
PROOFS: Final = {
    "DELIVERED": "DELIVERY_ACKNOWLEDGEMENT",
    "RECEIVED": "RECEIVE_ACKNOWLEDGEMENT",
    "FAILED": "FAILURE_ACKNOWLEDGEMENT",
}
"""Step of a trace -> the signed acknowledgement that proves it."""
COLLECTED: Final = frozenset({BusinessType.FORESEEN.value, BusinessType.UNFORESEEN.value})
"""Where an answer says that the receiver's own client has it (R29)."""


class Entry(Struct, frozen=True, kw_only=True):
    """One thing that happened; `digests` by what they are of, `position` where the log has it."""

    at: Instant
    who: Identifier | None
    text: str
    position: int | None = None
    digests: dict[str, str] = {}


class Leg(Struct, frozen=True, kw_only=True):
    """A message that left because of the document, with everything that happened to it."""

    message_id: str
    business_type: str
    document: str
    receiver: Identifier
    digest: str | None
    state: MessageState
    entries: tuple[Entry, ...]


class Story(Struct, frozen=True, kw_only=True):
    """A document, what happened with it, and what left because of it, each in order of time.

    `sender` is None for a document of the hub's own that tells of many; `made_of` are the causes it tells of.
    """

    document: str
    sender: Identifier | None
    entries: tuple[Entry, ...]
    legs: tuple[Leg, ...]
    made_of: tuple[str, ...] = ()


def story(
    document: str,
    sender: Identifier | None,
    *,
    received: Iterable[Received] = (),
    events: Iterable[Recorded[Event]] = (),
    sent: Sequence[Sent] = (),
    answers: Iterable[Recorded[Event]] = (),
    made_of: Iterable[str] = (),
) -> Story:
    """Put in order what is known. `answers` are what the receivers' gateways said to what was `sent`."""
    told = [*(entry for message in received for entry in _came(message)), *(_event(recorded) for recorded in events)]
    answered = list(answers)
    return Story(
        document=document,
        sender=sender,
        entries=_ordered(told),
        legs=tuple(_leg(message, _answers_to(message, sent, answered)) for message in sent),
        made_of=tuple(made_of),
    )


def _ordered(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.at))


def _came(message: Received) -> Iterator[Entry]:
    kept = {
        None: "; the raw document is not kept",
        True: "",
        False: "; THE RAW DOCUMENT THAT IS KEPT HAS ANOTHER DIGEST",
    }
    digests = {"document": message.digest}
    if message.manifest_digest:
        digests["signed manifest"] = message.manifest_digest
    text = f"received as {message.business_type}, message {message.message_id}{kept[message.is_intact]}"
    yield Entry(at=message.received, who=None, text=text, digests=digests)
    for answer in message.answered:
        if answer.sent:
            kind = answer.kind.lower().replace("_", " ")
            yield Entry(at=answer.sent, who=None, text=f"{kind} sent to {code_of(message.sender)}")


def _event(recorded: Recorded[Event]) -> Entry:
    return Entry(at=recorded.at, who=None, text=happened(recorded.event), position=recorded.position)


def _answers_to(message: Sent, sent: Sequence[Sent], answers: Iterable[Recorded[Event]]) -> Iterator[Entry]:
    """Answers to this message and not to a later one of the same document: a copy keeps its mRID over revisions."""
    same = [one.accepted for one in sent if (one.receiver, one.document) == (message.receiver, message.document)]
    until = min((accepted for accepted in same if accepted > message.accepted), default=None)
    for recorded in answers:
        event = recorded.event
        if (
            isinstance(event, PushAcknowledged)
            and (event.participant, event.document) == (message.receiver, message.document)
            and message.accepted <= recorded.at
            and (until is None or recorded.at < until)
        ):
            yield _answer(event, recorded, message)


def _answer(event: PushAcknowledged, recorded: Recorded[Event], message: Sent) -> Entry:
    is_collected = message.business_type in COLLECTED and event.verdict != ReasonCode.FULLY_REJECTED
    text = f"answered {event.verdict}" + (": its own client has collected it" if is_collected else "")
    return Entry(at=recorded.at, who=event.participant, text=text, position=recorded.position)


def _leg(message: Sent, answers: Iterable[Entry]) -> Leg:
    return Leg(
        message_id=message.message_id,
        business_type=message.business_type,
        document=message.document,
        receiver=message.receiver,
        digest=message.digest,
        state=message.state,
        entries=_ordered([*(_step(step, message) for step in message.trace), *answers]),
    )


def _step(step: TraceStep, message: Sent) -> Entry:
    is_theirs = step.component == message.receiver
    proofs = {proof.kind: proof.digest for proof in message.proofs} if is_theirs else {}
    proof = proofs.get(PROOFS.get(step.state, ""))
    return Entry(
        at=step.at,
        who=message.receiver if is_theirs else None,
        text=STEPS.get(step.state, step.state) + (f": {step.details}" if step.details else ""),
        digests={"signed acknowledgement": proof} if proof else {},
    )
