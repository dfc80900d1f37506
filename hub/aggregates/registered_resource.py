"""Assets: one operator and one connection point at a time (R4, R5, R6, R7, R9, R10)."""

from documents.codes import ReasonCode
from documents.identifiers import code_of
from documents.model import Fault, RejectedSeries
from documents.values import Identifier, Instant
from hub.aggregates.holder_conflict import Ration
from hub.aggregates.market_document import rejected_series, verdict
from hub.aggregates.market_participant import OPERATORS, check_recipient
from hub.aggregates.registration import (
    changes_only,
    check_form,
    check_order,
    created_of,
    is_new_order,
    named_twice,
    unknown,
)
from hub.commands import Origin, ReassignResource, RegisterResources, ResourceItem
from hub.errors import Rejected
from hub.events import Event, ResourceReassigned, ResourceRegistered, ResourceRemoved
from hub.state import HubState, ResourceState


def decide_register_resources(command: RegisterResources, state: HubState, now: Instant) -> tuple[Event, ...]:
    """Judge each asset by itself (R3) and answer once. Whether its point is claimed makes no difference (R4)."""
    origin = command.origin
    ration = Ration(state, origin.sender, now, origin.mrid)
    events: list[Event] = []
    rejected: list[RejectedSeries] = []
    seen: set[Identifier] = set()
    for item in command.items:
        faults = named_twice(item.resource) if item.resource in seen else _judge(item, origin, state, ration)
        seen.add(item.resource)
        if faults:
            rejected.append(rejected_series(code_of(item.resource), faults))
        elif is_new_order(state, origin, item.resource):
            events.append(_event(item, origin))
    accepted = len(command.items) - len(rejected)
    return (*events, *ration.noted, verdict(origin, accepted=accepted, rejected=rejected))


def _judge(item: ResourceItem, origin: Origin, state: HubState, ration: Ration) -> tuple[Fault, ...]:
    faults = check_form(item, item.resource, origin) or _check_content(item)
    if faults:
        return faults
    held = state.resources.get(item.resource)
    if held is None or held.operator != origin.sender:
        if item.remove or changes_only(origin):
            return unknown("Asset", item.resource)
        faults = tuple(ration.judge(item.resource, is_held=held is not None))
        return faults or check_order(state, origin, item.resource, is_change=True)
    is_change = item.remove or held != _wanted(item)
    return check_order(state, origin, item.resource, is_change=is_change)


def _check_content(item: ResourceItem) -> tuple[Fault, ...]:
    """One connection point, and a capability with at least one positive maximum (R4, R9)."""
    if item.remove:
        return ()
    asset = code_of(item.resource)
    if item.point is None:
        return (Fault(ReasonCode.MANDATORY_MISSING, f"Asset {asset} names no connection point. Name exactly one."),)
    if item.capability is None:
        text = f"Asset {asset} gives no installed power. Give its production or consumption."
        return (Fault(ReasonCode.MANDATORY_MISSING, text),)
    produces, consumes = item.capability.max_production, item.capability.max_consumption
    if min(produces, consumes) < 0 or max(produces, consumes) <= 0:
        text = (
            f"Asset {asset} can produce {produces} W and consume {consumes} W. "
            "Give maxima without sign, at least one of them positive."
        )
        return (Fault(ReasonCode.QUANTITY_INCONSISTENT, text),)
    return ()


def _wanted(item: ResourceItem) -> ResourceState:
    assert item.point is not None and item.capability is not None, "checked by _check_content"  # noqa: PT018
    return ResourceState(item.owner, item.point, item.capability, item.psr_type, item.voltage)


def _event(item: ResourceItem, origin: Origin) -> Event:
    created = created_of(origin)
    if item.remove:
        return ResourceRemoved(resource=item.resource, operator=origin.sender, created=created)
    wanted = _wanted(item)
    return ResourceRegistered(
        resource=item.resource,
        operator=origin.sender,
        point=wanted.point,
        capability=wanted.capability,
        psr_type=wanted.psr_type,
        voltage=wanted.voltage,
        created=created,
    )


def decide_reassign_resource(command: ReassignResource, state: HubState) -> tuple[Event, ...]:
    """Hand an asset over without its operator's help (R6). Raises Rejected."""
    held = state.resources.get(command.resource)
    if held is None:
        raise Rejected(
            ReasonCode.RESOURCE_INVALID,
            f"Asset {code_of(command.resource)} is not registered. Let its operator register it.",
        )
    check_recipient(command.to, OPERATORS, state)
    if held.operator == command.to:
        return ()
    return (
        ResourceReassigned(
            resource=command.resource, operator=command.to, previous=held.operator, why=command.why, by=command.by
        ),
    )


def evolve_resource(event: ResourceRegistered | ResourceRemoved | ResourceReassigned, state: HubState) -> None:
    """Fold an event of one asset, and keep it under its point and grid."""
    before = state.resources.get(event.resource)
    match event:
        case ResourceRegistered():
            after = ResourceState(event.operator, event.point, event.capability, event.psr_type, event.voltage)
            _place(event.resource, before, after, state)
        case ResourceReassigned():
            held = state.resources[event.resource]
            after = ResourceState(event.operator, held.point, held.capability, held.psr_type, held.voltage)
            _place(event.resource, before, after, state)
        case ResourceRemoved():
            _place(event.resource, before, None, state)
    if not isinstance(event, ResourceReassigned):
        state.ordered.put((event.operator, event.resource), event.created)


def _place(resource: Identifier, before: ResourceState | None, after: ResourceState | None, state: HubState) -> None:
    if before is not None:
        state.at_point.discard(before.point, resource)
        dso = state.dso_at(before.point)
        if dso is not None:
            state.grid.discard(dso, resource)
    if after is None:
        state.resources.drop(resource)
        return
    state.resources.put(resource, after)
    state.at_point.add(after.point, resource)
    dso = state.dso_at(after.point)
    if dso is not None:
        state.grid.add(dso, resource)
