"""The queues of a business application at a real RabbitMQ, for clients of AMQP 0-9-1 and 1.0 (docs/mades.md)."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage

from documents.values import Identifier
from hub.clock import SystemClock
from hub.mades.box.interface import ReceivedMessage, SentMessage
from hub.mades.box.queue_broker import Place
from hub.mades.box.queue_messages import BusinessQueue
from hub.mades.box.queues import BusinessQueues
from hub.mades.box.running import MessageBox
from hub.mades.management import Management, managing
from hub.mades.memory import MemoryNetwork
from hub.ports import MessageState
from hub.store.memory import MemoryStore
from tests.amqp10 import Amqp10Client
from tests.keyring import seals_of
from tests.mades_brokers import RabbitTls, connect
from tests.mades_components import ALPHA, HUB, NORTH, PARTIES

pytestmark = pytest.mark.slow
PATIENCE_S = 20
APPLICATION = ALPHA
"""The business application has a user and a certificate of its own at the participant's broker."""
PREFIX = "north."
PROPERTIES = {"receiverCode": HUB, "messageType": "TPS-POINTS", "baMessageID": "doc-1", "senderApplication": "planner"}


class Side:
    """A message box with its store, at work."""

    def __init__(self, code: str, network: MemoryNetwork) -> None:
        self.code, self._network = Identifier(code), network
        self.store = MemoryStore(component=code)

    @asynccontextmanager
    async def running(self, place: Place | None = None) -> AsyncIterator[MessageBox]:
        """With the queues at this place, or without any."""
        box = MessageBox(
            self.code,
            party=PARTIES[self.code],
            hub=Identifier(HUB),
            store=self.store,
            transport=self._network.attach(self.code),
            seals=seals_of(self.code),
            clock=SystemClock(),
            most_waiting=100,
            party_of=PARTIES.get if self.code == HUB else None,
        )
        beside = [self._queues(box, place)] if place else []
        for queues in beside:
            box.on_state_changed(queues.changed)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(box.run(*(queues.run for queues in beside)))
            try:
                yield box
            finally:
                box.stop()

    def _queues(self, box: MessageBox, place: Place) -> BusinessQueues:
        return BusinessQueues(
            self.code,
            place,
            operations=box.operations,
            desk=box.desk,
            brain=box.brain,
            outbox=self.store.outbox,
            bells=box.bells,
            clock=SystemClock(),
        )


class Application:
    """The business application, an unmodified client of AMQP 0-9-1."""

    def __init__(self, channel: Any) -> None:  # a channel of aio-pika
        self._channel = channel

    async def put(
        self, body: bytes, properties: Mapping[str, str] = PROPERTIES, *, correlation: str | None = "c-1", id_: str = ""
    ) -> None:
        """Into the outbox queue, once that stands."""
        await self._standing(BusinessQueue.OUTBOX)
        message = aio_pika.Message(
            body, headers=dict(properties), correlation_id=correlation, message_id=id_ or None, delivery_mode=2
        )
        await self._channel.default_exchange.publish(message, PREFIX + BusinessQueue.OUTBOX, mandatory=True)

    async def get(self, queue: BusinessQueue) -> AbstractIncomingMessage:
        """The next message of a queue, acknowledged."""
        source = await self._standing(queue)
        async with asyncio.timeout(PATIENCE_S):
            while (message := await source.get(fail=False)) is None:  # noqa: ASYNC110 - an empty queue has no event
                await asyncio.sleep(0.05)
        await message.ack()
        return message  # type: ignore[no-any-return] # a library's

    async def depth(self, queue: BusinessQueue) -> int:
        """How many messages wait in a queue."""
        return int((await self._standing(queue)).declaration_result.message_count)

    async def _standing(self, queue: BusinessQueue) -> Any:  # a queue of aio-pika
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    return await self._channel.declare_queue(PREFIX + queue, passive=True)
                except aio_pika.exceptions.ChannelNotFoundEntity:
                    await self._channel.reopen()
                    await asyncio.sleep(0.05)


class World:
    """The hub, a participant's message box, the participant's broker and its application."""

    def __init__(self, rabbit: RabbitTls, virtual_host: str, application: Application) -> None:
        self.virtual_host = virtual_host
        network = MemoryNetwork(SystemClock(), volatile=False)
        network.provision(PARTIES, hub=HUB)
        self.hub, self.north, self.application = Side(HUB, network), Side(NORTH, network), application
        url = rabbit.url.rpartition("/")[0] + f"/{virtual_host}"
        self.place = Place(url, tls=rabbit.certificates.client(NORTH), prefix=PREFIX)


