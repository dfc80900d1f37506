"""A network in memory: the twin of the broker's road, with faults that a test can choose.

The same seed gives the same faults. A dropped message raises Unavailable at its sender, as on a real road: what the
broker confirmed, it has, unless a test says that it loses even that. Access follows the same table as every broker
(`hub.mades.paths`).
"""

import asyncio
import random
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct

from hub.errors import Unavailable
from hub.mades.message import URGENT, InternalType
from hub.mades.mirror import CONTENT_TYPE
from hub.mades.paths import DELIVERY_LIMIT, Kind, Party, access, kind_of, routing_key
from hub.ports import Clock, Delivery, Properties, Publication, Queue, Refused, Unroutable


class Faults(Struct, kw_only=True):
    """Odds of each fault, 0 to 1, and the longest delay. May be changed while the network runs.

    `drop`: lost before the broker's confirm, so that the sender knows; `lose`: confirmed and lost.
    """

    drop: float = 0.0
    lose: float = 0.0
    lose_confirm: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    delay: float = 0.0
    max_delay_s: float = 5.0


class _Letter(Struct, eq=False):
    """A message in a queue."""

    body: bytes
    user_id: str
    properties: Properties
    failures: int = 0


class _Mailbox:
    """One queue of one component and what is handed out of it."""

    def __init__(self) -> None:
        self.waiting: deque[_Letter] = deque()
        self.changed = asyncio.Event()

    def put(self, letter: _Letter, *, at: int | None = None) -> None:
        self.waiting.insert(len(self.waiting) if at is None else at, letter)
        self.changed.set()


