"""The directory on both stores: what one process decides another one knows, and a rebuild ends in the same answers."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from documents.values import Identifier
from hub.clock import ManualClock
from hub.directory import wire
from hub.directory.brain import DirectoryBrain
from hub.directory.calls import RegistrationRequest
from hub.directory.rows import COMPONENTS
from hub.directory.values import Party, Status
from hub.directory_service import Authority, Directory, make_authority
from hub.errors import Rejected
from hub.mades import credentials, paths
from hub.mades.topology import compile_topology
from hub.ports import Recorded, Scope
from hub.store.memory import MemoryStore
from tests.directory_world import (
    ALPHA,
    BROKER,
    BROKER_CONFIGURATION,
    CONTACT,
    DIRECTORY,
    DIRECTORY_CONFIGURATION,
    HUB,
    NORTH,
    configured,
    over_broker,
)
from tests.fixtures_store import Doors, Store


class Shop:
    """The processes of one directory: each opens the same store once more."""

    def __init__(self, doors: Doors, folder: Path, stack: AsyncExitStack) -> None:
        self._doors, self._stack, self.folder = doors, stack, folder
        self.clock = ManualClock()
        self.authority: Authority = make_authority(folder / "authority", "Test", now=self.clock.now())
        self.stores: list[Store] = []

    async def process(self) -> Directory:
        self.stores.append(await self._doors())
        directory = Directory(DIRECTORY, store=self.stores[-1], authority=self.authority, clock=self.clock)
        return await self._stack.enter_async_context(directory.running())


@pytest_asyncio.fixture
async def shop(doors: Doors, tmp_path: Path) -> AsyncIterator[Shop]:
    async with AsyncExitStack() as stack:
        yield Shop(doors, tmp_path, stack)


async def peopled(shop: Shop) -> Directory:
    directory = await shop.process()
    await directory.establish(CONTACT, DIRECTORY_CONFIGURATION, by="test")
    for code, party, configuration in (
        (BROKER, Party.BROKER, BROKER_CONFIGURATION),
        (HUB, Party.HUB, configured(over_broker(start=shop.clock.now()))),
        (NORTH, Party.DSO, configured(over_broker(start=shop.clock.now()))),
    ):
        await directory.enrol(shop.folder / code.rpartition(":")[2], code, party, CONTACT, by="test")
        await directory.configure(code, configuration)
    return directory


def request(shop: Shop, code: str = ALPHA) -> RegistrationRequest:
    return RegistrationRequest(
        code=code, contact=CONTACT, requests=credentials.requests_in(shop.folder / "asking", code)
    )


async def test_what_the_command_line_decides_the_service_knows_at_once(shop: Shop) -> None:
    service = await peopled(shop)
    command_line = await shop.process()

    token = await command_line.invite(ALPHA, Party.AGR, by="operator")
    waiting = await service.register(request(shop), token=token)
    await command_line.approve(waiting.registration, why="known", by="operator")

    entry = await service.entry(ALPHA)
    assert entry is not None
    assert (entry.status, entry.by) == (Status.APPROVED, "operator")
    assert (await service.registration(waiting.registration, token=token)).certificates != ()
    with pytest.raises(Rejected, match="APPROVED already"):
        await service.reject(waiting.registration, why="late", by="operator")


async def test_a_token_opens_one_registration_whichever_process_is_asked(shop: Shop) -> None:
    one, other = await shop.process(), await shop.process()
    token = await one.invite(ALPHA, Party.AGR, by="operator")
    await other.register(request(shop), token=token)
    (shop.folder / "asking" / "pending" / "signing.csr").unlink()

    with pytest.raises(Rejected, match="opens no registration"):
        await one.register(request(shop), token=token)
    with pytest.raises(Rejected, match="opens no registration"):
        await one.register(request(shop, NORTH), token=token)


async def test_a_token_is_kept_as_a_hash_only(shop: Shop) -> None:
    directory = await shop.process()
    token = await directory.invite(ALPHA, Party.AGR, by="operator")
    await directory.register(request(shop), token=token)

    stored = [event.state async for event in shop.stores[0].log.read()]
    rows = [repr(each).encode() for each in (*await directory.invitations(), *await directory.applications())]
    assert len(stored) == 2
    assert not [text for text in (*stored, *rows) if token.encode() in text]


async def test_a_token_that_has_run_out_opens_nothing(shop: Shop) -> None:
    directory = await shop.process()
    token = await directory.invite(ALPHA, Party.AGR, by="operator", validity=timedelta(hours=1))
    await shop.clock.advance(3600)

    with pytest.raises(Rejected, match="opens no registration"):
        await directory.register(request(shop), token=token)


async def test_content_id_is_the_newest_number_of_the_components_own_feed(shop: Shop) -> None:
    directory = await peopled(shop)
    content = wire.parse((await directory.copy_for(NORTH)).body)

    assert content.content_id == await shop.stores[0].rows.head(Scope(Identifier(NORTH)), COMPONENTS) == 4
    assert {record.code for record in content.records} == {DIRECTORY, BROKER, HUB, NORTH}
    await directory.enrol(shop.folder / "alpha", ALPHA, Party.AGR, CONTACT, by="test")
    await directory.configure(ALPHA, configured(over_broker(start=shop.clock.now())))
    assert wire.parse((await directory.copy_for(NORTH)).body) == content
    assert wire.parse((await directory.copy_for(HUB)).body).content_id == 5


async def test_a_new_process_answers_as_the_old_one_did(shop: Shop) -> None:
    directory = await peopled(shop)
    await directory.revoke(NORTH, why="stolen", by="operator")
    before = (await directory.copy_for(HUB)).body

    again = await shop.process()

    assert (await again.copy_for(HUB)).body == before
    assert await again.board() == await directory.board()
    assert await again.reapprove(NORTH, why="found", by="operator")


async def test_the_rows_can_be_made_anew_from_the_log(shop: Shop) -> None:
    directory = await peopled(shop)
    await directory.revoke(NORTH, why="stolen", by="operator")
    brain, twin = DirectoryBrain(DIRECTORY), MemoryStore(component=DIRECTORY)
    async for stored in shop.stores[0].log.read():
        event = brain.decode(stored.topic, stored.state)
        recorded = Recorded(event, stored.position, stored.at, stored.cause)
        for row in brain.rows(recorded):
            twin.rows.append(stored.position, row, stored.at)
        brain.evolve(recorded)

    rebuilt = Directory(DIRECTORY, store=twin, authority=shop.authority, clock=shop.clock)

    for code in (HUB, NORTH, BROKER, DIRECTORY):
        assert (await rebuilt.copy_for(code)).body == (await directory.copy_for(code)).body
    assert await rebuilt.board() == await directory.board()


async def test_the_broker_is_told_every_endpoint_its_suffix_and_who_is_out(shop: Shop) -> None:
    directory = await peopled(shop)
    await directory.revoke(NORTH, why="stolen", by="operator")

    told = {each.code: each for each in await directory.registered()}

    entry = await directory.entry(NORTH)
    assert entry is not None
    assert {code: (each.party, each.revoked) for code, each in told.items()} == {
        HUB: (paths.Party.HUB, False),
        NORTH: (paths.Party.DSO, True),
    }
    assert told[NORTH].suffix == entry.queue_suffix
    assert set(compile_topology(list(told.values())).users) == {HUB}


async def test_who_registers_anew_finds_its_queues_again(shop: Shop) -> None:
    directory = await peopled(shop)
    before = await directory.entry(NORTH)

    answer = await directory.enrol(shop.folder / "north again", NORTH, Party.DSO, CONTACT, by="test")

    assert before is not None
    assert answer.queue_suffix == before.queue_suffix


async def test_two_processes_that_approve_at_once_let_one_through(shop: Shop) -> None:
    one, other = await shop.process(), await shop.process()
    waiting = await one.register(request(shop), token=None, party=Party.AGR)
    await other.approve(waiting.registration, why="first", by="kim")

    with pytest.raises(Rejected, match="APPROVED already"):
        await one.approve(waiting.registration, why="second", by="lee")

    entry = await one.entry(ALPHA)
    assert entry is not None
    assert (entry.why, entry.by, len(entry.certificates)) == ("first", "kim", 3)
