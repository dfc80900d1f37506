"""Small components for tests of the transport: a store in memory, an endpoint, a business side that counts effects."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count

import msgspec
import structlog

from documents.values import Identifier
from hub.clock import ManualClock
from hub.errors import Conflict
from hub.mades.endpoint import Endpoint, Incoming, Seals
from hub.mades.endpoint.seals import Refresh, Route
from hub.mades.message import URGENT, BusinessType
from hub.mades.paths import Party
from hub.ports import (
    Batch,
    Clock,
    MessageState,
    MessageStatus,
    NewEvent,
    OutgoingMessage,
    Row,
    Scope,
    Sending,
    Transport,
)
from hub.store.memory import MemoryStore
from tests.keyring import sealer_of

HUB, NORTH, ALPHA, BRAVO = "A01:HUB", "A01:NORTH", "A10:5790000000012", "A01:BRAVO"
PARTIES = {HUB: Party.HUB, NORTH: Party.DSO, ALPHA: Party.AGR, BRAVO: Party.AGR}
QUIET = structlog.wrap_logger(structlog.ReturnLogger(), processors=[lambda *_: ""])
Relay = Callable[[Incoming], tuple[Row, ...]]


def outgoing_row(receiver: str, document: str, kind: BusinessType, expires: datetime, content: str = "") -> Row:
    """A row that leaves as one document; its content is its name unless given."""
    return Row(
        view="out",
        audience=Identifier(receiver),
        key=document,
        payload=content or document,
        send=Sending(business_type=kind, document=document, expires=expires, urgent=kind in URGENT),
    )


class Component:
    """One participant: what it has sent is in its outbox, what it has received in `effects`. Survives its endpoint."""

    def __init__(self, code: str, clock: Clock, *, relay: Relay = lambda _: ()) -> None:
        self.code, self.clock, self.relay = code, clock, relay
        self.party_of: Callable[[str], Party | None] | None = PARTIES.get if code == HUB else None
        self.store = MemoryStore(component=code)
        self.sealer = sealer_of(code)
        self.refresh: Refresh | None = None
        self.route: Route | None = None
        self.effects: list[str] = []
        self.changed: list[str] = []
        self.alarms: list[str] = []
        self.faults: dict[str, list[Exception]] = {}
        self.held: dict[str, asyncio.Event] = {}
        self.endpoint: Endpoint | None = None
        self._numbers = count(1)
        self._task: asyncio.Task[None] | None = None

    def start(self, transport: Transport) -> Endpoint:
        """Run a new endpoint on the store."""
        self.endpoint = Endpoint(
            self.code,
            party=PARTIES[self.code],
            hub=HUB,
            transport=transport,
            outbox=self.store.outbox,
            inbox=self.store.commit,
            clock=self.clock,
            seals=Seals(self.sealer, refresh=self.refresh, route=self.route),
            render=self.render,
            receive=self.receive,
            party_of=self.party_of,
            changed=self.changed.extend,
            alarm=self._alarm,
            log=QUIET,
        )
        self._task = asyncio.create_task(self.endpoint.run(), name=f"{self.code}.endpoint")
        return self.endpoint

    async def stop(self) -> None:
        """Kill the endpoint wherever it is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def submit(
        self,
        receiver: str,
        document: str,
        kind: BusinessType,
        *,
        ttl: timedelta = timedelta(days=1),
        content: str = "",
    ) -> None:
        """Commit a document that has to leave."""
        row = outgoing_row(receiver, document, kind, self.clock.now() + ttl, content)
        await self._commit(f"submit/{next(self._numbers)}", (row,))
        if self.endpoint is not None:
            self.endpoint.wake()

    async def state(self, document: str) -> MessageState:
        """The state of the newest message that carried this document."""
        return (await self.status(document)).state

    async def status(self, document: str) -> MessageStatus:
        """The status of the newest message that carried this document."""
        return (await self.store.outbox.status(document))[-1]

    async def is_sent(self, document: str) -> bool:
        """Whether the broker has confirmed the newest message that carried this document."""
        return any(step.state == "TRANSPORTED" for step in (await self.status(document)).trace)

    async def render(self, messages: Sequence[OutgoingMessage]) -> Mapping[str, bytes]:
        bodies = {}
        for message in messages:
            self._trip(f"render {message.document}")
            if held := self.held.get(f"render {message.document}"):
                await held.wait()
            source = message.source
            assert source is not None
            items = await self.store.rows.feed(Scope(source.audience), source.view, after=source.after, limit=1)
            bodies[message.message_id] = msgspec.msgpack.decode(items[0].payload or b"", type=str).encode()
        return bodies

    async def receive(self, incoming: Incoming) -> None:
        document = incoming.message.content.decode()
        self._trip(f"receive {document}")
        for _ in range(3):  # places to be killed at: nothing is committed
            await asyncio.sleep(0)
        await self._commit(f"document/{incoming.message.message_id}", self.relay(incoming), incoming)
        for _ in range(3):  # and more: committed, not yet settled
            await asyncio.sleep(0)

    def _trip(self, place: str) -> None:
        if self.faults.get(place):
            raise self.faults[place].pop(0)

    async def _commit(self, stream: str, rows: tuple[Row, ...], incoming: Incoming | None = None) -> None:
        after = await self.store.log.head()
        event = NewEvent(stream=stream, version=1, topic="Noted.v1", state=b"", cause="test")
        try:
            await self.store.commit.commit(
                Batch(
                    after=after,
                    at=self.clock.now(),
                    events=(event,),
                    rows=tuple((after + 1, row) for row in rows),
                    inbox=(incoming.entry,) if incoming else (),
                )
            )
        except Conflict:
            return  # the message was taken in before
        if incoming:
            self.effects.append(incoming.message.content.decode())
        if self.endpoint is not None:
            self.endpoint.wake()

    async def _alarm(self, messages: Sequence[OutgoingMessage]) -> None:
        self.alarms.extend(message.document for message in messages)


async def pass_time(clock: ManualClock, seconds: float, *, step_s: float = 0.5, turns: int = 40) -> None:
    """Move the clock in small steps and let every task take its turns in between."""
    for _ in range(max(1, round(seconds / step_s))):
        for _ in range(turns):
            await asyncio.sleep(0)
        await clock.advance(step_s)
    for _ in range(turns):
        await asyncio.sleep(0)
