"""Limits: what a DSO may say, in which order, and what it means for each asset (R14-R21).

A limit is known by (DSO, mRID of its document), so one DSO's documents never meet another's. Whoever operates an asset
gets the asset's part; that is the business of `limit_copies`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from documents.codes import ReasonCode
from documents.identifiers import code_of
from documents.lengths import LONGEST_BYTES, SERIES_BYTES, longest_changes
from documents.model import Fault, RejectedSeries
from documents.values import Identifier, Instant, Reason
from hub.aggregates import fairness
from hub.aggregates.fairness import Weighted
from hub.aggregates.market_document import listed, refusal, rejected_series, verdict
from hub.aggregates.placement import placement
from hub.aggregates.timing import check_interval, check_not_ended
from hub.commands import AnnounceLimit, CancelLimit, ForeseenSeries, OrderLimit, Origin, UnforeseenSeries
from hub.errors import Rejected
from hub.events import Event, LimitAnnounced, LimitCancelled, LimitedSeries, LimitOrdered
from hub.state import HubState, LimitState
from hub.values import Action, AssetOrder, AssetShare, Direction, LimitKind

PRECEDENCE: Final = {Action.STOP: 2, Action.HOLD: 1, Action.START: 0}
"""STOP > HOLD > START (R15)."""


def decide_announce_limit(command: AnnounceLimit, state: HubState, now: Instant) -> tuple[Event, ...]:
    """Take a foreseen limit as a whole or not at all, and divide it (F6, R14, R16). Raises Rejected."""
    origin = command.origin
    _check_revision(origin, LimitKind.FORESEEN, state, now)
    check_interval(command.interval, now)
    _check_size(command.series)
    _check_grid(origin.sender, command.series, state)
    rejected = _judge_foreseen(command, state)
    if rejected:
        text = f"{len(rejected)} of {len(command.series)} series are wrong, so nothing of the limit holds. Mend them."
        return (refusal(origin, rejected[0].reasons[0].code, text, rejected),)
    return _announced(command, state), verdict(origin, accepted=1, rejected=())


def _check_size(series: Sequence[ForeseenSeries]) -> None:
    if not series:
        raise Rejected(ReasonCode.MANDATORY_MISSING, "The limit has no TimeSeries. Say which assets it concerns.")
    _check_copy(sum(len(one.assets) * longest_changes(one.periods) for one in series))


def _check_copy(length: int) -> None:
    """Raise Rejected (A59) when a copy with all of these assets could be longer than a message carries.

    Whose they are does not matter, so that a DSO learns nothing of who operates how many (R36).
    """
    if length > LONGEST_BYTES:
        raise Rejected(
            ReasonCode.NOT_COMPLIANT,
            f"Told asset by asset the limit takes up to {length} bytes; a message carries {LONGEST_BYTES}. "
            "Split it over documents, by assets or by time.",
        )


def _check_grid(dso: Identifier, series: Iterable[ForeseenSeries], state: HubState) -> None:
    """Raise Rejected (A64) when any asset is not on the sender's own grid (R14)."""
    foreign = _not_on_grid(dso, [asset for one in series for asset in one.assets], state)
    if foreign:
        raise Rejected(
            ReasonCode.RESOURCE_INVALID,
            f"Not registered on your connection points: {listed([code_of(asset) for asset in foreign])}. "
            "Leave them out and send the limit as a new revision.",
        )


def _not_on_grid(dso: Identifier, assets: Iterable[Identifier], state: HubState) -> list[Identifier]:
    return [asset for asset in assets if placement(state, asset).dso != dso]


def _judge_foreseen(command: AnnounceLimit, state: HubState) -> list[RejectedSeries]:
    rejected = []
    seen: set[Identifier] = set()
    for series in command.series:
        faults = _judge_series(series, command.direction, seen, state)
        seen.update(series.assets)
        if faults:
            rejected.append(rejected_series(series.series, faults))
    return rejected


def _judge_series(
    series: ForeseenSeries, direction: Direction, seen: set[Identifier], state: HubState
) -> tuple[Fault, ...]:
    if series.faults:
        return series.faults
    if not series.assets or not series.periods:
        text = "The series needs at least one asset and one Available_Period. Add what is missing."
        return (Fault(ReasonCode.MANDATORY_MISSING, text),)
    if any(point.quantity < 0 for period in series.periods for point in period.points):
        text = (
            "Available power has no sign. Give the direction by the document type and the power as a positive number."
        )
        return (Fault(ReasonCode.QUANTITY_INCONSISTENT, text),)
    twice = sorted(seen.intersection(series.assets)) or _repeated(series.assets)
    if twice:
        named = listed([code_of(asset) for asset in twice])
        text = f"Named more than once in the document: {named}. Give each asset one series, with all its Periods."
        return (Fault(ReasonCode.NOT_COMPLIANT, text),)
    if not any(asset.rated for asset in _weighted(series.assets, direction, state)):
        text = f"None of the assets has rated power for {direction}. Name assets that have, or another direction."
        return (Fault(ReasonCode.NOT_COMPLIANT, text),)
    return ()


