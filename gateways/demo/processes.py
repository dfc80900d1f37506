"""The whole platform as separate processes over RabbitMQ: directory, hub, five gateways, each as its operator runs it.

One PostgreSQL with a database and a login for each component; one broker that everybody reaches over TLS with its own
certificate. This process founds the platform, starts the others, and starts again what dies.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from documents import identifiers
from gateways.demo.cast import PLAYERS, Player
from gateways.demo.child import Child
from gateways.demo.founding import (
    BROKER,
    DIRECTORY,
    DIRECTORY_PORT,
    HOST,
    HUB_PORT,
    ORGANIZATION,
    PAGES_PORT,
    Keys,
    Platform,
    everybody,
    know_token,
    plan,
    write_everybodys_settings,
)
from gateways.demo.rabbitmq import GivenRabbit, Rabbit, given, rabbitmq
from gateways.demo.rabbitmq_node import free_ports
from hub.directory_service import Directory, bootstrap
from hub.directory_service.authority import founded_authority
from hub.directory_service.bootstrap import SETTINGS, write_settings
from hub.directory_service.founding import Founder, ServerFiles
from hub.directory_service.plan import Plan, Sections
from hub.mades import provision
from hub.mades.management import managing
from hub.settings import HubSettings, load
from hub.store.embedded import EmbeddedPostgres
from hub.store.migrate import migrate
from hub.store.postgres import PostgresStore

DIRECTORY_DOOR_PORT: Final = 44


class Ports(Struct, frozen=True):
    """Where everybody listens: by name, the directory's two doors among them."""

    of: Mapping[str, int]

    @classmethod
    def from_base(cls, base: int, players: Sequence[Player] = PLAYERS) -> "Ports":
        """Fixed distances from a base; a base of 0 takes free ones."""
        distances = {
            "directory": DIRECTORY_PORT,
            "directory door": DIRECTORY_DOOR_PORT,
            "hub": HUB_PORT,
            "pages": PAGES_PORT,
            **{player.name: player.port for player in players},
        }
        if base:
            return cls({name: base + distance for name, distance in distances.items()})
        return cls(dict(zip(distances, free_ports(len(distances)), strict=True)))


class Processes(Struct, frozen=True):
    """The running platform with its parts: children by name, the broker, and the process of PostgreSQL."""

    platform: Platform
    children: Mapping[str, Child]
    broker: Rabbit | GivenRabbit
    postgres_pid: int


@asynccontextmanager
async def platform(directory: Path, keys: Keys, *, base_port: int) -> AsyncIterator[Platform]:
    """Where the platform is, for as long as the block lasts; see `running`."""
    async with running(directory, keys, base_port=base_port) as processes:
        yield processes.platform


@asynccontextmanager
async def running(
    directory: Path,
    keys: Keys,
    *,
    base_port: int,
    players: Sequence[Player] = PLAYERS,
    gateways: Sections | None = None,
) -> AsyncIterator[Processes]:
    """The platform for as long as the block lasts, of this cast and with further settings of the gateways.

    A `base_port` of 0 takes free ports.

    Raises:
        SettingsError: the folder is in use, or a broker that was given cannot be used.
        Unavailable: no RabbitMQ can be had, or a part does not start; the message says why.
    """
    ports = Ports.from_base(base_port, players)
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(EmbeddedPostgres(directory / "database", durable=True))
        databases = {name: await _database(postgres, name) for name in ("directory", "hub", *_names(players))}
        written = plan(ports.of, databases, players=players, gateways=gateways)
        children = _children(directory, written, keys)
        await bootstrap.admit(
            load(HubSettings, bootstrap.member(directory, "hub") / SETTINGS, {}), written, by="demo", cause="demo"
        )
        broker = await _found(stack, directory, databases["directory"], written)
        # From here on the directory itself lets the broker know who comes and goes.
        managing_it = {"management": {"url": broker.management_url}}
        home = bootstrap.directory_folder(directory)
        write_settings(home / SETTINGS, {**bootstrap.directory_sections(written), **managing_it})
        for player in players:
            await _tell_token(databases[player.name], player, keys.tokens[player.name])
        await _start(stack, children)
        urls = {player.name: f"http://{HOST}:{ports.of[player.name]}" for player in players}
        hub_url, pages_url = (f"http://{HOST}:{ports.of[name]}" for name in ("hub", "pages"))
        where = Platform(urls, keys.tokens, hub_url, pages_url, keys.operator_password)
        yield Processes(where, children, broker, postgres.pid)


async def _found(stack: AsyncExitStack, folder: Path, database: str, written: Plan) -> Rabbit | GivenRabbit:
    """Keys and certificates for everybody, and a running broker that knows them."""
    lent = given()
    if lent:
        lent.adopt(bootstrap.directory_folder(folder))
    authority = founded_authority(bootstrap.directory_folder(folder))
    async with await PostgresStore.open(database, component=DIRECTORY) as store:
        directory = Directory(DIRECTORY, store=store, authority=authority)
        async with directory.running():
            founder = Founder(directory, written.directory.url, ORGANIZATION, "demo")
            files = await everybody(founder, folder, written)
            broker = lent or await _started(stack, folder / "broker", files)
            async with managing(broker.management_url) as management:
                await provision.provision(management, await directory.registered())
            await founder.tell_broker(BROKER, broker.url)
            return broker


async def _started(stack: AsyncExitStack, folder: Path, files: ServerFiles) -> Rabbit | GivenRabbit:
    return await stack.enter_async_context(rabbitmq(folder, files))


async def _start(stack: AsyncExitStack, children: Mapping[str, Child]) -> None:
    tasks = await stack.enter_async_context(asyncio.TaskGroup())
    for child in children.values():
        tasks.create_task(child.run(), name=child.name)
        stack.push_async_callback(child.stop)
    for child in children.values():
        await child.ready()


async def _database(postgres: EmbeddedPostgres, name: str) -> str:
    url = await postgres.database(name)
    await migrate(url)
    return url


async def _tell_token(database: str, player: Player, token: str) -> None:
    me = identifiers.party(player.id)
    async with await PostgresStore.open(database, component=me) as store:
        await know_token(store, token, me)


def _children(folder: Path, written: Plan, keys: Keys) -> dict[str, Child]:
    """Everybody's process, on settings that are written now: ports and sockets may be others than the last time."""
    write_everybodys_settings(folder, written, keys)
    home, hub = bootstrap.directory_folder(folder), bootstrap.member(folder, "hub")
    children = {
        "directory": _child("directory", home, written.directory.http_port, "directory", "run"),
        "hub": _child("hub", hub, written.hub.port, "hub"),
    }
    for each in written.participants:
        own = bootstrap.member(folder, each.name)
        children[each.name] = _child(each.name, own, written.port(each), bootstrap.VERBS[each.role])
    return children


def _child(name: str, folder: Path, port: int, *words: str) -> Child:
    return Child(name, *words, folder=folder, ready_url=f"http://{HOST}:{port}/health/ready")


def _names(players: Sequence[Player]) -> tuple[str, ...]:
    return tuple(player.name for player in players)
