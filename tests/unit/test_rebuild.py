"""Views are rebuilt from the log while the desk writes; damage is found, told and made good; numbers stay (R32)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from hub.errors import Conflict, LogCorrupt
from hub.events import Event
from hub.ports import Recorded, Row
from hub.projections.catalogue import CATALOGUE
from hub.rebuild import NEAR, Numbers, Progress
from hub.rows import AGR_ASSETS, DSO_ASSETS, DsoAsset
from hub.state import HubState
from hub.store.postgres import PostgresStore
from hub.store.shadow import FeedStart, Shadow
from tests.fixtures_store import COMPONENT, Cluster
from tests.hub_world import ALPHA, BRAVO, NORTH, World, asset
from tests.rebuild_world import VERSIONS, Writer, ask, feeds, rebuilt, seen

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture
async def url(cluster: Cluster) -> AsyncIterator[str]:
    async with cluster.lent() as url:
        yield url


@pytest_asyncio.fixture
async def store(url: str) -> AsyncIterator[PostgresStore]:
    async with await PostgresStore.open(url, component=COMPONENT) as store:
        await store.projections.begin(VERSIONS)
        yield store


def busy() -> World:
    """Assets of two operators on one grid, changed and removed, and a limit with shares."""
    world = World()
    world.claim(NORTH, "n1")
    world.register(ALPHA, "a1", "n1", produces=1000)
    world.register(ALPHA, "a2", "n1", produces=500)
    world.register(BRAVO, "b1", "n1", produces=1000)
    world.register(ALPHA, "a1", "n1", produces=700)
    world.unregister(ALPHA, "a2")
    world.plan(ALPHA, "plan", 1, {"a1": 5})
    world.announce(NORTH, "limit", 1, ["a1", "b1"], 10)
    return world


async def test_views_as_the_log_says_are_well_and_a_rebuild_changes_nothing(url: str, store: PostgresStore) -> None:
    writer = Writer(store)
    await writer.write(busy().log)
    before, told = await feeds(url), list[Progress]()

    report = await rebuilt(url, told=told)

    assert report.is_well
    assert (report.position, report.appended, report.renewed) == (len(busy().log), 0, ())
    assert told[-1] == Progress(report.position, report.position)
    assert await feeds(url) == before
    assert await seen(url) == writer.current()


DAMAGES = {
    "a payload": ("update row_item set payload = 'x' where view = 'dso_assets' and sequence = 1", {"changed"}),
    "a payload that is read": (
        "update row_item set payload = 'x' where view = 'dso_assets' and key like '%b1'",
        {"changed", "other"},
    ),
    "an item that is gone": ("delete from row_item where view = 'agr_limits'", {"missing", "other", "counter"}),
    "a key that is hidden": ("delete from row_current where view = 'participants'", {"hidden"}),
    "a key that came back": (
        """insert into row_current select view, audience, key, sequence, "group", valid_from, valid_to, issued
        from row_item where view = 'agr_assets' and key like '%a2' and payload is not null""",
        {"left over"},
    ),
    "a place that is wrong": ("update row_current set sequence = 1 where view = 'dso_assets'", {"other"}),
    "a counter": ("update feed set head = head + 1 where view = 'dso_assets'", {"counter"}),
    "a counter that is gone": ("delete from feed where view = 'dso_assets'", {"counter"}),
    "a whole view": (
        """with items as (delete from row_item where view = 'dso_assets'),
        present as (delete from row_current where view = 'dso_assets')
        delete from feed where view = 'dso_assets'""",
        {"missing", "hidden"},
    ),
    "an item from nowhere": (
        """with grown as (update feed set head = head + 1 where view = 'dso_assets' returning view, audience, head)
        insert into row_item select view, audience, head, 'forged', 'x', '', null, null, now(), 1 from grown""",
        {"extra"},
    ),
    "a filter": ("update row_current set \"group\" = 'elsewhere' where view = 'dso_assets'", {"other"}),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_is_found_and_made_good_and_no_number_is_lost(url: str, store: PostgresStore, damage: str) -> None:
    statement, kinds = DAMAGES[damage]
    writer, log = Writer(store), busy().log
    await writer.write(log)
    numbers = {feed: len(items) for feed, items in (await feeds(url)).items()}
    await ask(url, statement)

    checked = await rebuilt(url, check=True)
    damaged = await feeds(url)

    assert not checked.is_well
    assert {difference.kind for difference in checked.found} == kinds
    assert await feeds(url) == damaged

    repaired = await rebuilt(url)

    assert (repaired.items, repaired.keys) == (checked.items, checked.keys)
    assert await seen(url) == writer.current()
    assert (await rebuilt(url, check=True)).is_well
    for feed, items in (await feeds(url)).items():
        assert [number for number, *_ in items] == list(range(1, len(items) + 1))
        assert len(items) >= numbers[feed]
    await writer.write(more(log))
    assert (await rebuilt(url, check=True)).is_well


def more(log: Sequence[Recorded[Event]]) -> Sequence[Recorded[Event]]:
    """What happens after it."""
    world = busy()
    world.register(ALPHA, "a3", "n1", produces=100)
    return world.log[len(log) :]


@pytest.mark.parametrize("check", [True, False])
async def test_no_view_is_made_from_a_log_that_was_changed(url: str, store: PostgresStore, check: bool) -> None:
    await Writer(store).write(busy().log)
    before = await feeds(url)
    await ask(url, "update stored_events set cause = 'somebody else' where notification_id = 3")

    with pytest.raises(LogCorrupt, match="at or before position 3"):
        await rebuilt(url, check=check)

    assert await feeds(url) == before


async def test_r32_whoever_read_a_damaged_key_learns_the_truth_at_the_tail(url: str, store: PostgresStore) -> None:
    await Writer(store).write(busy().log)
    (((_, true),)) = [
        (key, payload) for _, key, payload, _ in (await feeds(url))[DSO_ASSETS, NORTH] if key == asset("b1")
    ]
    await ask(url, "update row_item set payload = 'x' where view = 'dso_assets' and key like '%b1'")
    cursor = len((await feeds(url))[DSO_ASSETS, NORTH])

    await rebuilt(url)

    told = (await feeds(url))[DSO_ASSETS, NORTH]
    assert told[cursor:] == [(cursor + 1, asset("b1"), true, True)]
    assert [payload for _, key, payload, correction in told if key == asset("b1") and not correction] == [true]


def second_version(recorded: Recorded[Event], state: HubState) -> Sequence[Row]:
    """The projection dso_assets as it might become: the voltage is told in another way, assets of BRAVO not at all."""
    rows = ENTRY.rows(recorded, state)
    return [
        replace(row, payload=replace(row.payload, voltage="new")) if isinstance(row.payload, DsoAsset) else row
        for row in rows
        if not row.key.endswith("b1")
    ]


ENTRY = next(entry for entry in CATALOGUE if entry.name == "dso_assets")
SECOND = replace(ENTRY, version=2, rows=second_version)


async def test_r32_a_new_version_appends_what_differs_and_never_renumbers(url: str, store: PostgresStore) -> None:
    writer = Writer(store)
    await writer.write(busy().log)
    before = (await feeds(url))[DSO_ASSETS, NORTH]

    report = await rebuilt(url, [SECOND])

    after = (await feeds(url))[DSO_ASSETS, NORTH]
    assert (report.renewed, report.appended) == (("dso_assets",), 2)
    assert after[: len(before)] == before
    assert [(number, key, payload is None) for number, key, payload, _ in after[len(before) :]] == [
        (len(before) + 1, asset("a1"), False),
        (len(before) + 2, asset("b1"), True),
    ]
    assert (await ask(url, "select version from projection where name = 'dso_assets'")) == [(2,)]
    assert (await rebuilt(url, [SECOND], check=True)).is_well


async def test_after_a_new_version_what_it_writes_is_checked_as_before(url: str, store: PostgresStore) -> None:
    writer, log = Writer(store), busy().log
    await writer.write(log)
    await rebuilt(url, [SECOND])
    later = Writer(store, [SECOND])
    for recorded in log:
        later.brain.evolve(recorded)
    later._position, later._versions = writer._position, writer._versions
    await later.write(more(log))
    assert (await rebuilt(url, [SECOND], check=True)).is_well

    await ask(url, "update row_item set payload = 'x' where view = 'dso_assets' and key like '%a3'")

    assert {found.kind for found in (await rebuilt(url, [SECOND], check=True)).found} == {"changed", "other"}


async def test_only_what_is_named_is_looked_at(url: str, store: PostgresStore) -> None:
    await Writer(store).write(busy().log)
    await ask(url, "update row_item set payload = 'x' where view = $1", AGR_ASSETS)

    assert (await rebuilt(url, [ENTRY], check=True)).is_well


async def test_a_second_rebuild_is_refused_and_the_first_one_cut_off_leaves_the_views(
    url: str, store: PostgresStore
) -> None:
    await Writer(store).write(busy().log)
    await ask(url, "update row_item set payload = 'x' where view = 'dso_assets'")
    damaged = await feeds(url)
    stuck = asyncio.Event()

    async def first() -> Any:
        async with Shadow.open(url) as shadow, shadow.locked():
            await shadow.begin([DSO_ASSETS])
            stuck.set()
            await asyncio.Event().wait()

    running = asyncio.create_task(first())
    await stuck.wait()
    with pytest.raises(Conflict, match="Another rebuild is running"):
        await rebuilt(url)

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert await feeds(url) == damaged
    for _ in range(200):
        try:
            assert not (await rebuilt(url)).is_well
            return
        except Conflict:  # the server notices a closed session a moment later
            await asyncio.sleep(0.01)
    raise AssertionError("the lock of an ended rebuild is still held")


async def test_what_the_desk_writes_meanwhile_is_in_the_rebuilt_view(url: str, store: PostgresStore) -> None:
    world = busy()
    for number in range(NEAR * 3):
        world.register(ALPHA, f"m{number}", "n1", produces=number + 1)
    writer, half = Writer(store), len(world.log) // 2
    await writer.write(world.log[:half])
    await ask(url, "update row_item set payload = 'x' where view = 'dso_assets' and sequence < 10")
    await ask(url, "delete from row_current where view = 'agr_assets'")

    async def write() -> None:
        for begin in range(half, len(world.log), 7):
            await writer.write(world.log[begin : begin + 7])
            await asyncio.sleep(0)

    report, _ = await asyncio.gather(rebuilt(url), write())

    assert not report.is_well
    assert await seen(url) == writer.current()
    assert (await rebuilt(url, check=True)).is_well


async def test_what_came_after_the_comparison_is_compared_before_the_lock_is_taken(
    url: str, store: PostgresStore
) -> None:
    world, writer, left = busy(), Writer(store), list[int]()
    await writer.write(world.log)
    await ask(url, "update row_item set payload = 'x' where view = 'dso_assets' and sequence = 1")
    written = len(world.log)
    for number in range(NEAR * 3):
        world.register(ALPHA, f"m{number}", "n1", produces=number + 1)

    class Overtaken(Shadow):
        """A shadow while a desk writes much after the comparison."""

        async def compare(self, views: Sequence[str], *, same: Sequence[str]) -> None:
            await super().compare(views, same=same)
            await writer.write(world.log[written:])

        @asynccontextmanager
        async def locked(self) -> AsyncIterator[None]:
            async with super().locked():
                left.append(await self._work.fetchval("select count(*) from late_item"))
                yield

    report = await rebuilt(url, opened=Overtaken)

    assert left == [0]
    assert not report.is_well
    assert await seen(url) == writer.current()
    assert (await rebuilt(url, check=True)).is_well


def test_numbers_count_as_the_live_feed_does() -> None:
    starts = [FeedStart("v", ALPHA, told=5, since=10, corrections=(6, 8, 9))]
    numbers = Numbers(starts, other_version=["w"])

    assert [numbers.next("v", ALPHA, position) for position in (11, 12, 13)] == [7, 10, 11]
    assert [numbers.next("v", BRAVO, position) for position in (1, 2)] == [1, 2]
    assert numbers.next("w", ALPHA, 20) < numbers.next("w", ALPHA, 21) < 0
    assert Numbers(starts).next("v", ALPHA, 10) < 0
