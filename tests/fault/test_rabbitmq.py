"""What a real broker and its client library do to us, measured, and that our road survives it (docs/mades.md).

The broker is frozen (SIGSTOP), killed (SIGKILL) and started again on its data. What the library does by itself stands
beside what `hub.mades.amqp` makes of it, so that a new version that behaves better is noticed.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, PublishError
from aiormq.exceptions import ChannelAccessRefused

from gateways.demo.rabbitmq import Rabbit
from hub.errors import Unavailable
from hub.mades.amqp import AmqpTransport
from hub.mades.management import managing
from hub.mades.message import BusinessType, InternalType
from hub.mades.paths import EXCHANGE, VIRTUAL_HOST
from hub.ports import Delivery, Publication, Queue, Refused, Unroutable
from tests.fixtures_broker import RealBroker
from tests.mades_brokers import RabbitTls, depth, own_queue, raw, transport
from tests.mades_components import ALPHA, BRAVO, HUB, NORTH

pytestmark = pytest.mark.slow

KEY = f"{HUB}.{NORTH}.STD.TPS-POINTS"
HEARTBEAT_S = 1


def publication(body: bytes, *, sender: str = NORTH, receiver: str = HUB) -> Publication:
    return Publication(
        message_id="m",
        internal_type=InternalType.STANDARD,
        sender=sender,
        receiver=receiver,
        business_type=BusinessType.RESPONSE if sender == HUB else BusinessType.POINTS,
        urgent=False,
        ttl_s=3600.0,
        body=body,
    )


async def surely(road: AmqpTransport, message: Publication) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                return await road.publish(message)
            except Unavailable:
                await asyncio.sleep(0.02)


async def plain_publish(channel: AbstractChannel, key: str = KEY, body: bytes = b"plain") -> object:
    exchange = await channel.get_exchange(EXCHANGE, ensure=False)
    return await exchange.publish(aio_pika.Message(body), routing_key=key, mandatory=True)


class Inbox:
    """Settles what arrives and lets a test wait for it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.interrupted = asyncio.Event()
        self._arrived = asyncio.Condition()

    async def take(self, delivery: Delivery) -> None:
        await delivery.settle()
        await self._keep(delivery.body)

    async def take_plain(self, message: AbstractIncomingMessage) -> None:
        await message.ack()
        await self._keep(message.body)

    async def has(self, body: bytes) -> None:
        async with asyncio.timeout(30), self._arrived:
            await self._arrived.wait_for(lambda: body in self.bodies)

    async def _keep(self, body: bytes) -> None:
        async with self._arrived:
            self.bodies.append(body)
            self._arrived.notify_all()


@asynccontextmanager
async def consuming(road: AmqpTransport, inbox: Inbox) -> AsyncIterator["asyncio.Task[None]"]:
    async def consume() -> None:
        while True:  # as an endpoint does
            try:
                await road.consume(Queue.BULK, inbox.take, prefetch=10)
            except Unavailable:
                inbox.interrupted.set()
            await asyncio.sleep(0.05)

    task = asyncio.create_task(consume())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def closing() -> AsyncIterator[AsyncExitStack]:
    """Closes what a test opened, however it ends."""
    async with AsyncExitStack() as stack:
        yield stack


async def opened(closing: AsyncExitStack, rabbit: RabbitTls, code: str, **options: float) -> AmqpTransport:
    """Our own client, until the test ends."""
    road = await transport(rabbit, code, **options)
    closing.push_async_callback(road.close)
    return road


def process_of(real_broker: RealBroker) -> Rabbit:
    """The broker's process, if it is ours to hurt."""
    if real_broker.node is None:
        pytest.skip("this broker was given to us; it is not ours to freeze and kill")
    return real_broker.node


async def test_a_frozen_broker_is_unavailable_and_what_it_was_given_may_have_arrived(
    rabbit: RabbitTls, real_broker: RealBroker, closing: AsyncExitStack
) -> None:
    node = process_of(real_broker)
    impatient = await opened(closing, rabbit, NORTH, publish_timeout_s=0.3, reconnect_s=0.05)
    patient = await opened(closing, rabbit, NORTH, publish_timeout_s=60, heartbeat_s=HEARTBEAT_S, reconnect_s=0.05)
    url = f"{rabbit.url}?auth=EXTERNAL&heartbeat={HEARTBEAT_S}"
    plain = await aio_pika.connect(url, ssl_context=rabbit.certificates.client(NORTH))
    closing.push_async_callback(plain.close)
    channel = await plain.channel()
    await plain_publish(channel)

    node.freeze()
    try:
        with pytest.raises(Unavailable):
            await impatient.publish(publication(b"timed out"))
        by_itself, ours = await asyncio.gather(
            plain_publish(channel), patient.publish(publication(b"stuck")), return_exceptions=True
        )
    finally:
        node.thaw()

    assert isinstance(by_itself, asyncio.CancelledError)
    assert isinstance(ours, Unavailable)
    await surely(impatient, publication(b"again"))
    # Everything that "failed" had arrived: the retry makes a double, which the receiver's endpoint finds.
    assert await depth(rabbit, HUB) >= 1 + 1 + 1


