"""Tracing messages: they have no content, live for 30 seconds, and are shown to nobody (MADES ConnectivityTest)."""

from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from hub.mades.endpoint.seals import Seals
from hub.mades.message import Acknowledgement, BusinessType, InternalType, Message
from hub.mades.seal import Verified
from hub.ports import Publication, Transport

TRACE_EXPIRY: Final = timedelta(seconds=30)


async def trace(
    transport: Transport,
    seals: Seals,
    *,
    sender: str,
    receiver: str,
    now: datetime,
    message_id: str = "",
    business_type: str = BusinessType.ACK,
    answers: Verified | None = None,
) -> None:
    """Send a tracing message to `receiver`, or the answer to one.

    Raises:
        Unavailable, Unroutable, Refused: the broker does not take it.
        MadesError: it cannot be sealed, or no path leads there.
    """
    message = Message(
        message_id=message_id or uuid4().hex,
        internal_type=InternalType.TRACED if answers else InternalType.TRACING,
        sender=sender,
        receiver=receiver,
        business_type=business_type,
        generated=now,
        expires=now + TRACE_EXPIRY,
        acknowledgements=(_answer(answers, now),) if answers else (),
    )
    await transport.publish(
        Publication(
            message_id=message.message_id,
            internal_type=message.internal_type,
            sender=sender,
            receiver=receiver,
            business_type=business_type,
            urgent=True,
            ttl_s=TRACE_EXPIRY.total_seconds(),
            body=(await seals.close(message)).body,
            correlation_id=message.related,
        )
    )


def _answer(asked: Verified, now: datetime) -> Acknowledgement:
    return Acknowledgement(
        kind=InternalType.TRACED,
        related=asked.message.message_id,
        manifest_digest=asked.manifest_digest,
        event_time=now,
    )
