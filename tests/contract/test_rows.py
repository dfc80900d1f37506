"""What every reader of rows promises (hub.ports.RowReader, R32), and the second wall behind it (NF3)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.values import Identifier, Interval
from hub.ports import Batch, FeedSlice, Item, NewEvent, Row, RowReader, Scope
from hub.store.memory import MemoryStore
from hub.store.migrate import READER
from hub.store.postgres import PostgresStore
from tests.fixtures_store import COMPONENT, Cluster, DatabaseUrl, Store
from tests.thoroughness import examples

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
ALPHA, BRAVO = Identifier("A01:ALPHA"), Identifier("A01:BRAVO")
A, B = Scope(ALPHA), Scope(BRAVO)


class Content(msgspec.Struct, frozen=True):
    text: str


def hours(start: int, end: int) -> Interval:
    return Interval(NOW + timedelta(hours=start), NOW + timedelta(hours=end))


def row(  # noqa: PLR0917 # the fields that differ from test to test
    key: str,
    text: str | None = "content",
    audience: Identifier = ALPHA,
    group: str = "",
    valid: Interval | None = None,
    issued: datetime | None = None,
    view: str = "limits",
) -> Row:
    payload = None if text is None else Content(text)
    return Row(view=view, audience=audience, key=key, payload=payload, group=group, valid=valid, issued=issued)


async def keep(store: Store, *rows: Row) -> None:
    """One event that causes these rows."""
    head = await store.log.head()
    happened = NewEvent(stream="rows", version=head + 1, topic="Happened.v1", state=b"", cause="test")
    await store.commit.commit(
        Batch(after=head, at=NOW, events=(happened,), rows=tuple((head + 1, row) for row in rows))
    )


def texts(items: list[Item]) -> list[tuple[int, str, str | None]]:
    return [
        (
            item.sequence,
            item.key,
            None if item.payload is None else msgspec.msgpack.decode(item.payload, type=Content).text,
        )
        for item in items
    ]


async def test_r32_items_count_from_one_within_their_feed_without_gaps(store: Store) -> None:
    await keep(store, row("k1"), row("k2", audience=BRAVO), row("k3", view="assets"))
    await keep(store, row("k4", audience=BRAVO), row("k1", "changed"), row("k5"))

    assert texts([*await store.rows.feed(A, "limits")]) == [
        (1, "k1", "content"),
        (2, "k1", "changed"),
        (3, "k5", "content"),
    ]
    assert texts([*await store.rows.feed(B, "limits")]) == [(1, "k2", "content"), (2, "k4", "content")]
    assert texts([*await store.rows.feed(A, "assets")]) == [(1, "k3", "content")]


async def test_a_feed_is_read_after_a_sequence_and_up_to_a_limit(store: Store) -> None:
    await keep(store, *(row(f"k{number}") for number in range(6)))

    items = await store.rows.feed(A, "limits", after=2, limit=3)

    assert [item.sequence for item in items] == [3, 4, 5]
    assert await store.rows.feed(A, "limits", after=6) == []


async def test_slices_of_several_feeds_are_read_together(store: Store) -> None:
    await keep(store, *(row(f"k{number}") for number in range(4)), row("b", audience=BRAVO), row("o", view="other"))
    wanted = [
        FeedSlice("limits", ALPHA, 1, 3),
        FeedSlice("limits", BRAVO, 0, 1),
        FeedSlice("limits", ALPHA, 0, 1),
        FeedSlice("unknown", ALPHA, 0, 9),
        FeedSlice("other", ALPHA, 0, 9),
    ]

    found = await store.rows.slices(wanted)

    assert [[(item.audience, item.key) for item in items] for items in found] == [
        [(ALPHA, "k1"), (ALPHA, "k2")],
        [(BRAVO, "b")],
        [(ALPHA, "k0")],
        [],
        [(ALPHA, "o")],
    ]
    assert await store.rows.slices([]) == []


async def test_the_head_of_a_feed_is_its_newest_sequence(store: Store) -> None:
    assert await store.rows.head(A, "limits") == 0
    await keep(store, row("k1"), row("k2", audience=BRAVO), row("k3"))

    assert (await store.rows.head(A, "limits"), await store.rows.head(B, "limits")) == (2, 1)
    assert await store.rows.head(A, "assets") == 0


async def test_an_item_carries_what_its_row_said(store: Store) -> None:
    issued = NOW - timedelta(minutes=5)
    await keep(store, row("k", "text", group="P1", valid=hours(1, 2), issued=issued))

    item = await store.rows.get(A, "limits", "k")

    assert item == Item(
        view="limits",
        audience=ALPHA,
        key="k",
        sequence=1,
        payload=msgspec.msgpack.encode(Content("text")),
        group="P1",
        valid=hours(1, 2),
        issued=issued,
        position=1,
    )


async def test_a_row_without_an_instant_was_issued_when_it_was_recorded(store: Store) -> None:
    await keep(store, row("k"))

    (item,) = await store.rows.feed(A, "limits")
    assert item.issued == NOW


async def test_the_newest_item_of_a_key_is_the_current_one(store: Store) -> None:
    await keep(store, row("k", "first"), row("k", "second"))
    await keep(store, row("k", "third"))

    current = await store.rows.get(A, "limits", "k")
    assert current is not None
    assert texts([current]) == [(3, "k", "third")]
    assert texts([*await store.rows.list(A, "limits")]) == [(3, "k", "third")]


async def test_a_withdrawal_stays_in_the_feed_and_leaves_the_list(store: Store) -> None:
    await keep(store, row("k1"), row("k2"))
    await keep(store, row("k1", None))

    assert texts([*await store.rows.feed(A, "limits")]) == [(1, "k1", "content"), (2, "k2", "content"), (3, "k1", None)]
    assert await store.rows.get(A, "limits", "k1") is None
    assert [item.key for item in await store.rows.list(A, "limits")] == ["k2"]


async def test_a_key_withdrawn_and_given_again_in_one_batch_is_current(store: Store) -> None:
    await keep(store, row("k", "first"))
    await keep(store, row("k", None), row("k", "again"), row("gone"), row("gone", None))

    assert texts([*await store.rows.list(A, "limits")]) == [(3, "k", "again")]


async def test_foreign_and_unknown_keys_read_alike(store: Store) -> None:
    await keep(store, row("k", audience=BRAVO))

    assert await store.rows.get(A, "limits", "k") is None
    assert await store.rows.get(A, "limits", "unknown") is None
    assert await store.rows.list(A, "limits") == []


async def test_a_list_is_in_the_order_of_keys_and_goes_on_after_one(store: Store) -> None:
    await keep(store, *(row(key) for key in ("b", "a_2", "Z", "é", "a-1", "a1")))

    keys = [item.key for item in await store.rows.list(A, "limits")]
    assert keys == sorted(["b", "a_2", "Z", "é", "a-1", "a1"])
    assert [item.key for item in await store.rows.list(A, "limits", after_key=keys[1], limit=2)] == keys[2:4]


async def test_a_list_is_filtered_by_groups(store: Store) -> None:
    await keep(store, row("k1", group="P1"), row("k2", group="P2"), row("k3", group="P3"))

    assert [item.key for item in await store.rows.list(A, "limits", groups=("P3", "P1"))] == ["k1", "k3"]


async def test_r22_a_list_is_filtered_by_overlap_of_half_open_spans(store: Store) -> None:
    spans = (("before", hours(0, 1)), ("into", hours(0, 2)), ("within", hours(1, 2)), ("after", hours(3, 4)))
    await keep(store, *(row(key, valid=span) for key, span in spans), row("timeless"))

    assert [item.key for item in await store.rows.list(A, "limits", overlapping=hours(1, 3))] == ["into", "within"]


async def test_r22_a_list_is_filtered_by_when_items_were_issued_half_open(store: Store) -> None:
    await keep(store, *(row(f"k{number}", issued=NOW + timedelta(hours=number)) for number in range(4)))

    assert [item.key for item in await store.rows.list(A, "limits", issued=hours(1, 3))] == ["k1", "k2"]


ROW = st.builds(
    row,
    key=st.sampled_from("abcd"),
    text=st.sampled_from(("one", "two", None)),
    audience=st.sampled_from((ALPHA, BRAVO)),
    group=st.sampled_from(("", "P1", "P2")),
    valid=st.sampled_from((None, hours(0, 1), hours(1, 5))),
    view=st.sampled_from(("limits", "assets")),
)


@pytest_asyncio.fixture(scope="session")
async def one_database(cluster: Cluster) -> AsyncIterator[PostgresStore]:
    async with cluster.lent() as url, await PostgresStore.open(url, component=COMPONENT) as store:
        yield store


@given(histories=st.lists(st.lists(ROW, max_size=8), max_size=6))
@settings(max_examples=examples(25))
async def test_both_stores_show_the_same_rows_after_any_history(
    one_database: PostgresStore, histories: list[list[Row]]
) -> None:
    """The database is not emptied between examples: each example uses views of its own."""
    twin, suffix = MemoryStore(component=COMPONENT), f"@{await one_database.log.head()}"
    for rows in histories:
        renamed = [msgspec.structs.replace(row, view=row.view + suffix) for row in rows]
        await keep(twin, *renamed)
        await keep(one_database, *renamed)

    for view in (f"limits{suffix}", f"assets{suffix}"):
        for scope in (A, B):
            assert await _seen(one_database.rows, scope, view) == await _seen(twin.rows, scope, view)


async def _seen(rows: RowReader, scope: Scope, view: str) -> list[object]:
    """Everything but the position in the log."""
    found = [*await rows.feed(scope, view), *await rows.list(scope, view), await rows.head(scope, view)]
    found += [*await rows.list(scope, view, groups=("P1",)), *await rows.list(scope, view, overlapping=hours(0, 2))]
    return [msgspec.structs.replace(item, position=0) if isinstance(item, Item) else item for item in found]


TABLES = ("feed", "row_item", "row_current")


@pytest.mark.parametrize("table", TABLES)
async def test_nf3_even_a_wrong_query_sees_the_given_audience_only(database_url: DatabaseUrl, table: str) -> None:
    """The second wall: the role rows are read as is under row-level security."""
    url = await database_url()
    async with await PostgresStore.open(url, component=COMPONENT) as store:
        await keep(store, row("k1"), row("k2", audience=BRAVO))

    async def seen(audience: str | None) -> list[str]:
        connection = await asyncpg.connect(url)
        try:
            async with connection.transaction():
                await connection.execute(f"set local role {READER}")
                if audience is not None:
                    await connection.execute("select set_config('tps.audience', $1, true)", audience)
                records = await connection.fetch(f"select audience from tps.{table}")
                return [record["audience"] for record in records]
        finally:
            await connection.close()

    assert await seen(ALPHA) == [ALPHA]
    assert await seen(BRAVO) == [BRAVO]
    assert await seen("A01:NOBODY") == []
    assert await seen(None) == []


@pytest.mark.parametrize(
    "statement",
    [
        *(f"delete from tps.{table}" for table in TABLES),
        "insert into tps.feed values ('limits', 'A01:ALPHA', 9, 0)",
        "select * from tps.stored_events",
        "select * from tps.payload",
        "select * from tps.out_message",
        "select * from tps.token",
    ],
)
async def test_nf3_the_role_rows_are_read_as_may_do_nothing_else(database_url: DatabaseUrl, statement: str) -> None:
    connection = await asyncpg.connect(await database_url())
    try:
        await connection.execute(f"set role {READER}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_nf3_an_audience_does_not_outlive_its_query(database_url: DatabaseUrl) -> None:
    connection = await asyncpg.connect(await database_url(), server_settings={"search_path": "tps"})
    try:
        await connection.fetch("select * from feed_items('A01:ALPHA', 'limits', 0, 10)")
        assert not await connection.fetchval("select current_setting('tps.audience', true)")
    finally:
        await connection.close()