async def test_a_killed_broker_comes_back_with_all_it_confirmed_and_our_consumers_go_on(
    real_broker: RealBroker, closing: AsyncExitStack
) -> None:
    rabbit = await real_broker.lasting()
    node = process_of(real_broker)
    north, hub = [await opened(closing, rabbit, code, reconnect_s=0.05) for code in (NORTH, HUB)]
    inbox, silent = Inbox(), Inbox()
    url = f"{rabbit.url}?auth=EXTERNAL&reconnect_interval=0.05"
    plain = await aio_pika.connect_robust(url, ssl_context=rabbit.certificates.client(BRAVO))
    closing.push_async_callback(plain.close)
    untracked = await (await plain.channel()).get_queue(own_queue(BRAVO), ensure=False)
    await untracked.consume(silent.take_plain)
    async with consuming(hub, inbox):
        await north.publish(publication(b"before"))
        await inbox.has(b"before")
        for number in range(20):
            await hub.publish(publication(b"confirmed %d" % number, sender=HUB, receiver=ALPHA))

        node.kill()
        with pytest.raises(Unavailable):
            await north.publish(publication(b"nobody there"))
        await node.start()

        await surely(north, publication(b"after"))
        await inbox.has(b"after")
        async with consuming(await opened(closing, rabbit, ALPHA), alphas := Inbox()):
            for number in range(20):
                await alphas.has(b"confirmed %d" % number)
        await asyncio.wait_for(plain.connected.wait(), 20)
        waiting = await depth(rabbit, BRAVO)
        await surely(hub, publication(b"to a consumer that the library forgot", sender=HUB, receiver=BRAVO))
        assert (await depth(rabbit, BRAVO), silent.bodies) == (waiting + 1, [])


async def test_a_consumer_whose_queue_was_made_anew_goes_on(rabbit: RabbitTls, closing: AsyncExitStack) -> None:
    north, hub, inbox = await opened(closing, rabbit, NORTH), await opened(closing, rabbit, HUB, watch_s=0.2), Inbox()
    async with consuming(hub, inbox):
        await north.publish(publication(b"before"))
        await inbox.has(b"before")

        async with managing(rabbit.management_url) as operator:
            await operator.delete("queues", VIRTUAL_HOST, own_queue(HUB))
        await asyncio.wait_for(inbox.interrupted.wait(), 10)
        await rabbit.provision()

        await surely(north, publication(b"after"))
        await inbox.has(b"after")


async def test_what_no_queue_takes_comes_back_and_the_library_says_so_only_when_asked(
    rabbit: RabbitTls, closing: AsyncExitStack
) -> None:
    async with managing(rabbit.management_url) as operator:
        for queue in Queue:
            await operator.delete("queues", VIRTUAL_HOST, own_queue(BRAVO, queue))
    hub = await opened(closing, rabbit, HUB)
    async with raw(rabbit, HUB) as connection:
        key = f"{BRAVO}.{HUB}.STD.TPS-RESPONSE"

        as_if_it_were_well = await plain_publish(await connection.channel(), key)
        with pytest.raises(PublishError):
            await plain_publish(await connection.channel(on_return_raises=True), key)

    assert getattr(as_if_it_were_well, "delivery", None) is not None
    with pytest.raises(Unroutable):
        await hub.publish(publication(b"x", sender=HUB, receiver=BRAVO))


async def test_one_refusal_closes_the_channel_for_everybody_on_it(rabbit: RabbitTls, closing: AsyncExitStack) -> None:
    north = await opened(closing, rabbit, NORTH)
    async with raw(rabbit, NORTH) as connection:
        channel = await connection.channel()
        with pytest.raises(ChannelAccessRefused):
            await plain_publish(channel, f"{ALPHA}.{NORTH}.STD.TPS-POINTS")
        with pytest.raises(CONNECTION_EXCEPTIONS):
            await plain_publish(channel)

    with pytest.raises(Refused):
        await north.publish(publication(b"to alpha", receiver=ALPHA))
    await surely(north, publication(b"to the hub"))

    assert await depth(rabbit, HUB) == 1


async def test_a_message_larger_than_the_limit_is_refused_and_the_largest_is_not(
    rabbit: RabbitTls, closing: AsyncExitStack
) -> None:
    north = await opened(closing, rabbit, NORTH)

    await north.publish(publication(bytes(16 * 1024**2)))
    with pytest.raises(Refused, match="size"):
        await north.publish(publication(bytes(17 * 1024**2)))

    await surely(north, publication(b"small"))
    assert await depth(rabbit, HUB) == 2


async def test_a_message_expires_only_at_the_head_of_its_queue(rabbit: RabbitTls) -> None:
    async with raw(rabbit, NORTH) as sender, raw(rabbit, HUB) as receiver:
        exchange = await (await sender.channel()).get_exchange(EXCHANGE, ensure=False)
        for body, ttl in ((b"lasting", timedelta(hours=1)), (b"old", timedelta(milliseconds=1)), (b"fresh", None)):
            await exchange.publish(aio_pika.Message(body, expiration=ttl), routing_key=KEY)
        queue = await (await receiver.channel()).declare_queue(own_queue(HUB), passive=True)
        kept = await depth(rabbit, HUB)

        bodies = []
        while message := await queue.get(fail=False):
            await message.ack()
            bodies.append(message.body)

    assert kept == 3
    assert bodies == [b"lasting", b"fresh"]


async def test_headers_carry_texts_and_no_bytes(rabbit: RabbitTls) -> None:
    async with raw(rabbit, NORTH) as connection:
        exchange = await (await connection.channel()).get_exchange(EXCHANGE, ensure=False)
        with pytest.raises(TypeError):
            await exchange.publish(aio_pika.Message(b"", headers={"x": b"bytes"}), routing_key=KEY)
