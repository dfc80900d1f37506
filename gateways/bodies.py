"""JSON bodies both gateways share.

Names are those of the RAML types; power is whole watts, instants are ISO 8601 UTC with `Z`.

Struct fields are snake_case here and camelCase in JSON. Unknown fields are refused, so that a typing mistake is told
and not ignored.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from documents.values import Instant

Id = Annotated[str, Meta(min_length=1, max_length=64)]
Watts = Annotated[int, Meta(ge=0, le=100_000_000_000)]
SignedWatts = Annotated[int, Meta(ge=-100_000_000_000, le=100_000_000_000)]
MridText = Annotated[str, Meta(pattern="^[0-9A-Za-z_-]{1,35}$")]
ReasonCode = Annotated[str, Meta(pattern="^[0-9A-Z]{3}$")]
CurveType = Literal["A01", "A03"]


class Body(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=False):
    """Base of every body."""


class PointBody(Body, frozen=True, kw_only=True):
    """One value of a curve: positions count from 1."""

    position: Annotated[int, Meta(ge=1, le=999_999)]
    quantity: SignedWatts


class PeriodBody(Body, frozen=True, kw_only=True):
    """A curve over [start, end): with curve A03 a point lasts until the next, with A01 every position is present."""

    start: Instant
    end: Instant
    resolution: str
    points: Annotated[tuple[PointBody, ...], Meta(min_length=1)]


class ReasonBody(Body, frozen=True, kw_only=True):
    """Why: a code of the Reason list and words."""

    code: str
    text: str | None = None


class RejectedBody(Body, frozen=True, kw_only=True):
    """One refused item of a write and why."""

    id: str
    reasons: tuple[ReasonBody, ...]


class Verdict(Body, frozen=True, kw_only=True):
    """What became of a write. `verdict` stays `pending` until the hub has answered."""

    mrid: str
    revision: int
    verdict: Literal["pending", "accepted", "partlyAccepted", "refused"]
    accepted: tuple[str, ...] = ()
    rejected: tuple[RejectedBody, ...] = ()
    reasons: tuple[ReasonBody, ...] = ()


class TraceStepBody(Body, frozen=True, kw_only=True):
    """One step of a message: which component, which state, why."""

    at: Instant
    component: str
    state: str
    details: str = ""


class MessageBody(Body, frozen=True, kw_only=True):
    """Delivery and verdict of a document I sent (GET /messages/{mrid}). `state` is the MADES state."""

    mrid: str
    revision: int
    type: str
    state: Literal["ACCEPTED", "DELIVERED", "RECEIVED", "FAILED"]
    verdict: Literal["pending", "accepted", "partlyAccepted", "refused"]
    reasons: tuple[ReasonBody, ...] = ()
    rejected: tuple[RejectedBody, ...] = ()
    reason: str | None = None
    trace: tuple[TraceStepBody, ...] = ()


class FieldError(Body, frozen=True, kw_only=True):
    """One place in a request that is wrong."""

    at: str
    problem: str


class Problem(Body, frozen=True, kw_only=True):
    """Problem details (RFC 9457), the one shape of every error.

    `reason` is a market reason code, `document` the mRID concerned.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    instance: str | None = None
    reason: str | None = None
    document: str | None = None
    errors: tuple[FieldError, ...] = ()
