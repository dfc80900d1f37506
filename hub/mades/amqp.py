"""The road to an AMQP 0-9-1 broker through aio-pika: RabbitMQ in production, the embedded broker in the demo.

Only the address differs. What is peculiar here answers to measured traps of the client library:
a publish has a timeout and its outcome may be unknown; mandatory messages that come back raise; consumers stand on a
passively declared queue, else they are silently gone after a reconnect; one refusal closes a channel for everybody on
it, so every lane has a channel of its own and a refused message is tried once more alone before it is called refused.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

import aio_pika
import aiormq
import aiormq.abc
from aio_pika.abc import (
    AbstractIncomingMessage,
    AbstractRobustChannel,
    AbstractRobustConnection,
    AbstractRobustQueue,
    DeliveryMode,
)
from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    ChannelInvalidStateError,
    ChannelPreconditionFailed,
    DeliveryError,
    MessageProcessError,
    PublishError,
)
from aio_pika.robust_connection import RobustConnection
from aiormq.exceptions import (
    AuthenticationError,
    ChannelAccessRefused,
    InvalidFrameError,
    ProbableAuthenticationError,
)

from hub.errors import Unavailable
from hub.mades.message import InternalType
from hub.mades.mirror import CONTENT_TYPE
from hub.mades.paths import EXCHANGE, Kind, kind_of, queue_name, queue_suffix, routing_key
from hub.ports import Delivery, Properties, Publication, Queue, Refused, Unroutable

PUBLISH_TIMEOUT_S: Final = 10.0
AT_ONCE_BYTES: Final = 64 * 1024
"""Up to this size the next message is handed to the connection before this one is written: memory stays bounded by the
window of its sender, and nobody waits for the socket once for each message."""
WATCH_S: Final = 30.0
"""How often a consumer makes sure that it is one: RabbitMQ does not always tell when it takes a queue away (3.10)."""
_INTERNAL_TYPES: Final = frozenset(InternalType)

log = logging.getLogger(__name__)


class _Lane(StrEnum):
    """Channels for publishing, so that one refusal spoils as little as possible."""

    ACKNOWLEDGEMENTS = "acknowledgements"
    URGENT = "urgent"
    BULK = "bulk"


class AmqpDelivery:
    """A message handed over by the broker. Settling after the connection is lost does nothing: it will come again."""

    def __init__(self, message: AbstractIncomingMessage) -> None:
        self._message = message
        assert message.delivery_tag is not None, "it was delivered"
        self._tag = message.delivery_tag

    @property
    def body(self) -> bytes:
        """The opaque MADES message."""
        return self._message.body

    @property
    def user_id(self) -> str | None:
        """The sender as the broker authenticated it."""
        return self._message.user_id

    @property
    def properties(self) -> Properties:
        """What its sender told the broker of it."""
        told, headers = self._message, self._message.headers
        ttl_s = told.expiration if isinstance(told.expiration, float) else None
        return Properties(
            content_type=told.content_type,
            message_id=told.message_id,
            # RabbitMQ 3.x says here in which form an AMQP 1.0 client sent the body: "binary", "amqp-1.0".
            internal_type=told.type if told.type in _INTERNAL_TYPES else None,
            correlation_id=told.correlation_id,
            business_type=_text(headers.get("businessType")),
            sender=_text(headers.get("senderCode")),
            receiver=_text(headers.get("receiverCode")),
            ttl_s=ttl_s,
            timestamp=told.timestamp,
        )

    async def settle(self) -> None:
        """Done: the broker forgets it."""
        with suppress(*_LOST):
            await self._message.channel.basic_ack(self._tag, wait=False)

    async def give_back(self) -> None:
        """Not now: the broker delivers it again."""
        with suppress(*_LOST):
            await self._message.nack(requeue=True)

    async def refuse(self) -> None:
        """Never: to the dead letters."""
        with suppress(*_LOST):
            await self._message.reject(requeue=False)


class _Connection(RobustConnection):
    """Is closed when it cannot be made: by itself it waits for the collector, and then wants a running loop."""

    async def connect(self, timeout: aiormq.abc.TimeoutType = None) -> None:
        try:
            await super().connect(timeout)
        except BaseException:
            await self.close()
            raise


class AmqpTransport:
    """A connection to the broker as one component; made by `connect`."""

    def __init__(
        self,
        connection: AbstractRobustConnection,
        queues: Mapping[Queue, str],
        *,
        publish_timeout_s: float,
        watch_s: float,
    ) -> None:
        self._connection, self._queues = connection, queues
        self._publish_timeout_s, self._watch_s = publish_timeout_s, watch_s
        self._lanes: dict[_Lane, AbstractRobustChannel] = {}
        self._closed = asyncio.Event()
        self._callbacks: list[Callable[[], None]] = []

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        code: str,
        tls: ssl.SSLContext | None = None,
        suffix: str | None = None,
        heartbeat_s: int = 10,
        reconnect_s: float = 1.0,
        publish_timeout_s: float = PUBLISH_TIMEOUT_S,
        watch_s: float = WATCH_S,
    ) -> "AmqpTransport":
        """Connect as `code`; after that the connection mends itself.

        With `tls` (hub.mades.tls.client_context) the certificate in it is the proof of identity, and `url` names no
        user. `suffix` ends the names of the component's own queues; by default it follows from the password in `url`.

        Raises:
            Unavailable: nobody answers there, or the handshake of TLS fails.
            Refused: the broker does not know this code and proof, or has no such virtual host.
        """
        parts = urlsplit(url)
        own = queue_suffix(code, unquote(parts.password or "")) if suffix is None else suffix
        queues = {queue: queue_name(code, queue, suffix=own) for queue in Queue}
        try:
            connection = await aio_pika.connect_robust(
                urlunsplit(parts._replace(query="auth=EXTERNAL")) if tls else url,
                ssl_context=tls,
                timeout=publish_timeout_s,
                heartbeat=heartbeat_s,
                reconnect_interval=reconnect_s,
                connection_class=_Connection,
            )
        except (AuthenticationError, ProbableAuthenticationError, InvalidFrameError) as error:
            # A virtual host that is not there is answered with a close in the middle of the handshake.
            proof = "certificate" if tls else "password"
            raise Refused(f"The broker refuses {code}: its {proof}, or the virtual host.") from error
        except ssl.SSLError as error:
            raise Unavailable(f"The broker and {code} do not accept each other's certificate: {error}.") from error
        except (*CONNECTION_EXCEPTIONS, TimeoutError) as error:
            raise Unavailable(f"No broker answers at {parts.hostname}:{parts.port}.") from error
        transport = cls(connection, queues, publish_timeout_s=publish_timeout_s, watch_s=watch_s)
        try:
            async with asyncio.timeout(publish_timeout_s):
                await transport._open()
        except (*CONNECTION_EXCEPTIONS, ChannelInvalidStateError, TimeoutError) as error:
            await connection.close()
            raise Unavailable(f"The broker at {parts.hostname}:{parts.port} opens no channel: {error!r}.") from error
        except BaseException:
            await connection.close()
            raise
        return transport

    async def _open(self) -> None:
        for lane in _Lane:
            self._lanes[lane] = await self._channel(on_return_raises=True)
        self._connection.reconnect_callbacks.add(self._reconnected)

    async def _channel(self, *, on_return_raises: bool) -> AbstractRobustChannel:
        channel = await self._connection.channel(publisher_confirms=True, on_return_raises=on_return_raises)
        assert isinstance(channel, AbstractRobustChannel)
        return channel

    def _reconnected(self, *_: object) -> None:
        for callback in self._callbacks:
            callback()

    @property
    def volatile(self) -> bool:
        """Whether the broker says that it forgets its messages when it stops (R31)."""
        transport = self._connection.transport
        return transport is not None and bool(transport.connection.server_properties.get("volatile", False))

    @property
    def connected(self) -> bool:
        """Whether the connection stands at this moment."""
        return self._connection.connected.is_set() and not self._connection.is_closed

    def on_connected(self, callback: Callable[[], None]) -> None:
        """Call this each time the connection to the broker is made anew."""
        self._callbacks.append(callback)

    async def publish(self, message: Publication) -> None:
        """Hand over to the broker and wait for its confirm.

        Raises:
            Unroutable: no queue takes it.
            Refused: the broker refuses it from us (access, size, user id).
            Unavailable: no confirm; the broker may have it all the same.
        """
        try:
            async with self._publishing(message):
                await self._hand_over(self._lanes[_lane(message)], message)
        except Refused:
            # The channel was closed for everybody on it, so this may be the echo of another's fault: ask alone.
            async with self._publishing(message), await self._channel(on_return_raises=True) as channel:
                await self._hand_over(channel, message)

    async def _hand_over(self, channel: AbstractRobustChannel, message: Publication) -> None:
        await channel.ready()
        underlay = await channel.get_underlay_channel()
        assert isinstance(underlay, aiormq.Channel)
        await underlay.basic_publish(
            message.body,
            exchange=EXCHANGE,
            routing_key=_key(message),
            properties=_properties(message),
            mandatory=True,
            timeout=self._publish_timeout_s,
            wait=len(message.body) > AT_ONCE_BYTES,
        )

    @asynccontextmanager
    async def _publishing(self, message: Publication) -> AsyncIterator[None]:
        """What goes wrong meanwhile, in the words of the port. The client's own timeout starts only on a channel."""
        if not self.connected:
            raise Unavailable("The broker is not connected.")
        try:
            async with asyncio.timeout(self._publish_timeout_s + 1):
                yield
        except PublishError as error:
            raise Unroutable(f"{message.receiver} has no queue at the broker.") from error
        except DeliveryError as error:
            raise Unavailable("The broker does not take the message now: the queue is full.") from error
        except (ChannelAccessRefused, ChannelPreconditionFailed) as error:
            raise Refused(str(error)) from error
        except (*CONNECTION_EXCEPTIONS, ChannelInvalidStateError, TimeoutError) as error:
            raise Unavailable(f"The broker did not confirm: {error!r}.") from error
        except asyncio.CancelledError as error:
            # A connection found dead cancels its publishers, which is no request to stop.
            _heed_cancellation()
            raise Unavailable("The connection to the broker was lost.") from error

    async def consume(self, queue: Queue, handler: Callable[[Delivery], Awaitable[None]], *, prefetch: int) -> None:
        """Deliver this component's queue to `handler` until closed; survives reconnects.

        Raises:
            Unavailable: the queue cannot be consumed now.
        """

        async def on_message(message: AbstractIncomingMessage) -> None:
            await handler(AmqpDelivery(message))

        try:
            async with asyncio.timeout(self._publish_timeout_s):
                channel = await self._channel(on_return_raises=False)
        except (*CONNECTION_EXCEPTIONS, ChannelInvalidStateError, TimeoutError) as error:
            raise Unavailable(f"The broker opens no channel: {error!r}.") from error
        try:
            await channel.set_qos(prefetch_count=prefetch, timeout=self._publish_timeout_s)
            source = await channel.declare_queue(self._queues[queue], passive=True, timeout=self._publish_timeout_s)
            await source.consume(on_message, timeout=self._publish_timeout_s)
            _heed_cancellation()
            await self._watch(source)
        except (*CONNECTION_EXCEPTIONS, ChannelInvalidStateError, TimeoutError) as error:
            raise Unavailable(f"The {queue} queue cannot be consumed: {error!r}.") from error
        finally:
            if not self._closed.is_set():
                # What was handed out and not settled goes back to the queue with the channel.
                with suppress(*_LOST, TimeoutError):
                    async with asyncio.timeout(1.0):
                        await channel.close()

    async def depth(self, queue: Queue) -> int:
        """How many messages wait for this component in one of its queues. Raises Unavailable: it cannot be told."""
        try:
            async with asyncio.timeout(self._publish_timeout_s), await self._channel(on_return_raises=False) as channel:
                source = await channel.declare_queue(self._queues[queue], passive=True)
                return source.declaration_result.message_count or 0
        except (*CONNECTION_EXCEPTIONS, ChannelInvalidStateError, TimeoutError) as error:
            raise Unavailable(f"The {queue} queue cannot be looked at: {error!r}.") from error

    async def _watch(self, source: AbstractRobustQueue) -> None:
        """Until closed. Raises Unavailable: nobody consumes the queue any more, or it is gone."""
        while not self._closed.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._watch_s):
                    await self._closed.wait()
                    return
            if self.connected and not (await source.declare(timeout=self._publish_timeout_s)).consumer_count:
                raise Unavailable("The broker delivers nothing to its consumer any more.")

    async def close(self) -> None:
        """Stop consuming and leave."""
        self._closed.set()
        await asyncio.sleep(0)
        with suppress(*_LOST):
            await self._connection.close()


