"""The twins in memory of what makes a changed store show."""

from collections.abc import AsyncIterator, Mapping, Sequence

from hub.ports import Checkpoint, Signer
from hub.store.codec import digest_of


class MemoryCheckpoints:
    """Signed checkpoints (hub.ports.Checkpoints)."""

    def __init__(self) -> None:
        self.kept: dict[int, Checkpoint] = {}
        self.signers: dict[str, Signer] = {}

    async def keep(self, checkpoint: Checkpoint, signer: Signer) -> None:
        """Keep a checkpoint; the first one of a size stays."""
        self.kept.setdefault(checkpoint.size, checkpoint)
        self.signers.setdefault(checkpoint.signer, signer)

    async def newest(self, *, within: int | None = None) -> Checkpoint | None:
        """The newest one, of at most `within` records."""
        fitting = [size for size in self.kept if within is None or size <= within]
        return self.kept[max(fitting)] if fitting else None

    async def read(self, *, after: int = 0) -> AsyncIterator[Checkpoint]:
        """Those of more than `after` records, the oldest first."""
        for size in sorted(self.kept):
            if size > after:
                yield self.kept[size]

    async def signer(self, fingerprint: str) -> Signer | None:
        """Whose certificate has this fingerprint; None when it was never kept."""
        return self.signers.get(fingerprint)


class MemoryEvidence:
    """Whether raw documents are what they were (hub.ports.Evidence)."""

    def __init__(self, kept: Mapping[str, bytes]) -> None:
        self._kept = kept

    async def intact(self, digests: Sequence[str]) -> Mapping[str, bool]:
        """Of these documents, those that are there, each with whether it has its digest."""
        return {digest: digest_of(self._kept[digest]) == digest for digest in digests if digest in self._kept}

    async def all(self) -> AsyncIterator[tuple[str, bool]]:
        """Every document there is, with whether it has its digest."""
        for digest, content in sorted(self._kept.items()):
            yield digest, digest_of(content) == digest
