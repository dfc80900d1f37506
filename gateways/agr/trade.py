"""What an aggregator's gateway does with its documents (floor 3, pure): registrations, schedules, limits (F4, F6-F8).

A schedule document lives over revisions: each series keeps its mRID, a revision names the series it changes, and only
`cancelledTS` withdraws one (R24). Of a limit the highest revision counts, in whatever order they arrive (R18, R19).
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from documents.codes import ProcessType
from documents.model import (
    Document,
    GlMarketDocument,
    GlSeries,
    RefMarketDocument,
    StatusRequestMarketDocument,
    UnavailabilityMarketDocument,
)
from documents.values import Interval, Mrid
from gateways import registrations
from gateways.agr.commands import ChangeSchedule, Plan, ReplaceSchedule, SubmitSchedule, WithdrawSchedule
from gateways.agr.rows import ASSETS, LIMITS, SCHEDULES, PlannedSchedule, PlannedSeries, ReceivedLimit
from gateways.commands import ChangeResources, PutResources, RemoveResources
from gateways.draft import EPOCH, Draft
from gateways.events import Reminded
from gateways.identity import Identity
from gateways.state import Tables
from gateways.verdicts import Outcome
from hub.ports import Row

MAX_REVISION = 999
Live = dict[str, PlannedSeries]


class AggregatorTrade:
    """See the module's charter. Implements gateways.trade.Trade."""

    def __init__(self, who: Identity) -> None:
        self._who = who

    def draft(self, command: Any, known: Tables, now: datetime) -> Draft | None:  # commands of this gateway
        """The Ref or GL document of a wish; None when the schedule no longer allows it."""
        match command:
            case PutResources() | ChangeResources() | RemoveResources():
                return registrations.draft(ASSETS, command, known, self._who, self._who.local_date(now))
            case SubmitSchedule() if known.get(SCHEDULES, command.mrid, PlannedSchedule):
                return None
            case SubmitSchedule():
                return self._schedule(command.mrid, 1, _numbered(command.plans, {}, self._who))
            case _:
                return self._revised(command, known.get(SCHEDULES, command.mrid, PlannedSchedule))

    def sent(self, document: Document, known: Tables) -> Iterator[Row]:
        """Registered assets and planned series are pending."""
        match document:
            case RefMarketDocument():
                yield from registrations.sent(ASSETS, document, known, self._who)
            case GlMarketDocument():
                live = _series_of(known.get(SCHEDULES, document.mrid, PlannedSchedule))
                for series in document.series:
                    live[series.mrid] = _pending(live.get(series.mrid), series, document.revision)
                yield self._row(document, live)
            case _:
                return

    def answered(self, document: Document, outcome: Outcome, known: Tables) -> Iterator[Row]:
        """Settle each asset or series."""
        match document:
            case RefMarketDocument():
                yield from registrations.answered(ASSETS, document, outcome, known, self._who)
            case GlMarketDocument():
                schedule = known.get(SCHEDULES, document.mrid, PlannedSchedule)
                live = _series_of(schedule)
                for series in document.series:
                    live[series.mrid] = _settled(live[series.mrid], series, document.revision, outcome)
                yield self._row(schedule or document, live)
            case _:
                return

    def received(
        self, document: Document, request: StatusRequestMarketDocument | None, known: Tables
    ) -> Iterator[Row]:  # a limit says all
        """A limit becomes a row when it is newer than what is known of it (R19)."""
        if not isinstance(document, UnavailabilityMarketDocument):
            return
        before = known.get(LIMITS, document.mrid, ReceivedLimit)
        if before is None or before.document.revision < document.revision:
            yield Row(
                view=LIMITS,
                audience=self._who.audience,
                key=document.mrid,
                payload=ReceivedLimit(document=document),
                valid=document.interval,
                issued=document.created,
            )

    def at_once(self, document: Document) -> bool:
        """Limits are acknowledged when the client collects them (R29)."""
        return not isinstance(document, UnavailabilityMarketDocument)

    def collectable(self, mrid: Mrid, revision: int, known: Tables) -> Document | None:
        """The limit, if this revision is still what is known of it."""
        limit = known.get(LIMITS, mrid, ReceivedLimit)
        return limit.document if limit and limit.document.revision == revision else None

    def reminders(self, known: Tables, now: datetime, ahead: timedelta) -> Iterator[Reminded]:
        """An aggregator sends no limits."""
        return iter(())

    def reminded(self, event: Reminded, known: Tables) -> Iterator[Row]:
        """An aggregator sends no limits."""
        return iter(())

    def _revised(self, command: Any, schedule: PlannedSchedule | None) -> Draft | None:  # a command about a schedule
        """The next revision: only what changes is in it, withdrawn series without a Period."""
        if schedule is None or schedule.revision >= MAX_REVISION:
            return None
        live = _series_of(schedule)
        match command:
            case ReplaceSchedule():
                named = {plan.asset for plan in command.plans}
                left_out = [s for s in live.values() if s.series.resource not in named and _stands(s)]
                series = [*_numbered(command.plans, live, self._who), *map(_withdrawn, left_out)]
            case ChangeSchedule():
                series = list(_numbered(command.plans, live, self._who))
            case WithdrawSchedule():
                chosen = [s for s in live.values() if not command.assets or s.series.resource in command.assets]
                series = [_withdrawn(s) for s in chosen if _stands(s)]
            case _:
                raise TypeError(f"An aggregator's gateway knows no {type(command).__name__}")
        return self._schedule(schedule.mrid, schedule.revision + 1, series, live) if series else None

    def _schedule(self, mrid: Mrid, revision: int, series: Iterable[GlSeries], live: Live | None = None) -> Draft:
        kept = tuple(series)
        spans = [p.interval for s in kept for p in (s.periods or _plan_of(live or {}, s.mrid).periods)]
        document = GlMarketDocument(
            mrid=mrid,
            revision=revision,
            process=ProcessType.DAY_AHEAD.value,
            sender=self._who.me,
            receiver=self._who.hub,
            created=EPOCH,
            interval=_hull(spans),
            series=kept,
        )
        return Draft(document=document)

    def _row(self, newest: GlMarketDocument | PlannedSchedule, live: Live) -> Row:
        """A schedule with these series, at the revision and instant of the newest document sent."""
        series = tuple(live.values())
        schedule = PlannedSchedule(mrid=newest.mrid, revision=newest.revision, created=newest.created, series=series)
        return Row(
            view=SCHEDULES,
            audience=self._who.audience,
            key=newest.mrid,
            payload=schedule,
            valid=_hull([period.interval for planned in series for period in planned.series.periods]),
        )