_LOST: Final = (*CONNECTION_EXCEPTIONS, ChannelInvalidStateError, MessageProcessError)


def _heed_cancellation() -> None:
    """Stop where we were told to while the client waited: before Python 3.12 its way of waiting may swallow that."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _lane(message: Publication) -> _Lane:
    if kind_of(InternalType(message.internal_type)) is not Kind.STANDARD:
        return _Lane.ACKNOWLEDGEMENTS
    return _Lane.URGENT if message.urgent else _Lane.BULK


def _key(message: Publication) -> str:
    return routing_key(
        receiver=message.receiver,
        sender=message.sender,
        internal_type=InternalType(message.internal_type),
        business_type=message.business_type,
    )


def _text(value: object) -> str | None:
    """A header as text: others write other types."""
    if value is None or isinstance(value, str):
        return value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _properties(message: Publication) -> aiormq.spec.Basic.Properties:
    """The message with the properties that mirror its manifest. Headers are texts: the encoder takes no bytes."""
    return aio_pika.Message(
        b"",
        message_id=message.message_id,
        correlation_id=message.correlation_id,
        user_id=message.sender,
        type=message.internal_type,
        content_type=CONTENT_TYPE,
        delivery_mode=DeliveryMode.PERSISTENT,
        expiration=message.ttl_s,
        headers={
            "businessType": message.business_type,
            "senderCode": message.sender,
            "receiverCode": message.receiver,
        },
    ).properties
