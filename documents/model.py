"""The documents as values: what a document says, free of its XML (IEC 62325-451-1, -5, -6, -N).

Field names are those of the profile. Every type can be parsed from any listed version and rendered in the emitted one.
A series whose content breaks a rule that no schema can state (positions, whole watts, overlaps) keeps its identity and
carries the findings in `faults`, so that each series is judged by itself (R3).
"""

from datetime import date

from msgspec import Struct

from documents.values import Identifier, Instant, Interval, Mrid, Period, Power, Reason


class Party(Struct, frozen=True):
    """A MarketParticipant in a role of the document (`role` is a code of the Role list, e.g. A50)."""

    id: Identifier
    role: str | None


class Fault(Struct, frozen=True):
    """A finding in one series: reason code, words for the sender, and the span it concerns when there is one."""

    code: str
    text: str
    interval: Interval | None = None


class RefSeries(Struct, frozen=True, kw_only=True):
    """One resource or connection point in a Ref_MarketDocument.

    Installed power in watts; `voltage` as written in kV, `0` unknown.
    """

    resource: Identifier
    name: str = ""
    location: str | None = None
    psr_type: str
    voltage: str = "0"
    cancelled: bool = False
    description: str | None = None
    owner: Identifier
    start_lifetime: date
    end_lifetime: date | None = None
    max_production: Power | None = None
    max_consumption: Power | None = None
    domains: tuple[Identifier, ...] = ()
    coordination: tuple[Identifier, ...] = ()
    specific: tuple[Identifier, ...] = ()
    faults: tuple[Fault, ...] = ()


class RefMarketDocument(Struct, frozen=True, kw_only=True, tag_field="document", tag="Ref"):
    """Configuration of resources and points (451-N). No revision: order is by `created` (R10)."""

    mrid: Mrid
    type: str = "A95"
    process: str
    sender: Party
    receiver: Party
    created: Instant
    series: tuple[RefSeries, ...]


class AssetReference(Struct, frozen=True):
    """An Asset_RegisteredResource of an outage series."""

    resource: Identifier
    psr_type: str | None = None
    name: str | None = None


class UnavailabilitySeries(Struct, frozen=True, kw_only=True):
    """One series of an outage: the assets it concerns and the available power over time, unsigned watts."""

    mrid: Mrid
    business_type: str
    interval: Interval
    curve: str = "A03"
    assets: tuple[AssetReference, ...] = ()
    periods: tuple[Period, ...] = ()
    reasons: tuple[Reason, ...] = ()
    faults: tuple[Fault, ...] = ()


class UnavailabilityMarketDocument(Struct, frozen=True, kw_only=True, tag_field="document", tag="Unavailability"):
    """Outage publication (451-6): foreseen (series A53) and unforeseen (series A54) capacity limits."""

    mrid: Mrid
    revision: int
    type: str
    process: str = "A26"
    created: Instant
    sender: Party
    receiver: Party
    interval: Interval
    status: str | None = None
    series: tuple[UnavailabilitySeries, ...] = ()
    reasons: tuple[Reason, ...] = ()


class GlSeries(Struct, frozen=True, kw_only=True):
    """One series of a generation and load document; `cancelled` series carry no Period."""

    mrid: Mrid
    business_type: str = "A07"
    aggregation: str = "A06"
    in_domain: Identifier | None = None
    out_domain: Identifier | None = None
    resource: Identifier | None = None
    name: str | None = None
    curve: str = "A01"
    cancelled: bool = False
    periods: tuple[Period, ...] = ()
    faults: tuple[Fault, ...] = ()


class GlMarketDocument(Struct, frozen=True, kw_only=True, tag_field="document", tag="GL"):
    """Generation and load (451-6): operational schedules, + production, - consumption."""

    mrid: Mrid
    revision: int
    type: str = "A67"
    process: str = "A01"
    sender: Party
    receiver: Party
    created: Instant
    interval: Interval
    series: tuple[GlSeries, ...]


class Attribute(Struct, frozen=True):
    """One AttributeInstanceComponent of a request."""

    name: str
    value: str
    scheme: str | None = None


class StatusRequestMarketDocument(Struct, frozen=True, kw_only=True, tag_field="document", tag="StatusRequest"):
    """A question (451-5): what is asked for stands in the attributes."""

    mrid: Mrid
    type: str = "A59"
    sender: Party
    receiver: Party
    created: Instant
    attributes: tuple[Attribute, ...]


class ReceivedDocument(Struct, frozen=True, kw_only=True):
    """What an acknowledgement says it answers; `title` is the transport's message id of an unreadable document."""

    mrid: Mrid | None = None
    revision: int | None = None
    type: str | None = None
    process: str | None = None
    title: str | None = None
    created: Instant | None = None


class InErrorPeriod(Struct, frozen=True):
    """A span of a series or document and why it is wrong."""

    interval: Interval
    reasons: tuple[Reason, ...]


class RejectedSeries(Struct, frozen=True, kw_only=True):
    """A refused series: `mrid` is the series' mRID, for Ref series the resource's code."""

    mrid: Mrid
    version: str | None = None
    in_error: tuple[InErrorPeriod, ...] = ()
    reasons: tuple[Reason, ...] = ()


class AcknowledgementMarketDocument(Struct, frozen=True, kw_only=True, tag_field="document", tag="Acknowledgement"):
    """Answer to a document (451-1): A01 accepted, A02 refused, A03 refused in part, 999 nothing found."""

    mrid: Mrid
    created: Instant
    sender: Party
    receiver: Party
    received: ReceivedDocument
    rejected: tuple[RejectedSeries, ...] = ()
    reasons: tuple[Reason, ...]
    in_error: tuple[InErrorPeriod, ...] = ()


class ProblemStatementMarketDocument(Struct, frozen=True, kw_only=True, tag_field="document", tag="ProblemStatement"):
    """Notice that an expected document is missing (451-5); read, never acted upon."""

    mrid: Mrid
    revision: int
    type: str
    sender: Party
    receiver: Party
    created: Instant
    interval: Interval
    expected_type: str
    expected_created: Instant
    reasons: tuple[Reason, ...]


Document = (
    RefMarketDocument
    | UnavailabilityMarketDocument
    | GlMarketDocument
    | StatusRequestMarketDocument
    | AcknowledgementMarketDocument
    | ProblemStatementMarketDocument
)
"""Every document of the platform; a tagged union, so that it can be stored as it is."""
