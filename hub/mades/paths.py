"""Who may send what to whom, and what the broker's queues and keys are called (R27, R28).

The one access table: the embedded broker evaluates it, the provisioning of RabbitMQ compiles it into permissions, and
the endpoint checks it once more on receipt. A gateway can address nobody but the hub (F1), so participants never meet.

Keys are `<receiver>.<sender>.<STD|ACK|TRC>.<businessType>`: the broker routes by the receiver and checks the sender.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from hub.mades.message import BusinessType, InternalType
from hub.ports import Queue

EXCHANGE: Final = "mades.message"
DEAD_LETTERS: Final = "mades.dead"
VIRTUAL_HOST: Final = "mades"
DELIVERY_LIMIT: Final = 10
"""How often a message is handed out again before it goes to the dead letters."""
LONGEST_LIFE: Final = timedelta(days=800)
"""No message lives longer: beyond the horizon of what the hub accepts (R20) none is worth keeping."""
RETENTION: Final = LONGEST_LIFE + timedelta(days=1)
"""How long at least an inbox knows what it has taken in; nothing older is taken in, so no replay can slip through."""

CODE: Final = re.compile(r"[A-Za-z0-9@:-]{1,64}")
"""A component code. MADES allows `[A-Za-z0-9-@]+`; the colon parts coding scheme and code of an identifier."""


_END: Final = r"$(?!\n)"
"""The end of a name or key. `$` alone would overlook a line feed there, in Python and at RabbitMQ."""

_NOTHING: Final = f"^{_END}"


class Party(StrEnum):
    """What a component is in the exchange."""

    HUB = "HUB"
    DSO = "DSO"
    AGR = "AGR"
    BRP = "BRP"


class Kind(StrEnum):
    """The third word of a routing key."""

    STANDARD = "STD"
    ACKNOWLEDGEMENT = "ACK"
    TRACING = "TRC"


class Carriage(Struct, frozen=True, kw_only=True):
    """How one business type travels. `ttl` None: to the end of the interval in its document."""

    ways: frozenset[tuple[Party, Party]]
    queue: Queue
    ttl: timedelta | None


OPERATORS: Final = (Party.AGR, Party.BRP)
PARTICIPANTS: Final = (Party.DSO, *OPERATORS)


def _up(*parties: Party) -> frozenset[tuple[Party, Party]]:
    return frozenset((party, Party.HUB) for party in parties)


def _down(*parties: Party) -> frozenset[tuple[Party, Party]]:
    return frozenset((Party.HUB, party) for party in parties)


_DAY: Final = timedelta(hours=24)
_QUARTER: Final = timedelta(minutes=15)

CARRIAGE: Final[Mapping[BusinessType, Carriage]] = MappingProxyType(
    {
        BusinessType.ASSETS: Carriage(ways=_up(*OPERATORS) | _down(Party.DSO), queue=Queue.BULK, ttl=_DAY),
        BusinessType.POINTS: Carriage(ways=_up(Party.DSO), queue=Queue.BULK, ttl=_DAY),
        BusinessType.FORESEEN: Carriage(ways=_up(Party.DSO) | _down(*OPERATORS), queue=Queue.URGENT, ttl=None),
        BusinessType.UNFORESEEN: Carriage(ways=_up(Party.DSO) | _down(*OPERATORS), queue=Queue.URGENT, ttl=None),
        BusinessType.SCHEDULES: Carriage(ways=_up(*OPERATORS) | _down(Party.DSO), queue=Queue.BULK, ttl=None),
        BusinessType.REQUEST: Carriage(ways=_up(*PARTICIPANTS), queue=Queue.BULK, ttl=_QUARTER),
        BusinessType.RESPONSE: Carriage(ways=_down(*PARTICIPANTS), queue=Queue.BULK, ttl=_QUARTER),
        BusinessType.ACK: Carriage(ways=_up(*PARTICIPANTS) | _down(*PARTICIPANTS), queue=Queue.URGENT, ttl=_DAY),
    }
)
"""The table of R27."""


class Access(Struct, frozen=True):
    """What one user may do at the broker, as RabbitMQ says it: anchored patterns over names and over keys it writes."""

    configure: str
    write: str
    read: str
    topic: str


class EndpointQueue(Struct, frozen=True):
    """A queue of an endpoint and the keys that lead to it."""

    name: str
    bindings: tuple[str, ...]


def kind_of(internal_type: InternalType) -> Kind:
    """Which word of the key an internal type travels under."""
    match internal_type:
        case InternalType.STANDARD:
            return Kind.STANDARD
        case InternalType.TRACING:
            return Kind.TRACING
        case _:
            return Kind.ACKNOWLEDGEMENT


def allowed(business_type: str, *, sender: Party, receiver: Party) -> bool:
    """Whether a path carries this business type that way."""
    carriage = CARRIAGE.get(business_type)  # type: ignore[call-overload] # an unknown type is no key, so no path
    return carriage is not None and (sender, receiver) in carriage.ways


def sendable(sender: Party) -> tuple[BusinessType, ...]:
    """The business types this party may send at all."""
    return tuple(kind for kind, carriage in CARRIAGE.items() if any(way[0] is sender for way in carriage.ways))


def receivable(receiver: Party) -> tuple[BusinessType, ...]:
    """The business types that anybody may send to this party."""
    return tuple(kind for kind, carriage in CARRIAGE.items() if any(way[1] is receiver for way in carriage.ways))


def routing_key(*, receiver: str, sender: str, internal_type: InternalType, business_type: str) -> str:
    """The key under which a message is published."""
    return f"{receiver}.{sender}.{kind_of(internal_type)}.{business_type}"


def queue_name(code: str, queue: Queue, *, suffix: str) -> str:
    """The name of an endpoint's queue. Its suffix cannot be guessed: RabbitMQ tells anybody a named queue's depth."""
    return f"mades.ep.{code}.{queue}.{suffix}"


def queue_suffix(code: str, password: str) -> str:
    """The suffix for a component that logs in with a password: known to it and to the broker, to nobody else."""
    return hmac.new(password.encode(), b"mades queue " + code.encode(), hashlib.sha256).hexdigest()[:16]


def bindings(code: str, queue: Queue) -> tuple[str, ...]:
    """The keys that lead to one of an endpoint's queues (R28): acknowledgements and traces never wait behind bulk."""
    standard = tuple(f"{code}.*.{Kind.STANDARD}.{t}" for t, c in CARRIAGE.items() if c.queue is queue)
    if queue is Queue.URGENT:
        return (f"{code}.*.{Kind.ACKNOWLEDGEMENT}.*", f"{code}.*.{Kind.TRACING}.*", *standard)
    return standard


def access(code: str, party: Party, *, hub: str, queues: Iterable[str], partners: Sequence[str] = ()) -> Access:
    """What a component may do at the broker: write as itself, to the hub only (the hub: to its partners), read its own.

    `partners` are the codes of all participants and only used for the hub.
    """
    receivers = "|".join(map(re.escape, sorted(partners))) if party is Party.HUB else re.escape(hub)
    types = "|".join(sendable(party))
    kinds = rf"({Kind.STANDARD}|{Kind.TRACING})\.({types})|{Kind.ACKNOWLEDGEMENT}\.[A-Za-z0-9-]+"
    topic = rf"^({receivers})\.{re.escape(code)}\.({kinds}){_END}"
    return Access(
        configure=_NOTHING,
        write=f"^{re.escape(EXCHANGE)}{_END}",
        read="^(" + "|".join(map(re.escape, queues)) + f"){_END}",
        topic=topic if receivers else _NOTHING,
    )
