"""An operator's own assets as the hub holds them (F4, R6). Says nothing of points' holders (R4)."""

from collections.abc import Sequence
from typing import Final

from documents.values import Identifier
from hub.events import Event, ResourceReassigned, ResourceRegistered, ResourceRemoved
from hub.ports import Recorded, Row
from hub.rows import AGR_ASSETS, AgrAsset
from hub.state import HubState, ResourceState

VERSION: Final = 1


def rows(recorded: Recorded[Event], state: HubState) -> Sequence[Row]:
    """The asset enters, changes in or leaves its operator's list."""
    match recorded.event:
        case ResourceRegistered() as event:
            now = ResourceState(event.operator, event.point, event.capability, event.psr_type, event.voltage)
            same = state.resources.get(event.resource) == now
            return [] if same else [_row(event.operator, event.resource, now)]
        case ResourceRemoved() as event:
            return [_gone(event.operator, event.resource, state.resources[event.resource])]
        case ResourceReassigned() as event:
            held = state.resources[event.resource]
            return [_gone(held.operator, event.resource, held), _row(event.operator, event.resource, held)]
        case _:
            return []


def _row(audience: Identifier, resource: Identifier, held: ResourceState) -> Row:
    asset = AgrAsset(
        resource=resource,
        point=held.point,
        capability=held.capability,
        psr_type=held.psr_type,
        voltage=held.voltage,
    )
    return Row(view=AGR_ASSETS, audience=audience, key=resource, payload=asset, group=held.point)


def _gone(audience: Identifier, resource: Identifier, held: ResourceState) -> Row:
    return Row(view=AGR_ASSETS, audience=audience, key=resource, payload=None, group=held.point)
