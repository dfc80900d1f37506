"""No component's copy of the directory tells of another participant (NF3, R36, R38)."""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from hub.directory import commands as c
from hub.directory.rows import REGISTRATIONS
from hub.directory.values import Party, Restriction
from hub.ports import OPERATOR
from tests.directory_world import (
    ALPHA,
    BRAVO,
    BROKER,
    BROKER_CONFIGURATION,
    DIRECTORY,
    HUB,
    NORTH,
    SOUTH,
    World,
    certificates,
    configured,
    over_broker,
)


def test_a_participants_copy_holds_itself_and_the_platform_and_the_hubs_holds_everybody() -> None:
    world = World()
    world.admit(DIRECTORY, Party.DIRECTORY)
    world.admit(BROKER, Party.BROKER)
    world.admit(ALPHA, Party.AGR)
    world.admit(HUB, Party.HUB)
    world.admit(NORTH, Party.DSO)

    assert set(world.copy(ALPHA)) == {DIRECTORY, BROKER, HUB, ALPHA}
    assert set(world.copy(NORTH)) == {DIRECTORY, BROKER, HUB, NORTH}
    assert set(world.copy(HUB)) == set(world.copy(BROKER)) == {DIRECTORY, BROKER, HUB, ALPHA, NORTH}


def everything_others_can_do(world: World) -> None:
    world.admit(BRAVO, Party.AGR)
    world.do(c.Renew(code=BRAVO, certificates=certificates()))
    world.do(c.RevokeComponent(code=BRAVO, why="x", by="y"))
    world.do(c.ReapproveComponent(code=BRAVO, why="x", by="y"))
    world.admit(SOUTH, Party.DSO, configured(over_broker("*", HUB)))


def seen_by(code: str, others: Callable[[World], None]) -> bytes:
    """Every row of one participant in a history in which others do what they do, or do not."""
    world = World()
    world.platform()
    world.admit(ALPHA, Party.AGR)
    others(world)
    world.do(c.Configure(code=HUB, configuration=configured(over_broker("TPS-*"))))
    world.do(c.Renew(code=ALPHA, certificates=()))
    rows = [(row.view, row.key, row.payload) for row in world.rows if row.audience == code]
    return msgspec.json.encode([(view, key, _without_certificates(payload)) for view, key, payload in rows])


def _without_certificates(payload: object) -> object:
    """The made-up certificates differ from world to world; who sees how many of them does not."""
    held = getattr(payload, "certificates", None)
    return payload if held is None else (replace(payload, certificates=()), len(held))  # type: ignore[type-var] # a Struct


def test_r36_what_a_participant_sees_is_the_same_whatever_others_do() -> None:
    assert seen_by(ALPHA, everything_others_can_do) == seen_by(ALPHA, lambda _: None)


def test_r38_no_row_of_a_participant_names_another() -> None:
    world = World()
    world.platform()
    world.admit(ALPHA, Party.AGR)
    world.admit(NORTH, Party.DSO)
    world.do(
        c.Configure(code=HUB, configuration=configured(over_broker("TPS-ACK", ALPHA, NORTH), over_broker("*", NORTH)))
    )
    restricted = replace(BROKER_CONFIGURATION, restriction=Restriction(components=(ALPHA, NORTH, HUB)))
    world.do(c.Configure(code=BROKER, configuration=restricted))

    text = msgspec.json.encode([(row.key, row.payload) for row in world.rows if row.audience == ALPHA]).decode()

    assert ALPHA in text
    assert NORTH not in text


def test_a_list_that_loses_every_other_name_does_not_turn_into_everybody() -> None:
    world = World()
    world.platform()
    world.admit(ALPHA, Party.AGR)
    world.admit(NORTH, Party.DSO)
    world.do(c.Configure(code=HUB, configuration=configured(over_broker("*", NORTH))))

    (path,) = world.copy(ALPHA)[HUB].configuration.paths
    assert path.senders == (HUB,)


def test_only_its_owner_and_the_operator_learn_a_queue_suffix() -> None:
    world = World()
    world.platform()
    world.admit(NORTH, Party.DSO)

    told = {row.audience for row in world.rows if b"0123456789abcdef" in msgspec.json.encode(row.payload) and row.key}
    of_north = {
        row.audience for row in world.rows if row.view == REGISTRATIONS and getattr(row.payload, "code", "") == NORTH
    }

    assert of_north == {NORTH}
    assert told == {OPERATOR, DIRECTORY, BROKER, HUB, NORTH}
