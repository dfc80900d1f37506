"""What limits and plans do to each other, in examples that can be checked by hand (F3, R14, R15, R21)."""

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from documents.curves import local_day
from documents.values import Identifier, Interval, Period, Point
from hub.implications import NONE, Board, Finding, Grid, Kind, allowed_for, balances, findings
from hub.rows import LimitContent, OperatorAsset
from hub.values import Action, AssetOrder, AssetShare, Capability, Direction, LimitKind
from tests.hub_world import ALPHA, BRAVO, NOON, NORTH, QUARTER, SOUTH, asset, curve, flat, point, span

HEAT, CELL, IDLE = asset("heat"), asset("cell"), asset("idle")
HOUR = span(0, 1)


def held(
    resource: Identifier,
    *,
    produces: int = 0,
    consumes: int = 0,
    dso: Identifier | None = NORTH,
    by: Identifier = ALPHA,
) -> OperatorAsset:
    return OperatorAsset(
        resource=resource, operator=by, point=point("p"), dso=dso, capability=Capability(produces, consumes)
    )


ASSETS = {
    HEAT: held(HEAT, consumes=500),
    CELL: held(CELL, produces=1000, consumes=1000, by=BRAVO),
    IDLE: held(IDLE, consumes=250, by=BRAVO),
}


def limit(direction: Direction = Direction.CONSUMPTION, mrid: str = "limit", **content: Any) -> LimitContent:
    kind = LimitKind.UNFORESEEN if "orders" in content else LimitKind.FORESEEN
    return LimitContent(
        **{
            "dso": NORTH,
            "mrid": mrid,
            "revision": 1,
            "kind": kind,
            "direction": direction,
            "interval": HOUR,
            **content,
        }
    )


def share(resource: Identifier, *watts: int) -> AssetShare:
    return AssetShare(resource, 500, curve(*watts, interval=HOUR))


def board(curves: dict[Identifier, tuple[Period, ...]], over: Interval = HOUR, **changed: OperatorAsset) -> Board:
    return Board.of(over, {**ASSETS, **{asset(name): one for name, one in changed.items()}}, curves)


def only(found: list[Finding]) -> Finding:
    (one,) = found
    return one


def test_a_plan_above_its_share_is_found_with_power_and_energy() -> None:
    found = only(findings([limit(shares=(share(HEAT, 400, 200, 300),))], board({HEAT: flat(-300, HOUR)})))

    assert found == Finding(
        kind=Kind.ABOVE,
        dso=NORTH,
        mrid="limit",
        revision=1,
        limit=LimitKind.FORESEEN,
        side=Direction.CONSUMPTION,
        interval=Interval(NOON + QUARTER, NOON + 2 * QUARTER),
        scheduled_w=300,
        allowed_w=200,
        excess_w=100,
        excess_wh=25.0,
        margin_w=0,
        assets=(HEAT,),
        unplanned=(),
    )


def test_r21_room_that_one_asset_leaves_is_not_passed_on_to_another() -> None:
    shares = (share(CELL, 600), share(HEAT, 300))

    found = only(findings([limit(shares=shares)], board({HEAT: flat(-400, HOUR), CELL: flat(-100, HOUR)})))

    assert (found.scheduled_w, found.allowed_w, found.excess_w) == (500, 900, 100)
    assert found.assets == (HEAT,)


def test_r21_production_is_not_netted_against_consumption() -> None:
    both = limit(Direction.BOTH, shares=(share(CELL, 100),))

    found = findings([both], board({CELL: curve(-150, 150, 90, interval=HOUR)}))

    assert {(one.side, one.interval.start, one.excess_w) for one in found} == {
        (Direction.CONSUMPTION, NOON, 50),
        (Direction.PRODUCTION, NOON + QUARTER, 50),
    }


def test_assets_without_a_plan_cost_the_margin_of_their_part() -> None:
    found = only(findings([limit(shares=(share(HEAT, 300), share(IDLE, 200)))], board({HEAT: flat(-300, HOUR)})))

    assert (found.kind, found.unplanned, found.margin_w) == (Kind.UNPLANNED, (IDLE,), 200)
    assert (found.assets, found.excess_w, found.interval) == ((), 0, HOUR)


def test_an_asset_that_plans_nothing_costs_no_margin() -> None:
    assert findings([limit(shares=(share(IDLE, 200),))], board({IDLE: flat(0, HOUR)})) == []


def test_overlapping_limits_stand_independently_and_the_smallest_bound_holds() -> None:
    early = limit(mrid="early", shares=(share(HEAT, 300, 100),))
    late = limit(mrid="late", shares=(share(HEAT, 200, 250),))
    planned = board({HEAT: flat(-280, HOUR)})

    assert [(one.mrid, one.excess_w) for one in findings([early, late], planned)] == [("late", 80), ("early", 180)]
    assert allowed_for([HEAT, CELL], [early, late], Direction.CONSUMPTION, planned) == {HEAT: [200, 100, 100, 100]}


def test_a_stop_leaves_nothing() -> None:
    found = only(findings([limit(orders=(AssetOrder(HEAT, Action.STOP),))], board({HEAT: flat(-300, HOUR)})))

    assert (found.kind, found.allowed_w, found.excess_w, found.excess_wh) == (Kind.ABOVE, 0, 300, 300.0)
    assert found.limit is LimitKind.UNFORESEEN


