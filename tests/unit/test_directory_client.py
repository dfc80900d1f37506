"""A component's copy of the directory: outages, lies and steps back, renewal and revocation, with the clock moved."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec.structs import replace

from hub.directory import wire
from hub.directory.values import Party, Status
from hub.errors import Rejected, Unavailable
from hub.mades import credentials, enrolment, paths, pki
from hub.mades.certificates import CertificateType
from hub.mades.directory_client import PERIOD_S, DirectoryClient, client_in
from hub.mades.directory_copy import Answer, answer_of
from hub.mades.errors import MadesError
from hub.mades.keyring import Certificates
from hub.mades.message import BusinessType, InternalType, Message
from hub.mades.seal import Sealer
from tests.directory_site import TTL, Site, door, site
from tests.directory_world import ALPHA, BRAVO, BROKER, CONTACT, DIRECTORY, HUB, NORTH, SOUTH, configured, over_broker

TTL_S = TTL.total_seconds()

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as running:
        await running.enrol(NORTH, Party.DSO)
        yield running


@pytest_asyncio.fixture
async def hub(place: Site) -> DirectoryClient:
    client = place.client(HUB)
    assert await client.sync()
    return client


def fault(act: Any, *about: object) -> str:  # Any: a look-up
    with pytest.raises(MadesError) as caught:
        act(*about)
    return caught.value.code


def own(place: Site, code: str, kind: CertificateType) -> list[str]:
    """Ids of a component's own certificates of a type, the oldest first."""
    return [pki.certificate_id(pair.certificate) for pair in credentials.load(place.of(code)).of_type(kind)]


def at_most_listed(client: DirectoryClient, code: str) -> int:
    record = client.copy.record(code)
    return len(record.certificates) if record else 0


async def test_after_a_sync_every_look_up_is_answered_from_the_copy(place: Site, hub: DirectoryClient) -> None:
    copy, now = hub.copy, place.clock.now()
    (signing,) = own(place, NORTH, CertificateType.SIGNING)
    certificates: Certificates = copy

    assert copy.codes == {DIRECTORY, BROKER, HUB, NORTH}
    assert pki.common_name(certificates.encryption(NORTH, now)) == NORTH
    assert pki.certificate_id(certificates.signing(NORTH, signing, now)) == signing
    assert copy.path(NORTH, "TPS-FORESEEN", now) == BROKER
    assert (copy.party_of(NORTH), copy.party_of(HUB)) == (paths.Party.DSO, paths.Party.HUB)
    assert (copy.party_of(BROKER), copy.party_of(SOUTH)) == (None, None)
    assert (hub.trouble, copy.stale()) == (None, None)


async def test_what_the_directory_does_not_list_has_its_own_code(place: Site, hub: DirectoryClient) -> None:
    copy, now = hub.copy, place.clock.now()
    (encryption,) = own(place, NORTH, CertificateType.ENCRYPTION)
    (signing,) = own(place, NORTH, CertificateType.SIGNING)
    (of_hub,) = own(place, HUB, CertificateType.SIGNING)

    assert fault(copy.encryption, SOUTH, now) == "E-UNKNOWN-RECEIVER"
    assert fault(copy.signing, NORTH, encryption, now) == "E-NO-CERT"
    assert fault(copy.signing, NORTH, of_hub, now) == "E-NO-CERT"
    assert fault(copy.signing, NORTH, signing, now + timedelta(days=366)) == "E-CERT-EXPIRED"
    assert fault(copy.encryption, NORTH, now - timedelta(days=1)) == "E-CERT-EXPIRED"
    assert fault(copy.path, SOUTH, "TPS-ACK", now) == "E-UNKNOWN-RECEIVER"
    assert fault(copy.path, NORTH, "TPS-ACK", now - timedelta(days=1)) == "E-NO-PATH"


async def test_a_copy_that_was_never_filled_says_so(place: Site) -> None:
    client = place.client(HUB)

    assert fault(client.copy.encryption, NORTH, place.clock.now()) == "E-DIRECTORY-STALE"
    assert client.trouble is not None


@asynccontextmanager
async def broken(client: DirectoryClient) -> AsyncIterator[None]:
    """The directory does not answer."""
    url, client._url = client._url, "https://127.0.0.1:1"
    yield
    client._url = url


