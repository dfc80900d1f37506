"""The store's twin in memory: the same facets with the same promises, for tests and for replaying a log into.

Nothing here awaits, so that each call is atomic; the contract suites run against both stores.
"""

from collections.abc import AsyncIterator, Callable, Container, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Self

from msgspec.structs import replace

from documents.values import Identifier, Interval
from hub.audit.records import GENESIS
from hub.errors import Conflict
from hub.ports import Batch, ErasablePayload, FeedSlice, IdempotencyKey, InboxEntry, Item, Row, Scope, StoredEvent
from hub.store.codec import chained, consecutive, digest_of, encode_payload
from hub.store.memory_checkpoints import MemoryCheckpoints, MemoryEvidence
from hub.store.memory_outbox import MemoryOutbox
from hub.store.sending import MridOf, random_id, random_mrid
from hub.store.tokens import Token, fingerprint_of

Feed = tuple[str, Identifier]
"""(view, audience)."""


class MemoryLog:
    """The log, for reading (hub.ports.EventStore)."""

    def __init__(self) -> None:
        self.events: list[StoredEvent] = []

    async def head(self) -> int:
        """Position of the newest event."""
        return len(self.events)

    async def first(self) -> int:
        """Position of the oldest event: 1, unless somebody has changed the log."""
        return self.events[0].position if self.events else 1

    async def documents(self, mrid: str, *, sender: str | None = None) -> Sequence[int]:
        """Positions of what was recorded of documents with this mRID, the oldest first."""
        end = f"/{sender}/{mrid}" if sender else f"/{mrid}"
        return [
            event.position
            for event in self.events
            if event.stream.startswith("document/") and event.stream.endswith(end)
        ]

    async def read(self, *, after: int = 0, until: int | None = None) -> AsyncIterator[StoredEvent]:
        """Events in order with position > `after` (and <= `until`). Raises LogCorrupt."""
        for event in consecutive(self.events[after:until], after):
            yield event


class MemoryRows:
    """Rows of a scope (hub.ports.RowReader)."""

    def __init__(self) -> None:
        self.feeds: dict[Feed, list[Item]] = {}
        self.current: dict[Feed, dict[str, Item]] = {}

    async def feed(self, scope: Scope, view: str, *, after: int = 0, limit: int = 1000) -> Sequence[Item]:
        """Items with sequence > `after`, ascending."""
        return self.feeds.get((view, scope.audience), [])[after : after + limit]

    async def slices(self, slices: Sequence[FeedSlice]) -> Sequence[Sequence[Item]]:
        """The items of each slice, ascending."""
        return [self.feeds.get((each.view, each.audience), [])[each.after : each.upto] for each in slices]

    async def head(self, scope: Scope, view: str) -> int:
        """Sequence of the newest item."""
        return len(self.feeds.get((view, scope.audience), []))

    async def get(self, scope: Scope, view: str, key: str) -> Item | None:
        """The current item of a key, None when unknown or withdrawn."""
        return self.current.get((view, scope.audience), {}).get(key)

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
        """Current items by ascending key, of those that pass every filter given."""
        found = (
            item
            for key, item in sorted(self.current.get((view, scope.audience), {}).items())
            if key > after_key
            and (not groups or item.group in groups)
            and (overlapping is None or (item.valid is not None and item.valid.overlaps(overlapping)))
            and (issued is None or issued.start <= item.issued < issued.end)
        )
        return list(islice(found, limit))

    def audiences(self, view: str) -> Sequence[Identifier]:
        """Who has a feed of this view, in order (for MemoryOutbox)."""
        return [audience for of_view, audience in sorted(self.feeds) if of_view == view]

    def sizes(self, view: str, audience: Identifier, after: int) -> Sequence[int]:
        """Bytes of the payload of each item with sequence > `after` (for MemoryOutbox)."""
        return [len(item.payload or b"") for item in self.feeds[view, audience][after:]]

    def append(self, position: int, row: Row, at: datetime) -> Item:
        """Store a row at the end of its feed."""
        feed = self.feeds.setdefault((row.view, row.audience), [])
        item = Item(
            view=row.view,
            audience=row.audience,
            key=row.key,
            sequence=len(feed) + 1,
            payload=encode_payload(row.payload),
            group=row.group,
            valid=row.valid,
            issued=row.issued or at,
            position=position,
        )
        feed.append(item)
        current = self.current.setdefault((row.view, row.audience), {})
        if item.payload is None:
            current.pop(row.key, None)
        else:
            current[row.key] = item
        return item


