"""A division of a foreseen limit, told step by step and computed anew from the log (R16, R17).

For the operator alone: it holds the total and everybody's part. The inputs are read from the state that the log had
before the division, so that an event that was written with other ratings is found as well as one with other shares.
The steps are computed here by a second pair of hands, not by the policy itself; both must come to what was kept.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from documents.curves import Step as Stretch
from documents.curves import step_function
from documents.identifiers import code_of
from documents.values import Identifier, Instant, Interval, Mrid, Period, Power
from hub.aggregates import fairness
from hub.aggregates.fairness import Weighted
from hub.brain import HubBrain
from hub.events import Event, LimitAnnounced, LimitedSeries
from hub.ports import Recorded
from hub.state import HubState, LimitKey
from hub.values import AssetShare, Direction


class Part(Struct, frozen=True, kw_only=True):
    """One party to a step: `whole` and `remainder` of capacity times weight over the sum of weights, then its watts."""

    who: Identifier
    weight: Power
    whole: Power
    remainder: int
    share: Power


class Step(Struct, frozen=True, kw_only=True):
    """Watts divided in proportion to weights: over the operators, or `over` the assets of one of them."""

    over: Identifier | None
    capacity: Power
    weights: Power
    parts: tuple[Part, ...]


class Divided(Struct, frozen=True, kw_only=True):
    """One total of a series, when it holds, and how it was divided; `total` is the sum of what the assets got."""

    capacity: Power
    expected: Power
    total: Power
    holds: tuple[Interval, ...]
    steps: tuple[Step, ...]


class Input(Struct, frozen=True, kw_only=True):
    """An asset of a series as the log had it at the division: watts in the limited direction; none takes no part."""

    resource: Identifier
    operator: Identifier | None
    rated: Power


class SeriesDivision(Struct, frozen=True, kw_only=True):
    """One series of the limit: the assets that share one total, and each total over time."""

    series: Mrid
    inputs: tuple[Input, ...]
    totals: tuple[Divided, ...]


class Told(Struct, frozen=True, kw_only=True):
    """The copy by which an AGR was told its own part: its mRID, and the revision it was at right after the division.

    It was cancelled when this or an earlier revision concerned the AGR no longer.
    """

    agr: Identifier
    mrid: Mrid
    revision: int
    cancelled: bool


class Division(Struct, frozen=True, kw_only=True):
    """Everything about one division. `differences` says in words what does not agree; none: it is as it must be."""

    dso: Identifier
    mrid: Mrid
    revision: int
    position: int
    at: Instant
    direction: Direction
    interval: Interval
    policy: str
    series: tuple[SeriesDivision, ...]
    told: tuple[Told, ...]
    differences: tuple[str, ...]


class Divisions:
    """Follows the log from its beginning, and keeps each division of the limits asked for.

    `mrid` is that of the DSO's document. Once the log is read, `limit_of_copy` tells the limit behind the mRID of a
    copy; follow the log anew with its key.
    """

    def __init__(self, brain: HubBrain, mrid: Mrid, *, dso: Identifier | None = None) -> None:
        self._brain, self._mrid, self._dso = brain, mrid, dso
        self.found: list[Division] = []
        self.was_ordered = False
        """Whether a limit of this mRID was seen that divides nothing: an unforeseen one, or a cancel."""

    def take(self, recorded: Recorded[Event]) -> None:
        """Fold the next event."""
        event = recorded.event
        if getattr(event, "mrid", None) != self._mrid or self._dso not in (None, getattr(event, "dso", None)):
            self._brain.evolve(recorded)
            return
        if not isinstance(event, LimitAnnounced):
            self.was_ordered = self.was_ordered or hasattr(event, "dso")
            self._brain.evolve(recorded)
            return
        series = tuple(_series(event, one, self._brain.state) for one in event.series)
        differences = tuple(_differences(event, series, self._brain.state))
        self._brain.evolve(recorded)
        self.found.append(_division(recorded, event, series, differences, self._brain.state))

    def limit_of_copy(self) -> LimitKey | None:
        """The limit that an AGR was told of under this mRID."""
        state = self._brain.state
        found = (state.copied.get((participant, self._mrid)) for participant in state.participants.contents())
        return next((key for key in found if key), None)


def _division(
    recorded: Recorded[Event],
    event: LimitAnnounced,
    series: tuple[SeriesDivision, ...],
    differences: tuple[str, ...],
    after: HubState,
) -> Division:
    key = (event.dso, event.mrid)
    copies = [(agr, after.copies[key, agr].content) for agr in after.copies_of.of(key)]
    return Division(
        dso=event.dso,
        mrid=event.mrid,
        revision=event.revision,
        position=recorded.position,
        at=recorded.at,
        direction=event.direction,
        interval=event.interval,
        policy=event.policy,
        series=series,
        told=tuple(
            Told(agr=agr, mrid=copy.mrid, revision=copy.revision, cancelled=copy.cancelled) for agr, copy in copies
        ),
        differences=differences,
    )


def _series(event: LimitAnnounced, series: LimitedSeries, state: HubState) -> SeriesDivision:
    inputs = tuple(_input(asset, event.direction, state) for asset in sorted(series.assets))
    tell = STEPS.get(event.policy)
    weighted = _weighted(inputs)
    totals = _totals(series.periods, weighted, tell) if tell and any(one.rated for one in weighted) else ()
    return SeriesDivision(series=series.series, inputs=inputs, totals=tuple(totals))


def _input(asset: Identifier, direction: Direction, state: HubState) -> Input:
    held = state.resources.get(asset)
    if held is None:
        return Input(resource=asset, operator=None, rated=0)
    return Input(resource=asset, operator=held.operator, rated=held.capability.rated(direction))


def _weighted(inputs: Iterable[Input]) -> list[Weighted]:
    return [Weighted(one.resource, one.operator, one.rated) for one in inputs if one.operator is not None]


def _totals(periods: Iterable[Period], assets: Sequence[Weighted], tell: "Tell") -> Iterator[Divided]:
    holds: dict[Power, list[Interval]] = {}
    for start, end, watts in step_function(periods):
        holds.setdefault(watts, []).append(Interval(start, end))
    weights = sum(asset.rated for asset in assets)
    for watts, spans in holds.items():
        steps = tell(watts, [asset for asset in assets if asset.rated])
        yield Divided(
            capacity=watts,
            expected=min(watts, weights),
            total=sum(shares_of(steps).values()),
            holds=tuple(spans),
            steps=steps,
        )


Tell = Callable[[Power, Sequence[Weighted]], tuple[Step, ...]]
"""Capacity and assets in, the steps of a policy out."""


def rated_power(capacity: Power, assets: Sequence[Weighted]) -> tuple[Step, ...]:
    """The steps of `rated-power.v1`: over operators by their sums of rated power, then over each one's assets."""
    portfolios: dict[Identifier, dict[Identifier, Power]] = {}
    for asset in assets:
        portfolios.setdefault(asset.operator, {})[asset.resource] = asset.rated
    first = _step(None, capacity, {operator: sum(held.values()) for operator, held in portfolios.items()})
    rest = (_step(part.who, part.share, portfolios[part.who]) for part in first.parts)
    return first, *rest


