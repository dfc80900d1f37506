"""The image holds what the project is made of, and nothing to build with; what it says of the code is true (NF2)."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from hub.settings import Directory, DirectorySettings, GatewaySettings, Http, HubSettings, describe
from hub.store.leadership import STANDING_BY
from tests.unit.test_hub_process import free_port


@pytest.fixture(scope="module")
def stages(root: Path) -> list[list[str]]:
    """The instructions of each stage of the Dockerfile; what stands before the first one is left out."""
    text = re.sub(r"\\\n\s*", " ", (root / "docker" / "Dockerfile").read_text("utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    stages: list[list[str]] = []
    for line in lines:
        if line.startswith("FROM "):
            stages.append([])
        if stages:
            stages[-1].append(line)
    return stages


def values(stage: list[str], instruction: str) -> list[str]:
    """What follows this instruction, each time."""
    return [line.removeprefix(f"{instruction} ") for line in stage if line.startswith(f"{instruction} ")]


def environment(stage: list[str]) -> dict[str, str]:
    """The variables of a stage."""
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(values(stage, "ENV"))))


def test_the_public_base_is_named_to_the_last_digit_and_both_stages_stand_on_it(
    root: Path, stages: list[list[str]]
) -> None:
    base = re.search(r"^ARG BASE=(\S+)$", (root / "docker" / "Dockerfile").read_text("utf-8"), re.MULTILINE)

    assert base
    assert re.fullmatch(r"python:3\.13\.\d+-slim-\w+", base[1])
    assert [stage[0] for stage in stages] == ["FROM ${BASE} AS build", "FROM ${BASE}"]


def test_everything_that_is_fetched_is_checked_against_its_hash(stages: list[list[str]]) -> None:
    commands = [command for line in values(stages[0], "RUN") for command in line.split(" && ")]
    installing = [command for command in commands if re.search(r"pip (install|sync)", command)]

    *fetching, own = installing

    assert len(fetching) == 2
    assert all("--require-hashes" in command for command in fetching)
    assert own.endswith("--no-deps dist/*.whl")


def test_the_final_stage_has_no_build_tools_and_fetches_nothing(stages: list[list[str]]) -> None:
    commands = " ".join(values(stages[1], "RUN"))

    assert not re.search(r"pip3? install|apt|uv |curl|wget|gcc", commands)
    assert "rm -rf /usr/local/lib/python3*/site-packages/pip*" in commands


def test_it_runs_as_nobody_in_particular_and_ends_on_sigterm(stages: list[list[str]]) -> None:
    final = stages[1]
    user, _, group = values(final, "USER")[-1].partition(":")

    assert (int(user), int(group)) > (10_000, 10_000)
    assert values(final, "STOPSIGNAL") == ["SIGTERM"]
    assert values(final, "ENTRYPOINT") == ['["tps"]'], "a shell in between would swallow the signal"


def test_its_labels_say_what_it_is(stages: list[list[str]]) -> None:
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]+)"', " ".join(values(stages[1], "LABEL"))))

    assert labels.keys() == {"title", "licenses", "version", "revision", "source"}
    assert {labels[name] for name in ("version", "revision", "source")} == {"${VERSION}", "${REVISION}", "${SOURCE}"}


def test_what_it_sets_is_a_setting_of_every_process(stages: list[list[str]]) -> None:
    own = {name: value for name, value in environment(stages[1]).items() if name.startswith("TPS__")}

    assert own.keys() == {"TPS__HTTP__HOST", "TPS__HTTP__PORT"}
    for kind in (HubSettings, GatewaySettings, DirectorySettings):
        assert own.keys() <= {setting.env for setting in describe(kind)}


def test_the_ports_it_names_are_those_of_the_code(stages: list[list[str]]) -> None:
    assert environment(stages[1])["TPS__HTTP__PORT"] == str(Http().port)
    assert values(stages[1], "EXPOSE") == [f"{Http().port} {Directory(id='45X-TPS-DIR-DEMS').port}"]


def test_every_package_of_the_wheel_is_in_it_and_no_other(root: Path, stages: list[list[str]]) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

    copied = [line.split() for line in values(stages[0], "COPY") if "." not in line and "/" not in line]

    assert sorted(source for source, _ in copied) == sorted(packages)


def test_whatever_is_copied_exists_and_is_let_through(root: Path, stages: list[list[str]]) -> None:
    rules = (root / ".dockerignore").read_text("utf-8").splitlines()
    let_through = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copied = {
        source
        for stage in stages
        for line in values(stage, "COPY")
        if "--from" not in line
        for source in line.split()[:-1]
    }

    assert "*" in rules, "what is not named stays out"
    assert copied == let_through
    assert all((root / source).exists() for source in copied)
    assert not any(fnmatch(secret, rule) for rule in let_through for secret in ("keys.key", ".demo", "tests"))


@contextmanager
def answering(status: int, text: str) -> Iterator[int]:
    """A process whose probe says this, for as long as the block lasts; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name is http.server's
            assert self.path == "/health/ready"
            self.send_response(status)
            self.end_headers()
            self.wfile.write(f"{text}\n".encode())

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def judged(root: Path, port: int) -> tuple[int, str]:
    """What the health check makes of the process at this port."""
    command = [sys.executable, "-IS", str(root / "docker" / "healthcheck.py")]
    variables = {"TPS__HTTP__HOST": "0.0.0.0", "TPS__HTTP__PORT": str(port)}
    run = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert run.stderr == ""
    return run.returncode, run.stdout.strip()


@pytest.mark.parametrize(
    ("status", "text", "code"), [(200, "ready", 0), (503, STANDING_BY, 0), (503, "the broker is not connected", 1)]
)
def test_a_process_is_well_when_it_works_or_stands_by(root: Path, status: int, text: str, code: int) -> None:
    with answering(status, text) as port:
        assert judged(root, port) == (code, text)


def test_a_process_that_does_not_answer_is_not_well(root: Path) -> None:
    code, text = judged(root, free_port())

    assert code == 1
    assert text.startswith("no answer: ")


def test_the_image_uses_that_health_check(root: Path, stages: list[list[str]]) -> None:
    assert "docker/healthcheck.py /usr/local/bin/healthcheck" in values(stages[1], "COPY")
    assert values(stages[1], "HEALTHCHECK")[0].endswith('CMD ["healthcheck"]')
    assert (root / "docker" / "healthcheck.py").stat().st_mode & 0o111 == 0o111
