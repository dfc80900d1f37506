"""One process works on a database, a second one stands by: whoever holds a lock that ends with its session (NF2)."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import structlog

from hub.store.condition import LEADER_LOCK

RETRY_S: Final = 2.0
NAME_MAX: Final = 63
"""Bytes of a session's name that PostgreSQL keeps."""
COMMITS: Final = "tps"
"""The channel on which every commit tells the head of the log (`commit_batch`)."""
WAITING: Final = "waiting to begin"
STANDING_BY: Final = "standing by"
"""What a standby answers to the probe of readiness, with 503; supervisors read it (docker/healthcheck.py)."""
DEAD_PEER: Final = {"tcp_keepalives_idle": "3", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3"}
"""The server ends the session of a machine that has vanished after 9 s, and the standby takes over."""

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
    connection = await asyncpg.connect(url, server_settings={"application_name": name, **DEAD_PEER})
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
        try:
            yield
        finally:
            connection.remove_termination_listener(ended)
    finally:
        await connection.close()


async def _leads(connection: "asyncpg.Connection[asyncpg.Record]") -> bool:
    return bool(await connection.fetchval("select pg_try_advisory_lock($1, $2)", *LEADER_LOCK))
