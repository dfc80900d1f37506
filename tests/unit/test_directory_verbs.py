"""`tps directory` and `tps mades`: a platform's operator and a component meet, from the command line only."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest
from click.testing import CliRunner
from cryptography import x509

from hub.cli import tps
from hub.directory_service.participants import in_list
from hub.errors import SettingsError
from hub.mades.paths import Party
from hub.mades.topology import Registered
from tests.directory_world import ALPHA, BROKER, DIRECTORY
from tests.unit.test_hub_process import free_port, status

pytestmark = pytest.mark.slow
CODE, HUB = ALPHA.partition(":")[2], "45X-TPS-HUB-DEM8"


class Shell:
    """Commands on one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.operator_port = free_port(), free_port()
        self.env = {
            "TPS__DIRECTORY__ID": DIRECTORY.partition(":")[2],
            "TPS__DIRECTORY__DIR": str(folder / "authority"),
            "TPS__DIRECTORY__PORT": str(self.port),
            "TPS__DATABASE__DIR": str(folder / "database"),
            "TPS__HTTP__PORT": str(self.operator_port),
        }

    def run(self, *arguments: str, code: int = 0) -> str:
        """What a command printed; it must end with `code`."""
        result = CliRunner(env=self.env).invoke(tps, arguments)
        assert result.exit_code == code, result.output
        return result.output.strip()

    def at_the_hub(self, *arguments: str) -> str:
        """What a command printed with the settings of the hub, which are in a file."""
        file = self.folder / "hub.toml"
        if not file.exists():
            file.write_text(
                f'[hub]\nid = "{HUB}"\nsecret = "{"5" * 32}"\n[database]\nurl = "embedded"\ndir = "hub-database"\n'
            )
        result = CliRunner().invoke(tps, ["--settings", str(file), "participants", *arguments])
        assert result.exit_code == 0, result.output
        return result.output.strip()

    def register(self, token: str, *, code: int = 0, component: str = CODE) -> str:
        return self.run(
            "mades",
            "register",
            *("--dir", str(self.folder / component), "--directory", f"https://localhost:{self.port}"),
            *("--ca", str(self.folder / "authority" / "root.pem"), "--token", token, "--code", component),
            *("--organization", "Alpha", "--email", "kim@alpha.example"),
            code=code,
        )

    @contextmanager
    def serving(self) -> Iterator[None]:
        """`tps directory run` in a process of its own, ready."""
        command = [sys.executable, "-m", "hub", "directory", "run"]
        log = (self.folder / "log").open("wb")
        with log, subprocess.Popen(command, env=os.environ | self.env, stderr=log) as process:
            try:
                asyncio.run(self._ready(process))
                yield
            finally:
                process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0, (self.folder / "log").read_text()

    async def _ready(self, process: "subprocess.Popen[bytes]") -> None:
        async with asyncio.timeout(40), aiohttp.ClientSession() as session:
            while await status(session, f"http://127.0.0.1:{self.operator_port}/health/ready") != 200:
                assert process.poll() is None, (self.folder / "log").read_text()
                await asyncio.sleep(0.05)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_a_component_is_invited_registers_is_approved_and_revoked_from_the_command_line(shell: Shell) -> None:
    assert "root.pem" in shell.run("directory", "init")
    assert "already" in shell.run("directory", "init", code=1)
    with shell.serving():
        token = shell.run("directory", "tokens", "issue", CODE, "--party", "AGR")
        assert "Ask the operator" in shell.register("nonsense", code=1, component=HUB)
        assert "waits for the operator" in shell.register(token, code=1)
        waiting = json.loads(shell.run("directory", "list", "--json"))["waiting"]
        assert [(each["code"], each["party"]) for each in waiting] == [(ALPHA, "AGR")]

        shell.at_the_hub("add", CODE, "AGR", "--brp", "45X-BRP-CHARLIEG")
        shell.env["TPS__DIRECTORY__HUB_SETTINGS"] = str(shell.folder / "hub.toml")
        shell.run("directory", "approve", CODE, "--why", "known to us")
        assert "Approved" in shell.register(token)
        assert "already" in shell.register(token)
        held = json.loads(shell.run("mades", "show", "--dir", str(shell.folder / CODE), "--json"))
        assert "Nothing to do" in shell.run("mades", "renew", "--dir", str(shell.folder / CODE))

        assert (held["code"], len(held["certificates"])) == (ALPHA, 3)
        assert held["certificates"][0]["certificateId"] in shell.run("directory", "show", CODE)
        assert "Now revoked" in shell.run("directory", "revoke", CODE, "--why", "stolen")
        assert "Already revoked" in shell.run("directory", "revoke", CODE, "--why", "stolen")
        shell.run("directory", "endpoints", "--out", str(shell.folder / "endpoints"))
        (endpoint,) = msgspec.json.decode((shell.folder / "endpoints").read_bytes(), type=list[Registered])
        assert (endpoint.code, endpoint.party, endpoint.revoked) == (ALPHA, Party.AGR, True)
        assert (shell.folder / "endpoints").stat().st_mode & 0o777 == 0o600
        shell.run("directory", "crl", "--out", str(shell.folder / "crl"))
        assert len(list(x509.load_der_x509_crl((shell.folder / "crl").read_bytes()))) == 3
        assert shell.run("directory", "reapprove", CODE, "--why", "found") == "Reapproved."
        assert "not revoked" in shell.run("directory", "reapprove", CODE, "--why", "found")
        one = held["certificates"][1]["certificateId"]
        assert "Now revoked" in shell.run("directory", "revoke", CODE, "--certificate", one, "--why", "lost")
        assert "no such certificate" in shell.run(
            "directory", "revoke", CODE, "--certificate", "0" * 64, "--why", "lost", code=1
        )
    assert re.search(rf"{ALPHA}  AGR  APPROVED  no certificate  Alpha", shell.run("directory", "list"))


