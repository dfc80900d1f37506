"""The sending half: claim what is due, render it once, publish it, and note what became of it (R28, R29, R31).

The outbox decides what is due and in which order; the same message always gives the same bytes, so that sending again
after an unknown outcome is harmless. Messages of one document leave one after the other, others side by side. Urgent
and bulk messages have a loop each, so that no large list is in the way of a limit; bulk goes as fast as its receiver
acknowledges it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from structlog.typing import FilteringBoundLogger

from hub.errors import Unavailable
from hub.mades.endpoint.patience import LONGEST_PAUSE_S, pause_s, rest, until_available
from hub.mades.endpoint.preparation import Preparation, Ready, Render
from hub.mades.endpoint.seals import Seals
from hub.mades.endpoint.transit import Transit
from hub.mades.message import InternalType
from hub.ports import Clock, Outbox, OutgoingMessage, Publication, Refused, Transport, Unroutable
from hub.traces import Span, Step, Traces, no_traces

BATCH: Final = 64
WINDOW: Final = 32
LEASE_S: Final = 60.0
EVERYTHING: Final = (True, False)
"""Urgent and bulk messages."""
POLL_S: Final = 1.0
"""How often the outbox is looked at unasked: for retries, and for a bell that was lost with another process."""
UNLISTED_S: Final = 60.0
"""The longest pause before a receiver that the directory does not list is tried again: it may never register."""

OriginOf = Callable[[OutgoingMessage], str | None]
"""The document that a message was made from, where this component knows one; only its own traces are told."""


class Sender:
    """The two loops from outbox to broker of one component: urgent and bulk."""

    def __init__(
        self,
        code: str,
        *,
        transport: Transport,
        outbox: Outbox,
        clock: Clock,
        render: Render,
        seals: Seals,
        log: FilteringBoundLogger,
        traces: Traces = no_traces,
        origin_of: OriginOf = lambda _: None,
    ) -> None:
        self._code, self._transport, self._outbox = code, transport, outbox
        self._clock, self._log = clock, log
        self._traces, self._origin_of = traces, origin_of
        self._preparation = Preparation(
            code,
            seals=seals,
            outbox=outbox,
            clock=clock,
            render=render,
            retry=lambda messages, why: self._retry(messages, why, longest_s=UNLISTED_S),
            fail=self._fail,
            log=log,
        )
        self._transit = Transit(clock)
        self._bells = {urgent: asyncio.Event() for urgent in EVERYTHING}
        self._reopen, self._reopening = transport.volatile, asyncio.Lock()
        self._is_back = False
        self._put_off = set[str]()
        """Messages that wait for the broker, and for nothing else."""
        self.sent = self.retried = 0
        self.failed = Counter[str]()
        """Given up here, by reason."""
        self.trouble: str | None = None

    def wake(self, kinds: Collection[bool] = EVERYTHING) -> None:
        """Something of these kinds may be due: urgent (True) or bulk."""
        for urgent in kinds:
            self._bells[urgent].set()

    def connected(self) -> None:
        """The connection was made anew: what waited for it leaves, and what a volatile broker may have lost (R31)."""
        self._reopen, self._is_back = self._transport.volatile, True
        self._transit.clear()
        self.wake()

    def acknowledged(self, receiver: str, message_ids: Iterable[str]) -> None:
        """The receiver of these has taken them in, or refused them: there may be room for more."""
        if self._transit.take(receiver, message_ids):
            self._bells[False].set()

    async def run(self) -> None:
        """Send for ever, beginning with what a process killed before us had in hand."""
        await until_available(self._clock, self._log, self._outbox.release, "outbox")
        async with asyncio.TaskGroup() as tasks:
            for urgent in self._bells:
                tasks.create_task(self._run(urgent), name=f"{self._code}.sender.{'urgent' if urgent else 'bulk'}")

    async def _run(self, urgent: bool) -> None:
        while True:
            self._bells[urgent].clear()
            if not await until_available(self._clock, self._log, lambda: self._send_due(urgent), "outbox"):
                await rest(self._clock, self._bells[urgent], POLL_S)

    async def _reopen_lost(self) -> None:
        """Once for both loops, and before either claims again."""
        async with self._reopening:
            if not self._reopen:
                return
            # Lowered first: a connection made while the store works raises it again.
            self._reopen = False
            try:
                await self._outbox.reopen()
            except Unavailable:
                self._reopen = True
                raise

    async def _hasten(self) -> None:
        """The broker is back: what it was put off for is due now."""
        if self._is_back:
            waiting, self._put_off, self._is_back = sorted(self._put_off), set(), False
            if waiting:
                await self._outbox.retry(waiting, at=self._clock.now(), reason="The broker is back.")

    async def _send_due(self, urgent: bool) -> bool:
        """Send one batch of what is due; returns whether more may be due by that."""
        await self._reopen_lost()
        await self._hasten()
        limit, full = (BATCH, []) if urgent else (self._transit.fitting(BATCH), self._transit.full())
        due = await self._outbox.claim(urgent=urgent, limit=limit, now=self._clock.now(), lease_s=LEASE_S, full=full)
        self._put_off.difference_update(message.message_id for message in due)
        async for ready in self._preparation.ready(due):
            await self._send(ready)
        return len(due) == limit or any(message.followed for message in due)

    async def _send(self, ready: Sequence[Ready]) -> None:
        window = asyncio.Semaphore(WINDOW)
        for each in ready:
            if not each.first.urgent:
                self._transit.put(each.first.receiver, each.first.message_id, each.content_bytes)
        async with asyncio.TaskGroup() as tasks:
            lines = [
                tasks.create_task(self._send_in_order(line, window), name=f"{self._code}.send")
                for line in _by_document(ready)
            ]
        confirmed = [message for line in lines for message in line.result()]
        if confirmed:
            await self._outbox.transported([each.message_id for each in confirmed], now=self._clock.now())
            self.sent += len(confirmed)
            self.trouble = None

    async def _send_in_order(self, line: Sequence[Ready], window: asyncio.Semaphore) -> list[OutgoingMessage]:
        """Publish messages of one document; after one that must wait, the rest wait too. Returns the confirmed."""
        confirmed: list[OutgoingMessage] = []
        for position, ready in enumerate(line):
            waiting = [message for each in line[position:] for message in each.messages]
            try:
                async with window:
                    await self._publish(ready)
            except Refused as error:
                self._log.error("message.refused", message=ready.first.message_id, why=str(error))
                await self._fail(ready.messages, "E-BROKER-REFUSED")
            except (Unavailable, Unroutable) as error:
                self.trouble = str(error)
                code = "E-UNROUTABLE" if isinstance(error, Unroutable) else "E-BROKER-DOWN"
                await self._retry(waiting, f"{code}: {error}")
                if isinstance(error, Unavailable):
                    self._put_off.update(message.message_id for message in waiting)
                break
            except Exception as error:  # ours or the library's; the other messages leave all the same
                self._log.exception("message.not_published", message=ready.first.message_id)
                await self._retry(waiting, f"E-BROKER-DOWN: {error!r}")
                break
            else:
                confirmed += ready.messages
                if ready.internal_type is InternalType.STANDARD:
                    self._trace(ready.first)
        return confirmed

    def _trace(self, message: OutgoingMessage) -> None:
        origin = self._origin_of(message)
        self._traces(
            Span(
                step=Step.SEND,
                document=message.document,
                begun=message.accepted,
                ended=self._clock.now(),
                business_type=message.business_type,
                origins=(origin,) if origin else (),
            )
        )

    async def _publish(self, ready: Ready) -> None:
        first = ready.first
        await self._transport.publish(
            Publication(
                message_id=first.message_id,
                internal_type=ready.internal_type,
                sender=self._code,
                receiver=first.receiver,
                business_type=first.business_type,
                urgent=first.urgent,
                ttl_s=max(0.0, (ready.expires - self._clock.now()).total_seconds()),
                body=ready.sealed,
                correlation_id=None if ready.internal_type is InternalType.LIST else first.related,
            )
        )

    async def _retry(
        self, messages: Sequence[OutgoingMessage], reason: str, *, longest_s: float = LONGEST_PAUSE_S
    ) -> None:
        self.retried += len(messages)
        self._is_not_sent(messages)
        attempts = max(message.attempts for message in messages)
        at = self._clock.now() + timedelta(seconds=pause_s(attempts, longest_s=longest_s))
        # The store may be away as well: then their lease ends and they are due again.
        with suppress(Unavailable):
            await self._outbox.retry([message.message_id for message in messages], at=at, reason=reason)

    async def _fail(self, messages: Sequence[OutgoingMessage], reason: str) -> None:
        self.failed[reason] += len(messages)
        self._is_not_sent(messages)
        with suppress(Unavailable):
            for message in messages:
                await self._outbox.fail(message.message_id, component=self._code, reason=reason, now=self._clock.now())

    def _is_not_sent(self, messages: Sequence[OutgoingMessage]) -> None:
        for message in messages:
            self._transit.take(message.receiver, [message.message_id])


def _by_document(ready: Iterable[Ready]) -> list[list[Ready]]:
    lines: dict[str, list[Ready]] = {}
    for each in ready:
        is_document = each.internal_type is InternalType.STANDARD
        lines.setdefault(f"document {each.first.document}" if is_document else each.first.message_id, []).append(each)
    return list(lines.values())
