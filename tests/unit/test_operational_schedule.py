"""Schedules from the operator's document to the DSO's list (R3, R20, R23-R25)."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.model import Fault
from documents.values import Identifier, Interval, Period, Point
from hub.aggregates.operational_schedule import first_met
from hub.commands import ScheduleItem, SubmitSchedules
from hub.rows import DSO_SCHEDULES
from tests.hub_world import (
    ALPHA,
    BRAVO,
    NOON,
    NORTH,
    QUARTER,
    SOUTH,
    World,
    asset,
    codes_of,
    curve,
    flat,
    span,
    texts_of,
    verdict_of,
)
from tests.steps import steps_of


@pytest.fixture
def world() -> World:
    return founded()


def founded() -> World:
    """Two grids, three assets of two operators."""
    world = World()
    world.claim(NORTH, "n1")
    world.claim(SOUTH, "s1")
    world.register(ALPHA, "a1", "n1", produces=1000, consumes=400)
    world.register(ALPHA, "a2", "s1", produces=1000)
    world.register(BRAVO, "b1", "n1", consumes=700)
    return world


def test_r25_a_plan_reaches_the_dso_with_its_signs_and_without_its_operator(world: World) -> None:
    assert codes_of(world.plan(ALPHA, "plan", 1, {"a1": curve(1000, -400, 0)})) == ["A01"]

    (row,) = world.feed(DSO_SCHEDULES, NORTH)
    assert row.payload.periods == curve(1000, -400, 0)
    assert (row.group, row.valid, row.send) == (asset("a1"), span(), None)
    assert row.key == row.payload.series
    assert "ALPHA" not in repr(row)
    assert "plan" not in row.key


def test_r23_each_series_is_judged_by_itself(world: World) -> None:
    events = world.plan(ALPHA, "plan", 1, {"a1": 500, "b1": -5, "a2": 500})

    assert codes_of(events) == ["A03", "A64"]
    assert len(world.feed(DSO_SCHEDULES, NORTH)) == len(world.feed(DSO_SCHEDULES, SOUTH)) == 1


def test_r23_a_foreign_asset_reads_as_unknown(world: World) -> None:
    foreign, unknown = (world.plan(ALPHA, name, 1, {name: 5}) for name in ("b1", "b0"))

    assert texts_of(foreign).replace("b1", "b0") == texts_of(unknown)


@pytest.mark.parametrize(
    ("watts", "codes"), [(1000, ["A01"]), (1001, ["A02", "A42"]), (-400, ["A01"]), (-401, ["A02", "A42"])]
)
def test_r23_a_plan_stays_within_the_rating(world: World, watts: int, codes: list[str]) -> None:
    assert codes_of(world.plan(ALPHA, "plan", 1, {"a1": watts})) == codes


def test_r23_a_sign_the_asset_cannot_have_is_named_with_its_time(world: World) -> None:
    events = world.plan(ALPHA, "plan", 1, {"a2": curve(5, -5, 5, -6)})

    (rejected,) = verdict_of(events).rejected
    assert [error.interval for error in rejected.in_error] == [span(1.25, 1.5), span(1.75, 3)]
    assert "-5 W is planned" in texts_of(events)


def test_r23_r26_what_is_wrong_within_a_minute_is_named_in_whole_minutes(world: World) -> None:
    periods = (Period(span(), "PT10S", (Point(1, 500), Point(8, 1500), Point(9, 500))),)

    (rejected,) = verdict_of(world.plan(ALPHA, "plan", 1, {"a1": periods})).rejected

    minute = timedelta(minutes=1)
    assert [found.interval for found in rejected.in_error] == [
        Interval(span().start + minute, span().start + 2 * minute),
    ]


def test_r23_an_overlap_under_another_mrid_names_the_senders_other_document(world: World) -> None:
    world.plan(ALPHA, "morning", 1, {"a1": 100}, interval=span(1, 3))

    touching = world.plan(ALPHA, "noon", 1, {"a1": 100}, interval=span(3, 5))
    overlapping = world.plan(ALPHA, "other", 1, {"a1": 100}, interval=span(2, 3))

    assert codes_of(touching) == ["A01"]
    assert codes_of(overlapping) == ["A02", "A55"]
    assert "morning" in texts_of(overlapping)


def test_r23_a_gap_in_a_plan_is_free_for_another_document(world: World) -> None:
    world.plan(ALPHA, "split", 1, {"a1": (*flat(1, span(1, 2)), *flat(1, span(4, 5)))}, interval=span(1, 5))

    assert codes_of(world.plan(ALPHA, "between", 1, {"a1": 2}, interval=span(2, 4))) == ["A01"]


def spans_of(bounds: set[int]) -> list[Interval]:
    """Spans that do not overlap: between each other pair of neighbours."""
    instants = [NOON + QUARTER * bound for bound in sorted(bounds)]
    return [Interval(start, end) for start, end in zip(instants[::2], instants[1::2], strict=False)]


BOUNDS = st.sets(st.integers(0, 20), max_size=8).map(spans_of)
DOCUMENTS = st.lists(st.tuples(st.integers(0, 3), BOUNDS.filter(bool)), max_size=8)


@given(DOCUMENTS)
def test_r23_whatever_the_documents_say_an_assets_plans_never_overlap(said: list[tuple[int, list[Interval]]]) -> None:
    world, held = founded(), dict[int, list[Interval]]()
    for revision, (document, spans) in enumerate(said, 1):
        others = {other: taken for other, taken in held.items() if other != document}
        met = [other for other, taken in others.items() if any(one.overlaps(span) for one in taken for span in spans)]
        periods = tuple(period for one in spans for period in flat(1, one))

        events = world.plan(ALPHA, f"plan {document}", revision, {"a1": periods}, interval=spans[0])

        if met:
            assert codes_of(events) == ["A02", "A55"]
            assert f"in your document plan {min(met)}." in texts_of(events)
        else:
            assert codes_of(events) == ["A01"]
            held[document] = spans


@given(BOUNDS, BOUNDS)
def test_r23_the_first_span_of_a_plan_that_meets_another_is_found(spans: list[Interval], held: list[Interval]) -> None:
    met = [span for span in spans if any(span.overlaps(other) for other in held)]

    assert first_met(reversed(spans), reversed(held)) == (met[0] if met else None)


def test_r23_after_a_withdrawal_the_time_is_free(world: World) -> None:
    world.plan(ALPHA, "one", 1, {"a1": 100})
    world.plan(ALPHA, "one", 2, {"a1": None})

    assert codes_of(world.plan(ALPHA, "two", 1, {"a1": 100})) == ["A01"]


def test_two_series_for_one_asset_in_a_document_count_once(world: World) -> None:
    items = tuple(ScheduleItem(series=f"s{n}", resource=asset("a1"), periods=flat(n)) for n in (1, 2))
    events = world.do(SubmitSchedules(origin=world.origin(ALPHA, "plan", 1), interval=span(), items=items))

    assert codes_of(events) == ["A03", "A55"]


def test_r3_findings_of_the_reader_refuse_their_series_only(world: World) -> None:
    items = (
        ScheduleItem(series="s1", resource=asset("a1"), faults=(Fault("A49", "position 1 is missing"),)),
        ScheduleItem(series="s2", resource=None, periods=flat(1)),
        ScheduleItem(series="s3", resource=asset("a1"), periods=()),
        ScheduleItem(series="s4", resource=asset("a1"), periods=flat(1)),
    )
    events = world.do(SubmitSchedules(origin=world.origin(ALPHA, "plan", 1), interval=span(), items=items))

    assert codes_of(events) == ["A03", "A49", "A69", "A69"]


def test_r24_a_series_that_is_present_replaces_and_an_omitted_one_stays(world: World) -> None:
    world.register(ALPHA, "a3", "n1", produces=1000)
    world.plan(ALPHA, "plan", 1, {"a1": 100, "a3": 300})

    world.plan(ALPHA, "plan", 2, {"a1": 150})

    plans = {one.resource: one.periods for one in world.current(DSO_SCHEDULES, NORTH).values()}
    assert plans == {asset("a1"): flat(150), asset("a3"): flat(300)}


def test_r24_only_cancelled_series_withdraw(world: World) -> None:
    world.plan(ALPHA, "plan", 1, {"a1": 100, "a2": 200})

    events = world.plan(ALPHA, "plan", 2, {"a1": None})

    assert codes_of(events) == ["A01"]
    (north,) = world.current(DSO_SCHEDULES, NORTH).values()
    (south,) = world.current(DSO_SCHEDULES, SOUTH).values()
    assert (north.withdrawn, north.periods, south.withdrawn) == (True, (), False)


def test_r24_a_withdrawn_plan_may_come_again_under_the_same_name(world: World) -> None:
    world.plan(ALPHA, "plan", 1, {"a1": 100})
    world.plan(ALPHA, "plan", 2, {"a1": None})
    world.plan(ALPHA, "plan", 3, {"a1": 50})

    (schedule,) = world.current(DSO_SCHEDULES, NORTH).values()
    assert not schedule.withdrawn
    assert len({row.key for row in world.feed(DSO_SCHEDULES, NORTH)}) == 1


def test_r19_a_late_original_does_not_undo_an_update_or_a_withdrawal(world: World) -> None:
    world.plan(ALPHA, "plan", 2, {"a1": 100})
    assert codes_of(world.plan(ALPHA, "plan", 1, {"a1": 50})) == ["A02", "A51"]

    assert codes_of(world.plan(ALPHA, "gone", 2, {"a1": None})) == ["A01"]
    assert codes_of(world.plan(ALPHA, "gone", 1, {"a1": 50}, interval=span(7, 8))) == ["A02", "A51"]


@pytest.mark.parametrize(
    ("start_h", "end_h", "codes"), [(-9, 1, ["A01"]), (-9, 0, ["A02", "A04"]), (1, 17_600, ["A02", "A04"])]
)
def test_r20_only_the_end_decides_whether_a_plan_comes_in_time(
    world: World, start_h: float, end_h: float, codes: list[str]
) -> None:
    assert codes_of(world.plan(ALPHA, "plan", 1, {"a1": 5}, interval=span(start_h, end_h))) == codes


def test_r20_after_its_end_a_plan_is_neither_updated_nor_withdrawn(world: World) -> None:
    world.plan(ALPHA, "plan", 1, {"a1": 5})
    world.now = span().end

    assert codes_of(world.plan(ALPHA, "plan", 2, {"a1": 6}, interval=span(5, 6))) == ["A02", "A04"]
    assert codes_of(world.plan(ALPHA, "plan", 3, {"a1": None})) == ["A02", "A04"]


def test_r20_each_assets_plan_has_its_own_end(world: World) -> None:
    world.register(ALPHA, "a3", "n1", produces=1000)
    world.plan(ALPHA, "plan", 1, {"a1": 5}, interval=span(1, 2))
    world.plan(ALPHA, "plan", 2, {"a3": 5}, interval=span(1, 9))
    world.now = span(3, 4).start

    events = world.plan(ALPHA, "plan", 3, {"a1": 6, "a3": 6}, interval=span(1, 9))

    assert codes_of(events) == ["A03", "A04"]
    assert [rejected.mrid for rejected in verdict_of(events).rejected] == ["series of a1"]


def test_plans_that_ended_long_ago_are_forgotten_when_the_asset_is_planned_again(world: World) -> None:
    world.plan(ALPHA, "old", 1, {"a1": 5})
    for days in (30, 40):
        world.now = NOON + timedelta(days=days)
        world.plan(ALPHA, f"after {days} days", 1, {"a1": 5}, interval=span(24 * days + 1, 24 * days + 2))

    kept = {mrid for _, mrid, _ in world.brain.contents()["plans"]}
    assert kept == {"after 30 days", "after 40 days"}


def planned_often(world: World, plans: int) -> World:
    """An asset with so many plans of a quarter of an hour each; the newest document is about the earliest."""
    for number in range(plans, 0, -1):
        world.plan(ALPHA, f"plan {number}", 1, {"a1": 5}, interval=span(number / 4, (number + 1) / 4))
    return world


def test_a_plan_takes_as_many_steps_however_many_plans_its_asset_has() -> None:
    def steps_beside(plans: int) -> int:
        with_plans = planned_often(founded(), plans)
        return steps_of(lambda: with_plans.plan(ALPHA, "one more", 1, {"a1": 5}, interval=span(0, 1 / 4)))

    assert steps_beside(1000) == steps_beside(10)


def test_registering_an_asset_again_takes_as_many_steps_however_many_of_its_plans_have_ended() -> None:
    def steps_beside(plans: int) -> int:
        with_plans = planned_often(founded(), plans)
        with_plans.now += timedelta(days=20)
        return steps_of(lambda: with_plans.register(ALPHA, "a1", "n1", produces=900))

    assert steps_beside(1000) == steps_beside(10)


def test_r25_several_plans_of_one_asset_come_in_an_order_that_tells_nothing(world: World) -> None:
    world.register(ALPHA, "a3", "later", produces=10)
    for number in range(8):
        world.plan(ALPHA, f"plan {number}", 1, {"a3": 5}, interval=span(number + 1, number + 2))

    world.claim(NORTH, "later")

    keys = [row.key for row in world.feed(DSO_SCHEDULES, NORTH)]
    assert keys == sorted(keys)


def test_r4_plans_of_an_asset_without_a_claimed_point_wait_for_it(world: World) -> None:
    world.register(ALPHA, "a3", "later", produces=10)
    world.plan(ALPHA, "plan", 1, {"a3": 5})
    waiting = world.feed(DSO_SCHEDULES, NORTH)

    world.claim(NORTH, "later")

    assert waiting == []
    assert [row.payload.resource for row in world.feed(DSO_SCHEDULES, NORTH)] == [asset("a3")]


def test_r25_rows_of_one_event_are_ordered_by_asset(world: World) -> None:
    names = ["z", "m", "a"]
    for name, operator in zip(names, (ALPHA, BRAVO, ALPHA), strict=True):
        world.register(operator, name, "later", produces=10)
        world.plan(operator, f"plan of {name}", 1, {name: 5})

    world.claim(NORTH, "later")

    assert [row.group for row in world.feed(DSO_SCHEDULES, NORTH)] == sorted(asset(name) for name in names)


def test_saying_the_same_again_tells_the_dso_nothing(world: World) -> None:
    world.plan(ALPHA, "plan", 1, {"a1": 5})
    world.plan(ALPHA, "plan", 2, {"a1": 5})

    assert len(world.feed(DSO_SCHEDULES, NORTH)) == 1


def test_two_operators_may_use_the_same_mrid(world: World) -> None:
    assert codes_of(world.plan(ALPHA, "plan", 1, {"a1": 5})) == ["A01"]
    assert codes_of(world.plan(BRAVO, "plan", 1, {"b1": -5})) == ["A01"]

    assert {row.group for row in world.feed(DSO_SCHEDULES, NORTH)} == {asset("a1"), asset("b1")}


def test_a_participant_that_only_is_named_as_brp_sees_and_does_nothing(world: World) -> None:
    stranger = Identifier("A01:45X-BRP-CHARLIEG")

    assert codes_of(world.plan(stranger, "plan", 1, {"a1": 5})) == ["A02", "A64"]