def test_r1_nobody_is_approved_whom_the_hub_has_not_admitted_and_the_operator_is_told_what_to_do(shell: Shell) -> None:
    approve = ("directory", "approve", CODE, "--why", "known to us")
    shell.run("directory", "init")
    with shell.serving():
        shell.register(shell.run("directory", "tokens", "issue", CODE, "--party", "AGR"), code=1)

        assert "directory.hub_settings" in shell.run(*approve, code=2)
        shell.at_the_hub("add", "45X-BRP-CHARLIEG", "BRP")
        shell.env["TPS__DIRECTORY__HUB_SETTINGS"] = str(shell.folder / "hub.toml")
        assert "tps participants add" in shell.run(*approve, code=1)
        assert f"{ALPHA}  AGR  PENDING" in shell.run("directory", "list")

        shell.at_the_hub("add", CODE, "AGR", "--brp", "45X-BRP-CHARLIEG")
        assert shell.run(*approve) == "Approved."


def test_r1_a_directory_on_another_machine_is_given_the_list_of_the_hub(shell: Shell) -> None:
    listed = shell.folder / "participants.json"
    approve = ("directory", "approve", CODE, "--why", "known to us", "--participants", str(listed))
    shell.run("directory", "init")
    with shell.serving():
        shell.register(shell.run("directory", "tokens", "issue", CODE, "--party", "AGR"), code=1)

        shell.at_the_hub("add", CODE, "DSO")
        listed.write_text(shell.at_the_hub("list", "--json"))
        assert "is DSO at the hub" in shell.run(*approve, code=1)

        listed.write_text(listed.read_text().replace("DSO", "AGR"))
        assert shell.run(*approve) == "Approved."


def test_a_list_of_participants_that_is_none_is_refused_with_words(tmp_path: Path) -> None:
    (tmp_path / "participants.json").write_text("nonsense")

    with pytest.raises(SettingsError, match="tps participants list --json"):
        in_list(tmp_path / "participants.json", ALPHA)


def test_what_cannot_be_done_ends_with_1_and_wrong_usage_with_2_both_with_words(shell: Shell) -> None:
    shell.run("directory", "init")
    shell.run("directory", "tokens", "issue", CODE, "--why", "contract 12", "--by", "ada")
    (token,) = json.loads(shell.run("directory", "tokens", "list", "--json"))

    assert (token["why"], token["by"]) == ("contract 12", "ada")
    assert token["fingerprint"][:16] in shell.run("directory", "tokens", "list")
    assert shell.run("directory", "tokens", "withdraw", token["fingerprint"][:12], "--why", "typo") == "Withdrawn."
    assert "already" in shell.run("directory", "tokens", "withdraw", token["fingerprint"], "--why", "typo")
    assert "at least 8" in shell.run("directory", "tokens", "withdraw", "abc", "--why", "x", code=2)
    assert "No token" in shell.run("directory", "tokens", "withdraw", "abcdefgh", "--why", "x", code=1)
    assert "No registration" in shell.run("directory", "approve", CODE, "--why", "x", code=1)
    assert "No registration" in shell.run("directory", "reject", CODE, "--why", "x", code=1)
    assert "was approved" in shell.run("directory", "show", CODE, code=1)
    assert "Missing option" in shell.run("directory", "revoke", CODE, code=2)
    assert "check character" in shell.run("directory", "tokens", "issue", "A01:45X-AGR-ALPHA--X", code=2)
    assert "Register with" in shell.run("mades", "show", "--dir", str(shell.folder / "nowhere"), code=1)
    assert shell.run("mades", "renew", "--dir", str(shell.folder / "nowhere"), code=1)


def test_a_broker_is_made_known_and_given_a_server_certificate(shell: Shell) -> None:
    shell.run("directory", "init")
    out, code = shell.folder / "broker", BROKER.partition(":")[2]
    where = ("--hosts", "broker.example, 127.0.0.1", "--out", str(out))
    shell.run("directory", "broker", code, "--address", "amqps://broker.example:5671/mades", *where)
    first = (out / "server.pem").read_bytes()
    shell.run("directory", "broker", code, "--address", "amqps://broker.example:5672/mades", *where)

    leaf, issuing = x509.load_pem_x509_certificates(first)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(name.value) for name in names} == {"broker.example", "127.0.0.1"}
    assert issuing in x509.load_pem_x509_certificates((out / "authority.pem").read_bytes())
    assert (out / "server.pem").read_bytes() == first, "it holds long enough"
    assert f"{BROKER}\n" in shell.run("mades", "show", "--dir", str(out))
    assert "amqps://broker.example:5672/mades" in shell.run("directory", "show", code)
    assert f"{BROKER}  BROKER  ACTIVE" in shell.run("directory", "list")
