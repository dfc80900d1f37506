"""Which documents an event records, or records to have been erased, read from the stored event. Pure."""

from collections.abc import Sequence
from typing import Final, get_args

import msgspec

from hub.events import DocumentAnswered, DocumentRepeated, Event, PayloadsErased, StatusRequested
from hub.ports import StoredEvent
from hub.tagged import tag_of


class RecordedDocument(msgspec.Struct, frozen=True):
    """Who sent it, its mRID, and the hexadecimal SHA-256 of its bytes; read from the event's `origin`."""

    sender: str
    mrid: str
    digest: str


class _OfDocument(msgspec.Struct):
    origin: RecordedDocument


class _OfErasure(msgspec.Struct):
    digests: tuple[str, ...]


TOPICS: Final = frozenset(tag_of(kind) for kind in get_args(Event) if "origin" in kind.__struct_fields__)
"""The events that record a document."""
ERASURE: Final = tag_of(PayloadsErased)
"""The event that records that documents were erased, by their digests; it is written before they are."""

TOLD: Final = tuple(map(tag_of, (DocumentAnswered, StatusRequested, DocumentRepeated)))
"""Of these, those that hold nothing but what their sender has said and was answered."""

_recorded: Final = msgspec.msgpack.Decoder(_OfDocument)
_erased: Final = msgspec.msgpack.Decoder(_OfErasure)


def document_in(event: StoredEvent) -> RecordedDocument | None:
    """The document that an event records, None when it records none."""
    return _recorded.decode(event.state).origin if event.topic in TOPICS else None


def owner_of(event: StoredEvent) -> str | None:
    """The participant who may be shown the whole event: it sent the document; None when nobody may (docs/audit.md)."""
    return _recorded.decode(event.state).origin.sender if event.topic in TOLD else None


def erased_in(event: StoredEvent) -> Sequence[str]:
    """The digests of the documents that an event records to have been erased."""
    return _erased.decode(event.state).digests if event.topic == ERASURE else ()
