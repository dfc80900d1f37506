"""The ports: what the core and the loops ask of their surroundings, split by what the holder may do.

Events and `Commit` are held by the desk and the command line only; everything outward holds a `RowReader` or an
`Outbox`. Each port has an in-memory twin and one contract suite that every adapter passes. Payloads are opaque here:
a row's payload is a msgspec Struct on its way in and MessagePack bytes on its way out.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from documents.values import Identifier, Instant, Interval

E = TypeVar("E")
OPERATOR: Identifier = Identifier("operator")
"""The audience of what only the platform operator may see."""


class Recorded(Struct, Generic[E], frozen=True):
    """An event with its place in the log.

    `position` counts from 1 without gaps, `at` is when the batch was decided, `cause` what led to it.
    """

    event: E
    position: int
    at: Instant
    cause: str


class Sending(Struct, frozen=True, kw_only=True):
    """That a row leaves at once as one document.

    `document` is the business id that travels with it: its own mRID, on an answer the mRID of what it answers (R26).
    `expires` is when delivery stops being worth it (R27). `message_id` is what the message is known by; by default the
    store chooses. `application` is which of the sender's applications it comes from, as the receiver is told.
    """

    business_type: str
    document: str
    expires: Instant
    urgent: bool = False
    message_id: str | None = None
    application: str = ""


class Row(Struct, frozen=True, kw_only=True):
    """One change of one view for one audience; `payload` None says that `key` is withdrawn.

    `group`, `valid` and `issued` are what lists are filtered by: a group (connection point, asset), the span the
    content is about, and the instant it was issued (default: when it was recorded). A row with `send` is also an
    outgoing document. A row that `confirms` a message taken in unconfirmed (its sender, its id) also queues the receive
    acknowledgement of it, once.
    """

    view: str
    audience: Identifier
    key: str
    payload: Any  # the row types of hub.rows or of a gateway's views; the store only encodes it
    group: str = ""
    valid: Interval | None = None
    issued: Instant | None = None
    send: Sending | None = None
    confirms: tuple[str, str] | None = None


class Scope(Struct, frozen=True):
    """Whose rows may be read: issued in one function per door, from the authenticated identity."""

    audience: Identifier


class Item(Struct, frozen=True, kw_only=True):
    """A stored row.

    `sequence` counts 1, 2, 3 within (view, audience) without gaps (R32); `payload` is MessagePack, None when
    withdrawn.
    """

    view: str
    audience: Identifier
    key: str
    sequence: int
    payload: bytes | None
    group: str = ""
    valid: Interval | None = None
    issued: Instant
    position: int


class NewEvent(Struct, frozen=True, kw_only=True):
    """An event ready to be stored: `version` counts 1, 2, 3 within `stream`; `topic` is the tag `Name.v1`."""

    stream: str
    version: int
    topic: str
    state: bytes
    cause: str


class StoredEvent(Struct, frozen=True, kw_only=True):
    """An event as the log holds it; `chain` is SHA-256 over the previous chain value and this record."""

    position: int
    stream: str
    version: int
    topic: str
    state: bytes
    at: Instant
    cause: str
    chain: bytes


class InboxEntry(Struct, frozen=True, kw_only=True):
    """A message taken in: identity is (sender, message_id); `digest` is the hexadecimal SHA-256 of the payload.

    `manifest` is what the sender signed, kept as evidence; its SHA-256 travels in both acknowledgements. `confirmed`
    False says that the business side has it only later: a row will confirm it.
    """

    sender: str
    message_id: str
    business_type: str
    document: str
    digest: str
    received: Instant
    expires: Instant
    manifest: bytes | None = None
    confirmed: bool = True


class Batch(Struct, frozen=True, kw_only=True):
    """What one commit writes, all or nothing. `after` is the position the decisions were made on.

    `rows` stand in the order of their events and name the position they came from. `payloads` are raw documents,
    stored once under their SHA-256. Every inbox entry also queues its delivery acknowledgement and, when confirmed, its
    receive acknowledgement (R29).
    """

    after: int
    at: Instant
    events: tuple[NewEvent, ...] = ()
    rows: tuple[tuple[int, Row], ...] = ()
    inbox: tuple[InboxEntry, ...] = ()
    payloads: tuple[bytes, ...] = ()
    keys: tuple["IdempotencyKey", ...] = ()


class IdempotencyKey(Struct, frozen=True, kw_only=True):
    """A client's promise that a write is one write.

    (scope, key) -> the documents it caused; `fingerprint` of the request.
    """

    scope: str
    key: str
    fingerprint: str
    documents: tuple[str, ...]


class EventStore(Protocol):
    """The log, for reading."""

    async def head(self) -> int:
        """Position of the newest event, 0 when the log is empty."""

    async def first(self) -> int:
        """Position of the oldest event: 1, unless somebody has changed the log."""

    async def documents(self, mrid: str, *, sender: str | None = None) -> Sequence[int]:
        """Positions of what was recorded of documents with this mRID, of one sender if named, the oldest first."""

    def read(self, *, after: int = 0, until: int | None = None) -> AsyncIterator[StoredEvent]:
        """Events in order with position > `after` (and <= `until`), in pages behind the scenes.

        Raises LogCorrupt, Unavailable.
        """


class Commit(Protocol):
    """The one door into the log."""

    async def commit(self, batch: Batch) -> int:
        """Write the batch in one transaction and return the new head.

        Raises:
            Conflict: the head is not `batch.after`, or a stream version is taken. Nothing was written.
            Unavailable: the store did not answer; the outcome may be unknown, so read the head before trying again.
        """

    async def known(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """Of these (sender, message_id), those taken in before with the digest of what they held then (InboxEntry)."""

    async def replay_acknowledgements(self, sender: str, message_id: str, *, now: datetime) -> None:
        """Queue the stored acknowledgements of a repeated message once more."""


class ErasablePayload(Struct, frozen=True):
    """A raw document that may go: its SHA-256 (hexadecimal) and its size in bytes."""

    digest: str
    size: int


class Payloads(Protocol):
    """Raw documents, for their erasure alone. Record it in the log first: what is absent unrecorded is a fault."""

    async def erasable(
        self, *, before: datetime | None, sender: str | None, limit: int = 1000
    ) -> Sequence[ErasablePayload]:
        """By digest, the documents that only messages of `sender`, taken in before `before`, have brought.

        None: of anybody, at any time.
        """

    async def erase(self, digests: Sequence[str]) -> int:
        """Delete these; returns how many were there."""


class Checkpoint(Struct, frozen=True, kw_only=True):
    """What the log was when it had `size` records, signed by the hub.

    `root` and `peaks` are those of the Merkle tree over them (hub.audit.merkle); `signature` is over the note
    (hub.audit.checkpoints), by the certificate with the fingerprint `signer`.
    """

    size: int
    root: bytes
    at: Instant
    peaks: bytes
    signature: bytes
    signer: str


class Signer(Struct, frozen=True, kw_only=True):
    """Who signed checkpoints: its certificate, and the one that vouches for it (DER)."""

    certificate: bytes
    issuing: bytes


class Checkpoints(Protocol):
    """Signed checkpoints of the log."""

    async def keep(self, checkpoint: Checkpoint, signer: Signer) -> None:
        """Keep a checkpoint; the first one of a size stays."""

    async def newest(self, *, within: int | None = None) -> Checkpoint | None:
        """The newest one, of at most `within` records."""

    def read(self, *, after: int = 0) -> AsyncIterator[Checkpoint]:
        """Those of more than `after` records, the oldest first."""

    async def signer(self, fingerprint: str) -> Signer | None:
        """Whose certificate has this fingerprint; None when it was never kept."""


class Evidence(Protocol):
    """Whether raw documents are what they were."""

    async def intact(self, digests: Sequence[str]) -> Mapping[str, bool]:
        """Of these documents, those that are there, each with whether it has its digest."""

    def all(self) -> AsyncIterator[tuple[str, bool]]:
        """Every document there is, with whether it has its digest."""


class FeedSlice(Struct, frozen=True):
    """The items of one feed with `after` < sequence <= `upto`: what an outgoing document is made of."""

    view: str
    audience: Identifier
    after: int
    upto: int


class RowReader(Protocol):
    """Rows of a scope. There is no way to read without one."""

    async def feed(self, scope: Scope, view: str, *, after: int = 0, limit: int = 1000) -> Sequence[Item]:
        """Items with sequence > `after`, ascending."""

    async def slices(self, slices: Sequence[FeedSlice]) -> Sequence[Sequence[Item]]:
        """The items of each slice, ascending: what outgoing documents are made of, read together."""

    async def head(self, scope: Scope, view: str) -> int:
        """Sequence of the newest item, 0 when there is none."""

    async def get(self, scope: Scope, view: str, key: str) -> Item | None:
        """The current item of a key, None when unknown or withdrawn (indistinguishable)."""

    async def list(
        self,
        scope: Scope,
        view: str,
        *,
        groups: Sequence[str] = (),
        overlapping: Interval | None = None,
        issued: Interval | None = None,
        after_key: str = "",
        limit: int = 1000,
    ) -> Sequence[Item]:
        """Current items by ascending key.

        Of any of `groups` (empty: all), whose `valid` overlaps, issued within the half-open span.
        """


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

    async def claim(self, *, urgent: bool, limit: int, now: datetime, lease_s: float) -> Sequence[OutgoingMessage]:
        """Lease what is due of one kind, urgent or bulk, oldest first, never ahead of an earlier unsent message of the
        same document, whatever its kind (R28).
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


