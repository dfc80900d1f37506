"""The directory's decisions: invitations, registrations, certificates, configuration, revocation (R1)."""

import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import msgspec
import pytest
from msgspec.structs import replace

from hub.clock import ORIGIN
from hub.directory import commands as c
from hub.directory.events import (
    CertificateRevoked,
    ComponentReapproved,
    ComponentRegistered,
    ComponentRevoked,
    RegistrationApproved,
    TokenIssued,
)
from hub.directory.refusals import CLOSED, Refusal
from hub.directory.rows import APPLICATIONS, BOARD, REGISTRATIONS, TOKENS
from hub.directory.values import Configuration, Party, Status, Url
from hub.errors import Rejected, UnknownEvent
from tests.directory_world import (
    ALPHA,
    BROKER,
    CONTACT,
    HUB,
    NORTH,
    REQUESTS,
    SOUTH,
    World,
    certificates,
    configured,
    over_broker,
)

DAY = timedelta(days=1)


def invited(world: World, code: str = ALPHA, party: Party | None = Party.AGR, token: str = "f1") -> None:
    world.do(c.IssueToken(fingerprint=token, code=code, party=party, expires=ORIGIN + 7 * DAY, by="operator"))


def refusal(act: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(Rejected) as caught:
        act()
    return caught.value.code, caught.value.text


def revoke(world: World, code: str) -> None:
    world.do(c.RevokeComponent(code=code, why="stolen", by="operator"))


def status(world: World, code: str) -> Status:
    return world.brain.state.components[code].status


def test_an_invited_component_registers_once_and_waits_for_the_operator() -> None:
    world = World()
    invited(world)

    registration = world.register(ALPHA, None, token="f1")

    (event,) = (recorded.event for recorded in world.log if isinstance(recorded.event, ComponentRegistered))
    assert (event.party, event.token) == (Party.AGR, "f1")
    assert world.brain.state.registrations[registration].status is Status.PENDING
    assert refusal(lambda: world.register(ALPHA, None, token="f1")) == (Refusal.TOKEN, CLOSED)


def test_an_invitation_from_before_reasons_were_kept_has_none() -> None:
    world = World()
    old = {"type": "TokenIssued.v1", "fingerprint": "f1", "code": ALPHA, "party": "AGR", "expires": ORIGIN, "by": "kim"}

    lifted = world.brain.decode("TokenIssued.v1", msgspec.msgpack.encode(old))

    assert lifted == TokenIssued(fingerprint="f1", code=ALPHA, party=Party.AGR, expires=ORIGIN, why="", by="kim")


def test_a_token_that_does_not_open_reads_the_same_whatever_is_wrong_with_it() -> None:
    world = World()
    for token in ("used", "withdrawn", "expired", "of another"):
        invited(world, NORTH if token == "of another" else ALPHA, None, token)
    world.do(c.WithdrawToken(fingerprint="withdrawn", why="typo", by="operator"))
    world.do(c.Reject(registration=world.register(ALPHA, None, token="used"), why="no", by="operator"))
    answers = [
        refusal(partial(world.register, ALPHA, None, token=token))
        for token in ("used", "withdrawn", "of another", "unknown")
    ]
    world.now = ORIGIN + 7 * DAY
    answers.append(refusal(lambda: world.register(ALPHA, None, token="expired")))

    assert set(answers) == {(Refusal.TOKEN, CLOSED)}


def test_a_used_token_cannot_be_withdrawn_and_a_second_withdrawal_says_nothing() -> None:
    world = World()
    invited(world)
    invited(world, token="f2")
    world.register(ALPHA, None, token="f1")
    withdrawal = c.WithdrawToken(fingerprint="f2", why="typo", by="operator")
    world.do(withdrawal)

    assert world.do(withdrawal) == []
    assert refusal(lambda: world.do(replace(withdrawal, fingerprint="f1")))[0] == Refusal.STATE
    assert refusal(lambda: world.do(replace(withdrawal, fingerprint="f3")))[0] == Refusal.UNKNOWN


def test_r1_nobody_is_let_in_before_somebody_says_which_party_it_is() -> None:
    world = World()
    invited(world, party=None)
    registration = world.register(ALPHA, None, token="f1")

    code, text = refusal(lambda: world.approve(registration))
    world.approve(registration, party=Party.AGR)

    assert (code, "--party" in text) == (Refusal.INVALID, True)
    assert status(world, ALPHA) is Status.APPROVED


def test_r1_an_endpoint_has_the_id_of_a_participant_and_plays_one_part() -> None:
    world = World()
    world.platform()
    world.admit(NORTH, Party.DSO)

    assert "check character" in refusal(lambda: invited(world, "A01:45X-AGR-ALPHA--X"))[1]
    assert refusal(lambda: world.register(NORTH, Party.AGR))[0] == Refusal.STATE
    invited(world)
    registration = world.register(ALPHA, None, token="f1")
    assert "invited as AGR" in refusal(lambda: world.approve(registration, party=Party.DSO))[1]


def test_a_registration_brings_a_request_for_each_certificate_and_a_contact() -> None:
    world = World()
    command = c.Register(registration="r", code=ALPHA, party=Party.AGR, contact=CONTACT, requests=REQUESTS, token=None)

    for wrong in (
        replace(command, requests=REQUESTS[:2]),
        replace(command, requests=(*REQUESTS[:2], REQUESTS[0])),
        replace(command, contact=replace(CONTACT, organization=" ")),
        replace(command, contact=replace(CONTACT, person="two\nlines")),
        replace(command, contact=replace(CONTACT, phone="0" * 201)),
        replace(command, code="no code"),
    ):
        assert refusal(partial(world.do, wrong))[0] == Refusal.INVALID
    assert world.log == []


def test_a_decided_registration_is_not_decided_again() -> None:
    world = World()
    registration = world.register(ALPHA, Party.AGR)
    rejection = c.Reject(registration=registration, why="unknown to us", by="kim")
    world.do(rejection)

    assert refusal(lambda: world.do(rejection))[0] == Refusal.STATE
    assert refusal(lambda: world.approve(registration))[0] == Refusal.STATE
    assert refusal(lambda: world.approve("nonsense"))[0] == Refusal.UNKNOWN
    (answer,) = (row.payload for row in world.rows[-1:] if row.view == REGISTRATIONS)
    assert (answer.status, answer.why) == (Status.REJECTED, "unknown to us")
    shown = [row.payload for row in world.rows if row.view == APPLICATIONS][-1]
    assert (shown.status, shown.why, shown.by, shown.decided) == (Status.REJECTED, "unknown to us", "kim", ORIGIN)


def test_a_component_is_known_to_others_only_once_it_is_configured() -> None:
    world = World()
    world.platform()
    world.approve(world.register(NORTH, Party.DSO))
    before = NORTH in world.copy(HUB)

    world.do(c.Configure(code=NORTH, configuration=configured()))

    assert not before
    assert world.copy(HUB)[NORTH].configuration == configured()
    assert status(world, NORTH) is Status.ACTIVE


def test_the_same_configuration_again_changes_nothing() -> None:
    world = World()
    world.platform()

    assert world.do(c.Configure(code=HUB, configuration=configured())) == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (replace(configured(), networks=()), "networks is empty"),
        (replace(configured(), networks=("two words",)), "network 'two words' does not match"),
        (replace(configured(), urls=(Url(network="internet", address="ftp://x"),)), "url 'ftp://x' does not match"),
        (replace(configured(), urls=(Url(network="island", address="amqps://x:1"),)), "names the network island"),
        (configured(replace(over_broker(), broker=None)), "DIRECT"),
        (configured(replace(over_broker(), broker=NORTH)), "is no broker of this directory"),
        (configured(over_broker("TPS*ACK")), "messageType 'TPS*ACK' does not match"),
        (configured(over_broker("*", "no code")), "senderComponent 'no code' does not match"),
        (configured(over_broker("*", end=ORIGIN)), "ends before it begins"),
        (configured(over_broker("*"), over_broker("*", NORTH)), "Two paths for * hold at the same time"),
    ],
)
def test_a_configuration_that_cannot_hold_is_refused_with_words(wrong: Configuration, says: str) -> None:
    world = World()
    world.platform()

    code, text = refusal(lambda: world.do(c.Configure(code=HUB, configuration=wrong)))

    assert code == Refusal.INVALID
    assert says in text


