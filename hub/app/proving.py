"""Proofs for who cannot read the log: made from the records between two checkpoints, whatever the log's length."""

from collections.abc import Sequence
from typing import Final

from cryptography.x509 import load_der_x509_certificate

from hub.app.parts import Store
from hub.audit.checkpoints import note
from hub.audit.leaves import Salts
from hub.audit.merkle import Span, Spans, Tree, consistency_spans, inclusion_spans
from hub.audit.proofs import Consistency, Inclusion, SignedNote
from hub.audit.records import record_of
from hub.errors import LogCorrupt
from hub.mades.pki import pem_of
from hub.ports import Checkpoint, StoredEvent

CHANGED: Final = "Run `tps events verify`."


class NoCheckpoint(LookupError):
    """What is to be proven is under no checkpoint; the message says so."""


class Prover:
    """Makes proofs from a store. All methods raise Unavailable, and LogCorrupt where the store contradicts itself."""

    def __init__(self, store: Store, *, log: str, salts: Salts) -> None:
        self._store, self._log, self._salts = store, log, salts

    async def holding(self, records: int) -> Checkpoint:
        """The first checkpoint of at least so many records. Raises NoCheckpoint."""
        async for checkpoint in self._store.checkpoints.read(after=records - 1):
            return checkpoint
        raise NoCheckpoint(
            f"No checkpoint has {records} records yet. The hub signs one every minute (hub.checkpoint_s) while it runs."
        )

    async def exactly(self, records: int) -> Checkpoint:
        """The checkpoint of so many records. Raises NoCheckpoint."""
        checkpoint = await self._store.checkpoints.newest(within=records)
        if checkpoint is None or checkpoint.size != records:
            raise NoCheckpoint(f"There is no checkpoint of {records} records. Take the number from an earlier proof.")
        return checkpoint

    async def newest(self) -> Checkpoint:
        """The newest checkpoint. Raises NoCheckpoint."""
        return await self._store.checkpoints.newest() or await self.holding(1)

    async def record(self, position: int) -> StoredEvent | None:
        """The record at a position; None when the log is not as long."""
        async for event in self._store.log.read(after=position - 1, until=position):
            return event
        return None

    async def signed(self, checkpoint: Checkpoint) -> SignedNote:
        """A checkpoint as it is handed out."""
        signer = await self._store.checkpoints.signer(checkpoint.signer)
        if signer is None:
            raise LogCorrupt(f"The signer of the checkpoint of {checkpoint.size} records is missing. {CHANGED}")
        certificates = [load_der_x509_certificate(der) for der in (signer.certificate, signer.issuing)]
        leaf, issuing = (pem_of(certificate).decode() for certificate in certificates)
        return SignedNote(
            note=note(self._log, size=checkpoint.size, root=checkpoint.root, at=checkpoint.at),
            signature=checkpoint.signature,
            certificates=(leaf, issuing),
        )

    async def inclusion(self, event: StoredEvent, checkpoint: Checkpoint) -> Inclusion:
        """That the record is in the checkpoint."""
        before = await self._store.checkpoints.newest(within=event.position - 1)
        path = await self._path(inclusion_spans(event.position - 1, checkpoint.size), before, checkpoint)
        return Inclusion(
            record=record_of(event, position=event.position, at=event.at),
            salt=self._salts.salt(event.position),
            path=tuple(path),
        )

    async def consistency(self, older: Checkpoint, checkpoint: Checkpoint) -> Consistency:
        """That the records of the older checkpoint are the first ones of the other."""
        path = await self._path(consistency_spans(older.size, checkpoint.size), older, checkpoint)
        return Consistency(checkpoint=await self.signed(older), path=tuple(path))

    async def _path(self, spans: Sequence[Span], before: Checkpoint | None, last: Checkpoint) -> list[bytes]:
        """The roots of the spans, from the records between two checkpoints."""
        tree = Tree.from_bytes(before.size, before.peaks) if before else Tree()
        collected = Spans(spans, tree)
        async for event in self._store.log.read(after=tree.size, until=last.size):
            leaf = self._salts.leaf(event.position, record_of(event, position=event.position, at=event.at))
            tree.append(leaf)
            collected.append(leaf)
        if (tree.size, tree.root()) != (last.size, last.root):
            raise LogCorrupt(f"The records are not those of the checkpoint of {last.size}. {CHANGED}")
        return collected.roots()
