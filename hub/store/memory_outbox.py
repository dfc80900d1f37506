"""Outgoing messages in memory: the twin of hub.store.outbox."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from msgspec.structs import replace

from documents.values import Identifier
from hub.mades.exchange import EXPIRED, fold_acknowledgement
from hub.mades.message import InternalType
from hub.ports import (
    FeedSlice,
    InboxEntry,
    Item,
    MessageState,
    MessageStatus,
    OutgoingMessage,
    ReceivedAcknowledgement,
    SealedMessage,
    Sending,
)
from hub.store.codec import digest_of
from hub.store.memory_message import Outgoing
from hub.store.sending import ARRIVED, LOST, MridOf, genuine, parts

ACKNOWLEDGEMENT_TTL: Final = timedelta(hours=24)
"""How long an acknowledgement of the transport is worth delivering (R27)."""


class Feeds(Protocol):
    """What a beat has to know of the rows."""

    def audiences(self, view: str) -> Sequence[Identifier]:
        """Who has a feed of this view, in order."""

    def sizes(self, view: str, audience: Identifier, after: int) -> Sequence[int]:
        """Bytes of the payload of each item with sequence > `after`; a withdrawn one has none."""


class MemoryOutbox:
    """Outgoing messages (hub.ports.Outbox)."""

    def __init__(
        self,
        *,
        component: str,
        mrid_of: MridOf,
        new_id: Callable[[], str],
        feeds: Feeds,
    ) -> None:
        self._component, self._mrid_of, self._new_id, self._feeds = component, mrid_of, new_id, feeds
        self._queue: dict[str, Outgoing] = {}
        self._gathered: dict[tuple[str, Identifier], int] = {}

    async def claim(
        self, *, urgent: bool, limit: int, now: datetime, lease_s: float, full: Collection[str] = ()
    ) -> Sequence[OutgoingMessage]:
        """Lease what is due of one kind, oldest first, never ahead of an unsent one of the same document (R28)."""
        first: dict[tuple[str, str], Outgoing] = {}
        unsent = [outgoing for outgoing in self._queue.values() if outgoing.due is not None]
        last: dict[tuple[str, str], Outgoing] = {}
        for outgoing in unsent:
            first.setdefault(outgoing.document, outgoing)
            last[outgoing.document] = outgoing
        free = [o for o in unsent if o.claimable(now) and (not o.message.document or first[o.document] is o)]
        chosen = [o for o in free if o.message.urgent == urgent and o.message.receiver not in full][:limit]
        for outgoing in chosen:
            outgoing.lease_until, outgoing.sent = now + timedelta(seconds=lease_s), now
            outgoing.change(attempts=outgoing.message.attempts + 1)
        return [replace(o.message, followed=bool(o.message.document) and last[o.document] is not o) for o in chosen]

    async def release(self) -> int:
        """Take back every lease: a process starts, so whoever held them has ended; returns how many."""
        held = [o for o in self._queue.values() if o.due is not None and o.lease_until is not None]
        for outgoing in held:
            outgoing.lease_until = None
        return len(held)

    async def sealed(self, messages: Sequence[SealedMessage]) -> None:
        """Keep document and sealed bytes of messages; the document of an earlier rendering stays."""
        for each in messages:
            for outgoing in self._of([each.message_id]):
                body = each.body if outgoing.message.body is None else outgoing.message.body
                outgoing.change(body=body, sealed=each.sealed, sealed_for=each.sealed_for)
                outgoing.manifests.append(each.manifest_digest)

    async def transported(self, message_ids: Sequence[str], *, now: datetime) -> None:
        """The broker has confirmed these; those made due again meanwhile stay due."""
        for outgoing in self._of(message_ids):
            if outgoing.lease_until is None:
                continue
            outgoing.rest(outgoing.state if outgoing.business else MessageState.DELIVERED, outgoing.reason)
            outgoing.sent = now
            if outgoing.business:
                outgoing.tell(now, self._component, "TRANSPORTED")

    async def retry(self, message_ids: Sequence[str], *, at: datetime, reason: str) -> None:
        """Give these back, to be claimed again from `at`."""
        for outgoing in self._of(message_ids):
            if outgoing.due is not None:
                outgoing.again(at)
                outgoing.tell(at, self._component, "RETRY", reason)

    async def fail(self, message_id: str, *, component: str, reason: str, now: datetime) -> None:
        """This one will never be delivered; a message that has ended stays as it is."""
        for outgoing in self._of([message_id]):
            if outgoing.state in (MessageState.ACCEPTED, MessageState.DELIVERED):
                outgoing.rest(MessageState.FAILED, reason)
                outgoing.tell(now, component, "FAILED", reason)

    async def acknowledge(self, acknowledgements: Sequence[ReceivedAcknowledgement], *, now: datetime) -> Sequence[str]:
        """Fold acknowledgements into states; returns the documents (mRIDs) whose state changed."""
        return list(dict.fromkeys(document for received in acknowledgements for document in self._fold(received)))

    async def enqueue_failure(
        self,
        *,
        receiver: str,
        related: str,
        business_type: str,
        digest: str | None,
        manifest_digest: str | None = None,
        reason: str,
        now: datetime,
    ) -> None:
        """Queue a failure acknowledgement for a message refused for good; a repeat makes the stored one due again."""
        stored = [
            o for o in self._acknowledgements(receiver, related) if o.message.internal_type == InternalType.FAILURE
        ]
        for outgoing in stored:
            self._once_more(outgoing, now)
        if not stored:
            self._queue_acknowledgement(
                InternalType.FAILURE, receiver, related, business_type, (digest, manifest_digest), now, reason
            )

    async def reopen(self) -> int:
        """Make every business message that has not ended due again (R31); returns how many."""
        open_ = [o for o in self._queue.values() if o.business and o.state in ("ACCEPTED", "DELIVERED")]
        for outgoing in open_:
            outgoing.again(outgoing.message.accepted)
        return len(open_)

    async def silent(self, *, now: datetime) -> Sequence[str]:
        """Receivers who have owed an acknowledgement of a confirmed message for a while."""
        return sorted({o.message.receiver for o in self._queue.values() if o.unanswered(now) and o.older(now)})

    async def resend(self, *, answered: Mapping[str, datetime], now: datetime) -> int:
        """Make messages due again that are lost, as what their receivers answered since shows; returns how many."""
        received = [o for o in self._queue.values() if o.business and o.state is MessageState.RECEIVED]
        lost = [
            outgoing
            for outgoing in self._queue.values()
            if outgoing.unanswered(now)
            and (
                outgoing.older(answered.get(outgoing.message.receiver))
                or any(outgoing.older(later.sent) for later in received if outgoing.queue == later.queue)
            )
        ]
        for outgoing in lost:
            outgoing.again(now)
            outgoing.resent += 1
            outgoing.tell(now, self._component, "RETRY", LOST)
        return len(lost)

    async def expire(self, *, now: datetime, grace_s: float = 60.0) -> Sequence[str]:
        """FAIL what has passed its expiry undelivered; returns documents (mRIDs)."""
        edge = now - timedelta(seconds=grace_s)
        late = [o for o in self._queue.values() if o.state is MessageState.ACCEPTED and o.message.expires < edge]
        for outgoing in late:
            outgoing.rest(MessageState.FAILED, EXPIRED)
            outgoing.tell(now, self._component, "FAILED", EXPIRED)
        return list(dict.fromkeys(outgoing.message.document for outgoing in late if outgoing.business))

    async def overdue(self, *, business_type: str, since: datetime) -> Sequence[OutgoingMessage]:
        """Undelivered messages of this type accepted before `since`."""
        return [
            outgoing.message
            for outgoing in self._queue.values()
            if outgoing.business
            and outgoing.state is MessageState.ACCEPTED
            and outgoing.message.business_type == business_type
            and outgoing.message.accepted < since
        ]

    async def gather(
        self, view: str, *, business_type: str, now: datetime, ttl_s: float, most: int, most_bytes: int
    ) -> int:
        """Messages of so many items and bytes for each audience with items of `view` not yet sent to it (R12)."""
        sent = 0
        for audience in self._feeds.audiences(view):
            gathered = self._gathered.get((view, audience), 0)
            for after, upto in parts(gathered, self._feeds.sizes(view, audience, gathered), most, most_bytes):
                sending = Sending(
                    business_type=business_type,
                    document=self._mrid_of(view, audience, upto),
                    expires=now + timedelta(seconds=ttl_s),
                )
                self.queue(FeedSlice(view, audience, after, upto), sending, now=now)
                self._gathered[view, audience] = upto
                sent += 1
        return sent

    async def status(self, document: str) -> Sequence[MessageStatus]:
        """Status and trace of every message that carried this document, newest last."""
        return [_status(outgoing) for outgoing in self._queue.values() if outgoing.message.document == document]

    async def find(self, message_id: str) -> MessageStatus | None:
        """Status and trace of one business message."""
        return next((_status(outgoing) for outgoing in self._of([message_id]) if outgoing.business), None)

    def _undelivered(self) -> Iterator[Outgoing]:
        return (o for o in self._queue.values() if o.business and o.state is MessageState.ACCEPTED)

    async def waiting(self) -> int:
        """How many business messages are not delivered yet."""
        return sum(1 for _ in self._undelivered())

    async def oldest(self) -> datetime | None:
        """When the oldest of those was accepted; None when nothing waits."""
        return min((outgoing.message.accepted for outgoing in self._undelivered()), default=None)

    async def proofs(self, message_id: str) -> Mapping[str, bytes]:
        """The signed acknowledgements that arrived for a message, by internal type."""
        return dict(self._queue[message_id].acknowledgements) if message_id in self._queue else {}

    def send(self, item: Item, sending: Sending, *, now: datetime) -> None:
        """Queue the document of one row (for MemoryCommit)."""
        self.queue(FeedSlice(item.view, item.audience, item.sequence - 1, item.sequence), sending, now=now)

    def queue(self, source: FeedSlice, sending: Sending, *, now: datetime) -> None:
        """Queue a document made of a slice of its receiver's feed."""
        outgoing = self._add(
            OutgoingMessage(
                message_id=sending.message_id or self._new_id(),
                internal_type=InternalType.STANDARD,
                receiver=source.audience,
                business_type=sending.business_type,
                document=sending.document,
                urgent=sending.urgent,
                accepted=now,
                expires=sending.expires,
                application=sending.application,
                source=source,
            )
        )
        outgoing.tell(now, self._component, "ACCEPTED")

    def acknowledge_receipt(self, entry: InboxEntry, *, now: datetime) -> None:
        """Queue both acknowledgements of a message taken in, or the first one only (for MemoryCommit; R29)."""
        self._acknowledge(InternalType.DELIVERY, entry, now)
        if entry.confirmed:
            self._acknowledge(InternalType.RECEIVE, entry, now)

    def acknowledge_reading(self, entry: InboxEntry, *, now: datetime) -> None:
        """Queue the receive acknowledgement of a message that is confirmed now, once (for MemoryCommit)."""
        told = {o.message.internal_type for o in self._acknowledgements(entry.sender, entry.message_id)}
        if InternalType.RECEIVE not in told:
            self._acknowledge(InternalType.RECEIVE, entry, now)

    def replay(self, sender: str, message_id: str, *, now: datetime) -> None:
        """Queue the stored acknowledgements of a repeated message once more (for MemoryCommit)."""
        for outgoing in self._acknowledgements(sender, message_id):
            self._once_more(outgoing, now)

    def _of(self, message_ids: Iterable[str]) -> list[Outgoing]:
        return [self._queue[message_id] for message_id in message_ids if message_id in self._queue]

    def _add(self, message: OutgoingMessage) -> Outgoing:
        outgoing = self._queue[message.message_id] = Outgoing(message=message, due=message.accepted)
        return outgoing

    def _acknowledgements(self, receiver: str, related: str) -> list[Outgoing]:
        wanted = (receiver, related)
        return [o for o in self._queue.values() if (o.message.receiver, o.message.related) == wanted]

    def _acknowledge(self, kind: InternalType, entry: InboxEntry, now: datetime) -> None:
        digests = (entry.digest, None if entry.manifest is None else digest_of(entry.manifest))
        self._queue_acknowledgement(kind, entry.sender, entry.message_id, entry.business_type, digests, now, None)

    def _queue_acknowledgement(  # noqa: PLR0917 # private: the fields in their order
        self,
        kind: InternalType,
        receiver: str,
        related: str,
        business_type: str,
        digests: tuple[str | None, str | None],
        now: datetime,
        reason: str | None,
    ) -> None:
        self._add(
            OutgoingMessage(
                message_id=self._new_id(),
                internal_type=kind,
                receiver=receiver,
                business_type=business_type,
                document="",
                urgent=True,
                accepted=now,
                expires=now + ACKNOWLEDGEMENT_TTL,
                related=related,
                related_digest=digests[0],
                related_manifest=digests[1],
                reason=reason,
            )
        )

    def _once_more(self, outgoing: Outgoing, now: datetime) -> None:
        outgoing.state = MessageState.ACCEPTED
        outgoing.change(expires=max(outgoing.message.expires, now + ACKNOWLEDGEMENT_TTL))
        outgoing.again(now)

    def _fold(self, received: ReceivedAcknowledgement) -> Iterator[str]:
        """The document of the message whose state changed, if one did."""
        for outgoing in self._of([received.related]):
            message = outgoing.message
            sent = None if message.body is None else digest_of(message.body)
            if message.related is not None or not genuine(received, message.receiver, sent, outgoing.manifests):
                continue  # acknowledgements are never acknowledged
            state = fold_acknowledgement(
                outgoing.state,
                received.internal_type,
                reason=outgoing.reason,
                event_time=received.event_time,
                expires=message.expires,
            )
            if state is not outgoing.state:
                outgoing.fold(state, received.reason)
                yield message.document
            if received.manifest is not None:
                outgoing.acknowledgements.setdefault(received.internal_type, received.manifest)
            said = ARRIVED[received.internal_type]
            if not any((step.component, step.state) == (received.sender, said) for step in outgoing.trace):
                outgoing.tell(received.event_time, received.sender, said, received.reason or "")


def _status(outgoing: Outgoing) -> MessageStatus:
    message = outgoing.message
    return MessageStatus(
        message_id=message.message_id,
        document=message.document,
        receiver=message.receiver,
        business_type=message.business_type,
        state=outgoing.state,
        reason=outgoing.reason,
        trace=tuple(outgoing.trace),
    )
