"""Leaks planted on purpose must be caught: a proof that the privacy checks can fail (R36, R38)."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest
from msgspec import structs

from documents.values import Identifier
from hub.aggregates.placement import placement
from hub.brain import PROJECTIONS, Projection
from hub.events import (
    DocumentAnswered,
    Event,
    HolderConflictNoted,
    LimitAnnounced,
    ResourceRegistered,
    ScheduleSubmitted,
)
from hub.ports import Recorded, Row
from hub.projections import acknowledgements, agr_limits, dso_assets, dso_schedules
from hub.state import HubState
from hub.values import Direction
from tests.canary import Canary, Leak
from tests.hub_strategies import (
    ALPHA,
    BRAVO,
    CAST,
    NORTH,
    OPERATORS,
    WORDS,
    Player,
    Step,
    assets_of,
    points_of,
    setting,
)

TOTAL: Final = 777_777
"""Digits that no share of it has."""
SHARED: Final = (assets_of(ALPHA)[0], assets_of(BRAVO)[0])
DAY: Final = (
    *setting(*OPERATORS),
    Step("register", BRAVO, (assets_of(ALPHA)[0],), (points_of(NORTH)[0],), watts=(5, 5)),
    Step("register", ALPHA, (assets_of(ALPHA)[0],), (points_of(NORTH)[0],), watts=(1_000_000, 0)),
    Step("plan", ALPHA, (assets_of(ALPHA)[1],), number=1, watts=(40,), start_h=1),
    Step("announce", NORTH, SHARED, number=1, watts=(TOTAL, 333), start_h=1, direction=Direction.PRODUCTION),
    Step("announce", NORTH, SHARED, number=1, watts=(TOTAL, 40), start_h=1, direction=Direction.PRODUCTION),
    Step("cancel", NORTH, number=1),
    Step("ask assets", NORTH),
)
"""A day on which everything happens that the leaks below are about."""

Leaky = Callable[[Recorded[Event], HubState, Row], Row]


def spoiled(projection: Projection, spoil: Leaky) -> Sequence[Projection]:
    """All projections, with the rows of one of them changed on their way out."""

    def leaky(recorded: Recorded[Event], state: HubState) -> Sequence[Row]:
        return [spoil(recorded, state, row) if row.payload else row for row in projection(recorded, state)]

    return [leaky if one is projection else one for one in PROJECTIONS]


def with_payload(row: Row, **changed: Any) -> Row:  # fields of the payload
    return structs.replace(row, payload=structs.replace(row.payload, **changed))


def operator_in_asset(recorded: Recorded[Event], state: HubState, row: Row) -> Row:
    event = recorded.event
    return with_payload(row, voltage=event.operator) if isinstance(event, ResourceRegistered) else row


def operator_in_group(recorded: Recorded[Event], state: HubState, row: Row) -> Row:
    operator = placement(state, row.payload.resource).operator
    return structs.replace(row, group=operator or row.group)


def source_mrid_as_series(recorded: Recorded[Event], state: HubState, row: Row) -> Row:
    event = recorded.event
    return with_payload(row, series=event.mrid) if isinstance(event, ScheduleSubmitted) else row


def schedule_to_everybody(recorded: Recorded[Event], state: HubState, row: Row) -> Row:
    return structs.replace(row, audience=BRAVO)


def dsos_text(recorded: Recorded[Event], state: HubState, row: Row) -> Row:
    event = recorded.event
    told = tuple(reason.text or "" for reason in event.reasons) if isinstance(event, LimitAnnounced) else ()
    return with_payload(row, reason_codes=told)


def dso_as_document(recorded: Recorded[Event], state: HubState, row: Row) -> Row:
    assert row.send is not None
    return structs.replace(row, send=structs.replace(row.send, document=f"{NORTH}/1"))


def everybodys_shares(recorded: Recorded[Event], state: HubState, row: Row) -> Row:
    event = recorded.event
    return with_payload(row, shares=event.shares) if isinstance(event, LimitAnnounced) else row


def the_total(recorded: Recorded[Event], state: HubState, row: Row) -> Row:
    event = recorded.event
    if not isinstance(event, LimitAnnounced):
        return row
    return with_payload(row, reason_codes=(str(event.series[0].periods[0].points[0].quantity),))


def holder_in_refusal(recorded: Recorded[Event], state: HubState, row: Row) -> Row:
    event = recorded.event
    if not isinstance(event, DocumentAnswered) or not event.rejected:
        return row
    subject = Identifier(f"NDK:{event.rejected[0].mrid}")
    return with_payload(row, role=placement(state, subject).operator)


@pytest.mark.parametrize(
    ("projection", "spoil"),
    [
        (dso_assets.rows, operator_in_asset),
        (dso_assets.rows, operator_in_group),
        (dso_schedules.rows, source_mrid_as_series),
        (dso_schedules.rows, schedule_to_everybody),
        (agr_limits.rows, dsos_text),
        (agr_limits.rows, dso_as_document),
        (agr_limits.rows, everybodys_shares),
        (agr_limits.rows, the_total),
        (acknowledgements.rows, holder_in_refusal),
    ],
)
def test_r38_a_planted_leak_is_caught(projection: Projection, spoil: Leaky) -> None:
    canary = Canary(WORDS, {str(TOTAL): NORTH})
    world = Player(canary, projections=spoiled(projection, spoil)).play(DAY)

    with pytest.raises(Leak):
        canary.check_rows(world.rows)


def test_r38_the_same_day_without_a_leak_is_clean() -> None:
    canary = Canary(WORDS, {str(TOTAL): NORTH})
    world = Player(canary).play(DAY)

    canary.check_rows(world.rows)
    assert any(isinstance(recorded.event, HolderConflictNoted) for recorded in world.log)
    assert {row.audience for row in world.rows} >= {NORTH, ALPHA, BRAVO}


def test_r38_leaks_are_found_in_bytes_and_text_and_known_ids_are_not_leaks() -> None:
    canary = Canary({NORTH: "NORTH", ALPHA: "ALPHA"})
    canary.may_know(NORTH, "NDK:asset-ALPHA-1")

    canary.check(NORTH, b"<mRID>asset-ALPHA-1</mRID>")
    canary.check(NORTH, "GET /assets/NDK:asset-ALPHA-1 for NORTH")
    for leak in ("asset-ALPHA-2", b"<text>ALPHA</text>", {"headers": ["asset-ALPHA-1", "x-ALPHA"]}):
        with pytest.raises(Leak, match="ALPHA"):
            canary.check(NORTH, leak)


def dsos_revision(recorded: Recorded[Event], state: HubState, row: Row) -> Row:
    event = recorded.event
    return with_payload(row, revision=event.revision) if isinstance(event, LimitAnnounced) else row


def position_in_log(recorded: Recorded[Event], state: HubState, row: Row) -> Row:
    return with_payload(row, reason_codes=(str(recorded.position),))


def assets_counted(recorded: Recorded[Event], state: HubState, row: Row) -> Row:
    return with_payload(row, reason_codes=(str(len(state.resources)),))


@pytest.mark.parametrize("spoil", [position_in_log, assets_counted])
def test_r36_a_number_that_depends_on_others_is_caught_by_playing_without_them(spoil: Leaky) -> None:
    own = Step("announce", NORTH, assets_of(BRAVO)[:2], number=1, watts=(40, 40), start_h=1)
    history = [*setting(*OPERATORS), own]
    projections = spoiled(agr_limits.rows, spoil)
    only = frozenset(CAST) - {ALPHA}

    everybody = Player(projections=projections).play(history)
    without = Player(projections=projections).play(history, only=only)

    assert [row for row in everybody.rows if row.audience == BRAVO] != [
        row for row in without.rows if row.audience == BRAVO
    ]


def test_r18_the_dsos_own_revision_in_a_copy_is_caught() -> None:
    """An AGR that joins a limit late would learn that there were revisions before it."""
    history = [
        *setting(ALPHA, BRAVO),
        Step("announce", NORTH, assets_of(ALPHA)[:1], number=1, watts=(40, 40), start_h=1),
        Step("announce", NORTH, assets_of(BRAVO)[:1], number=1, watts=(40, 40), start_h=1),
    ]

    honest = Player().play(history)
    leaky = Player(projections=spoiled(agr_limits.rows, dsos_revision)).play(history)

    assert [row.payload.revision for row in honest.feed("agr_limits", BRAVO)] == [1]
    assert [row.payload.revision for row in leaky.feed("agr_limits", BRAVO)] != [1]
