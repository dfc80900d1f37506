"""The queues of ECP for a business application, beside a running message box (floor 7; docs/mades.md).

They stand at a broker of the participant's own. What is in the outbox queue is committed before the broker may forget
it, and what is put into the inbox queue is confirmed by the broker before it counts as RECEIVED: a crash in between
repeats and never loses.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import structlog
from aio_pika.abc import AbstractIncomingMessage

from documents.values import Identifier
from hub.desk import Desk
from hub.feed import Bells
from hub.mades.box import commands
from hub.mades.box import queue_messages as shapes
from hub.mades.box.brain import BoxBrain
from hub.mades.box.interface import MadesFault, ReceivedMessage
from hub.mades.box.operations import Operations, faults
from hub.mades.box.queue_broker import Place, QueueBroker, connected
from hub.mades.box.queue_messages import BusinessQueue
from hub.mades.box.rows import INBOX
from hub.mades.endpoint.patience import rest, until_available
from hub.ports import Clock, MessageState, Outbox

LOOK_S: Final = 30.0
"""How often everything is looked at although nothing was heard of."""
HOLD_S: Final = 1.0
"""Between attempts to take a message while the store is away or full; it stays in its queue."""
HELD: Final = frozenset({"E-STORE", "E-STORE-FULL"})

log = structlog.get_logger("hub.mades.queues")


class BusinessQueues:
    """See the charter. `run` it beside the message box whose parts these are, and tell `changed` what that hears."""

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
        async with connected(self._place, heartbeat_s=self._heartbeat_s) as broker:
            log.info("queues.ready", prefix=self._place.prefix)
            await _until_one_fails(
                broker.watch(self._clock), self._take_all(broker), self._hand_over_all(broker), self._tell_all(broker)
            )

    # The outbox queue

    async def _take_all(self, broker: QueueBroker) -> None:
        async for order in broker.orders():
            await self._take(order, broker)

    async def _take(self, order: AbstractIncomingMessage, broker: QueueBroker) -> None:
        """Commit, answer, and only then let the broker forget it."""
        try:
            message_id = await self._send(order)
        except MadesFault as error:
            await self._refuse(order, error, broker)
            return
        await self._reply(order, shapes.reply(message_id), broker)
        await broker.settle(order)

    async def _send(self, order: AbstractIncomingMessage) -> str:
        with faults():
            sent = shapes.order(order.headers, order.body, type_=order.type)
        conversation = shapes.conversation(sent, order.message_id, order.correlation_id)
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

    async def _refuse(self, order: AbstractIncomingMessage, error: MadesFault, broker: QueueBroker) -> None:
        """Answered it is done with; unanswered it goes where the participant keeps dead letters."""
        if not order.correlation_id:
            await broker.refuse(order)
            return
        await self._reply(order, shapes.refusal(error.fault), broker)
        await broker.settle(order)

    async def _reply(self, order: AbstractIncomingMessage, properties: Mapping[str, str], broker: QueueBroker) -> None:
        if order.correlation_id:
            await broker.put(BusinessQueue.REPLY, b"", properties, correlation_id=order.correlation_id)

    # The inbox queue

    async def _hand_over_all(self, broker: QueueBroker) -> None:
        while True:
            with self._bells.take(INBOX, self._code) as bell:
                with suppress(MadesFault):  # it is logged; looked at again below
                    while received := (await self._operations.receive_message()).received_message:
                        await self._hand_over(received, broker)
                await bell.wait_at_most(LOOK_S, self._clock)

    async def _hand_over(self, received: ReceivedMessage, broker: QueueBroker) -> None:
        """The broker has it: now it is RECEIVED."""
        properties, content = shapes.arrival(received), received.content or b""
        await broker.put(BusinessQueue.INBOX, content, properties, message_id=received.message_id)
        await self._operations.confirm_receive_message(received.message_id)

    # The queue of events

    async def _tell_all(self, broker: QueueBroker) -> None:
        heard: set[str] = set()
        while True:
            for message_id in self._of_interest(heard):
                await self._tell(message_id, broker)
            await rest(self._clock, self._bell, LOOK_S)
            heard, self._changed = self._changed, set()
            self._bell.clear()

    def _of_interest(self, heard: set[str]) -> list[str]:
        """The followed messages that were heard of by these baMessageIDs; all of them, when nothing was heard."""
        followed = self._brain.state.followed.contents()
        return [key for key, each in followed.items() if not heard or each.ba_message_id in heard]

    async def _tell(self, message_id: str, broker: QueueBroker) -> None:
        """Tell each state once the broker has it, and remember that it was told."""
        followed, status = self._brain.state.followed.get(message_id), await self._outbox.find(message_id)
        if followed is None or status is None:
            return
        for state in shapes.TOLD.get((followed.told, status.state), ()):
            reason = status.reason if state is MessageState.FAILED else None
            properties = shapes.event(message_id, followed.ba_message_id, state, reason)
            await broker.put(BusinessQueue.EVENT, state.encode(), properties, correlation_id=message_id)
            await self._desk.submit(commands.Tell(message_id, state), cause=f"{self._code}/{message_id}")


async def _until_one_fails(*works: Coroutine[Any, Any, None]) -> None:
    """Side by side; raises what the first one fails with.

    No TaskGroup: before Python 3.13 that leaves its task marked as cancelled when a part fails, and forgets a request
    to stop that comes in the same moment. This task goes on, on the next connection.
    """
    tasks = [asyncio.create_task(work, name="queues.work") for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
