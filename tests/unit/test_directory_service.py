"""The directory's doors over real TLS: tokens, proof of possession, certificates, what strangers are told (NF3)."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import structlog.testing
from cryptography import x509

from hub import settings
from hub.clock import SystemClock
from hub.directory.refusals import CLOSED
from hub.directory.values import Party, Status
from hub.directory_service import Directory, directory_code, founded_authority, open_authority, serving
from hub.directory_service.doors import MAX_BODY_BYTES, NOT_YOURS, STRANGER
from hub.directory_service.founding import Founder
from hub.errors import Rejected, SettingsError, Unavailable
from hub.mades import credentials, pki
from hub.mades.certificates import CertificateType
from hub.mades.membership import Membership
from hub.store.memory import MemoryStore
from tests.directory_site import Site, site
from tests.directory_world import (
    ALPHA,
    BROKER,
    DIRECTORY,
    HUB,
    NORTH,
    SOUTH,
)

CONTACT = {"organization": "Alpha", "person": "Kim", "email": "kim@alpha.example", "phone": "1"}
CONFIGURATION = {
    "networks": ["internet"],
    "paths": [{"broker": BROKER, "messageType": "*", "validFrom": "2026-01-01T00:00:00Z"}],
    "implementation": {"name": "tps", "version": "1", "compatibleVersions": "1", "madesVersion": 2},
}

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as running:
        yield running


def asked(place: Site, code: str = ALPHA, *, of: str = "") -> dict[str, Any]:
    """The body of a registration of `code`, its requests being for `of`."""
    requests = credentials.requests_in(place.of(code), of or code)
    listed = [{"type": each.type, "der": base64.b64encode(each.der).decode()} for each in requests]
    return {"code": code, "contact": CONTACT, "requests": listed}


async def registered(place: Site, body: object, token: str) -> tuple[int, Any]:
    return await place.call("POST", "/registration", body, tls=place.as_nobody(), token=token)


async def invited(place: Site, code: str = ALPHA, party: Party | None = Party.AGR) -> str:
    return await place.directory.invite(code, party, by="operator")


async def test_a_component_registers_is_approved_pushes_its_configuration_and_is_known(place: Site) -> None:
    token = await invited(place)
    status, waiting = await registered(place, asked(place), token)
    assert (status, waiting["status"]) == (202, "PENDING")
    assert "certificates" not in waiting or waiting["certificates"] == []

    await place.directory.approve(waiting["registration"], why="known to us", by="operator")
    way = f"/registration/{waiting['registration']}"
    status, approved = await place.call("GET", way, tls=place.as_nobody(), token=token)
    assert (status, approved["status"], len(approved["queueSuffix"])) == (200, "APPROVED", 16)
    assert approved["why"] == "", "the operator's reason is for the operator"
    assert approved["brokers"] == ["amqps://broker.example.org:5671"]
    issued = [base64.b64decode(each["der"]) for each in approved["certificates"]]
    adopted = credentials.adopt(
        place.of(ALPHA),
        ALPHA,
        (await place.directory.answer(ALPHA, waiting["registration"])).certificates,
        chain=[base64.b64decode(der) for der in approved["chain"]],
        at=place.clock.now(),
    )
    assert {credentials.der_of(pair.certificate) for pair in adopted.pairs} == set(issued)

    way = f"/components/{ALPHA}/configuration"
    assert await place.call("PUT", way, CONFIGURATION, tls=place.as_component(ALPHA)) == (204, None)
    entry = await place.directory.entry(ALPHA)
    assert entry is not None
    assert (entry.status, entry.party, entry.why, entry.by) == (Status.ACTIVE, Party.AGR, "known to us", "operator")


async def test_a_token_is_good_for_one_registration_and_a_repeat_of_it_is_answered_as_before(place: Site) -> None:
    token, body = await invited(place), asked(place)

    first = await registered(place, body, token)
    again = await registered(place, body, token)
    other = await registered(
        place, body | {"contact": CONTACT, "requests": asked(place, NORTH, of=ALPHA)["requests"]}, token
    )

    assert first == again
    assert (other[0], other[1]["detail"]) == (403, CLOSED)


async def test_a_token_for_another_code_is_refused_in_the_same_words_as_one_that_never_was(place: Site) -> None:
    token = await invited(place, NORTH, Party.DSO)

    wrong_code = await registered(place, asked(place), token)
    unknown = await registered(place, asked(place), "x" * 43)
    none = await registered(place, asked(place), "")

    assert wrong_code == unknown == none
    assert (none[0], none[1]["detail"], none[1]["reason"]) == (403, CLOSED, "token")


async def test_a_registration_is_shown_to_who_made_it_and_reads_as_unknown_to_others(place: Site) -> None:
    token, other = await invited(place), await invited(place, NORTH, Party.DSO)
    _, waiting = await registered(place, asked(place), token)

    foreign = await place.call("GET", f"/registration/{waiting['registration']}", tls=place.as_nobody(), token=other)
    unknown = await place.call("GET", f"/registration/{'0' * 32}", tls=place.as_nobody(), token=other)

    assert foreign == unknown
    assert foreign[0] == 403


async def test_a_request_without_possession_of_its_key_is_refused(place: Site) -> None:
    """Somebody sends the public key of another: the signature of the request does not fit it."""
    token, body = await invited(place), asked(place)
    der = bytearray(base64.b64decode(body["requests"][0]["der"]))
    der[-1] ^= 1
    body["requests"][0]["der"] = base64.b64encode(bytes(der)).decode()

    status, problem = await registered(place, body, token)

    assert (status, problem["reason"]) == (422, "invalid")
    assert "not signed with the key" in problem["detail"]


async def test_a_request_for_another_code_or_the_same_key_twice_is_refused(place: Site) -> None:
    token, body = await invited(place), asked(place, ALPHA, of=NORTH)
    assert "CN=" in (await registered(place, body, token))[1]["detail"]

    body = asked(place, ALPHA)
    for left in (place.of(ALPHA) / "pending").iterdir():
        left.unlink()
    body = asked(place)
    twice = [dict(body["requests"][0], type=each["type"]) for each in body["requests"]]
    assert "the same key" in (await registered(place, body | {"requests": twice}, token))[1]["detail"]
    assert (
        "cannot be used"
        in (await registered(place, body | {"requests": [{"type": "SIGNING", "der": "AAAA"}]}, token))[1]["detail"]
    )


async def test_a_certificate_for_signing_or_encryption_does_not_log_in(place: Site) -> None:
    for kind in (CertificateType.SIGNING, CertificateType.ENCRYPTION):
        pair = credentials.load(place.of(HUB)).preferred(kind, place.clock.now())
        context = place.as_nobody()
        context.load_cert_chain(pair.certificate_file, pair.key_file)

        with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
            await place.call("POST", "/sync", {}, tls=context)


async def test_who_shows_no_certificate_or_a_dead_one_is_told_the_same(place: Site) -> None:
    await place.enrol(ALPHA, Party.AGR)
    mine = place.as_component(ALPHA)
    good = await place.call("POST", "/sync", {}, tls=mine)
    nobody = await place.call("POST", "/sync", {}, tls=place.as_nobody())

    await place.directory.revoke(ALPHA, why="stolen", by="operator")
    revoked = await place.call("POST", "/sync", {}, tls=mine)
    await place.directory.reapprove(ALPHA, why="found", by="operator")
    back = await place.call("POST", "/sync", {}, tls=mine)
    held = credentials.load(place.of(ALPHA)).preferred(CertificateType.AUTHENTICATION, place.clock.now())
    await place.directory.revoke_certificate(pki.certificate_id(held.certificate), why="lost", by="operator")
    lost = await place.call("POST", "/sync", {}, tls=mine)
    await place.clock.advance(timedelta(days=366).total_seconds())
    hub_ended = await place.call("POST", "/sync", {}, tls=place_context(place, HUB))

    assert (good[0], back[0]) == (200, 200)
    assert nobody == revoked == lost == hub_ended
    assert (nobody[0], nobody[1]["detail"]) == (403, STRANGER)


def place_context(place: Site, code: str) -> ssl.SSLContext:
    """TLS with a certificate whatever the moved clock says of it."""
    (pair, *_) = credentials.load(place.of(code)).of_type(CertificateType.AUTHENTICATION)
    context = place.as_nobody()
    context.load_cert_chain(pair.certificate_file, pair.key_file)
    return context


async def test_a_certificate_of_another_root_does_not_even_connect(place: Site, tmp_path: Path) -> None:
    async with site(tmp_path / "elsewhere") as elsewhere:
        pair = credentials.load(elsewhere.of(HUB)).preferred(CertificateType.AUTHENTICATION, place.clock.now())
        context = place.as_nobody()
        context.load_cert_chain(pair.certificate_file, pair.key_file)

        with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
            await place.call("POST", "/sync", {}, tls=context)


async def test_nobody_configures_another_and_another_reads_as_unknown(place: Site) -> None:
    await place.enrol(ALPHA, Party.AGR)
    tls = place.as_component(ALPHA)

    existing = await place.call("PUT", f"/components/{HUB}/configuration", CONFIGURATION, tls=tls)
    unknown = await place.call("PUT", f"/components/{SOUTH}/configuration", CONFIGURATION, tls=tls)

    assert existing == unknown
    assert (existing[0], existing[1]["detail"]) == (404, NOT_YOURS)


async def test_a_configuration_that_cannot_hold_is_told_why(place: Site) -> None:
    way, tls = f"/components/{HUB}/configuration", place.as_component(HUB)
    twice = CONFIGURATION | {"paths": [*CONFIGURATION["paths"], *CONFIGURATION["paths"]]}  # type: ignore[misc] # a list

    assert "Two paths" in (await place.call("PUT", way, twice, tls=tls))[1]["detail"]
    assert (await place.call("PUT", way, {"networks": 5}, tls=tls))[0] == 400
    assert (await place.call("PUT", way, raw=b"\xff", tls=tls))[0] == 400


async def test_a_body_that_is_too_large_or_of_another_type_is_refused_as_a_problem(place: Site) -> None:
    token = await invited(place)

    large = await place.call(
        "POST", "/registration", raw=b" " * (MAX_BODY_BYTES + 1), tls=place.as_nobody(), token=token
    )
    lost = await place.call("GET", "/nowhere", tls=place.as_nobody())

    assert (large[0], large[1]["status"]) == (413, 413)
    assert (lost[0], lost[1]["title"]) == (404, "Not Found")


async def test_tls_before_1_3_is_not_spoken(place: Site) -> None:
    old = place.as_nobody()
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    with pytest.raises(aiohttp.ClientError):
        await place.call("GET", "/nowhere", tls=old)


async def test_what_goes_wrong_inside_is_told_without_its_details(place: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    faults: list[Exception] = [Unavailable("db.internal:5432"), RuntimeError("of bravo")]

    async def fail(_: str) -> None:
        raise faults.pop(0)

    monkeypatch.setattr(place.directory, "entry", fail)

    away = await place.call("POST", "/sync", {}, tls=place.as_component(HUB))
    broken = await place.call("POST", "/sync", {}, tls=place.as_component(HUB))

    assert (away[0], broken[0]) == (503, 500)
    assert "internal:5432" not in str(away[1])
    assert "bravo" not in str(broken[1])


async def test_r38_the_log_names_no_secret_and_nobody_but_who_acts(place: Site) -> None:
    await place.enrol(NORTH, Party.DSO)
    with structlog.testing.capture_logs() as lines:
        token = await invited(place)
        body = asked(place)
        _, waiting = await registered(place, body, token)
        await place.directory.approve(waiting["registration"], why="known to us", by="operator")
        _, approved = await registered(place, body, token)
        await place.call("POST", "/sync", {}, tls=place.as_component(NORTH))

    text = repr(lines)
    secrets = [token, approved["queueSuffix"], CONTACT["email"], body["requests"][0]["der"]]
    assert {line["event"] for line in lines} >= {"component.registered", "component.approved", "call.answered"}
    assert not [secret for secret in secrets if secret in text]
    assert NORTH not in text


async def look(place: Site, path: str) -> tuple[int, bytes]:
    async with aiohttp.ClientSession() as session, session.get(place.operator_url + path) as answer:
        return answer.status, await answer.read()


async def test_the_operator_sees_components_and_topology_but_no_queue_suffix(place: Site) -> None:
    await place.enrol(NORTH, Party.DSO)
    entry = await place.directory.entry(NORTH)
    assert entry is not None

    _, components = await look(place, "/components")
    _, before = await look(place, "/paths")
    await place.directory.revoke(BROKER, why="moved", by="operator")
    _, after = await look(place, "/paths")

    assert NORTH.encode() in components
    assert entry.queue_suffix.encode() not in components
    assert before.count(b'"fault":""') == 2
    assert after.count(b"which is no known broker") == 2


async def test_the_revocation_list_holds_what_was_revoked(place: Site) -> None:
    await place.enrol(NORTH, Party.DSO)
    held = credentials.load(place.of(NORTH))
    await place.directory.revoke(NORTH, why="stolen", by="operator")

    _, der = await look(place, "/crl")

    listed = x509.load_der_x509_crl(der)
    authority = place.directory.authority.issuing.public_key
    assert listed.is_signature_valid(authority)
    assert {each.serial_number for each in listed} == {pair.certificate.serial_number for pair in held.pairs}


async def test_a_directory_that_cannot_sign_is_not_ready_and_says_why(place: Site) -> None:
    assert await look(place, "/health/ready") == (200, b"ready\n")

    await place.clock.advance(timedelta(days=366).total_seconds())

    status, why = await look(place, "/health/ready")
    assert (status, why.startswith(b"nothing to sign with")) == (503, True)
    assert (await look(place, "/health/live"))[0] == 200


async def test_the_measures_name_nobody(place: Site) -> None:
    _, text = await look(place, "/metrics")

    assert b"tps_components 3.0" in text
    assert HUB.encode() not in text


async def test_the_directory_renews_its_own_certificates_before_they_end(place: Site) -> None:
    before = credentials.load(place.directory.authority.own)
    await place.directory.renew_own()
    assert len(credentials.load(place.directory.authority.own).pairs) == len(before.pairs)
    await place.clock.advance(timedelta(days=340).total_seconds())

    await place.directory.renew_own()

    assert len(credentials.load(place.directory.authority.own).pairs) == 2 * len(before.pairs)


async def test_an_enrolment_that_was_cut_short_is_done_again(place: Site) -> None:
    await registered(place, asked(place), await invited(place))

    await place.enrol(ALPHA, Party.AGR)

    assert credentials.load(place.of(ALPHA)).code == ALPHA


async def test_an_authority_is_made_once_and_needs_its_key(place: Site, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"Expected root\.pem"):
        open_authority(tmp_path / "nowhere")

    reopened = open_authority(place.directory.authority.folder)

    assert reopened.root == place.directory.authority.root
    keys = await asyncio.to_thread(lambda: list(tmp_path.rglob("*.key")))
    assert len(keys) > 10
    assert {file.stat().st_mode & 0o777 for file in keys} == {0o600}


async def test_nobody_is_approved_twice_or_unknown(place: Site) -> None:
    with pytest.raises(Rejected, match="No registration"):
        await place.directory.approve("nonsense", why="", by="operator")
    with pytest.raises(Rejected, match="known as HUB"):
        await place.directory.invite(HUB, Party.DSO, by="operator")
    assert (await place.directory.invitations()) == []
    assert {entry.code for entry in await place.directory.board()} == {DIRECTORY, BROKER, HUB}


async def test_a_platform_is_brought_up_in_one_process(tmp_path: Path) -> None:
    """What a bootstrap does, in the order that the package's charter gives; done twice it ends the same."""
    chosen = settings.Directory(id=DIRECTORY.partition(":")[2], hosts="127.0.0.1", port=0)
    store = MemoryStore(component=DIRECTORY)
    for _ in range(2):
        directory = Directory(directory_code(chosen), store=store, authority=founded_authority(tmp_path / "authority"))
        async with directory.running(), serving(directory, chosen) as url:
            founder = Founder(directory, url, "Test", "test")
            files = await founder.enrol_broker(tmp_path / "broker", BROKER, hosts=["127.0.0.1"])
            await founder.tell_broker(BROKER, "amqps://127.0.0.1:1/mades")
            await founder.enrol(tmp_path / "hub", HUB, Party.HUB)
            membership = Membership(tmp_path / "hub", clock=SystemClock())
            assert await membership.client.sync()

        assert membership.copy.codes >= {DIRECTORY, BROKER}
        assert [each.code for each in await directory.registered()] == [HUB]
        assert len(credentials.load(tmp_path / "hub").pairs) == 3
        assert pki.read_chain(files.certificate)[0].public_key() == pki.read_key(files.key).public_key()
