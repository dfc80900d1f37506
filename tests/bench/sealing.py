"""The bound: all the sealing of a message cycle, in one process on one core, without database and broker."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hub.clock import SystemClock
from hub.mades import credentials
from hub.mades.membership import Membership
from hub.mades.message import Acknowledgement, InternalType, Message
from hub.mades.seal import Sealer, Verified
from tests.bench.load import KIND, document


def cycles_per_s(sender: Path, receiver: Path, *, size: int, cycles: int) -> float:
    """How many messages of `size` bytes one core can seal, open and acknowledge twice in a second.

    The folders are those of components that have worked before: their copies of the directory are in them.
    """
    ends = _End(sender), _End(receiver)
    contents = [document(f"bare-{number}", size) for number in range(cycles)]
    begun = time.perf_counter()
    for content in contents:
        _cycle(*ends, content)
    return cycles / (time.perf_counter() - begun)


class _End:
    """A component without loops: its code and its sealer."""

    def __init__(self, folder: Path) -> None:
        membership, now = Membership(folder, clock=SystemClock()), datetime.now(UTC)
        self.code = membership.code
        self.sealer = Sealer(self.code, credentials.load(folder).keys(now), membership.copy)


def _cycle(sender: _End, receiver: _End, content: bytes) -> None:
    now = datetime.now(UTC)
    message = Message(
        message_id="0123456789abcdef0123456789abcdef",
        internal_type=InternalType.STANDARD,
        sender=sender.code,
        receiver=receiver.code,
        business_type=KIND,
        ba_message_id="document",
        generated=now,
        expires=now + timedelta(hours=1),
        content=content,
    )
    verified = receiver.sealer.verify(receiver.sealer.look(sender.sealer.close(message).body))
    assert receiver.sealer.open(verified).content == content
    sender.sealer.verify(sender.sealer.look(receiver.sealer.close(_acknowledgements(verified, now)).body))


def _acknowledgements(verified: Verified, now: datetime) -> Message:
    message, content = verified.message, verified.manifest.content
    assert content is not None
    return Message(
        message_id="fedcba9876543210fedcba9876543210",
        internal_type=InternalType.LIST,
        sender=message.receiver,
        receiver=message.sender,
        business_type=message.business_type,
        generated=now,
        expires=message.expires,
        acknowledgements=tuple(
            Acknowledgement(
                kind=kind,
                related=message.message_id,
                manifest_digest=verified.manifest_digest,
                plain_digest=content.digest,
                event_time=now,
            )
            for kind in (InternalType.DELIVERY, InternalType.RECEIVE)
        ),
    )
