"""What every store promises of checkpoints and of documents kept (hub.ports.Checkpoints, Evidence)."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from hub.ports import Batch, Checkpoint, NewEvent, Signer
from tests.fixtures_store import Doors, Store

NOW = datetime(2026, 1, 15, 12, 0, 0, 123456, tzinfo=UTC)
HUB = Signer(certificate=b"certificate", issuing=b"issuing")


def checkpoint(size: int, *, signer: str = "ab" * 32) -> Checkpoint:
    return Checkpoint(
        size=size,
        root=sha256(bytes([size])).digest(),
        at=NOW + timedelta(seconds=size),
        peaks=bytes(32 * size.bit_count()),
        signature=b"signed",
        signer=signer,
    )


async def test_a_store_without_checkpoints_has_no_newest(store: Store) -> None:
    assert await store.checkpoints.newest() is None
    assert [each async for each in store.checkpoints.read()] == []
    assert await store.checkpoints.signer("ab" * 32) is None


async def test_checkpoints_come_back_as_kept_the_oldest_first(doors: Doors) -> None:
    store = await doors()
    for size in (9, 3, 5):
        await store.checkpoints.keep(checkpoint(size), HUB)

    again = await doors()
    assert [each async for each in again.checkpoints.read()] == [checkpoint(3), checkpoint(5), checkpoint(9)]
    assert [each.size async for each in again.checkpoints.read(after=3)] == [5, 9]
    assert await again.checkpoints.newest() == checkpoint(9)
    assert await again.checkpoints.newest(within=8) == checkpoint(5)
    assert await again.checkpoints.newest(within=2) is None
    assert await again.checkpoints.signer("ab" * 32) == HUB


async def test_the_first_checkpoint_of_a_size_stays(store: Store) -> None:
    await store.checkpoints.keep(checkpoint(3), HUB)
    await store.checkpoints.keep(checkpoint(3, signer="cd" * 32), Signer(certificate=b"other", issuing=b"other"))

    assert await store.checkpoints.newest() == checkpoint(3)


async def test_documents_kept_have_their_digests(store: Store) -> None:
    contents = [b"one", b"two"]
    digests = [sha256(content).hexdigest() for content in contents]
    await store.commit.commit(Batch(after=0, at=NOW, payloads=tuple(contents)))

    assert await store.evidence.intact([*digests, "ab" * 32]) == dict.fromkeys(digests, True)
    assert [each async for each in store.evidence.all()] == [(digest, True) for digest in sorted(digests)]


async def test_what_was_recorded_of_a_document_is_found_by_its_mrid(store: Store) -> None:
    streams = ("document/A01:ALPHA/m1", "document/A01:BRAVO/m1", "limit/A01:ALPHA/m1", "document/A01:ALPHA/m11")
    events = [NewEvent(stream=stream, version=1, topic="Happened.v1", state=b"", cause="test") for stream in streams]
    await store.commit.commit(Batch(after=0, at=NOW, events=tuple(events)))

    assert await store.log.documents("m1") == [1, 2]
    assert await store.log.documents("m1", sender="A01:BRAVO") == [2]
    assert await store.log.documents("m2") == []
    assert await store.log.first() == 1
