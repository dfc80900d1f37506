"""Where the bench takes place: directory, PostgreSQL, broker, sender and receiver, each a process but the directory."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from gateways.demo.rabbitmq import rabbitmq
from hub.directory.values import Party
from hub.directory_service import Directory
from hub.directory_service.authority import founded_authority
from hub.directory_service.founding import Founder, ServerFiles
from hub.directory_service.process import serving
from hub.mades import provision
from hub.mades.management import managing
from hub.mades.paths import VIRTUAL_HOST
from hub.settings import Directory as Chosen
from hub.store.embedded import EmbeddedPostgres
from hub.store.memory import MemoryStore
from hub.store.migrate import migrate
from tests.bench import measures
from tests.bench.order import ALPHA, BROKER, HUB, BrokerFiles, Given

HOST = "127.0.0.1"
DIRECTORY_ID = "45X-TPS-DIR-DEMS"
MEMBERS = {"sender": (ALPHA, Party.AGR), "receiver": (HUB, Party.HUB)}


class Ground(Struct, frozen=True):
    """What components stand on: PostgreSQL, and the processes so far; everybody's keys are in `folder`."""

    folder: Path
    postgres: EmbeddedPostgres
    processes: Mapping[str, int]


class Site(Struct, frozen=True):
    """The running platform: the line to the sender, and who runs as which process."""

    sender: asyncio.subprocess.Process
    processes: Mapping[str, int]
    folders: Mapping[str, Path]


@asynccontextmanager
async def site(folder: Path, *, broker: str) -> AsyncIterator[Site]:
    """Everything for as long as the block lasts; `broker` is embedded or rabbitmq.

    Raises:
        Unavailable: no RabbitMQ can be had.
    """
    async with ground(folder, MEMBERS, broker=broker) as place, AsyncExitStack() as stack:
        children = {name: await _component(stack, place, name) for name in ("receiver", "sender")}
        processes = {name: child.pid for name, child in children.items()} | dict(place.processes)
        yield Site(children["sender"], processes, {name: folder / name for name in MEMBERS})


@asynccontextmanager
async def ground(folder: Path, members: Mapping[str, tuple[str, Party]], *, broker: str) -> AsyncIterator[Ground]:
    """Directory, PostgreSQL and broker for as long as the block lasts, with these members (by name: code and party).

    Raises:
        Unavailable: no RabbitMQ can be had.
    """
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(EmbeddedPostgres(folder / "database", durable=True))
        settings = Chosen(id=DIRECTORY_ID, dir=folder / "directory", hosts=HOST, port=0)
        authority = founded_authority(settings.dir)
        store = MemoryStore(component=f"A01:{DIRECTORY_ID}")
        directory = Directory(f"A01:{DIRECTORY_ID}", store=store, authority=authority)
        await stack.enter_async_context(directory.running())
        founder = Founder(directory, await stack.enter_async_context(serving(directory, settings)), "Bench", "bench")
        for name, (code, party) in members.items():
            await founder.enrol(folder / name, code, party)
        (folder / "broker").mkdir()
        files = await founder.enrol_broker(folder / "broker", BROKER, hosts=[HOST])
        url, broker_pid = await (_rabbitmq if broker == "rabbitmq" else _embedded)(stack, folder, files, directory)
        await founder.tell_broker(BROKER, url)
        processes = {"postgresql": postgres.pid}
        if broker_pid is not None:
            processes["broker"] = broker_pid
        yield Ground(folder, postgres, processes)


async def _embedded(
    stack: AsyncExitStack, folder: Path, files: ServerFiles, directory: Directory
) -> tuple[str, int | None]:
    given = BrokerFiles(
        str(files.certificate),
        str(files.key),
        str(files.authority),
        {each.code: (each.party.value, each.suffix) for each in await directory.registered()},
    )
    process, said = await child(stack, folder, "broker", given)
    return str(said["url"]), process.pid


async def _rabbitmq(
    stack: AsyncExitStack, folder: Path, files: ServerFiles, directory: Directory
) -> tuple[str, int | None]:
    node = await stack.enter_async_context(rabbitmq(folder / "rabbitmq", files))
    async with managing(node.management_url) as management:
        await provision.provision(management, await directory.registered())
    return f"amqps://{HOST}:{node.port}/{VIRTUAL_HOST}", measures.named("beam.smp")


async def _component(stack: AsyncExitStack, place: Ground, name: str) -> asyncio.subprocess.Process:
    code, party = MEMBERS[name]
    database = await place.postgres.database(name)
    await migrate(database)
    given = Given(code, party.value, str(place.folder / name), database)
    process, _ = await child(stack, place.folder, "component", given)
    return process


async def child(
    stack: AsyncExitStack, folder: Path, module: str, given: Struct
) -> tuple[asyncio.subprocess.Process, dict[str, Any]]:
    """A process of the bench that has said its first word; it ends when its input does."""
    with (folder / f"{module}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"tests.bench.{module}",
            msgspec.json.encode(given).decode(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            limit=1 << 26,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    stack.push_async_callback(_end, process)
    return process, await answer(process, dict[str, Any])


async def answer(child: asyncio.subprocess.Process, kind: type[Any]) -> Any:  # Any: of that type
    """The next line that a process says."""
    assert child.stdout is not None
    line = await child.stdout.readline()
    if not line:
        raise RuntimeError(f"A process of the bench has ended: {await child.wait()}. See its log.")
    return msgspec.json.decode(line, type=kind)


async def _end(child: asyncio.subprocess.Process) -> None:
    assert child.stdin is not None
    child.stdin.close()
    try:
        async with asyncio.timeout(15):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()
