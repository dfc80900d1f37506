"""The shadow of views in PostgreSQL: what the log says they hold, compared with them, and put in their place.

A shadow lives in temporary tables of one session: when the session ends, however it ends, it is gone and the views are
as they were. Comparing works on a snapshot, while the desk goes on; only what was found and what has come since is
looked at again under the lock of the log, where the views change in one transaction (R32).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import asyncpg
from msgspec import Struct

from documents.values import Identifier, Instant
from hub.errors import Conflict
from hub.ports import StoredEvent
from hub.store.appending import append
from hub.store.codec import consecutive
from hub.store.database import SQL, surroundings
from hub.store.log import event_of

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]

COLUMNS: Final = (
    "view",
    "audience",
    "sequence",
    "key",
    "payload",
    "group",
    "valid_from",
    "valid_to",
    "issued",
    "position",
)
Record = tuple[str, Identifier, int, str, bytes | None, str, Instant | None, Instant | None, Instant, int]
"""A row of the shadow, in the order of COLUMNS."""

PAGE: Final = 500
"""Events read at once: taking them in holds up the loop, and with it a desk in the same process."""
SESSION: Final = {
    "jit": "off",
    "timezone": "UTC",
    "application_name": "tps rebuild",
    "work_mem": "128MB",
    "enable_memoize": "off",
}


class FeedStart(Struct, frozen=True):
    """Where the numbers of a feed begin: after what another version `told`, made of events up to `since`.

    `corrections` are the numbers after that which no event has caused.
    """

    view: str
    audience: Identifier
    told: int
    since: int
    corrections: tuple[int, ...]


class Difference(Struct, frozen=True, kw_only=True):
    """Something that is not as the log says: an item (with its `sequence`), a feed's counter, or a key as it is read.

    `kind`: missing, extra, changed; counter; hidden, left over, other. `fields` names what differs.
    """

    kind: str
    view: str
    audience: Identifier
    key: str | None
    sequence: int | None
    position: int | None
    live_position: int | None
    fields: tuple[str, ...]


class Shadow:
    """One session's shadow of some views; see the charter. Every method raises Unavailable."""

    def __init__(self, work: "Connection", reader: "Connection") -> None:
        self._work, self._reader = work, reader

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, schema: str = "tps") -> AsyncIterator["Shadow"]:
        """A shadow for as long as the block lasts. Raises Unavailable, Conflict (somebody else rebuilds)."""
        session = {**SESSION, "search_path": f'"{schema}"'}
        with surroundings():
            work = await asyncpg.connect(url, server_settings=session)
            try:
                reader = await asyncpg.connect(url, server_settings=session)
                try:
                    if not await work.fetchval(SQL["rebuild_lock"]):
                        raise Conflict("Another rebuild is running. Wait until it has ended.")
                    yield cls(work, reader)
                finally:
                    reader.terminate()
            finally:
                work.terminate()

    async def versions(self) -> dict[str, int]:
        """The version of each projection that its rows come from."""
        with surroundings():
            return {record["name"]: record["version"] for record in await self._work.fetch(SQL["recorded_projections"])}

    async def hub_runs(self) -> bool:
        """Whether a hub works on this database."""
        with surroundings():
            return bool(await self._work.fetchval(SQL["hub_runs"]))

    async def begin(self, views: Sequence[str]) -> list[FeedStart]:
        """Make an empty shadow; returns where the numbers of the views' feeds begin."""
        with surroundings():
            await self._work.execute(SQL["create_shadow"])
            records = await self._work.fetch(SQL["feeds_of"], views)
        return [
            FeedStart(
                view=record["view"],
                audience=Identifier(record["audience"]),
                told=record["told"],
                since=record["since"],
                corrections=tuple(record["corrections"]),
            )
            for record in records
        ]

    async def head(self) -> int:
        """Position of the newest event."""
        with surroundings():
            return int(await self._reader.fetchval(SQL["head"]))

    async def page(self, after: int) -> list[StoredEvent]:
        """The next events, at most a page of them, besides all else this session does. Raises LogCorrupt too."""
        return await self._page(self._reader, after)

    async def page_within(self, after: int) -> list[StoredEvent]:
        """As `page`, of the snapshot or under the lock."""
        return await self._page(self._work, after)

    async def add(self, records: Sequence[Record]) -> None:
        """Put rows into the shadow, before it is compared."""
        await self._copy("shadow_item", records)

    async def add_late(self, records: Sequence[Record]) -> None:
        """Put rows into the shadow that have come since it was compared."""
        await self._copy("late_item", records)

    async def note_progress(self, names: Sequence[str], position: int) -> None:
        """How far the projections have come."""
        with surroundings():
            await self._reader.execute(SQL["set_progress"], names, position)

    async def complete(self) -> None:
        """The shadow is large, and about to be compared."""
        with surroundings():
            await self._work.execute(SQL["analyze_shadow"])

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[None]:
        """Log and views at one moment, while others go on."""
        with surroundings():
            async with self._work.transaction(isolation="repeatable_read"):
                yield

    async def compare(self, views: Sequence[str], *, same: Sequence[str]) -> None:
        """Find what is not as the log says: keys in all `views`, items of those made by the `same` version."""
        with surroundings():
            await self._work.execute(SQL["find_changed"], same)
            await self._work.execute(SQL["find_extra"], same)
            await self._work.execute(SQL["find_miscounted"], views)
            await self._work.execute(SQL["find_doubted"], views)
            await self._work.execute(SQL["analyze_doubted"])
            await self._work.execute(SQL["find_stale"])

    async def counted(self) -> tuple[int, int]:
        """How many items and counters, and how many keys, are not as the log says."""
        with surroundings():
            record = await self._work.fetchrow(SQL["count_differences"])
        assert record is not None, "a count is always one record"
        return record["items"], record["keys"]

    async def differences(self, *, most: int) -> list[Difference]:
        """What was found, by feed."""
        with surroundings():
            records = await self._work.fetch(SQL["told_differences"], most)
        return [_difference(dict(record)) for record in records]

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """One transaction in which nobody else commits to the log."""
        with surroundings():
            async with self._work.transaction():
                await self._work.execute(SQL["lock_log"])
                yield

    async def settle(self) -> None:
        """Compare what has come since all was compared, so that little of it is left for the lock."""
        with surroundings():
            await self._work.execute(SQL["suspect_again"])
            await self._work.execute(SQL["find_stale_again"])
            await self._work.execute(SQL["settle_late"])

    async def swap(self, position: int) -> int:
        """Restore items, append what readers must learn, of all that was found and all that has come since; returns
        how many were appended. The shadow has come to `position`.
        """
        with surroundings():
            await self._work.execute(SQL["suspect_again"])
            await self._work.execute(SQL["find_stale_again"])
            await self._work.execute(SQL["restore_items"])
            await self._work.execute(SQL["disown_items"])
            await self._work.execute(SQL["recount_feeds"])
            await self._work.execute(SQL["append_corrections"], position)
            return int(await self._work.fetchval(SQL["count_stale"]))

    async def close_history(self, views: Sequence[str], position: int) -> None:
        """From here on the views come from the present version."""
        with surroundings():
            await self._work.execute(SQL["close_history"], views, position)

    async def record_versions(self, versions: Sequence[tuple[str, int]], now: datetime) -> None:
        """These versions made the rows."""
        names, numbers = [name for name, _ in versions], [number for _, number in versions]
        with surroundings():
            await self._work.execute(SQL["record_versions"], names, numbers, now)

    async def record(self, *, stream: str, topic: str, state: bytes, cause: str, now: datetime) -> None:
        """Put an event at the end of the log, within `locked`."""
        with surroundings():
            await append(self._work, stream=stream, topic=topic, state=state, cause=cause, now=now)

    async def _copy(self, table: str, records: Sequence[Record]) -> None:
        if records:
            with surroundings():
                await self._work.copy_records_to_table(table, records=records, columns=COLUMNS)

    async def _page(self, connection: "Connection", after: int) -> list[StoredEvent]:
        with surroundings():
            records = await connection.fetch(SQL["read"], after, None, PAGE)
        return list(consecutive(map(event_of, records), after))


def _difference(record: dict[str, Any]) -> Difference:  # columns by name
    return Difference(**{**record, "fields": tuple(record["fields"] or ())})
