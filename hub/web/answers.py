"""What the operator's pages are told, as JSON (floor 7; F3). Power is whole watts, energy Wh, instants ISO 8601 in UTC.

Curves are stretches `[from, to, watts]` in seconds since 1970: half-open, so that nothing is lost at the end of a step.
"""

from msgspec import Struct

from documents.values import Identifier, Instant, Interval, Mrid, Power, Reason
from hub.implications import Finding
from hub.ports import MessageStatus
from hub.values import Direction, LimitKind

Stretch = tuple[int, int, Power]
Curve = list[Stretch]


class Answer(Struct, rename="camel"):
    """What all answers have in common: how they are written."""


class Session(Answer):
    """Whom the page talks to: the hub, the market's time zone, and when its log begins."""

    hub: Identifier
    zone: str
    began: Instant | None
    now: Instant


class Person(Answer):
    """A participant, to choose from. `code` is its id without the scheme."""

    id: Identifier
    code: str
    name: str
    role: str
    suspended: bool
    brp: Identifier | None


class LimitLine(Answer):
    """A limit in a list. `state` is `active`, `coming`, `ended` or `cancelled`."""

    dso: Identifier
    mrid: Mrid
    revision: int
    kind: LimitKind
    direction: Direction
    interval: Interval
    state: str
    assets: int
    actions: list[str]
    issued: Instant
    peak_w: Power | None
    least_w: Power | None
    copies: int
    collected: int


class AssetCounts(Answer):
    """Assets by state: on somebody's grid, with a plan for now, under a limit now, in a conflict ahead."""

    all: int
    on_grid: int
    planned: int
    limited: int
    colliding: int


class Waiting(Answer):
    """Messages that are not delivered yet, since when, and what troubles the hub; None where all is well."""

    messages: int
    oldest: Instant | None
    trouble: str | None


class AlarmLine(Answer):
    """Something that needs eyes."""

    subject: str
    text: str
    at: Instant


class DocumentLine(Answer):
    """A document that was judged."""

    key: str
    sequence: int
    sender: Identifier
    mrid: Mrid
    revision: int
    type: str | None
    business_type: str
    verdict: str
    reasons: tuple[Reason, ...]
    created: Instant | None
    judged: Instant


class Overview(Answer):
    """What is happening, on one screen."""

    as_of: Instant
    people: list[Person]
    limits: list[LimitLine]
    assets: AssetCounts
    waiting: Waiting | None
    findings: list[Finding]
    findings_in_all: int
    documents: list[DocumentLine]
    alarms: list[AlarmLine]
    production: Curve
    consumption: Curve
    excess: Curve


class Layer(Answer):
    """One asset's plan, signed: + feeds the grid, - draws from it. `asset` empty: the sum of all that are not shown."""

    asset: str
    curve: Curve


class Share(Answer):
    """An AGR's part of one limit in one direction against what the assets concerned plan; without sign."""

    limit: LimitLine
    side: Direction
    allowed: Curve
    scheduled: Curve
    excess: Curve
    margin: Curve


class AssetLine(Answer):
    """An asset in a list."""

    id: Identifier
    operator: Identifier
    point: Identifier
    dso: Identifier | None
    max_production: Power
    max_consumption: Power
    planned: bool


class AgrPage(Answer):
    """One AGR: its plans, its part of each limit, and where they do not fit."""

    as_of: Instant
    person: Person
    window: Interval
    layers: list[Layer]
    shares: list[Share]
    findings: list[Finding]
    assets: list[AssetLine]
    assets_in_all: int


class DsoPage(Answer):
    """One DSO: its limits in a window, and where plans do not fit under them."""

    as_of: Instant
    person: Person
    window: Interval
    limits: list[LimitLine]
    findings: list[Finding]
    assets_in_all: int
    points: int


class Side(Answer):
    """A limit against the plans of its assets in one direction; without sign."""

    side: Direction
    allowed: Curve
    scheduled: Curve
    excess: Curve
    margin: Curve


class PartLine(Answer):
    """One asset's part of a limit: a share by time or an order. `energy_wh` is what it plans too much in the window."""

    asset: Identifier
    operator: Identifier | None
    rated_w: Power
    action: str | None
    allowed: Curve
    excess_w: Power
    energy_wh: float
    planned: bool
    present: bool


class CopyLine(Answer):
    """One AGR's copy: how far the message has come (R29), and whether its client has collected it.

    Not `concerned`: it had assets under the limit, and its copy is cancelled.
    """

    audience: Identifier
    concerned: bool
    mrid: Mrid
    revision: int
    collected: bool
    messages: list[MessageStatus]


class LimitPage(Answer):
    """One limit: what was said, to whom, and what it does."""

    as_of: Instant
    limit: LimitLine
    window: Interval
    reasons: tuple[Reason, ...]
    totals: list[Curve]
    sides: list[Side]
    parts: list[PartLine]
    copies: list[CopyLine]
    findings: list[Finding]


class Implications(Answer):
    """Every finding of a window, and how many limits hold in it."""

    as_of: Instant
    window: Interval
    findings: list[Finding]
    limits: int


class Documents(Answer):
    """A page of the trail, newest first; `before` continues it."""

    as_of: Instant
    documents: list[DocumentLine]
    before: int | None


class StoryLine(Answer):
    """One thing that happened with a document. `who` is None for the hub itself."""

    at: Instant
    who: Identifier | None
    text: str


class StoryLeg(Answer):
    """A message that left because of a document, where it stands, and what happened to it."""

    receiver: Identifier
    business_type: str
    document: str
    state: str
    lines: list[StoryLine]


class DocumentStory(Answer):
    """What became of a document, each in order of time."""

    lines: list[StoryLine] = []
    legs: list[StoryLeg] = []


class DocumentPage(Answer):
    """One document: its verdict, what became of it, and its XML laid out to read (None when it was erased)."""

    as_of: Instant
    document: DocumentLine
    digest: str
    story: DocumentStory
    xml: str | None


class Assets(Answer):
    """A page of assets; `after` continues it."""

    as_of: Instant
    assets: list[AssetLine]
    found: int
    after: str | None


class PointLine(Answer):
    """A connection point in a list."""

    id: Identifier
    dso: Identifier
    voltage: str
    assets: int


class Points(Answer):
    """A page of connection points; `after` continues it."""

    as_of: Instant
    points: list[PointLine]
    found: int
    after: str | None


class Tried(Answer):
    """What a limit would do: refused with reasons, or its effect. Nothing was sent."""

    taken: bool
    reasons: tuple[Reason, ...]
    limit: LimitLine | None = None
    window: Interval | None = None
    sides: list[Side] = []
    parts: list[PartLine] = []
    findings: list[Finding] = []
