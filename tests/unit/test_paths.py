"""Who may send what to whom (R27), and the names at the broker (R28)."""

import re
from datetime import timedelta

import pytest

from hub.mades.message import URGENT, BusinessType, InternalType
from hub.mades.paths import CARRIAGE, Party, access, allowed, bindings, queue_name, queue_suffix, routing_key
from hub.ports import Queue

TO_HUB = {
    Party.DSO: {"TPS-POINTS", "TPS-FORESEEN", "TPS-UNFORESEEN", "TPS-REQUEST", "TPS-ACK"},
    Party.AGR: {"TPS-ASSETS", "TPS-SCHEDULES", "TPS-REQUEST", "TPS-ACK"},
}
FROM_HUB = {
    Party.DSO: {"TPS-ASSETS", "TPS-SCHEDULES", "TPS-RESPONSE", "TPS-ACK"},
    Party.AGR: {"TPS-FORESEEN", "TPS-UNFORESEEN", "TPS-RESPONSE", "TPS-ACK"},
}


def matches(binding: str, key: str) -> bool:
    """A topic binding as AMQP reads it."""
    words, wanted = key.split("."), binding.split(".")
    return len(words) == len(wanted) and all(want in ("*", word) for want, word in zip(wanted, words, strict=True))


@pytest.mark.parametrize("kind", BusinessType)
@pytest.mark.parametrize("party", [Party.DSO, Party.AGR])
def test_r27_each_type_goes_the_ways_of_the_table_and_no_other(party: Party, kind: BusinessType) -> None:
    assert allowed(kind, sender=party, receiver=Party.HUB) == (kind in TO_HUB[party])
    assert allowed(kind, sender=Party.HUB, receiver=party) == (kind in FROM_HUB[party])


@pytest.mark.parametrize("kind", BusinessType)
def test_f1_no_type_goes_between_participants(kind: BusinessType) -> None:
    participants = [Party.DSO, Party.AGR, Party.BRP]

    assert not any(allowed(kind, sender=one, receiver=other) for one in participants for other in participants)


@pytest.mark.parametrize("kind", BusinessType)
def test_r1_a_brp_that_operates_assets_has_the_ways_of_an_agr(kind: BusinessType) -> None:
    for sender, receiver in ((Party.BRP, Party.HUB), (Party.HUB, Party.BRP)):
        as_agr = tuple(Party.AGR if party is Party.BRP else party for party in (sender, receiver))
        assert allowed(kind, sender=sender, receiver=receiver) == allowed(kind, sender=as_agr[0], receiver=as_agr[1])


def test_an_unknown_type_has_no_path() -> None:
    assert not allowed("TPS-OTHER", sender=Party.AGR, receiver=Party.HUB)


def test_r27_time_to_live_and_queue_of_each_type() -> None:
    day, quarter = timedelta(hours=24), timedelta(minutes=15)

    assert {kind.value: (carriage.ttl, carriage.queue.value) for kind, carriage in CARRIAGE.items()} == {
        "TPS-ASSETS": (day, "bulk"),
        "TPS-POINTS": (day, "bulk"),
        "TPS-FORESEEN": (None, "urgent"),
        "TPS-UNFORESEEN": (None, "urgent"),
        "TPS-SCHEDULES": (None, "bulk"),
        "TPS-REQUEST": (quarter, "bulk"),
        "TPS-RESPONSE": (quarter, "bulk"),
        "TPS-ACK": (day, "urgent"),
    }
    assert {kind for kind, carriage in CARRIAGE.items() if carriage.queue is Queue.URGENT} == URGENT


@pytest.mark.parametrize("kind", BusinessType)
@pytest.mark.parametrize("internal_type", InternalType)
def test_r28_every_key_leads_to_exactly_one_queue_of_its_receiver(
    internal_type: InternalType, kind: BusinessType
) -> None:
    key = routing_key(receiver="A01:HUB", sender="A01:NORTH", internal_type=internal_type, business_type=kind)

    leading = [queue for queue in Queue if any(matches(each, key) for each in bindings("A01:HUB", queue))]

    urgent = kind in URGENT or internal_type is not InternalType.STANDARD
    assert leading == [Queue.URGENT if urgent else Queue.BULK]
    assert not any(matches(each, key) for queue in Queue for each in bindings("A01:NORTH", queue))


def test_f1_a_participant_writes_as_itself_to_the_hub_and_reads_its_own() -> None:
    rules = access("A01:NORTH", Party.DSO, hub="A01:HUB", queues=["mades.ep.A01:NORTH.bulk.1"])

    assert re.fullmatch(rules.topic, "A01:HUB.A01:NORTH.STD.TPS-POINTS")
    assert re.fullmatch(rules.topic, "A01:HUB.A01:NORTH.ACK.TPS-ASSETS")
    for key in (
        "A01:HUB.A01:NORTH.STD.TPS-SCHEDULES",
        "A01:HUB.A01:SOUTH.STD.TPS-POINTS",
        "A01:SOUTH.A01:NORTH.STD.TPS-POINTS",
        "A01:HUB.A01:NORTH.STD.TPS-POINTS.x",
        "A01:HUB.A01:NORTH.ACK.TPS-ASSETS\n",
    ):
        assert not re.fullmatch(rules.topic, key)
    assert re.fullmatch(rules.read, "mades.ep.A01:NORTH.bulk.1")
    assert not re.fullmatch(rules.read, "mades.ep.A01:NORTHxbulk.1")
    assert not re.fullmatch(rules.write, "amq.default")
    assert not re.fullmatch(rules.configure, "anything")


def test_f1_the_hub_writes_as_itself_to_its_partners_only() -> None:
    rules = access("A01:HUB", Party.HUB, hub="A01:HUB", queues=[], partners=["A01:NORTH"])

    assert re.fullmatch(rules.topic, "A01:NORTH.A01:HUB.STD.TPS-ASSETS")
    assert not re.fullmatch(rules.topic, "A01:SOUTH.A01:HUB.STD.TPS-ASSETS")
    assert not re.fullmatch(rules.topic, "A01:NORTH.A01:SOUTH.STD.TPS-ASSETS")


def test_a_hub_without_partners_writes_to_nobody() -> None:
    rules = access("A01:HUB", Party.HUB, hub="A01:HUB", queues=[])

    assert not re.fullmatch(rules.topic, ".A01:HUB.STD.TPS-ACK")


def test_nf3_the_name_of_a_queue_follows_from_the_password_and_from_nothing_else() -> None:
    name = queue_name("A01:NORTH", Queue.BULK, suffix=queue_suffix("A01:NORTH", "secret"))

    assert name == queue_name("A01:NORTH", Queue.BULK, suffix=queue_suffix("A01:NORTH", "secret"))
    assert name != queue_name("A01:NORTH", Queue.BULK, suffix=queue_suffix("A01:NORTH", "other"))
    assert re.fullmatch(r"mades\.ep\.A01:NORTH\.bulk\.[0-9a-f]{16}", name)
