"""The hub as one process: the only place where its parts are put together (floor 7; ARCHITECTURE 9).

`Hub` is wired from adapters that its owner opened, so that the demo, the tests and production run the same code.
`serve` opens the real ones as the settings say. Stop order: not ready, stop taking messages, wake all waits, drain.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import asyncpg
import structlog
from aiohttp import web

from documents import identifiers
from documents.codes import ReasonCode
from documents.values import Identifier, Mrid
from hub import intake
from hub.brain import BrainSettings, HubBrain, keyed_mrid
from hub.clock import SystemClock
from hub.commands import Command, Quarantine, RaiseAlarm, RefuseDocument
from hub.compose import Letterhead, decoded
from hub.desk import Desk
from hub.dispatch import Dispatch
from hub.errors import Unavailable
from hub.feed import Bells, Feed
from hub.mades.amqp import AmqpTransport
from hub.mades.endpoint import Endpoint, Incoming
from hub.mades.message import URGENT
from hub.mades.paths import Party
from hub.ports import OPERATOR, Clock, InboxEntry, Scope, Transport
from hub.rows import PARTICIPANTS, Participant
from hub.settings import EMBEDDED, HubSettings
from hub.settings import Hub as Market
from hub.store.embedded import EmbeddedPostgres, running_url
from hub.store.memory import MemoryStore
from hub.store.migrate import migrate
from hub.store.postgres import PostgresStore
from hub.web.health import Health, Measure, listening

LARGE_BYTES: Final = 64 * 1024
"""From here on a document is read in a thread: parsing would hold up the loop."""
FOLLOW_S: Final = 1.0
"""How often the log is looked at for what the command line has committed."""
RETRY_S: Final = 2.0
PARTICIPANTS_S: Final = 60.0
STANDBY_LOCK: Final = (728302, 1)
DATABASE: Final = "hub"

Store = PostgresStore | MemoryStore

log = structlog.get_logger("hub.app")
security = structlog.get_logger("tps.security")


class Hub:
    """A running hub on the given store and transport; see the module's charter."""

    def __init__(self, market: Market, *, store: Store, transport: Transport, clock: Clock | None = None) -> None:
        self.id = hub_id(market)
        self._market, self._store, self._transport, self._clock = market, store, transport, clock or SystemClock()
        self._stopping = asyncio.Event()
        self._is_ready = False
        self._parties: dict[str, Party] = {}
        self.bells = Bells()
        self.feed = Feed(store.rows, self.bells, self._clock)
        self.brain = brain_of(market)
        self.desk = Desk(
            self.brain,
            store.log,
            store.commit,
            clock=self._clock,
            bells=self.bells,
            quarantine=quarantine,
            committed=self._committed,
        )
        self.dispatch = Dispatch(store.rows, store.outbox, head=letterhead(market), clock=self._clock, memory=store)
        self.endpoint = Endpoint(
            self.id,
            party=Party.HUB,
            hub=self.id,
            transport=transport,
            outbox=store.outbox,
            inbox=store.commit,
            clock=self._clock,
            render=self.dispatch.render,
            receive=self.receive,
            party_of=self.party_of,
        )

    async def run(self) -> None:
        """Replay the log, then work until `stop`. A part that ends early ends the whole."""
        await self.desk.start()
        seen = await self._take_in_participants(0, timeout_s=0)
        async with asyncio.TaskGroup() as tasks:
            desk = tasks.create_task(self._lasting(self.desk.run()), name="desk")
            loops = [
                tasks.create_task(self._lasting(loop), name=name)
                for name, loop in (
                    ("endpoint", self.endpoint.run()),
                    ("beat", self.dispatch.beat(self._market.beat_s, self.endpoint.wake)),
                    ("watch", self.dispatch.watch(self._market.alarm_s, self._alarm)),
                    ("follow", self._follow()),
                    ("participants", self._follow_participants(seen)),
                )
            ]
            self._is_ready = True
            log.info("hub.ready", hub=self.id, position=self.desk.position)
            await self._stopping.wait()
            self._is_ready = False
            for loop in loops:
                loop.cancel()
            self.bells.close()
            self.desk.stop()
            await desk
        log.info("hub.stopped", position=self.desk.position)

    def stop(self) -> None:
        """Let `run` end in good order."""
        self._stopping.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Hub"]:
        """The hub for as long as the block lasts."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.run(), name="hub")
            try:
                yield self
            finally:
                self.stop()

    async def receive(self, incoming: Incoming) -> None:
        """Take in one message: durable, with its answer, when this returns (R26, R29)."""
        message = incoming.message
        envelope = intake.Envelope(
            sender=Identifier(message.sender), business_type=message.business_type, message_id=message.message_id
        )
        command = await self._read(message.content, envelope)
        if isinstance(command, RefuseDocument) and command.reasons[0].code == ReasonCode.SENDER_INVALID:
            security.warning("document.refused", sender=envelope.sender, business_type=envelope.business_type)
        await self.desk.submit(
            command,
            cause=_cause(command),
            inbox=incoming.entry,
            payload=message.content,
            urgent=message.business_type in URGENT,
        )

    def party_of(self, code: str) -> Party | None:
        """What a component is in the exchange; None for one that is no participant."""
        return self._parties.get(code)

    async def _read(self, content: bytes, envelope: intake.Envelope) -> Command:
        """The command in a message; a document that makes the reader itself fail is set aside (R30)."""
        read = partial(intake.read, content, envelope=envelope, hub=self.id, national=self._market.national_scheme)
        try:
            return await asyncio.to_thread(read) if len(content) > LARGE_BYTES else read()
        except Exception as error:
            log.error("document.unreadable", message=envelope.message_id, sender=envelope.sender, exc_info=error)
            origin = intake.unreadable_origin(content, envelope)
            return Quarantine(origin=origin, message_id=envelope.message_id, error=type(error).__name__)

    async def _alarm(self, subject: str, text: str) -> None:
        await self.desk.submit(RaiseAlarm(subject=subject, text=text), cause=f"alarm/{subject}", urgent=True)

    async def _follow(self) -> None:
        """Notice what another process (the command line) has committed."""
        while True:
            await self._clock.sleep(FOLLOW_S)
            with suppress(Unavailable):
                if await self._store.log.head() > self.desk.position:
                    await self.desk.catch_up()

    async def _follow_participants(self, seen: int) -> None:
        while True:
            seen = await self._take_in_participants(seen, timeout_s=PARTICIPANTS_S)

    async def _take_in_participants(self, seen: int, *, timeout_s: float) -> int:
        """Learn who is a participant, from the operator's rows after `seen`; returns the newest one seen."""
        items = await self.feed.wait(Scope(OPERATOR), PARTICIPANTS, after=seen, timeout_s=timeout_s, limit=10_000)
        for item in items:
            if participant := decoded(item, Participant):
                self._parties[participant.participant] = Party(participant.role.value)
        return items[-1].sequence if items else seen

    async def _lasting(self, loop: Coroutine[Any, Any, None]) -> None:
        """A loop that may only end when the hub is stopping."""
        await loop
        if not self._stopping.is_set():
            raise RuntimeError("A part of the hub ended by itself. See the log before this.")

    def _committed(self) -> None:
        self.endpoint.wake()

    def trouble(self) -> str | None:
        """Why this hub takes no work at the moment; None when it does."""
        if not self._is_ready:
            return "stopping" if self._stopping.is_set() else "starting"
        return self.endpoint.status().trouble

    def measures(self) -> Iterator[Measure]:
        """What this hub has done and what waits; no participant is named (NF3)."""
        status = self.endpoint.status()
        yield Measure("log_position", "Events in the log.", self.desk.position)
        yield Measure("commits_total", "Batches committed.", self.desk.commits, counts=True)
        yield Measure("commands_waiting", "Commands not decided yet.", self.desk.waiting)
        yield Measure("set_aside_total", "Documents that made the code fail (R30).", self.desk.set_aside, counts=True)
        yield Measure("messages_sent_total", "Messages the broker has confirmed.", status.sent, counts=True)
        yield Measure("messages_received_total", "Messages taken in.", status.received, counts=True)
        yield Measure("messages_repeated_total", "Messages that came again.", status.duplicates, counts=True)
        yield Measure("messages_refused_total", "Messages refused for good.", status.refused, counts=True)
        yield Measure("messages_dead_total", "Messages buried.", status.dead, counts=True)
        yield Measure("waits", "Waits for rows.", len(self.bells))


