"""What the outboxes in PostgreSQL and in memory agree on."""

from collections.abc import Callable, Collection, Sequence
from typing import Final
from uuid import uuid4

from documents.values import Identifier, Mrid
from hub.ports import ReceivedAcknowledgement

MridOf = Callable[[str, Identifier, int], Mrid]
"""The mRID of the document that a beat makes of (view, audience, newest sequence)."""

ARRIVED: Final = {
    "DELIVERY_ACKNOWLEDGEMENT": "DELIVERED",
    "RECEIVE_ACKNOWLEDGEMENT": "RECEIVED",
    "FAILURE_ACKNOWLEDGEMENT": "FAILED",
    "TRACING_ACKNOWLEDGEMENT": "DELIVERED",
}
"""What an acknowledgement says, in the words of a trace."""


PATIENCE_S: Final = 60.0
"""A message is lost when its receiver has answered something sent that much later."""
RESENDINGS: Final = 5
"""How often a message is sent again because it seems lost."""
LOST: Final = "no acknowledgement, but the receiver answers"
"""Why a message is sent again, in the words of a trace."""


def random_id() -> str:
    """32 random hexadecimal digits."""
    return uuid4().hex


def random_mrid(_view: str, _audience: Identifier, _upto: int) -> Mrid:
    """An mRID that tells nothing; a component whose beats must be repeatable passes its keyed hash instead."""
    return uuid4().hex


def parts(after: int, sizes: Sequence[int], most: int, most_bytes: int) -> Sequence[tuple[int, int]]:
    """The items that follow `after`, of these sizes in bytes, as consecutive slices (after, upto).

    Each has at most `most` items and `most_bytes` bytes; an item that is larger is a slice of its own.
    """
    slices: list[tuple[int, int]] = []
    start, held = after, 0
    for sequence, size in enumerate(sizes, start=after + 1):
        is_full = sequence - start > most or held + size > most_bytes
        if is_full and sequence - 1 > start:
            slices.append((start, sequence - 1))
            start, held = sequence - 1, 0
        held += size
    return [*slices, (start, after + len(sizes))] if sizes else []


def genuine(
    acknowledgement: ReceivedAcknowledgement, receiver: str, digest: str | None, manifests: Collection[str]
) -> bool:
    """Whether it comes from the message's receiver, and is about what we sent.

    `digest` is that of the document (None before it exists), `manifests` are those of all that was sealed.
    """
    same_bytes = acknowledgement.digest is None or digest is None or acknowledgement.digest == digest
    same_manifest = not manifests or acknowledgement.manifest_digest in manifests
    return acknowledgement.sender == receiver and same_bytes and same_manifest
