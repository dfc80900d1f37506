"""One component of the bench as a process of its own: `python -m tests.bench.component JSON`.

It says {"ready": true} on its output; a sender then answers each order on its input with what became of it.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import Struct

from hub import logs
from hub.clock import SystemClock
from hub.desk import Desk
from hub.feed import Bells
from hub.mades.endpoint import Endpoint, Incoming
from hub.mades.membership import Membership
from hub.mades.message import InternalType
from hub.mades.paths import Party
from hub.ports import Outbox, ReceivedAcknowledgement
from hub.store.postgres import PostgresStore
from tests.bench.load import LoadBrain, Send, Take, document, rendered
from tests.bench.order import HUB, Given, Order, Outcome, say

STATES = {InternalType.DELIVERY: "delivered", InternalType.RECEIVE: "received", InternalType.FAILURE: "failed"}


class Story(Struct):
    """When a message came where, in seconds of our monotonic clock; nothing yet is 0."""

    begun: float
    ended: asyncio.Future[None]
    accepted: float = 0.0
    delivered: float = 0.0
    received: float = 0.0
    failed: float = 0.0


class Watched:
    """The outbox of a sender, with a look at the acknowledgements that it has stored; all else passes through."""

    def __init__(self, outbox: Outbox, stories: dict[str, Story]) -> None:
        self._outbox, self._stories = outbox, stories

    def __getattr__(self, name: str) -> Any:  # whatever the outbox has
        return getattr(self._outbox, name)

    async def acknowledge(self, acknowledgements: Sequence[ReceivedAcknowledgement], *, now: datetime) -> Sequence[str]:
        changed = await self._outbox.acknowledge(acknowledgements, now=now)
        at = time.monotonic()
        for each in acknowledgements:
            story = self._stories[each.related]
            setattr(story, STATES[InternalType(each.internal_type)], at)
            if each.internal_type != InternalType.DELIVERY and not story.ended.done():
                story.ended.set_result(None)
        return changed


class Loaded:
    """Desk and endpoint of one component on the given store and road."""

    def __init__(self, given: Given, store: PostgresStore, membership: Membership, road: Any) -> None:  # Any: Transport
        self._store, self.stories = store, dict[str, Story]()
        clock = SystemClock()
        self._desk = Desk(
            LoadBrain(),
            store.log,
            store.commit,
            clock=clock,
            bells=Bells(),
            leaving=lambda kinds: self._endpoint.wake(kinds),  # noqa: PLW0108 # made below
        )
        self._endpoint = Endpoint(
            given.code,
            party=Party(given.party),
            hub=HUB,
            transport=road,
            outbox=cast("Outbox", Watched(store.outbox, self.stories)),
            inbox=store.commit,
            clock=clock,
            seals=membership.seals,
            render=lambda messages: rendered(store.rows, messages),
            receive=self._receive,
            party_of=lambda code: Party.HUB if code == HUB else Party.AGR,
        )

    async def run(self) -> None:
        await self._desk.start()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._desk.run())
            tasks.create_task(self._endpoint.run())

    async def send(self, order: Order) -> Outcome:
        """Send that many messages, with at most so many on their way, and wait for the end of each."""
        self.stories.clear()
        numbers = iter(range(order.messages))

        async def one_after_the_other() -> None:
            for number in numbers:
                await self._send(f"{order.name}-{number}", order.size)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(order.in_transit):
                tasks.create_task(one_after_the_other())
        stories = self.stories.values()
        begun = min(story.begun for story in stories)
        return Outcome(
            failed=sum(1 for story in stories if story.failed),
            **{
                state: [(getattr(each, state) - begun, getattr(each, state) - each.begun) for each in stories]
                for state in ("accepted", "delivered", "received")
            },
        )

    async def _send(self, message_id: str, size: int) -> None:
        content = document(message_id, size)
        story = Story(time.monotonic(), asyncio.get_running_loop().create_future())
        self.stories[message_id] = story
        await self._desk.submit(Send(message_id, HUB, content), cause=message_id)
        story.accepted = time.monotonic()
        await story.ended

    async def _receive(self, incoming: Incoming) -> None:
        message = incoming.message
        await self._desk.submit(
            Take(message.message_id, message.sender),
            cause=f"{message.sender}/{message.ba_message_id}",
            inbox=incoming.entry,
            payload=message.content,
        )


async def main(given: Given) -> None:
    logs.configure("info", "json")
    membership = Membership(Path(given.folder), clock=SystemClock())
    async with (
        await PostgresStore.open(given.database, component=given.code) as store,
        membership.exchanging(Party(given.party), hub=HUB) as road,
    ):
        loaded = Loaded(given, store, membership, road)
        work = asyncio.create_task(loaded.run())
        say({"ready": True})
        while line := await asyncio.to_thread(sys.stdin.readline):
            say(await loaded.send(msgspec.json.decode(line, type=Order)))
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(sys.argv[1], type=Given)))
