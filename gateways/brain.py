"""The mind of a gateway (floor 3, pure): what leaves, what waits, what an answer changes.

A `hub.ports.Brain` for the desk.

An event is turned into changes of rows, and the state is those rows: folding an event applies what it shows. What is
only remembered (unanswered documents, stamps) lives in views whose name starts with `_` and is shown to nobody. What
an AGR or a DSO does with its documents stands in its own `Trade`.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, assert_never

import msgspec
from msgspec.structs import replace

from documents.codes import ReasonCode
from documents.model import (
    AcknowledgementMarketDocument,
    Attribute,
    Document,
    GlMarketDocument,
    ReceivedDocument,
    RefMarketDocument,
    RejectedSeries,
    StatusRequestMarketDocument,
    UnavailabilityMarketDocument,
)
from documents.values import Instant, Mrid, Reason
from gateways import commands, verdicts
from gateways.carriage import business_type, expiry, is_urgent
from gateways.draft import EPOCH, Draft
from gateways.events import (
    Collected,
    DocumentReceived,
    DocumentReleased,
    DocumentSent,
    Event,
    MessageRetried,
    Reminded,
    SendFailed,
    TokenIssued,
    TokenRevoked,
)
from gateways.identity import Identity
from gateways.questions import question
from gateways.rows import (
    ASKED,
    COLLECTED,
    MESSAGES,
    OUTBOX,
    STAMPS,
    UNANSWERED,
    Outgoing,
    Rejection,
    SentMessage,
    Stamp,
    Unanswered,
)
from gateways.state import Tables
from hub.errors import UnknownEvent
from hub.ports import Recorded, Row, Sending
from hub.restored import STREAM, StoreRestored

SECOND: Final = timedelta(seconds=1)
TOPICS: Final = {
    f"{kind.__name__}.v1": kind
    for kind in (
        DocumentSent,
        DocumentReleased,
        DocumentReceived,
        SendFailed,
        Collected,
        Reminded,
        TokenIssued,
        TokenRevoked,
        MessageRetried,
        StoreRestored,
    )
}
_DECODERS: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    topic: msgspec.json.Decoder(kind) for topic, kind in TOPICS.items()
}  # each decodes its own kind
_NOT_KEPT: Final = frozenset({OUTBOX, MESSAGES})
"""Views that are shown but never needed again to decide."""


class Trade(Protocol):
    """What one kind of gateway does with its documents. Pure; `known` is the state before the event."""

    def draft(self, command: Any, known: Tables, now: datetime) -> Draft | None:  # a command of this trade
        """The document a command of this trade leads to; None when the state no longer allows it."""

    def sent(self, document: Document, known: Tables) -> Iterator[Row]:
        """Rows of a document that is on its way."""

    def answered(self, document: Document, outcome: verdicts.Outcome, known: Tables) -> Iterator[Row]:
        """Rows of a document the hub has judged."""

    def received(self, document: Document, request: StatusRequestMarketDocument | None, known: Tables) -> Iterator[Row]:
        """Rows of a document from the hub, or of an empty answer to `request`."""

    def at_once(self, document: Document) -> bool:
        """Whether this is acknowledged on arrival; a limit is when its client collects it (R29)."""

    def collectable(self, mrid: Mrid, revision: int, known: Tables) -> Document | None:
        """What the acknowledgement of a collected limit answers, as far as it is known."""

    def reminders(self, known: Tables, now: datetime, ahead: timedelta) -> Iterator[Reminded]:
        """Limits whose sender must be reminded (R15)."""

    def reminded(self, event: Reminded, known: Tables) -> Iterator[Row]:
        """Rows of a reminder."""


class GatewayBrain:
    """See the module's charter."""

    def __init__(self, who: Identity, trade: Trade) -> None:
        self.who, self._trade = who, trade
        self.known = Tables()

    def encode(self, event: Event) -> tuple[str, bytes]:
        """Topic and state of an event; JSON, so that an auditor can read it."""
        return f"{type(event).__name__}.v1", msgspec.json.encode(event)

    def decode(self, topic: str, state: bytes) -> Event:
        """The event. Raises UnknownEvent."""
        if topic not in TOPICS:
            raise UnknownEvent(
                f"The log holds {topic}, which this version cannot read. Start the version that wrote it."
            )
        event: Event = _DECODERS[topic].decode(state)
        return event

    def stream_of(self, event: Event) -> str:
        """The document, token or message an event is about."""
        match event:
            case DocumentSent():
                return f"sent/{event.document.mrid}"
            case DocumentReleased() | SendFailed():
                return f"sent/{event.sent.partition('/')[0]}"
            case DocumentReceived():
                return f"received/{event.document.mrid}"
            case Collected():
                return f"received/{event.mrid}"
            case Reminded():
                return f"sent/{event.mrid}"
            case TokenIssued() | TokenRevoked():
                return f"token/{event.fingerprint}"
            case MessageRetried():
                return f"message/{event.message_id}"
            case StoreRestored():
                return STREAM
            case _:
                assert_never(event)

    def savepoint(self) -> int:
        """Remember the present state."""
        return self.known.savepoint()

    def rollback(self, savepoint: int) -> None:
        """Return to a remembered state."""
        self.known.rollback(savepoint)

    def decide(self, command: Any, now: datetime) -> Sequence[Event]:  # commands of this module's or of the trade
        """The events of a command; none when the state no longer allows it, which its caller tells the client."""
        match command:
            case commands.Receive():
                return tuple(self._receive(command, now))
            case commands.NoteFailure():
                return tuple(self._fail(command))
            case commands.Collect():
                return tuple(self._collect(command, now))
            case commands.Remind():
                return tuple(self._trade.reminders(self.known, now, timedelta(seconds=command.ahead_s)))
            case commands.Ask():
                return (self._send(Draft(document=self._question(command)), now),)
            case commands.Note():
                return (command.done,)
            case _:
                draft = self._trade.draft(command, self.known, now)
                return (self._send(draft, now),) if draft and draft.document else ()

    def refused(self, command: Any, now: datetime) -> Sequence[Rejection]:  # a command of the trade
        """Why nothing of a wish can be sent, item by item; empty when it is not about single items."""
        draft = self._trade.draft(command, self.known, now)
        return draft.refused if draft else ()

    def drafted(self, command: Any, now: datetime) -> Document | None:  # a command of this module's or of the trade
        """What a wish would send as things stand, still without its instant; None when that is nothing."""
        if isinstance(command, commands.Ask):
            return self._question(command)
        draft = self._trade.draft(command, self.known, now)
        return draft.document if draft else None

    def rows(self, recorded: Recorded[Event]) -> Sequence[Row]:
        """What an event shows, seen from the state before it."""
        return [row for row in self._changes(recorded) if not row.view.startswith("_")]

    def evolve(self, recorded: Recorded[Event]) -> None:
        """Fold an event: its rows become the state."""
        for row in list(self._changes(recorded)):
            if row.view not in _NOT_KEPT:
                self.known.put(row.view, row.key, row.payload)

    def last_asked(self, subject: str) -> datetime | None:
        """When the hub was last asked for everything of a subject (R13)."""
        stamp = self.known.get(ASKED, subject, Stamp)
        return stamp.at if stamp else None

    def overdue(self, before: datetime) -> Sequence[Mrid]:
        """Documents that left before this instant and were never answered."""
        waiting = self.known.all(UNANSWERED, Unanswered).values()
        return [w.document.mrid for w in waiting if not w.held and not w.failed and w.at < before]

    def _send(self, draft: Draft, now: datetime) -> DocumentSent:
        """Give a document its instant: after every earlier one about the same resource, which it waits for (R10)."""
        assert draft.document is not None
        document, created = draft.document, now.replace(microsecond=0)
        if not isinstance(document, RefMarketDocument):
            return DocumentSent(document=replace(document, created=created), refused=draft.refused)
        resources = verdicts.resources_of(document)
        stamps = [stamp.at + SECOND for r in resources if (stamp := self.known.get(STAMPS, r, Stamp))]
        busy = {r for waiting in self._queue() for r in verdicts.resources_of(waiting.document)}
        document = replace(document, created=max([created, *stamps]))
        return DocumentSent(document=document, held=not busy.isdisjoint(resources), refused=draft.refused)

    def _queue(self) -> list[Unanswered]:
        """Ref documents the hub still owes an answer to, oldest first."""
        waiting = self.known.all(UNANSWERED, Unanswered).values()
        refs = [w for w in waiting if isinstance(w.document, RefMarketDocument) and not w.failed]
        return sorted(refs, key=lambda w: w.order)

    def _released(self, answered: str) -> Iterator[DocumentReleased]:
        """Held documents whose turn has come now that one is out of the way (R10)."""
        busy: set[str] = set()
        for waiting in self._queue():
            name, resources = verdicts.name_of(waiting.document), verdicts.resources_of(waiting.document)
            if name == answered:
                continue
            if waiting.held and busy.isdisjoint(resources):
                yield DocumentReleased(sent=name)
            busy.update(resources)

    def _receive(self, command: commands.Receive, now: datetime) -> Iterator[Event]:
        document = command.document
        if document is None or command.refusal:
            refusal = command.refusal or Reason(ReasonCode.UNREADABLE)
            if not isinstance(document, AcknowledgementMarketDocument):
                yield self._acknowledge(document, command.message_id, now, refusal)
            return
        if isinstance(document, AcknowledgementMarketDocument):
            if answers := self._answered_by(document):
                yield DocumentReceived(document=document, answers=answers)
                yield from self._released(answers)
            return
        yield DocumentReceived(document=document, answers=self._asked_for(command) if command.response else None)
        if not command.response and self._trade.at_once(document):
            yield self._acknowledge(document, command.message_id, now)

    def _answered_by(self, answer: AcknowledgementMarketDocument) -> str | None:
        """The sent document an acknowledgement is about; None for one that is not awaited."""
        exact = f"{answer.received.mrid}/{answer.received.revision or 0}"
        return exact if self.known.get(UNANSWERED, exact, Unanswered) else None

    def _asked_for(self, command: commands.Receive) -> str | None:
        """The request a response answers: the one it names, else the oldest about its subject."""
        subject = _topic(command.document)
        waiting = [w for w in self.known.all(UNANSWERED, Unanswered).values() if _subject(w.document) == subject]
        waiting.sort(key=lambda w: (w.document.mrid != command.request, w.order))
        return verdicts.name_of(waiting[0].document) if waiting else None

    def _acknowledge(
        self, document: Document | None, title: str, now: datetime, refusal: Reason | None = None
    ) -> DocumentSent:
        """The one answer to a document of the hub (R26).

        Its mRID follows from what it answers, so a repeat is the same.
        """
        rejected = tuple(_rejections(document)) if document and not refusal else ()
        code = ReasonCode.FULLY_REJECTED if refusal else ReasonCode.FULLY_ACCEPTED
        reasons = (Reason(ReasonCode.PARTLY_REJECTED if rejected else code), *((refusal,) if refusal else ()))
        about = verdicts.name_of(document) if document else title
        answer = AcknowledgementMarketDocument(
            mrid=derived("acknowledgement", self.who.me.id, about, reasons[0].code),
            created=now.replace(microsecond=0),
            sender=self.who.me,
            receiver=self.who.hub,
            received=_received(document) if document else ReceivedDocument(title=title),
            rejected=rejected,
            reasons=reasons,
        )
        return DocumentSent(document=answer)

    def _fail(self, command: commands.NoteFailure) -> Iterator[Event]:
        for name, waiting in self.known.all(UNANSWERED, Unanswered).items():
            if waiting.document.mrid == command.mrid and not waiting.held and not waiting.failed:
                yield SendFailed(sent=name, hop=command.hop, reason=command.reason)
                yield from self._released(name)

    def _collect(self, command: commands.Collect, now: datetime) -> Iterator[Event]:
        for mrid, revision in dict.fromkeys(command.limits):
            document = self._trade.collectable(mrid, revision, self.known)
            if document is None or self.known.get(COLLECTED, f"{mrid}/{revision}", Stamp):
                continue
            yield Collected(mrid=mrid, revision=revision)
            yield self._acknowledge(document, "", now)

    def _question(self, command: commands.Ask) -> StatusRequestMarketDocument:
        process = {"A95": "A39", "A67": "A01", "A53": "A26"}[command.subject]
        attributes = [Attribute("DocumentType", command.subject), Attribute("ProcessType", process)]
        if command.interval:
            span = (f"{at:%Y-%m-%dT%H:%MZ}" for at in (command.interval.start, command.interval.end))
            attributes.append(Attribute("TimeInterval", "/".join(span)))
        for resource in command.resources:
            scheme, _, code = resource.partition(":")
            attributes.append(Attribute("RegisteredResource", code, scheme))
        return StatusRequestMarketDocument(
            mrid=command.mrid,
            sender=self.who.me,
            receiver=self.who.hub,
            created=EPOCH,
            attributes=tuple(attributes),
        )

    def _changes(self, recorded: Recorded[Event]) -> Iterator[Row]:
        match recorded.event:
            case DocumentSent() as event:
                yield from self._on_sent(event, recorded)
            case DocumentReleased() as event:
                if waiting := self.known.get(UNANSWERED, event.sent, Unanswered):
                    yield self._hidden(UNANSWERED, event.sent, replace(waiting, held=False, at=recorded.at))
                    yield self._outgoing(waiting.document, recorded.at)
            case DocumentReceived() as event:
                yield from self._on_received(event)
            case SendFailed() as event:
                yield from self._on_failed(event)
            case Collected() as event:
                yield self._hidden(COLLECTED, f"{event.mrid}/{event.revision}", Stamp(recorded.at))
            case Reminded() as event:
                yield from self._trade.reminded(event, self.known)
            case TokenIssued() | TokenRevoked() | MessageRetried() | StoreRestored():
                return
            case _:
                assert_never(recorded.event)

    def _on_sent(self, event: DocumentSent, recorded: Recorded[Event]) -> Iterator[Row]:
        document = event.document
        if not event.held:
            yield self._outgoing(document, recorded.at)
        if isinstance(document, AcknowledgementMarketDocument):
            return
        waiting = Unanswered(
            document=document, order=recorded.position, at=recorded.at, held=event.held, refused=event.refused
        )
        yield self._hidden(UNANSWERED, verdicts.name_of(document), waiting)
        yield self._message(document, verdicts.Outcome(verdict="pending", rejected=event.refused))
        if isinstance(document, RefMarketDocument):
            for resource in verdicts.resources_of(document):
                yield self._hidden(STAMPS, resource, Stamp(document.created))
        if isinstance(document, StatusRequestMarketDocument) and _asks_for_all(document):
            yield self._hidden(ASKED, question(document).subject, Stamp(recorded.at))
        yield from self._trade.sent(document, self.known)

    def _on_received(self, event: DocumentReceived) -> Iterator[Row]:
        waiting = self.known.get(UNANSWERED, event.answers, Unanswered) if event.answers else None
        asked = waiting.document if waiting else None
        request = asked if isinstance(asked, StatusRequestMarketDocument) else None
        if waiting and event.answers:
            yield self._hidden(UNANSWERED, event.answers, None)
        if not isinstance(event.document, AcknowledgementMarketDocument):
            if waiting:
                yield self._message(waiting.document, verdicts.Outcome(verdict="accepted"))
            yield from self._trade.received(event.document, request, self.known)
        elif waiting:
            outcome = verdicts.judge(waiting.document, event.document)
            yield self._message(waiting.document, verdicts.with_local_refusals(outcome, waiting.refused))
            yield from self._trade.answered(waiting.document, outcome, self.known)
            if request and outcome.verdict == "accepted":
                yield from self._trade.received(event.document, request, self.known)

    def _on_failed(self, event: SendFailed) -> Iterator[Row]:
        waiting = self.known.get(UNANSWERED, event.sent, Unanswered)
        if waiting is None:
            return
        # Kept: the hub may have had it after all, and its answer then counts (R29).
        yield self._hidden(UNANSWERED, event.sent, replace(waiting, failed=True))
        outcome = verdicts.failure(waiting.document, hop=event.hop, reason=event.reason)
        yield self._message(waiting.document, outcome, failed_at=event.hop, failed_why=event.reason)
        yield from self._trade.answered(waiting.document, outcome, self.known)

    def _outgoing(self, document: Document, at: datetime) -> Row:
        kind = business_type(document)
        sending = Sending(
            business_type=kind, document=document.mrid, expires=expiry(document, at), urgent=is_urgent(kind)
        )
        return Row(
            view=OUTBOX,
            audience=self.who.hub.id,
            key=verdicts.name_of(document),
            payload=Outgoing(document=document),
            send=sending,
        )

    def _message(
        self, document: Document, outcome: verdicts.Outcome, failed_at: str | None = None, failed_why: str | None = None
    ) -> Row:
        shown = SentMessage(
            mrid=document.mrid,
            revision=verdicts.revision_of(document),
            type=str(getattr(document, "type", "")),
            verdict=outcome.verdict,
            accepted=outcome.accepted,
            rejected=outcome.rejected,
            reasons=outcome.reasons,
            failed_at=failed_at,
            failed_why=failed_why,
        )
        key = f"{shown.mrid}/{shown.revision:03d}"
        return Row(view=MESSAGES, audience=self.who.audience, key=key, payload=shown, group=shown.mrid)

    def _hidden(self, view: str, key: str, payload: msgspec.Struct | None) -> Row:
        return Row(view=view, audience=self.who.audience, key=key, payload=payload)


