"""A hub's log and rows in a database, for tests of rebuilding: what a world has said is committed as its desk would."""

from collections.abc import Sequence
from typing import Any

import asyncpg
from msgspec.structs import replace

from documents.values import Identifier
from hub.brain import BrainSettings, HubBrain
from hub.clock import ManualClock
from hub.events import Event
from hub.ports import Batch, NewEvent, Recorded, Row
from hub.projections.catalogue import CATALOGUE, Entry
from hub.rebuild import Progress, Rebuild, Report
from hub.store.memory import MemoryRows
from hub.store.postgres import PostgresStore
from hub.store.shadow import Shadow
from tests.hub_world import HUB, SECRET

VERSIONS = {entry.name: entry.version for entry in CATALOGUE}


class Writer:
    """Commits events with their rows, and keeps in memory what every audience should see."""

    def __init__(self, store: PostgresStore, entries: Sequence[Entry] = CATALOGUE) -> None:
        self.store, self.rows = store, MemoryRows()
        self.brain = HubBrain(BrainSettings(HUB, SECRET), projections=[entry.rows for entry in entries])
        self._versions: dict[str, int] = {}
        self._position = 0

    async def write(self, log: Sequence[Recorded[Event]]) -> None:
        """One commit of a part of a world's log."""
        if not log:
            return
        batch = Batch(after=self._position, at=log[-1].at)
        events, rows = list[NewEvent](), list[tuple[int, Row]]()
        for recorded in log:
            placed = Recorded(recorded.event, self._position + len(events) + 1, batch.at, recorded.cause)
            made = self.brain.rows(placed)
            rows.extend((placed.position, row) for row in made)
            for row in made:
                self.rows.append(placed.position, row, batch.at)
            self.brain.evolve(placed)
            stream, (topic, state) = self.brain.stream_of(placed.event), self.brain.encode(placed.event)
            self._versions[stream] = version = self._versions.get(stream, 0) + 1
            events.append(NewEvent(stream=stream, version=version, topic=topic, state=state, cause=placed.cause))
        self._position = await self.store.commit.commit(replace(batch, events=tuple(events), rows=tuple(rows)))

    def current(self) -> dict[tuple[str, Identifier, str], bytes | None]:
        """What is to be seen: payload by view, audience and key."""
        return {
            (view, audience, key): item.payload
            for (view, audience), items in self.rows.current.items()
            for key, item in items.items()
        }


async def rebuilt(
    url: str,
    entries: Sequence[Entry] = CATALOGUE,
    *,
    check: bool = False,
    told: list[Progress] | None = None,
    opened: type[Shadow] = Shadow,
) -> Report:
    """What a rebuild, or a check, reports."""
    brain = HubBrain(BrainSettings(HUB, SECRET), projections=[entry.rows for entry in entries])
    async with opened.open(url) as shadow:
        tell = told.append if told is not None else lambda _: None
        rebuild = Rebuild(entries, brain, shadow, clock=ManualClock(), tell=tell)
        return await (rebuild.check() if check else rebuild.run())


async def ask(url: str, query: str, *arguments: object) -> list[Any]:
    """Records of a query, as the owner of the tables."""
    connection = await asyncpg.connect(url, server_settings={"search_path": "tps"})
    try:
        return [tuple(record) for record in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()


async def seen(url: str) -> dict[tuple[str, str, str], bytes | None]:
    """What readers see: payload by view, audience and key."""
    records = await ask(
        url,
        "select view, audience, item.key, payload from row_current join row_item as item "
        'using (view, audience, sequence, key, "group", issued)',
    )
    return {(view, audience, key): payload for view, audience, key, payload in records}


async def feeds(url: str) -> dict[tuple[str, str], list[tuple[int, str, bytes | None, bool]]]:
    """Every feed: number, key, payload and whether it is a correction, in order."""
    found: dict[tuple[str, str], list[tuple[int, str, bytes | None, bool]]] = {}
    for view, audience, *item in await ask(
        url, "select view, audience, sequence, key, payload, correction from row_item order by view, audience, sequence"
    ):
        found.setdefault((view, audience), []).append((item[0], item[1], item[2], item[3]))
    return found
