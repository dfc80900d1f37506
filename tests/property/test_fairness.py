"""The laws of sharing (R16): exact sums, no dependence on order, nobody above its weight, close to proportion."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from documents.values import Identifier
from hub.aggregates.fairness import POLICIES, RATED_POWER, Weighted, rated_power, share
from hub.history.division import STEPS, shares_of

WATTS = st.integers(0, 10**9)
WEIGHTS = st.dictionaries(st.text("abcdef0123", min_size=1, max_size=4), WATTS, min_size=1, max_size=12).filter(
    lambda weights: any(weights.values())
)
ASSETS = st.lists(
    st.builds(
        Weighted,
        resource=st.integers(0, 99).map(lambda number: Identifier(f"NDK:asset{number}")),
        operator=st.sampled_from([Identifier(f"A01:agr{letter}") for letter in "abcd"]),
        rated=WATTS,
    ),
    min_size=1,
    max_size=20,
    unique_by=lambda asset: asset.resource,
).filter(lambda assets: any(asset.rated for asset in assets))


@given(WATTS, WEIGHTS)
def test_r16_shares_sum_exactly_and_nobody_exceeds_its_weight(capacity: int, weights: dict[str, int]) -> None:
    shares = share(capacity, weights)

    assert set(shares) == set(weights)
    assert sum(shares.values()) == min(capacity, sum(weights.values()))
    assert all(0 <= shares[key] <= weights[key] for key in weights)


@given(WATTS, WEIGHTS, st.randoms(use_true_random=False))
def test_r16_shares_do_not_depend_on_order(capacity: int, weights: dict[str, int], random: Random) -> None:
    shuffled = list(weights.items())
    random.shuffle(shuffled)

    assert share(capacity, dict(shuffled)) == share(capacity, weights)


@given(WATTS, WEIGHTS)
def test_r16_a_share_is_within_one_watt_of_the_proportion(capacity: int, weights: dict[str, int]) -> None:
    total = sum(weights.values())
    divided = min(capacity, total)

    for key, watts in share(capacity, weights).items():
        assert abs(watts * total - divided * weights[key]) < total


@given(WATTS, WEIGHTS)
def test_r16_a_larger_weight_never_gets_less_and_ties_go_to_the_smaller_id(
    capacity: int, weights: dict[str, int]
) -> None:
    shares = share(capacity, weights)
    ordered = sorted(weights, key=lambda key: (-weights[key], key))

    assert [shares[key] for key in ordered] == sorted(shares.values(), reverse=True)


@given(WATTS, ASSETS)
def test_r16_two_levels_sum_exactly_and_stay_within_two_watts(capacity: int, assets: list[Weighted]) -> None:
    shares = rated_power(capacity, assets)
    total = sum(asset.rated for asset in assets)

    assert sum(shares.values()) == min(capacity, total)
    for asset in assets:
        watts = shares.get(asset.resource, 0)
        assert 0 <= watts <= asset.rated
        assert abs(watts * total - min(capacity, total) * asset.rated) < 2 * total


@given(WATTS, ASSETS)
def test_r16_an_operators_sum_does_not_depend_on_how_its_portfolio_is_cut(
    capacity: int, assets: list[Weighted]
) -> None:
    pooled: dict[Identifier, int] = {}
    for asset in assets:
        pooled[asset.operator] = pooled.get(asset.operator, 0) + asset.rated

    shares = rated_power(capacity, assets)

    sums = dict.fromkeys(pooled, 0)
    for asset in assets:
        sums[asset.operator] += shares.get(asset.resource, 0)
    assert sums == share(capacity, pooled)


@given(WATTS, ASSETS, st.randoms(use_true_random=False))
def test_r16_two_levels_do_not_depend_on_order(capacity: int, assets: list[Weighted], random: Random) -> None:
    shuffled = list(assets)
    random.shuffle(shuffled)

    assert rated_power(capacity, shuffled) == rated_power(capacity, assets)


@given(WATTS, ASSETS)
def test_r16_the_steps_an_auditor_is_told_end_in_the_shares_of_the_policy(
    capacity: int, assets: list[Weighted]
) -> None:
    taking = [asset for asset in assets if asset.rated]

    assert shares_of(STEPS[RATED_POWER](capacity, taking)) == rated_power(capacity, taking)


def test_every_policy_can_be_told_step_by_step() -> None:
    assert STEPS.keys() == POLICIES.keys()
