"""Raw documents that were erased on purpose: recorded first, deleted then, so that a missing one is known or a fault.

The log holds the digests of documents only, so it verifies without them. Nothing is decided by what was erased.
"""

from collections.abc import Iterable

from hub.commands import ErasePayloads
from hub.events import Event, PayloadsErased


def decide_erase_payloads(command: ErasePayloads) -> tuple[Event, ...]:
    """Record the erasure with who, why, and what was looked for; nothing found is no event."""
    if not command.digests:
        return ()
    return (
        PayloadsErased(
            digests=command.digests,
            before=command.before,
            participant=command.participant,
            why=command.why,
            by=command.by,
        ),
    )


def erased_digests(events: Iterable[Event]) -> frozenset[str]:
    """SHA-256 (hexadecimal) of every raw document that may be absent: its erasure is recorded in these events."""
    return frozenset(digest for event in events if isinstance(event, PayloadsErased) for digest in event.digests)
