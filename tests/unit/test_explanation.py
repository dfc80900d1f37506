"""What an aggregator is told about why its share is what it is, and what nobody can work out from it (R37)."""

from datetime import timedelta

import msgspec
import pytest

from documents.model import AssetReference, RefSeries, UnavailabilityMarketDocument, UnavailabilitySeries
from documents.values import Identifier, Interval, Period
from gateways.agr.bodies import LimitExplanation
from gateways.agr.explanation import explain
from hub.aggregates.fairness import RATED_POWER, Weighted, rated_power
from tests.gateway_bench import A1, A2, ALPHA, HUB, NOON, flat, identity

OTHER = Identifier("A01:45X-AGR-OTHER--1")
INTERVAL = Interval(NOON, NOON + timedelta(hours=2))


def limit(*periods: Period, asset: Identifier = A1, direction: str = "A76") -> UnavailabilityMarketDocument:
    """An aggregator's own copy of a limit, as the hub sends it."""
    series = UnavailabilitySeries(
        mrid="1", business_type="A53", interval=INTERVAL, assets=(AssetReference(asset),), periods=periods
    )
    return UnavailabilityMarketDocument(
        mrid="L1",
        revision=2,
        type=direction,
        created=NOON,
        sender=HUB,
        receiver=ALPHA,
        interval=INTERVAL,
        series=(series,),
    )


def registered(asset: Identifier = A1, *, produces: int | None = None, consumes: int | None = None) -> RefSeries:
    return RefSeries(
        resource=asset,
        owner=ALPHA.id,
        start_lifetime=NOON.date(),
        psr_type="A03",
        max_production=produces,
        max_consumption=consumes,
    )


def told(document: UnavailabilityMarketDocument, *assets: RefSeries) -> LimitExplanation:
    return explain(document, {asset.resource: asset for asset in assets}, identity(ALPHA))


def test_r37_an_explanation_shows_the_rule_and_own_values_only() -> None:
    explained = told(limit(flat(NOON, 1, 1500), flat(NOON + timedelta(hours=1), 1, 1000)), registered(consumes=4000))

    assert (explained.mrid, explained.revision) == ("L1", 2)
    (share,) = explained.shares
    assert (share.asset, share.rated, share.lowest, share.highest, share.ratio) == ("A1", 4000, 1000, 1500, "1000/4000")
    assert RATED_POWER in explained.rule
    assert "whole watts" in explained.rounding
    assert "%" not in repr(explained)


@pytest.mark.parametrize(("direction", "expected"), [("A80", 3000), ("A76", 4000), ("A53", 4000)])
def test_r16_rated_power_is_that_of_the_limited_direction(direction: str, expected: int) -> None:
    explained = told(limit(flat(NOON, 2, 1000), direction=direction), registered(produces=3000, consumes=4000))

    assert explained.shares[0].rated == expected


def test_an_asset_that_is_no_longer_mine_is_left_out() -> None:
    assert told(limit(flat(NOON, 2, 1000), asset=A2), registered(consumes=4000)).shares == ()


def test_an_order_divides_nothing_and_has_no_shares() -> None:
    assert told(limit(), registered(consumes=4000)).shares == ()


def share_of(rated: int, others: int, total: int) -> int:
    """What the hub gives my asset of a total that it divides with somebody else."""
    assets = [Weighted(A1, ALPHA.id, rated), Weighted(A2, OTHER, others)]
    return rated_power(total, assets)[A1]


def test_r37_the_total_cannot_be_reconstructed_from_an_explanation() -> None:
    grids = {4000: 2000, 12_000: 4000, 396_000: 100_000}
    shares = [share_of(4000, others, total) for others, total in grids.items()]
    assert set(shares) == {1000}, "three very different totals give the same share"

    explanations = {
        msgspec.json.encode(told(limit(flat(NOON, 2, watts)), registered(consumes=4000))) for watts in shares
    }

    assert len(explanations) == 1, "and the same explanation, so nothing in it tells them apart"


def test_r37_an_attacker_who_has_the_whole_explanation_is_left_with_every_total() -> None:
    (share,) = told(limit(flat(NOON, 2, 1000)), registered(consumes=4000)).shares

    grids = range(1, 1001)
    possible = {
        others
        for others in grids
        for total in range((4000 + others) * share.lowest // share.rated - 2, (4000 + others) * 1000 // 4000 + 3)
        if share_of(share.rated, others, total) == share.lowest
    }

    assert possible == set(grids)
