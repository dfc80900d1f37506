"""The whole story of a document, by its mRID or the id of a message that carried it (R26, R29)."""

import asyncio
import json
from datetime import timedelta
from typing import Any, Final, get_args

import asyncpg
import pytest

from hub import events as e
from hub.history.happenings import TOLD, concerned, happened
from hub.ports import InboxEntry, ReceivedAcknowledgement
from hub.store.codec import digest_of
from hub.store.postgres import PostgresStore
from hub.values import Action
from tests.fixtures_store import DatabaseUrl
from tests.hub_log import keep, operate
from tests.hub_world import ALPHA, BRAVO, HUB, NOON, NORTH, World, verdict_of

pytestmark = pytest.mark.slow

SECOND: Final = timedelta(seconds=1)
RAW: Final = b"<document/>"


@pytest.fixture
def world() -> World:
    """North's limit on alpha's and bravo's assets, caused by its document as the running hub says it."""
    world = World()
    world.claim(NORTH, "P1")
    world.register(ALPHA, "R1", "P1", produces=3000)
    world.register(BRAVO, "R2", "P1", produces=3000)
    before = len(world.log)
    world.announce(NORTH, "L1", 1, ["R1", "R2"], 1000)
    world.log[before:] = [type(one)(one.event, one.position, one.at, f"{NORTH}/L1") for one in world.log[before:]]
    return world


def came(message_id: str = "M1", content: bytes = RAW) -> InboxEntry:
    return InboxEntry(
        sender=NORTH,
        message_id=message_id,
        business_type="TPS-FORESEEN",
        document="L1",
        digest=digest_of(content),
        received=NOON,
        expires=NOON + timedelta(days=1),
        manifest=b"signed",
    )


async def told(url: str, text: str) -> list[dict[str, Any]]:  # JSON
    result = await asyncio.to_thread(operate, url, "events", "trail", text, "--json")
    assert result.exit_code == 0, result.output
    stories: list[dict[str, Any]] = json.loads(result.stdout)
    return stories


async def test_a_document_is_told_from_its_arrival_to_what_left_because_of_it(
    database_url: DatabaseUrl, world: World
) -> None:
    url = await database_url()
    async with await PostgresStore.open(url, component=HUB) as store:
        await keep(world, store, [came()], payloads=[RAW])

    (story,) = await told(url, "L1")

    assert (story["document"], story["sender"]) == ("L1", NORTH)
    first, *decided = story["entries"]
    assert first["text"] == "received as TPS-FORESEEN, message M1"
    assert first["digests"] == {"document": digest_of(RAW), "signed manifest": digest_of(b"signed")}
    assert [entry["position"] for entry in decided] == [one.position for one in world.log[-2:]]
    assert (
        "divided by rated-power.v1: R1 500 W for 45X-AGR-ALPHA--N, R2 500 W for 45X-AGR-BRAVO--B" in decided[0]["text"]
    )
    assert decided[1]["text"] == "judged A01 (accepted); revision 1"
    assert [(leg["business_type"], leg["receiver"], leg["state"]) for leg in story["legs"]] == [
        ("TPS-FORESEEN", ALPHA, "ACCEPTED"),
        ("TPS-FORESEEN", BRAVO, "ACCEPTED"),
        ("TPS-ACK", NORTH, "ACCEPTED"),
    ]


async def test_the_id_of_a_message_and_the_mrid_of_a_copy_lead_to_the_same_story(
    database_url: DatabaseUrl, world: World
) -> None:
    url = await database_url()
    async with await PostgresStore.open(url, component=HUB) as store:
        await keep(world, store, [came()])
        (sent, _) = await store.history.sent([world.copy(ALPHA).mrid, world.copy(BRAVO).mrid])

    by_document = await told(url, "L1")

    assert await told(url, "M1") == by_document
    assert await told(url, world.copy(BRAVO).mrid) == by_document
    assert await told(url, sent.message_id) == by_document


async def test_a_document_is_told_from_the_log_when_the_inbox_has_forgotten_it(
    database_url: DatabaseUrl, world: World
) -> None:
    url = await database_url()
    async with await PostgresStore.open(url, component=HUB) as store:
        await keep(world, store)

    (story,) = await told(url, "L1")

    assert [entry["position"] for entry in story["entries"]] == [one.position for one in world.log[-2:]]
    assert len(story["legs"]) == 3


async def test_how_far_a_message_came_is_told_with_proofs_and_who_collected_it(
    database_url: DatabaseUrl, world: World
) -> None:
    url, copy = await database_url(), world.copy(ALPHA).mrid
    world.now = NOON + 9 * SECOND
    world.acknowledge(ALPHA, copy)
    async with await PostgresStore.open(url, component=HUB) as store:
        await keep(world, store, [came()])
        (message,) = await store.history.sent([copy])
        acknowledgement = ReceivedAcknowledgement(
            related=message.message_id,
            internal_type="DELIVERY_ACKNOWLEDGEMENT",
            sender=ALPHA,
            event_time=NOON + SECOND,
            manifest=b"proof",
        )
        await store.outbox.acknowledge([acknowledgement], now=NOON + SECOND)

    (story,) = await told(url, "L1")

    leg = next(leg for leg in story["legs"] if leg["receiver"] == ALPHA)
    assert leg["state"] == "DELIVERED"
    assert [(entry["text"], entry["digests"]) for entry in leg["entries"]] == [
        ("queued", {}),
        ("delivered", {"signed acknowledgement": digest_of(b"proof")}),
        ("answered A01: its own client has collected it", {}),
    ]


