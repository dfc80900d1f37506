"""The directory on real ground: its database, its authority, its two doors, signals (floor 7)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog

from documents import identifiers
from documents.values import Identifier
from hub.directory.values import Configuration, Contact, Url
from hub.directory_service.authority import open_authority
from hub.directory_service.directory import Directory
from hub.directory_service.doors import Components, Operator
from hub.directory_service.gate import Gate
from hub.errors import Rejected, SettingsError
from hub.mades.membership import implementation
from hub.process import STOPPING, database
from hub.settings import Directory as Chosen
from hub.settings import DirectorySettings, Http
from hub.store.migrate import migrate
from hub.store.postgres import PostgresStore
from hub.web.health import listening

DATABASE: Final = "directory"
RENEWAL_S: Final = 86_400.0

log = structlog.get_logger("hub.directory")


def directory_code(chosen: Chosen) -> Identifier:
    """Who the directory is. Raises IdentifierError."""
    return identifiers.parse_identifier(chosen.id)


async def serve(settings: DirectorySettings) -> None:
    """Run the directory until SIGINT or SIGTERM.

    Raises:
        SettingsError: the database refuses us or is not ours, the authority cannot be used, or a port is taken.
        Unavailable: the database does not answer.
    """
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for name in STOPPING:
        loop.add_signal_handler(name, stopping.set)
    try:
        async with opened(settings) as directory, serving(directory, settings.directory), looking(directory, settings):
            log.info("directory.ready", component=directory.code)
            async with keeping(Gate(directory, settings.management)):
                await _first_of(stopping, directory.ended)
    finally:
        for name in STOPPING:
            loop.remove_signal_handler(name)


@asynccontextmanager
async def keeping(gate: Gate) -> AsyncIterator[None]:
    """The broker follows the directory, for as long as the block lasts."""
    work = asyncio.create_task(gate.keep(), name="directory.gate")
    try:
        yield
    finally:
        work.cancel()
        await asyncio.wait({work})


async def _first_of(*events: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait(), name="directory.wait") for event in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


@asynccontextmanager
async def opened(settings: DirectorySettings, *, cause: str = "directory") -> AsyncIterator[Directory]:
    """The running directory on its own store, beside whatever other process works on the same log.

    `cause` is what the log keeps with all that is done.

    Raises SettingsError, Unavailable.
    """
    chosen = settings.directory
    authority = open_authority(chosen.dir, validity=timedelta(days=chosen.validity_days))
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(database(settings, DATABASE))
        await migrate(url)
        store = await stack.enter_async_context(
            await PostgresStore.open(
                url,
                component=directory_code(chosen),
                min_connections=settings.database.pool_min,
                max_connections=settings.database.pool_max,
            )
        )
        directory = Directory(
            directory_code(chosen),
            store=store,
            authority=authority,
            ttl=timedelta(seconds=chosen.ttl_s),
            cause=cause,
        )
        yield await stack.enter_async_context(directory.running())


@asynccontextmanager
async def serving(directory: Directory, chosen: Chosen, *, by: str = "directory") -> AsyncIterator[str]:
    """The door for components, for as long as the block lasts; yields its address.

    The directory is a component of itself first, and renews its own certificates while it serves.

    Raises:
        OSError: the port cannot be used.
    """
    context = directory.authority.server_context(chosen.host_names, now=directory.clock.now())
    http = Http(host=chosen.host, port=chosen.port)
    async with listening(Components(directory).application(), http, tls=context) as port:
        address = f"https://{chosen.host_names[0]}:{port}"
        await directory.establish(_contact(chosen), _configuration(chosen, address), by=by)
        renewing = asyncio.create_task(_renew(directory), name="directory.renewal")
        try:
            yield address
        finally:
            renewing.cancel()


@asynccontextmanager
async def looking(directory: Directory, settings: DirectorySettings) -> AsyncIterator[int]:
    """The operator's door, for as long as the block lasts; yields its port. Raises SettingsError: it is taken."""
    try:
        async with listening(Operator(directory).application(), settings.http) as port:
            yield port
    except OSError as error:
        raise SettingsError(
            f"Port {settings.http.port} cannot be used: {error}. Choose another one with http.port."
        ) from error


async def _renew(directory: Directory) -> None:
    """Look daily whether the directory's own certificates end soon."""
    while True:
        try:
            await directory.renew_own()
        except Rejected as error:
            log.error("directory.not_renewed", error=error.text)
        await directory.clock.sleep(RENEWAL_S)


def _contact(chosen: Chosen) -> Contact:
    return Contact(organization=chosen.organization, person="", email=chosen.email, phone="")


def _configuration(chosen: Chosen, address: str) -> Configuration:
    return Configuration(
        networks=(chosen.network,),
        urls=(Url(network=chosen.network, address=address),),
        implementation=implementation(),
    )
