"""Requests for data: whether there is anything to answer with (F5, F9, R13).

The data itself is composed from the asker's own rows; here it is only decided whether that or 999 is the answer, so
that every request gets exactly one.
"""

from documents.codes import DocumentType
from documents.values import Identifier, Instant
from hub.aggregates.limit_copies import forget_ended, held_limits
from hub.aggregates.market_document import evolve_verdict
from hub.commands import AskStatus
from hub.events import Event, StatusRequested
from hub.state import HubState


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
    asker = command.origin.sender
    match command.subject:
        case DocumentType.CONFIGURATION:
            return _has_assets(asker, command.resources, state)
        case DocumentType.SCHEDULE:
            return _has_plans(command, state, now)
        case _:
            return bool(held_limits(state, asker, now))


def _has_assets(dso: Identifier, points: tuple[Identifier, ...], state: HubState) -> bool:
    """Whether the DSO has an asset, or one on any of these points; others' points are as good as unknown."""
    if not points:
        return state.grid.has(dso)
    return any(state.dso_at(point) == dso and state.at_point.has(point) for point in points)


def _has_plans(command: AskStatus, state: HubState, now: Instant) -> bool:
    """Whether the DSO's list has a plan of these assets in this span; without a span, one that has not ended."""
    asker, span = command.origin.sender, command.interval
    shown = (
        (key for resource in command.resources for key in state.plans_of.unordered(resource))
        if command.resources
        else state.plans_shown.unordered(asker)
    )
    plans = (state.plans[key] for key in shown)
    return any(
        plan.shown_to == asker and (plan.interval.overlaps(span) if span else plan.interval.end > now) for plan in plans
    )


def evolve_asked(event: StatusRequested, state: HubState, at: Instant) -> None:
    """Remember the answer, and use the occasion to forget an AGR's ended limits."""
    evolve_verdict(event, state)
    if event.subject == DocumentType.OUTAGE:
        forget_ended(state, event.origin.sender, at)
