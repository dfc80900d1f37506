"""A division told step by step, and computed anew from the log (R16, R17)."""

import msgspec
import pytest

from documents.values import Identifier, Interval, Point
from hub.brain import BrainSettings, HubBrain
from hub.events import LimitAnnounced
from hub.history.division import Division, Divisions
from hub.ports import Recorded
from hub.values import Direction
from tests.hub_world import ALPHA, BRAVO, HUB, NORTH, SECRET, SOUTH, World, asset, curve, span


@pytest.fixture
def world() -> World:
    """Alpha operates 30 and 10 kW, bravo 50 kW, all on north's grid; every asset produces."""
    world = World()
    world.claim(NORTH, "P1")
    for resource, operator, watts in (("R1", ALPHA, 30_000), ("R2", ALPHA, 10_000), ("R3", BRAVO, 50_000)):
        world.register(operator, resource, "P1", produces=watts)
    return world


def followed(world: World, mrid: str, *, dso: Identifier | None = None) -> Divisions:
    """The divisions of a limit, read from the world's log."""
    divisions = Divisions(HubBrain(BrainSettings(HUB, SECRET)), mrid, dso=dso)
    for recorded in world.log:
        divisions.take(recorded)
    return divisions


def division(world: World, mrid: str = "L1") -> Division:
    (found,) = followed(world, mrid).found
    return found


def falsify(world: World, **changed: object) -> None:
    """Write other content into the only division of the log, as somebody with the database in hand might."""
    (index,) = (i for i, recorded in enumerate(world.log) if isinstance(recorded.event, LimitAnnounced))
    recorded = world.log[index]
    event = msgspec.structs.replace(recorded.event, **changed)
    world.log[index] = Recorded(event, recorded.position, recorded.at, recorded.cause)


def announced(world: World) -> LimitAnnounced:
    (event,) = (recorded.event for recorded in world.log if isinstance(recorded.event, LimitAnnounced))
    return event


def test_r16_every_step_of_a_division_is_told_with_its_rounding(world: World) -> None:
    world.announce(NORTH, "L1", 1, ["R3", "R2", "R1"], 10_001)

    (series,) = division(world).series
    (divided,) = series.totals
    operators, alphas, bravos = divided.steps

    assert [(one.resource, one.operator, one.rated) for one in series.inputs] == [
        (asset("R1"), ALPHA, 30_000),
        (asset("R2"), ALPHA, 10_000),
        (asset("R3"), BRAVO, 50_000),
    ]
    assert (operators.over, operators.capacity, operators.weights) == (None, 10_001, 90_000)
    assert [(part.who, part.whole, part.remainder, part.share) for part in operators.parts] == [
        (ALPHA, 4444, 40_000 * 10_001 % 90_000, 4445),
        (BRAVO, 5556, 50_000 * 10_001 % 90_000, 5556),
    ]
    assert [(part.who, part.share) for part in alphas.parts] == [(asset("R1"), 3334), (asset("R2"), 1111)]
    assert [(part.who, part.share) for part in bravos.parts] == [(asset("R3"), 5556)]
    assert (divided.total, divided.expected) == (10_001, 10_001)


def test_a_division_as_the_hub_made_it_has_no_differences(world: World) -> None:
    world.announce(NORTH, "L1", 1, ["R1", "R2", "R3"], curve(10_001, 7, 0, 200_000, 7))

    found = division(world)

    assert found.differences == ()
    assert (found.policy, found.revision, found.direction) == ("rated-power.v1", 1, Direction.PRODUCTION)
    assert [(one.capacity, one.expected, len(one.holds)) for one in found.series[0].totals] == [
        (10_001, 10_001, 1),
        (7, 7, 2),
        (0, 0, 1),
        (200_000, 90_000, 1),
    ]


def test_when_a_total_holds_is_told_in_half_open_spans(world: World) -> None:
    world.announce(NORTH, "L1", 1, ["R1", "R3"], curve(5, 6, interval=span(1, 2)))

    first, second = division(world).series[0].totals

    assert first.holds == (Interval(span(1, 1.25).start, span(1, 1.25).end),)
    assert second.holds == (Interval(span(1.25, 2).start, span(1, 2).end),)


def test_r17_the_ratings_are_those_of_the_moment_whatever_came_later(world: World) -> None:
    world.announce(NORTH, "L1", 1, ["R1", "R3"], 8000)
    world.register(ALPHA, "R1", "P1", produces=1)
    world.hand_over("R3", ALPHA)

    found = division(world)

    assert [(one.operator, one.rated) for one in found.series[0].inputs] == [(ALPHA, 30_000), (BRAVO, 50_000)]
    assert found.differences == ()


