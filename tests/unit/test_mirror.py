"""What stands beside a message at the broker: part by part the tamper corpus of its properties."""

from datetime import datetime, timedelta

import pytest
from msgspec import structs

from hub.mades.message import InternalType
from hub.mades.mirror import CONTENT_TYPE, contradiction
from hub.ports import Properties
from tests.sealed_world import ACKNOWLEDGEMENT, ALPHA, NOON, STANDARD

MINUTE = timedelta(minutes=1)
ARRIVED = NOON + 30 * MINUTE
SAID = Properties(
    content_type=CONTENT_TYPE,
    message_id=ACKNOWLEDGEMENT.message_id,
    internal_type=ACKNOWLEDGEMENT.internal_type,
    correlation_id=ACKNOWLEDGEMENT.related,
    business_type=ACKNOWLEDGEMENT.business_type,
    sender=ACKNOWLEDGEMENT.sender,
    receiver=ACKNOWLEDGEMENT.receiver,
    ttl_s=(ACKNOWLEDGEMENT.expires - NOON).total_seconds(),
    timestamp=NOON,
)
FLIPS: dict[str, tuple[object, str]] = {
    "content_type": ("application/xml", "content type"),
    "message_id": ("m-2", "message id"),
    "internal_type": (InternalType.TRACING, "type"),
    "correlation_id": ("m-8", "correlation id"),
    "business_type": ("TPS-ASSETS", "businessType"),
    "sender": (ALPHA, "senderCode"),
    "receiver": (ALPHA, "receiverCode"),
    "ttl_s": (0.0, "expiration"),
    "timestamp": (NOON - 6 * MINUTE, "timestamp"),
}


def test_properties_that_mirror_the_manifest_say_nothing_against_it() -> None:
    assert contradiction(SAID, ACKNOWLEDGEMENT, ARRIVED) is None


@pytest.mark.parametrize("name", FLIPS)
def test_no_property_may_say_anything_else(name: str) -> None:
    value, word = FLIPS[name]

    found = contradiction(structs.replace(SAID, **{name: value}), ACKNOWLEDGEMENT, ARRIVED)

    assert found is not None
    assert word in found


def test_every_property_is_among_those_tried() -> None:
    assert set(Properties.__struct_fields__) == FLIPS.keys()


@pytest.mark.parametrize("name", FLIPS)
def test_a_property_may_be_missing_as_clients_and_brokers_of_amqp_1_0_leave_it(name: str) -> None:
    assert contradiction(structs.replace(SAID, **{name: None}), ACKNOWLEDGEMENT, ARRIVED) is None


def test_what_answers_nothing_correlates_with_nothing() -> None:
    assert contradiction(Properties(correlation_id="m-7"), STANDARD, ARRIVED) is not None
    assert contradiction(Properties(message_id=STANDARD.message_id), STANDARD, ARRIVED) is None


@pytest.mark.parametrize(
    ("left", "is_refused"),
    [
        (NOON - 6 * MINUTE, True),
        (NOON - 4 * MINUTE, False),
        (NOON + 20 * MINUTE, False),
        (ARRIVED + 4 * MINUTE, False),
        (ARRIVED + 6 * MINUTE, True),
    ],
)
def test_it_left_between_its_making_and_its_arrival_however_often_it_was_published(
    left: datetime, is_refused: bool
) -> None:
    by_ttl = Properties(ttl_s=(STANDARD.expires - left).total_seconds())
    by_timestamp = Properties(timestamp=left)

    assert [contradiction(each, STANDARD, ARRIVED) is not None for each in (by_ttl, by_timestamp)] == [is_refused] * 2


def test_a_message_from_the_future_is_left_to_the_look_at_the_clocks() -> None:
    ahead = structs.replace(STANDARD, generated=ARRIVED + 60 * MINUTE, expires=ARRIVED + 120 * MINUTE)

    assert contradiction(Properties(ttl_s=3600.0), ahead, ARRIVED) is None
    assert contradiction(Properties(ttl_s=7200.0), ahead, ARRIVED) is None
