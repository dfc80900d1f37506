"""Who may do what at a broker (F1, R2, NF3): the embedded one and RabbitMQ give the same answers to the same attempts.

Every attempt is made by an unmodified client, with a certificate that the broker knows: our own client's good manners
are no protection.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, AMQPError, ChannelClosed, ChannelPreconditionFailed
from aiormq.exceptions import ChannelAccessRefused
from pamqp import commands as declaring

from hub.mades.amqp import AmqpTransport
from hub.mades.certificates import CertificateType
from hub.mades.paths import DEAD_LETTERS, EXCHANGE
from hub.ports import Queue, Refused
from tests.fixtures_broker import RealBroker
from tests.mades_brokers import (
    AUTHENTICATION,
    ENCRYPTION,
    SIGNING,
    Broker,
    Certificates,
    connect,
    depth,
    embedded_tls,
    own_queue,
    raw,
    transport,
)
from tests.mades_components import ALPHA, BRAVO, HUB, NORTH


@pytest.fixture(params=["embedded", pytest.param("rabbitmq", marks=pytest.mark.slow)])
async def broker(
    request: pytest.FixtureRequest, certificates: Certificates, real_broker: RealBroker
) -> AsyncIterator[Broker]:
    if request.param == "rabbitmq":
        yield await real_broker.provisioned()
        return
    async with embedded_tls(certificates) as running:
        yield running


async def publish(channel: AbstractChannel, key: str, *, user_id: str | None = None, exchange: str = EXCHANGE) -> None:
    door = await channel.get_exchange(exchange, ensure=False)
    await door.publish(aio_pika.Message(b"x", user_id=user_id), routing_key=key, mandatory=True, timeout=10)


@pytest.mark.parametrize(
    ("sender", "key", "queue"),
    [
        (NORTH, f"{HUB}.{NORTH}.STD.TPS-POINTS", Queue.BULK),
        (NORTH, f"{HUB}.{NORTH}.STD.TPS-FORESEEN", Queue.URGENT),
        (ALPHA, f"{HUB}.{ALPHA}.ACK.TPS-FORESEEN", Queue.URGENT),
        (ALPHA, f"{HUB}.{ALPHA}.TRC.TPS-ASSETS", Queue.URGENT),
    ],
)
async def test_f1_a_participant_writes_to_the_hub_as_itself(
    broker: Broker, sender: str, key: str, queue: Queue
) -> None:
    before = await depth(broker, HUB, queue)

    async with raw(broker, sender) as connection:
        await publish(await connection.channel(on_return_raises=True), key, user_id=sender)

    assert await depth(broker, HUB, queue) == before + 1


FORBIDDEN_KEYS = {
    "a DSO to an AGR": (NORTH, f"{ALPHA}.{NORTH}.STD.TPS-FORESEEN"),
    "an AGR to a DSO": (ALPHA, f"{NORTH}.{ALPHA}.STD.TPS-SCHEDULES"),
    "an AGR to another": (ALPHA, f"{BRAVO}.{ALPHA}.STD.TPS-ACK"),
    "an acknowledgement to another": (ALPHA, f"{BRAVO}.{ALPHA}.ACK.TPS-ACK"),
    "in the name of another": (ALPHA, f"{HUB}.{BRAVO}.STD.TPS-ASSETS"),
    "in the name of the hub": (ALPHA, f"{BRAVO}.{HUB}.STD.TPS-FORESEEN"),
    "to itself": (ALPHA, f"{ALPHA}.{ALPHA}.STD.TPS-ACK"),
    "a type of others": (ALPHA, f"{HUB}.{ALPHA}.STD.TPS-POINTS"),
    "a test of a type of others": (ALPHA, f"{HUB}.{ALPHA}.TRC.TPS-POINTS"),
    "a longer key": (ALPHA, f"{HUB}.{ALPHA}.STD.TPS-ASSETS.more"),
    "a line feed at the end": (ALPHA, f"{HUB}.{ALPHA}.ACK.TPS-ASSETS\n"),
    "a line feed at the start": (ALPHA, f"\n{HUB}.{ALPHA}.ACK.TPS-ASSETS"),
    "no key": (ALPHA, ""),
    "the hub to itself": (HUB, f"{HUB}.{HUB}.STD.TPS-ACK"),
    "the hub to nobody known": (HUB, f"A01:NOBODY.{HUB}.STD.TPS-ASSETS"),
}


@pytest.mark.parametrize("case", FORBIDDEN_KEYS)
async def test_f1_every_other_key_is_refused(broker: Broker, case: str) -> None:
    sender, key = FORBIDDEN_KEYS[case]

    async with raw(broker, sender) as connection:
        with pytest.raises(ChannelAccessRefused):
            await publish(await connection.channel(on_return_raises=True), key, user_id=sender)


async def test_r2_the_user_id_of_another_is_refused(broker: Broker) -> None:
    async with raw(broker, ALPHA) as connection:
        with pytest.raises(ChannelPreconditionFailed, match="user_id"):
            await publish(await connection.channel(), f"{HUB}.{ALPHA}.STD.TPS-ASSETS", user_id=BRAVO)


@pytest.mark.parametrize("exchange", ["", "amq.topic", "amq.direct", DEAD_LETTERS])
async def test_f1_no_other_exchange_takes_anything(broker: Broker, exchange: str) -> None:
    async with raw(broker, ALPHA) as connection:
        channel = await connection.channel(on_return_raises=True)
        door = await channel.get_exchange(exchange, ensure=False) if exchange else channel.default_exchange
        with pytest.raises(ChannelAccessRefused):
            await door.publish(aio_pika.Message(b"x"), own_queue(BRAVO), timeout=10)


Attempt = Callable[[Any, str], Awaitable[object]]
READING: dict[str, Attempt] = {
    "get": lambda channel, name: channel.basic_get(name),
    "consume": lambda channel, name: channel.basic_consume(name, _ignore),
    "purge": lambda channel, name: channel.queue_purge(name),
}
CHANGING: dict[str, Attempt] = {
    "declare": lambda channel, name: channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"}),
    "delete": lambda channel, name: channel.queue_delete(name),
    "bind": lambda channel, name: channel.queue_bind(name, EXCHANGE, "#"),
    "unbind": lambda channel, name: channel.queue_unbind(name, EXCHANGE, f"{HUB}.*.ACK.*"),
}
TOPOLOGY: dict[str, Attempt] = {
    "declare a queue": lambda channel, _: channel.queue_declare("mine"),
    "declare a queue without name": lambda channel, _: channel.queue_declare(""),
    "declare an exchange": lambda channel, _: channel.exchange_declare("mine"),
    "delete the exchange": lambda channel, _: channel.exchange_delete(EXCHANGE),
    "bind exchanges": lambda channel, _: channel.exchange_bind("amq.fanout", EXCHANGE, "#"),
}


async def _ignore(_: object) -> None:
    """Never called."""


async def attempt(broker: Broker, code: str, what: Attempt, name: str) -> None:
    async with raw(broker, code) as connection:
        await what(await (await connection.channel()).get_underlay_channel(), name)


@pytest.mark.parametrize("name", [own_queue(BRAVO), own_queue(HUB, Queue.URGENT), DEAD_LETTERS])
@pytest.mark.parametrize("what", READING | CHANGING)
async def test_nf3_the_queue_of_another_is_out_of_reach(broker: Broker, what: str, name: str) -> None:
    with pytest.raises(ChannelAccessRefused):
        await attempt(broker, ALPHA, (READING | CHANGING)[what], name)


@pytest.mark.parametrize("what", CHANGING)
async def test_nobody_changes_even_its_own_queue(broker: Broker, what: str) -> None:
    with pytest.raises(ChannelAccessRefused):
        await attempt(broker, ALPHA, CHANGING[what], own_queue(ALPHA))


@pytest.mark.parametrize("code", [ALPHA, HUB])
@pytest.mark.parametrize("what", TOPOLOGY)
async def test_nobody_changes_the_topology(broker: Broker, what: str, code: str) -> None:
    with pytest.raises(ChannelAccessRefused):
        await attempt(broker, code, TOPOLOGY[what], "")


class AnyQueue(declaring.Queue.Declare):
    """Declares what our client would not call a name."""

    def validate(self) -> None:
        """Leave it to the broker."""


class AnyExchange(declaring.Exchange.Declare):
    """As above."""

    def validate(self) -> None:
        """Leave it to the broker."""


@pytest.mark.parametrize("declaration", [AnyQueue(queue="\n"), AnyExchange(exchange="\n")])
async def test_a_line_feed_is_not_the_empty_name_that_may_be_configured(
    broker: Broker, declaration: AnyQueue | AnyExchange
) -> None:
    with pytest.raises(AMQPError):
        await attempt(broker, ALPHA, lambda channel, _: channel.rpc(declaration), "")


async def test_everybody_may_read_and_empty_its_own_queue(broker: Broker) -> None:
    async with raw(broker, NORTH) as connection:
        await publish(await connection.channel(on_return_raises=True), f"{HUB}.{NORTH}.STD.TPS-POINTS")

    async with raw(broker, HUB) as connection:
        queue = await (await connection.channel()).declare_queue(own_queue(HUB), passive=True)
        message = await queue.get()
        await message.ack()
        await queue.purge()

    assert message.body == b"x"
    assert await depth(broker, HUB) == 0


async def test_nf3_the_depth_of_anothers_queue_is_not_told_to_who_cannot_name_it(broker: Broker) -> None:
    guesses = [own_queue(BRAVO)[:-16], own_queue(BRAVO)[:-16] + "f" * 16, own_queue(BRAVO).rpartition(".")[0]]

    async with raw(broker, ALPHA) as connection:
        for guess in guesses:
            with pytest.raises(ChannelClosed):
                await (await connection.channel()).declare_queue(guess, passive=True)


@pytest.mark.slow
async def test_nf3_rabbitmq_tells_the_depth_of_a_queue_that_is_named_so_names_are_secrets(
    real_broker: RealBroker,
) -> None:
    broker = await real_broker.provisioned()

    async with raw(broker, ALPHA) as connection:
        queue = await (await connection.channel()).declare_queue(own_queue(BRAVO), passive=True)

    assert queue.declaration_result.message_count == 0


@pytest.mark.parametrize("kind", [SIGNING, ENCRYPTION])
async def test_a_certificate_for_another_purpose_does_not_log_in(broker: Broker, kind: CertificateType) -> None:
    with pytest.raises(CONNECTION_EXCEPTIONS):
        async with raw(broker, ALPHA, kind):
            pass
    async with raw(broker, ALPHA, AUTHENTICATION) as connection:
        assert not connection.is_closed


async def test_a_code_that_the_broker_does_not_know_does_not_log_in(broker: Broker) -> None:
    with pytest.raises(Refused, match="certificate"):
        await AmqpTransport.connect(
            broker.url, code="A01:STRANGER", tls=broker.certificates.client("A01:STRANGER"), suffix="0" * 16
        )


async def test_a_certificate_of_another_authority_does_not_log_in(
    broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> None:
    forged = Certificates(tmp_path_factory.mktemp("forged")).client(ALPHA)
    forged.load_verify_locations(broker.certificates.authority)

    with pytest.raises(CONNECTION_EXCEPTIONS):
        await connect(f"{broker.url}?auth=EXTERNAL", forged)


async def test_a_password_does_not_log_in(broker: Broker) -> None:
    url = broker.url.replace("://", "://provisioner:guess@")

    with pytest.raises(CONNECTION_EXCEPTIONS):
        await connect(url, broker.certificates.client(ALPHA))


async def test_without_tls_nobody_comes_in(broker: Broker) -> None:
    with pytest.raises((*CONNECTION_EXCEPTIONS, TimeoutError)):
        await connect(broker.url.replace("amqps://", "amqp://"))


async def test_a_revoked_component_is_out_at_once_and_stays_out(broker: Broker) -> None:
    closed = asyncio.Event()
    async with raw(broker, ALPHA) as connection:
        connection.close_callbacks.add(lambda *_: closed.set())

        await broker.revoke(ALPHA)

        async with asyncio.timeout(5):
            await closed.wait()
    with pytest.raises(Refused):
        await transport(broker, ALPHA)


async def test_a_revoked_component_is_unavailable_to_itself_and_nobody_else_notices(broker: Broker) -> None:
    alpha = await transport(broker, ALPHA, reconnect_s=0.05)
    async with raw(broker, NORTH) as connection:
        channel = await connection.channel(on_return_raises=True)

        await broker.revoke(ALPHA)

        async with asyncio.timeout(5):
            while alpha.connected:  # noqa: ASYNC110 - it has no event for its end
                await asyncio.sleep(0.01)
        await publish(channel, f"{HUB}.{NORTH}.STD.TPS-POINTS")
    await alpha.close()