def _repeated(assets: Sequence[Identifier]) -> list[Identifier]:
    return sorted(asset for asset, times in Counter(assets).items() if times > 1)


def _weighted(assets: Iterable[Identifier], direction: Direction, state: HubState) -> list[Weighted]:
    held = ((asset, state.resources[asset]) for asset in assets)
    return [Weighted(asset, one.operator, one.capability.rated(direction)) for asset, one in held]


def _announced(command: AnnounceLimit, state: HubState) -> LimitAnnounced:
    """The fact with its shares, ordered by asset id whatever the order of the document (R16)."""
    policy = fairness.RATED_POWER
    shares: list[AssetShare] = []
    for series in command.series:
        shares.extend(fairness.divide(policy, series.periods, _weighted(series.assets, command.direction, state)))
    shares.sort(key=lambda part: part.resource)
    return LimitAnnounced(
        dso=command.origin.sender,
        mrid=command.origin.mrid,
        revision=command.origin.revision,
        direction=command.direction,
        interval=command.interval,
        series=tuple(
            LimitedSeries(series=one.series, assets=one.assets, periods=one.periods) for one in command.series
        ),
        policy=policy,
        shares=tuple(shares),
        operators=tuple(state.resources[part.resource].operator for part in shares),
        reasons=command.reasons,
    )


def decide_order_limit(command: OrderLimit, state: HubState, now: Instant) -> tuple[Event, ...]:
    """Take an unforeseen limit as far as its assets are known: in an emergency the rest must not wait (F7, R15).

    Raises:
        Rejected: the document as a whole comes too late, meets another revision, or is too long to be told.
    """
    origin = command.origin
    _check_revision(origin, LimitKind.UNFORESEEN, state, now)
    check_interval(command.interval, now)
    if not command.series:
        raise Rejected(ReasonCode.MANDATORY_MISSING, "The limit has no TimeSeries. Say which assets it concerns.")
    _check_copy(sum(len(one.assets) for one in command.series) * SERIES_BYTES)
    orders: dict[Identifier, Action] = {}
    rejected = []
    for series in command.series:
        taken, faults = _judge_order(series, command.direction, origin.sender, state)
        for asset in taken:
            orders[asset] = _stronger(orders.get(asset), series.action)
        if faults:
            rejected.append(rejected_series(series.series, faults))
    answer = verdict(origin, accepted=len(orders), rejected=rejected)
    return (_ordered(command, orders), answer) if orders else (answer,)


def _judge_order(
    series: UnforeseenSeries, direction: Direction, dso: Identifier, state: HubState
) -> tuple[list[Identifier], tuple[Fault, ...]]:
    """The assets of a series that the order reaches, and why it does not reach the others."""
    if series.faults:
        return [], series.faults
    if series.action is None or not series.assets:
        text = "The series needs an asset and a Reason A95 with ACTION=START, ACTION=STOP or ACTION=HOLD. Add it."
        return [], (Fault(ReasonCode.NOT_COMPLIANT, text),)
    faults = []
    unknown = set(_not_on_grid(dso, series.assets, state))
    if unknown:
        named = listed([code_of(asset) for asset in sorted(unknown)])
        text = f"Not registered on your connection points: {named}. Check the ids; other assets are not affected."
        faults.append(Fault(ReasonCode.RESOURCE_INVALID, text))
    known = [asset for asset in series.assets if asset not in unknown]
    idle = {asset for asset in known if not _can_obey(series.action, direction, asset, state)}
    if idle:
        text = (
            f"START does not say which way to run: {listed([code_of(asset) for asset in sorted(idle)])}. "
            "Give a document type for one direction (A80 or A76) that the asset has rated power for."
        )
        faults.append(Fault(ReasonCode.NOT_COMPLIANT, text))
    return [asset for asset in known if asset not in idle], tuple(faults)


def _can_obey(action: Action, direction: Direction, asset: Identifier, state: HubState) -> bool:
    """START needs one direction the asset can run in; STOP and HOLD say enough by themselves (R15)."""
    capability = state.resources[asset].capability
    if action is not Action.START:
        return True
    if direction is Direction.BOTH:
        return not (capability.max_production and capability.max_consumption)
    return capability.rated(direction) > 0


