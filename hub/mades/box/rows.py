"""The views of a message box and what is in them. `OUTBOX` is addressed to receivers, all others to the box itself."""

from typing import Final

from msgspec import Struct

from documents.values import Instant

OUTBOX: Final = "outbox"
"""Rows that leave as messages."""
SENT: Final = "sent"
"""Every message ever sent, by messageID."""
INBOX: Final = "inbox"
"""Messages that wait for their business application, by messageID."""
RECEIVED: Final = "received"
"""Every message ever received, by messageID."""
TESTS: Final = "tests"
"""Connectivity tests by messageID; those of the group `OPEN` have not ended."""
OPEN: Final = "open"


class Leaving(Struct, frozen=True):
    """What a message is made of: the content with this digest."""

    digest: str


class Sent(Struct, frozen=True, kw_only=True):
    """A message that was sent; where it is stands in the outbox of the store."""

    message_id: str
    receiver: str
    business_type: str
    at: Instant
    sender_application: str = ""
    ba_message_id: str = ""


class Received(Struct, frozen=True, kw_only=True):
    """A message that came at `at`; `confirmed` or `expired` is when it left the inbox. `position` orders the inbox."""

    message_id: str
    sender: str
    business_type: str
    digest: str
    generated: Instant
    expires: Instant
    at: Instant
    position: int
    ba_message_id: str = ""
    sender_application: str = ""
    manifest_digest: str | None = None
    confirmed: Instant | None = None
    expired: Instant | None = None


class Tested(Struct, frozen=True, kw_only=True):
    """A connectivity test; `ended` None: it is under way."""

    message_id: str
    receiver: str
    business_type: str
    at: Instant
    ended: Instant | None = None
    broker_ms: float | None = None
    receiver_ms: float | None = None
    failure: str = ""


class Followed(Struct, frozen=True):
    """A message whose states its business application is told; `told` is the last one, "" none. Never a row."""

    ba_message_id: str
    told: str = ""
