"""The gateway of one participant: a small machine like the hub (floor 7).

REST on one side, MADES on the other.

Builds desk, reader, endpoint and door around one store and one transport, and runs them as named tasks. What an AGR
or a DSO does with it is its `Trade` and its table of routes; `gateways.agr.app` and `gateways.dso.app` put them
together.
"""

import asyncio
import logging
import ssl
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, Final, Literal
from uuid import uuid4

import msgspec
import structlog
from aiohttp import web

from documents import registry
from documents.codes import Role as RoleCode
from documents.identifiers import identifier, party
from documents.model import Document, GlMarketDocument, Party, RefMarketDocument
from documents.values import Mrid
from gateways import contract, problems
from gateways.brain import GatewayBrain
from gateways.charts import Charts
from gateways.collecting import Collecting
from gateways.commands import Ask, NoteFailure, Remind
from gateways.events import Reminded
from gateways.identity import Identity
from gateways.inbound import Inbound, set_aside
from gateways.outbound import Outbound
from gateways.pages import Pages, Sources
from gateways.positions import Positions
from gateways.reading import Reader
from gateways.rest import Door, Route
from gateways.rows import Outgoing
from gateways.trade import Trade
from hub import settings
from hub.aside import aside
from hub.desk import Desk
from hub.errors import Unavailable
from hub.feed import Bells, Feed
from hub.mades import paths
from hub.mades.backlog import Backlog
from hub.mades.endpoint import Endpoint, Incoming, Seals
from hub.ports import Clock, Item, MessageState, OutgoingMessage, Scope, Transport
from hub.store.memory import MemoryStore
from hub.store.postgres import PostgresStore
from hub.traces import Traces, no_traces
from hub.values import Role
from hub.web.exchange import exchange_measures
from hub.web.health import Health, Measure
from hub.web.runner import WordedRunner

log = structlog.get_logger("gateways.gateway")

BEAT_S: Final = 5.0
"""Time between looks for reminders, requests that are due, and documents that failed unnoticed."""
UNANSWERED: Final = timedelta(hours=48)
"""After this a document without an answer counts as failed: it was RECEIVED, and answers live for 24 hours (R27)."""
BIG_SERIES: Final = 10
"""Above it a document is written beside the loop: ten plans of a day are 100 kB."""
MAX_LINE: Final = 64 * 1024
"""Bytes of a request line: a thousand ids fit into a query."""
ROLES: Final[Mapping[Role, str]] = {
    Role.AGR: RoleCode.RESOURCE_PROVIDER.value,
    Role.BRP: RoleCode.BALANCE_RESPONSIBLE.value,
    Role.DSO: RoleCode.DISTRIBUTION_SYSTEM_OPERATOR.value,
}


def identity(chosen: settings.GatewaySettings) -> Identity:
    """Who a gateway with these settings is. Raises IdentifierError."""
    national = chosen.gateway.national_scheme
    return Identity(
        me=Party(party(chosen.participant.id, national=national), ROLES[chosen.participant.role]),
        hub=Party(party(chosen.gateway.hub_id, national=national), RoleCode.INFORMATION_AGGREGATOR.value),
        domain=identifier("A01", chosen.gateway.domain),
        national=national,
        timezone=chosen.gateway.timezone,
    )


