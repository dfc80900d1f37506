"""`tps init`: a whole platform in one folder, again and again (R1)."""

import asyncio
import json
import shutil
from getpass import getuser
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from hub.app import operating
from hub.cli import tps
from hub.directory_service import bootstrap, opened, participants
from hub.directory_service.plan import EXAMPLE, Plan, read
from hub.errors import SettingsError
from hub.mades import credentials, enrolment
from hub.mades.certificates import CertificateType
from hub.mades.topology import Registered
from hub.ports import OPERATOR, Scope
from hub.rows import PARTICIPANTS
from hub.settings import DirectorySettings, GatewaySettings, HubSettings, load
from tests.fixtures_store import DatabaseUrl

pytestmark = pytest.mark.slow
NORTH = '[[participant]]\nname = "north"\nid = "5790000000005"\nrole = "DSO"\n'
CHARLIE = '[[participant]]\nname = "charlie"\nid = "45X-BRP-CHARLIEG"\nrole = "BRP"\n'
ALPHA = '[[participant]]\nname = "alpha"\nid = "45X-AGR-ALPHA--N"\nrole = "AGR"\nbrp = "45X-BRP-CHARLIEG"\n'
ELSEWHERE = "elsewhere = true\n"


class Site:
    """A folder with a platform file, its databases on a server of the tests."""

    def __init__(self, folder: Path, directory: str, hub: str) -> None:
        self.folder = folder
        self._file = folder.parent / "platform.toml"
        first, second, third = EXAMPLE.split('database = "embedded"')
        self._text = f"{first}database = {json.dumps(directory)}{second}database = {json.dumps(hub)}{third}"

    def plan(self, *participants: str) -> Plan:
        """The platform with these participants."""
        self._file.write_text(self._text + "\n" + "\n".join(participants))
        return read(self._file)

    async def found(self, *participants: str) -> bootstrap.Founded:
        return await bootstrap.found(self.folder, self.plan(*participants), by="kim", cause="test")

    async def registered(self) -> list[Registered]:
        settings = load(DirectorySettings, self.folder / "directory" / "settings.toml", {})
        async with opened(settings) as directory:
            return await directory.registered()

    async def admitted(self) -> int:
        settings = load(HubSettings, self.folder / "members" / "hub" / "settings.toml", {})
        async with operating(settings) as (_, store):
            return len(await store.rows.list(Scope(OPERATOR), PARTICIPANTS, limit=100))

    def contents(self) -> dict[str, bytes]:
        """Every file with what is in it."""
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in files}


@pytest.fixture
async def site(tmp_path: Path, database_url: DatabaseUrl) -> Site:
    return Site(tmp_path / "platform", await database_url(), await database_url())


async def test_r1_one_command_makes_a_platform_whose_participants_are_admitted_and_registered(site: Site) -> None:
    await site.found(NORTH, CHARLIE, ALPHA)

    assert {each.code: each.party.value for each in await site.registered()} == {
        "A01:45X-TPS-HUB-DEM8": "HUB",
        "A10:5790000000005": "DSO",
        "A01:45X-BRP-CHARLIEG": "BRP",
        "A01:45X-AGR-ALPHA--N": "AGR",
    }
    assert await site.admitted() == 3


async def test_who_made_the_platform_and_why_is_kept_in_both_logs(tmp_path: Path, database_url: DatabaseUrl) -> None:
    site = Site(tmp_path / "platform", await database_url(), await database_url())
    site.plan(NORTH)
    arguments = ["init", str(site.folder), "--platform", str(tmp_path / "platform.toml"), "--why", "tender 7"]

    result = await asyncio.to_thread(CliRunner().invoke, tps, [*arguments, "--by", "ada"])

    assert result.exit_code == 0, result.output
    hub = load(HubSettings, site.folder / "members" / "hub" / "settings.toml", {})
    async with operating(hub) as (_, store):
        (added,) = [event async for event in store.log.read()]
    directory = load(DirectorySettings, site.folder / "directory" / "settings.toml", {})
    async with opened(directory) as running:
        decided = {entry.code: (entry.why, entry.by) for entry in await running.board()}
    content = msgspec.msgpack.decode(added.state)
    assert (content["why"], content["by"], added.cause) == ("tender 7", "ada", f"init/{getuser()}")
    assert decided["A10:5790000000005"] == ("tender 7", "ada")
    assert decided["A01:45X-TPS-HUB-DEM8"] == ("tender 7", "ada")


async def test_r1_the_directory_knows_where_to_ask_who_takes_part(site: Site) -> None:
    await site.found(NORTH)

    settings = load(DirectorySettings, site.folder / "directory" / "settings.toml", {})
    assert settings.directory.hub_settings is not None
    found = await participants.at_the_hub(settings.directory.hub_settings, "A10:5790000000005")
    nobody = await participants.at_the_hub(settings.directory.hub_settings, "A10:5790000000012")
    assert found is not None
    assert (found.role, nobody) == ("DSO", None)


async def test_every_process_finds_its_settings_and_certificates_in_its_own_folder(site: Site) -> None:
    await site.found(NORTH)

    own = site.folder / "members" / "north"
    settings = load(GatewaySettings, own / "settings.toml", {})
    assert (settings.participant.id, settings.gateway.hub_id) == ("5790000000005", "45X-TPS-HUB-DEM8")
    assert settings.mades.dir == own
    assert settings.http.port == 8081
    assert enrolment.component_in(settings.mades.dir).code == "A10:5790000000005"
    assert {kind for kind in CertificateType if credentials.load(own).of_type(kind)} == set(CertificateType)