def hub_id(market: Market) -> Identifier:
    """Who the hub is, also its component code. Raises IdentifierError."""
    return identifiers.party(market.id, national=market.national_scheme)


def brain_of(market: Market) -> HubBrain:
    """The pure core of a hub."""
    return HubBrain(
        BrainSettings(hub=hub_id(market), secret=market.secret.reveal().encode(), national=market.national_scheme)
    )


def letterhead(market: Market) -> Letterhead:
    """What every document of this hub carries."""
    domain = identifiers.parse_identifier(market.domain, national=market.national_scheme)
    return Letterhead(hub=hub_id(market), domain=domain, zone=ZoneInfo(market.timezone))


def beat_mrid(market: Market, view: str, audience: Identifier, upto: int) -> Mrid:
    """The mRID of what a beat sends: the same when the same is sent again, and telling nothing (R18)."""
    return keyed_mrid(market.secret.reveal().encode(), "beat", view, audience, str(upto))


def memory_store(market: Market) -> MemoryStore:
    """A store that is gone with its process."""
    return MemoryStore(component=hub_id(market), mrid_of=partial(beat_mrid, market))


def quarantine(command: Any, message: InboxEntry | None, error: str) -> Quarantine | None:
    """The command that sets a document aside; None for an operator's command, whose operator sees the error (R30)."""
    origin = getattr(command, "origin", None)
    if origin is None:
        return None
    return Quarantine(origin=origin, message_id=message.message_id if message else "", error=error)


