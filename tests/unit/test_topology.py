"""What has to stand at the broker, compiled from the access table (hub.mades.topology)."""

import re

import msgspec
import pytest

from hub.mades.paths import DEAD_LETTERS, DELIVERY_LIMIT, Party
from hub.mades.topology import DEAD_ARGUMENTS, QUEUE_ARGUMENTS, Registered, compile_topology, owner_of

HUB = Registered(code="A01:HUB", party=Party.HUB, suffix="0" * 16)
NORTH = Registered(code="A01:NORTH", party=Party.DSO, suffix="1" * 16)
ALPHA = Registered(code="A10:ALPHA", party=Party.AGR, suffix="a" * 16)


def test_r28_every_component_has_an_urgent_and_a_bulk_queue_with_an_unguessable_name() -> None:
    topology = compile_topology([HUB, NORTH])

    assert [queue.name for queue in topology.queues] == [
        "mades.ep.A01:HUB.urgent.0000000000000000",
        "mades.ep.A01:HUB.bulk.0000000000000000",
        "mades.ep.A01:NORTH.urgent.1111111111111111",
        "mades.ep.A01:NORTH.bulk.1111111111111111",
    ]
    assert "A01:NORTH.*.STD.TPS-ASSETS" in topology.queues[3].bindings


def test_nf3_a_component_reads_its_own_queues_and_no_other() -> None:
    topology = compile_topology([HUB, NORTH, ALPHA])

    for code, rules in topology.users.items():
        readable = [queue.name for queue in topology.queues if re.search(rules.read, queue.name)]
        assert [owner_of(name) for name in readable] == [code, code]
        assert not re.search(rules.read, DEAD_LETTERS)


def test_a_revoked_component_keeps_its_queues_and_is_no_user_and_nobodys_partner() -> None:
    revoked = msgspec.structs.replace(NORTH, revoked=True)

    topology = compile_topology([HUB, revoked, ALPHA])

    assert topology.users.keys() == {"A01:HUB", "A10:ALPHA"}
    assert sum(owner_of(queue.name) == "A01:NORTH" for queue in topology.queues) == 2
    assert not re.search(topology.users["A01:HUB"].topic, "A01:NORTH.A01:HUB.STD.TPS-ASSETS")
    assert re.search(topology.users["A01:HUB"].topic, "A10:ALPHA.A01:HUB.STD.TPS-FORESEEN")


def test_nothing_is_left_to_what_a_version_of_rabbitmq_takes_for_granted() -> None:
    assert QUEUE_ARGUMENTS["x-delivery-limit"] == DELIVERY_LIMIT
    assert QUEUE_ARGUMENTS["x-dead-letter-exchange"] == DEAD_LETTERS
    # At-least-once dead letters need a quorum queue that refuses when it is full.
    assert QUEUE_ARGUMENTS["x-dead-letter-strategy"] == "at-least-once"
    assert QUEUE_ARGUMENTS["x-overflow"] == "reject-publish"
    assert {arguments["x-queue-type"] for arguments in (QUEUE_ARGUMENTS, DEAD_ARGUMENTS)} == {"quorum"}
    # 4.x would drop a dead letter that was looked at twenty times.
    assert int(DEAD_ARGUMENTS["x-delivery-limit"]) > 10**9


def test_exactly_one_component_is_the_hub() -> None:
    with pytest.raises(ValueError, match="0 components are the HUB; expected exactly one"):
        compile_topology([NORTH])
    with pytest.raises(ValueError, match="2 components are the HUB"):
        compile_topology([HUB, msgspec.structs.replace(HUB, code="A01:SECOND")])


def test_a_code_stands_once() -> None:
    with pytest.raises(ValueError, match="A01:NORTH is named more than once"):
        compile_topology([HUB, NORTH, msgspec.structs.replace(NORTH, suffix="2" * 16)])


@pytest.mark.parametrize(
    "text",
    [
        b'{"code": "A01.NORTH", "party": "DSO", "suffix": "1111111111111111"}',
        b'{"code": "A01:NORTH", "party": "DSO", "suffix": "short"}',
        b'{"code": "A01:NORTH", "party": "TSO", "suffix": "1111111111111111"}',
        b'{"code": "A01:NORTH", "party": "DSO", "suffix": "1111111111111111", "password": "x"}',
    ],
)
def test_a_component_that_does_not_fit_is_not_read(text: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Registered)


@pytest.mark.parametrize("name", [DEAD_LETTERS, "mades.ep.", "amq.gen-x", "mades.ep.A01:NORTH"])
def test_other_queues_belong_to_no_component(name: str) -> None:
    assert owner_of(name) is None
