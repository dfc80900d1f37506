"""`tps messages`: what waits, what failed, why, since when; sent again on demand, noted in the log, no content told."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import pytest_asyncio

from documents.values import Identifier, Mrid
from gateways.events import MessageRetried as GatewayRetried
from hub.clock import SystemClock
from hub.commands import Origin
from hub.desk import Desk
from hub.events import MessageQuarantined, MessageRetried
from hub.feed import Bells
from hub.mades.box.brain import BoxBrain
from hub.mades.box.commands import Expire, Take
from hub.mades.box.events import MessageReceived
from hub.mades.exchange import Again, again
from hub.ports import MessageState
from hub.store.codec import digest_of
from hub.store.postgres import PostgresStore
from tests.fixtures_store import Cluster
from tests.operated import ALPHA_CODE, GATEWAY_SETTINGS, HUB_CODE, HUB_SETTINGS, NORTH_CODE, happen, publish, queue, run

pytestmark = pytest.mark.slow

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


@pytest_asyncio.fixture
async def url(cluster: Cluster) -> AsyncIterator[str]:
    """The hub's database."""
    async with cluster.lent() as url:
        yield url


@pytest_asyncio.fixture
async def store(url: str) -> AsyncIterator[PostgresStore]:
    """The hub's store, as the running hub has it."""
    async with await PostgresStore.open(url, component=HUB_CODE) as store:
        yield store


async def retried(store: PostgresStore) -> list[MessageRetried]:
    events = await store.log.of_topic("MessageRetried.v1", limit=10)
    return [msgspec.msgpack.decode(each.state, type=MessageRetried) for each in reversed(events)]


@pytest.mark.parametrize(
    ("state", "how"),
    [
        (MessageState.ACCEPTED, Again.SAME),
        (MessageState.DELIVERED, Again.SAME),
        (MessageState.RECEIVED, None),
        (MessageState.FAILED, Again.ANEW),
    ],
)
def test_how_a_message_may_leave_again_follows_from_its_state(state: MessageState, how: Again | None) -> None:
    assert again(state, expires=NOW + timedelta(seconds=1), now=NOW) is how
    assert again(state, expires=NOW, now=NOW) is None


async def test_what_waits_and_what_failed_is_listed_with_the_reason(url: str, store: PostgresStore) -> None:
    waiting, failed = await queue(store, "d1", "d2")
    await store.outbox.fail(failed, component=HUB_CODE, reason="E-NO-PATH", now=datetime.now(UTC))

    first, second, count = (await run(url, "messages", "list")).splitlines()

    assert "ACCEPTED" in first
    assert waiting in first
    assert first.endswith("waits for its turn")
    assert "FAILED" in second
    assert failed in second
    assert second.endswith("E-NO-PATH")
    assert count == "2 messages."
    assert (await run(url, "messages", "list", "--state", "failed", "--to", NORTH_CODE)) == "0 messages.\n"
    (listed,) = json.loads(await run(url, "messages", "list", "--state", "FAILED", "--json"))
    assert (listed["message_id"], listed["why"]) == (failed, "E-NO-PATH")


async def test_a_message_is_shown_step_by_step_and_its_content_only_when_asked(url: str, store: PostgresStore) -> None:
    (message,) = await queue(store, "d1")
    await publish(store)

    story = await run(url, "messages", "show", message)
    told = json.loads(await run(url, "messages", "show", message, "--json"))

    assert "the broker has it; its receiver has not answered yet" in story
    assert "TRANSPORTED" in story
    assert [step["state"] for step in told["trace"]] == ["ACCEPTED", "TRANSPORTED"]
    assert "<document/>" not in story + json.dumps(told)
    assert await run(url, "messages", "show", message, "--payload") == "<document/>\n"


async def test_an_unknown_message_and_a_failed_one_end_with_1(url: str, store: PostgresStore) -> None:
    (message,) = await queue(store, "d1")
    await store.outbox.fail(message, component=HUB_CODE, reason="E-NO-PATH", now=datetime.now(UTC))

    assert "No outgoing message" in await run(url, "messages", "show", "nonsense", code=1)
    assert "E-NO-PATH" in await run(url, "messages", "show", message, code=1)
    assert "never tried" in await run(url, "messages", "show", message, "--payload", code=1)


