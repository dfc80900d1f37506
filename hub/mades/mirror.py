"""Whether what stands beside a message at the broker agrees with what its sender has signed (MADES 4.1; pure).

The properties are for routing and for whoever looks at a queue; only the manifest is believed. They may be missing:
AMQP 1.0 clients say less, and brokers drop some. What is there must not say anything else, for somebody acted on it.
"""

from datetime import datetime, timedelta
from typing import Final

from hub.mades.message import Message
from hub.ports import Properties

CONTENT_TYPE: Final = "application/vnd.drem.mades"
MAX_SKEW: Final = timedelta(seconds=300)
"""By how much two clocks may differ."""


def contradiction(properties: Properties, message: Message, now: datetime) -> str | None:
    """What the properties of a delivery say against its verified message, in words; None when they agree.

    A time to live counts from a publication, and brokers or clients may say when that was: neither is the signed
    instant, but it lies between `generated` and now, give or take what clocks differ.
    """
    for name, found, expected in _texts(properties, message):
        if found is not None and found != expected:
            return f"Its {name} is {found[:80]!r}, the manifest says {expected!r}."
    for name, at in _instants(properties, message):
        if not min(now, message.generated) - MAX_SKEW <= at <= max(now, message.generated) + MAX_SKEW:
            return f"Its {name} says it left at {at.isoformat()}, made at {message.generated.isoformat()}."
    return None


def _texts(properties: Properties, message: Message) -> tuple[tuple[str, str | None, str | None], ...]:
    return (
        ("content type", properties.content_type, CONTENT_TYPE),
        ("message id", properties.message_id, message.message_id),
        ("type", properties.internal_type, message.internal_type),
        ("correlation id", properties.correlation_id, message.related),
        ("header businessType", properties.business_type, message.business_type),
        ("header senderCode", properties.sender, message.sender),
        ("header receiverCode", properties.receiver, message.receiver),
    )


def _instants(properties: Properties, message: Message) -> list[tuple[str, datetime]]:
    left = [("timestamp", properties.timestamp)] if properties.timestamp else []
    if properties.ttl_s is not None:
        left.append(("expiration", message.expires - timedelta(seconds=properties.ttl_s)))
    return left
