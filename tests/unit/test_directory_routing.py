"""Which path a message takes: the table of MADES 4.5.11, and every window's edges."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from hub.clock import ORIGIN
from hub.directory import routing
from hub.directory.values import (
    ComponentRecord,
    Configuration,
    MessagePath,
    Party,
    Restriction,
)
from hub.mades.errors import MadesError
from tests.directory_world import (
    BROKER,
    BROKER_CONFIGURATION,
    CONTACT,
    DIRECTORY,
    HUB,
    NORTH,
    SOUTH,
    configured,
    over_broker,
)

HOUR = timedelta(hours=1)


def chosen(*paths: MessagePath, kind: str = "TPS-ACK", sender: str = HUB, at_h: float = 0) -> MessagePath:
    return routing.select(paths, sender=sender, message_type=kind, at=ORIGIN + at_h * HOUR)


def refused(*paths: MessagePath, kind: str = "TPS-ACK", sender: str = HUB, at_h: float = 0) -> str:
    with pytest.raises(MadesError) as caught:
        chosen(*paths, kind=kind, sender=sender, at_h=at_h)
    return caught.value.code


@pytest.mark.parametrize(
    ("declared", "message_type", "winner"),
    [
        (["*", "TPS-*", "TPS-ACK*", "TPS-ACK"], "TPS-ACK", "TPS-ACK"),
        (["*", "TPS-*", "TPS-ACK*"], "TPS-ACK", "TPS-ACK*"),
        (["*", "T*", "TPS-*"], "TPS-ACK", "TPS-*"),
        (["*", "TPS-ASSETS"], "TPS-ACK", "*"),
        (["TPS-ACKS*", "*"], "TPS-ACK", "*"),
        (["TPS-ACK", "TPS-ACK*"], "TPS-ACKS", "TPS-ACK*"),
        (["A*", "AB*", "ABC*"], "AB", "AB*"),
    ],
)
def test_the_most_specific_type_decides_whatever_the_order(declared: list[str], message_type: str, winner: str) -> None:
    paths = [over_broker(kind) for kind in declared]

    assert chosen(*paths, kind=message_type).message_type == winner
    assert chosen(*reversed(paths), kind=message_type).message_type == winner


def test_without_a_path_for_type_and_time_there_is_none() -> None:
    assert refused() == "E-NO-PATH"
    assert refused(over_broker("TPS-ASSETS")) == "E-NO-PATH"
    assert refused(over_broker("*", start=ORIGIN + HOUR)) == "E-NO-PATH"


def test_a_path_that_does_not_allow_the_sender_is_not_replaced_by_a_wider_one() -> None:
    paths = over_broker("*"), over_broker("TPS-ACK", NORTH)

    assert refused(*paths, sender=SOUTH) == "E-SENDER-NOT-ALLOWED"
    assert chosen(*paths, sender=NORTH).message_type == "TPS-ACK"
    assert chosen(*paths, sender=SOUTH, kind="TPS-ASSETS").message_type == "*"


def test_a_specific_path_out_of_its_time_leaves_the_wider_one() -> None:
    paths = over_broker("*"), over_broker("TPS-ACK", NORTH, start=ORIGIN + HOUR, end=ORIGIN + 2 * HOUR)

    found = [chosen(*paths, at_h=at_h, sender=NORTH).message_type for at_h in (0.99, 1, 1.99, 2)]

    assert found == ["*", "TPS-ACK", "TPS-ACK", "*"]


def test_paths_of_one_type_may_follow_but_not_overlap_each_other() -> None:
    first = over_broker("TPS-ACK", end=ORIGIN + HOUR)

    assert routing.conflict([first, over_broker("TPS-ACK", start=ORIGIN + HOUR)]) is None
    assert routing.conflict([first, over_broker("TPS-*")]) is None
    clash = routing.conflict([first, over_broker("TPS-ACK", NORTH, start=ORIGIN + HOUR / 2)])
    assert clash is not None
    assert clash.startswith("Two paths for TPS-ACK hold at the same time")
    assert routing.conflict([over_broker("TPS-ACK"), over_broker("TPS-ACK", start=ORIGIN + 999 * HOUR)]) is not None


def record(code: str, party: Party, configuration: Configuration) -> ComponentRecord:
    return ComponentRecord(
        code=code,
        party=party,
        contact=CONTACT,
        configuration=configuration,
        certificates=(),
        created=ORIGIN,
        modified=ORIGIN,
        directory=DIRECTORY,
    )


def routed(
    *,
    hub: Configuration | None = None,
    north: Configuration | None = None,
    broker: Configuration | None = BROKER_CONFIGURATION,
    receiver: str = HUB,
) -> str:
    """The broker, or the code of the error."""
    records = {
        HUB: record(HUB, Party.HUB, hub or configured()),
        NORTH: record(NORTH, Party.DSO, north or configured()),
    }
    if broker:
        records[BROKER] = record(BROKER, Party.BROKER, broker)
    try:
        return routing.route(records, sender=NORTH, receiver=receiver, message_type="TPS-POINTS", at=ORIGIN)
    except MadesError as error:
        return error.code


def test_a_message_takes_the_broker_that_the_receiver_has_named() -> None:
    assert routed() == BROKER


def test_who_is_not_in_the_directory_or_no_endpoint_cannot_be_sent_to() -> None:
    assert routed(receiver=SOUTH) == "E-UNKNOWN-RECEIVER"
    assert routed(receiver=BROKER) == "E-UNKNOWN-RECEIVER"


def test_a_path_over_a_broker_that_does_not_carry_it_is_invalid() -> None:
    def restricted(**limits: tuple[str, ...]) -> Configuration:
        return replace(BROKER_CONFIGURATION, restriction=Restriction(**limits))

    assert routed(broker=None) == "E-PATH-INVALID"
    assert routed(broker=restricted(components=(SOUTH,))) == "E-PATH-INVALID"
    assert routed(broker=restricted(message_types=("TPS-A*",))) == "E-PATH-INVALID"
    assert routed(broker=restricted(components=(NORTH,), message_types=("TPS-P*",))) == BROKER
    assert routed(hub=configured(replace(over_broker(), broker=None))) == "E-PATH-INVALID"


def test_both_ends_share_a_network_with_the_broker() -> None:
    assert routed(north=configured(networks=("island",))) == "E-PATH-INVALID"
    assert routed(hub=configured(networks=("island",))) == "E-PATH-INVALID"
    assert routed(hub=configured(networks=("island", "internet"))) == BROKER
