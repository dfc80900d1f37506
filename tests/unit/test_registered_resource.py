"""Registration of assets (R2-R7, R9, R10)."""

from datetime import timedelta

import pytest

from documents.model import Fault
from documents.values import Identifier
from hub.aggregates.holder_conflict import CONFLICTS_PER_HOUR
from hub.commands import ReassignResource, RegisterResources, ResourceItem
from hub.errors import Rejected
from hub.events import HolderConflictNoted, ResourceRegistered
from hub.ports import OPERATOR
from hub.rows import AGR_ASSETS, ALARMS, DSO_ASSETS, DSO_SCHEDULES, DsoAsset
from hub.values import Capability
from tests.hub_world import (
    ALPHA,
    BRAVO,
    CHARLIE,
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
    world.claim(SOUTH, "s1")
    return world


def item(name: str, owner: Identifier = ALPHA, **content: object) -> ResourceItem:
    wanted = {"point": point("n1"), "capability": Capability(1000, 0)} | content
    return ResourceItem(resource=asset(name), owner=owner, **wanted)  # type: ignore[arg-type] # fields by name


def assets_of(world: World, dso: Identifier) -> list[str]:
    return sorted(world.current(DSO_ASSETS, dso))


def test_r3_each_asset_is_judged_by_itself(world: World) -> None:
    items = (item("good"), item("bad", capability=Capability(0, 0)), item("fine"))

    events = world.do(RegisterResources(origin=world.origin(ALPHA), items=items))

    assert codes_of(events) == ["A03", "A42"]
    assert [rejected.mrid for rejected in verdict_of(events).rejected] == ["bad"]
    assert assets_of(world, NORTH) == [asset("fine"), asset("good")]


def test_r3_nothing_accepted_is_a_refusal(world: World) -> None:
    events = world.do(RegisterResources(origin=world.origin(ALPHA), items=(item("bad", point=None),)))

    assert codes_of(events) == ["A02", "A69"]


def test_r3_findings_of_the_reader_refuse_their_series_only(world: World) -> None:
    faulty = item("odd", faults=(Fault("A42", "12.3456 KWT is no whole watt"),))

    events = world.do(RegisterResources(origin=world.origin(ALPHA), items=(faulty, item("good"))))

    assert codes_of(events) == ["A03", "A42"]
    assert "whole watt" in texts_of(events)


def test_an_asset_named_twice_counts_once(world: World) -> None:
    items = (item("twice"), item("twice", capability=Capability(5, 5)))

    events = world.do(RegisterResources(origin=world.origin(ALPHA), items=items))

    assert codes_of(events) == ["A03", "A55"]
    assert world.current(DSO_ASSETS, NORTH)[asset("twice")].capability == Capability(1000, 0)


def test_r2_an_owner_that_is_not_the_sender_is_refused(world: World) -> None:
    events = world.do(RegisterResources(origin=world.origin(ALPHA), items=(item("a1", owner=BRAVO),)))

    assert codes_of(events) == ["A02", "A78"]


def test_r4_an_asset_may_come_before_its_point_and_appears_with_it(world: World) -> None:
    early = world.register(ALPHA, "a1", "later", produces=10)
    late = world.register(ALPHA, "a2", "n1", produces=10)
    before = assets_of(world, NORTH)
    world.claim(NORTH, "later")

    assert before == [asset("a2")]
    assert (codes_of(early), verdict_of(early).rejected) == (codes_of(late), verdict_of(late).rejected)
    assert assets_of(world, NORTH) == [asset("a1"), asset("a2")]


def test_r4_a_brp_may_operate_assets_itself(world: World) -> None:
    assert codes_of(world.register(CHARLIE, "c1", "n1", produces=10)) == ["A01"]


def test_r5_a_held_asset_is_refused_without_naming_its_holder(world: World) -> None:
    world.register(ALPHA, "a1", "n1", produces=10)

    events = world.register(BRAVO, "a1", "n1", produces=10)

    assert codes_of(events) == ["A02", "A55"]
    assert "another participant" in texts_of(events)
    assert "ALPHA" not in texts_of(events)
    assert [event.participant for event in events if isinstance(event, HolderConflictNoted)] == [BRAVO]
    assert len(world.current(ALARMS, OPERATOR)) == 1


def test_r5_after_many_conflicts_held_and_free_assets_are_refused_alike(world: World) -> None:
    names = [f"held{number}" for number in range(CONFLICTS_PER_HOUR + 1)]
    world.register(BRAVO, "own", "n1", produces=10)
    for name in names:
        world.register(ALPHA, name, "n1", produces=10)
    for name in names[:-1]:
        world.register(BRAVO, name, "n1", produces=10)

    held = world.register(BRAVO, names[-1], "n1", produces=10)
    free = world.register(BRAVO, "free", "n1", produces=10)
    own = world.register(BRAVO, "own", "n1", produces=11)

    assert codes_of(held) == codes_of(free) == ["A02", "A57"]
    assert texts_of(held).replace(names[-1], "free") == texts_of(free)
    assert codes_of(own) == ["A01"]
    assert not any(isinstance(event, HolderConflictNoted) for event in held)


def test_r5_the_ration_holds_within_one_document_and_ends_with_the_hour(world: World) -> None:
    names = [f"held{number}" for number in range(CONFLICTS_PER_HOUR + 5)]
    for name in names:
        world.register(ALPHA, name, "n1", produces=10)

    items = tuple(item(name, owner=BRAVO) for name in names)
    events = world.do(RegisterResources(origin=world.origin(BRAVO), items=items))
    world.now = NOON + timedelta(hours=1)
    later = world.register(BRAVO, "free", "n1", produces=10)

    assert codes_of(events).count("A55") == CONFLICTS_PER_HOUR
    assert codes_of(events).count("A57") == 5
    assert codes_of(later) == ["A01"]


def test_r6_a_reassigned_asset_stays_where_it_is_for_the_dso(world: World) -> None:
    world.register(ALPHA, "a1", "n1", produces=10)
    said = len(world.feed(DSO_ASSETS, NORTH))

    world.hand_over("a1", BRAVO)

    assert len(world.feed(DSO_ASSETS, NORTH)) == said, "a change of operator tells a DSO nothing"
    assert world.current(AGR_ASSETS, ALPHA) == {}
    assert list(world.current(AGR_ASSETS, BRAVO)) == [asset("a1")]
    assert codes_of(world.register(BRAVO, "a1", "n1", produces=20)) == ["A01"]
    assert codes_of(world.register(ALPHA, "a1", "n1", produces=20)) == ["A02", "A55"]


def test_r6_the_old_operators_schedules_are_withdrawn_at_the_dso(world: World) -> None:
    world.register(ALPHA, "a1", "n1", produces=1000)
    world.plan(ALPHA, "plan", 1, {"a1": 500})

    world.hand_over("a1", BRAVO)

    (schedule,) = world.current(DSO_SCHEDULES, NORTH).values()
    assert schedule.withdrawn
    assert codes_of(world.plan(BRAVO, "mine", 1, {"a1": 600})) == ["A01"]
    assert codes_of(world.plan(ALPHA, "plan", 2, {"a1": 500})) == ["A02", "A64"]


def test_r6_remove_followed_by_register_ends_in_the_same_state() -> None:
    def told(world: World) -> list[object]:
        world.claim(NORTH, "n1")
        world.register(ALPHA, "a1", "n1", produces=1000)
        world.plan(ALPHA, "plan", 1, {"a1": 500})
        world.announce(NORTH, "limit", 1, ["a1"], 100)
        return []

    at_once, in_two_steps = World(), World()
    told(at_once)
    told(in_two_steps)
    at_once.hand_over("a1", BRAVO)
    in_two_steps.unregister(ALPHA, "a1")
    in_two_steps.register(BRAVO, "a1", "n1", produces=1000)

    for view, audience in ((DSO_ASSETS, NORTH), (DSO_SCHEDULES, NORTH), (AGR_ASSETS, ALPHA), (AGR_ASSETS, BRAVO)):
        assert at_once.current(view, audience) == in_two_steps.current(view, audience)
    assert at_once.copy(ALPHA) == in_two_steps.copy(ALPHA)
    assert at_once.copy(BRAVO) == in_two_steps.copy(BRAVO)


@pytest.mark.parametrize(("resource", "to"), [("a1", NORTH), ("nothing", BRAVO), ("a1", Identifier("A01:unknown"))])
def test_r6_a_handover_that_cannot_be_is_refused(world: World, resource: str, to: Identifier) -> None:
    world.register(ALPHA, "a1", "n1", produces=10)

    with pytest.raises(Rejected):
        world.do(ReassignResource(resource=asset(resource), to=to, why="sold", by="ops"))


def test_r7_moving_within_a_dso_is_one_change_of_the_list(world: World) -> None:
    world.register(ALPHA, "a1", "n1", produces=10)
    said = len(world.feed(DSO_ASSETS, NORTH))

    world.register(ALPHA, "a1", "n2", produces=10)

    (row,) = world.feed(DSO_ASSETS, NORTH)[said:]
    assert row.group == point("n2")
    assert row.payload.point == point("n2")


def test_r7_moving_to_another_dso_takes_future_schedules_along(world: World) -> None:
    world.register(ALPHA, "a1", "n1", produces=1000)
    world.plan(ALPHA, "over", 1, {"a1": 100}, interval=span(0, 1))
    world.plan(ALPHA, "ahead", 1, {"a1": 500}, interval=span(5, 6))
    world.now = span(2, 3).start

    world.register(ALPHA, "a1", "s1", produces=1000)

    assert assets_of(world, NORTH) == []
    assert assets_of(world, SOUTH) == [asset("a1")]
    north = world.current(DSO_SCHEDULES, NORTH).values()
    assert [schedule.withdrawn for schedule in north] == [False, True], "what is over stays history"
    (south,) = world.current(DSO_SCHEDULES, SOUTH).values()
    assert south.periods == flat(500, span(5, 6))
    assert south.series not in world.current(DSO_SCHEDULES, NORTH), "two DSOs cannot compare notes"


def test_r7_moving_to_an_unclaimed_point_shows_the_asset_to_nobody(world: World) -> None:
    world.register(ALPHA, "a1", "n1", produces=1000)
    world.plan(ALPHA, "plan", 1, {"a1": 500})

    world.register(ALPHA, "a1", "nobody's", produces=1000)

    assert assets_of(world, NORTH) == assets_of(world, SOUTH) == []
    assert [schedule.withdrawn for schedule in world.current(DSO_SCHEDULES, NORTH).values()] == [True]


def test_r9_ratings_are_visible_to_the_dso_and_the_operator_is_not(world: World) -> None:
    world.register(ALPHA, "a1", "n1", produces=10, consumes=20)

    (seen,) = world.current(DSO_ASSETS, NORTH).values()
    assert seen == DsoAsset(
        resource=asset("a1"), point=point("n1"), capability=Capability(10, 20), psr_type="A03", voltage="0"
    )
    assert "ALPHA" not in repr(world.feed(DSO_ASSETS, NORTH))


@pytest.mark.parametrize("capability", [Capability(0, 0), Capability(-1, 5), Capability(5, -1)])
def test_r9_at_least_one_rating_is_positive_and_none_negative(world: World, capability: Capability) -> None:
    events = world.do(RegisterResources(origin=world.origin(ALPHA), items=(item("a1", capability=capability),)))

    assert codes_of(events) == ["A02", "A42"]


def test_r10_an_older_document_changes_nothing(world: World) -> None:
    world.register(ALPHA, "a1", "n1", produces=10, created=NOON)

    events = world.register(ALPHA, "a1", "n1", produces=99, created=NOON - timedelta(seconds=1))

    assert codes_of(events) == ["A02", "A51"]
    assert world.current(DSO_ASSETS, NORTH)[asset("a1")].capability == Capability(10, 0)


def test_r10_an_equally_old_document_is_fine_when_it_says_the_same(world: World) -> None:
    world.register(ALPHA, "a1", "n1", produces=10, created=NOON)

    same = world.register(ALPHA, "a1", "n1", produces=10, created=NOON)
    other = world.register(ALPHA, "a1", "n1", produces=99, created=NOON)

    assert codes_of(same) == ["A01"]
    assert not any(isinstance(event, ResourceRegistered) for event in same)
    assert codes_of(other) == ["A02", "A51"]


def test_r10_a_late_old_document_does_not_resurrect_a_removed_asset(world: World) -> None:
    world.register(ALPHA, "a1", "n1", produces=10, created=NOON)
    world.unregister(ALPHA, "a1", created=NOON + timedelta(seconds=5))

    late = world.register(ALPHA, "a1", "n1", produces=10, created=NOON + timedelta(seconds=3))
    newer = world.register(ALPHA, "a1", "n1", produces=10, created=NOON + timedelta(seconds=6))

    assert codes_of(late) == ["A02", "A51"]
    assert codes_of(newer) == ["A01"]


def test_r10_confirming_what_is_known_still_moves_the_order_on(world: World) -> None:
    world.register(ALPHA, "a1", "n1", produces=10, created=NOON)
    world.register(ALPHA, "a1", "n1", produces=10, created=NOON + timedelta(seconds=5))

    late = world.unregister(ALPHA, "a1", created=NOON + timedelta(seconds=3))

    assert codes_of(late) == ["A02", "A51"]


def test_registering_the_same_again_tells_nobody_anything(world: World) -> None:
    world.register(ALPHA, "a1", "n1", produces=10)
    said = len(world.feed(DSO_ASSETS, NORTH)) + len(world.feed(AGR_ASSETS, ALPHA))

    world.register(ALPHA, "a1", "n1", produces=10)

    assert len(world.feed(DSO_ASSETS, NORTH)) + len(world.feed(AGR_ASSETS, ALPHA)) == said


@pytest.mark.parametrize("name", ["unknown", "foreign"])
def test_removing_and_changing_what_is_not_ones_own_reads_as_unknown(world: World, name: str) -> None:
    world.register(BRAVO, "foreign", "n1", produces=10)

    removed = world.unregister(ALPHA, name)
    changed = world.register(ALPHA, name, "n1", produces=5, process="A37")

    assert codes_of(removed) == codes_of(changed) == ["A02", "A64"]
    assert f"Asset {name} is not registered for you" in texts_of(removed)
    assert texts_of(removed) == texts_of(changed)


def test_r34_a_change_needs_no_more_than_an_existing_asset(world: World) -> None:
    world.register(ALPHA, "a1", "n1", produces=10)

    assert codes_of(world.register(ALPHA, "a1", "n1", produces=5, process="A37")) == ["A01"]


def test_a_removed_asset_leaves_every_list_with_its_schedules(world: World) -> None:
    world.register(ALPHA, "a1", "n1", produces=1000)
    world.plan(ALPHA, "plan", 1, {"a1": 500})

    world.unregister(ALPHA, "a1")

    assert world.current(DSO_ASSETS, NORTH) == {}
    assert world.current(AGR_ASSETS, ALPHA) == {}
    assert [schedule.withdrawn for schedule in world.current(DSO_SCHEDULES, NORTH).values()] == [True]
