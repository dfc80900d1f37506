"""The bound of limits: a bare chain of the same parts, without what the product does with them.

A DSO's process takes a limit over HTTP, stores it and sends it as a document; a hub's process checks and stores it and
sends a document to each AGR; an AGR's process checks and stores it and answers its long poll. HTTP, XML, content model,
sealing, TLS, RabbitMQ and PostgreSQL are the product's. There is no log, no decision, no share, no receipt of the
transport, nothing to send again: a document that is lost here is lost.

As a process: `python -m tests.bench.bare_chain JSON`; it says where it listens, and ends with its input.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import aiohttp
import asyncpg
import msgspec
from aiohttp import web
from msgspec import Struct

from documents import registry
from documents.model import AssetReference, UnavailabilityMarketDocument, UnavailabilitySeries
from documents.model import Party as Role
from documents.values import Identifier, Interval, Period, Point
from hub import logs
from hub.clock import SystemClock
from hub.directory.values import Party
from hub.mades.membership import Membership
from hub.mades.message import BusinessType, InternalType, Message
from hub.mades.paths import Party as Kind
from hub.ports import Delivery, Publication, Queue, Transport
from tests.bench import measures
from tests.bench.order import HUB, say
from tests.bench.site import HOST, ground
from tests.bench.site import child as child_of

DSO: Final = "A10:5790000000005"
AGRS: Final = tuple(f"A01:{code}" for code in ("45X-AGR-B000---Y", "45X-AGR-B001---T", "45X-AGR-B002---O"))
POINTS: Final = 4
STEP: Final = timedelta(minutes=15)
TTL: Final = timedelta(hours=1)
PREFETCH: Final = 64
PERCENTS: Final = (50, 99)
TABLE: Final = "CREATE TABLE IF NOT EXISTS chain (position bigint GENERATED ALWAYS AS IDENTITY, body bytea)"
INSERT: Final = "INSERT INTO chain (body) VALUES ($1)"


class Limit(Struct, frozen=True):
    """What a DSO posts and an AGR reads: its first watts tell it from others."""

    number: int
    points: list[int]


class Given(Struct, frozen=True):
    """What a part starts with: who it is, where its keys and its database are, and whom it sends to."""

    code: str
    party: str
    folder: str
    database: str
    receivers: list[str]


class Bare(Struct, frozen=True):
    """The running chain."""

    session: aiohttp.ClientSession
    dso: str
    agrs: Sequence[str]
    processes: Mapping[str, int]


class Part:
    """One process of the chain; what it does with a document depends on who it is."""

    def __init__(self, given: Given, membership: Membership, road: Transport, pool: "asyncpg.Pool[Any]") -> None:
        self._given, self._seals, self._road, self._pool = given, membership.seals, road, pool
        self._feed: list[Limit] = []
        self._bell = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()

    async def post(self, request: web.Request) -> web.Response:
        """A limit of a DSO: stored when this answers."""
        content = _rendered(msgspec.json.decode(await request.read(), type=Limit), self._given.code, HUB)
        await self._pool.execute(INSERT, content)
        task = asyncio.create_task(self._send(HUB, content))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return web.Response(status=202)

    async def changes(self, request: web.Request) -> web.Response:
        """What came after so many, as soon as there is something."""
        after = int(request.query["after"])
        while len(self._feed) <= after:
            await self._bell.wait()
        return web.Response(body=msgspec.json.encode(self._feed[after:]), content_type="application/json")

    async def take(self, delivery: Delivery) -> None:
        """A document: checked, stored, and handed on."""
        message = await self._seals.open(await self._seals.verify(self._seals.look(delivery.body)))
        document = registry.read(message.content)
        assert isinstance(document, UnavailabilityMarketDocument)
        await self._pool.execute(INSERT, message.content)
        limit = Limit(int(document.mrid), [point.quantity for point in document.series[0].periods[0].points])
        for receiver in self._given.receivers:
            await self._send(receiver, _rendered(limit, self._given.code, receiver))
        self._feed.append(limit)
        self._ring()
        await delivery.settle()

    def _ring(self) -> None:
        self._bell.set()
        self._bell = asyncio.Event()

    async def _send(self, receiver: str, content: bytes) -> None:
        now = datetime.now(UTC)
        message = Message(
            message_id=uuid4().hex,
            internal_type=InternalType.STANDARD,
            sender=self._given.code,
            receiver=receiver,
            business_type=BusinessType.FORESEEN,
            generated=now,
            expires=now + TTL,
            content=content,
        )
        closed = await self._seals.close(message)
        await self._road.publish(
            Publication(
                message_id=message.message_id,
                internal_type=message.internal_type,
                sender=message.sender,
                receiver=receiver,
                business_type=message.business_type,
                urgent=True,
                ttl_s=TTL.total_seconds(),
                body=closed.body,
            )
        )


def _rendered(limit: Limit, sender: str, receiver: str) -> bytes:
    begin = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    interval = Interval(begin, begin + len(limit.points) * STEP)
    points = tuple(Point(at, quantity) for at, quantity in enumerate(limit.points, 1))
    series = UnavailabilitySeries(
        mrid="1",
        business_type="A53",
        interval=interval,
        assets=(AssetReference(Identifier("A10:571313100000000034")),),
        periods=(Period(interval, "PT15M", points),),
    )
    document = UnavailabilityMarketDocument(
        mrid=str(limit.number),
        revision=1,
        type="A76",
        created=datetime.now(UTC),
        sender=Role(Identifier(sender), "A50"),
        receiver=Role(Identifier(receiver), "A50"),
        interval=interval,
        series=(series,),
    )
    return registry.render(document)


@asynccontextmanager
async def chain(folder: Path) -> AsyncIterator[Bare]:
    """The chain with as many AGRs as there are names, each part a process of its own, for as long as the block lasts.

    Raises:
        Unavailable: no RabbitMQ can be had.
    """
    agrs = {f"agr{number}": code for number, code in enumerate(AGRS)}
    members = {"dso": (DSO, Party.DSO), "hub": (HUB, Party.HUB)} | {name: (agrs[name], Party.AGR) for name in agrs}
    receivers = {"hub": list(AGRS)}
    async with ground(folder, members, broker="rabbitmq") as place, AsyncExitStack() as stack:
        urls, processes = {}, dict(place.processes)
        for name in ("hub", *agrs, "dso"):
            code, party = members[name]
            database = await place.postgres.database(name)
            given = Given(code, party.value, str(folder / name), database, receivers.get(name, []))
            process, said = await child_of(stack, folder, "bare_chain", given)
            urls[name], processes[name] = str(said["url"]), process.pid
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        yield Bare(session, urls["dso"], [urls[name] for name in agrs], processes)


class Following:
    """The clients of a chain: each AGR's long poll is always open."""

    def __init__(self, bare: Bare) -> None:
        self._bare = bare
        self._missing: dict[int, int] = {}
        self._done: dict[int, asyncio.Future[float]] = {}

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """For as long as the block lasts."""
        async with asyncio.TaskGroup() as tasks:
            loops = [tasks.create_task(self._listen(url)) for url in self._bare.agrs]
            yield
            for loop in loops:
                loop.cancel()

    async def one(self, number: int) -> float:
        """Seconds from the POST of a limit until the last AGR's long poll has it."""
        self._missing[number] = len(self._bare.agrs)
        done: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._done[number] = done
        begun = time.perf_counter()
        body = msgspec.json.encode(Limit(number, [number + at for at in range(POINTS)]))
        async with self._bare.session.post(f"{self._bare.dso}/limits", data=body) as answer:
            assert answer.status == 202
        return await done - begun

    async def idle(self, numbers: Sequence[int], pause_s: float) -> list[float]:
        """One after the other, with a pause after each."""
        took = []
        for number in numbers:
            took.append(await self.one(number))
            await asyncio.sleep(pause_s)
        return took

    async def sustained(self, numbers: Sequence[int], in_flight: int) -> float:
        """Limits per second with so many on their way."""
        left, begun = iter(numbers), time.perf_counter()

        async def some() -> None:
            for number in left:
                await self.one(number)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(in_flight):
                tasks.create_task(some())
        return len(numbers) / (time.perf_counter() - begun)

    def cpu_ms(self) -> float:
        """CPU of all its processes until now."""
        return sum(measures.cpu_ms(pid) for pid in self._bare.processes.values())

    async def _listen(self, url: str) -> None:
        after = 0
        while True:
            async with self._bare.session.get(f"{url}/changes", params={"after": after}) as answer:
                limits = msgspec.json.decode(await answer.read(), type=list[Limit])
            now, after = time.perf_counter(), after + len(limits)
            for limit in limits:
                self._missing[limit.number] -= 1
                if not self._missing[limit.number]:
                    self._done.pop(limit.number).set_result(now)


