"""`tps events replay`: what a participant knew at an instant, on the hub's own database (R29)."""

import asyncio
import json
from datetime import timedelta
from typing import Final

import pytest
from click.testing import Result

from hub.ports import ReceivedAcknowledgement
from hub.store.postgres import PostgresStore
from tests.fixtures_store import DatabaseUrl
from tests.hub_log import keep, operate
from tests.hub_world import ALPHA, BRAVO, HUB, NOON, NORTH, World

pytestmark = pytest.mark.slow

SECOND: Final = timedelta(seconds=1)


@pytest.fixture
def world() -> World:
    world = World()
    world.claim(NORTH, "P1")
    world.register(ALPHA, "R1", "P1", produces=3000)
    world.register(BRAVO, "R2", "P1", produces=3000)
    world.announce(NORTH, "L1", 1, ["R1", "R2"], 1000)
    world.now = NOON + timedelta(minutes=5)
    world.announce(NORTH, "L1", 2, ["R1", "R2"], 500)
    return world


async def deliver(store: PostgresStore, document: str) -> None:
    """What waits of a document leaves in second 1 and is confirmed in second 3; nothing else moves."""
    waiting = await store.outbox.claim(urgent=True, limit=100, now=NOON + timedelta(hours=1), lease_s=60)
    (first,) = (message for message in waiting if message.document == document)
    await store.outbox.transported([first.message_id], now=NOON + SECOND)
    for seconds, kind in ((2, "DELIVERY_ACKNOWLEDGEMENT"), (3, "RECEIVE_ACKNOWLEDGEMENT")):
        told = ReceivedAcknowledgement(
            related=first.message_id, internal_type=kind, sender=ALPHA, event_time=NOON + seconds * SECOND
        )
        await store.outbox.acknowledge([told], now=NOON + seconds * SECOND)


async def replayed(url: str, *arguments: str) -> Result:
    return await asyncio.to_thread(operate, url, "events", "replay", *arguments)


async def test_the_operator_reads_what_an_aggregator_knew_and_what_was_still_on_its_way(
    database_url: DatabaseUrl, world: World
) -> None:
    url = await database_url()
    async with await PostgresStore.open(url, component=HUB) as store:
        await keep(world, store)
        await deliver(store, world.copy(ALPHA).mrid)

    early = await replayed(url, "--as", "45X-AGR-ALPHA--N", "--at", "2026-11-24T12:00:02Z")
    between = await replayed(url, "--as", "45X-AGR-ALPHA--N", "--at", "2026-11-24 12:04")
    late = await replayed(url, "--as", "45X-AGR-ALPHA--N", "--at", "2026-11-24T14:06:00+02:00")

    assert (early.exit_code, between.exit_code, late.exit_code) == (0, 0, 0), early.output
    assert "NOT KNOWN: sent 2026-11-24 12:00:01Z, not confirmed yet" in early.output
    assert "delivered, not confirmed yet 2026-11-24 12:00:02Z" in early.output
    assert "R1 500 W\n    known: confirmed 2026-11-24 12:00:03Z" in between.output
    assert "NOT KNOWN: decided by the hub, not sent yet" in late.output
    assert "it still knew: revision 1" in late.output


async def test_nf3_what_one_participant_knew_names_no_other(database_url: DatabaseUrl, world: World) -> None:
    url = await database_url()
    async with await PostgresStore.open(url, component=HUB) as store:
        await keep(world, store)

    result = await replayed(url, "--as", "45X-AGR-ALPHA--N", "--at", "2026-11-24T13:00Z", "--json")

    knowledge = json.loads(result.stdout)
    assert knowledge["participant"] == ALPHA
    assert [view["view"] for view in knowledge["views"]] == ["acknowledgements", "agr_assets", "agr_limits"]
    assert "R1" in result.stdout
    assert "R2" not in result.stdout
    assert "BRAVO" not in result.stdout


async def test_whoever_was_no_participant_then_knew_nothing(database_url: DatabaseUrl, world: World) -> None:
    url = await database_url()
    async with await PostgresStore.open(url, component=HUB) as store:
        await keep(world, store)

    before = await replayed(url, "--as", "45X-AGR-ALPHA--N", "--at", "2026-11-24T11:00:00Z")
    no_time = await replayed(url, "--as", "45X-AGR-ALPHA--N", "--at", "noon")

    assert (before.exit_code, no_time.exit_code) == (1, 2)
    assert "was no participant at 2026-11-24 11:00:00Z" in before.output
    assert "'noon' is no time. Give one such as" in no_time.output


async def test_people_are_shown_what_still_counts_and_the_newest_of_it_programs_get_all(
    database_url: DatabaseUrl, world: World
) -> None:
    for number in range(60):
        world.register(ALPHA, f"H{number:02}", "P1", produces=3000)
    url = await database_url()
    async with await PostgresStore.open(url, component=HUB) as store:
        await keep(world, store)

    text = (await replayed(url, "--as", "45X-AGR-ALPHA--N", "--at", "2026-11-25T13:00Z")).output
    everything = await replayed(url, "--as", "45X-AGR-ALPHA--N", "--at", "2026-11-25T13:00Z", "--json")

    assert "agr_limits: 0 rows, 1 more have ended (--json)" in text
    assert "agr_assets: 61 rows (what it said itself, as the hub had it), the newest 50 (all: --json)" in text
    assert ("NDK:H59" in text, "NDK:H09" in text) == (True, False)
    assert {view["view"]: len(view["rows"]) for view in json.loads(everything.stdout)["views"]} == {
        "acknowledgements": 61,
        "agr_assets": 61,
        "agr_limits": 1,
    }
