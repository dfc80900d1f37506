"""One outgoing message in memory, and what becomes of it; the outbox moves it (hub.store.memory_outbox)."""

from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from hub.mades.exchange import ENDS
from hub.mades.message import InternalType
from hub.ports import MessageState, OutgoingMessage, TraceStep
from hub.store.sending import PATIENCE_S, RESENDINGS


class Outgoing(Struct, kw_only=True):
    """A message and what becomes of it. No `due`: nothing left to publish; a `lease_until`: a sender has it in hand."""

    message: OutgoingMessage
    due: datetime | None
    lease_until: datetime | None = None
    state: MessageState = MessageState.ACCEPTED
    reason: str | None = None
    sent: datetime | None = None
    resent: int = 0
    trace: list[TraceStep] = []  # a Struct makes an empty list for each instance
    manifests: list[str] = []
    acknowledgements: dict[str, bytes] = {}

    @property
    def business(self) -> bool:
        """Whether it carries a document, not an acknowledgement."""
        return self.message.internal_type == InternalType.STANDARD

    @property
    def document(self) -> tuple[str, str]:
        """What messages must not overtake each other in (R28)."""
        return self.message.receiver, self.message.document

    @property
    def queue(self) -> tuple[str, bool]:
        """The queue it goes to: of which receiver, and which of the two."""
        return self.message.receiver, self.message.urgent

    def claimable(self, now: datetime) -> bool:
        """Whether a sender may take it."""
        return self.due is not None and self.due <= now and (self.lease_until is None or self.lease_until <= now)

    def unanswered(self, now: datetime) -> bool:
        """Whether the broker has confirmed it, no acknowledgement has ended it, and it may be sent again."""
        confirmed = self.due is None and self.business and self.state not in ENDS
        return confirmed and self.resent < RESENDINGS and self.message.expires > now

    def older(self, sent: datetime | None) -> bool:
        """Whether something sent then would not have overtaken it."""
        return self.sent is not None and sent is not None and sent >= self.sent + timedelta(seconds=PATIENCE_S)

    def change(self, **fields: object) -> None:
        """Replace fields of the message."""
        self.message = msgspec.structs.replace(self.message, **fields)

    def rest(self, state: MessageState, reason: str | None) -> None:
        """Nothing is left to publish."""
        self.due = self.lease_until = None
        self.state, self.reason = state, reason

    def fold(self, state: MessageState, reason: str | None) -> None:
        """Take on a state; one that ends the message leaves nothing to publish, another undoes no reopening (R31)."""
        if state in ENDS:
            self.rest(state, reason)
        else:
            self.state, self.reason = state, reason

    def again(self, due: datetime) -> None:
        """Publish it (once more) from `due`."""
        self.due, self.lease_until = due, None

    def tell(self, at: datetime, component: str, state: str, details: str = "") -> None:
        """Add a line to its story."""
        self.trace.append(TraceStep(at=at, component=component, state=state, details=details))
