"""The five operations of MADES between two message boxes, in virtual time: nothing is lost, nothing comes twice."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest
from structlog.testing import capture_logs

from documents.values import Identifier
from hub.errors import Unavailable, UnknownEvent
from hub.mades.box import commands
from hub.mades.box.brain import BoxBrain
from hub.mades.box.interface import MadesFault, ReceivedMessage, SentMessage
from hub.mades.box.rows import Followed
from hub.ports import MessageState
from tests.box_world import NORTH_CODE, Box, World
from tests.mades_components import HUB, NORTH


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    await world.hub.start()
    await world.north.start()
    try:
        yield world
    finally:
        await world.hub.kill()
        await world.north.kill()


def points(content: bytes = b"<points/>", **fields: str) -> SentMessage:
    return SentMessage(receiver_code=HUB, business_type="TPS-POINTS", content=content, **fields)


def schedule(content: bytes = b"<schedule/>") -> SentMessage:
    return SentMessage(receiver_code=NORTH, business_type="TPS-SCHEDULES", content=content)


async def refused(work: object) -> MadesFault:
    with pytest.raises(MadesFault) as caught:
        await work  # type: ignore[misc] # any operation
    return caught.value


# Sending and receiving


async def test_a_message_is_received_as_it_was_sent(world: World) -> None:
    message_id = await world.north.operations.send_message(
        points(b"\x00binary\xff", ba_message_id="doc-1", sender_application="planner")
    )
    await world.run()

    reception = await world.hub.operations.receive_message()

    assert reception.remaining_messages_count == 0
    assert reception.received_message == ReceivedMessage(
        message_id=message_id,
        receiver_code=HUB,
        sender_code=NORTH,
        business_type="TPS-POINTS",
        content=b"\x00binary\xff",
        sender_application="planner",
        ba_message_id="doc-1",
    )


async def test_a_message_is_delivered_when_it_is_stored_and_received_when_it_is_confirmed(world: World) -> None:
    message_id = await world.north.operations.send_message(points())
    assert await world.north.state(message_id) is MessageState.ACCEPTED

    await world.run()
    await world.hub.received()
    await world.run(60)
    assert await world.north.state(message_id) is MessageState.DELIVERED
    assert await world.hub.state(message_id) is MessageState.DELIVERED

    assert await world.hub.operations.confirm_receive_message(message_id) == message_id
    await world.run()
    assert await world.north.state(message_id) is MessageState.RECEIVED
    assert await world.hub.state(message_id) is MessageState.RECEIVED


async def test_receive_changes_nothing_so_that_a_crash_of_the_application_loses_nothing(world: World) -> None:
    await world.north.operations.send_message(points())
    await world.run()
    before = len(world.hub.store.log.events)

    assert await world.hub.received() == await world.hub.received()

    assert len(world.hub.store.log.events) == before


async def test_messages_are_handed_over_in_the_order_they_came_and_a_confirmed_one_no_more(world: World) -> None:
    for content in (b"one", b"two", b"three"):
        await world.north.operations.send_message(points(content))
        await world.run()

    handed_over = []
    for remaining in (2, 1, 0):
        reception = await world.hub.operations.receive_message()
        assert reception.remaining_messages_count == remaining
        assert reception.received_message is not None
        handed_over.append(reception.received_message.content)
        await world.hub.operations.confirm_receive_message(reception.received_message.message_id)

    assert handed_over == [b"one", b"two", b"three"]
    empty = await world.hub.operations.receive_message()
    assert (empty.received_message, empty.remaining_messages_count) == (None, 0)


@pytest.mark.parametrize(
    ("wanted", "found", "remaining"), [("TPS-ACK", b"ack", 0), ("", b"first", 2), ("*", b"first", 2)]
)
async def test_a_business_type_is_asked_for_or_any(world: World, wanted: str, found: bytes, remaining: int) -> None:
    await world.north.operations.send_message(points(b"first"))
    await world.run()
    await world.north.operations.send_message(points(b"second"))
    await world.north.operations.send_message(SentMessage(receiver_code=HUB, business_type="TPS-ACK", content=b"ack"))
    await world.run()

    reception = await world.hub.operations.receive_message(wanted)

    assert reception.received_message is not None
    assert (reception.received_message.content, reception.remaining_messages_count) == (found, remaining)


async def test_without_download_the_content_stays_where_it_is(world: World) -> None:
    message_id = await world.north.operations.send_message(points())
    await world.run()

    message = (await world.hub.operations.receive_message(download_message=False)).received_message

    assert message is not None
    assert (message.message_id, message.content) == (message_id, None)


async def test_both_directions_work_at_the_same_time(world: World) -> None:
    up = await world.north.operations.send_message(points())
    down = await world.hub.operations.send_message(schedule())
    await world.run()

    assert (await world.hub.received()).message_id == up
    assert (await world.north.received()).message_id == down


# Kills and repeats


async def test_a_kill_between_receive_and_confirm_loses_nothing_and_doubles_nothing(world: World) -> None:
    message_id = await world.north.operations.send_message(points())
    await world.run()
    assert (await world.hub.received()).message_id == message_id

    await world.hub.kill()
    await world.run()
    await world.hub.start()

    reception = await world.hub.operations.receive_message()
    assert reception.received_message is not None
    assert (reception.received_message.message_id, reception.remaining_messages_count) == (message_id, 0)
    await world.hub.operations.confirm_receive_message(message_id)
    await world.hub.kill()
    await world.hub.start()
    await world.run()
    assert await world.north.state(message_id) is MessageState.RECEIVED
    assert (await world.hub.operations.receive_message()).received_message is None


async def test_what_was_sent_before_a_kill_leaves_after_it(world: World) -> None:
    world.network.faults.drop = 1.0
    message_id = await world.north.operations.send_message(points())
    await world.run()
    await world.north.kill()
    world.network.faults.drop = 0.0
    await world.run()
    assert (await world.hub.operations.receive_message()).received_message is None

    await world.north.start()
    await world.run()

    assert (await world.hub.received()).message_id == message_id


async def test_a_repeated_delivery_is_in_the_inbox_once_and_acknowledged_again(world: World) -> None:
    message_id = await world.north.operations.send_message(points())
    await world.run()
    await world.north.store.outbox.reopen()
    await world.run()

    reception = await world.hub.operations.receive_message()

    assert reception.received_message is not None
    assert reception.remaining_messages_count == 0
    assert world.hub.box is not None
    assert world.hub.box.endpoint.status().duplicates == 1
    assert await world.north.state(message_id) is MessageState.DELIVERED
    await world.hub.operations.confirm_receive_message(message_id)
    await world.north.store.outbox.reopen()
    await world.run()
    assert (await world.hub.operations.receive_message()).received_message is None
    assert await world.north.state(message_id) is MessageState.RECEIVED


async def test_one_conversation_is_one_message_whatever_is_sent(world: World) -> None:
    first = await world.north.operations.send_message(points(b"one"), conversation_id="c-1")
    again = await world.north.operations.send_message(points(b"other"), conversation_id="c-1")
    another = await world.north.operations.send_message(points(b"two"), conversation_id="c-2")
    await world.north.kill()
    await world.north.start()
    after_a_kill = await world.north.operations.send_message(points(b"other"), conversation_id="c-1")
    await world.run()

    assert first == again == after_a_kill != another
    contents = [item.digest for item in world.hub.box.brain.waiting("*", world.clock.now())] if world.hub.box else []
    assert len(contents) == 2
    assert {(await world.hub.received()).content} <= {b"one", b"two"}


async def test_two_calls_of_one_conversation_at_once_are_one_message(world: World) -> None:
    sends = (world.north.operations.send_message(points(), conversation_id="c-1") for _ in range(5))

    ids = await asyncio.gather(*sends)

    assert len(set(ids)) == 1
    assert await world.north.store.outbox.waiting() == 1


async def test_messages_without_a_conversation_are_all_sent(world: World) -> None:
    ids = [await world.north.operations.send_message(points()) for _ in range(2)]

    assert len(set(ids)) == 2
    assert await world.north.store.outbox.waiting() == 2


async def test_a_second_confirmation_changes_nothing(world: World) -> None:
    message_id = await world.north.operations.send_message(points())
    await world.run()
    await world.hub.operations.confirm_receive_message(message_id)
    before = len(world.hub.store.log.events)

    assert await world.hub.operations.confirm_receive_message(message_id) == message_id

    assert len(world.hub.store.log.events) == before


async def test_an_id_of_another_sender_takes_no_message_from_the_inbox(world: World) -> None:
    message_id = await world.north.operations.send_message(points(b"north's"))
    await world.run()
    bravo = Box(Identifier("A01:BRAVO"), world)
    await bravo.start()
    assert bravo.box is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hub.mades.box.operations.uuid4", lambda: type("Id", (), {"hex": message_id}))
        await bravo.operations.send_message(
            SentMessage(receiver_code=HUB, business_type="TPS-ASSETS", content=b"bravo's")
        )
    await world.run()

    assert (await world.hub.received()).content == b"north's"
    status = await bravo.operations.check_message_status(message_id)
    assert (status.state, status.trace[-1].details.partition(":")[0]) == (MessageState.FAILED, "E-BA-REJECTED")
    await bravo.kill()


# Expiry


async def test_an_expired_message_is_not_handed_over_and_its_sender_learns_it(world: World) -> None:
    message_id = await world.north.operations.send_message(
        SentMessage(receiver_code=HUB, business_type="TPS-REQUEST", content=b"question")
    )
    await world.run()
    await world.clock.advance(timedelta(minutes=15).total_seconds())
    assert (await world.hub.operations.receive_message()).received_message is None

    await world.run(80)

    assert await world.hub.state(message_id) is MessageState.FAILED
    assert await world.north.state(message_id) is MessageState.FAILED
    fault = (await refused(world.hub.operations.confirm_receive_message(message_id))).fault
    assert fault.error_code == "E-EXPIRED"


async def test_a_message_handed_over_in_time_may_be_confirmed_just_after_its_expiry(world: World) -> None:
    message_id = await world.north.operations.send_message(
        SentMessage(receiver_code=HUB, business_type="TPS-REQUEST", content=b"question")
    )
    await world.run()
    await world.hub.received()
    await world.clock.advance(timedelta(minutes=15).total_seconds())

    await world.hub.operations.confirm_receive_message(message_id)
    await world.run(80)

    assert await world.north.state(message_id) is MessageState.RECEIVED


async def test_a_box_killed_before_it_could_tell_of_an_expiry_tells_it_when_it_is_back(world: World) -> None:
    message_id = await world.north.operations.send_message(
        SentMessage(receiver_code=HUB, business_type="TPS-REQUEST", content=b"question")
    )
    await world.run()
    await world.hub.kill()
    await world.clock.advance(timedelta(minutes=17).total_seconds())

    await world.hub.start()
    await world.run()

    assert await world.north.state(message_id) is MessageState.FAILED


# Status and connectivity


async def test_the_status_tells_every_hop(world: World) -> None:
    sent_at = world.clock.now()
    message_id = await world.north.operations.send_message(points(ba_message_id="d1", sender_application="planner"))
    await world.run()
    await world.hub.operations.confirm_receive_message(message_id)
    await world.run()

    status = await world.north.operations.check_message_status(message_id)

    assert (status.sender_code, status.receiver_code, status.business_type) == (NORTH, HUB, "TPS-POINTS")
    assert (status.ba_message_id, status.sender_application) == ("d1", "planner")
    assert status.send_timestamp == sent_at
    assert [(item.state, item.component, item.component_description) for item in status.trace] == [
        ("ACCEPTED", NORTH, "sender endpoint"),
        ("TRANSPORTED", NORTH, "broker"),
        ("DELIVERED", HUB, "receiver endpoint"),
        ("RECEIVED", HUB, "receiver endpoint"),
    ]
    assert status.receive_timestamp == status.trace[2].timestamp
    incoming = await world.hub.operations.check_message_status(message_id)
    assert (incoming.sender_code, incoming.receiver_code) == (NORTH, HUB)
    assert (incoming.ba_message_id, incoming.sender_application) == ("d1", "planner")
    assert [item.state for item in incoming.trace] == ["DELIVERED", "RECEIVED"]


async def test_a_retry_is_told_as_the_state_the_message_has_in_the_words_of_the_standard(world: World) -> None:
    world.network.faults.drop = 1.0
    message_id = await world.north.operations.send_message(points())
    await world.run()
    world.network.faults.drop = 0.0
    await world.run()
    await world.north.store.outbox.reopen()
    world.network.faults.drop = 1.0
    await world.run()

    trace = (await world.north.operations.check_message_status(message_id)).trace

    retries = [item for item in trace if item.details.startswith("tried again: E-BROKER-DOWN")]
    assert {item.state for item in trace} <= {"ACCEPTED", "TRANSPORTED", "DELIVERED"}
    assert (retries[0].state, retries[-1].state) == ("ACCEPTED", "DELIVERED")


async def test_a_connectivity_test_ends_as_delivered_when_the_receiver_answers(world: World) -> None:
    message_id = await world.north.operations.connectivity_test(HUB, "TPS-POINTS")
    assert await world.north.state(message_id) is MessageState.ACCEPTED

    await world.run()

    status = await world.north.operations.check_message_status(message_id)
    assert status.state is MessageState.DELIVERED
    assert [item.state for item in status.trace] == ["ACCEPTED", "TRANSPORTED", "DELIVERED"]
    assert (await world.hub.operations.receive_message()).received_message is None


async def test_a_connectivity_test_names_the_hop_that_does_not_answer(world: World) -> None:
    await world.hub.kill()
    message_id = await world.north.operations.connectivity_test(HUB, "TPS-POINTS")
    await world.run(32)

    status = await world.north.operations.check_message_status(message_id)

    assert status.state is MessageState.FAILED
    assert "The broker has the message" in status.trace[-1].details


async def test_a_connectivity_test_that_no_endpoint_began_in_time_fails(world: World) -> None:
    message_id = await world.north.operations.connectivity_test(HUB, "TPS-POINTS")
    await world.north.kill()
    await world.clock.advance(31)
    await world.north.start()
    await world.run()

    status = await world.north.operations.check_message_status(message_id)

    assert status.state is MessageState.FAILED
    assert "Ask again" in status.trace[-1].details


# Faults


@pytest.mark.parametrize(
    ("message", "code", "details"),
    [
        (SentMessage(receiver_code="no spaces", business_type="TPS-POINTS", content=b"x"), "E-VALIDATION", "receiver"),
        (SentMessage(receiver_code=HUB, business_type="a.b", content=b"x"), "E-VALIDATION", "businessType is 'a.b'"),
        (points(b""), "E-VALIDATION", "content is empty"),
        (points(ba_message_id="a/b"), "E-VALIDATION", "baMessageID is 'a/b'"),
        (points(sender_application="ä"), "E-VALIDATION", "senderApplication"),
        (points(b"x" * (16 * 1024 * 1024 + 1)), "E-TOO-LARGE", "16777216 are allowed"),
        (SentMessage(receiver_code="A01:X", business_type="TPS-POINTS", content=b"x"), "E-UNKNOWN-RECEIVER", "A01:X"),
        (SentMessage(receiver_code=HUB, business_type="TPS-ASSETS", content=b"x"), "E-NO-PATH", "TPS-ASSETS"),
    ],
)
async def test_a_message_that_cannot_be_sent_is_refused_at_once(
    world: World, message: SentMessage, code: str, details: str
) -> None:
    fault = (await refused(world.north.operations.send_message(message))).fault

    assert (fault.error_code, fault.receiver_code) == (code, message.receiver_code)
    assert details in fault.error_details
    assert await world.north.store.outbox.waiting() == 0


async def test_a_fault_carries_an_id_that_stands_in_the_log(world: World) -> None:
    with capture_logs() as lines:
        fault = (await refused(world.north.operations.check_message_status("nothing"))).fault

    assert (fault.error_code, fault.error_message) == ("E-NOT-FOUND", "no message has this id")
    assert fault.message_id == "nothing"
    assert [line["error_id"] for line in lines if line["event"] == "operation.refused"] == [fault.error_id]


async def test_a_fault_has_the_names_of_the_standard(world: World) -> None:
    fault = (await refused(world.north.operations.confirm_receive_message("nothing"))).fault

    assert set(msgspec.to_builtins(fault)) == {
        "errorCode",
        "errorID",
        "errorMessage",
        "errorDetails",
        "messageID",
    }


async def test_a_store_that_is_away_is_a_fault_too_and_nothing_is_lost_by_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = await world.north.operations.send_message(points())
    await world.run()

    async def away(*_: object) -> None:
        raise Unavailable("The database does not answer.")

    with monkeypatch.context() as patch:
        patch.setattr(world.hub.store, "payload", away)
        fault = (await refused(world.hub.operations.receive_message("TPS-POINTS"))).fault

    assert (fault.error_code, fault.business_type) == ("E-STORE", "TPS-POINTS")
    assert (await world.hub.received()).message_id == message_id


async def test_an_erased_content_is_told_and_blocks_nothing_once_it_is_confirmed(world: World) -> None:
    await world.north.operations.send_message(points(b"erased"))
    await world.run()
    await world.north.operations.send_message(points(b"kept"))
    await world.run()
    first = (await world.hub.operations.receive_message(download_message=False)).received_message
    assert first is not None
    world.hub.store.commit.payloads.clear()

    fault = (await refused(world.hub.operations.receive_message())).fault

    assert fault.error_code == "E-NOT-FOUND"
    assert first.message_id in fault.error_details
    await world.hub.operations.confirm_receive_message(first.message_id)
    second = (await world.hub.operations.receive_message(download_message=False)).received_message
    assert second is not None
    assert second.message_id != first.message_id


async def test_a_box_says_what_it_has_done_and_whether_it_takes_work(world: World) -> None:
    await world.north.operations.send_message(points())
    await world.run(12)
    box = world.hub.box
    assert box is not None

    assert box.trouble() is None
    assert {measure.name: measure.value for measure in box.measures()} == {
        "log_position": 1,
        "messages_sent_total": 1,
        "messages_received_total": 1,
        "messages_repeated_total": 0,
        "messages_retried_total": 0,
        "messages_waiting_to_deliver": 0,
        "messages_oldest_waiting_s": 0,
        "messages_waiting_to_receive": 0,
        "broker_connected": 1,
        "messages_unconfirmed": 1,
    }

    box.stop()
    await world.run(1)
    assert box.trouble() == "stopping"


async def test_a_sender_cannot_confirm_its_own_message(world: World) -> None:
    message_id = await world.north.operations.send_message(points())

    assert (await refused(world.north.operations.confirm_receive_message(message_id))).fault.error_code == "E-NOT-FOUND"


async def test_when_too_much_waits_new_messages_are_refused_until_it_is_less(world: World) -> None:
    await world.hub.kill()
    await world.north.kill()
    world.north.most = 3
    await world.north.start()
    first = await world.north.operations.send_message(points(), conversation_id="c-1")
    for _ in range(2):
        await world.north.operations.send_message(points())

    assert (await refused(world.north.operations.send_message(points()))).fault.error_code == "E-STORE-FULL"
    assert await world.north.operations.send_message(points(), conversation_id="c-1") == first

    await world.hub.start()
    await world.run(5)
    await world.north.operations.send_message(points())


async def test_what_an_application_was_told_is_remembered_over_a_restart_until_its_end(world: World) -> None:
    async def follow(*asked: commands.Command) -> dict[str, Followed]:
        assert world.north.box is not None
        for command in asked:
            await world.north.box.desk.submit(command, cause="test")
        return dict(world.north.box.brain.state.followed.contents())

    await follow(commands.Follow("m-1", "doc-1"), commands.Tell("m-1", "DELIVERED"), commands.Follow("m-1", "doc-1"))
    await world.north.kill()
    await world.north.start()

    assert await follow() == {"m-1": Followed("doc-1", told="DELIVERED")}
    assert await follow(commands.Tell("m-1", "RECEIVED"), commands.Tell("m-1", "RECEIVED")) == {}


async def test_the_log_of_something_else_is_refused_in_words() -> None:
    with pytest.raises(UnknownEvent, match="database of its own"):
        BoxBrain(NORTH_CODE).decode("DocumentSent.v1", b"{}")
