"""What every road to a broker promises (hub.ports.Transport): the twin in memory, and AMQP at the embedded broker."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from hub.clock import SystemClock
from hub.errors import Unavailable
from hub.mades.amqp import AmqpTransport
from hub.mades.embedded import Component, EmbeddedBroker
from hub.mades.memory import MemoryNetwork
from hub.mades.message import BusinessType, InternalType
from hub.mades.paths import Party
from hub.ports import Delivery, Publication, Queue, Refused, Transport, Unroutable

HUB, NORTH, ALPHA, BRAVO = "A01:HUB", "A01:NORTH", "A10:5790000000012", "A01:BRAVO"
PARTIES = {HUB: Party.HUB, NORTH: Party.DSO, ALPHA: Party.AGR, BRAVO: Party.AGR}


class Road(Protocol):
    """A running broker with the four components provisioned."""

    async def connect(self, code: str) -> Transport: ...

    def dead(self) -> int: ...


class MemoryRoad:
    def __init__(self, network: MemoryNetwork) -> None:
        self._network = network

    async def connect(self, code: str) -> Transport:
        return self._network.attach(code)

    def dead(self) -> int:
        return len(self._network.dead)


class EmbeddedRoad:
    def __init__(self, broker: EmbeddedBroker) -> None:
        self._broker = broker

    async def connect(self, code: str) -> Transport:
        return await AmqpTransport.connect(self._broker.url(code), code=code)

    def dead(self) -> int:
        return self._broker.dead_count


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


ROADS: dict[str, Callable[[], AbstractAsyncContextManager[Road]]] = {"memory": memory_road, "embedded": embedded_road}


@pytest.fixture(params=ROADS)
async def road(request: pytest.FixtureRequest) -> AsyncIterator[Road]:
    async with ROADS[request.param]() as running:
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
        expires=datetime.now(UTC) + timedelta(hours=1),
        body=body,
    )


async def surely(transport: Transport, message: Publication) -> None:
    """Publish as a caller must: an unknown outcome means to send again."""
    while True:
        try:
            return await transport.publish(message)
        except Unavailable:
            await asyncio.sleep(0.01)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - brokers have no event for their dead letters
            await asyncio.sleep(0.001)


async def test_a_message_arrives_with_its_body_and_the_sender_the_broker_knows(road: Road) -> None:
    desk = Desk()
    async with connected(road, NORTH, HUB) as (north, hub), consuming(hub, Queue.BULK, desk.settle):
        await north.publish(publication(body=bytes(range(256)) * 2000))

        (delivery,) = await desk.count(1)

    assert delivery.body == bytes(range(256)) * 2000
    assert delivery.user_id == NORTH


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
        await eventually(lambda: road.dead() > 0)

    assert road.dead() == 1


async def test_a_refused_message_goes_to_the_dead_letters_at_once(road: Road) -> None:
    async def refuse(delivery: Delivery) -> None:
        await delivery.refuse()

    async with connected(road, NORTH, HUB) as (north, hub), consuming(hub, Queue.BULK, refuse):
        await north.publish(publication())
        await eventually(lambda: road.dead() > 0)

    assert road.dead() == 1


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

        results = await asyncio.gather(*map(north.publish, publications), return_exceptions=True)

        assert [number for number, result in enumerate(results) if isinstance(result, Refused)] == [4]
        for number, result in enumerate(results):
            if result is not None and number != 4:
                await surely(north, publications[number])
        await desk.count(9)
        assert {delivery.body for delivery in desk.deliveries} == {b"%d" % n for n in range(10) if n != 4}


async def test_r31_a_broker_that_forgets_says_so(road: Road) -> None:
    async with connected(road, HUB) as (hub,):
        assert hub.volatile


async def test_closing_ends_the_consumers(road: Road) -> None:
    async with connected(road, HUB) as (hub,):
        task = asyncio.create_task(hub.consume(Queue.BULK, Desk().settle, prefetch=1))
        await asyncio.sleep(0.05)

        await hub.close()

        async with asyncio.timeout(5):
            await task
