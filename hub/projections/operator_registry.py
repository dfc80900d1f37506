"""Who operates which asset on whose grid, as the operator of the platform sees it (F3, R4, R6, R7)."""

from collections.abc import Sequence
from typing import Final

from documents.values import Identifier
from hub.aggregates.placement import moves, placement
from hub.events import Event, PointReassigned, PointRegistered, PointRemoved, ResourceRegistered
from hub.ports import OPERATOR, Recorded, Row
from hub.rows import OPERATOR_ASSETS, OPERATOR_POINTS, OperatorAsset, OperatorPoint
from hub.state import HubState, ResourceState

VERSION: Final = 1


def rows(recorded: Recorded[Event], state: HubState) -> Sequence[Row]:
    """The point of the event, and every asset that stands differently after it."""
    event = recorded.event
    return [*_point(event, state), *(row for resource in moves(event, state) for row in _asset(resource, event, state))]


def _point(event: Event, state: HubState) -> Sequence[Row]:
    match event:
        case PointRegistered():
            payload = OperatorPoint(point=event.point, dso=event.dso, psr_type=event.psr_type, voltage=event.voltage)
        case PointReassigned():
            held = state.points[event.point]
            payload = OperatorPoint(point=event.point, dso=event.dso, psr_type=held.psr_type, voltage=held.voltage)
        case PointRemoved():
            return [
                Row(view=OPERATOR_POINTS, audience=OPERATOR, key=event.point, payload=None, group=event.dso),
            ]
        case _:
            return []
    return [Row(view=OPERATOR_POINTS, audience=OPERATOR, key=event.point, payload=payload, group=event.dso)]


def _asset(resource: Identifier, event: Event, state: HubState) -> Sequence[Row]:
    """The asset after the event, a withdrawal when it is gone, nothing when it stands as before."""
    before, after = placement(state, resource), moves(event, state)[resource]
    old = state.resources.get(resource)
    if after.operator is None:
        assert old is not None, "only registered assets are removed"
        return [Row(view=OPERATOR_ASSETS, audience=OPERATOR, key=resource, payload=None, group=old.operator)]
    new = _registered(event) if isinstance(event, ResourceRegistered) else old
    assert new is not None, "only registered assets move"
    if before == after and new == old:
        return []
    payload = OperatorAsset(
        resource=resource, operator=after.operator, point=new.point, dso=after.dso, capability=new.capability
    )
    return [Row(view=OPERATOR_ASSETS, audience=OPERATOR, key=resource, payload=payload, group=after.operator)]


def _registered(event: ResourceRegistered) -> ResourceState:
    return ResourceState(event.operator, event.point, event.capability, event.psr_type, event.voltage)
