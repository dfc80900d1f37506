"""F1, R1: over RabbitMQ nobody comes in but who is registered, with the certificate for it, and not revoked."""

from datetime import UTC, datetime
from pathlib import Path
from ssl import SSLContext

import pytest

from documents import identifiers
from gateways.demo.cast import ALPHA, HEAT_PUMP, PLANT
from gateways.demo.founding import HUB
from hub.directory_service.bootstrap import member
from hub.directory_service.gate import Gate
from hub.errors import SettingsError, Unavailable
from hub.mades import credentials, pki
from hub.mades.amqp import AmqpTransport
from hub.mades.certificates import CertificateType
from hub.mades.paths import Party
from hub.mades.tls import client_context
from hub.ports import Refused
from hub.settings import Management
from tests.acceptance import roads
from tests.acceptance.platform import Platform
from tests.mades_brokers import Certificates

pytestmark = pytest.mark.slow

ME = identifiers.party(ALPHA.id)
NOWHERE = (Refused, Unavailable)
"""RabbitMQ answers a wrong user, and cuts the line where already TLS refuses a certificate."""
STRANGER = "A01:45X-AGR-STRANGER"


async def test_who_is_revoked_in_the_directory_is_out_at_once_and_back_when_reapproved() -> None:
    """R1: what it sends stays with it; others go on; a message of that time arrives when it is let in again."""
    async with Platform.running(road="rabbitmq") as platform:
        await platform.register_all()
        site = await roads.site()
        assert isinstance(platform.broker, roads.RealRabbit)
        gate = Gate(site.directory, Management(url=platform.broker.management_url))
        await site.directory.revoke(ME, why="stolen", by="test")
        try:
            await gate.fit()

            await platform.eventually(lambda: _is_in(platform), lambda is_in: not is_in, "alpha to be thrown out")
            sent = await platform.alpha.call("POST", "/limits/request")
            await platform.pass_time(30)
            message = await platform.alpha.get(f"/messages/{sent.body['mrid']}")
            assert (message["state"], message["verdict"]) == ("ACCEPTED", "pending")
            with pytest.raises(Refused, match="certificate"):
                await _enter(platform, site, CertificateType.AUTHENTICATION)
            again = site.membership("alpha", clock=platform.clock, broker=platform.broker)
            with pytest.raises(SettingsError, match=ME):
                async with again.exchanging(Party.AGR, hub=HUB):
                    pass
            await platform.submit_plan(platform.charlie, PLANT, 2_000_000)
        finally:
            await site.directory.reapprove(ME, why="found", by="test")
            await gate.fit()

        await platform.until(
            platform.alpha, f"/messages/{sent.body['mrid']}", lambda m: m["state"] == "RECEIVED", "its message received"
        )
        await platform.submit_plan(platform.alpha, HEAT_PUMP, -400_000)


@pytest.mark.parametrize("kind", [CertificateType.SIGNING, CertificateType.ENCRYPTION])
async def test_a_certificate_for_signing_or_encryption_does_not_log_in(kind: CertificateType) -> None:
    """F1: a registered participant, and the wrong one of its three certificates."""
    site = await roads.site()
    async with site.broker("rabbitmq") as broker:
        with pytest.raises(NOWHERE):
            await _connect(broker.url, ME, _tls(site, kind))
        right = await _connect(broker.url, ME, _tls(site, CertificateType.AUTHENTICATION))
        assert right.connected
        await right.close()


async def test_who_is_not_registered_does_not_log_in_whoever_certified_it(tmp_path: Path) -> None:
    """F1, R1: with a certificate of our own authority under a code that nobody registered, or of any other one."""
    site = await roads.site()
    async with site.broker("rabbitmq") as broker:
        with pytest.raises(Refused, match="certificate"):
            await _connect(broker.url, STRANGER, _certified(site, tmp_path))
        with pytest.raises(NOWHERE):
            await _connect(broker.url, ME, Certificates(tmp_path).client(ME))


async def _is_in(platform: Platform) -> bool:
    return platform.road("alpha").is_connected


async def _enter(platform: Platform, site: roads.Site, kind: CertificateType) -> AmqpTransport:
    return await _connect(platform.broker.url, ME, _tls(site, kind))


async def _connect(url: str, code: str, tls: SSLContext) -> AmqpTransport:
    return await AmqpTransport.connect(url, code=code, tls=tls, suffix="0" * 16)


def _tls(site: roads.Site, kind: CertificateType) -> SSLContext:
    pair = credentials.load(member(site.folder, "alpha")).preferred(kind, datetime.now(UTC))
    return client_context(certificate=pair.certificate_file, key=pair.key_file, authority=site.server.authority)


def _certified(site: roads.Site, folder: Path) -> SSLContext:
    """The authority has certified a code, and the directory knows nothing of it."""
    key, authority = pki.make_key(), site.directory.authority
    now = datetime.now(UTC)
    leaf = pki.issue(key.public_key(), STRANGER, CertificateType.AUTHENTICATION, authority=authority.issuing, now=now)
    certificate, key_file = folder / "stranger.pem", folder / "stranger.key"
    certificate.write_bytes(pki.pem_of(leaf, authority.issuing.certificate))
    pki.write_key(key_file, key)
    return client_context(certificate=certificate, key=key_file, authority=site.server.authority)
