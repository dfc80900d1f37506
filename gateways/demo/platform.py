"""The whole platform in one process: embedded PostgreSQL and broker, the component directory, the hub, five gateways.

Each participant has a database, a login, keys and certificates of its own, as in production; only the process is
shared.
The database keeps its data and its fsync, so a kill loses nothing. The broker forgets; the endpoints send again (R31).
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web
from msgspec import Struct

from documents import identifiers
from documents.values import Identifier
from gateways.agr import app as agr
from gateways.demo.cast import BROKER_ID, DIRECTORY_ID, DSOS, HUB_ID, PLAYERS, Player
from gateways.dso import app as dso
from gateways.gateway import Gateway
from hub import settings as chosen
from hub.app import Hub, open_store
from hub.clock import SystemClock
from hub.commands import AddParticipant
from hub.directory.values import Party as Member
from hub.directory_service import Directory
from hub.directory_service.authority import founded_authority
from hub.directory_service.founding import Founder
from hub.directory_service.process import serving
from hub.errors import SettingsError
from hub.mades.amqp import AmqpTransport
from hub.mades.embedded import Component, EmbeddedBroker
from hub.mades.membership import Membership
from hub.mades.paths import Party
from hub.mades.tls import server_context
from hub.store.embedded import EmbeddedPostgres
from hub.store.migrate import migrate
from hub.store.postgres import PostgresStore
from hub.values import Role
from hub.web.health import Health, listening
from hub.web.sockets import allow_many_sockets

HOST: Final = "127.0.0.1"
BEAT_S: Final = 1.0
HUB_PORT: Final = 80
DIRECTORY_PORT: Final = 43
HUB: Final = identifiers.party(HUB_ID)
DIRECTORY: Final = identifiers.party(DIRECTORY_ID)
BROKER: Final = identifiers.party(BROKER_ID)
MEMBERS: Final = (
    ("hub", HUB, Member.HUB),
    *((player.name, identifiers.party(player.id), Member(player.role)) for player in PLAYERS),
)
"""Everybody with an endpoint: name, component code, part in the exchange."""


class Keys(Struct, frozen=True):
    """What the demo keeps beside certificates: the hub's secret, and the REST tokens by participant."""

    hub_secret: str
    tokens: Mapping[str, str]


class Platform(Struct, frozen=True):
    """Where a running platform is: addresses and tokens of the gateways by participant, and the hub's own address."""

    urls: Mapping[str, str]
    tokens: Mapping[str, str]
    hub_url: str


def keys_in(directory: Path) -> Keys:
    """The keys kept in this folder, made on the first call and readable by their owner only."""
    path = directory / "keys.json"
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=Keys)
    keys = Keys(hub_secret=secrets.token_hex(32), tokens={player.name: secrets.token_urlsafe(32) for player in PLAYERS})
    unfinished = path.with_suffix(".unfinished")
    unfinished.touch(mode=0o600)
    unfinished.write_bytes(msgspec.json.encode(keys))
    unfinished.rename(path)
    return keys


@asynccontextmanager
async def running(directory: Path, keys: Keys, *, base_port: int) -> AsyncIterator[Platform]:
    """The platform for as long as the block lasts. A `base_port` of 0 takes free ports.

    Raises:
        SettingsError: the folder is in use, or a port is.
    """
    allow_many_sockets()
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(EmbeddedPostgres(directory / "database", durable=True))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        site = _Site(stack, tasks, postgres, directory, keys, base_port)
        await site.start_directory_and_broker()
        hub_url = await site.start_hub()
        gateways = {player.name: await site.start_gateway(player) for player in PLAYERS}
        checkpoint = tasks.create_task(postgres.checkpoint(), name="checkpoint")
        stack.callback(checkpoint.cancel)
        yield Platform({name: gateway.url for name, gateway in gateways.items()}, keys.tokens, hub_url)


