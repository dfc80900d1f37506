"""The life of a process of the platform: its database, its signals, and a desk for commands beside it (floor 7)."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Final, Generic, Protocol, TypeVar

import asyncpg
import structlog

from hub.clock import SystemClock
from hub.desk import Desk
from hub.errors import SettingsError, Unavailable
from hub.feed import Bells
from hub.ports import Brain
from hub.settings import EMBEDDED, DirectorySettings, GatewaySettings, HubSettings
from hub.store.embedded import EmbeddedPostgres, running_url
from hub.store.leadership import STANDING_BY, WAITING
from hub.store.postgres import PostgresStore
from hub.traces import Traces, no_traces
from hub.web.health import Health, Measure

STOPPING: Final = (signal.SIGINT, signal.SIGTERM)

log = structlog.get_logger("hub.process")


class Worker(Protocol):
    """A hub, a gateway or a message box."""

    def stop(self) -> None:
        """End in good order."""

    def trouble(self) -> str | None:
        """Why it takes no work at the moment; None when it does."""

    def measures(self) -> Iterable[Measure]:
        """What it does, in numbers."""


W = TypeVar("W", bound=Worker)


class Life(Generic[W]):
    """A process before and while its worker runs, so that signals and probes are answered from the first moment.

    `name` is what people call it, and begins its lines in the log.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.worker: W | None = None
        """None until it runs."""
        self.waiting = WAITING
        """Why it does not run yet."""
        self.has_lost_database = False
        self._main = asyncio.current_task()

    def stop(self) -> None:
        """End in good order, or give up waiting to begin."""
        if self.worker:
            self.worker.stop()
        elif self._main:
            self._main.cancel()

    def stand_by(self) -> None:
        """Another process holds the log: nothing is wrong here."""
        self.waiting = STANDING_BY

    def lead(self) -> None:
        """The log is ours to work on."""
        self.waiting = WAITING

    def lose_database(self) -> None:
        """The session that made this the one process is gone: another may take over at any moment."""
        self.has_lost_database = True
        event = f"{self.name}.database_lost"
        log.error(event)
        self.stop()

    def health(self) -> Health:
        """Not ready until the worker runs."""
        return Health(
            trouble=lambda: self.worker.trouble() if self.worker else self.waiting,
            measures=lambda: self.worker.measures() if self.worker else (),
        )


async def live(name: str, work: Callable[[Life[W]], Awaitable[None]]) -> None:
    """Work until SIGINT or SIGTERM, or to the end. Raises what `work` raises, and Unavailable: the database is lost."""
    life, loop = Life[W](name), asyncio.get_running_loop()
    for each in STOPPING:
        loop.add_signal_handler(each, life.stop)
    try:
        with suppress(asyncio.CancelledError):
            await work(life)
    finally:
        for each in STOPPING:
            loop.remove_signal_handler(each)
    if life.has_lost_database:
        raise Unavailable(f"The session at the database was lost. Start the {name} again.")


@asynccontextmanager
async def database(settings: HubSettings | GatewaySettings | DirectorySettings, name: str) -> AsyncIterator[str]:
    """The URL of a component's database; the embedded server runs for as long as the block lasts."""
    url = settings.database.url.reveal()
    if url != EMBEDDED:
        yield url
        return
    if (running := running_url(settings.database.dir, name)) and await _answers(running):
        yield running
        return
    async with EmbeddedPostgres(settings.database.dir, durable=True) as postgres:
        yield await postgres.database(name)


@asynccontextmanager
async def deciding(brain: Brain, store: PostgresStore) -> AsyncIterator[Desk]:
    """A desk of one's own on a log, for a command of the operator; a running component follows what it commits.

    Raises LogCorrupt, UnknownEvent, Unavailable.
    """
    desk = Desk(brain, store.log, store.commit, clock=SystemClock(), bells=Bells())
    await desk.start()
    work = asyncio.create_task(desk.run(), name="desk")
    try:
        yield desk
    finally:
        desk.stop()
        await work


@asynccontextmanager
async def tracing(url: str, component: str) -> AsyncIterator[Traces]:
    """Where a component tells its spans: a collector at `url`, or nobody when that is empty. Raises SettingsError."""
    if not url:
        yield no_traces
        return
    try:
        from hub import otel  # noqa: PLC0415 - an extra, and a cost to nobody who has no traces
    except ImportError as error:
        raise SettingsError(
            "traces.url is set, but OpenTelemetry is not installed. "
            "Install the extra `otel` of trade-permission-system, or leave traces.url empty."
        ) from error
    async with otel.sending(url, component) as traces:
        yield traces


async def _answers(url: str) -> bool:
    """Whether a server is there; a killed one may have left its socket behind."""
    try:
        connection = await asyncpg.connect(url)
    except (OSError, asyncpg.PostgresError):
        return False
    await connection.close()
    return True
