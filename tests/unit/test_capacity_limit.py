"""Limits from the DSO's document to each AGR's copy (R14-R22)."""

from collections.abc import Iterable
from datetime import timedelta
from typing import ClassVar

import pytest

from documents.model import Fault
from documents.values import Identifier, Interval, Reason
from hub.commands import AnnounceLimit, ForeseenSeries, OrderLimit, UnforeseenSeries
from hub.ports import OPERATOR
from hub.rows import AGR_LIMITS, OPERATOR_LIMITS
from hub.values import Action, AssetOrder, Direction, LimitKind
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
    curve,
    flat,
    span,
    texts_of,
    verdict_of,
    watts_of,
)
from tests.steps import steps_of


@pytest.fixture
def world() -> World:
    """Alpha and Bravo have producers on North's grid, Charlie a consumer; South has one of Alpha's."""
    world = World()
    world.claim(NORTH, "n1", "n2")
    world.claim(SOUTH, "s1")
    world.register(ALPHA, "a1", "n1", produces=3000)
    world.register(ALPHA, "a2", "n2", produces=1000, consumes=500)
    world.register(BRAVO, "b1", "n1", produces=4000)
    world.register(CHARLIE, "c1", "n2", consumes=800)
    world.register(ALPHA, "far", "s1", produces=1000)
    return world


def test_r14_r16_a_limit_is_divided_and_each_agr_gets_its_own_document(world: World) -> None:
    events = world.announce(NORTH, "limit", 1, ["a1", "a2", "b1"], 4000)

    assert codes_of(events) == ["A01"]
    assert watts_of(world.copy(ALPHA)) == {"a1": 1500, "a2": 500}
    assert watts_of(world.copy(BRAVO)) == {"b1": 2000}
    assert world.feed(AGR_LIMITS, CHARLIE) == []
    (row,) = world.feed(AGR_LIMITS, ALPHA)
    assert row.send is not None
    assert row.valid == span()
    assert row.issued == NOON
    assert (row.send.business_type, row.send.urgent, row.send.document) == ("TPS-FORESEEN", True, row.key)
    assert row.send.expires == span().end


def test_r14_several_series_are_several_limits_and_one_asset_has_its_own(world: World) -> None:
    world.announce(NORTH, "limit", 1, [["a1"], ["a2", "b1"]], 500)

    assert watts_of(world.copy(ALPHA)) == {"a1": 500, "a2": 100}
    assert watts_of(world.copy(BRAVO)) == {"b1": 400}


@pytest.mark.parametrize("stranger", ["far", "nowhere"])
def test_r14_an_asset_that_is_not_on_the_senders_grid_refuses_the_whole_document(world: World, stranger: str) -> None:
    events = world.announce(NORTH, "limit", 1, ["a1", stranger])

    assert codes_of(events) == ["A02", "A64"]
    assert stranger in texts_of(events)
    assert world.feed(AGR_LIMITS, ALPHA) == []


def test_r14_foreign_and_unknown_assets_read_the_same(world: World) -> None:
    foreign, unknown = (world.announce(NORTH, f"limit {one}", 1, [one]) for one in ("far", "who"))

    assert texts_of(foreign).replace("far", "who") == texts_of(unknown)


def test_r14_an_asset_named_twice_in_a_document_refuses_it(world: World) -> None:
    assert codes_of(world.announce(NORTH, "across", 1, [["a1"], ["a1", "b1"]])) == ["A02", "A59", "A59"]
    assert codes_of(world.announce(NORTH, "within", 1, [["a1", "a1"]])) == ["A02", "A59", "A59"]


def test_r14_the_gap_between_periods_stays_a_gap(world: World) -> None:
    first, second = flat(100, span(1, 2))[0], flat(200, span(3, 4))[0]

    world.announce(NORTH, "limit", 1, ["a1"], (first, second), interval=span(1, 4))

    assert [period.interval for period in world.copy(ALPHA).shares[0].periods] == [span(1, 2), span(3, 4)]


