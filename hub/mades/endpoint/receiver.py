"""The receiving half: check a delivery, commit it through the business side, and only then let the broker forget it.

Order of the checks (cheap and identity first): preamble and manifest, the receiver is this component, the broker's
sender is the manifest's, taken in before (then the stored acknowledgements are sent again, but never for another
content under the same id), the signature, the properties beside it, the path, time, then decryption, content and
digest. A fault of the message is told to a sender that the broker vouches for, else the message goes to the dead
letters. A fault of our surroundings is waited out with the message in hand, so that nothing overtakes it and nothing is
ever FAILED for it. Deliveries are worked in arrival order, in batches of whatever has come meanwhile (R28).

A sender that our copy of the directory does not list is put off while the directory is away, until its message expires:
in hand, in its place, with nobody but a few other strangers waiting behind it.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from typing import Final, TypeVar

from structlog.typing import FilteringBoundLogger

from documents.values import Instant
from hub.errors import Forbidden, Mismatch
from hub.mades.endpoint.inspection import Incoming, Inspector, Letter, is_standard, is_tracing
from hub.mades.endpoint.patience import rest, until_available
from hub.mades.errors import MadesError, NotKnownYet
from hub.mades.message import InternalType
from hub.mades.seal import Verified, manifest_digest_of
from hub.ports import Clock, Commit, Delivery, Outbox, ReceivedAcknowledgement
from hub.traces import Span, Step, Traces, no_traces

_T = TypeVar("_T")
_CRASH_PAUSE_S: Final = 1.0
PUT_OFF_S: Final = 5.0
"""How long at most until what was put off is looked at again; whatever arrives brings the next look earlier."""
LONG_BYTES: Final = 2**20
"""Documents longer than this are opened and taken in one after the other: many at once would fill the memory."""
STRANGERS: Final = 16
"""How many deliveries of a queue may be put off: below every prefetch, so that no stranger can stop the queue."""

Receive = Callable[[Incoming], Awaitable[None]]
Traced = Callable[[Verified], Awaitable[None]]
Changed = Callable[[Sequence[str]], None]


class Intake:
    """Deliveries in arrival order; bounded by the prefetch of the consumer that fills it."""

    def __init__(self) -> None:
        self.held = 0
        """Deliveries that were put and are not worked through yet."""
        self._waiting: list[Delivery] = []
        self.bell = asyncio.Event()
        """Rings when there is something to take."""

    async def put(self, delivery: Delivery) -> None:
        """Take a delivery; it is settled later, by the receiver."""
        self.held += 1
        self._waiting.append(delivery)
        self.bell.set()

    def take(self) -> list[Delivery]:
        """All that has come."""
        self.bell.clear()
        waiting, self._waiting = self._waiting, []
        return waiting


class Receiver:
    """The loop from deliveries to effects of one component."""

    def __init__(
        self,
        code: str,
        *,
        inspector: Inspector,
        outbox: Outbox,
        inbox: Commit,
        clock: Clock,
        receive: Receive,
        traced: Traced,
        acknowledged: Callable[[str, Sequence[str]], None],
        changed: Changed,
        failed: Changed,
        log: FilteringBoundLogger,
        traces: Traces = no_traces,
    ) -> None:
        self._code, self._inspector = code, inspector
        self._outbox, self._inbox, self._clock = outbox, inbox, clock
        self._acknowledged = acknowledged
        self._receive, self._traced, self._changed, self._tell_failed = receive, traced, changed, failed
        self._log, self._traces = log, traces
        self.received = self.duplicates = 0
        self.refused, self.dead, self.failed = Counter[str](), Counter[str](), Counter[str]()
        """By reason; `failed` are ours, as their receivers have told."""

    async def run(self, intake: Intake) -> None:
        """Work through deliveries for ever."""
        put_off: list[Delivery] = []
        while True:
            if put_off:
                await rest(self._clock, intake.bell, PUT_OFF_S)
            else:
                await intake.bell.wait()
            deliveries = put_off + intake.take()
            put_off = await self.take_in(deliveries)
            intake.held -= len(deliveries) - len(put_off)

    async def take_in(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Work through deliveries that came together; none of them can stop the others. Returns those put off."""
        waiting = set[Delivery]()
        letters = [letter for delivery in deliveries if (letter := await self._looked_at(delivery)) is not None]
        standard = [letter for letter in letters if is_standard(letter)]
        others = [letter for letter in letters if not is_standard(letter)]
        signed = [(each, proof) for each in others if (proof := await self._verified(each, waiting))]
        await self._acknowledge([(letter, proof) for letter, proof in signed if not is_tracing(letter)])
        for letter, proof in signed:
            if is_tracing(letter):
                await self._traced(proof)
                await letter.delivery.settle()
        await self._take_in_standard(standard, waiting)
        return [delivery for delivery in deliveries if delivery in waiting]

    async def _looked_at(self, delivery: Delivery) -> Letter | None:
        """What a delivery claims to be, or None: it was refused."""
        try:
            return self._inspector.look(delivery)
        except MadesError as error:
            await self._refuse(delivery, error)
        except Exception:  # hostile bytes must not stop the loop, whatever they find in a library
            await self._bury_unreadable(delivery)
        return None

    async def _verified(self, letter: Letter, waiting: set[Delivery]) -> Verified | None:
        """What the sender of an acknowledgement or tracing message has signed, or None: it was refused, or waits."""
        try:
            return await self._patiently(lambda: self._inspector.verify(letter), "directory")
        except NotKnownYet as error:
            await self._put_off(letter, error, waiting)
        except MadesError as error:
            await self._refuse(letter.delivery, error)
        except Exception:  # as above
            await self._bury_unreadable(letter.delivery)
        return None

    async def _acknowledge(self, signed: Sequence[tuple[Letter, Verified]]) -> None:
        if not signed:
            return
        received = [each for _, proof in signed for each in _acknowledgements(proof)]
        changed = await self._patiently(
            lambda: self._outbox.acknowledge(received, now=self._clock.now()), "acknowledgements"
        )
        for letter, proof in signed:
            self._acknowledged(letter.claim.sender, [said.related for said in proof.message.acknowledgements])
            await letter.delivery.settle()
        if changed:
            self._changed(changed)
        failures = [each.reason or "" for each in received if each.internal_type is InternalType.FAILURE]
        if failures:
            self.failed.update(failures)
            self._tell_failed(changed)

    async def _take_in_standard(self, letters: Sequence[Letter], waiting: set[Delivery]) -> None:
        if not letters:
            return
        known = await self._patiently(lambda: self._inbox.known([each.key for each in letters]), "inbox")
        lines: dict[tuple[str, str], list[Letter]] = {}
        copies: list[Letter] = []
        seen: dict[tuple[str, str], Letter] = {}
        for letter in letters:
            if letter.key in known:
                await self._repeat(letter, known[letter.key])
            elif letter.key in seen:
                copies.append(letter)
            else:
                seen[letter.key] = letter
                document = letter.claim.ba_message_id or letter.claim.message_id
                lines.setdefault((letter.claim.sender, document), []).append(letter)
        turn_of_long = asyncio.Lock()
        async with asyncio.TaskGroup() as tasks:
            for line in lines.values():
                tasks.create_task(self._hand_over_in_order(line, waiting, turn_of_long), name=f"{self._code}.hand_over")
        for letter in copies:
            if seen[letter.key].delivery in waiting and len(waiting) < STRANGERS:
                waiting.add(letter.delivery)
            else:
                await letter.delivery.give_back()

    async def _hand_over_in_order(
        self, line: Sequence[Letter], waiting: set[Delivery], turn_of_long: asyncio.Lock
    ) -> None:
        """Give messages of one document to the business side, one after the other; behind one put off all wait."""
        not_known: NotKnownYet | None = None
        for letter in line:
            async with turn_of_long if len(letter.envelope.payload) > LONG_BYTES else nullcontext():
                not_known = not_known or await self._hand_over(letter)
            if not_known:
                await self._put_off(letter, not_known, waiting)

    async def _hand_over(self, letter: Letter) -> NotKnownYet | None:
        """Give a message to the business side, or refuse it; returns why it can be judged only later."""
        try:
            incoming = await self._patiently(lambda: self._inspector.open(letter), "directory")
            opened = self._clock.now()
            await self._patiently(lambda: self._receive(incoming), "desk")
        except NotKnownYet as error:
            return error
        except Forbidden as error:
            await self._refuse(letter.delivery, MadesError("E-BA-REJECTED", str(error), message=letter.claim))
        except MadesError as error:
            await self._refuse(letter.delivery, MadesError(error.code, error.detail, message=letter.claim))
        except Mismatch:
            await self._bury_another(letter)
        except Exception:
            # Ours, not the sender's. The broker counts how often it comes back and buries it in the end.
            self._log.exception("message.crashed", message=letter.claim.message_id, sender=letter.claim.sender)
            await self._clock.sleep(_CRASH_PAUSE_S)
            await letter.delivery.give_back()
        else:
            self._trace(incoming, opened)
            await letter.delivery.settle()
            self.received += 1
        return None

    def _trace(self, incoming: Incoming, opened: Instant) -> None:
        message = incoming.message
        self._traces(
            Span(
                step=Step.RECEIVE,
                document=message.ba_message_id,
                begun=opened,
                ended=self._clock.now(),
                business_type=message.business_type,
            )
        )

    async def _put_off(self, letter: Letter, why: NotKnownYet, waiting: set[Delivery]) -> None:
        """Let a delivery wait for the directory; refuse it when it has expired, or when too many wait already."""
        if letter.claim.expires <= self._clock.now() or len(waiting) >= STRANGERS:
            await self._refuse(letter.delivery, MadesError(why.code, why.detail, message=letter.claim))
            return
        self._log.warning("message.put_off", message=letter.claim.message_id, sender=letter.claim.sender, why=str(why))
        waiting.add(letter.delivery)

    async def _repeat(self, letter: Letter, digest: str) -> None:
        """It was taken in before, so its acknowledgements may have been lost: send them again (E-DUPLICATE)."""
        if letter.envelope.digest != digest:
            await self._bury_another(letter)
            return
        self.duplicates += 1
        sender, message_id = letter.key
        await self._patiently(
            lambda: self._inbox.replay_acknowledgements(sender, message_id, now=self._clock.now()), "inbox"
        )
        await letter.delivery.settle()

    async def _bury_another(self, letter: Letter) -> None:
        """The id of a message taken in before, with another content: the first one stands."""
        sender, message_id = letter.key
        self._log.error("message.mismatch", sender=sender, message=message_id)
        await self._bury(letter.delivery, "E-MISMATCH")

    async def _bury_unreadable(self, delivery: Delivery) -> None:
        self._log.exception("message.unreadable")
        await self._bury(delivery, "E-FORMAT")

    async def _refuse(self, delivery: Delivery, error: MadesError) -> None:
        """Refuse for good: tell a sender that the broker vouches for, bury what comes from anybody else."""
        claim = error.message
        if (
            claim is None
            or claim.internal_type is not InternalType.STANDARD
            or not self._inspector.is_vouched_for(claim, delivery)
        ):
            await self._bury(delivery, error.code)
            return
        self.refused[error.code] += 1
        self._log.warning("message.refused", message=claim.message_id, sender=claim.sender, why=str(error))
        await self._patiently(
            lambda: self._outbox.enqueue_failure(
                receiver=claim.sender,
                related=claim.message_id,
                business_type=claim.business_type,
                digest=None,
                manifest_digest=manifest_digest_of(delivery.body),
                reason=error.code,
                now=self._clock.now(),
            ),
            "outbox",
        )
        await delivery.settle()

    async def _bury(self, delivery: Delivery, code: str) -> None:
        self.dead[code] += 1
        self._log.warning("message.buried", user=delivery.user_id, why=code)
        await delivery.refuse()

    async def _patiently(self, work: Callable[[], Awaitable[_T]], what: str) -> _T:
        return await until_available(self._clock, self._log, work, what)


def _acknowledgements(proof: Verified) -> list[ReceivedAcknowledgement]:
    """What one message says; all of it has the same evidence."""
    return [
        ReceivedAcknowledgement(
            related=said.related,
            internal_type=said.kind,
            sender=proof.message.sender,
            event_time=said.event_time,
            digest=said.plain_digest,
            manifest_digest=said.manifest_digest,
            reason=said.reason,
            manifest=proof.signed,
        )
        for said in proof.message.acknowledgements
    ]
