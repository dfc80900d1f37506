"""A RabbitMQ to work with, wherever one can be had, for tests and for the demo.

A running one that the environment names, see `given`; else a container, where a Docker engine answers; else a private
node from an installed package; else the package is installed for it; else a sentence says what to do.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateways.demo.rabbitmq_container import RabbitContainer, engine_answers
from gateways.demo.rabbitmq_node import RabbitNode, find_server
from hub.directory_service.founding import ServerFiles
from hub.errors import SettingsError, Unavailable
from hub.mades import credentials

Rabbit = RabbitNode | RabbitContainer

URL: Final = "TPS_TEST_AMQP_URL"
MANAGEMENT: Final = "TPS_TEST_AMQP_MANAGEMENT_URL"
AUTHORITY: Final = "TPS_TEST_AMQP_AUTHORITY"
HELP: Final = (
    "Start a Docker engine, or install the package `rabbitmq-server` (its service need not run), "
    "or name the script of an unpacked RabbitMQ in TPS_RABBITMQ_SERVER, "
    f"or a running one for tests alone in {URL}, {MANAGEMENT} and {AUTHORITY}."
)
ADOPTED: Final = ("root.pem", "issuing.pem", "issuing.key")
POLICY: Final = Path("/usr/sbin/policy-rc.d")
"""Debian asks this program whether a freshly installed service may start; 101 says no."""


class GivenRabbit(Struct, frozen=True, kw_only=True):
    """A running RabbitMQ that is not ours to start or stop.

    `url` is `amqps://host:port/mades`, `management_url` `http://user:password@host:port`, and `authority` a folder with
    root.pem, issuing.pem and issuing.key of an authority that the broker trusts.
    """

    url: str
    management_url: str
    authority: Path

    def adopt(self, folder: Path) -> None:
        """Let this folder of a directory hold the authority that the broker trusts.

        Raises:
            SettingsError: it holds another one already, or what was given is none.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            for name in ADOPTED:
                content, file = (self.authority / name).read_bytes(), folder / name
                if not file.exists():
                    credentials.write(file, content)
                elif file.read_bytes() != content:
                    raise SettingsError(
                        f"{file} is of another authority than the broker's ({AUTHORITY}). Choose another folder."
                    )
        except OSError as error:
            raise SettingsError(
                f"{AUTHORITY}: found {error}; expected a folder with {', '.join(ADOPTED)} of an authority that the "
                "broker trusts."
            ) from error


def given(environment: Mapping[str, str] = os.environ) -> GivenRabbit | None:
    """The running broker that the environment names, None when it names none.

    It must be for tests alone: whoever works with it throws out everybody else. Raises SettingsError: only a part of it
    is named.
    """
    found = {name: environment.get(name, "") for name in (URL, MANAGEMENT, AUTHORITY)}
    missing = [name for name, value in found.items() if not value]
    if len(missing) == len(found):
        return None
    if missing:
        raise SettingsError(f"A running RabbitMQ is named only in part: {', '.join(missing)} must be set as well.")
    return GivenRabbit(url=found[URL], management_url=found[MANAGEMENT], authority=Path(found[AUTHORITY]))


@asynccontextmanager
async def rabbitmq(directory: Path, tls: ServerFiles) -> AsyncIterator[Rabbit]:
    """A broker of our own for as long as the block lasts; what it keeps is in `directory`.

    Raises:
        Unavailable: none can be had here; the message says what was tried and what to install.
    """
    tried = []
    for way in (_container, _installed, _fresh):
        try:
            broker = way(directory, tls)
            await broker.start()
        except Unavailable as error:
            tried.append(str(error))
            continue
        try:
            yield broker
        finally:
            await broker.stop()
        return
    raise Unavailable(f"No RabbitMQ can be started: {' '.join(tried)} {HELP}")


def _container(directory: Path, tls: ServerFiles) -> RabbitContainer:
    if not engine_answers():
        raise Unavailable("No Docker engine answers.")
    return RabbitContainer(directory, tls)


def _installed(directory: Path, tls: ServerFiles) -> RabbitNode:
    return RabbitNode(directory, tls, server=find_server())


def _fresh(directory: Path, tls: ServerFiles) -> RabbitNode:
    """A node from the distribution's package, which root need not ask anybody for."""
    installed_afresh("rabbitmq-server")
    return _installed(directory, tls)


def installed_afresh(package: str) -> None:
    """Have a package of the distribution installed.

    Raises:
        Unavailable: we are not root, there is no apt-get, or it fails; the message says which.
    """
    apt = shutil.which("apt-get")
    if os.geteuid() != 0 or apt is None:
        raise Unavailable("Only root can install one, and only with apt-get.")
    _alone(lambda: _install(apt, package))


def _alone(work: Callable[[], None]) -> None:
    """One process of this machine at a time."""
    lock = os.open(POLICY.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        work()
    finally:
        os.close(lock)


def _install(apt: str, package: str) -> None:
    """Install without starting the service of the system."""
    is_ours = not POLICY.exists()
    if is_ours:
        POLICY.touch(mode=0o755)
        POLICY.write_text("#!/bin/sh\nexit 101\n")
    try:
        for words in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", package]):
            done = subprocess.run(  # noqa: S603 # the system's own package manager, no shell
                [apt, "-o", "DPkg::Lock::Timeout=300", *words],
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise Unavailable(f"apt-get {words[0]} fails: {done.stderr.strip()[-300:]}")
    finally:
        if is_ours:
            POLICY.unlink()
