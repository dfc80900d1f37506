"""What only a real connection can do to us: freeze, be cut, and come back (hub.mades.amqp)."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import pytest
from aio_pika import RobustConnection

from hub.errors import Unavailable
from hub.mades.amqp import AmqpTransport
from hub.mades.embedded import Component, EmbeddedBroker
from hub.mades.message import BusinessType, InternalType
from hub.ports import Delivery, Publication, Queue, Refused
from tests.mades_components import ALPHA, HUB, PARTIES


class Proxy:
    """Stands between client and broker; may hold back what the broker answers, or cut every connection."""

    def __init__(self, port: int) -> None:
        self._broker_port = port
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def freeze(self) -> None:
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.thaw()
        self.cut()
        await asyncio.sleep(0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._broker_port)
        self._writers += [writer, to_writer]
        await asyncio.gather(self._pump(reader, to_writer), self._pump(to_reader, writer, answers=True))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False) -> None:
        try:
            while data := await reader.read(65536):
                if answers:
                    await self._flowing.wait()
                writer.write(data)
        except OSError:
            pass  # the connection was cut, which is what the proxy is for
        finally:
            writer.close()


@asynccontextmanager
async def road() -> AsyncIterator[tuple[EmbeddedBroker, Proxy, AmqpTransport]]:
    """A broker, a proxy before it, and an AGR connected through the proxy."""
    async with EmbeddedBroker() as broker:
        broker.provision({code: Component(party, "secret") for code, party in PARTIES.items()}, hub=HUB)
        proxy = Proxy(broker.port)
        await proxy.start()
        parts = urlsplit(broker.url(ALPHA))
        url = urlunsplit(parts._replace(netloc=parts.netloc.replace(str(broker.port), str(proxy.port))))
        transport = await AmqpTransport.connect(url, code=ALPHA, reconnect_s=0.02, publish_timeout_s=0.2)
        try:
            yield broker, proxy, transport
        finally:
            await transport.close()
            await proxy.stop()


def publication(body: bytes) -> Publication:
    return Publication(
        message_id="m",
        internal_type=InternalType.STANDARD,
        sender=ALPHA,
        receiver=HUB,
        business_type=BusinessType.ASSETS,
        urgent=False,
        ttl_s=3600.0,
        body=body,
    )


async def surely(transport: AmqpTransport, message: Publication) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                return await transport.publish(message)
            except Unavailable:
                await asyncio.sleep(0.01)


async def test_a_publish_on_a_frozen_connection_is_unavailable_although_the_message_arrived() -> None:
    async with road() as (broker, proxy, transport):
        proxy.freeze()
        with pytest.raises(Unavailable):
            await transport.publish(publication(b"unknown outcome"))

        proxy.thaw()
        await surely(transport, publication(b"unknown outcome"))

        assert broker.depth(HUB, Queue.BULK) == 2


async def test_a_cut_in_the_middle_of_a_publish_is_unavailable_and_the_next_try_finds_a_new_connection() -> None:
    async with road() as (broker, proxy, transport):
        told = asyncio.Event()
        transport.on_connected(told.set)
        proxy.freeze()
        publishing = asyncio.create_task(transport.publish(publication(b"cut")))
        while broker.depth(HUB, Queue.BULK) == 0:  # noqa: ASYNC110 - the broker has no event for it
            await asyncio.sleep(0.001)

        proxy.cut()
        with pytest.raises(Unavailable):
            await publishing
        proxy.thaw()
        await surely(transport, publication(b"again"))

        async with asyncio.timeout(5):
            await told.wait()
        assert broker.depth(HUB, Queue.BULK) == 2


async def test_a_consumer_goes_on_after_its_connection_was_cut() -> None:
    async with road() as (broker, proxy, transport):
        bodies: list[bytes] = []
        arrived = asyncio.Condition()

        async def settle(delivery: Delivery) -> None:
            await delivery.settle()
            async with arrived:
                bodies.append(delivery.body)
                arrived.notify_all()

        hub = await AmqpTransport.connect(broker.url(HUB), code=HUB)
        consuming = asyncio.create_task(transport.consume(Queue.BULK, settle, prefetch=4))
        down = publication(b"1")
        for number, body in enumerate((b"1", b"2"), start=1):
            message = Publication(
                message_id=down.message_id,
                internal_type=InternalType.STANDARD,
                sender=HUB,
                receiver=ALPHA,
                business_type=BusinessType.RESPONSE,
                urgent=False,
                ttl_s=down.ttl_s,
                body=body,
            )
            await surely(hub, message)
            async with asyncio.timeout(5), arrived:
                while len(set(bodies)) < number:
                    await arrived.wait()
            proxy.cut()

        consuming.cancel()
        await asyncio.gather(consuming, return_exceptions=True)
        await hub.close()

    assert set(bodies) == {b"1", b"2"}


async def test_a_connection_that_is_refused_is_closed_and_not_left_to_the_collector() -> None:
    """The library closes it when it is collected, which outside a running loop is a coroutine nobody awaits."""
    gc.disable()
    try:
        async with EmbeddedBroker() as broker:
            broker.provision({code: Component(party, "secret") for code, party in PARTIES.items()}, hub=HUB)
            with pytest.raises(Refused):
                await AmqpTransport.connect(broker.url(ALPHA).replace("secret", "guess"), code=ALPHA)

            left = [each for each in gc.get_objects() if isinstance(each, RobustConnection) and not each.is_closed]
    finally:
        gc.enable()

    assert [str(each) for each in left if f":{broker.port}/" in str(each)] == []
