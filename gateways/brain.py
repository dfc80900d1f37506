"""The mind of a gateway (floor 3, pure): what leaves, what waits, what an answer changes.

A `hub.ports.Brain` for the desk.

An event is turned into changes of rows (`gateways.showing`), and the state is those rows: folding an event applies
what it shows. What is only remembered (unanswered documents, stamps) lives in views whose name starts with `_` and is
shown to nobody. What an AGR or a DSO does with its documents stands in its own `Trade`.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, assert_never

import msgspec
from msgspec.structs import replace

from documents.codes import ReasonCode
from documents.model import (
    AcknowledgementMarketDocument,
    Document,
    GlMarketDocument,
    RefMarketDocument,
    StatusRequestMarketDocument,
    UnavailabilityMarketDocument,
)
from documents.values import Mrid, Reason
from gateways import commands, verdicts
from gateways.acknowledging import acknowledged
from gateways.draft import Draft
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
from gateways.questions import question, request_for
from gateways.rows import (
    ASKED,
    COLLECTED,
    MESSAGES,
    OUTBOX,
    STAMPS,
    UNANSWERED,
    Rejection,
    Stamp,
    Unanswered,
)
from gateways.showing import Showing
from gateways.state import Tables
from gateways.trade import Trade
from hub.errors import UnknownEvent
from hub.ports import Recorded, Row
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


class GatewayBrain:
    """See the module's charter."""

    def __init__(self, who: Identity, trade: Trade) -> None:
        self.who, self._trade, self._showing = who, trade, Showing(who, trade)
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
                return (self._send(Draft(document=request_for(command, self.who)), now),)
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
            return request_for(command, self.who)
        draft = self._trade.draft(command, self.known, now)
        return draft.document if draft else None

    def rows(self, recorded: Recorded[Event]) -> Sequence[Row]:
        """What an event shows, seen from the state before it."""
        return [row for row in self._showing.changes(recorded, self.known) if not row.view.startswith("_")]

    def evolve(self, recorded: Recorded[Event]) -> None:
        """Fold an event: its rows become the state."""
        for row in list(self._showing.changes(recorded, self.known)):
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
                yield acknowledged(document, command.message_id, by=self.who, now=now, refusal=refusal)
            return
        if isinstance(document, AcknowledgementMarketDocument):
            if answers := self._answered_by(document):
                yield DocumentReceived(document=document, answers=answers)
                yield from self._released(answers)
            return
        yield DocumentReceived(document=document, answers=self._asked_for(command) if command.response else None)
        if not command.response and self._trade.at_once(document):
            yield acknowledged(document, command.message_id, by=self.who, now=now)

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
            yield acknowledged(document, "", by=self.who, now=now)


def _subject(document: Document) -> str | None:
    return question(document).subject if isinstance(document, StatusRequestMarketDocument) else None


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