def test_only_endpoints_have_paths_and_only_brokers_a_restriction() -> None:
    world = World()
    world.platform()
    broker = world.brain.state.components[BROKER].configuration
    assert broker is not None

    with_path = replace(broker, paths=(over_broker(),))
    with_restriction = replace(configured(), restriction=broker.restriction)

    assert "Only an endpoint" in refusal(lambda: world.do(c.Configure(code=BROKER, configuration=with_path)))[1]
    assert "Only a broker" in refusal(lambda: world.do(c.Configure(code=HUB, configuration=with_restriction)))[1]


def test_renewed_certificates_stand_beside_the_old_ones_but_not_without_end() -> None:
    world = World()
    world.platform()
    old = world.admit(NORTH, Party.DSO)
    renewed = [certificates() for _ in range(3)]
    for issued in renewed:
        world.do(c.Renew(code=NORTH, certificates=issued))

    assert world.copy(HUB)[NORTH].certificates == (*old, *renewed[0], *renewed[1], *renewed[2])
    assert refusal(lambda: world.do(c.Renew(code=NORTH, certificates=certificates())))[0] == Refusal.STATE
    world.now = ORIGIN + 366 * DAY
    assert world.do(c.Renew(code=NORTH, certificates=certificates(world.now)))


def test_a_revoked_certificate_leaves_the_content_at_once() -> None:
    world = World()
    world.platform()
    kept, signing, encryption = world.admit(NORTH, Party.DSO)
    command = c.RevokeCertificate(certificate_id=signing.certificate_id, why="lost", by="operator")

    events = world.do(command)

    assert [type(event) for event in events] == [CertificateRevoked]
    assert world.copy(HUB)[NORTH].certificates == (kept, encryption)
    assert world.do(command) == []
    assert refusal(lambda: world.do(replace(command, certificate_id="0" * 64)))[0] == Refusal.UNKNOWN


