"""Which path a message takes, and which paths may stand beside each other (MADES 4.5.11; pure).

A receiver declares how it is reached. The most specific path of the time decides: an exact type before the longest
prefix before `*`. Only then is the sender looked at: a path that does not allow it is not replaced by a less specific
one. The broker of the path must carry sender and type and share a network with both ends.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import combinations
from typing import Final

from hub.directory.values import ANY, ComponentRecord, ComponentType, MessagePath
from hub.mades.errors import MadesError

MESSAGE_TYPE: Final = re.compile(r"[A-Za-z0-9-]{1,64}\*?|\*")
"""A type as a path names it: exact, `PREFIX*`, or `*` for every type."""


def select(paths: Iterable[MessagePath], *, sender: str, message_type: str, at: datetime) -> MessagePath:
    """The one path that is meant for this message.

    Raises:
        MadesError: E-NO-PATH when none holds for type and time, E-SENDER-NOT-ALLOWED when the one that does is not for
            this sender.
    """
    fitting = [path for path in paths if holds(path, at) and covers(path.message_type, message_type)]
    if not fitting:
        raise MadesError("E-NO-PATH", f"The receiver has declared no path for {message_type} at {at.isoformat()}.")
    chosen = max(fitting, key=lambda path: (_specificity(path.message_type), path.valid_from))
    if chosen.senders and sender not in chosen.senders:
        raise MadesError("E-SENDER-NOT-ALLOWED", f"The receiver's path for {message_type} does not allow this sender.")
    return chosen


def route(
    records: Mapping[str, ComponentRecord], *, sender: str, receiver: str, message_type: str, at: datetime
) -> str:
    """The code of the broker that carries this message from `sender` to `receiver`.

    Raises:
        MadesError: E-UNKNOWN-RECEIVER, E-NO-PATH, E-SENDER-NOT-ALLOWED, or E-PATH-INVALID when the path leads over a
            broker that is unknown, does not carry it, or shares no network with both ends.
    """
    to, origin = records.get(receiver), records.get(sender)
    if to is None or to.party.type is not ComponentType.ENDPOINT:
        raise MadesError("E-UNKNOWN-RECEIVER", "The component directory knows no endpoint with this code.")
    path = select(to.configuration.paths, sender=sender, message_type=message_type, at=at)
    broker = broker_of(path, to, records)
    _check_carried(broker, sender=sender, message_type=message_type)
    if origin:
        _check_network(origin, broker)
    return broker.code


def broker_of(path: MessagePath, receiver: ComponentRecord, records: Mapping[str, ComponentRecord]) -> ComponentRecord:
    """The broker a path leads over. Raises MadesError: E-PATH-INVALID when it does not lead to the receiver."""
    if path.broker is None:
        raise MadesError("E-PATH-INVALID", "The receiver's path is DIRECT; this platform sends over its broker only.")
    broker = records.get(path.broker)
    if broker is None or broker.party.type is not ComponentType.BROKER:
        raise MadesError("E-PATH-INVALID", f"The receiver's path leads over {path.broker}, which is no known broker.")
    _check_network(receiver, broker)
    return broker


def holds(path: MessagePath, at: datetime) -> bool:
    """Whether a path is valid at that instant: from its start, until just before its end."""
    return path.valid_from <= at and (path.valid_to is None or at < path.valid_to)


def covers(pattern: str, message_type: str) -> bool:
    """Whether a type of a path (exact, `PREFIX*`, `*`) covers the type of a message."""
    return message_type.startswith(pattern[:-1]) if pattern.endswith(ANY) else pattern == message_type


def conflict(paths: Iterable[MessagePath]) -> str | None:
    """Why these paths cannot stand beside each other: same type at the same time; None when they can."""
    for one, other in combinations(paths, 2):
        if one.message_type == other.message_type and _overlap(one, other):
            return (
                f"Two paths for {one.message_type} hold at the same time, from {one.valid_from.isoformat()} and from "
                f"{other.valid_from.isoformat()}. End the older one where the newer begins."
            )
    return None


def _specificity(pattern: str) -> tuple[bool, int]:
    return not pattern.endswith(ANY), len(pattern)


def _overlap(one: MessagePath, other: MessagePath) -> bool:
    return (one.valid_to is None or other.valid_from < one.valid_to) and (
        other.valid_to is None or one.valid_from < other.valid_to
    )


def _check_network(end: ComponentRecord, broker: ComponentRecord) -> None:
    if not set(end.configuration.networks) & set(broker.configuration.networks):
        raise MadesError("E-PATH-INVALID", f"{end.code} and the broker {broker.code} share no network.")


def _check_carried(broker: ComponentRecord, *, sender: str, message_type: str) -> None:
    carried = broker.configuration.restriction
    if carried is None:
        return
    if ANY not in carried.components and sender not in carried.components:
        raise MadesError("E-PATH-INVALID", f"The broker {broker.code} does not carry messages of this sender.")
    if not any(covers(pattern, message_type) for pattern in carried.message_types):
        raise MadesError("E-PATH-INVALID", f"The broker {broker.code} does not carry {message_type}.")