async def test_an_answer_belongs_to_the_revision_it_came_after(database_url: DatabaseUrl, world: World) -> None:
    url, copy = await database_url(), world.copy(ALPHA).mrid
    world.now = NOON + 9 * SECOND
    world.acknowledge(ALPHA, copy)
    world.now = NOON + 20 * SECOND
    before = len(world.log)
    world.announce(NORTH, "L1", 2, ["R1", "R2"], 800)
    world.log[before:] = [type(one)(one.event, one.position, one.at, f"{NORTH}/L1") for one in world.log[before:]]
    async with await PostgresStore.open(url, component=HUB) as store:
        await keep(world, store, [came()])

    (story,) = await told(url, "L1")

    first, second = (leg for leg in story["legs"] if leg["document"] == copy)
    assert [entry["text"] for entry in first["entries"]] == ["queued", "answered A01: its own client has collected it"]
    assert [entry["text"] for entry in second["entries"]] == ["queued"]


async def test_a_beat_tells_of_all_the_documents_it_is_made_of(database_url: DatabaseUrl, world: World) -> None:
    url = await database_url()
    world.log = [type(one)(one.event, one.position, one.at, f"{ALPHA}/of-{one.position}") for one in world.log]
    async with await PostgresStore.open(url, component=HUB) as store:
        await keep(world, store)
        await store.outbox.gather(
            "dso_assets", business_type="TPS-ASSETS", now=NOON, ttl_s=60, most=100, most_bytes=100_000
        )
        (beat,) = [one for one in await store.history.sent_to(NORTH, NOON) if one.business_type == "TPS-ASSETS"]

    (story,) = await told(url, beat.document)

    assert story["sender"] is None
    assert len(story["made_of"]) == 2
    assert all(cause.startswith(f"{ALPHA}/of-") for cause in story["made_of"])
    assert [leg["message_id"] for leg in story["legs"]] == [beat.message_id]


@pytest.mark.parametrize(("content", "said"), [(None, "is not kept"), (b"other", "HAS ANOTHER DIGEST")])
async def test_a_raw_document_that_is_gone_or_was_changed_is_told(
    database_url: DatabaseUrl, world: World, content: bytes | None, said: str
) -> None:
    url = await database_url()
    async with await PostgresStore.open(url, component=HUB) as store:
        await keep(world, store, [came()], payloads=[RAW])
    connection = await asyncpg.connect(url)
    statement = (
        "delete from tps.payload where $1::bytea is null" if content is None else "update tps.payload set content = $1"
    )
    await connection.execute(statement, content)
    await connection.close()

    (story,) = await told(url, "L1")

    assert said in story["entries"][0]["text"]


async def test_the_operator_reads_it_line_by_line_and_what_is_unknown_ends_with_1(
    database_url: DatabaseUrl, world: World
) -> None:
    url = await database_url()
    async with await PostgresStore.open(url, component=HUB) as store:
        await keep(world, store, [came()])

    known = await asyncio.to_thread(operate, url, "events", "trail", "L1")
    unknown = await asyncio.to_thread(operate, url, "events", "trail", "L9")

    assert known.output.startswith("Document L1 of 5790000000005\n  2026-11-24 12:00:00Z ")
    assert f"  TPS-FORESEEN {world.copy(ALPHA).mrid} to 45X-AGR-ALPHA--N: ACCEPTED\n" in known.output
    assert (unknown.exit_code, "No document or message L9" in unknown.output) == (1, True)


def test_why_a_document_was_refused_is_told_with_the_series(world: World) -> None:
    answered = verdict_of(world.announce(NORTH, "L2", 1, [["R1"], ["R1"]], 10))

    assert happened(answered) == (
        "judged A02 (refused); revision 1; A59 1 of 2 series are wrong, so nothing of the limit holds. Mend them.; "
        "series s1: A59 Named more than once in the document: R1. Give each asset one series, with all its Periods."
    )


def test_every_kind_of_event_can_be_told() -> None:
    assert TOLD.keys() == set(get_args(e.Event))


def test_whom_an_event_concerns_are_those_it_names_each_once(world: World) -> None:
    (announced, answered) = world.announce(NORTH, "L3", 1, ["R1", "R2"], 10)
    (ordered, _) = world.order(NORTH, "L4", 1, [("R1", Action.STOP)])

    assert concerned(announced) == (NORTH, ALPHA, BRAVO)
    assert concerned(answered) == (NORTH,)
    assert concerned(ordered) == (NORTH,)
