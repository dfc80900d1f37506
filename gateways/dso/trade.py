"""What a grid operator's gateway does with its documents (floor 3, pure; F4-F9).

It registers points and sends limits; it is told the assets and plans on its grid.

What the hub tells is ordered by when it was told: a late older delta never brings back what a newer one or a full list
has removed (R10, R11).
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from documents.codes import BusinessType, ProcessType, Status
from documents.model import (
    Document,
    GlMarketDocument,
    GlSeries,
    RefMarketDocument,
    RefSeries,
    StatusRequestMarketDocument,
    UnavailabilityMarketDocument,
)
from documents.parts import WHOLE, Span, part_of
from documents.values import Identifier, Instant, Interval, Mrid, Reason
from gateways import registrations
from gateways.commands import ChangeResources, PutResources, RemoveResources
from gateways.draft import EPOCH, Draft
from gateways.dso.commands import CancelLimit, Content, SendLimit, UpdateLimit
from gateways.dso.commands import span as span_of
from gateways.dso.rows import ASSETS, FLOOR, LIMITS, POINTS, SCHEDULES, TOLD, AssetOnGrid, PlanOnGrid, SentLimit
from gateways.events import Reminded
from gateways.identity import Identity
from gateways.questions import Question, question
from gateways.rows import Stamp
from gateways.state import Tables
from gateways.verdicts import Outcome
from hub.ports import Row

MAX_REVISION = 999


class GridTrade:
    """See the module's charter. Implements gateways.trade.Trade."""

    def __init__(self, who: Identity) -> None:
        self._who = who

    def draft(self, command: Any, known: Tables, now: datetime) -> Draft | None:  # commands of this gateway
        """The Ref or Unavailability document of a wish; None when the limit no longer allows it."""
        if isinstance(command, PutResources | ChangeResources | RemoveResources):
            return registrations.draft(POINTS, command, known, self._who, self._who.local_date(now))
        limit = known.get(LIMITS, command.mrid, SentLimit)
        match command:
            case SendLimit() if limit is None:
                return self._limit(command.mrid, 1, command.content, span_of(command.content, now))
            case UpdateLimit() if limit and _may_change(limit):
                start = command.content.start or limit.document.interval.start
                interval = Interval(start, command.content.end)
                return self._limit(command.mrid, limit.revision + 1, command.content, interval)
            case CancelLimit() if limit and _may_change(limit):
                last = limit.confirmed or limit.document
                cancel = replace(last, revision=limit.revision + 1, status=Status.CANCELLED.value)
                return Draft(document=cancel)
            case SendLimit() | UpdateLimit() | CancelLimit():
                return None
            case _:
                raise TypeError(f"A grid operator's gateway knows no {type(command).__name__}")

    def sent(self, document: Document, known: Tables) -> Iterator[Row]:
        """Registered points and limits are pending."""
        match document:
            case RefMarketDocument():
                yield from registrations.sent(POINTS, document, known, self._who)
            case UnavailabilityMarketDocument():
                before = known.get(LIMITS, document.mrid, SentLimit)
                confirmed = before.confirmed if before else None
                yield self._limit_row(SentLimit(document=document, confirmed=confirmed, revision=document.revision))
            case _:
                return

    def answered(self, document: Document, outcome: Outcome, known: Tables) -> Iterator[Row]:
        """Settle points and limits."""
        match document:
            case RefMarketDocument():
                yield from registrations.answered(POINTS, document, outcome, known, self._who)
            case UnavailabilityMarketDocument():
                if limit := known.get(LIMITS, document.mrid, SentLimit):
                    yield self._limit_row(_settled(limit, document, outcome))
            case _:
                return

    def received(self, document: Document, request: StatusRequestMarketDocument | None, known: Tables) -> Iterator[Row]:
        """Assets and plans from the hub, pushed or asked for; an empty answer takes away what was asked for."""
        asked = question(request) if request else None
        match document:
            case RefMarketDocument():
                full = asked or (Question("A95") if document.process == ProcessType.SYNCHRONISATION else None)
                if part := part_of(document):
                    full = Question("A95", tuple(map(Identifier, part.points)))
                yield from self._assets(document.series, document.created, full, known, part.span if part else WHOLE)
            case GlMarketDocument():
                part = part_of(document)
                all_there_is = Question("A67") if part else asked
                span = part.span if part else WHOLE
                yield from self._plans(document.series, document.created, all_there_is, known, span)
            case _ if asked and asked.subject == "A95":
                yield from self._assets((), document.created, asked, known)
            case _ if asked and asked.subject == "A67":
                yield from self._plans((), document.created, asked, known)
            case _:
                return

    def at_once(self, document: Document) -> bool:  # everything the hub tells a DSO is
        """Lists and plans are acknowledged on arrival."""
        return True

    def collectable(self, mrid: Mrid, revision: int, known: Tables) -> Document | None:
        """A grid operator receives no limits."""
        return None

    def reminders(self, known: Tables, now: datetime, ahead: timedelta) -> Iterator[Reminded]:
        """Unforeseen limits in force whose expected end is near, each once per revision (R15)."""
        for limit in known.all(LIMITS, SentLimit).values():
            in_force = limit.confirmed
            if in_force is None or limit.reminded or limit.state == "cancelled" or not is_unforeseen(in_force):
                continue
            if in_force.interval.end - ahead <= now < in_force.interval.end:
                yield Reminded(mrid=in_force.mrid, revision=in_force.revision)

    def reminded(self, event: Reminded, known: Tables) -> Iterator[Row]:
        """The limit is marked."""
        if limit := known.get(LIMITS, event.mrid, SentLimit):
            yield self._limit_row(replace(limit, reminded=True))

    def _limit(self, mrid: Mrid, revision: int, content: Content, interval: Interval) -> Draft:
        document = UnavailabilityMarketDocument(
            mrid=mrid,
            revision=revision,
            type=content.type,
            created=EPOCH,
            sender=self._who.me,
            receiver=self._who.hub,
            interval=interval,
            series=tuple(replace(series, interval=interval) for series in content.series),
            reasons=content.reasons,
        )
        return Draft(document=document)

    def _limit_row(self, limit: SentLimit) -> Row:
        document = limit.document
        return Row(
            view=LIMITS,
            audience=self._who.audience,
            key=document.mrid,
            payload=limit,
            valid=document.interval,
            issued=document.created,
        )

    def _assets(
        self, series: Iterable[RefSeries], told: Instant, asked: Question | None, known: Tables, span: Span = WHOLE
    ) -> Iterator[Row]:
        """Assets told at one instant; `asked` says that, for these points and in this span, this is all there is (A39).

        Each part of a long list counts for its own span, so that none has to wait for another, and a lost one removes
        nothing.
        """
        named = set()
        for one in series:
            named.add(one.resource)
            before = known.get(ASSETS, one.resource, AssetOnGrid)
            if _is_late(told, before.told if before else None, ASSETS, one.resource, known):
                continue
            wanted = _on_grid(one, told, before)
            is_news = replace(before, told=told) != wanted if before else not one.cancelled
            yield self._asset_row(wanted) if is_news else self._stamp(TOLD, one.resource, told)
        if asked is None:
            return
        for row in known.all(ASSETS, AssetOnGrid).values():
            asked_for = row.resource in span and (not asked.resources or row.point in asked.resources)
            if row.resource not in named and asked_for and not row.withdrawn and row.told <= told:
                yield self._asset_row(replace(row, withdrawn=True, told=told))
        if span.is_all and not asked.resources:
            yield self._floor(ASSETS, told, known)

    def _plans(
        self, series: Iterable[GlSeries], told: Instant, asked: Question | None, known: Tables, span: Span = WHOLE
    ) -> Iterator[Row]:
        """Plans told at one instant; the answer to an unfiltered question is, in this span of series, all there is."""
        named = set()
        for one in series:
            named.add(one.mrid)
            before = known.get(SCHEDULES, one.mrid, PlanOnGrid)
            late = _is_late(told, before.told if before else None, SCHEDULES, one.mrid, known)
            if one.resource is None or late:
                continue
            periods = () if one.cancelled else one.periods
            plan = PlanOnGrid(
                series=one.mrid, resource=one.resource, periods=periods, withdrawn=one.cancelled, told=told
            )
            is_news = before is None or replace(before, told=told) != plan
            yield self._plan_row(plan) if is_news else self._stamp(TOLD, one.mrid, told)
        if asked is None or asked.resources or asked.interval:
            return
        for row in known.all(SCHEDULES, PlanOnGrid).values():
            # The answer is about what is to come: a plan that is over stays in the record.
            is_over = bool(row.periods) and row.periods[-1].interval.end <= told
            is_absent = row.series in span and row.series not in named
            if is_absent and not row.withdrawn and not is_over and row.told <= told:
                yield self._plan_row(replace(row, withdrawn=True, periods=(), told=told))
        if span.is_all:
            yield self._floor(SCHEDULES, told, known)

    def _floor(self, view: str, told: Instant, known: Tables) -> Row:
        """That everything of a view was told at this instant; whatever is older is over."""
        floor = known.get(FLOOR, view, Stamp)
        return self._stamp(FLOOR, view, max(told, floor.at) if floor else told)

    def _stamp(self, view: str, key: str, told: Instant) -> Row:
        return Row(view=view, audience=self._who.audience, key=key, payload=Stamp(told))

    def _asset_row(self, asset: AssetOnGrid) -> Row:
        return Row(view=ASSETS, audience=self._who.audience, key=asset.resource, payload=asset, group=asset.point)

    def _plan_row(self, plan: PlanOnGrid) -> Row:
        spans = [period.interval for period in plan.periods]
        valid = Interval(min(s.start for s in spans), max(s.end for s in spans)) if spans else None
        return Row(
            view=SCHEDULES,
            audience=self._who.audience,
            key=plan.series,
            payload=plan,
            group=plan.resource,
            valid=valid,
        )


