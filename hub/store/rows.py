"""Rows in PostgreSQL, read as a role that sees one audience only (NF3).

Every query here is a function of the database that runs as that role under row-level security; none filters by
audience.
"""

from collections.abc import Sequence
from typing import cast

import asyncpg

from documents.values import Identifier, Interval
from hub.ports import FeedSlice, Item, Scope
from hub.store.database import Database


class PostgresRows:
    """Rows of a scope (hub.ports.RowReader)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def feed(self, scope: Scope, view: str, *, after: int = 0, limit: int = 1000) -> Sequence[Item]:
        """Items with sequence > `after`, ascending. Raises Unavailable."""
        return [
            _item(record) for record in await self._database.fetch("feed_items", scope.audience, view, after, limit)
        ]

    async def slices(self, slices: Sequence[FeedSlice]) -> Sequence[Sequence[Item]]:
        """The items of each slice, ascending; the database sees each as its audience. Raises Unavailable."""
        columns = [(each.audience, each.view, each.after, each.upto) for each in slices]
        if not columns:
            return []
        found: dict[int, list[Item]] = {}
        for record in await self._database.fetch("feed_slices", *map(list, zip(*columns, strict=True))):
            found.setdefault(record["place"], []).append(_item(record))
        return [found.get(place, []) for place in range(1, len(slices) + 1)]

    async def head(self, scope: Scope, view: str) -> int:
        """Sequence of the newest item, 0 when there is none. Raises Unavailable."""
        return cast("int", await self._database.value("feed_head", scope.audience, view))

    async def get(self, scope: Scope, view: str, key: str) -> Item | None:
        """The current item of a key, None when unknown or withdrawn. Raises Unavailable."""
        found = await self._database.fetch(
            "current_items", scope.audience, view, key, [], None, None, None, None, "", 1
        )
        return _item(found[0]) if found else None

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
        """Current items by ascending key, of those that pass every filter given. Raises Unavailable."""
        spans = [edge for span in (overlapping, issued) for edge in ((span.start, span.end) if span else (None, None))]
        records = await self._database.fetch(
            "current_items", scope.audience, view, None, groups, *spans, after_key, limit
        )
        return [_item(record) for record in records]


def _item(record: asyncpg.Record) -> Item:
    return Item(
        view=record["view"],
        audience=Identifier(record["audience"]),
        key=record["key"],
        sequence=record["sequence"],
        payload=record["payload"],
        group=record["group"],
        valid=Interval(record["valid_from"], record["valid_to"]) if record["valid_from"] else None,
        issued=record["issued"],
        position=record["position"],
    )
