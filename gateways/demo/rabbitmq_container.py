"""A RabbitMQ in a container, where a Docker engine answers. Same means as `gateways.demo.rabbitmq_node`."""

import asyncio
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Final, Self

from gateways.demo.rabbitmq_node import HOST, OPERATOR, answering, configuration, free_ports, kept_password
from hub.directory_service.founding import ServerFiles
from hub.errors import Unavailable
from hub.mades.paths import VIRTUAL_HOST

IMAGE: Final = "rabbitmq:4-management"
START_TIMEOUT_S: Final = 120.0
_INSIDE: Final = "/var/lib/rabbitmq/tps"
"""The image gives what is in here to the user that its server runs as."""


class RabbitContainer:
    """`async with RabbitContainer(directory, tls) as broker:` listens on `broker.port` until the block ends."""

    def __init__(self, directory: Path, tls: ServerFiles) -> None:
        self._directory, self._tls = directory.absolute(), tls
        self._name = f"tps-{secrets.token_hex(8)}"
        self._exists = False
        self.port, self.management_port = free_ports(2)
        self.password = kept_password(self._directory)

    @property
    def url(self) -> str:
        """Where components reach it."""
        return f"amqps://{HOST}:{self.port}/{VIRTUAL_HOST}"

    @property
    def management_url(self) -> str:
        """Where the broker is provisioned, with user and password."""
        return f"http://{OPERATOR}:{self.password}@{HOST}:{self.management_port}"

    async def start(self) -> None:
        """Run until it answers. Raises Unavailable: it does not start."""
        if not self._exists:
            await asyncio.to_thread(self._create)
            self._exists = True
        await asyncio.to_thread(_docker, "start", self._name)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await answering(self.management_url, self.port)
        except TimeoutError:
            log = await asyncio.to_thread(_docker, "logs", "--tail", "20", self._name)
            await self.stop()
            raise Unavailable(f"RabbitMQ does not start in its container: {log[-800:]}") from None

    async def stop(self) -> None:
        """End it, and what it kept."""
        if self._exists:
            await asyncio.to_thread(_docker, "rm", "--force", "--volumes", self._name)
            self._exists = False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def kill(self) -> None:
        """As a power cut would; `start` brings it back with what it had confirmed."""
        _docker("kill", self._name)

    def freeze(self) -> None:
        """Stop in the middle of everything: connections stand, nothing answers."""
        _docker("pause", self._name)

    def thaw(self) -> None:
        """Go on."""
        _docker("unpause", self._name)

    def _create(self) -> None:
        place = self._directory / "container"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        inside = Path(_INSIDE)
        tls = ServerFiles(inside / "broker.pem", inside / "broker.key", inside / "authority.pem")
        for source, name in zip(_files(self._tls), _files(tls), strict=True):
            shutil.copy(source, place / name.name)
        configuration(place, tls, listen="0.0.0.0", ports=(5671, 15672), password=self.password)  # noqa: S104 - inside its container
        published = [f"{HOST}:{self.port}:5671", f"{HOST}:{self.management_port}:15672"]
        named = {"RABBITMQ_CONFIG_FILE": "rabbitmq.conf", "RABBITMQ_ENABLED_PLUGINS_FILE": "plugins"}
        options = [word for each in published for word in ("--publish", each)]
        options += [word for name, file in named.items() for word in ("--env", f"{name}={_INSIDE}/{file}")]
        _docker("create", "--name", self._name, "--hostname", "tps", *options, IMAGE)
        _docker("cp", f"{place}/.", f"{self._name}:{_INSIDE}")


def engine_answers() -> bool:
    """Whether there is a Docker engine that we may use."""
    try:
        _docker("info")
    except Unavailable:
        return False
    return True


def _files(tls: ServerFiles) -> tuple[Path, Path, Path]:
    return tls.certificate, tls.key, tls.authority


def _docker(*words: str) -> str:
    program = shutil.which("docker")
    if program is None:
        raise Unavailable("Docker is not installed.")
    done = subprocess.run(  # noqa: S603 # a program of the system, no shell
        [program, *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Unavailable(f"docker {words[0]} fails: {done.stderr.strip()[-300:]}")
    return done.stdout + done.stderr
