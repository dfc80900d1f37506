"""What proves what was: raw documents, and signed checkpoints of the log (floor 2)."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from documents.values import Instant


class ErasablePayload(Struct, frozen=True):
    """A raw document that may go: its SHA-256 (hexadecimal) and its size in bytes."""

    digest: str
    size: int


class Payloads(Protocol):
    """Raw documents, for their erasure alone. Record it in the log first: what is absent unrecorded is a fault."""

    async def erasable(
        self, *, before: datetime | None, sender: str | None, limit: int = 1000
    ) -> Sequence[ErasablePayload]:
        """By digest, the documents that only messages of `sender`, taken in before `before`, have brought.

        None: of anybody, at any time.
        """

    async def erase(self, digests: Sequence[str]) -> int:
        """Delete these; returns how many were there."""


class Checkpoint(Struct, frozen=True, kw_only=True):
    """What the log was when it had `size` records, signed by the hub.

    `root` and `peaks` are those of the Merkle tree over them (hub.audit.merkle); `signature` is over the note
    (hub.audit.checkpoints), by the certificate with the fingerprint `signer`.
    """

    size: int
    root: bytes
    at: Instant
    peaks: bytes
    signature: bytes
    signer: str


class Signer(Struct, frozen=True, kw_only=True):
    """Who signed checkpoints: its certificate, and the one that vouches for it (DER)."""

    certificate: bytes
    issuing: bytes


class Checkpoints(Protocol):
    """Signed checkpoints of the log."""

    async def keep(self, checkpoint: Checkpoint, signer: Signer) -> None:
        """Keep a checkpoint; the first one of a size stays."""

    async def newest(self, *, within: int | None = None) -> Checkpoint | None:
        """The newest one, of at most `within` records."""

    def read(self, *, after: int = 0) -> AsyncIterator[Checkpoint]:
        """Those of more than `after` records, the oldest first."""

    async def signer(self, fingerprint: str) -> Signer | None:
        """Whose certificate has this fingerprint; None when it was never kept."""


class Evidence(Protocol):
    """Whether raw documents are what they were."""

    async def intact(self, digests: Sequence[str]) -> Mapping[str, bool]:
        """Of these documents, those that are there, each with whether it has its digest."""

    def all(self) -> AsyncIterator[tuple[str, bool]]:
        """Every document there is, with whether it has its digest."""
