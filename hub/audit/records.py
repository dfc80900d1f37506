"""A record of the log as bytes, and the hash chain over them. Pure.

The chain makes an edited log visible: each record's value is SHA-256 over the previous value and the record, so that
nobody can change an event without changing every later value.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Final

from hub.ports import NewEvent, StoredEvent

GENESIS: Final = bytes(32)
"""The chain value before the first event."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NUMBERS: Final = Struct(">qqq")
_LENGTH: Final = Struct(">q")


def record_of(event: NewEvent | StoredEvent, *, position: int, at: datetime) -> bytes:
    """The bytes that stand for one record, without its chain value.

    position, version and `at` (whole microseconds since 1970) are 8 bytes each, big endian; stream, topic, state and
    cause (UTF-8) come with their length in 8 bytes before them, so that no two records read the same.
    """
    stream, topic, cause = event.stream.encode(), event.topic.encode(), event.cause.encode()
    return b"".join(
        (
            _NUMBERS.pack(position, event.version, (at - EPOCH) // _MICROSECOND),
            *(_LENGTH.pack(len(stream)), stream, _LENGTH.pack(len(topic)), topic),
            *(_LENGTH.pack(len(event.state)), event.state, _LENGTH.pack(len(cause)), cause),
        )
    )


def link(previous: bytes, event: NewEvent | StoredEvent, *, position: int, at: datetime) -> bytes:
    """The chain value of one record: SHA-256 over `previous` and the record."""
    return linked(previous, record_of(event, position=position, at=at))


def linked(previous: bytes, record: bytes) -> bytes:
    """The chain value of a record that is bytes already."""
    return hashlib.sha256(previous + record).digest()
