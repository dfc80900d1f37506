"""What a grid operator's clients can ask beyond what both gateways share: limits (F6, F7)."""

from msgspec import Struct

from documents.model import UnavailabilitySeries
from documents.values import Instant, Interval, Mrid, Reason


class Content(Struct, frozen=True, kw_only=True):
    """What a limit says. `type` carries the direction (A80, A76, A53); without `start` it begins when it is sent (R15).

    The intervals of `series` are set to the document's own when it is made.
    """

    type: str
    start: Instant | None
    end: Instant
    series: tuple[UnavailabilitySeries, ...]
    reasons: tuple[Reason, ...]


class SendLimit(Struct, frozen=True, kw_only=True):
    """A new limit, foreseen or unforeseen."""

    mrid: Mrid
    content: Content


class UpdateLimit(Struct, frozen=True, kw_only=True):
    """The next revision of a limit, whole content again (R19)."""

    mrid: Mrid
    content: Content


class CancelLimit(Struct, frozen=True, kw_only=True):
    """Withdraw a limit (docStatus A09, the last content repeated; R19)."""

    mrid: Mrid


def span(content: Content, now: Instant) -> Interval:
    """The interval of a limit made now, in whole minutes as documents carry them."""
    return Interval(content.start or now.replace(second=0, microsecond=0), content.end)
