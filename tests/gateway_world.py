"""A hub and gateways in one process, driven over their REST interfaces: twins of store and transport.

The clock stands still.

    async with World.running() as world:
        north = await world.dso("5790000000005")
        alpha = await world.agr("45X-AGR-ALPHA--N")
        answer = await alpha.put("/assets", {...}, wait=60)
        await world.system.beat()
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any, Self

import aiohttp
import msgspec
from msgspec import Struct

from documents.values import Identifier
from gateways.agr import app as agr
from gateways.dso import app as dso
from gateways.gateway import Gateway
from hub import settings as chosen
from hub.store.memory import MemoryStore
from hub.traces import no_traces
from hub.values import Role
from raml import conformance
from raml.reader import read
from tests.keyring import seals_of
from tests.system import HUB, System, TracesOf

NORTH, SOUTH = "5790000000005", "5790000000012"
ALPHA, BRAVO, CHARLIE = "45X-AGR-ALPHA--N", "45X-AGR-BRAVO--B", "45X-BRP-CHARLIEG"
P1, P2, P3 = "571313199000000014", "571313199000000021", "571313199000000038"
A1, A2, A3 = "571313100000000010", "571313100000000027", "571313100000000034"


CONTRACTS = {api: read(f"{api}.raml") for api in ("agr", "dso")}
"""Every answer is held against the contract."""


class Reply(Struct, frozen=True):
    """An answer of a gateway."""

    status: int
    body: Any  # JSON, or text
    headers: Mapping[str, str]


class Client:
    """A participant's own system: its gateway and its token."""

    def __init__(self, gateway: Gateway, session: aiohttp.ClientSession, token: str) -> None:
        self.gateway, self._session, self.token = gateway, session, token

    async def call(  # everything a request can carry
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        wait: int | None = None,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
        data: bytes | None = None,
    ) -> Reply:
        """One request with this client's token."""
        sent = {"Authorization": f"Bearer {token or self.token}", **(headers or {})}
        if wait is not None:
            sent["Prefer"] = f"wait={wait}"
        url = self.gateway.url + path
        async with self._session.request(method, url, json=body, data=data, headers=sent) as answer:
            raw = await answer.read()
            conformance.check(
                CONTRACTS[self.gateway.api],
                method,
                path,
                status=answer.status,
                content_type=answer.content_type,
                body=raw,
                headers=answer.headers,
            )
            json = answer.content_type.endswith("json")
            return Reply(answer.status, msgspec.json.decode(raw) if json else raw.decode(), answer.headers)

    async def get(self, path: str, **headers: str) -> Any:  # JSON
        """The JSON of a 200."""
        answer = await self.call("GET", path, headers=headers)
        assert answer.status == 200, answer
        return answer.body

    async def write(self, method: str, path: str, body: object = None, *, wait: int = 60) -> Any:  # JSON
        """A write that must succeed, with its verdict."""
        answer = await self.call(method, path, body, wait=wait)
        assert answer.status in {200, 201}, answer
        return answer.body


class World:
    """See the module's charter."""

    def __init__(self, system: System, stack: AsyncExitStack, session: aiohttp.ClientSession) -> None:
        self.system, self._stack, self._session = system, stack, session

    @classmethod
    @asynccontextmanager
    async def running(
        cls, *, now: datetime | None = None, traces: TracesOf = lambda _: no_traces
    ) -> AsyncIterator[Self]:
        """A hub without participants."""
        connector = aiohttp.TCPConnector(limit=0)
        async with System.running(now=now, traces=traces) as system, AsyncExitStack() as stack:
            session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
            yield cls(system, stack, session)

    async def dso(self, participant: str, **options: Any) -> Client:  # settings of http
        """A DSO with its gateway."""
        return await self._join(participant, Role.DSO, options)

    async def agr(self, participant: str, role: Role = Role.AGR, **options: Any) -> Client:  # settings of http
        """An aggregator, or a balance responsible party, with its gateway."""
        return await self._join(participant, role, options)

    async def _join(self, participant: str, role: Role, options: dict[str, Any]) -> Client:
        code = await self.system.admit(participant, role)
        settings = chosen.GatewaySettings(
            participant=chosen.Participant(id=participant, role=role),
            gateway=chosen.Gateway(hub_id=HUB, ui=options.pop("ui", False)),
            http=chosen.Http(port=0, **{"rate_per_s": 1e6, "burst": 1_000_000, **options}),
        )
        store = MemoryStore(component=code)
        token = f"token of {participant}"
        await store.tokens.record(token, participant=code, label="test", now=self.system.clock.now())
        return await self._client(settings, store, token)

    async def restart(self, client: Client) -> Client:
        """Stop a gateway and start a new one on its store."""
        client.gateway.stop()
        await self.system.until(lambda: not client.gateway.opened.is_set(), "the gateway to stop")
        assert isinstance(client.gateway.store, MemoryStore)
        return await self._client(client.gateway.settings, client.gateway.store, client.token)

    async def emptied(self, client: Client) -> Client:
        """Stop a gateway and start a new one that has lost its store."""
        client.gateway.stop()
        await self.system.until(lambda: not client.gateway.opened.is_set(), "the gateway to stop")
        code = client.gateway.who.me.id
        store = MemoryStore(component=code)
        await store.tokens.record(client.token, participant=code, label="test", now=self.system.clock.now())
        return await self._client(client.gateway.settings, store, client.token)

    async def _client(self, settings: chosen.GatewaySettings, store: MemoryStore, token: str) -> Client:
        build = dso.build if settings.participant.role is Role.DSO else agr.build
        transport = self.system.network.attach(store.component)
        gateway = build(
            settings,
            store=store,
            transport=transport,
            seals=seals_of(store.component),
            clock=self.system.clock,
            traces=self.system.traces(Identifier(store.component)),
        )
        await self._stack.enter_async_context(working(gateway))
        return Client(gateway, self._session, token)


@asynccontextmanager
async def working(gateway: Gateway) -> AsyncIterator[None]:
    """Run a gateway for as long as the block lasts."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(gateway.run(), name="gateway")
        try:
            await gateway.opened.wait()
            yield
        finally:
            gateway.stop()


def asset(id: str, point: str, *, produces: int = 0, consumes: int = 0) -> dict[str, Any]:  # noqa: A002 # JSON
    """The JSON of an asset."""
    return {"id": id, "connectionPoint": point, "maxProduction": produces, "maxConsumption": consumes}


def period(start: str, end: str, *quantities: int, resolution: str = "PT60M") -> dict[str, Any]:  # JSON
    """The JSON of a curve, one value per step."""
    points = [{"position": n, "quantity": quantity} for n, quantity in enumerate(quantities, start=1)]
    return {"start": start, "end": end, "resolution": resolution, "points": points}
