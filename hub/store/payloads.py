"""Raw documents in PostgreSQL: which may go, and their erasure."""

from collections.abc import Sequence
from datetime import datetime

from hub.ports import ErasablePayload
from hub.store.database import Database


class PostgresPayloads:
    """Raw documents, for their erasure alone (hub.ports.Payloads)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def erasable(
        self, *, before: datetime | None, sender: str | None, limit: int = 1000
    ) -> Sequence[ErasablePayload]:
        """By digest, the documents that only messages of `sender`, taken in before `before`, have brought.

        Raises Unavailable.
        """
        records = await self._database.fetch("erasable", before, sender, limit)
        return [ErasablePayload(record["digest"], record["size"]) for record in records]

    async def erase(self, digests: Sequence[str]) -> int:
        """Delete these; returns how many were there. Raises Unavailable."""
        return await self._database.execute("erase_payloads", list(digests))
