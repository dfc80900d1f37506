"""Events for a regulator: which of them, and how much of each is told (pure).

By default an event is told without what it says: when, of which kind, about which participants, and the digests that
tie it to the log. What it says may be personal or commercial (ids of metering points, ratings, plans, limits), and is
told only when asked for.
"""

import hashlib
from typing import Any, Final, get_args

import msgspec
from msgspec import UNSET, Struct, UnsetType

from documents.packing import plain
from documents.values import Identifier, Instant
from hub import events as e
from hub.history.happenings import concerned
from hub.ports import StoredEvent

TYPES: Final = tuple(sorted(kind.__name__ for kind in get_args(e.Event)))
"""Every kind of event, without its version."""
OPERATORS: Final = "cli/"
"""How the cause of an operator's command begins; who typed follows."""


class Wanted(Struct, frozen=True, kw_only=True):
    """Which events: half-open in time, about any of these participants, of any of these kinds; empty: all.

    An event is about whoever it names, and about whoever the hub told something because of it.
    """

    start: Instant | None = None
    end: Instant | None = None
    participants: frozenset[Identifier] = frozenset()
    types: frozenset[str] = frozenset()

    def takes(self, stored: StoredEvent, event: e.Event, told: frozenset[Identifier] = frozenset()) -> bool:
        """Whether an event is among them; `told` are the audiences of its rows."""
        return (
            (self.start is None or self.start <= stored.at)
            and (self.end is None or stored.at < self.end)
            and (not self.types or type(event).__name__ in self.types)
            and (not self.participants or bool(self.participants & {*concerned(event), *told}))
        )

    def is_past(self, stored: StoredEvent) -> bool:
        """Whether this event and all after it are too late."""
        return self.end is not None and stored.at >= self.end


class Exported(Struct, frozen=True, kw_only=True):
    """One event: `digest` is the SHA-256 of its stored bytes, `chain` the value of the log's hash chain at it.

    `stream`, `says` and who typed a command (`cause`) only where payloads were asked for.
    """

    position: int
    at: Instant
    type: str
    participants: tuple[Identifier, ...]
    cause: str
    digest: str
    chain: str
    stream: str | UnsetType = UNSET
    says: Any = UNSET  # an event of hub.events, as builtins


def bare(stored: StoredEvent, event: e.Event) -> Exported:
    """The event without what it says."""
    return Exported(
        position=stored.position,
        at=stored.at,
        type=stored.topic,
        participants=concerned(event),
        cause="cli" if stored.cause.startswith(OPERATORS) else stored.cause,
        digest=hashlib.sha256(stored.state).hexdigest(),
        chain=stored.chain.hex(),
    )


def whole(stored: StoredEvent, event: e.Event) -> Exported:
    """The event with what it says."""
    return msgspec.structs.replace(bare(stored, event), cause=stored.cause, stream=stored.stream, says=plain(event))
