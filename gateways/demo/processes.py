"""The whole platform as separate processes over RabbitMQ: directory, hub, five gateways, each as its operator runs it.

One PostgreSQL with a database and a login for each component; one broker that everybody reaches over TLS with its own
certificate. This process founds the platform, starts the others, and starts again what dies.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from documents import identifiers
from gateways.demo.cast import DIRECTORY_ID, DSOS, HUB_ID, PLAYERS, Player
from gateways.demo.child import Child
from gateways.demo.founding import (
    BEAT_S,
    BROKER,
    DIRECTORY,
    DIRECTORY_PORT,
    HOST,
    HUB_PORT,
    Keys,
    Platform,
    admission,
    directory_settings,
    everybody,
    know_token,
    member,
)
from gateways.demo.rabbitmq import Rabbit, rabbitmq
from gateways.demo.rabbitmq_node import free_ports
from hub import settings as chosen
from hub.app import operating
from hub.directory_service import Directory
from hub.directory_service.authority import founded_authority
from hub.directory_service.founding import Founder
from hub.mades import provision
from hub.mades.management import managing
from hub.mades.paths import VIRTUAL_HOST
from hub.store.embedded import EmbeddedPostgres
from hub.store.migrate import migrate
from hub.store.postgres import PostgresStore

DIRECTORY_DOOR_PORT: Final = 44
Sections = Mapping[str, Mapping[str, object]]
"""Settings as a file has them."""


class Ports(Struct, frozen=True):
    """Where everybody listens: by name, the directory's two doors among them."""

    of: Mapping[str, int]

    @classmethod
    def from_base(cls, base: int) -> "Ports":
        """Fixed distances from a base; a base of 0 takes free ones."""
        distances = {
            "directory": DIRECTORY_PORT,
            "directory door": DIRECTORY_DOOR_PORT,
            "hub": HUB_PORT,
            **{player.name: player.port for player in PLAYERS},
        }
        if base:
            return cls({name: base + distance for name, distance in distances.items()})
        return cls(dict(zip(distances, free_ports(len(distances)), strict=True)))


class Processes(Struct, frozen=True):
    """The running platform with its parts: children by name, and the broker."""

    platform: Platform
    children: Mapping[str, Child]
    broker: Rabbit


@asynccontextmanager
async def platform(directory: Path, keys: Keys, *, base_port: int) -> AsyncIterator[Platform]:
    """Where the platform is, for as long as the block lasts; see `running`."""
    async with running(directory, keys, base_port=base_port) as processes:
        yield processes.platform


@asynccontextmanager
async def running(directory: Path, keys: Keys, *, base_port: int) -> AsyncIterator[Processes]:
    """The platform for as long as the block lasts. A `base_port` of 0 takes free ports.

    Raises:
        SettingsError: the folder is in use.
        Unavailable: no RabbitMQ can be had, or a part does not start; the message says why.
    """
    ports = Ports.from_base(base_port)
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(EmbeddedPostgres(directory / "database", durable=True))
        databases = {name: await _database(postgres, name) for name in ("directory", "hub", *_names())}
        broker = await _found(stack, directory, databases["directory"], ports)
        await _admit_everybody(_hub_settings(databases["hub"], keys, directory, ports))
        for player in PLAYERS:
            await _tell_token(databases[player.name], player, keys.tokens[player.name])
        children = {
            "directory": _directory_child(directory, databases["directory"], ports),
            "hub": _hub_child(directory, databases["hub"], keys, ports),
            **{player.name: _gateway_child(directory, databases[player.name], player, ports) for player in PLAYERS},
        }
        await _start(stack, children)
        urls = {player.name: f"http://{HOST}:{ports.of[player.name]}" for player in PLAYERS}
        yield Processes(Platform(urls, keys.tokens, f"http://{HOST}:{ports.of['hub']}"), children, broker)


