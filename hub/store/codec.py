"""How values become bytes in the store: payloads of rows, and the log's events with their hash chain. Pure."""

import hashlib
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import msgspec

from hub.audit.records import GENESIS, link
from hub.errors import LogCorrupt
from hub.ports import Batch, StoredEvent

_encoder = msgspec.msgpack.Encoder()


def encode_payload(payload: Any) -> bytes | None:  # whatever row types a component has; the store only encodes them
    """MessagePack of a row's payload; None stays None: the key is withdrawn."""
    return None if payload is None else _encoder.encode(payload)


def digest_of(content: bytes) -> str:
    """SHA-256 of a document, hexadecimal: its name in the store and in the log."""
    return hashlib.sha256(content).hexdigest()


def chained(batch: Batch, chain: bytes) -> Iterator[StoredEvent]:
    """The events of a batch as the log will hold them, chained on `chain`, the value at `batch.after`."""
    for position, event in enumerate(batch.events, start=batch.after + 1):
        chain = link(chain, event, position=position, at=batch.at)
        yield StoredEvent(
            position=position,
            stream=event.stream,
            version=event.version,
            topic=event.topic,
            state=event.state,
            at=batch.at,
            cause=event.cause,
            chain=chain,
        )


async def verified(events: AsyncIterator[StoredEvent], *, chain: bytes = GENESIS) -> AsyncIterator[StoredEvent]:
    """Pass the events on while their chain holds, from `chain`, the value before the first of them.

    Raises:
        LogCorrupt: a record is not the one that was written at its position.
    """
    async for event in events:
        chain = check(event, chain)
        yield event


def check(event: StoredEvent, previous: bytes) -> bytes:
    """The event's chain value. Raises LogCorrupt when it does not follow from `previous`."""
    if event.chain != link(previous, event, position=event.position, at=event.at):
        raise LogCorrupt(
            f"The log was changed at or before position {event.position}: its chain value does not follow from the "
            "record. Stop, and compare with a backup."
        )
    return event.chain


def consecutive(events: Iterable[StoredEvent], after: int) -> Iterator[StoredEvent]:
    """The events, as long as they count on from `after` without a gap. Raises LogCorrupt."""
    for expected, event in enumerate(events, start=after + 1):
        if event.position != expected:
            raise LogCorrupt(
                f"The log has position {event.position} where {expected} must be. Stop, and compare with a backup."
            )
        yield event
