"""`tps doctor`: each thing that may be wrong with a component is found and said in words, and nothing else is."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.cli import tps
from hub.clock import ManualClock
from hub.directory.values import Party
from hub.directory_service.authority import make_authority
from hub.doctor import Finding, examine, exchange, keys, reach
from hub.doctor.store import database
from hub.mades import credentials, paths, pki
from hub.mades.certificates import CertificateType
from hub.mades.credentials import server_trust
from hub.mades.embedded import Component
from hub.mades.membership import Membership
from hub.settings import (
    Broker,
    Database,
    Directory,
    DirectorySettings,
    Gateway,
    GatewaySettings,
    Mades,
    Participant,
    Secret,
)
from hub.store.embedded import EmbeddedPostgres
from hub.store.postgres import PostgresStore
from hub.values import Role
from tests.fixtures_store import DatabaseUrl
from tests.founded import DIRECTORY, DIRECTORY_ID, HOST, Founded, founded
from tests.unit.test_hub_process import free_port

pytestmark = pytest.mark.slow
HUB, NORTH = "A01:45X-TPS-HUB-DEM8", "A10:5790000000005"
YEAR = timedelta(days=365)


def now() -> datetime:
    return datetime.now(UTC)


class Patient:
    """North's gateway on a platform where all is well, until a test changes something."""

    def __init__(self, platform: Founded, url: str) -> None:
        self.platform, self.url = platform, url
        self.folder = platform.member(NORTH)
        self.clock = ManualClock(now())

    def settings(
        self, *, broker: str = "", hub: str = "45X-TPS-HUB-DEM8", me: str = "5790000000005"
    ) -> GatewaySettings:
        return GatewaySettings(
            participant=Participant(id="5790000000005", role=Role.DSO),
            gateway=Gateway(hub_id=hub),
            database=Database(url=Secret(self.url)),
            mades=Mades(dir=self.folder),
            broker=Broker(url=broker),
        )

    async def findings(self, **changed: str) -> list[Finding]:
        return await examine(self.settings(**changed), self.clock)

    async def only(self, where: str, **changed: str) -> str:
        """What is found, which is one thing and at this place."""
        found = await self.findings(**changed)
        assert [each.where for each in found] == [where], found
        return str(found[0])


@pytest.fixture
async def patient(tmp_path: Path, database_url: DatabaseUrl) -> AsyncIterator[Patient]:
    url = await database_url()
    async with await PostgresStore.open(url, component=NORTH):
        pass
    async with founded(tmp_path, {HUB: Party.HUB, NORTH: Party.DSO}, hub=HUB) as platform:
        for code, party in ((HUB, paths.Party.HUB), (NORTH, paths.Party.DSO)):
            member = Membership(platform.member(code), clock=ManualClock(now()))
            async with member.exchanging(party, hub=HUB):
                pass
        north = Membership(platform.member(NORTH), clock=ManualClock(now()))
        await north.client.sync()  # the hub has its paths by now
        yield Patient(platform, url)


async def test_nothing_is_found_where_all_is_well(patient: Patient) -> None:
    assert await patient.findings() == []


# Certificates.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A component's folder as registration leaves it."""
    authority = make_authority(tmp_path / "authority", "Test", now=now())
    own = tmp_path / "own"
    issued = authority.issue(NORTH, credentials.requests_in(own, NORTH), now=now())
    credentials.adopt(own, NORTH, issued, chain=authority.chain, at=now())
    return own


def of_keys(folder: Path, *, at: datetime | None = None, code: str = NORTH) -> list[str]:
    return [str(each) for each in keys.component(folder, code, now=at or now())]


def file_of(folder: Path, kind: CertificateType, suffix: str) -> Path:
    return next(folder.glob(f"{kind.lower()}-*.{suffix}"))


def test_a_folder_without_certificates_is_found(tmp_path: Path) -> None:
    (found,) = of_keys(tmp_path)

    assert "holds no certificates" in found
    assert "tps mades register" in found


def test_a_missing_certificate_is_found_by_its_type(folder: Path) -> None:
    file_of(folder, CertificateType.SIGNING, "key").unlink()

    (found,) = of_keys(folder)

    assert f"found no SIGNING certificate of {NORTH}" in found


