"""What the queues of a business application carry, by the public behaviour of ECP 4 (pure; docs/mades.md).

Properties of the interface are application properties of AMQP 1.0. RabbitMQ shows them to our 0-9-1 client as headers,
before 3.13 as one header with their bytes.
"""

import hashlib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from hub.mades.box.interface import Fault, ReceivedMessage, SentMessage
from hub.mades.errors import MadesError
from hub.ports import MessageState

RAW_PROPERTIES: Final = "x-amqp-1.0-app-properties"
"""Where RabbitMQ before 3.13 puts the application properties of AMQP 1.0: their section, still encoded."""
ENCODED_BODY: Final = "amqp-1.0"
"""RabbitMQ's type of a message whose body was no data section and is therefore still encoded."""

_SECTION: Final = b"\x00\x53\x74"
_TEXTS: Final = {0xA1: "utf-8", 0xB1: "utf-8", 0xA3: "ascii", 0xB3: "ascii"}
_MAPS: Final = {0xC1: 1, 0xD1: 4}
_FIXED: Final = {0x40: 0, 0x50: 1, 0x60: 2, 0x70: 4, 0x80: 8, 0x90: 16}
_LENGTHS: Final = {0xA0: 1, 0xC0: 1, 0xE0: 1, 0xB0: 4, 0xD0: 4, 0xF0: 4}


class BusinessQueue(StrEnum):
    """The queues between a message box and its business application; each may have a prefix."""

    OUTBOX = "ecp.endpoint.outbox"
    REPLY = "ecp.endpoint.outbox.reply"
    INBOX = "ecp.endpoint.inbox"
    EVENT = "ecp.endpoint.send.event"


TOLD: Final[Mapping[tuple[str, MessageState], tuple[MessageState, ...]]] = {
    ("", MessageState.DELIVERED): (MessageState.DELIVERED,),
    ("", MessageState.RECEIVED): (MessageState.DELIVERED, MessageState.RECEIVED),
    ("", MessageState.FAILED): (MessageState.FAILED,),
    (MessageState.DELIVERED, MessageState.RECEIVED): (MessageState.RECEIVED,),
    (MessageState.DELIVERED, MessageState.FAILED): (MessageState.FAILED,),
}
"""What is told next, by what was told last and what is so now; nothing otherwise. RECEIVED never skips DELIVERED."""


def order(headers: Mapping[str, object], content: bytes, *, type_: str | None = None) -> SentMessage:
    """What a message in the outbox queue asks to send. Raises MadesError (E-VALIDATION)."""
    if type_ == ENCODED_BODY:
        raise MadesError("E-VALIDATION", "The body is no data section; send the content as bytes.")
    found = properties(headers)
    return SentMessage(
        receiver_code=found.get("receiverCode", ""),
        business_type=found.get("messageType") or found.get("businessType", ""),
        content=content,
        sender_application=found.get("senderApplication", ""),
        ba_message_id=found.get("baMessageID", ""),
    )


def properties(headers: Mapping[str, object]) -> dict[str, str]:
    """The texts among the properties of a message, whatever way they came. Raises MadesError (E-VALIDATION)."""
    raw = headers.get(RAW_PROPERTIES)
    if raw is None:
        return {name: value for name, value in headers.items() if isinstance(value, str)}
    try:
        return dict(_texts(raw if isinstance(raw, bytes | bytearray) else str(raw).encode()))
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise MadesError("E-VALIDATION", "The application properties are no map of AMQP 1.0.") from error


def conversation(sent: SentMessage, *ids: str | None) -> str:
    """The conversationID of a message in the outbox queue: the same for the same content under the same ids.

    A repeat after a crash is thereby known. Without any id there is none, and a repeat is another message.
    """
    if not any(ids):
        return ""
    known = msgspec.msgpack.encode((ids, sent))
    return f"amqp-{hashlib.sha256(known).hexdigest()[:59]}"


def reply(message_id: str) -> dict[str, str]:
    """The properties of a reply when the message was taken."""
    return {"messageID": message_id}


def refusal(fault: Fault) -> dict[str, str]:
    """The properties of a reply when it was refused."""
    return {name: value for name, value in _built(fault).items() if name.startswith("error")}


def arrival(received: ReceivedMessage) -> dict[str, str]:
    """The properties of a message in the inbox queue."""
    return {name: value for name, value in _built(received).items() if name not in {"content", "receiverCode"}}


def event(message_id: str, ba_message_id: str, state: MessageState, reason: str | None) -> dict[str, str]:
    """The properties of a state change; the body is the state."""
    found = {"messageID": message_id, "baMessageID": ba_message_id, "state": str(state), "details": reason or ""}
    return {name: value for name, value in found.items() if value}


def _built(value: msgspec.Struct) -> dict[str, str]:
    built: dict[str, str] = msgspec.to_builtins(value)
    return built


def _texts(section: bytes | bytearray) -> Iterator[tuple[str, str]]:
    """Names and values of a map, those that are texts. Raises IndexError, KeyError, UnicodeDecodeError."""
    values = list(_values(_map(section)))
    for (code, name), (kind, value) in zip(values[::2], values[1::2], strict=False):
        if code in _TEXTS and kind in _TEXTS:
            yield name.decode(_TEXTS[code]), value.decode(_TEXTS[kind])


def _map(section: bytes | bytearray) -> bytes:
    """What is in the map of the section, which may come with its descriptor or without."""
    bare = bytes(section).removeprefix(_SECTION)
    width = _MAPS[bare[0]]
    return bare[1 + 2 * width :]


def _values(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Encoded values one after the other: the code of each, and its bytes."""
    place = 0
    while place < len(data):
        code, place = data[place], place + 1
        if (length := _LENGTHS.get(code & 0xF0)) is not None:
            size, place = int.from_bytes(data[place : place + length]), place + length
        else:
            size = _FIXED[code & 0xF0]
        yield code, data[place : place + size]
        place += size