@pytest.fixture
async def world(rabbit: RabbitTls) -> AsyncIterator[World]:
    # A new name each time: RabbitMQ is not always done with a quorum queue when it makes the next of its name.
    virtual_host = f"business-{uuid4().hex}"
    async with managing(rabbit.management_url) as operator:
        await operator.put("vhosts", virtual_host)
        for user in (NORTH, APPLICATION):
            everything = {"configure": ".*", "write": ".*", "read": ".*"}
            await operator.put("permissions", virtual_host, user, body=everything)
        url = rabbit.url.rpartition("/")[0] + f"/{virtual_host}?auth=EXTERNAL"
        connection = await connect(url, rabbit.certificates.client(APPLICATION))
        try:
            channel = await connection.channel(on_return_raises=True)
            yield World(rabbit, virtual_host, Application(channel))
        finally:
            await connection.close()
            await operator.delete("vhosts", virtual_host)


async def received(box: MessageBox) -> ReceivedMessage:
    """The message that waits first."""
    async with asyncio.timeout(PATIENCE_S):
        while (found := (await box.operations.receive_message()).received_message) is None:  # noqa: ASYNC110 - as applications do
            await asyncio.sleep(0.05)
    return found


async def reaches(box: MessageBox, message_id: str, state: MessageState) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (await box.operations.check_message_status(message_id)).state is not state:  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.05)


def properties(message: AbstractIncomingMessage) -> dict[str, object]:
    """Without what brokers note for themselves."""
    return {name: value for name, value in message.headers.items() if not name.startswith("x-")}


def told(message: AbstractIncomingMessage) -> tuple[bytes, object, object]:
    return message.body, message.headers.get("messageID"), message.headers.get("baMessageID")


async def test_what_an_application_puts_into_the_outbox_is_sent_answered_and_followed_to_its_end(world: World) -> None:
    async with world.hub.running() as hub, world.north.running(world.place):
        await world.application.put(b"<points/>")
        reply = await world.application.get(BusinessQueue.REPLY)
        message = await received(hub)
        first = await world.application.get(BusinessQueue.EVENT)
        await hub.operations.confirm_receive_message(message.message_id)
        second = await world.application.get(BusinessQueue.EVENT)

    assert (message.content, message.ba_message_id, message.sender_application) == (b"<points/>", "doc-1", "planner")
    assert (properties(reply), reply.correlation_id) == ({"messageID": message.message_id}, "c-1")
    assert told(first) == (b"DELIVERED", message.message_id, "doc-1")
    assert told(second) == (b"RECEIVED", message.message_id, "doc-1")


async def test_what_is_refused_is_answered_with_the_fault(world: World) -> None:
    async with world.north.running(world.place):
        await world.application.put(b"x", {"receiverCode": HUB, "messageType": "TPS-SCHEDULES"})
        reply = await world.application.get(BusinessQueue.REPLY)

    assert reply.correlation_id == "c-1"
    assert reply.headers["errorCode"] == "E-NO-PATH"
    assert set(properties(reply)) == {"errorCode", "errorID", "errorMessage", "errorDetails"}


async def test_without_a_correlation_id_nothing_is_answered(world: World) -> None:
    async with world.hub.running() as hub, world.north.running(world.place):
        await world.application.put(b"", correlation=None)
        await world.application.put(b"<points/>", correlation=None)
        message = await received(hub)
        left = [await world.application.depth(queue) for queue in (BusinessQueue.OUTBOX, BusinessQueue.REPLY)]

    assert message.content == b"<points/>"
    assert left == [0, 0]


async def test_a_message_repeated_under_its_id_is_sent_once(world: World) -> None:
    async with world.hub.running() as hub, world.north.running(world.place):
        for content in (b"<points/>", b"<points/>", b"<others/>"):
            await world.application.put(content, id_="m-1")
        replies = [(await world.application.get(BusinessQueue.REPLY)).headers["messageID"] for _ in range(3)]
        found = []
        for _ in range(2):
            found.append(await received(hub))
            await hub.operations.confirm_receive_message(found[-1].message_id)

    assert [each.content for each in found] == [b"<points/>", b"<others/>"]
    assert replies == [found[0].message_id, found[0].message_id, found[1].message_id]


