"""Whatever happens in a directory: copies are what the state says, tell of nobody else, and can be made anew (NF3)."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.directory import commands as c
from hub.directory.disclosure import as_seen
from hub.directory.rows import REGISTRATIONS
from hub.directory.values import ComponentRecord, Party
from hub.errors import Rejected
from tests.directory_world import (
    ALPHA,
    BRAVO,
    BROKER,
    BROKER_CONFIGURATION,
    DIRECTORY,
    HUB,
    NORTH,
    World,
    certificates,
    configured,
    over_broker,
)

PARTICIPANTS: Final = {ALPHA: Party.AGR, BRAVO: Party.AGR, NORTH: Party.DSO}
EVERYBODY: Final = {**PARTICIPANTS, HUB: Party.HUB, BROKER: Party.BROKER, DIRECTORY: Party.DIRECTORY}
Step = tuple[str, str, str]


def configure(world: World, code: str, other: str) -> None:
    """The hub may name anybody; what a participant itself says is no secret from it."""
    named = HUB if code in PARTICIPANTS else other
    declared = configured(over_broker("*", named), over_broker("TPS-ACK"))
    world.do(c.Configure(code=code, configuration=BROKER_CONFIGURATION if code == BROKER else declared))


def revoke_one(world: World, code: str, _: str) -> None:
    held = world.brain.state.components.get(code)
    if held and held.trusted:
        world.do(c.RevokeCertificate(certificate_id=held.trusted[0].certificate_id, why="x", by="y"))


ACTS: Final[dict[str, Callable[[World, str, str], Any]]] = {  # whatever they return
    "register": lambda world, code, _: world.approve(world.register(code, EVERYBODY[code])),
    "ask": lambda world, code, _: world.register(code, EVERYBODY[code]),
    "configure": configure,
    "renew": lambda world, code, _: world.do(c.Renew(code=code, certificates=certificates())),
    "revoke": lambda world, code, _: world.do(c.RevokeComponent(code=code, why="x", by="y")),
    "reapprove": lambda world, code, _: world.do(c.ReapproveComponent(code=code, why="x", by="y")),
    "throw out": lambda world, code, _: world.do(c.NoteThrownOut(code=code, why="x", by="y")),
    "revoke one": revoke_one,
}
CODES: Final = st.sampled_from(sorted(EVERYBODY))
OPENING: Final = [
    (act, code, HUB) for code in (BROKER, HUB, DIRECTORY, *PARTICIPANTS) for act in ("register", "configure")
]
"""Most histories begin with everybody taking part; some with few or nobody."""
HISTORIES: Final = st.builds(
    lambda opened, steps: OPENING[:opened] + steps,
    st.sampled_from([0, 2, len(OPENING) - 1, len(OPENING), len(OPENING)]),
    st.lists(st.tuples(st.sampled_from(sorted(ACTS)), CODES, CODES), max_size=25),
)


def played(steps: Sequence[Step]) -> World:
    world = World()
    for act, code, other in steps:
        try:
            ACTS[act](world, code, other)
        except Rejected:
            continue
    return world


def undated(record: ComponentRecord) -> ComponentRecord:
    return replace(record, modified=record.created)


@given(HISTORIES)
def test_a_copy_that_is_folded_from_its_rows_is_what_the_state_says(steps: list[Step]) -> None:
    world = played(steps)
    components = world.brain.state.components.contents()

    for viewer in components.values():
        expected = {
            code: undated(record)
            for code, subject in components.items()
            if (record := as_seen(viewer, subject, DIRECTORY))
        }
        assert {code: undated(record) for code, record in world.copy(viewer.code).items()} == expected


@given(HISTORIES)
def test_r38_no_row_of_a_participant_names_another_participant(steps: list[Step]) -> None:
    world = played(steps)

    for code in PARTICIPANTS:
        text = msgspec.json.encode([(row.key, row.payload) for row in world.rows if row.audience == code]).decode()
        assert not [other for other in PARTICIPANTS if other != code and other in text]


@given(HISTORIES)
def test_r36_what_other_participants_do_changes_no_row_of_a_participant(steps: list[Step]) -> None:
    """The platform's own components do the same in both histories, and name nobody."""

    def told(others: bool) -> list[tuple[str, str, object]]:
        kept = [(act, code, HUB) for act, code, _ in steps if others or code not in PARTICIPANTS or code == ALPHA]
        rows = [row for row in played(kept).rows if row.audience == ALPHA]
        return [(row.view, "" if row.view == REGISTRATIONS else row.key, _shape(row.payload)) for row in rows]

    assert told(others=True) == told(others=False)


def _shape(payload: object) -> object:
    """A payload without what is drawn anew in each history: ids of registrations, made-up certificates."""
    if isinstance(payload, ComponentRecord):
        return replace(payload, certificates=()), [each.type for each in payload.certificates]
    return payload is None
