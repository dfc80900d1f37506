"""A running hub: messages in, commands decided, documents out, and the loops around them.

Stop order: not ready, stop taking messages, wake all waits, drain the desk.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Final

import structlog

from documents.codes import ReasonCode
from documents.values import Identifier
from hub import intake
from hub.app.parts import Store, brain_of, hub_id, letterhead, quarantine, salts_of
from hub.aside import aside
from hub.checkpoints import Checkpointer, Rhythm, Signs
from hub.clock import SystemClock
from hub.commands import AddParticipant, Command, ErasePayloads, Quarantine, RaiseAlarm, RefuseDocument
from hub.compose import decoded
from hub.desk import Desk, Outcome
from hub.dispatch import Dispatch
from hub.errors import Unavailable
from hub.events import DocumentAnswered, HolderConflictNoted
from hub.feed import Bell, Bells, Feed
from hub.mades.endpoint import Endpoint, Incoming, Seals
from hub.mades.message import URGENT
from hub.mades.paths import Party
from hub.ports import OPERATOR, Clock, OutgoingMessage, Scope, Transport
from hub.retention import Retention
from hub.rows import PARTICIPANTS, Participant
from hub.settings import Hub as Market
from hub.traces import Span, Step, Traces, no_traces
from hub.values import Role
from hub.web.exchange import exchange_measures
from hub.web.health import Measure

LARGE_BYTES: Final = 64 * 1024
"""From here on a document is read in a thread: parsing would hold up the loop."""
FOLLOW_S: Final = 1.0
"""How often the log is looked at for what the command line has committed, should no hint come."""
PARTICIPANTS_S: Final = 60.0

log = structlog.get_logger("hub.app")
security = structlog.get_logger("tps.security")


class Hub:
    """A running hub on the given store and transport; see the charter of the package."""

    def __init__(
        self,
        market: Market,
        *,
        store: Store,
        transport: Transport,
        seals: Seals,
        clock: Clock | None = None,
        notary: Signs | None = None,
        renew: Callable[[], Coroutine[Any, Any, None]] | None = None,
        traces: Traces = no_traces,
    ) -> None:
        """Without a `notary` no checkpoints are signed.

        `renew` is started beside the hub's work, and may end: it rebuilds views of another version.
        """
        self._renew, self._traces = renew, traces
        self.id = hub_id(market)
        self._market, self._store, self._transport, self._clock = market, store, transport, clock or SystemClock()
        self._stopping = asyncio.Event()
        self._is_ready = False
        self._parties: dict[str, Party] = {}
        self._hint: Bell | None = None
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
            leaving=self._leaving,
        )
        self._checkpointer = self._signing_by(notary) if notary else None
        self.dispatch = Dispatch(store.rows, store.outbox, head=letterhead(market), clock=self._clock, memory=store)
        self.retention = Retention(store.payloads, self._erase, self._clock)
        self.endpoint = Endpoint(
            self.id,
            party=Party.HUB,
            hub=self.id,
            transport=transport,
            outbox=store.outbox,
            inbox=store.commit,
            clock=self._clock,
            seals=seals,
            render=self.dispatch.render,
            receive=self.receive,
            party_of=self.party_of,
            traces=traces,
            origin_of=self._origin_of,
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
                    ("retention", self.retention.keep(self._market.keep_payloads_days)),
                    ("participants", self._follow_participants(seen)),
                    *((("checkpoints", self._checkpointer.run()),) if self._checkpointer else ()),
                )
            ]
            if self._renew:
                loops.append(tasks.create_task(self._renew(), name="renewal"))
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

    async def admit(
        self, participant: Identifier, role: Role, *, name: str = "", brp: Identifier | None = None, by: str
    ) -> None:
        """Make somebody a participant whose messages are taken (R1). Raises Rejected."""
        command = AddParticipant(participant=participant, role=role, name=name, brp=brp, by=by)
        await self.desk.submit(command, cause=f"admit/{participant}")
        self._parties[participant] = Party(role.value)

    async def receive(self, incoming: Incoming) -> None:
        """Take in one message: durable, with its answer, when this returns (R26, R29)."""
        message = incoming.message
        envelope = intake.Envelope(
            sender=Identifier(message.sender), business_type=message.business_type, message_id=message.message_id
        )
        came = self._clock.now()
        command, begun = await self._read(message.content, envelope), self._clock.monotonic()
        outcome = await self.desk.submit(
            command,
            cause=_cause(command),
            inbox=incoming.entry,
            payload=message.content,
            urgent=message.business_type in URGENT,
        )
        _tell_security(command, outcome, envelope)
        self._traces(
            Span(
                step=Step.DECIDE,
                document=message.ba_message_id,
                begun=came,
                ended=self._clock.now(),
                business_type=message.business_type,
                state=_verdict(outcome),
            )
        )
        log.info(
            "document.decided",
            sender=envelope.sender,
            document=message.ba_message_id,
            business_type=envelope.business_type,
            events=len(outcome.events),
            position=outcome.position,
            duration_ms=round((self._clock.monotonic() - begun) * 1000, 1),
        )

    def hear(self, position: int) -> None:
        """Take a hint that the log has come to `position`, so that what others commit counts at once."""
        if self._hint and position > self.desk.position:
            self._hint.ring()

    def party_of(self, code: str) -> Party | None:
        """What a component is in the exchange; None for one that is no participant."""
        return self._parties.get(code)

    def _origin_of(self, message: OutgoingMessage) -> str | None:
        return self.brain.limit_of_copy(Identifier(message.receiver), message.document)

    async def _read(self, content: bytes, envelope: intake.Envelope) -> Command:
        """The command in a message; a document that makes the reader itself fail is set aside (R30)."""
        read = partial(intake.read, content, envelope=envelope, hub=self.id, national=self._market.national_scheme)
        try:
            urgent = envelope.business_type in URGENT
            return await aside(read, urgent=urgent) if len(content) > LARGE_BYTES else read()
        except Exception as error:
            log.error("document.unreadable", message=envelope.message_id, sender=envelope.sender, exc_info=error)
            origin = intake.unreadable_origin(content, envelope)
            return Quarantine(origin=origin, message_id=envelope.message_id, error=type(error).__name__)

    def _signing_by(self, notary: Signs) -> Checkpointer:
        return Checkpointer(
            self._store.log,
            self._store.checkpoints,
            notary,
            hub=self.id,
            salts=salts_of(self._market),
            rhythm=Rhythm(records=self._market.checkpoint_records, seconds=self._market.checkpoint_s),
            clock=self._clock,
            position=lambda: self.desk.position,
        )

    async def _alarm(self, subject: str, text: str) -> None:
        await self.desk.submit(RaiseAlarm(subject=subject, text=text), cause=f"alarm/{subject}", urgent=True)

    async def _erase(self, command: ErasePayloads) -> None:
        await self.desk.submit(command, cause="retention")

    async def _follow(self) -> None:
        """Notice what another process (the command line) has committed: when told, and every now and then anyway."""
        self._hint = Bell()
        while True:
            await self._hint.wait_at_most(FOLLOW_S, self._clock)
            self._hint = Bell()
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

    def _leaving(self, kinds: Collection[bool]) -> None:
        self.endpoint.wake(kinds)

    def trouble(self) -> str | None:
        """Why this hub takes no work at the moment; None when it does."""
        if not self._is_ready:
            return "stopping" if self._stopping.is_set() else "starting"
        return self.endpoint.status().trouble

    def measures(self) -> Iterator[Measure]:
        """What this hub has done and what waits; no participant is named (NF3)."""
        yield Measure("log_position", "Events in the log.", self.desk.position)
        if self._checkpointer:
            yield Measure("checkpoint_position", "Events under a signed checkpoint.", self._checkpointer.covered)
        yield Measure("commits_total", "Batches committed.", self.desk.commits, counts=True)
        yield Measure("commands_waiting", "Commands not decided yet.", self.desk.waiting)
        yield Measure("set_aside_total", "Documents that made the code fail (R30).", self.desk.set_aside, counts=True)
        yield from exchange_measures(self.endpoint.status())
        yield Measure("waits", "Waits for rows.", len(self.bells))


def _cause(command: Command) -> str:
    """What led to the events of a document: its sender and id; commands of one document keep their order (R28)."""
    origin = getattr(command, "origin", None)
    assert origin is not None, "only documents come from outside"
    return f"{origin.sender}/{origin.mrid or origin.title}"


def _verdict(outcome: Outcome) -> str | None:
    return next((event.verdict for event in outcome.events if isinstance(event, DocumentAnswered)), None)


def _tell_security(command: Command, outcome: Outcome, envelope: intake.Envelope) -> None:
    """What may be an attack gets a line of its own, naming nobody but who acted (R2, R5)."""
    if isinstance(command, RefuseDocument) and command.reasons[0].code == ReasonCode.SENDER_INVALID:
        security.warning("document.forged", sender=envelope.sender, business_type=envelope.business_type)
    if any(isinstance(event, HolderConflictNoted) for event in outcome.events):
        security.warning("holder.conflict", sender=envelope.sender, business_type=envelope.business_type)