class Clock(Protocol):
    """Time, so that tests can move it."""

    def now(self) -> datetime:
        """Aware UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    async def sleep(self, seconds: float) -> None:
        """Wait; a moved clock wakes its sleepers."""


class Queue(StrEnum):
    """The two queues of an endpoint (R28)."""

    URGENT = "urgent"
    BULK = "bulk"


class Unroutable(Exception):
    """No queue takes this message: the receiver is unknown to the broker."""


class Refused(Exception):
    """The broker refuses this message from us (access, size, user id); trying again is useless."""


class Properties(Struct, frozen=True, kw_only=True):
    """What stands beside the body of a delivery and mirrors its manifest; None where nothing is said.

    Nothing of it is proven. `ttl_s` is the time to live that the broker was told, counted from the publication;
    `timestamp` is when sender or broker say that it was made.
    """

    content_type: str | None = None
    message_id: str | None = None
    internal_type: str | None = None
    correlation_id: str | None = None
    business_type: str | None = None
    sender: str | None = None
    receiver: str | None = None
    ttl_s: float | None = None
    timestamp: Instant | None = None


class Delivery(Protocol):
    """A message handed over by the broker, to be settled exactly once."""

    @property
    def body(self) -> bytes:
        """The opaque MADES message."""

    @property
    def user_id(self) -> str | None:
        """The sender as the broker authenticated it."""

    @property
    def properties(self) -> Properties:
        """What its sender told the broker of it."""

    async def settle(self) -> None:
        """Done: the broker forgets it."""

    async def give_back(self) -> None:
        """Not now: the broker delivers it again."""

    async def refuse(self) -> None:
        """Never: to the dead letters."""


class Transport(Protocol):
    """The road to the broker, as one component."""

    @property
    def volatile(self) -> bool:
        """Whether the broker forgets its messages when it stops (R31)."""

    @property
    def connected(self) -> bool:
        """Whether the connection stands at this moment."""

    def on_connected(self, callback: Callable[[], None]) -> None:
        """Call this each time the connection to the broker is made anew."""

    async def publish(self, message: "Publication") -> None:
        """Hand over to the broker and wait for its confirm.

        Raises Unroutable, Refused, Unavailable (outcome unknown: send again).
        """

    async def consume(self, queue: Queue, handler: Callable[[Delivery], Awaitable[None]], *, prefetch: int) -> None:
        """Deliver this component's queue to `handler` until closed; survives reconnects."""

    async def close(self) -> None:
        """Stop consuming and leave."""


