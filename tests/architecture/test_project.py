"""What the project promises about itself: honest locks, no trace of a machine, a wheel that stands alone."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.fixtures_broker import unavailable

PACKAGES = ("documents", "hub", "gateways", "raml")
LOCKS = ("runtime.txt", "dev.txt", "bootstrap.txt")


def tracked(root: Path, *below: str) -> list[str]:
    """Files under version control."""
    run = subprocess.run(["git", "ls-files", "-z", "--", *below], cwd=root, capture_output=True, text=True, check=False)
    if run.returncode:
        unavailable("this is no git checkout, so nothing says which files belong to the project")
    return [name for name in run.stdout.split("\0") if (root / name).is_file()]


def locked(lock: Path) -> dict[str, str]:
    """Name and version of every entry of a lock; a name with several markers keeps its last version."""
    entries = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock.read_text("utf-8"), flags=re.MULTILINE)
    return {canonicalize_name(name): version for name, version in entries}


def project(root: Path) -> dict[str, Any]:  # Any: a TOML table
    table: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    return table


def test_no_file_names_a_path_of_a_machine(root: Path) -> None:
    machine = re.compile(rb"(?<![\w.])/(?:work|farm|root|home|Users|opt/pypi|opt/wheels)(?=/)")

    found = [
        f"{name}: {match.group().decode()}"
        for name in tracked(root)
        if (match := machine.search((root / name).read_bytes()))
    ]

    assert found == []


@pytest.mark.parametrize("name", LOCKS)
def test_every_entry_of_a_lock_is_pinned_and_hashed(root: Path, name: str) -> None:
    entries = re.split(r"\n(?=[A-Za-z])", (root / "requirements" / name).read_text("utf-8").strip())

    loose = [entry.splitlines()[0] for entry in entries if "==" not in entry or "--hash=sha256:" not in entry]

    assert loose == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_place_to_download_from(root: Path, name: str) -> None:
    lock = (root / "requirements" / name).read_text("utf-8")

    assert not re.search(r"://|^--|^-[a-z]|@ |file:", lock, flags=re.MULTILINE)


def test_every_declared_dependency_is_locked_at_a_version_it_allows(root: Path) -> None:
    table = project(root)
    runtime, everything = (locked(root / "requirements" / name) for name in ("runtime.txt", "dev.txt"))

    for extra, entries in {"": table["dependencies"], **table["optional-dependencies"]}.items():
        for requirement in map(Requirement, entries):
            lock = runtime if extra in {"", "embedded"} else everything
            assert requirement.specifier.contains(lock[canonicalize_name(requirement.name)]), requirement


def test_both_locks_agree(root: Path) -> None:
    runtime, everything = (locked(root / "requirements" / name) for name in ("runtime.txt", "dev.txt"))

    assert runtime.items() <= everything.items()


def test_every_lower_bound_is_stated(root: Path) -> None:
    table = project(root)
    entries = [*table["dependencies"], *(entry for extra in table["optional-dependencies"].values() for entry in extra)]

    assert [entry for entry in entries if ">=" not in entry] == []


@pytest.mark.parametrize(
    "name", [".ci/run", "scripts/make-venv", "scripts/lock", "scripts/test-lowest", "scripts/document-settings"]
)
def test_a_script_can_be_run(root: Path, name: str) -> None:
    assert os.access(root / name, os.X_OK)


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the locked backend without going online."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), "."]
    subprocess.run(build, cwd=root, capture_output=True, text=True, check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(root: Path, wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert set(tracked(root, *PACKAGES)) <= inside
    assert {name.partition("/")[0] for name in inside} <= set(PACKAGES)


@pytest.mark.slow
def test_the_installed_wheel_runs_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "installed"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        str(wheel),
    ]
    subprocess.run(pip, capture_output=True, text=True, check=True)
    # The libraries are those of this environment: the test is about our own files, and stays offline.
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    where = "import json, documents, hub, gateways; print(json.dumps([p.__file__ for p in (documents, hub, gateways)]))"

    help_ = subprocess.run([folder / "bin" / "tps", "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)
    found = subprocess.run([python, "-c", where], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert "Commands:" in help_.stdout
    assert all(Path(file).is_relative_to(site) for file in json.loads(found.stdout))