async def test_an_outage_does_no_harm_until_the_time_to_live_is_over(place: Site, hub: DirectoryClient) -> None:
    async with broken(hub):
        await place.clock.advance(TTL_S - 1)
        assert not await hub.sync()
        assert "does not answer" in str(hub.trouble)
        hub.copy.encryption(NORTH, place.clock.now())

        await place.clock.advance(1)

        for look_up in (hub.copy.encryption, hub.copy.path):
            about = (NORTH, place.clock.now()) if look_up == hub.copy.encryption else (NORTH, "x", place.clock.now())
            assert fault(look_up, *about) == "E-DIRECTORY-STALE"
        assert hub.copy.party_of(NORTH) is paths.Party.DSO

    assert await hub.sync()
    hub.copy.encryption(NORTH, place.clock.now())


async def test_no_news_makes_the_copy_live_longer_without_sending_it_again(place: Site, hub: DirectoryClient) -> None:
    before = hub.copy.content_id
    await place.clock.advance(TTL_S - 1)
    signed = await place.directory.copy_for(HUB, hub.copy.known)
    assert wire.parse(signed.body).records == ()

    assert await hub.sync()
    await place.clock.advance(TTL_S - 1)

    assert (hub.copy.stale(), hub.copy.content_id) == (None, before)
    assert NORTH in hub.copy.codes


async def test_the_client_asks_on_start_and_then_at_its_period_give_or_take(place: Site) -> None:
    moved = iter([1.0, -1.0, 0.0])
    client = DirectoryClient(
        place.url, copy=place.copy(HUB), folder=place.of(HUB), clock=place.clock, jitter=lambda: next(moved)
    )
    running = asyncio.create_task(client.run())
    await until_asleep(place)
    first = client.copy.content_id
    await place.enrol(ALPHA, Party.AGR)
    await place.clock.advance(PERIOD_S * 1.1 - 1)
    waiting = client.copy.content_id
    await place.clock.advance(1)
    await until_asleep(place)
    second = client.copy.content_id
    running.cancel()

    assert (first, waiting, second) == (4, 4, 5)


async def until_asleep(place: Site) -> None:
    """Until the client has done its call: the network needs real time."""
    async with asyncio.timeout(20):
        while not place.clock.sleeping:  # noqa: ASYNC110 # the clock has no way to tell us
            await asyncio.sleep(0.005)


async def test_somebody_unknown_makes_the_client_ask_once_and_not_again_at_once(
    place: Site, hub: DirectoryClient
) -> None:
    await place.enrol(ALPHA, Party.AGR)
    unknown = hub.copy.party_of(ALPHA)

    asked = [await hub.force(ALPHA), await hub.force(ALPHA), await hub.force(BRAVO)]
    await place.clock.advance(10)
    asked.append(await hub.force(ALPHA))

    assert (unknown, hub.copy.party_of(ALPHA)) == (None, paths.Party.AGR)
    assert asked == [True, False, True, True]


async def test_who_asks_while_the_answer_is_on_its_way_has_it_too(place: Site, hub: DirectoryClient) -> None:
    """Of several first messages of a new partner all but the first were refused for good."""
    await place.enrol(ALPHA, Party.AGR)

    async def asked() -> paths.Party | None:
        await hub.force(ALPHA)
        return hub.copy.party_of(ALPHA)

    assert tuple(await asyncio.gather(asked(), asked(), asked())) == (paths.Party.AGR,) * 3


async def test_a_revocation_is_seen_within_one_sync(place: Site, hub: DirectoryClient) -> None:
    now = place.clock.now()
    (signing,) = own(place, NORTH, CertificateType.SIGNING)
    await place.directory.revoke_certificate(signing, why="lost", by="operator")
    assert await hub.sync()
    without_signing = fault(hub.copy.signing, NORTH, signing, now)
    hub.copy.encryption(NORTH, now)

    await place.directory.revoke(NORTH, why="stolen", by="operator")
    assert await hub.sync()

    assert without_signing == "E-REVOKED"
    assert fault(hub.copy.encryption, NORTH, now) == "E-UNKNOWN-RECEIVER"
    assert hub.copy.party_of(NORTH) is None


async def test_who_is_revoked_learns_nothing_more_and_keeps_its_copy_until_it_ends(place: Site) -> None:
    client = place.client(NORTH)
    await client.sync()
    await place.directory.revoke(NORTH, why="stolen", by="operator")
    await place.enrol(ALPHA, Party.AGR)

    assert not await client.sync()
    assert client.copy.codes == {DIRECTORY, BROKER, HUB, NORTH}
    await place.clock.advance(TTL_S)
    assert fault(client.copy.encryption, HUB, place.clock.now()) == "E-DIRECTORY-STALE"


