"""What the store knows of messages, as an auditor reads it: who handed over what, when, with which digests (pure).

Digests are hexadecimal SHA-256. A manifest is what the sender of a message signed; its digest names the signature's
subject, so that a participant can compare it with what it holds itself.
"""

from msgspec import Struct

from documents.values import Identifier, Instant
from hub.ports import FeedSlice, MessageState, TraceStep


class Proof(Struct, frozen=True, kw_only=True):
    """A signed acknowledgement of the transport: its type, and the digest of the signed manifest."""

    kind: str
    digest: str


class Answered(Struct, frozen=True, kw_only=True):
    """An acknowledgement of the transport that the hub owes: its type, and when it was handed to the broker last."""

    kind: str
    sent: Instant | None


class Received(Struct, frozen=True, kw_only=True):
    """A message that the hub has taken in. `document` is the business id that came with it.

    `is_intact`: whether the raw document that is kept has the digest; None when it is not kept, or no longer.
    """

    sender: Identifier
    message_id: str
    business_type: str
    document: str
    digest: str
    manifest_digest: str | None
    received: Instant
    is_intact: bool | None
    answered: tuple[Answered, ...] = ()


class Sent(Struct, frozen=True, kw_only=True):
    """A business message of the hub: of which rows it is made, the digest of its document once there is one."""

    message_id: str
    receiver: Identifier
    business_type: str
    document: str
    accepted: Instant
    state: MessageState
    reason: str | None
    source: FeedSlice | None
    digest: str | None
    trace: tuple[TraceStep, ...] = ()
    proofs: tuple[Proof, ...] = ()

    def first(self, state: str, until: Instant) -> Instant | None:
        """When it was first known to have come to a state, up to `until`; None when it had not."""
        return min((step.at for step in self.trace if step.state == state and step.at <= until), default=None)


class Told(Struct, frozen=True):
    """A row as readers have it: its number in the feed, and the event or the correction it came from (R32)."""

    view: str
    key: str
    position: int
    sequence: int
