"""Participants and what their role allows (R1, R2)."""

import pytest

from documents.values import Identifier
from hub.commands import AddParticipant, ResumeParticipant, SuspendParticipant
from hub.errors import Rejected
from hub.ports import OPERATOR
from hub.rows import ACKNOWLEDGEMENTS, AGR_LIMITS, PARTICIPANTS, Participant
from hub.values import Role
from tests.hub_world import ALPHA, BRAVO, CHARLIE, NORTH, World, asset, codes_of, texts_of, watts_of

NEW = Identifier("A01:10YDK-1--------W")


def add(world: World, participant: Identifier, role: Role, brp: Identifier | None = None, name: str = "") -> int:
    return len(world.do(AddParticipant(participant=participant, role=role, name=name, brp=brp, by="ops")))


def suspend(world: World, participant: Identifier) -> int:
    return len(world.do(SuspendParticipant(participant=participant, why="unpaid", by="ops")))


def resume(world: World, participant: Identifier) -> int:
    return len(world.do(ResumeParticipant(participant=participant, why="paid", by="ops")))


@pytest.fixture
def world() -> World:
    world = World()
    world.claim(NORTH, "n1")
    world.register(ALPHA, "a1", "n1", produces=1000)
    return world


def test_r1_an_admitted_participant_is_on_the_operators_board(world: World) -> None:
    add(world, NEW, Role.AGR, brp=CHARLIE, name="New")

    assert world.current(PARTICIPANTS, OPERATOR)[NEW] == Participant(
        participant=NEW, role=Role.AGR, name="New", brp=CHARLIE
    )


def test_r1_admitting_the_same_twice_changes_nothing(world: World) -> None:
    assert [add(world, NEW, Role.AGR), add(world, NEW, Role.AGR), add(world, NEW, Role.AGR, name="New")] == [1, 0, 1]


@pytest.mark.parametrize(
    ("participant", "role", "brp"),
    [
        (Identifier("A01:10YDK-1--------X"), Role.DSO, None),
        (Identifier("NDK:344"), Role.DSO, None),
        (ALPHA, Role.DSO, None),
        (NEW, Role.DSO, CHARLIE),
        (NEW, Role.AGR, BRAVO),
        (NEW, Role.AGR, NEW),
        (NEW, Role.AGR, Identifier("NDK:1")),
    ],
)
def test_r1_ids_roles_and_brps_are_checked(
    world: World, participant: Identifier, role: Role, brp: Identifier | None
) -> None:
    with pytest.raises(Rejected):
        add(world, participant, role, brp)


def test_r1_whom_an_agr_names_as_its_brp_is_admitted_as_nothing_else(world: World) -> None:
    add(world, ALPHA, Role.AGR, brp=NEW)

    for role in (Role.DSO, Role.AGR):
        with pytest.raises(Rejected, match="Admit it as BRP"):
            add(world, NEW, role)

    assert add(world, NEW, Role.BRP) == 1


def test_r1_a_suspended_participants_sends_are_refused_and_limits_still_reach_it(world: World) -> None:
    suspend(world, ALPHA)

    assert codes_of(world.register(ALPHA, "a2", "n1", produces=5)) == ["A02", "A78"]
    world.announce(NORTH, "limit", 1, ["a1"], 100)
    assert watts_of(world.copy(ALPHA)) == {"a1": 100}
    assert world.current(PARTICIPANTS, OPERATOR)[ALPHA].suspended

    resume(world, ALPHA)
    assert codes_of(world.register(ALPHA, "a2", "n1", produces=5)) == ["A01"]


def test_r1_suspending_and_resuming_twice_changes_nothing(world: World) -> None:
    assert [suspend(world, ALPHA), suspend(world, ALPHA), resume(world, ALPHA), resume(world, ALPHA)] == [1, 0, 1, 0]


def test_r1_a_name_change_does_not_end_a_suspension(world: World) -> None:
    suspend(world, ALPHA)
    add(world, ALPHA, Role.AGR, name="Alpha A/S")

    assert codes_of(world.register(ALPHA, "a2", "n1", produces=5)) == ["A02", "A78"]


def test_r1_who_is_not_admitted_cannot_be_suspended(world: World) -> None:
    with pytest.raises(Rejected, match="participants add"):
        suspend(world, NEW)


def test_r1_being_named_as_brp_gives_no_view_of_the_agrs_data(world: World) -> None:
    add(world, NEW, Role.AGR, brp=CHARLIE)
    world.register(NEW, "x1", "n1", produces=5)
    world.plan(NEW, "plan", 1, {"x1": 5})
    world.announce(NORTH, "limit", 1, ["x1"], 3)

    assert [row for row in world.rows if row.audience == CHARLIE] == []


def test_r2_an_unknown_sender_is_refused_and_gets_no_document(world: World) -> None:
    assert codes_of(world.register(NEW, "x1", "n1", produces=5)) == ["A02", "A78"]
    assert world.feed(ACKNOWLEDGEMENTS, NEW) == []


def test_r2_the_role_decides_which_documents_may_be_sent(world: World) -> None:
    for refused in (
        world.register(NORTH, "x", "n1", produces=5),
        world.plan(NORTH, "x", 1, {"a1": 5}),
        world.claim(ALPHA, "x"),
        world.announce(ALPHA, "x", 1, ["a1"]),
        world.order(ALPHA, "y", 1, []),
        world.cancel(ALPHA, "z", 1),
        world.ask(ALPHA, "A95"),
        world.ask(ALPHA, "A67"),
        world.ask(NORTH, "A53"),
    ):
        assert codes_of(refused) == ["A02", "A78"]
    assert world.feed(AGR_LIMITS, ALPHA) == []


def test_r2_the_role_in_the_document_fits_the_senders(world: World) -> None:
    assert codes_of(world.claim(NORTH, "n2", role="A18")) == ["A01"]
    assert codes_of(world.claim(NORTH, "n3", role="A27")) == ["A02", "A78"]
    assert codes_of(world.register(CHARLIE, "c1", "n1", produces=5, role="A27")) == ["A01"]
    assert codes_of(world.register(ALPHA, "a2", "n1", produces=5, role="A08")) == ["A02", "A78"]
    assert codes_of(world.register(ALPHA, "a2", "n1", produces=5, role=None)) == ["A01"]


def test_r2_identity_is_scheme_and_code(world: World) -> None:
    world.register(BRAVO, "A10:571313100000000010", "n1", produces=5)

    assert codes_of(world.register(ALPHA, "NDK:571313100000000010", "n1", produces=5)) == ["A01"]
    assert asset("A10:571313100000000010") != asset("571313100000000010")


def test_refusals_say_what_to_do(world: World) -> None:
    assert "Give A04, A18, A50" in texts_of(world.claim(NORTH, "n3", role="A27"))