async def test_a_retry_makes_a_waiting_message_due_and_is_an_event_with_who_and_why(
    url: str, store: PostgresStore
) -> None:
    (message,) = await queue(store, "d1")
    now = datetime.now(UTC)
    await store.outbox.claim(urgent=True, limit=1, now=now, lease_s=60)
    await store.outbox.retry([message], at=now + timedelta(hours=1), reason="E-UNROUTABLE: no queue")

    said = await run(url, "messages", "retry", message, "--why", "queue is back", "--by", "ada")

    assert said == f"{message} is due now.\n"
    assert len(await store.outbox.claim(urgent=True, limit=1, now=datetime.now(UTC), lease_s=60)) == 1
    (event,) = await retried(store)
    assert event == MessageRetried(
        message_id=message, receiver=ALPHA_CODE, document="d1", again=None, why="queue is back", by="ada"
    )


async def test_every_failed_message_that_may_leave_is_taken_up_at_once(url: str, store: PostgresStore) -> None:
    first, second, third = await queue(store, "d1", "d2", "d3")
    for message in (first, second):
        await store.outbox.fail(message, component=HUB_CODE, reason="E-BROKER-REFUSED", now=datetime.now(UTC))

    said = await run(url, "messages", "retry", "--failed", "--why", "quota raised")

    assert said.count("stays FAILED; its document leaves as") == 2
    assert await store.messages.count([MessageState.ACCEPTED]) == 3
    events = await retried(store)
    assert [event.message_id for event in events] == [first, second]
    assert all(event.again and event.again in said for event in events)
    assert "No failed message" in await run(url, "messages", "retry", "--failed", "--why", "twice")
    assert third not in said
    assert f"E-BROKER-REFUSED; taken up as {events[0].again}" in await run(url, "messages", "list")


async def test_a_retry_that_may_not_be_is_refused_in_words_and_no_event(url: str, store: PostgresStore) -> None:
    (message,) = await queue(store, "d1")
    await publish(store, confirm=False)
    (late,) = await queue(store, "d2", lives_s=-1)

    assert "being sent at this moment" in await run(url, "messages", "retry", message, "--why", "x", code=1)
    assert "which is over" in await run(url, "messages", "retry", late, "--why", "x", code=1)
    assert "No outgoing message" in await run(url, "messages", "retry", "nonsense", "--why", "x", code=1)
    assert await retried(store) == []


@pytest.mark.parametrize("arguments", [[], ["some", "--failed"]])
async def test_a_retry_names_messages_or_all_failed_ones(url: str, arguments: list[str]) -> None:
    assert "Name messages" in await run(url, "messages", "retry", *arguments, "--why", "x", code=2)


async def test_what_the_hub_set_aside_is_listed_without_its_content(url: str, store: PostgresStore) -> None:
    origin = Origin(sender=ALPHA_CODE, role="A27", mrid=Mrid("m1"), digest="ab" * 32)
    event = MessageQuarantined(origin=origin, message_id="msg-1", error="KeyError")
    await happen(store, "MessageQuarantined.v1", msgspec.msgpack.encode(event))
    await happen(store, "AlarmRaised.v1", b"")

    line, count = (await run(url, "messages", "dead-letters")).splitlines()

    assert line.split("  ")[1:] == [ALPHA_CODE, "msg-1", "KeyError"]
    assert count.startswith("1 set aside.")
    assert "tps broker dead-letters" in count
    (told,) = json.loads(await run(url, "messages", "dead-letters", "--json"))
    assert (told["document"], told["error"]) == ("m1", "KeyError")


async def test_a_gateway_keeps_its_retries_in_its_own_log(cluster: Cluster) -> None:
    async with cluster.lent() as url:
        async with await PostgresStore.open(url, component=ALPHA_CODE) as store:
            (message,) = await queue(store, "d1", receiver=HUB_CODE)
            said = await run(
                url, "messages", "retry", message, "--why", "hurry", "--by", "ada", settings=GATEWAY_SETTINGS
            )
            (stored,) = await store.log.of_topic("MessageRetried.v1", limit=10)

        assert said == f"{message} is due now.\n"
        event = msgspec.json.decode(stored.state, type=GatewayRetried)
        assert (event.message_id, event.why, event.by) == (message, "hurry", "ada")
        assert "1 message." in await run(url, "messages", "list", settings=GATEWAY_SETTINGS)
        assert "0 set aside" in await run(url, "messages", "dead-letters", settings=GATEWAY_SETTINGS)


@pytest.mark.parametrize(
    ("component", "settings"), [(HUB_CODE, HUB_SETTINGS), (ALPHA_CODE, GATEWAY_SETTINGS)], ids=["hub", "gateway"]
)
async def test_a_log_of_something_else_is_told_in_words_and_nothing_leaves(
    cluster: Cluster, component: Identifier, settings: dict[str, str]
) -> None:
    async with cluster.lent() as url:
        async with await PostgresStore.open(url, component=component) as store:
            await happen(store, "MessageSent.v9", b"{}")
            (message,) = await queue(store, "d1")

        said = await run(url, "messages", "retry", message, "--why", "hurry", settings=settings, code=1)

    assert "MessageSent.v9" in said
    assert "due now" not in said


