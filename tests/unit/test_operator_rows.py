"""What the operator of the platform has rows of: assets, points, plans, and what limits say (F3)."""

import pytest

from documents.packing import packed
from documents.values import Identifier
from hub.ports import OPERATOR
from hub.rows import (
    LIMIT_CONTENTS,
    OPERATOR_ASSETS,
    OPERATOR_POINTS,
    OPERATOR_SCHEDULES,
    LimitContent,
    LimitTotal,
    OperatorAsset,
    OperatorPoint,
    OperatorSchedule,
)
from hub.values import Action, AssetOrder, AssetShare, Capability, Direction
from tests.hub_world import ALPHA, BRAVO, NORTH, SOUTH, World, asset, flat, point, span


@pytest.fixture
def world() -> World:
    world = World()
    world.claim(NORTH, "p1")
    world.register(ALPHA, "a1", "p1", produces=3000, consumes=1000)
    world.register(BRAVO, "a2", "p1", produces=1000)
    return world


def held(world: World, name: str) -> tuple[Identifier, Identifier | None]:
    row = world.current(OPERATOR_ASSETS, OPERATOR)[asset(name)]
    assert isinstance(row, OperatorAsset)
    return row.operator, row.dso


def test_an_asset_is_shown_with_its_operator_point_and_grid(world: World) -> None:
    assert world.current(OPERATOR_ASSETS, OPERATOR)[asset("a1")] == OperatorAsset(
        resource=asset("a1"), operator=ALPHA, point=point("p1"), dso=NORTH, capability=Capability(3000, 1000)
    )


def test_an_asset_may_stand_where_nobody_holds_the_point_and_joins_the_grid_with_it(world: World) -> None:
    world.register(ALPHA, "a3", "p3", produces=5)
    assert held(world, "a3") == (ALPHA, None)

    world.claim(SOUTH, "p3")

    assert held(world, "a3") == (ALPHA, SOUTH)


def test_a_point_handed_over_takes_its_assets_along(world: World) -> None:
    world.hand_over_point("p1", SOUTH)

    assert held(world, "a1") == (ALPHA, SOUTH)
    assert world.current(OPERATOR_POINTS, OPERATOR)[point("p1")] == OperatorPoint(
        point=point("p1"), dso=SOUTH, psr_type="A11", voltage="0"
    )


def test_what_is_given_up_is_gone(world: World) -> None:
    world.unregister(ALPHA, "a1")
    world.unclaim(NORTH, "p1")

    assert list(world.current(OPERATOR_ASSETS, OPERATOR)) == [asset("a2")]
    assert held(world, "a2") == (BRAVO, None)
    assert world.current(OPERATOR_POINTS, OPERATOR) == {}


def test_a_registration_that_says_the_same_leaves_no_row(world: World) -> None:
    before = len(world.feed(OPERATOR_ASSETS, OPERATOR))

    world.register(BRAVO, "a2", "p1", produces=1000)

    assert len(world.feed(OPERATOR_ASSETS, OPERATOR)) == before


def test_a_plan_is_shown_with_whose_it_is_until_it_is_withdrawn(world: World) -> None:
    world.plan(ALPHA, "plan", 1, {"a1": 700})
    (plan,) = world.current(OPERATOR_SCHEDULES, OPERATOR).values()
    assert plan == OperatorSchedule(
        operator=ALPHA, mrid="plan", revision=1, resource=asset("a1"), curve=packed(flat(700))
    )
    assert world.feed(OPERATOR_SCHEDULES, OPERATOR)[0].valid == span()

    world.plan(ALPHA, "plan", 2, {"a1": None})

    assert world.current(OPERATOR_SCHEDULES, OPERATOR) == {}


def test_the_plans_of_an_asset_end_with_its_operator(world: World) -> None:
    world.plan(ALPHA, "plan", 1, {"a1": 700})

    world.hand_over("a1", BRAVO)

    assert world.current(OPERATOR_SCHEDULES, OPERATOR) == {}
    assert held(world, "a1") == (BRAVO, NORTH)


def test_a_foreseen_limit_is_shown_with_its_totals_and_everybodys_share(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1", "a2"], 2000)

    (content,) = world.current(LIMIT_CONTENTS, OPERATOR).values()

    assert isinstance(content, LimitContent)
    assert content.totals == (LimitTotal(assets=(asset("a1"), asset("a2")), periods=flat(2000)),)
    assert content.shares == (
        AssetShare(asset("a1"), 3000, flat(1500)),
        AssetShare(asset("a2"), 1000, flat(500)),
    )
    assert (content.dso, content.revision, content.direction) == (NORTH, 1, Direction.PRODUCTION)


def test_an_unforeseen_limit_is_shown_with_its_orders_at_its_last_revision(world: World) -> None:
    world.order(NORTH, "fault", 1, [("a1", Action.STOP)])
    world.order(NORTH, "fault", 2, [("a1", Action.HOLD), ("a2", Action.STOP)])

    (content,) = world.current(LIMIT_CONTENTS, OPERATOR).values()

    assert content.orders == (AssetOrder(asset("a1"), Action.HOLD), AssetOrder(asset("a2"), Action.STOP))
    assert content.revision == 2


def test_a_cancel_leaves_what_was_said(world: World) -> None:
    world.order(NORTH, "fault", 1, [("a1", Action.STOP)])

    world.cancel(NORTH, "fault", 2)

    assert len(world.feed(LIMIT_CONTENTS, OPERATOR)) == 1
