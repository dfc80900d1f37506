"""A message box as a process of its own, and its operations for a command of the operator (floor 7)."""

import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Final

import structlog
from aiohttp import web

from documents import identifiers
from documents.values import Identifier
from hub.clock import SystemClock
from hub.errors import SettingsError
from hub.mades.backlog import Backlog
from hub.mades.box.brain import BoxBrain
from hub.mades.box.operations import Operations
from hub.mades.box.queue_broker import Place
from hub.mades.box.queues import BusinessQueues
from hub.mades.box.running import MessageBox
from hub.mades.membership import Membership
from hub.mades.paths import Party
from hub.process import Life, database, deciding, live
from hub.settings import GatewaySettings, Queues
from hub.store.migrate import migrate
from hub.store.postgres import PostgresStore
from hub.web.health import listening

Work = Callable[[], Coroutine[Any, Any, None]]
DATABASE: Final = "message_box"
"""The embedded database; a box and a gateway of one participant never share a log."""

log = structlog.get_logger("hub.app")


def codes(settings: GatewaySettings) -> tuple[Identifier, Identifier]:
    """The box's own code and that of its hub. Raises IdentifierError."""
    national = settings.gateway.national_scheme
    return (
        identifiers.party(settings.participant.id, national=national),
        identifiers.party(settings.gateway.hub_id, national=national),
    )


async def serve(settings: GatewaySettings) -> None:
    """Run a message box until SIGINT or SIGTERM.

    Raises:
        SettingsError: the database refuses us or holds the store of another component, or we are not registered.
        UnknownEvent: the database holds the log of something else.
        Unavailable: the database does not answer.
    """
    await live("message box", partial(_serve, settings))


@asynccontextmanager
async def operating(settings: GatewaySettings) -> AsyncIterator[Operations]:
    """The operations on a desk of one's own; a running box follows what they commit and carries it.

    Raises:
        SettingsError, UnknownEvent, Unavailable: as `serve`.
    """
    code, hub = codes(settings)
    async with opened_store(settings) as store:
        brain, clock = BoxBrain(code), SystemClock()
        async with deciding(brain, store) as desk:
            yield Operations(
                code,
                party=Party(settings.participant.role.value),
                party_of=lambda other: Party.HUB if other == hub else None,
                desk=desk,
                brain=brain,
                store=store,
                clock=clock,
                backlog=Backlog(store.outbox, clock, most=settings.gateway.waiting_max),
            )


async def _serve(settings: GatewaySettings, life: Life[MessageBox]) -> None:
    code, hub = codes(settings)
    party = Party(settings.participant.role.value)
    membership = Membership(settings.mades.dir, clock=SystemClock(), url=settings.broker.url)
    membership.must_be(code, "participant.id")
    async with AsyncExitStack() as stack:
        app = web.Application()
        app.add_routes(life.health().routes())
        await stack.enter_async_context(listening(app, settings.http))
        store = await stack.enter_async_context(opened_store(settings))
        transport = await stack.enter_async_context(
            membership.exchanging(party, hub=hub, heartbeat_s=settings.broker.heartbeat_s)
        )
        box = life.worker = MessageBox(
            code,
            party=party,
            hub=hub,
            store=store,
            transport=transport,
            seals=membership.seals,
            clock=SystemClock(),
            most_waiting=settings.gateway.waiting_max,
        )
        await box.run(*_beside(box, store, settings))


def _beside(box: MessageBox, store: PostgresStore, settings: GatewaySettings) -> Iterator[Work]:
    """What runs with the box: the business application's queues, where it has some. Raises SettingsError."""
    if not settings.queues.url.reveal():
        return
    queues = BusinessQueues(
        box.code,
        _place(settings.queues),
        operations=box.operations,
        desk=box.desk,
        brain=box.brain,
        outbox=store.outbox,
        bells=box.bells,
        clock=SystemClock(),
        heartbeat_s=settings.broker.heartbeat_s,
    )
    box.on_state_changed(queues.changed)
    yield queues.run


def _place(queues: Queues) -> Place:
    url = queues.url.reveal()
    if not url.startswith("amqps:"):
        return Place(url, prefix=queues.prefix)
    try:
        context = ssl.create_default_context(cafile=queues.ca_file)
        if queues.cert_file:
            context.load_cert_chain(queues.cert_file, queues.key_file)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"queues: found {error}. Expected: ca_file, cert_file and key_file that this user may read."
        ) from error
    return Place(url, tls=context, prefix=queues.prefix)


@asynccontextmanager
async def opened_store(settings: GatewaySettings) -> AsyncIterator[PostgresStore]:
    """The box's store, for a command beside the box. Raises SettingsError, Unavailable."""
    async with database(settings, DATABASE) as url:
        await migrate(url)
        opened = await PostgresStore.open(
            url,
            component=codes(settings)[0],
            min_connections=settings.database.pool_min,
            max_connections=settings.database.pool_max,
        )
        async with opened as store:
            yield store
