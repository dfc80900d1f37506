"""The receiving half: check a delivery, commit it through the business side, and only then let the broker forget it.

Order of the checks (cheap and identity first): preamble and manifest, the receiver is this component, the broker's
sender is the manifest's, content and digest, taken in before (then the stored acknowledgements are sent again, but
never for another content under the same id), the path allows it, time. A fault of the message is told to a sender that
the broker vouches for, else the message goes to the dead letters. A fault of our surroundings is waited out with the
message in hand, so that nothing overtakes it and nothing is ever FAILED for it. Deliveries are worked in arrival order,
in batches of whatever has come meanwhile (R28).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final, TypeVar

from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from hub.errors import Forbidden, Mismatch
from hub.mades.codec import DEFAULT_LIMITS, Limits, digest_of, open_envelope, unpack
from hub.mades.endpoint.patience import until_available
from hub.mades.errors import MadesError
from hub.mades.message import InternalType, Message
from hub.mades.paths import Party, allowed
from hub.ports import Clock, Commit, Delivery, InboxEntry, Outbox, ReceivedAcknowledgement

_T = TypeVar("_T")
MAX_SKEW: Final = timedelta(seconds=300)
_CRASH_PAUSE_S: Final = 1.0


class Incoming(Struct, frozen=True):
    """A verified message for the business side, and the entry that its commit must write."""

    message: Message
    entry: InboxEntry


class Letter(Struct, frozen=True, eq=False):
    """A delivery and the message it held."""

    delivery: Delivery
    message: Message

    @property
    def key(self) -> tuple[str, str]:
        """The identity of a message: its sender and its id."""
        return self.message.sender, self.message.message_id


Receive = Callable[[Incoming], Awaitable[None]]
Traced = Callable[[Message], Awaitable[None]]
Changed = Callable[[Sequence[str]], None]


class Intake:
    """Deliveries in arrival order; bounded by the prefetch of the consumer that fills it."""

    def __init__(self) -> None:
        self._waiting: list[Delivery] = []
        self._bell = asyncio.Event()

    async def put(self, delivery: Delivery) -> None:
        """Take a delivery; it is settled later, by the receiver."""
        self._waiting.append(delivery)
        self._bell.set()

    async def take(self) -> list[Delivery]:
        """All that has come; waits for the first."""
        await self._bell.wait()
        self._bell.clear()
        waiting, self._waiting = self._waiting, []
        return waiting


class Receiver:
    """The loop from deliveries to effects of one component. `party_of` knows who may send: None is a stranger."""

    def __init__(
        self,
        code: str,
        party: Party,
        *,
        party_of: Callable[[str], Party | None],
        outbox: Outbox,
        inbox: Commit,
        clock: Clock,
        receive: Receive,
        traced: Traced,
        changed: Changed,
        log: FilteringBoundLogger,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._code, self._party, self._party_of = code, party, party_of
        self._outbox, self._inbox, self._clock = outbox, inbox, clock
        self._receive, self._traced, self._changed = receive, traced, changed
        self._log, self._limits = log, limits
        self.received = self.duplicates = self.refused = self.dead = 0

    async def run(self, intake: Intake) -> None:
        """Work through deliveries for ever."""
        while True:
            await self.take_in(await intake.take())

    async def take_in(self, deliveries: Sequence[Delivery]) -> None:
        """Work through deliveries that came together; none of them can stop the others."""
        letters = [letter for delivery in deliveries if (letter := await self._opened(delivery)) is not None]
        standard = [each for each in letters if each.message.internal_type is InternalType.STANDARD]
        tracing = [each for each in letters if each.message.internal_type in _TRACING]
        acknowledgements = [each for each in letters if each.message.internal_type in _ACKNOWLEDGING]
        await self._acknowledge(acknowledgements)
        for letter in tracing:
            await self._traced(letter.message)
            await letter.delivery.settle()
        await self._take_in_standard(standard)

    async def _opened(self, delivery: Delivery) -> Letter | None:
        """Read and verify one delivery, or refuse it."""
        try:
            envelope = open_envelope(delivery.body, limits=self._limits)
            self._identify(envelope.message, delivery)
            message = unpack(envelope, limits=self._limits)
        except MadesError as error:
            await self._refuse(delivery, error.message, error)
            return None
        except Exception:  # hostile bytes must not stop the loop, whatever they find in a library
            self._log.exception("message.unreadable")
            await self._bury(delivery, "E-FORMAT")
            return None
        if message.internal_type in _ACKNOWLEDGING and message.related is None:
            await self._bury(delivery, "E-FORMAT")
            return None
        return Letter(delivery, message)

    def _identify(self, message: Message, delivery: Delivery) -> None:
        if message.receiver != self._code or delivery.user_id != message.sender:
            raise MadesError(
                "E-MISMATCH", f"For {message.receiver} from {message.sender}, the broker says {delivery.user_id}."
            )

    async def _acknowledge(self, letters: Sequence[Letter]) -> None:
        if not letters:
            return
        received = [
            ReceivedAcknowledgement(
                related=each.message.related or "",
                internal_type=each.message.internal_type,
                sender=each.message.sender,
                event_time=each.message.event_time or each.message.generated,
                digest=each.message.related_digest,
                reason=each.message.reason,
            )
            for each in letters
        ]
        changed = await self._patiently(
            lambda: self._outbox.acknowledge(received, now=self._clock.now()), "acknowledgements"
        )
        for letter in letters:
            await letter.delivery.settle()
        if changed:
            self._changed(changed)

    async def _take_in_standard(self, letters: Sequence[Letter]) -> None:
        if not letters:
            return
        known = await self._patiently(lambda: self._inbox.known([each.key for each in letters]), "inbox")
        lines: dict[tuple[str, str], list[Letter]] = {}
        copies: list[Letter] = []
        seen: set[tuple[str, str]] = set()
        for letter in letters:
            if letter.key in known:
                await self._repeat(letter, known[letter.key])
            elif letter.key in seen:
                copies.append(letter)
            elif (fault := self._judge(letter.message)) is not None:
                await self._refuse(letter.delivery, letter.message, fault)
            else:
                seen.add(letter.key)
                document = letter.message.ba_message_id or letter.message.message_id
                lines.setdefault((letter.message.sender, document), []).append(letter)
        async with asyncio.TaskGroup() as tasks:
            for line in lines.values():
                tasks.create_task(self._hand_over_in_order(line), name=f"{self._code}.hand_over")
        for letter in copies:
            await letter.delivery.give_back()

    def _judge(self, message: Message) -> MadesError | None:
        """What speaks against taking in a message that is whole and new."""
        now, sender = self._clock.now(), self._party_of(message.sender)
        if sender is None or not allowed(message.business_type, sender=sender, receiver=self._party):
            found = f"No path carries {message.business_type} from {message.sender} to {self._code}."
            return MadesError("E-NO-PATH", found, message=message)
        if message.expires < now:
            return MadesError("E-EXPIRED", f"Expired at {message.expires.isoformat()}.", message=message)
        if message.generated > now + MAX_SKEW:
            return MadesError("E-CLOCK", f"Made at {message.generated.isoformat()}, in the future.", message=message)
        return None

    async def _hand_over_in_order(self, line: Sequence[Letter]) -> None:
        """Give messages of one document to the business side, one after the other."""
        for letter in line:
            await self._hand_over(letter)

    async def _hand_over(self, letter: Letter) -> None:
        incoming = Incoming(letter.message, self._entry(letter.message))
        try:
            await self._patiently(lambda: self._receive(incoming), "desk")
        except Forbidden as error:
            await self._refuse(letter.delivery, letter.message, MadesError("E-BA-REJECTED", str(error)))
        except MadesError as error:
            await self._refuse(letter.delivery, letter.message, error)
        except Mismatch:
            await self._bury_another(letter)
        except Exception:
            # Ours, not the sender's. The broker counts how often it comes back and buries it in the end.
            self._log.exception("message.crashed", message=letter.message.message_id, sender=letter.message.sender)
            await self._clock.sleep(_CRASH_PAUSE_S)
            await letter.delivery.give_back()
        else:
            await letter.delivery.settle()
            self.received += 1

    def _entry(self, message: Message) -> InboxEntry:
        return InboxEntry(
            sender=message.sender,
            message_id=message.message_id,
            business_type=message.business_type,
            document=message.ba_message_id,
            digest=digest_of(message.content),
            received=self._clock.now(),
            expires=message.expires,
        )

    async def _repeat(self, letter: Letter, digest: str) -> None:
        """It was taken in before, so its acknowledgements may have been lost: send them again (E-DUPLICATE)."""
        if digest_of(letter.message.content) != digest:
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

    async def _refuse(self, delivery: Delivery, message: Message | None, error: MadesError) -> None:
        """Refuse for good: tell a sender that the broker vouches for, bury what comes from anybody else."""
        vouched = message is not None and delivery.user_id == message.sender and message.receiver == self._code
        if message is None or not vouched or message.internal_type is not InternalType.STANDARD:
            await self._bury(delivery, error.code)
            return
        self.refused += 1
        self._log.warning("message.refused", message=message.message_id, sender=message.sender, why=str(error))
        await self._patiently(
            lambda: self._outbox.enqueue_failure(
                receiver=message.sender,
                related=message.message_id,
                business_type=message.business_type,
                digest=digest_of(message.content) if message.content else None,
                reason=error.code,
                now=self._clock.now(),
            ),
            "outbox",
        )
        await delivery.settle()

    async def _bury(self, delivery: Delivery, code: str) -> None:
        self.dead += 1
        self._log.warning("message.buried", user=delivery.user_id, why=code)
        await delivery.refuse()

    async def _patiently(self, work: Callable[[], Awaitable[_T]], what: str) -> _T:
        return await until_available(self._clock, self._log, work, what)


_TRACING: Final = frozenset({InternalType.TRACING, InternalType.TRACED})
_ACKNOWLEDGING: Final = frozenset({InternalType.DELIVERY, InternalType.RECEIVE, InternalType.FAILURE})
