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


class Message(Struct, frozen=True, kw_only=True):
    """One message between two endpoints. `generated` and `expires` are UTC with milliseconds.

    `content` is the document of a STANDARD_MESSAGE, empty otherwise. Acknowledgements carry what they acknowledge:
    `related` (the message id), `related_manifest_digest` (hexadecimal SHA-256 of its manifest as it came) and, where it
    had content, `related_digest` (the same of the content).
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
    related: str | None = None
    related_manifest_digest: str | None = None
    related_digest: str | None = None
    event_time: Instant | None = None
    reason: str | None = None
    content: bytes = b""
