"""Every fact a gateway keeps: what it sent, what came, what its people did with it.

The views are made from these alone.
"""

from msgspec import Struct

from documents.model import Document
from documents.values import Instant, Mrid
from gateways.rows import Rejection
from hub.restored import StoreRestored


class DocumentSent(Struct, frozen=True, kw_only=True, tag=True):
    """A document was made for the hub. `held`: it waits for the answer to an earlier one about the same resource (R10).

    `refused` are items of the client's request that are not in the document, each with its reason (R34).
    """

    document: Document
    held: bool = False
    refused: tuple[Rejection, ...] = ()


class DocumentReleased(Struct, frozen=True, kw_only=True, tag=True):
    """A held document leaves now; `sent` names it: `mrid/revision`."""

    sent: str


class DocumentReceived(Struct, frozen=True, kw_only=True, tag=True):
    """A document came from the hub. `answers` names what it answers (`mrid/revision`), None for what the hub pushed."""

    document: Document
    answers: str | None = None


class SendFailed(Struct, frozen=True, kw_only=True, tag=True):
    """A document could not be delivered, or was never answered: where it ended and why (R35)."""

    sent: str
    hop: str
    reason: str


class Collected(Struct, frozen=True, kw_only=True, tag=True):
    """A limit was answered to the participant's own client for the first time (R29)."""

    mrid: Mrid
    revision: int


class Reminded(Struct, frozen=True, kw_only=True, tag=True):
    """The participant was told that its unforeseen limit ends soon (R15)."""

    mrid: Mrid
    revision: int


class TokenIssued(Struct, frozen=True, kw_only=True, tag=True):
    """The operator let somebody in at the REST door; `fingerprint` is the SHA-256 of the secret, kept nowhere."""

    fingerprint: str
    label: str
    expires: Instant | None
    why: str
    by: str


class TokenRevoked(Struct, frozen=True, kw_only=True, tag=True):
    """The operator withdrew a token."""

    fingerprint: str
    label: str
    why: str
    by: str


class MessageRetried(Struct, frozen=True, kw_only=True, tag=True):
    """The operator had a message sent again; of a failed one its document, as the message `again` (R29)."""

    message_id: str
    receiver: str
    document: str
    again: str | None
    why: str
    by: str


Event = (
    DocumentSent
    | DocumentReleased
    | DocumentReceived
    | SendFailed
    | Collected
    | Reminded
    | TokenIssued
    | TokenRevoked
    | MessageRetried
    | StoreRestored
)