def test_a_hold_keeps_what_was_planned_when_it_began() -> None:
    order = limit(orders=(AssetOrder(HEAT, Action.HOLD),))

    found = findings([order], board({HEAT: curve(-300, -300, -500, -200, interval=HOUR)}))

    assert [(one.kind, one.interval.start - NOON, one.excess_w, one.excess_wh) for one in found] == [
        (Kind.MOVES, 2 * QUARTER, 200, 75.0)
    ]


def test_what_is_held_is_known_though_the_view_begins_later() -> None:
    order = limit(orders=(AssetOrder(HEAT, Action.HOLD),))
    planned = {HEAT: curve(-300, -300, -500, -300, interval=HOUR)}

    found = findings([order], board(planned, Interval(NOON + 2 * QUARTER, HOUR.end)))

    assert [(one.interval.start - NOON, one.excess_w) for one in found] == [(2 * QUARTER, 200)]


def test_a_hold_without_a_plan_is_margin() -> None:
    found = only(findings([limit(orders=(AssetOrder(HEAT, Action.HOLD),))], board({})))

    assert (found.kind, found.unplanned, found.margin_w) == (Kind.UNPLANNED, (HEAT,), 500)


def test_a_start_wants_what_stands_to_run_as_far_as_its_other_limits_let_it() -> None:
    start = limit(mrid="start", orders=(AssetOrder(HEAT, Action.START),))
    other = limit(mrid="other", shares=(share(HEAT, 500, 120),))

    found = findings([start, other], board({HEAT: curve(-80, 0, interval=HOUR)}))

    assert [(one.mrid, one.kind, one.allowed_w, one.excess_w) for one in found] == [("start", Kind.STANDS, 120, 120)]
    assert found[0].interval == Interval(NOON + QUARTER, HOUR.end)


def test_r15_a_stop_of_another_limit_leaves_a_start_nothing_to_want() -> None:
    orders = [limit(mrid=action, orders=(AssetOrder(HEAT, action),)) for action in (Action.START, Action.STOP)]

    assert findings(orders, board({HEAT: flat(0, HOUR)})) == []


@pytest.mark.parametrize("dso", [SOUTH, None])
def test_r7_an_asset_that_has_left_the_grid_is_not_concerned(dso: Identifier | None) -> None:
    order = limit(orders=(AssetOrder(HEAT, Action.STOP),))

    assert findings([order], board({HEAT: flat(-300, HOUR)}, heat=held(HEAT, consumes=500, dso=dso))) == []


@pytest.mark.parametrize(("day", "quarters"), [((2026, 3, 29), 92), ((2026, 3, 30), 96), ((2026, 10, 25), 100)])
def test_a_local_day_has_all_its_quarter_hours(day: tuple[int, int, int], quarters: int) -> None:
    local = local_day(date(*day), ZoneInfo("Europe/Copenhagen"))
    stop = limit(interval=local, orders=(AssetOrder(HEAT, Action.STOP),))

    found = only(findings([stop], board({HEAT: flat(-4, local)}, local)))

    assert (found.interval, found.excess_wh) == (local, float(quarters))


def test_a_curve_that_changes_within_a_quarter_hour_hides_nothing() -> None:
    peak = Period(HOUR, "PT5M", (Point(1, -100), Point(2, -450), Point(3, -100)))
    dip = AssetShare(HEAT, 500, (Period(HOUR, "PT5M", (Point(1, 500), Point(7, 50), Point(8, 500))),))

    (balance,) = balances(limit(shares=(dip,)), [], board({HEAT: (peak,)}))

    assert balance.allowed == [500, 500, 50, 500]
    assert balance.scheduled == [450, 100, 100, 100]
    assert balance.excess == [0, 0, 50, 0]


def test_between_the_periods_of_a_limit_nothing_is_limited() -> None:
    edges = (*flat(10, span(0, 0.25)), *flat(10, span(0.75, 1)))

    (balance,) = balances(limit(shares=(AssetShare(HEAT, 500, edges),)), [], board({HEAT: flat(-300, HOUR)}))

    assert balance.allowed == [10, NONE, NONE, 10]
    assert balance.excess == [290, 0, 0, 290]


def test_a_grid_covers_every_quarter_hour_that_a_span_touches() -> None:
    grid = Grid.over(Interval(NOON + timedelta(minutes=7), NOON + timedelta(minutes=31)))

    assert (grid.start, grid.count) == (NOON, 3)


@pytest.mark.slow
def test_ten_thousand_assets_over_two_days_are_judged_while_one_waits() -> None:
    two_days = span(0, 48)
    names = [asset(f"{number:05d}") for number in range(10_000)]
    plan = curve(*(-100 - number % 7 for number in range(192)), interval=two_days)
    parts = tuple(AssetShare(one, 500, flat(103, two_days)) for one in names)
    big = Board.of(two_days, {one: held(one, consumes=500) for one in names}, dict.fromkeys(names, plan))

    found = findings([limit(interval=two_days, shares=parts)], big)

    # 192 quarter-hours are 27 rounds of 7 with 1, 2 and 3 W too much, and three more without.
    assert sum(one.excess_wh for one in found) == 10_000 * 27 * (1 + 2 + 3) / 4
    assert all(len(one.assets) == 10_000 for one in found)