def test_certificates_that_end_soon_are_found_before_they_have_ended(folder: Path) -> None:
    assert of_keys(folder, at=now() + YEAR - timedelta(days=31)) == []
    soon = of_keys(folder, at=now() + YEAR - timedelta(days=29))
    late = of_keys(folder, at=now() + YEAR + timedelta(days=1))

    assert [("ends soon" in each, "tps mades renew" in each) for each in soon] == [(True, True)] * 3
    assert ["expired on" in each and "register anew" in each for each in late] == [True] * 3


def test_a_certificate_from_the_future_is_a_wrong_clock(folder: Path) -> None:
    found = of_keys(folder, at=now() - timedelta(days=2))

    assert ["holds from" in each and "clock" in each for each in found] == [True] * 3


def test_a_certificate_for_another_purpose_is_found(folder: Path, tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "other", "Test", now=now())
    key = pki.read_key(file_of(folder, CertificateType.SIGNING, "key"))
    leaf = pki.issue_server(key.public_key(), [NORTH], authority=authority.issuing, now=now())
    file_of(folder, CertificateType.SIGNING, "pem").write_bytes(pki.pem_of(leaf))

    missing, other = of_keys(folder)

    assert "no SIGNING certificate" in missing
    assert "another purpose in" in other
    assert f"expected one for {', '.join(CertificateType)}" in other


def test_a_certificate_from_another_root_is_found(folder: Path, tmp_path: Path) -> None:
    other = make_authority(tmp_path / "other", "Other", now=now())
    (folder / "root.pem").write_bytes(pki.pem_of(other.root))

    found = of_keys(folder)

    assert ["No chain leads from" in each for each in found] == [True] * 3


def test_a_key_that_belongs_to_another_certificate_is_found(folder: Path) -> None:
    file = file_of(folder, CertificateType.ENCRYPTION, "key")
    file.unlink()
    pki.write_key(file, pki.make_key())

    (found,) = of_keys(folder)

    assert f"{file} for another certificate" in found


def test_a_key_that_others_may_read_is_found(folder: Path) -> None:
    file = file_of(folder, CertificateType.SIGNING, "key")
    file.chmod(0o640)

    (found,) = of_keys(folder)

    assert f"{file} with mode 640" in found
    assert f"chmod 600 {file}" in found


def test_certificates_of_somebody_else_are_found_by_their_name(folder: Path) -> None:
    (found,) = of_keys(folder, code=HUB)

    assert found.startswith(f"names: found certificates of {NORTH}")
    assert f"expected those of {HUB}" in found


# The directory's own authority.


def of_directory(folder: Path, *, at: datetime | None = None, hosts: str = HOST) -> list[str]:
    chosen = Directory(id=DIRECTORY_ID, dir=folder, hosts=hosts)
    return [str(each) for each in keys.authority(chosen, now=at or now())]


def test_the_key_of_the_root_does_not_belong_on_the_machine_of_the_directory(tmp_path: Path) -> None:
    make_authority(tmp_path, "Test", now=now())

    (found,) = of_directory(tmp_path)
    (tmp_path / "root.key").unlink()

    assert "offline" in found
    assert of_directory(tmp_path) == []


def test_a_directory_without_authority_or_with_one_that_ends_soon_is_found(tmp_path: Path) -> None:
    (none,) = of_directory(tmp_path)
    make_authority(tmp_path, "Test", now=now())
    (tmp_path / "root.key").unlink()
    (soon,) = of_directory(tmp_path, at=now() + 5 * YEAR - timedelta(days=100))

    assert "holds no authority" in none
    assert "the issuing certificate ends soon" in soon


def test_a_server_certificate_for_other_names_is_found(tmp_path: Path) -> None:
    authority = make_authority(tmp_path, "Test", now=now())
    (tmp_path / "root.key").unlink()
    authority.server_files(tmp_path, [HOST], now=now())

    assert of_directory(tmp_path) == []
    (found,) = of_directory(tmp_path, hosts="directory.example")
    assert found.startswith("names: found 127.0.0.1 in the server certificate; expected directory.example")


async def test_the_directory_is_looked_at_with_its_database(tmp_path: Path, database_url: DatabaseUrl) -> None:
    make_authority(tmp_path, "Test", now=now())
    (tmp_path / "root.key").unlink()
    url = await database_url()
    async with await PostgresStore.open(url, component=NORTH):
        pass
    settings = DirectorySettings(
        directory=Directory(id=DIRECTORY_ID, dir=tmp_path, hosts=HOST), database=Database(url=Secret(url))
    )

    (found,) = await examine(settings, ManualClock(now()))

    assert (found.where, found.found, found.expected) == (
        "database",
        f"the store of {NORTH}",
        f"that of {DIRECTORY}",
    )


