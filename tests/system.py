"""The whole system in one process, for acceptance and property tests: a hub and its participants in memory.

    async with System.running() as system:
        north = await system.join("5790000000005", Role.DSO)
        answer = await north.ask(document)          # the hub's answer to this document
        await system.beat()                         # pushes of assets and schedules leave (R12)
        north.received                              # every document that arrived, oldest first

A `Member` is a bare participant: an endpoint with a store of its own, no gateway. Time stands still unless a test
moves it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Self, TypeVar
from uuid import uuid4

import msgspec

from documents import identifiers, registry
from documents.model import (
    AcknowledgementMarketDocument,
    Document,
    GlMarketDocument,
    RefMarketDocument,
    StatusRequestMarketDocument,
    UnavailabilityMarketDocument,
)
from documents.values import Identifier
from hub.app import Hub, memory_store
from hub.checkpoints import Signs
from hub.clock import ManualClock
from hub.mades.endpoint import Endpoint, Incoming
from hub.mades.memory import MemoryNetwork
from hub.mades.message import URGENT, BusinessType
from hub.mades.paths import Party
from hub.ports import Batch, FeedSlice, OutgoingMessage, Row, Scope, Sending
from hub.settings import Hub as Market
from hub.settings import Secret
from hub.store.memory import MemoryStore
from hub.traces import Traces, no_traces
from hub.values import Role
from tests.keyring import seals_of

HUB = "45X-TPS-HUB-DEM8"
MARKET = Market(id=HUB, secret=Secret("0123456789abcdef0123456789abcdef"))
PATIENCE_S = 20.0
"""Real seconds after which something that should have happened is called missing."""

D = TypeVar("D", bound=Document)
TracesOf = Callable[[Identifier], Traces]
"""Where a component tells its spans, by its code."""


class Member:
    """A participant with an endpoint and nothing else: it sends what a test gives it and keeps what arrives."""

    def __init__(self, participant: Identifier, party: Party, system: "System") -> None:
        self.id, self._system = participant, system
        self.store = MemoryStore(component=participant)
        self.raw: list[bytes] = []
        self.endpoint = Endpoint(
            participant,
            party=party,
            hub=system.hub.id,
            transport=system.network.attach(participant),
            outbox=self.store.outbox,
            inbox=self.store.commit,
            clock=system.clock,
            seals=seals_of(participant),
            render=self._render,
            receive=self._receive,
        )

    @property
    def received(self) -> list[Document]:
        """Every document that arrived, oldest first."""
        return [registry.read(content) for content in self.raw]

    def all(self, kind: type[D]) -> list[D]:
        """Every document of one kind that arrived, oldest first."""
        return [document for document in self.received if isinstance(document, kind)]

    async def send(self, document: Document, *, business_type: BusinessType | None = None) -> None:
        """Put a document on its way."""
        await self.send_bytes(
            registry.render(document), mrid=document.mrid, business_type=business_type or carried_as(document)
        )

    async def send_bytes(self, content: bytes, *, mrid: str, business_type: BusinessType) -> None:
        """Put anything on its way."""
        now = self._system.clock.now()
        sending = Sending(
            business_type=business_type.value,
            document=mrid,
            expires=now + timedelta(days=1),
            urgent=business_type in URGENT,
        )
        row = Row(view="sent", audience=self._system.hub.id, key=uuid4().hex, payload=content, send=sending)
        await self.store.commit.commit(Batch(after=await self.store.log.head(), at=now, rows=((0, row),)))
        self.endpoint.wake()

    async def ask(self, document: Document, *, business_type: BusinessType | None = None) -> Document:
        """Send a document and wait for what answers it: the next document that is an answer."""
        before = len(self.raw)
        await self.send(document, business_type=business_type)
        return await self.answer(document.mrid, after=before)

    async def answer(self, mrid: str, *, after: int = 0) -> Document:
        """The acknowledgement of a document, or the data that answers a request."""

        def found() -> Document | None:
            for content in self.raw[after:]:
                document = registry.read(content)
                if not isinstance(document, AcknowledgementMarketDocument) or document.received.mrid == mrid:
                    return document
            return None

        await self._system.until(lambda: found() is not None, f"an answer to {mrid}")
        document = found()
        assert document is not None
        return document

    async def _render(self, messages: Sequence[OutgoingMessage]) -> Mapping[str, bytes]:
        bodies = {}
        for message in messages:
            source = message.source
            assert isinstance(source, FeedSlice)
            (item,) = await self.store.rows.feed(Scope(source.audience), source.view, after=source.after, limit=1)
            assert item.payload is not None
            bodies[message.message_id] = _bytes_of(item.payload)
        return bodies

    async def _receive(self, incoming: Incoming) -> None:
        batch = Batch(after=await self.store.log.head(), at=self._system.clock.now(), inbox=(incoming.entry,))
        await self.store.commit.commit(batch)
        self.endpoint.wake()
        self.raw.append(incoming.message.content)


class System:
    """See the module's charter. `hub_store` is what the hub keeps."""

    def __init__(
        self,
        stack: AsyncExitStack,
        tasks: asyncio.TaskGroup,
        *,
        now: datetime | None = None,
        seed: int = 0,
        notary: Signs | None = None,
        traces: TracesOf = lambda _: no_traces,
    ) -> None:
        self._stack, self._tasks, self._notary, self.traces = stack, tasks, notary, traces
        self.clock = ManualClock(now) if now else ManualClock()
        self.network = MemoryNetwork(self.clock, seed=seed)
        self.hub_store = memory_store(MARKET)
        self._parties: dict[str, Party] = {identifiers.party(HUB): Party.HUB}
        self._provision()
        self.hub = self._new_hub()
        self.members: dict[Identifier, Member] = {}

    @classmethod
    @asynccontextmanager
    async def running(
        cls,
        *,
        now: datetime | None = None,
        seed: int = 0,
        notary: Signs | None = None,
        traces: TracesOf = lambda _: no_traces,
    ) -> AsyncIterator[Self]:
        """A system with a hub and no participants yet; `seed` chooses when the network's faults happen.

        With a `notary` the hub signs checkpoints of its log. `traces` says where a component tells its spans.
        """
        async with AsyncExitStack() as stack:
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            system = cls(stack, tasks, now=now, seed=seed, notary=notary, traces=traces)
            stack.callback(system.stop_hub)
            yield system

    def stop_hub(self) -> None:
        """Let the present hub end in good order."""
        self.hub.stop()

    async def kill_hub(self) -> None:
        """Let the hub die without a word, and start another on the same store."""
        self._running.cancel()
        await asyncio.wait([self._running])
        self.hub = self._new_hub()

    async def admit(self, participant: str, role: Role, *, brp: str | None = None) -> Identifier:
        """Make somebody a participant, known to the hub and the network."""
        code = identifiers.party(participant)
        await self.hub.admit(code, role, name=participant, brp=identifiers.party(brp) if brp else None, by="test")
        self._parties[code] = Party(role.value)
        self._provision()
        return code

    async def join(self, participant: str, role: Role, *, brp: str | None = None) -> Member:
        """Admit a participant and connect it."""
        code = await self.admit(participant, role, brp=brp)
        member = self.members[code] = Member(code, Party(role.value), self)
        await self._stack.enter_async_context(_working(member.endpoint))
        return member

    async def beat(self) -> None:
        """Let one beat pass and what it sends arrive (R12)."""
        await self.clock.advance(MARKET.beat_s)
        await self.quiet()

    async def quiet(self) -> None:
        """Wait until nothing is on its way any more."""
        still = 0
        while still < 50:
            await asyncio.sleep(0)
            still = still + 1 if self.network.idle and not self.hub.desk.waiting else 0

    async def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Let everybody work until something is so."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not is_so():  # noqa: ASYNC110 # what is waited for is a state of many parts
                    await asyncio.sleep(0)
        except TimeoutError:
            raise AssertionError(f"Waited in vain for {what}.") from None

    def _new_hub(self) -> Hub:
        code = identifiers.party(HUB)
        hub = Hub(
            MARKET,
            store=self.hub_store,
            transport=self.network.attach(code),
            seals=seals_of(code),
            clock=self.clock,
            notary=self._notary,
            traces=self.traces(code),
        )
        self._running = self._tasks.create_task(hub.run(), name="hub")
        return hub

    def _provision(self) -> None:
        self.network.provision(self._parties, hub=identifiers.party(HUB))


def carried_as(document: Document) -> BusinessType:
    """The business type a participant sends a document under (R27)."""
    match document:
        case RefMarketDocument():
            return BusinessType.POINTS if document.sender.role == "A50" else BusinessType.ASSETS
        case UnavailabilityMarketDocument():
            unforeseen = any(series.business_type == "A54" for series in document.series)
            return BusinessType.UNFORESEEN if unforeseen else BusinessType.FORESEEN
        case GlMarketDocument():
            return BusinessType.SCHEDULES
        case StatusRequestMarketDocument():
            return BusinessType.REQUEST
        case _:
            return BusinessType.ACK


def _bytes_of(payload: bytes) -> bytes:
    return msgspec.msgpack.decode(payload, type=bytes)


@asynccontextmanager
async def _working(endpoint: Endpoint) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(endpoint.run(), name="member")
        try:
            yield
        finally:
            task.cancel()
