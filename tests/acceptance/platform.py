"""The platform as its participants meet it: a hub and a gateway for everybody of the demo's cast, driven over REST.

    async with Platform.running() as platform:
        await platform.register_all()
        await platform.north.write("POST", "/limits/foreseen", {...})
        await platform.until(platform.alpha, "/limits/active", lambda page: page["items"], "its share")

On `MEMORY` time stands still until a test moves it; on the other grounds the machine's clock runs and beats are short.
TPS_TEST_GROUND sends all messages over a real broker, whatever moves the time (tests.acceptance.roads).

Every answer is shown to the `WITNESSES`, so that each live answer is held against the contract. Every document that a
gateway or the hub takes off the road is kept in `arrived`, byte for byte.
"""

import asyncio
import contextvars
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Literal, Self

import aiohttp
import msgspec
import pytest
from msgspec import Struct

from documents import identifiers
from documents.model import Document
from documents.values import Identifier
from gateways.agr import app as agr
from gateways.demo.cast import ALPHA, ASSETS, BRAVO, CHARLIE, HUB_ID, NORTH, PLAYERS, POINTS, SOUTH, DemoAsset, Player
from gateways.dso import app as dso
from gateways.gateway import Gateway
from hub import settings as chosen
from hub.app import Hub, memory_store, open_store
from hub.clock import ManualClock, SystemClock
from hub.commands import AddParticipant, Command
from hub.mades.directory_copy import DirectoryCopy
from hub.mades.endpoint import Seals
from hub.mades.memory import MemoryNetwork
from hub.mades.paths import Party
from hub.mades.seal import Sealer
from hub.ports import OPERATOR, Queue, Scope, Transport
from hub.store.memory import MemoryStore
from hub.store.postgres import PostgresStore
from hub.values import Role
from tests.acceptance import roads
from tests.acceptance.roads import Road
from tests.acceptance.traffic import Arrival, Tap, Traffic
from tests.fixtures_store import DatabaseUrl
from tests.keyring import adopting, seals_of

Json = Any
Ground = Literal["memory", "amqp", "postgres"]
MEMORY: Ground = "memory"
"""Twins of store and road, and a clock that leaps; the suite's road may be a real one.

`amqp`: the machine's clock and always a real broker, the embedded one unless the suite has another. `postgres`: that,
and real databases.
"""

SECRET = "0123456789abcdef0123456789abcdef"
PATIENCE_S = 30.0
"""Real seconds after which something that should have happened is called missing."""
VERDICT_S = 60
"""Seconds a client waits for a verdict (`Prefer: wait`)."""
_MINUTE_S = 60.0
"""More than this is jumped over; its last seconds are walked, so that every loop has looked around at the new time."""
_WALK_S = 12.0
_GLANCE_S = 0.001
_SLOW_S = 2.0
WHOSE: contextvars.ContextVar[str] = contextvars.ContextVar("WHOSE", default="")
"""Which participant the present task works for, so that a test can tell whose log a line stands in."""

Store = PostgresStore | MemoryStore


class LeapingClock(ManualClock):
    """A clock that can also jump, as that of a machine that slept: hours cost no more than a moment."""

    def leap(self, seconds: float) -> None:
        """It is later than it was; nobody was woken meanwhile."""
        self._start += timedelta(seconds=seconds)


class Answer(Struct, frozen=True):
    """What a gateway answered. `body` is JSON where the content type says so, else text."""

    status: int
    body: Json
    headers: Mapping[str, str]
    content: bytes


class Witnessed(Struct, frozen=True):
    """One live answer, as the contract speaks of it. `api` is `agr` or `dso`."""

    api: Literal["agr", "dso"]
    method: str
    path: str
    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str]


WITNESSES: list[Callable[[Witnessed], None]] = []
"""Who sees every live answer."""


