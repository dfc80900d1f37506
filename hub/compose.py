"""From rows to documents: everything the hub says is made here (floor 4, pure; mapping 4, 6, 7, 9, 13 to 15).

Sees rows, never events: a row holds only what its audience may know, so there is nothing to leave out and nothing to
leak (NF3). Documents are built from rows alone, in the order of resource ids; every asset is owned by the hub (R11).
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from documents import identifiers
from documents.codes import (
    BusinessType,
    DocumentType,
    ProcessType,
    PsrType,
    ReasonCode,
    Role,
    Status,
    action_reason,
)
from documents.curves import align
from documents.lengths import LONGEST_BYTES, curve_of, longest
from documents.lines import escaped
from documents.model import (
    AcknowledgementMarketDocument,
    AssetReference,
    GlMarketDocument,
    GlSeries,
    Party,
    ReceivedDocument,
    RefMarketDocument,
    RefSeries,
    RejectedSeries,
    UnavailabilityMarketDocument,
    UnavailabilitySeries,
)
from documents.parts import ALL, WHOLE, Part, Span, described
from documents.values import Identifier, Instant, Interval, Mrid, Reason
from hub.ports import Item
from hub.rows import AgrLimit, Answer, DsoAsset, DsoSchedule, Response
from hub.values import AssetOrder, AssetShare, Direction, LimitKind

R = TypeVar("R")

NOTHING_FOUND: Final = Reason(ReasonCode.NOT_SPECIFIED.value, "No matching data found")
TYPES: Final = {
    Direction.BOTH: DocumentType.OUTAGE.value,
    Direction.PRODUCTION: DocumentType.GENERATION_UNAVAILABILITY.value,
    Direction.CONSUMPTION: DocumentType.LOAD_UNAVAILABILITY.value,
}
ROLES: Final = {
    "DSO": Role.DISTRIBUTION_SYSTEM_OPERATOR.value,
    "AGR": Role.RESOURCE_PROVIDER.value,
    "BRP": Role.BALANCE_RESPONSIBLE.value,
}
"""Role of a participant -> the role code it is addressed with."""
FINDINGS_BYTES: Final = 4 * 2**20
"""What the findings in an answer may take. The refused series themselves take less than they did when they came."""
FINDING_BYTES: Final = 350
"""A Reason without its text, in an InError_Period of its own, at most."""
_MINUTE: Final = timedelta(minutes=1)


class Letterhead(Struct, frozen=True, kw_only=True):
    """What every document of the hub carries: who it is, the area it speaks of, where its days begin and end."""

    hub: Identifier
    domain: Identifier
    zone: ZoneInfo

    def sender(self) -> Party:
        """The hub as the sender."""
        return Party(self.hub, Role.INFORMATION_AGGREGATOR.value)


class Cover(Struct, frozen=True, kw_only=True):
    """What is individual about one document: its id, whom it is for, when it was made (whole seconds)."""

    mrid: Mrid
    receiver: Party
    created: Instant


def acknowledgement(answer: Answer, cover: Cover, head: Letterhead) -> AcknowledgementMarketDocument:
    """The verdict on one document (R3, R26)."""
    return AcknowledgementMarketDocument(
        mrid=answer.mrid,
        created=cover.created,
        sender=head.sender(),
        receiver=Party(cover.receiver.id, answer.role or cover.receiver.role),
        received=answer.received,
        rejected=tuple(_told(answer.rejected)),
        reasons=answer.reasons,
    )


def _told(rejected: Iterable[RejectedSeries]) -> Iterator[RejectedSeries]:
    """Refused series with their findings, as far as these fit; each of the others with the code of its first reason.

    Twenty findings about each of thousands of series would make the answer longer than a document may be.
    """
    room = FINDINGS_BYTES
    for series in rejected:
        if room >= 0:
            reasons = [*series.reasons, *(reason for period in series.in_error for reason in period.reasons)]
            room -= sum(FINDING_BYTES + len(escaped(reason.text or "").encode()) for reason in reasons)
        code = tuple(Reason(reason.code) for reason in series.reasons[:1])
        yield series if room >= 0 else replace(series, in_error=(), reasons=code)


def nothing_found(response: Response, cover: Cover, head: Letterhead) -> AcknowledgementMarketDocument:
    """The answer to a request that matches nothing: an empty list cannot be sent (trap 28)."""
    return AcknowledgementMarketDocument(
        mrid=response.mrid,
        created=cover.created,
        sender=head.sender(),
        receiver=Party(cover.receiver.id, response.role or cover.receiver.role),
        received=ReceivedDocument(mrid=response.request),
        reasons=(NOTHING_FOUND,),
    )


def limit(row: AgrLimit, cover: Cover, head: Letterhead) -> UnavailabilityMarketDocument:
    """An AGR's own copy of a limit, one series per asset of its own (R18); a cancelled one repeats its last series."""
    parts: Sequence[AssetShare | AssetOrder] = row.shares if row.kind is LimitKind.FORESEEN else row.orders
    return UnavailabilityMarketDocument(
        mrid=row.mrid,
        revision=row.revision,
        type=TYPES[row.direction],
        created=cover.created,
        sender=head.sender(),
        receiver=cover.receiver,
        interval=row.interval,
        status=Status.CANCELLED.value if row.cancelled else None,
        series=tuple(
            _limit_series(str(number), part, row.interval)
            for number, part in enumerate(sorted(parts, key=lambda part: part.resource), start=1)
        ),
        reasons=tuple(Reason(code) for code in row.reason_codes),
    )


