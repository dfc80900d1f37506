"""Each AGR's own copy of a limit, and when it changes (R6, R7, R16-R18).

A part sticks to its asset: whoever operates the asset on the DSO's grid while the limit lives has the part in its copy.
A copy's mRID is the same for all revisions, and its revisions count 1, 2, 3 for this AGR alone. A copy that would say
what it said before is not sent, so that what others do leaves no trace (R36).
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from documents.values import Identifier, Instant
from hub.aggregates.capacity_limit import limit_after
from hub.aggregates.keyed import keyed_mrid
from hub.aggregates.placement import MOVING, Placement, moves, placement
from hub.events import Event, LimitAnnounced, LimitCancelled, LimitOrdered
from hub.rows import AgrLimit
from hub.state import CopyState, HubState, LimitKey, LimitState
from hub.values import AssetOrder, AssetShare

Part = AssetShare | AssetOrder
CopyKey = tuple[LimitKey, Identifier]
"""(limit, AGR)."""


TURNING: Final = MOVING | {LimitAnnounced, LimitOrdered, LimitCancelled}
"""The events that may change a copy."""


class CopyChange(Struct, frozen=True):
    """A new revision of one AGR's copy."""

    limit: LimitKey
    audience: Identifier
    copy: CopyState


class _Turnover(Struct):
    """What one AGR's copy of one limit loses and gains when assets move."""

    lost: set[Identifier]
    gained: list[Part]


def copy_changes(event: Event, state: HubState, at: Instant) -> list[CopyChange]:
    """The copies an event changes, seen from the state before it; by limit, then by AGR."""
    if type(event) not in TURNING:
        return []
    match event:
        case LimitAnnounced() | LimitOrdered():
            return _issue(event, state, at)
        case LimitCancelled():
            key = (event.dso, event.mrid)
            return [
                change
                for audience in state.copies_of.of(key)
                for change in _change((key, audience), None, (), state, at)
            ]
        case _:
            return _move(event, state, at)


def _issue(event: LimitAnnounced | LimitOrdered, state: HubState, at: Instant) -> list[CopyChange]:
    """A revision by the DSO: everybody it concerns, and everybody it no longer concerns (R18)."""
    key = (event.dso, event.mrid)
    limit = limit_after(event, state.limits.get(key))
    parts: dict[Identifier, list[Part]] = {}
    for part in limit.parts:
        parts.setdefault(state.resources[part.resource].operator, []).append(part)
    audiences = sorted({*parts, *state.copies_of.unordered(key)})
    return [
        change
        for audience in audiences
        for change in _change((key, audience), limit, parts.get(audience, ()), state, at)
    ]


def _move(event: Event, state: HubState, at: Instant) -> list[CopyChange]:
    """Assets moved under live limits: parts leave one copy and enter another (R6, R7, R17)."""
    turnovers: dict[CopyKey, _Turnover] = {}
    for resource, after in moves(event, state).items():
        before = placement(state, resource)
        if before == after:
            continue
        for _, key in state.limits_on.after(resource, at):
            _turn_over(turnovers, key, resource, (_holder(before, key), _holder(after, key)), state)
    return [
        change
        for key, turnover in sorted(turnovers.items(), key=lambda item: item[0])
        for change in _change(key, state.limits[key[0]], _turned(state.copies.get(key), turnover), state, at)
    ]


def _holder(where: Placement, key: LimitKey) -> Identifier | None:
    """Who has the asset's part of a limit: its operator, as long as it is on the grid of the limit's DSO (R7)."""
    return where.operator if where.dso == key[0] else None


def _turn_over(
    turnovers: dict[CopyKey, _Turnover],
    key: LimitKey,
    resource: Identifier,
    holders: tuple[Identifier | None, Identifier | None],
    state: HubState,
) -> None:
    before, after = holders
    part = _part_of(state.limits[key], resource)
    if before == after or part is None:
        return
    if before is not None:
        turnovers.setdefault((key, before), _Turnover(set(), [])).lost.add(resource)
    if after is not None:
        turnovers.setdefault((key, after), _Turnover(set(), [])).gained.append(part)


def _part_of(limit: LimitState, resource: Identifier) -> Part | None:
    found = bisect_left(limit.parts, resource, key=lambda part: part.resource)
    return limit.parts[found] if found < len(limit.parts) and limit.parts[found].resource == resource else None


def _turned(copy: CopyState | None, turnover: _Turnover) -> Sequence[Part]:
    held: Iterable[Part] = ()
    if copy is not None and not copy.content.cancelled:
        held = (*copy.content.shares, *copy.content.orders)
    kept = [part for part in held if part.resource not in turnover.lost]
    return sorted((*kept, *turnover.gained), key=lambda part: part.resource)


def _change(
    key: CopyKey, limit: LimitState | None, parts: Sequence[Part], state: HubState, at: Instant
) -> list[CopyChange]:
    """The AGR's copy with these parts, a cancel when there are none left, nothing when it says what it said."""
    before = state.copies.get(key)
    content = _content(key, limit, parts, state) if parts and limit else _cancel(before)
    if content is None:
        return []
    if before is None:
        return [CopyChange(*key, CopyState(content, at))]
    if before.content == msgspec.structs.replace(content, revision=before.content.revision):
        return []
    return [CopyChange(*key, CopyState(msgspec.structs.replace(content, revision=before.content.revision + 1), at))]


def _cancel(before: CopyState | None) -> AgrLimit | None:
    """The last content, cancelled; None for who never had a copy."""
    return msgspec.structs.replace(before.content, cancelled=True) if before else None


def _content(key: CopyKey, limit: LimitState, parts: Sequence[Part], state: HubState) -> AgrLimit:
    """Revision 1; who has a copy already counts on from it."""
    (dso, mrid), audience = key
    assert limit.interval is not None and limit.kind is not None, "a limit with parts has both"  # noqa: PT018
    return AgrLimit(
        mrid=keyed_mrid(state.secret, "limit", dso, mrid, audience),
        revision=1,
        kind=limit.kind,
        direction=limit.direction,
        interval=limit.interval,
        shares=tuple(part for part in parts if isinstance(part, AssetShare)),
        orders=tuple(part for part in parts if isinstance(part, AssetOrder)),
        reason_codes=limit.reason_codes,
    )


def evolve_copies(changes: Iterable[CopyChange], state: HubState) -> None:
    """Remember what was issued."""
    for change in changes:
        state.copies.put((change.limit, change.audience), change.copy)
        state.copies_of.add(change.limit, change.audience)
        state.limits_of.add(change.audience, change.limit)
        state.copied.put((change.audience, change.copy.content.mrid), change.limit)


def held_limits(state: HubState, participant: Identifier, now: Instant) -> list[CopyState]:
    """An AGR's copies that have not ended, by mRID: what a request for its limits is answered with (R13).

    Cancelled ones are among them: a gateway restored from an old backup must learn of a cancel it has forgotten.
    """
    copies = (state.copies[key, participant] for key in state.limits_of.unordered(participant))
    return sorted((copy for copy in copies if copy.content.interval.end > now), key=lambda copy: copy.content.mrid)


def forget_ended(state: HubState, participant: Identifier, now: Instant) -> None:
    """So that the list a request walks through does not grow for ever."""
    for key in list(state.limits_of.unordered(participant)):
        if state.copies[key, participant].content.interval.end <= now:
            state.limits_of.discard(participant, key)