# Reachability.


async def test_a_name_without_an_address_is_found() -> None:
    found = await reach.server("broker", "broker.invalid", 5671)

    assert found is not None
    assert found.found == "no address for the name broker.invalid"


async def test_a_port_where_nobody_listens_is_found() -> None:
    port = free_port()

    found = await reach.server("directory", HOST, port)

    assert found is not None
    assert found.found.startswith(f"connection to {HOST}:{port} refused")


async def test_a_server_that_says_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "TIMEOUT_S", 0.05)
    with socket.create_server((HOST, 0)) as silent:
        found = await reach.server("broker", HOST, silent.getsockname()[1], ssl.create_default_context())

    assert found is not None
    assert "no answer" in found.found


@asynccontextmanager
async def tls_server(folder: Path, hosts: list[str]) -> AsyncIterator[tuple[int, ssl.SSLContext]]:
    """A server under these names; its port, and what trusts it."""
    authority = make_authority(folder, "Test", now=now())
    server = await asyncio.start_server(
        lambda _, writer: writer.close(), HOST, 0, ssl=authority.server_context(hosts, now=now())
    )
    async with server:
        yield server.sockets[0].getsockname()[1], server_trust(pki.pem_of(authority.root).decode())


async def test_a_server_under_another_name_is_found_by_its_name(tmp_path: Path) -> None:
    async with tls_server(tmp_path, ["broker.example"]) as (port, trust):
        found = await reach.server("broker", HOST, port, trust)

    assert found is not None
    assert (found.where, found.found) == ("names", f"a certificate of {HOST}:{port} that is not for this name")


async def test_a_server_of_another_platform_is_found(tmp_path: Path) -> None:
    other = make_authority(tmp_path / "other", "Other", now=now())
    async with tls_server(tmp_path / "own", [HOST]) as (port, _):
        found = await reach.server("broker", HOST, port, server_trust(pki.pem_of(other.root).decode()))

    assert found is not None
    assert (found.where, "not good" in found.found) == ("broker", True)


async def test_a_server_without_tls_is_found(tmp_path: Path) -> None:
    def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        writer.close()

    plain = await asyncio.start_server(greet, HOST, 0)
    trust = server_trust(pki.pem_of(make_authority(tmp_path, "Test", now=now()).root).decode())
    async with plain:
        found = await reach.server("broker", HOST, plain.sockets[0].getsockname()[1], trust)

    assert found is not None
    assert "TLS refused" in found.found


@pytest.mark.parametrize(("apart_s", "words"), [(-400, "400 s behind"), (400, "400 s ahead of"), (-299, ""), (299, "")])
def test_clocks_may_differ_by_300_seconds(apart_s: int, words: str) -> None:
    found = reach.clocks(
        "Tue, 24 Nov 2026 12:00:00 GMT", now=datetime(2026, 11, 24, 12, tzinfo=UTC) + timedelta(seconds=apart_s)
    )

    assert (words in found.found) if words and found else found is None


async def test_a_clock_that_differs_from_the_directory_is_found(patient: Patient) -> None:
    patient.clock = ManualClock(now() + timedelta(minutes=10))

    assert "ahead of the directory" in await patient.only("clocks")


async def test_a_certificate_that_the_directory_lists_no_longer_is_a_refused_login(patient: Patient) -> None:
    await patient.platform.founder.directory.revoke(NORTH, why="test", by="test")

    assert "directory: found login refused" in await patient.only("directory")


# The copy of the directory.


async def test_a_component_that_never_asked_the_directory_is_found(patient: Patient) -> None:
    (patient.folder / "directory.json").unlink()

    assert "has not answered yet" in await patient.only("directory copy", broker=patient.platform.broker.url(HUB))


async def test_a_copy_beyond_its_time_to_live_is_found_with_its_age(patient: Patient) -> None:
    membership = Membership(patient.folder, clock=ManualClock(now() + timedelta(hours=25)))

    (found,) = exchange.copy(membership.copy, HUB, now=now() + timedelta(hours=25))

    assert "25 h old" in found.found


async def test_a_hub_that_is_not_in_the_copy_is_found(patient: Patient) -> None:
    found = await patient.only("directory copy", hub="45X-AGR-ALPHA--N")

    assert "no component A01:45X-AGR-ALPHA--N" in found
    assert "gateway.hub_id" in found


