"""A private RabbitMQ node from an installed `rabbitmq-server`: own ports, cookie and data; the system's is not touched.

It ends with the thread that started it, even when that is killed (Linux), and so does Erlang's port mapper, which is
ours too. Works as root and as an ordinary user, without systemd. Its data outlives it, unless the folder does not.
"""

import asyncio
import os
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import IO, Final, Self

import aiohttp

from hub.directory_service.founding import ServerFiles
from hub.errors import Unavailable
from hub.mades.paths import VIRTUAL_HOST
from hub.store.lifetime import die_with_parent

HOST: Final = "127.0.0.1"
OPERATOR: Final = "provisioner"
START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 20.0
VARIABLE: Final = "TPS_RABBITMQ_SERVER"
_NOT_GIVEN_OUT: Final = range(10_000, 32_768)
"""Ports below those that Linux and others take for connections that go out."""
PLUGINS: Final = ("rabbitmq_auth_mechanism_ssl", "rabbitmq_management", "rabbitmq_amqp1_0")
"""The last one does nothing from 4.0 on, where AMQP 1.0 is spoken without it."""


class RabbitNode:
    """`async with RabbitNode(directory, tls) as node:` listens on `node.port` until the block ends."""

    def __init__(self, directory: Path, tls: ServerFiles, *, server: Path | None = None) -> None:
        self._directory, self._tls = directory.absolute(), tls
        self._server = server or find_server()
        self._mapper_port, self._distribution_port, self.port, self.management_port = free_ports(4)
        self.password = kept_password(self._directory)
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        """Where components reach it."""
        return f"amqps://{HOST}:{self.port}/{VIRTUAL_HOST}"

    @property
    def management_url(self) -> str:
        """Where the broker is provisioned, with user and password."""
        return f"http://{OPERATOR}:{self.password}@{HOST}:{self.management_port}"

    async def start(self) -> None:
        """Run until it answers.

        Raises:
            Unavailable: it does not start; the message holds the end of its log.
        """
        ports = (self.port, self.management_port)
        configuration(self._directory, self._tls, listen=HOST, ports=ports, password=self.password)
        self._run_mapper()
        with (self._directory / "log").open("ab") as log:
            self._processes.append(self._run([self._server], log, how=signal.SIGTERM))
        try:
            await self._answers()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End it in good order."""
        for process in reversed(self._processes):
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                await asyncio.to_thread(process.wait, STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def kill(self) -> None:
        """As a power cut would; `start` brings it back with what it had confirmed."""
        while self._processes:
            process = self._processes.pop()
            process.kill()
            process.wait()

    def freeze(self) -> None:
        """Stop in the middle of everything: connections stand, nothing answers."""
        self._processes[-1].send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on."""
        self._processes[-1].send_signal(signal.SIGCONT)

    def _run_mapper(self) -> None:
        """Erlang's port mapper as a child of ours; one that a node starts by itself would outlive it."""
        if mapper := shutil.which("epmd"):
            command: list[str | Path] = [mapper, "-port", str(self._mapper_port), "-address", HOST]
            self._processes.append(self._run(command, subprocess.DEVNULL, how=signal.SIGKILL))

    def _run(
        self, command: list[str | Path], output: int | IO[bytes], *, how: signal.Signals
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 # installed programs, no shell
            command,
            env=self._environment(),
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A session of its own, so that Ctrl-C reaches us alone and we end in order.
            start_new_session=True,
            preexec_fn=die_with_parent(how),  # noqa: PLW1509 # one system call, loaded before the fork
        )

    def _environment(self) -> dict[str, str]:
        here = self._directory
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "C.UTF-8",
            "HOME": str(here),  # the cookie
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": HOST,
            # The port mapper is ours alone, so that nobody else has this name.
            "RABBITMQ_NODENAME": "tps@localhost",
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": str(here / "data"),
            "RABBITMQ_LOG_BASE": str(here),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(here / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(here / "rabbitmq.conf"),
            "RABBITMQ_CONFIG_FILES": str(here / "none"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(here / "none.config"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
            # The script becomes the node itself, whose end and exit code are then real.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    async def _answers(self) -> None:
        node = self._processes[-1]
        with suppress(TimeoutError):
            async with asyncio.timeout(START_TIMEOUT_S):
                await answering(self.management_url, self.port, goes_on=lambda: node.poll() is None)
                if node.poll() is None:
                    return
        text = (self._directory / "log").read_text(errors="replace")
        raise Unavailable(f"RabbitMQ does not start: {text[-800:]}")


def configuration(directory: Path, tls: ServerFiles, *, listen: str, ports: tuple[int, int], password: str) -> None:
    """Write the files a node is configured by: the words of every broker of the platform, and its own places."""
    (directory / "plugins").write_text(f"[{','.join(PLUGINS)}].\n")
    common = files("hub.mades").joinpath("rabbitmq.conf").read_text("utf-8")
    own = {
        "listeners.ssl.1": f"{listen}:{ports[0]}",
        "ssl_options.certfile": tls.certificate,
        "ssl_options.keyfile": tls.key,
        "ssl_options.cacertfile": tls.authority,
        "management.tcp.ip": listen,
        "management.tcp.port": ports[1],
        "default_user": OPERATOR,
        "default_pass": password,
        "log.console.level": "warning",
        "collect_statistics_interval": 1000,
    }
    path = directory / "rabbitmq.conf"
    path.touch(mode=0o600)
    path.write_text(common + "".join(f"{name} = {value}\n" for name, value in own.items()))


async def answering(management_url: str, port: int, *, goes_on: Callable[[], bool] = lambda: True) -> None:
    """Wait until a broker answers at both doors, or does not go on."""
    async with aiohttp.ClientSession() as session:
        while goes_on():
            with suppress(aiohttp.ClientError, OSError):
                async with session.get(f"{management_url}/api/overview") as answer:
                    if answer.ok and _listens(port):
                        return
            await asyncio.sleep(0.05)


def kept_password(directory: Path) -> str:
    """The password the node's data was made with."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / "password"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24))
    return path.read_text()


def find_server() -> Path:
    """The script that starts a node: TPS_RABBITMQ_SERVER, that of Debian's and Fedora's packages, PATH.

    The `rabbitmq-server` in Debian's PATH starts the system's own node and wants to be root; the one below does not.

    Raises:
        Unavailable: there is none.
    """
    for candidate in _candidates():
        if os.access(candidate, os.X_OK):
            return candidate
    raise Unavailable(f"No rabbitmq-server is installed; {VARIABLE} may name one.")


def _candidates() -> Iterator[Path]:
    if named := os.environ.get(VARIABLE):
        yield Path(named)
        return
    yield from sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"), reverse=True)
    if program := shutil.which("rabbitmq-server"):
        yield Path(program).resolve()


def free_ports(count: int) -> list[int]:
    """So many different ports of this machine that nobody uses at this moment.

    None that the system gives to connections that go out: one of those could take it before a server does.
    """
    candidates = secrets.SystemRandom().sample(_NOT_GIVEN_OUT, len(_NOT_GIVEN_OUT))
    ports = list(islice(filter(_is_free, candidates), count))
    if len(ports) < count:
        raise Unavailable(f"Fewer than {count} ports of this machine are free.")
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
