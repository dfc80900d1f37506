"""Messages on their way out, from row to receive acknowledgement (floor 2)."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from documents.values import Instant
from hub.ports.rows import FeedSlice


class MessageState(StrEnum):
    """Delivery states of MADES (IEC 62325-503), as folded by hub.mades.exchange (R29)."""

    ACCEPTED = "ACCEPTED"
    DELIVERED = "DELIVERED"
    RECEIVED = "RECEIVED"
    FAILED = "FAILED"


class OutgoingMessage(Struct, frozen=True, kw_only=True):
    """A message waiting to leave.

    A business message names its source rows; once rendered it keeps its bytes for every retry: `body` is the document,
    `sealed` the message as it leaves, made for the receiver's certificate `sealed_for`.

    An acknowledgement (`internal_type` other than STANDARD_MESSAGE) has no source: `related`, `related_digest` (of the
    document) and `related_manifest` (of the signed manifest) say what it acknowledges.

    `followed`: when it was claimed, another message of its document waited behind it.
    """

    message_id: str
    internal_type: str
    receiver: str
    business_type: str
    document: str
    urgent: bool
    accepted: Instant
    expires: Instant
    attempts: int = 0
    application: str = ""
    source: FeedSlice | None = None
    body: bytes | None = None
    sealed: bytes | None = None
    sealed_for: str | None = None
    related: str | None = None
    related_digest: str | None = None
    related_manifest: str | None = None
    reason: str | None = None
    followed: bool = False


class SealedMessage(Struct, frozen=True, kw_only=True):
    """The bytes of a business message: its document, and the message sealed for the certificate `sealed_for`.

    `manifest_digest` is the hexadecimal SHA-256 of the signed manifest within.
    """

    message_id: str
    body: bytes
    sealed: bytes
    sealed_for: str
    manifest_digest: str


class TraceStep(Struct, frozen=True, kw_only=True):
    """One line of a message's story: which component, which state or event, why."""

    at: Instant
    component: str
    state: str
    details: str = ""


class MessageStatus(Struct, frozen=True, kw_only=True):
    """Where a sent message is, with the hop and the reason (MADES CheckMessageStatus)."""

    message_id: str
    document: str
    receiver: str
    business_type: str
    state: MessageState
    reason: str | None
    trace: tuple[TraceStep, ...]


class ReceivedAcknowledgement(Struct, frozen=True, kw_only=True):
    """A technical acknowledgement that arrived for one of our messages.

    `digest` and `manifest_digest` say what it acknowledges; `manifest` is the signed acknowledgement itself, kept as
    evidence.
    """

    related: str
    internal_type: str
    sender: str
    event_time: Instant
    digest: str | None = None
    manifest_digest: str | None = None
    reason: str | None = None
    manifest: bytes | None = None


class Outbox(Protocol):
    """Outgoing messages: claim, render once, publish, confirm. Held by dispatch and the MADES endpoint."""

    async def claim(
        self, *, urgent: bool, limit: int, now: datetime, lease_s: float, full: Collection[str] = ()
    ) -> Sequence[OutgoingMessage]:
        """Lease what is due of one kind, urgent or bulk, oldest first, never ahead of an earlier unsent message of the
        same document, whatever its kind (R28). To the receivers that are `full` nothing leaves now.
        """

    async def release(self) -> int:
        """Take back every lease: a process starts, so whoever held them has ended; returns how many."""

    async def sealed(self, messages: Sequence[SealedMessage]) -> None:
        """Keep document and sealed bytes of messages, so that every retry sends the same.

        A message may be sealed anew, for another certificate; any of its manifests may be acknowledged.
        """

    async def transported(self, message_ids: Sequence[str], *, now: datetime) -> None:
        """The broker has confirmed these."""

    async def retry(self, message_ids: Sequence[str], *, at: datetime, reason: str) -> None:
        """Give these back, to be claimed again from `at`."""

    async def fail(self, message_id: str, *, component: str, reason: str, now: datetime) -> None:
        """This one will never be delivered."""

    async def acknowledge(self, acknowledgements: Sequence[ReceivedAcknowledgement], *, now: datetime) -> Sequence[str]:
        """Fold acknowledgements into states; returns the documents (mRIDs) whose state changed."""

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
        """Queue a FAILURE_ACKNOWLEDGEMENT for a message refused for good: addressed to `receiver`, who sent `related`.

        Urgent, expires after 24 h, with the digests of what is refused, `reason` a code of hub.mades.errors. Nothing
        enters the inbox. Idempotent by (receiver, related): a repeat makes the stored one due again instead of a
        second one.
        """

    async def reopen(self) -> int:
        """Make everything not yet DELIVERED due again: the broker is volatile and may have lost it (R31)."""

    async def silent(self, *, now: datetime) -> Sequence[str]:
        """Receivers who for 60 s have owed an acknowledgement of a message that the broker confirmed."""

    async def resend(self, *, answered: Mapping[str, datetime], now: datetime) -> int:
        """Make lost messages due again, each at most five times; returns how many.

        A message is lost when its receiver answered something sent 60 s later: a message of the same queue that it
        received, or a connectivity test (`answered`: receiver -> when the test was sent). Silence proves nothing: the
        message waits at the broker for a receiver that is away, and a second copy would only wait beside it.
        """

    async def expire(self, *, now: datetime, grace_s: float = 60.0) -> Sequence[str]:
        """FAIL what has passed its expiry undelivered; returns documents (mRIDs)."""

    async def overdue(self, *, business_type: str, since: datetime) -> Sequence[OutgoingMessage]:
        """Undelivered messages of this type accepted before `since` (R27: the 60 s alarm)."""

    async def gather(
        self, view: str, *, business_type: str, now: datetime, ttl_s: float, most: int, most_bytes: int
    ) -> int:
        """The beat (R12).

        Outgoing messages for everything of `view` not yet sent to its audiences, of at most `most` items and
        `most_bytes` bytes of their payloads each (a larger item goes alone), so that every document stays within the
        limits of the transport; returns how many.
        """

    async def status(self, document: str) -> Sequence[MessageStatus]:
        """Status and trace of every message that carried this document, newest last."""

    async def find(self, message_id: str) -> MessageStatus | None:
        """Status and trace of one business message, None when there is none of this id."""

    async def waiting(self) -> int:
        """How many business messages are not delivered yet."""

    async def oldest(self) -> datetime | None:
        """When the oldest of those was accepted; None when nothing waits."""

    async def proofs(self, message_id: str) -> Mapping[str, bytes]:
        """The signed acknowledgements that arrived for a message, by internal type: what its receiver cannot deny."""