def _limit_series(mrid: Mrid, part: AssetShare | AssetOrder, interval: Interval) -> UnavailabilitySeries:
    foreseen = isinstance(part, AssetShare)
    return UnavailabilitySeries(
        mrid=mrid,
        business_type=(BusinessType.PLANNED_MAINTENANCE if foreseen else BusinessType.UNPLANNED_OUTAGE).value,
        interval=interval,
        assets=(AssetReference(part.resource),),
        periods=part.periods if isinstance(part, AssetShare) else (),
        reasons=() if isinstance(part, AssetShare) else (action_reason(part.action.value),),
    )


def asset_list(items: Iterable[Item], cover: Cover, head: Letterhead, part: Part = ALL) -> RefMarketDocument:
    """All assets of a DSO, those of a part, or those it asked for; what is absent is gone (A39, R11). Not empty."""
    whole = _assets(ProcessType.SYNCHRONISATION, items, cover, head)
    first = replace(whole.series[0], description=described(part))
    return replace(whole, series=(first, *whole.series[1:]))


def asset_changes(items: Iterable[Item], cover: Cover, head: Letterhead) -> RefMarketDocument:
    """What a slice of a DSO's assets came to: the last word on each, withdrawn ones cancelled (A37, R11, R12)."""
    return _assets(ProcessType.MODIFICATION, items, cover, head)


def _assets(process: ProcessType, items: Iterable[Item], cover: Cover, head: Letterhead) -> RefMarketDocument:
    last = newest(items)
    return RefMarketDocument(
        mrid=cover.mrid,
        process=process.value,
        sender=head.sender(),
        receiver=cover.receiver,
        created=cover.created,
        series=tuple(_asset_series(last[key], cover, head) for key in sorted(last)),
    )


def _asset_series(item: Item, cover: Cover, head: Letterhead) -> RefSeries:
    resource = Identifier(item.key)
    asset = decoded(item, DsoAsset)
    capability = asset.capability if asset else None
    return RefSeries(
        resource=resource,
        name=identifiers.code_of(resource),
        psr_type=asset.psr_type if asset else PsrType.PRODUCES_AND_CONSUMES.value,
        voltage=asset.voltage if asset else "0",
        cancelled=asset is None,
        owner=head.hub,
        start_lifetime=item.issued.astimezone(head.zone).date(),
        max_production=(capability.max_production or None) if capability else None,
        max_consumption=(capability.max_consumption or None) if capability else None,
        domains=(head.domain,),
        coordination=(cover.receiver.id,),
        specific=(asset.point,) if asset else (),
    )


def schedules(items: Iterable[Item], cover: Cover, head: Letterhead) -> GlMarketDocument:
    """What a slice of the DSO's schedules came to: the last word on each series, signs unchanged (R25). Not empty."""
    last = newest(items)
    rows = sorted(
        ((row.resource, row.series, row) for item in last.values() if (row := decoded(item, DsoSchedule))),
        key=lambda found: found[:2],
    )
    return GlMarketDocument(
        mrid=cover.mrid,
        revision=1,
        sender=head.sender(),
        receiver=cover.receiver,
        created=cover.created,
        interval=_hull(last.values(), [row for *_, row in rows]),
        series=tuple(_schedule_series(row, head) for *_, row in rows),
    )


def schedule_list(items: Iterable[Item], cover: Cover, head: Letterhead, span: Span = WHOLE) -> GlMarketDocument:
    """All schedules of a DSO, or those in a span; what is absent is gone (R13). Not empty."""
    whole = schedules(items, cover, head)
    first = replace(whole.series[0], name=described(Part(span)))
    return replace(whole, series=(first, *whole.series[1:]))


def fitting(items: Sequence[Item], span: Span) -> tuple[Sequence[Item], Span]:
    """The schedules of a span, by key, that fit into one document, and the span they are all of.

    It was cut so that all do; when plans have grown since then, it ends earlier. Those have left with the beat.
    """
    room = LONGEST_BYTES
    for number, item in enumerate(items):
        row = decoded(item, DsoSchedule)
        room -= longest(row.periods) if row else 0
        if room < 0 and number:
            return items[:number], Span(span.after, items[number - 1].key)
    return items, span


def _schedule_series(row: DsoSchedule, head: Letterhead) -> GlSeries:
    periods = row.periods
    return GlSeries(
        mrid=row.series,
        in_domain=head.domain,
        out_domain=head.domain,
        resource=row.resource,
        curve=curve_of(periods).value,
        cancelled=row.withdrawn,
        periods=() if row.withdrawn else periods,
    )


def _hull(items: Iterable[Item], rows: Sequence[DsoSchedule]) -> Interval:
    """The span that covers every series, in whole minutes; withdrawn ones count with what they were about, if known."""
    items = list(items)
    spans = [item.valid for item in items if item.valid]
    spans += [span for row in rows for span in row.intervals]
    if not spans:
        issued = max(item.issued for item in items)
        spans = [Interval(issued, issued + _MINUTE)]
    return align(Interval(min(span.start for span in spans), max(span.end for span in spans)), _MINUTE)


def newest(items: Iterable[Item]) -> dict[str, Item]:
    """The last item of each key."""
    return {item.key: item for item in sorted(items, key=lambda item: item.sequence)}


def standing(items: Iterable[Item]) -> list[Item]:
    """Schedules that are not withdrawn."""
    return [item for item in items if (row := decoded(item, DsoSchedule)) and not row.withdrawn]


def decoded(item: Item, kind: type[R]) -> R | None:
    """The row an item holds, None when it is withdrawn."""
    return None if item.payload is None else msgspec.msgpack.decode(item.payload, type=kind)