def test_a_revoked_component_is_gone_for_others_and_may_do_nothing_until_it_is_reapproved() -> None:
    world = World()
    world.platform()
    issued = world.admit(NORTH, Party.DSO)

    revoke(world, NORTH)

    assert NORTH not in world.copy(HUB)
    assert refusal(lambda: world.do(c.Configure(code=NORTH, configuration=configured())))[0] == Refusal.STATE
    assert refusal(lambda: world.do(c.Renew(code=NORTH, certificates=certificates())))[0] == Refusal.STATE
    back = world.do(c.ReapproveComponent(code=NORTH, why="found again", by="operator"))
    assert [type(event) for event in back] == [ComponentReapproved]
    assert world.copy(HUB)[NORTH].certificates == issued


def test_revoking_twice_or_reapproving_what_is_not_revoked_says_nothing() -> None:
    world = World()
    world.platform()
    revoke(world, HUB)

    assert world.do(c.RevokeComponent(code=HUB, why="again", by="operator")) == []
    world.do(c.ReapproveComponent(code=HUB, why="back", by="operator"))
    assert world.do(c.ReapproveComponent(code=HUB, why="back", by="operator")) == []
    assert refusal(lambda: revoke(world, SOUTH))[0] == Refusal.UNKNOWN


def test_who_registers_anew_loses_the_certificates_whose_keys_it_may_have_lost() -> None:
    world = World()
    world.platform()
    old = world.admit(NORTH, Party.DSO)

    fresh = world.approve(world.register(NORTH, None))

    assert [
        recorded.event.certificate_id for recorded in world.log if isinstance(recorded.event, CertificateRevoked)
    ] == [certificate.certificate_id for certificate in old]
    assert NORTH not in world.copy(HUB), "its configuration comes anew"
    world.do(c.Configure(code=NORTH, configuration=configured()))
    assert world.copy(HUB)[NORTH].certificates == fresh


def test_two_registrations_of_one_code_do_not_wait_together() -> None:
    world = World()
    world.register(ALPHA, Party.AGR)

    assert refusal(lambda: world.register(ALPHA, Party.AGR))[0] == Refusal.STATE


def test_content_id_counts_the_changes_of_what_its_owner_may_see() -> None:
    world = World()
    world.platform()
    before = len(world.feed(HUB))

    world.admit(NORTH, Party.DSO)
    added = len(world.feed(HUB))
    world.do(c.Renew(code=NORTH, certificates=certificates()))
    renewed = len(world.feed(HUB))
    invited(world)
    world.register(ALPHA, None, token="f1")

    assert (added - before, renewed - added) == (1, 1)
    assert len(world.feed(HUB)) == renewed, "an invitation and a registration are no change of a home component"


def test_a_batch_that_did_not_commit_is_taken_back_and_a_replay_ends_in_the_same_state() -> None:
    world = World()
    invited(world)
    world.approve(world.register(ALPHA, None, token="f1"))
    world.platform()
    world.do(c.Configure(code=ALPHA, configuration=configured()))
    revoke(world, ALPHA)
    world.register(ALPHA, None)
    again = World()

    for recorded in world.log:
        savepoint, before = again.brain.savepoint(), again.brain.state.contents()
        again.brain.evolve(recorded)
        again.brain.rollback(savepoint)
        assert again.brain.state.contents() == before
        topic, state = world.brain.encode(recorded.event)
        assert re.fullmatch(rf"{type(recorded.event).__name__}\.v\d", topic)
        stored = replace(recorded, event=again.brain.decode(topic, state))
        again.rows.extend(again.brain.rows(stored))
        again.brain.evolve(stored)

    assert again.brain.state.contents() == world.brain.state.contents()
    assert again.rows == world.rows
    assert {world.brain.stream_of(each.event) for each in world.log} >= {f"component/{ALPHA}", "token/f1"}


def test_an_event_of_a_newer_version_stops_the_program() -> None:
    brain = World().brain
    with pytest.raises(UnknownEvent, match=r"ComponentDreamt\.v1"):
        brain.decode("ComponentDreamt.v1", b"\x80")
    with pytest.raises(UnknownEvent, match=r"ComponentRevoked\.v1"):
        brain.decode("ComponentRevoked.v1", b"\x80")


def test_the_operator_sees_who_did_what_and_why() -> None:
    world = World()
    world.platform()
    invited(world)
    world.approve(world.register(ALPHA, None, token="f1"))
    revoke(world, ALPHA)

    entry = [row.payload for row in world.rows if (row.view, row.key) == (BOARD, ALPHA)][-1]
    token = [row.payload for row in world.rows if row.view == TOKENS][-1]

    assert (entry.status, entry.why, entry.by) == (Status.REVOKED, "stolen", "operator")
    assert (token.code, token.used) == (ALPHA, ORIGIN)
    assert {type(recorded.event) for recorded in world.log} >= {ComponentRevoked, RegistrationApproved}