class Client:
    """A participant's own systems: they know their gateway and their token, and nothing else."""

    def __init__(self, platform: "Platform", player: Player) -> None:
        self.platform, self.player = platform, player
        self.token = f"token of {player.name}"
        self.writes: list[Answer] = []

    @property
    def gateway(self) -> Gateway:
        """The gateway as it runs now."""
        return self.platform.gateways[self.player.name]

    async def call(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        wait: int | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        query: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        token: str | None = None,
    ) -> Answer:
        """One request, any answer."""
        sent = {"Authorization": f"Bearer {self.token if token is None else token}", **(headers or {})}
        if wait is not None:
            sent["Prefer"] = f"wait={wait}"
        asked = self.platform.session.request(
            method, self.gateway.url + path, json=body, data=content, headers=sent, params=query
        )
        async with await self.platform.held_up(asked) if wait else asked as answer:
            raw = await answer.read()
            is_json = answer.content_type.endswith("json")
            seen = Witnessed(
                api="dso" if self.player.role == "DSO" else "agr",
                method=method,
                path=path.partition("?")[0],
                status=answer.status,
                content_type=answer.content_type,
                body=raw,
                headers=dict(answer.headers),
            )
            for witness in WITNESSES:
                witness(seen)
            told = Answer(
                answer.status, json.loads(raw) if is_json else raw.decode("utf-8", "replace"), seen.headers, raw
            )
            if method != "GET":
                self.writes.append(told)
            return told

    async def get(self, path: str, **query: str | int) -> Json:
        """The JSON of a 200. `from_` stands for the parameter `from`."""
        given = {name.rstrip("_"): str(value) for name, value in query.items()}
        answer = await self.call("GET", path, query=given)
        assert answer.status == 200, answer
        return answer.body

    async def items(self, path: str, **query: str | int) -> list[Json]:
        """The items of a list or a feed."""
        found: list[Json] = (await self.get(path, **query))["items"]
        return found

    async def write(self, method: str, path: str, body: Json = None, **options: Any) -> Json:  # options of `call`
        """A write that the hub accepts as a whole, with its verdict."""
        answer = await self.call(method, path, body, wait=VERDICT_S, **options)
        assert answer.status in {200, 201}, answer
        assert answer.body["verdict"] == "accepted", answer
        return answer.body

    async def refused(self, method: str, path: str, body: Json = None, *, status: int, reason: str) -> Json:
        """A write that the hub refuses as a whole; the problem details."""
        answer = await self.call(method, path, body, wait=VERDICT_S)
        assert (answer.status, answer.body["reason"]) == (status, reason), answer
        return answer.body