def _stronger(before: Action | None, now: Action | None) -> Action:
    found = [action for action in (before, now) if action is not None]
    return max(found, key=PRECEDENCE.__getitem__)


def _ordered(command: OrderLimit, orders: dict[Identifier, Action]) -> LimitOrdered:
    return LimitOrdered(
        dso=command.origin.sender,
        mrid=command.origin.mrid,
        revision=command.origin.revision,
        direction=command.direction,
        interval=command.interval,
        orders=tuple(AssetOrder(asset, orders[asset]) for asset in sorted(orders)),
        reasons=command.reasons,
    )


def decide_cancel_limit(command: CancelLimit, state: HubState, now: Instant) -> tuple[Event, ...]:
    """Withdraw a limit, or one that has not come yet (R19). Raises Rejected."""
    origin = command.origin
    _check_revision(origin, command.kind, state, now)
    known = state.limits.get((origin.sender, origin.mrid))
    kind = known.kind if known else command.kind
    cancelled = LimitCancelled(dso=origin.sender, mrid=origin.mrid, revision=origin.revision, kind=kind)
    return cancelled, verdict(origin, accepted=1, rejected=())


def _check_revision(origin: Origin, kind: LimitKind | None, state: HubState, now: Instant) -> None:
    """Raise Rejected unless this revision may follow what is known of the sender's limit (R19, R20)."""
    known = state.limits.get((origin.sender, origin.mrid))
    if known is None:
        return
    if known.cancelled:
        raise Rejected(
            ReasonCode.VERSION_CONFLICT, f"Limit {origin.mrid} was cancelled and stays closed. Use a new mRID."
        )
    if origin.revision <= known.revision:
        raise Rejected(
            ReasonCode.VERSION_CONFLICT,
            f"Limit {origin.mrid} is at revision {known.revision}, and this is revision {origin.revision}. "
            f"Send it as revision {known.revision + 1}.",
        )
    if known.interval is not None:
        check_not_ended(known.interval.end, now)
    if kind is not None and kind != known.kind:
        raise Rejected(
            ReasonCode.BUSINESS_TYPE_INVALID,
            f"Limit {origin.mrid} is {known.kind} and cannot become {kind}. Cancel it and send another.",
        )


def evolve_limit(event: LimitAnnounced | LimitOrdered | LimitCancelled, state: HubState, at: Instant) -> None:
    """Fold a revision of a limit, and keep it under the assets it names."""
    key = (event.dso, event.mrid)
    before = state.limits.get(key)
    after = limit_after(event, before)
    state.limits.put(key, after)
    if before and before.interval:
        for asset in before.assets:
            state.limits_on.discard(asset, (before.interval.end, key))
    if after.interval and not after.cancelled:
        for asset in after.assets:
            _forget_ended(asset, state, at)
            state.limits_on.add(asset, (after.interval.end, key))


def limit_after(event: LimitAnnounced | LimitOrdered | LimitCancelled, before: LimitState | None) -> LimitState:
    """A limit as it stands after an event; a cancelled one keeps what it said."""
    match event:
        case LimitAnnounced():
            assets = tuple(sorted(asset for series in event.series for asset in series.assets))
            parts: tuple[AssetShare | AssetOrder, ...] = event.shares
            kind = LimitKind.FORESEEN
        case LimitOrdered():
            assets, parts, kind = tuple(order.resource for order in event.orders), event.orders, LimitKind.UNFORESEEN
        case LimitCancelled():
            return _cancelled(event, before)
    return LimitState(
        revision=event.revision,
        kind=kind,
        direction=event.direction,
        interval=event.interval,
        assets=assets,
        parts=parts,
        reason_codes=_codes(event.reasons),
    )


def _cancelled(event: LimitCancelled, before: LimitState | None) -> LimitState:
    return LimitState(
        revision=event.revision,
        kind=event.kind,
        direction=before.direction if before else Direction.BOTH,
        interval=before.interval if before else None,
        assets=before.assets if before else (),
        reason_codes=before.reason_codes if before else (),
        cancelled=True,
    )


def _codes(reasons: Iterable[Reason]) -> tuple[str, ...]:
    """Codes only, each once: a DSO's free text never travels on (R18)."""
    return tuple(dict.fromkeys(reason.code for reason in reasons))


def _forget_ended(asset: Identifier, state: HubState, at: Instant) -> None:
    """So that an asset's list does not grow with every limit it ever had."""
    for ended in state.limits_on.upto(asset, at):
        state.limits_on.discard(asset, ended)
