"""What speaks against a delivery, in the order of cost (docs/mades.md); decides nothing about what becomes of it.

Its manifest, its sender, the signature, the properties beside it, the path, the time, the content.
"""

from collections.abc import Callable

from msgspec import Struct

from hub.mades.endpoint.seals import Seals
from hub.mades.errors import MadesError
from hub.mades.message import InternalType, Message
from hub.mades.mirror import MAX_SKEW, contradiction
from hub.mades.paths import RETENTION, Party, allowed
from hub.mades.seal import Envelope, Verified
from hub.ports import Clock, Delivery, InboxEntry

PartyOf = Callable[[str], Party | None]


class Letter(Struct, frozen=True, eq=False):
    """A delivery and what it claims to be; nothing is proven but that the broker let this sender write it."""

    delivery: Delivery
    envelope: Envelope

    @property
    def claim(self) -> Message:
        """The message it claims to be, without content."""
        return self.envelope.message

    @property
    def key(self) -> tuple[str, str]:
        """The identity of a message: its sender and its id."""
        return self.claim.sender, self.claim.message_id


class Incoming(Struct, frozen=True):
    """A verified message for the business side, and the entry that its commit must write."""

    message: Message
    entry: InboxEntry


class Inspector:
    """Looks at deliveries for one component. `party_of` knows who may send: None is a stranger."""

    def __init__(self, code: str, party: Party, *, party_of: PartyOf, seals: Seals, clock: Clock) -> None:
        self._code, self._party, self._party_of = code, party, party_of
        self._seals, self._clock = seals, clock

    def look(self, delivery: Delivery) -> Letter:
        """Read the manifest and see whether the broker agrees with it. Raises MadesError."""
        letter = Letter(delivery, self._seals.look(delivery.body))
        if not self.is_vouched_for(letter.claim, delivery):
            found = f"For {letter.claim.receiver} from {letter.claim.sender}, the broker says {delivery.user_id}."
            raise MadesError("E-MISMATCH", found, message=letter.claim)
        return letter

    def is_vouched_for(self, claim: Message, delivery: Delivery) -> bool:
        """Whether it is for us, and from whom the broker says it is."""
        return claim.receiver == self._code and delivery.user_id == claim.sender

    async def verify(self, letter: Letter) -> Verified:
        """What the sender has signed; what it told the broker beside it must say the same.

        Raises MadesError, NotKnownYet, Unavailable (the directory is too old to say).
        """
        verified = await self._seals.verify(letter.envelope)
        if found := contradiction(letter.delivery.properties, verified.message, self._clock.now()):
            raise MadesError("E-MISMATCH", found, message=verified.message)
        return verified

    async def open(self, letter: Letter) -> Incoming:
        """A message that is new, with its content.

        Raises:
            MadesError: the signature, the properties, the path, the time, or the content speaks against it.
            NotKnownYet: the sender may be listed by now, and the directory cannot be asked.
            Unavailable: the directory is too old to say.
        """
        verified = await self.verify(letter)
        self._judge(verified.message)
        message = await self._seals.open(verified)
        return Incoming(message, self._entry(letter, message))

    def _judge(self, message: Message) -> None:
        now, sender = self._clock.now(), self._party_of(message.sender)
        if sender is None or not allowed(message.business_type, sender=sender, receiver=self._party):
            found = f"No path carries {message.business_type} from {message.sender} to {self._code}."
            raise MadesError("E-NO-PATH", found, message=message)
        if message.expires < now:
            raise MadesError("E-EXPIRED", f"Expired at {message.expires.isoformat()}.", message=message)
        if message.generated < now - RETENTION:
            found = f"Made at {message.generated.isoformat()}, more than {RETENTION.days} days ago."
            raise MadesError("E-EXPIRED", found, message=message)
        if message.generated > now + MAX_SKEW:
            raise MadesError("E-CLOCK", f"Made at {message.generated.isoformat()}, in the future.", message=message)

    def _entry(self, letter: Letter, message: Message) -> InboxEntry:
        return InboxEntry(
            sender=message.sender,
            message_id=message.message_id,
            business_type=message.business_type,
            document=message.ba_message_id,
            digest=letter.envelope.digest,
            received=self._clock.now(),
            expires=message.expires,
            manifest=letter.envelope.signed,
        )


def is_standard(letter: Letter) -> bool:
    """Whether it carries a document."""
    return letter.claim.internal_type is InternalType.STANDARD


def is_tracing(letter: Letter) -> bool:
    """Whether it belongs to a connectivity test."""
    return letter.claim.internal_type in {InternalType.TRACING, InternalType.TRACED}
