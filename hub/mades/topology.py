"""What has to stand at the broker for these components: queues, keys that lead to them, and who may do what.

Pure: compiled from the one access table (`hub.mades.paths`) into RabbitMQ's words; `hub.mades.provision` makes it so.
A queue's arguments are fixed when it is made, so what versions of RabbitMQ take for granted is always said: 4.x drops
after 20 deliveries what has no dead-letter exchange, 3.x delivers for ever.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Final

from msgspec import Meta, Struct

from hub.mades.paths import (
    CODE,
    DEAD_LETTERS,
    DELIVERY_LIMIT,
    Access,
    EndpointQueue,
    Party,
    access,
    bindings,
    queue_name,
)
from hub.ports import Queue

QUEUE_MAX_BYTES: Final = 512 * 1024**2
"""What may wait for one component in each of its queues; then the broker refuses more."""

DEAD_MAX_BYTES: Final = 1024**3
"""Dead letters kept; then the oldest go. Their senders learn it from the time to live."""

QUEUE_ARGUMENTS: Final[Mapping[str, str | int]] = MappingProxyType(
    {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": DEAD_LETTERS,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-max-length-bytes": QUEUE_MAX_BYTES,
    }
)

DEAD_ARGUMENTS: Final[Mapping[str, str | int]] = MappingProxyType(
    {
        "x-queue-type": "quorum",
        "x-overflow": "drop-head",
        # Each look at it counts as a delivery: with the limit of 4.x, twenty looks would empty it.
        "x-delivery-limit": 2**31 - 1,
        "x-max-length-bytes": DEAD_MAX_BYTES,
    }
)


class Registered(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A component as the broker needs to know it.

    `suffix` ends the names of its queues and is known to it and to the broker only; a revoked component keeps its
    queues and cannot log in.
    """

    code: Annotated[str, Meta(pattern=f"^{CODE.pattern}$", description="component code, the common name")]
    party: Party
    suffix: Annotated[str, Meta(pattern="^[0-9a-f]{16}$", description="16 hexadecimal digits nobody can guess")]
    revoked: bool = False


class Topology(Struct, frozen=True):
    """All that stands at the broker beside the two exchanges and the queue of dead letters."""

    queues: tuple[EndpointQueue, ...]
    users: Mapping[str, Access]


def compile_topology(components: Sequence[Registered]) -> Topology:
    """What has to stand for these components.

    Raises:
        ValueError: there is not exactly one hub, or a code is named twice.
    """
    hub = _the_hub(components)
    partners = [each.code for each in components if each.party is not Party.HUB and not each.revoked]
    users = {
        each.code: access(each.code, each.party, hub=hub, queues=queue_names(each), partners=partners)
        for each in components
        if not each.revoked
    }
    return Topology(queues=tuple(_queues(components)), users=users)


def queue_names(component: Registered) -> list[str]:
    """The names of a component's queues."""
    return [queue_name(component.code, queue, suffix=component.suffix) for queue in Queue]


def owner_of(queue: str) -> str | None:
    """Whose queue this is, without the part of the name that is nobody's business; None: no endpoint's."""
    found = re.fullmatch(rf"mades\.ep\.({CODE.pattern})\.[a-z]+\.[0-9a-f]+", queue)
    return found and found[1]


def _the_hub(components: Sequence[Registered]) -> str:
    codes = [each.code for each in components]
    if twice := sorted({code for code in codes if codes.count(code) > 1}):
        raise ValueError(f"{', '.join(twice)} is named more than once; expected each component once.")
    hubs = [each.code for each in components if each.party is Party.HUB]
    if len(hubs) != 1:
        raise ValueError(f"{len(hubs)} components are the HUB; expected exactly one.")
    return hubs[0]


def _queues(components: Iterable[Registered]) -> Iterable[EndpointQueue]:
    for component in components:
        for queue in Queue:
            name = queue_name(component.code, queue, suffix=component.suffix)
            yield EndpointQueue(name, bindings(component.code, queue))
