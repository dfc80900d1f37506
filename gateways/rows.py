"""Rows both gateways keep.

Everything a gateway holds belongs to its one participant; lists, long polls and XML are made from rows.
"""

from typing import Final, Literal

from msgspec import Struct

from documents.model import Document, RefSeries
from documents.values import Identifier, Instant, Mrid, Reason

OUTBOX: Final = "outbox"
MESSAGES: Final = "messages"
UNANSWERED: Final = "_unanswered"
STAMPS: Final = "_stamps"
COLLECTED: Final = "_collected"
ASKED: Final = "_asked"

VerdictWord = Literal["pending", "accepted", "partlyAccepted", "refused"]


class Outgoing(Struct, frozen=True, kw_only=True):
    """A document on its way. View outbox, audience the hub, key `mrid/revision`; rendered when it leaves."""

    document: Document


class Rejection(Struct, frozen=True, kw_only=True):
    """One refused item and why."""

    id: Identifier
    reasons: tuple[Reason, ...]


class SentMessage(Struct, frozen=True, kw_only=True):
    """What became of one revision of a document I sent. View messages, key `mrid/revision`, group the mRID."""

    mrid: Mrid
    revision: int
    type: str
    verdict: VerdictWord = "pending"
    accepted: tuple[Identifier, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    reasons: tuple[Reason, ...] = ()
    failed_at: str | None = None
    failed_why: str | None = None


class Registration(Struct, frozen=True, kw_only=True):
    """An asset or point as its holder wants it (`series`), as the hub last accepted it (`confirmed`).

    `reasons` are of the last refusal (R34). Views assets (AGR) and points (DSO), key the resource, group the point.
    """

    series: RefSeries
    confirmed: RefSeries | None = None
    state: Literal["pending", "accepted", "refused"] = "pending"
    reasons: tuple[Reason, ...] = ()
    document: Mrid


class Unanswered(Struct, frozen=True, kw_only=True):
    """A document the hub owes an answer to. Not shown; `order` is the position of its sending in the log."""

    document: Document
    order: int
    at: Instant
    held: bool
    failed: bool = False
    refused: tuple[Rejection, ...] = ()


class Stamp(Struct, frozen=True):
    """An instant or revision remembered about a key. Not shown."""

    at: Instant
    number: int = 0
