"""The MADES interface for business applications as values: the names of the standard, nothing of ours.

Attributes are written as Python writes them; in JSON they are those of the standard (`ba_message_id`: `baMessageID`).
Source: the endpoint's web service of MADES (IEC 62325-503) as ECP 4 publishes it.
"""

import re
from typing import Final

from msgspec import Struct

from documents.values import Instant
from hub.ports import MessageState

BUSINESS_TYPE: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
WORD: Final = re.compile(r"[A-Za-z0-9-]{0,64}")
"""What baMessageID, senderApplication and conversationID are made of; all of them may be empty."""

ANY: Final = frozenset({"", "*"})
"""Business types of ReceiveMessage that stand for any."""


def standard_name(attribute: str) -> str:
    """The name of a field in the standard: `message_id` is `messageID`."""
    first, *rest = attribute.split("_")
    return first + "".join("ID" if part == "id" else part.capitalize() for part in rest)


class Named(Struct, frozen=True, kw_only=True, omit_defaults=True, rename=standard_name):
    """A value whose fields have the names of the standard in JSON; what is empty is left out."""


class SentMessage(Named, frozen=True, kw_only=True):
    """What a business application gives to SendMessage."""

    receiver_code: str
    business_type: str
    content: bytes
    sender_application: str = ""
    ba_message_id: str = ""


class ReceivedMessage(Named, frozen=True, kw_only=True):
    """What ReceiveMessage hands over; `content` None: it was not asked for."""

    message_id: str
    receiver_code: str
    sender_code: str
    business_type: str
    content: bytes | None = None
    sender_application: str = ""
    ba_message_id: str = ""


class Reception(Struct, frozen=True, kw_only=True, rename=standard_name):
    """The answer to ReceiveMessage: the oldest message that waits, and how many wait behind it."""

    received_message: ReceivedMessage | None
    remaining_messages_count: int


class MessageTraceItem(Named, frozen=True, kw_only=True):
    """One line of a message's story."""

    timestamp: Instant
    state: str
    component: str
    component_description: str
    details: str = ""


class MessageStatus(Named, frozen=True, kw_only=True):
    """The answer to CheckMessageStatus. `receive_timestamp`: when the receiver's endpoint had it."""

    message_id: str
    state: MessageState
    receiver_code: str
    sender_code: str
    business_type: str
    sender_application: str = ""
    ba_message_id: str = ""
    send_timestamp: Instant | None = None
    receive_timestamp: Instant | None = None
    trace: tuple[MessageTraceItem, ...] = ()


class Fault(Named, frozen=True, kw_only=True):
    """Why an operation was refused. `error_id` (a UUID) also stands in the log; the last three are what it is about."""

    error_code: str
    error_id: str
    error_message: str
    error_details: str = ""
    receiver_code: str = ""
    business_type: str = ""
    message_id: str = ""


class MadesFault(Exception):
    """An operation was refused; `fault` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.error_code}: {fault.error_details or fault.error_message} (errorID {fault.error_id})")
        self.fault = fault