async def _found(stack: AsyncExitStack, folder: Path, database: str, ports: Ports) -> Rabbit:
    """Keys and certificates for everybody, and a running broker that knows them."""
    settings = directory_settings(folder, ports.of["directory"])
    async with await PostgresStore.open(database, component=DIRECTORY) as store:
        directory = Directory(DIRECTORY, store=store, authority=founded_authority(settings.dir))
        async with directory.running():
            founder = Founder(directory, f"https://{HOST}:{settings.port}", "Demo", "demo")
            files = await everybody(founder, folder)
            broker = await stack.enter_async_context(rabbitmq(folder / "broker", files))
            async with managing(broker.management_url) as management:
                await provision.provision(management, await directory.registered())
            await founder.tell_broker(BROKER, f"amqps://{HOST}:{broker.port}/{VIRTUAL_HOST}")
            return broker


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


async def _admit_everybody(settings: chosen.HubSettings) -> None:
    async with operating(settings) as (desk, _):
        for player in PLAYERS:
            await desk.submit(admission(player), cause="demo")


async def _tell_token(database: str, player: Player, token: str) -> None:
    me = identifiers.party(player.id)
    async with await PostgresStore.open(database, component=me) as store:
        await know_token(store, token, me)


def _hub_settings(database: str, keys: Keys, folder: Path, ports: Ports) -> chosen.HubSettings:
    return chosen.HubSettings(
        hub=chosen.Hub(id=HUB_ID, secret=chosen.Secret(keys.hub_secret), beat_s=BEAT_S),
        database=chosen.Database(url=chosen.Secret(database)),
        mades=chosen.Mades(dir=member(folder, "hub")),
        http=chosen.Http(host=HOST, port=ports.of["hub"]),
    )


def _directory_child(folder: Path, database: str, ports: Ports) -> Child:
    values: Sections = {
        "directory": {
            "id": DIRECTORY_ID,
            "dir": str(folder / "directory"),
            "hosts": HOST,
            "port": ports.of["directory"],
        },
        **_common(database, ports.of["directory door"]),
    }
    return _child(folder, "directory", ("directory", "run"), values, ports.of["directory door"])


def _hub_child(folder: Path, database: str, keys: Keys, ports: Ports) -> Child:
    values: Sections = {
        "hub": {"id": HUB_ID, "secret": keys.hub_secret, "beat_s": BEAT_S},
        "mades": {"dir": str(member(folder, "hub"))},
        **_common(database, ports.of["hub"]),
    }
    return _child(folder, "hub", ("hub",), values, ports.of["hub"])


def _gateway_child(folder: Path, database: str, player: Player, ports: Ports) -> Child:
    values: Sections = {
        "participant": {"id": player.id, "role": player.role, "name": player.name},
        "gateway": {"hub_id": HUB_ID},
        "mades": {"dir": str(member(folder, player.name))},
        **_common(database, ports.of[player.name]),
    }
    return _child(folder, player.name, ("dso" if player in DSOS else "agr",), values, ports.of[player.name])


def _common(database: str, port: int) -> Sections:
    return {
        "database": {"url": database},
        "http": {"host": HOST, "port": port},
        "log": {"format": "json"},
    }


def _child(
    folder: Path,
    name: str,
    words: tuple[str, ...],
    values: Sections,
    port: int,
) -> Child:
    own = folder / "processes" / name
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(own / "settings.toml", "w", encoding="utf-8", opener=partial(os.open, mode=0o600)) as file:
        file.write(_toml(values))
    return Child(name, *words, folder=own, ready_url=f"http://{HOST}:{port}/health/ready")


def _toml(values: Sections) -> str:
    """Sections of texts and numbers; JSON's way to write them is TOML's too."""
    return "\n".join(
        f"[{section}]\n"
        + "".join(f"{name} = {msgspec.json.encode(value).decode()}\n" for name, value in content.items())
        for section, content in values.items()
    )


def _names() -> tuple[str, ...]:
    return tuple(player.name for player in PLAYERS)
