"""One component's endpoint: its loops, the connectivity test, and what an operator may know about it."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

import structlog
from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from hub.errors import Unavailable
from hub.mades.endpoint.inspection import Inspector, PartyOf
from hub.mades.endpoint.patience import until_available
from hub.mades.endpoint.preparation import Render
from hub.mades.endpoint.receiver import Changed, Intake, Receive, Receiver
from hub.mades.endpoint.seals import Seals, Standing
from hub.mades.endpoint.sender import EVERYTHING, OriginOf, Sender
from hub.mades.endpoint.tracing import TRACE_EXPIRY, trace
from hub.mades.exchange import EXPIRED
from hub.mades.message import BusinessType, InternalType
from hub.mades.paths import Party
from hub.mades.seal import Verified
from hub.ports import Clock, Commit, Outbox, OutgoingMessage, Queue, Refused, Transport, Unroutable
from hub.traces import Traces, no_traces

PREFETCH: Final = {Queue.URGENT: 32, Queue.BULK: 64}
BEAT_S: Final = 10.0
OVERDUE: Final = timedelta(seconds=60)
"""An unforeseen limit that is not delivered by then alarms the operator (R27)."""

TEST_EVERY: Final = timedelta(minutes=5)
"""How often a receiver who owes an acknowledgement is asked whether it is there."""


class Ping(Struct, frozen=True):
    """How long each hop of a connectivity test took, in milliseconds since it began."""

    broker_ms: float
    receiver_ms: float


class PingFailed(Exception):
    """The connectivity test got no answer; the message names the hop."""


class EndpointStatus(Struct, frozen=True, kw_only=True):
    """What an endpoint has done since its start, and what troubles it now."""

    sent: int
    received: int
    duplicates: int
    retried: int
    failed: Mapping[str, int]
    refused: Mapping[str, int]
    dead: Mapping[str, int]
    """These three by code of the error catalogue."""
    waiting_to_deliver: int
    oldest_waiting_s: float
    """These two as of the last beat, at most ten seconds ago."""
    waiting_to_receive: int
    is_connected: bool
    standing: Standing | None
    trouble: str | None


Alarm = Callable[[Sequence[OutgoingMessage]], Awaitable[None]]


class Endpoint:
    """`run` it in a task group; cancel the task to stop it. Nothing is lost by that: what is not settled comes again.

    `render` makes the documents of outgoing messages; `receive` commits an incoming one, with its inbox entry, or
    raises Unavailable (try again), Forbidden or MadesError (refused for good). `changed` is told which documents
    changed state, `failed` which of them may have failed, `alarm` which urgent messages are overdue. `party_of` says
    what a sender is; by default only the hub is known. `seals` close and open every message. `traces` are told of what
    was sent and received; `origin_of` says what an outgoing document was made from.
    """

    def __init__(
        self,
        code: str,
        *,
        party: Party,
        hub: str,
        transport: Transport,
        outbox: Outbox,
        inbox: Commit,
        clock: Clock,
        seals: Seals,
        render: Render,
        receive: Receive,
        party_of: PartyOf | None = None,
        changed: Changed = lambda _: None,
        failed: Changed = lambda _: None,
        alarm: Alarm | None = None,
        log: FilteringBoundLogger | None = None,
        traces: Traces = no_traces,
        origin_of: OriginOf = lambda _: None,
    ) -> None:
        self._code, self._transport, self._outbox, self._clock = code, transport, outbox, clock
        self._changed, self._failed, self._alarm = changed, failed, alarm
        self._log: FilteringBoundLogger = (log or structlog.get_logger("hub.mades.endpoint")).bind(component=code)
        self._pings: dict[str, asyncio.Future[float]] = {}
        self._tests: dict[str, tuple[str, datetime]] = {}
        self._answered: dict[str, datetime] = {}
        self._seals = seals
        self._intakes: list[Intake] = []
        self._expired = Counter[str]()
        self._waiting = 0
        self._oldest: datetime | None = None
        self._sender = Sender(
            code,
            transport=transport,
            outbox=outbox,
            clock=clock,
            render=render,
            seals=self._seals,
            log=self._log,
            traces=traces,
            origin_of=origin_of,
        )
        known = party_of or (lambda sender: Party.HUB if sender == hub else None)
        self._receiver = Receiver(
            code,
            inspector=Inspector(code, party, party_of=known, seals=self._seals, clock=clock),
            outbox=outbox,
            inbox=inbox,
            clock=clock,
            receive=receive,
            traced=self._traced,
            acknowledged=self._sender.acknowledged,
            changed=changed,
            failed=failed,
            log=self._log,
            traces=traces,
        )

    async def run(self) -> None:
        """Send, receive and expire until cancelled."""
        self._transport.on_connected(self._sender.connected)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sender.run(), name=f"{self._code}.sender")
            tasks.create_task(self._beat(), name=f"{self._code}.beat")
            for queue in Queue:
                self._intakes.append(intake := Intake())
                tasks.create_task(self._receiver.run(intake), name=f"{self._code}.receiver.{queue}")
                tasks.create_task(self._consume(queue, intake), name=f"{self._code}.consumer.{queue}")

    def wake(self, kinds: Collection[bool] = EVERYTHING) -> None:
        """Something was committed that has to leave: urgent (True) or bulk."""
        self._sender.wake(kinds)

    def status(self) -> EndpointStatus:
        """Counts since the start, and present trouble."""
        return EndpointStatus(
            sent=self._sender.sent,
            received=self._receiver.received,
            duplicates=self._receiver.duplicates,
            retried=self._sender.retried,
            failed=self._sender.failed + self._receiver.failed + self._expired,
            refused=self._receiver.refused,
            dead=self._receiver.dead,
            waiting_to_deliver=self._waiting,
            oldest_waiting_s=(self._clock.now() - self._oldest).total_seconds() if self._oldest else 0,
            waiting_to_receive=sum(intake.held for intake in self._intakes),
            is_connected=self._transport.connected,
            standing=self._seals.standing(),
            trouble=self._trouble(),
        )

    def _trouble(self) -> str | None:
        away = None if self._transport.connected else "The broker is not connected."
        return self._sender.trouble or self._seals.trouble() or away

    async def ping(self, receiver: str, *, business_type: BusinessType = BusinessType.ACK) -> Ping:
        """Connectivity test: a tracing message to `receiver`, who answers at once and shows it to nobody.

        Raises:
            PingFailed: naming the hop that did not answer within 30 s.
        """
        begun, message_id = self._clock.monotonic(), uuid4().hex
        answer = self._pings[message_id] = asyncio.get_running_loop().create_future()
        patience = asyncio.create_task(self._sleep(TRACE_EXPIRY.total_seconds()), name=f"{self._code}.ping")
        try:
            await self._trace(message_id, receiver, business_type)
            at_broker = self._clock.monotonic()
            await asyncio.wait((answer, patience), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise PingFailed(f"The broker has the message, {receiver} did not answer within {TRACE_EXPIRY}.")
            return Ping((at_broker - begun) * 1000, (answer.result() - begun) * 1000)
        except (Unavailable, Unroutable, Refused) as error:
            raise PingFailed(f"The broker did not take the message: {error}") from error
        finally:
            patience.cancel()
            del self._pings[message_id]

    async def _consume(self, queue: Queue, intake: Intake) -> None:
        await until_available(
            self._clock,
            self._log,
            lambda: self._transport.consume(queue, intake.put, prefetch=PREFETCH[queue]),
            f"{queue} queue",
        )

    async def _beat(self) -> None:
        while True:
            await until_available(self._clock, self._log, self._expire, "outbox")
            await until_available(self._clock, self._log, self._recover, "outbox")
            await until_available(self._clock, self._log, self._measure, "outbox")
            await self._clock.sleep(BEAT_S)

    async def _measure(self) -> None:
        """Once a beat, so that no look at the measures costs the store anything."""
        self._waiting, self._oldest = await self._outbox.waiting(), await self._outbox.oldest()

    async def _expire(self) -> None:
        now = self._clock.now()
        if expired := await self._outbox.expire(now=now):
            self._expired[EXPIRED] += len(expired)
            self._log.warning("messages.expired", documents=len(expired))
            self._changed(expired)
            self._failed(expired)
        overdue = await self._outbox.overdue(business_type=BusinessType.UNFORESEEN, since=now - OVERDUE)
        if overdue:
            self._log.error("messages.overdue", messages=len(overdue))
            if self._alarm is not None:
                await self._alarm(overdue)

    async def _recover(self) -> None:
        """Send again what is lost, and provoke the proof of it: a test of each receiver who owes an acknowledgement."""
        now = self._clock.now()
        if lost := await self._outbox.resend(answered=self._answered, now=now):
            self._log.warning("messages.resent", messages=lost)
            self.wake()
        for receiver in await self._outbox.silent(now=now):
            _, tested = self._tests.get(receiver, ("", now - TEST_EVERY))
            if tested <= now - TEST_EVERY:
                await self._test(receiver, now)

    async def _test(self, receiver: str, now: datetime) -> None:
        message_id = uuid4().hex
        self._tests[receiver] = message_id, now
        try:
            await self._trace(message_id, receiver, BusinessType.ACK)
        except (Unavailable, Unroutable, Refused) as error:
            self._log.warning("test.not_sent", receiver=receiver, why=str(error))

    def _test_answered(self, receiver: str, message_id: str | None) -> None:
        """Only at once: an old test that a receiver finds on its return says nothing about what waits behind it."""
        asked, sent = self._tests.get(receiver, (None, self._clock.now()))
        if message_id == asked and self._clock.now() - sent <= TRACE_EXPIRY:
            self._answered[receiver] = sent

    async def _traced(self, proof: Verified) -> None:
        """Answer a tracing message, or note the answer to ours."""
        message = proof.message
        if message.internal_type is InternalType.TRACED:
            self._test_answered(message.sender, message.related)
            waiting = self._pings.get(message.related or "")
            if waiting is not None and not waiting.done():
                waiting.set_result(self._clock.monotonic())
            return
        try:
            await self._trace(uuid4().hex, message.sender, message.business_type, answers=proof)
        except (Unavailable, Unroutable, Refused) as error:
            self._log.warning("trace.not_answered", sender=message.sender, why=str(error))

    async def _trace(self, message_id: str, receiver: str, business_type: str, answers: Verified | None = None) -> None:
        await trace(
            self._transport,
            self._seals,
            sender=self._code,
            receiver=receiver,
            now=self._clock.now(),
            message_id=message_id,
            business_type=business_type,
            answers=answers,
        )

    async def _sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
