"""The hub on real ground: database, lock, broker, signals, probes; and the operator's own desk on the same log."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

from aiohttp import web

from hub.app.pages import operator_pages
from hub.app.parts import beat_mrid, brain_of, hub_id
from hub.app.renewal import renew
from hub.app.running import Hub
from hub.clock import SystemClock
from hub.desk import Desk
from hub.mades.membership import Membership
from hub.mades.notary import Notary
from hub.mades.paths import Party
from hub.process import Life, database, deciding, live, tracing
from hub.projections.catalogue import CATALOGUE
from hub.settings import HubSettings
from hub.store.leadership import leadership
from hub.store.migrate import migrate
from hub.store.postgres import PostgresStore
from hub.web.health import listening
from hub.web.sockets import allow_many_sockets

DATABASE: Final = "hub"


async def serve(settings: HubSettings) -> None:
    """Run the hub until it is told to stop; a second one on the same database stands by until the first is gone.

    Raises:
        SettingsError: the database refuses us or is not ours, or we are not registered as this hub.
        Unavailable: the database is lost.
    """
    allow_many_sockets()
    await live("hub", partial(_serve, settings))


async def _serve(settings: HubSettings, life: Life[Hub]) -> None:
    def hear(position: int) -> None:
        """Somebody has committed: the hub itself, or the command line."""
        if life.worker:
            life.worker.hear(position)

    _membership(settings)  # who is not registered is told at once
    async with AsyncExitStack() as stack:
        traces = await stack.enter_async_context(tracing(settings.traces.url, hub_id(settings.hub)))
        app = web.Application()
        app.add_routes(life.health().routes())
        await stack.enter_async_context(listening(app, settings.http))
        url = await stack.enter_async_context(database(settings, DATABASE))
        await migrate(url)
        await stack.enter_async_context(leadership(url, life.lose_database, hear, standing_by=life.stand_by))
        life.lead()
        membership = _membership(settings)  # its certificates may have been renewed while we stood by
        store = await stack.enter_async_context(await open_store(settings, url))
        transport = await stack.enter_async_context(
            membership.exchanging(Party.HUB, hub=membership.code, heartbeat_s=settings.broker.heartbeat_s)
        )
        hub = life.worker = Hub(
            settings.hub,
            store=store,
            transport=transport,
            seals=membership.seals,
            notary=Notary(membership.folder),
            renew=partial(renew, url, settings.hub),
            traces=traces,
        )
        if settings.web.is_on:
            pages = operator_pages(hub, settings.hub, settings.web, store=store, clock=SystemClock())
            await stack.enter_async_context(pages.running())
        await hub.run()


def _membership(settings: HubSettings) -> Membership:
    membership = Membership(settings.mades.dir, clock=SystemClock(), url=settings.broker.url)
    membership.must_be(hub_id(settings.hub), "hub.id")
    return membership


@asynccontextmanager
async def maintaining(settings: HubSettings) -> AsyncIterator[tuple[str, PostgresStore]]:
    """The URL of the hub's migrated database and its store, for what needs no decision; a running hub goes on.

    Raises:
        SettingsError: the database refuses us or is not ours.
        Unavailable: the database does not answer.
    """
    async with database(settings, DATABASE) as url:
        await migrate(url)
        async with await open_store(settings, url) as store:
            yield url, store


@asynccontextmanager
async def reading(settings: HubSettings) -> AsyncIterator[PostgresStore]:
    """The hub's store, for a command that only looks, whether a hub is running or not. Raises as `maintaining`."""
    async with maintaining(settings) as (_, store):
        yield store


@asynccontextmanager
async def operating(settings: HubSettings) -> AsyncIterator[tuple[Desk, PostgresStore]]:
    """A desk on the hub's log, for a command of the operator. Raises as `maintaining`; LogCorrupt, UnknownEvent."""
    async with maintaining(settings) as (_, store), deciding(brain_of(settings.hub), store) as desk:
        yield desk, store


async def open_store(settings: HubSettings, url: str) -> PostgresStore:
    """The hub's store in a migrated database. Raises SettingsError, Unavailable."""
    store = await PostgresStore.open(
        url,
        component=hub_id(settings.hub),
        mrid_of=partial(beat_mrid, settings.hub),
        min_connections=settings.database.pool_min,
        max_connections=settings.database.pool_max,
    )
    await store.projections.begin({entry.name: entry.version for entry in CATALOGUE})
    return store
