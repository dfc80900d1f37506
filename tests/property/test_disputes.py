"""What an auditor is told of random histories agrees with what the hub did (R16, R29)."""

from hypothesis import given

from hub.brain import BrainSettings, HubBrain
from hub.events import LimitAnnounced
from hub.history.division import Divisions, shares_of
from hub.history.knowledge import Learner
from hub.ports import OPERATOR
from tests.hub_strategies import Player, Step, histories
from tests.hub_world import HUB, SECRET, World


def brain() -> HubBrain:
    return HubBrain(BrainSettings(HUB, SECRET))


@given(histories())
def test_r16_every_division_the_hub_made_is_computed_anew_without_a_difference(history: list[Step]) -> None:
    world = Player().play(history)
    announced = [one.event for one in world.log if isinstance(one.event, LimitAnnounced)]

    for event in {(event.dso, event.mrid): event for event in announced}.values():
        divisions = Divisions(brain(), event.mrid, dso=event.dso)
        for recorded in world.log:
            divisions.take(recorded)

        assert [one.differences for one in divisions.found] == [()] * len(divisions.found)
        assert divisions.found[-1].revision == event.revision
        for series in divisions.found[-1].series:
            assert all(sum(shares_of(total.steps).values()) == total.expected for total in series.totals)


@given(histories())
def test_r29_what_a_participant_is_said_to_have_is_what_its_lists_hold(history: list[Step]) -> None:
    world = Player().play(history)

    for who in {row.audience for row in world.rows} - {OPERATOR}:
        learner = Learner(brain(), who, world.now, (), ())
        for recorded in world.log:
            learner.take(recorded)
        views = learner.learned().views

        assert {view.view: {row.key: row.at_hub.payload for row in view.rows} for view in views if view.rows} == held(
            world, who
        )


def held(world: World, who: str) -> dict[str, dict[str, object]]:
    """View -> key -> payload of what an audience has now."""
    found: dict[str, dict[str, object]] = {}
    for row in world.rows:
        if row.audience == who:
            found.setdefault(row.view, {}).pop(row.key, None)
            if row.payload is not None:
                found[row.view][row.key] = row.payload
    return {view: rows for view, rows in found.items() if rows}
