"""A changed byte anywhere in the log, in a document or in a checkpoint is found, and named at or after where it is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hub.store.postgres import PostgresStore
from tests.fixtures_store import Cluster
from tests.notary_world import HUB, Site, erased
from tests.thoroughness import examples

KEYS = {
    "stored_events": "notification_id",
    "payload": "digest",
    "checkpoint": "size",
    "checkpoint_signer": "fingerprint",
}
RECORDS, DOCUMENTS, CHECKPOINTS = 24, 21, 3
"""Documents at 1 to 20, three of them erased at 21, three more, and one that no record names."""

pytestmark = pytest.mark.slow


class Cell(NamedTuple):
    """One value of the store."""

    table: str
    key: Any  # of the table's own kind
    column: str
    value: Any  # of the column's own kind

    @property
    def position(self) -> int:
        """Before it nothing can be found."""
        return self.key if isinstance(self.key, int) else 0


class Ground:
    """A log as a hub writes it, somebody who may change everything, and all there is to change."""

    def __init__(self, site: Site, intruder: "asyncpg.Connection[asyncpg.Record]", cells: list[Cell]) -> None:
        self.site, self.intruder, self.cells = site, intruder, cells


@asynccontextmanager
async def intruding(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection of the owner of the tables, who lets no constraint between them stand in the way."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "set search_path to tps; alter table checkpoint drop constraint checkpoint_signer_fkey"
        )
        yield connection
    finally:
        await connection.close()


@pytest_asyncio.fixture(scope="module")
async def ground(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    """The same for all examples: each puts back what it changed."""
    url = await cluster.fresh()
    async with await PostgresStore.open(url, component=HUB) as store, intruding(url) as intruder:
        site = Site(store, tmp_path_factory.mktemp("keys"), records=8)
        contents = await site.documents(20)
        await site.write(erased(*contents[:3]), payloads=(b"an acknowledgement",))
        await site.documents(3)
        while await site.checkpointer.write():
            pass
        await intruder.execute("delete from payload where content = any ($1)", contents[:3])
        cells = [
            Cell(table, record[key], column, value)
            for table, key in KEYS.items()
            for record in await intruder.fetch(f"select * from {table}")
            for column, value in record.items()
        ]
        yield Ground(site, intruder, cells)


def flipped(value: Any, byte: int, bit: int) -> Any:
    """The value with one bit of one byte changed, as far as PostgreSQL takes it."""
    match value:
        case bytes():
            at = byte % len(value)
            return value[:at] + bytes([value[at] ^ (1 << bit)]) + value[at + 1 :]
        case str():
            at = byte % len(value)
            return value[:at] + chr(ord(value[at]) ^ (1 << bit % 7)) + value[at + 1 :]
        case int():
            return int.from_bytes(flipped(value.to_bytes(8, "big", signed=True), byte, bit), "big", signed=True)
        case datetime():
            microseconds = (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
            return value + timedelta(microseconds=(microseconds ^ (1 << (byte % 6 * 8 + bit))) - microseconds)
    raise AssertionError(type(value))


async def test_a_log_that_nobody_changed_is_found_good(ground: Ground) -> None:
    assert await ground.site.fault() is None
    assert len(ground.cells) == RECORDS * 8 + DOCUMENTS * 2 + CHECKPOINTS * 6 + 3


@settings(max_examples=examples(400), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers(0, 9999), byte=st.integers(0, 9999), bit=st.integers(0, 7))
async def test_any_changed_byte_is_found_where_it_is_or_after(ground: Ground, number: int, byte: int, bit: int) -> None:
    cell = ground.cells[number % len(ground.cells)]
    changed = flipped(cell.value, byte, bit)
    assume(changed != cell.value and "\0" not in str(changed))

    key = KEYS[cell.table]
    update = f"update {cell.table} set {cell.column} = $1 where {key} = $2 returning ctid"
    try:
        row = await ground.intruder.fetchval(update, changed, cell.key)
    except asyncpg.UniqueViolationError:
        assume(False)
    try:
        fault = await ground.site.fault()
    finally:
        await ground.intruder.execute(f"update {cell.table} set {cell.column} = $1 where ctid = $2", cell.value, row)

    assert fault is not None, cell
    if fault.position:
        assert fault.position >= cell.position