class Bound(Struct, frozen=True):
    """What the chain does, by repeat: ms of an idle limit by percentile, limits per second, CPU ms of each."""

    idle_ms: Mapping[int, list[float]]
    per_s: list[float]
    cpu_ms: list[float]


async def measured(folder: Path, *, idle: int, many: int, in_flight: int, pause_s: float, repeats: int) -> Bound:
    """The chain idle and with as much as it takes, `many` limits, in turn."""
    bound = Bound({percent: [] for percent in PERCENTS}, [], [])
    numbers = count(1)
    async with chain(folder) as bare:
        following = Following(bare)
        async with following.listening():
            await following.sustained(list(islice(numbers, in_flight)), in_flight)  # warm
            for _ in range(repeats):
                took = await following.idle(list(islice(numbers, idle)), pause_s)
                before = following.cpu_ms()
                bound.per_s.append(await following.sustained(list(islice(numbers, many)), in_flight))
                bound.cpu_ms.append((following.cpu_ms() - before) / many)
                for percent, values in bound.idle_ms.items():
                    values.append(1000 * measures.percentile(took, percent))
    return bound


async def main(given: Given) -> None:
    logs.configure("error", "json")
    membership = Membership(Path(given.folder), clock=SystemClock())
    async with (
        asyncpg.create_pool(given.database, min_size=2, max_size=4) as pool,
        membership.exchanging(Kind(given.party), hub=HUB) as road,
        asyncio.TaskGroup() as tasks,
    ):
        await pool.execute(TABLE)
        part = Part(given, membership, road, pool)
        consumers = [tasks.create_task(road.consume(queue, part.take, prefetch=PREFETCH)) for queue in Queue]
        application = web.Application()
        application.add_routes([web.post("/limits", part.post), web.get("/changes", part.changes)])
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        say({"url": f"http://{HOST}:{runner.addresses[0][1]}"})
        await asyncio.to_thread(sys.stdin.readline)
        await runner.cleanup()
        for consumer in consumers:
            consumer.cancel()


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(sys.argv[1], type=Given)))
