"""The shapes of the business application's queues: what is read from a message, what is written on one."""

import pytest
from msgspec.structs import replace

from hub.mades.box.interface import Fault, ReceivedMessage, SentMessage
from hub.mades.box.queue_messages import (
    ENCODED_BODY,
    RAW_PROPERTIES,
    TOLD,
    arrival,
    conversation,
    event,
    order,
    properties,
    refusal,
    reply,
)
from hub.mades.errors import MadesError
from hub.ports import MessageState

HEADERS = {
    "receiverCode": "A01:HUB",
    "messageType": "TPS-POINTS",
    "baMessageID": "doc-1",
    "senderApplication": "planner",
}
SENT = SentMessage(
    receiver_code="A01:HUB",
    business_type="TPS-POINTS",
    content=b"<points/>",
    sender_application="planner",
    ba_message_id="doc-1",
)


def text(value: str) -> bytes:
    """A string of AMQP 1.0, short."""
    return b"\xa1" + bytes([len(value.encode())]) + value.encode()


def long_text(value: str) -> bytes:
    """The same string, long."""
    return b"\xb1" + len(value.encode()).to_bytes(4) + value.encode()


def section(*values: bytes, long: bool = False) -> bytes:
    """The section of application properties, as AMQP 1.0 encodes a map."""
    body = b"".join(values)
    width = 4 if long else 1
    size = (len(body) + width).to_bytes(width) + len(values).to_bytes(width)
    return b"\x00\x53\x74" + (b"\xd1" if long else b"\xc1") + size + body


def test_the_properties_of_an_order_are_headers_with_the_names_of_the_standard() -> None:
    assert order(HEADERS, b"<points/>") == SENT


def test_a_business_type_may_also_be_called_so() -> None:
    headers = {"receiverCode": "A01:HUB", "businessType": "TPS-POINTS"}

    assert order(headers, b"x").business_type == "TPS-POINTS"


@pytest.mark.parametrize("long", [False, True])
def test_properties_of_amqp_1_0_are_read_where_the_broker_leaves_them_encoded(long: bool) -> None:
    string = long_text if long else text
    raw = section(*(string(word) for item in HEADERS.items() for word in item), long=long)

    assert order({RAW_PROPERTIES: raw}, b"<points/>") == SENT
    assert order({RAW_PROPERTIES: raw[3:]}, b"<points/>") == SENT, "the map alone"


def test_values_that_are_no_texts_are_passed_over() -> None:
    raw = section(
        text("isTracingMessage"), b"\x42", text("small"), b"\x52\x07", text("big"), b"\x80" + bytes(8),
        text("list"), b"\xc0\x02\x01\x40", text("bytes"), b"\xa0\x01\xff", text("name"), text("né"),
    )  # fmt: skip

    assert properties({RAW_PROPERTIES: raw}) == {"name": "né"}
    assert properties({"number": 7, "name": "né"}) == {"name": "né"}


@pytest.mark.parametrize(
    "raw", [b"", b"\x00\x53\x74", b"\xa1\x01x", b"\xc1\x03\x02\x13\x01", b"\xc1\x05\x02\xa1\x01\xff\xa1\x00"]
)
def test_properties_that_are_no_map_are_refused(raw: bytes) -> None:
    with pytest.raises(MadesError, match=r"E-VALIDATION: The application properties are no map"):
        properties({RAW_PROPERTIES: raw})


def test_a_body_that_is_no_data_section_is_refused() -> None:
    with pytest.raises(MadesError, match=r"E-VALIDATION: The body is no data section"):
        order(HEADERS, b"\x00\x53\x77\xa1\x01x", type_=ENCODED_BODY)


def test_a_conversation_is_the_same_for_the_same_content_under_the_same_ids() -> None:
    first = conversation(SENT, "id-1", None)

    assert first == conversation(SENT, "id-1", None)
    assert len(first) == 64
    others = {
        conversation(SENT, "id-2", None),
        conversation(SENT, None, "id-1"),
        conversation(replace(SENT, content=b"<others/>"), "id-1", None),
        conversation(replace(SENT, ba_message_id="doc-2"), "id-1", None),
    }
    assert len(others | {first}) == 5


def test_without_an_id_every_message_is_another() -> None:
    assert conversation(SENT, None, None) == ""


def test_what_arrives_has_the_properties_of_ecp() -> None:
    received = ReceivedMessage(
        message_id="m-1",
        receiver_code="A01:NORTH",
        sender_code="A01:HUB",
        business_type="TPS-ACK",
        content=b"x",
        ba_message_id="doc-9",
    )

    assert arrival(received) == {
        "messageID": "m-1",
        "senderCode": "A01:HUB",
        "businessType": "TPS-ACK",
        "baMessageID": "doc-9",
    }


def test_a_reply_is_the_message_id_or_the_fault() -> None:
    fault = Fault(error_code="E-NO-PATH", error_id="u-1", error_message="no", error_details="why", receiver_code="X")

    assert reply("m-1") == {"messageID": "m-1"}
    assert refusal(fault) == {
        "errorCode": "E-NO-PATH",
        "errorID": "u-1",
        "errorMessage": "no",
        "errorDetails": "why",
    }


def test_an_event_names_the_message_by_both_ids() -> None:
    assert event("m-1", "doc-1", MessageState.FAILED, "E-EXPIRED") == {
        "messageID": "m-1",
        "baMessageID": "doc-1",
        "state": "FAILED",
        "details": "E-EXPIRED",
    }
    assert event("m-1", "", MessageState.DELIVERED, None) == {"messageID": "m-1", "state": "DELIVERED"}


def test_received_is_never_told_before_delivered() -> None:
    for (told, _), states in TOLD.items():
        if MessageState.RECEIVED in states:
            assert MessageState.DELIVERED in {told, *states[:-1]}
