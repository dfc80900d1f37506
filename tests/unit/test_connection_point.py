"""Connection points (R4, R5, R6, R8, R10)."""

from datetime import timedelta

import pytest

from documents.values import Identifier
from hub.commands import PointItem, ReassignPoint, RegisterPoints
from hub.errors import Rejected
from hub.rows import DSO_ASSETS, DSO_SCHEDULES
from hub.values import Action
from tests.hub_world import (
    ALPHA,
    BRAVO,
    NOON,
    NORTH,
    SOUTH,
    World,
    asset,
    codes_of,
    flat,
    point,
    span,
    texts_of,
    verdict_of,
)


@pytest.fixture
def world() -> World:
    world = World()
    world.claim(NORTH, "n1", "n2")
    world.register(ALPHA, "a1", "n1", produces=1000)
    world.register(BRAVO, "b1", "n1", produces=1000)
    return world


def test_r3_each_point_is_judged_by_itself(world: World) -> None:
    events = world.claim(SOUTH, "s1", "n1")

    assert codes_of(events) == ["A03", "A55"]
    assert [rejected.mrid for rejected in verdict_of(events).rejected] == ["n1"]


def test_r2_a_point_is_owned_by_its_sender(world: World) -> None:
    items = (PointItem(point=point("s1"), owner=NORTH),)

    assert codes_of(world.do(RegisterPoints(origin=world.origin(SOUTH), items=items))) == ["A02", "A78"]


def test_r5_a_held_point_is_refused_without_naming_its_holder(world: World) -> None:
    events = world.claim(SOUTH, "n1")

    assert codes_of(events) == ["A02", "A55"]
    assert "5790000000005" not in texts_of(events)


def test_r8_a_point_under_a_live_limit_of_its_dso_cannot_be_removed(world: World) -> None:
    world.announce(NORTH, "works", 1, ["a1"], 100)

    events = world.unclaim(NORTH, "n1")

    assert codes_of(events) == ["A02", "A59"]
    assert "works" in texts_of(events)
    assert len(world.current(DSO_ASSETS, NORTH)) == 2


@pytest.mark.parametrize("end", ["cancelled", "ended"])
def test_r8_when_the_limit_is_over_the_point_may_go(world: World, end: str) -> None:
    world.order(NORTH, "fire", 1, [("a1", Action.STOP)])
    if end == "cancelled":
        world.cancel(NORTH, "fire", 2)
    else:
        world.now = span(0, 2).end

    assert codes_of(world.unclaim(NORTH, "n1")) == ["A01"]


def test_r8_an_asset_that_an_update_let_go_holds_its_point_no_longer(world: World) -> None:
    world.register(ALPHA, "a2", "n2", produces=1000)
    world.announce(NORTH, "works", 1, ["a1", "a2"], 100)
    world.announce(NORTH, "works", 2, ["a2"], 100)

    assert codes_of(world.unclaim(NORTH, "n1")) == ["A01"]


def test_r8_another_dsos_limit_on_an_asset_that_moved_here_does_not_matter(world: World) -> None:
    world.claim(SOUTH, "s1")
    world.register(ALPHA, "a2", "s1", produces=1000)
    world.announce(SOUTH, "south's", 1, ["a2"], 100)
    world.register(ALPHA, "a2", "n2", produces=1000)

    assert codes_of(world.unclaim(NORTH, "n2")) == ["A01"]


def test_r8_assets_of_a_removed_point_return_with_it_schedules_included(world: World) -> None:
    world.plan(ALPHA, "plan", 1, {"a1": 500}, interval=span(5, 6))
    before = world.current(DSO_SCHEDULES, NORTH)

    world.unclaim(NORTH, "n1")
    gone = world.current(DSO_ASSETS, NORTH), [one.withdrawn for one in world.current(DSO_SCHEDULES, NORTH).values()]
    world.claim(NORTH, "n1")

    assert gone == ({}, [True])
    assert sorted(world.current(DSO_ASSETS, NORTH)) == [asset("a1"), asset("b1")]
    assert world.current(DSO_SCHEDULES, NORTH) == before


def test_r8_another_dso_that_claims_the_point_gets_its_assets_and_future_schedules(world: World) -> None:
    world.plan(ALPHA, "plan", 1, {"a1": 500}, interval=span(5, 6))
    world.unclaim(NORTH, "n1")

    world.claim(SOUTH, "n1")

    assert sorted(world.current(DSO_ASSETS, SOUTH)) == [asset("a1"), asset("b1")]
    (schedule,) = world.current(DSO_SCHEDULES, SOUTH).values()
    assert schedule.periods == flat(500, span(5, 6))


def test_r6_a_reassigned_point_moves_its_assets_without_a_gap(world: World) -> None:
    world.hand_over_point("n1", SOUTH)

    assert world.current(DSO_ASSETS, NORTH) == {}
    assert sorted(world.current(DSO_ASSETS, SOUTH)) == [asset("a1"), asset("b1")]
    assert codes_of(world.claim(NORTH, "n1")) == ["A02", "A55"]
    assert codes_of(world.announce(SOUTH, "limit", 1, ["a1"])) == ["A01"]


@pytest.mark.parametrize(("name", "to"), [("n1", ALPHA), ("nowhere", SOUTH), ("n1", Identifier("A01:unknown"))])
def test_r6_a_point_is_handed_over_to_a_dso_only(world: World, name: str, to: Identifier) -> None:
    with pytest.raises(Rejected):
        world.do(ReassignPoint(point=point(name), to=to, why="border", by="ops"))


def test_r10_a_late_old_document_does_not_resurrect_a_removed_point(world: World) -> None:
    world.unclaim(NORTH, "n2", created=NOON)

    assert codes_of(world.claim(NORTH, "n2", created=NOON - timedelta(seconds=1))) == ["A02", "A51"]


@pytest.mark.parametrize("name", ["unknown", "foreign"])
def test_removing_what_is_not_ones_own_reads_as_unknown(world: World, name: str) -> None:
    world.claim(SOUTH, "foreign")

    assert codes_of(world.unclaim(NORTH, name)) == ["A02", "A64"]


def test_claiming_again_tells_the_dso_nothing_new(world: World) -> None:
    said = len(world.feed(DSO_ASSETS, NORTH))

    assert codes_of(world.claim(NORTH, "n1")) == ["A01"]

    assert len(world.feed(DSO_ASSETS, NORTH)) == said


def test_a_point_without_assets_may_go(world: World) -> None:
    assert codes_of(world.unclaim(NORTH, "n2")) == ["A01"]
