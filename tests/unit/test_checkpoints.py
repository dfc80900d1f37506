"""Signed checkpoints of the log: when they are written, what they cost, what they go on from."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from hub.audit.merkle import Tree
from hub.audit.records import record_of
from hub.checkpoints import PAUSE_S, Checkpointer
from hub.clock import ManualClock
from hub.errors import LogCorrupt, Unavailable
from hub.ports import Checkpoint
from hub.store.memory import MemoryStore
from tests.notary_world import HUB, SALTS, Site, keys_in


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(MemoryStore(component=HUB), tmp_path / "keys", records=10, seconds=60)


@asynccontextmanager
async def running(checkpointer: Checkpointer) -> AsyncIterator[None]:
    task = asyncio.create_task(checkpointer.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def kept(site: Site) -> list[Checkpoint]:
    return [each async for each in site.store.checkpoints.read()]


async def test_a_log_that_grew_has_a_checkpoint_after_the_time_and_not_before(site: Site) -> None:
    async with running(site.checkpointer):
        await site.documents(3)
        await site.clock.advance(59)
        assert await kept(site) == []

        await site.clock.advance(2)
        assert [each.size for each in await kept(site)] == [3]

        await site.clock.advance(600)
        assert [each.size for each in await kept(site)] == [3]


async def test_many_records_have_checkpoints_at_once_and_never_more_than_so_many_apart(site: Site) -> None:
    async with running(site.checkpointer):
        await site.documents(25)
        await site.clock.advance(3)

        assert [each.size for each in await kept(site)] == [10, 20]


async def test_a_checkpoint_has_the_root_of_the_salted_records(site: Site) -> None:
    await site.documents(7)
    written = await site.checkpointer.write()

    tree = Tree()
    async for event in site.store.log.read():
        tree.append(SALTS.leaf(event.position, record_of(event, position=event.position, at=event.at)))
    assert written is not None
    assert (written.size, written.root, written.at) == (7, tree.root(), site.clock.now())


async def test_after_a_restart_only_newer_records_are_read(site: Site) -> None:
    await site.documents(7)
    await site.checkpointer.write()
    await site.documents(2)
    store = site.store
    assert isinstance(store, MemoryStore)
    older = store.log.events[:7]

    store.log.events[:7] = [replace(each, cause="whoever reads this comes to another root") for each in older]
    written = await site.started().write()
    store.log.events[:7] = older

    assert written is not None
    assert written.size == 9
    assert await site.fault() is None


async def test_nothing_new_is_no_checkpoint(site: Site) -> None:
    await site.documents(1)

    assert await site.checkpointer.write() is not None
    assert await site.checkpointer.write() is None
    assert await site.started().write() is None


async def test_without_a_certificate_that_holds_the_hub_goes_on_and_signs_when_there_is_one(site: Site) -> None:
    site.clock = ManualClock(site.clock.now() + timedelta(days=400))
    async with running(site.started()):
        await site.documents(1)
        with capture_logs() as lines:
            await site.clock.advance(61)
        assert [line["event"] for line in lines] == ["checkpoint.waits"]
        assert await kept(site) == []

        keys_in(site.folder, site.clock)
        await site.clock.advance(PAUSE_S + 1)
        assert [each.size for each in await kept(site)] == [1]


async def test_a_store_that_does_not_answer_is_asked_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise Unavailable("away")

    async with running(site.checkpointer):
        await site.documents(2)
        with monkeypatch.context() as patch:
            patch.setattr(site.store.checkpoints, "keep", away)
            await site.clock.advance(61)
        await site.clock.advance(PAUSE_S + 1)

        assert [each.size for each in await kept(site)] == [2]
        assert await site.fault() is None


async def test_a_newest_checkpoint_that_was_changed_is_no_ground_to_go_on_from(site: Site) -> None:
    await site.documents(3)
    await site.checkpointer.write()
    store = site.store
    assert isinstance(store, MemoryStore)
    (size,) = store.checkpoints.kept
    store.checkpoints.kept[size] = replace(store.checkpoints.kept[size], peaks=b"")

    with pytest.raises(LogCorrupt, match="tps events verify"):
        await site.started().write()
