"""What is written into a log and read from it, and who decides what (floor 2)."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from documents.values import Instant
from hub.ports.rows import Row

E = TypeVar("E")


class Recorded(Struct, Generic[E], frozen=True):
    """An event with its place in the log.

    `position` counts from 1 without gaps, `at` is when the batch was decided, `cause` what led to it.
    """

    event: E
    position: int
    at: Instant
    cause: str


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