def test_r14_the_direction_decides_which_rating_counts(world: World) -> None:
    world.announce(NORTH, "in", 1, ["a2", "c1"], 650, direction=Direction.CONSUMPTION)

    assert watts_of(world.copy(ALPHA)) == {"a2": 250}
    assert watts_of(world.copy(CHARLIE)) == {"c1": 400}


def test_r14_for_both_directions_the_larger_rating_counts(world: World) -> None:
    world.announce(NORTH, "both", 1, ["a2", "c1"], 900, direction=Direction.BOTH)

    assert watts_of(world.copy(ALPHA)) == {"a2": 500}
    assert watts_of(world.copy(CHARLIE)) == {"c1": 400}


def test_r16_assets_without_rated_power_get_no_series(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1", "c1"], 100)

    assert watts_of(world.copy(ALPHA)) == {"a1": 100}
    assert world.feed(AGR_LIMITS, CHARLIE) == []


def test_r16_no_positive_weight_at_all_is_refused(world: World) -> None:
    assert codes_of(world.announce(NORTH, "limit", 1, ["c1"], 100)) == ["A02", "A59", "A59"]


def test_r16_nothing_depends_on_the_order_of_assets_or_series(world: World) -> None:
    other = World()
    for event in world.log[5:]:
        other.take(event)

    world.announce(NORTH, "limit", 1, [["a1"], ["a2", "b1"]], 500, created=NOON)
    other.announce(NORTH, "limit", 1, [["b1", "a2"], ["a1"]], 500, created=NOON)

    assert [row.payload for row in world.feed(AGR_LIMITS, ALPHA)] == [
        row.payload for row in other.feed(AGR_LIMITS, ALPHA)
    ]


def test_r3_a_fault_in_one_series_refuses_a_foreseen_limit_as_a_whole(world: World) -> None:
    faulty = ForeseenSeries(series="s2", assets=(asset("b1"),), periods=(), faults=(Fault("A49", "position 3 twice"),))
    sound = ForeseenSeries(series="s1", assets=(asset("a1"),), periods=flat(100))
    origin = world.origin(NORTH, "limit", 1)

    events = world.do(AnnounceLimit(origin=origin, direction=Direction.BOTH, interval=span(), series=(sound, faulty)))

    assert codes_of(events) == ["A02", "A49", "A49"]
    assert [rejected.mrid for rejected in verdict_of(events).rejected] == ["s2"]
    assert world.feed(AGR_LIMITS, ALPHA) == []


def test_a_negative_or_empty_limit_is_refused(world: World) -> None:
    assert codes_of(world.announce(NORTH, "m1", 1, ["a1"], -5)) == ["A02", "A42", "A42"]
    assert codes_of(world.announce(NORTH, "m2", 1, ["a1"], ())) == ["A02", "A69", "A69"]
    assert codes_of(world.announce(NORTH, "m3", 1, [], 5)) == ["A02", "A69"]


def test_a_limit_whose_copy_no_message_carries_is_refused_before_any_work(world: World) -> None:
    series = ForeseenSeries(series="s", assets=tuple(asset(f"x{i}") for i in range(1330)), periods=curve(*range(96)))
    origin = world.origin(NORTH, "limit", 1)

    events = world.do(AnnounceLimit(origin=origin, direction=Direction.BOTH, interval=span(), series=(series,)))

    assert codes_of(events) == ["A02", "A59"]


def test_an_order_whose_copy_no_message_carries_is_refused_before_any_work(world: World) -> None:
    series = UnforeseenSeries(series="s", assets=tuple(asset(f"x{i}") for i in range(15_730)), action=Action.STOP)
    origin = world.origin(NORTH, "limit", 1)

    events = world.do(OrderLimit(origin=origin, direction=Direction.BOTH, interval=span(), series=(series,)))

    assert codes_of(events) == ["A02", "A59"]


class Counted(str):
    """An id that counts how often it is looked at: compared, or looked up."""

    __slots__ = ()
    looks: ClassVar = 0

    def __eq__(self, other: object) -> bool:
        Counted.looks += 1
        return str.__eq__(self, other)

    def __hash__(self) -> int:
        Counted.looks += 1
        return str.__hash__(self)


def many(ids: Iterable[str]) -> tuple[Identifier, ...]:
    """These assets as ids that count."""
    Counted.looks = 0
    return tuple(Identifier(Counted(asset(one))) for one in ids)


def test_a_limit_that_names_one_asset_a_thousand_times_is_refused_without_comparing_each_with_each(
    world: World,
) -> None:
    series = ForeseenSeries(series="s", assets=many(["a1"] * 1000), periods=flat(1))
    origin = world.origin(NORTH, "limit", 1)

    events = world.do(AnnounceLimit(origin=origin, direction=Direction.BOTH, interval=span(), series=(series,)))

    assert codes_of(events) == ["A02", "A59", "A59"]
    assert Counted.looks < 50_000


def test_an_order_that_nobody_can_obey_is_refused_without_comparing_each_with_each(world: World) -> None:
    names = [f"both {number}" for number in range(1000)]
    for name in names:
        world.register(ALPHA, name, "n1", produces=1, consumes=1)
    series = UnforeseenSeries(series="s", assets=many(names), action=Action.START)
    origin = world.origin(NORTH, "limit", 1)

    events = world.do(OrderLimit(origin=origin, direction=Direction.BOTH, interval=span(), series=(series,)))

    assert codes_of(events) == ["A02", "A59"]
    assert Counted.looks < 50_000


def test_r15_orders_reach_each_agr_urgently_and_only_for_its_own_assets(world: World) -> None:
    events = world.order(NORTH, "fire", 1, [("a1", Action.STOP), ("b1", Action.HOLD), ("a2", Action.STOP)])

    assert codes_of(events) == ["A01"]
    copy = world.copy(ALPHA)
    assert copy.orders == (AssetOrder(asset("a1"), Action.STOP), AssetOrder(asset("a2"), Action.STOP))
    assert copy.kind is LimitKind.UNFORESEEN
    assert copy.shares == ()
    (row,) = world.feed(AGR_LIMITS, BRAVO)
    assert row.send is not None
    assert (row.send.business_type, row.send.urgent, row.send.expires) == ("TPS-UNFORESEEN", True, span(0, 2).end)


def test_r15_unknown_assets_are_refused_one_by_one_and_the_others_obey(world: World) -> None:
    events = world.order(NORTH, "fire", 1, [("a1", Action.STOP), ("nowhere", Action.STOP), ("far", Action.STOP)])

    assert codes_of(events) == ["A03", "A64", "A64"]
    assert [order.resource for order in world.copy(ALPHA).orders] == [asset("a1")]


def test_r15_when_all_assets_are_unknown_the_document_is_refused(world: World) -> None:
    assert codes_of(world.order(NORTH, "fire", 1, [("far", Action.STOP)])) == ["A02", "A64"]


def test_r15_a_series_of_several_assets_reaches_those_that_are_known(world: World) -> None:
    series = UnforeseenSeries(series="s", assets=(asset("a1"), asset("far")), action=Action.STOP)
    origin = world.origin(NORTH, "fire", 1)

    events = world.do(OrderLimit(origin=origin, direction=Direction.BOTH, interval=span(), series=(series,)))

    assert codes_of(events) == ["A03", "A64"]
    assert [order.resource for order in world.copy(ALPHA).orders] == [asset("a1")]


def test_r15_start_needs_a_direction_for_an_asset_that_can_do_both(world: World) -> None:
    assert codes_of(world.order(NORTH, "m1", 1, [("a2", Action.START)])) == ["A02", "A59"]
    assert codes_of(world.order(NORTH, "m2", 1, [("a1", Action.START)])) == ["A01"]
    assert codes_of(world.order(NORTH, "m3", 1, [("a2", Action.START)], direction=Direction.CONSUMPTION)) == ["A01"]
    assert codes_of(world.order(NORTH, "m4", 1, [("a1", Action.START)], direction=Direction.CONSUMPTION)) == [
        "A02",
        "A59",
    ]


def test_r15_stop_beats_hold_beats_start(world: World) -> None:
    world.order(NORTH, "fire", 1, [("a1", Action.START), ("a1", Action.STOP), ("a1", Action.HOLD)])

    assert world.copy(ALPHA).orders == (AssetOrder(asset("a1"), Action.STOP),)


def test_r15_a_series_without_an_action_is_refused(world: World) -> None:
    events = world.order(NORTH, "fire", 1, [("a1", None)])

    assert codes_of(events) == ["A02", "A59"]
    assert "ACTION=STOP" in texts_of(events)


def test_r17_a_rating_change_counts_from_the_next_revision(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1", "b1"], 700)

    world.register(BRAVO, "b1", "n1", produces=1000)
    before = watts_of(world.copy(ALPHA))
    world.announce(NORTH, "limit", 2, ["a1", "b1"], 700)

    assert before == {"a1": 300}
    assert watts_of(world.copy(ALPHA)) == {"a1": 525}


def test_r17_a_removed_assets_share_lapses_and_whoever_registers_it_inherits_it(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1", "a2", "b1"], 800)

    world.unregister(ALPHA, "a1")
    lapsed = watts_of(world.copy(ALPHA)), watts_of(world.copy(BRAVO))
    world.register(BRAVO, "a1", "n1", produces=50)

    assert lapsed == ({"a2": 100}, {"b1": 400})
    assert watts_of(world.copy(BRAVO)) == {"a1": 300, "b1": 400}
    assert world.copy(BRAVO).revision == 2


def test_r18_a_copy_has_codes_but_no_text_and_an_own_name_and_revision(world: World) -> None:
    world.announce(NORTH, "limit", 7, ["a1", "b1"], 700, reasons=(Reason("B19", "harbour"), Reason("B19", "again")))
    first = world.copy(ALPHA)
    world.announce(NORTH, "limit", 9, ["a1", "b1"], 350)
    second = world.copy(ALPHA)

    assert (first.revision, second.revision) == (1, 2)
    assert first.mrid == second.mrid != world.copy(BRAVO).mrid
    assert first.mrid != "limit"
    assert len(first.mrid) == 32
    assert first.reason_codes == ("B19",)
    assert "harbour" not in repr(world.feed(AGR_LIMITS, ALPHA))


def test_r18_an_agr_dropped_by_an_update_gets_a_cancel_and_a_new_one_revision_1(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1"], 700)
    world.announce(NORTH, "limit", 2, ["b1"], 700)

    dropped, joined = world.copy(ALPHA), world.copy(BRAVO)
    assert dropped.cancelled
    assert dropped.revision == 2
    assert watts_of(dropped) == {"a1": 700}
    assert not joined.cancelled
    assert joined.revision == 1


def test_r18_an_agr_that_comes_back_continues_its_own_revisions(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1"], 700)
    world.announce(NORTH, "limit", 2, ["b1"], 700)
    world.announce(NORTH, "limit", 3, ["a1"], 600)

    assert world.copy(ALPHA).revision == 3
    assert not world.copy(ALPHA).cancelled
    assert world.copy(BRAVO).cancelled


def test_r18_r36_an_agr_whose_copy_would_be_identical_gets_nothing_new(world: World) -> None:
    world.announce(NORTH, "limit", 1, [["a1"], ["b1"]], 700)
    said = len(world.feed(AGR_LIMITS, ALPHA))

    world.announce(NORTH, "limit", 2, [["a1"], ["c1", "b1"]], 700)

    assert len(world.feed(AGR_LIMITS, ALPHA)) == said


def test_r36_steps_of_the_total_that_do_not_change_a_share_leave_no_trace(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1", "b1"], curve(7, 8, 9, 14))

    (part,) = world.copy(ALPHA).shares
    assert [(point.position, point.quantity) for point in part.periods[0].points] == [(1, 3), (3, 4), (4, 6)]


def test_r19_an_update_replaces_the_whole_content(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1", "a2"], 400)
    events = world.announce(NORTH, "limit", 2, ["a2"], 300, interval=span(2, 5))

    assert codes_of(events) == ["A01"]
    assert watts_of(world.copy(ALPHA)) == {"a2": 300}
    assert world.copy(ALPHA).interval == span(2, 5)


def test_r19_a_lower_revision_has_no_effect(world: World) -> None:
    world.announce(NORTH, "limit", 3, ["a1"], 400)
    events = world.announce(NORTH, "limit", 2, ["a1"], 999)

    assert codes_of(events) == ["A02", "A51"]
    assert watts_of(world.copy(ALPHA)) == {"a1": 400}


def test_r19_an_update_that_overtakes_its_original_is_taken_as_it_is(world: World) -> None:
    assert codes_of(world.announce(NORTH, "limit", 2, ["a1"], 400)) == ["A01"]
    assert codes_of(world.announce(NORTH, "limit", 1, ["a1"], 300)) == ["A02", "A51"]


def test_r19_the_same_revision_with_the_same_content_has_the_first_answer(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1"], 400, content="x")
    said = len(world.feed(AGR_LIMITS, ALPHA))
    world.announce(NORTH, "limit", 1, ["a1"], 400, content="x")

    first, second = world.feed("acknowledgements", NORTH)[-2:]
    assert (first.key, first.payload) == (second.key, second.payload)
    assert len(world.feed(AGR_LIMITS, ALPHA)) == said


def test_r19_the_same_revision_with_other_content_is_a_conflict_and_so_is_its_repeat(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1"], 400, content="x")
    conflict = world.announce(NORTH, "limit", 1, ["a1"], 500, content="y")
    world.announce(NORTH, "limit", 1, ["a1"], 500, content="y")
    again = world.announce(NORTH, "limit", 1, ["a1"], 400, content="x")

    accepted, refused, repeated, first = world.feed("acknowledgements", NORTH)[-4:]
    assert codes_of(conflict) == ["A02", "A51"]
    assert refused.payload == repeated.payload != accepted.payload == first.payload
    assert len(again) == 1
    assert watts_of(world.copy(ALPHA)) == {"a1": 400}


def test_r19_a_cancel_withdraws_every_copy_and_keeps_its_last_content(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1", "b1"], 700)

    assert codes_of(world.cancel(NORTH, "limit", 2)) == ["A01"]

    for agr, part in ((ALPHA, {"a1": 300}), (BRAVO, {"b1": 400})):
        copy = world.copy(agr)
        assert copy.cancelled
        assert copy.revision == 2
        assert watts_of(copy) == part


def test_r19_a_cancel_of_an_unknown_limit_is_remembered_for_its_sender_only(world: World) -> None:
    assert codes_of(world.cancel(NORTH, "limit", 2)) == ["A01"]
    assert codes_of(world.announce(NORTH, "limit", 1, ["a1"])) == ["A02", "A51"]
    assert codes_of(world.announce(SOUTH, "limit", 1, ["far"])) == ["A01"]


def test_r19_a_cancelled_limit_stays_closed(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1"])
    world.cancel(NORTH, "limit", 2)

    assert codes_of(world.announce(NORTH, "limit", 3, ["a1"])) == ["A02", "A51"]
    assert codes_of(world.cancel(NORTH, "limit", 4)) == ["A02", "A51"]


def test_r19_a_foreseen_limit_cannot_become_unforeseen(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1"])

    assert codes_of(world.order(NORTH, "limit", 2, [("a1", Action.STOP)])) == ["A02", "A62"]
    assert codes_of(world.cancel(NORTH, "limit", 3, LimitKind.UNFORESEEN)) == ["A02", "A62"]


def test_r19_two_dsos_may_use_the_same_mrid(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1"], 100)
    world.announce(SOUTH, "limit", 1, ["far"], 200)

    copies = world.current(AGR_LIMITS, ALPHA).values()
    assert sorted(sum(watts_of(copy).values()) for copy in copies) == [100, 200]


@pytest.mark.parametrize(
    ("start_h", "end_h", "codes"),
    [
        (-5, 1, ["A01"]),
        (-5, 0, ["A02", "A04"]),
        (2, 2, ["A02", "A04"]),
        (3, 2, ["A02", "A04"]),
        (1, 24 * 731, ["A01"]),
        (1, 24 * 731 + 0.25, ["A02", "A04"]),
    ],
)
def test_r20_only_the_end_decides_whether_a_limit_comes_in_time(
    world: World, start_h: float, end_h: float, codes: list[str]
) -> None:
    interval = Interval(NOON + timedelta(hours=start_h), NOON + timedelta(hours=end_h))

    assert codes_of(world.announce(NORTH, "m", 1, ["a1"], flat(5), interval=interval)) == codes
    assert codes_of(world.order(NORTH, "o", 1, [("a1", Action.STOP)], interval=interval)) == codes


def test_r20_after_its_end_a_limit_is_neither_updated_nor_cancelled(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1"])
    world.now = span().end

    assert codes_of(world.announce(NORTH, "limit", 2, ["a1"], interval=span(4, 9))) == ["A02", "A04"]
    assert codes_of(world.cancel(NORTH, "limit", 3)) == ["A02", "A04"]


def test_r21_limits_on_the_same_asset_stand_beside_each_other(world: World) -> None:
    world.announce(NORTH, "one", 1, ["a1", "b1"], 700)
    world.announce(NORTH, "two", 1, ["a1"], 100)
    world.announce(NORTH, "in", 1, ["a2"], 100, direction=Direction.CONSUMPTION)

    copies = world.current(AGR_LIMITS, ALPHA).values()
    assert sorted(list(watts_of(copy).items()) for copy in copies) == [[("a1", 100)], [("a1", 300)], [("a2", 100)]]


def test_r6_a_reassigned_asset_takes_its_limits_along_at_once(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1", "a2", "b1"], 800)

    world.hand_over("a1", CHARLIE)

    assert watts_of(world.copy(ALPHA)) == {"a2": 100}
    assert world.copy(ALPHA).revision == 2
    assert watts_of(world.copy(CHARLIE)) == {"a1": 300}
    assert world.copy(CHARLIE).revision == 1
    assert len(world.feed(AGR_LIMITS, BRAVO)) == 1


def test_r6_whoever_hands_over_its_last_limited_asset_gets_a_cancel(world: World) -> None:
    world.order(NORTH, "fire", 1, [("b1", Action.STOP)])

    world.hand_over("b1", ALPHA)

    assert world.copy(BRAVO).cancelled
    assert world.copy(ALPHA).orders == (AssetOrder(asset("b1"), Action.STOP),)


@pytest.mark.parametrize("without", ["a0", "b0", "c1"])
def test_r6_r16_an_asset_without_a_share_takes_nobodys_share_along(world: World, without: str) -> None:
    world.register(CHARLIE, "a0", "n1", consumes=1)
    world.register(CHARLIE, "b0", "n1", consumes=1)
    world.announce(NORTH, "limit", 1, ["a0", "a1", "b0", "b1", "c1"], 7000)
    said = len(world.feed(AGR_LIMITS, ALPHA))

    world.hand_over(without, BRAVO)

    assert watts_of(world.copy(BRAVO)) == {"b1": 4000}
    assert len(world.feed(AGR_LIMITS, ALPHA)) == said


def test_r7_moving_within_a_dso_keeps_the_limits_as_they_are(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1", "b1"], 700)
    said = len(world.feed(AGR_LIMITS, ALPHA))

    world.register(ALPHA, "a1", "n2", produces=3000)

    assert len(world.feed(AGR_LIMITS, ALPHA)) == said


@pytest.mark.parametrize("elsewhere", ["s1", "unclaimed"])
def test_r7_moving_off_the_dsos_grid_ends_its_limits_for_the_asset(world: World, elsewhere: str) -> None:
    world.announce(NORTH, "limit", 1, ["a1", "b1"], 700)

    world.register(ALPHA, "a1", elsewhere, produces=3000)

    assert world.copy(ALPHA).cancelled
    assert not world.copy(BRAVO).cancelled
    assert world.copy(BRAVO).revision == 1


def test_r6_a_reassigned_point_ends_the_old_dsos_limits_on_its_assets(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1", "a2", "b1"], 800)

    world.hand_over_point("n1", SOUTH)

    assert watts_of(world.copy(ALPHA)) == {"a2": 100}
    assert world.copy(BRAVO).cancelled


def test_ended_limits_do_not_follow_a_moving_asset(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1"])
    world.now = span().end

    world.hand_over("a1", BRAVO)

    assert world.feed(AGR_LIMITS, BRAVO) == []


def test_the_operator_sees_each_copy_and_whether_it_was_collected(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1", "b1"], 700)
    world.acknowledge(ALPHA, world.copy(ALPHA).mrid)
    world.acknowledge(BRAVO, world.copy(BRAVO).mrid, "A02")

    (limit,) = world.current(OPERATOR_LIMITS, OPERATOR).values()
    assert [(copy.audience, copy.revision, copy.collected) for copy in limit.copies] == [
        (ALPHA, 1, True),
        (BRAVO, 1, False),
    ]

    world.announce(NORTH, "limit", 2, ["a1"], 700)
    (limit,) = world.current(OPERATOR_LIMITS, OPERATOR).values()
    assert [(copy.audience, copy.revision, copy.collected) for copy in limit.copies] == [
        (ALPHA, 2, False),
        (BRAVO, 2, False),
    ]


def test_a_second_acknowledgement_of_a_collected_copy_is_no_news(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1"], 700)

    assert len(world.acknowledge(ALPHA, world.copy(ALPHA).mrid)) == 1
    assert world.acknowledge(ALPHA, world.copy(ALPHA).mrid) == ()


def test_r29_a_late_answer_to_an_earlier_revision_does_not_collect_the_one_that_stands(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1"], 700)
    world.announce(NORTH, "limit", 2, ["a1"], 0)
    mrid = world.copy(ALPHA).mrid

    assert world.acknowledge(ALPHA, mrid, revision=1) == ()
    (limit,) = world.current(OPERATOR_LIMITS, OPERATOR).values()
    assert [(copy.revision, copy.collected) for copy in limit.copies] == [(2, False)]

    assert len(world.acknowledge(ALPHA, mrid, revision=2)) == 1
    (limit,) = world.current(OPERATOR_LIMITS, OPERATOR).values()
    assert [(copy.revision, copy.collected) for copy in limit.copies] == [(2, True)]


def test_r29_a_refusal_of_an_earlier_revision_still_alarms_the_operator(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1"], 700)
    world.announce(NORTH, "limit", 2, ["a1"], 0)

    assert len(world.acknowledge(ALPHA, world.copy(ALPHA).mrid, "A02", revision=1)) == 1


def test_an_agr_cannot_collect_for_another(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1"], 700)

    world.acknowledge(BRAVO, world.copy(ALPHA).mrid)

    (limit,) = world.current(OPERATOR_LIMITS, OPERATOR).values()
    assert [copy.collected for copy in limit.copies] == [False]


def test_copies_of_one_revision_come_by_agr_so_that_every_replay_is_the_same(world: World) -> None:
    world.announce(NORTH, "limit", 1, ["a1"])
    world.announce(NORTH, "limit", 2, ["b1"])

    copies = [row.audience for row in world.rows if row.view == AGR_LIMITS]
    assert copies == [ALPHA, ALPHA, BRAVO]


def test_a_limit_takes_as_many_steps_however_many_limits_its_assets_are_under(world: World) -> None:
    def steps_beside(limits: int) -> int:
        for number in range(limits, 0, -1):
            world.announce(NORTH, f"limit {limits} {number}", 1, ["a1"], interval=span(number, number + 1))
        return steps_of(lambda: world.announce(NORTH, f"one more of {limits}", 1, ["a1"], interval=span(1, 2)))

    assert steps_beside(10) == steps_beside(500)


def test_what_has_ended_is_forgotten_where_lists_would_grow_for_ever(world: World) -> None:
    world.announce(NORTH, "old", 1, ["a1"])
    world.now = span().end
    world.announce(NORTH, "new", 1, ["a1"], interval=span(5, 6))
    world.ask(ALPHA, "A53")

    contents = world.brain.contents()
    assert contents["limits_on"][asset("a1")] == {(span(5, 6).end, (NORTH, "new"))}
    assert contents["limits_of"][ALPHA] == {(NORTH, "new")}
