"""The ports: what the core and the loops ask of their surroundings, split by what the holder may do.

Events and `Commit` are held by the desk and the command line only; everything outward holds a `RowReader` or an
`Outbox`. Each port has an in-memory twin and one contract suite that every adapter passes. Payloads are opaque here:
a row's payload is a msgspec Struct on its way in and MessagePack bytes on its way out.
"""

from hub.ports.clock import Clock
from hub.ports.evidence import Checkpoint, Checkpoints, ErasablePayload, Evidence, Payloads, Signer
from hub.ports.log import Batch, Brain, Commit, EventStore, IdempotencyKey, InboxEntry, NewEvent, Recorded, StoredEvent
from hub.ports.messages import (
    MessageState,
    MessageStatus,
    Outbox,
    OutgoingMessage,
    ReceivedAcknowledgement,
    SealedMessage,
    TraceStep,
)
from hub.ports.rows import OPERATOR, FeedSlice, Item, Row, RowReader, Scope, Sending
from hub.ports.transport import Delivery, Properties, Publication, Queue, Refused, Transport, Unroutable

__all__ = [
    "OPERATOR",
    "Batch",
    "Brain",
    "Checkpoint",
    "Checkpoints",
    "Clock",
    "Commit",
    "Delivery",
    "ErasablePayload",
    "EventStore",
    "Evidence",
    "FeedSlice",
    "IdempotencyKey",
    "InboxEntry",
    "Item",
    "MessageState",
    "MessageStatus",
    "NewEvent",
    "Outbox",
    "OutgoingMessage",
    "Payloads",
    "Properties",
    "Publication",
    "Queue",
    "ReceivedAcknowledgement",
    "Recorded",
    "Refused",
    "Row",
    "RowReader",
    "Scope",
    "SealedMessage",
    "Sending",
    "Signer",
    "StoredEvent",
    "TraceStep",
    "Transport",
    "Unroutable",
]
