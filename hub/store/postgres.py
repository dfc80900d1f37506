"""A component's store in PostgreSQL: one object with a facet per port."""

from collections.abc import Callable
from typing import Self

import asyncpg

from hub.errors import SettingsError
from hub.store.checkpoints import PostgresCheckpoints, PostgresEvidence
from hub.store.database import Database, connect_pool
from hub.store.history import PostgresHistory
from hub.store.log import PostgresCommit, PostgresLog
from hub.store.messages import PostgresMessages
from hub.store.outbox import PostgresOutbox
from hub.store.payloads import PostgresPayloads
from hub.store.projections import PostgresProjections
from hub.store.rows import PostgresRows
from hub.store.sending import MridOf, random_id, random_mrid
from hub.store.tokens import PostgresIdempotency, PostgresTokens

OWNER = "component"
"""The key of `meta` that names whose store this is."""


class PostgresStore:
    """The store of one component, one for each database; each attribute is the adapter of one port."""

    def __init__(self, database: Database, *, component: str, mrid_of: MridOf, new_id: Callable[[], str]) -> None:
        self._database = database
        self.component = component
        self.log = PostgresLog(database)
        self.commit = PostgresCommit(database, component=component)
        self.rows = PostgresRows(database)
        self.outbox = PostgresOutbox(database, component=component, mrid_of=mrid_of, new_id=new_id)
        self.payloads = PostgresPayloads(database)
        self.messages = PostgresMessages(database, component=component)
        self.checkpoints = PostgresCheckpoints(database)
        self.evidence = PostgresEvidence(database)
        self.projections = PostgresProjections(database)
        self.tokens = PostgresTokens(database)
        self.idempotency = PostgresIdempotency(database)
        self.history = PostgresHistory(database)

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        component: str,
        schema: str = "tps",
        mrid_of: MridOf = random_mrid,
        new_id: Callable[[], str] = random_id,
        min_connections: int = 1,
        max_connections: int = 4,
        command_timeout_s: float = 30.0,
    ) -> Self:
        """Connect to a migrated database (hub.store.migrate) and make sure that it is this component's.

        Raises:
            SettingsError: the database refuses us, is not migrated, or holds the store of another component.
            Unavailable: the database does not answer.
        """
        pool = await connect_pool(
            url, schema=schema, command_timeout_s=command_timeout_s, min_size=min_connections, max_size=max_connections
        )
        writer = await connect_pool(url, schema=schema, command_timeout_s=command_timeout_s, min_size=1, max_size=1)
        store = cls(Database(pool, writer), component=component, mrid_of=mrid_of, new_id=new_id)
        try:
            await store._claim_ownership()
        except BaseException:
            store.terminate()
            raise
        return store

    async def payload(self, digest: str) -> bytes | None:
        """The document with this SHA-256 (hexadecimal); None when never stored, or erased. Raises Unavailable."""
        content: bytes | None = await self._database.value("payload", digest)
        return content

    async def meta(self, key: str) -> str | None:
        """A fact about this store. Raises Unavailable."""
        value: str | None = await self._database.value("get_meta", key)
        return value

    async def set_meta(self, key: str, value: str) -> None:
        """Keep a fact about this store. Raises Unavailable."""
        await self._database.execute("set_meta", key, value)

    async def close(self) -> None:
        """Let running queries end, then leave."""
        await self._database.close()

    def terminate(self) -> None:
        """Leave at once, as a crash would."""
        self._database.terminate()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _claim_ownership(self) -> None:
        try:
            owner = await self.meta(OWNER)
        except asyncpg.UndefinedTableError as error:
            raise SettingsError("This database has no store yet. Migrate it first.") from error
        if owner is None:
            await self.set_meta(OWNER, self.component)
        elif owner != self.component:
            raise SettingsError(
                f"This database holds the store of {owner}, expected {self.component}. Use another database."
            )
