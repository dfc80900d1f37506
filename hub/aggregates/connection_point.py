"""Connection points: one DSO each (R4, R5, R6, R8, R10)."""

from documents.codes import ReasonCode
from documents.identifiers import code_of
from documents.model import Fault, RejectedSeries
from documents.values import Identifier, Instant
from hub.aggregates.holder_conflict import Ration
from hub.aggregates.market_document import rejected_series, verdict
from hub.aggregates.market_participant import GRID, check_recipient
from hub.aggregates.registration import (
    changes_only,
    check_form,
    check_order,
    created_of,
    is_new_order,
    named_twice,
    unknown,
)
from hub.commands import Origin, PointItem, ReassignPoint, RegisterPoints
from hub.errors import Rejected
from hub.events import Event, PointReassigned, PointRegistered, PointRemoved
from hub.state import HubState, PointState


def decide_register_points(command: RegisterPoints, state: HubState, now: Instant) -> tuple[Event, ...]:
    """Judge each point by itself (R3) and answer once."""
    origin = command.origin
    ration = Ration(state, origin.sender, now, origin.mrid)
    events: list[Event] = []
    rejected: list[RejectedSeries] = []
    seen: set[Identifier] = set()
    for item in command.items:
        faults = named_twice(item.point) if item.point in seen else _judge(item, origin, state, now, ration)
        seen.add(item.point)
        if faults:
            rejected.append(rejected_series(code_of(item.point), faults))
        elif is_new_order(state, origin, item.point):
            events.append(_event(item, origin))
    accepted = len(command.items) - len(rejected)
    return (*events, *ration.noted, verdict(origin, accepted=accepted, rejected=rejected))


def _judge(item: PointItem, origin: Origin, state: HubState, now: Instant, ration: Ration) -> tuple[Fault, ...]:
    faults = check_form(item, item.point, origin)
    if faults:
        return faults
    held = state.points.get(item.point)
    if held is None or held.dso != origin.sender:
        if item.remove or changes_only(origin):
            return unknown("Connection point", item.point)
        faults = tuple(ration.judge(item.point, is_held=held is not None))
        return faults or check_order(state, origin, item.point, is_change=True)
    is_change = item.remove or held != _wanted(item)
    faults = check_order(state, origin, item.point, is_change=is_change)
    return faults or (_check_unlimited(item.point, origin.sender, state, now) if item.remove else ())


def _check_unlimited(point: Identifier, dso: Identifier, state: HubState, now: Instant) -> tuple[Fault, ...]:
    """A point under one of the DSO's own live limits stays (R8)."""
    for resource in state.at_point.of(point):
        own = [mrid for _, (owner, mrid) in state.limits_on.after(resource, now) if owner == dso]
        if own:
            text = (
                f"Connection point {code_of(point)} carries an asset under your limit {min(own)}. "
                "Cancel or end the limit first, then remove the point."
            )
            return (Fault(ReasonCode.NOT_COMPLIANT, text),)
    return ()


def _wanted(item: PointItem) -> PointState:
    return PointState(item.owner, item.psr_type, item.voltage)


def _event(item: PointItem, origin: Origin) -> Event:
    created = created_of(origin)
    if item.remove:
        return PointRemoved(point=item.point, dso=origin.sender, created=created)
    return PointRegistered(
        point=item.point, dso=origin.sender, psr_type=item.psr_type, voltage=item.voltage, created=created
    )


def decide_reassign_point(command: ReassignPoint, state: HubState) -> tuple[Event, ...]:
    """Hand a point over without its holder's help (R6). Raises Rejected."""
    held = state.points.get(command.point)
    if held is None:
        raise Rejected(
            ReasonCode.RESOURCE_INVALID,
            f"Connection point {code_of(command.point)} is not registered. Let its DSO register it.",
        )
    check_recipient(command.to, GRID, state)
    if held.dso == command.to:
        return ()
    return (PointReassigned(point=command.point, dso=command.to, previous=held.dso, why=command.why, by=command.by),)


def evolve_point(event: PointRegistered | PointRemoved | PointReassigned, state: HubState) -> None:
    """Fold an event of one point, and move its assets between grids."""
    before = state.dso_at(event.point)
    match event:
        case PointRegistered():
            state.points.put(event.point, PointState(event.dso, event.psr_type, event.voltage))
        case PointReassigned():
            held = state.points[event.point]
            state.points.put(event.point, PointState(event.dso, held.psr_type, held.voltage))
        case PointRemoved():
            state.points.drop(event.point)
    if not isinstance(event, PointReassigned):
        state.ordered.put((event.dso, event.point), event.created)
    _move_grid(event.point, before, state)


def _move_grid(point: Identifier, before: Identifier | None, state: HubState) -> None:
    after = state.dso_at(point)
    if before == after:
        return
    for resource in state.at_point.unordered(point):
        if before is not None:
            state.grid.discard(before, resource)
        if after is not None:
            state.grid.add(after, resource)
