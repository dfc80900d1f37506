"""A RabbitMQ to work with, wherever one can be had: in a container, from an installed package, or installed for it.

For tests and for the demo. A broker of one's own choice is never started or stopped here; its address is given instead.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from gateways.demo.rabbitmq_container import RabbitContainer, engine_answers
from gateways.demo.rabbitmq_node import RabbitNode, find_server
from hub.directory_service.founding import ServerFiles
from hub.errors import Unavailable

Rabbit = RabbitNode | RabbitContainer

HELP: Final = (
    "Start a Docker engine, or install the package `rabbitmq-server` (its service need not run), "
    "or name the script of an unpacked RabbitMQ in TPS_RABBITMQ_SERVER."
)
POLICY: Final = Path("/usr/sbin/policy-rc.d")
"""Debian asks this program whether a freshly installed service may start; 101 says no."""


@asynccontextmanager
async def rabbitmq(directory: Path, tls: ServerFiles) -> AsyncIterator[Rabbit]:
    """A broker for as long as the block lasts; what it keeps is in `directory`.

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