def test_an_asset_without_rated_power_is_named_and_takes_no_part(world: World) -> None:
    world.register(BRAVO, "R4", "P1", consumes=9000)
    world.announce(NORTH, "L1", 1, ["R1", "R4"], 8000)

    found = division(world)

    assert [(one.resource, one.rated) for one in found.series[0].inputs] == [(asset("R1"), 30_000), (asset("R4"), 0)]
    assert [part.who for part in found.series[0].totals[0].steps[0].parts] == [ALPHA]
    assert found.differences == ()


def test_who_was_told_by_which_copy_is_named(world: World) -> None:
    world.announce(NORTH, "L1", 1, ["R1", "R3"], 8000)

    copy = world.copy(BRAVO)

    assert [(told.agr, told.revision) for told in division(world).told] == [(ALPHA, 1), (BRAVO, 1)]
    assert division(world).told[1].mrid == copy.mrid


def test_r18_whom_an_update_no_longer_concerns_is_named_as_cancelled(world: World) -> None:
    world.announce(NORTH, "L1", 1, ["R1", "R3"], 8000)
    world.announce(NORTH, "L1", 2, ["R1"], 8000)

    _, second = followed(world, "L1").found

    assert [(told.agr, told.revision, told.cancelled) for told in second.told] == [
        (ALPHA, 2, False),
        (BRAVO, 2, True),
    ]


def test_shares_that_were_changed_in_the_log_are_found(world: World) -> None:
    world.announce(NORTH, "L1", 1, ["R1", "R3"], 8000)
    first, second = announced(world).shares
    less = msgspec.structs.replace(first.periods[0], points=(Point(1, 2999),))
    falsify(world, shares=(msgspec.structs.replace(first, periods=(less,)), second))

    differences = division(world).differences

    assert differences == (
        "Asset R1 was given 2999 W from 2026-11-24T13:00Z; the policy gives 3000 W from 2026-11-24T13:00Z.",
        "Series s0 from 2026-11-24T13:00Z: the shares sum to 7999 W, 8000 W were to be divided.",
    )


def test_a_rating_that_is_not_that_of_the_log_is_found(world: World) -> None:
    world.announce(NORTH, "L1", 1, ["R1", "R3"], 8000)
    first, second = announced(world).shares
    falsify(world, shares=(msgspec.structs.replace(first, rated=29_000), second))

    assert division(world).differences == ("Asset R1 was weighed with 29000 W; by the log it was rated 30000 W.",)


def test_an_asset_counted_for_somebody_else_is_found(world: World) -> None:
    world.announce(NORTH, "L1", 1, ["R1", "R3"], 8000)
    falsify(world, operators=(BRAVO, BRAVO))

    assert division(world).differences == (
        "Asset R1 was counted for 45X-AGR-BRAVO--B; by the log 45X-AGR-ALPHA--N operated it.",
    )


def test_a_share_that_was_left_out_is_found(world: World) -> None:
    world.announce(NORTH, "L1", 1, ["R1", "R3"], 8000)
    event = announced(world)
    falsify(world, shares=event.shares[1:], operators=event.operators[1:])

    assert "Asset R1 was given nothing; the policy gives 3000 W from 2026-11-24T13:00Z." in division(world).differences


def test_a_policy_of_a_later_version_is_told_and_not_guessed(world: World) -> None:
    world.announce(NORTH, "L1", 1, ["R1", "R3"], 8000)
    falsify(world, policy="by-lot.v7")

    found = division(world)

    assert found.differences == (
        "Policy by-lot.v7 is not known to this version, so the shares were not computed anew.",
    )
    assert found.series[0].totals == ()


def test_every_revision_is_told_and_limits_of_other_operators_under_the_same_mrid_too(world: World) -> None:
    world.claim(SOUTH, "P2")
    world.register(BRAVO, "R5", "P2", produces=100)
    world.announce(NORTH, "L1", 1, ["R1", "R3"], 8000)
    world.announce(NORTH, "L1", 2, ["R1"], 8000)
    world.announce(SOUTH, "L1", 1, ["R5"], 8)

    assert [(one.dso, one.revision) for one in followed(world, "L1").found] == [(NORTH, 1), (NORTH, 2), (SOUTH, 1)]
    assert [one.dso for one in followed(world, "L1", dso=SOUTH).found] == [SOUTH]


def test_a_limit_is_found_by_the_copy_that_an_aggregator_holds(world: World) -> None:
    world.announce(NORTH, "L1", 1, ["R1", "R3"], 8000)
    copy = world.copy(BRAVO)

    divisions = followed(world, copy.mrid)

    assert divisions.found == []
    assert divisions.limit_of_copy() == (NORTH, "L1")
    assert followed(world, "nobody's").limit_of_copy() is None


def test_an_unforeseen_limit_divides_nothing(world: World) -> None:
    world.order(NORTH, "L1", 1, [("R1", None)])
    assert not followed(world, "L1").was_ordered, "refused as a whole"
    world.cancel(NORTH, "L2", 1)

    divisions = followed(world, "L2")

    assert divisions.found == []
    assert divisions.was_ordered