async def test_a_message_is_received_once_the_application_s_broker_has_it(world: World) -> None:
    async with world.hub.running() as hub:
        async with world.north.running():
            message = SentMessage(
                receiver_code=NORTH, business_type="TPS-ACK", content=b"<ack/>", ba_message_id="doc-3"
            )
            message_id = await hub.operations.send_message(message)
            await reaches(hub, message_id, MessageState.DELIVERED)

        async with world.north.running(world.place) as north:
            arrived = await world.application.get(BusinessQueue.INBOX)
            await reaches(hub, message_id, MessageState.RECEIVED)
            left = (await north.operations.receive_message()).received_message

    assert (arrived.body, arrived.message_id, left) == (b"<ack/>", message_id, None)
    assert properties(arrived) == {
        "messageID": message_id,
        "senderCode": HUB,
        "businessType": "TPS-ACK",
        "baMessageID": "doc-3",
    }


async def test_a_box_that_starts_again_tells_no_state_twice(world: World) -> None:
    async with world.hub.running() as hub:
        async with world.north.running(world.place):
            await world.application.put(b"<points/>")
            message = await received(hub)
            await world.application.get(BusinessQueue.EVENT)

        await hub.operations.confirm_receive_message(message.message_id)
        async with world.north.running(world.place):
            second = await world.application.get(BusinessQueue.EVENT)
            left = await world.application.depth(BusinessQueue.EVENT)

    assert (told(second), left) == ((b"RECEIVED", message.message_id, "doc-1"), 0)


async def test_after_the_broker_has_closed_the_connection_everything_goes_on(world: World, rabbit: RabbitTls) -> None:
    async with world.hub.running() as hub, world.north.running(world.place):
        await world.application.put(b"<points/>")
        await world.application.get(BusinessQueue.REPLY)

        await close_connections(rabbit, NORTH)
        await world.application.put(b"<others/>", id_="m-2")
        second = await world.application.get(BusinessQueue.REPLY)

    assert "messageID" in second.headers
    assert hub.brain.state.senders.contents().keys() >= {second.headers["messageID"]}


async def connections(operator: Management, user: str) -> list[str]:
    return [each["name"] for each in await operator.get("connections") if each.get("user") == user]


async def close_connections(rabbit: RabbitTls, user: str) -> None:
    """What an operator would do; the broker lists a new connection only after some seconds."""
    async with managing(rabbit.management_url) as operator, asyncio.timeout(PATIENCE_S):
        while not (names := await connections(operator, user)):  # noqa: ASYNC110 - nothing tells when they are listed
            await asyncio.sleep(0.2)
        for name in names:
            await operator.delete("connections", name)


async def test_a_client_of_amqp_1_0_has_its_orders_read_on_every_generation(world: World, rabbit: RabbitTls) -> None:
    client = Amqp10Client(rabbit, APPLICATION, virtual_host=world.virtual_host)
    async with world.hub.running() as hub, world.north.running(world.place):
        await world.application.depth(BusinessQueue.OUTBOX)
        outbox = await client.queue(PREFIX + BusinessQueue.OUTBOX)
        outcome = await client.send(outbox, b"\x00<points/>\xff", {"correlation_id": "c-7"}, PROPERTIES)
        (reply,) = await client.receive(await client.queue(PREFIX + BusinessQueue.REPLY), 1)
        message = await received(hub)

    assert (outcome, reply.correlation_id) == ("ACCEPTED", "c-7")
    assert (message.content, message.ba_message_id, message.sender_application) == (
        b"\x00<points/>\xff",
        "doc-1",
        "planner",
    )


async def test_a_client_of_amqp_1_0_is_told_by_ids_that_survive_every_generation(
    world: World, rabbit: RabbitTls
) -> None:
    client = Amqp10Client(rabbit, APPLICATION, virtual_host=world.virtual_host)
    async with world.hub.running() as hub, world.north.running(world.place):
        await world.application.depth(BusinessQueue.EVENT)
        message = SentMessage(receiver_code=NORTH, business_type="TPS-ACK", content=b"<ack/>")
        message_id = await hub.operations.send_message(message)
        (arrived,) = await client.receive(await client.queue(PREFIX + BusinessQueue.INBOX), 1)

    assert (arrived.body, arrived.message_id) == (b"<ack/>", message_id)


async def test_a_client_of_amqp_1_0_whose_body_is_no_bytes_is_told_so(world: World, rabbit: RabbitTls) -> None:
    client = Amqp10Client(rabbit, APPLICATION, virtual_host=world.virtual_host)
    async with world.north.running(world.place):
        await world.application.depth(BusinessQueue.OUTBOX)
        outbox = await client.queue(PREFIX + BusinessQueue.OUTBOX)
        await client.send(outbox, "<points/>", {"correlation_id": "c-8"}, PROPERTIES)
        reply = await world.application.get(BusinessQueue.REPLY)

    assert reply.correlation_id == "c-8"
    assert reply.headers["errorCode"] == "E-VALIDATION"
    assert "no data section" in str(reply.headers["errorDetails"])
