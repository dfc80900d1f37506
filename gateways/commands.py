"""What a gateway can be asked to do, by its clients and by what arrives.

Ids are passed in; the brain takes the time from the desk.
"""

from msgspec import Struct

from documents.model import Document
from documents.values import Identifier, Interval, Mrid, Power, Reason
from gateways.events import MessageRetried, TokenIssued, TokenRevoked


class Resource(Struct, frozen=True, kw_only=True):
    """An asset or connection point as its holder wants it; power in watts, only for assets."""

    resource: Identifier
    name: str = ""
    voltage: str = "0"
    point: Identifier | None = None
    max_production: Power | None = None
    max_consumption: Power | None = None


class ResourceChange(Struct, frozen=True, kw_only=True):
    """What to change of one resource; None stays as it is (R34)."""

    resource: Identifier
    name: str | None = None
    voltage: str | None = None
    point: Identifier | None = None
    max_production: Power | None = None
    max_consumption: Power | None = None


class PutResources(Struct, frozen=True, kw_only=True):
    """Set resources as a whole, known or not (R34, process A36)."""

    mrid: Mrid
    resources: tuple[Resource, ...]


class ChangeResources(Struct, frozen=True, kw_only=True):
    """Change known resources (R34, process A37)."""

    mrid: Mrid
    changes: tuple[ResourceChange, ...]


class RemoveResources(Struct, frozen=True, kw_only=True):
    """Remove known resources (R34, process A38)."""

    mrid: Mrid
    resources: tuple[Identifier, ...]


class Ask(Struct, frozen=True, kw_only=True):
    """Ask the hub for data (R13): `subject` A95 assets, A67 schedules, A53 limits; no filter asks for all."""

    mrid: Mrid
    subject: str
    resources: tuple[Identifier, ...] = ()
    interval: Interval | None = None


class Receive(Struct, frozen=True, kw_only=True):
    """A document from the hub.

    `response` says it answers a request, `request` which one if known; `refusal` why it cannot be taken.
    """

    document: Document | None
    message_id: str
    response: bool = False
    request: Mrid | None = None
    refusal: Reason | None = None


class NoteFailure(Struct, frozen=True, kw_only=True):
    """A sent document will not be delivered, or was not answered in time."""

    mrid: Mrid
    hop: str
    reason: str


class Collect(Struct, frozen=True, kw_only=True):
    """The client has been answered these limits: (mrid, revision)."""

    limits: tuple[tuple[Mrid, int], ...]


class Remind(Struct, frozen=True, kw_only=True):
    """Look for unforeseen limits that end within `ahead_s` seconds (R15)."""

    ahead_s: float


class Note(Struct, frozen=True, kw_only=True):
    """Keep in the log what the operator changes: a token, a message sent again."""

    done: TokenIssued | TokenRevoked | MessageRetried


Shared = PutResources | ChangeResources | RemoveResources | Ask | Receive | NoteFailure | Collect | Remind | Note
