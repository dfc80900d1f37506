"""What each audience is shown, and what leaves because of it (floor 2)."""

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct

from documents.values import Identifier, Instant, Interval

OPERATOR: Identifier = Identifier("operator")
"""The audience of what only the platform operator may see."""


class Sending(Struct, frozen=True, kw_only=True):
    """That a row leaves at once as one document.

    `document` is the business id that travels with it: its own mRID, on an answer the mRID of what it answers (R26).
    `expires` is when delivery stops being worth it (R27). `message_id` is what the message is known by; by default the
    store chooses. `application` is which of the sender's applications it comes from, as the receiver is told.
    """

    business_type: str
    document: str
    expires: Instant
    urgent: bool = False
    message_id: str | None = None
    application: str = ""


class Row(Struct, frozen=True, kw_only=True):
    """One change of one view for one audience; `payload` None says that `key` is withdrawn.

    `group`, `valid` and `issued` are what lists are filtered by: a group (connection point, asset), the span the
    content is about, and the instant it was issued (default: when it was recorded). A row with `send` is also an
    outgoing document. A row that `confirms` a message taken in unconfirmed (its sender, its id) also queues the receive
    acknowledgement of it, once.
    """

    view: str
    audience: Identifier
    key: str
    payload: Any  # the row types of hub.rows or of a gateway's views; the store only encodes it
    group: str = ""
    valid: Interval | None = None
    issued: Instant | None = None
    send: Sending | None = None
    confirms: tuple[str, str] | None = None


class Scope(Struct, frozen=True):
    """Whose rows may be read: issued in one function per door, from the authenticated identity."""

    audience: Identifier


class Item(Struct, frozen=True, kw_only=True):
    """A stored row.

    `sequence` counts 1, 2, 3 within (view, audience) without gaps (R32); `payload` is MessagePack, None when
    withdrawn.
    """

    view: str
    audience: Identifier
    key: str
    sequence: int
    payload: bytes | None
    group: str = ""
    valid: Interval | None = None
    issued: Instant
    position: int


class FeedSlice(Struct, frozen=True):
    """The items of one feed with `after` < sequence <= `upto`: what an outgoing document is made of."""

    view: str
    audience: Identifier
    after: int
    upto: int


class RowReader(Protocol):
    """Rows of a scope. There is no way to read without one."""

    async def feed(self, scope: Scope, view: str, *, after: int = 0, limit: int = 1000) -> Sequence[Item]:
        """Items with sequence > `after`, ascending."""

    async def slices(self, slices: Sequence[FeedSlice]) -> Sequence[Sequence[Item]]:
        """The items of each slice, ascending: what outgoing documents are made of, read together."""

    async def head(self, scope: Scope, view: str) -> int:
        """Sequence of the newest item, 0 when there is none."""

    async def get(self, scope: Scope, view: str, key: str) -> Item | None:
        """The current item of a key, None when unknown or withdrawn (indistinguishable)."""

    async def list(
        self,
        scope: Scope,
        view: str,
        *,
        groups: Sequence[str] = (),
        overlapping: Interval | None = None,
        issued: Interval | None = None,
        after_key: str = "",
        limit: int = 1000,
    ) -> Sequence[Item]:
        """Current items by ascending key.

        Of any of `groups` (empty: all), whose `valid` overlaps, issued within the half-open span.
        """
