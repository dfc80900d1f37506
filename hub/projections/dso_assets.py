"""What a DSO knows of the assets on its grid: never who operates them (F5, R4, R7, R9, R11).

A change of operator leaves no row. These rows have no `send`: the beat gathers them (R12).
"""

from collections.abc import Sequence
from typing import Final

from documents.values import Identifier
from hub.aggregates.placement import moves, placement
from hub.events import Event, ResourceRegistered
from hub.ports import Recorded, Row
from hub.rows import DSO_ASSETS, DsoAsset
from hub.state import HubState, ResourceState

VERSION: Final = 1


def rows(recorded: Recorded[Event], state: HubState) -> Sequence[Row]:
    """The asset leaves one DSO's list, enters another's, or changes in its own."""
    event = recorded.event
    return [
        row
        for resource, after in moves(event, state).items()
        for row in _rows(resource, state.resources.get(resource), after.dso, event, state)
    ]


def _rows(
    resource: Identifier, held: ResourceState | None, dso: Identifier | None, event: Event, state: HubState
) -> Sequence[Row]:
    before = placement(state, resource).dso
    old = _asset(resource, held) if held else None
    new = _registered(event) if isinstance(event, ResourceRegistered) else old
    changed: list[Row] = []
    if before is not None and old is not None and before != dso:
        changed.append(Row(view=DSO_ASSETS, audience=before, key=resource, payload=None, group=old.point))
    if dso is not None and new is not None and (before != dso or old != new):
        changed.append(Row(view=DSO_ASSETS, audience=dso, key=resource, payload=new, group=new.point))
    return changed


def _asset(resource: Identifier, held: ResourceState) -> DsoAsset:
    return DsoAsset(
        resource=resource,
        point=held.point,
        capability=held.capability,
        psr_type=held.psr_type,
        voltage=held.voltage,
    )


def _registered(event: ResourceRegistered) -> DsoAsset:
    return DsoAsset(
        resource=event.resource,
        point=event.point,
        capability=event.capability,
        psr_type=event.psr_type,
        voltage=event.voltage,
    )
