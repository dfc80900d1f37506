"""Laws of the hub's core over random histories: rebuild, repeats, rollback, privacy, and lists that say what is so."""

from functools import partial
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from documents.curves import steps as stretches
from documents.values import Identifier, Instant, Power
from hub.events import DocumentRepeated, LimitAnnounced, PushAcknowledged
from hub.ports import Row
from hub.projections.catalogue import CATALOGUE
from hub.rows import AGR_ASSETS, AGR_LIMITS, DSO_ASSETS, DSO_SCHEDULES, AgrLimit
from hub.state import LimitState, PlanState
from hub.values import AssetOrder, AssetShare
from tests.canary import Canary
from tests.hub_strategies import (
    ALPHA,
    BRAVO,
    CAST,
    CHARLIE,
    DSOS,
    NORTH,
    OPERATORS,
    SOUTH,
    WORDS,
    Player,
    Step,
    assets_of,
    histories,
    setting,
    steps,
)
from tests.hub_world import World

HISTORIES = settings(
    max_examples=settings().max_examples // 2, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def told(world: World, audience: Identifier) -> list[Row]:
    """All rows of one audience."""
    return [row for row in world.rows if row.audience == audience]


@HISTORIES
@given(histories())
def test_rebuild_equals_live(history: list[Step]) -> None:
    live = Player().play(history)

    rebuilt = World({})
    for recorded in live.log:
        rebuilt.take(recorded)

    assert rebuilt.rows == live.rows
    assert rebuilt.brain.contents() == live.brain.contents()


@HISTORIES
@given(histories())
def test_a_projection_makes_rows_of_the_events_it_names_and_of_no_others(history: list[Step]) -> None:
    live = Player().play(history)

    # Functions that no catalogue knows are asked about every event.
    asked = World({}, projections=[partial(entry.rows) for entry in CATALOGUE])
    for recorded in live.log:
        asked.take(recorded)

    assert asked.rows == live.rows


@HISTORIES
@given(histories())
def test_r19_every_document_again_has_no_effect_and_the_first_answer(history: list[Step]) -> None:
    player = Player()
    world = player.play(history)
    before, answers = (
        world.brain.contents(),
        {row.key: row.payload for row in world.rows if row.view == "acknowledgements"},
    )
    said = [command for command in player.said if hasattr(command, "origin")]
    events, rows = len(world.log), len(world.rows)

    for command in said:
        world.do(command)

    assert {type(recorded.event) for recorded in world.log[events:]} <= {DocumentRepeated, PushAcknowledged}
    after = world.brain.contents()
    for forgotten in ("limits_of", "copies"):  # a repeated request or acknowledgement may tidy up or confirm
        before.pop(forgotten), after.pop(forgotten)
    assert after == before
    for row in world.rows[rows:]:
        if row.view == "acknowledgements":
            assert row.payload == answers[row.key]


@HISTORIES
@given(histories(), st.lists(steps(), max_size=8))
def test_r30_a_rolled_back_batch_leaves_no_trace(history: list[Step], batch: list[Step]) -> None:
    player = Player()
    world = player.play(history)
    savepoint, before = world.brain.savepoint(), world.brain.contents()
    now, rows, events = world.now, len(world.rows), len(world.log)

    def play_batch() -> list[Row]:
        world.now = now
        del world.rows[rows:], world.log[events:]
        for place, step in enumerate(batch, start=len(history)):
            player.step(place, step)
        return world.rows[rows:]

    first = play_batch()
    world.brain.rollback(savepoint)
    assert world.brain.contents() == before
    assert play_batch() == first


@HISTORIES
@given(histories())
def test_r38_no_row_holds_a_foreign_word(history: list[Step]) -> None:
    canary = Canary(WORDS)
    world = Player(canary).play(history)

    canary.check_rows(world.rows)


@HISTORIES
@given(st.lists(steps(limited=assets_of(BRAVO), own_only=True), min_size=10, max_size=30))
def test_r36_an_agrs_view_is_the_same_whatever_others_do_where_no_limit_is_shared(rest: list[Step]) -> None:
    history = setting(*OPERATORS) + rest
    without_others = frozenset(CAST) - {ALPHA, CHARLIE} | {Identifier("operator")}

    with_all, with_bravo_only = Player().play(history), Player().play(history, only=without_others)

    assert told(with_all, BRAVO) == told(with_bravo_only, BRAVO)


@HISTORIES
@given(st.lists(steps(own_only=True), min_size=10, max_size=30))
def test_r36_a_dsos_view_is_the_same_whatever_other_dsos_do(rest: list[Step]) -> None:
    history = setting(*OPERATORS) + rest

    with_all, without_south = (
        Player().play(history),
        Player().play(history, only=frozenset(CAST) - {SOUTH} | {Identifier("operator")}),
    )

    assert told(with_all, NORTH) == told(without_south, NORTH)


@HISTORIES
@given(st.lists(steps(operators=(ALPHA, CHARLIE), dsos=(), own_only=True), min_size=5, max_size=20))
def test_r36_between_a_dsos_revisions_nothing_others_do_reaches_an_agr(rest: list[Step]) -> None:
    every_asset = tuple(asset for operator in OPERATORS for asset in assets_of(operator)[::3])
    shared = Step("announce", NORTH, every_asset, number=1, watts=(900, 450), start_h=1, length_h=4)
    player = Player()
    world = player.play([*setting(*OPERATORS), shared])
    said = len(told(world, BRAVO))
    assert said > 0

    for place, step in enumerate(rest, start=100):
        player.step(place, step)

    assert len(told(world, BRAVO)) == said


@HISTORIES
@given(histories())
def test_r16_shares_sum_exactly_at_every_instant(history: list[Step]) -> None:
    world = Player().play(history)

    for recorded in world.log:
        if isinstance(recorded.event, LimitAnnounced):
            check_division(recorded.event)


def check_division(event: LimitAnnounced) -> None:
    for series in event.series:
        parts = [part for part in event.shares if part.resource in series.assets]
        most = sum(part.rated for part in parts)
        for period in series.periods:
            for start, _, total in stretches(period):
                assert sum(at(part.periods, start) for part in parts) == min(total, most)


def at(periods: tuple[object, ...], instant: Instant) -> Power:
    (watts,) = [
        quantity
        for period in periods
        for start, end, quantity in stretches(period)  # type: ignore[arg-type] # Periods
        if start <= instant < end
    ]
    return watts


@HISTORIES
@given(histories())
def test_r4_r7_lists_say_what_is_so(history: list[Step]) -> None:
    """Whatever happened, each DSO's list is the assets on its grid and each AGR's list the assets it operates."""
    world = Player().play(history)
    contents = world.brain.contents()

    for dso in DSOS:
        assert set(world.current(DSO_ASSETS, dso)) == contents["grid"].get(dso, set())
        for asset, row in world.current(DSO_ASSETS, dso).items():
            held = contents["resources"][asset]
            assert (row.point, row.capability) == (held.point, held.capability)
    for operator in OPERATORS:
        held_by = {asset for asset, held in contents["resources"].items() if held.operator == operator}
        assert set(world.current(AGR_ASSETS, operator)) == held_by


@HISTORIES
@given(histories())
def test_r23_r25_a_dso_has_exactly_the_plans_ahead_of_assets_on_its_grid(history: list[Step]) -> None:
    world = Player().play(history)
    contents = world.brain.contents()
    plans: dict[tuple[Identifier, str, Identifier], PlanState] = contents["plans"]

    for dso in DSOS:
        shown = [row for row in world.current(DSO_SCHEDULES, dso).values() if not row.withdrawn]
        ahead = [(row.resource, row.periods) for row in shown if row.periods[-1].interval.end > world.now]
        due = [
            (key[2], plan.periods)
            for key, plan in plans.items()
            if plan.interval.end > world.now and key[2] in contents["grid"].get(dso, set())
        ]
        assert sorted(ahead, key=repr) == sorted(due, key=repr)


@HISTORIES
@given(histories())
def test_r23_no_asset_has_two_plans_for_one_instant(history: list[Step]) -> None:
    plans = Player().play(history).brain.contents()["plans"]

    spans = [(key[2], period.interval) for key, plan in plans.items() for period in plan.periods]
    for index, (asset, one) in enumerate(spans):
        assert not any(other[0] == asset and one.overlaps(other[1]) for other in spans[:index])


@HISTORIES
@given(histories())
def test_r6_r17_r18_each_part_of_a_live_limit_is_with_whoever_operates_its_asset(history: list[Step]) -> None:
    world = Player().play(history)
    contents = world.brain.contents()
    limits: dict[tuple[Identifier, str], LimitState] = contents["limits"]

    held: dict[tuple[tuple[Identifier, str], Identifier], AgrLimit] = {
        key: copy.content for key, copy in contents["copies"].items()
    }
    for key, limit in limits.items():
        if not limit.is_live(world.now):
            continue
        due = {(part.resource, operator_of(contents, part.resource, key[0])) for part in limit.parts}
        has = {
            (part.resource, audience)
            for (owner, audience), copy in held.items()
            if owner == key and not copy.cancelled
            for part in parts_of(copy)
        }
        assert has == {(resource, operator) for resource, operator in due if operator is not None}


def parts_of(copy: AgrLimit) -> tuple[AssetShare | AssetOrder, ...]:
    return copy.shares or copy.orders


def operator_of(contents: dict[str, Any], resource: Identifier, dso: Identifier) -> Identifier | None:
    """Who operates an asset, as long as it is on this DSO's grid."""
    held = contents["resources"].get(resource)
    if held is None or resource not in contents["grid"].get(dso, ()):
        return None
    operator: Identifier = held.operator
    return operator


@HISTORIES
@given(histories())
def test_r18_r32_revisions_of_a_copy_count_without_gaps(history: list[Step]) -> None:
    world = Player().play(history)

    for operator in OPERATORS:
        last: dict[str, AgrLimit] = {}
        for row in world.feed(AGR_LIMITS, operator):
            before, now = last.get(row.key), row.payload
            assert row.key == now.mrid
            assert row.send is not None
            if row.send.business_type == "TPS-RESPONSE":
                assert now == before
            else:
                assert now.revision == (before.revision + 1 if before else 1)
                assert before is None or structs.replace(now, revision=before.revision) != before
            last[row.key] = now


def test_the_setting_gives_histories_something_to_meet() -> None:
    world = Player().play(setting(*OPERATORS))

    assert all(world.current(DSO_ASSETS, dso) for dso in DSOS)
    assert all(len(world.current(AGR_ASSETS, operator)) == 3 for operator in OPERATORS)