async def test_nobody_else_may_read_keys_or_settings(site: Site) -> None:
    await site.found(NORTH)

    secret = [path for path in site.folder.rglob("*") if path.suffix == ".key" or path.name == "settings.toml"]
    assert len(secret) > 10
    assert {path.stat().st_mode & 0o777 for path in secret} == {0o600}


async def test_run_again_it_changes_nothing(site: Site) -> None:
    await site.found(NORTH, CHARLIE)
    before = site.contents()

    again = await site.found(NORTH, CHARLIE)

    assert again.made == ()
    assert site.contents() == before


async def test_run_again_it_adds_who_is_new_and_leaves_what_was_edited(site: Site) -> None:
    await site.found(NORTH, CHARLIE)
    settings = site.folder / "members" / "north" / "settings.toml"
    settings.write_text(settings.read_text() + "rate_per_s = 7\n")
    before = site.contents()

    again = await site.found(NORTH, CHARLIE, ALPHA)

    assert set(again.made) == {"participant alpha", "keys and certificates of alpha"}
    after = site.contents()
    assert {name: after[name] for name in before} == before
    assert await site.admitted() == 3


async def test_a_folder_that_was_taken_to_another_machine_is_not_made_anew(site: Site) -> None:
    await site.found(NORTH)
    suffixes = {each.code: each.suffix for each in await site.registered()}
    shutil.rmtree(site.folder / "members" / "north")

    again = await site.found(NORTH)

    assert again.made == ()
    assert not (site.folder / "members" / "north").exists()
    assert {each.code: each.suffix for each in await site.registered()} == suffixes


async def test_who_registers_elsewhere_is_admitted_and_gets_settings_but_no_keys(site: Site) -> None:
    done = await site.found(NORTH + ELSEWHERE)

    own = site.folder / "members" / "north"
    assert [path.name for path in own.iterdir()] == ["settings.toml"]
    assert await site.admitted() == 1
    assert any("directory tokens issue 5790000000005 --party DSO" in step for step in done.next)


async def test_the_operator_is_told_to_take_the_key_of_the_root_away_until_it_is_gone(site: Site) -> None:
    first = await site.found()
    (site.folder / "directory" / "root.key").unlink()
    second = await site.found()

    assert "root.key" in first.next[0]
    assert not any("root.key" in step for step in second.next)


async def test_the_broker_finds_its_configuration_with_its_certificate(site: Site) -> None:
    await site.found()

    own = site.folder / "members" / "broker"
    lines = (own / "rabbitmq.conf").read_text().splitlines()
    assert f"ssl_options.certfile = {own / 'server.pem'}" in lines
    assert "auth_mechanisms.1 = EXTERNAL" in lines
    assert all((own / name).is_file() for name in ("server.pem", "server.key", "authority.pem"))


async def test_the_list_of_the_broker_comes_from_the_directory_when_no_file_is_named(site: Site) -> None:
    await site.found(NORTH)
    file = site.folder / "directory" / "settings.toml"
    command = ["--settings", str(file), "broker", "--management", "http://me@127.0.0.1:9", "provision"]

    result = await asyncio.to_thread(CliRunner().invoke, tps, command)

    # The directory was read: it is the broker that does not answer.
    assert "http://127.0.0.1:9" in str(result.exception)


def test_a_directory_that_knows_no_hub_provisions_nothing(tmp_path: Path) -> None:
    env = {"TPS__DIRECTORY__ID": "45X-TPS-DIR-DEMS", "TPS__DIRECTORY__DIR": str(tmp_path / "none")}

    result = CliRunner(env=env).invoke(tps, ["broker", "provision"])

    assert isinstance(result.exception, SettingsError)
    assert "holds no authority" in str(result.exception)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "missing required field `directory`"),
        (EXAMPLE + NORTH + NORTH, "found the id A10:5790000000005 twice"),
        (EXAMPLE + NORTH + ALPHA.replace("alpha", "north"), "found the name north twice"),
        (EXAMPLE + NORTH.replace("north", "hub"), "a participant named hub"),
        (EXAMPLE + NORTH + 'brp = "45X-BRP-CHARLIEG"\n', "expected brp for an AGR"),
        (EXAMPLE + ALPHA.replace("brp", "#"), "expected brp for an AGR"),
        (EXAMPLE + NORTH.replace("0005", "0006"), "5790000000006"),
        (EXAMPLE.replace("port", "prot"), "prot"),
    ],
)
def test_a_platform_file_that_cannot_be_used_says_why_and_makes_nothing(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "platform.toml"
    file.write_text(text)

    result = CliRunner().invoke(tps, ["init", str(tmp_path / "new"), "--platform", str(file)])

    assert isinstance(result.exception, SettingsError)
    assert words in str(result.exception)
    assert list((tmp_path / "new").iterdir()) == []


def test_without_a_file_it_writes_one_and_keeps_databases_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "platform"

    result = CliRunner().invoke(tps, ["init", str(folder), "--json"])

    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert "root and issuing authority" in told["made"]
    assert told["next"]
    assert read(folder / "platform.toml").participants == ()
    assert (folder / "directory" / "database").is_dir()
