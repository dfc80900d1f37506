"""What an event of a gateway shows: rows for its people, documents that leave, what is only remembered (pure)."""

from collections.abc import Iterator
from datetime import datetime
from typing import assert_never

import msgspec
from msgspec.structs import replace

from documents.model import AcknowledgementMarketDocument, Document, RefMarketDocument, StatusRequestMarketDocument
from gateways import verdicts
from gateways.carriage import business_type, expiry, is_urgent
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
    SentMessage,
    Stamp,
    Unanswered,
)
from gateways.state import Tables
from gateways.trade import Trade
from hub.ports import Recorded, Row, Sending
from hub.restored import StoreRestored


class Showing:
    """See the module's charter."""

    def __init__(self, who: Identity, trade: Trade) -> None:
        self._who, self._trade = who, trade

    def changes(self, recorded: Recorded[Event], known: Tables) -> Iterator[Row]:
        """The rows of an event, hidden ones too, seen from the state before it."""
        match recorded.event:
            case DocumentSent() as event:
                yield from self._on_sent(event, recorded, known)
            case DocumentReleased() as event:
                if waiting := known.get(UNANSWERED, event.sent, Unanswered):
                    yield self._hidden(UNANSWERED, event.sent, replace(waiting, held=False, at=recorded.at))
                    yield self._outgoing(waiting.document, recorded.at)
            case DocumentReceived() as event:
                yield from self._on_received(event, known)
            case SendFailed() as event:
                yield from self._on_failed(event, known)
            case Collected() as event:
                yield self._hidden(COLLECTED, f"{event.mrid}/{event.revision}", Stamp(recorded.at))
            case Reminded() as event:
                yield from self._trade.reminded(event, known)
            case TokenIssued() | TokenRevoked() | MessageRetried() | StoreRestored():
                return
            case _:
                assert_never(recorded.event)

    def _on_sent(self, event: DocumentSent, recorded: Recorded[Event], known: Tables) -> Iterator[Row]:
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
        yield from self._trade.sent(document, known)

    def _on_received(self, event: DocumentReceived, known: Tables) -> Iterator[Row]:
        waiting = known.get(UNANSWERED, event.answers, Unanswered) if event.answers else None
        asked = waiting.document if waiting else None
        request = asked if isinstance(asked, StatusRequestMarketDocument) else None
        if waiting and event.answers:
            yield self._hidden(UNANSWERED, event.answers, None)
        if not isinstance(event.document, AcknowledgementMarketDocument):
            if waiting:
                yield self._message(waiting.document, verdicts.Outcome(verdict="accepted"))
            yield from self._trade.received(event.document, request, known)
        elif waiting:
            outcome = verdicts.judge(waiting.document, event.document)
            yield self._message(waiting.document, verdicts.with_local_refusals(outcome, waiting.refused))
            yield from self._trade.answered(waiting.document, outcome, known)
            if request and outcome.verdict == "accepted":
                yield from self._trade.received(event.document, request, known)

    def _on_failed(self, event: SendFailed, known: Tables) -> Iterator[Row]:
        waiting = known.get(UNANSWERED, event.sent, Unanswered)
        if waiting is None:
            return
        # Kept: the hub may have had it after all, and its answer then counts (R29).
        yield self._hidden(UNANSWERED, event.sent, replace(waiting, failed=True))
        outcome = verdicts.failure(waiting.document, hop=event.hop, reason=event.reason)
        yield self._message(waiting.document, outcome, failed_at=event.hop, failed_why=event.reason)
        yield from self._trade.answered(waiting.document, outcome, known)

    def _outgoing(self, document: Document, at: datetime) -> Row:
        kind = business_type(document)
        sending = Sending(
            business_type=kind, document=document.mrid, expires=expiry(document, at), urgent=is_urgent(kind)
        )
        return Row(
            view=OUTBOX,
            audience=self._who.hub.id,
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
        return Row(view=MESSAGES, audience=self._who.audience, key=key, payload=shown, group=shown.mrid)

    def _hidden(self, view: str, key: str, payload: msgspec.Struct | None) -> Row:
        return Row(view=view, audience=self._who.audience, key=key, payload=payload)


def _asks_for_all(document: StatusRequestMarketDocument) -> bool:
    asked = question(document)
    return not asked.resources and asked.interval is None
