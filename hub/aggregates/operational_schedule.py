"""Schedules: one live plan per asset and instant, judged series by series (F8, R20, R23, R24)."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Final

import msgspec
from msgspec import Raw, Struct

from documents.codes import ReasonCode
from documents.curves import align, steps
from documents.identifiers import code_of
from documents.model import Fault, RejectedSeries
from documents.packing import packed
from documents.values import Identifier, Instant, Interval, Mrid, Period
from hub.aggregates.market_document import rejected_series, verdict
from hub.aggregates.placement import moves, placement
from hub.aggregates.registration import unknown
from hub.aggregates.timing import check_interval, check_not_ended
from hub.commands import Origin, ScheduleItem, SubmitSchedules
from hub.errors import Rejected
from hub.events import Event, ScheduleSubmitted, ScheduleWithdrawn
from hub.state import HubState, PlanKey, PlanState
from hub.values import Capability

FINDINGS_AT_MOST: Final = 10
MINUTE: Final = timedelta(minutes=1)
RETENTION: Final = timedelta(days=35)
"""How long after its end a plan can still be asked for."""


def decide_submit_schedules(command: SubmitSchedules, state: HubState, now: Instant) -> tuple[Event, ...]:
    """Judge each series by itself (R3, R23). Raises Rejected for what concerns the whole document."""
    origin = command.origin
    _check_revision(origin, state)
    events: list[Event] = []
    rejected: list[RejectedSeries] = []
    seen: set[Identifier] = set()
    for item in command.items:
        faults = _judge(item, origin, seen, state, now)
        if faults:
            rejected.append(rejected_series(item.series, faults))
            continue
        assert item.resource is not None, "checked by _judge"
        seen.add(item.resource)
        events.append(_event(item, item.resource, origin))
    return (*events, verdict(origin, accepted=len(events), rejected=rejected))


def _check_revision(origin: Origin, state: HubState) -> None:
    known = state.schedules.get((origin.sender, origin.mrid))
    if known is not None and origin.revision <= known:
        raise Rejected(
            ReasonCode.VERSION_CONFLICT,
            f"Schedule {origin.mrid} is at revision {known}, and this is revision {origin.revision}. "
            f"Send it as revision {known + 1}.",
        )


def _judge(
    item: ScheduleItem, origin: Origin, seen: set[Identifier], state: HubState, now: Instant
) -> tuple[Fault, ...]:
    if item.faults:
        return item.faults
    if item.resource is None:
        return (Fault(ReasonCode.MANDATORY_MISSING, "The series names no asset. Give its registeredResource.mRID."),)
    if item.resource in seen:
        asset = code_of(item.resource)
        text = f"Asset {asset} has more than one series here; the first counts. Give it one with all its Periods."
        return (Fault(ReasonCode.SERIES_IDENTIFICATION_CONFLICT, text),)
    held = state.resources.get(item.resource)
    if held is None or held.operator != origin.sender:
        return unknown("Asset", item.resource)
    # A withdrawal of a plan that is unknown is taken: it may have overtaken the plan (R19).
    ended = _judge_end(item.resource, origin, state, now)
    if ended or item.withdraw:
        return ended
    return (
        _judge_time(item, now)
        or _judge_power(item.periods, held.capability)
        or _judge_overlap(item.resource, item.periods, origin, state)
    )


def _judge_end(resource: Identifier, origin: Origin, state: HubState, now: Instant) -> tuple[Fault, ...]:
    """A plan that has ended is neither updated nor withdrawn (R20)."""
    plan = state.plans.get((origin.sender, origin.mrid, resource))
    return _as_fault(lambda: check_not_ended(plan.interval.end if plan else None, now))


def _judge_time(item: ScheduleItem, now: Instant) -> tuple[Fault, ...]:
    if not item.periods:
        text = "The series has no Period. Give its plan, or withdraw it with cancelledTS A01."
        return (Fault(ReasonCode.MANDATORY_MISSING, text),)
    return _as_fault(lambda: check_interval(covering([period.interval for period in item.periods]), now))


def _judge_power(periods: Iterable[Period], capability: Capability) -> tuple[Fault, ...]:
    """Every stretch above the rating, or of a sign the asset cannot have (A42), widened to what an answer can carry."""
    most, least = capability.max_production, -capability.max_consumption
    wrong = [
        (align(Interval(start, end), MINUTE), quantity)
        for period in periods
        if any(not least <= point.quantity <= most for point in period.points)
        for start, end, quantity in steps(period)
        if not least <= quantity <= most
    ]
    return tuple(
        Fault(
            ReasonCode.QUANTITY_INCONSISTENT,
            f"{quantity} W is planned; the asset is registered for {least} W to {most} W "
            "(+ production, - consumption). Mend the plan or the registration.",
            span,
        )
        for span, quantity in wrong[:FINDINGS_AT_MOST]
    )


def _judge_overlap(
    resource: Identifier, periods: Iterable[Period], origin: Origin, state: HubState
) -> tuple[Fault, ...]:
    """One live document per asset and instant (A55). Only the sender's own are met.

    What ended before a handover stays in the record under the operator before, of whom nobody is told.
    """
    spans = [period.interval for period in periods]
    others = {mrid for span in spans for mrid in _met(span, resource, origin.sender, state)} - {origin.mrid}
    if not others:
        return ()
    other = min(others)
    held = state.plans[origin.sender, other, resource]
    text = (
        f"Asset {code_of(resource)} already has a plan for this time in your document {other}. "
        "Update or withdraw that one."
    )
    met = first_met(spans, held.intervals)
    return (Fault(ReasonCode.SERIES_IDENTIFICATION_CONFLICT, text, met),)


def _met(span: Interval, resource: Identifier, operator: Identifier, state: HubState) -> Iterator[Mrid]:
    """The documents whose Periods for this asset overlap the span; the others are not looked at."""
    for _, start, mrid in state.planned.after((operator, resource), span.start):
        if start >= span.end:  # one that ends later begins later: Periods of one operator do not overlap
            return
        yield mrid


def first_met(spans: Iterable[Interval], held: Iterable[Interval]) -> Interval | None:
    """The first of `spans` that overlaps one of `held`, None when none does; neither list overlaps itself."""
    ascending = sorted(held)
    ends = [one.end for one in ascending]
    for span in sorted(spans):
        found = bisect_right(ends, span.start)
        if found < len(ascending) and ascending[found].start < span.end:
            return span
    return None


def covering(spans: Sequence[Interval]) -> Interval:
    """The span from the first start to the last end."""
    if len(spans) == 1:
        return spans[0]
    return Interval(min(span.start for span in spans), max(span.end for span in spans))


def _event(item: ScheduleItem, resource: Identifier, origin: Origin) -> Event:
    if item.withdraw:
        return ScheduleWithdrawn(operator=origin.sender, mrid=origin.mrid, revision=origin.revision, resource=resource)
    return ScheduleSubmitted(
        operator=origin.sender,
        mrid=origin.mrid,
        revision=origin.revision,
        series=item.series,
        resource=resource,
        curve=packed(item.periods),
    )


def _as_fault(check: Callable[[], None]) -> tuple[Fault, ...]:
    """A finding about one series from a check that speaks of a whole document."""
    try:
        check()
    except Rejected as error:
        return (Fault(error.code, error.text),)
    return ()


class PlanChange(Struct, frozen=True):
    """A plan that enters, changes in or leaves the list of one DSO; without curve when it leaves."""

    plan: PlanKey
    dso: Identifier
    interval: Interval
    curve: Raw | None


def plan_changes(event: Event, state: HubState, at: Instant) -> list[PlanChange]:
    """What an event changes in the DSOs' lists of schedules, seen from the state before it (R6, R7, R24, R25)."""
    match event:
        case ScheduleSubmitted():
            key = (event.operator, event.mrid, event.resource)
            dso, known = placement(state, event.resource).dso, state.plans.get(key)
            same = known is not None and known.shown_to == dso and known.curve == event.curve
            return [] if dso is None or same else [PlanChange(key, dso, covering(event.intervals), event.curve)]
        case ScheduleWithdrawn():
            return _leave((event.operator, event.mrid, event.resource), state)
        case _:
            return [
                change
                for resource, after in moves(event, state).items()
                for key in unended(resource, state, at)
                for change in _move(key, after.operator, after.dso, state)
            ]


