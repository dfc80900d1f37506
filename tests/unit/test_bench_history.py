"""The log that `make bench` rebuilds is made of what the hub takes: refusals cost little, and would flatter it."""

from datetime import timedelta

import pytest

from hub.brain import BrainSettings, HubBrain
from hub.events import DocumentAnswered, ScheduleSubmitted
from tests.bench import history
from tests.hub_world import HUB, SECRET


def test_the_hub_refuses_nothing_of_a_history_however_many_limits_are_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "LIMIT_EVERY", 1)

    *_, last = history.batches(HubBrain(BrainSettings(HUB, SECRET)), 15_000)

    assert last.at > history.BEGIN + timedelta(days=1)


def test_documents_after_the_end_of_a_history_are_taken_too() -> None:
    brain = HubBrain(BrainSettings(HUB, SECRET))
    *_, last = history.batches(brain, 3_000)
    document = history.plans(history.first_about(last.at + timedelta(days=2)))

    *plans, verdict = history.taken(brain.decide(document, last.at))

    assert len(plans) == history.PLANS_EACH
    assert {type(plan) for plan in plans} == {ScheduleSubmitted}
    assert isinstance(verdict, DocumentAnswered)


def test_a_refusal_ends_the_measurement() -> None:
    nobody_yet = HubBrain(BrainSettings(HUB, SECRET))

    with pytest.raises(RuntimeError, match="refuses a made-up document"):
        history.taken(nobody_yet.decide(history.plans(1), history.BEGIN))
