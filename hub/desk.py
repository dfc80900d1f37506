"""The desk: takes commands in order, decides them with a pure core, commits each batch in one transaction (floor 6).

There is one desk per log, in the hub and in every gateway; only the `Brain` differs. A caller submits a command and
waits until its events are stored: what `submit` has returned is durable. The desk alone touches the brain.

    desk = Desk(brain, store.log, store.commit, clock=clock, bells=bells)
    await desk.start()                                          # replay the log
    group.create_task(desk.run(), name="desk")
    outcome = await desk.submit(command, cause="45X.../a1b2")   # its events are stored when this returns
    desk.stop()                                                 # `run` finishes what is queued, then ends

A batch (urgent first; at most 64 commands, and 256 kB of documents unless one alone is longer) is decided on the
evolving state and written with its inbox entries, rows and raw documents. `Conflict`: roll back, catch up, decide
again. `Unavailable`: roll back, wait, ask the store whether it landed, decide again; the message stays with the broker
meanwhile. A command that makes the code fail is set aside and the rest commits (R30).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import structlog

from documents.values import Identifier
from hub.collector import uncollected
from hub.errors import Conflict, LogCorrupt, Rejected, Unavailable
from hub.lanes import Lanes, Outcome, Request
from hub.ports import Batch, Brain, Clock, Commit, EventStore, IdempotencyKey, InboxEntry, NewEvent, Recorded, Row

__all__ = ["Desk", "Outcome", "Quarantine"]

BATCH_MAX: Final = 64
BATCH_BYTES: Final = 256 * 1024
"""Of documents in one batch: nothing is urgent enough to interrupt it, and bytes are what it costs. 64 limits fit."""
REMEMBERED_MESSAGES: Final = 10_000
"""Messages a desk remembers to have taken in: a redelivery may overtake the commit of the first."""
PAUSES_S: Final = (0.2, 1.0, 5.0, 15.0)
"""Waits while the store is not available; the last one repeats."""

T = TypeVar("T")
log = structlog.get_logger("hub.desk")

Quarantine = Callable[[Any, InboxEntry | None, str], Any]
"""(command, its message, name of the exception class) -> the command that sets it aside; None when nothing can."""


class Ringer(Protocol):
    """What a desk needs of the bells."""

    def ring(self, changed: Iterable[tuple[str, Identifier]]) -> None:
        """Wake who waits for these (view, audience)."""


@dataclass(slots=True)
class _Decided:
    """A batch in the making, and what the desk must remember once it is stored."""

    events: list[NewEvent] = field(default_factory=list)
    rows: list[tuple[int, Row]] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    outcomes: list[tuple[Request, Outcome]] = field(default_factory=list)

    def leaving(self) -> set[bool]:
        """Which kinds of messages the batch lets leave: urgent (True) and bulk. Acknowledgements are urgent."""
        sent = {row.send.urgent for _, row in self.rows if row.send}
        acknowledges = any(request.inbox for request, _ in self.outcomes) or any(row.confirms for _, row in self.rows)
        return sent | {True} if acknowledges else sent

    def batch(self, after: int, at: datetime) -> Batch:
        requests = [request for request, _ in self.outcomes]
        return Batch(
            after=after,
            at=at,
            events=tuple(self.events),
            rows=tuple(self.rows),
            inbox=tuple(request.inbox for request in requests if request.inbox),
            payloads=tuple(request.payload for request in requests if request.payload is not None),
            keys=tuple(request.key for request in requests if request.key),
        )


class Desk:
    """See the module's charter. Read only: `position` of the log, `commits`, commands `waiting` and `set_aside`."""

    def __init__(
        self,
        brain: Brain,
        events: EventStore,
        commit: Commit,
        *,
        clock: Clock,
        bells: Ringer,
        quarantine: Quarantine | None = None,
        leaving: Callable[[Collection[bool]], None] = lambda _: None,
    ) -> None:
        """`leaving` is told what was committed to leave, urgent or bulk (the endpoint's `wake`); `quarantine` makes the
        command of R30.
        """
        self._brain, self._events, self._commit = brain, events, commit
        self._clock, self._bells, self._quarantine, self._leaving = clock, bells, quarantine, leaving
        self._lanes = Lanes()
        self._turn = asyncio.Lock()
        self._versions: dict[str, int] = {}
        self._taken_in: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._last_at: datetime | None = None
        self.position = 0
        self.commits = 0
        self.set_aside = 0

    @property
    def waiting(self) -> int:
        """Commands nobody has decided yet."""
        return len(self._lanes)

    async def start(self) -> None:
        """Replay the log into the brain. Raises LogCorrupt, UnknownEvent, Unavailable."""
        async with self._turn:
            with uncollected():
                await self._replay(ringing=False)
        log.info("desk.replayed", position=self.position, streams=len(self._versions))

    async def catch_up(self) -> int:
        """Take in what another process has committed, ring its bells, and return the position reached."""
        async with self._turn:
            await self._replay(ringing=True)
        return self.position

    async def submit(
        self,
        command: Any,  # a command of the desk's brain
        *,
        cause: str,
        inbox: InboxEntry | None = None,
        payload: bytes | None = None,
        key: IdempotencyKey | None = None,
        urgent: bool = False,
    ) -> Outcome:
        """Decide and store one command; returns once it is durable.

        `cause` names what led to it, e.g. sender and document: commands of one cause keep their order, even when a
        later one is urgent (R28). `payload` is the raw document. Waits while the queue is full. Whoever stops waiting
        takes back what has not been decided yet.

        Raises:
            Unavailable: the desk is stopping; nothing is known to be stored.
            Exception: what the code failed with, when the command could not be set aside (R30).
        """
        if self._lanes.is_closed:
            raise Unavailable("The desk is stopping. Send it again.")
        waiter: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        request = Request(command=command, cause=cause, waiter=waiter, inbox=inbox, payload=payload, key=key)
        return await self._lanes.put(request, urgent=urgent)

    async def run(self) -> None:
        """Work until `stop`, and through everything queued before it. Raises LogCorrupt, UnknownEvent."""
        batch: list[Request] = []
        try:
            while batch := await self._lanes.take(BATCH_MAX, BATCH_BYTES):
                async with self._turn:
                    await self._settle(batch)
        except Unavailable:
            log.warning("desk.stopped_early", unanswered=len(batch) + self.waiting)
        finally:
            self.stop()
            gone = Unavailable("The desk has stopped. Send it again.")
            for request in batch:
                request.fail(gone)
            self._lanes.abandon(gone)

    def stop(self) -> None:
        """Take nothing more; `run` ends after what is queued."""
        self._lanes.close()

    async def _settle(self, batch: Sequence[Request]) -> None:
        """Bring every command of the batch to its end: stored, set aside, or failed."""
        doubtful: tuple[_Decided, Batch] | None = None
        while requests := self._still_wanted(batch):
            savepoint, at = self._brain.savepoint(), self._now()
            decided = self._decide(requests, at)
            if decided is None:
                self._brain.rollback(savepoint)
                continue
            written = decided.batch(self.position, at)
            try:
                head = await self._write(written)
            except Conflict as conflict:
                self._brain.rollback(savepoint)
                if not await self._overtaken():
                    await self._untangle(requests, conflict)
                elif doubtful:
                    await self._resolve_if_landed(*doubtful)
            except Unavailable as error:
                self._brain.rollback(savepoint)
                doubtful = decided, written
                await self._pause(PAUSES_S[0], error)
                await self._resolve_if_landed(decided, written)
            except LogCorrupt:
                raise
            except Exception as error:  # a document the store chokes on must not take others with it (R30)
                self._brain.rollback(savepoint)
                await self._find_culprit(requests, error)
            else:
                self._remember(decided, head, at)
                self._resolve(decided)

    def _still_wanted(self, batch: Sequence[Request]) -> list[Request]:
        """Those whose caller still waits; a repeat of a message shares the fate of the first."""
        firsts: dict[tuple[str, str], tuple[Request, InboxEntry]] = {}
        wanted = []
        for request in batch:
            message = request.message
            if request.waiter.done():
                continue
            if message and message in self._taken_in:
                request.repeat(self._taken_in[message], Outcome((), self.position))
            elif message and message in firsts:
                first, entry = firsts[message]
                first.waiter.add_done_callback(partial(request.follow, entry.digest))
            else:
                wanted.append(request)
                if request.inbox and message:
                    firsts[message] = request, request.inbox
        return wanted

    def _decide(self, requests: Sequence[Request], at: datetime) -> _Decided | None:
        """Decide all on the evolving state; None when one made the code fail and was dealt with (R30)."""
        decided = _Decided()
        for request in requests:
            try:
                events = self._decide_one(request, decided, at)
            except Exception as error:  # whatever it is, the others must not suffer from it (R30)
                self._fault(request, error)
                return None
            decided.outcomes.append((request, Outcome(events, self.position + len(decided.events))))
        return decided

    def _decide_one(self, request: Request, decided: _Decided, at: datetime) -> tuple[Any, ...]:
        brain, cause = self._brain, request.cause
        events = tuple(brain.decide(request.command, at))
        for event in events:
            recorded = Recorded(event, self.position + len(decided.events) + 1, at, cause)
            decided.rows.extend((recorded.position, row) for row in brain.rows(recorded))
            brain.evolve(recorded)
            stream, (topic, state) = brain.stream_of(event), brain.encode(event)
            version = decided.versions.get(stream, self._versions.get(stream, 0)) + 1
            decided.versions[stream] = version
            decided.events.append(NewEvent(stream=stream, version=version, topic=topic, state=state, cause=cause))
        return events

    def _fault(self, request: Request, error: Exception) -> None:
        """Set a command aside, or tell its caller when that is impossible or has failed too."""
        command, name = type(request.command).__name__, type(error).__name__
        aside = None
        if self._quarantine and not request.is_set_aside:
            aside = self._quarantine(request.command, request.inbox, name)
        if aside is None and isinstance(error, Rejected):
            request.fail(error)
            return
        log.error("command.failed", cause=request.cause, command=command, error=name, exc_info=error)
        if aside is None:
            request.fail(error)
            return
        self.set_aside += 1
        request.command, request.is_set_aside = aside, True

    async def _find_culprit(self, requests: Sequence[Request], error: Exception) -> None:
        """The store failed on the batch itself: write each command alone, and set aside the one it fails on."""
        if len(requests) == 1:
            self._fault(requests[0], error)
            return
        for request in requests:
            await self._settle([request])

    async def _write(self, batch: Batch) -> int:
        if not (batch.events or batch.inbox or batch.payloads or batch.keys):
            return batch.after
        return await self._commit.commit(batch)

    async def _overtaken(self) -> bool:
        """Whether somebody else committed first; what they did is taken in, so that the next decision stands on it."""
        before = self.position
        await self._patiently(self._replay_ringing)
        log.info("desk.overtaken", position=self.position, by=self.position - before)
        return self.position > before

    async def _untangle(self, requests: Sequence[Request], conflict: Conflict) -> None:
        """Nothing newer is in the log, so a message or an idempotency key is taken: find whose.

        Raises:
            LogCorrupt: it is neither; the log's streams contradict what was read of them.
        """
        messages = [request.message for request in requests if request.message]
        known = await self._patiently(self._commit.known, messages)
        if known:
            self._taken_in.update(known)
        elif len(requests) > 1:
            for request in requests:
                await self._settle([request])
        elif requests[0].key:
            requests[0].fail(conflict)
        else:
            raise LogCorrupt(f"The log refuses what follows position {self.position}. Check its streams.") from conflict

    async def _patiently(self, ask: Callable[..., Awaitable[T]], *about: object) -> T:
        """The store's answer, however long it takes to be available again. Raises Unavailable when stopping."""
        for attempt in range(1_000_000_000):
            try:
                return await ask(*about)
            except Unavailable as error:
                await self._pause(PAUSES_S[min(attempt, len(PAUSES_S) - 1)], error)
        raise AssertionError("a thousand years have passed")

    async def _pause(self, pause_s: float, error: Unavailable) -> None:
        if self._lanes.is_closed:
            raise error
        log.warning("store.unavailable", retry_s=pause_s, error=str(error))
        await self._clock.sleep(pause_s)

    async def _resolve_if_landed(self, decided: _Decided, written: Batch) -> None:
        if await self._patiently(self._landed, written):
            await self._patiently(self._replay_ringing)
            self._resolve(decided)

    async def _landed(self, batch: Batch) -> bool:
        """Whether a batch of unknown outcome is stored. A transaction is all or nothing, so one part of it tells."""
        if batch.inbox:
            entry = batch.inbox[0]
            message = (entry.sender, entry.message_id)
            return (await self._commit.known([message])).get(message) == entry.digest
        until = batch.after + len(batch.events)
        stored = [event async for event in self._events.read(after=batch.after, until=until)]
        return bool(stored) and [(event.stream, event.version, event.state) for event in stored] == [
            (event.stream, event.version, event.state) for event in batch.events
        ]

    def _remember(self, decided: _Decided, head: int, at: datetime) -> None:
        self.position, self._last_at = head, at
        self._versions.update(decided.versions)
        self.commits += 1
        self._bells.ring({(row.view, row.audience) for _, row in decided.rows})
        if leaving := decided.leaving():
            self._leaving(leaving)

    def _resolve(self, decided: _Decided) -> None:
        for request, outcome in decided.outcomes:
            if request.inbox and request.message:
                self._taken_in[request.message] = request.inbox.digest
            request.resolve(outcome)
        while len(self._taken_in) > REMEMBERED_MESSAGES:
            self._taken_in.popitem(last=False)

    async def _replay_ringing(self) -> None:
        await self._replay(ringing=True)

    async def _replay(self, *, ringing: bool) -> None:
        """Fold what the log holds beyond `position`. Rows are asked for only to know whose bells to ring."""
        changed: set[tuple[str, Identifier]] = set()
        async for stored in self._events.read(after=self.position):
            if stored.position != self.position + 1:
                raise LogCorrupt(
                    f"Position {stored.position} follows {self.position} in the log. Restore it from a backup."
                )
            event = self._brain.decode(stored.topic, stored.state)
            recorded = Recorded(event, stored.position, stored.at, stored.cause)
            if ringing:
                changed.update((row.view, row.audience) for row in self._brain.rows(recorded))
            self._brain.evolve(recorded)
            self._versions[stored.stream] = stored.version
            self.position, self._last_at = stored.position, stored.at
            if self.position % 100_000 == 0:
                log.info("desk.replaying", position=self.position)
        if changed:
            self._bells.ring(changed)
            self._leaving((True, False))

    def _now(self) -> datetime:
        """The present, but never before the last event: the log's time does not go back."""
        now = self._clock.now()
        return max(now, self._last_at) if self._last_at else now