class Platform:
    """See the module's charter. `hub` and `gateways` change when they are started again."""

    def __init__(
        self, stack: AsyncExitStack, *, ground: Ground, road: Road | None, databases: DatabaseUrl | None, seed: int
    ) -> None:
        self._stack, self.ground, self._databases = stack, ground, databases
        suite = road or roads.chosen()
        self.way: Road = "embedded" if suite == "memory" != ground else suite
        self.clock: LeapingClock | SystemClock = _leaping(self.way) if ground == MEMORY else SystemClock()
        self._network = MemoryNetwork(self.clock, seed=seed)
        self.broker: roads.Broker
        self.market = chosen.Hub(id=HUB_ID, secret=chosen.Secret(SECRET), beat_s=2.0 if ground == MEMORY else 0.05)
        self.hub_id = identifiers.party(HUB_ID)
        self.arrived: dict[str, list[Arrival]] = {}
        self.urls: dict[str, str] = {}
        self.stores: dict[str, Store] = {}
        self.gateways: dict[str, Gateway] = {}
        self.clients = {player.name: Client(self, player) for player in PLAYERS}
        self.traffic = Traffic()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._roads: dict[str, Tap] = {}
        self._leaving: dict[str, AsyncExitStack] = {}
        self._adopted: dict[str, Sealer] = {}
        self._everybody: DirectoryCopy
        self.session: aiohttp.ClientSession
        self.hub: Hub

    @classmethod
    @asynccontextmanager
    async def running(
        cls,
        *,
        ground: Ground = MEMORY,
        road: Road | None = None,
        databases: DatabaseUrl | None = None,
        players: Sequence[Player] = PLAYERS,
        seed: int = 0,
    ) -> AsyncIterator[Self]:
        """A hub and the gateways of these players; nothing is registered yet. `road`: another than the suite's."""
        async with AsyncExitStack() as stack:
            platform = cls(stack, ground=ground, road=road, databases=databases, seed=seed)
            connector = aiohttp.TCPConnector(limit=0, force_close=True)
            platform.session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
            await platform._open_road()
            stack.push_async_callback(platform._close)
            await platform.start_hub()
            for player in players:
                await platform.admit(player)
            for player in players:
                await platform.start(player.name)
            await platform.quiet()
            yield platform

    @property
    def north(self) -> Client:
        """A DSO."""
        return self.clients[NORTH.name]

    @property
    def south(self) -> Client:
        """Another DSO."""
        return self.clients[SOUTH.name]

    @property
    def alpha(self) -> Client:
        """An aggregator."""
        return self.clients[ALPHA.name]

    @property
    def bravo(self) -> Client:
        """Another aggregator."""
        return self.clients[BRAVO.name]

    @property
    def charlie(self) -> Client:
        """A balance responsible party that operates assets itself."""
        return self.clients[CHARLIE.name]

    @property
    def network(self) -> MemoryNetwork:
        """The road in memory, whose faults a test can choose; over another road there is no such story to tell."""
        if self.way != "memory":
            pytest.skip(f"this story is about the network in memory, and the road is {self.way}")
        return self._network

    # Time.

    def at(self, hours: float = 0.0) -> datetime:
        """An instant so many hours after the hour that begins next, a whole minute."""
        now = self.clock.now().replace(minute=0, second=0, microsecond=0)
        return now + timedelta(hours=1 + hours)

    def z(self, hours: float = 0.0) -> str:
        """The same as text for JSON."""
        return z(self.at(hours))

    def period(self, start_h: float, end_h: float, *quantities: int, resolution: str = "PT60M") -> Json:
        """A curve between two instants, one value per step, whole if it changes at every step."""
        points = [{"position": n, "quantity": quantity} for n, quantity in enumerate(quantities, start=1)]
        return {"start": self.z(start_h), "end": self.z(end_h), "resolution": resolution, "points": points}

    async def pass_time(self, seconds: float) -> None:
        """Let time pass; only where it stands still otherwise."""
        assert isinstance(self.clock, LeapingClock), "time passes by itself on this ground"
        if seconds > _MINUTE_S:
            self.clock.leap(seconds - _WALK_S)
            seconds = _WALK_S
        await self.clock.advance(seconds)
        await self.quiet()

    async def beat(self) -> None:
        """Let one beat pass and what it sends arrive (R12)."""
        if isinstance(self.clock, LeapingClock):
            await self.pass_time(self.market.beat_s)
        else:
            await asyncio.sleep(0.01)

    async def quiet(self) -> None:
        """Wait until nothing is on its way any more; where time runs by itself, `until` is the way to wait."""
        if isinstance(self.clock, SystemClock):
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self.held_up(self._is_still())
        except TimeoutError:
            raise AssertionError(f"It does not become quiet: {self.traffic}.") from None

    async def until(
        self, client: Client, path: str, is_so: Callable[[Json], object], what: str, **query: str | int
    ) -> Json:
        """Ask again, beat by beat, until the answer is as wanted; that answer."""
        return await self.eventually(lambda: client.get(path, **query), is_so, f"{client.player.name}: {what}")

    async def eventually(
        self, look: Callable[[], Any], is_so: Callable[[Json], object], what: str
    ) -> Json:  # look: async, anything
        """Look again, beat by beat, until what is seen is as wanted."""
        seen = None
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not is_so(seen := await look()):
                    await self.beat()
        except TimeoutError:
            raise AssertionError(f"Waited in vain for {what}; last seen: {seen}") from None
        return seen

    # Who runs.

    async def admit(self, player: Player) -> None:
        """Make somebody a participant (R1)."""
        brp = identifiers.party(player.brp) if player.brp else None
        code, role = identifiers.party(player.id), Role(player.role)
        await self.operate(AddParticipant(participant=code, role=role, name=player.name, brp=brp, by="test"))
        await self.eventually(self._party_of(code), bool, f"the hub to know {player.name}")

    async def operate(self, command: Command) -> None:
        """What the platform's operator does on the command line, without a command line (R1, R6)."""
        await self.hub.desk.submit(command, cause="test")
        await self.quiet()

    async def start_hub(self) -> None:
        """Start the hub, on the store it had before if it had one."""
        store = self.stores.get("hub") or await self._store_of_hub()
        self.stores["hub"] = store
        road, seals = await self._road("hub", self.hub_id, Party.HUB)
        self.hub = Hub(self.market, store=store, transport=road, seals=seals, clock=self.clock)
        self._tasks["hub"] = self._work_for("hub", self.hub.run())
        await self.eventually(self._hub_is_ready, bool, "the hub to be ready")

    async def stop_hub(self) -> None:
        """End the hub in good order."""
        self.hub.stop()
        await self._tasks.pop("hub")
        await self._leave("hub")

    async def kill_hub(self) -> None:
        """End the hub where it stands; nothing is finished."""
        await self._end("hub")
        await self._leave("hub")

    async def start(self, name: str) -> None:
        """Start a gateway, on the store it had before if it had one."""
        player = self.clients[name].player
        code = identifiers.party(player.id)
        store = self.stores.get(name) or await self._store_of(name, code)
        self.stores[name] = store
        settings = chosen.GatewaySettings(
            participant=chosen.Participant(id=player.id, role=Role(player.role), name=player.name),
            gateway=chosen.Gateway(hub_id=HUB_ID),
            http=chosen.Http(port=0, rate_per_s=100_000, burst=100_000),
        )
        build = dso.build if player.role == "DSO" else agr.build
        road, seals = await self._road(name, code, Party(player.role))
        gateway = build(settings, store=store, transport=road, seals=seals, clock=self.clock)
        token = self.clients[name].token
        if await store.tokens.lookup(token, now=self.clock.now()) is None:
            await store.tokens.record(token, participant=code, label="test", now=self.clock.now())
        self.gateways[name] = gateway
        self._tasks[name] = self._work_for(name, gateway.run())
        opened = asyncio.create_task(gateway.opened.wait())
        await asyncio.wait({opened, self._tasks[name]}, return_when=asyncio.FIRST_COMPLETED)
        assert opened.done(), self._tasks[name]
        await self.quiet()

    async def kill(self, name: str) -> None:
        """End a gateway where it stands."""
        await self._end(name)
        await self._leave(name)

    async def restart_all(self) -> None:
        """Kill everybody at once, then start them again on what they had stored."""
        names = [name for name in self._tasks if name != "hub"]
        for name in [*names, "hub"]:
            self._tasks[name].cancel()
        await self.kill_hub()
        for name in names:
            await self.kill(name)
        await self.start_hub()
        for name in names:
            await self.start(name)

    def forget(self, name: str) -> None:
        """Lose what a gateway had stored: its next start is on an empty store (R13)."""
        assert name not in self._tasks, "stop it first"
        self.stores.pop(name)

    # What the cast does in every story.

    async def register_points(self) -> None:
        """Every DSO registers its connection points (F4)."""
        for name, points in POINTS.items():
            body = {"connectionPoints": [{"id": point, "voltageKv": "10"} for point in points]}
            await self.clients[name].write("PUT", "/connection-points", body)

    async def register_assets(self) -> None:
        """Every aggregator registers its assets (F4)."""
        for name, assets in ASSETS.items():
            await self.clients[name].write("PUT", "/assets", {"assets": [registration(asset) for asset in assets]})

    async def register_all(self) -> None:
        """Points and assets; and every DSO has its list (F4, F5)."""
        await self.register_points()
        await self.register_assets()
        for name, points in POINTS.items():
            wanted = {asset.id for assets in ASSETS.values() for asset in assets if asset.point in points}
            await self.sees_assets(self.clients[name], wanted)

    async def sees_assets(self, client: Client, wanted: set[str]) -> None:
        """Wait until these are the assets a DSO sees (F5)."""

        def complete(page: Json) -> bool:
            return {item["id"] for item in page["items"]} == wanted

        await self.until(client, "/assets", complete, f"the assets {sorted(wanted)}", limit=1000)

    async def sees_plans(self, client: Client, wanted: Mapping[str, list[int]]) -> None:
        """Wait until these are the plans a DSO sees, by asset (F9)."""

        def complete(page: Json) -> bool:
            return {item["asset"]: quantities(item) for item in page["items"]} == wanted

        await self.until(client, "/schedules", complete, f"the plans {wanted}", limit=1000)

    async def submit_plan(self, client: Client, asset: DemoAsset, *watts: int, mrid: str | None = None) -> Json:
        """A schedule of one asset, an hour for each value, beginning next hour (F8)."""
        series = {"asset": asset.id, "periods": [self.period(0, len(watts), *watts)]}
        return await client.write("POST", "/schedules", {"series": [series], **({"mrid": mrid} if mrid else {})})

    def documents(self, name: str, *, business_type: str | None = None) -> list[Document]:
        """Every document that arrived at a participant or the hub, oldest first."""
        return [
            arrival.document
            for arrival in self.arrived.get(name, [])
            if business_type in (None, arrival.message.business_type)
        ]

    async def patiently(self, work: Any) -> Any:  # a coroutine, its result
        """Let time pass while something is awaited, so that what failed is tried again."""
        task = asyncio.ensure_future(work)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not task.done():
                    await self.beat()
        finally:
            task.cancel()
        return await task

    async def held_up(self, work: Any) -> Any:  # an awaitable, its result
        """Let time creep while a real road is slow: what failed on it is tried again only when time passes."""
        if self.way == "memory" or isinstance(self.clock, SystemClock):
            return await work
        task = asyncio.ensure_future(_result(work))
        try:
            while not (await asyncio.wait({task}, timeout=_SLOW_S))[0]:
                await self.clock.advance(1)
        finally:
            task.cancel()
        return await task

    async def close_road(self) -> None:
        """The broker is gone, and what it held with it; nobody gets a message through."""
        if self.way == "memory":
            self._network.volatile = True
            self._network.restart()
            self._network.faults.drop = 1.0
        else:
            self.traffic.cut(forgets=self.way == "embedded")
            await self.broker.stop()

    async def open_road(self) -> None:
        """The broker is back, and empty."""
        if self.way == "memory":
            self._network.faults.drop = 0.0
            self._network.restart()
        else:
            await self.broker.start()
            await self._connected()
            self.traffic.mend()
        if isinstance(self.clock, LeapingClock):
            await self.pass_time(10)

    def road(self, name: str) -> Tap:
        """The road of a participant that runs, for what no gateway would send."""
        return self._roads[name]

    async def board(self, view: str) -> list[Json]:
        """What the platform's operator sees of one kind, as plain values."""
        items = await self.stores["hub"].rows.list(Scope(OPERATOR), view, limit=10_000)
        return [msgspec.msgpack.decode(item.payload) for item in items if item.payload]

    # Inside.

    async def _is_still(self) -> None:
        still = 0
        while still < 30:
            busy = self._busy()
            await asyncio.sleep(_GLANCE_S if busy and self.way != "memory" else 0)
            still = 0 if busy else still + 1

    def _busy(self) -> bool:
        desks = [self.hub.desk, *(gateway.desk for gateway in self.gateways.values())]
        return bool(self.traffic.work) or self._on_its_way() or any(desk.waiting for desk in desks)

    def _on_its_way(self) -> bool:
        """Whether a message waits for somebody who runs."""
        running = {identifiers.party(self.clients[n].player.id) if n != "hub" else self.hub_id for n in self._tasks}
        if self.way != "memory":
            return any(self.traffic.afloat(code) for code in running)
        return any(self._network.mailbox(code, queue).waiting for code in running for queue in Queue)

    async def _hub_is_ready(self) -> bool:
        assert not self._tasks["hub"].done(), self._tasks["hub"]
        return self.hub.trouble() is None

    def _party_of(self, code: Identifier) -> Callable[[], Any]:
        async def look() -> object:
            return self.hub.party_of(code)

        return look

    async def _open_road(self) -> None:
        if self.way == "memory":
            people = {self.hub_id: Party.HUB, **{identifiers.party(p.id): Party(p.role) for p in PLAYERS}}
            self._network.provision({str(code): party for code, party in people.items()}, hub=self.hub_id)
            return
        self._adopted = self._stack.enter_context(adopting())
        self.broker = await self._stack.enter_async_context((await roads.site()).broker(self.way))

    async def _road(self, name: str, code: Identifier, party: Party) -> tuple[Tap, Seals]:
        """How a component reaches the others, and what it seals with."""
        road: Transport
        stack = self._leaving[name] = AsyncExitStack()
        if self.way == "memory":
            road, seals = self._network.attach(code), seals_of(code)
            stack.push_async_callback(road.close)
        else:
            site = await roads.site()
            membership = site.membership(name, clock=self.clock, broker=self.broker)
            road, seals = (
                await stack.enter_async_context(membership.exchanging(party, hub=self.hub_id)),
                membership.seals,
            )
            if name == "hub":
                self._everybody = membership.copy
            # Tests seal for whom no gateway knows: as one who has come by everybody's certificates.
            self._adopted[code] = Sealer(code, site.keys(name, at=self.clock.now()), self._everybody)
        tap = self._roads[name] = Tap(road, code, self.arrived.setdefault(name, []), self.traffic)
        return tap, seals

    async def _connected(self) -> None:
        """Wait until everybody who runs has found the broker again."""
        async with asyncio.timeout(PATIENCE_S):
            while not all(tap.is_connected for tap in self._roads.values()):  # noqa: ASYNC110 # a state of many parts
                await asyncio.sleep(0.01)

    async def _store_of_hub(self) -> Store:
        if self.ground != "postgres":
            return memory_store(self.market)
        url = await self._database("hub")
        settings = chosen.HubSettings(hub=self.market, database=chosen.Database(url=chosen.Secret(url)))
        return await self._stack.enter_async_context(await open_store(settings, url))

    async def _store_of(self, name: str, code: Identifier) -> Store:
        if self.ground != "postgres":
            return MemoryStore(component=code)
        url = await self._database(name)
        return await self._stack.enter_async_context(
            await PostgresStore.open(url, component=code, min_connections=1, max_connections=2)
        )

    async def _database(self, name: str) -> str:
        assert self._databases is not None, "this ground needs databases"
        self.urls[name] = await self._databases()
        return self.urls[name]

    def _work_for(self, name: str, work: Any) -> asyncio.Task[None]:  # a coroutine
        context = contextvars.copy_context()
        context.run(WHOSE.set, name)
        return asyncio.get_running_loop().create_task(work, name=name, context=context)

    async def _end(self, name: str) -> None:
        task = self._tasks.pop(name)
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled() and (error := task.exception()):
            raise error

    async def _leave(self, name: str) -> None:
        if self._roads.pop(name, None):
            await self._leaving.pop(name).aclose()

    async def _close(self) -> None:
        for name in [name for name in self._tasks if name != "hub"]:
            await self.kill(name)
        if "hub" in self._tasks:
            await self.stop_hub()


async def _result(work: Any) -> Any:  # an awaitable, its result
    return await work


def _leaping(road: Road) -> LeapingClock:
    """A real broker counts the life of messages by the machine's clock: there time begins later, at the next noon."""
    if road == "memory":
        return LeapingClock()
    now = SystemClock().now()
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
    return LeapingClock(noon if noon > now else noon + timedelta(days=1))


def z(at: datetime) -> str:
    """An instant as JSON has it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def registration(asset: DemoAsset) -> Json:
    """The JSON of an asset of the cast."""
    return {
        "id": asset.id,
        "connectionPoint": asset.point,
        "maxProduction": asset.produces,
        "maxConsumption": asset.consumes,
        "name": asset.name,
    }


def quantities(series: Json) -> list[int]:
    """Every value of a series' periods, in order."""
    return [point["quantity"] for period in series["periods"] for point in period["points"]]


def shares(limit: Json) -> dict[str, list[int]]:
    """The shares of an aggregator's copy of a limit, by asset."""
    return {share["asset"]: quantities(share) for share in limit["shares"]}