class MemoryCommit:
    """The one door into the log, and what is known of messages taken in (hub.ports.Commit)."""

    def __init__(self, log: MemoryLog, rows: MemoryRows, outbox: MemoryOutbox) -> None:
        self._log, self._rows, self._outbox = log, rows, outbox
        self._versions: set[tuple[str, int]] = set()
        self.inbox: dict[tuple[str, str], InboxEntry] = {}
        self.payloads: dict[str, bytes] = {}
        self.keys: dict[tuple[str, str], IdempotencyKey] = {}

    async def commit(self, batch: Batch) -> int:
        """Write the batch, all or nothing, and return the new head. Raises Conflict."""
        if batch.after != len(self._log.events):
            raise Conflict(f"The log has moved on from position {batch.after}.")
        versions = [(event.stream, event.version) for event in batch.events]
        senders = [(entry.sender, entry.message_id) for entry in batch.inbox]
        keys = [(key.scope, key.key) for key in batch.keys]
        _refuse_taken("stored_events", versions, self._versions)
        _refuse_taken("in_message", senders, self.inbox)
        _refuse_taken("idempotency_key", keys, self.keys)

        chain = self._log.events[-1].chain if self._log.events else GENESIS
        self._log.events.extend(chained(batch, chain))
        self._versions.update(versions)
        for position, row in batch.rows:
            item = self._rows.append(position, row, batch.at)
            if row.send:
                self._outbox.send(item, row.send, now=batch.at)
            if row.confirms in self.inbox:
                self._outbox.acknowledge_reading(self.inbox[row.confirms], now=batch.at)
        for entry in batch.inbox:
            self.inbox[entry.sender, entry.message_id] = entry
            self._outbox.acknowledge_receipt(entry, now=batch.at)
        self.payloads.update((digest_of(content), content) for content in batch.payloads)
        self.keys.update(zip(keys, batch.keys, strict=True))
        return len(self._log.events)

    async def known(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """Of these (sender, message_id), those taken in before with the digest of what they held then."""
        return {key: self.inbox[key].digest for key in keys if key in self.inbox}

    async def replay_acknowledgements(self, sender: str, message_id: str, *, now: datetime) -> None:
        """Queue the stored acknowledgements of a repeated message once more."""
        self._outbox.replay(sender, message_id, now=now)


class MemoryPayloads:
    """Raw documents: which may go, and their erasure (hub.ports.Payloads)."""

    def __init__(self, commit: MemoryCommit) -> None:
        self._commit = commit

    async def erasable(
        self, *, before: datetime | None, sender: str | None, limit: int = 1000
    ) -> Sequence[ErasablePayload]:
        """By digest, the documents that only messages of the sender, taken in before the instant, have brought."""
        spared = {
            entry.digest
            for entry in self._commit.inbox.values()
            if (before is not None and entry.received >= before) or sender not in (None, entry.sender)
        }
        brought = {entry.digest for entry in self._commit.inbox.values()} - spared
        found = sorted(brought & self._commit.payloads.keys())
        return [ErasablePayload(digest, len(self._commit.payloads[digest])) for digest in found[:limit]]

    async def erase(self, digests: Sequence[str]) -> int:
        """Delete these; returns how many were there."""
        return len([self._commit.payloads.pop(digest) for digest in digests if digest in self._commit.payloads])


class MemoryTokens:
    """Tokens of the REST interface."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}
        self._positions: dict[tuple[str, str], int] = {}

    async def record(
        self, secret: str, *, participant: Identifier, label: str, now: datetime, expires: datetime | None = None
    ) -> Token:
        """Let this new secret speak for the participant. Raises ValueError: the secret is in use."""
        fingerprint = fingerprint_of(secret)
        if fingerprint in self._tokens:
            raise ValueError("This token is in use. Make a new random one.")
        token = Token(fingerprint=fingerprint, participant=participant, label=label, created=now, expires=expires)
        self._tokens[fingerprint] = token
        return token

    async def lookup(self, secret: str, *, now: datetime) -> Token | None:
        """The token of this secret; None when unknown, revoked or expired (indistinguishable)."""
        token = self._tokens.get(fingerprint_of(secret))
        return token if token and token.valid(now) else None

    async def list(self, participant: Identifier | None = None) -> Sequence[Token]:
        """All tokens, of one participant if named, oldest first."""
        chosen = (token for token in self._tokens.values() if participant in (None, token.participant))
        return sorted(chosen, key=lambda token: (token.created, token.fingerprint))

    async def revoke(self, fingerprint: str, *, now: datetime) -> bool:
        """Close the door; whether it was open."""
        token = self._tokens.get(fingerprint)
        if token is None or token.revoked is not None:
            return False
        self._tokens[fingerprint] = replace(token, revoked=now)
        return True

    async def positions(self, fingerprint: str) -> Mapping[str, int]:
        """Per view, the sequence this token was last answered up to (R33)."""
        return {view: sequence for (token, view), sequence in self._positions.items() if token == fingerprint}

    async def set_positions(self, positions: Mapping[tuple[str, str], int]) -> None:
        """Remember sequences by (fingerprint, view); a position never goes back."""
        for place, sequence in positions.items():
            self._positions[place] = max(sequence, self._positions.get(place, 0))


class MemoryIdempotency:
    """Idempotency keys; they are written by the commit they belong to (Batch.keys)."""

    def __init__(self, commit: MemoryCommit) -> None:
        self._commit = commit

    async def find(self, scope: str, key: str) -> IdempotencyKey | None:
        """What was promised under this key, None when nothing was."""
        return self._commit.keys.get((scope, key))


class MemoryStore:
    """The store of one component, gone with its object: the facets of PostgresStore."""

    def __init__(self, *, component: str, mrid_of: MridOf = random_mrid, new_id: Callable[[], str] = random_id) -> None:
        self.component = component
        self.log = MemoryLog()
        self.rows = MemoryRows()
        self.outbox = MemoryOutbox(component=component, mrid_of=mrid_of, new_id=new_id, feeds=self.rows)
        self.commit = MemoryCommit(self.log, self.rows, self.outbox)
        self.payloads = MemoryPayloads(self.commit)
        self.checkpoints = MemoryCheckpoints()
        self.evidence = MemoryEvidence(self.commit.payloads)
        self.tokens = MemoryTokens()
        self.idempotency = MemoryIdempotency(self.commit)
        self._meta: dict[str, str] = {}

    async def payload(self, digest: str) -> bytes | None:
        """The document with this SHA-256 (hexadecimal); None when never stored."""
        return self.commit.payloads.get(digest)

    async def meta(self, key: str) -> str | None:
        """A fact about this store."""
        return self._meta.get(key)

    async def set_meta(self, key: str, value: str) -> None:
        """Keep a fact about this store."""
        self._meta[key] = value

    async def close(self) -> None:
        """Nothing to leave."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _refuse_taken(table: str, identities: Sequence[object], taken: Container[object]) -> None:
    """Raise Conflict when one of the identities is taken, or stands there twice."""
    if len(set(identities)) < len(identities) or any(identity in taken for identity in identities):
        raise Conflict(f"{table}: what should be new is taken.")