def is_unforeseen(document: UnavailabilityMarketDocument) -> bool:
    """Whether a limit is an order for now (series A54) and not an announcement (F7)."""
    return any(series.business_type == BusinessType.UNPLANNED_OUTAGE for series in document.series)


def _may_change(limit: SentLimit) -> bool:
    return limit.state != "cancelled" and not limit.document.status and limit.revision < MAX_REVISION


def _settled(limit: SentLimit, document: UnavailabilityMarketDocument, outcome: Outcome) -> SentLimit:
    """What the answer to one revision makes of a limit; a later revision on its way stays pending."""
    refused = outcome.verdict == "refused"
    confirmed = limit.confirmed if refused else document
    if limit.revision != document.revision:
        return replace(limit, confirmed=confirmed)
    reasons = _reasons(outcome)
    if refused and confirmed is None:
        return replace(limit, state="refused", reasons=reasons)
    if refused and confirmed:
        return replace(limit, document=confirmed, state="accepted", reasons=reasons)
    if document.status:
        return replace(limit, confirmed=document, state="cancelled", reasons=())
    return replace(
        limit,
        confirmed=document,
        state="partlyAccepted" if outcome.verdict == "partlyAccepted" else "accepted",
        reasons=reasons,
    )


def _reasons(outcome: Outcome) -> tuple[Reason, ...]:
    inner = (reason for rejection in outcome.rejected for reason in rejection.reasons)
    return tuple(dict.fromkeys((*outcome.reasons, *inner)))


def _is_late(told: Instant, before: Instant | None, view: str, key: str, known: Tables) -> bool:
    """Whether something newer was told already: of this key, or of everything (R10)."""
    stamps = (known.get(FLOOR, view, Stamp), known.get(TOLD, key, Stamp))
    return any(told < at for at in (before, *(stamp.at for stamp in stamps if stamp)) if at)


def _on_grid(series: RefSeries, told: Instant, before: AssetOnGrid | None) -> AssetOnGrid:
    """An asset as a series tells it; a withdrawn one keeps what was last known of it."""
    if series.cancelled and before:
        return replace(before, withdrawn=True, told=told)
    return AssetOnGrid(
        resource=series.resource,
        point=series.specific[0] if series.specific else Identifier(""),
        max_production=series.max_production or 0,
        max_consumption=series.max_consumption or 0,
        voltage=series.voltage,
        told=told,
    )
