"""A log in memory that is signed as a hub signs it: keys in a folder, a checkpointer, an audit."""

from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import msgspec

from hub.app.auditing import Audit, Bad, Stand, signed_by
from hub.audit.checkpoints import log_name
from hub.audit.leaves import Salts
from hub.audit.verification import Fault
from hub.checkpoints import Checkpointer, Rhythm
from hub.clock import ManualClock
from hub.events import PayloadsErased
from hub.mades import pki
from hub.mades.certificates import CertificateType
from hub.mades.credentials import ISSUING, ROOT
from hub.mades.notary import Notary
from hub.ports import Batch, NewEvent
from hub.tagged import tag_of
from tests.fixtures_store import Store

HUB = "A01:45X-TPS-HUB-DEM8"
SALTS = Salts(b"0123456789abcdef0123456789abcdef")


def keys_in(folder: Path, clock: ManualClock, *, key: pki.PrivateKey | None = None) -> Notary:
    """Who signs with keys that are made in the folder now; made in it before, they are followed by new ones."""
    folder.mkdir(exist_ok=True, parents=True)
    now = clock.now() - timedelta(hours=1)
    root = pki.root_authority("root", now=now)
    issuing = pki.issuing_authority("issuing", root=root, now=now)
    key = key or pki.make_key()
    leaf = pki.issue(key.public_key(), HUB, CertificateType.SIGNING, authority=issuing, now=now)
    (folder / ROOT).write_bytes(pki.pem_of(root.certificate))
    (folder / ISSUING).write_bytes(pki.pem_of(issuing.certificate))
    (folder / "signing-0.key").unlink(missing_ok=True)
    pki.write_key(folder / "signing-0.key", key)
    (folder / "signing-0.pem").write_bytes(pki.pem_of(leaf, issuing.certificate))
    return Notary(folder)


def answered(content: bytes, *, sender: str = "A01:ALPHA", mrid: str = "m1") -> NewEvent:
    """The verdict on a document with this content, as the hub records it."""
    origin = {"sender": sender, "mrid": mrid, "revision": 1, "digest": sha256(content).hexdigest()}
    state = {"type": "DocumentAnswered.v1", "origin": origin, "verdict": "A01", "reasons": [], "rejected": []}
    return event(f"document/{sender}/{mrid}", "DocumentAnswered.v1", state)


def erased(*contents: bytes) -> NewEvent:
    """That these documents were erased, as the hub records it."""
    digests = tuple(sha256(content).hexdigest() for content in contents)
    said = PayloadsErased(digests=digests, before=None, participant=None, why="test", by="ops")
    return event(f"payloads/{digests[0]}", tag_of(said), said)


def event(stream: str, topic: str, state: object) -> NewEvent:
    return NewEvent(stream=stream, version=1, topic=topic, state=msgspec.msgpack.encode(state), cause="test")


class Site:
    """A store whose hub signs checkpoints when told to."""

    def __init__(self, store: Store, folder: Path, *, records: int = 1000, seconds: float = 60.0) -> None:
        self.store, self.folder, self.clock = store, folder, ManualClock()
        self.notary = keys_in(folder, self.clock)
        self.head = 0
        self._numbers: Iterator[int] = iter(range(1, 10_000_000))
        self._rhythm = Rhythm(records=records, seconds=seconds)
        self.checkpointer = self.started()

    def started(self) -> Checkpointer:
        """A checkpointer as after a start of the hub."""
        return Checkpointer(
            self.store.log,
            self.store.checkpoints,
            self.notary,
            hub=HUB,
            salts=SALTS,
            rhythm=self._rhythm,
            clock=self.clock,
            position=lambda: self.head,
        )

    async def write(self, *events: NewEvent, payloads: tuple[bytes, ...] = ()) -> None:
        """Commit events and documents."""
        batch = Batch(after=self.head, at=self.clock.now(), events=events, payloads=payloads)
        self.head = await self.store.commit.commit(batch)

    async def documents(self, count: int) -> list[bytes]:
        """So many documents, each with its record; returns their bytes."""
        contents = [f"document {next(self._numbers)}".encode() for _ in range(count)]
        await self.write(*(answered(each, mrid=each.decode()[9:]) for each in contents), payloads=tuple(contents))
        return contents

    def audit(self, stand: Stand | None = None) -> Audit:
        """One that trusts the root in the folder of the keys."""
        signature = signed_by(HUB, self.folder / ROOT)
        return Audit(self.store, stand or Stand(log=log_name(HUB)), salts=SALTS, signature=signature)

    async def fault(self, audit: Audit | None = None) -> Fault | None:
        """What a whole audit finds first."""
        audit = audit or self.audit()
        try:
            async for _ in audit.pages(await audit.extent()):
                pass
            async for _ in audit.unnamed():
                pass
        except Bad as bad:
            return bad.fault
        return None
