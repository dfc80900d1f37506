"""The private PostgreSQL: starts anywhere, keeps its data, opens nothing, and survives the death of its owner."""

import asyncio
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from hub.errors import SettingsError, Unavailable
from hub.store.binaries import WHEEL, find_binaries, readable_binaries
from hub.store.embedded import EmbeddedPostgres, running_url

pytestmark = pytest.mark.slow

ROOT = os.geteuid() == 0


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that only we can enter, as a private home is."""
    folder = Path(tempfile.mkdtemp(prefix="tps-home-"))
    assert folder.stat().st_mode & 0o777 == 0o700
    yield folder
    note = folder / "pg" / "socket"
    if note.exists():  # a killed owner leaves its socket to the next start
        shutil.rmtree(note.read_text(), ignore_errors=True)
    shutil.rmtree(folder)


async def ask(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_a_cluster_is_made_in_a_private_home_whose_permissions_stay(home: Path) -> None:
    directory = home / "deep" / "postgres"

    async with EmbeddedPostgres(directory, durable=True) as postgres:
        url = await postgres.database("hub")
        assert await ask(url, "select current_user || ' ' || current_database()") == "hub hub"
        assert await ask(url, "show fsync") == "on"
        assert await ask(url, "show listen_addresses") == ""
        assert await ask(url, "select current_setting('is_superuser')") == "off"

    for folder in (home, directory):
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder.stat().st_uid == os.geteuid()


async def test_data_outlives_a_restart(home: Path) -> None:
    async with EmbeddedPostgres(home / "pg", durable=True) as postgres:
        await ask(await postgres.database("hub"), "create table kept as select 42 as answer")

    async with EmbeddedPostgres(home / "pg", durable=True) as postgres:
        assert await ask(await postgres.database("hub"), "select answer from kept") == 42


async def test_a_checkpoint_takes_to_disk_what_stopping_would_wait_for(home: Path) -> None:
    async with EmbeddedPostgres(home / "pg", durable=True) as postgres:
        url = await postgres.database("hub")
        place = "select (redo_lsn - '0/0')::text from pg_control_checkpoint()"
        before, written = await ask(url, place), await ask(url, "select (pg_current_wal_lsn() - '0/0')::text")

        await postgres.checkpoint()

        assert int(str(before)) < int(str(written)) <= int(str(await ask(url, place)))


async def test_each_participant_has_a_role_and_a_database_that_others_cannot_enter(
    postgres: EmbeddedPostgres,
) -> None:
    one, _ = await asyncio.gather(postgres.database("one"), postgres.database("two"))

    assert await postgres.database("one") == one
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await ask(postgres.url("two", user="one"), "select 1")


@pytest.mark.parametrize("name", ["", "Hub", 'a"b', "a b", "a;drop", "é"])
async def test_a_name_that_is_none_for_a_database_is_refused(postgres: EmbeddedPostgres, name: str) -> None:
    with pytest.raises(SettingsError, match="is no name for a database"):
        await postgres.database(name)


async def test_a_folder_in_use_is_refused_and_its_server_goes_on(home: Path) -> None:
    async with EmbeddedPostgres(home / "pg", durable=False) as postgres:
        with pytest.raises(SettingsError, match="Another process uses"):
            await EmbeddedPostgres(home / "pg", durable=False).start()

        assert await ask(postgres.url("postgres"), "select 1") == 1


async def test_another_process_finds_the_running_server(home: Path) -> None:
    assert running_url(home / "pg", "hub") is None
    async with EmbeddedPostgres(home / "pg", durable=False) as postgres:
        assert running_url(home / "pg", "hub") == await postgres.database("hub")
    assert running_url(home / "pg", "hub") is None


async def test_the_socket_is_for_the_user_of_the_server_and_root_only(home: Path) -> None:
    async with EmbeddedPostgres(home / "pg", durable=False):
        socket = Path((home / "pg" / "socket").read_text()) / ".s.PGSQL.5432"
        owner = (home / "pg" / "data").stat().st_uid

        rights = [(path.stat().st_mode & 0o777, path.stat().st_uid) for path in (socket, socket.parent)]

    assert rights == [(0o700, owner)] * 2
    assert len(str(socket)) < 100
    assert not os.path.lexists(socket.parent)  # noqa: ASYNC240 # one look


OWNER = textwrap.dedent("""
    import asyncio, sys
    from pathlib import Path
    import asyncpg
    from hub.store import embedded

    if sys.argv[2:]:
        embedded._prctl = None  # as on a system that does not tell children of their parent's death

    async def main() -> None:
        postgres = embedded.EmbeddedPostgres(Path(sys.argv[1]), durable=True)
        await postgres.start()
        connection = await asyncpg.connect(await postgres.database("hub"))
        await connection.execute("create table kept as select 42 as answer")
        print(postgres.pid, flush=True)
        await asyncio.Event().wait()

    asyncio.run(main())
