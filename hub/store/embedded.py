"""A private PostgreSQL of our own: real binaries, data in a local folder, no set-up, no system service, no open port.

PostgreSQL refuses to run as root, so that root's server runs as `postgres` or `nobody`. Neither can reach a folder
inside a private home, and no permission of any parent is ever changed for it: the server is given the data folder as an
open directory (`/proc/self/fd/N`). It listens on a socket in a directory of mode 0700 that belongs to its user, so that
only that user and root can connect; within it every connection is trusted.
"""

import asyncio
import contextlib
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

import asyncpg

from hub.errors import SettingsError, Unavailable
from hub.store.binaries import find_binaries, readable_binaries
from hub.store.lifetime import die_with_parent
from hub.store.migrate import READER

SUPERUSER: Final = "tps"
PORT: Final = 5432
SOCKET_PATH_LIMIT: Final = 107
START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 15.0

CONFIGURATION: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
}

NOT_DURABLE: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""For tests: fast, and worth nothing after a power failure."""


class EmbeddedPostgres:
    """A PostgreSQL server in `directory`, owned by this process; its data outlives it.

    It ends with the thread that started it, even when that is killed. A server that outlived its owner nevertheless is
    stopped before a new one starts.
    """

    def __init__(self, directory: Path, *, durable: bool) -> None:
        self._directory = directory.absolute()
        self._data = self._directory / "data"
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: Path | None = None
        self._lock: int | None = None
        self._one_at_a_time = asyncio.Lock()

    async def start(self) -> None:
        """Make the cluster on the first start, then run it until it answers.

        Raises:
            SettingsError: no PostgreSQL is found, or another process uses the directory.
            Unavailable: the server does not start; the message holds the end of its log.
        """
        binaries = find_binaries()
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _lock(self._directory)
        try:
            user = _server_user(self._data)
            if user:
                binaries = await asyncio.to_thread(readable_binaries, binaries, self._directory)
            await _end_orphan(self._data)
            if not self._data.exists():
                await asyncio.to_thread(self._make_cluster, binaries, user)
            self._socket = self._make_socket_directory(user)
            self._run(binaries, user)
            await self._answers()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End the server: sessions are closed, data is complete."""
        if self._process:
            self._process.send_signal(signal.SIGINT)
            if not await _ended(lambda: self._process is None or self._process.poll() is not None):
                self._process.send_signal(signal.SIGQUIT)
                await asyncio.to_thread(self._process.wait)
            self._process = None
        if self._socket:
            shutil.rmtree(self._socket, ignore_errors=True)
            (self._directory / "socket").unlink(missing_ok=True)
            self._socket = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def pid(self) -> int:
        """Process id of the server."""
        assert self._process, "not started"
        return self._process.pid

    def url(self, database: str, *, user: str = SUPERUSER) -> str:
        """Where a database of the running server is."""
        assert self._socket, "not started"
        return _url(self._socket, database, user)

    async def database(self, name: str) -> str:
        """The URL of a database that belongs to a role of the same name and no other; both are made when missing."""
        if not (name.isascii() and name.replace("_", "a").isalnum() and name == name.lower()):
            raise SettingsError(f"{name!r} is no name for a database. Use small letters, digits and `_`.")
        async with self._one_at_a_time, self._superuser() as connection:
            if not await connection.fetchval("select true from pg_roles where rolname = $1", name):
                await connection.execute(f'create role "{name}" login; grant {READER} to "{name}"')
            if not await connection.fetchval("select true from pg_database where datname = $1", name):
                await connection.execute(f'create database "{name}" owner "{name}"')
                await connection.execute(f'revoke connect on database "{name}" from public')
        return self.url(name, user=name)

    async def checkpoint(self) -> None:
        """Bring to disk now what `stop` would wait for: a new database is some three hundred files."""
        async with self._superuser() as connection:
            await connection.execute("checkpoint")

    def _make_cluster(self, binaries: Path, user: pwd.struct_passwd | None) -> None:
        """Initialise aside and rename, so that an interrupted start leaves no half cluster."""
        unfinished = self._directory / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if user:
            os.chown(unfinished, user.pw_uid, user.pw_gid)
        options = ["-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-instructions"]
        with _reachable(unfinished, user) as (path, passed):
            done = subprocess.run(  # noqa: S603 # our own binaries, no shell
                [binaries / "initdb", "-D", path, *options, *([] if self._durable else ["--no-sync"])],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=passed,
                check=False,
                **_as(user),
            )
        if done.returncode:
            raise Unavailable(
                f"PostgreSQL could not make its data folder: {done.stderr.decode(errors='replace')[-500:]}"
            )
        unfinished.rename(self._data)

    def _make_socket_directory(self, user: pwd.struct_passwd | None) -> Path:
        """A short private directory; its place is noted for other processes and for the next start."""
        note = self._directory / "socket"
        if note.exists() and (old := Path(note.read_text())).name.startswith("tps-socket-"):
            shutil.rmtree(old, ignore_errors=True)
        place = Path(tempfile.gettempdir())
        if len(str(place)) > SOCKET_PATH_LIMIT - 50 or not place.stat().st_mode & 0o001:
            place = Path("/tmp")  # noqa: S108 # mkdtemp below makes a private directory in it
        directory = Path(tempfile.mkdtemp(prefix="tps-socket-", dir=place))
        if user:
            os.chown(directory, user.pw_uid, user.pw_gid)
        note.write_text(str(directory))
        return directory

    def _run(self, binaries: Path, user: pwd.struct_passwd | None) -> None:
        configuration = CONFIGURATION | ({} if self._durable else NOT_DURABLE)
        settings = [word for name, value in configuration.items() for word in ("-c", f"{name}={value}")]
        log = self._directory / "log"
        with _reachable(self._data, user) as (path, passed), log.open("wb") as stderr:
            # A session of its own, so that Ctrl-C reaches us alone and we end in order.
            self._process = subprocess.Popen(  # noqa: S603 # our own binaries, no shell
                [binaries / "postgres", "-D", path, "-k", str(self._socket), "-p", str(PORT), *settings],
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                pass_fds=passed,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGINT),  # noqa: PLW1509 # one system call, loaded before the fork
                **_as(user),
            )

    async def _answers(self) -> None:
        """Wait until the server takes connections, and make the role that rows are read as."""
        assert self._process
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_TIMEOUT_S):
                while self._process.poll() is None:
                    with contextlib.suppress(OSError, asyncpg.PostgresError):
                        async with self._superuser() as connection:
                            if not await connection.fetchval("select true from pg_roles where rolname = $1", READER):
                                await connection.execute(f"create role {READER} nologin")
                        return
                    await asyncio.sleep(0.02)
        text = (self._directory / "log").read_text(errors="replace")
        raise Unavailable(f"PostgreSQL does not start: {text[-500:]}")

    @contextlib.asynccontextmanager
    async def _superuser(self) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        connection = await asyncpg.connect(self.url("postgres"))
        try:
            yield connection
        finally:
            await connection.close()