async def answered(place: Site, code: str = HUB) -> Answer:
    copy = await place.directory.copy_for(code)
    return Answer(body=copy.body, signature=copy.signature, certificate=copy.certificate)


def signed_by(pair: credentials.KeyPair, audience: str, body: bytes) -> Answer:
    assert isinstance(pair.key, ec.EllipticCurvePrivateKey)
    signature = pair.key.sign(wire.signed_bytes(audience, body), ec.ECDSA(hashes.SHA256()))
    return Answer(body=body, signature=signature, certificate=credentials.der_of(pair.certificate))


async def test_a_step_back_is_refused_and_the_copy_stays(place: Site, hub: DirectoryClient) -> None:
    old = await answered(place)
    await place.directory.revoke(NORTH, why="stolen", by="operator")
    await hub.sync()

    assert fault(hub.copy.take, old) == "E-DIRECTORY-STALE"
    assert NORTH not in hub.copy.codes


async def test_what_the_directory_has_not_signed_for_us_is_refused(place: Site, hub: DirectoryClient) -> None:
    good = await answered(place)
    now = place.clock.now()
    of_hub = credentials.load(place.of(HUB)).preferred(CertificateType.SIGNING, now)
    of_directory = credentials.load(place.directory.authority.own)
    before = hub.copy.content_id

    forged = [
        replace(good, body=good.body.replace(b"<contentID>4", b"<contentID>9")),
        replace(good, signature=b"\0" * 70),
        replace(good, certificate=b"no certificate"),
        replace(await answered(place, NORTH)),
        signed_by(of_hub, HUB, good.body),
        signed_by(of_directory.preferred(CertificateType.AUTHENTICATION, now), HUB, good.body),
    ]

    assert {fault(hub.copy.take, each) for each in forged} == {"E-SIGNATURE"}
    assert fault(lambda: answer_of(b"", signature="!", certificate="")) == "E-SIGNATURE"
    assert hub.copy.content_id == before


async def test_a_directory_of_another_root_is_not_believed(place: Site, hub: DirectoryClient, tmp_path: Path) -> None:
    async with site(tmp_path / "elsewhere") as elsewhere:
        assert fault(hub.copy.take, await answered(elsewhere)) == "E-SIGNATURE"
        hub._url = elsewhere.url

        assert not await hub.sync()


async def test_signed_content_of_another_directory_or_without_sense_is_refused(
    place: Site, hub: DirectoryClient
) -> None:
    pair = credentials.load(place.directory.authority.own).preferred(CertificateType.SIGNING, place.clock.now())
    good = wire.parse((await answered(place)).body)
    other = replace(good, directory=BROKER, content_id=9)
    broken_certificate = replace(
        good,
        content_id=9,
        records=tuple(
            replace(record, certificates=tuple(replace(each, der=b"x") for each in record.certificates))
            for record in good.records
        ),
    )

    assert fault(hub.copy.take, signed_by(pair, HUB, wire.render(other))) == "E-SIGNATURE"
    assert fault(hub.copy.take, signed_by(pair, HUB, b"<nonsense/>")) == "E-FORMAT"
    assert fault(hub.copy.take, signed_by(pair, HUB, wire.render(broken_certificate))) == "E-FORMAT"
    hub.copy.encryption(NORTH, place.clock.now())


async def test_the_copy_survives_a_restart_for_its_owner_only(place: Site, hub: DirectoryClient) -> None:
    file = place.of(HUB) / "directory.json"
    await place.clock.advance(TTL_S - 1)

    again = place.copy(HUB)
    assert (again.content_id, again.stale()) == (hub.copy.content_id, None)
    again.encryption(NORTH, place.clock.now())
    assert file.stat().st_mode & 0o777 == 0o600
    await place.clock.advance(1)
    assert place.copy(HUB).stale() is not None, "a restart does not lengthen the time to live"


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff"])
async def test_a_damaged_file_is_as_good_as_none(place: Site, hub: DirectoryClient, damage: bytes) -> None:
    (place.of(HUB) / "directory.json").write_bytes(damage)

    again = place.client(HUB)

    assert again.copy.content_id == 0
    assert await again.sync()
    assert again.copy.content_id == hub.copy.content_id


