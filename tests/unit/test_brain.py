"""The door of the pure core: topics, streams, the log's language, keyed mRIDs."""

from typing import Any, get_args

import msgspec
import pytest

from hub import events
from hub.brain import BrainSettings, HubBrain, keyed_mrid
from hub.errors import UnknownEvent
from hub.events import AlarmRaised, Event, ParticipantAdded, PointRemoved
from hub.values import Action, Role
from tests.hub_world import ALPHA, BRAVO, HUB, NOON, NORTH, SECRET, World, asset, point


def brain() -> HubBrain:
    return HubBrain(BrainSettings(HUB, SECRET))


@pytest.fixture(scope="module")
def eventful() -> World:
    """A world in which nearly everything has happened."""
    world = World()
    world.claim(NORTH, "n1", "n2")
    world.register(ALPHA, "a1", "n1", produces=1000)
    world.register(BRAVO, "a1", "n1", produces=1000)
    world.plan(ALPHA, "plan", 1, {"a1": 5})
    world.plan(ALPHA, "plan", 2, {"a1": None})
    world.announce(NORTH, "limit", 1, ["a1"], 10)
    world.order(NORTH, "fire", 1, [("a1", Action.STOP)])
    world.cancel(NORTH, "fire", 2)
    world.ask(NORTH, "A95", mrid="ask", content="x")
    world.ask(NORTH, "A95", mrid="ask", content="x")
    world.hand_over("a1", BRAVO)
    world.unclaim(NORTH, "n2")
    world.unregister(BRAVO, "a1")
    return world


def test_every_event_has_a_topic_a_stream_and_a_stored_form_that_reads_back(eventful: World) -> None:
    for recorded in eventful.log:
        topic, state = brain().encode(recorded.event)
        name, _, version = topic.partition(".v")
        assert (name, int(version) >= 1) == (type(recorded.event).__name__, True)
        assert brain().decode(topic, state) == recorded.event
        assert "/" in brain().stream_of(recorded.event)


def test_every_kind_of_event_belongs_to_a_stream() -> None:
    from hub.brain import _STREAMS  # noqa: PLC0415 - the table is what is tested

    assert set(_STREAMS) == set(get_args(Event))


def test_events_of_one_aggregate_share_its_stream(eventful: World) -> None:
    streams = {eventful.brain.stream_of(recorded.event) for recorded in eventful.log}

    assert f"resource/{asset('a1')}" in streams
    assert f"point/{point('n1')}" in streams
    assert f"limit/{NORTH}/limit" in streams
    assert f"schedule/{ALPHA}/plan" in streams
    assert f"document/{NORTH}/ask" in streams
    assert f"participant/{ALPHA}" in streams


def test_an_event_of_a_newer_version_stops_the_program() -> None:
    with pytest.raises(UnknownEvent, match=r"LimitDreamt\.v1"):
        brain().decode("LimitDreamt.v1", b"\x80")
    with pytest.raises(UnknownEvent, match=r"PointRemoved\.v1"):
        brain().decode("PointRemoved.v1", msgspec.msgpack.encode({"type": "PointRemoved.v1", "point": 5}))


def test_an_old_event_is_lifted_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def lift_v0(old: dict[str, Any]) -> dict[str, Any]:
        return {"type": "AlarmRaised.v0b", "what": old["what"]}

    def lift_v0b(old: dict[str, Any]) -> dict[str, Any]:
        return {"type": "AlarmRaised.v1", "subject": old["what"], "text": "lifted"}

    monkeypatch.setitem(events.LIFTS, "AlarmRaised.v0", lift_v0)
    monkeypatch.setitem(events.LIFTS, "AlarmRaised.v0b", lift_v0b)
    stored = msgspec.msgpack.encode({"type": "AlarmRaised.v0", "what": "smoke"})

    assert brain().decode("AlarmRaised.v0", stored) == AlarmRaised(subject="smoke", text="lifted")


def test_a_participant_admitted_before_reasons_were_kept_has_none() -> None:
    old = {
        "type": "ParticipantAdded.v1",
        "participant": NORTH,
        "role": "DSO",
        "name": "North",
        "brp": None,
        "by": "ops",
    }

    lifted = brain().decode("ParticipantAdded.v1", msgspec.msgpack.encode(old))

    assert lifted == ParticipantAdded(participant=NORTH, role=Role.DSO, name="North", brp=None, why="", by="ops")


def test_a_lifted_event_keeps_its_instants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(events.LIFTS, "PointGone.v1", lambda old: old | {"type": "PointRemoved.v1"})
    gone = {"type": "PointGone.v1", "point": "NDK:1", "dso": NORTH, "created": NOON}

    lifted = brain().decode("PointGone.v1", msgspec.msgpack.encode(gone))

    assert lifted == PointRemoved(point=point("1"), dso=NORTH, created=NOON)


def test_r18_keyed_mrids_need_the_secret_and_do_not_collide_on_joints() -> None:
    assert len(keyed_mrid(b"k", "a", "b")) == 32
    assert keyed_mrid(b"k", "a", "b") == keyed_mrid(b"k", "a", "b")
    different = {
        keyed_mrid(b"k", "a", "b"),
        keyed_mrid(b"l", "a", "b"),
        keyed_mrid(b"k", "ab"),
        keyed_mrid(b"k", "ab", ""),
        keyed_mrid(b"k", "", "ab"),
    }
    assert len(different) == 5


def test_a_batch_that_did_not_commit_is_taken_back(eventful: World) -> None:
    world = World()
    for recorded in eventful.log[5:]:
        savepoint, before = world.brain.savepoint(), world.brain.contents()
        world.brain.evolve(recorded)
        world.brain.rollback(savepoint)
        assert world.brain.contents() == before
        world.brain.evolve(recorded)

    assert world.brain.contents() == eventful.brain.contents()


@pytest.mark.parametrize("assets", [10, 500])
def test_taking_back_a_message_costs_the_same_however_many_assets_there_are(assets: int) -> None:
    world = World()
    world.claim(NORTH, "n1")
    for number in range(assets):
        world.register(ALPHA, f"asset {number}", "n1", produces=10)

    world.brain.savepoint()
    world.register(BRAVO, "one more", "n1", produces=10)

    assert world.brain.undoable == 7
