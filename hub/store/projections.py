"""Which version of each projection the rows of a store come from, and how much each holds (R32)."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from hub.store.database import Database


class Recorded(Struct, frozen=True, kw_only=True):
    """What is known of a projection: the version its rows come from, how far a rebuild to another one has come."""

    version: int
    position: int


class Size(Struct, frozen=True, kw_only=True):
    """What some views hold: current rows, items in all feeds, and a digest that is the same when the rows are."""

    rows: int
    items: int
    digest: str


class PostgresProjections:
    """The book of the projections."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, versions: Mapping[str, int]) -> None:
        """Note the versions in a store whose log is still empty: they make its rows. Raises Unavailable."""
        await self._database.execute("record_first_versions", list(versions), list(versions.values()))

    async def recorded(self) -> dict[str, Recorded]:
        """What is known, by name. Raises Unavailable."""
        return {
            record["name"]: Recorded(version=record["version"], position=record["position"])
            for record in await self._database.fetch("recorded_projections")
        }

    async def size(self, views: Sequence[str]) -> Size:
        """What these views hold. Raises Unavailable."""
        (record,) = await self._database.fetch("projection_sizes", views)
        return Size(rows=record["rows"], items=record["items"], digest=record["digest"])
