"""What every road to a broker promises (hub.ports.Transport): memory, AMQP at the embedded broker and at RabbitMQ."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import pytest
from msgspec import structs

from hub.clock import SystemClock
from hub.errors import Unavailable
from hub.mades.amqp import AmqpTransport
from hub.mades.embedded import Component, EmbeddedBroker
from hub.mades.memory import MemoryNetwork
from hub.mades.message import BusinessType, InternalType
from hub.mades.mirror import CONTENT_TYPE
from hub.ports import Delivery, Properties, Publication, Queue, Refused, Transport, Unroutable
from tests.fixtures_broker import RealBroker
from tests.mades_brokers import Broker, Certificates, embedded_tls, transport
from tests.mades_components import ALPHA, BRAVO, HUB, NORTH, PARTIES


class Road(Protocol):
    """A running broker with the four components provisioned."""

    volatile: bool

    async def connect(self, code: str) -> Transport: ...

    async def dead(self) -> int: ...


class MemoryRoad:
    volatile = True

    def __init__(self, network: MemoryNetwork) -> None:
        self._network = network

    async def connect(self, code: str) -> Transport:
        return self._network.attach(code)

    async def dead(self) -> int:
        return len(self._network.dead)


class EmbeddedRoad:
    volatile = True

    def __init__(self, broker: EmbeddedBroker) -> None:
        self._broker = broker

    async def connect(self, code: str) -> Transport:
        return await AmqpTransport.connect(self._broker.url(code), code=code)

    async def dead(self) -> int:
        return self._broker.dead_count


class TlsRoad:
    """AMQP with certificates."""

    def __init__(self, broker: Broker) -> None:
        self._broker, self.volatile = broker, broker.volatile

    async def connect(self, code: str) -> Transport:
        return await transport(self._broker, code, reconnect_s=0.05)

    async def dead(self) -> int:
        return len(await self._broker.dead())


@asynccontextmanager
async def memory_road() -> AsyncIterator[Road]:
    network = MemoryNetwork(SystemClock(), volatile=True)
    network.provision(PARTIES, hub=HUB)
    yield MemoryRoad(network)


@asynccontextmanager
async def embedded_road() -> AsyncIterator[Road]:
    async with EmbeddedBroker() as broker:
        broker.provision({code: Component(party, f"pw-{code}") for code, party in PARTIES.items()}, hub=HUB)
        yield EmbeddedRoad(broker)


@asynccontextmanager
async def embedded_tls_road(certificates: Certificates) -> AsyncIterator[Road]:
    async with embedded_tls(certificates) as broker:
        yield TlsRoad(broker)


@pytest.fixture(params=["memory", "embedded", "embedded-tls", pytest.param("rabbitmq", marks=pytest.mark.slow)])
async def road(
    request: pytest.FixtureRequest, certificates: Certificates, real_broker: RealBroker
) -> AsyncIterator[Road]:
    match request.param:
        case "memory":
            opening = memory_road()
        case "embedded":
            opening = embedded_road()
        case "embedded-tls":
            opening = embedded_tls_road(certificates)
        case _:
            yield TlsRoad(await real_broker.fresh())
            return
    async with opening as running:
        yield running


class Desk:
    """Receives deliveries of one component and lets a test wait for them."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self._arrived = asyncio.Condition()

    async def keep(self, delivery: Delivery) -> None:
        async with self._arrived:
            self.deliveries.append(delivery)
            self._arrived.notify_all()

    async def settle(self, delivery: Delivery) -> None:
        await delivery.settle()
        await self.keep(delivery)

    async def count(self, number: int) -> list[Delivery]:
        async with asyncio.timeout(5), self._arrived:
            await self._arrived.wait_for(lambda: len(self.deliveries) >= number)
        return self.deliveries

    async def different(self, number: int) -> set[bytes]:
        """So many bodies: what was sent again after a lost confirm may come twice."""
        async with asyncio.timeout(5), self._arrived:
            await self._arrived.wait_for(lambda: len({each.body for each in self.deliveries}) >= number)
        return {each.body for each in self.deliveries}


@asynccontextmanager
async def connected(road: Road, *codes: str) -> AsyncIterator[list[Transport]]:
    transports = [await road.connect(code) for code in codes]
    try:
        yield transports
    finally:
        for transport in transports:
            await transport.close()


