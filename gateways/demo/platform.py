"""The whole platform in one process: embedded PostgreSQL and broker, the component directory, the hub, five gateways.

Each participant has a database, a login, keys and certificates of its own, as in production; only the process is
shared.
The database keeps its data and its fsync, so a kill loses nothing. The broker forgets; the endpoints send again (R31).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from documents import identifiers
from gateways.agr import app as agr
from gateways.demo.cast import DSOS, HUB_ID, PLAYERS, Player
from gateways.demo.founding import (
    BEAT_S,
    BROKER,
    DIRECTORY,
    DIRECTORY_PORT,
    HOST,
    HUB,
    HUB_PORT,
    ORGANIZATION,
    PAGES_PORT,
    Keys,
    Platform,
    directory_settings,
    everybody,
    know_token,
    plan,
    write_everybodys_settings,
)
from gateways.dso import app as dso
from gateways.gateway import Gateway
from hub import settings as chosen
from hub.app import Hub, open_store, operator_pages, renew
from hub.clock import SystemClock
from hub.directory_service import Directory, bootstrap
from hub.directory_service.authority import founded_authority
from hub.directory_service.founding import Founder
from hub.directory_service.process import serving
from hub.errors import SettingsError
from hub.mades.embedded import Component, EmbeddedBroker
from hub.mades.membership import Membership
from hub.mades.notary import Notary
from hub.mades.paths import Party
from hub.mades.tls import server_context
from hub.ports import Transport
from hub.store.embedded import EmbeddedPostgres
from hub.store.migrate import migrate
from hub.store.postgres import PostgresStore
from hub.values import Role
from hub.web.health import Health, listening
from hub.web.sockets import allow_many_sockets


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
        hub_url, pages_url = await site.start_hub()
        gateways = {player.name: await site.start_gateway(player) for player in PLAYERS}
        site.write_settings(
            {"hub": hub_url, "pages": pages_url, **{name: gateway.url for name, gateway in gateways.items()}}
        )
        checkpoint = tasks.create_task(postgres.checkpoint(), name="checkpoint")
        stack.callback(checkpoint.cancel)
        urls = {name: gateway.url for name, gateway in gateways.items()}
        yield Platform(urls, keys.tokens, hub_url, pages_url, keys.operator_password)


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
        self._databases: dict[str, str] = {}

    async def start_directory_and_broker(self) -> None:
        """Who takes part, with keys and certificates for everybody, and the road between them."""
        founder = await self._start_directory()
        files = await everybody(founder, self._folder)
        tls = server_context(certificate=files.certificate, key=files.key, authority=files.authority)
        broker = EmbeddedBroker(host=HOST, tls=tls)
        registered = await founder.directory.registered()
        broker.provision({each.code: Component(each.party, suffix=each.suffix) for each in registered}, hub=HUB)
        await self._stack.enter_async_context(broker)
        await founder.tell_broker(BROKER, broker.url(HUB))

    async def _start_directory(self) -> Founder:
        settings = directory_settings(self._folder, self._port(DIRECTORY_PORT))
        store = await self._stack.enter_async_context(
            await PostgresStore.open(await self._database("directory"), component=DIRECTORY)
        )
        authority = founded_authority(settings.dir)
        directory = Directory(DIRECTORY, store=store, authority=authority)
        await self._stack.enter_async_context(directory.running())
        url = await self._stack.enter_async_context(serving(directory, settings, by="demo"))
        return Founder(directory, url, ORGANIZATION, "demo")

    async def start_hub(self) -> tuple[str, str]:
        """The hub with its participants; returns its address and that of its pages."""
        url = await self._database("hub")
        settings = chosen.HubSettings(
            hub=chosen.Hub(id=HUB_ID, secret=chosen.Secret(self._keys.hub_secret), beat_s=BEAT_S),
            http=self._http(HUB_PORT),
            web=chosen.Web(
                password=chosen.Secret(self._keys.operator_password), host=HOST, port=self._port(PAGES_PORT)
            ),
        )
        store = await self._stack.enter_async_context(await open_store(settings, url))
        membership, road = await self._exchange("hub", Party.HUB)
        hub = Hub(
            settings.hub,
            store=store,
            transport=road,
            seals=membership.seals,
            notary=Notary(membership.folder),
            renew=partial(renew, url, settings.hub),
        )
        running_hub = self._tasks.create_task(hub.run(), name="hub")
        self._stack.push_async_callback(asyncio.wait, [running_hub])
        self._stack.callback(hub.stop)
        for command in bootstrap.admissions(plan(), by="demo"):
            await hub.desk.submit(command, cause="demo")
        app = web.Application()
        app.add_routes(Health(trouble=hub.trouble, measures=hub.measures).routes())
        port = await self._stack.enter_async_context(listening(app, settings.http))
        pages = operator_pages(hub, settings.hub, settings.web, store=store, clock=SystemClock())
        pages_port = await self._stack.enter_async_context(pages.running())
        return f"http://{HOST}:{port}", f"http://{HOST}:{pages_port}"

    async def start_gateway(self, player: Player) -> Gateway:
        """A participant's gateway, open for its clients when this returns."""
        me = identifiers.party(player.id)
        store = await self._stack.enter_async_context(
            await PostgresStore.open(await self._database(player.name), component=me)
        )
        await know_token(store, self._keys.tokens[player.name], me)
        settings = chosen.GatewaySettings(
            participant=chosen.Participant(id=player.id, role=Role(player.role), name=player.name),
            gateway=chosen.Gateway(hub_id=HUB_ID, ui=True),
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

    def write_settings(self, urls: Mapping[str, str]) -> None:
        """For the operator's commands, which are processes of their own."""
        ports = {name: urlsplit(url).port or 0 for name, url in urls.items()}
        write_everybodys_settings(self._folder, plan(ports, self._databases), self._keys)

    async def _database(self, name: str) -> str:
        url = self._databases[name] = await self._postgres.database(name)
        await migrate(url)
        return url

    async def _exchange(self, name: str, party: Party) -> tuple[Membership, Transport]:
        membership = Membership(bootstrap.member(self._folder, name), clock=SystemClock())
        return membership, await self._stack.enter_async_context(membership.exchanging(party, hub=HUB))

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