def document_of(schedule: PlannedSchedule, who: Identity) -> GlMarketDocument:
    """A schedule's whole content as one document, withdrawn series marked."""
    spans = [period.interval for planned in schedule.series for period in planned.series.periods]
    series = (planned.series for planned in schedule.series)
    return GlMarketDocument(
        mrid=schedule.mrid,
        revision=schedule.revision,
        process=ProcessType.DAY_AHEAD.value,
        sender=who.me,
        receiver=who.hub,
        created=schedule.created,
        interval=_hull(spans),
        series=tuple(replace(one, periods=()) if one.cancelled else one for one in series),
    )


def _series_of(schedule: PlannedSchedule | None) -> Live:
    return {planned.series.mrid: planned for planned in schedule.series} if schedule else {}


def _plan_of(live: Live, mrid: Mrid) -> GlSeries:
    return live[mrid].series


def _stands(planned: PlannedSeries) -> bool:
    """Whether a series may still hold at the hub, and so can be withdrawn."""
    return planned.state == "pending" or planned.confirmed is not None


def _numbered(plans: Iterable[Plan], live: Live, who: Identity) -> Iterator[GlSeries]:
    """The series of plans: an asset keeps its series mRID, new ones count on."""
    mrids = {planned.series.resource: planned.series.mrid for planned in live.values()}
    for plan in plans:
        mrid = mrids.setdefault(plan.asset, str(len(mrids) + 1))
        yield GlSeries(
            mrid=mrid,
            in_domain=who.domain,
            out_domain=who.domain,
            resource=plan.asset,
            curve=plan.curve,
            periods=plan.periods,
        )


def _withdrawn(planned: PlannedSeries) -> GlSeries:
    return replace(planned.series, cancelled=True, periods=())


def _pending(before: PlannedSeries | None, series: GlSeries, revision: int) -> PlannedSeries:
    """A withdrawal shows the plan it withdraws until the hub has answered."""
    shown = replace(series, periods=before.series.periods, cancelled=True) if before and series.cancelled else series
    return PlannedSeries(series=shown, confirmed=before.confirmed if before else None, revision=revision)


def _settled(planned: PlannedSeries, series: GlSeries, revision: int, outcome: Outcome) -> PlannedSeries:
    """What the answer to one revision makes of a series; a later revision on its way stays pending."""
    refusal = outcome.refusal_of(series.resource) if series.resource else None
    confirmed = planned.confirmed if refusal else None if series.cancelled else series
    if planned.revision != revision:
        return replace(planned, confirmed=confirmed)
    if confirmed:
        return replace(planned, series=confirmed, confirmed=confirmed, state="accepted", reasons=refusal or ())
    if refusal:
        return replace(planned, state="refused", reasons=refusal)
    return replace(planned, confirmed=None, state="withdrawn", reasons=())


def _hull(spans: Iterable[Interval]) -> Interval:
    found = list(spans)
    return Interval(min(span.start for span in found), max(span.end for span in found))
