"""The MADES message as a value (modelled on IEC 62325-503 and ECP 4): names of the interface, no bytes, no keys."""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from documents.values import Instant


class InternalType(StrEnum):
    """What a message is to the endpoints; only STANDARD_MESSAGE is ever handed to the business side."""

    STANDARD = "STANDARD_MESSAGE"
    TRACING = "TRACING_MESSAGE"
    DELIVERY = "DELIVERY_ACKNOWLEDGEMENT"
    RECEIVE = "RECEIVE_ACKNOWLEDGEMENT"
    FAILURE = "FAILURE_ACKNOWLEDGEMENT"
    TRACED = "TRACING_ACKNOWLEDGEMENT"
    LIST = "ACKNOWLEDGEMENT_LIST"
    """Several delivery, receive and failure acknowledgements for one receiver, signed together."""


class BusinessType(StrEnum):
    """The business types of the platform (R27)."""

    ASSETS = "TPS-ASSETS"
    POINTS = "TPS-POINTS"
    FORESEEN = "TPS-FORESEEN"
    UNFORESEEN = "TPS-UNFORESEEN"
    SCHEDULES = "TPS-SCHEDULES"
    REQUEST = "TPS-REQUEST"
    RESPONSE = "TPS-RESPONSE"
    ACK = "TPS-ACK"


URGENT: Final = frozenset({BusinessType.FORESEEN, BusinessType.UNFORESEEN, BusinessType.ACK})
"""Business types of the urgent queue (R27, R28); acknowledgements of the transport always travel there."""


LISTED: Final = frozenset({InternalType.DELIVERY, InternalType.RECEIVE, InternalType.FAILURE})
"""What a list of acknowledgements may hold; a connectivity test is answered alone."""
LIST_MAX: Final = 64
"""Acknowledgements in one list: far below what a manifest may be long."""


class Acknowledgement(Struct, frozen=True, kw_only=True):
    """What the receiver of a message says of it, and when it came to that.

    `kind` is one of DELIVERY, RECEIVE, FAILURE and TRACED, `related` the message id, `manifest_digest` the hexadecimal
    SHA-256 of its manifest as it came, `plain_digest` the same of its content where it had one, `reason` a code.
    """

    kind: InternalType
    related: str
    manifest_digest: str | None
    plain_digest: str | None = None
    event_time: Instant
    reason: str | None = None


class Message(Struct, frozen=True, kw_only=True):
    """One message between two endpoints. `generated` and `expires` are UTC with milliseconds.

    `content` is the document of a STANDARD_MESSAGE, empty otherwise. An acknowledgement has one in `acknowledgements`,
    of its own internal type; a list has 2 to LIST_MAX, everything else none.
    """

    message_id: str
    internal_type: InternalType
    sender: str
    receiver: str
    business_type: str
    ba_message_id: str = ""
    sender_application: str = ""
    generated: Instant
    expires: Instant
    acknowledgements: tuple[Acknowledgement, ...] = ()
    content: bytes = b""

    @property
    def related(self) -> str | None:
        """The message that this one acknowledges, if it is one and no more: the correlation id at the broker."""
        return self.acknowledgements[0].related if len(self.acknowledgements) == 1 else None
