"""Fair division of one capacity limit between market participants (F6, R16).

Pure arithmetic on whole watts. Knows nothing of documents, storage or time. Weights are rated power in the limited
direction. A policy is named and versioned: the event of a limit keeps the name, so that a later policy never changes
what an old limit meant.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from msgspec import Struct

from documents.values import Identifier, Period, Point, Power
from hub.values import AssetShare

K = TypeVar("K", bound=Hashable)

RATED_POWER: Final = "rated-power.v1"


class Weighted(Struct, frozen=True):
    """An asset that takes part in a division: who operates it and its rated power in the limited direction, watts."""

    resource: Identifier
    operator: Identifier
    rated: Power


Policy = Callable[[Power, Sequence[Weighted]], dict[Identifier, Power]]
"""Capacity and assets in, each asset's watts out. Pure, and the same whatever the order of the assets."""


def share(capacity: Power, weights: Mapping[K, Power]) -> dict[K, Power]:
    """Divide `capacity` in proportion to `weights`, in whole watts.

    The result has the keys of `weights` in ascending order and sums to min(capacity, sum of weights) exactly: the watts
    lost to rounding go one by one to the largest remainders, ties to the smaller key. Nobody gets more than its weight.

    Raises:
        ValueError: a weight or the capacity is negative, or no weight is positive.

    Source: D6.1 F6a ("fairly divided"), R16.
    """
    if capacity < 0 or any(weight < 0 for weight in weights.values()):
        raise ValueError("Capacity and weights are watts and cannot be negative.")
    total = sum(weights.values())
    if total == 0:
        raise ValueError("No weight is positive, so there is nobody to divide between.")
    keys: list[K] = sorted(weights)  # type: ignore[type-var] # ids
    if capacity >= total:
        return {key: weights[key] for key in keys}
    shares = {key: capacity * weights[key] // total for key in keys}
    left = capacity - sum(shares.values())
    # sorted() is stable, so equal remainders stay in ascending order of key.
    by_remainder = sorted(keys, key=lambda key: capacity * weights[key] % total, reverse=True)
    for key in by_remainder[:left]:
        shares[key] += 1
    return shares


def rated_power(capacity: Power, assets: Sequence[Weighted]) -> dict[Identifier, Power]:
    """Policy `rated-power.v1`: over operators by their assets' sum of rated power, then over each one's assets (R16).

    Raises:
        ValueError: see `share`.
    """
    portfolios: dict[Identifier, dict[Identifier, Power]] = {}
    for asset in assets:
        portfolios.setdefault(asset.operator, {})[asset.resource] = asset.rated
    quotas = share(capacity, {operator: sum(weights.values()) for operator, weights in portfolios.items()})
    return {
        resource: watts
        for operator, weights in portfolios.items()
        if any(weights.values())
        for resource, watts in share(quotas[operator], weights).items()
    }


POLICIES: Final[Mapping[str, Policy]] = {RATED_POWER: rated_power}
"""Every policy a limit may name. A row is never changed, only added."""


def divide(policy: str, periods: Iterable[Period], assets: Sequence[Weighted]) -> tuple[AssetShare, ...]:
    """Each asset's part of a total over time, by ascending asset id; assets without rated power get none (R16).

    Raises:
        ValueError: a negative quantity, or no asset has rated power.
        KeyError: no such policy.
    """
    decide = POLICIES[policy]
    taking = [asset for asset in assets if asset.rated]
    curves = list(periods)
    divided: dict[Power, dict[Identifier, Power]] = {}
    for quantity in dict.fromkeys(point.quantity for period in curves for point in period.points):
        divided[quantity] = decide(quantity, taking)
    return tuple(
        AssetShare(asset.resource, asset.rated, tuple(_part(period, asset.resource, divided) for period in curves))
        for asset in sorted(taking, key=lambda asset: asset.resource)
    )


def _part(period: Period, resource: Identifier, divided: Mapping[Power, Mapping[Identifier, Power]]) -> Period:
    """One asset's curve: only the points where its own share changes, so that others' changes leave no trace (R36)."""
    points: list[Point] = []
    for point in period.points:
        watts = divided[point.quantity][resource]
        if not points or points[-1].quantity != watts:
            points.append(Point(point.position, watts))
    return Period(period.interval, period.resolution, tuple(points))
