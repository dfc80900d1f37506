"""The embedded broker, seen by an unmodified AMQP client and by one that writes garbage."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import ChannelPreconditionFailed, DeliveryError
from aiormq.exceptions import ChannelAccessRefused, ProbableAuthenticationError
from pamqp import commands, frame
from pamqp.header import ContentHeader

from hub.clock import ManualClock, SystemClock
from hub.errors import Unavailable
from hub.mades.amqp import AmqpTransport
from hub.mades.embedded import Component as User
from hub.mades.embedded import DeadLetter, EmbeddedBroker
from hub.mades.message import BusinessType, InternalType
from hub.mades.paths import EXCHANGE, queue_name, queue_suffix
from hub.ports import MessageState, Publication, Queue, Refused
from tests.mades_components import ALPHA, BRAVO, HUB, NORTH, PARTIES, Component

USERS = {code: User(party, f"password of {code}") for code, party in PARTIES.items()}
KEY = f"{HUB}.{{}}.STD.{{}}"


def own_queue(code: str, queue: Queue = Queue.BULK) -> str:
    return queue_name(code, queue, suffix=queue_suffix(code, USERS[code].password))


@pytest.fixture
async def broker() -> AsyncIterator[EmbeddedBroker]:
    async with EmbeddedBroker(max_message_bytes=200_000) as broker:
        broker.provision(USERS, hub=HUB)
        yield broker


class Client:
    """A plain aio-pika client of one user."""

    def __init__(self, broker: EmbeddedBroker, code: str) -> None:
        self._url, self._code = broker.url(code), code
        self._connection: aio_pika.abc.AbstractConnection | None = None

    async def __aenter__(self) -> AbstractChannel:
        self._connection = await aio_pika.connect(self._url)
        return await self._connection.channel(on_return_raises=True)

    async def __aexit__(self, *_: object) -> None:
        assert self._connection is not None
        await self._connection.close()


async def publish(
    channel: AbstractChannel, key: str, *, user_id: str | None = None, body: bytes = b"x", **more: Any
) -> None:
    exchange = await channel.get_exchange(EXCHANGE, ensure=False)
    await exchange.publish(aio_pika.Message(body, user_id=user_id, **more), routing_key=key, mandatory=True)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the broker has no event for what tests ask
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("sender", [NORTH, ALPHA])
async def test_f1_a_gateway_may_write_to_the_hub_as_itself(broker: EmbeddedBroker, sender: str) -> None:
    async with Client(broker, sender) as channel:
        await publish(channel, KEY.format(sender, "TPS-ACK"), user_id=sender)

    assert broker.depth(HUB, Queue.URGENT) == 1


@pytest.mark.parametrize(
    ("user", "key"),
    [
        (NORTH, f"{ALPHA}.{NORTH}.STD.TPS-FORESEEN"),
        (ALPHA, f"{NORTH}.{ALPHA}.STD.TPS-SCHEDULES"),
        (ALPHA, f"{BRAVO}.{ALPHA}.STD.TPS-ACK"),
        (ALPHA, f"{BRAVO}.{ALPHA}.ACK.TPS-ACK"),
        (ALPHA, f"{HUB}.{BRAVO}.STD.TPS-ASSETS"),
        (ALPHA, f"{HUB}.{ALPHA}.STD.TPS-POINTS"),
        (ALPHA, f"{HUB}.{ALPHA}.STD.TPS-ASSETS.more"),
        (ALPHA, f"{HUB}.{ALPHA}.TRC.TPS-POINTS"),
        (ALPHA, f"{HUB}.{ALPHA}.STD.TPS-ASSETS\n"),
        (HUB, f"{HUB}.{HUB}.STD.TPS-ACK"),
    ],
)
async def test_f1_every_other_key_is_refused(broker: EmbeddedBroker, user: str, key: str) -> None:
    async with Client(broker, user) as channel:
        with pytest.raises(ChannelAccessRefused, match="ACCESS_REFUSED"):
            await publish(channel, key, user_id=user)


async def test_the_user_id_must_be_the_users_own(broker: EmbeddedBroker) -> None:
    async with Client(broker, ALPHA) as channel:
        with pytest.raises(ChannelPreconditionFailed, match="user_id"):
            await publish(channel, KEY.format(ALPHA, "TPS-ASSETS"), user_id=BRAVO)


async def test_nobody_writes_straight_into_a_queue(broker: EmbeddedBroker) -> None:
    async with Client(broker, ALPHA) as channel:
        with pytest.raises(ChannelAccessRefused):
            await channel.default_exchange.publish(aio_pika.Message(b"x"), routing_key=own_queue(ALPHA))


Attempt = Callable[[AbstractChannel, str], Awaitable[object]]
ATTEMPTS: dict[str, Attempt] = {
    "ask for its depth": lambda channel, name: channel.declare_queue(name, passive=True),
    "declare": lambda channel, name: channel.declare_queue(name, durable=True),
    "get": lambda channel, name: _underlay(channel, lambda raw: raw.basic_get(name)),
    "consume": lambda channel, name: _underlay(channel, lambda raw: raw.basic_consume(name, _ignore)),
    "purge": lambda channel, name: _underlay(channel, lambda raw: raw.queue_purge(name)),
    "delete": lambda channel, name: _underlay(channel, lambda raw: raw.queue_delete(name)),
    "bind": lambda channel, name: _underlay(channel, lambda raw: raw.queue_bind(name, EXCHANGE, "#")),
}


async def _underlay(channel: AbstractChannel, use: Callable[[Any], Awaitable[object]]) -> object:
    return await use(await channel.get_underlay_channel())


async def _ignore(_: object) -> None:
    """Never called."""


@pytest.mark.parametrize("name", [own_queue(BRAVO), own_queue(HUB), "mades.ep.nobody"], ids=["other", "hub", "none"])
@pytest.mark.parametrize("attempt", ATTEMPTS)
async def test_nf3_the_queue_of_another_is_refused_like_one_that_does_not_exist(
    broker: EmbeddedBroker, attempt: str, name: str
) -> None:
    async with Client(broker, ALPHA) as channel:
        with pytest.raises(ChannelAccessRefused):
            await ATTEMPTS[attempt](channel, name)


@pytest.mark.parametrize("attempt", ["declare", "delete", "bind"])
async def test_nobody_changes_even_its_own_queue(broker: EmbeddedBroker, attempt: str) -> None:
    async with Client(broker, ALPHA) as channel:
        with pytest.raises(ChannelAccessRefused):
            await ATTEMPTS[attempt](channel, own_queue(ALPHA))


async def test_a_wrong_password_an_unknown_user_and_a_wrong_virtual_host_are_refused(broker: EmbeddedBroker) -> None:
    with pytest.raises(Refused):
        await AmqpTransport.connect(broker.url(ALPHA).replace("password", "passwort"), code=ALPHA)
    with pytest.raises(ProbableAuthenticationError):
        await aio_pika.connect(f"amqp://nobody:x@127.0.0.1:{broker.port}/mades")
    with pytest.raises(Refused):
        await AmqpTransport.connect(broker.url(ALPHA).replace("/mades", "/other"), code=ALPHA)


async def test_a_message_larger_than_the_limit_is_refused(broker: EmbeddedBroker) -> None:
    async with Client(broker, ALPHA) as channel:
        with pytest.raises(ChannelPreconditionFailed, match="size"):
            await publish(channel, KEY.format(ALPHA, "TPS-ASSETS"), user_id=ALPHA, body=bytes(200_001))


async def test_a_full_queue_refuses_and_what_it_holds_stays() -> None:
    async with EmbeddedBroker(max_messages=2) as broker:
        broker.provision(USERS, hub=HUB)
        async with Client(broker, ALPHA) as channel:
            for _ in range(2):
                await publish(channel, KEY.format(ALPHA, "TPS-ASSETS"))
            with pytest.raises(DeliveryError):
                await publish(channel, KEY.format(ALPHA, "TPS-ASSETS"))

        assert broker.depth(HUB, Queue.BULK) == 2


async def test_a_message_expires_at_the_head_of_its_queue_and_the_operator_learns_of_it() -> None:
    clock = ManualClock()
    told: list[DeadLetter] = []
    async with EmbeddedBroker(clock=clock, on_dead=told.append) as broker:
        broker.provision(USERS, hub=HUB)
        async with Client(broker, ALPHA) as channel:
            await publish(channel, KEY.format(ALPHA, "TPS-ASSETS"), body=b"old", expiration=timedelta(seconds=10))
            await publish(channel, KEY.format(ALPHA, "TPS-ASSETS"), body=b"lasting")

        await clock.advance(12)

        assert broker.depth(HUB, Queue.BULK) == 1
        assert [(letter.reason, letter.body) for letter in told] == [("expired", b"old")]
        assert broker.dead_count == 1


async def test_an_unsettled_message_comes_again_marked_as_redelivered(broker: EmbeddedBroker) -> None:
    async with Client(broker, ALPHA) as channel:
        await publish(channel, KEY.format(ALPHA, "TPS-ASSETS"))
    name = own_queue(HUB)
    async with Client(broker, HUB) as channel:
        first = await (await channel.declare_queue(name, passive=True)).get()
        assert first is not None

    async with Client(broker, HUB) as channel:
        queue = await channel.declare_queue(name, passive=True)
        again = await queue.get()
        assert again is not None
        await again.ack()
        assert await queue.get(fail=False) is None

    assert (first.redelivered, again.redelivered) == (False, True)
    assert again.headers["x-delivery-count"] == 1


async def test_several_consumers_take_turns_and_a_cancelled_one_gets_no_more(broker: EmbeddedBroker) -> None:
    seen: dict[str, int] = {"a": 0, "b": 0}

    def counting(who: str) -> Callable[[AbstractIncomingMessage], Awaitable[None]]:
        async def take(message: AbstractIncomingMessage) -> None:
            seen[who] += 1
            await message.ack()

        return take

    async with Client(broker, HUB) as channel, Client(broker, ALPHA) as sender:
        queue = await channel.declare_queue(own_queue(HUB), passive=True)
        await queue.consume(counting("a"), consumer_tag="a")
        await queue.consume(counting("b"), consumer_tag="b")
        for _ in range(10):
            await publish(sender, KEY.format(ALPHA, "TPS-ASSETS"))
        await eventually(lambda: sum(seen.values()) == 10)
        await queue.cancel("a")
        for _ in range(10):
            await publish(sender, KEY.format(ALPHA, "TPS-ASSETS"))
        await eventually(lambda: sum(seen.values()) == 20)

    assert seen == {"a": 5, "b": 15}


async def test_components_come_and_go_while_it_runs(broker: EmbeddedBroker) -> None:
    without_bravo = {code: user for code, user in USERS.items() if code != BRAVO}
    closed = asyncio.Event()
    connection = await aio_pika.connect(broker.url(BRAVO))
    connection.close_callbacks.add(lambda *_: closed.set())
    url = broker.url(BRAVO)

    broker.provision(without_bravo, hub=HUB)

    async with asyncio.timeout(5):
        await closed.wait()
    with pytest.raises(ProbableAuthenticationError):
        await aio_pika.connect(url)
    broker.provision(USERS, hub=HUB)
    async with Client(broker, BRAVO) as channel:
        await publish(channel, KEY.format(BRAVO, "TPS-ASSETS"))


LOGIN = [
    frame.marshal(commands.Connection.StartOk({}, "PLAIN", f"\0{ALPHA}\0{USERS[ALPHA].password}", "en_US"), 0),
    frame.marshal(commands.Connection.TuneOk(128, 131072, 0), 0),
    frame.marshal(commands.Connection.Open("mades"), 0),
]
HELLO = b"AMQP\x00\x00\x09\x01"
OPEN = frame.marshal(commands.Channel.Open(), 1)
GARBAGE = {
    "nothing": b"",
    "http": b"GET / HTTP/1.1\r\n\r\n",
    "other version": b"AMQP\x03\x01\x00\x00",
    "huge frame": HELLO + b"\x01\x00\x00\xff\xff\xff\xff",
    "bad frame end": HELLO + b"\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x0b\x00",
    "unknown method": HELLO + b"\x01\x00\x00\x00\x00\x00\x04\xff\xff\xff\xff\xce",
    "publish before login": HELLO + frame.marshal(commands.Basic.Publish(exchange=EXCHANGE), 1),
    "method on channel 0": HELLO + b"".join(LOGIN) + frame.marshal(commands.Basic.Publish(), 0),
    "closed channel": HELLO + b"".join(LOGIN) + frame.marshal(commands.Basic.Publish(), 7),
    "body without header": HELLO + b"".join(LOGIN) + OPEN + b"\x03\x00\x01\x00\x00\x00\x01x\xce",
    "header without method": HELLO + b"".join(LOGIN) + OPEN + frame.marshal(ContentHeader(0, 1), 1),
    "transactions": HELLO + b"".join(LOGIN) + OPEN + frame.marshal(commands.Tx.Select(), 1),
    "heartbeat with content": HELLO + b"".join(LOGIN) + b"\x08\x00\x00\x00\x00\x00\x01x\xce",
}


@pytest.mark.parametrize("name", GARBAGE)
async def test_garbage_ends_its_own_connection_and_nobody_elses(broker: EmbeddedBroker, name: str) -> None:
    async with Client(broker, NORTH) as channel:
        reader, writer = await asyncio.open_connection(broker.host, broker.port)
        writer.write(GARBAGE[name])
        writer.write_eof()
        async with asyncio.timeout(5):
            await reader.read()
        writer.close()

        await publish(channel, KEY.format(NORTH, "TPS-POINTS"), user_id=NORTH)

    assert broker.depth(HUB, Queue.BULK) == 1


async def test_a_client_that_offers_a_smaller_frame_gets_smaller_frames(broker: EmbeddedBroker) -> None:
    async with Client(broker, ALPHA) as channel:
        await publish(channel, KEY.format(ALPHA, "TPS-ASSETS"), body=bytes(100_000))
    reader, writer = await asyncio.open_connection(broker.host, broker.port)
    login = frame.marshal(
        commands.Connection.StartOk({}, "PLAIN", f"\0{HUB}\0{USERS[HUB].password}", "en_US"), 0
    ) + frame.marshal(commands.Connection.TuneOk(128, 4096, 0), 0)
    get = frame.marshal(commands.Basic.Get(queue=own_queue(HUB)), 1)
    close = frame.marshal(commands.Connection.Close(200, "", 0, 0), 0)
    writer.write(HELLO + login + LOGIN[2] + OPEN + get + close)
    async with asyncio.timeout(5):
        data = await reader.read()
    writer.close()

    sizes = []
    while data:
        size = int.from_bytes(data[3:7], "big")
        sizes.append((data[0], size + 8))
        data = data[size + 8 :]

    assert max(size for kind, size in sizes if kind == 3) == 4096
    assert sum(size - 8 for kind, size in sizes if kind == 3) == 100_000


async def test_r31_whole_messages_flow_over_amqp_and_survive_a_restart_of_the_broker() -> None:
    broker = EmbeddedBroker()
    broker.provision(USERS, hub=HUB)
    await broker.start()
    hub, north = Component(HUB, SystemClock()), Component(NORTH, SystemClock())
    roads: list[AmqpTransport] = []
    try:
        for component in (hub, north):
            url = broker.url(component.code)
            road = await AmqpTransport.connect(url, code=component.code, reconnect_s=0.05, publish_timeout_s=2)
            component.start(road)
            roads.append(road)
        await north.submit(HUB, "before", BusinessType.POINTS)
        await received(north, "before")

        await hub.stop()
        await north.submit(HUB, "during", BusinessType.FORESEEN)
        await eventually(lambda: broker.depth(HUB, Queue.URGENT) == 1)
        await broker.stop()
        await broker.start()
        hub.start(roads[0])

        await received(north, "during")
        assert hub.effects == ["before", "during"]
        assert north.endpoint is not None
        assert (await north.endpoint.ping(HUB)).receiver_ms > 0
    finally:
        for component in (hub, north):
            await component.stop()
        for road in roads:
            await road.close()
        await broker.stop()


async def received(component: Component, document: str) -> None:
    async with asyncio.timeout(10):
        while await component.state(document) is not MessageState.RECEIVED:  # noqa: ASYNC110 - it moves in real time
            await asyncio.sleep(0.005)


async def test_without_a_broker_a_publish_says_unavailable_at_once(broker: EmbeddedBroker) -> None:
    transport = await AmqpTransport.connect(broker.url(ALPHA), code=ALPHA, reconnect_s=30)
    await broker.stop()
    await eventually(lambda: not transport.connected)

    with pytest.raises(Unavailable):
        await transport.publish(
            Publication(
                message_id="m",
                internal_type=InternalType.STANDARD,
                sender=ALPHA,
                receiver=HUB,
                business_type=BusinessType.ASSETS,
                urgent=False,
                ttl_s=60.0,
                body=b"",
            )
        )
    await transport.close()
    with pytest.raises(Unavailable):
        await AmqpTransport.connect(f"amqp://a:b@127.0.0.1:{broker.port}/mades", code=ALPHA)
