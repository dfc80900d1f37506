"""Bearer tokens, hashed at rest, with what each was last answered; and clients' idempotency keys."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

import asyncpg
from msgspec import Struct

from documents.values import Identifier, Instant
from hub.ports import IdempotencyKey
from hub.store.database import Database


class Token(Struct, frozen=True, kw_only=True):
    """A token as the store knows it: `fingerprint` is the hexadecimal SHA-256 of the secret, which is kept nowhere."""

    fingerprint: str
    participant: Identifier
    label: str
    created: Instant
    expires: Instant | None = None
    revoked: Instant | None = None

    def valid(self, now: datetime) -> bool:
        """Whether it opens the door at `now`."""
        return self.revoked is None and (self.expires is None or now < self.expires)


def fingerprint_of(secret: str) -> str:
    """How a token is known without its secret. Tokens are long and random, so that a plain hash keeps them."""
    return hashlib.sha256(secret.encode()).hexdigest()


class PostgresTokens:
    """Tokens of the REST interface."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(
        self, secret: str, *, participant: Identifier, label: str, now: datetime, expires: datetime | None = None
    ) -> Token:
        """Let this new secret speak for the participant. Raises Unavailable, ValueError (the secret is in use)."""
        fingerprint = fingerprint_of(secret)
        try:
            await self._database.execute("issue_token", bytes.fromhex(fingerprint), participant, label, now, expires)
        except asyncpg.UniqueViolationError as error:
            raise ValueError("This token is in use. Make a new random one.") from error
        return Token(fingerprint=fingerprint, participant=participant, label=label, created=now, expires=expires)

    async def lookup(self, secret: str, *, now: datetime) -> Token | None:
        """The token of this secret; None when unknown, revoked or expired (indistinguishable). Raises Unavailable."""
        records = await self._database.fetch("find_token", bytes.fromhex(fingerprint_of(secret)))
        token = _token(records[0]) if records else None
        return token if token and token.valid(now) else None

    async def list(self, participant: Identifier | None = None) -> Sequence[Token]:
        """All tokens, of one participant if named, oldest first. Raises Unavailable."""
        return [_token(record) for record in await self._database.fetch("list_tokens", participant)]

    async def revoke(self, fingerprint: str, *, now: datetime) -> bool:
        """Close the door; whether it was open. Raises Unavailable."""
        return bool(await self._database.value("revoke_token", bytes.fromhex(fingerprint), now))

    async def positions(self, fingerprint: str) -> Mapping[str, int]:
        """Per view, the sequence this token was last answered up to (R33). Raises Unavailable."""
        records = await self._database.fetch("token_positions", bytes.fromhex(fingerprint))
        return {record["view"]: record["sequence"] for record in records}

    async def set_positions(self, positions: Mapping[tuple[str, str], int]) -> None:
        """Remember sequences by (fingerprint, view); a position never goes back. Raises Unavailable."""
        hashes = [bytes.fromhex(fingerprint) for fingerprint, _ in positions]
        await self._database.execute("set_positions", hashes, [view for _, view in positions], list(positions.values()))


class PostgresIdempotency:
    """Idempotency keys; they are written by the commit they belong to (Batch.keys)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, scope: str, key: str) -> IdempotencyKey | None:
        """What was promised under this key, None when nothing was. Raises Unavailable."""
        for record in await self._database.fetch("find_key", scope, key):
            documents = tuple(record["documents"])
            return IdempotencyKey(scope=scope, key=key, fingerprint=record["fingerprint"], documents=documents)
        return None


def _token(record: asyncpg.Record) -> Token:
    fields = dict(record)
    return Token(fingerprint=fields.pop("hash").hex(), **fields)