class MemoryNetwork:
    """All queues, and the dead letters."""

    def __init__(self, clock: Clock, *, seed: int = 0, faults: Faults | None = None, volatile: bool = False) -> None:
        self.faults = faults or Faults()
        self.volatile = volatile
        self.dead: list[bytes] = []
        self.clock = clock
        self._random = random.Random(seed)  # noqa: S311 - faults for tests, nothing secret
        self._mailboxes: dict[tuple[str, Queue], _Mailbox] = {}
        self._topics: dict[str, str] = {}
        self._transports: list[MemoryTransport] = []
        self._late: set[asyncio.Task[None]] = set()

    def provision(self, components: Mapping[str, Party], *, hub: str) -> None:
        """Make these the components, with their queues and permissions."""
        partners = [code for code, party in components.items() if party is not Party.HUB]
        for code, party in components.items():
            self._topics[code] = access(code, party, hub=hub, queues=(), partners=partners).topic
            for queue in Queue:
                self._mailboxes.setdefault((code, queue), _Mailbox())

    def attach(self, code: str) -> "MemoryTransport":
        """A connection as this component."""
        transport = MemoryTransport(self, code)
        self._transports.append(transport)
        return transport

    def restart(self) -> None:
        """Stop and start: a volatile network forgets everything; connections are made anew."""
        if self.volatile:
            for task in self._late:
                task.cancel()
            for mailbox in self._mailboxes.values():
                mailbox.waiting.clear()
        for transport in self._transports:
            transport.reconnected()

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is on its way."""
        return not self._late and not any(mailbox.waiting for mailbox in self._mailboxes.values())

    async def carry(self, user: str, message: Publication) -> None:
        """Take a message from a component, or fail as the faults say."""
        mailbox = self._route(user, message)
        if self._happens(self.faults.drop):
            raise Unavailable("The message was lost on its way to the broker.")
        if self._happens(self.faults.lose):
            return
        for _ in range(2 if self._happens(self.faults.duplicate) else 1):
            letter = _Letter(message.body, user, _properties(message))
            if self._happens(self.faults.delay):
                task = asyncio.create_task(self._later(mailbox, letter), name="memory-network.delay")
                self._late.add(task)
                task.add_done_callback(self._late.discard)
            else:
                self._insert(mailbox, letter)
        if self._happens(self.faults.lose_confirm):
            raise Unavailable("The broker has the message, its confirm was lost.")

    def mailbox(self, code: str, queue: Queue) -> _Mailbox:
        """A queue of a component."""
        return self._mailboxes[code, queue]

    def detach(self, transport: "MemoryTransport") -> None:
        """A connection ends."""
        if transport in self._transports:
            self._transports.remove(transport)

    def _route(self, user: str, message: Publication) -> _Mailbox:
        internal_type = InternalType(message.internal_type)
        key = routing_key(
            receiver=message.receiver,
            sender=message.sender,
            internal_type=internal_type,
            business_type=message.business_type,
        )
        if message.sender != user or not re.fullmatch(self._topics.get(user, "^$"), key):
            raise Refused(f"{user} may not publish {key}.")
        urgent = kind_of(internal_type) is not Kind.STANDARD or message.business_type in URGENT
        mailbox = self._mailboxes.get((message.receiver, Queue.URGENT if urgent else Queue.BULK))
        if mailbox is None:
            raise Unroutable(f"{message.receiver} has no queue.")
        return mailbox

    async def _later(self, mailbox: _Mailbox, letter: _Letter) -> None:
        await self.clock.sleep(self._random.uniform(0, self.faults.max_delay_s))
        self._insert(mailbox, letter)

    def _insert(self, mailbox: _Mailbox, letter: _Letter) -> None:
        reordered = mailbox.waiting and self._happens(self.faults.reorder)
        mailbox.put(letter, at=self._random.randrange(len(mailbox.waiting)) if reordered else None)

    def _happens(self, odds: float) -> bool:
        return odds > 0 and self._random.random() < odds


class MemoryDelivery:
    """A message handed over, until it is settled, given back or refused."""

    def __init__(
        self, letter: _Letter, mailbox: _Mailbox, done: Callable[["MemoryDelivery"], None], dead: list[bytes]
    ) -> None:
        self._letter, self._mailbox, self._done, self._dead = letter, mailbox, done, dead

    @property
    def body(self) -> bytes:
        """The opaque MADES message."""
        return self._letter.body

    @property
    def user_id(self) -> str | None:
        """The sender as the network knows it."""
        return self._letter.user_id

    @property
    def properties(self) -> Properties:
        """What its sender told the network of it."""
        return self._letter.properties

    async def settle(self) -> None:
        """Done: the network forgets it."""
        self._done(self)

    async def give_back(self) -> None:
        """Not now: the network delivers it again."""
        self._done(self)
        self.put_back()

    async def refuse(self) -> None:
        """Never: to the dead letters."""
        self._done(self)
        self._dead.append(self._letter.body)

    def put_back(self) -> None:
        """Return it to the head of its queue, or to the dead letters after too many times."""
        self._letter.failures += 1
        if self._letter.failures > DELIVERY_LIMIT:
            self._dead.append(self._letter.body)
        else:
            self._mailbox.put(self._letter, at=0)


class MemoryTransport:
    """The road as one component."""

    def __init__(self, network: MemoryNetwork, code: str) -> None:
        self._network, self._code = network, code
        self._callbacks: list[Callable[[], None]] = []
        self._closed = asyncio.Event()

    @property
    def volatile(self) -> bool:
        """Whether the network forgets its messages when it stops (R31)."""
        return self._network.volatile

    @property
    def connected(self) -> bool:
        """Whether it was not closed yet."""
        return not self._closed.is_set()

    def on_connected(self, callback: Callable[[], None]) -> None:
        """Call this each time the connection is made anew."""
        self._callbacks.append(callback)

    def reconnected(self) -> None:
        """The network was restarted."""
        for callback in self._callbacks:
            callback()

    async def publish(self, message: Publication) -> None:
        """Hand over to the network. Raises Unroutable, Refused, Unavailable."""
        if self._closed.is_set():
            raise Unavailable("The connection is closed.")
        await asyncio.sleep(0)
        await self._network.carry(self._code, message)

    async def consume(self, queue: Queue, handler: Callable[[Delivery], Awaitable[None]], *, prefetch: int) -> None:
        """Deliver this component's queue to `handler` until closed."""
        mailbox = self._network.mailbox(self._code, queue)
        unsettled: list[MemoryDelivery] = []

        def done(delivery: MemoryDelivery) -> None:
            if delivery in unsettled:
                unsettled.remove(delivery)
                mailbox.changed.set()

        stop = asyncio.create_task(self._closed.wait(), name=f"memory-transport.{self._code}.closed")
        try:
            async with asyncio.TaskGroup() as handlers:
                while not self._closed.is_set():
                    mailbox.changed.clear()
                    while mailbox.waiting and len(unsettled) < prefetch:
                        delivery = MemoryDelivery(mailbox.waiting.popleft(), mailbox, done, self._network.dead)
                        unsettled.append(delivery)
                        handlers.create_task(_handle(handler, delivery))
                    await _either(stop, mailbox.changed)
        finally:
            stop.cancel()
            for delivery in reversed(unsettled):
                delivery.put_back()

    async def close(self) -> None:
        """Stop consuming and leave."""
        self._closed.set()
        self._network.detach(self)


def _properties(message: Publication) -> Properties:
    return Properties(
        content_type=CONTENT_TYPE,
        message_id=message.message_id,
        internal_type=message.internal_type,
        correlation_id=message.correlation_id,
        business_type=message.business_type,
        sender=message.sender,
        receiver=message.receiver,
        ttl_s=message.ttl_s,
    )


async def _handle(handler: Callable[[Delivery], Awaitable[None]], delivery: Delivery) -> None:
    await handler(delivery)


async def _either(stop: asyncio.Task[object], changed: asyncio.Event) -> None:
    bell = asyncio.create_task(changed.wait(), name="memory-transport.changed")
    try:
        await asyncio.wait((stop, bell), return_when=asyncio.FIRST_COMPLETED)
    finally:
        bell.cancel()