class Gateway:
    """See the module's charter. `run` until `stop`; `url` is known once `opened` is set."""

    def __init__(
        self,
        chosen: settings.GatewaySettings,
        trade: Trade,
        routes: Sequence[Route],
        *,
        api: Literal["agr", "dso"],
        charts: Charts,
        subjects: Sequence[str],
        store: PostgresStore | MemoryStore,
        transport: Transport,
        seals: Seals,
        clock: Clock,
        traces: Traces = no_traces,
    ) -> None:
        """`subjects` are what the hub is asked for at the first start and daily (R13)."""
        self.settings, self.store, self.clock, self.api = chosen, store, clock, api
        self.who = who = identity(chosen)
        self.traces = traces
        self._trade, self._subjects, self._transport = trade, subjects, transport
        self.brain = GatewayBrain(who, trade)
        self.bells = Bells()
        self.endpoint = Endpoint(
            who.me.id,
            party=paths.Party(chosen.participant.role.value),
            hub=who.hub.id,
            transport=transport,
            outbox=store.outbox,
            inbox=store.commit,
            clock=clock,
            seals=seals,
            render=self.render,
            receive=self._receive,
            failed=self._doubted,
            traces=traces,
        )
        self.desk = Desk(
            self.brain,
            store.log,
            store.commit,
            clock=clock,
            bells=self.bells,
            quarantine=set_aside,
            leaving=self.endpoint.wake,
        )
        self._positions = Positions(store.tokens, clock)
        self.reader = Reader(
            store.rows,
            Scope(who.audience),
            feed=Feed(store.rows, self.bells, clock),
            positions=self._positions,
            clock=clock,
            page_max=chosen.http.page_max,
        )
        self.backlog = Backlog(store.outbox, clock, most=chosen.gateway.waiting_max)
        self.outbound = Outbound(
            self.desk,
            self.brain,
            self.reader,
            store.idempotency,
            who=who,
            clock=clock,
            backlog=self.backlog,
            traces=traces,
        )
        self.inbound = Inbound(self.desk, who=who, settled=self.outbound.settled)
        self.door = Door(self, participant=who.me.id, tokens=store.tokens, clock=clock, http=chosen.http)
        health = Health(trouble=self.trouble, measures=self.measures)
        self.pages = self._own_pages(charts) if chosen.gateway.ui else None
        own = self.pages.routes() if self.pages else ()
        self.application = self.door.application(routes, [*contract.routes(api), *health.routes()], own)
        self.opened = asyncio.Event()
        self._stopping = asyncio.Event()
        self.url = ""
        self._doubtful: set[Mrid] = set()
        self._doubt = asyncio.Event()
        self.collecting = Collecting(self.desk, cause=f"{who.me.id}/collected", clock=clock)

    async def run(self) -> None:
        """Replay the log, open the door, work until `stop`. A part that ends early ends the whole.

        Raises:
            OSError: the port cannot be used.
        """
        await self.desk.start()
        self._doubtful.update(self.brain.overdue(self.clock.now() + timedelta(days=1)))
        runner = await self._open()
        async with asyncio.TaskGroup() as tasks:
            desk = tasks.create_task(self._lasting(self.desk.run()), name="gateway.desk")
            loops = [
                tasks.create_task(self._lasting(loop), name=f"gateway.{name}")
                for name, loop in (
                    ("endpoint", self.endpoint.run()),
                    ("failures", self._look_after_failures()),
                    ("collected", self.collecting.run()),
                    ("positions", self._positions.run()),
                    ("beat", self._beat()),
                )
            ]
            try:
                await self._stopping.wait()
            finally:
                await self._close(runner)
            for loop in loops:
                loop.cancel()
            with suppress(Unavailable):
                await self._positions.store()
            tasks.create_task(self.collecting.last(), name="gateway.last_collected")
            await asyncio.sleep(0)
            self.desk.stop()
            await desk
        log.info("gateway.stopped", position=self.desk.position)

    def stop(self) -> None:
        """Let `run` end in good order: no new requests, every wait answered, what is queued stored."""
        self._stopping.set()

    def trouble(self) -> str | None:
        """Why this gateway takes no work at the moment; None when it does."""
        if not self.opened.is_set():
            return "stopping" if self._stopping.is_set() else "starting"
        return self.endpoint.status().trouble

    def measures(self) -> Iterator[Measure]:
        """What this gateway has done and what waits; no participant is named (NF3)."""
        yield Measure("log_position", "Events in the log.", self.desk.position)
        yield Measure("commits_total", "Batches committed.", self.desk.commits, counts=True)
        yield Measure("commands_waiting", "Commands not decided yet.", self.desk.waiting)
        yield Measure("set_aside_total", "Documents that made the code fail (R30).", self.desk.set_aside, counts=True)
        yield from exchange_measures(self.endpoint.status())
        yield Measure("polls", "Long polls that wait.", self.door.polling)

    async def render(self, messages: Sequence[OutgoingMessage]) -> Mapping[str, bytes]:
        """The bytes of outgoing documents, by message id. Raises Unavailable."""
        sourced = [(message.message_id, message.source) for message in messages if message.source]
        slices = await self.store.rows.slices([source for _, source in sourced])
        return {
            message_id: await self._rendered(items[-1]) for (message_id, _), items in zip(sourced, slices, strict=True)
        }

    def _own_pages(self, charts: Charts) -> Pages:
        return Pages(
            Sources(
                participant=self.who.me.id,
                role=self.settings.participant.role.value,
                name=self.settings.participant.name,
                zone=self.who.timezone,
                tokens=self.store.tokens,
                rows=self.store.rows,
                feed=Feed(self.store.rows, self.bells, self.clock),
                views=charts.views,
                read=lambda span: charts.read(self.reader, span),
                admit=self.door.must_not_ask_too_often,
                clock=self.clock,
            )
        )

    async def _open(self) -> web.AppRunner:
        http = self.settings.http
        # Without handler_cancellation a poll whose client has left stays until its timeout.
        runner = WordedRunner(
            self.application,
            wording=problems.unreadable,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=2.0,
            max_line_size=MAX_LINE,
            logger=_mute(),
        )
        await runner.setup()
        await web.TCPSite(runner, http.host, http.port, ssl_context=_tls(http), backlog=1024).start()
        port = runner.addresses[0][1]
        self.url = f"{'https' if http.cert_file else 'http'}://{http.host}:{port}"
        self.opened.set()
        log.info("gateway.opened", participant=self.who.me.id, url=self.url)
        return runner

    async def _close(self, runner: web.AppRunner) -> None:
        """Take no new requests, answer every wait, let what is being answered end."""
        self.opened.clear()
        self._stopping.set()
        self.bells.close()
        if self.pages:
            self.pages.close()
        self.outbound.close()
        await runner.cleanup()

    async def _lasting(self, loop: Coroutine[Any, Any, None]) -> None:
        """A loop that may only end when the gateway is stopping."""
        await loop
        if not self._stopping.is_set():
            raise RuntimeError("A part of the gateway ended by itself. See the log before this.")

    async def _receive(self, incoming: Incoming) -> None:
        await self.inbound.receive(incoming)

    @staticmethod
    async def _rendered(item: Item) -> bytes:
        assert item.payload is not None
        document = msgspec.msgpack.decode(item.payload, type=Outgoing).document
        if _is_big(document):
            return await aside(partial(registry.render, document))
        return registry.render(document)

    def _doubted(self, documents: Sequence[Mrid]) -> None:
        """One of these may have failed, as far as the transport knows."""
        self._doubtful.update(documents)
        self._doubt.set()

    async def _look_after_failures(self) -> None:
        """Note documents that the transport gave up (R35)."""
        while True:
            await self._doubt.wait()
            self._doubt.clear()
            while self._doubtful:
                mrid = self._doubtful.pop()
                try:
                    await self._note_if_failed(mrid)
                except Unavailable:
                    self._doubtful.add(mrid)
                    await self.clock.sleep(BEAT_S)

    async def _note_if_failed(self, mrid: Mrid) -> None:
        statuses = await self.store.outbox.status(mrid)
        if not statuses or statuses[-1].state is not MessageState.FAILED:
            return
        last = statuses[-1]
        hop = next(
            (step.component for step in reversed(last.trace) if step.state == MessageState.FAILED), self.who.me.id
        )
        await self._fail(NoteFailure(mrid=mrid, hop=hop, reason=last.reason or "no reason given"))

    async def _fail(self, failure: NoteFailure) -> None:
        outcome = await self.desk.submit(failure, cause=f"{self.who.me.id}/{failure.mrid}")
        if outcome.events:
            log.warning("document.failed", document=failure.mrid, hop=failure.hop, reason=failure.reason)
            self.outbound.settled(failure.mrid)

    async def _beat(self) -> None:
        while True:
            try:
                await self.look_around()
            except Unavailable as error:
                log.warning("beat.skipped", error=str(error))
            await self.clock.sleep(BEAT_S)

    async def look_around(self) -> None:
        """Remind of limits that end soon (R15), ask for the full state when due (R13).

        What is never answered is given up; what waits to be delivered is counted.
        """
        now = self.clock.now()
        await self.backlog.look()
        reminder = Remind(ahead_s=self.settings.gateway.reminder_s)
        for event in (await self.desk.submit(reminder, cause=f"{self.who.me.id}/reminders")).events:
            if isinstance(event, Reminded):
                log.warning("limit.ends_soon", document=event.mrid, revision=event.revision)
        for subject in self._subjects:
            asked = self.brain.last_asked(subject)
            if asked is None or now - asked >= timedelta(seconds=self.settings.gateway.resync_s):
                await self.desk.submit(Ask(mrid=uuid4().hex, subject=subject), cause=f"{self.who.me.id}/{subject}")
        for mrid in self.brain.overdue(now - UNANSWERED):
            await self._fail(NoteFailure(mrid=mrid, hop=self.who.hub.id, reason="no answer within 48 hours"))
        self._doubted(self.brain.overdue(now - timedelta(seconds=BEAT_S))[:100])


def _mute() -> logging.Logger:
    """For what is no HTTP: aiohttp would log the bytes it could not read. What handlers raise is logged at the door."""
    logger = logging.getLogger("gateways.http")
    logger.setLevel(logging.CRITICAL)
    return logger


def _tls(http: settings.Http) -> ssl.SSLContext | None:
    if http.cert_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(http.cert_file, http.key_file)
    return context


def _is_big(document: Document) -> bool:
    return isinstance(document, RefMarketDocument | GlMarketDocument) and len(document.series) > BIG_SERIES