STEPS: Final[Mapping[str, Tell]] = {fairness.RATED_POWER: rated_power}
"""Every policy that can be told step by step: those of `fairness.POLICIES`."""


def shares_of(steps: Iterable[Step]) -> dict[Identifier, Power]:
    """Each asset's watts, as the steps over assets end."""
    return {part.who: part.share for step in steps if step.over for part in step.parts}


def _step(over: Identifier | None, capacity: Power, weights: Mapping[Identifier, Power]) -> Step:
    """Largest remainder in whole watts, ties to the smaller id; nobody gets more than its weight (R16)."""
    total = sum(weights.values())
    divided = min(capacity, total)
    quotas = {who: divmod(divided * weight, total) for who, weight in weights.items()}
    left = divided - sum(whole for whole, _ in quotas.values())
    favoured = sorted(quotas, key=lambda who: (-quotas[who][1], who))[:left]
    parts = (
        Part(who=who, weight=weights[who], whole=whole, remainder=remainder, share=whole + (who in favoured))
        for who, (whole, remainder) in sorted(quotas.items())
    )
    return Step(over=over, capacity=capacity, weights=total, parts=tuple(parts))


def _differences(event: LimitAnnounced, series: Sequence[SeriesDivision], state: HubState) -> Iterator[str]:
    """What the event kept against what the log says: inputs, the policy's shares, the steps, the sums."""
    inputs = {one.resource: one for division in series for one in division.inputs}
    yield from _input_differences(event, inputs)
    if event.policy not in fairness.POLICIES:
        yield f"Policy {event.policy} is not known to this version, so the shares were not computed anew."
        return
    yield from _share_differences(event, _recomputed(event, series))
    for division in series:
        yield from _sum_differences(event, division)


