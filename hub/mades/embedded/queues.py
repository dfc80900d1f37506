"""Queues, and how messages wait in them: pure bookkeeping without sockets or clocks.

Follows quorum queues of RabbitMQ where it matters to a client: per-message expiry at the head only, a count of failed
deliveries with a limit, dead letters with their reason, a full queue refuses new messages.
"""

import copy
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from msgspec import Struct
from pamqp.commands import Basic

MAX_MESSAGES: Final = 100_000
MAX_BYTES: Final = 512 * 1024 * 1024


class Stored(Struct, kw_only=True, eq=False):
    """A message as the broker holds it; `expires_s` is on its monotonic clock, `failures` counts hand-backs."""

    exchange: str
    routing_key: str
    properties: Basic.Properties
    body: bytes
    expires_s: float | None = None
    failures: int = 0

    @property
    def redelivered(self) -> bool:
        """Whether it was handed out before."""
        return self.failures > 0

    def outgoing_properties(self) -> Basic.Properties:
        """The sender's properties, with the count of failed deliveries once there are any."""
        if not self.failures:
            return self.properties
        properties = copy.copy(self.properties)
        properties.headers = {**(self.properties.headers or {}), "x-delivery-count": self.failures}
        return properties


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A message that nobody will get: the operator's business."""

    queue: str
    reason: str
    routing_key: str
    message_id: str
    user_id: str
    body: bytes


class Consumer(Protocol):
    """Who takes messages from a queue."""

    def has_room(self) -> bool:
        """Whether its prefetch allows one more."""

    def deliver(self, queue: "WaitingQueue", message: Stored) -> None:
        """Hand one over; it comes back through `WaitingQueue.give_back` or not at all."""

    def cancelled(self) -> None:
        """The queue is gone."""


class WaitingQueue:
    """Messages waiting for consumers, in order; `dead` is told of those that will never be delivered."""

    def __init__(
        self,
        name: str,
        *,
        delivery_limit: int,
        dead: Callable[[DeadLetter], None],
        max_messages: int = MAX_MESSAGES,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.name = name
        self._delivery_limit, self._dead = delivery_limit, dead
        self._max_messages, self._max_bytes = max_messages, max_bytes
        self._ready: deque[Stored] = deque()
        self._ready_bytes = 0
        self._consumers: deque[Consumer] = deque()

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def consumer_count(self) -> int:
        """How many consume."""
        return len(self._consumers)

    def offer(self, message: Stored, *, now_s: float) -> bool:
        """Take a message at the tail and hand on what can be; False when the queue is full and refuses it."""
        if len(self._ready) >= self._max_messages or self._ready_bytes + len(message.body) > self._max_bytes:
            return False
        self._ready.append(message)
        self._ready_bytes += len(message.body)
        self.pump(now_s)
        return True

    def give_back(self, messages: Iterable[Stored], *, now_s: float) -> None:
        """Put messages back where they came from, in their order; those handed out too often are dead."""
        for message in reversed(list(messages)):
            message.failures += 1
            if message.failures > self._delivery_limit:
                self.bury(message, reason="delivery_limit")
            else:
                self._ready.appendleft(message)
                self._ready_bytes += len(message.body)
        self.pump(now_s)

    def take(self, *, now_s: float) -> Stored | None:
        """The next live message, None when there is none."""
        self.drop_expired(now_s)
        if not self._ready:
            return None
        message = self._ready.popleft()
        self._ready_bytes -= len(message.body)
        return message

    def pump(self, now_s: float) -> None:
        """Hand messages to consumers with room, in turn."""
        busy = 0
        while busy < len(self._consumers):
            self.drop_expired(now_s)
            if not self._ready:
                return
            consumer = self._consumers[0]
            self._consumers.rotate(-1)
            if not consumer.has_room():
                busy += 1
            elif (message := self.take(now_s=now_s)) is not None:
                busy = 0
                consumer.deliver(self, message)

    def bury(self, message: Stored, *, reason: str) -> None:
        """Give a message to the dead letters."""
        self._dead(
            DeadLetter(
                queue=self.name,
                reason=reason,
                routing_key=message.routing_key,
                message_id=message.properties.message_id or "",
                user_id=message.properties.user_id or "",
                body=message.body,
            )
        )

    def join(self, consumer: Consumer, *, now_s: float) -> None:
        """Start to consume."""
        self._consumers.append(consumer)
        self.pump(now_s)

    def leave(self, consumer: Consumer) -> None:
        """Stop to consume; harmless when it does not."""
        if consumer in self._consumers:
            self._consumers.remove(consumer)

    def clear(self) -> int:
        """Forget all waiting messages; returns how many there were."""
        count = len(self._ready)
        self._ready.clear()
        self._ready_bytes = 0
        return count

    def close(self) -> None:
        """Forget everything and tell the consumers."""
        self.clear()
        consumers, self._consumers = list(self._consumers), deque()
        for consumer in consumers:
            consumer.cancelled()

    def drop_expired(self, now_s: float) -> None:
        """Bury what is expired at the head; whatever stands behind a live message waits for its turn."""
        while self._ready and (expires_s := self._ready[0].expires_s) is not None and expires_s <= now_s:
            message = self._ready.popleft()
            self._ready_bytes -= len(message.body)
            self.bury(message, reason="expired")
