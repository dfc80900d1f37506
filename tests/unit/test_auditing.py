"""What an audit finds, and where, whatever somebody with the database's password has done; and how it goes on."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from hub.app import auditing
from hub.app.auditing import Audit, Bad, Extent, Stand, before, signed_by
from hub.audit.checkpoints import log_name
from hub.audit.leaves import Salts
from hub.audit.records import GENESIS, link
from hub.errors import SettingsError
from hub.store.codec import digest_of
from hub.store.memory import MemoryStore
from tests.notary_world import HUB, SALTS, Site, erased, keys_in


@pytest.fixture
async def store() -> MemoryStore:
    return MemoryStore(component=HUB)


@pytest.fixture
async def site(store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Twelve documents in pages of four, checkpoints at 5 and 10."""
    monkeypatch.setattr(auditing, "PAGE", 4)
    site = Site(store, tmp_path / "keys", records=5)
    await site.documents(12)
    await site.checkpointer.write()
    await site.checkpointer.write()
    return site


def rewritten(store: MemoryStore, position: int, **changes: object) -> None:
    """As somebody would who knows how the chain is made: one record changed, all chain values made anew."""
    store.log.events[position - 1] = replace(store.log.events[position - 1], **changes)
    chain = GENESIS
    for index, event in enumerate(store.log.events):
        chain = link(chain, event, position=event.position, at=event.at)
        store.log.events[index] = replace(event, chain=chain)


async def test_a_log_that_nobody_touched_is_good_to_its_end(site: Site) -> None:
    audit = site.audit()

    assert await site.fault(audit) is None
    assert await audit.extent() == Extent(records=12, covered=10)
    assert (audit.stand.position, audit.stand.complete) == (12, True)


@pytest.mark.parametrize(("position", "found"), [(1, 5), (5, 5), (6, 10), (10, 10)])
async def test_a_rewritten_record_is_found_at_the_next_checkpoint_though_the_chain_holds(
    site: Site, store: MemoryStore, position: int, found: int
) -> None:
    rewritten(store, position, cause="nobody")

    fault = await site.fault()

    assert fault is not None
    assert (fault.position, "not those of the signed checkpoint" in fault.text) == (found, True)


async def test_a_rewritten_record_after_the_newest_checkpoint_is_found_by_who_verified_it_before(
    site: Site, store: MemoryStore
) -> None:
    earlier = site.audit()
    assert await site.fault(earlier) is None
    rewritten(store, 11, cause="nobody")
    await site.documents(1)

    assert await site.fault() is None
    assert await site.fault(site.audit(earlier.stand)) is not None


async def test_a_log_that_was_cut_behind_its_newest_checkpoint_is_found(site: Site, store: MemoryStore) -> None:
    del store.log.events[8:]

    fault = await site.fault()

    assert fault is not None
    assert (fault.position, "checkpoint of 10 records" in fault.text) == (9, True)


async def test_a_log_that_became_shorter_is_found_by_who_verified_it_before(site: Site, store: MemoryStore) -> None:
    earlier = site.audit()
    assert await site.fault(earlier) is None
    del store.log.events[11:]

    fault = await site.fault(site.audit(earlier.stand))

    assert fault is not None
    assert (fault.position, fault.text) == (12, "The record is missing. Position 12 was there before.")


async def test_a_changed_document_is_named_by_the_record_of_it(site: Site, store: MemoryStore) -> None:
    digest = digest_of(b"document 7")
    store.commit.payloads[digest] += b"."

    fault = await site.fault()

    assert fault is not None
    assert (fault.position, fault.text) == (7, f"Its document {digest} does not have this digest any more.")


async def test_a_record_that_was_made_unreadable_behind_the_newest_checkpoint_is_named(
    site: Site, store: MemoryStore
) -> None:
    rewritten(store, 11, state=b"no event")

    fault = await site.fault()

    assert fault is not None
    assert (fault.position, "cannot be read" in fault.text) == (11, True)


async def test_the_first_of_two_faults_is_named(site: Site, store: MemoryStore) -> None:
    store.commit.payloads[digest_of(b"document 6")] += b"."
    store.log.events[6] = replace(store.log.events[6], cause="nobody")

    fault = await site.fault()

    assert fault is not None
    assert fault.position == 6


async def test_a_missing_document_is_a_fault_unless_its_erasure_is_recorded(site: Site, store: MemoryStore) -> None:
    for content in (b"document 3", b"document 8"):
        del store.commit.payloads[digest_of(content)]
    await site.write(erased(b"document 3"))

    fault = await site.fault()

    assert fault is not None
    assert (fault.position, "missing, and was not erased" in fault.text) == (8, True)
    await site.write(erased(b"document 8"))
    assert await site.fault() is None


async def test_a_document_of_no_record_is_looked_at_too(site: Site, store: MemoryStore) -> None:
    await site.write(payloads=(b"an acknowledgement",))
    assert await site.fault() is None
    store.commit.payloads[digest_of(b"an acknowledgement")] += b"."

    fault = await site.fault()

    assert fault is not None
    assert (fault.position, digest_of(b"an acknowledgement") in fault.text) == (None, True)


async def test_a_checkpoint_that_another_has_signed_is_not_the_hubs(site: Site, tmp_path: Path) -> None:
    keys_in(site.folder, site.clock)  # another root

    fault = await site.fault()

    assert fault is not None
    assert (fault.position, "No chain leads" in fault.text) == (5, True)


async def test_another_secret_is_no_way_to_verify(site: Site, store: MemoryStore) -> None:
    other = Audit(
        store,
        Stand(log=log_name(HUB)),
        salts=Salts(b"another secret"),
        signature=signed_by(HUB, site.folder / "root.pem"),
    )

    fault = await site.fault(other)

    assert fault is not None
    assert "`hub.secret`" in fault.text


async def test_without_a_root_signatures_cannot_be_judged(site: Site, store: MemoryStore) -> None:
    rootless = Audit(store, Stand(log=log_name(HUB)), salts=SALTS, signature=signed_by(HUB, site.folder / "none.pem"))

    with pytest.raises(SettingsError, match="expected the certificate of the platform's root"):
        await site.fault(rootless)


async def test_an_audit_goes_on_where_it_stopped(site: Site, store: MemoryStore) -> None:
    first = site.audit()
    async for _ in first.pages(await first.extent()):
        break
    assert first.stand.position == 4
    store.log.events[1] = replace(store.log.events[1], cause="nobody")

    assert await site.fault(site.audit(first.stand)) is None
    fault = await site.fault()
    assert fault is not None
    assert fault.position == 2


async def test_an_audit_may_begin_at_a_checkpoint(site: Site, store: MemoryStore) -> None:
    signature = signed_by(HUB, site.folder / "root.pem")
    store.log.events[1] = replace(store.log.events[1], cause="nobody")

    stand = await before(store, 8, log=log_name(HUB), signature=signature)

    assert stand.position == 5
    assert await site.fault(site.audit(stand)) is None
    store.checkpoints.kept[5] = replace(store.checkpoints.kept[5], peaks=bytes(64))
    with pytest.raises(Bad, match="peaks"):
        await before(store, 8, log=log_name(HUB), signature=signature)
    assert (await before(store, 5, log=log_name(HUB), signature=signature)).position == 0
