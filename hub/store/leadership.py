"""One process works on a database, a second one stands by: whoever holds a lock that ends with its session (NF2).

The session of the process that works is a lease: it says a word every 2 s. The server ends the session after 9 s when
the machine has vanished, after 30 s when the process is there and silent; and the process gives up when it has no
answer for 30 s. Were there two for a moment, only one could commit: a commit names the position it stands on.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncpg
import structlog

from hub.errors import Unavailable
from hub.store.condition import LEADER_LOCK
from hub.store.database import DEAD_PEER, surroundings

RETRY_S: Final = 2.0
NAME_MAX: Final = 63
"""Bytes of a session's name that PostgreSQL keeps."""
COMMITS: Final = "tps"
"""The channel on which every commit tells the head of the log (`commit_batch`)."""
WAITING: Final = "waiting to begin"
STANDING_BY: Final = "standing by"
"""What a standby answers to the probe of readiness, with 503; supervisors read it (docker/healthcheck.py)."""
SILENCE_S: Final = 30.0
"""A process, or a server, that says nothing for so long counts as gone."""

log = structlog.get_logger("hub.store")


@asynccontextmanager
async def leadership(
    url: str,
    lost: Callable[[], None],
    heard: Callable[[int], None] = lambda _: None,
    *,
    standing_by: Callable[[], None] = lambda: None,
) -> AsyncIterator[None]:
    """Be the one process that works on this database: wait as the standby until the other's session has ended.

    `lost` is called when our own session ends before the block does, `heard` with the position of each commit,
    `standing_by` when there is another one to wait for.
    """
    name = f"tps, process {os.getpid()} on {socket.gethostname()}"[:NAME_MAX]
    lease = {"application_name": name, "idle_session_timeout": f"{SILENCE_S * 1000:.0f}", **DEAD_PEER}
    connection = await asyncpg.connect(url, server_settings=lease)
    try:
        if not await _leads(connection):
            log.info("process.standby")
            standing_by()
            while not await _leads(connection):  # noqa: ASYNC110 # the other process has no way to tell us
                await asyncio.sleep(RETRY_S)

        def ended(_: object) -> None:
            lost()

        def committed(_connection: object, _pid: int, _channel: str, position: object) -> None:
            heard(int(str(position)))

        connection.add_termination_listener(ended)
        await connection.add_listener(COMMITS, committed)
        renewing = asyncio.create_task(_renew(connection), name="lease")
        try:
            yield
        finally:
            connection.remove_termination_listener(ended)
            renewing.cancel()
            await asyncio.wait({renewing})
    finally:
        connection.terminate()  # a farewell would wait for a server that has vanished


async def _leads(connection: "asyncpg.Connection[asyncpg.Record]") -> bool:
    with surroundings():
        return bool(await connection.fetchval("select pg_try_advisory_lock($1, $2)", *LEADER_LOCK, timeout=SILENCE_S))


async def _renew(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Say a word now and then; hang up on a server that has nothing to say, as one whose machine has vanished."""
    with suppress(Unavailable):
        while True:
            await asyncio.sleep(RETRY_S)
            with surroundings():
                await connection.execute("select", timeout=SILENCE_S)
    connection.terminate()
