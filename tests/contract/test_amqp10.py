"""AMQP 1.0 at the same RabbitMQ: sealed messages from and to a client that shares no code with ours."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest

from hub.clock import SystemClock
from hub.mades.message import BusinessType, InternalType, Message
from hub.mades.mirror import CONTENT_TYPE
from hub.mades.paths import EXCHANGE, routing_key
from hub.ports import MessageState, Queue
from tests.amqp10 import Amqp10Client, Amqp10Refused
from tests.keyring import opened, sealer_of
from tests.mades_brokers import RabbitTls, own_queue, transport
from tests.mades_components import ALPHA, BRAVO, HUB, NORTH, Component

pytestmark = pytest.mark.slow
PATIENCE_S = 20


def points(content: bytes = b"points") -> Message:
    """A message of north's, as its endpoint would make it."""
    now = datetime.now(UTC)
    return Message(
        message_id="0123456789abcdef0123456789abcdef",
        internal_type=InternalType.STANDARD,
        sender=NORTH,
        receiver=HUB,
        business_type=BusinessType.POINTS,
        ba_message_id="doc-1",
        generated=now,
        expires=now + timedelta(hours=1),
        content=content,
    )


def key_of(message: Message) -> str:
    return routing_key(
        receiver=message.receiver,
        sender=message.sender,
        internal_type=message.internal_type,
        business_type=message.business_type,
    )


async def sent(
    client: Amqp10Client,
    message: Message,
    *,
    as_user: str,
    key: str = "",
    told: Mapping[str, object] = MappingProxyType({}),
) -> str:
    """Sealed by its sender, sent by this client, with what it tells the broker beside its user id."""
    address = await client.exchange(EXCHANGE, key or key_of(message))
    properties = {"user_id": as_user, **told} if as_user else {}
    return await client.send(address, sealer_of(message.sender).seal(message), properties)


async def test_a_client_of_amqp_1_0_sends_a_sealed_message_and_opens_both_acknowledgements(rabbit: RabbitTls) -> None:
    client, hub, message = Amqp10Client(rabbit, NORTH), Component(HUB, SystemClock()), points()
    hub.start(road := await transport(rabbit, HUB))
    try:
        assert await sent(client, message, as_user=NORTH) == "ACCEPTED"

        (answer,) = await client.receive(await client.queue(own_queue(NORTH, Queue.URGENT)), 1)
    finally:
        await hub.stop()
        await road.close()

    told = opened(answer.body, by=NORTH)
    assert told.internal_type is InternalType.LIST
    assert [each.kind for each in told.acknowledgements] == [InternalType.DELIVERY, InternalType.RECEIVE]
    assert {each.related for each in told.acknowledgements} == {message.message_id}
    assert hub.effects == ["points"]


MIRRORS = {
    "id": "0123456789abcdef0123456789abcdef",
    "content_type": CONTENT_TYPE,
    "ttl": 3_590.0,
}
FALSE = {"id": "another", "content_type": "application/xml", "ttl": 60.0, "correlation_id": "m-7"}


async def answered(
    rabbit: RabbitTls, message: Message, told: Mapping[str, object]
) -> set[tuple[InternalType, str | None]]:
    """What the hub answers a client of AMQP 1.0 that tells the broker this."""
    client, hub = Amqp10Client(rabbit, NORTH), Component(HUB, SystemClock())
    hub.start(road := await transport(rabbit, HUB))
    try:
        assert await sent(client, message, as_user=NORTH, told=told) == "ACCEPTED"
        (answer,) = await client.receive(await client.queue(own_queue(NORTH, Queue.URGENT)), 1)
    finally:
        await hub.stop()
        await road.close()
    return {(each.kind, each.reason) for each in opened(answer.body, by=NORTH).acknowledgements}


async def test_a_client_of_amqp_1_0_may_say_all_that_is_true(rabbit: RabbitTls) -> None:
    message = points()
    told = {**MIRRORS, "creation_time": message.generated.timestamp()}

    assert await answered(rabbit, message, told) == {(InternalType.DELIVERY, None), (InternalType.RECEIVE, None)}


@pytest.mark.parametrize("name", FALSE)
async def test_a_client_of_amqp_1_0_may_say_nothing_that_its_manifest_does_not(rabbit: RabbitTls, name: str) -> None:
    told = {**MIRRORS, name: FALSE[name]}

    assert await answered(rabbit, points(), told) == {(InternalType.FAILURE, "E-MISMATCH")}


async def test_a_client_of_amqp_1_0_opens_what_an_endpoint_sent(rabbit: RabbitTls) -> None:
    client, north = Amqp10Client(rabbit, HUB), Component(NORTH, SystemClock())
    north.start(road := await transport(rabbit, NORTH))
    try:
        await north.submit(HUB, "doc-7", BusinessType.POINTS, content="the points of north")
        (received,) = await client.receive(await client.queue(own_queue(HUB)), 1)
        status = await north.status("doc-7")
    finally:
        await north.stop()
        await road.close()

    message = opened(received.body, by=HUB)
    assert (message.sender, message.ba_message_id, message.content) == (NORTH, "doc-7", b"the points of north")
    assert (received.message_id, received.content_type) == (message.message_id, CONTENT_TYPE)
    assert status.state is MessageState.ACCEPTED


FORGED_KEYS = {
    "in the name of another": f"{HUB}.{NORTH}.STD.TPS-POINTS",
    "to another": f"{BRAVO}.{ALPHA}.STD.TPS-ACK",
    "a type of others": f"{HUB}.{ALPHA}.STD.TPS-POINTS",
}


@pytest.mark.parametrize("case", FORGED_KEYS)
async def test_f1_a_client_of_amqp_1_0_cannot_forge_an_address(rabbit: RabbitTls, case: str) -> None:
    key = FORGED_KEYS[case]

    with pytest.raises(Amqp10Refused, match=rf"unauthorized-access: .*topic '{key}'"):
        await sent(Amqp10Client(rabbit, ALPHA), points(), as_user=ALPHA, key=key)


async def test_r2_a_client_of_amqp_1_0_cannot_forge_its_user_id(rabbit: RabbitTls) -> None:
    with pytest.raises(Amqp10Refused, match=r"(precondition-failed|unauthorized-access): .*user_id"):
        await sent(Amqp10Client(rabbit, ALPHA), points(), as_user=NORTH, key=f"{HUB}.{ALPHA}.STD.TPS-ASSETS")


async def test_r2_without_a_user_id_nobody_vouches_for_a_message(rabbit: RabbitTls) -> None:
    hub = Component(HUB, SystemClock())
    hub.start(road := await transport(rabbit, HUB))
    try:
        assert await sent(Amqp10Client(rabbit, NORTH), points(), as_user="") == "ACCEPTED"
        async with asyncio.timeout(PATIENCE_S):
            while not (died := await rabbit.dead()):  # noqa: ASYNC110 - brokers have no event for their dead letters
                await asyncio.sleep(0.1)
    finally:
        await hub.stop()
        await road.close()

    assert (died, hub.effects) == (["rejected"], [])


async def test_nf3_a_client_of_amqp_1_0_reads_no_queue_but_its_own(rabbit: RabbitTls) -> None:
    client = Amqp10Client(rabbit, ALPHA)

    assert await client.receive(await client.queue(own_queue(ALPHA)), 0) == []
    with pytest.raises(Amqp10Refused, match=rf"unauthorized-access: .*queue '{own_queue(NORTH)}'"):
        await client.receive(await client.queue(own_queue(NORTH)), 1)