""")


def kill_owner(directory: Path, *how: str) -> int:
    """Start a server in a process of its own and kill that process; returns the server's id."""
    with subprocess.Popen([sys.executable, "-c", OWNER, str(directory), *how], stdout=subprocess.PIPE) as owner:
        assert owner.stdout
        pid = int(owner.stdout.readline())
        owner.kill()
    return pid


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the parent-death signal of Linux")
def test_a_server_ends_with_its_owner_even_when_that_is_killed(home: Path) -> None:
    pid = kill_owner(home / "pg")

    deadline = time.monotonic() + 30
    while alive(pid) and time.monotonic() < deadline:
        os.sched_yield()
    assert not alive(pid)


@pytest.mark.parametrize("how", [(), ("and leave the server",)], ids=["the server is ending", "the server lives on"])
async def test_after_the_owner_was_killed_a_new_start_takes_over_and_nothing_is_lost(
    home: Path, how: tuple[str, ...]
) -> None:
    orphan = kill_owner(home / "pg", *how)

    async with EmbeddedPostgres(home / "pg", durable=True) as postgres:
        assert await ask(postgres.url("hub", user="hub"), "select answer from kept") == 42
        assert not alive(orphan)


async def test_a_stale_process_id_that_is_somebody_elses_now_is_left_alone(home: Path) -> None:
    async with EmbeddedPostgres(home / "pg", durable=False):
        pass
    with subprocess.Popen(["sleep", "60"]) as innocent:  # noqa: ASYNC220 # starts at once
        (home / "pg" / "data" / "postmaster.pid").write_text(f"{innocent.pid}\n")

        async with EmbeddedPostgres(home / "pg", durable=False) as postgres:
            assert await ask(postgres.url("postgres"), "select 1") == 1

        assert innocent.poll() is None
        innocent.kill()


async def test_an_interrupted_first_start_is_made_good_by_the_next(home: Path) -> None:
    unfinished = home / "pg" / "data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")

    async with EmbeddedPostgres(home / "pg", durable=False) as postgres:
        assert await ask(postgres.url("postgres"), "select 1") == 1


async def test_a_server_that_cannot_start_says_why_and_leaves_nothing_running(home: Path) -> None:
    async with EmbeddedPostgres(home / "pg", durable=False):
        pass
    configuration = home / "pg" / "data" / "postgresql.conf"
    configuration.write_text(configuration.read_text() + "\nno_such_setting = 1\n")

    with pytest.raises(Unavailable, match="no_such_setting"):
        await EmbeddedPostgres(home / "pg", durable=False).start()
    assert running_url(home / "pg", "hub") is None


def test_without_any_postgresql_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TPS_PG_BIN", str(tmp_path))

    with pytest.raises(SettingsError, match="Install the extra `embedded`"):
        find_binaries()


def test_programs_inside_a_private_home_are_copied_once_to_where_others_may_run_them(home: Path) -> None:
    program = home / WHEEL / "pginstall18" / "bin" / "postgres"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho copied\n")
    program.chmod(0o755)
    libraries = home / f"{WHEEL}.libs"
    libraries.mkdir()

    copy = readable_binaries(program.parent, home)
    top = copy.parents[2]
    try:
        assert readable_binaries(program.parent, home) == copy
        assert (top / f"{WHEEL}.libs").is_dir()
        assert home.stat().st_mode & 0o777 == 0o700
        other = pwd.getpwnam("nobody").pw_uid if ROOT else None
        ran = subprocess.run([copy / "postgres"], user=other, cwd="/", capture_output=True, text=True, check=True)
        assert ran.stdout == "copied\n"
    finally:
        shutil.rmtree(top)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not sys.platform.startswith("linux") or Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][1] != "Z"