async def test_a_file_that_somebody_has_changed_is_not_believed(place: Site, hub: DirectoryClient) -> None:
    file = place.of(HUB) / "directory.json"
    body = base64.b64encode((await answered(place)).body)
    text = file.read_bytes()
    assert body[:400] in text
    file.write_bytes(text.replace(body[200:204], b"AAAA", 1))

    assert place.copy(HUB).content_id == 0


async def test_renewed_certificates_overlap_and_the_oldest_is_used_until_it_ends(
    place: Site, hub: DirectoryClient
) -> None:
    assert not await enrolment.renew(place.of(NORTH), place.url, at=place.clock.now())
    await place.clock.advance(timedelta(days=340).total_seconds())
    assert await enrolment.renew(place.of(NORTH), place.url, at=place.clock.now())
    assert not await enrolment.renew(place.of(NORTH), place.url, at=place.clock.now())
    await hub.sync()

    old, new = own(place, NORTH, CertificateType.SIGNING)
    now, later = place.clock.now(), place.clock.now() + timedelta(days=26)
    keys = credentials.load(place.of(NORTH)).keys
    assert at_most_listed(hub, NORTH) == 6
    assert pki.certificate_id(keys(now).signing_certificate) == old
    assert pki.certificate_id(keys(later).signing_certificate) == new
    assert pki.certificate_id(hub.copy.signing(NORTH, new, now)) == new
    assert pki.certificate_id(hub.copy.signing(NORTH, old, now)) == old
    assert fault(hub.copy.signing, NORTH, old, later) == "E-CERT-EXPIRED"
    both = own(place, NORTH, CertificateType.ENCRYPTION)
    assert [pki.certificate_id(hub.copy.encryption(NORTH, at)) for at in (now, later)] == both
    assert set(keys(now).decryption) == set(both), "what was encrypted for either can be read"


async def test_a_component_renews_by_itself_and_tells_who_uses_the_keys(place: Site) -> None:
    told: list[str] = []
    client = client_in(place.of(NORTH), clock=place.clock, jitter=lambda: 0.0, renewed=lambda: told.append("renewed"))
    await client.sync()
    early = await client.look_after_certificates()
    await place.clock.advance(timedelta(days=336).total_seconds())
    await client.sync()

    assert (early, await client.look_after_certificates(), told) == (False, True, ["renewed"])
    assert len(own(place, NORTH, CertificateType.SIGNING)) == 2


async def test_a_revoked_certificate_is_retired_and_replaced_by_its_owner(place: Site) -> None:
    client = client_in(place.of(NORTH), clock=place.clock, jitter=lambda: 0.0)
    await client.sync()
    (lost,) = own(place, NORTH, CertificateType.SIGNING)
    await place.directory.revoke_certificate(lost, why="lost", by="operator")
    await client.sync()

    assert await client.look_after_certificates()
    assert not await client.look_after_certificates()

    keys = credentials.load(place.of(NORTH)).keys(place.clock.now())
    assert pki.certificate_id(keys.signing_certificate) != lost
    assert len(own(place, NORTH, CertificateType.ENCRYPTION)) == 2
    assert len(await asyncio.to_thread(lambda: list((place.of(NORTH) / "retired").iterdir()))) == 2


async def test_a_renewal_that_fails_is_tried_again(place: Site) -> None:
    client = place.client(NORTH)
    await client.sync()
    await place.clock.advance(timedelta(days=340).total_seconds())

    async with broken(client):
        assert not await client.look_after_certificates()
    assert await client.look_after_certificates()
    assert len(own(place, NORTH, CertificateType.SIGNING)) == 2


async def test_messages_are_sealed_and_opened_with_what_the_copies_say(place: Site, hub: DirectoryClient) -> None:
    north = place.client(NORTH)
    await north.sync()
    now = place.clock.now()
    sealers = {
        client.copy.code: Sealer(client.copy.code, credentials.load(place.of(client.copy.code)).keys(now), client.copy)
        for client in (hub, north)
    }
    message = Message(
        message_id="1",
        internal_type=InternalType.STANDARD,
        sender=NORTH,
        receiver=HUB,
        business_type=BusinessType.POINTS,
        generated=now,
        expires=now + timedelta(hours=1),
        content=b"<Ref_MarketDocument/>",
    )
    sealed = sealers[NORTH].seal(message)

    taken = sealers[HUB].open(sealers[HUB].verify(sealers[HUB].look(sealed)))
    await place.directory.revoke_certificate(own(place, NORTH, CertificateType.SIGNING)[0], why="x", by="y")
    await hub.sync()

    assert taken.content == message.content
    assert fault(sealers[HUB].verify, sealers[HUB].look(sealed)) == "E-REVOKED"