@asynccontextmanager
async def consuming(
    transport: Transport, queue: Queue, handler: Callable[[Delivery], Awaitable[None]], prefetch: int = 10
) -> AsyncIterator[None]:
    task = asyncio.create_task(transport.consume(queue, handler, prefetch=prefetch))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def publication(
    *,
    sender: str = NORTH,
    receiver: str = HUB,
    kind: str = BusinessType.POINTS,
    body: bytes = b"body",
    internal: InternalType = InternalType.STANDARD,
) -> Publication:
    return Publication(
        message_id=body.decode(errors="replace")[:20],
        internal_type=internal,
        sender=sender,
        receiver=receiver,
        business_type=kind,
        urgent=kind in {BusinessType.FORESEEN, BusinessType.UNFORESEEN, BusinessType.ACK},
        ttl_s=3600.0,
        body=body,
    )


async def surely(transport: Transport, message: Publication) -> None:
    """Publish as a caller must: an unknown outcome means to send again."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await transport.publish(message)
            except Unavailable:
                await asyncio.sleep(0.01)


async def is_taken(transport: Transport, message: Publication) -> bool:
    """Whether the broker takes it in the end, or refuses."""
    try:
        await surely(transport, message)
    except Refused:
        return False
    return True


async def dies(road: Road) -> None:
    """Wait for the first dead letter."""
    async with asyncio.timeout(5):
        while not await road.dead():  # noqa: ASYNC110 - brokers have no event for their dead letters
            await asyncio.sleep(0.001)


async def test_a_message_arrives_with_its_body_and_the_sender_the_broker_knows(road: Road) -> None:
    desk = Desk()
    async with connected(road, NORTH, HUB) as (north, hub), consuming(hub, Queue.BULK, desk.settle):
        await north.publish(publication(body=bytes(range(256)) * 2000))

        (delivery,) = await desk.count(1)

    assert delivery.body == bytes(range(256)) * 2000
    assert delivery.user_id == NORTH


async def test_a_message_arrives_with_the_properties_its_sender_told_the_broker(road: Road) -> None:
    desk, message = Desk(), publication(internal=InternalType.DELIVERY)
    async with connected(road, NORTH, HUB) as (north, hub), consuming(hub, Queue.URGENT, desk.settle):
        await north.publish(structs.replace(message, correlation_id="m-7"))

        told = (await desk.count(1))[0].properties

    assert told == Properties(
        content_type=CONTENT_TYPE,
        message_id="body",
        internal_type=InternalType.DELIVERY,
        correlation_id="m-7",
        business_type=BusinessType.POINTS,
        sender=NORTH,
        receiver=HUB,
        ttl_s=3600.0,
    )


async def test_messages_arrive_in_the_order_of_publishing(road: Road) -> None:
    desk = Desk()
    async with connected(road, NORTH, HUB) as (north, hub), consuming(hub, Queue.BULK, desk.settle):
        for number in range(50):
            await north.publish(publication(body=b"%d" % number))

        deliveries = await desk.count(50)

    assert [delivery.body for delivery in deliveries] == [b"%d" % number for number in range(50)]


async def test_r28_acknowledgements_and_limits_do_not_wait_behind_bulk(road: Road) -> None:
    urgent, bulk = Desk(), Desk()
    async with (
        connected(road, NORTH, HUB) as (north, hub),
        consuming(hub, Queue.URGENT, urgent.settle),
        consuming(hub, Queue.BULK, bulk.settle),
    ):
        await north.publish(publication(body=b"points"))
        await north.publish(publication(body=b"limit", kind=BusinessType.FORESEEN))
        await north.publish(publication(body=b"taken", internal=InternalType.DELIVERY))

        assert [each.body for each in await urgent.count(2)] == [b"limit", b"taken"]
        assert [each.body for each in await bulk.count(1)] == [b"points"]


async def test_no_more_than_the_prefetch_is_in_flight(road: Road) -> None:
    desk = Desk()
    async with connected(road, NORTH, HUB) as (north, hub), consuming(hub, Queue.BULK, desk.keep, prefetch=2):
        for number in range(4):
            await north.publish(publication(body=b"%d" % number))
        await desk.count(2)
        await asyncio.sleep(0.02)
        held = len(desk.deliveries)
        await desk.deliveries[0].settle()
        await desk.count(3)

    assert held == 2


async def test_a_message_given_back_comes_again(road: Road) -> None:
    desk = Desk()
    async with connected(road, NORTH, HUB) as (north, hub), consuming(hub, Queue.BULK, desk.keep):
        await north.publish(publication(body=b"again"))
        await (await desk.count(1))[0].give_back()

        second = (await desk.count(2))[1]
        await second.settle()

    assert second.body == b"again"


async def test_a_message_given_back_too_often_goes_to_the_dead_letters(road: Road) -> None:
    async def give_back(delivery: Delivery) -> None:
        await delivery.give_back()

    async with connected(road, NORTH, HUB) as (north, hub), consuming(hub, Queue.BULK, give_back):
        await north.publish(publication())
        await dies(road)

    assert await road.dead() == 1


async def test_a_refused_message_goes_to_the_dead_letters_at_once(road: Road) -> None:
    async def refuse(delivery: Delivery) -> None:
        await delivery.refuse()

    async with connected(road, NORTH, HUB) as (north, hub), consuming(hub, Queue.BULK, refuse):
        await north.publish(publication())
        await dies(road)

    assert await road.dead() == 1


async def test_what_a_consumer_leaves_unsettled_comes_to_the_next_one(road: Road) -> None:
    first, second = Desk(), Desk()
    async with connected(road, NORTH, HUB) as (north, hub):
        async with consuming(hub, Queue.BULK, first.keep):
            await north.publish(publication(body=b"left"))
            await first.count(1)
        async with consuming(hub, Queue.BULK, second.settle):
            (delivery,) = await second.count(1)

    assert delivery.body == b"left"


async def test_a_message_to_nobody_is_unroutable(road: Road) -> None:
    async with connected(road, HUB) as (hub,):
        with pytest.raises((Unroutable, Refused)):
            await hub.publish(publication(sender=HUB, receiver="A01:NOBODY", kind=BusinessType.ASSETS))


@pytest.mark.parametrize(
    ("sender", "receiver", "kind"),
    [
        (NORTH, ALPHA, BusinessType.FORESEEN),
        (ALPHA, NORTH, BusinessType.SCHEDULES),
        (ALPHA, BRAVO, BusinessType.ACK),
        (ALPHA, HUB, BusinessType.POINTS),
        (NORTH, HUB, BusinessType.SCHEDULES),
    ],
)
async def test_f1_a_gateway_can_send_its_own_types_to_the_hub_and_nothing_to_anybody_else(
    road: Road, sender: str, receiver: str, kind: BusinessType
) -> None:
    async with connected(road, sender) as (transport,):
        with pytest.raises(Refused):
            await transport.publish(publication(sender=sender, receiver=receiver, kind=kind))

        await surely(transport, publication(sender=sender, kind=BusinessType.ACK))


async def test_r2_nobody_can_send_in_the_name_of_another(road: Road) -> None:
    async with connected(road, ALPHA) as (transport,):
        with pytest.raises(Refused):
            await transport.publish(publication(sender=BRAVO, kind=BusinessType.ASSETS))


async def test_a_refusal_does_not_spoil_what_is_published_beside_it(road: Road) -> None:
    desk = Desk()
    async with connected(road, NORTH, HUB) as (north, hub), consuming(hub, Queue.BULK, desk.settle):
        publications = [publication(body=b"%d" % number) for number in range(10)]
        publications[4] = publication(body=b"4", receiver=ALPHA)

        # RabbitMQ may even close the connection: what others had on the way to the closed channel is an error to it.
        taken = await asyncio.gather(*(is_taken(north, message) for message in publications))

        assert [number for number, was_taken in enumerate(taken) if not was_taken] == [4]
        assert await desk.different(9) == {b"%d" % n for n in range(10) if n != 4}


async def test_r31_a_broker_that_forgets_says_so(road: Road) -> None:
    async with connected(road, HUB) as (hub,):
        assert hub.volatile is road.volatile


async def test_closing_ends_the_consumers(road: Road) -> None:
    async with connected(road, HUB) as (hub,):
        task = asyncio.create_task(hub.consume(Queue.BULK, Desk().settle, prefetch=1))
        await asyncio.sleep(0.05)

        await hub.close()

        async with asyncio.timeout(5):
            await task
