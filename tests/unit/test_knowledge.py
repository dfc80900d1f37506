"""What a participant knew at an instant: its rows, and whether they had reached it (R29)."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest

from documents.values import Identifier, Instant
from hub.brain import BrainSettings, HubBrain
from hub.history.evidence import Sent, Told
from hub.history.knowledge import Knowledge, KnownRow, Learner
from hub.ports import FeedSlice, MessageState, TraceStep
from hub.rows import AGR_ASSETS, AGR_LIMITS, DSO_ASSETS, AgrLimit
from tests.hub_world import ALPHA, BRAVO, HUB, NOON, NORTH, SECRET, World, asset

SECOND = timedelta(seconds=1)


def message(view: str, audience: Identifier, after: int, upto: int, **at: Instant) -> Sent:
    """A message of the hub with these rows; its steps by name in small letters."""
    trace = tuple(TraceStep(at=when, component="somebody", state=state.upper()) for state, when in at.items())
    return Sent(
        message_id=f"m{upto}",
        receiver=audience,
        business_type="TPS-FORESEEN",
        document="d",
        accepted=NOON,
        state=MessageState.RECEIVED,
        reason=None,
        source=FeedSlice(view, audience, after, upto),
        digest=None,
        trace=trace,
    )


def numbered(world: World, who: Identifier, corrections: Sequence[Told]) -> list[Told]:
    """The rows of an audience as its live feeds have them; a correction moves what follows it."""
    brain, told = HubBrain(BrainSettings(HUB, SECRET)), list[Told]()
    for recorded in world.log:
        for row in brain.rows(recorded):
            if row.audience == who:
                before = [one for one in (*told, *corrections) if one.view == row.view]
                number = 1 + max((one.sequence for one in before if one.position < recorded.position), default=0)
                number = max(number, 1 + max((one.sequence for one in told if one.view == row.view), default=0))
                told.append(Told(row.view, row.key, recorded.position, number))
        brain.evolve(recorded)
    return [*told, *corrections]


def learned(
    world: World,
    who: Identifier,
    at: Instant,
    messages: Sequence[Sent] = (),
    corrections: Sequence[Told] = (),
) -> Knowledge:
    learner = Learner(HubBrain(BrainSettings(HUB, SECRET)), who, at, messages, numbered(world, who, corrections))
    for recorded in world.log:
        if recorded.at <= at:
            learner.take(recorded)
    return learner.learned()


def rows(knowledge: Knowledge, view: str) -> tuple[KnownRow, ...]:
    return next((each.rows for each in knowledge.views if each.view == view), ())


@pytest.fixture
def world() -> World:
    """One limit on alpha's and bravo's assets at noon, its update one hour later."""
    world = World()
    world.claim(NORTH, "P1")
    world.register(ALPHA, "R1", "P1", produces=3000)
    world.register(BRAVO, "R2", "P1", produces=3000)
    world.announce(NORTH, "L1", 1, ["R1", "R2"], 1000)
    world.now = NOON + timedelta(hours=0.5)
    world.announce(NORTH, "L1", 2, ["R1", "R2"], 500)
    return world


def test_what_was_confirmed_by_then_was_known(world: World) -> None:
    sent = [message(AGR_LIMITS, ALPHA, 0, 1, transported=NOON + SECOND, received=NOON + 2 * SECOND)]

    (row,) = rows(learned(world, ALPHA, NOON + 3 * SECOND, sent), AGR_LIMITS)

    assert isinstance(row.at_hub.payload, AgrLimit)
    assert (row.at_hub.payload.revision, row.at_hub.confirmed) == (1, NOON + 2 * SECOND)
    assert row.known == row.at_hub


@pytest.mark.parametrize("seconds", [0, 1])
def test_what_was_on_its_way_was_not_known(world: World, seconds: int) -> None:
    sent = [message(AGR_LIMITS, ALPHA, 0, 1, transported=NOON + SECOND, received=NOON + 2 * SECOND)]

    (row,) = rows(learned(world, ALPHA, NOON + seconds * SECOND, sent), AGR_LIMITS)

    assert row.known is None
    assert row.at_hub.sent == (NOON + SECOND if seconds else None)


def test_until_an_update_is_confirmed_the_version_before_it_is_what_was_known(world: World) -> None:
    half_past = NOON + timedelta(hours=0.5)
    sent = [
        message(AGR_LIMITS, ALPHA, 0, 1, received=NOON + SECOND),
        message(AGR_LIMITS, ALPHA, 1, 2, transported=half_past, received=half_past + 5 * SECOND),
    ]

    (before,) = rows(learned(world, ALPHA, half_past + SECOND, sent), AGR_LIMITS)
    (after,) = rows(learned(world, ALPHA, half_past + 5 * SECOND, sent), AGR_LIMITS)

    assert before.known is not None
    assert (before.at_hub.payload.revision, before.known.payload.revision) == (2, 1)
    assert after.known is not None
    assert (after.at_hub.payload.revision, after.known.payload.revision) == (2, 2)


def test_a_withdrawal_on_its_way_leaves_the_participant_with_what_it_knew(world: World) -> None:
    world.unregister(BRAVO, "R2")
    sent = [message(DSO_ASSETS, NORTH, 0, 2, received=NOON + SECOND)]

    first, second = rows(learned(world, NORTH, NOON + timedelta(hours=1), sent), DSO_ASSETS)

    assert (first.key, first.at_hub.payload.resource) == (asset("R1"), asset("R1"))
    assert second.at_hub.payload is None
    assert second.known is not None
    assert second.known.payload.resource == asset("R2")


def test_a_confirmed_withdrawal_is_gone(world: World) -> None:
    world.unregister(BRAVO, "R2")
    sent = [message(DSO_ASSETS, NORTH, 0, 3, received=NOON + timedelta(hours=0.9))]

    assert [row.key for row in rows(learned(world, NORTH, NOON + timedelta(hours=1), sent), DSO_ASSETS)] == [
        asset("R1")
    ]


def test_what_a_participant_has_said_itself_needs_no_document(world: World) -> None:
    (row,) = rows(learned(world, ALPHA, NOON), AGR_ASSETS)

    assert row.known == row.at_hub


def test_nf3_nothing_of_another_audience_is_kept(world: World) -> None:
    text = msgspec.json.encode(learned(world, ALPHA, NOON + timedelta(hours=1))).decode()

    assert "R1" in text
    assert "R2" not in text
    assert BRAVO not in text


def test_a_document_is_told_with_its_state_at_that_instant_and_when_it_was_collected(world: World) -> None:
    copy = world.copy(ALPHA).mrid
    world.now = NOON + timedelta(hours=0.6)
    world.acknowledge(ALPHA, copy)
    sent = msgspec.structs.replace(
        message(AGR_LIMITS, ALPHA, 0, 1, delivered=NOON + SECOND, received=NOON + 2 * SECOND), document=copy
    )

    (early,) = learned(world, ALPHA, NOON + SECOND, [sent]).documents
    (late,) = learned(world, ALPHA, NOON + timedelta(hours=1), [sent]).documents

    assert (early.state, early.delivered, early.confirmed, early.collected) == ("DELIVERED", NOON + SECOND, None, None)
    assert (late.state, late.confirmed, late.collected) == (
        "RECEIVED",
        NOON + 2 * SECOND,
        NOON + timedelta(hours=0.6),
    )


def test_r32_a_correction_in_the_feed_tells_the_version_that_stood_and_moves_what_follows(world: World) -> None:
    """A rebuild appended the first version once more as number 2, so the update is number 3."""
    key, half_past = world.copy(ALPHA).mrid, NOON + timedelta(hours=0.5)
    first = next(one.position for one in world.log if "limit" in world.brain.stream_of(one.event))
    correction = Told(AGR_LIMITS, key, first + 1, 2)
    sent = [
        message(AGR_LIMITS, ALPHA, 1, 2, received=NOON + SECOND),
        message(AGR_LIMITS, ALPHA, 2, 3, transported=half_past, received=half_past + 5 * SECOND),
    ]

    (before,) = rows(learned(world, ALPHA, half_past + SECOND, sent, [correction]), AGR_LIMITS)
    (after,) = rows(learned(world, ALPHA, half_past + 5 * SECOND, sent, [correction]), AGR_LIMITS)

    assert before.known is not None
    assert (before.known.payload.revision, before.known.confirmed) == (1, NOON + SECOND)
    assert (before.at_hub.payload.revision, before.at_hub.sent) == (2, half_past)
    assert after.known == after.at_hub