def running_url(directory: Path, database: str) -> str | None:
    """Where a database is, when another process of ours runs a server in `directory`; None when none does."""
    note = directory.absolute() / "socket"
    if not note.exists() or not (socket := Path(note.read_text()) / f".s.PGSQL.{PORT}").exists():
        return None
    return _url(socket.parent, database, database)


def _url(socket: Path, database: str, user: str) -> str:
    return f"postgresql://{user}@/{database}?host={quote(str(socket), safe='')}&port={PORT}"


def _server_user(data: Path) -> pwd.struct_passwd | None:
    """Who root's server runs as: the owner of the data, else `postgres`, else `nobody`. None: as ourselves."""
    if os.geteuid() != 0:
        return None
    if data.exists():
        return pwd.getpwuid(data.stat().st_uid)
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise SettingsError("PostgreSQL does not run as root, and there is no user `nobody`. Run this as an ordinary user.")


def _as(user: pwd.struct_passwd | None) -> dict[str, Any]:  # arguments of Popen
    """How a child of ours is started as that user, with nothing of our environment."""
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": "/", "TZ": "UTC"}
    identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    return {"env": environment, "cwd": "/", **identity}


@contextlib.contextmanager
def _reachable(directory: Path, user: pwd.struct_passwd | None) -> Iterator[tuple[str, Sequence[int]]]:
    """A path by which a child started as `user` reaches the directory, and the descriptors it must inherit for that."""
    if user is None or not sys.platform.startswith("linux"):
        yield str(directory), ()
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}", (descriptor,)
    finally:
        os.close(descriptor)


def _lock(directory: Path) -> int:
    """Hold the directory for this process; the lock ends with it."""
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise SettingsError(
            f"Another process uses the database in {directory}. Stop it, or choose another folder."
        ) from error
    return lock


async def _end_orphan(data: Path) -> None:
    """Stop a server of this folder whose owner is gone (we hold its lock). Other processes are never touched.

    Of one that is gone the process id may be somebody else's by now, for whom PostgreSQL would wait.
    """
    await _end_server(data)
    (data / "postmaster.pid").unlink(missing_ok=True)


async def _end_server(data: Path) -> None:
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return

    def gone() -> bool:
        return not _runs_in(pid, data)

    for how in (signal.SIGINT, signal.SIGQUIT):
        if gone():
            return
        os.kill(pid, how)
        if await _ended(gone):
            return
    raise Unavailable(f"A PostgreSQL server of an earlier run (process {pid}) does not end. Stop it, then start again.")


def _runs_in(pid: int, data: Path) -> bool:
    """Whether this process is a server that works in the folder."""
    try:
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return False
        return Path(f"/proc/{pid}/cwd").samefile(data) and Path(f"/proc/{pid}/exe").readlink().name == "postgres"
    except OSError:
        return False


async def _ended(gone: Callable[[], bool]) -> bool:
    """Wait until `gone`; False when the time to stop is over."""
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            while not gone():  # noqa: ASYNC110 # nobody tells us when a process that is not our child ends
                await asyncio.sleep(0.01)
    except TimeoutError:
        return False
    return True
