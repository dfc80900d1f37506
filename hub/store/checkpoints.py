"""What makes a changed store show: signed checkpoints of the log, and whether documents still have their digests."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

import asyncpg

from hub.ports import Checkpoint, Signer
from hub.store.database import Database

PAGE: Final = 500
PAYLOADS: Final = 100
"""Documents hashed in one call of the database: few enough to end in time when they are large."""


class PostgresCheckpoints:
    """Signed checkpoints (hub.ports.Checkpoints)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, checkpoint: Checkpoint, signer: Signer) -> None:
        """Keep a checkpoint; the first one of a size stays. Raises Unavailable."""
        await self._database.execute(
            "keep_checkpoint",
            checkpoint.size,
            checkpoint.root,
            checkpoint.at,
            checkpoint.peaks,
            checkpoint.signature,
            checkpoint.signer,
            signer.certificate,
            signer.issuing,
        )

    async def newest(self, *, within: int | None = None) -> Checkpoint | None:
        """The newest one, of at most `within` records. Raises Unavailable."""
        found = await self._database.fetch("newest_checkpoint", within)
        return _checkpoint(found[0]) if found else None

    async def read(self, *, after: int = 0) -> AsyncIterator[Checkpoint]:
        """Those of more than `after` records, the oldest first. Raises Unavailable."""
        while page := await self._database.fetch("checkpoints", after, PAGE):
            for record in page:
                yield _checkpoint(record)
            after = page[-1]["size"]

    async def signer(self, fingerprint: str) -> Signer | None:
        """Whose certificate has this fingerprint; None when it was never kept. Raises Unavailable."""
        found = await self._database.fetch("checkpoint_signer", fingerprint)
        return Signer(certificate=found[0]["certificate"], issuing=found[0]["issuing"]) if found else None


class PostgresEvidence:
    """Whether raw documents are what they were (hub.ports.Evidence)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def intact(self, digests: Sequence[str]) -> Mapping[str, bool]:
        """Of these documents, those that are there, each with whether it has its digest. Raises Unavailable."""
        found: dict[str, bool] = {}
        for start in range(0, len(digests), PAYLOADS):
            records = await self._database.fetch("intact", digests[start : start + PAYLOADS])
            found.update((record["digest"], record["intact"]) for record in records)
        return found

    async def all(self) -> AsyncIterator[tuple[str, bool]]:
        """Every document there is, with whether it has its digest. Raises Unavailable."""
        after = ""
        while page := await self._database.fetch("all_intact", after, PAYLOADS):
            for record in page:
                yield record["digest"], record["intact"]
            after = page[-1]["digest"]


def _checkpoint(record: asyncpg.Record) -> Checkpoint:
    return Checkpoint(**dict(record))
