"""A record of the log as bytes, and the hash chain over them. Pure.

The chain makes an edited log visible: each record's value is SHA-256 over the previous value and the record, so that
nobody can change an event without changing every later value.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

from hub.ports import NewEvent, StoredEvent

GENESIS: Final = bytes(32)
"""The chain value before the first event."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def record_of(event: NewEvent | StoredEvent, *, position: int, at: datetime) -> bytes:
    """The bytes that stand for one record, without its chain value.

    position, version and `at` (whole microseconds since 1970) are 8 bytes each, big endian; stream, topic, state and
    cause (UTF-8) come with their length in 8 bytes before them, so that no two records read the same.
    """
    numbers = (position, event.version, (at - EPOCH) // _MICROSECOND)
    texts = (event.stream.encode(), event.topic.encode(), event.state, event.cause.encode())
    parts = [number.to_bytes(8, "big", signed=True) for number in numbers]
    for text in texts:
        parts += (len(text).to_bytes(8, "big"), text)
    return b"".join(parts)


def link(previous: bytes, event: NewEvent | StoredEvent, *, position: int, at: datetime) -> bytes:
    """The chain value of one record: SHA-256 over `previous` and the record."""
    return hashlib.sha256(previous + record_of(event, position=position, at=at)).digest()
