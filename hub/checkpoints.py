"""The loop that signs checkpoints of the log while the hub runs (floor 6).

It reads what the desk has committed, on a connection of its own: no commit waits for it. Each record is read and hashed
once; a checkpoint is one statement. After a restart the tree grows on from the newest checkpoint.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol

import structlog
from msgspec import Struct

from hub.audit.checkpoints import log_name, note
from hub.audit.leaves import Salts
from hub.audit.merkle import Tree
from hub.audit.records import record_of
from hub.errors import LogCorrupt, Unavailable
from hub.mades.notary import Attestation
from hub.mades.pki import CertificateRefused
from hub.ports import Checkpoint, Checkpoints, Clock, EventStore

LOOK_S: Final = 1.0
"""How often the position is looked at: a number in memory."""
PAUSE_S: Final = 60.0
"""Time until the next try when nothing could be signed."""

log = structlog.get_logger("hub.checkpoints")


class Signs(Protocol):
    """Who signs for the hub (hub.mades.notary.Notary)."""

    def attest(self, content: bytes, at: datetime) -> Attestation:
        """Sign. Raises CertificateRefused."""


class Rhythm(Struct, frozen=True, kw_only=True):
    """A checkpoint follows after so many records, or so many seconds after the last one when there are any."""

    records: int
    seconds: float


class Checkpointer:
    """See the charter. Read only: `covered`, the number of records under the newest checkpoint."""

    def __init__(
        self,
        events: EventStore,
        checkpoints: Checkpoints,
        notary: Signs,
        *,
        hub: str,
        salts: Salts,
        rhythm: Rhythm,
        clock: Clock,
        position: Callable[[], int],
    ) -> None:
        """`position` tells how many records there are, without asking the store."""
        self._events, self._checkpoints, self._notary = events, checkpoints, notary
        self._log, self._salts, self._rhythm = log_name(hub), salts, rhythm
        self._clock, self._position = clock, position
        self._tree: Tree | None = None
        self._due_s = 0.0

    @property
    def covered(self) -> int:
        """How many records are under a checkpoint, as far as this loop knows."""
        return self._tree.size if self._tree else 0

    async def run(self) -> None:
        """Write a checkpoint whenever one is due."""
        self._due_s = self._clock.monotonic() + self._rhythm.seconds
        while True:
            await self._clock.sleep(LOOK_S)
            try:
                if self._is_due():
                    await self.write()
            except (OSError, Unavailable, CertificateRefused) as error:
                log.warning("checkpoint.waits", retry_s=PAUSE_S, error=str(error))
                await self._clock.sleep(PAUSE_S)
            except LogCorrupt as error:
                log.error("checkpoint.impossible", retry_s=PAUSE_S, error=str(error))
                await self._clock.sleep(PAUSE_S)

    async def write(self) -> Checkpoint | None:
        """Write the next checkpoint; None when there is no newer record.

        Raises:
            CertificateRefused: nothing to sign with.
            LogCorrupt: log or newest checkpoint contradict themselves.
            Unavailable: the store does not answer.
        """
        tree = (self._tree or await self._newest()).copy()
        async for event in self._events.read(after=tree.size, until=tree.size + self._rhythm.records):
            tree.append(self._salts.leaf(event.position, record_of(event, position=event.position, at=event.at)))
        self._due_s = self._clock.monotonic() + self._rhythm.seconds
        if self._tree and tree.size == self._tree.size:
            return None
        checkpoint = await self._signed(tree)
        self._tree = tree
        log.info("checkpoint.written", records=tree.size)
        return checkpoint

    async def _signed(self, tree: Tree) -> Checkpoint:
        at, root = self._clock.now(), tree.root()
        attestation = self._notary.attest(note(self._log, size=tree.size, root=root, at=at).encode(), at)
        checkpoint = Checkpoint(
            size=tree.size,
            root=root,
            at=at,
            peaks=tree.to_bytes(),
            signature=attestation.signature,
            signer=attestation.fingerprint,
        )
        await self._checkpoints.keep(checkpoint, attestation.signer)
        return checkpoint

    async def _newest(self) -> Tree:
        newest = await self._checkpoints.newest()
        try:
            self._tree = Tree.from_bytes(newest.size, newest.peaks) if newest else Tree()
        except ValueError as error:
            raise LogCorrupt(f"The newest checkpoint was changed: {error}. Run `tps events verify`.") from error
        return self._tree

    def _is_due(self) -> bool:
        waiting = self._position() - self.covered
        return waiting >= self._rhythm.records or (waiting > 0 and self._clock.monotonic() >= self._due_s)
