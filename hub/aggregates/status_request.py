"""Requests for data: whether there is anything to answer with (F5, F9, R13).

The data itself is composed from the asker's own rows; here it is only decided whether that or 999 is the answer, so
that every request gets exactly one.
"""

from collections.abc import Iterator

from documents.codes import DocumentType
from documents.values import Identifier, Instant
from hub.aggregates.limit_copies import forget_ended, held_limits
from hub.aggregates.market_document import evolve_verdict
from hub.commands import AskStatus
from hub.events import Event, StatusRequested
from hub.state import HubState, PlanKey


def decide_ask(command: AskStatus, state: HubState, now: Instant) -> tuple[Event, ...]:
    """Note what is owed, or that there is nothing."""
    return (
        StatusRequested(
            origin=command.origin,
            subject=command.subject,
            resources=command.resources,
            interval=command.interval,
            empty=not _has_any(command, state, now),
        ),
    )


def _has_any(command: AskStatus, state: HubState, now: Instant) -> bool:
    match command.subject:
        case DocumentType.CONFIGURATION:
            return any(True for _ in asked_assets(command, state))
        case DocumentType.SCHEDULE:
            return any(True for _ in asked_plans(command, state, now))
        case _:
            return bool(held_limits(state, command.origin.sender, now))


def asked_assets(asked: AskStatus | StatusRequested, state: HubState) -> Iterator[Identifier]:
    """The DSO's assets, or those on these points, in no order; others' points are as good as unknown."""
    dso = asked.origin.sender
    if not asked.resources:
        yield from state.grid.unordered(dso)
    for point in dict.fromkeys(asked.resources):
        if state.dso_at(point) == dso:
            yield from state.at_point.unordered(point)


def asked_plans(asked: AskStatus | StatusRequested, state: HubState, now: Instant) -> Iterator[PlanKey]:
    """The DSO's plans of these assets in this span, in no order; without a span, those that have not ended."""
    asker, span = asked.origin.sender, asked.interval
    shown = (
        (key for resource in dict.fromkeys(asked.resources) for _, key in state.plans_of.unordered(resource))
        if asked.resources
        else state.plans_shown.unordered(asker)
    )
    for key in shown:
        plan = state.plans[key]
        if plan.shown_to == asker and (plan.interval.overlaps(span) if span else plan.interval.end > now):
            yield key


def evolve_asked(event: StatusRequested, state: HubState, at: Instant) -> None:
    """Remember the answer, and use the occasion to forget an AGR's ended limits."""
    evolve_verdict(event, state)
    if event.subject == DocumentType.OUTAGE:
        forget_ended(state, event.origin.sender, at)
