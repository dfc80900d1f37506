"""What the store promises of messages that their operator sends again: no end is left, nothing doubled (R28, R29)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest_asyncio

from hub.ports import MessageState
from hub.store.postgres import PostgresStore
from tests.fixtures_store import Cluster
from tests.operated import ALPHA_CODE, HUB_CODE, NORTH_CODE, publish, queue


@pytest_asyncio.fixture
async def store(cluster: Cluster) -> AsyncIterator[PostgresStore]:
    """An empty store in PostgreSQL."""
    async with cluster.lent() as url, await PostgresStore.open(url, component=HUB_CODE) as store:
        yield store


def now() -> datetime:
    return datetime.now(UTC)


async def state(store: PostgresStore, message_id: str) -> MessageState:
    found = await store.messages.find(message_id)
    assert found is not None
    return found.state


async def fail(store: PostgresStore, message_id: str, reason: str = "E-NO-PATH") -> None:
    await store.outbox.fail(message_id, component=HUB_CODE, reason=reason, now=now())


async def claimed(store: PostgresStore) -> list[str]:
    return [each.message_id for each in await store.outbox.claim(urgent=True, limit=10, now=now(), lease_s=60)]


async def test_what_is_under_way_comes_oldest_first_then_what_failed_newest_first(store: PostgresStore) -> None:
    first, second, third, fourth = await queue(store, "d1", "d2", "d3", "d4")
    await fail(store, first)
    await fail(store, second)

    listed = await store.messages.list()

    assert [each.message_id for each in listed] == [third, fourth, second, first]
    assert [each.reason for each in listed] == [None, None, "E-NO-PATH", "E-NO-PATH"]
    assert [each.message_id for each in await store.messages.list([MessageState.FAILED], limit=1)] == [second]
    assert await store.messages.count([MessageState.FAILED]) == 2


async def test_messages_of_one_receiver_are_listed_alone(store: PostgresStore) -> None:
    await queue(store, "d1")
    (other,) = await queue(store, "d2", receiver=NORTH_CODE)

    assert [each.message_id for each in await store.messages.list(receiver=NORTH_CODE)] == [other]
    assert await store.messages.count(receiver=ALPHA_CODE) == 1


async def test_one_that_was_put_off_says_why_and_leaves_at_once(store: PostgresStore) -> None:
    (message,) = await queue(store, "d1")
    await claimed(store)
    await store.outbox.retry([message], at=now() + timedelta(seconds=60), reason="E-UNROUTABLE: no queue")
    before = await store.messages.find(message)
    assert before is not None
    assert before.tried == "E-UNROUTABLE: no queue"

    assert await claimed(store) == []
    assert await store.messages.send_now(message, reason="ops: now", now=now())

    assert await claimed(store) == [message]
    status = await store.outbox.find(message)
    assert status is not None
    assert status.trace[-1].details == "ops: now"


async def test_one_that_somebody_is_sending_is_left_alone(store: PostgresStore) -> None:
    (message,) = await queue(store, "d1")
    await publish(store, confirm=False)

    assert not await store.messages.send_now(message, reason="ops: now", now=now())


async def test_one_that_the_broker_has_is_sent_once_more(store: PostgresStore) -> None:
    (message,) = await queue(store, "d1")
    await publish(store)
    assert await claimed(store) == []

    assert await store.messages.send_now(message, reason="ops: lost", now=now())

    assert await claimed(store) == [message]


async def test_a_failed_message_stays_failed_and_its_document_leaves_once_in_another(store: PostgresStore) -> None:
    (message,) = await queue(store, "d1")
    await publish(store)
    await fail(store, message)

    assert not await store.messages.send_now(message, reason="ops: again", now=now())
    assert await store.messages.send_anew(message, "new", reason="ops: again", now=now())
    assert not await store.messages.send_anew(message, "newer", reason="ops: again", now=now())

    assert await state(store, message) is MessageState.FAILED
    assert await state(store, "new") is MessageState.ACCEPTED
    assert await store.messages.body("new") == b"<document/>"
    assert await store.messages.newer(message) == "new"
    (leaving,) = await store.outbox.claim(urgent=True, limit=10, now=now(), lease_s=60)
    assert (leaving.message_id, leaving.document, leaving.receiver) == ("new", "d1", ALPHA_CODE)
    assert leaving.sealed is None


async def test_a_failed_message_with_a_later_one_of_its_document_never_leaves_again(store: PostgresStore) -> None:
    (first,) = await queue(store, "d1")
    await fail(store, first)
    await queue(store, "d1")

    assert not await store.messages.send_anew(first, "new", reason="ops: again", now=now())


async def test_what_is_past_its_time_never_leaves_again(store: PostgresStore) -> None:
    waiting, failed = await queue(store, "d1", "d2", lives_s=60)
    await fail(store, failed)
    too_late = now() + timedelta(seconds=61)

    assert not await store.messages.send_now(waiting, reason="ops: now", now=too_late)
    assert not await store.messages.send_anew(failed, "new", reason="ops: again", now=too_late)