async def box_with_messages(url: str, *expires: timedelta) -> list[str]:
    """A box that took in a message for each of these, living so long from now; their ids."""
    now = datetime.now(UTC)
    async with await PostgresStore.open(url, component=ALPHA_CODE) as store:
        desk = Desk(BoxBrain(ALPHA_CODE), store.log, store.commit, clock=SystemClock(), bells=Bells())
        async with asyncio.TaskGroup() as tasks:
            await desk.start()
            tasks.create_task(desk.run())
            for number, lives in enumerate(expires):
                content = b"<document number='%d'/>" % number
                message = MessageReceived(
                    message_id=f"m{number}",
                    sender=HUB_CODE,
                    business_type="TPS-FORESEEN",
                    digest=digest_of(content),
                    generated=now,
                    expires=now + lives,
                    ba_message_id="ba-7",
                )
                await desk.submit(Take(message), cause="test", payload=content)
            desk.stop()
    return [f"m{number}" for number in range(len(expires))]


DAY, GONE = timedelta(days=1), timedelta(days=-1)
BOX = ("--kind", "box")


async def test_what_waits_in_a_message_box_is_listed_oldest_first_and_shown(url: str) -> None:
    await box_with_messages(url, DAY, DAY, DAY)
    await run(url, "mades", "confirm", "m1", settings=GATEWAY_SETTINGS)

    told = (await run(url, "messages", "list", *BOX, "--received", settings=GATEWAY_SETTINGS)).splitlines()
    listed = json.loads(await run(url, "messages", "list", *BOX, "--received", "--json", settings=GATEWAY_SETTINGS))
    shown = await run(url, "messages", "show", "m2", *BOX, settings=GATEWAY_SETTINGS)
    confirmed = json.loads(await run(url, "messages", "show", "m1", *BOX, "--json", settings=GATEWAY_SETTINGS))

    assert [(each["message_id"], each["state"]) for each in listed] == [("m0", "WAITING"), ("m2", "WAITING")]
    assert f"m0  TPS-FORESEEN <- {HUB_CODE}  for the application to confirm it" in told[0]
    assert told[-1] == "2 wait for the application."
    assert "<document" not in "".join([*told, shown])
    assert shown.splitlines()[-1] == "  baMessageID ba-7"
    assert confirmed["state"] == "CONFIRMED"
    content = await run(url, "messages", "show", "m2", *BOX, "--payload", settings=GATEWAY_SETTINGS)
    assert content == "<document number='2'/>"


async def test_what_a_box_gave_up_is_listed_and_ends_with_1_when_shown(url: str) -> None:
    await box_with_messages(url, GONE, DAY)
    async with await PostgresStore.open(url, component=ALPHA_CODE) as store:
        brain = BoxBrain(ALPHA_CODE)
        desk = Desk(brain, store.log, store.commit, clock=SystemClock(), bells=Bells())
        async with asyncio.TaskGroup() as tasks:
            await desk.start()
            tasks.create_task(desk.run())
            await desk.submit(Expire(("m0",)), cause="test")
            desk.stop()

    listed = json.loads(await run(url, "messages", "list", *BOX, "--received", "--json", settings=GATEWAY_SETTINGS))

    assert [(each["message_id"], each["state"]) for each in listed] == [("m1", "WAITING"), ("m0", "EXPIRED")]
    told = await run(url, "messages", "show", "m0", *BOX, settings=GATEWAY_SETTINGS, code=1)
    assert "never confirmed until" in told
    assert "No outgoing message" in await run(url, "messages", "show", "m9", *BOX, settings=GATEWAY_SETTINGS, code=1)
    refused = await run(url, "messages", "list", "--received", settings=GATEWAY_SETTINGS, code=2)
    assert "Give --kind box" in refused


async def test_what_a_box_has_to_send_is_listed_like_that_of_a_gateway(url: str) -> None:
    async with await PostgresStore.open(url, component=ALPHA_CODE) as store:
        (waiting,) = await queue(store, "d1", receiver=HUB_CODE)

    assert waiting in await run(url, "messages", "list", *BOX, settings=GATEWAY_SETTINGS)
    assert waiting in await run(url, "messages", "show", waiting, *BOX, settings=GATEWAY_SETTINGS)