class Publication(Struct, frozen=True, kw_only=True):
    """What is given to the broker: the opaque body and the properties that mirror it for routing.

    `ttl_s` is what is left of its life, by the clock of its sender.
    """

    message_id: str
    internal_type: str
    sender: str
    receiver: str
    business_type: str
    urgent: bool
    ttl_s: float
    body: bytes
    correlation_id: str | None = None


class Brain(Protocol):
    """The pure core a desk works with: the hub's or a gateway's. No I/O, no clock; the desk alone calls it."""

    def encode(self, event: Any) -> tuple[str, bytes]:  # any event of this core
        """Topic and state of an event."""

    def decode(self, topic: str, state: bytes) -> Any:  # any event of this core
        """The event. Raises UnknownEvent."""

    def stream_of(self, event: Any) -> str:  # any event of this core
        """The aggregate an event belongs to, e.g. `resource/A10:571313100000000010`."""

    def decide(self, command: Any, now: datetime) -> Sequence[Any]:  # a command in, events out
        """The events a command causes on the present state; changes nothing. A refusal is an event too."""

    def rows(self, recorded: Recorded[Any]) -> Sequence[Row]:
        """The rows an event causes, seen from the state before it."""

    def evolve(self, recorded: Recorded[Any]) -> None:
        """Fold the event into the state."""

    def savepoint(self) -> int:
        """Remember the present state."""

    def rollback(self, savepoint: int) -> None:
        """Return to a remembered state (a batch that did not commit)."""
