"""One event more at the end of a log, for what the operator does where no desk decides: a rebuild, a restore."""

from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

from hub.audit.records import GENESIS
from hub.ports import Batch, NewEvent
from hub.store.codec import chained
from hub.store.database import SQL

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]


async def append(connection: "Connection", *, stream: str, topic: str, state: bytes, cause: str, now: datetime) -> int:
    """Append within the transaction of this connection, which sees the schema; returns the event's position.

    Nobody else commits until the transaction ends; a running component hears of it then. An event without rows only.
    """
    await connection.execute(SQL["lock_log"])
    head = await connection.fetchval(SQL["head"])
    last = await connection.fetchrow(SQL["read"], head - 1, head, 1)
    version = await connection.fetchval(SQL["stream_version"], stream)
    event = NewEvent(stream=stream, version=version + 1, topic=topic, state=state, cause=cause)
    batch = Batch(after=head, at=max(now, last["recorded_at"]) if last else now, events=(event,))
    (stored,) = chained(batch, last["chain"] if last else GENESIS)
    record = (stored.stream, stored.version, stored.topic, stored.state, stored.cause, stored.chain)
    return int(await connection.fetchval(SQL["commit"], head, batch.at, "", [record], [], [], [], []))
