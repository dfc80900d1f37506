"""A container engine of our own, in namespaces that end with it (docker/test/engine), and the images for it."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from hub.store.lifetime import die_with_parent

ROOT: Final = Path(__file__).parents[2]
START_S: Final = 60.0
BASE, PYTHON = "tps-test/debian:trixie", "tps-test/python"
TAG: Final = "test"
NEXT: Final = "next"
"""A version that is the same but for a migration more (docker/test/next.sql)."""
IMAGES: Final[Mapping[str, str]] = {
    "TPS_IMAGE": "tps",
    "TPS_VERSION": TAG,
    "POSTGRES_IMAGE": "tps-test/postgres",
    "POSTGRES_VERSION": "latest",
    "RABBITMQ_IMAGE": "tps-test/rabbitmq",
    "RABBITMQ_VERSION": "latest",
    "PROMETHEUS_IMAGE": "tps-test/prometheus",
    "PROMETHEUS_VERSION": "latest",
}
"""What compose.yaml runs in the test: our own image, and stand-ins for the public ones."""


class Engine:
    """A running engine; `pid` is its first process, as this machine counts."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def run(self, *words: str, check: bool = True, **variables: str) -> str:
        """What a command prints that runs where the engine does. Fails with all of it when it does not end well."""
        done = self._done(words, variables)
        told = done.stdout + done.stderr
        assert done.returncode == 0 or not check, f"{' '.join(words)}: {told[-6000:]}"
        return done.stdout

    def refusal(self, *words: str, **variables: str) -> str:
        """What a command complains of that must not end well."""
        done = self._done(words, variables)
        assert done.returncode != 0, f"{' '.join(words)} ended well"
        return done.stderr

    def _done(self, words: Sequence[str], variables: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
        place = [
            "nsenter",
            "--target",
            str(self.pid),
            "--all",
            "env",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME=/root",
        ]
        settings = [f"{name}={value}" for name, value in {**IMAGES, **variables}.items()]
        return subprocess.run([*place, *settings, *words], capture_output=True, text=True, check=False)

    def answers(self) -> bool:
        """Whether it takes orders."""
        return self.run("docker", "info", "--format", "{{.ServerVersion}}", check=False).strip() != ""


@contextmanager
def engine(folder: Path, network: Literal["host", "private"]) -> Iterator[Engine]:
    """An engine for as long as the block lasts; it and all it runs end with the block. It knows images only."""
    _forget(folder)
    with (folder / f"dockerd-{network}.log").open("wb") as log:
        words = [str(ROOT / "docker" / "test" / "engine"), str(folder / "engine"), str(ROOT), network]
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 # one system call, loaded before the fork
        )
    try:
        running = Engine(_first_child(process))
        deadline = time.monotonic() + START_S
        while not running.answers():
            assert process.poll() is None, f"the engine does not start: see {log.name}"
            assert time.monotonic() < deadline, f"the engine does not answer within {START_S:.0f} s: see {log.name}"
            time.sleep(0.2)
        yield running
        os.kill(running.pid, signal.SIGTERM)
        process.wait(START_S)
    finally:
        process.kill()
        process.wait()


def _forget(folder: Path) -> None:
    """Remove what a killed run has left: its containers would start again, and with them its networks."""
    data = folder.resolve() / "engine" / "var" / "lib" / "docker"
    assert f" {data}" not in Path("/proc/self/mounts").read_text(), (
        f"something is mounted below {data}; unmount it first"
    )
    for name in ("containers", "network", "volumes"):
        shutil.rmtree(data / name, ignore_errors=True)


def build(running: Engine, folder: Path) -> None:
    """Make our image and the stand-ins; what has not changed since the last time is taken from there."""
    if not running.run("docker", "images", "--quiet", BASE):
        archive = folder / "engine" / "base.tar"
        subprocess.run(["tar", "-C", str(folder / "base"), "-cf", str(archive), "."], check=True)
        running.run("docker", "import", "/base.tar", BASE)
        archive.unlink()
    tests = ROOT / "docker" / "test"
    for name in ("python", "postgres", "rabbitmq", "prometheus"):
        _build(running, tests / f"{name}.Dockerfile", f"tps-test/{name}", tests, BASE=BASE)
    _build(running, ROOT / "docker" / "Dockerfile", f"tps:{TAG}", ROOT, BASE=PYTHON, VERSION=TAG)
    _build(running, tests / "next.Dockerfile", f"tps:{NEXT}", tests, BASE=f"tps:{TAG}")


def _build(running: Engine, file: Path, tag: str, context: Path, **arguments: str) -> None:
    given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    words = ["docker", "build", "--network", "host", "--file", str(file), "--tag", tag, *given, str(context)]
    running.run(*words, DOCKER_BUILDKIT="0")


def _first_child(process: "subprocess.Popen[bytes]") -> int:
    """The process that `unshare` has made: the first one of its own process namespace."""
    program = Path(f"/proc/{process.pid}/comm")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        if program.read_text().strip() == "unshare" and (found := children.read_text().split()):
            return int(found[0])
        time.sleep(0.05)
    raise AssertionError("the engine does not start")