class _Site:
    """What every part of the platform stands on. Parts stop in the reverse of the order they were started in."""

    def __init__(  # noqa: PLR0917 # it only holds them
        self,
        stack: AsyncExitStack,
        tasks: asyncio.TaskGroup,
        postgres: EmbeddedPostgres,
        folder: Path,
        keys: Keys,
        base_port: int,
    ) -> None:
        self._stack, self._tasks, self._postgres = stack, tasks, postgres
        self._folder, self._keys, self._base_port = folder, keys, base_port

    async def start_directory_and_broker(self) -> None:
        """Who takes part, with keys and certificates for everybody, and the road between them."""
        founder = await self._start_directory()
        for name, code, party in MEMBERS:
            await founder.enrol(self._member(name), code, party)
        files = await founder.enrol_broker(self._member("broker"), BROKER, hosts=[HOST])
        tls = server_context(certificate=files.certificate, key=files.key, authority=files.authority)
        broker = EmbeddedBroker(host=HOST, tls=tls)
        registered = await founder.directory.registered()
        broker.provision({each.code: Component(each.party, suffix=each.suffix) for each in registered}, hub=HUB)
        await self._stack.enter_async_context(broker)
        await founder.tell_broker(BROKER, broker.url(HUB))

    async def _start_directory(self) -> Founder:
        settings = chosen.Directory(
            id=DIRECTORY_ID,
            dir=self._folder / "directory",
            organization="Demo",
            hosts=HOST,
            port=self._port(DIRECTORY_PORT),
        )
        store = await self._stack.enter_async_context(
            await PostgresStore.open(await self._database("directory"), component=DIRECTORY)
        )
        authority = founded_authority(settings.dir)
        directory = Directory(DIRECTORY, store=store, authority=authority)
        await self._stack.enter_async_context(directory.running())
        url = await self._stack.enter_async_context(serving(directory, settings, by="demo"))
        return Founder(directory, url, "Demo", "demo")

    async def start_hub(self) -> str:
        """The hub with its participants; returns its address."""
        url = await self._database("hub")
        settings = chosen.HubSettings(
            hub=chosen.Hub(id=HUB_ID, secret=chosen.Secret(self._keys.hub_secret), beat_s=BEAT_S),
            http=self._http(HUB_PORT),
        )
        store = await self._stack.enter_async_context(await open_store(settings, url))
        membership, road = await self._exchange("hub", Party.HUB)
        hub = Hub(settings.hub, store=store, transport=road, seals=membership.seals)
        running_hub = self._tasks.create_task(hub.run(), name="hub")
        self._stack.push_async_callback(asyncio.wait, [running_hub])
        self._stack.callback(hub.stop)
        for player in PLAYERS:
            await hub.desk.submit(_admission(player), cause="demo")
        app = web.Application()
        app.add_routes(Health(trouble=hub.trouble, measures=hub.measures).routes())
        port = await self._stack.enter_async_context(listening(app, settings.http))
        return f"http://{HOST}:{port}"

    async def start_gateway(self, player: Player) -> Gateway:
        """A participant's gateway, open for its clients when this returns."""
        me = identifiers.party(player.id)
        store = await self._stack.enter_async_context(
            await PostgresStore.open(await self._database(player.name), component=me)
        )
        await _know_token(store, self._keys.tokens[player.name], me)
        settings = chosen.GatewaySettings(
            participant=chosen.Participant(id=player.id, role=Role(player.role), name=player.name),
            gateway=chosen.Gateway(hub_id=HUB_ID),
            http=self._http(player.port),
        )
        build = dso.build if player in DSOS else agr.build
        membership, road = await self._exchange(player.name, Party(player.role))
        gateway = build(settings, store=store, transport=road, seals=membership.seals, clock=SystemClock())
        task = self._tasks.create_task(_run(gateway), name=player.name)
        self._stack.push_async_callback(asyncio.wait, [task])
        self._stack.callback(task.cancel)
        await gateway.opened.wait()
        return gateway

    async def _database(self, name: str) -> str:
        url = await self._postgres.database(name)
        await migrate(url)
        return url

    async def _exchange(self, name: str, party: Party) -> tuple[Membership, AmqpTransport]:
        membership = Membership(self._member(name), clock=SystemClock())
        return membership, await self._stack.enter_async_context(membership.exchanging(party, hub=HUB))

    def _member(self, name: str) -> Path:
        return self._folder / "members" / name

    def _http(self, offset: int) -> chosen.Http:
        return chosen.Http(host=HOST, port=self._port(offset))

    def _port(self, offset: int) -> int:
        return self._base_port + offset if self._base_port else 0


async def _run(gateway: Gateway) -> None:
    try:
        await gateway.run()
    except OSError as error:
        port = gateway.settings.http.port
        raise SettingsError(f"Port {port} cannot be used. Stop what uses it, or choose others (--port).") from error


async def _know_token(store: PostgresStore, secret: str, me: Identifier) -> None:
    now = SystemClock().now()
    if await store.tokens.lookup(secret, now=now) is None:
        await store.tokens.record(secret, participant=me, label="demo", now=now)


def _admission(player: Player) -> AddParticipant:
    return AddParticipant(
        participant=identifiers.party(player.id),
        role=Role(player.role),
        name=player.name,
        brp=identifiers.party(player.brp) if player.brp else None,
        by="demo",
    )