def _input_differences(event: LimitAnnounced, inputs: Mapping[Identifier, Input]) -> Iterator[str]:
    for share, operator in zip(event.shares, event.operators, strict=True):
        known = inputs.get(share.resource)
        asset = code_of(share.resource)
        if known is None:
            yield f"Asset {asset} has a share, but no series of the limit names it."
            continue
        if known.rated != share.rated:
            yield f"Asset {asset} was weighed with {share.rated} W; by the log it was rated {known.rated} W."
        if known.operator != operator:
            by_log = code_of(known.operator) if known.operator else "nobody"
            yield f"Asset {asset} was counted for {code_of(operator)}; by the log {by_log} operated it."


def _recomputed(event: LimitAnnounced, series: Sequence[SeriesDivision]) -> dict[Identifier, AssetShare]:
    return {
        share.resource: share
        for said, division in zip(event.series, series, strict=True)
        if any(one.rated for one in division.inputs)
        for share in fairness.divide(event.policy, said.periods, _weighted(division.inputs))
    }


def _share_differences(event: LimitAnnounced, recomputed: Mapping[Identifier, AssetShare]) -> Iterator[str]:
    kept = {share.resource: share for share in event.shares}
    for asset in sorted(kept.keys() | recomputed.keys()):
        ours, theirs = _curve(recomputed.get(asset)), _curve(kept.get(asset))
        if ours != theirs:
            yield f"Asset {code_of(asset)} was given {_said(theirs)}; the policy gives {_said(ours)}."


def _curve(share: AssetShare | None) -> tuple[Stretch, ...]:
    return step_function(share.periods) if share else ()


def _said(curve: Sequence[Stretch]) -> str:
    if not curve:
        return "nothing"
    return ", ".join(f"{watts} W from {start:%Y-%m-%dT%H:%MZ}" for start, _, watts in curve)


def _sum_differences(event: LimitAnnounced, division: SeriesDivision) -> Iterator[str]:
    """The shares that were kept, added up instant by instant, and the steps told here, against the total."""
    kept = {share.resource: _curve(share) for share in event.shares}
    for divided in division.totals:
        told = shares_of(divided.steps)
        for span in divided.holds:
            total = sum(_at(kept.get(one.resource, ()), span.start) for one in division.inputs)
            if total != divided.expected:
                yield (
                    f"Series {division.series} from {span.start:%Y-%m-%dT%H:%MZ}: the shares sum to {total} W, "
                    f"{divided.expected} W were to be divided."
                )
            elif any(_at(kept.get(asset, ()), span.start) != watts for asset, watts in told.items()):
                yield f"Series {division.series} from {span.start:%Y-%m-%dT%H:%MZ}: the steps end in other shares."


def _at(curve: Sequence[Stretch], when: Instant) -> Power:
    index = bisect_right(curve, when, key=lambda stretch: stretch[0]) - 1
    return curve[index][2] if index >= 0 and when < curve[index][1] else 0
