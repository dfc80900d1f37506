"""The arithmetic of sharing, by example (R16). The laws it obeys stand in tests/property/test_fairness.py."""

import pytest

from documents.values import Identifier, Period
from hub.aggregates.fairness import POLICIES, RATED_POWER, Weighted, divide, rated_power, share
from tests.hub_world import curve, flat

A, B = Identifier("A01:agr-a"), Identifier("A01:agr-b")


def weighted(name: str, operator: Identifier, rated: int) -> Weighted:
    return Weighted(Identifier(name), operator, rated)


def test_r16_a_total_is_divided_in_proportion_to_rated_power() -> None:
    assert share(600, {"x": 1000, "y": 2000}) == {"x": 200, "y": 400}


def test_r16_enough_for_all_gives_each_its_rated_power() -> None:
    assert share(9999, {"x": 1000, "y": 2000}) == {"x": 1000, "y": 2000}


def test_r16_the_watts_lost_to_rounding_go_to_the_largest_remainders() -> None:
    assert share(10, {"x": 1, "y": 1, "z": 4}) == {"x": 1, "y": 1, "z": 4}
    assert share(5, {"x": 1, "y": 2, "z": 4}) == {"x": 1, "y": 1, "z": 3}


def test_r16_ties_go_to_the_smaller_id() -> None:
    assert share(1, {"z": 5, "b": 5, "a": 5}) == {"a": 1, "b": 0, "z": 0}


def test_r16_the_division_is_first_over_operators_then_over_assets() -> None:
    assets = [weighted("1", A, 1), weighted("2", A, 1), weighted("3", A, 1), weighted("4", B, 3)]

    # Over assets alone the tie would go to 1, 2 and 3; between the operators 3 W are 1.5 each, and the odd one is A's.
    assert rated_power(3, assets) == {"1": 1, "2": 1, "3": 0, "4": 1}


def test_r16_an_operator_with_no_rated_power_at_all_takes_no_part() -> None:
    assert rated_power(5, [weighted("1", A, 0), weighted("2", B, 10)]) == {"2": 5}


@pytest.mark.parametrize(("capacity", "weights"), [(-1, {"x": 1}), (1, {"x": -1, "y": 5}), (1, {"x": 0}), (1, {})])
def test_r16_what_cannot_be_divided_is_an_error(capacity: int, weights: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"watts|positive"):
        share(capacity, weights)


def test_r16_the_policy_is_named_and_versioned() -> None:
    assert RATED_POWER == "rated-power.v1"
    assert POLICIES[RATED_POWER] is rated_power


def test_r16_a_curve_is_divided_at_every_instant() -> None:
    first, second = divide(RATED_POWER, curve(3, 9, 9, 0), [weighted("2", B, 8), weighted("1", A, 4)])

    assert (first.resource, second.resource) == ("1", "2")
    assert [(point.position, point.quantity) for point in first.periods[0].points] == [(1, 1), (2, 3), (4, 0)]
    assert [(point.position, point.quantity) for point in second.periods[0].points] == [(1, 2), (2, 6), (4, 0)]


def test_the_shape_of_the_curve_is_kept() -> None:
    first, second = flat(10)[0], curve(1, 2)[0]

    (part,) = divide(RATED_POWER, (first, second), [weighted("1", A, 100)])

    assert part.periods == (first, Period(second.interval, second.resolution, second.points))
