"""The participant's own broker, where the business application's queues stand, over AMQP 0-9-1 (floor 7).

One connection that is never mended: whatever happens to it is Unavailable, and everything is begun anew on the next.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue, DeliveryMode
from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    AMQPError,
    ChannelInvalidStateError,
    ChannelNotFoundEntity,
    MessageProcessError,
)
from aiormq.abc import TimeoutType
from msgspec import Struct

from hub.errors import Unavailable
from hub.mades.box.queue_messages import BusinessQueue
from hub.ports import Clock

PREFETCH: Final = 32
PATIENCE_S: Final = 10.0
"""For an answer of the broker."""
WATCH_S: Final = 1.0
CONSUMERS_EVERY: Final = 30
"""Looks at the connection before the broker is asked whether it delivers still."""
ARGUMENTS: Final[Mapping[str, Any]] = {"x-queue-type": "quorum", "x-delivery-limit": 2**31 - 1}  # Any: of a queue
"""Of a queue that we make: 4.x would drop by itself what it has handed out twenty times."""


class Place(Struct, frozen=True):
    """Where the queues stand: the broker with its virtual host, and what their names begin with."""

    url: str
    tls: ssl.SSLContext | None = None
    prefix: str = ""


class QueueBroker:
    """The queues on one connection, made by `connected`. Every call raises Unavailable."""

    def __init__(
        self, connection: AbstractConnection, giving: AbstractChannel, taking: AbstractChannel, prefix: str
    ) -> None:
        self._connection, self._giving, self._taking, self._prefix = connection, giving, taking, prefix

    async def put(
        self,
        queue: BusinessQueue,
        body: bytes,
        properties: Mapping[str, str],
        *,
        message_id: str | None = None,
        correlation_id: str | None = None,
    ) -> None:
        """Into a queue, until the broker has confirmed it; Unavailable: it may be there all the same."""
        message = aio_pika.Message(
            body,
            headers=dict(properties),
            message_id=message_id,
            correlation_id=correlation_id,
            delivery_mode=DeliveryMode.PERSISTENT,
        )
        with _answering():
            async with asyncio.timeout(PATIENCE_S):
                exchange = self._giving.default_exchange
                await exchange.publish(message, self._prefix + queue, mandatory=True)

    async def orders(self) -> AsyncIterator[AbstractIncomingMessage]:
        """What is in the outbox queue, to be settled one by one."""
        with _answering():
            await self._taking.set_qos(prefetch_count=PREFETCH, timeout=PATIENCE_S)
            queue = await _standing(self._taking, self._prefix + BusinessQueue.OUTBOX)
            waiting: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()  # the prefetch bounds it
            await queue.consume(waiting.put, timeout=PATIENCE_S)
        while True:
            yield await waiting.get()

    async def settle(self, order: AbstractIncomingMessage) -> None:
        """Done: the broker forgets it."""
        with _answering():
            await order.ack()

    async def refuse(self, order: AbstractIncomingMessage) -> None:
        """Never: to the dead letters of the queue, where the participant keeps some."""
        with _answering():
            await order.reject(requeue=False)

    async def watch(self, clock: Clock) -> None:
        """Until the connection or a channel is gone, or the outbox queue has no consumer any more."""
        looks = 0
        while True:
            await clock.sleep(WATCH_S)
            looks += 1
            if any(each.is_closed for each in (self._connection, self._giving, self._taking)):
                raise Unavailable("The broker of the business queues has closed the connection.")
            if looks % CONSUMERS_EVERY == 0 and not await self._consumers():
                raise Unavailable(f"Nobody consumes {self._prefix}{BusinessQueue.OUTBOX} any more.")

    async def declare(self) -> None:
        """Make the queues that do not stand yet; for the others no right to configure is needed."""
        for queue in BusinessQueue:
            with _answering():
                await self._declare(self._prefix + queue)

    async def _declare(self, name: str) -> None:
        async with await self._connection.channel() as channel:
            with suppress(ChannelNotFoundEntity):
                await _standing(channel, name)
                return
        async with await self._connection.channel() as channel:
            await channel.declare_queue(name, durable=True, arguments=dict(ARGUMENTS), timeout=PATIENCE_S)

    async def _consumers(self) -> int:
        with _answering():
            async with await self._connection.channel() as channel:
                queue = await _standing(channel, self._prefix + BusinessQueue.OUTBOX)
                return queue.declaration_result.consumer_count or 0


@asynccontextmanager
async def connected(place: Place, *, heartbeat_s: int) -> AsyncIterator[QueueBroker]:
    """The queues, standing, for as long as the block lasts. Raises Unavailable."""
    with _answering():
        connection = await aio_pika.connect(
            _url(place),
            ssl_context=place.tls,
            timeout=PATIENCE_S,
            heartbeat=heartbeat_s,
            connection_class=_Connection,
        )
    try:
        with _answering():
            async with asyncio.timeout(PATIENCE_S):
                giving, taking = [
                    await connection.channel(publisher_confirms=True, on_return_raises=True) for _ in range(2)
                ]
        broker = QueueBroker(connection, giving, taking, place.prefix)
        await broker.declare()
        yield broker
    finally:
        with suppress(*_LOST):
            async with asyncio.timeout(PATIENCE_S):
                await connection.close()


class _Connection(aio_pika.Connection):
    """Is closed when it cannot be made: by itself it waits for the collector."""

    async def connect(self, timeout: TimeoutType = None) -> None:
        try:
            await super().connect(timeout)
        except BaseException:
            with suppress(*_LOST):
                await self.close()
            raise


_LOST: Final = (*CONNECTION_EXCEPTIONS, AMQPError, ChannelInvalidStateError, MessageProcessError, TimeoutError)


def _url(place: Place) -> str:
    """Without a user in it, the certificate is the proof of identity."""
    parts = urlsplit(place.url)
    by_certificate = place.tls is not None and parts.username is None
    return urlunsplit(parts._replace(query="auth=EXTERNAL")) if by_certificate else place.url


async def _standing(channel: AbstractChannel, name: str) -> AbstractQueue:
    return await channel.declare_queue(name, passive=True, timeout=PATIENCE_S)


@contextmanager
def _answering() -> Iterator[None]:
    """Whatever the broker fails in is Unavailable; a refusal too, for its operator may allow it later.

    An answer that comes in the moment of a request to stop makes the library forget the request (Python 3.11's
    `wait_for`); it is taken up again here.
    """
    task = asyncio.current_task()
    try:
        yield
        if task is not None and task.cancelling():
            raise asyncio.CancelledError
    except _LOST as error:
        raise Unavailable(f"The broker of the business queues: {error!r}.") from error
    except asyncio.CancelledError as error:
        # A connection found dead cancels who waits for it, which is no request to stop.
        if task is not None and task.cancelling():
            raise
        raise Unavailable("The connection to the broker of the business queues was lost.") from error
