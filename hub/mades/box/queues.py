"""The queues of ECP for a business application, beside a running message box (floor 7; docs/mades.md).

They stand at a broker of the participant's own. What is in the outbox queue is committed before the broker may forget
it, and what is put into the inbox queue is confirmed by the broker before it counts as RECEIVED: a crash in between
repeats and never loses. Whatever happens to the broker, everything is begun anew on a new connection.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import structlog
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

from documents.values import Identifier
from hub.desk import Desk
from hub.errors import Unavailable
from hub.feed import Bells
from hub.mades.box import commands
from hub.mades.box import queue_messages as shapes
from hub.mades.box.brain import BoxBrain
from hub.mades.box.interface import MadesFault, ReceivedMessage
from hub.mades.box.operations import Operations, faults
from hub.mades.box.queue_messages import BusinessQueue
from hub.mades.box.rows import INBOX
from hub.mades.endpoint.patience import until_available
from hub.ports import Clock, MessageState, Outbox

PREFETCH: Final = 32
PATIENCE_S: Final = 10.0
"""For an answer of the broker."""
LOOK_S: Final = 30.0
"""How often everything is looked at although nothing was heard of."""
HOLD_S: Final = 1.0
"""Between attempts to take a message while the store is away or full; it stays in its queue."""
WATCH_S: Final = 1.0
CONSUMERS_EVERY: Final = 30
"""Looks at the connection before the broker is asked whether it delivers still."""
HELD: Final = frozenset({"E-STORE", "E-STORE-FULL"})
ARGUMENTS: Final[Mapping[str, Any]] = {"x-queue-type": "quorum", "x-delivery-limit": 2**31 - 1}  # Any: of a queue
"""Of a queue that we make: 4.x would drop by itself what it has handed out twenty times."""

log = structlog.get_logger("hub.mades.queues")


class Place(Struct, frozen=True):
    """Where the queues stand: the broker with its virtual host, and what their names begin with."""

    url: str
    tls: ssl.SSLContext | None = None
    prefix: str = ""


class BusinessQueues:
    """See the charter. `run` it beside the message box whose parts these are, and tell `changed` what it hears."""

    def __init__(
        self,
        code: Identifier,
        place: Place,
        *,
        operations: Operations,
        desk: Desk,
        brain: BoxBrain,
        outbox: Outbox,
        bells: Bells,
        clock: Clock,
        heartbeat_s: int = 10,
    ) -> None:
        self._code, self._place, self._heartbeat_s = code, place, heartbeat_s
        self._operations, self._desk, self._brain, self._outbox = operations, desk, brain, outbox
        self._bells, self._clock = bells, clock
        self._changed: set[str] = set()
        self._bell = asyncio.Event()

    def changed(self, ba_message_ids: Sequence[str]) -> None:
        """Messages with these baMessageIDs have another state now."""
        self._changed.update(ba_message_ids)
        self._bell.set()

    async def run(self) -> None:
        """Until cancelled. Trouble with the broker is logged and tried again."""
        await until_available(self._clock, log, self._serve, "business queues")

    async def _serve(self) -> None:
        """On one connection. Raises Unavailable."""
        trouble: Sequence[BaseException] = ()
        try:
            async with self._connected() as connection, asyncio.TaskGroup() as tasks:
                giving = await self._channel(connection)
                taking = await self._channel(connection)
                queues = {each: await self._declared(connection, each) for each in BusinessQueue}
                log.info("queues.ready", prefix=self._place.prefix)
                for name, work in (
                    ("watch", self._watch(connection, giving, taking)),
                    ("outbox", self._take_all(taking, queues[BusinessQueue.OUTBOX], giving)),
                    ("inbox", self._hand_over_all(giving)),
                    ("events", self._tell_all(giving)),
                ):
                    tasks.create_task(work, name=f"queues.{name}")
        except* Unavailable as group:
            trouble = group.exceptions
        raise Unavailable(str(trouble[0]))

    # The outbox queue

    async def _take_all(self, channel: AbstractChannel, name: str, giving: AbstractChannel) -> None:
        with _answering():
            await channel.set_qos(prefetch_count=PREFETCH, timeout=PATIENCE_S)
            queue = await self._found(channel, name)
            waiting: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()  # the prefetch bounds it
            await queue.consume(waiting.put, timeout=PATIENCE_S)
        while True:
            await self._take(await waiting.get(), giving)

    async def _take(self, message: AbstractIncomingMessage, giving: AbstractChannel) -> None:
        """Commit, answer, and only then let the broker forget it."""
        try:
            message_id = await self._send(message)
        except MadesFault as error:
            await self._refuse(message, error, giving)
            return
        await self._reply(message, shapes.reply(message_id), giving)
        with _answering():
            await message.ack()

    async def _send(self, message: AbstractIncomingMessage) -> str:
        with faults():
            sent = shapes.order(message.headers, message.body, type_=message.type)
        conversation = shapes.conversation(sent, message.message_id, message.correlation_id)
        message_id = await self._held(lambda: self._operations.send_message(sent, conversation_id=conversation))
        await self._desk.submit(
            commands.Follow(message_id, sent.ba_message_id), cause=f"{self._code}/{sent.ba_message_id or message_id}"
        )
        return message_id

    async def _held(self, work: Callable[[], Awaitable[str]]) -> str:
        """Wait while the store is away or full."""
        while True:
            try:
                return await work()
            except MadesFault as error:
                if error.fault.error_code not in HELD:
                    raise
            await self._clock.sleep(HOLD_S)

    async def _refuse(self, message: AbstractIncomingMessage, error: MadesFault, giving: AbstractChannel) -> None:
        """Answered it is done with; unanswered it goes where the participant's broker keeps its dead letters."""
        if message.correlation_id:
            await self._reply(message, shapes.refusal(error.fault), giving)
        with _answering():
            await (message.ack() if message.correlation_id else message.reject(requeue=False))

    async def _reply(
        self, message: AbstractIncomingMessage, properties: Mapping[str, str], giving: AbstractChannel
    ) -> None:
        if message.correlation_id:
            await self._put(giving, BusinessQueue.REPLY, b"", properties, correlation_id=message.correlation_id)

    # The inbox queue

    async def _hand_over_all(self, giving: AbstractChannel) -> None:
        while True:
            with self._bells.take(INBOX, self._code) as bell:
                with suppress(MadesFault):  # it is logged; looked at again below
                    while received := (await self._operations.receive_message()).received_message:
                        await self._hand_over(received, giving)
                await bell.wait_at_most(LOOK_S, self._clock)

    async def _hand_over(self, received: ReceivedMessage, giving: AbstractChannel) -> None:
        """The broker has it: now it is RECEIVED."""
        await self._put(
            giving,
            BusinessQueue.INBOX,
            received.content or b"",
            shapes.arrival(received),
            message_id=received.message_id,
        )
        await self._operations.confirm_receive_message(received.message_id)

    # The queue of events

    async def _tell_all(self, giving: AbstractChannel) -> None:
        followed = self._brain.state.followed
        asked = {message_id for message_id, _ in followed.contents().items()}
        while True:
            for message_id in sorted(asked):
                await self._tell(message_id, giving)
            heard = await self._heard()
            items = followed.contents().items()
            asked = {key for key, each in items if heard is None or each.ba_message_id in heard}

    async def _heard(self) -> set[str] | None:
        """The baMessageIDs that were heard of; None: it is time to look at everything."""
        sleeper = asyncio.create_task(self._sleep(LOOK_S), name="queues.rest")
        ringing = asyncio.create_task(self._bell.wait(), name="queues.bell")
        try:
            await asyncio.wait((sleeper, ringing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            ringing.cancel()
        heard, self._changed = self._changed, set()
        self._bell.clear()
        return heard or None

    async def _tell(self, message_id: str, giving: AbstractChannel) -> None:
        """Tell each state once the broker has it, and remember that it was told."""
        followed, status = self._brain.state.followed.get(message_id), await self._outbox.find(message_id)
        if followed is None or status is None:
            return
        for state in shapes.TOLD.get((followed.told, status.state), ()):
            reason = status.reason if state is MessageState.FAILED else None
            properties = shapes.event(message_id, followed.ba_message_id, state, reason)
            await self._put(giving, BusinessQueue.EVENT, state.encode(), properties, correlation_id=message_id)
            await self._desk.submit(commands.Tell(message_id, state), cause=f"{self._code}/{message_id}")

    # The broker

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AbstractConnection]:
        parts = urlsplit(self._place.url)
        by_certificate = self._place.tls is not None and parts.username is None
        url = urlunsplit(parts._replace(query="auth=EXTERNAL")) if by_certificate else self._place.url
        with _answering():
            connection = await aio_pika.connect(
                url,
                ssl_context=self._place.tls,
                timeout=PATIENCE_S,
                heartbeat=self._heartbeat_s,
                connection_class=_Connection,
            )
        try:
            yield connection
        finally:
            with suppress(*_LOST):
                async with asyncio.timeout(PATIENCE_S):
                    await connection.close()

    async def _channel(self, connection: AbstractConnection) -> AbstractChannel:
        with _answering():
            async with asyncio.timeout(PATIENCE_S):
                return await connection.channel(publisher_confirms=True, on_return_raises=True)

    async def _declared(self, connection: AbstractConnection, queue: BusinessQueue) -> str:
        """The queue's name once it stands; it is made only where it does not."""
        name = self._place.prefix + queue
        with _answering():
            async with await connection.channel() as channel:
                with suppress(ChannelNotFoundEntity):
                    await self._found(channel, name)
                    return name
            async with await connection.channel() as channel:
                await channel.declare_queue(name, durable=True, arguments=dict(ARGUMENTS), timeout=PATIENCE_S)
        return name

    async def _found(self, channel: AbstractChannel, name: str) -> AbstractQueue:
        return await channel.declare_queue(name, passive=True, timeout=PATIENCE_S)

    async def _watch(self, connection: AbstractConnection, giving: AbstractChannel, taking: AbstractChannel) -> None:
        """Raises Unavailable: the connection or a channel is gone, or the outbox queue has no consumer any more."""
        name, looks = self._place.prefix + BusinessQueue.OUTBOX, 0
        while True:
            await self._clock.sleep(WATCH_S)
            looks += 1
            with _answering():
                if any(each.is_closed for each in (connection, giving, taking)):
                    raise Unavailable("The broker of the business queues has closed the connection.")
                if looks % CONSUMERS_EVERY == 0 and not await self._consumers(connection, name):
                    raise Unavailable(f"Nobody consumes {name} any more.")

    async def _consumers(self, connection: AbstractConnection, name: str) -> int:
        async with await connection.channel() as channel:
            return (await self._found(channel, name)).declaration_result.consumer_count or 0

    async def _put(
        self,
        channel: AbstractChannel,
        queue: BusinessQueue,
        body: bytes,
        properties: Mapping[str, str],
        *,
        message_id: str | None = None,
        correlation_id: str | None = None,
    ) -> None:
        """Into a queue, until the broker has confirmed it. Raises Unavailable: it may be there all the same."""
        message = aio_pika.Message(
            body,
            headers=dict(properties),
            message_id=message_id,
            correlation_id=correlation_id,
            delivery_mode=DeliveryMode.PERSISTENT,
            timestamp=self._clock.now(),
        )
        with _answering():
            async with asyncio.timeout(PATIENCE_S + 1):
                name = self._place.prefix + queue
                await channel.default_exchange.publish(message, name, mandatory=True, timeout=PATIENCE_S)

    async def _sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


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


@contextmanager
def _answering() -> Iterator[None]:
    """Whatever the broker fails in is Unavailable; a refusal too, for its operator may allow it later."""
    try:
        yield
    except _LOST as error:
        raise Unavailable(f"The broker of the business queues: {error!r}.") from error
    except asyncio.CancelledError as error:
        # A connection found dead cancels who waits for it, which is no request to stop.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise Unavailable("The connection to the broker of the business queues was lost.") from error
