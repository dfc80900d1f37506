"""A running message box: an endpoint whose messages wait for a business application (floor 7).

The delivery acknowledgement leaves with the commit that stores a message, the receive acknowledgement with the one that
confirms it. A message nobody confirms in time is given up, and its sender told (E-EXPIRED).
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import msgspec
import structlog
from msgspec.structs import replace

from documents.values import Identifier
from hub.desk import Desk
from hub.errors import Rejected, Unavailable
from hub.feed import Bells
from hub.mades.backlog import Backlog
from hub.mades.box import commands, events
from hub.mades.box.brain import BoxBrain
from hub.mades.box.operations import Operations, Store
from hub.mades.box.rows import OPEN, TESTS, Leaving, Received, Tested
from hub.mades.endpoint import Endpoint, Incoming, PingFailed, Seals
from hub.mades.errors import MadesError
from hub.mades.message import URGENT, BusinessType
from hub.mades.paths import Party
from hub.ports import Clock, InboxEntry, OutgoingMessage, Scope, Transport
from hub.store.codec import digest_of
from hub.web.exchange import exchange_measures
from hub.web.health import Measure

FOLLOW_S: Final = 1.0
"""How often the log is looked at for what a command of the operator has committed."""
BEAT_S: Final = 10.0
GRACE: Final = timedelta(seconds=60)
"""A message handed over just before it expired may still be confirmed for this long."""
STALE: Final = timedelta(seconds=30)
"""A connectivity test that nobody began within this is none any more."""
TOLD: Final = timedelta(hours=24)
"""How long a failure acknowledgement is worth sending."""

log = structlog.get_logger("hub.mades.box")


class MessageBox:
    """See the module's charter. `run` until `stop`; `operations` are the business application's.

    `party_of` knows the other components: by default only the hub. `seals` close and open messages. `most_waiting` is
    how many messages may wait to be delivered before SendMessage is refused.
    """

    def __init__(
        self,
        code: Identifier,
        *,
        party: Party,
        hub: Identifier,
        store: Store,
        transport: Transport,
        seals: Seals,
        clock: Clock,
        most_waiting: int,
        party_of: Callable[[str], Party | None] | None = None,
    ) -> None:
        self.code, self._store, self._clock = code, store, clock
        self._scope = Scope(code)
        self._stopping, self._is_ready = asyncio.Event(), False
        self._begun: set[str] = set()
        self._callbacks: list[Callable[[Sequence[str]], None]] = []
        party_of = party_of or (lambda other: Party.HUB if other == hub else None)
        self.bells = Bells()
        self.brain = BoxBrain(code)
        self.endpoint = Endpoint(
            code,
            party=party,
            hub=hub,
            transport=transport,
            outbox=store.outbox,
            inbox=store.commit,
            clock=clock,
            seals=seals,
            render=self._render,
            receive=self._receive,
            party_of=party_of,
            changed=self._state_changed,
        )
        self.desk = Desk(self.brain, store.log, store.commit, clock=clock, bells=self.bells, leaving=self.endpoint.wake)
        self.backlog = Backlog(store.outbox, clock, most=most_waiting)
        self.operations = Operations(
            code,
            party=party,
            party_of=party_of,
            desk=self.desk,
            brain=self.brain,
            store=store,
            clock=clock,
            backlog=self.backlog,
        )

    async def run(self, *beside: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Replay the log, then work until `stop`, and whatever works `beside` it. A part that ends early ends all."""
        await self.desk.start()
        async with asyncio.TaskGroup() as tasks:
            desk = tasks.create_task(self._lasting(self.desk.run()), name="box.desk")
            loops = [
                tasks.create_task(self._lasting(loop), name=f"box.{name}")
                for name, loop in (
                    ("endpoint", self.endpoint.run()),
                    ("follow", self._follow()),
                    ("beat", self._beat()),
                    ("tests", self._test_connections()),
                    *(("beside", work()) for work in beside),
                )
            ]
            self._is_ready = True
            log.info("box.ready", component=self.code, position=self.desk.position)
            await self._stopping.wait()
            self._is_ready = False
            for loop in loops:
                loop.cancel()
            self.bells.close()
            self.desk.stop()
            await desk
        log.info("box.stopped", position=self.desk.position)

    def stop(self) -> None:
        """Let `run` end in good order."""
        self._stopping.set()

    def on_state_changed(self, callback: Callable[[Sequence[str]], None]) -> None:
        """Call this with the baMessageIDs of messages that have another state."""
        self._callbacks.append(callback)

    def trouble(self) -> str | None:
        """Why this box takes no work at the moment; None when it does."""
        if not self._is_ready:
            return "stopping" if self._stopping.is_set() else "starting"
        return self.endpoint.status().trouble

    def measures(self) -> Iterator[Measure]:
        """What this box has done and what waits; no component is named (NF3)."""
        yield Measure("log_position", "Events in the log.", self.desk.position)
        yield from exchange_measures(self.endpoint.status())
        yield Measure("messages_unconfirmed", "Messages nobody has confirmed yet.", len(self.brain.state.inbox))

    def _state_changed(self, ba_message_ids: Sequence[str]) -> None:
        for callback in self._callbacks:
            callback(ba_message_ids)

    async def _receive(self, incoming: Incoming) -> None:
        """Keep a message until it is confirmed. Raises Unavailable, MadesError (E-BA-REJECTED)."""
        entry = replace(incoming.entry, confirmed=False)
        message = incoming.message
        try:
            await self.desk.submit(
                commands.Take(_fact(incoming)),
                cause=f"{message.sender}/{message.ba_message_id or message.message_id}",
                inbox=entry,
                payload=message.content,
                urgent=message.business_type in URGENT,
            )
        except Rejected as error:
            raise MadesError("E-BA-REJECTED", error.text, message=message) from error
        log.info(
            "message.waits", sender=message.sender, message=message.message_id, business_type=message.business_type
        )

    async def _render(self, messages: Sequence[OutgoingMessage]) -> Mapping[str, bytes]:
        """The contents of messages, by their ids; what is not there any more is left out. Raises Unavailable."""
        found = [(message.message_id, await self._content(message)) for message in messages]
        return {message_id: content for message_id, content in found if content is not None}

    async def _content(self, message: OutgoingMessage) -> bytes | None:
        assert message.source is not None
        source = message.source
        items = await self._store.rows.feed(Scope(source.audience), source.view, after=source.after, limit=1)
        payload = items[0].payload
        assert payload is not None
        return await self._store.payload(msgspec.msgpack.decode(payload, type=Leaving).digest)

    async def _follow(self) -> None:
        """Notice what a command of the operator has committed."""
        while True:
            await self._clock.sleep(FOLLOW_S)
            with suppress(Unavailable):
                if await self._store.log.head() > self.desk.position:
                    await self.desk.catch_up()

    async def _beat(self) -> None:
        """Give up what nobody confirmed in time. Who was not told before a crash is told now."""
        since = self._clock.now() - TOLD
        untold = [each for each in self.brain.state.expired.contents().values() if each.expires > since]
        while True:
            try:
                await self._tell(untold)
                untold = await self._expire()
                await self._tell(untold)
                untold = []
                await self.backlog.look()
            except Unavailable as error:
                log.warning("beat.skipped", error=str(error))
            await self._clock.sleep(BEAT_S)

    async def _expire(self) -> list[Received]:
        late = self.brain.overripe(self._clock.now() - GRACE)
        if not late:
            return []
        command = commands.Expire(tuple(each.message_id for each in late))
        outcome = await self.desk.submit(command, cause=f"{self.code}/expiry")
        given_up = {event.message_id for event in outcome.events}
        log.warning("messages.expired", messages=len(given_up))
        return [each for each in late if each.message_id in given_up]

    async def _tell(self, given_up: Sequence[Received]) -> None:
        """Tell senders; to tell one again does no harm."""
        for each in given_up:
            await self._store.outbox.enqueue_failure(
                receiver=each.sender,
                related=each.message_id,
                business_type=each.business_type,
                digest=each.digest,
                manifest_digest=each.manifest_digest,
                reason="E-EXPIRED",
                now=self._clock.now(),
            )
        if given_up:
            self.endpoint.wake()

    async def _test_connections(self) -> None:
        """Do the connectivity tests that were asked for, side by side."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                with self.bells.take(TESTS, self.code) as bell:
                    with suppress(Unavailable):
                        for test in await self._open_tests():
                            self._begun.add(test.message_id)
                            tasks.create_task(self._test(test), name="box.test")
                    await bell.wait_at_most(BEAT_S, self._clock)

    async def _open_tests(self) -> list[Tested]:
        items = await self._store.rows.list(self._scope, TESTS, groups=(OPEN,))
        tests = [msgspec.msgpack.decode(item.payload, type=Tested) for item in items if item.payload is not None]
        return [test for test in tests if test.message_id not in self._begun]

    async def _test(self, test: Tested) -> None:
        result = await self._result(test)
        with suppress(Unavailable):  # the box is stopping; the test ends as a stale one
            await self.desk.submit(commands.EndTest(result), cause=f"{self.code}/{test.message_id}", urgent=True)
        self._begun.discard(test.message_id)

    async def _result(self, test: Tested) -> events.ConnectivityTestEnded:
        if self._clock.now() - test.at > STALE:
            failure = f"No endpoint ran within {STALE} of the question. Ask again."
            return events.ConnectivityTestEnded(message_id=test.message_id, failure=failure)
        try:
            ping = await self.endpoint.ping(test.receiver, business_type=BusinessType(test.business_type))
        except PingFailed as error:
            return events.ConnectivityTestEnded(message_id=test.message_id, failure=str(error))
        return events.ConnectivityTestEnded(
            message_id=test.message_id, broker_ms=ping.broker_ms, receiver_ms=ping.receiver_ms
        )

    async def _lasting(self, loop: Coroutine[Any, Any, None]) -> None:
        """A loop that may only end when the box is stopping."""
        await loop
        if not self._stopping.is_set():
            raise RuntimeError("A part of the message box ended by itself. See the log before this.")


def _fact(incoming: Incoming) -> events.MessageReceived:
    message, entry = incoming.message, incoming.entry
    return events.MessageReceived(
        message_id=message.message_id,
        sender=message.sender,
        business_type=message.business_type,
        digest=entry.digest,
        generated=message.generated,
        expires=message.expires,
        ba_message_id=message.ba_message_id,
        sender_application=message.sender_application,
        manifest_digest=_manifest_digest(entry),
    )


def _manifest_digest(entry: InboxEntry) -> str | None:
    return None if entry.manifest is None else digest_of(entry.manifest)