# The broker.


async def test_a_broker_that_does_not_let_us_in_is_a_refused_login(patient: Patient) -> None:
    patient.platform.broker.provision({HUB: Component(paths.Party.HUB, suffix="0123456789abcdef")}, hub=HUB)

    found = await patient.only("broker")

    assert "login refused" in found
    assert "tps broker provision" in found


async def test_a_broker_where_nobody_listens_is_found(patient: Patient) -> None:
    port = free_port()

    assert f"connection to {HOST}:{port} refused" in await patient.only("broker", broker=f"amqps://{HOST}:{port}/mades")


async def test_queues_that_are_not_there_are_found(patient: Patient) -> None:
    registered = {each.code: each for each in await patient.platform.founder.directory.registered()}
    patient.platform.broker.provision(
        {
            HUB: Component(paths.Party.HUB, suffix=registered[HUB].suffix),
            NORTH: Component(paths.Party.DSO, suffix="0123456789abcdef"),
        },
        hub=HUB,
    )

    found = await patient.findings()

    assert [(each.where, each.found) for each in found] == [
        ("broker", "no urgent queue that we may read"),
        ("broker", "no bulk queue that we may read"),
    ]


async def test_a_hub_that_we_may_not_write_to_is_found(patient: Patient) -> None:
    registered = {each.code: each for each in await patient.platform.founder.directory.registered()}
    patient.platform.broker.provision(
        {
            "A01:45X-AGR-BRAVO--B": Component(paths.Party.HUB, suffix="0123456789abcdef"),
            NORTH: Component(paths.Party.DSO, suffix=registered[NORTH].suffix),
        },
        hub="A01:45X-AGR-BRAVO--B",
    )

    assert "we may not write to the hub" in await patient.only("broker")


# The database.


async def of_database(url: str, owner: str = NORTH) -> list[str]:
    return [str(each) async for each in database(Database(url=Secret(url)), "gateway", owner=owner)]


async def test_a_database_server_that_is_not_there_is_found() -> None:
    assert "refused" in (await of_database(f"postgresql://tps@{HOST}:{free_port()}/tps"))[0]
    assert "no address for the name" in (await of_database("postgresql://tps@db.invalid/tps"))[0]


async def test_a_database_that_does_not_let_us_in_is_found(database_url: DatabaseUrl) -> None:
    url = (await database_url()).replace("postgresql://", "postgresql://nobody_", 1)

    (found,) = await of_database(url)

    assert "login refused" in found


async def test_a_database_that_is_not_migrated_is_found(postgres: EmbeddedPostgres) -> None:
    (found,) = await of_database(await postgres.database("doctor"))

    assert "an empty database" in found


async def test_a_database_of_somebody_else_is_found(database_url: DatabaseUrl) -> None:
    url = await database_url()
    async with await PostgresStore.open(url, component=HUB):
        pass

    (found,) = await of_database(url)

    assert f"found the store of {HUB}; expected that of {NORTH}" in found


# The command.


def run(*arguments: str, env: Mapping[str, str]) -> tuple[int, str]:
    result = CliRunner(env=dict(env)).invoke(tps, ["doctor", *arguments])
    return result.exit_code, result.output


def directory_in(folder: Path) -> dict[str, str]:
    return {"TPS__DIRECTORY__ID": DIRECTORY_ID, "TPS__DIRECTORY__DIR": str(folder), "TPS__DATABASE__DIR": str(folder)}


def test_the_command_ends_with_0_when_all_is_well_and_with_1_when_something_was_found(tmp_path: Path) -> None:
    make_authority(tmp_path, "Test", now=now())

    code, printed = run("--json", env=directory_in(tmp_path))
    (tmp_path / "root.key").unlink()

    assert code == 1
    (finding,) = json.loads(printed)
    assert (finding["where"], finding["expected"]) == ("certificates", "it offline")
    assert run(env=directory_in(tmp_path)) == (0, "All is well.\n")


def test_settings_for_nobody_or_for_several_end_with_2(tmp_path: Path) -> None:
    hub = {"TPS__HUB__ID": "45X-TPS-HUB-DEM8", "TPS__HUB__SECRET": "0" * 32}

    code, printed = run(env=directory_in(tmp_path) | hub)

    assert (code, "--kind" in printed) == (2, True)
