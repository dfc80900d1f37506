"""The log in PostgreSQL: reading, and the one door into it. Single writer, one SQL call for a batch.

Positions are given by the writer under a lock, so that they have no gaps and their order is the order of the commits: a
reader that tails the log by position misses nothing.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg

from hub.audit.records import GENESIS
from hub.errors import Conflict
from hub.ports import Batch, IdempotencyKey, InboxEntry, Row, StoredEvent
from hub.store.codec import chained, consecutive, digest_of, encode_payload
from hub.store.database import Database

PAGE: Final = 2000


class PostgresLog:
    """The log, for reading (hub.ports.EventStore)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def head(self) -> int:
        """Position of the newest event, 0 when the log is empty. Raises Unavailable."""
        return int(await self._database.value("head"))

    async def first(self) -> int:
        """Position of the oldest event: 1, unless somebody has changed the log. Raises Unavailable."""
        return int(await self._database.value("first"))

    async def documents(self, mrid: str, *, sender: str | None = None) -> Sequence[int]:
        """Positions of what was recorded of documents with this mRID, the oldest first. Raises Unavailable."""
        return [record["notification_id"] for record in await self._database.fetch("documents", mrid, sender)]

    async def read(self, *, after: int = 0, until: int | None = None) -> AsyncIterator[StoredEvent]:
        """Events in order with position > `after` (and <= `until`). Raises LogCorrupt (a gap), Unavailable."""
        while True:
            page = await self._database.fetch("read", after, until, PAGE)
            for event in consecutive(map(event_of, page), after):
                yield event
                after = event.position
            if len(page) < PAGE:
                return

    async def of_topic(self, topic: str, *, holding: bytes = b"", limit: int) -> Sequence[StoredEvent]:
        """The newest events of one topic whose state holds these bytes, newest first. Raises Unavailable."""
        return [event_of(record) for record in await self._database.fetch("events_of_topic", topic, holding, limit)]


class PostgresCommit:
    """The one door into the log, and what is known of messages taken in (hub.ports.Commit)."""

    def __init__(self, database: Database, *, component: str) -> None:
        self._database, self._component = database, component
        self._tip: tuple[int, bytes] | None = (0, GENESIS)

    async def commit(self, batch: Batch) -> int:
        """Write the batch in one transaction and return the new head.

        Raises:
            Conflict: the head is not `batch.after`; or a stream version, a message or an idempotency key is taken.
                Nothing was written.
            Unavailable: the outcome may be unknown, so read the head before trying again.
        """
        events = tuple(chained(batch, await self._chain_at(batch.after)))
        self._tip = None  # until the outcome is known
        try:
            head = await self._database.write(
                "commit",
                batch.after,
                batch.at,
                self._component,
                [(event.stream, event.version, event.topic, event.state, event.cause, event.chain) for event in events],
                [_row(position, row) for position, row in batch.rows],
                [_entry(entry) for entry in batch.inbox],
                [(digest_of(content), content) for content in batch.payloads],
                [_key(key) for key in batch.keys],
            )
        except asyncpg.UniqueViolationError as error:
            raise Conflict(f"{error.table_name}: {error.detail}") from error
        if head is None:
            raise Conflict(f"The log has moved on from position {batch.after}.")
        self._tip = (head, events[-1].chain) if events else None
        return int(head)

    async def known(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """Of these (sender, message_id), those taken in before with the digest of each. Raises Unavailable."""
        records = await self._database.fetch("known", [sender for sender, _ in keys], [message for _, message in keys])
        return {(record["sender"], record["message_id"]): record["digest"] for record in records}

    async def replay_acknowledgements(self, sender: str, message_id: str, *, now: datetime) -> None:
        """Queue the stored acknowledgements of a repeated message once more. Raises Unavailable."""
        await self._database.execute("replay", sender, message_id, now)

    async def _chain_at(self, position: int) -> bytes:
        if position == 0:
            return GENESIS
        if self._tip and self._tip[0] == position:
            return self._tip[1]
        chain = await self._database.value("chain_at", position)
        if chain is None:
            raise Conflict(f"The log has no position {position}.")
        return bytes(chain)


def event_of(record: asyncpg.Record) -> StoredEvent:
    """The event in a record of the log."""
    return StoredEvent(
        position=record["notification_id"],
        stream=record["originator_id"],
        version=record["originator_version"],
        topic=record["topic"],
        state=record["state"],
        at=record["recorded_at"],
        cause=record["cause"],
        chain=record["chain"],
    )


def _row(position: int, row: Row) -> tuple[object, ...]:
    """In the order of the type new_row."""
    valid = (row.valid.start, row.valid.end) if row.valid else (None, None)
    sending = row.send
    leaving = (sending.business_type, sending.document, sending.expires, sending.urgent) if sending else (None,) * 4
    message_id, application = (sending.message_id, sending.application) if sending else (None, None)
    return (
        position,
        row.view,
        row.audience,
        row.key,
        encode_payload(row.payload),
        row.group,
        *valid,
        row.issued,
        *leaving,
        message_id,
        *(row.confirms or (None, None)),
        application,
    )


def _entry(entry: InboxEntry) -> tuple[object, ...]:
    """In the order of the type new_entry."""
    return (
        entry.sender,
        entry.message_id,
        entry.business_type,
        entry.document,
        entry.digest,
        entry.received,
        entry.expires,
        entry.manifest,
        entry.confirmed,
    )


def _key(key: IdempotencyKey) -> tuple[object, ...]:
    """In the order of the type new_key."""
    return key.scope, key.key, key.fingerprint, list(key.documents)