class _Process:
    """The hub before and while it runs, so that signals and probes are answered from the first moment."""

    def __init__(self) -> None:
        self.hub: Hub | None = None
        self.has_lost_database = False
        self._main = asyncio.current_task()

    def stop(self) -> None:
        """End in good order, or give up waiting to begin."""
        if self.hub:
            self.hub.stop()
        elif self._main:
            self._main.cancel()

    def lose_database(self) -> None:
        """The session that made this the one hub is gone: another may take over at any moment."""
        self.has_lost_database = True
        log.error("hub.database_lost")
        self.stop()

    def health(self) -> Health:
        """Not ready until the hub runs."""
        return Health(
            trouble=lambda: self.hub.trouble() if self.hub else "waiting to begin",
            measures=lambda: self.hub.measures() if self.hub else (),
        )


async def serve(settings: HubSettings) -> None:
    """Run the hub until it is told to stop; a second one on the same database stands by until the first is gone.

    Raises:
        SettingsError: the database refuses us or is not ours.
        Unavailable: the database is lost.
    """
    process = _Process()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, process.stop)
    with suppress(asyncio.CancelledError):
        await _serve(settings, process)
    if process.has_lost_database:
        raise Unavailable("The session at the database was lost. Start the hub again.")


async def _serve(settings: HubSettings, process: _Process) -> None:
    async with AsyncExitStack() as stack:
        app = web.Application()
        app.add_routes(process.health().routes())
        await stack.enter_async_context(listening(app, settings.http))
        url = await stack.enter_async_context(database(settings))
        await migrate(url)
        await stack.enter_async_context(leadership(url, process.lose_database))
        store = await stack.enter_async_context(await open_store(settings, url))
        transport = await _connected(settings)
        stack.push_async_callback(transport.close)
        process.hub = Hub(settings.hub, store=store, transport=transport)
        await process.hub.run()


