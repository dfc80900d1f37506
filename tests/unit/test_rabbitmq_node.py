"""The private RabbitMQ of tests and demo: found or not, and never left behind."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from gateways.demo import rabbitmq as finding
from gateways.demo.rabbitmq import AUTHORITY, HELP, MANAGEMENT, URL, GivenRabbit, given, rabbitmq
from gateways.demo.rabbitmq_container import RabbitContainer
from gateways.demo.rabbitmq_node import HOST, find_server, free_ports
from hub.directory_service.authority import founded_authority
from hub.directory_service.founding import ServerFiles
from hub.errors import SettingsError, Unavailable
from tests.fixtures_broker import unavailable
from tests.mades_brokers import Certificates

NOTHING = ServerFiles(certificate=Path("none"), key=Path("none"), authority=Path("none"))


async def test_without_any_way_to_a_broker_it_says_what_was_tried_and_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TPS_RABBITMQ_SERVER", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(tmp_path))  # no docker, no apt-get

    with pytest.raises(Unavailable) as raised:
        async with rabbitmq(tmp_path, NOTHING):
            pass

    assert "No Docker engine answers. No rabbitmq-server is installed" in str(raised.value)
    assert str(raised.value).endswith(HELP)


RUNNING = {URL: "amqps://broker.example:5671/mades", MANAGEMENT: "http://kim:pw@broker.example:15672"}


def test_a_running_broker_is_taken_from_the_environment(tmp_path: Path) -> None:
    lent = given({**RUNNING, AUTHORITY: str(tmp_path)})

    assert given({}) is None
    assert lent == GivenRabbit(url=RUNNING[URL], management_url=RUNNING[MANAGEMENT], authority=tmp_path)


def test_a_running_broker_that_is_named_in_part_is_no_reason_to_start_another() -> None:
    with pytest.raises(SettingsError, match=AUTHORITY):
        given(RUNNING)


def test_a_platform_takes_over_the_authority_of_a_broker_that_was_given_and_never_trades_one_for_another(
    tmp_path: Path,
) -> None:
    ours, theirs, home = (founded(tmp_path / name) for name in ("ours", "theirs", "home"))
    shutil.rmtree(home)
    lent = given({**RUNNING, AUTHORITY: str(ours)})
    other = given({**RUNNING, AUTHORITY: str(theirs)})
    assert lent is not None
    assert other is not None

    lent.adopt(home)
    lent.adopt(home)

    assert founded_authority(home).root == founded_authority(ours).root
    assert (home / "issuing.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(SettingsError, match="another authority"):
        other.adopt(home)


def founded(folder: Path) -> Path:
    """A folder with an authority."""
    folder.mkdir()
    founded_authority(folder)
    return folder


def test_an_authority_that_is_none_is_refused_with_words(tmp_path: Path) -> None:
    lent = given({**RUNNING, AUTHORITY: str(tmp_path / "nowhere")})
    assert lent is not None

    with pytest.raises(SettingsError, match=r"root\.pem, issuing\.pem, issuing\.key"):
        lent.adopt(tmp_path / "home")


def test_an_ordinary_user_is_not_asked_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(Unavailable, match="Only root"):
        finding._fresh(tmp_path, NOTHING)


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_no_broker_is_a_skip_at_home_and_a_failure_on_a_build_server(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)

    with pytest.raises(outcome, match="none here"):
        unavailable("none here")


def test_free_ports_differ_and_are_none_that_a_connection_may_take() -> None:
    ports = free_ports(20)

    assert len(set(ports)) == 20
    assert all(10_000 <= port < 32_768 for port in ports)


def test_a_port_in_use_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        port = taken.getsockname()[1]
        monkeypatch.setattr("gateways.demo.rabbitmq_node._NOT_GIVEN_OUT", range(port, port + 1))

        with pytest.raises(Unavailable, match="Fewer than 1"):
            free_ports(1)


async def test_a_container_is_open_to_this_machine_only_and_given_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a program in Docker's place that notes what it is told and starts nothing."""
    program, said = tmp_path / "docker", tmp_path / "said"
    program.write_text(f'#!/bin/sh\necho "$@" >> {said}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("gateways.demo.rabbitmq_container.START_TIMEOUT_S", 0.1)
    files = Certificates(tmp_path).server()

    with pytest.raises(Unavailable, match="does not start in its container"):
        await RabbitContainer(tmp_path / "rabbit", files).start()

    words = [line.split()[0] for line in said.read_text().splitlines()]
    assert words == ["create", "cp", "start", "logs", "rm"]
    published = re.findall(r"--publish (\S+?):\d+:(\d+)", said.read_text())
    assert published == [("127.0.0.1", "5671"), ("127.0.0.1", "15672")]
    given = tmp_path / "rabbit" / "container"
    assert {file.name for file in given.iterdir()} == {
        "authority.pem",
        "broker.key",
        "broker.pem",
        "plugins",
        "rabbitmq.conf",
    }
    assert "ssl_options.keyfile = /var/lib/rabbitmq/tps/broker.key" in (given / "rabbitmq.conf").read_text()


OWNER = """
import asyncio, sys
from pathlib import Path
from gateways.demo.rabbitmq_node import RabbitNode
from hub.directory_service.founding import ServerFiles

async def main():
    folder = Path(sys.argv[1])
    files = ServerFiles(certificate=folder / "broker.pem", key=folder / "broker.key", authority=folder / "root.pem")
    async with RabbitNode(folder / "node", files) as node:
        print(*(process.pid for process in node._processes), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child that its parent ended")
def test_a_node_ends_with_its_owner_even_when_that_is_killed(tmp_path: Path, root: Path) -> None:
    try:
        find_server()
    except Unavailable as error:
        unavailable(str(error))
    Certificates(tmp_path).server()
    command = [sys.executable, "-c", textwrap.dedent(OWNER), str(tmp_path)]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        processes = [int(word) for word in owner.stdout.readline().split()]

        owner.send_signal(signal.SIGKILL)

    assert len(processes) == 2
    deadline_s = time.monotonic() + 30
    while any(map(lives, processes)):
        assert time.monotonic() < deadline_s, processes
        time.sleep(0.05)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
