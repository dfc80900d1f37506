"""The whole log compared with all that vouches for it: chain, tree, signed checkpoints, and the documents themselves.

In pages, so that a log of any length fits into memory; whoever runs it may stop after any page and go on from there.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from cryptography.x509 import Certificate
from msgspec import DecodeError, Struct
from msgspec.structs import replace

from hub.app.parts import Store
from hub.audit.checkpoints import log_name, note
from hub.audit.documents import document_in, erased_in
from hub.audit.leaves import Salts
from hub.audit.merkle import Tree
from hub.audit.records import GENESIS
from hub.audit.verification import Fault, Inspection, missing
from hub.errors import LogCorrupt, SettingsError
from hub.mades.notary import Attestation, check
from hub.mades.pki import CertificateRefused, read_chain
from hub.ports import Checkpoint, Signer, StoredEvent

PAGE: Final = 1000
LOWEST: Final = -(2**63)

CheckSignature = Callable[[Checkpoint, Signer | None], str | None]
"""What is wrong with the signature of a checkpoint; None when it is the hub's."""


class Bad(Exception):
    """The first fault in the order of the log."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.text)
        self.fault = fault


class Extent(Struct, frozen=True, kw_only=True):
    """What there is to look at: so many records, the first `covered` of them under a checkpoint."""

    records: int
    covered: int


class Stand(Struct, frozen=True, kw_only=True):
    """How far a log was found good: `chain` and `peaks` at this position; `complete` when the documents
    that no record names were looked at too.

    `absent` are the documents that are not there though a record names them, digest -> position: good as soon as a
    later record says that they were erased.
    """

    log: str
    position: int = 0
    chain: bytes = GENESIS
    peaks: bytes = b""
    absent: dict[str, int] = {}
    complete: bool = False


class Audit:
    """One audit of a store; see the charter. Read only: `stand`, how far it is, as of the last whole page."""

    def __init__(self, store: Store, stand: Stand, *, salts: Salts, signature: CheckSignature) -> None:
        """Go on from a stand kept before. Raises ValueError: it is none."""
        self._store, self._signature, self.stand = store, signature, stand
        self._inspection = Inspection(salts, chain=stand.chain, tree=Tree.from_bytes(stand.position, stand.peaks))
        self._absent = dict(stand.absent)

    async def extent(self) -> Extent:
        """What there is to look at now. Raises Unavailable, Bad: something stands before the first record."""
        newest = await self._store.checkpoints.newest()  # before the head, so that the head is not behind it
        oldest = await anext(self._store.checkpoints.read(after=LOWEST), None)
        head, first = await self._store.log.head(), await self._store.log.first()
        if first < 1 or (oldest and oldest.size < 1):
            raise Bad(Fault(position=0, text="Something stands before the first record."))
        return Extent(records=head, covered=newest.size if newest else 0)

    async def pages(self, extent: Extent) -> AsyncIterator[int]:
        """Look at every record and yield the position reached after each page. Raises Bad, Unavailable."""
        if self.stand.position > extent.records:
            raise Bad(missing(extent.records + 1, f"Position {self.stand.position} was there before."))
        checkpoints = self._store.checkpoints.read(after=self._inspection.position)
        pending = await anext(checkpoints, None)
        while self._inspection.position < extent.records:
            page, fault = await self._page(min(self._inspection.position + PAGE, extent.records))
            taken = list[StoredEvent]()
            for event in page:
                if found := self._inspection.take(event):
                    fault = found
                    break
                taken.append(event)
                if pending and pending.size == event.position:
                    if found := await self._compared(pending):
                        fault = found
                        break
                    pending = await anext(checkpoints, None)
            if found := await self._documents(taken) or fault:
                raise Bad(found)
            self.stand = self._standing()
            yield self._inspection.position
        if pending and pending.size <= extent.covered:
            raise Bad(missing(extent.records + 1, f"The checkpoint of {pending.size} records says that there was one."))
        for digest, position in self._absent.items():  # in the order of the log
            raise Bad(Fault(position=position, text=f"Its document {digest} is missing, and was not erased."))

    async def unnamed(self) -> AsyncIterator[int]:
        """Look at every document there is, also those that no record names, and yield how many so far.

        Raises Bad, Unavailable.
        """
        looked_at = 0
        async for digest, is_intact in self._store.evidence.all():
            looked_at += 1
            yield looked_at
            if not is_intact:
                raise Bad(Fault(position=None, text=f"The document {digest} does not have this digest any more."))
        self.stand = replace(self.stand, complete=True)

    def _standing(self) -> Stand:
        inspection = self._inspection
        return Stand(
            log=self.stand.log,
            position=inspection.position,
            chain=inspection.chain,
            peaks=inspection.tree.to_bytes(),
            absent=self._absent,
            complete=self.stand.complete,
        )

    async def _page(self, until: int) -> tuple[Sequence[StoredEvent], Fault | None]:
        """The next records, and the fault if there are less than there must be."""
        after, page = self._inspection.position, list[StoredEvent]()
        try:
            async for event in self._store.log.read(after=after, until=until):
                page.append(event)
        except LogCorrupt:
            return page, missing(after + len(page) + 1)
        return page, None if len(page) == until - after else missing(after + len(page) + 1)

    async def _compared(self, checkpoint: Checkpoint) -> Fault | None:
        if fault := self._inspection.compare(checkpoint):
            return fault
        wrong = self._signature(checkpoint, await self._store.checkpoints.signer(checkpoint.signer))
        return Fault(position=checkpoint.size, text=f"The checkpoint is not the hub's. {wrong}") if wrong else None

    async def _documents(self, events: Sequence[StoredEvent]) -> Fault | None:
        named = list[tuple[StoredEvent, str | None, Sequence[str]]]()
        unreadable = None
        for event in events:
            try:
                document = document_in(event)
                named.append((event, document.digest if document else None, erased_in(event)))
            except DecodeError:  # whoever can write here can also make the chain anew
                unreadable = Fault(position=event.position, text="The record cannot be read.")
                break
        kept = await self._store.evidence.intact([digest for _, digest, _ in named if digest])
        for event, digest, erased in named:
            if digest and digest not in kept:
                self._absent.setdefault(digest, event.position)
            elif digest and not kept[digest]:
                text = f"Its document {digest} does not have this digest any more."
                return Fault(position=event.position, text=text)
            for each in erased:
                self._absent.pop(each, None)
        return unreadable


async def before(store: Store, position: int, *, log: str, signature: CheckSignature) -> Stand:
    """Where to begin to look at a position: at the newest checkpoint before it.

    The signature of the checkpoint is checked; the chain value there is taken as it stands. Raises Bad, Unavailable.
    """
    checkpoint = await store.checkpoints.newest(within=position - 1)
    if checkpoint is None or checkpoint.size < 1:
        return Stand(log=log)
    at = checkpoint.size
    wrong = signature(checkpoint, await store.checkpoints.signer(checkpoint.signer)) or _wrong_peaks(checkpoint)
    if wrong:
        raise Bad(Fault(position=at, text=f"The checkpoint is not the hub's. {wrong}"))
    async for event in store.log.read(after=at - 1, until=at):
        return Stand(log=log, position=at, chain=event.chain, peaks=checkpoint.peaks)
    raise Bad(missing(at))


def _wrong_peaks(checkpoint: Checkpoint) -> str | None:
    try:
        is_right = Tree.from_bytes(checkpoint.size, checkpoint.peaks).root() == checkpoint.root
    except ValueError:
        is_right = False
    return None if is_right else "Its peaks are not those of its root."


def signed_by(hub: str, root: Path) -> CheckSignature:
    """Whether a checkpoint was signed by this hub, with a certificate that the root in this file vouches for."""

    def wrong(checkpoint: Checkpoint, signer: Signer | None) -> str | None:
        if signer is None:
            return "Its signer was never kept."
        attestation = Attestation(signature=checkpoint.signature, fingerprint=checkpoint.signer, signer=signer)
        said = note(log_name(hub), size=checkpoint.size, root=checkpoint.root, at=checkpoint.at)
        try:
            check(said.encode(), attestation, root=trusted(), code=hub, at=checkpoint.at)
        except CertificateRefused as error:
            return str(error)
        return None

    @cache
    def trusted() -> Certificate:
        try:
            return read_chain(root)[0]
        except (OSError, CertificateRefused) as error:
            raise SettingsError(f"{root}: found {error}; expected the certificate of the platform's root.") from error

    return wrong