@asynccontextmanager
async def operating(settings: HubSettings) -> AsyncIterator[tuple[Desk, PostgresStore]]:
    """A desk of one's own on the hub's log, for a command of the operator; a running hub follows what it commits.

    Raises:
        SettingsError: the database refuses us or is not ours.
        Unavailable: the database does not answer.
    """
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(database(settings))
        await migrate(url)
        store = await stack.enter_async_context(await open_store(settings, url))
        desk = Desk(brain_of(settings.hub), store.log, store.commit, clock=SystemClock(), bells=Bells())
        await desk.start()
        work = asyncio.create_task(desk.run(), name="desk")
        try:
            yield desk, store
        finally:
            desk.stop()
            await work


@asynccontextmanager
async def database(settings: HubSettings) -> AsyncIterator[str]:
    """The URL of the hub's database; the embedded server runs for as long as the block lasts."""
    url = settings.database.url.reveal()
    if url != EMBEDDED:
        yield url
        return
    if (running := running_url(settings.database.dir, DATABASE)) and await _answers(running):
        yield running
        return
    async with EmbeddedPostgres(settings.database.dir, durable=True) as postgres:
        yield await postgres.database(DATABASE)


async def _answers(url: str) -> bool:
    """Whether a server is there; a killed one may have left its socket behind."""
    try:
        connection = await asyncpg.connect(url)
    except (OSError, asyncpg.PostgresError):
        return False
    await connection.close()
    return True


async def open_store(settings: HubSettings, url: str) -> PostgresStore:
    """The hub's store in a migrated database. Raises SettingsError, Unavailable."""
    return await PostgresStore.open(
        url,
        component=hub_id(settings.hub),
        mrid_of=partial(beat_mrid, settings.hub),
        min_connections=settings.database.pool_min,
        max_connections=settings.database.pool_max,
    )


@asynccontextmanager
async def leadership(url: str, lost: Callable[[], None]) -> AsyncIterator[None]:
    """Be the one hub of this database: wait as the standby until the other's session has ended.

    `lost` is called when our own session ends before the block does.
    """
    connection = await asyncpg.connect(url)
    try:
        if not await _leads(connection):
            log.info("hub.standby")
            while not await _leads(connection):  # noqa: ASYNC110 # the other process has no way to tell us
                await asyncio.sleep(RETRY_S)

        def ended(_: object) -> None:
            lost()

        connection.add_termination_listener(ended)
        try:
            yield
        finally:
            connection.remove_termination_listener(ended)
    finally:
        await connection.close()


async def _leads(connection: "asyncpg.Connection[asyncpg.Record]") -> bool:
    return bool(await connection.fetchval("select pg_try_advisory_lock($1, $2)", *STANDBY_LOCK))


async def _connected(settings: HubSettings) -> AmqpTransport:
    """The road to the broker, as soon as it answers. Raises Refused."""
    code = hub_id(settings.hub)
    url = credentials(settings.broker.url.reveal(), code, settings.broker.password.reveal())
    while True:
        try:
            return await AmqpTransport.connect(url, code=code, heartbeat_s=settings.broker.heartbeat_s)
        except Unavailable as error:
            log.warning("broker.unavailable", retry_s=RETRY_S, error=str(error))
            await asyncio.sleep(RETRY_S)


def credentials(url: str, code: str, password: str) -> str:
    """A broker's address with a component's code and password in it, unless it names a user already."""
    parts = urlsplit(url)
    if parts.username:
        return url
    host = f"{quote(code, safe='')}:{quote(password, safe='')}@{parts.netloc}"
    return urlunsplit(parts._replace(netloc=host))


def _cause(command: Command) -> str:
    """What led to the events of a document: its sender and id; commands of one document keep their order (R28)."""
    origin = getattr(command, "origin", None)
    assert origin is not None, "only documents come from outside"
    return f"{origin.sender}/{origin.mrid or origin.title}"