def unended(resource: Identifier, state: HubState, at: Instant) -> list[PlanKey]:
    """The plans of an asset that may have moved, by operator and mRID: what has ended is history, and stays."""
    return sorted(key for _, key in state.plans_of.after(resource, at))


def _move(key: PlanKey, operator: Identifier | None, dso: Identifier | None, state: HubState) -> list[PlanChange]:
    """One plan of an asset that may have moved."""
    plan = state.plans[key]
    if operator == key[0] and dso == plan.shown_to:
        return []
    enters = [PlanChange(key, dso, plan.interval, plan.curve)] if dso is not None and operator == key[0] else []
    return [*_leave(key, state), *enters]


def _leave(key: PlanKey, state: HubState) -> list[PlanChange]:
    plan = state.plans.get(key)
    return [PlanChange(key, plan.shown_to, plan.interval, None)] if plan and plan.shown_to is not None else []


def evolve_schedule(event: ScheduleSubmitted | ScheduleWithdrawn, state: HubState, at: Instant) -> None:
    """Fold one series of a schedule document."""
    key = (event.operator, event.mrid, event.resource)
    _drop(key, state)
    if isinstance(event, ScheduleSubmitted):
        # A copy, so that the plan does not hold the record that it came with.
        curve, shown_to = event.curve.copy(), placement(state, event.resource).dso
        plan = PlanState(event.series, curve, covering(event.intervals), shown_to)
        _forget_old(event.resource, state, at)
        _put(key, plan, state)
    state.schedules.put(key[:2], event.revision)


def evolve_moved_plans(event: Event, state: HubState, at: Instant) -> None:
    """Plans follow their assets to another grid, and end with the operator who made them (R6, R7)."""
    for resource, after in moves(event, state).items():
        for key in unended(resource, state, at):
            plan = state.plans[key]
            if after.operator != key[0]:
                _drop(key, state)
            elif after.dso != plan.shown_to:
                _drop(key, state)
                _put(key, msgspec.structs.replace(plan, shown_to=after.dso), state)


def _put(key: PlanKey, plan: PlanState, state: HubState) -> None:
    state.plans.put(key, plan)
    state.plans_of.add(key[2], (plan.interval.end, key))
    for span in plan.intervals:
        state.planned.add((key[0], key[2]), (span.end, span.start, key[1]))
    if plan.shown_to is not None:
        state.plans_shown.add(plan.shown_to, key)


def _drop(key: PlanKey, state: HubState) -> None:
    plan = state.plans.get(key)
    if plan is None:
        return
    state.plans.drop(key)
    state.plans_of.discard(key[2], (plan.interval.end, key))
    for span in plan.intervals:
        state.planned.discard((key[0], key[2]), (span.end, span.start, key[1]))
    if plan.shown_to is not None:
        state.plans_shown.discard(plan.shown_to, key)


def _forget_old(resource: Identifier, state: HubState, at: Instant) -> None:
    for _, key in state.plans_of.upto(resource, at - RETENTION):
        _drop(key, state)
