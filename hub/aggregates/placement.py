"""Where an asset stands: who operates it and on whose grid, before and after an event (R4, R6, R7).

Six events move assets; everything that follows from a move (lists, limits, schedules) starts from this one answer.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from documents.values import Identifier
from hub.events import (
    Event,
    PointReassigned,
    PointRegistered,
    PointRemoved,
    ResourceReassigned,
    ResourceRegistered,
    ResourceRemoved,
)
from hub.state import HubState


class Placement(Struct, frozen=True):
    """Operator and grid of one asset; `dso` is None while nobody holds its point."""

    operator: Identifier | None
    dso: Identifier | None


MOVING: Final = frozenset(
    {ResourceRegistered, ResourceRemoved, ResourceReassigned, PointRegistered, PointRemoved, PointReassigned}
)
"""The six events that may move assets."""
NOWHERE: Final = Placement(None, None)
NO_MOVES: Final[Mapping[Identifier, Placement]] = {}


def placement(state: HubState, resource: Identifier) -> Placement:
    """Where an asset stands at present; nowhere when it is not registered."""
    held = state.resources.get(resource)
    return Placement(held.operator, state.dso_at(held.point)) if held else NOWHERE


def moves(event: Event, state: HubState) -> Mapping[Identifier, Placement]:
    """The assets an event may move, by ascending id, with where they stand after it."""
    if type(event) not in MOVING:  # most events; trying six classes costs more than all else they need
        return NO_MOVES
    match event:
        case ResourceRegistered():
            return {event.resource: Placement(event.operator, state.dso_at(event.point))}
        case ResourceRemoved():
            return {event.resource: NOWHERE}
        case ResourceReassigned():
            return {event.resource: Placement(event.operator, placement(state, event.resource).dso)}
        case PointRegistered() | PointReassigned():
            return _at_point(state, event.point, event.dso)
        case PointRemoved():
            return _at_point(state, event.point, None)
        case _:
            return NO_MOVES


def _at_point(state: HubState, point: Identifier, dso: Identifier | None) -> Mapping[Identifier, Placement]:
    if state.dso_at(point) == dso:
        return NO_MOVES
    return {resource: Placement(state.resources[resource].operator, dso) for resource in state.at_point.of(point)}