async def test_a_component_registers_itself_and_its_keys_never_leave_its_folder(place: Site) -> None:
    token = await place.directory.invite(ALPHA, Party.AGR, by="operator")
    asked = {"token": token, "code": ALPHA, "contact": CONTACT, "root_pem": place.root, "at": place.clock.now()}

    waiting = await enrolment.register(place.of(ALPHA), place.url, **asked)  # type: ignore[arg-type] # as they are named
    still = await enrolment.register(place.of(ALPHA), place.url, **asked)  # type: ignore[arg-type] # as above
    await place.directory.approve(waiting.registration, why="known", by="operator")
    approved = await enrolment.register(place.of(ALPHA), place.url, **asked)  # type: ignore[arg-type] # as above

    assert (waiting.status, still.status, approved.status) == (Status.PENDING, Status.PENDING, Status.APPROVED)
    told = enrolment.component_in(place.of(ALPHA))
    assert (told.code, told.directory, told.brokers) == (ALPHA, DIRECTORY, ("amqps://broker.example.org:5671",))
    entry = await place.directory.entry(ALPHA)
    assert entry is not None
    assert told.queue_suffix == entry.queue_suffix
    files = await asyncio.to_thread(lambda: list(place.of(ALPHA).rglob("*")))
    assert {file.stat().st_mode & 0o777 for file in files if file.is_file()} == {0o600}
    client = place.client(ALPHA)
    await client.configure(configured(over_broker(start=place.clock.now())))
    assert await client.sync()
    assert client.copy.codes == {DIRECTORY, BROKER, HUB, ALPHA}


async def test_a_directory_under_another_root_than_the_one_given_is_not_registered_with(
    place: Site, tmp_path: Path
) -> None:
    async with site(tmp_path / "elsewhere") as elsewhere:
        token = await elsewhere.directory.invite(ALPHA, Party.AGR, by="operator")

        with pytest.raises(Unavailable, match="does not answer"):
            await enrolment.register(
                tmp_path / "alpha",
                elsewhere.url,
                token=token,
                code=ALPHA,
                contact=CONTACT,
                root_pem=place.root,
                at=place.clock.now(),
            )
        assert (await elsewhere.directory.applications())[-1].code != ALPHA


async def test_a_refusal_is_told_in_the_directorys_words(place: Site, tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="Ask the operator"):
        await enrolment.register(
            tmp_path / "alpha",
            place.url,
            token="nonsense",
            code=ALPHA,
            contact=CONTACT,
            root_pem=place.root,
            at=place.clock.now(),
        )


async def test_certificates_for_other_keys_or_from_another_root_are_not_adopted(place: Site, tmp_path: Path) -> None:
    chain, now = place.directory.authority.chain, place.clock.now()
    issued = place.directory.authority.issue(ALPHA, credentials.requests_in(tmp_path / "one", ALPHA), now=now)
    credentials.requests_in(tmp_path / "other", ALPHA)

    with pytest.raises(pki.CertificateRefused, match="for the key that was made"):
        credentials.adopt(tmp_path / "other", ALPHA, issued, chain=chain, at=now)
    with pytest.raises(pki.CertificateRefused, match="for the key that was made"):
        credentials.adopt(tmp_path / "one", NORTH, issued, chain=chain, at=now)
    assert not (tmp_path / "one" / credentials.ROOT).exists()
    credentials.adopt(tmp_path / "one", ALPHA, issued, chain=chain, at=now)
    async with site(tmp_path / "elsewhere") as elsewhere:
        foreign = elsewhere.directory.authority
        again = foreign.issue(ALPHA, credentials.requests_in(tmp_path / "one", ALPHA), now=now)
        with pytest.raises(pki.CertificateRefused, match="another root"):
            credentials.adopt(tmp_path / "one", ALPHA, again, chain=foreign.chain, at=now)


async def test_a_directory_that_comes_back_is_found_again(place: Site, hub: DirectoryClient) -> None:
    async with AsyncExitStack() as stack:
        hub._url = await stack.enter_async_context(door(place.directory))
        assert await hub.sync()
    assert not await hub.sync()
    hub._url = place.url
    assert await hub.sync()
