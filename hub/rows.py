"""Every row the hub keeps for an audience: the complete list of what each may know.

What a privacy reviewer reads (NF3).

DSO rows have no operator and no field an operator could stand in. AGR limit rows hold the AGR's own resources and
shares: never the total, other shares, counts, or the DSO. A row carries no timestamp of another party. Rows of the
operator's audience may hold everything.
"""

from typing import Final

from msgspec import Raw, Struct, field

from documents.model import ReceivedDocument, RejectedSeries
from documents.packing import Curved
from documents.parts import WHOLE, Span
from documents.values import Identifier, Instant, Interval, Mrid, Period, Reason
from hub.values import AssetOrder, AssetShare, Capability, Direction, LimitKind, Role

DSO_ASSETS: Final = "dso_assets"
DSO_SCHEDULES: Final = "dso_schedules"
AGR_ASSETS: Final = "agr_assets"
AGR_LIMITS: Final = "agr_limits"
ACKNOWLEDGEMENTS: Final = "acknowledgements"
RESPONSES: Final = "responses"
PARTICIPANTS: Final = "participants"
OPERATOR_ASSETS: Final = "operator_assets"
OPERATOR_POINTS: Final = "operator_points"
OPERATOR_SCHEDULES: Final = "operator_schedules"
OPERATOR_LIMITS: Final = "operator_limits"
LIMIT_CONTENTS: Final = "limit_contents"
DOCUMENT_TRAIL: Final = "document_trail"
ALARMS: Final = "alarms"


class DsoAsset(Struct, frozen=True, kw_only=True):
    """An asset as its grid operator sees it; never who operates it (F5).

    View dso_assets, key the resource, group the point.
    """

    resource: Identifier
    point: Identifier
    capability: Capability
    psr_type: str
    voltage: str


class DsoSchedule(Curved, Struct, frozen=True, kw_only=True):
    """One asset's plan as its grid operator sees it (F9, R25). View dso_schedules, key `series`, group the resource.

    `series` is a keyed hash of (sender, source mRID, resource, audience): the same for every revision, telling nothing.
    A withdrawn plan stays a row with `withdrawn`, so that the document of the beat can name it.
    """

    series: Mrid
    resource: Identifier
    curve: Raw = field(name="periods")
    withdrawn: bool = False


class AgrAsset(Struct, frozen=True, kw_only=True):
    """An asset as the hub holds it for its operator. View agr_assets, key the resource, group the point."""

    resource: Identifier
    point: Identifier
    capability: Capability
    psr_type: str
    voltage: str


class AgrLimit(Struct, frozen=True, kw_only=True):
    """One AGR's own copy of a limit (R18). View agr_limits, key `mrid` (a keyed hash), one document per row.

    Foreseen: `shares`; unforeseen: `orders`. `cancelled` copies keep the last content, so that the document can
    repeat it.
    """

    mrid: Mrid
    revision: int
    kind: LimitKind
    direction: Direction
    interval: Interval
    cancelled: bool = False
    shares: tuple[AssetShare, ...] = ()
    orders: tuple[AssetOrder, ...] = ()
    reason_codes: tuple[str, ...] = ()


class Answer(Struct, frozen=True, kw_only=True):
    """The acknowledgement of one document to its sender. View acknowledgements, key `mrid` of the acknowledgement."""

    mrid: Mrid
    role: str | None
    received: ReceivedDocument
    reasons: tuple[Reason, ...]
    rejected: tuple[RejectedSeries, ...] = ()


class Response(Struct, frozen=True, kw_only=True):
    """That data was asked for and is owed (R13).

    View responses, key `mrid` of the answer; composed from the asker's own rows. `span`: only these assets, because all
    of them do not fit into one document.
    """

    mrid: Mrid
    request: Mrid
    subject: str
    role: str | None
    resources: tuple[Identifier, ...] = ()
    interval: Interval | None = None
    span: Span = WHOLE


class Participant(Struct, frozen=True, kw_only=True):
    """A participant as the operator sees it. View participants, audience operator, key the participant."""

    participant: Identifier
    role: Role
    name: str
    brp: Identifier | None
    suspended: bool = False


class OperatorAsset(Struct, frozen=True, kw_only=True):
    """An asset with everybody it concerns; `dso` is None while nobody holds its point.

    View operator_assets, audience operator, key the resource, group its operator.
    """

    resource: Identifier
    operator: Identifier
    point: Identifier
    dso: Identifier | None
    capability: Capability


class OperatorPoint(Struct, frozen=True, kw_only=True):
    """A connection point and who holds it. View operator_points, audience operator, key the point, group the DSO."""

    point: Identifier
    dso: Identifier
    psr_type: str
    voltage: str


class OperatorSchedule(Curved, Struct, frozen=True, kw_only=True):
    """One asset's plan in one document, signed watts, and whose it is.

    View operator_schedules, audience operator, key `operator/mrid/resource`, group the operator.
    """

    operator: Identifier
    mrid: Mrid
    revision: int
    resource: Identifier
    curve: Raw = field(name="periods")


class OperatorLimit(Struct, frozen=True, kw_only=True):
    """A limit as the operator of the platform sees it.

    View operator_limits, audience operator, key `dso/mrid`, group the DSO.
    """

    dso: Identifier
    mrid: Mrid
    revision: int
    kind: LimitKind
    direction: Direction
    interval: Interval
    cancelled: bool
    resources: tuple[Identifier, ...]
    copies: tuple["LimitCopy", ...] = ()


class LimitCopy(Struct, frozen=True, kw_only=True):
    """One AGR's copy of a limit and whether its client has collected it (R29)."""

    audience: Identifier
    mrid: Mrid
    revision: int
    collected: bool = False


class LimitTotal(Struct, frozen=True, kw_only=True):
    """What the DSO said in one series: the assets and their shared total in watts over time."""

    assets: tuple[Identifier, ...]
    periods: tuple[Period, ...]


class LimitContent(Struct, frozen=True, kw_only=True):
    """What a revision of a limit says: foreseen its totals and each asset's share, unforeseen the orders.

    View limit_contents, audience operator, key `dso/mrid`, group the DSO. A cancelled limit keeps its last content;
    that it is cancelled stands in operator_limits.
    """

    dso: Identifier
    mrid: Mrid
    revision: int
    kind: LimitKind
    direction: Direction
    interval: Interval
    totals: tuple[LimitTotal, ...] = ()
    shares: tuple[AssetShare, ...] = ()
    orders: tuple[AssetOrder, ...] = ()
    reasons: tuple[Reason, ...] = ()

    @property
    def parts(self) -> tuple[AssetShare | AssetOrder, ...]:
        """What is said to each asset."""
        return (*self.shares, *self.orders)


class TrailEntry(Struct, frozen=True, kw_only=True):
    """A document's verdict. View document_trail, audience operator, key `sender/mrid/revision`, group the sender."""

    sender: Identifier
    mrid: Mrid
    revision: int
    type: str | None
    business_type: str
    digest: str
    created: Instant | None
    verdict: str
    reasons: tuple[Reason, ...]


class Alarm(Struct, frozen=True, kw_only=True):
    """Something that needs the operator's eyes. View alarms, audience operator, key the subject."""

    subject: str
    text: str