def derived(*parts: str) -> Mrid:
    """An mRID that follows from what it is about: 32 hexadecimal digits."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def _subject(document: Document) -> str | None:
    return question(document).subject if isinstance(document, StatusRequestMarketDocument) else None


def _asks_for_all(document: StatusRequestMarketDocument) -> bool:
    asked = question(document)
    return not asked.resources and asked.interval is None


def _topic(document: Document | None) -> str | None:
    """The subject a response belongs to. The type of a limit tells its direction, so its kind decides."""
    match document:
        case RefMarketDocument():
            return "A95"
        case GlMarketDocument():
            return "A67"
        case UnavailabilityMarketDocument():
            return "A53"
        case _:
            return None


def _received(document: Document) -> ReceivedDocument:
    created: Instant = document.created
    return ReceivedDocument(
        mrid=document.mrid,
        revision=verdicts.revision_of(document) or None,
        type=getattr(document, "type", None),
        process=getattr(document, "process", None),
        created=created,
    )


def _rejections(document: Document) -> Iterator[RejectedSeries]:
    """Series whose content cannot be used, one by one (R3)."""
    if not isinstance(document, RefMarketDocument | UnavailabilityMarketDocument | GlMarketDocument):
        return
    faults = [series.faults for series in document.series]
    for (name, _), found in zip(verdicts.items_of(document), faults, strict=True):
        if found:
            yield RejectedSeries(mrid=name, reasons=tuple(Reason(fault.code, fault.text) for fault in found))
